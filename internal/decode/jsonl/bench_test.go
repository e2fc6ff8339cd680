package jsonl

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"shieldwall/internal/event"
)

// BenchmarkNext decodes the first MiB of each recording on one core: every field, and sparsely the few that
// rules ask for most.
func BenchmarkNext(b *testing.B) {
	names := new(event.Names)
	names.Want("EventID", "CommandLine", "Image", "ParentImage", "OriginalFileName", "ParentCommandLine", "Hashes", "TargetFilename",
		"TargetObject", "Details", "ScriptBlockText", "ImageLoaded", "User", "QueryName", "DestinationHostname", "DestinationIp",
		"DestinationPort", "Initiated", "SourceImage", "TargetImage", "GrantedAccess", "CallTrace", "PipeName", "Provider_Name",
		"IntegrityLevel", "Description", "Product", "Company", "ServiceName", "ObjectName", "SubjectUserName", "EventType")
	b.Run("full", func(b *testing.B) { benchNext(b, Options{}) })
	b.Run("sparse", func(b *testing.B) { benchNext(b, Options{Names: names, Sparse: true, Borrow: true}) })
}

func benchNext(b *testing.B, opts Options) {
	var stream []byte
	recordings(b, func(_ string, data []byte) {
		stream = append(stream, data...)
	})
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	events, fields := 0, 0
	for b.Loop() {
		r := New(bytes.NewReader(stream), opts)
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
