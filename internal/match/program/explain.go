package program

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"shieldwall/internal/event"
	"shieldwall/internal/match/literal"
	"shieldwall/internal/sigma"
)

const (
	// maxReasons bounds the reasons that are given for one rule, maxTexts the texts of it that one of them shows,
	// and maxShown the characters of each.
	maxReasons = 4
	maxTexts   = 3
	maxShown   = 40
	// shortText is the length below which a text is judged by its length alone (literal.Model).
	shortText = 3
)

// Explain says in words why a rule is filed as it is, for its author to change: which texts it is found by, or why
// there are none. Each reason goes on from "it".
func Explain(d *sigma.Detection, model *literal.Model, filed Filing) []string {
	c := newCompiler(&Shared{Names: new(event.Names), Model: model})
	c.dry = true
	tree, err := c.tree(d)
	if err != nil {
		return nil
	}
	x := &explainer{compiler: c, fields: map[event.Slot]string{0: "any field"}, members: map[uint32][]uint32{}}
	x.name(d)
	for member, groups := range c.memos {
		for _, g := range groups {
			x.members[g] = append(x.members[g], member)
		}
	}
	for _, list := range x.members {
		slices.Sort(list)
	}
	switch n := c.need(tree, true, c.needOf); {
	case filed == ByText:
		x.byText(n)
	case filed == Always:
		x.unsound(tree, true, "")
	case len(n.present) == 0:
		x.demoted(n)
	default:
		x.byField(tree, true, "")
	}
	return x.reasons()
}

// explainer collects reasons.
type explainer struct {
	*compiler
	fields  map[event.Slot]string
	members map[uint32][]uint32 // of groups
	found   []string
	more    bool // than maxReasons
	// negations says that a part was met that holds for what is not there. Nearly every rule has one, so that it
	// is a reason only where there is no other.
	negations string
}

// name gives the slots of a rule's fields their names back.
func (x *explainer) name(d *sigma.Detection) {
	for _, sel := range d.Selections {
		for _, alt := range sel.Alternatives {
			for _, item := range alt {
				if item.Field != "" {
					x.fields[x.Names.Want(item.Field)[0]] = item.Field
				}
			}
		}
	}
}

func (x *explainer) say(part, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if part != "" {
		text = part + text
	}
	switch {
	case slices.Contains(x.found, text):
	case len(x.found) == maxReasons:
		x.more = true
	default:
		x.found = append(x.found, text)
	}
}

func (x *explainer) reasons() []string {
	if len(x.found) == 0 && x.negations != "" {
		x.found = []string{x.negations}
	}
	if x.more {
		x.found = append(x.found, "has more such parts")
	}
	return x.found
}

// alternative is how a reason begins that is about one of several parts, each of which is enough.
const alternative = "is met by one alternative alone, which "

// all tells whether the parts of a node have to hold together.
func (n *node) all(positive bool) bool { return (n.op == opAnd) == positive }

// unsound says why nothing has to be there for a tree to hold.
func (x *explainer) unsound(n *node, positive bool, part string) {
	switch {
	case n.op == opNot:
		x.unsound(n.nodes[0], !positive, part)
	case n.op == opAtom && x.inner[n.atom] != nil:
		x.unsound(x.inner[n.atom], positive, part)
	case n.op == opAtom && !positive:
		x.negations = cmp.Or(x.negations, part+"says only what must not be there")
	case n.op == opAtom:
		x.unsoundAtom(n.atom, part)
	case n.all(positive):
		for _, m := range n.nodes {
			x.unsound(m, positive, part)
		}
	default:
		bad := 0
		for _, m := range n.nodes {
			if !x.need(m, positive, x.needOf).sound {
				bad++
				x.unsound(m, positive, alternative)
			}
		}
		if bad == 0 {
			x.say(part, "looks for more than %d texts", maxWitnesses)
		}
	}
}

func (x *explainer) unsoundAtom(a uint32, part string) {
	at := x.atoms[a]
	field := x.field(at.slot)
	switch at.kind {
	case isNull, isMissing:
		x.say(part, "asks whether %s is missing", field)
	case anyAtom, inSet:
		bad := 0
		for _, m := range x.members[a] {
			if !x.needOf(m).sound {
				bad++
				x.unsoundAtom(m, part)
			}
		}
		if bad == 0 {
			x.say(part, "looks in %s for more than %d texts", field, maxWitnesses)
		}
	default:
		x.say(part, "%s", x.vague(a)) // a keyword without a text
	}
}

// byField says why no text has to be in a field for a tree to hold.
func (x *explainer) byField(n *node, positive bool, part string) {
	switch {
	case n.op == opNot:
		x.byField(n.nodes[0], !positive, part)
	case n.op == opAtom && x.inner[n.atom] != nil:
		x.byField(x.inner[n.atom], positive, part)
	case n.op == opAtom:
		x.byFieldAtom(n.atom, part)
	case n.all(positive):
		// The best of its parts stands for it, and the others are no better.
		for _, m := range n.nodes {
			if need := x.need(m, positive, x.needOf); need.sound && len(need.present) > 0 {
				x.byField(m, positive, part)
			}
		}
	default:
		for _, m := range n.nodes {
			if len(x.need(m, positive, x.needOf).present) > 0 {
				x.byField(m, positive, alternative)
			}
		}
	}
}

func (x *explainer) byFieldAtom(a uint32, part string) {
	at := x.atoms[a]
	if w, ok := x.text[a]; ok {
		x.common(at.slot, []needleOf{w}, part)
		return
	}
	if at.kind != anyAtom && at.kind != inSet {
		x.say(part, "%s", x.vague(a))
		return
	}
	bad := 0
	for _, m := range x.members[a] {
		if len(x.needOf(m).present) > 0 {
			bad++
			x.byFieldAtom(m, part)
		}
	}
	if bad == 0 {
		x.common(at.slot, x.needles(a, nil), part)
	}
}

// needles appends the texts of a group.
func (x *explainer) needles(a uint32, out []needleOf) []needleOf {
	for _, m := range x.members[a] {
		if w, ok := x.text[m]; ok {
			out = append(out, w)
		} else {
			out = x.needles(m, out)
		}
	}
	return out
}

// common is about texts in one field of which one is likely to be there: for being short, or for being many.
func (x *explainer) common(slot event.Slot, texts []needleOf, part string) {
	short := slices.DeleteFunc(slices.Clone(texts), func(w needleOf) bool { return len(w.needle.Text) >= shortText })
	switch {
	case len(short) > 0:
		x.say(part, "looks in %s for a short text: %s", x.field(slot), x.list(short))
	case len(texts) == 1:
		x.say(part, "looks in %s for a common text: %s", x.field(slot), x.list(texts))
	default:
		x.say(part, "looks in %s for %d texts, which are together as common as the field: %s", x.field(slot), len(texts), x.list(texts))
	}
}

// list shows some texts, the commonest first.
func (x *explainer) list(texts []needleOf) string {
	texts = slices.Clone(texts)
	slices.SortStableFunc(texts, func(a, b needleOf) int {
		return cmp.Compare(x.Model.Chance(b.needle.Text), x.Model.Chance(a.needle.Text))
	})
	out := ""
	for i, w := range texts[:min(len(texts), maxTexts)] {
		if i > 0 {
			out += ", "
		}
		out += shown(w.needle.Text)
	}
	if n := len(texts) - maxTexts; n > 0 {
		out += fmt.Sprintf(" and %d more", n)
	}
	return out
}

// byText says which texts a rule is found by.
func (x *explainer) byText(n need) {
	for len(n.needles) > 0 {
		slot := n.needles[0].slot
		var here, rest []needleOf
		for _, w := range n.needles {
			if w.slot == slot {
				here = append(here, w)
			} else {
				rest = append(rest, w)
			}
		}
		x.say("", "is found by a text in %s: %s", x.field(slot), x.list(here))
		n.needles = rest
	}
}

// vague says what a question asks that has no text to look for.
func (x *explainer) vague(a uint32) string {
	at := x.atoms[a]
	field := x.field(at.slot)
	switch at.kind {
	case hasRegexp:
		return "has a regular expression for " + field + " without a text that is always in it"
	case hasGlob:
		return "has a pattern for " + field + " without a fixed text"
	case isText, isPresent:
		return "asks only whether " + field + " is there"
	case inNetworks:
		return "looks in " + field + " for networks"
	case sameAs:
		return "compares " + field + " with another field"
	case inOrder:
		return "compares " + field + " with a number"
	case atTime:
		return "asks for a part of the time in " + field
	}
	return "looks in " + field + " for a common text"
}

// demoted is about a rule whose texts are too short to be looked for among those of its neighbours.
func (x *explainer) demoted(n need) {
	least := literal.Long
	for _, w := range n.needles {
		if w.needle.Kind == literal.Contains {
			least = min(least, len(w.needle.Text))
		}
	}
	for _, w := range n.needles {
		if w.needle.Kind == literal.Contains && len(w.needle.Text) == least {
			x.say("", "looks anywhere in %s for a text that is too short to be worth the search: %s", x.field(w.slot), shown(w.needle.Text))
		}
	}
}

func (x *explainer) field(slot event.Slot) string { return cut(cmp.Or(x.fields[slot], "a field")) }

// shown puts a text between quotes, as it is.
func shown(text string) string { return `"` + cut(text) + `"` }

// cut shortens a rule's own text.
func cut(text string) string {
	if utf8.RuneCountInString(text) <= maxShown {
		return text
	}
	return string([]rune(text)[:maxShown]) + "…"
}
