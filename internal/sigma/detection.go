package sigma

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// detectionParser reads one rule's detection, or one filter's, and keeps account of what its values cost.
type detectionParser struct {
	opt        Options
	section    string // detection or filter
	values     int
	bytes      int
	regexpSize int
}

func parseDetection(n *yaml.Node, opt Options) (Detection, error) {
	const section = "detection"
	pairs, err := mapping(n, section)
	if err != nil {
		return Detection{}, err
	}
	return parseSearch(section, n.Line, pairs, opt)
}

// parseSearch reads search identifiers and the condition over them.
func parseSearch(section string, line int, pairs []pair, opt Options) (det Detection, err error) {
	parser := &detectionParser{opt: opt, section: section}
	var condition *pair
	for i, p := range pairs {
		path := section + "." + quotedKey(p.key)
		switch {
		case p.key == "condition":
			condition = &pairs[i]
			continue
		case p.key == "timeframe":
			return det, errorAt(p.line, path, ReasonAggregation,
				"timeframe belongs to the legacy aggregation, which is not supported: use a correlation rule")
		case len(p.key) > MaxName:
			return det, errorAt(p.line, section, ReasonLimit, "name of more than %d bytes", MaxName)
		case len(det.Selections) == MaxSelections:
			return det, errorAt(p.line, path, ReasonLimit, "more than %d search identifiers", MaxSelections)
		}
		sel := Selection{Name: p.key, Line: p.line}
		if sel.Alternatives, err = parser.alternatives(p.value, path); err != nil {
			return det, err
		}
		det.Selections = append(det.Selections, sel)
	}
	switch {
	case condition == nil:
		return det, errorAt(line, section+".condition", ReasonStructure, "missing")
	case len(det.Selections) == 0:
		return det, errorAt(line, section, ReasonStructure, "no search identifiers")
	}
	det.Condition, err = parseConditions(condition.value, section+".condition", det.Selections)
	return det, err
}

// alternatives reads a search identifier: a map is one alternative (AND), a list of maps is one each
// (OR), plain values are keywords (specification, "Search-Identifier"). Lists inside lists are one
// list, as OR in OR is.
func (d *detectionParser) alternatives(n *yaml.Node, path string) ([]Alternative, error) {
	n = resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		alt, err := d.alternative(n, path)
		return []Alternative{alt}, err
	case yaml.SequenceNode:
		return d.alternativeList(n, path)
	}
	item, err := d.item("", []*yaml.Node{n}, false, n.Line, path)
	return []Alternative{{item}}, err
}

func (d *detectionParser) alternativeList(n *yaml.Node, path string) ([]Alternative, error) {
	if len(n.Content) == 0 {
		return nil, errorAt(n.Line, path, ReasonStructure, "empty list")
	}
	var out []Alternative
	var keywords []*yaml.Node
	for _, child := range n.Content {
		child = resolve(child)
		if child.Kind == yaml.ScalarNode {
			keywords = append(keywords, child)
			continue
		}
		alts, err := d.alternatives(child, path)
		if err != nil {
			return nil, err
		}
		out = append(out, alts...)
	}
	if len(keywords) > 0 {
		item, err := d.item("", keywords, true, keywords[0].Line, path)
		if err != nil {
			return nil, err
		}
		out = append(out, Alternative{item})
	}
	return out, nil
}

func (d *detectionParser) alternative(n *yaml.Node, path string) (Alternative, error) {
	pairs, err := mapping(n, path)
	if err != nil {
		return nil, err
	}
	if len(pairs) == 0 {
		return nil, errorAt(n.Line, path, ReasonStructure, "empty map")
	}
	alt := make(Alternative, 0, len(pairs))
	for _, p := range pairs {
		key := path + "." + quotedKey(p.key)
		nodes, isList := []*yaml.Node{p.value}, false
		if p.value.Kind == yaml.SequenceNode {
			nodes, isList = p.value.Content, true
		}
		if len(nodes) == 0 {
			return nil, errorAt(p.line, key, ReasonStructure, "empty list")
		}
		item, err := d.item(p.key, nodes, isList, p.line, key)
		if err != nil {
			return nil, err
		}
		alt = append(alt, item)
	}
	return alt, nil
}

// item reads one "field|modifiers" key with its values.
func (d *detectionParser) item(key string, nodes []*yaml.Node, isList bool, line int, path string) (Item, error) {
	if len(key) > MaxName {
		return Item{}, errorAt(line, d.section, ReasonLimit, "name of more than %d bytes", MaxName)
	}
	names := strings.Split(key, "|")
	item := Item{Field: names[0], Modifiers: names[1:], Line: line}
	if len(item.Modifiers) > MaxModifiers {
		return item, errorAt(line, path, ReasonLimit, "more than %d modifiers", MaxModifiers)
	}
	scalars := make([]scalar, 0, len(nodes))
	for _, n := range nodes {
		s, err := readScalar(resolve(n), path)
		if err != nil {
			return item, err
		}
		scalars = append(scalars, s)
	}
	b := itemBuilder{parser: d, item: &item, path: path, isList: isList}
	if err := b.build(scalars); err != nil {
		return item, err
	}
	return item, nil
}

// charge accounts for a value that the rule holds after its modifiers.
func (d *detectionParser) charge(v Value) (Reason, string) {
	d.values++
	switch v := v.(type) {
	case String:
		size := v.Pattern.size()
		if size > MaxValueBytes {
			return ReasonLimit, "value too long after its modifiers"
		}
		d.bytes += size
	case Regexp:
		d.regexpSize += v.size
	}
	switch {
	case d.values > MaxValues:
		return ReasonLimit, "too many values in one rule"
	case d.bytes > MaxRuleBytes:
		return ReasonLimit, "too much text in one rule"
	case d.regexpSize > MaxRuleRegexpSize:
		return ReasonLimit, "regular expressions of one rule too large"
	}
	return "", ""
}
