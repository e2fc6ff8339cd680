package compare

import (
	"bytes"
	"unicode/utf8"

	"shieldwall/internal/sigma"
)

// FoldPattern folds a pattern's literal parts.
func FoldPattern(p sigma.Pattern) sigma.Pattern {
	out := make(sigma.Pattern, len(p))
	for i, part := range p {
		part.Text = Fold(part.Text)
		out[i] = part
	}
	return out
}

// segment is what a pattern has between two runs: each token takes exactly one stretch of text.
type segment []sigma.Part

// Glob matches whole texts against a pattern. Only runs can stretch, so the leftmost place for each
// middle segment is always as good as any other: there is no backtracking over runs.
type Glob struct {
	first, last segment // anchored at the ends
	middle      []segment
	runs        bool // whether the pattern has a run at all
}

// NewGlob takes a pattern apart.
func NewGlob(p sigma.Pattern) Glob {
	var segments []segment
	var current segment
	for _, part := range p {
		if part.Kind == sigma.AnyRun {
			segments = append(segments, current)
			current = nil
			continue
		}
		current = append(current, part)
	}
	if len(segments) == 0 {
		return Glob{first: current}
	}
	return Glob{first: segments[0], middle: segments[1:], last: current, runs: true}
}

// Match tells whether the pattern describes the whole text.
func (g Glob) Match(text string) bool { return g.MatchBytes([]byte(text)) }

// MatchBytes is Match for a text in a buffer.
func (g Glob) MatchBytes(text []byte) bool {
	n, ok := g.first.prefix(text)
	if !ok {
		return false
	}
	if !g.runs {
		return n == len(text)
	}
	rest := text[n:]
	for _, seg := range g.middle {
		end, ok := seg.find(rest)
		if !ok {
			return false
		}
		rest = rest[end:]
	}
	return g.last.suffix(rest)
}

// prefix matches the segment at the start of text and returns how much it takes.
func (s segment) prefix(text []byte) (n int, ok bool) {
	for i := range s {
		part, rest := &s[i], text[n:]
		if part.Kind == sigma.Literal {
			if len(rest) < len(part.Text) || string(rest[:len(part.Text)]) != part.Text {
				return 0, false
			}
			n += len(part.Text)
			continue
		}
		r, size := utf8.DecodeRune(rest)
		if size == 0 || part.Kind == sigma.Dash && !isDash(r) {
			return 0, false
		}
		n += size
	}
	return n, true
}

// isDash knows the characters of sigma.Dashes.
func isDash(r rune) bool {
	return r == '-' || r == '/' || r == '\u2013' || r == '\u2014' || r == '\u2015'
}

// find returns the end of the segment's leftmost match in text.
func (s segment) find(text []byte) (end int, ok bool) {
	for at := 0; ; {
		if len(s) > 0 && s[0].Kind == sigma.Literal {
			skip := indexOf(text[at:], s[0].Text)
			if skip < 0 {
				return 0, false
			}
			at += skip
		}
		if n, ok := s.prefix(text[at:]); ok {
			return at + n, true
		}
		_, size := utf8.DecodeRune(text[at:])
		if size == 0 {
			return 0, false
		}
		at += size
	}
}

// indexOf is bytes.Index for a literal that is a string: it looks for the first byte and compares.
func indexOf(text []byte, literal string) int {
	for at := 0; at+len(literal) <= len(text); at++ {
		skip := bytes.IndexByte(text[at:len(text)-len(literal)+1], literal[0])
		if skip < 0 {
			return -1
		}
		at += skip
		if string(text[at:at+len(literal)]) == literal {
			return at
		}
	}
	return -1
}

// suffix tells whether text ends with the segment. It walks backwards because a character may take
// several bytes.
func (s segment) suffix(text []byte) bool {
	for i := len(s) - 1; i >= 0; i-- {
		part := &s[i]
		if part.Kind == sigma.Literal {
			n := len(text) - len(part.Text)
			if n < 0 || string(text[n:]) != part.Text {
				return false
			}
			text = text[:n]
			continue
		}
		r, size := utf8.DecodeLastRune(text)
		if size == 0 || part.Kind == sigma.Dash && !isDash(r) {
			return false
		}
		text = text[:len(text)-size]
	}
	return true
}
