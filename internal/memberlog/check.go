package memberlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"shieldwall/internal/merkle"
)

// checkBytes is how much of a log Check reads at a time: short snapshots hold no writer's space up.
const checkBytes = 1 << 20

// Report says what Check has verified.
type Report struct {
	Head
	Entries uint64 // entries read and hashed
	Tiles   int    // tile widths compared
	// Complete is false of a mirror that has not caught up with its checkpoint: its entries and tiles agree
	// with one another, but cannot be compared with the signed root yet.
	Complete bool
}

// Check verifies a stored log whole, own or mirrored: the checkpoint's signature, every entry's hash, every
// tile and the root. A contradiction is an error that wraps ErrInconsistent. The log may grow meanwhile.
func Check[T ReadTx](ctx context.Context, view func(context.Context, func(T) error) error, log string, verifier note.Verifier) (Report, error) {
	r, err := check(ctx, view, log, verifier, Extent{Root: merkle.EmptyRoot()})
	if err != nil {
		return r, fmt.Errorf("checking %s: %w", log, err)
	}
	return r, nil
}

// check also compares the root at the size of an earlier extent.
func check[T ReadTx](ctx context.Context, view func(context.Context, func(T) error) error, log string, verifier note.Verifier, earlier Extent) (Report, error) {
	var r Report
	var size uint64
	err := view(ctx, func(tx T) error {
		held, msg, err := tx.LogHead(log)
		if err != nil {
			return err
		}
		if msg == nil {
			return fmt.Errorf("no checkpoint: %w", fs.ErrNotExist)
		}
		cp, _, err := merkle.OpenCheckpoint(msg, verifier)
		if err != nil || cp.Size < held {
			return fmt.Errorf("%w: %d entries under a checkpoint of %d (%v)", ErrInconsistent, held, cp.Size, err)
		}
		size, r.Head, r.Complete = held, Head{cp.Size, cp.Root, msg}, cp.Size == held
		return nil
	})
	if err != nil {
		return r, err
	}
	if earlier.Size > size {
		return r, fmt.Errorf("%w: %d entries are held, %d were confirmed", ErrInconsistent, size, earlier.Size)
	}
	tree := &merkle.Frontier{}
	for _, end := range []uint64{earlier.Size, size} {
		for tree.Size() < end {
			if err := view(ctx, func(tx T) error { return r.chunk(tx, log, tree, end) }); err != nil {
				return r, err
			}
		}
		if end == earlier.Size && tree.Root() != earlier.Root {
			return r, fmt.Errorf("%w: the root at size %d is not the one confirmed", ErrInconsistent, end)
		}
	}
	if r.Complete && tree.Root() != r.Root {
		return r, fmt.Errorf("%w: the entries do not give the checkpoint's root", ErrInconsistent)
	}
	return r, nil
}

// chunk reads some entries, extends the tree by them and compares the tiles that this changes.
func (r *Report) chunk(tx ReadTx, log string, tree *merkle.Frontier, end uint64) error {
	entries, err := tx.Entries(log, tree.Size(), end, checkBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrInconsistent, err)
	}
	if err != nil {
		return err
	}
	leaves := make([]merkle.Hash, len(entries))
	for i, e := range entries {
		leaves[i] = merkle.LeafHash(e)
	}
	for _, t := range tree.Extend(leaves) {
		data, err := tx.Tile(log, t.Level, t.N)
		if err != nil {
			return err
		}
		// A tile may be wider by now; what it was is its prefix.
		if !bytes.HasPrefix(data, t.Hashes) || len(data) > merkle.TileWidth*tlog.HashSize {
			return fmt.Errorf("%w: %s does not hash its entries", ErrInconsistent, t.Path())
		}
		r.Tiles++
	}
	r.Entries += uint64(len(entries))
	return nil
}

// Check verifies the whole log, as the function Check does, and that the guard vouches for it.
func (l *Log[T]) Check(ctx context.Context) (Report, error) {
	shown := l.Head()
	m, err := l.cfg.Guard.Load()
	if err != nil {
		return Report{}, fmt.Errorf("checking %s: %w", l.cfg.Log, err)
	}
	if m.Log != l.cfg.Log || m.Machine != l.cfg.Machine || m.Size < shown.Size {
		return Report{}, fmt.Errorf("checking %s: %w: %d entries are shown, the guard vouches for %d of %s", l.cfg.Log, ErrInconsistent, shown.Size, m.Size, m.Log)
	}
	r, err := check(ctx, l.cfg.View, l.cfg.Log, l.cfg.Verifier, Extent{m.Size, m.Root})
	if err != nil {
		return r, fmt.Errorf("checking %s: %w", l.cfg.Log, err)
	}
	return r, nil
}
