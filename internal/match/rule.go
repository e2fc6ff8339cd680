package match

import (
	"fmt"

	"shieldwall/internal/event"
	"shieldwall/internal/sigma"
)

// rule is a Sigma rule ready to be evaluated. This evaluator says what a rule means in the plainest
// way there is: it is the oracle for any faster one.
type rule struct {
	unit       *unit
	logsource  sigma.Logsource
	selections [][][]item // selection -> alternatives -> items
	condition  sigma.Expr
	fields     []string // that the rule names, in order
	Attribution
}

// item is one "field|modifiers: values" entry.
type item struct {
	field   string // empty: keywords
	values  []predicate
	all     bool
	negated bool
}

func newRule(r *sigma.Rule) (*rule, error) {
	out := &rule{
		logsource: r.Logsource,
		condition: r.Detection.Condition,
		fields:    r.FieldNames(),
		Attribution: Attribution{
			RuleID: r.ID, Title: r.Title, Level: r.Level, Author: r.Author, License: r.License, Tags: r.Tags,
		},
	}
	for _, sel := range r.Detection.Selections {
		var alternatives [][]item
		for _, alt := range sel.Alternatives {
			var items []item
			for _, it := range alt {
				compiled, err := newItem(it)
				if err != nil {
					return nil, fmt.Errorf("selection %q, line %d: %w", sel.Name, it.Line, err)
				}
				items = append(items, compiled)
			}
			alternatives = append(alternatives, items)
		}
		out.selections = append(out.selections, alternatives)
	}
	return out, nil
}

func newItem(it sigma.Item) (item, error) {
	out := item{field: it.Field, all: it.All, negated: it.Negated}
	for _, v := range it.Values {
		p, err := newPredicate(v)
		if err != nil {
			return item{}, err
		}
		out.values = append(out.values, p)
	}
	return out, nil
}

// evaluation is one rule meeting one record; each selection is decided at most once.
type evaluation struct {
	rule   *rule
	record *record
	known  []verdict // by selection
}

type verdict uint8

const (
	unknown verdict = iota
	holds
	fails
)

func (e *evaluation) expr(x sigma.Expr) bool {
	switch x := x.(type) {
	case sigma.Ref:
		return e.selection(x.Index)
	case sigma.Not:
		return !e.expr(x.X)
	case sigma.And:
		for _, y := range x.Xs {
			if !e.expr(y) {
				return false
			}
		}
		return true
	case sigma.Or:
		for _, y := range x.Xs {
			if e.expr(y) {
				return true
			}
		}
		return false
	case sigma.Of:
		for _, i := range x.Indexes {
			if e.selection(i) != x.All {
				return !x.All
			}
		}
		return x.All
	}
	return false
}

func (e *evaluation) selection(i int) bool {
	if e.known[i] == unknown {
		e.known[i] = fails
		for _, alternative := range e.rule.selections[i] {
			if e.alternative(alternative) {
				e.known[i] = holds
				break
			}
		}
	}
	return e.known[i] == holds
}

func (e *evaluation) alternative(items []item) bool {
	for i := range items {
		if items[i].match(e.record) == items[i].negated {
			return false
		}
	}
	return true
}

// match decides an item before its negation: any value, or all of them.
func (it *item) match(r *record) bool {
	for _, p := range it.values {
		if it.value(p, r) != it.all {
			return !it.all
		}
	}
	return it.all
}

// value decides one value. A keyword may hold in any field.
func (it *item) value(p predicate, r *record) bool {
	if it.field != "" {
		return p.holds(r, r.find(it.field))
	}
	for i := range r.cells {
		if p.holds(r, &r.cells[i]) {
			return true
		}
	}
	return false
}

// shown returns the fields that the rule names, as far as the event has them.
func (x *rule) shown(r *record) []event.Field {
	var out []event.Field
	for _, name := range x.fields {
		if c := r.find(name); c != nil {
			out = append(out, event.Field{Name: name, Value: c.value})
		}
	}
	return out
}
