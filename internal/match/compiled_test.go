package match_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/event"
	"shieldwall/internal/match"
)

// matcher is what the engine and its oracle have in common.
type matcher interface {
	Match(*event.Event, func(match.Hit))
}

// met writes what an event meets, in a form that compares.
func met(m matcher, ev *event.Event) []string {
	var out []string
	m.Match(ev, func(h match.Hit) { out = append(out, fmt.Sprintf("%s %+v", h.RuleID, h.Fields)) })
	slices.Sort(out)
	return out
}

// every is which of so many recorded events are compared: all of them in a long run.
func every() int {
	if os.Getenv("SHIELDWALL_SOAK") != "" {
		return 1
	}
	return 97
}

// TestCorpusAgainstOracle meets the whole rule base with recorded events of every kind: both evaluators
// find the same, with the same fields.
func TestCorpusAgainstOracle(t *testing.T) {
	rules := corpusRules(t, allFolders...)
	engine, oracle := loaded(t, rules), match.NewOracle(rules)
	events, found := 0, 0
	check := func(ev *event.Event) {
		events++
		got, want := met(engine, ev), met(oracle, ev)
		found += len(want)
		if !slices.Equal(got, want) {
			t.Fatalf("event %d, %s %s: compiled\n%s\nnaive\n%s", events, ev.Channel, ev.EventID, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	err := filepath.WalkDir(corpus(t, "sigma", "regression_data"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".json" {
			for _, ev := range records(t, path) {
				check(ev)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	recorded, _ := recorded(t, func(n int, _ []byte) bool { return n%every() == 0 })
	for _, ev := range recorded {
		check(ev)
	}
	t.Logf("%d events, %d hits", events, found)
	if events < 3000 || found < 200 {
		t.Errorf("only %d events and %d hits were compared", events, found)
	}
}
