package storetest

import (
	"errors"
	"io/fs"
	"slices"
	"testing"
	"time"

	"shieldwall/internal/object"
)

// search: the index finds words where they stand and keys, the newest first and between bounds; it begins anew where
// copies change hands; and seqs are found by times.
func (s *suite[T]) search(t *testing.T) {
	st := s.open(t, t.TempDir())
	defer st.Close()
	update(t, st, func(tx T) error {
		for _, id := range []string{"i--1", "i--2", "i--3", "i--4"} {
			put(t, tx, newCopy("alpha", id, "2026-01", func(c *object.Copy) {
				c.Audience, c.Admitted = "member:old", now.Add(time.Second*time.Duration(id[3]-'0'))
			}))
		}
		for seq, words := range map[int64][2]string{1: {"foo bar", "k=a"}, 2: {"bar foo", "k=b"}, 3: {"foo bar", "k=b"}} {
			if err := tx.Index(seq, words[0], "foo", "", words[1]); err != nil {
				return err
			}
		}
		return tx.PutIndexedTo(3)
	})
	found := func(tx T, expr string, above, below int64, limit int, want ...int64) {
		t.Helper()
		if got, err := tx.Matching(expr, above, below, limit); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v %v, want %v", expr, got, err, want)
		}
	}
	update(t, st, func(tx T) error {
		found(tx, `"foo bar"`, 0, 9, 9, 3, 1)
		found(tx, `name : "bar foo" AND "k=b"`, 0, 9, 9, 2)
		found(tx, `"k=b"`, 0, 9, 9, 3, 2)
		found(tx, `"k b"`, 0, 9, 9)
		found(tx, "fo *", 0, 9, 2, 3, 2)
		found(tx, "foo", 1, 3, 9, 2)
		if indexed, last, err := tx.IndexedTo(); err != nil || indexed != 3 || last != 4 {
			t.Errorf("indexed to %d of %d, %v", indexed, last, err)
		}
		copies, err := tx.CopiesAfter(1, 2, plenty)
		if err != nil || len(copies) != 2 || copies[0].ID != "i--2" || len(copies[1].Raw) == 0 {
			t.Errorf("%+v, %v", copies, err)
		}
		if copies, err = tx.CopiesAfter(0, 9, 1); err != nil || len(copies) != 1 {
			t.Errorf("one at least, and no more than fits: %+v, %v", copies, err)
		}
		if f, err := tx.FiledAt(2); err != nil || f.ID != "i--2" || f.Standing != object.Alone || len(f.Raw) == 0 {
			t.Errorf("%+v, %v", f, err)
		}
		if _, err := tx.FiledAt(9); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a copy that is not there: %v", err)
		}
		for at, want := range map[time.Duration]int64{0: 1, time.Second: 1, time.Second + 1000: 2, 4 * time.Second: 4, time.Minute: 5} {
			if seq, err := tx.SeqAt(now.Add(at)); err != nil || seq != want {
				t.Errorf("%v: seq %d, %v, want %d", at, seq, err, want)
			}
		}
		return nil
	})
	for _, move := range []func(tx T) error{
		func(tx T) error { return tx.Refile("member:old", "member:new") }, func(tx T) error { return tx.Relocal("alpha") }, func(tx T) error { return tx.ForgetIndex() },
	} {
		update(t, st, func(tx T) error { return errors.Join(tx.Index(4, "foo", "", "", ""), tx.PutIndexedTo(4)) })
		update(t, st, move)
		update(t, st, func(tx T) error {
			found(tx, "foo", 0, 9, 9)
			if indexed, _, err := tx.IndexedTo(); err != nil || indexed != 0 {
				t.Errorf("indexed to %d, %v", indexed, err)
			}
			return nil
		})
	}
}
