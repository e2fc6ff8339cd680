package main

import (
	"strings"
	"testing"
)

// TestTable: medians of runs that came in any order, and how much faster ours is by them.
func TestTable(t *testing.T) {
	c := comparison{engines: []contender{{name: "ours"}, {name: "theirs"}}}
	run := func(seconds, cpu float64) timing {
		return timing{Events: 1_200, Hits: 7, Passes: 1000, Seconds: seconds, CPU: cpu}
	}
	rows := c.rows("lane", [][]timing{
		{run(3, 2), run(1, 2), run(2, 2)},
		{run(8, 4), run(4, 4)},
	})
	var b strings.Builder
	if err := table(&b, rows); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	want := []string{
		"| lane | 1,200 | ours | 7 | 600,000 (400,000 .. 1,200,000) | 600,000 |  |",
		"| lane | 1,200 | theirs | 7 | 225,000 (150,000 .. 300,000) | 300,000 | 2.7 x (2.0 x by processor time) |",
	}
	if len(lines) != 4 || lines[2] != want[0] || lines[3] != want[1] {
		t.Errorf("%s\nwant %s", b.String(), strings.Join(want, "\n"))
	}
}
