package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"shieldwall/internal/roster"
)

// Members is the membership in force, indexed. The nil Members has nobody.
type Members struct {
	version uint64
	active  []string // sorted
	groups  map[string]map[string]bool
	listed  map[string]*roster.Member // the active ones
	owners  map[string]string         // STIX identity, lower case -> member, suspended or not
}

// MembersOf indexes a roster. Suspended members read nothing new, but what is bound to them stays theirs.
func MembersOf(r *roster.Roster) *Members {
	m := &Members{version: r.Version, groups: map[string]map[string]bool{}, listed: map[string]*roster.Member{}, owners: map[string]string{}}
	for _, g := range r.Groups {
		m.groups[g] = map[string]bool{}
	}
	for i := range r.Members {
		member := &r.Members[i]
		for _, identity := range member.Identities {
			m.owners[strings.ToLower(identity)] = member.ID
		}
		if member.Suspended {
			continue
		}
		m.listed[member.ID] = member
		m.active = append(m.active, member.ID)
		for _, g := range member.Groups {
			if of := m.groups[g]; of != nil {
				of[member.ID] = true
			}
		}
	}
	slices.Sort(m.active)
	return m
}

// Version is the roster's.
func (m *Members) Version() uint64 {
	if m == nil {
		return 0
	}
	return m.version
}

// Owner names the member to which a STIX identity is bound; empty if it is nobody's. The letter case of hex
// digits does not make another identity.
func (m *Members) Owner(identity string) string {
	if m == nil {
		return ""
	}
	return m.owners[strings.ToLower(identity)]
}

// Authorised says whether a member may publish objects of a type.
func (m *Members) Authorised(id, typ string) bool {
	if !m.has(id) {
		return false
	}
	types := m.listed[id].Types
	return len(types) == 0 || slices.Contains(types, typ)
}

// Quota is how many entries a day a member may publish; 0 is no limit.
func (m *Members) Quota(id string) uint64 {
	if !m.has(id) {
		return 0
	}
	return m.listed[id].Quota
}

// Listed is since when an active member belongs to the alliance; zero for others.
func (m *Members) Listed(id string) time.Time {
	if !m.has(id) {
		return time.Time{}
	}
	return m.listed[id].Listed.Time
}

// Active lists the members that are not suspended, sorted.
func (m *Members) Active() []string {
	if m == nil {
		return nil
	}
	return slices.Clone(m.active)
}

func (m *Members) has(id string) bool {
	if m == nil {
		return false
	}
	_, ok := m.listed[id]
	return ok
}

func (m *Members) inGroup(id, group string) bool {
	return m != nil && m.groups[group][id] // only groups that the roster lists have members
}

// includes says whether an audience is for a member of the roster.
func (m *Members) includes(a Audience, id string) bool {
	if !m.has(id) {
		return false
	}
	if a.everyone || a.alliance {
		return true
	}
	if _, named := slices.BinarySearch(a.members, id); named {
		return true
	}
	return slices.ContainsFunc(a.groups, func(g string) bool { return m.inGroup(id, g) })
}

// With gives the audience plus one member, unless the audience is for it already.
func (m *Members) With(a Audience, id string) Audience {
	if a.everyone || a.alliance || m.includes(a, id) || roster.CheckName(id) != nil {
		return a
	}
	a.members = sorted(append(slices.Clone(a.members), id))
	return a
}

// Inside says whether inner is no wider than outer. It compares by name, so that a group that grows later does
// not carry what was shared inside another.
func (m *Members) Inside(inner, outer Audience) bool {
	switch {
	case outer.everyone:
		return true
	case inner.everyone:
		return false
	case outer.alliance:
		return true
	case inner.alliance:
		return false
	}
	for _, g := range inner.groups {
		if !slices.Contains(outer.groups, g) {
			return false
		}
	}
	return !slices.ContainsFunc(inner.members, func(id string) bool { return !m.includes(outer, id) })
}

// ParseTo reads what a user names as readers: "everyone", "alliance", or groups and members, each with or
// without its prefix. Names that the roster does not know and groups without members are errors, because an
// empty group means nobody, never everybody. No names at all give the zero Audience; see Default.
func (m *Members) ParseTo(names []string) (Audience, error) {
	if len(names) == 0 {
		return Audience{}, nil
	}
	var groups, members []string
	var faults []error
	for _, name := range names {
		switch {
		case name == everyone || name == alliance:
			if len(names) > 1 {
				faults = append(faults, fmt.Errorf("%s cannot be combined with other readers", name))
			}
		default:
			kind, fault := m.resolve(name)
			faults = append(faults, fault)
			switch kind {
			case groupPrefix:
				groups = append(groups, strings.TrimPrefix(name, groupPrefix))
			case memberPrefix:
				members = append(members, strings.TrimPrefix(name, memberPrefix))
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		return Audience{}, err
	}
	switch names[0] {
	case everyone:
		return Everyone(), nil
	case alliance:
		return Alliance(), nil
	}
	return Named(groups, members)
}

// resolve tells whether a name is a group's or a member's.
func (m *Members) resolve(name string) (kind string, err error) {
	bare := name
	for _, p := range []string{groupPrefix, memberPrefix} {
		if rest, ok := strings.CutPrefix(name, p); ok {
			kind, bare = p, rest
		}
	}
	var of map[string]bool
	isGroup := false
	if m != nil {
		of, isGroup = m.groups[bare]
	}
	switch {
	case isGroup && kind != memberPrefix:
		if len(of) == 0 {
			return "", fmt.Errorf("group %s has no active member: nobody could read it", bare)
		}
		return groupPrefix, nil
	case m.has(bare) && kind != groupPrefix:
		return memberPrefix, nil
	}
	return "", fmt.Errorf("%q is neither a group nor an active member of the alliance", short(name))
}
