package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shieldwall/internal/status"
)

// sink is a response whose bytes a test may read while they are written. It has no deadlines.
type sink struct {
	mu     sync.Mutex
	header http.Header
	code   int
	b      bytes.Buffer
	fail   error
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) WriteHeader(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code = code
}
func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return 0, s.fail
	}
	return s.b.Write(b)
}
func (s *sink) Flush() {}

// take returns the events written since the last time.
func (s *sink) take(t *testing.T) []event {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []event
	for block := range strings.SplitSeq(strings.TrimSuffix(s.b.String(), "\n\n"), "\n\n") {
		var e event
		var data []string
		for line := range strings.SplitSeq(block, "\n") {
			if v, ok := strings.CutPrefix(line, "event: "); ok {
				e.name = v
			} else if v, ok := strings.CutPrefix(line, "data: "); ok {
				data = append(data, v)
			} else if line == "data:" {
				data = append(data, "")
			} else if line != "" && line != "retry: 2000" {
				t.Errorf("the stream has the line %q", line)
			}
		}
		if e.data = strings.Join(data, "\n"); e.name != "" {
			out = append(out, e)
		}
	}
	s.b.Reset()
	return out
}

type event struct{ name, data string }

// names are the ids of the panels, and "rows", in the order in which they came.
func names(events []event) string {
	var out []string
	for _, e := range events {
		if m := regexp.MustCompile(`^\s*<[a-z]+ id="([a-z]+)"`).FindStringSubmatch(e.data); e.name == "panel" && m != nil {
			out = append(out, m[1])
		} else {
			out = append(out, e.name)
		}
	}
	return strings.Join(out, " ")
}

// follow opens a stream inside a synctest bubble; end closes it and waits for the handler.
func follow(t *testing.T, v *visitor, target string) (out *sink, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out = &sink{header: http.Header{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.page.ServeHTTP(out, authorised(v, target).WithContext(ctx))
	}()
	synctest.Wait()
	return out, func() { cancel(); <-done }
}

func TestStreamGivesTheWholePictureFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := populated()
		v := guest(t, Handler(src, Options{}))
		for _, view := range views {
			out, end := follow(t, v, "/events?view="+view.Name)
			if got := out.header.Get("Content-Type"); got != "text/event-stream" {
				t.Errorf("content type %q", got)
			}
			if got := out.header.Get("Content-Security-Policy"); got != contentPolicy {
				t.Errorf("content policy %q", got)
			}
			events := out.take(t)
			want := strings.TrimSpace("clock notices " + strings.Join(view.panels, " "))
			if got := names(events); got != want {
				t.Errorf("%s starts with %q, want %q", view.Name, got, want)
			}
			page := v.body(view.Path)
			for _, e := range events {
				checkMarkup(t, view.Name, e.data)
				if !strings.Contains(page, e.data) {
					t.Errorf("%s streams what its page does not have: %.200s", view.Name, e.data)
				}
			}
			end()
		}
	})
}

func TestStreamSendsWhatChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := populated()
		v := guest(t, Handler(src, Options{}))
		out, end := follow(t, v, "/events?view=overview")
		defer end()
		out.take(t)
		for range 3 {
			time.Sleep(panelsEvery)
			synctest.Wait()
			if got := out.take(t); len(got) != 0 {
				t.Errorf("nothing changed, and still came: %s", names(got))
			}
		}
		src.setNode(func(n *status.Node) {
			n.Now = n.Now.Add(time.Second)
			n.Alliance.Members = append([]status.Member(nil), n.Alliance.Members...)
			n.Alliance.Members[1].State = "unreachable"
		})
		time.Sleep(panelsEvery)
		synctest.Wait()
		if got := names(out.take(t)); got != "clock notices figures mesh" {
			t.Errorf("a member was lost, and %q came", got)
		}
	})
}

func TestStreamCoalescesDetections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := populated()
		v := guest(t, Handler(src, Options{}))
		out, end := follow(t, v, "/events?view=detections")
		defer end()
		out.take(t)
		const rate = 100
		for i := range rate {
			src.feed <- detection(1000 + i)
			time.Sleep(time.Second / rate)
		}
		synctest.Wait()
		events := out.take(t)
		if got := names(events); len(events) > int(time.Second/rowsEvery) {
			t.Errorf("a second of %d detections made %q", rate, got)
		}
		seen := 0
		for _, e := range events {
			ids := regexp.MustCompile(`rule-(\d+)`).FindAllString(e.data, -1)
			for i := 1; i < len(ids); i++ {
				if ids[i] > ids[i-1] {
					t.Errorf("rows are not newest first: %s before %s", ids[i-1], ids[i])
				}
			}
			seen += len(ids)
			checkMarkup(t, "rows", e.data)
		}
		if seen < rate-rate/int(time.Second/rowsEvery) {
			t.Errorf("%d of %d detections came", seen, rate)
		}
	})
}

func TestStreamCountsWhatItSkips(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := populated()
		v := guest(t, Handler(src, Options{}))
		out, end := follow(t, v, "/events?view=detections")
		defer end()
		out.take(t)
		for i := range 800 {
			src.feed <- detection(1000 + i)
		}
		time.Sleep(rowsEvery)
		synctest.Wait()
		events := out.take(t)
		if len(events) != 1 || strings.Count(events[0].data, "<details>") != maxRowBatch {
			t.Fatalf("%d events, %s", len(events), names(events))
		}
		if want := fmt.Sprintf("%d more", 800-maxRowBatch); !strings.Contains(events[0].data, want) {
			t.Errorf("the rows do not say %q", want)
		}
		if !strings.Contains(events[0].data, "rule-1799") || strings.Contains(events[0].data, "rule-1000<") {
			t.Error("the newest are not those kept")
		}
		time.Sleep(rowsEvery)
		synctest.Wait()
		if got := out.take(t); len(got) != 0 {
			t.Errorf("and then came %s", names(got))
		}
	})
}

func TestStreamFilters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := populated()
		v := guest(t, Handler(src, Options{}))
		out, end := follow(t, v, "/events?view=overview&q=rule-1007")
		defer end()
		if first := out.take(t); strings.Contains(fmt.Sprint(first), "rule-1<") {
			t.Error("the first picture is not filtered")
		}
		for i := range 20 {
			src.feed <- detection(1000 + i)
		}
		time.Sleep(rowsEvery)
		synctest.Wait()
		events := out.take(t)
		if len(events) != 1 || strings.Count(events[0].data, "<details>") != 1 || !strings.Contains(events[0].data, "rule-1007") {
			t.Errorf("filtered rows: %v", events)
		}
	})
}

// TestStreamJoinsListAndFeed: a detection that is in the list and in the feed has one name, by which the
// browser drops the second.
func TestStreamJoinsListAndFeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := populated()
		src.feed <- src.detections[0]
		v := guest(t, Handler(src, Options{}))
		out, end := follow(t, v, "/events?view=detections")
		defer end()
		time.Sleep(rowsEvery)
		synctest.Wait()
		key := detectionKey(&src.detections[0])
		if n := strings.Count(fmt.Sprint(out.take(t)), `id="`+key+`"`); n != 2 {
			t.Errorf("the key occurs %d times", n)
		}
	})
}

func TestStreamLeavesTheEmptyState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := populated()
		src.detections, src.node.Events = nil, 0
		v := guest(t, Handler(src, Options{}))
		out, end := follow(t, v, "/events?view=detections")
		defer end()
		if first := fmt.Sprint(out.take(t)); !strings.Contains(first, "shieldwall token new") {
			t.Error("a node without telemetry does not say how to send some")
		}
		src.setNode(func(n *status.Node) { n.Events = 12 })
		time.Sleep(panelsEvery)
		synctest.Wait()
		if next := fmt.Sprint(out.take(t)); !strings.Contains(next, "12 events met") {
			t.Error("the empty state does not follow")
		}
		src.feed <- detection(5)
		time.Sleep(rowsEvery)
		synctest.Wait()
		if got := names(out.take(t)); got != "rows" {
			t.Errorf("the first detection made %q", got)
		}
		src.setNode(func(n *status.Node) { n.Events = 13 })
		time.Sleep(panelsEvery)
		synctest.Wait()
		if got := names(out.take(t)); got != "" {
			t.Errorf("a list with rows was replaced: %q", got)
		}
	})
}

func TestStreamEndsWithItsSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := guest(t, Handler(populated(), Options{Idle: 3 * time.Second, Absolute: time.Minute}))
		out, end := follow(t, v, "/events?view=overview")
		out.take(t)
		time.Sleep(50 * time.Second)
		if w := v.get("/"); w.Code != http.StatusOK {
			t.Errorf("a session with an open page went idle: %d", w.Code)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if w := v.get("/events"); w.Code != http.StatusUnauthorized {
			t.Errorf("after the session's end: %d", w.Code)
		}
		end() // returns at once: the handler has ended by itself
	})
}

func TestStreamSurvivesTheSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := populated()
		v := guest(t, Handler(src, Options{}))
		out, end := follow(t, v, "/events?view=detections")
		defer end()
		out.take(t)
		close(src.feed)
		time.Sleep(panelsEvery)
		src.setNode(func(n *status.Node) { n.Warnings = append(n.Warnings, "the disk is full") })
		time.Sleep(2 * panelsEvery)
		synctest.Wait()
		if got := fmt.Sprint(out.take(t)); !strings.Contains(got, "the disk is full") {
			t.Errorf("after the feed ended came %q", got)
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := guest(t, Handler(populated(), Options{}))
		var ends []func()
		for range maxStreams {
			_, end := follow(t, v, "/events")
			ends = append(ends, end)
		}
		if w := v.get("/events"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("one stream too many: %d", w.Code)
		}
		ends[0]()
		out, end := follow(t, v, "/events")
		if len(out.take(t)) == 0 {
			t.Error("a place that became free cannot be taken")
		}
		end()
		for _, end := range ends[1:] {
			end()
		}
	})
}

func TestStreamEndsWhenTheBrowserIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := populated()
		page := Handler(src, Options{})
		v := guest(t, page)
		out, end := follow(t, v, "/events")
		out.mu.Lock()
		out.fail = context.DeadlineExceeded
		out.mu.Unlock()
		src.feed <- detection(9)
		time.Sleep(rowsEvery)
		synctest.Wait()
		if len(page.streams) != 0 {
			t.Error("a stream that cannot be written goes on")
		}
		end()
	})
}

func TestStreamEscapes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := hostileSource()
		v := guest(t, Handler(src, Options{}))
		for _, view := range views {
			out, end := follow(t, v, "/events?view="+view.Name+"&q=script")
			if view.has("detections") {
				src.feed <- src.detections[0]
				time.Sleep(rowsEvery)
				synctest.Wait()
			}
			for _, e := range out.take(t) {
				checkMarkup(t, view.Name, e.data)
				if !strings.Contains(e.data, `id="clock"`) && !strings.Contains(e.data, `id="figures"`) && !strings.Contains(e.data, `id="engine"`) { // no remote text
					checkEscaped(t, view.Name+" "+e.name, e.data)
				}
			}
			end()
		}
	})
}

// crowded is an alliance of 72 with full lists.
func crowded() *fake {
	src := populated()
	src.node.Alliance.Members = []status.Member{member("pl-cert", "self")}
	for i := range 71 {
		src.node.Alliance.Members = append(src.node.Alliance.Members, member(fmt.Sprintf("member-%02d", i), "live"))
	}
	src.detections = nil
	for i := range readDetections {
		src.detections = append(src.detections, detection(i))
	}
	return src
}

// BenchmarkPanels is what an open overview costs a second when everything changed, the detections aside.
func BenchmarkPanels(b *testing.B) {
	f := &frame{View: viewNamed("overview"), zone: time.UTC}
	f.read(b.Context(), newReader(crowded(), time.Now))
	var n int64
	for b.Loop() {
		n = 0
		for _, name := range []string{"clock", "notices", "figures", "mesh", "protect", "sightings", "objects"} {
			panel, err := execute(name, f)
			if err != nil {
				b.Fatal(err)
			}
			n += int64(len(panel))
		}
	}
	b.SetBytes(n)
}

// BenchmarkRows is what 25 detections cost an open page: a quarter of a second's at 100 a second.
func BenchmarkRows(b *testing.B) {
	s := &stream{frame: &frame{View: viewNamed("detections"), zone: time.UTC}, out: io.Discard, control: http.NewResponseController(nopResponse{})}
	for b.Loop() {
		for i := range 25 {
			s.add(detection(i))
		}
		if err := s.sendRows(); err != nil {
			b.Fatal(err)
		}
	}
}

// nopResponse takes everything and keeps nothing.
type nopResponse struct{}

func (nopResponse) Header() http.Header         { return http.Header{} }
func (nopResponse) WriteHeader(int)             {}
func (nopResponse) Write(b []byte) (int, error) { return len(b), nil }
func (nopResponse) Flush()                      {}
