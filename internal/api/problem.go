package api

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/time/rate"

	"shieldwall/internal/query"
	"shieldwall/internal/search"
)

// Problem is an answer that says no (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Column is where in a query the mistake is, in characters from 1.
	Column int `json:"column,omitempty"`
	// ErrorID names the error in the node's log; only errors of the node itself have one.
	ErrorID string `json:"error_id,omitempty"`
}

func (p *Problem) Error() string { return p.Detail }

// NewProblem makes a problem of a status.
func NewProblem(status int, format string, args ...any) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// notFound is the one answer for what is not there and for what the client may not see.
func notFound() *Problem {
	return NewProblem(http.StatusNotFound, "there is no such thing, or not for this client")
}

func badRequest(format string, args ...any) *Problem {
	return NewProblem(http.StatusBadRequest, format, args...)
}

func busy(reason string) *Problem {
	return NewProblem(http.StatusTooManyRequests, "%s: try again", reason)
}

// fail answers with an error. One of the node itself stays in its log; the client gets its number.
func (r *request) fail(err error) {
	var p *Problem
	var wrong *query.Error
	switch {
	case errors.As(err, &p):
	case errors.As(err, &wrong):
		p = badRequest("q: %v", wrong)
		p.Column = wrong.Column
	case errors.Is(err, search.ErrCursor):
		p = badRequest("cursor: %v", err)
	case errors.Is(err, search.ErrUnknown):
		p = notFound()
	case r.Context().Err() != nil:
		p = NewProblem(http.StatusServiceUnavailable, "the node stops, or the client went away")
	default:
		p = NewProblem(http.StatusInternalServerError, "the node could not do this; its log says why under the error's id")
		p.ErrorID = rand.Text()
		r.h.opt.Log.Error("API request failed", "error_id", p.ErrorID, "client", r.holder.Name, "error", err)
	}
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		r.w.Header().Set("Retry-After", "1")
	}
	body, err := json.Marshal(p)
	if err != nil { // cannot happen: it is text and numbers
		body = []byte(`{"type":"about:blank","title":"Internal Server Error","status":500,"detail":""}`)
	}
	_ = r.write(p.Status, "application/problem+json", body)
}

// admit finds out who asks and whether its token is enough.
func (r *request) admit(want need) (leave func(), err error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	var ok bool
	if strings.EqualFold(scheme, "Bearer") && token != "" && len(token) <= maxToken {
		if r.holder, ok, err = r.h.opt.Tokens.APIHolder(r.Context(), sha256.Sum256([]byte(token))); err != nil {
			return nil, err
		}
	}
	if !ok {
		if !r.h.strangers.Allow() {
			return nil, busy("too many requests without a valid token")
		}
		r.w.Header().Set("WWW-Authenticate", `Bearer realm="shieldwall"`)
		return nil, NewProblem(http.StatusUnauthorized, "want a bearer token that is known and has not expired; shieldwall token new --scope api:read makes one")
	}
	if err := r.enough(want); err != nil {
		return nil, err
	}
	return r.enter()
}

// enough says whether the token's scopes cover what is wanted.
func (r *request) enough(want need) error {
	h := r.holder
	scope, has := "api:read", h.Read
	switch want {
	case publish:
		scope, has = "api:publish", h.Publish
	case operate:
		scope, has = "api:operate", h.Operate
	}
	switch {
	case !has:
		return NewProblem(http.StatusForbidden, "this token has not the scope %s", scope)
	case want != read && !h.own():
		return NewProblem(http.StatusForbidden, "this is for this member's own staff and machines")
	}
	return nil
}

// enter bounds what each client does at a time and a second.
func (r *request) enter() (leave func(), err error) {
	h := r.h
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.holders[r.holder.Name]
	if l == nil {
		if len(h.holders) >= maxHolders {
			for name, other := range h.holders {
				if other.atWork == 0 {
					delete(h.holders, name)
				}
			}
		}
		l = &load{rate: rate.NewLimiter(holderRate, holderBurst)}
		h.holders[r.holder.Name] = l
	}
	if l.atWork == holderAtOnce || !l.rate.AllowN(h.opt.Now(), 1) {
		return nil, busy("too many requests of this client")
	}
	l.atWork++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		l.atWork--
	}, nil
}

// fits says whether an escaped path is of a pattern, and gives its parameter.
func fits(pattern, path string) (id string, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return "", false
	}
	for i, part := range want {
		if part != "{id}" {
			if part != have[i] {
				return "", false
			}
			continue
		}
		var err error
		if id, err = url.PathUnescape(have[i]); err != nil || id == "" {
			return "", false
		}
	}
	return id, true
}
