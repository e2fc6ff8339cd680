package web

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"shieldwall/internal/query"
	"shieldwall/internal/search"
	"shieldwall/internal/status"
)

var testTime = time.Date(2026, 11, 23, 22, 40, 2, 0, time.UTC)

var foundHit = status.Hit{ID: "malware--00000001-0000-4000-8000-000000000000", Type: "malware", Name: "<b>worm", Member: "cert", TLP: "AMBER", Audience: "alliance", Created: "2026-01-01T00:00:00.000Z", Admitted: testTime, Revoked: true}

// fake is a source whose answers a test sets.
type fake struct {
	mu           sync.Mutex
	err          error
	calls        int // of Status
	node         status.Node
	publications []status.Publication
	objects      []status.Object
	sightings    []status.Sightings
	detections   []status.Detection
	feed         chan status.Detection
}

func (f *fake) Status(context.Context) (status.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	return f.node, f.err
}
func (f *fake) Publications(_ context.Context, limit int) ([]status.Publication, error) {
	return f.publications[:min(limit, len(f.publications))], f.err
}
func (f *fake) Objects(_ context.Context, limit int) ([]status.Object, error) {
	return f.objects[:min(limit, len(f.objects))], f.err
}
func (f *fake) Sightings(_ context.Context, limit int) ([]status.Sightings, error) {
	return f.sightings[:min(limit, len(f.sightings))], f.err
}
func (f *fake) Detections(_ context.Context, limit int) ([]status.Detection, error) {
	return f.detections[:min(limit, len(f.detections))], f.err
}
func (f *fake) Search(_ context.Context, req search.Request) (status.SearchPage, error) {
	if _, err := query.Parse(req.Query); err != nil {
		return status.SearchPage{}, err
	}
	page := status.SearchPage{Hits: []status.Hit{}}
	if req.Query == "worm" {
		page.Hits, page.Next, page.Partial = append(page.Hits, foundHit), "abc", true
	}
	return page, f.err
}
func (f *fake) Object(_ context.Context, id string) (status.ObjectView, error) {
	if id != foundHit.ID {
		return status.ObjectView{}, search.ErrUnknown
	}
	v := status.ObjectView{Hit: foundHit, Versions: []status.Version{{Modified: "2026-01-02T00:00:00.000Z", Member: "cert", TLP: "AMBER", Admitted: testTime, Revoked: true}}}
	v.Object = []byte(`{"name":"<b>wo\u202erm"}`)
	v.Relations = &status.Relations{More: true, Items: []status.Relation{
		{Kind: "drops", Out: true, ID: "tool--00000002-0000-4000-8000-000000000000", Type: "tool", Name: "<i>tool"}, {Kind: "object_refs", ID: `x"onmouseover=1`},
	}}
	return v, f.err
}
func (f *fake) Raw(_ context.Context, id, version string) ([]byte, error) {
	if id != foundHit.ID {
		return nil, search.ErrUnknown
	}
	return []byte(`{"exact":  "bytes"}`), f.err
}
func (f *fake) Follow(context.Context) <-chan status.Detection { return f.feed }

func (f *fake) setNode(change func(*status.Node)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.node)
}

// member makes a member in a state, with a lag where it is behind.
func member(id, state string) status.Member {
	m := status.Member{ID: id, State: state, Groups: []string{"states"}, Log: id + "/00", Head: 900, Size: 900, Applied: 900, TheirApplied: 40, LastSeen: testTime.Add(-2 * time.Second)}
	switch state {
	case "self":
		m.Self = true
	case "catching up":
		m.Size, m.Applied, m.TheirApplied = 700, 650, 31
	case "unreachable":
		m.Problem, m.LastSeen = "dialing 192.0.2.7:7443: connection refused", testTime.Add(-47*time.Minute)
	}
	return m
}

func detection(n int) status.Detection {
	at := testTime.Add(-time.Duration(n) * time.Minute)
	return status.Detection{
		Time: at, Seen: at.Add(time.Second), RuleID: fmt.Sprintf("rule-%d", n), Title: fmt.Sprintf("Shadow copies deleted %d", n),
		Level: []string{"critical", "high", "medium", "low", "informational", "odd"}[n%6], Author: "A. Author", Tags: []string{"attack.t1490"},
		Source: "/ingest/jsonl", Record: fmt.Sprint(n), Computer: "DC01.example", Channel: "Security", EventID: "4688",
		Fields: map[string]string{"CommandLine": "vssadmin delete shadows /all"}, Publisher: "fi-ncsc", License: "DRL 1.1",
	}
}

// populated is a node of a small alliance in which everything has happened once.
func populated() *fake {
	f := &fake{feed: make(chan status.Detection, 1000)}
	f.node = status.Node{
		Version: "0.1.0", Member: "pl-cert", Started: testTime.Add(-time.Hour), Now: testTime, Peer: "192.0.2.1:7443",
		Warnings: []string{"one officer signs the roster alone"},
		Alliance: status.Alliance{
			Name: "north-wall", ID: "9f2c", Version: 7, Issued: testTime.Add(-time.Hour), Expires: testTime.Add(240 * time.Hour), Threshold: 1,
			Officers: []string{"pl-officer"}, Groups: []string{"states"},
			Members: []status.Member{member("pl-cert", "self"), member("fi-ncsc", "live"), member("ee-cert", "catching up"), member("lv-cert", "unreachable"), member("lt-nksc", "refused"), member("se-ncsc", "connecting"), member("no-nsm", "dreaming")},
		},
		Log: status.Log{ID: "pl-cert/4be1", Size: 40, Root: "mX9w"}, Protect: status.Protect{Pairs: 12, Waiting: 3, P50: 11.4, P95: 38, P99: 71, Max: 95000},
		Objects: 24771, Rules: 3757, Indicators: 1204331, Events: 321805112, Detections: 3, Rejected: map[string]int64{"unknown marking": 3},
		Engine: status.Engine{Rules: 3757, RuleBytes: 14 << 20, ProgramBytes: 7 << 20, Indicators: 1204331, IndicatorBytes: 23 << 20, Delta: 12, Merges: 1003},
	}
	f.node.Alliance.Members[5].Suspended = true
	for i := range 3 {
		f.detections = append(f.detections, detection(i))
	}
	f.objects = []status.Object{
		{Seq: 2, ID: "indicator--1", Type: "indicator", Name: "DynoWiper", Publisher: "ee-cert", TLP: "AMBER+STRICT", Audience: "group:states", Admitted: testTime},
		{Seq: 1, ID: "indicator--0", Type: "indicator", Publisher: "local", TLP: "green", Audience: "alliance", Admitted: testTime.Add(-400 * 24 * time.Hour), Withdrawn: true},
	}
	f.sightings = []status.Sightings{{Object: "indicator--1", Name: "Shadow copies", Count: 1234, Members: 3, FirstSeen: testTime.Add(-time.Hour), LastSeen: testTime}}
	f.publications = []status.Publication{
		{Index: 39, At: testTime, What: "newest", Audience: "alliance", Readers: 6},
		{Index: 38, At: testTime.Add(-time.Minute), What: "Shadow copies", Audience: "alliance", Readers: 6, Applied: 5, P50: 12, P95: 41000},
	}
	return f
}

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// visitor is a browser without scripts: it keeps cookies and does not follow redirects.
type visitor struct {
	t       *testing.T
	page    http.Handler
	cookies map[string]string
	header  http.Header
}

func (v *visitor) do(method, target, body string) *httptest.ResponseRecorder {
	v.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:7300"
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, vs := range v.header {
		r.Header[k] = vs
		if k == "Host" {
			r.Host = vs[0]
		}
	}
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	v.page.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		} else {
			v.cookies[c.Name] = c.Value
		}
	}
	return w
}

func (v *visitor) get(target string) *httptest.ResponseRecorder {
	v.t.Helper()
	return v.do(http.MethodGet, target, "")
}

// stranger visits a page without a session.
func stranger(t *testing.T, page http.Handler) *visitor {
	return &visitor{t: t, page: page, cookies: map[string]string{}, header: http.Header{}}
}

// guest opens a link.
func guest(t *testing.T, page *Page) *visitor {
	t.Helper()
	v := stranger(t, page)
	link, err := url.Parse(page.NewLink())
	if err != nil {
		t.Fatal(err)
	}
	if w := v.get(link.RequestURI()); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
		t.Fatalf("opening a link: %d %q", w.Code, w.Header().Get("Location"))
	}
	return v
}

// body fetches a page that must be there.
func (v *visitor) body(target string) string {
	v.t.Helper()
	w := v.get(target)
	if w.Code != http.StatusOK {
		v.t.Fatalf("GET %s: %d: %s", target, w.Code, w.Body)
	}
	return w.Body.String()
}

// checkMarkup fails where markup is not well nested, repeats an id, refers to none, or holds code that the
// content policy would refuse.
func checkMarkup(t *testing.T, name, markup string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(markup))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	ids, refs := map[string]bool{}, map[string]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%s is not well nested: %v", name, err)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		attributes := map[string]string{}
		for _, a := range element.Attr {
			attributes[a.Name.Local] = a.Value
			if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "style" || strings.HasPrefix(a.Value, "javascript:") {
				t.Errorf("%s has inline code: <%s %s=%q>", name, element.Name.Local, a.Name.Local, a.Value)
			}
		}
		if element.Name.Local == "style" || element.Name.Local == "script" && attributes["src"] != "/static/page.js" {
			t.Errorf("%s has an inline <%s>", name, element.Name.Local)
		}
		if id, ok := attributes["id"]; ok && ids[id] {
			t.Errorf("%s has the id %q twice", name, id)
		}
		ids[attributes["id"]] = true
		if ref, ok := attributes["aria-labelledby"]; ok {
			refs[ref] = true
		}
	}
	for ref := range refs {
		if !ids[ref] {
			t.Errorf("%s refers to %q, which is not there", name, ref)
		}
	}
}

func TestPagesShowEverything(t *testing.T) {
	t.Parallel()
	page := Handler(populated(), Options{Now: (&clock{t: testTime}).now, Zone: time.FixedZone("CET", 3600)})
	v := guest(t, page)
	for path, want := range map[string][]string{
		"/": {
			"north-wall", "one officer signs the roster alone", "The roster expires in 10 d", "lv-cert (unreachable)", "se-ncsc (suspended)",
			"3,757", "1.2M indicators, 44 MiB", "322M", "3 refused", "22:40:02", "23:40", "Shadow copies deleted 0", "Live detections", "DynoWiper",
			"TLP:AMBER&#43;STRICT", "1,234", "11 ms", "p95 38 ms", "250 behind",
		},
		"/alliance": {
			"dialing 192.0.2.7:7443: connection refused", "47 min", "250 behind", "9 behind", "dreaming", "refused", "this node", "version 7",
			"pl-officer (1 must sign)", "pl-cert/4be1", "900",
		},
		"/detections": {
			"critical", "rule-1", "A. Author", "DC01.example", "vssadmin delete shadows /all", "CommandLine", "fi-ncsc", "attack.t1490", "DRL 1.1",
			"2026-11-23 22:40:02.000 UTC, 2026-11-23 23:40:02 CET",
		},
		"/objects":    {"DynoWiper", "ee-cert", "group:states", "withdrawn", "indicator--0", "TLP:GREEN", "2025-10-19", "unknown marking", "Matcher", "14 MiB", "7 MiB", "23 MiB", "1,204,331", "1,003"},
		"/sightings":  {"Shadow copies", "1,234", "21:40:02", "22:40:02"},
		"/protection": {"5 of 6", "0 of 6", "41 s", "12 ms", "71 ms", "1.6 min", "confirmed by 5 of 6", "not confirmed yet by any of 6", "100 s"},
	} {
		got := v.body(path)
		for _, s := range want {
			if !strings.Contains(got, s) {
				t.Errorf("%s does not show %q", path, s)
			}
		}
		checkMarkup(t, path, got)
	}
}

func TestEmptyNodeSaysWhatToDo(t *testing.T) {
	t.Parallel()
	src := &fake{node: status.Node{Member: "node", Now: testTime, Started: testTime, Alliance: status.Alliance{Name: "node", Members: []status.Member{{ID: "node", Self: true, State: "self"}}}}}
	v := guest(t, Handler(src, Options{}))
	for path, want := range map[string][]string{
		"/":           {"shieldwall alliance invite", "shieldwall join TOKEN", "shieldwall publish", "no rules and no indicators"},
		"/alliance":   {"shieldwall alliance invite"},
		"/objects":    {"shieldwall publish FILE --tlp green"},
		"/sightings":  {"shieldwall publish FILE --tlp green"},
		"/protection": {"shieldwall publish FILE --tlp green"},
	} {
		got := v.body(path)
		for _, s := range want {
			if !strings.Contains(got, s) {
				t.Errorf("%s of an empty node does not say %q", path, s)
			}
		}
		checkMarkup(t, path, got)
	}
	src.node.Rules = 5
	if got := guest(t, Handler(src, Options{})).body("/detections"); !strings.Contains(got, "shieldwall token new") {
		t.Error("a node without telemetry does not say how to send some")
	}
	src.node.Events = 7000
	if got := guest(t, Handler(src, Options{})).body("/detections"); !strings.Contains(got, "7,000 events met 5 rules") {
		t.Error("a quiet node does not say that it looked")
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	v := guest(t, Handler(populated(), Options{}))
	for target, want := range map[string]string{
		"/detections?q=HIGH+dc01":           `Shadow copies deleted 1`,
		"/detections?q=commandline%3Dvssad": `Shadow copies deleted 2`,
		"/detections?q=nothing-like-it":     `matches “nothing-like-it”`,
		"/objects?q=withdrawn-not-there":    `No object matches`,
		"/objects?q=tlp:amber":              `DynoWiper`,
		"/sightings?q=zzz":                  `No sighting matches`,
		"/protection?q=zzz":                 `No publication matches`,
		"/alliance?q=zzz":                   `No member matches`,
		"/alliance?q=unreach":               `<th scope="row">lv-cert`,
	} {
		if got := v.body(target); !strings.Contains(got, want) {
			t.Errorf("%s does not show %q", target, want)
		}
	}
	if got := v.body("/detections?q=high"); strings.Contains(got, "Shadow copies deleted 2") {
		t.Error("the filter lets through what does not match")
	}
	if got := v.body("/alliance?q=unreach"); strings.Contains(got, `<th scope="row">fi-ncsc`) {
		t.Error("the filter lets through a member that does not match")
	}
	long := v.body("/detections?q=" + strings.Repeat("x", 5000))
	if strings.Contains(long, strings.Repeat("x", maxQuery+1)) {
		t.Error("an overlong filter is not cut")
	}
}

func TestRowsAreBounded(t *testing.T) {
	t.Parallel()
	src := populated()
	for i := range 3 * readObjects {
		src.detections = append(src.detections, detection(i+10))
		src.objects = append(src.objects, status.Object{Seq: int64(i + 10), Name: fmt.Sprint("o", i), TLP: "RED"})
	}
	v := guest(t, Handler(src, Options{}))
	if n := strings.Count(v.body("/detections"), "<details>"); n != viewNamed("detections").rows {
		t.Errorf("%d detections shown", n)
	}
	if n := strings.Count(v.body("/objects"), "TLP:RED"); n > viewNamed("objects").rows {
		t.Errorf("%d objects shown", n)
	}
	if n := strings.Count(v.body("/"), "TLP:RED"); n > shortRows {
		t.Errorf("%d objects shown on the overview", n)
	}
}

func TestDetectionFieldsAreBounded(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range 500 {
		many[fmt.Sprintf("f%03d", i)] = strings.Repeat("long ", 1000)
	}
	fields := detectionFields(many)
	total := 0
	for _, f := range fields {
		total += len(f.Value)
	}
	if len(fields) > maxFields+1 || total > maxRowRunes+2*maxField {
		t.Errorf("%d fields with %d bytes", len(fields), total)
	}
	if last := fields[len(fields)-1]; !strings.Contains(last.Value, "more fields") {
		t.Errorf("what is left out is not said: %q", last.Value)
	}
}

func TestSourceThatFails(t *testing.T) {
	t.Parallel()
	src := populated()
	src.err = errors.New("store is\nclosed\u202e")
	v := guest(t, Handler(src, Options{}))
	for _, view := range views {
		got := v.body(view.Path)
		if !strings.Contains(got, "This picture is incomplete: reading the node&#39;s status: store is␊closed‹U&#43;202E›") {
			t.Errorf("%s does not say that the source failed", view.Path)
		}
		if strings.Contains(got, "has one member") || strings.Contains(got, "No objects yet") {
			t.Errorf("%s takes a failure for an empty node", view.Path)
		}
		checkMarkup(t, view.Path, got)
	}
}

func TestReadingIsShared(t *testing.T) {
	t.Parallel()
	src, clk := populated(), &clock{t: testTime}
	page := Handler(src, Options{Now: clk.now})
	v := guest(t, page)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { v.page.ServeHTTP(httptest.NewRecorder(), authorised(v, "/")) })
	}
	wg.Wait()
	if src.calls != 1 {
		t.Errorf("20 pages at one moment read the status %d times", src.calls)
	}
	clk.add(freshFor)
	v.get("/")
	if src.calls != 2 {
		t.Errorf("a page later read the status %d times in all", src.calls)
	}
}

// authorised is a request with v's cookies, for use beside others.
func authorised(v *visitor, target string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = "127.0.0.1:7300"
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func TestThemeAndZoneAreRemembered(t *testing.T) {
	t.Parallel()
	v := guest(t, Handler(populated(), Options{Zone: time.UTC}))
	v.header.Set("Sec-Fetch-Site", "same-origin")
	if got := v.body("/"); !strings.Contains(got, `data-theme="auto"`) || !strings.Contains(got, `value="dark"`) {
		t.Error("the theme does not start as the system's")
	}
	w := v.do(http.MethodPost, "/theme", "theme=dark&view=objects")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/objects" {
		t.Errorf("setting the theme: %d to %q", w.Code, w.Header().Get("Location"))
	}
	if got := v.body("/"); !strings.Contains(got, `data-theme="dark"`) || !strings.Contains(got, `value="light"`) {
		t.Error("the theme is not remembered")
	}
	for _, form := range []string{"theme=neon", "theme=" + strings.Repeat("x", 2*maxForm)} {
		if w := v.do(http.MethodPost, "/theme", form); w.Code != http.StatusBadRequest {
			t.Errorf("theme %.20q: %d", form, w.Code)
		}
	}
	if w := v.do(http.MethodPost, "/theme", "theme=dark&view=https://evil.example"); w.Header().Get("Location") != "/" {
		t.Errorf("the theme form redirects to %q", w.Header().Get("Location"))
	}
	v.cookies["tz"] = "Asia%2FTokyo"
	if got := v.body("/"); !strings.Contains(got, "07:40:02 JST") {
		t.Error("the browser's time zone is not used")
	}
	for _, zone := range []string{"", "Local", "..%2F..%2Fetc%2Fpasswd", "%zz", "/etc/localtime", "No/Such", strings.Repeat("a", 100)} {
		v.cookies["tz"] = zone
		if got := v.body("/"); strings.Contains(got, "JST") || !strings.Contains(got, "22:40:02") {
			t.Errorf("zone %q is not replaced by the default", zone)
		}
	}
}

// TestNothingForeign keeps the page whole in an air gap.
func TestNothingForeign(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"static/style.css", "static/page.js", "static/icon.svg"} {
		b, err := staticFiles.ReadFile(dir)
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.ReplaceAll(b, []byte(`"http://www.w3.org/2000/svg"`), nil)
		for _, foreign := range []string{"http:", "https:", "//cdn", "@import", "url(", "eval(", "Function("} {
			if bytes.Contains(b, []byte(foreign)) {
				t.Errorf("%s contains %q", dir, foreign)
			}
		}
	}
	v := guest(t, Handler(populated(), Options{}))
	for _, view := range views {
		if got := v.body(view.Path); strings.Contains(got, "http://") || strings.Contains(got, "https://") {
			t.Errorf("%s names another site", view.Path)
		}
	}
	for path, kind := range map[string]string{"/static/style.css": "text/css", "/static/page.js": "text/javascript", "/static/icon.svg": "image/svg+xml"} {
		if w := v.get(path); w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
}
