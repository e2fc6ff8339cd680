package taxii

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// authenticate finds out who asks: by a token in the Authorization header, as a bearer token or as the password of
// HTTP Basic, else by the client's certificate.
func (r *request) authenticate() error {
	name, hash, why := r.credentials()
	if why == "" {
		holder, ok, err := r.h.opt.Tokens.Holder(r.Context(), hash)
		switch {
		case err != nil:
			return err
		case !ok || name != "" && name != holder.Name:
			why = "the token or certificate is unknown or has expired"
		case !holder.Read && !holder.Write:
			return forbidden("this token is not for TAXII")
		default:
			r.holder = holder
			return nil
		}
	}
	if !r.h.strangers.Allow() {
		return busy("too many requests without a valid token")
	}
	if r.h.remarks.Allow() {
		r.h.opt.Log.Warn("TAXII client refused", "remote", r.RemoteAddr, "reason", why)
	}
	r.w.Header()["Www-Authenticate"] = []string{`Basic realm="shieldwall", charset="UTF-8"`, `Bearer realm="shieldwall"`}
	return problem(http.StatusUnauthorized, "Unauthorized", "%s", why)
}

// credentials are the hash of what a request presents, and the user's name where it says one; or why there is none.
func (r *request) credentials() (name string, hash [32]byte, why string) {
	header := r.Header.Get("Authorization")
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	switch {
	case header == "" && r.TLS != nil && len(r.TLS.PeerCertificates) > 0:
		return "", CertificateHash(r.TLS.PeerCertificates[0]), ""
	case header == "":
		return "", hash, "want a token, by HTTP Basic (name and token) or as a bearer token"
	case strings.EqualFold(scheme, "Basic"):
		user, password, ok := r.BasicAuth()
		if !ok || user == "" {
			return "", hash, "the Authorization header is no HTTP Basic"
		}
		name, token = user, password
	case !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "Token"): // the latter is taxii2-client's
		return "", hash, "the Authorization header has a scheme that is not known: want Basic or Bearer"
	}
	if token == "" || len(token) > maxToken {
		return "", hash, "the Authorization header has no token"
	}
	return name, TokenHash(token), ""
}

// holders bounds what each client does at a time and a second.
type holders struct {
	mu sync.Mutex // guards known
	// known are those with requests at work, and as many others as fit.
	known map[string]*load
}

// load is one client's.
type load struct {
	rate             *rate.Limiter
	reading, posting int
}

// enter admits a client's request, or says that it has too many.
func (h *holders) enter(name string, posting bool, now time.Time) (leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.known[name]
	if l == nil {
		l = &load{rate: rate.NewLimiter(holderRate, holderBurst)}
		h.remember(name, l)
	}
	if !l.rate.AllowN(now, 1) {
		return nil, busy("too many requests a second")
	}
	count, most := &l.reading, holderReading
	if posting {
		count, most = &l.posting, holderPosting
	}
	if *count == most {
		return nil, busy("too many requests of this client at once")
	}
	*count++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		*count--
	}, nil
}

// remember makes room where it has to: who has no request at work begins with a full allowance next time.
func (h *holders) remember(name string, l *load) {
	if len(h.known) >= maxHolders {
		for other, idle := range h.known {
			if idle.reading+idle.posting == 0 {
				delete(h.known, other)
			}
		}
	}
	if h.known == nil {
		h.known = map[string]*load{}
	}
	h.known[name] = l
}
