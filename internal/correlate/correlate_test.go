package correlate

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/sigma"
)

// section makes a correlation as a rule file says it.
func section(t testing.TB, key, text string) Rule {
	t.Helper()
	var lines strings.Builder
	for line := range strings.Lines(text) {
		lines.WriteString("  " + strings.TrimLeft(line, "\t"))
	}
	found, err := sigma.Parse([]byte("title: "+key+"\nname: "+key+"\ncorrelation:\n"+lines.String()+"\n"), sigma.Options{Correlations: true})
	if err != nil || len(found.Correlations) != 1 {
		t.Fatalf("%v %v\n%s", err, found.Rejected, text)
	}
	r := Rule{Key: Key{ID: key}, Correlation: found.Correlations[0]}
	for _, name := range r.Rules {
		r.Refs = append(r.Refs, Key{ID: name})
	}
	return r
}

func engine(t testing.TB, opt Options, rules ...Rule) *Engine {
	t.Helper()
	e := New(opt)
	if err := e.Update(rules, nil); err != nil {
		t.Fatal(err)
	}
	return e
}

func second(n float64) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n * float64(time.Second)))
}

// happened makes an event of "rule@second field=value ..."; the rule may be several, "a+b".
func happened(t testing.TB, text string) (*event.Event, []Hit) {
	t.Helper()
	words := strings.Split(text, " ")
	rules, at, _ := strings.Cut(words[0], "@")
	n, err := strconv.ParseFloat(at, 64)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	ev := &event.Event{Time: second(n), Record: text}
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		f := event.Field{Name: name, Value: event.Str(value)}
		if value == "null" {
			f.Value = event.Value{}
		}
		ev.Fields = append(ev.Fields, f)
	}
	var hits []Hit
	for _, r := range strings.Split(rules, "+") {
		hits = append(hits, Hit{Key: Key{ID: r}})
	}
	return ev, hits
}

// tells feeds events and spells what they tell: "rule group first-last count".
func tells(t testing.TB, e *Engine, events ...string) (out []string) {
	t.Helper()
	add := func(alerts []Alert) {
		for _, a := range alerts {
			var group []string
			for _, f := range a.Group {
				group = append(group, f.Value.Text)
			}
			zero := second(0)
			out = append(out, fmt.Sprintf("%s %s %g-%g %g", a.Key.ID, strings.Join(group, ","), a.First.Sub(zero).Seconds(), a.Last.Sub(zero).Seconds(), a.Count))
		}
	}
	for _, text := range events {
		if text == "end" {
			add(e.Finish())
			continue
		}
		ev, hits := happened(t, text)
		add(e.Add(ev, ev.Time, hits...))
	}
	return out
}

// TestWindows: what holds, when, and what is told of it.
func TestWindows(t *testing.T) {
	count := func(condition string) string {
		return "type: event_count\nrules: a\ngroup-by: [u]\ntimespan: 10s\ncondition: {" + condition + "}"
	}
	of := func(kind, condition string) string {
		return "type: " + kind + "\nrules: a\ntimespan: 10s\ncondition: {field: n, " + condition + "}"
	}
	temporal := func(kind, condition string) string {
		out := "type: " + kind + "\nrules: [a, b, c]\ntimespan: 10s\n"
		if condition != "" {
			out += "condition: " + condition
		}
		return out
	}
	for _, tt := range []struct{ name, section, events, want string }{
		{"told with the event that completes it", count("gte: 3"), "a@1 u=x|a@2 u=x|a@3 u=x", "r x 1-3 3"},
		{"no borders of minutes or tens", count("gte: 3"), "a@8 u=x|a@12 u=x|a@17 u=x", "r x 8-17 3"},
		{"the window slides", count("gte: 3"), "a@0 u=x|a@9 u=x|a@15 u=x|a@18.5 u=x", "r x 9-18.5 3"},
		{"its start is not in it", count("gte: 2"), "a@0 u=x|a@10 u=x", ""},
		{"nearly", count("gte: 2"), "a@0 u=x|a@9.9 u=x", "r x 0-9.9 2"},
		{"by group, without case", count("gte: 2"), "a@0 u=x|a@1 u=y|a@2 u=X", "r x 0-2 2"},
		{"a missing field and null are in no group", count("gte: 2"), "a@0|a@1|a@2 u=null|a@3 u=null", ""},
		{"an empty value is a value", count("gte: 2"), "a@0 u=|a@1 u=", "r  0-1 2"},
		{"a burst is told once a timespan", count("gte: 2"), "a@0 u=x|a@1 u=x|a@2 u=x|a@3 u=x|a@9 u=x|a@10 u=x|a@11 u=x", "r x 0-1 2;r x 10-11 2"},
		{"more than", count("gt: 2"), "a@0 u=x|a@1 u=x|a@2 u=x", "r x 0-2 3"},
		{"a range is judged by the whole burst", count("gte: 2, lt: 4"), "a@0 u=x|a@1 u=x|a@2 u=x|a@3 u=x|a@4 u=x|a@30 u=x|a@31 u=x|end", "r x 30-31 2"},
		{"a range slides over what is too little", count("gte: 3, lt: 9"), "a@0 u=x|a@5 u=x|a@12 u=x|a@13 u=x|end", "r x 5-13 3"},
		{"few", count("lt: 3"), "a@0 u=x|a@1 u=x|a@30 u=x|a@31 u=x|a@32 u=x|end", "r x 0-1 2"},
		{"exactly", count("eq: 2"), "a@0 u=x|a@1 u=x|a@30 u=x|a@31 u=x|a@32 u=x|end", "r x 0-1 2"},
		{"not exactly", count("neq: 2"), "a@0 u=x|a@1 u=x|a@30 u=x|end", "r x 30-30 1"},
		{"an event that two of the rules meet is one", "type: event_count\nrules: [a, b]\ntimespan: 1m\ncondition: {gte: 3}", "a+b@0|a+b@1|b@2", "r  0-2 3"},
		{"a record again is the same", count("gte: 2"), "a@0 u=x|a@0 u=x|a@1 u=x", "r x 0-1 2"},

		{"different values, without case", of("value_count", "gte: 3"), "a@0 n=x|a@1 n=X|a@2 n=y|a@3 n=y|a@4 n=z", "r  0-4 3"},
		{"values that left the window", of("value_count", "gte: 3"), "a@0 n=x|a@5 n=y|a@12 n=z|a@13 n=x", "r  5-13 3"},
		{"a value missing", of("value_count", "gte: 2"), "a@0 n=x|a@1|a@2 n=null|a@3 n=y", "r  0-3 2"},
		{"tuples", "type: value_count\nrules: a\ntimespan: 10s\ncondition: {field: [n, m], gte: 3}", "a@0 n=x m=yz|a@1 n=xy m=z|a@2 n=x m=yz|a@3 n=x m=y", "r  0-3 3"},
		{"a sum", of("value_sum", "gte: 10"), "a@0 n=4|a@1 n=5.5|a@2 n=abc|a@3 n=0x1", "r  0-3 10.5"},
		{"a sum of what is left", of("value_sum", "gte: 10"), "a@0 n=9|a@10 n=5|a@11 n=4|a@12 n=1", "r  10-12 10"},
		{"a small sum", of("value_sum", "lte: 5"), "a@0 n=4|a@1 n=2|a@20 n=3|end", "r  20-20 3"},
		{"an average", of("value_avg", "gt: 5"), "a@0 n=1|a@1 n=8|a@2 n=9|a@200 n=0|end", "r  0-2 6"},
		{"a percentile", of("value_percentile", "percentile: 90, gte: 9.1"), "a@0 n=1|a@1 n=10|a@200 n=0|end", "r  0-1 9.1"},
		{"a median", "type: value_median\nrules: a\ntimespan: 10s\ncondition: {field: n, gte: 2}", "a@0 n=1|a@1 n=1|a@2 n=5|a@3 n=5|a@100 n=0|end", "r  0-3 3"},

		{"all rules, in any order", temporal("temporal", ""), "c@0|a@1|a@2|b@3", "r  0-3 3"},
		{"some of the rules", temporal("temporal", "{gte: 2}"), "c@0|c@1|b@3", "r  0-3 2"},
		{"too far apart", temporal("temporal", ""), "c@0|a@1|b@10.5|c@10.7", "r  1-10.7 3"},
		{"in order", temporal("temporal_ordered", ""), "b@0|a@1|c@2|b@3|c@4", "r  0-4 3"},
		{"one event is one step", temporal("temporal_ordered", ""), "a+b@0|c@1|a@1.5|b@2|c@3", "r  0-3 3"},
		{"two in order", temporal("temporal_ordered", "{gte: 2}"), "c@0|b@1|a@2|c@3", "r  0-3 2"},
		{"either", temporal("temporal", "a and (b or c)"), "c@0|b@1|a@3", "r  0-3 3"},
		{"one without another", temporal("temporal", "a and not (b or c)"), "a@0|b@9|a@30|c@41|end", "r  30-30 1"},
		{"without another before it", temporal("temporal", "a and not (b or c)"), "b@0|a@9|b@40|a@51|end", "r  51-51 1"},
		{"an order with a choice", temporal("temporal_ordered", "(a or b) and c"), "c@0|b@1|c@2", "r  0-2 2"},
		{"an order and an absence", temporal("temporal_ordered", "a and c and not b"), "c@0|a@1|b@20|a@21|c@22|a@40|c@41|end", "r  40-41 2"},
	} {
		e := engine(t, Options{}, section(t, "r", tt.section))
		got := tells(t, e, strings.Split(tt.events, "|")...)
		want := slices.DeleteFunc(strings.Split(tt.want, ";"), func(s string) bool { return s == "" })
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
	}
}

// TestLate: what comes late takes part while something is held that it can share a window with, and is counted.
func TestLate(t *testing.T) {
	r := section(t, "r", "type: event_count\nrules: a\ntimespan: 100s\ncondition: {gte: 3}")
	e := engine(t, Options{}, r)
	if got := tells(t, e, "a@0", "a@200", "a@150", "a@141"); !slices.Equal(got, []string{"r  141-200 3"}) {
		t.Errorf("out of order by less than a minute: %q", got)
	}
	if st := e.Stats(); st.Late != 0 || st.Told != 1 {
		t.Errorf("%+v", st)
	}
	e = engine(t, Options{}, r)
	if got := tells(t, e, "a@200", "a@139", "a@138"); !slices.Equal(got, []string{"r  138-200 3"}) {
		t.Errorf("too late, and still held: %q", got)
	}
	if st := e.Stats(); st.Late != 2 || st.Dropped != 0 {
		t.Errorf("%+v", st)
	}
	if got := tells(t, e, "a@1000", "a@840", "a@841"); got != nil {
		t.Errorf("later: %q", got)
	}
	if st := e.Stats(); st.Late != 4 || st.Dropped != 1 || st.Events != 2 {
		t.Errorf("%+v", st)
	}
	e = engine(t, Options{Lateness: Unordered}, r)
	if got := tells(t, e, "a@900000", "a@2", "a@900001", "a@1", "a@0"); !slices.Equal(got, []string{"r  0-2 3"}) {
		t.Errorf("a recording: %q", got)
	}
	if e.Add(&event.Event{}, time.Time{}, Hit{Key: Key{ID: "a"}}); e.Stats().Untimed != 1 {
		t.Error("an event without a time is not counted as such")
	}
}

// TestAdvance: where no more events come, the clock closes windows, and forgets what is over.
func TestAdvance(t *testing.T) {
	now := second(1000)
	e := New(Options{Lateness: 5 * time.Second, Now: func() time.Time { return now }})
	rules := []Rule{
		section(t, "few", "type: event_count\nrules: a\ngroup-by: [u]\ntimespan: 10s\ncondition: {lt: 3}"),
		section(t, "over", "type: event_count\nrules: few\ntimespan: 1h\ncondition: {gte: 2}"),
	}
	if err := e.Update(rules, nil); err != nil {
		t.Fatal(err)
	}
	// The log is an hour behind: event time counts, the clock only says how long nothing has come.
	if got := tells(t, e, "a@0 u=x", "a@3 u=y", "a@4 u=x"); got != nil {
		t.Errorf("at once: %q", got)
	}
	for _, tt := range []struct {
		after float64
		want  int
		held  int
	}{{10.9, 0, 2}, {11, 1, 3}, {14.9, 0, 3}, {15, 2, 1}, {60, 0, 1}, {3599, 0, 1}, {3700, 0, 0}} {
		now = second(1000 + tt.after)
		alerts := e.Advance()
		if st := e.Stats(); len(alerts) != tt.want || st.Groups != tt.held {
			t.Errorf("after %g seconds %d are told, %d groups are held, want %d, %d", tt.after, len(alerts), st.Groups, tt.want, tt.held)
		}
	}
	if st := e.Stats(); st.Events+st.Bytes != 0 || st.EvictedGroups != 0 || len(e.wakes) != 0 {
		t.Errorf("%+v", st)
	}
}

// TestChain: a correlation over another sees its group and the fields of its events, and is found silent or not.
func TestChain(t *testing.T) {
	many := section(t, "many", "type: event_count\nrules: a\ngroup-by: [host]\ntimespan: 10s\ncondition: {gte: 3}")
	then := section(t, "then", "type: temporal_ordered\nrules: [many, b]\ngroup-by: [user]\ntimespan: 60s\naliases: {user: {many: u, b: name}}")
	top := section(t, "top", "type: event_count\nrules: then\ngroup-by: [host]\ntimespan: 5m\ncondition: {gte: 1}\ngenerate: true")
	e := engine(t, Options{}, many, then, top)
	got := tells(t, e, "a@0 host=h u=x", "a@1 host=h u=y", "a@2 host=h u=y", "b@30 name=Y host=g", "b@31 name=z host=h", "b@32 name=x host=f")
	// The alert of the middle one has host h of its first event, and g or f of the one that completed it.
	want := []string{"many h 0-2 3", "then y 2-30 2", "top h 30-30 1", "top g 30-30 1", "then x 2-32 2", "top f 32-32 1"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for key, want := range map[string]bool{"a": true, "b": true, "many": true, "then": false, "top": false, "other": false} {
		if e.Silent(Key{ID: key}) != want {
			t.Errorf("%s: silent %v", key, !want)
		}
	}
	for key, want := range map[string][]string{"a": {"host", "u"}, "b": {"host", "name"}, "many": {"host", "u"}, "then": {"host"}, "top": nil} {
		if got := e.Asks(Key{ID: key}); !slices.Equal(got, want) {
			t.Errorf("%s is asked for %q, want %q", key, got, want)
		}
	}
	if !e.Wanted(Key{ID: "a"}) || e.Wanted(Key{ID: "top"}) {
		t.Error("what is wanted")
	}
}

// TestUpdate: correlations come and go while others run.
func TestUpdate(t *testing.T) {
	count := func(key, rule string) Rule {
		return section(t, key, "type: event_count\nrules: "+rule+"\ntimespan: 1m\ncondition: {gte: 2}")
	}
	e := engine(t, Options{}, count("one", "a"), count("two", "a"))
	tells(t, e, "a@0")
	if err := e.Update([]Rule{count("two", "a"), count("three", "b")}, []Key{{ID: "nobody"}}); err != nil {
		t.Fatal(err)
	}
	if got := tells(t, e, "a@1", "a@2"); !slices.Equal(got, []string{"one  0-1 2", "two  1-2 2"}) {
		t.Errorf("one goes on, the other begins anew: %q", got)
	}
	for want, add := range map[string][]Rule{
		"refers to itself":                {count("self", "self")},
		"by way of others":                {count("x", "y"), count("y", "z"), count("z", "x")},
		"a chain of more than":            {count("c1", "a"), count("c2", "c1"), count("c3", "c2"), count("c4", "c3"), count("c5", "c4"), count("c6", "c5"), count("c7", "c6"), count("c8", "c7"), count("c9", "c8")},
		"is 0s":                           {{Key: Key{ID: "t"}, Correlation: &sigma.Correlation{Type: sigma.EventCount, Rules: []string{"a"}}, Refs: []Key{{ID: "a"}}}},
		"refers to 1 rules, 0 are resolv": {{Key: Key{ID: "t"}, Correlation: count("t", "a").Correlation}},
	} {
		if err := e.Update(append(add, count("one", "b")), []Key{{ID: "two"}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if got := tells(t, e, "a@100", "a@101"); len(got) != 2 || e.Len() != 3 {
		t.Errorf("after updates that fail: %q", got)
	}
	if err := e.Update(nil, []Key{{ID: "one"}, {ID: "two"}, {ID: "three"}}); err != nil {
		t.Fatal(err)
	}
	if st := e.Stats(); e.Len() != 0 || st.Groups+st.Events+st.Bytes+e.bytes != 0 || st.Told != 4 || e.Wanted(Key{ID: "a"}) {
		t.Errorf("without any: %+v", st)
	}
}

// TestCosts: what each correlation was handed, told and held.
func TestCosts(t *testing.T) {
	count := func(key, rule, condition string) Rule {
		return section(t, key, "type: event_count\nrules: "+rule+"\ntimespan: 1m\ncondition: "+condition)
	}
	e := engine(t, Options{Lateness: Unordered}, count("few", "a", "{gte: 2}"), count("idle", "b", "{gte: 2}"), count("over", "few", "{gte: 1}"))
	tells(t, e, "a@0", "a@1", "a@2", "a@100")
	e.Finish()
	got := map[string]Cost{}
	for _, c := range e.Costs() {
		got[c.Key.ID] = c
	}
	if c := got["few"]; len(got) != 3 || c.Taken != 4 || c.Stats.Told != 1 || c.Peak == 0 || c.Stats.Bytes != 0 || c.Time < 0 || c.About.Title != "few" {
		t.Errorf("%+v", got)
	}
	if c := got["idle"]; c.Taken != 0 || c.Peak != 0 {
		t.Errorf("%+v", c)
	}
	if c := got["over"]; c.Taken != 1 || c.Stats.Told != 1 {
		t.Errorf("a correlation over another: %+v", c)
	}
}

func TestCheck(t *testing.T) {
	good := func() *sigma.Correlation {
		return &sigma.Correlation{Type: sigma.ValueCount, Rules: []string{"a"}, Timespan: time.Minute, Fields: []string{"f"}, Bounds: []sigma.Bound{{Op: sigma.BoundGte, Value: 3}}}
	}
	if err := Check(good()); err != nil {
		t.Error(err)
	}
	for want, spoil := range map[string]func(*sigma.Correlation){
		"refers to no rule":       func(c *sigma.Correlation) { c.Rules = nil },
		"refers to 101 rules":     func(c *sigma.Correlation) { c.Rules = make([]string, MaxRules+1) },
		"groups by 17 fields":     func(c *sigma.Correlation) { c.GroupBy = make([]string, MaxFields+1) },
		"timespan is":             func(c *sigma.Correlation) { c.Timespan = sigma.MaxTimespan + 1 },
		"counts to 10000, events": func(c *sigma.Correlation) { c.Bounds[0].Value = MaxEvents },
		`bound "about"`:           func(c *sigma.Correlation) { c.Bounds[0].Op = "about" },
		"a bound and a field":     func(c *sigma.Correlation) { c.Fields = nil },
		"a bound and one field":   func(c *sigma.Correlation) { c.Type, c.Fields = sigma.ValueSum, []string{"a", "b"} },
		"percentile from 0":       func(c *sigma.Correlation) { c.Type, c.Percentile = sigma.ValuePercentile, 101 },
		"needs a bound":           func(c *sigma.Correlation) { c.Type, c.Bounds = sigma.EventCount, nil },
		`type "guess"`:            func(c *sigma.Correlation) { c.Type = "guess" },
		"too many ways": func(c *sigma.Correlation) {
			c.Type, c.Rules, c.Sequence = sigma.TemporalOrdered, make([]string, MaxOrdered+1), sigma.Ref{}
		},
	} {
		c := good()
		spoil(c)
		if err := Check(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestEvidence: an alert shows the first and the last events of its window.
func TestEvidence(t *testing.T) {
	e := engine(t, Options{}, section(t, "r", "type: value_count\nrules: [a, b]\ngroup-by: [u]\ntimespan: 1h\ncondition: {field: v, gte: 30}"))
	var alerts []Alert
	for i := range 30 {
		ev := &event.Event{
			Time: second(float64(i)), Record: fmt.Sprintf("rec%03d", i), Source: "source", Computer: "machine", Channel: "channel", EventID: "4625",
			Fields: []event.Field{{Name: "u", Value: event.Str("user")}, {Name: "v", Value: event.Num(fmt.Sprint(i))}},
		}
		alerts = append(alerts, e.Add(ev, ev.Time, Hit{Key: Key{ID: "a"}}, Hit{Key: Key{ID: "b"}})...)
	}
	if len(alerts) != 1 {
		t.Fatalf("%d alerts", len(alerts))
	}
	a := alerts[0]
	if a.Events != 30 || a.Count != 30 || len(a.Hits) != MaxHits || a.Group[0].Value.Text != "user" {
		t.Errorf("%+v", a)
	}
	for i, n := range []int{0, 1, 2, 3, 4, 5, 6, 7, 22, 23, 24, 25, 26, 27, 28, 29} {
		want := Reference{Rules: []Key{{ID: "a"}, {ID: "b"}}, Time: second(float64(n)), Source: "source", Record: fmt.Sprintf("rec%03d", n), Computer: "machine", Channel: "channel", EventID: "4625"}
		if got := a.Hits[i]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("hit %d: %+v, want %+v", i, got, want)
		}
	}
	if last := a.LastHit(); last.Record != "rec029" {
		t.Errorf("last: %+v", last)
	}
	if got := a.Fields(); len(got) != 5 || got[1].Value.Text != "30" || got[4].Value.Items[0].Text != "2026-01-01T00:00:00Z machine source rec000" {
		t.Errorf("%+v", got)
	}
}

// TestSum: sums are exact, whatever comes and goes.
func TestSum(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		var s sum
		var held []float64
		for range 200 {
			if n := len(held); n > 0 && r.IntN(3) == 0 {
				i := r.IntN(n)
				s.remove(&entry{number: held[i]})
				held = slices.Delete(held, i, i+1)
			} else {
				x := (r.Float64() - 0.5) * []float64{1e-300, 1e-9, 1, 3, 1e17, 1e300}[r.IntN(6)]
				s.add(&entry{number: x})
				held = append(held, x)
			}
			exact := new(big.Float).SetPrec(4096)
			for _, x := range held {
				exact.Add(exact, big.NewFloat(x))
			}
			if want, _ := exact.Float64(); s.value() != want {
				t.Fatalf("%g, want %g of %v", s.value(), want, held)
			}
		}
	}
	for text, want := range map[string]float64{"12": 12, "-1.5e3": -1500, "0x1F": 31, "0": 0, "-0": 0} {
		if got, ok := number(text); !ok || got != want {
			t.Errorf("%s: %g", text, got)
		}
	}
	for _, text := range []string{"", "x", "NaN", "inf", "1e301", "0x", "0x1ffffffffffffffff", "1_0", "12 "} {
		if got, ok := number(text); ok {
			t.Errorf("%q is no number: %g", text, got)
		}
	}
}

// TestConcurrent: events from several goroutines are each counted once.
func TestConcurrent(t *testing.T) {
	now := second(0)
	e := New(Options{Now: func() time.Time { return now }})
	rules := []Rule{
		section(t, "r", "type: event_count\nrules: a\ngroup-by: [u]\ntimespan: 1h\ncondition: {gte: 1000}"),
		section(t, "over", "type: event_count\nrules: r\ntimespan: 1h\ncondition: {gte: 4}"),
	}
	if err := e.Update(rules, nil); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	told := map[string]int{}
	for part := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				ev := &event.Event{Record: fmt.Sprint(part, i), Fields: []event.Field{{Name: "u", Value: event.Str(fmt.Sprint(i % 4))}}}
				for _, a := range append(e.Add(ev, second(float64(i)), Hit{Key: Key{ID: "a"}}), e.Advance()...) {
					mu.Lock()
					told[a.Key.ID]++
					mu.Unlock()
				}
				if i%100 == 0 {
					e.Stats()
					if err := e.Update([]Rule{section(t, fmt.Sprint(part), "type: temporal\nrules: [b, c]\ntimespan: 1h")}, nil); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if told["r"] != 4 || told["over"] != 1 {
		t.Errorf("%v", told)
	}
}
