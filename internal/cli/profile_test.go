package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"shieldwall/internal/status"
)

// profiled has something of everything.
var profiled = status.Profile{
	OneIn: 1024, Events: 2048, Measured: 2, Nanoseconds: status.Spent{Total: 6000, Rules: 2000, Indicators: 1000}, Looked: 9,
	Rules: []status.RuleCost{
		{RuleID: "r1", Title: "evil\x1b[2J\u202etitle", File: "a.yml:1", Looked: 4, Held: 1, Nanoseconds: 1_234_000, Share: 0.617, Filed: status.FiledAlways,
			Why: []string{"says only\x1b]0;x what must not be there", "asks whether F is missing"}},
		{RuleID: "r2", Title: "T", Publisher: "ally", Object: "indicator--1", Looked: 3, Nanoseconds: 30, Filed: status.FiledByText, Why: []string{`is found by a text in F: "x"`}},
		{Filed: status.FiledByField},
	},
	Patterns: []status.PatternCost{{ID: "indicator--2", Publisher: "ally\n", Asked: 2, Held: 1, Nanoseconds: 2_500_000_000, Kept: 3, Room: 26, Stopped: "it costs too much"},
		{ID: "indicator--3", File: "b.json"}},
	Correlations: []status.CorrelationCost{{RuleID: "c1", Title: "Guess\u009bed", File: "c.yml:1", Taken: 10, Told: 2, Nanoseconds: 12_340, PeakBytes: 4096, EvictedEvents: 1, EvictedGroups: 2}},
	Engine: status.Engine{Rules: 5, Buckets: 2, Segments: 3, Delta: 1, Merges: 1, Questions: 7, Witnesses: 8, ByField: 1, Always: 2, Fields: 3,
		ProgramBytes: 2000, RuleBytes: 3000, Indicators: 100, Lists: 1, IndicatorBytes: 1850},
}

// TestShowProfile: everything is there, and nothing of it is obeyed by a terminal.
func TestShowProfile(t *testing.T) {
	r := newRun(t, &fakeNode{})
	p := &program{stdout: &r.stdout, stderr: &r.stderr, getenv: func(string) string { return "" }}
	if err := p.showProfile(&profiled); err != nil {
		t.Fatal(err)
	}
	got := r.stdout.String()
	for _, want := range []string{
		`1  1.23 ms  61.7 %  4          1     308500   every event  r1    evil\x1b[2J\u202etitle  a.yml:1`,
		`2  30 ns    0.0 %   3          0     10       a text       r2    T                       ally indicator--1`,
		"3 of the 9 rules that were looked at\n", `1  it says only\x1b]0;x what must not be there`, "   it asks whether F is missing\n", `2  it is found by a text in F: "x"`,
		`2.50 s  2      1     1.25 s  3 of 26  indicator--2  ally\n  it costs too much`, "0 ns    0      0     0 ns    -        indicator--3  b.json  -\n",
		`12.3 µs  10     2     1.23 µs  4.1 kB        3        c1           Guess\u009bed  c.yml:1`,
		"measured  2 of 2048 events (one in 1024), 3.00 µs each: 3.00 µs to find out which rules to look at, 2.00 µs to look at them, 1.00 µs for indicators\n",
		"engine    5 rules in 3 segments of 2 buckets (by log source and event id), 1 rule not merged yet, 1 merge so far\n",
		"asks      7 questions about 3 fields, shared by all; looks for 8 texts, at 1 rule wherever a field is there, at 2 rules for every event\n",
		"memory    rules 3.0 kB as read, 2.0 kB compiled; 1.9 kB for 100 indicators in 1 object or list, 18.5 bytes each\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.ContainsFunc(got, func(r rune) bool { return r != '\n' && obeyed(r) }) {
		t.Errorf("a terminal would obey: %q", got)
	}
	r.stdout.Reset()
	p.json = true
	if err := p.showProfile(&profiled); err != nil {
		t.Fatal(err)
	}
	var back status.Profile
	if err := json.Unmarshal(r.stdout.Bytes(), &back); err != nil || back.Rules[0].Title != profiled.Rules[0].Title || strings.ContainsFunc(strings.TrimSpace(r.stdout.String()), obeyed) {
		t.Errorf("%v: %q", err, &r.stdout)
	}
}

// TestShowProfileOfNothing: a node that has matched nothing says so.
func TestShowProfileOfNothing(t *testing.T) {
	r := newRun(t, &fakeNode{})
	p := &program{stdout: &r.stdout, stderr: &r.stderr, getenv: func(string) string { return "" }}
	if err := p.showProfile(&status.Profile{OneIn: 1024}); err != nil {
		t.Fatal(err)
	}
	if got := r.stdout.String(); !strings.HasPrefix(got, "No rule was looked at in the measured events.\n") || !strings.Contains(got, "memory    rules 0 B as read, 0 B compiled\n") {
		t.Errorf("%q", got)
	}
	r.want(t, 2, "", "no node runs on", "rules", "profile")
}

func TestSpell(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 ns", 999: "999 ns", 1000: "1.00 µs", 9_994: "9.99 µs", 9_996: "10.0 µs", 99_949: "99.9 µs", 99_960: "100 µs", 999_600: "1.00 ms",
		12_345_678: "12.3 ms", 999_499_999: "999 ms", 999_500_000: "1.00 s", 75_000_000_000: "75.00 s",
	} {
		if got := spell(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
