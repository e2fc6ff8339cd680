// Package tessera lets Tessera's own client and fsck read and verify a member log and a mirror of one, as
// anybody with C2SP tlog-tiles tools would.
package tessera

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"

	"shieldwall/internal/memberlog"
	"shieldwall/internal/memberlog/guard"
	"shieldwall/internal/merkle"
	"shieldwall/internal/store/sqlite"
)

// sizes are where a tree's shape changes: partial and full tiles of levels 0, 1 and 2.
var sizes = []uint64{1, 2, 3, 255, 256, 257, 511, 512, 600, 4097, 65_535, 65_536, 65_537, 66_100}

// fsckAt are the sizes at which the whole log is checked; each reads all of it.
var fsckAt = map[uint64]bool{1: true, 255: true, 256: true, 257: true, 600: true, 65_536: true, 66_100: true}

func TestOwnLogAndMirror(t *testing.T) {
	own := newLog(t)
	held := newMirror(t, own)
	for _, size := range sizes {
		own.growTo(t, size)
		held.follow(t, own)
		for name, r := range map[string]*reading{"own": own.reading, "mirror": held.reading} {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) { r.verify(t, size) })
		}
	}
}

// TestLies changes one byte of one resource on its way and expects fsck to notice: else the test above would
// show nothing.
func TestLies(t *testing.T) {
	own := newLog(t)
	own.growTo(t, 600)
	if err := own.fsck(t.Context(), own.fetcher(t, "")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"checkpoint", "tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/001", "tile/entries/002.p/88"} {
		if err := own.fsck(t.Context(), own.fetcher(t, path)); err == nil {
			t.Errorf("a changed %s went unnoticed", path)
		}
	}
}

// entryAt is what the log holds at an index: short ones, an empty one, one of the largest.
func entryAt(i uint64) []byte {
	switch i {
	case 100:
		return []byte{}
	case 300:
		return bytes.Repeat([]byte{7}, merkle.MaxEntry)
	}
	return fmt.Appendf(nil, "entry %d", i)
}

// reading is a log as a reader meets it: behind HTTP, with a client that remembers what it saw.
type reading struct {
	id       string
	verifier note.Verifier
	server   *httptest.Server
	tracker  *client.LogStateTracker
}

// newReading serves logs as an edge does, which only wraps Reader.Resource.
func newReading(t *testing.T, id string, verifier note.Verifier, r *memberlog.Reader[*sqlite.Tx]) *reading {
	t.Helper()
	handler := func(w http.ResponseWriter, req *http.Request) {
		path, ok := strings.CutPrefix(req.URL.Path, "/log/"+id+"/")
		if !ok {
			http.NotFound(w, req)
			return
		}
		data, contentType, err := r.Resource(req.Context(), id, path)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, merkle.ErrPath):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			t.Errorf("serving %s: %v", path, err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(data)
		}
	}
	rd := &reading{id: id, verifier: verifier, server: httptest.NewServer(http.HandlerFunc(handler))}
	t.Cleanup(rd.server.Close)
	return rd
}

// fetcher is Tessera's HTTP client. Of the resource named it changes a byte on the way.
func (r *reading) fetcher(t *testing.T, lieAbout string) *client.HTTPFetcher {
	t.Helper()
	u, err := url.Parse(r.server.URL + "/log/" + r.id + "/")
	if err != nil {
		t.Fatal(err)
	}
	c := r.server.Client()
	if lieAbout != "" {
		c = &http.Client{Transport: liar{c.Transport, "/log/" + r.id + "/" + lieAbout}}
	}
	f, err := client.NewHTTPFetcher(u, c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

type liar struct {
	http.RoundTripper
	path string
}

func (l liar) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := l.RoundTripper.RoundTrip(req)
	if err != nil || req.URL.Path != l.path {
		return res, err
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		return nil, err
	}
	b.Bytes()[b.Len()/2] ^= 1
	_ = res.Body.Close()
	res.Body = readCloser{bytes.NewReader(b.Bytes())}
	return res, nil
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// verify follows the log to its new size, with a consistency proof from the size before, and proves and
// reads some of its entries.
func (r *reading) verify(t *testing.T, size uint64) {
	ctx, f := t.Context(), r.fetcher(t, "")
	if r.tracker == nil {
		tracker, err := client.NewLogStateTracker(ctx, f.ReadTile, nil, r.verifier, r.id, client.UnilateralConsensus(f.ReadCheckpoint))
		if err != nil {
			t.Fatal(err)
		}
		r.tracker = tracker
	} else if _, p, _, err := r.tracker.Update(ctx); err != nil {
		t.Fatalf("consistency from the size before: %v (proof of %d hashes)", err, len(p))
	}
	cp := r.tracker.Latest()
	if cp.Size != size {
		t.Fatalf("the client sees %d entries, want %d", cp.Size, size)
	}
	builder, err := client.NewProofBuilder(ctx, size, f.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(size, 1))
	for _, i := range []uint64{0, size - 1, size / 2, min(100, size-1), min(300, size-1), rng.Uint64N(size), rng.Uint64N(size)} {
		p, err := builder.InclusionProof(ctx, i)
		if err != nil {
			t.Fatalf("inclusion of %d: %v", i, err)
		}
		bundle, err := client.GetEntryBundle(ctx, f.ReadEntryBundle, i/256, size)
		if err != nil {
			t.Fatalf("bundle of %d: %v", i, err)
		}
		got := bundle.Entries[i%256]
		if !bytes.Equal(got, entryAt(i)) {
			t.Errorf("entry %d is another", i)
		}
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, i, size, rfc6962.DefaultHasher.HashLeaf(got), p, cp.Hash); err != nil {
			t.Errorf("inclusion of %d: %v", i, err)
		}
	}
	if fsckAt[size] {
		if err := r.fsck(ctx, f); err != nil {
			t.Errorf("fsck: %v", err)
		}
	}
}

// fsck checks the whole log with Tessera's fsck.
func (r *reading) fsck(ctx context.Context, f *client.HTTPFetcher) error {
	hashes := func(data []byte) ([][]byte, error) {
		var bundle api.EntryBundle
		if err := bundle.UnmarshalText(data); err != nil {
			return nil, err
		}
		var out [][]byte
		for _, e := range bundle.Entries {
			out = append(out, rfc6962.DefaultHasher.HashLeaf(e))
		}
		return out, nil
	}
	return fsck.New(r.id, r.verifier, f, hashes, fsck.Opts{N: 2}).Check(ctx)
}

// ownLog is a member's own log.
type ownLog struct {
	*reading
	log *memberlog.Log[*sqlite.Tx]
}

func openStore(t *testing.T) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func newLog(t *testing.T) *ownLog {
	t.Helper()
	store := openStore(t)
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	pub := key.Public().(ed25519.PublicKey)
	id := merkle.LogID("alpha", pub)
	signer, err := merkle.NewSigner(id, key)
	if err != nil {
		t.Fatal(err)
	}
	// The verifier is package note's own, not ours.
	vkey, err := note.NewEd25519VerifierKey(id, pub)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	mark := guard.New(filepath.Join(t.TempDir(), "guard"))
	l, _, err := memberlog.Create(t.Context(), memberlog.Config[*sqlite.Tx]{
		Log: id, Member: "alpha", Signer: signer, Verifier: verifier, Guard: mark, Machine: "test", Update: store.UpdateDurable, View: store.View,
	}, build(1))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, mark.Close()); err != nil {
			t.Error(err)
		}
	})
	reader := &memberlog.Reader[*sqlite.Tx]{View: store.View, Own: func(log string) (memberlog.Head, bool) { return l.Head(), log == id }}
	return &ownLog{newReading(t, id, verifier, reader), l}
}

// build appends entries up to a size.
func build(size uint64) memberlog.Build[*sqlite.Tx] {
	return func(_ *sqlite.Tx, b *memberlog.Batch) error {
		for b.Next() < size {
			if _, err := b.Append(entryAt(b.Next())); err != nil {
				return err
			}
		}
		return nil
	}
}

func (o *ownLog) growTo(t *testing.T, size uint64) {
	t.Helper()
	for o.log.Head().Size < size {
		if _, err := o.log.Append(t.Context(), build(min(size, o.log.Head().Size+2000))); err != nil {
			t.Fatal(err)
		}
	}
}

// mirror is another member's copy of the log.
type mirror struct {
	*reading
	store *sqlite.Store
	tree  *merkle.Frontier
}

func newMirror(t *testing.T, own *ownLog) *mirror {
	t.Helper()
	store := openStore(t)
	return &mirror{newReading(t, own.id, own.verifier, &memberlog.Reader[*sqlite.Tx]{View: store.View}), store, &merkle.Frontier{}}
}

// follow takes what is new in pieces; only the last one reaches the signed head.
func (m *mirror) follow(t *testing.T, own *ownLog) {
	t.Helper()
	head := own.log.Head()
	for m.tree.Size() < head.Size {
		piece, err := own.log.Read(t.Context(), m.tree.Size(), 20_000)
		if err != nil {
			t.Fatal(err)
		}
		x := memberlog.Extension{Log: own.id, Member: "alpha", Tree: m.tree, Entries: piece}
		if m.tree.Size()+uint64(len(piece)) == head.Size {
			x.Note = head.Checkpoint
		}
		if err := m.store.Update(t.Context(), func(tx *sqlite.Tx) error { m.tree, err = memberlog.Extend(tx, x); return err }); err != nil {
			t.Fatal(err)
		}
	}
}
