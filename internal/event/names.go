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
