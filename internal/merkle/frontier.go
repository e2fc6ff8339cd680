package merkle

import (
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Frontier is the right edge of a tree: all that is needed to append leaves, to tell the root and to write
// the tiles that change. It holds O(log n) hashes and, per tile level, the incomplete tile. The zero value
// is the empty tree. It is not safe for concurrent use.
type Frontier struct {
	size  uint64
	peaks []Hash   // roots of the complete subtrees, largest (leftmost) first
	edges [][]Hash // edges[l] is level l's incomplete tile: fewer than TileWidth hashes
}

// TileData is a tile with its hashes.
type TileData struct {
	Tile
	Hashes []byte // Width * 32 bytes
}

// Size is the number of leaves.
func (f *Frontier) Size() uint64 { return f.size }

// Root is the tree's root hash (RFC 6962, section 2.1).
func (f *Frontier) Root() Hash {
	if len(f.peaks) == 0 {
		return EmptyRoot()
	}
	last := len(f.peaks) - 1
	root := f.peaks[last]
	for i := last - 1; i >= 0; i-- {
		root = tlog.NodeHash(f.peaks[i], root)
	}
	return root
}

// Clone returns an independent copy.
func (f *Frontier) Clone() *Frontier {
	c := &Frontier{size: f.size, peaks: slices.Clone(f.peaks), edges: make([][]Hash, len(f.edges))}
	for l := range f.edges {
		c.edges[l] = slices.Clone(f.edges[l])
	}
	return c
}

// Append adds one leaf.
func (f *Frontier) Append(leaf Hash) { f.append(leaf, func(int, []Hash) {}) }

// Extend adds leaves and returns the tiles that this changes, each once and at its new width: level 0
// always, a higher level only when tiles below it became complete.
func (f *Frontier) Extend(leaves []Hash) []TileData {
	var tiles []TileData
	before := f.size
	for _, leaf := range leaves {
		n := f.size // the leaf's index: its tile of any level is the one that completes
		f.append(leaf, func(level int, hashes []Hash) {
			tiles = append(tiles, tileData(level, n>>(TileHeight*(level+1)), hashes))
		})
	}
	for l, edge := range f.edges {
		if len(edge) > 0 && before>>(TileHeight*l) != f.size>>(TileHeight*l) {
			tiles = append(tiles, tileData(l, f.size>>(TileHeight*(l+1)), edge))
		}
	}
	return tiles
}

// Edges returns the incomplete tiles, lowest level first: what LoadFrontier needs to continue.
func (f *Frontier) Edges() []TileData {
	var tiles []TileData
	for l, edge := range f.edges {
		if len(edge) > 0 {
			tiles = append(tiles, tileData(l, f.size>>(TileHeight*(l+1)), edge))
		}
	}
	return tiles
}

// append adds a leaf and calls full for every tile that it completes; full must not keep hashes.
func (f *Frontier) append(leaf Hash, full func(level int, hashes []Hash)) {
	f.edge(0, leaf, full)
	h, level := leaf, 0
	// Each trailing 1 bit of the leaf's index is a complete subtree to its left of the same height.
	for n := f.size; n&1 == 1; n >>= 1 {
		last := len(f.peaks) - 1
		h = tlog.NodeHash(f.peaks[last], h)
		f.peaks = f.peaks[:last]
		if level++; level%TileHeight == 0 {
			f.edge(level/TileHeight, h, full)
		}
	}
	f.peaks = append(f.peaks, h)
	f.size++
}

// edge adds a hash to a level's incomplete tile and empties the tile when that completes it.
func (f *Frontier) edge(level int, h Hash, full func(int, []Hash)) {
	if level == len(f.edges) {
		f.edges = append(f.edges, make([]Hash, 0, TileWidth))
	}
	f.edges[level] = append(f.edges[level], h)
	if len(f.edges[level]) == TileWidth {
		full(level, f.edges[level])
		f.edges[level] = f.edges[level][:0]
	}
}

// LoadFrontier rebuilds the frontier of the tree of the given size from its incomplete tiles. read returns
// a tile's hashes; more than the width asked for is fine, for tiles grow. What it reads is not verified:
// compare the root with a signed checkpoint.
func LoadFrontier(size uint64, read func(Tile) ([]byte, error)) (*Frontier, error) {
	if size > MaxSize {
		return nil, fmt.Errorf("tree size %d is over the limit", size)
	}
	f := &Frontier{size: size}
	for l := 0; size>>(TileHeight*l) > 0; l++ {
		edge := make([]Hash, 0, TileWidth)
		if w := int(size >> (TileHeight * l) % TileWidth); w > 0 {
			t := Tile{Level: l, N: size >> (TileHeight * (l + 1)), Width: w}
			data, err := read(t)
			if err != nil {
				return nil, fmt.Errorf("reading %s: %w", t.Path(), err)
			}
			if edge, err = parseHashes(edge, data, w); err != nil {
				return nil, fmt.Errorf("reading %s: %w", t.Path(), err)
			}
		}
		f.edges = append(f.edges, edge)
	}
	for l := len(f.edges) - 1; l >= 0; l-- {
		f.peaks = appendPeaks(f.peaks, f.edges[l])
	}
	return f, nil
}

// appendPeaks appends the roots of the complete subtrees over hashes, largest first.
func appendPeaks(peaks, hashes []Hash) []Hash {
	for len(hashes) > 0 {
		n := 1 << (bits.Len(uint(len(hashes))) - 1)
		peaks = append(peaks, subtree(hashes[:n]))
		hashes = hashes[n:]
	}
	return peaks
}

// subtree is the root over a power of two of hashes.
func subtree(hashes []Hash) Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := len(hashes) / 2
	return tlog.NodeHash(subtree(hashes[:half]), subtree(hashes[half:]))
}

func parseHashes(dst []Hash, data []byte, n int) ([]Hash, error) {
	if len(data)%tlog.HashSize != 0 || len(data) < n*tlog.HashSize {
		return nil, fmt.Errorf("%d bytes do not hold %d hashes", len(data), n)
	}
	for ; n > 0; n-- {
		dst = append(dst, Hash(data[:tlog.HashSize]))
		data = data[tlog.HashSize:]
	}
	return dst, nil
}

func tileData(level int, n uint64, hashes []Hash) TileData {
	data := make([]byte, 0, len(hashes)*tlog.HashSize)
	for _, h := range hashes {
		data = append(data, h[:]...)
	}
	return TileData{Tile{Level: level, N: n, Width: len(hashes)}, data}
}
