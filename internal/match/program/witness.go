package program

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"shieldwall/internal/event"
	"shieldwall/internal/match/compare"
	"shieldwall/internal/match/literal"
	"shieldwall/internal/sigma"
)

// need is a set of witnesses: where it is sound, what it belongs to holds only if one of them does.
type need struct {
	sound   bool
	needles []needleOf
	present []event.Slot // fields that are there
	chance  float64      // that one of them does, about
}

// maxWitnesses bounds a rule's set; a rule that needs more is looked at whenever its fields are there.
const maxWitnesses = 4096

// or joins two needs. It may write behind n's lists, so that n must be one that or made, or the empty one.
func (n need) or(m need) need {
	if !n.sound || !m.sound || len(n.needles)+len(m.needles) > maxWitnesses {
		return need{}
	}
	return need{
		sound: true, chance: n.chance + m.chance,
		needles: append(n.needles, m.needles...), present: append(n.present, m.present...),
	}
}

// better tells whether n is the better one of two needs that belong to the same thing.
func (n need) better(m need) bool {
	if n.sound != m.sound {
		return n.sound
	}
	return n.chance < m.chance
}

// need finds the best witnesses of a tree out of what its atoms need; positive is false below an odd
// number of negations.
func (c *compiler) need(n *node, positive bool, of func(atom uint32) need) need {
	switch {
	case n.op == opNot:
		return c.need(n.nodes[0], !positive, of)
	case n.op == opAtom && c.inner[n.atom] != nil:
		return c.need(c.inner[n.atom], positive, of)
	case n.op == opAtom && positive:
		return of(n.atom)
	case n.op == opAtom:
		return need{} // not: holds for nearly every event, and where the field is missing
	}
	if all := (n.op == opAnd) == positive; !all {
		out := need{sound: true}
		for _, x := range n.nodes {
			if out = out.or(c.need(x, positive, of)); !out.sound {
				break
			}
		}
		return out
	}
	var best need
	for _, x := range n.nodes {
		if one := c.need(x, positive, of); one.better(best) {
			best = one
		}
	}
	return best
}

// needOf is what an atom needs: literals where some are known, else that its field is there.
func (c *compiler) needOf(a uint32) need {
	if n, ok := c.needs[a]; ok {
		return n
	}
	x := c.atoms[a]
	if x.kind == isNull || x.kind == isMissing || x.slot == 0 {
		return need{}
	}
	return c.needOfPresence(x.slot)
}

func (c *compiler) needOfPresence(slot event.Slot) need {
	return need{sound: true, present: []event.Slot{slot}, chance: presentChance}
}

const (
	presentChance = 0.9
	// partChance is what looking for a literal anywhere costs beside one at an end.
	partChance = 0.002
)

// literalIn is the need of one literal in a field.
func (c *compiler) literalIn(slot event.Slot, n literal.Needle) need {
	chance := c.Model.Chance(n.Text)
	switch {
	case n.Kind == literal.Contains:
		chance += partChance
	case n.Kind == literal.Equal && n.Text == "":
		chance = 0.1
	default:
		chance *= 0.7
	}
	if slot == 0 {
		chance *= keywordCost
	}
	return need{sound: true, needles: []needleOf{{slot, n}}, chance: chance}
}

// literalNeed notes what a text atom needs. Where the rule minds case the folded text holds the folded
// literal, provided that it is whole characters.
func (c *compiler) literalNeed(a uint32, kind atomKind, what string, cased bool) {
	if _, known := c.needs[a]; known || kind == isText {
		return
	}
	n := literal.Needle{Kind: map[atomKind]literal.Kind{
		isEqual: literal.Equal, hasPrefix: literal.Prefix, hasSuffix: literal.Suffix, hasPart: literal.Contains}[kind], Text: what}
	if !cased {
		c.text[a] = needleOf{c.atoms[a].slot, n}
	} else if n.Text = compare.Fold(what); !utf8.ValidString(what) {
		return
	}
	c.needs[a] = c.literalIn(c.atoms[a].slot, n)
	if present := c.needOfPresence(c.atoms[a].slot); c.atoms[a].slot != 0 && present.better(c.needs[a]) {
		c.needs[a] = present
	}
}

// globNeed notes the rarest literal of a pattern with wildcards.
func (c *compiler) globNeed(a uint32, p sigma.Pattern, cased bool) {
	if _, known := c.needs[a]; known {
		return
	}
	var best need
	for i, part := range p {
		if part.Text == "" || cased && !utf8.ValidString(part.Text) {
			continue
		}
		n := literal.Needle{Kind: literal.Contains, Text: compare.Fold(part.Text)}
		switch i {
		case 0:
			n.Kind = literal.Prefix
		case len(p) - 1:
			n.Kind = literal.Suffix
		}
		if one := c.literalIn(c.atoms[a].slot, n); one.better(best) {
			best = one
		}
	}
	if best.sound {
		c.needs[a] = best
	}
}

// Limits of the literals taken out of one regular expression: those of one set, and sets.
const (
	maxRequired = 64
	maxGuards   = 4
)

// required returns sets of folded literals: every text that the expression matches holds, folded, one of each set.
// The most telling set comes first; there are none where nothing is known.
func required(source string) [][]literal.Needle {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil
	}
	sets := literalsOf(tree.Simplify())
	slices.SortStableFunc(sets, func(a, b []string) int { return shortest(b) - shortest(a) })
	var out [][]literal.Needle
	for _, texts := range sets[:min(len(sets), maxGuards)] {
		var set []literal.Needle
		for _, text := range texts {
			set = append(set, literal.Needle{Kind: literal.Contains, Text: text})
		}
		out = append(out, set)
	}
	return out
}

func literalsOf(re *syntax.Regexp) (sets [][]string) {
	switch re.Op {
	case syntax.OpLiteral:
		return longestRun(re)
	case syntax.OpCapture, syntax.OpPlus:
		return literalsOf(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return literalsOf(re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			sets = append(sets, literalsOf(sub)...)
		}
		return sets
	case syntax.OpAlternate:
		var any []string
		for _, sub := range re.Sub {
			best := bestOf(literalsOf(sub))
			if best == nil || len(any)+len(best) > maxRequired {
				return nil
			}
			any = append(any, best...)
		}
		return [][]string{any}
	}
	return nil
}

// bestOf returns the set whose shortest literal is the longest.
func bestOf(sets [][]string) (best []string) {
	for _, set := range sets {
		if betterLiterals(set, best) {
			best = set
		}
	}
	return best
}

func betterLiterals(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) > 0
	}
	return shortest(a) > shortest(b)
}

func shortest(list []string) int {
	n := len(list[0])
	for _, s := range list {
		n = min(n, len(s))
	}
	return n
}

// longestRun returns the longest part of a literal that folds alike in all its spellings: without case
// "s" also stands for U+017F, whose lower case is itself.
func longestRun(re *syntax.Regexp) [][]string {
	best, run := "", strings.Builder{}
	for _, r := range re.Rune {
		if re.Flags&syntax.FoldCase != 0 && !foldsAlike(r) || r == utf8.RuneError {
			run.Reset()
			continue
		}
		run.WriteRune(unicode.ToLower(r))
		if run.Len() > len(best) {
			best = run.String()
		}
	}
	if best == "" {
		return nil
	}
	return [][]string{{best}}
}

func foldsAlike(r rune) bool {
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		if unicode.ToLower(other) != unicode.ToLower(r) {
			return false
		}
	}
	return true
}
