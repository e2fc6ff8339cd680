package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks are the combining marks that one character may carry on the page.
const maxMarks = 4

// visible spells out every character that is not seen as itself: controls become their pictures, and what hides
// or reorders text (bidi controls, zero width, line separators, private use) its number, for a name that holds one
// is evidence. The result is one line.
func visible(s string) string {
	at := strings.IndexFunc(s, unseen)
	if at < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	b.WriteString(s[:at])
	for _, r := range s[at:] {
		spell(&b, r)
	}
	return b.String()
}

// unseen says whether a character is spelled out, or was made of bytes that are no character.
func unseen(r rune) bool {
	if r >= ' ' && r <= '~' {
		return false
	}
	return r == utf8.RuneError || !seen(r) && !unicode.Is(unicode.Zs, r)
}

// plain says whether all of s is printable ASCII.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func spell(b *strings.Builder, r rune) {
	switch {
	case r < ' ':
		b.WriteRune('\u2400' + r)
	case r == 0x7f:
		b.WriteRune('\u2421')
	case seen(r) || unicode.Is(unicode.Zs, r):
		b.WriteRune(r)
	default:
		fmt.Fprintf(b, "‹U+%04X›", r)
	}
}

// seen says whether a character draws something. Unicode calls some letters, marks and symbols printable that do
// not: the fillers, the variation selectors.
func seen(r rune) bool {
	switch {
	case r == 0x034f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x2800, r == 0x3164, r == 0xffa0,
		r >= 0x180b && r <= 0x180f, r >= 0xfe00 && r <= 0xfe0e, r >= 0xe0100 && r <= 0xe01ef:
		return false
	}
	return unicode.IsPrint(r)
}

// short is visible for the page: at most limit characters, and no pile of combining marks that covers the lines
// around it.
func short(s string, limit int) string { return cut(s, limit, false) }

// block is short for text whose lines and tabs carry meaning, such as a script.
func block(s string, limit int) string {
	return strings.TrimRight(cut(strings.ReplaceAll(s, "\r\n", "\n"), limit, true), "\n")
}

func cut(s string, limit int, lines bool) string {
	if plain(s) && len(s) <= limit {
		return strings.Clone(s)
	}
	var b strings.Builder
	marks, n := 0, 0
	for _, r := range s {
		if !unicode.In(r, unicode.Mn, unicode.Me) {
			marks = 0
		} else if marks++; marks > maxMarks {
			continue
		}
		if n++; n > limit {
			b.WriteRune('…')
			break
		}
		if lines && (r == '\n' || r == '\t') {
			b.WriteRune(r)
			continue
		}
		spell(&b, r)
	}
	return b.String()
}
