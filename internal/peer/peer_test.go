package peer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// node is a Backend in memory: one log of which every byte is a checkpoint's.
type node struct {
	mu      sync.Mutex
	members map[string]string // pin -> member
	batches []Batch
	changed chan struct{}
	more    chan struct{}
	joins   int
	applied map[string][]byte
}

func newNode() *node {
	return &node{members: map[string]string{}, changed: make(chan struct{}), more: make(chan struct{}), applied: map[string][]byte{}}
}

func (n *node) Identify(pin string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if m := n.members[pin]; m != "" {
		return m, nil
	}
	return "", &Refusal{http.StatusForbidden, "this key is in no card of the alliance"}
}

func (n *node) Resource(_ context.Context, log, path string) ([]byte, string, error) {
	if log != "a/b" || path != "checkpoint" {
		return nil, "", fmt.Errorf("%s/%s: %w", log, path, fs.ErrNotExist)
	}
	return []byte("head"), "text/plain", nil
}

func (n *node) Next(ctx context.Context, log string, from uint64, _ int) (Batch, error) {
	for {
		n.mu.Lock()
		more := n.more
		if int(from) < len(n.batches) {
			b := n.batches[from]
			n.mu.Unlock()
			return b, nil
		}
		n.mu.Unlock()
		select {
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		case <-more:
		}
	}
}

func (n *node) append(b Batch) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.batches = append(n.batches, b)
	close(n.more)
	n.more = make(chan struct{})
}

func (n *node) News() (News, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return News{Version: 1, Cards: map[string]uint64{"a": 1}}, n.changed
}

func (n *node) change(fn func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fn()
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *node) Roster(context.Context, uint64) ([]byte, error) { return []byte("roster"), nil }
func (n *node) Card(context.Context, string) ([]byte, error)   { return nil, fs.ErrNotExist }
func (n *node) Draft(context.Context, string) ([]byte, error)  { return []byte("draft"), nil }
func (n *node) AdmitCard(context.Context, []byte) error {
	return &Refusal{http.StatusForbidden, "sequence 1 is not above 2"}
}
func (n *node) Join(_ context.Context, req JoinRequest, exporter []byte) (Joined, error) {
	if !bytes.Equal(req.Proof, exporter) {
		return Joined{}, &Refusal{http.StatusForbidden, "the proof does not fit this connection"}
	}
	n.joins++
	return Joined{Rosters: [][]byte{[]byte("r1")}}, nil
}
func (n *node) Applied(_ context.Context, member string, note []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.applied[member] = note
	return nil
}
func (n *node) Blob(_ context.Context, hash []byte) ([]byte, error) {
	return []byte("blob"), nil
}

func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, SPKIPin(leaf)
}

// serve starts a server for n and returns its address and pin.
func serve(t *testing.T, n *node) (endpoint, pin string, meter *Meter) {
	t.Helper()
	return serveBackend(t, n)
}

func serveBackend(t *testing.T, n Backend) (endpoint, pin string, meter *Meter) {
	t.Helper()
	cert, pin := certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	meter = &Meter{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- NewServer(n, meter, slog.New(slog.NewTextHandler(io.Discard, nil))).Serve(ctx, l, cert)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "https://" + l.Addr().String(), pin, meter
}

func client(t *testing.T, endpoint, pin string) (*Client, string) {
	t.Helper()
	cert, own := certificate(t)
	c := NewClient(cert, func() []string { return []string{endpoint} }, func() []string { return []string{pin} }, &Meter{})
	t.Cleanup(c.Close)
	return c, own
}

func TestStrangerIsToldWhy(t *testing.T) {
	n := newNode()
	endpoint, pin, _ := serve(t, n)
	c, _ := client(t, endpoint, pin)
	_, err := c.Checkpoint(t.Context(), "a/b")
	if reason, ok := IsRefusal(err); !ok || !strings.Contains(reason, "in no card") {
		t.Fatalf("a stranger got %v", err)
	}
}

func TestServerWithAnotherKeyIsRefused(t *testing.T) {
	endpoint, _, _ := serve(t, newNode())
	c, _ := client(t, endpoint, strings.Repeat("00", 32))
	_, err := c.Checkpoint(t.Context(), "a/b")
	if err == nil || !strings.Contains(err.Error(), "not the one its card pins") {
		t.Fatalf("err = %v", err)
	}
}

func TestMemberReads(t *testing.T) {
	n := newNode()
	endpoint, pin, meter := serve(t, n)
	c, own := client(t, endpoint, pin)
	n.members[own] = "m"
	if got, err := c.Checkpoint(t.Context(), "a/b"); err != nil || string(got) != "head" {
		t.Fatalf("checkpoint: %q, %v", got, err)
	}
	if _, err := c.Resource(t.Context(), "a/b", "tile/0/000", 10); err == nil || !strings.Contains(err.Error(), "does not hold") {
		t.Fatalf("missing tile: %v", err)
	}
	if err := c.Applied(t.Context(), []byte("receipt")); err != nil || string(n.applied["m"]) != "receipt" {
		t.Fatalf("applied: %v, %q", err, n.applied["m"])
	}
	if _, err := c.Blob(t.Context(), make([]byte, 32)); err == nil || !strings.Contains(err.Error(), "other bytes") {
		t.Fatalf("a blob with other bytes: %v", err)
	}
	sum := sha256.Sum256([]byte("blob"))
	if got, err := c.Blob(t.Context(), sum[:]); err != nil || string(got) != "blob" {
		t.Fatalf("blob: %q, %v", got, err)
	}
	if err := c.PostCard(t.Context(), make([]byte, MaxPost+1)); err == nil || !strings.Contains(err.Error(), "16 KiB") {
		t.Fatalf("an oversized card: %v", err)
	}
	if in, out := meter.Totals(); in == 0 || out == 0 {
		t.Fatalf("nothing counted: %d in, %d out", in, out)
	}
}

type recorder struct {
	batches chan Batch
	news    chan News
}

func (r *recorder) Batch(b Batch) error { r.batches <- b; return nil }
func (r *recorder) News(n News) error   { r.news <- n; return nil }

func TestStreamEndsWithMembership(t *testing.T) {
	n := newNode()
	endpoint, pin, _ := serve(t, n)
	c, own := client(t, endpoint, pin)
	n.members[own] = "m"
	n.append(Batch{Checkpoint: []byte("one"), First: 0, Entries: [][]byte{[]byte("e0")}})
	rec := &recorder{batches: make(chan Batch, 4), news: make(chan News, 4)}
	ended := make(chan error, 1)
	go func() { ended <- c.Stream(t.Context(), "a/b", 0, rec) }()
	<-rec.news
	if b := <-rec.batches; string(b.Entries[0]) != "e0" || string(b.Checkpoint) != "one" {
		t.Fatalf("first batch: %+v", b)
	}
	n.append(Batch{Checkpoint: []byte("two"), First: 1, Entries: [][]byte{{}, []byte("e2")}})
	if b := <-rec.batches; b.First != 1 || len(b.Entries) != 2 {
		t.Fatalf("second batch: %+v", b)
	}
	n.change(func() { delete(n.members, own) })
	err := <-ended
	if reason, ok := IsRefusal(err); !ok || !strings.Contains(reason, "in no card") {
		t.Fatalf("a removed member's stream ended with %v", err)
	}
}

func TestJoinProofIsBoundToTheConnection(t *testing.T) {
	n := newNode()
	endpoint, pin, _ := serve(t, n)
	cert, _ := certificate(t)
	joined, err := Join(t.Context(), endpoint, cert, []string{pin}, JoinRequest{}, func(e []byte) ([]byte, error) { return e, nil })
	if err != nil || len(joined.Rosters) != 1 {
		t.Fatalf("join: %v, %+v", err, joined)
	}
	_, err = Join(t.Context(), endpoint, cert, []string{pin}, JoinRequest{}, func([]byte) ([]byte, error) { return []byte("replayed"), nil })
	if reason, ok := IsRefusal(err); !ok || !strings.Contains(reason, "does not fit") {
		t.Fatalf("a replayed proof: %v", err)
	}
	if n.joins != 1 {
		t.Fatalf("%d joins", n.joins)
	}
}

// TestOldTLSIsRefused shows that neither TLS 1.2 nor a classical key exchange is spoken.
func TestOldTLSIsRefused(t *testing.T) {
	endpoint, _, _ := serve(t, newNode())
	cert, _ := certificate(t)
	addr := strings.TrimPrefix(endpoint, "https://")
	for name, cfg := range map[string]*tls.Config{
		"TLS 1.2":   {MaxVersion: tls.VersionTLS12},
		"classical": {CurvePreferences: []tls.CurveID{tls.X25519}},
	} {
		cfg.InsecureSkipVerify = true
		cfg.Certificates = []tls.Certificate{cert}
		if c, err := tls.Dial("tcp", addr, cfg); err == nil {
			c.Close()
			t.Errorf("%s was accepted", name)
		}
	}
}

const batchSeeds = 6

func seedBatches(add func([]byte)) int {
	n := 0
	seed := func(b []byte) { n++; add(b) }
	for _, b := range []Batch{{}, {Checkpoint: []byte("c"), First: 7, Entries: [][]byte{nil, []byte("x")}}, {Entries: [][]byte{bytes.Repeat([]byte{1}, maxEntry)}}} {
		raw, err := appendBatch(nil, b)
		if err != nil {
			panic(err)
		}
		seed(raw)
	}
	seed(nil)
	seed([]byte{255, 255, 255, 255})
	seed([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9})
	return n
}

func TestBatchSeeds(t *testing.T) {
	if n := seedBatches(func([]byte) {}); n < batchSeeds {
		t.Fatalf("%d seeds", n)
	}
}

func FuzzParseBatch(f *testing.F) {
	seedBatches(func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ParseBatch(data)
		if err != nil {
			return
		}
		again, err := appendBatch(nil, b)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x became %x (%v)", data, again, err)
		}
	})
}

func FuzzReadEvents(f *testing.F) {
	raw, _ := appendBatch(nil, Batch{Checkpoint: []byte("c"), Entries: [][]byte{[]byte("e")}})
	f.Add([]byte("event: batch\ndata: " + base64.StdEncoding.EncodeToString(raw) + "\n\n"))
	f.Add([]byte("event: news\ndata: {\"version\":1}\n\n"))
	f.Add([]byte(": alive\n\nevent: refused\ndata: {\"error\":\"no\"}\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rec := &discard{}
		if err := readEvents(bytes.NewReader(data), rec); err == nil {
			t.Fatal("a stream always ends with a reason")
		}
	})
}

type discard struct{}

func (discard) Batch(Batch) error { return nil }
func (discard) News(News) error   { return nil }
