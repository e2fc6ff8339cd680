// Package program compiles Sigma rules into a form that meets an event in microseconds, whatever their
// number.
//
// The rules' questions about fields are shared ("atoms") and asked at most once an event. For each rule
// one set of literals is chosen without one of which it cannot hold (its witnesses, the rarest there are);
// one walk over each field finds the witnesses of all rules, and only rules with one are looked at: a jump
// table over atoms, cheap ones first. A Program is immutable and consists of flat arrays.
package program

import (
	"slices"

	"shieldwall/internal/event"
	"shieldwall/internal/match/literal"
)

// Program is a compiled list of rules; rules are their places in that list.
type Program struct {
	tables
	atoms []atom
	code  []jump
	entry []int32 // by rule: where its condition starts in code

	fields   []fieldIndex
	keywords *fieldIndex // witnesses that may stand in any field; nil: none
	present  []presence
	always   []uint32 // rules without a witness
	filed    []Filing // by rule
	// By witness: the rules that have it, and the atoms it proves.
	rules, proves lists

	everyField bool         // some atoms look at every field
	raw        *literal.Set // of which a record's own text holds one if any of those holds; nil: unknown
	stats      Stats
}

// fieldIndex finds the witnesses in one field; the number of its first witness is base.
type fieldIndex struct {
	slot event.Slot
	base uint32
	set  *literal.Set
}

// presence lists rules whose witness is that an event has a field at all.
type presence struct {
	slot  event.Slot
	rules []uint32
}

// lists is a list of lists in one array.
type lists struct{ starts, items []uint32 }

func (l *lists) of(i uint32) []uint32 { return l.items[l.starts[i]:l.starts[i+1]] }

// jump asks an atom and goes on at one of two places.
type jump struct {
	atom    uint32
	yes, no int32
}

// Where code ends.
const (
	pass int32 = -1
	fail int32 = -2
)

// Filing says when a rule is looked at.
type Filing uint8

const (
	ByText  Filing = iota // where a field holds one of its witnesses
	ByField               // wherever a field is there at all
	Always                // for every event that meets the program
)

// Filing says when a rule is looked at.
func (p *Program) Filing(rule uint32) Filing { return p.filed[rule] }

// Stats says what a program is made of.
type Stats struct {
	Rules     int // in it
	Atoms     int // questions that rules share
	Witnesses int // literals that are looked for
	Always    int // rules without a witness: every event is checked against them
	Present   int // rules whose only witness is that a field is there
	Bytes     int // of memory, roughly
}

// Stats counts what the program is made of.
func (p *Program) Stats() Stats { return p.stats }

// Keywords tells whether rules look at every field, also those nobody names.
func (p *Program) Keywords() bool { return p.everyField }

// Run is one goroutine's memory for running programs.
type Run struct {
	// Rules are the rules that held, rising.
	Rules []uint32
	// Looked counts the rules looked at.
	Looked int
	// NoKeywords says that the record's own text has been looked through: of all fields only those of the view
	// may answer a question about any of them with yes (MayHoldKeyword).
	NoKeywords bool
	// Profile makes Match measure each rule looked at and fill Costs.
	Profile bool
	Costs   []Cost

	found      literal.Found
	epoch      uint32
	answers    []uint32 // by atom: the epoch of the answer, doubled, and the answer
	seen       []uint32 // by rule: the epoch in which it became a candidate
	candidates []uint32
}

// Match finds the rules that hold for a record.
func (p *Program) Match(r *Record, x *Run) {
	x.start(p)
	for i := range p.fields {
		f := &p.fields[i]
		if c := r.cell(f.slot); c != nil {
			p.witness(f, r, c, x)
		}
	}
	if p.keywords != nil {
		for i := range r.anyField(x) {
			c := &r.cells[i]
			if c.list || c.folded || p.keywords.set.MayHold(c.value.Text) {
				p.witness(p.keywords, r, c, x)
			}
		}
	}
	for i := range p.present {
		if r.cell(p.present[i].slot) != nil {
			x.propose(p.present[i].rules)
		}
	}
	x.propose(p.always)
	if x.Profile {
		p.measure(r, x)
	} else {
		for _, rule := range x.candidates {
			if p.run(p.entry[rule], r, x) {
				x.Rules = append(x.Rules, rule)
			}
		}
	}
	x.Looked += len(x.candidates)
	slices.Sort(x.Rules)
}

// start makes the memory ready for a program.
func (x *Run) start(p *Program) {
	x.Rules, x.Costs, x.candidates = x.Rules[:0], x.Costs[:0], x.candidates[:0]
	if n := len(p.atoms); n > len(x.answers) {
		x.answers = append(x.answers, make([]uint32, n-len(x.answers))...)
	}
	if n := len(p.entry); n > len(x.seen) {
		x.seen = append(x.seen, make([]uint32, n-len(x.seen))...)
	}
	x.forget()
}

// forget makes all answers unknown.
func (x *Run) forget() {
	if x.epoch++; x.epoch == 1<<31 {
		clear(x.answers)
		clear(x.seen)
		x.epoch = 1
	}
}

// witness looks one field through and proposes the rules that have a witness in it.
func (p *Program) witness(f *fieldIndex, r *Record, c *cell, x *Run) {
	if c.value.Kind == event.Null {
		return
	}
	x.found.Reset(f.set.Len())
	if !c.list {
		f.set.Find(r.fold(c), &x.found)
	} else {
		for i, s := range r.foldList(c) {
			if c.value.Items[i].Kind != event.Null {
				f.set.Find(r.arena[s.from:s.to], &x.found)
			}
		}
	}
	for _, n := range x.found.Numbers {
		n += f.base
		for _, a := range p.proves.of(n) {
			x.answers[a] = x.epoch<<1 | 1
		}
		x.propose(p.rules.of(n))
	}
}

func (x *Run) propose(rules []uint32) {
	for _, rule := range rules {
		if x.seen[rule] != x.epoch {
			x.seen[rule] = x.epoch
			x.candidates = append(x.candidates, rule)
		}
	}
}

// run follows the code from a place to its end.
func (p *Program) run(at int32, r *Record, x *Run) bool {
	for at >= 0 {
		j := &p.code[at]
		if p.ask(j.atom, r, x) {
			at = j.yes
		} else {
			at = j.no
		}
	}
	return at == pass
}

// ask answers an atom, from memory if it was asked before.
func (p *Program) ask(n uint32, r *Record, x *Run) bool {
	if known := x.answers[n]; known>>1 == x.epoch {
		return known&1 != 0
	}
	yes := p.answer(&p.atoms[n], r, x)
	known := x.epoch << 1
	if yes {
		known |= 1
	}
	x.answers[n] = known
	return yes
}

func (p *Program) answer(a *atom, r *Record, x *Run) bool {
	switch {
	case a.kind == anyAtom:
		for _, member := range p.members[a.a:a.b] {
			if p.ask(member, r, x) {
				return true
			}
		}
		return false
	case a.kind == subroutine:
		return p.run(int32(a.a), r, x)
	case a.slot != 0:
		return p.holds(a, r, r.cell(a.slot))
	}
	for i := range r.anyField(x) {
		if p.holds(a, r, &r.cells[i]) {
			return true
		}
	}
	return false
}
