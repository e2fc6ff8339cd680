package web

import (
	"net/http"
	"strings"
	"testing"
)

func TestSearchPage(t *testing.T) {
	t.Parallel()
	v := guest(t, Handler(populated(), Options{}))
	for target, want := range map[string][]string{
		"/search":                   {"Words are looked for", `name="q"`, `aria-current="page"`},
		"/search?q=":                {"Nothing found."},
		"/search?q=worm":            {"&lt;b&gt;worm", `href="/object?id=malware--00000001-0000-4000-8000-000000000000"`, "TLP:AMBER", "revoked", "has not come to the end", `href="/search?cursor=abc&amp;q=worm"`, `value="worm"`},
		"/search?q=titel%3Ax":       {`role="alert"`, "column 1: &#34;titel&#34; is no field", `value="titel:x"`},
		"/object?id=" + foundHit.ID: {"&lt;b&gt;worm", "Relations", "→", "&lt;i&gt;tool", "not held here", `x&#34;onmouseover=1`, "There are more", "/object/raw?id=malware--00000001-0000-4000-8000-000000000000&amp;version=2026-01-02T00%3A00%3A00.000Z", "&#34;name&#34;: &#34;&lt;b&gt;wo"},
	} {
		got := v.body(target)
		for _, s := range want {
			if !strings.Contains(got, s) {
				t.Errorf("%s does not say %q", target, s)
			}
		}
		checkMarkup(t, target, got)
	}
}

func TestObjectBytes(t *testing.T) {
	t.Parallel()
	v := guest(t, Handler(populated(), Options{}))
	resp := v.get("/object/raw?id=" + foundHit.ID)
	if resp.Code != http.StatusOK || resp.Header().Get("Content-Type") != "application/stix+json;version=2.1" || resp.Header().Get("Content-Disposition") != `attachment; filename="`+foundHit.ID+`.json"` {
		t.Errorf("%d %v", resp.Code, resp.Header())
	}
	for target, code := range map[string]int{
		"/object/raw?id=malware--00000002-0000-4000-8000-000000000000": 404, "/object/raw?id=x%22y": 400, "/object?id=malware--2": 404,
	} {
		if got := v.get(target); got.Code != code {
			t.Errorf("%s: %d", target, got.Code)
		}
	}
}
