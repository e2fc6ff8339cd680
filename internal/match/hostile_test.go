package match

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/indicator"
)

// BenchmarkHostileText is what the worst texts cost: each is as long as is looked through.
func BenchmarkHostileText(b *testing.B) {
	u := &unit{}
	for _, line := range []string{"other.example", "198.51.100.0/24", "2001:db8::7", "http://other.example/x", "b@other.example"} {
		ind, _, err := indicator.ParseLine(line)
		if err != nil {
			b.Fatal(err)
		}
		u.indicators = append(u.indicators, ind)
	}
	sets := indicatorSets{}.edit([]*unit{u}, nil, time.Now())
	for _, piece := range []string{"a://", "a://b/%", "@", ":", "1:", "a@", "a.", "1.2.3.4 ", "::1 ", "a.b ", "x"} {
		ev := &event.Event{Fields: []event.Field{{Name: "CommandLine", Value: event.Str(strings.Repeat(piece, maxTextScanned/len(piece)))}}}
		b.Run(fmt.Sprintf("%q", piece), func(b *testing.B) {
			for b.Loop() {
				sets.match(ev, time.Time{}, nil)
			}
		})
	}
}
