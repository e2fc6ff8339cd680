package policy

import (
	"errors"
	"fmt"
	"slices"

	"shieldwall/internal/stix"
)

// Kind is what sort of reader asks.
type Kind uint8

// The kinds of readers. The zero Kind may read nothing.
const (
	// Node is a member's own node: its store and its matcher.
	Node Kind = iota + 1
	// Machine is one of the member's own machines that fetches by itself: an enforcement point, an export.
	Machine
	// Staff is a person of the member's.
	Staff
	// NamedUser is a person whom the member has named for RED.
	NamedUser
	// Constituent is whom the member serves, through its TAXII server and its exports.
	Constituent
	// Public is anyone.
	Public
)

// Reader is who asks; Member is whose reader it is, empty for Public.
type Reader struct {
	Kind   Kind
	Member string
}

// MayRead is the one answer to "may this reader see this?". Marking and audience must both allow it.
func MayRead(m *Members, who Reader, marking stix.TLP, a Audience) bool {
	if !marking.Valid() || who.Kind < Node || who.Kind > Public {
		return false
	}
	if marking == stix.Clear && a.everyone {
		return true
	}
	if who.Kind == Public || !m.includes(a, who.Member) {
		return false
	}
	switch marking {
	case stix.Clear, stix.Green, stix.Amber:
		return true
	case stix.AmberStrict:
		return who.Kind != Constituent
	case stix.Red:
		named := slices.Contains(a.members, who.Member)
		return named && (who.Kind == Node || who.Kind == NamedUser)
	}
	return false
}

// Readers lists the members whose nodes may read, sorted.
func Readers(m *Members, marking stix.TLP, a Audience) []string {
	return slices.DeleteFunc(m.Active(), func(id string) bool {
		return !MayRead(m, Reader{Node, id}, marking, a)
	})
}

// Why a publication is refused.
var (
	ErrNoMarking  = errors.New("no marking: name a TLP or mark the object")
	ErrNoAudience = errors.New("readers must be named from AMBER on")
	ErrTooWide    = errors.New("the audience is wider than the marking allows")
)

// CheckPublish says whether an audience is one that the marking allows.
func CheckPublish(marking stix.TLP, a Audience) error {
	switch {
	case !marking.Valid():
		return ErrNoMarking
	case a.String() == "":
		return fmt.Errorf("TLP:%s: %w", marking, ErrNoAudience)
	case a.everyone && marking != stix.Clear:
		return fmt.Errorf("TLP:%s to everyone: %w: only CLEAR is for everyone", marking, ErrTooWide)
	case marking == stix.Red && (a.alliance || len(a.groups) > 0):
		return fmt.Errorf("TLP:RED to %s: %w: RED is for members named one by one", a, ErrTooWide)
	}
	return nil
}

// Default is the audience where nobody named one: the alliance for CLEAR and GREEN, nobody above.
func Default(marking stix.TLP) (Audience, error) {
	switch marking {
	case stix.Clear, stix.Green:
		return Alliance(), nil
	case stix.None:
		return Audience{}, ErrNoMarking
	}
	return Audience{}, fmt.Errorf("TLP:%s: %w", marking, ErrNoAudience)
}

// Effective combines an entry's marking with the identifiers of an object's own ones: the strictest counts. A
// marking that lookup does not know is Red; one that it knows and that has no TLP neither permits nor restricts.
// Where neither the entry nor the object says anything, the error is ErrNoMarking.
func Effective(entry stix.TLP, markings []string, lookup func(id string) (stix.TLP, bool)) (stix.TLP, error) {
	out := entry
	for _, id := range markings {
		t, known := stix.TLPOf(id)
		if !known && lookup != nil {
			t, known = lookup(id)
		}
		if !known {
			t = stix.Red
		}
		out = out.Stricter(t)
	}
	if !out.Valid() {
		return stix.None, ErrNoMarking
	}
	return out, nil
}
