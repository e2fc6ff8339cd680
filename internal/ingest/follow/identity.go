package follow

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"shieldwall/internal/decode/auditd"
)

const (
	// printSize is how many bytes a fingerprint covers at most.
	printSize = 1 << 10
	// evtxPrint is where an EVTX file's fingerprint starts: its first record, behind the headers of file
	// and chunk, which change with every record.
	evtxPrint = 4096 + 512
	// maxIdent bounds a stored identity, in bytes: a header, the acts of an audit log that are open, and the rest.
	maxIdent = 256 << 10
	// maxHeader bounds the header that is stored, in bytes; a longer one is read anew at the file's start.
	maxHeader = 16 << 10
	// maxOpen bounds what is open: acts, one that is being given out, and a line.
	maxOpen = auditd.MaxPending + 2
)

// fingerprint is the SHA-256 of a few bytes.
type fingerprint struct {
	N   int64  `json:"n"`
	Sum string `json:"sum"`
}

// mark is what tells a file from others, and how far it was read beside the offset. It is stored as JSON
// in the place of an ident.
type mark struct {
	Version int  `json:"v"`
	Kind    kind `json:"kind"`
	// Node is the file's place on its disk; empty where the platform has none to offer.
	Node string `json:"node"`
	// Head covers the file's start as it was when it was first read, Tail what stands before the end of what was
	// read.
	Head fingerprint `json:"head"`
	Tail fingerprint `json:"tail"`
	// Line is the number of lines before the offset; of events in XML.
	Line int64 `json:"line"`
	// Record is the highest record id read and Modified the file's time then, in nanoseconds; EVTX only.
	Record   uint64 `json:"record"`
	Modified int64  `json:"modified"`

	// Ahead is how much behind the offset was read as well, in bytes. Of that, what starts at Open was not given
	// out whole; the offset is where the first such thing starts.
	Ahead int64  `json:"ahead,omitempty"`
	Open  []open `json:"open,omitempty"`
	// Skipping says that what was read ends within a line that is too long.
	Skipping bool `json:"skipping,omitempty"`
	// Header is that of Zeek's which holds there.
	Header string `json:"header,omitempty"`
	// Of is the source of which the file was rotated away.
	Of string `json:"of,omitempty"`
}

// open is something that was read and not given out whole.
type open struct {
	At    int64 `json:"at"` // from the offset
	Given int   `json:"given,omitempty"`
}

const markVersion = 1

func (m mark) String() string {
	m.Version = markVersion
	b, err := json.Marshal(m)
	if err != nil {
		return "" // a struct of numbers and texts is always written
	}
	return string(b)
}

// parseMark reads what String wrote, strictly.
func parseMark(s string) (mark, error) {
	var m mark
	if len(s) > maxIdent {
		return m, fmt.Errorf("identity of %d bytes, at most %d are read", len(s), maxIdent)
	}
	d := json.NewDecoder(bytes.NewReader([]byte(s)))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return mark{}, fmt.Errorf("reading the identity of a file: %w", err)
	}
	switch {
	case m.Version != markVersion:
		return mark{}, fmt.Errorf("identity of version %d, want %d", m.Version, markVersion)
	case !m.Kind.followed():
		return mark{}, fmt.Errorf("identity of unknown kind %q", m.Kind)
	case !m.Head.valid() || !m.Tail.valid() || m.Line < 0 || len(m.Header) > maxHeader || !m.opened():
		return mark{}, errors.New("identity with impossible values")
	case m.String() != s:
		return mark{}, errors.New("identity is not in its one form")
	}
	return m, nil
}

// opened says whether Ahead and Open are possible.
func (m mark) opened() bool {
	if len(m.Open) == 0 {
		return m.Ahead == 0
	}
	last := int64(-1)
	for _, o := range m.Open {
		if o.At <= last || o.Given < 0 {
			return false
		}
		last = o.At
	}
	return m.Kind.joined() && m.Open[0].At == 0 && last < m.Ahead && len(m.Open) <= maxOpen
}

func (p fingerprint) valid() bool {
	sum, err := hex.DecodeString(p.Sum)
	return err == nil && len(sum) == sha256.Size && p.N >= 0 && p.N <= printSize
}

// printOf takes the fingerprint of n bytes at an offset; fewer are an error.
func printOf(f io.ReaderAt, at, n int64) (fingerprint, error) {
	buf := make([]byte, n)
	if got, err := f.ReadAt(buf, at); int64(got) < n {
		return fingerprint{}, fmt.Errorf("reading %d bytes at %d: %w", n, at, err)
	}
	sum := sha256.Sum256(buf)
	return fingerprint{n, hex.EncodeToString(sum[:])}, nil
}

// holds says whether a file still has these bytes at an offset. A file that became shorter does not.
func (p fingerprint) holds(f io.ReaderAt, at int64) (bool, error) {
	now, err := printOf(f, at, p.N)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil && now == p, err
}

// headAt is where the head's fingerprint lies.
func (m *mark) headAt() int64 {
	if m.Kind == kindEVTX {
		return evtxPrint
	}
	return 0
}

// alike says whether a file has the content that the mark describes, up to an offset.
func (m *mark) alike(f *os.File, offset int64) (bool, error) {
	ok, err := m.Head.holds(f, m.headAt())
	if !ok || err != nil || m.Kind == kindEVTX {
		return ok, err
	}
	return m.Tail.holds(f, offset+m.Ahead-m.Tail.N)
}

// renew takes the fingerprints for an offset; Ahead is set.
func (m *mark) renew(f *os.File, size, offset int64) (err error) {
	// The head is taken as long as the file is shorter than a fingerprint, and never again: what stood
	// there has been read.
	if at := m.headAt(); m.Head.N < printSize {
		if m.Head, err = printOf(f, at, max(0, min(printSize, size-at))); err != nil {
			return err
		}
	}
	if m.Kind == kindEVTX {
		offset = 0
	}
	end := offset + m.Ahead
	n := min(printSize, end)
	m.Tail, err = printOf(f, end-n, n)
	return err
}
