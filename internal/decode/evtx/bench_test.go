package evtx

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"shieldwall/internal/event"
)

// denseFile joins the chunks of the corpus that are nearly full, up to size bytes, round and round.
// (Most of the corpus is slack: 6.4 of 22.2 MB are records.)
func denseFile(t testing.TB, size int) []byte {
	t.Helper()
	var chunks [][]byte
	var header []byte
	for _, path := range filesUnder(t, filepath.Join(corpusDir(t), "evtx"), ".evtx") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		header = data[:defaultHeaderBlock]
		for off := defaultHeaderBlock; off+chunkSize <= len(data); off += chunkSize {
			c := data[off : off+chunkSize]
			if free := le32(c[48:]); free > chunkSize*9/10 && free <= chunkSize {
				chunks = append(chunks, c)
			}
		}
	}
	out := bytes.Clone(header)
	for i := 0; len(out) < size; i++ {
		out = append(out, chunks[i%len(chunks)]...)
	}
	return out
}

// BenchmarkRead decodes full chunks on one core, every field, and sparsely the few that rules ask for most;
// MB/s is of file.
func BenchmarkRead(b *testing.B) {
	names := new(event.Names)
	names.Want("EventID", "CommandLine", "Image", "ParentImage", "OriginalFileName", "ParentCommandLine", "Hashes", "TargetFilename",
		"TargetObject", "Details", "ScriptBlockText", "ImageLoaded", "User", "SourceImage", "TargetImage", "GrantedAccess", "CallTrace")
	b.Run("full", func(b *testing.B) { benchRead(b, Options{}) })
	b.Run("sparse", func(b *testing.B) { benchRead(b, Options{Names: names, Sparse: true, Borrow: true}) })
}

func benchRead(b *testing.B, opts Options) {
	file := denseFile(b, 16<<20)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	events, fields := 0, 0
	for b.Loop() {
		st, err := New(bytes.NewReader(file), int64(len(file)), opts).Read(func(e *event.Event) error {
			fields += len(e.Fields)
			return nil
		})
		if err != nil || st.Problems > 0 {
			b.Fatal(err, st)
		}
		events += st.Events
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(fields)/float64(events), "fields/event")
}
