package stixpattern

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// naive finds a binding in the plainest way: all of them, one after the other. It is the oracle of Bind.
type naive struct{ seen []Seen }

// use is how many of each observation a binding takes.
type use []int64

func (n naive) bindings(o *node, yield func(use) bool) bool {
	switch o.kind {
	case leaf:
		return n.copies(&node{kind: leaf, tests: o.tests, times: 1}, o.times, yield)
	case every:
		return n.join(o.kids, func(_, _ use) bool { return true }, yield)
	case followed:
		return n.join(o.kids, n.inOrder, yield)
	case either:
		for _, k := range o.kids {
			if !n.bindings(k, yield) {
				return false
			}
		}
		return true
	case within:
		return n.bindings(o.kids[0], func(u use) bool {
			return n.latestFirst(u)-n.earliestLast(u) > o.within || yield(u)
		})
	case between:
		if o.start > o.stop {
			return true
		}
		return n.bindings(o.kids[0], func(u use) bool {
			for i, c := range u {
				if c > 0 && (ticks(n.seen[i].First) > o.stop || ticks(n.seen[i].Last) < o.start) {
					return true
				}
			}
			return yield(u)
		})
	}
	return n.copies(o.kids[0], o.times, yield)
}

func (n naive) copies(o *node, times int64, yield func(use) bool) bool {
	if o.kind == leaf && o.times == 1 && times == 1 {
		for i, s := range n.seen {
			for _, t := range o.tests {
				if s.Tests.Has(t) {
					u := make(use, len(n.seen))
					u[i] = 1
					if !yield(u) {
						return false
					}
					break
				}
			}
		}
		return true
	}
	kids := make([]*node, times)
	for i := range kids {
		kids[i] = o
	}
	return n.join(kids, func(_, _ use) bool { return true }, yield)
}

func (n naive) join(kids []*node, fits func(a, b use) bool, yield func(use) bool) bool {
	var from func(i int, sum use) bool
	from = func(i int, sum use) bool {
		if i == len(kids) {
			return yield(sum)
		}
		return n.bindings(kids[i], func(u use) bool {
			if sum == nil {
				return from(i+1, u)
			}
			both := make(use, len(u))
			for k := range u {
				if both[k] = sum[k] + u[k]; both[k] > max(n.seen[k].Number, 1) {
					return true
				}
			}
			return !fits(sum, u) || from(i+1, both)
		})
	}
	return from(0, nil)
}

func (n naive) inOrder(a, b use) bool { return n.latestFirst(a) <= n.earliestLast(b) }

func (n naive) latestFirst(u use) int64 {
	out := minTick
	for i, c := range u {
		if c > 0 {
			out = max(out, ticks(n.seen[i].First))
		}
	}
	return out
}

func (n naive) earliestLast(u use) int64 {
	out := maxTick
	for i, c := range u {
		if c > 0 {
			out = min(out, ticks(n.seen[i].Last))
		}
	}
	return out
}

func (n naive) matches(p *Pattern) bool {
	return !n.bindings(p.root, func(use) bool { return false })
}

// randomObservation writes a pattern over the tests [a:b = 0] ... [a:b = 3].
func randomObservation(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(4) == 0 {
		out := fmt.Sprintf("[a:b = %d]", r.IntN(4))
		if r.IntN(5) == 0 {
			out += fmt.Sprintf(" REPEATS %d TIMES", 1+r.IntN(3))
		}
		return out
	}
	x, y := randomObservation(r, depth-1), randomObservation(r, depth-1)
	op := []string{" AND ", " OR ", " FOLLOWEDBY ", " FOLLOWEDBY ", " AND "}[r.IntN(5)]
	out := x + op + y
	if r.IntN(3) > 0 {
		out = "(" + out + ")"
		switch r.IntN(4) {
		case 0:
			out += fmt.Sprintf(" WITHIN %d SECONDS", 1+r.IntN(4))
		case 1:
			out += " REPEATS 2 TIMES"
		case 2:
			from := r.IntN(8)
			out += fmt.Sprintf(" START t'2020-01-01T00:00:0%dZ' STOP t'2020-01-01T00:00:0%dZ'", from, from+r.IntN(9-from))
		}
	}
	return out
}

var second = func(n int) time.Time { return time.Date(2020, 1, 1, 0, 0, n, 0, time.UTC) }

func TestBindAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	matched, checked := 0, 0
	for range 6000 {
		text := randomObservation(r, 1+r.IntN(3))
		p := compiled(t, text)
		if p.Needs() > 6 {
			continue // the naive way would not come back
		}
		seen := make([]Seen, r.IntN(7))
		for i := range seen {
			first := r.IntN(9)
			seen[i] = Seen{First: second(first), Last: second(first + max(0, r.IntN(5)-2)), Number: int64(1 + max(0, r.IntN(5)-3)), Tests: p.none()}
			value := int64(r.IntN(4))
			for k, x := range p.tests {
				if x.holds(Object{"type": "a", "b": value}, Objects{}) {
					seen[i].Tests.add(k)
				}
			}
		}
		want := naive{seen}.matches(p)
		got, err := p.Bind(seen, steps(MaxSteps))
		if err != nil {
			t.Fatal(err)
		}
		if (got != nil) != want {
			t.Fatalf("%s\n%+v\ngot %v, want %v", text, seen, got, want)
		}
		if checked++; want {
			matched++
			only := make([]Seen, 0, len(got)) // what was found is a match by itself
			for _, i := range got {
				only = append(only, seen[i])
			}
			if !(naive{only}).matches(p) {
				t.Fatalf("%s\n%+v\n%v is no binding", text, seen, got)
			}
		}
	}
	t.Logf("%d of %d matched", matched, checked)
	if checked < 3000 || matched < checked/10 || matched > checked*9/10 {
		t.Errorf("%d of %d matched: that checks little", matched, checked)
	}
}

func compiled(t testing.TB, text string) *Pattern {
	t.Helper()
	tree, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	p, err := Compile(tree)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

// seenAll makes observations a second apart on which the given tests hold.
func seenAll(p *Pattern, tests ...int) []Seen {
	out := make([]Seen, len(tests))
	for i, x := range tests {
		out[i] = Seen{First: second(i), Last: second(i), Tests: p.none()}
		if x >= 0 {
			out[i].Tests.add(x)
		}
	}
	return out
}

func TestHostile(t *testing.T) {
	many := func(n int, sep string) string { return strings.Repeat("[a:b = 1]"+sep, n-1) + "[a:b = 1]" }
	same := func(p *Pattern, n int) []Seen {
		out := seenAll(p, make([]int, n)...)
		for i := range out {
			for k := range p.tests {
				out[i].Tests.add(k)
			}
		}
		return out
	}
	for _, tt := range []struct {
		name, text string
		observed   int
		want       bool
	}{
		{"N! bindings, one observation short", many(40, " AND "), 39, false},
		{"N! bindings, just enough", many(40, " AND "), 40, true},
		{"a chain, one short", many(40, " FOLLOWEDBY "), 39, false},
		{"a chain", many(40, " FOLLOWEDBY "), 40, true},
		{"repeats without end", "[a:b = 1] REPEATS 1000000000 TIMES", 1000, false},
		{"repeats of repeats", "(([a:b = 1] REPEATS 1000000000 TIMES) REPEATS 1000000000 TIMES) REPEATS 9223372036854775807 TIMES", 1000, false},
		{"repeated group", "([a:b = 1] AND [a:b = 2]) REPEATS 1000000000 TIMES", 1000, false},
		{"alternatives", many(10000, " OR "), 100, true},
		{"repeats in a window", "([a:b = 1] REPEATS 500 TIMES) WITHIN 100 SECONDS", 2000, false},
		{"a hundred thousand observations", "([a:b = 1] FOLLOWEDBY [a:b = 2]) WITHIN 1 SECONDS", 100_000, true},
	} {
		p := compiled(t, tt.text)
		got, err := p.Bind(same(p, tt.observed), steps(MaxSteps))
		if err != nil || (got != nil) != tt.want {
			t.Errorf("%s: %d observations, %v", tt.name, len(got), err)
		}
	}
}

// TestUndecided: where the search is given up, it says so instead of guessing.
func TestUndecided(t *testing.T) {
	p := compiled(t, "([a:b = 1] FOLLOWEDBY [a:b = 2] FOLLOWEDBY [a:b = 3]) WITHIN 9 SECONDS REPEATS 8 TIMES")
	var tests []int
	for i := range 60 { // enough of each, and in the wrong order
		tests = append(tests, 2-i*3/60)
	}
	seen := seenAll(p, tests...)
	for i := range seen { // one in ten is good for all
		if i%10 == 0 {
			seen[i].Tests = Set{7}
		}
	}
	for _, budget := range []int{1, 100, 1000} {
		left := budget
		if got, err := p.Bind(seen, &left); got != nil || !errors.Is(err, ErrUndecided) || left >= 0 {
			t.Errorf("%d steps: %v, %v, %d left", budget, got, err, left)
		}
	}
	got, err := p.Bind(seen, steps(MaxSteps))
	if got != nil {
		t.Errorf("%v, %v", got, err)
	}
	_, err = p.Bind(make([]Seen, MaxObserved+1), steps(MaxSteps))
	if err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("too many observations: %v", err)
	}
	_, err = compiled(t, strings.Repeat("[a:b = 1] AND ", 999)+"[a:b = 2]").Bind(make([]Seen, 100_000), steps(MaxSteps))
	if err == nil || !strings.Contains(err.Error(), "parts of the pattern") {
		t.Errorf("too many cells: %v", err)
	}
}

func steps(n int) *int { return &n }
