package sigma

import (
	"regexp"
	"strings"
)

// placeholder is a %name% that expand has not replaced yet; Part.Text is the name. It never leaves
// this package.
const placeholder PartKind = 0xff

// placeholderAt reads a %name% at the start of s. Names hold no wildcards or backslashes; every other pair
// of percent signs is a placeholder, since a plain one is written \% (specification, "Placeholders").
func placeholderAt(s string) (name string, ok bool) {
	if len(s) < 3 || s[0] != '%' {
		return "", false
	}
	end := strings.IndexByte(s[1:], '%')
	if end <= 0 || strings.ContainsAny(s[1:1+end], `\*?`) {
		return "", false
	}
	return s[1 : 1+end], true
}

// placeholderValues looks up what a name stands for.
func (b *itemBuilder) placeholderValues(name string) ([]Pattern, error) {
	values := b.parser.opt.Placeholders[name]
	if len(values) == 0 {
		return nil, b.fail(ReasonPlaceholder, "needs values for the placeholder %s", quote("%"+name+"%"))
	}
	out := make([]Pattern, len(values))
	for i, v := range values {
		out[i] = ParsePattern(v)
	}
	return out, nil
}

// expand replaces placeholders; a name with several values makes alternatives (specification,
// "Placeholders").
func (b *itemBuilder) expand(s String) (Value, error) {
	if !s.Pattern.has(placeholder) {
		return s, nil
	}
	out := []Pattern{nil}
	for _, part := range s.Pattern {
		choices := []Pattern{{part}}
		if part.Kind == placeholder {
			var err error
			if choices, err = b.placeholderValues(part.Text); err != nil {
				return nil, err
			}
		}
		if err := b.checkProduct(len(out)*len(choices), s.Pattern.size()); err != nil {
			return nil, err
		}
		out = product(out, choices)
	}
	return alternatives(out, s.Cased), nil
}

// checkProduct bounds what several placeholders in one value may multiply it to.
func (b *itemBuilder) checkProduct(count, size int) error {
	if count > MaxValues || count*size > MaxRuleBytes {
		return b.fail(ReasonLimit, "placeholders multiply a value to %d, too much for one rule", count)
	}
	return nil
}

// expandRegexp replaces placeholders inside an expression. Their values are text with wildcards, not
// expressions, so they are quoted.
func (b *itemBuilder) expandRegexp(draft regexpDraft) (Value, error) {
	bodies := []string{""}
	add := func(choices []string) error {
		if err := b.checkProduct(len(bodies)*len(choices), len(draft.body)); err != nil {
			return err
		}
		next := make([]string, 0, len(bodies)*len(choices))
		for _, body := range bodies {
			for _, choice := range choices {
				next = append(next, body+choice)
			}
		}
		bodies = next
		return nil
	}
	rest := draft.body
	for rest != "" {
		if name, ok := placeholderAt(rest); ok {
			patterns, err := b.placeholderValues(name)
			if err != nil {
				return nil, err
			}
			choices := make([]string, len(patterns))
			for i, p := range patterns {
				choices[i] = p.regexp()
			}
			if err := add(choices); err != nil {
				return nil, err
			}
			rest = rest[len(name)+2:]
			continue
		}
		n := 1
		if rest[0] == '\\' && len(rest) > 1 { // "\%" is a percent sign for RE2 too
			n = 2
		}
		for n < len(rest) && rest[n] != '%' && rest[n] != '\\' {
			n++
		}
		if err := add([]string{rest[:n]}); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	out := AnyOf{Values: make([]Value, len(bodies))}
	for i, body := range bodies {
		one := draft
		one.body = body
		out.Values[i] = one
	}
	return out, nil
}

// regexp writes the pattern as a regular expression.
func (p Pattern) regexp() string {
	var b strings.Builder
	for _, part := range p {
		switch part.Kind {
		case AnyRun:
			b.WriteString(`(?s:.*)`)
		case AnyChar:
			b.WriteString(`(?s:.)`)
		case Dash:
			b.WriteString(`[` + regexp.QuoteMeta(Dashes) + `]`)
		default:
			b.WriteString(regexp.QuoteMeta(part.Text))
		}
	}
	return b.String()
}
