package exchange

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"shieldwall/internal/federation"
	"shieldwall/internal/object"
	"shieldwall/internal/status"
)

// none is the index of no entry.
const none = math.MaxUint64

// follower follows one member's log, as long as its card stays the same.
type follower struct {
	x                 *Exchange
	member, log, card string
	cancel            context.CancelFunc
	after             <-chan struct{} // closed when the follower before this one has ended; nil if there was none
	done              chan struct{}   // closed when this one has
	knock             chan struct{}   // holds one element once the member has shown itself

	rosterTries int // belongs to the goroutine of run, as the session does

	// commits is held from a transaction on this log until what it brought is live and counted: the
	// watermark must never say what does not act yet, and two goroutines commit.
	commits sync.Mutex

	mu       sync.Mutex // guards the fields below
	peer     Peer
	state    string
	problem  string
	lastSeen time.Time
	wasLive  bool   // in this session
	size     uint64 // verified and persisted
	head     uint64 // newest size that the log's key signed
	missing  uint64 // index of the first entry whose blob is not here; none if all are
	applied  uint64 // admitted and live
}

// run follows until ctx ends: session after session.
func (f *follower) run(ctx context.Context) {
	if f.after != nil {
		<-f.after // it may be of the same log
	}
	peer := f.x.opt.Dial(f.member)
	defer peer.Close()
	f.mu.Lock()
	f.peer = peer
	f.mu.Unlock()
	for fails := 0; ctx.Err() == nil; fails++ {
		began, changed := time.Now(), f.x.opt.Roll.Changed()
		err := f.session(ctx, peer)
		if ctx.Err() != nil {
			return
		}
		if f.failed(peer, err) && time.Since(began) >= settled {
			fails = 0
		}
		if over := (*overQuota)(nil); errors.As(err, &over) {
			fails = 0
			waitQuota(ctx, changed, over.wait)
			continue
		}
		f.rest(ctx, f.x.backoff(fails))
	}
}

// rest waits before the next try: for d, or until the member shows itself by calling here. A member that
// knocks without end makes no more tries than retryLeast allows.
func (f *follower) rest(ctx context.Context, d time.Duration) {
	least := time.After(min(d, retryLeast))
	select {
	case <-ctx.Done():
		return
	case <-least:
	}
	select {
	case <-ctx.Done():
	case <-f.knock:
	case <-time.After(max(0, d-retryLeast)):
	}
}

// failed keeps why a session ended, for the status, and says whether the session had been live.
func (f *follower) failed(peer Peer, err error) (wasLive bool) {
	state, problem := "unreachable", err.Error()
	if reason, no := peer.Refusal(err); no {
		state, problem = "refused", "it refuses us: "+reason
	} else if over := (*overQuota)(nil); errors.As(err, &over) {
		state = "over quota"
	} else if errors.Is(err, federation.ErrRoot) || errors.Is(err, federation.ErrRollback) {
		state = "refused"
	}
	f.mu.Lock()
	changed := f.problem != problem
	f.state, f.problem = state, problem
	wasLive, f.wasLive = f.wasLive, false
	f.mu.Unlock()
	if changed {
		f.x.opt.Log.Warn("member not followed", "member", f.member, "state", state, "problem", problem)
	}
	return wasLive
}

func (f *follower) set(state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state, f.problem, f.lastSeen = state, "", time.Now()
	f.wasLive = f.wasLive || state == "live"
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

// saw notes a verified head.
func (f *follower) saw(head uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.head, f.lastSeen = max(f.head, head), time.Now()
}

// loaded starts the watermark from the store: what it holds is live.
func (f *follower) loaded(size, head, missing uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.size, f.head, f.missing = size, max(f.head, head), missing
	f.applied = max(f.applied, min(size, missing))
}

// advance moves the watermark up to size, or to the first entry that waits for its blob; pending is the
// first one among those just committed. The caller holds commits.
func (f *follower) advance(size, pending uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.size, f.missing = size, min(f.missing, pending)
	f.applied = max(f.applied, min(f.size, f.missing))
}

// arrived moves the watermark after a blob came: missing is the first one that is still waited for. The
// caller holds commits.
func (f *follower) arrived(missing uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.missing = missing
	f.applied = max(f.applied, min(f.size, f.missing))
}

func (f *follower) watermark() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.applied
}

// published makes what a committed unit brought live, and counts what was refused.
func (f *follower) published(u *unit) {
	if len(u.changes) > 0 {
		f.x.opt.Live(u.changes)
	}
	for _, r := range u.refused {
		f.x.reject(f.member, r)
	}
	u.changes, u.refused = []object.Change(nil), nil
}
