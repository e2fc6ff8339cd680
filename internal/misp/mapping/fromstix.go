package mapping

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"shieldwall/internal/misp"
	"shieldwall/internal/policy"
	"shieldwall/internal/stix"
)

// Source is one object that is to be shown to a MISP instance, and what its entry says of its marking.
type Source struct {
	Object  *stix.Object
	Marking stix.TLP
}

// FromSTIX makes events of objects: one of each report and grouping with what it names, and one of what no report
// names for each creator and day of creation, so that an object stays in its event. RED is not exported, and
// neither is what has no marking: events go on by themselves.
//
// Losses of an event are in its Losses; those of what is in no event are returned.
func FromSTIX(list []Source, opt ExportOptions) ([]*misp.Event, misp.Losses) {
	x := &exporter{opt: opt, byID: map[string]*stix.Object{}, marking: map[string]stix.TLP{}, in: map[string][]*made{}, inside: map[string]string{}, days: map[string]*eventInMaking{},
		naming: map[string][]*eventInMaking{}, names: map[string]string{}}
	x.index(list)
	x.raise()
	for _, s := range x.list {
		if s.Object.Type == "report" || s.Object.Type == "grouping" {
			x.report(s.Object)
		}
	}
	for _, s := range x.list {
		x.alone(s.Object)
	}
	for _, s := range x.list {
		x.attach(s.Object)
	}
	return x.finish(), x.losses
}

// ExportOptions say what events are made with.
type ExportOptions struct {
	// Creator is whose events are of which no identity is among the objects.
	Creator misp.Org
}

// exporter turns objects into events.
type exporter struct {
	opt     ExportOptions
	list    []Source
	byID    map[string]*stix.Object
	marking map[string]stix.TLP
	events  []*eventInMaking
	in      map[string][]*made          // what an object became, in each event
	days    map[string]*eventInMaking   // events that are no report, by creator, day and marking
	naming  map[string][]*eventInMaking // the events that have an object in them, or are it
	names   map[string]string           // ATT&CK's techniques by identifier
	inside  map[string]string           // UUIDs of attributes of MISP objects -> what those objects are
	losses  misp.Losses
}

// eventInMaking is an event with what has been put into it.
type eventInMaking struct {
	*misp.Event
	marking stix.TLP
	objects map[string]bool
	tagged  map[string]bool
}

// tag gives the event a tag, once.
func (e *eventInMaking) tag(name string) {
	if !e.tagged[name] {
		e.tagged[name] = true
		e.Tags = append(e.Tags, misp.Tag{Name: name})
	}
}

// made is what an object has become in an event: a MISP object or, where object is -1, an attribute.
type made struct {
	event     *eventInMaking
	object    int
	attribute int // of the event, or of the MISP object
}

// Distribution is how far an instance may pass on what is marked so. It has the instance's organisations and, from
// distribution 2 on, others of whom nobody here knows: GREEN and AMBER stop at the instance.
func Distribution(marking stix.TLP) misp.Distribution {
	switch marking {
	case stix.Clear:
		return misp.All
	case stix.Green, stix.Amber:
		return misp.Community
	}
	return misp.Organisation
}

func (x *exporter) index(list []Source) {
	list = slices.DeleteFunc(slices.Clone(list), func(s Source) bool {
		bad := !stix.IsID(s.Object.ID) || stix.TypeOf(s.Object.ID) != s.Object.Type
		if bad {
			x.losses.Add(misp.Shown(s.Object.ID), "not an identifier of its type")
		}
		return bad
	})
	for _, s := range list {
		x.byID[s.Object.ID] = s.Object
	}
	lookup := func(id string) (stix.TLP, bool) {
		o, known := x.byID[id]
		if !known || o.Type != "marking-definition" {
			return stix.None, false
		}
		return o.MarkingTLP(), true
	}
	for _, s := range list {
		o := s.Object
		if o.Type == "marking-definition" {
			continue
		}
		tlp, err := policy.Effective(s.Marking, o.Markings(), lookup)
		switch {
		case err != nil:
			x.losses.Add(o.ID, err.Error())
		case tlp == stix.Red:
			x.losses.Add(o.ID, "TLP:RED is not exported")
		default:
			x.marking[o.ID] = tlp
			x.list = append(x.list, s)
			if id := attackOf(o); id != "" && o.Type == "attack-pattern" && !o.Revoked {
				x.names[id] = o.Name
			}
			for _, k := range keptBy(o) {
				x.inside[strings.ToLower(k.UUID)] = o.ID
			}
		}
	}
}

// reach is more references than a path of a template has: what is further away is not told with an object.
const reach = 6

// raise marks what was observed as strictly as the strictest observable that is told with it.
func (x *exporter) raise() {
	for range reach {
		for _, s := range x.list {
			o := s.Object
			if o.Type != "observed-data" && !stix.IsObservable(o.Type) {
				continue
			}
			for _, ref := range o.Refs {
				if to := x.allowed(ref.ID); to != nil && stix.IsObservable(to.Type) {
					x.marking[o.ID] = x.marking[o.ID].Stricter(x.marking[to.ID])
				}
			}
		}
	}
}

// allowed gives an object of the list that may be exported.
func (x *exporter) allowed(id string) *stix.Object {
	if _, ok := x.marking[id]; !ok {
		return nil
	}
	return x.byID[id]
}

func uuidIn(id string) string { return strings.ToLower(id[len(stix.TypeOf(id))+len("--"):]) }

// derived makes the UUID of a part of an object that has none of its own.
func derived(parts ...string) string {
	return uuidIn(stix.OwnID("misp-part", append([]string{"misp"}, parts...)...))
}

func (x *exporter) start(o *stix.Object, uuid, info string) *eventInMaking {
	created, modified := times(o)
	e := &eventInMaking{Event: &misp.Event{UUID: uuid, Info: info, Date: created.Format(time.DateOnly), Timestamp: modified,
		Analysis: 2, ThreatLevel: 4, Orgc: x.organisation(o.CreatedBy, x.marking[o.ID])}, marking: x.marking[o.ID], objects: map[string]bool{}, tagged: map[string]bool{}}
	if e.Orgc.UUID == "" {
		e.Orgc = x.opt.Creator
	}
	e.Distribution = Distribution(e.marking)
	x.events = append(x.events, e)
	return e
}

func times(o *stix.Object) (created, modified time.Time) {
	created, _ = stix.ParseTime(o.Created)
	modified, _ = stix.ParseTime(o.Modified)
	if created.IsZero() {
		created = modified
	}
	return created, modified
}

// organisation is whose an object is, as far as an event of some marking may say so.
func (x *exporter) organisation(id string, marking stix.TLP) misp.Org {
	o := x.allowed(id)
	if o == nil || o.Type != "identity" || o.Name == "" || x.marking[id] > marking {
		return misp.Org{}
	}
	return misp.Org{UUID: uuidIn(o.ID), Name: o.Name}
}

// report makes the event of a report or grouping.
func (x *exporter) report(o *stix.Object) {
	info := o.Name
	if info == "" {
		info = o.ID
	}
	e := x.start(o, uuidIn(o.ID), info)
	x.naming[o.ID] = append(x.naming[o.ID], e)
	if o.Type == "report" {
		e.Published = true
		e.PublishTime, _ = stix.ParseTime(o.Text("published"))
	} else {
		e.Analysis = 1
	}
	if o.Revoked {
		e.Losses.Add(o.ID, "it is revoked, and an event cannot be")
	}
	x.unsaid(e, o)
	e.Extends = o.Text("x_misp_extends")
	if day := o.Text("x_misp_date"); day != "" {
		e.Date = day
	}
	intInto(o, "x_misp_analysis", &e.Analysis)
	intInto(o, "x_misp_threat_level", &e.ThreatLevel)
	e.tag(tlpTag(e.marking).Name)
	for _, t := range x.tags(o, e) {
		e.tag(t.Name)
	}
	if text := o.Text("description"); text != "" {
		e.Reports = append(e.Reports, misp.Report{UUID: derived(o.ID, "description"), Name: info, Content: text, Timestamp: e.Timestamp,
			Sharing: misp.Sharing{Distribution: misp.Inherit}})
	}
	_, fromMISP := o.Property("x_misp_analysis")
	for _, id := range ids(o, "object_refs") {
		switch named := x.allowed(id); {
		case named == nil && x.byID[id] != nil: // listed where it was left out
		case named == nil && fromMISP && attackTypes[stix.TypeOf(id)] && slices.ContainsFunc(e.Tags, isATTACKTag):
			// ATT&CK's objects are referred to and not written by us; the labels have their tags.
		case named == nil:
			e.Losses.Add(id, "it is not among the objects")
		default:
			x.put(e, named)
		}
	}
}

// attackTypes are the types of what ATT&CK's galaxies have.
var attackTypes = map[string]bool{"attack-pattern": true, "course-of-action": true, "intrusion-set": true, "malware": true, "tool": true, "campaign": true}

func intInto(o *stix.Object, name string, to *int) {
	var n int
	if value, has := o.Property(name); has && json.Unmarshal(value, &n) == nil {
		*to = n
	}
}

func tlpTag(t stix.TLP) misp.Tag { return misp.Tag{Name: "tlp:" + strings.ToLower(t.String())} }

// alone puts what is in no event into the one of its creator and day.
func (x *exporter) alone(o *stix.Object) {
	if len(x.naming[o.ID]) > 0 || !becomes(o) {
		return
	}
	created, modified := times(o)
	day := created.Format(time.DateOnly)
	marking := x.marking[o.ID]
	org := x.organisation(o.CreatedBy, marking)
	if org.UUID == "" {
		org = x.opt.Creator
	}
	// What is marked differently is in different events, so that a tag of the event is true of all of it.
	key := org.UUID + " " + day + " " + marking.String()
	e := x.days[key]
	if e == nil {
		name := cmp.Or(org.Name, "unknown creator")
		e = x.start(o, derived("event", org.UUID, day, marking.String()), "Indicators and observations of "+name+", "+day)
		e.Date, e.Published = day, true
		e.tag(tlpTag(marking).Name)
		x.days[key] = e
	}
	if modified.After(e.Timestamp) {
		e.Timestamp = modified
	}
	e.PublishTime = e.Timestamp
	x.put(e, o)
}

// becomes says whether an object becomes a part of an event by itself.
func becomes(o *stix.Object) bool {
	switch o.Type {
	case "indicator", "observed-data", "x-misp-attribute", "x-misp-object", "vulnerability", "campaign":
		return true
	}
	return false
}

// teller is the object that tells what this one says, too: the observed data that an indicator is based on, or the
// MISP object that an attribute belongs to; nil where there is none.
func (x *exporter) teller(o *stix.Object) *stix.Object {
	if id := x.inside[uuidIn(o.ID)]; id != "" && !isObject(o) {
		return x.byID[id]
	}
	if o.Type != "indicator" {
		return nil
	}
	for _, typ := range []string{"observed-data", "x-misp-object"} {
		twin := x.allowed(typ + "--" + uuidIn(o.ID))
		if twin != nil && isObject(twin) {
			return twin
		}
	}
	return nil
}

func isObject(o *stix.Object) bool {
	_, has := o.Property("x_misp_attributes")
	return has
}

// hold remembers that an event tells of an object.
func (x *exporter) hold(e *eventInMaking, id string) {
	if !e.objects[id] {
		e.objects[id] = true
		x.naming[id] = append(x.naming[id], e)
	}
}

// put makes a part of an event of an object that the event names.
func (x *exporter) put(e *eventInMaking, o *stix.Object) {
	if e.objects[o.ID] {
		return
	}
	x.hold(e, o.ID)
	if becomes(o) {
		if other := x.teller(o); other != nil {
			x.put(e, other)
			return
		}
	}
	switch o.Type {
	case "indicator":
		x.indicator(e, o)
	case "observed-data":
		x.observedData(e, o)
	case "x-misp-attribute":
		x.keptAttribute(e, o)
	case "x-misp-object":
		x.keptObject(e, o)
	case "vulnerability", "campaign":
		x.named(e, o)
	case "report", "grouping", "relationship", "sighting", "opinion", "note":
		// reports are events of their own; what is said about objects is put to them
	case "identity":
		if slices.ContainsFunc(o.Labels, isGalaxyLabel) {
			x.cluster(e, o)
		}
	case "attack-pattern", "course-of-action", "intrusion-set", "malware", "tool", "threat-actor", "x-misp-galaxy-cluster":
		x.cluster(e, o)
	default:
		if stix.IsObservable(o.Type) {
			x.observable(e, o)
			return
		}
		e.Losses.Add(o.ID, "MISP has nothing for a "+o.Type)
	}
}

// add puts an attribute into an event and remembers that it is an object's.
func (x *exporter) add(e *eventInMaking, o *stix.Object, a misp.Attribute) {
	x.adorn(e, o, &a)
	a.Tags = append(a.Tags, x.tags(o, e)...)
	x.author(e, o)
	x.unsaid(e, o)
	e.Attributes = append(e.Attributes, a)
	x.in[o.ID] = append(x.in[o.ID], &made{e, -1, len(e.Attributes) - 1})
}

// addObject puts a MISP object into an event.
func (x *exporter) addObject(e *eventInMaking, o *stix.Object, m misp.Object) {
	_, m.Timestamp = times(o)
	m.Deleted = o.Revoked
	m.Distribution = misp.Inherit
	if x.marking[o.ID] > e.marking {
		m.Distribution = Distribution(x.marking[o.ID])
	}
	told := map[string]bool{}
	for i := range m.Attributes {
		for _, t := range m.Attributes[i].Tags {
			told[t.Name] = true
		}
	}
	for _, t := range x.tags(o, e) { // those that none of its attributes had
		if !told[t.Name] {
			m.Attributes[0].Tags = append(m.Attributes[0].Tags, t)
		}
	}
	for i := range m.Attributes {
		a := &m.Attributes[i]
		at := a.Timestamp
		if at.IsZero() {
			at = m.Timestamp
		}
		x.adorn(e, o, a)
		a.Timestamp, a.Distribution = at, misp.Inherit
	}
	x.author(e, o)
	x.unsaid(e, o)
	e.Objects = append(e.Objects, m)
	at := len(e.Objects) - 1
	x.in[o.ID] = append(x.in[o.ID], &made{e, at, 0})
	// The indicator of the same MISP object is told with it, and so are those of its attributes.
	tell := func(typ, uuid string, attribute int) {
		if id := typ + "--" + uuid; id != o.ID && x.allowed(id) != nil {
			x.in[id] = append(x.in[id], &made{e, at, attribute})
			x.hold(e, id)
		}
	}
	tell("indicator", m.UUID, 0)
	for i, a := range m.Attributes {
		for _, typ := range []string{"indicator", "observed-data", "x-misp-attribute"} {
			tell(typ, a.UUID, i)
		}
	}
}

// adorn gives an attribute its object's time and marking.
func (x *exporter) adorn(e *eventInMaking, o *stix.Object, a *misp.Attribute) {
	_, a.Timestamp = times(o)
	a.Deleted = o.Revoked
	a.Distribution = misp.Inherit
	if marking := x.marking[o.ID]; marking > e.marking {
		a.Distribution = Distribution(marking)
		a.Tags = append(a.Tags, tlpTag(marking))
	}
}

// author lists a creator that is not the event's.
func (x *exporter) author(e *eventInMaking, o *stix.Object) {
	if org := x.organisation(o.CreatedBy, e.marking); org.UUID != "" && org.UUID != e.Orgc.UUID {
		e.Losses.Add(o.ID, "it is by "+misp.Shown(org.Name)+": attributes have their event's creator")
	}
}

// finish hands out the events and lists what is in none.
func (x *exporter) finish() []*misp.Event {
	out := make([]*misp.Event, 0, len(x.events))
	named := map[string]bool{}
	for _, e := range x.events {
		out = append(out, e.Event)
		for id := range e.objects {
			named[id] = true
			if o := x.byID[id]; o != nil {
				for _, ref := range o.Refs {
					named[ref.ID] = true
				}
			}
		}
	}
	for _, s := range x.list {
		switch o := s.Object; o.Type {
		case "report", "grouping", "identity", "relationship", "sighting", "opinion", "note", "marking-definition":
		default:
			if !named[o.ID] {
				x.losses.Add(o.ID, "no report names it, and a "+o.Type+" is no event by itself")
			}
		}
	}
	return out
}
