package memberlog

import (
	"bytes"
	"context"
	"crypto/ed25519"
	stdsql "database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"shieldwall/internal/memberlog/guard"
	"shieldwall/internal/merkle"
	"shieldwall/internal/store/sqlite"
)

type (
	tx     = *sqlite.Tx
	ownLog = Log[tx]
)

// site is a place where a log lives: a store, a guard and a key.
type site struct {
	dir    string
	store  *sqlite.Store
	guard  *guard.File
	signer *countingSigner
	cfg    Config[tx]
}

// countingSigner remembers what it signed.
type countingSigner struct {
	note.Signer
	mu     sync.Mutex
	signed []string
}

func (s *countingSigner) Sign(msg []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signed = append(s.signed, string(msg))
	return s.Signer.Sign(msg)
}

func (s *countingSigner) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.signed)
}

func testKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

// newSite opens the store and the guard below dir; the key is always the same one.
func newSite(t testing.TB, dir string) *site {
	t.Helper()
	store, err := sqlite.Open(context.Background(), filepath.Join(dir, "store.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{dir: dir, store: store, guard: guard.New(filepath.Join(dir, "guard", "guard"))}
	key := testKey(1)
	id := merkle.LogID("alpha", key.Public().(ed25519.PublicKey))
	signer, err := merkle.NewSigner(id, key)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := merkle.NewVerifier(id, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	s.signer = &countingSigner{Signer: signer}
	s.cfg = Config[tx]{
		Log: id, Member: "alpha", Signer: s.signer, Verifier: verifier, Guard: s.guard, Machine: "machine",
		Update: store.UpdateDurable, View: store.View,
	}
	t.Cleanup(s.close)
	return s
}

func (s *site) close() {
	_ = s.store.Close() // again, where a test has closed it
	_ = s.guard.Close()
}

// entries builds n entries with their indexes in them.
func entries(n int) Build[tx] {
	return func(_ tx, b *Batch) error {
		for range n {
			if _, err := b.Append(entryAt(b.Next())); err != nil {
				return err
			}
		}
		return nil
	}
}

func entryAt(i uint64) []byte {
	return append(fmt.Appendf(nil, "entry %d ", i), bytes.Repeat([]byte{byte(i)}, int(i%97))...)
}

func (s *site) create(t testing.TB) *ownLog {
	t.Helper()
	l, _, err := Create(context.Background(), s.cfg, entries(1))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (s *site) open(t testing.TB) *ownLog {
	t.Helper()
	l, err := Open(context.Background(), s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// start runs a log's sequencer and returns what ends it; the test ends it in any case.
func start(t testing.TB, l *ownLog) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() {
			cancel()
			err = <-done
		})
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// running is a new log with its sequencer.
func running(t testing.TB) (*site, *ownLog) {
	t.Helper()
	s := newSite(t, t.TempDir())
	l := s.create(t)
	start(t, l)
	return s, l
}

func mustAppend(t testing.TB, l *ownLog, build Build[tx]) Receipt {
	t.Helper()
	r, err := l.Append(context.Background(), build)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// check re-verifies everything that a log must hold.
func check1(t testing.TB, l *ownLog, size uint64) {
	t.Helper()
	r, err := l.Check(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if r.Size != size || l.Head().Size != size || r.Root != l.Head().Root || !bytes.Equal(r.Checkpoint, l.Head().Checkpoint) {
		t.Fatalf("checked %d entries, %d are shown, want %d", r.Size, l.Head().Size, size)
	}
}

// held blocks a log's sequencer inside a build until release is called, so that what is appended meanwhile
// becomes one group.
func held(t testing.TB, l *ownLog) (release func()) {
	t.Helper()
	began, finish, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := l.Append(context.Background(), func(tx, *Batch) error { close(began); <-finish; return nil })
		done <- err
	}()
	<-began
	return func() {
		close(finish)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// spoilSQL changes what is stored behind the log's back.
func spoilSQL(sql string) func(t *testing.T, s *site, _ Head, _ []guard.Mark) {
	return func(t *testing.T, s *site, _ Head, _ []guard.Mark) {
		t.Helper()
		if err := s.store.Close(); err != nil {
			t.Fatal(err)
		}
		db, err := stdsql.Open("sqlite", filepath.Join(s.dir, "store.db"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := db.Exec(sql)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			t.Fatalf("%d rows spoiled, %v", n, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		*s = *newSite(t, s.dir)
	}
}

var errOwn = errors.New("the build's own error")
