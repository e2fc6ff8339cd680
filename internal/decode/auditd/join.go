package auditd

import (
	"cmp"
	"container/list"
	"slices"
	"time"

	"shieldwall/internal/decode/lines"
	"shieldwall/internal/event"
)

// Joiner collects the records of each act and gives out their events. What waits is bounded by number, bytes
// and the records' own clock; Expire goes by the clock on the wall.
//
// An event that its taker refuses is not lost: what came of its line waits, and Deliver gives it out again. Until
// that has succeeded nothing may be added.
type Joiner struct {
	// Incomplete counts acts that were given out without an end that says so.
	Incomplete int64

	source  string
	yield   func(*event.Event) error
	now     time.Time
	pending map[actKey]*list.Element // of *act in order
	order   list.List                // the oldest first
	bytes   int
	ready   []*act // complete, and not given out whole
	known   *processes
	fields  []event.Field // of the event that is being given out

	again int64         // lines that start before this were read before
	open  map[int64]int // of them, where acts start that were not given out whole, and how many events were
}

// actKey is what the records of one act share.
type actKey struct{ node, serial string }

// act is one thing that happened.
type act struct {
	key     actKey
	at      lines.Place // of the first record
	records []*record
	size    int
	seen    time.Time // when its newest record came
	given   int       // events that were given out
}

// NewJoiner makes a joiner; its events may be used until yield returns.
func NewJoiner(source string, yield func(*event.Event) error) *Joiner {
	return &Joiner{source: source, yield: yield, pending: map[actKey]*list.Element{}, known: newProcesses()}
}

// At tells the time on the wall, for what is added from now on.
func (j *Joiner) At(now time.Time) { j.now = now }

// Succeed takes over what another joiner has learnt of processes: that of the log which this one continues.
func (j *Joiner) Succeed(before *Joiner) { j.known = before.known }

// Resume tells that what stands before an offset was added to another joiner, which had not given out all of it:
// open is what its Open said. Lines before the offset are to be added again, from the first that is open;
// those of acts that were given out are passed over.
func (j *Joiner) Resume(offset int64, open []lines.Open) {
	j.again, j.open = offset, make(map[int64]int, len(open))
	for _, o := range open {
		j.open[o.Offset] = o.Given
	}
}

// Open lists the acts that were not given out whole, in the order of their first records.
func (j *Joiner) Open() []lines.Open {
	out := make([]lines.Open, 0, len(j.ready)+j.order.Len())
	for _, a := range j.ready {
		out = append(out, lines.Open{Place: a.at, Given: a.given})
	}
	for at := j.order.Front(); at != nil; at = at.Next() {
		a := at.Value.(*act)
		out = append(out, lines.Open{Place: a.at, Given: a.given})
	}
	slices.SortFunc(out, func(a, b lines.Open) int { return cmp.Compare(a.Offset, b.Offset) })
	return out
}

// Add takes a record, as its text stands in a log or a syslog message; host is its machine's name where the
// record itself has none. An error is a *lines.Error, which costs the record, or yield's.
func (j *Joiner) Add(at lines.Place, host, text string) error {
	if text == "" || text == "----" {
		return nil // what ausearch puts between events
	}
	given, begins := 0, true
	if at.Offset < j.again {
		given, begins = j.open[at.Offset]
	}
	r, err := parse(at.Line, text)
	switch {
	case err != nil && !begins:
		return nil // it was told then
	case err != nil:
		return &lines.Error{Line: at.Line, Err: err}
	case r.node == "":
		r.node = host
	}
	if r.alone() {
		if begins {
			j.ready = append(j.ready, &act{at: at, records: []*record{r}, given: given})
		}
		return j.Deliver()
	}
	key := actKey{r.node, r.serial}
	waiting, waits := j.pending[key]
	switch {
	case r.kind == "EOE" && waits:
		j.complete(waiting)
		return j.Deliver()
	case r.kind == "EOE", !waits && !begins: // PROCTITLE ended it; it was given out
		return nil
	case !waits:
		waiting = j.order.PushBack(&act{key: key, at: at, given: given})
		j.pending[key] = waiting
	}
	a := waiting.Value.(*act)
	a.records = append(a.records, r)
	a.size += r.size
	a.seen = j.now
	j.bytes += r.size
	if r.kind == "PROCTITLE" || len(a.records) >= MaxRecords {
		if r.kind != "PROCTITLE" {
			j.Incomplete++
		}
		j.complete(waiting)
	}
	j.expire(r)
	return j.Deliver()
}

// expire completes what is too old by the records' clock, or too much.
func (j *Joiner) expire(newest *record) {
	for at := j.order.Front(); at != nil; at = j.order.Front() {
		a := at.Value.(*act)
		old := newest.time.Sub(a.records[0].time) > joinTime
		if !old && j.order.Len() <= MaxPending && j.bytes <= MaxPendingBytes {
			return
		}
		j.Incomplete++
		j.complete(at)
	}
}

// Expire gives out the acts of which nothing came for their time on the wall, for nothing may come any more. The
// error is yield's.
func (j *Joiner) Expire(now time.Time) error {
	for at := j.order.Front(); at != nil; {
		next := at.Next()
		if now.Sub(at.Value.(*act).seen).Abs() > joinTime { // a clock that was set back must not keep it
			j.Incomplete++
			j.complete(at)
		}
		at = next
	}
	return j.Deliver()
}

// Flush gives out what still waits. The error is yield's.
func (j *Joiner) Flush() error {
	for at := j.order.Front(); at != nil; at = j.order.Front() {
		j.Incomplete++
		j.complete(at)
	}
	return j.Deliver()
}

// complete makes an act ready to be given out.
func (j *Joiner) complete(at *list.Element) {
	a := j.order.Remove(at).(*act)
	delete(j.pending, a.key)
	j.bytes -= a.size
	j.ready = append(j.ready, a)
}

// Deliver gives out the acts that are complete. The error is yield's; what was refused is given out at the next
// call, from the event that was.
func (j *Joiner) Deliver() error {
	for len(j.ready) > 0 {
		if err := j.give(j.ready[0]); err != nil {
			return err
		}
		j.ready = slices.Delete(j.ready, 0, 1)
	}
	return nil
}
