package memberlog

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"shieldwall/internal/memberlog/guard"
	"shieldwall/internal/merkle"
)

func otherVerifier(t testing.TB, log string) note.Verifier {
	t.Helper()
	v, err := merkle.NewVerifier(log, testKey(9).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// grown is a log of 1+4*150 entries and what the guard said after each append.
func grown(t *testing.T, dir string) (head Head, marks []guard.Mark) {
	t.Helper()
	s := newSite(t, dir)
	l := s.create(t)
	stop := start(t, l)
	for range 4 {
		m, err := s.guard.Load()
		if err != nil {
			t.Fatal(err)
		}
		marks = append(marks, m)
		mustAppend(t, l, entries(150))
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	s.close()
	return l.Head(), marks
}

func TestOpenInDoubt(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil  func(t *testing.T, s *site, head Head, marks []guard.Mark)
		reason Reason
		last   func(head Head) Extent // what a new incarnation names; nil: the head held
	}{
		"guard missing": {func(t *testing.T, s *site, _ Head, _ []guard.Mark) { remove(t, s) }, ReasonGuardMissing, nil},
		"guard damaged": {func(t *testing.T, s *site, _ Head, _ []guard.Mark) { write(t, s, make([]byte, 8192)) }, ReasonGuardDamaged, nil},
		"guard ahead": {func(t *testing.T, s *site, h Head, _ []guard.Mark) {
			store(t, s, guard.Mark{Log: s.cfg.Log, Size: h.Size + 5, Root: merkle.Hash{7}, Machine: "machine"})
		}, ReasonGuardAhead, func(h Head) Extent { return Extent{h.Size + 5, merkle.Hash{7}} }},
		"guard of another log": {func(t *testing.T, s *site, h Head, _ []guard.Mark) {
			store(t, s, guard.Mark{Log: "alpha/other", Size: 3, Machine: "machine"})
		}, ReasonOtherLog, nil},
		"another machine": {func(t *testing.T, s *site, h Head, _ []guard.Mark) { s.cfg.Machine = "another" }, ReasonOtherMachine, nil},
		"another root": {func(t *testing.T, s *site, h Head, _ []guard.Mark) {
			store(t, s, guard.Mark{Log: s.cfg.Log, Size: h.Size, Root: merkle.Hash{7}, Machine: "machine"})
		}, ReasonOtherTree, nil},
		"another root behind": {func(t *testing.T, s *site, h Head, m []guard.Mark) {
			m[2].Root[0] ^= 1
			store(t, s, m[2])
		}, ReasonOtherTree, nil},
		"store lost the log": {func(t *testing.T, s *site, h Head, _ []guard.Mark) {
			*s = *newSiteWithGuard(t, t.TempDir(), s)
		}, ReasonStoreMissing, extent},
		"last entry changed": {spoilSQL("UPDATE entries SET data = x'00' WHERE place % 1099511627776 = 600"), ReasonInconsistent, nil},
		"last entry missing": {spoilSQL("DELETE FROM entries WHERE place % 1099511627776 = 600"), ReasonInconsistent, nil},
		"entry beyond":       {spoilSQL("INSERT INTO entries SELECT max(place) + 1, x'00' FROM entries"), ReasonInconsistent, nil},
		"edge tile changed":  {spoilSQL("UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND n = 2"), ReasonInconsistent, nil},
		"edge tile narrow":   {spoilSQL("UPDATE tiles SET hashes = substr(hashes, 1, 32) WHERE level = 0 AND n = 2"), ReasonInconsistent, nil},
		"edge tile wide":     {spoilSQL("UPDATE tiles SET hashes = hashes || zeroblob(32) WHERE level = 0 AND n = 2"), ReasonInconsistent, nil},
		"upper tile missing": {spoilSQL("DELETE FROM tiles WHERE level = 1"), ReasonInconsistent, nil},
		"size changed":       {spoilSQL("UPDATE logs SET size = size - 1"), ReasonInconsistent, nil},
		"checkpoint garbage": {spoilSQL("UPDATE logs SET checkpoint = x'00'"), ReasonInconsistent, func(Head) Extent { return Extent{} }},
		"signed by another": {func(t *testing.T, s *site, h Head, _ []guard.Mark) {
			signer, err := merkle.NewSigner(s.cfg.Log, testKey(9))
			if err != nil {
				t.Fatal(err)
			}
			msg, err := merkle.SignCheckpoint(merkle.Checkpoint{Origin: s.cfg.Log, Size: h.Size, Root: h.Root}, signer)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.store.Update(t.Context(), func(tx tx) error { return tx.PutLogHead(s.cfg.Log, "alpha", h.Size, msg) }); err != nil {
				t.Fatal(err)
			}
		}, ReasonInconsistent, func(Head) Extent { return Extent{} }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			head, marks := grown(t, dir)
			s := newSite(t, dir)
			tc.spoil(t, s, head, marks)
			_, err := Open(t.Context(), s.cfg)
			var doubt *Doubt
			if !errors.As(err, &doubt) || doubt.Reason != tc.reason || doubt.Log != s.cfg.Log {
				t.Fatalf("error %v, want doubt: %s", err, tc.reason)
			}
			want := extent(head)
			if tc.last != nil {
				want = tc.last(head)
			}
			if doubt.Last() != want {
				t.Errorf("the last extent known is %+v, want %+v", doubt.Last(), want)
			}
			if s.signer.count() != 0 {
				t.Error("something was signed in doubt")
			}
			if tc.reason == ReasonStoreMissing {
				if _, _, err := Create(t.Context(), s.cfg, entries(1)); !errors.As(err, &doubt) {
					t.Errorf("creating it again: %v", err)
				}
			}
		})
	}
}

func remove(t *testing.T, s *site) {
	t.Helper()
	if err := os.Remove(guardPath(t, s)); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, s *site, data []byte) {
	t.Helper()
	if err := os.WriteFile(guardPath(t, s), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func guardPath(t *testing.T, s *site) string { return filepath.Join(s.dir, "guard", "guard") }

func store(t *testing.T, s *site, m guard.Mark) {
	t.Helper()
	if err := s.guard.Store(m); err != nil {
		t.Fatal(err)
	}
}

// newSiteWithGuard is an empty store beside the guard of another site.
func newSiteWithGuard(t *testing.T, dir string, old *site) *site {
	t.Helper()
	s := newSite(t, dir)
	s.guard, s.cfg.Guard = old.guard, old.guard
	return s
}

// TestOpenAfterCrash: a store that is ahead of a guard that agrees is no doubt, nor is a torn guard write.
func TestOpenAfterCrash(t *testing.T) {
	for back := range 4 {
		dir := t.TempDir()
		head, marks := grown(t, dir)
		s := newSite(t, dir)
		store(t, s, marks[back])
		l := s.open(t)
		if l.Head().Size != head.Size || s.signer.count() != 0 {
			t.Errorf("guard at %d: size %d, %d signatures", marks[back].Size, l.Head().Size, s.signer.count())
		}
		if m, err := s.guard.Load(); err != nil || m.Size != head.Size || m.Root != head.Root {
			t.Errorf("the guard was not brought up to date: %+v, %v", m, err)
		}
		start(t, l)
		mustAppend(t, l, entries(3))
		check1(t, l, head.Size+3)
	}
	// The crash in the middle of creating: the guard is written, nothing is committed.
	s := newSite(t, t.TempDir())
	store(t, s, s.cfg.mark(0, merkle.EmptyRoot()))
	if _, err := Open(t.Context(), s.cfg); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half created: %v", err)
	}
	check1(t, s.create(t), 1)
	// The same, but committed.
	store(t, s, s.cfg.mark(0, merkle.EmptyRoot()))
	check1(t, s.open(t), 1)
	// A torn write of the newest slot leaves the one before.
	dir := t.TempDir()
	head, _ := grown(t, dir)
	s = newSite(t, dir)
	path := guardPath(t, s)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.guard.Load()
	if err != nil || m.Size != head.Size {
		t.Fatal(m, err)
	}
	clear(data[int((m.Sequence-1)%2)*4096+100:][:1000])
	write(t, s, data)
	if m, err := s.guard.Load(); err != nil || m.Size >= head.Size {
		t.Fatalf("the slot was not torn: %+v, %v", m, err)
	}
	check1(t, s.open(t), head.Size)
}

// TestNewIncarnation replaces the guard of the log before.
func TestNewIncarnation(t *testing.T) {
	dir := t.TempDir()
	head, _ := grown(t, dir)
	s := newSite(t, dir)
	remove(t, s)
	var doubt *Doubt
	if _, err := Open(t.Context(), s.cfg); !errors.As(err, &doubt) {
		t.Fatal(err)
	}
	next := s.cfg
	key := testKey(2)
	next.Log = merkle.LogID("alpha", key.Public().(ed25519.PublicKey))
	var err error
	if next.Signer, err = merkle.NewSigner(next.Log, key); err != nil {
		t.Fatal(err)
	}
	if next.Verifier, err = merkle.NewVerifier(next.Log, key.Public().(ed25519.PublicKey)); err != nil {
		t.Fatal(err)
	}
	l, r, err := Create(t.Context(), next, func(tx tx, b *Batch) error {
		return errors.Join(tx.PutMeta("current", []byte(b.Log())), entries(1)(tx, b))
	})
	if err != nil || r.First != 0 || r.Head.Size != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	check1(t, l, 1)
	// The old one stays readable and refused.
	if _, err := Open(t.Context(), s.cfg); !errors.As(err, &doubt) || doubt.Reason != ReasonOtherLog {
		t.Errorf("the old incarnation: %v", err)
	}
	if r, err := Check(t.Context(), s.store.View, s.cfg.Log, s.cfg.Verifier); err != nil || r.Size != head.Size {
		t.Errorf("checking the old incarnation: %+v, %v", r, err)
	}
}

// TestUnreadableGuardIsNoDoubt: what can be repaired must not cost an incarnation.
func TestUnreadableGuardIsNoDoubt(t *testing.T) {
	dir := t.TempDir()
	grown(t, dir)
	s := newSite(t, dir)
	s.cfg.Guard = failingGuard{err: errOwn}
	var doubt *Doubt
	if _, err := Open(t.Context(), s.cfg); !errors.Is(err, errOwn) || errors.As(err, &doubt) {
		t.Errorf("opening: %v", err)
	}
}

type failingGuard struct{ err error }

func (g failingGuard) Load() (guard.Mark, error) { return guard.Mark{}, g.err }
func (g failingGuard) Store(guard.Mark) error    { return g.err }
