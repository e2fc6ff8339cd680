package correlate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/sigma"
)

var allTypes = []sigma.CorrelationType{
	sigma.EventCount, sigma.ValueCount, sigma.ValueSum, sigma.ValueAvg, sigma.ValuePercentile, sigma.Temporal, sigma.TemporalOrdered,
}

// run is one random case: correlations, and what happens to them.
type run struct {
	lateness time.Duration
	rules    []Rule
	steps    []step
}

// step is an event, or, without hits, a look at the clock.
type step struct {
	at     int64
	now    int64
	record string
	hits   []string
	fields map[string]string
}

// randomRun makes a case; kind is the type of its first correlation. Times are few nanoseconds, so that all borders
// are met.
func randomRun(r *rand.Rand, kind sigma.CorrelationType) run {
	out := run{lateness: time.Duration(1 + r.IntN(12))}
	if r.IntN(4) == 0 {
		out.lateness = Unordered
	}
	base := []string{"a", "b", "c", "d"}
	out.rules = append(out.rules, randomRule(r, "first", kind, base))
	for i := range r.IntN(3) { // others, some of them over the ones before
		kind := allTypes[r.IntN(len(allTypes))]
		from := base
		if r.IntN(2) == 0 {
			from = []string{out.rules[len(out.rules)-1].Key.ID, "a"}
		}
		out.rules = append(out.rules, randomRule(r, fmt.Sprint("more", i), kind, from))
	}
	jitter := int64(1 + r.IntN(16))
	at, now := int64(1000), int64(1_000_000)
	for range 10 + r.IntN(60) {
		at += int64(r.IntN(5))
		if r.IntN(20) == 0 {
			at += int64(r.IntN(40))
		}
		now += int64(r.IntN(6))
		if n := len(out.steps); n > 0 && r.IntN(12) == 0 { // a record again
			again := out.steps[r.IntN(n)]
			again.now = now
			out.steps = append(out.steps, again)
			continue
		}
		s := step{at: at, now: now, record: fmt.Sprint(len(out.steps)), fields: map[string]string{}}
		if r.IntN(3) == 0 {
			s.at -= r.Int64N(jitter)
		}
		if r.IntN(10) > 0 {
			s.hits = []string{base[r.IntN(4)]}
			if r.IntN(6) == 0 {
				s.hits = append(s.hits, base[r.IntN(4)])
			}
		}
		for _, name := range []string{"G", "H", "V"} {
			if r.IntN(20) > 0 {
				s.fields[name] = []string{"1", "2", "x", "X"}[r.IntN(4)]
			}
		}
		if r.IntN(12) > 0 {
			s.fields["N"] = []string{"1", "2", "3", "-2", "0.1", "1e17", "7"}[r.IntN(7)]
		}
		out.steps = append(out.steps, s)
	}
	return out
}

func randomRule(r *rand.Rand, id string, kind sigma.CorrelationType, from []string) Rule {
	c := &sigma.Correlation{Type: kind, Timespan: time.Duration(1 + r.IntN(20)), Attributes: &sigma.Rule{}, Generate: r.IntN(2) == 0}
	out := Rule{Key: Key{ID: id}, Correlation: c}
	for _, i := range r.Perm(len(from))[:1+r.IntN(len(from))] {
		c.Rules, out.Refs = append(c.Rules, from[i]), append(out.Refs, Key{ID: from[i]})
	}
	c.GroupBy = [][]string{nil, {"G"}, {"H"}, {"G", "H"}, {"either"}}[r.IntN(5)]
	c.Aliases = map[string]map[string]string{"either": {}}
	for _, rule := range c.Rules {
		c.Aliases["either"][rule] = []string{"G", "H"}[r.IntN(2)]
	}
	ops := []sigma.BoundOp{sigma.BoundGte, sigma.BoundGt, sigma.BoundGte, sigma.BoundLt, sigma.BoundLte, sigma.BoundEq, sigma.BoundNeq}
	for range 1 + r.IntN(2) {
		c.Bounds = append(c.Bounds, sigma.Bound{Op: ops[r.IntN(len(ops))], Value: float64(r.IntN(6))})
	}
	switch kind {
	case sigma.ValueCount:
		c.Fields = [][]string{{"V"}, {"V", "N"}, {"either"}}[r.IntN(3)]
	case sigma.ValueSum, sigma.ValueAvg, sigma.ValuePercentile:
		c.Fields = []string{"N"}
		c.Percentile = float64(r.IntN(101))
	case sigma.Temporal, sigma.TemporalOrdered:
		if r.IntN(3) > 0 {
			c.Bounds = nil
			if r.IntN(2) == 0 {
				c.Sequence = randomExpr(r, len(c.Rules), 2)
			}
		}
	}
	return out
}

func randomExpr(r *rand.Rand, rules, depth int) sigma.Expr {
	if depth == 0 {
		return sigma.Ref{Index: r.IntN(rules)}
	}
	two := func() []sigma.Expr {
		return []sigma.Expr{randomExpr(r, rules, depth-1), randomExpr(r, rules, depth-1)}
	}
	switch r.IntN(6) {
	case 0:
		return sigma.Not{X: randomExpr(r, rules, depth-1)}
	case 1:
		return sigma.Of{All: r.IntN(2) == 0, Indexes: []int{r.IntN(rules), r.IntN(rules)}}
	case 2, 3:
		return sigma.And{Xs: two()}
	case 4:
		return sigma.Or{Xs: two()}
	}
	return sigma.Ref{Index: r.IntN(rules)}
}

// compare runs a case through the engine and the oracle, and gives what was told.
func (c run) compare(t testing.TB) (told []string) {
	now := int64(0)
	e := New(Options{Lateness: c.lateness, Now: func() time.Time { return atNano(now) }})
	if err := e.Update(c.rules, nil); err != nil {
		t.Fatal(err)
	}
	o := newOracle(latenessOf(c.lateness), c.rules)
	check := func(what string, alerts []Alert) {
		var got []string
		for _, a := range alerts {
			got = append(got, spell(a))
		}
		slices.Sort(got)
		slices.Sort(o.out)
		if !slices.Equal(got, o.out) {
			t.Fatalf("%s\n%s: told %q, want %q", c, what, got, o.out)
		}
		told, o.out = append(told, got...), nil
		checkHeld(t, e)
	}
	for i, s := range c.steps {
		now, o.now = s.now, s.now
		if len(s.hits) == 0 {
			o.advance(now)
			check(fmt.Sprint("step ", i), e.Advance())
			continue
		}
		ev := &event.Event{Time: atNano(s.at), Record: s.record}
		for name, text := range s.fields {
			ev.Fields = append(ev.Fields, event.Field{Name: name, Value: event.Str(text)})
		}
		var hits []Hit
		var naive []naiveHit
		for _, h := range s.hits {
			hits = append(hits, Hit{Key: Key{ID: h}})
			naive = append(naive, naiveHit{h, s.fields})
		}
		o.add(s.at, s.record, naive...)
		check(fmt.Sprint("step ", i), e.Add(ev, ev.Time, hits...))
	}
	o.finish()
	check("the end", e.Finish())
	if st := e.Stats(); st.Groups+st.Events+st.Bytes != 0 || len(e.wakes) != 0 {
		t.Fatalf("%s\nafter the end %+v is held", c, st)
	}
	return told
}

func (c run) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "lateness %d\n", c.lateness)
	for _, r := range c.rules {
		fmt.Fprintf(&b, "%s: %s of %v by %v %v span %d bounds %v fields %v p%g %+v\n", r.Key.ID, r.Type, r.Rules, r.GroupBy, r.Aliases, r.Timespan, r.Bounds, r.Fields, r.Percentile, r.Sequence)
	}
	for i, s := range c.steps {
		fmt.Fprintf(&b, "%d: at %d now %d %v %v\n", i, s.at, s.now, s.hits, s.fields)
	}
	return b.String()
}

// checkHeld reckons anew what the engine believes to hold.
func checkHeld(t testing.TB, e *Engine) {
	t.Helper()
	total := 0
	for _, c := range e.live {
		events, bytes := 0, 0
		for key, g := range c.groups {
			own := groupBytes + 2*len(key) + 24*len(g.rules) + usedBytes*len(g.used)
			for i, x := range g.entries {
				own += x.bytes
				if i > 0 && x.before(g.entries[i-1].place) {
					t.Fatalf("%s: the entries of group %q are not in order", c.Key.ID, key)
				}
			}
			for text, v := range g.values {
				own += valueBytes + len(text)
				if v.held <= 0 {
					t.Fatalf("%s: value %q is held by nobody", c.Key.ID, text)
				}
			}
			if own != g.bytes || g.slot < 0 || e.wakes[g.slot] != g {
				t.Fatalf("%s: group %q has %d bytes, booked are %d; slot %d", c.Key.ID, key, own, g.bytes, g.slot)
			}
			events += len(g.entries)
			bytes += g.bytes
		}
		if events != c.events || bytes != c.bytes {
			t.Fatalf("%s: %d events, %d bytes; booked are %d, %d", c.Key.ID, events, bytes, c.events, c.bytes)
		}
		total += bytes
	}
	if total != e.bytes {
		t.Fatalf("%d bytes, booked are %d", total, e.bytes)
	}
}

// TestAgainstOracle: for every type, what the engine tells is what the definition says, event by event.
func TestAgainstOracle(t *testing.T) {
	const each = 3000
	for n, kind := range allTypes {
		r := rand.New(rand.NewPCG(uint64(n), 11))
		told, chained := 0, 0
		for range each {
			for _, text := range randomRun(r, kind).compare(t) {
				told++
				if !strings.HasPrefix(text, "first") {
					chained++
				}
			}
		}
		t.Logf("%s: %d cases, %d told, %d of them by others", kind, each, told, chained)
		if told < each || chained < each/4 {
			t.Errorf("%s: that checks little", kind)
		}
	}
}
