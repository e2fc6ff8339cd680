package match

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/sigma"
)

// Engine matches events against live intelligence. All its methods may be called concurrently.
type Engine struct {
	now    func() time.Time
	router *router
	live   atomic.Pointer[snapshot]
	pool   sync.Pool // of *scratch

	mu    sync.Mutex    // serialises writers and guards units
	units map[Key]*unit // everything live
}

// unit is what one key contributes to the snapshot.
type unit struct {
	Compiled
}

// valid tells whether the unit may match at a time.
func (u *unit) valid(now time.Time) bool {
	return (u.From.IsZero() || !now.Before(u.From)) && (u.Until.IsZero() || now.Before(u.Until))
}

// snapshot is immutable once published.
type snapshot struct {
	rules      map[sigma.Logsource][]*rule
	indicators indicatorSets
	ruleCount  int
}

// New returns an empty engine. The clock decides what has expired.
func New(now func() time.Time) *Engine {
	e := &Engine{now: now, router: newRouter(), units: map[Key]*unit{}}
	e.pool.New = func() any { return new(scratch) }
	e.live.Store(&snapshot{})
	return e
}

// Update removes keys and then makes compiled intelligence live; a key that is already live is
// replaced. Events that Match meets afterwards see all of it, events in flight see the old state
// whole. It costs as much as the buckets it touches hold, so adding one rule is cheap and many are
// better given at once.
func (e *Engine) Update(add []Compiled, remove []Key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	out, fresh := map[*unit]bool{}, map[*unit]bool{}
	for _, key := range remove {
		if u := e.units[key]; u != nil {
			out[u] = true
			delete(e.units, key)
		}
	}
	order := make([]*unit, 0, len(add))
	for _, c := range add {
		if old := e.units[c.Key]; fresh[old] {
			delete(fresh, old) // add holds the key twice: the later one counts
		} else if old != nil {
			out[old] = true
		}
		u := &unit{c}
		e.units[c.Key], fresh[u] = u, true
		order = append(order, u)
	}
	in := slices.DeleteFunc(order, func(u *unit) bool { return !fresh[u] })
	e.live.Store(e.live.Load().edit(in, out))
}

// edit returns the snapshot without some units and with others. It shares what it does not change.
func (s *snapshot) edit(in []*unit, out map[*unit]bool) *snapshot {
	next := &snapshot{rules: maps.Clone(s.rules), ruleCount: s.ruleCount}
	if next.rules == nil {
		next.rules = map[sigma.Logsource][]*rule{}
	}
	touched := map[sigma.Logsource][]*rule{} // what each changed bucket gains
	for u := range out {
		for _, r := range u.rules {
			touched[r.logsource] = nil
			next.ruleCount--
		}
	}
	for _, u := range in {
		for _, r := range u.rules {
			r := *r // the same Compiled may live in several engines
			r.unit = u
			touched[r.logsource] = append(touched[r.logsource], &r)
			next.ruleCount++
		}
	}
	for ls, gained := range touched {
		old := s.rules[ls]
		bucket := make([]*rule, 0, len(old)+len(gained))
		for _, r := range old {
			if !out[r.unit] {
				bucket = append(bucket, r)
			}
		}
		bucket = append(bucket, gained...)
		if len(bucket) == 0 {
			delete(next.rules, ls)
			continue
		}
		next.rules[ls] = bucket
	}
	next.indicators = s.indicators.edit(in, out)
	return next
}

// Len counts what is live: rules, and indicators' values.
func (e *Engine) Len() (rules, indicators int) {
	s := e.live.Load()
	return s.ruleCount, s.indicators.count
}

// Has tells whether a key is live.
func (e *Engine) Has(key Key) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.units[key] != nil
}

// scratch is the memory of one Match call, reused.
type scratch struct {
	raw, viewed record
	sources     []source
	eval        evaluation
	found       []found
}

// Match calls yield for every rule and indicator that the event meets, rules first, in an order that
// depends only on how intelligence was added. The event is only read; yield may keep the hit.
func (e *Engine) Match(ev *event.Event, yield func(Hit)) {
	live := e.live.Load()
	s := e.pool.Get().(*scratch)
	defer e.pool.Put(s)
	s.sources = e.router.sources(ev, s.sources[:0])
	s.raw.load(ev, nil)
	defer s.raw.drop()
	now := e.now()
	s.rules(live.rules[sigma.Logsource{}], &s.raw, now, yield) // those meant for every event
	var viewed *view
	for _, src := range s.sources {
		bucket := live.rules[src.Logsource]
		if len(bucket) == 0 {
			continue
		}
		r := &s.raw
		if src.view != nil {
			if viewed != src.view {
				s.viewed.load(ev, src.view)
				viewed = src.view
			}
			r = &s.viewed
		}
		s.rules(bucket, r, now, yield)
	}
	if viewed != nil {
		s.viewed.drop()
	}
	if live.indicators.count > 0 {
		s.found = live.indicators.match(&s.raw, now, s.found[:0])
		for _, f := range s.found {
			yield(f.hit())
		}
		clear(s.found)
	}
	s.eval.rule = nil
}

func (s *scratch) rules(bucket []*rule, r *record, now time.Time, yield func(Hit)) {
	for _, x := range bucket {
		if !x.unit.valid(now) {
			continue
		}
		s.eval.rule, s.eval.record = x, r
		s.eval.known = append(s.eval.known[:0], make([]verdict, len(x.selections))...)
		if s.eval.expr(x.condition) {
			yield(Hit{Key: x.unit.Key, Attribution: x.Attribution, Candidate: x.unit.Candidate, Fields: x.shown(r)})
		}
	}
}
