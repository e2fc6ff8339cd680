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
		Time: plausible(ev.Time), RuleID: h.RuleID, Title: h.Title, Level: h.Level, Author: h.Author, License: h.License,
		Tags: h.Tags, Source: ev.Source, Record: strings.Clone(ev.Record), Computer: strings.Clone(ev.Computer), Channel: strings.Clone(ev.Channel),
		EventID: strings.Clone(ev.EventID), Fields: make(map[string]string, len(h.Fields)),
	}
	if d.RuleID == "" && h.Indicator != nil {
		d.RuleID = h.Indicator.Value
	}
	if h.Indicator != nil {
		d.Indicator, d.Confidence, d.ValidUntil = h.Indicator.String(), h.Confidence, h.Until
	}
	if d.Tags == nil {
		d.Tags = []string{}
	}
	for _, f := range h.Fields {
		d.Fields[strings.Clone(f.Name)] = text(f.Value)
	}
	return d
}

// plausible takes out a time that JSON cannot spell: a hostile record may name any year.
func plausible(t time.Time) time.Time {
	t = t.UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}
	}
	return t
}

// text spells a field's value; a list's members stand behind one another.
func text(v event.Value) string {
	if v.Kind != event.List {
		return strings.Clone(v.Text) // events borrow their memory
	}
	texts := make([]string, len(v.Items))
	for i, item := range v.Items {
		texts[i] = item.Text
	}
	return strings.Clone(strings.Join(texts, ", ")) // of one text, Join gives that
}
