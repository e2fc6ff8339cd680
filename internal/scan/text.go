package scan

import (
	"fmt"

	"shieldwall/internal/decode/auditd"
	"shieldwall/internal/decode/container"
	"shieldwall/internal/decode/lines"
	"shieldwall/internal/event"
)

// The formats of lines and of XML. Each decoder reports what it leaves out and goes on.

func (s *scanner) audit(item *container.Item) error {
	bad := badLines{s: s, source: item.Source}
	in := auditd.New(item.Reader(), auditd.Options{Source: item.Source, OnProblem: bad.report})
	err := in.Read(func(ev *event.Event) error { return s.event(ev, in.Stats().Bytes) })
	s.stats.Bytes = s.before + in.Stats().Bytes
	bad.end()
	return err
}

// maxBadLines bounds what is told of one file: it may be text that only starts like a log. All are counted.
const maxBadLines = 100

// badLines reports the lines of one file that were left out.
type badLines struct {
	s      *scanner
	source string
	n      int
}

func (b *badLines) report(err *lines.Error) {
	if b.n++; b.n <= maxBadLines {
		b.s.problem(b.source, err)
	}
}

// end tells of those that were too many to be named.
func (b *badLines) end() {
	if more := b.n - maxBadLines; more > 0 {
		b.s.problem(b.source, fmt.Errorf("%d more lines could not be read", more))
		b.s.stats.Errors += int64(more - 1)
	}
}
