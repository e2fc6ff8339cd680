package exchange

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestReceiptsAreCoalesced publishes faster than receipts may be sent.
func TestReceiptsAreCoalesced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		p := newPeer(al, w)
		n := newNode(t, al, p)
		n.start()
		w.open(1, "a", "me")
		const publications = 200
		for i := range publications {
			w.share(1, objects(indicator("a", i)))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		got := p.receipts()
		if len(got) < 5 || len(got) > publications/15 {
			t.Fatalf("%d receipts for %d publications", len(got), publications)
		}
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) || got[len(got)-1] != w.size() {
			t.Fatalf("receipts %v", got)
		}
		for i := 1; i < len(p.at); i++ {
			if d := p.at[i].Sub(p.at[i-1]); d < receiptEvery {
				t.Fatalf("two receipts within %s", d)
			}
		}
		_ = n
	})
}

// TestReceiptsAreResent loses receipts on the way, and the publisher's memory of them.
func TestReceiptsAreResent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		p := newPeer(al, w)
		p.deaf = 3
		n := newNode(t, al, p)
		n.start()
		w.open(1, "a", "me")
		time.Sleep(time.Minute)
		if got := p.receipts(); len(got) != 1 || got[0] != w.size() || p.count("applied") != 4 {
			t.Fatalf("receipts %v after %d tries", got, p.count("applied"))
		}
		p.drop() // a new session says it again
		time.Sleep(time.Minute)
		if got := p.receipts(); len(got) != 2 || got[1] != w.size() {
			t.Fatalf("receipts %v", got)
		}
		n.restart()
		time.Sleep(time.Minute)
		if got := p.receipts(); len(got) != 3 || got[2] != w.size() {
			t.Fatalf("receipts %v", got)
		}
	})
}

// TestReceiptsHang has the publisher not answer receipts alone: its log is followed all the same.
func TestReceiptsHang(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		p := newPeer(al, w)
		n := newNode(t, al, p)
		n.start()
		synctest.Wait()
		p.with(func() { p.hang = true })
		w.open(1, "a", "me")
		w.share(1, objects(indicator("a", 1)))
		synctest.Wait()
		w.share(1, objects(indicator("a", 2)))
		synctest.Wait()
		if m := n.status("a"); !n.isLive("a", 2) || m.Applied != w.size() || m.State != "live" {
			t.Fatalf("%+v", m)
		}
	})
}
