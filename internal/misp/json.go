package misp

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// reader takes JSON apart as it comes, strictly (RFC 8259 and I-JSON, RFC 7493): an event of hundreds of megabytes
// costs what is kept of it. encoding/json would accept repeated names and replace what is not UTF-8.
type reader struct {
	r    io.Reader
	buf  []byte
	pos  int
	end  int
	base int64 // bytes before buf
	eof  bool

	limit int64  // the last offset that may be read
	what  string // of which that is the limit

	path  []step
	depth int
	text  []byte // scratch of str
}

// step is a name or an index on the way to where the reader is.
type step struct {
	name  string
	index int // -1 for a name
}

const bufferSize = 64 << 10

// maxName is how long a member's name may be.
const maxName = 1024

// emptyReads is how many reads without bytes and without error are taken as a broken reader.
const emptyReads = 100

func newReader(r io.Reader, limit int64) *reader {
	return &reader{r: r, buf: make([]byte, bufferSize), limit: limit, what: "document"}
}

func (d *reader) offset() int64 { return d.base + int64(d.pos) }

func (d *reader) where() string {
	var b strings.Builder
	for _, s := range d.path {
		switch {
		case s.index >= 0:
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(s.index))
			b.WriteByte(']')
		case b.Len() > 0:
			b.WriteByte('.')
			fallthrough
		default:
			b.WriteString(s.name)
		}
	}
	return b.String()
}

func (d *reader) fail(msg string) error {
	return &Error{Path: d.where(), Offset: d.offset(), Msg: msg}
}

func (d *reader) failf(format string, args ...any) error { return d.fail(fmt.Sprintf(format, args...)) }

// fill reads more once the buffer is used up; io.EOF says that there is nothing more.
func (d *reader) fill() error {
	d.base += int64(d.end)
	d.pos, d.end = 0, 0
	if d.base > d.limit {
		return d.tooLarge()
	}
	if d.eof {
		return io.EOF
	}
	room := d.buf[:min(int64(len(d.buf)), d.limit+1-d.base)]
	for range emptyReads {
		n, err := d.r.Read(room)
		d.end = n
		switch {
		case n > 0:
			d.eof = errors.Is(err, io.EOF)
			if err != nil && !d.eof {
				return fmt.Errorf("reading MISP at byte %d: %w", d.base, err)
			}
			return nil
		case errors.Is(err, io.EOF):
			d.eof = true
			return io.EOF
		case err != nil:
			return fmt.Errorf("reading MISP at byte %d: %w", d.base, err)
		}
	}
	return io.ErrNoProgress
}

func (d *reader) tooLarge() error { return d.failf("the %s is larger than it may be", d.what) }

// next passes white space and gives the byte behind it, which is not taken. io.EOF is the end of the document.
func (d *reader) next() (byte, error) {
	for {
		for d.pos < d.end {
			c := d.buf[d.pos]
			if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
				return c, nil
			}
			d.pos++
		}
		if err := d.fill(); err != nil {
			return 0, err
		}
	}
}

// want is next where the document may not end.
func (d *reader) want() (byte, error) {
	c, err := d.next()
	if err != nil && errors.Is(err, io.EOF) {
		return 0, d.fail("the text ends where more should come")
	}
	return c, err
}

// take gives the next byte, inside a value.
func (d *reader) take() (byte, error) {
	if d.pos == d.end {
		if err := d.fill(); errors.Is(err, io.EOF) {
			return 0, d.fail("the text ends inside a value")
		} else if err != nil {
			return 0, err
		}
	}
	c := d.buf[d.pos]
	d.pos++
	return c, nil
}

func (d *reader) enter() error {
	if d.depth++; d.depth > MaxDepth {
		return d.failf("nested deeper than %d", MaxDepth)
	}
	d.pos++
	return nil
}

// object calls fn for each member, with the reader before its value.
func (d *reader) object(fn func(name string) error) error {
	if err := d.enter(); err != nil {
		return err
	}
	var names nameSet
	for first := true; ; first = false {
		c, err := d.want()
		if err != nil {
			return err
		}
		switch {
		case c == '}' && first:
			d.pos++
			d.depth--
			return nil
		case c != '"':
			return d.fail("no name where a member should be")
		}
		if err := d.member(&names, fn); err != nil {
			return err
		}
		if c, err = d.want(); err != nil {
			return err
		}
		d.pos++
		switch c {
		case ',':
		case '}':
			d.depth--
			return nil
		default:
			return d.fail("no comma or closing brace after a member")
		}
	}
}

func (d *reader) member(names *nameSet, fn func(name string) error) error {
	name, err := d.name()
	if err != nil {
		return err
	}
	if !names.add(name) {
		return d.failf("the name %s appears twice in one object", Shown(name))
	}
	c, err := d.want()
	if err != nil {
		return err
	}
	if c != ':' {
		return d.failf("no colon after the name %s", Shown(name))
	}
	d.pos++
	if _, err := d.want(); err != nil {
		return err
	}
	d.path = append(d.path, step{name, -1})
	err = fn(name)
	if err == nil {
		d.path = d.path[:len(d.path)-1]
	}
	return err
}

// array calls fn for each element, with the reader before it; more than most of them are an error.
func (d *reader) array(most int, fn func(i int) error) error {
	if err := d.enter(); err != nil {
		return err
	}
	for i := 0; ; i++ {
		c, err := d.want()
		if err != nil {
			return err
		}
		if c == ']' && i == 0 {
			d.pos++
			d.depth--
			return nil
		}
		if i >= most {
			return d.failf("more than %d elements", most)
		}
		d.path = append(d.path, step{"", i})
		if err := fn(i); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
		if c, err = d.want(); err != nil {
			return err
		}
		d.pos++
		switch c {
		case ',':
		case ']':
			d.depth--
			return nil
		default:
			return d.fail("no comma or closing bracket after an element")
		}
	}
}

// skip passes one value, checking it all the same.
func (d *reader) skip() error {
	c, err := d.want()
	if err != nil {
		return err
	}
	switch c {
	case '{':
		return d.object(func(string) error { return d.skip() })
	case '[':
		return d.array(maxSkipped, func(int) error { return d.skip() })
	case '"':
		_, err = d.atMost(0)
		return err
	}
	if c == '-' || '0' <= c && c <= '9' {
		return d.number()
	}
	_, _, err = d.scalar(MaxText)
	return err
}

// maxSkipped bounds lists that are passed over: bytes do it, so this is only not to be a number too many.
const maxSkipped = 1 << 30

// kind is what sort of scalar a value is.
type kind uint8

const (
	null kind = iota
	boolean
	number
	str
)

// scalar reads a string, a number, true, false or null; the text of null is empty.
func (d *reader) scalar(most int) (text string, k kind, err error) {
	c, err := d.want()
	if err != nil {
		return "", null, err
	}
	switch {
	case c == '"':
		text, err = d.str(most)
		return text, str, err
	case c == 't':
		return "true", boolean, d.literal("true")
	case c == 'f':
		return "false", boolean, d.literal("false")
	case c == 'n':
		return "", null, d.literal("null")
	case c == '-' || '0' <= c && c <= '9':
		err = d.number()
		return string(d.text), number, err
	case c == '{', c == '[':
		return "", null, d.fail("a list or an object where a single value should be")
	}
	return "", null, d.fail("not a JSON value")
}

func (d *reader) literal(word string) error {
	for i := range len(word) {
		c, err := d.take()
		if err != nil {
			return err
		}
		if c != word[i] {
			return d.fail("not a JSON value")
		}
	}
	return nil
}

// maxNumber is how long a number may be written.
const maxNumber = 64

// number reads one into text.
func (d *reader) number() error {
	d.text = d.text[:0]
	for {
		if d.pos == d.end {
			if err := d.fill(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return err
			}
		}
		c := d.buf[d.pos]
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			break
		}
		if len(d.text) == maxNumber {
			return d.failf("a number of more than %d characters", maxNumber)
		}
		d.text = append(d.text, c)
		d.pos++
	}
	if !isNumber(d.text) {
		return d.fail("malformed number")
	}
	return nil
}

// isNumber is RFC 8259's grammar, section 6.
func isNumber(s []byte) bool {
	digits := func() bool {
		n := 0
		for n < len(s) && '0' <= s[n] && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	if len(s) > 0 && s[0] == '-' {
		s = s[1:]
	}
	if len(s) > 1 && s[0] == '0' && '0' <= s[1] && s[1] <= '9' || !digits() {
		return false
	}
	if len(s) > 0 && s[0] == '.' {
		if s = s[1:]; !digits() {
			return false
		}
	}
	if len(s) > 0 && (s[0] == 'e' || s[0] == 'E') {
		if s = s[1:]; len(s) > 0 && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return len(s) == 0
}

func (d *reader) name() (string, error) {
	if err := d.raw(maxName); err != nil {
		return "", err
	}
	if name, ok := frequent[string(d.text)]; ok {
		return name, nil
	}
	return string(d.text), nil
}

func (d *reader) str(most int) (string, error) {
	if err := d.raw(most); err != nil {
		return "", err
	}
	return string(d.text), nil
}

// atMost decodes a string into text if it is not longer than most, and says whether it was; a longer one is checked
// all the same.
func (d *reader) atMost(most int) (whole bool, err error) {
	whole = true
	err = d.decode(func() error {
		if whole && len(d.text) <= most {
			return nil
		}
		whole = false
		return d.forget()
	})
	return whole, err
}

// raw decodes a string of at most so many bytes into text.
func (d *reader) raw(most int) error {
	return d.decode(func() error {
		if len(d.text) > most {
			return d.failf("a text of more than %d bytes", most)
		}
		return nil
	})
}

// decode decodes a string into text and calls grown after each piece of it.
func (d *reader) decode(grown func() error) error {
	d.pos++
	d.text = d.text[:0]
	for {
		if d.pos == d.end {
			if err := d.fill(); errors.Is(err, io.EOF) {
				return d.fail("the text ends inside a string")
			} else if err != nil {
				return err
			}
		}
		part := d.buf[d.pos:d.end]
		n := plain(part)
		d.text = append(d.text, part[:n]...)
		d.pos += n
		if err := grown(); err != nil {
			return err
		}
		if n == len(part) {
			continue
		}
		switch c := part[n]; {
		case c == '"':
			d.pos++
			if !utf8.Valid(d.text) {
				return d.fail("invalid UTF-8")
			}
			return nil
		case c == '\\':
			d.pos++
			if err := d.escape(); err != nil {
				return err
			}
		default:
			return d.fail("control character in a string")
		}
	}
}

// forget checks and drops the text so far, but for a rune that the buffer's end has cut.
func (d *reader) forget() error {
	cut := len(d.text)
	for i := cut - 1; i >= 0 && i >= cut-utf8.UTFMax; i-- {
		if utf8.RuneStart(d.text[i]) {
			if !utf8.FullRune(d.text[i:]) {
				cut = i
			}
			break
		}
	}
	if !utf8.Valid(d.text[:cut]) {
		return d.fail("invalid UTF-8")
	}
	d.text = append(d.text[:0], d.text[cut:]...)
	return nil
}

// plain is how many bytes come before a quote, a backslash or a control character.
func plain(b []byte) int {
	for i, c := range b {
		if c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(b)
}

func (d *reader) escape() error {
	c, err := d.take()
	if err != nil {
		return err
	}
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return d.unicode()
	default:
		return d.fail("unknown escape in a string")
	}
	d.text = append(d.text, c)
	return nil
}

func (d *reader) unicode() error {
	r, err := d.hex4()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(r) {
		for _, c := range []byte(`\u`) {
			if got, err := d.take(); err != nil {
				return err
			} else if got != c {
				return d.fail("lone surrogate in a string")
			}
		}
		low, err := d.hex4()
		if err != nil {
			return err
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return d.fail("lone surrogate in a string")
		}
	}
	d.text = utf8.AppendRune(d.text, r)
	return nil
}

func (d *reader) hex4() (rune, error) {
	var r rune
	for range 4 {
		c, err := d.take()
		if err != nil {
			return 0, err
		}
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, d.fail(`\u without four hex digits`)
		}
	}
	return r, nil
}

// nameSet finds repeated names: a short list first, a map once an object is large.
type nameSet struct {
	few  [32]string
	n    int
	many map[string]bool
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
		s.many = make(map[string]bool, 2*len(s.few))
		for _, have := range s.few {
			s.many[have] = true
		}
	}
	if s.many[name] {
		return false
	}
	s.many[name] = true
	return true
}

// frequent spares the names that every attribute has an allocation.
var frequent = same("Event", "response", "Attribute", "Object", "Tag", "Galaxy", "GalaxyCluster", "Sighting",
	"ShadowAttribute", "ObjectReference", "EventReport", "Org", "Orgc", "SharingGroup", "Organisation", "id", "event_id",
	"object_id", "uuid", "type", "category", "value", "to_ids", "comment", "timestamp", "distribution",
	"sharing_group_id", "deleted", "disable_correlation", "object_relation", "first_seen", "last_seen", "data", "name",
	"colour", "exportable", "local", "relationship_type", "user_id", "hide_tag", "numerical_value", "is_galaxy",
	"is_custom_galaxy", "local_only")

func same(names ...string) map[string]string {
	m := make(map[string]string, len(names))
	for _, n := range names {
		m[n] = n
	}
	return m
}
