package evtx

import (
	"bytes"
	"fmt"

	"shieldwall/internal/event"
)

// chunk reads the records of one chunk.
//
// Records are read even where a checksum is wrong or the header unusable: a log copied from a running
// machine has both, and dropping 64 KiB of evidence for one flipped bit would make flipping bits an
// evasion. Such a chunk is reported, and its records must look whole (the size at both ends) and be no
// leftovers (an id below the chunk's first).
type chunk struct {
	reader *Reader
	dec    *decoder
	data   []byte // as much as the file has
	at     int64  // offset in the file
	index  int

	// trusted: header and record bytes have the right checksums.
	trusted bool
	end     int // where the records end
	// oldest is the lowest record id that an untrusted chunk may hold.
	oldest uint64
}

func (c *chunk) report(at int, id uint64, err error) {
	c.reader.report(Problem{Offset: c.at + int64(at), Chunk: c.index, Record: id, Err: err})
}

// read yields the chunk's records; the error is yield's.
func (c *chunk) read(yield func(*event.Event) error) error {
	if allZero(c.data) {
		c.reader.st.EmptyChunks++
		return nil
	}
	c.reader.st.Chunks++
	if err := c.check(); err != nil {
		c.report(0, 0, err)
	}
	if !c.trusted && len(c.data) >= chunkHeaderSize+recordHeaderSize {
		// Behind the end of a chunk that was written anew lie records of an earlier round, whose
		// names and templates are gone. Their ids are lower than the first record's; the header's
		// first id counts too, in case it is the record's that is damaged.
		c.oldest = min(le64(c.data[24:]), le64(c.data[chunkHeaderSize+8:]))
	}
	c.dec.startChunk(c.data)
	for pos := chunkHeaderSize; ; {
		size, ok := c.recordAt(pos)
		if !ok {
			if pos = c.resync(pos); pos < 0 {
				return nil
			}
			continue
		}
		id := le64(c.data[pos+8:])
		ev, err := c.dec.record(id, pos, pos+size-4)
		if err != nil {
			c.report(pos, id, err)
		} else {
			c.reader.st.Events++
			if err := yield(ev); err != nil {
				return err
			}
		}
		pos += size
	}
}

// check judges the header and finds the end of the records (EVTX, "Chunk header").
func (c *chunk) check() error {
	c.end = len(c.data)
	if len(c.data) < chunkHeaderSize {
		return fmt.Errorf("%d bytes of a chunk header: %w", len(c.data), ErrTruncated)
	}
	h := c.data
	if string(h[:len(chunkMagic)]) != chunkMagic {
		return fmt.Errorf("no chunk signature: %w", ErrFormat)
	}
	if len(c.data) < chunkSize {
		return fmt.Errorf("%d of %d bytes of the chunk: %w", len(c.data), chunkSize, ErrTruncated)
	}
	free := int64(le32(h[48:]))
	noCRC := le32(h[120:])&chunkFlagNoCRC != 0
	if !noCRC && headerSum(h) != le32(h[124:]) {
		return fmt.Errorf("chunk header: %w", ErrChecksum)
	}
	if free < chunkHeaderSize || free > chunkSize {
		return fmt.Errorf("free space offset %d: %w", free, ErrFormat)
	}
	if !noCRC && crc32(h[chunkHeaderSize:free]) != le32(h[52:]) {
		return fmt.Errorf("chunk records: %w", ErrChecksum)
	}
	c.trusted, c.end = true, int(free)
	return nil
}

// headerSum is the checksum of a chunk header: all of it but the flags and the checksum.
func headerSum(h []byte) uint32 {
	var b [chunkHeaderSize - 8]byte
	copy(b[:120], h)
	copy(b[120:], h[128:chunkHeaderSize])
	return crc32(b[:])
}

// recordAt tells the size of the record at pos, if there is a whole one that may be believed.
func (c *chunk) recordAt(pos int) (int, bool) {
	if pos > c.end-recordMinSize || le32(c.data[pos:]) != recordMagic {
		return 0, false
	}
	size := int64(le32(c.data[pos+4:]))
	if size < recordMinSize || size > int64(c.end-pos) || le32(c.data[pos+int(size)-4:]) != uint32(size) {
		return 0, false
	}
	if !c.trusted && le64(c.data[pos+8:]) < c.oldest {
		return 0, false
	}
	return int(size), true
}

// resync finds the next record after pos, where there is none, or gives -1. Of an untrusted chunk the
// end is unknown: nothing after the last record that fits is lost, it is free space or older records.
func (c *chunk) resync(pos int) int {
	if pos >= c.end || allZero(c.data[pos:c.end]) {
		return -1
	}
	next := -1
	for p := pos + 8; p <= c.end-recordMinSize; {
		// Records are aligned to 8 bytes.
		i := bytes.Index(c.data[p:c.end], []byte{0x2a, 0x2a, 0, 0})
		if i < 0 {
			break
		}
		p = (p + i + 7) &^ 7
		if _, ok := c.recordAt(p); ok {
			next = p
			break
		}
		p += 8
	}
	if c.trusted || next >= 0 {
		c.report(pos, 0, fmt.Errorf("no record at chunk offset %d: %w", pos, ErrFormat))
	}
	return next
}

func allZero(b []byte) bool {
	for len(b) >= 8 {
		if le64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}
