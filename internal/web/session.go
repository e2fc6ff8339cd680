package web

import (
	"context"
	"crypto/sha256"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	maxLinks    = 16 // one-time links that wait to be opened
	maxSessions = 64 // a further session ends the one that was idle longest
	maxForm     = 4 << 10
)

// digest is how secrets are kept: what the process holds opens nothing.
type digest [sha256.Size]byte

// session is one browser that opened a link. Its fields belong to access.mu.
type session struct {
	started, used time.Time
}

// access owns the one-time links and the sessions.
type access struct {
	now                     func() time.Time
	secret                  func() string
	linkTTL, idle, absolute time.Duration

	mu       sync.Mutex
	links    map[digest]time.Time // until when it can be opened
	sessions map[digest]*session
}

func newAccess(o Options) *access {
	return &access{
		now: o.Now, secret: o.Secret, linkTTL: o.LinkTTL, idle: o.Idle, absolute: o.Absolute,
		links: make(map[digest]time.Time), sessions: make(map[digest]*session),
	}
}

// newLink makes a link's secret.
func (a *access) newLink() string {
	secret := a.secret()
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	var oldest digest
	for d, until := range a.links {
		if !now.Before(until) {
			delete(a.links, d)
			continue
		}
		if first, ok := a.links[oldest]; !ok || until.Before(first) {
			oldest = d
		}
	}
	if len(a.links) >= maxLinks {
		delete(a.links, oldest)
	}
	a.links[sha256.Sum256([]byte(secret))] = now.Add(a.linkTTL)
	return secret
}

// openLink spends a link's secret and returns the id of the session that it opens.
func (a *access) openLink(secret string) (id string, ok bool) {
	d := digest(sha256.Sum256([]byte(secret)))
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	until, known := a.links[d]
	delete(a.links, d)
	if !known || !now.Before(until) {
		return "", false
	}
	a.makeRoom(now)
	id = a.secret()
	a.sessions[sha256.Sum256([]byte(id))] = &session{started: now, used: now}
	return id, true
}

// makeRoom drops what has expired and, if that is not enough, the session unused for longest.
func (a *access) makeRoom(now time.Time) {
	var stale digest
	for d, s := range a.sessions {
		if a.expired(s, now) {
			delete(a.sessions, d)
			continue
		}
		if first, ok := a.sessions[stale]; !ok || s.used.Before(first.used) {
			stale = d
		}
	}
	if len(a.sessions) >= maxSessions {
		delete(a.sessions, stale)
	}
}

func (a *access) expired(s *session, now time.Time) bool {
	return now.Sub(s.used) >= a.idle || now.Sub(s.started) >= a.absolute
}

// touch says whether the session id is valid now and renews its idle time.
func (a *access) touch(id string) bool {
	d := digest(sha256.Sum256([]byte(id)))
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.sessions[d]
	if !ok {
		return false
	}
	now := a.now()
	if a.expired(s, now) {
		delete(a.sessions, d)
		return false
	}
	s.used = now
	return true
}

// end forgets a session.
func (a *access) end(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.sessions, sha256.Sum256([]byte(id)))
}

// cookieName differs by port, for browsers keep one set of cookies for all ports of a host: two nodes on
// one machine would end each other's sessions.
func cookieName(r *http.Request) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		return "shieldwall-" + port
	}
	return "shieldwall"
}

// open spends a one-time link. The redirect takes the secret out of the address.
func (p *Page) open(w http.ResponseWriter, r *http.Request) {
	// A browser that fetches ahead, or a chat's link preview asking with HEAD, must not spend the link.
	if r.Method != http.MethodGet || strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") {
		http.Error(w, "open the link to use it", http.StatusForbidden)
		return
	}
	id, ok := p.access.openLink(r.URL.Query().Get("k"))
	if !ok {
		p.refuse(w, "This link has been used or has expired.")
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Value: id, Path: "/",
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// leave ends the session.
func (p *Page) leave(w http.ResponseWriter, r *http.Request) {
	p.access.end(sessionID(r.Context()))
	http.SetCookie(w, &http.Cookie{Name: cookieName(r), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1})
	p.refuse(w, "You have left; this session is closed.")
}

type sessionKey struct{}

// sessionID is the id of the session that withSession found.
func sessionID(ctx context.Context) string {
	id, _ := ctx.Value(sessionKey{}).(string)
	return id
}

// withSession lets through who opened a link.
func (p *Page) withSession(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie(cookieName(r))
		if err != nil {
			p.refuse(w, "This page opens with a one-time link.")
			return
		}
		if !p.access.touch(c.Value) {
			p.refuse(w, "This session has ended.")
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), sessionKey{}, c.Value)))
	})
}

// refuse is the page for those without a session: it says how to get in and nothing about the node.
func (p *Page) refuse(w http.ResponseWriter, why string) {
	body, err := execute("refused", struct{ Why, Command string }{why, p.opts.LinkCommand})
	if err != nil {
		p.opts.Log.Error("rendering the page", "view", "refused", "error", err)
		http.Error(w, why, http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write(body)
}
