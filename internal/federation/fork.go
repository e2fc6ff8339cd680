package federation

import (
	"errors"
	"fmt"
	"slices"

	"shieldwall/internal/roster"
)

// Fork is another branch of the alliance's rosters: officers signed two of one version, which is their misconduct
// or a theft of their keys. Both branches verify, so a node stays on the one that it held first. Until a later
// roster rejects one of them, only members that both list are readers.
type Fork struct {
	Version uint64 // of the first roster that differs
	Ours    string // its hash on this node's branch
	Theirs  string // and on the other
	Chain   [][]byte
	Newest  *roster.Roster // of the other branch
}

// maxFork bounds the rosters of another branch that are kept.
const maxFork = 64

// ErrVoid says that another branch is void by the rosters held here.
var ErrVoid = errors.New("that branch of the roster is void")

// HashOf is the hash of a roster version of this node's branch; empty where there is none.
func (m *Membership) HashOf(version uint64) string {
	if version == 0 || version > uint64(len(m.hashes)) {
		return ""
	}
	return m.hashes[version-1]
}

// Fork is the other branch that is known; nil if there is none.
func (m *Membership) Fork() *Fork { return m.fork }

// WithFork takes another branch: chain are its rosters from the first one that differs on, prev is this node's
// roster before that.
func (m *Membership) WithFork(prev *roster.Roster, chain [][]byte) (*Membership, error) {
	if len(chain) == 0 || len(chain) > maxFork {
		return nil, fmt.Errorf("a branch of %d rosters, not 1 to %d", len(chain), maxFork)
	}
	if hash, err := prev.Hash(); err != nil || m.HashOf(prev.Version) != hash {
		return nil, errors.Join(errors.New("the roster before the branch is not one of ours"), err)
	}
	f := &Fork{Version: prev.Version + 1, Ours: m.HashOf(prev.Version + 1), Chain: chain}
	newest := prev
	for i, note := range chain {
		next, err := roster.VerifyNext(newest, note)
		if err != nil {
			return nil, fmt.Errorf("the other branch: %w", err)
		}
		if i == 0 {
			if f.Theirs, err = next.Hash(); err != nil {
				return nil, err
			}
		}
		newest = next
	}
	switch {
	case f.Ours == "" || f.Ours == f.Theirs:
		return nil, fmt.Errorf("the other branch: %w", ErrKnown)
	case slices.Contains(m.void, f.Theirs):
		return nil, ErrVoid
	case m.fork != nil && m.fork.Theirs == f.Theirs && newest.Version <= m.fork.Newest.Version:
		return nil, fmt.Errorf("the other branch: %w", ErrKnown)
	}
	f.Newest = newest
	c := m.clone()
	c.fork = f
	return c, nil
}

// RejectsOurs says whether the other branch declares this node's void, and is not declared void itself: then this
// node is on the wrong one.
func (f *Fork) RejectsOurs() bool {
	if f == nil {
		return false
	}
	for _, note := range f.Chain {
		if r, err := roster.ParseRoster(note); err == nil && slices.Contains(r.Rejects, f.Ours) {
			return true
		}
	}
	return false
}

// Readers is the roster by which this node shares: where there is another branch, members that it does not list, or
// not in the same groups, are left out.
func (m *Membership) Readers() *roster.Roster {
	if m.fork == nil {
		return m.Roster
	}
	r := m.Roster.Clone()
	for i := range r.Members {
		mine := &r.Members[i]
		theirs, listed := m.fork.Newest.Member(mine.ID)
		if !listed || theirs.Suspended || !slices.EqualFunc(mine.Keys, theirs.Keys, roster.Key.Equal) {
			mine.Suspended = true
			continue
		}
		mine.Groups = slices.DeleteFunc(mine.Groups, func(g string) bool { return !slices.Contains(theirs.Groups, g) })
	}
	return r
}
