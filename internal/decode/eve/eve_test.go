package eve_test

import (
	"bytes"
	_ "embed"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/decode/eve"
	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/decode/taxonomy"
	"shieldwall/internal/event"
)

//go:embed testdata/eve.json
var sample string

// read decodes a stream and names what is EVE.
func read(t testing.TB, stream string) (out []event.Event) {
	t.Helper()
	r := jsonl.New(strings.NewReader(stream), jsonl.Options{Source: "eve.json"})
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if eve.Is(taxonomy.MarksOf(ev)) {
			eve.Name(ev)
		}
		e := *ev
		e.Fields = append([]event.Field(nil), ev.Fields...)
		out = append(out, e)
	}
}

func TestName(t *testing.T) {
	type want struct {
		category, service string
		fields            map[string]string // a list's items are joined by |
	}
	wants := []want{
		{"dns", "dns", map[string]string{"query": "api.telegram.org", "QueryName": "api.telegram.org", "record_type": "A",
			"SourceIp": "10.1.2.3", "dst_ip": "10.1.0.53", "DestinationPort": "53", "Protocol": "UDP", "dns.rrname": "api.telegram.org"}},
		{"dns", "dns", map[string]string{"query": "x.example.com", "record_type": "TXT", "answer": "IEX (New-Object|v=spf1"}},
		{"dns", "dns", map[string]string{"query": "www.suricata.io", "record_type": "AAAA", "SourceIp": "2001:db8::5"}},
		{"proxy", "http", map[string]string{"cs-host": "evil.example.tk", "cs-method": "GET", "sc-status": "200", "c-useragent": "Microsoft BITS/7.8",
			"c-uri": "/a/payload.exe?id=1|http://evil.example.tk/a/payload.exe?id=1", "c-uri-query": "id=1", "cs-uri-stem": "/a/payload.exe",
			"c-uri-extension": "exe", "cs-uri-query": "/a/payload.exe?id=1|id=1", "c-ip": "10.1.2.3", "s-port": "80"}},
		{"", "alert", map[string]string{"action": "blocked", "blocked": "true", "cs-method": "POST", "cs-uri-stem": "/cgi-bin/.%2e/bin/sh",
			"alert.signature": "ET EXPLOIT something"}},
		{"network_connection", "flow", map[string]string{"DestinationIp": "69.42.98.86", "dst_port": "23"}},
		{"", "tls", map[string]string{"DestinationHostname": "example.net", "certificate.serial": "8B:B0:0E:E0"}},
		{"firewall", "drop", map[string]string{"action": "drop", "blocked": "true", "dst_ip": "192.0.2.45"}},
		{"", "fileinfo", map[string]string{"md5": "d41d8cd98f00b204e9800998ecf8427e", "Filename": "/a/payload.exe"}},
		{"", "stats", nil},
	}
	got := read(t, sample)
	if len(got) != len(wants) {
		t.Fatalf("%d events", len(got))
	}
	for i, w := range wants {
		ev := got[i]
		if ev.Product != eve.Product || ev.Category != w.category || ev.Service != w.service {
			t.Errorf("%s: logsource %s/%s/%s", ev.Record, ev.Product, ev.Category, ev.Service)
		}
		for name, text := range w.fields {
			if v, ok := ev.Get(name); !ok || spell(v) != text {
				t.Errorf("%s %s: %s is %q, want %q", ev.Record, ev.Service, name, spell(v), text)
			}
		}
		once(t, &ev)
	}
	if want := time.Date(2024, 3, 5, 9, 11, 12, 123456000, time.UTC); !got[0].Time.Equal(want) || got[0].Computer != "sensor-7" {
		t.Errorf("time %v, computer %q", got[0].Time, got[0].Computer)
	}
}

func spell(v event.Value) string {
	if v.Kind != event.List {
		return v.Text
	}
	var items []string
	for _, i := range v.Items {
		items = append(items, i.Text)
	}
	return strings.Join(items, "|")
}

// once: a name occurs at most once.
func once(t testing.TB, ev *event.Event) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range ev.Fields {
		if seen[f.Name] {
			t.Fatalf("%s occurs twice", f.Name)
		}
		seen[f.Name] = true
	}
}

// TestIs: what only looks like EVE is left alone.
func TestIs(t *testing.T) {
	for _, line := range []string{
		`{"event_type":"login","reason":"denied"}`,                    // Duo
		`{"timestamp":"2024-03-05T10:11:12Z","event_type":"login"}`,   // anybody's
		`{"timestamp":"2024-03-05T10:11:12Z","src_ip":"10.1.2.3"}`,    // no type
		`{"eve":{"timestamp":"1","event_type":"dns","src_ip":"1.1"}}`, // deeper
	} {
		if ev := read(t, line)[0]; ev.Product != "" {
			t.Errorf("taken: %s", line)
		}
	}
}

// seeds are the sample's lines, and shapes nobody writes.
func seeds() []string {
	return append(strings.Split(strings.TrimSpace(sample), "\n"),
		`{"timestamp":0,"event_type":["dns"],"src_ip":null}`,
		`{"timestamp":"","event_type":"http","flow_id":1,"http":{"hostname":[],"url":["/a","/b"]}}`,
		`{"timestamp":"","event_type":"http","flow_id":1,"http":{"url":"http://"},"c-uri":1,"cs-uri":{"a":1}}`,
		`{"timestamp":"","event_type":"alert","flow_id":1,"http":{"url":"?"},"alert":{"action":[null]}}`)
}

func TestSeeds(t *testing.T) {
	if n := len(seeds()); n < 14 {
		t.Errorf("%d seeds", n)
	}
}

func FuzzName(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r := jsonl.New(bytes.NewReader(line), jsonl.Options{})
		for {
			ev, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				continue
			}
			before := append([]event.Field(nil), ev.Fields...)
			eve.Name(ev)
			once(t, ev)
			for i := range before {
				if ev.Fields[i].Name != before[i].Name || spell(ev.Fields[i].Value) != spell(before[i].Value) {
					t.Fatalf("the event's own field %s changed", before[i].Name)
				}
			}
		}
	})
}

func BenchmarkName(b *testing.B) {
	stream := strings.Repeat(sample, 200)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		r := jsonl.New(strings.NewReader(stream), jsonl.Options{})
		for {
			ev, err := r.Next()
			if err != nil {
				break
			}
			if eve.Is(taxonomy.MarksOf(ev)) {
				eve.Name(ev)
			}
		}
	}
}
