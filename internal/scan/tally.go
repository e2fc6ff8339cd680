package scan

import (
	"cmp"
	"maps"
	"slices"

	"shieldwall/internal/match"
)

const (
	// maxTallied bounds the rules whose detections are counted one by one. Indicators are rules, too, and there may
	// be millions.
	maxTallied = 1 << 16
	// maxLoudest is how many of the loudest rules are named.
	maxLoudest = 10
)

// unrated is the level of what has none, such as an indicator.
const unrated = "none"

// Loud is a rule and how often it detected something: the first place to look for false positives. A rule detects
// an event once.
type Loud struct {
	RuleID     string `json:"rule_id"`
	Title      string `json:"title"`
	Level      string `json:"level"`
	Detections int64  `json:"detections"`
}

// FileStats are what one file came to: levels and loudest as in Stats.
type FileStats struct {
	Source                string
	Events, Bytes, Errors int64
	Levels                map[string]int64
	Loudest               []Loud
}

// tally counts detections by level and rule.
type tally struct {
	levels map[string]int64
	rules  map[tallied]*Loud
}

// tallied is a rule's key and, for the values of a list of indicators have one key, its id.
type tallied struct {
	key match.Key
	id  string
}

func newTally() *tally { return &tally{map[string]int64{}, map[tallied]*Loud{}} }

func (t *tally) add(o *outcome) {
	d := o.detection
	t.levels[cmp.Or(d.Level, unrated)]++
	key := tallied{o.rule, d.RuleID}
	at := t.rules[key]
	if at == nil {
		if len(t.rules) == maxTallied {
			return
		}
		at = &Loud{RuleID: d.RuleID, Title: d.Title, Level: cmp.Or(d.Level, unrated)}
		t.rules[key] = at
	}
	at.Detections++
}

// loudest are the rules with the most detections.
func (t *tally) loudest() []Loud {
	all := make([]Loud, 0, len(t.rules))
	for r := range maps.Values(t.rules) {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b Loud) int {
		return cmp.Or(cmp.Compare(b.Detections, a.Detections), cmp.Compare(a.Title, b.Title), cmp.Compare(a.RuleID, b.RuleID))
	})
	return all[:min(len(all), maxLoudest)]
}
