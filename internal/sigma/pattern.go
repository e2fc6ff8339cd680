package sigma

import "strings"

// PartKind tells the parts of a pattern apart.
type PartKind uint8

// The kinds of parts.
const (
	// Literal is text that stands for itself.
	Literal PartKind = iota
	// AnyRun is "*": any run of characters, also none, also across newlines.
	AnyRun
	// AnyChar is "?": exactly one character.
	AnyChar
	// Dash is exactly one of Dashes: an option's dash under the modifier windash.
	Dash
)

// Dashes are the characters that windash exchanges: hyphen, slash, en dash, em dash, horizontal bar
// (appendix modifiers, "windash").
const Dashes = "-/\u2013\u2014\u2015"

// Part is one piece of a pattern.
type Part struct {
	Kind PartKind
	// Text is the text of a Literal; it may hold any bytes after an encoding modifier.
	Text string
}

// Pattern is a string value: it describes the whole text of a field. Neighbouring literals and
// neighbouring runs are merged, so equal values have equal patterns.
type Pattern []Part

// ParsePattern reads a string value with its wildcards and escapes (specification, "Escaping"):
// `\*` and `\?` are literals, `\\` is one backslash, a backslash before anything else or at the end
// stands for itself.
func ParsePattern(s string) Pattern { return parsePattern(s, false) }

// parsePattern reads %name% as a placeholder too, and \% as a percent sign, if asked to.
func parsePattern(s string, placeholders bool) Pattern {
	var p Pattern
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			p = append(p, Part{Kind: Literal, Text: lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '*' || s[i+1] == '?' || s[i+1] == '\\'):
			i++
			lit.WriteByte(s[i])
		case c == '\\' && placeholders && i+1 < len(s) && s[i+1] == '%':
			i++
			lit.WriteByte('%')
		case c == '%' && placeholders:
			name, ok := placeholderAt(s[i:])
			if !ok {
				lit.WriteByte(c)
				break
			}
			flush()
			p = append(p, Part{Kind: placeholder, Text: name})
			i += len(name) + 1
		case c == '*':
			flush()
			p = p.appendRun()
		case c == '?':
			flush()
			p = append(p, Part{Kind: AnyChar})
		default:
			lit.WriteByte(c)
		}
	}
	flush()
	return p
}

// Text returns the text of a pattern without wildcards; ok is false where there are some.
func (p Pattern) Text() (text string, ok bool) {
	switch {
	case len(p) == 0:
		return "", true
	case len(p) == 1 && p[0].Kind == Literal:
		return p[0].Text, true
	}
	return "", false
}

// String writes the pattern as a rule would: ParsePattern reads it back. A Dash is written as "-".
func (p Pattern) String() string {
	var b strings.Builder
	for _, part := range p {
		switch part.Kind {
		case AnyRun:
			b.WriteByte('*')
		case AnyChar:
			b.WriteByte('?')
		case Dash:
			b.WriteByte('-')
		case placeholder:
			b.WriteString("%" + part.Text + "%")
		default:
			for i := 0; i < len(part.Text); i++ {
				if c := part.Text[i]; c == '*' || c == '?' || c == '\\' {
					b.WriteByte('\\')
				}
				b.WriteByte(part.Text[i])
			}
		}
	}
	return b.String()
}

// size is the text held by the pattern, in bytes, counting one for each wildcard.
func (p Pattern) size() int {
	n := 0
	for _, part := range p {
		n += len(part.Text)
		if part.Kind != Literal {
			n++
		}
	}
	return n
}

func (p Pattern) has(kind PartKind) bool {
	for _, part := range p {
		if part.Kind == kind {
			return true
		}
	}
	return false
}

func (p Pattern) appendRun() Pattern {
	if n := len(p); n > 0 && p[n-1].Kind == AnyRun {
		return p
	}
	return append(p, Part{Kind: AnyRun})
}

func (p Pattern) appendText(text string) Pattern {
	if text == "" {
		return p
	}
	if n := len(p); n > 0 && p[n-1].Kind == Literal {
		// The last part may be shared with another pattern: replace, never write into it.
		out := append(Pattern{}, p...)
		out[n-1].Text += text
		return out
	}
	return append(p, Part{Kind: Literal, Text: text})
}

// appendPattern joins two patterns.
func (p Pattern) appendPattern(q Pattern) Pattern {
	for _, part := range q {
		switch part.Kind {
		case Literal:
			p = p.appendText(part.Text)
		case AnyRun:
			p = p.appendRun()
		default:
			p = append(p, part)
		}
	}
	return p
}

// open puts runs before and after the pattern unless it has them.
func (p Pattern) open(head, tail bool) Pattern {
	var out Pattern
	if head {
		out = out.appendRun()
	}
	out = out.appendPattern(p)
	if tail {
		out = out.appendRun()
	}
	return out
}
