// Package telemetry reads text telemetry of any format that the node knows: it tells the formats apart and
// hands each event to the one that knows its names. Every object of a stream is judged by itself, so that
// mixed streams work; a Windows record costs one comparison.
package telemetry

import (
	"io"

	"shieldwall/internal/decode/eve"
	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/decode/taxonomy"
	"shieldwall/internal/event"
)

// Reader decodes one stream. It is used like a jsonl.Reader, and reports faults as that does.
type Reader struct {
	src    source
	source string
}

// source is a decoder of one stream (jsonl.Reader).
type source interface {
	Next() (*event.Event, error)
	Stats() jsonl.Stats
}

// New makes a reader. It reads nothing yet.
func New(r io.Reader, opts jsonl.Options) *Reader {
	return &Reader{src: jsonl.New(r, opts), source: opts.Source}
}

// Stats tells what was read so far.
func (r *Reader) Stats() jsonl.Stats { return r.src.Stats() }

// Next gives the next event under its Sigma names; its contract is that of jsonl's Next.
func (r *Reader) Next() (*event.Event, error) {
	ev, err := r.src.Next()
	if err == nil {
		Name(ev)
	}
	return ev, err
}

// Name gives an event of a known format its logsource and further names. It leaves alone what is a Windows
// record or has a logsource.
func Name(ev *event.Event) {
	if ev.Channel != "" || ev.Product != "" {
		return
	}
	taxonomy.Whole(ev)
	switch has := taxonomy.MarksOf(ev); {
	case eve.Is(has):
		eve.Name(ev)
	}
}
