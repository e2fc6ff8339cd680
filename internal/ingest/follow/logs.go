package follow

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"shieldwall/internal/decode/evtx"
	"shieldwall/internal/event"
)

// readLog reads an EVTX file once it has come to rest. If it grows later, it is read again and the records
// that are known by their ids are passed over.
func (f *Follower) readLog(ctx context.Context, w *watch, path string, file *os.File, t *tracked) error {
	modified := t.modified.UnixNano()
	if t.offset == t.size && t.Modified == modified {
		t.done = true
		return nil
	}
	if f.opt.Now().Sub(t.since) < f.opt.Settle {
		return nil
	}
	problems := &unreadable{f: f, path: path}
	last, events := t.Record, int64(0)
	stats, err := evtx.New(file, t.size, evtx.Options{
		Source:    path,
		OnProblem: func(p evtx.Problem) { problems.report(p) },
		Names:     f.names(), Sparse: true, Borrow: true,
	}).Read(func(ev *event.Event) error {
		id, err := strconv.ParseUint(ev.Record, 10, 64)
		if err != nil {
			return fmt.Errorf("record id: %w", err)
		}
		if id <= t.Record {
			return nil
		}
		w.source.mark(ev)
		if err := f.opt.Sink.Submit(ctx, ev); err != nil {
			return fmt.Errorf("record %d: %w", id, err)
		}
		last = max(last, id)
		events++
		return nil
	})
	if errors.Is(err, evtx.ErrNotEVTX) {
		problems.report(err)
		t.done = true
		return nil
	}
	if err != nil {
		return err
	}
	f.took(events, stats.Bytes)
	next := t.mark
	next.Record, next.Modified = last, modified
	if err := f.note(ctx, path, file, t, next, t.size); err != nil {
		return err
	}
	t.done = true
	return nil
}
