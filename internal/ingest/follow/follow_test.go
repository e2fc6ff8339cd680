package follow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shieldwall/internal/event"
)

func TestAppend(t *testing.T) {
	w := newWorld(t)
	f := w.start(Source{Path: w.path("a.jsonl"), Product: "linux", Category: "process_creation"})
	w.polls(f) // no file yet
	w.write("a.jsonl", "")
	w.polls(f)
	w.append("a.jsonl", numbered(1, 2))
	w.polls(f)
	if got, want := strings.Join(w.events, " "), "1@a.jsonl:1 2@a.jsonl:2"; got != want {
		t.Errorf("took %s, want %s", got, want)
	}
	next := numbered(3, 4)
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
	w.append("a.jsonl", numbered(5, 5))
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

func TestLastLineWithoutNewline(t *testing.T) {
	w := newWorld(t)
	f := w.start()
	w.write("whole.jsonl", strings.TrimSuffix(numbered(1, 3), "\n"))
	w.write("torn.jsonl", numbered(4, 4)+`{"v":5,"pa`)
	w.polls(f)
	if got := w.values(); got != "4 1 2" {
		t.Errorf("took %q, want what has a newline", got)
	}
	w.at = w.at.Add(DefaultSettle)
	w.polls(f)
	w.expect(1, 4) // 3 is whole, 5 is not
	w.append("whole.jsonl", "\n"+numbered(6, 6))
	w.append("torn.jsonl", "d\":1}\n")
	w.polls(f)
	w.expect(1, 6)
}

func TestBrokenLines(t *testing.T) {
	w := newWorld(t)
	f := w.start(Source{Path: w.path("a.jsonl")})
	w.write("a.jsonl", numbered(1, 1)+"{\"v\":\n"+numbered(2, 2)+"not json\n"+"{\"v\":"+strings.Repeat("[", 5000)+"\n"+numbered(3, 3)+"{\"v\":\"\xff\"}\n")
	w.polls(f)
	if got := w.values(); got != "1 2 3 \uFFFD" {
		t.Errorf("took %q", got)
	}
	if st := f.Stats(); st.Errors != 3 || !strings.Contains(st.LastError, "a.jsonl") || st.Problem != "" {
		t.Errorf("stats: %+v", st)
	}
}

func TestLongLine(t *testing.T) {
	w := newWorld(t)
	f := w.start()
	long := `{"v":"` + strings.Repeat("x", 3*MaxLine) + `"}`
	w.write("a.jsonl", numbered(1, 2)+long[:MaxLine+10])
	w.polls(f)
	w.append("a.jsonl", long[MaxLine+10:]+"\n"+numbered(3, 4))
	w.polls(f)
	w.expect(1, 4)
	if got, want := w.events[3], "4@a.jsonl:5"; got != want {
		t.Errorf("the last is %s, want %s", got, want)
	}
	if st := f.Stats(); st.Errors != 1 || !strings.Contains(st.LastError, "line 3 is longer") {
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
	w.write("a.jsonl", numbered(1, 10))
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
	if st := f.Stats(); st.Problem != "" || !strings.Contains(st.LastError, "disk full") {
		t.Errorf("stats: %+v", st)
	}
}

func TestCrash(t *testing.T) {
	w := newWorld(t)
	f := w.start()
	w.write("a.jsonl", numbered(1, 5))
	w.polls(f)
	before := maps.Clone(w.offsets)
	w.append("a.jsonl", numbered(6, 8))
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
	w.write("a.jsonl", numbered(1, 1))
	w.write("sub/deep/b.log", numbered(2, 2))
	w.write("sub/bom.json", bom+numbered(3, 3))
	w.write(".hidden/c.jsonl", numbered(100, 100))
	w.write(".half", numbered(101, 101))
	w.write(strings.Repeat("d/", maxDepth+2)+"x.jsonl", numbered(102, 102))
	w.write("readme.txt", "telemetry goes here\n")
	w.write("old.jsonl.gz", "\x1f\x8b\x08\x00")
	w.write("array.json", "[\n"+numbered(103, 103)+"]")
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
	w.write("readme.txt", numbered(4, 4)) // it became telemetry
	w.write("empty", numbered(5, 5))
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
	w.write("a.jsonl", numbered(1, 1))
	w.write("b.jsonl", numbered(2, 2))
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
	w.write("a.jsonl", numbered(1, 3))
	w.offsets[w.path("a.jsonl")] = "120 {\"v\":9}"
	f := w.start()
	w.polls(f)
	w.expect(1, 3)
	if st := f.Stats(); st.Errors != 1 || !strings.Contains(st.LastError, "read again") {
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
		w.write("a.jsonl", numbered(1, 3))
		time.Sleep(3 * time.Second)
		w.append("a.jsonl", numbered(4, 6))
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
	w.write("a.log", numbered(1, 20))
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
	w.append("a.log.1", numbered(21, 21))
	w.write("a.log", numbered(22, 23))
	f = w.start()
	w.polls(f)
	w.expect(1, 23)
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
		if got := w.values(); !strings.HasSuffix(got, "the good line") {
			t.Fatalf("the good line is lost behind %q %q: %q", a, b, got)
		}
	})
}

// TestHeader: the header at a file's start counts for rows that come later, after a restart too.
func TestHeader(t *testing.T) {
	w := newWorld(t)
	path := w.path("conn.log")
	f := w.start(Source{Path: path})
	w.write("conn.log", "#separator \\x09\n#path\tconn\n#fields\tts\tv\n")
	w.polls(f)
	w.append("conn.log", "#types\ttime\tcount\n1.5\t1\n")
	w.polls(f)
	w.append("conn.log", "2.5\t2\n")
	w.polls(f)
	f = w.start(Source{Path: path}) // a restart
	w.polls(f)
	w.append("conn.log", "3.5\t3\n4.5\n4.6\t4\n")
	w.polls(f)
	if got, want := strings.Join(w.events, " "), "1@conn.log:5 2@conn.log:6 3@conn.log:7 4@conn.log:9"; got != want {
		t.Errorf("took %s, want %s", got, want)
	}
	if st := f.Stats(); st.Errors != 1 || !strings.Contains(st.LastError, "line 8") {
		t.Errorf("stats: %+v", st)
	}
}
