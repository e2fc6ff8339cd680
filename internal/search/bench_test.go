package search

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/roster"
	"shieldwall/internal/stix"
	"shieldwall/internal/store/sqlite"
)

// million is how many objects the benchmark searches.
const million = 1_000_000

// generated is an object as feeds and sandboxes bring them by the million: nine of ten are indicators.
func generated(i int) (id, typ, audience string, tlp stix.TLP, raw []byte) {
	id = fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(i)*2654435761, i)
	audience, tlp = "alliance", stix.Green
	switch {
	case i%50 == 7:
		audience, tlp = "member:c", stix.Amber // not for the reader
	case i%20 == 3:
		audience, tlp = "alliance", stix.AmberStrict
	}
	created := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 200 * time.Second).Format("2006-01-02T15:04:05.000Z")
	head := func(typ string) string {
		return fmt.Sprintf(`{"type":%q,"spec_version":"2.1","id":"%s--%s","created":%q,"modified":%q,"created_by_ref":"identity--%08x-0000-4000-8000-000000000000"`, typ, typ, id, created, created, i%40)
	}
	switch i % 10 {
	case 8:
		typ = "malware"
		raw = fmt.Appendf(nil, `%s,"name":"family %d","is_family":true,"description":"Seen in campaign %d against operator %d; drops stage%d and calls home."}`, head(typ), i%5000, i%300, i%70, i%9)
	case 9:
		typ = "relationship"
		other := i - 1
		raw = fmt.Appendf(nil, `%s,"relationship_type":"indicates","source_ref":"indicator--%08x-0000-4000-8000-%012x","target_ref":"malware--%08x-0000-4000-8000-%012x"}`, head(typ), uint32(i-2)*2654435761, i-2, uint32(other)*2654435761, other)
	default:
		typ = "indicator"
		raw = fmt.Appendf(nil, `%s,"name":"beacon %d of group%d","labels":["feed-%d","attack.t1%03d"],"pattern":"[ipv4-addr:value = '10.%d.%d.%d' OR domain-name:value = 'h%d.example']","pattern_type":"stix","valid_from":%q}`,
			head(typ), i, i%500, i%30, i%400, i>>16&255, i>>8&255, i&255, i, created)
	}
	return typ + "--" + id, typ, audience, tlp, raw
}

var bench struct {
	sync.Once
	st         *sqlite.Store
	s          *Searcher
	dir        string
	load, rate float64
	size       int64
}

func TestMain(m *testing.M) {
	code := m.Run()
	if bench.dir != "" {
		os.RemoveAll(bench.dir)
	}
	os.Exit(code)
}

// benchmark makes the million once a process.
func benchmark(b *testing.B) *Searcher {
	bench.Do(func() {
		dir, err := os.MkdirTemp("", "search-bench")
		if err != nil {
			b.Fatal(err)
		}
		bench.dir = dir
		path := filepath.Join(dir, "x.db")
		if bench.st, err = sqlite.Open(context.Background(), path, sqlite.Options{}); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		for first := 0; first < million; first += 100 {
			err := bench.st.Update(context.Background(), func(tx *sqlite.Tx) error {
				for i := first; i < first+100; i++ {
					id, typ, audience, tlp, raw := generated(i)
					if _, err := tx.PutCopy(object.Copy{Key: object.Key{Publisher: "b", ID: id}, Type: typ, Modified: "2026-01-01T00:00:00", TLP: uint8(tlp), Audience: audience, Admitted: time.Now(), Raw: raw}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		bench.load = million / time.Since(began).Seconds()
		members := policy.MembersOf(&roster.Roster{Version: 1, Members: []roster.Member{{ID: "a"}, {ID: "b"}, {ID: "c"}}})
		bench.s = New(Options{
			View: func(ctx context.Context, fn func(Tx) error) error {
				return bench.st.View(ctx, func(tx *sqlite.Tx) error { return fn(tx) })
			},
			Update: func(ctx context.Context, fn func(Tx) error) error {
				return bench.st.Update(ctx, func(tx *sqlite.Tx) error { return fn(tx) })
			},
			Members: func() *policy.Members { return members }, Now: time.Now, Secret: []byte("a secret for the benchmark"),
			Open: func(c object.Copy) (object.Copy, error) { return c, nil },
		})
		before := fileSize(path)
		began = time.Now()
		if err := bench.s.CatchUp(context.Background()); err != nil {
			b.Fatal(err)
		}
		bench.rate = million / time.Since(began).Seconds()
		bench.size = fileSize(path)
		fmt.Printf("admitted %.0f/s; indexed %.0f/s; %d MB before, %d MB with the index\n", bench.load, bench.rate, before>>20, bench.size>>20)
	})
	return bench.s
}

func fileSize(path string) (n int64) {
	for _, p := range []string{path, path + "-wal"} {
		if fi, err := os.Stat(p); err == nil {
			n += fi.Size()
		}
	}
	return n
}

// BenchmarkMillion is the first page of each kind of query, of 50 hits, over a million objects: p50, p99 and how many
// pages were partial.
func BenchmarkMillion(b *testing.B) {
	object := func(i int) string { id, _, _, _, _ := generated(i); return id }
	for _, c := range []struct {
		name  string
		query func(i int) string
		rel   bool
	}{
		{"all", func(int) string { return "" }, false},
		{"type", func(i int) string { return []string{"type:malware", "type:indicator", "type:campaign"}[i%3] }, false},
		{"id", func(i int) string { return "id:" + object(i*7919%million) }, false},
		{"value", func(i int) string { return fmt.Sprintf("value:h%d.example", i*7919%million) }, false},
		{"pattern", func(i int) string { return fmt.Sprintf("pattern:10.%d.%d.%d", i%16, i*31%256, i%256) }, false},
		{"name", func(i int) string { return fmt.Sprintf(`name:"of group%d"`, i%500) }, false},
		{"rare word", func(i int) string { return fmt.Sprintf("campaign %d", i%300) }, false},
		{"no such word", func(i int) string { return fmt.Sprintf("nowhere%d", i) }, false},
		{"prefix", func(i int) string { return fmt.Sprintf("h%d*", i%1000) }, false},
		{"label", func(i int) string { return fmt.Sprintf("label:feed-%d", i%30) }, false},
		{"technique", func(i int) string { return fmt.Sprintf("technique:T1%03d", i%400) }, false},
		{"member", func(i int) string { return []string{"member:b", "member:c"}[i%2] }, false},
		{"tlp", func(i int) string { return []string{"tlp:green", "tlp:amber+strict", "tlp:amber"}[i%3] }, false},
		{"created", func(i int) string {
			return fmt.Sprintf("created:202%d-%02d..202%d-%02d-17", i%5, i%12+1, i%5+1, i%12+1)
		}, false},
		{"since", func(int) string { return "since:1h type:malware" }, false},
		{"until", func(int) string { return "until:2100-01-01 type:malware" }, false},
		{"ref", func(i int) string { return "ref:" + object(i*10%million+8) }, false},
		{"creator", func(i int) string { return fmt.Sprintf("creator:identity--%08x-0000-4000-8000-000000000000", i%40) }, false},
		{"everything at once", func(i int) string {
			return fmt.Sprintf(`type:indicator technique:T1%03d tlp:green -label:feed-%d (beacon OR "calls home") created:2021..`, i%400, i%30)
		}, false},
		{"terms that never meet", func(i int) string { return fmt.Sprintf("type:malware label:feed-%d", i%30) }, false},
		{"phrase that is nowhere", func(i int) string { return `"of beacon"` }, false},
		{"phrase of words that never meet", func(i int) string { return `"beacon campaign"` }, false},
		{"not a phrase", func(i int) string { return `type:malware -"seen in"` }, false},
		{"negation of most", func(i int) string { return "-type:indicator -type:malware -type:relationship" }, false},
		{"groups that never meet", func(i int) string { return "(type:malware type:indicator) OR (type:malware tlp:red)" }, false},
		{"50 with relations", func(i int) string { return "type:malware" }, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := benchmark(b)
			who := policy.Reader{Kind: policy.Staff, Member: "a"}
			var took []time.Duration
			partial, hits := 0, 0
			i := 0
			for b.Loop() {
				began := time.Now()
				page, err := s.Search(context.Background(), who, Request{Query: c.query(i), Relations: c.rel})
				took = append(took, time.Since(began))
				if err != nil {
					b.Fatal(err)
				}
				if page.Partial {
					partial++
				}
				hits += len(page.Hits)
				i++
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(partial)/float64(len(took)), "partial")
			b.ReportMetric(float64(hits)/float64(len(took)), "hits")
		})
	}
}
