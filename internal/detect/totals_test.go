package detect

import (
	"fmt"
	"testing"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/status"
	"shieldwall/internal/stix"
)

func sightingCopy(t *testing.T, publisher, of string, n int, count int64, change ...func(*stix.Sighting)) object.Copy {
	t.Helper()
	s := stix.Sighting{
		Common: stix.Common{ID: "sighting--" + uuidNumber(n), CreatedBy: memberIdentity, Created: start},
		Of:     of, Count: count, FirstSeen: start.Add(-time.Hour), LastSeen: start,
	}
	for _, c := range change {
		c(&s)
	}
	raw, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return object.Copy{Key: object.Key{Publisher: publisher, ID: s.ID}, Type: "sighting", Raw: raw}
}

func totalsOf(t *testing.T, b *bench) string {
	t.Helper()
	list, err := b.Totals(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	out := ""
	for _, s := range list {
		out += fmt.Sprintf("%s: %d by %d, %s to %s\n", s.Name, s.Count, s.Members, s.FirstSeen.Format("15:04"), s.LastSeen.Format("15:04"))
	}
	return out
}

func TestTotals(t *testing.T) {
	b := newBench(t)
	own := indicatorCopy(t, "alpha", uuidNumber(1), "sigma", vssRule)
	foreign := indicatorCopy(t, "bravo", uuidNumber(2), "sigma", vssRule)
	b.Apply([]object.Change{b.store.put(own), b.store.put(foreign)})
	if got := totalsOf(t, b); got != "" {
		t.Errorf("totals before anything: %s", got)
	}
	first := b.store.put(sightingCopy(t, "bravo", own.ID, 1, 3))
	changes := []object.Change{
		first,
		b.store.put(sightingCopy(t, "bravo", own.ID, 2, 4)),
		b.store.put(sightingCopy(t, "charlie", own.ID, 3, 5, func(s *stix.Sighting) { s.LastSeen = start.Add(time.Hour) })),
		b.store.put(sightingCopy(t, "charlie", foreign.ID, 4, 100)),
		b.store.put(sightingCopy(t, "alpha", own.ID, 5, 1000)),                                                               // our own, about our own: not told twice
		b.store.put(sightingCopy(t, "bravo", own.ID, 6, 10000, func(s *stix.Sighting) { s.Summary = true })),                 // repeats others
		b.store.put(sightingCopy(t, "delta", "indicator--"+uuidNumber(99), 7, 7)),                                            // nobody's
		b.store.put(object.Copy{Key: object.Key{Publisher: "delta", ID: "sighting--x"}, Type: "sighting", Raw: []byte("{")}), // broken
	}
	b.Apply(changes)
	want := "one of alpha: 12 by 2, 02:11 to 04:11\n"
	if got := totalsOf(t, b); got != want {
		t.Errorf("totals:\n%swant\n%s", got, want)
	}
	// A restart finds the same.
	again := newBench(t)
	again.store = b.store
	again.totals = newTotals("alpha", b.store.View)
	if err := again.LoadAll(func(fn func(object.Copy) error) error {
		return b.store.View(t.Context(), func(tx Tx) error { return tx.EachLive("", fn) })
	}); err != nil {
		t.Fatal(err)
	}
	if got := totalsOf(t, again); got != want {
		t.Errorf("totals after a restart:\n%swant\n%s", got, want)
	}
	// Our own detections count.
	submit(t, b, processEvent("ws01", "vssadmin delete shadows"))
	if err := b.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := totalsOf(t, b), "one of alpha: 13 by 3, 02:11 to 04:11\n"; got != want {
		t.Errorf("totals with our own:\n%swant\n%s", got, want)
	}
	// A withdrawn one does not, nor does one out of order count twice.
	b.store.copies[first.Live.Seq-1].Withdrawn = true
	b.Apply([]object.Change{{Key: first.Key}, changes[1]})
	if got, want := totalsOf(t, b), "one of alpha: 10 by 3, 02:11 to 04:11\n"; got != want {
		t.Errorf("totals after a withdrawal:\n%swant\n%s", got, want)
	}
	if list, err := b.Totals(t.Context(), 0); err != nil || len(list) != 0 {
		t.Errorf("limit 0: %v, %v", list, err)
	}
}

func TestTotalsOnlyOwnDetections(t *testing.T) {
	b := newBench(t)
	own := indicatorCopy(t, "alpha", uuidNumber(1), "sigma", vssRule)
	b.Apply([]object.Change{b.store.put(own)})
	submit(t, b, processEvent("ws01", "vssadmin delete shadows"))
	if err := b.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := b.Totals(t.Context(), 5)
	at := start.Add(-10 * time.Second)
	if want := (status.Sightings{Object: own.ID, Name: "one of alpha", Count: 1, Members: 1, FirstSeen: at, LastSeen: at}); err != nil || len(list) != 1 || list[0] != want {
		t.Errorf("totals %+v (%v), want %+v", list, err, want)
	}
}

// TestTotalsFlood has an ally name more objects than there is room for: our own are still found.
func TestTotalsFlood(t *testing.T) {
	b := newBench(t)
	own := indicatorCopy(t, "alpha", uuidNumber(1), "sigma", vssRule)
	b.store.put(own)
	for i := range maxSums {
		b.totals.sums[fmt.Sprint(i)] = &sum{members: map[string]bool{}}
	}
	b.Apply([]object.Change{b.store.put(sightingCopy(t, "bravo", own.ID, 1, 3))})
	if got, want := totalsOf(t, b), "one of alpha: 3 by 1, 02:11 to 03:11\n"; got != want {
		t.Errorf("totals:\n%swant\n%s", got, want)
	}
	if len(b.totals.sums) != 1 {
		t.Errorf("%d sums are kept", len(b.totals.sums))
	}
}
