package match

import (
	"slices"

	"shieldwall/internal/event"
)

// record is one event as the indicator sets see it: its fields by name, with what was computed about them. A record is used by one goroutine at a time and reused from event to event.
type record struct {
	cells []cell
	index map[string]int // field name -> cell
}

// cell is one field's content, taken apart once.
type cell struct {
	name  string
	value event.Value
	null  bool     // the value, or a member of a list, is null
	texts []string // the stringified scalars that are not null
	one   [1]string
}

// maxIndexKept bounds the index that a record keeps for the next event, in fields; clearing a map
// costs as much as its largest use.
const maxIndexKept = 1024

// load fills the record from an event.
func (r *record) load(ev *event.Event) {
	if r.index == nil || len(r.index) > maxIndexKept {
		r.index = make(map[string]int, len(ev.Fields))
	}
	clear(r.index)
	// The cells must not move once their slices point into them.
	r.cells = slices.Grow(r.cells[:0], len(ev.Fields))
	for i := range ev.Fields {
		if _, taken := r.index[ev.Fields[i].Name]; taken {
			continue
		}
		r.index[ev.Fields[i].Name] = len(r.cells)
		r.cells = r.cells[:len(r.cells)+1]
		r.cells[len(r.cells)-1].load(ev.Fields[i])
	}
}

func (c *cell) load(f event.Field) {
	c.name, c.value = f.Name, f.Value
	c.null, c.texts = false, nil
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
func (r *record) find(name string) *cell {
	if i, ok := r.index[name]; ok {
		return &r.cells[i]
	}
	return nil
}
