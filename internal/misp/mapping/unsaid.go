package mapping

import (
	"strings"

	"shieldwall/internal/misp"
	"shieldwall/internal/stix"
)

// What objects of other tools say and MISP has no place for.

// everywhere are the properties that every object is told by, or that only say how it is written.
var everywhere = set("type", "id", "spec_version", "created_by_ref", "created", "modified", "revoked", "labels", "confidence", "object_marking_refs",
	"external_references", "name", "description")

// said are the properties that are told, by type.
var said = map[string]map[string]bool{
	"indicator":     set("pattern", "pattern_type", "pattern_version", "valid_from", "valid_until", "x_shieldwall_author"),
	"observed-data": set("first_observed", "last_observed", "number_observed", "object_refs"),
	"report":        set("published", "object_refs"),
	"grouping":      set("context", "object_refs"),
	"note":          set("abstract", "content", "object_refs"),
	"sighting":      set("sighting_of_ref", "count", "first_seen", "last_seen", "where_sighted_refs"),
	"opinion":       set("opinion", "object_refs", "authors"),
	"relationship":  set("relationship_type", "source_ref", "target_ref"),
	"malware":       set("is_family"),
	"identity":      set("identity_class"),
}

func set(names ...string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[n] = true
	}
	return out
}

// unsaid lists what an object says and its event does not.
func (x *exporter) unsaid(e *eventInMaking, o *stix.Object) {
	if stix.IsObservable(o.Type) {
		return // they are told property by property
	}
	var names []string
	for _, name := range o.Names() {
		switch {
		case everywhere[name] && !(name == "description" && clusterTypesOf[o.Type]):
		case said[o.Type][name], strings.HasPrefix(name, "x_misp_"):
		case name == "explanation" && o.Text(name) == falsePositive:
		default:
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		e.Losses.Add(o.ID, "MISP has no place for "+strings.Join(names, ", "))
	}
	for _, ref := range o.External {
		if !x.toldReference(o, ref) {
			e.Losses.Add(o.ID, "its reference to "+misp.Shown(strings.Join(strings.Fields(ref.Source+" "+ref.ID+" "+ref.URL), " ")))
		}
	}
}

// clusterTypesOf are the types that become a tag, which has their name alone.
var clusterTypesOf = set("attack-pattern", "course-of-action", "intrusion-set", "malware", "tool", "threat-actor", "identity", "x-misp-galaxy-cluster")

// toldReference says whether an external reference is told by a tag, a value or a kept attribute, or is in the rule.
func (x *exporter) toldReference(o *stix.Object, ref stix.ExternalRef) bool {
	switch {
	case isObject(o), ref.Source == "sigma", strings.HasPrefix(ref.Source, "mitre-"):
		return true
	}
	return o.Type == "vulnerability" && ref.ID != "" && (strings.EqualFold(ref.Source, "cve") || ref.ID == o.Name)
}
