package stixpattern

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
)

// A binding gives every part of a pattern observations of its own (section 9.7). There can be N! of
// them, so they are not tried one by one. Every constraint on time comes down to bounds on single
// observations once one moment is chosen for each operator that has one:
//
//	A FOLLOWEDBY B    a moment: A's observations began by then, B's ended no earlier
//	... WITHIN n      the earliest end: all ended no earlier, and began at most n seconds later
//	... START STOP    given
//
// Moments worth trying are those of the observations. What is left is to share out observations between
// the tests, each within its bounds: a flow problem, which is decided exactly and fast.

// ErrUndecided says that a search was given up: the pattern may match or not.
var ErrUndecided = errors.New("undecided: the search for a binding needs too many steps")

// Bind looks for a binding among observations of which is known what holds on them; see Match. It takes what
// steps it needs off the budget, and gives up where that runs out.
func (p *Pattern) Bind(seen []Seen, budget *int) ([]int, error) {
	if err := p.fits(len(seen)); err != nil {
		return nil, err
	}
	s := &search{pattern: p, times: make([]candidates, p.lists), limit: *budget, steps: len(seen) * p.lists}
	defer func() { *budget -= s.steps }()
	s.spans = make([]span, len(seen))
	for i, o := range seen {
		s.spans[i] = span{ticks(o.First), ticks(o.Last), min(max(o.Number, 1), MaxNumberObserved)}
		s.total += s.spans[i].number
	}
	s.prepare(p.root, seen)
	ok := s.possible(p.root, bounds{minTick, maxTick}) && s.solve(&todo{node: p.root, bounds: bounds{minTick, maxTick}})
	if s.spent() {
		return nil, fmt.Errorf("%w (limit: %d)", ErrUndecided, s.limit)
	}
	if !ok {
		return nil, nil
	}
	return s.found, nil
}

const (
	maxTick = int64(1) << 62
	minTick = -maxTick
)

// span is when and how often something was observed.
type span struct{ first, last, number int64 }

// bounds are what time asks of an observation: it began at until or before, and ended at from or after.
type bounds struct{ from, until int64 }

func (b bounds) hold(s span) bool { return s.first <= b.until && s.last >= b.from }

// candidates are the observations below a node, ascending by their end.
type candidates struct {
	index []int32
	// number[i] is how often those before i were observed; earliest[i] is the earliest beginning from i on.
	number, earliest []int64
	points           bool    // every observation is a moment: bounds are a range of the list
	firsts           []int64 // distinct beginnings, ascending
}

// search is one search for a binding.
type search struct {
	pattern *Pattern
	spans   []span
	total   int64 // of all numbers
	times   []candidates
	demands []demand // of the leaves reached
	steps   int
	limit   int
	found   []int
}

// demand is a leaf within its bounds: it wants observations.
type demand struct {
	node   *node
	bounds bounds
	times  int64
}

// todo is a list of what is still to be bound.
type todo struct {
	node   *node
	bounds bounds
	next   *todo
}

func (s *search) spent() bool { return s.steps > s.limit }

// prepare lists the observations below each node; it returns the node's tests.
func (s *search) prepare(n *node, seen []Seen) Set {
	below := s.pattern.none()
	for _, t := range n.tests {
		below.add(t)
	}
	for _, k := range n.kids {
		for i, word := range s.prepare(k, seen) {
			below[i] |= word
		}
	}
	c := &s.times[n.id]
	c.points = true
	for i, o := range seen {
		if o.Tests.meets(below) {
			c.index = append(c.index, int32(i))
		}
	}
	s.arrange(c)
	return below
}

func (s *search) arrange(c *candidates) {
	slices.SortStableFunc(c.index, func(a, b int32) int {
		return cmp.Or(cmp.Compare(s.spans[a].last, s.spans[b].last), cmp.Compare(s.spans[a].first, s.spans[b].first))
	})
	c.number = make([]int64, len(c.index)+1)
	c.earliest = make([]int64, len(c.index))
	for i, at := range c.index {
		c.number[i+1] = c.number[i] + s.spans[at].number
		c.points = c.points && s.spans[at].first == s.spans[at].last
		c.firsts = append(c.firsts, s.spans[at].first)
	}
	earliest := maxTick
	for i, at := range slices.Backward(c.index) {
		earliest = min(earliest, s.spans[at].first)
		c.earliest[i] = earliest
	}
	slices.Sort(c.firsts)
	c.firsts = slices.Compact(c.firsts)
}

// each yields the observations within bounds until yield returns false.
func (s *search) each(c *candidates, b bounds, yield func(at int32) bool) {
	i := sort.Search(len(c.index), func(i int) bool { return s.spans[c.index[i]].last >= b.from })
	for ; i < len(c.index) && c.earliest[i] <= b.until; i++ {
		if s.steps++; s.spent() {
			return
		}
		if at := c.index[i]; b.hold(s.spans[at]) && !yield(at) {
			return
		}
	}
}

// enough tells whether a leaf, if it were alone, finds its observations.
func (s *search) enough(d demand) bool {
	c := &s.times[d.node.id]
	if s.steps++; c.points {
		from := sort.Search(len(c.index), func(i int) bool { return s.spans[c.index[i]].last >= d.bounds.from })
		to := sort.Search(len(c.index), func(i int) bool { return s.spans[c.index[i]].last > d.bounds.until })
		return to > from && c.number[to]-c.number[from] >= d.times
	}
	missing := d.times
	s.each(c, d.bounds, func(at int32) bool {
		missing -= s.spans[at].number
		return missing > 0
	})
	return missing <= 0
}

// possible tells whether every leaf that a node cannot do without finds its observations, each alone.
func (s *search) possible(n *node, b bounds) bool {
	switch n.kind {
	case leaf:
		return s.enough(demand{n, b, n.times})
	case either:
		return slices.ContainsFunc(n.kids, func(k *node) bool { return s.possible(k, b) })
	case between:
		b = b.narrow(n.start, n.stop)
	}
	return !slices.ContainsFunc(n.kids, func(k *node) bool { return !s.possible(k, b) })
}

func (b bounds) narrow(from, until int64) bounds {
	return bounds{max(b.from, from), min(b.until, until)}
}

// solve binds everything on the list. It leaves demands as it found it.
func (s *search) solve(t *todo) bool {
	reached := len(s.demands)
	defer func() { s.demands = s.demands[:reached] }()
	for t != nil {
		if s.steps++; s.spent() {
			return false
		}
		n, b, next := t.node, t.bounds, t.next
		switch n.kind {
		case leaf:
			d := demand{n, b, n.times}
			if !s.enough(d) {
				return false
			}
			s.demands = append(s.demands, d)
			t = next
		case every:
			for _, k := range slices.Backward(n.kids) {
				next = &todo{k, b, next}
			}
			t = next
		case between:
			if n.start > n.stop {
				return false
			}
			t = &todo{n.kids[0], b.narrow(n.start, n.stop), next}
		case repeated:
			if n.needs() > s.total { // so there are few copies, too
				return false
			}
			for range n.times {
				s.steps++
				next = &todo{n.kids[0], b, next}
			}
			t = next
		default:
			return s.promising(t) && s.choose(n, b, next)
		}
	}
	return s.share(s.demands, true)
}

// promising tells whether what is bound and every leaf still to come that cannot be done without could be
// met together, were there no moments to choose: if not, no choice helps.
func (s *search) promising(t *todo) bool {
	all := slices.Clip(s.demands)
	for ; t != nil; t = t.next {
		all = t.node.leaves(t.bounds, 1, all)
	}
	return s.share(all, false)
}

// leaves appends the leaves of a node that cannot be done without.
func (n *node) leaves(b bounds, times int64, out []demand) []demand {
	switch n.kind {
	case leaf:
		return append(out, demand{n, b, multiply(times, n.times)})
	case either:
		return out
	case between:
		b = b.narrow(n.start, n.stop)
	case repeated:
		times = multiply(times, n.times)
	}
	for _, k := range n.kids {
		out = k.leaves(b, times, out)
	}
	return out
}

// choose tries what an operator leaves open.
func (s *search) choose(n *node, b bounds, next *todo) bool {
	switch n.kind {
	case either:
		for _, k := range n.kids {
			if s.possible(k, b) && s.solve(&todo{k, b, next}) {
				return true
			}
		}
		return false
	case within:
		return s.chooseWindow(n, b, next)
	}
	return s.chooseMoment(n, b, next)
}

// chooseWindow tries every end as the earliest one.
func (s *search) chooseWindow(n *node, b bounds, next *todo) bool {
	kid := n.kids[0]
	if kid.kind == leaf && kid.times == 1 {
		return s.solve(&todo{kid, b, next}) // one observation is always within
	}
	done, before := false, minTick
	s.each(&s.times[n.id], b, func(at int32) bool {
		from := s.spans[at].last
		if from == before {
			return true
		}
		before = from
		window := b.narrow(from, from+n.within)
		done = s.possible(kid, window) && s.solve(&todo{kid, window, next})
		return !done && !s.spent()
	})
	return done
}

// chooseMoment tries every beginning of the first operand's observations as the latest one. A chain is its
// first operand followed by the rest of it.
func (s *search) chooseMoment(n *node, b bounds, next *todo) bool {
	first, rest := n.kids[0], n.kids[1]
	if len(n.kids) > 2 {
		rest = &node{kind: followed, id: n.id, kids: n.kids[1:]}
	}
	for _, moment := range s.times[first.id].firsts {
		if moment > b.until || s.spent() {
			return false
		}
		left, right := b.narrow(minTick, moment), b.narrow(moment, maxTick)
		if !s.possible(rest, right) {
			return false // later moments leave the rest even less
		}
		if s.possible(first, left) && s.solve(&todo{first, left, &todo{rest, right, next}}) {
			return true
		}
	}
	return false
}
