package stixcheck

import (
	"slices"
	"strings"

	"shieldwall/internal/stix"
)

// isPropertyName is the form of a property's name: 3 to 250 of a-z, 0-9 and underscore, a letter first (sections
// 3.1 and 11.1.1); id is one too.
func isPropertyName(s string) bool {
	return s == "id" || len(s) >= 3 && len(s) <= 250 && 'a' <= s[0] && s[0] <= 'z' && strings.Trim(s, lowerLetters+"_") == ""
}

// propertyName is one in a list of names.
var propertyName = form("7.3.2.1", "is no property's name: 3 to 250 of a-z, 0-9 and underscore", isPropertyName)

func isRefName(name string) bool {
	return strings.HasSuffix(name, "_ref") || strings.HasSuffix(name, "_refs")
}

// reserved are the names of section 3.8. Errata 01 writes phone_number, the JSON schemas phone_numbers.
var reserved = []string{"severity", "username", "phone_number", "phone_numbers", "action"}

// additional checks a property that is not in the tables.
func (c *checker) additional(parent, m *node) {
	switch base, isEncoding := strings.CutSuffix(m.name, "_enc"); {
	case slices.Contains(reserved, m.name):
		c.report(stix.Broken, m, "3.8", "the name is reserved and must not be used")
	case !isPropertyName(m.name):
		c.report(stix.Broken, m, "11.1.1", "a name must be 3 to 250 of a-z, 0-9 and underscore")
	case isEncoding && !c.has(parent, base):
		c.report(stix.Broken, m, "3.1", "must not be there without "+base)
	}
	if c.entry.class != custom && !strings.HasPrefix(m.name, "x_") && c.wants(stix.Advice) &&
		!c.extends(&c.nodes[0], "toplevel-property-extension") {
		c.report(stix.Advice, m, "11.1.1", "a custom property should be defined by an extension definition, or its name start with x_")
	}
	c.plain(m)
}

// plain checks what holds for every value: there is no null, and lists and dictionaries are not empty. Much data
// has such in custom properties.
func (c *checker) plain(n *node) {
	switch {
	case n.kind == 'n':
		c.report(stix.Tolerated, n, "2", "null is no value")
	case n.isList() && n.count == 0:
		c.report(stix.Tolerated, n, "2.12", "must not be an empty list")
	case n.isObject() && n.count == 0:
		c.report(stix.Tolerated, n, "2.3", "must not be empty")
	}
	index := 0
	for i := n.first; i != 0; i = c.nodes[i].next {
		m := &c.nodes[i]
		c.in(step{name: m.name, element: n.isList(), index: index}, func() { c.plain(m) })
		index++
	}
}

// extensions checks the common property of that name (section 3.2).
func extensions(c *checker, n *node) {
	if !n.isObject() {
		c.report(stix.Unusable, n, "3.2", "must be an object")
		return
	}
	if n.count == 0 {
		c.report(stix.Unusable, n, "2.3", "must not be empty")
	}
	c.inside(func() {
		for i := n.first; i != 0; i = c.nodes[i].next {
			m := &c.nodes[i]
			c.in(step{name: m.name}, func() { c.extension(m) })
		}
	})
}

func (c *checker) extension(m *node) {
	if !m.isObject() {
		c.report(stix.Broken, m, "3.2", "must be an object: the contents of the extension")
		return
	}
	predefined := predefinedExtensions[m.name]
	switch {
	case predefined != nil && (c.entry.class == observable || c.entry.class == custom):
		c.record(m, predefined)
		if !slices.Contains(c.entry.extensions, m.name) {
			c.report(stix.Advice, m, "3.10", "is no predefined extension of objects of this type")
		}
		return
	case strings.HasPrefix(m.name, "extension-definition--"):
		if !stix.IsID(m.name) {
			c.report(stix.Broken, m, "3.2", "a key must be the id of an extension definition")
		}
		c.extensionType(m, true)
	default:
		c.customExtension(m)
	}
	if m.count == 0 {
		c.report(stix.Broken, m, "11.3.1", "must not be empty")
	}
	for i := m.first; i != 0; i = c.nodes[i].next {
		p := &c.nodes[i]
		c.in(step{name: p.name}, func() {
			if !isPropertyName(p.name) {
				c.report(stix.Broken, p, "7.3.2.1", "a name must be 3 to 250 of a-z, 0-9 and underscore")
			}
			c.plain(p)
		})
	}
}

func (c *checker) extensionType(m *node, needed bool) {
	typ := c.member(m, "extension_type")
	switch {
	case typ == nil && needed:
		c.report(stix.Broken, m, "3.2", "missing", "extension_type")
	case typ != nil && !oneOfWords(typ, extensionType.words):
		c.report(stix.Broken, typ, "3.2", "must be one of "+commas(extensionType.words), "extension_type")
	}
}

// customExtension checks one that has no definition, as STIX had them before (section 11.3).
func (c *checker) customExtension(m *node) {
	c.extensionType(m, false)
	switch class := c.entry.class; {
	case class != observable && class != custom:
		c.report(stix.Broken, m, "11.3", "an extension without a definition can only be on cyber-observable objects")
	case len(m.name) < 3 || len(m.name) > 250 || strings.Trim(m.name, lowerLetters+"-") != "":
		c.report(stix.Broken, m, "11.3.1", "a name must be 3 to 250 of a-z, 0-9 and hyphen")
	case !strings.HasSuffix(m.name, "-ext"):
		c.report(stix.Broken, m, "11.3.1", "a name must end in -ext")
	default:
		c.report(stix.Advice, m, "11.3", "should be defined by an extension definition")
	}
}
