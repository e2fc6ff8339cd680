package literal

import (
	"encoding/binary"
	"strings"
)

// pass is one walk over a text, for the needles that are filed by pieces of one size.
type pass struct {
	size    uint8  // of a piece, in bytes
	stride  uint8  // between the places looked at
	mask    uint32 // of the bytes that a piece has
	bitsOff uint8  // shift from a hash to its bit
	shift   uint8  // shift from a hash to its bucket
	bits    []uint64
	starts  []uint32 // bucket -> first entry; one more than buckets
	entries []pieceEntry
}

// pieceEntry files a needle under a piece of it, which stands at an offset.
type pieceEntry struct{ piece, needle, at uint32 }

func (p *pass) bytes() int { return 8*len(p.bits) + 4*len(p.starts) + 12*len(p.entries) }

// find stops at the first needle where found is nil.
func (p *pass) find(s *Set, text []byte, found *Found) bool {
	stride := int(p.stride)
	shift := p.bitsOff & 31
	mask := p.mask
	bits := p.bits
	i := 0
	for ; i+4 <= len(text); i += stride {
		v := (binary.LittleEndian.Uint32(text[i:]) | lowerBits) & mask
		h := hash4(v)
		bit := h >> shift
		if bits[bit>>6]&(1<<(bit&63)) != 0 && p.check(s, v, h, text, i, found) {
			return true
		}
	}
	if p.size == maxPiece {
		return false
	}
	for ; i+int(p.size) <= len(text); i++ { // pieces too near to the end for four bytes
		v := piece(text[i : i+int(p.size)])
		h := hash4(v)
		bit := h >> shift
		if bits[bit>>6]&(1<<(bit&63)) != 0 && p.check(s, v, h, text, i, found) {
			return true
		}
	}
	return false
}

// piece is what a text of up to four bytes is filed under.
func piece[T string | []byte](text T) uint32 {
	v := uint32(0)
	for i := range len(text) {
		v |= (uint32(text[i]) | 0x20) << (8 * i)
	}
	return v
}

// check compares the needles filed under a piece that stands in the text at a place.
func (p *pass) check(s *Set, piece, h uint32, text []byte, at int, found *Found) bool {
	b := h >> p.shift
	entries := p.entries[p.starts[b]:p.starts[b+1]]
	for i := range entries {
		e := &entries[i]
		if e.piece != piece || found != nil && found.has(e.needle) {
			continue
		}
		if !s.holds(&s.needles[e.needle], text, at-int(e.at)) {
			continue
		}
		if found == nil {
			return true
		}
		found.add(e.needle)
	}
	return false
}

// mayHold walks over a text that is not folded.
func (p *pass) mayHold(s *Set, text string) bool {
	stride := int(p.stride)
	shift := p.bitsOff & 31
	bits := p.bits
	all := uint32(0)
	i := 0
	for ; i+4 <= len(text); i += stride {
		v := uint32(text[i]) | uint32(text[i+1])<<8 | uint32(text[i+2])<<16 | uint32(text[i+3])<<24
		all |= v
		v |= lowerBits
		h := hash4(v)
		bit := h >> shift
		if bits[bit>>6]&(1<<(bit&63)) != 0 && p.checkRaw(s, v, h, text, i) {
			return true
		}
	}
	if all&0x80808080 == 0 && ascii(text[min(i, len(text)):]) {
		return false
	}
	return len(s.wide) > 0 || strings.Contains(text, foldsToK) || strings.Contains(text, foldsToI)
}

// Only these characters beyond ASCII fold into it (KELVIN SIGN, LATIN CAPITAL LETTER I WITH DOT ABOVE): all
// other ASCII of a folded text stands in the raw one at the same places of its characters.
const (
	foldsToK = "\u212a"
	foldsToI = "\u0130"
)

// checkRaw is check for a text that is not folded: ASCII letters compare without case.
func (p *pass) checkRaw(s *Set, piece, h uint32, text string, at int) bool {
	b := h >> p.shift
	entries := p.entries[p.starts[b]:p.starts[b+1]]
	for i := range entries {
		e := &entries[i]
		n := &s.needles[e.needle]
		from := at - int(e.at)
		if e.piece == piece && from >= 0 && from+int(n.len) <= len(text) &&
			equalFolded(text[from:from+int(n.len)], s.blob[n.off:n.off+n.len]) {
			return true
		}
	}
	return false
}

// equalFolded compares a text with a folded needle of its length.
func equalFolded(text, needle string) bool {
	for i := range len(text) {
		c := text[i]
		if c-'A' <= 'Z'-'A' {
			c |= 0x20
		}
		if c != needle[i] {
			return false
		}
	}
	return true
}
