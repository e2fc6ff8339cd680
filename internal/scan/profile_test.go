package scan

import (
	"path/filepath"
	"reflect"
	"testing"
)

// TestProfile: what a scan's rules, patterns and correlations cost, and that it detects the same.
func TestProfile(t *testing.T) {
	twice := correlation("title: Twice\nid: twice\nlevel: high", `    type: event_count
    rules: [c947b146-0abc-4c87-9c64-b17e9d7274a2]
    timespan: 1m
    condition: {gte: 2}
`)
	dir := files(t, map[string]string{
		"rules/vss.yml": vssRule, "rules/twice.yml": twice,
		"rules/not.yml": "title: Not\nid: n\nlogsource: {product: windows, category: process_creation}\ndetection:\n    s: {CommandLine: whoami}\n    condition: not s\n",
		"bundle.json":   bundle(indicatorOf(t, 1, "stix", "[process:command_line LIKE '%delete shadows%'] REPEATS 2 TIMES"), indicatorOf(t, 2, "stix", "[domain-name:value = 'evil.example']")),
		"e.jsonl":       vssLine(1, "delete shadows") + vssLine(2, "whoami") + vssLine(3, "delete shadows"),
	})
	opt := Options{Rules: []string{filepath.Join(dir, "rules")}, Indicators: []string{filepath.Join(dir, "bundle.json")}, Paths: []string{filepath.Join(dir, "e.jsonl")}}
	plain := run(t, opt)
	opt.Measure, opt.Costliest = 1, 10
	got := run(t, opt)
	if plain.err != nil || got.err != nil || plain.Profile != nil || got.Profile == nil || len(got.detections) == 0 {
		t.Fatalf("%v, %v; %+v", plain.err, got.err, got.Profile)
	}
	if !reflect.DeepEqual(plain.detections, got.detections) {
		t.Errorf("measured, it detects %+v; else %+v", got.detections, plain.detections)
	}
	p := got.Profile
	if p.Events != 3 || p.Measured != 3 || p.OneIn != 1 || p.Looked != 3 || len(p.Rules) != 3 || p.Engine.Rules != 3 || p.Engine.Indicators != 1 || p.Engine.IndicatorBytes == 0 {
		t.Errorf("%+v", p)
	}
	found := map[string]bool{}
	for _, r := range p.Rules {
		switch r.RuleID {
		case "c947b146-0abc-4c87-9c64-b17e9d7274a2":
			found[r.RuleID] = r.Looked == 2 && r.Held == 2 && r.Filed == "text" && r.File == filepath.Join(dir, "rules", "vss.yml")+":1" && r.Title == "Shadow Copies Deleted"
		case "n":
			found[r.RuleID] = r.Looked == 3 && r.Held == 2 && r.Filed == "always" && r.Why[0] == "says only what must not be there"
		default:
			found["pattern"] = r.Looked == 2 && r.Held == 2 && r.Title == "indicator 1"
		}
	}
	for _, name := range []string{"c947b146-0abc-4c87-9c64-b17e9d7274a2", "n", "pattern"} {
		if !found[name] {
			t.Errorf("%s: %+v", name, p.Rules)
		}
	}
	if len(p.Patterns) != 1 || p.Patterns[0].Asked != 2 || p.Patterns[0].Held != 1 || p.Patterns[0].File != filepath.Join(dir, "bundle.json") || p.Patterns[0].Room == 0 {
		t.Errorf("%+v", p.Patterns)
	}
	if len(p.Correlations) != 1 || p.Correlations[0].Taken != 2 || p.Correlations[0].Told != 1 || p.Correlations[0].RuleID != "twice" || p.Correlations[0].PeakBytes == 0 {
		t.Errorf("%+v", p.Correlations)
	}
	opt.Costliest = 1
	if p := run(t, opt).Profile; len(p.Rules) != 1 || p.Looked != 3 {
		t.Errorf("the costliest alone: %+v", p)
	}
}
