// Package jsonl reads telemetry in JSON: a stream of objects, one per line, pretty-printed,
// concatenated, or in one array. Every object becomes one event, its leaves fields.
//
// The scanner is our own: one pass, no reflection, no intermediate tree; strings without escapes are
// slices of the input. Inside a value it is as strict as RFC 8259; between values it is lenient
// (blanks, NULs and byte order marks are skipped, commas only count in an array). A value that is
// broken or over a limit costs that value: Next reports it and goes on behind it. Lines that hold no
// value at all are one report with what is before them.
//
// Where text is no Unicode (invalid UTF-8, a lone surrogate escape) it becomes U+FFFD, and of two
// equal keys in one object the first counts; both are counted in Stats. Numbers keep their spelling.
//
// How fields are named depends on the shape of the object: see shape.go.
package jsonl

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"shieldwall/internal/event"
)

// Default limits.
const (
	// DefaultMaxValueBytes is the size of the largest value.
	DefaultMaxValueBytes = 16 << 20
	// DefaultMaxDepth is how deep objects and arrays may nest; the object itself is 1.
	DefaultMaxDepth = 64
	// DefaultMaxFields is how many values one object may hold, inner objects and list items included.
	DefaultMaxFields = 16384
	// MaxPathBytes is the length of a field's full name.
	MaxPathBytes = 1024
)

// Errors that a ValueError may wrap.
var (
	// ErrSyntax says that a value is not JSON.
	ErrSyntax = errors.New("invalid JSON")
	// ErrNotObject says that a value is JSON, but not an object.
	ErrNotObject = errors.New("not an object")
	// ErrTruncated says that the input ends inside a value or array.
	ErrTruncated = errors.New("unexpected end of input")
	// ErrTooLong, ErrTooDeep, ErrTooManyFields and ErrLongName say which limit a value exceeds.
	ErrTooLong       = errors.New("value too long")
	ErrTooDeep       = errors.New("nested too deep")
	ErrTooManyFields = errors.New("too many fields")
	ErrLongName      = errors.New("field name too long")
)

// ValueError reports one value that was left out. Reading can go on.
type ValueError struct {
	// Record is the line where the value starts, Line the line of the fault; both count from 1.
	Record, Line int64
	// Offset is the position of the fault in bytes of the input; of UTF-16, once it is UTF-8.
	Offset int64
	// Err says what is wrong; it wraps one of the package's errors.
	Err error
}

// Error describes the fault with its place.
func (e *ValueError) Error() string {
	return fmt.Sprintf("line %d, byte %d: %v", e.Line, e.Offset, e.Err)
}

// Unwrap gives the cause.
func (e *ValueError) Unwrap() error { return e.Err }

// Stats counts what was read so far.
type Stats struct {
	// Bytes of input as UTF-8 that were consumed.
	Bytes int64
	// Events that were returned, Errors the values that were left out.
	Events, Errors int64
	// Replaced characters (see the package comment) and DuplicateKeys in returned events.
	Replaced, DuplicateKeys int64
}

// Options say how to read. Limits that are 0 have their default.
type Options struct {
	// Source is copied to every event.
	Source string
	// Limits; see the constants.
	MaxValueBytes, MaxDepth, MaxFields int

	// Names numbers the fields of events; see event.Field.
	Names *event.Names
	// Sparse leaves out fields whose names are not in Names; event.Event.Rest gives all of them. What is
	// left out is held to the same rules: errors and counts are those of a full reading.
	Sparse bool
	// Borrow uses the memory of one event for the next: its strings and lists are then gone, too.
	Borrow bool
}

// Reader decodes one stream.
type Reader struct {
	opts Options
	in   window
	st   Stats
	line int64
	// indent counts the blanks that the line at the position starts with; lead: the position is among
	// them. They help to find back into a broken stream (resync.go).
	indent int
	lead   bool
	array  bool // inside a top-level array
	end    error

	scan  scanner
	names namer
	ev    event.Event

	// For Rest: the object at hand, and a reading of all of it, made when somebody first asks.
	raw  []byte
	rest func(*event.Event)
	full *whole
}

// whole takes every field of an object apart.
type whole struct {
	scan  scanner
	names namer
	ev    event.Event
}

// New makes a reader. It reads nothing yet.
func New(r io.Reader, opts Options) *Reader {
	if opts.MaxValueBytes <= 0 {
		opts.MaxValueBytes = DefaultMaxValueBytes
	}
	if opts.MaxDepth <= 0 {
		opts.MaxDepth = DefaultMaxDepth
	}
	if opts.MaxFields <= 0 {
		opts.MaxFields = DefaultMaxFields
	}
	rd := &Reader{opts: opts, line: 1, lead: true, ev: event.Event{Source: opts.Source}}
	rd.in.src = decodeBOM(r, &rd.st.Replaced)
	rd.in.borrow = opts.Borrow
	rd.scan.init(opts.MaxDepth, opts.MaxFields)
	rd.names.want = opts.Names
	if opts.Names != nil && opts.Sparse {
		rd.scan.want, rd.names.sparse = opts.Names, true
		rd.scan.lazy = opts.Names.Chooses()
		rd.rest = rd.whole
	}
	return rd
}

// Stats tells what was read so far.
func (r *Reader) Stats() Stats { return r.st }

// Next gives the next event, io.EOF at the end, a *ValueError for a value that was left out (call Next
// again), or another error if the input cannot be read on.
//
// The event and its Fields slice are used again by the next call; strings and list items are not, unless
// Options.Borrow says so, so a caller who keeps an event copies the struct and clones Fields. Strings share
// memory with the input around them: a caller who keeps few of them for long should clone those too.
func (r *Reader) Next() (*event.Event, error) {
	if r.end != nil {
		return nil, r.end
	}
	r.raw = nil
	start, err := r.seek()
	if err != nil {
		return nil, err
	}
	if r.opts.Borrow {
		r.scan.arena.reset()
	}
	if start != '{' {
		if start == '[' {
			return nil, r.bad(0, fmt.Errorf("an array in an array: %w", ErrNotObject))
		}
		return nil, r.bad(0, notObject(start))
	}
	n, err := r.value()
	if err != nil {
		return nil, err
	}
	if r.raw = r.in.rest()[:n]; r.scan.hints&odd != 0 {
		r.usual()
	}
	r.ev = event.Event{Source: r.opts.Source, Fields: r.ev.Fields[:0], Names: r.opts.Names, Rest: r.rest}
	if r.rest != nil {
		r.ev.Asked = r.scan.asked - 1
		if !r.scan.numbers {
			r.ev.Raw = alias(r.raw)
		}
	}
	r.ev.Record = r.scan.arena.decimal(r.line)
	r.names.name(&r.ev, &r.scan)
	r.st.Events++
	r.st.Replaced += r.scan.replaced
	r.st.DuplicateKeys += r.scan.duplicates
	r.advance(n)
	return &r.ev, nil
}

// usual reads an object of an odd shape in a usual one. What is counted of it is counted as it was written.
func (r *Reader) usual() {
	raw, ok := rewrite(r.raw, r.scan.hints)
	if !ok {
		return
	}
	replaced, duplicates := r.scan.replaced, r.scan.duplicates
	if _, err := r.scan.object(raw); err != nil { // it is over a limit in that shape
		r.scan.object(r.raw)
		return
	}
	r.raw = raw
	r.scan.replaced, r.scan.duplicates = replaced, duplicates
}

// whole is event.Event.Rest: it gives ev all fields of the object at hand.
func (r *Reader) whole(ev *event.Event) {
	if r.full == nil {
		r.full = &whole{names: namer{want: r.opts.Names}}
		r.full.scan.init(r.opts.MaxDepth, r.opts.MaxFields)
	}
	f := r.full
	if r.opts.Borrow {
		f.scan.arena.reset()
		f.ev.Fields = f.ev.Fields[:0]
	} else {
		f.ev.Fields = nil // they may be kept, as those of the event
	}
	if _, err := f.scan.object(r.raw); err != nil {
		return // it has been read once; a reader that is not at this event any more has nothing to give
	}
	f.names.name(&f.ev, &f.scan)
	ev.Fields, ev.Rest = f.ev.Fields, nil
}

func notObject(c byte) error {
	if c == '"' || c == '-' || c == 't' || c == 'f' || c == 'n' || '0' <= c && c <= '9' {
		return fmt.Errorf("a value that starts with %q: %w", c, ErrNotObject)
	}
	return fmt.Errorf("a value cannot start with %q: %w", c, ErrSyntax)
}

// seek goes to the next value and gives its first byte.
func (r *Reader) seek() (byte, error) {
	for {
		rest := r.in.rest()
		i := 0
		for i < len(rest) && isGap(rest[i]) {
			i++
		}
		r.advance(i)
		rest = rest[i:]
		if len(rest) == 0 {
			if err := r.in.fill(0); err == nil {
				continue
			} else if !errors.Is(err, io.EOF) {
				r.end = fmt.Errorf("reading: %w", err)
				return 0, r.end
			}
			r.end = io.EOF
			if r.array {
				r.array = false
				return 0, r.fault(0, fmt.Errorf("the array is not closed: %w", ErrTruncated))
			}
			return 0, io.EOF
		}
		switch c := rest[0]; {
		case c == '[' && !r.array:
			r.array = true
		case c == ']' && r.array:
			r.array = false
		case c == ',' && r.array:
		case c == bom[0] && bytes.HasPrefix(rest, bom):
			r.advance(len(bom) - 1)
		case c == bom[0] && len(rest) < len(bom) && bytes.HasPrefix(bom, rest):
			if err := r.in.fill(0); err != nil {
				return c, nil
			}
			continue
		default:
			return c, nil
		}
		r.advance(1)
	}
}

// isGap tells what may stand between values. NULs do where a machine lost power while it wrote.
func isGap(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0 }

// value scans the object at the position and gives its length.
func (r *Reader) value() (int, error) {
	for {
		rest := r.in.rest()
		n, err := r.scan.object(rest)
		long := n > r.opts.MaxValueBytes || err == errIncomplete && len(rest) > r.opts.MaxValueBytes
		switch {
		case long:
			return 0, r.bad(r.opts.MaxValueBytes, fmt.Errorf("more than %d bytes: %w", r.opts.MaxValueBytes, ErrTooLong))
		case err == nil:
			return n, nil
		case err != errIncomplete:
			return 0, r.bad(n, err)
		}
		err = r.more(len(rest))
		switch {
		case err == nil || len(r.in.rest()) > len(rest):
		case errors.Is(err, io.EOF):
			return 0, r.bad(len(rest), fmt.Errorf("inside a value: %w", ErrTruncated))
		default:
			r.end = fmt.Errorf("reading: %w", err)
			return 0, r.end
		}
	}
}

// more reads until trying again makes sense: the value is complete by its brackets, or twice as much is
// there. So a value that arrives in tiny pieces is not scanned for each of them, and a broken one is
// still noticed before the limit.
func (r *Reader) more(tried int) error {
	var s skipper
	seen := 0
	for {
		if err := r.in.fill(tried); err != nil {
			return err
		}
		rest := r.in.rest()
		if s.balanced(rest[seen:]) || len(rest) >= 2*tried || len(rest) > r.opts.MaxValueBytes {
			return nil
		}
		seen = len(rest)
	}
}

// bad reports a fault at bytes behind the position, and goes to where the next value may start.
func (r *Reader) bad(at int, err error) error {
	fault := r.fault(at, err)
	if err := r.resync(); err != nil && !errors.Is(err, io.EOF) {
		r.end = fmt.Errorf("reading: %w", err)
	}
	return fault
}

func (r *Reader) fault(at int, err error) *ValueError {
	r.st.Errors++
	rest := r.in.rest()
	at = min(at, len(rest))
	lines := int64(bytes.Count(rest[:at], newline))
	return &ValueError{Record: r.line, Line: r.line + lines, Offset: r.st.Bytes + int64(at), Err: err}
}

// advance consumes n bytes.
func (r *Reader) advance(n int) {
	b := r.in.rest()[:n]
	r.in.pos += n
	r.st.Bytes += int64(n)
	// Most values are on one line, and IndexByte is many times faster than LastIndexByte.
	if bytes.IndexByte(b, '\n') >= 0 {
		i := bytes.LastIndexByte(b, '\n')
		r.line += int64(bytes.Count(b[:i], newline)) + 1
		r.indent, r.lead = 0, true
		b = b[i+1:]
	}
	for ; r.lead && len(b) > 0; b = b[1:] {
		if r.lead = b[0] == ' ' || b[0] == '\t'; r.lead {
			r.indent++
		}
	}
}

var newline = []byte{'\n'}
