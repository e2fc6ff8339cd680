package program

import (
	"bytes"
	"net/netip"
	"strings"

	"shieldwall/internal/event"
	"shieldwall/internal/match/compare"
	"shieldwall/internal/match/literal"
	"shieldwall/internal/sigma"
)

// atom is one question about one field, asked by any number of rules. Its answer is remembered for as
// long as a run lasts.
type atom struct {
	kind  atomKind
	cased bool
	slot  event.Slot // keywords: 0, which stands for every field
	a, b  uint32     // what they mean depends on the kind
}

type atomKind uint8

const (
	isEqual    atomKind = iota // literals[a]
	hasPrefix                  // literals[a]
	hasSuffix                  // literals[a]
	hasPart                    // literals[a]
	isText                     // any text at all: "*"
	hasGlob                    // globs[a]
	inSet                      // sets[a]: any needle
	isNull                     // missing, or null
	isPresent                  // exists: true
	isMissing                  // exists: false
	hasRegexp                  // regexps[a]
	inNetworks                 // networks[a:b]: any
	sameAs                     // refs[a]
	inOrder                    // compares[a]
	atTime                     // times[a]
	anyAtom                    // members[a:b]: any of these atoms
	subroutine                 // code from a
)

// guarded is a regular expression with sets of literals: the folded text must hold one of each.
type guarded struct {
	*machine
	guards []*literal.Set
}

// fieldRef is the other side of a field reference.
type fieldRef struct {
	sigma.FieldRef
	slot event.Slot
}

// tables hold what atoms refer to.
type tables struct {
	literals [][]byte
	rarest   []int32 // of each literal: the place of its rarest byte
	globs    []compare.Glob
	sets     []*literal.Set
	regexps  []guarded
	networks []netip.Prefix
	refs     []fieldRef
	compares []sigma.Compare
	times    []sigma.TimePart
	members  []uint32
}

// holds decides an atom about one field; the cell is nil where the event does not have it.
func (p *Program) holds(x *atom, r *Record, c *cell) bool {
	switch x.kind {
	case isNull:
		return c == nil || c.null
	case isPresent:
		return c != nil
	case isMissing:
		return c == nil
	}
	if c == nil || c.value.Kind == event.Null {
		return false
	}
	if x.kind == sameAs {
		return p.same(&p.refs[x.a], r, c)
	}
	if !c.list {
		if x.raw() {
			return p.holdsRaw(x, c.value.Text, r, c)
		}
		return p.holdsFolded(x, r.fold(c))
	}
	return p.holdsList(x, r, c)
}

func (p *Program) holdsList(x *atom, r *Record, c *cell) bool {
	for i := range c.value.Items {
		item := &c.value.Items[i]
		if item.Kind == event.Null {
			continue
		}
		if x.raw() {
			if p.holdsRaw(x, item.Text, r, nil) {
				return true
			}
			continue
		}
		s := r.foldList(c)[i]
		if p.holdsFolded(x, r.arena[s.from:s.to]) {
			return true
		}
	}
	return false
}

// raw tells whether the atom looks at the text as it is written.
func (x *atom) raw() bool {
	switch x.kind {
	case hasRegexp, inNetworks, inOrder, atTime:
		return true
	}
	return x.cased
}

func (p *Program) holdsFolded(x *atom, text []byte) bool {
	switch x.kind {
	case isEqual:
		return bytes.Equal(text, p.literals[x.a])
	case hasPrefix:
		return bytes.HasPrefix(text, p.literals[x.a])
	case hasSuffix:
		return bytes.HasSuffix(text, p.literals[x.a])
	case hasPart:
		return contains(text, p.literals[x.a], int(p.rarest[x.a]))
	case inSet:
		return p.sets[x.a].Any(text)
	case hasGlob:
		return p.globs[x.a].MatchBytes(text)
	}
	return true // isText
}

// contains is bytes.Contains, which looks for the first byte of the part, for a part whose rarest byte is known.
func contains(text, part []byte, rarest int) bool {
	places := len(text) - len(part) + 1
	if places <= 0 {
		return false
	}
	for at, misses := 0, 0; at < places; at, misses = at+1, misses+1 {
		next := bytes.IndexByte(text[at+rarest:places+rarest], part[rarest])
		if next < 0 {
			return false
		}
		if at += next; bytes.HasPrefix(text[at:], part) {
			return true
		}
		if misses > 8+at>>4 { // it is not rare here
			return bytes.Contains(text[at+1:], part)
		}
	}
	return false
}

// holdsRaw decides an atom about a text as it is written. The cell is the one whose text it is, if it is
// a scalar: then its folded form is at hand.
func (p *Program) holdsRaw(x *atom, text string, r *Record, c *cell) bool {
	switch x.kind {
	case isEqual:
		return text == string(p.literals[x.a])
	case hasPrefix:
		n := len(p.literals[x.a])
		return len(text) >= n && text[:n] == string(p.literals[x.a])
	case hasSuffix:
		n := len(text) - len(p.literals[x.a])
		return n >= 0 && text[n:] == string(p.literals[x.a])
	case hasPart:
		return strings.Contains(text, string(p.literals[x.a]))
	case hasGlob:
		return p.globs[x.a].Match(text)
	case hasRegexp:
		re := &p.regexps[x.a]
		if c != nil {
			for _, guard := range re.guards {
				if !guard.Any(r.fold(c)) {
					return false
				}
			}
		}
		return re.match(text)
	case inNetworks:
		return inAny(p.networks[x.a:x.b], text)
	case inOrder:
		want := &p.compares[x.a]
		order, ok := compare.Order(strings.TrimSpace(text), want.Number)
		return ok && compare.Fits(order, want.Op)
	case atTime:
		want := &p.times[x.a]
		part, ok := compare.TimePart(strings.TrimSpace(text), want.Unit)
		return ok && compare.Fits(compare.Three(part, want.Number), want.Op)
	}
	return true // isText
}

func inAny(networks []netip.Prefix, text string) bool {
	if text = strings.TrimSpace(text); !mayBeAddress(text) {
		return false
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return false
	}
	addr = addr.WithZone("")
	plain := addr.Unmap() // Windows writes IPv4 peers of IPv6 sockets as ::ffff:192.0.2.1
	for _, n := range networks {
		if n.Contains(plain) || n.Contains(addr) {
			return true
		}
	}
	return false
}

// mayBeAddress keeps texts like "-" from the parser, whose errors cost memory.
func mayBeAddress(text string) bool {
	if text == "" {
		return false
	}
	c := text[0]
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' || c == ':'
}

// same compares a field with another one of the same event.
func (p *Program) same(ref *fieldRef, r *Record, c *cell) bool {
	other := r.cell(ref.slot)
	if other == nil {
		return false
	}
	for i := range r.texts(c) {
		for j := range r.texts(other) {
			if mine, theirs := r.text(c, i, ref.Cased), r.text(other, j, ref.Cased); fits(ref, mine, theirs) {
				return true
			}
		}
	}
	return false
}

func fits(ref *fieldRef, text, part []byte) bool {
	if text == nil || part == nil {
		return false
	}
	switch {
	case ref.OpenHead && ref.OpenTail:
		return bytes.Contains(text, part)
	case ref.OpenHead:
		return bytes.HasSuffix(text, part)
	case ref.OpenTail:
		return bytes.HasPrefix(text, part)
	}
	return bytes.Equal(text, part)
}

// texts counts the values of a field, nulls included.
func (r *Record) texts(c *cell) int {
	if c.list {
		return len(c.value.Items)
	}
	return 1
}

// text returns one value of a field, never nil but for null.
func (r *Record) text(c *cell, i int, cased bool) []byte {
	v := c.value
	if c.list {
		v = &c.value.Items[i]
	}
	switch {
	case v.Kind == event.Null:
		return nil
	case cased:
		return append(make([]byte, 0, len(v.Text)), v.Text...)
	case c.list:
		s := r.foldList(c)[i]
		return r.arena[s.from:s.to:s.to]
	}
	return r.fold(c)
}
