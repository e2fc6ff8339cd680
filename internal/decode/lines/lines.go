// Package lines cuts text into lines, each bounded: what the decoders of line formats stand on.
package lines

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the longest line, in bytes. RFC 5424 (6.1) lets a receiver cut at 2 KiB and an audit record has
// at most 8,970 bytes; an event written as XML or JSON into one line has more.
const MaxLine = 1 << 20

// ErrTooLong says that a line exceeds MaxLine.
var ErrTooLong = errors.New("line too long")

// Error reports one line that was left out.
type Error struct {
	// Line counts from 1.
	Line int64
	// Err says what is wrong.
	Err error
}

// Error describes the fault with its place.
func (e *Error) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Place is where a line stands in a text that is read piece by piece.
type Place struct {
	Line   int64 // from 1
	Offset int64 // of its first byte
}

// Open is something that was read and not given out whole.
type Open struct {
	Place     // of its first line
	Given int // events of it that were given out
}

// Reader gives one line after the other.
type Reader struct {
	in    *bufio.Reader
	long  []byte // a line that does not fit the buffer
	line  int64
	bytes int64
}

// New makes a reader. It reads nothing yet.
func New(r io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(r, 64<<10)} }

// Line is the number of the line that Next gave last, from 1.
func (r *Reader) Line() int64 { return r.line }

// Bytes counts what was consumed.
func (r *Reader) Bytes() int64 { return r.bytes }

// Next gives the next line without its end (LF or CRLF), good until the next call; io.EOF at the end; an
// *Error for a line that is too long, which is left out: call Next again.
func (r *Reader) Next() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	r.line++
	r.bytes += int64(len(line))
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.rest(line)
	}
	var long *Error
	switch {
	case errors.As(err, &long):
		return nil, err
	case err != nil && !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("reading: %w", err)
	case err != nil && len(line) == 0:
		r.line--
		return nil, io.EOF
	}
	if r.line == 1 {
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

// rest collects a line that is longer than the buffer, or skips it.
func (r *Reader) rest(start []byte) ([]byte, error) {
	r.long = append(r.long[:0], start...)
	for skipping := false; ; {
		part, err := r.in.ReadSlice('\n')
		r.bytes += int64(len(part))
		if !skipping && len(r.long)+len(part) > MaxLine {
			skipping = true
		}
		if !skipping {
			r.long = append(r.long, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		case skipping:
			return nil, &Error{r.line, fmt.Errorf("more than %d bytes: %w", MaxLine, ErrTooLong)}
		}
		return r.long, err
	}
}
