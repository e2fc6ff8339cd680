package detect

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/correlate"
	"shieldwall/internal/object"
	"shieldwall/internal/sigma"
)

// manyVSS counts vssRule's hits by host; what it says beside that can be added.
const manyVSS = `---
title: Many Shadow Copies Deleted
id: 0947b146-0abc-4c87-9c64-b17e9d7274a2
level: critical
tags: [attack.t1490]
correlation:
    type: event_count
    rules: [c947b146-0abc-4c87-9c64-b17e9d7274a2]
    group-by: [Computer]
    timespan: 5m
    condition: {gte: 3}
`

// vss submits events of a host, one a second, and gives the titles of what is told of them, oldest first.
func vss(t *testing.T, b *bench, host string, n int) (titles []string) {
	t.Helper()
	before := len(b.Recent(ringSize))
	for range n {
		b.forward(time.Second)
		ev := processEvent(host, "vssadmin delete shadows")
		ev.Time, ev.Record = b.now(), fmt.Sprint(b.now().Unix())
		submit(t, b, ev)
	}
	recent := b.Recent(ringSize)
	for _, d := range slices.Backward(recent[:len(recent)-before]) {
		titles = append(titles, d.Title)
	}
	return titles
}

// TestCorrelation: a correlation that an ally shares, with the rule that it counts, is live once applied; its detections
// are the ally's, and its publisher hears of them.
func TestCorrelation(t *testing.T) {
	b := newBench(t)
	put := func(text string) object.Change {
		return b.store.put(indicatorCopy(t, "bravo", uuidNumber(1), "sigma", text))
	}
	b.Apply([]object.Change{put(vssRule + manyVSS)})
	if got := vss(t, b, "ws01", 2); got != nil {
		t.Errorf("two events: %q", got)
	}
	if got := vss(t, b, "ws02", 1); got != nil {
		t.Errorf("another host: %q", got)
	}
	if got := vss(t, b, "WS01", 3); !slices.Equal(got, []string{"Many Shadow Copies Deleted"}) {
		t.Errorf("the third event, and more of the burst: %q", got)
	}
	d := b.Recent(1)[0]
	if d.Publisher != "bravo" || d.RuleID != "0947b146-0abc-4c87-9c64-b17e9d7274a2" || d.Level != "critical" || !slices.Equal(d.Tags, []string{"attack.t1490"}) ||
		d.Computer != "WS01" || d.Source != "ingest:test" || d.Record == "" || !d.Time.Equal(start.Add(4*time.Second)) ||
		d.Fields["Computer"] != "ws01" || d.Fields["Count"] != "3" || strings.Count(d.Fields["OtherEvents"], " ws01 ") != 2 {
		t.Errorf("%+v", d)
	}
	key := object.Key{Publisher: "bravo", ID: "indicator--" + uuidNumber(1)}
	if err := b.Sync(t.Context()); err != nil || b.store.tally(key).n != 1 {
		t.Errorf("%v: %d are counted for the publisher", err, b.store.tally(key).n)
	}
	if st := b.Stats(); st.Correlations.Told != 1 || st.Correlations.Groups != 2 || st.Rules != 1 || st.Rejected != 0 {
		t.Errorf("%+v", st)
	}

	b.Apply([]object.Change{put(vssRule + manyVSS + "    generate: true\n")})
	want := []string{"Shadow Copies Deleted", "Shadow Copies Deleted", "Shadow Copies Deleted", "Many Shadow Copies Deleted"}
	if got := vss(t, b, "ws01", 3); !slices.Equal(got, want) {
		t.Errorf("with generate: %q", got)
	}
	b.Apply([]object.Change{put(vssRule)})
	if got := vss(t, b, "ws01", 4); len(got) != 4 || b.live.correlations.Len() != 0 {
		t.Errorf("the rule alone: %q", got)
	}
	b.Apply([]object.Change{put(vssRule + manyVSS)})
	b.Apply([]object.Change{{Key: key}})
	if got := vss(t, b, "ws01", 4); got != nil || b.live.correlations.Len() != 0 || len(b.live.counting) != 0 {
		t.Errorf("withdrawn: %q", got)
	}
}

// TestCorrelationsApart: nobody's correlation counts, or silences, another's rules; one that does not load takes its
// rules along.
func TestCorrelationsApart(t *testing.T) {
	b := newBench(t)
	other := strings.NewReplacer("c947b146", "1947b146", "Shadow", "Other").Replace(vssRule)
	b.Apply([]object.Change{
		b.store.put(indicatorCopy(t, "bravo", uuidNumber(1), "sigma", vssRule)),
		b.store.put(indicatorCopy(t, "charlie", uuidNumber(2), "sigma", other+manyVSS)),
		b.store.put(indicatorCopy(t, "charlie", uuidNumber(3), "sigma", vssRule+strings.Replace(manyVSS, "gte: 3", "gte: 1000000", 1))),
		b.store.put(indicatorCopy(t, "charlie", uuidNumber(4), "sigma", vssRule+strings.Replace(manyVSS, "event_count", "guess", 1))),
	})
	if got := vss(t, b, "ws01", 3); !slices.Equal(got, []string{"Shadow Copies Deleted", "Shadow Copies Deleted", "Shadow Copies Deleted"}) {
		t.Errorf("%q", got)
	}
	n, list := b.live.rejections()
	var why []string
	for _, r := range list {
		why = append(why, r.Reason)
	}
	for i, want := range []string{`no rule that loads has this id`, "counts to 1e+06", "guess"} {
		if n != 3 || !strings.Contains(why[i], want) {
			t.Errorf("rejected %q, want %q", why, want)
		}
	}
}

// TestCorrelationWaits: what is absent is told once the clock says so.
func TestCorrelationWaits(t *testing.T) {
	b := newBench(t)
	few := strings.Replace(manyVSS, "gte: 3", "lt: 3", 1)
	b.Apply([]object.Change{b.store.put(indicatorCopy(t, "bravo", uuidNumber(1), "sigma", vssRule+few))})
	vss(t, b, "ws01", 2)
	vss(t, b, "ws02", 3)
	for _, minutes := range []time.Duration{5, 2} {
		if n := len(b.Recent(ringSize)); n != 0 {
			t.Errorf("%d are told too soon", n)
		}
		b.forward(minutes * time.Minute)
		if err := b.advance(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.Recent(ringSize); len(got) != 1 || got[0].Computer != "ws01" || got[0].Fields["Count"] != "2" {
		t.Errorf("%+v", got)
	}
}

// TestCorrelationUnwritten: an alert that the journal cannot take waits, for its events are used up.
func TestCorrelationUnwritten(t *testing.T) {
	b := newBench(t)
	b.Apply([]object.Change{b.store.put(indicatorCopy(t, "bravo", uuidNumber(1), "sigma", vssRule+manyVSS))})
	vss(t, b, "ws01", 2)
	readOnly, err := os.Open(filepath.Join(b.dir, JournalName))
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	writable := b.journal.file
	b.journal.file = readOnly
	ev := processEvent("ws01", "vssadmin delete shadows")
	ev.Time = b.now()
	if err := b.Submit(t.Context(), ev); err == nil {
		t.Fatal("the detection is not in the journal, and nobody is told")
	}
	if err := b.advance(t.Context()); err == nil || len(b.Recent(1)) != 0 || len(b.unwritten.alerts) != 1 {
		t.Fatalf("%v: %d alerts wait", err, len(b.unwritten.alerts))
	}
	b.journal.file = writable
	submit(t, b, ev) // it comes again, and is known
	if err := b.advance(t.Context()); err != nil || len(b.Recent(ringSize)) != 1 || len(b.unwritten.alerts) != 0 {
		t.Errorf("%v: %d are told", err, len(b.Recent(ringSize)))
	}
	if err := b.unwritten.put(make([]correlate.Alert, maxUnwritten+1)); err == nil || len(b.unwritten.take()) != maxUnwritten {
		t.Errorf("more wait than may: %v", err)
	}
}

// TestLocalCorrelations: those of folders count the rules beside them, whichever files they are in.
func TestLocalCorrelations(t *testing.T) {
	b := newBench(t)
	found, err := sigma.Parse([]byte(vssRule+manyVSS), sigma.Options{Correlations: true})
	if err != nil {
		t.Fatal(err)
	}
	set, problems := sigma.Resolve(found.Rules, found.Correlations)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	rules := []LocalRule{{Path: "a#b/rule.yml", Rule: found.Rules[0]}}
	b.SetLocalRules(rules, LocalCorrelation{Path: "c#d/many.yml", Resolved: set.Correlations[0]})
	if got := vss(t, b, "ws01", 4); !slices.Equal(got, []string{"Many Shadow Copies Deleted"}) {
		t.Errorf("%q", got)
	}
	if d := b.Recent(1)[0]; d.Publisher != "" || d.Author != "" {
		t.Errorf("%+v", d)
	}
	b.SetLocalRules(rules)
	if got := vss(t, b, "ws01", 1); !slices.Equal(got, []string{"Shadow Copies Deleted"}) {
		t.Errorf("without it: %q", got)
	}
}

// TestCorrelationRuns: Run looks at the clock by itself.
func TestCorrelationRuns(t *testing.T) {
	b := newBench(t)
	few := strings.Replace(manyVSS, "gte: 3", "lt: 3", 1)
	b.Apply([]object.Change{b.store.put(indicatorCopy(t, "bravo", uuidNumber(1), "sigma", vssRule+few))})
	vss(t, b, "ws01", 1)
	b.forward(time.Hour)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	for len(b.Recent(1)) == 0 {
		time.Sleep(10 * time.Millisecond) // the test's own deadline ends it
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
