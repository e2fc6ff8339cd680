package evtx

import (
	"fmt"
	"strings"

	"shieldwall/internal/event"
)

// program turns the values of a template instance into fields.
type program struct {
	ops []op
	// standard: every name is one that systemName knows.
	standard bool
	// err says why the template cannot be used.
	err error
	// texts are all constants, each behind a NUL; joins: some field is made of several texts.
	texts string
	joins bool
	// asked is the length of the register of names, and one, when the operations got their field slots.
	asked int
}

type opcode uint8

const (
	// opConst makes a field of text known from the template.
	opConst opcode = iota
	// opSlot makes a field of one value.
	opSlot
	// opText makes a field of several pieces.
	opText
	// opNull makes a null field.
	opNull
	// opEmpty makes a null field if the values of all pieces are null: an element without content
	// whose attributes were all left out.
	opEmpty
	// opSkip jumps if the value its element depends on is null.
	opSkip
)

type opFlags uint8

const (
	// omitNull: no field for a null value.
	omitNull opFlags = 1 << iota
	// collect: an unnamed Data, one of a list.
	collect
	// checkName: another field may have this name.
	checkName
	// override: replaces a field of this name.
	override
	// trimText: the text of an element that also has children; blank text is layout.
	trimText
)

type op struct {
	code  opcode
	flags opFlags
	fact  fact
	// below is where the elements of a binary XML value stand.
	below section
	slot  int
	jump  int
	name  string
	field event.Slot // of name
	text  string
	// pieces of opText; namePieces where a Data's name comes from values.
	pieces     []piece
	namePieces []piece
}

// piece is text, or the value of a slot where slot >= 0.
type piece struct {
	slot int
	text string
}

// compiler reads canonical tokens (lexer). They are well formed one by one; their order is checked here.
type compiler struct {
	in   []byte
	pos  int
	prog *program
	seen map[string]bool
}

// compile makes the program of one element that stands in section s.
func compile(canonical []byte, s section) *program {
	c := compiler{in: canonical, prog: &program{standard: true}, seen: map[string]bool{}}
	if err := c.element(s); err != nil {
		return &program{err: err}
	}
	c.prog.gatherTexts()
	return c.prog
}

// gatherTexts fills texts and joins.
func (p *program) gatherTexts() {
	var texts strings.Builder
	for i := range p.ops {
		switch o := &p.ops[i]; o.code {
		case opConst:
			texts.WriteString("\x00" + o.text)
		case opText:
			p.joins = true
		}
	}
	p.texts = texts.String()
}

// elem is an element being compiled.
type elem struct {
	at   section
	name string
	// field is the name its text goes by; fieldPieces instead, if it comes from values.
	field       string
	fieldPieces []piece
	list        bool
	optional    []piece // the values of attributes that are left out when null
	hasAttrs    bool    // some attribute is always there
	children    bool
}

func (c *compiler) element(at section) error {
	if c.next() != tokOpen {
		return c.errorf("an element was expected")
	}
	dep := c.u16()
	e := elem{at: at, name: c.str()}
	e.field = e.name
	skip := -1
	if dep != noDependency {
		skip = c.add(op{code: opSkip, slot: int(dep)})
	}
	if e.name == "Data" && at == inPayload {
		e.list = true
	}
	closed, err := c.attributes(&e)
	if err != nil {
		return err
	}
	var text []piece
	if !closed {
		if text, err = c.content(&e); err != nil {
			return err
		}
	}
	c.finish(&e, text)
	if skip >= 0 {
		c.prog.ops[skip].jump = len(c.prog.ops)
	}
	return nil
}

// attributes compiles the attributes; closed tells that the element is empty.
func (c *compiler) attributes(e *elem) (closed bool, err error) {
	for {
		switch c.next() {
		case tokAttribute:
			name := c.str()
			value := c.pieces()
			if e.list && name == "Name" {
				c.dataName(e, value)
				continue
			}
			field := attributeField(e.name, name)
			if field == "" {
				continue
			}
			c.field(e.at, field, value, op{flags: omitNull, fact: factOf(e.at, field), below: inPayload})
			if len(value) == 1 && value[0].slot >= 0 {
				e.optional = append(e.optional, value[0])
			} else {
				e.hasAttrs = true
			}
		case tokCloseStart:
			return false, nil
		case tokCloseEmpty:
			return true, nil
		default:
			return false, c.errorf("a start tag holds no attribute")
		}
	}
}

// dataName takes the Name attribute of a Data element.
func (c *compiler) dataName(e *elem, value []piece) {
	if text, ok := constant(value); ok {
		if text = dataField(text); text != "" {
			e.field, e.list = text, false
		}
		return
	}
	e.fieldPieces, e.list = value, false
}

// content compiles the children and gives the element's own text.
func (c *compiler) content(e *elem) ([]piece, error) {
	var text []piece
	for {
		switch tok := c.peek(); tok {
		case tokOpen:
			e.children = true
			if err := c.element(e.at.below(e.name)); err != nil {
				return nil, err
			}
		case tokValue, tokCharRef, tokEntityRef, tokSubst:
			run := c.pieces()
			if e.at.structural() {
				// In place: what stands in the value may be the payload, and the first of a name wins.
				c.finish(e, run)
				continue
			}
			text = append(text, run...)
		case tokEnd:
			c.next()
			return text, nil
		default:
			return nil, c.errorf("token 0x%02x in content", tok)
		}
	}
}

// finish makes the field of the element itself.
func (c *compiler) finish(e *elem, text []piece) {
	base := op{fact: factOf(e.at, e.field), below: e.at.below(e.name), namePieces: e.fieldPieces}
	if e.list {
		base.flags |= collect
	}
	groups := e.at.structural() || e.children
	if groups {
		base.flags |= omitNull | trimText
	}
	switch {
	case len(text) > 0:
		c.field(e.at, e.field, text, base)
	case groups || e.hasAttrs:
	case len(e.optional) > 0:
		base.code, base.name, base.pieces = opEmpty, e.field, e.optional
		c.named(e.at, base)
	default:
		base.code, base.name = opNull, e.field
		c.named(e.at, base)
	}
}

// field adds the operation for a value.
func (c *compiler) field(at section, name string, value []piece, o op) {
	o.name = name
	text, isConst := constant(value)
	switch {
	case isConst:
		if o.flags&trimText != 0 && strings.TrimSpace(text) == "" {
			return
		}
		o.code, o.text = opConst, text
	case len(value) == 1:
		o.code, o.slot = opSlot, value[0].slot
	default:
		o.code, o.pieces = opText, value
	}
	c.named(at, o)
}

// named adds an operation that makes a field, noting whether the name may occur twice.
func (c *compiler) named(at section, o op) {
	switch {
	case at.structural():
		// Text beside the sections of an event: hardly ever there.
		o.flags |= checkName
	case o.flags&collect != 0 || o.namePieces != nil:
		c.prog.standard = false
	case at != inSystem && o.name == "Channel":
		o.flags |= override
		c.prog.standard = false
	default:
		if c.seen[o.name] || at != inSystem && systemName(o.name) {
			o.flags |= checkName
		}
		c.seen[o.name] = true
		c.prog.standard = c.prog.standard && systemName(o.name)
	}
	c.add(o)
}

func (c *compiler) add(o op) int {
	c.prog.ops = append(c.prog.ops, o)
	return len(c.prog.ops) - 1
}

// pieces reads a run of text and substitutions, joining neighbouring text.
func (c *compiler) pieces() []piece {
	var out []piece
	addText := func(s string) {
		if n := len(out); n > 0 && out[n-1].slot < 0 {
			out[n-1].text += s
			return
		}
		out = append(out, piece{slot: -1, text: s})
	}
	for {
		switch c.peek() {
		case tokValue:
			c.next()
			addText(c.str())
		case tokCharRef:
			c.next()
			addText(string(rune(c.u16())))
		case tokEntityRef:
			c.next()
			addText(entity(c.str()))
		case tokSubst:
			c.next()
			out = append(out, piece{slot: int(c.u16())})
		default:
			return out
		}
	}
}

// constant gives the text of pieces that hold no value; no pieces are an empty text.
func constant(p []piece) (string, bool) {
	switch {
	case len(p) == 0:
		return "", true
	case len(p) == 1 && p[0].slot < 0:
		return p[0].text, true
	}
	return "", false
}

// entity resolves the five entities of XML; others stay as written.
func entity(name string) string {
	switch name {
	case "lt":
		return "<"
	case "gt":
		return ">"
	case "amp":
		return "&"
	case "quot":
		return `"`
	case "apos":
		return "'"
	}
	return "&" + name + ";"
}

const tokNone = 0xff

func (c *compiler) peek() byte {
	if c.pos >= len(c.in) {
		return tokNone
	}
	return c.in[c.pos]
}

func (c *compiler) next() byte {
	tok := c.peek()
	c.pos++
	return tok
}

func (c *compiler) u16() uint16 {
	v := le16(c.in[c.pos:])
	c.pos += 2
	return v
}

func (c *compiler) str() string {
	n := 2 * int(c.u16())
	b := c.in[c.pos : c.pos+n]
	c.pos += n
	return string(appendUTF16(make([]byte, 0, textRoom(n)), b))
}

func (c *compiler) errorf(format string, args ...any) error {
	return fmt.Errorf("template, token at %d: %s: %w", c.pos, fmt.Sprintf(format, args...), ErrFormat)
}
