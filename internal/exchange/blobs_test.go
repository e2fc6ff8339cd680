package exchange

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"shieldwall/internal/entry"
	"shieldwall/internal/seal"
	"shieldwall/internal/store/sqlite"
)

// blobOf seals objects as a blob and gives the payload that refers to it.
func blobOf(p entry.Payload) (ref entry.Payload, hash string, data []byte) {
	data, r, err := seal.Blob(rand.Reader, p)
	must(data, err)
	return entry.Payload{Type: entry.Blob, TLP: p.TLP, Audience: p.Audience, Blob: r}, string(r.Hash[:]), data
}

// pending counts what waits for blobs in a log.
func (n *node) pending(log string) (count int) {
	n.t.Helper()
	n.view(func(tx *sqlite.Tx) error {
		return tx.EachPending(log, func(uint64, []byte) error {
			count++
			return nil
		})
	})
	return count
}

// TestBlobHoldsBackItsLogOnly has a blob that cannot be had for a while.
func TestBlobHoldsBackItsLogOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a", "b")
		w, other := newAuthor(al, "a", "log 1"), newAuthor(al, "b", "log 1")
		p := newPeer(al, w)
		n := newNode(t, al, p, newPeer(al, other))
		n.start()
		w.open(1, "a", "me")
		other.open(1, "b", "me")
		ref, hash, data := blobOf(objects(indicator("a", 1), indicator("a", 2)))
		w.share(1, ref)
		at := w.size() - 1
		w.share(1, objects(indicator("a", 3)))
		other.share(1, objects(indicator("b", 1)))
		synctest.Wait()
		if m := n.status("a"); m.Applied != at || m.Size != w.size() || m.State != "live" || n.pending(w.id) != 1 {
			t.Fatalf("entry %d waits: %+v", at, m)
		}
		if m := n.status("b"); m.Applied != other.size() || !n.isLive("b", 1) || !n.isLive("a", 3) || n.isLive("a", 1) {
			t.Fatalf("others are held back: %+v", m)
		}
		time.Sleep(10 * time.Minute)
		if tries := p.count("blob"); tries < 10 || tries > 70 {
			t.Fatalf("%d tries in ten minutes", tries)
		}
		// A new blob does not wait for the next try of the one that is missing.
		second, hash2, data2 := blobOf(objects(indicator("a", 4)))
		p.with(func() { p.blobs[hash2] = data2 })
		w.share(1, second)
		synctest.Wait()
		if !n.isLive("a", 4) || n.status("a").Applied != at {
			t.Fatalf("the second blob waits for the first: %+v", n.status("a"))
		}
		if got := p.receipts(); got[len(got)-1] != at {
			t.Fatalf("receipts %v beyond what acts", got)
		}
		// It survives a restart, and is fetched once it can be had.
		n.restart()
		synctest.Wait()
		if m := n.status("a"); m.Applied != at || m.Size != w.size() {
			t.Fatalf("after a restart: %+v", m)
		}
		p.with(func() { p.blobs[hash] = data })
		time.Sleep(time.Minute)
		if m := n.status("a"); !n.isLive("a", 1) || !n.isLive("a", 2) || m.Applied != w.size() || n.pending(w.id) != 0 {
			t.Fatalf("after the blob came: %+v", m)
		}
		if got := p.receipts(); got[len(got)-1] != w.size() {
			t.Fatalf("receipts %v", got)
		}
		n.check(w, w.size())
	})
}

func TestBlobs(t *testing.T) {
	many := func(member string, n int) (list []string) {
		for i := range n {
			list = append(list, indicator(member, i))
		}
		return list
	}
	cases := map[string]struct {
		payload func(m string) (ref entry.Payload, hash string, data []byte)
		live    int
		why     string
	}{
		"small":                 {func(m string) (entry.Payload, string, []byte) { return blobOf(objects(many(m, 1)...)) }, 1, ""},
		"large":                 {func(m string) (entry.Payload, string, []byte) { return blobOf(objects(many(m, 3*unitSteps)...)) }, 3 * unitSteps, ""},
		"two units to the full": {func(m string) (entry.Payload, string, []byte) { return blobOf(objects(many(m, 2*unitSteps)...)) }, 2 * unitSteps, ""},
		"no object in it":       {func(m string) (entry.Payload, string, []byte) { return blobOf(objects("x")) }, 0, "object refused: invalid"},
		"another audience": {func(m string) (entry.Payload, string, []byte) {
			ref, hash, data := blobOf(payload(3, "group:states", many(m, 1)...))
			ref.TLP, ref.Audience = 2, "alliance"
			return ref, hash, data
		}, 0, badBlob},
		"another marking": {func(m string) (entry.Payload, string, []byte) {
			ref, hash, data := blobOf(payload(2, "alliance", many(m, 1)...))
			ref.TLP = 1
			return ref, hash, data
		}, 0, badBlob},
		"another size": {func(m string) (entry.Payload, string, []byte) {
			ref, hash, data := blobOf(objects(many(m, 1)...))
			ref.Blob.Size++
			return ref, hash, data
		}, 0, badBlob},
		"another key": {func(m string) (entry.Payload, string, []byte) {
			ref, hash, data := blobOf(objects(many(m, 1)...))
			ref.Blob.Key[0] ^= 1
			return ref, hash, data
		}, 0, badBlob},
	}
	bubble(t, func(t *testing.T) {
		n, logs, peers := crowd(t, slices.Sorted(maps.Keys(cases)))
		for name, c := range cases {
			w := logs[name]
			ref, hash, data := c.payload(w.member)
			peers[name].blobs[hash] = data
			w.open(1, "a", "me")
			w.share(1, ref)
		}
		n.start()
		synctest.Wait()
		refused := n.x.Rejected()
		for name, c := range cases {
			w, p, live := logs[name], peers[name], 0
			for i := range 3*unitSteps + 1 {
				if n.isLive(w.member, i) {
					live++
				}
			}
			want := map[bool]int64{true: 0, false: 1}[c.why == ""]
			if live != c.live || refused[w.member+": "+c.why] != want {
				t.Errorf("%s: %d live, refused %v", name, live, refused)
			}
			if m := n.status(w.member); m.Applied != w.size() || n.pending(w.id) != 0 || p.count("blob") != 1 {
				t.Errorf("%s: %+v after %d fetches", name, m, p.count("blob"))
			}
		}
		if slices.Max(n.units) > unitSteps {
			t.Errorf("units %v", n.units)
		}
	})
}

// TestBlobOfTwoEntries is fetched once.
func TestBlobOfTwoEntries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		p := newPeer(al, w)
		n := newNode(t, al, p)
		ref, hash, data := blobOf(objects(indicator("a", 1)))
		p.blobs[hash] = data
		w.open(1, "a", "me")
		w.share(1, ref, ref, ref)
		n.start()
		synctest.Wait()
		w.share(1, ref)
		synctest.Wait()
		if m := n.status("a"); m.Applied != w.size() || !n.isLive("a", 1) || p.count("blob") != 1 {
			t.Fatalf("%d fetches: %+v", p.count("blob"), m)
		}
	})
}

// TestBlobLies has a peer send other bytes: they are not kept, and the true ones are taken later.
func TestBlobLies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		p := newPeer(al, w)
		n := newNode(t, al, p)
		ref, hash, data := blobOf(objects(indicator("a", 1)))
		p.blobs[hash] = []byte("other bytes")
		w.open(1, "a", "me")
		w.share(1, ref)
		n.start()
		time.Sleep(time.Minute)
		if m := n.status("a"); p.count("blob") < 2 || m.Applied != w.size()-1 || n.pending(w.id) != 1 {
			t.Fatalf("%+v", m)
		}
		p.with(func() { p.blobs[hash] = data })
		time.Sleep(time.Minute)
		if !n.isLive("a", 1) || n.status("a").Applied != w.size() {
			t.Fatalf("%+v", n.status("a"))
		}
	})
}

// TestBlobCrash fails the store at each transaction of a blob in turn: in the end everything is there once.
func TestBlobCrash(t *testing.T) {
	for _, fail := range []int32{0, 2, 3, 4} {
		t.Run(fmt.Sprint(fail), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				al := newAlliance("me", "a")
				w := newAuthor(al, "a", "log 1")
				p := newPeer(al, w)
				n := newNode(t, al, p)
				var list []string
				for i := range 2*unitSteps + 1 {
					list = append(list, indicator("a", i))
				}
				ref, hash, data := blobOf(objects(list...))
				w.open(1, "a", "me")
				w.share(1, ref)
				n.start()
				synctest.Wait() // the blob is missing yet
				failed := n.failingAfter(fail, 1)
				p.with(func() { p.blobs[hash] = data })
				time.Sleep(time.Minute)
				if want := map[bool]int32{true: 1, false: 0}[fail < 4]; failed.Load() != want {
					t.Fatalf("%d failures, want %d", failed.Load(), want)
				}
				if m := n.status("a"); n.liveCount() != len(list) || m.Applied != w.size() || n.pending(w.id) != 0 {
					t.Fatalf("%d live: %+v", n.liveCount(), m)
				}
			})
		})
	}
}

// TestLiveBeforeApplied shows that the watermark never covers what does not act yet, neither of a blob nor of
// what is published meanwhile.
func TestLiveBeforeApplied(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		p := newPeer(al, w)
		n := newNode(t, al, p)
		ref, hash, data := blobOf(objects(indicator("a", 0)))
		w.open(1, "a", "me")
		w.share(1, ref)
		var acts atomic.Uint64 // the first entry that does not act yet
		acts.Store(w.size() - 1)
		n.start()
		synctest.Wait()
		n.mu.Lock()
		n.onLive = func() {
			if m := n.status("a"); m.Applied > acts.Load() {
				t.Errorf("entry %d is applied before it is live: %+v", acts.Load(), m)
			}
		}
		n.mu.Unlock()
		p.with(func() { p.blobs[hash] = data })
		for i := range 20 {
			w.share(1, objects(indicator("a", i+1)))
			time.Sleep(time.Second)
			if n.isLive("a", 0) {
				acts.Store(w.size())
			}
		}
		if n.status("a").Applied != w.size() {
			t.Fatalf("%+v", n.status("a"))
		}
	})
}
