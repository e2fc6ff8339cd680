// Package web serves the node's page: the alliance, live detections, shared objects, sightings and time
// to protect, for the people who run this node.
//
// Everything is rendered on the server with html/template and drawn as SVG there; one stylesheet and one
// small module are all that the browser loads, from the binary itself (DESIGN.md, decision 12). The page
// is reached at loopback, through a one-time link, and only shows: nothing here changes the node.
package web

import (
	"context"
	"crypto/rand"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"shieldwall/internal/search"
	"shieldwall/internal/status"
)

// Source is where the page gets what it shows. Every method may be called concurrently; the lists are
// newest first and hold at most limit items, which the page treats as untrusted text.
type Source interface {
	Status(ctx context.Context) (status.Node, error)
	Publications(ctx context.Context, limit int) ([]status.Publication, error)
	Objects(ctx context.Context, limit int) ([]status.Object, error)
	Sightings(ctx context.Context, limit int) ([]status.Sightings, error)
	Detections(ctx context.Context, limit int) ([]status.Detection, error)
	// Search finds objects; Object shows one and Raw gives its exact bytes. Their errors are those of package search
	// where the reader can do something about them.
	Search(ctx context.Context, req search.Request) (status.SearchPage, error)
	Object(ctx context.Context, id string) (status.ObjectView, error)
	Raw(ctx context.Context, id, version string) ([]byte, error)
	// Follow returns the detections from now on until ctx ends. The channel is bounded and drops the
	// oldest for a slow reader; it may be closed when the node stops.
	Follow(ctx context.Context) <-chan status.Detection
}

// Options are the page's settings; the zero value is safe and local.
type Options struct {
	// Base is the page's address, such as "http://127.0.0.1:7300", to which NewLink adds the path.
	Base string
	// Hosts are further accepted Host values, "name" (any port) or "name:port". The loopback names
	// localhost, 127.0.0.1 and [::1] are always accepted, at any port, so that an SSH tunnel works.
	Hosts []string
	// LinkCommand is the command that prints a new link of a running node; empty if there is none.
	LinkCommand string
	// LinkTTL is how long a one-time link can be opened; 0 means 15 minutes.
	LinkTTL time.Duration
	// Idle and Absolute end a session so long after its last request and after its start; 0 means
	// 2 hours and 24 hours. A page that is open and visible is not idle.
	Idle, Absolute time.Duration
	// Zone is the local time zone for browsers that do not tell theirs; nil means time.Local.
	Zone *time.Location
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Secret returns a fresh secret of at least 128 bits, safe in a URL; nil means crypto/rand.Text.
	Secret func() string
	// Log receives what went wrong on the way to the page, never a secret; nil discards it.
	Log *slog.Logger
}

// withDefaults fills in what o leaves out.
func (o Options) withDefaults() Options {
	if o.LinkTTL <= 0 {
		o.LinkTTL = 15 * time.Minute
	}
	if o.Idle <= 0 {
		o.Idle = 2 * time.Hour
	}
	if o.Absolute <= 0 {
		o.Absolute = 24 * time.Hour
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Secret == nil {
		o.Secret = rand.Text
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

//go:embed static
var staticFiles embed.FS

// Page is the handler of the node's page. It owns the links and sessions, in memory only: a restart ends
// them all.
type Page struct {
	opts    Options
	access  *access
	reader  *reader
	streams chan struct{} // one token per open stream
	handler http.Handler
}

// Handler returns the page over src. It starts nothing. Streams end with their request's context, so the
// server's BaseContext should be one that the node cancels before it calls http.Server.Shutdown.
func Handler(src Source, opts Options) *Page {
	opts = opts.withDefaults()
	p := &Page{
		opts:    opts,
		access:  newAccess(opts),
		reader:  newReader(src, opts.Now),
		streams: make(chan struct{}, maxStreams),
	}
	p.handler = p.guard(p.routes())
	return p
}

// ServeHTTP answers one request.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// NewLink returns a new one-time link to the page. It is a secret: print it for the operator, never log
// it. At most maxLinks unopened links live at a time; a further one ends the oldest.
func (p *Page) NewLink() string {
	return strings.TrimSuffix(p.opts.Base, "/") + "/open?k=" + p.access.newLink()
}

func (p *Page) routes() http.Handler {
	inside := http.NewServeMux()
	for _, v := range views {
		if v.Name == "search" {
			continue
		}
		inside.HandleFunc("GET "+v.pattern(), func(w http.ResponseWriter, r *http.Request) { p.servePage(w, r, v) })
	}
	inside.HandleFunc("GET /search", p.serveSearch)
	inside.HandleFunc("GET /object", p.serveObject)
	inside.HandleFunc("GET /object/raw", p.serveRaw)
	inside.HandleFunc("GET /events", p.serveEvents)
	inside.HandleFunc("POST /theme", p.setTheme)
	inside.HandleFunc("POST /leave", p.leave)

	outside := http.NewServeMux()
	outside.HandleFunc("GET /static/{file}", serveStatic)
	outside.HandleFunc("GET /open", p.open)
	outside.Handle("/", p.withSession(inside))
	return outside
}

// serveStatic answers with one embedded file. They hold nothing of the node, so they need no session.
func serveStatic(w http.ResponseWriter, r *http.Request) {
	name := "static/" + r.PathValue("file")
	if _, err := fs.Stat(staticFiles, name); err != nil {
		http.NotFound(w, r)
		return
	}
	http.ServeFileFS(w, r, staticFiles, name)
}

// servePage renders a whole page; its panels are those that the stream renews later.
func (p *Page) servePage(w http.ResponseWriter, r *http.Request, v view) {
	f := p.frame(r, v)
	f.read(r.Context(), p.reader)
	p.send(w, f)
}

// send renders a page.
func (p *Page) send(w http.ResponseWriter, f *frame) {
	if f.Trouble != "" {
		p.opts.Log.Warn("reading the node's state for the page", "error", f.Trouble)
	}
	body, err := f.renderPage()
	if err != nil {
		p.opts.Log.Error("rendering the page", "view", f.View.Name, "error", err)
		http.Error(w, "the page could not be rendered; the node's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body) // the reader is gone; nobody to tell
}

// frame is the request's own part of what a page shows.
func (p *Page) frame(r *http.Request, v view) *frame {
	return &frame{
		View:        v,
		Query:       truncate(r.URL.Query().Get("q"), maxQuery),
		Theme:       theme(r),
		zone:        zone(r, p.opts.Zone),
		LinkCommand: p.opts.LinkCommand,
	}
}

// themes are the choices of the theme button, in the order in which it steps through them.
var themes = []string{"auto", "dark", "light"}

// theme is the choice kept in the browser's cookie, "auto" for anything else.
func theme(r *http.Request) string {
	if c, err := r.Cookie("theme"); err == nil && slices.Contains(themes, c.Value) {
		return c.Value
	}
	return themes[0]
}

// setTheme keeps the theme in a cookie; it also works without scripts, as a plain form.
func (p *Page) setTheme(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	choice := r.PostFormValue("theme")
	if !slices.Contains(themes, choice) {
		http.Error(w, "unknown theme; it is one of auto, dark, light", http.StatusBadRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "theme", Value: choice, Path: "/", SameSite: http.SameSiteStrictMode, MaxAge: 365 * 24 * 3600})
	http.Redirect(w, r, viewNamed(r.PostFormValue("view")).Path, http.StatusSeeOther)
}

// zone is the browser's own time zone, which the module keeps in a cookie, or fallback.
func zone(r *http.Request, fallback *time.Location) *time.Location {
	c, err := r.Cookie("tz")
	if err != nil || len(c.Value) > 64 {
		return fallback
	}
	name, err := url.PathUnescape(c.Value)
	if err != nil || name == "" || name == "Local" { // for LoadLocation these mean UTC and the server's zone
		return fallback
	}
	z, err := time.LoadLocation(name) // refuses names that leave the zone database
	if err != nil {
		return fallback
	}
	return z
}
