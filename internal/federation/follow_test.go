package federation

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"testing"

	"shieldwall/internal/merkle"
)

func entriesOf(from, to int) [][]byte {
	var out [][]byte
	for i := from; i < to; i++ {
		out = append(out, fmt.Appendf(nil, "entry %d", i))
	}
	return out
}

func treeOf(entries [][]byte) *merkle.Frontier {
	f := &merkle.Frontier{}
	for _, e := range entries {
		f.Append(merkle.LeafHash(e))
	}
	return f
}

func TestExtend(t *testing.T) {
	head := func(n int) Head { tree := treeOf(entriesOf(0, n)); return Head{Size: uint64(n), Root: tree.Root()} }
	lie := head(5)
	lie.Root[0] ^= 1
	altered := entriesOf(3, 5)
	altered[1] = []byte("another")
	cases := map[string]struct {
		held    int
		head    Head
		first   uint64
		entries [][]byte
		fresh   int
		want    error
	}{
		"from nothing":          {0, head(5), 0, entriesOf(0, 5), 5, nil},
		"continues":             {3, head(5), 3, entriesOf(3, 5), 2, nil},
		"overlaps":              {3, head(5), 1, entriesOf(1, 5), 2, nil},
		"nothing new":           {5, head(5), 5, nil, 0, nil},
		"empty log":             {0, head(0), 0, nil, 0, nil},
		"gap before":            {3, head(5), 4, entriesOf(4, 5), 0, ErrGap},
		"ends short":            {3, head(5), 3, entriesOf(3, 4), 0, ErrGap},
		"more than signed":      {3, head(4), 3, entriesOf(3, 5), 0, ErrRoot},
		"altered entry":         {3, head(5), 3, altered, 0, ErrRoot},
		"lying root":            {3, lie, 3, entriesOf(3, 5), 0, ErrRoot},
		"went back":             {5, head(3), 0, entriesOf(0, 3), 0, ErrRollback},
		"same size, other root": {5, lie, 5, nil, 0, ErrRoot},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			held := treeOf(entriesOf(0, c.held))
			before := held.Root()
			next, fresh, err := Extend(held, c.head, c.first, c.entries)
			if !errors.Is(err, c.want) || len(fresh) != c.fresh {
				t.Fatalf("%d fresh, err %v", len(fresh), err)
			}
			if held.Root() != before {
				t.Fatal("the tree held was changed")
			}
			if err == nil && next.Root() != c.head.Root {
				t.Fatal("the new tree has another root")
			}
		})
	}
}

func TestHeadWantsTheLogsOwnKey(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	log := merkle.LogID("m", key.Public().(ed25519.PublicKey))
	signer, err := merkle.NewSigner(log, key)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := merkle.SignCheckpoint(merkle.Checkpoint{Origin: log, Size: 3}, signer)
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(log, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	if h, err := v.Head(signed); err != nil || h.Size != 3 {
		t.Fatalf("%+v, %v", h, err)
	}
	other := ed25519.NewKeyFromSeed([]byte("01234567890123456789012345678901"))
	v, err = NewVerifier(log, other.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Head(signed); err == nil {
		t.Fatal("another key's verifier accepted the head")
	}
}
