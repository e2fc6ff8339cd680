package stixcheck

import "shieldwall/internal/stix"

// commonProperty is a row of the table of section 3.2: its kind, and its use by the classes of objects.
type commonProperty struct {
	name string
	kind kind
	use  [classes]need
}

// Type and id, which all must have, are looked at before (see identity). The columns are custom objects, SDOs, SROs, SCOs, extension-definition, language-content and marking-definition.
// The specification leaves the versioning properties to observables whose producer versions them (section 3.6).
var commonProperties = []commonProperty{
	{"type", anything, [classes]need{}},
	{"spec_version", text, [classes]need{optional, required, required, optional, required, required, required}},
	{"id", anything, [classes]need{}},
	{"created_by_ref", ref("identity"), [classes]need{optional, optional, optional, optional, required, optional, optional}},
	{"created", millis, [classes]need{optional, required, required, optional, required, required, required}},
	{"modified", millis, [classes]need{optional, required, required, optional, required, required, optional}},
	{"revoked", boolean, [classes]need{optional, optional, optional, optional, optional, optional, optional}},
	{"labels", list(text), [classes]need{optional, optional, optional, unused, optional, optional, unused}},
	{"confidence", between(0, 100), [classes]need{optional, optional, optional, unused, unused, optional, unused}},
	{"lang", languageTag, [classes]need{optional, optional, optional, unused, unused, unused, unused}},
	{"external_references", list(externalReference), [classes]need{optional, optional, optional, unused, optional, optional, optional}},
	{"object_marking_refs", list(ref("marking-definition")), [classes]need{}},
	{"granular_markings", list(granularMarking), [classes]need{}},
	{"defanged", boolean, [classes]need{optional, unused, unused, optional, unused, unused, unused}},
	{"extensions", extensions, [classes]need{optional, optional, optional, optional, unused, optional, optional}},
}

var common = func() *entry {
	e := &entry{section: "3.2"}
	for _, p := range commonProperties {
		e.properties = append(e.properties, property{name: p.name, kind: p.kind})
	}
	return e.prepared()
}()

// customObject checks what an object of a type that is not in the specification must have all the same: the common
// properties of the class that it says it is of, or that its versions say (sections 7.3.2.2 and 11.2.1).
func (c *checker) customObject(root *node) {
	if c.o.Type == "" || c.o.Type == "bundle" {
		return
	}
	versioned := c.has(root, "created") || c.has(root, "modified") || c.extends(root, "new-sdo") || c.extends(root, "new-sro")
	if versioned {
		for _, name := range []string{"created", "modified"} {
			if !c.has(root, name) {
				c.report(stix.Broken, root, "3.2", "missing", name)
			}
		}
		if !c.has(root, "spec_version") { // the specification's own example has none
			c.report(stix.Tolerated, root, "3.2", "missing", "spec_version")
		}
	}
	own := c.has(root, "extensions")
	for i := root.first; i != 0; i = c.nodes[i].next {
		own = own || common.find(c.nodes[i].name) == nil
	}
	if !own {
		c.report(stix.Broken, root, "11.2.1", "an object of a custom type must have a property of its own")
	}
	if !c.extends(root, "new-sdo", "new-sco", "new-sro") {
		c.report(stix.Advice, root, "11.2", "a new type should be defined by an extension definition, and named in extensions", "type")
	}
}

// extends says whether the object has an extension of one of the types.
func (c *checker) extends(root *node, types ...string) bool {
	list := c.member(root, "extensions")
	if list == nil || !list.isObject() {
		return false
	}
	for i := list.first; i != 0; i = c.nodes[i].next {
		if t := c.member(&c.nodes[i], "extension_type"); t != nil && oneOfWords(t, types) {
			return true
		}
	}
	return false
}

// granularMarking is the table of section 7.2.3.1.
func granularMarking(c *checker, n *node) { c.record(n, granularMarkings) }

var granularMarkings = (&entry{section: "7.2.3.1",
	properties: []property{
		{"lang", optional, languageTag, ""},
		{"marking_ref", optional, ref("marking-definition"), ""},
		{"selectors", required, list(selector), ""},
	},
	rules: []rule{oneOf("marking_ref", "lang"), exclusive("lang", "marking_ref")},
}).prepared()

// externalReference is the table of section 2.5.
func externalReference(c *checker, n *node) {
	c.record(n, externalReferences)
	if c.wants(stix.Broken) && n.isObject() {
		c.knownIdentifiers(n)
	}
}

var externalReferences = (&entry{section: "2.5.1",
	properties: []property{
		{"source_name", required, text, ""},
		{"description", optional, newer(text), ""},
		{"url", optional, newer(uri), ""},
		{"hashes", optional, newer(listedHashes), ""},
		{"external_id", optional, newer(text), ""},
	},
	rules: []rule{
		oneOfTexts("2.5.2", "description", "url", "external_id"),
		advice("2.5.1", func(c *checker, n *node) (string, string) {
			if c.has(n, "url") && !c.has(n, "hashes") {
				return "hashes", "should be there where url is"
			}
			return "", ""
		}),
	},
}).prepared()

// oneOfTexts is what gates have asked of external references: one of the properties as a string.
func oneOfTexts(section string, all ...string) rule {
	return rule{section: section, broken: func(c *checker, n *node) (string, string) {
		for _, name := range all {
			if m := c.member(n, name); m != nil && m.isText() {
				return "", ""
			}
		}
		return "", "one of " + commas(all) + " must be there"
	}}
}

// knownIdentifiers checks CVE ids of vulnerabilities (section 4.19.1) and CAPEC ids of attack patterns (4.1.1):
// each goes with its source's name.
func (c *checker) knownIdentifiers(n *node) {
	source, id := c.textOf(n, "source_name"), c.member(n, "external_id")
	if id == nil || !id.isText() {
		return
	}
	var name, form, section string
	var is func(string) bool
	switch c.o.Type {
	case "vulnerability":
		name, form, section, is = "cve", "CVE-YYYY-NNNN", "4.19.1", isCVE
	case "attack-pattern":
		name, form, section, is = "capec", "CAPEC-NNN", "4.1.1", isCAPEC
	default:
		return
	}
	switch fits := is(id.text()); {
	case source == name && !fits:
		c.report(stix.Broken, id, section, stix.Shown(id.text())+" is not of the form "+form, "external_id")
	case source != name && fits:
		c.report(stix.Broken, id, section, "must be "+name+" where external_id is "+stix.Shown(id.text()), "source_name")
	}
}

// killChainPhase is the table of section 2.11.
func killChainPhase(c *checker, n *node) { c.record(n, killChainPhases) }

var killChainPhases = (&entry{section: "2.11",
	properties: []property{
		{"kill_chain_name", required, hyphenated, ""},
		{"phase_name", required, hyphenated, ""},
	},
}).prepared()
