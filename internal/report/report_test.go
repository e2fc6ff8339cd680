package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/status"
)

// at is so many seconds into a night.
func at(seconds float64) time.Time {
	return time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

// detection is a usual one.
func detection() *status.Detection {
	return &status.Detection{
		Time: at(7.6789), RuleID: "c947b146-0abc-4c87-9c64-b17e9d7274a2", Title: "Shadow Copies Deleted", Level: "high",
		Author: "A. Writer, B. Writer", License: "DRL-1.1", Tags: []string{"attack.impact", "attack.t1490"},
		Source: "evidence.zip!ws01.evtx", Record: "4711", Computer: "ws01.example", Channel: "Microsoft-Windows-Sysmon/Operational", EventID: "1",
		Fields: map[string]string{"Image": `C:\Windows\System32\vssadmin.exe`, "CommandLine": `vssadmin "delete" shadows, quietly`},
	}
}

// nasty is a text that tries to be everything else.
const nasty = "</script><script>alert(1)</script>\"'`>\r\n=cmd|' /c calc'!A0,\x00\x1b[2J\u202egnp.exe\u2066\u200b\u2028<img src=x onerror=alert(2)>{{.}}]]>-->\xff"

// hostile has the nasty text everywhere, behind a prefix.
func hostile(prefix string) *status.Detection {
	text := prefix + nasty
	return &status.Detection{
		Time: at(1), RuleID: text, Title: text, Level: text, Author: text, License: text, Tags: []string{text, "attack.t1059" + nasty},
		Source: text, Record: text, Computer: text, Channel: text, EventID: text, Fields: map[string]string{text: text, "b": "\t" + text},
		Publisher: text, DuplicateOf: text, Indicator: text,
	}
}

// written is what a format makes of detections.
func written(t testing.TB, format string, s Summary, detections ...*status.Detection) string {
	t.Helper()
	var out bytes.Buffer
	w, err := New(format, &out, Options{Scratch: scratchIn(t)})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range detections {
		if err := w.Detection(d); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(s); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// scratchIn makes scratch files that are gone after the test.
func scratchIn(t testing.TB) func() (Scratch, error) {
	return func() (Scratch, error) {
		f, err := os.CreateTemp(t.TempDir(), "scratch")
		if err == nil {
			t.Cleanup(func() { f.Close() })
		}
		return f, err
	}
}

// rowsOf reads a table back, each row by its columns' names.
func rowsOf(t testing.TB, text string) (header []string, rows []map[string]string) {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll() // it wants as many cells in each row as in the first
	if err != nil || len(all) == 0 {
		t.Fatalf("%d rows, %v", len(all), err)
	}
	for _, cells := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			row[name] = cells[i]
		}
		rows = append(rows, row)
	}
	return all[0], rows
}

func TestFormats(t *testing.T) {
	if _, err := New("xls", io.Discard, Options{}); err == nil || !strings.Contains(err.Error(), "jsonl, csv, timesketch, html") {
		t.Errorf("an unknown format: %v", err)
	}
	for _, format := range Formats {
		w, err := New(format, failing{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		w.Problem("x", errors.New("y"))
		if err := errors.Join(w.Detection(detection()), w.Close(Summary{})); !errors.Is(err, errFull) {
			t.Errorf("%s: a lost write gives %v", format, err)
		}
	}
}

var errFull = errors.New("the disk is full")

type failing struct{}

func (failing) Write([]byte) (int, error)         { return 0, errFull }
func (failing) ReadAt([]byte, int64) (int, error) { return 0, errFull }

// TestLines: JSON lines say all, in the order in which it came.
func TestLines(t *testing.T) {
	later := detection()
	later.Time = at(-5)
	in := json.NewDecoder(strings.NewReader(written(t, JSONL, Summary{}, detection(), later, hostile("="))))
	in.DisallowUnknownFields()
	var got [3]status.Detection
	for i := range got {
		if err := in.Decode(&got[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !got[1].Time.Equal(at(-5)) || got[0].Fields["Image"] != detection().Fields["Image"] || got[0].License != "DRL-1.1" {
		t.Errorf("%+v", got)
	}
	if want := strings.ToValidUTF8("="+nasty, "\ufffd"); got[2].Title != want || got[2].Fields[want] != want {
		t.Errorf("%q, want %q", got[2].Title, want)
	}
	if _, err := in.Token(); err != io.EOF {
		t.Errorf("more than three: %v", err)
	}
}

// TestCSV: Hayabusa's columns come first, then author and licence.
func TestCSV(t *testing.T) {
	header, rows := rowsOf(t, written(t, CSV, Summary{}, detection()))
	want := "Timestamp,RuleTitle,Level,Computer,Channel,EventID,RecordID,Details,ExtraFieldInfo,RuleID,RuleAuthor,RuleLicense,Tags,Source,Publisher,DuplicateOf,Indicator,Confidence,ValidUntil"
	if got := strings.Join(header, ","); got != want {
		t.Errorf("columns %s, want %s", got, want)
	}
	for name, want := range map[string]string{
		"Timestamp": "2026-03-02 03:00:07.678 +00:00", "RuleTitle": "Shadow Copies Deleted", "Level": "high", "Computer": "ws01.example",
		"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": "1", "RecordID": "4711",
		"Details": `CommandLine: vssadmin "delete" shadows, quietly ¦ Image: C:\Windows\System32\vssadmin.exe`, "ExtraFieldInfo": "",
		"RuleID": "c947b146-0abc-4c87-9c64-b17e9d7274a2", "RuleAuthor": "A. Writer, B. Writer", "RuleLicense": "DRL-1.1",
		"Tags": "attack.impact ¦ attack.t1490", "Source": "evidence.zip!ws01.evtx", "Publisher": "", "DuplicateOf": "",
	} {
		if got := rows[0][name]; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for level, want := range map[string]string{
		"critical": "crit", "high": "high", "medium": "med", "low": "low", "informational": "info", "": "", "HIGH": "high", "odd": "",
	} {
		d := detection()
		d.Level, d.Time = level, time.Time{}
		if _, rows := rowsOf(t, written(t, CSV, Summary{}, d)); rows[0]["Level"] != want || rows[0]["Timestamp"] != "" {
			t.Errorf("level %q at no time is %q at %q, want %q", level, rows[0]["Level"], rows[0]["Timestamp"], want)
		}
	}
}

// TestIndicator: what a publisher says of an indicator is in each format.
func TestIndicator(t *testing.T) {
	d := &status.Detection{RuleID: "evil.example", Indicator: "domain-name evil.example, line 7", Confidence: 80, ValidUntil: at(0), Publisher: "cert"}
	_, rows := rowsOf(t, written(t, CSV, Summary{}, d))
	if r := rows[0]; r["Indicator"] != d.Indicator || r["Confidence"] != "80" || r["ValidUntil"] != "2026-03-02 03:00:00 +00:00" || r["Publisher"] != "cert" {
		t.Errorf("%v", r)
	}
	_, rows = rowsOf(t, written(t, Timesketch, Summary{}, d))
	if r := rows[0]; r["indicator"] != d.Indicator || r["confidence"] != "80" || r["valid_until"] != "2026-03-02 03:00:00 +00:00" || r["message"] != "evil.example" {
		t.Errorf("%v", r)
	}
	page := tableRows(checkPage(t, written(t, HTML, Summary{}, d)))
	has(t, "the row", page[0], "domain-name evil.example, line 7, confidence 80, valid until 2026-03-02 03:00:00 +00:00", "shared by cert")
}

// TestTimesketch: what the importer wants, and no row that it would drop.
func TestTimesketch(t *testing.T) {
	old, none := detection(), detection()
	old.Time, none.Time = time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{}
	none.EventID, none.Record, none.Tags = "", "", nil
	early := detection()
	early.Time = time.Unix(-1, 500e6)
	header, rows := rowsOf(t, written(t, Timesketch, Summary{}, detection(), none, early, old))
	for _, name := range []string{"message", "datetime", "timestamp_desc", "timestamp", "rule_id", "level", "computer", "channel", "event_id", "tag", "author", "license"} {
		if !slices.Contains(header, name) {
			t.Errorf("no column %s", name)
		}
	}
	check := func(row map[string]string, want map[string]string) {
		t.Helper()
		for name, want := range want {
			if row[name] != want {
				t.Errorf("%s: %q, want %q", name, row[name], want)
			}
		}
	}
	check(rows[0], map[string]string{"datetime": "1970-01-01T00:00:00.000000+00:00", "timestamp": "0", "timestamp_desc": "Not a time", "message": "Shadow Copies Deleted on ws01.example (time: 1601-01-01T00:00:00Z)"})
	check(rows[1], map[string]string{"datetime": "1969-12-31T23:59:59.500000+00:00", "timestamp": "-500000", "timestamp_desc": "Event Logged"})
	check(rows[2], map[string]string{
		"datetime": "2026-03-02T03:00:07.678900+00:00", "timestamp": fmt.Sprint(at(7.6789).UnixMicro()), "timestamp_desc": "Event Logged",
		"message": "Shadow Copies Deleted on ws01.example", "level": "high", "event_id": "1", "record": "4711", "rule_id": detection().RuleID,
		"author": "A. Writer, B. Writer", "license": "DRL-1.1", "tag": `["attack.impact","attack.t1490"]`, "source": "evidence.zip!ws01.evtx",
	})
	check(rows[3], map[string]string{"timestamp_desc": "Not a time", "event_id": "-", "record": "-", "tag": "[]", "message": "Shadow Copies Deleted on ws01.example"})
}

// TestHostileTables: a row is a line, and no cell is a formula, wherever the text stands.
func TestHostileTables(t *testing.T) {
	for _, format := range []string{CSV, Timesketch} {
		for _, start := range []string{"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＠", "harmless"} {
			text := written(t, format, Summary{}, hostile(start))
			checkTable(t, text, 1)
			_, rows := rowsOf(t, text)
			want := start + "</script>"
			if start != "harmless" {
				want = "'" + visible(start) + "</script>"
			}
			for _, column := range []string{"Computer", "computer"} {
				if got, ok := rows[0][column]; ok && !strings.HasPrefix(got, want) {
					t.Errorf("%s: %q does not start with %q", format, got, want)
				}
			}
			if !strings.Contains(text, "␀␛[2J‹U+202E›gnp.exe‹U+2066›‹U+200B›‹U+2028›") {
				t.Errorf("%s: what was hidden is not spelled out: %s", format, text)
			}
		}
	}
	if got := cell("a;=b;@c;d"); got != "a;'=b;'@c;d" {
		t.Errorf("where a semicolon separates, a cell is a formula: %s", got)
	}
}

// checkTable checks what holds for any detections.
func checkTable(t testing.TB, text string, n int) {
	t.Helper()
	if lines := strings.Count(text, "\n"); lines != n+1 {
		t.Errorf("%d lines, want %d", lines, n+1)
	}
	for _, r := range text {
		if r != '\n' && visible(string(r)) != string(r) {
			t.Errorf("a %U is in a table", r)
		}
	}
	header, rows := rowsOf(t, text)
	for _, row := range rows {
		for _, name := range header {
			if name != "timestamp" && row[name] != "-" && startsFormula(row[name]) {
				t.Errorf("%s is a formula: %q", name, row[name])
			}
		}
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "Zażółć 漢字 é": "Zażółć 漢字 é", "a\u00a0b": "a\u00a0b", "\x7f\u0085": "␡‹U+0085›", "a\xffb": "a\ufffdb", "\u3164": "‹U+3164›", "\ue000": "‹U+E000›",
	} {
		if got := visible(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	if got := short("e"+strings.Repeat("\u0301", 50)+"x", 99); got != "e"+strings.Repeat("\u0301", maxMarks)+"x" {
		t.Errorf("a pile of marks: %q", got)
	}
	if got := short(strings.Repeat("ä", 50), 10); got != strings.Repeat("ä", 10)+"…" {
		t.Errorf("a long text: %q", got)
	}
	if got := block("a\r\n\tb\x00\n\n", 10); got != "a\n\tb␀" {
		t.Errorf("a block: %q", got)
	}
}

// TestManyRows: a timeline far larger than what may be in memory is sorted all the same, and so is the page made.
func TestManyRows(t *testing.T) {
	const n = 200_000
	for _, format := range []string{CSV, HTML} {
		t.Run(format, func(t *testing.T) {
			out, err := os.Create(t.TempDir() + "/out")
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			scratches := 0
			w, err := New(format, out, Options{Scratch: func() (Scratch, error) { scratches++; return scratchIn(t)() }})
			if err != nil {
				t.Fatal(err)
			}
			before := inUse()
			for i := range n {
				d := detection()
				d.Time = at(float64(i * 7919 % n))
				d.Computer = fmt.Sprintf("ws%06d.%s", i, strings.Repeat("x", 100)) // each another
				d.Fields["ScriptBlockText"] = strings.Repeat("y", 600)
				if err := w.Detection(d); err != nil {
					t.Fatal(err)
				}
			}
			if grew := inUse() - before; grew > 96<<20 {
				t.Errorf("%d MiB are in use for %d detections", grew>>20, n)
			}
			if err := w.Close(Summary{}); err != nil {
				t.Fatal(err)
			}
			if format == HTML {
				return
			}
			if scratches != 1 {
				t.Errorf("%d scratch files", scratches)
			}
			if _, err := out.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			checkOrder(t, out, n)
		})
	}
}

// checkOrder reads a timeline of n rows, one a second.
func checkOrder(t *testing.T, in io.Reader, n int) {
	t.Helper()
	r := csv.NewReader(in)
	r.ReuseRecord = true
	column := 0
	for i := range n + 1 {
		row, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			column = max(slices.Index(row, "datetime"), 0) // the CSV's is the first
			continue
		}
		if want := at(float64(i - 1)).Format("15:04:05.000"); !strings.Contains(row[column], want) {
			t.Fatalf("row %d is of %s, want %s", i, row[column], want)
		}
	}
	if _, err := r.Read(); err != io.EOF {
		t.Errorf("more than %d rows", n)
	}
}

func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestSorter: rows of one time keep their order over all runs, rows without a time come last, and huge rows are
// rows.
func TestSorter(t *testing.T) {
	for _, l := range []limits{{1000, 1 << 20, 9}, {3, 1 << 20, 99}, {1000, 1, 999}, {1000, 64, 99}} {
		s := &sorter{limits: l, scratch: scratchIn(t)}
		want := make([][]string, 4)
		for i := range 200 {
			text := fmt.Sprintf("%d-%d %s\n", i%4, i, strings.Repeat("z", i%7*(i%11)))
			want[i%4] = append(want[i%4], text)
			s.buf.WriteString(text)
			when := at(float64(i % 4))
			if i%4 == 3 {
				when = time.Time{}
			}
			if err := s.add(when); err != nil {
				t.Fatal(err)
			}
			if len(s.list) >= l.rows || s.buf.Len() >= l.text {
				t.Fatalf("%d rows, %d bytes are in memory, limits %v", len(s.list), s.buf.Len(), l)
			}
		}
		if got, w := sorted(t, s), strings.Join(slices.Concat(want...), ""); got != w {
			t.Errorf("limits %v:\n%s\nwant\n%s", l, got, w)
		}
	}
}

func sorted(t *testing.T, s *sorter) string {
	t.Helper()
	var b bytes.Buffer
	out := newBuffered(&b)
	if err := errors.Join(s.writeTo(out), out.Flush()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSorterFails(t *testing.T) {
	for name, c := range map[string]struct {
		scratch func() (Scratch, error)
		limits  limits
		want    string
	}{
		"no scratch":      {nil, limits{1, 1, 9}, "no scratch file"},
		"none to be had":  {func() (Scratch, error) { return nil, errFull }, limits{1, 1, 9}, "disk is full"},
		"a full disk":     {func() (Scratch, error) { return failing{}, nil }, limits{1, 1, 9}, "disk is full"},
		"too many rows":   {scratchIn(t), limits{2, 1 << 20, 3}, "at most 6 rows"},
		"a broken reader": {func() (Scratch, error) { return &forgetful{}, nil }, limits{2, 1 << 20, 9}, "reading the scratch file"},
	} {
		s := &sorter{limits: c.limits, scratch: c.scratch}
		var err error
		for range 10 {
			s.buf.WriteString("row\n")
			if err = s.add(at(0)); err != nil {
				break
			}
		}
		if err == nil {
			err = s.writeTo(newBuffered(io.Discard))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// forgetful is a file that loses what was written.
type forgetful struct{ failing }

func (forgetful) Write(p []byte) (int, error) { return len(p), nil }
