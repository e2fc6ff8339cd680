package scan

import (
	"fmt"
	"time"

	"shieldwall/internal/decode/auditd"
	"shieldwall/internal/decode/container"
	"shieldwall/internal/decode/eventxml"
	"shieldwall/internal/decode/lines"
	"shieldwall/internal/decode/syslog"
	"shieldwall/internal/event"
)

// The formats of lines and of XML. Each decoder reports what it leaves out and goes on.

func (r *reader) audit(item *container.Item) error {
	bad := badLines{r: r, source: item.Source}
	in := auditd.New(item.Reader(), auditd.Options{Source: item.Source, OnProblem: func(err *lines.Error) { bad.report(err) }})
	err := in.Read(func(ev *event.Event) error { return r.event(ev, in.Stats().Bytes) })
	r.stats.Bytes = r.before + in.Stats().Bytes
	bad.end()
	return err
}

// syslog takes the scan's own time for the one that gives dates their year: a recording is not of tomorrow.
func (r *reader) syslog(item *container.Item) error {
	bad := badLines{r: r, source: item.Source}
	in := syslog.New(item.Reader(), syslog.Options{
		Source: item.Source, Hint: r.now(),
		OnProblem: func(err *lines.Error) { bad.report(err) },
	})
	err := in.Read(func(ev *event.Event) error { return r.event(ev, in.Stats().Bytes) })
	r.stats.Bytes = r.before + in.Stats().Bytes
	bad.end()
	return err
}

func (r *reader) xml(item *container.Item) error {
	bad := badLines{r: r, source: item.Source}
	in := eventxml.New(item.Reader(), eventxml.Options{
		Source:    item.Source,
		OnProblem: func(err *eventxml.Error) { bad.report(err) },
	})
	err := in.Read(func(ev *event.Event) error { return r.event(ev, in.Stats().Bytes) })
	r.stats.Bytes = r.before + in.Stats().Bytes
	bad.end()
	return err
}

// now is the clock's time; Events has no clock, and no rule that would look at the time.
func (r *reader) now() time.Time {
	if r.opt.Now == nil {
		return time.Now()
	}
	return r.opt.Now()
}

// maxBadLines bounds what is told of one file: it may be text that only starts like a log. All are counted.
const maxBadLines = 100

// badLines reports the lines or events of one file that were left out.
type badLines struct {
	r      *reader
	source string
	n      int
}

func (b *badLines) report(err error) {
	if b.n++; b.n <= maxBadLines {
		b.r.problem(b.source, err)
	}
}

// end tells of those that were too many to be named.
func (b *badLines) end() {
	if more := b.n - maxBadLines; more > 0 {
		b.r.problem(b.source, fmt.Errorf("%d more lines or events could not be read", more))
		b.r.stats.Errors += int64(more - 1)
	}
}
