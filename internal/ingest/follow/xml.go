package follow

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"shieldwall/internal/decode/eventxml"
)

// readXML reads whole events from where the file was left, at most MaxLine bytes in one look. One that has no end yet
// waits for it.
func (f *Follower) readXML(ctx context.Context, w *watch, path string, file *os.File, t *tracked) (more bool, err error) {
	chunk, err := f.chunk(file, t, t.offset)
	if err != nil {
		return false, err
	}
	problems := &unreadable{f: f, path: path}
	next, taken, events := t.mark, 0, int64(0)
	for err == nil {
		skip, advance, text := eventxml.Cut(chunk[taken:])
		if text == nil {
			taken += advance
			break
		}
		if err = f.submitXML(ctx, w.source, path, text, next.Line+1); err == nil {
			events++
		} else if bad := (*eventxml.Error)(nil); errors.As(err, &bad) {
			problems.report(&eventxml.Error{Offset: t.offset + int64(taken+skip), Err: bad.Err})
			err = nil
		} else {
			break
		}
		next.Line++
		taken += advance
	}
	if taken > 0 {
		f.took(events, int64(taken))
		err = errors.Join(err, f.commit(ctx, path, file, t, next, taken))
	}
	more = err == nil && taken > 0 && t.offset < t.size
	t.done = err == nil && !more
	return more, err
}

// submitXML hands an event to the sink. An *eventxml.Error costs that event.
func (f *Follower) submitXML(ctx context.Context, src Source, path string, text []byte, number int64) error {
	ev, err := eventxml.Parse(text)
	if err != nil {
		return &eventxml.Error{Err: err}
	}
	ev.Source = path
	if ev.Record == "" {
		ev.Record = strconv.FormatInt(number, 10)
	}
	src.mark(ev)
	if err := f.opt.Sink.Submit(ctx, ev); err != nil {
		return fmt.Errorf("event %s: %w", ev.Record, err)
	}
	return nil
}
