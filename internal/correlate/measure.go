package correlate

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"shieldwall/internal/sigma"
)

// measure is what a correlation reckons over the events of a window. The window moves: events are added and
// removed at both of its ends.
type measure interface {
	add(*entry)
	remove(*entry)
	value() float64
}

// newMeasure gives a type's measure; none for the temporal ones, which look at places instead.
func newMeasure(c *sigma.Correlation) measure {
	switch c.Type {
	case sigma.EventCount:
		return new(counted)
	case sigma.ValueCount:
		return new(distinct)
	case sigma.ValueSum:
		return new(sum)
	case sigma.ValueAvg:
		return new(average)
	case sigma.ValuePercentile:
		return &percentile{p: c.Percentile}
	}
	return nil
}

type counted int

func (c *counted) add(*entry)     { *c++ }
func (c *counted) remove(*entry)  { *c-- }
func (c *counted) value() float64 { return float64(*c) }

// distinct counts different values; each value knows how many events of the window have it.
type distinct int

func (d *distinct) add(e *entry) {
	if e.value.in++; e.value.in == 1 {
		*d++
	}
}

func (d *distinct) remove(e *entry) {
	if e.value.in--; e.value.in == 0 {
		*d--
	}
}

func (d *distinct) value() float64 { return float64(*d) }

// sum adds numbers up without loss: as a few floats that do not overlap and together are the exact sum (Shewchuk,
// Adaptive Precision Floating-Point Arithmetic, 1997). So what is taken away again leaves no trace.
type sum struct{ parts []float64 }

func (s *sum) add(e *entry)    { s.put(e.number) }
func (s *sum) remove(e *entry) { s.put(-e.number) }

func (s *sum) put(x float64) {
	kept := s.parts[:0]
	for _, y := range s.parts {
		if math.Abs(x) < math.Abs(y) {
			x, y = y, x
		}
		high := x + y
		if low := y - (high - x); low != 0 {
			kept = append(kept, low)
		}
		x = high
	}
	if x != 0 {
		kept = append(kept, x)
	}
	s.parts = kept
}

// value adds the parts from the largest down: the first that makes a difference decides how the sum is rounded.
func (s *sum) value() float64 {
	total := 0.0
	for i := len(s.parts) - 1; i >= 0; i-- {
		before := total
		total += s.parts[i]
		if low := s.parts[i] - (total - before); low != 0 {
			return halfway(total, low, s.parts[:i])
		}
	}
	return total
}

// halfway rounds a sum whose next part is exactly half of its last digit: what is left decides.
func halfway(total, low float64, rest []float64) float64 {
	if len(rest) > 0 && (low < 0) == (rest[len(rest)-1] < 0) {
		if y := 2 * low; y == (total+y)-total {
			return total + y
		}
	}
	return total
}

type average struct {
	sum
	n int
}

func (a *average) add(e *entry)    { a.n++; a.sum.add(e) }
func (a *average) remove(e *entry) { a.n--; a.sum.remove(e) }

func (a *average) value() float64 {
	if a.n == 0 {
		return math.NaN()
	}
	return a.sum.value() / float64(a.n)
}

// percentile keeps a window's numbers in their order.
type percentile struct {
	p       float64
	numbers []float64
}

func (p *percentile) add(e *entry) {
	i, _ := slices.BinarySearch(p.numbers, e.number)
	p.numbers = slices.Insert(p.numbers, i, e.number)
}

func (p *percentile) remove(e *entry) {
	if i, ok := slices.BinarySearch(p.numbers, e.number); ok {
		p.numbers = slices.Delete(p.numbers, i, i+1)
	}
}

func (p *percentile) value() float64 { return percentileOf(p.numbers, p.p) }

// percentileOf lies between the two nearest of sorted numbers, at rank (n-1)*p/100, as most tools reckon it.
func percentileOf(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	rank := float64(len(sorted)-1) * p / 100
	low := int(rank)
	if low >= len(sorted)-1 {
		return sorted[len(sorted)-1]
	}
	part := rank - float64(low)
	return sorted[low]*(1-part) + sorted[low+1]*part
}

// maxNumber bounds the numbers that are added up, so that MaxEvents of them stay numbers.
const maxNumber = 1e300

// number reads a field's text: decimal, or hexadecimal as the Windows Security log writes numbers.
func number(text string) (float64, bool) {
	if len(text) > 2 && text[0] == '0' && text[1]|0x20 == 'x' {
		n, err := strconv.ParseUint(text[2:], 16, 64)
		return float64(n), err == nil
	}
	n, err := strconv.ParseFloat(text, 64)
	return n + 0, err == nil && math.Abs(n) <= maxNumber && !strings.Contains(text, "_") // NaN is not within either
}

// place is where an event stands in a group: by time, and where that is the same, in the order of arrival.
type place struct {
	time int64
	seq  uint64
}

func (p place) before(q place) bool { return p.time < q.time || p.time == q.time && p.seq < q.seq }

// places are a rule's events in a group, in order.
type places []place

// after finds the first place behind one.
func (l places) after(p place) (place, bool) {
	i := sort.Search(len(l), func(i int) bool { return p.before(l[i]) })
	if i == len(l) {
		return place{}, false
	}
	return l[i], true
}

func (l *places) insert(p place) {
	i := len(*l)
	for i > 0 && p.before((*l)[i-1]) {
		i--
	}
	*l = slices.Insert(*l, i, p)
}

func (l *places) remove(p place) {
	i := sort.Search(len(*l), func(i int) bool { return !(*l)[i].before(p) })
	switch {
	case i == len(*l) || (*l)[i] != p:
	case i == 0:
		*l = (*l)[1:]
	default:
		*l = slices.Delete(*l, i, i+1)
	}
}

// stretch is the window that a temporal correlation looks at: the events of each rule from a place on and up to
// another.
type stretch struct {
	rules    []places
	from, to place // included
}

// start is a place just before the stretch; arrivals are numbered from 1.
func (s stretch) start() place { return place{s.from.time, s.from.seq - 1} }

func (s stretch) next(rule int, p place) (place, bool) {
	q, ok := s.rules[rule].after(p)
	return q, ok && !s.to.before(q)
}

func (s stretch) seen(rule int) bool {
	_, ok := s.next(rule, s.start())
	return ok
}

// together counts the rules that were seen.
func (s stretch) together() (n int) {
	for i := range s.rules {
		if s.seen(i) {
			n++
		}
	}
	return n
}

// chain is the largest number of rules of which one event each comes in the order of the rules. An event is one
// step at most. Of the chains of one length, the one that ends first can be continued best.
func (s stretch) chain() int {
	ends := []place{s.start()} // by length
	for rule := range s.rules {
		for n := len(ends) - 1; n >= 0; n-- {
			end, ok := s.next(rule, ends[n])
			switch {
			case !ok:
			case n+1 == len(ends):
				ends = append(ends, end)
			case end.before(ends[n+1]):
				ends[n+1] = end
			}
		}
	}
	return len(ends) - 1
}

// ordered tells whether an expression holds for rules whose events come in the order of the rules, tried rule by
// rule with and without it (at most MaxOrdered of them).
func (s stretch) ordered(x sigma.Expr, absent func(int) bool) bool {
	if !holds(x, false, s.seen, absent) {
		return false // in no order, then
	}
	var try func(rule int, set uint64, end place) bool
	try = func(rule int, set uint64, end place) bool {
		if holds(x, false, func(i int) bool { return set&(1<<i) != 0 }, absent) {
			return true
		}
		if rule == len(s.rules) {
			return false
		}
		if next, ok := s.next(rule, end); ok && try(rule+1, set|1<<rule, next) {
			return true
		}
		return try(rule+1, set, end)
	}
	return try(0, 0, s.start())
}
