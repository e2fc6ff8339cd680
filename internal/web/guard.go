package web

import (
	"net"
	"net/http"
	"strings"
)

// contentPolicy allows nothing but this origin's own files; there is no inline script or style anywhere.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// guard wraps every response, errors included: the security headers first, then the checks of Host and
// origin, before anything looks at a secret.
func (p *Page) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		// Not "no-referrer": that would turn the Origin of our own forms into "null".
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if !p.hostAllowed(r.Host) {
			http.Error(w, "this node's page does not answer to that host name", http.StatusMisdirectedRequest)
			return
		}
		if !sameOrigin(r) {
			http.Error(w, "requests from other sites are refused", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostAllowed defeats DNS rebinding: a name of somebody else's that resolves to loopback is not ours.
func (p *Page) hostAllowed(hostport string) bool {
	switch strings.ToLower(hostOnly(hostport)) {
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	for _, allowed := range p.opts.Hosts {
		if strings.EqualFold(allowed, hostport) || strings.EqualFold(allowed, hostOnly(hostport)) {
			return true
		}
	}
	return false
}

// hostOnly is the host of "host", "host:port" or "[v6]:port".
func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
}

// sameOrigin refuses what another site's page makes a browser send. SameSite cookies are not enough:
// every port of this machine is the same *site*, and whatever listens there is not us. Reading is open to
// programs that send neither header; changing something is not.
func sameOrigin(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		switch site {
		case "", "same-origin", "none":
			return true
		}
		// A link that somebody follows to us; the session cookie decides what it shows.
		return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	}
	if site != "" {
		return site == "same-origin"
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return strings.EqualFold(r.Header.Get("Origin"), scheme+r.Host)
}
