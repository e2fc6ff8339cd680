package exchange

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"shieldwall/internal/federation"
	"shieldwall/internal/merkle"
	"shieldwall/internal/object"
	"shieldwall/internal/status"
)

// follower follows one member's log.
type follower struct {
	x      *Exchange
	member string
	log    string
	cancel context.CancelFunc
	blobs  chan struct{} // wakes the fetcher of pending blobs; holds one wake

	// frontier is the verified tree of what is persisted; only the goroutine of run touches it.
	frontier *merkle.Frontier

	mu       sync.Mutex // guards the fields below
	peer     Peer
	state    string
	problem  string
	lastSeen time.Time
	size     uint64 // verified and persisted
	head     uint64 // newest size that the log's key signed
	applied  uint64 // admitted and live
}

// run follows until ctx ends: session after session, each on its own backoff.
func (f *follower) run(ctx context.Context) {
	peer := f.x.opt.Dial(f.member)
	defer peer.Close()
	f.mu.Lock()
	f.peer = peer
	f.mu.Unlock()
	for fails := 0; ctx.Err() == nil; fails++ {
		began := time.Now()
		err := f.session(ctx, peer)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Minute {
			fails = 0
		}
		f.failed(peer, err)
		select {
		case <-ctx.Done():
		case <-time.After(f.x.backoff(fails)):
		}
	}
}

// failed keeps why a session ended, for the status.
func (f *follower) failed(peer Peer, err error) {
	state, problem := "unreachable", err.Error()
	if reason, no := peer.Refusal(err); no {
		state, problem = "refused", "it refuses us: "+reason
	}
	f.mu.Lock()
	changed := f.problem != problem
	f.state, f.problem = state, problem
	f.mu.Unlock()
	if changed {
		f.x.opt.Log.Warn("member not followed", "member", f.member, "state", state, "problem", problem)
	}
}

func (f *follower) set(state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state, f.problem, f.lastSeen = state, "", time.Now()
}

func (f *follower) fill(m *status.Member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m.State, m.Problem, m.LastSeen, m.Log = f.state, f.problem, f.lastSeen, f.log
	m.Size, m.Head, m.Applied = f.size, f.head, f.applied
	if f.peer != nil {
		m.BytesIn, m.BytesOut = f.peer.Traffic()
	}
}

// errBehind ends a stream whose newest checkpoint lies further ahead than one batch: tiles are cheaper.
var errBehind = errors.New("behind: catching up by tiles")

// session loads what is held, catches up by tiles where much is missing and then follows live.
func (f *follower) session(ctx context.Context, peer Peer) error {
	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	if err := f.load(ctx); err != nil {
		return err
	}
	receipts := &receipts{f: f, peer: peer, wake: make(chan struct{}, 1)}
	helpers.Go(func() { receipts.run(ctx) })
	helpers.Go(func() { f.fetchBlobs(ctx, peer, receipts) })
	receipts.notify()
	f.wakeBlobs()
	for {
		if err := f.catchUp(ctx, peer, receipts); err != nil {
			return err
		}
		err := peer.Stream(ctx, f.log, f.frontier.Size(),
			func(b Batch) error { return f.take(ctx, b, receipts) },
			func(n News) error {
				f.set("live")
				return f.x.opt.Roll.Learn(ctx, peer, n)
			})
		if !errors.Is(err, errBehind) {
			return err
		}
	}
}

// haveKey is where the number of persisted entries is kept while they reach beyond the signed head.
func (f *follower) haveKey() string { return "have/" + f.log }

// load rebuilds the frontier from the store.
func (f *follower) load(ctx context.Context) error {
	var have, head uint64
	err := f.x.opt.View(ctx, func(tx Tx) error {
		var err error
		if head, _, err = tx.LogHead(f.log); err != nil {
			return err
		}
		v, err := tx.Meta(f.haveKey())
		if len(v) == 8 {
			have = binary.BigEndian.Uint64(v)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("loading what is held of %s: %w", f.log, err)
	}
	have = max(have, head)
	if f.frontier, err = f.x.opt.Mirror.Load(ctx, f.log, have); err != nil {
		return fmt.Errorf("loading what is held of %s: %w", f.log, err)
	}
	f.mu.Lock()
	f.size, f.head = have, max(f.head, head)
	f.mu.Unlock()
	return f.measureApplied(ctx)
}

// verifier checks checkpoints by the log key of the member's card in force.
func (f *follower) verifier() (*federation.Verifier, error) {
	return f.x.opt.Roll.Now().LogVerifier(f.member, f.log)
}

// take verifies a live batch and persists it.
func (f *follower) take(ctx context.Context, b Batch, r *receipts) error {
	v, err := f.verifier()
	if err != nil {
		return err
	}
	head, err := v.Head(b.Checkpoint)
	if err != nil {
		return err
	}
	f.saw(head.Size)
	if b.First <= f.frontier.Size() && b.First+uint64(len(b.Entries)) < head.Size {
		return errBehind
	}
	next, fresh, err := federation.Extend(f.frontier, head, b.First, b.Entries)
	if err != nil {
		return err
	}
	return f.persist(ctx, next, fresh, &head, r)
}

func (f *follower) saw(head uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.head, f.lastSeen = max(f.head, head), time.Now()
}

// persist commits verified entries together with what they say, then makes that live.
func (f *follower) persist(ctx context.Context, next *merkle.Frontier, fresh [][]byte, head *federation.Head, r *receipts) error {
	first := f.frontier.Size()
	if next.Size() == first && head == nil {
		return nil
	}
	var changes []object.Change
	var pending bool
	err := f.x.opt.Update(ctx, func(tx Tx) error {
		changes, pending = nil, false
		if err := f.x.opt.Mirror.Store(tx, f.log, f.member, f.frontier, first, fresh, head); err != nil {
			return err
		}
		if err := tx.PutMeta(f.haveKey(), binary.BigEndian.AppendUint64(nil, next.Size())); err != nil {
			return err
		}
		reader := &reader{x: f.x, tx: tx, member: f.member, log: f.log}
		for i, e := range fresh {
			if err := reader.read(first+uint64(i), e); err != nil {
				return fmt.Errorf("entry %d: %w", first+uint64(i), err)
			}
		}
		changes, pending = reader.changes, reader.pending
		return nil
	})
	if err != nil {
		return fmt.Errorf("keeping what %s published: %w", f.member, err)
	}
	f.frontier = next
	f.x.opt.Live(changes)
	f.mu.Lock()
	f.size = next.Size()
	f.mu.Unlock()
	if err := f.measureApplied(ctx); err != nil {
		return err
	}
	r.notify()
	if pending {
		f.wakeBlobs()
	}
	return nil
}

// measureApplied sets the watermark: everything persisted, up to the first blob that is still missing.
func (f *follower) measureApplied(ctx context.Context) error {
	f.mu.Lock()
	size := f.size
	f.mu.Unlock()
	err := f.x.opt.View(ctx, func(tx Tx) error {
		return tx.EachPending(f.log, func(index uint64, _ []byte) error {
			size = min(size, index)
			return nil
		})
	})
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applied = max(f.applied, size)
	return nil
}

func (f *follower) watermark() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.applied
}
