package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// syncUnits is the number of units in TestSyncs.
const syncUnits = 40

// TestSyncs counts the syncs that units ask of the kernel: a durable one at least one each, plain ones next
// to none. It runs itself under strace.
func TestSyncs(t *testing.T) {
	if path := os.Getenv("SHIELDWALL_TEST_SYNC_DB"); path != "" {
		st := mustOpen(t, path)
		update := st.Update
		if os.Getenv("SHIELDWALL_TEST_SYNC_DURABLE") != "" {
			update = st.UpdateDurable
		}
		for i := range syncUnits {
			if err := update(t.Context(), func(tx *Tx) error { return tx.PutMeta(fmt.Sprint(i), []byte("x")) }); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	count := func(durable string) int {
		dir := t.TempDir()
		trace := filepath.Join(dir, "trace")
		cmd := exec.Command(strace, "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", trace, os.Args[0], "-test.run=^TestSyncs$")
		cmd.Env = append(os.Environ(), "SHIELDWALL_TEST_SYNC_DB="+filepath.Join(dir, "s.db"), "SHIELDWALL_TEST_SYNC_DURABLE="+durable)
		if out, err := cmd.CombinedOutput(); err != nil {
			if bytes.Contains(out, []byte("ptrace")) {
				t.Skipf("strace may not trace here: %s", out)
			}
			t.Fatalf("%v\n%s", err, out)
		}
		b, err := os.ReadFile(trace)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(b, []byte("sync("))
	}
	plain, durable := count(""), count("1")
	t.Logf("%d units: %d syncs plain, %d durable", syncUnits, plain, durable)
	if plain >= syncUnits/2 || durable < syncUnits+plain-8 {
		t.Errorf("%d units: %d syncs plain, %d durable", syncUnits, plain, durable)
	}
}

// TestDiskFull fills a small file system. What was reported committed is there afterwards; what no longer
// fitted was reported as ErrFull; with room again the store goes on.
func TestDiskFull(t *testing.T) {
	dir := smallDisk(t, "3m")
	path := filepath.Join(dir, "s.db")
	st, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	var committed []int
	full := 0
	put := func(i int) error {
		return st.UpdateDurable(t.Context(), func(tx *Tx) error { return tx.PutBlob(fmt.Append(nil, i), make([]byte, 40<<10)) })
	}
	for i := 0; full < 5; i++ {
		switch err := put(i); {
		case err == nil:
			committed = append(committed, i)
		case errors.Is(err, ErrFull):
			full++
		default:
			t.Fatalf("unit %d: %v", i, err)
		}
	}
	assertFull(t, dir)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := put(-1); err != nil {
		t.Errorf("with room again: %v", err)
	}
	committed = append(committed, -1)
	for _, reopen := range []bool{false, true} {
		if reopen {
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			if st, err = Open(t.Context(), path, Options{}); err != nil {
				t.Fatal(err)
			}
		}
		err := st.View(t.Context(), func(tx *Tx) error {
			for _, i := range committed {
				if b, err := tx.Blob(fmt.Append(nil, i)); err != nil || len(b) != 40<<10 {
					t.Errorf("unit %d of %d is gone: %v", i, len(committed), err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
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
