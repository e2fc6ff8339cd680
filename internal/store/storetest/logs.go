package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"testing"
	"time"
)

func (s *suite[T]) meta(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		for _, value := range []string{"one", "", "two\x00three"} {
			if err := tx.PutMeta("k", []byte(value)); err != nil {
				return err
			}
			if got, err := tx.Meta("k"); err != nil || got == nil || string(got) != value {
				t.Errorf("put %q, got %q, %v", value, got, err)
			}
		}
		if got, err := tx.Meta("absent"); err != nil || got != nil {
			t.Errorf("absent: %q, %v", got, err)
		}
		return nil
	})
}

func (s *suite[T]) heads(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		if size, cp, err := tx.LogHead("alpha/1"); size != 0 || cp != nil || err != nil {
			t.Errorf("unknown log: %d, %q, %v", size, cp, err)
		}
		// A log is known by its entries before it has a head, but not listed.
		if err := tx.PutEntries("bravo/1", 0, [][]byte{{1}}); err != nil {
			return err
		}
		for _, size := range []uint64{1, 2, 1 << 39} {
			if err := tx.PutLogHead("alpha/1", "alpha", size, fmt.Appendf(nil, "checkpoint %d", size)); err != nil {
				return err
			}
		}
		if size, cp, err := tx.LogHead("alpha/1"); size != 1<<39 || string(cp) != "checkpoint 549755813888" || err != nil {
			t.Errorf("head: %d, %q, %v", size, cp, err)
		}
		var got []string
		err := tx.EachLog(func(log, member string, size uint64, cp []byte) error {
			got = append(got, fmt.Sprint(log, member, size, string(cp)))
			return nil
		})
		if err != nil || len(got) != 1 || got[0] != fmt.Sprint("alpha/1", "alpha", uint64(1<<39), "checkpoint 549755813888") {
			t.Errorf("listed %q, %v", got, err)
		}
		for i := range 300 {
			if err := tx.PutLogHead(fmt.Sprintf("m%d/1", i), fmt.Sprintf("m%d", i), 1, []byte("c")); err != nil {
				return err
			}
		}
		n := 0
		if err := tx.EachLog(func(log, member string, size uint64, cp []byte) error { n++; return nil }); err != nil || n != 301 {
			t.Errorf("%d logs listed, %v", n, err)
		}
		if err := tx.PutLogHead("", "alpha", 1, nil); err == nil {
			t.Error("a log without an id was taken")
		}
		return nil
	})
}

func (s *suite[T]) entries(t *testing.T) {
	st := s.fresh(t)
	want := func(i uint64) []byte { return bytes.Repeat([]byte{byte(i)}, int(i%7)*100) }
	update(t, st, func(tx T) error {
		var batch [][]byte
		for i := range uint64(1000) {
			batch = append(batch, want(i))
		}
		return errors.Join(tx.PutEntries("a/1", 0, batch[:10]), tx.PutEntries("b/1", 0, batch[:5]), tx.PutEntries("a/1", 10, batch[10:]),
			tx.PutEntries("c/1", 7, [][]byte{make([]byte, 65535)}))
	})
	view(t, st, func(tx T) error {
		for _, i := range []uint64{0, 1, 9, 10, 999} {
			if got, err := tx.Entry("a/1", i); err != nil || got == nil || !bytes.Equal(got, want(i)) {
				t.Errorf("entry %d: %d bytes, %v", i, len(got), err)
			}
		}
		for name, f := range map[string]func() error{
			"past the end":      func() error { _, err := tx.Entry("a/1", 1000); return err },
			"unknown log":       func() error { _, err := tx.Entry("x/1", 0); return err },
			"far index":         func() error { _, err := tx.Entry("a/1", math.MaxUint64); return err },
			"run past the end":  func() error { _, err := tx.Entries("a/1", 1000, 2000, 1000); return err },
			"run of an unknown": func() error { _, err := tx.Entries("x/1", 0, 10, 1000); return err },
			"empty run":         func() error { _, err := tx.Entries("a/1", 5, 5, 1000); return err },
			"run before":        func() error { _, err := tx.Entries("c/1", 0, 10, 1000); return err },
		} {
			if err := f(); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, tc := range []struct {
			from, to uint64
			maxBytes int
			n        int
		}{
			{0, 1000, 1 << 20, 1000}, {0, 3, 1 << 20, 3}, {998, 5000, 1 << 20, 2}, {1, 1000, 0, 1}, {1, 1000, 299, 1}, {1, 1000, 300, 2}, {1, 1000, 301, 2},
			{6, 7, 1, 1}, {0, math.MaxUint64, 1 << 20, 1000},
		} {
			got, err := tx.Entries("a/1", tc.from, tc.to, tc.maxBytes)
			if err != nil || len(got) != tc.n {
				t.Errorf("%+v: %d entries, %v", tc, len(got), err)
			}
			for i := range got {
				if !bytes.Equal(got[i], want(tc.from+uint64(i))) {
					t.Errorf("%+v: entry %d is another", tc, i)
				}
			}
		}
		if got, err := tx.Entries("b/1", 0, 100, 1<<20); err != nil || len(got) != 5 {
			t.Errorf("the run of one log goes on into the next: %d, %v", len(got), err)
		}
		return nil
	})
	for name, fn := range map[string]func(T) error{
		"overwrite": func(tx T) error { return tx.PutEntries("a/1", 999, [][]byte{{1}}) },
		"too far":   func(tx T) error { return tx.PutEntries("a/1", 1<<40, [][]byte{{1}}) },
	} {
		if err := st.Update(t.Context(), fn); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func (s *suite[T]) tiles(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		if got, err := tx.Tile("a/1", 0, 0); got != nil || err != nil {
			t.Errorf("unknown log: %d bytes, %v", len(got), err)
		}
		for w := 1; w <= 256; w++ {
			if err := tx.PutTile("a/1", 0, 0, bytes.Repeat([]byte{byte(w)}, w*32)); err != nil {
				return err
			}
		}
		return errors.Join(tx.PutTile("a/1", 1, 0, make([]byte, 32)), tx.PutTile("a/1", 0, 1<<30, make([]byte, 64)), tx.PutTile("b/1", 0, 0, make([]byte, 96)))
	})
	view(t, st, func(tx T) error {
		for _, tc := range []struct {
			log   string
			level int
			n     uint64
			want  int
		}{{"a/1", 0, 0, 8192}, {"a/1", 1, 0, 32}, {"a/1", 0, 1 << 30, 64}, {"b/1", 0, 0, 96}, {"a/1", 0, 1, 0}, {"a/1", 2, 0, 0}, {"b/1", 1, 0, 0}} {
			if got, err := tx.Tile(tc.log, tc.level, tc.n); err != nil || len(got) != tc.want || (got == nil) != (tc.want == 0) {
				t.Errorf("%+v: %d bytes, %v", tc, len(got), err)
			}
		}
		return nil
	})
}

func (s *suite[T]) epochs(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		if k, err := tx.EpochKey("a/1", 1); k != nil || err != nil {
			t.Errorf("unknown key: %q, %v", k, err)
		}
		if i, e, err := tx.EpochEntry("a/1", 1); i != 0 || e != nil || err != nil {
			t.Errorf("unknown epoch entry: %d, %q, %v", i, e, err)
		}
		if err := errors.Join(
			tx.PutEpochKey("a/1", 1, "alliance", []byte("old")), tx.PutEpochKey("a/1", 1, "alliance", []byte("key 1")), tx.PutEpochKey("a/1", 2, "group:states", []byte("key 2")),
			tx.PutEpochEntry("a/1", 1, 5, []byte("first")), tx.PutEpochEntry("a/1", 1, 9, []byte("second opening")), tx.PutEpochEntry("b/1", 1, 3, []byte("other log")),
		); err != nil {
			return err
		}
		for epoch, want := range map[uint64]string{1: "key 1", 2: "key 2", 3: ""} {
			if k, err := tx.EpochKey("a/1", epoch); string(k) != want || err != nil {
				t.Errorf("key of epoch %d: %q, %v", epoch, k, err)
			}
		}
		if i, e, err := tx.EpochEntry("a/1", 1); i != 5 || string(e) != "first" || err != nil {
			t.Errorf("epoch entry: %d, %q, %v", i, e, err)
		}
		return nil
	})
}

func (s *suite[T]) ownEpochs(t *testing.T) {
	st := s.fresh(t)
	opened := now.Add(-time.Hour)
	update(t, st, func(tx T) error {
		if e, v, at, k, err := tx.OwnEpoch("alliance"); e != 0 || v != 0 || !at.IsZero() || k != nil || err != nil {
			t.Errorf("none yet: %d, %d, %v, %q, %v", e, v, at, k, err)
		}
		if e, err := tx.LastOwnEpoch("me/1"); e != 0 || err != nil {
			t.Errorf("last of none: %d, %v", e, err)
		}
		return errors.Join(
			tx.PutOwnEpoch("me/1", "alliance", 1, 7, []string{"alpha", "bravo"}, opened, []byte("k1")),
			tx.PutOwnEpoch("me/1", "group:states", 2, 7, nil, opened, []byte("k2")),
			tx.PutOwnEpoch("me/1", "alliance", 3, 8, []string{"alpha"}, opened.Add(-time.Minute), []byte("k3")), // the clock stepped back
		)
	})
	if err := st.Update(t.Context(), func(tx T) error { return tx.PutOwnEpoch("me/1", "alliance", 3, 9, nil, opened, []byte("again")) }); err == nil {
		t.Error("an own epoch was opened twice")
	}
	update(t, st, func(tx T) error {
		if e, v, at, k, err := tx.OwnEpoch("alliance"); e != 3 || v != 8 || !at.Equal(opened.Add(-time.Minute)) || string(k) != "k3" || err != nil {
			t.Errorf("newest: %d, %d, %v, %q, %v", e, v, at, k, err)
		}
		if e, err := tx.LastOwnEpoch("me/1"); e != 3 || err != nil {
			t.Errorf("last: %d, %v", e, err)
		}
		for epoch, want := range map[uint64][]string{1: {"alpha", "bravo"}, 2: {}, 3: {"alpha"}, 4: nil} {
			if got, err := tx.EpochReaders("me/1", epoch); err != nil || !slices.Equal(got, want) {
				t.Errorf("readers of %d: %q, %v", epoch, got, err)
			}
		}
		// A new incarnation counts from 1 again, and its epoch is the newest.
		if err := tx.PutOwnEpoch("me/2", "alliance", 1, 8, []string{"alpha"}, opened, []byte("k4")); err != nil {
			return err
		}
		if e, _, _, k, err := tx.OwnEpoch("alliance"); e != 1 || string(k) != "k4" || err != nil {
			t.Errorf("newest after a new incarnation: %d, %q, %v", e, k, err)
		}
		return nil
	})
}

func (s *suite[T]) blobs(t *testing.T) {
	st := s.fresh(t)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<17) // 2 MiB
	update(t, st, func(tx T) error {
		if _, err := tx.Blob([]byte{1}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("unknown blob: %v", err)
		}
		if err := errors.Join(tx.PutBlob([]byte{1}, big), tx.PutBlob([]byte{1}, big), tx.PutBlob([]byte{2}, []byte{})); err != nil {
			return err
		}
		return errors.Join(tx.PutPending("a/1", 3, []byte{3}), tx.PutPending("a/1", 3, []byte{4}), tx.PutPending("b/1", 1, []byte{5}), tx.DropPending("a/1", 99), tx.DropPending("x/1", 1))
	})
	view(t, st, func(tx T) error {
		if got, err := tx.Blob([]byte{1}); err != nil || !bytes.Equal(got, big) {
			t.Errorf("blob: %d bytes, %v", len(got), err)
		}
		var got []string
		err := errors.Join(
			tx.EachPending("a/1", func(i uint64, h []byte) error { got = append(got, fmt.Sprintf("a %d %v", i, h)); return nil }),
			tx.EachPending("x/1", func(i uint64, h []byte) error { got = append(got, "unknown log"); return nil }))
		if err != nil || !slices.Equal(got, []string{"a 3 [4]"}) {
			t.Errorf("pending: %q, %v", got, err)
		}
		return nil
	})
}

// numbers that do not fit are errors, never other numbers.
func (s *suite[T]) numbers(t *testing.T) {
	st := s.fresh(t)
	for name, fn := range map[string]func(T) error{
		"head":        func(tx T) error { return tx.PutLogHead("a/1", "a", 1<<63, nil) },
		"tile":        func(tx T) error { return tx.PutTile("a/1", 0, 1<<63, nil) },
		"epoch":       func(tx T) error { return tx.PutEpochKey("a/1", 1<<63, "", nil) },
		"epoch entry": func(tx T) error { return tx.PutEpochEntry("a/1", 1, 1<<63, nil) },
		"own epoch":   func(tx T) error { return tx.PutOwnEpoch("a/1", "", 1, 1<<63, nil, now, nil) },
		"pending":     func(tx T) error { return tx.PutPending("a/1", 1<<63, nil) },
		"roster":      func(tx T) error { return tx.PutRosterNote(1<<63, "", nil) },
		"card":        func(tx T) error { return tx.PutCardNote("a", 1<<63, nil) },
		"publication": func(tx T) error { return tx.PutPublication("a/1", 1<<63, now, 0, "", "") },
		"applied":     func(tx T) error { return tx.PutApplied("a/1", "b", 1<<63) },
	} {
		if err := st.Update(t.Context(), fn); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
