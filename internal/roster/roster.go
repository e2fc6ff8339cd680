package roster

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"shieldwall/internal/canon"
)

// Limits of a roster. A signed note gives up above 100 signatures; two sets of officers stay far below.
const (
	MaxRoster   = 1 << 20
	MaxMembers  = 1000
	MaxOfficers = 16
	MaxGroups   = 256
)

// Limits of what a roster says in itself and of one member.
const (
	maxAllianceName = 200
	maxKeys         = 4
	maxIdentities   = 64
	maxTypes        = 128
	maxTypeName     = 250 // STIX 2.1, section 3.1
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
	// Rejects are hashes of rosters of other branches, where officers signed two of one version: with this roster
	// the branches that begin with them are void.
	Rejects []string `json:"rejects,omitempty"`
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

func (r *Roster) check() error {
	switch {
	case r.Name == "" || len(r.Name) > maxAllianceName:
		return fmt.Errorf("an alliance's name has 1 to %d bytes", maxAllianceName)
	case strings.ContainsFunc(r.Name, unprintable):
		return errors.New("an alliance's name has printable characters only: it is shown on terminals")
	case r.Version == 0:
		return errors.New("versions count from 1")
	case (r.Version == 1) != (r.Previous == "") || r.Previous != "" && !isHex(r.Previous, sha256.Size):
		return fmt.Errorf("version %d with previous %.20q", r.Version, r.Previous)
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
	if err := r.checkRejects(); err != nil {
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

// maxRejects bounds the branches that one roster makes void.
const maxRejects = 16

func (r *Roster) checkRejects() error {
	if len(r.Rejects) > maxRejects {
		return fmt.Errorf("%d rejected rosters are over the limit of %d", len(r.Rejects), maxRejects)
	}
	for i, h := range r.Rejects {
		if !isHex(h, sha256.Size) || h == r.Previous || slices.Contains(r.Rejects[:i], h) {
			return fmt.Errorf("%.80q cannot be rejected", h)
		}
	}
	return nil
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

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

func (m *Member) check(groups []string) error {
	if len(m.Keys) == 0 || len(m.Keys) > maxKeys {
		return fmt.Errorf("%d identity keys, not 1 to %d", len(m.Keys), maxKeys)
	}
	for _, k := range m.Keys {
		if err := k.check("identity", Ed25519); err != nil {
			return err
		}
	}
	if err := m.checkSTIX(); err != nil {
		return err
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

// checkSTIX checks the identities that speak for the member and the types that it may publish.
func (m *Member) checkSTIX() error {
	if len(m.Identities) > maxIdentities || len(m.Types) > maxTypes {
		return fmt.Errorf("more than %d STIX identities or %d types", maxIdentities, maxTypes)
	}
	for _, id := range m.Identities {
		if !isIdentity(id) {
			return fmt.Errorf("%.60q is no id of a STIX identity in lower case", id)
		}
	}
	for i, typ := range m.Types {
		if len(typ) < 3 || len(typ) > maxTypeName || strings.Trim(typ, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return fmt.Errorf("%.60q is no STIX type", typ)
		}
		if slices.Contains(m.Types[:i], typ) {
			return fmt.Errorf("the type %q twice", typ)
		}
	}
	return nil
}

// isIdentity says whether id is identity--UUID. Lower case alone: ids are compared without regard to case
// elsewhere, and two members must not be bound to two spellings of one.
func isIdentity(id string) bool {
	uuid, ok := strings.CutPrefix(id, "identity--")
	if !ok || len(uuid) != 36 {
		return false
	}
	for i, c := range []byte(uuid) {
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen != (c == '-') || !hyphen && strings.IndexByte(hexDigits, c) < 0 {
			return false
		}
	}
	return true
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

// Officer returns an officer by name.
func (r *Roster) Officer(name string) (*Officer, bool) {
	for i := range r.Officers {
		if r.Officers[i].Name == name {
			return &r.Officers[i], true
		}
	}
	return nil, false
}

// OfficerOf names the officer whose key this is; empty if it is nobody's.
func (r *Roster) OfficerOf(key Key) string {
	for _, o := range r.Officers {
		if o.Key.Equal(key) {
			return o.Name
		}
	}
	return ""
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

// Expired says whether the roster has run out: membership is frozen until officers sign a next version,
// which stays possible; alerts flow on.
func (r *Roster) Expired(now time.Time) bool { return !now.Before(r.Expires.Time) }

// Clone is a copy to make the next version from: what is done to its lists does not reach r.
func (r *Roster) Clone() *Roster {
	c := *r
	c.Rejects = slices.Clone(r.Rejects)
	c.Officers, c.Groups, c.Members = slices.Clone(r.Officers), slices.Clone(r.Groups), slices.Clone(r.Members)
	for i := range c.Members {
		m := &c.Members[i]
		m.Identities, m.Keys = slices.Clone(m.Identities), slices.Clone(m.Keys)
		m.Groups, m.Types = slices.Clone(m.Groups), slices.Clone(m.Types)
	}
	return &c
}
