package exchange

import (
	"context"
	"time"
)

// receiptEvery is the least time between two receipts to one publisher
// (DESIGN.md, "Applied receipt": at most one per follower and log per 20 ms).
const receiptEvery = 20 * time.Millisecond

// receipts sends the follower's watermark to the publisher whenever it rose; a newer one replaces one
// that was not sent yet. Each session sends it once more: the publisher may have lost it.
type receipts struct {
	f    *follower
	peer Peer
	wake chan struct{} // holds one wake
}

func newReceipts(f *follower, peer Peer) *receipts {
	r := &receipts{f: f, peer: peer, wake: make(chan struct{}, 1)}
	r.notify()
	return r
}

func (r *receipts) notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run sends until ctx ends. A receipt that cannot be sent is tried again: the publisher must learn it.
func (r *receipts) run(ctx context.Context) {
	sent, fails := uint64(0), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		size := r.f.watermark()
		if size <= sent {
			continue
		}
		wait := receiptEvery
		if err := r.send(ctx, size); err != nil {
			r.f.x.opt.Log.Debug("receipt not delivered", "member", r.f.member, "error", err)
			wait = r.f.x.backoff(fails)
			fails++
			r.notify()
		} else {
			sent, fails = size, 0
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (r *receipts) send(ctx context.Context, size uint64) error {
	note, err := r.f.x.opt.Receipt(r.f.log, size)
	if err != nil {
		return err
	}
	return r.peer.Applied(ctx, note)
}
