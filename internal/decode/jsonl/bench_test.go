package jsonl

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// BenchmarkNext decodes the first MiB of each recording on one core.
func BenchmarkNext(b *testing.B) {
	var stream []byte
	recordings(b, func(_ string, data []byte) {
		stream = append(stream, data...)
	})
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	events, fields := 0, 0
	for b.Loop() {
		r := New(bytes.NewReader(stream), Options{})
		for {
			e, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			events++
			fields += len(e.Fields)
		}
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(fields)/float64(events), "fields/event")
}
