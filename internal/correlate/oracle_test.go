package correlate

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"shieldwall/internal/sigma"
)

// oracle is the package comment spelled out: it keeps every event and reckons every window from scratch.
type oracle struct {
	rules  []Rule
	late   []int64 // of each rule
	level  []int
	now    int64
	groups []map[string]*naiveGroup
	out    []string // what was told
	queue  []naiveAlert
	seq    int
}

type naiveGroup struct {
	shown           []string
	events          []naiveEvent
	used            []int64
	newest, touched int64
	looked          int64 // at all moments up to this one
	passed          int64 // the mark of the last event
}

type naiveEvent struct {
	at    int64
	seq   int
	rec   string // its record; an alert has none
	rules map[int]bool
	value string
	all   map[string]string // the fields of the event, for rules above
}

type naiveAlert struct {
	rule  int
	at    int64
	views []map[string]string
}

// naiveHit is a rule that was met, with the fields that it was met with.
type naiveHit struct {
	key    string
	fields map[string]string
}

func newOracle(lateness int64, rules []Rule) *oracle {
	o := &oracle{rules: rules}
	for i, r := range rules { // those that a rule refers to come before it
		late, level := lateness, 0
		for _, ref := range r.Refs {
			for j := range i {
				if rules[j].Key != ref {
					continue
				}
				level = max(level, o.level[j]+1)
				takes := o.late[j]
				if modeOf(rules[j].Correlation) != atOnce && takes != forever {
					takes += int64(rules[j].Timespan)
				}
				if lateness == forever || takes == forever {
					late = forever
				} else {
					late = max(late, lateness+takes)
				}
			}
		}
		o.late, o.level = append(o.late, late), append(o.level, level)
		o.groups = append(o.groups, map[string]*naiveGroup{})
	}
	return o
}

func (o *oracle) add(at int64, record string, hits ...naiveHit) {
	o.seq++
	for i := range o.rules {
		o.addTo(i, at, record, hits)
	}
	o.cascade()
}

func (o *oracle) cascade() {
	for len(o.queue) > 0 {
		a := o.queue[0]
		o.queue = o.queue[1:]
		var hits []naiveHit
		for _, v := range a.views {
			hits = append(hits, naiveHit{o.rules[a.rule].Key.ID, v})
		}
		o.add(a.at, "", hits...)
	}
}

func (o *oracle) addTo(i int, at int64, record string, hits []naiveHit) {
	r := o.rules[i]
	type part struct{ group, value string }
	parts := map[part]*naiveEvent{}
	var order []part
	var shown = map[part][]string{}
	for _, h := range hits {
		for index, ref := range r.Refs {
			if ref.ID != h.key {
				continue
			}
			var values, group []string
			ok := true
			get := func(names []string) (out []string) {
				for _, name := range names {
					if alias, there := r.Aliases[name][r.Rules[index]]; there {
						name = alias
					}
					v, there := h.fields[name]
					ok = ok && there
					out = append(out, v)
				}
				return out
			}
			group, values = get(r.GroupBy), get(r.Fields)
			if r.Type != sigma.ValueCount && len(values) > 0 {
				if _, err := strconv.ParseFloat(values[0], 64); err != nil {
					ok = false
				}
			}
			if !ok {
				continue
			}
			p := part{strings.ToLower(strings.Join(group, "\x00")), strings.ToLower(strings.Join(values, "\x00"))}
			if parts[p] == nil {
				parts[p] = &naiveEvent{at: at, seq: o.seq, rec: record, rules: map[int]bool{}, value: p.value, all: h.fields}
				order = append(order, p)
				shown[p] = group
			}
			parts[p].rules[index] = true
		}
	}
	for _, p := range order {
		g := o.groups[i][p.group]
		if g == nil {
			g = &naiveGroup{shown: shown[p], newest: at, touched: o.now, looked: never, passed: never}
			o.groups[i][p.group] = g
		}
		o.place(i, g, *parts[p])
	}
}

func (o *oracle) mark(i int, g *naiveGroup) int64 {
	if o.late[i] == forever {
		return never
	}
	return max(g.passed, g.newest+max(0, o.now-g.touched)-o.late[i])
}

func (o *oracle) place(i int, g *naiveGroup, e naiveEvent) {
	span := int64(o.rules[i].Timespan)
	if e.at > g.newest {
		g.newest, g.touched = e.at, o.now
	}
	mark := o.mark(i, g)
	if mark != never && e.at <= mark-span {
		return
	}
	used := slices.ContainsFunc(g.used, func(u int64) bool { return u <= e.at && e.at < u+span })
	again := slices.ContainsFunc(g.events, func(x naiveEvent) bool {
		return e.rec != "" && x.rec == e.rec && x.at == e.at && maps.Equal(x.rules, e.rules) && x.value == e.value
	})
	if !used && !again {
		g.looked = min(g.looked, e.at-1)
		g.events = append(g.events, e)
		slices.SortStableFunc(g.events, func(a, b naiveEvent) int {
			if a.at != b.at {
				return int(a.at - b.at)
			}
			return a.seq - b.seq
		})
		if modeOf(o.rules[i].Correlation) == atOnce {
			o.completed(i, g, e)
		}
	}
	o.passed(i, g, mark)
	if mark != never {
		g.passed = mark
		g.events = slices.DeleteFunc(g.events, func(e naiveEvent) bool { return e.at <= mark-span })
	}
}

// window lists a group's events in (from, to].
func (g *naiveGroup) window(from, to int64) (out []naiveEvent) {
	for _, e := range g.events {
		if e.at > from && e.at <= to {
			out = append(out, e)
		}
	}
	return out
}

func (o *oracle) completed(i int, g *naiveGroup, e naiveEvent) {
	r := o.rules[i]
	span := int64(r.Timespan)
	for _, t := range g.events {
		if t.at < e.at || t.at >= e.at+span {
			continue
		}
		if w := g.window(t.at-span, t.at); naiveHolds(r, w, true) {
			o.tell(i, g, w)
			g.use(w[0].at, span)
			return
		}
	}
}

func (g *naiveGroup) use(at, span int64) {
	g.used = append(g.used, at)
	g.events = slices.DeleteFunc(g.events, func(e naiveEvent) bool { return at <= e.at && e.at < at+span })
}

func (o *oracle) passed(i int, g *naiveGroup, mark int64) {
	r := o.rules[i]
	span := int64(r.Timespan)
again:
	for _, t := range g.events {
		if t.at >= mark || modeOf(r.Correlation) == atOnce {
			break
		}
		if t.at <= g.looked {
			continue
		}
		w := g.window(t.at-span, t.at)
		if modeOf(r.Correlation) == settled {
			if naiveHolds(r, w, true) {
				o.tell(i, g, w)
				g.use(w[0].at, span)
				goto again
			}
			g.looked = t.at
			continue
		}
		if !naiveHolds(r, w, false) {
			g.looked = t.at
			continue
		}
		from := w[0].at
		if mark < from+span {
			break
		}
		if w := g.window(from-1, from+span-1); naiveHolds(r, w, true) {
			o.tell(i, g, w)
		}
		g.use(from, span)
		goto again
	}
}

func (o *oracle) advance(now int64) {
	o.now = now
	o.each(func(i int, g *naiveGroup) bool {
		mark := o.mark(i, g)
		o.passed(i, g, mark)
		return mark != never && mark >= g.newest+int64(o.rules[i].Timespan)
	})
}

func (o *oracle) finish() {
	o.each(func(i int, g *naiveGroup) bool {
		o.passed(i, g, math.MaxInt64)
		return true
	})
}

func (o *oracle) each(do func(int, *naiveGroup) bool) {
	for level := range len(o.rules) {
		for i := range o.rules {
			if o.level[i] != level {
				continue
			}
			for _, key := range slices.Sorted(maps.Keys(o.groups[i])) {
				if do(i, o.groups[i][key]) {
					delete(o.groups[i], key)
				}
			}
		}
		slices.SortStableFunc(o.queue, func(a, b naiveAlert) int { return int(a.at - b.at) })
		o.cascade()
	}
}

func (o *oracle) tell(i int, g *naiveGroup, w []naiveEvent) {
	r := o.rules[i]
	last := w[len(w)-1]
	o.out = append(o.out, fmt.Sprintf("%s %q %d-%d %g of %d", r.Key.ID, strings.ToLower(strings.Join(g.shown, ",")), w[0].at, last.at, naiveCount(r, w), len(w)))
	a := naiveAlert{rule: i, at: last.at}
	for _, e := range w {
		view := maps.Clone(e.all)
		for j, name := range r.GroupBy {
			view[name] = g.shown[j]
		}
		a.views = append(a.views, view)
	}
	o.queue = append(o.queue, a)
}

func naiveSeen(w []naiveEvent, rule int) bool {
	return slices.ContainsFunc(w, func(e naiveEvent) bool { return e.rules[rule] })
}

// inOrderOf tells whether events of rules, one each, come in their order.
func inOrderOf(w []naiveEvent, rules []int) bool {
	if len(rules) == 0 {
		return true
	}
	for i, e := range w {
		if e.rules[rules[0]] && inOrderOf(w[i+1:], rules[1:]) {
			return true
		}
	}
	return false
}

// subsets lists all choices of rules.
func subsets(n int) (out [][]int) {
	for set := range 1 << n {
		var rules []int
		for i := range n {
			if set&(1<<i) != 0 {
				rules = append(rules, i)
			}
		}
		out = append(out, rules)
	}
	return out
}

func naiveCount(r Rule, w []naiveEvent) float64 {
	var numbers []float64
	exact := new(big.Float).SetPrec(4000)
	values := map[string]bool{}
	for _, e := range w {
		values[e.value] = true
		n, _ := strconv.ParseFloat(e.value, 64)
		numbers = append(numbers, n)
		exact.Add(exact, big.NewFloat(n))
	}
	sum, _ := exact.Float64()
	switch r.Type {
	case sigma.EventCount:
		return float64(len(w))
	case sigma.ValueCount:
		return float64(len(values))
	case sigma.ValueSum:
		return sum
	case sigma.ValueAvg:
		return sum / float64(len(w))
	case sigma.ValuePercentile:
		slices.Sort(numbers)
		rank := float64(len(numbers)-1) * r.Percentile / 100
		low, high := int(math.Floor(rank)), int(math.Ceil(rank))
		return numbers[low]*(1-(rank-float64(low))) + numbers[high]*(rank-float64(low))
	case sigma.Temporal:
		n := 0
		for rule := range r.Rules {
			if naiveSeen(w, rule) {
				n++
			}
		}
		return float64(n)
	}
	best := 0
	for _, rules := range subsets(len(r.Rules)) {
		if len(rules) > best && inOrderOf(w, rules) {
			best = len(rules)
		}
	}
	return float64(best)
}

// naiveHolds tells whether a window holds, or, if not all, whether its lower part does.
func naiveHolds(r Rule, w []naiveEvent, all bool) bool {
	n := naiveCount(r, w)
	for _, b := range boundsOf(r.Correlation) {
		ok := true
		switch b.Op {
		case sigma.BoundGt:
			ok = n > b.Value
		case sigma.BoundGte:
			ok = n >= b.Value
		case sigma.BoundEq:
			ok = n == b.Value || !all && n > b.Value
		case sigma.BoundLt:
			ok = n < b.Value || !all
		case sigma.BoundLte:
			ok = n <= b.Value || !all
		case sigma.BoundNeq:
			ok = n != b.Value || !all
		}
		if !ok {
			return false
		}
	}
	if r.Sequence == nil {
		return true
	}
	choices := [][]int{{}}
	if r.Type == sigma.TemporalOrdered {
		choices = subsets(len(r.Rules))
	}
	return slices.ContainsFunc(choices, func(rules []int) bool {
		seen := func(rule int) bool { return naiveSeen(w, rule) }
		if r.Type == sigma.TemporalOrdered {
			seen = func(rule int) bool { return slices.Contains(rules, rule) }
		}
		return inOrderOf(w, rules) && naiveExpr(r.Sequence, false, func(rule int, not bool) bool {
			if not {
				return !all || !naiveSeen(w, rule)
			}
			return seen(rule)
		})
	})
}

// naiveExpr evaluates an expression with its nots pushed down to the rules.
func naiveExpr(x sigma.Expr, not bool, literal func(rule int, not bool) bool) bool {
	var parts []bool
	and := false
	switch x := x.(type) {
	case sigma.Ref:
		return literal(x.Index, not)
	case sigma.Not:
		return naiveExpr(x.X, !not, literal)
	case sigma.And:
		and = true
		for _, y := range x.Xs {
			parts = append(parts, naiveExpr(y, not, literal))
		}
	case sigma.Or:
		for _, y := range x.Xs {
			parts = append(parts, naiveExpr(y, not, literal))
		}
	case sigma.Of:
		and = x.All
		for _, i := range x.Indexes {
			parts = append(parts, literal(i, not))
		}
	}
	if and != not {
		return !slices.Contains(parts, false)
	}
	return slices.Contains(parts, true)
}

// spell is an alert as the oracle writes it.
func spell(a Alert) string {
	var group []string
	for _, f := range a.Group {
		group = append(group, f.Value.Text)
	}
	return fmt.Sprintf("%s %q %d-%d %g of %d", a.Key.ID, strings.ToLower(strings.Join(group, ",")), a.First.UnixNano(), a.Last.UnixNano(), a.Count, a.Events)
}

func atNano(n int64) time.Time { return time.Unix(0, n) }
