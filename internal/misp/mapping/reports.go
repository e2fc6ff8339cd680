package mapping

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"shieldwall/internal/misp"
	"shieldwall/internal/stix"
)

// reportType is what an event becomes: a report once it was published (MISP keeps the time of that while the event is
// edited again), a grouping before.
func (c *converter) reportType() string {
	if c.e.Published || !c.e.PublishTime.IsZero() {
		return "report"
	}
	return "grouping"
}

func (c *converter) reportID() string { return c.id(c.reportType(), c.e.UUID) }

// report writes the event itself.
func (c *converter) report() {
	if c.narrow > 0 {
		c.lose("Event", strconv.Itoa(c.narrow)+" objects are for fewer than the event: the report does not name them")
	}
	refs := c.refs
	if len(refs) == 0 {
		if c.author == "" {
			c.lose("Event", "an event with nothing in it that it can name: there is no report")
			return
		}
		refs = []string{c.author}
	}
	typ := c.reportType()
	d := c.draft(typ, c.e.UUID, c.e.Timestamp, c.asks)
	d.Labels = c.tags(c.e.Tags, c.e.Galaxies, "Event")
	d.Confidence = lowest(c.e.Tags)
	d.External = c.techs
	name := c.e.Info
	if name == "" {
		name = "MISP event " + c.e.UUID
	}
	d.properties = []stix.Property{{Name: "name", Value: name}}
	if typ == "report" {
		published := c.stamp(c.e.PublishTime)
		d.properties = append(d.properties, stix.Property{Name: "published", Value: published})
	} else {
		d.properties = append(d.properties, stix.Property{Name: "context", Value: "suspicious-activity"})
	}
	d.properties = append(d.properties, stix.Property{Name: "object_refs", Value: refs},
		stix.Property{Name: "x_misp_date", Value: c.e.Date}, stix.Property{Name: "x_misp_analysis", Value: int64(c.e.Analysis)},
		stix.Property{Name: "x_misp_threat_level", Value: int64(c.e.ThreatLevel)},
		stix.Property{Name: "x_misp_extends", Value: c.e.Extends})
	c.write(d)
	if typ == "report" {
		c.supersede()
	}
}

// supersede takes back the grouping that the event was before it was published.
func (c *converter) supersede() {
	if c.opt.Previous == nil {
		return
	}
	id := c.id("grouping", c.e.UUID)
	held := c.opt.Previous(id)
	if held == nil {
		return
	}
	o, err := stix.Parse(held, stix.Limits{})
	if err != nil || o.Revoked {
		return
	}
	d := c.draft("grouping", c.e.UUID, c.e.Timestamp, c.asks)
	d.Revoked = true
	d.properties = []stix.Property{{Name: "name", Value: o.Name}, {Name: "context", Value: "suspicious-activity"},
		{Name: "object_refs", Value: []string{c.reportID()}}}
	c.write(d)
}

// mention is how an event's reports refer to its attributes and objects.
var mention = regexp.MustCompile(`@!?\[(?:attribute|object|galaxymatrix|tag)\]\(([0-9a-fA-F-]{36})\)`)

// maxMentions bounds what a note refers to.
const maxMentions = 10_000

// reports turn the event's reports into notes about what they mention, or about the event.
func (c *converter) reports() {
	for i, r := range c.e.Reports {
		asks := c.opt.Directory.Within(c.asks, r.Sharing, nil)
		path := "Event.EventReport[" + strconv.Itoa(i) + "]"
		var refs []string
		for _, m := range mention.FindAllStringSubmatch(r.Content, maxMentions) {
			p, known := c.primary[strings.ToLower(m[1])]
			switch {
			case !known:
			case !p.asks.same(asks):
				c.lose(path, "it mentions what other readers may see: the note does not refer to that")
			case !slices.Contains(refs, p.id):
				refs = append(refs, p.id)
			}
		}
		if len(refs) == 0 {
			if !asks.same(c.asks) || !c.ids[c.reportID()] {
				c.lose(path, "a report about nothing that its readers may see")
				continue
			}
			refs = []string{c.reportID()}
		}
		if r.Content == "" {
			c.lose(path, "a report without text")
			continue
		}
		d := c.draft("note", r.UUID, r.Timestamp, asks)
		d.Revoked = r.Deleted
		d.Labels = []string{`misp:data-layer="Event Report"`}
		d.properties = []stix.Property{{Name: "abstract", Value: r.Name}, {Name: "content", Value: r.Content}, {Name: "object_refs", Value: refs}}
		c.write(d)
	}
}

// relationName is the form of a relationship's type (section 5.1): a-z, 0-9 and dashes.
func relationName(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return '-'
	}, name), "-")
}

// references turn what objects say of one another into relationships.
func (c *converter) references(o *misp.Object) {
	from, known := c.primary[o.UUID]
	for i, r := range o.References {
		path := o.Path + ".ObjectReference[" + strconv.Itoa(i) + "]"
		to, there := c.primary[r.Referenced]
		switch {
		case r.Deleted:
			continue
		case !known || !there:
			c.lose(path, "a reference to "+r.Referenced+", which is not in the event")
			continue
		case !from.asks.same(to.asks):
			c.lose(path, "a reference between what has different readers")
			continue
		}
		how := relationName(r.Relationship)
		if how == "" {
			how = "related-to"
		}
		if how != r.Relationship {
			c.lose(path, "the relationship "+misp.Shown(r.Relationship)+" is written as "+how)
		}
		if r.Comment != "" {
			c.lose(path+".comment", "what is said of a reference")
		}
		c.relate(from.id, how, to.id, from.asks)
	}
}
