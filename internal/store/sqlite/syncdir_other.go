//go:build !unix

package sqlite

// syncDir has nothing to do: folders cannot be synced here, the file system journals names by itself.
func syncDir(string) error { return nil }
