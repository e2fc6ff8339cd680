package scan

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/sigma"
)

// logonRules are one for failures and one for success, for the correlations of the tests.
const logonRules = `title: Failed logon
name: failed
id: 00000000-0000-4000-8000-000000000001
level: low
logsource: {product: windows, service: security}
detection:
    selection: {EventID: 4625}
    condition: selection
---
title: Logon
name: success
id: 00000000-0000-4000-8000-000000000002
level: informational
logsource: {product: windows, service: security}
detection:
    selection: {EventID: 4624}
    condition: selection
`

// logon is an event of the Security log, some seconds after a moment.
func logon(second, id int, user, from string) string {
	b, err := json.Marshal(map[string]any{
		"@timestamp": fmt.Sprintf("2026-03-02T03:%02d:%02dZ", second/60, second%60), "Channel": "Security", "EventID": id,
		"Computer": "dc01.example", "TargetUserName": user, "IpAddress": from,
	})
	if err != nil {
		return err.Error()
	}
	return string(b) + "\n"
}

func correlation(about, section string) string {
	return about + "\ncorrelation:\n" + section
}

// told gives detections as "title @file record count".
func told(got result) (out []string) {
	for _, d := range got.detections {
		out = append(out, fmt.Sprintf("%s @%s%s %s", d.Title, filepath.Base(d.Source)[:1], d.Record, d.Fields["Count"]))
	}
	return out
}

// TestCorrelations scans logons with rules that count them.
func TestCorrelations(t *testing.T) {
	var a, b strings.Builder
	for i := range 6 {
		a.WriteString(logon(10*i, 4625, fmt.Sprint("user", i%3), "10.0.0.9"))
	}
	a.WriteString(logon(70, 4624, "USER2", "10.0.0.9"))
	b.WriteString(logon(5, 4625, "user0", "10.0.0.9")) // another file, between the first one's events
	b.WriteString(logon(300, 4624, "user1", "10.0.0.8"))
	evidence := files(t, map[string]string{"a.jsonl": a.String(), "b.jsonl": b.String()})

	guess := correlation("title: Guessed\nname: guessed\nid: g\nlevel: medium\nauthor: A. Writer\ntags: [attack.t1110]", `    type: event_count
    rules: [failed]
    group-by: [TargetUserName]
    timespan: 1m
    condition: {gte: 2}
`)
	spray := correlation("title: Sprayed\nlevel: high", `    type: value_count
    rules: [failed]
    group-by: [IpAddress]
    timespan: 1m
    condition: {gte: 3, field: TargetUserName}
`)
	entered := correlation("title: Entered\nlevel: critical", `    type: temporal_ordered
    rules: [guessed, success]
    group-by: [TargetUserName]
    timespan: 5m
`)
	silent := correlation("title: Success out of the blue\nlevel: low", `    type: temporal
    rules: [failed, success]
    group-by: [IpAddress]
    timespan: 2m
    condition: success and not failed
`)
	for _, tt := range []struct {
		name  string
		rules map[string]string
		want  []string
	}{
		{"alone, the rules tell", nil, []string{"Failed logon @a1 ", "Failed logon @a2 ", "Failed logon @a3 ", "Failed logon @a4 ", "Failed logon @a5 ", "Failed logon @a6 ", "Logon @a7 ", "Failed logon @b1 ", "Logon @b2 "}},
		{"counted by user; the success is not counted and tells", map[string]string{"g": guess}, []string{"Guessed @a4 2", "Guessed @a5 2", "Guessed @a6 2", "Logon @a7 ", "Logon @b2 "}},
		{"different users of one address", map[string]string{"s": spray}, []string{"Sprayed @a3 3", "Logon @a7 ", "Logon @b2 "}},
		{"a chain", map[string]string{"e": entered, "g": guess}, []string{"Entered @a7 2", "Entered @b2 2"}},
		{"a chain that lets the rules below tell", map[string]string{"e": entered + "    generate: true\n", "g": guess}, []string{
			"Guessed @a4 2", "Guessed @a5 2", "Guessed @a6 2", "Logon @a7 ", "Entered @a7 2", "Logon @b2 ", "Entered @b2 2",
		}},
		{"absence is told at the end", map[string]string{"n": silent}, []string{"Success out of the blue @b2 1"}},
	} {
		content := map[string]string{"base.yml": logonRules}
		for name, text := range tt.rules {
			content[name+".yml"] = text
		}
		got := run(t, Options{Rules: []string{files(t, content)}, Paths: []string{evidence}, Jobs: 4})
		if got.err != nil || len(got.rejected) > 0 {
			t.Errorf("%s: %v, rejected %v", tt.name, got.err, got.rejected)
			continue
		}
		if got := told(got); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if st := got.Correlations; st.Loaded != len(tt.rules) || st.EvictedEvents+st.EvictedGroups+st.Late+st.Ungrouped != 0 {
			t.Errorf("%s: %+v", tt.name, st)
		}
	}

	got := run(t, Options{Rules: []string{files(t, map[string]string{"base.yml": logonRules, "g.yml": guess})}, Paths: []string{evidence}, Filter: Filter{Level: "medium"}})
	if len(got.detections) != 3 {
		t.Fatalf("of level medium: %q", told(got))
	}
	d := got.detections[0]
	if d.RuleID != "g" || d.Level != "medium" || d.Author != "A. Writer" || !slices.Equal(d.Tags, []string{"attack.t1110"}) || d.Computer != "dc01.example" ||
		d.Channel != "Security" || d.EventID != "4625" || filepath.Base(d.Source) != "a.jsonl" || d.Time.Second() != 30 {
		t.Errorf("%+v", d)
	}
	want := map[string]string{
		"TargetUserName": "user0", "Count": "2", "Events": "2", "FirstEvent": "2026-03-02T03:00:00Z",
		"OtherEvents": "2026-03-02T03:00:00Z dc01.example " + d.Source + " 1",
	}
	for name, text := range want {
		if d.Fields[name] != text {
			t.Errorf("%s: %q, want %q", name, d.Fields[name], text)
		}
	}
}

// TestCorrelatedCopies: a log and its copy are one.
func TestCorrelatedCopies(t *testing.T) {
	rules := files(t, map[string]string{"base.yml": logonRules, "many.yml": correlation("title: Many", "    type: event_count\n    rules: failed\n    timespan: 1h\n    condition: {gte: 4}\n")})
	text := logon(1, 4625, "a", "b") + logon(2, 4625, "a", "b") + logon(3, 4625, "a", "b")
	got := run(t, Options{Rules: []string{rules}, Paths: []string{files(t, map[string]string{"a.jsonl": text, "copy.jsonl": text})}})
	if len(got.detections) != 0 || got.Correlations.Repeated != 3 {
		t.Errorf("%q, %+v", told(got), got.Correlations)
	}
	more := run(t, Options{Rules: []string{rules}, Paths: []string{files(t, map[string]string{"a.jsonl": text, "more.jsonl": text + logon(4, 4625, "a", "b")})}})
	if got := told(more); !slices.Equal(got, []string{"Many @m4 4"}) {
		t.Errorf("%q", got)
	}
}

// TestCorrelatedViews: the fields of a group may have other names in the record than the rule's logsource gives
// them, and a rule need not name them itself.
func TestCorrelatedViews(t *testing.T) {
	rules := files(t, map[string]string{"a.yml": `title: Any process
name: any
logsource: {product: windows, category: process_creation}
detection: {s: {CommandLine|contains: whoami}, condition: s}
---
title: Many by one parent
correlation: {type: value_count, rules: any, group-by: ParentImage, timespan: 1m, condition: {field: ProcessId, gte: 3}}
`})
	var lines strings.Builder
	for i := range 3 {
		b, err := json.Marshal(map[string]any{
			"@timestamp": fmt.Sprintf("2026-03-02T03:00:0%dZ", i), "Channel": "Security", "EventID": 4688, "RecordNumber": i,
			"CommandLine": "whoami", "ParentProcessName": `C:\evil.exe`, "NewProcessId": fmt.Sprintf("0x%x", 16+i),
		})
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(b, '\n'))
	}
	evidence := files(t, map[string]string{"a.jsonl": lines.String()})
	got := run(t, Options{Rules: []string{rules}, Paths: []string{evidence}})
	if len(got.detections) != 1 || got.detections[0].Fields["ParentImage"] != `C:\evil.exe` || got.detections[0].Fields["Count"] != "3" {
		t.Errorf("%v: %+v, %+v", got.err, got.detections, got.Correlations)
	}
}

// TestCorrelationRefused: one that cannot run is named, its rules tell what they find, and what stands on it does not
// load either.
func TestCorrelationRefused(t *testing.T) {
	rules := files(t, map[string]string{
		"base.yml": logonRules,
		"many.yml": correlation("title: Too many\nname: many", "    type: event_count\n    rules: [failed]\n    timespan: 1m\n    condition: {gte: 1000000}\n"),
		"over.yml": correlation("title: Over it", "    type: event_count\n    rules: [many]\n    timespan: 1m\n    condition: {gte: 2}\n"),
	})
	evidence := files(t, map[string]string{"a.jsonl": logon(1, 4625, "a", "b")})
	got := run(t, Options{Rules: []string{rules}, Paths: []string{evidence}})
	var why []string
	for _, r := range got.rejected {
		why = append(why, fmt.Sprintf("%s:%d %s: %s", filepath.Base(r.File), r.Line, r.Reason, r.Detail))
	}
	want := []string{
		"many.yml:1 limit: the correlation counts to 1e+06, events are counted to 9999",
		`over.yml:1 correlation: line 1: correlation.rules: refers to "many": no rule that loads has this id or name`,
	}
	if !slices.Equal(why, want) || len(got.detections) != 1 || got.Correlations.Loaded != 0 {
		t.Errorf("rejected %q, want %q; told %q", why, want, told(got))
	}
	report, err := CheckRules([]string{rules}, sigma.Options{})
	if err != nil || len(report.Rejected) != 2 {
		t.Errorf("the check: %+v, %v", report, err)
	}
}
