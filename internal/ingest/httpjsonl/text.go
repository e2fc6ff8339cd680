package httpjsonl

import (
	"bytes"
	"context"
	"errors"
	"io"

	"shieldwall/internal/decode/auditd"
	"shieldwall/internal/decode/container"
	"shieldwall/internal/decode/eventxml"
	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/decode/lines"
	"shieldwall/internal/decode/syslog"
	"shieldwall/internal/decode/telemetry"
	"shieldwall/internal/event"
)

// kindOf tells by its start what a body is, and gives it back whole. It reads no more than the answer needs: the
// sender may wait for one to the first line.
func kindOf(body io.Reader) (container.Kind, io.Reader) {
	head := make([]byte, 0, container.SniffSize)
	var err error
	for tries := 0; err == nil && undecided(head) && tries < cap(head); tries++ {
		var n int
		n, err = body.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
	}
	rest := body
	if err != nil {
		rest = failing{err}
	}
	return container.KindOf(head), io.MultiReader(bytes.NewReader(head), rest)
}

// undecided says whether more of a body could tell another kind. Objects, arrays and Zeek's header show at once, the
// rest at the end of a line.
func undecided(head []byte) bool {
	text := bytes.TrimLeft(head, " \t\r\n")
	return len(head) < cap(head) && (len(text) == 0 || bytes.IndexByte([]byte("{[#"), text[0]) < 0 && bytes.IndexByte(text, '\n') < 0)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// submitAll submits what a body holds. Its error is a *sinkError, or the body's.
func (h *Handler) submitAll(ctx context.Context, body io.Reader, source string, hints hints, out *Answer) error {
	yield := func(ev *event.Event) error {
		hints.mark(ev)
		if err := h.opt.Sink.Submit(ctx, ev); err != nil {
			return &sinkError{err}
		}
		out.Accepted++
		return nil
	}
	bad := func(err *lines.Error) { out.reject(err.Line, err.Err) }
	kind, body := kindOf(body)
	switch kind {
	case container.Audit:
		return auditd.New(body, auditd.Options{Source: source, OnProblem: bad}).Read(yield)
	case container.Syslog:
		return syslog.New(body, syslog.Options{Source: source, Hint: h.opt.Now(), OnProblem: bad}).Read(yield)
	case container.XML:
		var r *eventxml.Reader
		r = eventxml.New(body, eventxml.Options{Source: source, OnProblem: func(err *eventxml.Error) {
			out.reject(r.Stats().Events+r.Stats().Errors, err.Err)
		}})
		return r.Read(yield)
	}
	r := telemetry.New(body, jsonl.Options{Source: source, MaxValueBytes: maxValue, Names: h.names(), Sparse: true, Borrow: true})
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if bad := (*jsonl.ValueError)(nil); errors.As(err, &bad) {
			out.reject(bad.Record, bad.Err)
			continue
		}
		if err != nil {
			return err
		}
		if err := yield(ev); err != nil {
			return err
		}
	}
}

// reject notes a value that could not be read.
func (a *Answer) reject(line int64, err error) {
	a.RejectedTotal++
	if len(a.Rejected) < maxRejected {
		a.Rejected = append(a.Rejected, Rejected{Line: line, Error: err.Error()})
	}
}
