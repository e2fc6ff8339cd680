package match

import (
	"hash/maphash"
	"slices"
	"strings"

	"shieldwall/internal/event"
	"shieldwall/internal/sigma"
)

// plan is what an event of one kind has to meet.
type plan struct {
	live  *snapshot // whose shelves it is made of
	steps []step
	// everyField: a rule looks at all fields, also those nobody names.
	everyField bool
	// choice has the fields that the steps and indicators look at.
	choice event.Choice
}

// step is one shelf to be met, under a view.
type step struct {
	shelf *shelf
	view  *view
	id    string  // an event id, folded
	byID  *bucket // the shelf's bucket for it
}

// plan works out the shelves that an event meets, and the fields that are looked at there. Rules without any
// logsource meet every event.
func (e *Engine) plan(ev *event.Event, live *snapshot) *plan {
	out := &plan{live: live}
	out.choice.By = out
	out.choice.Join(e.names.Always())
	id := fold(ev.EventID)
	add := func(ls sigma.Logsource, v *view) {
		if found := live.shelves[ls]; found != nil {
			out.add(step{shelf: found, view: v, id: id, byID: found.byID[id]})
			if v != nil {
				out.choice.Add(e.names.Want(v.sources()...)...)
			}
		}
	}
	add(sigma.Logsource{}, nil)
	for _, src := range e.router.sources(ev, nil) {
		add(src.Logsource, src.view)
	}
	if live.indicators.count > 0 {
		out.choice.Join(&live.indicators.choice)
	}
	return out
}

func (p *plan) add(st step) {
	p.steps = append(p.steps, st)
	p.everyField = p.everyField || st.shelf.everyField()
	for _, b := range [...]*bucket{st.shelf.any, st.byID} {
		if b != nil {
			for _, seg := range b.segments {
				p.choice.Join(&seg.choice)
			}
		}
	}
}

// chosen gives the plan that an event's fields were chosen by; nil if that is not what it has to meet now.
func (e *Engine) chosen(ev *event.Event, live *snapshot) *plan {
	p, ok := ev.Choice.By.(*plan)
	if !ok || p.live != live || ev.Product+ev.Category+ev.Service != "" || len(ev.Also) > 0 {
		return nil
	}
	return p
}

// choose tells a decoder what of an event log's record is looked at.
func (e *Engine) choose(ev *event.Event) *event.Choice {
	if ev.Channel == "" || ev.EventID == "" {
		return nil // other formats get their names, and what they are, from fields
	}
	s := e.pool.Get().(*scratch)
	defer e.pool.Put(s)
	return &s.routes.find(ev, e.live.Load()).choice
}

func (s *shelf) everyField() bool {
	found := s.any.everyField()
	for _, b := range s.byID {
		found = found || b.everyField()
	}
	return found
}

func (b *bucket) everyField() bool {
	return b != nil && slices.ContainsFunc(b.segments, func(s *segment) bool { return s.program.Keywords() })
}

// mayHoldKeyword tells whether all fields of an event have to be looked at; raw is its own text, empty where
// that is not known. The fields of a view, which are not in it, are looked at in any case.
func (p *plan) mayHoldKeyword(raw string) bool {
	if raw == "" {
		return true
	}
	for i := range p.steps {
		st := &p.steps[i]
		for _, b := range [...]*bucket{st.shelf.any, st.byID} {
			if b.everyField() && b.mayHoldKeyword(raw) {
				return true
			}
		}
	}
	return false
}

func (b *bucket) mayHoldKeyword(raw string) bool {
	return slices.ContainsFunc(b.segments, func(s *segment) bool {
		return s.program.Keywords() && s.program.MayHoldKeyword(raw)
	})
}

// fields lists the fields that routing looks at.
func (r *router) fields() []string {
	var out []string
	for _, c := range windowsCategories {
		if c.field != "" {
			out = append(out, c.field)
		}
	}
	return out
}

// viewed lists the fields that views are made of.
func (r *router) viewed() []string {
	var out []string
	for _, c := range windowsCategories {
		if c.view != nil {
			out = append(out, c.view.sources()...)
		}
	}
	return out
}

// routes remembers plans, so that routing an event is one look-up. Its size is fixed: events of crafted
// channels push others out and cost themselves time, no memory. One goroutine uses it at a time.
type routes struct {
	engine *Engine
	seed   maphash.Seed
	live   *snapshot     // whose plans they are
	always *event.Choice // as of when they were made
	lines  [routeLines][routeWays]route
	next   uint8
}

const (
	routeLines = 512
	routeWays  = 4
	// maxRouteKey bounds the text of a key that is kept, in bytes.
	maxRouteKey = 1024
)

func newRoutes(e *Engine) *routes { return &routes{engine: e, seed: maphash.MakeSeed()} }

// route is a remembered plan.
type route struct {
	hash uint64
	facts
	conditions []*category
	outcomes   uint64 // of the conditions, a bit each
	plan       *plan
}

// facts are what routing looks at, conditions aside. also is the event's further services, joined: few
// events have any.
type facts struct{ channel, id, provider, product, category, service, also string }

func factsOf(ev *event.Event) facts {
	f := facts{ev.Channel, ev.EventID, ev.Provider, ev.Product, ev.Category, ev.Service, ""}
	if len(ev.Also) > 0 {
		f.also = strings.Join(ev.Also, "\x00")
	}
	return f
}

func (f *facts) size() int {
	return len(f.channel) + len(f.id) + len(f.provider) + len(f.product) + len(f.category) + len(f.service) + len(f.also)
}

func (r *routes) hash(f *facts) uint64 {
	// Events are told apart by channel and id nearly always; the rest is compared.
	return maphash.String(r.seed, f.channel)*31 + maphash.String(r.seed, f.id) + uint64(len(f.provider)+len(f.service)<<8+len(f.category)<<16)
}

// find returns the plan for an event, worked out now if it is not remembered.
func (r *routes) find(ev *event.Event, live *snapshot) *plan {
	if always := r.engine.names.Always(); r.live != live || r.always != always {
		r.lines = [routeLines][routeWays]route{}
		r.live, r.always = live, always
	}
	f := factsOf(ev)
	h := r.hash(&f)
	line := &r.lines[h%routeLines]
	for i := range line {
		if x := &line[i]; x.plan != nil && x.hash == h && x.facts == f && outcomes(x.conditions, ev) == x.outcomes {
			return x.plan
		}
	}
	p := r.engine.plan(ev, live)
	if f.size() > maxRouteKey {
		return p
	}
	conditions := r.engine.router.conditions(ev)
	if len(conditions) > 64 {
		return p
	}
	r.next++
	line[r.next%routeWays] = route{h, f.clone(), conditions, outcomes(conditions, ev), p}
	return p
}

func (f facts) clone() facts {
	return facts{strings.Clone(f.channel), strings.Clone(f.id), strings.Clone(f.provider),
		strings.Clone(f.product), strings.Clone(f.category), strings.Clone(f.service), strings.Clone(f.also)}
}

// conditions lists the categories of an event's channel, provider and id that also look at a field.
func (r *router) conditions(ev *event.Event) []*category {
	var out []*category
	for _, place := range []string{fold(ev.Channel), fold(ev.Provider)} {
		list := r.categories[place+"\x00"+ev.EventID]
		for i := range list {
			if list[i].field != "" {
				out = append(out, &list[i])
			}
		}
	}
	return out
}

func outcomes(conditions []*category, ev *event.Event) uint64 {
	out := uint64(0)
	for i, c := range conditions {
		if hasValue(ev, c.field, c.values) {
			out |= 1 << i
		}
	}
	return out
}
