// Package naive says what a Sigma rule means in the plainest way there is. It is the oracle of the
// compiled matcher: complete, slow, and kept simple.
package naive

import (
	"fmt"

	"shieldwall/internal/event"
	"shieldwall/internal/sigma"
)

// Rule is a Sigma rule ready to be evaluated.
type Rule struct {
	selections [][][]item // selection -> alternatives -> items
	condition  sigma.Expr
	fields     []string // that the rule names, in order
}

// item is one "field|modifiers: values" entry.
type item struct {
	field   string // empty: keywords
	values  []predicate
	all     bool
	negated bool
}

// New takes a rule apart. It fails only for a rule made by other means than sigma.Parse.
func New(r *sigma.Rule) (*Rule, error) {
	out := &Rule{condition: r.Detection.Condition, fields: r.FieldNames()}
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

// Match tells whether the rule holds for a record.
func (x *Rule) Match(r *Record) bool {
	e := evaluation{rule: x, record: r, known: make([]verdict, len(x.selections))}
	return e.expr(x.condition)
}

// evaluation is one rule meeting one record; each selection is decided at most once.
type evaluation struct {
	rule   *Rule
	record *Record
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
func (it *item) match(r *Record) bool {
	for _, p := range it.values {
		if it.value(p, r) != it.all {
			return !it.all
		}
	}
	return it.all
}

// value decides one value. A keyword may hold in any field.
func (it *item) value(p predicate, r *Record) bool {
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

// Shown returns the fields that the rule names, as far as the event has them.
func (x *Rule) Shown(r *Record) []event.Field {
	var out []event.Field
	for _, name := range x.fields {
		if c := r.find(name); c != nil {
			out = append(out, event.Field{Name: name, Value: c.value})
		}
	}
	return out
}
