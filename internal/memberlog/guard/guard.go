// Package guard keeps the mark that tells a member log its own store may not be trusted: a small file on
// other storage that says how far which log was acknowledged, and on which machine. A store restored from a
// backup, or moved, then disagrees with it before anything is signed (DESIGN.md, "Guard").
package guard

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Mark is what the guard remembers: the log of this id had this size and root, on this machine.
type Mark struct {
	Log     string
	Size    uint64
	Root    [32]byte
	Machine string
	// Sequence counts the marks written; Store sets it.
	Sequence uint64
}

// Limits and layout. A slot fills a whole physical sector, so that tearing one write cannot touch the other.
const (
	slotSize = 4096
	fileSize = 2 * slotSize
	maxText  = 255 // bytes of a log id and of a machine id

	header       = "shieldwall guard v1\n"
	headerFamily = "shieldwall guard v"
)

// ErrDamaged says that neither slot of the guard can be read.
var ErrDamaged = errors.New("guard is damaged")

// ErrVersion says that the guard was written by a newer program.
var ErrVersion = errors.New("guard has an unknown version")

// File is a guard in a file. It is safe for concurrent use; one process uses it.
type File struct {
	path string

	mu     sync.Mutex
	f      *os.File // open once something was stored
	next   int      // the slot to write: never that of the newest good mark
	latest uint64   // its sequence
}

// New returns the guard at path. It does not touch the file.
func New(path string) *File { return &File{path: path} }

// Load reads the newest mark. The error wraps fs.ErrNotExist where there is no guard, and ErrDamaged where
// there is one without a readable slot.
func (g *File) Load() (Mark, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m, _, err := g.load()
	return m, err
}

func (g *File) load() (newest Mark, slot int, err error) {
	f, err := os.Open(g.path)
	if err != nil {
		return Mark{}, 0, fmt.Errorf("reading the guard: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, fileSize))
	if err != nil {
		return Mark{}, 0, fmt.Errorf("reading the guard: %w", err)
	}
	var errs []error
	found := false
	for i := range 2 {
		part := data[min(i*slotSize, len(data)):min((i+1)*slotSize, len(data))]
		m, err := decode(part)
		switch {
		case errors.Is(err, ErrVersion):
			return Mark{}, 0, fmt.Errorf("reading %s: %w", g.path, err)
		case err != nil:
			errs = append(errs, fmt.Errorf("slot %d: %w", i, err))
		case !found || m.Sequence > newest.Sequence:
			newest, slot, found = m, i, true
		}
	}
	if !found {
		return Mark{}, 0, fmt.Errorf("reading %s: %w: %w", g.path, ErrDamaged, errors.Join(errs...))
	}
	return newest, slot, nil
}

// Store writes a mark and returns once it is on the disk. If it fails the mark before is still there.
func (g *File) Store(m Mark) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.f == nil {
		if err := g.open(); err != nil {
			return fmt.Errorf("opening the guard: %w", err)
		}
	}
	m.Sequence = g.latest + 1
	slot, err := encode(m)
	if err != nil {
		return err
	}
	if _, err := g.f.WriteAt(slot, int64(g.next)*slotSize); err != nil {
		return fmt.Errorf("writing the guard: %w", err)
	}
	if err := g.f.Sync(); err != nil {
		return fmt.Errorf("syncing the guard: %w", err)
	}
	g.latest, g.next = m.Sequence, 1-g.next
	return nil
}

// open opens the file for writing, after finding which slot may be overwritten. A missing or damaged guard
// is made anew beside its name and renamed, so that it is never half there.
func (g *File) open() error {
	m, slot, err := g.load()
	switch {
	case err == nil:
		g.latest, g.next = m.Sequence, 1-slot
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrDamaged):
		if err := create(g.path); err != nil {
			return err
		}
		g.latest, g.next = 0, 0
	default:
		return err
	}
	g.f, err = os.OpenFile(g.path, os.O_RDWR, 0)
	return err
}

// create makes a guard of two empty slots, of its full size, so that a later write needs no new blocks.
func create(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".guard-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, fileSize))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// Close closes the file.
func (g *File) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.f == nil {
		return nil
	}
	err := g.f.Close()
	g.f = nil
	return err
}

// encode makes a slot: header, log id, size, root, machine id, sequence, zeros, SHA-256 of all before.
func encode(m Mark) ([]byte, error) {
	if len(m.Log) > maxText || len(m.Machine) > maxText {
		return nil, fmt.Errorf("guard: a log id of %d and a machine id of %d bytes, the limit is %d", len(m.Log), len(m.Machine), maxText)
	}
	b := append(make([]byte, 0, slotSize), header...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(m.Log))), m.Log...)
	b = binary.BigEndian.AppendUint64(b, m.Size)
	b = append(b, m.Root[:]...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(m.Machine))), m.Machine...)
	b = binary.BigEndian.AppendUint64(b, m.Sequence)
	b = b[:slotSize-sha256.Size]
	sum := sha256.Sum256(b)
	return append(b, sum[:]...), nil
}

// decode reads a slot, strictly: only what encode writes.
func decode(slot []byte) (Mark, error) {
	if len(slot) != slotSize {
		return Mark{}, fmt.Errorf("%d bytes instead of %d", len(slot), slotSize)
	}
	body := slot[:slotSize-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], slot[len(body):]) {
		return Mark{}, errors.New("torn or never written")
	}
	if !bytes.HasPrefix(body, []byte(header)) {
		if bytes.HasPrefix(body, []byte(headerFamily)) {
			return Mark{}, ErrVersion
		}
		return Mark{}, errors.New("not a guard")
	}
	r := reader{b: body[len(header):]}
	m := Mark{Log: r.text(), Size: r.u64(), Root: [32]byte(r.take(32)), Machine: r.text(), Sequence: r.u64()}
	if r.bad || len(m.Log) > maxText || len(m.Machine) > maxText || slices.ContainsFunc(r.b, func(c byte) bool { return c != 0 }) {
		return Mark{}, errors.New("malformed")
	}
	return m, nil
}

// reader reads fields off a slot; past its end it gives zeros and is bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.bad = true
		return make([]byte, n)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

func (r *reader) text() string { return string(r.take(int(binary.BigEndian.Uint16(r.take(2))))) }
