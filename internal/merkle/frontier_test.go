package merkle

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// oracle is the same tree as package tlog builds it.
type oracle []tlog.Hash

func (o oracle) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = o[x]
	}
	return out, nil
}

func newOracle(t testing.TB, leaves []Hash) oracle {
	t.Helper()
	var o oracle
	for n, leaf := range leaves {
		hashes, err := tlog.StoredHashesForRecordHash(int64(n), leaf, o)
		if err != nil {
			t.Fatal(err)
		}
		o = append(o, hashes...)
	}
	return o
}

func testLeaves(n int) []Hash {
	leaves := make([]Hash, n)
	for i := range leaves {
		leaves[i] = LeafHash(fmt.Appendf(nil, "entry %d", i))
	}
	return leaves
}

// applied is a store of tiles that checks how they change: wider, never different.
type applied map[[2]uint64][]byte

func (a applied) put(t testing.TB, tiles []TileData) {
	t.Helper()
	seen := map[[2]uint64]bool{}
	for _, d := range tiles {
		key := [2]uint64{uint64(d.Level), d.N}
		if seen[key] {
			t.Fatalf("tile %s given twice", d.Path())
		}
		seen[key] = true
		if len(d.Hashes) != d.Width*tlog.HashSize {
			t.Fatalf("tile %s has %d bytes", d.Path(), len(d.Hashes))
		}
		if old := a[key]; len(old) >= len(d.Hashes) || !bytes.HasPrefix(d.Hashes, old) {
			t.Fatalf("tile %s does not grow out of the one before", d.Path())
		}
		a[key] = d.Hashes
	}
}

func (a applied) read(t Tile) ([]byte, error) {
	data, ok := a[[2]uint64{uint64(t.Level), t.N}]
	if !ok {
		return nil, errors.New("no such tile")
	}
	return data, nil
}

// readExact gives the tile at the width asked for, as a server does.
func (a applied) readExact(t Tile) ([]byte, error) {
	data, err := a.read(t)
	if err == nil && len(data) < t.Width*tlog.HashSize {
		err = errors.New("tile is not that wide")
	}
	if err != nil {
		return nil, err
	}
	return data[:t.Width*tlog.HashSize], nil
}

func TestRootOfSmallTrees(t *testing.T) {
	leaves := testLeaves(600)
	o := newOracle(t, leaves)
	var f Frontier
	if f.Root() != EmptyRoot() {
		t.Fatal("the zero frontier's root is not the empty tree's")
	}
	for n, leaf := range leaves {
		f.Append(leaf)
		want, err := tlog.TreeHash(int64(n+1), o)
		if err != nil {
			t.Fatal(err)
		}
		if f.Root() != want || f.Size() != uint64(n+1) {
			t.Fatalf("size %d: root %v, want %v", f.Size(), f.Root(), want)
		}
	}
}

// TestExtendAgainstTlog appends runs of random length and compares, after each, roots, every tile that
// tlog would publish, consistency proofs read through the tiles, and the frontier rebuilt from them.
func TestExtendAgainstTlog(t *testing.T) {
	const total = 70_000 // past 65,536, so that level 2 begins
	leaves := testLeaves(total)
	o := newOracle(t, leaves)
	rng := rand.New(rand.NewPCG(1, 2))
	f, tiles := &Frontier{}, applied{}
	var sizes []int64
	for f.Size() < total {
		run := 1 + rng.IntN(3)
		switch rng.IntN(4) {
		case 0:
			run = 1 + rng.IntN(300)
		case 1:
			run = 1 + rng.IntN(9000)
		}
		old := f.Size()
		run = min(run, total-int(old))
		changed := f.Extend(leaves[old : old+uint64(run)])
		tiles.put(t, changed)
		checkChanged(t, o, old, f.Size(), changed)

		loaded, err := LoadFrontier(f.Size(), tiles.read)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := tlog.TreeHash(int64(f.Size()), o)
		if f.Root() != want || loaded.Root() != want {
			t.Fatalf("size %d: root %v, from tiles %v, want %v", f.Size(), f.Root(), loaded.Root(), want)
		}
		if !slices.EqualFunc(loaded.Edges(), f.Edges(), func(a, b TileData) bool {
			return a.Tile == b.Tile && bytes.Equal(a.Hashes, b.Hashes)
		}) {
			t.Fatalf("size %d: edges differ after loading", f.Size())
		}
		if rng.IntN(2) == 0 {
			f = loaded // go on with what a restart would have
		}
		sizes = append(sizes, int64(f.Size()))
	}
	checkProofs(t, o, tiles, sizes)
}

func checkChanged(t *testing.T, o oracle, old, size uint64, changed []TileData) {
	t.Helper()
	want := tlog.NewTiles(TileHeight, int64(old), int64(size))
	if len(want) != len(changed) {
		t.Fatalf("%d to %d: %d tiles changed, want %d", old, size, len(changed), len(want))
	}
	for _, w := range want {
		i := slices.IndexFunc(changed, func(d TileData) bool {
			return d.Tile == Tile{Level: w.L, N: uint64(w.N), Width: w.W}
		})
		data, err := tlog.ReadTileData(w, o)
		if i < 0 || err != nil || !bytes.Equal(data, changed[i].Hashes) {
			t.Fatalf("%d to %d: tile %s is missing or wrong (%v)", old, size, w.Path(), err)
		}
	}
}

func checkProofs(t *testing.T, o oracle, tiles applied, sizes []int64) {
	t.Helper()
	last := sizes[len(sizes)-1]
	root, _ := tlog.TreeHash(last, o)
	reader := tlog.TileHashReader(tlog.Tree{N: last, Hash: root}, TileReader(tiles.readExact))
	for _, n := range sizes[:len(sizes)-1] {
		proof, err := tlog.ProveTree(last, n, reader)
		if err != nil {
			t.Fatalf("proof from %d: %v", n, err)
		}
		older, _ := tlog.TreeHash(n, o)
		if err := tlog.CheckTree(proof, last, root, n, older); err != nil {
			t.Fatalf("proof from %d: %v", n, err)
		}
	}
}

func TestCloneIsIndependent(t *testing.T) {
	leaves := testLeaves(1000)
	f := &Frontier{}
	f.Extend(leaves[:700])
	root := f.Root()
	c := f.Clone()
	c.Extend(leaves[700:])
	if f.Root() != root || f.Size() != 700 {
		t.Fatal("extending a clone changed the original")
	}
	f.Extend(leaves[700:])
	if f.Root() != c.Root() {
		t.Fatal("clone and original disagree about the same leaves")
	}
}

func TestLoadFrontierRefuses(t *testing.T) {
	missing := errors.New("no such tile")
	for name, tc := range map[string]struct {
		size uint64
		read func(Tile) ([]byte, error)
	}{
		"missing tile": {5, func(Tile) ([]byte, error) { return nil, missing }},
		"narrow tile":  {5, func(Tile) ([]byte, error) { return make([]byte, 4*32), nil }},
		"ragged tile":  {5, func(Tile) ([]byte, error) { return make([]byte, 5*32+1), nil }},
		"empty tile":   {1 << 40, func(t Tile) ([]byte, error) { return nil, nil }},
		"huge size":    {1 << 63, func(t Tile) ([]byte, error) { return make([]byte, 256*32), nil }},
	} {
		if _, err := LoadFrontier(tc.size, tc.read); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func BenchmarkExtend(b *testing.B) {
	leaves := testLeaves(512)
	f := &Frontier{}
	for b.Loop() {
		f.Clone().Extend(leaves)
		f.Append(leaves[0])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/512, "ns/leaf")
}
