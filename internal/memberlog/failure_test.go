package memberlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"testing"

	"shieldwall/internal/memberlog/guard"
	"shieldwall/internal/merkle"
)

// flaky is a store that fails on demand.
type flaky struct {
	s *site
	// refuse fails without running the unit; before fails the transaction; after reports an error although it
	// was committed; view fails reading.
	refuse, before, after, view atomic.Pointer[error]
	hits                        atomic.Int32
}

func (f *flaky) hit(p *atomic.Pointer[error]) error {
	if err := p.Load(); err != nil {
		f.hits.Add(1)
		return *err
	}
	return nil
}

func (f *flaky) install() {
	f.s.cfg.Update = func(ctx context.Context, fn func(tx) error) error {
		if err := f.hit(&f.refuse); err != nil {
			return err
		}
		err := f.s.store.UpdateDurable(ctx, func(tx tx) error { return errors.Join(fn(tx), f.hit(&f.before)) })
		return errors.Join(err, f.hit(&f.after))
	}
	f.s.cfg.View = func(ctx context.Context, fn func(tx) error) error {
		if err := f.hit(&f.view); err != nil {
			return err
		}
		return f.s.store.View(ctx, fn)
	}
}

// TestCommitFails lets commits fail: nothing is acknowledged or shown, the log is as before, and it goes
// on when the store does.
func TestCommitFails(t *testing.T) {
	s := newSite(t, t.TempDir())
	f := &flaky{s: s}
	f.install()
	l := s.create(t)
	start(t, l)
	size := uint64(1)
	for round := range 3 {
		head := l.Head()
		for _, failing := range []*atomic.Pointer[error]{&f.before, &f.refuse, &f.before} {
			failing.Store(&errOwn)
			if r, err := l.Append(t.Context(), entries(5)); !errors.Is(err, errOwn) || r.Log != "" {
				t.Fatalf("round %d: %+v, %v", round, r, err)
			}
			failing.Store(nil)
		}
		if got := l.Head(); got.Size != head.Size || string(got.Checkpoint) != string(head.Checkpoint) {
			t.Fatalf("the head moved from %d to %d", head.Size, got.Size)
		}
		check1(t, l, size)
		if r := mustAppend(t, l, entries(4)); r.First != size {
			t.Fatalf("round %d: first entry %d, want %d", round, r.First, size)
		}
		size += 4
		check1(t, l, size)
	}
	if f.hits.Load() != 9 {
		t.Errorf("%d commits failed, want 9", f.hits.Load())
	}
}

// TestCommitReportsFailure: the store says that a commit failed, but it is there. To sign that size again
// would be a second head.
func TestCommitReportsFailure(t *testing.T) {
	s := newSite(t, t.TempDir())
	f := &flaky{s: s}
	f.install()
	l := s.create(t)
	start(t, l)
	f.after.Store(&errOwn)
	r := mustAppend(t, l, entries(3))
	f.after.Store(nil)
	if r.First != 1 || r.Count != 3 || f.hits.Load() != 1 {
		t.Errorf("%+v after %d failures", r, f.hits.Load())
	}
	check1(t, l, 4)
	if r := mustAppend(t, l, entries(1)); r.First != 4 {
		t.Errorf("the next entry is %d", r.First)
	}
	check1(t, l, 5)
}

// TestOutcomeUnknown: neither committing nor reading works. The log stops and says so; opened again, it
// goes on from what the store has.
func TestOutcomeUnknown(t *testing.T) {
	for _, committed := range []bool{false, true} {
		t.Run(fmt.Sprint("committed=", committed), func(t *testing.T) {
			dir := t.TempDir()
			s := newSite(t, dir)
			f := &flaky{s: s}
			f.install()
			l := s.create(t)
			stop := start(t, l)
			if committed {
				f.after.Store(&errOwn)
			} else {
				f.before.Store(&errOwn)
			}
			unreadable := errors.New("unreadable")
			f.view.Store(&unreadable)
			signed := s.signer.count()
			if r, err := l.Append(t.Context(), entries(3)); !errors.Is(err, unreadable) {
				t.Errorf("%+v, %v", r, err)
			}
			if err := stop(); !errors.Is(err, unreadable) {
				t.Errorf("the sequencer ended with %v", err)
			}
			if _, err := l.Append(t.Context(), entries(3)); !errors.Is(err, ErrStopped) || !errors.Is(err, unreadable) {
				t.Errorf("afterwards: %v", err)
			}
			if s.signer.count() != signed+1 {
				t.Error("something was signed afterwards")
			}
			s.close()
			s = newSite(t, dir)
			l = s.open(t)
			start(t, l)
			want := uint64(1)
			if committed {
				want = 4
			}
			check1(t, l, want)
			mustAppend(t, l, entries(2))
			check1(t, l, want+2)
		})
	}
}

// TestStoreChanged: another process wrote to the log behind the sequencer's back.
func TestStoreChanged(t *testing.T) {
	s := newSite(t, t.TempDir())
	l := s.create(t)
	stop := start(t, l)
	mustAppend(t, l, entries(3))
	other := s.open(t) // a second sequencer over the same store
	start(t, other)
	mustAppend(t, other, entries(2))
	var doubt *Doubt
	if _, err := l.Append(t.Context(), entries(1)); !errors.As(err, &doubt) || doubt.Reason != ReasonChanged {
		t.Errorf("append: %v", err)
	}
	if err := stop(); !errors.As(err, &doubt) {
		t.Errorf("the sequencer ended with %v", err)
	}
	if n := s.signer.count(); n != 3 {
		t.Errorf("%d signatures, want those of creating and of two appends", n)
	}
	if l.Head().Size != 4 {
		t.Errorf("the head moved to %d", l.Head().Size)
	}
}

// watchedGuard fails on demand and looks at what is shown while it is being written.
type watchedGuard struct {
	Guard
	fail   atomic.Pointer[error]
	during atomic.Pointer[func(guard.Mark)]
}

func (g *watchedGuard) Store(m guard.Mark) error {
	if during := g.during.Load(); during != nil {
		(*during)(m)
	}
	if err := g.fail.Load(); err != nil {
		return *err
	}
	return g.Guard.Store(m)
}

// TestGuardFails: entries that the guard does not cover are neither acknowledged nor shown, and nothing more
// is committed; once it can be written again they are there.
func TestGuardFails(t *testing.T) {
	s := newSite(t, t.TempDir())
	g := &watchedGuard{Guard: s.guard}
	s.cfg.Guard = g
	l := s.create(t)
	start(t, l)
	mustAppend(t, l, entries(2))
	g.fail.Store(&errOwn)
	if r, err := l.Append(t.Context(), entries(3)); !errors.Is(err, ErrUnconfirmed) || !errors.Is(err, errOwn) || r.Log != "" {
		t.Errorf("%+v, %v", r, err)
	}
	for range 3 {
		if _, err := l.Append(t.Context(), func(tx, *Batch) error { t.Error("built on unconfirmed entries"); return nil }); !errors.Is(err, errOwn) || errors.Is(err, ErrUnconfirmed) {
			t.Errorf("while the guard fails: %v", err)
		}
	}
	if l.Head().Size != 3 {
		t.Errorf("%d entries are shown", l.Head().Size)
	}
	g.fail.Store(nil)
	if r := mustAppend(t, l, entries(1)); r.First != 6 || r.Head.Size != 7 {
		t.Errorf("afterwards: %+v", r)
	}
	check1(t, l, 7)
	for i := range uint64(7) {
		if got, err := l.Read(t.Context(), i, 0); err != nil || string(got[0]) != string(entryAt(i)) {
			t.Errorf("entry %d: %q, %v", i, got, err)
		}
	}
}

// TestNothingShownBeforeTheGuard reads by every way while the guard is being written.
func TestNothingShownBeforeTheGuard(t *testing.T) {
	s := newSite(t, t.TempDir())
	g := &watchedGuard{Guard: s.guard}
	s.cfg.Guard = g
	l := s.create(t)
	start(t, l)
	mustAppend(t, l, entries(9))
	reader := &Reader[tx]{View: s.store.View, Own: func(log string) (Head, bool) { return l.Head(), log == l.ID() }}
	looked := 0
	look := func(m guard.Mark) {
		looked++
		var stored uint64
		if err := s.store.View(context.Background(), func(tx tx) (err error) { stored, _, err = tx.LogHead(l.ID()); return err }); err != nil || stored != m.Size {
			t.Errorf("the guard of %d entries is written while the store has %d, %v", m.Size, stored, err)
		}
		if h, _ := l.Changed(); h.Size != m.Size-5 {
			t.Errorf("head %d is shown before its guard", h.Size)
		}
		if got, err := l.Read(context.Background(), m.Size-5, 1<<20); err != nil || len(got) != 0 {
			t.Errorf("%d entries are shown before their guard, %v", len(got), err)
		}
		if got, err := reader.Read(context.Background(), l.ID(), m.Size-6, 1<<20); err != nil || len(got) != 1 {
			t.Errorf("%d entries are served before their guard, %v", len(got), err)
		}
		width := int(m.Size) // one tile holds them all
		for _, path := range []string{merkle.Tile{Width: width}.Path(), merkle.BundlePath(0, width), merkle.Tile{Width: width - 4}.Path()} {
			if _, _, err := reader.Resource(context.Background(), l.ID(), path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is served before the guard: %v", path, err)
			}
		}
		msg, _, err := reader.Resource(context.Background(), l.ID(), "checkpoint")
		if cp, perr := merkle.PeekCheckpoint(msg); err != nil || perr != nil || cp.Size != m.Size-5 {
			t.Errorf("checkpoint of %d is served before its guard: %v", cp.Size, errors.Join(err, perr))
		}
	}
	g.during.Store(&look)
	for range 3 {
		mustAppend(t, l, entries(5))
	}
	if looked != 3 {
		t.Errorf("looked %d times", looked)
	}
}
