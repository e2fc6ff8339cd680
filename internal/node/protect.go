package node

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"shieldwall/internal/federation"
	"shieldwall/internal/policy"
	"shieldwall/internal/status"
	"shieldwall/internal/store/sqlite"
)

// maxTimes bounds the times to protect that percentiles are taken over: the newest.
const maxTimes = 100_000

// protection measures time to protect on this node's own log: from the append until a member's receipt
// covers the entry (DESIGN.md, "Words").
type protection struct {
	store *sqlite.Store
	log   string
	now   func() time.Time

	mu    sync.Mutex // guards the fields below
	core  *federation.Protection
	times []float64 // milliseconds, a ring
	next  int
}

func newProtection(store *sqlite.Store, log string, now func() time.Time) *protection {
	return &protection{store: store, log: log, now: now, core: federation.NewProtection()}
}

// restored bounds how many of the newest publications are waited for again after a restart.
const restored = 10_000

// load restores what was waited for before a restart. Those times count on the wall clock: no monotonic
// reading outlives a process.
func (p *protection) load(ctx context.Context, members *policy.Members, self string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.store.View(ctx, func(tx *sqlite.Tx) error {
		applied, err := tx.Applied(p.log)
		if err != nil {
			return err
		}
		for follower, size := range applied {
			p.core.Restore(follower, size)
		}
		return tx.EachPublication(p.log, math.MaxInt64, restored, func(index uint64, at time.Time, _ int, audience, _ string, took map[string]time.Duration) error {
			for _, d := range took {
				p.keep(d)
			}
			a, err := policy.ParseAudience(audience)
			if err != nil {
				return fmt.Errorf("publication %d: %w", index, err)
			}
			readers := policy.Readers(members, 1, a) // of CLEAR: whom the audience names
			p.core.Published(index, at, slices.DeleteFunc(readers, func(r string) bool { return r == self }))
			return nil
		})
	})
}

// keep adds a time; the caller holds mu.
func (p *protection) keep(d time.Duration) {
	ms := float64(d) / float64(time.Millisecond)
	if len(p.times) < maxTimes {
		p.times = append(p.times, ms)
		return
	}
	p.times[p.next] = ms
	p.next = (p.next + 1) % maxTimes
}

// published starts the clock of an entry.
func (p *protection) published(index uint64, at time.Time, readers []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.core.Published(index, at, readers)
}

// applied takes a receipt that was verified. Its times are kept without an fsync: they are figures.
func (p *protection) applied(ctx context.Context, member string, size uint64) error {
	now := p.now()
	p.mu.Lock()
	before := p.core.Watermark(member)
	pairs := p.core.Applied(member, size, now)
	for _, pair := range pairs {
		p.keep(pair.Took)
	}
	p.mu.Unlock()
	if size <= before {
		return nil
	}
	return p.store.Update(ctx, func(tx *sqlite.Tx) error {
		for _, pair := range pairs {
			if err := tx.PutProtect(p.log, pair.Index, pair.Follower, pair.Took); err != nil {
				return err
			}
		}
		return tx.PutApplied(p.log, member, size)
	})
}

func (p *protection) watermark(member string) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.core.Watermark(member)
}

// status sums up.
func (p *protection) status() status.Protect {
	p.mu.Lock()
	defer p.mu.Unlock()
	sorted := slices.Sorted(slices.Values(p.times))
	return status.Protect{
		Pairs: int64(len(sorted)), Waiting: p.core.Waiting(),
		P50: percentile(sorted, 50), P95: percentile(sorted, 95), P99: percentile(sorted, 99), Max: percentile(sorted, 100),
	}
}

// percentile is the nearest-rank percentile of sorted values; 0 of none.
func percentile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(0, rank-1)]
}
