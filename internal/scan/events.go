package scan

import (
	"context"

	"shieldwall/internal/event"
)

// Events reads recordings the way Run does and yields their events; an event may be used until yield
// returns. What could not be read is in Stats.Errors. The error is yield's or ctx's.
func Events(ctx context.Context, paths []string, yield func(*event.Event) error) (Stats, error) {
	s := &scanner{ctx: ctx, opt: Options{Paths: paths}, each: yield}
	err := s.scan()
	return s.stats, err
}
