package exchange

import (
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"time"

	"shieldwall/internal/canon"
	"shieldwall/internal/entry"
	"shieldwall/internal/federation"
	"shieldwall/internal/merkle"
	"shieldwall/internal/roster"
	"shieldwall/internal/seal"
)

// t0 is when everything is signed: the time at which a synctest bubble begins.
var t0 = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// seeded derives a signing key from a word, so that every run has the same ones.
func seeded(word string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte(word))
	return ed25519.NewKeyFromSeed(sum[:])
}

func public(k ed25519.PrivateKey) roster.Key {
	return roster.Key{Type: roster.Ed25519, Key: k.Public().(ed25519.PublicKey)}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// hpkeKeys are made once: each takes a moment.
var hpkeKeys = sync.OnceValue(func() map[string]hpke.PrivateKey {
	keys := map[string]hpke.PrivateKey{}
	for _, m := range []string{"me", "a", "b", "c"} {
		keys[m] = must(hpke.MLKEM768X25519().GenerateKey())
	}
	return keys
})

// hpkePublic is a member's key; members without one of their own share that of c, which nobody uses.
func hpkePublic(member string) roster.Key {
	key := hpkeKeys()[member]
	if key == nil {
		key = hpkeKeys()["c"]
	}
	return roster.Key{Type: roster.HPKE, Key: key.PublicKey().Bytes()}
}

func pinOf(k roster.Key) (string, error) {
	sum := sha256.Sum256(k.Key)
	return hex.EncodeToString(sum[:]), nil
}

// alliance makes the signed statements of an alliance with one officer.
type alliance struct {
	mu      sync.Mutex // guards the fields below
	rosters [][]byte   // notes, from version 1
	last    *roster.Roster
	cards   map[string][]byte // newest note
	newest  map[string]*roster.Card
}

func newAlliance(members ...string) *alliance {
	a := &alliance{cards: map[string][]byte{}, newest: map[string]*roster.Card{}}
	first := &roster.Roster{
		Name: "test", Version: 1, Issued: canon.At(t0), Expires: canon.At(t0.Add(1000 * time.Hour)), Threshold: 1,
		Officers: []roster.Officer{{Name: "officer", Key: public(seeded("officer"))}}, Groups: []string{"partners", "states"},
	}
	for _, m := range members {
		first.Members = append(first.Members, listed(m, "states"))
	}
	a.sign(first)
	for _, m := range members {
		a.card(m, "log 1")
	}
	return a
}

func listed(id string, groups ...string) roster.Member {
	return roster.Member{ID: id, Identities: []string{}, Keys: []roster.Key{public(seeded("identity " + id))}, Groups: groups, Listed: canon.At(t0), Types: []string{}}
}

func (a *alliance) sign(r *roster.Roster) {
	a.rosters = append(a.rosters, must(r.Sign("officer", seeded("officer"))))
	a.last = r
}

// change signs the next roster.
func (a *alliance) change(edit func(*roster.Roster)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := a.last.Clone()
	next.Version, next.Previous = next.Version+1, must(a.last.Hash())
	edit(next)
	a.sign(next)
}

// card signs a member's next card, which names a log by a word.
func (a *alliance) card(member, log string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := roster.Delegation{Identity: public(seeded("identity " + member)), Delegate: public(seeded("delegate " + member)), Recovery: hpkePublic(member), Expires: canon.At(t0.Add(1000 * time.Hour))}
	c := &roster.Card{
		Alliance: must(must(roster.ParseRoster(a.rosters[0])).Hash()), Member: member, Sequence: 1, Issued: canon.At(t0), Expires: canon.At(t0.Add(1000 * time.Hour)),
		Delegation: string(must(d.Sign(seeded("identity " + member)))), TLS: public(seeded("tls " + member)), HPKE: hpkePublic(member),
		Log: public(logKey(member, log)), Witness: public(seeded("witness " + member)), Endpoints: []string{"https://" + member + ":443"},
	}
	if prev := a.newest[member]; prev != nil {
		c.Sequence, c.Previous = prev.Sequence+1, must(prev.Hash())
	}
	a.newest[member], a.cards[member] = c, must(c.Sign(seeded("delegate "+member)))
}

func logKey(member, log string) ed25519.PrivateKey { return seeded(member + " " + log) }

// note is a roster's or the newest card's, as peers serve them.
func (a *alliance) note(version uint64, member string) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if member != "" {
		return a.cards[member], nil
	}
	if version > uint64(len(a.rosters)) {
		return nil, fmt.Errorf("roster %d: %w", version, fs.ErrNotExist)
	}
	return a.rosters[version-1], nil
}

// membership is what somebody knows who has every statement.
func (a *alliance) membership() *federation.Membership {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := must(federation.Found(a.rosters[0], nil, pinOf))
	for _, note := range a.rosters[1:] {
		m = must(m.WithRoster(note))
	}
	for _, note := range a.cards {
		if next, _, err := m.WithCard(note, t0); err == nil {
			m = next
		}
	}
	return m
}

// roll is the membership in force at the node under test (Roll).
type roll struct {
	mu      sync.Mutex
	now     *federation.Membership
	changed chan struct{}
	learned int // calls of Learn
	fail    error
}

func newRoll(m *federation.Membership) *roll { return &roll{now: m, changed: make(chan struct{})} }

func (r *roll) Now() *federation.Membership {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *roll) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

func (r *roll) set(m *federation.Membership) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = m
	close(r.changed)
	r.changed = make(chan struct{})
}

// looks counts the times that somebody wanted to learn.
func (r *roll) looks() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.learned
}

func (r *roll) Learn(ctx context.Context, from Peer, news News) error {
	r.mu.Lock()
	r.learned++
	fail := r.fail
	r.mu.Unlock()
	if fail != nil {
		return fail
	}
	for r.Now().Roster.Version < news.Version {
		note, err := from.Roster(ctx, r.Now().Roster.Version+1)
		if err != nil {
			return err
		}
		next, err := r.Now().WithRoster(note)
		if err != nil {
			return err
		}
		r.set(next)
	}
	for member, sequence := range news.Cards {
		if held := r.Now().Card(member); held != nil && held.Sequence >= sequence {
			continue
		}
		note, err := from.Card(ctx, member)
		if err != nil {
			return err
		}
		next, _, err := r.Now().WithCard(note, t0)
		if err != nil {
			return err
		}
		r.set(next)
	}
	return nil
}

// author writes one member's log: real entries, real tiles, real signatures.
type author struct {
	member, id string
	key        ed25519.PrivateKey

	mu      sync.Mutex
	entries [][]byte
	tree    *merkle.Frontier
	tiles   map[[2]uint64][]byte // level, number
	grown   chan struct{}        // closed at the next append
	epochs  map[uint64][]byte    // keys
}

func newAuthor(a *alliance, member, log string) *author {
	key := logKey(member, log)
	w := &author{
		member: member, id: merkle.LogID(member, key.Public().(ed25519.PublicKey)), key: key, tree: &merkle.Frontier{},
		tiles: map[[2]uint64][]byte{}, grown: make(chan struct{}), epochs: map[uint64][]byte{},
	}
	w.append(must(entry.Open{Alliance: must(must(roster.ParseRoster(a.rosters[0])).Hash()), Member: member, Reason: "first"}.Bytes()))
	return w
}

// append appends entries under one head.
func (w *author) append(entries ...[]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put(entries)
}

func (w *author) put(entries [][]byte) {
	var leaves []merkle.Hash
	for _, e := range entries {
		leaves = append(leaves, merkle.LeafHash(e))
	}
	for _, t := range w.tree.Extend(leaves) {
		w.tiles[[2]uint64{uint64(t.Level), t.N}] = t.Hashes
	}
	w.entries = append(w.entries, entries...)
	close(w.grown)
	w.grown = make(chan struct{})
}

func (w *author) size() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return uint64(len(w.entries))
}

// signAt signs a checkpoint of the first size entries, or of any root that a liar wants.
func (w *author) signAt(size uint64, root merkle.Hash) []byte {
	return must(merkle.SignCheckpoint(merkle.Checkpoint{Origin: w.id, Size: size, Root: root}, must(merkle.NewSigner(w.id, w.key))))
}

func (w *author) checkpoint() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.signAt(w.tree.Size(), w.tree.Root())
}

// rootAt is the root of the first size entries.
func (w *author) rootAt(size uint64) merkle.Hash {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &merkle.Frontier{}
	for _, e := range w.entries[:size] {
		t.Append(merkle.LeafHash(e))
	}
	return t.Root()
}

// batch is what the stream sends to a follower who has from entries; changed tells when there is more.
func (w *author) batch(from uint64, maxBytes int) (b Batch, grown <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b = Batch{First: from, Checkpoint: w.signAt(w.tree.Size(), w.tree.Root())}
	for total := 0; from < uint64(len(w.entries)); from++ {
		if total += len(w.entries[from]); total > maxBytes && len(b.Entries) > 0 {
			break
		}
		b.Entries = append(b.Entries, w.entries[from])
	}
	return b, w.grown
}

func (w *author) resource(path string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, err := merkle.ParsePath(path)
	if err != nil {
		return nil, err
	}
	if !p.Tile.In(uint64(len(w.entries))) {
		return nil, fmt.Errorf("no %s", path)
	}
	if p.Kind == merkle.KindTile {
		return w.tiles[[2]uint64{uint64(p.Tile.Level), p.Tile.N}][:p.Tile.Width*32], nil
	}
	first := p.Tile.N * merkle.TileWidth
	return merkle.EncodeBundle(w.entries[first : first+uint64(p.Tile.Width)])
}

// opening makes an epoch's opening and its wraps; the readers are in the order given.
func (w *author) opening(number, rosterVersion uint64, readers ...string) [][]byte {
	key := must(seal.NewKey(rand.Reader))
	w.epochs[number] = key
	return w.openingOf(number, rosterVersion, key, must(seal.Commitment(key, w.id, number)), readers...)
}

func (w *author) openingOf(number, rosterVersion uint64, key []byte, commitment [32]byte, readers ...string) [][]byte {
	o := entry.Epoch{Roster: rosterVersion, Commitment: commitment, Wraps: uint16(len(readers) + 1)}
	raw := must(entry.Entry{Header: entry.Header{Kind: entry.KindEpoch, Epoch: number}, Body: o.Bytes()}.Bytes())
	out := [][]byte{raw}
	for _, r := range readers {
		body := must(seal.Wrap(key, raw, seal.Member(r), hpkePublic(r).Key))
		out = append(out, must(entry.Entry{Header: entry.Header{Kind: entry.KindWrap, Epoch: number}, Body: body}.Bytes()))
	}
	// The wrap for the publisher's own recovery key: nobody but the kit opens it.
	body := must(seal.Wrap(key, raw, seal.Recovery(w.member), hpkePublic(w.member).Key))
	return append(out, must(entry.Entry{Header: entry.Header{Kind: entry.KindWrap, Epoch: number}, Body: body}.Bytes()))
}

// open opens an epoch for readers under roster 1.
func (w *author) open(number uint64, readers ...string) {
	w.append(w.opening(number, 1, readers...)...)
}

// sealed makes the entry that stands at an index.
func (w *author) sealed(epoch, index uint64, p entry.Payload) []byte {
	return must(seal.Entry(w.epochs[epoch], w.id, epoch, index, p))
}

// share appends payloads, each sealed for its place, under one head.
func (w *author) share(epoch uint64, payloads ...entry.Payload) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var entries [][]byte
	for _, p := range payloads {
		entries = append(entries, w.sealed(epoch, uint64(len(w.entries)+len(entries)), p))
	}
	w.put(entries)
}

// objects is a GREEN payload for the alliance.
func objects(raw ...string) entry.Payload {
	p := entry.Payload{Type: entry.Objects, TLP: 2, Audience: "alliance"}
	for _, r := range raw {
		p.Objects = append(p.Objects, []byte(r))
	}
	return p
}

func indicatorID(member string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", member, n))
	h := hex.EncodeToString(sum[:])
	return "indicator--" + h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:32]
}

// indicator is the n-th indicator of a member.
func indicator(member string, n int) string {
	return fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":"%s","created":"2000-01-01T00:00:00.000Z","modified":"2000-01-01T00:00:00.000Z",`+
		`"pattern":"[domain-name:value = 'host-%d.example']","pattern_type":"stix","valid_from":"2000-01-01T00:00:00Z"}`, indicatorID(member, n), n)
}

var errGone = errors.New("connection refused")

func fatalIf(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
