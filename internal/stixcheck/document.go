package stixcheck

import (
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"shieldwall/internal/stix"
)

// Document reads a document as stix.Decode does and tells what is wrong with it and with the objects in it, in the
// order of the document; what only the whole shows comes when it shows, circles of markings at the end. Memory is
// bounded by one object and the identifiers seen. It gives the number of objects; the error is a *stix.SyntaxError,
// or the reader's.
func Document(r io.Reader, limits stix.Limits, level stix.Level, found func(stix.Problem)) (objects int, err error) {
	d := document{found: found, level: level, objects: map[uuid.UUID]*seen{}, marks: map[string]*marked{}}
	err = stix.Walk(r, limits, func(o *stix.Object) error {
		objects++
		for _, p := range Object(o, level) {
			found(p)
		}
		d.object(o)
		return nil
	}, d.report)
	if err == nil {
		d.circles()
	}
	return objects, err
}

// document remembers what rules between objects need.
type document struct {
	found   func(stix.Problem)
	level   stix.Level
	objects map[uuid.UUID]*seen
	marks   map[string]*marked
}

// seen is what is remembered of an identifier's versions.
type seen struct {
	typ, creator, created string
	revoked, latest       string // stix.SortKey of modified
}

// marked is a marking definition that is marked itself.
type marked struct {
	by    []string
	line  int
	state state
	next  int // of by
}

// state is how far a search has come with a marking.
type state uint8

const (
	_ state = iota // nobody has come by
	onTheWay
	done
)

func (d *document) report(p stix.Problem) {
	if p.Level <= d.level {
		d.found(p)
	}
}

func (d *document) broken(o *stix.Object, property, section, msg string) {
	d.report(stix.Problem{Object: o.Place(), Property: property, Msg: msg, Section: section, Line: o.Line, Level: stix.Broken})
}

func (d *document) object(o *stix.Object) {
	if !stix.IsID(o.ID) || stix.TypeOf(o.ID) != o.Type {
		return
	}
	key, err := uuid.Parse(o.ID[len(o.Type)+2:])
	if err != nil {
		return // cannot happen: stix.IsID has looked at it
	}
	before := d.objects[key]
	if before == nil {
		before = &seen{typ: o.Type, creator: o.CreatedBy, created: stix.SortKey(o.Created)}
		d.objects[key] = before
	}
	if before.typ != o.Type {
		if o.CreatedBy != "" && o.CreatedBy == before.creator {
			d.broken(o, "id", "2.9", "has the UUID of an object of type "+before.typ+" by the same creator")
		}
		return
	}
	if o.Version() != "" {
		d.version(o, before)
	}
	if o.Type == "marking-definition" && len(o.Markings()) > 0 {
		d.marks[strings.ToLower(o.ID)] = &marked{by: o.Markings(), line: o.Line}
	}
}

// version compares the versions of one object (sections 3.2 and 3.6).
func (d *document) version(o *stix.Object, before *seen) {
	if stix.SortKey(o.Created) != before.created {
		d.broken(o, "created", "3.2", "must not change between versions")
	}
	if o.CreatedBy != before.creator {
		d.broken(o, "created_by_ref", "3.6", "must not change between versions: only its creator versions an object")
	}
	modified := o.Version()
	if o.Revoked && (before.revoked == "" || modified < before.revoked) {
		before.revoked = modified
	}
	before.latest = max(before.latest, modified)
	if before.revoked != "" && before.latest > before.revoked {
		d.broken(o, "revoked", "3.6", "there is a version that is later than the revocation")
		before.revoked = "" // once is enough
	}
}

// circles finds marking definitions that mark each other (section 3.2). One that marks itself is told with it.
func (d *document) circles() {
	for _, id := range slices.Sorted(maps.Keys(d.marks)) {
		d.follow(id)
	}
}

// follow goes depth first from one marking to those that mark it, on a stack of its own: a hostile document can
// have a million of them in a row.
func (d *document) follow(id string) {
	way := []string{id}
	for len(way) > 0 {
		at := way[len(way)-1]
		m := d.marks[at]
		if m == nil || m.state == done {
			way = way[:len(way)-1]
			continue
		}
		m.state = onTheWay
		if m.next == len(m.by) {
			m.state = done
			continue
		}
		by := strings.ToLower(m.by[m.next])
		m.next++
		if next := d.marks[by]; next != nil && next.state == onTheWay {
			if by != at {
				d.report(stix.Problem{Object: by, Property: "object_marking_refs", Section: "3.2", Line: next.line, Level: stix.Broken,
					Msg: "must not be circular: the marking marks one that marks it"})
			}
			continue
		}
		way = append(way, by)
	}
}
