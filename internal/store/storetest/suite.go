// Package storetest is the conformance suite that every store must pass: what log, flows and node rely on.
package storetest

import (
	"context"
	"testing"
	"time"

	"shieldwall/internal/object"
)

// Tx is a store's whole transaction. Only the suite needs it whole; each user declares the part it needs.
type Tx interface {
	Savepoint(fn func() error) error
	Meta(key string) ([]byte, error)
	PutMeta(key string, value []byte) error

	LogHead(log string) (size uint64, checkpoint []byte, err error)
	PutLogHead(log, member string, size uint64, checkpoint []byte) error
	EachLog(fn func(log, member string, size uint64, checkpoint []byte) error) error
	Entry(log string, index uint64) ([]byte, error)
	Entries(log string, from, to uint64, maxBytes int) ([][]byte, error)
	PutEntries(log string, first uint64, entries [][]byte) error
	Tile(log string, level int, n uint64) ([]byte, error)
	PutTile(log string, level int, n uint64, hashes []byte) error

	EpochKey(log string, epoch uint64) ([]byte, error)
	PutEpochKey(log string, epoch uint64, audience string, sealed []byte) error
	OwnEpoch(audience string) (epoch uint64, rosterVersion uint64, opened time.Time, sealed []byte, err error)
	PutOwnEpoch(log, audience string, epoch, rosterVersion uint64, readers []string, opened time.Time, sealed []byte) error
	LastOwnEpoch(log string) (uint64, error)
	EpochReaders(log string, epoch uint64) ([]string, error)
	EpochEntry(log string, epoch uint64) (index uint64, entry []byte, err error)
	PutEpochEntry(log string, epoch, index uint64, entry []byte) error

	Copies(id string) ([]object.Copy, error)
	PublisherCopies(publisher, id string) ([]object.Copy, error)
	PutCopy(c object.Copy) (stored object.Copy, err error)
	Withdraw(publisher, id string, place object.Place) (n int, err error)
	EachLive(typ string, fn func(object.Copy) error) error
	ListCopies(typ, publisher string, beforeSeq int64, limit int) ([]object.Copy, error)
	CountCopies() (total int64, byPublisher map[string]int64, err error)
	Relocal(publisher string) error
	EachShelf(fn func(id int64, tlp uint8, audience string, copies int64) error) error
	Shelf(tlp uint8, audience string) (id, copies int64, err error)
	ShelfCopies(shelf int64, standing object.Standing, typ string, after time.Time, limit, maxBytes int) ([]object.Filed, error)
	FiledCopies(id string) ([]object.Filed, error)
	CopyAt(seq int64) (object.Copy, error)
	Remove(publisher, id string, seqs []int64) error
	Refile(from, to string) error
	PutPosting(id, holder string, at time.Time, body []byte, before time.Time) error
	Posting(id, holder string) (body []byte, at time.Time, err error)

	IndexedTo() (indexed, last int64, err error)
	PutIndexedTo(seq int64) error
	ForgetIndex() error
	CopiesAfter(seq int64, limit, maxBytes int) ([]object.Filed, error)
	Index(seq int64, name, text, pattern, keys string) error
	Matching(expr string, above, below int64, limit int) ([]int64, error)
	FiledAt(seq int64) (object.Filed, error)
	SeqAt(at time.Time) (int64, error)

	Blob(hash []byte) ([]byte, error)
	PutBlob(hash, data []byte) error
	PutPending(log string, index uint64, hash []byte) error
	EachPending(log string, fn func(index uint64, hash []byte) error) error
	DropPending(log string, index uint64) error

	RosterNote(version uint64) ([]byte, error)
	PutRosterNote(version uint64, hash string, note []byte) error
	LastRoster() (version uint64, note []byte, err error)
	DropRosters() error
	CardNote(member string) (sequence uint64, note []byte, err error)
	PutCardNote(member string, sequence uint64, note []byte) error
	EachCard(fn func(member string, sequence uint64, note []byte) error) error
	DropCards() error
	PutInvite(hash []byte, name string, groups []string, expires time.Time) error
	Invite(hash []byte) (name string, groups []string, expires time.Time, card []byte, used bool, err error)
	BindInvite(hash, card []byte, used bool) error

	PutPublication(log string, index uint64, at time.Time, readers int, audience string, what string) error
	PutApplied(log, follower string, size uint64) error
	Applied(log string) (map[string]uint64, error)
	PutProtect(log string, index uint64, follower string, took time.Duration) error
	EachPublication(log string, from uint64, limit int, fn func(index uint64, at time.Time, readers int, audience, what string, took map[string]time.Duration) error) error

	AddTally(publisher, id string, n int64, first, last time.Time) error
	EachTally(fn func(publisher, id string, n int64, first, last time.Time) error) error
	DropTally(publisher, id string) error
	PutToken(hash []byte, name, scope, reader string, expires time.Time) error
	Token(hash []byte) (name, scope, reader string, expires time.Time, err error)
	EachToken(fn func(name, scope, reader string, created, expires time.Time) error) error
	DropToken(name string) error
	Offset(path string) (ident string, offset int64, err error)
	PutOffset(path, ident string, offset int64) error
}

// Store is what a store offers besides.
type Store[T Tx] interface {
	Update(ctx context.Context, fn func(T) error) error
	UpdateDurable(ctx context.Context, fn func(T) error) error
	View(ctx context.Context, fn func(T) error) error
	Close() error
}

var now = time.Date(2026, 3, 4, 5, 6, 7, 89_000, time.UTC)

// Now returns the suite's fixed time, to be given to the store as its clock.
func Now() time.Time { return now }

// Run runs the suite. open opens the store that lives at a place named by the test's temporary folder, the
// same one again for the same folder, with the clock Now.
func Run[T Tx](t *testing.T, open func(t *testing.T, dir string) Store[T]) {
	s := &suite[T]{open}
	for name, test := range map[string]func(*testing.T){
		"units": s.units, "savepoints": s.savepoints, "views": s.views, "cancel": s.cancel, "close": s.closing, "concurrent": s.concurrent,
		"reopen": s.reopen, "callbacks": s.callbacks, "over": s.over,
		"meta": s.meta, "heads": s.heads, "entries": s.entries, "tiles": s.tiles, "epochs": s.epochs, "own epochs": s.ownEpochs,
		"copies": s.copies, "copies model": s.copiesModel, "withdraw": s.withdraw, "late copy": s.lateCopy, "relocal": s.relocal, "lists": s.lists, "shelves": s.shelves, "search": s.search,
		"admissions": s.admissions, "shelf pages": s.shelfPages, "standings model": s.standingsModel, "refile": s.refile, "postings": s.postings,
		"blobs": s.blobs, "rosters": s.rosters, "cards": s.cards, "invites": s.invites, "tokens": s.tokens,
		"publications": s.publications, "applied": s.applied, "tally": s.tally, "offsets": s.offsets, "numbers": s.numbers,
	} {
		t.Run(name, test)
	}
}

type suite[T Tx] struct {
	open func(t *testing.T, dir string) Store[T]
}

// fresh opens an empty store that is closed when the test ends.
func (s *suite[T]) fresh(t *testing.T) Store[T] {
	t.Helper()
	st := s.open(t, t.TempDir())
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return st
}

// update and view run fn and fail the test with its error.
func update[T Tx](t *testing.T, st Store[T], fn func(T) error) {
	t.Helper()
	if err := st.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func view[T Tx](t *testing.T, st Store[T], fn func(T) error) {
	t.Helper()
	if err := st.View(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}
