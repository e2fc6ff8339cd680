package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/entry"
	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/roster"
	"shieldwall/internal/stix"
	"shieldwall/internal/store/sqlite"
)

const rule = `title: Test rule <&>
id: ec570e53-4c76-45a9-804d-dc3f355ff7a7
status: test
description: Detects a test
author: Some One, Another (Org)
date: 2022-09-27
modified: 2023/06/05
tags:
    - attack.collection
    - attack.t1560.001
logsource:
    category: process_creation
    product: windows
detection:
    sel:
        Image|endswith: '\test.exe'
    condition: sel
level: medium
`

func TestSigmaFileBecomesAnIndicator(t *testing.T) {
	f := newFixture(t)
	item := Item{"rule.yml", []byte(rule)}
	got := f.publish(Request{Items: []Item{item}, TLP: stix.Green})
	if len(got.Entries) != 1 || len(got.Entries[0].Objects) != 1 || got.Entries[0].Audience != "alliance" {
		t.Fatalf("result: %+v", got)
	}
	e := got.Entries[0]
	if want := []string{"a", "b", "c"}; !slices.Equal(e.Readers, want) || e.Place.Log != ownLog || e.Place.Index != 1+1+4 {
		t.Errorf("entry: %+v", e)
	}
	read := f.readAs("member:c")
	if len(read) != 1 {
		t.Fatalf("c reads %d objects", len(read))
	}
	o, err := stix.Parse([]byte(read[0]), stix.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if o.Pattern != rule || o.PatternType != "sigma" || o.Created != "2022-09-27T00:00:00.000Z" || o.Modified != "2023-06-05T00:00:00.000Z" ||
		o.Text("x_shieldwall_author") != "Some One, Another (Org)" || o.Name != "Test rule <&>" || o.CreatedBy != identityMe ||
		!slices.Equal(o.Labels, []string{"attack.collection", "attack.t1560.001"}) {
		t.Errorf("object: %s", read[0])
	}
	if len(f.live) != 1 || f.live[0].Publisher != "me" || f.live[0].ID != o.ID || string(f.live[0].Live.Raw) != read[0] {
		t.Errorf("live: %+v", f.live)
	}

	again := f.publish(Request{Items: []Item{item}, TLP: stix.Green})
	if len(again.Entries) != 0 || !slices.Equal(again.Unchanged, []string{o.ID}) {
		t.Errorf("again: %+v", again)
	}
	if got := f.readAs("member:c"); len(got) != 1 {
		t.Errorf("c reads %d objects after the same file again", len(got))
	}

	changed := Item{"rule.yml", []byte(rule + "# changed\n")}
	got = f.publish(Request{Items: []Item{changed}, TLP: stix.Green})
	next, err := stix.Parse([]byte(f.readAs("member:a")[1]), stix.Limits{})
	if err != nil || next.ID != o.ID || next.Created != o.Created || next.Modified != "2023-06-05T00:00:00.001Z" || next.Pattern != string(changed.Data) {
		t.Errorf("changed: %+v %v", next, err)
	}
	if again := f.publish(Request{Items: []Item{changed}, TLP: stix.Green}); len(again.Entries) != 0 {
		t.Errorf("changed again: %+v", again)
	}
	if back := f.publish(Request{Items: []Item{item}, TLP: stix.Green}); len(back.Entries) != 1 {
		t.Errorf("back to the first text: %+v", back)
	}
	last := f.readAs("member:a")
	if o, err := stix.Parse([]byte(last[2]), stix.Limits{}); err != nil || o.Modified != "2023-06-05T00:00:00.002Z" || o.Pattern != rule {
		t.Errorf("back: %s", last[2])
	}
}

func TestRuleWithoutDates(t *testing.T) {
	f := newFixture(t)
	undated := strings.Replace(strings.Replace(rule, "date: 2022-09-27\n", "", 1), "modified: 2023/06/05\n", "", 1)
	f.publish(Request{Items: []Item{{"r.yml", []byte(undated)}}, TLP: stix.Green})
	f.now = f.now.Add(time.Hour)
	if again := f.publish(Request{Items: []Item{{"r.yml", []byte(undated)}}, TLP: stix.Green}); len(again.Unchanged) != 1 {
		t.Errorf("again: %+v", again)
	}
}

// TestCorrelationTravels: a file with a correlation and what it counts is one object, about the correlation.
func TestCorrelationTravels(t *testing.T) {
	f := newFixture(t)
	text := rule + "---\ntitle: Below\nname: below\ncorrelation: {type: event_count, rules: ec570e53-4c76-45a9-804d-dc3f355ff7a7, timespan: 1m, condition: {gte: 2}}\n" +
		"---\ntitle: Many\nid: 0c570e53-4c76-45a9-804d-dc3f355ff7a7\nauthor: Third\ncorrelation: {type: event_count, rules: below, timespan: 1d, condition: {gte: 3}}\n"
	f.publish(Request{Items: []Item{{"many.yml", []byte(text)}}, TLP: stix.Green})
	read := f.readAs("member:c")
	if len(read) != 1 {
		t.Fatalf("c reads %d objects", len(read))
	}
	o, err := stix.Parse([]byte(read[0]), stix.Limits{})
	if err != nil || o.Pattern != text || o.Name != "Many" || o.Text("x_shieldwall_author") != "Third" || !strings.Contains(read[0], `"external_id":"0c570e53`) {
		t.Errorf("%v: %s", err, read[0])
	}
}

func TestRefusals(t *testing.T) {
	f := newFixture(t)
	f.admitFrom(object.Local, stix.Green, "member:me", indicator(uuid2, 1, ""))
	ref := func(id string) string {
		return `{"type":"relationship","spec_version":"2.1","id":"relationship--` + uuid1 + `","created":"2024-01-01T00:00:00.000Z","modified":"2024-01-01T00:00:00.000Z",` +
			`"relationship_type":"related-to","source_ref":"` + id + `","target_ref":"malware--` + uuid2 + `"}`
	}
	one := func(items ...Item) Request { return Request{Items: items, TLP: stix.Green} }
	tests := []struct {
		name, want string
		req        Request
	}{
		{"no marking", "no marking", Request{Items: []Item{stixFile("x.json", indicator(uuid1, 1, ""))}}},
		{"green to everyone", "wider than the marking", Request{Items: []Item{stixFile("x.json", indicator(uuid1, 1, ""))}, TLP: stix.Green, To: []string{"everyone"}}},
		{"amber to nobody", "readers must be named", Request{Items: []Item{stixFile("x.json", indicator(uuid1, 1, ""))}, TLP: stix.Amber}},
		{"red to a group", "wider than the marking", Request{Items: []Item{stixFile("x.json", indicator(uuid1, 1, ""))}, TLP: stix.Red, To: []string{"states"}}},
		{"own marking is stricter", "readers must be named", one(stixFile("x.json", indicator(uuid1, 1, `,"object_marking_refs":["`+stix.Amber.MarkingID()+`"]`)))},
		{"unknown marking", "TLP:RED", one(stixFile("x.json", indicator(uuid1, 1, `,"object_marking_refs":["marking-definition--`+uuid2+`"]`)))},
		{"unknown reader", `to: "nobody" is neither`, Request{Items: []Item{{"r.yml", []byte(rule)}}, TLP: stix.Green, To: []string{"nobody"}}},
		{"empty group", "has no active member", Request{Items: []Item{{"r.yml", []byte(rule)}}, TLP: stix.Green, To: []string{"rail"}}},
		{"broken JSON", "x.json: byte", one(Item{"x.json", []byte(`{"type":`)})},
		{"empty bundle", "x.json: a bundle without objects", one(stixFile("x.json"))},
		{"no type", "x.json: object 1: type: missing", one(stixFile("x.json", `{"a":1}`))},
		{"invalid object", "x.json: indicator--" + uuid1 + ": valid_until: must be later", one(stixFile("x.json", indicator(uuid1, 1, `,"valid_until":"2023-01-01T00:00:00Z"`)))},
		{"two of one version", "another object of this id and version is in a.json", one(stixFile("a.json", indicator(uuid1, 1, "")), stixFile("b.json", indicator(uuid1, 1, `,"lang":"de"`)))},
		{"another's", "it speaks for member a", one(stixFile("x.json", indicator(uuid1, 1, `,"created_by_ref":"`+identityA+`"`)))},
		{"names what only we hold", "this node holds and a, b, c may not read", one(stixFile("x.json", ref("indicator--"+uuid2)))},
		{"names an observable", "its id discloses its value", one(stixFile("x.json", ref("url--"+uuid2)))},
		{"several rules", "several rules in one file", one(Item{"r.yml", []byte(rule + "---\n" + rule)})},
		{"correlation", "in one file): line 1: correlation.rules: refers to \"r\"", one(Item{"c.yml",
			[]byte("title: c\nid: x\ncorrelation: {type: event_count, rules: r, timespan: 1m, condition: {gte: 2}}\n")})},
		{"rule and correlation", "in one file): line 20: correlation.rules: refers to \"r\"", one(Item{"r.yml",
			[]byte(rule + "---\ntitle: c\ncorrelation: {type: event_count, rules: r, timespan: 1m, condition: {gte: 2}}\n")})},
		{"correlation without id", "a correlation without id", one(Item{"r.yml",
			[]byte(rule + "---\ntitle: c\ncorrelation: {type: event_count, rules: ec570e53-4c76-45a9-804d-dc3f355ff7a7, timespan: 1m, condition: {gte: 2}}\n")})},
		{"correlation that counts too far", "cannot be run: the correlation counts to", one(Item{"r.yml",
			[]byte(rule + "---\ntitle: c\nid: x\ncorrelation: {type: event_count, rules: ec570e53-4c76-45a9-804d-dc3f355ff7a7, timespan: 1m, condition: {gte: 1000000}}\n")})},
		{"two correlations", "several correlations in one file", one(Item{"r.yml",
			[]byte(rule + strings.Repeat("---\ntitle: c\ncorrelation: {type: event_count, rules: ec570e53-4c76-45a9-804d-dc3f355ff7a7, timespan: 1m, condition: {gte: 2}}\n", 2))})},
		{"a rule that is not counted", "does not count all", one(Item{"r.yml",
			[]byte(rule + "---\n" + strings.Replace(rule, "id: ec57", "name: r\nid: ed57", 1) + "---\ntitle: c\nid: x\ncorrelation: {type: event_count, rules: r, timespan: 1m, condition: {gte: 2}}\n")})},
		{"filter", "filters are not supported here", one(Item{"f.yml",
			[]byte("title: f\nid: x\nlogsource: {product: windows}\nfilter: {rules: any, s: {A: b}, condition: s}\n")})},
		{"no UTF-8", "r.yml: not UTF-8", one(Item{"r.yml", []byte(rule + "# \xff\n")})},
		{"broken rule", "r.yml: the rule does not load", one(Item{"r.yml", []byte(strings.Replace(rule, "condition: sel", "condition: nosuch", 1))})},
		{"rule without id", "a rule without id", one(Item{"r.yml", []byte(strings.Replace(rule, "id: ec570e53-4c76-45a9-804d-dc3f355ff7a7\n", "", 1))})},
		{"no rule", "notes", one(Item{"notes", []byte("hello")})},
		{"nothing", "empty.yml", one(Item{"empty.yml", nil})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { f.refuses(tt.want, tt.req) })
	}
}

// What this member publishes breaks no MUST, but for those that much data breaks; what takes an object back is never
// refused for its form.
func TestEveryMustCounts(t *testing.T) {
	f := newFixture(t)
	broken := indicator(uuid1, 1, `,"lang":"english"`)
	f.refuses(`lang: "english" is no language code of RFC 5646 (STIX 2.1, section 3.2)`, Request{TLP: stix.Green, Items: []Item{stixFile("a.json", broken)}})
	f.refuses("pattern: is no STIX pattern", Request{TLP: stix.Green, Items: []Item{stixFile("a.json", strings.Replace(indicator(uuid1, 1, ""), "[url", "[[url", 1))}})
	result := f.publish(Request{TLP: stix.Green, Items: []Item{stixFile("a.json", indicator(uuid1, 1, `,"lang":"english","revoked":true`)), stixFile("b.json", indicator(uuid2, 1, `,"x_own":[]`))}})
	if text := strings.Join(result.Warnings, "\n"); len(result.Warnings) < 2 || !strings.Contains(text, "lang: ") || !strings.Contains(text, "x_own: must not be an empty list") {
		t.Errorf("warnings %q", result.Warnings)
	}
}

func TestAllProblemsAreListed(t *testing.T) {
	f := newFixture(t)
	_, err := f.pub.Publish(context.Background(), Request{TLP: stix.Green, Items: []Item{
		stixFile("a.json", indicator(uuid1, 1, `,"confidence":200,"labels":[]`)), {"b.yml", []byte("title: [")}, stixFile("c.json", indicator(uuid2, 1, "")),
	}})
	var refused *Refused
	if !errors.As(err, &refused) || len(refused.Problems) != 3 {
		t.Fatalf("problems: %v", err)
	}
	for i, want := range []Problem{{File: "b.yml"}, {File: "a.json", Object: "indicator--" + uuid1, Property: "confidence"},
		{File: "a.json", Object: "indicator--" + uuid1, Property: "labels"}} {
		got := refused.Problems[i]
		if got.File != want.File || got.Object != want.Object || got.Property != want.Property {
			t.Errorf("problem %d: %+v", i, got)
		}
	}
	items := make([]Item, maxListed+50)
	for i := range items {
		items[i] = Item{fmt.Sprint(i, ".json"), []byte("{")}
	}
	if _, err = f.pub.Publish(context.Background(), Request{TLP: stix.Green, Items: items}); !errors.As(err, &refused) || len(refused.Problems) != maxListed || refused.More != 50 {
		t.Errorf("many problems: %d and %d", len(refused.Problems), refused.More)
	}
}

func TestWhoCanOpenIt(t *testing.T) {
	f := newFixture(t)
	publish := func(tlp stix.TLP, day int, to ...string) Entry {
		t.Helper()
		got := f.publish(Request{Items: []Item{stixFile("x.json", indicator(uuid1, day, ""))}, TLP: tlp, To: to})
		if len(got.Entries) != 1 {
			t.Fatalf("%v to %v: %+v", tlp, to, got)
		}
		return got.Entries[0]
	}
	count := func() string {
		return fmt.Sprint(len(f.readAs("member:a")), len(f.readAs("member:b")), len(f.readAs("member:c")), len(f.readAs("recovery:me")))
	}
	steps := []struct {
		tlp      stix.TLP
		to       []string
		audience string
		want     string
	}{
		{stix.Amber, []string{"states"}, "group:states", "1 1 0 1"},
		{stix.Green, nil, "alliance", "2 2 1 2"},
		{stix.Red, []string{"c"}, "member:c,member:me", "2 2 2 3"},
		{stix.AmberStrict, []string{"partners", "a"}, "group:partners,member:a,member:me", "3 2 3 4"},
		{stix.Clear, []string{"everyone"}, "everyone", "4 3 4 5"},
		{stix.Amber, []string{"me"}, "member:me", "4 3 4 6"},
	}
	for i, s := range steps {
		if e := publish(s.tlp, i+1, s.to...); e.Audience != s.audience {
			t.Errorf("audience %q, want %q", e.Audience, s.audience)
		}
		if got := count(); got != s.want {
			t.Errorf("after %v to %v: %s, want %s", s.tlp, s.to, got, s.want)
		}
	}
}

func TestEpochs(t *testing.T) {
	f := newFixture(t)
	day := 0
	publish := func(tlp stix.TLP, to ...string) Entry {
		t.Helper()
		day++
		got := f.publish(Request{Items: []Item{stixFile("x.json", indicator(uuid1, day, ""))}, TLP: tlp, To: to})
		return got.Entries[0]
	}
	last := func() (n uint64) {
		f.view(func(tx *sqlite.Tx) (err error) { n, err = tx.LastOwnEpoch(f.log); return err })
		return n
	}
	expect := func(what string, want uint64) {
		t.Helper()
		if got := last(); got != want {
			t.Errorf("%s: %d epochs, want %d", what, got, want)
		}
	}
	publish(stix.Green)
	publish(stix.Green)
	expect("the same audience", 1)
	publish(stix.Amber, "states")
	expect("another audience", 2)
	publish(stix.Green, "states")
	expect("the same audience, below AMBER", 3)
	f.change(func(r *roster.Roster) { r.Expires = listed(99) })
	publish(stix.Green)
	expect("a roster without change of readers", 3)
	f.change(func(r *roster.Roster) { r.Members[1].Suspended = true }) // b
	publish(stix.Green)
	expect("a reader less", 4)
	if got := len(f.readAs("member:b")); got != 5 {
		t.Errorf("b reads %d entries", got)
	}
	publish(stix.Amber, "states")
	expect("a reader less, other audience", 5)
	f.change(func(r *roster.Roster) { r.Members[1].Suspended = false })
	publish(stix.Green)
	expect("a reader more", 6)
	f.held["b"] = "listed for less than a day"
	e := publish(stix.Amber, "states")
	expect("a reader held back: the readers of the epoch before", 6)
	if !slices.Equal(e.Readers, []string{"a"}) {
		t.Errorf("readers: %v", e.Readers)
	}
	publish(stix.Green)
	expect("not held back below AMBER", 6)
	f.now = f.now.Add(31 * 24 * time.Hour)
	publish(stix.Green)
	expect("31 days", 7)
	publish(stix.Amber, "me")
	publish(stix.Amber, "me")
	expect("no reader but the recovery key", 8)
	// A new log has epochs of its own, whatever their numbers.
	f.log = "me/11111111111111111111111111111111"
	f.openLog()
	publish(stix.Amber, "states")
	publish(stix.Green)
	expect("a new log", 2)
	if got := len(f.readAs("member:a")); got != 2 {
		t.Errorf("a reads %d entries of the new log", got)
	}
}

func TestEpochsPerDay(t *testing.T) {
	f := newFixture(t)
	day := 0
	publish := func() error {
		day++
		_, err := f.pub.Publish(context.Background(), Request{Items: []Item{stixFile("x.json", indicator(uuid1, day, ""))}, TLP: stix.Green})
		return err
	}
	toggle := func(suspended bool) {
		f.change(func(r *roster.Roster) { r.Members[2].Suspended = suspended })
	}
	for i := range epochsPerDay {
		toggle(i%2 == 0)
		if err := publish(); err != nil {
			t.Fatalf("epoch %d: %v", i+1, err)
		}
	}
	toggle(true) // c had the last one's key and may not read on
	if err := publish(); !errors.Is(err, ErrEpochs) {
		t.Fatalf("one more: %v", err)
	}
	toggle(false)
	if err := publish(); err != nil {
		t.Fatalf("the readers of the last epoch: %v", err)
	}
	f.now = f.now.Add(25 * time.Hour)
	toggle(true)
	if err := publish(); err != nil {
		t.Fatalf("the next day: %v", err)
	}
}

func TestHeldAndUnreachableReadersAreNamed(t *testing.T) {
	f := newFixture(t)
	f.held["b"] = "new here"
	f.change(func(r *roster.Roster) {
		r.Members = append(r.Members, roster.Member{ID: "d", Groups: []string{"states"}})
	})
	got := f.publish(Request{Items: []Item{{"r.yml", []byte(rule)}}, TLP: stix.Amber, To: []string{"states"}})
	if !slices.Equal(got.Entries[0].Readers, []string{"a"}) || len(got.Warnings) != 2 ||
		!strings.Contains(got.Warnings[0], "b cannot open") || !strings.Contains(got.Warnings[1], "no card") {
		t.Errorf("%+v", got)
	}
}

func TestRosterMovesOn(t *testing.T) {
	f := newFixture(t)
	// The store is one step ahead, as while a new roster comes into force.
	f.update(func(tx *sqlite.Tx) error { return tx.PutRosterNote(2, "2", []byte("note")) })
	calls := 0
	f.pub.opt.Members = func() *policy.Members {
		if calls++; calls == 3 {
			r := f.roster.Clone()
			r.Version = 2
			f.members = policy.MembersOf(r)
		}
		return f.members
	}
	f.publish(Request{Items: []Item{{"r.yml", []byte(rule)}}, TLP: stix.Green})
	if calls < 3 {
		t.Errorf("the roster was asked %d times", calls)
	}
}

func TestDryRun(t *testing.T) {
	f := newFixture(t)
	req := Request{Items: []Item{{"r.yml", []byte(rule)}, stixFile("x.json", indicator(uuid1, 1, ""))}, TLP: stix.Amber, To: []string{"states"}, DryRun: true}
	got := f.publish(req)
	if len(f.readAs("recovery:me")) != 0 || len(f.live) != 0 {
		t.Fatal("a dry run changed something")
	}
	if len(got.Entries) != 1 || !slices.Equal(got.Entries[0].Readers, []string{"a", "b"}) || got.Entries[0].Place != (object.Place{}) {
		t.Fatalf("%+v", got)
	}
	payload, err := entry.ParsePayload(got.Entries[0].Payload)
	if err != nil || payload.Audience != "group:states" || payload.TLP != uint8(stix.Amber) || len(payload.Objects) != 2 {
		t.Fatalf("payload: %+v %v", payload, err)
	}
	req.DryRun = false
	f.publish(req)
	for i, raw := range f.readAs("member:a") {
		if raw != string(payload.Objects[i]) || raw != string(got.Entries[0].Objects[i].Raw) {
			t.Errorf("object %d is not what the dry run showed", i)
		}
	}
}

func TestReferences(t *testing.T) {
	f := newFixture(t)
	relation := func(uuid, source, target string) string {
		return `{"type":"relationship","spec_version":"2.1","id":"relationship--` + uuid + `","created":"2024-01-01T00:00:00.000Z","modified":"2024-01-01T00:00:00.000Z",` +
			`"relationship_type":"related-to","source_ref":"` + source + `","target_ref":"` + target + `"}`
	}
	url := `{"type":"url","id":"url--` + uuid1 + `","value":"http://a"}`
	// To what is in the same request, to members' identities, to nothing known (a warning).
	got := f.publish(Request{TLP: stix.Green, Items: []Item{stixFile("x.json", url, relation(uuid1, "url--"+uuid1, identityA), relation(uuid2, "malware--"+uuid1, "url--"+uuid1))}})
	if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "nobody here holds malware--"+uuid1) {
		t.Errorf("warnings: %q", got.Warnings)
	}
	// Published before to a narrower audience than now.
	f.publish(Request{TLP: stix.Amber, To: []string{"states"}, Items: []Item{stixFile("y.json", indicator(uuid1, 1, ""))}})
	sighting := `{"type":"sighting","spec_version":"2.1","id":"sighting--` + uuid1 + `","created":"2024-01-01T00:00:00.000Z","modified":"2024-01-01T00:00:00.000Z","sighting_of_ref":"indicator--` + uuid1 + `"}`
	f.refuses("sighting_of_ref: it names indicator--"+uuid1+", which this node holds and c may not read", Request{TLP: stix.Green, Items: []Item{stixFile("z.json", sighting)}})
	f.publish(Request{TLP: stix.Amber, To: []string{"states"}, Items: []Item{stixFile("z.json", sighting)}})
}

// A sighting for the publisher alone names an object that only its audience reads: its publisher is one of them.
func TestSightingForThePublisher(t *testing.T) {
	f := newFixture(t)
	f.admitFrom("c", stix.Amber, "member:me", indicator(uuid1, 1, ""))
	to, err := policy.Named(nil, []string{"c"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := stix.Sighting{Common: stix.Common{ID: "sighting--" + uuid1, CreatedBy: identityMe, Created: f.now}, Of: "indicator--" + uuid1, Count: 3}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	got, err := f.pub.PublishObjects(context.Background(), [][]byte{raw}, stix.Amber, to, func(tx Tx) error { ran++; return tx.PutMeta("ran", []byte("x")) })
	if err != nil || ran != 1 || len(got.Entries) != 1 || got.Entries[0].Audience != "member:c,member:me" {
		t.Fatalf("%+v %v, ran %d times", got, err, ran)
	}
	if read := f.readAs("member:c"); len(read) != 1 || read[0] != string(raw) {
		t.Errorf("c reads %q", read)
	}
	if read := f.readAs("member:a"); len(read) != 0 {
		t.Errorf("a reads %q", read)
	}
	// What happens in the transaction happens with it or not at all.
	raw = []byte(strings.Replace(string(raw), uuid1, uuid2, 1))
	broken := errors.New("broken")
	if _, err = f.pub.PublishObjects(context.Background(), [][]byte{raw}, stix.Amber, to, func(Tx) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if read := f.readAs("member:c"); len(read) != 1 {
		t.Errorf("c reads %q", read)
	}
	var refused *Refused
	if _, err = f.pub.PublishObjects(context.Background(), [][]byte{[]byte("{")}, stix.Amber, to, nil); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
}

func TestSharingOn(t *testing.T) {
	theirs := indicator(uuid1, 1, `,"created_by_ref":"`+identityA+`"`)
	unbound := indicator(uuid2, 1, `,"created_by_ref":"identity--`+uuid2+`"`)
	tests := []struct {
		name     string
		raw      string
		tlp      stix.TLP // as held from a
		audience string
		as       stix.TLP
		to       []string
		want     string
	}{
		{"green inside", theirs, stix.Green, "alliance", stix.Green, nil, ""},
		{"green, narrower", theirs, stix.Green, "alliance", stix.Amber, []string{"c"}, ""},
		{"green, wider", theirs, stix.Green, "group:states", stix.Green, nil, "only CLEAR and GREEN"},
		{"amber", theirs, stix.Amber, "alliance", stix.Amber, []string{"c"}, "only CLEAR and GREEN"},
		{"amber, creator unbound", unbound, stix.Amber, "alliance", stix.Green, nil, "it came from a as TLP:AMBER"},
		{"green, creator unbound", unbound, stix.Green, "alliance", stix.Green, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.admitFrom("a", tt.tlp, tt.audience, tt.raw)
			req := Request{TLP: tt.as, To: tt.to, Items: []Item{stixFile("x.json", tt.raw)}}
			if tt.want != "" {
				f.refuses(tt.want, req)
				return
			}
			f.publish(req)
			if read := f.readAs("member:c"); len(read) != 1 || read[0] != tt.raw {
				t.Errorf("c reads %q", read)
			}
		})
	}
	f := newFixture(t)
	f.admitFrom("a", stix.Amber, "alliance", unbound)
	f.admitFrom(object.Local, stix.Green, "member:me", unbound)
	f.publish(Request{TLP: stix.Green, Items: []Item{stixFile("x.json", unbound)}}) // had from elsewhere too
}

func TestHistory(t *testing.T) {
	f := newFixture(t)
	green := func(raw string) Request {
		return Request{TLP: stix.Green, Items: []Item{stixFile("x.json", raw)}}
	}
	f.publish(green(indicator(uuid1, 2, "")))
	f.refuses("a different object of this id and version", green(indicator(uuid1, 2, `,"lang":"de"`)))
	if got := f.publish(green(strings.Replace(indicator(uuid1, 2, ""), `{"type"`, `{ "type"`, 1))); len(got.Unchanged) != 1 {
		t.Errorf("another spelling: %+v", got)
	}
	if got := f.publish(green(indicator(uuid1, 1, ""))); len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "older than") {
		t.Errorf("older: %+v", got)
	}
	// The same object for other readers is another publication.
	got := f.publish(Request{TLP: stix.Green, To: []string{"c"}, Items: []Item{stixFile("x.json", indicator(uuid1, 2, ""))}})
	if len(got.Entries) != 1 {
		t.Errorf("other readers: %+v", got)
	}
	f.publish(Request{TLP: stix.Amber, To: []string{"c"}, Items: []Item{stixFile("x.json", indicator(uuid1, 4, ""))}})
	f.refuses("readers must be named", green(indicator(uuid1, 3, ""))) // under the newest one's marking
	f.publish(green(indicator(uuid1, 5, `,"revoked":true`)))
	f.refuses("nothing can follow", green(indicator(uuid1, 6, "")))
}

func TestMarkingDefinitions(t *testing.T) {
	f := newFixture(t)
	statement := `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--` + uuid2 + `","created":"2024-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"Copyright"}}`
	marked := indicator(uuid1, 1, `,"object_marking_refs":["marking-definition--`+uuid2+`"]`)
	amber := indicator(uuid2, 1, `,"object_marking_refs":["marking-definition--`+uuid2+`","`+stix.Amber.MarkingID()+`"]`)
	// The definition stands last in the file and in another entry, and is read first all the same.
	got := f.publish(Request{TLP: stix.Green, To: []string{"states"}, Items: []Item{stixFile("x.json", amber, marked, statement)}})
	if len(got.Entries) != 3 || got.Entries[0].Objects[0].Type != "marking-definition" {
		t.Fatalf("%+v", got.Entries)
	}
	for _, c := range f.live {
		if c.Live.TLP > uint8(stix.Amber) {
			t.Errorf("%s counts as %v", c.ID, stix.TLP(c.Live.TLP))
		}
	}
	// Known from now on.
	f.publish(Request{TLP: stix.Green, Items: []Item{stixFile("y.json", strings.ReplaceAll(marked, uuid1, "33333333-3333-4333-8333-333333333333"))}})
}

func TestWithdraw(t *testing.T) {
	f := newFixture(t)
	id := "indicator--" + uuid1
	f.publish(Request{TLP: stix.Amber, To: []string{"states"}, Items: []Item{stixFile("x.json", indicator(uuid1, 1, ""))}})
	f.publish(Request{TLP: stix.Green, To: []string{"c"}, Items: []Item{stixFile("x.json", indicator(uuid1, 1, ""))}})
	f.publish(Request{TLP: stix.Clear, To: []string{"everyone"}, Items: []Item{stixFile("x.json", indicator(uuid2, 1, ""))}})
	f.admitFrom("a", stix.Green, "alliance", strings.Replace(indicator(uuid1, 1, ""), uuid1, "33333333-3333-4333-8333-333333333333", 1))
	ctx := context.Background()

	var refused *Refused
	_, err := f.pub.Withdraw(ctx, []string{id, "indicator--33333333-3333-4333-8333-333333333333", "nonsense"})
	if !errors.As(err, &refused) || len(refused.Problems) != 2 || refused.Problems[0].Object != "indicator--33333333-3333-4333-8333-333333333333" ||
		refused.Problems[1].Object != "nonsense" {
		t.Fatalf("unknown ids: %v", err)
	}
	// Who left the audience since learns of the withdrawal, who came does not.
	f.change(func(r *roster.Roster) { r.Members[1].Suspended = true })
	f.live = nil
	got, err := f.pub.Withdraw(ctx, []string{id, "indicator--" + uuid2})
	if err != nil || len(got.IDs) != 2 || len(got.Entries) != 3 || len(f.live) != 2 || f.live[0].Live != nil {
		t.Fatalf("%+v %v, live %+v", got, err, f.live)
	}
	for reader, want := range map[string]int{"member:a": 4, "member:b": 4, "member:c": 4, "recovery:me": 6} {
		if read := f.readAs(reader); len(read) != want || !slices.Contains(read, "-"+id) {
			t.Errorf("%s reads %d: %q", reader, len(read), read)
		}
	}
	again, err := f.pub.Withdraw(ctx, []string{id})
	if err != nil || len(again.Already) != 1 || len(again.IDs)+len(again.Entries) != 0 {
		t.Errorf("again: %+v %v", again, err)
	}
	if got := f.publish(Request{TLP: stix.Green, To: []string{"c"}, Items: []Item{stixFile("x.json", indicator(uuid1, 1, ""))}}); len(got.Entries) != 1 {
		t.Errorf("shared again: %+v", got)
	}
	f.log = "me/11111111111111111111111111111111"
	f.openLog()
	if _, err := f.pub.Withdraw(ctx, []string{id}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "earlier log") {
		t.Errorf("from an earlier log: %v", err)
	}
}

func TestFailedAppendLeavesNothing(t *testing.T) {
	f := newFixture(t)
	f.failing = errors.New("disk full")
	_, err := f.pub.Publish(context.Background(), Request{Items: []Item{{"r.yml", []byte(rule)}}, TLP: stix.Green})
	if !errors.Is(err, f.failing) || len(f.live) != 0 {
		t.Fatalf("%v, live %v", err, f.live)
	}
	f.failing = nil
	if got := f.publish(Request{Items: []Item{{"r.yml", []byte(rule)}}, TLP: stix.Green}); len(got.Entries) != 1 {
		t.Errorf("afterwards: %+v", got)
	}
}

func TestPublicationsAreNoted(t *testing.T) {
	f := newFixture(t)
	f.publish(Request{Items: []Item{{"r.yml", []byte(rule)}}, TLP: stix.Green})
	f.publish(Request{Items: []Item{{"r.yml", []byte(strings.Replace(rule, "ec57", "ec58", 1))}}, TLP: stix.Red, To: []string{"c"}})
	var got []string
	f.view(func(tx *sqlite.Tx) error {
		return tx.EachPublication(f.log, 1<<62, 10, func(index uint64, at time.Time, readers int, audience, what string, _ map[string]time.Duration) error {
			got = append(got, fmt.Sprintf("%d %d %s: %s %v", index, readers, audience, what, at.Equal(f.now)))
			return nil
		})
	})
	if len(got) != 2 || got[0] != "10 1 member:c,member:me: indicator true" || got[1] != "6 3 alliance: indicator Test rule <&> true" {
		t.Errorf("%q", got)
	}
}
