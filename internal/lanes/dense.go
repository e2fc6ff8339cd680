package lanes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The layout of event logs: libevtx, "Windows XML Event Log (EVTX) format", "File header", "Chunk header" and
// "Event record".
const (
	headerBlock  = 4096
	chunkSize    = 64 << 10
	chunkHeader  = 512
	recordHeader = 24
	recordMagic  = 0x00002a2a
	nearlyFull   = chunkSize * 9 / 10
)

var le = binary.LittleEndian

// Dense makes an event log of at least size bytes out of the nearly full chunks of the logs below a folder, round
// and round: records are numbered anew and checksums are right. It also gives the number of records.
func Dense(folder string, size int) (log []byte, records int, err error) {
	var chunks [][]byte
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.EqualFold(filepath.Ext(path), ".evtx") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for at := headerBlock; at+chunkSize <= len(data); at += chunkSize {
			c := data[at : at+chunkSize]
			if free := le.Uint32(c[48:]); string(c[:8]) == "ElfChnk\x00" && free > nearlyFull && free <= chunkSize {
				chunks = append(chunks, c)
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("event logs: %w", err)
	}
	if len(chunks) == 0 {
		return nil, 0, errors.New("event logs: no chunk is nearly full")
	}
	n := (size - headerBlock + chunkSize - 1) / chunkSize
	if n > 0xffff {
		return nil, 0, fmt.Errorf("an event log has at most 65535 chunks, %d bytes want %d", size, n)
	}
	log = make([]byte, headerBlock, headerBlock+n*chunkSize)
	next := uint64(1)
	for i := range n {
		log = append(log, chunks[i%len(chunks)]...)
		next = renumber(log[len(log)-chunkSize:], next)
	}
	writeHeader(log, n, next)
	return log, int(next - 1), nil
}

// renumber gives a chunk's records the ids from next on, sets its checksums and returns the id after them.
func renumber(c []byte, next uint64) uint64 {
	first, free := next, int(le.Uint32(c[48:]))
	for at := chunkHeader; at+recordHeader <= free && le.Uint32(c[at:]) == recordMagic; {
		le.PutUint64(c[at+8:], next)
		next++
		size := int(le.Uint32(c[at+4:]))
		if size < recordHeader {
			break
		}
		at += size
	}
	for i, id := range []uint64{first, next - 1, first, next - 1} { // record numbers, then record ids
		le.PutUint64(c[8+8*i:], id)
	}
	le.PutUint32(c[52:], crc32.ChecksumIEEE(c[chunkHeader:free]))
	sum := crc32.NewIEEE()
	sum.Write(c[:120])
	sum.Write(c[128:chunkHeader])
	le.PutUint32(c[124:], sum.Sum32())
	return next
}

// writeHeader fills a log's header block.
func writeHeader(log []byte, chunks int, next uint64) {
	copy(log, "ElfFile\x00")
	le.PutUint64(log[16:], uint64(chunks-1)) // the last chunk
	le.PutUint64(log[24:], next)
	le.PutUint32(log[32:], 128) // bytes of the header
	le.PutUint16(log[36:], 1)   // version 3.1
	le.PutUint16(log[38:], 3)
	le.PutUint16(log[40:], headerBlock)
	le.PutUint16(log[42:], uint16(chunks))
	le.PutUint32(log[124:], crc32.ChecksumIEEE(log[:120]))
}
