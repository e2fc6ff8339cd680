package detect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"shieldwall/internal/event"
	"shieldwall/internal/match"
	"shieldwall/internal/object"
	"shieldwall/internal/status"
)

// What a detection keeps of an event is cut, so that hostile telemetry cannot fill the disk. JSON may
// spell a byte with six; together they stay below maxLine.
const (
	maxFieldText = 32 << 10  // one field
	maxFieldsAll = 128 << 10 // all fields and their names
	maxText      = 1 << 10   // title, author, source and the like
	maxTags      = 32
)

// newDetection says what was met, in the words of `detections` and the page.
func newDetection(ev *event.Event, h match.Hit, seen time.Time) status.Detection {
	d := status.Detection{
		Time:     plausible(ev.Time),
		RuleID:   cut(h.RuleID, maxText),
		Title:    cut(h.Title, maxText),
		Level:    h.Level,
		Author:   cut(h.Author, maxText),
		License:  cut(h.License, maxText),
		Tags:     []string{},
		Source:   cut(ev.Source, maxText),
		Record:   cut(ev.Record, maxText),
		Computer: cut(ev.Computer, maxText),
		Channel:  cut(ev.Channel, maxText),
		EventID:  cut(ev.EventID, maxText),
		Fields:   make(map[string]string, len(h.Fields)),
		Seen:     seen,
	}
	if !object.IsLocal(h.Publisher) {
		d.Publisher = h.Publisher
	}
	if h.Indicator != nil {
		d.Indicator, d.Confidence, d.ValidUntil = cut(h.Indicator.String(), maxText), h.Confidence, h.Until
	}
	for _, tag := range h.Tags[:min(len(h.Tags), maxTags)] {
		d.Tags = append(d.Tags, cut(tag, maxText))
	}
	room := maxFieldsAll
	for _, f := range h.Fields {
		name := cut(f.Name, maxText)
		if room < len(name) {
			break
		}
		room -= len(name)
		text := cut(fieldText(f.Value), min(maxFieldText, room))
		room -= min(room, len(text))
		d.Fields[name] = text
	}
	return d
}

// fieldText spells a field's value; a list's members stand behind one another.
func fieldText(v event.Value) string {
	if v.Kind != event.List {
		return v.Text
	}
	texts := make([]string, len(v.Items))
	for i, item := range v.Items {
		texts[i] = item.Text
	}
	return strings.Join(texts, ", ")
}

// cut shortens a text to about n bytes and says by how many. It always copies: an event's strings share large
// buffers with their neighbours, which one detection that is kept would hold on to.
func cut(s string, n int) string {
	if len(s) <= n {
		return strings.Clone(s)
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return fmt.Sprintf("%s ... (%d bytes more)", s[:n], len(s)-n)
}

// plausible takes out a time that neither JSON nor STIX can spell: a hostile record may name any year.
func plausible(t time.Time) time.Time {
	t = t.UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}
	}
	return t
}

// seenAt is the time that a sighting tells: the event's own, unless it has none or lies in the future.
func seenAt(ev *event.Event, now time.Time) time.Time {
	at := plausible(ev.Time)
	if at.IsZero() || at.After(now) {
		return now
	}
	return at
}

// encodeLine makes a line of the journal.
func encodeLine(d *status.Detection) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d); err != nil {
		return nil, fmt.Errorf("writing a detection: %w", err)
	}
	return b.Bytes(), nil
}
