// Package match decides which live intelligence an event meets: Sigma rules and indicators.
//
// An Engine holds one immutable snapshot behind an atomic pointer: compiled programs (package program) by
// logsource and event id, each in a large base and small, newer segments. Readers never lock; writers make a
// new snapshot that shares everything they did not touch. Package naive is the oracle.
package match

import (
	"errors"
	"fmt"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/indicator"
	"shieldwall/internal/match/program"
	"shieldwall/internal/object"
	"shieldwall/internal/sigma"
)

// Key identifies a live piece of intelligence: who published it and under which id. Rules from a
// folder have no publisher.
type Key = object.Key

// Attribution is what a detection must carry about its origin; the Detection Rule License asks for
// the rule's author in every alert.
type Attribution struct {
	RuleID  string
	Title   string
	Level   string
	Author  string
	License string
	Tags    []string
}

// Hit is one piece of intelligence meeting one event. It does not share memory with the engine that
// later events reuse.
type Hit struct {
	Key
	// Rule is which of the rules under the key it is, in the order in which they were compiled.
	Rule int
	Attribution
	// Indicator is the one that was met; nil for a Sigma rule.
	Indicator *indicator.Indicator
	// Candidate is that of the Compiled: the hit is a detection only if the pattern behind it confirms it.
	Candidate bool
	// Confidence is the publisher's, 1 to 100; 0 where it gives none. Until is when it ends; zero: never.
	Confidence int
	Until      time.Time
	// Fields are the fields that the rule names and the event has, in the rule's order; for an
	// indicator, the fields it was met in.
	Fields []event.Field
}

// Compiled is intelligence under one key, ready to be made live.
type Compiled struct {
	Key Key
	// From and Until bound when it matches, by the engine's clock: From included, Until not. Zero
	// times are open ends.
	From, Until time.Time
	// Candidate says that the rules find what is likely: they stand for a STIX pattern, which has the last
	// word about each hit.
	Candidate bool
	// Confidence is handed on to hits.
	Confidence int

	rules      []*rule
	indicators []indicator.Indicator
	who        Attribution
}

// CompileSigma makes rules ready that are published under one key, such as the documents of one file.
// It fails only for a rule made by other means than sigma.Parse.
func CompileSigma(key Key, rules ...*sigma.Rule) (Compiled, error) {
	if len(rules) == 0 {
		return Compiled{}, errors.New("no rules to compile")
	}
	out := Compiled{Key: key}
	for i, r := range rules {
		ids, err := program.Required(&r.Detection, fieldEventID, maxEventIDs)
		if err != nil {
			return Compiled{}, fmt.Errorf("rule %s: %w", r.ID, err)
		}
		out.rules = append(out.rules, &rule{
			index:     i,
			detection: &sigma.Detection{Selections: r.Detection.Selections, Condition: r.Detection.Condition},
			logsource: r.Logsource, eventIDs: ids, fields: r.FieldNames(), values: valuesOf(&r.Detection), bytes: bytesOf(r),
			Attribution: Attribution{
				RuleID: r.ID, Title: r.Title, Level: r.Level, Author: r.Author, License: r.License, Tags: r.Tags,
			},
		})
	}
	return out, nil
}

func valuesOf(d *sigma.Detection) int {
	n := 0
	for _, sel := range d.Selections {
		for _, alt := range sel.Alternatives {
			for _, item := range alt {
				n += len(item.Values)
			}
		}
	}
	return n
}

// rule is a Sigma rule, as an engine needs it. It is immutable.
type rule struct {
	detection *sigma.Detection
	logsource sigma.Logsource
	eventIDs  []string // folded; the rule holds for no other ones. None: it does not say
	fields    []string // that it names, in order
	values    int      // that it has
	index     int      // among those of its key
	bytes     int      // that it takes as it was read, roughly
	Attribution
}

// CompileIndicators makes indicators ready that are published under one key: one object's values, or
// a whole list.
func CompileIndicators(key Key, who Attribution, list ...indicator.Indicator) (Compiled, error) {
	if len(list) == 0 {
		return Compiled{}, errors.New("no indicators to compile")
	}
	for _, ind := range list {
		if err := ind.Check(); err != nil {
			return Compiled{}, err
		}
	}
	return Compiled{Key: key, indicators: list, who: who}, nil
}
