package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"shieldwall/internal/correlate"
	"shieldwall/internal/event"
	"shieldwall/internal/match"
	"shieldwall/internal/object"
	"shieldwall/internal/sigma"
)

// maxUnwritten bounds the alerts of correlations that wait for a journal that can be written again.
const maxUnwritten = 1000

// LocalCorrelation is a correlation from a folder of this node's own; it refers to the local rules and correlations
// beside it by their indexes.
type LocalCorrelation struct {
	Path string // as given, for reports
	sigma.Resolved
}

func (c *LocalCorrelation) key() match.Key {
	return match.Key{ID: fmt.Sprintf("%s:%d", c.Path, c.Correlation.Line)}
}

// rulePart and correlationPart are the keys by which correlations know the rules and correlations of one object.
func rulePart(key object.Key, rule int) correlate.Key {
	return correlate.Key{Publisher: key.Publisher, ID: key.ID + "#" + strconv.Itoa(rule)}
}

func correlationPart(key object.Key, number int) correlate.Key {
	return correlate.Key{Publisher: key.Publisher, ID: key.ID + "#c" + strconv.Itoa(number)}
}

// whole is the object's key again.
func whole(part correlate.Key) object.Key {
	return object.Key{Publisher: part.Publisher, ID: part.ID[:strings.LastIndexByte(part.ID, '#')]}
}

// asked is a rule whose hits bring the fields that correlations want to know, too.
func asked(rule *sigma.Rule, fields []string) *sigma.Rule {
	if len(fields) == 0 {
		return rule
	}
	more := *rule
	more.Fields = slices.Concat(rule.Fields, fields)
	return &more
}

// correlated makes the correlations of one object ready, and its rules, which they count. All must load: those
// that are only there to be counted would otherwise be told one by one.
func correlated(key object.Key, found *sigma.Collection) ([]*sigma.Rule, []correlate.Rule, error) {
	set, problems := sigma.Resolve(found.Rules, found.Correlations)
	for _, p := range problems {
		return nil, nil, p.Err
	}
	var out []correlate.Rule
	for i, c := range set.Correlations {
		r := correlate.Rule{Key: correlationPart(key, i), Correlation: c.Correlation}
		for _, t := range c.Refs {
			if t.Correlation {
				r.Refs = append(r.Refs, correlationPart(key, t.Index))
			} else {
				r.Refs = append(r.Refs, rulePart(key, t.Index))
			}
		}
		out = append(out, r)
	}
	alone := correlate.New(correlate.Options{})
	if err := alone.Update(out, nil); err != nil {
		return nil, nil, err
	}
	rules := make([]*sigma.Rule, len(found.Rules))
	for i, r := range found.Rules {
		rules[i] = asked(r, alone.Asks(rulePart(key, i)))
	}
	return rules, out, nil
}

// localCorrelations makes those of folders ready.
func localCorrelations(rules []LocalRule, correlations []LocalCorrelation) []correlate.Rule {
	out := make([]correlate.Rule, len(correlations))
	for i, c := range correlations {
		out[i] = correlate.Rule{Key: correlationPart(c.key(), 0), Correlation: c.Correlation}
		for _, t := range c.Refs {
			if t.Correlation {
				out[i].Refs = append(out[i].Refs, correlationPart(correlations[t.Index].key(), 0))
			} else {
				out[i].Refs = append(out[i].Refs, rulePart(rules[t.Index].key(), 0))
			}
		}
	}
	return out
}

// count makes an object's correlations live, in place of those before. Caller holds mu.
func (l *live) count(key object.Key, rules []correlate.Rule) error {
	before := l.counting[key]
	if len(before)+len(rules) == 0 {
		return nil
	}
	if err := l.correlations.Update(rules, before); err != nil {
		return err
	}
	delete(l.counting, key)
	for _, r := range rules {
		l.counting[key] = append(l.counting[key], r.Key)
	}
	return nil
}

// uncount takes an object's correlations out. Caller holds mu.
func (l *live) uncount(key object.Key) {
	if err := l.count(key, nil); err != nil {
		panic("detect: correlations cannot be taken out: " + err.Error()) // fewer never are too many
	}
}

// counts tells whether a hit counts for correlations, and whether it does for nothing else.
func (l *live) counts(h *match.Hit) (hit correlate.Hit, counts, silent bool) {
	if h.Indicator != nil || h.Candidate || l.correlations.Len() == 0 {
		return hit, false, false
	}
	hit = correlate.Hit{Key: rulePart(h.Key, h.Rule), Fields: h.Fields}
	return hit, l.correlations.Wanted(hit.Key), l.correlations.Silent(hit.Key)
}

// unwritten are alerts that could not be written yet.
type unwritten struct {
	mu     sync.Mutex
	alerts []correlate.Alert
}

func (u *unwritten) put(alerts []correlate.Alert) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	room := min(maxUnwritten-len(u.alerts), len(alerts))
	u.alerts = append(u.alerts, alerts[:room]...)
	if room < len(alerts) {
		return fmt.Errorf("%d detections of correlations are lost: %d wait to be written already", len(alerts)-room, maxUnwritten)
	}
	return nil
}

func (u *unwritten) take() []correlate.Alert {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := u.alerts
	u.alerts = nil
	return out
}

// tell keeps what correlations told as detections. What cannot be written waits: the events that it stands on do
// not count again.
func (d *Detector) tell(ctx context.Context, alerts []correlate.Alert) error {
	for i := range alerts {
		a := &alerts[i]
		if a.Silent {
			continue
		}
		if err := d.alert(ctx, a); err != nil {
			return errors.Join(err, d.unwritten.put(alerts[i:]))
		}
	}
	return nil
}

// alert keeps one, by the last of its events.
func (d *Detector) alert(ctx context.Context, a *correlate.Alert) error {
	last, about := a.LastHit(), a.Correlation.Attributes
	ev := &event.Event{
		Time: a.Last, Source: last.Source, Record: last.Record, Computer: last.Computer, Channel: last.Channel, EventID: last.EventID,
	}
	return d.hit(ctx, ev, match.Hit{Key: whole(a.Key), Fields: a.Fields(), Attribution: match.Attribution{
		RuleID: about.ID, Title: about.Title, Level: about.Level, Author: about.Author, License: about.License, Tags: about.Tags,
	}})
}

// advance tells what correlations decide because time has passed, and what could not be written before.
func (d *Detector) advance(ctx context.Context) error {
	return d.tell(ctx, append(d.unwritten.take(), d.live.correlations.Advance()...))
}
