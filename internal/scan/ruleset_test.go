package scan

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/sigma"
)

// These stand in a file each, so that all that refers to others refers across files.
const (
	vssFilter = `title: Backup software
id: f1
logsource: {product: windows}
filter:
    rules: [c947b146-0abc-4c87-9c64-b17e9d7274a2]
    selection:
        CommandLine|contains: backup
    condition: not selection
`
	manyVSS = `title: Many shadow copies deleted
name: many
correlation: {type: event_count, rules: C947B146-0ABC-4C87-9C64-B17E9D7274A2, timespan: 1h, condition: {gte: 3}}
`
	again = `title: Again and again
correlation: {type: event_count, rules: many, timespan: 1d, condition: {gte: 2}}
`
)

// TestRuleSet loads a rule with what refers to it, in an order in which nothing comes first.
func TestRuleSet(t *testing.T) {
	other := strings.NewReplacer("c947b146", "0947b146", "delete shadows", "resize shadows").Replace(vssRule)
	dir := files(t, map[string]string{
		"a.yml": again, "b/filter.yml": vssFilter, "m.yml": manyVSS, "rule.yml": other + "---\n" + vssRule,
		"bad/c.yml": "title: Nothing\nid: c9\ncorrelation: {type: event_count, rules: [nothing], timespan: 1h, condition: {gte: 3}}\n",
		"bad/d.yml": "title: No hour\ncorrelation: {type: event_count, rules: [many], timespan: hour, condition: {gte: 3}}\n",
		"bad/f.yml": strings.Replace(vssFilter, "c947b146", "11111111", 1),
		"bad/g.yml": strings.Replace(vssFilter, "[c947b146", "[nobody, c947b146", 1),
	})
	all := sigma.Options{Correlations: true, Filters: true}
	var rejected []string
	set, err := LoadRules([]string{dir}, all, func(r Rejected) {
		name, _ := filepath.Rel(dir, r.File)
		rejected = append(rejected, fmt.Sprintf("%s:%d %s %s %s: %s", filepath.ToSlash(name), r.Line, r.Reason, r.ID, r.Title, r.Detail))
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`bad/d.yml:2 correlation  No hour: line 2: correlation.timespan: want a number and one of s, m, h, d, w, M, y, found "hour"`,
		`bad/f.yml:1 filter f1 Backup software: line 1: filter.rules: covers no rule: no detection rule that loads has the id or name "11111111-0abc-4c87-9c64-b17e9d7274a2"`,
		`bad/g.yml:1 filter f1 Backup software: line 1: filter.rules: does not cover all of its rules: no detection rule that loads has the id or name "nobody"`,
		`bad/c.yml:1 correlation c9 Nothing: line 1: correlation.rules: refers to "nothing": no rule that loads has this id or name`,
	}
	if !slices.Equal(rejected, want) || set.Rejected != len(want) {
		t.Errorf("%d rejected\n%s\nwant\n%s", set.Rejected, strings.Join(rejected, "\n"), strings.Join(want, "\n"))
	}
	if set.Files != 8 || set.Filters != 2 || len(set.Rules) != 2 || len(set.Correlations) != 2 {
		t.Fatalf("the rule set: %+v", set)
	}
	if r := set.Rules[0]; r.Silent || len(r.Detection.Selections) != 1 {
		t.Errorf("the rule that nobody speaks of: %+v", r)
	}
	if r := set.Rules[1]; !r.Silent || len(r.Detection.Selections) != 3 || filepath.Base(r.Path) != "rule.yml" {
		t.Errorf("the rule that others speak of: %+v", r)
	}
	many, top := set.Correlations[0], set.Correlations[1]
	if many.Path != filepath.Join(dir, "m.yml") || !many.Silent || many.Refs[0] != (sigma.Target{Index: 1}) {
		t.Errorf("the first correlation: %+v", many)
	}
	if top.Path != filepath.Join(dir, "a.yml") || top.Silent || top.Refs[0] != (sigma.Target{Correlation: true, Index: 0}) {
		t.Errorf("the second correlation: %+v", top)
	}

	report, err := CheckRules([]string{dir}, sigma.Options{})
	if err != nil || report.Loaded != 2 || report.Correlations != 2 || report.Filters != 2 || len(report.Rejected) != len(want) {
		t.Errorf("the check: %+v, %v", report, err)
	}
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(data, &keys); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(keys)); !slices.Equal(got, []string{"correlations", "files", "filters", "loaded", "rejected", "waiting"}) {
		t.Errorf("the check's keys: %v", got)
	}

	plain, err := LoadRules([]string{dir}, sigma.Options{}, nil)
	if err != nil || len(plain.Rules) != 2 || plain.Rules[1].Silent || len(plain.Rules[1].Detection.Selections) != 1 || plain.Rejected != 7 {
		t.Errorf("for a reader of rules alone: %+v, %v", plain, err)
	}
}

// TestSigmaFilter scans with a filter: what it lets through is told, and the rest is not.
func TestSigmaFilter(t *testing.T) {
	rules := files(t, map[string]string{"rule.yml": vssRule, "filter.yml": vssFilter})
	evidence := files(t, map[string]string{"a.json": vssLine(1, "delete shadows") + vssLine(2, "backup delete shadows") + vssLine(3, "backup")})
	got := run(t, Options{Rules: []string{rules}, Paths: []string{evidence}})
	if got.err != nil || len(got.detections) != 1 || got.detections[0].Record != "1" || len(got.rejected) != 0 {
		t.Errorf("%v: %+v, rejected %+v", got.err, got.detections, got.rejected)
	}
	alone := run(t, Options{Rules: []string{filepath.Join(rules, "rule.yml")}, Paths: []string{evidence}})
	if len(alone.detections) != 2 {
		t.Errorf("without the filter: %+v", alone.detections)
	}
}
