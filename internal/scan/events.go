package scan

import (
	"context"

	"shieldwall/internal/event"
)

// Events reads recordings as Run does, one after the other, and yields their events; an event may be used until
// yield returns. What could not be read is in Stats.Errors. The error is yield's or ctx's.
func Events(ctx context.Context, paths []string, yield func(*event.Event) error) (Stats, error) {
	s := &scanner{ctx: ctx, opt: Options{Paths: paths}}
	closeAll, err := s.eachFile(func(f *file) error {
		r := &reader{scanner: s, file: f, each: yield}
		err := r.open()
		s.stats.add(&r.stats)
		return err
	})
	closeAll()
	return s.stats, err
}
