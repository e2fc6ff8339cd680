package scan

import (
	"fmt"

	"shieldwall/internal/correlate"
	"shieldwall/internal/event"
	"shieldwall/internal/match"
	"shieldwall/internal/sigma"
	"shieldwall/internal/status"
)

// Correlations are what a scan's correlation rules did. Files are not put in the order of time: an event is never too
// late, and a group's events are held as long as there is room. Evicted are those that were forgotten for want of it:
// where they lay far behind, nothing was lost.
type Correlations struct {
	Loaded int   `json:"loaded"`
	Told   int64 `json:"told"` // those included that only count for others
	// Late happened before others that had been judged already, to make room.
	Late          int64 `json:"late"`
	EvictedGroups int64 `json:"evicted_groups"`
	EvictedEvents int64 `json:"evicted_events"`
	// Repeated were records that were held already: of a copy of a log.
	Repeated int64 `json:"repeated"`
	// Ungrouped events lack a field that is grouped by, Unvalued ones a field that counts, Untimed ones a time.
	Ungrouped int64 `json:"ungrouped"`
	Unvalued  int64 `json:"unvalued"`
	Untimed   int64 `json:"untimed"`
}

func (c *Correlations) add(st correlate.Stats) {
	c.Told, c.Late, c.EvictedGroups, c.EvictedEvents = st.Told, st.Late, st.EvictedGroups, st.EvictedEvents
	c.Repeated, c.Ungrouped, c.Unvalued, c.Untimed = st.Repeated, st.Ungrouped, st.Unvalued, st.Untimed
}

// correlate makes the correlations of a rule set live.
func (s *scanner) correlate(set RuleSet) error {
	s.correlations = correlate.New(correlate.Options{Lateness: correlate.Unordered})
	rules := make([]correlate.Rule, len(set.Correlations))
	for i, c := range set.Correlations {
		rules[i] = correlate.Rule{Key: c.key(), Correlation: c.Correlation}
		for _, t := range c.Refs {
			rules[i].Refs = append(rules[i].Refs, set.keyOf(t))
		}
	}
	if err := s.correlations.Update(rules, nil); err != nil {
		return fmt.Errorf("the correlations: %w", err)
	}
	s.stats.Correlations.Loaded, s.counting = len(rules), len(rules) > 0
	return nil
}

// keyOf is the key of what a correlation refers to.
func (s *RuleSet) keyOf(t sigma.Target) match.Key {
	if t.Correlation {
		return s.Correlations[t.Index].key()
	}
	return s.Rules[t.Index].key()
}

// counts tells whether a rule's hits count for correlations, and whether they do for nothing else.
func (s *scanner) counts(key match.Key) (counts, silent bool) {
	if !s.counting {
		return false, false
	}
	return s.correlations.Wanted(key), s.correlations.Silent(key)
}

// correlate hands an event's hits to the correlations, and on what they tell.
func (r *reader) correlate(ev *event.Event, hits []correlate.Hit) {
	for _, a := range r.correlations.Add(ev, ev.Time, hits...) {
		if d := r.alert(&a); d != nil {
			r.put(outcome{detection: d, rule: a.Key}, textOf(d))
		}
	}
}

// finish tells what the end of all files decides.
func (s *scanner) finish() error {
	for _, a := range s.correlations.Finish() {
		if d := s.alert(&a); d != nil {
			if err := s.tellOne(&outcome{detection: d, rule: a.Key}); err != nil {
				return err
			}
		}
	}
	return nil
}

// alert says what a correlation found, as a detection by its last event; nil where nobody is to be told.
func (s *scanner) alert(a *correlate.Alert) *status.Detection {
	about := a.Correlation.Attributes
	if a.Silent || !s.opt.Filter.tells(about.Level, about.Tags) {
		return nil
	}
	last := a.LastHit()
	d := &status.Detection{
		Time: plausible(a.Last), RuleID: about.ID, Title: about.Title, Level: about.Level, Author: about.Author, License: about.License,
		Tags: about.Tags, Source: last.Source, Record: last.Record, Computer: last.Computer, Channel: last.Channel, EventID: last.EventID,
		Fields: map[string]string{},
	}
	if d.Tags == nil {
		d.Tags = []string{}
	}
	for _, f := range a.Fields() {
		d.Fields[f.Name] = text(f.Value)
	}
	return d
}
