package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// signedSuffix names the record beside an officer key of what it signed.
const signedSuffix = ".signed"

// maxSigned bounds the record: 10,000 lines.
const maxSigned = 2 << 20

// SignOnce records, before an officer key signs it, that it signs this roster of a version. It refuses where the
// key signed another roster of that version: two valid rosters of one version would split the alliance. The
// record is a line a roster (alliance, version, hash) beside the key, so that it goes wherever the key goes.
func SignOnce(path, alliance string, version uint64, hash string) error {
	f, err := os.OpenFile(path+signedSuffix, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("what this officer key signed: %w", err)
	}
	err = signOnce(f, alliance, version, hash)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func signOnce(f *os.File, alliance string, version uint64, hash string) error {
	name := filepath.Base(f.Name())
	data, err := io.ReadAll(io.LimitReader(f, maxSigned+1))
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if len(data) > maxSigned {
		return fmt.Errorf("%s is over the limit of %d bytes", name, maxSigned)
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	if len(whole) < len(data) { // a crash: nothing was signed after that line was begun
		if err := f.Truncate(int64(len(whole))); err != nil {
			return fmt.Errorf("repairing %s: %w", name, err)
		}
	}
	key := fmt.Sprintf("%s %d ", alliance, version)
	for line := range strings.Lines(string(whole)) {
		if held, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), key); ok && held != hash {
			return fmt.Errorf("this officer key signed another roster %d already (%.12s): a second one could split the alliance; have that one put in force, and change it by roster %d", version, held, version+1)
		} else if ok {
			return nil
		}
	}
	if _, err := f.WriteString(key + hash + "\n"); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}
