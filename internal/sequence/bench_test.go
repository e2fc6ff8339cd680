package sequence

import (
	"testing"
)

// BenchmarkConfirm is what one candidate costs, its observables included: of a pattern that one observation
// decides, and of one that remembers, under a flood of one of its observations.
func BenchmarkConfirm(b *testing.B) {
	for _, bb := range []struct{ name, pattern string }{
		{"single", "[process:command_line LIKE 'a%' AND NOT EXISTS process:pid]"},
		{"flood", "([process:command_line = 'a'] REPEATS 900 TIMES AND [process:command_line = 'b']) WITHIN 600 SECONDS"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p := New()
			if err := p.Add(key, pattern(b, bb.pattern)); err != nil {
				b.Fatal(err)
			}
			ev := command("a", 1)
			for i := 0; b.Loop(); i++ {
				g := p.Look(ev, at(float64(i)/10))
				g.Confirm(key)
			}
			if len(p.Stopped()) > 0 {
				b.Fatal("stopped")
			}
		})
	}
}
