package match

import (
	"cmp"
	"slices"
	"strings"

	"shieldwall/internal/event"
	"shieldwall/internal/match/program"
)

// scratch is the memory of one Match call, reused.
type scratch struct {
	routes      *routes
	raw, viewed *program.Record
	viewing     viewing
	run         program.Run
	full        event.Event // the event with all its fields, where it came without
	met         []met
	texts       []string  // of EventID, where it is a list
	left        int64     // events until one is measured, while there are any
	cost        measuring // of the event at hand, if it is measured

	found []found
}

// met is a rule that an event met.
type met struct {
	step   int
	rule   *liveRule
	record *program.Record
}

func newScratch(e *Engine) *scratch {
	return &scratch{routes: newRoutes(e), raw: program.NewRecord(e.names), viewed: program.NewRecord(e.names)}
}

// Match calls yield for every rule and indicator that the event meets, rules first, in an order that
// depends only on how intelligence was added. The event is only read; yield may keep the hit.
func (e *Engine) Match(ev *event.Event, yield func(Hit)) {
	s := e.pool.Get().(*scratch)
	defer e.pool.Put(s)
	if s.run.Profile = s.measured(e.sample.Load()); s.run.Profile {
		e.measure(ev, s, yield)
		return
	}
	e.match(ev, s, yield)
}

func (e *Engine) match(ev *event.Event, s *scratch, yield func(Hit)) {
	live := e.live.Load()
	var p *plan
	if ev.Choice != nil {
		p = e.chosen(ev, live)
	}
	if ev.Rest != nil && (ev.Names != e.names || ev.Asked < e.names.Len() || ev.Choice != nil && p == nil) {
		// What was left out of it was nothing to another engine, or to this one a moment ago.
		ev = s.rest(ev)
	}
	if len(live.shelves) > 0 {
		if p == nil {
			p = s.routes.find(ev, live)
		}
		e.rules(ev, p, s, yield)
	}
	if live.indicators.count > 0 {
		if s.run.Profile {
			s.found = s.timed(&live.indicators, ev, e.now())
		} else {
			s.found = live.indicators.match(ev, e.now(), s.found[:0])
		}
		for _, f := range s.found {
			yield(f.hit())
		}
		clear(s.found)
	}
	s.full = event.Event{}
}

// rest is the event with all its fields.
func (s *scratch) rest(ev *event.Event) *event.Event {
	s.full = *ev
	s.full.Rest(&s.full)
	s.full.Rest = nil
	return &s.full
}

func (e *Engine) rules(ev *event.Event, p *plan, s *scratch, yield func(Hit)) {
	if len(p.steps) == 0 {
		return
	}
	s.run.NoKeywords = false
	switch {
	case ev.Rest == nil:
	case !e.oneID(ev):
		ev = s.rest(ev) // it meets rules that nobody thought of when its fields were chosen
	case p.everyField:
		if s.run.NoKeywords = !p.mayHoldKeyword(ev.Raw); !s.run.NoKeywords {
			ev = s.rest(ev)
		}
	}
	live := p.live
	s.raw.Load(nil, ev.Fields, ev.Names)
	s.met = s.met[:0]
	var viewed *view
	for i := range p.steps {
		st := &p.steps[i]
		r := s.raw
		if st.view != nil {
			if r = s.viewed; viewed != st.view {
				viewed = st.view
				r.Load(s.viewing.of(viewed, ev), ev.Fields, ev.Names)
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
}

// oneID tells whether an event has the one id by which it is routed, or none.
func (e *Engine) oneID(ev *event.Event) bool {
	for i := range ev.Fields {
		if f := &ev.Fields[i]; f.Slot == e.id {
			return f.Value.Kind != event.List && f.Value.Text == ev.EventID
		}
	}
	return ev.EventID == ""
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
		yield(Hit{Key: m.rule.unit.Key, Rule: m.rule.index, Attribution: m.rule.Attribution, Candidate: m.rule.unit.Candidate, Fields: m.rule.show(m.record, m.record == s.viewed)})
	}
	clear(s.met)
	s.met = s.met[:0]
}

// show returns the fields that the rule names, as far as the event has them. The texts of a view are copied,
// for its memory is used again.
func (r *liveRule) show(rec *program.Record, view bool) []event.Field {
	var out []event.Field
	for i, slot := range r.shown {
		if v := rec.Value(slot); v != nil {
			f := event.Field{Name: r.fields[i], Value: *v}
			if view {
				f.Value.Text = strings.Clone(f.Value.Text)
			}
			out = append(out, f)
		}
	}
	return out
}
