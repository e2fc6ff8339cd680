package scan

import (
	"strings"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/match"
	"shieldwall/internal/status"
)

// detection says what was met, in the words of DESIGN.md, "The command line".
func detection(ev *event.Event, h match.Hit) status.Detection {
	d := status.Detection{
		Time: ev.Time.UTC(), RuleID: h.RuleID, Title: h.Title, Level: h.Level, Author: h.Author, License: h.License,
		Tags: h.Tags, Source: ev.Source, Record: ev.Record, Computer: ev.Computer, Channel: ev.Channel,
		EventID: ev.EventID, Fields: make(map[string]string, len(h.Fields)),
	}
	if y := d.Time.Year(); y < 1 || y > 9999 {
		d.Time = time.Time{} // a hostile record may name a year that JSON cannot spell
	}
	if d.RuleID == "" && h.Indicator != nil {
		d.RuleID = h.Indicator.Value
	}
	if d.Tags == nil {
		d.Tags = []string{}
	}
	for _, f := range h.Fields {
		d.Fields[f.Name] = text(f.Value)
	}
	return d
}

// text spells a field's value; a list's members stand behind one another.
func text(v event.Value) string {
	if v.Kind != event.List {
		return v.Text
	}
	texts := make([]string, len(v.Items))
	for i, item := range v.Items {
		texts[i] = item.Text
	}
	return strings.Join(texts, ", ")
}
