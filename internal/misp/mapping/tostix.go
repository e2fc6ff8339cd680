package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"shieldwall/internal/misp"
	"shieldwall/internal/stix"
)

// Options say what an event is read with.
type Options struct {
	Directory Directory
	// Previous gives the newest version that is held of an object, nil where there is none. With it an object
	// that says the same keeps its bytes, one that says something else gets a later version whatever MISP's
	// timestamps say (those of an attribute do not move where the event's tags do), and an older copy of an event
	// changes nothing. Without it versions are MISP's timestamps.
	Previous func(id string) []byte
}

// Shared is one STIX object and what MISP asks for it.
type Shared struct {
	ID  string
	Raw []byte
	Asks
}

// Result is what became of an event.
type Result struct {
	Event   Asks
	Objects []Shared
	Losses  misp.Losses
}

// converter turns one event into objects.
type converter struct {
	e      *misp.Event
	opt    Options
	out    Result
	asks   Asks // the event's
	author string

	primary map[string]primary // MISP UUID -> what stands for it
	people  map[string][]byte  // identities
	seen    map[string][]byte  // what has been written, by identifier and asks
	links   map[string]bool    // relationships that have been written
	techs   []stix.ExternalRef // the event's own
	refs    []string           // what the report names
	listed  map[string]bool    // the same
	ids     map[string]bool    // what has been written
	narrow  int                // what it does not name because it is for fewer
	err     error
}

// primary is the object that stands for an attribute or a MISP object, and what it asks for.
type primary struct {
	id   string
	asks Asks
}

// ErrNoTime is an event of which nothing says when it is from.
var ErrNoTime = errors.New("an event with neither timestamp nor date")

// ToSTIX turns an event into STIX objects.
func ToSTIX(e *misp.Event, opt Options) (*Result, error) {
	c := &converter{e: e, opt: opt, primary: map[string]primary{}, people: map[string][]byte{}, listed: map[string]bool{}, ids: map[string]bool{}, seen: map[string][]byte{}, links: map[string]bool{}}
	if c.stamp(e.Timestamp).IsZero() {
		return nil, fmt.Errorf("event %s: %w", e.UUID, ErrNoTime)
	}
	c.asks = opt.Directory.Asks(e)
	c.out.Event = c.asks
	c.out.Losses.Join(e.Losses)
	c.creator()
	c.eventGalaxies()
	for i := range e.Attributes {
		c.attribute(&e.Attributes[i], c.asks)
	}
	for i := range e.Objects {
		c.object(&e.Objects[i])
	}
	for i := range e.Objects {
		c.references(&e.Objects[i])
	}
	c.report()
	c.reports()
	if c.err != nil {
		return nil, fmt.Errorf("event %s: %w", e.UUID, c.err)
	}
	return &c.out, nil
}

func (c *converter) lose(path, why string) { c.out.Losses.Add(path, why) }

func (c *converter) losef(path, format string, args ...any) { c.out.Losses.Addf(path, format, args...) }

// stamp is when something was last changed: its own timestamp, or the event's, or its publication, or its date.
func (c *converter) stamp(t time.Time) time.Time {
	switch {
	case !t.IsZero():
		return t
	case !c.e.Timestamp.IsZero():
		return c.e.Timestamp
	case !c.e.PublishTime.IsZero():
		return c.e.PublishTime
	}
	return c.day()
}

// eastmost is how far the first place of a new day is ahead of UTC.
const eastmost = 14 * time.Hour

// day is when the event's date began anywhere on Earth. MISP does not keep when something was created, STIX wants
// it to be the same in all versions (section 3.6), and an event's date stays: nothing of a day is from before it.
func (c *converter) day() time.Time {
	t, err := time.Parse(time.DateOnly, c.e.Date)
	if err != nil || t.Year() < 1 {
		return time.Time{}
	}
	return t.Add(-eastmost)
}

// created is when something is from that was changed at some time.
func (c *converter) created(changed time.Time) time.Time {
	if d := c.day(); !d.IsZero() && d.Before(changed) {
		return d
	}
	return changed
}

// draft is an object that is to be written.
type draft struct {
	typ string
	stix.Common
	properties []stix.Property
	asks       Asks
}

func (d *draft) encode() ([]byte, error) { return d.Common.Object(d.typ, d.properties...) }

// draft starts an object of the event's creator, changed at some time.
func (c *converter) draft(typ, uuid string, changed time.Time, asks Asks) *draft {
	changed = c.stamp(changed)
	return &draft{typ: typ, asks: asks, Common: stix.Common{ID: c.id(typ, uuid), CreatedBy: c.author,
		Created: c.created(changed), Modified: changed, Markings: markings(asks)}}
}

// timeless starts an object that every event tells in the same words: an organisation, an actor. Its time is the
// first there is, so that whoever really describes it has a later version.
func (c *converter) timeless(typ, uuid string, asks Asks) *draft {
	epoch := time.Unix(0, 0).UTC()
	return &draft{typ: typ, asks: asks, Common: stix.Common{ID: c.id(typ, uuid), Created: epoch, Modified: epoch}}
}

// id is type--UUID. STIX wants UUIDs of RFC 4122; of others, which MISP takes, one is derived.
func (c *converter) id(typ, uuid string) string {
	if id := typ + "--" + uuid; stix.IsID(id) {
		return id
	}
	return stix.OwnID(typ, "misp", uuid)
}

// markings are what the bytes carry: the tags' TLP. What the directory adds marks the entry, as with everything that is
// shared: the bytes do not change with a configuration.
func markings(a Asks) []string {
	if id := a.said.MarkingID(); id != "" {
		return []string{id}
	}
	return nil
}

// emit writes a draft and lets the report name it; false where there can be no such object.
func (c *converter) emit(d *draft) bool {
	if !c.write(d) {
		return false
	}
	c.name(d.ID, d.asks)
	return true
}

// name lets the report refer to an object, unless that is for fewer than the report: an identifier tells that
// there is something.
func (c *converter) name(id string, a Asks) {
	switch {
	case !a.same(c.asks):
		c.narrow++
	case !c.listed[id]:
		c.listed[id] = true
		c.refs = append(c.refs, id)
	}
}

func (c *converter) write(d *draft) bool {
	raw, lost, err := sound(d.encode, d.omit)
	for _, p := range lost {
		c.losef(d.ID, "left out: %v", p)
	}
	var broken stix.Problem
	if errors.As(err, &broken) {
		c.losef(d.ID, "there is no such object: %v", broken)
		return false
	}
	if err == nil {
		raw, err = c.version(d, raw)
	}
	if err != nil {
		c.lose(c.e.UUID, "building "+d.ID+": "+err.Error())
		return false
	}
	if d.typ == "identity" {
		c.people[d.ID] = raw
	} else if who, known := c.people[d.CreatedBy]; known {
		c.add(d.CreatedBy, who, d.asks) // whoever reads something may know whose it is
	}
	c.add(d.ID, raw, d.asks)
	return true
}

func (c *converter) add(id string, raw []byte, a Asks) {
	key := id + " " + strconv.Itoa(int(a.Marking)) + " " + a.Audience.String()
	if have, twice := c.seen[key]; twice {
		if !bytes.Equal(have, raw) {
			c.lose(id, "the event has two things of this UUID: the first counts")
		}
		return
	}
	c.seen[key], c.ids[id] = raw, true
	c.out.Objects = append(c.out.Objects, Shared{id, raw, a})
}

// version writes a draft so that it follows what is held of it; raw is the draft by itself.
func (c *converter) version(d *draft, raw []byte) ([]byte, error) {
	if c.opt.Previous == nil {
		return raw, nil
	}
	held := c.opt.Previous(d.ID)
	if held == nil {
		return raw, nil
	}
	o, err := stix.Parse(held, stix.Limits{})
	if err != nil {
		return raw, nil
	}
	created, err := stix.ParseTime(o.Created)
	if err != nil {
		return raw, nil
	}
	modified, err := stix.ParseTime(o.Modified)
	if err != nil {
		return raw, nil
	}
	next := *d
	next.Created, next.ModifiedText = created, o.Modified
	if raw, err = next.encode(); err != nil || bytes.Equal(raw, held) {
		return raw, err
	}
	event := c.stamp(c.e.Timestamp)
	switch {
	case o.Revoked: // for good (section 3.6)
		c.lose(d.ID, "it is revoked, and stays so")
		return held, nil
	case d.Modified.After(modified):
	case event.Before(modified.Truncate(time.Second)):
		c.lose(d.ID, "an older copy of the event than the one that is held: unchanged")
		return held, nil
	case event.After(modified):
		next.Modified = event
	default:
		next.Modified = modified.Add(time.Millisecond)
	}
	next.ModifiedText = ""
	return next.encode()
}

// creator writes the event's organisation.
func (c *converter) creator() {
	org := c.e.Orgc
	if org.UUID == "" {
		org = c.e.Org
	}
	c.author = c.organisation(org, c.asks)
	if c.author == "" {
		c.lose("Event.Orgc", "an event without an organisation that made it")
	}
}

func (c *converter) organisation(org misp.Org, asks Asks) string {
	if org.UUID == "" || org.Name == "" {
		return ""
	}
	d := c.timeless("identity", org.UUID, asks)
	d.properties = []stix.Property{{Name: "name", Value: org.Name}, {Name: "identity_class", Value: "organization"}}
	if !c.write(d) {
		return ""
	}
	return d.ID
}
