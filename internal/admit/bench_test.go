package admit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"shieldwall/internal/policy"
	"shieldwall/internal/roster"
	"shieldwall/internal/store/sqlite"
)

// BenchmarkAdmit admits new objects of one publisher into a store that holds the ones before.
func BenchmarkAdmit(b *testing.B) {
	store, err := sqlite.Open(context.Background(), filepath.Join(b.TempDir(), "x.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	members := policy.MembersOf(&roster.Roster{Version: 1, Members: []roster.Member{{ID: "a"}}})
	gate := New(Options{Self: "me", Members: func() *policy.Members { return members }, Box: box{}, Now: time.Now})
	const unit = 100 // objects a transaction
	object := func(n int) []byte {
		return fmt.Appendf(nil, `{"type":"url","id":"url--%08x-1111-4111-8111-111111111111","value":"http://%d.example/path"}`, n, n)
	}
	b.SetBytes(int64(len(object(0))))
	n := 0
	for b.Loop() {
		if n%unit != 0 {
			n++
			continue // counted with its transaction
		}
		err := store.Update(context.Background(), func(tx *sqlite.Tx) error {
			var failed error
			for i := range unit {
				_, err := gate.Admit(tx, green("a", uint64(n)), object(n+i))
				failed = errors.Join(failed, err)
			}
			return failed
		})
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
}
