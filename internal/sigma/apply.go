package sigma

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// MaxFilters bounds the filters of one rule set.
	MaxFilters = 1000
	// MaxFilterValues bounds the values that filters add to a rule set, each counted once for every rule: a
	// filter for all rules repeats its own in each of them.
	MaxFilterValues = 1_000_000
)

// Apply narrows rules by filters: what is returned holds where the rule and every filter that covers it hold.
// Rules that no filter covers are returned as they are; the others are copies. A filter covers the rules that
// it names, or any, with its log source or a more special one. The problems are filters that cover nothing,
// and rules that a filter names and cannot cover.
func Apply(rules []*Rule, filters []*Filter) ([]*Rule, []Problem) {
	a := &applier{rules: rules, labels: newLabels(), out: make([]*narrowed, len(rules))}
	for i, r := range rules {
		a.labels.add(r, Target{Index: i})
	}
	for i, f := range filters {
		if applied, err := a.apply(i, f); err != nil {
			a.problems = append(a.problems, Problem{Index: i, Err: err, Partly: applied > 0})
		}
	}
	out := slices.Clone(rules)
	for i, n := range a.out {
		if n != nil {
			out[i] = n.rule(rules[i])
		}
	}
	return out, a.problems
}

type applier struct {
	rules    []*Rule
	labels   labels
	out      []*narrowed // nil: as it was
	values   int         // that filters have added
	problems []Problem
}

// narrowed is a rule's detection while filters are added to it.
type narrowed struct {
	selections []Selection
	conditions []Expr
	references int
	values     int
	filters    int
}

// apply adds one filter to the rules that it covers, and says to how many.
func (a *applier) apply(i int, f *Filter) (applied int, err *Error) {
	if i >= MaxFilters {
		return 0, errorAt(f.Line, "filter", ReasonLimit, "more than %d filters in one rule set", MaxFilters)
	}
	covered, missed := a.covered(f)
	cost := measureDetection(&f.Attributes.Detection)
	for _, k := range covered {
		if a.values+cost.values > MaxFilterValues {
			return applied, errorAt(f.Line, "filter", ReasonLimit,
				"filters add more than %d values to the rule set: this one is left out of %d rules", MaxFilterValues, len(covered)-applied)
		}
		if !a.narrow(k, f, cost) {
			missed.add("%s is too large for it", quote(a.rules[k].label()))
			continue
		}
		a.values += cost.values
		applied++
	}
	const key = "filter.rules"
	switch {
	case applied == 0 && missed.count == 0:
		err = errorAt(f.Line, key, ReasonFilter, "covers no rule: none that loads has the log source %s", f.Attributes.Logsource)
	case applied == 0:
		err = errorAt(f.Line, key, ReasonFilter, "covers no rule: %s", missed)
	case missed.count > 0:
		err = errorAt(f.Line, key, ReasonFilter, "does not cover all of its rules: %s", missed)
	}
	return applied, err
}

// misses are the rules that a filter names and does not cover; the first few are spelled.
type misses struct {
	count int
	texts []string
}

func (m *misses) add(format string, args ...any) {
	if m.count++; m.count <= maxShown {
		m.texts = append(m.texts, fmt.Sprintf(format, args...))
	}
}

func (m *misses) String() string {
	out := strings.Join(m.texts, "; ")
	if m.count > maxShown {
		out += fmt.Sprintf("; and %d more", m.count-maxShown)
	}
	return out
}

// covered are the rules that a filter is for, in their order, and why others that it names are not.
func (a *applier) covered(f *Filter) (covered []int, missed *misses) {
	missed = &misses{}
	logsource := f.Attributes.Logsource
	if f.Rules == nil {
		for k, r := range a.rules {
			if logsource.covers(r.Logsource) {
				covered = append(covered, k)
			}
		}
		return covered, missed
	}
	for _, label := range f.Rules {
		found := a.labels.find(label)
		if len(found) == 0 {
			missed.add("no detection rule that loads has the id or name %s", quote(label))
		}
		for _, t := range found {
			if r := a.rules[t.Index]; logsource.covers(r.Logsource) {
				covered = append(covered, t.Index)
			} else {
				missed.add("%s has the log source %s", quote(label), r.Logsource)
			}
		}
	}
	slices.Sort(covered)
	return slices.Compact(covered), missed
}

// covers says whether a log source is the same or more general.
func (l Logsource) covers(other Logsource) bool {
	return (l.Product == "" || l.Product == other.Product) &&
		(l.Category == "" || l.Category == other.Category) &&
		(l.Service == "" || l.Service == other.Service)
}

// narrow adds a filter to a rule, unless the rule would become larger than one may be.
func (a *applier) narrow(k int, f *Filter, cost detectionCost) bool {
	n := a.out[k]
	if n == nil {
		det := &a.rules[k].Detection
		own := measureDetection(det)
		n = &narrowed{selections: slices.Clone(det.Selections), conditions: []Expr{det.Condition},
			references: own.references, values: own.values}
	}
	det := &f.Attributes.Detection
	if len(n.selections)+len(det.Selections) > MaxSelections || n.references+cost.references > MaxReferences ||
		n.values+cost.values > MaxValues {
		return false
	}
	shift := len(n.selections)
	prefix := n.prefix()
	for _, sel := range det.Selections {
		sel.Name = prefix + sel.Name
		n.selections = append(n.selections, sel)
	}
	n.conditions = append(n.conditions, shifted(det.Condition, shift, prefix))
	n.references += cost.references
	n.values += cost.values
	a.out[k] = n
	return true
}

// prefix keeps the names of the next filter's selections apart from all others.
func (n *narrowed) prefix() string {
	for {
		n.filters++
		prefix := fmt.Sprintf("filter %d: ", n.filters)
		if !slices.ContainsFunc(n.selections, func(s Selection) bool { return strings.HasPrefix(s.Name, prefix) }) {
			return prefix
		}
	}
}

// rule is the copy of a rule that its filters have narrowed.
func (n *narrowed) rule(r *Rule) *Rule {
	out := *r
	out.Detection = Detection{Selections: n.selections, Condition: And{n.conditions}}
	return &out
}

// shifted copies a condition for selections that stand behind others.
func shifted(x Expr, shift int, prefix string) Expr {
	all := func(xs []Expr) []Expr {
		out := make([]Expr, len(xs))
		for i, y := range xs {
			out[i] = shifted(y, shift, prefix)
		}
		return out
	}
	switch x := x.(type) {
	case Ref:
		return Ref{Name: prefix + x.Name, Index: x.Index + shift}
	case Not:
		return Not{shifted(x.X, shift, prefix)}
	case And:
		return And{all(x.Xs)}
	case Or:
		return Or{all(x.Xs)}
	case Of:
		x.Indexes = slices.Clone(x.Indexes)
		for i := range x.Indexes {
			x.Indexes[i] += shift
		}
		return x
	}
	return x
}

// detectionCost is what a detection adds to a rule.
type detectionCost struct{ references, values int }

func measureDetection(d *Detection) detectionCost {
	cost := detectionCost{references: references(d.Condition)}
	for _, sel := range d.Selections {
		for _, alt := range sel.Alternatives {
			for _, item := range alt {
				cost.values += countValues(item.Values)
			}
		}
	}
	return cost
}

func countValues(values []Value) (n int) {
	for _, v := range values {
		if one, ok := v.(AnyOf); ok {
			n += countValues(one.Values)
		} else {
			n++
		}
	}
	return n
}

// references counts the selections that a condition refers to, as MaxReferences does.
func references(x Expr) (n int) {
	switch x := x.(type) {
	case Ref:
		return 1
	case Not:
		return references(x.X)
	case And:
		for _, y := range x.Xs {
			n += references(y)
		}
	case Or:
		for _, y := range x.Xs {
			n += references(y)
		}
	case Of:
		return len(x.Indexes)
	}
	return n
}
