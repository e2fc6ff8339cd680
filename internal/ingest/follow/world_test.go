package follow

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"shieldwall/internal/event"
)

// world is a sink and a store of offsets in memory, and a folder; it survives the Follower.
type world struct {
	t       *testing.T
	dir     string
	at      time.Time
	mu      sync.Mutex
	events  []string // taken and durable
	waiting []string // taken since the last Sync
	offsets map[string]string
	refuse  func(text string) error
	syncErr error
	style   style
	see     func(*event.Event) // is told each event that is taken
}

func newWorld(t *testing.T) *world {
	return &world{t: t, dir: t.TempDir(), at: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), offsets: map[string]string{}, style: styles["JSON"]}
}

func (w *world) now() time.Time { return w.at }

func (w *world) Submit(ctx context.Context, ev *event.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, _ := ev.Get("v")
	if w.refuse != nil {
		if err := w.refuse(v.Text); err != nil {
			return err
		}
	}
	if w.see != nil {
		w.see(ev)
	}
	text := v.Text
	if text == "" {
		text = ev.Channel + "#" + ev.Record
	}
	w.waiting = append(w.waiting, text+"@"+filepath.Base(ev.Source)+":"+ev.Record)
	return ctx.Err()
}

func (w *world) Sync(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.syncErr != nil {
		return w.syncErr
	}
	w.events = append(w.events, w.waiting...)
	w.waiting = nil
	return nil
}

func (w *world) Offset(_ context.Context, path string) (ident string, offset int64, err error) {
	text := w.offsets[path]
	if text == "" {
		return "", 0, nil
	}
	_, err = fmt.Sscanf(text, "%d", &offset)
	_, ident, _ = strings.Cut(text, " ")
	return ident, offset, err
}

func (w *world) PutOffset(_ context.Context, path, ident string, offset int64) error {
	if len(w.waiting) > 0 {
		w.t.Errorf("the offset of %s moves before its events are durable", path)
	}
	if _, err := parseMark(ident); err != nil {
		w.t.Errorf("ident %q: %v", ident, err)
	}
	w.offsets[path] = fmt.Sprintf("%d %s", offset, ident)
	return nil
}

// start makes a Follower, as after a restart.
func (w *world) start(sources ...Source) *Follower {
	if len(sources) == 0 {
		sources = []Source{{Path: w.dir}}
	}
	return New(Options{
		Sources: sources, Sink: w, Offsets: w, Now: w.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

// look looks until there is nothing more; the clock stands still.
func (w *world) look(f *Follower) {
	w.t.Helper()
	for n := 0; f.poll(w.t.Context()); n++ {
		if n > 10_000 {
			w.t.Fatal("never done")
		}
	}
}

// polls looks until there is nothing more, and some looks later.
func (w *world) polls(f *Follower) {
	w.t.Helper()
	for range 4 {
		w.look(f)
		w.at = w.at.Add(time.Second)
	}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, content string) {
	w.t.Helper()
	w.append(name, content, os.O_TRUNC)
}

func (w *world) append(name, content string, flags ...int) {
	w.t.Helper()
	flag := os.O_WRONLY | os.O_CREATE
	if len(flags) == 0 {
		flag |= os.O_APPEND
	}
	for _, x := range flags {
		flag |= x
	}
	f, err := os.OpenFile(w.path(name), flag, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := f.WriteString(content); err != nil {
		w.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) rename(from, to string) {
	w.t.Helper()
	if err := os.Rename(w.path(from), w.path(to)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) copy(from, to string) {
	w.t.Helper()
	b, err := os.ReadFile(w.path(from))
	if err != nil {
		w.t.Fatal(err)
	}
	w.write(to, string(b))
}

// numbered makes JSON lines v = from .. to.
func numbered(from, to int) string { return styles["JSON"].lines(from, to) }

func (s style) lines(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, s.line+"\n", i)
	}
	return b.String()
}

// lines makes lines in the world's style.
func (w *world) lines(from, to int) string { return w.style.lines(from, to) }

// values lists the values taken, without their places.
func (w *world) values() string {
	var out []string
	for _, e := range w.events {
		v, _, _ := strings.Cut(e, "@")
		out = append(out, v)
	}
	return strings.Join(out, " ")
}

// expect checks that exactly these values were taken, in any order, each once.
func (w *world) expect(from, to int) {
	w.t.Helper()
	count := map[string]int{}
	for v := range strings.FieldsSeq(w.values()) {
		count[v]++
	}
	want := map[string]int{}
	for i := from; i <= to; i++ {
		want[fmt.Sprint(i)] = 1
	}
	if !maps.Equal(count, want) {
		w.t.Errorf("took %s; want %d to %d, each once", w.values(), from, to)
	}
}
