package stixcheck

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"shieldwall/internal/stix"
)

func bundle(objects ...string) string {
	return `{"type":"bundle","id":"bundle--` + uuidA + `","objects":[` + strings.Join(objects, ",\n") + `]}`
}

// found gives what is wrong with a document, a line each.
func found(t *testing.T, text string, level stix.Level) ([]string, int) {
	t.Helper()
	var lines []string
	n, err := Document(iotest.HalfReader(strings.NewReader(text)), stix.Limits{}, level, func(p stix.Problem) { lines = append(lines, p.Error()) })
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return lines, n
}

func TestDocument(t *testing.T) {
	version := func(day, rest string) string {
		return `{"type":"tool","spec_version":"2.1","id":"tool--` + uuidA + `","created":"2024-01-01T00:00:00.000Z","modified":"2024-01-` + day + `T00:00:00.000Z","name":"n"` + rest + `}`
	}
	marking := func(uuid, by string) string {
		return `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--` + uuid + `","created":"2024-01-01T00:00:00.000Z","definition_type":"statement",
			"definition":{"statement":"s"},"object_marking_refs":["marking-definition--` + by + `"]}`
	}
	const uuidC = "33333333-3333-4333-8333-333333333333"
	creator := `,"created_by_ref":"identity--` + uuidB + `"`
	tests := []struct {
		name, text string
		want       []string
	}{
		{"nothing wrong", bundle(version("01", ""), version("02", "")), nil},
		{"created changes", bundle(version("01", ""), strings.Replace(version("02", ""), `"created":"2024-01-01`, `"created":"2024-01-02`, 1)), []string{"created: must not change between versions (STIX 2.1, section 3.2)"}},
		{"created is spelt otherwise", bundle(version("01", ""), strings.Replace(version("02", ""), `"created":"2024-01-01T00:00:00.000Z`, `"created":"2024-01-01T00:00:00.0000Z`, 1)), nil},
		{"creator changes", bundle(version("01", ""), version("02", creator)), []string{"created_by_ref: must not change between versions"}},
		{"a version behind the revocation", bundle(version("02", `,"revoked":true`), version("01", ""), version("03", ""), version("04", "")), []string{"revoked: there is a version that is later than the revocation (STIX 2.1, section 3.6)"}},
		{"the revocation comes later", bundle(version("03", ""), version("02", `,"revoked":true`)), []string{"revoked: there is a version"}},
		{"one UUID, two types", bundle(version("01", creator), strings.ReplaceAll(version("01", creator), "tool", "malware")), []string{"is_family: missing", "id: has the UUID of an object of type tool by the same creator (STIX 2.1, section 2.9)"}},
		{"one UUID, two creators", bundle(version("01", creator), strings.ReplaceAll(version("01", `,"is_family":false`), "tool", "malware")), nil},
		{"two of one version", bundle(version("01", ""), version("01", `,"labels":["a"]`)), []string{"modified: two different objects of this id are both of"}},
		{"circle", bundle(marking(uuidA, uuidB), marking(uuidB, uuidC), marking(uuidC, uuidA)), []string{"marking-definition--" + uuidA + ": object_marking_refs: must not be circular"}},
		{"chain", bundle(marking(uuidA, uuidB), marking(uuidB, uuidC)), nil},
		{"marks itself", bundle(marking(uuidA, uuidA)), []string{"must not refer to the marking itself"}},
		{"no id, no type", bundle(`{"name":"n"}`), []string{"object 1: type: missing or not a string", "object 1: id: missing or not a string"}},
		{"empty bundle", bundle(), []string{"bundle--" + uuidA + ": objects: must not be an empty list (STIX 2.1, section 2.12)"}},
		{"objects that are none", `{"type":"bundle","id":"bundle--` + uuidA + `","objects":5}`, []string{"objects: must be a list of objects (STIX 2.1, section 8.1)"}},
		{"bundle in a bundle", bundle(bundle(version("01", ""))), []string{"a bundle is not an object"}},
		{"bundle without id", `{"type":"bundle","objects":[` + version("01", "") + `]}`, []string{"bundle: id: "}},
		{"single object", version("01", `,"labels":[]`), []string{"labels: must not be an empty list"}},
	}
	for _, tt := range tests {
		got, _ := found(t, tt.text, stix.Tolerated)
		ok := len(got) == len(tt.want)
		for i := range min(len(got), len(tt.want)) {
			ok = ok && strings.Contains(got[i], tt.want[i])
		}
		if !ok {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	got, _ := found(t, `{"type":"bundle","spec_version":"2.0","id":"bundle--28bb3599-77cd-5a82-a950-b5bc3caf07c4"}`, stix.Advice)
	if want := []string{"spec_version: is no property of a bundle", "id: should have a UUID of version 4"}; len(got) != 2 || !strings.Contains(got[0], want[0]) || !strings.Contains(got[1], want[1]) {
		t.Errorf("bundle: %q", got)
	}
}

// A hostile chain of markings must cost neither stack nor square time.
func TestLongChainOfMarkings(t *testing.T) {
	var b strings.Builder
	b.WriteString("[")
	const n = 20_000
	id := func(i int) string {
		return "marking-definition--" + strings.Repeat("0", 8-len(itoa(i))) + itoa(i) + "-1111-4111-8111-111111111111"
	}
	for i := range n {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(`{"type":"marking-definition","spec_version":"2.1","id":"` + id(i) + `","created":"2024-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"s"},"object_marking_refs":["` + id((i+1)%n) + `"]}`)
	}
	b.WriteString("]")
	got, objects := found(t, b.String(), stix.Tolerated)
	if objects != n || len(got) != 1 || !strings.Contains(got[0], "circular") {
		t.Errorf("%d objects, %q", objects, got)
	}
}

func itoa(i int) string {
	digits := []byte{}
	for ; i > 0 || len(digits) == 0; i /= 10 {
		digits = append(digits, byte('0'+i%10))
	}
	slices.Reverse(digits)
	return string(digits)
}

func TestLines(t *testing.T) {
	text := "{\n\"type\": \"bundle\",\n\"id\": \"bundle--" + uuidA + "\",\n\"objects\": [\n" + sdo("identity", `,"name":"n"`) + ",\n\n{\n\"type\": \"tool\",\n\"spec_version\":\"2.1\",\n\"id\":\"tool--" + uuidA +
		"\",\n" + times + ",\n\"name\":\n5,\n\"kill_chain_phases\":[\n{\"kill_chain_name\":\"a\"}]}]}\n{\"type\":\"x-own\",\n\"id\":5}"
	want := []int{13, 15, 17, 16}
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(text), "bytes": iotest.OneByteReader(strings.NewReader(text))} {
		var lines []int
		if _, err := Document(r, stix.Limits{}, stix.Tolerated, func(p stix.Problem) { lines = append(lines, p.Line) }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(lines, want) {
			t.Errorf("%s: lines %v, want %v", name, lines, want)
		}
	}
	_, err := Document(strings.NewReader("[{\"type\":\"x-own\",\n\"id\":\"a\",\n\"id\":\"b\"}]"), stix.Limits{}, stix.Tolerated, func(stix.Problem) {})
	var syntax *stix.SyntaxError
	if !errors.As(err, &syntax) || syntax.Line != 3 || syntax.Limit {
		t.Errorf("repeated name: %+v", err)
	}
	_, err = Document(strings.NewReader("[\n"+strings.Repeat("[", 100)), stix.Limits{}, stix.Tolerated, func(stix.Problem) {})
	if !errors.As(err, &syntax) || syntax.Line != 2 {
		t.Errorf("list in a list: %+v", err)
	}
	_, err = Document(strings.NewReader(`{"a":`+strings.Repeat("[", 100)), stix.Limits{}, stix.Tolerated, func(stix.Problem) {})
	if !errors.As(err, &syntax) || !syntax.Limit {
		t.Errorf("too deep: %+v", err)
	}
}

func corpus(t testing.TB) string {
	root := os.Getenv("SHIELDWALL_CORPUS")
	if root == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	return root
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

// MITRE's ATT&CK and the examples of OASIS are usable, and can be published: what they break is tolerated.
func TestCorpus(t *testing.T) {
	root := corpus(t)
	attack, err := filepath.Glob(filepath.Join(root, "attack", "*.json.gz"))
	if err != nil || len(attack) == 0 {
		t.Fatalf("no ATT&CK: %v", err)
	}
	counts := map[string]int{}
	for _, name := range attack {
		objects, err := Document(strings.NewReader(string(unzipped(t, name))), stix.Limits{}, stix.Tolerated, func(p stix.Problem) {
			if p.Level != stix.Tolerated {
				t.Errorf("%s: %v", filepath.Base(name), p)
			}
			counts[p.Section]++
		})
		if err != nil || objects < 1000 {
			t.Fatalf("%s: %d objects: %v", name, objects, err)
		}
	}
	if len(counts) != 2 || counts["4.11.1"] == 0 || counts["2.12"] == 0 {
		t.Errorf("ATT&CK breaks %v", counts)
	}
	examples, err := filepath.Glob(filepath.Join(root, "stix", "examples", "*.json"))
	more, err2 := filepath.Glob(filepath.Join(root, "stix", "examples", "threat-reports", "*.json"))
	if err = errors.Join(err, err2); err != nil || len(examples) == 0 || len(more) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, name := range append(examples, more...) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if lines, _ := found(t, string(data), stix.Tolerated); len(lines) > 0 {
			t.Errorf("%s: %q", filepath.Base(name), lines)
		}
	}
}
