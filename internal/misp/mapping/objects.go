package mapping

import (
	"errors"
	"slices"

	"shieldwall/internal/misp"
	"shieldwall/internal/stix"
)

// object turns a MISP object into what was observed, and into an indicator where attributes of it are meant for
// detection. What the object's template has no place for is kept in custom properties; what of that is meant for
// detection becomes an indicator of its own, so that no value is unlooked for because of the object that it is in.
func (c *converter) object(o *misp.Object) {
	b := &build{c: c, o: o, asks: c.opt.Directory.Within(c.asks, o.Sharing, nil)}
	b.choose()
	if len(b.attributes) == 0 {
		if len(b.others) == 0 {
			c.lose(o.Path, "an object all of whose attributes are deleted")
		}
	} else if !b.rule() && !b.described() {
		b.observable()
	}
	for _, a := range b.others {
		c.attribute(a, b.asks)
		if p, done := c.primary[a.UUID]; done && b.main != "" && p.asks.same(b.asks) {
			c.relate(p.id, "related-to", b.main, b.asks)
		}
	}
}

// build is an object in the making.
type build struct {
	c    *converter
	o    *misp.Object
	asks Asks

	attributes []*misp.Attribute // those that the object consists of
	others     []*misp.Attribute // those that stand for themselves
	stored     *misp.Attribute   // whose data is an artifact
	main       string            // what stands for the object
}

// choose takes the attributes that are for the object's readers and not deleted.
func (b *build) choose() {
	for i := range b.o.Attributes {
		a := &b.o.Attributes[i]
		switch {
		case a.Deleted && !b.o.Deleted:
		case !b.c.opt.Directory.Within(b.asks, a.Sharing, a.Tags).same(b.asks):
			b.c.lose(a.Path, "it has other readers than its object: it stands for itself")
			b.others = append(b.others, a)
		default:
			b.attributes = append(b.attributes, a)
		}
	}
}

// draft starts one of the STIX objects that the object becomes.
func (b *build) draft(typ string) *draft {
	d := b.c.draft(typ, b.o.UUID, b.o.Timestamp, b.asks)
	for _, a := range b.attributes {
		if d.Modified.Before(a.Timestamp) {
			d.Modified = a.Timestamp // an attribute changes its object
		}
	}
	d.Revoked = b.o.Deleted
	d.Labels = []string{`misp:name="` + b.o.Name + `"`}
	if b.o.MetaCategory != "" {
		d.Labels = append(d.Labels, `misp:meta-category="`+b.o.MetaCategory+`"`)
	}
	var tags []misp.Tag
	labels, refs := map[string]bool{}, map[stix.ExternalRef]bool{}
	for _, a := range b.attributes {
		tags = append(tags, a.Tags...)
		for _, label := range b.c.tags(a.Tags, a.Galaxies, a.Path) {
			if !labels[label] {
				labels[label] = true
				d.Labels = append(d.Labels, label)
			}
		}
		for _, t := range techniques(a.Galaxies, a.Tags) {
			if !refs[t] {
				refs[t] = true
				d.External = append(d.External, t)
			}
		}
	}
	d.Confidence = b.c.confidence(tags)
	return d
}

// emit writes a STIX object and makes it the one that the MISP object and its attributes are referred to by.
func (b *build) emit(d *draft) bool {
	if !b.c.emit(d) {
		return false
	}
	b.main = d.ID
	b.c.primary[b.o.UUID] = primary{d.ID, b.asks}
	for _, a := range b.attributes {
		b.c.primary[a.UUID] = primary{d.ID, b.asks}
		b.c.clusters(d.ID, a.Galaxies, a.Path, b.asks)
		b.c.sightings(d.ID, a.Sightings, b.asks)
	}
	return true
}

// observable makes the observed data and the indicator of an object that is one.
func (b *build) observable() {
	tmpl, known := templates[b.o.Name]
	if !known {
		b.unmapped()
		return
	}
	root := b.thing(tmpl)
	pattern := root.pattern()
	root.prune()
	root.complete()
	observed := b.observed(root)
	if observed == nil {
		observed = b.verbatim()
	}
	if pattern == "" {
		b.emit(observed)
		return
	}
	told := b.c.emit(observed)
	if d := b.indicator(pattern, "stix"); b.emit(d) && told {
		b.c.relate(d.ID, "based-on", observed.ID, b.asks)
	}
}

// thing puts the attributes where the template has a place for them.
func (b *build) thing(tmpl template) *thing {
	root := newThing(tmpl.typ, slices.Clone(tmpl.say)...)
	var asked []*misp.Attribute // that the pattern names, unless hashes tell the thing by themselves
	for _, a := range b.attributes {
		r, has := tmpl.rows[a.Relation]
		if !has {
			b.keep(root, a)
			continue
		}
		err := r.put(root, a)
		switch {
		case errors.Is(err, errTaken):
			b.keep(root, a)
		case err != nil:
			b.c.losef(a.Path, "%s: %v: kept as it is", misp.Shown(a.Value), err)
			b.keep(root, a)
		case a.ToIDs && r.alone:
			b.others = append(b.others, a)
		case a.ToIDs && !r.identifies():
			asked = append(asked, a)
		}
	}
	if root.identified() {
		for _, a := range asked {
			b.c.lose(a.Path, "not in the pattern: a hash tells the "+b.o.Name+" by itself")
		}
	}
	return root
}

// keep takes what has no place in the thing: what is meant for detection becomes an indicator of its own. The
// rest is in the list of the object's attributes that travels with what it becomes.
func (b *build) keep(root *thing, a *misp.Attribute) {
	if a.Data != "" && root != nil && root.typ == "file" && root.get("content_ref") == nil {
		content, err := artifact(a)
		if err != nil {
			b.c.lose(a.Path+".data", err.Error())
		} else {
			root.fields = append(root.fields, say("content_ref", content))
			b.stored = a
		}
	}
	b.apart(a)
}

// apart lets an attribute stand for itself where it is meant for detection and something can look for it.
func (b *build) apart(a *misp.Attribute) {
	if !a.ToIDs {
		return
	}
	_, isRule := ruleTypes[a.Type]
	r, known, err := read(a)
	switch {
	case isRule:
	case !known:
		b.c.lose(a.Path, "for detection, and there is no pattern for a "+a.Type)
		return
	case err != nil:
		b.c.losef(a.Path, "%s: %v: kept as it is, nothing looks for it", misp.Shown(a.Value), err)
		return
	case r.asked.pattern() == "":
		return
	}
	b.others = append(b.others, a)
}

// observed is what was seen, nil where the specification has no such object.
func (b *build) observed(root *thing) *draft {
	if !root.whole() {
		return nil
	}
	ids, ok := b.c.observables(root, b.o.Path, b.asks)
	if !ok {
		return nil
	}
	d := b.draft("observed-data")
	d.properties = append(observation(b.o.FirstSeen, b.o.LastSeen, d.Modified, ids), b.about("")...)
	return d
}

// about keeps what MISP says of the object, so that it can be an object of MISP again: its attributes as they are,
// without the value of the one that is in the object's other properties.
func (b *build) about(without string) []stix.Property {
	var list []stix.Dict
	for _, a := range b.attributes {
		data := a.Data
		if a == b.stored {
			data = ""
		}
		e := stix.Dict{{Name: "type", Value: a.Type}, {Name: "object_relation", Value: a.Relation}}
		if a.Relation != without {
			e = append(e, stix.Property{Name: "value", Value: a.Value})
		}
		e = append(e, stix.Dict{{Name: "category", Value: a.Category}, {Name: "comment", Value: a.Comment}, {Name: "uuid", Value: a.UUID},
			{Name: "data", Value: data}}...)
		if a.ToIDs {
			e = append(e, stix.Property{Name: "to_ids", Value: true})
		}
		if !a.Timestamp.IsZero() {
			e = append(e, stix.Property{Name: "timestamp", Value: a.Timestamp.Unix()})
		}
		list = append(list, append(e, stix.Property{Name: "first_seen", Value: a.FirstSeen}, stix.Property{Name: "last_seen", Value: a.LastSeen},
			stix.Property{Name: "tags", Value: b.c.tags(a.Tags, a.Galaxies, "")}))
	}
	return []stix.Property{{Name: "x_misp_name", Value: b.o.Name}, {Name: "x_misp_attributes", Value: list},
		{Name: "x_misp_comment", Value: b.o.Comment}, {Name: "x_misp_meta_category", Value: b.o.MetaCategory},
		{Name: "x_misp_template_uuid", Value: b.o.TemplateUUID}, {Name: "x_misp_template_version", Value: b.o.TemplateVersion},
		{Name: "x_misp_first_seen", Value: b.o.FirstSeen}, {Name: "x_misp_last_seen", Value: b.o.LastSeen}}
}

func (b *build) indicator(pattern, language string) *draft {
	d := b.draft("indicator")
	from := d.Created
	if !b.o.FirstSeen.IsZero() {
		from = b.o.FirstSeen
	}
	version := ""
	if language == "stix" {
		version = "2.1"
	}
	var sightings []misp.Sighting
	for _, a := range b.attributes {
		sightings = append(sightings, a.Sightings...)
	}
	d.properties = []stix.Property{{Name: "name", Value: b.named()}, {Name: "description", Value: b.o.Comment},
		{Name: "pattern", Value: pattern}, {Name: "pattern_type", Value: language}, {Name: "pattern_version", Value: version},
		{Name: "valid_from", Value: from}, {Name: "valid_until", Value: expiry(sightings, from)}}
	return d
}

// titles are the attributes by which people know an object.
var titles = []string{"filename", "url", "domain", "hostname", "ip-dst", "ip", "subject", "key", "command-line", "name", "sha256", "sha1", "md5",
	"yara-rule-name", "sigma-rule-name"}

func (b *build) named() string {
	for _, title := range titles {
		for _, a := range b.attributes {
			if a.Relation == title && len(a.Value) <= maxName {
				return a.Value
			}
		}
	}
	return ""
}

// unmapped keeps an object of a template that STIX has nothing for; what of it is meant for detection is looked for.
func (b *build) unmapped() {
	for _, a := range b.attributes {
		b.apart(a)
	}
	b.emit(b.verbatim())
}

// verbatim is the object in the form that MISP's own converter gives to one without a mapping.
func (b *build) verbatim() *draft {
	b.stored = nil
	d := b.draft("x-misp-object")
	d.properties = b.about("")
	return d
}

// ruleObjects are the templates that hold a rule, and which attribute it is.
var ruleObjects = map[string]struct{ relation, language string }{
	"yara": {"yara", "yara"}, "sigma": {"sigma", "sigma"}, "suricata": {"suricata", "suricata"}, "stix2-pattern": {"stix2-pattern", "stix"},
}

// rule makes an indicator of an object that holds one rule for detection.
func (b *build) rule() bool {
	kind, is := ruleObjects[b.o.Name]
	if !is {
		return false
	}
	var held *misp.Attribute
	for _, a := range b.attributes {
		if a.Relation != kind.relation {
			continue
		}
		if held != nil {
			return false // several: each stands for itself
		}
		held = a
	}
	if held == nil || !held.ToIDs || b.c.rule(held, kind.language, b.asks).typ != "indicator" {
		return false
	}
	d := b.indicator(held.Value, kind.language)
	for i, p := range d.properties {
		if p.Name == "description" && b.o.Comment == "" {
			d.properties[i].Value = b.value("comment")
		}
		if p.Name == "pattern_version" && kind.language != "stix" {
			d.properties[i].Value = b.value("version")
		}
	}
	for _, a := range b.attributes {
		switch a.Relation {
		case kind.relation, "comment", "version", "yara-rule-name", "sigma-rule-name":
		default:
			b.keep(nil, a)
		}
	}
	d.properties = append(d.properties, b.about(kind.relation)...)
	b.emit(d)
	return true
}

func (b *build) value(relation string) string {
	for _, a := range b.attributes {
		if a.Relation == relation {
			return a.Value
		}
	}
	return ""
}

// descriptions are the templates that describe something rather than what was seen, and their properties.
var descriptions = map[string]struct {
	typ  string
	name string
	rows map[string]string
}{
	"vulnerability":    {"vulnerability", "id", map[string]string{"summary": "description", "description": "description"}},
	"attack-pattern":   {"attack-pattern", "name", map[string]string{"summary": "description"}},
	"course-of-action": {"course-of-action", "name", map[string]string{"description": "description"}},
}

func (b *build) described() bool {
	kind, is := descriptions[b.o.Name]
	if !is || b.value(kind.name) == "" {
		return false
	}
	d := b.draft(kind.typ)
	d.properties = []stix.Property{{Name: "name", Value: b.value(kind.name)}}
	described := false
	for _, a := range b.attributes {
		property := kind.rows[a.Relation]
		switch {
		case a.Relation == kind.name && a.Value == b.value(kind.name):
			if kind.typ == "vulnerability" {
				d.External = append(d.External, vulnerabilityRef(a.Value)...)
			}
		case a.Relation == "references":
			d.External = append(d.External, stix.ExternalRef{Source: "url", URL: a.Value})
		case a.Relation == "id" && kind.typ == "attack-pattern":
			d.External = append(d.External, stix.ExternalRef{Source: "capec", ID: a.Value})
		case property == "description" && !described:
			described = true
			d.properties = append(d.properties, stix.Property{Name: property, Value: a.Value})
		default:
			b.keep(nil, a)
		}
	}
	d.properties = append(d.properties, b.about("")...)
	b.emit(d)
	return true
}
