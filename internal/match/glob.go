package match

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"shieldwall/internal/sigma"
)

// fold maps text to the form in which case does not count: every rune's lower case. Bytes that are no
// UTF-8 stay as they are, since a value under an encoding modifier may hold any.
func fold(s string) string {
	ascii, lower := true, true
	for i := 0; i < len(s); i++ {
		c := s[i]
		ascii = ascii && c < utf8.RuneSelf
		lower = lower && (c < 'A' || c > 'Z')
	}
	if ascii && lower {
		return s
	}
	if ascii {
		return strings.ToLower(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b.WriteByte(s[i])
		} else {
			b.WriteRune(unicode.ToLower(r))
		}
		i += size
	}
	return b.String()
}

// foldPattern folds a pattern's literal parts.
func foldPattern(p sigma.Pattern) sigma.Pattern {
	out := make(sigma.Pattern, len(p))
	for i, part := range p {
		part.Text = fold(part.Text)
		out[i] = part
	}
	return out
}

// segment is what a pattern has between two runs: each token takes exactly one stretch of text.
type segment []sigma.Part

// glob matches whole texts against a pattern. Only runs can stretch, so the leftmost place for each
// middle segment is always as good as any other: there is no backtracking over runs.
type glob struct {
	first, last segment // anchored at the ends
	middle      []segment
	runs        bool // whether the pattern has a run at all
}

func newGlob(p sigma.Pattern) glob {
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
		return glob{first: current}
	}
	return glob{first: segments[0], middle: segments[1:], last: current, runs: true}
}

func (g glob) match(text string) bool {
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
func (s segment) prefix(text string) (n int, ok bool) {
	for _, part := range s {
		rest := text[n:]
		if part.Kind == sigma.Literal {
			if !strings.HasPrefix(rest, part.Text) {
				return 0, false
			}
			n += len(part.Text)
			continue
		}
		_, size := utf8.DecodeRuneInString(rest)
		if size == 0 || part.Kind == sigma.Dash && !strings.Contains(sigma.Dashes, rest[:size]) {
			return 0, false
		}
		n += size
	}
	return n, true
}

// find returns the end of the segment's leftmost match in text.
func (s segment) find(text string) (end int, ok bool) {
	for at := 0; ; {
		if len(s) > 0 && s[0].Kind == sigma.Literal {
			skip := strings.Index(text[at:], s[0].Text)
			if skip < 0 {
				return 0, false
			}
			at += skip
		}
		if n, ok := s.prefix(text[at:]); ok {
			return at + n, true
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		if size == 0 {
			return 0, false
		}
		at += size
	}
}

// suffix tells whether text ends with the segment. It walks backwards because a character may take
// several bytes.
func (s segment) suffix(text string) bool {
	for i := len(s) - 1; i >= 0; i-- {
		part := s[i]
		if part.Kind == sigma.Literal {
			var ok bool
			if text, ok = strings.CutSuffix(text, part.Text); !ok {
				return false
			}
			continue
		}
		_, size := utf8.DecodeLastRuneInString(text)
		if size == 0 || part.Kind == sigma.Dash && !strings.Contains(sigma.Dashes, text[len(text)-size:]) {
			return false
		}
		text = text[:len(text)-size]
	}
	return true
}
