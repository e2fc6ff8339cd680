package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// SameDisk reports whether two paths lie on one disk, as far as the system tells: then one failure, or one
// restored image, takes the guard along with the store. A path that does not exist yet counts as its
// nearest folder that does.
func SameDisk(a, b string) (bool, error) {
	var ids [2]string
	for i, path := range [2]string{a, b} {
		path, err := existing(path)
		if err != nil {
			return false, fmt.Errorf("looking up the disk of %s: %w", path, err)
		}
		if ids[i], err = diskOf(path); err != nil {
			return false, fmt.Errorf("looking up the disk of %s: %w", path, err)
		}
	}
	return ids[0] == ids[1], nil
}

// existing goes up from a path to what exists.
func existing(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return path, err
	}
	for {
		_, err := os.Stat(path)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return path, err
		}
		up := filepath.Dir(path)
		if up == path {
			return path, err
		}
		path = up
	}
}
