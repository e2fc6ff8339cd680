package detect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/status"
	"shieldwall/internal/stix"
)

// maxSums bounds the objects for which sightings are added up. Only this node's own objects are shown;
// what others' sightings name besides is let go of whenever the totals are looked at.
const maxSums = 64 << 10

// totals adds up what members tell about this node's own objects. It follows admissions and reads the
// store again where adding is not enough: after a withdrawal, a new version, or a change out of order.
type totals struct {
	self string
	view func(context.Context, func(Tx) error) error

	mu      sync.Mutex // guards the fields below
	sums    map[string]*sum
	lastSeq int64
	stale   bool
	changes int64 // applied, so that a rebuild notices those beside it
}

// sum is what was told about one object.
type sum struct {
	status.Sightings
	members map[string]bool
	own     bool // known to be this node's; the name is filled in
}

func newTotals(self string, view func(context.Context, func(Tx) error) error) *totals {
	return &totals{self: self, view: view, sums: map[string]*sum{}}
}

// apply takes one admission's change.
func (t *totals) apply(c object.Change) {
	if !strings.HasPrefix(c.ID, "sighting--") || c.Publisher == t.self {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	if c.Live == nil || c.Live.Seq <= t.lastSeq {
		t.stale = true
		return
	}
	t.lastSeq = c.Live.Seq
	s, ok := parseSighting(c.Live)
	if !ok {
		return
	}
	if s.updated || !add(t.sums, s) {
		t.stale = true
	}
}

// sighting is what counts of an admitted sighting.
type sighting struct {
	of, member  string
	count       int64
	first, last time.Time
	updated     bool // a later version: an earlier one may have been added already
}

// parseSighting reads an admitted sighting; a summary, which repeats what others said, is none.
func parseSighting(c *object.Copy) (sighting, bool) {
	o, err := stix.Parse(c.Raw, stix.Limits{})
	if err != nil {
		return sighting{}, false
	}
	s := sighting{of: o.Text("sighting_of_ref"), member: c.Publisher, count: 1, updated: o.Modified != o.Created}
	if summary, _ := o.Property("summary"); s.of == "" || string(summary) == "true" {
		return sighting{}, false
	}
	if text, ok := o.Property("count"); ok {
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil && n >= 0 {
			s.count = n
		}
	}
	for _, name := range []string{"first_seen", "last_seen", "created"} {
		at, err := stix.ParseTime(o.Text(name))
		if err != nil {
			continue
		}
		if s.first.IsZero() {
			s.first = at
		}
		if name == "last_seen" || s.last.IsZero() {
			s.last = at
		}
	}
	return s, true
}

// add adds a sighting to its object's sum; false means that there are too many objects.
func add(sums map[string]*sum, s sighting) bool {
	x := sums[s.of]
	if x == nil {
		if len(sums) >= maxSums {
			return false
		}
		x = &sum{Sightings: status.Sightings{Object: s.of, FirstSeen: s.first, LastSeen: s.last}, members: map[string]bool{}}
		sums[s.of] = x
	}
	x.members[s.member] = true
	x.Members = len(x.members)
	x.Count += s.count
	if s.first.Before(x.FirstSeen) {
		x.FirstSeen = s.first
	}
	if s.last.After(x.LastSeen) {
		x.LastSeen = s.last
	}
	return true
}

// list gives the totals of this node's own objects, the last seen first, its own detections included.
func (t *totals) list(ctx context.Context, limit int) ([]status.Sightings, error) {
	var out []status.Sightings
	err := t.view(ctx, func(tx Tx) error {
		if err := t.refresh(tx); err != nil {
			return err
		}
		var err error
		out, err = t.settle(tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("adding up sightings: %w", err)
	}
	slices.SortFunc(out, func(a, b status.Sightings) int {
		return cmp.Or(b.LastSeen.Compare(a.LastSeen), cmp.Compare(a.Object, b.Object))
	})
	return out[:min(len(out), max(limit, 0))], nil
}

// refresh reads all admitted sightings again if the sums are stale.
func (t *totals) refresh(tx Tx) error {
	t.mu.Lock()
	stale, before := t.stale, t.changes
	t.mu.Unlock()
	if !stale {
		return nil
	}
	sums, last := map[string]*sum{}, int64(0)
	own := map[string]bool{}
	err := tx.EachLive("sighting", func(c object.Copy) error {
		last = max(last, c.Seq)
		s, ok := parseSighting(&c)
		if !ok || c.Publisher == t.self {
			return nil
		}
		isOwn, known := own[s.of]
		if !known && len(own) < maxSums {
			copies, err := tx.PublisherCopies(t.self, s.of)
			if err != nil {
				return err
			}
			isOwn = len(copies) > 0
			own[s.of] = isOwn
		}
		if isOwn {
			add(sums, s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sums, t.lastSeq = sums, max(t.lastSeq, last)
	t.stale = t.changes != before // what came meanwhile may or may not have been read
	return nil
}

// settle names the own objects, forgets the others, and adds this node's own detections.
func (t *totals) settle(tx Tx) ([]status.Sightings, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := make(map[string]status.Sightings, len(t.sums))
	for id, s := range t.sums {
		if !s.own {
			name, own, err := t.ownName(tx, id)
			if err != nil {
				return nil, err
			}
			if !own {
				delete(t.sums, id)
				continue
			}
			s.own, s.Name = true, name
		}
		found[id] = s.Sightings
	}
	err := tx.EachTally(func(publisher, id string, n int64, first, last time.Time) error {
		if publisher != t.self {
			return nil
		}
		s, told := found[id]
		if !told {
			name, _, err := t.ownName(tx, id)
			if err != nil {
				return err
			}
			s = status.Sightings{Object: id, Name: name, FirstSeen: first, LastSeen: last}
		}
		s.Count += n
		s.Members++
		if first.Before(s.FirstSeen) {
			s.FirstSeen = first
		}
		if last.After(s.LastSeen) {
			s.LastSeen = last
		}
		found[id] = s
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]status.Sightings, 0, len(found))
	for _, s := range found {
		out = append(out, s)
	}
	return out, nil
}

func (t *totals) ownName(tx Tx, id string) (name string, own bool, err error) {
	copies, err := tx.PublisherCopies(t.self, id)
	if err != nil || len(copies) == 0 {
		return "", false, err
	}
	o, err := stix.Parse(copies[len(copies)-1].Raw, stix.Limits{})
	if err != nil {
		return "", true, nil
	}
	return o.Name, true, nil
}
