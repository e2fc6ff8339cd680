package jsonl

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// str scans a string behind its quote.
func (s *scanner) str() (string, error) {
	i, high, err := s.plain()
	if err != nil {
		return "", err
	}
	if s.buf[i] == '"' && (!high || utf8.Valid(s.buf[s.pos:i])) {
		text := alias(s.buf[s.pos:i])
		s.pos = i + 1
		return text, nil
	}
	if text, ok := s.simple(); ok {
		return text, nil
	}
	return s.unescape()
}

// Eight equal bytes.
const (
	ones      = 0x0101010101010101
	tops      = 0x8080808080808080
	quotes    = ones * '"'
	slashes   = ones * '\\'
	printable = ones * 0x20
)

// stops has the top bit set of the lowest byte of v that is a quote, a backslash or a control character,
// and perhaps of some above it: x-ones&^x has that of the lowest zero byte of x, x-printable&^x that of
// the lowest byte below a blank.
func stops(v uint64) uint64 {
	q, b := v^quotes, v^slashes
	return ((q-ones)&^q | (b-ones)&^b | (v-printable)&^v) & tops
}

// plain finds the first byte from the position on that is a quote, a backslash or a control character,
// and tells whether one before it is no ASCII. A control character is a fault (RFC 8259, section 7).
//
// It looks at eight bytes at a time.
func (s *scanner) plain() (at int, high bool, err error) {
	buf, i := s.buf, s.pos
	var seen uint64
	for ; i+8 <= len(buf); i += 8 {
		v := binary.LittleEndian.Uint64(buf[i:])
		if stop := stops(v); stop != 0 {
			n := bits.TrailingZeros64(stop) &^ 7
			seen |= v & (1<<n - 1)
			i += n / 8
			break
		}
		seen |= v
	}
	for ; i < len(buf); i++ {
		switch c := buf[i]; {
		case c == '"' || c == '\\':
			return i, seen&tops != 0, nil
		case c < 0x20:
			s.pos = i
			return 0, false, s.errorf("control character %q in a string", c)
		default:
			seen |= uint64(c)
		}
	}
	return 0, false, errIncomplete
}

// skipText passes over a string behind its quote. It is as strict as str and counts what str would have
// replaced, but makes nothing. plain says that it is ASCII without escapes.
func (s *scanner) skipText() (plain bool, err error) {
	if end, escapes, high := quoted(s.buf[s.pos:]); end >= 0 {
		if high {
			s.countInvalid(s.buf[s.pos : s.pos+end])
		}
		s.pos += end + 1
		return !escapes && !high, nil
	}
	buf, i := s.buf, s.pos
	first := i
	start := i // of the run without escapes
	var seen uint64
	for {
		for i+8 <= len(buf) {
			v := binary.LittleEndian.Uint64(buf[i:])
			stop := stops(v)
			if stop == 0 {
				seen |= v
				i += 8
				continue
			}
			n := bits.TrailingZeros64(stop) &^ 7
			seen |= v & (1<<n - 1)
			i += n / 8
			// Paths are full of backslashes: the common escapes stay in this loop.
			if buf[i] != '\\' || i+1 >= len(buf) || !simpleEscape[buf[i+1]] || seen&tops != 0 {
				break
			}
			i += 2
			start = i
		}
		s.pos = i
		at, high, err := s.plain()
		if err != nil {
			return false, err
		}
		if high = high || seen&tops != 0; high {
			s.countInvalid(buf[start:at])
		}
		if s.pos = at + 1; buf[at] == '"' {
			return start == first && !high, nil
		}
		if s.scrap, err = s.escape(s.scrap[:0]); err != nil {
			return false, err
		}
		i, start, seen = s.pos, s.pos, 0
	}
}

// simpleEscape has the characters that are one character behind a backslash (RFC 8259, section 7).
var simpleEscape = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

// countInvalid counts the bytes that appendUTF8 would replace.
func (s *scanner) countInvalid(b []byte) {
	if utf8.Valid(b) {
		return
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			s.replaced++
		}
		b = b[n:]
	}
}

// usualText is how long most strings with escapes are; longer ones are moved as they grow.
const usualText = 4 << 10

// simple scans a string of ASCII with common escapes behind its quote: it copies eight bytes at a time
// while it looks for their end. ok is false for any other string; nothing was consumed then.
func (s *scanner) simple() (text string, ok bool) {
	buf, i, n := s.buf, s.pos, 0
	out := s.arena.reserve(usualText)
	room := out[:cap(out)]
	for i+8 <= len(buf) && n+8 <= len(room) {
		v := binary.LittleEndian.Uint64(buf[i:])
		binary.LittleEndian.PutUint64(room[n:], v)
		stop := (stops(v) | v) & tops
		if stop == 0 {
			i, n = i+8, n+8
			continue
		}
		k := bits.TrailingZeros64(stop) / 8
		i, n = i+k, n+k
		switch c := buf[i]; {
		case c == '"':
			s.pos = i + 1
			return s.arena.commit(room[:n]), true
		case c != '\\' || i+1 >= len(buf) || !simpleEscape[buf[i+1]]:
			return "", false
		}
		room[n] = escaped[buf[i+1]]
		i, n = i+2, n+1
	}
	return "", false
}

// escaped has what the simple escapes stand for.
var escaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape scans a string with escapes or invalid UTF-8 behind its quote.
func (s *scanner) unescape() (string, error) {
	out := s.arena.reserve(usualText)
	for {
		i, high, err := s.plain()
		if err != nil {
			return "", err
		}
		if high {
			out = s.appendUTF8(out, s.buf[s.pos:i])
		} else {
			out = append(out, s.buf[s.pos:i]...)
		}
		s.pos = i + 1
		if s.buf[i] == '"' {
			return s.arena.commit(out), nil
		}
		if out, err = s.escape(out); err != nil {
			return "", err
		}
	}
}

// appendUTF8 appends text, with U+FFFD for each byte that is not part of a character.
func (s *scanner) appendUTF8(out, b []byte) []byte {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			s.replaced++
			out = utf8.AppendRune(out, r)
		} else {
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return out
}

// escape appends what an escape stands for; the position is behind the backslash.
func (s *scanner) escape(out []byte) ([]byte, error) {
	if s.pos == len(s.buf) {
		return nil, errIncomplete
	}
	c := s.buf[s.pos]
	s.pos++
	switch c {
	case '"', '\\', '/':
		return append(out, c), nil
	case 'b':
		return append(out, '\b'), nil
	case 'f':
		return append(out, '\f'), nil
	case 'n':
		return append(out, '\n'), nil
	case 'r':
		return append(out, '\r'), nil
	case 't':
		return append(out, '\t'), nil
	case 'u':
		return s.unicode(out)
	}
	s.pos--
	return nil, s.errorf("unknown escape \\%c", c)
}

// unicode appends the character of a \u escape, with that of a second one for a surrogate pair.
func (s *scanner) unicode(out []byte) ([]byte, error) {
	s.numbers = true
	r, err := s.hex4()
	if err != nil {
		return nil, err
	}
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(out, r), nil
	}
	if len(s.buf)-s.pos < 2 {
		return nil, errIncomplete
	}
	if s.buf[s.pos] == '\\' && s.buf[s.pos+1] == 'u' {
		behind := s.pos
		s.pos += 2
		low, err := s.hex4()
		if err != nil {
			return nil, err
		}
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return utf8.AppendRune(out, pair), nil
		}
		s.pos = behind
	}
	s.replaced++
	return utf8.AppendRune(out, utf8.RuneError), nil
}

func (s *scanner) hex4() (rune, error) {
	var r rune
	for range 4 {
		if s.pos == len(s.buf) {
			return 0, errIncomplete
		}
		c := s.buf[s.pos]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, s.errorf("%q in a \\u escape", c)
		}
		r = r<<4 | rune(c)
		s.pos++
	}
	return r, nil
}
