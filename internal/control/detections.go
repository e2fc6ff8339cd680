package control

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"shieldwall/internal/status"
)

// frame is one line of a stream of detections. The last one says that it ended, or why it broke off:
// a stream that ends without it was cut.
type frame struct {
	Detection *status.Detection `json:"detection,omitempty"`
	Error     *wireError        `json:"error,omitempty"`
	End       bool              `json:"end,omitempty"`
}

const (
	// maxFrame is the longest line a client reads of a stream.
	maxFrame = 16 << 20
	// overlap is how many of the last kept detections are remembered, so that one which is kept and
	// announced at the same moment is not shown twice.
	overlap = 4096
)

// errCut ends a stream whose reader went away.
var errCut = errors.New("the reader went away")

func streamDetections(w http.ResponseWriter, r *http.Request, b Backend) {
	q, err := parseQuery(r)
	if err != nil {
		fail(w, err)
		return
	}
	ctx := r.Context()
	var live <-chan status.Detection
	if q.Follow {
		live = b.Follow(ctx) // before the kept ones are read: none may fall between
	}
	w.Header().Set("Content-Type", "application/jsonl")
	s := &stream{w: w, flush: http.NewResponseController(w).Flush}
	if q.Follow {
		s.flush() // headers first: a follower may wait long for its first line
		s.recent = map[[sha256.Size]byte]bool{}
	}
	if q.Past {
		err = b.DetectionsSince(ctx, q.Since, s.past)
	}
	if err == nil && q.Follow {
		err = s.followLive(ctx, live)
	}
	switch {
	case errors.Is(err, errCut):
	case err != nil:
		s.send(frame{Error: toWire(err)})
	default:
		s.send(frame{End: true})
	}
}

func parseQuery(r *http.Request) (DetectionQuery, error) {
	q := DetectionQuery{Past: r.FormValue("past") == "true", Follow: r.FormValue("follow") == "true"}
	if since := r.FormValue("since"); since != "" {
		t, err := time.Parse(time.RFC3339Nano, since)
		if err != nil {
			return q, Errorf(Usage, "since: %w", err)
		}
		q.Since = t
	}
	return q, nil
}

// stream writes frames.
type stream struct {
	w     io.Writer
	flush func() error
	// recent holds hashes of the last kept lines, order their age; nil where nothing is followed.
	recent map[[sha256.Size]byte]bool
	order  [][sha256.Size]byte
}

func (s *stream) send(f frame) ([]byte, error) {
	line, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encoding a detection: %w", err)
	}
	line = append(line, '\n')
	if _, err := s.w.Write(line); err != nil {
		return nil, errCut
	}
	return line, nil
}

// past sends a kept detection.
func (s *stream) past(d status.Detection) error {
	line, err := s.send(frame{Detection: &d})
	if err != nil || s.recent == nil {
		return err
	}
	if len(s.order) == overlap {
		delete(s.recent, s.order[0])
		s.order = s.order[1:]
	}
	sum := sha256.Sum256(line)
	s.recent[sum] = true
	s.order = append(s.order, sum)
	return nil
}

// followLive sends detections as they happen, until the reader goes or the node stops.
func (s *stream) followLive(ctx context.Context, live <-chan status.Detection) error {
	s.flush()
	for {
		select {
		case <-ctx.Done():
			return nil
		case d, ok := <-live:
			if !ok {
				return nil
			}
			if s.shown(d) {
				continue
			}
			if _, err := s.send(frame{Detection: &d}); err != nil {
				return err
			}
			if len(live) == 0 {
				s.flush()
			}
		}
	}
}

func (s *stream) shown(d status.Detection) bool {
	if len(s.recent) == 0 {
		return false
	}
	line, err := json.Marshal(frame{Detection: &d})
	if err != nil {
		return false
	}
	sum := sha256.Sum256(append(line, '\n'))
	seen := s.recent[sum]
	delete(s.recent, sum)
	return seen
}

// readFrames hands a stream's detections over, one at a time.
func readFrames(r io.Reader, yield func(status.Detection) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxFrame)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var f frame
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return fmt.Errorf("reading the node's stream: %w", err)
		}
		switch {
		case f.Error != nil:
			return f.Error.err()
		case f.End:
			return nil
		case f.Detection != nil:
			if err := yield(*f.Detection); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the node's stream: %w", err)
	}
	return Errorf(Unavailable, "the node's stream ended in the middle; the node went away")
}
