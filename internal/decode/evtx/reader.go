// Package evtx reads Windows event logs (EVTX, format 3.1 and 3.2) straight from their binary XML
// into events: templates are compiled once into short programs, and each record only fills slots.
//
// The format is described in [MS-EVEN6] section 2.2.12 (binary XML grammar) and in the libevtx
// project's "Windows XML Event Log (EVTX) format" (file, chunk and record layout); comments cite
// them as MS-EVEN6 and EVTX.
//
// Field names are Sigma's (see names.go). Values are spelled as Windows renders them: integers in
// decimal, GUIDs in braces and capitals, hexadecimal types as 0x with small letters, binary as
// capitals without separators, FILETIME as RFC 3339 with seven fractional digits in UTC.
//
// A log is hostile input. Every offset is checked against the chunk, work and output are bounded
// for each record and each chunk (limits.go), and whatever cannot be read is reported as a Problem
// while reading goes on.
package evtx

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"shieldwall/internal/event"
)

// Errors that a Problem or a return value may wrap.
var (
	// ErrNotEVTX says that the file does not start with an EVTX header.
	ErrNotEVTX = errors.New("not an EVTX file")
	// ErrChecksum says that a stored CRC-32 does not fit the bytes.
	ErrChecksum = errors.New("checksum mismatch")
	// ErrTruncated says that the file or a chunk ends early.
	ErrTruncated = errors.New("truncated")
	// ErrFormat says that bytes break the format.
	ErrFormat = errors.New("malformed")
	// ErrLimit says that a record or chunk asks for more than the limits allow.
	ErrLimit = errors.New("over a limit")
)

// Problem is something in the file that could not be read, or not be trusted.
type Problem struct {
	// Offset is the position in the file, in bytes.
	Offset int64
	// Chunk is the zero-based chunk number, or -1 for the file header.
	Chunk int
	// Record is the record id, or 0 where it is unknown or the problem concerns the chunk.
	Record uint64
	// Err wraps one of the package's errors.
	Err error
}

// Error describes the problem with its place.
func (p Problem) Error() string {
	switch {
	case p.Chunk < 0:
		return fmt.Sprintf("file header: %v", p.Err)
	case p.Record != 0:
		return fmt.Sprintf("chunk %d, record %d at byte %d: %v", p.Chunk, p.Record, p.Offset, p.Err)
	}
	return fmt.Sprintf("chunk %d at byte %d: %v", p.Chunk, p.Offset, p.Err)
}

// Unwrap gives the cause.
func (p Problem) Unwrap() error { return p.Err }

// Stats counts what a Read met.
type Stats struct {
	// Bytes of the file that were read.
	Bytes int64
	// Chunks with records or damage; EmptyChunks are allocated and unused.
	Chunks, EmptyChunks int
	// Events that were yielded.
	Events int
	// Problems that were reported.
	Problems int
}

// Options say how to read.
type Options struct {
	// Source is copied to every event.
	Source string
	// OnProblem is called for each problem, on the goroutine of Read; nil only counts them.
	OnProblem func(Problem)

	// Names numbers the fields of events; see event.Field.
	Names *event.Names
	// Sparse leaves out fields whose names are not in Names; event.Event.Rest gives all of them. Limits of a
	// record count what is taken apart.
	Sparse bool
	// Borrow uses the memory of one event for the next: its strings are then gone, too.
	Borrow bool
}

// Reader decodes one file.
type Reader struct {
	r    io.ReaderAt
	size int64
	opts Options
	st   Stats
}

// New makes a reader of size bytes of r. It reads nothing yet.
func New(r io.ReaderAt, size int64, opts Options) *Reader {
	return &Reader{r: r, size: size, opts: opts}
}

// Read decodes the whole file and calls yield for every event, in file order.
//
// The event and its Fields slice are used again after yield returns; strings and list items are
// not, unless Options.Borrow says so, so a caller who keeps an event copies the struct and clones Fields. Strings of one chunk
// share memory: a caller who keeps few of them for long should clone those too.
//
// The error is ErrNotEVTX (there is neither a file header nor a chunk where the first one stands), a read error of the file header, or what yield returned (which ends the
// reading). Everything else is a Problem.
func (r *Reader) Read(yield func(*event.Event) error) (Stats, error) {
	r.st = Stats{}
	first, err := r.header()
	if err != nil {
		return r.st, err
	}
	d := newDecoder(r.opts)
	buf := make([]byte, chunkSize)
	for i, off := 0, first; off < r.size; i, off = i+1, off+chunkSize {
		n := int(min(chunkSize, r.size-off))
		got, err := r.r.ReadAt(buf[:n], off)
		r.st.Bytes += int64(got)
		if got < n && err != nil && !errors.Is(err, io.EOF) {
			r.report(Problem{Offset: off, Chunk: i, Err: fmt.Errorf("reading the chunk: %w", err)})
			continue
		}
		c := chunk{reader: r, dec: d, data: buf[:got], at: off, index: i}
		if err := c.read(yield); err != nil {
			return r.st, err
		}
	}
	return r.st, nil
}

// header checks the file header and gives the offset of the first chunk.
// Nothing but the signature is needed to read on, so all else is only reported: a dirty file (one
// copied from a running machine) has a stale chunk count, which is why the count is not even read.
func (r *Reader) header() (int64, error) {
	var h [fileHeaderSize]byte
	n, err := r.r.ReadAt(h[:], 0)
	r.st.Bytes += int64(n)
	if n < len(fileMagic) || string(h[:len(fileMagic)]) != fileMagic {
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("reading the file header: %w", err)
		}
		return r.headless(h[:n])
	}
	if n < fileHeaderSize {
		r.report(Problem{Chunk: -1, Err: fmt.Errorf("file header: %w", ErrTruncated)})
		return r.size, nil
	}
	if crc32(h[:120]) != le32(h[124:]) {
		r.report(Problem{Chunk: -1, Err: fmt.Errorf("file header: %w", ErrChecksum)})
		return defaultHeaderBlock, nil
	}
	block := int64(le16(h[40:]))
	if block < fileHeaderSize {
		r.report(Problem{Chunk: -1, Err: fmt.Errorf("header block of %d bytes: %w", block, ErrFormat)})
		block = defaultHeaderBlock
	}
	return block, nil
}

// headless finds the first chunk of a log whose file header is lost: an overwritten header leaves the chunks as
// they were, and what is carved out of a disk starts with one.
func (r *Reader) headless(start []byte) (int64, error) {
	var magic [len(chunkMagic)]byte
	n, _ := r.r.ReadAt(magic[:], defaultHeaderBlock)
	first := int64(defaultHeaderBlock)
	switch {
	case bytes.HasPrefix(start, []byte(chunkMagic)):
		first = 0
	case string(magic[:n]) != chunkMagic:
		return 0, ErrNotEVTX
	}
	r.report(Problem{Chunk: -1, Err: fmt.Errorf("no signature, but chunks from byte %d on: %w", first, ErrFormat)})
	return first, nil
}

func (r *Reader) report(p Problem) {
	r.st.Problems++
	if r.opts.OnProblem != nil {
		r.opts.OnProblem(p)
	}
}
