package report

import (
	"testing"
	"time"

	"shieldwall/internal/status"
)

// Seeds for the fuzzer, and how many there must be: a fuzzer without seeds looks like a passing test.
var textSeeds = []string{nasty, "", "=1+1", "\t@x", "a;=b", "\xff\xfe", "</style>", "\u202e", "a\r\n\r\nb", "\"\"", "attack.t1059.001", `\.`}

func TestSeeds(t *testing.T) {
	if len(textSeeds) < 12 {
		t.Errorf("%d seeds", len(textSeeds))
	}
}

// FuzzDetection checks that no detection becomes more than text, in any format.
func FuzzDetection(f *testing.F) {
	for i, s := range textSeeds {
		f.Add(s, textSeeds[(i+1)%len(textSeeds)], int64(i)<<i*3)
	}
	f.Fuzz(func(t *testing.T, a, b string, at int64) {
		d := &status.Detection{
			Time: time.Unix(at%(1<<38), at%1e9).UTC(), RuleID: a, Title: b, Level: a, Author: b, License: a, Tags: []string{a, b}, Source: b, Record: a,
			Computer: b, Channel: a, EventID: b, Fields: map[string]string{a: b, b: a}, Publisher: a, DuplicateOf: b, Indicator: a,
		}
		for _, format := range []string{CSV, Timesketch} {
			checkTable(t, written(t, format, Summary{}, d, d), 2)
		}
		if rows := tableRows(checkPage(t, written(t, HTML, Summary{}, d, d))); len(rows) != 2 {
			t.Errorf("%d rows", len(rows))
		}
	})
}
