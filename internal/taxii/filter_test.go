package taxii

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/shelf"
	"shieldwall/internal/stix"
)

func TestFilters(t *testing.T) {
	w := newWorld(t)
	for i := range 4 {
		w.share("b", stix.Green, "alliance", indicator(i+1, 1))
	}
	w.share("b", stix.Green, "alliance", indicator(1, 2))
	w.share("b", stix.Green, "alliance", `{"type":"ipv4-addr","id":"ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4","value":"198.51.100.3"}`)
	for query, want := range map[string]string{
		"": "2 3 4 1 28bb3599", "match[type]=indicator": "2 3 4 1", "match[type]=ipv4-addr,malware": "28bb3599", "match[type]=malware": "",
		"match[id]=" + indicatorID(2): "2", "match[id]=" + indicatorID(1) + "," + indicatorID(3): "3 1", "match[id]=nonsense": "",
		"match[id]=" + indicatorID(2) + "&match[type]=malware": "", "match[id]=" + indicatorID(1) + "&match[version]=first": "1",
		"match[version]=all&match[type]=indicator": "1 2 3 4 1", "match[version]=first&match[type]=indicator": "1 2 3 4", "match[version]=2026-01-02T00:00:00Z": "1",
		"match[version]=2026-01-01T00:00:00.000Z,last&match[type]=indicator": "1 2 3 4 1",
		"match[spec_version]=2.1": "2 3 4 1 28bb3599", "match[spec_version]=2.0,2.1": "2 3 4 1 28bb3599", "match[spec_version]=2.0": "",
		"added_after=2026-03-04T05:06:07.000002Z": "4 1 28bb3599", "added_after=2026-03-04T05:06:07.0000029Z": "4 1 28bb3599", "added_after=2026-03-04T05:06:07.000001999Z": "3 4 1 28bb3599",
		"added_after=2030-01-01T00:00:00Z": "", "added_after=1969-01-01T00:00:00Z&limit=1": "2", "limit=3": "2 3 4", "limit=99999999999999999999": "2 3 4 1 28bb3599",
		"match[other]=x": "2 3 4 1 28bb3599", "other=x": "2 3 4 1 28bb3599",
	} {
		for _, rest := range []string{"objects/?", "manifest/?"} {
			g := w.want(200, ask{path: col("alliance", rest) + strings.NewReplacer("[", "%5B", "]", "%5D").Replace(query)})
			if got := ids(t, g); got != want {
				t.Errorf("%s%s: %q, want %q", rest, query, got, want)
			}
			first, last := g.header.Get("X-Taxii-Date-Added-First"), g.header.Get("X-Taxii-Date-Added-Last")
			if stix.SortKey(first) == "" || stix.SortKey(last) == "" || first > last || want == "" && string(g.body) != "{}" {
				t.Errorf("%s%s: %s %v", rest, query, g.body, g.header)
			}
			// Whoever goes on from where this page ends finds nothing twice and skips nothing.
			if want == "" && strings.HasPrefix(query, "added_after=2030") && last != "2030-01-01T00:00:00.000000Z" {
				t.Errorf("%s%s: goes on from %s", rest, query, last)
			}
		}
	}
}

func TestBadFilters(t *testing.T) {
	w := newWorld(t)
	w.share("b", stix.Green, "alliance", indicator(1, 1))
	many := strings.Repeat("x,", shelf.MaxWanted) + "x"
	for _, query := range []string{
		"added_after=yesterday", "added_after=", "added_after=2026-03-04", "added_after=2026-03-04T05:06:07", "added_after=2026-03-04T05:06:07+01:00",
		"added_after=2026-03-04T05:06:07Z,2026-03-04T05:06:08Z", "added_after=2026-03-04T05:06:07Z&added_after=2026-03-04T05:06:07Z", "added_after=2026-02-30T05:06:07Z",
		"added_after=2026-03-04T05:06:07." + strings.Repeat("1", 65) + "Z",
		"limit=0", "limit=-1", "limit=x", "limit=", "limit=1.5", "limit=1&limit=1", "limit=%2B1",
		"match[id]=", "match[id]=a,", "match[id]=a&match[id]=b", "match[type]=,", "match[id]=" + many, "match[type]=" + many,
		"match[version]=", "match[version]=newest", "match[version]=all,last", "match[version]=last,last", "match[version]=2026-01-01T00:00:00Z,2026-01-01T00:00:00Z",
		"match[version]=first&match[version]=last", "match[spec_version]=", "match[spec_version]=2.1&match[spec_version]=2.0",
		"match=x", "match[=x", "match[]=x", "match[id=x", "next=", "next=x", "next=AAAAAAAAAAAAAAAAAAAAAA", "next=AAAA%3D", "next=x&next=y", "%zz=1", "a;b=1",
	} {
		w.want(400, ask{path: col("alliance", "objects/?") + query})
		w.want(400, ask{path: col("alliance", "manifest/?") + query})
	}
	object := col("alliance", "objects/"+indicatorID(1)+"/")
	for _, query := range []string{"match[id]=x", "match[type]=indicator", "limit=0", "added_after=x"} {
		w.want(400, ask{path: object + "?" + query})
		w.want(400, ask{path: object + "versions/?" + query})
	}
	w.want(400, ask{path: object + "versions/?match[version]=all"})
}

// A cursor is of one filter and one collection; it is good for ever, and whoever makes one up gains nothing.
func TestCursors(t *testing.T) {
	w := newWorld(t)
	for i := range 4 {
		w.share("b", stix.Green, "alliance", indicator(i+1, 1))
		w.share("b", stix.Green, "everyone", indicator(i+1, 1))
	}
	next := func(path string) string {
		return decode[struct{ Next string }](t, w.want(200, ask{path: path})).Next
	}
	plain := next(col("alliance", "objects/?limit=2"))
	typed := next(col("alliance", "objects/?limit=2&match[type]=indicator"))
	for _, tt := range []struct {
		path string
		code int
	}{
		{col("alliance", "objects/?next="+plain), 200}, {col("alliance", "objects/?limit=1&next="+plain), 200},
		{col("alliance", "objects/?added_after=2020-01-01T00:00:00Z&next="+plain), 200}, {col("alliance", "manifest/?next="+plain), 200},
		{col("alliance", "objects/?match[type]=indicator&next="+typed), 200}, {col("alliance", "objects/?next="+typed), 400},
		{col("alliance", "objects/?match[type]=indicator&next="+plain), 400}, {col("everyone", "objects/?next="+plain), 400},
		{col("alliance", "objects/"+indicatorID(1)+"/?next="+plain), 400},
	} {
		w.want(tt.code, ask{path: tt.path})
	}
	w.pass(1000 * time.Hour)
	w.h = New(w.h.opt) // a restart
	if got := ids(t, w.want(200, ask{path: col("alliance", "objects/?next="+plain)})); got != "3 4" {
		t.Errorf("after a restart: %q", got)
	}
}

// What a reader may not see shows in no count, no date and no cursor: the answers are those of a server that has
// never had it.
func TestNothingShowsThrough(t *testing.T) {
	answers := func(hidden bool) string {
		w := newWorld(t)
		var all strings.Builder
		for i := range 6 {
			w.pass(time.Second)
			w.share("b", stix.Green, "alliance", indicator(i+1, 1))
			if !hidden {
				continue
			}
			w.pass(-500 * time.Millisecond) // admitted in between, and a clock that was put back
			w.share("b", stix.AmberStrict, "alliance", indicator(i+1, 2))
			w.share("b", stix.AmberStrict, "alliance", indicator(i+100, 1))
			w.share("b", stix.Red, "member:a", indicator(i+200, 1))
			w.share("c", stix.Green, "group:rail", indicator(i+300, 1))
			w.pass(500 * time.Millisecond)
		}
		if hidden {
			w.post("soc", indicator(400, 1))
		}
		for _, path := range []string{
			root + "collections/", col("alliance", ""), col("alliance", "objects/?limit=4"), col("alliance", "objects/?match[version]=all"), col("alliance", "manifest/"),
			col("alliance", "objects/?match[type]=indicator&limit=2"), col("alliance", "objects/"+indicatorID(1)+"/"), col("alliance", "objects/"+indicatorID(1)+"/versions/"),
			col("alliance", "objects/"+indicatorID(100)+"/"), col("alliance", "objects/?match[id]="+indicatorID(100)), col("group:rail", "objects/"), col("member:a", "objects/"),
			col("member:a", "objects/"+indicatorID(200)+"/"), col("member:a", "objects/"+indicatorID(400)+"/versions/"), root + "collections/group:rail/",
		} {
			g := w.do(ask{path: path, who: "bank"})
			all.WriteString(path + " " + string(g.body) + " " + g.header.Get("X-Taxii-Date-Added-First") + " " + g.header.Get("X-Taxii-Date-Added-Last") + "\n")
		}
		return all.String()
	}
	with, without := strings.Split(answers(true), "\n"), strings.Split(answers(false), "\n")
	for i := range without {
		if with[i] != without[i] {
			t.Errorf("it shows: %s\nwithout it: %s", with[i], without[i])
		}
	}
}

func filterSeeds() []string {
	return []string{
		"", "limit=1", "limit=0", "added_after=2026-01-01T00:00:00.000000Z", "match[id]=a,b", "match[type]=indicator&match[version]=first,last", "match[version]=all",
		"match[spec_version]=2.0,2.1", "next=AAZhPdrT9b3Pt5FaIo1hug", "match[=1", "a;b", "%00=%ff", "match%5Bversion%5D=2026-01-01T00:00:00Z", "limit=1&limit=2",
	}
}

// FuzzFilter: whatever the query, it is refused or means something within the limits, the same every time, and its
// cursor leads back to it.
func FuzzFilter(f *testing.F) {
	for _, s := range filterSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, known := range []fields{anyField, objectFields, versionField} {
			got, err := parseFilter(query, "alliance", "", known)
			if err != nil {
				continue
			}
			if got.Limit < 1 || got.Limit > shelf.MaxPage || len(got.IDs) > shelf.MaxWanted || len(got.Types) > shelf.MaxWanted || len(got.Versions.Exact) > shelf.MaxWanted {
				t.Fatalf("%q is over the limits: %+v", query, got)
			}
			values, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			at := time.UnixMicro(1_234_567).UTC()
			values.Set("next", got.cursor(at))
			again, err := parseFilter(values.Encode(), "alliance", "", known)
			if err != nil || !again.After.Equal(at) || again.mark != got.mark {
				t.Fatalf("%q with its own cursor: %+v, %v", query, again, err)
			}
		}
	})
}

func TestFilterSeeds(t *testing.T) {
	if n := len(filterSeeds()); n < 14 {
		t.Fatalf("%d seeds, want at least 14", n)
	}
}

func envelopeSeeds() []string {
	return []string{
		"", "{}", `{"objects":[]}`, `{"objects":[{"a":1}, [2] ,"x",null,-1.5e3,true]}`, `{"more":true,"next":"x","objects":[{}]}`, `{"objects":[{}],"objects":[{}]}`,
		`{"x":{"objects":[1]},"objects":[{"objects":[{}]}]}`, `{"objects":[{}]} {}`, "\ufeff{}", `{"objects":[{"\u0000":"\ud800"}]}`, `[{"objects":[]}]`, `{"objects":[ {} , {} ]}`,
	}
}

// FuzzEnvelope: what is taken out of an envelope lies in it, in order and without overlap.
func FuzzEnvelope(f *testing.F) {
	for _, s := range envelopeSeeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		objects, err := splitEnvelope(body)
		if err != nil {
			return
		}
		at := 0
		for _, o := range objects {
			if len(o) == 0 {
				t.Fatalf("an object without bytes in %q", body)
			}
			i := strings.Index(string(body[at:]), string(o))
			if i < 0 {
				t.Fatalf("%q is not in %q behind %d", o, body, at)
			}
			at += i + len(o)
		}
		if len(objects) == 0 || len(objects) > maxObjects {
			t.Fatalf("%d objects", len(objects))
		}
	})
}

func TestEnvelopeSeeds(t *testing.T) {
	if n := len(envelopeSeeds()); n < 12 {
		t.Fatalf("%d seeds, want at least 12", n)
	}
}
