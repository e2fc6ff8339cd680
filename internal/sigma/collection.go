package sigma

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// collector reads the documents of a file in their order. In a legacy rule collection a document may say what
// others hold (specification 1.0, "Rule Collections"): "action: global" is merged over the rules behind it and
// wins over what they say themselves, several globals add up, "reset" ends them, and "repeat" is the rule
// before it with some changes. Correlations and filters stay out of it.
type collector struct {
	opt  Options
	out  Collection
	used size // by all documents so far, as merged

	global *yaml.Node // what the globals say together
	// noGlobal says that a global was rejected: what it was for would not be what its author meant.
	noGlobal bool
	previous *yaml.Node // the rule before, as merged
	// noPrevious says that the document before could not be read.
	noPrevious bool
	// unused is the line of the first global that no rule has followed yet.
	unused int
	// correlation says that the document that is about to be rejected is one.
	correlation bool
}

const (
	actionGlobal = "global"
	actionReset  = "reset"
	actionRepeat = "repeat"
)

// add reads one document and does what it says. Beside an error it returns what is known, for the report.
func (c *collector) add(n *yaml.Node) (*Rule, error) {
	about := &Rule{Line: n.Line}
	err := c.charge(n)
	var pairs []pair
	if err == nil {
		pairs, err = mapping(n, "")
	}
	if err != nil {
		c.lose(peekAction(n))
		return about, err
	}
	i := slices.IndexFunc(pairs, func(p pair) bool { return p.key == "action" })
	if i < 0 {
		return c.rule(n, pairs)
	}
	p := pairs[i]
	rest := mapOf(slices.Delete(pairs, i, i+1), n.Line)
	switch action := scalarValue(p.value); action {
	case actionGlobal:
		return about, c.addGlobal(rest)
	case actionReset:
		c.reset()
		if len(rest.Content) > 0 {
			return about, errorAt(p.line, p.key, ReasonCollection, "a document with action: reset holds nothing else")
		}
		return about, nil
	case actionRepeat:
		return c.repeat(rest, p.line)
	}
	c.lose("")
	return about, errorAt(p.line, p.key, ReasonCollection, "want global, reset or repeat, found %s", kindName(p.value))
}

// peekAction reads the action of a document that is not sound.
func peekAction(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if scalarValue(n.Content[i]) == "action" {
				return scalarValue(n.Content[i+1])
			}
		}
	}
	return ""
}

func scalarValue(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// lose remembers that a document which others may build on is not there.
func (c *collector) lose(action string) {
	switch action {
	case actionGlobal:
		c.noGlobal = true
	default:
		c.previous, c.noPrevious = nil, true
	}
}

// charge accounts for a document, and for what was merged into one. Of several that are too much, each is
// refused without a walk through it.
func (c *collector) charge(n *yaml.Node) error {
	if err := c.spent(n.Line); err != nil {
		return err
	}
	s, err := measure(n)
	c.used.nodes += s.nodes
	c.used.text += s.text
	if err != nil {
		return err
	}
	return c.spent(n.Line)
}

func (c *collector) spent(line int) error {
	if c.used.nodes <= MaxFileNodes && c.used.text <= MaxFileText {
		return nil
	}
	return errorAt(line, "", ReasonLimit,
		"the file's documents hold more than %d YAML nodes or %d bytes of text, with aliases and collections expanded", MaxFileNodes, MaxFileText)
}

// rule reads a document without an action; a rule takes part in the collection.
func (c *collector) rule(n *yaml.Node, pairs []pair) (*Rule, error) {
	for _, p := range pairs {
		if p.key == "correlation" || p.key == "filter" {
			return c.finish(n)
		}
	}
	if c.noGlobal {
		c.lose("")
		return &Rule{Line: n.Line}, errorAt(n.Line, "", ReasonCollection, "the document with action: global before it does not load")
	}
	c.unused = 0
	if c.global != nil {
		merged, err := c.merge(n, c.global, n.Line)
		if err != nil {
			c.lose("")
			return &Rule{Line: n.Line}, err
		}
		n = merged
	}
	c.previous, c.noPrevious = n, false
	return c.finish(n)
}

func (c *collector) finish(n *yaml.Node) (*Rule, error) {
	doc, err := readDocument(n)
	if err == nil {
		err = c.read(doc)
	}
	return doc.about, err
}

func (c *collector) addGlobal(n *yaml.Node) error {
	merged := n
	if c.global != nil {
		var err error
		if merged, err = c.merge(c.global, n, n.Line); err != nil {
			c.noGlobal = true
			return err
		}
	}
	c.global = merged
	if c.unused == 0 {
		c.unused = n.Line
	}
	return nil
}

// reset ends the globals, as the end of the file does.
func (c *collector) reset() {
	if c.unused > 0 {
		c.reject(&Rule{Line: c.unused},
			errorAt(c.unused, "action", ReasonCollection, "no rule follows the document with action: global"))
	}
	c.global, c.noGlobal, c.unused = nil, false, 0
}

// repeat reads the rule before once more, with what this document says. With globals and no rule before it is
// a rule like any other behind them.
func (c *collector) repeat(n *yaml.Node, line int) (*Rule, error) {
	about := &Rule{Line: n.Line}
	base := c.previous
	if base == nil && !c.noPrevious && !c.noGlobal {
		base = c.global
	}
	if base == nil {
		c.lose("")
		return about, errorAt(line, "action", ReasonCollection, "there is no document before it to repeat, or it does not load")
	}
	c.unused = 0
	merged, err := c.merge(base, n, n.Line)
	if err != nil {
		c.lose("")
		return about, err
	}
	c.previous, c.noPrevious = merged, false
	return c.finish(merged)
}

// merge puts one document over another.
func (c *collector) merge(base, over *yaml.Node, line int) (*yaml.Node, error) {
	if err := c.spent(line); err != nil {
		return nil, err
	}
	merged, err := mergeOver(base, over)
	if err != nil {
		return nil, err
	}
	merged.Line = line
	return merged, c.charge(merged)
}

// mergeOver merges maps key by key, at every depth; of anything else the upper one counts. Both stay as they
// are.
func mergeOver(base, over *yaml.Node) (*yaml.Node, error) {
	base, over = resolve(base), resolve(over)
	if base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		return over, nil
	}
	lower, err := mapping(base, "")
	if err != nil {
		return nil, err
	}
	upper, err := mapping(over, "")
	if err != nil {
		return nil, err
	}
	at := make(map[string]int, len(lower))
	for i, p := range lower {
		at[p.key] = i
	}
	for _, p := range upper {
		i, ok := at[p.key]
		if !ok {
			lower = append(lower, p)
			continue
		}
		if p.value, err = mergeOver(lower[i].value, p.value); err != nil {
			return nil, err
		}
		lower[i] = p
	}
	return mapOf(lower, over.Line), nil
}

// mapOf makes a map of entries.
func mapOf(pairs []pair, line int) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: line}
	for _, p := range pairs {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: p.key, Line: p.line}, p.value)
	}
	return n
}
