package federation

import (
	"testing"
	"time"
)

func TestProtection(t *testing.T) {
	t0 := time.Unix(1000, 0)
	p := NewProtection()
	p.Published(5, t0, []string{"a", "b"})
	p.Published(7, t0.Add(time.Second), []string{"a"})
	if p.Waiting() != 3 {
		t.Fatalf("waiting %d", p.Waiting())
	}
	if got := p.Applied("a", 5, t0); got != nil {
		t.Fatalf("size 5 does not cover entry 5: %v", got)
	}
	got := p.Applied("a", 8, t0.Add(3*time.Second))
	if len(got) != 2 || got[0] != (Pair{5, "a", 3 * time.Second}) || got[1] != (Pair{7, "a", 2 * time.Second}) {
		t.Fatalf("pairs %v", got)
	}
	if p.Applied("a", 6, t0) != nil || p.Watermark("a") != 8 {
		t.Fatal("a watermark went back")
	}
	p.Published(6, t0, []string{"a"}) // already covered: a restart tells publications again
	if p.Waiting() != 1 || p.Confirmed() != 2 {
		t.Fatalf("waiting %d, confirmed %d", p.Waiting(), p.Confirmed())
	}
	if got := p.Applied("b", 100, t0.Add(-time.Second)); len(got) != 1 || got[0].Took != 0 {
		t.Fatalf("a clock that steps back gives no negative time: %v", got)
	}
	p.Published(9, t0, []string{"c"})
	p.Published(9, t0, []string{"c"})
	if p.Waiting() != 1 {
		t.Fatal("a publication told twice is waited for once")
	}
	p.Forget("c")
	if p.Waiting() != 0 {
		t.Fatal("a member that left is still waited for")
	}
}

// TestProtectionIsBounded has a follower away while more is published than is timed.
func TestProtectionIsBounded(t *testing.T) {
	t0 := time.Unix(1000, 0)
	p := NewProtection()
	const more = 500
	for i := range uint64(maxWaiting + more) {
		p.Published(i, t0, []string{"away"})
	}
	p.Published(3, t0, []string{"away"}) // counted already
	if q := p.waiting["away"]; len(q.pubs) != maxWaiting || p.Waiting() != maxWaiting+more {
		t.Fatalf("%d timed, %d waited for", len(q.pubs), p.Waiting())
	}
	if got := p.Applied("away", more/2, t0); len(got) != 0 || p.Waiting() != maxWaiting+more {
		t.Fatalf("%d pairs, %d waited for", len(got), p.Waiting())
	}
	got := p.Applied("away", more+10, t0.Add(time.Second))
	if len(got) != 10 || got[0].Index != more || got[9].Index != more+9 || p.Waiting() != maxWaiting-10 {
		t.Fatalf("%d pairs, %d waited for", len(got), p.Waiting())
	}
	if got := p.Applied("away", maxWaiting+more, t0); len(got) != maxWaiting-10 || p.Waiting() != 0 {
		t.Fatalf("%d pairs, %d waited for", len(got), p.Waiting())
	}
}

// TestProtectionRestored hears publications newest first, as a restart tells them.
func TestProtectionRestored(t *testing.T) {
	t0 := time.Unix(1000, 0)
	p := NewProtection()
	p.Restore("a", 3)
	p.Restore("a", 2)
	for _, i := range []uint64{9, 5, 4, 2, 1} {
		p.Published(i, t0, []string{"a"})
	}
	if p.Waiting() != 3 || p.Watermark("a") != 3 {
		t.Fatalf("%d waited for, watermark %d", p.Waiting(), p.Watermark("a"))
	}
	p.Published(5, t0.Add(time.Second), []string{"a"}) // the append before failed: its index is given anew
	got := p.Applied("a", 6, t0.Add(2*time.Second))
	if len(got) != 2 || got[0] != (Pair{4, "a", 2 * time.Second}) || got[1] != (Pair{5, "a", time.Second}) {
		t.Fatalf("pairs %v", got)
	}
}
