package evtx

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"unicode/utf16"

	"shieldwall/internal/event"
)

func TestValues(t *testing.T) {
	sid := func(auth byte, subs ...uint32) []byte {
		b := []byte{1, byte(len(subs)), 0, 0, 0, 0, 0, auth}
		for _, s := range subs {
			b = binary.LittleEndian.AppendUint32(b, s)
		}
		return b
	}
	max64 := u64(math.MaxUint64)
	tests := []struct {
		name string
		typ  byte
		data []byte
		want event.Value
	}{
		{"string", typeString, utf16le("Grüße, 世界 😀"), event.Str("Grüße, 世界 😀")},
		{"string with terminators", typeString, utf16le("ab\x00\x00"), event.Str("ab")},
		{"string with an inner NUL", typeString, utf16le("a\x00b"), event.Str("a\x00b")},
		{"string that keeps its blanks", typeString, utf16le("cmd.exe /c "), event.Str("cmd.exe /c ")},
		{"string of NULs", typeString, utf16le("\x00\x00\x00\x00\x00"), event.Str("")},
		{"string with an odd byte", typeString, append(utf16le("ab"), 'c'), event.Str("ab")},
		{"lone high surrogate", typeString, []byte{'a', 0, 0x3d, 0xd8, 'b', 0}, event.Str("a\ufffdb")},
		{"lone high surrogate at the end", typeString, []byte{0x3d, 0xd8}, event.Str("\ufffd")},
		{"lone low surrogate", typeString, []byte{0x00, 0xde, 'b', 0}, event.Str("\ufffdb")},
		{"a real U+FFFD before text", typeString, utf16le("\ufffdab"), event.Str("\ufffdab")},
		{"ANSI", typeANSI, []byte("abc\x00"), event.Str("abc")},
		{"ANSI in UTF-8", typeANSI, []byte("zürich"), event.Str("zürich")},
		{"ANSI in Latin-1", typeANSI, []byte("z\xfcrich"), event.Str("zürich")},
		{"int8", typeInt8, []byte{0x80}, event.Num("-128")},
		{"uint8", typeUint8, []byte{255}, event.Num("255")},
		{"int16", typeInt16, u16(0x8000), event.Num("-32768")},
		{"uint16", typeUint16, u16(0xffff), event.Num("65535")},
		{"int32", typeInt32, u32(0x80000000), event.Num("-2147483648")},
		{"uint32", typeUint32, u32(0xffffffff), event.Num("4294967295")},
		{"int64", typeInt64, u64(1 << 63), event.Num("-9223372036854775808")},
		{"uint64", typeUint64, max64, event.Num("18446744073709551615")},
		{"too short", typeUint32, []byte{1, 2}, event.Str("0102")},
		{"too long", typeUint16, []byte{1, 0, 9, 9}, event.Num("1")},
		{"float32", typeFloat32, u32(math.Float32bits(0.1)), event.Num("0.1")},
		{"float64", typeFloat64, u64(math.Float64bits(-1.5)), event.Num("-1.5")},
		{"float64, whole", typeFloat64, u64(math.Float64bits(3)), event.Num("3")},
		{"float64, small", typeFloat64, u64(math.Float64bits(1e-9)), event.Num("1e-09")},
		{"no number", typeFloat64, u64(math.Float64bits(math.NaN())), event.Str("-1.#IND")},
		{"infinity", typeFloat64, u64(math.Float64bits(math.Inf(1))), event.Str("1.#INF")},
		{"minus infinity", typeFloat32, u32(math.Float32bits(float32(math.Inf(-1)))), event.Str("-1.#INF")},
		{"true", typeBool, u32(1), event.Value{Kind: event.Bool, Text: "true"}},
		{"false", typeBool, u32(0), event.Value{Kind: event.Bool, Text: "false"}},
		{"binary", typeBinary, []byte{0, 0xab, 0xff}, event.Str("00ABFF")},
		{"empty binary", typeBinary, nil, event.Str("")},
		{"GUID", typeGUID, testGUID, event.Str("{5770385F-C22A-43E0-BF4C-06F5698FFBD9}")},
		{"short GUID", typeGUID, testGUID[:3], event.Str("5F3870")},
		{"size of 4", typeSize, u32(0x1fe), event.Str("0x1fe")},
		{"size of 8", typeSize, u64(0xabc), event.Str("0xabc")},
		{"size of 3", typeSize, []byte{1, 2, 3}, event.Str("010203")},
		{"handle", typeHandle, u64(0x1f), event.Str("0x1f")},
		{"FILETIME", typeFileTime, u64(testFileTime), event.Str("2025-11-27T07:40:10.1653240Z")},
		{"FILETIME 0", typeFileTime, u64(0), event.Str("1601-01-01T00:00:00.0000000Z")},
		{"last FILETIME", typeFileTime, max64, event.Str("60056-05-28T05:36:10.9551615Z")},
		{"SYSTEMTIME", typeSystemTime, []byte{0xe9, 7, 11, 0, 4, 0, 27, 0, 7, 0, 40, 0, 10, 0, 165, 0}, event.Str("2025-11-27T07:40:10.165Z")},
		{"SYSTEMTIME of nonsense", typeSystemTime, []byte(strings.Repeat("\xff", 16)), event.Str("65535-65535-65535T65535:65535:65535.65535Z")},
		{"SID", typeSID, sid(5, 21, 1587066498, 1489273250, 4294967295, 1108), event.Str("S-1-5-21-1587066498-1489273250-4294967295-1108")},
		{"SID without parts", typeSID, sid(0), event.Str("S-1-0")},
		{"SID of a wide authority", typeSID, []byte{1, 1, 0x12, 0x34, 0, 0, 0, 1, 7, 0, 0, 0}, event.Str("S-1-0x123400000001-7")},
		{"SID that is cut", typeSID, sid(5, 21)[:10], event.Str("01010000000000051500")},
		{"SID that claims 255 parts", typeSID, []byte{1, 255, 0, 0, 0, 0, 0, 5}, event.Str("01FF000000000005")},
		{"hex32", typeHex32, u32(0x1fffff), event.Str("0x1fffff")},
		{"hex64", typeHex64, u64(1 << 63), event.Str("0x8000000000000000")},
		{"XML", typeXML, utf16le("<a/>"), event.Str("<a/>")},
		{"a type nobody knows", 0x55, []byte{1, 2}, event.Str("0102")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			room := valueRoom(tt.typ, len(tt.data))
			text, kind := appendValue(make([]byte, 0, room), tt.typ, tt.data)
			if string(text) != tt.want.Text || kind != tt.want.Kind {
				t.Errorf("got %q (%v), want %q (%v)", text, kind, tt.want.Text, tt.want.Kind)
			}
			if len(text) > room {
				t.Errorf("%d bytes of text, room for %d", len(text), room)
			}
		})
	}
}

func FuzzUTF16(f *testing.F) {
	for _, s := range []string{"", "a", "plain ASCII text", "Grüße", "a😀b", "1234567\u00e9890123456", "\x00a\x00"} {
		f.Add(utf16le(s))
	}
	f.Add([]byte{0x3d, 0xd8, 0x3d, 0xd8, 0x00, 0xde})
	f.Fuzz(func(t *testing.T, b []byte) {
		var units []uint16
		for i := 0; i+1 < len(b); i += 2 {
			units = append(units, le16(b[i:]))
		}
		for len(units) > 0 && units[len(units)-1] == 0 {
			units = units[:len(units)-1]
		}
		want := string(utf16.Decode(units))
		if got := string(appendUTF16(nil, b)); got != want {
			t.Errorf("%x: got %q, want %q", b, got, want)
		}
		if len(want) > textRoom(len(b)) {
			t.Errorf("%d bytes, room for %d", len(want), textRoom(len(b)))
		}
	})
}

func FuzzValue(f *testing.F) {
	for typ := range byte(0x24) {
		f.Add(typ, testGUID)
	}
	f.Fuzz(func(t *testing.T, typ byte, b []byte) {
		if typ&typeArray != 0 || typ == typeBinXML || typ == typeNull {
			return
		}
		text, _ := appendValue(nil, typ, b)
		if len(text) > valueRoom(typ, len(b)) {
			t.Errorf("type %#x: %d bytes of text, room for %d", typ, len(text), valueRoom(typ, len(b)))
		}
	})
}
