package sequence

import (
	"encoding/json"
	"fmt"
	"testing"

	"shieldwall/internal/observed"
	"shieldwall/internal/stixpattern"
)

// streams are patterns, and events as a digit of what they are and how many seconds after the one before they come.
var streams = []struct {
	pattern string
	events  []byte
}{
	{"[process:command_line = '0'] AND [process:command_line = '1']", []byte{0, 1, 1, 2, 0, 0}},
	{"[process:command_line = '0'] FOLLOWEDBY [process:command_line = '1'] WITHIN 5 SECONDS", []byte{1, 0, 0, 0, 1, 1, 0, 0, 1, 0x94}},
	{"([process:command_line = '2'] REPEATS 3 TIMES) WITHIN 9 SECONDS", []byte{2, 2, 2, 2, 2}},
	{"[process:command_line = '0'] START t'2026-01-01T00:00:01Z' STOP t'2026-01-01T00:00:03Z'", []byte{0, 0, 0, 0x20}},
	{"([process:command_line = '0'] OR [process:command_line = '1']) FOLLOWEDBY ([process:command_line LIKE '_'] REPEATS 2 TIMES)", []byte{3, 1, 0x81, 0x12, 3}},
	{"[process:command_line IN ('0', '3')] FOLLOWEDBY ([process:command_line = '1'] AND [process:command_line != '1'])", []byte{0x33, 0x21, 0x11, 0x41}},
}

func TestSeeds(t *testing.T) {
	if len(streams) < 6 {
		t.Errorf("%d seeds", len(streams))
	}
	for _, s := range streams {
		pattern(t, s.pattern)
	}
}

// FuzzAgainstMatch: events in a row complete a pattern for the first time with the one with which all of them together
// match it, by the evaluator that has them all at once.
func FuzzAgainstMatch(f *testing.F) {
	for _, s := range streams {
		f.Add(s.pattern, s.events)
	}
	f.Fuzz(func(t *testing.T, text string, stream []byte) {
		if len(text) > 500 || len(stream) > 14 {
			return
		}
		tree, err := stixpattern.Parse(text)
		if err != nil {
			return
		}
		_, compiled, err := observed.Candidate(tree)
		if err != nil || Check(compiled) != nil || compiled.Needs() > 12 {
			return
		}
		p := New()
		if p.Add(key, compiled) != nil {
			return
		}
		var all []stixpattern.Observed
		seconds := 0
		for i, b := range stream {
			if seconds += int(b >> 4 & 7); b&0x80 != 0 {
				seconds -= 9 // it comes late
			}
			ev := command(fmt.Sprint(b&15), float64(seconds))
			all = append(all, stixpattern.Observed{First: ev.Time, Last: ev.Time, Number: 1, Objects: observed.Objects(ev)})
			want, err := compiled.Match(all)
			if err != nil {
				return // too much for the evaluator
			}
			_, got := confirm(p, ev)
			if got != (want != nil) {
				events, _ := json.Marshal(stream)
				t.Fatalf("%s\nevent %d of %s: matched %v, all together %v", text, i, events, got, want)
			}
			if got {
				return
			}
		}
	})
}
