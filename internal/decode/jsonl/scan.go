package jsonl

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"shieldwall/internal/event"
)

// errIncomplete says that the bytes at hand end inside the value.
var errIncomplete = errors.New("incomplete")

// scanner reads one object and collects its leaves. It is written for speed: it holds the position in
// a field, keeps paths in a tree that is shared by all objects (path.go), and copies only strings that
// have escapes.
type scanner struct {
	maxDepth, maxFields int
	// want, where it is set, names what leaves are made for; asked is its length, and one, when the object
	// at hand was begun.
	want  *event.Names
	asked int
	// lazy: strings are not taken apart before somebody needs them (text).
	lazy bool

	buf    []byte
	pos    int
	depth  int
	values int
	arrays int // how many arrays are open

	paths   pathTree
	objects uint64 // counts objects, to tell equal keys in one from keys in the next
	epoch   uint64 // counts events
	leaves  []leaf
	hints   hint
	arena   arena

	scrap   []byte // where skipped escapes go
	numbers bool   // a character of the object is spelled by its number

	replaced, duplicates int64
}

// leaf is a scalar, or the list of all scalars that arrays hold under one path.
type leaf struct {
	at    *path
	value event.Value
	// raw: the value is a string that starts at that place of the buffer, behind its quote, and was passed
	// over only; 0: it is not.
	raw int
}

func (s *scanner) init(maxDepth, maxFields int) {
	s.maxDepth, s.maxFields = maxDepth, maxFields
	s.paths.reset()
}

// object scans the object that buf starts with and gives its length; of a fault, its position.
func (s *scanner) object(buf []byte) (int, error) {
	s.buf, s.pos, s.depth, s.values, s.arrays = buf, 0, 0, 0, 0
	s.leaves, s.hints, s.replaced, s.duplicates, s.numbers = s.leaves[:0], 0, 0, 0, false
	s.epoch++
	s.paths.trim()
	if s.want != nil {
		s.asked = s.want.Len() + 1
	}
	err := s.value(&s.paths.root)
	return s.pos, err
}

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrSyntax)
}

// blank skips white space and gives the next byte.
func (s *scanner) blank() (byte, error) {
	for ; s.pos < len(s.buf); s.pos++ {
		switch c := s.buf[s.pos]; c {
		case ' ', '\n', '\r', '\t':
		default:
			return c, nil
		}
	}
	return 0, errIncomplete
}

// value scans one value; its leaves go under at, or nowhere if that is nil.
func (s *scanner) value(at *path) error {
	if s.values++; s.values > s.maxFields {
		return fmt.Errorf("more than %d values: %w", s.maxFields, ErrTooManyFields)
	}
	c, err := s.blank()
	if err != nil {
		return err
	}
	if c == '{' || c == '[' {
		return s.nested(at, c)
	}
	if at != nil && !s.takes(at) {
		s.hints |= at.hint // the shape of an object shows in all its leaves
		at = nil
	}
	switch c {
	case '"':
		s.pos++
		if at == nil || s.lazy && s.arrays == 0 {
			start := s.pos
			plain, err := s.skipText()
			switch {
			case err != nil || at == nil:
				return err
			case plain:
				s.leaf(at, event.String, alias(s.buf[start:s.pos-1]))
			default:
				s.leaf(at, event.String, "")
				s.leaves[len(s.leaves)-1].raw = start
			}
			return nil
		}
		text, err := s.str()
		if err != nil {
			return err
		}
		s.leaf(at, event.String, text)
		return nil
	case 't':
		return s.literal(at, "true", event.Bool)
	case 'f':
		return s.literal(at, "false", event.Bool)
	case 'n':
		return s.literal(at, "null", event.Null)
	}
	return s.number(at)
}

// nested scans an object or array.
func (s *scanner) nested(at *path, c byte) (err error) {
	if s.depth++; s.depth > s.maxDepth {
		return fmt.Errorf("more than %d levels: %w", s.maxDepth, ErrTooDeep)
	}
	s.pos++
	if c == '{' {
		err = s.members(at)
	} else {
		err = s.items(at)
	}
	s.depth--
	return err
}

// takes tells whether a leaf is made of what stands at a path.
func (s *scanner) takes(at *path) bool {
	if s.want == nil {
		return true
	}
	if at.asked != s.asked {
		at.asked, at.wanted = s.asked, wanted(at, s.want)
	}
	return at.wanted
}

// members scans an object behind its brace.
func (s *scanner) members(at *path) error {
	s.objects++
	object := s.objects
	var before *path
	c, err := s.blank()
	if err != nil {
		return err
	}
	if c == '}' {
		s.pos++
		return nil
	}
	for {
		if c != '"' {
			return s.errorf("%q where a key should start", c)
		}
		s.pos++
		child, err := s.member(at, before)
		if err != nil {
			return err
		}
		if child != nil {
			if before = child; child.object == object {
				s.duplicates++
				child = nil
			} else {
				child.object = object
			}
		}
		if err := s.value(child); err != nil {
			return err
		}
		if c, err = s.blank(); err != nil {
			return err
		}
		switch c {
		case '}':
			s.pos++
			return nil
		case ',':
			s.pos++
		default:
			return s.errorf("%q behind a member instead of a comma or brace", c)
		}
		if c, err = s.blank(); err != nil {
			return err
		}
	}
}

// member scans a key behind its quote, and the colon, and gives the key's path under at; nil under none.
// before is the path of the key before it.
func (s *scanner) member(at, before *path) (child *path, err error) {
	if at != nil {
		child = s.guess(at, before)
	}
	if child == nil {
		key, err := s.key()
		if err != nil {
			return nil, err
		}
		if at != nil {
			if child, err = s.paths.child(at, before, key); err != nil {
				return nil, err
			}
		}
	}
	c, err := s.blank()
	if err != nil {
		return nil, err
	}
	if c != ':' {
		return nil, s.errorf("%q behind a key instead of a colon", c)
	}
	s.pos++
	return child, nil
}

// guess tries the keys that stood here the last times, which costs a comparison of bytes and no scan.
func (s *scanner) guess(at, before *path) *path {
	next := at.after(before)
	for i, p := range next {
		if p == nil || !p.literal {
			continue
		}
		end := s.pos + len(p.key)
		if end < len(s.buf) && s.buf[end] == '"' && string(s.buf[s.pos:end]) == p.key {
			if i > 0 {
				next[0], next[1] = p, next[0]
			}
			s.pos = end + 1
			return p
		}
	}
	return nil
}

// items scans an array behind its bracket. Its scalars are one list, and so are those of a name in its
// objects.
func (s *scanner) items(at *path) error {
	s.arrays++
	defer func() { s.arrays-- }()
	c, err := s.blank()
	if err != nil {
		return err
	}
	if c == ']' {
		s.pos++
		s.emptyList(at)
		return nil
	}
	for {
		if err := s.value(at); err != nil {
			return err
		}
		if c, err = s.blank(); err != nil {
			return err
		}
		s.pos++
		switch c {
		case ']':
			return nil
		case ',':
		default:
			s.pos--
			return s.errorf("%q behind an item instead of a comma or bracket", c)
		}
	}
}

// literal scans true, false or null.
func (s *scanner) literal(at *path, word string, kind event.Kind) error {
	for i := range len(word) {
		if s.pos+i == len(s.buf) {
			return errIncomplete
		}
		if c := s.buf[s.pos+i]; c != word[i] {
			s.pos += i
			return s.errorf("%q in %s", c, word)
		}
	}
	s.pos += len(word)
	if kind == event.Null {
		word = ""
	}
	s.leaf(at, kind, word)
	return nil
}

// number scans a number (RFC 8259, section 6) and keeps its spelling.
func (s *scanner) number(at *path) error {
	start := s.pos
	if s.peek() == '-' {
		s.pos++
	}
	switch c := s.peek(); {
	case c == '0':
		s.pos++
	case '1' <= c && c <= '9':
		s.digits()
	default:
		return s.unexpected("a value should start")
	}
	if s.peek() == '.' {
		s.pos++
		if s.digits() == 0 {
			return s.unexpected("a digit should follow the point")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if s.digits() == 0 {
			return s.unexpected("a digit of the exponent should be")
		}
	}
	if s.pos == len(s.buf) {
		return errIncomplete // more digits may follow
	}
	s.leaf(at, event.Number, alias(s.buf[start:s.pos]))
	return nil
}

// peek gives the byte at the position, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.buf) {
		return s.buf[s.pos]
	}
	return 0
}

func (s *scanner) digits() int {
	start := s.pos
	for s.pos < len(s.buf) && s.buf[s.pos]-'0' <= 9 {
		s.pos++
	}
	return s.pos - start
}

func (s *scanner) unexpected(where string) error {
	if s.pos == len(s.buf) {
		return errIncomplete
	}
	return s.errorf("%q where %s", s.buf[s.pos], where)
}

// leaf adds a scalar.
func (s *scanner) leaf(at *path, kind event.Kind, text string) {
	if at == nil {
		return
	}
	if s.arrays > 0 {
		s.hints |= at.hint & odd
		l := s.list(at)
		l.Items = append(l.Items, event.Value{Kind: kind, Text: text})
		return
	}
	at.epoch, at.leaf = s.epoch, len(s.leaves)
	s.hints |= at.hint
	s.leaves = append(s.leaves, leaf{at: at, value: event.Value{Kind: kind, Text: text}})
}

// text gives a leaf its text, where it was passed over. It cannot fail, for the text was looked at, and what
// is replaced in it was counted.
func (s *scanner) text(l *leaf) {
	if l.raw == 0 {
		return
	}
	pos, replaced := s.pos, s.replaced
	s.pos, l.raw = l.raw, 0
	l.value.Text, _ = s.str()
	s.pos, s.replaced = pos, replaced
}

// list gives the list under a path, made if there is none yet.
func (s *scanner) list(at *path) *event.Value {
	if at.epoch != s.epoch {
		at.epoch, at.leaf = s.epoch, len(s.leaves)
		s.hints |= at.hint
		s.leaves = append(s.leaves, leaf{at: at, value: event.Value{Kind: event.List}})
	}
	s.text(&s.leaves[at.leaf])
	v := &s.leaves[at.leaf].value
	if v.Kind != event.List {
		// A name that is a scalar beside an array under the same path.
		*v = event.Value{Kind: event.List, Items: []event.Value{*v}}
	}
	return v
}

func (s *scanner) emptyList(at *path) {
	switch {
	case at == nil:
	case s.takes(at):
		s.list(at)
	default:
		s.hints |= at.hint
	}
}

// key scans a key behind its quote. It is valid until the next string is scanned.
func (s *scanner) key() (string, error) {
	i, high, err := s.plain()
	if err != nil {
		return "", err
	}
	if s.buf[i] == '"' && (!high || utf8.Valid(s.buf[s.pos:i])) {
		key := alias(s.buf[s.pos:i])
		s.pos = i + 1
		return key, nil
	}
	return s.unescape()
}
