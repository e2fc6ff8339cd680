package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"shieldwall/internal/object"
)

// newCopy is a copy of an indicator; the parts that a test cares about are set by change.
func newCopy(publisher, id, modified string, change ...func(*object.Copy)) object.Copy {
	c := object.Copy{
		Key: object.Key{Publisher: publisher, ID: id}, Type: "indicator", Modified: modified, TLP: 2, Audience: "alliance",
		Place: object.Place{Log: publisher + "/1", Index: 7}, Admitted: now, Raw: fmt.Appendf(nil, `{"id":%q}`, id),
	}
	if publisher == object.Local {
		c.Place = object.Place{}
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func revoked(c *object.Copy) { c.Revoked = true }

func put[T Tx](t *testing.T, tx T, c object.Copy) object.Copy {
	t.Helper()
	said, err := tx.PutCopy(c)
	if err != nil {
		t.Fatal(err)
	}
	// The time of admission is the store's to move.
	stored, err := tx.CopyAt(said.Seq)
	if err != nil {
		t.Fatal(err)
	}
	if said.Withdrawn != stored.Withdrawn || !said.Admitted.Equal(stored.Admitted) {
		t.Fatalf("stored as %+v, said to be %+v", stored, said)
	}
	seq := said.Seq
	if d := stored.Admitted.Sub(c.Admitted); d < 0 {
		t.Fatalf("copy %d was admitted %v too early", seq, -d)
	}
	c.Seq, c.Admitted = seq, stored.Admitted
	return c
}

func live[T Tx](t *testing.T, tx T, typ string) []object.Copy {
	t.Helper()
	var got []object.Copy
	if err := tx.EachLive(typ, func(c object.Copy) error { got = append(got, c); return nil }); err != nil {
		t.Fatal(err)
	}
	return got
}

func seqs(copies []object.Copy) []int64 {
	out := make([]int64, len(copies))
	for i, c := range copies {
		out[i] = c.Seq
	}
	return out
}

func (s *suite[T]) copies(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		v2 := put(t, tx, newCopy("alpha", "i--1", "2026-02"))
		v1 := put(t, tx, newCopy("alpha", "i--1", "2026-01")) // an older version that came later
		other := put(t, tx, newCopy("bravo", "i--1", "2026-03", func(c *object.Copy) { c.TLP, c.Audience, c.Own = 5, "member:alpha", true }))
		local := put(t, tx, newCopy(object.Local, "i--2", "", func(c *object.Copy) { c.Type, c.Raw = "malware", []byte{} }))
		if v2.Seq < 1 || !slices.IsSorted([]int64{v2.Seq, v1.Seq, other.Seq, local.Seq}) {
			t.Errorf("order of admission: %d %d %d %d", v2.Seq, v1.Seq, other.Seq, local.Seq)
		}
		for name, tc := range map[string]struct {
			got  func() ([]object.Copy, error)
			want []object.Copy
		}{
			"all of an id":    {func() ([]object.Copy, error) { return tx.Copies("i--1") }, []object.Copy{v2, v1, other}},
			"one publisher's": {func() ([]object.Copy, error) { return tx.PublisherCopies("alpha", "i--1") }, []object.Copy{v2, v1}},
			"local":           {func() ([]object.Copy, error) { return tx.Copies("i--2") }, []object.Copy{local}},
			"unknown":         {func() ([]object.Copy, error) { return tx.Copies("i--3") }, nil},
			"nobody's":        {func() ([]object.Copy, error) { return tx.PublisherCopies("bravo", "i--2") }, nil},
		} {
			if got, err := tc.got(); err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%s: %+v, want %+v, %v", name, got, tc.want, err)
			}
		}
		if got := live(t, tx, "indicator"); !reflect.DeepEqual(got, []object.Copy{v2, other}) {
			t.Errorf("live indicators: %+v", got)
		}
		if got := live(t, tx, ""); !reflect.DeepEqual(got, []object.Copy{v2, other, local}) {
			t.Errorf("live: %+v", got)
		}
		return nil
	})
}

// copiesModel compares the copies that count with a plain model over random admissions and withdrawals.
func (s *suite[T]) copiesModel(t *testing.T) {
	st := s.fresh(t)
	rng := rand.New(rand.NewPCG(3, 4))
	var all []object.Copy
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	for round := range 40 {
		update(t, st, func(tx T) error {
			for range 10 {
				p, id := pick("alpha", "bravo", object.Local), pick("i--1", "i--2", "m--3")
				if rng.IntN(6) == 0 {
					n, err := tx.Withdraw(p, id, object.Place{})
					if err != nil {
						return err
					}
					for i := range all {
						if all[i].Publisher == p && all[i].ID == id && !all[i].Withdrawn {
							all[i].Withdrawn = true
							n--
						}
					}
					if n != 0 {
						t.Errorf("round %d: the number of copies withdrawn is off by %d", round, n)
					}
					continue
				}
				all = append(all, put(t, tx, newCopy(p, id, pick("", "2026-01", "2026-02", "2026-03"), func(c *object.Copy) {
					c.Revoked = rng.IntN(4) == 0
					c.Type = map[byte]string{'i': "indicator", 'm': "malware"}[id[0]]
				})))
			}
			return nil
		})
		view(t, st, func(tx T) error {
			for _, typ := range []string{"", "indicator", "malware", "none"} {
				if got, want := live(t, tx, typ), modelLive(all, typ); !reflect.DeepEqual(got, want) {
					t.Fatalf("round %d, type %q: live %v, want %v", round, typ, seqs(got), seqs(want))
				}
			}
			total, by, err := tx.CountCopies()
			want := map[string]int64{}
			for _, c := range all {
				want[c.Publisher]++
			}
			if err != nil || total != int64(len(all)) || !maps.Equal(by, want) {
				t.Fatalf("round %d: counted %d, %v, %v", round, total, by, err)
			}
			return nil
		})
	}
}

func modelLive(all []object.Copy, typ string) []object.Copy {
	newest := map[object.Key]object.Copy{}
	for _, c := range all {
		if held, ok := newest[c.Key]; !c.Withdrawn && (!ok || c.Modified >= held.Modified) {
			newest[c.Key] = c
		}
	}
	var out []object.Copy
	for _, c := range newest {
		if !c.Revoked && (typ == "" || c.Type == typ) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b object.Copy) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

func (s *suite[T]) withdraw(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		put(t, tx, newCopy("alpha", "i--1", "2026-01"))
		put(t, tx, newCopy("alpha", "i--1", "2026-02"))
		kept := put(t, tx, newCopy("bravo", "i--1", "2026-01"))
		for _, want := range []int{2, 0} {
			if n, err := tx.Withdraw("alpha", "i--1", object.Place{Log: "alpha/1", Index: 9}); n != want || err != nil {
				t.Errorf("withdrew %d, %v", n, err)
			}
		}
		if n, err := tx.Withdraw("alpha", "i--unknown", object.Place{Log: "alpha/1", Index: 9}); n != 0 || err != nil {
			t.Errorf("withdrew %d of an unknown object, %v", n, err)
		}
		copies, err := tx.PublisherCopies("alpha", "i--1")
		if err != nil || len(copies) != 2 || !copies[0].Withdrawn || !copies[1].Withdrawn {
			t.Errorf("withdrawn copies: %+v, %v", copies, err)
		}
		if got := live(t, tx, ""); len(got) != 1 || got[0].Seq != kept.Seq {
			t.Errorf("live: %v", seqs(got))
		}
		// Published again, it counts again; a revoked version ends it and takes no older one back.
		again := put(t, tx, newCopy("alpha", "i--1", "2026-01", func(c *object.Copy) { c.Index = 10 }))
		if got := live(t, tx, ""); len(got) != 2 || got[1].Seq != again.Seq {
			t.Errorf("live after publishing again: %v", seqs(got))
		}
		put(t, tx, newCopy("alpha", "i--1", "2026-04", revoked, func(c *object.Copy) { c.Index = 11 }))
		if got := live(t, tx, ""); len(got) != 1 {
			t.Errorf("live after the revocation: %v", seqs(got))
		}
		return nil
	})
}

// lateCopy: a copy that waited for its blob is admitted after the withdrawal that covers it.
func (s *suite[T]) lateCopy(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		if n, err := tx.Withdraw("alpha", "i--1", object.Place{Log: "alpha/1", Index: 20}); n != 0 || err != nil {
			t.Errorf("withdrew %d, %v", n, err)
		}
		if _, err := tx.Withdraw("alpha", "i--1", object.Place{Log: "alpha/1", Index: 10}); err != nil {
			return err
		}
		at := func(log string, index uint64) func(*object.Copy) {
			return func(c *object.Copy) { c.Place = object.Place{Log: log, Index: index} }
		}
		for _, tc := range []struct {
			c         object.Copy
			withdrawn bool
		}{
			{newCopy("alpha", "i--1", "2026-01", at("alpha/1", 5)), true},
			{newCopy("alpha", "i--1", "2026-01", at("alpha/1", 20)), true},
			{newCopy("alpha", "i--2", "2026-01", at("alpha/1", 5)), false},
			{newCopy("bravo", "i--1", "2026-01", at("bravo/1", 5)), false},
			{newCopy("alpha", "i--1", "2026-01", at("alpha/1", 21)), false},
			{newCopy("alpha", "i--1", "2026-01", at("alpha/2", 1)), false},
		} {
			seq := put(t, tx, tc.c).Seq
			copies, err := tx.PublisherCopies(tc.c.Publisher, tc.c.ID)
			if got := copies[len(copies)-1]; err != nil || got.Seq != seq || got.Withdrawn != tc.withdrawn {
				t.Errorf("%+v: stored as %+v, %v", tc.c, got, err)
			}
		}
		return nil
	})
}

func (s *suite[T]) relocal(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		older := put(t, tx, newCopy("me", "i--1", "2026-01"))
		newer := put(t, tx, newCopy(object.Local, "i--1", "2026-02"))
		mine := put(t, tx, newCopy("me", "i--2", "2026-05"))
		put(t, tx, newCopy(object.Local, "i--2", "2026-04"))
		put(t, tx, newCopy("me", "i--3", "2026-01"))
		put(t, tx, newCopy("me", "i--3", "2026-02", revoked))
		put(t, tx, newCopy(object.Local, "i--3", "2026-01"))
		theirs := put(t, tx, newCopy("bravo", "i--1", "2026-01"))
		if _, err := tx.Withdraw("me", "i--9", object.Place{Log: "me/1", Index: 100}); err != nil {
			return err
		}
		if err := errors.Join(tx.Relocal("me"), tx.Relocal("me"), tx.Relocal(object.Local)); err != nil {
			return err
		}
		if got, want := seqs(live(t, tx, "")), []int64{newer.Seq, mine.Seq, theirs.Seq}; !slices.Equal(got, want) {
			t.Errorf("live: %v, want %v", got, want)
		}
		copies, err := tx.PublisherCopies(object.Local, "i--1")
		if err != nil || len(copies) != 2 || copies[0].Seq != older.Seq || copies[0].Place != (object.Place{}) {
			t.Errorf("local copies: %+v, %v", copies, err)
		}
		if total, by, err := tx.CountCopies(); err != nil || total != 8 || !maps.Equal(by, map[string]int64{object.Local: 7, "bravo": 1}) {
			t.Errorf("counted %d, %v, %v", total, by, err)
		}
		return nil
	})
}

func (s *suite[T]) lists(t *testing.T) {
	st := s.fresh(t)
	const n = 700
	var all []object.Copy
	update(t, st, func(tx T) error {
		for i := range n {
			all = append(all, put(t, tx, newCopy([]string{"alpha", "bravo"}[i%2], fmt.Sprintf("i--%d", i), "2026-01", func(c *object.Copy) {
				c.Type = []string{"indicator", "malware", "tool"}[i%3]
				c.Admitted = now.Add(time.Duration(i) * time.Millisecond)
			})))
		}
		return nil
	})
	view(t, st, func(tx T) error {
		if got := live(t, tx, ""); !reflect.DeepEqual(got, all) {
			t.Errorf("%d live of %d", len(got), n)
		}
		for _, tc := range []struct {
			typ, publisher string
			limit          int
		}{{"", "", 50}, {"malware", "", 7}, {"", "bravo", 100}, {"tool", "alpha", 11}, {"none", "", 5}} {
			var want []object.Copy
			for _, c := range slices.Backward(all) {
				if (tc.typ == "" || c.Type == tc.typ) && (tc.publisher == "" || c.Publisher == tc.publisher) {
					want = append(want, c)
				}
			}
			var got []object.Copy
			for before := int64(0); ; {
				page, err := tx.ListCopies(tc.typ, tc.publisher, before, tc.limit)
				if err != nil || len(page) > tc.limit {
					t.Fatalf("%+v: %d rows, %v", tc, len(page), err)
				}
				if len(page) == 0 {
					break
				}
				got = append(got, page...)
				before = page[len(page)-1].Seq
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v: %d copies, want %d", tc, len(got), len(want))
			}
		}
		return nil
	})
}

func (s *suite[T]) shelves(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		for i, audience := range []string{"alliance", "alliance", "group:states", "alliance"} {
			put(t, tx, newCopy("alpha", fmt.Sprint("i--", i), "", func(c *object.Copy) {
				c.Audience = audience
				if i == 3 {
					c.TLP = 3
				}
			}))
		}
		var got []string
		ids := map[int64]bool{}
		err := tx.EachShelf(func(id int64, tlp uint8, audience string, copies int64) error {
			got = append(got, fmt.Sprintf("%d %s %d", tlp, audience, copies))
			ids[id] = true
			return nil
		})
		if want := []string{"2 alliance 2", "2 group:states 1", "3 alliance 1"}; err != nil || !slices.Equal(got, want) || len(ids) != 3 {
			t.Errorf("shelves %q, %v", got, err)
		}
		return nil
	})
}
