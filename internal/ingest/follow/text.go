package follow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"shieldwall/internal/decode/auditd"
	"shieldwall/internal/decode/lines"
	"shieldwall/internal/decode/syslog"
	"shieldwall/internal/event"
)

// decoder decodes lines, and may hold some back until others have come: auditd.Joiner and syslog.Decoder say how.
type decoder interface {
	At(now time.Time)
	Add(at lines.Place, text string) error
	Deliver() error
	Expire(now time.Time) error
	Flush() error
	Open() []lines.Open
	Resume(offset int64, open []lines.Open)
	succeed(before decoder)
}

type auditLines struct{ *auditd.Joiner }

func (a auditLines) Add(at lines.Place, text string) error { return a.Joiner.Add(at, "", text) }

func (a auditLines) succeed(before decoder) {
	if b, ok := before.(auditLines); ok {
		a.Succeed(b.Joiner)
	}
}

type syslogLines struct{ *syslog.Decoder }

func (s syslogLines) succeed(before decoder) {
	if b, ok := before.(syslogLines); ok {
		s.Succeed(b.Decoder)
	}
}

// reading is how far a file was read by a decoder that holds lines back. The mark follows it: it stands where the
// first line is that was not given out.
type reading struct {
	dec      decoder
	pos      int64 // what was read
	line     int64 // lines before it
	again    int64 // what stands before this was read before a restart
	skipping bool  // within a line that is too long

	moved  bool                     // something happened that is not noted
	events int64                    // of it
	bytes  int64                    // of it
	take   func(*event.Event) error // of the current look
}

// resume makes the reading of a file from its mark.
func (t *tracked) resume() *reading {
	if t.reading != nil {
		return t.reading
	}
	r := &reading{pos: t.offset, line: t.Line, again: t.offset + t.Ahead, skipping: t.Skipping && t.Ahead == 0}
	yield := func(ev *event.Event) error { return r.take(ev) }
	if t.Kind == kindAudit {
		r.dec = auditLines{auditd.NewJoiner("", yield)}
	} else {
		r.dec = syslogLines{syslog.NewDecoder("", yield)}
	}
	if t.former != nil {
		r.dec.succeed(t.former)
		t.former = nil
	}
	held := make([]lines.Open, len(t.Open))
	for i, o := range t.Open {
		held[i] = lines.Open{Place: lines.Place{Offset: t.offset + o.At}, Given: o.Given}
	}
	r.dec.Resume(r.again, held)
	t.reading = r
	return r
}

// reset forgets what was read behind the mark: it is read again.
func (t *tracked) reset() {
	if t.reading != nil {
		t.former, t.reading = t.reading.dec, nil
	}
}

// taker gives events of a reading to the sink.
func (f *Follower) taker(ctx context.Context, src Source, path string, r *reading) func(*event.Event) error {
	return func(ev *event.Event) error {
		ev.Source = path
		src.mark(ev)
		if err := f.opt.Sink.Submit(ctx, ev); err != nil {
			return fmt.Errorf("line %s: %w", ev.Record, err)
		}
		r.moved = true
		r.events++
		return nil
	}
}

// readText reads whole lines from where the file was left, at most MaxLine bytes in one look. At the file's end it
// gives out what has waited long enough.
func (f *Follower) readText(ctx context.Context, w *watch, path string, file *os.File, t *tracked) (more bool, err error) {
	now := f.opt.Now()
	r := t.resume()
	r.take = f.taker(ctx, w.source, path, r)
	r.dec.At(now)
	if err := r.dec.Deliver(); err != nil {
		return false, errors.Join(err, f.settle(ctx, path, file, t))
	}
	chunk, err := f.chunk(file, t, r.pos)
	if err != nil {
		return false, err
	}
	problems := &unreadable{f: f, path: path}
	rested := now.Sub(t.since)
	end := r.whole(chunk, rested >= grace, problems)
	err = r.add(chunk[:end], problems)
	more = err == nil && end > 0 && r.pos < t.size
	if err == nil && !more {
		err = r.dec.Expire(now)
	}
	t.done = err == nil && !more && (end == len(chunk) || rested >= grace) && len(r.dec.Open()) == 0
	return more, errors.Join(err, f.settle(ctx, path, file, t))
}

// whole is how much of what follows is to be read now: whole lines, or what is part of a line that is too long, or
// a last line without its end that nobody goes on with.
func (r *reading) whole(chunk []byte, rested bool, problems *unreadable) int {
	end := bytes.LastIndexByte(chunk, '\n') + 1
	switch {
	case end > 0:
		return end
	case len(chunk) == MaxLine && !r.skipping:
		if r.pos >= r.again {
			problems.report(fmt.Errorf("line %d is longer than %d bytes", r.line+1, MaxLine))
		}
		r.skipping = true
		return len(chunk)
	case r.skipping || rested:
		return len(chunk)
	}
	return 0
}

// add hands lines to the decoder; its error is the sink's.
func (r *reading) add(text []byte, problems *unreadable) error {
	for len(text) > 0 {
		line := text
		if end := bytes.IndexByte(text, '\n') + 1; end > 0 {
			line = text[:end]
		}
		text = text[len(line):]
		if err := r.addLine(line, problems); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) addLine(line []byte, problems *unreadable) error {
	at := lines.Place{Line: r.line + 1, Offset: r.pos}
	skipped := r.skipping
	r.pos += int64(len(line))
	r.moved = true
	if r.pos > r.again {
		r.bytes += int64(len(line))
	}
	bare, ended := bytes.CutSuffix(line, []byte("\n"))
	if ended {
		r.line++
		r.skipping = false
	}
	if skipped {
		return nil
	}
	bare = bytes.TrimSuffix(bare, []byte("\r"))
	if at.Offset == 0 {
		bare = bytes.TrimPrefix(bare, []byte(bom))
	}
	var err error
	if len(bare) > lines.MaxLine {
		err = &lines.Error{Line: at.Line, Err: fmt.Errorf("more than %d bytes: %w", lines.MaxLine, lines.ErrTooLong)}
	} else {
		err = r.dec.Add(at, string(bare))
	}
	if err == nil {
		return nil
	}
	if bad := (*lines.Error)(nil); errors.As(err, &bad) {
		if at.Offset >= r.again {
			problems.report(bad)
		}
		return nil
	}
	return err
}

// settle moves the mark to the first line that was not given out, once what was is durable.
func (f *Follower) settle(ctx context.Context, path string, file *os.File, t *tracked) error {
	r := t.reading
	if !r.moved || r.pos < r.again {
		return nil
	}
	next, offset := t.marked()
	if err := f.note(ctx, path, file, t, next, offset); err != nil {
		t.reset()
		return err
	}
	f.settled(r)
	return nil
}

func (f *Follower) settled(r *reading) {
	f.took(r.events, r.bytes)
	r.moved, r.events, r.bytes = false, 0, 0
}

// marked is the mark, without its fingerprints, and the offset for what was read and given out.
func (t *tracked) marked() (next mark, offset int64) {
	r := t.reading
	next, offset = t.mark, r.pos
	next.Line, next.Ahead, next.Open, next.Skipping = r.line, 0, nil, r.skipping
	held := r.dec.Open()
	if len(held) == 0 {
		return next, offset
	}
	offset = held[0].Offset
	next.Line, next.Ahead = held[0].Line-1, r.pos-offset
	for _, o := range held {
		next.Open = append(next.Open, open{At: o.Offset - offset, Given: o.Given})
	}
	return next, offset
}

// release gives out what a file that lost its path holds back: nothing can come behind it any more. It does so
// once the file can not be found under another name and go on there.
func (f *Follower) release(ctx context.Context, w *watch, t *tracked) error {
	r := t.reading
	if r == nil || t.missing(w.turn) {
		return nil
	}
	if r.pos < r.again { // it was going over what it had read before
		t.reset()
		return nil
	}
	r.take = f.taker(ctx, w.source, t.path, r)
	r.dec.At(f.opt.Now())
	if err := r.dec.Flush(); err != nil {
		return err
	}
	if err := f.opt.Sink.Sync(ctx); err != nil {
		t.reset()
		return err
	}
	f.settled(r)
	next, offset := t.marked()
	t.mark, t.offset = next, offset
	t.reset()
	return nil
}
