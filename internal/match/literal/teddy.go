package literal

import (
	"math/bits"
	"slices"
	"strings"
	"unsafe"
)

// teddy finds the needles of a small set in one walk, 32 places of a text at a time where the processor has
// AVX2. It is the algorithm of that name in Hyperscan: needles are put into eight buckets; for each of three
// neighbouring bytes two tables of sixteen say in which buckets a byte with that lower, and with that upper,
// half may stand; where all six agree on a bucket, its needles are compared.
type teddy struct {
	masks   teddyMasks
	buckets [8][]teddyEntry
	wide    bool // a needle has bytes beyond ASCII
}

// teddyMasks are the tables: lower and upper half of the first byte, of the second, of the third. Each stands
// there twice, for the two halves of a register.
type teddyMasks [6][32]byte

// teddyEntry files a needle under the three bytes that stand in it at an offset.
type teddyEntry struct{ needle, at uint32 }

const (
	// maxTeddy is how many needles are few enough: with more, too many places look like one.
	maxTeddy = 32
	// teddyBytes is how many bytes of a needle the tables know.
	teddyBytes = 3
	// teddyBlock is how many places are looked at in one step; it reads two bytes more.
	teddyBlock = 32
)

// newTeddy files needles of a set; the model chooses their bytes.
func (s *Set) newTeddy(numbers []uint32, model *Model) *teddy {
	t := &teddy{}
	entries := make([]teddyEntry, len(numbers))
	for i, number := range numbers {
		text := s.text(number)
		t.wide = t.wide || wide(text)
		entries[i] = teddyEntry{number, uint32(model.rarestBytes(text))}
	}
	// Needles with equal bytes share a bucket, so that the tables of a bucket let little through.
	key := func(e teddyEntry) string {
		text := s.text(e.needle)[e.at:]
		return text[:min(len(text), teddyBytes)]
	}
	slices.SortStableFunc(entries, func(a, b teddyEntry) int { return strings.Compare(key(a), key(b)) })
	for i, e := range entries {
		bucket := i * len(t.buckets) / len(entries)
		t.buckets[bucket] = append(t.buckets[bucket], e)
		t.masks.add(key(e), 1<<bucket)
	}
	return t
}

// add lets a text through, in small letters and in capitals. What it does not say may be anything.
func (m *teddyMasks) add(text string, bucket byte) {
	for k := range teddyBytes {
		lower, upper := &m[2*k], &m[2*k+1]
		if k >= len(text) {
			for i := range lower {
				lower[i] |= bucket
				upper[i] |= bucket
			}
			continue
		}
		for _, c := range [2]byte{text[k], capital(text[k])} {
			for _, half := range [2]byte{0, 16} {
				lower[half+c&15] |= bucket
				upper[half+c>>4] |= bucket
			}
		}
	}
}

func capital(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 0x20
	}
	return c
}

func (t *teddy) bytes() int {
	n := len(t.masks)*len(t.masks[0]) + 24*len(t.buckets)
	for _, b := range t.buckets {
		n += 8 * len(b)
	}
	return n
}

// walk is one walk over a text.
type walk struct {
	set   *Set
	text  []byte
	raw   bool   // the text is not folded
	found *Found // nil: the first needle is enough
	high  byte   // all bytes that were gone by, joined by "or", as far as their upper bits go
}

// find tells whether the walk came to its end early, at the first needle.
func (t *teddy) find(w *walk) bool {
	rest := w.text
	at, done := t.blocks(w, rest, 0)
	if done {
		return true
	}
	// What is left is too short to be read as a block where it stands.
	var tail [2*teddyBlock + teddyBytes - 1]byte
	copy(tail[:], rest[at:])
	_, done = t.blocks(w, tail[:], at)
	return done
}

// blocks walks over the text as far as whole blocks go, and gives the place behind them. The text stands at an
// offset in that of the walk.
func (t *teddy) blocks(w *walk, text []byte, offset int) (end int, done bool) {
	for {
		at, places, high := teddyFind(text[end:], &t.masks)
		w.high |= high
		end += at
		if places == 0 {
			return end, false
		}
		for ; places != 0; places &= places - 1 {
			if t.check(w, offset+end+bits.TrailingZeros32(places)) {
				return end, true
			}
		}
		end += teddyBlock
	}
}

// check compares the needles that may stand at a place of the text.
func (t *teddy) check(w *walk, place int) bool {
	buckets := byte(0xff)
	for k := range teddyBytes {
		c := byte(0)
		if place+k < len(w.text) {
			c = w.text[place+k]
		}
		buckets &= t.masks[2*k][c&15] & t.masks[2*k+1][c>>4]
	}
	for ; buckets != 0; buckets &= buckets - 1 {
		for _, e := range t.buckets[bits.TrailingZeros8(buckets)] {
			if w.found != nil && w.found.has(e.needle) || !w.holds(e.needle, place-int(e.at)) {
				continue
			}
			if w.found == nil {
				return true
			}
			w.found.add(e.needle)
		}
	}
	return false
}

// holds compares a needle with the text at a place.
func (w *walk) holds(number uint32, at int) bool {
	n := &w.set.needles[number]
	if !w.raw {
		return w.set.holds(n, w.text, at)
	}
	end := at + int(n.len)
	return at >= 0 && end <= len(w.text) && equalFolded(w.text[at:end], w.set.blob[n.off:n.off+n.len])
}

// mayHold walks over a text that is not folded.
func (t *teddy) mayHold(s *Set, text string) bool {
	w := walk{set: s, text: unsafe.Slice(unsafe.StringData(text), len(text)), raw: true}
	if t.find(&w) {
		return true
	}
	return w.high&0x80 != 0 && (t.wide || strings.Contains(text, foldsToK) || strings.Contains(text, foldsToI))
}

// teddyPlain is what teddyFind does, byte by byte.
func teddyPlain(text []byte, masks *teddyMasks) (at int, places uint32, high byte) {
	for at+teddyBlock+teddyBytes-1 <= len(text) {
		for i := range teddyBlock {
			b := text[at+i : at+i+teddyBytes]
			high |= b[0]
			if masks[0][b[0]&15]&masks[1][b[0]>>4]&masks[2][b[1]&15]&masks[3][b[1]>>4]&masks[4][b[2]&15]&masks[5][b[2]>>4] != 0 {
				places |= 1 << i
			}
		}
		if places != 0 {
			return at, places, high
		}
		at += teddyBlock
	}
	return at, 0, high
}
