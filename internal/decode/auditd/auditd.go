// Package auditd reads the Linux audit daemon's log: raw records, enriched ones (log_format = ENRICHED: names
// behind a 0x1d) and what `ausearch -i` prints, each also as syslog or the kernel's ring carries them.
//
// The kernel writes one act as several records with one serial number. They are joined: every record becomes
// an event of its own (service auditd), with its own fields under auditd's names, because rules compare those
// record by record (a0 is an argument in EXECVE and a register in SYSCALL; there are many PATHs), and each
// carries what the others know of the process under Sigma's names. Three of them also have a category: see
// event.go. A record that cannot be read costs that record.
package auditd

import (
	"errors"
	"io"
	"time"

	"shieldwall/internal/decode/lines"
	"shieldwall/internal/event"
)

// Limits.
const (
	// MaxPending is how many acts may be incomplete at once; the oldest is given out for the next.
	MaxPending = 1024
	// MaxPendingBytes bounds the text of incomplete acts.
	MaxPendingBytes = 16 << 20
	// MaxRecords is how many records one act may have; further ones stand alone.
	MaxRecords = 256
	// MaxFields is how many fields one record may have.
	MaxFields = 512
	// MaxArgs is how many arguments one program may have.
	MaxArgs = 4096
	// MaxCommandLine cuts a joined command line, in bytes.
	MaxCommandLine = 256 << 10
	// MaxProcesses is how many processes are remembered for their children.
	MaxProcesses = 4096
	// joinTime is how much older than the newest record an act may be, on the records' clock, before it
	// counts as complete: auparse's own default (ausearch(8), end_of_event_timeout).
	joinTime = 2 * time.Second
)

// Errors that a lines.Error may wrap.
var (
	// ErrNotAudit says that a line is no audit record.
	ErrNotAudit = errors.New("not an audit record")
	// ErrTooManyFields says that a record exceeds MaxFields, or a program MaxArgs.
	ErrTooManyFields = errors.New("too many fields")
)

// Stats counts what was read.
type Stats struct {
	// Bytes of input that were consumed.
	Bytes int64
	// Events that were given out, Errors the lines that were left out.
	Events, Errors int64
	// Incomplete acts were given out without an end that says so: neither PROCTITLE nor EOE came.
	Incomplete int64
}

// Options say how to read.
type Options struct {
	// Source is copied to every event.
	Source string
	// OnProblem is told each line that was left out.
	OnProblem func(*lines.Error)
}

// Reader decodes one log.
type Reader struct {
	in   *lines.Reader
	opts Options
	st   Stats
}

// New makes a reader. It reads nothing yet.
func New(r io.Reader, opts Options) *Reader { return &Reader{in: lines.New(r), opts: opts} }

// Stats tells what was read so far.
func (r *Reader) Stats() Stats { return r.st }

// Read yields every event; an event may be used until yield returns. The error is yield's, or says that the
// input cannot be read on.
func (r *Reader) Read(yield func(*event.Event) error) error {
	j := NewJoiner(r.opts.Source, func(ev *event.Event) error {
		r.st.Events++
		return yield(ev)
	})
	for {
		line, err := r.in.Next()
		r.st.Bytes = r.in.Bytes()
		if errors.Is(err, io.EOF) {
			err = j.Flush()
			r.st.Incomplete = j.Incomplete
			return err
		}
		if bad := (*lines.Error)(nil); errors.As(err, &bad) {
			r.problem(bad)
			continue
		}
		if err != nil {
			return err
		}
		if err = j.Add(lines.Place{Line: r.in.Line()}, "", string(line)); err == nil {
			continue
		}
		if bad := (*lines.Error)(nil); errors.As(err, &bad) {
			r.problem(bad)
		} else {
			return err
		}
	}
}

func (r *Reader) problem(err *lines.Error) {
	r.st.Errors++
	if r.opts.OnProblem != nil {
		r.opts.OnProblem(err)
	}
}
