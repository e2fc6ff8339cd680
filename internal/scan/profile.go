package scan

import (
	"strings"

	"shieldwall/internal/status"
)

// profile says what matching cost.
func (s *scanner) profile() {
	if s.opt.Measure <= 0 {
		return
	}
	p := s.engine.Profile(s.opt.Costliest)
	p.Events = s.stats.Events - s.stats.LeftOut
	p.Patterns, p.Correlations = []status.PatternCost{}, []status.CorrelationCost{}
	for _, c := range s.patterns.Costs() {
		if len(p.Patterns) == s.opt.Costliest {
			break
		}
		at := strings.LastIndexByte(c.Key.ID, '#')
		file, id := c.Key.ID[:max(at, 0)], c.Key.ID[at+1:]
		p.Patterns = append(p.Patterns, status.PatternCost{
			ID: id, File: file, Asked: c.Asked, Held: c.Held, Nanoseconds: int64(c.Time), Kept: c.Kept, Room: c.Room, Stopped: c.Stopped,
		})
	}
	for _, c := range s.correlations.Costs() {
		if len(p.Correlations) == s.opt.Costliest {
			break
		}
		p.Correlations = append(p.Correlations, status.CorrelationCost{
			RuleID: c.About.ID, Title: c.About.Title, File: c.Key.ID, Taken: c.Taken, Told: c.Stats.Told, Nanoseconds: int64(c.Time),
			Groups: c.Stats.Groups, Events: c.Stats.Events, Bytes: c.Stats.Bytes, PeakBytes: c.Peak,
			EvictedGroups: c.Stats.EvictedGroups, EvictedEvents: c.Stats.EvictedEvents,
		})
	}
	s.stats.Profile = &p
}
