package memberlog

import (
	"fmt"

	"shieldwall/internal/merkle"
)

// Extension is a verified piece of another member's log.
type Extension struct {
	Log, Member string
	// Tree is the log's frontier before the piece, as LoadTree or the Extend before gave it. It is not changed.
	Tree *merkle.Frontier
	// Entries follow the ones held.
	Entries [][]byte
	// Note is the newest signed checkpoint; the caller has verified its signature and that the entries belong
	// to its tree. It may cover more than the entries held: then the mirror is catching up.
	Note []byte
}

// Extend writes a piece of another's log within the caller's transaction: entries, tiles and head. It
// returns the frontier after it, which counts only once the transaction is committed. What it can check
// without a key it checks: order, sizes and, where the checkpoint ends with the piece, the root.
func Extend(tx Tx, x Extension) (*merkle.Frontier, error) {
	cp, err := x.check(tx)
	if err != nil {
		return nil, fmt.Errorf("extending the mirror of %s: %w", x.Log, err)
	}
	first := x.Tree.Size()
	leaves := make([]merkle.Hash, len(x.Entries))
	for i, e := range x.Entries {
		if len(e) > merkle.MaxEntry {
			return nil, fmt.Errorf("extending the mirror of %s: entry %d has %d bytes", x.Log, first+uint64(i), len(e))
		}
		leaves[i] = merkle.LeafHash(e)
	}
	tree := x.Tree.Clone()
	tiles := tree.Extend(leaves)
	if tree.Size() > cp.Size || tree.Size() == cp.Size && tree.Root() != cp.Root {
		return nil, fmt.Errorf("extending the mirror of %s to %d entries: %w: not the tree that its checkpoint of %d signs", x.Log, tree.Size(), ErrInconsistent, cp.Size)
	}
	if err := put(tx, x.Log, first, x.Entries, tiles); err != nil {
		return nil, fmt.Errorf("extending the mirror of %s: %w", x.Log, err)
	}
	if err := tx.PutLogHead(x.Log, x.Member, tree.Size(), x.Note); err != nil {
		return nil, fmt.Errorf("extending the mirror of %s: %w", x.Log, err)
	}
	return tree, nil
}

// check compares the piece with what is stored. A checkpoint never goes back.
func (x *Extension) check(tx Tx) (merkle.Checkpoint, error) {
	cp, err := merkle.PeekCheckpoint(x.Note)
	if err != nil {
		return cp, err
	}
	if cp.Origin != x.Log {
		return cp, fmt.Errorf("the checkpoint is of %.100q", cp.Origin)
	}
	size, msg, err := tx.LogHead(x.Log)
	if err != nil {
		return cp, err
	}
	if size != x.Tree.Size() {
		return cp, fmt.Errorf("%d entries are held, the piece begins at %d", size, x.Tree.Size())
	}
	if msg != nil {
		held, err := merkle.PeekCheckpoint(msg)
		if err != nil {
			return cp, fmt.Errorf("%w: %w", ErrInconsistent, err)
		}
		if cp.Size < held.Size {
			return cp, fmt.Errorf("a checkpoint of %d entries after one of %d", cp.Size, held.Size)
		}
	}
	return cp, nil
}

// LoadTree reads a log's frontier and newest checkpoint, to go on following it: an empty tree and nil where
// the log is unknown. Where the checkpoint ends with the entries held it has to match the tiles, else the
// error wraps ErrInconsistent.
func LoadTree(tx ReadTx, log string) (tree *merkle.Frontier, note []byte, err error) {
	size, note, err := tx.LogHead(log)
	if err != nil || size == 0 {
		return &merkle.Frontier{}, note, err
	}
	if tree, err = frontier(tx, log, size); err != nil {
		return nil, nil, fmt.Errorf("loading the mirror of %s: %w", log, err)
	}
	cp, err := merkle.PeekCheckpoint(note)
	if err != nil || cp.Size < size || cp.Size == size && cp.Root != tree.Root() {
		return nil, nil, fmt.Errorf("loading the mirror of %s: %w: %d entries under a checkpoint of %d (%v)", log, ErrInconsistent, size, cp.Size, err)
	}
	return tree, note, nil
}
