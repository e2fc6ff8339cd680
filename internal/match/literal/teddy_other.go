//go:build !amd64

package literal

func teddyFind(text []byte, masks *teddyMasks) (at int, places uint32, high byte) {
	return teddyPlain(text, masks)
}
