package jsonl

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

var (
	bom   = []byte{0xef, 0xbb, 0xbf}
	bomLE = []byte{0xff, 0xfe}
	bomBE = []byte{0xfe, 0xff}
)

// decodeBOM looks for a byte order mark at the first read and turns UTF-16 into UTF-8. Without one the
// input is UTF-8 (RFC 8259, section 8.1).
func decodeBOM(r io.Reader, replaced *int64) io.Reader {
	return &bomReader{src: r, replaced: replaced}
}

type bomReader struct {
	src      io.Reader
	replaced *int64
	head     [2]byte
	got      int  // how much of head was read
	given    int  // and handed on
	started  bool // the head is known
}

func (b *bomReader) Read(p []byte) (int, error) {
	if !b.started {
		n, err := b.src.Read(b.head[b.got:])
		if b.got += n; b.got < len(b.head) && err == nil {
			return 0, nil
		}
		b.started = true
		if h := b.head[:b.got]; bytes.Equal(h, bomLE) || bytes.Equal(h, bomBE) {
			b.given = b.got
			b.src = &utf16Reader{src: bufio.NewReader(b.src), big: h[0] == bomBE[0], replaced: b.replaced}
		}
		if err != nil {
			// It came with the last bytes; the source need not say it again.
			b.src = errReader{err}
		}
	}
	if b.given < b.got {
		n := copy(p, b.head[b.given:b.got])
		b.given += n
		return n, nil
	}
	return b.src.Read(p)
}

// errReader repeats an error.
type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

// utf16Reader turns UTF-16 into UTF-8; what is no character becomes U+FFFD and is counted.
type utf16Reader struct {
	src      *bufio.Reader
	big      bool
	replaced *int64
	pending  []byte // UTF-8 that did not fit
	high     rune   // a high surrogate that waits for its other half, or 0
	err      error
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	n := copy(p, u.pending)
	u.pending = u.pending[n:]
	for n < len(p) && u.err == nil {
		// Give what there is rather than wait for more: the input may be a live stream.
		if n > 0 && u.src.Buffered() < 2 {
			break
		}
		var unit [2]byte
		if _, err := io.ReadFull(u.src, unit[:]); err != nil {
			u.finish(err)
		} else if u.big {
			u.unit(rune(unit[0])<<8 | rune(unit[1]))
		} else {
			u.unit(rune(unit[1])<<8 | rune(unit[0]))
		}
		k := copy(p[n:], u.pending)
		n, u.pending = n+k, u.pending[k:]
	}
	if n == 0 && len(p) > 0 {
		return 0, u.err
	}
	return n, nil
}

// unit takes one UTF-16 unit and puts what it completes into pending.
func (u *utf16Reader) unit(c rune) {
	if u.high != 0 {
		high := u.high
		u.high = 0
		if r := utf16.DecodeRune(high, c); r != utf8.RuneError {
			u.pending = utf8.AppendRune(u.pending, r)
			return
		}
		u.replace()
	}
	switch {
	case 0xd800 <= c && c < 0xdc00:
		u.high = c
	case utf16.IsSurrogate(c):
		u.replace()
	default:
		u.pending = utf8.AppendRune(u.pending, c)
	}
}

func (u *utf16Reader) replace() {
	*u.replaced++
	u.pending = utf8.AppendRune(u.pending, utf8.RuneError)
}

// finish takes the end of the input: half a character is one that is lost.
func (u *utf16Reader) finish(err error) {
	if u.high != 0 {
		u.high = 0
		u.replace()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		u.replace()
		err = io.EOF
	}
	u.err = err
}
