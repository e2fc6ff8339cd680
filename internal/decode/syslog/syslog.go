// Package syslog reads messages of RFC 3164 and RFC 5424, one a line, with or without priority: as syslogd,
// rsyslog and journalctl write them to files. (The octet counting of RFC 6587 is a stream's, not a file's.)
//
// A message is an event with the fields message, program, pid, facility, severity, msgid, Computer and its
// structured data as id.name; of sudo also TTY, PWD, USER and COMMAND, of sshd SourceIp, SourcePort and User. Its
// services are in taxonomy. A message that carries an audit record, an event of Sysmon for Linux or a JSON
// object is what it carries.
package syslog

import (
	"errors"
	"io"
	"strings"
	"time"

	"shieldwall/internal/decode/lines"
	"shieldwall/internal/decode/taxonomy"
	"shieldwall/internal/event"
)

// Stats counts what was read.
type Stats struct {
	Bytes          int64 // of input that were consumed
	Events, Errors int64 // given out; lines left out
}

// Options say how to read.
type Options struct {
	// Source is copied to every event.
	Source string
	// Hint is a time that no message is much later than, such as the file's; RFC 3164 writes no year.
	Hint time.Time
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
	d := NewDecoder(r.opts.Source, func(ev *event.Event) error {
		r.st.Events++
		return yield(ev)
	})
	d.At(r.opts.Hint)
	for {
		line, err := r.in.Next()
		r.st.Bytes = r.in.Bytes()
		if errors.Is(err, io.EOF) {
			return d.Flush()
		}
		if err == nil {
			if err = d.Add(lines.Place{Line: r.in.Line()}, string(line)); err == nil {
				continue
			}
		}
		if bad := (*lines.Error)(nil); errors.As(err, &bad) {
			r.st.Errors++
			if r.opts.OnProblem != nil {
				r.opts.OnProblem(bad)
			}
		} else {
			return err
		}
	}
}

func (m *message) facility() string {
	if m.priority < 0 {
		return ""
	}
	return facilities[m.priority>>3]
}

// source sets the logsource. What starts with a percent sign is Cisco's way to name a message: no Linux.
func (m *message) source(ev *event.Event) {
	if strings.HasPrefix(m.program, "%") {
		ev.Service = "syslog"
		return
	}
	names := taxonomy.LinuxServices(m.program, m.facility())
	ev.Product, ev.Service, ev.Also = "linux", names[0], names[1:]
}

// event makes the event of a plain message.
func (m *message) event() *event.Event {
	ev := &event.Event{}
	m.source(ev)
	put := func(name, value string) {
		if _, taken := ev.Get(name); value != "" && !taken {
			ev.Fields = append(ev.Fields, event.Field{Name: name, Value: event.Str(strings.ToValidUTF8(value, "\ufffd"))})
		}
	}
	put("message", m.text)
	put("Computer", m.host)
	put("program", m.program)
	put("pid", m.pid)
	put("msgid", m.id)
	put("facility", m.facility())
	if m.priority >= 0 {
		put("severity", severities[m.priority&7])
	}
	switch ev.Service {
	case "sudo":
		taxonomy.Sudo(m.text, put)
	case "sshd":
		taxonomy.SSHD(m.text, put)
	}
	for _, p := range m.data {
		put(p.name, p.value)
	}
	return ev
}
