package correlate

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"shieldwall/internal/sigma"
)

// Rule is a correlation whose references were resolved.
type Rule struct {
	// Key is its own: what hits of the correlations that refer to it carry.
	Key Key
	*sigma.Correlation
	// Refs are, for each of Correlation.Rules, the key of the detection rule or correlation that it means.
	Refs []Key
}

// mode is when a correlation can tell.
type mode uint8

const (
	// atOnce: more events can only help, so that it is told with the event that completes it.
	atOnce mode = iota
	// atClose: the lower bounds open a window, the upper bounds judge it once no event of it can come any more.
	atClose
	// settled: averages and percentiles go up and down, so that they are looked at once no earlier event can come.
	settled
)

// plan is a correlation made ready: what does not change while it runs.
type plan struct {
	Rule
	order int // of being added
	mode  mode
	span  int64
	// late is by how much events may be out of order: the engine's, and what the correlations that it refers to
	// take longer to tell.
	late    int64
	refs    []ref
	bounds  []sigma.Bound
	carry   []string // fields that other correlations ask of this one's events
	parents []edge   // the correlations that refer to this one
	depth   int      // 0: refers to detection rules alone
}

// ref is one of the rules that a correlation refers to, with the names of its fields.
type ref struct {
	group, values []string
}

// ruleSet are references of one correlation, by their indexes.
type ruleSet [(MaxRules + 63) / 64]uint64

func (s *ruleSet) add(index int)      { s[index/64] |= 1 << (index % 64) }
func (s *ruleSet) has(index int) bool { return s[index/64]&(1<<(index%64)) != 0 }

func (s *ruleSet) join(t ruleSet) {
	for i := range s {
		s[i] |= t[i]
	}
}

// edge says that a correlation refers to another one, or a rule, by its index-th reference.
type edge struct {
	from  *correlation
	index int
}

// Check tells why a correlation cannot run, whatever else does.
func Check(c *sigma.Correlation) error {
	switch {
	case len(c.Rules) == 0:
		return errors.New("the correlation refers to no rule")
	case len(c.Rules) > MaxRules:
		return fmt.Errorf("the correlation refers to %d rules, at most %d are possible", len(c.Rules), MaxRules)
	case c.Timespan <= 0 || c.Timespan > sigma.MaxTimespan:
		return fmt.Errorf("the correlation's timespan is %s, possible is more than none and at most %s", c.Timespan, sigma.MaxTimespan)
	case len(c.GroupBy) > MaxFields || len(c.Fields) > MaxFields:
		return fmt.Errorf("the correlation groups by %d fields and counts %d, at most %d are possible", len(c.GroupBy), len(c.Fields), MaxFields)
	}
	for _, b := range c.Bounds {
		if err := checkBound(c, b); err != nil {
			return err
		}
	}
	return checkType(c)
}

func checkType(c *sigma.Correlation) error {
	switch c.Type {
	case sigma.EventCount:
		return needs(c, len(c.Bounds) > 0, "a bound")
	case sigma.ValueCount:
		return needs(c, len(c.Bounds) > 0 && len(c.Fields) > 0, "a bound and a field")
	case sigma.ValueSum, sigma.ValueAvg:
		return needs(c, len(c.Bounds) > 0 && len(c.Fields) == 1, "a bound and one field")
	case sigma.ValuePercentile:
		return needs(c, len(c.Bounds) > 0 && len(c.Fields) == 1 && c.Percentile >= 0 && c.Percentile <= 100, "a bound, one field and a percentile from 0 to 100")
	case sigma.Temporal:
		return nil
	case sigma.TemporalOrdered:
		if c.Sequence != nil && len(c.Rules) > MaxOrdered {
			return fmt.Errorf("an ordered condition over %d rules has too many ways to hold, at most %d are possible", len(c.Rules), MaxOrdered)
		}
		return nil
	}
	return fmt.Errorf("correlations of type %q are not known", c.Type)
}

func needs(c *sigma.Correlation, ok bool, what string) error {
	if !ok {
		return fmt.Errorf("a correlation of type %s needs %s", c.Type, what)
	}
	return nil
}

// checkBound refuses what could never hold because no more is held.
func checkBound(c *sigma.Correlation, b sigma.Bound) error {
	if !slices.Contains([]sigma.BoundOp{sigma.BoundEq, sigma.BoundNeq, sigma.BoundGt, sigma.BoundGte, sigma.BoundLt, sigma.BoundLte}, b.Op) {
		return fmt.Errorf("the bound %q is not known", b.Op)
	}
	switch c.Type {
	case sigma.EventCount, sigma.ValueCount:
		// One less than what is held, so that "more than" and "at most" can still be told apart.
		if b.Value >= MaxEvents {
			return fmt.Errorf("the correlation counts to %g, events are counted to %d", b.Value, MaxEvents-1)
		}
	}
	return nil
}

// newPlan makes a checked correlation ready, all but what depends on others.
func newPlan(r Rule, order int) (*plan, error) {
	if len(r.Refs) != len(r.Rules) {
		return nil, fmt.Errorf("the correlation refers to %d rules, %d are resolved", len(r.Rules), len(r.Refs))
	}
	if err := Check(r.Correlation); err != nil {
		return nil, err
	}
	p := &plan{Rule: r, order: order, span: int64(r.Timespan), mode: modeOf(r.Correlation), bounds: boundsOf(r.Correlation)}
	for i, rule := range r.Rules {
		p.refs = append(p.refs, ref{p.named(r.GroupBy, rule), p.named(r.Fields, rule)})
		if r.Refs[i] == r.Key {
			return nil, errors.New("the correlation refers to itself")
		}
	}
	return p, nil
}

// named gives the names that fields have in a rule's events (specification, "Field Name Aliases"). An alias that
// does not name the rule stands for the field of its own name.
func (p *plan) named(fields []string, rule string) []string {
	out := slices.Clone(fields)
	for i, f := range fields {
		if name, ok := p.Aliases[f][rule]; ok {
			out[i] = name
		}
	}
	return out
}

// asks lists what the correlation wants to know of the events of its index-th reference.
func (p *plan) asks(index int) []string {
	return slices.Concat(p.refs[index].group, p.refs[index].values, p.carry)
}

func modeOf(c *sigma.Correlation) mode {
	if c.Type == sigma.ValueAvg || c.Type == sigma.ValuePercentile {
		return settled
	}
	upper := slices.ContainsFunc(c.Bounds, func(b sigma.Bound) bool { return b.Op != sigma.BoundGt && b.Op != sigma.BoundGte })
	if upper || c.Sequence != nil && negates(c.Sequence, false) {
		return atClose
	}
	return atOnce
}

// negates tells whether a rule must be absent for an expression, or, under a not, for its opposite.
func negates(x sigma.Expr, not bool) bool {
	some := func(xs []sigma.Expr) bool {
		return slices.ContainsFunc(xs, func(x sigma.Expr) bool { return negates(x, not) })
	}
	switch x := x.(type) {
	case sigma.Not:
		return negates(x.X, !not)
	case sigma.And:
		return some(x.Xs)
	case sigma.Or:
		return some(x.Xs)
	}
	return not
}

// holds evaluates an expression: seen tells of rules that must be there, absent of those that must not. Both are
// asked about indexes of Rules.
func holds(x sigma.Expr, not bool, seen, absent func(int) bool) bool {
	one := func(index int) bool {
		if not {
			return absent(index)
		}
		return seen(index)
	}
	// Under a not, "and" asks for one of the opposites and "or" for all of them.
	many := func(all bool, n int, at func(int) bool) bool {
		for i := range n {
			if at(i) != (all != not) {
				return all == not
			}
		}
		return all != not
	}
	switch x := x.(type) {
	case sigma.Ref:
		return one(x.Index)
	case sigma.Not:
		return holds(x.X, !not, seen, absent)
	case sigma.And:
		return many(true, len(x.Xs), func(i int) bool { return holds(x.Xs[i], not, seen, absent) })
	case sigma.Or:
		return many(false, len(x.Xs), func(i int) bool { return holds(x.Xs[i], not, seen, absent) })
	case sigma.Of:
		return many(x.All, len(x.Indexes), func(i int) bool { return one(x.Indexes[i]) })
	}
	return false
}

// opens tells whether the lower bounds hold: those that more events cannot break.
func opens(bounds []sigma.Bound, v float64) bool {
	for _, b := range bounds {
		switch b.Op {
		case sigma.BoundGt:
			if v <= b.Value {
				return false
			}
		case sigma.BoundGte, sigma.BoundEq:
			if v < b.Value {
				return false
			}
		}
	}
	return true
}

// within tells whether all bounds hold.
func within(bounds []sigma.Bound, v float64) bool {
	for _, b := range bounds {
		ok := false
		switch b.Op {
		case sigma.BoundEq:
			ok = v == b.Value
		case sigma.BoundNeq:
			ok = v != b.Value
		case sigma.BoundGt:
			ok = v > b.Value
		case sigma.BoundGte:
			ok = v >= b.Value
		case sigma.BoundLt:
			ok = v < b.Value
		case sigma.BoundLte:
			ok = v <= b.Value
		}
		if !ok {
			return false
		}
	}
	return true
}

// boundsOf gives a correlation's bounds; a temporal one without any wants all its rules (specification,
// "Temporal Proximity").
func boundsOf(c *sigma.Correlation) []sigma.Bound {
	if len(c.Bounds) == 0 && c.Sequence == nil {
		return []sigma.Bound{{Op: sigma.BoundGte, Value: float64(len(c.Rules))}}
	}
	return c.Bounds
}

// usable tells whether a time can be reckoned with: a hostile record may name any year.
func usable(at time.Time) bool {
	y := at.UTC().Year()
	return y >= 1800 && y < 2200
}
