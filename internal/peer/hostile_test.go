package peer

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// raw makes a request with a client's own transport, outside of its protocol.
func raw(t *testing.T, c *Client, url string, header map[string]string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestRange(t *testing.T) {
	n := newNode()
	endpoint, pin, _ := serve(t, n)
	c, own := client(t, endpoint, pin)
	n.members[own] = "m"
	resp := raw(t, c, endpoint+"/log/a/b/checkpoint", map[string]string{"Range": "bytes=1-2"})
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusPartialContent || string(body) != "ea" {
		t.Fatalf("%s: %q, %v", resp.Status, body, err)
	}
}

// TestStrangersConnectionEnds shows that a refused key does not keep its connection (by HTTP/1.1, where the
// answer says so), and gets nothing whatever it asks for.
func TestStrangersConnectionEnds(t *testing.T) {
	n := newNode()
	endpoint, pin, _ := serve(t, n)
	c, _ := client(t, endpoint, pin)
	cert, _ := certificate(t)
	c.http.Transport = &http.Transport{TLSClientConfig: ClientTLS(cert, func() []string { return []string{pin} })}
	if resp := raw(t, c, endpoint+"/log/a/b/checkpoint", nil); resp.StatusCode != http.StatusForbidden || !resp.Close {
		t.Fatalf("%s, closes %v", resp.Status, resp.Close)
	}
	for _, path := range []string{"/", "/nothing", "/log/a/b/stream?from=0", "/blob/00", "/roster/1", "/card/a"} {
		if resp := raw(t, c, endpoint+path, nil); resp.StatusCode != http.StatusForbidden {
			t.Errorf("a stranger got %s for %s", resp.Status, path)
		}
	}
}

func TestReadable(t *testing.T) {
	for in, want := range map[string]string{
		"plain words":                  "plain words",
		"\x1b[31mred\x1b[0m\r\nline":   " [31mred [0m  line",
		"bell\a, nul\x00, bidi \u202e": "bell , nul , bidi  ",
		"not \xff UTF-8":               "not   UTF-8",
		"Grüße, 世界":                    "Grüße, 世界",
		strings.Repeat("x", maxReason): strings.Repeat("x", maxReason),
		strings.Repeat("ü", 2000):      strings.Repeat("ü", maxReason) + "...",
		"":                             "",
	} {
		if got := readable(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

// TestBusyMember bounds what one member may have in work, and nobody else.
func TestBusyMember(t *testing.T) {
	n := newNode()
	endpoint, pin, _ := serve(t, n)
	greedy, own := client(t, endpoint, pin)
	other, own2 := client(t, endpoint, pin)
	n.members[own], n.members[own2] = "greedy", "other"
	ctx, cancel := context.WithCancel(t.Context())
	rec := &recorder{news: make(chan News, 2*maxBusy)}
	ended := make(chan error, maxBusy)
	for range maxBusy {
		go func() { ended <- greedy.Stream(ctx, "a/b", 0, rec) }()
	}
	for range maxBusy {
		<-rec.news // every stream is open
	}
	_, err := greedy.Checkpoint(t.Context(), "a/b")
	if reason, ok := IsRefusal(err); !ok || !strings.Contains(reason, "at a time") {
		t.Fatalf("one request more: %v", err)
	}
	if _, err := other.Checkpoint(t.Context(), "a/b"); err != nil {
		t.Fatalf("another member: %v", err)
	}
	cancel()
	for range maxBusy {
		<-ended
	}
	for { // the server learns of it in a moment
		if _, err = greedy.Checkpoint(t.Context(), "a/b"); err == nil {
			break
		}
		if _, ok := IsRefusal(err); !ok {
			t.Fatal(err)
		}
	}
}

// TestMembersCardPassesStrangers lets strangers use up what they may ask for.
func TestMembersCardPassesStrangers(t *testing.T) {
	n := newNode()
	endpoint, pin, _ := serve(t, n)
	stranger, _ := client(t, endpoint, pin)
	member, own := client(t, endpoint, pin)
	n.members[own] = "m"
	refused := false
	for range 10 * strangerBurst {
		err := stranger.PostCard(t.Context(), []byte("card"))
		if reason, ok := IsRefusal(err); ok && strings.Contains(reason, "too many requests") {
			refused = true
			break
		}
	}
	if !refused {
		t.Fatal("strangers are not limited")
	}
	err := member.PostCard(t.Context(), []byte("card"))
	if reason, ok := IsRefusal(err); !ok || !strings.Contains(reason, "sequence") {
		t.Fatalf("a member's card was not looked at: %v", err)
	}
}

// TestEndpoints begins with the endpoint that answered last, and moves on where none answers.
func TestEndpoints(t *testing.T) {
	n := newNode()
	good, pin, _ := serve(t, n)
	const dead = "https://127.0.0.1:1"
	list := []string{dead, dead, good}
	cert, own := certificate(t)
	n.members[own] = "m"
	c := NewClient(cert, func() []string { return list }, func() []string { return []string{pin} }, &Meter{})
	defer c.Close()
	for range 3 {
		if _, err := c.Checkpoint(t.Context(), "a/b"); err != nil || c.first.Load() != 2 {
			t.Fatalf("%v, begins with %d", err, c.first.Load())
		}
	}
	list = []string{dead, dead}
	for _, want := range []int64{1, 0, 1} {
		c.first.Store(c.first.Load() % 2)
		if _, err := c.Checkpoint(t.Context(), "a/b"); err == nil || c.first.Load() != want {
			t.Fatalf("%v, begins with %d, want %d", err, c.first.Load(), want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := c.first.Load()
	if _, err := c.Checkpoint(ctx, "a/b"); err == nil || c.first.Load() != before {
		t.Fatalf("who gives up says nothing about the endpoint: %v", err)
	}
	list = nil
	if _, err := c.Checkpoint(t.Context(), "a/b"); err == nil || !strings.Contains(err.Error(), "no endpoint") {
		t.Fatal(err)
	}
}

// TestPinChangesOnAnOpenConnection replaces the peer's key while a connection by the old one is open.
func TestPinChangesOnAnOpenConnection(t *testing.T) {
	n := newNode()
	endpoint, pin, _ := serve(t, n)
	cert, own := certificate(t)
	n.members[own] = "m"
	var pinned atomic.Value
	pinned.Store(pin)
	c := NewClient(cert, func() []string { return []string{endpoint} }, func() []string { return []string{pinned.Load().(string)} }, &Meter{})
	defer c.Close()
	if _, err := c.Checkpoint(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	pinned.Store(strings.Repeat("00", 32))
	if _, err := c.Checkpoint(t.Context(), "a/b"); err == nil || !strings.Contains(err.Error(), "not the one its card pins") {
		t.Fatalf("the old key still answers: %v", err)
	}
}

// removing removes a member right after its request was let in, before its stream looks for changes.
type removing struct {
	*node
	asked atomic.Int32
}

func (r *removing) Identify(pin string) (string, error) {
	if r.asked.Add(1) == 2 {
		r.change(func() { clear(r.members) })
	}
	return r.node.Identify(pin)
}

func TestRemovedWhileItsStreamOpens(t *testing.T) {
	n := &removing{node: newNode()}
	endpoint, pin, _ := serveBackend(t, n)
	c, own := client(t, endpoint, pin)
	n.members[own] = "m"
	err := c.Stream(t.Context(), "a/b", 0, discard{})
	if reason, ok := IsRefusal(err); !ok || !strings.Contains(reason, "in no card") {
		t.Fatalf("the stream of a removed member ended with %v", err)
	}
}

// empty is a backend that promises entries and has none.
type empty struct{ *node }

func (empty) Next(context.Context, string, uint64, int) (Batch, error) { return Batch{}, nil }

func TestNoEmptyBatches(t *testing.T) {
	n := empty{newNode()}
	endpoint, pin, _ := serveBackend(t, n)
	c, own := client(t, endpoint, pin)
	n.members[own] = "m"
	err := c.Stream(t.Context(), "a/b", 0, discard{})
	if reason, ok := IsRefusal(err); !ok || !strings.Contains(reason, "cannot read that log") {
		t.Fatal(err)
	}
	if resp := raw(t, c, endpoint+"/log/a/b/stream?from=18446744073709551615", nil); resp.StatusCode != http.StatusBadRequest {
		t.Fatalf("from beyond every log: %s", resp.Status)
	}
}

// TestHandlerEndsTheStream passes the handler's own error through: the follower knows it by identity.
func TestHandlerEndsTheStream(t *testing.T) {
	n := newNode()
	endpoint, pin, _ := serve(t, n)
	c, own := client(t, endpoint, pin)
	n.members[own] = "m"
	n.append(Batch{Checkpoint: []byte("one"), Entries: [][]byte{[]byte("e0")}})
	mine := errors.New("enough")
	if err := c.Stream(t.Context(), "a/b", 0, failing{mine}); !errors.Is(err, mine) {
		t.Fatal(err)
	}
}

type failing struct{ err error }

func (f failing) Batch(Batch) error { return f.err }
func (f failing) News(News) error   { return nil }

func eventOf(t *testing.T, b Batch) []byte {
	t.Helper()
	data, err := appendBatch(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Appendf(nil, "event: batch\ndata: %s\n\n", base64.StdEncoding.EncodeToString(data))
}

// TestLargestEvent shows that whatever this server may send, this client takes, and not much more.
func TestLargestEvent(t *testing.T) {
	small := bytes.Repeat([]byte{1}, 18) // an entry's header alone
	var many [][]byte
	for range MaxBatch / len(small) {
		many = append(many, small)
	}
	note := make([]byte, maxCheckpoint)
	for name, b := range map[string]Batch{
		"smallest entries": {Checkpoint: note, Entries: many},
		"largest entries":  {Checkpoint: note, Entries: slicesOf(MaxBatch/maxEntry, maxEntry)},
		"one entry":        {Checkpoint: note, Entries: slicesOf(1, maxEntry)},
	} {
		rec := &recorder{batches: make(chan Batch, 1), news: make(chan News, 1)}
		err := readEvents(bytes.NewReader(eventOf(t, b)), rec)
		if len(rec.batches) != 1 || len((<-rec.batches).Entries) != len(b.Entries) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tooLarge := eventOf(t, Batch{Entries: slicesOf(2*MaxBatch/maxEntry, maxEntry)})
	if err := readEvents(bytes.NewReader(tooLarge), discard{}); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("an event of %d bytes: %v", len(tooLarge), err)
	}
}

func slicesOf(n, size int) (out [][]byte) {
	for range n {
		out = append(out, make([]byte, size))
	}
	return out
}

func TestEvents(t *testing.T) {
	batch := base64.StdEncoding.EncodeToString([]byte{0, 0, 0, 1, 'c', 0, 0, 0, 0, 0, 0, 0, 7, 0, 1, 'e'})
	for name, c := range map[string]struct {
		stream string
		want   string
	}{
		"a batch":              {"event: batch\ndata: " + batch + "\n\n", "batch 7 [e] c;"},
		"two events":           {"event: news\ndata: {\"version\":3}\n\nevent: batch\ndata: " + batch + "\n\n", "news 3;batch 7 [e] c;"},
		"comments":             {": alive\n\n: alive\n\n", ""},
		"carriage returns":     {"event: news\r\ndata: {\"version\":3}\r\n\r\n", "news 3;"},
		"an unknown event":     {"event: beat\ndata: x\n\nevent: news\ndata: {}\n\n", "news 0;"},
		"data without event":   {"event: news\ndata: {}\n\ndata: {\"version\":9}\n\n", "news 0;"},
		"no base64":            {"event: batch\ndata: ?\n\nevent: news\ndata: {}\n\n", ""},
		"a cut batch":          {"event: batch\ndata: AAAA\n\nevent: news\ndata: {}\n\n", ""},
		"no JSON":              {"event: news\ndata: [\n\nevent: news\ndata: {}\n\n", ""},
		"refused":              {"event: refused\ndata: {\"error\":\"no\"}\n\nevent: news\ndata: {}\n\n", ""},
		"refused in no manner": {"event: refused\ndata: x\n\nevent: news\ndata: {}\n\n", ""},
	} {
		log := &spoken{}
		if err := readEvents(strings.NewReader(c.stream), log); err == nil || log.String() != c.want {
			t.Errorf("%s: %q, %v", name, log, err)
		}
	}
}

type spoken struct{ strings.Builder }

func (s *spoken) Batch(b Batch) error {
	fmt.Fprintf(s, "batch %d %s %s;", b.First, b.Entries, b.Checkpoint)
	return nil
}

func (s *spoken) News(n News) error {
	fmt.Fprintf(s, "news %d;", n.Version)
	return nil
}

// TestSilence times a peer, and only the peer: not the handler, and not a long event that comes slowly.
func TestSilence(t *testing.T) {
	event := []byte("event: news\ndata: {\"version\":1}\n\n")
	t.Run("slow handler", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			r, w := io.Pipe()
			go func() {
				for range 3 {
					w.Write(event)
				}
				w.Close()
			}()
			handled := 0
			err := readEvents(listen(r, cancel), slow(func() { handled++; time.Sleep(10 * silence) }))
			if handled != 3 || context.Cause(ctx) != nil {
				t.Fatalf("%d handled, %v, %v", handled, err, context.Cause(ctx))
			}
		})
	})
	t.Run("slow event", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			r, w := io.Pipe()
			go func() {
				for _, b := range event {
					time.Sleep(silence / 2)
					w.Write([]byte{b})
				}
				w.Close()
			}()
			handled := 0
			err := readEvents(listen(r, cancel), slow(func() { handled++ }))
			if handled != 1 || context.Cause(ctx) != nil {
				t.Fatalf("%d handled, %v, %v", handled, err, context.Cause(ctx))
			}
		})
	})
	t.Run("silence", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			r, w := io.Pipe()
			context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) }) // as a cancelled request's body ends
			began := time.Now()
			go w.Write(event)
			err := readEvents(listen(r, cancel), slow(func() {}))
			if cause := context.Cause(ctx); err == nil || cause == nil || !strings.Contains(cause.Error(), "said nothing") || time.Since(began) != silence {
				t.Fatalf("after %s: %v, %v", time.Since(began), err, cause)
			}
		})
	})
}

type slow func()

func (slow) Batch(Batch) error { return nil }
func (s slow) News(News) error { s(); return nil }

func TestPatience(t *testing.T) {
	if patience(0) != requestTimeout || patience(MaxBlob) <= requestTimeout || patience(MaxBlob) > time.Hour {
		t.Fatalf("%s for nothing, %s for the largest blob", patience(0), patience(MaxBlob))
	}
}
