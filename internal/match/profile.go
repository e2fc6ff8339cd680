package match

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync/atomic"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/match/literal"
	"shieldwall/internal/match/program"
	"shieldwall/internal/status"
)

// costs is what a rule cost in the events that were measured.
type costs struct{ looked, held, nanoseconds atomic.Int64 }

// spent is what the events cost that were measured.
type spent struct{ events, total, rules, indicators atomic.Int64 }

// measuring is what one measured event cost so far.
type measuring struct{ rules, indicators, outside time.Duration }

// RuleCost says what looking at one rule cost, in the events that were measured.
type RuleCost struct {
	Key
	Attribution
	Looked int64 // times that an event had one of the rule's witnesses
	Held   int64 // of them, those that the rule held for
	Time   time.Duration
	Filing program.Filing // the worst, where the rule stands in several places

	live *liveRule
}

// Measure makes Match measure one in so many events; 0 stops it. What was measured stays.
func (e *Engine) Measure(oneIn int) { e.sample.Store(int64(max(oneIn, 0))) }

// Costs lists the live rules that events were checked against while Measure was on, the costly ones first.
func (e *Engine) Costs() []RuleCost {
	var out []RuleCost
	live := e.live.Load()
	for r, filed := range live.filing() {
		held := r.costs.held.Load() // before looked, which is counted first
		if looked := r.costs.looked.Load(); looked > 0 && r.unit.in(live.version) {
			out = append(out, RuleCost{r.unit.Key, r.Attribution, looked, held, time.Duration(r.costs.nanoseconds.Load()), filed, r})
		}
	}
	slices.SortFunc(out, func(a, b RuleCost) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.RuleID, b.RuleID), cmp.Compare(a.Publisher, b.Publisher),
			cmp.Compare(a.ID, b.ID), cmp.Compare(a.live.sequence, b.live.sequence))
	})
	return out
}

// filing says when rules are looked at, at the worst.
func (s *snapshot) filing() map[*liveRule]program.Filing {
	out := map[*liveRule]program.Filing{}
	s.each(func(b *bucket) {
		for _, seg := range b.segments {
			for i, r := range seg.rules {
				out[r] = max(out[r], seg.program.Filing(uint32(i)))
			}
		}
	})
	return out
}

// each calls do with all buckets.
func (s *snapshot) each(do func(*bucket)) {
	for _, found := range s.shelves {
		if found.any != nil {
			do(found.any)
		}
		for _, b := range found.byID {
			do(b)
		}
	}
}

// measured decides whether this event is measured. The first one is any of the next so many, so that a scratch
// that does not live as long measures its share, too.
func (s *scratch) measured(oneIn int64) bool {
	if oneIn == 0 {
		return false
	}
	if s.left == 0 || s.left > oneIn {
		s.left = 1 + int64(maphash.String(s.routes.seed, "")%uint64(oneIn))
	}
	if s.left--; s.left > 0 {
		return false
	}
	s.left = oneIn
	return true
}

// measure is match with a look at the clock. What yield does is not the engine's.
func (e *Engine) measure(ev *event.Event, s *scratch, yield func(Hit)) {
	s.cost = measuring{}
	start := time.Now()
	e.match(ev, s, func(h Hit) {
		at := time.Now()
		yield(h)
		s.cost.outside += time.Since(at)
	})
	e.spent.events.Add(1)
	e.spent.total.Add(int64(time.Since(start) - s.cost.outside))
	e.spent.rules.Add(int64(s.cost.rules))
	e.spent.indicators.Add(int64(s.cost.indicators))
}

// timed looks for indicators and at the clock.
func (s *scratch) timed(sets *indicatorSets, ev *event.Event, now time.Time) []found {
	start := time.Now()
	out := sets.match(ev, now, s.found[:0])
	s.cost.indicators = time.Since(start)
	return out
}

// book adds what a program's run measured to its rules.
func (s *scratch) book(seg *segment) {
	for _, c := range s.run.Costs {
		x := &seg.rules[c.Rule].costs
		x.looked.Add(1)
		x.nanoseconds.Add(int64(c.Time))
		s.cost.rules += c.Time
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
	// Read is what the rules take as they were read, in bytes, roughly: segments are compiled from them again.
	Read int
	// Fields counts the field names that intelligence asks for.
	Fields int
}

// Stats counts what is live.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.live.Load()
	out := Stats{Rules: s.ruleCount, Indicators: s.indicators.count, Read: s.ruleBytes, Merges: e.merges, Fields: e.names.Len()}
	s.each(out.add)
	return out
}

func (s *Stats) add(b *bucket) {
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

// Size is what the engine is made of, to be shown.
func (e *Engine) Size() status.Engine {
	s, ind := e.Stats(), e.IndicatorStats()
	return status.Engine{
		Rules: s.Rules, Buckets: s.Buckets, Segments: s.Segments, Delta: s.Delta, Removed: s.Removed, Merges: s.Merges,
		Questions: s.Atoms, Witnesses: s.Witnesses, ByField: s.Present, Always: s.Always, Fields: s.Fields, ProgramBytes: s.Bytes, RuleBytes: s.Read,
		Indicators: ind.Values, Lists: ind.Owners, IndicatorBytes: ind.Bytes, Cut: ind.Cut,
	}
}

// Profile says what was measured, with the costliest rules, at most so many, and what the engine is made of.
func (e *Engine) Profile(most int) status.Profile {
	list := e.Costs()
	out := status.Profile{
		OneIn: int(e.sample.Load()), Measured: e.spent.events.Load(), Looked: len(list), Rules: []status.RuleCost{},
		Nanoseconds: status.Spent{Total: e.spent.total.Load(), Rules: e.spent.rules.Load(), Indicators: e.spent.indicators.Load()},
		Engine:      e.Size(),
	}
	for i := range list[:min(len(list), max(most, 0))] {
		out.Rules = append(out.Rules, list[i].shown(e.shared.Model, out.Nanoseconds.Rules))
	}
	return out
}

// shown is the cost for a profile in which all rules cost so many nanoseconds.
func (c *RuleCost) shown(m *literal.Model, all int64) status.RuleCost {
	out := status.RuleCost{
		RuleID: c.RuleID, Title: c.Title, Publisher: c.Publisher, Looked: c.Looked, Held: c.Held, Nanoseconds: int64(c.Time),
		Filed: [...]string{program.ByText: status.FiledByText, program.ByField: status.FiledByField, program.Always: status.FiledAlways}[c.Filing],
		Why:   program.Explain(c.live.detection, m, c.Filing),
	}
	if c.Publisher == "" {
		out.File = c.ID
	} else {
		out.Object = c.ID
	}
	if all > 0 {
		out.Share = float64(c.Time) / float64(all)
	}
	return out
}
