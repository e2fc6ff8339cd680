package scan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zip"

	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/match"
	"shieldwall/internal/status"
	"shieldwall/internal/stix"
)

const vssRule = `title: Shadow Copies Deleted
id: c947b146-0abc-4c87-9c64-b17e9d7274a2
author: A. Writer
license: DRL-1.1
level: high
tags: [attack.impact]
logsource: {product: windows, category: process_creation}
detection:
    selection:
        CommandLine|contains: 'delete shadows'
    condition: selection
`

// vssLine is a process creation, as Sysmon's flat JSON.
func vssLine(record int, commandLine string) string {
	b, err := json.Marshal(map[string]any{
		"@timestamp": "2026-03-02T03:11:07.666Z", "Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1,
		"RecordNumber": record, "Computer": "ws01.example", "CommandLine": commandLine,
	})
	if err != nil {
		return err.Error()
	}
	return string(b) + "\n"
}

// files writes files below a new folder.
func files(t testing.TB, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// result is all that a run gave.
type result struct {
	Stats
	err        error
	detections []status.Detection
	rejected   []Rejected
	problems   []Problem
	skipped    []Skipped
}

func run(t testing.TB, opt Options) (out result) {
	t.Helper()
	var b bytes.Buffer
	opt.Out = &b
	opt.Now = time.Now
	opt.OnRejected = func(r Rejected) { out.rejected = append(out.rejected, r) }
	opt.OnProblem = func(p Problem) { out.problems = append(out.problems, p) }
	opt.OnSkipped = func(s Skipped) { out.skipped = append(out.skipped, s) }
	out.Stats, out.err = Run(t.Context(), opt)
	for line := range bytes.Lines(b.Bytes()) {
		var d status.Detection
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&d); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		out.detections = append(out.detections, d)
	}
	if out.Detections != int64(len(out.detections)) || out.Errors != int64(len(out.problems)) || out.Skipped != int64(len(out.skipped)) {
		t.Errorf("counted %+v; %d lines, %d problems, %d skipped", out.Stats, len(out.detections), len(out.problems), len(out.skipped))
	}
	return out
}

func TestRun(t *testing.T) {
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	member, err := z.Create("in/b.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(member, vssLine(9, "whoami")+vssLine(10, "vssadmin <delete shadows>")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	rules := files(t, map[string]string{"a/vss.yml": vssRule, "readme.md": "# rules"})
	dir := files(t, map[string]string{
		"a.jsonl": vssLine(7, "vssadmin delete shadows /all") + "{broken\n" + vssLine(8, "dir"), "b.zip": archive.String(),
		"notes.txt": "no telemetry", "z.json": vssLine(11, "delete shadows"),
	})
	got := run(t, Options{Rules: []string{rules}, Paths: []string{dir}})
	if got.err != nil {
		t.Fatal(got.err)
	}
	want := status.Detection{
		Time: time.Date(2026, 3, 2, 3, 11, 7, 666e6, time.UTC), RuleID: "c947b146-0abc-4c87-9c64-b17e9d7274a2",
		Title: "Shadow Copies Deleted", Level: "high", Author: "A. Writer", License: "DRL-1.1", Tags: []string{"attack.impact"},
		Source: filepath.Join(dir, "a.jsonl"), Record: "1", Computer: "ws01.example",
		Channel: "Microsoft-Windows-Sysmon/Operational", EventID: "1",
		Fields: map[string]string{"CommandLine": "vssadmin delete shadows /all"},
	}
	if len(got.detections) != 3 {
		t.Fatalf("%d detections, want 3: %+v; %v", len(got.detections), got.detections, got.problems)
	}
	if d := got.detections[0]; !reflect.DeepEqual(d, want) {
		t.Errorf("first detection\n%+v, want\n%+v", d, want)
	}
	if d := got.detections[1]; d.Source != filepath.Join(dir, "b.zip")+"!in/b.json" || d.Record != "2" || d.Fields["CommandLine"] != "vssadmin <delete shadows>" {
		t.Errorf("second detection %+v", d)
	}
	if len(got.problems) != 1 || got.problems[0].Source != want.Source || !errors.Is(got.problems[0], jsonl.ErrSyntax) {
		t.Errorf("problems: %v", got.problems)
	}
	if !slices.Equal(got.skipped, []Skipped{{Source: filepath.Join(dir, "notes.txt")}}) {
		t.Errorf("skipped: %v", got.skipped)
	}
	if st := got.Stats; st.RulesLoaded != 1 || st.RulesRejected != 0 || st.Files != 3 || st.Events != 5 || st.Bytes == 0 ||
		st.LoadSeconds <= 0 || st.Seconds <= 0 || st.MaxRSSBytes < 1<<20 {
		t.Errorf("stats: %+v", st)
	}
}

// TestFieldNames holds the output and the statistics to DESIGN.md, "The command line".
func TestFieldNames(t *testing.T) {
	keys := func(v any) []string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(maps.Keys(m))
	}
	rules := files(t, map[string]string{"vss.yml": strings.Replace(vssRule, "license: DRL-1.1\n", "", 1)})
	dir := files(t, map[string]string{"a.jsonl": vssLine(7, "delete shadows")})
	got := run(t, Options{Rules: []string{rules}, Paths: []string{dir}})
	want := strings.Fields("author channel computer event_id fields level record rule_id source tags time title")
	if names := keys(got.detections[0]); !slices.Equal(names, want) {
		t.Errorf("a detection has %v, want %v", names, want)
	}
	stats := keys(got.Stats)
	for name := range strings.FieldsSeq("rules_loaded rules_rejected load_seconds events bytes detections errors seconds cpu_seconds max_rss_bytes files skipped rules_left_out") {
		if !slices.Contains(stats, name) {
			t.Errorf("the statistics lack %s", name)
		}
	}
}

func TestRules(t *testing.T) {
	broken := strings.Replace(vssRule, "contains", "contians", 1)
	dir := files(t, map[string]string{
		"good.yml": vssRule, "sub/two.yaml": vssRule + "---\n" + broken, "bad.yml": "title: [",
		"placeholder.yml": strings.Replace(vssRule, "contains: 'delete shadows'", "expand: '%Servers%'", 1), "ignored.txt": "x",
		"count.yml":  strings.Replace(vssRule, "condition: selection", "condition: selection | count() > 3", 1),
		"binary.yml": "\xff\xfe\x00", "empty.yml": "", "long.yml": "#" + strings.Repeat("x", 5<<20),
	})
	empty, bad := t.TempDir(), files(t, map[string]string{"bad.yml": "title: ["})
	evidence := files(t, map[string]string{"a.json": vssLine(1, "delete shadows")})
	got := run(t, Options{Rules: []string{dir, filepath.Join(dir, "good.yml"), filepath.Join(dir, "sub")}, Paths: []string{evidence}})
	if got.err != nil {
		t.Fatal(got.err)
	}
	if got.RulesLoaded != 2 || got.RulesRejected != 6 || len(got.detections) != 2 {
		t.Errorf("loaded %d, rejected %d, %d detections; want 2, 6, 2", got.RulesLoaded, got.RulesRejected, len(got.detections))
	}
	want := map[string]string{
		"bad.yml": "yaml", "binary.yml": "yaml", "count.yml": "aggregation", "long.yml": "limit",
		"placeholder.yml": "placeholder", filepath.Join("sub", "two.yaml"): "modifier",
	}
	for _, r := range got.rejected {
		name, err := filepath.Rel(dir, r.File)
		if err != nil || want[name] != r.Reason || r.Detail == "" || r.Line == 0 && r.Reason != "yaml" && r.Reason != "limit" {
			t.Errorf("rejected %+v, want reason %q", r, want[name])
		}
		if !strings.Contains(r.Error(), r.File) {
			t.Errorf("the text %q does not name the file", r.Error())
		}
		delete(want, name)
	}
	if len(want) != 0 {
		t.Errorf("not rejected: %v", want)
	}
	report, err := CheckRules([]string{dir}, Options{}.Sigma)
	if err != nil || report.Loaded != 2 || report.Files != 8 || len(report.Rejected) != 6 {
		t.Errorf("check: %+v, %v", report, err)
	}
	for name, paths := range map[string][]string{"no rule file": {empty}, "no such folder": {filepath.Join(empty, "x")}, "one of two": {dir, empty}} {
		if got := run(t, Options{Rules: paths, Paths: []string{evidence}}); got.err == nil || !strings.Contains(got.err.Error(), paths[len(paths)-1]) {
			t.Errorf("%s: %v", name, got.err)
		}
	}
	if got := run(t, Options{Rules: []string{bad}, Paths: []string{evidence}}); got.err == nil || got.RulesRejected != 1 {
		t.Errorf("only broken rules: %v", got.err)
	}
	if report, err := CheckRules([]string{bad}, Options{}.Sigma); err != nil || len(report.Rejected) != 1 {
		t.Errorf("checking a folder with a broken rule: %+v, %v", report, err)
	}
	for _, path := range []string{empty, filepath.Join(empty, "x")} {
		if _, err := CheckRules([]string{path}, Options{}.Sigma); err == nil {
			t.Errorf("checking %s: no error", path)
		}
	}
	if got := run(t, Options{Paths: []string{evidence}}); got.err == nil {
		t.Error("a scan for nothing is no error")
	}
}

func indicatorOf(t *testing.T, n int, patternType, pattern string, change ...func(*stix.Indicator)) string {
	t.Helper()
	ind := stix.Indicator{
		Common: stix.Common{ID: fmt.Sprintf("indicator--00000000-0000-4000-8000-%012d", n), Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
		Name:   fmt.Sprint("indicator ", n), Pattern: pattern, PatternType: patternType, Author: "I. Author",
	}
	for _, c := range change {
		c(&ind)
	}
	raw, err := ind.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func bundle(objects ...string) string {
	return `{"type":"bundle","id":"bundle--00000000-0000-4000-8000-000000000000","objects":[` + strings.Join(objects, ",") + "]}"
}

func TestIndicators(t *testing.T) {
	dns := func(name string) string {
		return fmt.Sprintf("{\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"EventID\":22,\"QueryName\":%q}\n", name)
	}
	revoked := func(i *stix.Indicator) { i.Revoked, i.Modified = true, i.Created.Add(time.Hour) }
	expired := func(i *stix.Indicator) { i.ValidUntil = i.Created.Add(time.Hour) }
	coming := func(i *stix.Indicator) { i.ValidFrom = time.Now().Add(time.Hour) }
	newer := func(i *stix.Indicator) { i.Modified = i.Created.Add(time.Hour) }
	stixFile := bundle(
		indicatorOf(t, 1, "stix", "[domain-name:value = 'one.example'] OR [domain-name:value = 'uno.example']"),
		indicatorOf(t, 2, "stix", "[domain-name:value = 'old.example']"),
		indicatorOf(t, 2, "stix", "[domain-name:value = 'two.example']", newer),
		indicatorOf(t, 3, "stix", "[domain-name:value = 'three.example']"),
		indicatorOf(t, 3, "stix", "[domain-name:value = 'three.example']", revoked),
		indicatorOf(t, 4, "stix", "[domain-name:value = 'four.example']", expired),
		indicatorOf(t, 5, "sigma", vssRule),
		indicatorOf(t, 6, "stix", "[mutex:name = 'x']"),
		indicatorOf(t, 7, "yara", "rule x { condition: true }"),
		indicatorOf(t, 8, "sigma", "title: x"),
		indicatorOf(t, 10, "stix", "[domain-name:value = 'ten.example']", coming),
		`{"type":"identity","id":"identity--00000000-0000-4000-8000-000000000000"}`,
		indicatorOf(t, 1, "stix", "[domain-name:value = 'forged.example']"), // the same id and version, other content
		`{"id":"indicator--00000000-0000-4000-8000-000000000009","pattern":"no type"}`,
	)
	dir := files(t, map[string]string{
		"bundle.json": stixFile,
		"list.txt":    "# domains\nlisted[.]example\n\n not an indicator at all\nhxxp://evil.example/x\n192.0.2.1\n",
		"telemetry.jsonl": dns("ONE.example.") + dns("uno.example") + dns("two.example") + dns("old.example") + dns("three.example") +
			dns("four.example") + dns("forged.example") + dns("www.listed.example") + vssLine(1, "delete shadows") + dns("192.0.2.1") + dns("ten.example"),
	})
	in := func(name string) string { return filepath.Join(dir, name) }
	got := run(t, Options{Indicators: []string{in("bundle.json"), in("list.txt")}, Paths: []string{in("telemetry.jsonl")}})
	if got.err != nil {
		t.Fatal(got.err)
	}
	var hits []string
	for _, d := range got.detections {
		hits = append(hits, strings.Join([]string{d.Record, d.RuleID, d.Title, d.Author}, "|"))
	}
	want := []string{
		"1|indicator--00000000-0000-4000-8000-000000000001|indicator 1|I. Author",
		"2|indicator--00000000-0000-4000-8000-000000000001|indicator 1|I. Author",
		"3|indicator--00000000-0000-4000-8000-000000000002|indicator 2|I. Author",
		"8|listed.example|Listed in list.txt|",
		"9|c947b146-0abc-4c87-9c64-b17e9d7274a2|Shadow Copies Deleted|A. Writer",
		"10|192.0.2.1/32|Listed in list.txt|",
	}
	if !slices.Equal(hits, want) {
		t.Errorf("hits\n%s\nwant\n%s", strings.Join(hits, "\n"), strings.Join(want, "\n"))
	}
	if got.RulesLoaded != 1 || got.IndicatorsLoaded != 9 || got.IndicatorsRejected != 5 || len(got.rejected) != 5 {
		t.Errorf("loaded %d rules, %d values; rejected %d: %v", got.RulesLoaded, got.IndicatorsLoaded, got.IndicatorsRejected, got.rejected)
	}
	bad := files(t, map[string]string{"broken.json": `{"type":"bundle"`, "empty.txt": "# nothing\n", "text.txt": "just some words\n"})
	for _, name := range []string{"broken.json", "empty.txt", "text.txt", "missing"} {
		got := run(t, Options{Indicators: []string{filepath.Join(bad, name)}, Paths: []string{dir}})
		if got.err == nil || !strings.Contains(got.err.Error(), name) {
			t.Errorf("%s: %v", name, got.err)
		}
	}
}

func TestStops(t *testing.T) {
	rules := files(t, map[string]string{"vss.yml": vssRule})
	dir := files(t, map[string]string{"a.jsonl": strings.Repeat(vssLine(1, "delete shadows"), 3*progressEvents)})
	opt := Options{Rules: []string{rules}, Paths: []string{dir}, Now: time.Now, Out: io.Discard}
	full := errors.New("no space left")
	opt.Out = writerFunc(func([]byte) (int, error) { return 0, full })
	if _, err := Run(t.Context(), opt); !errors.Is(err, full) {
		t.Errorf("out of space: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	told := 0
	opt.Each = func(*status.Detection) error {
		if told++; told == 10 {
			cancel()
		}
		return nil
	}
	st, err := Run(ctx, opt)
	if !errors.Is(err, context.Canceled) || st.Detections < 10 || st.Detections >= 3*progressEvents {
		t.Errorf("cancelled: %v after %d detections", err, st.Detections)
	}
	var last Progress
	opt.Progress = func(p Progress) { last = p }
	if st, err := Run(t.Context(), opt); err != nil || last.Events != 3*progressEvents || last.Bytes != st.Bytes || last.Total != st.Bytes || last.Files != 1 || last.Detections != st.Detections {
		t.Errorf("the last progress: %+v, %v", last, err)
	}
	opt.Progress = nil
	opt.Paths = []string{filepath.Join(dir, "missing"), dir}
	if st, err := Run(t.Context(), opt); err != nil || st.Errors != 1 || st.Events != 3*progressEvents {
		t.Errorf("a path that is not there: %+v, %v", st, err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// FuzzIndicators reads any bytes as a file of indicators: whatever loads can be made live, and what does not
// is counted as it is told.
func FuzzIndicators(f *testing.F) {
	seeds := []string{
		"", "evil.example\n", "# comment", "192.0.2.0/24 # net", "[.]", "{", "[]", "[{}]", bundle(),
		`{"type":"indicator","id":"indicator--00000000-0000-4000-8000-000000000001","pattern_type":"stix","pattern":"[ipv4-addr:value = '192.0.2.1']"}`,
		`{"type":"indicator","id":"indicator--00000000-0000-4000-8000-000000000001","pattern_type":"sigma","pattern":"title: ["}`,
		`{"type":"indicator","id":"x","pattern_type":1,"valid_until":"9999-12-31T23:59:60Z"}`, "\xef\xbb\xbf{}", "\xff\xfe",
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	if len(seeds) < 14 {
		f.Fatal("too few seeds")
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		told := 0
		got, err := loadIndicators([]string{path}, Options{}.Sigma, func(Rejected) { told++ })
		if told > got.rejected {
			t.Fatalf("told %d, counted %d", told, got.rejected)
		}
		if err == nil && len(got.compiled) > 0 && got.values+got.rules == 0 {
			t.Fatal("something without content was compiled")
		}
		e := match.New(time.Now)
		e.Update(got.compiled, nil)
		if rules, values := e.Len(); rules != got.rules || values > got.values {
			t.Fatalf("%d rules and %d values live, %d and %d loaded", rules, values, got.rules, got.values)
		}
	})
}
