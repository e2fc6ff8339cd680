package stixpattern

import (
	"math/rand/v2"
	"testing"
)

func TestFormat(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`[ a:b == 'it\'s \\ here' ]`, `[a:b = 'it\'s \\ here']`},
		{`[file:hashes.SHA-256<>'x']`, `[file:hashes.'SHA-256' != 'x']`},
		{`[((a:b = 1)) AND ((a:b = 2 OR a:b = 3))]`, `[a:b = 1 AND (a:b = 2 OR a:b = 3)]`},
		{`[(a:b = 1 AND a:b = 2) OR a:b = 3]`, `[a:b = 1 AND a:b = 2 OR a:b = 3]`},
		{`[(a:b = 1 AND a:b = 2) AND a:b = 3]`, `[(a:b = 1 AND a:b = 2) AND a:b = 3]`},
		{`(([a:b = 1]) AND [a:b = 2]) OR [a:b NOT IN (1,2.50,+3,-.5)]`, `[a:b = 1] AND [a:b = 2] OR [a:b NOT IN (1, 2.5, 3, -0.5)]`},
		{`([a:b = 1] OR [a:b = 2]) AND [a:b = 3]`, `([a:b = 1] OR [a:b = 2]) AND [a:b = 3]`},
		{`[a:b = 1] FOLLOWEDBY ([a:b = 2] FOLLOWEDBY [a:b = 3])`, `[a:b = 1] FOLLOWEDBY ([a:b = 2] FOLLOWEDBY [a:b = 3])`},
		{`([a:b = 1] WITHIN 5.0 SECONDS) REPEATS 2 TIMES`, `[a:b = 1] WITHIN 5 SECONDS REPEATS 2 TIMES`},
		{`([a:b = 1] REPEATS 2 TIMES) REPEATS 3 TIMES`, `([a:b = 1] REPEATS 2 TIMES) REPEATS 3 TIMES`},
		{`(([a:b = 1] REPEATS 2 TIMES WITHIN 1 SECONDS) REPEATS 3 TIMES) WITHIN 2 SECONDS`,
			`([a:b = 1] REPEATS 2 TIMES WITHIN 1 SECONDS) REPEATS 3 TIMES WITHIN 2 SECONDS`},
		{`([a:b = 1] AND [a:b = 2]) WITHIN 9223372036854775807 SECONDS`, `([a:b = 1] AND [a:b = 2]) WITHIN 9223372036854776000.0 SECONDS`},
		{`[a:b = h'FF' OR a:b = b'/w==' OR a:b = t'2020-01-01T00:00:00.500Z' OR NOT EXISTS a:'x y'[*].c[0]]`,
			`[a:b = h'ff' OR a:b = b'/w==' OR a:b = t'2020-01-01T00:00:00.5Z' OR NOT EXISTS a:'x y'[*].c[0]]`},
		{`[a:b IN ()] START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'`, `[a:b IN ()] START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'`},
	} {
		tree, err := Parse(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		got := Format(tree)
		if got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.in, got, tt.want)
		}
		checkFormat(t, tree)
	}
}

// checkFormat checks that a tree is read back from its text.
func checkFormat(t *testing.T, tree Observation) {
	t.Helper()
	text := Format(tree)
	again, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if a, b := show(tree), show(again); a != b {
		t.Fatalf("%s\nwas     %s\nread as %s", text, a, b)
	}
	if twice := Format(again); twice != text {
		t.Fatalf("%s\nthen %s", text, twice)
	}
}

func TestFormatReadsBack(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		tree, err := Parse(randomObservation(r, 1+r.IntN(4)))
		if err != nil {
			t.Fatal(err)
		}
		checkFormat(t, tree)
	}
}
