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
	small   *smallFilter // instead of bits, in an index of few entries
	starts  []uint32     // bucket -> first entry; one more than buckets
	entries []pieceEntry
}

// pieceEntry files a needle under a piece of it, which stands at an offset.
type pieceEntry struct{ piece, needle, at uint32 }

func (p *pass) bytes() int {
	return 8*len(p.bits) + 4*len(p.starts) + 12*len(p.entries)
}

// find stops at the first needle where found is nil.
func (p *pass) find(s *Set, text []byte, found *Found) bool {
	rest := text
	stride := int(p.stride)
	for {
		if rest, _ = p.skip(rest, stride); len(rest) < 4 {
			break
		}
		v := (binary.LittleEndian.Uint32(rest) | lowerBits) & p.mask
		if p.check(s, v, hash4(v), text, len(text)-len(rest), found) {
			return true
		}
		rest = rest[min(stride, len(rest)):]
	}
	shift := p.bitsOff & 31
	bits := p.bits
	i := len(text) - len(rest)
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

// skip goes on in a text to where the filter lets something through.
func (p *pass) skip(text []byte, stride int) (rest []byte, all uint32) {
	if p.small != nil {
		return skipSmall(text, p.small, p.mask, stride)
	}
	return skipLarge(text, p.bits, p.bitsOff, p.mask, stride)
}

// skipLarge is skip with a large filter, for folded texts and raw ones: the loop in which most of the time goes
// by. Nothing is called in it, and it keeps its registers to itself. It also gives the bytes that it went by,
// joined by "or".
//
//go:noinline
func skipLarge[T string | []byte](t T, bits []uint64, shift uint8, mask uint32, stride int) (rest T, all uint32) {
	shift &= 31
	for len(t) >= 4 {
		v := uint32(t[0]) | uint32(t[1])<<8 | uint32(t[2])<<16 | uint32(t[3])<<24
		all |= v
		bit := hash4((v|lowerBits)&mask) >> shift
		if bits[bit>>6]&(1<<(bit&63)) != 0 {
			return t, all
		}
		if uint(stride) > uint(len(t)) {
			return t[:0], all
		}
		t = t[stride:]
	}
	return t, all
}

// smallFilter is the filter of small sets: a byte for each hash, which is faster than a bit.
type smallFilter [smallSize]uint8

const (
	smallBits = 12
	smallSize = 1 << smallBits
)

// skipSmall is skipLarge with a small filter.
//
//go:noinline
func skipSmall[T string | []byte](t T, filter *smallFilter, mask uint32, stride int) (rest T, all uint32) {
	for len(t) >= 4 {
		v := uint32(t[0]) | uint32(t[1])<<8 | uint32(t[2])<<16 | uint32(t[3])<<24
		all |= v
		if filter[hash4((v|lowerBits)&mask)>>(32-smallBits)] != 0 {
			return t, all
		}
		if uint(stride) > uint(len(t)) {
			return t[:0], all
		}
		t = t[stride:]
	}
	return t, all
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
	rest, all, seen := text, uint32(0), uint32(0)
	stride := int(p.stride)
	for {
		if p.small != nil {
			rest, seen = skipSmall(rest, p.small, p.mask, stride)
		} else {
			rest, seen = skipLarge(rest, p.bits, p.bitsOff, p.mask, stride)
		}
		all |= seen
		if len(rest) < 4 {
			break
		}
		v := piece(rest[:4])
		if p.checkRaw(s, v, hash4(v), text, len(text)-len(rest)) {
			return true
		}
		rest = rest[min(stride, len(rest)):]
	}
	// The last stride may have stepped over the end.
	if all&0x80808080 == 0 && ascii(text[max(0, len(text)-maxPiece-maxStride):]) {
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
func equalFolded[T string | []byte](text T, needle string) bool {
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
