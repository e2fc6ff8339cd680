package match

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/match/program"
)

// Engine matches events against live intelligence. All its methods may be called concurrently.
type Engine struct {
	now    func() time.Time
	router *router
	names  *event.Names
	shared *program.Shared
	id     event.Slot // of EventID
	live   atomic.Pointer[snapshot]
	pool   sync.Pool // of *scratch
	merge  chan struct{}
	// mergers counts the calls of Run: with one, writers leave merging to it much longer.
	mergers atomic.Int32
	sample  atomic.Int64 // how many events go by for each one that is measured; 0: none
	spent   spent

	mu       sync.Mutex    // serialises writers and guards what follows
	units    map[Key]*unit // everything live
	sequence uint64        // of the last rule added
	merges   int
}

// unit is what one key contributes.
type unit struct {
	Compiled
	live []*liveRule
	held holding // what it has in the sets of indicators
	// removed is the version of the first snapshot without the unit; 0 while it is live. A reader of an
	// older snapshot still sees it, so that removing costs nothing and every reader sees a whole state.
	removed atomic.Uint64
}

// bytes is what its rules take as they were read.
func (u *unit) bytes() int {
	n := 0
	for _, r := range u.rules {
		n += r.bytes
	}
	return n
}

// valid tells whether the unit may match at a time.
func (u *unit) valid(now time.Time) bool {
	return (u.From.IsZero() || !now.Before(u.From)) && (u.Until.IsZero() || now.Before(u.Until))
}

// expired tells whether the unit will never match again.
func (u *unit) expired(now time.Time) bool { return !u.Until.IsZero() && !now.Before(u.Until) }

// in tells whether a snapshot has the unit.
func (u *unit) in(version uint64) bool {
	removed := u.removed.Load()
	return removed == 0 || removed > version
}

// snapshot is immutable once published.
type snapshot struct {
	version    uint64
	shelves    shelves
	indicators indicatorSets
	ruleCount  int
	ruleBytes  int
}

// New returns an empty engine. The clock decides what has expired.
func New(now func() time.Time) *Engine {
	e := &Engine{
		now: now, router: newRouter(), names: new(event.Names), merge: make(chan struct{}, 1),
		units: map[Key]*unit{},
	}
	e.shared = &program.Shared{Names: e.names, Model: newModel()}
	e.id = e.names.WantAlways(fieldEventID)[0]
	e.names.WantAlways(e.router.fields()...)
	e.names.Want(e.router.viewed()...)
	e.pool.New = func() any { return newScratch(e) }
	e.live.Store(&snapshot{version: 1})
	e.names.SetChooser(e.choose)
	return e
}

// Names is the register of the field names that intelligence asks for. Decoders that are given it number
// fields by it and may leave the others out (event.Event.Rest).
func (e *Engine) Names() *event.Names { return e.names }

// Update removes keys and then makes compiled intelligence live; a key that is already live is
// replaced. Events that Match meets afterwards see all of it, events in flight see the old state
// whole. A rule is compiled with the few that came last; merging those into the base is left to Run, as
// long as they do not pile up.
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
		u := &unit{Compiled: c}
		e.units[c.Key], fresh[u] = u, true
		order = append(order, u)
	}
	in := slices.DeleteFunc(order, func(u *unit) bool { return !fresh[u] })
	e.publish(in, out)
}

// publish makes the snapshot without some units and with others.
func (e *Engine) publish(in []*unit, out map[*unit]bool) {
	old := e.live.Load()
	next := &snapshot{version: old.version + 1, ruleCount: old.ruleCount, ruleBytes: old.ruleBytes}
	change := newChange(e, old.shelves)
	for u := range out {
		change.remove(u, next.version)
		next.ruleCount -= len(u.live)
		next.ruleBytes -= u.bytes()
	}
	e.want(in)
	for _, u := range in {
		for _, r := range u.rules {
			e.sequence++
			live := &liveRule{rule: r, unit: u, sequence: e.sequence, shown: e.names.Want(r.fields...)}
			u.live = append(u.live, live)
			change.add(live)
		}
		next.ruleCount += len(u.live)
		next.ruleBytes += u.bytes()
	}
	next.shelves = change.finish()
	next.indicators = old.indicators
	if next.indicators.names == nil && slices.ContainsFunc(in, func(u *unit) bool { return len(u.indicators) > 0 }) {
		next.indicators = next.indicators.bound(e.names) // whoever has no indicators asks for no field for them
	}
	next.indicators = next.indicators.edit(in, out, e.now())
	e.live.Store(next)
	if change.due {
		select {
		case e.merge <- struct{}{}:
		default:
		}
	}
}

// want registers the fields that units ask for, all at once: the register is replaced at each change.
func (e *Engine) want(in []*unit) {
	var names []string
	for _, u := range in {
		for _, r := range u.rules {
			names = append(names, r.fields...)
		}
	}
	e.names.Want(names...)
}

// rest is how long nothing has arrived when Run merges all that is worth it. Until then it only keeps the
// segments from piling up.
const rest = 250 * time.Millisecond

// Run merges new rules into the base, beside readers and writers, until the context ends. An engine
// without Run merges on the writer's time.
func (e *Engine) Run(ctx context.Context) error {
	e.mergers.Add(1)
	defer e.mergers.Add(-1)
	quiet := time.NewTimer(rest)
	defer quiet.Stop()
	for {
		due := (*bucket).busy
		select {
		case <-ctx.Done():
			return nil
		case <-e.merge:
			quiet.Reset(rest)
		case <-quiet.C:
			due = (*bucket).settle
		}
		for ctx.Err() == nil && len(e.merge) == 0 && e.mergeOne(due) {
		}
	}
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
