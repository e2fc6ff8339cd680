package stixpattern

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is a pattern that cannot be read.
type Error struct {
	// Pos is where, in bytes from 0.
	Pos    int
	Detail string
}

func (e *Error) Error() string { return fmt.Sprintf("pattern, character %d: %s", e.Pos+1, e.Detail) }

type tokenKind uint8

const (
	tokenEnd       tokenKind = iota
	tokenWord                // a keyword or an identifier
	tokenHyphened            // an identifier with hyphens: an object type
	tokenString              // '...', text unescaped
	tokenHex                 // h'...'
	tokenBinary              // b'...'
	tokenTimestamp           // t'...'
	tokenInt
	tokenFloat
	tokenSymbol // brackets, operators, punctuation
)

type token struct {
	kind tokenKind
	text string
	pos  int
}

// show names the token in an error.
func (t token) show() string {
	const most = 40
	text := t.text
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	switch t.kind {
	case tokenEnd:
		return "the end"
	case tokenString:
		return fmt.Sprintf("the string %q", text)
	}
	return fmt.Sprintf("%q", text)
}

// lexer cuts a pattern into tokens, the longest first, as ANTLR does with the grammar.
type lexer struct {
	input string
	pos   int
}

func (l *lexer) fail(pos int, format string, args ...any) error {
	return &Error{Pos: pos, Detail: fmt.Sprintf(format, args...)}
}

// symbols are sorted so that longer ones come first.
var symbols = []string{"==", "!=", "<>", "<=", ">=", "=", "<", ">", "[", "]", "(", ")", ":", ".", ",", "*"}

func (l *lexer) next() (token, error) {
	if err := l.skip(); err != nil {
		return token{}, err
	}
	start, rest := l.pos, l.input[l.pos:]
	if rest == "" {
		return token{kind: tokenEnd, pos: start}, nil
	}
	switch c := rest[0]; {
	case c == '\'':
		return l.quoted(tokenString, 0)
	case len(rest) > 1 && rest[1] == '\'' && strings.IndexByte("hbt", c) >= 0:
		return l.quoted(map[byte]tokenKind{'h': tokenHex, 'b': tokenBinary, 't': tokenTimestamp}[c], 1)
	case isLetter(c):
		return l.word(), nil
	case isDigit(c) || c == '-' || c == '+' || c == '.' && len(rest) > 1 && isDigit(rest[1]):
		return l.number()
	}
	for _, s := range symbols {
		if strings.HasPrefix(rest, s) {
			l.pos += len(s)
			return token{kind: tokenSymbol, text: s, pos: start}, nil
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return token{}, l.fail(start, "%q has no place in a pattern", r)
}

// skip passes white space and comments.
func (l *lexer) skip() error {
	for l.pos < len(l.input) {
		rest := l.input[l.pos:]
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case isSpace(r):
			l.pos += size
		case strings.HasPrefix(rest, "//"):
			n := strings.IndexAny(rest, "\r\n")
			if n < 0 {
				n = len(rest)
			}
			l.pos += n
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				return l.fail(l.pos, "comment without end")
			}
			l.pos += n + 4
		default:
			return nil
		}
	}
	return nil
}

// isSpace lists the grammar's white space.
func isSpace(r rune) bool {
	switch r {
	case ' ', '\t', '\r', '\n', 0x0b, 0x0c, 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000:
		return true
	}
	return r >= 0x2000 && r <= 0x200a
}

func isLetter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

func (l *lexer) word() token {
	t := token{kind: tokenWord, pos: l.pos}
	for l.pos < len(l.input) {
		c := l.input[l.pos]
		if c == '-' {
			t.kind = tokenHyphened
		} else if !isLetter(c) && !isDigit(c) {
			break
		}
		l.pos++
	}
	t.text = l.input[t.pos:l.pos]
	return t
}

// number reads the grammar's integers, which have no leading zeros, and its floats, which have no
// exponent and need digits behind the point only.
func (l *lexer) number() (token, error) {
	t := token{kind: tokenInt, pos: l.pos}
	if c := l.input[l.pos]; c == '-' || c == '+' {
		l.pos++
	}
	whole := l.digits()
	if l.pos+1 < len(l.input) && l.input[l.pos] == '.' && isDigit(l.input[l.pos+1]) {
		t.kind = tokenFloat
		l.pos++
		l.digits()
	}
	t.text = l.input[t.pos:l.pos]
	switch {
	case t.kind == tokenInt && whole == "":
		return t, l.fail(t.pos, "%q is no number", t.text)
	case t.kind == tokenInt && len(whole) > 1 && whole[0] == '0':
		return t, l.fail(t.pos, "number %s has leading zeros", t.show())
	}
	return t, nil
}

func (l *lexer) digits() string {
	start := l.pos
	for l.pos < len(l.input) && isDigit(l.input[l.pos]) {
		l.pos++
	}
	return l.input[start:l.pos]
}

// quoted reads a string, or a literal with a one-letter prefix. Only \' and \\ are escapes, and in the
// prefixed literals nothing is.
func (l *lexer) quoted(kind tokenKind, prefix int) (token, error) {
	t := token{kind: kind, pos: l.pos}
	var b strings.Builder
	for i := l.pos + prefix + 1; i < len(l.input); i++ {
		switch c := l.input[i]; c {
		case '\'':
			l.pos, t.text = i+1, b.String()
			return t, nil
		case '\\':
			if prefix > 0 {
				b.WriteByte(c)
				continue
			}
			i++
			if i == len(l.input) || l.input[i] != '\'' && l.input[i] != '\\' {
				return t, l.fail(i-1, `backslash in a string: only \' and \\ may be escaped`)
			}
			b.WriteByte(l.input[i])
		default:
			b.WriteByte(c)
		}
	}
	return t, l.fail(t.pos, "string without end")
}
