package stixcheck

import "shieldwall/internal/stix"

// class groups the types by which of the common properties they have (section 3.2).
type class uint8

const (
	custom     class = iota // a type that is not in the specification: an extension's, or of a later version
	domain                  // SDO
	relation                // SRO
	observable              // SCO
	extension               // extension-definition
	language                // language-content
	marking                 // marking-definition
	classes
)

// need says whether a property must be there.
type need uint8

const (
	optional need = iota
	required      // a MUST
	ought         // a MUST whose absence is let pass; each use says whose data breaks it
	should        // a SHOULD
	unused        // of common properties: not on objects of this class
)

// entry is the table of one type.
type entry struct {
	class      class
	section    string // of the properties
	properties []property
	rules      []rule
	// some: at least one property must be there that is not required anyway.
	some bool
	// extensions are the names of the predefined ones (section 3.10).
	extensions []string
	// contributing are the properties that make an observable's id (section 3.4).
	contributing []string

	index map[string]*property
}

// property is one row of a table.
type property struct {
	name    string
	need    need
	kind    kind
	section string // where it is not the table's
}

func (e *entry) find(name string) *property { return e.index[name] }

// prepared makes the index of a table.
func (e *entry) prepared() *entry {
	e.index = make(map[string]*property, len(e.properties))
	for i := range e.properties {
		p := &e.properties[i]
		if p.section == "" {
			p.section = e.section
		}
		e.index[p.name] = p
		names[p.name] = p.name
	}
	return e
}

// unknown is the table of types that are not in the specification.
var unknown = (&entry{class: custom, section: "11.2.1"}).prepared()

// objects are the tables of all types. Kinds in them look types up through the checker, so that the tables do not
// stand on themselves.
var objects = join(domainObjects, relationObjects, metaObjects, observableObjects)

// entryOf is the table of a type.
func (c *checker) entryOf(typ string) *entry {
	if e, ok := c.objects[typ]; ok {
		return e
	}
	return unknown
}

func join(lists ...map[string]*entry) map[string]*entry {
	all := map[string]*entry{}
	for _, l := range lists {
		for typ, e := range l {
			all[typ] = e.prepared()
			for _, name := range e.extensions {
				names[name] = name
			}
		}
	}
	return all
}

// rule is one between the properties of an object.
type rule struct {
	level   stix.Level
	section string // where it is not the table's
	// broken gives the property to blame and what is wrong, or "".
	broken func(c *checker, n *node) (property, msg string)
}

// broken makes rules of what gates do not ask.
func broken(section string, check func(c *checker, n *node) (property, msg string)) rule {
	return rule{stix.Broken, section, check}
}

func advice(section string, check func(c *checker, n *node) (property, msg string)) rule {
	return rule{stix.Advice, section, check}
}

// after wants a timestamp to be later than another, where both are there.
func after(property, than string) rule {
	return rule{broken: func(c *checker, n *node) (string, string) {
		a, b := stix.SortKey(c.textOf(n, property)), stix.SortKey(c.textOf(n, than))
		if a != "" && b != "" && a <= b {
			return property, "must be later than " + than
		}
		return "", ""
	}}
}

// notBefore wants a timestamp to be equal to or later than another, where both are there.
func notBefore(property, than string) rule {
	return rule{broken: func(c *checker, n *node) (string, string) {
		a, b := stix.SortKey(c.textOf(n, property)), stix.SortKey(c.textOf(n, than))
		if a != "" && b != "" && a < b {
			return property, "must not be before " + than
		}
		return "", ""
	}}
}

func oneOf(names ...string) rule {
	return rule{broken: func(c *checker, n *node) (string, string) {
		for _, name := range names {
			if c.has(n, name) {
				return "", ""
			}
		}
		return names[0], "one of " + commas(names) + " must be there"
	}}
}

func exclusive(a, b string) rule {
	return rule{broken: func(c *checker, n *node) (string, string) {
		if c.has(n, a) && c.has(n, b) {
			return a, "must not be there together with " + b
		}
		return "", ""
	}}
}

func needs(a, b string) rule {
	return rule{broken: func(c *checker, n *node) (string, string) {
		if c.has(n, a) && !c.has(n, b) {
			return b, "must be there where " + a + " is"
		}
		return "", ""
	}}
}
