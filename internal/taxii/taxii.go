// Package taxii serves a node's objects over TAXII 2.1 (OASIS Standard, 10 June 2021): discovery, one API root, a
// collection for each audience of which the client may see something, and an inbox for postings.
//
//	GET    /taxii2/                                                  discovery
//	GET    /taxii2/root/                                             the API root
//	GET    /taxii2/root/status/ID/                                   what became of a posting
//	GET    /taxii2/root/collections/                                 what this client may see
//	GET    /taxii2/root/collections/ID/                              ID is an id or an alias
//	GET    /taxii2/root/collections/ID/manifest/
//	GET    /taxii2/root/collections/ID/objects/            POST      to the inbox alone
//	GET    /taxii2/root/collections/ID/objects/OBJECT/     DELETE    what the client posted itself
//	GET    /taxii2/root/collections/ID/objects/OBJECT/versions/
//
// The package is protocol only: what a client sees, takes back or posts is the Backend's to decide. Every answer is
// TAXII's own, errors included. What a client may not see does not exist for it: the answer is the same.
package taxii

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"shieldwall/internal/inbox"
	"shieldwall/internal/policy"
	"shieldwall/internal/shelf"
)

// Path is where the handler belongs: everything below it.
const Path = "/taxii2/"

// root is the path of the one API root.
const root = Path + "root/"

// Limits.
const (
	// MaxBody bounds the body of a posting, as it is sent and once it is decompressed, in bytes: the API root's
	// max_content_length.
	MaxBody = 32 << 20
	// maxObjects bounds the objects of a posting.
	maxObjects = 10_000
	// DefaultLimit is the length of a page where the client names none.
	DefaultLimit = 1_000
	// maxQuery bounds a URL's query, in bytes.
	maxQuery = 16 << 10
	// maxToken bounds a token, in bytes.
	maxToken = 1 << 10
	// maxReading and maxPosting bound the requests at work, of all clients, and so the memory that pages and
	// bodies take; holderReading and holderPosting those of one, so that a slow client keeps nobody out.
	maxReading, holderReading = 64, 4
	maxPosting, holderPosting = 4, 2
	// readTimeout and writeTimeout bound how slowly a body may come and an answer may be taken.
	readTimeout  = time.Minute
	writeTimeout = time.Minute
	// holderRate and holderBurst bound one client's requests a second.
	holderRate, holderBurst = 500, 1_000
	// maxHolders bounds the clients whose rate is remembered.
	maxHolders = 4_096
	// strangerRate and strangerBurst bound the requests with a wrong token that are answered by more than "wait".
	strangerRate, strangerBurst = 20, 200
	// retryAfter is what a client is told to wait, in seconds.
	retryAfter = "1"
)

// Holder is who holds a token.
type Holder struct {
	Name string
	// Kind is what sort of reader it is.
	Kind policy.Kind
	// Read and Write are the token's scopes.
	Read, Write bool
}

// Tokens knows the tokens and certificates by their hashes.
type Tokens interface {
	// Holder says who holds the token of this SHA-256 now; ok is false where nobody does. An error says that this
	// cannot be known at the moment.
	Holder(ctx context.Context, hash [sha256.Size]byte) (h Holder, ok bool, err error)
}

// Backend is the node behind the protocol. Its methods may be called concurrently.
type Backend interface {
	// About names the server for people.
	About() (title, description string)
	// Audiences are those of which the holder may see something, sorted.
	Audiences(ctx context.Context, h Holder) ([]string, error)
	// Sees says whether the holder may see something of what there is for an audience; MayRead, whether policy could
	// let it, whatever there is.
	Sees(ctx context.Context, h Holder, audience string) (bool, error)
	MayRead(h Holder, audience string) bool
	// Page lists objects; the error is shelf.ErrNoAudience where there is none for this holder.
	Page(ctx context.Context, h Holder, q shelf.Query) (shelf.Page, error)
	// Inbox is the audience of postings.
	Inbox() string
	// Post takes objects; the results are in their order.
	Post(ctx context.Context, h Holder, objects [][]byte) ([]inbox.Result, error)
	// Remove takes back the versions of an object that the holder posted and may see. The error is inbox.ErrUnknown
	// where it sees none, inbox.ErrOthers where one of them is somebody else's.
	Remove(ctx context.Context, h Holder, id string, v shelf.Versions) error
	// Note keeps what became of a posting for a day; Noted gives it back, to its holder alone. The error wraps
	// inbox.ErrUnknown where there is none.
	Note(ctx context.Context, h Holder, id string, body []byte) error
	Noted(ctx context.Context, h Holder, id string) ([]byte, error)
}

// Options are what a Handler works with; all but URL are required.
type Options struct {
	Backend Backend
	Tokens  Tokens
	Log     *slog.Logger
	Now     func() time.Time
	// URL is the address that clients know the server by, such as https://taxii.example.org; empty means the one
	// that a request came to.
	URL string
}

// Handler answers everything below Path.
type Handler struct {
	opt       Options
	names     names
	holders   holders
	reading   chan struct{}
	posting   chan struct{}
	strangers *rate.Limiter
	remarks   *rate.Limiter // on what anybody can cause at will
}

// New makes a Handler.
func New(opt Options) *Handler {
	return &Handler{
		opt: opt, reading: make(chan struct{}, maxReading), posting: make(chan struct{}, maxPosting),
		strangers: rate.NewLimiter(strangerRate, strangerBurst), remarks: rate.NewLimiter(1, 20),
	}
}

// request is one request at work.
type request struct {
	*http.Request
	h      *Handler
	w      http.ResponseWriter
	holder Holder
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", mediaType)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	req := &request{Request: r, h: h, w: w}
	if err := req.serve(); err != nil {
		req.fail(err)
	}
}

// serve admits a request and hands it to its endpoint.
func (r *request) serve() error {
	if err := r.authenticate(); err != nil {
		return err
	}
	leave, err := r.h.holders.enter(r.holder.Name, r.Method == http.MethodPost, r.h.opt.Now())
	if err != nil {
		return err
	}
	defer leave()
	slots := r.h.reading
	if r.Method == http.MethodPost {
		slots = r.h.posting
	}
	if leave, err = slot(slots); err != nil {
		return err
	}
	defer leave()
	if len(r.URL.RawQuery) > maxQuery {
		return problem(http.StatusRequestURITooLong, "Query too long", "at most %d bytes", maxQuery)
	}
	endpoint, err := r.route()
	if err != nil {
		return err
	}
	if err := r.acceptable(); err != nil {
		return err
	}
	return endpoint()
}

// slot takes one of a bounded number of places, or says that all are taken.
func slot(slots chan struct{}) (leave func(), err error) {
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	default:
		return nil, busy("too many requests at once")
	}
}

// methods maps methods to what does the work.
type methods map[string]func() error

// route finds the endpoint by path and method. A path may lack its last slash: a redirect would lose a POST's body.
func (r *request) route() (func() error, error) {
	path, ok := strings.CutPrefix(strings.TrimSuffix(r.URL.Path, "/")+"/", Path)
	if !ok {
		return nil, notFound()
	}
	if path == "" {
		return r.method(methods{"GET": r.discovery})
	}
	path, ok = strings.CutPrefix(path, strings.TrimPrefix(root, Path))
	if !ok {
		return nil, notFound()
	}
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	switch {
	case path == "":
		return r.method(methods{"GET": r.apiRoot})
	case parts[0] == "status" && len(parts) == 2:
		return r.method(methods{"GET": func() error { return r.status(parts[1]) }})
	case parts[0] == "collections" && len(parts) == 1:
		return r.method(methods{"GET": r.collections})
	case parts[0] == "collections":
		return r.routeCollection(parts[1], parts[2:])
	}
	return nil, notFound()
}

// routeCollection finds the endpoint below a collection, which the client must be able to see.
func (r *request) routeCollection(name string, parts []string) (func() error, error) {
	c, err := r.collection(name)
	if err != nil {
		return nil, err
	}
	switch {
	case len(parts) == 0:
		return r.method(methods{"GET": func() error { return r.answer(http.StatusOK, c) }})
	case len(parts) == 1 && parts[0] == "manifest":
		return r.method(methods{"GET": func() error { return r.manifest(c) }})
	case len(parts) == 1 && parts[0] == "objects":
		return r.method(methods{"GET": func() error { return r.objects(c) }, "POST": func() error { return r.post(c) }})
	case len(parts) == 2 && parts[0] == "objects":
		return r.method(methods{"GET": func() error { return r.object(c, parts[1]) }, "DELETE": func() error { return r.delete(c, parts[1]) }})
	case len(parts) == 3 && parts[0] == "objects" && parts[2] == "versions":
		return r.method(methods{"GET": func() error { return r.versions(c, parts[1]) }})
	}
	return nil, notFound()
}

// method picks by method; HEAD is GET without a body.
func (r *request) method(known methods) (func() error, error) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if do := known[method]; do != nil {
		return do, nil
	}
	allow := []string{}
	for _, m := range []string{"GET", "HEAD", "POST", "DELETE"} {
		if known[m] != nil || m == "HEAD" && known["GET"] != nil {
			allow = append(allow, m)
		}
	}
	r.w.Header().Set("Allow", strings.Join(allow, ", "))
	return nil, problem(http.StatusMethodNotAllowed, "Method not allowed", "%s is not answered here; %s is", readable(r.Method), strings.Join(allow, ", "))
}

// TokenHash is what a Tokens knows a token by.
func TokenHash(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// CertificateHash is what a Tokens knows a client's certificate by: its key alone, so that a renewed certificate of
// the same key is the same client. It is no token's hash.
func CertificateHash(c *x509.Certificate) [sha256.Size]byte {
	return sha256.Sum256(append([]byte("shieldwall/client-key/v1\x00"), c.RawSubjectPublicKeyInfo...))
}
