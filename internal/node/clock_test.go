package node

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"shieldwall/internal/control"
)

// TestClockOff: one member's clock is wrong by an hour. It joins, publishes, is protected and returns
// sightings as any other; nothing shows impossible times.
func TestClockOff(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"an hour ahead": time.Hour, "an hour behind": -time.Hour} {
		for _, wrong := range []string{"the founder", "the joiner"} {
			t.Run(name+" at "+wrong, func(t *testing.T) {
				t.Parallel()
				began := time.Now()
				var ours, theirs clock
				if wrong == "the founder" {
					ours.set(off)
				} else {
					theirs.set(off)
				}
				alpha := founder(t, "alpha", ours.on, quickSightings)
				beta := alpha.join("beta", states, theirs.on, quickSightings)
				allLive(t, alpha, beta)
				for i, m := range []*member{alpha, beta} {
					other := []*member{beta, alpha}[i]
					res := m.publish("green", nil, rule(i, fmt.Sprintf("rule-of-%s", m.name)), fresh(i, m, 0), fresh(10+i, m, 700*time.Millisecond))
					m.publish("amber", []string{"states"}, rule(20+i, fmt.Sprintf("amber-of-%s", m.name)))
					m.caughtUp(other)
					if len(res.Warnings) != 0 {
						t.Errorf("%s is warned of %q", m.name, res.Warnings)
					}
					for _, ev := range []string{"rule-of-", "amber-of-"} {
						if !other.matches(command(ev+m.name), m.name) {
							t.Errorf("%s%s does not match at %s", ev, m.name, other.name)
						}
					}
					for _, n := range []int{i, 10 + i} {
						if !other.matches(query(fmt.Sprintf("fresh-%d.example", n)), m.name) {
							t.Errorf("a fresh indicator of %s does not match at %s", m.name, other.name)
						}
					}
					until(t, "the sightings come back", func() bool {
						got, err := m.n.Sightings(context.Background(), math.MaxInt)
						return err == nil && len(got) == 4
					})
					p := m.status().Protect
					if p.Waiting != 0 || p.Pairs < 2 || p.Max > float64(time.Since(began)/time.Millisecond) {
						t.Errorf("%s: times to protect %+v", m.name, p)
					}
				}
				alpha.restart()
				beta.restart()
				allLive(t, alpha, beta)
				if !beta.matches(command("rule-of-alpha"), "alpha") || !alpha.matches(query("fresh-1.example"), "beta") {
					t.Error("after a restart")
				}
				for _, m := range []*member{alpha, beta} {
					if m.warns("incarnation") || m.warns("expire") {
						t.Errorf("%s: %q", m.name, m.status().Warnings)
					}
				}
			})
		}
	}
}

// fresh is an indicator that was made just now by a member's clock, to be valid a moment later.
func fresh(n int, m *member, later time.Duration) control.File {
	now := m.n.now().UTC()
	f := bundle(100+n, fmt.Sprintf("fresh-%d.example", n), markGreen)
	f.Data = []byte(fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":%q,"created":%q,"modified":%[2]q,"name":"Fresh","pattern":"[domain-name:value = 'fresh-%d.example']","pattern_type":"stix","valid_from":%q,"object_marking_refs":[%q]}`,
		indicatorID(100+n), now.Format("2006-01-02T15:04:05.000Z"), n, now.Add(later).Format("2006-01-02T15:04:05.000Z"), markGreen))
	return f
}

// TestClockStepsBack: an officer's clock that went back by an hour keeps nobody from signing rosters and cards.
func TestClockStepsBack(t *testing.T) {
	t.Parallel()
	var c clock
	alpha := founder(t, "alpha", c.on)
	c.set(-time.Hour)
	beta := alpha.join("beta", states)
	alpha.restart(elsewhere)
	gamma := alpha.join("gamma", partners)
	allLive(t, alpha, beta, gamma)
	alpha.publish("green", nil, rule(1, "an hour ago"))
	alpha.caughtUp(beta, gamma)
	if p := alpha.status().Protect; p.Pairs != 2 || p.Waiting != 0 {
		t.Errorf("%+v", p)
	}
}
