package stixcheck

import (
	"slices"

	"shieldwall/internal/stix"
)

// reference is a reference whose target's type must please; what gates do not ask is Broken.
func reference(level stix.Level, msg string, pleases func(c *checker, typ string) bool) kind {
	return func(c *checker, n *node) {
		if c.local != nil {
			c.localRef(n, msg, pleases)
			return
		}
		id := n.text()
		switch {
		case !stix.IsID(id):
			c.report(stix.Unusable, n, "2.9", "must be an id, type--UUID")
		case !pleases(c, stix.TypeOf(id)):
			c.report(level, n, c.section, msg)
		case stix.TypeOf(id) == "bundle":
			c.report(stix.Broken, n, "8.2", "must not refer to a bundle")
		}
	}
}

func ref(types ...string) kind {
	return reference(stix.Unusable, "must be an id of type "+commas(types), func(_ *checker, typ string) bool { return slices.Contains(types, typ) })
}

func refNotTo(types ...string) kind {
	return reference(stix.Unusable, "must be an id, and not of type "+commas(types), func(_ *checker, typ string) bool { return !slices.Contains(types, typ) })
}

// anyRef refers to any STIX object.
var anyRef = reference(stix.Unusable, "", func(*checker, string) bool { return true })

// classRef refers to objects of some classes, or to a type that is not in the specification.
func classRef(msg string, of ...class) kind {
	return reference(stix.Broken, msg, func(c *checker, typ string) bool {
		class := c.entryOf(typ).class
		return class == custom || slices.Contains(of, class)
	})
}

var (
	observableRef = classRef("must be the id of a cyber-observable object", observable)
	observedRef   = classRef("must be the id of a cyber-observable object or a relationship", observable, relation)
)

// relatedRef is an end of a relationship: an SDO or an SCO (section 5.1.2).
func relatedRef(c *checker, n *node) {
	notRelation(c, n)
	if c.entryOf(stix.TypeOf(n.text())).class == extension {
		c.report(stix.Broken, n, c.section, "must be the id of a domain object or a cyber-observable object")
	}
}

// notRelation refuses what relationships and sightings cannot be about.
var notRelation = refNotTo("relationship", "sighting", "bundle", "marking-definition", "language-content")

// sightedRef is what was seen: an SDO (section 5.2.1).
func sightedRef(c *checker, n *node) {
	notRelation(c, n)
	if class := c.entryOf(stix.TypeOf(n.text())).class; class == observable || class == extension {
		c.report(stix.Broken, n, c.section, "must be the id of a domain object")
	}
}

// container is the deprecated property objects of observed data: observables under keys, which refer to one another
// by these (section 2.13).
func container(c *checker, n *node) {
	dictionary(anything)(c, n)
	if !n.isObject() {
		return
	}
	c.report(stix.Advice, n, "2.13", "is deprecated: object_refs should be used")
	c.inside(func() {
		c.local = n
		for i := n.first; i != 0; i = c.nodes[i].next {
			m := &c.nodes[i]
			c.in(step{name: m.name}, func() { c.contained(m) })
		}
		if n.count > 1 && !c.connected(n) {
			c.report(stix.Broken, n, "4.14.1", "must not hold objects that are not related to each other")
		}
		c.local = nil
	})
}

// contained checks one object of a container. It needs no id; if it has one, it is any string (section 2.9).
func (c *checker) contained(n *node) {
	if !n.isObject() {
		c.report(stix.Broken, n, "2.13", "must be a cyber-observable object")
		return
	}
	typ := c.member(n, "type")
	if typ == nil || !typ.isText() {
		c.report(stix.Broken, n, "3.2", "missing or not a string", "type")
		return
	}
	e := c.entryOf(typ.text())
	switch e.class {
	case observable:
		before := c.entry
		c.entry = e
		c.properties(n, e)
		c.run(n, e)
		c.entry = before
	case custom:
		c.plain(n)
	default:
		c.report(stix.Broken, typ, "4.14.1", "must be the type of a cyber-observable object", "type")
	}
}

// localRef is a reference inside of a container.
func (c *checker) localRef(n *node, msg string, pleases func(*checker, string) bool) {
	target := c.member(c.local, n.text())
	switch {
	case !n.isText():
		c.report(stix.Broken, n, "2.13", "must be the key of an object of the same container")
	case n.text() == "" || target == nil:
		if !stix.IsID(n.text()) || stix.TypeOf(n.text()) != "marking-definition" { // markings are never inside
			c.report(stix.Broken, n, "2.13", stix.Shown(n.text())+" is the key of no object of the same container")
		}
	case target.isObject() && !pleases(c, c.textOf(target, "type")):
		c.report(stix.Broken, n, c.section, msg)
	}
}

// connected says whether the references between a container's objects hold it together.
func (c *checker) connected(n *node) bool {
	group := map[string]string{} // key to another key of its group, or to itself
	root := func(key string) string {
		for group[key] != key {
			key = group[key]
		}
		return key
	}
	for i := n.first; i != 0; i = c.nodes[i].next {
		group[c.nodes[i].name] = c.nodes[i].name
	}
	groups := len(group)
	for i := n.first; i != 0; i = c.nodes[i].next {
		from := c.nodes[i].name
		c.eachRef(&c.nodes[i], false, func(key string) {
			if _, there := group[key]; !there {
				return
			}
			if a, b := root(from), root(key); a != b {
				group[a] = b
				groups--
			}
		})
	}
	return groups <= 1
}

// eachRef gives the strings below a node that stand under names that end in _ref or _refs.
func (c *checker) eachRef(n *node, under bool, yield func(string)) {
	if n.isText() && under {
		yield(n.text())
	}
	for i := n.first; i != 0; i = c.nodes[i].next {
		m := &c.nodes[i]
		c.eachRef(m, n.isList() && under || isRefName(m.name), yield)
	}
}
