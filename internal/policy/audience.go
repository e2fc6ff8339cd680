// Package policy answers who may read what. It is pure: the roster, the marking and the audience in, a yes or no
// out. Everything that leaves a node asks MayRead (DESIGN.md, "Who may read"); whatever is unclear is a no.
package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"shieldwall/internal/roster"
)

// The two audiences that are no list of names.
const (
	everyone = "everyone"
	alliance = "alliance"
)

// Prefixes of the names in an audience's text.
const (
	groupPrefix  = "group:"
	memberPrefix = "member:"
)

// maxNames bounds an audience: more names than a roster may have (DESIGN.md, "Formats") are a mistake.
const maxNames = roster.MaxMembers

// maxAudience bounds an audience's text: what a payload may carry.
const maxAudience = 4096

// Audience is whom an entry is for. The zero value is nobody.
type Audience struct {
	everyone bool
	alliance bool
	groups   []string // sorted, unique
	members  []string // sorted, unique
}

// Everyone is the audience of what is not sealed.
func Everyone() Audience { return Audience{everyone: true} }

// Alliance is every member.
func Alliance() Audience { return Audience{alliance: true} }

// Named is the audience of groups and members by name; names that are not well formed are an error, and so is
// none at all.
func Named(groups, members []string) (Audience, error) {
	if len(groups)+len(members) == 0 {
		return Audience{}, errors.New("an audience without names is nobody")
	}
	if len(groups)+len(members) > maxNames {
		return Audience{}, fmt.Errorf("an audience of more than %d names", maxNames)
	}
	for _, name := range slices.Concat(groups, members) {
		if err := roster.CheckName(name); err != nil {
			return Audience{}, err
		}
	}
	a := Audience{groups: sorted(groups), members: sorted(members)}
	if len(a.String()) > maxAudience {
		return Audience{}, fmt.Errorf("an audience of more than %d bytes: name a group", maxAudience)
	}
	return a, nil
}

func sorted(names []string) []string {
	out := slices.Clone(names)
	slices.Sort(out)
	return slices.Compact(out)
}

// String is the audience's one text form; "" is nobody.
func (a Audience) String() string {
	switch {
	case a.everyone:
		return everyone
	case a.alliance:
		return alliance
	}
	parts := make([]string, 0, len(a.groups)+len(a.members))
	for _, g := range a.groups {
		parts = append(parts, groupPrefix+g)
	}
	for _, m := range a.members {
		parts = append(parts, memberPrefix+m)
	}
	return strings.Join(parts, ",") // "group:" sorts before "member:"
}

// IsEveryone says whether the audience is the public.
func (a Audience) IsEveryone() bool { return a.everyone }

// IsAlliance says whether the audience is all members, whoever they are.
func (a Audience) IsAlliance() bool { return a.alliance }

// Groups are the groups that the audience names, sorted.
func (a Audience) Groups() []string { return slices.Clone(a.groups) }

// Members are the members that the audience names one by one, sorted.
func (a Audience) Members() []string { return slices.Clone(a.members) }

// Names says whether a member is named itself, not by a group.
func (a Audience) Names(id string) bool { return slices.Contains(a.members, id) }

// IsNobody says whether the audience is the zero value.
func (a Audience) IsNobody() bool { return a.String() == "" }

// ParseAudience reads the text form strictly: anything that String would not write is refused, so that one
// audience has one text.
func ParseAudience(s string) (Audience, error) {
	switch {
	case s == everyone:
		return Everyone(), nil
	case s == alliance:
		return Alliance(), nil
	case s == "":
		return Audience{}, errors.New("an empty audience is nobody")
	case len(s) > maxAudience:
		return Audience{}, fmt.Errorf("an audience of more than %d bytes", maxAudience)
	}
	var groups, members []string
	for part := range strings.SplitSeq(s, ",") {
		if name, ok := strings.CutPrefix(part, groupPrefix); ok {
			groups = append(groups, name)
		} else if name, ok := strings.CutPrefix(part, memberPrefix); ok {
			members = append(members, name)
		} else {
			return Audience{}, fmt.Errorf("audience: %q is neither group:NAME nor member:NAME", short(part))
		}
	}
	a, err := Named(groups, members)
	if err != nil {
		return Audience{}, fmt.Errorf("audience: %w", err)
	}
	if a.String() != s {
		return Audience{}, errors.New("audience: names are not sorted or not unique")
	}
	return a, nil
}

// short keeps hostile text out of messages.
func short(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
