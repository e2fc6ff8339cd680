package memberlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"shieldwall/internal/merkle"
)

func TestAppend(t *testing.T) {
	s, l := running(t)
	check1(t, l, 1)
	var leaves []merkle.Hash
	rng := rand.New(rand.NewPCG(5, 6))
	for size := uint64(1); size < 3000; {
		n := rng.IntN(4)
		if rng.IntN(3) == 0 {
			n = rng.IntN(400)
		}
		r := mustAppend(t, l, entries(n))
		if r.Log != l.ID() || r.First != size || r.Count != n || r.Head.Size != size+uint64(n) || l.Head().Size != r.Head.Size {
			t.Fatalf("size %d, %d entries: %+v", size, n, r)
		}
		size += uint64(n)
		cp, _, err := merkle.OpenCheckpoint(r.Head.Checkpoint, s.cfg.Verifier)
		if err != nil || cp.Size != size || cp.Root != r.Head.Root {
			t.Fatalf("checkpoint %+v, %v", cp, err)
		}
		for uint64(len(leaves)) < size {
			leaves = append(leaves, merkle.LeafHash(entryAt(uint64(len(leaves)))))
		}
		if want := rootOf(t, leaves); r.Head.Root != want {
			t.Fatalf("size %d: root %v, want %v", size, r.Head.Root, want)
		}
	}
	check1(t, l, uint64(len(leaves)))
	for _, from := range []uint64{0, 1, 255, 256, 2999, uint64(len(leaves)) - 1} {
		got, err := l.Read(t.Context(), from, 2000)
		if err != nil || len(got) == 0 || !bytes.Equal(got[0], entryAt(from)) {
			t.Errorf("read from %d: %d entries, %v", from, len(got), err)
		}
	}
	if got, err := l.Read(t.Context(), l.Head().Size, 2000); err != nil || len(got) != 0 {
		t.Errorf("read at the end: %d entries, %v", len(got), err)
	}
	if _, err := l.Read(t.Context(), l.Head().Size+1, 2000); err == nil {
		t.Error("read beyond the end")
	}
}

// rootOf asks package tlog.
func rootOf(t testing.TB, leaves []merkle.Hash) merkle.Hash {
	t.Helper()
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	for i, leaf := range leaves {
		h, err := tlog.StoredHashesForRecordHash(int64(i), leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, h...)
	}
	root, err := tlog.TreeHash(int64(len(leaves)), reader)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// TestConcurrent appends from many callers, restarts in between, and finds every acknowledged entry where
// its receipt says.
func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	s := newSite(t, dir)
	l := s.create(t)
	acked := map[uint64][]byte{}
	for round := range 3 {
		stop := start(t, l)
		var mu sync.Mutex
		var wg sync.WaitGroup
		for w := range 16 {
			wg.Go(func() {
				for i := range 25 {
					body := fmt.Appendf(nil, "round %d worker %d entry %d", round, w, i)
					r, err := l.Append(context.Background(), func(_ tx, b *Batch) error {
						if i%7 == 3 {
							_, _ = b.Append([]byte("never to be seen"))
							return errOwn
						}
						_, err := b.Append(body)
						return err
					})
					if i%7 == 3 {
						if err != errOwn {
							t.Errorf("failing build: %v", err)
						}
						continue
					}
					if err != nil || r.Count != 1 || r.Head.Size <= r.First {
						t.Errorf("append: %+v, %v", r, err)
					}
					mu.Lock()
					if acked[r.First] != nil {
						t.Errorf("index %d was given twice", r.First)
					}
					acked[r.First] = body
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		check1(t, l, uint64(len(acked))+1)
		s.close()
		s = newSite(t, dir)
		l = s.open(t)
		check1(t, l, uint64(len(acked))+1)
		for i, want := range acked {
			if got, err := l.Read(t.Context(), i, 0); err != nil || !bytes.Equal(got[0], want) {
				t.Fatalf("entry %d after a restart: %q, %v", i, got, err)
			}
		}
	}
	if s.signer.count() != 0 {
		t.Error("opening signed something")
	}
}

// TestGroup puts builds that succeed, fail and append nothing into one group: one signature, and a failing
// build loses only itself.
func TestGroup(t *testing.T) {
	s := newSite(t, t.TempDir())
	s.cfg.Now = func() time.Time { return time.Time{} } // however slow this machine is
	l := s.create(t)
	start(t, l)
	before := s.signer.count()
	release := held(t, l)
	put := func(tx tx, key string) error { return tx.PutMeta(key, []byte("x")) }
	builds := []Build[tx]{
		entries(2),
		func(tx tx, b *Batch) error {
			return errors.Join(put(tx, "failed"), entries(3)(tx, b), errOwn)
		},
		func(tx tx, b *Batch) error { return errors.Join(put(tx, "none"), entries(0)(tx, b)) },
		func(tx tx, b *Batch) error { return errors.Join(put(tx, "kept"), entries(1)(tx, b)) },
		func(tx tx, b *Batch) error { return entries(maxBuildEntries+1)(tx, b) },
		entries(1),
	}
	receipts, errs := make([]Receipt, len(builds)), make([]error, len(builds))
	var wg sync.WaitGroup
	for i, build := range builds {
		wg.Go(func() { receipts[i], errs[i] = l.Append(context.Background(), build) })
		waitFor(t, func() bool { return len(l.queue) == i+1 })
	}
	release()
	wg.Wait()
	for i, want := range []Receipt{{First: 1, Count: 2}, {}, {First: 3, Count: 0}, {First: 3, Count: 1}, {}, {First: 4, Count: 1}} {
		failed := i == 1 || i == 4
		if failed {
			if errs[i] == nil || i == 1 && !errors.Is(errs[i], errOwn) || receipts[i].Log != "" {
				t.Errorf("build %d: %+v, %v", i, receipts[i], errs[i])
			}
			continue
		}
		if r := receipts[i]; errs[i] != nil || r.First != want.First || r.Count != want.Count || r.Head.Size != 5 {
			t.Errorf("build %d: %+v, %v", i, r, errs[i])
		}
	}
	if n := s.signer.count() - before; n != 1 {
		t.Errorf("%d signatures for one group", n)
	}
	check1(t, l, 5)
	if err := s.store.View(t.Context(), func(tx tx) error {
		for key, want := range map[string]bool{"failed": false, "none": true, "kept": true} {
			if got, err := tx.Meta(key); err != nil || (got != nil) != want {
				t.Errorf("%s: %q, %v", key, got, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func waitFor(t testing.TB, cond func() bool) {
	t.Helper()
	for !cond() {
		runtime.Gosched()
		if t.Context().Err() != nil {
			t.Fatal("the test ended while waiting")
		}
	}
}

func TestBatchLimits(t *testing.T) {
	_, l := running(t)
	var kept *Batch
	for name, build := range map[string]Build[tx]{
		"entry too long":  func(_ tx, b *Batch) error { _, err := b.Append(make([]byte, merkle.MaxEntry+1)); return err },
		"too many":        entries(maxBuildEntries + 1),
		"too many bytes":  func(_ tx, b *Batch) error { return appendBig(b, maxBuildBytes/merkle.MaxEntry+1) },
		"after the build": func(_ tx, b *Batch) error { kept = b; return errOwn },
	} {
		if r, err := l.Append(t.Context(), build); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if _, err := kept.Append([]byte("late")); err == nil {
		t.Error("appended after the build had returned")
	}
	check1(t, l, 1)
	r := mustAppend(t, l, func(_ tx, b *Batch) error {
		if b.Log() != l.ID() || b.Next() != 1 {
			t.Errorf("batch of %s at %d", b.Log(), b.Next())
		}
		return appendBig(b, 3)
	})
	mustAppend(t, l, func(_ tx, b *Batch) error { _, err := b.Append(nil); return err })
	mustAppend(t, l, entries(maxBuildEntries))
	check1(t, l, 5+maxBuildEntries)
	if got, err := l.Read(t.Context(), r.First, 10); err != nil || len(got) != 1 || len(got[0]) != merkle.MaxEntry {
		t.Errorf("the largest entry: %d, %v", len(got), err)
	}
}

func appendBig(b *Batch, n int) error {
	for range n {
		if _, err := b.Append(make([]byte, merkle.MaxEntry)); err != nil {
			return err
		}
	}
	return nil
}

// TestGivingUp: a caller whose context ends before its build has begun gets nothing appended; afterwards it
// waits for the outcome.
func TestGivingUp(t *testing.T) {
	_, l := running(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	never := func(tx, *Batch) error { t.Error("ran although its caller gave up"); return nil }
	if _, err := l.Append(ended, never); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	release := held(t, l)
	waiting, cancelWaiting := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := l.Append(waiting, never)
		done <- err
	}()
	waitFor(t, func() bool { return len(l.queue) == 1 })
	cancelWaiting()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("while queued: %v", err)
	}
	release()
	building, cancelBuilding := context.WithCancel(t.Context())
	if r, err := l.Append(building, func(tx tx, b *Batch) error { cancelBuilding(); return entries(1)(tx, b) }); err != nil || r.Count != 1 {
		t.Errorf("while building: %+v, %v", r, err)
	}
	check1(t, l, 2)
}

// TestStop: what was queued is done, what comes later is refused, waiters wake up.
func TestStop(t *testing.T) {
	s := newSite(t, t.TempDir())
	l := s.create(t)
	stop := start(t, l)
	release := held(t, l)
	queued := make(chan error)
	go func() {
		_, err := l.Append(context.Background(), entries(1))
		queued <- err
	}()
	waitFor(t, func() bool { return len(l.queue) == 1 })
	waiter := make(chan error)
	go func() {
		_, err := l.Wait(context.Background(), 100)
		waiter <- err
	}()
	stopped := make(chan error)
	go func() { stopped <- stop() }()
	release()
	if err := errors.Join(<-queued, <-stopped); err != nil {
		t.Error(err)
	}
	if err := <-waiter; !errors.Is(err, ErrStopped) {
		t.Errorf("waiter: %v", err)
	}
	if _, err := l.Append(t.Context(), entries(1)); !errors.Is(err, ErrStopped) {
		t.Errorf("append after the end: %v", err)
	}
	if err := l.Run(t.Context()); err == nil {
		t.Error("it ran twice")
	}
	check1(t, l, 2)
}

func TestWait(t *testing.T) {
	_, l := running(t)
	if h, err := l.Wait(t.Context(), 0); err != nil || h.Size != 1 {
		t.Errorf("already there: %+v, %v", h, err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := l.Wait(short, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing came: %v", err)
	}
	// Followers of every speed see every entry once, in order, under a head that covers it.
	const total = 500
	var wg sync.WaitGroup
	for f := range 8 {
		wg.Go(func() {
			for next := uint64(0); next < total; {
				h, err := l.Wait(context.Background(), next)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := l.Read(context.Background(), next, 1+f*100)
				if err != nil || len(got) == 0 {
					t.Errorf("follower %d at %d of %d: %d entries, %v", f, next, h.Size, len(got), err)
					return
				}
				for _, e := range got {
					if !bytes.Equal(e, entryAt(next)) {
						t.Errorf("follower %d: entry %d is another", f, next)
					}
					next++
				}
			}
		})
	}
	for l.Head().Size < total {
		mustAppend(t, l, entries(7))
	}
	wg.Wait()
}

func TestTail(t *testing.T) {
	_, l := running(t)
	big := func(_ tx, b *Batch) error { return appendBig(b, 20) }
	for range 6 {
		mustAppend(t, l, big)
	}
	if l.tail.bytes > tailBytes || l.tail.first == 0 || l.tail.first+uint64(len(l.tail.entries)) != l.Head().Size {
		t.Fatalf("the tail holds %d bytes from entry %d on", l.tail.bytes, l.tail.first)
	}
	for _, from := range []uint64{0, l.tail.first - 1, l.tail.first, l.Head().Size - 1} {
		for _, n := range []int{0, 1, 3} {
			got, err := l.Read(t.Context(), from, n*merkle.MaxEntry)
			if want := min(max(n, 1), int(l.Head().Size-from)); err != nil || len(got) < want {
				t.Errorf("from %d, %d: %d entries, %v", from, n, len(got), err)
			}
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	s := newSite(t, t.TempDir())
	for name, build := range map[string]Build[tx]{"nothing": entries(0), "failing": func(tx, *Batch) error { return errOwn }} {
		if _, _, err := Create(t.Context(), s.cfg, build); err == nil {
			t.Errorf("%s: created", name)
		}
	}
	if _, err := Open(t.Context(), s.cfg); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening what was never created: %v", err)
	}
	s.create(t)
	if _, _, err := Create(t.Context(), s.cfg, entries(1)); !errors.Is(err, ErrExists) {
		t.Errorf("creating twice: %v", err)
	}
	for name, change := range map[string]func(*Config[tx]){
		"no signer": func(c *Config[tx]) { c.Signer = nil }, "no guard": func(c *Config[tx]) { c.Guard = nil }, "no machine": func(c *Config[tx]) { c.Machine = "" },
		"other log": func(c *Config[tx]) { c.Log = "alpha/other" }, "no store": func(c *Config[tx]) { c.Update = nil },
		"other key": func(c *Config[tx]) { c.Verifier = otherVerifier(t, c.Log) },
	} {
		cfg := s.cfg
		change(&cfg)
		if _, err := Open(t.Context(), cfg); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}
