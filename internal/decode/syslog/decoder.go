package syslog

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"shieldwall/internal/decode/auditd"
	"shieldwall/internal/decode/eventxml"
	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/decode/lines"
	"shieldwall/internal/decode/telemetry"
	"shieldwall/internal/event"
)

// Decoder decodes one line after the other, for those who cut a log into lines themselves. An event that its taker
// refuses waits as an auditd.Joiner's does.
type Decoder struct {
	source string
	yield  func(*event.Event) error
	now    time.Time
	audit  *auditd.Joiner

	waiting *event.Event // that of one line, refused
	at      lines.Place  // of its line

	again int64          // lines that start before this were read before
	open  map[int64]bool // of them, those of which the event was not given out
}

// NewDecoder makes a decoder; its events may be used until yield returns.
func NewDecoder(source string, yield func(*event.Event) error) *Decoder {
	return &Decoder{source: source, yield: yield, audit: auditd.NewJoiner(source, yield)}
}

// At tells a time that no message is much later than: RFC 3164 writes no year. It is the clock on the wall, too,
// by which Expire goes.
func (d *Decoder) At(now time.Time) {
	d.now = now
	d.audit.At(now)
}

// Succeed takes over what the decoder of the log before this one has learnt of processes.
func (d *Decoder) Succeed(before *Decoder) { d.audit.Succeed(before.audit) }

// Resume goes on where another decoder was: its contract is that of auditd's Resume.
func (d *Decoder) Resume(offset int64, open []lines.Open) {
	d.audit.Resume(offset, open)
	d.again, d.open = offset, make(map[int64]bool, len(open))
	for _, o := range open {
		d.open[o.Offset] = true
	}
}

// Open lists what was added and not given out whole, in order.
func (d *Decoder) Open() []lines.Open {
	out := d.audit.Open()
	if d.waiting != nil {
		out = append(out, lines.Open{Place: d.at}) // the newest line
	}
	return out
}

// Expire gives out the acts of the audit log that have waited for their time. The error is yield's.
func (d *Decoder) Expire(now time.Time) error {
	if err := d.Deliver(); err != nil {
		return err
	}
	return d.audit.Expire(now)
}

// Flush gives out what still waits. The error is yield's.
func (d *Decoder) Flush() error {
	if err := d.Deliver(); err != nil {
		return err
	}
	return d.audit.Flush()
}

// Deliver gives out what was refused. The error is yield's.
func (d *Decoder) Deliver() error {
	if err := d.audit.Deliver(); err != nil || d.waiting == nil {
		return err
	}
	if err := d.yield(d.waiting); err != nil {
		return err
	}
	d.waiting = nil
	return nil
}

// Add decodes a line. An error is a *lines.Error, which costs the line, or yield's.
func (d *Decoder) Add(at lines.Place, line string) error {
	if line == "" || strings.HasPrefix(line, "-- ") && strings.HasSuffix(line, " --") {
		return nil // what journalctl says of the log: "-- Boot ... --"
	}
	given := at.Offset < d.again && !d.open[at.Offset]
	m, err := parse(line, d.now)
	if err == nil {
		text := m.payload()
		if strings.Contains(text, "audit(") && auditd.Is(text) {
			return d.audit.Add(at, m.host, text)
		}
		if given {
			return nil
		}
		if d.waiting, err = d.event(at, m, text); err == nil {
			d.at = at
			return d.Deliver()
		}
	}
	if given {
		return nil // it was told then
	}
	return &lines.Error{Line: at.Line, Err: err}
}

// payload is the message without what stands before the text of the program that wrote it.
func (m *message) payload() string {
	text := strings.TrimLeft(m.text, " ")
	if m.program == "kernel" && strings.HasPrefix(text, "[") { // [seconds since the start]
		_, text, _ = strings.Cut(text, "] ")
	}
	return text
}

// event makes the event of a message: of what it carries, or its own.
func (d *Decoder) event(at lines.Place, m message, text string) (*event.Event, error) {
	switch {
	case strings.HasPrefix(text, "<Event>") || strings.HasPrefix(text, "<Event "):
		ev, err := eventxml.Parse([]byte(strings.TrimSpace(text)))
		if err != nil {
			return nil, err
		}
		return d.placed(at, ev, m), nil
	case strings.HasPrefix(text, "{") || strings.HasPrefix(text, "@cee:"):
		if ev := object(strings.TrimPrefix(text, "@cee:")); ev != nil {
			if ev.Channel == "" && ev.Product == "" && ev.Category == "" && ev.Service == "" {
				m.source(ev)
			}
			return d.placed(at, ev, m), nil
		}
	}
	return d.placed(at, m.event(), m), nil
}

// object reads a message that is one JSON object and nothing else; otherwise it is text.
func object(text string) *event.Event {
	in := jsonl.New(bytes.NewReader([]byte(text)), jsonl.Options{MaxValueBytes: lines.MaxLine})
	ev, err := in.Next()
	if err != nil {
		return nil
	}
	if strings.TrimRight(text[in.Stats().Bytes:], " ") != "" {
		return nil
	}
	telemetry.Name(ev, "") // Suricata, for one, can write its records into syslog
	return ev
}

// placed fills in what the event itself does not say.
func (d *Decoder) placed(at lines.Place, ev *event.Event, m message) *event.Event {
	ev.Source, ev.Record = d.source, strconv.FormatInt(at.Line, 10)
	if ev.Computer == "" {
		ev.Computer = m.host
	}
	if ev.Time.IsZero() {
		ev.Time = m.time
	}
	return ev
}
