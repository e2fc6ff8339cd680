package stixpattern

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Limits of one evaluation.
const (
	// MaxObserved bounds the observations that one pattern is matched against.
	MaxObserved = 1 << 20
	// MaxCells bounds the observations times the pattern's parts, for which the search keeps lists.
	MaxCells = 8 << 20
	// MaxNumberObserved is the largest number_observed (STIX 2.1, section 4.14.1).
	MaxNumberObserved = 999_999_999
	// MaxSteps bounds the search for a binding, in observations looked at. A search that passes it ends
	// with ErrUndecided; it never ends with a guess.
	MaxSteps = 20_000_000
)

// Pattern is a pattern ready to be evaluated. It is immutable.
type Pattern struct {
	tests []typedTest // one for each Test of the tree, in its order
	root  *node
	lists int // nodes with times of their own
}

// node is an observation expression as the search for a binding sees it.
type node struct {
	kind nodeKind
	id   int // of its list of observations
	// tests are those of a leaf: any of them may hold, on times observations.
	tests       []int
	times       int64
	kids        []*node
	within      int64 // ticks
	start, stop int64 // ticks; stop is the last one inside
}

type nodeKind uint8

const (
	leaf nodeKind = iota
	every
	either
	followed
	within
	between
	repeated
)

// Compile makes a pattern ready. It refuses what the grammar allows and cannot be evaluated, such as a
// regular expression that is none.
func Compile(o Observation) (*Pattern, error) {
	p := &Pattern{}
	c := &compiler{}
	root, err := p.node(c, o)
	if err != nil {
		return nil, err
	}
	p.root = root
	return p, nil
}

func (p *Pattern) node(c *compiler, o Observation) (*node, error) {
	switch o := o.(type) {
	case *Test:
		t, err := c.comparison(o.Comparison)
		if err != nil {
			return nil, err
		}
		p.tests = append(p.tests, typedTest{t, typesOf(o.Comparison, nil)})
		return p.number(&node{kind: leaf, tests: []int{len(p.tests) - 1}, times: 1}), nil
	case *Combined:
		var kids []*node
		for _, operand := range o.Operands {
			kid, err := p.node(c, operand)
			if err != nil {
				return nil, err
			}
			kids = append(kids, kid)
		}
		return p.number(combine(o.Op, kids)), nil
	case *Qualified:
		kid, err := p.node(c, o.Observation)
		if err != nil {
			return nil, err
		}
		return p.number(qualify(kid, o.Qualifier)), nil
	}
	return nil, fmt.Errorf("observation of type %T is not known", o)
}

func (p *Pattern) number(n *node) *node {
	n.id = p.lists
	p.lists++
	return n
}

func combine(op ObservationOp, kids []*node) *node {
	switch op {
	case ObserveOr:
		// Tests joined by OR ask for one observation that meets any of them.
		if one := (&node{kind: leaf, times: 1}); !slices.ContainsFunc(kids, func(k *node) bool { return k.kind != leaf || k.times != 1 }) {
			for _, k := range kids {
				one.tests = append(one.tests, k.tests...)
			}
			return one
		}
		return &node{kind: either, kids: kids}
	case FollowedBy:
		return &node{kind: followed, kids: kids}
	}
	// What needs no choice comes first, so that a dead end shows early.
	slices.SortStableFunc(kids, func(a, b *node) int { return int(a.kind) - int(b.kind) })
	return &node{kind: every, kids: kids}
}

func qualify(kid *node, q Qualifier) *node {
	switch q := q.(type) {
	case StartStop:
		return &node{kind: between, kids: []*node{kid}, start: ticks(q.Start), stop: ticks(q.Stop) - 1}
	case Within:
		return &node{kind: within, kids: []*node{kid}, within: int64(math.Round(min(q.Seconds*ticksPerSecond, math.MaxInt64/4)))}
	case Repeats:
		if kid.kind == leaf {
			return &node{kind: leaf, tests: kid.tests, times: multiply(kid.times, q.Times)}
		}
		return &node{kind: repeated, kids: []*node{kid}, times: q.Times}
	}
	return kid
}

// multiply saturates: neither factor is below 1.
func multiply(a, b int64) int64 {
	if a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}

// ticksPerSecond is the resolution of times: that of Windows' clock, and fine enough for all years that
// timestamps can name to fit into 63 bits.
const ticksPerSecond = 10_000_000

func ticks(t time.Time) int64 { return t.Unix()*ticksPerSecond + int64(t.Nanosecond())/100 }

// typedTest is a test and the types of the objects that it can hold on.
type typedTest struct {
	test
	types []string
}

func (t *typedTest) holdsOnAny(objects Objects) bool {
	for _, typ := range t.types {
		for _, o := range objects.byType[typ] {
			if t.holds(o, objects) {
				return true
			}
		}
	}
	return false
}

func typesOf(c Comparison, out []string) []string {
	typ := ""
	switch c := c.(type) {
	case *Logical:
		for _, operand := range c.Operands {
			out = typesOf(operand, out)
		}
		return out
	case *Exists:
		typ = c.Path.Type
	case *Compare:
		typ = c.Path.Type
	}
	if !slices.Contains(out, typ) {
		out = append(out, typ)
	}
	return out
}

// Single tells whether one observation alone always decides: nothing has to be remembered of others.
func (p *Pattern) Single() bool { return p.root.single() }

func (n *node) single() bool {
	switch n.kind {
	case leaf:
		return n.times == 1
	case every, followed, repeated:
		return n.kind == repeated && n.times == 1 && n.kids[0].single()
	}
	return !slices.ContainsFunc(n.kids, func(k *node) bool { return !k.single() })
}

// Window is how far apart the observations of a binding can be; ok is false where nothing bounds it.
func (p *Pattern) Window() (window time.Duration, ok bool) {
	n, ok := p.root.window()
	return time.Duration(min(n, math.MaxInt64/200)) * 100, ok
}

func (n *node) window() (ticks int64, ok bool) {
	switch n.kind {
	case leaf:
		return 0, n.times == 1
	case within:
		return n.within, true
	case between:
		return n.kids[0].window()
	case either:
		for _, k := range n.kids {
			one, bounded := k.window()
			if !bounded {
				return 0, false
			}
			ticks = max(ticks, one)
		}
		return ticks, true
	}
	return 0, false
}

// Tests tells how many tests, "[...]", the pattern has.
func (p *Pattern) Tests() int { return len(p.tests) }

// Needs tells how many observations a binding has at least; it saturates.
func (p *Pattern) Needs() int64 { return p.root.needs() }

func (n *node) needs() int64 {
	switch n.kind {
	case leaf:
		return n.times
	case repeated:
		return multiply(n.kids[0].needs(), n.times)
	case either:
		least := n.kids[0].needs()
		for _, k := range n.kids[1:] {
			least = min(least, k.needs())
		}
		return least
	}
	sum := int64(0)
	for _, k := range n.kids {
		if sum += k.needs(); sum < 0 {
			return math.MaxInt64
		}
	}
	return sum
}

// Set is a set of a pattern's tests.
type Set []uint64

// Has tells whether a test is in the set.
func (s Set) Has(i int) bool { return i/64 < len(s) && s[i/64]&(1<<(i%64)) != 0 }

func (s Set) add(i int) { s[i/64] |= 1 << (i % 64) }

func (p *Pattern) none() Set { return make(Set, (len(p.tests)+63)/64) }

// meets tells whether two sets of one pattern share a test.
func (s Set) meets(t Set) bool {
	for i, word := range s {
		if word&t[i] != 0 {
			return true
		}
	}
	return false
}

// Empty tells whether no test is in the set.
func (s Set) Empty() bool { return !slices.ContainsFunc(s, func(w uint64) bool { return w != 0 }) }

// Look tells which of the pattern's tests hold on one observation: each on a single one of its objects.
func (p *Pattern) Look(objects Objects) Set {
	set := p.none()
	for i, t := range p.tests {
		if t.holdsOnAny(objects) {
			set.add(i)
		}
	}
	return set
}

// Kind is how many observations there are on which the same tests hold.
type Kind struct {
	Tests  Set
	Number int64
}

// Enough tells whether there are enough observations for each test alone: if not, Bind finds nothing, and
// this says so at less cost.
func (p *Pattern) Enough(kinds []Kind) bool { return p.root.enough(kinds) }

func (n *node) enough(kinds []Kind) bool {
	switch n.kind {
	case leaf:
		missing := n.times
		for _, k := range kinds {
			if k.Number > 0 && slices.ContainsFunc(n.tests, k.Tests.Has) {
				missing -= k.Number
			}
		}
		return missing <= 0
	case either:
		return slices.ContainsFunc(n.kids, func(k *node) bool { return k.enough(kinds) })
	}
	return !slices.ContainsFunc(n.kids, func(k *node) bool { return !k.enough(kinds) })
}

// Seen is one observation as a binding sees it.
type Seen struct {
	First, Last time.Time
	// Number is how often it was observed; below 1 means once.
	Number int64
	// Tests are those that hold on it.
	Tests Set
}

// Observed is one STIX observed-data object with its observables.
type Observed struct {
	First, Last time.Time
	Number      int64
	Objects     Objects
}

// Match looks for observations that the pattern matches. It returns their indexes in ascending order, nil
// where there are none. The error is ErrUndecided or says that there are too many observations.
func (p *Pattern) Match(observed []Observed) ([]int, error) {
	if err := p.fits(len(observed)); err != nil {
		return nil, err
	}
	seen := make([]Seen, len(observed))
	for i, o := range observed {
		seen[i] = Seen{First: o.First, Last: o.Last, Number: o.Number, Tests: p.Look(o.Objects)}
	}
	budget := MaxSteps
	return p.Bind(seen, &budget)
}

// fits refuses what would take too much memory before any is taken.
func (p *Pattern) fits(observed int) error {
	if observed > MaxObserved {
		return fmt.Errorf("%d observations, at most %d are looked at", observed, MaxObserved)
	}
	if observed*(p.lists+len(p.tests)) > MaxCells {
		return fmt.Errorf("%d observations times %d parts of the pattern, at most %d are looked at", observed, p.lists+len(p.tests), MaxCells)
	}
	return nil
}
