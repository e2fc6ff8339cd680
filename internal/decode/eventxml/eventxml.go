package eventxml

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"shieldwall/internal/event"
)

// Error reports one event that was left out. Reading went on behind it.
type Error struct {
	// Offset is where the event starts, in bytes of the input.
	Offset int64
	// Err says what is wrong.
	Err error
}

// Error describes the fault with its place.
func (e *Error) Error() string { return fmt.Sprintf("event at byte %d: %v", e.Offset, e.Err) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Stats counts what was read.
type Stats struct {
	Bytes          int64 // of input that were consumed
	Events, Errors int64 // given out; left out
}

// Options say how to read.
type Options struct {
	// Source is copied to every event.
	Source string
	// OnProblem is told each event that was left out.
	OnProblem func(*Error)
}

// Reader decodes one stream of events, in an <Events> or one after the other.
type Reader struct {
	in   io.Reader
	opts Options
	st   Stats
}

// New makes a reader. It reads nothing yet.
func New(r io.Reader, opts Options) *Reader { return &Reader{in: r, opts: opts} }

// Stats tells what was read so far.
func (r *Reader) Stats() Stats { return r.st }

// Read yields every event; an event may be used until yield returns. The error is yield's, or says that the
// input cannot be read on.
func (r *Reader) Read(yield func(*event.Event) error) error {
	in := bufio.NewScanner(r.in)
	in.Buffer(make([]byte, 0, 64<<10), MaxEvent+64<<10)
	var start int64
	in.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		skip, advance, token := cut(data, atEOF)
		start = r.st.Bytes + int64(skip)
		r.st.Bytes += int64(advance)
		return advance, token, nil
	})
	for in.Scan() {
		ev, err := Parse(in.Bytes())
		if err != nil {
			r.st.Errors++
			if r.opts.OnProblem != nil {
				r.opts.OnProblem(&Error{start, err})
			}
			continue
		}
		r.st.Events++
		ev.Source = r.opts.Source
		if ev.Record == "" {
			ev.Record = fmt.Sprint(r.st.Events + r.st.Errors)
		}
		if err := yield(ev); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	return nil
}

var (
	opening = []byte("<Event")
	closing = []byte("</Event>")
)

// cut finds the first event in data: from <Event to </Event>, or to the next <Event where that comes first,
// so that a broken event costs itself alone. skip is what stands before it. Where one is too long, or the
// input ends inside, what is there is the token: Parse says what is wrong.
func cut(data []byte, atEOF bool) (skip, advance int, token []byte) {
	skip = find(data, 0)
	if skip < 0 {
		if atEOF {
			return 0, len(data), nil
		}
		return 0, max(0, len(data)-len(opening)), nil
	}
	rest := data[skip:]
	next := find(rest, len(opening))
	until := rest
	if next >= 0 {
		until = rest[:next]
	}
	end := bytes.Index(until, closing)
	switch {
	case end >= 0:
		end += len(closing)
	case next >= 0:
		end = next
	case len(rest) > MaxEvent || atEOF:
		end = len(rest)
	default:
		return skip, skip, nil
	}
	return skip, skip + end, rest[:end]
}

// Cut finds the first event in the text of a log that goes on: skip is what stands before it, advance where to go
// on. Without a whole event it is nil, and what can hold no event may be passed over all the same.
func Cut(data []byte) (skip, advance int, event []byte) { return cut(data, false) }

// find gives the place of an <Event that is no <Events and no <EventData, or -1.
func find(data []byte, from int) int {
	for from < len(data) {
		i := bytes.Index(data[from:], opening)
		if i < 0 || from+i+len(opening) == len(data) {
			return -1
		}
		from += i
		switch data[from+len(opening)] {
		case '>', ' ', '\t', '\r', '\n':
			return from
		}
		from += len(opening)
	}
	return -1
}
