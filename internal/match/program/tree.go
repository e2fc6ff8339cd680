package program

import (
	"cmp"
	"slices"

	"shieldwall/internal/event"
	"shieldwall/internal/sigma"
)

// node is a condition taken apart down to atoms.
type node struct {
	op    nodeOp
	atom  uint32
	nodes []*node
	cost  float64 // of asking, roughly in nanoseconds
}

type nodeOp uint8

const (
	opAtom nodeOp = iota
	opNot
	opAnd
	opOr
)

// ruleTree builds one rule's tree.
type ruleTree struct {
	*compiler
	detection *sigma.Detection
	uses      []int   // by selection
	built     []*node // by selection
}

func (c *compiler) tree(d *sigma.Detection) (*node, error) {
	t := &ruleTree{compiler: c, detection: d, uses: make([]int, len(d.Selections)), built: make([]*node, len(d.Selections))}
	t.count(d.Condition)
	return t.expr(d.Condition)
}

// count notes how often the condition refers to each selection.
func (t *ruleTree) count(x sigma.Expr) {
	switch x := x.(type) {
	case sigma.Ref:
		t.uses[x.Index]++
	case sigma.Not:
		t.count(x.X)
	case sigma.And:
		for _, y := range x.Xs {
			t.count(y)
		}
	case sigma.Or:
		for _, y := range x.Xs {
			t.count(y)
		}
	case sigma.Of:
		for _, i := range x.Indexes {
			t.uses[i]++
		}
	}
}

func (t *ruleTree) expr(x sigma.Expr) (*node, error) {
	switch x := x.(type) {
	case sigma.Ref:
		return t.selection(x.Index)
	case sigma.Not:
		inner, err := t.expr(x.X)
		return not(inner), err
	case sigma.And:
		return t.join(opAnd, len(x.Xs), func(i int) (*node, error) { return t.expr(x.Xs[i]) })
	case sigma.Or:
		return t.join(opOr, len(x.Xs), func(i int) (*node, error) { return t.expr(x.Xs[i]) })
	case sigma.Of:
		op := opOr
		if x.All {
			op = opAnd
		}
		return t.join(op, len(x.Indexes), func(i int) (*node, error) { return t.selection(x.Indexes[i]) })
	}
	return nil, errUnknown(x)
}

// selection builds a selection once. One that the condition refers to more than once becomes a
// subroutine, so that code does not grow with the references.
func (t *ruleTree) selection(i int) (*node, error) {
	if t.built[i] != nil {
		return t.built[i], nil
	}
	alternatives := t.detection.Selections[i].Alternatives
	n, err := t.join(opOr, len(alternatives), func(j int) (*node, error) { return t.alternative(alternatives[j]) })
	if err != nil {
		return nil, err
	}
	if t.uses[i] > 1 && n.op != opAtom {
		n = t.subroutine(n)
	}
	t.built[i] = n
	return n, nil
}

func (t *ruleTree) alternative(items sigma.Alternative) (*node, error) {
	return t.join(opAnd, len(items), func(i int) (*node, error) {
		n, err := t.item(&items[i])
		if items[i].Negated {
			n = not(n)
		}
		return n, err
	})
}

// item asks for any value of a field with one atom, and for all values with one each.
func (t *ruleTree) item(it *sigma.Item) (*node, error) {
	slot := event.Slot(0)
	if it.Field != "" {
		slot = t.Names.Want(it.Field)[0]
	}
	if !it.All {
		return t.leaf(slot, it.Values)
	}
	return t.join(opAnd, len(it.Values), func(i int) (*node, error) {
		return t.leaf(slot, it.Values[i:i+1])
	})
}

func (t *ruleTree) leaf(slot event.Slot, values []sigma.Value) (*node, error) {
	a, err := t.anyOf(slot, values)
	if err != nil {
		return nil, err
	}
	return &node{op: opAtom, atom: a, cost: t.costs[a]}, nil
}

func not(n *node) *node {
	if n == nil {
		return nil
	}
	if n.op == opNot {
		return n.nodes[0]
	}
	return &node{op: opNot, nodes: []*node{n}, cost: n.cost}
}

// rank orders the parts of a node: first those that decide it soonest for what they cost. Rules look for
// what is rare, so that a question is answered no nearly always, and a negated one yes.
func (n *node) rank(op nodeOp) float64 {
	if (n.op == opNot) == (op == opAnd) {
		return n.cost * rarely
	}
	return n.cost
}

// rarely is how much more seldom the unlikely answer comes.
const rarely = 8

// join makes a node over others, best first; a node over one is that one.
func (t *ruleTree) join(op nodeOp, count int, each func(int) (*node, error)) (*node, error) {
	out := &node{op: op}
	for i := range count {
		n, err := each(i)
		if err != nil {
			return nil, err
		}
		if n.op == op {
			out.nodes = append(out.nodes, n.nodes...)
		} else {
			out.nodes = append(out.nodes, n)
		}
	}
	if len(out.nodes) == 1 {
		return out.nodes[0], nil
	}
	slices.SortStableFunc(out.nodes, func(a, b *node) int { return cmp.Compare(a.rank(op), b.rank(op)) })
	for _, n := range out.nodes {
		out.cost += n.cost
	}
	return out, nil
}

// emit writes a node's code and returns where it starts. It is written from its end, so that every jump
// knows its targets.
func (c *compiler) emit(n *node, yes, no int32) int32 {
	switch n.op {
	case opNot:
		return c.emit(n.nodes[0], no, yes)
	case opAnd:
		for i := len(n.nodes) - 1; i >= 0; i-- {
			yes = c.emit(n.nodes[i], yes, no)
		}
		return yes
	case opOr:
		for i := len(n.nodes) - 1; i >= 0; i-- {
			no = c.emit(n.nodes[i], yes, no)
		}
		return no
	}
	c.code = append(c.code, jump{n.atom, yes, no})
	return int32(len(c.code) - 1)
}
