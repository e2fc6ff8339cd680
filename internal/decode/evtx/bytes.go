package evtx

import (
	"encoding/binary"
	stdcrc "hash/crc32"
	"unsafe"
)

func le16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

func crc32(b []byte) uint32 { return stdcrc.ChecksumIEEE(b) }

// arenaBlock is how much text shares one allocation: about what a full chunk decodes to.
const arenaBlock = 64 << 10

// arena hands out strings that share large allocations. Memory is written once, before its string
// exists, and never again, so the strings stay valid for ever (the garbage collector frees a block
// after its last string).
type arena struct{ free, block []byte }

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
	if len(b) > 0 {
		a.free = b[len(b):len(b):cap(b)]
	}
	return alias(b)
}

// alias makes a string of bytes that will not change while it is used.
func alias(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}
