package exchange

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"shieldwall/internal/federation"
	"shieldwall/internal/merkle"
)

// Bounds of a catch-up. A stream carries a smaller gap more cheaply.
const (
	// tilesFrom is how many entries a follower must lack before it fetches tiles.
	tilesFrom = 512
	// catchUpBytes is how much is verified before it is committed.
	catchUpBytes = 2 << 20
	// maxTile and maxBundle bound what a peer may answer.
	maxTile   = 256 * tlog.HashSize
	maxBundle = 256 * (2 + 65535)
)

// catchUp fetches what is missing as entry bundles, each checked against hash tiles that lead to the
// signed root, and commits as it goes: an interrupted catch-up goes on where it was.
func (f *follower) catchUp(ctx context.Context, peer Peer, r *receipts) error {
	checkpoint, err := peer.Checkpoint(ctx, f.log)
	if err != nil {
		return err
	}
	v, err := f.verifier()
	if err != nil {
		return err
	}
	head, err := v.Head(checkpoint)
	if err != nil {
		return err
	}
	f.saw(head.Size)
	if head.Size < f.frontier.Size()+tilesFrom {
		return nil
	}
	f.set("catching up")
	tiles := tlog.TileHashReader(tlog.Tree{N: int64(head.Size), Hash: head.Root}, f.tileReader(ctx, peer))
	// What is held must be a prefix of what is signed before anything is added to it.
	if prefix, err := tlog.TreeHash(int64(f.frontier.Size()), tiles); err != nil {
		return fmt.Errorf("proving that the log only grew: %w", err)
	} else if prefix != f.frontier.Root() {
		return fmt.Errorf("%w: it does not continue the %d entries held", federation.ErrRoot, f.frontier.Size())
	}
	next, held, bytes := f.frontier.Clone(), [][]byte(nil), 0
	for next.Size() < head.Size {
		entries, err := f.bundle(ctx, peer, tiles, next.Size(), head.Size)
		if err != nil {
			return err
		}
		for _, e := range entries {
			next.Append(tlog.RecordHash(e))
			bytes += len(e)
		}
		held = append(held, entries...)
		var reached *federation.Head
		if next.Size() == head.Size {
			if next.Root() != head.Root {
				return federation.ErrRoot
			}
			reached = &head
		}
		if bytes >= catchUpBytes || reached != nil {
			if err := f.persist(ctx, next.Clone(), held, reached, r); err != nil {
				return err
			}
			held, bytes = nil, 0
		}
	}
	return nil
}

// bundle fetches the entries of the bundle that holds index from, from that index on, and proves each
// against the signed root.
func (f *follower) bundle(ctx context.Context, peer Peer, tiles tlog.HashReader, from, size uint64) ([][]byte, error) {
	n := from / merkle.TileWidth
	width := min(size-n*merkle.TileWidth, merkle.TileWidth)
	path := merkle.BundlePath(n, int(width))
	data, err := peer.Resource(ctx, f.log, path, maxBundle)
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
		if tlog.RecordHash(e) != hashes[i] {
			return nil, fmt.Errorf("entry %d is not the one that the signed root covers", from+uint64(i))
		}
	}
	return entries, nil
}

// maxCachedTiles bounds the tiles kept during one catch-up: those near the root are asked for again and
// again.
const maxCachedTiles = 64

// tileReader gives the tiles of a peer's log to tlog, which proves each before it uses it.
func (f *follower) tileReader(ctx context.Context, peer Peer) tlog.TileReader {
	cache := map[merkle.Tile][]byte{}
	return merkle.TileReader(func(t merkle.Tile) ([]byte, error) {
		if data := cache[t]; data != nil {
			return data, nil
		}
		data, err := peer.Resource(ctx, f.log, t.Path(), maxTile)
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
