package correlate

import (
	"math/rand/v2"
	"testing"
)

// fuzzSeeds begin the fuzzer: a type and two numbers each.
var fuzzSeeds = [][3]uint64{{0, 1, 2}, {1, 3, 4}, {2, 5, 6}, {3, 7, 8}, {4, 9, 10}, {5, 11, 12}, {6, 13, 14}}

func TestSeeds(t *testing.T) {
	kinds := map[uint64]bool{}
	for _, s := range fuzzSeeds {
		kinds[s[0]] = true
	}
	if len(kinds) != len(allTypes) {
		t.Errorf("the seeds have %d types of %d", len(kinds), len(allTypes))
	}
}

// FuzzAgainstOracle checks random correlations on random events against the definition. The bytes change what the
// numbers made: each changes the time of an event, its rule or its fields.
func FuzzAgainstOracle(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s[0], s[1], s[2], []byte("\x00\x07\xff\x10\x55"))
	}
	f.Fuzz(func(t *testing.T, kind, one, two uint64, changes []byte) {
		c := randomRun(rand.New(rand.NewPCG(one, two)), allTypes[kind%uint64(len(allTypes))])
		for i, b := range changes {
			if i >= len(c.steps) {
				break
			}
			s := &c.steps[i]
			switch b % 4 {
			case 0:
				s.at += int64(int8(b)) / 4
			case 1:
				s.at = c.steps[0].at + int64(b)/4
			case 2:
				s.hits = []string{[]string{"a", "b", "c", "d"}[b/4%4]}
			case 3:
				s.fields["N"], s.fields["V"] = []string{"1", "0.5", "-7", "1e300"}[b/4%4], []string{"x", "y"}[b/16%2]
			}
			if s.record != "" { // a record is what it was
				s.record += "+"
			}
		}
		c.compare(t)
	})
}
