package lanes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"shieldwall/internal/sigma"
)

// Perturbed returns rules, and copies of each in which what it asks for is something else: every text of three
// characters or more has something put into its middle, so that both its ends stay as common as they were, and
// every expression asks for more. What a rule excludes stays, for a rule that excludes nothing holds more often. A
// rule that asks for nothing but short texts and numbers has no copies.
func Perturbed(rules []*sigma.Rule, times int) []*sigma.Rule {
	out := slices.Clone(rules)
	for i := 1; i < times; i++ {
		for _, r := range rules {
			c := *r
			c.ID = fmt.Sprintf("%s-%d", r.ID, i)
			p := perturber{number: i, excluded: map[int]bool{}}
			p.exclude(r.Detection.Condition, true)
			if c.Detection.Selections = p.selections(r.Detection.Selections); p.changed {
				out = append(out, &c)
			}
		}
	}
	return out
}

// perturber makes one copy of one rule.
type perturber struct {
	number   int
	excluded map[int]bool // selections that stand behind a not
	changed  bool
}

func (p *perturber) exclude(x sigma.Expr, positive bool) {
	switch x := x.(type) {
	case sigma.Ref:
		if !positive {
			p.excluded[x.Index] = true
		}
	case sigma.Of:
		for _, i := range x.Indexes {
			p.exclude(sigma.Ref{Index: i}, positive)
		}
	case sigma.Not:
		p.exclude(x.X, !positive)
	case sigma.And:
		for _, y := range x.Xs {
			p.exclude(y, positive)
		}
	case sigma.Or:
		for _, y := range x.Xs {
			p.exclude(y, positive)
		}
	}
}

func (p *perturber) selections(list []sigma.Selection) []sigma.Selection {
	out := slices.Clone(list)
	for i := range out {
		if p.excluded[i] {
			continue
		}
		out[i].Alternatives = slices.Clone(out[i].Alternatives)
		for a, alt := range out[i].Alternatives {
			alt = slices.Clone(alt)
			for k := range alt {
				if !alt[k].Negated {
					alt[k].Values = p.values(alt[k].Values)
				}
			}
			out[i].Alternatives[a] = alt
		}
	}
	return out
}

func (p *perturber) values(values []sigma.Value) []sigma.Value {
	out := make([]sigma.Value, len(values))
	for k, v := range values {
		switch v := v.(type) {
		case sigma.AnyOf:
			v.Values = p.values(v.Values)
			out[k] = v
		case sigma.String:
			v.Pattern = slices.Clone(v.Pattern)
			for i := range v.Pattern {
				v.Pattern[i].Text = p.text(v.Pattern[i].Text, k)
			}
			out[k] = v
		case sigma.Regexp:
			v.Source = fmt.Sprintf("(?:%s)q%d", v.Source, p.number)
			v.Compiled = regexp.MustCompile(v.Source)
			p.changed = true
			out[k] = v
		default:
			out[k] = v
		}
	}
	return out
}

func (p *perturber) text(text string, k int) string {
	n := len(text)
	if n < 3 || strings.Trim(text, "0123456789") == "" {
		return text
	}
	p.changed = true
	return text[:n/2] + fmt.Sprintf("%c%d", 'a'+rune(k+n)%26, p.number) + text[n/2:]
}
