package program

import (
	"cmp"
	"slices"

	"shieldwall/internal/event"
	"shieldwall/internal/match/literal"
)

// index files every rule under its witnesses.
func (c *compiler) index(trees []*node) {
	needs := make([]need, len(trees))
	for i, tree := range trees {
		needs[i] = c.need(tree, true, c.needOf)
	}
	c.demote(trees, needs)
	c.filed = make([]Filing, len(trees))
	rules := map[needleOf][]uint32{}
	present := map[event.Slot][]uint32{}
	var order []needleOf
	for i, n := range needs {
		if !n.sound {
			c.always = append(c.always, uint32(i))
			c.filed[i] = Always
			c.stats.Always++
			continue
		}
		for _, w := range n.needles {
			list := rules[w]
			if list == nil {
				order = append(order, w)
			}
			if len(list) == 0 || list[len(list)-1] != uint32(i) {
				rules[w] = append(list, uint32(i))
			}
		}
		if len(n.present) > 0 {
			c.filed[i] = ByField
			c.stats.Present++
		}
		for _, slot := range n.present {
			if list := present[slot]; len(list) == 0 || list[len(list)-1] != uint32(i) {
				present[slot] = append(list, uint32(i))
			}
		}
	}
	for slot, list := range present {
		c.present = append(c.present, presence{slot, list})
	}
	slices.SortFunc(c.present, func(a, b presence) int { return cmp.Compare(a.slot, b.slot) })
	// Fields apart, keywords first; otherwise in the order of the rules.
	slices.SortStableFunc(order, func(a, b needleOf) int { return cmp.Compare(a.slot, b.slot) })
	proves := c.proofs()
	for from := 0; from < len(order); {
		to := from
		var list []literal.Needle
		for to < len(order) && order[to].slot == order[from].slot {
			list = append(list, order[to].needle)
			c.rules.add(rules[order[to]])
			c.proves.add(proves[order[to]])
			to++
		}
		f := fieldIndex{slot: order[from].slot, base: uint32(from), set: literal.NewIndex(list, c.Model)}
		if f.slot == 0 {
			c.keywords = &f
		} else {
			c.fields = append(c.fields, f)
		}
		from = to
	}
	c.raw = c.rawFilter()
	c.stats.Rules, c.stats.Atoms, c.stats.Witnesses = len(trees), len(c.atoms), len(order)
}

// proofs lists, by literal, the atoms that hold once it is found: the atom that asks for it, and the
// groups it is a member of.
func (c *compiler) proofs() map[needleOf][]uint32 {
	out := map[needleOf][]uint32{}
	for a, w := range c.text {
		list := append([]uint32{a}, c.memos[a]...)
		for _, g := range c.memos[a] {
			list = append(list, c.memos[g]...) // a set may be a member itself
		}
		out[w] = list
	}
	return out
}

func (l *lists) add(items []uint32) {
	if len(l.starts) == 0 {
		l.starts = append(l.starts, 0)
	}
	l.items = append(l.items, items...)
	l.starts = append(l.starts, uint32(len(l.items)))
}

// measure estimates the program's memory.
func (c *compiler) measure() {
	n := 20*len(c.atoms) + 12*len(c.code) + 5*len(c.entry) + 4*(len(c.rules.items)+len(c.rules.starts)) +
		4*(len(c.proves.items)+len(c.proves.starts)) + 4*len(c.members) + 32*len(c.networks) + 48*len(c.globs)
	for _, l := range c.literals {
		n += 28 + len(l)
	}
	for _, s := range c.sets {
		n += setOverhead + s.Bytes()
	}
	for i := range c.fields {
		n += setOverhead + c.fields[i].set.Bytes()
	}
	if c.keywords != nil {
		n += setOverhead + c.keywords.set.Bytes()
	}
	c.stats.Bytes = n
}

// setOverhead is the size of a set's own headers.
const setOverhead = 300

// What a walk over a field costs for a short needle beside what looking at a rule costs, roughly in
// nanoseconds a text.
const (
	costWalk = 100 // for needles found at every place; a longer stride costs a part of it
	costLook = 20  // at a rule whose field is there, beside what it asks
)

// demote takes short needles away from fields in which only a few rules have them: those rules are looked
// at wherever the field is there, and the walk over it takes longer strides for all others.
func (c *compiler) demote(trees []*node, needs []need) {
	type field struct{ shortest map[int][]int } // length -> rules whose shortest needle in the field it is
	fields := map[event.Slot]field{}
	for i, n := range needs {
		shortest := map[event.Slot]int{}
		for _, w := range n.needles {
			if w.needle.Kind == literal.Contains && w.slot != 0 {
				length := min(len(w.needle.Text), literal.Long)
				if old, ok := shortest[w.slot]; !ok || length < old {
					shortest[w.slot] = length
				}
			}
		}
		for slot, length := range shortest {
			if fields[slot].shortest == nil {
				fields[slot] = field{map[int][]int{}}
			}
			fields[slot].shortest[length] = append(fields[slot].shortest[length], i)
		}
	}
	for _, f := range fields {
		best, least := 0, 0.0
		demoted := 0.0
		for length := 1; length <= literal.Long; length++ {
			cost := costWalk*literal.Walk(length, f.shortest) + demoted
			if best == 0 || cost < least {
				best, least = length, cost
			}
			for _, i := range f.shortest[length] {
				demoted += costLook + trees[i].cost
			}
		}
		for length := 1; length < best; length++ {
			for _, i := range f.shortest[length] {
				needs[i] = needs[i].demoted()
			}
		}
	}
}

// demoted is the need that the fields are there in which its needles would be.
func (n need) demoted() need {
	for _, w := range n.needles {
		if w.slot == 0 {
			return n // a keyword stands in any field
		}
	}
	out := need{sound: true, present: slices.Clone(n.present), chance: presentChance}
	for _, w := range n.needles {
		if !slices.Contains(out.present, w.slot) {
			out.present = append(out.present, w.slot)
		}
	}
	return out
}
