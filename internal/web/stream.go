package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"shieldwall/internal/status"
)

const (
	maxStreams   = 32                     // open at once; a browser keeps at most six, and closes those of hidden tabs
	rowsEvery    = 250 * time.Millisecond // new detections, together
	panelsEvery  = time.Second            // everything else, where it changed
	maxRowBatch  = 50                     // detections in one update; further ones are counted
	writeTimeout = 10 * time.Second       // a browser that reads slower than this is cut off and comes back
)

// serveEvents keeps one open page current. It sends two kinds of server-sent events: "panel", a panel
// rendered anew because it changed, and "rows", new detections, newest first. The first panels are a whole
// picture, so that a reconnect needs nothing else.
func (p *Page) serveEvents(w http.ResponseWriter, r *http.Request) {
	select {
	case p.streams <- struct{}{}:
		defer func() { <-p.streams }()
	default:
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	v := viewNamed(r.URL.Query().Get("view"))
	s := &stream{
		page: p, frame: p.frame(r, v), out: w, control: http.NewResponseController(w),
		sent: make(map[string][]byte), session: sessionID(r.Context()),
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if err := s.run(r.Context()); err != nil && !errors.Is(err, context.Canceled) {
		p.opts.Log.Debug("a page's stream ended", "error", err)
	}
}

// stream is one open page. One goroutine, the request's, owns it.
type stream struct {
	page    *Page
	frame   *frame
	session string
	out     io.Writer
	control *http.ResponseController

	sent    map[string][]byte  // each panel as the browser has it
	pending []status.Detection // oldest first, at most maxRowBatch
	skipped int                // detections that did not fit into pending
	listed  bool               // the browser has detections: from now on only new rows
}

func (s *stream) run(ctx context.Context) error {
	follow, cancel := context.WithCancel(ctx)
	defer cancel()
	var feed <-chan status.Detection
	if s.frame.View.has("detections") {
		feed = s.page.reader.src.Follow(follow) // first, so that nothing falls between it and the list
	}
	s.frame.read(ctx, s.page.reader)
	s.listed = len(s.frame.detections) > 0
	if err := s.sendFirst(); err != nil {
		return err
	}
	rows, panels := time.NewTicker(rowsEvery), time.NewTicker(panelsEvery)
	defer rows.Stop()
	defer panels.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case d, ok := <-feed:
			if !ok {
				feed = nil // the node stops following; the page still shows the rest
				continue
			}
			s.add(d)
		case <-rows.C:
			err = s.sendRows()
		case <-panels.C:
			if !s.page.access.touch(s.session) {
				return nil // the browser asks again and learns why
			}
			s.frame.readPanels(ctx, s.page.reader)
			err = s.sendPanels()
		}
		if err != nil {
			return err
		}
	}
}

// add queues a detection that the filter lets through.
func (s *stream) add(d status.Detection) {
	if !detectionMatches(s.frame.terms(), &d) {
		return
	}
	if len(s.pending) == maxRowBatch {
		s.pending = slices.Delete(s.pending, 0, 1)
		s.skipped++
	}
	s.pending = append(s.pending, d)
}

// sendFirst tells the browser how soon to come back and gives it the whole picture.
func (s *stream) sendFirst() error {
	if err := s.write([]byte("retry: 2000\n\n")); err != nil {
		return err
	}
	return s.sendPanels()
}

// sendPanels sends what changed.
func (s *stream) sendPanels() error {
	for _, name := range append([]string{"clock", "notices"}, s.frame.View.panels...) {
		if name == "detections" && s.listed && s.sent[name] != nil {
			continue
		}
		b, err := execute(name, s.frame)
		if err != nil {
			return err
		}
		if bytes.Equal(b, s.sent[name]) {
			continue
		}
		if err := s.event("panel", b); err != nil {
			return err
		}
		s.sent[name] = b
	}
	return nil
}

// sendRows sends the detections that came since the last time.
func (s *stream) sendRows() error {
	if len(s.pending) == 0 {
		return nil
	}
	slices.Reverse(s.pending)
	batch := struct {
		Rows    []detectionRow
		Skipped string
	}{}
	for i := range s.pending {
		batch.Rows = append(batch.Rows, s.frame.detectionRow(&s.pending[i]))
	}
	if s.skipped > 0 {
		batch.Skipped = count(s.skipped)
	}
	s.pending, s.skipped, s.listed = s.pending[:0], 0, true
	b, err := execute("rows", batch)
	if err != nil {
		return err
	}
	return s.event("rows", b)
}

// event writes one server-sent event; every line of its data needs its own prefix.
func (s *stream) event(name string, data []byte) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\n", name)
	for line := range bytes.Lines(data) {
		b.WriteString("data: ")
		b.Write(bytes.TrimRight(line, "\r\n"))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return s.write(b.Bytes())
}

func (s *stream) write(b []byte) error {
	// A writer without deadlines is a test's or a proxy's; the server's own timeouts hold there.
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("setting the write deadline: %w", err)
	}
	if _, err := s.out.Write(b); err != nil {
		return fmt.Errorf("writing to the browser: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("writing to the browser: %w", err)
	}
	return nil
}
