package sequence

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/object"
	"shieldwall/internal/observed"
	"shieldwall/internal/stixpattern"
)

var key = object.Key{Publisher: "bravo", ID: "indicator--1"}

func pattern(t testing.TB, text string) *stixpattern.Pattern {
	t.Helper()
	tree, err := stixpattern.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	_, p, err := observed.Candidate(tree)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

func at(seconds float64) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

func command(line string, seconds float64) *event.Event {
	return &event.Event{Time: at(seconds), Computer: "ws1", Record: fmt.Sprint(seconds), Fields: []event.Field{{Name: "CommandLine", Value: event.Str(line)}}}
}

// TestConfirm feeds events, "command@second", and says after which of them the pattern matched.
func TestConfirm(t *testing.T) {
	one := func(line string) string { return "[process:command_line = '" + line + "']" }
	for _, tt := range []struct {
		name, pattern, events string
		want                  []int
	}{
		{"one observation", one("a"), "b@1 a@2 a@3", []int{1, 2}},
		{"START is inside, STOP is not", one("a") + " START t'2026-01-01T00:00:01Z' STOP t'2026-01-01T00:00:03Z'", "a@0 a@1 a@2.9 a@3", []int{1, 2}},
		{"either", one("a") + " OR " + one("b"), "a@1 b@2 c@3", []int{0, 1}},
		{"both, in any order", one("a") + " AND " + one("b"), "a@1 b@2 b@4 a@3", []int{1, 3}},
		{"distinct observations", one("a") + " AND " + one("a"), "a@1 b@2 a@3 a@4", []int{2}},
		{"in order", one("a") + " FOLLOWEDBY " + one("b"), "b@1 a@2 b@3 b@4", []int{2}},
		{"an event that comes late has its own time", one("a") + " FOLLOWEDBY " + one("b"), "b@3 a@2", []int{1}},
		{"late, and out of order", one("a") + " FOLLOWEDBY " + one("b"), "b@1 a@2", nil},
		{"window", "(" + one("a") + " AND " + one("b") + ") WITHIN 5 SECONDS", "a@1 b@7 a@12", []int{2}},
		{"repeats", one("a") + " REPEATS 3 TIMES", "a@1 a@2 b@3 a@4 a@5 a@6 a@7", []int{3, 6}},
		{"repeats in a window", one("a") + " REPEATS 3 TIMES WITHIN 2 SECONDS", "a@1 a@2 a@4 a@5 a@6", []int{4}},
		{"repeats of one", one("a") + " REPEATS 1 TIMES", "a@1 a@2", []int{0, 1}},
		{"chain", one("a") + " FOLLOWEDBY " + one("b") + " FOLLOWEDBY " + one("c"), "a@1 c@2 b@3 c@4", []int{3}},
	} {
		patterns := New()
		if err := patterns.Add(key, pattern(t, tt.pattern)); err != nil {
			t.Fatal(err)
		}
		var got []int
		for i, text := range strings.Fields(tt.events) {
			line, second, _ := strings.Cut(text, "@")
			var seconds float64
			fmt.Sscan(second, &seconds)
			ev := command(line, seconds)
			g := patterns.Look(ev, ev.Time)
			if _, ok := g.Confirm(key); ok {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: matched at %v, want %v", tt.name, got, tt.want)
		}
	}
}

func confirm(p *Patterns, ev *event.Event) ([]string, bool) {
	g := p.Look(ev, ev.Time)
	return g.Confirm(key)
}

func TestOthers(t *testing.T) {
	p := New()
	if err := p.Add(key, pattern(t, "[process:command_line = 'a'] FOLLOWEDBY [process:command_line = 'b']")); err != nil {
		t.Fatal(err)
	}
	confirm(p, command("a", 1))
	others, ok := confirm(p, command("b", 2))
	if want := "2026-01-01T00:00:01Z ws1 1"; !ok || len(others) != 1 || others[0] != want {
		t.Errorf("%v %q, want %q", ok, others, want)
	}
}

// TestBounds: memory is promised beforehand, what is rare is not displaced, withdrawn patterns say no.
func TestBounds(t *testing.T) {
	p := New()
	pair := pattern(t, "[process:command_line = 'a'] AND [process:command_line LIKE 'b%']")
	if err := p.Add(key, pair); err != nil {
		t.Fatal(err)
	}
	confirm(p, command("a", 0))
	for i := range 10_000 {
		if _, ok := confirm(p, command("b", float64(i))); ok != (i == 0) {
			t.Fatalf("event %d: %v", i, ok)
		}
	}
	s := p.live[key]
	if len(s.kept) != s.room || p.Stats().Evicted != int64(9999-s.room) {
		t.Errorf("%d kept of %d, %d evicted", len(s.kept), s.room, p.Stats().Evicted)
	}
	if _, ok := confirm(p, command("a", 20_000)); !ok {
		t.Error("the rare observation finds none of the frequent ones")
	}
	if len(s.kept) != s.room-2 || int(s.kinds[s.kept[0].kind].Number) != len(s.kept) {
		t.Errorf("%d kept, kinds %v", len(s.kept), s.kinds)
	}
	p.Remove(key)
	if _, ok := confirm(p, command("a", 1)); ok || p.room != 0 || len(p.live) != 0 {
		t.Error("a withdrawn pattern matches")
	}
	if err := p.Add(key, pattern(t, "[process:command_line = 'a'] REPEATS 1000000000 TIMES")); err == nil || !strings.Contains(err.Error(), "at most 1000") {
		t.Errorf("repeats without end: %v", err)
	}
	var err error
	n := 0
	for ; err == nil; n++ {
		err = p.Add(object.Key{ID: fmt.Sprint(n)}, pair)
	}
	if !errors.Is(err, ErrNoRoom) || p.room > MaxRoom || n < 1000 {
		t.Errorf("%d patterns: %v", n, err)
	}
	if err := p.Add(object.Key{ID: "0"}, pair); err != nil {
		t.Errorf("a pattern in its own place: %v", err)
	}
}

// TestCosts: what patterns were asked and answered.
func TestCosts(t *testing.T) {
	p := New()
	for id, text := range map[string]string{
		"chain": "[process:command_line = 'a'] FOLLOWEDBY [process:command_line = 'b']", "one": "[process:command_line = 'a']", "idle": "[process:command_line = 'a']",
	} {
		if err := p.Add(object.Key{ID: id}, pattern(t, text)); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(id, line string, second float64) {
		g := p.Look(command(line, second), at(second))
		g.Confirm(object.Key{ID: id})
	}
	ask("one", "a", 1)
	ask("one", "b", 2)
	ask("chain", "a", 1)
	ask("chain", "b", 2)
	ask("chain", "a", 3)
	ask("nobody", "a", 4)
	got := map[string]Cost{}
	for _, c := range p.Costs() {
		got[c.Key.ID] = c
	}
	if c := got["one"]; len(got) != 2 || c.Asked != 2 || c.Held != 1 || c.Room != 0 || c.Time < 0 {
		t.Errorf("%+v", got)
	}
	if c := got["chain"]; c.Asked != 3 || c.Held != 1 || c.Kept != 1 || c.Room < 2 || c.Stopped != "" {
		t.Errorf("%+v", c)
	}
	p.Remove(object.Key{ID: "chain"})
	if c := p.Costs(); len(c) != 1 || c[0].Key.ID != "one" {
		t.Errorf("of what is live: %+v", c)
	}
}

// TestStopped: a pattern whose searches are given up again and again is stopped and named.
func TestStopped(t *testing.T) {
	group := "([process:command_line LIKE 'a%'] FOLLOWEDBY [process:command_line LIKE '%b'] FOLLOWEDBY [process:command_line LIKE '%c%']) WITHIN 9 SECONDS"
	p := New()
	if err := p.Add(key, pattern(t, "("+group+") REPEATS 8 TIMES")); err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		line := []string{"a", "xb", "acb"}[i%3]
		if i%3 == 2 && i%2 == 0 {
			line = "a"
		}
		confirm(p, command(line, float64(3000-i)*5))
	}
	st := p.Stats()
	if stopped := p.Stopped(); st.Undecided != maxUndecided || len(stopped) != 1 || !strings.Contains(stopped[key], "too many ways") {
		t.Errorf("%+v, stopped %v", st, stopped)
	}
	// A flood of one of its observations costs a good pattern little, and does not stop it.
	if err := p.Add(key, pattern(t, "([process:command_line = 'a'] REPEATS 500 TIMES AND [process:command_line = 'b']) WITHIN 600 SECONDS")); err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		if _, ok := confirm(p, command("a", float64(i))); ok {
			t.Fatal("matched without the other")
		}
	}
	if _, ok := confirm(p, command("b", 5000)); !ok || p.Stats().Undecided != maxUndecided {
		t.Errorf("after a flood: %v, %+v", ok, p.Stats())
	}
}

func TestConcurrent(t *testing.T) {
	p := New()
	repeats := pattern(t, "[process:command_line = 'a'] REPEATS 10 TIMES")
	var wg sync.WaitGroup
	var mu sync.Mutex
	matched := 0
	if err := p.Add(key, repeats); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		wg.Go(func() {
			for i := range 250 {
				if _, ok := confirm(p, command("a", float64(i))); ok {
					mu.Lock()
					matched++
					mu.Unlock()
				}
				other := object.Key{ID: fmt.Sprint(i)}
				if err := p.Add(other, repeats); err != nil {
					t.Error(err)
				}
				p.Remove(other)
			}
		})
	}
	wg.Wait()
	if matched != 100 {
		t.Errorf("matched %d times, want 100: each observation counts once", matched)
	}
}

// TestAgainstMatch: events in a row complete a pattern for the first time with the one with which all of them
// together match it.
func TestAgainstMatch(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	fired, quiet := 0, 0
	for range 3000 {
		text := randomPattern(r, 1+r.IntN(2))
		p := New()
		compiled := pattern(t, text)
		if compiled.Needs() > 12 {
			continue
		}
		if err := p.Add(key, compiled); err != nil {
			t.Fatal(err)
		}
		var all []stixpattern.Observed
		seconds := 0
		for i := range 12 {
			if seconds += r.IntN(4); r.IntN(5) == 0 {
				seconds -= r.IntN(6) // late
			}
			ev := command(fmt.Sprint(r.IntN(4)), float64(seconds))
			all = append(all, stixpattern.Observed{First: ev.Time, Last: ev.Time, Number: 1, Objects: observed.Objects(ev)})
			want, err := compiled.Match(all)
			if err != nil {
				t.Fatal(err)
			}
			_, got := confirm(p, ev)
			if got != (want != nil) {
				t.Fatalf("%s\nevent %d at %d: matched %v, all together %v", text, i, seconds, got, want)
			}
			if got {
				fired++
				break
			}
			quiet++
		}
	}
	t.Logf("%d fired, %d events did not", fired, quiet)
	if fired < 500 || quiet < 5000 {
		t.Error("that checks little")
	}
}

func randomPattern(r *rand.Rand, depth int) string {
	if depth == 0 {
		return fmt.Sprintf("[process:command_line = '%d']", r.IntN(4))
	}
	out := randomPattern(r, depth-1) + []string{" AND ", " OR ", " FOLLOWEDBY "}[r.IntN(3)] + randomPattern(r, depth-1)
	switch out = "(" + out + ")"; r.IntN(6) {
	case 0, 1:
		out += fmt.Sprintf(" WITHIN %d SECONDS", 1+r.IntN(9))
	case 2:
		out += " REPEATS 2 TIMES"
	case 3:
		out += fmt.Sprintf(" START t'2026-01-01T00:00:0%dZ' STOP t'2026-01-01T00:00:2%dZ'", r.IntN(10), r.IntN(10))
	}
	return out
}

// TestWork: a pattern that is costly on every event is stopped; one that is costly now and then is not, nor is a
// cheap one.
func TestWork(t *testing.T) {
	costly := "[process:command_line LIKE 'x%'" + strings.Repeat(" OR process:command_line LIKE 'y%'", 900) + "]"
	slow := "[process:command_line MATCHES '(.{0,400}b){2}']"
	long := strings.Repeat("a", 10_000)
	for _, tt := range []struct {
		name, pattern, line string
		every               int
		want                bool
	}{
		{"costly", costly, "z", 1, true},
		{"costly, now and then", costly, "z", 100, false},
		{"slow on long text", slow, long, 1, true},
		{"cheap", "[process:command_line LIKE 'x%' OR process:pid = 5]", "z", 1, false},
	} {
		p := New()
		if err := p.Add(key, pattern(t, tt.pattern)); err != nil {
			t.Fatal(err)
		}
		asked := 0
		for i := range 20_000 {
			g := p.Look(command(tt.line, 1), at(1))
			if i%tt.every == 0 {
				g.Confirm(key)
				asked++
			}
			if len(p.Stopped()) > 0 {
				break
			}
		}
		if why, stopped := p.Stopped()[key]; stopped != tt.want || stopped && (!strings.Contains(why, "costs too much") || asked > 5000) {
			t.Errorf("%s: stopped %v after %d: %s", tt.name, stopped, asked, why)
		}
	}
}
