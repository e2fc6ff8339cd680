package correlate

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"shieldwall/internal/event"
)

// BenchmarkAdd is what a hit costs its correlation, in a steady flow that never completes a window: a thousand hosts,
// twenty hits a second, some of them late, or all of one host.
func BenchmarkAdd(b *testing.B) {
	for _, bb := range []struct{ name, text string }{
		{"event_count", "type: event_count\nrules: a\ngroup-by: [host]\ntimespan: 5m\ncondition: {gte: 9999}"},
		{"range", "type: event_count\nrules: a\ngroup-by: [host]\ntimespan: 5m\ncondition: {gte: 9998, lt: 9999}"},
		{"value_count", "type: value_count\nrules: a\ngroup-by: [host]\ntimespan: 5m\ncondition: {field: user, gte: 9999}"},
		{"value_sum", "type: value_sum\nrules: a\ngroup-by: [host]\ntimespan: 5m\ncondition: {field: bytes, gte: 1e12}"},
		{"value_percentile", "type: value_percentile\nrules: a\ngroup-by: [host]\ntimespan: 5m\ncondition: {field: bytes, percentile: 95, gte: 1e12}"},
		{"temporal", "type: temporal\nrules: [a, b, c]\ngroup-by: [host]\ntimespan: 5m"},
		{"temporal_ordered", "type: temporal_ordered\nrules: [b, a, c]\ngroup-by: [host]\ntimespan: 5m"},
	} {
		for _, hosts := range []int{1000, 1} {
			for _, jitter := range []time.Duration{0, 10 * time.Second} {
				b.Run(fmt.Sprintf("%s/hosts=%d/late=%s", bb.name, hosts, jitter), func(b *testing.B) {
					e := engine(b, Options{}, section(b, "r", bb.text))
					r := rand.New(rand.NewPCG(1, 2))
					ev := &event.Event{Source: "sensor", Computer: "host", Channel: "Security", EventID: "4625", Fields: []event.Field{
						{Name: "host", Value: event.Str("")}, {Name: "user", Value: event.Str("")}, {Name: "bytes", Value: event.Num("")},
					}}
					key := Hit{Key: Key{ID: "a"}}
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						ev.Record = fmt.Sprint(i)
						ev.Fields[0].Value.Text = fmt.Sprintf("host%04d.example", r.IntN(hosts))
						ev.Fields[1].Value.Text = fmt.Sprint("user", r.IntN(5000))
						ev.Fields[2].Value.Text = fmt.Sprint(r.IntN(1 << 20))
						at := second(float64(i) / 20)
						if jitter > 0 {
							at = at.Add(-time.Duration(r.Int64N(int64(jitter))))
						}
						if got := e.Add(ev, at, key); got != nil {
							b.Fatal("told")
						}
					}
				})
			}
		}
	}
}

// BenchmarkHeld is what a held event takes of the process's memory, groups and values included.
func BenchmarkHeld(b *testing.B) {
	for _, bb := range []struct {
		name, text string
		groups     int
	}{
		{"one group", "type: event_count\nrules: a\ngroup-by: [u]\ntimespan: 1d\ncondition: {gte: 9999}", 1},
		{"ten events a group", "type: event_count\nrules: a\ngroup-by: [u]\ntimespan: 1d\ncondition: {gte: 9999}", 1000},
		{"a group each", "type: event_count\nrules: a\ngroup-by: [u]\ntimespan: 1d\ncondition: {gte: 9999}", 10_000},
		{"different values", "type: value_count\nrules: a\ntimespan: 1d\ncondition: {field: u, gte: 9999}", 10_000},
		{"in order", "type: temporal_ordered\nrules: [a, b]\ntimespan: 1d", 1},
	} {
		b.Run(bb.name, func(b *testing.B) {
			var used, booked, held float64
			for b.Loop() {
				before := inUse()
				e := engine(b, Options{}, section(b, "r", bb.text))
				for i := range 9_900 {
					hit(e, "a", float64(i)/10, fmt.Sprintf("value%05d", i%bb.groups))
				}
				st := e.Stats()
				used, booked, held = used+float64(inUse()-before), booked+float64(st.Bytes), held+float64(st.Events)
				runtime.KeepAlive(e)
			}
			b.ReportMetric(used/held, "B/event")
			b.ReportMetric(booked/held, "booked-B/event")
			b.ReportMetric(0, "ns/op")
		})
	}
}
