package stix

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// What this node creates itself. The bytes are stable: the same values give the same bytes on every node, in the
// order of the specification's tables.

// Common are the properties that all objects we create share.
type Common struct {
	ID        string
	CreatedBy string // an identity's id
	Created   time.Time
	Modified  time.Time // Created where zero
	// ModifiedText, if set, is written instead of Modified, to repeat a version's spelling exactly.
	ModifiedText string
	Revoked      bool
	Labels       []string
	Confidence   int // 1..100; 0 is left out
	External     []ExternalRef
	Markings     []string
}

// Identity describes a member or another party.
type Identity struct {
	Common
	Name        string
	Description string
	Class       string // identity-class-ov, for example "organization"
	Sectors     []string
}

// Encode writes the identity.
func (i Identity) Encode() ([]byte, error) {
	w := i.begin("identity")
	w.text("name", i.Name)
	w.text("description", i.Description)
	w.text("identity_class", i.Class)
	w.texts("sectors", i.Sectors)
	return w.end()
}

// Indicator is a pattern in some language.
type Indicator struct {
	Common
	Name           string
	Description    string
	Types          []string // indicator-type-ov
	Pattern        string
	PatternType    string
	PatternVersion string
	ValidFrom      time.Time // Created where zero
	ValidUntil     time.Time // left out where zero
	// Author is the rule's author as its file names it: the Detection Rule License 1.1 wants it kept with the
	// rule and its alerts.
	Author string
}

// Encode writes the indicator.
func (i Indicator) Encode() ([]byte, error) {
	w := i.begin("indicator")
	w.text("name", i.Name)
	w.text("description", i.Description)
	w.texts("indicator_types", i.Types)
	w.text("pattern", i.Pattern)
	w.text("pattern_type", i.PatternType)
	w.text("pattern_version", i.PatternVersion)
	from := i.ValidFrom
	if from.IsZero() {
		from = i.Created
	}
	w.text("valid_from", FormatTime(from))
	if !i.ValidUntil.IsZero() {
		w.text("valid_until", FormatTime(i.ValidUntil))
	}
	w.text("x_shieldwall_author", i.Author)
	return w.end()
}

// Sighting says that an object was seen: how often, when, by whom. No raw data.
type Sighting struct {
	Common
	Of            string // sighting_of_ref
	Count         int64
	FirstSeen     time.Time // to the minute
	LastSeen      time.Time
	WhereSighted  []string // identities or locations
	Summary       bool
	SightingsFrom int // members behind a publisher's total; 0 is left out
}

// maxSightings is the highest count of a sighting (section 5.2).
const maxSightings = 999_999_999

// Encode writes the sighting. Times are cut to the minute: finer ones would tell more about the victim than
// allies need.
func (s Sighting) Encode() ([]byte, error) {
	w := s.begin("sighting")
	if !s.FirstSeen.IsZero() {
		w.text("first_seen", FormatTime(s.FirstSeen.UTC().Truncate(time.Minute)))
	}
	if !s.LastSeen.IsZero() {
		w.text("last_seen", FormatTime(s.LastSeen.UTC().Truncate(time.Minute)))
	}
	w.number("count", min(s.Count, maxSightings))
	w.text("sighting_of_ref", s.Of)
	w.texts("where_sighted_refs", s.WhereSighted)
	if s.Summary {
		w.flag("summary")
	}
	if s.SightingsFrom > 0 {
		w.number("x_shieldwall_members", int64(s.SightingsFrom))
	}
	return w.end()
}

func (c Common) begin(typ string) *writer {
	w := &writer{}
	w.open('{')
	w.text("type", typ)
	w.text("spec_version", "2.1")
	w.text("id", c.ID)
	w.text("created_by_ref", c.CreatedBy)
	w.text("created", FormatTime(c.Created))
	switch {
	case c.ModifiedText != "":
		w.text("modified", c.ModifiedText)
	case c.Modified.IsZero():
		w.text("modified", FormatTime(c.Created))
	default:
		w.text("modified", FormatTime(c.Modified))
	}
	if c.Revoked {
		w.flag("revoked")
	}
	w.texts("labels", c.Labels)
	if c.Confidence > 0 {
		w.number("confidence", int64(c.Confidence))
	}
	if len(c.External) > 0 {
		w.name("external_references")
		w.open('[')
		for _, e := range c.External {
			w.open('{')
			w.text("source_name", e.Source)
			w.text("url", e.URL)
			w.text("external_id", e.ID)
			w.close('}')
		}
		w.close(']')
	}
	w.texts("object_marking_refs", c.Markings)
	return w
}

func (w *writer) flag(name string) {
	w.name(name)
	w.separate()
	w.buf = append(w.buf, "true"...)
}

func (w *writer) end() ([]byte, error) {
	w.close('}')
	if w.bad {
		return nil, errors.New("building an object: a text is not UTF-8")
	}
	o, err := Parse(w.buf, Limits{})
	if err != nil {
		return nil, fmt.Errorf("building an object: %w", err)
	}
	if !IsID(o.ID) || TypeOf(o.ID) != o.Type {
		return nil, fmt.Errorf("building an object: %s is no id of a %s", shown(o.ID), o.Type)
	}
	return w.buf, nil
}

// ValueKind is what a plain indicator's value is.
type ValueKind string

// The kinds of values that ValuePattern knows: those the matcher takes from single comparisons.
const (
	DomainName ValueKind = "domain-name"
	IPv4       ValueKind = "ipv4-addr"
	IPv6       ValueKind = "ipv6-addr"
	URL        ValueKind = "url"
	MD5        ValueKind = "MD5"
	SHA1       ValueKind = "SHA-1"
	SHA256     ValueKind = "SHA-256"
)

// ValuePattern writes the STIX pattern that compares with one value.
func ValuePattern(kind ValueKind, value string) (string, error) {
	if value == "" || !utf8.ValidString(value) {
		return "", fmt.Errorf("a pattern needs a value in UTF-8, not %s", shown(value))
	}
	quoted := "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
	switch kind {
	case DomainName, IPv4, IPv6, URL:
		return "[" + string(kind) + ":value = " + quoted + "]", nil
	case MD5:
		return "[file:hashes.MD5 = " + quoted + "]", nil
	case SHA1, SHA256:
		return "[file:hashes.'" + string(kind) + "' = " + quoted + "]", nil
	}
	return "", fmt.Errorf("no pattern for values of kind %s", shown(string(kind)))
}
