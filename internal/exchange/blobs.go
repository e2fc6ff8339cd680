package exchange

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// maxTodo bounds the blobs of one log that are fetched in one round. The next ones follow once one of these
// has come.
const maxTodo = 1024

// fetcher fetches the blobs that entries of one log refer to. The entries are kept already; a blob that
// cannot be had yet holds back the watermark of this log and nothing else.
type fetcher struct {
	f        *follower
	peer     Peer
	receipts *receipts
	wake     chan struct{} // holds one wake
}

func newFetcher(f *follower, peer Peer, r *receipts) *fetcher {
	b := &fetcher{f: f, peer: peer, receipts: r, wake: make(chan struct{}, 1)}
	b.notify() // for what the session before left
	return b
}

// notify asks for a round.
func (b *fetcher) notify() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// run fetches until ctx ends: when something new is asked for, and again after a failure.
func (b *fetcher) run(ctx context.Context) {
	var again <-chan time.Time
	for fails := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		case <-again:
		}
		again = nil
		came, err := b.round(ctx)
		if ctx.Err() != nil {
			return
		}
		if came > 0 {
			fails = 0
			b.notify() // there may be more than one round takes
		}
		if err != nil {
			b.f.x.opt.Log.Warn("blob not fetched", "member", b.f.member, "error", err)
			again = time.After(b.f.x.backoff(fails))
			fails++
		}
	}
}

type pendingBlob struct {
	index uint64
	hash  []byte
}

// errEnough ends a loop over the store early.
var errEnough = errors.New("enough")

// firstPending is the index of the first entry of a log that waits for its blob, none if no entry does.
func firstPending(tx Tx, log string) (uint64, error) {
	first := uint64(none)
	err := tx.EachPending(log, func(index uint64, _ []byte) error {
		first = index
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return first, err
}

// round tries every pending blob once, oldest first, and says how many came. One that fails does not keep
// the next from being tried; the first failure is the one reported.
func (b *fetcher) round(ctx context.Context) (came int, first error) {
	var todo []pendingBlob
	err := b.f.x.opt.View(ctx, func(tx Tx) error {
		return tx.EachPending(b.f.log, func(index uint64, hash []byte) error {
			if len(todo) == maxTodo {
				return errEnough
			}
			todo = append(todo, pendingBlob{index, hash})
			return nil
		})
	})
	if err != nil && !errors.Is(err, errEnough) {
		return 0, err
	}
	for _, p := range todo {
		if ctx.Err() != nil {
			return came, ctx.Err()
		}
		if err := b.fetch(ctx, p); err != nil {
			if first == nil {
				first = fmt.Errorf("blob of entry %d: %w", p.index, err)
			}
			continue
		}
		came++
	}
	return came, first
}

// fetch gets one blob, from the store if another entry brought it already, and admits what it holds.
func (b *fetcher) fetch(ctx context.Context, p pendingBlob) error {
	data, err := b.f.x.blob(ctx, p.hash)
	if err != nil {
		return err
	}
	held := data != nil
	if !held {
		if data, err = b.peer.Blob(ctx, p.hash); err != nil {
			return err
		}
		if sum := sha256.Sum256(data); !bytes.Equal(sum[:], p.hash) {
			return errors.New("the peer sent other bytes")
		}
	}
	u, err := b.read(ctx, p, data)
	if err != nil {
		return err
	}
	return b.keep(ctx, p, data, held, u)
}

// read opens the entry again, with its blob at hand.
func (b *fetcher) read(ctx context.Context, p pendingBlob, data []byte) (*unit, error) {
	var raw []byte
	err := b.f.x.opt.View(ctx, func(tx Tx) (err error) {
		raw, err = tx.Entry(b.f.log, p.index)
		return err
	})
	if err != nil {
		return nil, err
	}
	r := newReader(b.f, maxEpoch) // any epoch may be in the store
	r.blob = func(context.Context, []byte) ([]byte, error) { return data, nil }
	u := &unit{pending: none}
	return u, r.read(ctx, u, p.index, raw)
}

// keep commits the blob and what it holds, in as many transactions as the store's writer can bear, and makes
// each live. The entry stays pending up to the last of them, so that a crash in between loses nothing.
func (b *fetcher) keep(ctx context.Context, p pendingBlob, data []byte, held bool, u *unit) error {
	if !held {
		if err := b.f.x.opt.Update(ctx, func(tx Tx) error { return tx.PutBlob(p.hash, data) }); err != nil {
			return err
		}
	}
	for len(u.steps) > unitSteps {
		if err := b.commit(ctx, u, u.steps[:unitSteps], nil); err != nil {
			return err
		}
		u.steps = u.steps[unitSteps:]
	}
	return b.commit(ctx, u, u.steps, &p)
}

// commit takes some of a blob's steps; done is the entry that is not pending any more after them.
func (b *fetcher) commit(ctx context.Context, u *unit, steps []func(Tx) error, done *pendingBlob) error {
	b.f.commits.Lock()
	defer b.f.commits.Unlock()
	missing := uint64(none)
	err := b.f.x.opt.Update(ctx, func(tx Tx) (err error) {
		if err = u.run(tx, steps); err != nil || done == nil {
			return err
		}
		if err = tx.DropPending(b.f.log, done.index); err == nil {
			missing, err = firstPending(tx, b.f.log)
		}
		return err
	})
	if err != nil {
		return err
	}
	b.f.published(u)
	if done != nil {
		b.f.arrived(missing)
		b.receipts.notify()
	}
	return nil
}
