package taxii

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Error is an answer that says no (section 3.6.1).
type Error struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	// ID names this error in the node's log; only errors of the node itself have one.
	ID string `json:"error_id,omitempty"`
	// Status is a string: so says the specification.
	Status string `json:"http_status"`

	code       int
	retryAfter string
}

func (e *Error) Error() string { return e.Title + ": " + e.Description }

func problem(code int, title, format string, args ...any) *Error {
	return &Error{Title: title, Description: fmt.Sprintf(format, args...), Status: strconv.Itoa(code), code: code}
}

// notFound is the one answer for what is not there and for what the client may not see.
func notFound() *Error {
	return problem(http.StatusNotFound, "Not found", "there is no such resource, or not for this client")
}

func forbidden(format string, args ...any) *Error {
	return problem(http.StatusForbidden, "Forbidden", format, args...)
}

func badRequest(format string, args ...any) *Error {
	return problem(http.StatusBadRequest, "Bad request", format, args...)
}

func busy(reason string) *Error {
	e := problem(http.StatusTooManyRequests, "Too many requests", "%s: try again", reason)
	e.retryAfter = retryAfter
	return e
}

// fail answers with an error. One of the node itself stays in its log; the client gets its number.
func (r *request) fail(err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = problem(http.StatusInternalServerError, "Server error", "the node could not do this; its log says why under the error's id")
		if r.Context().Err() != nil {
			e.code, e.Status = http.StatusServiceUnavailable, strconv.Itoa(http.StatusServiceUnavailable)
		}
		e.ID = rand.Text()
		r.h.opt.Log.Error("TAXII request failed", "error_id", e.ID, "client", r.holder.Name, "method", readable(r.Method), "path", readable(r.URL.Path), "error", err)
	}
	if e.retryAfter != "" {
		r.w.Header().Set("Retry-After", e.retryAfter)
	}
	body, merr := json.Marshal(e)
	if merr != nil {
		body = []byte(`{"title":"Server error","http_status":"500"}`)
		e.code = http.StatusInternalServerError
	}
	r.write(e.code, body)
}

// readable makes what a client sent fit for a message.
func readable(s string) string {
	const most = 100
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.Trim(strconv.QuoteToASCII(s), `"`)
}
