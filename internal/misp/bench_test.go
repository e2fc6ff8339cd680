package misp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// large is an event of so many attributes, as an instance writes them.
func large(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"Event":{"id":"1","uuid":"5cfc1a2b-0001-4000-8000-000000000001","info":"large","date":"2024-05-01","timestamp":"1714567890","distribution":"3","Tag":[{"id":"2","name":"tlp:green","colour":"#339900"}],"Attribute":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"%d","type":"domain","category":"Network activity","to_ids":true,"uuid":"5cfc1a2b-0005-4000-8000-%012d","event_id":"1","distribution":"5","timestamp":"1714567800","comment":"","sharing_group_id":"0","deleted":false,"disable_correlation":false,"object_id":"0","object_relation":null,"first_seen":null,"last_seen":null,"value":"host%d.evil.example","Galaxy":[],"ShadowAttribute":[],"Tag":[{"id":"3","name":"kill-chain:Delivery","colour":"#fff"}]}`, i, i, i)
	}
	b.WriteString(`]}}`)
	return b.Bytes()
}

func BenchmarkDecode(b *testing.B) {
	data := large(2000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := Decode(bytes.NewReader(data), Limits{}, func(e *Event) error { n += len(e.Attributes); return nil }); err != nil || n != 2000 {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	var event *Event
	if err := Decode(strings.NewReader(string(large(2000))), Limits{}, func(e *Event) error { event = e; return nil }); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		raw, err := event.Encode()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(raw)))
	}
}
