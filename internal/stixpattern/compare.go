package stixpattern

import (
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of a pattern that is evaluated.
const (
	// MaxExpression bounds one LIKE or MATCHES operand, in bytes.
	MaxExpression = 4096
	// MaxProgram bounds the regular expressions of one pattern together, in instructions as estimated
	// before they are compiled; matching takes time proportional to it.
	MaxProgram = 100_000
)

// test is a comparison ready to be evaluated on one object.
type test interface {
	holds(o Object, all Objects) bool
}

type anyTest []test

func (t anyTest) holds(o Object, all Objects) bool {
	for _, one := range t {
		if one.holds(o, all) {
			return true
		}
	}
	return false
}

type everyTest []test

func (t everyTest) holds(o Object, all Objects) bool {
	for _, one := range t {
		if !one.holds(o, all) {
			return false
		}
	}
	return true
}

// existsTest asks for the property itself: where it is a reference, what it refers to need not be there.
type existsTest struct {
	path    Path
	negated bool
}

func (t *existsTest) holds(o Object, all Objects) bool {
	if o["type"] != t.path.Type {
		return false
	}
	last := len(t.path.Steps) - 1
	found := false
	all.each(o, t.path.Steps[:last], func(value any) bool {
		if step := t.path.Steps[last]; step.IsIndex {
			list, _ := value.([]any)
			found = len(list) > 0 && (step.Any || step.Index >= 0 && step.Index < int64(len(list)))
		} else if object, ok := value.(Object); ok {
			_, found = object[step.Property]
		}
		return !found
	})
	return found != t.negated
}

// compareTest holds if any value that the path leads to fits; no value, no match, whatever is asked.
type compareTest struct {
	path Path
	fits func(value any) bool
	// size is that of the expression, in instructions; 0 where the comparison has none.
	size int64
}

// textStep is how many instructions on a byte of text count as much as one comparison.
const textStep = 64

func (t *compareTest) holds(o Object, all Objects) bool {
	return o["type"] == t.path.Type && !all.each(o, t.path.Steps, func(value any) bool {
		text, _ := value.(string)
		all.spend(1 + t.size*int64(len(text))/textStep)
		return !t.fits(value)
	})
}

// compiler makes tests and keeps account of what they cost.
type compiler struct{ program int }

func (c *compiler) comparison(x Comparison) (test, error) {
	switch x := x.(type) {
	case *Logical:
		out := make([]test, 0, len(x.Operands))
		for _, operand := range x.Operands {
			one, err := c.comparison(operand)
			if err != nil {
				return nil, err
			}
			out = append(out, one)
		}
		if x.Or {
			return anyTest(out), nil
		}
		return everyTest(out), nil
	case *Exists:
		return &existsTest{x.Path, x.Negated}, nil
	case *Compare:
		fits, err := c.predicate(x)
		if err != nil {
			return nil, err
		}
		if x.Negated {
			fits = c.negated(x, fits)
		}
		return &compareTest{x.Path, fits, expressionSize(x)}, nil
	}
	return nil, fmt.Errorf("comparison of type %T is not known", x)
}

// negated turns a predicate round. Values that have no order are neither in it nor not in it: the
// comparison is false (section 9.6), as it is without NOT.
func (c *compiler) negated(x *Compare, fits func(any) bool) func(any) bool {
	switch x.Op {
	case Less, LessEqual, Greater, GreaterEqual:
		literal := &x.Values[0]
		return func(value any) bool {
			if _, ok := order(value, literal); !ok && !textAndBytes(value, literal) {
				return false
			}
			return !fits(value)
		}
	}
	return func(value any) bool { return !fits(value) }
}

// textAndBytes tells whether text meets binary: such a comparison has a result, false, even where the text
// has characters that no byte has.
func textAndBytes(value any, l *Literal) bool {
	_, isText := value.(string)
	_, isBytes := value.([]byte)
	return isText && (l.Kind == Hex || l.Kind == Binary) || isBytes && l.Kind == String
}

func (c *compiler) predicate(x *Compare) (func(any) bool, error) {
	switch x.Op {
	case In:
		return inSet(x.Values), nil
	case Like:
		return c.like(&x.Values[0])
	case Matches:
		return c.matches(&x.Values[0])
	case IsSubset, IsSuperset:
		network, err := parseNetwork(x.Values[0].Text)
		if err != nil {
			return nil, &Error{Pos: x.Values[0].Pos, Detail: err.Error()}
		}
		superset := x.Op == IsSuperset
		return func(value any) bool {
			text, _ := value.(string)
			other, err := parseNetwork(text)
			if superset {
				return err == nil && contains(other, network)
			}
			return err == nil && contains(network, other)
		}, nil
	}
	literal, op := &x.Values[0], x.Op
	return func(value any) bool {
		n, ok := order(value, literal)
		switch op {
		case Equal:
			return ok && n == 0
		case NotEqual:
			return !ok || n != 0
		case Less:
			return ok && n < 0
		case LessEqual:
			return ok && n <= 0
		case Greater:
			return ok && n > 0
		}
		return ok && n >= 0
	}, nil
}

// inSet tests equality with any literal; texts, of which feeds have thousands, through a map.
func inSet(values []Literal) func(any) bool {
	texts := map[string]bool{}
	var others []Literal
	for _, v := range values {
		if v.Kind == String {
			texts[v.Text] = true
		} else {
			others = append(others, v)
		}
	}
	return func(value any) bool {
		switch v := value.(type) {
		case string:
			if texts[v] {
				return true
			}
		case []byte:
			if texts[fromLatin1(v)] {
				return true
			}
		}
		for i := range others {
			if n, ok := order(value, &others[i]); ok && n == 0 {
				return true
			}
		}
		return false
	}
}

// asText gives what LIKE and MATCHES read, in NFC (section 9.6); bytes are read as code points.
func asText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return norm.NFC.String(v), true
	case []byte:
		return fromLatin1(v), true
	}
	return "", false
}

func (c *compiler) matches(l *Literal) (func(any) bool, error) {
	source := norm.NFC.String(l.Text)
	if len(source) > MaxExpression {
		return nil, &Error{Pos: l.Pos, Detail: fmt.Sprintf("regular expression of more than %d bytes", MaxExpression)}
	}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, &Error{Pos: l.Pos, Detail: fmt.Sprintf(
			"%v; expressions are those of RE2, whose time is linear: PCRE's lookaround, backreferences, possessive and atomic groups are refused", err)}
	}
	if c.program += programSize(tree); c.program > MaxProgram {
		return nil, &Error{Pos: l.Pos, Detail: fmt.Sprintf("regular expressions of the pattern need more than %d instructions", MaxProgram)}
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, &Error{Pos: l.Pos, Detail: err.Error()}
	}
	return func(value any) bool {
		text, ok := asText(value)
		return ok && re.MatchString(text)
	}, nil
}

func expressionSize(x *Compare) int64 {
	switch x.Op {
	case Matches:
		return int64(ProgramSize(x.Values[0].Text))
	case Like:
		return int64(1 + strings.Count(x.Values[0].Text, "_"))
	}
	return 0
}

// ProgramSize estimates the instructions of a regular expression; of none, it is more than any may have.
func ProgramSize(expression string) int {
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil || len(expression) > MaxExpression {
		return MaxProgram + 1
	}
	return programSize(tree)
}

// programSize estimates the instructions of an expression: a repeat counts its body as often as it may occur.
func programSize(re *syntax.Regexp) int {
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpRepeat:
		n += max(re.Max, re.Min+1) * (1 + programSize(re.Sub[0]))
	default:
		for _, sub := range re.Sub {
			n += 1 + programSize(sub)
		}
	}
	return min(n, MaxProgram+1)
}

// like compiles a LIKE operand: "%" is any run of characters, "_" one character, and nothing escapes them.
func (c *compiler) like(l *Literal) (func(any) bool, error) {
	source := norm.NFC.String(l.Text)
	if len(source) > MaxExpression {
		return nil, &Error{Pos: l.Pos, Detail: fmt.Sprintf("LIKE with more than %d bytes", MaxExpression)}
	}
	parts := strings.Split(source, "%")
	return func(value any) bool {
		text, ok := asText(value)
		return ok && likeMatch(parts, text)
	}, nil
}

// likeMatch matches the parts between the runs, each as far left as it can be.
func likeMatch(parts []string, text string) bool {
	rest, ok := likePrefix(parts[0], text)
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		if rest, ok = likeFind(part, rest); !ok {
			return false
		}
	}
	// The last part takes as many characters from the end as it has.
	last := parts[len(parts)-1]
	skip := utf8.RuneCountInString(rest) - utf8.RuneCountInString(last)
	for ; skip > 0; skip-- {
		_, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
	}
	rest, ok = likePrefix(last, rest)
	return ok && rest == ""
}

// likeFind finds a part anywhere and returns what is behind it.
func likeFind(part, text string) (rest string, ok bool) {
	if !strings.Contains(part, "_") {
		_, rest, ok = strings.Cut(text, part)
		return rest, ok
	}
	for {
		if rest, ok = likePrefix(part, text); ok || text == "" {
			return rest, ok
		}
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
}

// likePrefix matches a part at the start and returns what is behind it.
func likePrefix(part, text string) (rest string, ok bool) {
	for _, want := range part {
		if text == "" {
			return "", false
		}
		got, size := utf8.DecodeRuneInString(text)
		if want != '_' && want != got {
			return "", false
		}
		text = text[size:]
	}
	return text, true
}

// parseNetwork reads an address, as the network of itself, or a network in CIDR notation.
func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return prefix, fmt.Errorf("%s is no address and no network in CIDR notation", quote(text[:min(len(text), 60)]))
	}
	return prefix.Masked(), nil
}

// contains tells whether a network holds another one, or is it.
func contains(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}
