package mapping

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"shieldwall/internal/misp"
	"shieldwall/internal/stix"
)

// What is said about objects that are in events: sightings, opinions, notes, relationships.

func (x *exporter) attach(o *stix.Object) {
	switch o.Type {
	case "sighting":
		x.sighting(o)
	case "opinion":
		x.opinion(o)
	case "note":
		x.note(o)
	case "relationship":
		x.relationship(o)
	}
}

// attributeOf is the attribute that stands for what an object has become.
func (m *made) attributeOf() *misp.Attribute {
	if m.object >= 0 {
		return &m.event.Objects[m.object].Attributes[m.attribute]
	}
	return &m.event.Attributes[m.attribute]
}

// open says whether what is said may be told in an event; MISP marks neither sightings nor references.
func (x *exporter) open(o *stix.Object, e *eventInMaking) bool {
	if x.marking[o.ID] <= e.marking {
		return true
	}
	e.Losses.Add(o.ID, "it is marked stricter than its event, and a "+o.Type+" has no marking in MISP")
	return false
}

func (x *exporter) sighting(o *stix.Object) {
	of := x.in[o.Text("sighting_of_ref")]
	if len(of) == 0 {
		x.losses.Add(o.ID, "what was sighted is in no event")
		return
	}
	created, _ := times(o)
	at := created
	for _, name := range []string{"first_seen", "last_seen"} {
		if t, err := stix.ParseTime(o.Text(name)); err == nil {
			at = t
		}
	}
	refs := ids(o, "where_sighted_refs")
	for _, m := range of {
		if !x.open(o, m.event) {
			continue
		}
		x.unsaid(m.event, o)
		who := x.organisation(o.CreatedBy, m.event.marking)
		if len(refs) > 0 {
			if org := x.organisation(refs[0], m.event.marking); org.UUID != "" {
				who = org
			}
		}
		if len(refs) > 1 {
			m.event.Losses.Add(o.ID, "it was seen by several: MISP's sightings have one organisation")
		}
		if n, has := o.Property("count"); has && string(n) != "1" {
			m.event.Losses.Add(o.ID, "it counts "+string(n)+": MISP's sightings are single")
		}
		x.see(m, misp.Sighting{UUID: uuidIn(o.ID), Type: misp.Seen, Time: at, Source: o.Text("description"), Org: who})
	}
}

func (x *exporter) see(m *made, s misp.Sighting) {
	a := m.attributeOf()
	a.Sightings = append(a.Sightings, s)
}

func (x *exporter) opinion(o *stix.Object) {
	if text := o.Text("opinion"); text != "strongly-disagree" && text != "disagree" {
		x.losses.Add(o.ID, "the opinion "+misp.Shown(text)+": MISP's sightings know false positives only")
		return
	}
	created, _ := times(o)
	found := false
	for _, id := range ids(o, "object_refs") {
		for _, m := range x.in[id] {
			found = true
			if x.open(o, m.event) {
				x.unsaid(m.event, o)
				x.see(m, misp.Sighting{UUID: uuidIn(o.ID), Type: misp.FalsePositive, Time: created, Org: x.organisation(o.CreatedBy, m.event.marking)})
			}
		}
	}
	if !found {
		x.losses.Add(o.ID, "what it is about is in no event")
	}
}

func (x *exporter) note(o *stix.Object) {
	var in []*eventInMaking
	there := map[*eventInMaking]bool{}
	for _, id := range ids(o, "object_refs") {
		for _, e := range x.naming[id] {
			if !there[e] {
				there[e] = true
				in = append(in, e)
			}
		}
	}
	if len(in) == 0 {
		x.losses.Add(o.ID, "what it is about is in no event")
	}
	_, modified := times(o)
	for _, e := range in {
		x.unsaid(e, o)
		name := o.Text("abstract")
		if name == "" {
			name = "Note of " + modified.Format(time.DateOnly)
		}
		r := misp.Report{UUID: uuidIn(o.ID), Name: name, Content: o.Text("content"), Timestamp: modified, Deleted: o.Revoked,
			Sharing: misp.Sharing{Distribution: misp.Inherit}}
		if x.marking[o.ID] > e.marking {
			r.Distribution = Distribution(x.marking[o.ID])
		}
		e.Reports = append(e.Reports, r)
	}
}

// relationship turns into a reference of a MISP object, or into a tag where it leads to a cluster.
func (x *exporter) relationship(o *stix.Object) {
	source, target, how := o.Text("source_ref"), o.Text("target_ref"), o.Text("relationship_type")
	from := x.in[source]
	if len(from) == 0 {
		x.losses.Add(o.ID, "what it comes from is in no event")
		return
	}
	if len(source) > 0 && len(target) > 0 && stix.IsID(target) && uuidIn(source) == uuidIn(target) {
		return // an indicator and the observed data that it is based on are one MISP object
	}
	for _, m := range from {
		if o.Revoked || !x.open(o, m.event) {
			continue
		}
		if x.tagged(o, m, source, how, target) {
			continue
		}
		i := slices.IndexFunc(x.in[target], func(t *made) bool { return t.event == m.event })
		switch {
		case i >= 0 && m.object >= 0 && x.in[target][i].object == m.object: // within one MISP object
		case i < 0:
			m.event.Losses.Add(o.ID, "it leads to "+target+", which is not in the event")
		case m.object < 0:
			m.event.Losses.Add(o.ID, "it comes from an attribute: only objects of MISP have references")
		default:
			x.refer(m, x.in[target][i], o, how)
		}
	}
}

func (x *exporter) refer(m, to *made, o *stix.Object, how string) {
	x.unsaid(m.event, o)
	_, modified := times(o)
	referenced := ""
	if to.object >= 0 {
		referenced = m.event.Objects[to.object].UUID
	} else {
		referenced = m.event.Attributes[to.attribute].UUID
	}
	from := &m.event.Objects[m.object]
	if referenced == from.UUID {
		return
	}
	from.References = append(from.References, misp.Reference{UUID: uuidIn(o.ID), Referenced: referenced, Relationship: how,
		Comment: o.Text("description"), Timestamp: modified})
}

// tagged tells a relationship to a cluster by the cluster's tag.
func (x *exporter) tagged(o *stix.Object, m *made, source, how, target string) bool {
	a := m.attributeOf()
	to := x.allowed(target)
	if to == nil {
		// ATT&CK's objects are referred to and not written by us; the labels have their tags.
		return o.ID == relationID(source, how, target) && slices.ContainsFunc(a.Tags, isATTACKTag)
	}
	tag := x.clusterTag(to)
	if len(x.in[target]) > 0 || tag == "" || x.marking[target] > m.event.marking {
		return false
	}
	if !slices.Contains(a.Tags, misp.Tag{Name: tag}) {
		a.Tags = append(a.Tags, misp.Tag{Name: tag})
	}
	return true
}

func isATTACKTag(t misp.Tag) bool { return strings.HasPrefix(t.Name, "misp-galaxy:mitre-") }

// ids are the identifiers in a list property.
func ids(o *stix.Object, name string) []string {
	raw, has := o.Property(name)
	var out []string
	if !has || json.Unmarshal(raw, &out) != nil {
		return nil
	}
	return slices.DeleteFunc(out, func(id string) bool { return !stix.IsID(id) })
}
