package detect

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/object"
	"shieldwall/internal/stix"
)

// TestPatterns: patterns of one and of several observations are live once applied, and no longer once withdrawn,
// expired or replaced.
func TestPatterns(t *testing.T) {
	b := newBench(t)
	put := func(n int, pattern string, change ...func(*stix.Indicator)) object.Change {
		return b.store.put(indicatorCopy(t, "bravo", uuidNumber(n), "stix", pattern, change...))
	}
	single := put(1, "[process:command_line LIKE 'vssadmin%' AND NOT EXISTS process:parent_ref.command_line]")
	chain := put(2, "([process:command_line LIKE 'vssadmin%'] FOLLOWEDBY [domain-name:value LIKE '%.evil.example']) WITHIN 60 SECONDS")
	until := put(3, "[process:command_line LIKE 'vssadmin%' AND process:command_line LIKE '%shadows']", func(i *stix.Indicator) { i.ValidUntil = b.now().Add(time.Minute) })
	b.Apply([]object.Change{single, chain, until})
	hits := func(ev *event.Event) string {
		before := len(b.Recent(ringSize))
		submit(t, b, ev)
		var out []string
		for _, d := range b.Recent(len(b.Recent(ringSize)) - before) {
			out = append([]string{d.RuleID[len(d.RuleID)-1:]}, out...)
		}
		return strings.Join(out, "")
	}
	at := b.now().Add(-time.Hour)
	vss := func() *event.Event {
		ev := processEvent("ws01", "vssadmin delete shadows")
		at = at.Add(time.Second)
		ev.Time = at
		return ev
	}
	dns := func() *event.Event {
		ev := dnsEvent("a.EVIL.example")
		at = at.Add(time.Second)
		ev.Time = at
		return ev
	}
	expect := func(what string, ev *event.Event, want string) {
		t.Helper()
		if got := hits(ev); got != want {
			t.Errorf("%s: hits of %q, want %q", what, got, want)
		}
	}
	expect("no first observation", dns(), "")
	expect("singles", vss(), "13")
	expect("the chain's second", dns(), "2")
	if others := b.Recent(1)[0].Fields["OtherObservations"]; !strings.Contains(others, "ws01") {
		t.Errorf("the first observation is not shown: %q", others)
	}
	expect("used up", dns(), "")
	hits(vss())
	at = at.Add(2 * time.Minute)
	expect("too late", dns(), "")
	b.forward(2 * time.Minute)
	expect("expired", vss(), "1")
	b.Apply([]object.Change{{Key: chain.Key}, put(1, "[domain-name:value = 'b.example']")})
	expect("withdrawn and replaced", vss(), "")
	expect("withdrawn", dns(), "")
	if st := b.Stats(); st.Rules != 1 || st.Indicators != 1 || st.Rejected != 0 {
		t.Errorf("%d rules, %d indicators, %+v", st.Rules, st.Indicators, st.Rejections)
	}
	// What is promised to patterns does not grow beyond what there is.
	var many []object.Change
	for i := range 3000 {
		many = append(many, put(100+i, fmt.Sprintf("[process:command_line = '%d'] REPEATS 30 TIMES", i)))
	}
	b.Apply(many)
	st := b.Stats()
	if st.Rejected == 0 || st.Rejected+st.Rules != 3001 || !strings.Contains(st.Rejections[0].Reason, "no room") {
		t.Errorf("%d rules, %d rejected", st.Rules, st.Rejected)
	}
}

// TestCostlyPattern: a pattern that costs too much on every event is stopped, named, and no longer looked for; a
// newer version begins afresh.
func TestCostlyPattern(t *testing.T) {
	b := newBench(t)
	costly := b.store.put(indicatorCopy(t, "bravo", uuidNumber(1), "stix",
		"[process:command_line LIKE 'never' OR process:command_line NOT LIKE '%'"+strings.Repeat(" OR process:command_line LIKE 'y%'", 900)+"]"))
	b.Apply([]object.Change{costly})
	for range 4000 {
		submit(t, b, processEvent("ws01", "z"))
	}
	b.live.dropStopped()
	st := b.Stats()
	if st.Rules != 0 || st.Rejected != 1 || len(st.Rejections) != 1 || !strings.Contains(st.Rejections[0].Reason, "stopped: it costs too much") {
		t.Fatalf("%d rules, %+v", st.Rules, st.Rejections)
	}
	b.Apply([]object.Change{b.store.put(indicatorCopy(t, "bravo", uuidNumber(1), "stix", "[process:command_line LIKE 'z%']"))})
	b.live.dropStopped()
	submit(t, b, processEvent("ws01", "zz"))
	if st := b.Stats(); st.Rules != 1 || st.Rejected != 0 || st.Detections != 1 {
		t.Errorf("%d rules, %d detections, %+v", st.Rules, st.Detections, st.Rejections)
	}
}
