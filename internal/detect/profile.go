package detect

import "shieldwall/internal/status"

// Profile says what matching has cost, with at most so many rules and patterns.
func (d *Detector) Profile(most int) status.Profile {
	p := d.opt.Engine.Profile(most)
	p.Events = d.events.Load()
	p.Patterns, p.Correlations = []status.PatternCost{}, []status.CorrelationCost{}
	for _, c := range d.live.patterns.Costs() {
		if len(p.Patterns) == most {
			break
		}
		p.Patterns = append(p.Patterns, status.PatternCost{
			ID: c.Key.ID, Publisher: c.Key.Publisher, Asked: c.Asked, Held: c.Held, Nanoseconds: int64(c.Time),
			Kept: c.Kept, Room: c.Room, Stopped: c.Stopped,
		})
	}
	for _, c := range d.live.correlations.Costs() {
		if len(p.Correlations) == most {
			break
		}
		p.Correlations = append(p.Correlations, status.CorrelationCost{
			RuleID: c.About.ID, Title: c.About.Title, File: whole(c.Key).ID, Taken: c.Taken, Told: c.Stats.Told, Nanoseconds: int64(c.Time),
			Groups: c.Stats.Groups, Events: c.Stats.Events, Bytes: c.Stats.Bytes, PeakBytes: c.Peak,
			EvictedGroups: c.Stats.EvictedGroups, EvictedEvents: c.Stats.EvictedEvents,
		})
	}
	return p
}
