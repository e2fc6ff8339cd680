package roster

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"shieldwall/internal/canon"
	"shieldwall/internal/merkle"
)

// Sign makes the signed note with one officer's signature.
func (r *Roster) Sign(officer string, key ed25519.PrivateKey) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	b, err := canon.Marshal(r)
	if err != nil {
		return nil, err
	}
	msg, err := sign(rosterHeading, b, officer, key)
	if err != nil {
		return nil, err
	}
	return msg, checkSize(msg)
}

// Cosign adds an officer's signature to a roster that others signed; the text stays as it is.
func Cosign(msg []byte, officer string, key ed25519.PrivateKey) ([]byte, error) {
	if _, err := ParseRoster(msg); err != nil {
		return nil, err
	}
	s, err := merkle.NewSigner(officer, key)
	if err != nil {
		return nil, err
	}
	var unverified *note.UnverifiedNoteError
	if _, err := note.Open(msg, nil); !errors.As(err, &unverified) {
		return nil, fmt.Errorf("roster: %w", err)
	}
	msg, err = note.Sign(unverified.Note, s)
	if err != nil {
		return nil, fmt.Errorf("roster: %w", err)
	}
	return msg, checkSize(msg)
}

func checkSize(msg []byte) error {
	if len(msg) > MaxRoster {
		return fmt.Errorf("a roster of %d bytes is over the limit of %d", len(msg), MaxRoster)
	}
	return nil
}

// ParseRoster parses a roster note and checks everything but its signatures.
func ParseRoster(msg []byte) (*Roster, error) {
	_, body, err := statement("roster", rosterHeading, msg, MaxRoster)
	if err != nil {
		return nil, err
	}
	r := &Roster{}
	if err := canon.Unmarshal(body, r, MaxRoster); err != nil {
		return nil, fmt.Errorf("roster: %w", err)
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("roster: %w", err)
	}
	return r, nil
}

// VerifyFirst verifies roster 1 by its own officers and returns the alliance's id.
func VerifyFirst(msg []byte) (*Roster, string, error) {
	r, err := verify(nil, msg)
	if err != nil {
		return nil, "", err
	}
	id, err := r.Hash()
	if err != nil {
		return nil, "", err
	}
	return r, id, nil
}

// ErrBranch says that a roster follows another one than that held.
var ErrBranch = errors.New("does not continue the")

// VerifyNext verifies the version after prev: it must name prev and carry enough signatures by prev's
// officers and by its own.
func VerifyNext(prev *Roster, msg []byte) (*Roster, error) { return verify(prev, msg) }

func verify(prev *Roster, msg []byte) (*Roster, error) {
	r, err := parseAfter(prev, msg)
	if err != nil {
		return nil, err
	}
	if err := count(prev, r, msg).missing(r.Version); err != nil {
		return nil, err
	}
	return r, nil
}

// Signed is how far the signing of a roster has come.
type Signed struct {
	Before, Own             []string // the officers that signed: those of the version before, those of this one
	BeforeNeeded, OwnNeeded int
}

// Signatures counts the signatures of a roster that officers are still signing, after prev (nil for the
// first version).
func Signatures(prev *Roster, msg []byte) (Signed, error) {
	r, err := parseAfter(prev, msg)
	if err != nil {
		return Signed{}, err
	}
	return count(prev, r, msg), nil
}

func count(prev, r *Roster, msg []byte) Signed {
	s := Signed{Own: r.Signers(msg), OwnNeeded: r.Threshold}
	if prev != nil {
		s.Before, s.BeforeNeeded = prev.Signers(msg), prev.Threshold
	}
	return s
}

// Enough says whether the roster is valid by its signatures.
func (s Signed) Enough() bool { return len(s.Before) >= s.BeforeNeeded && len(s.Own) >= s.OwnNeeded }

func (s Signed) missing(version uint64) error {
	switch {
	case len(s.Before) < s.BeforeNeeded:
		return fmt.Errorf("roster: %d of the %d signatures that version %d's officers must give", len(s.Before), s.BeforeNeeded, version-1)
	case len(s.Own) < s.OwnNeeded:
		return fmt.Errorf("roster: %d of the %d signatures that version %d's officers must give", len(s.Own), s.OwnNeeded, version)
	}
	return nil
}

// parseAfter parses the roster that follows prev, or the first one, and checks all but the signatures.
func parseAfter(prev *Roster, msg []byte) (*Roster, error) {
	r, err := ParseRoster(msg)
	if err != nil {
		return nil, err
	}
	if prev == nil {
		if r.Version != 1 {
			return nil, fmt.Errorf("roster: version %d is not the first", r.Version)
		}
		return r, nil
	}
	hash, err := prev.Hash()
	if err != nil {
		return nil, err
	}
	switch {
	case r.Version != prev.Version+1:
		return nil, fmt.Errorf("roster: version %d does not follow version %d", r.Version, prev.Version)
	case r.Previous != hash:
		return nil, fmt.Errorf("roster: version %d %w version %d held here", r.Version, ErrBranch, prev.Version)
	case r.Issued.Before(prev.Issued.Time):
		return nil, fmt.Errorf("roster: version %d was issued before version %d", r.Version, prev.Version)
	}
	return r, nil
}

// Signers counts this roster's officers that signed a note; a ceremony collects them.
func (r *Roster) Signers(msg []byte) []string {
	var names []string
	for _, o := range r.Officers {
		if signedBy(msg, o.Name, o.Key) == nil {
			names = append(names, o.Name)
		}
	}
	return names
}
