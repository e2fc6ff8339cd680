package report

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"shieldwall/internal/status"
)

// columns are a kind of table: its header and how a detection is said in it.
type columns struct {
	header []string
	row    func(*status.Detection) []string
}

// csvTable has the columns of Hayabusa's `csv-timeline` with its standard profile (version 3.10), in their order;
// behind them stand ours, for a detection without its rule's author and licence must not be passed on. The
// other differences: times are UTC whatever the machine's zone, channels have their full names, RecordID is the
// line or number of the record where the format has no record ids, Details are the fields that the rule names, and
// ExtraFieldInfo, which would be the record's others, is empty.
var csvTable = columns{
	header: []string{
		"Timestamp", "RuleTitle", "Level", "Computer", "Channel", "EventID", "RecordID", "Details", "ExtraFieldInfo", "RuleID",
		"RuleAuthor", "RuleLicense", "Tags", "Source", "Publisher", "DuplicateOf", "Indicator", "Confidence", "ValidUntil",
	},
	row: func(d *status.Detection) []string {
		at := ""
		if !d.Time.IsZero() {
			at = d.Time.UTC().Format("2006-01-02 15:04:05.000 -07:00")
		}
		return []string{
			at, cell(d.Title), levels[rankOf(d.Level)].short, cell(d.Computer), cell(d.Channel), cell(d.EventID), cell(d.Record),
			cell(details(d.Fields)), "", cell(d.RuleID),
			cell(d.Author), cell(d.License), cell(strings.Join(d.Tags, between)), cell(d.Source), cell(d.Publisher), cell(d.DuplicateOf),
			cell(d.Indicator), confidence(d), until(d),
		}
	},
}

// between stands between the parts of a cell, as in Hayabusa's timelines.
const between = " ¦ "

// timesketchTable has what Timesketch's importer asks for (message, datetime, timestamp_desc), the time in
// microseconds, and the rest as attributes. `tag` is a JSON list, which the importer makes the event's tags. All
// datetimes have one shape, for pandas guesses it from the first. An event id or record that is missing is a
// dash: beside empty cells pandas would make 4688.0 of 4688.
var timesketchTable = columns{
	header: []string{
		"message", "datetime", "timestamp_desc", "timestamp", "rule_id", "rule_title", "level", "computer", "channel", "event_id", "record",
		"details", "author", "license", "tag", "source", "publisher", "duplicate_of", "indicator", "confidence", "valid_until",
	},
	row: func(d *status.Detection) []string {
		at, desc, message := d.Time.UTC(), "Event Logged", cmp.Or(d.Title, d.RuleID)
		if d.Computer != "" {
			message += " on " + d.Computer
		}
		if at.Before(pandasFirst) || at.After(pandasLast) {
			// The importer drops a row whose time it cannot hold. Nothing may be lost, so it gets the mark that
			// plaso gives to what has no time.
			if !at.IsZero() {
				message += " (time: " + at.Format(time.RFC3339Nano) + ")"
			}
			at, desc = time.Unix(0, 0).UTC(), "Not a time"
		}
		return []string{
			cell(message), at.Format("2006-01-02T15:04:05.000000-07:00"), desc, strconv.FormatInt(at.UnixMicro(), 10),
			cell(d.RuleID), cell(d.Title), levels[rankOf(d.Level)].word, cell(d.Computer), cell(d.Channel), orDash(d.EventID), orDash(d.Record),
			cell(details(d.Fields)), cell(d.Author), cell(d.License), tagList(d.Tags), cell(d.Source), cell(d.Publisher), cell(d.DuplicateOf),
			cell(d.Indicator), confidence(d), until(d),
		}
	},
}

// The times that pandas can hold: 64 bits of nanoseconds around 1970, whole seconds of them.
var (
	pandasFirst = time.Date(1677, 9, 21, 0, 12, 44, 0, time.UTC)
	pandasLast  = time.Date(2262, 4, 11, 23, 47, 16, 0, time.UTC)
)

// details spells fields as Hayabusa does, in the order of their names.
func details(fields map[string]string) string {
	var b strings.Builder
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(name + ": " + fields[name])
	}
	return b.String()
}

// confidence is the publisher's in an indicator; empty where it gave none.
func confidence(d *status.Detection) string {
	if d.Confidence <= 0 {
		return ""
	}
	return strconv.Itoa(d.Confidence)
}

// until is when an indicator ends; empty where its publisher did not say.
func until(d *status.Detection) string {
	if d.ValidUntil.IsZero() {
		return ""
	}
	return d.ValidUntil.UTC().Format("2006-01-02 15:04:05 -07:00")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return cell(s)
}

func tagList(tags []string) string {
	clean := make([]string, len(tags))
	for i, tag := range tags {
		clean[i] = visible(tag)
	}
	list, _ := json.Marshal(clean) // a list of texts always has a form in JSON
	return string(list)
}

// cell makes a text safe to be opened in a spreadsheet: it is one line (RFC 4180 would allow more, but where a
// comma is not the system's separator a spreadsheet starts a row at each), and where it could start a formula an
// apostrophe stands before it, which makes it text (OWASP, "CSV injection").
func cell(s string) string {
	if startsFormula(s) {
		return "'" + semicolons.Replace(visible(s))
	}
	if s = visible(s); strings.Contains(s, ";") {
		s = semicolons.Replace(s)
	}
	return s
}

// startsFormula says whether a spreadsheet might take a cell for a formula; some take the wide forms too.
func startsFormula(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	return s != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first)
}

// semicolons guards what becomes a cell of its own where the system's separator is a semicolon, as it is in much
// of Europe.
var semicolons = strings.NewReplacer(";=", ";'=", ";+", ";'+", ";-", ";'-", ";@", ";'@")

// table writes a timeline: rows in the order of their times, those without one last.
type table struct {
	out  *bufio.Writer
	kind columns
	rows *sorter
	enc  *csv.Writer // into rows
}

func newTable(out *bufio.Writer, kind columns, scratch func() (Scratch, error)) *table {
	t := &table{out: out, kind: kind, rows: &sorter{limits: limits{maxRows, maxText, maxRuns}, scratch: scratch}}
	t.enc = csv.NewWriter(&t.rows.buf)
	return t
}

// Detection adds a row.
func (t *table) Detection(d *status.Detection) error {
	if err := t.enc.Write(t.kind.row(d)); err != nil {
		return err
	}
	t.enc.Flush()
	if err := t.enc.Error(); err != nil {
		return err
	}
	return t.rows.add(d.Time)
}

// Problem has no place in a table.
func (t *table) Problem(string, error) {}

// Close sorts and writes.
func (t *table) Close(Summary) error {
	header := csv.NewWriter(t.out)
	if err := header.Write(t.kind.header); err != nil {
		return err
	}
	header.Flush()
	if err := header.Error(); err != nil {
		return err
	}
	if err := t.rows.writeTo(t.out); err != nil {
		return err
	}
	return t.out.Flush()
}
