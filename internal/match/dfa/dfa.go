// Package dfa decides whether an ASCII text has a match of a regular expression, with one table look-up a
// byte. It stands beside package regexp, whose answer is the same and which takes what is too large for a
// table, or no ASCII.
package dfa

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
)

// Limits of one table; what would pass them is left to package regexp.
const (
	maxInstructions = 600
	maxStates       = 1000
	// maxCells bounds the table, in cells of two bytes.
	maxCells = 32 << 10
	// maxWork bounds the steps that making the table takes: about ten milliseconds.
	maxWork = 1 << 20
)

// DFA is a finished table. It is immutable.
type DFA struct {
	classes [256]uint8 // of bytes that the expression does not tell apart
	width   int        // of the table: classes, and the end of the text
	next    []uint16   // state*width + class -> state
	start   uint16
}

// Special values.
const (
	foreign = 0xff // the class of bytes beyond ASCII
	accept  = 0    // the state in which a match was found
)

// Match tells whether the text has a match. It does not know for texts that are not ASCII.
func (d *DFA) Match(text string) (match, known bool) {
	state, width := int(d.start), d.width
	for i := range len(text) {
		class := d.classes[text[i]]
		if class == foreign {
			return false, false
		}
		if state = int(d.next[state*width+int(class)]); state == accept {
			return true, true
		}
	}
	return d.next[state*width+width-1] == accept, true
}

// Bytes is the memory that the table holds.
func (d *DFA) Bytes() int { return 2*len(d.next) + len(d.classes) }

// New makes the table of an expression in Perl's syntax, as package regexp reads it; nil if it would be too
// large.
func New(source string) *DFA {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil || len(prog.Inst) > maxInstructions {
		return nil
	}
	b := &builder{prog: prog, numbers: map[string]uint16{}}
	b.classify()
	if !b.build() {
		return nil
	}
	return &b.DFA
}

// builder makes states out of sets of instructions (the subset construction).
type builder struct {
	DFA
	prog    *syntax.Prog
	samples []rune // one character of each class
	numbers map[string]uint16
	states  []state
	work    int

	seen  []bool
	stack []uint32
}

// state is what may be under way at a place of the text: instructions whose conditions on the place have
// not been looked at yet, and the kind of the character before.
type state struct {
	pending []uint32
	before  rune
}

// classify puts characters together that every instruction treats alike.
func (b *builder) classify() {
	found := map[string]uint8{}
	for c := range b.classes {
		if c >= 0x80 {
			b.classes[c] = foreign
			continue
		}
		key := make([]byte, 0, len(b.prog.Inst)+1)
		key = append(key, byte(kind(rune(c))))
		for i := range b.prog.Inst {
			inst := &b.prog.Inst[i]
			if consumes(inst) && inst.MatchRune(rune(c)) {
				key = append(key, 1)
			} else {
				key = append(key, 0)
			}
		}
		class, known := found[string(key)]
		if !known {
			class = uint8(len(found))
			found[string(key)] = class
			b.samples = append(b.samples, rune(c))
		}
		b.classes[c] = class
	}
	b.width = len(b.samples) + 1
}

func consumes(inst *syntax.Inst) bool {
	switch inst.Op {
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		return true
	}
	return false
}

// kind reduces a character to one that conditions on places treat alike.
func kind(r rune) rune {
	switch {
	case r < 0 || r == '\n':
		return r
	case syntax.IsWordChar(r):
		return 'a'
	}
	return ' '
}

// build makes every state that can be reached.
func (b *builder) build() bool {
	b.seen = make([]bool, len(b.prog.Inst))
	b.states = []state{{}} // accept
	b.next = make([]uint16, b.width)
	b.start = b.number([]uint32{uint32(b.prog.Start)}, -1)
	for at := 1; at < len(b.states); at++ {
		if len(b.states) > maxStates || len(b.states)*b.width > maxCells || b.work > maxWork {
			return false
		}
		row := make([]uint16, b.width)
		for class, sample := range b.samples {
			row[class] = b.step(b.states[at], sample)
		}
		if b.closure(b.states[at], -1) {
			row[b.width-1] = accept
		} else {
			row[b.width-1] = uint16(at) // anything but accept
		}
		b.next = append(b.next, row...)
	}
	return true
}

// number gives a set its state; states are numbered in the order in which they are found.
func (b *builder) number(pending []uint32, before rune) uint16 {
	key := binary.LittleEndian.AppendUint32(nil, uint32(before))
	for _, pc := range pending {
		key = binary.LittleEndian.AppendUint32(key, pc)
	}
	n, known := b.numbers[string(key)]
	if !known {
		n = uint16(min(len(b.states), maxStates+1)) // build gives up before numbers run out
		b.numbers[string(key)] = n
		b.states = append(b.states, state{pending, before})
	}
	return n
}

// step returns the state after one more character.
func (b *builder) step(from state, c rune) uint16 {
	if b.closure(from, c) {
		return accept
	}
	next := []uint32{uint32(b.prog.Start)} // a match may begin at any place
	for pc, in := range b.seen {
		if inst := &b.prog.Inst[pc]; in && consumes(inst) && inst.MatchRune(c) {
			next = append(next, inst.Out)
		}
	}
	b.work += len(b.seen)
	slices.Sort(next)
	return b.number(slices.Compact(next), kind(c))
}

// closure marks in seen what the pending instructions lead to without reading, before a character (-1: the
// end), and tells whether that is a match.
func (b *builder) closure(from state, c rune) bool {
	clear(b.seen)
	flags := syntax.EmptyOpContext(from.before, c)
	b.stack = append(b.stack[:0], from.pending...)
	for len(b.stack) > 0 {
		pc := b.stack[len(b.stack)-1]
		b.stack = b.stack[:len(b.stack)-1]
		if b.seen[pc] {
			continue
		}
		b.seen[pc] = true
		b.work++
		inst := &b.prog.Inst[pc]
		switch inst.Op {
		case syntax.InstMatch:
			return true
		case syntax.InstAlt, syntax.InstAltMatch:
			b.stack = append(b.stack, inst.Out, inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			b.stack = append(b.stack, inst.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(inst.Arg)&^flags == 0 {
				b.stack = append(b.stack, inst.Out)
			}
		}
	}
	return false
}
