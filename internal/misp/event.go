package misp

import (
	"strings"
	"time"
)

// Event is one MISP event. Times are zero where there is none.
type Event struct {
	UUID        string
	Info        string
	Date        string // YYYY-MM-DD
	Timestamp   time.Time
	Published   bool
	PublishTime time.Time // publish_timestamp
	Analysis    int       // 0 initial, 1 ongoing, 2 completed
	ThreatLevel int       // 1 high, 2 medium, 3 low, 4 undefined
	Extends     string    // uuid of the event that it extends
	Sharing
	Org, Orgc  Org // owner here, creator
	Tags       []Tag
	Galaxies   []Galaxy
	Attributes []Attribute
	Objects    []Object
	Reports    []Report

	// Losses is what the reading left out.
	Losses Losses
}

// Org is an organisation.
type Org struct {
	UUID string
	Name string
}

// Distribution says how far something may go.
type Distribution int8

// The distributions; whatever else an event says is Unknown and for nobody.
const (
	Unknown        Distribution = -1
	Organisation   Distribution = 0 // the own organisation only
	Community      Distribution = 1 // this instance's organisations
	Connected      Distribution = 2 // and those of the instances that it synchronises with
	All            Distribution = 3
	InSharingGroup Distribution = 4
	Inherit        Distribution = 5 // as the event or object that it belongs to
)

// Sharing is how far something may go, and for InSharingGroup to whom.
type Sharing struct {
	Distribution Distribution
	Group        *SharingGroup // nil where the document does not say what the group is
}

// SharingGroup is a list of organisations.
type SharingGroup struct {
	UUID   string
	Name   string
	Active bool
	Orgs   []Org
}

// Tag is a label, most often a triple of a taxonomy: namespace:predicate="value".
type Tag struct {
	Name  string
	Local bool // of the instance alone, not to be passed on
}

// Triple splits a machine tag; predicate and value are empty where the tag has none.
func (t Tag) Triple() (namespace, predicate, value string) {
	namespace, rest, ok := strings.Cut(t.Name, ":")
	if !ok {
		return t.Name, "", ""
	}
	predicate, value, ok = strings.Cut(rest, "=")
	if !ok {
		return namespace, rest, ""
	}
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		value = value[1 : n-1]
	}
	return namespace, predicate, value
}

// Galaxy is a kind of knowledge (techniques, actors, tools) with the clusters that something is tagged with.
type Galaxy struct {
	UUID        string
	Name        string
	Type        string
	Description string
	Clusters    []Cluster
}

// Cluster is one technique, actor, tool or sector.
type Cluster struct {
	UUID        string
	Type        string
	Value       string
	Description string
	TagName     string
	Meta        []Meta // in the document's order
}

// Meta is one name of a cluster's meta with its values.
type Meta struct {
	Name   string
	Values []string
}

// Values gives what meta has under a name.
func (c *Cluster) Values(name string) []string {
	for _, m := range c.Meta {
		if m.Name == name {
			return m.Values
		}
	}
	return nil
}

// Attribute is one value.
type Attribute struct {
	Path      string // where in the event it stood, for messages
	UUID      string
	Type      string
	Category  string
	Relation  string // object_relation, its role in an object
	Value     string
	Data      string // an attachment, base64
	ToIDs     bool   // meant for detection
	Comment   string
	Timestamp time.Time
	FirstSeen time.Time
	LastSeen  time.Time
	Deleted   bool
	Sharing
	Tags      []Tag
	Galaxies  []Galaxy
	Sightings []Sighting
}

// Object is several attributes that are about one thing.
type Object struct {
	Path            string
	UUID            string
	Name            string // its template's
	MetaCategory    string
	Description     string
	TemplateUUID    string
	TemplateVersion string
	Comment         string
	Timestamp       time.Time
	FirstSeen       time.Time
	LastSeen        time.Time
	Deleted         bool
	Sharing
	Attributes []Attribute
	References []Reference
}

// Reference is an object's relation to another object or an attribute.
type Reference struct {
	UUID         string
	Referenced   string // uuid
	Relationship string
	Comment      string
	Timestamp    time.Time
	Deleted      bool
}

// SightingType is what a sighting says.
type SightingType int8

// The types of sightings.
const (
	Seen          SightingType = 0
	FalsePositive SightingType = 1
	Expired       SightingType = 2
)

// Sighting says that somebody saw an attribute, or thinks it a false positive or expired.
type Sighting struct {
	UUID   string
	Type   SightingType
	Time   time.Time
	Source string
	Org    Org
}

// Report is a text in Markdown about the event.
type Report struct {
	UUID      string
	Name      string
	Content   string
	Timestamp time.Time
	Deleted   bool
	Sharing
}
