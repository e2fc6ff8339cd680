package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"shieldwall/internal/object"
)

// BenchmarkUnits measures small units from many callers, which share commits.
func BenchmarkUnits(b *testing.B) {
	for _, durable := range []bool{false, true} {
		b.Run(fmt.Sprintf("durable=%v", durable), func(b *testing.B) {
			st := mustOpen(b, filepath.Join(b.TempDir(), "s.db"))
			update := st.Update
			if durable {
				update = st.UpdateDurable
			}
			var wg sync.WaitGroup
			work := make(chan int)
			for range 64 {
				wg.Go(func() {
					for i := range work {
						if err := update(context.Background(), func(tx *Tx) error { return tx.PutMeta(fmt.Sprint(i%1000), []byte("value")) }); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for i := 0; b.Loop(); i++ {
				work <- i
			}
			close(work)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "units/s")
		})
	}
}

// BenchmarkPutCopy admits new objects, 100 in a unit.
func BenchmarkPutCopy(b *testing.B) {
	st := mustOpen(b, filepath.Join(b.TempDir(), "s.db"))
	raw, n := make([]byte, 900), 0
	b.SetBytes(100 * int64(len(raw)))
	for b.Loop() {
		err := st.Update(context.Background(), func(tx *Tx) error {
			for range 100 {
				n++
				if _, err := tx.PutCopy(object.Copy{
					Key: object.Key{Publisher: "alpha", ID: fmt.Sprintf("indicator--%032d", n*7919%1_000_003)}, Type: "indicator", Modified: "2026-01-02T03:04:05.000Z",
					TLP: 2, Audience: "alliance", Place: object.Place{Log: "alpha/1", Index: uint64(n)}, Admitted: time.Unix(1, 0), Raw: raw,
				}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "objects/s")
}

// BenchmarkEntry reads single entries from one snapshot each, as serving a stream does.
func BenchmarkEntry(b *testing.B) {
	st := mustOpen(b, filepath.Join(b.TempDir(), "s.db"))
	entries := make([][]byte, 10_000)
	for i := range entries {
		entries[i] = make([]byte, 600)
	}
	if err := st.Update(context.Background(), func(tx *Tx) error { return tx.PutEntries("a/1", 0, entries) }); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(600)
	i := uint64(0)
	for b.Loop() {
		i = (i + 7919) % 10_000
		if err := st.View(context.Background(), func(tx *Tx) error { _, err := tx.Entry("a/1", i); return err }); err != nil {
			b.Fatal(err)
		}
	}
}
