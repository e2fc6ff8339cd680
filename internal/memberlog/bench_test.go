package memberlog

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

const benchEntry = 600 // bytes of a sealed entry with one typical object

// BenchmarkAppend measures durable, guarded appends: many callers with an entry each, which share commits,
// and few callers with many entries each.
func BenchmarkAppend(b *testing.B) {
	for _, bb := range []struct{ callers, entries int }{{1, 1}, {256, 1}, {4, 64}, {2, 512}} {
		b.Run(fmt.Sprintf("callers=%d/entries=%d", bb.callers, bb.entries), func(b *testing.B) {
			s := newSite(b, b.TempDir())
			l := s.create(b)
			start(b, l)
			entry := make([]byte, benchEntry)
			_, _ = rand.Read(entry)
			work := make(chan struct{}, bb.callers)
			var wg sync.WaitGroup
			for range bb.callers {
				wg.Go(func() {
					for range work {
						if _, err := l.Append(context.Background(), repeated(entry, bb.entries)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			b.SetBytes(int64(bb.entries) * benchEntry)
			before := l.Head().Size
			b.ResetTimer()
			for range b.N {
				work <- struct{}{}
			}
			close(work)
			wg.Wait()
			b.StopTimer()
			if got := l.Head().Size - before; got != uint64(b.N*bb.entries) {
				b.Fatalf("%d entries were appended, want %d", got, b.N*bb.entries)
			}
			b.ReportMetric(float64(b.N*bb.entries)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

func repeated(entry []byte, n int) Build[tx] {
	return func(_ tx, b *Batch) error {
		for range n {
			if _, err := b.Append(entry); err != nil {
				return err
			}
		}
		return nil
	}
}

// BenchmarkLatency appends at a fixed rate, however long each takes, and reports how long a caller waits for
// its receipt.
func BenchmarkLatency(b *testing.B) {
	for _, rate := range []int{200, 2000} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) {
			s := newSite(b, b.TempDir())
			l := s.create(b)
			start(b, l)
			entry := make([]byte, benchEntry)
			took := make([]time.Duration, b.N)
			var wg sync.WaitGroup
			tick := time.NewTicker(time.Second / time.Duration(rate))
			defer tick.Stop()
			b.ResetTimer()
			for i := range b.N {
				due := <-tick.C
				wg.Go(func() {
					if _, err := l.Append(context.Background(), repeated(entry, 1)); err != nil {
						b.Error(err)
					}
					took[i] = time.Since(due)
				})
			}
			wg.Wait()
			b.StopTimer()
			slices.Sort(took)
			for name, q := range map[string]int{"p50-ms": 50, "p99-ms": 99} {
				b.ReportMetric(float64(took[min(len(took)*q/100, len(took)-1)].Microseconds())/1000, name)
			}
		})
	}
}

// BenchmarkRead reads what a live follower reads: the newest entry, from memory, and an old one from the
// store.
func BenchmarkRead(b *testing.B) {
	s := newSite(b, b.TempDir())
	l := s.create(b)
	start(b, l)
	for range 40 {
		mustAppend(b, l, repeated(make([]byte, benchEntry), 512))
	}
	for name, from := range map[string]uint64{"newest": l.Head().Size - 1, "old": 5} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(benchEntry)
			for b.Loop() {
				if got, err := l.Read(context.Background(), from, 1); err != nil || len(got) != 1 {
					b.Fatal(len(got), err)
				}
			}
		})
	}
}
