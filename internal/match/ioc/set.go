// Package ioc holds millions of hashed values in flat memory: an immutable set that readers search
// without locks or allocations, and of which a writer makes the next one by copying the few parts
// that change.
//
// A set is cut into shards by hash. A shard is one sorted run of pointer-free cells with a filter and
// an index, so the garbage collector has a few thousand objects to look at, however many values there
// are. Adding a value copies its shard (some 50 KB at ten million values) and the directory of shards;
// so there is no delta beside the base, no merge in the background and nothing to give back later.
//
// Values are not kept. A cell holds 64 bits of a hash under keys drawn for each set, beside 12 other
// bits that choose the shard, so nobody outside can make values that collide. A lookup of a value that
// is not there meets one by accident with a probability of cells-in-a-shard / 2^64: 1.3e-16 at ten
// million values, once in a century at 2.5 million lookups a second.
package ioc

import (
	"cmp"
	"hash/maphash"
	"math/bits"
	"slices"
)

const (
	shardBits = 12
	shards    = 1 << shardBits
	// groupCells is how many cells stand between two entries of a shard's index, on average.
	groupCells = 8
	// filterCells is how many cells share a word of a shard's filter, on average: 8 bits a cell.
	filterCells = 8
)

// Key is a value's hash in one family of sets.
type Key struct {
	print uint64
	shard uint16
}

// Shard is the part of the set that the key lies in, for Drop.
func (k Key) Shard() uint16 { return k.shard }

// Cell is what a set knows about a value: whose it is and what the owner calls it. The meaning of Owner
// and Note is the user's.
type Cell struct {
	print uint64
	Owner uint32
	Note  uint32
}

// ID tells cells of one owner apart.
func (c Cell) ID() uint64 { return c.print }

// Entry is a value to be added.
type Entry struct {
	Key
	Owner, Note uint32
}

// Set is immutable. Sets made from one another by Edit share the hash's keys.
type Set struct {
	seeds [2]maphash.Seed
	dir   *[shards]*shard
	count int
}

type shard struct {
	cells  []Cell   // sorted by print, then owner, then note; none twice
	index  []uint32 // where each group of prints begins; one more at the end
	filter []uint64 // a Bloom filter with one word a print
}

// New makes an empty set with keys of its own.
func New() *Set {
	return &Set{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, dir: new([shards]*shard)}
}

// Len counts the cells.
func (s *Set) Len() int { return s.count }

// Key hashes a value. Values of different kinds never meet.
func (s *Set) Key(kind uint8, value []byte) Key {
	mixed := uint64(kind) * 0x9e3779b97f4a7c15 // an odd constant: kinds differ in every position
	return Key{
		print: maphash.Bytes(s.seeds[0], value) + mixed,
		shard: uint16((maphash.Bytes(s.seeds[1], value) + mixed) >> (64 - shardBits)),
	}
}

// Find returns the cells of a value; they belong to the set and must not be written to.
func (s *Set) Find(k Key) []Cell {
	part := s.dir[k.shard]
	if part == nil || !part.mayHold(k.print) {
		return nil
	}
	group, _ := bits.Mul64(k.print, uint64(len(part.index)-1))
	for i, end := part.index[group], part.index[group+1]; i < end; i++ {
		if part.cells[i].print != k.print {
			continue
		}
		last := i + 1
		for last < end && part.cells[last].print == k.print {
			last++
		}
		return part.cells[i:last:last]
	}
	return nil
}

func (p *shard) mayHold(print uint64) bool {
	word, mask := place(print, len(p.filter))
	return p.filter[word]&mask == mask
}

// place gives a print's word in a filter and its four bits there.
func place(print uint64, words int) (int, uint64) {
	word, _ := bits.Mul64(bits.RotateLeft64(print, 32), uint64(words))
	return int(word), 1<<(print&63) | 1<<(print>>6&63) | 1<<(print>>12&63) | 1<<(print>>18&63)
}

// Edit makes the next set: without the cells that drop says, with the entries, each once. drop is asked
// about the cells of the shards that gain something and of those named; nil names all. removed is called
// for each cell that goes and added for each that comes; either may be nil, as may drop.
func (s *Set) Edit(add []Entry, named []uint16, all bool, drop func(Cell) bool, removed, added func(Cell)) *Set {
	next := &Set{seeds: s.seeds, dir: new([shards]*shard), count: s.count}
	*next.dir = *s.dir
	fresh, starts := byShard(add)
	touched := new([shards]bool)
	for _, i := range named {
		touched[i] = true
	}
	for i := range shards {
		mine := fresh[starts[i]:starts[i+1]]
		if !all && !touched[i] && len(mine) == 0 {
			continue
		}
		old := next.dir[i]
		kept := old.without(drop, removed)
		if len(mine) == 0 && (old == nil || len(kept) == len(old.cells)) {
			continue
		}
		cells := merge(kept, mine, added)
		next.dir[i] = newShard(cells)
		next.count += len(cells)
		if old != nil {
			next.count -= len(old.cells)
		}
	}
	return next
}

// byShard sorts entries: by shard, and inside one in the order of its cells.
func byShard(add []Entry) ([]Cell, *[shards + 1]int) {
	var starts, at [shards + 1]int
	for i := range add {
		starts[add[i].shard+1]++
	}
	for i := range shards {
		starts[i+1] += starts[i]
	}
	at = starts
	cells := make([]Cell, len(add))
	for i := range add {
		e := &add[i]
		cells[at[e.shard]] = Cell{print: e.print, Owner: e.Owner, Note: e.Note}
		at[e.shard]++
	}
	for i := range shards {
		slices.SortFunc(cells[starts[i]:starts[i+1]], compare)
	}
	return cells, &starts
}

func compare(a, b Cell) int {
	if a.print != b.print {
		return cmp.Compare(a.print, b.print)
	}
	return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Note, b.Note))
}

// without returns the shard's cells that stay; where all do, the very same ones.
func (p *shard) without(drop func(Cell) bool, removed func(Cell)) []Cell {
	if p == nil {
		return nil
	}
	if drop == nil {
		return p.cells
	}
	first := slices.IndexFunc(p.cells, drop)
	if first < 0 {
		return p.cells
	}
	kept := slices.Clone(p.cells[:first])
	for _, c := range p.cells[first:] {
		if !drop(c) {
			kept = append(kept, c)
		} else if removed != nil {
			removed(c)
		}
	}
	return kept
}

// merge joins two sorted runs; the result fits its memory.
func merge(old, fresh []Cell, added func(Cell)) []Cell {
	out := make([]Cell, 0, len(old)+len(fresh))
	for len(fresh) > 0 {
		order := -1
		if len(old) == 0 {
			order = 1
		} else {
			order = compare(old[0], fresh[0])
		}
		if order < 0 {
			out, old = append(out, old[0]), old[1:]
			continue
		}
		one := fresh[0]
		fresh = fresh[1:]
		if n := len(out); order == 0 || n > 0 && out[n-1] == one {
			continue // known already
		}
		out = append(out, one)
		if added != nil {
			added(one)
		}
	}
	return append(out, old...)
}

// newShard makes a shard of sorted cells; none of nothing.
func newShard(cells []Cell) *shard {
	if len(cells) == 0 {
		return nil
	}
	groups := max(1, len(cells)/groupCells)
	p := &shard{cells: cells, index: make([]uint32, groups+1), filter: make([]uint64, max(1, len(cells)/filterCells))}
	next := 0 // the first group that has no beginning yet
	for i := range cells {
		group, _ := bits.Mul64(cells[i].print, uint64(groups))
		for ; next <= int(group); next++ {
			p.index[next] = uint32(i)
		}
		word, mask := place(cells[i].print, len(p.filter))
		p.filter[word] |= mask
	}
	for ; next <= groups; next++ {
		p.index[next] = uint32(len(cells))
	}
	return p
}

// Bytes is what the set's memory comes to, without what the allocator rounds up.
func (s *Set) Bytes() int {
	total := shards * 8
	for _, p := range s.dir {
		if p != nil {
			total += 3*24 + 16*len(p.cells) + 4*len(p.index) + 8*len(p.filter)
		}
	}
	return total
}
