package misp

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// Encode writes an event as instances do: {"Event": {...}}, numbers as strings, members that are empty left out.
func (e *Event) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]wireEvent{"Event": wire(e)}); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// The members in the order in which MISP documents them.

type wireEvent struct {
	UUID         string          `json:"uuid"`
	Info         string          `json:"info"`
	Date         string          `json:"date"`
	Timestamp    string          `json:"timestamp,omitempty"`
	Published    bool            `json:"published"`
	PublishTime  string          `json:"publish_timestamp,omitempty"`
	Analysis     string          `json:"analysis"`
	ThreatLevel  string          `json:"threat_level_id"`
	Extends      string          `json:"extends_uuid,omitempty"`
	Distribution string          `json:"distribution"`
	Group        *wireGroup      `json:"SharingGroup,omitempty"`
	Org          *wireOrg        `json:"Org,omitempty"`
	Orgc         *wireOrg        `json:"Orgc,omitempty"`
	Tags         []wireTag       `json:"Tag,omitempty"`
	Galaxies     []wireGalaxy    `json:"Galaxy,omitempty"`
	Attributes   []wireAttribute `json:"Attribute,omitempty"`
	Objects      []wireObject    `json:"Object,omitempty"`
	Reports      []wireReport    `json:"EventReport,omitempty"`
}

type wireOrg struct {
	UUID string `json:"uuid"`
	Name string `json:"name"`
}

type wireGroup struct {
	UUID   string         `json:"uuid"`
	Name   string         `json:"name"`
	Active bool           `json:"active"`
	Orgs   []wireGroupOrg `json:"SharingGroupOrg"`
}

type wireGroupOrg struct {
	Organisation wireOrg `json:"Organisation"`
}

type wireTag struct {
	Name  string `json:"name"`
	Local bool   `json:"local,omitempty"`
}

type wireGalaxy struct {
	UUID        string        `json:"uuid,omitempty"`
	Name        string        `json:"name"`
	Type        string        `json:"type"`
	Description string        `json:"description"`
	Clusters    []wireCluster `json:"GalaxyCluster"`
}

type wireCluster struct {
	UUID        string              `json:"uuid"`
	Type        string              `json:"type"`
	Value       string              `json:"value"`
	TagName     string              `json:"tag_name"`
	Description string              `json:"description"`
	Meta        map[string][]string `json:"meta,omitempty"`
}

type wireAttribute struct {
	UUID         string         `json:"uuid"`
	Relation     string         `json:"object_relation,omitempty"`
	Type         string         `json:"type"`
	Category     string         `json:"category"`
	Value        string         `json:"value"`
	Data         string         `json:"data,omitempty"`
	ToIDs        bool           `json:"to_ids"`
	Comment      string         `json:"comment"`
	Timestamp    string         `json:"timestamp,omitempty"`
	FirstSeen    string         `json:"first_seen,omitempty"`
	LastSeen     string         `json:"last_seen,omitempty"`
	Deleted      bool           `json:"deleted"`
	Distribution string         `json:"distribution"`
	Group        *wireGroup     `json:"SharingGroup,omitempty"`
	Tags         []wireTag      `json:"Tag,omitempty"`
	Galaxies     []wireGalaxy   `json:"Galaxy,omitempty"`
	Sightings    []wireSighting `json:"Sighting,omitempty"`
}

type wireObject struct {
	UUID            string          `json:"uuid"`
	Name            string          `json:"name"`
	MetaCategory    string          `json:"meta-category"`
	Description     string          `json:"description"`
	TemplateUUID    string          `json:"template_uuid,omitempty"`
	TemplateVersion string          `json:"template_version,omitempty"`
	Comment         string          `json:"comment"`
	Timestamp       string          `json:"timestamp,omitempty"`
	FirstSeen       string          `json:"first_seen,omitempty"`
	LastSeen        string          `json:"last_seen,omitempty"`
	Deleted         bool            `json:"deleted"`
	Distribution    string          `json:"distribution"`
	Group           *wireGroup      `json:"SharingGroup,omitempty"`
	Attributes      []wireAttribute `json:"Attribute"`
	References      []wireReference `json:"ObjectReference,omitempty"`
}

type wireReference struct {
	UUID         string `json:"uuid"`
	Source       string `json:"object_uuid"`
	Referenced   string `json:"referenced_uuid"`
	Relationship string `json:"relationship_type"`
	Comment      string `json:"comment"`
	Timestamp    string `json:"timestamp,omitempty"`
	Deleted      bool   `json:"deleted"`
}

type wireSighting struct {
	UUID   string   `json:"uuid"`
	Type   string   `json:"type"`
	Time   string   `json:"date_sighting,omitempty"`
	Source string   `json:"source"`
	Org    *wireOrg `json:"Organisation,omitempty"`
}

type wireReport struct {
	UUID         string     `json:"uuid"`
	Name         string     `json:"name"`
	Content      string     `json:"content"`
	Timestamp    string     `json:"timestamp,omitempty"`
	Deleted      bool       `json:"deleted"`
	Distribution string     `json:"distribution"`
	Group        *wireGroup `json:"SharingGroup,omitempty"`
}

func wire(e *Event) wireEvent {
	w := wireEvent{UUID: e.UUID, Info: e.Info, Date: e.Date, Timestamp: unix(e.Timestamp), Published: e.Published,
		PublishTime: unix(e.PublishTime), Analysis: strconv.Itoa(e.Analysis), ThreatLevel: strconv.Itoa(e.ThreatLevel), Extends: e.Extends,
		Distribution: e.Distribution.wire(), Group: e.Group.wire(), Org: e.Org.wire(), Orgc: e.Orgc.wire(), Tags: wireTags(e.Tags),
		Galaxies: wireGalaxies(e.Galaxies), Attributes: wireAttributes(e.Attributes)}
	for i := range e.Objects {
		w.Objects = append(w.Objects, e.Objects[i].wire())
	}
	for _, r := range e.Reports {
		w.Reports = append(w.Reports, wireReport{r.UUID, r.Name, r.Content, unix(r.Timestamp), r.Deleted, r.Distribution.wire(), r.Group.wire()})
	}
	return w
}

func (o *Object) wire() wireObject {
	w := wireObject{UUID: o.UUID, Name: o.Name, MetaCategory: o.MetaCategory, Description: o.Description, TemplateUUID: o.TemplateUUID,
		TemplateVersion: o.TemplateVersion, Comment: o.Comment, Timestamp: unix(o.Timestamp), FirstSeen: iso(o.FirstSeen), LastSeen: iso(o.LastSeen),
		Deleted: o.Deleted, Distribution: o.Distribution.wire(), Group: o.Group.wire(), Attributes: wireAttributes(o.Attributes)}
	for _, r := range o.References {
		w.References = append(w.References, wireReference{r.UUID, o.UUID, r.Referenced, r.Relationship, r.Comment, unix(r.Timestamp), r.Deleted})
	}
	return w
}

func wireAttributes(list []Attribute) []wireAttribute {
	out := make([]wireAttribute, 0, len(list))
	for i := range list {
		a := &list[i]
		w := wireAttribute{UUID: a.UUID, Relation: a.Relation, Type: a.Type, Category: a.Category, Value: a.Value, Data: a.Data, ToIDs: a.ToIDs,
			Comment: a.Comment, Timestamp: unix(a.Timestamp), FirstSeen: iso(a.FirstSeen), LastSeen: iso(a.LastSeen), Deleted: a.Deleted,
			Distribution: a.Distribution.wire(), Group: a.Group.wire(), Tags: wireTags(a.Tags), Galaxies: wireGalaxies(a.Galaxies)}
		for _, s := range a.Sightings {
			w.Sightings = append(w.Sightings, wireSighting{s.UUID, strconv.Itoa(int(s.Type)), unix(s.Time), s.Source, s.Org.wire()})
		}
		out = append(out, w)
	}
	return out
}

func wireTags(tags []Tag) []wireTag {
	var out []wireTag
	for _, t := range tags {
		out = append(out, wireTag(t))
	}
	return out
}

func wireGalaxies(list []Galaxy) []wireGalaxy {
	var out []wireGalaxy
	for _, g := range list {
		w := wireGalaxy{UUID: g.UUID, Name: g.Name, Type: g.Type, Description: g.Description, Clusters: []wireCluster{}}
		for _, c := range g.Clusters {
			wc := wireCluster{UUID: c.UUID, Type: c.Type, Value: c.Value, TagName: c.TagName, Description: c.Description}
			for _, m := range c.Meta {
				if wc.Meta == nil {
					wc.Meta = map[string][]string{}
				}
				wc.Meta[m.Name] = m.Values
			}
			w.Clusters = append(w.Clusters, wc)
		}
		out = append(out, w)
	}
	return out
}

// wire writes what is no distribution as the narrowest.
func (d Distribution) wire() string {
	if d < Organisation || d > Inherit {
		d = Organisation
	}
	return strconv.Itoa(int(d))
}

func (o Org) wire() *wireOrg {
	if o.UUID == "" {
		return nil
	}
	w := wireOrg(o)
	return &w
}

func (g *SharingGroup) wire() *wireGroup {
	if g == nil {
		return nil
	}
	w := &wireGroup{UUID: g.UUID, Name: g.Name, Active: g.Active, Orgs: []wireGroupOrg{}}
	for _, o := range g.Orgs {
		w.Orgs = append(w.Orgs, wireGroupOrg{wireOrg(o)})
	}
	return w
}

// unix leaves out what MISP's seconds cannot say: no time, and times before 1970.
func unix(t time.Time) string {
	if t.Unix() <= 0 {
		return ""
	}
	return strconv.FormatInt(t.Unix(), 10)
}

func iso(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000-07:00")
}
