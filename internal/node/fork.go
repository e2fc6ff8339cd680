package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"shieldwall/internal/exchange"
	"shieldwall/internal/federation"
	"shieldwall/internal/keys"
	"shieldwall/internal/roster"
	"shieldwall/internal/store/sqlite"
)

// metaFork keeps another branch of the rosters.
const metaFork = "fork"

// keptFork is how it is kept.
type keptFork struct {
	Version uint64   `json:"version"` // of the first roster
	Chain   [][]byte `json:"chain"`
}

func putFork(tx *sqlite.Tx, f *federation.Fork) error {
	if f == nil {
		return tx.PutMeta(metaFork, []byte{})
	}
	raw, err := json.Marshal(keptFork{f.Version, f.Chain})
	if err != nil {
		return err
	}
	return tx.PutMeta(metaFork, raw)
}

// withFork takes up another branch that was known.
func withFork(tx *sqlite.Tx, m *federation.Membership) (*federation.Membership, error) {
	raw, err := tx.Meta(metaFork)
	if err != nil || len(raw) == 0 {
		return m, err
	}
	var kept keptFork
	if err := json.Unmarshal(raw, &kept); err != nil {
		return nil, err
	}
	prev, err := storedRoster(tx, kept.Version-1)
	if err != nil {
		return nil, err
	}
	forked, err := m.WithFork(prev, kept.Chain)
	if errors.Is(err, federation.ErrVoid) { // a roster since has settled it
		return m, nil
	}
	return forked, err
}

func storedRoster(tx *sqlite.Tx, version uint64) (*roster.Roster, error) {
	note, err := tx.RosterNote(version)
	if err != nil {
		return nil, err
	}
	return roster.ParseRoster(note)
}

// elsewhere says whether news are of a roster that is not on this node's branch, nor the newest known of another.
func (r *roll) elsewhere(news exchange.News) bool {
	m := r.Now()
	if news.Hash == "" || news.Version == 0 || news.Version > m.Roster.Version || m.HashOf(news.Version) == news.Hash {
		return false
	}
	if f := m.Fork(); f != nil {
		hash, err := f.Newest.Hash()
		return err != nil || hash != news.Hash
	}
	return true
}

// maxBack bounds how far back the beginning of another branch is looked for at one time.
const maxBack = 64

// learnFork fetches the branch of the rosters on which a peer is, from the first one that differs. Two valid rosters
// of one version are shown to everybody here and narrow who is shared with; a branch that does not verify is a
// peer's lie and counts for nothing.
func (r *roll) learnFork(ctx context.Context, from exchange.Peer, news exchange.News) error {
	m := r.Now()
	first := min(news.Version, m.Roster.Version)
	for steps := 0; ; steps++ {
		if first < 2 || steps > maxBack {
			return &judgement{errors.New("the peer's rosters have nothing in common with those held here")}
		}
		note, err := from.Roster(ctx, first-1)
		if err != nil {
			return fmt.Errorf("fetching the peer's roster %d: %w", first-1, err)
		}
		theirs, err := roster.ParseRoster(note)
		if err != nil {
			return &judgement{err}
		}
		if hash, err := theirs.Hash(); err == nil && hash == m.HashOf(first-1) {
			break
		}
		first--
	}
	var chain [][]byte
	for v := first; v <= news.Version && len(chain) < maxBack; v++ {
		note, err := from.Roster(ctx, v)
		if err != nil {
			return fmt.Errorf("fetching the peer's roster %d: %w", v, err)
		}
		chain = append(chain, note)
	}
	return r.admitFork(ctx, first, chain)
}

func (r *roll) admitFork(ctx context.Context, first uint64, chain [][]byte) error {
	var prev *roster.Roster
	err := r.store.View(ctx, func(tx *sqlite.Tx) (err error) {
		prev, err = storedRoster(tx, first-1)
		return err
	})
	if err != nil {
		return fmt.Errorf("reading roster %d: %w", first-1, err)
	}
	err = r.change(ctx,
		func(m *federation.Membership) (*federation.Membership, error) { return m.WithFork(prev, chain) },
		func(tx *sqlite.Tx, m *federation.Membership) error { return putFork(tx, m.Fork()) })
	if errors.Is(err, federation.ErrKnown) || errors.Is(err, federation.ErrVoid) {
		return nil
	}
	if err != nil {
		return err
	}
	f := r.Now().Fork()
	r.log.Warn("officers signed two rosters of one version", "version", f.Version, "ours", f.Ours, "theirs", f.Theirs)
	if f.RejectsOurs() {
		return r.changeBranch(ctx, f)
	}
	return nil
}

// changeBranch leaves this node's branch, which officers declared void on the other.
func (r *roll) changeBranch(ctx context.Context, f *federation.Fork) error {
	var notes [][]byte
	err := r.store.View(ctx, func(tx *sqlite.Tx) error {
		for v := uint64(1); v < f.Version; v++ {
			note, err := tx.RosterNote(v)
			if err != nil {
				return err
			}
			notes = append(notes, note)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the rosters before the fork: %w", err)
	}
	notes = append(notes, f.Chain...)
	err = r.change(ctx,
		func(m *federation.Membership) (*federation.Membership, error) {
			next, err := federation.Found(notes[0], m.Denied(), keys.Pin)
			for _, note := range notes[1:] {
				if err == nil {
					next, err = next.WithRoster(note)
				}
			}
			if err != nil {
				return nil, err
			}
			return next.WithCardsOf(m), nil
		},
		func(tx *sqlite.Tx, m *federation.Membership) error {
			errs := []error{tx.DropRosters(), putFork(tx, nil)}
			for i, note := range notes {
				errs = append(errs, tx.PutRosterNote(uint64(i+1), m.HashOf(uint64(i+1)), note))
			}
			return errors.Join(append(errs, dropCards(tx, m))...)
		})
	if err == nil {
		r.log.Warn("this node's branch of the roster was void: it is on the other now", "version", r.Now().Roster.Version, "at", r.clock().UTC().Format(time.RFC3339))
	}
	return err
}
