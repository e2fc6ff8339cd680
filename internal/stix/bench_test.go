package stix

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// benchBundle is ATT&CK where the corpus is at hand, else objects of about its size.
func benchBundle(b *testing.B) []byte {
	if root := os.Getenv("SHIELDWALL_CORPUS"); root != "" {
		return unzipped(b, filepath.Join(root, "attack", "enterprise-attack-18.1.json.gz"))
	}
	objects := make([]string, 5000)
	for i := range objects {
		objects[i] = strings.Replace(identityJSON(fmt.Sprintf("%08x-1111-4111-8111-111111111111", i)), `"n"`,
			`"`+strings.Repeat("Adversaries may ", 70)+`"`, 1)
	}
	return []byte(bundleJSON(objects...))
}

func BenchmarkParseBundle(b *testing.B) {
	data := benchBundle(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseBundle(data, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	data := benchBundle(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Decode(bytes.NewReader(data), Limits{}, func(*Object) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
