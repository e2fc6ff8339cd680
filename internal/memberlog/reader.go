package memberlog

import (
	"context"
	"fmt"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"

	"shieldwall/internal/merkle"
)

// Reader serves logs, own and mirrored alike. What is not there, or not yet to be shown, is an error that
// wraps fs.ErrNotExist.
type Reader[T ReadTx] struct {
	// View runs fn in a read-only snapshot.
	View func(ctx context.Context, fn func(T) error) error
	// Own returns the head of a log that this node appends to: what is stored beyond it is not guarded yet
	// and is not shown. Nil, or false, means a log of which all that is stored may be shown.
	Own func(log string) (Head, bool)
}

// extent is how much of a log may be shown, and the checkpoint that covers it.
func (r *Reader[T]) extent(tx T, log string) (size uint64, checkpoint []byte, err error) {
	if r.Own != nil {
		if head, ok := r.Own(log); ok {
			return head.Size, head.Checkpoint, nil
		}
	}
	return tx.LogHead(log)
}

// Checkpoint returns a log's newest signed checkpoint.
func (r *Reader[T]) Checkpoint(ctx context.Context, log string) (msg []byte, err error) {
	err = r.View(ctx, func(tx T) error {
		_, msg, err = r.extent(tx, log)
		if err == nil && msg == nil {
			err = fmt.Errorf("checkpoint of %s: %w", log, fs.ErrNotExist)
		}
		return err
	})
	return msg, err
}

// Tile returns a tile's hashes, at the width asked for.
func (r *Reader[T]) Tile(ctx context.Context, log string, t merkle.Tile) (hashes []byte, err error) {
	err = r.View(ctx, func(tx T) error {
		size, _, err := r.extent(tx, log)
		if err != nil {
			return err
		}
		if !t.In(size) {
			return fmt.Errorf("%s of %s with %d entries: %w", t.Path(), log, size, fs.ErrNotExist)
		}
		if hashes, err = tx.Tile(log, t.Level, t.N); err != nil {
			return err
		}
		if len(hashes) < t.Width*tlog.HashSize {
			return fmt.Errorf("%s of %s: %w: %d bytes are held", t.Path(), log, ErrInconsistent, len(hashes))
		}
		hashes = hashes[:t.Width*tlog.HashSize]
		return nil
	})
	return hashes, err
}

// Bundle returns the entry bundle of a number, with width entries.
func (r *Reader[T]) Bundle(ctx context.Context, log string, n uint64, width int) (bundle []byte, err error) {
	t := merkle.Tile{N: n, Width: width}
	err = r.View(ctx, func(tx T) error {
		size, _, err := r.extent(tx, log)
		if err != nil {
			return err
		}
		if !t.In(size) {
			return fmt.Errorf("%s of %s with %d entries: %w", merkle.BundlePath(n, width), log, size, fs.ErrNotExist)
		}
		first := n << merkle.TileHeight
		entries, err := tx.Entries(log, first, first+uint64(width), merkle.MaxBundle)
		if err != nil {
			return err
		}
		if len(entries) != width {
			return fmt.Errorf("%s of %s: %w: %d entries are held", merkle.BundlePath(n, width), log, ErrInconsistent, len(entries))
		}
		bundle, err = merkle.EncodeBundle(entries)
		return err
	})
	return bundle, err
}

// Read returns entries of a log from index from on, as many as fit maxBytes but at least one; none where
// from is the log's size.
func (r *Reader[T]) Read(ctx context.Context, log string, from uint64, maxBytes int) (entries [][]byte, err error) {
	err = r.View(ctx, func(tx T) error {
		size, _, err := r.extent(tx, log)
		if err != nil || from == size {
			return err
		}
		if from > size {
			return fmt.Errorf("entry %d of %s with %d entries: %w", from, log, size, fs.ErrNotExist)
		}
		entries, err = tx.Entries(log, from, size, maxBytes)
		return err
	})
	return entries, err
}

// Content types of what a log serves (C2SP tlog-tiles).
const (
	TypeCheckpoint = "text/plain; charset=utf-8"
	TypeTile       = "application/octet-stream"
)

// Resource returns what a path below a log's prefix names (C2SP tlog-tiles). The error wraps merkle.ErrPath
// where the path is none. All but the checkpoint never changes and may be cached for ever.
func (r *Reader[T]) Resource(ctx context.Context, log, path string) (data []byte, contentType string, err error) {
	p, err := merkle.ParsePath(path)
	if err != nil {
		return nil, "", err
	}
	switch p.Kind {
	case merkle.KindCheckpoint:
		data, err = r.Checkpoint(ctx, log)
		return data, TypeCheckpoint, err
	case merkle.KindTile:
		data, err = r.Tile(ctx, log, p.Tile)
	default:
		data, err = r.Bundle(ctx, log, p.Tile.N, p.Tile.Width)
	}
	return data, TypeTile, err
}
