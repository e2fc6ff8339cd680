package follow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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
}

func newWorld(t *testing.T) *world {
	return &world{t: t, dir: t.TempDir(), at: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), offsets: map[string]string{}}
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

// polls looks until there is nothing more, and some looks later.
func (w *world) polls(f *Follower) {
	w.t.Helper()
	for range 4 {
		for n := 0; f.poll(w.t.Context()); n++ {
			if n > 1000 {
				w.t.Fatal("never done")
			}
		}
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

// lines makes JSON lines v = from .. to.
func lines(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, "{\"v\":%d,\"pad\":%q}\n", i, strings.Repeat("x", 40))
	}
	return b.String()
}

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

func TestAppend(t *testing.T) {
	w := newWorld(t)
	f := w.start(Source{Path: w.path("a.jsonl"), Product: "linux", Category: "process_creation"})
	w.polls(f) // no file yet
	w.write("a.jsonl", "")
	w.polls(f)
	w.append("a.jsonl", lines(1, 2))
	w.polls(f)
	if got, want := strings.Join(w.events, " "), "1@a.jsonl:1 2@a.jsonl:2"; got != want {
		t.Errorf("took %s, want %s", got, want)
	}
	next := lines(3, 4)
	w.append("a.jsonl", next[:10])
	w.polls(f)
	w.expect(1, 2) // the line is not whole
	w.append("a.jsonl", next[10:])
	w.polls(f)
	w.expect(1, 4)
	if got, want := w.events[3], "4@a.jsonl:4"; got != want {
		t.Errorf("the last is %s, want %s", got, want)
	}
	f = w.start(Source{Path: w.path("a.jsonl")}) // a restart
	w.polls(f)
	w.append("a.jsonl", lines(5, 5))
	w.polls(f)
	w.expect(1, 5)
	if got, want := w.events[4], "5@a.jsonl:5"; got != want {
		t.Errorf("after a restart the line is %s, want %s", got, want)
	}
	if st := f.Stats(); st.Files != 1 || st.Events != 1 || st.Errors != 0 || st.Problem != "" {
		t.Errorf("stats: %+v", st)
	}
}

func TestLogsource(t *testing.T) {
	src := Source{Product: "linux", Category: "process_creation", Service: "auditd"}
	ev := &event.Event{}
	src.mark(ev)
	if ev.Product != "linux" || ev.Category != "process_creation" || ev.Service != "auditd" {
		t.Errorf("%+v", ev)
	}
	windows := &event.Event{Channel: "Security"}
	if src.mark(windows); windows.Product != "" {
		t.Error("a Windows record says its logsource itself")
	}
}

func TestRotation(t *testing.T) {
	type step = func(w *world)
	gap := 30 // lines in the file at first: more than a fingerprint
	for name, tc := range map[string]struct {
		before step // between a look and the next
		last   int
	}{
		"rename and create": {func(w *world) {
			w.append("a.log", lines(gap+1, gap+2))
			w.rename("a.log", "a.log.1")
			w.write("a.log", lines(gap+3, gap+4))
		}, gap + 4},
		"rename, the writer goes on in the old file": {func(w *world) {
			w.rename("a.log", "a.log.1")
			w.write("a.log", "")
			w.append("a.log.1", lines(gap+1, gap+2))
			w.append("a.log", lines(gap+3, gap+4))
		}, gap + 4},
		"rename, nothing new yet": {func(w *world) {
			w.append("a.log", lines(gap+1, gap+2))
			w.rename("a.log", "a.log.1")
		}, gap + 2},
		"a chain": {func(w *world) {
			w.write("a.log.1", "")
			w.append("a.log", lines(gap+1, gap+1))
			w.rename("a.log.1", "a.log.2")
			w.rename("a.log", "a.log.1")
			w.write("a.log", lines(gap+2, gap+3))
		}, gap + 3},
		"copy and truncate": {func(w *world) {
			w.append("a.log", lines(gap+1, gap+2))
			w.copy("a.log", "a.log.1")
			w.write("a.log", lines(gap+3, gap+4))
		}, gap + 4},
		"copy, truncate and grow beyond": {func(w *world) {
			w.copy("a.log", "a.log.1")
			w.write("a.log", lines(gap+1, 4*gap))
		}, 4 * gap},
		"truncate": {func(w *world) { w.write("a.log", lines(gap+1, gap+2)) }, gap + 2},
		"replace by another file": {func(w *world) {
			w.write("b.tmp", lines(gap+1, 3*gap))
			w.rename("b.tmp", "a.log")
		}, 3 * gap},
		"replace by a copy that goes on": {func(w *world) {
			w.write(".b", lines(1, gap+3))
			w.rename(".b", "a.log")
		}, gap + 3},
		"remove and create": {func(w *world) {
			if err := os.Remove(w.path("a.log")); err != nil {
				w.t.Fatal(err)
			}
			w.write("a.log", lines(gap+1, gap+2))
		}, gap + 2},
	} {
		for _, folder := range []bool{false, true} {
			for _, restart := range []bool{false, true} {
				if folder && restart && name == "rename, nothing new yet" {
					continue // read again, as the package comment says
				}
				t.Run(fmt.Sprintf("%s, folder %v, restart %v", name, folder, restart), func(t *testing.T) {
					w := newWorld(t)
					src := Source{Path: w.path("a.log")}
					if folder {
						src.Path = w.dir
					}
					w.write("a.log", lines(1, gap))
					f := w.start(src)
					w.polls(f)
					w.expect(1, gap)
					tc.before(w)
					if restart {
						f = w.start(src)
					}
					w.polls(f)
					w.polls(f)
					w.expect(1, tc.last)
					w.append("a.log", lines(tc.last+1, tc.last+2))
					w.polls(f)
					w.expect(1, tc.last+2)
					w.polls(w.start(src))
					w.expect(1, tc.last+2)
					if st := f.Stats(); st.Errors != 0 {
						t.Errorf("stats: %+v", st)
					}
				})
			}
		}
	}
}

// TestRenamedInFolder renames a followed file to any name: it is the same file still.
func TestRenamedInFolder(t *testing.T) {
	for _, to := range []string{"0.jsonl", "z.jsonl"} {
		w := newWorld(t)
		f := w.start()
		w.write("m.jsonl", lines(1, 30))
		w.polls(f)
		w.rename("m.jsonl", to)
		w.append(to, lines(31, 32))
		w.polls(f)
		w.expect(1, 32)
		f = w.start()
		w.append(to, lines(33, 33))
		w.polls(f)
		w.expect(1, 33)
	}
}

func TestRotatedIsForgotten(t *testing.T) {
	w := newWorld(t)
	f := w.start(Source{Path: w.path("a.log")})
	w.write("a.log", lines(1, 20))
	w.polls(f)
	w.rename("a.log", "a.log.1")
	w.write("a.log", lines(21, 22))
	w.polls(f)
	if len(f.watches[0].rotated) != 1 {
		t.Fatalf("the rotated file is not read on: %v", f.watches[0].rotated)
	}
	w.at = w.at.Add(2 * grace)
	w.polls(f)
	if x := f.watches[0]; len(x.rotated) != 0 || len(x.stray) != 0 || len(x.files) != 1 {
		t.Errorf("still kept: %v, %v, %v", x.rotated, x.stray, x.files)
	}
	w.expect(1, 22)
}

func TestLastLineWithoutNewline(t *testing.T) {
	w := newWorld(t)
	f := w.start()
	w.write("whole.jsonl", strings.TrimSuffix(lines(1, 3), "\n"))
	w.write("torn.jsonl", lines(4, 4)+`{"v":5,"pa`)
	w.polls(f)
	if got := w.values(); got != "4 1 2" {
		t.Errorf("took %q, want what has a newline", got)
	}
	w.at = w.at.Add(DefaultSettle)
	w.polls(f)
	w.expect(1, 4) // 3 is whole, 5 is not
	w.append("whole.jsonl", "\n"+lines(6, 6))
	w.append("torn.jsonl", "d\":1}\n")
	w.polls(f)
	w.expect(1, 6)
}

func TestBrokenLines(t *testing.T) {
	w := newWorld(t)
	f := w.start(Source{Path: w.path("a.jsonl")})
	w.write("a.jsonl", lines(1, 1)+"{\"v\":\n"+lines(2, 2)+"not json\n"+"{\"v\":"+strings.Repeat("[", 5000)+"\n"+lines(3, 3)+"{\"v\":\"\xff\"}\n")
	w.polls(f)
	if got := w.values(); got != "1 2 3 \uFFFD" {
		t.Errorf("took %q", got)
	}
	if st := f.Stats(); st.Errors != 3 || !strings.Contains(st.Problem, "a.jsonl") {
		t.Errorf("stats: %+v", st)
	}
}

func TestLongLine(t *testing.T) {
	w := newWorld(t)
	f := w.start()
	long := `{"v":"` + strings.Repeat("x", 3*MaxLine) + `"}`
	w.write("a.jsonl", lines(1, 2)+long[:MaxLine+10])
	w.polls(f)
	w.append("a.jsonl", long[MaxLine+10:]+"\n"+lines(3, 4))
	w.polls(f)
	w.expect(1, 4)
	if got, want := w.events[3], "4@a.jsonl:5"; got != want {
		t.Errorf("the last is %s, want %s", got, want)
	}
	if st := f.Stats(); st.Errors != 1 || !strings.Contains(st.Problem, "line 3 is longer") {
		t.Errorf("stats: %+v", st)
	}
	if cap(f.buf) > 2*MaxLine {
		t.Errorf("the buffer grew to %d bytes", cap(f.buf))
	}
}

// TestRefused has a sink that is busy, and one whose disk is full: nothing is lost, and what went before the
// refused line is not sent again.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	f := w.start()
	w.write("a.jsonl", lines(1, 10))
	busy := errors.New("busy")
	w.refuse = func(v string) error {
		if v == "5" {
			return busy
		}
		return nil
	}
	w.polls(f)
	w.expect(1, 4)
	if st := f.Stats(); st.Errors != 1 || !strings.Contains(st.Problem, "busy") {
		t.Errorf("stats: %+v", st)
	}
	w.refuse = nil
	w.syncErr = errors.New("disk full")
	w.polls(f)
	w.expect(1, 4)
	w.syncErr, w.waiting = nil, nil // what was taken and not durable is gone with a crash
	w.polls(f)
	w.expect(1, 10)
}

func TestCrash(t *testing.T) {
	w := newWorld(t)
	f := w.start()
	w.write("a.jsonl", lines(1, 5))
	w.polls(f)
	before := maps.Clone(w.offsets)
	w.append("a.jsonl", lines(6, 8))
	w.polls(f)
	w.offsets = before // the offset was not written any more
	f = w.start()
	w.polls(f)
	if got := w.values(); got != "1 2 3 4 5 6 7 8 6 7 8" {
		t.Errorf("took %s; want the last lines again", got)
	}
}

func TestFolder(t *testing.T) {
	w := newWorld(t)
	for _, dir := range []string{"sub/deep", ".hidden", strings.Repeat("d/", maxDepth+2)} {
		if err := os.MkdirAll(w.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.write("a.jsonl", lines(1, 1))
	w.write("sub/deep/b.log", lines(2, 2))
	w.write("sub/bom.json", bom+lines(3, 3))
	w.write(".hidden/c.jsonl", lines(100, 100))
	w.write(".half", lines(101, 101))
	w.write(strings.Repeat("d/", maxDepth+2)+"x.jsonl", lines(102, 102))
	w.write("readme.txt", "telemetry goes here\n")
	w.write("old.jsonl.gz", "\x1f\x8b\x08\x00")
	w.write("array.json", "[\n"+lines(103, 103)+"]")
	w.write("empty", "")
	if err := os.Symlink(w.path(".half"), w.path("link.jsonl")); err != nil {
		t.Log("no links here:", err)
	}
	f := w.start()
	w.polls(f)
	w.expect(1, 3)
	if st := f.Stats(); st.Ignored != 3 || !strings.Contains(st.Problem, "folders deep") {
		t.Errorf("stats: %+v", st)
	}
	w.write("readme.txt", lines(4, 4)) // it became telemetry
	w.write("empty", lines(5, 5))
	w.polls(f)
	w.expect(1, 5)
}

func TestTooManyFiles(t *testing.T) {
	w := newWorld(t)
	for i := range 21 {
		w.write(fmt.Sprintf("%06d", i), "")
	}
	if got, err := listFolder(w.dir, 20); len(got) != 20 || err == nil || !strings.Contains(err.Error(), "not followed") {
		t.Errorf("%d files, %v", len(got), err)
	}
	if got, err := listFolder(w.dir, 21); len(got) != 21 || err != nil {
		t.Errorf("%d files, %v", len(got), err)
	}
}

func TestUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
	w := newWorld(t)
	w.write("a.jsonl", lines(1, 1))
	w.write("b.jsonl", lines(2, 2))
	if err := os.Chmod(w.path("a.jsonl"), 0); err != nil {
		t.Fatal(err)
	}
	f := w.start()
	w.polls(f)
	w.expect(2, 2)
	if st := f.Stats(); st.Errors != 1 || !strings.Contains(st.Problem, "a.jsonl") {
		t.Errorf("stats: %+v", st)
	}
	if err := os.Chmod(w.path("a.jsonl"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.polls(f)
	w.expect(1, 2)
}

func TestBrokenMark(t *testing.T) {
	w := newWorld(t)
	w.write("a.jsonl", lines(1, 3))
	w.offsets[w.path("a.jsonl")] = "120 {\"v\":9}"
	f := w.start()
	w.polls(f)
	w.expect(1, 3)
	if st := f.Stats(); st.Errors != 1 || !strings.Contains(st.Problem, "read again") {
		t.Errorf("stats: %+v", st)
	}
}

func TestRun(t *testing.T) {
	w := newWorld(t)
	synctest.Test(t, func(t *testing.T) {
		f := w.start()
		f.opt.Now = time.Now
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- f.Run(ctx) }()
		w.write("a.jsonl", lines(1, 3))
		time.Sleep(3 * time.Second)
		w.append("a.jsonl", lines(4, 6))
		time.Sleep(3 * time.Second)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	w.expect(1, 6)
}

// TestNoNodes follows files as on a platform that does not tell their place: content alone decides.
func TestNoNodes(t *testing.T) {
	w := newWorld(t)
	w.write("a.log", lines(1, 20))
	f := w.start()
	w.polls(f)
	for path, text := range w.offsets {
		ident, offset, err := w.Offset(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := parseMark(ident)
		if err != nil {
			t.Fatal(err, text)
		}
		m.Node = ""
		w.offsets[path] = fmt.Sprintf("%d %s", offset, m)
	}
	w.rename("a.log", "a.log.1")
	w.append("a.log.1", lines(21, 21))
	w.write("a.log", lines(22, 23))
	f = w.start()
	w.polls(f)
	w.expect(1, 23)
}

func TestMark(t *testing.T) {
	good := mark{Kind: kindLines, Node: "1:2", Line: 3}
	sum, err := printOf(bytes.NewReader([]byte("abc")), 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	good.Head, good.Tail = sum, sum
	if got, err := parseMark(good.String()); err != nil || got.String() != good.String() {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := printOf(bytes.NewReader([]byte("abc")), 2, 2); !errors.Is(err, io.EOF) {
		t.Errorf("a fingerprint of what is not there: %v", err)
	}
	for name, change := range map[string]func(*mark){
		"kind":       func(m *mark) { m.Kind = kindIgnored },
		"sum":        func(m *mark) { m.Head.Sum = "00" },
		"size":       func(m *mark) { m.Tail.N = printSize + 1 },
		"line":       func(m *mark) { m.Line = -1 },
		"long":       func(m *mark) { m.Node = strings.Repeat("x", maxIdent) },
		"other node": func(m *mark) { m.Node = "\x00" },
	} {
		m := good
		change(&m)
		if _, err := parseMark(m.String()); (err == nil) != (name == "other node") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, s := range []string{"", "{}", good.String() + " ", strings.Replace(good.String(), `"v":1`, `"v":2`, 1), strings.Replace(good.String(), "{", `{"x":1,`, 1)} {
		if _, err := parseMark(s); err == nil {
			t.Errorf("%q is read", s)
		}
	}
}

func TestKindOf(t *testing.T) {
	for head, want := range map[string]kind{
		"": kindUnknown, " \n": kindUnknown, "{": kindLines, "\n {\"a\"": kindLines, bom + "{": kindLines, bom[:2]: kindUnknown,
		"Elf": kindUnknown, evtxMagic + "x": kindEVTX, "ElfX": kindIgnored, "[": kindIgnored, "\x1f\x8b": kindIgnored, "abc": kindIgnored,
	} {
		if got := kindOf([]byte(head)); got != want {
			t.Errorf("%q is %q, want %q", head, got, want)
		}
	}
}

func FuzzMark(f *testing.F) {
	seeds := []string{"", "{}", "null", `{"v":1}`, mark{Kind: kindLines}.String(), mark{Kind: kindEVTX, Node: "a:b", Record: 1 << 63, Modified: -1}.String(),
		`{"v":1,"kind":"lines","node":"","head":{"n":0,"sum":""},"tail":{"n":0,"sum":""},"line":0,"record":0,"modified":0}`,
		mark{Kind: kindLines, Head: fingerprint{3, strings.Repeat("ab", 32)}, Tail: fingerprint{0, strings.Repeat("00", 32)}}.String()}
	for _, s := range seeds {
		f.Add(s)
	}
	if len(seeds) < 8 {
		f.Fatal("too few seeds")
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parseMark(s)
		if err == nil && m.String() != s {
			t.Fatalf("%q reads as %q", s, m)
		}
	})
}

// FuzzLines appends hostile bytes in two pieces: nothing panics, the follower comes to rest, and a good line
// behind them is taken.
func FuzzLines(f *testing.F) {
	seeds := [][2]string{{"{\"v\":1}\n", ""}, {"{\"v\"", ":1}\n"}, {"{", "{\n"}, {"\xef\xbb", "\xbf{}\n"}, {"\x00\n", "\n\n"},
		{"{\"v\":\"\\u", "d800\"}\n"}, {"{}\n{}{}", "[1]\n"}, {"{\"a\":\n1}\n", "{"}}
	for _, s := range seeds {
		f.Add(s[0], s[1])
	}
	if len(seeds) < 8 {
		f.Fatal("too few seeds")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		w := newWorld(t)
		fo := w.start(Source{Path: w.path("f")})
		w.write("f", "{}\n"+a)
		w.polls(fo)
		w.append("f", b)
		w.polls(fo)
		w.append("f", "\n{\"v\":\"the good line\"}\n")
		w.polls(fo)
		if got := w.values(); !slices.Contains(strings.Split(got, " "), "line") && !strings.Contains(a+b, "{") && !strings.Contains(a+b, "[") {
			t.Fatalf("the good line is lost behind %q %q: %q", a, b, got)
		}
	})
}
