package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"strconv"
	"time"

	"shieldwall/internal/status"
)

// Limits of what a client may send.
const (
	maxRequest      = 4 << 20   // a JSON request
	maxPublish      = 256 << 20 // the files of one publication, together
	maxPublishFiles = 20_000
	maxList         = 10_000 // items of one list
)

// Server life.
const (
	headerTimeout = 10 * time.Second
	stopTimeout   = 2 * time.Second
)

// Serve answers on l until ctx ends; open streams end with it. It closes l.
func Serve(ctx context.Context, l net.Listener, b Backend) error {
	srv := &http.Server{
		Handler:           Handler(b),
		ReadHeaderTimeout: headerTimeout,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("serving the control socket: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if srv.Shutdown(stop) != nil {
		srv.Close()
	}
	<-done
	return nil
}

// Handler serves a backend. The paths are between one binary and itself: /v1 changes when they do.
func Handler(b Backend) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", answer(func(r *http.Request) (status.Node, error) { return b.Status(r.Context()) }))
	mux.HandleFunc("POST /v1/page-link", answer(func(r *http.Request) (string, error) { return b.PageLink(r.Context()) }))
	mux.HandleFunc("GET /v1/publications", answer(func(r *http.Request) ([]status.Publication, error) {
		limit, err := number(r, "limit")
		if err != nil {
			return nil, err
		}
		return b.Publications(r.Context(), limit)
	}))
	mux.HandleFunc("GET /v1/profile", answer(func(r *http.Request) (status.Profile, error) {
		most, err := number(r, "most")
		if err != nil {
			return status.Profile{}, err
		}
		return b.Profile(r.Context(), most)
	}))
	mux.HandleFunc("POST /v1/publish", answer(func(r *http.Request) (PublishResult, error) {
		req, err := readPublish(r)
		if err != nil {
			return PublishResult{}, err
		}
		return b.Publish(r.Context(), req)
	}))
	mux.HandleFunc("POST /v1/withdraw", call(b.Withdraw))
	mux.HandleFunc("POST /v1/search", call(b.Search))
	mux.HandleFunc("GET /v1/alliance", answer(func(r *http.Request) (status.Alliance, error) { return b.Alliance(r.Context()) }))
	mux.HandleFunc("POST /v1/alliance/new", call(b.AllianceNew))
	mux.HandleFunc("POST /v1/alliance/change", call(b.AllianceChange))
	mux.HandleFunc("POST /v1/alliance/sign", call(b.AllianceSign))
	mux.HandleFunc("POST /v1/alliance/draft", call(b.AllianceDraft))
	mux.HandleFunc("POST /v1/alliance/admit", call(b.AllianceAdmit))
	mux.HandleFunc("POST /v1/alliance/invite", call(b.Invite))
	mux.HandleFunc("POST /v1/join", call(b.Join))
	mux.HandleFunc("POST /v1/token", call(b.TokenNew))
	mux.HandleFunc("GET /v1/tokens", answer(func(r *http.Request) ([]Token, error) { return b.Tokens(r.Context()) }))
	mux.HandleFunc("POST /v1/token/revoke", call(b.TokenRevoke))
	mux.HandleFunc("POST /v1/mute", call(b.Mute))
	mux.HandleFunc("POST /v1/unmute", call(b.Unmute))
	mux.HandleFunc("GET /v1/mutes", answer(func(r *http.Request) ([]status.Mute, error) { return b.Mutes(r.Context()) }))
	mux.HandleFunc("GET /v1/detections", func(w http.ResponseWriter, r *http.Request) { streamDetections(w, r, b) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, Errorf(NotFound, "the node's control socket knows no %s %s; is it another version?", r.Method, r.URL.Path))
	})
	return mux
}

// number reads how many items of a list are wanted.
func number(r *http.Request, name string) (int, error) {
	n, err := strconv.Atoi(r.FormValue(name))
	if err != nil || n < 1 || n > maxList {
		return 0, Errorf(Usage, "%s must be from 1 to %d", name, maxList)
	}
	return n, nil
}

// answer sends what do returns.
func answer[T any](do func(*http.Request) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := do(r)
		if err != nil {
			fail(w, err)
			return
		}
		body, err := json.Marshal(v)
		if err != nil {
			fail(w, fmt.Errorf("encoding the answer: %w", err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(body) // an error is the client's hanging up
	}
}

// call reads a JSON request, strictly, and hands it over.
func call[Req, T any](do func(context.Context, Req) (T, error)) http.HandlerFunc {
	return answer(func(r *http.Request) (T, error) {
		var req Req
		body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxRequest))
		if err == nil {
			err = decodeStrict(body, &req)
		}
		if err != nil {
			var none T
			return none, Errorf(Usage, "reading the request: %w", err)
		}
		return do(r.Context(), req)
	})
}

func decodeStrict(body []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("bytes after the request")
	}
	return nil
}

func fail(w http.ResponseWriter, err error) {
	e := toWire(err)
	body, merr := json.Marshal(e)
	if merr != nil {
		body = []byte(`{"kind":"failed","error":"the error could not be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	code, known := statusOf[e.Kind]
	if !known {
		code = http.StatusInternalServerError
	}
	w.WriteHeader(code)
	w.Write(body)
}

// readPublish reads a publication: the first part is the request, each further one a file. Files travel as
// they are, for a JSON string could not hold their exact bytes.
func readPublish(r *http.Request) (PublishRequest, error) {
	var req PublishRequest
	r.Body = http.MaxBytesReader(nil, r.Body, maxPublish)
	parts, err := r.MultipartReader()
	if err != nil {
		return req, Errorf(Usage, "reading the request: %w", err)
	}
	for first := true; ; first = false {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) && !first {
			return req, nil
		}
		if err == nil {
			err = readPart(&req, part, first)
		}
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return req, Errorf(Usage, "the files are larger than %d bytes together; publish them in parts", maxPublish)
		}
		if err != nil {
			return req, Errorf(Usage, "reading the request: %w", err)
		}
	}
}

func readPart(req *PublishRequest, part *multipart.Part, first bool) error {
	data, err := io.ReadAll(part)
	if err != nil {
		return err
	}
	if first {
		return decodeStrict(data, req)
	}
	if len(req.Files) == maxPublishFiles {
		return fmt.Errorf("more than %d files", maxPublishFiles)
	}
	name := part.Header.Get(fileNameHeader)
	if name, err = strconv.Unquote(name); err != nil {
		return errors.New("a file without a name")
	}
	req.Files = append(req.Files, File{Name: name, Data: data})
	return nil
}

// fileNameHeader carries a file's name as the user gave it, quoted: multipart's own file names lose their folders.
const fileNameHeader = "Shieldwall-File"
