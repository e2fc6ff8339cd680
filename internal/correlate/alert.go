package correlate

import (
	"slices"
	"strconv"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/sigma"
)

// Alert says that a correlation held.
type Alert struct {
	Key         Key
	Correlation *sigma.Correlation
	// Group are the group-by fields with their values, as they were first seen.
	Group []event.Field
	// First and Last are the times of the first and the last event of the window.
	First, Last time.Time
	// Count is what the bounds were held against: events, different values, rules seen, a sum ...
	Count float64
	// Events is how many events the window held; Hits are the first and the last of them.
	Events int
	Hits   []Reference
	// Silent says that the alert is for other correlations alone (sigma.Correlation.Generate).
	Silent bool
}

// Reference is one event that an alert stands on.
type Reference struct {
	// Rules are the rules, or correlations, that the event met.
	Rules                      []Key
	Time                       time.Time
	Source, Record             string
	Computer, Channel, EventID string
}

// telling is an alert on its way, with what other correlations ask about it.
type telling struct {
	Alert
	of     *correlation
	group  string
	at     int64
	origin *origin
	record string
	fields [][]event.Field // one for each combination of what is carried
}

// tell makes an alert of entries[lo:hi] of a group.
func (c *correlation) tell(g *group, count float64, lo, hi int) {
	c.stats.Told++
	window := g.entries[lo:hi]
	last := &window[len(window)-1]
	t := &telling{of: c, group: g.key, at: last.time, origin: last.origin, record: last.record, Alert: Alert{
		Key: c.Key, Correlation: c.Correlation, First: moment(window[0].time), Last: moment(last.time), Count: count,
		Events: len(window), Silent: c.engine.silent(c.Key),
	}}
	for i, name := range c.GroupBy {
		t.Group = append(t.Group, event.Field{Name: name, Value: event.Str(g.shown[i])})
	}
	for i := range window {
		if i < MaxHits/2 || i >= len(window)-MaxHits/2 {
			t.Hits = append(t.Hits, c.reference(&window[i]))
		}
	}
	if len(c.parents) > 0 {
		t.fields = c.project(window, t.Group)
	}
	c.engine.told = append(c.engine.told, t)
}

func moment(at int64) time.Time { return time.Unix(0, at).UTC() }

func (c *correlation) reference(e *entry) Reference {
	r := Reference{
		Time: moment(e.time), Source: e.origin.source, Record: e.record,
		Computer: e.origin.computer, Channel: e.origin.channel, EventID: e.origin.eventID,
	}
	for i, key := range c.Refs {
		if e.rules.has(i) {
			r.Rules = append(r.Rules, key)
		}
	}
	return r
}

// project gives the different combinations of carried fields in a window: a correlation over this one may group
// by fields that this one does not (specification, "Ordered Temporal Proximity").
func (c *correlation) project(window []entry, group []event.Field) (out [][]event.Field) {
	seen := map[string]bool{}
	for i := range window {
		var key []byte
		fields := slices.Clone(group)
		for j, f := range window[i].carry {
			key = strconv.AppendBool(key, f.ok)
			key = appendText(key, f.text)
			if f.ok {
				fields = append(fields, event.Field{Name: c.carry[j], Value: event.Str(f.text)})
			}
		}
		if !seen[string(key)] && len(seen) < maxProjected {
			seen[string(key)] = true
			out = append(out, fields)
		}
	}
	return out
}

// occurrence is the alert as correlations over it see it: it happened with its last event.
func (t *telling) occurrence() *occurrence {
	o := &occurrence{at: t.at, origin: t.origin, record: t.record}
	for _, fields := range t.fields {
		o.hits = append(o.hits, sighting{key: t.Key, fields: fields})
	}
	return o
}

// Fields are what a detection shows of the alert: the group, what was counted, since when, and the other events.
// A group-by field of the same name comes first.
func (a *Alert) Fields() []event.Field {
	others := event.Value{Kind: event.List}
	for _, h := range a.Hits[:len(a.Hits)-1] {
		others.Items = append(others.Items, event.Str(h.note()))
	}
	out := slices.Clone(a.Group)
	for _, f := range []event.Field{
		{Name: "Count", Value: event.Num(strconv.FormatFloat(a.Count, 'f', -1, 64))},
		{Name: "FirstEvent", Value: event.Str(a.First.Format(time.RFC3339Nano))},
		{Name: "Events", Value: event.Num(strconv.Itoa(a.Events))},
		{Name: "OtherEvents", Value: others},
	} {
		if !slices.ContainsFunc(a.Group, func(g event.Field) bool { return g.Name == f.Name }) {
			out = append(out, f)
		}
	}
	return out
}

// note says for an analyst which event it is.
func (r *Reference) note() string {
	out := r.Time.Format(time.RFC3339Nano)
	for _, part := range []string{r.Computer, r.Source, r.Record} {
		if part != "" {
			out += " " + part
		}
	}
	return out
}

// LastHit is the event with which the window ended.
func (a *Alert) LastHit() Reference { return a.Hits[len(a.Hits)-1] }

// Stats is what happened since the start, and what is held now.
type Stats struct {
	// Groups, Events and Bytes are held.
	Groups, Events, Bytes int
	Told                  int64
	// Late events came later than the lateness allows; of them, Dropped ones were not looked at any more.
	Late, Dropped int64
	// UsedUp events belonged to a window that had been told or turned down.
	UsedUp int64
	// Repeated events are records that were held already.
	Repeated int64
	// Ungrouped events have no value for a group-by field, Unvalued ones none that counts, Untimed ones no time.
	Ungrouped, Unvalued, Untimed int64
	// EvictedGroups and EvictedEvents were forgotten for want of room.
	EvictedGroups, EvictedEvents int64
}

func (s Stats) with(c *correlation) Stats {
	s.Groups, s.Events, s.Bytes = len(c.groups), c.events, c.bytes
	return s
}

func (s *Stats) add(t Stats) {
	s.Groups += t.Groups
	s.Events += t.Events
	s.Bytes += t.Bytes
	s.Told += t.Told
	s.Late += t.Late
	s.Dropped += t.Dropped
	s.UsedUp += t.UsedUp
	s.Repeated += t.Repeated
	s.Ungrouped += t.Ungrouped
	s.Unvalued += t.Unvalued
	s.Untimed += t.Untimed
	s.EvictedGroups += t.EvictedGroups
	s.EvictedEvents += t.EvictedEvents
}
