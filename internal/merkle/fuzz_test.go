package merkle

import (
	"bytes"
	"strings"
	"testing"
)

func pathSeeds() []string {
	return []string{
		"checkpoint", "tile/0/000", "tile/0/000.p/1", "tile/1/999.p/255", "tile/0/x001/x234/067.p/8", "tile/63/000", "tile/entries/x001/234",
		"tile/entries/000.p/77", "tile/0/x000/001", "tile/0/000.p/256", "tile/00/000", "tile/0/x036/x028/x797/x018/x963/967", "tile/-1/000", "tile/data/000",
	}
}

func FuzzParsePath(f *testing.F) {
	for _, s := range pathSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s)
		if err != nil {
			return
		}
		if got := p.format(); got != s {
			t.Fatalf("%q was taken for %q", s, got)
		}
		if p.Kind != KindCheckpoint && (p.Tile.Width < 1 || p.Tile.Width > TileWidth || p.Tile.N > maxN) {
			t.Fatalf("%q: %+v", s, p)
		}
	})
}

func bundleSeeds() [][]byte {
	var seeds [][]byte
	for _, entries := range [][][]byte{
		{{}}, {{1}}, {{1, 2, 3}, {}, {4}}, slicesRepeat([]byte("x"), TileWidth), {bytes.Repeat([]byte{1}, MaxEntry)},
	} {
		b, _ := EncodeBundle(entries)
		seeds = append(seeds, b, b[:len(b)-1], append(b[:len(b):len(b)], 0))
	}
	return seeds
}

func FuzzParseBundle(f *testing.F) {
	for i, s := range bundleSeeds() {
		f.Add(s, i%5)
	}
	f.Fuzz(func(t *testing.T, data []byte, width int) {
		entries, err := ParseBundle(data, width)
		if err != nil {
			return
		}
		back, err := EncodeBundle(entries)
		if err != nil || !bytes.Equal(back, data) || len(entries) != width {
			t.Fatalf("%d entries of %d do not encode to what they came from: %v", len(entries), width, err)
		}
	})
}

func checkpointSeeds() []string {
	root := "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	sig := "\n— alpha/1 AAAAAAAA\n"
	return []string{
		"alpha/1\n0\n" + root + "\n" + sig, "alpha/1\n1\n" + root + "\nextension\n" + sig, "alpha/1\n01\n" + root + "\n" + sig, "alpha/1\n1\n" + root + "\n",
		"alpha/1\n9223372036854775807\n" + root + "\n" + sig + sig[1:], "\n\n\n", "alpha/1\n1\n" + strings.Repeat("A", 44) + "\n" + sig,
		"alpha/1\n1\n" + root + "\n\n" + sig, "— alpha/1 AAAAAAAA\n",
	}
}

func FuzzCheckpoint(f *testing.F) {
	s, v := testSigner(f, "alpha/1", 1)
	for _, seed := range checkpointSeeds() {
		f.Add([]byte(seed))
	}
	signed, err := SignCheckpoint(Checkpoint{Origin: "alpha/1", Size: 5, Root: EmptyRoot()}, s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Fuzz(func(t *testing.T, msg []byte) {
		if c, err := PeekCheckpoint(msg); err == nil {
			if back, err := ParseCheckpoint(c.Text()); err != nil || back.Text() != c.Text() || !bytes.HasPrefix(msg, []byte(c.Text())) {
				t.Fatalf("%q does not survive: %v", c.Text(), err)
			}
		}
		if c, _, err := OpenCheckpoint(msg, v); err == nil && (c.Origin != "alpha/1" || c.Size != 5 || c.Root != EmptyRoot()) {
			t.Fatalf("%+v was never signed", c)
		}
	})
}

// TestSeeds keeps the fuzz targets from running on nothing.
func TestSeeds(t *testing.T) {
	for name, n := range map[string]int{"paths": len(pathSeeds()), "bundles": len(bundleSeeds()), "checkpoints": len(checkpointSeeds())} {
		if n < 9 {
			t.Errorf("only %d seeds for %s", n, name)
		}
	}
}
