package detect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/object"
	"shieldwall/internal/sigma"
	"shieldwall/internal/status"
	"shieldwall/internal/stix"
)

var errClosedFile = os.ErrClosed

func TestSubmit(t *testing.T) {
	b := newBench(t)
	shared := indicatorCopy(t, "bravo", uuidNumber(1), "sigma", vssRule)
	b.Apply([]object.Change{b.store.put(shared)})
	follower, err := b.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	submit(t, b, processEvent("ws01", "whoami"))
	submit(t, b, processEvent("ws01", "vssadmin delete shadows /all"))
	want := status.Detection{
		Time: start.Add(-10 * time.Second), RuleID: "c947b146-0abc-4c87-9c64-b17e9d7274a2", Title: "Shadow Copies Deleted",
		Level: "high", Author: "A. Writer", Tags: []string{"attack.impact"}, Source: "ingest:test", Record: "7",
		Computer: "ws01", Channel: "Microsoft-Windows-Sysmon/Operational", EventID: "1",
		Fields: map[string]string{"CommandLine": "vssadmin delete shadows /all"}, Publisher: "bravo", Seen: start,
	}
	if got := <-follower.C; !reflect.DeepEqual(got, want) {
		t.Errorf("followed\n%+v, want\n%+v", got, want)
	}
	if got := b.Recent(10); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("recent: %+v", got)
	}
	line, err := os.ReadFile(filepath.Join(b.dir, JournalName))
	if err != nil {
		t.Fatal(err)
	}
	var kept status.Detection
	if err := json.Unmarshal(line, &kept); err != nil || !reflect.DeepEqual(kept, want) || bytes.Count(line, []byte{'\n'}) != 1 {
		t.Errorf("kept %q (%v)", line, err)
	}
	if n := b.store.tally(shared.Key).n; n != 0 {
		t.Errorf("counted %d in the store before Sync", n)
	}
	if err := b.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := b.store.tally(shared.Key), (count{1, want.Time, want.Time}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	if st := b.Stats(); st.Events != 2 || st.Detections != 1 || st.Rules != 1 || st.Problem != "" {
		t.Errorf("stats: %+v", st)
	}
}

// TestNotTold checks which detections become sightings: those of intelligence that was shared.
func TestNotTold(t *testing.T) {
	rules, err := sigma.Parse([]byte(vssRule), sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	b.SetLocalRules([]LocalRule{{Path: "rules/a.yml", Rule: rules.Rules[0]}})
	unshared := indicatorCopy(t, object.Local, uuidNumber(1), "sigma", vssRule)
	own := indicatorCopy(t, "alpha", uuidNumber(2), "sigma", vssRule)
	b.Apply([]object.Change{b.store.put(unshared), b.store.put(own)})
	submit(t, b, processEvent("ws01", "vssadmin delete shadows"))
	publishers := map[string]int{}
	for _, d := range b.Recent(10) {
		publishers[d.Publisher]++
	}
	if want := map[string]int{"": 2, "alpha": 1}; !reflect.DeepEqual(publishers, want) {
		t.Errorf("detections by publisher: %v, want %v", publishers, want)
	}
	if sent, err := b.sender.send(t.Context()); sent != 0 || err != nil {
		t.Errorf("sent %d, %v; nobody but this node is to know", sent, err)
	}
	if got := b.store.tally(own.Key).n; got != 1 || len(b.store.tallies) != 1 {
		t.Errorf("tallies: %v, want one for the own indicator", b.store.tallies)
	}
	b.SetLocalRules(nil)
	submit(t, b, processEvent("ws02", "vssadmin delete shadows"))
	if got := len(b.Recent(10)); got != 5 {
		t.Errorf("%d detections, want 5: the local rule is gone", got)
	}
}

func TestLoudRule(t *testing.T) {
	b := newBench(t)
	shared := indicatorCopy(t, "bravo", uuidNumber(1), "sigma", vssRule)
	b.Apply([]object.Change{b.store.put(shared)})
	const times = MaxPerMinute + 40
	for range times {
		submit(t, b, processEvent("loud", "vssadmin delete shadows"))
	}
	submit(t, b, processEvent("quiet", "vssadmin delete shadows"))
	kept := 0
	if err := b.Since(t.Context(), time.Time{}, func(status.Detection) error { kept++; return nil }); err != nil {
		t.Fatal(err)
	}
	if want := MaxPerMinute + 1; kept != want {
		t.Errorf("kept %d lines, want %d", kept, want)
	}
	if err := b.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.store.tally(shared.Key).n; got != times+1 {
		t.Errorf("counted %d, want all %d", got, times+1)
	}
	st := b.Stats()
	if want := []Suppressed{{"bravo", "c947b146-0abc-4c87-9c64-b17e9d7274a2", "loud", 40}}; st.Suppressed != 40 || !reflect.DeepEqual(st.Loudest, want) {
		t.Errorf("suppressed %d, %+v", st.Suppressed, st.Loudest)
	}
	b.forward(time.Minute)
	submit(t, b, processEvent("loud", "vssadmin delete shadows"))
	if got := len(b.Recent(ringSize)); got != MaxPerMinute+2 {
		t.Errorf("%d in the next minute, want one more", got)
	}
}

func TestHostileEvent(t *testing.T) {
	rule := strings.Replace(vssRule, "condition:", "other:\n        - Wide: x\n        - Many: y\n    condition: selection or", 1)
	rule = strings.Replace(rule, "selection or selection", "selection or other", 1)
	b := newBench(t)
	b.Apply([]object.Change{b.store.put(indicatorCopy(t, "bravo", uuidNumber(1), "sigma", rule))})
	ev := processEvent(strings.Repeat("h", 1<<20), "delete shadows "+strings.Repeat("\x01", 4<<20))
	ev.Time = time.Date(60056, 5, 28, 0, 0, 0, 0, time.UTC) // the last FILETIME
	ev.Record = strings.Repeat("9", 1<<16)
	ev.Fields = append(ev.Fields,
		event.Field{Name: "Wide", Value: event.Str(strings.Repeat("\xff", 1<<20))},
		event.Field{Name: "Many", Value: event.Value{Kind: event.List, Items: make([]event.Value, 1<<16)}})
	submit(t, b, ev)
	if err := b.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := b.Recent(1)
	if len(got) != 1 || !got[0].Time.IsZero() {
		t.Fatalf("want one detection without a time, got %d", len(got))
	}
	if n := b.Stats().Journal.Bytes; n == 0 || n > maxLine {
		t.Errorf("the journal has %d bytes", n)
	}
	if text := got[0].Fields["CommandLine"]; !strings.HasSuffix(text, "bytes more)") {
		t.Errorf("the field does not say that it is cut: %q", text[max(0, len(text)-40):])
	}
	for _, c := range b.store.tallies {
		if !c.first.Equal(start) || !c.last.Equal(start) {
			t.Errorf("a time nobody can spell became %v, want now", c)
		}
	}
}

func TestBusyAndStopped(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Slots = 1 })
	b.slots <- struct{}{} // an event that takes for ever
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range maxWaiting {
		wg.Go(func() {
			if err := b.Submit(ctx, processEvent("a", "b")); !errors.Is(err, context.Canceled) {
				t.Errorf("waited in vain and got %v", err)
			}
		})
	}
	for b.waiting.Load() < maxWaiting {
		time.Sleep(time.Millisecond)
	}
	if err := b.Submit(t.Context(), processEvent("a", "b")); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	cancel()
	wg.Wait()
	<-b.slots
	submit(t, b, processEvent("a", "b"))
	follower, err := b.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.Submit(t.Context(), processEvent("a", "b")); !errors.Is(err, ErrStopped) {
		t.Errorf("after Run: %v, want ErrStopped", err)
	}
	if _, open := <-follower.C; open {
		t.Error("the follower's channel is still open")
	}
	if _, err := b.Follow(t.Context()); !errors.Is(err, ErrStopped) {
		t.Errorf("following after the end: %v", err)
	}
}

// TestRun lets a detector run for some minutes: what it detects reaches the publisher on the tick.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *Options) { o.Now = time.Now })
		shared := indicatorCopy(t, "bravo", uuidNumber(1), "sigma", vssRule)
		b.Apply([]object.Change{b.store.put(shared)})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		for range 3 {
			ev := processEvent("ws01", "vssadmin delete shadows")
			ev.Time = time.Now()
			submit(t, b, ev)
			time.Sleep(10 * time.Second)
		}
		if n := b.store.tally(shared.Key).n; n != 3 {
			t.Errorf("the store counts %d after some seconds, want 3", n)
		}
		if len(b.outbox.all()) != 0 {
			t.Error("sent before the tick")
		}
		time.Sleep(time.Minute)
		sent := b.outbox.all()
		if len(sent) != 1 || len(sent[0].Objects) != 1 {
			t.Fatalf("sent %d times, want once", len(sent))
		}
		o, err := stix.Parse(sent[0].Objects[0], stix.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := o.Property("count"); string(n) != "3" {
			t.Errorf("count %s, want 3", n)
		}
		time.Sleep(5 * time.Minute)
		if len(b.outbox.all()) != 1 {
			t.Error("sent again without a new detection")
		}
		ev := processEvent("ws01", "vssadmin delete shadows")
		submit(t, b, ev)
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if n := b.store.tally(shared.Key).n; n != 1 {
			t.Errorf("the store counts %d after the end, want the 1 that was not sent", n)
		}
	})
}

// TestProblem checks that what fails in the background is shown as long as it fails.
func TestProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.Apply([]object.Change{b.store.put(indicatorCopy(t, "bravo", uuidNumber(1), "sigma", vssRule))})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		submit(t, b, processEvent("ws01", "vssadmin delete shadows"))
		b.store.mu.Lock()
		b.store.fail = errors.New("disk full")
		b.store.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if got := b.Stats().Problem; !strings.Contains(got, "keeping detections") || !strings.Contains(got, "sending sightings") || !strings.Contains(got, "disk full") {
			t.Errorf("problem %q", got)
		}
		b.store.mu.Lock()
		b.store.fail = nil
		b.store.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if st := b.Stats(); st.Problem != "" || st.SightingsSent != 1 {
			t.Errorf("after the repair: %+v", st)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestDiskFull cannot write a line: the event is not acknowledged, not counted, and the page says why.
func TestDiskFull(t *testing.T) {
	b := newBench(t)
	shared := indicatorCopy(t, "bravo", uuidNumber(1), "sigma", vssRule)
	b.Apply([]object.Change{b.store.put(shared)})
	readOnly, err := os.Open(filepath.Join(b.dir, JournalName))
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	b.journal.file, readOnly = readOnly, b.journal.file
	if err := b.Submit(t.Context(), processEvent("ws01", "vssadmin delete shadows")); err == nil {
		t.Error("an event is acknowledged whose detection is not written")
	}
	submit(t, b, processEvent("ws01", "whoami")) // nothing to write
	if got := b.Stats().Problem; !strings.Contains(got, "writing") {
		t.Errorf("problem %q", got)
	}
	if len(b.Recent(1)) != 0 {
		t.Error("a detection is shown that is not kept")
	}
	//lint:ignore SA4006 the first value is what the case begins with
	b.journal.file, readOnly = readOnly, b.journal.file
	submit(t, b, processEvent("ws01", "vssadmin delete shadows"))
	if err := b.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.Stats().Problem; got != "" || b.store.tally(shared.Key).n != 1 || len(b.Recent(5)) != 1 {
		t.Errorf("after the repair: problem %q, %d counted, %d kept", got, b.store.tally(shared.Key).n, len(b.Recent(5)))
	}
}

// TestSubmitRace matches, changes intelligence and looks on at the same time.
func TestSubmitRace(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Sightings.Tick, o.Slots = time.Millisecond, 4 })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.Run(ctx) }()
	shared := indicatorCopy(t, "bravo", uuidNumber(1), "sigma", vssRule)
	change := b.store.put(shared)
	b.Apply([]object.Change{change})
	follower, err := b.Follow(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	const workers, each = 4, 200
	for range workers {
		wg.Go(func() {
			for range each {
				if err := b.Submit(ctx, processEvent("ws01", "vssadmin delete shadows")); err != nil {
					t.Error(err)
				}
			}
			if err := b.Sync(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			b.Apply([]object.Change{change})
			b.Stats()
			b.Recent(5)
			if _, err := b.Totals(ctx, 5); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	followed := int64(0)
	for range follower.C {
		followed++
	}
	if got := followed + follower.Lost(); got != MaxPerMinute {
		t.Errorf("followed %d, lost %d; want %d together", followed, follower.Lost(), MaxPerMinute)
	}
	told := b.store.tally(shared.Key).n
	for _, out := range b.outbox.all() {
		for _, raw := range out.Objects {
			var s struct{ Count int64 }
			if err := json.Unmarshal(raw, &s); err != nil {
				t.Fatal(err)
			}
			told += s.Count
		}
	}
	if told != workers*each {
		t.Errorf("%d told or to be told, want %d", told, workers*each)
	}
}
