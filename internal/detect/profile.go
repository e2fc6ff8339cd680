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
	return p
}
