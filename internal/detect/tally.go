package detect

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"shieldwall/internal/object"
)

// maxPending bounds the keys counted in memory between two flushes; whoever adds one more flushes.
const maxPending = 16 << 10

// maxFlushUnit bounds how many counts move to the store in one unit of work, which others wait for.
const maxFlushUnit = 500

// count is how often one member's object was detected, and when first and last.
type count struct {
	n           int64
	first, last time.Time
}

func (c count) plus(o count) count {
	if c.n == 0 {
		return o
	}
	c.n += o.n
	if o.first.Before(c.first) {
		c.first = o.first
	}
	if o.last.After(c.last) {
		c.last = o.last
	}
	return c
}

// tally counts detections of shared intelligence in memory and moves the counts to the store.
type tally struct {
	update func(context.Context, func(Tx) error) error

	mu      sync.Mutex // guards pending
	pending map[object.Key]count

	// moving is held while counts move to the store or out of it, so that what a tick reads is what it
	// sends and drops.
	moving sync.Mutex
}

func newTally(update func(context.Context, func(Tx) error) error) *tally {
	return &tally{update: update, pending: map[object.Key]count{}}
}

// add counts one detection; full asks the caller to flush.
func (t *tally) add(k object.Key, at time.Time) (full bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending[k] = t.pending[k].plus(count{1, at, at})
	return len(t.pending) >= maxPending
}

// flush moves the pending counts to the store; it returns once every count added before is there.
func (t *tally) flush(ctx context.Context) error {
	t.moving.Lock()
	defer t.moving.Unlock()
	return t.move(ctx)
}

// move does flush's work, in small units. Caller holds moving.
func (t *tally) move(ctx context.Context) error {
	t.mu.Lock()
	batch := t.pending
	t.pending = map[object.Key]count{}
	t.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(batch), compareKeys)
	for unit := range slices.Chunk(keys, maxFlushUnit) {
		err := t.update(ctx, func(tx Tx) error {
			for _, k := range unit {
				c := batch[k]
				if err := tx.AddTally(k.Publisher, k.ID, c.n, c.first, c.last); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.putBack(batch)
			return fmt.Errorf("storing the counts of %d detected objects: %w", len(batch), err)
		}
		for _, k := range unit {
			delete(batch, k)
		}
	}
	return nil
}

// putBack returns counts that could not be stored.
func (t *tally) putBack(batch map[object.Key]count) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, c := range batch {
		t.pending[k] = t.pending[k].plus(c)
	}
}
