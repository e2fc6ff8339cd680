// Package compare says what Sigma means by comparing text: without case, with wildcards, as numbers, as
// dates. The plain evaluator and the compiled one both stand on it.
package compare

import (
	"encoding/binary"
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
	dst = append(dst, s...)
	b := dst[at:]
	for len(b) >= 8 {
		v := binary.LittleEndian.Uint64(b)
		if v&nonASCII != 0 {
			break
		}
		binary.LittleEndian.PutUint64(b, v|upper(v)>>2)
		b = b[8:]
	}
	for i, c := range b {
		if c >= utf8.RuneSelf {
			from := len(s) - len(b) + i
			return appendFoldRunes(dst[:at+from], s[from:])
		}
		if c-'A' <= 'Z'-'A' {
			b[i] = c | 0x20
		}
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
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[i])
		} else {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		i += size
	}
	return dst
}
