package peer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
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
	from, err := strconv.ParseUint(r.URL.Query().Get("from"), 10, 63)
	if err != nil {
		refuse(w, http.StatusBadRequest, "from must be the index of the first entry that is wanted")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)

	var pulling sync.WaitGroup
	defer pulling.Wait()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	batches, failed := make(chan Batch), make(chan error, 1)
	pulling.Go(func() { failed <- s.pull(ctx, logOf(r), from, batches) })

	out := &eventWriter{w: w, rc: http.NewResponseController(w)}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for told := map[string]uint64(nil); ; {
		news, changed := s.backend.News()
		// Asked after the channel was taken: a removal before that would close no channel that is looked at.
		if _, gone := s.identify(r); gone != nil {
			s.remark("stream closed", "member", member, "reason", gone.Error())
			out.refused(gone.Error())
			return
		}
		held := news.Cards
		news.Cards, told = cardsSince(told, held), held
		if out.json(eventNews, news) != nil {
			return
		}
		var rested <-chan time.Time
		for same := true; same; {
			var err error
			select {
			case <-ctx.Done():
				return
			case <-changed:
				if _, gone := s.identify(r); gone != nil {
					same = false // it is told why at once
				}
				changed, rested = nil, time.After(newsRest)
			case <-rested:
				same = false
			case err := <-failed:
				if ctx.Err() == nil {
					s.remark("stream closed", "member", member, "error", err)
					out.refused(streamEnd(err))
				}
				return
			case b := <-batches:
				err = out.batch(b)
			case <-ping.C:
				err = out.ping()
			}
			if err != nil {
				return
			}
		}
	}
}

// newsRest lets changes gather: while an alliance grows, each of its members tells each other one of every card.
const newsRest = 100 * time.Millisecond

// cardsSince are the sequences that differ from those told before; all of them where none were.
func cardsSince(told, held map[string]uint64) map[string]uint64 {
	if told == nil {
		return held
	}
	out := map[string]uint64{}
	for member, sequence := range held {
		if told[member] != sequence {
			out[member] = sequence
		}
	}
	for member := range told {
		if _, still := held[member]; !still {
			out[member] = 0
		}
	}
	return out
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
		if len(b.Entries) == 0 {
			return fmt.Errorf("log %s: no entry from %d on", log, from)
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

// refused says why the stream ends. That it cannot be said changes nothing: the stream ends.
func (e *eventWriter) refused(why string) {
	_ = e.json(eventRefused, map[string]string{"error": why})
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
