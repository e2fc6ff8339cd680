package config

import (
	"errors"
	"testing"

	"go.yaml.in/yaml/v3"
)

const minSeeds = 27

func seeds() []string {
	return []string{
		string(Example), "", "---\n", "a", "- a\n", "page:\n  lisen: x\n", "member: a\nmember: b\n", "a: &a [*a]\n", "a: &x 1\nb: *x\n",
		"<<: {member: a}\n", "? [a]\n: b\n", "hold: 1d1h\n", "hold: 99999999999d\n", "detections: {max_size: 9GiB}\n", "deny: [a, [b], {c: d}, ~]\n",
		"ingest: {follow: [{path: a}, {path: }]}\n", "member: !!binary aGk=\n", "page: !!set {listen}\n", "member: \"\\x00\\u009b\"\n", "\xff\xfe", "{{{{{{{{{{",
		"member: |\n  a\n  b\n", "%YAML 1.1\n---\nmember: a\n...\nmember: b\n", "ingest: {jsonl: {enabled: TRUE}}\n",
		"placeholders: {a: [b, 'c*', 1], d: e}\n", "placeholders: {a: [&x b], <<: {c: *x}}\n", "placeholders: {'%a%': b, ? [c] : d, e: {}}\n",
	}
}

func TestFuzzSeeds(t *testing.T) {
	if n := len(seeds()); n < minSeeds {
		t.Fatalf("%d seeds, want at least %d", n, minSeeds)
	}
}

// FuzzDecode holds the decoder to its promises: no panic, errors that name the file, and an accepted
// configuration that reads back the same from what config check would print.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Decode("f.yaml", data)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.File != "f.yaml" {
				t.Fatalf("error without its place: %v", err)
			}
			return
		}
		// Whatever was accepted by the decoder, validation must survive it.
		_ = c.Validate()
		out, err := yaml.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode("again.yaml", out)
		if err != nil {
			t.Fatalf("printed configuration does not read back: %v\n%s", err, out)
		}
		if second, _ := yaml.Marshal(again); string(second) != string(out) {
			t.Fatalf("printed\n%s\nthen\n%s", out, second)
		}
	})
}
