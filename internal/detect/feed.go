package detect

import (
	"context"
	"sync"
	"sync/atomic"

	"shieldwall/internal/status"
)

const (
	// ringSize is how many of the newest detections are kept in memory for the page.
	ringSize = 1000
	// followerBuffer is how many detections wait for one slow follower before it loses the oldest.
	followerBuffer = 256
	// maxFollowers bounds the followers; pages and commands of one node's operators are few.
	maxFollowers = 256
)

// Follower receives detections as they happen. One that reads too slowly loses the oldest, never
// anybody's time.
type Follower struct {
	C    <-chan status.Detection
	lost atomic.Int64
}

// Lost counts the detections that this follower was too slow for.
func (f *Follower) Lost() int64 { return f.lost.Load() }

// feed hands each detection to the ring and to all followers.
type feed struct {
	mu        sync.Mutex // guards the fields below
	ring      []status.Detection
	next      int // where the next one goes once the ring is full
	followers map[*Follower]chan status.Detection
	closed    bool
}

func newFeed(newest []status.Detection) *feed {
	return &feed{
		ring:      append(make([]status.Detection, 0, ringSize), newest...),
		followers: map[*Follower]chan status.Detection{},
	}
}

func (f *feed) publish(d status.Detection) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ring) < ringSize {
		f.ring = append(f.ring, d)
	} else {
		f.ring[f.next] = d
		f.next = (f.next + 1) % ringSize
	}
	for follower, c := range f.followers {
		for sent := false; !sent; {
			select {
			case c <- d:
				sent = true
			default:
				// Only this function sends, under the lock: after one is taken out there is room.
				select {
				case <-c:
					follower.lost.Add(1)
				default:
				}
			}
		}
	}
}

// recent gives up to limit of the newest detections, newest first.
func (f *feed) recent(limit int) []status.Detection {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := min(max(limit, 0), len(f.ring))
	out := make([]status.Detection, 0, n)
	for i := range n {
		out = append(out, f.ring[(f.next+2*len(f.ring)-1-i)%len(f.ring)])
	}
	return out
}

// follow adds a follower until ctx ends; then, and when the feed closes, its channel is closed.
func (f *feed) follow(ctx context.Context) (*Follower, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrStopped
	}
	if len(f.followers) >= maxFollowers {
		return nil, ErrBusy
	}
	c := make(chan status.Detection, followerBuffer)
	follower := &Follower{C: c}
	f.followers[follower] = c
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.remove(follower)
	})
	return follower, nil
}

// remove closes a follower's channel once. Caller holds mu.
func (f *feed) remove(follower *Follower) {
	if c, ok := f.followers[follower]; ok {
		delete(f.followers, follower)
		close(c)
	}
}

func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for follower := range f.followers {
		f.remove(follower)
	}
}
