package exchange

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"shieldwall/internal/federation"
	"shieldwall/internal/merkle"
)

// Bounds of a catch-up.
const (
	// tilesFrom is how many entries a follower must lack before it fetches tiles: a stream carries a smaller
	// gap more cheaply, if it fits one batch.
	tilesFrom = 512
	// maxTile and maxBundle bound what a peer may answer.
	maxTile   = merkle.TileWidth * tlog.HashSize
	maxBundle = merkle.MaxBundle
)

// catchUp brings the log up to the newest checkpoint where much is missing, or where a stream cannot carry
// the gap (behind): it fetches entry bundles, each checked against hash tiles that lead to the signed root.
// What it commits stays: an interrupted catch-up goes on where it was.
func (s *session) catchUp(ctx context.Context, behind bool) error {
	checkpoint, err := s.remote.Checkpoint(ctx, s.log)
	if err != nil {
		return err
	}
	head, err := s.head(checkpoint)
	if err != nil {
		return err
	}
	switch held := s.tree.Size(); {
	case head.Size == held && behind:
		return errors.New("the peer's stream promises more entries than its checkpoint has")
	case head.Size == held:
		return nil
	case !behind && head.Size < held+tilesFrom && s.signed.Size <= held:
		return nil
	}
	s.set("catching up")
	tiles := tlog.TileHashReader(tlog.Tree{N: int64(head.Size), Hash: head.Root}, s.tileReader(ctx))
	if err := s.proveContinues(tiles); err != nil {
		return err
	}
	next := s.tree.Clone()
	for next.Size() < head.Size {
		entries, err := s.bundle(ctx, tiles, next.Size(), head.Size)
		if err != nil {
			return err
		}
		for _, e := range entries {
			next.Append(merkle.LeafHash(e))
		}
		if err := s.persist(ctx, next.Clone(), entries, head); err != nil {
			return err
		}
	}
	if next.Root() != head.Root {
		return fmt.Errorf("%w of %d entries", federation.ErrRoot, head.Size) // every leaf was proven: cannot be
	}
	return nil
}

// proveContinues wants what is held, and what was signed before, to be prefixes of what is signed now,
// before anything is added.
func (s *session) proveContinues(tiles tlog.HashReader) error {
	prefixes := []federation.Head{{Size: s.tree.Size(), Root: s.tree.Root()}}
	if s.signed.Size > s.tree.Size() {
		prefixes = append(prefixes, s.signed)
	}
	for _, p := range prefixes {
		root, err := tlog.TreeHash(int64(p.Size), tiles)
		if err != nil {
			return fmt.Errorf("proving that the log only grew: %w", err)
		}
		if root != p.Root {
			return fmt.Errorf("%w: it does not continue the %d entries signed before", federation.ErrRoot, p.Size)
		}
	}
	return nil
}

// bundle fetches the entries of the bundle that holds index from, from that index on, and proves each
// against the signed root.
func (s *session) bundle(ctx context.Context, tiles tlog.HashReader, from, size uint64) ([][]byte, error) {
	n := from / merkle.TileWidth
	width := min(size-n*merkle.TileWidth, merkle.TileWidth)
	path := merkle.BundlePath(n, int(width))
	data, err := s.remote.Resource(ctx, s.log, path, maxBundle)
	if err != nil {
		return nil, err
	}
	entries, err := merkle.ParseBundle(data, int(width))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	entries = entries[from%merkle.TileWidth:]
	indexes := make([]int64, len(entries))
	for i := range entries {
		indexes[i] = tlog.StoredHashIndex(0, int64(from)+int64(i))
	}
	hashes, err := tiles.ReadHashes(indexes)
	if err != nil {
		return nil, fmt.Errorf("proving %s: %w", path, err)
	}
	for i, e := range entries {
		if merkle.LeafHash(e) != hashes[i] {
			return nil, fmt.Errorf("%w: entry %d is not the one that it covers", federation.ErrRoot, from+uint64(i))
		}
	}
	return entries, nil
}

// maxCachedTiles bounds the tiles kept during one catch-up: those near the root are asked for again and
// again.
const maxCachedTiles = 64

// tileReader gives the tiles of a peer's log to tlog, which proves each before it uses it.
func (s *session) tileReader(ctx context.Context) tlog.TileReader {
	cache := map[merkle.Tile][]byte{}
	return merkle.TileReader(func(t merkle.Tile) ([]byte, error) {
		if data := cache[t]; data != nil {
			return data, nil
		}
		data, err := s.remote.Resource(ctx, s.log, t.Path(), maxTile)
		if err != nil {
			return nil, err
		}
		if want := t.Width * tlog.HashSize; len(data) != want {
			return nil, fmt.Errorf("%s holds %d bytes, not %d", t.Path(), len(data), want)
		}
		if len(cache) >= maxCachedTiles {
			clear(cache)
		}
		cache[t] = data
		return data, nil
	})
}
