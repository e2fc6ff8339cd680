package program

import (
	"slices"
	"sync"
	"time"
)

// Cost is what looking at one rule cost.
type Cost struct {
	Rule uint32
	Held bool
	Time time.Duration
}

// interrupted is from when on a look is repeated: most take less than a hundredth of it, so that the goroutine has
// likely been kept waiting. One such look would count as much as a hundred thousand others.
const interrupted = 20 * time.Microsecond

// measure looks at the candidates as Match does, and at the clock in between. What rules share is booked to the one
// that asks first.
func (p *Program) measure(r *Record, x *Run) {
	x.Costs = slices.Grow(x.Costs, len(x.candidates))
	clock, start := clockCost(), time.Now()
	last := time.Duration(0)
	for _, rule := range x.candidates {
		held := p.run(p.entry[rule], r, x)
		now := time.Since(start)
		took := now - last
		if took > interrupted {
			x.forget() // or the second look would ask nothing
			p.run(p.entry[rule], r, x)
			again := time.Since(start)
			took, now = min(took, again-now), again
		}
		last = now
		x.Costs = append(x.Costs, Cost{rule, held, max(took-clock, 0)})
		if held {
			x.Rules = append(x.Rules, rule)
		}
	}
}

// clockCost is what a look at the clock costs itself: as much as a rule.
var clockCost = sync.OnceValue(func() time.Duration {
	const tries, looks = 64, 16
	least := time.Duration(1<<63 - 1)
	for range tries {
		start := time.Now()
		for range looks {
			time.Since(start)
		}
		least = min(least, time.Since(start))
	}
	return least / (looks + 1)
})
