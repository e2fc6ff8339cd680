package naive

import (
	"shieldwall/internal/event"
	"shieldwall/internal/match/compare"
)

// Record is one event as rules see it: its fields by name, with what was computed about them.
type Record struct {
	cells []cell
	index map[string]int // field name -> cell
}

// cell is one field's content, taken apart once.
type cell struct {
	name   string
	value  event.Value
	null   bool     // the value, or a member of a list, is null
	texts  []string // the stringified scalars that are not null
	folded []string // texts without case; made on first use
	one    [1]string
	lower  [1]string
}

// Load fills the record. A name counts once: the first list that has it wins, so that a view's fields
// go before the event's own.
func (r *Record) Load(lists ...[]event.Field) {
	r.index, r.cells = map[string]int{}, nil
	n := 0
	for _, list := range lists {
		n += len(list)
	}
	r.cells = make([]cell, 0, n) // cells must not move: their slices point into them
	for _, list := range lists {
		for i := range list {
			if _, taken := r.index[list[i].Name]; taken {
				continue
			}
			r.index[list[i].Name] = len(r.cells)
			r.cells = r.cells[:len(r.cells)+1]
			r.cells[len(r.cells)-1].load(list[i])
		}
	}
}

func (c *cell) load(f event.Field) {
	c.name, c.value = f.Name, f.Value
	c.null, c.texts, c.folded = false, nil, nil
	switch f.Value.Kind {
	case event.Null:
		c.null = true
	case event.List:
		for _, item := range f.Value.Items {
			if item.Kind == event.Null {
				c.null = true
				continue
			}
			c.texts = append(c.texts, item.Text)
		}
	default:
		c.one[0] = f.Value.Text
		c.texts = c.one[:]
	}
}

// find returns a field, or nil if the event does not have it.
func (r *Record) find(name string) *cell {
	if i, ok := r.index[name]; ok {
		return &r.cells[i]
	}
	return nil
}

// withoutCase returns the cell's texts folded.
func (c *cell) withoutCase() []string {
	if c.folded == nil && len(c.texts) > 0 {
		c.folded = c.lower[:0]
		for _, text := range c.texts {
			c.folded = append(c.folded, compare.Fold(text))
		}
	}
	return c.folded
}

// Find returns a field's value.
func (r *Record) Find(name string) (event.Value, bool) {
	if c := r.find(name); c != nil {
		return c.value, true
	}
	return event.Value{}, false
}
