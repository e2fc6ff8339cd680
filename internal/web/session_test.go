package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// linkPath is the path and query of a new link.
func linkPath(t *testing.T, page *Page) string {
	t.Helper()
	u, err := url.Parse(page.NewLink())
	if err != nil {
		t.Fatal(err)
	}
	return u.RequestURI()
}

func TestLinkOpensOnce(t *testing.T) {
	t.Parallel()
	page := Handler(populated(), Options{Base: "http://127.0.0.1:7300/", LinkCommand: "shieldwall status --link"})
	link := page.NewLink()
	secret, ok := strings.CutPrefix(link, "http://127.0.0.1:7300/open?k=")
	if !ok || len(secret) < 26 { // 26 characters of base 32 are 130 bits
		t.Fatalf("link %q", link)
	}
	v := stranger(t, page)
	if w := v.get("/"); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "shieldwall status --link") {
		t.Errorf("without a session: %d, %s", w.Code, w.Body)
	}
	if w := v.do(http.MethodHead, "/open?k="+secret, ""); w.Code != http.StatusForbidden {
		t.Errorf("a preview of the link: %d", w.Code)
	}
	v.header.Set("Sec-Purpose", "prefetch;prerender")
	if w := v.get("/open?k=" + secret); w.Code != http.StatusForbidden {
		t.Errorf("a prefetch of the link: %d", w.Code)
	}
	v.header.Del("Sec-Purpose")

	w := v.get("/open?k=" + secret)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
		t.Fatalf("opening the link: %d to %q", w.Code, w.Header().Get("Location"))
	}
	cookie := w.Header().Get("Set-Cookie")
	for _, want := range []string{"shieldwall-7300=", "HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("cookie %q lacks %s", cookie, want)
		}
	}
	if strings.Contains(cookie, secret) {
		t.Error("the session's id is the link's secret")
	}
	if got := v.body("/"); strings.Contains(got, secret) {
		t.Error("the page shows the secret")
	}
	other := stranger(t, page)
	for _, target := range []string{"/open?k=" + secret, "/open?k=", "/open", "/open?k=" + strings.Repeat("A", 26)} {
		if w := other.get(target); w.Code != http.StatusUnauthorized || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
	other.cookies["shieldwall-7300"] = "guessed"
	for _, target := range []string{"/", "/alliance", "/events", "/nowhere"} {
		if w := other.get(target); w.Code != http.StatusUnauthorized || strings.Contains(w.Body.String(), "pl-cert") {
			t.Errorf("%s with a guessed session: %d", target, w.Code)
		}
	}
	checkMarkup(t, "the page of refusal", other.get("/").Body.String())
}

func TestWithoutLinkCommandTheStartIsNamed(t *testing.T) {
	t.Parallel()
	if got := stranger(t, Handler(populated(), Options{})).get("/").Body.String(); !strings.Contains(got, "shieldwall up") {
		t.Error("the page of refusal does not say where a link comes from")
	}
}

func TestLinkExpires(t *testing.T) {
	t.Parallel()
	clk := &clock{t: testTime}
	page := Handler(populated(), Options{Now: clk.now, LinkTTL: time.Minute})
	in, late := linkPath(t, page), linkPath(t, page)
	clk.add(time.Minute - 1)
	if w := stranger(t, page).get(in); w.Code != http.StatusSeeOther {
		t.Errorf("just in time: %d", w.Code)
	}
	clk.add(1)
	if w := stranger(t, page).get(late); w.Code != http.StatusUnauthorized {
		t.Errorf("too late: %d", w.Code)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	clk := &clock{t: testTime}
	page := Handler(populated(), Options{Now: clk.now, Idle: time.Hour, Absolute: 5 * time.Hour})
	idle, busy := guest(t, page), guest(t, page)
	for range 4 {
		clk.add(time.Hour - 1)
		if w := busy.get("/"); w.Code != http.StatusOK {
			t.Fatalf("a session in use ended after %v", clk.now().Sub(testTime))
		}
	}
	if w := idle.get("/"); w.Code != http.StatusUnauthorized {
		t.Errorf("an idle session: %d", w.Code)
	}
	clk.add(time.Hour - 1)
	busy.get("/")
	clk.add(time.Minute)
	if w := busy.get("/"); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "has ended") {
		t.Errorf("a session past its absolute end: %d", w.Code)
	}
}

func TestLeaving(t *testing.T) {
	t.Parallel()
	page := Handler(populated(), Options{})
	v, other := guest(t, page), guest(t, page)
	id := v.cookies["shieldwall-7300"]
	v.header.Set("Sec-Fetch-Site", "same-origin")
	v.do(http.MethodPost, "/leave", "")
	if len(v.cookies) != 0 {
		t.Errorf("cookies left: %v", v.cookies)
	}
	v.cookies["shieldwall-7300"] = id
	if w := v.get("/"); w.Code != http.StatusUnauthorized {
		t.Errorf("a session that was left: %d", w.Code)
	}
	if w := other.get("/"); w.Code != http.StatusOK {
		t.Errorf("another session: %d", w.Code)
	}
}

func TestLinksAndSessionsAreBounded(t *testing.T) {
	t.Parallel()
	clk := &clock{t: testTime}
	n := 0
	page := Handler(populated(), Options{Now: clk.now, Secret: func() string { n++; return fmt.Sprintf("secret-%04d", n) }})
	first := linkPath(t, page)
	for range maxLinks {
		clk.add(time.Second)
		page.NewLink()
	}
	if len(page.access.links) != maxLinks {
		t.Errorf("%d links wait", len(page.access.links))
	}
	if w := stranger(t, page).get(first); w.Code != http.StatusUnauthorized {
		t.Errorf("the oldest of too many links: %d", w.Code)
	}
	kept := guest(t, page)
	oldest := guest(t, page)
	for range maxSessions - 1 {
		clk.add(time.Second)
		kept.get("/")
		guest(t, page)
	}
	if len(page.access.sessions) != maxSessions {
		t.Errorf("%d sessions", len(page.access.sessions))
	}
	if w := kept.get("/"); w.Code != http.StatusOK {
		t.Errorf("a session in use: %d", w.Code)
	}
	if w := oldest.get("/"); w.Code != http.StatusUnauthorized {
		t.Errorf("the session idle longest: %d", w.Code)
	}
	clk.add(48 * time.Hour)
	page.NewLink()
	guest(t, page)
	if len(page.access.links) != 1 || len(page.access.sessions) != 1 {
		t.Errorf("%d links and %d sessions after two days", len(page.access.links), len(page.access.sessions))
	}
}

func TestHost(t *testing.T) {
	t.Parallel()
	page := Handler(populated(), Options{Hosts: []string{"ops.example", "wall.example:7300"}})
	for host, want := range map[string]int{
		"127.0.0.1:7300": 401, "localhost": 401, "LOCALHOST:9": 401, "[::1]:7300": 401, "[::1]": 401, "ops.example:80": 401, "Ops.Example": 401, "wall.example:7300": 401,
		"evil.example": 421, "evil.example:7300": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example:7300": 421, "wall.example": 421, "wall.example:7301": 421,
		"": 421, "127.0.0.2": 421, "0.0.0.0:7300": 421, "[::ffff:127.0.0.1]:7300": 421, "localhost:7300:7300": 421, "2130706433": 421,
	} {
		v := stranger(t, page)
		v.header.Set("Host", host)
		for _, target := range []string{"/", linkPath(t, page), "/static/page.js"} {
			w := v.get(target)
			if refused := w.Code == http.StatusMisdirectedRequest; refused != (want == http.StatusMisdirectedRequest) {
				t.Errorf("host %q, %s: %d", host, target, w.Code)
			}
		}
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	page := Handler(populated(), Options{})
	const ours = "http://127.0.0.1:7300"
	for _, tc := range []struct {
		name, method, site, mode, dest, origin string
		refused                                bool
	}{
		{name: "typed address", method: "GET", site: "none", mode: "navigate", dest: "document"},
		{name: "own request", method: "GET", site: "same-origin", mode: "cors", dest: "empty"},
		{name: "no browser", method: "GET"},
		{name: "link on another site", method: "GET", site: "cross-site", mode: "navigate", dest: "document"},
		{name: "frame of another site", method: "GET", site: "cross-site", mode: "navigate", dest: "iframe", refused: true},
		{name: "image of another site", method: "GET", site: "cross-site", mode: "no-cors", dest: "image", refused: true},
		{name: "script of another port", method: "GET", site: "same-site", mode: "no-cors", dest: "script", refused: true},
		{name: "fetch of another port", method: "GET", site: "same-site", mode: "cors", dest: "empty", origin: "http://127.0.0.1:3000", refused: true},
		{name: "own form", method: "POST", site: "same-origin", mode: "navigate", dest: "document", origin: ours},
		{name: "own form, old browser", method: "POST", origin: ours},
		{name: "form of another site", method: "POST", site: "cross-site", mode: "navigate", dest: "document", origin: "https://evil.example", refused: true},
		{name: "form of another port", method: "POST", site: "same-site", mode: "navigate", dest: "document", origin: "http://127.0.0.1:3000", refused: true},
		{name: "old browser, other port", method: "POST", origin: "http://127.0.0.1:3000", refused: true},
		{name: "old browser, other scheme", method: "POST", origin: "https://127.0.0.1:7300", refused: true},
		{name: "no origin at all", method: "POST", refused: true},
		{name: "null origin", method: "POST", origin: "null", refused: true},
		{name: "typed, but a form", method: "POST", site: "none", refused: true},
		{name: "other method", method: "DELETE", site: "cross-site", refused: true},
	} {
		v := guest(t, page)
		for name, value := range map[string]string{"Sec-Fetch-Site": tc.site, "Sec-Fetch-Mode": tc.mode, "Sec-Fetch-Dest": tc.dest, "Origin": tc.origin} {
			if value != "" {
				v.header.Set(name, value)
			}
		}
		target, body := "/", ""
		if tc.method == "POST" {
			target, body = "/theme", "theme=dark"
		}
		if w := v.do(tc.method, target, body); (w.Code == http.StatusForbidden) != tc.refused {
			t.Errorf("%s: %d", tc.name, w.Code)
		}
	}
}

func TestHeadersOnEveryResponse(t *testing.T) {
	t.Parallel()
	page := Handler(populated(), Options{})
	in, out, cross := guest(t, page), stranger(t, page), guest(t, page)
	rebound := guest(t, page)
	rebound.header.Set("Host", "evil.example")
	cross.header.Set("Sec-Fetch-Site", "cross-site")
	for name, w := range map[string]interface{ Header() http.Header }{
		"page": in.get("/"), "static": in.get("/static/style.css"), "missing file": in.get("/static/none"), "folder": in.get("/static/"),
		"not found": in.get("/nowhere"), "wrong method": in.do("PUT", "/", ""), "refused": out.get("/"), "bad link": out.get("/open?k=x"),
		"opened": out.get(linkPath(t, page)), "rebound": rebound.get("/"), "cross": cross.do("POST", "/theme", ""), "unclean path": in.get("/a/../b"),
	} {
		h := w.Header()
		for header, want := range map[string]string{
			"Content-Security-Policy": contentPolicy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := h.Get(header); got != want {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
	}
	for _, must := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(contentPolicy, must) {
			t.Errorf("the content policy lacks %s", must)
		}
	}
	if strings.Contains(contentPolicy, "unsafe") {
		t.Error("the content policy allows something unsafe")
	}
}
