package merkle

import (
	"encoding/binary"
	"fmt"
)

// MaxBundle is the size of the largest entry bundle in bytes.
const MaxBundle = TileWidth * (2 + MaxEntry)

// EncodeBundle encodes at most 256 entries as C2SP tlog-tiles does: each with its length as a u16 before it.
func EncodeBundle(entries [][]byte) ([]byte, error) {
	if len(entries) > TileWidth {
		return nil, fmt.Errorf("%d entries do not fit a bundle of %d", len(entries), TileWidth)
	}
	size := 0
	for _, e := range entries {
		size += 2 + len(e)
	}
	b := make([]byte, 0, size)
	for i, e := range entries {
		if len(e) > MaxEntry {
			return nil, fmt.Errorf("entry %d of the bundle has %d bytes, the limit is %d", i, len(e), MaxEntry)
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(e)))
		b = append(b, e...)
	}
	return b, nil
}

// ParseBundle splits a bundle into exactly width entries, which share data's memory.
func ParseBundle(data []byte, width int) ([][]byte, error) {
	if width < 1 || width > TileWidth {
		return nil, fmt.Errorf("a bundle has 1 to %d entries, not %d", TileWidth, width)
	}
	entries := make([][]byte, 0, width)
	for len(entries) < width {
		if len(data) < 2 {
			return nil, fmt.Errorf("bundle ends after %d of %d entries", len(entries), width)
		}
		n := int(binary.BigEndian.Uint16(data))
		data = data[2:]
		if len(data) < n {
			return nil, fmt.Errorf("bundle ends within entry %d of %d", len(entries), width)
		}
		entries = append(entries, data[:n:n])
		data = data[n:]
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("bundle has %d bytes after its %d entries", len(data), width)
	}
	return entries, nil
}
