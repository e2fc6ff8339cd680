package exchange

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shieldwall/internal/roster"
	"shieldwall/internal/store/sqlite"
)

// limited is an alliance in which a member may publish so many entries a day.
func limited(quota uint64) *alliance {
	al := newAlliance("me", "a", "b")
	al.change(func(r *roster.Roster) { r.Members[1].Quota = quota })
	return al
}

// TestQuota: what a member publishes beyond its quota is read when its time has come, in order and whole; others are
// not delayed, and a roster that allows more is acted on at once.
func TestQuota(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := limited(24)
		loud, calm := newAuthor(al, "a", "log 1"), newAuthor(al, "b", "log 1")
		n := newNode(t, al, newPeer(al, loud), newPeer(al, calm))
		n.start()
		loud.open(1, "a", "me")
		calm.open(1, "b", "me")
		const flood = 300 // several units: each may go over, and the next waits
		for i := range flood {
			loud.share(1, objects(indicator("a", i)))
		}
		calm.share(1, objects(indicator("b", 1)))
		synctest.Wait()
		time.Sleep(time.Minute)
		read := n.liveCount()
		m := n.status("a")
		if m.State != "over quota" || !strings.Contains(m.Problem, "24 entries a day") || read < 24 || read >= flood || !n.isLive("b", 1) {
			t.Fatalf("%d live, %+v", read, m)
		}
		n.restart() // it is kept
		time.Sleep(time.Minute)
		if got := n.liveCount(); got != read {
			t.Fatalf("%d live after a restart, %d before", got, read)
		}
		time.Sleep(40 * 24 * time.Hour)
		if got := n.liveCount(); got != flood+1 {
			t.Fatalf("%d live after forty days", got)
		}
		for i := range 4 * flood { // more than a month of quiet saves up
			loud.share(1, objects(indicator("a", flood+i)))
		}
		time.Sleep(time.Hour)
		if got := n.liveCount(); got == 5*flood+1 {
			t.Fatal("the quota was forgotten")
		}
		al.change(func(r *roster.Roster) { r.Members[1].Quota = 0 })
		n.roll.set(al.membership())
		time.Sleep(time.Minute)
		if got := n.liveCount(); got != 5*flood+1 || len(n.x.Rejected()) != 0 {
			t.Fatalf("%d live without a quota, refused %v", got, n.x.Rejected())
		}
		n.check(loud, loud.size())
	})
}

// TestQuotaDamaged: a quota that cannot be read is an error that is shown, not one that is forgotten.
func TestQuotaDamaged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := limited(24)
		w := newAuthor(al, "a", "log 1")
		n := newNode(t, al, newPeer(al, w))
		fatalIf(t, n.update(t.Context(), func(tx *sqlite.Tx) error { return tx.PutMeta(quotaKey("a"), []byte("x")) }))
		n.start()
		w.open(1, "a", "me")
		w.share(1, objects(indicator("a", 1)))
		time.Sleep(time.Minute)
		if m := n.status("a"); !strings.Contains(m.Problem, "quota of a") || n.liveCount() != 0 {
			t.Fatalf("%+v", m)
		}
	})
}
