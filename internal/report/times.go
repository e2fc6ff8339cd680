package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// When detections happened is counted in buckets that widen as there come to be too many: nobody knows the span
// before the last file was read, and a hostile record may name any year.
const (
	// maxBuckets are kept while counting, maxBars are drawn.
	maxBuckets = 4096
	maxBars    = 120
	// strays is which part of the detections, one in so many, may lie outside of what is drawn, where leaving them
	// out makes the drawing at least narrower by the factor of strayFactor.
	strays      = 100
	strayFactor = 4
)

const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
)

// widths are those of buckets, in seconds; each is a multiple of the one before.
var widths = []int64{1, 10, minute, 10 * minute, hour, 6 * hour, day, 10 * day, 100 * day, 1000 * day, 10_000 * day}

// barWidths are those of bars; a bar has whole buckets.
var barWidths = []int64{
	1, 2, 5, 10, 30, minute, 2 * minute, 5 * minute, 10 * minute, 30 * minute, hour, 2 * hour, 6 * hour, 12 * hour,
	day, 2 * day, 5 * day, 10 * day, 30 * day, 100 * day, 200 * day, 500 * day, 1000 * day, 10_000 * day, 100_000 * day,
}

// times counts detections by time and level.
type times struct {
	width   int // index in widths
	buckets map[int64]*counts
}

func newTimes() times { return times{buckets: map[int64]*counts{}} }

func (t *times) add(at int64, rank int) {
	i := floorDiv(at, widths[t.width])
	b := t.buckets[i]
	if b == nil {
		b = &counts{}
		t.buckets[i] = b
	}
	b[rank]++
	for len(t.buckets) > maxBuckets && t.width+1 < len(widths) {
		t.widen()
	}
}

// widen makes the buckets as wide as the next width.
func (t *times) widen() {
	by := widths[t.width+1] / widths[t.width]
	wide := make(map[int64]*counts, len(t.buckets)/2)
	for i, b := range t.buckets {
		if w := wide[floorDiv(i, by)]; w != nil {
			w.add(b)
		} else {
			wide[floorDiv(i, by)] = b
		}
	}
	t.width++
	t.buckets = wide
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// bars are detections over time, ready to be drawn.
type bars struct {
	width int64 // of a bar, in seconds
	first int64 // where the first one starts, in seconds since 1970
	n     []counts
	// before and after lie outside: so many detections, the first and the last of them in the bucket that starts
	// then.
	before, after stray
}

// stray are detections outside of what is drawn.
type stray struct {
	n  int64
	at int64
}

// bars chooses a span and a width; nil for no detections.
func (t *times) bars() *bars {
	order := slices.Sorted(maps.Keys(t.buckets))
	if len(order) == 0 {
		return nil
	}
	lo, hi := t.kept(order)
	width := widths[t.width]
	out := &bars{before: t.outside(order[:lo]), after: t.outside(order[hi:])}
	if hi < len(order) {
		out.after.at = order[len(order)-1] * width
	}
	from, to := order[lo]*width, (order[hi-1]+1)*width
	out.width = barWidths[len(barWidths)-1]
	for _, w := range barWidths {
		if w%width == 0 && ceilDiv(to, w)-floorDiv(from, w) <= maxBars {
			out.width = w
			break
		}
	}
	out.first = floorDiv(from, out.width) * out.width
	out.n = make([]counts, ceilDiv(to, out.width)-floorDiv(from, out.width))
	for _, i := range order[lo:hi] {
		out.n[(i*width-out.first)/out.width].add(t.buckets[i])
	}
	return out
}

func ceilDiv(a, b int64) int64 { return -floorDiv(-a, b) }

// kept are the buckets to draw, as bounds in order: all, or, where a few strays would press the others into a
// corner, those without them.
func (t *times) kept(order []int64) (lo, hi int) {
	var all counts
	for _, b := range t.buckets {
		all.add(b)
	}
	lo, hi = 0, len(order)
	room := all.sum() / strays
	// The stray that is farther from its neighbour goes first.
	for hi-lo > 1 {
		left, right := order[lo+1]-order[lo], order[hi-1]-order[hi-2]
		at := lo
		if right > left {
			at = hi - 1
		}
		n := t.buckets[order[at]].sum()
		if n > room {
			break
		}
		room -= n
		if at == lo {
			lo++
		} else {
			hi--
		}
	}
	whole, part := float64(order[len(order)-1]-order[0]+1), float64(order[hi-1]-order[lo]+1)
	if whole < part*strayFactor {
		return 0, len(order)
	}
	return lo, hi
}

func (t *times) outside(order []int64) (s stray) {
	for _, i := range order {
		s.n += t.buckets[i].sum()
	}
	if len(order) > 0 {
		s.at = order[0] * widths[t.width]
	}
	return s
}

// spanWord spells a bar's width.
func spanWord(seconds int64) string {
	for _, u := range []struct {
		of   int64
		name string
	}{{day, "day"}, {hour, "hour"}, {minute, "minute"}, {1, "second"}} {
		switch n := seconds / u.of; {
		case seconds%u.of != 0:
		case n == 1:
			return u.name
		default:
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return ""
}

// moment spells the time at which a bar starts, no finer than its width.
func moment(at, width int64) string {
	t := time.Unix(at, 0).UTC()
	switch {
	case width >= day:
		return t.Format(time.DateOnly)
	case width >= minute:
		return t.Format("2006-01-02 15:04")
	}
	return t.Format("2006-01-02 15:04:05")
}

// ceiling is the least round number that is not below n: 1, 2, 4, 6, 8 and zeros.
func ceiling(n int64) int64 {
	for ten := int64(1); ten < math.MaxInt64/10; ten *= 10 {
		for _, of := range []int64{1, 2, 4, 6, 8} {
			if of*ten >= n {
				return of * ten
			}
		}
	}
	return math.MaxInt64
}
