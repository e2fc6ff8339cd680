package stix

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ParseBundle splits a document in memory; the objects' Raw are slices of data. See Decode.
func ParseBundle(data []byte, limits Limits) ([]*Object, error) {
	limits = limits.filled()
	if int64(len(data)) > limits.Bundle {
		return nil, &SyntaxError{Offset: limits.Bundle, Msg: fmt.Sprintf("document larger than %d bytes", limits.Bundle), Limit: true}
	}
	var out []*Object
	s := &splitter{limits: limits, win: window{buf: data, end: len(data), eof: true, whole: true}}
	err := s.collect(func(o *Object) error {
		out = append(out, o)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Decode reads a bundle, a bare object, an array of objects, or any sequence of these, and calls yield for each
// object in order. An object's Raw are its exact bytes and belong to yield; memory stays bounded by one object
// and the identifiers seen.
//
// Faults of JSON end the reading with a *SyntaxError. Objects without type or id, a second object of the same id
// and version with different bytes, and faults of the bundle itself are collected as Problems and returned at
// the end: whoever must not act on half a document waits for Decode's return. An error of yield ends the
// reading and is returned as it is. The same bytes twice are yielded once.
func Decode(r io.Reader, limits Limits, yield func(*Object) error) error {
	limits = limits.filled()
	s := &splitter{limits: limits, win: window{r: r, limit: limits.Bundle}}
	return s.collect(yield)
}

// Walk is Decode for a validator: object gets every object, those without type or id too, and fault is told every
// broken rule of the document as it is met, whatever its level.
func Walk(r io.Reader, limits Limits, object func(*Object) error, fault func(Problem)) error {
	limits = limits.filled()
	s := &splitter{limits: limits, win: window{r: r, limit: limits.Bundle}, nameless: true}
	return s.run(object, fault)
}

// splitter walks the outermost structure and hands out the objects in it.
type splitter struct {
	limits   Limits
	win      window
	yield    func(*Object) error
	fault    func(Problem)
	nameless bool // objects without type or id are handed out
	count    int
	seen     map[version][sha256.Size]byte
}

type version struct{ id, modified string }

// collect keeps what makes the document unusable until its end.
func (s *splitter) collect(yield func(*Object) error) error {
	var problems Problems
	err := s.run(yield, func(p Problem) {
		if p.Level == Unusable {
			problems.add(p)
		}
	})
	if err != nil {
		return err
	}
	return problems.Err()
}

func (s *splitter) run(yield func(*Object) error, fault func(Problem)) error {
	s.yield, s.fault = yield, fault
	s.seen = make(map[version][sha256.Size]byte)
	s.win.object = s.limits.Object
	return s.documents()
}

func (s *splitter) documents() error {
	s.win.mark()
	if err := s.win.skipBOM(); err != nil {
		return err
	}
	for n := 0; ; n++ {
		c, err := s.win.next()
		if errors.Is(err, io.EOF) {
			if n == 0 {
				return s.win.fail("no STIX object here")
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch c {
		case '{':
			err = s.top()
		case '[':
			err = s.list()
		default:
			err = s.win.fail("neither an object nor a list of objects")
		}
		if err != nil {
			return err
		}
	}
}

// top reads an object of the outermost level: a bundle, whose objects are handed out one by one, or an object
// of its own.
func (s *splitter) top() error {
	s.win.mark()
	b := bundle{s: s, line: s.win.line(s.win.pos)}
	s.win.pos++
	for {
		c, err := s.win.want("a name or a closing brace")
		switch {
		case err != nil:
			return err
		case c == '}':
			s.win.pos++
			return b.close()
		case c == ',' && b.members > 0:
			s.win.pos++
			if c, err = s.win.want("a name"); err != nil {
				return err
			}
			fallthrough
		case c == '"' && b.members == 0:
			if c != '"' {
				return s.win.fail("no name where a member should be")
			}
			if err := b.member(); err != nil {
				return err
			}
		default:
			return s.win.fail("no comma or closing brace after a member")
		}
	}
}

// bundle is an outermost object while it is being read.
type bundle struct {
	s        *splitter
	members  int
	names    nameSet
	typ, id  string
	streamed bool // its objects have been handed out: it is a bundle or an error
	line     int
	// milder are what is wrong with it if it is a bundle and that hinders nobody here.
	milder Problems
}

func (b *bundle) member() error {
	name, err := b.name()
	if err != nil {
		return err
	}
	c, err := b.s.win.want("a value")
	if err != nil {
		return err
	}
	b.members++
	line := b.s.win.line(b.s.win.pos)
	if name == "objects" && c == '[' && (b.typ == "" || b.typ == "bundle") {
		b.streamed = true
		before := b.s.count
		err := b.s.list()
		if b.s.count == before {
			b.milder.add(Problem{Property: name, Msg: "must not be an empty list", Section: "2.12", Line: line, Level: Broken})
		}
		return err
	}
	value, err := b.s.span()
	if err != nil {
		return err
	}
	// A bare object is scanned as a whole at its end; of a bundle the bytes are gone by then.
	if err := b.s.strict(value); err != nil {
		return err
	}
	switch name {
	case "type":
		b.typ = text(value)
	case "id":
		b.id = text(value)
	case "objects":
		b.milder.add(Problem{Property: name, Msg: "must be a list of objects", Section: "8.1", Line: line, Level: Broken})
	default:
		b.milder.add(Problem{Property: name, Msg: "is no property of a bundle: others may not keep it", Section: "8", Line: line, Level: Advice})
	}
	return nil
}

func (b *bundle) name() (string, error) {
	w := &b.s.win
	lit, err := b.s.span()
	if err != nil {
		return "", err
	}
	if err := b.s.strict(lit); err != nil {
		return "", err
	}
	name := unquote(lit)
	if !b.names.add(name) {
		return "", w.fail("the name " + shown(name) + " appears twice in one object")
	}
	c, err := w.want("a colon")
	if err != nil {
		return "", err
	}
	if c != ':' {
		return "", w.fail("no colon after the name " + shown(name))
	}
	w.pos++
	return name, nil
}

func (b *bundle) close() error {
	if !b.streamed && b.typ != "bundle" {
		return b.s.object(b.s.win.marked())
	}
	if b.typ != "bundle" {
		b.s.fault(Problem{Object: b.id, Property: "type", Msg: shown(b.typ) + " is no bundle, but holds a list of objects", Section: "8", Line: b.line})
		return nil
	}
	id := b.id
	if TypeOf(id) != "bundle" || !IsID(id) {
		b.s.fault(Problem{Object: "bundle", Property: "id", Msg: shown(id) + " is not bundle--UUID", Section: "8", Line: b.line})
		id = "bundle"
	} else if UUIDVersion(id) != 4 {
		b.milder.add(Problem{Property: "id", Msg: "should have a UUID of version 4", Section: "2.9", Line: b.line, Level: Advice})
	}
	for _, p := range b.milder {
		p.Object = id
		b.s.fault(p)
	}
	return nil
}

// list reads an array of objects.
func (s *splitter) list() error {
	s.win.pos++
	for first := true; ; first = false {
		s.win.mark()
		c, err := s.win.want("an object or a closing bracket")
		if err != nil {
			return err
		}
		switch {
		case c == ']':
			s.win.pos++
			return nil
		case c == ',' && !first:
			s.win.pos++
			if c, err = s.win.want("an object"); err != nil {
				return err
			}
		case !first:
			return s.win.fail("no comma or closing bracket after an object")
		}
		if c != '{' {
			return s.win.fail("a list of objects holds something else")
		}
		s.win.mark()
		raw, err := s.span()
		if err != nil {
			return err
		}
		if err := s.object(raw); err != nil {
			return err
		}
	}
}

// object judges one object's bytes and hands it out.
func (s *splitter) object(raw []byte) error {
	if s.count++; s.count > s.limits.Count {
		return s.win.over("more than %d objects", s.limits.Count)
	}
	line := s.win.line(s.win.pos - len(raw))
	if !s.win.whole {
		raw = bytes.Clone(raw)
	}
	o, err := Parse(raw, s.limits)
	if err != nil {
		return s.absolute(err, len(raw))
	}
	o.Line, o.Number = line, s.count
	switch {
	case o.Type == "bundle":
		s.fault(Problem{Object: o.Place(), Property: "type", Msg: "a bundle is not an object and cannot be in a list of objects", Section: "8", Line: line})
		return nil
	case (o.Type == "" || o.ID == "") && s.nameless:
		return s.yield(o)
	case o.Type == "":
		s.fault(Problem{Object: o.Place(), Property: "type", Msg: "missing or not a string", Section: "3.2", Line: line})
		return nil
	case o.ID == "":
		s.fault(Problem{Object: o.Place(), Property: "id", Msg: "missing or not a string", Section: "3.2", Line: line})
		return nil
	}
	v := version{strings.ToLower(o.ID), o.Version()}
	sum := sha256.Sum256(raw)
	if have, twice := s.seen[v]; twice {
		if have != sum {
			s.fault(twiceProblem(o))
		}
		return nil
	}
	s.seen[v] = sum
	return s.yield(o)
}

func twiceProblem(o *Object) Problem {
	p := Problem{Object: o.ID, Property: "id", Msg: "appears twice in the document with different content", Section: "3.6", Line: o.Line}
	if o.Version() != "" {
		p.Property = "modified"
		p.Msg = "two different objects of this id are both of " + shown(o.Modified)
	}
	return p
}

// span takes one value's bytes; they are valid until the window moves.
func (s *splitter) span() ([]byte, error) {
	start := s.win.pos - s.win.from
	if err := s.win.skipValue(s.limits.Depth); err != nil {
		return nil, err
	}
	return s.win.buf[s.win.from+start : s.win.pos], nil
}

// strict checks a value that has just been taken.
func (s *splitter) strict(value []byte) error {
	return s.absolute(scan(value, s.limits.Depth, nil), len(value))
}

// absolute turns an offset within the bytes just taken into one within the document.
func (s *splitter) absolute(err error, taken int) error {
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		within := min(int(syntax.Offset), taken) - taken
		return &SyntaxError{Offset: s.win.offset() + int64(within), Line: s.win.line(s.win.pos + within), Msg: syntax.Msg, Limit: syntax.Limit}
	}
	return err
}
