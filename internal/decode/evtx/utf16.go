package evtx

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// nonASCII has the bits that are set in no ASCII character, for four UTF-16 units.
const nonASCII = 0xff80ff80ff80ff80

// appendUTF16 appends the UTF-8 of little-endian UTF-16. Units that form no character become
// U+FFFD; a last odd byte is dropped. dst must have room for 3 bytes a unit (textRoom).
// NULs at the end are left out: some providers count the terminator as text.
func appendUTF16(dst, src []byte) []byte {
	src = trimNUL(src)
	for len(src) >= 8 {
		v := binary.LittleEndian.Uint64(src)
		if v&nonASCII != 0 {
			break
		}
		// Four units to four bytes: 0a0b0c0d -> abcd.
		v = (v | v>>8) & 0x0000ffff0000ffff
		v |= v >> 16
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
		src = src[8:]
	}
	for len(src) >= 2 {
		r := rune(le16(src))
		src = src[2:]
		switch {
		case r < utf8.RuneSelf:
			dst = append(dst, byte(r))
			continue
		case utf16.IsSurrogate(r):
			var low rune = -1
			if len(src) >= 2 {
				low = rune(le16(src))
			}
			// DecodeRune gives U+FFFD for anything but a high and a low surrogate.
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				src = src[2:]
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

func trimNUL(src []byte) []byte {
	src = src[:len(src)&^1]
	for n := len(src); n >= 2 && src[n-1] == 0 && src[n-2] == 0; n = len(src) {
		src = src[:n-2]
	}
	return src
}

// textRoom is the most UTF-8 that n bytes of UTF-16 become.
func textRoom(n int) int { return n/2*3 + 4 }
