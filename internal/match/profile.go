package match

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// costs is what a rule cost in the events that were measured.
type costs struct{ looked, held, nanoseconds atomic.Int64 }

// RuleCost says what looking at one rule cost, in the events that were measured.
type RuleCost struct {
	Key
	Attribution
	Looked int64 // events that had one of the rule's witnesses
	Held   int64 // events that the rule holds for
	Time   time.Duration
}

// Measure makes Match measure the rules in one of so many events; 0 stops it. What was measured stays.
func (e *Engine) Measure(oneIn int) { e.sample.Store(int64(max(oneIn, 0))) }

// Costs lists the live rules that events were checked against while Measure was on, the costly ones first.
func (e *Engine) Costs() []RuleCost {
	var out []RuleCost
	e.mu.Lock()
	for _, u := range e.units {
		for _, r := range u.live {
			if looked := r.costs.looked.Load(); looked > 0 {
				out = append(out, RuleCost{u.Key, r.Attribution, looked, r.costs.held.Load(), time.Duration(r.costs.nanoseconds.Load())})
			}
		}
	}
	e.mu.Unlock()
	slices.SortFunc(out, func(a, b RuleCost) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.RuleID, b.RuleID), cmp.Compare(a.Publisher, b.Publisher), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// measured decides whether this event is measured.
func (s *scratch) measured(oneIn int64) bool {
	if oneIn == 0 {
		return false
	}
	s.events++
	return s.events%oneIn == 0
}

// book adds what a program's run measured to its rules.
func (s *scratch) book(seg *segment) {
	for _, c := range s.run.Costs {
		x := &seg.rules[c.Rule].costs
		x.looked.Add(1)
		x.nanoseconds.Add(int64(c.Time))
		if c.Held {
			x.held.Add(1)
		}
	}
}

// Stats says what the engine is made of.
type Stats struct {
	Rules, Indicators int
	// Buckets are the groups of rules that events meet together; Segments are what they are compiled to:
	// one each after a merge.
	Buckets, Segments int
	// Delta counts the rules in segments that are not merged yet, Removed those that a merge will drop.
	Delta, Removed int
	Merges         int // since the start
	// Of the compiled programs, which hold a rule once for each event id that it is about: questions that
	// rules share, literals that are looked for, rules that are looked at for every event, rules that are
	// looked at wherever a field is there at all, and their memory in bytes, roughly.
	Atoms, Witnesses, Always, Present, Bytes int
	// Fields counts the field names that intelligence asks for.
	Fields int
}

// Stats counts what is live.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.live.Load()
	out := Stats{Rules: s.ruleCount, Indicators: s.indicators.count, Merges: e.merges, Fields: e.names.Len()}
	for _, found := range s.shelves {
		out.add(found.any)
		for _, b := range found.byID {
			out.add(b)
		}
	}
	return out
}

func (s *Stats) add(b *bucket) {
	if b == nil {
		return
	}
	s.Buckets++
	for i, seg := range b.segments {
		p := seg.program.Stats()
		s.Segments++
		s.Removed += seg.dead
		if i > 0 {
			s.Delta += p.Rules
		}
		s.Atoms += p.Atoms
		s.Witnesses += p.Witnesses
		s.Always += p.Always
		s.Present += p.Present
		s.Bytes += p.Bytes
	}
}
