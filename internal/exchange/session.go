package exchange

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"shieldwall/internal/entry"
	"shieldwall/internal/federation"
	"shieldwall/internal/merkle"
)

// session is one try at following a member's log: it loads what is held, catches up by tiles where much is
// missing and then follows live, until something fails. What it knows of the log dies with it, so that after
// a failure the store alone counts. Its fields belong to the follower's goroutine.
type session struct {
	*follower
	remote Peer

	tree   *merkle.Frontier // verified and persisted
	signed federation.Head  // the newest head persisted; it covers more than tree while catching up
	reader *reader

	receipts *receipts
	news     *newsfeed
	blobs    *fetcher
}

var (
	// errBehind ends a stream whose newest checkpoint lies further ahead than its batch: tiles are cheaper.
	errBehind = errors.New("behind: catching up by tiles")
	// errEnded says that a peer ended its stream without a word.
	errEnded = errors.New("the peer ended the stream")
	// errIdle refuses a batch that brings nothing: a peer could send them without end.
	errIdle = errors.New("the peer repeats what it sent before")
)

// session runs one session; it never returns nil.
func (f *follower) session(ctx context.Context, peer Peer) error {
	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	s := &session{follower: f, remote: peer}
	if err := s.load(ctx); err != nil {
		return fmt.Errorf("loading what is held of %s: %w", f.log, err)
	}
	s.receipts = newReceipts(f, peer)
	s.news = newNewsfeed(f, peer)
	s.blobs = newFetcher(f, peer, s.receipts)
	helpers.Go(func() { s.receipts.run(ctx) })
	helpers.Go(func() { s.news.run(ctx) })
	helpers.Go(func() { s.blobs.run(ctx) })
	for behind := false; ; behind = true {
		if err := s.catchUp(ctx, behind); err != nil {
			return err
		}
		err := peer.Stream(ctx, f.log, s.tree.Size(),
			func(b Batch) error { return s.take(ctx, b) },
			func(n News) error {
				f.set("live")
				s.news.tell(n)
				return nil
			})
		if err == nil {
			return errEnded
		}
		if !errors.Is(err, errBehind) {
			return err
		}
	}
}

// cursor is what a follower keeps beside the log itself, in the same transaction.
type cursor struct {
	size  uint64 // entries held; more than the log's head says while catching up
	epoch uint64 // the highest epoch opened in them: epochs only rise
	note  []byte // the signed checkpoint that is being caught up with; empty if the head is the newest
}

func cursorKey(log string) string { return "follow/" + log }

func (c cursor) bytes() []byte {
	b := binary.BigEndian.AppendUint64(nil, c.size)
	return append(binary.BigEndian.AppendUint64(b, c.epoch), c.note...)
}

func loadCursor(tx Tx, log string) (c cursor, err error) {
	v, err := tx.Meta(cursorKey(log))
	if err != nil || v == nil {
		return c, err
	}
	if len(v) < 16 {
		return c, fmt.Errorf("a cursor of %d bytes", len(v))
	}
	return cursor{binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:]), v[16:]}, nil
}

// load starts from what the store holds: all of that is live.
func (s *session) load(ctx context.Context) error {
	var at cursor
	var missing uint64
	err := s.x.opt.View(ctx, func(tx Tx) error {
		held, note, err := tx.LogHead(s.log)
		if err != nil {
			return err
		}
		if at, err = loadCursor(tx, s.log); err != nil {
			return err
		}
		at.size = max(at.size, held)
		if len(at.note) == 0 {
			at.note = note
		}
		missing, err = firstPending(tx, s.log)
		return err
	})
	if err != nil {
		return err
	}
	if at.note != nil {
		c, err := merkle.PeekCheckpoint(at.note)
		if err != nil {
			return err
		}
		s.signed = federation.Head{Size: c.Size, Root: c.Root, Note: at.note}
	}
	if s.tree, err = s.x.opt.Mirror.Load(ctx, s.log, at.size); err != nil {
		return err
	}
	// A damaged store must not look like a lying peer.
	if s.tree.Size() != at.size || s.signed.Size < at.size || s.signed.Size == at.size && at.size > 0 && s.signed.Root != s.tree.Root() {
		return fmt.Errorf("the store contradicts itself: %d entries under a checkpoint of %d", at.size, s.signed.Size)
	}
	s.reader = newReader(s.follower, at.epoch)
	s.loaded(at.size, s.signed.Size, missing)
	return nil
}

// head verifies a signed checkpoint and that it does not contradict the one before.
func (s *session) head(checkpoint []byte) (federation.Head, error) {
	v, err := s.x.opt.Roll.Now().LogVerifier(s.member, s.log)
	if err != nil {
		return federation.Head{}, err
	}
	head, err := v.Head(checkpoint)
	if err != nil {
		return federation.Head{}, err
	}
	s.saw(head.Size)
	switch {
	case head.Size < s.signed.Size:
		return federation.Head{}, fmt.Errorf("%w from %d to %d entries", federation.ErrRollback, s.signed.Size, head.Size)
	case head.Size == s.signed.Size && head.Root != s.signed.Root && s.signed.Note != nil:
		return federation.Head{}, fmt.Errorf("%w: it signed another root of %d entries before", federation.ErrRoot, head.Size)
	}
	return head, nil
}

// take verifies a live batch and persists it.
func (s *session) take(ctx context.Context, b Batch) error {
	head, err := s.head(b.Checkpoint)
	if err != nil {
		return err
	}
	if b.First <= s.tree.Size() && b.First+uint64(len(b.Entries)) < head.Size {
		return errBehind
	}
	next, fresh, err := federation.Extend(s.tree, head, b.First, b.Entries)
	if err != nil {
		return err
	}
	if len(fresh) == 0 {
		return errIdle
	}
	if err := s.persist(ctx, next, fresh, head); err != nil {
		return err
	}
	s.set("live")
	return nil
}

// persist commits entries that were verified, in units that do not hold up the store's one writer, each
// together with what its entries say, and makes each live before the next. next is the tree after them, head
// the newest signed head, which covers them and may cover more.
func (s *session) persist(ctx context.Context, next *merkle.Frontier, fresh [][]byte, head federation.Head) error {
	if err := s.learnRoster(ctx, fresh); err != nil {
		return err
	}
	for {
		first := s.tree.Size()
		u, err := s.reader.readUnit(ctx, first, fresh)
		if err != nil {
			return fmt.Errorf("reading what %s published: %w", s.member, err)
		}
		if err := s.spend(ctx, u, fresh[:u.entries]); err != nil {
			return err
		}
		tree := next
		if u.entries < len(fresh) {
			tree = s.tree.Clone()
			for _, e := range fresh[:u.entries] {
				tree.Append(merkle.LeafHash(e))
			}
		}
		if err := s.commit(ctx, tree, fresh[:u.entries], head, u); err != nil {
			return fmt.Errorf("keeping what %s published: %w", s.member, err)
		}
		if fresh = fresh[u.entries:]; len(fresh) == 0 {
			return nil
		}
	}
}

// commit makes one unit durable and then live, in that order.
func (s *session) commit(ctx context.Context, tree *merkle.Frontier, entries [][]byte, head federation.Head, u *unit) error {
	s.commits.Lock()
	defer s.commits.Unlock()
	at, reached := cursor{tree.Size(), s.reader.last, head.Note}, (*federation.Head)(nil)
	if head.Size == tree.Size() {
		at.note, reached = nil, &head
	}
	err := s.x.opt.Update(ctx, func(tx Tx) error {
		if err := s.x.opt.Mirror.Store(tx, s.log, s.member, s.tree, s.tree.Size(), entries, reached); err != nil {
			return err
		}
		if err := tx.PutMeta(cursorKey(s.log), at.bytes()); err != nil {
			return err
		}
		return u.run(tx, u.steps)
	})
	if err != nil {
		return err
	}
	s.tree, s.signed = tree, head
	s.published(u)
	s.advance(tree.Size(), u.pending)
	s.receipts.notify()
	if u.pending != none {
		s.blobs.notify()
	}
	return nil
}

// rosterTries is how often a roster that entries name is asked for before they are read without it.
const rosterTries = 3

// learnRoster sees to it that entries are not judged by an older roster than the one they were sealed under:
// a reader who is new in a group would refuse them, and they come only once. A publisher that names a roster
// which nobody can verify delays nobody but itself, and not for ever.
func (s *session) learnRoster(ctx context.Context, entries [][]byte) error {
	want := uint64(0)
	for _, raw := range entries {
		e, err := entry.Parse(raw)
		if err != nil || e.Kind != entry.KindEpoch {
			continue
		}
		if opening, err := entry.ParseEpoch(e.Body); err == nil {
			want = max(want, opening.Roster)
		}
	}
	if want <= s.x.opt.Roll.Now().Roster.Version || s.rosterTries >= rosterTries {
		return nil
	}
	if err := s.x.opt.Roll.Learn(ctx, s.remote, News{Version: want}); err != nil {
		s.rosterTries++
		return fmt.Errorf("learning roster version %d, by which entries were sealed: %w", want, err)
	}
	s.rosterTries = 0
	return nil
}
