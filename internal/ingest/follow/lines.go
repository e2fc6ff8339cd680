package follow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/decode/telemetry"
	"shieldwall/internal/event"
)

// chunk reads on in a file, at most MaxLine bytes.
func (f *Follower) chunk(file *os.File, t *tracked, offset int64) ([]byte, error) {
	n := max(0, min(t.size-offset, MaxLine))
	f.buf = slices.Grow(f.buf[:0], int(n))[:n]
	got, err := file.ReadAt(f.buf, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return f.buf[:got], nil
}

// readLines reads whole lines from where the file was left, at most MaxLine bytes in one look.
func (f *Follower) readLines(ctx context.Context, w *watch, path string, file *os.File, t *tracked) (more bool, err error) {
	chunk, err := f.chunk(file, t, t.offset)
	if err != nil {
		return false, err
	}
	problems := &unreadable{f: f, path: path}
	next := t.mark
	if t.Skipping {
		end := bytes.IndexByte(chunk, '\n') + 1
		if end == 0 {
			return len(chunk) > 0, f.commit(ctx, path, file, t, next, len(chunk))
		}
		next.Skipping = false
		next.Line++
		return true, f.commit(ctx, path, file, t, next, end)
	}
	end := bytes.LastIndexByte(chunk, '\n') + 1
	if end == 0 {
		switch rested := f.opt.Now().Sub(t.since); {
		case len(chunk) == MaxLine:
			problems.report(fmt.Errorf("line %d is longer than %d bytes", t.Line+1, MaxLine))
			next.Skipping = true
			return true, f.commit(ctx, path, file, t, next, len(chunk))
		case len(chunk) == 0:
			t.done = true
			return false, nil
		case rested >= f.opt.Settle && json.Valid(chunk), rested >= grace && t.Header != "":
			end = len(chunk) // its writer ends without a newline
		default:
			t.done = rested >= grace
			return false, nil
		}
	}
	head := []byte(t.Header)
	if len(head) == 0 {
		if head, err = headOf(file, t.offset); err != nil {
			return false, err
		}
	}
	taken, err := f.submit(ctx, w.source, path, t, &next, head, chunk[:end], problems)
	if taken > 0 {
		err = errors.Join(err, f.commit(ctx, path, file, t, next, taken))
	}
	return err == nil && t.offset < t.size, err
}

// submit hands the events of whole lines to the sink. If that refuses one, what stands before its line
// counts as taken; next is told how many lines that is, and under which header. head is the header before the chunk.
func (f *Follower) submit(ctx context.Context, src Source, path string, t *tracked, next *mark, head, chunk []byte, problems *unreadable) (taken int, err error) {
	r := telemetry.Resume(head, bytes.NewReader(chunk), jsonl.Options{Source: path, MaxValueBytes: MaxLine, Names: f.names(), Sparse: true, Borrow: true})
	var events int64
	defer func() {
		if header := r.Header(); taken > 0 && len(header) <= maxHeader {
			next.Header = string(header)
		} else if taken > 0 {
			next.Header = ""
		}
	}()
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			f.took(events, int64(len(chunk)))
			next.Line += int64(bytes.Count(chunk, []byte{'\n'}))
			return len(chunk), nil
		}
		if bad := (*jsonl.ValueError)(nil); errors.As(err, &bad) {
			problems.report(&jsonl.ValueError{
				Record: bad.Record + t.Line, Line: bad.Line + t.Line, Offset: bad.Offset + t.offset, Err: bad.Err,
			})
			continue
		}
		if err != nil {
			return 0, err
		}
		line, err := strconv.ParseInt(ev.Record, 10, 64)
		if err != nil {
			return 0, err
		}
		ev.Record = strconv.FormatInt(line+t.Line, 10)
		src.mark(ev)
		if err := f.opt.Sink.Submit(ctx, ev); err != nil {
			before := lineStart(chunk, line)
			f.took(events, int64(before))
			next.Line += line - 1
			return before, fmt.Errorf("line %s: %w", ev.Record, err)
		}
		events++
	}
}

// headOf reads what a file starts with before an offset, where that is a header: JSON has none.
func headOf(file *os.File, offset int64) ([]byte, error) {
	head := make([]byte, min(offset, 1))
	if n, err := file.ReadAt(head, 0); n == 0 || head[0] != '#' {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return nil, err
	}
	head = make([]byte, min(offset, telemetry.MaxHeader))
	n, err := file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return head[:n], nil
}

// lineStart is where a line, counted from 1, starts.
func lineStart(chunk []byte, line int64) int {
	at := 0
	for ; line > 1; line-- {
		at += bytes.IndexByte(chunk[at:], '\n') + 1
	}
	return at
}

// mark gives an event the source's logsource unless it has its own: Windows records are known by their
// channel.
func (s Source) mark(ev *event.Event) {
	if ev.Channel == "" && ev.Product == "" && ev.Category == "" && ev.Service == "" {
		ev.Product, ev.Category, ev.Service = s.Product, s.Category, s.Service
	}
}

// commit moves the mark forward by what has been taken, once that is durable.
func (f *Follower) commit(ctx context.Context, path string, file *os.File, t *tracked, next mark, taken int) error {
	return f.note(ctx, path, file, t, next, t.offset+int64(taken))
}

// note sets a mark and its offset once what stands before it is durable. Where the end has come meanwhile it does so
// all the same: what was handed on need not come again.
func (f *Follower) note(ctx context.Context, path string, file *os.File, t *tracked, next mark, offset int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	if err := f.opt.Sink.Sync(ctx); err != nil {
		return err
	}
	if err := next.renew(file, t.size, offset); err != nil {
		return err
	}
	if err := f.opt.Offsets.PutOffset(ctx, path, next.String(), offset); err != nil {
		return fmt.Errorf("noting how far %s was read: %w", path, err)
	}
	t.mark, t.offset = next, offset
	return nil
}
