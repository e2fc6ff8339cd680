package peer

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Backend is the node behind the protocol. Every method may be called concurrently.
type Backend interface {
	// Identify names the member that holds a TLS key by its pin, or says why nobody does
	// (a stranger, a removed member, one that is denied).
	Identify(pin string) (member string, err error)
	// Resource is a file of a log by its C2SP path below the log's prefix; the error wraps
	// fs.ErrNotExist where there is none.
	Resource(ctx context.Context, log, path string) (body []byte, contentType string, err error)
	// Next waits until the log has entries from index from on and returns them, at most maxBytes
	// (but one), with the newest signed checkpoint.
	Next(ctx context.Context, log string, from uint64, maxBytes int) (Batch, error)
	// News is what this node holds of roster and cards, and a channel closed at the next change.
	News() (News, <-chan struct{})
	// Roster is a roster note by version; Card a member's newest card note.
	Roster(ctx context.Context, version uint64) ([]byte, error)
	Card(ctx context.Context, member string) ([]byte, error)
	// Draft is a draft of the next roster by its SHA-256 in hex.
	Draft(ctx context.Context, hash string) ([]byte, error)
	// AdmitCard takes a card that somebody presents; Join a request for membership.
	AdmitCard(ctx context.Context, note []byte) error
	Join(ctx context.Context, req JoinRequest, exporter []byte) (Joined, error)
	// Applied takes a member's receipt for this node's own log.
	Applied(ctx context.Context, member string, note []byte) error
	// Blob is a blob's ciphertext by its SHA-256.
	Blob(ctx context.Context, hash []byte) ([]byte, error)
}

// Server serves peers on one listener.
type Server struct {
	backend   Backend
	log       *slog.Logger
	strangers *rate.Limiter
	remarks   *rate.Limiter // on refused requests, of which anybody can send any number
	meter     *Meter

	mu   sync.Mutex     // guards busy
	busy map[string]int // requests in work, by member
}

// Unknown keys may ask to join this often, all together: enough for a morning on which a whole alliance
// joins, too little to try secrets or to keep the node busy.
const (
	strangerRate  = 5
	strangerBurst = 100
)

// maxBusy bounds the requests of one member that are in work at a time, streams included: a member that
// asks for blobs and reads none of them must not fill this node's memory.
const maxBusy = 32

// NewServer makes a server; Serve runs it.
func NewServer(backend Backend, meter *Meter, log *slog.Logger) *Server {
	return &Server{
		backend: backend, log: log, meter: meter, busy: map[string]int{},
		strangers: rate.NewLimiter(strangerRate, strangerBurst), remarks: rate.NewLimiter(1, 20),
	}
}

// Serve answers on l until ctx ends; open streams end with it.
func (s *Server) Serve(ctx context.Context, l net.Listener, cert tls.Certificate) error {
	srv := &http.Server{
		Handler:           s.handler(),
		TLSConfig:         ServerTLS(cert),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		HTTP2:             &http.HTTP2Config{SendPingTimeout: healthAfter, MaxConcurrentStreams: 2 * maxBusy},
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- srv.ServeTLS(&meteredListener{l, s.meter}, "", "") }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if srv.Shutdown(stop) != nil {
		srv.Close()
	}
	<-done
	return nil
}

// handler routes. Only /join and /card accept a key that is in no card.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /join", s.stranger(s.join))
	mux.HandleFunc("POST /card", s.stranger(s.postCard))
	mux.HandleFunc("GET /log/{member}/{hash}/stream", s.member(s.stream))
	mux.HandleFunc("GET /log/{member}/{hash}/{path...}", s.member(s.resource))
	mux.HandleFunc("GET /roster/{version}", s.member(s.roster))
	mux.HandleFunc("GET /card/{member}", s.member(s.card))
	mux.HandleFunc("GET /draft/{hash}", s.member(s.draft))
	mux.HandleFunc("GET /blob/{hash}", s.member(s.blob))
	mux.HandleFunc("POST /applied", s.member(s.applied))
	mux.HandleFunc("/", s.member(func(w http.ResponseWriter, r *http.Request, _ string) {
		refuse(w, http.StatusNotFound, "no such resource: "+r.Method+" "+r.URL.Path)
	}))
	return mux
}

// member admits a request whose TLS key is in a member's card.
func (s *Server) member(next func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		member, err := s.identify(r)
		if err != nil {
			s.remark("peer refused", "remote", r.RemoteAddr, "path", readable(r.URL.Path), "reason", err.Error())
			w.Header().Set("Connection", "close") // a stranger has no further business on this connection
			refuse(w, http.StatusForbidden, err.Error())
			return
		}
		if !s.enter(member) {
			refuse(w, http.StatusTooManyRequests, fmt.Sprintf("more than %d requests at a time", maxBusy))
			return
		}
		defer s.leave(member)
		setDeadline(http.NewResponseController(w).SetWriteDeadline, writeTimeout)
		next(w, r, member)
	}
}

// remark logs what a peer can cause at will, so not every time.
func (s *Server) remark(msg string, args ...any) {
	if s.remarks.Allow() {
		s.log.Warn(msg, args...)
	}
}

func (s *Server) enter(member string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[member] >= maxBusy {
		return false
	}
	s.busy[member]++
	return true
}

func (s *Server) leave(member string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[member]--; s.busy[member] == 0 {
		delete(s.busy, member)
	}
}

// setDeadline limits what a slow peer may cost. Every connection of ours has deadlines; a test's recorder
// may have none, and then nothing is slow.
func setDeadline(set func(time.Time) error, after time.Duration) { _ = set(time.Now().Add(after)) }

func (s *Server) identify(r *http.Request) (string, error) {
	if r.TLS == nil {
		return "", errors.New("not a TLS connection")
	}
	pin, err := Pin(*r.TLS)
	if err != nil {
		return "", err
	}
	return s.backend.Identify(pin)
}

// stranger admits any key with a small body, and those that are in no card seldom: members can show a new
// card however many strangers knock.
func (s *Server) stranger(next func(http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := s.identify(r); err != nil && !s.strangers.Allow() {
			w.Header().Set("Retry-After", "2")
			refuse(w, http.StatusTooManyRequests, "too many requests from keys that are in no card; try again in a moment")
			return
		}
		rc := http.NewResponseController(w)
		setDeadline(rc.SetReadDeadline, bodyTimeout)
		setDeadline(rc.SetWriteDeadline, patience(MaxJoined))
		r.Body = http.MaxBytesReader(w, r.Body, MaxPost)
		next(w, r)
	}
}

func (s *Server) join(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "a join request is at most 16 KiB")
		return
	}
	var req JoinRequest
	if err := json.Unmarshal(body, &req); err != nil {
		refuse(w, http.StatusBadRequest, "this is not a join request: "+err.Error())
		return
	}
	if r.TLS == nil {
		refuse(w, http.StatusForbidden, "not a TLS connection")
		return
	}
	exporter, err := r.TLS.ExportKeyingMaterial(ExporterLabel, nil, exporterSize)
	if err != nil {
		refuse(w, http.StatusBadRequest, "this connection cannot carry a join: "+err.Error())
		return
	}
	joined, err := s.backend.Join(r.Context(), req, exporter)
	if err != nil {
		s.remark("join refused", "remote", r.RemoteAddr, "reason", err.Error())
		answerError(w, err, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(joined)
}

func (s *Server) postCard(w http.ResponseWriter, r *http.Request) {
	note, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "a card is at most 16 KiB")
		return
	}
	if err := s.backend.AdmitCard(r.Context(), note); err != nil {
		s.remark("card refused", "remote", r.RemoteAddr, "reason", err.Error())
		answerError(w, err, http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) resource(w http.ResponseWriter, r *http.Request, _ string) {
	body, ct, err := s.backend.Resource(r.Context(), logOf(r), r.PathValue("path"))
	if err != nil {
		answerError(w, err, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", ct)
	answer(w, r, body)
}

// answer sends a body, or the range of it that was asked for (C2SP tlog-tiles; DESIGN.md, decision 7).
func answer(w http.ResponseWriter, r *http.Request, body []byte) {
	setDeadline(http.NewResponseController(w).SetWriteDeadline, patience(int64(len(body))))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

func (s *Server) roster(w http.ResponseWriter, r *http.Request, _ string) {
	version, err := strconv.ParseUint(r.PathValue("version"), 10, 64)
	if err != nil {
		refuse(w, http.StatusBadRequest, "a roster version is a number")
		return
	}
	note, err := s.backend.Roster(r.Context(), version)
	answerBytes(w, r, note, err)
}

func (s *Server) card(w http.ResponseWriter, r *http.Request, _ string) {
	note, err := s.backend.Card(r.Context(), r.PathValue("member"))
	answerBytes(w, r, note, err)
}

func (s *Server) draft(w http.ResponseWriter, r *http.Request, _ string) {
	note, err := s.backend.Draft(r.Context(), r.PathValue("hash"))
	answerBytes(w, r, note, err)
}

func (s *Server) blob(w http.ResponseWriter, r *http.Request, _ string) {
	hash, err := hex.DecodeString(r.PathValue("hash"))
	if err != nil || len(hash) != 32 {
		refuse(w, http.StatusBadRequest, "a blob is named by 64 hex digits")
		return
	}
	data, err := s.backend.Blob(r.Context(), hash)
	answerBytes(w, r, data, err)
}

func (s *Server) applied(w http.ResponseWriter, r *http.Request, member string) {
	setDeadline(http.NewResponseController(w).SetReadDeadline, bodyTimeout)
	note, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxReceipt))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "a receipt is at most 4 KiB")
		return
	}
	if err := s.backend.Applied(r.Context(), member, note); err != nil {
		answerError(w, err, http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func logOf(r *http.Request) string { return r.PathValue("member") + "/" + r.PathValue("hash") }

func answerBytes(w http.ResponseWriter, r *http.Request, body []byte, err error) {
	if err != nil {
		answerError(w, err, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	answer(w, r, body)
}

// answerError maps what the backend says: missing is 404, a Refusal keeps its status, else the given one.
// An internal error's text stays inside.
func answerError(w http.ResponseWriter, err error, status int) {
	var r *Refusal
	switch {
	case errors.As(err, &r):
		refuse(w, r.Status, r.Reason)
	case errors.Is(err, fs.ErrNotExist):
		refuse(w, http.StatusNotFound, "this node does not hold that")
	case status >= 500:
		refuse(w, status, "this node could not answer")
	default:
		refuse(w, status, err.Error())
	}
}
