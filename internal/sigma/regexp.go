package sigma

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

func (b *itemBuilder) regexp(v Value) (Value, error) {
	if _, ok := v.(regexpDraft); !ok {
		return nil, b.fail(ReasonValue, "modifier re needs a text (quote it)")
	}
	return v, nil
}

func (b *itemBuilder) regexpFlag(v Value, flag string) (Value, error) {
	draft, ok := v.(regexpDraft)
	if !ok {
		return nil, b.fail(ReasonModifier, "modifier %s belongs behind re", flag)
	}
	if !strings.Contains(draft.flags, flag) {
		draft.flags += flag
	}
	return draft, nil
}

// compile makes a regular expression, bounded before any work is done for it. startswith and
// endswith become anchors: expressions are searched for anywhere, so pySigma's way of adding ".*" on
// the other side would say nothing.
func (b *itemBuilder) compile(draft regexpDraft) (Regexp, error) {
	if len(draft.body) > MaxRegexpLength {
		return Regexp{}, b.fail(ReasonLimit, "regular expression of %d bytes, at most %d are read",
			len(draft.body), MaxRegexpLength)
	}
	// The body is checked alone first: wrapped, a stray ")" could pass.
	tree, err := syntax.Parse(draft.body, syntax.Perl)
	if err != nil {
		return Regexp{}, b.fail(ReasonRegexp, "%s", regexpReason(err))
	}
	size := programSize(tree)
	if size > MaxRegexpSize {
		return Regexp{}, b.fail(ReasonLimit, "regular expression needs about %d instructions, at most %d are run",
			size, MaxRegexpSize)
	}
	source := draft.body
	if draft.anchored {
		source = "(?:" + source + ")"
		if !draft.openHead {
			source = `\A` + source
		}
		if !draft.openTail {
			source += `\z`
		}
	}
	if draft.flags != "" {
		source = "(?" + draft.flags + ")" + source
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return Regexp{}, b.fail(ReasonRegexp, "%s", regexpReason(err))
	}
	return Regexp{Source: source, Compiled: re, size: size}, nil
}

// regexpReason explains why RE2 refuses an expression; the features it leaves out are the ones whose
// matching time has no bound.
func regexpReason(err error) string {
	se, ok := err.(*syntax.Error)
	if !ok {
		return "regular expression: " + err.Error()
	}
	out := "regular expression: " + se.Code.String() + " in " + quote(se.Expr)
	switch se.Code {
	case syntax.ErrInvalidRepeatSize:
		out += " (RE2 repeats at most 1000 times)"
	case syntax.ErrInvalidPerlOp, syntax.ErrMissingRepeatArgument, syntax.ErrInvalidEscape:
		out += " (RE2 has no lookaround, backreferences or possessive repeats)"
	}
	return out
}

// programSize estimates how many instructions an expression compiles to; a repeat counts its body as
// often as it may occur. It saturates above MaxRegexpSize.
func programSize(re *syntax.Regexp) int {
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpRepeat:
		times := re.Max
		if times < 0 {
			times = re.Min + 1
		}
		n += times * (1 + programSize(re.Sub[0]))
	default:
		for _, sub := range re.Sub {
			n += 1 + programSize(sub)
			if n > MaxRegexpSize {
				break
			}
		}
	}
	return min(n, MaxRegexpSize+1)
}
