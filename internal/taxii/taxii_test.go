package taxii

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/policy"
	"shieldwall/internal/stix"
)

func TestDiscoveryAndRoot(t *testing.T) {
	w := newWorld(t)
	g := w.want(200, ask{})
	want := `{"title":"Shieldwall: a","description":"A test.","default":"http://example.com/taxii2/root/","api_roots":["http://example.com/taxii2/root/"]}`
	if string(g.body) != want {
		t.Errorf("discovery %s", g.body)
	}
	w.h.opt.URL = "https://taxii.example.org/"
	if g := w.want(200, ask{path: "/taxii2"}); !strings.Contains(string(g.body), `"default":"https://taxii.example.org/taxii2/root/"`) {
		t.Errorf("discovery %s", g.body)
	}
	g = w.want(200, ask{path: root})
	if want := `{"title":"Shieldwall: a","description":"A test.","versions":["application/taxii+json;version=2.1"],"max_content_length":33554432}`; string(g.body) != want {
		t.Errorf("API root %s", g.body)
	}
	for _, host := range []string{"", "a/b", `a"b`, "u@h"} {
		r := &request{Request: httptest.NewRequest("GET", "/", nil), h: New(Options{})}
		r.Host = host
		if got := r.base(); got != "" {
			t.Errorf("the host %q makes %q", host, got)
		}
	}
}

func TestWhoIsLetIn(t *testing.T) {
	w := newWorld(t)
	basic := func(user, password string) http.Header {
		return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}}
	}
	for name, tt := range map[string]struct {
		header http.Header
		code   int
	}{
		"bearer":               {http.Header{"Authorization": {"bearer soc-token"}}, 200},
		"taxii2-client's":      {http.Header{"Authorization": {"Token soc-token"}}, 200},
		"basic":                {basic("soc", "soc-token"), 200},
		"basic, another name":  {basic("siem", "soc-token"), 401},
		"basic, no name":       {basic("", "soc-token"), 401},
		"basic, no password":   {basic("soc", ""), 401},
		"basic, not base64":    {http.Header{"Authorization": {"Basic ???"}}, 401},
		"unknown":              {http.Header{"Authorization": {"Bearer nobody"}}, 401},
		"nothing":              {http.Header{"Authorization": nil}, 401},
		"no token":             {http.Header{"Authorization": {"Bearer"}}, 401},
		"another scheme":       {http.Header{"Authorization": {"Digest soc-token"}}, 401},
		"endless":              {http.Header{"Authorization": {"Bearer " + strings.Repeat("x", maxToken+1)}}, 401},
		"a token for the logs": {http.Header{"Authorization": {"Bearer beats-token"}}, 403},
	} {
		g := w.do(ask{header: tt.header})
		if g.code != tt.code {
			t.Errorf("%s: %d %s, want %d", name, g.code, g.body, tt.code)
		}
		if challenges := g.header.Values("WWW-Authenticate"); (g.code == 401) != (len(challenges) == 2) {
			t.Errorf("%s: challenges %q", name, challenges)
		}
	}
	// What is asked for makes no difference to a stranger.
	for _, path := range []string{root, col("alliance", ""), "/taxii2/nothing/", root + "status/x/"} {
		w.want(401, ask{path: path, who: "stranger", accept: "text/html"})
	}
	if strings.Contains(w.log.String(), "soc-token") || !strings.Contains(w.log.String(), "TAXII client refused") {
		t.Errorf("log %s", &w.log)
	}
}

func TestClientCertificate(t *testing.T) {
	w := newWorld(t)
	certificate := &x509.Certificate{RawSubjectPublicKeyInfo: []byte("a key")}
	ask := func(header string) int {
		r := httptest.NewRequest("GET", Path, nil)
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		rec := httptest.NewRecorder()
		w.h.ServeHTTP(rec, r)
		if rec.Code == 200 && !strings.Contains(rec.Body.String(), `"https://example.com/taxii2/root/"`) {
			t.Errorf("discovery %s", rec.Body)
		}
		return rec.Code
	}
	if code := ask(""); code != 401 {
		t.Errorf("an unknown key: %d", code)
	}
	w.holders[CertificateHash(certificate)] = Holder{Name: "siem", Kind: policy.Machine, Read: true}
	if code := ask(""); code != 200 {
		t.Errorf("a known key: %d", code)
	}
	if code := ask("Bearer wrong"); code != 401 {
		t.Errorf("a wrong token beside it: %d", code)
	}
	if TokenHash("a key") == CertificateHash(certificate) {
		t.Error("a key can be said as a token")
	}
}

func TestStrangersAreSlowedDown(t *testing.T) {
	w := newWorld(t)
	codes := map[int]int{}
	for range strangerBurst + 200 {
		codes[w.do(ask{who: "stranger"}).code]++
	}
	if codes[401] < strangerBurst || codes[429] < 100 {
		t.Errorf("answers %v", codes)
	}
	w.want(200, ask{})
	if lines := strings.Count(w.log.String(), "\n"); lines > 50 {
		t.Errorf("%d remarks", lines)
	}
}

func TestRate(t *testing.T) {
	w := newWorld(t)
	for range holderBurst {
		w.want(200, ask{})
	}
	if g := w.want(429, ask{}); g.header.Get("Retry-After") != "1" {
		t.Errorf("headers %v", g.header)
	}
	w.want(200, ask{who: "siem"})
	w.pass(time.Second)
	w.want(200, ask{})
}

func TestRequestsAtOnce(t *testing.T) {
	var h holders
	now := time.Unix(1, 0)
	var leave []func()
	for range holderReading {
		l, err := h.enter("a", false, now)
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, l)
	}
	if _, err := h.enter("a", false, now); err == nil {
		t.Error("one more was let in")
	}
	for _, who := range []struct {
		name    string
		posting bool
	}{{"b", false}, {"a", true}} {
		if _, err := h.enter(who.name, who.posting, now); err != nil {
			t.Errorf("%+v: %v", who, err)
		}
	}
	leave[0]()
	if _, err := h.enter("a", false, now); err != nil {
		t.Error(err)
	}
	for i := range 3 * maxHolders {
		l, err := h.enter(fmt.Sprint("holder", i), false, now)
		if err != nil {
			t.Fatal(err)
		}
		l()
	}
	if len(h.known) > maxHolders+1 || h.known["a"] == nil {
		t.Errorf("%d clients are remembered", len(h.known))
	}
	slots := make(chan struct{}, 1)
	if _, err := slot(slots); err != nil {
		t.Error(err)
	}
	if _, err := slot(slots); err == nil {
		t.Error("more slots than there are")
	}
}

func TestPathsAndMethods(t *testing.T) {
	w := newWorld(t)
	w.share("b", stix.Green, "alliance", indicator(1, 1))
	object := col("alliance", "objects/"+indicatorID(1)+"/")
	for _, tt := range []struct {
		method, path string
		code         int
		allow        string
	}{
		{"GET", "/taxii2/other/", 404, ""}, {"GET", root + "collection/", 404, ""}, {"GET", root + "status/", 404, ""}, {"GET", root + "status/a/b/", 404, ""},
		{"GET", col("alliance", "object/x/"), 404, ""}, {"GET", col("alliance", "objects/x/versions/y/"), 404, ""}, {"GET", col("alliance", "objects/x/other/"), 404, ""},
		{"GET", col("alliance", ""), 200, ""}, {"GET", strings.TrimSuffix(col("alliance", "objects/"), "/"), 200, ""}, {"GET", root + "collections/alliance/objects/", 200, ""},
		{"GET", object, 200, ""}, {"GET", object + "versions/", 200, ""}, {"HEAD", object, 200, ""},
		{"POST", Path, 405, "GET, HEAD"}, {"DELETE", root, 405, "GET, HEAD"}, {"PUT", col("alliance", "objects/"), 405, "GET, HEAD, POST"},
		{"POST", object, 405, "GET, HEAD, DELETE"}, {"PATCH", object + "versions/", 405, "GET, HEAD"}, {"OPTIONS", col("alliance", "manifest/"), 405, "GET, HEAD"},
		{"BREW\x01"[:4], Path, 405, "GET, HEAD"},
		{"PUT", root + "collections/unknown/objects/", 404, ""}, // what is not there has no methods
	} {
		if g := w.want(tt.code, ask{method: tt.method, path: tt.path}); g.header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: allow %q", tt.method, tt.path, g.header.Get("Allow"))
		}
	}
	w.want(414, ask{path: Path + "?x=" + strings.Repeat("x", maxQuery)})
}

func TestMediaTypes(t *testing.T) {
	w := newWorld(t)
	for accept, code := range map[string]int{
		"application/taxii+json;version=2.1": 200, "application/taxii+json; version=2.1": 200, "application/taxii+json": 200, "Application/TAXII+json": 200,
		`application/taxii+json; version="2.1"`: 200, "text/html, application/taxii+json;q=0.5": 200, "*/*": 200, "application/*;q=0.1": 200, "-": 200,
		"application/taxii+json;version=2.1,application/stix+json;version=2.1": 200,
		"application/taxii+json;version=2.0":                                   406, "application/json": 406, "text/html": 406, "application/taxii+json;q=0": 406, "nonsense": 406,
		"application/vnd.oasis.taxii+json; version=2.0": 406, "application/taxii+json;q=x": 406, ",": 406, "application/stix+json;version=2.1": 406,
	} {
		for _, path := range []string{Path, root, root + "collections/", col("alliance", "objects/")} {
			w.want(code, ask{path: path, accept: accept})
		}
	}
	for content, code := range map[string]int{
		"application/taxii+json;version=2.1": 202, "application/taxii+json": 202, "application/taxii+json; version=2.1": 202,
		"application/json": 415, "application/taxii+json;version=2.0": 415, "-": 415, "application/stix+json;version=2.1": 415, "/": 415,
	} {
		w.want(code, ask{method: "POST", path: col("member:a", "objects/"), content: content, body: `{"objects":[` + indicator(1, 1) + `]}`})
	}
	w.want(406, ask{method: "POST", path: col("member:a", "objects/"), accept: "text/html", body: `{"objects":[` + indicator(1, 1) + `]}`})
}

func TestCollections(t *testing.T) {
	w := newWorld(t)
	w.share("b", stix.Amber, "group:states", indicator(1, 1))
	w.share("b", stix.AmberStrict, "group:states,member:a", indicator(2, 1))
	w.share("c", stix.Green, "group:rail", indicator(3, 1))
	type list struct{ Collections []collection }
	for who, want := range map[string]string{
		"soc":    "inbox:rw alliance:r everyone:r group:states:r group:states,member:a:r",
		"siem":   "inbox:r alliance:r everyone:r group:states:r group:states,member:a:r",
		"bank":   "inbox:rw alliance:r everyone:r group:states:r",
		"shop":   "inbox:r alliance:r everyone:r group:states:r",
		"sensor": "inbox:w",
	} {
		var seen []string
		g := w.want(200, ask{path: root + "collections/", who: who})
		for _, c := range decode[list](t, g).Collections {
			text := c.Alias + ":"
			if c.CanRead {
				text += "r"
			}
			if c.CanWrite {
				text += "w"
			}
			seen = append(seen, text)
			for _, name := range []string{c.ID, c.Alias} {
				one := w.want(200, ask{path: root + "collections/" + name + "/", who: who})
				if again := decode[collection](t, one); again.ID != c.ID || again.CanRead != c.CanRead || again.CanWrite != c.CanWrite || again.Title == "" || len(again.MediaTypes) != 1 {
					t.Errorf("%s: %s by itself is %s", who, name, one.body)
				}
			}
		}
		if strings.Join(seen, " ") != want {
			t.Errorf("%s sees %v, want %s", who, seen, want)
		}
	}
	// Known by now to the server, unknown to these clients: the answer is that for what never was.
	never := w.want(404, ask{path: root + "collections/00000000-0000-4000-8000-000000000000/"}).body
	for who, audience := range map[string]string{"bank": "group:states,member:a", "soc": "group:rail", "sensor": "alliance", "shop": "group:rail"} {
		for _, name := range []string{CollectionID(audience), audience} {
			for _, rest := range []string{"", "objects/", "manifest/", "objects/" + indicatorID(1) + "/", "objects/" + indicatorID(1) + "/versions/"} {
				if g := w.want(404, ask{path: root + "collections/" + name + "/" + rest, who: who}); !bytes.Equal(g.body, never) {
					t.Errorf("%s, %s: %s tells it from %s", who, audience, g.body, never)
				}
			}
		}
	}
	if a, b := CollectionID("alliance"), CollectionID("everyone"); a == b || len(a) != 36 || a[14] != '4' || !strings.ContainsRune("89ab", rune(a[19])) {
		t.Errorf("ids %s %s", a, b)
	}
}

func TestObjects(t *testing.T) {
	w := newWorld(t)
	if g := w.want(200, ask{path: col("alliance", "objects/")}); string(g.body) != "{}" || g.header.Get("X-Taxii-Date-Added-First") != "1970-01-01T00:00:00.000000Z" {
		t.Errorf("an empty collection: %s %v", g.body, g.header)
	}
	for i := range 5 {
		w.share("b", stix.Green, "alliance", indicator(i+1, 1))
	}
	g := w.want(200, ask{path: col("alliance", "objects/")})
	if want := `{"objects":[` + strings.Join([]string{indicator(1, 1), indicator(2, 1), indicator(3, 1), indicator(4, 1), indicator(5, 1)}, ",") + `]}`; string(g.body) != want {
		t.Errorf("objects %s, want %s", g.body, want)
	}
	if first, last := g.header.Get("X-Taxii-Date-Added-First"), g.header.Get("X-Taxii-Date-Added-Last"); first != "2026-03-04T05:06:07.000000Z" || last != "2026-03-04T05:06:07.000004Z" {
		t.Errorf("dates %s %s", first, last)
	}
	// By cursor, and by date.
	type page struct {
		More bool
		Next string
	}
	for _, by := range []string{"next", "added_after"} {
		var seen []string
		query := url.Values{"limit": {"2"}}
		for {
			g := w.want(200, ask{path: col("alliance", "objects/?") + query.Encode()})
			p := decode[page](t, g)
			seen = append(seen, ids(t, g))
			if p.More != (p.Next != "") {
				t.Errorf("more %v, next %q", p.More, p.Next)
			}
			if !p.More {
				break
			}
			if by == "next" {
				query.Set("next", p.Next)
			} else {
				query.Set("added_after", g.header.Get("X-Taxii-Date-Added-Last"))
			}
		}
		if strings.Join(seen, ",") != "1 2,3 4,5" {
			t.Errorf("by %s: %v", by, seen)
		}
	}
	// A manifest has no cursor.
	m := w.want(200, ask{path: col("alliance", "manifest/?limit=2")})
	if want := `{"more":true,"objects":[{"id":"` + indicatorID(1) + `","date_added":"2026-03-04T05:06:07.000000Z","version":"2026-01-01T00:00:00.000000Z","media_type":"application/stix+json;version=2.1"},` +
		`{"id":"` + indicatorID(2) + `","date_added":"2026-03-04T05:06:07.000001Z","version":"2026-01-01T00:00:00.000000Z","media_type":"application/stix+json;version=2.1"}]}`; string(m.body) != want {
		t.Errorf("manifest %s", m.body)
	}
	if m.header.Get("X-Taxii-Date-Added-Last") != "2026-03-04T05:06:07.000001Z" {
		t.Errorf("manifest %v", m.header)
	}
}

func TestOneObject(t *testing.T) {
	w := newWorld(t)
	for v := 1; v <= 3; v++ {
		w.share("b", stix.Green, "alliance", indicator(1, v))
	}
	w.share("c", stix.Green, "group:rail", indicator(2, 1))
	path := col("alliance", "objects/"+indicatorID(1)+"/")
	if g := w.want(200, ask{path: path}); string(g.body) != `{"objects":[`+indicator(1, 3)+`]}` || g.header.Get("X-Taxii-Date-Added-First") != "2026-03-04T05:06:07.000002Z" {
		t.Errorf("%s %v", g.body, g.header)
	}
	if g := w.want(200, ask{path: path + "?match[version]=first,2026-01-02T00:00:00Z"}); string(g.body) != `{"objects":[`+indicator(1, 1)+","+indicator(1, 2)+`]}` {
		t.Errorf("%s", g.body)
	}
	v := w.want(200, ask{path: path + "versions/"})
	if string(v.body) != `{"versions":["2026-01-01T00:00:00.000000Z","2026-01-02T00:00:00.000000Z","2026-01-03T00:00:00.000000Z"]}` || v.header.Get("X-Taxii-Date-Added-Last") == "" {
		t.Errorf("%s %v", v.body, v.header)
	}
	if v := w.want(200, ask{path: path + "versions/?limit=2"}); string(v.body) != `{"more":true,"versions":["2026-01-01T00:00:00.000000Z","2026-01-02T00:00:00.000000Z"]}` {
		t.Errorf("%s", v.body)
	}
	// There is one, but not of this version; and there is none that this client may see.
	for _, query := range []string{"?match[version]=2020-01-01T00:00:00Z", "?match[spec_version]=2.0", "?added_after=2030-01-01T00:00:00Z"} {
		if g := w.want(200, ask{path: path + query}); string(g.body) != "{}" {
			t.Errorf("%s: %s", query, g.body)
		}
	}
	for _, id := range []string{indicatorID(2), indicatorID(9), "nonsense", "%00"} {
		for _, rest := range []string{"", "versions/", "?match[spec_version]=2.0"} {
			w.want(404, ask{path: col("alliance", "objects/"+id+"/"+rest)})
		}
	}
}

func TestBrokenBackend(t *testing.T) {
	w := newWorld(t)
	w.fail(errors.New("the disk of 10.0.0.1 is gone"))
	g := w.want(500, ask{path: col("alliance", "objects/")})
	if strings.Contains(string(g.body), "disk") || !strings.Contains(w.log.String(), "the disk of 10.0.0.1 is gone") {
		t.Errorf("answer %s, log %s", g.body, &w.log)
	}
	id := decode[Error](t, g).ID
	if !strings.Contains(w.log.String(), id) {
		t.Errorf("the log does not know the error %s: %s", id, &w.log)
	}
}

// timed is a connection that notes its deadlines.
type timed struct {
	*httptest.ResponseRecorder
	reads, writes []time.Time
	flushed       int // deadlines that were set when the last byte left
}

func (w *timed) SetReadDeadline(t time.Time) error  { w.reads = append(w.reads, t); return nil }
func (w *timed) SetWriteDeadline(t time.Time) error { w.writes = append(w.writes, t); return nil }
func (w *timed) Flush()                             { w.flushed = len(w.writes) }

// Nobody takes for ever to send or to fetch, and the next request of a connection has its own time.
func TestDeadlines(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest("POST", inboxPath("objects/"), strings.NewReader(`{"objects":[`+indicator(1, 1)+`]}`))
	r.Header.Set("Authorization", "Bearer soc-token")
	r.Header.Set("Content-Type", mediaType)
	c := &timed{ResponseRecorder: httptest.NewRecorder()}
	w.h.ServeHTTP(c, r)
	if c.Code != 202 || len(c.reads) != 2 || c.reads[0].IsZero() || !c.reads[1].IsZero() || len(c.writes) != 2 || c.writes[0].IsZero() || !c.writes[1].IsZero() || c.flushed != 1 {
		t.Errorf("%d: read deadlines %v, write deadlines %v, flushed after %d", c.Code, c.reads, c.writes, c.flushed)
	}
}

// A real server: deadlines are set and taken back, bodies are compressed, a connection serves several requests.
func TestOverTheWire(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(w.h)
	defer srv.Close()
	post := func(body []byte, encoding string) int {
		t.Helper()
		r, err := http.NewRequest("POST", srv.URL+col("member:a", "objects/"), bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer soc-token")
		r.Header.Set("Content-Type", mediaType)
		if encoding != "" {
			r.Header.Set("Content-Encoding", encoding)
		}
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	compress := func(body []byte) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(body); err != nil || z.Close() != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	envelope := []byte(`{"objects":[` + indicator(1, 1) + `]}`)
	bomb := compress(append(envelope, bytes.Repeat([]byte(" "), MaxBody)...))
	for _, tt := range []struct {
		name, encoding string
		body           []byte
		code           int
	}{
		{"plain", "", envelope, 202}, {"again", "identity", envelope, 202}, {"gzip", "gzip", compress(envelope), 202},
		{"no gzip", "gzip", envelope, 400}, {"cut off", "gzip", compress(envelope)[:40], 400}, {"unknown", "br", envelope, 415},
		{"a bomb", "gzip", bomb, 413}, {"too large", "", append(envelope, bytes.Repeat([]byte(" "), MaxBody)...), 413},
		{"as large as may be", "", append(bytes.Repeat([]byte(" "), MaxBody-len(envelope)), envelope...), 202},
	} {
		if code := post(tt.body, tt.encoding); code != tt.code {
			t.Errorf("%s: %d, want %d", tt.name, code, tt.code)
		}
	}
}
