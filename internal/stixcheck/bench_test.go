package stixcheck

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shieldwall/internal/stix"
)

// benchDocument is ATT&CK where the corpus is at hand, else objects of about its size.
func benchDocument(b *testing.B) []byte {
	if root := os.Getenv("SHIELDWALL_CORPUS"); root != "" {
		return unzipped(b, filepath.Join(root, "attack", "enterprise-attack-18.1.json.gz"))
	}
	objects := make([]string, 5000)
	for i := range objects {
		objects[i] = strings.Replace(sdo("identity", `,"name":"`+strings.Repeat("Adversaries may ", 70)+`"`), uuidA, fmt.Sprintf("%08x-1111-4111-8111-111111111111", i), 1)
	}
	return []byte(bundle(objects...))
}

func BenchmarkDocument(b *testing.B) {
	data := benchDocument(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Document(bytes.NewReader(data), stix.Limits{}, stix.Tolerated, func(stix.Problem) {}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUsable(b *testing.B) {
	data := benchDocument(b)
	objects, err := stix.ParseBundle(data, stix.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		for _, o := range objects {
			if err := Usable(o); err != nil {
				b.Fatal(err)
			}
		}
	}
}
