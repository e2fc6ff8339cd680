package web

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"shieldwall/internal/status"
)

const (
	maxFields   = 40   // of one detection
	maxRowRunes = 6000 // all field values of one detection
)

// detectionRow is one detection; opened, it shows its fields.
type detectionRow struct {
	Key       string // names the row for the browser
	Level     level
	At        stamp
	Title     string
	Computer  string
	Author    string
	Publisher string // "local" for the node's own rules
	Own       bool
	Facts     []fact
	Fields    []fact
}

// DetectionList is the newest detections that the filter lets through.
func (f *frame) DetectionList() []detectionRow {
	var rows []detectionRow
	terms := f.terms()
	for i := range f.detections {
		if len(rows) == f.View.rows {
			break
		}
		if detectionMatches(terms, &f.detections[i]) {
			rows = append(rows, f.detectionRow(&f.detections[i]))
		}
	}
	return rows
}

// RowLimit is how many detections the page keeps.
func (f *frame) RowLimit() int { return f.View.rows }

// Searched is how many of the newest detections the filter looks at.
func (f *frame) Searched() string { return count(readDetections) }

// Deaf says that nothing can be detected, because there is nothing to match with.
func (f *frame) Deaf() bool { return f.node.Rules+f.node.Indicators == 0 }

// Blind says that nothing can be detected, because no telemetry arrived.
func (f *frame) Blind() bool { return f.node.Events == 0 }

// Seen is how many events were matched.
func (f *frame) Seen() string { return count(f.node.Events) }

// Armed is how many rules and indicators they met.
func (f *frame) Armed() string {
	return count(f.node.Rules) + " rules and " + count(f.node.Indicators) + " indicators"
}

func detectionMatches(terms []string, d *status.Detection) bool {
	if len(terms) == 0 {
		return true
	}
	texts := []string{
		d.Level, d.Title, d.RuleID, d.Author, d.Computer, d.Channel, d.EventID, publisher(d), d.Source,
		strings.Join(d.Tags, "\n"),
	}
	for k, v := range d.Fields {
		texts = append(texts, k+"="+v)
	}
	return matches(terms, texts...)
}

func publisher(d *status.Detection) string {
	if d.Publisher == "" {
		return "local"
	}
	return d.Publisher
}

func (f *frame) detectionRow(d *status.Detection) detectionRow {
	at := d.Time
	if at.IsZero() {
		at = d.Seen
	}
	title := d.Title
	if title == "" {
		title = d.RuleID
	}
	return detectionRow{
		Key: detectionKey(d), Level: levelOf(d.Level), At: f.stamp(at), Title: clean(title, maxCell),
		Computer: clean(d.Computer, maxCell), Author: clean(d.Author, maxCell), Publisher: clean(publisher(d), maxLabel),
		Own: d.Publisher == "", Facts: f.detectionFacts(d), Fields: detectionFields(d.Fields),
	}
}

// detectionFacts are what is known about a detection besides the event's fields.
func (f *frame) detectionFacts(d *status.Detection) []fact {
	out := []fact{
		{"Happened", f.stamp(d.Time).Full, false},
		{"Seen here", f.stamp(d.Seen).Full, false},
		{"Rule", clean(d.RuleID, maxCell), true},
		{"Author", clean(d.Author, maxCell), false},
		{"Licence", clean(d.License, maxCell), false},
		{"Tags", clean(strings.Join(d.Tags, "  "), 2*maxCell), false},
		{"Computer", clean(d.Computer, maxCell), true},
		{"Channel", clean(strings.TrimSpace(d.Channel+"  "+d.EventID), maxCell), false},
		{"Record", clean(strings.TrimSpace(d.Source+"  "+d.Record), 2*maxCell), true},
	}
	return slices.DeleteFunc(out, func(x fact) bool { return x.Value == "" })
}

// detectionFields are the event's fields that the rule names, by name, within the row's limits.
func detectionFields(fields map[string]string) []fact {
	var out []fact
	room := maxRowRunes
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i == maxFields || room <= 0 {
			return append(out, fact{Name: "…", Value: fmt.Sprintf("%d more fields; `shieldwall detections --json` prints all", len(fields)-i)})
		}
		value := cleanBlock(fields[name], min(maxField, room))
		room -= len(value)
		out = append(out, fact{Name: clean(name, maxLabel), Value: value, Mono: true})
	}
	return out
}

// detectionKey names a row: the same detection, read from the list or followed live, has the same key.
func detectionKey(d *status.Detection) string {
	return key("d", d.Time.Format(time.RFC3339Nano), d.Seen.Format(time.RFC3339Nano), d.RuleID, d.Source, d.Record, d.Computer)
}
