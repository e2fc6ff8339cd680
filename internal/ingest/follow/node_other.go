//go:build !unix

package follow

import "io/fs"

// nodeOf is empty: a file's index on its disk is not in what Stat tells here. Files are known by their
// content alone.
func nodeOf(fs.FileInfo) string { return "" }
