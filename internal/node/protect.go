package node

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"shieldwall/internal/entry"
	"shieldwall/internal/federation"
	"shieldwall/internal/status"
	"shieldwall/internal/store/sqlite"
)

// maxTimes bounds the times to protect that percentiles are taken over: the newest.
const maxTimes = 100_000

// protection measures time to protect on this node's own log: from the append until a member's receipt
// covers the entry (DESIGN.md, "Words").
type protection struct {
	store *sqlite.Store
	self  string
	log   string
	now   func() time.Time

	mu    sync.Mutex // guards the fields below
	core  *federation.Protection
	pairs int64     // confirmed, as far as they are known here
	times []float64 // milliseconds, a ring
	next  int
	// unsaved are pairs that a failed write left in memory alone; the member's next receipt writes them too.
	unsaved map[string][]federation.Pair
}

func newProtection(store *sqlite.Store, self, log string, now func() time.Time) *protection {
	return &protection{store: store, self: self, log: log, now: now, core: federation.NewProtection(), unsaved: map[string][]federation.Pair{}}
}

// restored bounds how many of the newest publications are waited for again after a restart.
const restored = 10_000

// load restores what was waited for before a restart. Those times count on the wall clock: no monotonic
// reading outlives a process.
func (p *protection) load(ctx context.Context, m *federation.Membership) error {
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
		return tx.EachPublication(p.log, math.MaxInt64, restored, func(index uint64, at time.Time, _ int, _, _ string, took map[string]time.Duration) error {
			for _, d := range took {
				p.keep(d)
			}
			readers, err := p.readers(tx, m, index, at)
			if err != nil {
				return fmt.Errorf("publication %d: %w", index, err)
			}
			p.core.Published(index, at, readers)
			return nil
		})
	})
}

// readers are the members for whom an entry was published and who are still dealt with: those who got its
// epoch's key, or of an entry in clear those who were members then. Who came later never had a claim.
func (p *protection) readers(tx *sqlite.Tx, m *federation.Membership, index uint64, at time.Time) ([]string, error) {
	raw, err := tx.Entry(p.log, index)
	if err != nil {
		return nil, err
	}
	e, err := entry.Parse(raw)
	if err != nil {
		return nil, err
	}
	var readers []string
	if e.Epoch > 0 {
		if readers, err = tx.EpochReaders(p.log, e.Epoch); err != nil {
			return nil, err
		}
	} else {
		for _, member := range m.Roster.Active() {
			if !member.Listed.After(at) && member.ID != p.self {
				readers = append(readers, member.ID)
			}
		}
	}
	return slices.DeleteFunc(readers, func(r string) bool { return !m.Deals(r) }), nil
}

// keep adds a time; the caller holds mu.
func (p *protection) keep(d time.Duration) {
	p.pairs++
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
	fresh := p.core.Applied(member, size, now)
	for _, pair := range fresh {
		p.keep(pair.Took)
	}
	late, failed := p.unsaved[member]
	delete(p.unsaved, member)
	p.mu.Unlock()
	if size <= before && !failed {
		return nil
	}
	pairs := append(late, fresh...)
	err := p.store.Update(ctx, func(tx *sqlite.Tx) error {
		for _, pair := range pairs {
			if err := tx.PutProtect(p.log, pair.Index, pair.Follower, pair.Took); err != nil {
				return err
			}
		}
		return tx.PutApplied(p.log, member, size)
	})
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.unsaved[member] = append(pairs, p.unsaved[member]...)
	}
	return err
}

// forget waits no more for a member that this node does not deal with any more.
func (p *protection) forget(member string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.core.Forget(member)
}

func (p *protection) watermark(member string) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.core.Watermark(member)
}

// status sums up.
func (p *protection) status() status.Protect {
	p.mu.Lock()
	sorted, pairs, waiting := slices.Clone(p.times), p.pairs, p.core.Waiting()
	p.mu.Unlock()
	slices.Sort(sorted) // outside the lock: an append waits for it
	return status.Protect{
		Pairs: pairs, Waiting: waiting,
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
