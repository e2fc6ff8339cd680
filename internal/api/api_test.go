package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/policy"
	"shieldwall/internal/query"
	"shieldwall/internal/search"
	"shieldwall/internal/status"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

const someID = "malware--00000001-0000-4000-8000-000000000000"

// fake is a node that answers with everything that an answer can have.
type fake struct {
	err    error
	asked  search.Request
	shared Publication
	since  time.Time
}

func (f *fake) Status(context.Context) (Status, error) {
	return Status{Version: "1", Search: status.Search{Problem: "p"}, Started: now, Now: now, Warnings: []string{"w"}, Members: []Member{{"a", "self", ""}}}, f.err
}

func hit() status.Hit {
	return status.Hit{ID: someID, Type: "malware", TLP: "AMBER+STRICT", Admitted: now, Object: json.RawMessage(`{"id":"x"}`),
		Relations: &status.Relations{Items: []status.Relation{{Kind: "uses", Out: true, Via: "v", ID: "x"}}}}
}

func (f *fake) Search(_ context.Context, h Holder, req search.Request) (status.SearchPage, error) {
	f.asked = req
	if _, err := query.Parse(req.Query); err != nil {
		return status.SearchPage{}, err
	}
	return status.SearchPage{Hits: []status.Hit{hit()}, Next: "x"}, f.err
}

func (f *fake) Object(_ context.Context, _ Holder, id string) (status.ObjectView, error) {
	if id != someID {
		return status.ObjectView{}, search.ErrUnknown
	}
	return status.ObjectView{Hit: hit(), Versions: []status.Version{{TLP: "RED", Admitted: now}}}, f.err
}

func (f *fake) Raw(_ context.Context, _ Holder, id, version string) ([]byte, error) {
	return []byte(`{"id": "x"}`), f.err
}

func (f *fake) Detections(_ context.Context, since time.Time, limit int) ([]status.Detection, bool, error) {
	f.since = since
	return []status.Detection{{RuleID: "r"}, {Time: now, Tags: []string{"t"}, Fields: map[string]string{"a": "b"}, Publisher: "b", License: "l", DuplicateOf: "d", Seen: now, Indicator: "i", Confidence: 3, ValidUntil: now}}, true, f.err
}

func (f *fake) Publish(_ context.Context, p Publication) (Published, error) {
	f.shared = p
	return Published{Shared: []Shared{{someID, "malware", "CLEAR", "everyone"}}, Unchanged: []string{}, Warnings: []string{}}, f.err
}

func (f *fake) Withdraw(_ context.Context, ids []string) (Withdrawn, error) {
	return Withdrawn{ids}, f.err
}
func (f *fake) Mutes(context.Context) ([]status.Mute, error) {
	return []status.Mute{{ID: "m", Made: now, Until: now}}, f.err
}
func (f *fake) Unmute(context.Context, string) (status.Mute, error) {
	return status.Mute{ID: "m", Made: now, Until: now}, f.err
}
func (f *fake) Mute(_ context.Context, m Muting) (status.Mute, error) {
	return status.Mute{ID: "m", Rule: m.Rule, Publisher: "p", Host: "h", Made: now, Until: now}, f.err
}

// APIHolder knows tokens that say what they are: KIND/SCOPES.
func (f *fake) APIHolder(_ context.Context, hash [sha256.Size]byte) (Holder, bool, error) {
	for token, h := range map[string]Holder{
		"all": {"all", policy.Staff, true, true, true}, "bank": {"bank", policy.Constituent, true, true, true},
		"reader": {"reader", policy.Machine, true, false, false}, "nothing": {"nothing", policy.Staff, false, false, false},
	} {
		if sha256.Sum256([]byte(token)) == hash {
			return h, true, nil
		}
	}
	return Holder{}, false, nil
}

func newHandler(f *fake) *Handler {
	return New(Options{Backend: f, Tokens: f, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
}

func do(h http.Handler, token, method, target, typ, body string) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if typ != "" {
		r.Header.Set("Content-Type", typ)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

type document struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]map[string]any }
}

type operation struct {
	Security   []map[string][]string
	Parameters []struct {
		Name, In string
		Schema   map[string]any
	}
	RequestBody struct{ Content map[string]any }
	Responses   map[string]struct {
		Content map[string]struct{ Schema map[string]any }
	}
}

func described(t *testing.T) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(description, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// The description has just the routes and parameters that there are.
func TestRoutes(t *testing.T) {
	d := described(t)
	var want, got []string
	for _, r := range newHandler(&fake{}).routes {
		params := slices.Sorted(slices.Values(r.params))
		got = append(got, fmt.Sprint(r.method, " ", r.path, " ", params, r.need != anyone))
	}
	for path, methods := range d.Paths {
		for method, op := range methods {
			params := []string{}
			for _, p := range op.Parameters {
				if p.In == "query" {
					params = append(params, p.Name)
				}
			}
			slices.Sort(params)
			want = append(want, fmt.Sprint(strings.ToUpper(method), " ", path, " ", params, len(op.Security) > 0))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("routes\n%s\ndescribed\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// conforms says where a value is not as a schema says; a keyword that it does not know is an error too.
func (d *document) conforms(schema map[string]any, v any, at string) error {
	if ref, ok := schema["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/components/schemas/")
		if d.Components.Schemas[name] == nil {
			return fmt.Errorf("%s: no schema %s", at, name)
		}
		return d.conforms(d.Components.Schemas[name], v, at)
	}
	var types []string
	switch x := schema["type"].(type) {
	case string:
		types = []string{x}
	case []any:
		for _, one := range x {
			types = append(types, one.(string))
		}
	}
	kind := map[bool]string{true: "null"}[v == nil]
	var errs []error
	switch v := v.(type) {
	case string:
		kind = "string"
		if schema["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", at, err))
			}
		}
		if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, any(v)) {
			errs = append(errs, fmt.Errorf("%s: %q is none of %v", at, v, enum))
		}
	case bool:
		kind = "boolean"
	case float64:
		if kind = "number"; v == float64(int64(v)) {
			kind = "integer"
		}
	case []any:
		kind = "array"
		for i, x := range v {
			errs = append(errs, d.conforms(schema["items"].(map[string]any), x, fmt.Sprintf("%s[%d]", at, i)))
		}
	case map[string]any:
		kind = "object"
		props, _ := schema["properties"].(map[string]any)
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				errs = append(errs, fmt.Errorf("%s: no %s", at, name))
			}
		}
		for name, x := range v {
			switch p, ok := props[name].(map[string]any); {
			case ok:
				errs = append(errs, d.conforms(p, x, at+"."+name))
			case schema["additionalProperties"] == false:
				errs = append(errs, fmt.Errorf("%s: %s is not described", at, name))
			}
		}
	}
	if !slices.Contains(types, kind) {
		errs = append(errs, fmt.Errorf("%s: a %s, described as %v", at, kind, types))
	}
	for k := range schema {
		if !slices.Contains([]string{"type", "description", "format", "enum", "items", "properties", "required", "additionalProperties", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "pattern"}, k) {
			errs = append(errs, fmt.Errorf("%s: a keyword %s that nobody checks", at, k))
		}
	}
	return errors.Join(errs...)
}

// is holds an answer to the description.
func (d *document) is(t *testing.T, method, path string, code int, resp *http.Response) any {
	t.Helper()
	body, _ := io.ReadAll(resp.Body)
	what := fmt.Sprintf("%s %s: %d %.300s", method, path, resp.StatusCode, body)
	if resp.StatusCode != code {
		t.Errorf("%s, want %d", what, code)
		return nil
	}
	op, ok := d.Paths[path][strings.ToLower(method)]
	if !ok {
		return nil
	}
	answer, ok := op.Responses[fmt.Sprint(code)]
	if !ok {
		t.Errorf("%s is not described", what)
		return nil
	}
	content, ok := answer.Content[resp.Header.Get("Content-Type")]
	if !ok {
		t.Errorf("%s: media type %q is none of %v", what, resp.Header.Get("Content-Type"), slices.Collect(maps.Keys(answer.Content)))
		return nil
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Errorf("%s: %v", what, err)
		return nil
	}
	if err := d.conforms(content.Schema, v, ""); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	return v
}

type call struct{ token, method, path, target, typ, body string }

// calls are one good request of each route.
var calls = []call{
	{"", "GET", "/api/openapi.json", "/api/openapi.json", "", ""},
	{"all", "GET", "/api/v1/status", "/api/v1/status", "", ""},
	{"all", "GET", "/api/v1/search", "/api/v1/search?q=type:indicator+x&limit=3&relations=true&objects=false", "", ""},
	{"all", "GET", "/api/v1/objects/{id}", "/api/v1/objects/" + someID, "", ""},
	{"all", "GET", "/api/v1/objects/{id}/raw", "/api/v1/objects/" + someID + "/raw?version=2026-01-01T00:00:00.000Z", "", ""},
	{"all", "GET", "/api/v1/detections", "/api/v1/detections?since=2026-01-01T00:00:00Z&limit=7", "", ""},
	{"all", "POST", "/api/v1/publish", "/api/v1/publish?tlp=clear&to=a&to=b&dry_run=true", "application/stix+json;version=2.1", "{}"},
	{"all", "POST", "/api/v1/withdraw", "/api/v1/withdraw", "application/json", `{"ids":["` + someID + `"]}`},
	{"all", "GET", "/api/v1/mutes", "/api/v1/mutes", "", ""},
	{"all", "POST", "/api/v1/mutes", "/api/v1/mutes", "application/json", `{"rule":"r","reason":"x","seconds":60}`},
	{"all", "DELETE", "/api/v1/mutes/{id}", "/api/v1/mutes/m", "", ""},
}

// Every answer of every route is as described, and so is every refusal.
func TestAnswers(t *testing.T) {
	d := described(t)
	f := &fake{}
	h := newHandler(f)
	if len(calls) != len(h.routes) {
		t.Fatalf("%d calls of %d routes", len(calls), len(h.routes))
	}
	for _, c := range calls {
		code := 200
		if c.method == "POST" && strings.HasSuffix(c.path, "mutes") {
			code = 201
		}
		d.is(t, c.method, c.path, code, do(h, c.token, c.method, c.target, c.typ, c.body))
		if c.token == "" {
			continue
		}
		bare, _, _ := strings.Cut(c.target, "?")
		d.is(t, c.method, c.path, 401, do(h, "", c.method, c.target, c.typ, c.body))
		d.is(t, c.method, c.path, 401, do(h, "unknown", c.method, c.target, c.typ, c.body))
		d.is(t, c.method, c.path, 403, do(h, "nothing", c.method, c.target, c.typ, c.body))
		d.is(t, c.method, c.path, 400, do(h, c.token, c.method, bare+"?nosuch=1", c.typ, c.body))
		d.is(t, c.method, c.path, 414, do(h, c.token, c.method, bare+"?"+strings.Repeat("x", maxQuery+1), c.typ, c.body))
		f.err = errors.New("the disk")
		d.is(t, c.method, c.path, 500, do(h, c.token, c.method, c.target, c.typ, c.body))
		f.err = NewProblem(503, "later")
		resp := do(h, c.token, c.method, c.target, c.typ, c.body)
		if d.is(t, c.method, c.path, 503, resp); resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: when to try again?", c.path)
		}
		f.err = nil
		if c.method == "POST" {
			d.is(t, c.method, c.path, 415, do(h, c.token, c.method, c.target, "text/plain", c.body))
			d.is(t, c.method, c.path, 413, do(h, c.token, c.method, c.target, "application/json", strings.Repeat(" ", MaxPublish+1)))
			f.err = NewProblem(422, "no")
			d.is(t, c.method, c.path, 422, do(h, c.token, c.method, c.target, c.typ, c.body))
			f.err = nil
		}
		for range holderAtOnce {
			h.holders["all"].atWork++
		}
		d.is(t, c.method, c.path, 429, do(h, c.token, c.method, c.target, c.typ, c.body))
		h.holders["all"].atWork = 0
		h.holders["all"].rate.SetBurst(1 << 20)
	}
	if f.asked.Limit != 50 && f.asked.Limit != 3 || f.since.Year() != 2026 || !slices.Equal(f.shared.To, []string{"a", "b"}) {
		t.Errorf("%+v", f)
	}
}

func TestRefusals(t *testing.T) {
	d := described(t)
	h := newHandler(&fake{})
	for _, c := range []struct {
		call
		code int
		want string
	}{
		{call{"all", "GET", "/api/v1/search", "/api/v1/search?q=titel:x", "", ""}, 400, "column 1"},
		{call{"all", "GET", "/api/v1/search", "/api/v1/search?limit=0", "", ""}, 400, "from 1 to 200"},
		{call{"all", "GET", "/api/v1/search", "/api/v1/search?limit=1&limit=2", "", ""}, 400, "given 2 times"},
		{call{"all", "GET", "/api/v1/search", "/api/v1/search?relations=yes", "", ""}, 400, "true or false"},
		{call{"all", "GET", "/api/v1/search", "/api/v1/search?%zz", "", ""}, 400, "cannot be read"},
		{call{"all", "GET", "/api/v1/objects/{id}", "/api/v1/objects/malware--1", "", ""}, 400, "no STIX id"},
		{call{"all", "GET", "/api/v1/objects/{id}", "/api/v1/objects/malware--00000002-0000-4000-8000-000000000000", "", ""}, 404, "not for this client"},
		{call{"all", "GET", "/api/v1/objects/{id}/raw", "/api/v1/objects/" + someID + "/raw?version=old", "", ""}, 400, "timestamp"},
		{call{"bank", "GET", "/api/v1/status", "/api/v1/status", "", ""}, 403, "own staff"},
		{call{"bank", "POST", "/api/v1/publish", "/api/v1/publish", "application/json", "{}"}, 403, "own staff"},
		{call{"reader", "POST", "/api/v1/publish", "/api/v1/publish", "application/json", "{}"}, 403, "api:publish"},
		{call{"reader", "DELETE", "/api/v1/mutes/{id}", "/api/v1/mutes/m", "", ""}, 403, "api:operate"},
		{call{"all", "POST", "/api/v1/withdraw", "/api/v1/withdraw", "application/json", `{"ids":["x"]}`}, 400, "number 1"},
		{call{"all", "POST", "/api/v1/withdraw", "/api/v1/withdraw", "application/json", `{"ids":[]}`}, 400, "from 1"},
		{call{"all", "POST", "/api/v1/withdraw", "/api/v1/withdraw", "application/json", `{"id":[]}`}, 400, "not as described"},
		{call{"all", "POST", "/api/v1/mutes", "/api/v1/mutes", "application/json", `{"reason":"x","seconds":0}`}, 400, "seconds"},
		{call{"all", "POST", "/api/v1/mutes", "/api/v1/mutes", "application/json", `{} {}`}, 400, "bytes after"},
		{call{"all", "POST", "/api/v1/mutes", "/api/v1/mutes", "application/json", `{"host":null,"rule":"r","reason":"x","seconds":1}`}, 400, "host is null"},
		{call{"all", "POST", "/api/v1/mutes", "/api/v1/mutes", "application/json", `{"RULE":"r","reason":"x","seconds":1}`}, 400, "it has no"},
		{call{"all", "POST", "/api/v1/mutes", "/api/v1/mutes", "application/json", `null`}, 400, "want an object"},
		{call{"all", "PUT", "/api/v1/mutes", "/api/v1/mutes", "", ""}, 405, "GET, HEAD, POST"},
		{call{"all", "GET", "/api/v1/nothing", "/api/v1/nothing", "", ""}, 404, "no such thing"},
		{call{"all", "GET", "/api/v1/objects/{id}", "/api/v1/objects/", "", ""}, 404, "no such thing"},
	} {
		resp := do(h, c.token, c.method, c.target, c.typ, c.body)
		body, _ := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(strings.NewReader(string(body)))
		if d.is(t, c.method, c.path, c.code, resp); !strings.Contains(string(body), c.want) {
			t.Errorf("%s: %s, want %s", c.target, body, c.want)
		}
	}
	if resp := do(h, "all", "HEAD", "/api/v1/status", "", ""); resp.StatusCode != 200 {
		t.Errorf("HEAD: %v", resp.Status)
	}
}

// What could be asked of the strangers' allowance runs out, for strangers alone.
func TestStrangers(t *testing.T) {
	h := newHandler(&fake{})
	last := 0
	for range strangerBurst + 50 {
		last = do(h, "wrong", "GET", "/api/v1/status", "", "").StatusCode
	}
	if good := do(h, "all", "GET", "/api/v1/status", "", "").StatusCode; last != 429 || good != 200 {
		t.Errorf("%d, %d", last, good)
	}
}

func FuzzRequest(f *testing.F) {
	for _, c := range calls {
		f.Add(c.method, c.target, c.typ, c.body)
	}
	if len(calls) != 11 {
		f.Fatalf("%d seeds", len(calls))
	}
	f.Fuzz(func(t *testing.T, method, target, typ, body string) {
		r, err := http.NewRequest(method, "http://x"+target, strings.NewReader(body))
		if err != nil {
			return
		}
		r.Header.Set("Authorization", "Bearer all")
		r.Header.Set("Content-Type", typ)
		w := httptest.NewRecorder()
		newHandler(&fake{}).ServeHTTP(w, r)
		if w.Code >= 500 || w.Code == 0 {
			t.Fatalf("%s %s: %d %s", method, target, w.Code, w.Body)
		}
	})
}
