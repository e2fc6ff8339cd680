package httpjsonl

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zip"
	"github.com/klauspost/compress/zstd"

	"shieldwall/internal/event"
)

var errBusy = errors.New("busy")

// sink keeps what it is given.
type sink struct {
	mu      sync.Mutex
	events  []string
	syncs   int
	refuse  error // from the event after the limit on
	after   int
	syncErr error
	block   chan struct{}
}

func (s *sink) Submit(ctx context.Context, ev *event.Event) error {
	if s.block != nil {
		<-s.block
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil && len(s.events) >= s.after {
		return s.refuse
	}
	image, _ := ev.Get("Image")
	s.events = append(s.events, fmt.Sprintf("%s#%s %s/%s/%s %s", ev.Source, ev.Record, ev.Product, ev.Category, ev.Service, image.Text))
	return ctx.Err()
}

func (s *sink) Sync(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.syncs++
	return s.syncErr
}

// tokens knows one token.
type tokens struct{ err error }

const goodToken = "swi_0123456789"

func (k tokens) Check(_ context.Context, hash [sha256.Size]byte) (string, bool, error) {
	return "sensor-1", hash == sha256.Sum256([]byte(goodToken)), k.err
}

func newTestHandler(s *sink, change ...func(*Options)) *Handler {
	opt := Options{
		Sink: s, Tokens: tokens{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Busy: func(err error) bool { return errors.Is(err, errBusy) },
	}
	for _, c := range change {
		c(&opt)
	}
	return New(opt)
}

func post(h http.Handler, query, encoding string, body []byte) (*http.Response, Answer) {
	r := httptest.NewRequest(http.MethodPost, Path+query, bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+goodToken)
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var a Answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		a.Error = "no JSON: " + w.Body.String()
	}
	return w.Result(), a
}

func zipped(t testing.TB, encoding string, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if encoding == "zstd" {
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTake(t *testing.T) {
	const two = "{\"Image\":\"a\"}\n{\"Image\":\"b\"}\n"
	for name, tc := range map[string]struct {
		query, encoding string
		body            []byte
		status          int
		accepted        int64
		rejected        []int64
		event           string // the last one
	}{
		"lines":                          {"", "", []byte(two), 200, 2, nil, "ingest:sensor-1#2 // b"},
		"a format with a logsource":      {"?product=x&category=y", "", []byte(`{"_path":"dns","ts":1.5,"Image":"b"}` + "\n"), 200, 1, nil, "ingest:sensor-1#1 zeek/dns/dns b"},
		"CloudTrail in its wrapping":     {"", "gzip", zipped(t, "gzip", []byte(`{"Records":[{"eventSource":"a","eventName":"b","awsRegion":"c","Image":"b"}]}`)), 200, 1, nil, "ingest:sensor-1#1 aws//cloudtrail b"},
		"no newline":                     {"", "identity", []byte(strings.TrimSpace(two)), 200, 2, nil, "ingest:sensor-1#2 // b"},
		"an array":                       {"", "", []byte(`[{"Image":"a"},{"Image":"b"}]`), 200, 2, nil, "ingest:sensor-1#1 // b"},
		"empty":                          {"", "", nil, 200, 0, nil, ""},
		"gzip":                           {"", "gzip", zipped(t, "gzip", []byte(two)), 200, 2, nil, "ingest:sensor-1#2 // b"},
		"zstd":                           {"", "zstd", zipped(t, "zstd", []byte(two)), 200, 2, nil, "ingest:sensor-1#2 // b"},
		"logsource":                      {"?product=linux&category=process_creation&service=auditd", "", []byte(two), 200, 2, nil, "ingest:sensor-1#2 linux/process_creation/auditd b"},
		"windows knows":                  {"?product=linux", "", []byte(`{"Image":"a","Channel":"Security","EventID":4688}`), 200, 1, nil, "ingest:sensor-1#1 // a"},
		"a broken line":                  {"", "", []byte("{\"Image\":\"a\"}\n{\"Image\":\n{\"Image\":\"b\"}\n"), 400, 2, []int64{2}, "ingest:sensor-1#3 // b"},
		"two values that are no objects": {"", "", []byte("1\n{\"Image\":\"a\"}\n\"x\"\n"), 400, 1, []int64{1, 3}, "ingest:sensor-1#2 // a"},
		"cut off":                        {"", "", []byte("{\"Image\":\"a\"}\n{\"Image\":\"b"), 400, 1, []int64{2}, "ingest:sensor-1#1 // a"},
		"gzip cut off":                   {"", "gzip", zipped(t, "gzip", []byte(two))[:20], 400, 0, nil, ""},
		"gzip that is none":              {"", "gzip", []byte(two), 400, 0, nil, ""},
		"empty gzip":                     {"", "gzip", nil, 400, 0, nil, ""},
		"zstd that is none":              {"", "zstd", []byte(two), 400, 0, nil, ""},
		"unknown encoding":               {"", "br", []byte(two), 415, 0, nil, ""},
		"unknown parameter":              {"?prodct=linux", "", []byte(two), 400, 0, nil, ""},
		"long parameter":                 {"?product=" + strings.Repeat("x", maxHint+1), "", []byte(two), 400, 0, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &sink{}
			resp, a := post(newTestHandler(s), tc.query, tc.encoding, tc.body)
			if resp.StatusCode != tc.status || a.Accepted != tc.accepted || int(a.Accepted) != len(s.events) {
				t.Errorf("status %d, accepted %d (%d events); want %d, %d: %s", resp.StatusCode, a.Accepted, len(s.events), tc.status, tc.accepted, a.Error)
			}
			var lines []int64
			for _, r := range a.Rejected {
				lines = append(lines, r.Line)
				if r.Error == "" {
					t.Error("a rejected value without a reason")
				}
			}
			if fmt.Sprint(lines) != fmt.Sprint(tc.rejected) || a.RejectedTotal != int64(len(tc.rejected)) {
				t.Errorf("rejected %v (%d), want %v", lines, a.RejectedTotal, tc.rejected)
			}
			if tc.event != "" && s.events[len(s.events)-1] != tc.event {
				t.Errorf("event %q, want %q", s.events[len(s.events)-1], tc.event)
			}
			if a.Accepted > 0 && s.syncs == 0 {
				t.Error("acknowledged before it was durable")
			}
			if tc.status != 200 && a.Error == "" && len(a.Rejected) == 0 {
				t.Error("refused without a reason")
			}
			if got := resp.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("content type %q", got)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	for name, tc := range map[string]struct {
		header string
		err    error
		status int
	}{
		"none":          {"", nil, 401},
		"basic":         {"Basic " + goodToken, nil, 401},
		"empty":         {"Bearer ", nil, 401},
		"wrong":         {"Bearer swi_other", nil, 401},
		"huge":          {"Bearer " + strings.Repeat("x", maxToken+1), nil, 401},
		"good":          {"bearer  " + goodToken, nil, 200},
		"cannot decide": {"Bearer " + goodToken, errors.New("store closed"), 503},
	} {
		t.Run(name, func(t *testing.T) {
			s := &sink{}
			h := newTestHandler(s, func(o *Options) { o.Tokens = tokens{tc.err} })
			r := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(`{"Image":"a"}`))
			if tc.header != "" {
				r.Header.Set("Authorization", tc.header)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tc.status || len(s.events) != map[bool]int{true: 1}[tc.status == 200] {
				t.Errorf("status %d with %d events, want %d: %s", w.Code, len(s.events), tc.status, w.Body)
			}
			if tc.status == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Error("no challenge")
			}
			if strings.Contains(w.Body.String(), goodToken) || strings.Contains(w.Body.String(), "store closed") {
				t.Errorf("the answer tells too much: %s", w.Body)
			}
		})
	}
	h := newTestHandler(&sink{})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, Path, nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
		t.Errorf("GET: %d", w.Code)
	}
}

func TestBackPressure(t *testing.T) {
	lines := []byte(strings.Repeat("{\"Image\":\"a\"}\n", 10))
	for name, tc := range map[string]struct {
		sink   *sink
		status int
	}{
		"busy":            {&sink{refuse: errBusy, after: 4}, 429},
		"disk full":       {&sink{refuse: errors.New("no space left on device"), after: 4}, 503},
		"cannot sync":     {&sink{syncErr: errors.New("input/output error")}, 503},
		"busy in syncing": {&sink{syncErr: errBusy}, 429},
	} {
		t.Run(name, func(t *testing.T) {
			resp, a := post(newTestHandler(tc.sink), "", "", lines)
			if resp.StatusCode != tc.status || resp.Header.Get("Retry-After") == "" || a.Error == "" {
				t.Errorf("status %d, Retry-After %q, %q; want %d", resp.StatusCode, resp.Header.Get("Retry-After"), a.Error, tc.status)
			}
			if strings.Contains(a.Error, "device") || strings.Contains(a.Error, "output") {
				t.Errorf("the answer tells the node's insides: %s", a.Error)
			}
		})
	}
}

func TestTooManyRequests(t *testing.T) {
	s := &sink{block: make(chan struct{})}
	h := newTestHandler(s, func(o *Options) { o.MaxRequests = 1 })
	first := make(chan int)
	go func() {
		resp, _ := post(h, "", "", []byte(`{"Image":"a"}`))
		first <- resp.StatusCode
	}()
	for len(h.slots) == 0 {
		time.Sleep(time.Millisecond)
	}
	resp, _ := post(h, "", "", []byte(`{"Image":"b"}`))
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("status %d", resp.StatusCode)
	}
	close(s.block)
	if got := <-first; got != 200 {
		t.Errorf("the first got %d", got)
	}
}

func TestLimits(t *testing.T) {
	line := []byte("{\"Image\":\"" + strings.Repeat("a", 100) + "\"}\n")
	lines := bytes.Repeat(line, 1000)
	t.Run("body", func(t *testing.T) {
		s := &sink{}
		resp, a := post(newTestHandler(s, func(o *Options) { o.MaxBody = 10_000 }), "", "", lines)
		if resp.StatusCode != http.StatusRequestEntityTooLarge || a.Accepted == 0 || int(a.Accepted) != len(s.events) || a.Accepted > 100 {
			t.Errorf("status %d, accepted %d of %d events", resp.StatusCode, a.Accepted, len(s.events))
		}
	})
	for _, encoding := range []string{"gzip", "zstd"} {
		t.Run("bomb "+encoding, func(t *testing.T) {
			s := &sink{}
			bomb := zipped(t, encoding, bytes.Repeat(line, 20_000))
			resp, a := post(newTestHandler(s, func(o *Options) { o.MaxContent = 1 << 20 }), "", encoding, bomb)
			if resp.StatusCode != http.StatusRequestEntityTooLarge || a.Accepted > 1<<20/int64(len(line)) {
				t.Errorf("%d bytes: status %d, accepted %d", len(bomb), resp.StatusCode, a.Accepted)
			}
		})
		t.Run("one long value "+encoding, func(t *testing.T) {
			s := &sink{}
			body := append([]byte(`{"Image":"`), bytes.Repeat([]byte("a"), maxValue+1)...)
			body = append(body, "\"}\n{\"Image\":\"b\"}\n"...)
			resp, a := post(newTestHandler(s), "", encoding, zipped(t, encoding, body))
			if resp.StatusCode != http.StatusBadRequest || a.Accepted != 1 || a.RejectedTotal != 1 || a.Rejected[0].Line != 1 {
				t.Errorf("status %d: %+v", resp.StatusCode, a)
			}
		})
	}
	t.Run("many rejected", func(t *testing.T) {
		resp, a := post(newTestHandler(&sink{}), "", "", bytes.Repeat([]byte("{1}\n"), maxRejected+50))
		if resp.StatusCode != http.StatusBadRequest || len(a.Rejected) != maxRejected || a.RejectedTotal != maxRejected+50 {
			t.Errorf("status %d, %d named of %d", resp.StatusCode, len(a.Rejected), a.RejectedTotal)
		}
	})
	t.Run("deep and not UTF-8", func(t *testing.T) {
		body := strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000) + "\n{\"Image\":\"\xff\xfe\"}\n"
		resp, a := post(newTestHandler(&sink{}), "", "", []byte(body))
		if resp.StatusCode != http.StatusBadRequest || a.Accepted != 1 || a.RejectedTotal != 1 {
			t.Errorf("status %d: %+v", resp.StatusCode, a)
		}
	})
}

// TestSlowBody checks that a server's read timeout ends a body that never comes, and frees its place.
func TestSlowBody(t *testing.T) {
	h := newTestHandler(&sink{}, func(o *Options) { o.MaxRequests = 1 })
	server := httptest.NewUnstartedServer(h)
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Start()
	defer server.Close()
	pr, pw := io.Pipe()
	defer pw.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+Path, pr)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+goodToken)
	resp, err := server.Client().Do(r)
	if err == nil {
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("status %d for a body that never came", resp.StatusCode)
		}
	}
	for len(h.slots) > 0 {
		time.Sleep(time.Millisecond)
	}
}

// TestRecording posts a recording of the corpus as it is.
func TestRecording(t *testing.T) {
	corpus := os.Getenv("SHIELDWALL_CORPUS")
	if corpus == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	archives, err := filepath.Glob(filepath.Join(corpus, "otrf/atomic/windows/defense_evasion/host/*.zip"))
	if err != nil || len(archives) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	slices.SortFunc(archives, func(a, b string) int { return cmp.Compare(sizeOf(t, a), sizeOf(t, b)) })
	z, err := zip.OpenReader(archives[0])
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, member := range z.File {
		if filepath.Ext(member.Name) != ".json" || strings.HasPrefix(member.Name, "__MACOSX") {
			continue
		}
		in, err := member.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		s := &sink{}
		resp, a := post(newTestHandler(s), "", "gzip", zipped(t, "gzip", body))
		if want := bytes.Count(bytes.TrimSpace(body), []byte{'\n'}) + 1; resp.StatusCode != 200 || int(a.Accepted) != want {
			t.Errorf("%s: status %d, accepted %d of %d: %+v", member.Name, resp.StatusCode, a.Accepted, want, a.Rejected)
		}
	}
}

func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func FuzzPost(f *testing.F) {
	seeds := []struct {
		encoding string
		body     []byte
	}{
		{"", []byte("{\"Image\":\"a\"}\n")}, {"", []byte("[{},{}]")}, {"", []byte("{")}, {"", []byte("\xff\xfe{\x00}\x00")},
		{"gzip", zipped(f, "gzip", []byte("{}"))}, {"gzip", []byte("\x1f\x8b")}, {"zstd", zipped(f, "zstd", []byte("{}\n{}"))},
		{"zstd", []byte("\x28\xb5\x2f\xfd")}, {"identity", nil}, {"deflate", []byte("x")},
		{"", []byte(audit)}, {"", []byte("Mar  1 10:00:00 gate sshd[1]: x\n")}, {"", []byte("<Event></Event><Event>")}, {"", []byte("#separator \\x09\n")},
	}
	for _, s := range seeds {
		f.Add(s.encoding, s.body)
	}
	if len(seeds) < 14 {
		f.Fatal("too few seeds")
	}
	f.Fuzz(func(t *testing.T, encoding string, body []byte) {
		s := &sink{}
		resp, a := post(newTestHandler(s, func(o *Options) { o.MaxContent = 1 << 20 }), "", encoding, body)
		if int(a.Accepted) != len(s.events) {
			t.Fatalf("accepted %d, %d events", a.Accepted, len(s.events))
		}
		if ok := resp.StatusCode == 200; ok != (a.RejectedTotal == 0 && a.Error == "") {
			t.Fatalf("status %d with %+v", resp.StatusCode, a)
		}
	})
}

// discard takes every event.
type discard struct{}

func (discard) Submit(context.Context, *event.Event) error { return nil }
func (discard) Sync(context.Context) error                 { return nil }

func BenchmarkPost(b *testing.B) {
	body := bytes.Repeat([]byte(`{"Channel":"Security","EventID":4688,"Image":"C:\\Windows\\System32\\cmd.exe","CommandLine":"cmd /c whoami"}`+"\n"), 10_000)
	h := newTestHandler(nil, func(o *Options) { o.Sink = discard{} })
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if resp, a := post(h, "", "", body); resp.StatusCode != 200 {
			b.Fatalf("%d: %+v", resp.StatusCode, a)
		}
	}
}
