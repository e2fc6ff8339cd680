package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shieldwall/internal/exchange"
	"shieldwall/internal/federation"
	"shieldwall/internal/keys"
	"shieldwall/internal/policy"
	"shieldwall/internal/roster"
	"shieldwall/internal/store/sqlite"
)

// roll keeps the membership in force: readers take it from a pointer, what arrives is verified, persisted
// and then put in its place.
type roll struct {
	store *sqlite.Store
	log   *slog.Logger
	clock func() time.Time

	now     atomic.Pointer[federation.Membership]
	members atomic.Pointer[policy.Members]
	drafts  atomic.Pointer[federation.Drafts] // changed under mu

	learning chan struct{} // holds one: the call of Learn that asks a peer

	mu      sync.Mutex // one change at a time; guards the fields below
	changed chan struct{}
	left    bool // this member has joined another alliance
}

// errLeft refuses a change of an alliance that this member has left.
var errLeft = errors.New("this node has left the alliance")

func newRoll(store *sqlite.Store, log *slog.Logger, clock func() time.Time, m *federation.Membership) *roll {
	r := &roll{store: store, log: log, clock: clock, changed: make(chan struct{}), learning: make(chan struct{}, 1)}
	r.now.Store(m)
	r.members.Store(policy.MembersOf(m.Readers()))
	r.drafts.Store(&federation.Drafts{})
	return r
}

// loadMembership rebuilds the membership from the store: every step from roster 1 is verified again.
func loadMembership(ctx context.Context, store *sqlite.Store, denied []string, now time.Time) (*federation.Membership, error) {
	var m *federation.Membership
	err := store.View(ctx, func(tx *sqlite.Tx) error {
		last, _, err := tx.LastRoster()
		if err != nil {
			return err
		}
		for v := uint64(1); v <= last; v++ {
			note, err := tx.RosterNote(v)
			if err != nil {
				return fmt.Errorf("roster version %d: %w", v, err)
			}
			if v == 1 {
				m, err = federation.Found(note, denied, keys.Pin)
			} else {
				m, err = m.WithRoster(note)
			}
			if err != nil {
				return err
			}
		}
		if m == nil {
			return errors.New("there is no roster in the store")
		}
		if m, err = withFork(tx, m); err != nil {
			return fmt.Errorf("the other branch: %w", err)
		}
		return tx.EachCard(func(member string, _ uint64, note []byte) error {
			next, _, err := m.WithCard(note, time.Time{}) // one that has expired meanwhile still names its log
			if err != nil {
				return nil // of a member that left
			}
			m = next
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("loading the alliance: %w", err)
	}
	return m, nil
}

// Now is the membership in force.
func (r *roll) Now() *federation.Membership { return r.now.Load() }

// Members is the same, as policy sees it.
func (r *roll) Members() *policy.Members { return r.members.Load() }

// Changed is closed at the next change.
func (r *roll) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// judgement is why a statement is not taken: its maker may know, unlike what fails here.
type judgement struct{ err error }

func (j *judgement) Error() string { return j.err.Error() }
func (j *judgement) Unwrap() error { return j.err }

// change verifies by step, persists by write and then lets everybody see it.
func (r *roll) change(ctx context.Context, step func(*federation.Membership) (*federation.Membership, error), write func(*sqlite.Tx, *federation.Membership) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left {
		return errLeft
	}
	next, err := step(r.now.Load())
	if err != nil {
		return &judgement{err}
	}
	drafts := r.Drafts().After(next)
	err = r.store.UpdateDurable(ctx, func(tx *sqlite.Tx) error {
		if err := write(tx, next); err != nil || len(drafts) == len(r.Drafts()) {
			return err
		}
		return putDrafts(tx, drafts)
	})
	if err != nil {
		return err
	}
	r.now.Store(next)
	r.members.Store(policy.MembersOf(next.Readers()))
	r.drafts.Store(&drafts)
	r.tell()
	return nil
}

// tell wakes whoever waits for a change; the caller holds mu.
func (r *roll) tell() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// leave ends this membership by write, unless the alliance has got other members: a node is in one alliance.
// Nothing changes the roster or a card after that.
func (r *roll) leave(ctx context.Context, write func(*sqlite.Tx) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left {
		return errLeft
	}
	if in := r.now.Load().Roster; len(in.Members) > 1 {
		return refusedf("this node's alliance %q has got other members meanwhile; a node is in one alliance", in.Name)
	}
	if err := r.store.UpdateDurable(ctx, write); err != nil {
		return err
	}
	r.left = true
	return nil
}

// AdmitRoster takes the next roster, and writes with it what also says, if anything.
func (r *roll) AdmitRoster(ctx context.Context, note []byte, also ...func(*sqlite.Tx) error) error {
	err := r.change(ctx,
		func(m *federation.Membership) (*federation.Membership, error) { return m.WithRoster(note) },
		func(tx *sqlite.Tx, m *federation.Membership) error {
			errs := []error{tx.PutRosterNote(m.Roster.Version, m.Hash, note), dropCards(tx, m)}
			if m.Fork() == nil {
				errs = append(errs, putFork(tx, nil))
			}
			for _, write := range also {
				errs = append(errs, write(tx))
			}
			return errors.Join(errs...)
		})
	if err == nil {
		r.log.Info("roster in force", "version", r.Now().Roster.Version, "members", len(r.Now().Roster.Members))
	}
	return err
}

// dropCards forgets the cards that the new membership dropped, because their identity is not the one that the
// roster pins any more: the name is another node's now, whose cards count from 1 again.
func dropCards(tx *sqlite.Tx, m *federation.Membership) error {
	type row struct {
		member   string
		sequence uint64
		note     []byte
	}
	var kept []row
	dropped := false
	err := tx.EachCard(func(member string, sequence uint64, note []byte) error {
		if _, listed := m.Roster.Member(member); listed && m.Card(member) == nil {
			dropped = true
		} else {
			kept = append(kept, row{member, sequence, slices.Clone(note)})
		}
		return nil
	})
	if err != nil || !dropped {
		return err
	}
	errs := []error{tx.DropCards()}
	for _, k := range kept {
		errs = append(errs, tx.PutCardNote(k.member, k.sequence, k.note))
	}
	return errors.Join(errs...)
}

// AdmitCard takes a member's next card, and writes with it what also says, if anything.
func (r *roll) AdmitCard(ctx context.Context, note []byte, also ...func(*sqlite.Tx) error) error {
	var card *roster.Card
	return r.change(ctx,
		func(m *federation.Membership) (next *federation.Membership, err error) {
			next, card, err = m.WithCard(note, r.clock())
			return next, err
		},
		func(tx *sqlite.Tx, _ *federation.Membership) error {
			errs := []error{tx.PutCardNote(card.Member, card.Sequence, note)}
			for _, write := range also {
				errs = append(errs, write(tx))
			}
			return errors.Join(errs...)
		})
}

// learnAlone is how long one peer is asked for news before others are asked, too.
const learnAlone = 2 * time.Second

// lacks says whether news promise what this node does not hold.
func (r *roll) lacks(news exchange.News) bool {
	m := r.Now()
	if m.Roster.Version < news.Version || r.elsewhere(news) || len(r.newDrafts(news)) > 0 {
		return true
	}
	held := m.Sequences()
	for member, sequence := range news.Cards {
		if sequence <= held[member] {
			continue
		}
		if _, listed := m.Roster.Member(member); listed {
			return true
		}
	}
	return false
}

// maxSteps bounds the roster versions fetched from one peer at one time.
const maxSteps = 10_000

// Learn fetches what a peer's news promise and this node lacks. A peer that promises what it does not have
// costs a request; what it sends is verified like anything else.
func (r *roll) Learn(ctx context.Context, from exchange.Peer, news exchange.News) error {
	if !r.lacks(news) {
		return nil
	}
	// All peers tell the same at once: one is asked. If it is slow, it does not keep the others.
	slow := time.NewTimer(learnAlone)
	defer slow.Stop()
	select {
	case r.learning <- struct{}{}:
		defer func() { <-r.learning }()
	case <-slow.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.elsewhere(news) {
		return r.learnFork(ctx, from, news)
	}
	for n := 0; r.Now().Roster.Version < news.Version && n < maxSteps; n++ {
		note, err := from.Roster(ctx, r.Now().Roster.Version+1)
		if err != nil {
			return fmt.Errorf("fetching the next roster: %w", err)
		}
		err = r.AdmitRoster(ctx, note)
		if errors.Is(err, roster.ErrBranch) {
			return r.learnFork(ctx, from, news)
		}
		if err != nil && !errors.Is(err, federation.ErrKnown) {
			return fmt.Errorf("the next roster: %w", err)
		}
	}
	m := r.Now()
	if err := r.learnDrafts(ctx, from, news); err != nil {
		return err
	}
	held := m.Sequences()
	for member, sequence := range news.Cards {
		if sequence <= held[member] {
			continue
		}
		if _, listed := m.Roster.Member(member); !listed {
			continue
		}
		note, err := from.Card(ctx, member)
		if err != nil {
			return fmt.Errorf("fetching the card of %s: %w", member, err)
		}
		if err := r.AdmitCard(ctx, note); err != nil && !errors.Is(err, federation.ErrKnown) {
			r.log.Warn("card refused", "member", member, "reason", err.Error())
		}
	}
	return nil
}

// random is where keys, tokens and audience tags come from.
var random = rand.Reader
