package node

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"shieldwall/internal/control"
)

// attackObjects are those of ATT&CK enterprise 18.1.
const attackObjects = 24_771

// attackBundle is ATT&CK enterprise as it is published.
func attackBundle(b *testing.B) []byte {
	b.Helper()
	corpus := os.Getenv("SHIELDWALL_CORPUS")
	if corpus == "" {
		b.Skip("SHIELDWALL_CORPUS is not set")
	}
	f, err := os.Open(filepath.Join(corpus, "attack", "enterprise-attack-18.1.json.gz"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// BenchmarkPublishATTACK shares all of ATT&CK in the alliance: read, judged, sealed, signed, stored on the disk, admitted
// and live. Each round is a new node's.
func BenchmarkPublishATTACK(b *testing.B) {
	data := attackBundle(b)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		b.StopTimer()
		m := newMember(b, "alpha")
		m.open()
		b.StartTimer()
		res, err := m.n.Publish(b.Context(), control.PublishRequest{TLP: "clear", Files: []control.File{{Name: "attack.json", Data: data}}})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		shared := 0
		for _, e := range res.Entries {
			shared += len(e.Objects)
		}
		if shared != attackObjects {
			b.Fatalf("%d objects of %d are shared", shared, attackObjects)
		}
		m.halt()
		b.StartTimer()
	}
}
