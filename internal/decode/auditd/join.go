package auditd

import (
	"container/list"

	"shieldwall/internal/event"
)

// Joiner collects the records of each act and gives out their events. What waits is bounded by number, bytes
// and the records' own clock.
type Joiner struct {
	// Incomplete counts acts that were given out without an end that says so.
	Incomplete int64

	source  string
	yield   func(*event.Event) error
	pending map[actKey]*list.Element // of *act in order
	order   list.List                // the oldest first
	bytes   int
	known   processes
	fields  []event.Field // of the event that is being given out
}

// actKey is what the records of one act share.
type actKey struct{ node, serial string }

// act is one thing that happened.
type act struct {
	key     actKey
	records []*record
	size    int
}

// NewJoiner makes a joiner; its events may be used until yield returns.
func NewJoiner(source string, yield func(*event.Event) error) *Joiner {
	return &Joiner{source: source, yield: yield, pending: map[actKey]*list.Element{}, known: newProcesses()}
}

// Add takes a record, as its text stands in a log or a syslog message; host is its machine's name where the
// record itself has none. The error wraps ErrNotAudit or ErrTooManyFields and costs the record, or is yield's.
func (j *Joiner) Add(line int64, host, text string) error {
	r, err := parse(line, text)
	if err != nil {
		return err
	}
	if r.node == "" {
		r.node = host
	}
	if r.alone() {
		return j.give(&act{records: []*record{r}})
	}
	key := actKey{r.node, r.serial}
	at, waits := j.pending[key]
	if r.kind == "EOE" {
		if !waits {
			return nil // PROCTITLE ended it
		}
		return j.take(at)
	}
	if !waits {
		at = j.order.PushBack(&act{key: key})
		j.pending[key] = at
	}
	a := at.Value.(*act)
	a.records = append(a.records, r)
	a.size += r.size
	j.bytes += r.size
	if r.kind == "PROCTITLE" || len(a.records) >= MaxRecords {
		if r.kind != "PROCTITLE" {
			j.Incomplete++
		}
		if err := j.take(at); err != nil {
			return err
		}
	}
	return j.expire(r)
}

// expire gives out what is too old, or too much.
func (j *Joiner) expire(newest *record) error {
	for at := j.order.Front(); at != nil; at = j.order.Front() {
		a := at.Value.(*act)
		old := newest.time.Sub(a.records[0].time) > joinTime
		if !old && j.order.Len() <= MaxPending && j.bytes <= MaxPendingBytes {
			return nil
		}
		j.Incomplete++
		if err := j.take(at); err != nil {
			return err
		}
	}
	return nil
}

// Flush gives out what still waits.
func (j *Joiner) Flush() error {
	for at := j.order.Front(); at != nil; at = j.order.Front() {
		j.Incomplete++
		if err := j.take(at); err != nil {
			return err
		}
	}
	return nil
}

func (j *Joiner) take(at *list.Element) error {
	a := j.order.Remove(at).(*act)
	delete(j.pending, a.key)
	j.bytes -= a.size
	return j.give(a)
}
