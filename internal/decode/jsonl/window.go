package jsonl

import (
	"io"
	"strconv"
	"unsafe"
)

// blockSize is how much is read at once.
const blockSize = 256 << 10

// maxEmptyReads is how often a source may give neither bytes nor an error.
const maxEmptyReads = 100

// window is the part of the input at hand. Its blocks are only ever appended to, never overwritten:
// strings of events are slices of them, and the garbage collector frees a block after its last string.
type window struct {
	src io.Reader
	// borrow: nobody keeps strings of events that were handed out, so that a block is used again.
	borrow bool
	buf    []byte
	pos    int // what is before was consumed
	err    error
}

func (w *window) rest() []byte { return w.buf[w.pos:] }

// fill adds bytes behind the rest, at least one or an error. Where a new block is needed, it has room
// for another want bytes, so that a long value is copied a bounded number of times.
func (w *window) fill(want int) error {
	if w.err != nil {
		return w.err
	}
	if rest := w.rest(); w.borrow && len(w.buf) == cap(w.buf) && len(rest) <= w.pos && cap(w.buf)-len(rest) >= want {
		w.buf = w.buf[:copy(w.buf, rest)]
		w.pos = 0
	}
	if len(w.buf) == cap(w.buf) {
		rest := w.rest()
		grown := make([]byte, len(rest), len(rest)+max(blockSize, want))
		copy(grown, rest)
		w.buf, w.pos = grown, 0
	}
	for range maxEmptyReads {
		n, err := w.src.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+n]
		if err != nil {
			w.err = err
		}
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	w.err = io.ErrNoProgress
	return w.err
}

// arena hands out strings that share large allocations. Memory is written once, before its string
// exists, and never again.
type arena struct{ free, block []byte }

const arenaBlock = 64 << 10

// reserve gives an empty slice with room for n bytes.
func (a *arena) reserve(n int) []byte {
	if cap(a.free) < n {
		a.block = make([]byte, 0, max(arenaBlock, n))
		a.free = a.block
	}
	return a.free
}

// reset uses the memory again: no string of it is alive any more.
func (a *arena) reset() { a.free = a.block }

// commit takes what was appended to a reserved slice.
func (a *arena) commit(b []byte) string {
	a.free = b[len(b):len(b):cap(b)]
	return alias(b)
}

func (a *arena) decimal(v int64) string {
	return a.commit(strconv.AppendInt(a.reserve(20), v, 10))
}

// alias makes a string of bytes that will not change.
func alias(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}
