// Package compare says what Sigma means by comparing text: without case, with wildcards, as numbers, as
// dates. The plain evaluator and the compiled one both stand on it.
package compare

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fold maps text to the form in which case does not count: every rune's lower case. Bytes that are no
// UTF-8 stay as they are, since a value under an encoding modifier may hold any.
func Fold(s string) string {
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

// AppendFold appends Fold's result to dst. It is made for the matcher: it allocates nothing but dst's
// growth and takes eight bytes at a time as long as they are ASCII.
func AppendFold(dst []byte, s string) []byte {
	at := len(dst)
	dst = slices.Grow(dst, len(s))[:at+len(s)]
	b := dst[at:]
	i := 0
	for ; i+8 <= len(s); i += 8 {
		v := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		if v&nonASCII != 0 {
			return appendFoldRunes(dst[:at+i], s[i:])
		}
		binary.LittleEndian.PutUint64(b[i:], v|upper(v)>>2)
	}
	for ; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return appendFoldRunes(dst[:at+i], s[i:])
		}
		if c-'A' <= 'Z'-'A' {
			c |= 0x20
		}
		b[i] = c
	}
	return dst
}

const (
	everyByte = 0x0101010101010101
	nonASCII  = 0x80 * everyByte
)

// upper has the high bit of each byte set that is an ASCII capital, given eight ASCII bytes.
func upper(v uint64) uint64 {
	return (v + (0x80-'A')*everyByte) &^ (v + (0x80-'Z'-1)*everyByte) & nonASCII
}

func appendFoldRunes(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c-'A' <= 'Z'-'A' {
				c |= 0x20
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, c)
		case int(r) < len(lowers):
			dst = utf8.AppendRune(dst, rune(lowers[r]))
		default:
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		i += size
	}
	return dst
}

// lowers are the small forms of the scripts written most: unicode.ToLower searches a table each time.
var lowers = func() (out [0x600]uint16) {
	for r := range out {
		out[r] = uint16(unicode.ToLower(rune(r)))
	}
	return out
}()
