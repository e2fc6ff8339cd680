// Package memberlog is the engine of member logs: an append-only, tamper-evident log on the node's store,
// served in the formats of package merkle. One sequencer appends to the node's own log in groups that share
// a commit, a signature and a guard write; Extend keeps verified copies of others' logs; Reader serves both.
//
// The log knows bytes: no keys but its own, no STIX, no policy. Its one promise is that nothing is signed
// twice differently. Order of an append: commit entries, tiles and signed checkpoint -> guard -> only then
// acknowledge and show (reference: DESIGN.md, "Guard").
package memberlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"shieldwall/internal/memberlog/guard"
	"shieldwall/internal/merkle"
)

// Limits of the sequencer.
const (
	// queueLen bounds the builds that wait; a caller beyond it waits to get in.
	queueLen = 1024
	// A group takes builds that wait until one of these is reached: some 5 ms of building, and about as much
	// of writing. A build that has begun is finished.
	groupBuilds  = 512
	groupEntries = 512
	groupBytes   = 4 << 20
	groupWork    = 5 * time.Millisecond
	// settleEvery is how often a guard that could not be written is tried again.
	settleEvery = time.Second
	// One build may append this much; larger publications are cut.
	maxBuildEntries = 4096
	maxBuildBytes   = 16 << 20
	// tailBytes is how much of the newest entries is kept in memory for those who follow live.
	tailBytes = 4 << 20
)

// Errors that callers may test for.
var (
	// ErrStopped says that the sequencer has stopped; the entries were not appended.
	ErrStopped = errors.New("log stopped")
	// ErrUnconfirmed says that the entries are in the log but the guard could not be written: they are
	// neither shown nor acknowledged until a later append succeeds.
	ErrUnconfirmed = errors.New("entries are not confirmed by the guard")
	// ErrExists refuses to create a log twice.
	ErrExists = errors.New("log exists")
	// ErrInconsistent says that stored entries, tiles and checkpoint contradict one another.
	ErrInconsistent = errors.New("stored log is inconsistent")
)

// ReadTx is what reading a log needs of a store's transaction.
type ReadTx interface {
	// LogHead returns the newest signed checkpoint and how many entries it covers; 0 and nil if there is none.
	LogHead(log string) (size uint64, checkpoint []byte, err error)
	// Entry's error wraps fs.ErrNotExist where the entry is not held.
	Entry(log string, index uint64) ([]byte, error)
	// Entries returns consecutive entries of [from, to), as many as fit maxBytes but at least one.
	Entries(log string, from, to uint64, maxBytes int) ([][]byte, error)
	// Tile returns a tile's hashes as wide as they are held, nil where it is not.
	Tile(log string, level int, n uint64) ([]byte, error)
}

// Tx is what appending needs besides.
type Tx interface {
	ReadTx
	PutLogHead(log, member string, size uint64, checkpoint []byte) error
	// PutEntries refuses to overwrite.
	PutEntries(log string, first uint64, entries [][]byte) error
	PutTile(log string, level int, n uint64, hashes []byte) error
	// Savepoint undoes fn's writes, and only those, where fn fails. Where it returns an error although fn
	// succeeded, the transaction is lost.
	Savepoint(fn func() error) error
}

// Guard remembers the log's acknowledged extent on other storage.
type Guard interface {
	// Load's error wraps fs.ErrNotExist or guard.ErrDamaged where there is no mark to be had.
	Load() (guard.Mark, error)
	// Store returns after the fsync.
	Store(guard.Mark) error
}

// Config says whose log it is and where it lives. T is the store's transaction: builds get it to write in
// the same transaction as the log.
type Config[T Tx] struct {
	Log    string // log id: origin of checkpoints and name of the key
	Member string

	Signer   note.Signer
	Verifier note.Verifier

	Guard   Guard
	Machine string // what tells this machine from others, see guard.MachineID

	// Update runs fn once in a write transaction and returns after the fsync. Where it fails, nothing of fn
	// is kept, as far as the store can tell.
	Update func(ctx context.Context, fn func(T) error) error
	// View runs fn in a read-only snapshot.
	View func(ctx context.Context, fn func(T) error) error

	// Now is the clock that bounds the work of a group; time.Now where nil.
	Now func() time.Time
}

func (c *Config[T]) check() error {
	if c.Signer == nil || c.Verifier == nil || c.Guard == nil || c.Update == nil || c.View == nil || c.Machine == "" {
		return errors.New("log configuration is incomplete")
	}
	if c.Signer.Name() != c.Log || c.Verifier.Name() != c.Log || c.Signer.KeyHash() != c.Verifier.KeyHash() {
		return fmt.Errorf("the key given is not that of log %s", c.Log)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// Head is a log's newest signed checkpoint.
type Head struct {
	Size       uint64
	Root       merkle.Hash
	Checkpoint []byte // the signed note
}

// Receipt says what an append did. It is given once the entries are durable and guarded.
type Receipt struct {
	Log   string
	First uint64 // index of the first entry
	Count int    // number of entries; 0 if the build appended none
	Head  Head   // a signed checkpoint that covers them
}

// Log is this node's own log. It is safe for concurrent use.
type Log[T Tx] struct {
	cfg     Config[T]
	queue   chan *pending[T]
	running sync.Once
	stopped chan struct{} // closed when Run returns
	failure error         // why it returned; set before stopped is closed

	// The sequencer's own: what the store has. It may be one commit ahead of what is shown.
	tree   *merkle.Frontier
	stored Head

	mu      sync.RWMutex
	shown   Head          // guarded by mu, as the rest: committed and covered by the guard
	changed chan struct{} // closed when shown moves on
	tail    tail
}

// newLog starts from a head that is stored and guarded.
func newLog[T Tx](cfg Config[T], tree *merkle.Frontier, head Head) *Log[T] {
	return &Log[T]{
		cfg: cfg, queue: make(chan *pending[T], queueLen), stopped: make(chan struct{}),
		tree: tree, stored: head, shown: head, changed: make(chan struct{}), tail: tail{first: head.Size},
	}
}

// ID is the log id.
func (l *Log[T]) ID() string { return l.cfg.Log }

// Head is the newest checkpoint that may be shown: it is durable and guarded.
func (l *Log[T]) Head() Head {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.shown
}

// Changed returns the head and a channel that is closed once there is a newer one. Nothing is queued for
// a follower, so a slow one holds nothing up and misses nothing: it reads on from where it was.
func (l *Log[T]) Changed() (Head, <-chan struct{}) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.shown, l.changed
}

// Wait returns the head once it covers more than size entries.
func (l *Log[T]) Wait(ctx context.Context, size uint64) (Head, error) {
	for {
		head, changed := l.Changed()
		if head.Size > size {
			return head, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return head, fmt.Errorf("waiting for entry %d of %s: %w", size, l.cfg.Log, context.Cause(ctx))
		case <-l.stopped:
			return head, fmt.Errorf("waiting for entry %d of %s: %w", size, l.cfg.Log, ErrStopped)
		}
	}
}

// Read returns entries of the shown log from index from on, as many as fit maxBytes but at least one; none
// where from is the log's size. The newest come from memory, however many follow. The caller must not
// change them.
func (l *Log[T]) Read(ctx context.Context, from uint64, maxBytes int) (entries [][]byte, err error) {
	l.mu.RLock()
	size := l.shown.Size
	entries, held := l.tail.read(from, maxBytes)
	l.mu.RUnlock()
	switch {
	case held:
		return entries, nil
	case from > size:
		return nil, fmt.Errorf("reading entry %d of %s, which has %d", from, l.cfg.Log, size)
	}
	err = l.cfg.View(ctx, func(tx T) error {
		entries, err = tx.Entries(l.cfg.Log, from, size, maxBytes)
		return err
	})
	return entries, err
}

// show makes a head visible.
func (l *Log[T]) show(head Head, entries [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail.add(head.Size-uint64(len(entries)), entries)
	l.shown = head
	close(l.changed)
	l.changed = make(chan struct{})
}

// tail is the newest entries of the log, up to tailBytes.
type tail struct {
	first   uint64 // index of entries[0], or of the next entry where there is none
	entries [][]byte
	bytes   int
}

func (t *tail) add(first uint64, entries [][]byte) {
	if first != t.first+uint64(len(t.entries)) {
		*t = tail{first: first} // a group in between was not shown with its entries
	}
	for _, e := range entries {
		t.entries = append(t.entries, e)
		t.bytes += len(e)
	}
	drop := 0
	for ; t.bytes > tailBytes; drop++ {
		t.bytes -= len(t.entries[drop])
		t.entries[drop] = nil // free it before the array is
	}
	t.entries, t.first = t.entries[drop:], t.first+uint64(drop)
}

// read copies the list of entries; held is false where they begin before the tail or after its end.
func (t *tail) read(from uint64, maxBytes int) (entries [][]byte, held bool) {
	end := t.first + uint64(len(t.entries))
	if from < t.first || from > end {
		return nil, false
	}
	total := 0
	for _, e := range t.entries[from-t.first:] {
		if total += len(e); total > maxBytes && len(entries) > 0 {
			break
		}
		entries = append(entries, e)
	}
	return entries, true
}
