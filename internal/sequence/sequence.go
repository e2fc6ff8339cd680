// Package sequence has the last word about STIX patterns on live events: it evaluates what the engine's
// rules found likely, and remembers, for patterns of several observations, which of them were seen.
//
// Everything is bounded: what one pattern remembers, what all do, and the work that one event costs.
// Observations count by the time of their events, so that late ones still find their place. As STIX says
// (section 9.7), observations may come from anywhere: a pattern is not kept apart by host.
package sequence

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/object"
	"shieldwall/internal/observed"
	"shieldwall/internal/stixpattern"
)

const (
	// MaxNeeded bounds the observations that one pattern can ask for, such as REPEATS 1000 TIMES.
	MaxNeeded = 1000
	// MaxRoom bounds the observations that all patterns together may remember; a pattern whose share does
	// not fit is refused when it is added, so that memory is known beforehand.
	MaxRoom = 100_000
	// maxSteps bounds the search for a binding that one event causes in one pattern, and stepsEach what its
	// searches may take in the long run for each observation: about 20 microseconds. What is not used is
	// saved up to maxSteps.
	maxSteps, stepsEach = 500_000, 2_000
	// maxWork is what evaluating one pattern may cost at once, in comparisons, and workEach what it may cost in
	// the long run for each event that there is, whether the pattern is asked about it or not. What is not
	// used is saved up to maxWork. A pattern that costs more is stopped: its neighbours would pay for it.
	maxWork, workEach = 2_000_000, 20
	// maxUndecided is how many searches of a pattern may be given up without a match between them before it
	// is stopped: it would go on costing time and say nothing.
	maxUndecided = 100
	// maxNote bounds what is remembered of an event for the analyst, in bytes, and maxNotes how many of
	// them a detection shows.
	maxNote, maxNotes = 200, 16
)

// ErrNoRoom says that the patterns that are live already may remember all that can be remembered.
var ErrNoRoom = fmt.Errorf("patterns of several observations: no room, all together remember at most %d observations", MaxRoom)

// Patterns are the live patterns. Their methods may be called concurrently.
type Patterns struct {
	mu   sync.RWMutex // guards the fields below
	live map[object.Key]*state
	room int // promised

	events atomic.Int64 // looked at
	stats  counters
}

type counters struct {
	mu sync.Mutex
	Stats
}

// Stats is what happened since the start.
type Stats struct {
	// Evicted observations were forgotten for want of room before they took part in a match.
	Evicted int64
	// Undecided searches were given up.
	Undecided int64
}

// state is one pattern and what it remembers.
type state struct {
	pattern *stixpattern.Pattern
	room    int // 0: one observation decides
	window  time.Duration
	bounded bool // window counts

	mu        sync.Mutex         // guards the fields below
	kept      []kept             // in the order of arrival
	kinds     []stixpattern.Kind // of what is kept; a number of 0 is free
	steps     int                // saved up
	undecided int
	work      int64  // saved up
	events    int64  // that work was saved for
	stopped   string // why; empty while it runs
	cost      Cost   // but for what is kept
}

// kept is one remembered observation.
type kept struct {
	stixpattern.Seen
	kind int // index in kinds
	note string
}

// New returns no patterns.
func New() *Patterns { return &Patterns{live: map[object.Key]*state{}} }

// Check tells why a pattern cannot be live, whatever else is.
func Check(p *stixpattern.Pattern) error {
	if n := p.Needs(); n > MaxNeeded {
		return fmt.Errorf("the pattern asks for %d observations, at most %d are remembered", n, MaxNeeded)
	}
	return nil
}

// Add makes a pattern live under a key, in place of the one before. What an unchanged pattern remembers is
// lost with it, too: there is nothing to tell them apart by.
func (p *Patterns) Add(key object.Key, pattern *stixpattern.Pattern) error {
	if err := Check(pattern); err != nil {
		return err
	}
	s := &state{pattern: pattern, steps: maxSteps, work: maxWork, events: p.events.Load()}
	s.window, s.bounded = pattern.Window()
	if !pattern.Single() {
		s.room = int(4*pattern.Needs()) + 4*min(pattern.Tests(), 64) + 16
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	room := p.room + s.room
	if old := p.live[key]; old != nil {
		room -= old.room
	}
	if room > MaxRoom {
		return ErrNoRoom
	}
	p.live[key], p.room = s, room
	return nil
}

// Remove forgets patterns; keys of none do no harm.
func (p *Patterns) Remove(keys ...object.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range keys {
		if s := p.live[key]; s != nil {
			p.room -= s.room
			delete(p.live, key)
		}
	}
}

// Stopped gives the patterns that match no more because they cost too much, and why.
func (p *Patterns) Stopped() map[object.Key]string {
	out := map[object.Key]string{}
	p.mu.RLock()
	defer p.mu.RUnlock()
	for key, s := range p.live {
		s.mu.Lock()
		if s.stopped != "" {
			out[key] = s.stopped
		}
		s.mu.Unlock()
	}
	return out
}

// Several tells whether some pattern asks for several observations: what it finds depends on the order in which
// events come.
func (p *Patterns) Several() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, s := range p.live {
		if s.room > 0 {
			return true
		}
	}
	return false
}

// Stats gives the counts.
func (p *Patterns) Stats() Stats {
	p.stats.mu.Lock()
	defer p.stats.mu.Unlock()
	return p.stats.Stats
}

// Cost is what one pattern cost since it is live.
type Cost struct {
	Key object.Key
	// Asked counts the events that were likely, Held those that completed the pattern.
	Asked, Held int64
	Time        time.Duration
	// Kept observations wait for others; there is place for Room.
	Kept, Room int
	Stopped    string // why; empty while it runs
}

// Costs lists the patterns that were asked, the costly ones first.
func (p *Patterns) Costs() []Cost {
	var out []Cost
	p.mu.RLock()
	for key, s := range p.live {
		s.mu.Lock()
		if c := s.cost; c.Asked > 0 {
			c.Key, c.Kept, c.Room, c.Stopped = key, len(s.kept), s.room, s.stopped
			out = append(out, c)
		}
		s.mu.Unlock()
	}
	p.mu.RUnlock()
	slices.SortFunc(out, func(a, b Cost) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Key.Publisher, b.Key.Publisher), cmp.Compare(a.Key.ID, b.Key.ID))
	})
	return out
}

// Glance is one event being looked at; it is for one goroutine.
type Glance struct {
	patterns *Patterns
	event    *event.Event
	at       time.Time
	objects  stixpattern.Objects // once ready
	ready    bool
}

// Look begins with an event that happened at a time. It costs nothing until a pattern is asked about.
func (p *Patterns) Look(ev *event.Event, at time.Time) Glance {
	if y := at.UTC().Year(); y < 1 || y > 9999 {
		at = time.Time{} // a hostile record may name any year
	}
	p.events.Add(1)
	return Glance{patterns: p, event: ev, at: at}
}

// Confirm tells whether the event completes a pattern that the engine found likely, and which other events
// took part: their times, hosts and records. Observations that took part in a match are used up.
func (g *Glance) Confirm(key object.Key) (others []string, ok bool) {
	g.patterns.mu.RLock()
	s := g.patterns.live[key]
	g.patterns.mu.RUnlock()
	if s == nil || !s.runs() { // withdrawn, or stopped
		return nil, false
	}
	start := time.Now()
	others, ok = g.confirm(s)
	s.book(ok, time.Since(start))
	return others, ok
}

func (g *Glance) confirm(s *state) (others []string, ok bool) {
	if !g.ready {
		g.objects, g.ready = observed.Objects(g.event), true
	}
	before := g.objects.Work()
	tests := s.pattern.Look(g.objects)
	s.pay(g.objects.Work()-before, g.patterns.events.Load())
	if tests.Empty() {
		return nil, false
	}
	seen := stixpattern.Seen{First: g.at, Last: g.at, Tests: tests}
	if s.room == 0 {
		budget := maxSteps
		found, err := s.pattern.Bind([]stixpattern.Seen{seen}, &budget)
		return nil, err == nil && found != nil
	}
	return g.complete(s, kept{Seen: seen, note: g.note()})
}

// complete adds an observation to what a pattern remembers and looks for a binding that it belongs to. There
// was none before it came, for those that are found are used up.
func (g *Glance) complete(s *state, one kept) (others []string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) == s.room {
		s.evict()
		g.patterns.stats.add(func(st *Stats) { st.Evicted++ })
	}
	one.kind = s.kindOf(one.Tests)
	s.kept = append(s.kept, one)
	s.steps = min(max(s.steps, 0)+stepsEach, maxSteps)
	near, enough := s.near(one.First)
	if !enough {
		return nil, false
	}
	seen := make([]stixpattern.Seen, len(near))
	for i, at := range near {
		seen[i] = s.kept[at].Seen
	}
	found, err := s.pattern.Bind(seen, &s.steps)
	if errors.Is(err, stixpattern.ErrUndecided) {
		s.undecided++
		if s.undecided >= maxUndecided {
			s.stopped = "on too many events its observations have too many ways to be combined"
		}
		g.patterns.stats.add(func(st *Stats) { st.Undecided++ })
	}
	if err != nil || found == nil {
		return nil, false
	}
	s.undecided = 0
	return s.use(near, found), true
}

func (s *state) runs() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped == ""
}

// book notes what asking the pattern once cost.
func (s *state) book(held bool, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cost.Asked++
	s.cost.Time += took
	if held {
		s.cost.Held++
	}
}

// pay takes work off what was saved up for the events that there were.
func (s *state) pay(work, events int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.work = min(s.work+(events-s.events)*workEach, maxWork) - work
	s.events = events
	if s.work < 0 && s.stopped == "" {
		s.stopped = "it costs too much on too many events"
	}
}

// near lists the remembered observations that can be in one binding with one at a time, and tells whether
// they can be enough for one.
func (s *state) near(at time.Time) (list []int, enough bool) {
	if !s.pattern.Enough(s.kinds) { // a flood of one kind ends here
		return nil, false
	}
	list = make([]int, 0, len(s.kept))
	kinds := make([]stixpattern.Kind, len(s.kinds))
	for i, k := range s.kept {
		if d := at.Sub(k.First); !s.bounded || d <= s.window && -d <= s.window {
			list = append(list, i)
			kinds[k.kind].Tests = k.Tests
			kinds[k.kind].Number++
		}
	}
	return list, s.pattern.Enough(kinds)
}

// kindOf counts one more observation with these tests.
func (s *state) kindOf(tests stixpattern.Set) int {
	free := -1
	for i, k := range s.kinds {
		if k.Number == 0 {
			free = i
		} else if slices.Equal(k.Tests, tests) {
			s.kinds[i].Number++
			return i
		}
	}
	if free < 0 {
		free = len(s.kinds)
		s.kinds = append(s.kinds, stixpattern.Kind{})
	}
	s.kinds[free] = stixpattern.Kind{Tests: tests, Number: 1}
	return free
}

// use takes the observations of a binding out; the last of all is the event that completed it.
func (s *state) use(near, found []int) (others []string) {
	used := map[int]bool{}
	for _, i := range found {
		at := near[i]
		used[at] = true
		if at != len(s.kept)-1 && len(others) < maxNotes {
			others = append(others, s.kept[at].note)
		}
	}
	rest := make([]kept, 0, len(s.kept)-len(used))
	for i, k := range s.kept {
		if !used[i] {
			rest = append(rest, k)
		} else {
			s.kinds[k.kind].Number--
		}
	}
	s.kept = rest
	return others
}

// evict forgets the oldest observation of the most frequent kind, so that what happens all the time does not
// displace what happens once.
func (s *state) evict() {
	most := 0
	for i, k := range s.kinds {
		if k.Number > s.kinds[most].Number {
			most = i
		}
	}
	i := slices.IndexFunc(s.kept, func(k kept) bool { return k.kind == most })
	s.kinds[most].Number--
	copy(s.kept[1:i+1], s.kept[:i]) // it is among the oldest: fewer move than those behind it
	s.kept[0] = kept{}
	s.kept = s.kept[1:]
}

func (c *counters) add(change func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.Stats)
}

// Others makes a field of what Confirm returns, for a detection.
func Others(notes []string) event.Field {
	items := make([]event.Value, len(notes))
	for i, n := range notes {
		items[i] = event.Str(n)
	}
	return event.Field{Name: "OtherObservations", Value: event.Value{Kind: event.List, Items: items}}
}

// note says for an analyst which event this is.
func (g *Glance) note() string {
	out := g.at.UTC().Format(time.RFC3339Nano)
	for _, part := range []string{g.event.Computer, g.event.Source, g.event.Record} {
		if part != "" {
			out += " " + part
		}
	}
	return out[:min(len(out), maxNote)]
}
