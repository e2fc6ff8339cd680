package sigma

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	// MaxCorrelations bounds the correlations of one rule set.
	MaxCorrelations = 10_000
	// MaxChain bounds how many correlations stand on one another: one that counts rules is a chain of one.
	MaxChain = 8
)

// Resolution is a rule set of which every correlation knows what it refers to.
type Resolution struct {
	// Correlations are those that load. Each comes after those that it refers to.
	Correlations []Resolved
	// Silent says of each rule of the set whether it only counts for correlations (specification, "Generate"):
	// one without "generate" refers to it, and none with it.
	Silent []bool
}

// Resolved is a correlation and what it refers to.
type Resolved struct {
	// Correlation is a copy in which each alias says the field of every rule, by the name in Rules.
	Correlation *Correlation
	// Refs are what Correlation.Rules lead to, in their order.
	Refs []Target
	// Silent says that the correlation itself only counts for others.
	Silent bool
	// Index is the correlation's place in what was resolved.
	Index int
}

// Target is a rule of the set, or an earlier correlation of the same Resolution.
type Target struct {
	Correlation bool
	Index       int
}

// Problem is why a correlation or a filter does not load, or not for all of the rules that it names.
type Problem struct {
	Index int // in what was resolved or applied
	Err   *Error
	// Partly says that the filter covers other rules.
	Partly bool
}

// Resolve finds what the correlations of a rule set refer to: an id (without regard to case) or a name, which
// must be the only one of its kind. One that cannot be resolved costs itself and those that stand on it; the
// rules that only it refers to are not silent then.
func Resolve(rules []*Rule, correlations []*Correlation) (Resolution, []Problem) {
	r := &resolver{
		correlations: correlations, labels: newLabels(),
		nodes: make([]chainNode, len(correlations)),
	}
	for i, rule := range rules {
		r.labels.add(rule, Target{Index: i})
	}
	for i, c := range correlations {
		r.labels.add(c.Attributes, Target{Correlation: true, Index: i})
	}
	for i := range correlations {
		r.visit(i)
	}
	slices.SortFunc(r.problems, func(a, b Problem) int { return a.Index - b.Index })
	return Resolution{Correlations: r.out, Silent: silence(r.out, len(rules))}, r.problems
}

// labels are what documents can be referred to by.
type labels struct{ ids, names map[string][]Target }

func newLabels() labels { return labels{map[string][]Target{}, map[string][]Target{}} }

func (l labels) add(about *Rule, t Target) {
	if about.ID != "" {
		id := strings.ToLower(about.ID)
		l.ids[id] = append(l.ids[id], t)
	}
	if about.Name != "" {
		l.names[about.Name] = append(l.names[about.Name], t)
	}
}

// find gives all that carry a label: an id before a name.
func (l labels) find(label string) []Target {
	if found := l.ids[strings.ToLower(label)]; len(found) > 0 {
		return found
	}
	return l.names[label]
}

// one gives the only document that carries a label.
func (l labels) one(label string) (Target, error) {
	found := l.find(label)
	switch len(found) {
	case 0:
		return Target{}, fmt.Errorf("refers to %s: no rule that loads has this id or name", quote(label))
	case 1:
		return found[0], nil
	}
	return Target{}, fmt.Errorf("refers to %s: %d rules have this id or name", quote(label), len(found))
}

// chainNode is a correlation on its way through a resolver.
type chainNode struct {
	state chainState
	chain int // the correlations that stand on one another, itself included
	place int // in the resolver's out
}

type chainState uint8

const (
	chainNew chainState = iota
	chainOpen
	chainLoaded
	chainRefused
)

// resolver walks correlations depth first: what one stands on is placed before it.
type resolver struct {
	correlations []*Correlation
	labels       labels
	nodes        []chainNode
	open         []int // those that are being visited, outermost first
	out          []Resolved
	problems     []Problem
}

func (r *resolver) visit(i int) {
	node := &r.nodes[i]
	if node.state != chainNew {
		return
	}
	node.state = chainOpen
	r.open = append(r.open, i)
	found, err := r.resolve(i)
	r.open = r.open[:len(r.open)-1]
	if err != nil {
		node.state = chainRefused
		r.problems = append(r.problems, Problem{Index: i, Err: err})
		return
	}
	node.state, node.place = chainLoaded, len(r.out)
	r.out = append(r.out, found)
}

func (r *resolver) resolve(i int) (Resolved, *Error) {
	c := r.correlations[i]
	if i >= MaxCorrelations {
		return Resolved{}, errorAt(c.Line, "correlation", ReasonLimit, "more than %d correlations in one rule set", MaxCorrelations)
	}
	out := Resolved{Index: i, Refs: make([]Target, len(c.Rules))}
	r.nodes[i].chain = 1
	for k, label := range c.Rules {
		t, err := r.labels.one(label)
		if err == nil && t.Correlation {
			err = r.chain(i, label, t.Index)
		}
		if err != nil {
			return out, errorAt(c.Line, "correlation.rules", ReasonCorrelation, "%v", err)
		}
		if slices.Contains(out.Refs[:k], t) {
			return out, errorAt(c.Line, "correlation.rules", ReasonCorrelation, "%s is named twice, by its id and its name", quote(label))
		}
		out.Refs[k] = t
	}
	if r.nodes[i].chain > MaxChain {
		return out, errorAt(c.Line, "correlation.rules", ReasonLimit, "more than %d correlations stand on one another", MaxChain)
	}
	var err *Error
	if out.Correlation, err = r.withAliases(c, out.Refs); err != nil {
		return out, err
	}
	for k, t := range out.Refs {
		if t.Correlation {
			out.Refs[k].Index = r.nodes[t.Index].place
		}
	}
	return out, nil
}

// chain makes sure that a correlation that another one stands on is placed before it.
func (r *resolver) chain(i int, label string, below int) error {
	if r.nodes[below].state == chainOpen {
		return fmt.Errorf("refers to itself: %s", r.cycle(below))
	}
	r.visit(below)
	if r.nodes[below].state == chainRefused {
		return fmt.Errorf("refers to %s, which does not load", quote(label))
	}
	r.nodes[i].chain = max(r.nodes[i].chain, r.nodes[below].chain+1)
	return nil
}

// maxShown bounds the names that one error lists.
const maxShown = 4

// cycle spells the way from a correlation back to it.
func (r *resolver) cycle(from int) string {
	way := append(slices.Clone(r.open[slices.Index(r.open, from):]), from)
	var b strings.Builder
	for k, i := range way {
		if k >= maxShown && k < len(way)-1 {
			if k == maxShown {
				fmt.Fprintf(&b, " > %d more", len(way)-1-maxShown)
			}
			continue
		}
		if k > 0 {
			b.WriteString(" > ")
		}
		b.WriteString(quote(r.correlations[i].Attributes.label()))
	}
	return b.String()
}

// label is what to call a rule: its name, id or title.
func (r *Rule) label() string {
	switch {
	case r.Name != "":
		return r.Name
	case r.ID != "":
		return r.ID
	}
	return r.Title
}

// withAliases copies a correlation so that its aliases cover every rule by the name in Rules. In a rule that
// an alias leaves out, the field has the alias' own name.
func (r *resolver) withAliases(c *Correlation, refs []Target) (*Correlation, *Error) {
	out := *c
	if c.Aliases == nil {
		return &out, nil
	}
	out.Aliases = make(map[string]map[string]string, len(c.Aliases))
	for _, alias := range slices.Sorted(maps.Keys(c.Aliases)) { // sorted: the same mistake is told each time
		given, fields := c.Aliases[alias], make(map[string]string, len(refs))
		for _, label := range slices.Sorted(maps.Keys(given)) {
			k, err := r.aliased(label, refs)
			if err == nil && fields[c.Rules[k]] != "" {
				err = fmt.Errorf("names the rule %s twice, by its id and its name", quote(c.Rules[k]))
			}
			if err != nil {
				return nil, errorAt(c.Line, "correlation.aliases."+quotedKey(alias), ReasonCorrelation, "%v", err)
			}
			fields[c.Rules[k]] = given[label]
		}
		for _, name := range c.Rules {
			if fields[name] == "" {
				fields[name] = alias
			}
		}
		out.Aliases[alias] = fields
	}
	return &out, nil
}

// aliased finds which of a correlation's rules a label of an alias means.
func (r *resolver) aliased(label string, refs []Target) (int, error) {
	t, err := r.labels.one(label)
	if err != nil {
		return 0, err
	}
	k := slices.Index(refs, t)
	if k < 0 {
		return 0, fmt.Errorf("names the rule %s, which is not among the correlation's rules", quote(label))
	}
	return k, nil
}

// silence tells which rules and correlations only count for others.
func silence(correlations []Resolved, rules int) []bool {
	counted, told := make(map[Target]bool), make(map[Target]bool)
	for _, c := range correlations {
		for _, t := range c.Refs {
			if c.Correlation.Generate {
				told[t] = true
			} else {
				counted[t] = true
			}
		}
	}
	silent := func(t Target) bool { return counted[t] && !told[t] }
	for i := range correlations {
		correlations[i].Silent = silent(Target{Correlation: true, Index: i})
	}
	out := make([]bool, rules)
	for i := range out {
		out[i] = silent(Target{Index: i})
	}
	return out
}
