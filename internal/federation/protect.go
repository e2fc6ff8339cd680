package federation

import (
	"slices"
	"time"
)

// Pair is one publication confirmed by one entitled member: its time to protect.
type Pair struct {
	Index    uint64
	Follower string
	Took     time.Duration
}

// Protection keeps, for the publisher's own log, which entitled members have yet to act on which entry.
// Times are the publisher's own; pass times that carry a monotonic reading. It is not safe for
// concurrent use: its owner serialises calls.
type Protection struct {
	// waiting holds per follower its unconfirmed publications, by ascending index.
	waiting map[string][]publication
	applied map[string]uint64
	pairs   int64
}

type publication struct {
	index uint64
	at    time.Time
}

// NewProtection returns an empty tracker.
func NewProtection() *Protection {
	return &Protection{waiting: map[string][]publication{}, applied: map[string]uint64{}}
}

// Published records that entry index was appended at the given time for readers. A reader whose
// watermark already covers the entry is not waited for: that happens when a node restarts.
func (p *Protection) Published(index uint64, at time.Time, readers []string) {
	for _, r := range readers {
		if p.applied[r] > index {
			continue
		}
		w := p.waiting[r]
		i, found := slices.BinarySearchFunc(w, index, func(a publication, x uint64) int {
			switch {
			case a.index < x:
				return -1
			case a.index > x:
				return 1
			}
			return 0
		})
		if found {
			w[i].at = at // an append that failed gave its index to the next
			continue
		}
		p.waiting[r] = slices.Insert(w, i, publication{index, at})
	}
}

// Restore sets a follower's watermark as it was persisted, confirming nothing.
func (p *Protection) Restore(follower string, size uint64) {
	p.applied[follower] = max(p.applied[follower], size)
}

// Applied takes a follower's watermark: it acts on every entry below size. It returns the pairs that
// this confirms. A watermark never goes back; an older one confirms nothing.
func (p *Protection) Applied(follower string, size uint64, now time.Time) []Pair {
	if size <= p.applied[follower] {
		return nil
	}
	p.applied[follower] = size
	w := p.waiting[follower]
	n := 0
	for n < len(w) && w[n].index < size {
		n++
	}
	if n == 0 {
		return nil
	}
	pairs := make([]Pair, n)
	for i, pub := range w[:n] {
		pairs[i] = Pair{Index: pub.index, Follower: follower, Took: max(0, now.Sub(pub.at))}
	}
	p.waiting[follower] = slices.Delete(w, 0, n)
	p.pairs += int64(n)
	return pairs
}

// Watermark is the highest size a follower declared.
func (p *Protection) Watermark(follower string) uint64 { return p.applied[follower] }

// Waiting counts the pairs that are not confirmed.
func (p *Protection) Waiting() int64 {
	var n int64
	for _, w := range p.waiting {
		n += int64(len(w))
	}
	return n
}

// Confirmed counts the pairs confirmed since the tracker was made.
func (p *Protection) Confirmed() int64 { return p.pairs }

// Forget drops what a member that left was waited for.
func (p *Protection) Forget(follower string) { delete(p.waiting, follower) }
