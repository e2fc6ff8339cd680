package memberlog

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"shieldwall/internal/memberlog/guard"
	"shieldwall/internal/merkle"
)

func TestResource(t *testing.T) {
	s, l := running(t)
	mustAppend(t, l, entries(599))
	own := func(log string) (Head, bool) { return l.Head(), log == l.ID() }
	for name, reader := range map[string]*Reader[tx]{"own": {View: s.store.View, Own: own}, "stored": {View: s.store.View}} {
		get := func(path string) ([]byte, string, error) { return reader.Resource(t.Context(), l.ID(), path) }
		if msg, typ, err := get("checkpoint"); err != nil || typ != TypeCheckpoint || !bytes.Equal(msg, l.Head().Checkpoint) {
			t.Errorf("%s: checkpoint: %q, %s, %v", name, msg, typ, err)
		}
		for _, tc := range []struct {
			path  string
			width int // 0: not there
		}{
			{"tile/0/000", 256}, {"tile/0/001", 256}, {"tile/0/001.p/7", 7}, {"tile/0/002.p/88", 88}, {"tile/0/002.p/1", 1}, {"tile/1/000.p/2", 2}, {"tile/1/000.p/1", 1},
			{"tile/0/002", 0}, {"tile/0/002.p/89", 0}, {"tile/0/003.p/1", 0}, {"tile/1/000.p/3", 0}, {"tile/2/000.p/1", 0}, {"tile/63/000.p/1", 0},
		} {
			data, typ, err := get(tc.path)
			if tc.width == 0 {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %s: %d bytes, %v", name, tc.path, len(data), err)
				}
			} else if err != nil || typ != TypeTile || len(data) != tc.width*tlog.HashSize {
				t.Errorf("%s: %s: %d bytes, %s, %v", name, tc.path, len(data), typ, err)
			}
			if strings.HasPrefix(tc.path, "tile/0/") {
				checkBundle(t, get, "tile/entries/"+strings.TrimPrefix(tc.path, "tile/0/"), tc.width, data)
			}
		}
		for _, path := range []string{"", "checkpoint/", "tile/0/0", "tile/8/0/000", "../checkpoint", "tile/0/000.p/256"} {
			if _, _, err := get(path); !errors.Is(err, merkle.ErrPath) {
				t.Errorf("%s: %q: %v", name, path, err)
			}
		}
		for _, path := range []string{"checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1"} {
			if _, _, err := reader.Resource(t.Context(), "bravo/unknown", path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %s of an unknown log: %v", name, path, err)
			}
		}
		if got, err := reader.Read(t.Context(), l.ID(), 590, 1<<20); err != nil || len(got) != 10 {
			t.Errorf("%s: %d entries, %v", name, len(got), err)
		}
		if _, err := reader.Read(t.Context(), l.ID(), 601, 1<<20); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: beyond the end: %v", name, err)
		}
	}
}

// checkBundle compares an entry bundle with the tile of its hashes.
func checkBundle(t *testing.T, get func(string) ([]byte, string, error), path string, width int, hashes []byte) {
	t.Helper()
	data, _, err := get(path)
	if width == 0 {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
		return
	}
	entries, perr := merkle.ParseBundle(data, width)
	if err != nil || perr != nil {
		t.Errorf("%s: %v, %v", path, err, perr)
		return
	}
	for i, e := range entries {
		if h := merkle.LeafHash(e); !bytes.Equal(h[:], hashes[i*tlog.HashSize:(i+1)*tlog.HashSize]) {
			t.Errorf("%s: entry %d does not hash to its leaf", path, i)
		}
	}
}

// TestMirror follows a log in pieces of random length, some of them short of a checkpoint, with restarts in
// between, and checks the mirror as anybody could.
func TestMirror(t *testing.T) {
	s, l := running(t)
	m := newSite(t, t.TempDir())
	rng := rand.New(rand.NewPCG(7, 8))
	tree := &merkle.Frontier{}
	for round := range 30 {
		mustAppend(t, l, entries(1+rng.IntN(200)))
		head := l.Head()
		for tree.Size() < head.Size {
			n := min(1+rng.Uint64N(150), head.Size-tree.Size())
			piece, err := l.Read(t.Context(), tree.Size(), 1<<24)
			if err != nil {
				t.Fatal(err)
			}
			x := Extension{Log: l.ID(), Member: "alpha", Tree: tree, Entries: piece[:n]}
			if tree.Size()+n == head.Size {
				x.Note = head.Checkpoint
			}
			if tree, err = extend(t, m, x); err != nil {
				t.Fatal(err)
			}
			if rng.IntN(3) == 0 {
				tree = loadTree(t, m, l.ID(), tree.Size())
			}
		}
		if tree.Root() != head.Root {
			t.Fatal("the mirror has another root")
		}
		r, err := Check(t.Context(), m.store.View, l.ID(), s.cfg.Verifier)
		if err != nil || r.Size != head.Size || r.Tiles == 0 {
			t.Fatalf("round %d: %+v, %v", round, r, err)
		}
	}
	if tree.Size() < 1000 {
		t.Fatalf("only %d entries were mirrored", tree.Size())
	}
}

func extend(t *testing.T, m *site, x Extension) (tree *merkle.Frontier, err error) {
	t.Helper()
	err = m.store.Update(t.Context(), func(tx tx) error {
		tree, err = Extend(tx, x)
		return err
	})
	return tree, err
}

func loadTree(t *testing.T, m *site, log string, size uint64) (tree *merkle.Frontier) {
	t.Helper()
	if err := m.store.View(t.Context(), func(tx tx) (err error) { tree, err = LoadTree(tx, log, size); return err }); err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestExtendRefuses(t *testing.T) {
	s, l := running(t)
	mustAppend(t, l, entries(255))
	at256 := l.Head()
	mustAppend(t, l, entries(50))
	head := l.Head()
	all, err := l.Read(t.Context(), 0, 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(cp merkle.Checkpoint) []byte {
		msg, err := merkle.SignCheckpoint(cp, s.signer)
		if err != nil {
			t.Fatal(err)
		}
		return msg
	}
	m := newSite(t, t.TempDir())
	empty := &merkle.Frontier{}
	base := Extension{Log: l.ID(), Member: "alpha", Tree: empty, Entries: all[:256], Note: at256.Checkpoint}
	wrong := &merkle.Frontier{}
	wrong.Append(merkle.LeafHash([]byte("other")))
	tree, err := extend(t, m, base)
	if err != nil {
		t.Fatal(err)
	}
	at300, err := extend(t, m, Extension{Log: l.ID(), Member: "alpha", Tree: tree, Entries: all[256:300]})
	if err != nil {
		t.Fatal(err)
	}
	oneOff := loadTree(t, m, l.ID(), 300)
	oneOff.Append(merkle.LeafHash(all[300]))
	for name, x := range map[string]Extension{
		"again from the start": base,
		"before what is held":  {Tree: tree, Entries: all[256:258]},
		"a gap":                {Tree: oneOff, Entries: all[301:302]},
		"another tree":         {Tree: wrong, Entries: all[1:2]},
		"another root":         {Tree: at300, Entries: [][]byte{[]byte("x"), []byte("y"), []byte("z"), []byte("a"), []byte("b"), []byte("c")}, Note: head.Checkpoint},
		"too few for the head": {Tree: at300, Entries: all[300:305], Note: head.Checkpoint},
		"an older head":        {Tree: at300, Note: at256.Checkpoint},
		"another log's head":   {Tree: at300, Entries: all[300:306], Note: otherOrigin(t, head)},
		"garbage for a head":   {Tree: at300, Entries: all[300:306], Note: []byte("checkpoint")},
		"an oversized entry":   {Tree: at300, Entries: [][]byte{make([]byte, merkle.MaxEntry+1)}},
		"a lying head":         {Tree: at300, Note: sign(merkle.Checkpoint{Origin: l.ID(), Size: 300, Root: merkle.Hash{1}})},
	} {
		x.Log, x.Member = l.ID(), "alpha"
		if _, err := extend(t, m, x); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// Nothing of that stayed, and the true continuation is taken.
	if tree, err = extend(t, m, Extension{Log: l.ID(), Member: "alpha", Tree: at300, Entries: all[300:306], Note: head.Checkpoint}); err != nil || tree.Root() != head.Root {
		t.Errorf("continuing: %v", err)
	}
	if r, err := Check(t.Context(), m.store.View, l.ID(), s.cfg.Verifier); err != nil || r.Size != head.Size {
		t.Errorf("%+v, %v", r, err)
	}
}

func otherOrigin(t *testing.T, head Head) []byte {
	t.Helper()
	signer, err := merkle.NewSigner("alpha/other", testKey(1))
	if err != nil {
		t.Fatal(err)
	}
	msg, err := merkle.SignCheckpoint(merkle.Checkpoint{Origin: "alpha/other", Size: head.Size, Root: head.Root}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func TestLoadTreeRefuses(t *testing.T) {
	dir := t.TempDir()
	grown(t, dir)
	s := newSite(t, dir)
	spoilSQL("UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND n = 2")(t, s, Head{}, nil)
	err := s.store.View(t.Context(), func(tx tx) error { _, err := LoadTree(tx, s.cfg.Log, 601); return err })
	if !errors.Is(err, ErrInconsistent) {
		t.Errorf("changed tile: %v", err)
	}
	err = s.store.View(t.Context(), func(tx tx) error { _, err := LoadTree(tx, s.cfg.Log, 5000); return err })
	if !errors.Is(err, ErrInconsistent) {
		t.Errorf("more than is held: %v", err)
	}
	if tree := loadTree(t, s, "bravo/unknown", 0); tree.Size() != 0 {
		t.Errorf("unknown log: %d entries", tree.Size())
	}
}

// TestCheckFinds spoils what is stored at every place and expects Check to name it.
func TestCheckFinds(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, s *site, _ Head, _ []guard.Mark){
		"first entry":       spoilSQL("UPDATE entries SET data = x'00' WHERE place % 1099511627776 = 0"),
		"entry in a tile":   spoilSQL("UPDATE entries SET data = data || x'00' WHERE place % 1099511627776 = 300"),
		"entry missing":     spoilSQL("DELETE FROM entries WHERE place % 1099511627776 = 300"),
		"last entry":        spoilSQL("UPDATE entries SET data = x'00' WHERE place % 1099511627776 = 600"),
		"full tile":         spoilSQL("UPDATE tiles SET hashes = x'00' || substr(hashes, 2) WHERE level = 0 AND n = 0"),
		"full tile missing": spoilSQL("DELETE FROM tiles WHERE level = 0 AND n = 1"),
		"upper tile":        spoilSQL("UPDATE tiles SET hashes = x'00' || substr(hashes, 2) WHERE level = 1"),
		"size":              spoilSQL("UPDATE logs SET size = size - 1"),
		"signature":         spoilSQL("UPDATE logs SET checkpoint = CAST(replace(CAST(checkpoint AS TEXT), '601', '600') AS BLOB)"),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			grown(t, dir)
			s := newSite(t, dir)
			if r, err := Check(t.Context(), s.store.View, s.cfg.Log, s.cfg.Verifier); err != nil || r.Size != 601 {
				t.Fatalf("before: %+v, %v", r, err)
			}
			spoil(t, s, Head{}, nil)
			if r, err := Check(t.Context(), s.store.View, s.cfg.Log, s.cfg.Verifier); !errors.Is(err, ErrInconsistent) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	s := newSite(t, t.TempDir())
	if _, err := Check(t.Context(), s.store.View, "bravo/unknown", s.cfg.Verifier); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unknown log: %v", err)
	}
	l := s.create(t)
	store(t, s, guard.Mark{Log: l.ID(), Size: 1, Root: merkle.Hash{1}, Machine: "machine"})
	if _, err := l.Check(t.Context()); !errors.Is(err, ErrInconsistent) {
		t.Errorf("guard of another root: %v", err)
	}
	store(t, s, guard.Mark{Log: l.ID(), Size: 0, Root: merkle.EmptyRoot(), Machine: "machine"})
	if _, err := l.Check(t.Context()); !errors.Is(err, ErrInconsistent) {
		t.Errorf("guard behind what is shown: %v", err)
	}
	if _, err := Check(t.Context(), s.store.View, l.ID(), otherVerifier(t, l.ID())); !errors.Is(err, ErrInconsistent) {
		t.Errorf("another key: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ended, s.store.View, l.ID(), s.cfg.Verifier); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
}
