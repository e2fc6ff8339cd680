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

// Report says what Check has verified: the log up to its head.
type Report struct {
	Head
	Tiles int // tiles compared, each at every width that it was met
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
	err := view(ctx, func(tx T) error {
		size, msg, err := tx.LogHead(log)
		if err != nil {
			return err
		}
		if msg == nil {
			return fmt.Errorf("no checkpoint: %w", fs.ErrNotExist)
		}
		cp, _, err := merkle.OpenCheckpoint(msg, verifier)
		if err != nil || cp.Size != size {
			return fmt.Errorf("%w: a checkpoint of %d entries over %d (%v)", ErrInconsistent, cp.Size, size, err)
		}
		r.Head = Head{cp.Size, cp.Root, msg}
		return nil
	})
	if err != nil {
		return r, err
	}
	if earlier.Size > r.Size {
		return r, fmt.Errorf("%w: %d entries are held, %d were confirmed", ErrInconsistent, r.Size, earlier.Size)
	}
	tree := &merkle.Frontier{}
	for _, end := range []Extent{earlier, extent(r.Head)} {
		for tree.Size() < end.Size {
			if err := view(ctx, func(tx T) error { return r.chunk(tx, log, tree, end.Size) }); err != nil {
				return r, err
			}
		}
		if tree.Root() != end.Root {
			return r, fmt.Errorf("%w: the first %d entries do not give the root signed", ErrInconsistent, end.Size)
		}
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
