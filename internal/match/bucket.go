package match

import (
	"cmp"
	"maps"
	"runtime"
	"slices"

	"shieldwall/internal/event"
	"shieldwall/internal/match/program"
	"shieldwall/internal/sigma"
)

// liveRule is one rule of a live unit.
type liveRule struct {
	*rule
	unit     *unit
	sequence uint64       // in the order of addition
	shown    []event.Slot // of fields
	costs    costs
}

// shelves are the live rules by logsource. They are immutable.
type shelves map[sigma.Logsource]*shelf

// shelf holds the rules of one logsource: those that name the event ids they are about by id, so that an
// event meets them alone; a rule stands in the bucket of each of its ids.
type shelf struct {
	any  *bucket
	byID map[string]*bucket
}

// bucket is compiled rules in segments, old and large ones first.
type bucket struct {
	segments []*segment
}

// segment is rules compiled together.
type segment struct {
	program *program.Program
	rules   []*liveRule  // by their numbers in the program
	choice  event.Choice // the fields they look at
	dead    int          // those removed since; guarded by the engine's mu
}

// Limits of what has not been merged.
const (
	// deltaSize is how many rules are compiled anew with each rule that arrives where nobody runs Run.
	deltaSize = 16
	// deltaValues bounds the same by the rules' values: some rules have a thousand.
	deltaValues = 1000
	// maxSegments is how many segments a bucket has before a writer merges them itself.
	maxSegments = 6
	// maxSegmentsRun is the same while Run is there to merge them.
	maxSegmentsRun = 48
	// fanout is how many segments of one order of size (a power of it) Run merges while rules keep arriving: a
	// rule is compiled once an order.
	fanout = 8
	// maxEventIDs bounds the buckets that one rule stands in.
	maxEventIDs = 16
)

// place is one bucket's address.
type place struct {
	logsource sigma.Logsource
	id        string
	any       bool
}

func (r *rule) places() []place {
	if len(r.eventIDs) == 0 {
		return []place{{logsource: r.logsource, any: true}}
	}
	out := make([]place, len(r.eventIDs))
	for i, id := range r.eventIDs {
		out[i] = place{logsource: r.logsource, id: id}
	}
	return out
}

func (s shelves) at(p place) *bucket {
	found := s[p.logsource]
	switch {
	case found == nil:
		return nil
	case p.any:
		return found.any
	}
	return found.byID[p.id]
}

// change is one Update's work on the shelves.
type change struct {
	engine  *Engine
	old     shelves
	added   map[place][]*liveRule
	touched []place // in the order of first mention
	due     bool    // there is something for Run to merge
}

func newChange(e *Engine, old shelves) *change {
	return &change{engine: e, old: old, added: map[place][]*liveRule{}}
}

func (c *change) touch(p place) {
	if _, known := c.added[p]; !known {
		c.added[p] = nil
		c.touched = append(c.touched, p)
	}
}

func (c *change) add(r *liveRule) {
	for _, p := range r.places() {
		c.touch(p)
		c.added[p] = append(c.added[p], r)
	}
}

// remove marks a unit as removed from a version on.
func (c *change) remove(u *unit, version uint64) {
	u.removed.Store(version)
	for _, r := range u.live {
		for _, p := range r.places() {
			c.touch(p)
			for _, seg := range c.old.at(p).segments {
				if _, found := slices.BinarySearchFunc(seg.rules, r.sequence, bySequence); found {
					seg.dead++
				}
			}
		}
	}
}

func bySequence(r *liveRule, sequence uint64) int { return cmp.Compare(r.sequence, sequence) }

// finish makes the new shelves; they share what was not touched.
func (c *change) finish() shelves {
	if len(c.touched) == 0 {
		return c.old
	}
	out := maps.Clone(c.old)
	if out == nil {
		out = shelves{}
	}
	cloned := map[sigma.Logsource]bool{}
	for _, p := range c.touched {
		b := c.bucket(c.old.at(p), c.added[p])
		out.put(p, b, cloned)
	}
	return out
}

// put replaces a bucket; nil takes it away. It copies a shelf before it first writes to it.
func (s shelves) put(p place, b *bucket, cloned map[sigma.Logsource]bool) {
	next := s[p.logsource]
	if !cloned[p.logsource] {
		cloned[p.logsource] = true
		fresh := &shelf{byID: map[string]*bucket{}}
		if next != nil {
			fresh.any = next.any
			maps.Copy(fresh.byID, next.byID)
		}
		next = fresh
		s[p.logsource] = next
	}
	switch {
	case p.any:
		next.any = b
	case b == nil:
		delete(next.byID, p.id)
	default:
		next.byID[p.id] = b
	}
	if next.any == nil && len(next.byID) == 0 {
		delete(s, p.logsource)
		delete(cloned, p.logsource)
	}
}

// bucket adds rules to a bucket and takes what was removed out of its small segments.
func (c *change) bucket(old *bucket, added []*liveRule) *bucket {
	next := &bucket{}
	if old != nil {
		next.segments = slices.Clone(old.segments)
	}
	if n := len(next.segments); n > 0 && !c.engine.running() && len(added)+len(next.segments[n-1].rules) <= deltaSize &&
		values(added)+values(next.segments[n-1].rules) <= deltaValues {
		added = append(next.segments[n-1].alive(), added...)
		next.segments = next.segments[:n-1]
	}
	for i, seg := range next.segments {
		if seg.dead > 0 && len(seg.rules) <= 2*deltaSize || 2*seg.dead > len(seg.rules) {
			next.segments[i] = c.engine.compile(seg.alive())
		}
	}
	if len(added) > 0 {
		next.segments = append(next.segments, c.engine.compile(added))
	}
	next.segments = slices.DeleteFunc(next.segments, func(s *segment) bool { return len(s.rules) == 0 || s.dead == len(s.rules) })
	if len(next.segments) > c.engine.maxSegments() {
		from := max(next.settle(), 0)
		next.segments = append(next.segments[:from:from], c.engine.compile(alive(next.segments[from:])))
		c.engine.merges++
	}
	if len(next.segments) == 0 {
		return nil
	}
	c.due = c.due || next.settle() >= 0
	return next
}

// running tells whether Run is there to merge.
func (e *Engine) running() bool { return e.mergers.Load() > 0 }

func (e *Engine) maxSegments() int {
	if e.running() {
		return maxSegmentsRun
	}
	return maxSegments
}

func values(rules []*liveRule) int {
	n := 0
	for _, r := range rules {
		n += r.values
	}
	return n
}

// busy returns the first segment of those that are worth merging while rules keep arriving, -1 if there are
// none: as many of one order of size as fanout, with the smaller ones behind them.
func (b *bucket) busy() int {
	from := -1
	for count, order, i := 0, 1, len(b.segments)-1; i >= 0; i-- {
		for size := len(b.segments[i].rules); size >= order*fanout; count = 0 {
			order *= fanout
		}
		if count++; count >= fanout {
			from = i
		}
	}
	return from
}

// settle returns the first segment of those that are worth merging at rest, -1 if there are none: the sizes of
// segments fall by half at least, and few of their rules were removed.
func (b *bucket) settle() int {
	after := 0
	from := -1
	for i := len(b.segments) - 1; i >= 0; i-- {
		seg := b.segments[i]
		size := len(seg.rules)
		if i < len(b.segments)-1 && size < 2*after || seg.dead > 2*deltaSize && 4*seg.dead > size {
			from = i
		}
		after += size
	}
	if from == len(b.segments)-1 && b.segments[from].dead == 0 {
		return -1
	}
	return from
}

// alive returns a segment's rules that have not been removed.
func (s *segment) alive() []*liveRule {
	out := make([]*liveRule, 0, len(s.rules))
	for _, r := range s.rules {
		if r.unit.removed.Load() == 0 {
			out = append(out, r)
		}
	}
	return out
}

func alive(segments []*segment) []*liveRule {
	var out []*liveRule
	for _, s := range segments {
		out = append(out, s.alive()...)
	}
	slices.SortFunc(out, func(a, b *liveRule) int { return cmp.Compare(a.sequence, b.sequence) })
	return out
}

// compile makes a segment. Rules were checked by CompileSigma, so that none can fail.
func (e *Engine) compile(rules []*liveRule) *segment { return compile(rules, e.shared, nil) }

// mergeOne merges one bucket that is due, and tells whether there was one. It makes way for whatever else
// wants the processor.
func (e *Engine) mergeOne(due func(*bucket) int) bool {
	e.mu.Lock()
	p, from, segments := e.dueMerge(due)
	e.mu.Unlock()
	if from < 0 {
		return false
	}
	merged := compile(alive(segments), e.shared, runtime.Gosched)
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.live.Load()
	b := old.shelves.at(p)
	if b == nil || len(b.segments) < from+len(segments) || !slices.Equal(b.segments[from:from+len(segments)], segments) {
		return true // a writer was here first: look again
	}
	for _, r := range merged.rules {
		if r.unit.removed.Load() != 0 {
			merged.dead++
		}
	}
	next := &bucket{segments: slices.Clone(b.segments[:from])}
	if merged.dead < len(merged.rules) {
		next.segments = append(next.segments, merged)
	}
	next.segments = append(next.segments, b.segments[from+len(segments):]...)
	if len(next.segments) == 0 {
		next = nil
	}
	snap := *old
	snap.version++
	snap.shelves = maps.Clone(old.shelves)
	snap.shelves.put(p, next, map[sigma.Logsource]bool{})
	e.live.Store(&snap)
	e.merges++
	return true
}

// dueMerge finds a bucket with something to merge.
func (e *Engine) dueMerge(due func(*bucket) int) (p place, from int, segments []*segment) {
	check := func(at place, b *bucket) bool {
		if b == nil {
			return false
		}
		if from = due(b); from >= 0 {
			p, segments = at, slices.Clone(b.segments[from:])
		}
		return from >= 0
	}
	for ls, s := range e.live.Load().shelves {
		if check(place{logsource: ls, any: true}, s.any) {
			return p, from, segments
		}
		for id, b := range s.byID {
			if check(place{logsource: ls, id: id}, b) {
				return p, from, segments
			}
		}
	}
	return place{}, -1, nil
}
