package stixcheck

import (
	"slices"
	"strings"

	"shieldwall/internal/stix"
	"shieldwall/internal/stixpattern"
)

// familyName: a malware family must have a name.
func familyName(c *checker, n *node) (string, string) {
	if family := c.member(n, "is_family"); family != nil && family.kind == 't' && !c.has(n, "name") {
		return "name", "missing, and is_family is true"
	}
	return "", ""
}

// patternSyntax: what says that it is a STIX pattern must be one. Versions other than 2.1 are not known here.
func patternSyntax(c *checker, n *node) (string, string) {
	version := c.textOf(n, "pattern_version")
	pattern := c.member(n, "pattern")
	if c.textOf(n, "pattern_type") != "stix" || pattern == nil || !pattern.isText() || version != "" && version != "2.1" {
		return "", ""
	}
	if _, err := stixpattern.Parse(pattern.text()); err != nil {
		return "pattern", "is no STIX pattern: " + err.Error()
	}
	return "", ""
}

// precisionShould: whoever gives coordinates should say how exact they are.
func precisionShould(c *checker, n *node) (string, string) {
	if c.has(n, "latitude") && !c.has(n, "precision") {
		return "precision", "should be there where latitude and longitude are"
	}
	return "", ""
}

// languageShould: the language of translatable text should be said.
var languageShould = advice("3.2", func(c *checker, n *node) (string, string) {
	if !c.has(n, "lang") {
		return "lang", "should be there: the object has text that can be translated"
	}
	return "", ""
})

// labelsAreNot: subtypes stand in their own property, not in labels.
func labelsAreNot(property string, v *vocabulary) rule {
	return advice("3.2", func(c *checker, n *node) (string, string) {
		labels := c.member(n, "labels")
		if labels == nil || !labels.isList() {
			return "", ""
		}
		for i := labels.first; i != 0; i = c.nodes[i].next {
			if m := &c.nodes[i]; m.text() != "unknown" && oneOfWords(m, v.words) {
				return "labels", stix.Shown(m.text()) + " belongs into " + property
			}
		}
		return "", ""
	})
}

// observesSomething: at least one of the references of observed data is to an observable.
func observesSomething(c *checker, n *node) (string, string) {
	refs := c.member(n, "object_refs")
	if refs == nil || !refs.isList() || refs.count == 0 {
		return "", ""
	}
	for i := refs.first; i != 0; i = c.nodes[i].next {
		typ := stix.TypeOf(c.nodes[i].text())
		if class := c.entryOf(typ).class; class == observable || class == custom {
			return "", ""
		}
	}
	return "object_refs", "must have at least one cyber-observable object"
}

// bodyFits: body is for messages of one part, body_multipart for those of several.
func bodyFits(c *checker, n *node) (string, string) {
	several := c.member(n, "is_multipart")
	switch {
	case several == nil:
	case several.kind == 't' && c.has(n, "body"):
		return "body", "must not be there where is_multipart is true"
	case several.kind == 'f' && c.has(n, "body_multipart"):
		return "body_multipart", "must not be there where is_multipart is false"
	}
	return "", ""
}

// encodingNeeds: an encoding without what is encoded says nothing.
func encodingNeeds(property string) func(c *checker, n *node) (string, string) {
	return func(c *checker, n *node) (string, string) {
		if c.has(n, property+"_enc") && !c.has(n, property) {
			return property + "_enc", "must not be there without " + property
		}
		return "", ""
	}
}

// activeHasNoEnd: traffic that still goes on has not ended.
func activeHasNoEnd(c *checker, n *node) (string, string) {
	if active := c.member(n, "is_active"); active != nil && active.kind == 't' && c.has(n, "end") {
		return "end", "must not be there where is_active is true"
	}
	return "", ""
}

// extensionProtocols: a protocol that has an extension here should be among the protocols.
func extensionProtocols(c *checker, n *node) (string, string) {
	extensions, protocols := c.member(n, "extensions"), c.member(n, "protocols")
	if extensions == nil || protocols == nil {
		return "", ""
	}
	for _, e := range [...][2]string{{"http-request-ext", "http"}, {"icmp-ext", "icmp"}, {"tcp-ext", "tcp"}} {
		if !c.has(extensions, e[0]) {
			continue
		}
		listed := false
		for i := protocols.first; i != 0; i = c.nodes[i].next {
			listed = listed || c.nodes[i].same(e[1])
		}
		if !listed {
			return "protocols", "should have " + e[1] + " where there is " + e[0]
		}
	}
	return "", ""
}

// definitionThere: a marking carries definition and definition_type, or an extension instead.
func definitionThere(c *checker, n *node) (string, string) {
	switch {
	case c.has(n, "extensions"):
		return "", ""
	case !c.has(n, "definition_type"):
		return "definition_type", "missing, and there are no extensions"
	case !c.has(n, "definition"):
		return "definition", "missing, and there are no extensions"
	}
	return "", ""
}

func statementThere(c *checker, n *node) (string, string) {
	definition := c.member(n, "definition")
	if c.has(n, "extensions") || c.textOf(n, "definition_type") != "statement" || definition == nil {
		return "", ""
	}
	if statement := c.member(definition, "statement"); !definition.isObject() || statement == nil || !statement.isText() {
		return "definition.statement", "missing or not a string"
	}
	return "", ""
}

func neverVersioned(c *checker, n *node) (string, string) {
	for _, name := range []string{"modified", "revoked"} {
		if c.has(n, name) {
			return name, "must not be there: this type has no versions"
		}
	}
	return "", ""
}

// notMarkedByItself: markings of markings are not circular. Longer circles are a document's (see Document).
func notMarkedByItself(c *checker, n *node) (string, string) {
	for _, id := range c.o.Markings() {
		if strings.EqualFold(id, c.o.ID) {
			return "object_marking_refs", "must not refer to the marking itself"
		}
	}
	return "", ""
}

// definitionShould: new markings are defined by extensions, and the old kinds are two.
func definitionShould(c *checker, n *node) (string, string) {
	if typ := c.textOf(n, "definition_type"); typ != "" && typ != "statement" && typ != "tlp" {
		return "definition_type", "should be statement or tlp; other markings should be defined by extensions"
	}
	return "", ""
}

// topLevelProperties: names of properties are listed by extensions at the top level only.
func topLevelProperties(c *checker, n *node) (string, string) {
	if c.has(n, "extension_properties") && !c.definesTopLevel(n) {
		return "extension_properties", "must not be there without the type toplevel-property-extension"
	}
	return "", ""
}

func topLevelPropertiesShould(c *checker, n *node) (string, string) {
	if !c.has(n, "extension_properties") && c.definesTopLevel(n) {
		return "extension_properties", "should be there with the type toplevel-property-extension"
	}
	return "", ""
}

func (c *checker) definesTopLevel(n *node) bool {
	types := c.member(n, "extension_types")
	if types == nil {
		return false
	}
	for i := types.first; i != 0; i = c.nodes[i].next {
		if c.nodes[i].same("toplevel-property-extension") {
			return true
		}
	}
	return false
}

// relationshipShould: a relationship of the specification's types should be between objects that it is defined for.
func relationshipShould(c *checker, n *node) (string, string) {
	typ := c.textOf(n, "relationship_type")
	from, to := stix.TypeOf(c.textOf(n, "source_ref")), stix.TypeOf(c.textOf(n, "target_ref"))
	if typ == "" || from == "" || to == "" || c.entryOf(from).class == custom || c.entryOf(to).class == custom {
		return "", ""
	}
	switch typ {
	case "related-to":
		return "", ""
	case "derived-from", "duplicate-of":
		if from != to {
			return "relationship_type", typ + " should be between two objects of one type"
		}
		return "", ""
	}
	targets := relationships[from][typ]
	if slices.Contains(targets, to) || slices.Contains(targets, anyObservable) && c.entryOf(to).class == observable {
		return "", ""
	}
	return "relationship_type", stix.Shown(typ) + " is not defined from " + from + " to " + to
}
