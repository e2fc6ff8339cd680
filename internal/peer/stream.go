package peer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// The events of a stream (text/event-stream, WHATWG HTML section 9.2).
const (
	eventBatch   = "batch"   // base64 of a Batch
	eventNews    = "news"    // JSON News
	eventRefused = "refused" // JSON {"error"}: the stream ends, and why
)

// stream sends what a log gains from index `from` on. It pulls from the store at the reader's pace, so a
// slow reader costs nobody but itself, and ends as soon as the reader is no member any more.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, member string) {
	from, err := strconv.ParseUint(r.URL.Query().Get("from"), 10, 64)
	if err != nil {
		refuse(w, http.StatusBadRequest, "from must be the index of the first entry that is wanted")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)

	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	out := &eventWriter{w: w, rc: http.NewResponseController(w)}
	batches := make(chan Batch)
	failed := make(chan error, 1)
	go func() { failed <- s.pull(ctx, logOf(r), from, batches) }()

	news, changed := s.backend.News()
	if out.json(eventNews, news) != nil {
		return
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case err := <-failed:
			if ctx.Err() == nil {
				out.json(eventRefused, map[string]string{"error": streamEnd(err)})
			}
			return
		case b := <-batches:
			err = out.batch(b)
		case <-changed:
			if _, gone := s.identify(r); gone != nil {
				s.log.Warn("stream closed", "member", member, "reason", gone.Error())
				out.json(eventRefused, map[string]string{"error": gone.Error()})
				return
			}
			news, changed = s.backend.News()
			err = out.json(eventNews, news)
		case <-ping.C:
			err = out.ping()
		}
		if err != nil {
			return
		}
	}
}

// streamEnd is what a reader is told when its stream cannot go on.
func streamEnd(err error) string {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return "this node cannot read that log now"
}

// pull reads the log from `from` on and hands over batch after batch.
func (s *Server) pull(ctx context.Context, log string, from uint64, out chan<- Batch) error {
	for {
		b, err := s.backend.Next(ctx, log, from, MaxBatch)
		if err != nil {
			return err
		}
		select {
		case out <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
		from = b.First + uint64(len(b.Entries))
	}
}

// eventWriter writes server-sent events, each flushed and under a deadline of its own.
type eventWriter struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	buf []byte
}

func (e *eventWriter) batch(b Batch) error {
	raw, err := appendBatch(nil, b)
	if err != nil {
		return err
	}
	e.buf = fmt.Appendf(e.buf[:0], "event: %s\ndata: ", eventBatch)
	e.buf = base64.StdEncoding.AppendEncode(e.buf, raw)
	e.buf = append(e.buf, "\n\n"...)
	return e.send()
}

func (e *eventWriter) json(event string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	e.buf = fmt.Appendf(e.buf[:0], "event: %s\ndata: %s\n\n", event, data)
	return e.send()
}

func (e *eventWriter) ping() error {
	e.buf = append(e.buf[:0], ": alive\n\n"...)
	return e.send()
}

func (e *eventWriter) send() error {
	if err := e.rc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := e.w.Write(e.buf); err != nil {
		return err
	}
	return e.rc.Flush()
}
