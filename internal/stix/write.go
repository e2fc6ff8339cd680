package stix

import (
	"strconv"
	"unicode/utf8"
)

// writer builds one line of JSON: members in the order written, no white space, only the escapes that JSON
// demands. encoding/json would escape <, > and & or U+2028, and a Sigma rule's bytes are full of them.
type writer struct {
	buf   []byte
	comma bool
	bad   bool // a string was not UTF-8
}

func (w *writer) open(c byte) {
	w.separate()
	w.buf = append(w.buf, c)
	w.comma = false
}

func (w *writer) close(c byte) {
	w.buf = append(w.buf, c)
	w.comma = true
}

func (w *writer) separate() {
	if w.comma {
		w.buf = append(w.buf, ',')
	}
	w.comma = true
}

func (w *writer) name(name string) {
	w.separate()
	w.buf = appendString(w.buf, name)
	w.buf = append(w.buf, ':')
	w.comma = false
}

func (w *writer) str(s string) {
	w.separate()
	w.bad = w.bad || !utf8.ValidString(s)
	w.buf = appendString(w.buf, s)
}

// text writes a string member; an empty one is left out.
func (w *writer) text(name, value string) {
	if value == "" {
		return
	}
	w.name(name)
	w.str(value)
}

// texts writes a list member; an empty one is left out, for STIX forbids empty lists.
func (w *writer) texts(name string, values []string) {
	if len(values) == 0 {
		return
	}
	w.name(name)
	w.open('[')
	for _, v := range values {
		w.str(v)
	}
	w.close(']')
}

func (w *writer) number(name string, n int64) {
	w.name(name)
	w.separate()
	w.buf = strconv.AppendInt(w.buf, n, 10)
}

// appendString quotes s with the escapes of RFC 8785, section 3.2.2.2. s should be UTF-8: what is not is replaced,
// and the writer remembers it.
func appendString(buf []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	buf = append(buf, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			buf = append(buf, '\\', byte(r))
		case r == '\n':
			buf = append(buf, '\\', 'n')
		case r == '\r':
			buf = append(buf, '\\', 'r')
		case r == '\t':
			buf = append(buf, '\\', 't')
		case r == '\b':
			buf = append(buf, '\\', 'b')
		case r == '\f':
			buf = append(buf, '\\', 'f')
		case r < 0x20:
			buf = append(buf, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&0xf])
		default:
			buf = utf8.AppendRune(buf, r)
		}
	}
	return append(buf, '"')
}
