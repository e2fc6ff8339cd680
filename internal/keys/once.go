package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// signedSuffix names the record beside an officer key of what it signed.
const signedSuffix = ".signed"

// maxSigned bounds the record: 10,000 lines.
const maxSigned = 2 << 20

// Signing is a roster that an officer key is about to sign.
type Signing struct {
	Alliance string // its id
	Version  uint64
	Previous string // hash of the version before
	Hash     string
}

// line is how the record keeps it.
func (s Signing) line() string {
	return fmt.Sprintf("%s %d %s %s\n", s.Alliance, s.Version, s.Previous, s.Hash)
}

// forks says whether both signed would split the alliance. A file could name another alliance, so that the
// version before counts, too.
func (s Signing) forks(o Signing) bool {
	return s.Version == o.Version && s.Hash != o.Hash && (s.Alliance == o.Alliance || s.Previous == o.Previous)
}

// SignOnce records, before an officer key signs it, that it signs this roster of a version. It refuses where the
// key signed another roster of that version: two valid rosters of one version would split the alliance. The
// record is a line a roster beside the key, so that it goes wherever the key goes.
func SignOnce(path string, s Signing) error {
	lock := flock.New(path + signedSuffix + ".lock")
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("what this officer key signed: %w", err)
	}
	defer lock.Unlock()
	f, err := os.OpenFile(path+signedSuffix, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("what this officer key signed: %w", err)
	}
	err = signOnce(f, s)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func signOnce(f *os.File, s Signing) error {
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
	for line := range strings.Lines(string(whole)) {
		var held Signing
		if n, _ := fmt.Sscanf(line, "%s %d %s %s", &held.Alliance, &held.Version, &held.Previous, &held.Hash); n != 4 {
			return fmt.Errorf("%s holds a line that is none of its own: %.80q", name, line)
		}
		if s.forks(held) {
			return fmt.Errorf("this officer key signed another roster %d already (%.12s): a second one could split the alliance; have that one put in force, and change it by roster %d", s.Version, held.Hash, s.Version+1)
		}
		if held == s {
			return nil
		}
	}
	if _, err := f.WriteString(s.line()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}
