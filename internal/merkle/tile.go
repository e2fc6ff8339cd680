package merkle

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// The shape of tiles in C2SP tlog-tiles.
const (
	// TileHeight is the number of tree levels in a tile.
	TileHeight = 8
	// TileWidth is the number of hashes in a complete tile and of entries in a complete bundle.
	TileWidth = 1 << TileHeight
)

const (
	maxLevel = 63                    // "between 0 and 63" (tlog-tiles, "Merkle Tree")
	maxN     = MaxSize >> TileHeight // beyond it no tree of at most MaxSize leaves has a tile
)

// Tile names a tile: Width hashes from number N*256 on, at tree level Level*8.
type Tile struct {
	Level int
	N     uint64
	Width int // 1 to 256; below 256 the tile is partial
}

// TileFor returns the tile of that level and number in a tree of the given size, as wide as that tree has
// it; false where it has none. Only complete subtrees count at the levels above 0.
func TileFor(level int, n, size uint64) (Tile, bool) {
	if level < 0 || level > maxLevel || n > maxN {
		return Tile{}, false
	}
	hashes, first := size>>(TileHeight*level), n<<TileHeight
	if first >= hashes {
		return Tile{}, false
	}
	return Tile{Level: level, N: n, Width: int(min(hashes-first, TileWidth))}, true
}

// In reports whether the tree of the given size has all of the tile.
func (t Tile) In(size uint64) bool {
	whole, ok := TileFor(t.Level, t.N, size)
	return ok && t.Width >= 1 && t.Width <= whole.Width
}

// Path is the tile's path below the log's prefix, such as tile/0/x001/234.p/5.
func (t Tile) Path() string {
	return "tile/" + strconv.Itoa(t.Level) + "/" + numberPath(t.N, t.Width)
}

// BundlePath is the path of an entry bundle below the log's prefix: width entries from n*256 on.
func BundlePath(n uint64, width int) string { return "tile/entries/" + numberPath(n, width) }

// CheckpointPath is the path of a log's checkpoint below its prefix.
const CheckpointPath = "checkpoint"

// numberPath encodes a number three digits at a time, all but the last element marked with an x, and the
// width of a partial tile.
func numberPath(n uint64, width int) string {
	p := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		p = fmt.Sprintf("x%03d/%s", n%1000, p)
	}
	if width != TileWidth {
		p += ".p/" + strconv.Itoa(width)
	}
	return p
}

// Kind tells what a path names.
type Kind int

// What a log serves.
const (
	KindCheckpoint Kind = iota + 1
	KindTile
	KindEntries
)

// Path is a parsed path of a log: for a tile Tile, for a bundle Tile at level 0, which has the same number
// and width.
type Path struct {
	Kind Kind
	Tile Tile
}

// ErrPath is the error of a path that C2SP tlog-tiles does not know.
var ErrPath = errors.New("not a path of a log")

// ParsePath parses a path below a log's prefix. It is strict: each resource has one spelling, so that
// caches and access rules see one name.
func ParsePath(path string) (Path, error) {
	bad := fmt.Errorf("%w: %.100q", ErrPath, path)
	if path == CheckpointPath {
		return Path{Kind: KindCheckpoint}, nil
	}
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok || len(path) > maxPath {
		return Path{}, bad
	}
	what, number, ok := strings.Cut(rest, "/")
	if !ok {
		return Path{}, bad
	}
	p := Path{Kind: KindEntries}
	if what != "entries" {
		level, err := strconv.Atoi(what)
		if err != nil || level < 0 || level > maxLevel || strconv.Itoa(level) != what {
			return Path{}, bad
		}
		p.Kind, p.Tile.Level = KindTile, level
	}
	if p.Tile.N, p.Tile.Width, ok = parseNumber(number); !ok {
		return Path{}, bad
	}
	return p, nil
}

// maxPath bounds the work on a hostile path; the longest true one is shorter.
const maxPath = 64

func parseNumber(s string) (n uint64, width int, ok bool) {
	width = TileWidth
	if num, w, partial := strings.Cut(s, ".p/"); partial {
		var err error
		width, err = strconv.Atoi(w)
		if err != nil || width < 1 || width >= TileWidth {
			return 0, 0, false
		}
		s = num
		if strconv.Itoa(width) != w {
			return 0, 0, false
		}
	}
	elements := strings.Split(s, "/")
	for i, e := range elements {
		if i < len(elements)-1 {
			if e, ok = strings.CutPrefix(e, "x"); !ok {
				return 0, 0, false
			}
		}
		if len(e) != 3 || strings.Trim(e, "0123456789") != "" || n > maxN/1000 {
			return 0, 0, false
		}
		d, _ := strconv.ParseUint(e, 10, 16) // three digits always parse
		n = n*1000 + d
	}
	// A number padded with leading x000 elements has a second spelling.
	if len(elements) > 1 && elements[0] == "x000" || n > maxN {
		return 0, 0, false
	}
	return n, width, true
}

// TileReader adapts read to tlog's TileReader, so that tlog.TileHashReader authenticates what an untrusted
// server sends against a signed root.
func TileReader(read func(Tile) ([]byte, error)) tlog.TileReader { return tileReader(read) }

type tileReader func(Tile) ([]byte, error)

func (tileReader) Height() int { return TileHeight }

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		var err error
		if data[i], err = r(Tile{Level: t.L, N: uint64(t.N), Width: t.W}); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// SaveTiles has nothing to do: whoever wants the tiles keeps them in read.
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}
