package sigma

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Filter is one filter: a condition more for rules of others (Sigma Filters Specification 2.1.0).
type Filter struct {
	// Attributes are what the filter says about itself. Its Logsource is that of the rules it may cover, its
	// Detection what must hold beside theirs.
	Attributes *Rule
	// Rules are the rules that it covers, by id or name; none means all with its log source ("any").
	Rules []string
	// Line is the filter's first line in its file, from 1.
	Line int
}

func parseFilter(doc *document, opt Options) (*Filter, error) {
	if err := doc.titled(); err != nil {
		return nil, err
	}
	if p, ok := doc.parts["detection"]; ok {
		return nil, errorAt(p.line, p.key, ReasonFilter, "one document is a rule or a filter, not both")
	}
	logsource, err := doc.need("logsource")
	if err != nil {
		return nil, err
	}
	f := &Filter{Attributes: doc.about, Line: doc.about.Line}
	if f.Attributes.Logsource, err = parseLogsource(logsource); err != nil {
		return nil, err
	}
	section := doc.parts["filter"]
	pairs, err := mapping(section.value, section.key)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(pairs, func(p pair) bool { return p.key == "rules" })
	if i < 0 {
		return nil, errorAt(section.line, "filter.rules", ReasonFilter, `missing: want ids or names of rules, or "any"`)
	}
	if f.Rules, err = filteredRules(pairs[i]); err != nil {
		return nil, err
	}
	f.Attributes.Detection, err = parseSearch(section.key, section.value.Line, slices.Delete(pairs, i, i+1), opt)
	return f, err
}

// filteredRules reads whom a filter covers. A list that became empty must not cover everything.
func filteredRules(p pair) ([]string, error) {
	if p.value.Kind == yaml.ScalarNode && strings.EqualFold(p.value.Value, "any") {
		return nil, nil
	}
	return names(p, "filter.rules", MaxRefs, ReasonFilter)
}
