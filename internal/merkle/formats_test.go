package merkle

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

func TestPaths(t *testing.T) {
	for path, want := range map[string]Path{
		"checkpoint":                        {Kind: KindCheckpoint},
		"tile/0/000":                        {KindTile, Tile{0, 0, 256}},
		"tile/0/000.p/1":                    {KindTile, Tile{0, 0, 1}},
		"tile/1/999.p/255":                  {KindTile, Tile{1, 999, 255}},
		"tile/0/x001/000":                   {KindTile, Tile{0, 1000, 256}},
		"tile/0/x001/x234/067.p/8":          {KindTile, Tile{0, 1234067, 8}},
		"tile/63/000":                       {KindTile, Tile{63, 0, 256}},
		"tile/entries/x001/234":             {KindEntries, Tile{0, 1234, 256}},
		"tile/entries/000.p/77":             {KindEntries, Tile{0, 0, 77}},
		"tile/0/x036/x028/x797/x018/963/.p": {},
		"tile/0/x036/x028/x797/x018/x963/967": {KindTile,
			Tile{0, maxN, 256}},
	} {
		got, err := ParsePath(path)
		if want.Kind == 0 {
			if err == nil {
				t.Errorf("%s: accepted", path)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", path, got, err, want)
		}
		if back := got.format(); back != path {
			t.Errorf("%s: formats as %s", path, back)
		}
	}
	if maxN != 36028797018963967 {
		t.Errorf("the limit of tile numbers is %d", uint64(maxN))
	}
}

// format spells a parsed path again.
func (p Path) format() string {
	switch p.Kind {
	case KindCheckpoint:
		return CheckpointPath
	case KindEntries:
		return BundlePath(p.Tile.N, p.Tile.Width)
	}
	return p.Tile.Path()
}

func TestParsePathRefuses(t *testing.T) {
	for _, path := range []string{
		"", "/", "checkpoint/", "/checkpoint", "Checkpoint", "tile", "tile/", "tile/0", "tile/0/", "tile//000",
		"tile/00/000", "tile/+1/000", "tile/-1/000", "tile/64/000", "tile/data/000", "tile/0/0", "tile/0/00", "tile/0/0000",
		"tile/0/x000/001", "tile/0/001/002", "tile/0/x001", "tile/0/x001/x002", "tile/0/x1/002", "tile/0/-01", "tile/0/+01",
		"tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/00", "tile/0/000.p/01", "tile/0/000.p/256",
		"tile/0/000.p/-1", "tile/0/000.p/1/2", "tile/0/000.p/1.p/2", "tile/0/000/", "tile/0/000?x", "tile/0/../000",
		"tile/entries", "tile/entries/", "tile/entries/1", "tile/Entries/000", "tile/0/٠٠٠", "tile/0/000\x00",
		"tile/0/x036/x028/x797/x018/x963/968", "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
		"tile/0/" + strings.Repeat("x000/", 20) + "000",
	} {
		if p, err := ParsePath(path); !errors.Is(err, ErrPath) {
			t.Errorf("%q: %+v, %v", path, p, err)
		}
	}
}

func TestTileFor(t *testing.T) {
	for _, tc := range []struct {
		level   int
		n, size uint64
		width   int // 0: no such tile
	}{
		{0, 0, 0, 0}, {0, 0, 1, 1}, {0, 0, 256, 256}, {0, 1, 256, 0}, {0, 1, 257, 1}, {1, 0, 255, 0}, {1, 0, 256, 1},
		{1, 0, 65_535, 255}, {1, 0, 65_536, 256}, {2, 0, 65_536, 1}, {63, 0, MaxSize, 0}, {7, 0, MaxSize, 127},
		{0, math.MaxUint64, MaxSize, 0}, {0, maxN, MaxSize, 255}, {-1, 0, 5, 0}, {64, 0, 5, 0},
	} {
		got, ok := TileFor(tc.level, tc.n, tc.size)
		if ok != (tc.width > 0) || got.Width != tc.width {
			t.Errorf("level %d, n %d, size %d: %+v, %v", tc.level, tc.n, tc.size, got, ok)
		}
		if ok && (!got.In(tc.size) || (Tile{got.Level, got.N, 0}).In(tc.size) || tc.width < 256 && (Tile{got.Level, got.N, tc.width + 1}).In(tc.size)) {
			t.Errorf("level %d, n %d, size %d: In disagrees", tc.level, tc.n, tc.size)
		}
	}
}

func TestBundle(t *testing.T) {
	entries := [][]byte{{}, []byte("a"), bytes.Repeat([]byte{7}, MaxEntry)}
	data, err := EncodeBundle(entries)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseBundle(data, 3)
	if err != nil || len(back) != 3 {
		t.Fatal(len(back), err)
	}
	for i := range entries {
		if !bytes.Equal(entries[i], back[i]) {
			t.Errorf("entry %d changed", i)
		}
	}
	for name, width := range map[string]int{"fewer": 2, "more": 4, "none": 0, "too many": 257, "negative": -1} {
		if _, err := ParseBundle(data, width); err == nil {
			t.Errorf("%s entries than there are: accepted", name)
		}
	}
	if _, err := ParseBundle(data[:len(data)-1], 3); err == nil {
		t.Error("truncated bundle: accepted")
	}
	if _, err := EncodeBundle([][]byte{make([]byte, MaxEntry+1)}); err == nil {
		t.Error("oversized entry: encoded")
	}
	if _, err := EncodeBundle(make([][]byte, TileWidth+1)); err == nil {
		t.Error("257 entries: encoded")
	}
	full, err := EncodeBundle(slicesRepeat(entries[2], TileWidth))
	if err != nil || len(full) != MaxBundle {
		t.Errorf("largest bundle has %d bytes, %v", len(full), err)
	}
}

func slicesRepeat(e []byte, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = e
	}
	return out
}

func testKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func testSigner(t testing.TB, name string, seed byte) (note.Signer, note.Verifier) {
	t.Helper()
	key := testKey(seed)
	s, err := NewSigner(name, key)
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func TestCheckpointRoundTrip(t *testing.T) {
	key := testKey(1)
	id := LogID("alpha", key.Public().(ed25519.PublicKey))
	if !strings.HasPrefix(id, "alpha/") || len(id) != len("alpha/")+32 {
		t.Fatalf("log id %q", id)
	}
	s, v := testSigner(t, id, 1)
	// The note package's own verifier must agree with ours about key hash and signature.
	vkey, err := note.NewEd25519VerifierKey(id, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := note.NewVerifier(vkey)
	if err != nil || theirs.KeyHash() != v.KeyHash() || s.KeyHash() != v.KeyHash() {
		t.Fatalf("key hash %08x, package note says %08x (%v)", v.KeyHash(), theirs.KeyHash(), err)
	}
	want := Checkpoint{Origin: id, Size: 123456789, Root: LeafHash([]byte("x")), Extensions: []string{"more", "lines"}}
	msg, err := SignCheckpoint(want, s)
	if err != nil {
		t.Fatal(err)
	}
	for name, known := range map[string]note.Verifier{"ours": v, "package note's": theirs} {
		got, n, err := OpenCheckpoint(msg, known)
		if err != nil || got.Text() != want.Text() || len(n.Sigs) != 1 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := PeekCheckpoint(msg); err != nil || got.Text() != want.Text() {
		t.Errorf("peek: %+v, %v", got, err)
	}
}

func TestCheckpointCosigned(t *testing.T) {
	s, v := testSigner(t, "alpha/1", 1)
	ws, wv := testSigner(t, "bravo/witness", 2)
	c := Checkpoint{Origin: "alpha/1", Size: 1, Root: EmptyRoot()}
	msg, err := SignCheckpoint(c, s, ws)
	if err != nil {
		t.Fatal(err)
	}
	if _, n, err := OpenCheckpoint(msg, v); err != nil || len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 1 {
		t.Errorf("with an unknown cosignature: %v, %+v", err, n)
	}
	if _, n, err := OpenCheckpoint(msg, v, wv); err != nil || len(n.Sigs) != 2 {
		t.Errorf("with a known cosignature: %v, %+v", err, n)
	}
	only, err := SignCheckpoint(c, ws)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenCheckpoint(only, v, wv); err == nil {
		t.Error("a cosignature alone was taken for the log's")
	}
}

func TestOpenCheckpointRefuses(t *testing.T) {
	s, v := testSigner(t, "alpha/1", 1)
	other, _ := testSigner(t, "alpha/1", 2)
	good := Checkpoint{Origin: "alpha/1", Size: 9, Root: EmptyRoot()}
	sign := func(c Checkpoint, s note.Signer) []byte {
		msg, err := SignCheckpoint(c, s)
		if err != nil {
			t.Fatal(err)
		}
		return msg
	}
	msg := sign(good, s)
	flipped := bytes.Replace(msg, []byte("\n9\n"), []byte("\n8\n"), 1)
	notCheckpoint, err := note.Sign(&note.Note{Text: "alpha/1\n"}, s)
	if err != nil {
		t.Fatal(err)
	}
	for name, msg := range map[string][]byte{
		"empty":            nil,
		"other key":        sign(good, other),
		"other origin":     sign(Checkpoint{Origin: "bravo/1", Size: 9}, s),
		"changed size":     flipped,
		"no signature":     []byte(good.Text()),
		"not a checkpoint": notCheckpoint,
		"too long":         append(make([]byte, MaxCheckpoint), msg...),
	} {
		if _, _, err := OpenCheckpoint(msg, v); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestParseCheckpointRefuses(t *testing.T) {
	root := "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	if _, err := ParseCheckpoint("a\n0\n" + root + "\n"); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"", "\n", "a\n", "a\n1\n", "a\n1\n" + root, "\n1\n" + root + "\n", "a\n01\n" + root + "\n", "a\n+1\n" + root + "\n", "a\n-1\n" + root + "\n",
		"a\n9223372036854775808\n" + root + "\n", "a\n1 \n" + root + "\n", "a\n1\nAAAA\n", "a\n1\n" + root[:43] + "\n", "a\n1\n" + root + "\r\n",
		"a\n1\n" + root[:42] + "V=\n", "a\n1\n" + root + "\n\n", "a\n1\n" + root + "\n\nx\n", "a\n1\n" + root + "\n" + strings.Repeat("x\n", MaxCheckpoint),
	} {
		if c, err := ParseCheckpoint(text); err == nil {
			t.Errorf("%q: %+v", text, c)
		}
	}
}

func TestSignCheckpointRefuses(t *testing.T) {
	s, _ := testSigner(t, "alpha/1", 1)
	for name, c := range map[string]Checkpoint{
		"empty origin":       {Size: 1},
		"origin of lines":    {Origin: "a\n1", Size: 1},
		"size over limit":    {Origin: "a", Size: 1 << 63},
		"empty extension":    {Origin: "a", Extensions: []string{""}},
		"extension of lines": {Origin: "a", Extensions: []string{"x\n\ny"}},
	} {
		if _, err := SignCheckpoint(c, s); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

func TestKeyNames(t *testing.T) {
	for _, name := range []string{"", "a b", "a+b", "a\nb", "\xff"} {
		if _, err := NewSigner(name, testKey(1)); err == nil {
			t.Errorf("signer named %q", name)
		}
		if _, err := NewVerifier(name, testKey(1).Public().(ed25519.PublicKey)); err == nil {
			t.Errorf("verifier named %q", name)
		}
	}
	if _, err := NewSigner("a", testKey(1)[:5]); err == nil {
		t.Error("short private key accepted")
	}
	if _, err := NewVerifier("a", make([]byte, 31)); err == nil {
		t.Error("short public key accepted")
	}
}
