package program

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"shieldwall/internal/event"
	"shieldwall/internal/match/compare"
	"shieldwall/internal/match/literal"
	"shieldwall/internal/sigma"
)

// compiler is a program being made.
type compiler struct {
	Program
	*Shared

	dry   bool      // only ask what rules need: no tables are made
	costs []float64 // by atom
	known map[atomKey]uint32
	text  map[uint32]needleOf // atoms that are exactly one needle in a folded text
	needs map[uint32]need     // by atom; made when first asked for
	inner map[uint32]*node    // by atom: a subroutine's tree
	memos map[uint32][]uint32 // atom -> atoms of which it is a member: true as soon as it is
}

// atomKey makes equal questions one.
type atomKey struct {
	kind  atomKind
	cased bool
	slot  event.Slot
	what  string
}

// needleOf is a literal in a field.
type needleOf struct {
	slot   event.Slot
	needle literal.Needle
}

// New compiles rules. The fields they name get slots in its names. It fails only for rules made by other
// means than sigma.Parse. Between two rules it calls between, unless that is nil.
func New(rules []*sigma.Detection, shared *Shared, between func()) (*Program, error) {
	c := newCompiler(shared)
	trees := make([]*node, len(rules))
	for i, d := range rules {
		if between != nil && i > 0 {
			between()
		}
		tree, err := c.tree(d)
		if err != nil {
			return nil, err
		}
		trees[i] = tree
		c.entry = append(c.entry, c.emit(tree, pass, fail))
	}
	c.index(trees)
	c.measure()
	p := c.Program // without what only compiling needs
	return &p, nil
}

func newCompiler(shared *Shared) *compiler {
	return &compiler{
		Shared: shared, known: map[atomKey]uint32{}, text: map[uint32]needleOf{},
		needs: map[uint32]need{}, inner: map[uint32]*node{}, memos: map[uint32][]uint32{},
	}
}

// indifferent is the model of who does not ask what is rare.
var indifferent literal.Model

// Required returns folded texts of which a field must be one, as a whole, for the rule to hold; none where
// the rule does not say, or where they are more than limit. It fails where New would.
func Required(d *sigma.Detection, field string, limit int) ([]string, error) {
	c := newCompiler(&Shared{Names: new(event.Names), Model: &indifferent})
	c.dry = true
	slot := c.Names.Want(field)[0]
	tree, err := c.tree(d)
	if err != nil {
		return nil, err
	}
	n := c.need(tree, true, func(a uint32) need {
		n := c.needOf(a)
		for _, w := range n.needles {
			if w.slot != slot || w.needle.Kind != literal.Equal {
				return need{}
			}
		}
		if len(n.present) > 0 {
			return need{}
		}
		return n
	})
	if !n.sound || len(n.needles) > limit {
		return nil, nil
	}
	var out []string
	for _, w := range n.needles {
		if !slices.Contains(out, w.needle.Text) {
			out = append(out, w.needle.Text)
		}
	}
	return out, nil
}

func errUnknown(x any) error { return fmt.Errorf("value of type %T is not known to the matcher", x) }

// atom returns the number of a question, asking make for its data where it is new.
func (c *compiler) atom(key atomKey, cost float64, data func() (a, b uint32)) uint32 {
	if n, ok := c.known[key]; ok {
		return n
	}
	n := uint32(len(c.atoms))
	c.known[key] = n
	x := atom{kind: key.kind, cased: key.cased, slot: key.slot}
	if data != nil && !c.dry {
		x.a, x.b = data()
	}
	if key.slot == 0 && key.kind != anyAtom && key.kind != subroutine {
		c.everyField = true
		cost *= keywordCost
	}
	c.atoms, c.costs = append(c.atoms, x), append(c.costs, cost)
	return n
}

// What atoms cost, roughly in nanoseconds. Keywords look at that many fields.
const (
	costEnd     = 5
	costPart    = 25
	costGlob    = 60
	costNetwork = 80
	costNumber  = 40
	costTime    = 500
	costRegexp  = 300
	costGuard   = 150 // for an expression behind literals
	costSet     = 120
	keywordCost = 20
)

// anyOf makes one atom of some values of a field.
func (c *compiler) anyOf(slot event.Slot, values []sigma.Value) (uint32, error) {
	g := &group{compiler: c, slot: slot}
	if err := g.add(values); err != nil {
		return 0, err
	}
	return g.atom(), nil
}

// group collects the values of one question.
type group struct {
	*compiler
	slot     event.Slot
	atoms    []uint32
	seen     map[uint32]bool
	networks []netip.Prefix
}

func (g *group) add(values []sigma.Value) error {
	for _, v := range values {
		switch v := v.(type) {
		case sigma.AnyOf:
			if err := g.add(v.Values); err != nil {
				return err
			}
		case sigma.CIDR:
			g.networks = append(g.networks, v.Prefix)
		case sigma.String:
			for _, p := range spellings(v.Pattern) {
				g.member(g.pattern(p, v.Cased))
			}
		default:
			a, err := g.other(v)
			if err != nil {
				return err
			}
			g.member(a)
		}
	}
	return nil
}

func (g *group) member(a uint32) {
	if g.seen == nil {
		g.seen = map[uint32]bool{}
	}
	if !g.seen[a] {
		g.seen[a] = true
		g.atoms = append(g.atoms, a)
	}
}

// smallSet is how many literals are asked one by one rather than as a set.
const smallSet = 4

// atom makes the group's question: literals of one field as a set, the rest one by one.
func (g *group) atom() uint32 {
	if len(g.networks) > 0 {
		g.member(g.network())
	}
	if len(g.atoms) == 1 {
		return g.atoms[0]
	}
	var texts, rest []uint32
	for _, a := range g.atoms {
		if _, ok := g.text[a]; ok {
			texts = append(texts, a)
		} else {
			rest = append(rest, a)
		}
	}
	if len(texts) < smallSet {
		return g.any(g.atoms)
	}
	set := g.set(texts)
	if len(rest) == 0 {
		return set
	}
	return g.any(append([]uint32{set}, rest...))
}

func (g *group) any(members []uint32) uint32 {
	cost := 0.0
	for _, m := range members {
		cost += g.costs[m]
	}
	a := g.compiler.atom(atomKey{kind: anyAtom, slot: g.slot, what: numbers(members)}, cost, func() (uint32, uint32) {
		from := len(g.members)
		g.members = append(g.members, members...)
		return uint32(from), uint32(len(g.members))
	})
	g.remember(a, members)
	return a
}

func (g *group) set(members []uint32) uint32 {
	key := atomKey{kind: inSet, slot: g.slot, what: numbers(members)}
	if a, ok := g.known[key]; ok {
		return a
	}
	list, cost := make([]literal.Needle, len(members)), costEnd*2.0
	for i, m := range members {
		list[i] = g.text[m].needle
		if list[i].Kind == literal.Contains {
			cost = costSet
		}
	}
	a := g.compiler.atom(key, cost, func() (uint32, uint32) {
		g.sets = append(g.sets, literal.New(list, g.Model))
		return uint32(len(g.sets) - 1), 0
	})
	g.remember(a, members)
	return a
}

// remember notes that the members prove the group, and what it is made of.
func (g *group) remember(a uint32, members []uint32) {
	if _, known := g.needs[a]; known {
		return
	}
	n := need{sound: true}
	for _, m := range members {
		g.memos[m] = append(g.memos[m], a)
		n = n.or(g.needOf(m))
	}
	if present := g.needOfPresence(g.slot); n.sound && g.slot != 0 && present.better(n) {
		n = present
	}
	g.needs[a] = n
}

func numbers(list []uint32) string {
	b := make([]byte, 0, 4*len(list))
	for _, n := range list {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return string(b)
}

func (g *group) network() uint32 {
	var key strings.Builder
	for _, n := range g.networks {
		key.WriteString(n.String() + " ")
	}
	return g.compiler.atom(atomKey{kind: inNetworks, slot: g.slot, what: key.String()}, costNetwork, func() (uint32, uint32) {
		from := len(g.tables.networks)
		g.tables.networks = append(g.tables.networks, g.networks...)
		return uint32(from), uint32(len(g.tables.networks))
	})
}

// pattern makes an atom of a text with or without wildcards.
func (g *group) pattern(p sigma.Pattern, cased bool) uint32 {
	if !cased {
		p = compare.FoldPattern(p)
	}
	kind, what := shape(p)
	if kind == hasGlob {
		a := g.compiler.atom(atomKey{hasGlob, cased, g.slot, globKey(p)}, costGlob, func() (uint32, uint32) {
			g.globs = append(g.globs, compare.NewGlob(p))
			return uint32(len(g.globs) - 1), 0
		})
		g.globNeed(a, p, cased)
		return a
	}
	cost := float64(costEnd)
	if kind == hasPart {
		cost = costPart
	}
	a := g.compiler.atom(atomKey{kind, cased, g.slot, what}, cost, func() (uint32, uint32) {
		g.literals = append(g.literals, []byte(what))
		g.rarest = append(g.rarest, int32(g.Model.Rarest(what)))
		return uint32(len(g.literals) - 1), 0
	})
	g.literalNeed(a, kind, what, cased)
	return a
}

// other makes an atom of a value that is no text.
func (g *group) other(v sigma.Value) (uint32, error) {
	key := atomKey{slot: g.slot}
	switch v := v.(type) {
	case sigma.Null:
		key.kind = isNull
		return g.compiler.atom(key, costEnd, nil), nil
	case sigma.Exists:
		key.kind = isMissing
		if v.Present {
			key.kind = isPresent
		}
		return g.compiler.atom(key, costEnd, nil), nil
	case sigma.Regexp:
		return g.regexp(v), nil
	case sigma.FieldRef:
		key.kind, key.what = sameAs, fmt.Sprintf("%q %t %t %t", v.Field, v.Cased, v.OpenHead, v.OpenTail)
		ref := fieldRef{v, g.Names.Want(v.Field)[0]}
		return g.compiler.atom(key, costPart, func() (uint32, uint32) {
			g.refs = append(g.refs, ref)
			return uint32(len(g.refs) - 1), 0
		}), nil
	case sigma.Compare:
		key.kind, key.what = inOrder, fmt.Sprint(v.Op, v.Number)
		return g.compiler.atom(key, costNumber, func() (uint32, uint32) {
			g.compares = append(g.compares, v)
			return uint32(len(g.compares) - 1), 0
		}), nil
	case sigma.TimePart:
		key.kind, key.what = atTime, fmt.Sprint(v.Unit, v.Op, v.Number)
		return g.compiler.atom(key, costTime, func() (uint32, uint32) {
			g.times = append(g.times, v)
			return uint32(len(g.times) - 1), 0
		}), nil
	}
	return 0, errUnknown(v)
}

func (g *group) regexp(v sigma.Regexp) uint32 {
	literals, cost := required(v.Source), float64(costRegexp)
	if len(literals) > 0 {
		cost = costGuard
	}
	a := g.compiler.atom(atomKey{kind: hasRegexp, slot: g.slot, what: v.Source}, cost, func() (uint32, uint32) {
		re := guarded{machine: g.machine(v)}
		for _, set := range literals {
			re.guards = append(re.guards, literal.New(set, g.Model))
		}
		g.regexps = append(g.regexps, re)
		return uint32(len(g.regexps) - 1), 0
	})
	if _, known := g.needs[a]; !known && len(literals) > 0 {
		var best need
		for _, set := range literals {
			n := need{sound: true}
			for _, l := range set {
				n = n.or(g.literalIn(g.slot, l))
			}
			if n.better(best) {
				best = n
			}
		}
		g.needs[a] = best
	}
	return a
}

// subroutine makes an atom of a tree.
func (c *compiler) subroutine(n *node) *node {
	at := c.emit(n, pass, fail)
	a := c.atom(atomKey{kind: subroutine, what: fmt.Sprint(at)}, n.cost, func() (uint32, uint32) { return uint32(at), 0 })
	c.inner[a] = n
	return &node{op: opAtom, atom: a, cost: n.cost}
}

// shape recognises the patterns that are one literal with open ends.
func shape(p sigma.Pattern) (atomKind, string) {
	kinds := ""
	for _, part := range p[:min(len(p), 4)] {
		kinds += [...]string{sigma.Literal: "l", sigma.AnyRun: "*", sigma.AnyChar: "?", sigma.Dash: "-"}[part.Kind]
	}
	switch kinds {
	case "":
		return isEqual, ""
	case "*":
		return isText, ""
	case "l":
		return isEqual, p[0].Text
	case "l*":
		return hasPrefix, p[0].Text
	case "*l":
		return hasSuffix, p[1].Text
	case "*l*":
		return hasPart, p[1].Text
	}
	return hasGlob, ""
}

func globKey(p sigma.Pattern) string {
	var b strings.Builder
	for _, part := range p {
		fmt.Fprintf(&b, "%d%d:%s", part.Kind, len(part.Text), part.Text)
	}
	return b.String()
}

// maxSpellings bounds the texts that a pattern with dashes is written out to.
const maxSpellings = 25

// spellings writes a pattern with dashes out where that leaves plain literals: they are found faster than
// wildcards.
func spellings(p sigma.Pattern) []sigma.Pattern {
	dashes, count := 0, 1
	for i, part := range p {
		switch {
		case part.Kind == sigma.Dash:
			dashes++
			count *= len([]rune(sigma.Dashes))
		case part.Kind == sigma.AnyChar, part.Kind == sigma.AnyRun && i > 0 && i < len(p)-1:
			return []sigma.Pattern{p}
		}
		if count > maxSpellings {
			return []sigma.Pattern{p}
		}
	}
	if dashes == 0 {
		return []sigma.Pattern{p}
	}
	out := []sigma.Pattern{nil}
	for _, part := range p {
		var next []sigma.Pattern
		for _, q := range out {
			if part.Kind != sigma.Dash {
				next = append(next, appendPart(q, part))
				continue
			}
			for _, dash := range sigma.Dashes {
				next = append(next, appendPart(q, sigma.Part{Kind: sigma.Literal, Text: string(dash)}))
			}
		}
		out = next
	}
	return out
}

// appendPart copies a pattern with one more part, literals joined.
func appendPart(p sigma.Pattern, part sigma.Part) sigma.Pattern {
	out := append(sigma.Pattern(nil), p...)
	if n := len(out); n > 0 && out[n-1].Kind == sigma.Literal && part.Kind == sigma.Literal {
		out[n-1].Text += part.Text
		return out
	}
	return append(out, part)
}
