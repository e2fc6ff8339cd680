package match

import (
	"cmp"
	"slices"

	"shieldwall/internal/event"
	"shieldwall/internal/match/program"
)

// scratch is the memory of one Match call, reused.
type scratch struct {
	routes      *routes
	raw, viewed *program.Record
	run         program.Run
	full        event.Event // the event with all its fields, where it came without
	met         []met
	texts       []string // of EventID, where it is a list
	events      int64    // while rules are measured

	indicators record
	found      []found
}

// met is a rule that an event met.
type met struct {
	step   int
	rule   *liveRule
	record *program.Record
}

func newScratch(names *event.Names) *scratch {
	return &scratch{raw: program.NewRecord(names), viewed: program.NewRecord(names)}
}

// Match calls yield for every rule and indicator that the event meets, rules first, in an order that
// depends only on how intelligence was added. The event is only read; yield may keep the hit.
func (e *Engine) Match(ev *event.Event, yield func(Hit)) {
	live := e.live.Load()
	s := e.pool.Get().(*scratch)
	if ev.Rest != nil && (ev.Names != e.names || ev.Asked < e.names.Len()) {
		// What was left out of it was nothing to another engine, or to this one a moment ago.
		s.full = *ev
		s.full.Rest(&s.full)
		ev = &s.full
	}
	defer e.pool.Put(s)
	if len(live.shelves) > 0 {
		e.rules(ev, live, s, yield)
	}
	if live.indicators.count > 0 {
		s.indicators.load(ev)
		s.found = live.indicators.match(&s.indicators, e.now(), s.found[:0])
		for _, f := range s.found {
			yield(f.hit())
		}
		clear(s.found)
		s.indicators.drop()
	}
}

func (e *Engine) rules(ev *event.Event, live *snapshot, s *scratch, yield func(Hit)) {
	if s.routes == nil {
		s.routes = newRoutes(e.router)
	}
	p := s.routes.find(ev, live)
	if len(p.steps) == 0 {
		return
	}
	if p.everyField && ev.Rest != nil && p.mayHoldKeyword(ev.Raw) {
		s.full = *ev
		s.full.Rest(&s.full)
		ev = &s.full
	}
	s.raw.Load(nil, ev.Fields, ev.Names)
	s.met = s.met[:0]
	s.run.Profile = s.measured(e.sample.Load())
	var viewed *view
	for i := range p.steps {
		st := &p.steps[i]
		r := s.raw
		if st.view != nil {
			if r = s.viewed; viewed != st.view {
				viewed = st.view
				r.Load(viewed.fields(ev), ev.Fields, ev.Names)
			}
			// Hits show values of the record they were met in, which the next view replaces.
			s.step(e, live, st, i, r)
			s.yield(e, live, yield)
			continue
		}
		s.step(e, live, st, i, r)
	}
	s.yield(e, live, yield)
	s.raw.Drop()
	s.viewed.Drop()
	s.full = event.Event{}
}

// step runs the programs of one shelf that an event meets.
func (s *scratch) step(e *Engine, live *snapshot, st *step, number int, r *program.Record) {
	if st.shelf.any != nil {
		s.bucket(e, live, st.shelf.any, number, r)
	}
	if len(st.shelf.byID) == 0 {
		return
	}
	v := r.Value(e.id)
	switch {
	case v == nil || v.Kind == event.Null:
	case v.Kind != event.List:
		if b := st.bucket(v.Text); b != nil {
			s.bucket(e, live, b, number, r)
		}
	default:
		s.texts = s.texts[:0]
		for _, item := range v.Items {
			if text := fold(item.Text); item.Kind != event.Null && !slices.Contains(s.texts, text) {
				s.texts = append(s.texts, text)
				if b := st.shelf.byID[text]; b != nil {
					s.bucket(e, live, b, number, r)
				}
			}
		}
	}
}

func (st *step) bucket(id string) *bucket {
	if id == st.id {
		return st.byID
	}
	return st.shelf.byID[fold(id)]
}

func (s *scratch) bucket(e *Engine, live *snapshot, b *bucket, number int, r *program.Record) {
	for _, seg := range b.segments {
		seg.program.Match(r, &s.run)
		if s.run.Profile {
			s.book(seg)
		}
		for _, n := range s.run.Rules {
			if x := seg.rules[n]; x.unit.in(live.version) {
				s.met = append(s.met, met{number, x, r})
			}
		}
	}
}

// yield hands out what was met, each rule once a shelf, in the order in which the rules came.
func (s *scratch) yield(e *Engine, live *snapshot, yield func(Hit)) {
	if len(s.met) == 0 {
		return
	}
	slices.SortStableFunc(s.met, func(a, b met) int {
		return cmp.Or(cmp.Compare(a.step, b.step), cmp.Compare(a.rule.sequence, b.rule.sequence))
	})
	now := e.now()
	for i, m := range s.met {
		if i > 0 && s.met[i-1].rule == m.rule && s.met[i-1].step == m.step || !m.rule.unit.valid(now) {
			continue
		}
		yield(Hit{Key: m.rule.unit.Key, Rule: m.rule.index, Attribution: m.rule.Attribution, Candidate: m.rule.unit.Candidate, Fields: m.rule.show(m.record)})
	}
	clear(s.met)
	s.met = s.met[:0]
}

// show returns the fields that the rule names, as far as the event has them.
func (r *liveRule) show(rec *program.Record) []event.Field {
	var out []event.Field
	for i, slot := range r.shown {
		if v := rec.Value(slot); v != nil {
			out = append(out, event.Field{Name: r.fields[i], Value: *v})
		}
	}
	return out
}
