package guard

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func mark(size uint64) Mark {
	return Mark{Log: "alpha/00112233445566778899aabbccddeeff", Size: size, Root: [32]byte{byte(size), 1}, Machine: strings.Repeat("a", 32)}
}

func newGuard(t *testing.T) (*File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "not", "there", "yet", "guard")
	g := New(path)
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g, path
}

func TestStoreAndLoad(t *testing.T) {
	g, path := newGuard(t)
	if _, err := g.Load(); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no guard yet: %v", err)
	}
	for size := range uint64(10) {
		if err := g.Store(mark(size)); err != nil {
			t.Fatal(err)
		}
		want := mark(size)
		want.Sequence = size + 1
		for name, from := range map[string]*File{"same": g, "after a restart": New(path)} {
			if got, err := from.Load(); err != nil || got != want {
				t.Errorf("%s: %+v, want %+v, %v", name, got, want, err)
			}
		}
		if size%3 == 2 { // go on as a new process would
			if err := g.Close(); err != nil {
				t.Fatal(err)
			}
			g = New(path)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() != fileSize || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%d bytes, mode %v, %v", info.Size(), info.Mode(), err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

// TestTornWrite damages the slot that was written last, in every way that a crash may: the mark before is
// found, and the next write goes to the damaged slot.
func TestTornWrite(t *testing.T) {
	for name, tear := range map[string]func(slot []byte){
		"first half only": func(s []byte) { clear(s[slotSize/2:]) },
		"second half":     func(s []byte) { clear(s[:slotSize/2]) },
		"zeros":           func(s []byte) { clear(s) },
		"one bit":         func(s []byte) { s[40] ^= 1 },
		"hash only":       func(s []byte) { s[slotSize-1] ^= 1 },
	} {
		for _, writes := range []uint64{2, 3, 4, 5} {
			g, path := newGuard(t)
			for size := range writes {
				if err := g.Store(mark(size)); err != nil {
					t.Fatal(err)
				}
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			last := int(writes-1) % 2
			tear(data[last*slotSize : (last+1)*slotSize])
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			again := New(path)
			if got, err := again.Load(); err != nil || got.Size != writes-2 {
				t.Errorf("%s after %d writes: %+v, %v", name, writes, got, err)
			}
			if err := again.Store(mark(99)); err != nil {
				t.Fatal(err)
			}
			if err := again.Close(); err != nil {
				t.Fatal(err)
			}
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(after[(1-last)*slotSize:(2-last)*slotSize], data[(1-last)*slotSize:(2-last)*slotSize]) {
				t.Errorf("%s after %d writes: the good slot was overwritten, %v", name, writes, err)
			}
			if got, err := New(path).Load(); err != nil || got.Size != 99 {
				t.Errorf("%s after %d writes, going on: %+v, %v", name, writes, got, err)
			}
		}
	}
}

func TestDamaged(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty": nil, "short": make([]byte, 100), "zeros": make([]byte, fileSize), "text": bytes.Repeat([]byte("x"), fileSize),
	} {
		path := filepath.Join(t.TempDir(), "guard")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		g := New(path)
		if _, err := g.Load(); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		// A new incarnation starts over.
		if err := g.Store(mark(1)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := g.Load(); err != nil || got.Size != 1 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestNewerVersion(t *testing.T) {
	slot, err := encode(mark(1))
	if err != nil {
		t.Fatal(err)
	}
	copy(slot, "shieldwall guard v2\n")
	sum := sha256.Sum256(slot[:slotSize-sha256.Size])
	copy(slot[slotSize-sha256.Size:], sum[:])
	path := filepath.Join(t.TempDir(), "guard")
	if err := os.WriteFile(path, append(slot, make([]byte, slotSize)...), 0o600); err != nil {
		t.Fatal(err)
	}
	g := New(path)
	if _, err := g.Load(); !errors.Is(err, ErrVersion) || errors.Is(err, ErrDamaged) {
		t.Errorf("loading: %v", err)
	}
	if err := g.Store(mark(2)); !errors.Is(err, ErrVersion) {
		t.Errorf("storing over it: %v", err)
	}
}

func TestUnreadableIsNotDamaged(t *testing.T) {
	dir := t.TempDir() // a folder in the place of the file
	if _, err := New(dir).Load(); err == nil || errors.Is(err, ErrDamaged) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("loading a folder: %v", err)
	}
	g := New(filepath.Join(dir, "guard"))
	for _, m := range []Mark{{Log: strings.Repeat("x", 256)}, {Machine: strings.Repeat("x", 256)}} {
		if err := g.Store(m); err == nil {
			t.Error("an oversized text was stored")
		}
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

func slotSeeds() [][]byte {
	var seeds [][]byte
	for _, m := range []Mark{{}, mark(0), mark(7), {Log: strings.Repeat("l", maxText), Machine: strings.Repeat("m", maxText), Size: 1<<64 - 1, Sequence: 1<<64 - 1}} {
		slot, _ := encode(m)
		seeds = append(seeds, slot[:slotSize-sha256.Size])
	}
	long := bytes.Clone(seeds[0])
	long[len(header)] = 0xff // a log id longer than the slot
	dirty := bytes.Clone(seeds[1])
	dirty[len(dirty)-1] = 1
	return append(seeds, long, dirty, make([]byte, slotSize-sha256.Size), []byte(headerFamily+"9\n"))
}

// FuzzDecode gives the decoder bodies under a right hash: what a hash alone would keep out.
func FuzzDecode(f *testing.F) {
	for _, s := range slotSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		slot := make([]byte, slotSize-sha256.Size)
		copy(slot, body)
		sum := sha256.Sum256(slot)
		m, err := decode(append(slot, sum[:]...))
		if err != nil {
			return
		}
		if back, err := encode(m); err != nil || !bytes.Equal(back[:len(slot)], slot) {
			t.Fatalf("%+v has a second spelling: %v", m, err)
		}
	})
}

func TestSeeds(t *testing.T) {
	if n := len(slotSeeds()); n < 8 {
		t.Errorf("only %d seeds", n)
	}
}

func BenchmarkStore(b *testing.B) {
	g := New(filepath.Join(b.TempDir(), "guard"))
	defer g.Close()
	for b.Loop() {
		if err := g.Store(mark(1)); err != nil {
			b.Fatal(err)
		}
	}
}
