package detect

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/object"
	"shieldwall/internal/stix"
)

func dnsEvent(name string) *event.Event {
	ev := processEvent("ws01", "")
	ev.EventID = "22"
	ev.Fields = []event.Field{{Name: "EventID", Value: event.Num("22")}, {Name: "QueryName", Value: event.Str(name)}}
	return ev
}

func TestApply(t *testing.T) {
	b := newBench(t)
	rule := b.store.put(indicatorCopy(t, "bravo", uuidNumber(1), "sigma", vssRule))
	domain := b.store.put(indicatorCopy(t, "charlie", uuidNumber(2), "stix", "[domain-name:value = 'evil.example']",
		func(i *stix.Indicator) { i.Author, i.Labels = "C. Hunter", []string{"c2"} }))
	same := b.store.put(indicatorCopy(t, "delta", uuidNumber(1), "sigma", vssRule)) // the same id, another member's
	b.Apply([]object.Change{rule, domain, same})
	hits := func(ev *event.Event) (out []string) {
		before := len(b.Recent(ringSize))
		submit(t, b, ev)
		for _, d := range b.Recent(len(b.Recent(ringSize)) - before) {
			out = append([]string{d.Publisher + " " + d.RuleID + " " + d.Title + " by " + d.Author + " " + strings.Join(d.Tags, ",")}, out...)
		}
		return out
	}
	expect := func(what string, ev *event.Event, want ...string) {
		t.Helper()
		if got := hits(ev); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	vss, dns := processEvent("ws01", "vssadmin delete shadows"), dnsEvent("EVIL.example")
	sigmaHit := func(publisher string) string {
		return publisher + " c947b146-0abc-4c87-9c64-b17e9d7274a2 Shadow Copies Deleted by A. Writer attack.impact"
	}
	domainHit := "charlie " + domain.ID + " one of charlie by C. Hunter c2"
	expect("at first", vss, sigmaHit("bravo"), sigmaHit("delta"))
	expect("a domain", dns, domainHit)

	b.Apply([]object.Change{{Key: rule.Key}})
	expect("one withdrawn", vss, sigmaHit("delta"))
	newer := *same.Live
	newer.Raw = indicatorCopy(t, "delta", uuidNumber(1), "sigma", strings.Replace(vssRule, "delete shadows", "resize shadowstorage", 1)).Raw
	b.Apply([]object.Change{{Key: same.Key, Live: &newer}})
	expect("changed", vss)
	expect("the new version", processEvent("ws01", "vssadmin resize shadowstorage"), sigmaHit("delta"))
	b.Apply([]object.Change{domain, {Key: domain.Key}}) // of two changes the last counts
	expect("given and taken back", dns)
	b.Apply([]object.Change{{Key: domain.Key}, domain})
	expect("taken back and given", dns, domainHit)
	if st := b.Stats(); st.Rules != 1 || st.Indicators != 1 || st.Rejected != 0 {
		t.Errorf("stats: %d rules, %d indicators, %v", st.Rules, st.Indicators, st.Rejections)
	}
}

func TestRejected(t *testing.T) {
	two := vssRule + "---\n" + strings.Replace(vssRule, "condition: selection", "condition: selection | count() > 3", 1)
	cases := []struct{ name, patternType, pattern, want string }{
		{"broken YAML", "sigma", "title: [", "line"},
		{"no rule", "sigma", "---\n", "no rule"},
		{"aggregation", "sigma", strings.Replace(vssRule, "condition: selection", "condition: selection | count() > 3", 1), "count"},
		{"one of two", "sigma", two, "a part of it"},
		{"STIX syntax", "stix", "[domain-name:value = ]", "pattern"},
		{"STIX path without a field", "stix", "[domain-name:value = 'a.example'] FOLLOWEDBY [mutex:name = 'b']", "mutex:name"},
		{"another language", "yara", "rule x { condition: true }", `"yara"`},
		{"pathological", "sigma", strings.Replace(vssRule, "CommandLine|contains: 'delete shadows'", "CommandLine|re: '(((a{1000}){1000}){1000})'", 1), "re"},
		{"10,000 conditions", "sigma", strings.Replace(vssRule, "condition: selection", "condition: selection"+strings.Repeat(" or selection", 10_000), 1), "condition"},
	}
	b := newBench(t)
	var changes []object.Change
	for i, tc := range cases {
		changes = append(changes, b.store.put(indicatorCopy(t, "bravo", uuidNumber(i), tc.patternType, tc.pattern)))
	}
	b.Apply(changes)
	st := b.Stats()
	if st.Rejected != len(cases) || len(st.Rejections) != len(cases) {
		t.Fatalf("%d rejected, %d named, want %d: %+v", st.Rejected, len(st.Rejections), len(cases), st.Rejections)
	}
	for i, r := range st.Rejections {
		if r.ID != changes[i].ID || r.Publisher != "bravo" || r.Name != "one of bravo" || !strings.Contains(r.Reason, cases[i].want) {
			t.Errorf("%s: %+v, want a reason with %q", cases[i].name, r, cases[i].want)
		}
	}
	if st.Rules != 1 {
		t.Errorf("%d rules live, want the good one of two", st.Rules)
	}
	// What is repaired or withdrawn is no longer rejected.
	var repaired []object.Change
	for i := range cases {
		c := indicatorCopy(t, "bravo", uuidNumber(i), "sigma", vssRule)
		repaired = append(repaired, object.Change{Key: c.Key, Live: &c})
	}
	repaired[0].Live = nil
	b.Apply(repaired)
	if st := b.Stats(); st.Rejected != 0 || st.Rules != len(cases)-1 {
		t.Errorf("after the repair: %+v", st)
	}
}

func TestRejectedMany(t *testing.T) {
	b := newBench(t)
	var changes []object.Change
	for i := range maxRejections + 10 {
		c := indicatorCopy(t, "bravo", uuidNumber(i), "yara", "rule x { condition: true }")
		changes = append(changes, object.Change{Key: c.Key, Live: &c})
	}
	b.Apply(changes)
	if st := b.Stats(); st.Rejected != maxRejections+10 || len(st.Rejections) != maxRejections {
		t.Errorf("%d rejected, %d named", st.Rejected, len(st.Rejections))
	}
	for i := range changes {
		changes[i].Live = nil
	}
	b.Apply(changes)
	if st := b.Stats(); st.Rejected != 0 {
		t.Errorf("%d rejected after the withdrawal", st.Rejected)
	}
}

func TestValidity(t *testing.T) {
	created := start.Add(time.Hour) // by a clock that is an hour ahead of ours
	for name, tc := range map[string]struct {
		from, until time.Time
		want        bool
	}{
		"from its creation, ahead of our clock": {created, time.Time{}, true},
		"from a moment after its creation":      {created.Add(time.Minute), time.Time{}, true},
		"from later on":                         {created.Add(time.Hour), time.Time{}, false},
		"not expired":                           {created, created.Add(time.Hour), true},
		"expired":                               {start.Add(-2 * time.Hour), start.Add(-time.Hour), false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c := indicatorCopy(t, "bravo", uuidNumber(1), "stix", "[domain-name:value = 'evil.example']", func(i *stix.Indicator) {
				i.Created, i.ValidFrom, i.ValidUntil = created, tc.from, tc.until
			})
			b.Apply([]object.Change{{Key: c.Key, Live: &c}})
			submit(t, b, dnsEvent("evil.example"))
			if got := len(b.Recent(1)) == 1; got != tc.want {
				t.Errorf("matched: %v, want %v", got, tc.want)
			}
		})
	}
	b := newBench(t)
	c := indicatorCopy(t, "bravo", uuidNumber(1), "stix", "[domain-name:value = 'evil.example']", func(i *stix.Indicator) {
		i.ValidUntil = start.Add(time.Minute)
	})
	b.Apply([]object.Change{{Key: c.Key, Live: &c}})
	b.forward(time.Minute)
	submit(t, b, dnsEvent("evil.example"))
	if len(b.Recent(1)) != 0 {
		t.Error("matched after it expired")
	}
}

func TestLoadAll(t *testing.T) {
	b := newBench(t)
	const n = 2*loadBatch + 7
	each := func(fn func(object.Copy) error) error {
		for i := range n {
			if err := fn(indicatorCopy(t, "bravo", uuidNumber(i), "stix", fmt.Sprintf("[domain-name:value = 'a%d.example']", i))); err != nil {
				return err
			}
			if err := fn(object.Copy{Key: object.Key{Publisher: "bravo", ID: "identity--" + uuidNumber(i)}, Type: "identity"}); err != nil {
				return err
			}
		}
		return nil
	}
	if err := b.LoadAll(each); err != nil {
		t.Fatal(err)
	}
	if st := b.Stats(); st.Indicators != n || st.Rejected != 0 {
		t.Errorf("%d live, want %d; %v", st.Indicators, n, st.Rejections)
	}
	submit(t, b, dnsEvent(fmt.Sprintf("a%d.example", n-1)))
	if len(b.Recent(1)) != 1 {
		t.Error("the last one does not match")
	}
	broken := errors.New("broken store")
	if err := b.LoadAll(func(func(object.Copy) error) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
