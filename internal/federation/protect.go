package federation

import (
	"cmp"
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
	waiting map[string]*queue
	applied map[string]uint64
	pairs   int64
}

// maxWaiting bounds the publications that are timed for one follower: while a member is away for long, the
// oldest ones lose their times and are only counted.
const maxWaiting = 100_000

// queue is what one follower has yet to confirm.
type queue struct {
	pubs    []publication // by ascending index
	untimed int64         // older ones
	end     uint64        // the index after the newest of those
}

func (q *queue) add(index uint64, at time.Time) {
	i, found := slices.BinarySearchFunc(q.pubs, index, func(p publication, x uint64) int { return cmp.Compare(p.index, x) })
	if found {
		q.pubs[i].at = at // an append that failed gave its index to the next
		return
	}
	if i == 0 && index < q.end {
		return // counted already
	}
	q.pubs = slices.Insert(q.pubs, i, publication{index, at})
	if len(q.pubs) > maxWaiting {
		q.untimed, q.end = q.untimed+1, q.pubs[0].index+1
		q.pubs = q.pubs[1:]
	}
}

// confirm takes off what lies below size.
func (q *queue) confirm(size uint64) []publication {
	if size >= q.end {
		q.untimed = 0
	}
	n := 0
	for n < len(q.pubs) && q.pubs[n].index < size {
		n++
	}
	done := slices.Clone(q.pubs[:n])
	q.pubs = slices.Delete(q.pubs, 0, n)
	return done
}

type publication struct {
	index uint64
	at    time.Time
}

// NewProtection returns an empty tracker.
func NewProtection() *Protection {
	return &Protection{waiting: map[string]*queue{}, applied: map[string]uint64{}}
}

// Published records that entry index was appended at the given time for readers. A reader whose
// watermark already covers the entry is not waited for: that happens when a node restarts.
func (p *Protection) Published(index uint64, at time.Time, readers []string) {
	for _, r := range readers {
		if p.applied[r] > index {
			continue
		}
		q := p.waiting[r]
		if q == nil {
			q = &queue{}
			p.waiting[r] = q
		}
		q.add(index, at)
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
	q := p.waiting[follower]
	if q == nil {
		return nil
	}
	var pairs []Pair
	for _, pub := range q.confirm(size) {
		pairs = append(pairs, Pair{Index: pub.index, Follower: follower, Took: max(0, now.Sub(pub.at))})
	}
	p.pairs += int64(len(pairs))
	return pairs
}

// Watermark is the highest size a follower declared.
func (p *Protection) Watermark(follower string) uint64 { return p.applied[follower] }

// Waiting counts the pairs that are not confirmed.
func (p *Protection) Waiting() int64 {
	var n int64
	for _, q := range p.waiting {
		n += q.untimed + int64(len(q.pubs))
	}
	return n
}

// Confirmed counts the pairs confirmed since the tracker was made.
func (p *Protection) Confirmed() int64 { return p.pairs }

// Forget drops what a member that left was waited for.
func (p *Protection) Forget(follower string) { delete(p.waiting, follower) }
