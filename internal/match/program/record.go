package program

import (
	"shieldwall/internal/event"
	"shieldwall/internal/match/compare"
)

// Record is one event as programs see it: its fields by slot, and their folded texts, made when first
// asked for. It is used by one goroutine at a time and reused from event to event.
type Record struct {
	names *event.Names
	at    []place // by slot
	epoch uint32
	cells []cell
	views int    // how many of the cells are a view's, which come first
	arena []byte // folded texts
	items []span // folded items of lists
}

// place is where a slot's field is; it counts only in its own epoch.
type place struct{ epoch, cell uint32 }

// span is a piece of the arena.
type span struct{ from, to int }

// cell is one field.
type cell struct {
	value  *event.Value
	text   span // of the arena; for a list, of items
	folded bool
	null   bool // the value, or a member of a list, is null
	list   bool
}

// Kept memory: what a record holds on to for the next event.
const (
	arenaSize    = 4 << 10 // to begin with
	maxCellsKept = 1024
	maxArenaKept = 1 << 20
)

// NewRecord makes a record for events whose slots are those of names.
func NewRecord(names *event.Names) *Record {
	return &Record{names: names, arena: make([]byte, 0, arenaSize)}
}

// Load fills the record. A name counts once: the first list that has it wins, so that a view's fields go
// before the event's own. Slots of fields are trusted only where they come from the record's own names.
func (r *Record) Load(view []event.Field, fields []event.Field, names *event.Names) {
	r.Drop()
	if r.epoch++; r.epoch == 0 {
		clear(r.at)
		r.epoch = 1
	}
	if n := r.names.Len() + 1; n > len(r.at) {
		r.at = append(r.at, make([]place, n-len(r.at))...)
	}
	for i := range view {
		r.add(r.names.Slot(view[i].Name), &view[i].Value)
	}
	r.views = len(r.cells)
	if names == r.names {
		for i := range fields {
			r.add(fields[i].Slot, &fields[i].Value)
		}
		return
	}
	for i := range fields {
		r.add(r.names.Slot(fields[i].Name), &fields[i].Value)
	}
}

func (r *Record) add(slot event.Slot, v *event.Value) {
	if slot != 0 && int(slot) < len(r.at) {
		p := &r.at[slot]
		if p.epoch == r.epoch {
			return
		}
		*p = place{r.epoch, uint32(len(r.cells))}
	}
	c := cell{value: v, null: v.Kind == event.Null}
	if v.Kind == event.List {
		c.list = true
		for i := range v.Items {
			c.null = c.null || v.Items[i].Kind == event.Null
		}
	}
	r.cells = append(r.cells, c)
}

// anyField counts the cells that keywords are looked for in.
func (r *Record) anyField(x *Run) int {
	if x.NoKeywords {
		return r.views
	}
	return len(r.cells)
}

// Drop lets go of the event, so that a pooled record keeps none alive.
func (r *Record) Drop() {
	clear(r.cells)
	r.cells, r.arena, r.items = r.cells[:0], r.arena[:0], r.items[:0]
	if cap(r.cells) > maxCellsKept {
		r.cells = nil
	}
	if cap(r.arena) > maxArenaKept {
		r.arena = make([]byte, 0, arenaSize)
	}
	if cap(r.items) > maxCellsKept {
		r.items = nil
	}
}

// Value returns a field's value, nil if the event does not have it.
func (r *Record) Value(slot event.Slot) *event.Value {
	if c := r.cell(slot); c != nil {
		return c.value
	}
	return nil
}

func (r *Record) cell(slot event.Slot) *cell {
	if int(slot) < len(r.at) && r.at[slot].epoch == r.epoch {
		return &r.cells[r.at[slot].cell]
	}
	return nil
}

// fold returns the folded text of a scalar.
func (r *Record) fold(c *cell) []byte {
	if !c.folded {
		c.folded = true
		c.text.from = len(r.arena)
		r.arena = compare.AppendFold(r.arena, c.value.Text)
		c.text.to = len(r.arena)
	}
	return r.arena[c.text.from:c.text.to]
}

// foldList returns where the folded items of a list are; nulls have an empty one.
func (r *Record) foldList(c *cell) []span {
	if !c.folded {
		c.folded = true
		c.text.from = len(r.items)
		for i := range c.value.Items {
			from := len(r.arena)
			r.arena = compare.AppendFold(r.arena, c.value.Items[i].Text)
			r.items = append(r.items, span{from, len(r.arena)})
		}
		c.text.to = len(r.items)
	}
	return r.items[c.text.from:c.text.to]
}
