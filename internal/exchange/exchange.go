// Package exchange follows every other member's log: it verifies each root and signature, keeps all
// entries, opens those this member may read, has them admitted and tells their publishers up to where
// it acts on them (DESIGN.md, "How data flows").
//
// Each member is followed by goroutines of its own, so that one that hangs, lies or is away delays
// nobody else.
package exchange

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"shieldwall/internal/federation"
	"shieldwall/internal/merkle"
	"shieldwall/internal/object"
	"shieldwall/internal/status"
)

// Tx is what exchange needs of a store transaction.
type Tx interface {
	Meta(key string) ([]byte, error)
	PutMeta(key string, value []byte) error
	LogHead(log string) (size uint64, checkpoint []byte, err error)
	EpochKey(log string, epoch uint64) ([]byte, error)
	PutEpochKey(log string, epoch uint64, audience string, sealed []byte) error
	EpochEntry(log string, epoch uint64) (index uint64, entry []byte, err error)
	PutEpochEntry(log string, epoch, index uint64, entry []byte) error
	Blob(hash []byte) ([]byte, error)
	PutBlob(hash, data []byte) error
	Entry(log string, index uint64) ([]byte, error)
	PutPending(log string, index uint64, hash []byte) error
	EachPending(log string, fn func(index uint64, hash []byte) error) error
	DropPending(log string, index uint64) error
}

// Provenance says who published an object, where and for whom.
type Provenance struct {
	Publisher string
	Place     object.Place
	TLP       uint8
	Audience  string
}

// Gate admits objects; refused is the reason where one is not admitted, err a failure of this node.
type Gate interface {
	Admit(tx Tx, from Provenance, raw []byte) (changes []object.Change, refused string, err error)
	Withdraw(tx Tx, from Provenance, of object.Place, id string) (changes []object.Change, refused string, err error)
	// MayRead is the one policy function, asked for this node itself.
	MayRead(tlp uint8, audience string) bool
}

// Mirror persists a verified part of a foreign log inside a transaction.
type Mirror interface {
	// Load rebuilds the frontier of what is held of a log: its first size entries.
	Load(ctx context.Context, log string, size uint64) (*merkle.Frontier, error)
	// Store writes entries from index first on, and the tiles they touch. before is the frontier at
	// first; it is not changed. head is the signed checkpoint that ends with the entries, nil where they do
	// not reach one yet.
	Store(tx Tx, log, member string, before *merkle.Frontier, first uint64, entries [][]byte, head *federation.Head) error
}

// Roll is the membership in force and the way by which news of it comes in.
type Roll interface {
	Now() *federation.Membership
	// Changed is closed at the next change.
	Changed() <-chan struct{}
	// Learn fetches what the news promise and this node lacks, from the peer that told them. Several
	// followers call it at a time.
	Learn(ctx context.Context, from Peer, news News) error
}

// News is what a peer holds of roster and cards.
type News struct {
	Version uint64
	Hash    string
	Cards   map[string]uint64
	Drafts  []string // hashes of drafts of the next roster
}

// Batch is a contiguous part of a log and the newest signed checkpoint.
type Batch struct {
	Checkpoint []byte
	First      uint64
	Entries    [][]byte
}

// Peer is one member's node as its protocol shows it. Every call ends soon after its context.
type Peer interface {
	Checkpoint(ctx context.Context, log string) ([]byte, error)
	Resource(ctx context.Context, log, path string, max int64) ([]byte, error)
	Stream(ctx context.Context, log string, from uint64, batch func(Batch) error, news func(News) error) error
	Blob(ctx context.Context, hash []byte) ([]byte, error)
	Roster(ctx context.Context, version uint64) ([]byte, error)
	Card(ctx context.Context, member string) ([]byte, error)
	Draft(ctx context.Context, hash string) ([]byte, error)
	Applied(ctx context.Context, note []byte) error
	// Refusal says whether an error is the peer's own no, and why.
	Refusal(err error) (reason string, ok bool)
	Traffic() (in, out int64)
	Close()
}

// Options are what an Exchange works with; all are required.
type Options struct {
	Self    string
	Roll    Roll
	Dial    func(member string) Peer
	Update  func(ctx context.Context, fn func(Tx) error) error
	View    func(ctx context.Context, fn func(Tx) error) error
	Mirror  Mirror
	Gate    Gate
	Opener  Opener
	Live    func([]object.Change) // called after the commit; returns once the matcher acts on them
	Receipt func(log string, size uint64) ([]byte, error)
	Now     func() time.Time
	Log     *slog.Logger
	Jitter  *rand.Rand // spreads retries
}

// Exchange runs the followers.
type Exchange struct {
	opt Options

	mu        sync.Mutex // guards the fields below
	followers map[string]*follower
	ended     map[string]<-chan struct{} // per member: closed once its newest follower has ended
	rejected  map[string]int64
}

// New makes an Exchange; Run starts it.
func New(opt Options) *Exchange {
	return &Exchange{opt: opt, followers: map[string]*follower{}, ended: map[string]<-chan struct{}{}, rejected: map[string]int64{}}
}

// Run follows every member with a card, as the membership changes, until ctx ends.
func (x *Exchange) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		changed := x.opt.Roll.Changed()
		x.reconcile(ctx, &wg)
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// reconcile starts a follower for each member that has none and ends those of members that left. A new
// card ends a follower too: it may name another log, other endpoints or another TLS key.
func (x *Exchange) reconcile(ctx context.Context, wg *sync.WaitGroup) {
	x.mu.Lock()
	defer x.mu.Unlock()
	type source struct{ log, card string }
	now := x.opt.Roll.Now()
	wanted := map[string]source{}
	for _, p := range now.Peers(x.opt.Self) {
		wanted[p.Member] = source{p.Log, now.CardHash(p.Member)}
	}
	for member, f := range x.followers {
		if wanted[member] != (source{f.log, f.card}) {
			f.cancel()
			delete(x.followers, member)
		}
	}
	for member, from := range wanted {
		if x.followers[member] != nil {
			continue
		}
		fctx, stop := context.WithCancel(ctx)
		f := &follower{
			x: x, member: member, log: from.log, card: from.card, cancel: stop,
			after: x.ended[member], done: make(chan struct{}), knock: make(chan struct{}, 1), state: "connecting", missing: none,
		}
		x.followers[member], x.ended[member] = f, f.done
		wg.Go(func() {
			defer close(f.done)
			defer stop()
			f.run(fctx)
		})
	}
}

// Fill completes a member's status with what its follower knows.
func (x *Exchange) Fill(m *status.Member) {
	x.mu.Lock()
	f := x.followers[m.ID]
	x.mu.Unlock()
	if f != nil {
		f.fill(m)
	}
}

// Knock says that a member proved its key by calling here: if it is waited for, the next try comes at once.
// It may just have joined, or come back from an hour away.
func (x *Exchange) Knock(member string) {
	x.mu.Lock()
	f := x.followers[member]
	x.mu.Unlock()
	if f == nil {
		return
	}
	select {
	case f.knock <- struct{}{}:
	default:
	}
}

// Rejected counts what peers published and this node refused, by reason.
func (x *Exchange) Rejected() map[string]int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := make(map[string]int64, len(x.rejected))
	for k, v := range x.rejected {
		out[k] = v
	}
	return out
}

// maxReasons bounds how many (member, reason) are counted apart.
const maxReasons = 4096

// reject counts what was refused. It is logged ever more seldom: a peer can publish any amount of garbage.
func (x *Exchange) reject(member string, r refusal) {
	x.mu.Lock()
	key := member + ": " + r.reason
	if _, known := x.rejected[key]; !known && len(x.rejected) >= maxReasons {
		key = "other"
	}
	x.rejected[key]++
	n := x.rejected[key]
	x.mu.Unlock()
	if n&(n-1) == 0 {
		x.opt.Log.Warn("entry refused", "member", member, "index", r.index, "reason", r.reason, "detail", r.detail, "so_far", n)
	}
}

// blob returns a blob that is held here, nil where it is not.
func (x *Exchange) blob(ctx context.Context, hash []byte) (data []byte, err error) {
	err = x.opt.View(ctx, func(tx Tx) error {
		data, err = tx.Blob(hash)
		return err
	})
	if absent(err) {
		return nil, nil
	}
	return data, err
}

// Retry times: quick at first, because most failures are a peer's restart; then patient. A session that was
// live for settled begins quickly again.
const (
	retryFirst = 200 * time.Millisecond
	retryLeast = 50 * time.Millisecond // whoever knocks
	retryMost  = 20 * time.Second
	settled    = time.Minute
)

// backoff is the wait before try n (from 0), spread so that a whole alliance does not come back at once.
func (x *Exchange) backoff(n int) time.Duration {
	d := min(retryMost, retryFirst<<min(n, 10))
	x.mu.Lock()
	defer x.mu.Unlock()
	return d/2 + time.Duration(x.opt.Jitter.Int64N(int64(d)))
}
