package federation

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"shieldwall/internal/roster"
)

// Limits of drafts: an officer who makes them without end keeps nobody else from making one.
const (
	maxDrafts  = 2 * roster.MaxOfficers
	maxOwn     = 2 // which only one officer has signed
	draftIDLen = 12
)

// Draft is a roster that officers are still signing. It counts for nothing until enough of them have.
type Draft struct {
	Hash   string // of the roster's text: the same whoever signed
	Note   []byte // with the officers' signatures and no others
	Roster *roster.Roster
	Signed roster.Signed
}

// ID is how people refer to the draft.
func (d Draft) ID() string { return d.Hash[:draftIDLen] }

// NoteHash tells two states of one draft apart.
func (d Draft) NoteHash() string {
	sum := sha256.Sum256(d.Note)
	return hex.EncodeToString(sum[:])
}

// Drafts are those for the version that follows the roster in force. They are immutable; what arrives gives new
// ones.
type Drafts []Draft

// With takes a draft, or signatures of one that is held. ErrKnown says that it brings nothing new. A draft that
// no officer in force has signed is refused: anybody could make it.
func (d Drafts) With(m *Membership, note []byte) (Drafts, Draft, error) {
	merged, err := roster.Merge(m.Roster, note, note)
	if err != nil {
		return nil, Draft{}, err
	}
	next, err := roster.ParseRoster(merged)
	if err != nil {
		return nil, Draft{}, err
	}
	hash, err := next.Hash()
	if err != nil {
		return nil, Draft{}, err
	}
	at := slices.IndexFunc(d, func(o Draft) bool { return o.Hash == hash })
	if at >= 0 {
		if merged, err = roster.Merge(m.Roster, d[at].Note, merged); err != nil {
			return nil, Draft{}, err
		}
		if bytes.Equal(merged, d[at].Note) {
			return nil, d[at], fmt.Errorf("the draft %s: %w", d[at].ID(), ErrKnown)
		}
	}
	out := Draft{Hash: hash, Note: merged, Roster: next}
	if out.Signed, err = roster.Signatures(m.Roster, merged); err != nil {
		return nil, Draft{}, err
	}
	if len(out.Signed.Before) == 0 {
		return nil, Draft{}, fmt.Errorf("the draft %s is signed by none of roster version %d's officers", out.ID(), m.Roster.Version)
	}
	list := slices.Clone(d)
	if at >= 0 {
		list[at] = out
		return list, out, nil
	}
	if err := d.room(out.Signed.Before); err != nil {
		return nil, Draft{}, err
	}
	return append(list, out), out, nil
}

// room refuses one draft too many.
func (d Drafts) room(by []string) error {
	if len(d) >= maxDrafts {
		return fmt.Errorf("%d drafts of the next roster wait already", len(d))
	}
	if len(by) > 1 {
		return nil
	}
	alone := 0
	for _, o := range d {
		if slices.Equal(o.Signed.Before, by) {
			alone++
		}
	}
	if alone >= maxOwn {
		return fmt.Errorf("%d drafts of the next roster that only %s has signed wait already", alone, by[0])
	}
	return nil
}

// Of finds a draft by the beginning of its hash; several are as good as none.
func (d Drafts) Of(id string) (Draft, bool) {
	var found []Draft
	for _, o := range d {
		if len(id) >= 4 && len(id) <= len(o.Hash) && o.Hash[:len(id)] == id {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		return Draft{}, false
	}
	return found[0], true
}

// After leaves those that still follow the membership's roster.
func (d Drafts) After(m *Membership) Drafts {
	return slices.DeleteFunc(slices.Clone(d), func(o Draft) bool {
		return o.Roster.Version != m.Roster.Version+1 || o.Roster.Previous != m.Hash
	})
}
