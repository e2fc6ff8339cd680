package evtx

import (
	"bytes"
	"fmt"

	"shieldwall/internal/event"
)

// array makes the field of an array value. Windows repeats the element for each item (EVTX, "Normal
// substitution"), which for a named field is a list.
func (d *decoder) array(o *op, slots []slot, s slot) error {
	typ, b := s.typ&^typeArray, d.bytes(s)
	if o.flags&collect != 0 {
		return d.eachItem(typ, b, func(v event.Value) error { return d.put(o, slots, v) })
	}
	list := event.Value{Kind: event.List}
	err := d.eachItem(typ, b, func(v event.Value) error {
		list.Items = append(list.Items, v)
		return d.charge(opWork)
	})
	if err != nil {
		return err
	}
	return d.put(o, slots, list)
}

// eachItem cuts an array into its values: strings end with a NUL, other types have fixed sizes.
// What cannot be cut is one value.
func (d *decoder) eachItem(typ byte, b []byte, yield func(event.Value) error) error {
	for len(b) > 0 {
		n := itemSize(typ, b)
		var v event.Value
		if err := d.scalar(&v, typ, b[:n]); err != nil {
			return err
		}
		if err := yield(v); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// itemSize is the size of the first item of a non-empty array, terminator included.
func itemSize(typ byte, b []byte) int {
	switch typ {
	case typeString:
		for i := 0; i+1 < len(b); i += 2 {
			if b[i] == 0 && b[i+1] == 0 {
				return i + 2
			}
		}
	case typeANSI:
		if i := bytes.IndexByte(b, 0); i >= 0 {
			return i + 1
		}
	case typeSID:
		if len(b) >= 8 && 8+4*int(b[1]) <= len(b) {
			return 8 + 4*int(b[1])
		}
	default:
		if n := fixedSize(typ); n > 0 && n <= len(b) {
			return n
		}
	}
	return len(b)
}

// put adds a field to the event.
func (d *decoder) put(o *op, slots []slot, v event.Value) error {
	at, err := d.place(o, slots)
	if at == nil {
		return err
	}
	*at = v
	d.setFact(o.fact, v.Text)
	return nil
}

// place makes room for the value of a field and gives it, or nil if another field has the name.
func (d *decoder) place(o *op, slots []slot) (*event.Value, error) {
	if o.flags&^omitNull == 0 && o.namePieces == nil && !d.checkAll {
		return d.add(o.name, o.field)
	}
	name, field := o.name, o.field
	switch {
	case o.namePieces != nil:
		joined, err := d.join(o.namePieces, slots)
		if err != nil {
			return nil, err
		}
		name = dataField(joined)
		if d.names != nil {
			field = d.names.Slot(name)
		}
	case o.flags&collect != 0:
		return d.collect(name, field)
	case o.flags&override != 0 && !d.channelSet:
		d.channelSet = true
		if i := d.index(name); i >= 0 {
			return &d.ev.Fields[i].Value, nil
		}
	}
	if d.index(name) >= 0 {
		return nil, nil
	}
	return d.add(name, field)
}

// add appends a field. Its value is left over from another event: the caller sets all of it.
func (d *decoder) add(name string, field event.Slot) (*event.Value, error) {
	if !d.takes(field) {
		// Only a fact of the event is wanted of it, or its name has just become known.
		d.left = true
		return &d.unwanted, nil
	}
	n := len(d.ev.Fields)
	if n >= MaxFields {
		return nil, fmt.Errorf("more than %d fields: %w", MaxFields, ErrLimit)
	}
	if n == cap(d.ev.Fields) {
		d.ev.Fields = append(d.ev.Fields, event.Field{})
	}
	d.ev.Fields = d.ev.Fields[:n+1]
	f := &d.ev.Fields[n]
	f.Name, f.Slot = name, field
	return &f.Value, nil
}

// collect makes room for one unnamed Data; record turns them into the field's value.
func (d *decoder) collect(name string, field event.Slot) (*event.Value, error) {
	if !d.takes(field) {
		d.left = true
		return &d.unwanted, nil
	}
	if d.itemAt < 0 {
		if d.index(name) >= 0 {
			return nil, nil
		}
		d.itemAt = len(d.ev.Fields)
		if _, err := d.add(name, field); err != nil {
			return nil, err
		}
	}
	d.items = append(d.items, event.Value{})
	return &d.items[len(d.items)-1], d.charge(opWork)
}

func (d *decoder) index(name string) int {
	for i := range d.ev.Fields {
		if d.ev.Fields[i].Name == name {
			return i
		}
	}
	return -1
}

// setFact fills a routing fact; as with fields, the first wins.
func (d *decoder) setFact(f fact, text string) {
	var at *string
	switch f {
	case factProvider:
		at = &d.ev.Provider
	case factEventID:
		at = &d.ev.EventID
	case factChannel:
		at = &d.ev.Channel
	case factComputer:
		at = &d.ev.Computer
	default:
		return
	}
	if *at == "" {
		*at = text
	}
}
