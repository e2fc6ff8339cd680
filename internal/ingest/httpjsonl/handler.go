// Package httpjsonl takes telemetry over HTTP: POST /ingest/jsonl with a body of JSON values, one a line
// or not, plain, gzip or zstd. A body that starts as Zeek's TSV, auditd's log, syslog or events as XML is that: its
// values are lines (of XML, events), and the records of an act that auditd writes are joined within one body.
//
//	Authorization: Bearer TOKEN
//	Content-Encoding: gzip | zstd         (optional)
//	?product=linux&category=process_creation&service=...   the Sigma logsource of records that do not say
//	                                      theirs (optional; Windows records do)
//
// The answer says what happened to every value:
//
//	200 {"accepted":N}                                 all were matched, and what was detected is durable
//	400 {"accepted":N,"rejected":[{"line":..,"error":..}],"error":..}
//	                                                   some could not be read: do not send the accepted again
//	413 {"accepted":N,...}                             the body is over the limit: send the rest in parts; all of it
//	                                                   where it is not JSON
//	429, 503 with Retry-After                          send the whole body again later
//	401                                                no valid token
//
// A sender that repeats a body after 429 or 503 may cause a detection to be seen twice, never to be missed.
package httpjsonl

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"shieldwall/internal/event"
)

// Path is where the handler belongs.
const Path = "/ingest/jsonl"

// Default limits.
const (
	// DefaultMaxBody bounds a body as it is sent, in bytes.
	DefaultMaxBody = 32 << 20
	// DefaultMaxContent bounds a body once it is decompressed, in bytes.
	DefaultMaxContent = 256 << 20
	// DefaultMaxRequests bounds the requests read at once.
	DefaultMaxRequests = 16
	// maxValue bounds one value, in bytes.
	maxValue = 4 << 20
	// maxRejected bounds the values that an answer names; all are counted.
	maxRejected = 1000
	// maxHint bounds a query parameter, in bytes.
	maxHint = 128
	// retryAfter is what a sender is told to wait, in seconds.
	retryAfter = "1"
	// maxToken bounds a token, in bytes.
	maxToken = 1 << 10
)

// Sink takes events; *detect.Detector is one.
type Sink interface {
	// Submit returns once the event is matched. The event is not kept.
	Submit(ctx context.Context, ev *event.Event) error
	// Sync returns once everything submitted before is durable.
	Sync(ctx context.Context) error
}

// TokenChecker knows the tokens by their hashes alone.
type TokenChecker interface {
	// Check says whether a token with this SHA-256 may send telemetry now, and its name. An error says that
	// this cannot be known at the moment.
	Check(ctx context.Context, hash [sha256.Size]byte) (name string, ok bool, err error)
}

// Options are what a handler works with. Limits that are 0 have their default.
type Options struct {
	Sink   Sink
	Tokens TokenChecker
	Log    *slog.Logger
	// Busy says whether an error of the sink is back-pressure: 429 instead of 503.
	Busy func(error) bool
	// Now gives dates without a year theirs; nil: time.Now.
	Now func() time.Time
	// Names are the fields that the sink looks at (jsonl.Options.Sparse); nil: all.
	Names func() *event.Names

	MaxBody, MaxContent int64
	MaxRequests         int
}

// Handler answers POST Path. The server's timeouts bound how slowly a body may come.
type Handler struct {
	opt   Options
	slots chan struct{}
}

func (h *Handler) names() *event.Names {
	if h.opt.Names == nil {
		return nil
	}
	return h.opt.Names()
}

// New makes a handler.
func New(opt Options) *Handler {
	if opt.MaxBody <= 0 {
		opt.MaxBody = DefaultMaxBody
	}
	if opt.MaxContent <= 0 {
		opt.MaxContent = DefaultMaxContent
	}
	if opt.MaxRequests <= 0 {
		opt.MaxRequests = DefaultMaxRequests
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Handler{opt: opt, slots: make(chan struct{}, opt.MaxRequests)}
}

// Rejected is a value that could not be read.
type Rejected struct {
	Line  int64  `json:"line"`
	Error string `json:"error"`
}

// Answer is the body of every answer.
type Answer struct {
	// Accepted values were matched; where the status asks to send again, they may be matched twice.
	Accepted int64 `json:"accepted"`
	// Rejected values could not be read; the first maxRejected of RejectedTotal.
	Rejected      []Rejected `json:"rejected,omitempty"`
	RejectedTotal int64      `json:"rejected_total,omitempty"`
	// Error says why the body as a whole was not taken.
	Error string `json:"error,omitempty"`
}

// ServeHTTP takes one body.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, Answer{Error: "only POST is answered here"})
		return
	}
	name, status, err := h.authorise(r)
	if err != nil {
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="shieldwall"`)
		} else {
			w.Header().Set("Retry-After", retryAfter)
		}
		answer(w, status, Answer{Error: err.Error()})
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		w.Header().Set("Retry-After", retryAfter)
		answer(w, http.StatusTooManyRequests, Answer{Error: "too many requests at once"})
		return
	}
	hints, err := readHints(r)
	if err != nil {
		answer(w, http.StatusBadRequest, Answer{Error: err.Error()})
		return
	}
	body, err := h.body(w, r)
	if err != nil {
		answer(w, http.StatusUnsupportedMediaType, Answer{Error: err.Error()})
		return
	}
	defer body.Close()
	status, out := h.take(r.Context(), body, "ingest:"+name, hints)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	answer(w, status, out)
}

// authorise finds out whose token this is.
func (h *Handler) authorise(r *http.Request) (name string, status int, err error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken {
		return "", http.StatusUnauthorized, errors.New("want the header Authorization: Bearer TOKEN")
	}
	name, ok, err := h.opt.Tokens.Check(r.Context(), sha256.Sum256([]byte(token)))
	if err != nil {
		h.opt.Log.Error("checking a token", "err", err)
		return "", http.StatusServiceUnavailable, errors.New("the token cannot be checked now")
	}
	if !ok {
		return "", http.StatusUnauthorized, errors.New("the token is unknown, has expired or is not for telemetry")
	}
	return name, 0, nil
}

// hints are the Sigma logsource of records that do not say theirs.
type hints struct{ product, category, service string }

func readHints(r *http.Request) (hints, error) {
	var out hints
	query := r.URL.Query()
	for name, dst := range map[string]*string{"product": &out.product, "category": &out.category, "service": &out.service} {
		if *dst = query.Get(name); len(*dst) > maxHint {
			return out, fmt.Errorf("parameter %s is longer than %d bytes", name, maxHint)
		}
		query.Del(name)
	}
	if len(query) > 0 {
		return out, errors.New("parameters other than product, category and service are not known")
	}
	return out, nil
}

// mark gives an event the hints unless it has a logsource of its own: Windows records are known by their
// channel.
func (h hints) mark(ev *event.Event) {
	if ev.Channel == "" && ev.Product == "" && ev.Category == "" && ev.Service == "" {
		ev.Product, ev.Category, ev.Service = h.product, h.category, h.service
	}
}

// take reads the values of a body and submits them.
func (h *Handler) take(ctx context.Context, body io.Reader, source string, hints hints) (int, Answer) {
	var out Answer
	fault := h.submitAll(ctx, body, source, hints, &out)
	// Even after a fault: what was accepted is said to be, so it has to be durable.
	if err := h.opt.Sink.Sync(ctx); err != nil {
		fault = &sinkError{err}
	}
	var refused *sinkError
	var large *http.MaxBytesError
	switch {
	case fault == nil && out.RejectedTotal == 0:
		return http.StatusOK, out
	case fault == nil:
		return http.StatusBadRequest, out
	case errors.As(fault, &refused):
		if h.opt.Busy != nil && h.opt.Busy(refused.err) {
			out.Error = "too much telemetry at once"
			return http.StatusTooManyRequests, out
		}
		h.opt.Log.Error("taking telemetry", "source", source, "err", refused.err)
		out.Error = "the node cannot take telemetry now"
		return http.StatusServiceUnavailable, out
	case errors.As(fault, &large), errors.Is(fault, errContent):
		out.Error = fmt.Sprintf("body too large: at most %d bytes, %d decompressed", h.opt.MaxBody, h.opt.MaxContent)
		return http.StatusRequestEntityTooLarge, out
	}
	out.Error = fmt.Sprintf("reading the body: %v", fault)
	return http.StatusBadRequest, out
}

// sinkError is a refusal by the sink, as against a fault of the body.
type sinkError struct{ err error }

func (e *sinkError) Error() string { return e.err.Error() }

// answer writes an answer. An error of writing means that the sender is gone.
func answer(w http.ResponseWriter, status int, a Answer) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a)
}
