package mapping

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"shieldwall/internal/misp"
	"shieldwall/internal/stix"
	"shieldwall/internal/stixpattern"
)

// ruleTypes are the attribute types whose value is a rule, by the pattern type that STIX has for it
// (pattern-type-ov, section 10.21).
var ruleTypes = map[string]string{"sigma": "sigma", "snort": "snort", "suricata": "suricata", "yara": "yara", "stix2-pattern": "stix"}

// attribute turns an attribute into an indicator where it is meant for detection, else into what was observed. What
// STIX has no type for becomes x-misp-attribute, as with misp-stix.
func (c *converter) attribute(a *misp.Attribute, outer Asks) {
	asks := c.opt.Directory.Within(outer, a.Sharing, a.Tags)
	d := c.attributeDraft(a, asks)
	if d == nil {
		return
	}
	if !c.emit(d) {
		return
	}
	c.primary[a.UUID] = primary{d.ID, asks}
	c.clusters(d.ID, a.Galaxies, a.Path, asks)
	c.sightings(d.ID, a.Sightings, asks)
}

func (c *converter) attributeDraft(a *misp.Attribute, asks Asks) *draft {
	switch a.Type {
	case "vulnerability":
		return c.named("vulnerability", a, asks)
	case "campaign-name":
		return c.named("campaign", a, asks)
	}
	if language, is := ruleTypes[a.Type]; is {
		return c.rule(a, language, asks)
	}
	r, known, err := read(a)
	switch {
	case !known:
		if a.ToIDs {
			c.lose(a.Path, "for detection, and there is no pattern for a "+a.Type)
		}
	case err != nil:
		c.losef(a.Path, "%s: %v: kept as it is, nothing looks for it", misp.Shown(a.Value), err)
	case a.ToIDs:
		if r.loss != "" {
			c.lose(a.Path, r.loss)
		}
		if a.Data != "" {
			c.lose(a.Path+".data", "an indicator does not carry the attachment")
		}
		return c.indicator(a, r.asked.pattern(), "stix", asks)
	default:
		if d := c.observed(a, r, asks); d != nil {
			return d
		}
	}
	return c.unmapped(a, asks)
}

// labels tell a MISP reader what an attribute was, in the words that misp-stix uses, and keep the other tags.
func (c *converter) labels(typ, category string, tags []misp.Tag, galaxies []misp.Galaxy, path string) []string {
	var out []string
	if typ != "" {
		out = append(out, `misp:type="`+typ+`"`)
	}
	if category != "" {
		out = append(out, `misp:category="`+category+`"`)
	}
	return append(out, c.tags(tags, galaxies, path)...)
}

// tags are those that are neither TLP, which is a marking, nor a cluster's, which is an object, nor the instance's
// own.
func (c *converter) tags(tags []misp.Tag, galaxies []misp.Galaxy, path string) []string {
	var out []string
	for _, tag := range tags {
		_, isTLP := tlpName(tag.Name)
		switch {
		case isTLP, isCluster(tag.Name, galaxies), slices.Contains(out, tag.Name):
		case tag.Local && path == "": // listed where its object's labels are made
		case tag.Local:
			c.lose(path+".Tag", "the tag "+misp.Shown(tag.Name)+" is local to its instance")
		default:
			out = append(out, tag.Name)
		}
	}
	return out
}

func (c *converter) common(d *draft, a *misp.Attribute) {
	d.Labels = c.labels(a.Type, a.Category, a.Tags, a.Galaxies, a.Path)
	d.Confidence = c.confidence(a.Tags)
	d.External = techniques(a.Galaxies, a.Tags)
	d.Revoked = a.Deleted
}

// maxName bounds a value that stands as an object's name.
const maxName = 1000

func (c *converter) indicator(a *misp.Attribute, pattern, language string, asks Asks) *draft {
	d := c.draft("indicator", a.UUID, a.Timestamp, asks)
	c.common(d, a)
	from := d.Created
	if !a.FirstSeen.IsZero() {
		from = a.FirstSeen
	}
	name := ""
	if language == "stix" && len(a.Value) <= maxName && a.Type != "stix2-pattern" {
		name = a.Value
	}
	version := ""
	if language == "stix" {
		version = "2.1"
	}
	if !a.LastSeen.IsZero() {
		c.lose(a.Path+".last_seen", "an indicator does not say when its value was seen last")
	}
	d.properties = []stix.Property{{Name: "name", Value: name}, {Name: "description", Value: a.Comment},
		{Name: "pattern", Value: pattern}, {Name: "pattern_type", Value: language}, {Name: "pattern_version", Value: version},
		{Name: "valid_from", Value: from}, {Name: "valid_until", Value: expiry(a.Sightings, from)}}
	return d
}

// expiry is the first time at which somebody said that the value has expired.
func expiry(sightings []misp.Sighting, from time.Time) time.Time {
	var first time.Time
	for _, s := range sightings {
		if s.Type == misp.Expired && s.Time.After(from) && (first.IsZero() || s.Time.Before(first)) {
			first = s.Time
		}
	}
	return first
}

// rule is an indicator in another language. One that is not meant for detection is kept as text: as an indicator it
// would be live.
func (c *converter) rule(a *misp.Attribute, language string, asks Asks) *draft {
	if language == "stix" {
		if _, err := stixpattern.Parse(a.Value); err != nil {
			c.losef(a.Path, "%v: kept as it is, nothing looks for it", err)
			return c.unmapped(a, asks)
		}
	}
	if !a.ToIDs {
		c.lose(a.Path, "a rule that is not for detection: kept as text")
		return c.unmapped(a, asks)
	}
	return c.indicator(a, a.Value, language, asks)
}

// observed is what was seen, nil where STIX has no object for it.
func (c *converter) observed(a *misp.Attribute, r reading, asks Asks) *draft {
	t := r.seen
	if t == nil {
		t = r.asked
	}
	if !t.whole() {
		c.lose(a.Path, "STIX has no object that says a "+a.Type+" alone: kept as it is")
		return nil
	}
	ids, ok := c.observables(t, a.Path, asks)
	if !ok {
		return nil
	}
	d := c.draft("observed-data", a.UUID, a.Timestamp, asks)
	c.common(d, a)
	d.properties = observation(a.FirstSeen, a.LastSeen, d.Modified, ids)
	d.properties = append(d.properties, stix.Property{Name: "x_misp_comment", Value: a.Comment})
	return d
}

// observables writes a thing and what it refers to, and gives all their identifiers.
func (c *converter) observables(t *thing, path string, asks Asks) (ids []string, ok bool) {
	type made struct {
		id  string
		raw []byte
	}
	var all []made
	there := map[string]bool{}
	_, err := t.observe(&observer{markings: markings(asks), emit: func(id string, raw []byte) {
		if !there[id] {
			there[id] = true
			ids = append(ids, id)
			all = append(all, made{id, raw})
		}
	}, lost: func(typ string, err error) {
		c.losef(path, "not said of its %s: %v", typ, err)
	}})
	if err != nil {
		c.losef(path, "no %s: %v: kept as it is", t.typ, err)
		return nil, false
	}
	for _, m := range all {
		c.add(m.id, m.raw, asks)
	}
	return ids, true
}

func observation(first, last, changed time.Time, ids []string) []stix.Property {
	if first.IsZero() {
		first = changed
		if !last.IsZero() && last.Before(first) {
			first = last
		}
	}
	if last.Before(first) {
		last = first
	}
	return []stix.Property{{Name: "first_observed", Value: first}, {Name: "last_observed", Value: last},
		{Name: "number_observed", Value: int64(1)}, {Name: "object_refs", Value: ids}}
}

// named is an attribute that names something.
func (c *converter) named(typ string, a *misp.Attribute, asks Asks) *draft {
	d := c.draft(typ, a.UUID, a.Timestamp, asks)
	c.common(d, a)
	d.properties = []stix.Property{{Name: "name", Value: a.Value}, {Name: "description", Value: a.Comment}}
	if !a.FirstSeen.IsZero() || !a.LastSeen.IsZero() {
		c.lose(a.Path, "when it was seen first and last")
	}
	if typ == "vulnerability" {
		d.External = append(d.External, vulnerabilityRef(a.Value)...)
	}
	return d
}

func vulnerabilityRef(id string) []stix.ExternalRef {
	if !strings.HasPrefix(strings.ToUpper(id), "CVE-") {
		return nil
	}
	return []stix.ExternalRef{{Source: "cve", ID: id}}
}

// unmapped keeps an attribute in the form that MISP's own converter gives it.
func (c *converter) unmapped(a *misp.Attribute, asks Asks) *draft {
	d := c.draft("x-misp-attribute", a.UUID, a.Timestamp, asks)
	c.common(d, a)
	d.properties = []stix.Property{{Name: "x_misp_category", Value: a.Category}, {Name: "x_misp_comment", Value: a.Comment},
		{Name: "x_misp_type", Value: a.Type}, {Name: "x_misp_value", Value: a.Value}}
	if a.ToIDs {
		d.properties = append(d.properties, stix.Property{Name: "x_misp_to_ids", Value: true})
	}
	d.properties = append(d.properties, stix.Property{Name: "x_misp_data", Value: a.Data},
		stix.Property{Name: "x_misp_first_seen", Value: a.FirstSeen}, stix.Property{Name: "x_misp_last_seen", Value: a.LastSeen})
	return d
}

// falsePositive explains the opinion that a false positive becomes.
const falsePositive = "False positive sighting"

// sightings turn into sightings and, where they call something a false positive, opinions. That something has
// expired is in its valid_until.
func (c *converter) sightings(of string, list []misp.Sighting, asks Asks) {
	for i, s := range list {
		who := c.organisation(s.Org, asks)
		switch s.Type {
		case misp.Seen:
			d := c.draft("sighting", s.UUID, s.Time, asks)
			d.CreatedBy, d.Created = who, d.Modified
			d.properties = []stix.Property{{Name: "description", Value: s.Source}, {Name: "first_seen", Value: s.Time},
				{Name: "last_seen", Value: s.Time}, {Name: "count", Value: int64(1)}, {Name: "sighting_of_ref", Value: of}}
			if who != "" {
				d.properties = append(d.properties, stix.Property{Name: "where_sighted_refs", Value: []string{who}})
			}
			c.emit(d)
		case misp.FalsePositive:
			d := c.draft("opinion", s.UUID, s.Time, asks)
			d.CreatedBy, d.Created = who, d.Modified
			d.properties = []stix.Property{{Name: "explanation", Value: falsePositive}, {Name: "opinion", Value: "strongly-disagree"},
				{Name: "object_refs", Value: []string{of}}}
			if s.Org.Name != "" {
				d.properties = append(d.properties, stix.Property{Name: "authors", Value: []string{s.Org.Name}})
			}
			c.emit(d)
		case misp.Expired:
			switch path := fmt.Sprintf("%s.Sighting[%d]", of, i); {
			case stix.TypeOf(of) != "indicator" || s.Time.IsZero():
				c.lose(path, "that it has expired: only an indicator has an end")
			case s.Org.UUID != "":
				c.lose(path, "who says that it has expired")
			}
		}
	}
}
