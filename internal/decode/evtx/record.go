package evtx

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"shieldwall/internal/event"
)

// decoder turns records into events. It belongs to one file; its templates are those of the chunk
// at hand, backed by those of the chunks before.
type decoder struct {
	chunk     []byte
	templates map[uint32]*program // by offset<<2 | section
	kept      map[string]*program // by section and canonical bytes
	keptOps   int
	canon     []byte

	arena  arena
	ev     event.Event
	slots  []slot
	items  []event.Value // the unnamed Data of the event at hand
	itemAt int           // the field they belong to, or -1
	// channelSet: a payload's Channel replaced the record's.
	channelSet bool
	// programs that were started for the event; plain: the first makes only System's fields, so that
	// the second need not look up every name; checkAll: names are looked up from here on.
	programs int
	plain    bool
	checkAll bool
	left     bool // some field was left out
	unwanted event.Value

	recordWork, chunkWork int

	// names numbers fields, nil where nobody does; sparse leaves out those without a number.
	names  *event.Names
	sparse bool
	borrow bool
	// For Rest: the record at hand, and a decoder that takes all of it apart, made when somebody first asks.
	at struct {
		id         uint64
		start, end int
	}
	rest func(*event.Event)
	// raw gathers event.Event.Raw; torn: the record's texts are not in it as its fields have them.
	raw    []byte
	torn   bool
	whole  *decoder
	chunks int // counts chunks, so that whole notices the next one
}

// slot is one value of a template instance.
type slot struct {
	off  uint32
	size uint16
	typ  byte
}

func newDecoder(opts Options) *decoder {
	d := &decoder{
		templates: map[uint32]*program{},
		kept:      map[string]*program{},
		ev:        event.Event{Source: opts.Source},
		names:     opts.Names,
		sparse:    opts.Sparse && opts.Names != nil,
		borrow:    opts.Borrow,
	}
	if d.sparse {
		d.rest = d.all
	}
	return d
}

// all is event.Event.Rest: it gives ev all fields of the record at hand.
func (d *decoder) all(ev *event.Event) {
	if d.whole == nil {
		d.whole = newDecoder(Options{Source: d.ev.Source, Names: d.names, Borrow: d.borrow})
	}
	w := d.whole
	if w.chunks != d.chunks {
		w.startChunk(d.chunk)
		w.chunks = d.chunks
	}
	if !w.borrow {
		w.ev.Fields = nil // they may be kept, as those of the event
	}
	w.chunkWork = MaxChunkWork // the record was paid for when it was read
	if full, err := w.record(d.at.id, d.at.start, d.at.end); err == nil {
		ev.Fields, ev.Rest = full.Fields, nil
	}
}

// takes tells whether a field of a slot is made.
func (d *decoder) takes(field event.Slot) bool { return !d.sparse || field != 0 }

// number gives the operations of a program their field slots.
func (d *decoder) number(p *program) {
	if d.names == nil {
		return
	}
	if asked := d.names.Len() + 1; p.asked != asked {
		p.asked = asked
		for i := range p.ops {
			p.ops[i].field = d.names.Slot(p.ops[i].name)
		}
	}
}

// startChunk forgets the templates of the chunk before.
func (d *decoder) startChunk(data []byte) {
	d.chunk = data
	d.chunks++
	clear(d.templates)
	d.chunkWork = MaxChunkWork
}

// record decodes the record of that id in chunk[start:end], header included, size copy left out.
func (d *decoder) record(id uint64, start, end int) (*event.Event, error) {
	d.ev = event.Event{Source: d.ev.Source, Fields: d.ev.Fields[:0], Names: d.names, Rest: d.rest}
	d.at.id, d.at.start, d.at.end = id, start, end
	if d.sparse {
		d.ev.Asked = d.names.Len()
	}
	if d.borrow {
		d.arena.reset()
	}
	d.raw, d.torn = d.raw[:0], !d.sparse || !d.borrow || !d.names.RawWanted()
	d.slots, d.items, d.itemAt = d.slots[:0], d.items[:0], -1
	d.channelSet, d.checkAll, d.programs, d.left = false, false, 0, false
	d.recordWork = min(MaxRecordWork, d.chunkWork)
	before := d.recordWork
	err := d.fragment(start+recordHeaderSize, end, inDocument, 0)
	d.chunkWork -= before - d.recordWork
	if err != nil {
		return nil, err
	}
	if len(d.ev.Fields) == 0 && !d.left {
		return nil, fmt.Errorf("record without content: %w", ErrFormat)
	}
	if !d.torn {
		d.ev.Raw = alias(d.raw)
	}
	d.ev.Record = d.arena.commit(strconv.AppendUint(d.arena.reserve(20), id, 10))
	if d.ev.Time.IsZero() {
		// The record header's time of writing stands in for a missing TimeCreated.
		d.ev.Time = fileTime(le64(d.chunk[start+16:]))
	}
	if d.itemAt >= 0 {
		v := &d.ev.Fields[d.itemAt].Value
		if *v = d.items[0]; len(d.items) > 1 {
			*v = event.Value{Kind: event.List, Items: append([]event.Value(nil), d.items...)}
		}
	}
	return &d.ev, nil
}

// charge takes n bytes from the budgets.
func (d *decoder) charge(n int) error {
	if d.recordWork -= n; d.recordWork < 0 {
		return fmt.Errorf("the record or its chunk costs too much: %w", ErrLimit)
	}
	return nil
}

// fragment decodes what stands in chunk[pos:end]: a record's body, or a binary XML value.
func (d *decoder) fragment(pos, end int, s section, depth int) error {
	if depth > MaxFragmentDepth {
		return fmt.Errorf("binary XML values nest deeper than %d: %w", MaxFragmentDepth, ErrLimit)
	}
	l := lexer{chunk: d.chunk, pos: pos, end: end}
	for {
		tok, err := l.fragmentHead()
		if err != nil {
			return err
		}
		switch tok {
		case tokEOF:
			return nil
		case tokTemplate:
			if l.pos, err = d.instance(l.pos, end, s, depth); err != nil {
				return err
			}
		case tokOpen:
			l.out = d.canon[:0]
			if err := l.element(); err != nil {
				return err
			}
			d.canon = l.out
			if err := d.charge(2 * len(l.out)); err != nil {
				return err
			}
			if err := d.run(compile(l.out, s), nil, depth); err != nil {
				return err
			}
		default:
			return l.errorf("token 0x%02x where a fragment starts", tok)
		}
	}
}

// instance decodes a template instance at pos and gives the position after it (EVTX, "Template
// instance"): token, unknown byte, id u32, definition offset u32, the definition itself if that is
// its offset, then the values.
func (d *decoder) instance(pos, end int, s section, depth int) (int, error) {
	bad := func(why string) (int, error) {
		return 0, fmt.Errorf("template instance at chunk offset %d: %s: %w", pos, why, ErrFormat)
	}
	p := pos + 10
	if p > end {
		return bad("cut")
	}
	def := le32(d.chunk[pos+6:])
	if int64(def) == int64(p) {
		if p+templateHeader > end {
			return bad("cut definition")
		}
		size := int64(le32(d.chunk[p+20:]))
		if size > int64(end-p-templateHeader) {
			return bad("the definition ends outside its record")
		}
		p += templateHeader + int(size)
	}
	prog, err := d.template(def, s)
	if err != nil {
		return 0, err
	}
	if p+4 > end {
		return bad("cut values")
	}
	n := int64(le32(d.chunk[p:]))
	p += 4
	if n > int64(end-p)/4 {
		return bad("more values than bytes")
	}
	base := len(d.slots)
	at := p + 4*int(n)
	for ; n > 0; n-- {
		size := le16(d.chunk[p:])
		d.slots = append(d.slots, slot{off: uint32(at), size: size, typ: d.chunk[p+2]})
		at += int(size)
		p += 4
	}
	if at > end {
		return bad("the values end outside their record")
	}
	err = d.run(prog, d.slots[base:], depth)
	d.slots = d.slots[:base]
	return at, err
}

// run executes a program over the values of an instance.
func (d *decoder) run(p *program, slots []slot, depth int) error {
	if p.err != nil {
		return p.err
	}
	if err := d.charge(opWork * len(p.ops)); err != nil {
		return err
	}
	d.number(p)
	if !d.torn {
		d.gather(p, slots)
	}
	switch d.programs++; {
	case d.programs == 1:
		d.plain = p.standard
	case d.programs > 2 || !d.plain:
		d.checkAll = true
	}
	for i := 0; i < len(p.ops); i++ {
		o := &p.ops[i]
		if d.sparse && o.field == 0 && d.leaves(o, slots) {
			d.left = true
			continue
		}
		var err error
		switch o.code {
		case opSlot:
			err = d.slotField(o, slots, depth)
		case opConst:
			err = d.put(o, slots, event.Str(o.text))
		case opText:
			err = d.textField(o, slots, depth)
		case opNull:
			err = d.put(o, slots, event.Value{})
		case opEmpty:
			if allNull(o.pieces, slots) {
				err = d.put(o, slots, event.Value{})
			}
		case opSkip:
			if valueOf(slots, o.slot).typ == typeNull {
				i = o.jump - 1
			}
		}
		if err != nil {
			return err
		}
	}
	if d.programs > 1 {
		d.checkAll = true
	}
	return nil
}

// maxRaw bounds the text gathered of one record, in bytes: instances may repeat a template as often as they like.
const maxRaw = 256 << 10

// gather adds the texts of an instance to raw, each behind a NUL: its constants, and its values that are text. All
// other values are spelled without a telling letter; those that are binary XML are instances of their own.
func (d *decoder) gather(p *program, slots []slot) {
	size := len(d.raw) + len(p.texts)
	for _, s := range slots {
		size += textRoom(int(s.size)) + 1
	}
	if d.torn = p.joins || size > maxRaw; d.torn {
		return
	}
	d.raw = append(slices.Grow(d.raw, size-len(d.raw)), p.texts...)
	for _, s := range slots {
		switch s.typ &^ typeArray {
		case typeString, typeXML:
			d.raw = appendUTF16(append(d.raw, 0), d.bytes(s))
		case typeANSI:
			d.raw = appendANSI(append(d.raw, 0), d.bytes(s))
		}
	}
}

// leaves tells whether an operation on a field that nobody asks for makes nothing else: no fact about the
// event, no fields out of a binary XML value, none whose name comes from values.
func (d *decoder) leaves(o *op, slots []slot) bool {
	switch {
	case o.code == opSkip || o.fact != noFact || o.namePieces != nil:
		return false
	case o.code == opSlot:
		return valueOf(slots, o.slot).typ != typeBinXML
	case o.code == opText:
		for i := range o.pieces {
			if p := &o.pieces[i]; p.slot >= 0 && valueOf(slots, p.slot).typ == typeBinXML {
				return false
			}
		}
	}
	return true
}

// valueOf gives a value, null where the instance has too few.
func valueOf(slots []slot, i int) slot {
	if i < len(slots) {
		return slots[i]
	}
	return slot{}
}

func allNull(p []piece, slots []slot) bool {
	for i := range p {
		if valueOf(slots, p[i].slot).typ != typeNull {
			return false
		}
	}
	return true
}

func (d *decoder) bytes(s slot) []byte { return d.chunk[s.off : s.off+uint32(s.size)] }

// slotField makes the field of one value.
func (d *decoder) slotField(o *op, slots []slot, depth int) error {
	s := valueOf(slots, o.slot)
	switch {
	case s.typ == typeNull || s.size == 0 && fixedSize(s.typ) > 0:
		if o.flags&omitNull != 0 {
			return nil
		}
		return d.put(o, slots, event.Value{})
	case s.typ == typeBinXML:
		return d.fragment(int(s.off), int(s.off)+int(s.size), o.below, depth+1)
	case s.typ&typeArray != 0:
		return d.array(o, slots, s)
	}
	at, err := d.place(o, slots)
	if at == nil || err != nil {
		return err
	}
	if err := d.scalar(at, s.typ, d.bytes(s)); err != nil {
		return err
	}
	if o.fact == factTime {
		d.ev.Time = d.timeOf(s, at.Text)
	}
	d.setFact(o.fact, at.Text)
	return nil
}

// scalar writes one value to at.
func (d *decoder) scalar(at *event.Value, typ byte, b []byte) error {
	room := valueRoom(typ, len(b))
	if err := d.charge(room); err != nil {
		return err
	}
	text, kind := appendValue(d.arena.reserve(room), typ, b)
	at.Kind, at.Text, at.Items = kind, d.arena.commit(text), nil
	return nil
}

// timeOf gives the moment of a TimeCreated, zero where it says none.
func (d *decoder) timeOf(s slot, text string) time.Time {
	switch b := d.bytes(s); {
	case s.typ == typeFileTime && len(b) >= 8:
		return fileTime(le64(b))
	case s.typ == typeSystemTime && len(b) >= 16:
		return systemTime(b)
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// textField makes a field of text and values put together.
func (d *decoder) textField(o *op, slots []slot, depth int) error {
	text, err := d.join(o.pieces, slots)
	if err != nil {
		return err
	}
	for i := range o.pieces {
		p := &o.pieces[i]
		if p.slot < 0 {
			continue
		}
		if s := valueOf(slots, p.slot); s.typ == typeBinXML {
			if err := d.fragment(int(s.off), int(s.off)+int(s.size), o.below, depth+1); err != nil {
				return err
			}
		}
	}
	if o.flags&trimText != 0 && strings.TrimSpace(text) == "" {
		return nil
	}
	return d.put(o, slots, event.Str(text))
}

// join writes pieces one after the other; null and binary XML values are nothing.
func (d *decoder) join(pieces []piece, slots []slot) (string, error) {
	room := 0
	for i := range pieces {
		if p := &pieces[i]; p.slot < 0 {
			room += len(p.text)
		} else {
			s := valueOf(slots, p.slot)
			room += valueRoom(s.typ, int(s.size))
		}
	}
	if err := d.charge(room); err != nil {
		return "", err
	}
	buf := d.arena.reserve(room)
	for i := range pieces {
		p := &pieces[i]
		if p.slot < 0 {
			buf = append(buf, p.text...)
		} else if s := valueOf(slots, p.slot); s.typ != typeNull && s.typ != typeBinXML {
			buf, _ = appendValue(buf, s.typ, d.bytes(s))
		}
	}
	return d.arena.commit(buf), nil
}
