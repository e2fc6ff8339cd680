package detect

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"shieldwall/internal/status"
)

func TestFeed(t *testing.T) {
	f := newFeed([]status.Detection{{Record: "old"}})
	ctx, cancel := context.WithCancel(t.Context())
	slow, err := f.follow(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const n = ringSize + 300
	for i := range n {
		f.publish(status.Detection{Record: fmt.Sprint(i)})
	}
	recent := f.recent(n)
	if len(recent) != ringSize {
		t.Fatalf("%d in the ring, want %d", len(recent), ringSize)
	}
	for i, d := range recent {
		if want := fmt.Sprint(n - 1 - i); d.Record != want {
			t.Fatalf("ring entry %d is %s, want %s", i, d.Record, want)
		}
	}
	if got := f.recent(-1); len(got) != 0 {
		t.Errorf("recent(-1) has %d", len(got))
	}
	if got, want := slow.Lost(), int64(n-followerBuffer); got != want {
		t.Errorf("the slow follower lost %d, want %d", got, want)
	}
	if d := <-slow.C; d.Record != fmt.Sprint(n-followerBuffer) {
		t.Errorf("it has %s first, want the oldest of the newest", d.Record)
	}
	cancel()
	closed := 0
	for range slow.C {
		closed++ // ends only if the channel is closed
	}
	if closed != followerBuffer-1 {
		t.Errorf("%d were still there, want %d", closed, followerBuffer-1)
	}
	for range maxFollowers {
		if _, err := f.follow(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.follow(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	f.close()
	f.publish(status.Detection{})
}

func TestRecentBeforeFull(t *testing.T) {
	f := newFeed(nil)
	if got := f.recent(5); len(got) != 0 {
		t.Errorf("an empty feed has %v", got)
	}
	for i := range 3 {
		f.publish(status.Detection{Record: fmt.Sprint(i)})
	}
	if got := f.recent(2); len(got) != 2 || got[0].Record != "2" || got[1].Record != "1" {
		t.Errorf("recent: %v", got)
	}
}

func TestThrottle(t *testing.T) {
	th := newThrottle()
	allowed := func(n int, p pair) (yes int) {
		for range n {
			if th.allow(start, p) {
				yes++
			}
		}
		return yes
	}
	if got := allowed(100, pair{"bravo", "r", "a"}); got != MaxPerMinute {
		t.Errorf("%d allowed, want %d", got, MaxPerMinute)
	}
	if got := allowed(1, pair{"charlie", "r", "a"}); got != 1 {
		t.Error("another publisher's rule shares the allowance")
	}
	// A hostile sender makes up hosts: they share one allowance once the table is full.
	hosts := 0
	for i := range 2 * maxThrottled {
		if th.allow(start, pair{"bravo", "r", fmt.Sprint("host", i)}) {
			hosts++
		}
	}
	if hosts < maxThrottled-2 || hosts > maxThrottled+MaxPerMinute {
		t.Errorf("%d hosts allowed, want the table and one allowance", hosts)
	}
	// And rules: those share one in the end.
	rules := 0
	for i := range 3 * maxThrottled {
		if th.allow(start, pair{"bravo", fmt.Sprint("rule", i), "a"}) {
			rules++
		}
	}
	if rules > maxThrottled+MaxPerMinute || len(th.counts) > 2*maxThrottled+1 {
		t.Errorf("%d rules allowed, %d counters", rules, len(th.counts))
	}
	total, loudest := th.suppressed()
	if total == 0 || len(loudest) == 0 || len(loudest) > maxLoudest || loudest[0].Count < loudest[len(loudest)-1].Count {
		t.Errorf("suppressed %d: %v", total, loudest)
	}
	if !th.allow(start.Add(time.Minute), pair{"bravo", "r", "a"}) {
		t.Error("nothing allowed in the next minute")
	}
	if !th.allow(start, pair{"bravo", "r", "a"}) {
		t.Error("a clock that goes back stops detections")
	}
}
