package match

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/sigma"
	"shieldwall/internal/status"
)

func ruleOf(t testing.TB, id, detection string) *sigma.Rule {
	t.Helper()
	found, err := sigma.Parse([]byte("title: Title of "+id+"\nid: "+id+"\nlogsource: {service: test}\ndetection:\n  s: "+detection+"\n  condition: s\n"), sigma.Options{})
	if err != nil || len(found.Rules) != 1 {
		t.Fatalf("%v, %+v", err, found)
	}
	return found.Rules[0]
}

func textEvent(text string) *event.Event {
	return &event.Event{Service: "test", Fields: []event.Field{{Name: "F", Value: event.Str(text)}}}
}

// TestProfile: the costliest rules with where they come from, and what the engine is made of.
func TestProfile(t *testing.T) {
	e := New(time.Now)
	add := func(key Key, rules ...*sigma.Rule) {
		c, err := CompileSigma(key, rules...)
		if err != nil {
			t.Fatal(err)
		}
		e.Update([]Compiled{c}, nil)
	}
	add(Key{ID: "rules/a.yml:1"}, ruleOf(t, "a", "{F|contains: needle}"))
	add(Key{Publisher: "bravo", ID: "indicator--1"}, ruleOf(t, "b", "{F|exists: true}"), ruleOf(t, "b", "{F|contains: needle, G: x}"))
	add(Key{ID: "gone"}, ruleOf(t, "gone", "{F|contains: needle}"))
	add(Key{ID: "idle"}, ruleOf(t, "idle", "{F|contains: absent}"))
	e.Measure(1)
	for range 3 {
		e.Match(textEvent("a needle"), func(Hit) {})
	}
	e.Match(textEvent("nothing"), func(Hit) {})
	e.Update(nil, []Key{{ID: "gone"}})
	for _, r := range e.units[Key{ID: "rules/a.yml:1"}].live {
		r.costs.nanoseconds.Store(3000)
	}
	for i, r := range e.units[Key{Publisher: "bravo", ID: "indicator--1"}].live {
		r.costs.nanoseconds.Store(500 + int64(i)) // of one key and one id: the order is still known
	}
	e.spent.rules.Store(6000)
	p := e.Profile(10)
	if p.OneIn != 1 || p.Measured != 4 || p.Looked != 3 || len(p.Rules) != 3 || p.Nanoseconds.Total < 0 {
		t.Fatalf("%+v", p)
	}
	for i, want := range []status.RuleCost{
		{RuleID: "a", Title: "Title of a", File: "rules/a.yml:1", Looked: 3, Held: 3, Nanoseconds: 3000, Share: 0.5, Filed: "text", Why: []string{`is found by a text in F: "needle"`}},
		{RuleID: "b", Title: "Title of b", Publisher: "bravo", Object: "indicator--1", Looked: 3, Held: 0, Nanoseconds: 501, Share: 501. / 6000, Filed: "text", Why: []string{`is found by a text in F: "needle"`}},
		{RuleID: "b", Title: "Title of b", Publisher: "bravo", Object: "indicator--1", Looked: 4, Held: 4, Nanoseconds: 500, Share: 500. / 6000, Filed: "field", Why: []string{"asks only whether F is there"}},
	} {
		if got := p.Rules[i]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("rule %d: %+v, want %+v", i, got, want)
		}
	}
	if s := p.Engine; s.Rules != 4 || s.ByField != 1 || s.Always != 0 || s.RuleBytes == 0 || s.ProgramBytes == 0 || s.Witnesses == 0 {
		t.Errorf("%+v", s)
	}
	if p := e.Profile(1); len(p.Rules) != 1 || p.Rules[0].RuleID != "a" || p.Looked != 3 {
		t.Errorf("the costliest alone: %+v", p)
	}
	e.Update(nil, []Key{{ID: "rules/a.yml:1"}, {Publisher: "bravo", ID: "indicator--1"}, {ID: "idle"}})
	if p := e.Profile(10); len(p.Rules) != 0 || p.Engine.RuleBytes != 0 || p.Measured != 4 {
		t.Errorf("without rules: %+v", p)
	}
}

// TestMeasured: one in so many events is measured, also by a scratch that does not live as long.
func TestMeasured(t *testing.T) {
	e := New(time.Now)
	s := newScratch(e)
	count := func(oneIn int64, events int) (n int) {
		for range events {
			if s.measured(oneIn) {
				n++
			}
		}
		return n
	}
	if n := count(10, 1000); n != 100 {
		t.Errorf("%d of 1000, one in 10", n)
	}
	if n := count(0, 1000); n != 0 {
		t.Errorf("%d while nothing is measured", n)
	}
	if n := count(3, 300); n != 100 {
		t.Errorf("%d of 300, one in 3", n)
	}
	short := 0
	for range 2000 {
		s = newScratch(e)
		short += count(1024, 512)
	}
	if short < 800 || short > 1200 { // 1000 are expected; the deviation is 22
		t.Errorf("%d of 2000 scratches that lived for half of 1024 events measured one", short)
	}
}

// TestStatsBytes: what is said of memory is what rules take, about.
func TestStatsBytes(t *testing.T) {
	text := func(i int) string { return fmt.Sprintf("a%dtext%dthat%dis%dlong", i, i*7, i*13, i) }
	for name, detection := range map[string]func(i int) string{
		"texts": func(i int) string {
			return fmt.Sprintf("{F|contains: [%s, %s, %s, %s], G|endswith: %s, H: %s}", text(i), text(i+1), text(i+2), text(i+3), text(i), text(i))
		},
		"expressions": func(i int) string { return fmt.Sprintf("{F|re: '%s[a-z]+%s'}", text(i), text(i+1)) },
	} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			e := New(time.Now)
			var all []Compiled
			for i := range 1000 {
				c, err := CompileSigma(Key{ID: fmt.Sprint(i)}, ruleOf(t, fmt.Sprint("r", i), detection(i)))
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, c)
			}
			e.Update(all, nil)
			all = nil
			st := e.Stats()
			said, took := float64(st.Read+st.Bytes), heap()-before
			if said < 0.6*took || said > 1.6*took {
				t.Errorf("%.0f bytes are said, %.0f were taken; %+v", said, took, st)
			}
			t.Logf("%.2f of %.0f bytes", said/took, took)
			runtime.KeepAlive(e)
		})
	}
}

// TestProfileBesideWriters: profiles may be asked for while events are measured and rules come, go and are merged.
func TestProfileBesideWriters(t *testing.T) {
	e := New(time.Now)
	e.Measure(1)
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { _ = e.Run(ctx) })
	all.Go(func() {
		for ctx.Err() == nil {
			e.Match(textEvent("a needle"), func(Hit) {})
		}
	})
	all.Go(func() {
		for ctx.Err() == nil {
			for _, r := range e.Profile(5).Rules {
				if r.Held > r.Looked || len(r.Why) == 0 {
					t.Errorf("%+v", r)
				}
			}
		}
	})
	for i := range 200 {
		c, err := CompileSigma(Key{ID: fmt.Sprint(i % 90)}, ruleOf(t, fmt.Sprint(i), "{F|contains: needle}"))
		if err != nil {
			t.Fatal(err)
		}
		e.Update([]Compiled{c}, []Key{{ID: fmt.Sprint(i * 7 % 90)}})
	}
	stop()
	all.Wait()
	if p := e.Profile(500); p.Engine.Rules == 0 || p.Engine.Rules > 90 || p.Looked > p.Engine.Rules {
		t.Errorf("%+v", p.Engine)
	}
}
