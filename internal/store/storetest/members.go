package storetest

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"testing"
	"time"
)

func (s *suite[T]) rosters(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		if v, n, err := tx.LastRoster(); v != 0 || n != nil || err != nil {
			t.Errorf("none yet: %d, %q, %v", v, n, err)
		}
		if n, err := tx.RosterNote(1); n != nil || err != nil {
			t.Errorf("unknown: %q, %v", n, err)
		}
		return errors.Join(tx.PutRosterNote(1, "h1", []byte("one")), tx.PutRosterNote(2, "h2", []byte("two")), tx.PutRosterNote(1, "h1", []byte("one")))
	})
	if err := st.Update(t.Context(), func(tx T) error { return tx.PutRosterNote(2, "h2b", []byte("a fork")) }); err == nil {
		t.Error("a second roster of one version was taken")
	}
	update(t, st, func(tx T) error {
		if v, n, err := tx.LastRoster(); v != 2 || string(n) != "two" || err != nil {
			t.Errorf("last: %d, %q, %v", v, n, err)
		}
		if n, err := tx.RosterNote(1); string(n) != "one" || err != nil {
			t.Errorf("first: %q, %v", n, err)
		}
		if err := tx.DropRosters(); err != nil {
			return err
		}
		if v, _, err := tx.LastRoster(); v != 0 || err != nil {
			t.Errorf("after dropping: %d, %v", v, err)
		}
		return nil
	})
}

func (s *suite[T]) cards(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		if n, c, err := tx.CardNote("alpha"); n != 0 || c != nil || err != nil {
			t.Errorf("unknown: %d, %q, %v", n, c, err)
		}
		return errors.Join(tx.PutCardNote("bravo", 1, []byte("b1")), tx.PutCardNote("alpha", 3, []byte("a3")), tx.PutCardNote("alpha", 5, []byte("a5")), tx.PutCardNote("alpha", 5, []byte("a5")))
	})
	if err := st.Update(t.Context(), func(tx T) error { return tx.PutCardNote("alpha", 4, []byte("a4")) }); err == nil {
		t.Error("a card went back")
	}
	update(t, st, func(tx T) error {
		var got []string
		err := tx.EachCard(func(m string, n uint64, c []byte) error { got = append(got, fmt.Sprint(m, n, string(c))); return nil })
		if err != nil || !slices.Equal(got, []string{fmt.Sprint("alpha", 5, "a5"), fmt.Sprint("bravo", 1, "b1")}) {
			t.Errorf("listed %q, %v", got, err)
		}
		if n, c, err := tx.CardNote("alpha"); n != 5 || string(c) != "a5" || err != nil {
			t.Errorf("alpha: %d, %q, %v", n, c, err)
		}
		if err := tx.DropCards(); err != nil {
			return err
		}
		return tx.EachCard(func(string, uint64, []byte) error { return errors.New("a card is left") })
	})
}

func (s *suite[T]) invites(t *testing.T) {
	st := s.fresh(t)
	expires := now.Add(72 * time.Hour)
	update(t, st, func(tx T) error {
		if _, _, _, _, _, err := tx.Invite([]byte{1}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("unknown: %v", err)
		}
		if err := tx.BindInvite([]byte{1}, []byte{9}, true); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("binding an unknown one: %v", err)
		}
		if err := errors.Join(tx.PutInvite([]byte{1}, "kilo", []string{"states", "rail"}, expires), tx.PutInvite([]byte{2}, "lima", nil, expires)); err != nil {
			return err
		}
		name, groups, exp, card, used, err := tx.Invite([]byte{1})
		if name != "kilo" || !slices.Equal(groups, []string{"states", "rail"}) || !exp.Equal(expires) || card != nil || used || err != nil {
			t.Errorf("fresh: %q %q %v %x %v %v", name, groups, exp, card, used, err)
		}
		if err := tx.BindInvite([]byte{1}, []byte{9}, false); err != nil {
			return err
		}
		if _, _, _, card, used, err := tx.Invite([]byte{1}); string(card) != "\x09" || used || err != nil {
			t.Errorf("bound: %x, %v, %v", card, used, err)
		}
		if err := tx.BindInvite([]byte{1}, []byte{9}, true); err != nil {
			return err
		}
		if _, _, _, _, used, err := tx.Invite([]byte{1}); !used || err != nil {
			t.Errorf("used: %v, %v", used, err)
		}
		if _, groups, _, card, used, err := tx.Invite([]byte{2}); len(groups) != 0 || card != nil || used || err != nil {
			t.Errorf("the other: %q %x %v %v", groups, card, used, err)
		}
		return nil
	})
	if err := st.Update(t.Context(), func(tx T) error { return tx.PutInvite([]byte{1}, "again", nil, expires) }); err == nil {
		t.Error("an invite was made twice")
	}
}

func (s *suite[T]) tokens(t *testing.T) {
	st := s.fresh(t)
	expires := now.Add(time.Hour)
	update(t, st, func(tx T) error {
		if _, _, _, _, err := tx.Token([]byte{1}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("unknown: %v", err)
		}
		if err := tx.DropToken("sensor"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("dropping an unknown one: %v", err)
		}
		if err := errors.Join(tx.PutToken([]byte{1}, "sensor", "ingest", "", expires), tx.PutToken([]byte{2}, "admin", "api", "staff", time.Time{})); err != nil {
			return err
		}
		if name, scope, reader, exp, err := tx.Token([]byte{1}); name != "sensor" || scope != "ingest" || reader != "" || !exp.Equal(expires) || err != nil {
			t.Errorf("token: %q %q %q %v %v", name, scope, reader, exp, err)
		}
		if _, _, reader, exp, err := tx.Token([]byte{2}); reader != "staff" || !exp.IsZero() || err != nil {
			t.Errorf("token without an end: %q %v %v", reader, exp, err)
		}
		var got []string
		err := tx.EachToken(func(name, scope, reader string, created, exp time.Time) error {
			got = append(got, name)
			if !created.Equal(now) {
				t.Errorf("%s was created at %v", name, created)
			}
			return nil
		})
		if err != nil || !slices.Equal(got, []string{"admin", "sensor"}) {
			t.Errorf("listed %q, %v", got, err)
		}
		// The name's new token replaces the old one.
		if err := tx.PutToken([]byte{3}, "sensor", "ingest", "", expires); err != nil {
			return err
		}
		if _, _, _, _, err := tx.Token([]byte{1}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the replaced token: %v", err)
		}
		if err := tx.DropToken("sensor"); err != nil {
			return err
		}
		if _, _, _, _, err := tx.Token([]byte{3}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the dropped token: %v", err)
		}
		return nil
	})
}

func (s *suite[T]) publications(t *testing.T) {
	st := s.fresh(t)
	const n = 400
	update(t, st, func(tx T) error {
		for i := range uint64(n) {
			if err := tx.PutPublication("me/1", i*3, now.Add(time.Duration(i)), int(i), "alliance", fmt.Sprint("what", i)); err != nil {
				return err
			}
		}
		return errors.Join(tx.PutProtect("me/1", 30, "alpha", 1500*time.Microsecond), tx.PutProtect("me/1", 30, "alpha", time.Hour), tx.PutProtect("me/1", 30, "bravo", 0),
			tx.PutProtect("me/1", 0, "alpha", time.Second), tx.PutProtect("me/2", 30, "other log", time.Second), tx.PutProtect("me/1", 31, "no publication", time.Second))
	})
	if err := st.Update(t.Context(), func(tx T) error { return tx.PutPublication("me/1", 3, now, 0, "", "") }); err == nil {
		t.Error("an entry was published twice")
	}
	view(t, st, func(tx T) error {
		for _, tc := range []struct {
			from        uint64
			limit       int
			first, last uint64
			n           int
		}{
			{math.MaxUint64, 10, 1197, 1170, 10}, {math.MaxUint64, 1000, 1197, 0, n}, {30, 1000, 30, 0, 11}, {31, 2, 30, 27, 2}, {0, 5, 0, 0, 1},
			{math.MaxUint64, 128, 1197, 816, 128}, {math.MaxUint64, 256, 1197, 432, 256}, {5, 0, 0, 0, 0},
		} {
			var got []uint64
			err := tx.EachPublication("me/1", tc.from, tc.limit, func(i uint64, at time.Time, readers int, audience, what string, took map[string]time.Duration) error {
				got = append(got, i)
				if k := i / 3; !at.Equal(now.Add(time.Duration(k)).Truncate(time.Microsecond)) || readers != int(k) || audience != "alliance" || what != fmt.Sprint("what", k) {
					t.Errorf("%d: %v %d %s %s", i, at, readers, audience, what)
				}
				switch i {
				case 30:
					if len(took) != 2 || took["alpha"] != 1500*time.Microsecond || took["bravo"] != 0 {
						t.Errorf("confirmations of 30: %v", took)
					}
				case 0:
					if len(took) != 1 || took["alpha"] != time.Second {
						t.Errorf("confirmations of 0: %v", took)
					}
				default:
					if len(took) != 0 {
						t.Errorf("confirmations of %d: %v", i, took)
					}
				}
				return nil
			})
			if err != nil || len(got) != tc.n || tc.n > 0 && (got[0] != tc.first || got[len(got)-1] != tc.last) {
				t.Errorf("%+v: %d rows, %v", tc, len(got), err)
			}
		}
		return tx.EachPublication("x/1", math.MaxUint64, 5, func(uint64, time.Time, int, string, string, map[string]time.Duration) error {
			return errors.New("a publication of an unknown log")
		})
	})
}

func (s *suite[T]) applied(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		if got, err := tx.Applied("me/1"); err != nil || got == nil || len(got) != 0 {
			t.Errorf("none yet: %v, %v", got, err)
		}
		if err := errors.Join(tx.PutApplied("me/1", "alpha", 5), tx.PutApplied("me/1", "alpha", 9), tx.PutApplied("me/1", "alpha", 7), tx.PutApplied("me/1", "bravo", 0), tx.PutApplied("me/2", "alpha", 1)); err != nil {
			return err
		}
		got, err := tx.Applied("me/1")
		if err != nil || len(got) != 2 || got["alpha"] != 9 || got["bravo"] != 0 {
			t.Errorf("watermarks %v, %v", got, err)
		}
		return nil
	})
}

func (s *suite[T]) tally(t *testing.T) {
	st := s.fresh(t)
	at := func(min int) time.Time { return now.Add(time.Duration(min) * time.Minute) }
	update(t, st, func(tx T) error {
		return errors.Join(tx.AddTally("bravo", "i--1", 2, at(5), at(6)), tx.AddTally("alpha", "i--1", 1, at(1), at(1)), tx.AddTally("bravo", "i--1", 3, at(4), at(5)),
			tx.AddTally("bravo", "i--0", 1, at(0), at(0)), tx.AddTally("bravo", "i--1", 1, at(5), at(9)), tx.DropTally("nobody", "i--1"))
	})
	update(t, st, func(tx T) error {
		var got []string
		err := tx.EachTally(func(p, id string, n int64, first, last time.Time) error {
			got = append(got, fmt.Sprintf("%s %s %d %v %v", p, id, n, first.Sub(now), last.Sub(now)))
			return tx.DropTally(p, id)
		})
		if want := []string{"alpha i--1 1 1m0s 1m0s", "bravo i--0 1 0s 0s", "bravo i--1 6 4m0s 9m0s"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%q, %v", got, err)
		}
		return tx.EachTally(func(string, string, int64, time.Time, time.Time) error { return errors.New("something is left") })
	})
}

func (s *suite[T]) offsets(t *testing.T) {
	st := s.fresh(t)
	update(t, st, func(tx T) error {
		if id, n, err := tx.Offset("/var/log/x"); id != "" || n != 0 || err != nil {
			t.Errorf("new file: %q %d %v", id, n, err)
		}
		if err := errors.Join(tx.PutOffset("/var/log/x", "inode 1", 10), tx.PutOffset("/var/log/x", "inode 2", 1<<40)); err != nil {
			return err
		}
		if id, n, err := tx.Offset("/var/log/x"); id != "inode 2" || n != 1<<40 || err != nil {
			t.Errorf("%q %d %v", id, n, err)
		}
		return nil
	})
}
