package literal

import "encoding/binary"

// Model says how common the pieces of a text are, so that a literal is looked for by its rarest one. It
// counts pieces of four bytes, hashed: a collision only makes a piece look more common than it is.
type Model struct {
	counts [modelSize]uint32
	bytes  [256]uint32
	texts  uint32
}

const (
	modelBits = 14
	modelSize = 1 << modelBits
	// modelFull halves the counts, so that a model follows what it is shown.
	modelFull = 1 << 20
	// modelText bounds what is read of one text.
	modelText = 512
)

// Add counts one folded text.
func (m *Model) Add(text []byte) {
	if m.texts++; m.texts == modelFull {
		m.texts /= 2
		for i := range m.counts {
			m.counts[i] /= 2
		}
		for i := range m.bytes {
			m.bytes[i] /= 2
		}
	}
	text = text[:min(len(text), modelText)]
	for _, c := range text {
		m.bytes[c]++
	}
	for i := 0; i+4 <= len(text); i++ {
		m.counts[hash4(binary.LittleEndian.Uint32(text[i:])|lowerBits)>>(32-modelBits)]++
	}
}

// Chance estimates how likely a text holds a folded literal, as the chance of its rarest piece. Literals
// too short to have a piece are judged by their length.
func (m *Model) Chance(literal string) float64 {
	switch {
	case wide(literal):
		return 0.0001
	case len(literal) < 2:
		return 1
	case len(literal) == 2:
		return 0.95
	case len(literal) == 3:
		return 0.15
	}
	least := uint32(1 << 31)
	for i := 0; i+4 <= min(len(literal), modelText); i++ {
		least = min(least, m.count(gram(literal, i)))
	}
	// Long literals are rarer than the rarest of their pieces.
	return min(1, (float64(least)+0.25)/float64(m.texts+1)) * (0.5 + 2/float64(len(literal)))
}

func (m *Model) count(g uint32) uint32 { return m.counts[hash4(g)>>(32-modelBits)] }

// lowerBits makes capitals small, and some other characters alike: a piece then is one hash in a folded and
// in a raw text.
const lowerBits = 0x20202020

func gram(s string, i int) uint32 {
	return uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16 | uint32(s[i+3])<<24 | lowerBits
}

// wide tells whether a literal has bytes beyond ASCII. Most texts have none, so that such a literal need not
// be looked for in them.
func wide(literal string) bool {
	for i := range len(literal) {
		if literal[i] >= 0x80 {
			return true
		}
	}
	return false
}

func hash4(g uint32) uint32 { return g * 0x9E3779B1 }

// rarestBytes gives the place in a literal whose next few bytes texts have least.
func (m *Model) rarestBytes(literal string) int {
	best, least := 0, -1.0
	for at := 0; at+teddyBytes <= min(len(literal), maxPlaces); at++ {
		cost := 1.0
		for _, c := range []byte(literal[at : at+teddyBytes]) {
			cost *= float64(m.bytes[c] + 1)
		}
		if least < 0 || cost < least {
			best, least = at, cost
		}
	}
	return best
}

// Rarest gives the place of the byte in a literal that texts have least.
func (m *Model) Rarest(literal string) int {
	best := 0
	for i := range len(literal) {
		if m.bytes[literal[i]] < m.bytes[literal[best]] {
			best = i
		}
	}
	return best
}
