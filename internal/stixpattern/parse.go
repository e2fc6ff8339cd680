package stixpattern

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// keywords cannot be property names unless quoted.
var keywords = []string{"AND", "OR", "NOT", "FOLLOWEDBY", "LIKE", "MATCHES", "ISSUPERSET", "ISSUBSET", "EXISTS", "LAST",
	"IN", "START", "STOP", "SECONDS", "true", "false", "WITHIN", "REPEATS", "TIMES"}

// Parse reads a pattern. Errors are *Error and say where.
func Parse(pattern string) (Observation, error) {
	if len(pattern) > MaxLength {
		return nil, &Error{Detail: fmt.Sprintf("%d bytes, at most %d are read", len(pattern), MaxLength)}
	}
	if !utf8.ValidString(pattern) {
		return nil, &Error{Detail: "not UTF-8"}
	}
	p := &parser{lexer: lexer{input: pattern}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	obs, err := p.observations(FollowedBy, 0)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEnd {
		return nil, p.unexpected("an observation operator, a qualifier or the end")
	}
	return obs, nil
}

// parser is a recursive descent parser with one token of lookahead.
type parser struct {
	lexer
	tok             token
	tests, literals int
}

func (p *parser) advance() (err error) {
	p.tok, err = p.next()
	return err
}

func (p *parser) unexpected(want string) error {
	return p.fail(p.tok.pos, "found %s, want %s", p.tok.show(), want)
}

func (p *parser) isSymbol(s string) bool  { return p.tok.kind == tokenSymbol && p.tok.text == s }
func (p *parser) isKeyword(s string) bool { return p.tok.kind == tokenWord && p.tok.text == s }

// expect takes a symbol or keyword.
func (p *parser) expect(s string) error {
	if !p.isSymbol(s) && !p.isKeyword(s) {
		return p.unexpected(fmt.Sprintf("%q", s))
	}
	return p.advance()
}

// deeper bounds recursion.
func (p *parser) deeper(depth int) error {
	if depth > MaxDepth {
		return p.fail(p.tok.pos, "nested deeper than %d", MaxDepth)
	}
	return nil
}

// observations reads operands joined by op; their operands bind closer: FOLLOWEDBY, OR, AND.
func (p *parser) observations(op ObservationOp, depth int) (Observation, error) {
	operand := func() (Observation, error) {
		if op == ObserveAnd {
			return p.observation(depth)
		}
		return p.observations(op-1, depth)
	}
	first, err := operand()
	if err != nil || !p.isKeyword(op.String()) {
		return first, err
	}
	out := &Combined{Op: op, Operands: []Observation{first}, Pos: p.tok.pos}
	for p.isKeyword(op.String()) {
		if err := p.advance(); err != nil {
			return nil, err
		}
		next, err := operand()
		if err != nil {
			return nil, err
		}
		out.Operands = append(out.Operands, next)
	}
	return out, nil
}

// observation reads "[ ... ]" or "( ... )" with the qualifiers behind it.
func (p *parser) observation(depth int) (Observation, error) {
	if err := p.deeper(depth); err != nil {
		return nil, err
	}
	var obs Observation
	pos := p.tok.pos
	switch {
	case p.isSymbol("["):
		if err := p.advance(); err != nil {
			return nil, err
		}
		cmp, err := p.comparisons(true, depth+1)
		if err != nil {
			return nil, err
		}
		if err := p.expect("]"); err != nil {
			return nil, err
		}
		obs = &Test{Comparison: cmp, Pos: pos}
	case p.isSymbol("("):
		if err := p.advance(); err != nil {
			return nil, err
		}
		var err error
		if obs, err = p.observations(FollowedBy, depth+1); err != nil {
			return nil, err
		}
		if err := p.expect(")"); err != nil {
			return nil, err
		}
	default:
		return nil, p.unexpected(`"[" or "("`)
	}
	return p.qualified(obs)
}

// qualified reads the qualifiers behind an observation, at most one of each kind (section 9.4).
func (p *parser) qualified(obs Observation) (Observation, error) {
	seen := map[string]bool{}
	for {
		pos, keyword := p.tok.pos, p.tok.text
		q, err := p.qualifier()
		if err != nil || q == nil {
			return obs, err
		}
		if seen[keyword] {
			return nil, p.fail(pos, "second %s on one observation", keyword)
		}
		seen[keyword] = true
		obs = &Qualified{Observation: obs, Qualifier: q, Pos: pos}
	}
}

// qualifier reads a qualifier if there is one.
func (p *parser) qualifier() (Qualifier, error) {
	switch {
	case p.isKeyword("START"):
		start, err := p.keywordLiteral("START", Timestamp)
		if err != nil {
			return nil, err
		}
		if !p.isKeyword("STOP") {
			return nil, p.unexpected(`"STOP"`)
		}
		stop, err := p.keywordLiteral("STOP", Timestamp)
		return StartStop{Start: start.Time, Stop: stop.Time}, err
	case p.isKeyword("WITHIN"):
		n, err := p.keywordLiteral("WITHIN", Int, Float)
		if err != nil {
			return nil, err
		}
		if n.Float <= 0 {
			return nil, p.fail(n.Pos, "WITHIN needs more than 0 seconds")
		}
		return Within{Seconds: n.Float}, p.expect("SECONDS")
	case p.isKeyword("REPEATS"):
		n, err := p.keywordLiteral("REPEATS", Int)
		if err != nil {
			return nil, err
		}
		if n.Int <= 0 {
			return nil, p.fail(n.Pos, "REPEATS needs at least 1")
		}
		return Repeats{Times: n.Int}, p.expect("TIMES")
	}
	return nil, nil
}

// keywordLiteral takes a keyword and the literal behind it.
func (p *parser) keywordLiteral(keyword string, kinds ...LiteralKind) (Literal, error) {
	if err := p.advance(); err != nil {
		return Literal{}, err
	}
	pos := p.tok.pos
	lit, err := p.literal()
	if err == nil && !slices.Contains(kinds, lit.Kind) {
		err = p.fail(pos, "wrong kind of value behind %s", keyword)
	}
	return lit, err
}

// comparisons reads operands joined by OR, and inside them by AND.
func (p *parser) comparisons(or bool, depth int) (Comparison, error) {
	operand, keyword := p.comparison, "AND"
	if or {
		operand = func(depth int) (Comparison, error) { return p.comparisons(false, depth) }
		keyword = "OR"
	}
	first, err := operand(depth)
	if err != nil || !p.isKeyword(keyword) {
		return first, err
	}
	out := &Logical{Or: or, Operands: []Comparison{first}, Pos: p.tok.pos}
	for p.isKeyword(keyword) {
		if err := p.advance(); err != nil {
			return nil, err
		}
		next, err := operand(depth)
		if err != nil {
			return nil, err
		}
		out.Operands = append(out.Operands, next)
	}
	return out, nil
}

func (p *parser) comparison(depth int) (Comparison, error) {
	if err := p.deeper(depth); err != nil {
		return nil, err
	}
	if p.isSymbol("(") {
		if err := p.advance(); err != nil {
			return nil, err
		}
		out, err := p.comparisons(true, depth+1)
		if err != nil {
			return nil, err
		}
		return out, p.expect(")")
	}
	if p.tests++; p.tests > MaxTests {
		return nil, p.fail(p.tok.pos, "more than %d comparisons", MaxTests)
	}
	if p.isKeyword("EXISTS") || p.isKeyword("NOT") {
		return p.exists()
	}
	return p.compare()
}

func (p *parser) exists() (Comparison, error) {
	out := &Exists{Pos: p.tok.pos}
	if p.isKeyword("NOT") {
		out.Negated = true
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	if err := p.expect("EXISTS"); err != nil {
		return nil, err
	}
	var err error
	out.Path, err = p.path()
	return out, err
}

func (p *parser) compare() (Comparison, error) {
	out := &Compare{Pos: p.tok.pos}
	var err error
	if out.Path, err = p.path(); err != nil {
		return nil, err
	}
	if p.isKeyword("NOT") {
		out.Negated = true
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	if out.Op, err = p.operator(); err != nil {
		return nil, err
	}
	if out.Op == In {
		out.Values, err = p.set()
		return out, err
	}
	lit, err := p.literal()
	if err != nil {
		return nil, err
	}
	switch out.Op {
	case Like, Matches, IsSubset, IsSuperset:
		if lit.Kind != String {
			return nil, p.fail(lit.Pos, "%s needs a string", out.Op)
		}
	case Less, LessEqual, Greater, GreaterEqual:
		if lit.Kind == Bool {
			return nil, p.fail(lit.Pos, "%s cannot compare true or false", out.Op)
		}
	}
	out.Values = []Literal{lit}
	return out, nil
}

func (p *parser) operator() (Op, error) {
	op, ok := map[string]Op{
		"=": Equal, "==": Equal, "!=": NotEqual, "<>": NotEqual, "<": Less, "<=": LessEqual, ">": Greater, ">=": GreaterEqual,
		"IN": In, "LIKE": Like, "MATCHES": Matches, "ISSUBSET": IsSubset, "ISSUPERSET": IsSuperset,
	}[p.tok.text]
	if !ok || p.tok.kind != tokenSymbol && p.tok.kind != tokenWord {
		return op, p.unexpected("a comparison operator")
	}
	return op, p.advance()
}

// set reads "(a, b, c)"; it may be empty.
func (p *parser) set() ([]Literal, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var out []Literal
	for !p.isSymbol(")") {
		if len(out) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		lit, err := p.literal()
		if err != nil {
			return nil, err
		}
		out = append(out, lit)
	}
	return out, p.advance()
}
