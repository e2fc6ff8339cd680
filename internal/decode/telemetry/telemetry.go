// Package telemetry reads text telemetry of any format that the node knows: it tells the formats apart and
// hands each event to the one that knows its names. Every object of a stream is judged by itself, so that
// mixed streams work; a Windows record costs one comparison.
package telemetry

import (
	"bytes"
	"cmp"
	"io"
	"strings"

	"shieldwall/internal/decode/cloudtrail"
	"shieldwall/internal/decode/ecs"
	"shieldwall/internal/decode/eve"
	"shieldwall/internal/decode/eventxml"
	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/decode/ocsf"
	"shieldwall/internal/decode/taxonomy"
	"shieldwall/internal/decode/zeek"
	"shieldwall/internal/event"
)

// Reader decodes one stream. It is used like a jsonl.Reader, and reports faults as that does.
type Reader struct {
	in   io.Reader
	opts jsonl.Options
	src  source // nil before the first call of Next
	hint string // the Zeek log that the source's name speaks of
}

// source is a decoder of one stream (jsonl.Reader, zeek.Reader).
type source interface {
	Next() (*event.Event, error)
	Stats() jsonl.Stats
}

// New makes a reader. It reads nothing yet.
func New(r io.Reader, opts jsonl.Options) *Reader {
	return &Reader{in: r, opts: opts, hint: zeek.Hint(opts.Source)}
}

// MaxHeader is how much of a file's start Resume wants at most.
const MaxHeader = 64 << 10

// Resume makes a reader of a stream that is the rest of a file. head is what that file starts with, up to
// MaxHeader bytes and no further than the stream's start: some formats have a header there.
func Resume(head []byte, r io.Reader, opts jsonl.Options) *Reader {
	rd := New(r, opts)
	if bytes.HasPrefix(head, []byte(zeek.Magic)) {
		rd.src = zeek.Resume(head, r, opts.Source)
	}
	return rd
}

// Header gives what Resume wants as head for what follows in the stream; nil where the format has no header.
func (r *Reader) Header() []byte {
	if z, ok := r.src.(*zeek.Reader); ok {
		return z.Header()
	}
	return nil
}

// Fits tells whether a line could stand under a header.
func Fits(header []byte, line string) bool {
	return bytes.HasPrefix(header, []byte(zeek.Magic)) && zeek.Fits(header, strings.TrimSuffix(line, "\r"))
}

// Stats tells what was read so far.
func (r *Reader) Stats() jsonl.Stats {
	if r.src == nil {
		return jsonl.Stats{}
	}
	return r.src.Stats()
}

// Next gives the next event under its Sigma names; its contract is that of jsonl's Next.
func (r *Reader) Next() (*event.Event, error) {
	if r.src == nil {
		r.src = r.open()
	}
	ev, err := r.src.Next()
	if err == nil {
		Name(ev, r.hint)
		if inside := embedded(ev); inside != nil {
			return inside, nil
		}
		row(ev)
	}
	return ev, err
}

// embedded gives the event that an object of no known format carries as XML: Sysmon for Linux writes its events
// into syslog, and collectors of that put the message into a field, such as SyslogMessage of Log Analytics.
func embedded(ev *event.Event) *event.Event {
	if ev.Channel != "" || ev.Product != "" || ev.Category != "" || ev.Service != "" {
		return nil
	}
	for _, name := range [...]string{"SyslogMessage", "message", "Message", "MESSAGE", "_raw"} {
		text := strings.TrimSpace(taxonomy.Text(ev, name))
		if !strings.HasPrefix(text, "<Event>") && !strings.HasPrefix(text, "<Event ") {
			continue
		}
		inside, err := eventxml.Parse([]byte(text))
		if err != nil {
			return nil // it stays what it is: an object with a text
		}
		inside.Source, inside.Record = ev.Source, ev.Record
		if inside.Computer == "" {
			inside.Computer = ev.Computer
		}
		if inside.Time.IsZero() {
			inside.Time = ev.Time
		}
		return inside
	}
	return nil
}

// row places a message of syslog that a collector took apart: a row of Log Analytics' table Syslog.
func row(ev *event.Event) {
	if ev.Channel != "" || ev.Product != "" || ev.Category != "" || ev.Service != "" {
		return
	}
	text, program := taxonomy.Text(ev, "SyslogMessage"), taxonomy.Text(ev, "ProcessName")
	facility := taxonomy.Text(ev, "Facility")
	if text == "" || facility == "" {
		return
	}
	services := taxonomy.LinuxServices(program, facility)
	ev.Product, ev.Service, ev.Also = "linux", services[0], services[1:]
	put := func(name, value string) {
		if value != "" {
			taxonomy.Put(ev, name, event.Str(value))
		}
	}
	put("message", text)
	put("program", program)
	put("pid", taxonomy.Text(ev, "ProcessID"))
	put("facility", facility)
	put("severity", taxonomy.Text(ev, "SeverityLevel"))
	taxonomy.Computer(ev, cmp.Or(taxonomy.Text(ev, "Computer"), taxonomy.Text(ev, "HostName")))
	switch ev.Service {
	case "sudo":
		taxonomy.Sudo(text, put)
	case "sshd":
		taxonomy.SSHD(text, put)
	}
}

// maxHead is how much of a stream is looked at to tell how it is framed.
const maxHead = 256

// open finds out what the stream is: Zeek's TSV, objects in a wrapping, or objects.
func (r *Reader) open() source {
	head := make([]byte, 0, maxHead)
	var err error
	found := undecided
	// Read by read, and no more than the answer needs: the sender may wait for one to the first line.
	for tries := 0; found == undecided && err == nil && len(head) < maxHead && tries < maxHead; tries++ {
		var n int
		n, err = r.in.Read(head[len(head):maxHead])
		head = head[:len(head)+n]
		found = framingOf(head)
	}
	rest := r.in
	if err != nil {
		rest = failing{err}
	}
	in := io.MultiReader(bytes.NewReader(head), rest)
	switch found {
	case tsv:
		return zeek.New(in, r.opts.Source)
	case wrapped:
		return jsonl.New(cloudtrail.Unwrap(in), r.opts)
	case answer:
		return jsonl.New(unwrapAnswer(in), r.opts)
	}
	return jsonl.New(in, r.opts)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// framing is how records stand in a stream.
type framing uint8

const (
	undecided framing = iota
	objects
	tsv
	wrapped
	answer // of a search in Elasticsearch or OpenSearch
)

// framingOf tells the framing by the start of a stream, or that more of it is needed.
func framingOf(head []byte) framing {
	switch {
	case bytes.HasPrefix(head, []byte(zeek.Magic)):
		return tsv
	case bytes.HasPrefix([]byte(zeek.Magic), head):
		return undecided
	}
	begun, found := answers(head)
	start, whole := cloudtrail.Opening(bytes.TrimLeft(head, " \t\r\n"))
	switch {
	case found:
		return answer
	case whole:
		return wrapped
	case start || begun:
		return undecided
	}
	return objects
}

// Name gives an event of a known format its logsource and further names. It leaves alone what is a Windows
// record or has a logsource. hint is the Zeek log that the event's source is named after, if any (zeek.Hint).
func Name(ev *event.Event, hint string) {
	if ev.Channel != "" || ev.Product != "" {
		if ev.Product == "" {
			eventxml.Place(ev) // Winlogbeat's shape has Sysmon for Linux, too
		}
		return
	}
	taxonomy.Whole(ev)
	switch has := taxonomy.MarksOf(ev); {
	case eve.Is(has):
		eve.Name(ev)
	case cloudtrail.Is(has):
		cloudtrail.Name(ev)
	case ocsf.Is(has):
		ocsf.Name(ev)
	case ecs.Is(has):
		ecs.Name(ev)
	case zeek.Is(has, hint):
		zeek.Name(ev, hint)
	}
}
