package literal

import "golang.org/x/sys/cpu"

var hasAVX2 = cpu.X86.HasAVX2

// teddyAVX2 looks at blocks of 32 places of a text until one has places where a needle may stand, or fewer than
// 34 bytes are left. It gives where it stopped, those places, and whether it went by bytes beyond ASCII.
//
//go:noescape
func teddyAVX2(text *byte, n int, masks *teddyMasks) (at int, places, high uint32)

// teddyFind is teddyPlain; the upper bit of high alone counts.
func teddyFind(text []byte, masks *teddyMasks) (at int, places uint32, high byte) {
	if !hasAVX2 {
		return teddyPlain(text, masks)
	}
	if len(text) < teddyBlock+teddyBytes-1 {
		return 0, 0, 0
	}
	at, places, beyond := teddyAVX2(&text[0], len(text), masks)
	if beyond != 0 {
		high = 0x80
	}
	return at, places, high
}
