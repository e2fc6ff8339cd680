package memberlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"shieldwall/internal/store/sqlite"
)

// TestDiskFull fills the file system under store and guard while several callers append. What was
// acknowledged is there afterwards; what did not fit was refused as sqlite.ErrFull; with room again the log
// goes on.
func TestDiskFull(t *testing.T) {
	dir := smallDisk(t, "4m")
	s := newSite(t, dir)
	l := s.create(t)
	stop := start(t, l)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	acked := map[uint64][]byte{}
	full := 0
	var mu sync.Mutex
	put := func(body []byte) error {
		r, err := l.Append(context.Background(), func(_ tx, b *Batch) error { _, err := b.Append(body); return err })
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			acked[r.First] = body
		case errors.Is(err, sqlite.ErrFull):
			full++
		}
		return err
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i, refused := 0, 0; refused < 5; i++ {
				if err := put(fmt.Appendf(make([]byte, 20_000), "worker %d entry %d", w, i)); errors.Is(err, sqlite.ErrFull) {
					refused++
				} else if err != nil {
					t.Errorf("append: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	assertFull(t, dir)
	if full < 20 || len(acked) < 20 {
		t.Fatalf("%d appends were acknowledged, %d refused", len(acked), full)
	}
	check1(t, l, l.Head().Size)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := put([]byte("with room again")); err != nil {
		t.Error(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	s.close()
	s = newSite(t, dir)
	l = s.open(t)
	check1(t, l, uint64(len(acked))+1)
	for i, want := range acked {
		if got, err := l.Read(t.Context(), i, 0); err != nil || string(got[0]) != string(want) {
			t.Errorf("acknowledged entry %d is gone: %v", i, err)
		}
	}
	s.close()
}

// smallDisk is a file system of its own; it is gone when the test ends.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return dir
}

// assertFull shows that the fault was real.
func assertFull(t *testing.T, dir string) {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || fs.Bavail > 64 {
		t.Fatalf("the file system was never full: %d blocks left, %v", fs.Bavail, err)
	}
}
