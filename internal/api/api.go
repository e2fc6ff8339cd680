// Package api serves a node's own HTTP/JSON API, for the scripts and tools of its house and of those whom it serves:
//
//	GET    /api/openapi.json              the description, OpenAPI 3.1
//	GET    /api/v1/status                 how this node is                        api:read, this member's own
//	GET    /api/v1/search                 find objects                            api:read
//	GET    /api/v1/objects/{id}           an object, its versions and relations   api:read
//	GET    /api/v1/objects/{id}/raw       its exact bytes                         api:read
//	GET    /api/v1/detections             what was matched here                   api:read, this member's own
//	POST   /api/v1/publish                share STIX or Sigma                     api:publish
//	POST   /api/v1/withdraw               take back what this member shared       api:publish
//	GET    /api/v1/mutes                  what is not told                        api:read, this member's own
//	POST   /api/v1/mutes                  mute                                    api:operate
//	DELETE /api/v1/mutes/{id}             take a mute back                        api:operate
//
// The package is protocol only. Every error is application/problem+json (RFC 9457). What a client may not see does not
// exist for it. The description is written by hand; tests hold routes and answers to it.
package api

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"shieldwall/internal/policy"
	"shieldwall/internal/search"
	"shieldwall/internal/status"
)

// Path is where the handler belongs: everything below it.
const Path = "/api/"

// Limits.
const (
	// MaxPublish bounds the body of a publication, maxBody any other's, in bytes.
	MaxPublish, maxBody = 32 << 20, 1 << 20
	// maxIDs bounds the objects of a withdrawal, maxDetections a page of detections.
	maxIDs, maxDetections = 1_000, 1_000
	maxQuery              = 16 << 10
	maxToken              = 1 << 10
	// maxAtOnce bounds the requests at work, maxChanging those that change something, holderAtOnce one client's.
	maxAtOnce, maxChanging, holderAtOnce = 32, 2, 8
	holderRate, holderBurst              = 200, 400
	strangerRate, strangerBurst          = 20, 200
	maxHolders                           = 4_096
	bodyTimeout, answerTimeout           = time.Minute, time.Minute
)

//go:embed openapi.json
var description []byte

// Holder is who holds a token.
type Holder struct {
	Name string
	Kind policy.Kind
	// Read, Publish and Operate are the token's scopes.
	Read, Publish, Operate bool
}

// own says whether the holder is one of this member's own people or machines.
func (h Holder) own() bool { return h.Kind == policy.Staff || h.Kind == policy.Machine }

// Tokens knows the tokens by their SHA-256.
type Tokens interface {
	APIHolder(ctx context.Context, hash [sha256.Size]byte) (h Holder, ok bool, err error)
}

// Backend is the node behind the protocol. Its methods may be called concurrently; errors that the client can do
// something about are *Problem, or those of package search.
type Backend interface {
	Status(ctx context.Context) (Status, error)
	Search(ctx context.Context, h Holder, req search.Request) (status.SearchPage, error)
	Object(ctx context.Context, h Holder, id string) (status.ObjectView, error)
	Raw(ctx context.Context, h Holder, id, version string) ([]byte, error)
	// Detections are the first seen at or after since, at most limit; more says that there are others.
	Detections(ctx context.Context, since time.Time, limit int) (list []status.Detection, more bool, err error)
	Publish(ctx context.Context, req Publication) (Published, error)
	Withdraw(ctx context.Context, ids []string) (Withdrawn, error)
	Mutes(ctx context.Context) ([]status.Mute, error)
	Mute(ctx context.Context, req Muting) (status.Mute, error)
	Unmute(ctx context.Context, id string) (status.Mute, error)
}

// Options are what a Handler works with; all are required.
type Options struct {
	Backend Backend
	Tokens  Tokens
	Log     *slog.Logger
	Now     func() time.Time
}

// Handler answers everything below Path.
type Handler struct {
	opt       Options
	routes    []route
	atOnce    chan struct{}
	changing  chan struct{}
	strangers *rate.Limiter

	mu      sync.Mutex // guards holders
	holders map[string]*load
}

// load is one client's.
type load struct {
	rate   *rate.Limiter
	atWork int
}

// New makes a Handler.
func New(opt Options) *Handler {
	h := &Handler{
		opt: opt, atOnce: make(chan struct{}, maxAtOnce), changing: make(chan struct{}, maxChanging),
		strangers: rate.NewLimiter(strangerRate, strangerBurst), holders: map[string]*load{},
	}
	h.routes = h.table()
	return h
}

// need is what a route wants of its client.
type need uint8

const (
	anyone  need = iota
	read         // api:read
	readOwn      // api:read of this member's own
	publish      // api:publish
	operate      // api:operate
)

// route is one path and method.
type route struct {
	method, path string // a part in braces is a parameter
	need         need
	params       []string // of the query
	serve        func(*request) error
}

func (h *Handler) table() []route {
	return []route{
		{"GET", "/api/openapi.json", anyone, nil, (*request).describe},
		{"GET", "/api/v1/status", readOwn, nil, (*request).status},
		{"GET", "/api/v1/search", read, []string{"q", "cursor", "limit", "relations", "objects"}, (*request).search},
		{"GET", "/api/v1/objects/{id}", read, nil, (*request).object},
		{"GET", "/api/v1/objects/{id}/raw", read, []string{"version"}, (*request).raw},
		{"GET", "/api/v1/detections", readOwn, []string{"since", "limit"}, (*request).detections},
		{"POST", "/api/v1/publish", publish, []string{"tlp", "to", "dry_run"}, (*request).publish},
		{"POST", "/api/v1/withdraw", publish, nil, (*request).withdraw},
		{"GET", "/api/v1/mutes", readOwn, nil, (*request).mutes},
		{"POST", "/api/v1/mutes", operate, nil, (*request).mute},
		{"DELETE", "/api/v1/mutes/{id}", operate, nil, (*request).unmute},
	}
}

// request is one request at work.
type request struct {
	*http.Request
	h      *Handler
	w      http.ResponseWriter
	holder Holder
	id     string // the path's parameter
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	req := &request{Request: r, h: h, w: w}
	if err := req.serveAny(); err != nil {
		req.fail(err)
	}
}

func (r *request) serveAny() error {
	found, err := r.route()
	if err != nil {
		return err
	}
	slots := r.h.atOnce
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		slots = r.h.changing
	}
	if found.need != anyone {
		leave, err := r.admit(found.need)
		if err != nil {
			return err
		}
		defer leave()
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	default:
		return busy("too many requests at once")
	}
	if err := r.checkQuery(found.params); err != nil {
		return err
	}
	return found.serve(r)
}

// route finds the route by path and method.
func (r *request) route() (route, error) {
	allow := []string{}
	for _, known := range r.h.routes {
		id, ok := fits(known.path, r.URL.EscapedPath())
		if !ok {
			continue
		}
		if r.Method == known.method || r.Method == http.MethodHead && known.method == http.MethodGet {
			r.id = id
			return known, nil
		}
		allow = append(allow, known.method)
		if known.method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	if len(allow) == 0 {
		return route{}, notFound()
	}
	slices.Sort(allow)
	r.w.Header().Set("Allow", strings.Join(allow, ", "))
	return route{}, NewProblem(http.StatusMethodNotAllowed, "this method is not answered here; %s", strings.Join(allow, ", "))
}

// answer sends a value as JSON.
func (r *request) answer(code int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return r.write(code, "application/json", body)
}

// write sends an answer; a client that takes none loses it.
func (r *request) write(code int, contentType string, body []byte) error {
	_ = http.NewResponseController(r.w).SetWriteDeadline(time.Now().Add(answerTimeout)) // not every writer has one
	r.w.Header().Set("Content-Type", contentType)
	r.w.WriteHeader(code)
	if r.Method != http.MethodHead {
		_, _ = r.w.Write(body)
	}
	return nil
}
