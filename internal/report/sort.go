package report

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// A timeline is sorted in bounded memory: what outgrows it goes to a scratch file as a sorted run, and runs are
// merged in the end.
const (
	// maxRows and maxText bound the rows, and their bytes, that are in memory.
	maxRows = 50_000
	maxText = 32 << 20
	// maxRuns bounds a timeline: 200 million rows.
	maxRuns = 4096
	// mergeMemory is for the buffers before all runs; one has at least minBuffer, at most maxBuffer.
	mergeMemory = 16 << 20
	minBuffer   = mergeMemory / maxRuns
	maxBuffer   = 64 << 10
)

// limits bound a sorter.
type limits struct{ rows, text, runs int }

// sorter sorts rows by time; rows of one time keep the order in which they came. A row is written to buf, then
// added.
type sorter struct {
	limits
	scratch func() (Scratch, error)
	buf     bytes.Buffer
	list    []row
	ended   int // where the last row that was added ends

	file Scratch
	size int64   // of file
	ends []int64 // where each run ends in file
}

// row is a row in memory, or at the front of a run.
type row struct {
	key
	at, size int
}

// key is a row's time. The zero time is after all others.
type key struct {
	seconds int64
	nanos   uint32
}

func keyOf(at time.Time) key {
	if at.IsZero() {
		return key{seconds: math.MaxInt64}
	}
	return key{at.Unix(), uint32(at.Nanosecond())}
}

func (k key) compare(o key) int {
	return cmp.Or(cmp.Compare(k.seconds, o.seconds), cmp.Compare(k.nanos, o.nanos))
}

// add adds what has been written to buf since the last row.
func (s *sorter) add(at time.Time) error {
	s.list = append(s.list, row{keyOf(at), s.ended, s.buf.Len() - s.ended})
	if s.ended = s.buf.Len(); len(s.list) < s.rows && s.ended < s.text {
		return nil
	}
	return s.spill()
}

func (s *sorter) sort() {
	slices.SortStableFunc(s.list, func(a, b row) int { return a.compare(b.key) })
}

// headerSize is of a row's header in a run: seconds, nanoseconds, size of the text.
const headerSize = 8 + 4 + 4

// spill writes the rows in memory to the scratch file, as a run.
func (s *sorter) spill() error {
	if len(s.ends) == s.runs {
		return fmt.Errorf("a timeline has at most %d rows; narrow the scan, or write JSON lines", s.runs*s.rows)
	}
	if s.file == nil {
		if s.scratch == nil {
			return errors.New("the timeline has outgrown memory, and there is no scratch file")
		}
		var err error
		if s.file, err = s.scratch(); err != nil {
			return fmt.Errorf("a scratch file for sorting: %w", err)
		}
	}
	s.sort()
	out := bufio.NewWriterSize(s.file, outBuffer)
	var header [headerSize]byte
	for _, r := range s.list {
		binary.BigEndian.PutUint64(header[:], uint64(r.seconds))
		binary.BigEndian.PutUint32(header[8:], r.nanos)
		binary.BigEndian.PutUint32(header[12:], uint32(r.size))
		out.Write(header[:])
		out.Write(s.buf.Bytes()[r.at : r.at+r.size])
		s.size += int64(headerSize + r.size)
	}
	if err := out.Flush(); err != nil { // a bufio.Writer keeps its first error
		return fmt.Errorf("a scratch file for sorting: %w", err)
	}
	s.ends = append(s.ends, s.size)
	s.list, s.ended = s.list[:0], 0
	if s.buf.Cap() > 2*s.text {
		s.buf = bytes.Buffer{} // one row was huge
		return nil
	}
	s.buf.Reset()
	return nil
}

// writeTo writes all rows in their order.
func (s *sorter) writeTo(out *bufio.Writer) error {
	if len(s.ends) == 0 {
		s.sort()
		for _, r := range s.list {
			if _, err := out.Write(s.buf.Bytes()[r.at : r.at+r.size]); err != nil {
				return err
			}
		}
		return nil
	}
	if len(s.list) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.list, s.buf = nil, bytes.Buffer{}
	return s.merge(out)
}

// run is a run that is being merged. Only its front's header is in memory, not its text: a row may be large.
type run struct {
	in    *bufio.Reader
	front row
	place int // among runs
}

// next reads the header of the run's next row.
func (r *run) next() error {
	var header [headerSize]byte
	if _, err := io.ReadFull(r.in, header[:]); err != nil {
		return err
	}
	r.front.key = key{int64(binary.BigEndian.Uint64(header[:])), binary.BigEndian.Uint32(header[8:])}
	r.front.size = int(binary.BigEndian.Uint32(header[12:]))
	return nil
}

func (s *sorter) merge(out *bufio.Writer) error {
	buffer := min(max(mergeMemory/len(s.ends), minBuffer), maxBuffer)
	runs, start := make(runHeap, 0, len(s.ends)), int64(0)
	for i, end := range s.ends {
		r := &run{in: bufio.NewReaderSize(io.NewSectionReader(s.file, start, end-start), buffer), place: i}
		if err := r.next(); err != nil {
			return fmt.Errorf("reading the scratch file: %w", err)
		}
		runs, start = append(runs, r), end
	}
	heap.Init(&runs)
	for len(runs) > 0 {
		first := runs[0]
		if _, err := io.CopyN(out, first.in, int64(first.front.size)); err != nil {
			return fmt.Errorf("merging the timeline: %w", err)
		}
		switch err := first.next(); {
		case errors.Is(err, io.EOF):
			heap.Pop(&runs)
		case err != nil:
			return fmt.Errorf("reading the scratch file: %w", err)
		default:
			heap.Fix(&runs, 0)
		}
	}
	return nil
}

// runHeap has the run with the first row on top; of equal ones, the earlier run.
type runHeap []*run

func (h runHeap) Len() int { return len(h) }
func (h runHeap) Less(i, j int) bool {
	return cmp.Or(h[i].front.compare(h[j].front.key), cmp.Compare(h[i].place, h[j].place)) < 0
}
func (h runHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)   { *h = append(*h, x.(*run)) }
func (h *runHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
