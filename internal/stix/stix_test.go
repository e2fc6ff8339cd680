package stix

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	uuidA = "11111111-1111-4111-8111-111111111111"
	uuidB = "22222222-2222-4222-8222-222222222222"
)

func identityJSON(uuid string) string {
	return `{"type":"identity","spec_version":"2.1","id":"identity--` + uuid + `","created":"2024-01-01T00:00:00.000Z","modified":"2024-01-01T00:00:00.000Z","name":"n"}`
}

func bundleJSON(objects ...string) string {
	return `{"type":"bundle","id":"bundle--` + uuidA + `","objects":[` + strings.Join(objects, ",") + `]}`
}

func TestSplitKeepsBytes(t *testing.T) {
	odd := "{ \"type\" :\t\"identity\",\n\"id\":\"identity--" + uuidA + "\", \"x\": [1.0e2, \"\\u0041\\/\", \"ü\"] }"
	tests := []struct {
		name, in string
		want     []string
	}{
		{"bundle", bundleJSON(odd, identityJSON(uuidB)), []string{odd, identityJSON(uuidB)}},
		{"objects before type", `{"objects":[` + odd + `],"id":"bundle--` + uuidA + `","type":"bundle"}`, []string{odd}},
		{"bare object", odd, []string{odd}},
		{"byte order mark", "\ufeff" + odd, []string{odd}},
		{"array", "[" + odd + " , " + identityJSON(uuidB) + "]", []string{odd, identityJSON(uuidB)}},
		{"stream", odd + "\n" + identityJSON(uuidB) + bundleJSON(), []string{odd, identityJSON(uuidB)}},
		{"empty bundle", `{"type":"bundle","id":"bundle--` + uuidA + `"}`, nil},
		{"same bytes twice", bundleJSON(odd, odd), []string{odd}},
		{"objects of another type", `{"type":"x-thing","id":"x-thing--` + uuidA + `","objects":[1]}`,
			[]string{`{"type":"x-thing","id":"x-thing--` + uuidA + `","objects":[1]}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for how, got := range splitBothWays(t, tt.in) {
				if !slices.Equal(got, tt.want) {
					t.Errorf("%s: got %q, want %q", how, got, tt.want)
				}
			}
		})
	}
}

func splitBothWays(t *testing.T, in string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	whole, err := ParseBundle([]byte(in), Limits{})
	if err != nil {
		t.Fatalf("ParseBundle: %v", err)
	}
	out["ParseBundle"] = raws(whole)
	var streamed []*Object
	err = Decode(iotest.OneByteReader(strings.NewReader(in)), Limits{}, func(o *Object) error {
		streamed = append(streamed, o)
		return nil
	})
	if err != nil {
		t.Fatalf("Decode: %v", err)
	}
	out["Decode"] = raws(streamed)
	return out
}

func raws(list []*Object) []string {
	var out []string
	for _, o := range list {
		out = append(out, string(o.Raw))
	}
	return out
}

func TestSplitRefuses(t *testing.T) {
	id := `"id":"identity--` + uuidA + `"`
	tests := []struct{ name, in, want string }{
		{"nothing", " \n", "no STIX object"},
		{"text", "hello", "neither an object nor a list"},
		{"number in list", "[1]", "something else"},
		{"cut off", bundleJSON(identityJSON(uuidA))[:90], "the text ends"},
		{"cut inside a string", `{"type":"ident`, "the text ends inside a value"},
		{"cut after a backslash", `{"type":"ident\`, "the text ends inside a value"},
		{"missing comma", bundleJSON(identityJSON(uuidA) + identityJSON(uuidB)), "no comma"},
		{"trailing comma", "[" + identityJSON(uuidA) + ",]", "something else"},
		{"repeated name in object", bundleJSON(`{"type":"identity",` + id + `,"type":"identity"}`), `"type" appears twice`},
		{"repeated name, escaped", `{"type":"identity",` + id + `,"\u0074ype":"x"}`, `"type" appears twice`},
		{"repeated name, deep", `{"type":"identity",` + id + `,"x":[{"a":1,"a":2}]}`, `"a" appears twice`},
		{"repeated name in bundle", `{"type":"bundle","objects":[],"objects":[]}`, `"objects" appears twice`},
		{"invalid UTF-8", `{"type":"identity",` + id + ",\"name\":\"\xff\"}", "invalid UTF-8"},
		{"lone high surrogate", `{"type":"identity",` + id + `,"name":"\ud800"}`, "lone surrogate"},
		{"lone low surrogate", `{"type":"identity",` + id + `,"name":"\udc00\ud800"}`, "lone surrogate"},
		{"surrogate then text", `{"type":"identity",` + id + `,"name":"\ud800x\udc00"}`, "lone surrogate"},
		{"control character", `{"type":"identity",` + id + ",\"name\":\"\x01\"}", "control character"},
		{"number beyond float64", `{"type":"identity",` + id + `,"x":1e999}`, "float64"},
		{"long number beyond float64", `{"type":"identity",` + id + `,"x":` + strings.Repeat("9", 400) + `}`, "float64"},
		{"number with leading zero", `{"type":"identity",` + id + `,"x":01}`, "malformed number"},
		{"no type", bundleJSON(`{` + id + `}`), "identity--" + uuidA + ": type: missing"},
		{"no id", bundleJSON(identityJSON(uuidB), `{"type":"identity"}`), "object 2: id: missing"},
		{"bundle in bundle", bundleJSON(bundleJSON()), "a bundle is not an object"},
		{"list in non-bundle", `{"objects":[],"type":"x-thing"}`, "is no bundle"},
		{"bundle without id", `{"type":"bundle","objects":[]}`, "is not bundle--UUID"},
		{"two of one version", bundleJSON(identityJSON(uuidA), strings.Replace(identityJSON(uuidA), `"n"`, `"m"`, 1)),
			"identity--" + uuidA + ": modified: two different objects"},
		{"two observables", bundleJSON(`{"type":"url","id":"url--`+uuidA+`","value":"a"}`, `{"type":"url","id":"url--`+uuidA+`","value":"b"}`),
			"url--" + uuidA + ": id: appears twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseBundle([]byte(tt.in), Limits{})
			streamed := Decode(iotest.OneByteReader(strings.NewReader(tt.in)), Limits{}, func(*Object) error { return nil })
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if streamed == nil || streamed.Error() != err.Error() {
				t.Fatalf("Decode says %v, ParseBundle %v", streamed, err)
			}
		})
	}
}

func TestSplitLimits(t *testing.T) {
	small := Limits{Bundle: 4000, Object: 600, Depth: 5, Count: 3}
	deep := func(n int) string {
		return `{"type":"identity","id":"identity--` + uuidA + `","x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	many := make([]string, 4)
	for i := range many {
		many[i] = identityJSON(fmt.Sprintf("%08d-1111-4111-8111-111111111111", i))
	}
	long := func(n int) string {
		return `{"type":"identity","id":"identity--` + uuidA + `","x":"` + strings.Repeat("a", n) + `"}`
	}
	tests := []struct{ name, in, want string }{
		{"depth reached", deep(4), ""},
		{"depth passed", deep(5), "deeper"},
		{"depth in a bundle", bundleJSON(deep(5)), "deeper"},
		{"count reached", bundleJSON(many[:3]...), ""},
		{"count passed", bundleJSON(many...), "more than 3 objects"},
		{"object reached", bundleJSON(long(500)), ""},
		{"object passed", bundleJSON(long(600)), "larger than 600 bytes"},
		{"bare object passed", long(600), "larger than 600 bytes"},
		{"endless string", `{"type":"` + strings.Repeat("a", 3000), ""},
		{"document passed", bundleJSON(long(500)) + strings.Repeat(" ", 4000), "document larger than 4000 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseBundle([]byte(tt.in), small)
			streamed := Decode(iotest.HalfReader(strings.NewReader(tt.in)), small, func(*Object) error { return nil })
			for _, err := range []error{err, streamed} {
				switch {
				case tt.name == "endless string":
					if err == nil {
						t.Error("accepted")
					}
				case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
					t.Errorf("got %v, want %q", err, tt.want)
				}
			}
		})
	}
}

// A reader that never ends must not fill the memory.
func TestDecodeEndlessObject(t *testing.T) {
	r := io.MultiReader(strings.NewReader(`{"type":"`), endless{})
	err := Decode(r, Limits{Object: 1 << 20}, func(*Object) error { return nil })
	var syntax *SyntaxError
	if !errors.As(err, &syntax) {
		t.Fatalf("got %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

func TestDecodeReaderAndYieldErrors(t *testing.T) {
	broken := errors.New("broken")
	err := Decode(iotest.ErrReader(broken), Limits{}, func(*Object) error { return nil })
	if !errors.Is(err, broken) {
		t.Errorf("reader: got %v", err)
	}
	err = Decode(strings.NewReader(identityJSON(uuidA)), Limits{}, func(*Object) error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("yield: got %v", err)
	}
}

func TestObjectView(t *testing.T) {
	raw := `{"type":"indicator","spec_version":"2.1","id":"indicator--` + uuidA + `","created_by_ref":"identity--` + uuidA + `",
	"created":"2024-01-01T00:00:00.000Z","modified":"2024-01-02T00:00:00.1230Z","revoked":true,"labels":["a","\u00e9"],"confidence":70,
	"name":"n","pattern":"[a:b = 'c']","pattern_type":"stix","pattern_version":"2.1","valid_from":"2024-01-01T00:00:00Z","valid_until":"2025-01-01T00:00:00Z",
	"external_references":[{"source_name":"s","external_id":"e","url":"u"}],
	"object_marking_refs":["marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"],
	"granular_markings":[{"selectors":["name"],"marking_ref":"marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"},{"selectors":["name"],"lang":"de"}],
	"x":{"deep":[{"thing_ref":"file--` + uuidA + `"}],"things_refs":["url--` + uuidA + `","url--` + uuidB + `"]}}`
	o, err := Parse([]byte(raw), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if o.Type != "indicator" || !o.Revoked || o.Confidence != 70 || !slices.Equal(o.Labels, []string{"a", "é"}) ||
		o.Pattern != "[a:b = 'c']" || o.ValidUntil != "2025-01-01T00:00:00Z" || o.Name != "n" {
		t.Errorf("wrong view: %+v", o)
	}
	if want := (ExternalRef{"s", "e", "u"}); len(o.External) != 1 || o.External[0] != want {
		t.Errorf("external: %v", o.External)
	}
	if got := o.Version(); got != "2024-01-02T00:00:00.123" {
		t.Errorf("version: %s", got)
	}
	if got := o.Markings(); len(got) != 2 || !strings.HasSuffix(got[1], "e53a884c97c1") {
		t.Errorf("markings: %v", got)
	}
	want := []Ref{{"created_by_ref", "identity--" + uuidA},
		{"object_marking_refs", "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"},
		{"granular_markings.marking_ref", "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"},
		{"x.deep.thing_ref", "file--" + uuidA}, {"x.things_refs", "url--" + uuidA}, {"x.things_refs", "url--" + uuidB}}
	if !slices.Equal(o.Refs, want) {
		t.Errorf("refs: %v", o.Refs)
	}
}

// A long name above many references must not be repeated for each.
func TestRefPathIsBounded(t *testing.T) {
	raw := `{"` + strings.Repeat("k", 5000) + `":{"a_ref":"x"}}`
	o, err := Parse([]byte(raw), Limits{})
	if err != nil || len(o.Refs) != 1 || o.Refs[0].Property != "...a_ref" {
		t.Fatalf("%v %v", err, o.Refs)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{"", "[]", `["a"]`, `"x"`, "{} {}", "{", `{"a":}`, `{"a" 1}`, `{a:1}`, `{"a":tru}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":-}`, `{"a":1.}`, `{"a":1e}`} {
		if _, err := Parse([]byte(in), Limits{}); err == nil {
			t.Errorf("accepted %q", in)
		}
	}
}

// Everything the corpus holds is STIX; nothing of it may be refused or changed.
func TestCorpus(t *testing.T) {
	root := os.Getenv("SHIELDWALL_CORPUS")
	if root == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	for _, name := range []string{"enterprise-attack-18.1.json.gz", "ics-attack-17.1.json.gz", "ics-attack-18.1.json.gz"} {
		t.Run(name, func(t *testing.T) { corpusBundle(t, unzipped(t, filepath.Join(root, "attack", name))) })
	}
	files, err := filepath.Glob(filepath.Join(root, "stix", "examples", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(root, "stix", "examples", "threat-reports", "*.json"))
	if err != nil || len(files) == 0 || len(more) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, f := range append(files, more...) {
		t.Run(filepath.Base(f), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			corpusBundle(t, data)
		})
	}
}

func unzipped(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func corpusBundle(t *testing.T, data []byte) {
	t.Helper()
	got, err := ParseBundle(data, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Type    string
		Objects []json.RawMessage
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if want.Type != "bundle" {
		want.Objects = []json.RawMessage{bytes.TrimSpace(data)}
	}
	if len(got) != len(want.Objects) {
		t.Fatalf("%d objects, want %d", len(got), len(want.Objects))
	}
	for i, o := range got {
		if !bytes.Equal(o.Raw, want.Objects[i]) {
			t.Fatalf("object %d changed", i)
		}
	}
}
