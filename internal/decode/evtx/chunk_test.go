package evtx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"shieldwall/internal/event"
)

// sample is a chunk of n records with ids from first on.
func sample(first, n uint64) *chunkBuilder {
	c := newChunk()
	for id := first; id < first+n; id++ {
		c.record(id, sampleRecord(fmt.Sprintf("cmd /c echo %d", id)))
	}
	return c
}

func ids(r result) []string {
	var out []string
	for _, e := range r.events {
		out = append(out, e.Record)
	}
	return out
}

func causes(r result) []error {
	var out []error
	for _, p := range r.problems {
		out = append(out, p.Err)
	}
	return out
}

// TestDamage damages a file of three chunks and says what must remain.
func TestDamage(t *testing.T) {
	const second = defaultHeaderBlock + chunkSize
	build := func() []byte { return file(sample(1, 3).bytes(), sample(4, 3).bytes(), sample(7, 3).bytes()) }
	starts := sample(4, 3).starts
	all := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}
	tests := []struct {
		name   string
		damage func(b []byte) []byte
		ids    []string
		errs   []error
	}{
		{"nothing", func(b []byte) []byte { return b }, all, nil},
		{"a chunk count that is too small", func(b []byte) []byte {
			b[42] = 1
			copy(b[124:], u32(crc32(b[:120])))
			return b
		}, all, nil},
		{"file header checksum", func(b []byte) []byte { b[20] ^= 1; return b }, all, []error{ErrChecksum}},
		{"header block size", func(b []byte) []byte {
			b[40], b[41] = 1, 0
			copy(b[124:], u32(crc32(b[:120])))
			return b
		}, all, []error{ErrFormat}},
		{"chunk header checksum", func(b []byte) []byte { b[second+124] ^= 1; return b }, all, []error{ErrChecksum}},
		{"records checksum", func(b []byte) []byte { b[second+52] ^= 1; return b }, all, []error{ErrChecksum}},
		{"no checksums wanted", func(b []byte) []byte { b[second+52] ^= 1; b[second+120] = chunkFlagNoCRC; return b }, all, nil},
		{"a chunk signature", func(b []byte) []byte { b[second] = 'x'; return b }, all, []error{ErrFormat}},
		{"free space beyond the chunk", func(b []byte) []byte {
			copy(b[second+48:], u32(chunkSize+1))
			copy(b[second+124:], u32(headerSum(b[second:])))
			return b
		}, all, []error{ErrFormat}},
		{"a whole chunk of noise", func(b []byte) []byte {
			for i := range chunkSize {
				b[second+i] = byte(i*7 + i>>8)
			}
			return b
		}, []string{"1", "2", "3", "7", "8", "9"}, []error{ErrFormat}},
		{"an unused chunk", func(b []byte) []byte { clear(b[second : second+chunkSize]); return b }, []string{"1", "2", "3", "7", "8", "9"}, nil},
		{"a header and the first record of zeros", func(b []byte) []byte { clear(b[second : second+starts[1]]); return b },
			[]string{"1", "2", "3", "7", "8", "9"}, []error{ErrFormat, ErrFormat, ErrFormat, ErrFormat}},
		{"one record's start", func(b []byte) []byte {
			b[second+starts[1]] = 0
			seal(b[second : second+chunkSize])
			return b
		}, []string{"1", "2", "3", "4", "6", "7", "8", "9"}, []error{ErrFormat}},
		{"one record's size", func(b []byte) []byte {
			copy(b[second+starts[1]+4:], u32(0xfffffff0))
			seal(b[second : second+chunkSize])
			return b
		}, []string{"1", "2", "3", "4", "6", "7", "8", "9"}, []error{ErrFormat}},
		{"one record's body", func(b []byte) []byte {
			b[second+starts[1]+recordHeaderSize+4] = 0x77
			seal(b[second : second+chunkSize])
			return b
		}, []string{"1", "2", "3", "4", "6", "7", "8", "9"}, []error{ErrFormat}},
		{"the last record's size copy", func(b []byte) []byte {
			b[second+int(le32(b[second+48:]))-4] ^= 8
			seal(b[second : second+chunkSize])
			return b
		}, []string{"1", "2", "3", "4", "5", "7", "8", "9"}, []error{ErrFormat}},
		{"the definition that all records use", func(b []byte) []byte {
			b[second+starts[0]+recordHeaderSize+4+10+templateHeader+4] = 0x77
			seal(b[second : second+chunkSize])
			return b
		}, []string{"1", "2", "3", "7", "8", "9"}, []error{ErrFormat, ErrFormat, ErrFormat}},
		{"a stale header, as a running machine leaves it", func(b []byte) []byte {
			copy(b[second+48:], u32(uint32(starts[1]))) // knows one record only
			return b
		}, all, []error{ErrChecksum}},
		{"older records behind a stale end", func(b []byte) []byte {
			c := sample(4, 3)
			used := len(c.b)
			c.record(1, sampleRecord("of an earlier life"))
			chunk := c.bytes()
			copy(chunk[48:], u32(uint32(used)))
			return append(slices.Clone(b[:second]), chunk...)
		}, []string{"1", "2", "3", "4", "5", "6"}, []error{ErrChecksum}},
		{"cut behind the file header", func(b []byte) []byte { return b[:defaultHeaderBlock] }, nil, nil},
		{"cut in a chunk header", func(b []byte) []byte { return b[:second+100] }, []string{"1", "2", "3"}, []error{ErrTruncated}},
		{"cut in a record", func(b []byte) []byte { return b[:second+starts[2]+50] }, []string{"1", "2", "3", "4", "5"}, []error{ErrTruncated}},
		{"cut in the slack", func(b []byte) []byte { return b[:second+chunkSize-100] }, []string{"1", "2", "3", "4", "5", "6"}, []error{ErrTruncated}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := readAll(t, tt.damage(build()))
			if !slices.Equal(ids(r), tt.ids) {
				t.Errorf("records %v, want %v", ids(r), tt.ids)
			}
			if len(r.problems) != len(tt.errs) || r.stats.Problems != len(tt.errs) {
				t.Fatalf("problems %v (%d counted), want %v", r.problems, r.stats.Problems, tt.errs)
			}
			for i, p := range r.problems {
				if !errors.Is(p, tt.errs[i]) {
					t.Errorf("problem %v, want %v", p, tt.errs[i])
				}
			}
		})
	}
}

// TestTruncationEverywhere cuts a file at every byte of its used part: every record that is whole
// comes out, none that is not.
func TestTruncationEverywhere(t *testing.T) {
	c := sample(1, 4)
	data := file(c.bytes())
	ends := append(slices.Clone(c.starts[1:]), len(c.b))
	for n := range defaultHeaderBlock + len(c.b) + 16 {
		cut := data[:n]
		if n < len(fileMagic) {
			if _, err := New(bytes.NewReader(cut), int64(n), Options{}).Read(nil); !errors.Is(err, ErrNotEVTX) {
				t.Fatalf("%d bytes: %v", n, err)
			}
			continue
		}
		r := readAll(t, cut)
		want := 0
		for _, end := range ends {
			if n >= defaultHeaderBlock+end {
				want++
			}
		}
		if len(r.events) != want {
			t.Fatalf("cut at %d: %d records, want %d: %v", n, len(r.events), want, r.problems)
		}
		if n > defaultHeaderBlock && len(r.problems) == 0 {
			t.Fatalf("cut at %d: no problem reported", n)
		}
	}
}

// TestFlippedBits flips bits in every byte of a chunk. Nothing may panic, and the records that the
// flip does not touch come out: all of them for a bit in one record's values.
func TestFlippedBits(t *testing.T) {
	c := sample(1, 3)
	data := file(c.bytes())
	for i := defaultHeaderBlock; i < defaultHeaderBlock+len(c.b); i++ {
		for _, bit := range []byte{0x01, 0xc0} {
			data[i] ^= bit
			if r := readAll(t, data); len(r.problems) == 0 && (i-defaultHeaderBlock < 120 || i-defaultHeaderBlock >= 124) {
				t.Fatalf("byte %d ^ %#x: unnoticed", i, bit)
			} else if at := i - defaultHeaderBlock; at >= c.starts[1] && len(r.events) < 2 {
				t.Fatalf("byte %d ^ %#x: only records %v left", i, bit, ids(r))
			}
			data[i] ^= bit
		}
	}
}

func TestNotEVTX(t *testing.T) {
	for _, s := range []string{"", "ElfFile", "ElfChn", "\x00 ElfChnk\x00 and more", "title: a rule"} {
		_, err := New(bytes.NewReader([]byte(s)), int64(len(s)), Options{}).Read(nil)
		if !errors.Is(err, ErrNotEVTX) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// TestHeadless reads logs whose file header is overwritten, and bare chunks as they are carved out of a disk.
func TestHeadless(t *testing.T) {
	c := sample(1, 3)
	log := file(c.bytes())
	for i := range defaultHeaderBlock {
		log[i] = 0
	}
	for name, data := range map[string][]byte{"overwritten": log, "carved": log[defaultHeaderBlock:]} {
		r := readAll(t, data)
		if want := []string{"1", "2", "3"}; !slices.Equal(ids(r), want) {
			t.Errorf("%s: records %v, want %v", name, ids(r), want)
		}
		if len(r.problems) != 1 || !errors.Is(r.problems[0], ErrFormat) || r.problems[0].Chunk != -1 {
			t.Errorf("%s: problems %v, want one of the file header", name, r.problems)
		}
	}
}

// failing is a disk with a bad sector.
type failing struct {
	io.ReaderAt
	from, to int64
	err      error
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off < f.to && off+int64(len(p)) > f.from {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(p, off)
}

func TestReadErrors(t *testing.T) {
	data := file(sample(1, 1).bytes(), sample(2, 1).bytes(), sample(3, 1).bytes())
	bad := errors.New("bad sector")
	at := int64(defaultHeaderBlock + chunkSize + 5)
	var problems []Problem
	opts := Options{OnProblem: func(p Problem) { problems = append(problems, p) }}
	st, err := New(failing{bytes.NewReader(data), at, at + 1, bad}, int64(len(data)), opts).Read(func(*event.Event) error { return nil })
	if err != nil || st.Events != 2 || len(problems) != 1 || !errors.Is(problems[0], bad) || problems[0].Chunk != 1 {
		t.Errorf("%v, %+v, %v", err, st, problems)
	}
	if _, err := New(failing{bytes.NewReader(data), 0, 1, bad}, int64(len(data)), Options{}).Read(nil); !errors.Is(err, bad) {
		t.Errorf("header: %v", err)
	}
}

func TestYieldEndsReading(t *testing.T) {
	data := file(sample(1, 3).bytes())
	stop := errors.New("stop")
	st, err := New(bytes.NewReader(data), int64(len(data)), Options{}).Read(func(e *event.Event) error {
		if e.Record == "2" {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || st.Events != 2 {
		t.Errorf("%v after %d events", err, st.Events)
	}
}
