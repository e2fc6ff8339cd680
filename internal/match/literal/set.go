// Package literal finds which of many literals a text holds: anywhere in it, at its start, at its end,
// or as the whole of it. A Set is flat arrays with no pointers between them, made once and read by many.
//
// Literals that may stand anywhere are filed by a few of their pieces of up to four bytes; a text's
// pieces are looked up in a bitmap, and what that lets through is compared. Where all literals are longer
// than a piece they are filed under several neighbouring ones, so that every second to eighth place of the
// text is enough to find them.
package literal

import "encoding/binary"

// Kind says where a literal must stand.
type Kind uint8

// The kinds.
const (
	Contains Kind = iota
	Prefix
	Suffix
	Equal
)

// Needle is one literal to be found.
type Needle struct {
	Kind Kind
	Text string
}

// Set is an immutable set of needles; their numbers are their places in New's list.
type Set struct {
	blob    string // the needles' texts
	needles []needle
	passes  []pass   // Contains
	wide    []pass   // Contains, needles beyond ASCII: only for texts that are
	few     *teddy   // Contains, instead of passes where there are few
	tail    anchored // Suffix and Equal, by their last bytes
	head    anchored // Prefix, by their first bytes
	always  []uint32 // held by every text
	empty   []uint32 // held by the empty text alone
}

type needle struct {
	off, len uint32
	kind     Kind
}

// Len counts the needles.
func (s *Set) Len() int { return len(s.needles) }

// Bytes is the memory that the set holds.
func (s *Set) Bytes() int {
	n := len(s.blob) + 12*len(s.needles) + s.tail.bytes() + s.head.bytes() + 4*(len(s.always)+len(s.empty))
	for _, passes := range [][]pass{s.passes, s.wide} {
		for i := range passes {
			n += passes[i].bytes()
		}
	}
	if s.few != nil {
		n += s.few.bytes()
	}
	return n
}

// Found collects the numbers of needles, each once. It is reused from text to text.
type Found struct {
	Numbers []uint32
	mark    []uint32
	epoch   uint32
}

// Reset makes room for the needles of a set of that size and forgets what was found.
func (f *Found) Reset(size int) {
	f.Numbers = f.Numbers[:0]
	if len(f.mark) < size {
		f.mark = append(f.mark, make([]uint32, size-len(f.mark))...)
	}
	if f.epoch++; f.epoch == 0 {
		clear(f.mark)
		f.epoch = 1
	}
}

func (f *Found) has(n uint32) bool { return f.mark[n] == f.epoch }

func (f *Found) add(n uint32) {
	if f.mark[n] != f.epoch {
		f.mark[n] = f.epoch
		f.Numbers = append(f.Numbers, n)
	}
}

// Find adds the numbers of the needles that the text holds; Found must have been Reset to the set's Len.
func (s *Set) Find(text []byte, found *Found) {
	for _, n := range s.always {
		found.add(n)
	}
	if len(text) == 0 {
		for _, n := range s.empty {
			found.add(n)
		}
		return
	}
	if s.tail.lengths != 0 {
		s.findTail(text, found)
	}
	if s.head.lengths != 0 {
		s.findHead(text, found)
	}
	if s.few != nil {
		s.few.find(&walk{set: s, text: text, found: found})
	}
	for i := range s.passes {
		s.passes[i].find(s, text, found)
	}
	if len(s.wide) > 0 && !asciiBytes(text) {
		for i := range s.wide {
			s.wide[i].find(s, text, found)
		}
	}
}

// Any tells whether the text holds any needle.
func (s *Set) Any(text []byte) bool {
	if len(s.always) > 0 || len(text) == 0 && len(s.empty) > 0 {
		return true
	}
	if s.tail.lengths != 0 && s.findTail(text, nil) || s.head.lengths != 0 && s.findHead(text, nil) {
		return true
	}
	if s.few != nil {
		return s.few.find(&walk{set: s, text: text})
	}
	for i := range s.passes {
		if s.passes[i].find(s, text, nil) {
			return true
		}
	}
	if len(s.wide) > 0 && !asciiBytes(text) {
		for i := range s.wide {
			if s.wide[i].find(s, text, nil) {
				return true
			}
		}
	}
	return false
}

// asciiBytes tells whether a text is nothing but ASCII.
func asciiBytes(text []byte) bool {
	for len(text) >= 8 {
		if binary.LittleEndian.Uint64(text)&0x8080808080808080 != 0 {
			return false
		}
		text = text[8:]
	}
	for _, c := range text {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// MayHold tells, without folding the text, whether its folded form may hold a needle of a set of folded
// ones. It is exact for nearly all texts and a set that has Contains needles of four bytes and more, or few of
// any length, alone; otherwise it errs on the side of yes.
func (s *Set) MayHold(text string) bool {
	switch {
	case len(s.always)+len(s.empty) > 0 || s.tail.lengths|s.head.lengths != 0:
		return true
	case s.few != nil:
		return s.few.mayHold(s, text)
	case len(s.passes)+len(s.wide) == 0:
		return true
	case len(s.passes) == 0:
		return !ascii(text)
	}
	for i := range s.passes {
		if s.passes[i].size < maxPiece || s.passes[i].mayHold(s, text) {
			return true
		}
	}
	return false
}

func (s *Set) text(number uint32) string {
	n := &s.needles[number]
	return s.blob[n.off : n.off+n.len]
}

// holds compares a needle with the text at a place.
func (s *Set) holds(n *needle, text []byte, at int) bool {
	end := at + int(n.len)
	return at >= 0 && end <= len(text) && string(text[at:end]) == s.blob[n.off:n.off+n.len]
}

// findTail stops at the first needle where found is nil.
func (s *Set) findTail(text []byte, found *Found) bool {
	for class, length := range anchorLengths {
		if s.tail.lengths&(1<<class) == 0 {
			continue
		}
		if length > len(text) {
			break
		}
		h := hashAnchor(text[len(text)-length:])
		for i, end := s.tail.list(h); i < end; i++ {
			e := s.tail.entries[i]
			n := &s.needles[e.needle]
			if e.hash != h || n.kind == Equal && int(n.len) != len(text) || !s.holds(n, text, len(text)-int(n.len)) {
				continue
			}
			if found == nil {
				return true
			}
			found.add(e.needle)
		}
	}
	return false
}

func (s *Set) findHead(text []byte, found *Found) bool {
	for class, length := range anchorLengths {
		if s.head.lengths&(1<<class) == 0 {
			continue
		}
		if length > len(text) {
			break
		}
		h := hashAnchor(text[:length])
		for i, end := s.head.list(h); i < end; i++ {
			e := s.head.entries[i]
			if e.hash != h || !s.holds(&s.needles[e.needle], text, 0) {
				continue
			}
			if found == nil {
				return true
			}
			found.add(e.needle)
		}
	}
	return false
}

// anchorLengths are the lengths of the ends under which anchored needles are filed: the longest that
// a needle has.
var anchorLengths = [...]int{1, 2, 3, 4, 6, 8, 12, 16}

func anchorClass(n int) int {
	class := 0
	for class+1 < len(anchorLengths) && anchorLengths[class+1] <= n {
		class++
	}
	return class
}

func hashAnchor(b []byte) uint32 {
	var x, y uint64
	switch n := len(b); {
	case n >= 8:
		x, y = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		x, y = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[n-4:]))
	default:
		x, y = uint64(b[0])|uint64(b[n/2])<<8|uint64(b[n-1])<<16, uint64(n)
	}
	x = (x ^ y*0x9E3779B97F4A7C15 ^ uint64(len(b))) * 0xD6E8FEB86659FD93
	return uint32(x >> 32)
}

// anchored is a hash table of needles by one end.
type anchored struct {
	lengths uint16 // the classes of anchorLengths that occur
	shift   uint8
	starts  []uint32 // bucket -> first entry; one more than buckets
	entries []anchorEntry
}

type anchorEntry struct{ hash, needle uint32 }

func (a *anchored) bytes() int { return 4*len(a.starts) + 8*len(a.entries) }

func (a *anchored) list(h uint32) (from, to uint32) {
	b := h >> a.shift
	return a.starts[b], a.starts[b+1]
}
