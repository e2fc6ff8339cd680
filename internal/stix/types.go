package stix

// The table of what the specification demands of each type. To add a type, add a row; to add a rule that rows
// cannot say, add a check. Properties that are not listed pass: custom ones must survive.

// class groups the types by what they have in common (section 3.2).
type class uint8

const (
	unknown    class = iota // a custom type, or one of a later version
	domain                  // SDO
	relation                // SRO
	observable              // SCO
	meta                    // language-content, extension-definition
	marking                 // marking-definition: never versioned (section 7.2.1)
)

// spec is one row of the table.
type spec struct {
	class   class
	section string
	fields  []field
	checks  []check
}

// field is a property and the form of its value.
type field struct {
	name string
	kind kind
	need need
}

// need says whether a property must be there.
type need uint8

const (
	optional  need = iota
	tolerated      // must, but its absence is let pass (see Problem.Tolerated)
	required
)

// fields is a list of rows' parts, so that a row reads as the specification's tables do.
func fields(lists ...[]field) []field {
	var out []field
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

func must(k kind, names ...string) []field { return named(k, required, names) }
func may(k kind, names ...string) []field  { return named(k, optional, names) }

// ought is a MUST whose absence is tolerated; each use says whose data breaks it.
func ought(k kind, names ...string) []field { return named(k, tolerated, names) }

func named(k kind, n need, names []string) []field {
	out := make([]field, len(names))
	for i, name := range names {
		out[i] = field{name, k, n}
	}
	return out
}

func specOf(typ string) spec {
	if s, ok := table[typ]; ok {
		return s
	}
	return observables[typ]
}

// IsObservable says whether a type is a cyber-observable object's: its ids are made of its values, unsalted, so
// that naming one discloses what it is about (section 2.9).
func IsObservable(typ string) bool { return specOf(typ).class == observable }

// common are the properties that every object may have (section 3.2); which of them it must have depends on its
// class.
var common = fields(
	may(refTo("identity"), "created_by_ref"),
	may(refsTo("marking-definition"), "object_marking_refs"),
	may(millis, "created", "modified"),
	may(boolean, "revoked", "defanged"),
	may(stringList, "labels"),
	may(between(0, 100), "confidence"),
	may(stringKind, "lang", "spec_version"),
	may(externalList, "external_references"),
	may(granularList, "granular_markings"),
	may(dictionary, "extensions"),
)

var (
	described = may(stringKind, "description")
	killChain = may(killChainList, "kill_chain_phases")
	seen      = may(timestampKind, "first_seen", "last_seen")
)

var table = map[string]spec{
	"attack-pattern": {domain, "4.1", fields(must(stringKind, "name"), described, may(stringList, "aliases"), killChain), nil},
	"campaign": {domain, "4.2", fields(must(stringKind, "name"), described, may(stringList, "aliases"), seen,
		may(stringKind, "objective")), checks(notBefore("last_seen", "first_seen"))},
	"course-of-action": {domain, "4.3", fields(must(stringKind, "name"), described), nil},
	"grouping": {domain, "4.4", fields(must(stringKind, "context"), must(refs, "object_refs"),
		may(stringKind, "name"), described), nil},
	"identity": {domain, "4.5", fields(must(stringKind, "name"), described, may(stringList, "roles", "sectors"),
		may(stringKind, "identity_class", "contact_information")), nil},
	"incident": {domain, "4.6", fields(must(stringKind, "name"), described), nil},
	"indicator": {domain, "4.7", fields(must(stringKind, "pattern", "pattern_type"), must(timestampKind, "valid_from"),
		may(timestampKind, "valid_until"), may(stringKind, "name", "pattern_version"), described,
		may(stringList, "indicator_types"), killChain), checks(after("valid_until", "valid_from"))},
	"infrastructure": {domain, "4.8", fields(must(stringKind, "name"), described,
		may(stringList, "infrastructure_types", "aliases"), killChain, seen), checks(notBefore("last_seen", "first_seen"))},
	"intrusion-set": {domain, "4.9", fields(must(stringKind, "name"), described, may(stringList, "aliases", "goals",
		"secondary_motivations"), seen, may(stringKind, "resource_level", "primary_motivation")),
		checks(notBefore("last_seen", "first_seen"))},
	"location": {domain, "4.10", fields(described, may(range64(-90, 90), "latitude"), may(range64(-180, 180), "longitude"),
		may(number, "precision"), may(stringKind, "name", "region", "country", "administrative_area", "city",
			"street_address", "postal_code")),
		checks(oneOf("region", "country", "latitude"), needs("latitude", "longitude"), needs("longitude", "latitude"),
			needs("precision", "latitude"))},
	// MITRE's ATT&CK as it comes from STIX 2.0 has no is_family.
	"malware": {domain, "4.11", fields(ought(boolean, "is_family"), may(stringKind, "name"), described,
		may(stringList, "malware_types", "aliases", "architecture_execution_envs", "implementation_languages", "capabilities"),
		killChain, seen, may(refsTo("software"), "operating_system_refs"), may(refsTo("file", "artifact"), "sample_refs")),
		checks(familyName, notBefore("last_seen", "first_seen"))},
	"malware-analysis": {domain, "4.12", fields(must(stringKind, "product"), may(stringKind, "version",
		"configuration_version", "analysis_engine_version", "analysis_definition_version", "result_name", "result"),
		may(stringList, "modules"), may(timestampKind, "submitted", "analysis_started", "analysis_ended"),
		may(refTo("software"), "host_vm_ref", "operating_system_ref"), may(refsTo("software"), "installed_software_refs"),
		may(refs, "analysis_sco_refs"), may(refTo("file", "artifact", "network-traffic"), "sample_ref")),
		checks(oneOf("result", "analysis_sco_refs"))},
	"note": {domain, "4.13", fields(must(stringKind, "content"), must(refs, "object_refs"), may(stringKind, "abstract"),
		may(stringList, "authors")), nil},
	"observed-data": {domain, "4.14", fields(must(timestampKind, "first_observed", "last_observed"),
		must(between(1, 999_999_999), "number_observed"), may(dictionary, "objects"), may(refs, "object_refs")),
		checks(oneOf("objects", "object_refs"), exclusive("objects", "object_refs"),
			notBefore("last_observed", "first_observed"))},
	"opinion": {domain, "4.15", fields(must(enum("strongly-disagree", "disagree", "neutral", "agree", "strongly-agree"),
		"opinion"), must(refs, "object_refs"), may(stringKind, "explanation"), may(stringList, "authors")), nil},
	"report": {domain, "4.16", fields(must(stringKind, "name"), must(timestampKind, "published"), must(refs, "object_refs"),
		described, may(stringList, "report_types")), nil},
	"threat-actor": {domain, "4.17", fields(must(stringKind, "name"), described, seen, may(stringList,
		"threat_actor_types", "aliases", "roles", "goals", "secondary_motivations", "personal_motivations"),
		may(stringKind, "sophistication", "resource_level", "primary_motivation")), checks(notBefore("last_seen", "first_seen"))},
	"tool": {domain, "4.18", fields(must(stringKind, "name"), described, may(stringList, "tool_types", "aliases"),
		killChain, may(stringKind, "tool_version")), nil},
	"vulnerability": {domain, "4.19", fields(must(stringKind, "name"), described), nil},

	"relationship": {relation, "5.1", fields(must(relationName, "relationship_type"), must(refNotTo(noRelation...),
		"source_ref", "target_ref"), described, may(timestampKind, "start_time", "stop_time")),
		checks(after("stop_time", "start_time"))},
	"sighting": {relation, "5.2", fields(must(refNotTo(noRelation...), "sighting_of_ref"), seen, described,
		may(between(0, 999_999_999), "count"), may(refsTo("observed-data"), "observed_data_refs"),
		may(refsTo("identity", "location"), "where_sighted_refs"), may(boolean, "summary")),
		checks(notBefore("last_seen", "first_seen"))},

	"language-content": {meta, "7.1", fields(must(refNotTo("bundle", "language-content"), "object_ref"),
		must(dictionary, "contents"), may(timestampKind, "object_modified")), nil},
	"extension-definition": {meta, "7.3", fields(must(stringKind, "name", "schema", "version"),
		must(enumList("new-sdo", "new-sco", "new-sro", "property-extension", "toplevel-property-extension"), "extension_types"),
		described, may(stringList, "extension_properties")), checks(has("created_by_ref"))},
	"marking-definition": {marking, "7.2.1", fields(may(stringKind, "name", "definition_type"), may(dictionary, "definition")),
		checks(has("created"), definition, never("modified", "revoked"))},
}

// noRelation are the types that relationships and sightings cannot be about.
var noRelation = []string{"relationship", "sighting", "bundle", "marking-definition", "language-content"}
