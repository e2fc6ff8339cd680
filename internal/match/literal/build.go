package literal

import (
	"math/bits"
	"slices"
	"strings"
)

// NewIndex is New for a set that is asked at every event: it takes more memory to be faster.
func NewIndex(list []Needle, model *Model) *Set { return build(list, model, maxTeddy).index() }

func (s *Set) index() *Set {
	for _, passes := range [][]pass{s.passes, s.wide} {
		for i := range passes {
			passes[i].widen()
		}
	}
	return s
}

// maxSmall is the number of entries for which a small filter lets one place in sixteen through.
const maxSmall = smallSize / bitsPerEntry

func (p *pass) widen() {
	if len(p.entries) > maxSmall {
		return
	}
	p.small = new(smallFilter)
	for _, e := range p.entries {
		p.small[hash4(e.piece)>>(32-smallBits)] = 1
	}
}

// New makes a set of needles, which are to be found in folded or in raw texts as they are themselves. The
// model chooses the pieces.
func New(list []Needle, model *Model) *Set { return build(list, model, maxTeddy) }

// build makes a set; up to few needles that may stand anywhere are found in one walk.
func build(list []Needle, model *Model, few int) *Set {
	s := &Set{needles: make([]needle, len(list))}
	var blob strings.Builder
	var tails, heads []anchorEntry
	var narrow, broad byLength
	for i, n := range list {
		number := uint32(i)
		s.needles[i] = needle{off: uint32(blob.Len()), len: uint32(len(n.Text)), kind: n.Kind}
		blob.WriteString(n.Text)
		switch {
		case n.Text == "" && n.Kind == Equal:
			s.empty = append(s.empty, number)
		case n.Text == "":
			s.always = append(s.always, number)
		case n.Kind == Prefix:
			length := anchorLengths[anchorClass(len(n.Text))]
			heads = append(heads, anchorEntry{hashAnchor([]byte(n.Text[:length])), number})
			s.head.lengths |= 1 << anchorClass(len(n.Text))
		case n.Kind == Contains:
			if wide(n.Text) {
				broad.add(number, len(n.Text))
			} else {
				narrow.add(number, len(n.Text))
			}
		default:
			length := anchorLengths[anchorClass(len(n.Text))]
			tails = append(tails, anchorEntry{hashAnchor([]byte(n.Text[len(n.Text)-length:])), number})
			s.tail.lengths |= 1 << anchorClass(len(n.Text))
		}
	}
	s.blob = blob.String()
	s.tail.fill(tails)
	s.head.fill(heads)
	if all := slices.Concat(narrow.all(), broad.all()); len(all) > few {
		s.passes, s.wide = s.newPasses(&narrow, model), s.newPasses(&broad, model)
	} else if len(all) > 0 {
		s.few = s.newTeddy(all, model)
	}
	return s
}

// byLength sorts needles by the size of the pieces they are filed under: up to maxPiece bytes.
type byLength struct {
	numbers [maxPiece + 1][]uint32
	least   int // length of those with the longest pieces
}

const maxPiece = 4

func (b *byLength) add(number uint32, length int) {
	size := min(length, maxPiece)
	b.numbers[size] = append(b.numbers[size], number)
	if size == maxPiece && (b.least == 0 || length < b.least) {
		b.least = length
	}
}

func (b *byLength) all() []uint32 { return slices.Concat(b.numbers[:]...) }

// newPasses makes one walk for each size of piece. Where the shortest needle is longer than a piece, it is
// filed under several neighbouring ones, and the walk may take wider strides.
func (s *Set) newPasses(b *byLength, model *Model) []pass {
	var out []pass
	for size, numbers := range b.numbers {
		if len(numbers) == 0 {
			continue
		}
		stride := 1
		if size == maxPiece {
			stride = min(b.least-maxPiece+1, maxStride)
		}
		out = append(out, s.newPass(size, stride, numbers, model))
	}
	return out
}

const (
	maxStride = 8
	// Long is the length from which needles can be found in the longest strides.
	Long = maxPiece + maxStride - 1
)

// Walk is what looking for needles of some lengths and more costs beside looking at every place of a text.
// The map has the lengths that there are.
func Walk[T any](least int, lengths map[int][]T) float64 {
	cost := 0.0
	for length := least; length <= Long; length++ {
		switch {
		case len(lengths[length]) == 0:
		case length < maxPiece:
			cost += 1.5 // a walk of its own
		default:
			return cost + 1/float64(length-maxPiece+1)
		}
	}
	return cost
}

func (s *Set) newPass(size, stride int, numbers []uint32, model *Model) pass {
	p := pass{size: uint8(size), stride: uint8(stride), mask: uint32(1<<(8*size) - 1)}
	entries := make([]pieceEntry, 0, len(numbers)*int(p.stride))
	filed := map[uint32]uint32{} // piece -> how many needles are filed under it
	for _, number := range numbers {
		n := s.needles[number]
		text := s.blob[n.off : n.off+n.len]
		if p.size < 4 {
			entries = append(entries, pieceEntry{piece(text), number, 0})
			continue
		}
		at := rarest(text, int(p.stride), model, filed)
		for i := at; i < at+int(p.stride); i++ {
			g := gram(text, i)
			filed[g]++
			entries = append(entries, pieceEntry{g, number, uint32(i)})
		}
	}
	p.fill(entries)
	return p
}

// maxPlaces bounds the places of a needle that are weighed.
const maxPlaces = 256

// rarest chooses where the pieces of a needle are taken from: where texts have them least, and where the
// fewest other needles are filed.
func rarest(text string, width int, model *Model, filed map[uint32]uint32) int {
	best, least := 0, ^uint64(0)
	for at := 0; at+width+3 <= len(text) && at < maxPlaces; at++ {
		cost := uint64(0)
		for i := at; i < at+width; i++ {
			g := gram(text, i)
			// A piece that texts have costs a look at every needle filed under it.
			cost += uint64(model.count(g)+1) * uint64(filed[g]+4)
		}
		if cost < least {
			best, least = at, cost
		}
	}
	return best
}

// bitsPerEntry makes one bit in sixteen to thirty-two set.
const bitsPerEntry = 16

func (p *pass) fill(entries []pieceEntry) {
	bitCount := max(64, 1<<bits.Len(uint(bitsPerEntry*len(entries)-1)))
	p.bitsOff = uint8(32 - bits.Len(uint(bitCount-1)))
	p.bits = make([]uint64, bitCount/64)
	buckets := 1 << bits.Len(uint(len(entries)))
	p.shift = uint8(32 - bits.Len(uint(buckets-1)))
	p.starts = make([]uint32, buckets+1)
	for _, e := range entries {
		h := hash4(e.piece)
		bit := h >> p.bitsOff
		p.bits[bit>>6] |= 1 << (bit & 63)
		p.starts[h>>p.shift+1]++
	}
	for i := 1; i < len(p.starts); i++ {
		p.starts[i] += p.starts[i-1]
	}
	p.entries = make([]pieceEntry, len(entries))
	next := make([]uint32, buckets)
	for _, e := range entries {
		b := hash4(e.piece) >> p.shift
		p.entries[p.starts[b]+next[b]] = e
		next[b]++
	}
}

func (a *anchored) fill(entries []anchorEntry) {
	if len(entries) == 0 {
		return
	}
	buckets := 1 << bits.Len(uint(2*len(entries)))
	a.shift = uint8(32 - bits.Len(uint(buckets-1)))
	a.starts = make([]uint32, buckets+1)
	for _, e := range entries {
		a.starts[e.hash>>a.shift+1]++
	}
	for i := 1; i < len(a.starts); i++ {
		a.starts[i] += a.starts[i-1]
	}
	a.entries = make([]anchorEntry, len(entries))
	next := make([]uint32, buckets)
	for _, e := range entries {
		b := e.hash >> a.shift
		a.entries[a.starts[b]+next[b]] = e
		next[b]++
	}
}
