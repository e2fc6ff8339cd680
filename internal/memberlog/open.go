package memberlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"

	"shieldwall/internal/memberlog/guard"
	"shieldwall/internal/merkle"
)

// Create makes a new log: a member's first or a new incarnation. build appends at least its first entry and
// may write what belongs to it in the same transaction. A guard of another log is replaced: that one is
// not to be continued.
func Create[T Tx](ctx context.Context, cfg Config[T], build Build[T]) (*Log[T], Receipt, error) {
	if err := cfg.check(); err != nil {
		return nil, Receipt{}, err
	}
	held, err := holds(ctx, &cfg)
	if err != nil {
		return nil, Receipt{}, fmt.Errorf("creating %s: %w", cfg.Log, err)
	}
	if held {
		return nil, Receipt{}, fmt.Errorf("creating %s: %w", cfg.Log, ErrExists)
	}
	if err := lost(&cfg); err != nil {
		return nil, Receipt{}, err
	}
	// The guard first: a crash after the commit then finds a guard that agrees, not a missing one.
	if err := cfg.Guard.Store(cfg.mark(0, merkle.EmptyRoot())); err != nil {
		return nil, Receipt{}, fmt.Errorf("creating %s: %w", cfg.Log, err)
	}
	l := newLog(cfg, &merkle.Frontier{}, Head{Root: merkle.EmptyRoot()})
	p := &pending[T]{done: make(chan struct{}), build: func(tx T, b *Batch) error {
		err := build(tx, b)
		if err == nil && b.Next() == 0 {
			err = errors.New("a log begins with an entry")
		}
		return err
	}}
	if err := l.group(ctx, p); err != nil {
		return nil, Receipt{}, err
	}
	if p.err != nil {
		return nil, Receipt{}, fmt.Errorf("creating %s: %w", cfg.Log, p.err)
	}
	if _, _, err := merkle.OpenCheckpoint(p.receipt.Head.Checkpoint, cfg.Verifier); err != nil {
		return nil, Receipt{}, fmt.Errorf("creating %s: its own signature: %w", cfg.Log, err)
	}
	return l, p.receipt, nil
}

func holds[T Tx](ctx context.Context, cfg *Config[T]) (held bool, err error) {
	err = cfg.View(ctx, func(tx T) error {
		size, checkpoint, err := tx.LogHead(cfg.Log)
		held = size > 0 || checkpoint != nil
		return err
	})
	return held, err
}

// lost raises a doubt where the guard knows entries of a log that the store does not have.
func lost[T Tx](cfg *Config[T]) error {
	m, err := cfg.Guard.Load()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, guard.ErrDamaged) {
		return nil // nothing is known of this log
	}
	if err != nil {
		return fmt.Errorf("log %s: %w", cfg.Log, err)
	}
	if m.Log == cfg.Log && m.Size > 0 {
		return &Doubt{Log: cfg.Log, Reason: ReasonStoreMissing, Detail: fmt.Sprintf("the guard covers %d entries, the store has none", m.Size), Guarded: Extent{m.Size, m.Root}}
	}
	return nil
}

// Open continues a log, after a crash as after a clean end. It verifies that store and guard agree; if not,
// or if they cannot tell, the error is a *Doubt and nothing has been signed. The error wraps fs.ErrNotExist
// where there is no such log.
func Open[T Tx](ctx context.Context, cfg Config[T]) (*Log[T], error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	var tree *merkle.Frontier
	var head Head
	var m guard.Mark
	err := cfg.View(ctx, func(tx T) (err error) {
		if tree, head, err = loadOwn(tx, &cfg); err != nil || head.Size == 0 {
			return err
		}
		m, err = vouch(tx, &cfg, head)
		return err
	})
	if err != nil {
		return nil, err
	}
	if head.Size == 0 {
		if err := lost(&cfg); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("log %s: %w", cfg.Log, fs.ErrNotExist)
	}
	// The store ahead of a guard that agrees is an ordinary crash between commit and guard.
	if m.Size < head.Size {
		if err := cfg.Guard.Store(cfg.mark(head.Size, head.Root)); err != nil {
			return nil, fmt.Errorf("opening %s: %w", cfg.Log, err)
		}
	}
	return newLog(cfg, tree, head), nil
}

// loadOwn reads and verifies the right edge of this node's own log; size 0 where there is none.
func loadOwn[T Tx](tx T, cfg *Config[T]) (*merkle.Frontier, Head, error) {
	size, msg, err := tx.LogHead(cfg.Log)
	if err != nil {
		return nil, Head{}, fmt.Errorf("opening %s: %w", cfg.Log, err)
	}
	if size == 0 && msg == nil {
		return nil, Head{}, nil
	}
	inconsistent := func(held Extent, format string, args ...any) error {
		return &Doubt{Log: cfg.Log, Reason: ReasonInconsistent, Detail: fmt.Sprintf(format, args...), Held: held}
	}
	cp, _, err := merkle.OpenCheckpoint(msg, cfg.Verifier)
	if err != nil {
		return nil, Head{}, inconsistent(Extent{}, "%v", err)
	}
	held := Extent{cp.Size, cp.Root}
	if cp.Size != size || size == 0 {
		return nil, Head{}, inconsistent(held, "a checkpoint of %d entries over %d", cp.Size, size)
	}
	tree, err := frontier(tx, cfg.Log, size)
	if errors.Is(err, ErrInconsistent) || err == nil && tree.Root() != cp.Root {
		return nil, Head{}, inconsistent(held, "the tiles do not give the checkpoint's root (%v)", err)
	}
	if err != nil {
		return nil, Head{}, fmt.Errorf("opening %s: %w", cfg.Log, err)
	}
	switch err := edge(tx, cfg.Log, size); {
	case errors.Is(err, ErrInconsistent):
		return nil, Head{}, inconsistent(held, "%v", err)
	case err != nil:
		return nil, Head{}, fmt.Errorf("opening %s: %w", cfg.Log, err)
	}
	return tree, Head{Size: size, Root: cp.Root, Checkpoint: msg}, nil
}

// frontier rebuilds a log's right edge from its tiles.
func frontier(tx ReadTx, log string, size uint64) (*merkle.Frontier, error) {
	var failed error
	tree, err := merkle.LoadFrontier(size, func(t merkle.Tile) ([]byte, error) {
		data, err := tx.Tile(log, t.Level, t.N)
		if err != nil {
			failed = err
		}
		return data, err
	})
	if failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInconsistent, err)
	}
	return tree, nil
}

// edge verifies that the entries of the last tile are what it hashes, and that none lies beyond the end.
func edge(tx ReadTx, log string, size uint64) error {
	n := (size - 1) >> merkle.TileHeight
	first := n << merkle.TileHeight
	hashes, err := tx.Tile(log, 0, n)
	if err != nil {
		return err
	}
	if uint64(len(hashes)) != (size-first)*tlog.HashSize {
		return fmt.Errorf("%w: the last tile has %d bytes", ErrInconsistent, len(hashes))
	}
	for from := first; from < size; {
		entries, err := tx.Entries(log, from, size, maxBuildBytes)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %w", ErrInconsistent, err)
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			at := (from - first) * tlog.HashSize
			if merkle.LeafHash(e) != merkle.Hash(hashes[at:at+tlog.HashSize]) {
				return fmt.Errorf("%w: entry %d is not what its tile says", ErrInconsistent, from)
			}
			from++
		}
	}
	switch _, err := tx.Entry(log, size); {
	case err == nil:
		return fmt.Errorf("%w: an entry %d beyond the end", ErrInconsistent, size)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// vouch compares the stored head with the guard.
func vouch[T Tx](tx T, cfg *Config[T], head Head) (guard.Mark, error) {
	doubt := func(reason Reason, guarded Extent, format string, args ...any) error {
		return &Doubt{Log: cfg.Log, Reason: reason, Detail: fmt.Sprintf(format, args...), Held: extent(head), Guarded: guarded}
	}
	m, err := cfg.Guard.Load()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m, doubt(ReasonGuardMissing, Extent{}, "%v", err)
	case errors.Is(err, guard.ErrDamaged):
		return m, doubt(ReasonGuardDamaged, Extent{}, "%v", err)
	case err != nil:
		return m, fmt.Errorf("opening %s: %w", cfg.Log, err) // unreadable is not doubtful: it can be repaired
	case m.Log != cfg.Log:
		return m, doubt(ReasonOtherLog, Extent{}, "it is of %s", m.Log)
	}
	guarded := Extent{m.Size, m.Root}
	switch {
	case m.Machine != cfg.Machine:
		return m, doubt(ReasonOtherMachine, guarded, "the guard was written on another machine")
	case m.Size > head.Size:
		return m, doubt(ReasonGuardAhead, guarded, "the guard covers %d entries, the store has %d", m.Size, head.Size)
	}
	root, err := rootAt(tx, cfg.Log, head, m.Size)
	if err != nil {
		return m, doubt(ReasonInconsistent, guarded, "%v", err)
	}
	if root != m.Root {
		return m, doubt(ReasonOtherTree, guarded, "at size %d the guard remembers another root", m.Size)
	}
	return m, nil
}

// rootAt is the root that a log had at an earlier size, proven by its tiles against its head.
func rootAt(tx ReadTx, log string, head Head, size uint64) (merkle.Hash, error) {
	switch size {
	case head.Size:
		return head.Root, nil
	case 0:
		return merkle.EmptyRoot(), nil
	}
	tiles := merkle.TileReader(func(t merkle.Tile) ([]byte, error) {
		data, err := tx.Tile(log, t.Level, t.N)
		if err == nil && len(data) < t.Width*tlog.HashSize {
			err = fmt.Errorf("%w: %s is missing or narrow", ErrInconsistent, t.Path())
		}
		if err != nil {
			return nil, err
		}
		return data[:t.Width*tlog.HashSize], nil
	})
	return tlog.TreeHash(int64(size), tlog.TileHashReader(tlog.Tree{N: int64(head.Size), Hash: head.Root}, tiles))
}
