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
	steps []step
	// everyField: a rule looks at all fields, also those nobody names.
	everyField bool
}

// step is one shelf to be met, under a view.
type step struct {
	shelf *shelf
	view  *view
	id    string  // an event id, folded
	byID  *bucket // the shelf's bucket for it
}

// plan works out the shelves that an event meets. Rules without any logsource meet every event.
func (r *router) plan(ev *event.Event, live shelves) *plan {
	out := &plan{}
	id := fold(ev.EventID)
	add := func(ls sigma.Logsource, v *view) {
		if found := live[ls]; found != nil {
			out.steps = append(out.steps, step{shelf: found, view: v, id: id, byID: found.byID[id]})
			out.everyField = out.everyField || found.everyField()
		}
	}
	add(sigma.Logsource{}, nil)
	for _, src := range r.sources(ev, nil) {
		add(src.Logsource, src.view)
	}
	return out
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
// that is not known.
func (p *plan) mayHoldKeyword(raw string) bool {
	if raw == "" {
		return true
	}
	for i := range p.steps {
		st := &p.steps[i]
		for _, b := range [...]*bucket{st.shelf.any, st.byID} {
			// A view's fields are not in the record's text.
			if b.everyField() && (st.view != nil || b.mayHoldKeyword(raw)) {
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

// fields lists the fields that routing looks at, and those that views are made of.
func (r *router) fields() []string {
	var out []string
	for _, c := range windowsCategories {
		if c.field != "" {
			out = append(out, c.field)
		}
		if c.view != nil {
			for _, a := range c.view.aliases {
				out = append(out, a.from)
			}
			out = append(out, c.view.also...)
		}
	}
	return out
}

// routes remembers plans, so that routing an event is one look-up. Its size is fixed: events of crafted
// channels push others out and cost themselves time, no memory. One goroutine uses it at a time.
type routes struct {
	router *router
	seed   maphash.Seed
	live   *snapshot // whose plans they are
	lines  [routeLines][routeWays]route
	next   uint8
}

const (
	routeLines = 128
	routeWays  = 4
	// maxRouteKey bounds the text of a key that is kept, in bytes.
	maxRouteKey = 1024
)

func newRoutes(r *router) *routes { return &routes{router: r, seed: maphash.MakeSeed()} }

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
	if r.live != live {
		r.lines = [routeLines][routeWays]route{}
		r.live = live
	}
	f := factsOf(ev)
	h := r.hash(&f)
	line := &r.lines[h%routeLines]
	for i := range line {
		if x := &line[i]; x.plan != nil && x.hash == h && x.facts == f && outcomes(x.conditions, ev) == x.outcomes {
			return x.plan
		}
	}
	p := r.router.plan(ev, live.shelves)
	if f.size() > maxRouteKey {
		return p
	}
	conditions := r.router.conditions(ev)
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
