package drill

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/status"
)

// random is where the exercise's passphrases come from.
var random = rand.Reader

// awayShare is the part of the rules that is shared while one member is away.
const awayShare = 20

// play goes through the exercise.
func (a *alliance) play(ctx context.Context, rules []rule, opt Options) (Figures, error) {
	f := Figures{Members: len(a.nodes)}
	later := rules[:max(1, len(rules)/awayShare)]
	first := rules[len(later):]

	opt.Talk(fmt.Sprintf("%s shares %d rules, every fourth AMBER to the states", memberName(0), len(first)))
	if err := a.publishAll(ctx, first, opt.Rate); err != nil {
		return f, err
	}
	switch err := a.until(ctx, "every entitled member acts on every rule", a.allApplied); {
	case errors.Is(err, errPatience):
		opt.Talk(err.Error())
		return f, a.count(ctx, &f)
	case err != nil:
		return f, err
	}
	if err := a.times(ctx, &f); err != nil {
		return f, err
	}

	opt.Talk("the attack is replayed at a state and at a partner")
	if err := a.replay(ctx, opt); err != nil {
		return f, err
	}
	if err := a.sightings(ctx, &f); err != nil {
		return f, err
	}

	away := len(a.nodes) - 1
	opt.Talk(fmt.Sprintf("%s goes away while %d more rules are shared, and comes back", memberName(away), len(later)))
	switch err := a.catchUp(ctx, away, later, opt.Rate, &f); {
	case errors.Is(err, errPatience):
		opt.Talk(err.Error())
		return f, a.count(ctx, &f)
	case err != nil:
		return f, err
	}

	opt.Talk("the partners' disks and stores are searched for what they must not know")
	if err := a.leaks(ctx, &f); err != nil {
		return f, err
	}
	return f, a.count(ctx, &f)
}

// allApplied says whether every entitled member that runs acts on everything member 1 published.
func (a *alliance) allApplied(ctx context.Context) (bool, error) {
	roll, err := a.nodes[0].Alliance(ctx)
	if err != nil {
		return false, err
	}
	for _, m := range roll.Members {
		if a.up(m.ID) && m.TheirApplied < a.highest(m.ID) {
			return false, nil
		}
	}
	return true, nil
}

// up says whether a member's node runs.
func (a *alliance) up(member string) bool {
	for i := range a.nodes {
		if memberName(i) == member {
			return a.runs[i] != nil
		}
	}
	return false
}

// highest is the size that a member must have applied to have all that is for it.
func (a *alliance) highest(member string) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	var size uint64
	for _, p := range a.published {
		if slices.Contains(p.readers, member) {
			size = max(size, p.index+1)
		}
	}
	return size
}

// times takes the times to protect of the members that were up all the while.
func (a *alliance) times(ctx context.Context, f *Figures) error {
	st, err := a.nodes[0].Status(ctx)
	if err != nil {
		return err
	}
	f.Pairs, f.P50, f.P95, f.P99, f.Max = st.Protect.Pairs, st.Protect.P50, st.Protect.P95, st.Protect.P99, st.Protect.Max
	a.mu.Lock()
	defer a.mu.Unlock()
	var want int64
	for _, p := range a.published {
		want += int64(len(p.readers))
	}
	if f.Pairs != want {
		return fmt.Errorf("%d times to protect were measured, %d pairs were published", f.Pairs, want)
	}
	return nil
}

// replay feeds the recordings to the second state and the first partner.
func (a *alliance) replay(ctx context.Context, opt Options) error {
	events := 0
	err := opt.Replayed(ctx, opt.Replay, func(ev *event.Event) error {
		events++
		for _, i := range []int{1, 2} {
			if err := a.nodes[i].Submit(ctx, ev); err != nil {
				return fmt.Errorf("replaying at %s: %w", memberName(i), err)
			}
		}
		return nil
	})
	if err == nil && events == 0 {
		err = fmt.Errorf("no event in %s", strings.Join(opt.Replay, ", "))
	}
	return err
}

// sightings waits until the publisher knows of every detection of shared rules.
func (a *alliance) sightings(ctx context.Context, f *Figures) error {
	var want int64
	for _, i := range []int{1, 2} {
		err := a.nodes[i].DetectionsSince(ctx, time.Time{}, func(d status.Detection) error {
			if d.Publisher != "" {
				want++
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	f.Detections = want
	if want == 0 {
		return nil
	}
	// The journal leaves out what one rule repeats on one host; a sighting counts it. So at least as many.
	return a.until(ctx, "the sightings come back", func(ctx context.Context) (bool, error) {
		totals, err := a.nodes[0].Sightings(ctx, math.MaxInt)
		f.Sightings = 0
		for _, t := range totals {
			f.Sightings += t.Count
		}
		return f.Sightings >= want, err
	})
}

// catchUp stops a member, shares more, and measures its return.
func (a *alliance) catchUp(ctx context.Context, away int, later []rule, rate float64, f *Figures) error {
	if err := a.halt(away); err != nil {
		return fmt.Errorf("stopping %s: %w", memberName(away), err)
	}
	a.mu.Lock()
	before := len(a.published)
	a.mu.Unlock()
	if err := a.publishAll(ctx, later, rate); err != nil {
		return err
	}
	if err := a.until(ctx, "the others act on every rule", a.allApplied); err != nil {
		return err
	}
	roll, err := a.nodes[0].Alliance(ctx)
	if err != nil {
		return err
	}
	for _, m := range roll.Members {
		if m.ID == memberName(away) && m.TheirApplied >= a.highest(m.ID) {
			return fmt.Errorf("%s acted on what was shared while it was away", m.ID)
		}
	}
	back := time.Now()
	if err := a.start(ctx, away); err != nil {
		return fmt.Errorf("starting %s again: %w", memberName(away), err)
	}
	if err := a.until(ctx, "the member that was away has caught up", a.allApplied); err != nil {
		return err
	}
	f.CatchUp = float64(time.Since(back)) / float64(time.Millisecond)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.published[before:] {
		if slices.Contains(p.readers, memberName(away)) {
			f.CatchUpPairs++
		}
	}
	return nil
}

// count takes the figures at the end. Who is entitled follows from the rules' markings and the groups, not
// from who got a key; and a member is served only if it acts on the entry, holds the object and refused nothing.
func (a *alliance) count(ctx context.Context, f *Figures) error {
	roll, err := a.nodes[0].Alliance(ctx)
	if err != nil {
		return err
	}
	f.Publications = len(a.published)
	for i, n := range a.nodes {
		_, out := n.Traffic()
		a.wire += out
		if i == 0 {
			continue
		}
		st, err := n.Status(ctx)
		if err != nil {
			return err
		}
		for what, times := range st.Rejected {
			a.opt.Talk(fmt.Sprintf("%s refused %d: %s", memberName(i), times, what))
			f.Lost += times
		}
		at := slices.IndexFunc(roll.Members, func(m status.Member) bool { return m.ID == memberName(i) })
		if at < 0 {
			return fmt.Errorf("%s is not in the roster", memberName(i))
		}
		lost, err := a.lostAt(ctx, i, roll.Members[at].TheirApplied)
		if err != nil {
			return err
		}
		f.Lost += lost
	}
	f.Wire = a.wire
	return nil
}

// lostAt counts the publications that member i is entitled to and does not act on.
func (a *alliance) lostAt(ctx context.Context, i int, applied uint64) (lost int64, err error) {
	for _, p := range a.published {
		if p.rule.amber && isPartner(i) {
			continue
		}
		held, err := a.nodes[i].Holds(ctx, p.object)
		if err != nil {
			return 0, err
		}
		if !held || applied <= p.index {
			lost++
		}
	}
	return lost, nil
}
