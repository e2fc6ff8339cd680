package misp

import "strings"

// What an event consists of. A part that cannot be told from others (no UUID) or says nothing is left out and
// listed: an instance's one bad row does not cost the event's others.

// list reads a list whose elements are objects. Instances write null, and {} or [] alike for nothing.
func (d *decoder) list(most int, each func(i int) error) error {
	c, err := d.want()
	if err != nil {
		return err
	}
	switch c {
	case '[':
		return d.array(most, each)
	case '{':
		return d.object(func(string) error { return d.fail("an object where a list should be") })
	}
	text, _, err := d.scalar(maxShort)
	if err == nil && text != "" {
		return d.fail("a single value where a list should be")
	}
	return err
}

// record reads an object's members; null and an empty list stand for none. It says whether there was one.
func (d *decoder) record(member func(name string) error) (bool, error) {
	c, err := d.want()
	if err != nil {
		return false, err
	}
	switch c {
	case '{':
		return true, d.object(member)
	case '[':
		return false, d.array(0, func(int) error { return nil })
	case 'n':
		return false, d.literal("null")
	}
	return false, d.fail("not an object")
}

func (d *decoder) orgInto(to *Org) error {
	_, err := d.record(func(name string) error {
		switch name {
		case "uuid":
			return d.textInto(&to.UUID, maxShort)
		case "name":
			return d.textInto(&to.Name, maxShort)
		}
		return d.skip() // an instance's own row: id, local, contacts
	})
	to.UUID = strings.ToLower(to.UUID)
	return err
}

func (d *decoder) groupInto(to **SharingGroup) error {
	g := &SharingGroup{Active: true}
	there, err := d.record(func(name string) error {
		switch name {
		case "uuid":
			return d.textInto(&g.UUID, maxShort)
		case "name":
			return d.textInto(&g.Name, maxShort)
		case "active":
			return d.boolInto(&g.Active)
		case "SharingGroupOrg":
			return d.list(MaxOrgs, func(int) error { return d.groupOrg(g) })
		}
		return d.leave(name, ofGroup)
	})
	if there {
		g.UUID = strings.ToLower(g.UUID)
		*to = g
	}
	return err
}

func (d *decoder) groupOrg(g *SharingGroup) error {
	var org Org
	_, err := d.record(func(name string) error {
		if name == "Organisation" {
			return d.orgInto(&org)
		}
		return d.skip() // extend: who may change the group
	})
	if err == nil && org.UUID != "" {
		g.Orgs = append(g.Orgs, org)
	}
	return err
}

func (d *decoder) tagsInto(to *[]Tag) error {
	return d.list(MaxTags, func(int) error {
		var tag Tag
		_, err := d.record(func(name string) error {
			switch name {
			case "name":
				return d.textInto(&tag.Name, maxShort)
			case "local":
				return d.boolInto(&tag.Local)
			}
			return d.leave(name, ofTag)
		})
		if err == nil && tag.Name != "" {
			*to = append(*to, tag)
		}
		return err
	})
}

func (d *decoder) galaxiesInto(to *[]Galaxy) error {
	return d.list(MaxGalaxies, func(int) error {
		var g Galaxy
		_, err := d.record(func(name string) error {
			switch name {
			case "uuid":
				return d.textInto(&g.UUID, maxShort)
			case "name":
				return d.textInto(&g.Name, maxShort)
			case "type":
				return d.textInto(&g.Type, maxShort)
			case "description":
				return d.textInto(&g.Description, MaxText)
			case "GalaxyCluster":
				return d.list(MaxGalaxies, func(int) error { return d.clusterInto(&g) })
			}
			return d.leave(name, ofGalaxy)
		})
		if err == nil {
			*to = append(*to, g)
		}
		return err
	})
}

func (d *decoder) clusterInto(g *Galaxy) error {
	var c Cluster
	path := d.where()
	_, err := d.record(func(name string) error {
		switch name {
		case "uuid":
			return d.textInto(&c.UUID, maxShort)
		case "type":
			return d.textInto(&c.Type, maxShort)
		case "value":
			return d.textInto(&c.Value, maxShort)
		case "description":
			return d.textInto(&c.Description, MaxText)
		case "tag_name":
			return d.textInto(&c.TagName, maxShort)
		case "meta":
			return d.metaInto(&c.Meta)
		}
		return d.leave(name, ofCluster)
	})
	switch c.UUID = strings.ToLower(c.UUID); {
	case err != nil:
		return err
	case !isUUID(c.UUID):
		d.lose(path, "a cluster without a UUID")
	case c.Value == "":
		d.lose(path, "a cluster without a value")
	default:
		g.Clusters = append(g.Clusters, c)
	}
	return nil
}

// metaInto reads names with a text or a list of texts; what is deeper is left out.
func (d *decoder) metaInto(to *[]Meta) error {
	values := 0
	_, err := d.record(func(name string) error {
		m := Meta{Name: name}
		add := func() error {
			c, err := d.want()
			if err != nil {
				return err
			}
			if c == '{' || c == '[' {
				d.lose(d.where(), "nested meta")
				return d.skip()
			}
			text, k, err := d.scalar(MaxText)
			if err != nil || k == null {
				return err
			}
			if values++; values > MaxMeta {
				return d.failf("more than %d values in meta", MaxMeta)
			}
			m.Values = append(m.Values, text)
			return nil
		}
		c, err := d.want()
		if err != nil {
			return err
		}
		if c == '[' {
			err = d.array(MaxMeta, func(int) error { return add() })
		} else {
			err = add()
		}
		if err == nil && len(m.Values) > 0 {
			*to = append(*to, m)
		}
		return err
	})
	return err
}

func (d *decoder) attributesInto(to *[]Attribute) error {
	return d.list(MaxAttributes, func(int) error {
		if d.attributes++; d.attributes > MaxAttributes {
			return d.failf("more than %d attributes in an event", MaxAttributes)
		}
		return d.attributeInto(to)
	})
}

func (d *decoder) attributeInto(to *[]Attribute) error {
	a := Attribute{Path: d.where(), Sharing: Sharing{Distribution: Inherit}}
	_, err := d.record(func(name string) error { return d.attributeMember(&a, name) })
	if err != nil {
		return err
	}
	switch a.UUID = strings.ToLower(a.UUID); {
	case !isUUID(a.UUID):
		d.lose(a.Path, "an attribute whose uuid "+Shown(a.UUID)+" is none")
	case a.Type == "":
		d.lose(a.Path, "an attribute without a type")
	case a.Value == "":
		d.lose(a.Path, "an attribute without a value")
	default:
		*to = append(*to, a)
	}
	return nil
}

func (d *decoder) attributeMember(a *Attribute, name string) error {
	switch name {
	case "uuid":
		return d.textInto(&a.UUID, maxShort)
	case "type":
		return d.textInto(&a.Type, maxShort)
	case "category":
		return d.textInto(&a.Category, maxShort)
	case "object_relation":
		return d.textInto(&a.Relation, maxShort)
	case "value":
		return d.textInto(&a.Value, MaxText)
	case "to_ids":
		return d.boolInto(&a.ToIDs)
	case "comment":
		return d.textInto(&a.Comment, MaxText)
	case "timestamp":
		return d.unixInto(&a.Timestamp)
	case "first_seen":
		return d.isoInto(&a.FirstSeen)
	case "last_seen":
		return d.isoInto(&a.LastSeen)
	case "deleted":
		return d.boolInto(&a.Deleted)
	case "data":
		return d.dataInto(&a.Data)
	case "Tag":
		return d.tagsInto(&a.Tags)
	case "Galaxy":
		return d.galaxiesInto(&a.Galaxies)
	case "Sighting":
		return d.sightingsInto(&a.Sightings)
	}
	return d.sharingOr(name, &a.Sharing, ofAttribute)
}

// dataInto leaves out what is too long: the attribute's value stands without its attachment.
func (d *decoder) dataInto(to *string) error {
	c, err := d.want()
	if err != nil {
		return err
	}
	if c != '"' {
		return d.textInto(to, maxShort)
	}
	whole, err := d.atMost(MaxData)
	if err != nil {
		return err
	}
	if !whole {
		d.lose(d.where(), "an attachment of more than 8 MiB")
		return nil
	}
	*to = string(d.text)
	return nil
}

func (d *decoder) objectsInto(to *[]Object) error {
	return d.list(MaxObjects, func(int) error {
		o := Object{Path: d.where(), Sharing: Sharing{Distribution: Inherit}}
		_, err := d.record(func(name string) error { return d.objectMember(&o, name) })
		if err != nil {
			return err
		}
		switch o.UUID = strings.ToLower(o.UUID); {
		case !isUUID(o.UUID):
			d.lose(o.Path, "an object whose uuid "+Shown(o.UUID)+" is none")
		case o.Name == "":
			d.lose(o.Path, "an object without a name")
		case len(o.Attributes) == 0:
			d.lose(o.Path, "an object without attributes")
		default:
			*to = append(*to, o)
		}
		return nil
	})
}

func (d *decoder) objectMember(o *Object, name string) error {
	switch name {
	case "uuid":
		return d.textInto(&o.UUID, maxShort)
	case "name":
		return d.textInto(&o.Name, maxShort)
	case "meta-category":
		return d.textInto(&o.MetaCategory, maxShort)
	case "description":
		return d.textInto(&o.Description, MaxText)
	case "template_uuid":
		return d.textInto(&o.TemplateUUID, maxShort)
	case "template_version":
		return d.textInto(&o.TemplateVersion, maxShort)
	case "comment":
		return d.textInto(&o.Comment, MaxText)
	case "timestamp":
		return d.unixInto(&o.Timestamp)
	case "first_seen":
		return d.isoInto(&o.FirstSeen)
	case "last_seen":
		return d.isoInto(&o.LastSeen)
	case "deleted":
		return d.boolInto(&o.Deleted)
	case "Attribute":
		return d.attributesInto(&o.Attributes)
	case "ObjectReference":
		return d.list(MaxReferences, func(int) error { return d.referenceInto(o) })
	}
	return d.sharingOr(name, &o.Sharing, ofObject)
}

func (d *decoder) referenceInto(o *Object) error {
	var r Reference
	path := d.where()
	_, err := d.record(func(name string) error {
		switch name {
		case "uuid":
			return d.textInto(&r.UUID, maxShort)
		case "referenced_uuid":
			return d.textInto(&r.Referenced, maxShort)
		case "relationship_type":
			return d.textInto(&r.Relationship, maxShort)
		case "comment":
			return d.textInto(&r.Comment, MaxText)
		case "timestamp":
			return d.unixInto(&r.Timestamp)
		case "deleted":
			return d.boolInto(&r.Deleted)
		}
		return d.leave(name, ofReference)
	})
	if err != nil {
		return err
	}
	r.UUID, r.Referenced = strings.ToLower(r.UUID), strings.ToLower(r.Referenced)
	if !isUUID(r.Referenced) {
		d.lose(path, "a reference to "+Shown(r.Referenced)+", which is no UUID")
		return nil
	}
	o.References = append(o.References, r)
	return nil
}

func (d *decoder) sightingsInto(to *[]Sighting) error {
	return d.list(MaxSightings, func(int) error {
		if d.sightings++; d.sightings > MaxSightings {
			return d.failf("more than %d sightings in an event", MaxSightings)
		}
		var s Sighting
		path, kind := d.where(), 0
		_, err := d.record(func(name string) error {
			switch name {
			case "uuid":
				return d.textInto(&s.UUID, maxShort)
			case "type":
				return d.intInto(&kind)
			case "date_sighting":
				return d.unixInto(&s.Time)
			case "source":
				return d.textInto(&s.Source, maxShort)
			case "Organisation":
				return d.orgInto(&s.Org)
			}
			return d.leave(name, ofSighting)
		})
		if err != nil {
			return err
		}
		s.UUID, s.Type = strings.ToLower(s.UUID), SightingType(kind)
		switch {
		case !isUUID(s.UUID):
			d.lose(path, "a sighting whose uuid "+Shown(s.UUID)+" is none")
		case kind < int(Seen) || kind > int(Expired):
			d.lose(path, "a sighting of an unknown type")
		default:
			*to = append(*to, s)
		}
		return nil
	})
}

func (d *decoder) reportsInto(to *[]Report) error {
	return d.list(MaxReports, func(int) error {
		r := Report{Sharing: Sharing{Distribution: Inherit}}
		path := d.where()
		_, err := d.record(func(name string) error {
			switch name {
			case "uuid":
				return d.textInto(&r.UUID, maxShort)
			case "name":
				return d.textInto(&r.Name, maxShort)
			case "content":
				return d.textInto(&r.Content, MaxText)
			case "timestamp":
				return d.unixInto(&r.Timestamp)
			case "deleted":
				return d.boolInto(&r.Deleted)
			}
			return d.sharingOr(name, &r.Sharing, ofReport)
		})
		if err != nil {
			return err
		}
		if r.UUID = strings.ToLower(r.UUID); !isUUID(r.UUID) {
			d.lose(path, "a report whose uuid "+Shown(r.UUID)+" is none")
			return nil
		}
		*to = append(*to, r)
		return nil
	})
}
