package detect

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

const (
	// MaxPerMinute is how many detections of one rule on one host are written in a minute of the node's
	// clock; the others are counted. Sightings count them all.
	MaxPerMinute = 60
	// maxThrottled bounds the (rule, host) pairs counted apart in one minute; beyond, the hosts that
	// are new share one allowance a rule, and rules that are new share one.
	maxThrottled = 16 << 10
	// maxLoudest bounds the list of Suppressed in Stats.
	maxLoudest = 20
)

// Suppressed counts the detections of one rule on one host that were not written because it fired too
// often.
type Suppressed struct {
	Publisher string
	RuleID    string
	Computer  string
	Count     int64
}

// pair is what one allowance is for.
type pair struct{ publisher, rule, computer string }

// throttle keeps a rule that fires on everything, by an ally's mistake or malice, from filling the disk.
type throttle struct {
	mu     sync.Mutex // guards the fields below
	minute time.Time
	counts map[pair]int64
	total  int64 // suppressed since the start
	before map[pair]int64
}

func newThrottle() *throttle { return &throttle{counts: map[pair]int64{}} }

// allow says whether this detection is written.
func (t *throttle) allow(now time.Time, p pair) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if minute := now.Truncate(time.Minute); !minute.Equal(t.minute) {
		t.minute, t.before, t.counts = minute, t.counts, map[pair]int64{}
	}
	p = t.bucket(p)
	t.counts[p]++
	if t.counts[p] <= MaxPerMinute {
		return true
	}
	t.total++
	return false
}

// bucket finds whose allowance a pair uses.
func (t *throttle) bucket(p pair) pair {
	if _, known := t.counts[p]; known || len(t.counts) < maxThrottled {
		return p
	}
	p.computer = ""
	if _, known := t.counts[p]; known || len(t.counts) < 2*maxThrottled {
		return p
	}
	return pair{}
}

// suppressed gives the total since the start and the loudest pairs of this minute and the one before.
func (t *throttle) suppressed() (int64, []Suppressed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sums := map[pair]int64{}
	for _, counts := range []map[pair]int64{t.counts, t.before} {
		for p, n := range counts {
			if n > MaxPerMinute {
				sums[p] += n - MaxPerMinute
			}
		}
	}
	out := make([]Suppressed, 0, len(sums))
	for p, n := range sums {
		out = append(out, Suppressed{p.publisher, p.rule, p.computer, n})
	}
	slices.SortFunc(out, func(a, b Suppressed) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.RuleID, b.RuleID),
			cmp.Compare(a.Publisher, b.Publisher), cmp.Compare(a.Computer, b.Computer))
	})
	return t.total, out[:min(len(out), maxLoudest)]
}
