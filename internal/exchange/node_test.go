package exchange

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"shieldwall/internal/admit"
	"shieldwall/internal/entry"
	"shieldwall/internal/federation"
	"shieldwall/internal/memberlog"
	"shieldwall/internal/merkle"
	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/roster"
	"shieldwall/internal/seal"
	"shieldwall/internal/status"
	"shieldwall/internal/stix"
	"shieldwall/internal/store/sqlite"
)

// TestMain lets the packers be made outside of any synctest bubble: they are shared and hold channels.
func TestMain(m *testing.M) {
	key, id := bytes.Repeat([]byte{1}, seal.KeySize), "x/00"
	p := entry.Payload{Type: entry.Objects, TLP: 2, Audience: "alliance", Objects: [][]byte{[]byte("{}")}}
	must(seal.OpenEntry(key, must(entry.Parse(must(seal.Entry(key, id, 1, 1, p)))), id, 1))
	ciphertext, ref, err := seal.Blob(rand.NewChaCha8([32]byte{}), p)
	must(ciphertext, err)
	must(seal.OpenBlob(ref, ciphertext))
	hpkeKeys()
	emptyStore()
	os.Exit(m.Run())
}

// emptyStore is a store as Open makes it; to make it anew for every test takes most of their time.
var emptyStore = sync.OnceValue(func() []byte {
	dir := must(os.MkdirTemp("", "exchange"))
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "x.db")
	if err := must(sqlite.Open(context.Background(), path, sqlite.Options{})).Close(); err != nil {
		panic(err)
	}
	return must(os.ReadFile(path))
})

// mirror keeps logs in the store, by the engine that checks what it can (Mirror).
type mirror struct {
	store  *sqlite.Store
	onUnit func(entries int)
}

func (m mirror) Load(ctx context.Context, log string, size uint64) (f *merkle.Frontier, err error) {
	err = m.store.View(ctx, func(tx *sqlite.Tx) error {
		f, err = memberlog.LoadTree(tx, log, size)
		return err
	})
	return f, err
}

func (m mirror) Store(tx Tx, log, member string, before *merkle.Frontier, first uint64, entries [][]byte, head *federation.Head) error {
	if m.onUnit != nil {
		m.onUnit(len(entries))
	}
	if first != before.Size() {
		return fmt.Errorf("entries from %d on after a tree of %d", first, before.Size())
	}
	x := memberlog.Extension{Log: log, Member: member, Tree: before, Entries: entries}
	if head != nil {
		x.Note = head.Note
	}
	_, err := memberlog.Extend(tx.(*sqlite.Tx), x)
	return err
}

// box keeps secrets by their place (Opener, admit.Box).
type box struct{}

func (box) Seal(plain []byte, place string) []byte { return fmt.Appendf(nil, "%s|%x", place, plain) }

func (box) Open(sealed []byte, place string) ([]byte, error) {
	rest, ok := bytes.CutPrefix(sealed, []byte(place+"|"))
	if !ok {
		return nil, errors.New("wrong place")
	}
	return hex.DecodeString(string(rest))
}

func (b box) Protect(key []byte, place string) ([]byte, error) { return b.Seal(key, place), nil }

func (b box) Reveal(sealed []byte, place string) ([]byte, error) { return b.Open(sealed, place) }

func (box) Unwrap(epochEntry, wrap []byte) ([]byte, bool) {
	key, err := seal.Unwrap(wrap, epochEntry, seal.Member("me"), hpkeKeys()["me"])
	return key, err == nil
}

// gate is the real gate and the real policy (Gate).
type gate struct {
	*admit.Gate
	members func() *policy.Members
}

func (g gate) split(changes []object.Change, err error) ([]object.Change, string, error) {
	var refused *admit.Refused
	if errors.As(err, &refused) {
		return nil, refused.Error(), nil
	}
	return changes, "", err
}

func (g gate) Admit(tx Tx, from Provenance, raw []byte) ([]object.Change, string, error) {
	return g.split(g.Gate.Admit(tx.(admit.Tx), admit.Provenance{Publisher: from.Publisher, Place: from.Place, TLP: stix.TLP(from.TLP), Audience: from.Audience, Via: "peer"}, raw))
}

func (g gate) Withdraw(tx Tx, from Provenance, of object.Place, id string) ([]object.Change, string, error) {
	return g.split(g.Gate.Withdraw(tx.(admit.Tx), from.Publisher, of, id))
}

func (g gate) MayRead(tlp uint8, audience string) bool {
	a, err := policy.ParseAudience(audience)
	return err == nil && policy.MayRead(g.members(), policy.Reader{Kind: policy.Node, Member: "me"}, stix.TLP(tlp), a)
}

// node is the node under test, "me", with a real store and gate.
type node struct {
	t     testing.TB
	a     *alliance
	roll  *roll
	path  string
	store *sqlite.Store
	x     *Exchange
	stop  func() // ends Run and waits for it

	update func(ctx context.Context, fn func(*sqlite.Tx) error) error // of followers; the store's unless a test says otherwise

	mu     sync.Mutex
	peers  map[string]*peer
	dials  map[string]int
	live   map[object.Key]bool
	units  []int  // changes per call of Live
	onLive func() // called by Live before it returns
	onUnit func(entries int)
}

func newNode(t testing.TB, a *alliance, peers ...*peer) *node {
	t.Helper()
	n := &node{t: t, a: a, roll: newRoll(a.membership()), path: filepath.Join(t.TempDir(), "x.db"), peers: map[string]*peer{}, dials: map[string]int{}, live: map[object.Key]bool{}}
	for _, p := range peers {
		n.peers[p.member] = p
	}
	fatalIf(t, os.WriteFile(n.path, emptyStore(), 0o600))
	n.openStore()
	t.Cleanup(func() {
		n.halt()
		fatalIf(t, n.store.Close())
	})
	return n
}

func (n *node) openStore() {
	n.t.Helper()
	var err error
	n.store, err = sqlite.Open(context.Background(), n.path, sqlite.Options{Readers: 1})
	fatalIf(n.t, err)
	n.update = func(ctx context.Context, fn func(*sqlite.Tx) error) error { return n.store.Update(ctx, fn) }
}

func (n *node) options() Options {
	members := func() *policy.Members { return policy.MembersOf(n.roll.Now().Roster) }
	return Options{
		Self: "me", Roll: n.roll, Dial: n.dial,
		Update: func(ctx context.Context, fn func(Tx) error) error {
			return n.update(ctx, func(tx *sqlite.Tx) error { return fn(tx) })
		},
		View: func(ctx context.Context, fn func(Tx) error) error {
			return n.store.View(ctx, func(tx *sqlite.Tx) error { return fn(tx) })
		},
		Mirror: mirror{n.store, n.onUnit}, Opener: box{}, Live: n.apply,
		Gate: gate{admit.New(admit.Options{Self: "me", Members: members, Box: box{}, Now: func() time.Time { return t0 }}), members},
		Receipt: func(log string, size uint64) ([]byte, error) {
			return roster.SignApplied("me", log, size, seeded("witness me"))
		},
		Now: time.Now, Log: slog.New(slog.DiscardHandler), Jitter: rand.New(rand.NewPCG(1, 2)),
	}
}

func (n *node) dial(member string) Peer {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials[member]++
	if p := n.peers[member]; p != nil {
		return p
	}
	return &peer{member: member, down: errGone}
}

func (n *node) apply(changes []object.Change) {
	n.mu.Lock()
	n.units = append(n.units, len(changes))
	for _, c := range changes {
		n.live[c.Key] = c.Live != nil
	}
	hook := n.onLive
	n.mu.Unlock()
	if hook != nil {
		hook()
	}
}

// start runs an Exchange until halt.
func (n *node) start() {
	n.x = New(n.options())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.x.Run(ctx) }()
	n.stop = func() {
		cancel()
		fatalIf(n.t, <-done)
	}
}

func (n *node) halt() {
	if n.stop != nil {
		n.stop()
	}
	n.stop = nil
}

// restart is a process that ends and begins again, on the same store.
func (n *node) restart() {
	n.halt()
	fatalIf(n.t, n.store.Close())
	n.openStore()
	n.start()
}

func (n *node) status(member string) status.Member {
	m := status.Member{ID: member}
	n.x.Fill(&m)
	return m
}

func (n *node) view(fn func(tx *sqlite.Tx) error) {
	n.t.Helper()
	fatalIf(n.t, n.store.View(context.Background(), fn))
}

// isLive says whether an indicator of a member acts.
func (n *node) isLive(member string, i int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.live[object.Key{Publisher: member, ID: indicatorID(member, i)}]
}

func (n *node) liveCount() (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, on := range n.live {
		if on {
			count++
		}
	}
	return count
}

// check compares what is held of a log with the log itself: every entry, the head, the cursor.
func (n *node) check(w *author, size uint64) {
	n.t.Helper()
	n.view(func(tx *sqlite.Tx) error {
		held, note, err := tx.LogHead(w.id)
		if err != nil {
			return err
		}
		if held != size {
			n.t.Errorf("%d entries of %s are held, want %d", held, w.id, size)
		}
		if c := must(merkle.PeekCheckpoint(note)); c.Size != size || c.Root != w.rootAt(size) {
			n.t.Errorf("the head kept of %s covers %d entries", w.id, c.Size)
		}
		for i := range held {
			raw, err := tx.Entry(w.id, i)
			if err != nil {
				return err
			}
			if !bytes.Equal(raw, w.entries[i]) {
				n.t.Errorf("entry %d of %s is another one", i, w.id)
			}
		}
		if _, err = tx.Entry(w.id, size); !errors.Is(err, fs.ErrNotExist) {
			n.t.Errorf("an entry beyond the head: %v", err)
		}
		return nil
	})
}

// crowd is a node that follows one member for each name: cases that do not disturb one another share a store,
// which is what tests take their time for. The members' ids are in the names' order.
func crowd(t *testing.T, names []string) (n *node, logs map[string]*author, peers map[string]*peer) {
	ids := []string{"me"}
	for i := range names {
		ids = append(ids, fmt.Sprintf("m%02d", i))
	}
	al := newAlliance(ids...)
	logs, peers = map[string]*author{}, map[string]*peer{}
	var list []*peer
	for i, name := range names {
		logs[name] = newAuthor(al, ids[i+1], "log 1")
		peers[name] = newPeer(al, logs[name])
		list = append(list, peers[name])
	}
	return newNode(t, al, list...), logs, peers
}

// bubble runs a test in which time passes only while everybody waits.
func bubble(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, fn)
}

// failing lets the next so many transactions run and then fail; failed counts them.
func (n *node) failing(times int32) (failed *atomic.Int32) { return n.failingAfter(0, times) }

// failingAfter lets some transactions pass first.
func (n *node) failingAfter(pass, times int32) (failed *atomic.Int32) {
	failed, ran, update := &atomic.Int32{}, &atomic.Int32{}, n.update
	n.update = func(ctx context.Context, fn func(*sqlite.Tx) error) error {
		return update(ctx, func(tx *sqlite.Tx) error {
			err := fn(tx)
			if i := ran.Add(1); err == nil && i > pass && i <= pass+times {
				failed.Add(1)
				err = errors.New("disk full")
			}
			return err
		})
	}
	return failed
}
