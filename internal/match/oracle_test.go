package match

import (
	"shieldwall/internal/event"
	"shieldwall/internal/match/naive"
	"shieldwall/internal/sigma"
)

// Oracle finds the rules that an event meets with the plain evaluator, one rule after the other.
type Oracle struct {
	router *router
	rules  map[sigma.Logsource][]oracleRule
}

type oracleRule struct {
	*naive.Rule
	key Key
	id  string
}

// NewOracle takes rules under the keys {ID: rule's id}.
func NewOracle(rules []*sigma.Rule) *Oracle {
	o := &Oracle{router: newRouter(), rules: map[sigma.Logsource][]oracleRule{}}
	for _, r := range rules {
		plain, err := naive.New(r)
		if err != nil {
			panic(err)
		}
		o.rules[r.Logsource] = append(o.rules[r.Logsource], oracleRule{plain, Key{ID: r.ID}, r.ID})
	}
	return o
}

// Match is Engine.Match.
func (o *Oracle) Match(ev *event.Event, yield func(Hit)) {
	raw := new(naive.Record)
	raw.Load(ev.Fields)
	for _, src := range append([]source{{}}, o.router.sources(ev, nil)...) {
		r := raw
		if src.view != nil {
			r = new(naive.Record)
			r.Load(new(viewing).of(src.view, ev), ev.Fields)
		}
		for _, x := range o.rules[src.Logsource] {
			if x.Match(r) {
				yield(Hit{Key: x.key, Attribution: Attribution{RuleID: x.id}, Fields: x.Shown(r)})
			}
		}
	}
}
