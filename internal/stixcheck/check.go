package stixcheck

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"

	"shieldwall/internal/stix"
)

// checker goes through one object.
type checker struct {
	reader
	objects map[string]*entry

	o     *stix.Object
	level stix.Level // the mildest that is reported
	// mildest is at least as mild as what is reported just now: inside what no gate looks at, it is Broken.
	mildest  stix.Level
	section  string // of the property that is being looked at
	path     []step
	entry    *entry
	problems stix.Problems
	// local is the observable container in which references resolve, nil outside of one (section 2.13).
	local *node
}

// step is one part of a path: a name, or a list's index.
type step struct {
	name    string
	element bool
	index   int
}

func (c *checker) check(o *stix.Object, level stix.Level) stix.Problems {
	c.o, c.level, c.mildest, c.problems, c.local = o, level, stix.Unusable, nil, nil
	c.path = c.path[:0]
	c.read(o.Raw)
	c.entry = c.entryOf(o.Type)
	root := &c.nodes[0]
	c.identity(root)
	c.class(root)
	c.properties(root, c.entry)
	c.run(root, c.entry)
	if c.entry.class == observable {
		c.identifierOfObservable(root)
	}
	found := c.problems
	c.o, c.problems = nil, nil
	return found
}

// wants says whether findings of a level are asked for, so that they need not be looked for otherwise.
func (c *checker) wants(level stix.Level) bool { return level <= c.level }

// report takes a finding about a value; a path may follow for what is missing inside of it.
func (c *checker) report(level stix.Level, n *node, section, msg string, inside ...string) {
	level = max(level, c.mildest)
	if level > c.level || len(c.problems) >= maxProblems {
		return
	}
	p := stix.Problem{Object: c.o.Place(), Property: c.spell(inside), Msg: msg, Section: section, Level: level}
	if c.o.Line > 0 {
		p.Line = c.o.Line + bytes.Count(c.o.Raw[:n.at], []byte{'\n'})
	}
	c.problems = append(c.problems, p)
}

// maxPath bounds the spelling of a path: names come from hostile input.
const maxPath = 200

func (c *checker) spell(inside []string) string {
	var b strings.Builder
	for _, s := range c.path {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		if s.element {
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(s.index))
			b.WriteByte(']')
		} else {
			b.WriteString(s.name)
		}
		if b.Len() > maxPath {
			return b.String()[:maxPath] + "..."
		}
	}
	for _, name := range inside {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(name)
	}
	return b.String()
}

// in looks at a member or element.
func (c *checker) in(s step, look func()) {
	c.path = append(c.path, s)
	look()
	c.path = c.path[:len(c.path)-1]
}

// inside looks at what gates of old do not look at: what is wrong there is Broken at most.
func (c *checker) inside(look func()) {
	if !c.wants(stix.Broken) {
		return
	}
	before := c.mildest
	c.mildest = max(before, stix.Broken)
	look()
	c.mildest = before
}

// member finds a member of an object.
func (c *checker) member(n *node, name string) *node {
	for i := n.first; i != 0; i = c.nodes[i].next {
		if m := &c.nodes[i]; m.name == name {
			return m
		}
	}
	return nil
}

func (c *checker) has(n *node, name string) bool { return c.member(n, name) != nil }

// textOf is a string member, "" where there is none.
func (c *checker) textOf(n *node, name string) string {
	if m := c.member(n, name); m != nil {
		return m.text()
	}
	return ""
}

// identity checks type and id, which everything else stands on.
func (c *checker) identity(root *node) {
	o := c.o
	at := func(name string) *node {
		if m := c.member(root, name); m != nil {
			return m
		}
		return root
	}
	switch {
	case o.Type == "":
		c.report(stix.Unusable, at("type"), "3.2", "missing or not a string", "type")
	case o.Type == "bundle":
		c.report(stix.Unusable, at("type"), "8", "a bundle is not an object", "type")
	case !stix.IsType(o.Type):
		c.report(stix.Unusable, at("type"), "3.1", stix.Shown(o.Type)+" is not a type: 3 to 250 of a-z, 0-9 and single dashes", "type")
	}
	switch {
	case o.ID == "":
		c.report(stix.Unusable, at("id"), "3.2", "missing or not a string", "id")
	case !stix.IsID(o.ID):
		c.report(stix.Unusable, at("id"), "2.9", stix.Shown(o.ID)+" is not type--UUID", "id")
	case stix.TypeOf(o.ID) != o.Type:
		c.report(stix.Unusable, at("id"), "2.9", "must begin with the object's type "+stix.Shown(o.Type), "id")
	}
	// Later versions of STIX may come under other numbers; 2.0 lacks half of what we rely on.
	if m := at("spec_version"); m.isText() && !m.same("2.1") {
		level := stix.Unusable
		if o.SpecVersion == "" {
			level = stix.Broken
		}
		c.report(level, m, "3.2", stix.Shown(o.SpecVersion)+" is not 2.1", "spec_version")
	}
	if stix.SortKey(o.Created) != "" && stix.SortKey(o.Modified) != "" && stix.SortKey(o.Modified) < stix.SortKey(o.Created) {
		c.report(stix.Unusable, at("modified"), "3.2", "is before created", "modified")
	}
}

// class checks which of the common properties an object of its class must, may and may not have (section 3.2).
func (c *checker) class(root *node) {
	for _, p := range commonProperties {
		use := p.use[c.entry.class]
		switch m := c.member(root, p.name); {
		case m == nil && use == required:
			c.report(stix.Unusable, root, "3.2", "missing", p.name)
		case m != nil && use == unused && p.name == "defanged":
			c.report(stix.Broken, m, "3.2", "must not be on objects other than observables", p.name)
		case m != nil && use == unused:
			c.report(stix.Advice, m, "3.2", "is not used on objects of this type", p.name)
		}
	}
	if c.entry.class == custom && c.wants(stix.Broken) {
		c.customObject(root)
	}
	if c.entry.class != observable && c.entry.class != custom && c.wants(stix.Advice) {
		if v := stix.UUIDVersion(c.o.ID); v != 0 && v != 4 {
			c.report(stix.Advice, root, "2.9", "should have a UUID of version 4", "id")
		}
	}
}

// properties checks the members of an object by its table, and by that of the common properties.
func (c *checker) properties(n *node, e *entry) {
	for i := n.first; i != 0; i = c.nodes[i].next {
		m := &c.nodes[i]
		p := e.find(m.name)
		if p == nil {
			p = common.find(m.name)
		}
		if p == nil {
			if c.wants(stix.Broken) {
				c.in(step{name: m.name}, func() { c.additional(n, m) })
			}
			continue
		}
		c.value(m, p)
	}
	c.missing(n, e)
}

func (c *checker) value(m *node, p *property) {
	before := c.section
	c.section = p.section
	c.in(step{name: m.name}, func() { p.kind(c, m) })
	c.section = before
}

func (c *checker) missing(n *node, e *entry) {
	some := !e.some
	for i := range e.properties {
		p := &e.properties[i]
		if c.has(n, p.name) {
			some = some || p.need != required
			continue
		}
		switch p.need {
		case required:
			c.report(stix.Unusable, n, p.section, "missing", p.name)
		case ought:
			c.report(stix.Tolerated, n, p.section, "missing", p.name)
		case should:
			c.report(stix.Advice, n, p.section, "should be there", p.name)
		}
	}
	if !some {
		c.report(stix.Unusable, n, e.section, "at least one property of this type must be there")
	}
}

// run applies the rules between properties.
func (c *checker) run(n *node, e *entry) {
	for i := range e.rules {
		r := &e.rules[i]
		if !c.wants(r.level) {
			continue
		}
		if property, msg := r.broken(c, n); msg != "" {
			at, inside := c.member(n, property), []string{property}
			if at == nil {
				at = n
			}
			if property == "" {
				inside = nil
			}
			c.report(r.level, at, cmp.Or(r.section, e.section), msg, inside...)
		}
	}
}

// record checks an object of a type that is no STIX object: its table is all that it has.
func (c *checker) record(n *node, e *entry) {
	if !n.isObject() {
		c.report(stix.Unusable, n, c.section, "must be an object")
		return
	}
	for i := n.first; i != 0; i = c.nodes[i].next {
		m := &c.nodes[i]
		if p := e.find(m.name); p != nil {
			c.value(m, p)
		} else if c.wants(stix.Broken) {
			c.in(step{name: m.name}, func() {
				if !isPropertyName(m.name) {
					c.report(stix.Broken, m, "3.1", "a name must be 3 to 250 of a-z, 0-9 and underscore")
				}
				c.plain(m)
			})
		}
	}
	c.missing(n, e)
	c.run(n, e)
}
