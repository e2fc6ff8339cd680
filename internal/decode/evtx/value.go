package evtx

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"shieldwall/internal/event"
)

// Value types (MS-EVEN6 2.2.12; EVTX "Value types"). typeArray marks an array of the type.
const (
	typeNull       = 0x00
	typeString     = 0x01
	typeANSI       = 0x02
	typeInt8       = 0x03
	typeUint8      = 0x04
	typeInt16      = 0x05
	typeUint16     = 0x06
	typeInt32      = 0x07
	typeUint32     = 0x08
	typeInt64      = 0x09
	typeUint64     = 0x0a
	typeFloat32    = 0x0b
	typeFloat64    = 0x0c
	typeBool       = 0x0d
	typeBinary     = 0x0e
	typeGUID       = 0x0f
	typeSize       = 0x10
	typeFileTime   = 0x11
	typeSystemTime = 0x12
	typeSID        = 0x13
	typeHex32      = 0x14
	typeHex64      = 0x15
	typeHandle     = 0x20
	typeBinXML     = 0x21
	typeXML        = 0x23
	typeArray      = 0x80
)

// fixedSize is the size of one value of a type, or 0 where it varies.
func fixedSize(typ byte) int {
	switch typ {
	case typeInt8, typeUint8:
		return 1
	case typeInt16, typeUint16:
		return 2
	case typeInt32, typeUint32, typeFloat32, typeBool, typeHex32:
		return 4
	case typeInt64, typeUint64, typeFloat64, typeFileTime, typeHex64:
		return 8
	case typeGUID, typeSystemTime:
		return 16
	}
	return 0
}

// valueRoom is the most text that n bytes of a type become.
func valueRoom(typ byte, n int) int {
	switch typ {
	case typeString, typeXML:
		return textRoom(n)
	case typeANSI:
		return 3 * n
	case typeSID:
		return 16 + 11*(n/4+1) // "S-1-", the authority, ten digits and a dash for each 4 bytes
	}
	return 2*n + 40
}

// appendValue appends the text of one value that is neither null, an array nor binary XML.
// A value that is too short for its type, and a type nobody has documented, become binary: what is
// there is shown, and the record's other fields are not lost for it.
func appendValue(dst []byte, typ byte, b []byte) ([]byte, event.Kind) {
	if n := fixedSize(typ); n > 0 {
		if len(b) < n {
			return appendHex(dst, b), event.String
		}
		return appendFixed(dst, typ, b)
	}
	switch typ {
	case typeString, typeXML:
		return appendUTF16(dst, b), event.String
	case typeANSI:
		return appendANSI(dst, b), event.String
	case typeSID:
		return appendSID(dst, b), event.String
	case typeSize, typeHandle:
		switch len(b) {
		case 4:
			return appendHexInt(dst, uint64(le32(b))), event.String
		case 8:
			return appendHexInt(dst, le64(b)), event.String
		}
	}
	return appendHex(dst, b), event.String
}

func appendFixed(dst []byte, typ byte, b []byte) ([]byte, event.Kind) {
	switch typ {
	case typeInt8:
		return strconv.AppendInt(dst, int64(int8(b[0])), 10), event.Number
	case typeUint8:
		return strconv.AppendUint(dst, uint64(b[0]), 10), event.Number
	case typeInt16:
		return strconv.AppendInt(dst, int64(int16(le16(b))), 10), event.Number
	case typeUint16:
		return strconv.AppendUint(dst, uint64(le16(b)), 10), event.Number
	case typeInt32:
		return strconv.AppendInt(dst, int64(int32(le32(b))), 10), event.Number
	case typeUint32:
		return strconv.AppendUint(dst, uint64(le32(b)), 10), event.Number
	case typeInt64:
		return strconv.AppendInt(dst, int64(le64(b)), 10), event.Number
	case typeUint64:
		return strconv.AppendUint(dst, le64(b), 10), event.Number
	case typeFloat32:
		return appendFloat(dst, float64(math.Float32frombits(le32(b))), 32)
	case typeFloat64:
		return appendFloat(dst, math.Float64frombits(le64(b)), 64)
	case typeBool:
		return strconv.AppendBool(dst, le32(b) != 0), event.Bool
	case typeHex32:
		return appendHexInt(dst, uint64(le32(b))), event.String
	case typeHex64:
		return appendHexInt(dst, le64(b)), event.String
	case typeGUID:
		return appendGUID(dst, b), event.String
	case typeFileTime:
		return appendFileTime(dst, le64(b)), event.String
	}
	return appendSystemTime(dst, b), event.String
}

// appendFloat writes the shortest spelling that reads back; Windows' names for what is no number
// (EVTX, "Floating point").
func appendFloat(dst []byte, f float64, bits int) ([]byte, event.Kind) {
	switch {
	case math.IsNaN(f):
		return append(dst, "-1.#IND"...), event.String
	case math.IsInf(f, 1):
		return append(dst, "1.#INF"...), event.String
	case math.IsInf(f, -1):
		return append(dst, "-1.#INF"...), event.String
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, bits), event.Number
}

func appendHexInt(dst []byte, v uint64) []byte {
	return strconv.AppendUint(append(dst, '0', 'x'), v, 16)
}

const upperHex = "0123456789ABCDEF"

func appendHex(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, upperHex[c>>4], upperHex[c&15])
	}
	return dst
}

// guidOrder is the byte order of a GUID's text; the first three groups are little-endian.
var guidOrder = [16]byte{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}

func appendGUID(dst, b []byte) []byte {
	dst = append(dst, '{')
	for i, at := range guidOrder {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, upperHex[b[at]>>4], upperHex[b[at]&15])
	}
	return append(dst, '}')
}

// appendSID writes S-R-I-S... ([MS-DTYP] 2.4.2.1): the authority is decimal below 2^32, else hexadecimal.
func appendSID(dst, b []byte) []byte {
	if len(b) < 8 || len(b) < 8+4*int(b[1]) {
		return appendHex(dst, b)
	}
	dst = strconv.AppendUint(append(dst, "S-"...), uint64(b[0]), 10)
	dst = append(dst, '-')
	var authority uint64
	for _, c := range b[2:8] {
		authority = authority<<8 | uint64(c)
	}
	if authority < 1<<32 {
		dst = strconv.AppendUint(dst, authority, 10)
	} else {
		dst = append(dst, "0x"...)
		for _, c := range b[2:8] {
			dst = hex.AppendEncode(dst, []byte{c})
		}
	}
	for i := range int(b[1]) {
		dst = strconv.AppendUint(append(dst, '-'), uint64(le32(b[8+4*i:])), 10)
	}
	return dst
}

// appendANSI keeps what is UTF-8 and reads the rest as Latin-1: the code page is not recorded.
func appendANSI(dst, b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	if utf8.Valid(b) {
		return append(dst, b...)
	}
	for _, c := range b {
		dst = utf8.AppendRune(dst, rune(c))
	}
	return dst
}

// fileTimeEpoch is 1970 in seconds since 1601, the epoch of FILETIME.
const fileTimeEpoch = 11644473600

// fileTime converts 100 ns units since 1601-01-01 UTC.
func fileTime(v uint64) time.Time {
	return time.Unix(int64(v/1e7)-fileTimeEpoch, int64(v%1e7)*100).UTC()
}

func appendFileTime(dst []byte, v uint64) []byte {
	t := fileTime(v)
	year, month, day := t.Date()
	hour, minute, sec := t.Clock()
	dst = appendDigits(dst, uint(year), 4)
	dst = appendDigits(append(dst, '-'), uint(month), 2)
	dst = appendDigits(append(dst, '-'), uint(day), 2)
	dst = appendDigits(append(dst, 'T'), uint(hour), 2)
	dst = appendDigits(append(dst, ':'), uint(minute), 2)
	dst = appendDigits(append(dst, ':'), uint(sec), 2)
	dst = appendDigits(append(dst, '.'), uint(v%1e7), 7)
	return append(dst, 'Z')
}

// systemTime reads a SYSTEMTIME: year, month, weekday, day, hour, minute, second, millisecond.
func systemTime(b []byte) time.Time {
	return time.Date(int(le16(b)), time.Month(le16(b[2:])), int(le16(b[6:])),
		int(le16(b[8:])), int(le16(b[10:])), int(le16(b[12:])), int(le16(b[14:]))*1e6, time.UTC)
}

// appendSystemTime writes the numbers as they are: a nonsense date stays visible as one.
func appendSystemTime(dst, b []byte) []byte {
	dst = appendDigits(dst, uint(le16(b)), 4)
	dst = appendDigits(append(dst, '-'), uint(le16(b[2:])), 2)
	dst = appendDigits(append(dst, '-'), uint(le16(b[6:])), 2)
	dst = appendDigits(append(dst, 'T'), uint(le16(b[8:])), 2)
	dst = appendDigits(append(dst, ':'), uint(le16(b[10:])), 2)
	dst = appendDigits(append(dst, ':'), uint(le16(b[12:])), 2)
	dst = appendDigits(append(dst, '.'), uint(le16(b[14:])), 3)
	return append(dst, 'Z')
}

// appendDigits writes v in decimal with at least width digits.
func appendDigits(dst []byte, v uint, width int) []byte {
	var buf [20]byte
	i := len(buf)
	for v > 0 || width > 0 {
		i--
		buf[i] = byte('0' + v%10)
		v /= 10
		width--
	}
	return append(dst, buf[i:]...)
}
