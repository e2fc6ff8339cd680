// Package correlate runs Sigma correlation rules (Sigma Correlation Rules Specification 2.1.0) over the hits of
// detection rules, live and on recordings.
//
// # Windows
//
// Events count by their own time, for each combination of group-by values apart. A correlation holds at an
// event's time t if its condition does for the events in (t - timespan, t], wherever that begins: windows slide.
// The first event in there opens the window that is told, and the window is as long as the timespan. What happens in
// it, before the telling or after, is used up: a burst is told once a timespan, not once an event.
//
//   - Conditions that more events cannot break (gt and gte of counts and sums, rules that must be seen) are told with
//     the event that completes them.
//   - Those with an upper bound (lt, lte, eq, neq) or a rule that must not be seen are judged by the whole window: the
//     lower bounds, and the rules that must be seen, open it, and once no event of it can come any more, all must hold.
//     Otherwise "gte: 10, lt: 50" would be told of a burst of thousands at its tenth event.
//   - Averages and percentiles go up and down: they are looked at for each t, once no earlier event can come.
//
// A sum is told when it reaches its lower bound, though a negative number may come and take it back.
//
// # Out of order
//
// An event may come later than one of its group that happened up to Options.Lateness after it. What comes later
// still is counted as late; it takes part as long as events are held that it may share a window with, and is
// dropped otherwise. Each group has its own idea of the time, by its newest event: a host whose clock is wrong or
// whose log is read late disturbs no other. What is decided by later events alone needs the engine's clock when
// none come (Advance), or an end (Finish).
//
// A record that is held already is not counted again, whatever file it comes from.
//
// # Fields
//
// An event without one of the group-by fields, or whose is null, is not counted; neither is one without a field
// whose values count, or whose value is no number where numbers are asked for. Values are compared without case, as all
// of Sigma's are; a list counts as one value. For temporal_ordered an event is one step at most, and events of the same
// time are in the order in which they came.
//
// # Bounds
//
// What is held is bounded for each group, each correlation and all of them. A correlation that has too many groups
// forgets those that were longest without an event, and no other correlation pays for it; where all together are too
// much, the largest pays.
package correlate

import (
	"cmp"
	"container/heap"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/object"
	"shieldwall/internal/sigma"
)

const (
	// MaxCorrelations bounds the correlations of one engine.
	MaxCorrelations = sigma.MaxCorrelations
	// MaxRules bounds the rules that one correlation refers to, MaxOrdered those of temporal_ordered with an
	// expression, and MaxFields those that it groups by, and those that it counts.
	MaxRules, MaxOrdered, MaxFields = sigma.MaxRefs, 10, sigma.MaxGroupBy
	// MaxDepth bounds chains of correlations over correlations.
	MaxDepth = sigma.MaxChain
	// MaxEvents bounds the events that one group holds. Of more, the earliest is forgotten; where that is still to
	// be judged with others that are complete, they are judged.
	MaxEvents = 10_000
	// MaxGroups bounds the groups of one correlation, and MaxBytes what all of them take; MaxTotal is for all
	// correlations.
	MaxGroups, MaxBytes, MaxTotal = 20_000, 16 << 20, 64 << 20
	// MaxHits bounds the events that an alert shows, the first and the last ones of its window.
	MaxHits = 16

	// maxProjected bounds the different field values with which one alert takes part in other correlations.
	maxProjected = 64
	// maxUsed bounds the windows that a group remembers as used up.
	maxUsed = 1024
	// maxSame is how many events of one moment a new one is compared with, to know a record again.
	maxSame = 256
	// maxText bounds a value that is compared or shown, in bytes; longer ones are known by their SHA-256.
	maxText = 256
	// What is held costs about so many bytes beside its texts.
	entryBytes, groupBytes, valueBytes, usedBytes = 170, 450, 120, 16
)

// DefaultLateness is by how much events may be out of order unless an engine is told otherwise.
const DefaultLateness = time.Minute

// Unordered is the lateness of recordings: no event comes too late as long as there is room, and what needs an
// end is told by Finish.
const Unordered time.Duration = math.MaxInt64

const forever = int64(Unordered)

// Key identifies a detection rule or a correlation.
type Key = object.Key

// Options say how an engine works; the zero value will do for a recording in order.
type Options struct {
	// Lateness is by how much events may be out of order; 0 means DefaultLateness.
	Lateness time.Duration
	// Now is the clock by which windows close where no more events come; nil: time stands still.
	Now func() time.Time
}

// Engine runs correlations. Its methods may be called concurrently.
type Engine struct {
	lateness int64
	now      func() time.Time
	limits   limits

	mu      sync.Mutex // guards the fields below
	live    map[Key]*correlation
	order   int
	levels  [][]*correlation // by depth, in the order of being added
	edges   map[Key][]edge
	loud    map[Key]bool // referred to by a correlation that generates
	wakes   wakes
	bytes   int
	arrived uint64
	clock   int64
	told    []*telling
	total   Stats // of correlations that are gone, and of events that reach none
}

// limits are the constants; tests have smaller ones.
type limits struct{ events, groups, bytes, total int }

// New returns an engine without correlations.
func New(opt Options) *Engine {
	e := &Engine{
		lateness: latenessOf(opt.Lateness), now: opt.Now, live: map[Key]*correlation{}, edges: map[Key][]edge{},
		loud: map[Key]bool{}, limits: limits{MaxEvents, MaxGroups, MaxBytes, MaxTotal},
	}
	if e.now == nil {
		e.now = func() time.Time { return time.Unix(0, 0) }
	}
	return e
}

func latenessOf(d time.Duration) int64 {
	if d == 0 {
		d = DefaultLateness
	}
	if d > sigma.MaxTimespan {
		return forever // times are reckoned with in 64 bits
	}
	return max(int64(d), 0)
}

// Update takes correlations out and puts others in, in place of those of the same key. If it fails, nothing has
// changed. A correlation that is unchanged and of which others ask the same as before keeps what it holds.
func (e *Engine) Update(add []Rule, remove []Key) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	next := make(map[Key]*correlation, len(e.live)+len(add))
	for key, c := range e.live {
		next[key] = c
	}
	for _, key := range remove {
		delete(next, key)
	}
	order := e.order
	for _, r := range add {
		p, err := newPlan(r, order)
		if err != nil {
			return fmt.Errorf("correlation %s: %w", r.Key.ID, err)
		}
		order++
		next[r.Key] = newCorrelation(e, p)
	}
	if len(next) > MaxCorrelations {
		return fmt.Errorf("%d correlations, at most %d can run", len(next), MaxCorrelations)
	}
	levels, err := levelsOf(next)
	if err != nil {
		return err
	}
	for key, c := range e.live {
		if next[key] != c {
			c.forget()
			e.total.add(c.stats)
		}
	}
	e.order, e.live, e.levels = order, next, levels
	e.link()
	return nil
}

// levelsOf sorts correlations by how far they are from detection rules.
func levelsOf(all map[Key]*correlation) ([][]*correlation, error) {
	depths, asked := map[Key]int{}, map[Key]bool{}
	var depth func(c *correlation) (int, error)
	depth = func(c *correlation) (int, error) {
		if d, done := depths[c.Key]; done {
			return d, nil
		}
		if asked[c.Key] {
			return 0, fmt.Errorf("correlation %s: it refers to itself by way of others", c.Key.ID)
		}
		asked[c.Key] = true
		d := 0
		for _, key := range c.Refs {
			child := all[key]
			if child == nil {
				continue
			}
			below, err := depth(child)
			if err != nil {
				return 0, err
			}
			d = max(d, below+1)
		}
		if d >= MaxDepth {
			return 0, fmt.Errorf("correlation %s: a chain of more than %d correlations", c.Key.ID, MaxDepth)
		}
		depths[c.Key] = d
		return d, nil
	}
	levels := make([][]*correlation, MaxDepth)
	for _, c := range all {
		d, err := depth(c)
		if err != nil {
			return nil, err
		}
		levels[d] = append(levels[d], c)
	}
	for _, level := range levels {
		slices.SortFunc(level, func(a, b *correlation) int { return cmp.Compare(a.order, b.order) })
	}
	return levels, nil
}

// link works out what depends on other correlations, from the top down and then up again.
func (e *Engine) link() {
	clear(e.edges)
	clear(e.loud)
	for d := len(e.levels) - 1; d >= 0; d-- {
		for _, c := range e.levels[d] {
			c.depth, c.parents = d, e.edges[c.Key]
			var carry []string
			for _, p := range c.parents {
				carry = append(carry, p.from.asks(p.index)...)
			}
			c.carries(carry)
			for i, key := range c.Refs {
				e.edges[key] = append(e.edges[key], edge{c, i})
				e.loud[key] = e.loud[key] || c.Generate
			}
		}
	}
	for _, level := range e.levels {
		for _, c := range level {
			c.late = e.lateness
			for _, key := range c.Refs {
				if child := e.live[key]; child != nil {
					c.late = addLate(e.lateness, child.takes(), c.late)
				}
			}
		}
	}
}

// addLate is the larger of a lateness and one more than another, none of them beyond forever.
func addLate(own, more, least int64) int64 {
	if own > forever-more {
		return forever
	}
	return max(own+more, least)
}

// Len counts the correlations.
func (e *Engine) Len() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.live)
}

// Wanted tells whether a correlation refers to a rule.
func (e *Engine) Wanted(key Key) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.edges[key]) > 0
}

// Silent tells whether what a rule finds is for correlations alone: some refer to it, and none has "generate".
func (e *Engine) Silent(key Key) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.silent(key)
}

func (e *Engine) silent(key Key) bool { return len(e.edges[key]) > 0 && !e.loud[key] }

// Asks lists the fields that correlations want to know of a rule's events, each once and sorted.
func (e *Engine) Asks(key Key) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, p := range e.edges[key] {
		out = append(out, p.from.asks(p.index)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Hit says that an event met a rule.
type Hit struct {
	Key Key
	// Fields are looked at before the event's own: the matcher may have seen it under other names.
	Fields []event.Field
}

// Add takes an event that happened at a time, with the rules that it met, and gives what is told by it. Nothing
// of the event is kept but copies. Hits of rules that nothing refers to do no harm.
func (e *Engine) Add(ev *event.Event, at time.Time, hits ...Hit) []Alert {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ev.Rest != nil { // the fields that only correlations ask for
		all := *ev
		ev.Rest(&all)
		ev = &all
	}
	o := occurrence{event: ev, hits: make([]sighting, 0, len(hits))}
	for _, h := range hits {
		if len(e.edges[h.Key]) > 0 {
			o.hits = append(o.hits, sighting{key: h.Key, fields: h.Fields, event: ev})
		}
	}
	if len(o.hits) == 0 {
		return nil
	}
	if !usable(at) {
		e.total.Untimed++
		return nil
	}
	o.at = at.UnixNano()
	e.clock = e.now().UnixNano()
	e.take(&o)
	return e.alerts()
}

// Advance tells what is decided because time has passed, by the engine's clock.
func (e *Engine) Advance() (out []Alert) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clock = e.now().UnixNano()
	var due []*group
	for len(e.wakes) > 0 && e.wakes[0].wake <= e.clock {
		due = append(due, heap.Pop(&e.wakes).(*group))
	}
	// Correlations over others have their turn when those have told.
	slices.SortStableFunc(due, func(a, b *group) int { return cmp.Compare(a.of.depth, b.of.depth) })
	for i, g := range due {
		if g.of.groups[g.key] == g { // not forgotten meanwhile
			start := time.Now()
			e.wakeUp(g)
			g.of.cost.Time += time.Since(start)
		}
		if i+1 == len(due) || due[i+1].of.depth > g.of.depth {
			e.sortTold()
			out = append(out, e.alerts()...)
		}
	}
	return out
}

// sortTold puts what one look at the clock tells in the order of time, as correlations over it should see it.
func (e *Engine) sortTold() {
	slices.SortStableFunc(e.told, func(a, b *telling) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.of.order, b.of.order), cmp.Compare(a.group, b.group))
	})
}

// wakeUp does what is due in a group by the engine's clock.
func (e *Engine) wakeUp(g *group) {
	mark := g.mark(e.clock)
	g.settle(mark)
	if mark >= g.newest+g.of.span {
		g.of.drop(g)
	} else {
		e.schedule(g)
	}
}

// Finish tells what an end of all events decides, and forgets everything that was held.
func (e *Engine) Finish() []Alert {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []Alert
	e.clock = e.now().UnixNano()
	for _, level := range e.levels {
		for _, c := range level {
			start := time.Now()
			for g := c.oldest; g != nil; g = c.oldest {
				g.settle(math.MaxInt64)
				c.drop(g)
			}
			c.cost.Time += time.Since(start)
		}
		e.sortTold()
		out = append(out, e.alerts()...)
	}
	return out
}

// take hands an occurrence to the correlations that its hits are for.
func (e *Engine) take(o *occurrence) {
	e.arrived++
	// Most occurrences have one hit, and few correlations share a rule.
	var done []*correlation
	for _, h := range o.hits {
		for _, p := range e.edges[h.key] {
			if !slices.Contains(done, p.from) {
				done = append(done, p.from)
				start := time.Now()
				p.from.take(o)
				p.from.cost.Taken++
				p.from.cost.Time += time.Since(start)
			}
		}
	}
}

// alerts empties what was told, hands it to the correlations over it, and so on.
func (e *Engine) alerts() (out []Alert) {
	for len(e.told) > 0 {
		t := e.told[0]
		e.told = e.told[1:]
		out = append(out, t.Alert)
		if len(t.of.parents) > 0 {
			e.take(t.occurrence())
		}
	}
	return out
}

// schedule sees to it that the engine's clock looks at a group in time. It may look too early, so that most events
// change nothing here.
func (e *Engine) schedule(g *group) {
	wake := g.wakeAt()
	switch {
	case g.slot < 0:
		g.wake = wake
		heap.Push(&e.wakes, g)
	case wake < g.wake:
		g.wake = wake
		heap.Fix(&e.wakes, g.slot)
	}
}

// wakes is a heap of groups by when the clock should look at them.
type wakes []*group

func (w wakes) Len() int           { return len(w) }
func (w wakes) Less(i, j int) bool { return w[i].wake < w[j].wake }

func (w wakes) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].slot, w[j].slot = i, j
}

// Push and Pop are heap.Interface's.
func (w *wakes) Push(x any) {
	g := x.(*group)
	g.slot = len(*w)
	*w = append(*w, g)
}

// Pop takes the last one off.
func (w *wakes) Pop() any {
	old := *w
	g := old[len(old)-1]
	old[len(old)-1] = nil
	*w = old[:len(old)-1]
	g.slot = -1
	return g
}

// StatsOf gives one correlation's counts.
func (e *Engine) StatsOf(key Key) (st Stats, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.live[key]; c != nil {
		return c.stats.with(c), true
	}
	return Stats{}, false
}

// Stats gives the counts of all correlations together.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.total
	for _, c := range e.live {
		out.add(c.stats.with(c))
	}
	return out
}

// Cost is what one correlation cost since it is live.
type Cost struct {
	Key   Key
	About *sigma.Rule // its attributes
	Taken int64       // events, and alerts of other correlations, that were handed to it
	Time  time.Duration
	Peak  int // the most bytes that it held
	Stats Stats
}

// Costs lists the correlations, the costly ones first.
func (e *Engine) Costs() []Cost {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]Cost, 0, len(e.live))
	for _, level := range e.levels {
		for _, c := range level {
			cost := c.cost
			cost.Key, cost.About, cost.Stats = c.Key, c.Attributes, c.stats.with(c)
			out = append(out, cost)
		}
	}
	slices.SortStableFunc(out, func(a, b Cost) int { return cmp.Compare(b.Time, a.Time) })
	return out
}

// inOrder tells whether the order of rules matters.
func (p *plan) inOrder() bool { return p.Type == sigma.TemporalOrdered }
