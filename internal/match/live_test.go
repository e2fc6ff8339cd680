package match_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/match"
	"shieldwall/internal/sigma"
)

// numberedRule is one rule of many that differ in a literal.
func numberedRule(t testing.TB, i int) *sigma.Rule {
	r := parse(t, fmt.Sprintf("s: {F|contains: needle-%d-x}\ncondition: s", i))
	r.ID = fmt.Sprint(i)
	return r
}

// TestArrivals lets rules come and go one by one: every state answers as it should, and segments stay few
// with nobody merging but the writer.
func TestArrivals(t *testing.T) {
	const count = 700
	e := match.New(time.Now)
	for i := range count {
		e.Update([]match.Compiled{compile(t, match.Key{ID: fmt.Sprint(i)}, numberedRule(t, i))}, nil)
		if got := hits(e, fields("F", fmt.Sprintf("a needle-%d-x", i))); len(got) != 1 {
			t.Fatalf("rule %d: %d hits at once", i, len(got))
		}
		if s := e.Stats(); s.Rules != i+1 || s.Segments > 6 {
			t.Fatalf("after %d rules: %+v", i+1, s)
		}
	}
	if s := e.Stats(); s.Merges == 0 || s.Merges > count/32 {
		t.Errorf("%d merges", s.Merges)
	}
	for i := 0; i < count; i += 2 {
		e.Update(nil, []match.Key{{ID: fmt.Sprint(i)}})
	}
	for i := range count {
		if got := len(hits(e, fields("F", fmt.Sprintf("needle-%d-x", i)))); got != i%2 {
			t.Fatalf("rule %d: %d hits", i, got)
		}
	}
	before := e.Stats()
	for i := 1; i < count; i += 2 {
		e.Update(nil, []match.Key{{ID: fmt.Sprint(i)}})
	}
	if s := e.Stats(); s.Rules != 0 || s.Segments != 0 || s.Bytes != 0 || before.Bytes == 0 {
		t.Errorf("%+v after %+v", s, before)
	}
}

// TestRun merges in the background: afterwards one segment a bucket is left, nothing removed is kept, and
// the answers are the same.
func TestRun(t *testing.T) {
	e := match.New(time.Now)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	const count = 300
	for i := range count {
		e.Update([]match.Compiled{compile(t, match.Key{ID: fmt.Sprint(i)}, numberedRule(t, i))}, nil)
	}
	var remove []match.Key
	for i := range 200 {
		remove = append(remove, match.Key{ID: fmt.Sprint(i)})
	}
	e.Update(nil, remove)
	for e.Stats().Removed > 64 || e.Stats().Segments > 3 {
		time.Sleep(time.Millisecond) // the test's own deadline ends it
	}
	for i := range count {
		if got := len(hits(e, fields("F", fmt.Sprintf("needle-%d-x", i)))) == 1; got != (i >= 200) {
			t.Errorf("rule %d: %t", i, got)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestEveryEvent checks that a rule without a logsource meets all events.
func TestEveryEvent(t *testing.T) {
	r := parse(t, "s: {F: a}\ncondition: s")
	r.Logsource = sigma.Logsource{}
	e := loaded(t, []*sigma.Rule{r})
	for _, ev := range []*event.Event{{}, {Channel: "System", EventID: "1"}, {Product: "linux"}, {Service: "x", Category: "y"}} {
		ev.Fields = fields("F", "a").Fields
		if len(hits(e, ev)) != 1 {
			t.Errorf("%+v is not met", ev)
		}
	}
}

// TestRest checks that an event is asked for all its fields where a rule looks at all, and only there; an
// event with other names than the engine's is asked in any case.
func TestRest(t *testing.T) {
	keyword := parse(t, "k: [hidden]\ncondition: k")
	other := parse(t, "s: {F: a}\ncondition: s")
	other.ID, other.Logsource = "other", sigma.Logsource{Service: "other"}
	e := loaded(t, []*sigma.Rule{keyword, other})
	asked := 0
	ev := fields("F", "a")
	numbered([]*event.Event{ev}, e.Names())
	ev.Asked = e.Names().Len()
	ev.Rest = func(ev *event.Event) {
		asked++
		ev.Fields = append(slices.Clone(ev.Fields), event.Field{Name: "G", Value: event.Str("a HIDDEN")})
	}
	if got := hits(e, ev); len(got) != 1 || asked != 1 || len(ev.Fields) != 1 {
		t.Errorf("%d hits, asked %d times, %d fields", len(got), asked, len(ev.Fields))
	}
	service := ev.Service
	ev.Service = "other"
	if got := hits(e, ev); len(got) != 1 || asked != 1 {
		t.Errorf("%d hits, asked %d times", len(got), asked)
	}
	ev.Service, ev.Raw = service, `{"F":"a","G":"a public matter"}`
	if got := hits(e, ev); len(got) != 0 || asked != 1 {
		t.Errorf("%d hits, asked %d times though its text has no keyword", len(got), asked)
	}
	ev.Raw = `{"F":"a","G":"a HIDDEN"}`
	if got := hits(e, ev); len(got) != 1 || asked != 2 {
		t.Errorf("%d hits, asked %d times though its text has a keyword", len(got), asked)
	}
	ev.Names, ev.Raw, ev.Service = nil, "", "other"
	if got := hits(e, ev); len(got) != 1 || asked != 3 {
		t.Errorf("%d hits, asked %d times", len(got), asked)
	}
}

// TestSlots checks that slots are used where they are the engine's own, and names where they are not.
func TestSlots(t *testing.T) {
	e := loaded(t, []*sigma.Rule{parse(t, "s: {F: a, G: b}\ncondition: s")})
	foreign := new(event.Names)
	foreign.Want("x", "y", "z", "G", "F")
	for _, names := range []*event.Names{nil, e.Names(), foreign} {
		ev := fields("F", "a", "G", "b")
		if names != nil {
			numbered([]*event.Event{ev}, names)
		}
		if len(hits(e, ev)) != 1 {
			t.Errorf("not met with names %p", names)
		}
	}
}

// TestCosts checks what is measured about rules.
func TestCosts(t *testing.T) {
	common, rare := parse(t, "s: {F|contains: ab}\ncondition: s"), parse(t, "s: {F|contains: rareneedle, G: x}\ncondition: s")
	rare.ID = "rare"
	e := loaded(t, []*sigma.Rule{common, rare})
	hits(e, fields("F", "cab"))
	if len(e.Costs()) != 0 {
		t.Error("measured without being asked to")
	}
	e.Measure(1)
	for range 10 {
		hits(e, fields("F", "cab"))
	}
	hits(e, fields("F", "a rareneedle"))
	hits(e, fields("F", "a rareneedle"))
	e.Measure(0)
	hits(e, fields("F", "cab"))
	got := map[string]match.RuleCost{}
	for _, c := range e.Costs() {
		got[c.RuleID] = c
	}
	if c := got["r"]; c.Looked != 12 || c.Held != 10 || c.Time < 0 || c.Title != "t" {
		t.Errorf("common rule: %+v", c)
	}
	if c := got["rare"]; c.Looked != 2 || c.Held != 0 {
		t.Errorf("rare rule: %+v", c)
	}
	if s := e.Stats(); s.Rules != 2 || s.Atoms < 3 || s.Fields < 2 || s.Bytes == 0 || s.Buckets != 1 {
		t.Errorf("%+v", s)
	}
}

// BenchmarkCompile makes all rules of rules and rules-emerging-threats live, parsed beforehand.
func BenchmarkCompile(b *testing.B) {
	rules := corpusRules(b, "rules", "rules-emerging-threats")
	b.ReportAllocs()
	for b.Loop() {
		loaded(b, rules)
	}
}

// BenchmarkArrivals makes them live one by one; the figure beside the time is the longest Update.
func BenchmarkArrivals(b *testing.B) {
	rules := corpusRules(b, "rules/windows")
	var compiled []match.Compiled
	for i, r := range rules {
		compiled = append(compiled, compile(b, match.Key{ID: fmt.Sprint(i)}, r))
	}
	longest := time.Duration(0)
	for b.Loop() {
		e := match.New(time.Now)
		ctx, stop := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		for i := range compiled {
			start := time.Now()
			e.Update(compiled[i:i+1], nil)
			longest = max(longest, time.Since(start))
		}
		stop()
		<-done
	}
	b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest")
	b.ReportMetric(float64(len(rules)), "rules")
}
