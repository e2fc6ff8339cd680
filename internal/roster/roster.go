package roster

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"shieldwall/internal/canon"
)

// Limits of a roster. A signed note gives up above 100 signatures; two sets of officers stay far below.
const (
	MaxRoster   = 1 << 20
	MaxMembers  = 1000
	MaxOfficers = 16
	MaxGroups   = 256
)

const rosterHeading = "shieldwall roster v1"

// Roster is the signed list of members.
type Roster struct {
	Name      string     `json:"name"`
	Version   uint64     `json:"version"`
	Previous  string     `json:"previous"` // hash of the version before; empty in version 1
	Issued    canon.Time `json:"issued"`
	Expires   canon.Time `json:"expires"`
	Threshold int        `json:"threshold"` // officers that must sign
	Officers  []Officer  `json:"officers"`
	Groups    []string   `json:"groups"`
	Members   []Member   `json:"members"`
}

// Officer may sign rosters.
type Officer struct {
	Name string `json:"name"`
	Key  Key    `json:"key"`
}

// Member is what the roster pins of a member; its keys in use are in its card.
type Member struct {
	ID         string     `json:"id"`
	Identities []string   `json:"identities"` // STIX identity ids that speak for it
	Keys       []Key      `json:"keys"`       // identity keys
	Groups     []string   `json:"groups"`
	Listed     canon.Time `json:"listed"` // since when it is a member
	Suspended  bool       `json:"suspended"`
	Quota      uint64     `json:"quota"` // entries a day; 0 = no limit
	Types      []string   `json:"types"` // STIX types it may publish; empty = all
}

// Text is the roster's text without signatures.
func (r *Roster) Text() (string, error) {
	b, err := canon.Marshal(r)
	if err != nil {
		return "", err
	}
	return rosterHeading + "\n" + string(b) + "\n", nil
}

// Hash is the hash by which the next version and the alliance refer to this one.
func (r *Roster) Hash() (string, error) {
	text, err := r.Text()
	if err != nil {
		return "", err
	}
	return hashText(text), nil
}

// Sign makes the signed note with one officer's signature.
func (r *Roster) Sign(officer string, key ed25519.PrivateKey) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	b, err := canon.Marshal(r)
	if err != nil {
		return nil, err
	}
	return sign(rosterHeading, b, officer, key)
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
	r, err := ParseRoster(msg)
	if err != nil {
		return nil, "", err
	}
	if r.Version != 1 || r.Previous != "" {
		return nil, "", fmt.Errorf("roster: version %d is not the first", r.Version)
	}
	if err := r.enough(msg); err != nil {
		return nil, "", err
	}
	id, err := r.Hash()
	return r, id, err
}

// VerifyNext verifies the version after prev: it must name prev and carry enough signatures by prev's
// officers and by its own.
func VerifyNext(prev *Roster, msg []byte) (*Roster, error) {
	r, err := ParseRoster(msg)
	if err != nil {
		return nil, err
	}
	hash, err := prev.Hash()
	if err != nil {
		return nil, err
	}
	switch {
	case r.Version != prev.Version+1:
		return nil, fmt.Errorf("roster: version %d does not follow version %d", r.Version, prev.Version)
	case r.Previous != hash:
		return nil, fmt.Errorf("roster: version %d does not continue the version %d held here", r.Version, prev.Version)
	case r.Issued.Before(prev.Issued.Time):
		return nil, fmt.Errorf("roster: version %d was issued before version %d", r.Version, prev.Version)
	}
	if err := prev.enough(msg); err != nil {
		return nil, err
	}
	return r, r.enough(msg)
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

func (r *Roster) enough(msg []byte) error {
	if n := len(r.Signers(msg)); n < r.Threshold {
		return fmt.Errorf("roster: %d of the %d signatures that version %d's officers must give", n, r.Threshold, r.Version)
	}
	return nil
}

func (r *Roster) check() error {
	switch {
	case r.Name == "" || len(r.Name) > 200:
		return errors.New("an alliance's name has 1 to 200 bytes")
	case r.Version == 0:
		return errors.New("versions count from 1")
	case r.Issued.IsZero() || !r.Expires.After(r.Issued.Time):
		return errors.New("it must expire after it was issued")
	case len(r.Members) > MaxMembers:
		return fmt.Errorf("%d members are over the limit of %d", len(r.Members), MaxMembers)
	case len(r.Groups) > MaxGroups:
		return fmt.Errorf("%d groups are over the limit of %d", len(r.Groups), MaxGroups)
	}
	if err := r.checkOfficers(); err != nil {
		return err
	}
	names := map[string]bool{}
	for _, g := range r.Groups {
		if err := fresh(names, g); err != nil {
			return fmt.Errorf("group: %w", err)
		}
	}
	for i := range r.Members {
		if err := fresh(names, r.Members[i].ID); err != nil {
			return fmt.Errorf("member: %w", err)
		}
		if err := r.Members[i].check(r.Groups); err != nil {
			return fmt.Errorf("member %s: %w", r.Members[i].ID, err)
		}
	}
	return r.checkBindings()
}

// checkOfficers wants more than half of the officers to sign, so that no two disjoint sets of them can.
func (r *Roster) checkOfficers() error {
	n := len(r.Officers)
	if n == 0 || n > MaxOfficers {
		return fmt.Errorf("%d officers, not 1 to %d", n, MaxOfficers)
	}
	if r.Threshold < 1 || r.Threshold > n || 2*r.Threshold <= n {
		return fmt.Errorf("a threshold of %d among %d officers: it must be more than half", r.Threshold, n)
	}
	names := map[string]bool{}
	for i, o := range r.Officers {
		if err := fresh(names, o.Name); err != nil {
			return fmt.Errorf("officer: %w", err)
		}
		if err := o.Key.check("officer "+o.Name, Ed25519); err != nil {
			return err
		}
		for _, other := range r.Officers[:i] {
			if other.Key.Equal(o.Key) {
				return fmt.Errorf("officers %s and %s have one key", other.Name, o.Name)
			}
		}
	}
	return nil
}

// fresh wants a well-formed name that was not used yet.
func fresh(seen map[string]bool, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if seen[name] {
		return fmt.Errorf("the name %q is used twice", name)
	}
	seen[name] = true
	return nil
}

func (m *Member) check(groups []string) error {
	if len(m.Keys) == 0 || len(m.Keys) > 4 {
		return fmt.Errorf("%d identity keys, not 1 to 4", len(m.Keys))
	}
	for _, k := range m.Keys {
		if err := k.check("identity", Ed25519); err != nil {
			return err
		}
	}
	if len(m.Identities) > 64 || len(m.Types) > 128 {
		return errors.New("more than 64 STIX identities or 128 types")
	}
	for i, g := range m.Groups {
		if !slices.Contains(groups, g) {
			return fmt.Errorf("the group %.40q is not in the roster", g)
		}
		if slices.Contains(m.Groups[:i], g) {
			return fmt.Errorf("the group %q twice", g)
		}
	}
	if m.Listed.IsZero() {
		return errors.New("no time of listing")
	}
	return nil
}

// checkBindings wants a STIX identity and an identity key to speak for one member only.
func (r *Roster) checkBindings() error {
	owner := map[string]string{}
	for _, m := range r.Members {
		var claims []string
		claims = append(claims, m.Identities...)
		for _, k := range m.Keys {
			claims = append(claims, string(k.Key))
		}
		for _, c := range claims {
			if other, taken := owner[c]; taken {
				return fmt.Errorf("members %s and %s claim one identity", other, m.ID)
			}
			owner[c] = m.ID
		}
	}
	return nil
}

// Member returns a member that is listed, suspended or not.
func (r *Roster) Member(id string) (*Member, bool) {
	for i := range r.Members {
		if r.Members[i].ID == id {
			return &r.Members[i], true
		}
	}
	return nil, false
}

// Active lists the members that are not suspended, in the roster's order.
func (r *Roster) Active() []*Member {
	var out []*Member
	for i := range r.Members {
		if !r.Members[i].Suspended {
			out = append(out, &r.Members[i])
		}
	}
	return out
}

// HasGroup says whether the roster knows a group.
func (r *Roster) HasGroup(group string) bool { return slices.Contains(r.Groups, group) }

// InGroup lists the active members of a group. An unknown or empty group is nobody.
func (r *Roster) InGroup(group string) []*Member {
	if !r.HasGroup(group) {
		return nil
	}
	var out []*Member
	for _, m := range r.Active() {
		if slices.Contains(m.Groups, group) {
			out = append(out, m)
		}
	}
	return out
}

// Owner names the member to which a STIX identity is bound; empty if it is nobody's.
func (r *Roster) Owner(identity string) string {
	for _, m := range r.Members {
		if slices.Contains(m.Identities, identity) {
			return m.ID
		}
	}
	return ""
}

// Expired says whether membership is frozen: no next version counts, alerts flow on.
func (r *Roster) Expired(now time.Time) bool { return !now.Before(r.Expires.Time) }

// Clone is a deep enough copy to make the next version from.
func (r *Roster) Clone() *Roster {
	c := *r
	c.Officers, c.Groups, c.Members = slices.Clone(r.Officers), slices.Clone(r.Groups), slices.Clone(r.Members)
	return &c
}
