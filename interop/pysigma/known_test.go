package pysigma

import (
	"fmt"
	"testing"
)

type disagreement struct {
	name, section, why string
	fits               func(r *reading) bool
	corpus, generated  int
}

var disagreements = []*disagreement{}

type comparisonCounts struct {
	same, refused int
	known         map[string]int
	unknown       int
}

func newComparison() *comparisonCounts { return &comparisonCounts{known: map[string]int{}} }

func (c *comparisonCounts) String() string {
	return fmt.Sprintf("%d read alike, %d refused by both, %v known, %d unknown", c.same, c.refused, c.known, c.unknown)
}

func (c *comparisonCounts) add(t *testing.T, name string, r *reading) {
	t.Helper()
	ours, theirs := "", ""
	if r.ours != nil {
		ours = treeOf(r.ours).canonical()
	}
	if r.theirs.Accepted {
		theirs = r.theirs.Tree.canonical()
	}
	switch {
	case ours == theirs && ours == "":
		c.refused++
	case ours == theirs:
		c.same++
	default:
		c.unknown++
		if c.unknown < 60000 {
			t.Errorf("%s\n%.900s\nours   %.1500s %v\ntheirs %.1500s %s yaml11=%v", name, r.text, ours, r.reason, theirs, r.theirs.Error, r.theirs.YAML11)
		}
	}
}

func (c *comparisonCounts) check(t *testing.T, want func(*disagreement) int) {}
