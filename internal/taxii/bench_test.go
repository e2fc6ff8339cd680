package taxii

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"shieldwall/internal/inbox"
	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/roster"
	"shieldwall/internal/shelf"
	"shieldwall/internal/store/sqlite"
)

// bench is a server over a real store with generated indicators on one shelf.
type bench struct {
	h     *Handler
	times []time.Time // of admission, every hundredth
}

func (b *bench) Holder(context.Context, [sha256.Size]byte) (Holder, bool, error) {
	return Holder{Name: "bench", Kind: policy.Machine, Read: true}, true, nil
}

type benchBackend struct{ shelves *shelf.Shelves }

var benchReader = policy.Reader{Kind: policy.Machine, Member: "a"}

func (benchBackend) About() (string, string) { return "bench", "" }
func (b benchBackend) Audiences(ctx context.Context, _ Holder) ([]string, error) {
	return b.shelves.Audiences(ctx, benchReader)
}
func (b benchBackend) Sees(ctx context.Context, _ Holder, audience string) (bool, error) {
	return b.shelves.Sees(ctx, benchReader, audience)
}
func (b benchBackend) MayRead(_ Holder, audience string) bool {
	return b.shelves.MayRead(benchReader, audience)
}
func (b benchBackend) Page(ctx context.Context, _ Holder, q shelf.Query) (shelf.Page, error) {
	return b.shelves.Page(ctx, benchReader, q)
}
func (benchBackend) Inbox() string { return "member:a" }
func (benchBackend) Post(context.Context, Holder, [][]byte) ([]inbox.Result, error) {
	return nil, inbox.ErrUnknown
}
func (benchBackend) Remove(context.Context, Holder, string, shelf.Versions) error {
	return inbox.ErrUnknown
}
func (benchBackend) Note(context.Context, Holder, string, []byte) error { return nil }
func (benchBackend) Noted(context.Context, Holder, string) ([]byte, error) {
	return nil, inbox.ErrUnknown
}

// benchDirs are removed when all is over.
var benchDirs []string

func TestMain(m *testing.M) {
	code := m.Run()
	for _, dir := range benchDirs {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// benches are made once a process: a million objects take a minute.
var benches sync.Map

func benchOf(b *testing.B, objects int) *bench { return benchShared(b, objects, 1) }

// benchShared has each object from so many members.
func benchShared(b *testing.B, objects, members int) *bench {
	made, _ := benches.LoadOrStore([2]int{objects, members}, sync.OnceValue(func() *bench { return makeBench(b, objects, members) }))
	return made.(func() *bench)()
}

// indicatorOf is a small indicator, as feeds have them by the million.
func indicatorOf(i int) (id string, raw []byte) {
	id = fmt.Sprintf("indicator--%08x-0000-4000-8000-%012x", uint32(i)*2654435761, i)
	return id, fmt.Appendf(nil, `{"type":"indicator","spec_version":"2.1","id":"%s","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z",`+
		`"indicator_types":["malicious-activity"],"pattern":"[ipv4-addr:value = '10.%d.%d.%d']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"}`, id, i>>16&255, i>>8&255, i&255)
}

func makeBench(b *testing.B, objects, publishers int) *bench {
	// Not the benchmark's own folder, which ends with the first of those that use the store.
	dir, err := os.MkdirTemp("", "taxii-bench")
	if err != nil {
		b.Fatal(err)
	}
	benchDirs = append(benchDirs, dir)
	st, err := sqlite.Open(context.Background(), filepath.Join(dir, "x.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	out := &bench{}
	const unit = 100
	for first := 0; first < objects; first += unit {
		err := st.Update(context.Background(), func(tx *sqlite.Tx) error {
			var last object.Copy
			for i := first; i < min(first+unit, objects); i++ {
				id, raw := indicatorOf(i / publishers)
				var err error
				if last, err = tx.PutCopy(object.Copy{
					Key: object.Key{Publisher: fmt.Sprint("b", i%publishers), ID: id}, Type: "indicator", Modified: "2026-01-01T00:00:00",
					TLP: 2, Audience: "alliance", Place: object.Place{Log: "b/1", Index: uint64(i)}, Admitted: time.Now(), Raw: raw,
				}); err != nil {
					return err
				}
			}
			out.times = append(out.times, last.Admitted)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	members := policy.MembersOf(&roster.Roster{Version: 1, Members: []roster.Member{{ID: "a"}, {ID: "b"}}})
	view := func(ctx context.Context, fn func(shelf.Tx) error) error {
		return st.View(ctx, func(tx *sqlite.Tx) error { return fn(tx) })
	}
	shelves := shelf.New(shelf.Options{View: view, Members: func() *policy.Members { return members }, Open: func(c object.Copy) (object.Copy, error) { return c, nil }})
	out.h = New(Options{Backend: benchBackend{shelves}, Tokens: out, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Time{} }})
	return out
}

// sunk is a client that takes everything.
type sunk struct {
	header http.Header
	code   int
	bytes  int64
}

func (s *sunk) Header() http.Header { return s.header }
func (s *sunk) WriteHeader(c int)   { s.code = c }
func (s *sunk) Write(p []byte) (int, error) {
	s.bytes += int64(len(p))
	return len(p), nil
}

// get asks for a page of the bench's collection. The clock of the bench stands still, so its rate is not limited.
func (b *bench) get(query url.Values) *sunk {
	b.h.holders = holders{}
	w := &sunk{header: http.Header{}}
	r, _ := http.NewRequest(http.MethodGet, "http://x"+root+"collections/alliance/objects/?"+query.Encode(), nil)
	r.Header.Set("Authorization", "Bearer x")
	b.h.ServeHTTP(w, r)
	return w
}

// BenchmarkPage is the cost of a page of 100 objects at the start, the middle and the end of a collection, the same
// page again and again, and of pages from all over it.
func BenchmarkPage(b *testing.B) {
	for _, objects := range []int{1_000, 100_000, 1_000_000} {
		for _, place := range []struct {
			name string
			part float64
		}{{"start", 0}, {"middle", 0.5}, {"end", 0.9}, {"anywhere", -1}} {
			b.Run(fmt.Sprintf("objects=%d/%s", objects, place.name), func(b *testing.B) {
				if testing.Short() && objects > 100_000 {
					b.Skip("takes a minute to load")
				}
				s := benchOf(b, objects)
				query := url.Values{"limit": {"100"}}
				after := func(i int) { query.Set("added_after", dateAdded(s.times[i].Add(-time.Microsecond))) }
				pages := len(s.times) - 2
				after(int(float64(pages) * max(place.part, 0)))
				b.ReportAllocs()
				i, before := 0, cpu()
				for b.Loop() {
					if place.part < 0 {
						i = (i + 7919) % pages
						after(i)
					}
					if w := s.get(query); w.code != http.StatusOK || w.bytes < 30_000 {
						b.Fatal(w.code, w.bytes)
					}
				}
				b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// BenchmarkShared is how fast a client gets through objects that five members share each.
func BenchmarkShared(b *testing.B) {
	s := benchShared(b, 100_000, 5)
	n, i, before := 0, 0, cpu()
	for b.Loop() {
		w := s.get(url.Values{"limit": {"1000"}, "added_after": {dateAdded(s.times[i])}})
		if w.code != http.StatusOK || w.bytes < 300_000 {
			b.Fatal(w.code, w.bytes)
		}
		n += 1000
		i = (i + 50) % (len(s.times) - 60)
	}
	b.ReportMetric(float64(n)/(cpu()-before).Seconds(), "objects/cpu-s")
}

// BenchmarkWire is BenchmarkServe over loopback, the client's work included.
func BenchmarkWire(b *testing.B) {
	s := benchOf(b, 100_000)
	srv := httptest.NewServer(s.h)
	defer srv.Close()
	n, before := 0, cpu()
	for i := 0; b.Loop(); i = (i + 10) % (len(s.times) - 10) {
		s.h.holders.mu.Lock()
		s.h.holders.known = nil // its clock stands still
		s.h.holders.mu.Unlock()
		r, err := http.NewRequest(http.MethodGet, srv.URL+root+"collections/alliance/objects/?limit=1000&added_after="+url.QueryEscape(dateAdded(s.times[i])), nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer x")
		resp, err := srv.Client().Do(r)
		if err != nil {
			b.Fatal(err)
		}
		size, err := io.Copy(io.Discard, resp.Body)
		if resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK || size < 300_000 {
			b.Fatal(resp.StatusCode, size, err)
		}
		b.SetBytes(size)
		n += 1000
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "objects/s")
	b.ReportMetric(float64(n)/(cpu()-before).Seconds(), "objects/cpu-s")
}

// BenchmarkServe is how fast a client that takes pages of 1,000 gets through a collection.
func BenchmarkServe(b *testing.B) {
	for _, objects := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("objects=%d", objects), func(b *testing.B) {
			if testing.Short() && objects > 100_000 {
				b.Skip("takes a minute to load")
			}
			s := benchOf(b, objects)
			n, i, before := 0, 0, cpu()
			for b.Loop() {
				query := url.Values{"limit": {"1000"}}
				if i > 0 {
					query.Set("added_after", dateAdded(s.times[i-1]))
				}
				w := s.get(query)
				if w.code != http.StatusOK || w.bytes < 300_000 {
					b.Fatal(w.code, w.bytes)
				}
				b.SetBytes(w.bytes)
				n += 1000
				i = (i + 10) % (len(s.times) - 10)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "objects/s")
			b.ReportMetric(float64(n)/(cpu()-before).Seconds(), "objects/cpu-s")
		})
	}
}
