package stix

import (
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
)

// Canonical spells one JSON value as RFC 8785 (JSON Canonicalization Scheme) does: two values are the same
// exactly if their spellings are. It is for comparing and for deterministic ids; objects are never stored so.
func Canonical(raw []byte) ([]byte, error) {
	if err := scan(raw, MaxDepth, nil); err != nil {
		return nil, err
	}
	s := scanner{data: raw, max: math.MaxInt}
	s.space()
	return appendCanonical(nil, raw[s.pos:]), nil
}

// appendCanonical writes a value that the scanner has accepted; nesting is bounded by that.
func appendCanonical(buf, value []byte) []byte {
	switch value[0] {
	case '{':
		return canonicalObject(buf, value)
	case '[':
		buf = append(buf, '[')
		first := true
		elements(value, func(e []byte) {
			if !first {
				buf = append(buf, ',')
			}
			first = false
			buf = appendCanonical(buf, e)
		})
		return append(buf, ']')
	case '"':
		s := scanner{data: value}
		if s.str() != nil {
			return buf // cannot happen: the value was accepted
		}
		return appendString(buf, unquote(value[:s.pos]))
	case 't':
		return append(buf, "true"...)
	case 'f':
		return append(buf, "false"...)
	case 'n':
		return append(buf, "null"...)
	}
	s := scanner{data: value}
	if s.number() != nil {
		return buf // cannot happen
	}
	f, err := strconv.ParseFloat(string(value[:s.pos]), 64)
	if err != nil {
		return buf // cannot happen: the scanner checked the range
	}
	return canonicalNumber(buf, f)
}

func canonicalObject(buf, value []byte) []byte {
	type member struct {
		name  string
		order []uint16
		value []byte
	}
	var list []member
	members(value, func(name string, v []byte) {
		list = append(list, member{name, utf16.Encode([]rune(name)), v})
	})
	// Section 3.2.3: by UTF-16 code units, which differs from UTF-8's order beyond the basic plane.
	slices.SortFunc(list, func(a, b member) int { return slices.Compare(a.order, b.order) })
	buf = append(buf, '{')
	for i, m := range list {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = appendString(buf, m.name)
		buf = append(buf, ':')
		buf = appendCanonical(buf, m.value)
	}
	return append(buf, '}')
}

// canonicalNumber spells a number as ECMAScript's Number::toString (section 3.2.2.3).
func canonicalNumber(buf []byte, f float64) []byte {
	if f == 0 {
		return append(buf, '0') // also -0
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(buf, f, 'f', -1, 64)
	}
	buf = strconv.AppendFloat(buf, f, 'e', -1, 64)
	// Go writes at least two digits of exponent, ECMAScript no leading zero.
	if n := len(buf); n >= 4 && buf[n-4] == 'e' && buf[n-2] == '0' {
		buf[n-2] = buf[n-1]
		buf = buf[:n-1]
	}
	return buf
}
