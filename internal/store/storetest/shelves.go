package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"shieldwall/internal/object"
)

// plenty is more bytes than any page of these tests has.
const plenty = 1 << 20

// admissions: each copy has a time of its own that rises, whatever the clock does, across units and restarts.
func (s *suite[T]) admissions(t *testing.T) {
	dir := t.TempDir()
	var last time.Time
	n := 0
	admit := func(st Store[T], at time.Time, fail error) {
		err := st.Update(t.Context(), func(tx T) error {
			for range 3 {
				n++
				c := put(t, tx, newCopy("alpha", fmt.Sprint("i--", n), "", func(c *object.Copy) { c.Admitted = at }))
				if fail != nil {
					continue
				}
				if !c.Admitted.After(last) || c.Admitted != c.Admitted.Truncate(time.Microsecond) {
					t.Errorf("copy %d was admitted at %v, the one before at %v", n, c.Admitted, last)
				}
				last = c.Admitted
			}
			return fail
		})
		if !errors.Is(err, fail) {
			t.Fatal(err)
		}
	}
	for range 2 {
		st := s.open(t, dir)
		admit(st, now, nil)
		admit(st, now.Add(time.Second), errors.New("undone"))
		admit(st, now.Add(-time.Hour), nil) // a clock that was put back
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if d := last.Sub(now); d != 11*time.Microsecond {
		t.Errorf("twelve copies took the times up to %v", d)
	}
	st := s.open(t, dir)
	defer st.Close()
	admit(st, now.Add(time.Minute), nil)
	if d := last.Sub(now); d != time.Minute+2*time.Microsecond {
		t.Errorf("three copies a minute later took the times up to %v", d)
	}
}

// walk reads a whole standing of a shelf, page by page.
func walk[T Tx](t *testing.T, tx T, shelf int64, standing object.Standing, typ string, limit int) []object.Filed {
	t.Helper()
	var all []object.Filed
	for after := (time.Time{}); ; {
		page, err := tx.ShelfCopies(shelf, standing, typ, after, limit, plenty)
		if err != nil || len(page) > limit {
			t.Fatalf("%d copies, %v", len(page), err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		after = page[len(page)-1].Admitted
	}
}

func (s *suite[T]) shelfPages(t *testing.T) {
	st := s.fresh(t)
	var green, amber []object.Filed
	update(t, st, func(tx T) error {
		for i := range 60 {
			c := put(t, tx, newCopy([]string{"alpha", "bravo"}[i%2], fmt.Sprint("i--", i), "2026-01", func(c *object.Copy) {
				c.Type = []string{"indicator", "malware", "tool"}[i%3]
				c.Raw, c.Own = make([]byte, 100), i%5 == 0
				if i%4 == 0 {
					c.TLP = 3
				}
			}))
			c.Place = object.Place{}
			f := object.Filed{Copy: c, Standing: object.Alone}
			if c.TLP == 3 {
				amber = append(amber, f)
			} else {
				green = append(green, f)
			}
		}
		return nil
	})
	view(t, st, func(tx T) error {
		if _, _, err := tx.Shelf(4, "alliance"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a shelf that nothing was filed on: %v", err)
		}
		for tlp, want := range map[uint8][]object.Filed{2: green, 3: amber} {
			id, n, err := tx.Shelf(tlp, "alliance")
			if err != nil {
				return err
			}
			if n != int64(len(want)) {
				t.Errorf("TLP %d: %d copies were filed, want %d", tlp, n, len(want))
			}
			for i := range want {
				want[i].Shelf = id
			}
			for _, typ := range []string{"", "malware", "none"} {
				some := slices.DeleteFunc(slices.Clone(want), func(f object.Filed) bool { return typ != "" && f.Type != typ })
				for _, limit := range []int{1, 7, 100} {
					if got := walk(t, tx, id, object.Alone, typ, limit); len(got)+len(some) > 0 && !reflect.DeepEqual(got, some) {
						t.Errorf("TLP %d, type %q, by %d: %d copies, want %d", tlp, typ, limit, len(got), len(some))
					}
				}
			}
			if got := walk(t, tx, id, object.Newest, "", 10); len(got) > 0 {
				t.Errorf("%d copies stand beside others", len(got))
			}
		}
		id, _, _ := tx.Shelf(2, "alliance")
		for most, want := range map[int]int{0: 1, 99: 1, 200: 2, 250: 2} {
			if page, err := tx.ShelfCopies(id, object.Alone, "", time.Time{}, 10, most); err != nil || len(page) != want {
				t.Errorf("%d copies of 100 bytes in %d, want %d, %v", len(page), most, want, err)
			}
		}
		c, err := tx.CopyAt(green[0].Seq)
		if err != nil || c.Place != (object.Place{Log: c.Publisher + "/1", Index: 7}) || c.ID != green[0].ID {
			t.Errorf("one copy: %+v, %v", c, err)
		}
		if _, err := tx.CopyAt(10_000); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no copy: %v", err)
		}
		return nil
	})
}

// standingsModel compares shelves with a plain model over random admissions, withdrawals, removals and a merger of
// two publishers.
func (s *suite[T]) standingsModel(t *testing.T) {
	st := s.fresh(t)
	rng := rand.New(rand.NewPCG(5, 6))
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	var all []object.Copy
	for round := range 60 {
		update(t, st, func(tx T) error {
			for range 6 {
				p, id := pick("alpha", "bravo", object.Local), pick("i--1", "i--2", "i--3", "i--4", "i--5", "i--6")
				switch rng.IntN(8) {
				case 0:
					if _, err := tx.Withdraw(p, id, object.Place{}); err != nil {
						return err
					}
					for i := range all {
						all[i].Withdrawn = all[i].Withdrawn || all[i].Publisher == p && all[i].ID == id
					}
				case 1:
					if len(all) == 0 {
						continue
					}
					c := &all[rng.IntN(len(all))]
					if err := tx.Remove(c.Publisher, c.ID, []int64{c.Seq}); err != nil {
						return err
					}
					c.Withdrawn = true
				default:
					all = append(all, put(t, tx, newCopy(p, id, pick("", "2026-01", "2026-02", "2026-03"), func(c *object.Copy) {
						c.Audience, c.Revoked = pick("alliance", "group:states"), rng.IntN(5) == 0
					})))
				}
			}
			if round == 40 {
				for i := range all {
					if all[i].Publisher == "alpha" {
						all[i].Publisher, all[i].Place = object.Local, object.Place{}
					}
				}
				return tx.Relocal("alpha")
			}
			return nil
		})
		view(t, st, func(tx T) error {
			if got, want := live(t, tx, ""), modelLive(all, ""); !slices.Equal(seqs(got), seqs(want)) {
				t.Fatalf("round %d: live %v, want %v", round, seqs(got), seqs(want))
			}
			for _, audience := range []string{"alliance", "group:states"} {
				shelf, _, err := tx.Shelf(2, audience)
				if err != nil {
					continue // not yet
				}
				newest, older := modelShelf(all, audience)
				got := filedSeqs(append(walk(t, tx, shelf, object.Alone, "", 5), walk(t, tx, shelf, object.Newest, "", 5)...))
				if !slices.Equal(got, newest) {
					t.Fatalf("round %d, %s: newest %v, want %v", round, audience, got, newest)
				}
				if got := filedSeqs(walk(t, tx, shelf, object.Older, "", 5)); !slices.Equal(got, older) {
					t.Fatalf("round %d, %s: older %v, want %v", round, audience, got, older)
				}
				for _, f := range walk(t, tx, shelf, object.Alone, "", 5) {
					if others, err := tx.FiledCopies(f.ID); err != nil || len(others) != 1 || others[0].Raw != nil {
						t.Fatalf("round %d: %d copies of an object that stands alone, %v", round, len(others), err)
					}
				}
			}
			return nil
		})
	}
}

func filedSeqs(list []object.Filed) []int64 {
	out := []int64{}
	for _, f := range list {
		out = append(out, f.Seq)
	}
	slices.Sort(out)
	return out
}

// modelShelf says which copies are their publisher's newest on a shelf and which are older.
func modelShelf(all []object.Copy, audience string) (newest, older []int64) {
	newest, older = []int64{}, []int64{}
	best := map[object.Key]object.Copy{}
	for _, c := range all {
		if held, ok := best[c.Key]; !c.Withdrawn && c.Audience == audience && (!ok || cmp.Or(cmp.Compare(c.Modified, held.Modified), cmp.Compare(c.Seq, held.Seq)) > 0) {
			best[c.Key] = c
		}
	}
	for _, c := range all {
		switch {
		case c.Withdrawn || c.Audience != audience:
		case best[c.Key].Seq == c.Seq:
			newest = append(newest, c.Seq)
		default:
			older = append(older, c.Seq)
		}
	}
	return newest, older
}

// refile: what was for this member under its old name is for it under its new one.
func (s *suite[T]) refile(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		to := func(audience string) func(*object.Copy) { return func(c *object.Copy) { c.Audience = audience } }
		put(t, tx, newCopy(object.Local, "i--1", "2026-01", to("member:old")))
		put(t, tx, newCopy(object.Local, "i--1", "2026-02", to("member:new")))
		put(t, tx, newCopy(object.Local, "i--2", "2026-01", to("member:old")))
		put(t, tx, newCopy("alpha", "i--3", "2026-01"))
		if err := errors.Join(tx.Refile("member:old", "member:new"), tx.Refile("member:none", "member:new"), tx.Refile("alliance", "alliance")); err != nil {
			return err
		}
		var got []string
		err := tx.EachShelf(func(_ int64, tlp uint8, audience string, copies int64) error {
			got = append(got, fmt.Sprintf("%d %s %d", tlp, audience, copies))
			return nil
		})
		if want := []string{"2 member:old 0", "2 member:new 3", "2 alliance 1"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("shelves %q, %v", got, err)
		}
		shelf, _, err := tx.Shelf(2, "member:new")
		if err != nil {
			return err
		}
		if n := walk(t, tx, shelf, object.Newest, "", 5); len(n) != 1 || n[0].Modified != "2026-02" || n[0].Audience != "member:new" {
			t.Errorf("newest: %+v", n)
		}
		if o := walk(t, tx, shelf, object.Older, "", 5); len(o) != 1 || o[0].Modified != "2026-01" {
			t.Errorf("older: %+v", o)
		}
		return nil
	})
}

func (s *suite[T]) postings(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		day := 24 * time.Hour
		if err := errors.Join(tx.PutPosting("1", "a", now, []byte("x"), now.Add(-day)), tx.PutPosting("2", "b", now.Add(time.Hour), []byte("y"), now.Add(-day))); err != nil {
			return err
		}
		if body, at, err := tx.Posting("1", "a"); string(body) != "x" || !at.Equal(now) || err != nil {
			t.Errorf("posting: %q %v %v", body, at, err)
		}
		if _, _, err := tx.Posting("1", "b"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("another holder's: %v", err)
		}
		if err := tx.PutPosting("3", "a", now.Add(day+time.Minute), nil, now.Add(time.Minute)); err != nil {
			return err
		}
		if _, _, err := tx.Posting("1", "a"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("one that is too old: %v", err)
		}
		_, _, err := tx.Posting("2", "b")
		return err
	})
}
