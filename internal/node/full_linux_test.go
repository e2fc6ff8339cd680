package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"shieldwall/internal/control"
	"shieldwall/internal/store/sqlite"
)

// smallDisk mounts a small file system. Only root can; what runs as root in CI must.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	dir := t.TempDir()
	err := syscall.Mount("shieldwall-test", dir, "tmpfs", 0, "size="+size)
	if errors.Is(err, syscall.EPERM) && os.Getenv("CI") == "" {
		t.Skip("this root may not mount a file system")
	}
	if err != nil {
		t.Fatalf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return dir
}

// padded is a rule of some 20 KB that do not compress.
func padded(n int) control.File {
	rng := rand.New(rand.NewPCG(uint64(n), 3))
	f := rule(n, fmt.Sprintf("padded-%d", n))
	pad := make([]byte, 20_000)
	for i := range pad {
		pad[i] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_-"[rng.IntN(64)]
	}
	f.Data = append(f.Data, "# "+string(pad)+"\n"...)
	return f
}

// TestDiskFull fills the disk under a node's data folder and guard. Publishing fails with a clear error and
// the node lives on: it matches, it serves its allies, and with room again it publishes, catches up with what
// an ally shared meanwhile, and has lost nothing that it acknowledged.
func TestDiskFull(t *testing.T) {
	dir := smallDisk(t, "10m")
	alpha := newMemberIn(t, dir, "alpha", quickSightings).start().found()
	beta := alpha.join("beta", states)
	allLive(t, alpha, beta)
	beta.publish("green", nil, rule(1, "from-the-ally"))
	beta.caughtUp(alpha)
	ballast := filepath.Join(dir, "ballast")
	// As much as the store's write-ahead log may fill besides: to be folded it needs its room once more.
	if err := os.WriteFile(ballast, make([]byte, 5<<20), 0o600); err != nil {
		t.Fatal(err)
	}

	acked, refusals := fill(t, alpha)
	// What is left is filled too, so that nobody finds a last block.
	if err := os.WriteFile(filepath.Join(dir, "rest"), make([]byte, 12<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk was never full: %v", err)
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || fs.Bavail > 0 {
		t.Fatalf("the disk was never full: %d blocks are left, %v", fs.Bavail, err)
	}
	for _, err := range refusals {
		if !errors.Is(err, sqlite.ErrFull) || !strings.Contains(err.Error(), "full") || control.KindOf(err) != control.Failed {
			t.Errorf("a full disk is told as: %v", err)
		}
	}
	if len(acked) < 20 || len(refusals) < 10 {
		t.Fatalf("%d publications were acknowledged, %d refused", len(acked), len(refusals))
	}
	if _, err := alpha.n.Publish(t.Context(), control.PublishRequest{TLP: "green", Files: []control.File{padded(1_000_000)}}); !errors.Is(err, sqlite.ErrFull) {
		t.Errorf("publishing on a full disk: %v", err)
	}

	// It lives on.
	alpha.verify()
	alpha.caughtUp(beta)
	if err := alpha.n.Submit(t.Context(), command("from-the-ally")); err == nil {
		t.Log("there was room for a detection still")
	} else if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a detection that cannot be kept: %v", err)
	}
	if _, err := alpha.n.Invite(t.Context(), control.InviteRequest{Name: "gamma"}); err != nil && !errors.Is(err, sqlite.ErrFull) {
		t.Errorf("an invitation that cannot be kept: %v", err)
	}
	big := beta.publish("green", nil, padded(2_000_000), padded(2_000_001), padded(2_000_002))
	until(t, "the node shows that it cannot follow", func() bool {
		return alpha.sees("beta").Problem != "" || alpha.sees("beta").Head > alpha.sees("beta").Size
	})
	if s := alpha.status(); s.Member != "alpha" || s.Rules != len(acked)+1 {
		t.Errorf("%d rules are live of %d", s.Rules, len(acked)+1)
	}

	// With room again it goes on by itself.
	for _, f := range []string{ballast, filepath.Join(dir, "rest")} {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	acked[3_000_000] = alpha.publish("green", nil, rule(3_000_000, "room-again")).Entries[0]
	beta.caughtUp(alpha)
	alpha.caughtUp(beta)
	if held, err := alpha.n.Holds(t.Context(), big.Entries[0].Objects[0].ID); err != nil || !held {
		t.Errorf("what the ally shared meanwhile: %v, %v", held, err)
	}
	if !beta.matches(command("room-again"), "alpha") || !alpha.matches(command("from-the-ally"), "beta") {
		t.Error("they do not protect each other any more")
	}
	log := alpha.n.LogID()
	alpha.restart()
	alpha.verify()
	if alpha.n.LogID() != log || alpha.warns("incarnation") {
		t.Errorf("a full disk raised a doubt: %q", alpha.status().Warnings)
	}
	allLive(t, alpha, beta)
	beta.verifyMirror(alpha)
	for n, at := range acked {
		own, err := alpha.n.RawEntry(t.Context(), at.Log, at.Index)
		theirs, errTheirs := beta.n.RawEntry(t.Context(), at.Log, at.Index)
		if err != nil || errTheirs != nil || !bytes.Equal(own, theirs) {
			t.Errorf("acknowledged entry %d: %v, %v", at.Index, err, errTheirs)
		}
		if held, err := alpha.n.Holds(t.Context(), at.Objects[0].ID); err != nil || !held {
			t.Errorf("the object of publication %d: %v, %v", n, held, err)
		}
	}
	until(t, "no receipt is waited for", func() bool { return alpha.status().Protect.Waiting == 0 })
}

// fill publishes from several callers until each was refused some times.
func fill(t *testing.T, m *member) (acked map[int]control.PublishedEntry, refusals []error) {
	t.Helper()
	acked = map[int]control.PublishedEntry{}
	var mu sync.Mutex
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			for i, refused := 0, 0; refused < 5; i++ {
				n := 10_000*(w+1) + i
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				res, err := m.n.Publish(ctx, control.PublishRequest{TLP: "green", Files: []control.File{padded(n)}})
				cancel()
				mu.Lock()
				if err == nil {
					acked[n] = res.Entries[0]
				} else {
					refusals = append(refusals, err)
					refused++
				}
				mu.Unlock()
				if err != nil {
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	workers.Wait()
	return acked, refusals
}

// TestNoRoomToStart: a node that finds its disk full says so and leaves what is there as it is.
func TestNoRoomToStart(t *testing.T) {
	dir := smallDisk(t, "3m")
	m := newMemberIn(t, dir, "alpha").start()
	m.publish("green", nil, rule(1, "before"))
	log := m.n.LogID()
	m.halt()
	rest := filepath.Join(dir, "rest")
	if err := os.WriteFile(rest, make([]byte, 12<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk was never full: %v", err)
	}
	n, err := Open(t.Context(), m.opt)
	if err == nil {
		m.n = n
		m.halt() // it needed no room: as good
	} else if !strings.Contains(err.Error(), "full") && !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("opening: %v", err)
	}
	fresh := newMemberIn(t, filepath.Join(dir, "other"), "beta")
	if n, err := Open(t.Context(), fresh.opt); err == nil {
		fresh.n = n
		t.Error("a first start found room")
	} else if !strings.Contains(err.Error(), "full") && !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a first start: %v", err)
	}
	remove(t, rest)
	m.restart()
	if m.n.LogID() != log || !m.matches(command("before"), "alpha") {
		t.Error("with room again it is not what it was")
	}
	m.verify()
	fresh.start() // the half-made one is begun anew
}
