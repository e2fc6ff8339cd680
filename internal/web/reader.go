package web

import (
	"context"
	"fmt"
	"time"

	"shieldwall/internal/status"
)

// How many items of each list are read; what the filter searches.
const (
	readPublications = 500
	readObjects      = 2000
	readSightings    = 2000
	readDetections   = 2000
)

// freshFor is how long a reading serves everybody who asks, so that ten open pages cost as much as one.
const freshFor = 900 * time.Millisecond

// reader reads the source for all pages and streams.
type reader struct {
	src          Source
	node         memo[status.Node]
	publications memo[[]status.Publication]
	objects      memo[[]status.Object]
	sightings    memo[[]status.Sightings]
}

func newReader(src Source, now func() time.Time) *reader {
	return &reader{
		src: src,
		node: newMemo(now, "reading the node's status", func(ctx context.Context) (status.Node, error) {
			return src.Status(ctx)
		}),
		publications: newMemo(now, "reading publications", func(ctx context.Context) ([]status.Publication, error) {
			return src.Publications(ctx, readPublications)
		}),
		objects: newMemo(now, "reading objects", func(ctx context.Context) ([]status.Object, error) {
			return src.Objects(ctx, readObjects)
		}),
		sightings: newMemo(now, "reading sightings", func(ctx context.Context) ([]status.Sightings, error) {
			return src.Sightings(ctx, readSightings)
		}),
	}
}

// detections are never remembered: a stream joins them to what it follows without a gap.
func (r *reader) detections(ctx context.Context) ([]status.Detection, error) {
	d, err := r.src.Detections(ctx, readDetections)
	if err != nil {
		return nil, fmt.Errorf("reading detections: %w", err)
	}
	return d, nil
}

// memo remembers the last good reading of one thing for a moment. The reading is shared: read only.
type memo[T any] struct {
	now   func() time.Time
	what  string
	fetch func(context.Context) (T, error)

	turn chan struct{} // holds one token; whoever has it owns the two fields below
	at   time.Time
	last T
}

func newMemo[T any](now func() time.Time, what string, fetch func(context.Context) (T, error)) memo[T] {
	m := memo[T]{now: now, what: what, fetch: fetch, turn: make(chan struct{}, 1)}
	m.turn <- struct{}{}
	return m
}

// get returns a reading at most freshFor old. Those who come at the same time wait for one reading.
func (m *memo[T]) get(ctx context.Context) (T, error) {
	var zero T
	select {
	case <-m.turn:
	case <-ctx.Done():
		return zero, fmt.Errorf("%s: %w", m.what, ctx.Err())
	}
	defer func() { m.turn <- struct{}{} }()
	if age := m.now().Sub(m.at); !m.at.IsZero() && age >= 0 && age < freshFor {
		return m.last, nil
	}
	v, err := m.fetch(ctx)
	if err != nil {
		return zero, fmt.Errorf("%s: %w", m.what, err)
	}
	m.at, m.last = m.now(), v
	return v, nil
}
