package misp

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// Decode reads a document of events and calls yield for each, in order, once it is whole. A document is an event
// ({"Event": {...}}, or the event by itself), a list of events, or what instances answer, {"response": [...]}.
// Faults are an *Error and end the reading; so does an error of yield, which is returned as it is.
func Decode(r io.Reader, limits Limits, yield func(*Event) error) error {
	limits = limits.filled()
	d := &decoder{reader: newReader(r, limits.Document), limits: limits, yield: yield}
	err := d.document()
	if errors.Is(err, io.EOF) {
		return d.fail("the text ends where an event should be")
	}
	return err
}

// decoder reads events from a reader.
type decoder struct {
	*reader
	limits Limits
	yield  func(*Event) error
	events int

	e          *Event
	attributes int
	sightings  int
}

func (d *decoder) document() error {
	c, err := d.next()
	if err != nil {
		return err
	}
	if c == 0xEF { // a byte order mark, which Windows editors leave
		for _, want := range []byte("\ufeff") {
			if got, err := d.take(); err != nil {
				return err
			} else if got != want {
				return d.fail("not a JSON value")
			}
		}
		if c, err = d.next(); err != nil {
			return err
		}
	}
	if err := d.wrapping(c, true); err != nil {
		return err
	}
	if _, err := d.next(); !errors.Is(err, io.EOF) {
		if err != nil {
			return err
		}
		return d.fail("text after the document")
	}
	if d.events == 0 {
		return d.fail("no event here")
	}
	return nil
}

// wrapping reads an event in one of its wrappings, or a list of them where many allows one.
func (d *decoder) wrapping(c byte, many bool) error {
	switch {
	case c == '{':
		return d.wrapped()
	case c == '[' && many:
		return d.array(d.limits.Events, func(int) error {
			c, err := d.want()
			if err != nil {
				return err
			}
			return d.wrapping(c, false)
		})
	}
	return d.fail("neither an event nor a list of events")
}

// wrapped reads an object that holds an event, holds a response, or is an event.
func (d *decoder) wrapped() error {
	start := d.offset()
	var bare *Event
	held := false
	err := d.object(func(name string) error {
		c, err := d.want()
		if err != nil {
			return err
		}
		switch {
		case name == "Event" && c == '{' && (bare == nil || bare.UUID == ""):
			held = true
			return d.event(d.offset(), func() error { return d.object(d.eventMember) })
		case name == "response" && (bare == nil || bare.UUID == ""):
			held = true
			return d.wrapping(c, true)
		case held:
			return d.skip() // what an instance says beside its answer
		case bare == nil:
			bare = d.begin(start)
		}
		return d.eventMember(name)
	})
	if err != nil || held || bare == nil {
		return err
	}
	return d.finish()
}

// begin starts an event; what it may cost counts from where it starts.
func (d *decoder) begin(start int64) *Event {
	d.e = &Event{Sharing: Sharing{Distribution: Unknown}}
	d.attributes, d.sightings = 0, 0
	if d.limit, d.what = start+d.limits.Event, "event"; d.limit > d.limits.Document {
		d.limit, d.what = d.limits.Document, "document"
	}
	return d.e
}

func (d *decoder) event(start int64, read func() error) error {
	d.begin(start)
	if err := read(); err != nil {
		return err
	}
	return d.finish()
}

// finish judges a whole event and hands it out.
func (d *decoder) finish() error {
	e := d.e
	if d.offset() > d.limit {
		return d.tooLarge()
	}
	d.e, d.limit, d.what = nil, d.limits.Document, "document"
	if !isUUID(e.UUID) {
		return d.failf("uuid %s is no UUID", Shown(e.UUID))
	}
	if d.events++; d.events > d.limits.Events {
		return d.failf("more than %d events", d.limits.Events)
	}
	e.UUID = strings.ToLower(e.UUID)
	return d.yield(e)
}

func (d *decoder) eventMember(name string) error {
	e := d.e
	switch name {
	case "uuid":
		return d.textInto(&e.UUID, maxShort)
	case "info":
		return d.textInto(&e.Info, MaxText)
	case "date":
		return d.textInto(&e.Date, maxShort)
	case "timestamp":
		return d.unixInto(&e.Timestamp)
	case "publish_timestamp":
		return d.unixInto(&e.PublishTime)
	case "published":
		return d.boolInto(&e.Published)
	case "analysis":
		return d.intInto(&e.Analysis)
	case "threat_level_id":
		return d.intInto(&e.ThreatLevel)
	case "extends_uuid":
		return d.textInto(&e.Extends, maxShort)
	case "Org":
		return d.orgInto(&e.Org)
	case "Orgc":
		return d.orgInto(&e.Orgc)
	case "Tag":
		return d.tagsInto(&e.Tags)
	case "Galaxy":
		return d.galaxiesInto(&e.Galaxies)
	case "Attribute":
		return d.attributesInto(&e.Attributes)
	case "Object":
		return d.objectsInto(&e.Objects)
	case "EventReport":
		return d.reportsInto(&e.Reports)
	}
	return d.sharingOr(name, &e.Sharing, ofEvent)
}

// sharingOr reads the members that say how far something may go; any other is left out.
func (d *decoder) sharingOr(name string, s *Sharing, known map[string]string) error {
	switch name {
	case "distribution":
		return d.distributionInto(&s.Distribution)
	case "SharingGroup":
		return d.groupInto(&s.Group)
	}
	return d.leave(name, known)
}

// leave passes a member over. Names in known have a reason there; where that is empty nothing is lost with them.
func (d *decoder) leave(name string, known map[string]string) error {
	why, expected := known[name]
	if !expected {
		why = "not a member that is known here"
	}
	c, err := d.want()
	if err != nil {
		return err
	}
	if why == "" {
		return d.skip()
	}
	holds := false
	switch c {
	case '{', '[':
		start := d.offset()
		err = d.skip()
		holds = d.offset()-start > int64(len("[]"))
	case '"':
		holds, err = d.atMost(maxShort)
		holds = !holds || says(string(d.text))
	default:
		var text string
		text, _, err = d.scalar(maxShort)
		holds = says(text)
	}
	if holds && err == nil {
		d.lose(d.where(), why)
	}
	return err
}

// says tells values from what instances write for none.
func says(text string) bool { return text != "" && text != "0" && text != "false" }

func (d *decoder) lose(path, why string) { d.e.Losses.Add(path, why) }

// Members that are passed over, by where they stand, and what is lost with them: nothing where a number is of one
// instance alone, or says what the rest of the document says too.
var (
	ofEvent = map[string]string{
		"id": "", "orgc_id": "", "org_id": "", "attribute_count": "", "proposal_email_lock": "", "locked": "",
		"sharing_group_id": "", "disable_correlation": "", "sighting_timestamp": "", "event_creator_email": "",
		"protected": "", "user_id": "",
		"RelatedEvent":     "what an instance correlates is its own",
		"ShadowAttribute":  "proposals are no part of an event until its owner accepts them",
		"CryptographicKey": "an instance's signature of its own form of the event",
		"warnings":         "an instance's own hints",
		"Feed":             "what an instance correlates is its own",
		"Note":             analystData, "Opinion": analystData, "Relationship": analystData,
	}
	ofAttribute = map[string]string{
		"id": "", "event_id": "", "object_id": "", "sharing_group_id": "", "disable_correlation": "", "event_uuid": "",
		"ShadowAttribute":  "proposals are no part of an event until its owner accepts them",
		"RelatedAttribute": "what an instance correlates is its own", "warnings": "an instance's own hints",
		"Feed": "what an instance correlates is its own", "Event": "", "Object": "", "decay_score": "an instance's own hints",
		"Note": analystData, "Opinion": analystData, "Relationship": analystData,
	}
	ofObject = map[string]string{
		"id": "", "event_id": "", "sharing_group_id": "", "event_uuid": "", "Event": "",
		"Note": analystData, "Opinion": analystData, "Relationship": analystData,
	}
	ofReference = map[string]string{
		"id": "", "event_id": "", "object_id": "", "source_uuid": "", "object_uuid": "", "referenced_id": "",
		"referenced_type": "", "Object": "", "Attribute": "",
	}
	ofReport = map[string]string{"id": "", "event_id": "", "sharing_group_id": "",
		"Note": analystData, "Opinion": analystData, "Relationship": analystData,
		"Tag": "tags of a report"}
	ofTag = map[string]string{
		"id": "", "exportable": "", "org_id": "", "user_id": "", "hide_tag": "", "numerical_value": "", "is_galaxy": "",
		"is_custom_galaxy": "", "local_only": "", "inherited": "", "count": "", "attribute_count": "",
		"favourite": "", "colour": "",
		"relationship_type": "the kind of a tag's relation",
	}
	ofGalaxy = map[string]string{"id": "", "version": "", "icon": "", "namespace": "", "kill_chain_order": "",
		"enabled": "", "local_only": "", "created": "", "modified": "", "org_id": "", "orgc_id": "", "default": "",
		"distribution": "", "sharing_group_id": ""}
	ofCluster = map[string]string{
		"id": "", "collection_uuid": "", "galaxy_id": "", "version": "", "tag_id": "", "local": "", "default": "", "locked": "",
		"org_id": "", "orgc_id": "", "extends_version": "", "published": "", "deleted": "", "source": "", "authors": "",
		"distribution": "", "sharing_group_id": "", "event_tag_id": "", "attribute_tag_id": "", "Org": "", "Orgc": "",
		"extends_uuid": "", "GalaxyClusterRelation": "relations between clusters are the galaxy's own",
		"TargetingClusterRelation": "relations between clusters are the galaxy's own",
		"relationship_type":        "the kind of a tag's relation",
		"Note":                     analystData, "Opinion": analystData, "Relationship": analystData,
	}
	ofSighting = map[string]string{"id": "", "attribute_id": "", "event_id": "", "org_id": "", "attribute_uuid": "",
		"event_uuid": ""}
	ofGroup = map[string]string{"id": "", "description": "", "releasability": "", "organisation_uuid": "", "org_id": "",
		"sync_user_id": "", "created": "", "modified": "", "local": "", "roaming": "", "SharingGroupServer": "",
		"org_count": "", "Organisation": "", "pass_along": ""}
)

const analystData = "notes, opinions and relations of analysts are not read"

// maxShort bounds what is never long: names, types, identifiers.
const maxShort = 64 << 10

func (d *decoder) textInto(to *string, most int) error {
	text, _, err := d.scalar(most)
	*to = text
	return err
}

func (d *decoder) boolInto(to *bool) error {
	text, _, err := d.scalar(maxShort)
	if err != nil {
		return err
	}
	switch strings.ToLower(text) {
	case "true", "1":
		*to = true
	case "false", "0", "":
		*to = false
	default:
		return d.failf("%s is neither true nor false", Shown(text))
	}
	return nil
}

func (d *decoder) intInto(to *int) error {
	text, _, err := d.scalar(maxShort)
	if err != nil || text == "" {
		return err
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return d.failf("%s is no whole number", Shown(text))
	}
	*to = int(n)
	return nil
}

// distributionInto lets what is no distribution be Unknown, which is for nobody.
func (d *decoder) distributionInto(to *Distribution) error {
	text, _, err := d.scalar(maxShort)
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(text, 10, 8)
	if err != nil || n < int64(Organisation) || n > int64(Inherit) {
		d.lose(d.where(), Shown(text)+" is no distribution: for nobody")
		n = int64(Unknown)
	}
	*to = Distribution(n)
	return nil
}

// lastSecond is the last that STIX can write (RFC 3339: four digits of a year).
var lastSecond = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// unixInto reads seconds since 1970; 0 and nothing are no time.
func (d *decoder) unixInto(to *time.Time) error {
	text, _, err := d.scalar(maxShort)
	if err != nil || text == "" || text == "0" {
		return err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > lastSecond.Unix() {
		return d.failf("%s is no time in seconds since 1970", Shown(text))
	}
	*to = time.Unix(n, 0).UTC()
	return nil
}

// isoInto reads first_seen and last_seen, which are written with or without a colon in the zone and a T.
func (d *decoder) isoInto(to *time.Time) error {
	text, _, err := d.scalar(maxShort)
	if err != nil || text == "" {
		return err
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999Z07:00",
		"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		if t = t.UTC(); t.Year() >= 1 && !t.After(lastSecond) {
			*to = t
			return nil
		}
	}
	d.lose(d.where(), Shown(text)+" is no time")
	return nil
}

// isUUID is the form 8-4-4-4-12 of hex digits.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}
