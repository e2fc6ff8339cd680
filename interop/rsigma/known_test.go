package rsigma

import (
	"slices"
	"testing"
)

// difference is a known one between the detections: who has more, of which events, and why.
type difference struct {
	name string
	ours bool // we detect what they do not; else they do
	fits func(kind, string) bool
	why  string
	// count is how many there are.
	count int
}

// allKeywords are rules of keywords with '|all' that the recordings meet.
var allKeywords = []string{"9db37458-4df2-46a5-95ab-307e7f29e675", "550d3350-bb8a-4ff3-9533-2ba533f4a1c0"}

// recorded are the differences on the recordings of the corpus.
var recorded = []*difference{
	{name: "processes of the Security log", ours: true, count: 36,
		fits: func(k kind, _ string) bool { return k == kind{"security", "4688"} },
		why:  "4688 is shown to rules for process creations with user, integrity and decimal ids, too; the rule base's map knows the two images alone"},
	{name: "connections of the Security log", ours: true, count: 90,
		fits: func(k kind, _ string) bool { return k == kind{"security", "5156"} },
		why:  "5156 is shown to rules for network connections; the rule base's map does not have it"},
	{name: "registry of the Security log", ours: true, count: 3,
		fits: func(k kind, _ string) bool { return k == kind{"security", "4657"} },
		why:  "4657 is shown to rules for the registry; the rule base's map does not have it"},
	{name: "keywords that must all be there", ours: true, count: 2,
		fits: func(_ kind, rule string) bool { return slices.Contains(allKeywords, rule) },
		why:  "Sigma looks for keywords anywhere in the event, with '|all' too (specification, Keywords and All); rsigma then compares whole values"},
}

// compare holds every difference against the known ones, and these to their counts. It gives the number of
// detections that both have.
func compare(t *testing.T, known []*difference, we, they verdicts) (same int) {
	t.Helper()
	counts := map[*difference]int{}
	one := func(ours bool, d detection, k kind) {
		for _, x := range known {
			if x.ours == ours && x.fits(k, d.rule) {
				counts[x]++
				return
			}
		}
		t.Errorf("rule %s on event %d (%v): of us %v, of them %v", d.rule, d.event, k, ours, !ours)
	}
	for d, k := range we.hits {
		if _, ok := they.hits[d]; ok {
			same++
		} else {
			one(true, d, k)
		}
	}
	for d, k := range they.hits {
		if _, ok := we.hits[d]; !ok {
			one(false, d, k)
		}
	}
	for _, x := range known {
		t.Logf("%s: %d (%s)", x.name, counts[x], x.why)
		if counts[x] != x.count {
			t.Errorf("%s: %d, want %d", x.name, counts[x], x.count)
		}
	}
	return same
}
