package correlate

import (
	"math"
	"slices"
	"sort"
)

// entry is one event in a group.
type entry struct {
	place
	rules  ruleSet // the references it is a hit of
	number float64
	value  *value
	origin *origin
	record string
	carry  []carried
	bytes  int
}

// value is what value_count counts: a field's text, or several.
type value struct {
	text string
	held int // by so many events of the group
	in   int // of the window that the measure looks at
}

// carried is a field that another correlation asks for.
type carried struct {
	text string
	ok   bool
}

// origin is where events come from.
type origin struct{ source, computer, channel, eventID string }

// group is what a correlation holds for one combination of group-by values.
type group struct {
	of    *correlation
	key   string
	shown []string // the values as they first came

	entries []entry // by place
	rules   []places
	values  map[string]*value
	// The measure has added entries[lo:hi].
	measure measure
	lo, hi  int
	// used are the first moments of windows that were told or turned down: what happened in one belongs to it.
	used []int64

	newest int64 // by the events' own time
	passed int64 // what mark was when something was last forgotten: it does not go back behind that
	// next is the first entry that was not looked at yet by a correlation that waits; where open, a window that
	// begins at opened is to be judged.
	next   int
	open   bool
	opened int64

	touched        int64 // by the engine's clock, when newest last rose
	wake           int64 // when the engine's clock should look at it
	slot           int   // in the engine's heap
	older, younger *group
	bytes          int
}

// never is before all times.
const never = math.MinInt64

// mark is the moment before which events come too late: no event of the group is expected from before it.
func (g *group) mark(clock int64) int64 {
	late := g.of.late
	if late == forever {
		return g.passed
	}
	return max(g.passed, g.newest+max(clock-g.touched, 0)-late)
}

// wakeAt is when, by the engine's clock, mark reaches due.
func (g *group) wakeAt() int64 {
	if g.of.late == forever {
		return math.MaxInt64 // only an end will tell
	}
	return g.touched + g.due() + g.of.late - g.newest
}

// first finds the first entry at or after a moment.
func (g *group) first(at int64) int {
	if n := len(g.entries); n == 0 || g.entries[n-1].time < at {
		return n // nearly always
	}
	return sort.Search(len(g.entries), func(i int) bool { return g.entries[i].time >= at })
}

// usedUp tells whether a moment lies in a window that was told or turned down.
func (g *group) usedUp(at int64) bool {
	i := sort.Search(len(g.used), func(i int) bool { return g.used[i] > at })
	return i > 0 && at < g.used[i-1]+g.of.span
}

// insert puts an entry in its place.
func (g *group) insert(e entry) int {
	i := len(g.entries)
	for i > 0 && e.before(g.entries[i-1].place) {
		i--
	}
	switch {
	case i <= g.lo:
		g.lo, g.hi = g.lo+1, g.hi+1
	case i < g.hi:
		g.move(g.lo, i) // what lies behind moves on
	}
	g.entries = slices.Insert(g.entries, i, e)
	if i < g.next {
		g.next, g.open = i, false // late: the windows that it is in look different now
	}
	for rule := range g.rules {
		if e.rules.has(rule) {
			g.rules[rule].insert(e.place)
		}
	}
	return i
}

// remove takes entries out.
func (g *group) remove(from, to int) {
	if from == to {
		return
	}
	if from <= g.lo {
		g.move(max(g.lo, min(to, g.hi)), g.hi)
	} else if from < g.hi {
		g.move(g.lo, from)
	}
	for i := from; i < to; i++ {
		e := &g.entries[i]
		g.of.pay(g, -e.bytes)
		if e.value != nil {
			if e.value.held--; e.value.held == 0 {
				delete(g.values, e.value.text)
				g.of.pay(g, -valueBytes-len(e.value.text))
			}
		}
		for rule := range g.rules {
			if e.rules.has(rule) {
				g.rules[rule].remove(e.place)
			}
		}
	}
	g.of.events -= to - from
	n := to - from
	if from == 0 {
		clear(g.entries[:to])
		g.entries = g.entries[to:]
	} else {
		g.entries = slices.Delete(g.entries, from, to)
	}
	shift := func(at int) int {
		switch {
		case at >= to:
			return at - n
		case at > from:
			return from
		}
		return at
	}
	g.lo, g.hi, g.next = shift(g.lo), shift(g.hi), shift(g.next)
}

// move makes the measure's window entries[lo:hi].
func (g *group) move(lo, hi int) {
	if g.measure == nil {
		g.lo, g.hi = lo, hi
		return
	}
	if hi <= g.lo || lo >= g.hi { // nothing in common
		for ; g.hi > g.lo; g.hi-- {
			g.measure.remove(&g.entries[g.hi-1])
		}
		g.lo, g.hi = lo, lo
	}
	for ; g.hi < hi; g.hi++ {
		g.measure.add(&g.entries[g.hi])
	}
	for ; g.lo > lo; g.lo-- {
		g.measure.add(&g.entries[g.lo-1])
	}
	for ; g.hi > hi; g.hi-- {
		g.measure.remove(&g.entries[g.hi-1])
	}
	for ; g.lo < lo; g.lo++ {
		g.measure.remove(&g.entries[g.lo])
	}
}

// verdict is what a window came to.
type verdict struct {
	count float64
	// opens says that the lower bounds hold, holds that all do.
	opens, holds bool
}

// look reckons over entries[lo:hi], which are not none.
func (g *group) look(lo, hi int) verdict {
	p := g.of.plan
	if g.measure != nil {
		g.move(lo, hi)
		v := g.measure.value()
		return verdict{v, opens(p.bounds, v), within(p.bounds, v)}
	}
	g.move(lo, hi)
	s := stretch{g.rules, g.entries[lo].place, g.entries[hi-1].place}
	n := s.together()
	if g.of.inOrder() && opens(p.bounds, float64(n)) {
		n = s.chain() // which costs more, and is no more
	}
	v := verdict{float64(n), opens(p.bounds, float64(n)), within(p.bounds, float64(n))}
	if p.Sequence == nil {
		return v
	}
	gone := func(rule int) bool { return !s.seen(rule) }
	v.opens = v.opens && g.expression(s, func(int) bool { return true })
	v.holds = v.holds && v.opens && g.expression(s, gone)
	return v
}

func (g *group) expression(s stretch, absent func(int) bool) bool {
	if g.of.inOrder() {
		return s.ordered(g.of.plan.Sequence, absent)
	}
	return holds(g.of.plan.Sequence, false, s.seen, absent)
}

// completed looks for a window that the entry at an index completes: the earliest moment, from its own on and
// before its timespan has passed, at which what lies within the timespan before is enough.
func (g *group) completed(at int) {
	from, span := g.entries[at].time, g.of.span
	lo := g.first(from - span + 1)
	if end := g.first(from + span); g.measure == nil && at+1 < end && !g.look(lo, end).holds {
		return // not even if the timespan were longer
	}
	for i := at; i < len(g.entries) && g.entries[i].time < from+span; i++ {
		now := g.entries[i].time
		if i+1 < len(g.entries) && g.entries[i+1].time == now {
			continue // they happened together
		}
		for g.entries[lo].time <= now-span {
			lo++
		}
		if v := g.look(lo, i+1); v.holds {
			g.of.tell(g, v.count, lo, i+1)
			g.use(g.entries[lo].time)
			return
		}
	}
}

// use closes a window: what happened in it is used up, and what will come of it, too.
func (g *group) use(from int64) {
	i, _ := slices.BinarySearch(g.used, from)
	g.used = slices.Insert(g.used, i, from)
	g.of.pay(g, usedBytes)
	if len(g.used) > maxUsed {
		g.unuse(1)
	}
	start := g.first(from)
	g.remove(start, g.first(from+g.of.span))
	g.next, g.open = start, false
}

// settle looks at everything before a moment, in its order, for a correlation that waits.
func (g *group) settle(mark int64) {
	for g.of.mode != atOnce && g.opening(mark) {
		if g.of.mode == settled {
			continue
		}
		if mark < g.opened+g.of.span {
			return
		}
		lo, hi := g.first(g.opened), g.first(g.opened+g.of.span)
		if v := g.look(lo, hi); v.holds {
			g.of.tell(g, v.count, lo, hi)
		}
		g.use(g.opened)
	}
}

// opening looks for the first moment at which a window opens, or, of a correlation that is told then, tells.
func (g *group) opening(mark int64) bool {
	if g.open {
		return true
	}
	for g.next < len(g.entries) && g.entries[g.next].time < mark {
		now := g.entries[g.next].time
		end := g.next + 1
		for end < len(g.entries) && g.entries[end].time == now {
			end++
		}
		lo := g.first(now - g.of.span + 1)
		v := g.look(lo, end)
		g.next = end
		switch {
		case g.of.mode == settled && v.holds:
			g.of.tell(g, v.count, lo, end)
			g.use(g.entries[lo].time)
			return true
		case g.of.mode == atClose && v.opens:
			g.open, g.opened = true, g.entries[lo].time
			return true
		}
	}
	return false
}

// expire forgets what no event that is still expected can share a window with.
func (g *group) expire(mark int64) {
	if mark == never {
		return
	}
	g.passed = mark
	gone := mark - g.of.span
	g.remove(0, g.first(gone+1))
	i := sort.Search(len(g.used), func(i int) bool { return g.used[i]+g.of.span > gone+1 })
	g.unuse(i)
}

// unuse forgets the first windows that were used up.
func (g *group) unuse(n int) {
	g.used = g.used[n:]
	g.of.pay(g, -n*usedBytes)
}

// due is the moment that mark has to reach for something to happen in the group without a new event: at the latest
// all of it is forgotten.
func (g *group) due() int64 {
	at := g.newest + g.of.span
	switch {
	case g.of.mode == atOnce:
	case g.open:
		at = min(at, g.opened+g.of.span)
	case g.next < len(g.entries):
		at = min(at, g.entries[g.next].time+1)
	}
	return at
}
