package report

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/status"
)

func newBuffered(w io.Writer) *bufio.Writer { return bufio.NewWriter(w) }

// element is an element of a page, with the text directly in it and below it.
type element struct {
	name string
	attr map[string]string
	text *strings.Builder
}

// parse reads a page. Its style and script, which are no markup, are taken out first and given back.
func parse(t testing.TB, page string) (elements []*element, style, script string) {
	t.Helper()
	take := func(name string) (inside string) {
		head, rest, ok := strings.Cut(page, "<"+name+">")
		inside, tail, closed := strings.Cut(rest, "</"+name+">")
		if !ok || !closed || strings.Contains(tail, "<"+name) || strings.Contains(head, "<"+name) {
			t.Fatalf("the page has not one element %s", name)
		}
		page = head + tail
		return inside
	}
	style, script = take("style"), take("script")
	in := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(page, "<!doctype html>")))
	in.Strict, in.Entity, in.AutoClose = false, xml.HTMLEntity, []string{"meta", "input"}
	var open []*element
	for {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the page is no markup: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{token.Name.Local, map[string]string{}, &strings.Builder{}}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			elements, open = append(elements, e), append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			for _, e := range open {
				e.text.Write(token)
			}
		}
	}
	return elements, style, script
}

// named are the elements of a name.
func named(elements []*element, name string) (found []*element) {
	for _, e := range elements {
		if e.name == name {
			found = append(found, e)
		}
	}
	return found
}

// known elements and attributes; what is not here must not be on a page. None of them fetches or runs anything.
var (
	knownElements = strings.Fields("html head meta title body a header h1 h2 span p main dl dt dd div b ul li section svg desc g path rect line text table thead tbody tr th td small time form label input fieldset legend output details summary footer")
	knownAttrs    = strings.Fields("lang charset http-equiv content name class href id role tabindex scope colspan title aria-labelledby aria-label aria-hidden viewBox preserveAspectRatio d x y x1 x2 y1 y2 dy width height text-anchor type autocomplete spellcheck placeholder value checked datetime data-filter data-level data-key")
)

// checkPage checks what holds for every page, and gives its elements.
func checkPage(t testing.TB, page string) []*element {
	t.Helper()
	elements, style, script := parse(t, page)
	for _, e := range elements {
		if !slices.Contains(knownElements, e.name) {
			t.Errorf("a page has an element %q", e.name)
		}
		for name, value := range e.attr {
			if !slices.Contains(knownAttrs, name) {
				t.Errorf("an element %s has the attribute %s=%q", e.name, name, value)
			}
			if name == "href" && !strings.HasPrefix(value, "#") {
				t.Errorf("a link leads to %q", value)
			}
		}
	}
	policy := ""
	for _, e := range named(elements, "meta") {
		if e.attr["http-equiv"] == "Content-Security-Policy" {
			policy = e.attr["content"]
		}
	}
	want := "default-src 'none'; style-src '" + hashed(style) + "'; script-src '" + hashed(script) + "'; base-uri 'none'; form-action 'none'"
	if policy != want {
		t.Errorf("the policy is %q, want %q", policy, want)
	}
	for _, bad := range []string{"http:", "https:", "//", "url(", "@import"} {
		if strings.Contains(style, bad) {
			t.Errorf("the style has %q", bad)
		}
	}
	for _, bad := range []string{"http:", "https:", "fetch", "innerHTML", "eval", "import(", "XMLHttpRequest", "WebSocket"} {
		if strings.Contains(script, bad) {
			t.Errorf("the script has %q", bad)
		}
	}
	for _, r := range page {
		if r != '\n' && r != '\t' && visible(string(r)) != string(r) {
			t.Errorf("a %U is on the page", r)
		}
	}
	return elements
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// rows are the texts of the table of detections, row by row.
func tableRows(elements []*element) (rows []string) {
	for _, e := range named(elements, "tr") {
		if e.attr["data-level"] != "" {
			rows = append(rows, e.text.String())
		}
	}
	return rows
}

func has(t testing.TB, where, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s has no %q: %.600s", where, w, text)
		}
	}
}

func TestPage(t *testing.T) {
	var out bytes.Buffer
	w, err := New(HTML, &out, Options{})
	if err != nil {
		t.Fatal(err)
	}
	low := detection()
	low.Level, low.Title, low.Time, low.Computer, low.Tags = "low", "Quiet", at(3600), "dc01", []string{"attack.discovery", "attack.T1490", "attack.t1033.001", "attack.t99"}
	none := &status.Detection{RuleID: "evil.example", Fields: map[string]string{}}
	for _, d := range []*status.Detection{none, low, detection(), detection()} {
		if err := w.Detection(d); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		w.Problem("broken.evtx", errors.New("chunk 7: wrong checksum"))
	}
	w.Problem("other.json", errors.New("line 9: no JSON"))
	err = w.Close(Summary{
		Made: at(9999), RulesLoaded: 3141, RulesRejected: 7, IndicatorsLoaded: 12, IndicatorsRejected: 5, Files: 153, Skipped: 9, Events: 20_000,
		Bytes: 3 << 20, First: at(0), Last: at(7200), Errors: 6,
	})
	if err != nil {
		t.Fatal(err)
	}
	elements := checkPage(t, out.String())
	body := named(elements, "body")[0].text.String()
	has(t, "the page", body,
		"events from 2026-03-02 03:00:00 to 2026-03-02 05:00:00 UTC", "made 2026-03-02 05:46:39 UTC", "20,000", "0.2 in 1,000 events", "3.0 MiB decoded",
		"153", "9 without telemetry", "3,141", "7 rejected", "5 rejected", "broken.evtx", "chunk 7: wrong checksum", "other.json", "2 more problems are not listed",
		"1 without a time", "all 4, the highest level first")
	rows := tableRows(elements)
	if len(rows) != 4 {
		t.Fatalf("%d rows", len(rows))
	}
	has(t, "the first row", rows[0], "high", "2026-03-02 03:00:07.678", "Shadow Copies Deleted", "A. Writer, B. Writer · DRL-1.1", "ws01.example", "1 Microsoft-Windows-Sysmon/Operational",
		"CommandLine", `vssadmin "delete" shadows, quietly`, "c947b146-0abc-4c87-9c64-b17e9d7274a2", "attack.t1490", "evidence.zip!ws01.evtx, record 4711")
	has(t, "the third row", rows[2], "Quiet", "dc01", "low")
	has(t, "the last row", rows[3], "unrated", "evil.example", "author unknown", "–")
	// T1490 is of both rules, with the tactics of both, in ATT&CK's order; t99 is no technique.
	has(t, "ATT&CK", regexp.MustCompile(`\s+`).ReplaceAllString(body, " "), "T1490discovery, impact2high3", "T1033.001discovery1low1")
	if strings.Contains(body, "T99") {
		t.Error("t99 is taken for a technique")
	}
	for _, e := range named(elements, "desc") {
		has(t, "the drawing's description", e.text.String(), "3 detections from 2026-03-02 03:00", "2 high, 1 low", "The tallest bar has 2")
	}
}

// TestEmptyPage: a scan that found nothing says so.
func TestEmptyPage(t *testing.T) {
	has(t, "the page", named(checkPage(t, written(t, HTML, Summary{})), "body")[0].text.String(), "Nothing was detected.", "No rule detected anything.")
}

// TestHostilePage: nothing of a record or a rule becomes markup or hides.
func TestHostilePage(t *testing.T) {
	d := hostile("")
	d.Level = "critical"
	page := written(t, HTML, Summary{}, d, hostile("="))
	elements := checkPage(t, page)
	if rows := tableRows(elements); len(rows) != 2 || !strings.Contains(rows[0], "<script>alert(1)</script>") || !strings.Contains(rows[0], "‹U+202E›gnp.exe") {
		t.Errorf("%q", rows)
	}
	if strings.Contains(page, "<script>alert") || strings.Contains(page, "<img") {
		t.Error("a text became markup")
	}
	for _, e := range named(elements, "a") {
		if f, ok := e.attr["data-filter"]; ok && !strings.Contains(f, "alert") && !strings.HasPrefix(f, "attack.") {
			t.Errorf("a filter is %q", f)
		}
	}
	if got := html.UnescapeString(page); !strings.Contains(got, `{{.}}`) {
		t.Error("a text was taken for a template")
	}
}

// TestPageIsBounded: the table has the highest levels, of one level the earliest; what it leaves out is said; long
// texts and many fields are cut.
func TestPageIsBounded(t *testing.T) {
	var out bytes.Buffer
	w, _ := New(HTML, &out, Options{})
	for i := range 3 * maxTable {
		d := detection()
		d.Level = []string{"low", "medium", "informational"}[i%3]
		d.Time = at(float64(3*maxTable - i)) // the last one is the earliest
		d.Record = fmt.Sprint(i)
		if i%6000 == 5 {
			d.Level, d.Title = "critical", strings.Repeat("long ", 10_000)
			d.Tags = slices.Repeat([]string{strings.Repeat("tag", 1000)}, 1000)
			for j := range 1000 {
				d.Fields[fmt.Sprintf("%03d%s", j, strings.Repeat("n", 1000))] = strings.Repeat("v", 10_000)
			}
		}
		if err := w.Detection(d); err != nil {
			t.Fatal(err)
		}
		w.Problem(fmt.Sprint("file", i), errors.New(strings.Repeat("why ", 1000)))
	}
	if err := w.Close(Summary{Errors: 3 * maxTable}); err != nil {
		t.Fatal(err)
	}
	elements := checkPage(t, out.String())
	rows := tableRows(elements)
	if len(rows) != maxTable || out.Len() > maxTable*2<<10 {
		t.Fatalf("%d rows, %d bytes", len(rows), out.Len())
	}
	has(t, "the first row", rows[0], "critical", "more fields are in the other formats")
	has(t, "the second row", rows[1], "medium", "record 5998") // of the medium ones, the earliest
	body := named(elements, "body")[0].text.String()
	has(t, "the page", body, "2,000 of 6,000, the highest levels first: 1 of 1 critical, 1,999 of 2,000 medium, 0 of 2,000 low, 0 of 1,999 informational", "5,950 more problems are not listed")
}

// TestTallyIsBounded: what is too much to be told apart is counted together.
func TestTallyIsBounded(t *testing.T) {
	p := newPage(newBuffered(io.Discard))
	const beyond = 10
	long := strings.Repeat("k", 100_000)
	for i := range maxKeys + beyond {
		d := &status.Detection{RuleID: fmt.Sprint(i), Title: "t", Computer: fmt.Sprint(i), Level: "low"}
		if i == 0 {
			d.RuleID, d.Computer = long, long
		}
		if err := p.Detection(d); err != nil {
			t.Fatal(err)
		}
		p.Problem(fmt.Sprint(i), errors.New("why"))
	}
	if p.tally.otherRules != beyond || p.tally.otherComputers != beyond || p.tally.otherTroubles != beyond {
		t.Errorf("%d rules, %d computers, %d files with problems were too many", p.tally.otherRules, p.tally.otherComputers, p.tally.otherTroubles)
	}
	for key := range p.tally.computers {
		if len(key) > maxKey {
			t.Errorf("a key of %d bytes is kept", len(key))
		}
	}
	has(t, "the page", p.view(Summary{}).ComputersMore, "10 detections of further ones")
}

// TestBars: buckets fit the span, all detections are in them or said to be beside them.
func TestBars(t *testing.T) {
	for name, c := range map[string]struct {
		times  []time.Time
		width  string
		n      int
		beside string
	}{
		"one moment":   {[]time.Time{at(0)}, "second", 1, ""},
		"two minutes":  {[]time.Time{at(0), at(1), at(119)}, "second", 120, ""},
		"a day":        {[]time.Time{at(0), at(86400)}, "30 minutes", 49, ""},
		"before 1970":  {[]time.Time{time.Unix(-100, 0), time.Unix(-1, 0)}, "second", 100, ""},
		"far apart":    {[]time.Time{time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}, "100000 days", 32, ""},
		"with a stray": {append(slices.Repeat([]time.Time{at(0), at(60)}, 99), time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)), "second", 61, "1 later, the last of 2099-01-01"},
		"two strays": {append(slices.Repeat([]time.Time{at(0), at(3600)}, 150), time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)),
			"minute", 61, "1 earlier, the first of 1601-01-01; 1 later, the last of 2099-01-01"},
		"no strays": {append(slices.Repeat([]time.Time{at(0), at(60)}, 10), time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)), "500 days", 54, ""},
	} {
		ts := newTimes()
		for _, at := range c.times {
			ts.add(at.Unix(), 1)
		}
		b := ts.bars()
		var all counts
		for i := range b.n {
			all.add(&b.n[i])
		}
		if all[1]+b.before.n+b.after.n != int64(len(c.times)) {
			t.Errorf("%s: %d detections are in bars, %d and %d beside them", name, all[1], b.before.n, b.after.n)
		}
		if said := strings.Join(beside(b, 0), "; "); spanWord(b.width) != c.width || len(b.n) != c.n || said != c.beside {
			t.Errorf("%s: %d bars of a %s, %q; want %d, %s, %q", name, len(b.n), spanWord(b.width), said, c.n, c.width, c.beside)
		}
		if drawChart(b, 0) == nil {
			t.Errorf("%s is not drawn", name)
		}
	}
	if ts := newTimes(); drawChart(ts.bars(), 3) != nil {
		t.Error("nothing is drawn")
	}
}

// TestBarsWiden: however many moments there are, few buckets are kept, and none of the detections is lost.
func TestBarsWiden(t *testing.T) {
	ts := newTimes()
	const n = 100_000
	for i := range int64(n) {
		ts.add((i*7919%n-n/2)*1000, int(i%3))
		if len(ts.buckets) > maxBuckets {
			t.Fatalf("%d buckets", len(ts.buckets))
		}
	}
	b := ts.bars()
	var all counts
	for i := range b.n {
		all.add(&b.n[i])
	}
	if all.sum() != n || len(b.n) > maxBars || len(b.n) < maxBars/4 {
		t.Errorf("%d detections in %d bars of a %s", all.sum(), len(b.n), spanWord(b.width))
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", -123: "-123"} {
		if got := count(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]int64{1: 1, 3: 4, 5: 6, 9: 10, 11: 20, 264: 400, 5e17: 6e17} {
		if got := ceiling(n); got != want {
			t.Errorf("above %d is %d, want %d", n, got, want)
		}
	}
}
