package event

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Slot is a small number for a field name that somebody asks for. 0 stands for every other name.
type Slot uint32

// Names numbers the field names that rules and indicators ask for, so that decoders look a name up once
// for each place it is written in, and matchers find a field by an index. It only grows: a slot means
// the same name for ever. Only names that intelligence mentions get in, so that telemetry cannot fill
// it. Its methods may be called concurrently; the zero value is empty and ready.
type Names struct {
	mu    sync.Mutex                      // serialises writers
	table atomic.Pointer[map[string]Slot] // replaced whole
	count atomic.Uint32

	choose atomic.Pointer[func(*Event) *Choice]
	always atomic.Pointer[Choice] // replaced whole
}

// Want gives the names their slots; those that are new get the next ones.
func (n *Names) Want(names ...string) []Slot {
	out := make([]Slot, len(names))
	n.mu.Lock()
	defer n.mu.Unlock()
	var table map[string]Slot
	if old := n.table.Load(); old != nil {
		table = *old
	}
	fresh := false
	for i, name := range names {
		slot, known := table[name]
		if !known {
			if !fresh {
				fresh = true
				table = maps.Clone(table)
				if table == nil {
					table = map[string]Slot{}
				}
			}
			slot = Slot(len(table) + 1)
			table[name] = slot
		}
		out[i] = slot
	}
	if fresh {
		n.table.Store(&table)
		n.count.Store(uint32(len(table)))
	}
	return out
}

// Slot gives a name's slot, 0 if nobody asks for it.
func (n *Names) Slot(name string) Slot {
	if table := n.table.Load(); table != nil {
		return (*table)[name]
	}
	return 0
}

// Len counts the names; slots run from 1 to Len. A cache of names that had no slot is stale once Len
// has grown.
func (n *Names) Len() int { return int(n.count.Load()) }

// Choice is a set of slots. It is immutable once it has been given away.
type Choice struct {
	bits []uint64
	// By is whatever its maker wants to find again in the event.
	By any
}

// Has tells whether a field is looked at.
func (c *Choice) Has(slot Slot) bool {
	i := int(slot / 64)
	return i < len(c.bits) && c.bits[i]&(1<<(slot%64)) != 0
}

// Add adds slots; 0 stays out.
func (c *Choice) Add(slots ...Slot) {
	for _, slot := range slots {
		if slot == 0 {
			continue
		}
		for int(slot/64) >= len(c.bits) {
			c.bits = append(c.bits, 0)
		}
		c.bits[slot/64] |= 1 << (slot % 64)
	}
}

// Join adds what another one has.
func (c *Choice) Join(other *Choice) {
	for len(c.bits) < len(other.bits) {
		c.bits = append(c.bits, 0)
	}
	for i, b := range other.bits {
		c.bits[i] |= b
	}
}

// WantAlways is Want for fields that are looked at in every event, whatever its kind.
func (n *Names) WantAlways(names ...string) []Slot {
	slots := n.Want(names...)
	n.mu.Lock()
	defer n.mu.Unlock()
	next := &Choice{}
	next.Join(n.Always())
	next.Add(slots...)
	n.always.Store(next)
	return slots
}

var nothing = new(Choice)

// Always gives the fields of WantAlways; it is another one after each call of that.
func (n *Names) Always() *Choice {
	if c := n.always.Load(); c != nil {
		return c
	}
	return nothing
}

// SetChooser names who knows which fields are looked at in events of a kind.
func (n *Names) SetChooser(choose func(*Event) *Choice) { n.choose.Store(&choose) }

// Choose gives the fields that are looked at in an event of which the routing facts are known and the fields of
// Always are made; nil: all of Names. A decoder of event logs may leave the others out.
func (n *Names) Choose(ev *Event) *Choice {
	if choose := n.choose.Load(); choose != nil {
		return (*choose)(ev)
	}
	return nil
}

// Chooses tells whether somebody chooses.
func (n *Names) Chooses() bool { return n.choose.Load() != nil }
