package stixcheck

import (
	"strings"

	"shieldwall/internal/stix"
)

// identifierOfObservable checks how the UUID of a cyber-observable object was made (sections 2.9 and 3.4).
func (c *checker) identifierOfObservable(root *node) {
	version := stix.UUIDVersion(c.o.ID)
	if version == 0 || !c.wants(stix.Broken) {
		return
	}
	at := root
	if m := c.member(root, "id"); m != nil {
		at = m
	}
	needed, present := false, false
	for _, name := range c.entry.contributing {
		needed = needed || c.entry.find(name) != nil && c.entry.find(name).need == required
		present = present || c.has(root, name)
	}
	switch {
	case !present:
		if !needed && version != 4 {
			c.report(stix.Broken, at, "2.9", "must have a UUID of version 4: there are no properties to make another of", "id")
		}
		return
	case version != 5:
		c.report(stix.Advice, at, "2.9", "should have a UUID of version 5", "id")
		return
	}
	versioned := ""
	for _, name := range []string{"created_by_ref", "created", "modified", "revoked"} {
		if c.has(root, name) {
			versioned = name
		}
	}
	if versioned == "" && !c.wants(stix.Advice) {
		return
	}
	id, known := c.deterministic(root)
	switch same := strings.EqualFold(id, c.o.ID); {
	case !known:
	case same && versioned != "":
		c.report(stix.Broken, at, "3.6", "must not be out of the specification's namespace where there is "+versioned, "id")
	case !same && versioned == "":
		c.report(stix.Advice, at, "2.9", "should be "+id, "id")
	}
}

// deterministic makes the identifier that the specification's algorithm gives. It is not known where none of the
// hashes is of an algorithm that the specification's order has.
func (c *checker) deterministic(root *node) (id string, known bool) {
	object := []byte{'{'}
	for _, name := range c.entry.contributing {
		m := c.member(root, name)
		if m == nil {
			continue
		}
		if len(object) > 1 {
			object = append(object, ',')
		}
		object = append(object, `"`+name+`":`...)
		if name != "hashes" {
			object = append(object, m.raw...)
			continue
		}
		hash := c.preferredHash(m)
		if hash == nil {
			return "", false
		}
		object = append(object, `{"`+hash.name+`":`...)
		object = append(append(object, hash.raw...), '}')
	}
	canonical, err := stix.Canonical(append(object, '}'))
	if err != nil {
		return "", false // a contributing property is nested deeper than can be spelt
	}
	return stix.ObservableID(c.o.Type, canonical), true
}

func (c *checker) preferredHash(hashes *node) *node {
	for _, name := range []string{"MD5", "SHA-1", "SHA-256", "SHA-512"} {
		if m := c.member(hashes, name); m != nil {
			return m
		}
	}
	return nil
}
