package memberlog

import (
	"bytes"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"shieldwall/internal/merkle"
)

// Extension is a verified piece of another member's log.
type Extension struct {
	Log, Member string
	// Tree is the log's frontier before the piece, as LoadTree or the Extend before gave it. It is not changed.
	Tree *merkle.Frontier
	// Entries follow the ones held.
	Entries [][]byte
	// Note is the signed checkpoint that ends with the piece; the caller has verified its signature. Nil while
	// catching up, when a checkpoint farther on covers the entries: then the head stays where it is.
	Note []byte
}

// Extend writes a piece of another's log within the caller's transaction: entries, tiles and head. It
// returns the frontier after it, which counts only once the transaction is committed. What it can check
// without a key it checks: that the piece follows what is held, and that its checkpoint is of this log and
// of this tree and is not older than the one held.
func Extend(tx Tx, x Extension) (*merkle.Frontier, error) {
	tree, err := x.write(tx)
	if err != nil {
		return nil, fmt.Errorf("extending the mirror of %s from %d by %d entries: %w", x.Log, x.Tree.Size(), len(x.Entries), err)
	}
	return tree, nil
}

func (x *Extension) write(tx Tx) (*merkle.Frontier, error) {
	if err := follows(tx, x.Log, x.Tree); err != nil {
		return nil, err
	}
	leaves := make([]merkle.Hash, len(x.Entries))
	for i, e := range x.Entries {
		if len(e) > merkle.MaxEntry {
			return nil, fmt.Errorf("entry %d has %d bytes, the limit is %d", x.Tree.Size()+uint64(i), len(e), merkle.MaxEntry)
		}
		leaves[i] = merkle.LeafHash(e)
	}
	tree := x.Tree.Clone()
	tiles := tree.Extend(leaves)
	if err := put(tx, x.Log, x.Tree.Size(), x.Entries, tiles); err != nil {
		return nil, err
	}
	if x.Note == nil {
		return tree, nil
	}
	cp, err := merkle.PeekCheckpoint(x.Note)
	if err != nil {
		return nil, err
	}
	if cp.Origin != x.Log || cp.Size != tree.Size() || cp.Root != tree.Root() {
		return nil, fmt.Errorf("%w: the checkpoint is of %d entries of %.100q, or of another tree", ErrInconsistent, cp.Size, cp.Origin)
	}
	held, _, err := tx.LogHead(x.Log)
	if err != nil {
		return nil, err
	}
	if cp.Size < held {
		return nil, fmt.Errorf("a checkpoint of %d entries after one of %d", cp.Size, held)
	}
	return tree, tx.PutLogHead(x.Log, x.Member, cp.Size, x.Note)
}

// follows checks that a tree ends where the stored one does: the last tile of hashes is the same.
func follows(tx ReadTx, log string, tree *merkle.Frontier) error {
	var want []byte
	if edges := tree.Edges(); len(edges) > 0 && edges[0].Level == 0 {
		want = edges[0].Hashes
	}
	got, err := tx.Tile(log, 0, tree.Size()>>merkle.TileHeight)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%w: what is held does not end there (%d hashes in the last tile, %d expected)", ErrInconsistent, len(got)/tlog.HashSize, len(want)/tlog.HashSize)
	}
	return nil
}

// LoadTree reads the frontier of the first size entries held of a log, to go on following it. Where a signed
// checkpoint ends there too it has to match, else the error wraps ErrInconsistent.
func LoadTree(tx ReadTx, log string, size uint64) (*merkle.Frontier, error) {
	head, note, err := tx.LogHead(log)
	if err != nil {
		return nil, fmt.Errorf("loading the mirror of %s: %w", log, err)
	}
	tree, err := frontier(tx, log, size)
	if err != nil {
		return nil, fmt.Errorf("loading the mirror of %s: %w", log, err)
	}
	if note == nil || head != size {
		return tree, nil
	}
	if cp, err := merkle.PeekCheckpoint(note); err != nil || cp.Size != size || cp.Root != tree.Root() {
		return nil, fmt.Errorf("loading the mirror of %s: %w: its checkpoint is not of the %d entries held (%v)", log, ErrInconsistent, size, err)
	}
	return tree, nil
}
