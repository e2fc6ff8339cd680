package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var errOwn = errors.New("the unit's own error")

func (s *suite[T]) units(t *testing.T) {
	st := s.fresh(t)
	for name, update := range map[string]func(context.Context, func(T) error) error{"plain": st.Update, "durable": st.UpdateDurable} {
		if err := update(t.Context(), func(tx T) error { return tx.PutMeta(name, []byte("kept")) }); err != nil {
			t.Fatal(err)
		}
		err := update(t.Context(), func(tx T) error {
			if err := tx.PutMeta(name, []byte("undone")); err != nil {
				return err
			}
			if got, _ := tx.Meta(name); string(got) != "undone" {
				t.Errorf("%s: a unit does not read its own write: %q", name, got)
			}
			return errOwn
		})
		if err != errOwn {
			t.Errorf("%s: error %v, want the unit's own", name, err)
		}
		view(t, st, func(tx T) error {
			if got, err := tx.Meta(name); err != nil || string(got) != "kept" {
				t.Errorf("%s: after a failed unit: %q, %v", name, got, err)
			}
			return nil
		})
	}
}

func (s *suite[T]) savepoints(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		put := func(key string) error { return tx.PutMeta(key, []byte(key)) }
		if err := put("outer"); err != nil {
			return err
		}
		err := tx.Savepoint(func() error {
			if err := put("undone"); err != nil {
				return err
			}
			// A log named for the first time inside goes too, whatever is remembered about it.
			if err := tx.PutEntries("log", 0, [][]byte{{1}}); err != nil {
				return err
			}
			if err := tx.Savepoint(func() error { return put("undone with its parent") }); err != nil {
				return err
			}
			return errOwn
		})
		if err != errOwn {
			t.Errorf("failing savepoint: %v", err)
		}
		if err := tx.Savepoint(func() error { return put("kept") }); err != nil {
			return err
		}
		return tx.PutEntries("other log", 0, [][]byte{{2}})
	})
	view(t, st, func(tx T) error {
		for key, want := range map[string]bool{"outer": true, "undone": false, "undone with its parent": false, "kept": true} {
			if got, err := tx.Meta(key); err != nil || (got != nil) != want {
				t.Errorf("%s: %q, %v", key, got, err)
			}
		}
		if e, err := tx.Entry("other log", 0); err != nil || len(e) != 1 || e[0] != 2 {
			t.Errorf("entry of the log that stayed: %v, %v", e, err)
		}
		if _, err := tx.Entry("log", 0); err == nil {
			t.Error("the undone log has its entry")
		}
		return nil
	})
}

func (s *suite[T]) views(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error { return tx.PutMeta("k", []byte("before")) })
	view(t, st, func(tx T) error {
		if got, _ := tx.Meta("k"); string(got) != "before" {
			t.Errorf("read %q", got)
		}
		update(t, st, func(tx T) error { return tx.PutMeta("k", []byte("after")) })
		if got, err := tx.Meta("k"); err != nil || string(got) != "before" {
			t.Errorf("the snapshot changed to %q, %v", got, err)
		}
		return nil
	})
	if err := st.View(t.Context(), func(tx T) error { return tx.PutMeta("k", []byte("written in a view")) }); err == nil {
		t.Error("a view could write")
	}
	if err := st.View(t.Context(), func(T) error { return errOwn }); err != errOwn {
		t.Errorf("error %v, want the view's own", err)
	}
	view(t, st, func(tx T) error {
		if got, err := tx.Meta("k"); err != nil || string(got) != "after" {
			t.Errorf("read %q, %v", got, err)
		}
		return nil
	})
}

func (s *suite[T]) cancel(t *testing.T) {
	st := s.fresh(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ran := func(T) error { t.Error("ran although its context had ended"); return nil }
	for name, f := range map[string]func(context.Context, func(T) error) error{"update": st.Update, "durable": st.UpdateDurable, "view": st.View} {
		if err := f(ctx, ran); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A unit that waits behind another one gives up; one that has begun is waited for.
	began, finish := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	fctx, fcancel := context.WithCancel(t.Context())
	go func() {
		first <- st.Update(fctx, func(tx T) error {
			close(began)
			<-finish
			return tx.PutMeta("first", []byte("committed"))
		})
	}()
	<-began
	fcancel()
	wctx, wcancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer wcancel()
	if err := st.Update(wctx, ran); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting unit: %v", err)
	}
	close(finish)
	if err := <-first; err != nil {
		t.Errorf("unit whose context ended while it ran: %v", err)
	}
	view(t, st, func(tx T) error {
		if got, _ := tx.Meta("first"); string(got) != "committed" {
			t.Error("the unit that had begun is not there")
		}
		return nil
	})
}

func (s *suite[T]) closing(t *testing.T) {
	dir := t.TempDir()
	st := s.open(t, dir)
	began, finish := make(chan struct{}), make(chan struct{})
	results := make(chan error, 2)
	go func() {
		results <- st.Update(t.Context(), func(tx T) error { close(began); <-finish; return tx.PutMeta("a", []byte("1")) })
	}()
	<-began
	queuedUp := make(chan struct{})
	go func() {
		close(queuedUp)
		err := st.Update(t.Context(), func(tx T) error { return tx.PutMeta("b", []byte("2")) })
		if err != nil && !isClosed(st, err) {
			t.Errorf("queued unit: %v", err)
		}
		results <- nil
	}()
	<-queuedUp
	closed := make(chan error)
	go func() { closed <- st.Close() }()
	close(finish)
	if err := errors.Join(<-results, <-results, <-closed); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	for name, f := range map[string]func(context.Context, func(T) error) error{"update": st.Update, "view": st.View} {
		if err := f(t.Context(), func(T) error { return nil }); err == nil {
			t.Errorf("%s after closing: no error", name)
		}
	}
	st = s.open(t, dir)
	defer st.Close()
	view(t, st, func(tx T) error {
		if got, _ := tx.Meta("a"); string(got) != "1" {
			t.Error("the unit that ran while closing is lost")
		}
		return nil
	})
	if err := s.open(t, t.TempDir()).Close(); err != nil {
		t.Errorf("closing a store that never wrote: %v", err)
	}
}

// isClosed reports whether err is what a closed store says.
func isClosed[T Tx](st Store[T], err error) bool {
	return err.Error() == st.Update(context.Background(), func(T) error { return nil }).Error()
}

// concurrent lets many writers, failing ones among them, and readers work at a time: every committed unit
// counts once, no failed one does, and readers see totals that agree.
func (s *suite[T]) concurrent(t *testing.T) {
	st := s.fresh(t)
	add := func(tx T, key string) error {
		b, err := tx.Meta(key)
		if err != nil {
			return err
		}
		n := uint64(0)
		if b != nil {
			n = binary.BigEndian.Uint64(b)
		}
		return tx.PutMeta(key, binary.BigEndian.AppendUint64(nil, n+1))
	}
	const workers, each = 8, 40
	var committed, failed atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			f := st.Update
			if w%2 == 0 {
				f = st.UpdateDurable
			}
			for i := range each {
				err := f(t.Context(), func(tx T) error {
					if err := errors.Join(add(tx, "left"), add(tx, "right")); err != nil {
						return err
					}
					if i%5 == 0 {
						return errOwn
					}
					return nil
				})
				switch err {
				case nil:
					committed.Add(1)
				case errOwn:
					failed.Add(1)
				default:
					t.Errorf("unit: %v", err)
				}
			}
		})
		wg.Go(func() {
			for range each {
				view(t, st, func(tx T) error {
					l, err := tx.Meta("left")
					r, rerr := tx.Meta("right")
					if err != nil || rerr != nil || string(l) != string(r) {
						t.Errorf("a view saw half a unit: %x, %x, %v", l, r, err)
					}
					return nil
				})
			}
		})
	}
	wg.Wait()
	if failed.Load() != workers*each/5 {
		t.Errorf("%d units failed", failed.Load())
	}
	view(t, st, func(tx T) error {
		b, err := tx.Meta("left")
		if err != nil || int64(binary.BigEndian.Uint64(b)) != committed.Load() {
			t.Errorf("counted %x, committed %d, %v", b, committed.Load(), err)
		}
		return nil
	})
}

func (s *suite[T]) reopen(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		st := s.open(t, dir)
		view(t, st, func(tx T) error {
			if got, err := tx.Meta("k"); err != nil || (got != nil) != (i > 0) {
				t.Errorf("open %d: %q, %v", i, got, err)
			}
			return nil
		})
		update(t, st, func(tx T) error { return tx.PutMeta("k", []byte("v")) })
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// callbacks write to what they are being shown, and read it again inside.
func (s *suite[T]) callbacks(t *testing.T) {
	st := s.fresh(t)
	const n = 1000
	update(t, st, func(tx T) error {
		for i := range uint64(n) {
			if err := tx.PutPending("log", i, []byte{1}); err != nil {
				return err
			}
		}
		return nil
	})
	update(t, st, func(tx T) error {
		seen := uint64(0)
		err := tx.EachPending("log", func(index uint64, _ []byte) error {
			if index != seen {
				return fmt.Errorf("index %d, want %d", index, seen)
			}
			seen++
			if index == 10 {
				inner := 0
				if err := tx.EachPending("log", func(uint64, []byte) error { inner++; return nil }); err != nil || inner != n-10 {
					t.Errorf("inside: %d, %v", inner, err)
				}
			}
			return tx.DropPending("log", index)
		})
		if seen != n {
			t.Errorf("%d of %d", seen, n)
		}
		return err
	})
	update(t, st, func(tx T) error {
		if err := tx.EachPending("log", func(uint64, []byte) error { return errOwn }); err != nil {
			t.Errorf("something is left: %v", err)
		}
		if err := tx.PutPending("log", 5, []byte{1}); err != nil {
			return err
		}
		if err := tx.EachPending("log", func(uint64, []byte) error { return errOwn }); err != errOwn {
			t.Errorf("the callback's error came as %v", err)
		}
		return nil
	})
}

// over uses a transaction after its function returned.
func (s *suite[T]) over(t *testing.T) {
	st := s.fresh(t)
	var kept []T
	update(t, st, func(tx T) error { kept = append(kept, tx); return nil })
	view(t, st, func(tx T) error { kept = append(kept, tx); return nil })
	for i, tx := range kept {
		_, err := tx.Meta("k")
		_, herr := tx.Entry("log", 0)
		if err == nil || herr == nil || tx.PutMeta("k", nil) == nil || tx.PutEntries("log", 0, [][]byte{{1}}) == nil ||
			tx.Savepoint(func() error { return nil }) == nil || tx.EachCard(nil) == nil || tx.PutToken(nil, "", "", "", now) == nil {
			t.Errorf("transaction %d still works", i)
		}
	}
}
