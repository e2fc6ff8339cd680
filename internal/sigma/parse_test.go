package sigma_test

import (
	"reflect"
	"strings"
	"testing"

	"shieldwall/internal/sigma"
)

const whole = `title: Whoami Execution
id: 929a690e-bef0-4204-a928-ef5e620d6fcc
name: whoami
status: test
description: |
    Two
    lines
license: DRL-1.1
author: Somebody, Somebody Else
date: 2019-10-23
modified: 2024/01/02
references:
    - https://example.org/a
tags:
    - attack.discovery
    - attack.t1033
logsource:
    category: Process_Creation
    product: windows
    definition: 'Requirements: none'
detection:
    selection:
        - Image|endswith: '\whoami.exe'
          CommandLine|fieldref: OriginalFileName
        - OriginalFileName: whoami.exe
    keywords:
        - one
        - 2
    mixed:
        - three
        - User: root
    plain: four
    condition:
        - selection
        - 1 of k* and not mixed
fields:
    - ParentImage
    - Image
falsepositives: Admins
level: high
own:
    key: [1, 2]
`

func TestParse(t *testing.T) {
	got, err := sigma.Parse([]byte("---\n"+whole+"---\n"), sigma.Options{})
	if err != nil || len(got.Rules) != 1 || len(got.Rejected) != 0 {
		t.Fatalf("%v, %+v", err, got)
	}
	r := got.Rules[0]
	detection := r.Detection
	r.Detection = sigma.Detection{}
	want := &sigma.Rule{
		ID: "929a690e-bef0-4204-a928-ef5e620d6fcc", Name: "whoami", Title: "Whoami Execution", Status: "test", Level: "high",
		Author: "Somebody, Somebody Else", License: "DRL-1.1", Description: "Two\nlines\n", Date: "2019-10-23", Modified: "2024/01/02",
		References: []string{"https://example.org/a"}, Tags: []string{"attack.discovery", "attack.t1033"},
		Fields: []string{"ParentImage", "Image"}, FalsePositives: []string{"Admins"},
		Logsource: sigma.Logsource{Product: "windows", Category: "process_creation"}, Line: 2,
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got  %+v\nwant %+v", r, want)
	}
	if s := r.Logsource.String(); s != "windows/process_creation/*" {
		t.Errorf("logsource %s", s)
	}
	var shape []string
	for _, sel := range detection.Selections {
		for _, alt := range sel.Alternatives {
			for _, it := range alt {
				line := sel.Name + ":" + it.Field
				for _, v := range it.Values {
					line += " " + show(v)
				}
				shape = append(shape, line)
			}
			shape = append(shape, "or")
		}
	}
	wantShape := []string{
		`selection:Image "<*>\\whoami.exe"`, `selection:CommandLine field OriginalFileName cased=false head=false tail=false`, "or",
		`selection:OriginalFileName "whoami.exe"`, "or",
		`keywords: "<*>one<*>" "<*>2<*>"`, "or",
		`mixed:User "root"`, "or", `mixed: "<*>three<*>"`, "or",
		`plain: "<*>four<*>"`, "or",
	}
	if !reflect.DeepEqual(shape, wantShape) {
		t.Errorf("selections:\n%s\nwant:\n%s", strings.Join(shape, "\n"), strings.Join(wantShape, "\n"))
	}
	if or, ok := detection.Condition.(sigma.Or); !ok || len(or.Xs) != 2 {
		t.Errorf("condition %+v, want an OR of two", detection.Condition)
	}
	r.Detection = detection
	if got := strings.Join(r.FieldNames(), " "); got != "Image CommandLine OriginalFileName User ParentImage" {
		t.Errorf("fields %s", got)
	}
	if line := detection.Selections[1].Alternatives[0][0].Line; line != 28 {
		t.Errorf("keywords at line %d, want 28", line)
	}
}

func TestParseRejects(t *testing.T) {
	tests := []struct {
		name, data string
		reason     sigma.Reason
		err        string
	}{
		{"empty value list", rule("s:\n  A:\n    - b\n  C|contains: []\ncondition: s"), sigma.ReasonStructure, "line 8: detection.s.C|contains: empty list"},
		{"where", rule("s:\n  A: b\n  B|contians: c\ncondition: s"), sigma.ReasonModifier, `line 7: detection.s.B|contians: unknown modifier "contians"`},
		{"no title", strings.Replace(whole, "title:", "titel:", 1), sigma.ReasonStructure, "line 1: title: missing"},
		{"no logsource", "title: t\ndetection:\n  s: {A: b}\n  condition: s", sigma.ReasonStructure, "line 1: logsource: missing"},
		{"empty logsource", "title: t\nlogsource:\n  definition: x\ndetection:\n  s: {A: b}\n  condition: s", sigma.ReasonStructure,
			"line 3: logsource: needs a product, category or service"},
		{"no detection", "title: t\nlogsource: {product: windows}", sigma.ReasonStructure, "line 1: detection: missing"},
		{"no condition", rule("s: {A: b}"), sigma.ReasonStructure, "line 5: detection.condition: missing"},
		{"no selections", rule("condition: s"), sigma.ReasonStructure, "line 5: detection: no search identifiers"},
		{"empty map", rule("s: {}\ncondition: s"), sigma.ReasonStructure, "line 5: detection.s: empty map"},
		{"empty list", rule("s: []\ncondition: s"), sigma.ReasonStructure, "line 5: detection.s: empty list"},
		{"null selection", rule("s:\ncondition: s"), sigma.ReasonStructure, "line 5: detection.s: this kind of value needs a field"},
		{"detection is a list", "title: t\nlogsource: {product: windows}\ndetection: [a]", sigma.ReasonStructure,
			"line 3: detection: want a map, found a list"},
		{"condition is a map", rule("s: {A: b}\ncondition: {a: b}"), sigma.ReasonCondition, "line 6: detection.condition: want text, found a map"},
		{"condition list is empty", rule("s: {A: b}\ncondition: []"), sigma.ReasonCondition, "line 6: detection.condition: empty list"},
		{"second condition is wrong", rule("s: {A: b}\ncondition:\n- s\n- t"), sigma.ReasonCondition,
			`line 8: detection.condition: search identifier "t" is not defined`},
		{"timeframe", rule("s: {A: b}\ntimeframe: 5m\ncondition: s"), sigma.ReasonAggregation,
			"line 6: detection.timeframe: timeframe belongs to the legacy aggregation, which is not supported: use a correlation rule"},
		{"count", rule("s: {A: b}\ncondition: s | count() by A > 5"), sigma.ReasonAggregation,
			`line 6: detection.condition: legacy aggregation "| count() by A > 5" is not supported: use a correlation rule`},
		{"correlation", "title: t\ncorrelation:\n  type: event_count", sigma.ReasonCorrelation, "line 2: correlation: correlation rules are not supported here"},
		{"filter", "title: t\nlogsource: {product: windows}\nfilter:\n  rules: any", sigma.ReasonFilter, "line 3: filter: filters are not supported here"},
		{"level", rule("s: {A: b}\ncondition: s") + "level: hihg\n", sigma.ReasonStructure,
			`line 7: level: unknown level "hihg", want one of informational, low, medium, high, critical`},
		{"title is a list", "title: [a]", sigma.ReasonStructure, "line 1: title: want text, found a list"},
		{"tags hold a map", "title: t\ntags: [{a: b}]", sigma.ReasonStructure, "line 2: tags: want text, found a map"},
		{"key twice", rule("s: {A: b, A: c}\ncondition: s"), sigma.ReasonYAML, `line 5: detection.s: key "A" is given twice`},
		{"key is a list", rule("s: {[a]: b}\ncondition: s"), sigma.ReasonStructure, "line 5: detection.s: key is a list, want a name"},
		{"document is a list", "- a", sigma.ReasonStructure, "line 1: want a map, found a list"},
		{"document is text", "just text", sigma.ReasonStructure, `line 1: want a map, found the value "just text"`},
		{"unknown alias", "title: *a", sigma.ReasonYAML, "unknown anchor 'a' referenced"},
		{"bad YAML", "title: t\n  x: [", sigma.ReasonYAML, "line 2: mapping values are not allowed in this context"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := reject(t, tt.data)
			if err.Reason != tt.reason || err.Error() != tt.err {
				t.Errorf("%s: %v\nwant %s: %s", err.Reason, err, tt.reason, tt.err)
			}
		})
	}
}

// TestDocuments shows that a bad document costs only itself and is still named.
func TestDocuments(t *testing.T) {
	bad := "title: Bad\nid: x-1\nlogsource: {product: windows}\ndetection:\n  s: {A|nope: b}\n  condition: s\n"
	got, err := sigma.Parse([]byte(whole+"---\n"+bad+"---\n---\n"+whole), sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Rules) != 2 || len(got.Rejected) != 1 {
		t.Fatalf("loaded %d, rejected %d", len(got.Rules), len(got.Rejected))
	}
	if r := got.Rejected[0]; r.ID != "x-1" || r.Title != "Bad" || r.Err.Reason != sigma.ReasonModifier {
		t.Errorf("rejected %+v", r)
	}
	if a, b := got.Rules[0].Line, got.Rules[1].Line; a != 1 || b <= a {
		t.Errorf("rules at lines %d and %d", a, b)
	}
	empty, err := sigma.Parse(nil, sigma.Options{})
	if err != nil || len(empty.Rules)+len(empty.Rejected) != 0 {
		t.Errorf("empty file: %v, %+v", err, empty)
	}
}

// TestAliases uses YAML anchors and merge keys as rule authors do to share a list.
func TestAliases(t *testing.T) {
	data := rule(`base: &base
    A: &list [x, y]
    B: z
s:
    <<: *base
    B|contains: q
    C: *list
t:
    <<: [{A: own}, *base]
    D: d
condition: all of them`)
	got, err := sigma.Parse([]byte(data), sigma.Options{})
	if err != nil || len(got.Rules) != 1 {
		t.Fatalf("%v %+v", err, got)
	}
	var lines []string
	for _, sel := range got.Rules[0].Detection.Selections {
		line := sel.Name
		for _, it := range sel.Alternatives[0] {
			line += " " + it.Field + "="
			for _, v := range it.Values {
				line += show(v)
			}
		}
		lines = append(lines, line)
	}
	want := []string{`base A="x""y" B="z"`, `s B="<*>q<*>" C="x""y" A="x""y" B="z"`, `t D="d" A="own" B="z"`}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("got  %q\nwant %q", lines, want)
	}
}
