package stixcheck

import (
	"slices"
	"strings"
)

// tlp is one of the marking definitions whose every property is fixed.
type tlp struct {
	id, name, value string
}

// TLP 1 (section 7.2.1.4) and TLP 2.0 (its extension definition): no others may be made, and none be changed.
var (
	tlp1 = []tlp{
		{"613f2e26-407d-48c7-9eca-b8e91df99dc9", "TLP:WHITE", "white"},
		{"34098fce-860f-48ae-8e50-ebd3cc5e41da", "TLP:GREEN", "green"},
		{"f88d31f6-486f-44da-b317-01333bde0b82", "TLP:AMBER", "amber"},
		{"5e57c739-391a-4eb3-b6be-7d15ca92d5ed", "TLP:RED", "red"},
	}
	tlp2 = []tlp{
		{"94868c89-83c2-464b-929b-a1a8aa3c8487", "TLP:CLEAR", "clear"},
		{"bab4a63c-aed9-4cf5-a766-dfca5abac2bb", "TLP:GREEN", "green"},
		{"55d920b0-5e8b-4f79-9ee9-91f868d9b421", "TLP:AMBER", "amber"},
		{"939a9414-2ddd-4d32-a0cd-375ea402b003", "TLP:AMBER+STRICT", "amber+strict"},
		{"e828b379-4e03-4974-9ac4-e53a884c97c1", "TLP:RED", "red"},
	}
)

const (
	tlp1Created   = "2017-01-20T00:00:00.000Z"
	tlp2Created   = "2022-10-01T00:00:00.000Z"
	tlp2Extension = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
)

// fixedTLP: what has the id of a TLP marking is that marking, and what says that it is one has such an id.
func fixedTLP(c *checker, n *node) (string, string) {
	if t := byID(tlp1, c.o.ID); t != nil {
		return c.sameTLP(n, t, tlp1Created, "definition_type", "definition", func() (string, bool) {
			definition := c.member(n, "definition")
			if c.textOf(n, "definition_type") != "tlp" || definition == nil {
				return "", false
			}
			return c.textOf(definition, "tlp"), definition.count == 1
		})
	}
	extensions := c.member(n, "extensions")
	var marked *node
	if extensions != nil {
		marked = c.member(extensions, tlp2Extension)
	}
	if t := byID(tlp2, c.o.ID); t != nil {
		return c.sameTLP(n, t, tlp2Created, "extensions", "", func() (string, bool) {
			if marked == nil || c.textOf(marked, "extension_type") != "property-extension" {
				return "", false
			}
			return c.textOf(marked, "tlp_2_0"), marked.count == 2 && extensions.count == 1
		})
	}
	switch {
	case c.textOf(n, "definition_type") == "tlp":
		return "id", "must be that of one of the four markings of TLP 1: no others may be made"
	case marked != nil:
		return "id", "must be that of one of the five markings of TLP 2.0: no others may be made"
	}
	return "", ""
}

func byID(list []tlp, id string) *tlp {
	i := slices.IndexFunc(list, func(t tlp) bool { return strings.EqualFold("marking-definition--"+t.id, id) })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// sameTLP compares with the fixed form: its properties, and the value that stands where the kind of TLP has it.
func (c *checker) sameTLP(n *node, t *tlp, created, carrier, carrier2 string, value func() (string, bool)) (string, string) {
	for i := n.first; i != 0; i = c.nodes[i].next {
		switch name := c.nodes[i].name; name {
		case "type", "spec_version", "id", "created", "name", carrier, carrier2:
		default:
			return name, "must not be there: " + t.name + " is fixed"
		}
	}
	if v, ok := value(); !ok || v != t.value {
		return carrier, "must be that of " + t.name + ", whose id it has"
	}
	if c.o.Created != created {
		return "created", "must be " + created + ": " + t.name + " is fixed"
	}
	if c.textOf(n, "name") != t.name {
		return "name", "must be " + t.name
	}
	return "", ""
}
