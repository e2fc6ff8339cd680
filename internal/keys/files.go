package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// writeNew writes a secret to a file that must not exist: to a temporary one first, which is synced and
// then linked into place, so that neither a crash nor a second process leaves half a key.
func writeNew(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // created 0600
	if err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	if err := place(tmp.Name(), path); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return syncDir(filepath.Dir(path))
}

// place gives a written file its name, which must be free. A link fails by itself where it is taken; file
// systems without links get the next best.
func place(tmp, path string) error {
	err := os.Link(tmp, path)
	if err == nil {
		return nil // the caller removes the other name
	}
	if _, taken := os.Lstat(path); errors.Is(err, fs.ErrExist) || taken == nil {
		return errors.New("it exists already and is not overwritten")
	}
	return os.Rename(tmp, path)
}

// syncDir makes a rename durable where the system can.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be opened for that there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// maxFile bounds a key file in bytes.
const maxFile = 64 << 10

// readSecret reads a key file of exactly size bytes (0: any, at most maxFile) that only its owner may read.
func readSecret(path string, size int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	if err := checkMode(path, info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Base(path), err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is over the limit of %d bytes", path, maxFile)
	}
	if size > 0 && len(data) != size {
		return nil, fmt.Errorf("%s holds %d bytes, not %d: it is damaged", path, len(data), size)
	}
	return data, nil
}

// checkMode refuses a secret that others can read.
func checkMode(path string, info fs.FileInfo) error {
	if runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return fmt.Errorf("%s can be read by others (mode %04o): run chmod 600 on it, and think of its key as known to them", path, info.Mode().Perm())
}
