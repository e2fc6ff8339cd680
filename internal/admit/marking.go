package admit

import (
	"fmt"

	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/stix"
)

// Effective is the marking that an object of a publisher has under an entry's: see policy.Effective. Marking
// definitions that are not TLP's own are looked up among the publisher's copies and this node's own, never among
// other members' or other holders': else anybody could loosen an object by defining its marking.
func (g *Gate) Effective(tx Tx, publisher string, entry stix.TLP, o *stix.Object) (stix.TLP, error) {
	var failed error
	t, err := policy.Effective(entry, o.Markings(), func(id string) (stix.TLP, bool) {
		t, known, err := g.Definition(tx, publisher, id)
		if err != nil {
			failed = err
		}
		return t, known
	})
	if failed != nil {
		return stix.None, failed
	}
	return t, err
}

// Definition is what a marking definition stands for by the publisher's copies, or by the local ones where the
// publisher has none: the strictest of them; not known where there is none.
func (g *Gate) Definition(tx Tx, publisher, id string) (stix.TLP, bool, error) {
	out, known := stix.None, false
	sources := []string{publisher}
	if publisher != object.Local {
		sources = append(sources, object.Local)
	}
	for _, from := range sources {
		copies, err := tx.PublisherCopies(from, id)
		if err != nil {
			return stix.None, false, fmt.Errorf("copies of %s: %w", id, err)
		}
		if copies, err = g.openAll(copies); err != nil {
			return stix.None, false, err
		}
		for _, c := range copies {
			if c.Withdrawn || c.Type != "marking-definition" {
				continue
			}
			o, err := stix.Parse(c.Raw, g.opt.Limits)
			if err != nil {
				return stix.None, false, fmt.Errorf("%s as kept here: %w", id, err)
			}
			out, known = out.Stricter(o.MarkingTLP()), true
		}
		if known {
			break
		}
	}
	return out, known, nil
}
