package sigma

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Expr is a condition: Ref, Not, And, Or or Of.
type Expr interface{ isExpr() }

// Ref holds if the selection does.
type Ref struct {
	Name  string
	Index int // in Detection.Selections
}

// Not holds if X does not.
type Not struct{ X Expr }

// And holds if all do; it has at least two operands.
type And struct{ Xs []Expr }

// Or holds if any does; it has at least two operands.
type Or struct{ Xs []Expr }

// Of is "1 of", "any of" or "all of" a pattern of selection names; Indexes are those it resolved to,
// never none.
type Of struct {
	All     bool
	Pattern string // "them" or a name with "*"
	Indexes []int  // in Detection.Selections
}

func (Ref) isExpr() {}
func (Not) isExpr() {}
func (And) isExpr() {}
func (Or) isExpr()  {}
func (Of) isExpr()  {}

// parseConditions reads the condition key: one condition or a list, which is OR.
func parseConditions(n *yaml.Node, path string, selections []Selection) (Expr, error) {
	n = resolve(n)
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	if len(nodes) == 0 {
		return nil, errorAt(n.Line, path, ReasonCondition, "empty list")
	}
	if len(nodes) > MaxConditions {
		return nil, errorAt(n.Line, path, ReasonLimit, "%d conditions, at most %d are read", len(nodes), MaxConditions)
	}
	p := newConditionParser(selections)
	var xs []Expr
	for _, node := range nodes {
		node = resolve(node)
		if node.Kind != yaml.ScalarNode {
			return nil, errorAt(node.Line, path, ReasonCondition, "want text, found %s", kindName(node))
		}
		x, reason, err := p.parse(node.Value)
		if err != nil {
			return nil, errorAt(node.Line, path, reason, "%v", err)
		}
		xs = append(xs, x)
	}
	return joined(xs, func(xs []Expr) Expr { return Or{xs} }), nil
}

func joined(xs []Expr, join func([]Expr) Expr) Expr {
	if len(xs) == 1 {
		return xs[0]
	}
	return join(xs)
}

// conditionParser is a recursive descent parser (specification, "Condition"): "or" binds least, then
// "and", then "not", then "x of y", then brackets.
type conditionParser struct {
	selections []Selection
	index      map[string]int
	references int
	// noun is what the names are: rules in a correlation's condition.
	noun string
	// anyCase reads AND as and: the specification writes the conditions of correlations so.
	anyCase bool

	input  string
	pos    int // of the next token
	token  string
	start  int // of token
	reason Reason
}

func newConditionParser(selections []Selection) *conditionParser {
	p := &conditionParser{selections: selections, index: make(map[string]int, len(selections)), noun: "search identifier"}
	for i, sel := range selections {
		p.index[sel.Name] = i
	}
	return p
}

func (p *conditionParser) parse(input string) (Expr, Reason, error) {
	p.input, p.pos, p.reason = input, 0, ReasonCondition
	if len(input) > MaxConditionLength {
		return nil, ReasonLimit, fmt.Errorf("%d bytes, at most %d are read", len(input), MaxConditionLength)
	}
	if i := strings.IndexByte(input, '|'); i >= 0 {
		return nil, ReasonAggregation, fmt.Errorf(
			"legacy aggregation %s is not supported: use a correlation rule", quote(input[i:]))
	}
	p.next()
	x, err := p.or(0)
	if err == nil && p.token != "" {
		err = p.unexpected("an operator or the end")
	}
	return x, p.reason, err
}

// next reads a token: a bracket, a word, or one character that is neither. The empty token is the
// end.
func (p *conditionParser) next() {
	for p.pos < len(p.input) && strings.IndexByte(" \t\r\n", p.input[p.pos]) >= 0 {
		p.pos++
	}
	p.start = p.pos
	for p.pos < len(p.input) && isWordByte(p.input[p.pos]) {
		p.pos++
	}
	if p.pos == p.start && p.pos < len(p.input) {
		p.pos++
	}
	p.token = p.input[p.start:p.pos]
	if lower := strings.ToLower(p.token); p.anyCase && isKeyword(lower) {
		p.token = lower
	}
}

func isKeyword(token string) bool {
	switch token {
	case "and", "or", "not", "of", "all", "any", "them":
		return true
	}
	return false
}

// isWordByte tells the characters of search identifiers and of patterns over them.
func isWordByte(c byte) bool {
	return c == '_' || c == '-' || c == '*' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (p *conditionParser) unexpected(want string) error {
	if p.token == "" {
		return fmt.Errorf("ends where %s should follow", want)
	}
	hint := ""
	if lower := strings.ToLower(p.token); isKeyword(lower) && lower != p.token {
		hint = " (keywords are written in lower case)"
	}
	return fmt.Errorf("character %d: found %s, want %s%s", p.start+1, quote(p.token), want, hint)
}

func (p *conditionParser) or(depth int) (Expr, error) {
	var xs []Expr
	for {
		x, err := p.and(depth)
		if err != nil {
			return nil, err
		}
		xs = append(xs, x)
		if p.token != "or" {
			return joined(xs, func(xs []Expr) Expr { return Or{xs} }), nil
		}
		p.next()
	}
}

func (p *conditionParser) and(depth int) (Expr, error) {
	var xs []Expr
	for {
		x, err := p.not(depth)
		if err != nil {
			return nil, err
		}
		xs = append(xs, x)
		if p.token != "and" {
			return joined(xs, func(xs []Expr) Expr { return And{xs} }), nil
		}
		p.next()
	}
}

func (p *conditionParser) not(depth int) (Expr, error) {
	if depth >= MaxConditionDepth {
		p.reason = ReasonLimit
		return nil, fmt.Errorf("nested deeper than %d", MaxConditionDepth)
	}
	switch p.token {
	case "not":
		p.next()
		x, err := p.not(depth + 1)
		return Not{x}, err
	case "(":
		p.next()
		x, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.token != ")" {
			return nil, p.unexpected(`")"`)
		}
		p.next()
		return x, nil
	}
	return p.operand()
}

// operand reads "1 of pattern" or a search identifier.
func (p *conditionParser) operand() (Expr, error) {
	if p.token == "" || !isWordByte(p.token[0]) || p.token == "and" || p.token == "or" {
		return nil, p.unexpected("a " + p.noun)
	}
	word := p.token
	p.next()
	if p.token == "of" {
		return p.of(word)
	}
	i, ok := p.index[word]
	if !ok {
		return nil, fmt.Errorf("%s %s is not defined", p.noun, quote(word))
	}
	return Ref{Name: word, Index: i}, p.count(1)
}

func (p *conditionParser) of(quantifier string) (Expr, error) {
	switch quantifier {
	case "1", "any", "all":
	default:
		return nil, fmt.Errorf("%s of: want 1, any or all", quote(quantifier))
	}
	p.next()
	if p.token == "" || !isWordByte(p.token[0]) {
		return nil, p.unexpected("them or a pattern of " + p.noun + "s")
	}
	x := Of{All: quantifier == "all", Pattern: p.token}
	for i, sel := range p.selections {
		// Identifiers that start with "_" stay out unless the pattern asks for them.
		hidden := strings.HasPrefix(sel.Name, "_") && !strings.HasPrefix(x.Pattern, "_")
		if !hidden && (x.Pattern == "them" || matchName(x.Pattern, sel.Name)) {
			x.Indexes = append(x.Indexes, i)
		}
	}
	if len(x.Indexes) == 0 {
		return nil, fmt.Errorf("%s of %s: no %s fits", quantifier, quote(x.Pattern), p.noun)
	}
	p.next()
	return x, p.count(len(x.Indexes))
}

func (p *conditionParser) count(n int) error {
	if p.references += n; p.references > MaxReferences {
		p.reason = ReasonLimit
		return fmt.Errorf("refers to more than %d %ss", MaxReferences, p.noun)
	}
	return nil
}

// matchName matches a name against a pattern in which "*" is any run of characters.
func matchName(pattern, name string) bool {
	head, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, head)
	if !ok {
		return false
	}
	for {
		piece, more, again := strings.Cut(rest, "*")
		if !again {
			return strings.HasSuffix(name, piece)
		}
		i := strings.Index(name, piece)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(piece):], more
	}
}
