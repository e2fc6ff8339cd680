//go:build !linux && !windows

package guard

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// systemID is empty: without cgo these systems give none.
func systemID() (string, error) { return "", nil }

// diskOf names the file system under a path.
func diskOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", errors.New("no device number")
	}
	return fmt.Sprintf("fs %d", st.Dev), nil
}
