package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
)

// Kind says what a caller can do about an error. It survives the wire.
type Kind string

const (
	// Failed is an error that is not the caller's: the disk, the network, a bug.
	Failed Kind = "failed"
	// Usage is a request that makes no sense as it stands.
	Usage Kind = "usage"
	// Refused is a request that policy, the roster or a peer refuses.
	Refused Kind = "refused"
	// NotFound is a request about something that is not here.
	NotFound Kind = "not found"
	// Unavailable is a request that this node cannot serve now; later it may.
	Unavailable Kind = "unavailable"
)

// statusOf gives each kind its HTTP status. A kind that is not here is of a later version and reads as Failed.
var statusOf = map[Kind]int{
	Failed:      http.StatusInternalServerError,
	Usage:       http.StatusBadRequest,
	Refused:     http.StatusForbidden,
	NotFound:    http.StatusNotFound,
	Unavailable: http.StatusServiceUnavailable,
}

// Error is an error with its kind.
type Error struct {
	Kind Kind
	err  error
}

// Errorf makes an error of a kind; the format is fmt.Errorf's, %w included.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, err: fmt.Errorf(format, args...)}
}

// Error is the text alone: what kind it is shows in what the caller does.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap is the cause; nothing of it but its text crosses the wire.
func (e *Error) Unwrap() error { return e.err }

// KindOf is an error's kind: that of the first *Error in its chain, NotFound for fs.ErrNotExist,
// Unavailable for a context that ended, else Failed.
func KindOf(err error) Kind {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, fs.ErrNotExist):
		return NotFound
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Unavailable
	}
	return Failed
}

// wireError is an error's form on the wire.
type wireError struct {
	Kind  Kind   `json:"kind"`
	Error string `json:"error"`
}

func toWire(err error) *wireError { return &wireError{KindOf(err), err.Error()} }

func (w *wireError) err() error {
	kind := w.Kind
	if _, known := statusOf[kind]; !known {
		kind = Failed
	}
	text := w.Error
	if text == "" {
		text = "the node gave no reason"
	}
	return &Error{Kind: kind, err: errors.New(text)}
}
