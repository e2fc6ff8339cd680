package stix

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// visitor is told each member of each object once its value has been checked, and each string that stands in an
// array (element). path holds the names from the outermost object down to the member or to the array's; it is
// valid during the call only.
type visitor func(path []string, value []byte, element bool)

// scanner checks one JSON value strictly, in one pass and without building it: grammar (RFC 8259), UTF-8, paired
// surrogates, unique names, numbers within float64 (I-JSON, RFC 7493), and nesting. encoding/json accepts
// repeated names and replaces bad UTF-8, and a bundle whose two readers disagree about a property is an attack.
type scanner struct {
	data  []byte
	pos   int
	max   int // nesting
	visit visitor
	path  []string
}

// scan checks that data is exactly one value.
func scan(data []byte, depth int, visit visitor) error {
	s := scanner{data: data, max: depth, visit: visit}
	s.space()
	if err := s.value(0); err != nil {
		return err
	}
	s.space()
	if s.pos != len(data) {
		return s.fail("text after the value")
	}
	return nil
}

func (s *scanner) fail(msg string) error { return &SyntaxError{Offset: int64(s.pos), Msg: msg} }

func (s *scanner) tooDeep() error {
	return &SyntaxError{Offset: int64(s.pos), Msg: "nested deeper than " + strconv.Itoa(s.max), Limit: true}
}

func (s *scanner) space() {
	for s.pos < len(s.data) && isSpace(s.data[s.pos]) {
		s.pos++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) value(depth int) error {
	if s.pos >= len(s.data) {
		return s.fail("the text ends where a value should be")
	}
	switch c := s.data[s.pos]; {
	case c == '{':
		return s.object(depth + 1)
	case c == '[':
		return s.array(depth + 1)
	case c == '"':
		return s.str()
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	}
	return s.fail("not a JSON value")
}

func (s *scanner) literal(word string) error {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
		return s.fail("not a JSON value")
	}
	s.pos += len(word)
	return nil
}

func (s *scanner) object(depth int) error {
	if depth > s.max {
		return s.tooDeep()
	}
	s.pos++
	s.space()
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	var names nameSet
	for {
		if err := s.member(depth, &names); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case '}':
			s.pos++
			return nil
		default:
			return s.fail("no comma or closing brace after a member")
		}
	}
}

func (s *scanner) member(depth int, names *nameSet) error {
	start := s.pos
	if s.peek() != '"' {
		return s.fail("no name where a member should be")
	}
	if err := s.str(); err != nil {
		return err
	}
	name := nameOf(s.data[start:s.pos])
	if !names.add(name) {
		s.pos = start
		return s.fail("the name " + shown(name) + " appears twice in one object")
	}
	s.space()
	if s.peek() != ':' {
		return s.fail("no colon after the name " + shown(name))
	}
	s.pos++
	s.space()
	s.path = append(s.path, name)
	start = s.pos
	if err := s.value(depth); err != nil {
		return err
	}
	if s.visit != nil {
		s.visit(s.path, s.data[start:s.pos], false)
	}
	s.path = s.path[:len(s.path)-1]
	return nil
}

func (s *scanner) array(depth int) error {
	if depth > s.max {
		return s.tooDeep()
	}
	s.pos++
	s.space()
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		start := s.pos
		if err := s.value(depth); err != nil {
			return err
		}
		if s.visit != nil && s.data[start] == '"' {
			s.visit(s.path, s.data[start:s.pos], true)
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case ']':
			s.pos++
			return nil
		default:
			return s.fail("no comma or closing bracket after an element")
		}
	}
}

func (s *scanner) str() error {
	s.pos++
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case ' ' <= c && c < utf8.RuneSelf && c != '"' && c != '\\':
			s.pos++
		case c == '"':
			s.pos++
			return nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		case c < ' ':
			return s.fail("control character in a string")
		default:
			r, n := utf8.DecodeRune(s.data[s.pos:])
			if r == utf8.RuneError && n == 1 {
				return s.fail("invalid UTF-8")
			}
			s.pos += n
		}
	}
	return s.fail("the text ends inside a string")
}

func (s *scanner) escape() error {
	if s.pos+1 >= len(s.data) {
		return s.fail("the text ends inside a string")
	}
	switch s.data[s.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
	default:
		return s.fail("unknown escape in a string")
	}
	r, ok := hex4(s.data[s.pos+2:])
	if !ok {
		return s.fail("\\u without four hex digits")
	}
	if !utf16.IsSurrogate(r) {
		s.pos += 6
		return nil
	}
	rest := s.data[s.pos+6:]
	if len(rest) < 6 || rest[0] != '\\' || rest[1] != 'u' {
		return s.fail("lone surrogate in a string")
	}
	low, ok := hex4(rest[2:])
	if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
		return s.fail("lone surrogate in a string")
	}
	s.pos += 12
	return nil
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func (s *scanner) digits() int {
	from := s.pos
	for s.pos < len(s.data) && '0' <= s.data[s.pos] && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - from
}

// floatDigits is how long a number without exponent may be before it can leave float64's range.
const floatDigits = 300

func (s *scanner) number() error {
	start := s.pos
	if s.peek() == '-' {
		s.pos++
	}
	zero := s.peek() == '0'
	whole := s.digits()
	if whole == 0 || zero && whole > 1 {
		return s.fail("malformed number")
	}
	if s.peek() == '.' {
		s.pos++
		if s.digits() == 0 {
			return s.fail("malformed number")
		}
	}
	exponent := s.peek() == 'e' || s.peek() == 'E'
	if exponent {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if s.digits() == 0 {
			return s.fail("malformed number")
		}
	}
	if !exponent && whole <= floatDigits {
		return nil
	}
	f, err := strconv.ParseFloat(string(s.data[start:s.pos]), 64)
	if errors.Is(err, strconv.ErrRange) || math.IsInf(f, 0) {
		s.pos = start
		return s.fail("number beyond the range of float64")
	}
	return nil
}

// nameSet finds repeated names: a short list first, a map once an object is large.
type nameSet struct {
	few  [16]string
	n    int
	many map[string]struct{}
}

func (s *nameSet) add(name string) bool {
	if s.many == nil {
		for _, have := range s.few[:s.n] {
			if have == name {
				return false
			}
		}
		if s.n < len(s.few) {
			s.few[s.n] = name
			s.n++
			return true
		}
		s.many = make(map[string]struct{}, 2*len(s.few))
		for _, have := range s.few {
			s.many[have] = struct{}{}
		}
	}
	if _, twice := s.many[name]; twice {
		return false
	}
	s.many[name] = struct{}{}
	return true
}

// nameOf is unquote without an allocation for the names that most objects have.
func nameOf(lit []byte) string {
	if name, ok := frequent[string(lit[1:len(lit)-1])]; ok {
		return name
	}
	return unquote(lit)
}

var frequent = same("type", "id", "spec_version", "created", "modified", "created_by_ref", "revoked", "labels",
	"confidence", "lang", "external_references", "object_marking_refs", "granular_markings", "extensions", "name",
	"description", "pattern", "pattern_type", "pattern_version", "valid_from", "valid_until", "indicator_types",
	"relationship_type", "source_ref", "target_ref", "sighting_of_ref", "first_seen", "last_seen", "count",
	"where_sighted_refs", "object_refs", "kill_chain_phases", "kill_chain_name", "phase_name", "source_name", "url",
	"external_id", "value", "hashes", "is_family", "aliases")

func same(names ...string) map[string]string {
	m := make(map[string]string, len(names))
	for _, n := range names {
		m[n] = n
	}
	return m
}

// Unquote decodes a string literal out of an object that Parse has accepted.
func Unquote(lit []byte) string { return unquote(lit) }

func unquote(lit []byte) string {
	body := lit[1 : len(lit)-1]
	i := bytes.IndexByte(body, '\\')
	if i < 0 {
		return string(body)
	}
	out := append(make([]byte, 0, len(body)), body[:i]...)
	for i < len(body) {
		if body[i] != '\\' {
			out = append(out, body[i])
			i++
			continue
		}
		if body[i+1] != 'u' {
			out = append(out, unescaped(body[i+1]))
			i += 2
			continue
		}
		r, _ := hex4(body[i+2:])
		i += 6
		if utf16.IsSurrogate(r) {
			low, _ := hex4(body[i+2:])
			r = utf16.DecodeRune(r, low)
			i += 6
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c // quote, backslash, slash
}

// elements calls fn for each element of an array that the scanner has accepted.
func elements(list []byte, fn func([]byte)) {
	s := scanner{data: list, pos: 1, max: math.MaxInt}
	for s.space(); s.peek() != ']'; s.space() {
		if s.peek() == ',' {
			s.pos++
			continue
		}
		start := s.pos
		if s.value(0) != nil {
			return // cannot happen: the list was accepted
		}
		fn(list[start:s.pos])
	}
}

// members calls fn for each member of an object that the scanner has accepted, not deeper.
func members(obj []byte, fn func(name string, value []byte)) {
	s := scanner{data: obj, max: math.MaxInt, visit: func(path []string, value []byte, element bool) {
		if len(path) == 1 && !element {
			fn(path[0], value)
		}
	}}
	if s.object(1) != nil {
		return // cannot happen: the object was accepted
	}
}
