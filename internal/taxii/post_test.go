package taxii

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/stix"
)

func inboxPath(rest string) string { return col("member:a", rest) }

func (w *world) post(who string, objects ...string) statusResource {
	w.t.Helper()
	g := w.want(202, ask{method: "POST", path: inboxPath("objects/"), who: who, body: `{"objects":[` + strings.Join(objects, ",") + `]}`})
	return decode[statusResource](w.t, g)
}

func TestPost(t *testing.T) {
	w := newWorld(t)
	const marking = `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--00000001-3333-4333-8333-333333333333","created":"2026-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"mine"}}`
	marked := strings.Replace(indicator(2, 1), `"x_note"`, `"object_marking_refs":["marking-definition--00000001-3333-4333-8333-333333333333"],"x_note"`, 1)
	red := strings.Replace(indicator(3, 1), `"x_note"`, `"object_marking_refs":["marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"],"x_note"`, 1)
	address := `{"type":"ipv4-addr","id":"ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4","value":"198.51.100.3"}`
	s := w.post("soc", indicator(1, 1), marked, marking, red, address, `{"type":"indicator"}`, `[]`, `{"a":1,"a":2}`, strings.Replace(indicator(4, 1), identityOf(1), "", 1))
	if s.Status != "complete" || s.Total != 9 || s.Succeeded != 6 || len(s.Successes) != 6 || s.Failed != 3 || len(s.Failures) != 3 || s.Pending != 0 || s.Requested != "2026-03-04T05:06:07.000000Z" {
		t.Errorf("status %+v", s)
	}
	for i, want := range []string{`: type: `, "not a STIX object", `the name "a" appears twice`} {
		f := s.Failures[i]
		if f.ID != fmt.Sprintf("object %d of the envelope", 6+i) || !strings.Contains(f.Message, strings.TrimPrefix(want, ": ")) && i > 0 {
			t.Errorf("failure %d: %+v", i, f)
		}
	}
	for _, d := range s.Successes {
		if d.Version == "" || d.ID == "" {
			t.Errorf("success without an id or a version: %+v", d)
		}
	}
	// It is kept for its holder, byte for byte; RED is not for clients; the marking was known in time.
	g := w.want(200, ask{path: inboxPath("objects/")})
	if want := `{"objects":[` + strings.Join([]string{marking, indicator(1, 1), marked, address, indicator(4, 1)}, ",") + `]}`; string(g.body) != want {
		t.Errorf("inbox %s\nwant %s", g.body, want)
	}
	w.want(404, ask{path: inboxPath("objects/" + indicatorID(3) + "/")})
	// The same again is no error, and nothing new.
	if s := w.post("soc", indicator(1, 1), marking); s.Succeeded != 2 || s.Failed != 0 {
		t.Errorf("again: %+v", s)
	}
	if again := w.want(200, ask{path: inboxPath("objects/")}); !bytes.Equal(again.body, g.body) {
		t.Errorf("again: %s", again.body)
	}
	// Another object of the same version is refused, and stays out.
	twisted := strings.Replace(indicator(1, 1), "198.51.100.1", "203.0.113.7", 1)
	if s := w.post("soc", twisted); s.Failed != 1 || !strings.Contains(s.Failures[0].Message, "conflict") || s.Failures[0].ID != indicatorID(1) {
		t.Errorf("a conflict: %+v", s)
	}
}

// What a constituent posts is for this member alone: not for other constituents, and not to be read back.
func TestPostingsStayInside(t *testing.T) {
	w := newWorld(t)
	clear := strings.Replace(indicator(1, 1), `"x_note"`, `"object_marking_refs":["`+stix.Clear.MarkingID()+`"],"x_note"`, 1)
	if s := w.post("bank", clear); s.Succeeded != 1 {
		t.Fatalf("%+v", s)
	}
	for who, want := range map[string]string{"soc": "1", "siem": "1", "bank": "", "shop": ""} {
		for _, rest := range []string{"objects/", "manifest/"} {
			if got := ids(t, w.want(200, ask{path: inboxPath(rest), who: who})); got != want {
				t.Errorf("%s sees %q in %s, want %q", who, got, rest, want)
			}
		}
		code := 404
		if want != "" {
			code = 200
		}
		w.want(code, ask{path: inboxPath("objects/" + indicatorID(1) + "/"), who: who})
	}
	for _, audience := range []string{"alliance", "everyone"} {
		if got := ids(t, w.want(200, ask{path: col(audience, "objects/")})); got != "" {
			t.Errorf("%s has %q", audience, got)
		}
	}
}

// Nobody replaces or revokes what another one posted, and no constituent speaks for a member.
func TestPostersAreApart(t *testing.T) {
	w := newWorld(t)
	speaking := func(n int) string {
		return strings.Replace(indicator(1, 1), `"x_note"`, fmt.Sprintf(`"created_by_ref":%q,"x_note"`, identityOf(n)), 1)
	}
	for who, codes := range map[string]map[int]bool{"soc": {1: true, 2: false, 9: true}, "bank": {1: false, 2: false, 9: true}} {
		w := newWorld(t)
		for n, ok := range codes {
			if s := w.post(who, strings.Replace(speaking(n), indicatorID(1), indicatorID(n), 1)); (s.Succeeded == 1) != ok {
				t.Errorf("%s speaks for %d: %+v", who, n, s)
			}
		}
	}
	w.post("soc", indicator(1, 1))
	revoked := strings.Replace(indicator(1, 2), `"x_note"`, `"revoked":true,"x_note"`, 1)
	if s := w.post("bank", revoked); s.Succeeded != 1 {
		t.Fatalf("%+v", s)
	}
	if s := w.post("soc", indicator(1, 3)); s.Succeeded != 1 {
		t.Errorf("revoked by another holder: %+v", s)
	}
	if s := w.post("bank", indicator(1, 4)); s.Failed != 1 || !strings.Contains(s.Failures[0].Message, "revoked") {
		t.Errorf("after its own revocation: %+v", s)
	}
	// Nor does anybody delete it.
	w.want(403, ask{method: "DELETE", path: inboxPath("objects/" + indicatorID(1) + "/")})
	w.want(404, ask{method: "DELETE", path: inboxPath("objects/" + indicatorID(1) + "/"), who: "bank"}) // which sees none
	w.want(200, ask{method: "DELETE", path: inboxPath("objects/" + indicatorID(1) + "/?match[version]=last")})
}

func TestWhoMayWrite(t *testing.T) {
	w := newWorld(t)
	w.share("b", stix.Green, "alliance", indicator(7, 1))
	body := `{"objects":[` + indicator(1, 1) + `]}`
	for _, tt := range []struct {
		who, audience string
		post, delete  int
	}{
		{"soc", "member:a", 202, 200}, {"bank", "member:a", 202, 404}, {"sensor", "member:a", 202, 403}, {"siem", "member:a", 403, 403}, {"shop", "member:a", 403, 403},
		{"soc", "alliance", 403, 403}, {"siem", "alliance", 403, 403}, {"sensor", "alliance", 404, 404}, {"soc", "group:rail", 404, 404},
	} {
		w.want(tt.post, ask{method: "POST", path: col(tt.audience, "objects/"), who: tt.who, body: body})
		w.want(tt.delete, ask{method: "DELETE", path: col(tt.audience, "objects/"+indicatorID(1)+"/"), who: tt.who})
	}
	w.want(403, ask{path: inboxPath("objects/"), who: "sensor"})
	w.want(403, ask{path: inboxPath("manifest/"), who: "sensor"})
	w.want(200, ask{path: root + "collections/", who: "sensor"})
}

func TestDelete(t *testing.T) {
	w := newWorld(t)
	path := inboxPath("objects/" + indicatorID(1) + "/")
	three := func() {
		for v := 1; v <= 3; v++ {
			w.post("soc", indicator(1, v))
		}
	}
	for query, left := range map[string]string{
		"": "", "?match[version]=all": "", "?match[version]=last": "1 2", "?match[version]=first": "2 3", "?match[version]=first,last": "2",
		"?match[version]=2026-01-02T00:00:00Z": "1 3", "?match[spec_version]=2.1": "", "?match[spec_version]=2.1&match[version]=first": "2 3",
	} {
		w = newWorld(t)
		three()
		if g := w.want(200, ask{method: "DELETE", path: path + query}); len(g.body) > 0 {
			t.Errorf("%s: %s", query, g.body)
		}
		code := 200
		if left == "" {
			code = 404
		}
		g := w.want(code, ask{path: path + "versions/"})
		for v := 1; v <= 3; v++ {
			if bytes.Contains(g.body, fmt.Appendf(nil, "2026-01-%02dT", v)) != strings.Contains(left, fmt.Sprint(v)) {
				t.Errorf("%s leaves %s, want %s", query, g.body, left)
			}
		}
		newest := "" // the newest of what is left is the object now
		if left != "" {
			newest = "1"
		}
		if got := ids(t, w.want(200, ask{path: inboxPath("manifest/")})); got != newest {
			t.Errorf("%s leaves %q in the manifest, want %q", query, got, newest)
		}
	}
	w = newWorld(t)
	three()
	for query, code := range map[string]int{"?match[version]=2020-01-01T00:00:00Z": 404, "?match[spec_version]=2.0": 404, "?match[version]=x": 400, "?match[id]=x": 400} {
		w.want(code, ask{method: "DELETE", path: path + query})
	}
	w.want(404, ask{method: "DELETE", path: inboxPath("objects/" + indicatorID(2) + "/")})
	w.want(200, ask{method: "DELETE", path: path})
	w.want(404, ask{method: "DELETE", path: path})
	// What was deleted may be posted again.
	w.post("soc", indicator(1, 1))
	w.want(200, ask{path: path})
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	s := w.post("bank", indicator(1, 1), `{}`)
	path := root + "status/" + s.ID + "/"
	if again := decode[statusResource](t, w.want(200, ask{path: path, who: "bank"})); fmt.Sprint(again) != fmt.Sprint(s) {
		t.Errorf("asked again: %+v, want %+v", again, s)
	}
	w.want(404, ask{path: path}) // another's
	w.want(404, ask{path: root + "status/00000000-0000-4000-8000-000000000000/"})
	w.pass(23 * time.Hour)
	w.want(200, ask{path: path, who: "bank"})
	w.pass(2 * time.Hour)
	w.want(404, ask{path: path, who: "bank"})

	var many []string
	for i := range maxKeptDetails + 1 {
		many = append(many, indicator(10+i, 1))
	}
	s = w.post("bank", many...)
	if len(s.Successes) != len(many) {
		t.Errorf("%d of %d successes are listed", len(s.Successes), len(many))
	}
	again := decode[statusResource](t, w.want(200, ask{path: root + "status/" + s.ID + "/", who: "bank"}))
	if again.Succeeded != len(many) || again.Successes != nil {
		t.Errorf("%d successes, %d listed", again.Succeeded, len(again.Successes))
	}
}

func TestBadBodies(t *testing.T) {
	w := newWorld(t)
	object := indicator(1, 1)
	deep := strings.Repeat("[", 20_000)
	for name, tt := range map[string]struct {
		body string
		code int
	}{
		"empty": {"", 422}, "no JSON": {"<xml/>", 422}, "a list": {"[]", 422}, "a string": {`"x"`, 422}, "cut off": {`{"objects":[` + object, 422},
		"no objects": {`{}`, 422}, "an empty list": {`{"objects":[]}`, 422}, "objects that are none": {`{"objects":{}}`, 422}, "null": {`{"objects":null}`, 422},
		"twice": {`{"objects":[` + object + `],"objects":[` + object + `]}`, 422}, "more behind it": {`{"objects":[` + object + `]}{}`, 422},
		"deep": {`{"objects":[` + deep + `]}`, 422}, "deep outside": {`{"x":` + deep + `}`, 422}, "comma": {`{"objects":[` + object + `,]}`, 422},
		"a bundle": {`{"type":"bundle","id":"bundle--00000001-3333-4333-8333-333333333333","objects":[` + object + `]}`, 202},
		"custom":   {`{"x_mine":{"a":[1]},"objects":[` + object + `],"more":false}`, 202},
		"too many": {`{"objects":[` + strings.Repeat("{},", maxObjects) + `{}]}`, 422},
	} {
		g := w.do(ask{method: "POST", path: inboxPath("objects/"), body: tt.body})
		if g.code != tt.code {
			t.Errorf("%s: %d %.200s, want %d", name, g.code, g.body, tt.code)
		}
	}
	// Of an envelope that is none nothing is kept.
	w = newWorld(t)
	w.want(422, ask{method: "POST", path: inboxPath("objects/"), body: `{"objects":[` + object + `,` + indicator(2, 1) + `],}`})
	if g := w.want(200, ask{path: inboxPath("objects/")}); string(g.body) != "{}" {
		t.Errorf("kept %s", g.body)
	}
	// Objects that no reader should meet: each is refused for itself.
	bad := map[string]string{
		"lone surrogate": `{"type":"tool","spec_version":"2.1","id":"tool--00000001-3333-4333-8333-333333333333","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"\ud800"}`,
		"invalid UTF-8":  `{"type":"tool","spec_version":"2.1","id":"tool--00000001-3333-4333-8333-333333333333","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"` + "\xff" + `"}`,
		"a number":       `{"type":"tool","spec_version":"2.1","id":"tool--00000001-3333-4333-8333-333333333333","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"x","x":1e999}`,
		"an id":          `{"type":"tool","spec_version":"2.1","id":"malware--00000001-3333-4333-8333-333333333333","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"x"}`,
		"deep":           `{"type":"tool","x":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + `}`,
		"large":          `{"type":"tool","x":"` + strings.Repeat("x", stix.MaxObject) + `"}`,
	}
	for name, o := range bad {
		if s := w.post("soc", o, object); s.Succeeded != 1 || s.Failed != 1 || s.Failures[0].Message == "" {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestPostToABrokenNode(t *testing.T) {
	w := newWorld(t)
	if err := w.st.Close(); err != nil {
		t.Fatal(err)
	}
	g := w.want(500, ask{method: "POST", path: inboxPath("objects/"), body: `{"objects":[` + indicator(1, 1) + `]}`})
	if strings.Contains(string(g.body), "store") {
		t.Errorf("%s", g.body)
	}
	w.fail(errors.New("x"))
	w.want(500, ask{path: root + "status/x/"})
}
