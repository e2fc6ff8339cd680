package stix

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// window is the part of a document that is in memory: everything since the mark. It finds where a value ends by
// its brackets and quotes alone; what is between them is checked afterwards.
type window struct {
	r      io.Reader
	buf    []byte
	from   int // the mark: bytes before it may be dropped
	pos    int // the next byte
	end    int // the end of what has been read
	base   int64
	eof    bool
	whole  bool  // buf is the whole document and stays
	limit  int64 // of the document
	object int   // most bytes between mark and end

	lines, counted int // line ends before buf[counted]
}

func (w *window) offset() int64 { return w.base + int64(w.pos) }

func (w *window) fail(msg string) error {
	return &SyntaxError{Offset: w.offset(), Line: w.line(w.pos), Msg: msg}
}

// over is fail where a limit of ours is passed.
func (w *window) over(format string, limit any) error {
	return &SyntaxError{Offset: w.offset(), Line: w.line(w.pos), Msg: fmt.Sprintf(format, limit), Limit: true}
}

// line is the line of buf[pos], from 1.
func (w *window) line(pos int) int {
	if pos >= w.counted {
		w.lines += bytes.Count(w.buf[w.counted:pos], []byte{'\n'})
	} else {
		w.lines -= bytes.Count(w.buf[pos:w.counted], []byte{'\n'})
	}
	w.counted = pos
	return w.lines + 1
}

// mark lets everything before the next byte go.
func (w *window) mark() { w.from = w.pos }

// marked is what was read since the mark.
func (w *window) marked() []byte { return w.buf[w.from:w.pos] }

// firstBuffer is enough for most objects.
const firstBuffer = 64 << 10

// emptyReads is how many reads without bytes and without error are taken as a broken reader.
const emptyReads = 100

// fill reads more; io.EOF says that there is nothing more.
func (w *window) fill() error {
	if w.eof {
		return io.EOF
	}
	if w.from > 0 {
		w.line(max(w.from, w.counted))
		w.counted -= w.from
		copy(w.buf, w.buf[w.from:w.end])
		w.base += int64(w.from)
		w.pos -= w.from
		w.end -= w.from
		w.from = 0
	}
	if w.end == len(w.buf) {
		if w.end > w.object {
			return w.over("object larger than %d bytes", w.object)
		}
		bigger := make([]byte, max(firstBuffer, 2*len(w.buf)))
		copy(bigger, w.buf[:w.end])
		w.buf = bigger
	}
	for range emptyReads {
		n, err := w.r.Read(w.buf[w.end:])
		w.end += n
		if w.base+int64(w.end) > w.limit {
			return w.over("document larger than %d bytes", w.limit)
		}
		if errors.Is(err, io.EOF) {
			w.eof = true
			err = nil
		}
		if err != nil {
			return fmt.Errorf("reading STIX at byte %d: %w", w.base+int64(w.end), err)
		}
		if n > 0 {
			return nil
		}
		if w.eof {
			return io.EOF
		}
	}
	return io.ErrNoProgress
}

func (w *window) skipBOM() error {
	bom := []byte("\ufeff")
	for w.end-w.pos < len(bom) {
		if err := w.fill(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	if bytes.HasPrefix(w.buf[w.pos:w.end], bom) {
		w.pos += len(bom)
	}
	return nil
}

// next passes white space and gives the byte behind it, which is not taken.
func (w *window) next() (byte, error) {
	for {
		for w.pos < w.end {
			if c := w.buf[w.pos]; !isSpace(c) {
				return c, nil
			}
			w.pos++
		}
		if err := w.fill(); err != nil {
			return 0, err
		}
	}
}

// want is next where the document may not end.
func (w *window) want(what string) (byte, error) {
	c, err := w.next()
	if errors.Is(err, io.EOF) {
		return 0, w.fail("the text ends where " + what + " should be")
	}
	return c, err
}

// more makes at least one unread byte available inside a value.
func (w *window) more() error {
	if w.pos < w.end {
		return nil
	}
	err := w.fill()
	if errors.Is(err, io.EOF) {
		return w.fail("the text ends inside a value")
	}
	return err
}

// skipValue passes one value.
func (w *window) skipValue(depth int) error {
	switch w.buf[w.pos] {
	case '"':
		return w.skipString()
	case '{', '[':
		return w.skipNested(depth)
	}
	return w.skipScalar()
}

func (w *window) skipNested(most int) error {
	for depth := 0; ; {
		if err := w.more(); err != nil {
			return err
		}
		switch w.buf[w.pos] {
		case '"':
			if err := w.skipString(); err != nil {
				return err
			}
			continue
		case '{', '[':
			if depth++; depth > most {
				return w.over("nested deeper than %d", most)
			}
		case '}', ']':
			if depth--; depth == 0 {
				w.pos++
				return w.sized()
			}
		}
		w.pos++
	}
}

// sized refuses a value that is longer than an object may be.
func (w *window) sized() error {
	if w.pos-w.from > w.object {
		return w.over("object larger than %d bytes", w.object)
	}
	return nil
}

func (w *window) skipString() error {
	w.pos++
	for {
		if err := w.more(); err != nil {
			return err
		}
		rest := w.buf[w.pos:w.end]
		quote := bytes.IndexByte(rest, '"')
		if quote >= 0 {
			rest = rest[:quote]
		}
		escape := bytes.IndexByte(rest, '\\')
		switch {
		case escape >= 0:
			w.pos += escape + 1
		case quote >= 0:
			w.pos += quote + 1
			return nil
		default:
			w.pos = w.end
			continue
		}
		if err := w.more(); err != nil {
			return err
		}
		w.pos++ // the escaped character; \uXXXX holds neither quote nor backslash
	}
}

func (w *window) skipScalar() error {
	start := w.pos - w.from
	for {
		if w.pos == w.end {
			if err := w.fill(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return err
			}
		}
		if c := w.buf[w.pos]; isSpace(c) || c == ',' || c == '}' || c == ']' || c == ':' || c == '"' || c == '{' || c == '[' {
			break
		}
		w.pos++
	}
	if w.pos-w.from == start {
		return w.fail("not a JSON value")
	}
	return nil
}
