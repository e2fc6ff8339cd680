package exchange

import (
	"context"
	"fmt"
	"time"

	"shieldwall/internal/object"
)

// wakeBlobs asks for the pending blobs to be fetched.
func (f *follower) wakeBlobs() {
	select {
	case f.blobs <- struct{}{}:
	default:
	}
}

type pendingBlob struct {
	index uint64
	hash  []byte
}

// fetchBlobs fetches the blobs that entries refer to, oldest first. Their entries are kept already; a
// blob that cannot be had yet holds back the watermark of this one log and nothing else.
func (f *follower) fetchBlobs(ctx context.Context, peer Peer, r *receipts) {
	for fails := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-f.blobs:
		}
		err := f.fetchPending(ctx, peer, r)
		if err == nil || ctx.Err() != nil {
			fails = 0
			continue
		}
		f.x.opt.Log.Warn("blob not fetched", "member", f.member, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(f.x.backoff(fails)):
			fails++
			f.wakeBlobs()
		}
	}
}

func (f *follower) fetchPending(ctx context.Context, peer Peer, r *receipts) error {
	var todo []pendingBlob
	err := f.x.opt.View(ctx, func(tx Tx) error {
		todo = nil
		return tx.EachPending(f.log, func(index uint64, hash []byte) error {
			todo = append(todo, pendingBlob{index, hash})
			return nil
		})
	})
	if err != nil {
		return err
	}
	for _, p := range todo {
		data, err := peer.Blob(ctx, p.hash)
		if err != nil {
			return fmt.Errorf("blob of entry %d: %w", p.index, err)
		}
		if err := f.admitBlob(ctx, p, data, r); err != nil {
			return fmt.Errorf("blob of entry %d: %w", p.index, err)
		}
	}
	return nil
}

// admitBlob keeps a blob, admits what it holds and makes it live.
func (f *follower) admitBlob(ctx context.Context, p pendingBlob, data []byte, r *receipts) error {
	var changes []object.Change
	err := f.x.opt.Update(ctx, func(tx Tx) error {
		raw, err := tx.Entry(f.log, p.index)
		if err != nil {
			return err
		}
		if err := tx.PutBlob(p.hash, data); err != nil {
			return err
		}
		reader := &reader{x: f.x, tx: tx, member: f.member, log: f.log}
		if err := reader.read(p.index, raw); err != nil {
			return err
		}
		changes = reader.changes
		return tx.DropPending(f.log, p.index)
	})
	if err != nil {
		return err
	}
	f.x.opt.Live(changes)
	if err := f.measureApplied(ctx); err != nil {
		return err
	}
	r.notify()
	return nil
}
