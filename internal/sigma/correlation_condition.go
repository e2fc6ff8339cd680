package sigma

import (
	"math"
	"slices"
	"strings"
)

// condition reads what must be true of what was counted (specification, "Condition").
func (c *correlationParser) condition() error {
	const key = "condition"
	p, ok := c.parts[key]
	switch {
	case !ok && c.isTemporal():
		return nil // all rules
	case !ok:
		return c.fail(key, "missing")
	case !c.isExtended():
		return c.bounds(p)
	case !c.isTemporal():
		return c.fail(key, "a text is for temporal and temporal_ordered, want a map such as gte: 10")
	}
	return c.sequence(p)
}

// bounds reads the map form: comparisons, all of which must hold, and what they are about.
func (c *correlationParser) bounds(p pair) error {
	pairs, err := mapping(p.value, correlationPath(p.key))
	if err != nil {
		return err
	}
	hasPercentile := c.median
	for _, p := range pairs {
		path := correlationPath("condition") + "." + quotedKey(p.key)
		switch op := BoundOp(p.key); op {
		case BoundEq, BoundNeq, BoundGt, BoundGte, BoundLt, BoundLte:
			n, err := c.number(p, path)
			if err != nil {
				return err
			}
			c.out.Bounds = append(c.out.Bounds, Bound{op, n})
		case "field":
			if err := c.fields(p, path); err != nil {
				return err
			}
		case "percentile":
			if c.out.Type != ValuePercentile || c.median {
				return errorAt(p.line, path, ReasonCorrelation, "is for value_percentile")
			}
			if c.out.Percentile, err = percentile(p, path); err != nil {
				return err
			}
			hasPercentile = true
		default:
			return errorAt(p.line, path, ReasonCorrelation,
				"unknown key, want one of eq, neq, gt, gte, lt, lte, field, percentile")
		}
	}
	switch {
	case len(c.out.Bounds) == 0:
		return c.fail(p.key, "needs a comparison: eq, neq, gt, gte, lt or lte")
	case c.ofValues() && len(c.out.Fields) == 0:
		return c.fail(p.key, "%s needs a field", c.out.Type)
	case c.out.Type == ValuePercentile && !hasPercentile:
		return c.fail(p.key, "value_percentile needs a percentile, from 0 to 100")
	case !c.canHold():
		return c.fail(p.key, "can never hold")
	}
	return nil
}

// counts tells the types whose result is a whole number; ofValues those that look into a field.
func (c *correlationParser) counts() bool {
	return c.isTemporal() || c.out.Type == EventCount || c.out.Type == ValueCount
}

func (c *correlationParser) ofValues() bool { return !c.isTemporal() && c.out.Type != EventCount }

func (c *correlationParser) number(p pair, path string) (float64, error) {
	s, err := readScalar(p.value, path)
	if err != nil {
		return 0, err
	}
	n := s.number.Float
	switch {
	case s.kind != scalarNumber:
		return 0, errorAt(p.line, path, ReasonCorrelation, "want a number, found %s", kindName(p.value))
	case c.counts() && (n < 0 || n != math.Trunc(n)):
		return 0, errorAt(p.line, path, ReasonCorrelation, "want a whole number, found %s", quote(s.text))
	case c.counts() && n > MaxCount:
		return 0, errorAt(p.line, path, ReasonLimit, "counts of more than %d are not kept", MaxCount)
	}
	return n, nil
}

func (c *correlationParser) fields(p pair, path string) (err error) {
	if !c.ofValues() {
		return errorAt(p.line, path, ReasonCorrelation, "%s counts no values", c.out.Type)
	}
	if c.out.Fields, err = names(p, path, MaxGroupBy, ReasonCorrelation); err != nil {
		return err
	}
	if len(c.out.Fields) > 1 && c.out.Type != ValueCount {
		return errorAt(p.line, path, ReasonCorrelation, "%s is about one field", c.out.Type)
	}
	return nil
}

func percentile(p pair, path string) (float64, error) {
	s, err := readScalar(p.value, path)
	if err != nil {
		return 0, err
	}
	if s.kind != scalarNumber || s.number.Float < 0 || s.number.Float > 100 {
		return 0, errorAt(p.line, path, ReasonCorrelation, "want a number from 0 to 100, found %s", kindName(p.value))
	}
	return s.number.Float, nil
}

// canHold looks for a result that all bounds allow: at each bound's number, beside it and between two of them.
func (c *correlationParser) canHold() bool {
	var results []float64
	for _, a := range c.out.Bounds {
		results = append(results, a.Value, a.Value-1, a.Value+1)
		for _, b := range c.out.Bounds {
			results = append(results, a.Value/2+b.Value/2)
		}
	}
	return slices.ContainsFunc(results, func(n float64) bool { return c.possible(n) && c.allowed(n) })
}

// possible tells the results that a group can have: it begins with an event.
func (c *correlationParser) possible(n float64) bool {
	switch {
	case !c.counts():
		return true
	case n != math.Trunc(n) || n < 0:
		return false
	case c.out.Type == ValueCount:
		return true // an event without the field counts no value
	case c.isTemporal():
		return n >= 1 && n <= float64(len(c.out.Rules))
	}
	return n >= 1
}

func (c *correlationParser) allowed(n float64) bool {
	for _, b := range c.out.Bounds {
		if !b.holds(n) {
			return false
		}
	}
	return true
}

func (b Bound) holds(n float64) bool {
	switch b.Op {
	case BoundEq:
		return n == b.Value
	case BoundNeq:
		return n != b.Value
	case BoundGt:
		return n > b.Value
	case BoundGte:
		return n >= b.Value
	case BoundLt:
		return n < b.Value
	case BoundLte:
		return n <= b.Value
	}
	return false
}

// sequence reads the extended form: a boolean expression over the rules.
func (c *correlationParser) sequence(p pair) error {
	path := correlationPath(p.key)
	if len(p.value.Value) > MaxConditionLength {
		return errorAt(p.line, path, ReasonLimit, "%d bytes, at most %d are read", len(p.value.Value), MaxConditionLength)
	}
	if len(c.out.Rules) == 0 {
		if err := c.rulesOf(p.value.Value, path); err != nil {
			return err
		}
	}
	rules := make([]Selection, len(c.out.Rules))
	for i, name := range c.out.Rules {
		rules[i].Name = name
	}
	parser := newConditionParser(rules)
	parser.noun, parser.anyCase = "rule", true
	x, reason, err := parser.parse(p.value.Value)
	if err != nil {
		return errorAt(p.line, path, reason, "%v", err)
	}
	used := make([]bool, len(rules))
	markUsed(x, used)
	if i := slices.Index(used, false); i >= 0 {
		return c.fail(p.key, "does not name the rule %s", quote(c.out.Rules[i]))
	}
	if holdsAtRest(x) {
		return c.fail(p.key, "holds before any rule does: name at least one that must")
	}
	c.out.Sequence = x
	return nil
}

// rulesOf takes the rules from a condition, once each, where the section does not list them.
func (c *correlationParser) rulesOf(condition, path string) error {
	p := &conditionParser{input: condition, anyCase: true}
	for p.next(); p.token != ""; p.next() {
		line := c.parts["condition"].line
		switch {
		case p.token == "of" || strings.Contains(p.token, "*"):
			return errorAt(line, path, ReasonCorrelation, "a pattern needs a list of rules to choose from")
		case !isWordByte(p.token[0]) || isKeyword(p.token) || slices.Contains(c.out.Rules, p.token):
		case len(c.out.Rules) == MaxRefs:
			return errorAt(line, path, ReasonLimit, "more than %d rules", MaxRefs)
		default:
			c.out.Rules = append(c.out.Rules, p.token)
		}
	}
	return nil
}

func markUsed(x Expr, used []bool) {
	switch x := x.(type) {
	case Ref:
		used[x.Index] = true
	case Not:
		markUsed(x.X, used)
	case And:
		for _, y := range x.Xs {
			markUsed(y, used)
		}
	case Or:
		for _, y := range x.Xs {
			markUsed(y, used)
		}
	case Of:
		for _, i := range x.Indexes {
			used[i] = true
		}
	}
}

// holdsAtRest says whether an expression holds while none of its names does: then there is no event that
// would make it true.
func holdsAtRest(x Expr) bool {
	switch x := x.(type) {
	case Not:
		return !holdsAtRest(x.X)
	case And:
		return !slices.ContainsFunc(x.Xs, func(y Expr) bool { return !holdsAtRest(y) })
	case Or:
		return slices.ContainsFunc(x.Xs, holdsAtRest)
	}
	return false
}
