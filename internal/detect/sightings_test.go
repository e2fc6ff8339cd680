package detect

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/stix"
)

func TestSighting(t *testing.T) {
	b := newBench(t)
	shared := indicatorCopy(t, "bravo", uuidNumber(1), "sigma", vssRule)
	b.Apply([]object.Change{b.store.put(shared)})
	for i := range 3 {
		ev := processEvent("victim.example", "vssadmin delete shadows")
		ev.Time = start.Add(time.Duration(i-10) * time.Minute)
		submit(t, b, ev)
	}
	sent, err := b.sender.send(t.Context())
	if err != nil || sent != 1 {
		t.Fatalf("sent %d, %v", sent, err)
	}
	out := b.outbox.all()
	if len(out) != 1 || out[0].Audience != "member:bravo" || out[0].TLP != stix.Amber {
		t.Fatalf("sent to %+v, want the publisher alone at AMBER", out)
	}
	raw := out[0].Objects[0]
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"sighting_of_ref": shared.ID, "count": "3", "created_by_ref": memberIdentity,
		"first_seen": "2026-03-02T03:01:00.000Z", "last_seen": "2026-03-02T03:03:00.000Z",
		"object_marking_refs": "[" + stix.Amber.MarkingID() + "]",
	} {
		if fmt.Sprint(got[name]) != want {
			t.Errorf("%s is %v, want %s", name, got[name], want)
		}
	}
	for _, secret := range []string{"victim", "vssadmin", "ws", "alpha"} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("the sighting tells %q: %s", secret, raw)
		}
	}
	if len(b.store.tallies) != 0 {
		t.Errorf("counts left: %v", b.store.tallies)
	}
	if sent, err := b.sender.send(t.Context()); sent != 0 || err != nil || len(b.outbox.all()) != 1 {
		t.Errorf("sent again: %d, %v", sent, err)
	}
}

func TestSightingReaders(t *testing.T) {
	named := func(groups, members []string) policy.Audience {
		a, err := policy.Named(groups, members)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for name, tc := range map[string]struct {
		audience string
		tlp      stix.TLP
		to       policy.Audience
		want     string
		wantTLP  stix.TLP
	}{
		"the publisher alone":                  {"alliance", stix.Green, policy.Audience{}, "member:bravo", stix.Amber},
		"as strict as the intelligence":        {"member:alpha", stix.Red, policy.Audience{}, "member:bravo", stix.Red},
		"the alliance":                         {"alliance", stix.Green, policy.Alliance(), "alliance", stix.Amber},
		"the alliance, of public intelligence": {"everyone", stix.Clear, policy.Alliance(), "alliance", stix.Amber},
		"the alliance, not beyond a group":     {"group:states,member:delta", stix.Amber, policy.Alliance(), "group:states,member:bravo,member:delta", stix.Amber},
		"an audience nobody understands":       {"group:", stix.Amber, policy.Alliance(), "member:bravo", stix.Amber},
		"a group of the audience":              {"group:energy,group:states", stix.Amber, named([]string{"rail", "states"}, nil), "group:states,member:bravo", stix.Amber},
		"a group, of the alliance's":           {"alliance", stix.Green, named([]string{"states"}, nil), "group:states,member:bravo", stix.Amber},
		"a member who may read":                {"group:states", stix.Amber, named(nil, []string{"charlie", "delta"}), "member:bravo,member:charlie", stix.Amber},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(o *Options) {
				o.Sightings.To = tc.to
				o.Sightings.MayRead = func(member string, _ uint8, _ string) bool { return member == "charlie" }
			})
			c := indicatorCopy(t, "bravo", uuidNumber(1), "sigma", vssRule)
			c.Audience, c.TLP = tc.audience, uint8(tc.tlp)
			b.Apply([]object.Change{b.store.put(c)})
			submit(t, b, processEvent("ws01", "vssadmin delete shadows"))
			if _, err := b.sender.send(t.Context()); err != nil {
				t.Fatal(err)
			}
			out := b.outbox.all()
			if len(out) != 1 || out[0].Audience != tc.want || out[0].TLP != tc.wantTLP {
				t.Errorf("sent to %q at %v, want %q at %v", out[0].Audience, out[0].TLP, tc.want, tc.wantTLP)
			}
		})
	}
}

// TestSightingsRoundRobin has more counts than one tick may send, and one publisher that cannot be reached.
func TestSightingsRoundRobin(t *testing.T) {
	b := newBench(t)
	const n = MaxSightingsPerTick + 500
	for i := range n {
		b.store.tallies[object.Key{Publisher: "bravo", ID: "indicator--" + uuidNumber(i)}] = count{1, start, start}
	}
	gone := object.Key{Publisher: "aaron", ID: "indicator--" + uuidNumber(n)}
	b.store.tallies[gone] = count{5, start, start}
	left := errors.New("no such member")
	b.outbox.fail = func(o outgoing) error {
		if o.Audience == "member:aaron" {
			return left
		}
		return nil
	}
	for tick := 0; len(b.store.tallies) > 1; tick++ {
		if tick > 3 {
			t.Fatalf("%d counts wait after %d ticks", len(b.store.tallies), tick)
		}
		before := len(b.store.tallies)
		sent, err := b.sender.send(t.Context())
		if sent > MaxSightingsPerTick || before-len(b.store.tallies) != int(sent) {
			t.Fatalf("sent %d, %d counts gone", sent, before-len(b.store.tallies))
		}
		if err != nil && !errors.Is(err, left) {
			t.Fatal(err)
		}
	}
	if b.store.tallies[gone].n != 5 {
		t.Error("the count for a member that left is lost")
	}
}

// TestSightingsFail checks that nothing is lost or told twice where publishing or storing fails.
func TestSightingsFail(t *testing.T) {
	b := newBench(t)
	shared := indicatorCopy(t, "bravo", uuidNumber(1), "sigma", vssRule)
	b.Apply([]object.Change{b.store.put(shared)})
	submit(t, b, processEvent("ws01", "vssadmin delete shadows"))
	full := errors.New("disk full")
	b.store.fail = full
	if err := b.Sync(t.Context()); !errors.Is(err, full) {
		t.Errorf("Sync: %v", err)
	}
	if _, err := b.sender.send(t.Context()); !errors.Is(err, full) {
		t.Errorf("send: %v", err)
	}
	b.store.fail = nil
	b.outbox.fail = func(outgoing) error { return full }
	if _, err := b.sender.send(t.Context()); !errors.Is(err, full) {
		t.Errorf("send: %v", err)
	}
	b.outbox.fail = nil
	submit(t, b, processEvent("ws01", "vssadmin delete shadows"))
	if _, err := b.sender.send(t.Context()); err != nil {
		t.Fatal(err)
	}
	var s struct{ Count int }
	if err := json.Unmarshal(b.outbox.all()[0].Objects[0], &s); err != nil || s.Count != 2 {
		t.Errorf("told %d (%v), want 2", s.Count, err)
	}
}

// TestSightingUnreadable has one object that cannot be read: the others are told.
func TestSightingUnreadable(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		b.store.tallies[object.Key{Publisher: "bravo", ID: "indicator--" + uuidNumber(i)}] = count{1, start, start}
	}
	b.store.sealed = "indicator--" + uuidNumber(1)
	if sent, err := b.sender.send(t.Context()); sent != 2 || err == nil || !strings.Contains(err.Error(), b.store.sealed) {
		t.Errorf("sent %d, %v", sent, err)
	}
	if len(b.store.tallies) != 1 {
		t.Errorf("counts left: %v", b.store.tallies)
	}
}

func TestTallyFlush(t *testing.T) {
	m := newMemory()
	tl := newTally(m.Update)
	const n = 2*maxFlushUnit + 1
	for i := range n {
		tl.add(object.Key{Publisher: "bravo", ID: fmt.Sprint(i)}, start)
		tl.add(object.Key{Publisher: "bravo", ID: fmt.Sprint(i)}, start.Add(-time.Hour))
	}
	if err := tl.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(m.tallies) != n || m.units != 3 {
		t.Errorf("%d counts in %d units, want %d in 3", len(m.tallies), m.units, n)
	}
	if got, want := m.tallies[object.Key{Publisher: "bravo", ID: "7"}], (count{2, start.Add(-time.Hour), start}); got != want {
		t.Errorf("counted %v, want %v", got, want)
	}
	for i := range maxPending {
		if full := tl.add(object.Key{Publisher: "bravo", ID: fmt.Sprint(i)}, start); full != (i == maxPending-1) {
			t.Fatalf("full is %v at %d", full, i)
		}
	}
}

func TestSectorIdentity(t *testing.T) {
	id := SectorIdentity("energy")
	if !stix.IsID(id) || id != SectorIdentity("energy") || id == SectorIdentity("rail") {
		t.Errorf("sector identity %q", id)
	}
}
