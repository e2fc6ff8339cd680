package exchange

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shieldwall/internal/entry"
	"shieldwall/internal/merkle"
	"shieldwall/internal/store/sqlite"
)

func TestLiveFollow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		p := newPeer(al, w)
		n := newNode(t, al, p)
		n.start()
		synctest.Wait()
		if m := n.status("a"); m.State != "live" || m.Log != w.id || m.Size != 1 || m.LastSeen.IsZero() {
			t.Fatalf("at first: %+v", m)
		}
		w.open(1, "a", "me")
		w.share(1, objects(indicator("a", 1)), objects(indicator("a", 2), indicator("a", 3)))
		synctest.Wait()
		if n.liveCount() != 3 {
			t.Fatalf("%d live: %v", n.liveCount(), n.x.Rejected())
		}
		w.open(2, "a") // not for us: mirrored unread
		w.share(2, objects(indicator("a", 4)))
		w.share(1, entry.Payload{Type: entry.Withdraw, TLP: 2, Audience: "alliance", Withdrawals: []entry.Withdrawal{{Index: 4, ID: indicatorID("a", 1)}}})
		synctest.Wait()
		if n.liveCount() != 2 || n.isLive("a", 1) || n.isLive("a", 4) {
			t.Fatalf("%d live after the withdrawal", n.liveCount())
		}
		size := w.size()
		n.check(w, size)
		if m := n.status("a"); m.Size != size || m.Head != size || m.Applied != size || m.Problem != "" {
			t.Fatalf("%+v", m)
		}
		time.Sleep(time.Second)
		if got := p.receipts(); got[len(got)-1] != size {
			t.Fatalf("receipts %v", got)
		}
		if len(n.x.Rejected()) != 0 {
			t.Fatalf("refused: %v", n.x.Rejected())
		}
	})
}

// TestEpochKeysSurvive shows that what is sealed after a restart, in an epoch opened before, is read.
func TestEpochKeysSurvive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		n := newNode(t, al, newPeer(al, w))
		n.start()
		w.open(1, "a", "me")
		synctest.Wait()
		n.restart()
		w.share(1, objects(indicator("a", 1)))
		w.append(w.opening(1, 1, "a", "me")...) // void, also after a restart
		synctest.Wait()
		if !n.isLive("a", 1) || n.x.Rejected()["a: "+badEpoch] != 1 {
			t.Fatalf("live %d, refused %v", n.liveCount(), n.x.Rejected())
		}
		n.check(w, w.size())
	})
}

// TestAwayForAnHour shows that a member which cannot be reached is tried patiently, and followed again by
// itself.
func TestAwayForAnHour(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a", "b")
		away, other := newAuthor(al, "a", "log 1"), newAuthor(al, "b", "log 1")
		p := newPeer(al, away)
		n := newNode(t, al, p, newPeer(al, other))
		n.start()
		synctest.Wait()
		p.with(func() { p.down = errGone })
		p.drop()
		time.Sleep(time.Hour)
		if m := n.status("a"); m.State != "unreachable" || !strings.Contains(m.Problem, errGone.Error()) {
			t.Fatalf("%+v", m)
		}
		// Some 20 s between tries, spread by half: far from a spin, near enough to come back soon.
		if tries := p.count("checkpoint"); tries < 100 || tries > 500 {
			t.Fatalf("%d tries in an hour", tries)
		}
		away.open(1, "a", "me")
		away.share(1, objects(indicator("a", 1)))
		other.open(1, "b", "me")
		other.share(1, objects(indicator("b", 1)))
		synctest.Wait()
		if !n.isLive("b", 1) {
			t.Fatal("a member that is away holds another one up")
		}
		p.with(func() { p.down = nil })
		time.Sleep(time.Minute)
		if m := n.status("a"); m.State != "live" || m.Problem != "" || !n.isLive("a", 1) {
			t.Fatalf("%+v", m)
		}
	})
}

// TestKnock shows that a member which comes back is followed as soon as it calls here, and that knocking
// without end is no way to make this node spin.
func TestKnock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		p := newPeer(al, newAuthor(al, "a", "log 1"))
		n := newNode(t, al, p)
		n.start()
		synctest.Wait()
		p.with(func() { p.down = errGone })
		p.drop()
		time.Sleep(time.Hour)
		n.x.Knock("a")
		n.x.Knock("nobody")
		time.Sleep(time.Second) // it is still away: the knock is used up
		before := p.count("checkpoint")
		for range 1000 {
			n.x.Knock("a")
			time.Sleep(time.Millisecond)
		}
		if tries := p.count("checkpoint") - before; tries < 2 || tries > int(time.Second/retryLeast)+1 {
			t.Fatalf("%d tries in a second of knocking", tries)
		}
		time.Sleep(time.Minute)
		p.with(func() { p.down = nil })
		n.x.Knock("a")
		time.Sleep(retryLeast)
		synctest.Wait()
		if m := n.status("a"); m.State != "live" {
			t.Fatalf("%+v", m)
		}
	})
}

// TestHangDelaysNobody has one peer that never answers at all, and one whose stream falls silent.
func TestHangDelaysNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a", "b", "c")
		logs := map[string]*author{}
		peers := map[string]*peer{}
		for _, m := range []string{"a", "b", "c"} {
			logs[m] = newAuthor(al, m, "log 1")
			peers[m] = newPeer(al, logs[m])
		}
		peers["a"].hang = true
		n := newNode(t, al, peers["a"], peers["b"], peers["c"])
		n.start()
		synctest.Wait()
		peers["b"].with(func() { peers["b"].hang = true }) // from here on its receipts and blobs hang, too
		for i := range 20 {
			logs["c"].open(uint64(i+1), "c", "me")
			logs["c"].share(uint64(i+1), objects(indicator("c", i)))
			synctest.Wait()
			if !n.isLive("c", i) {
				t.Fatalf("publication %d of c is held up", i)
			}
		}
		if peers["a"].count("checkpoint") != 1 || n.status("a").State != "connecting" {
			t.Fatalf("a: %d calls, %+v", peers["a"].count("checkpoint"), n.status("a"))
		}
	})
}

func TestRefusedByPeer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		p := newPeer(al, newAuthor(al, "a", "log 1"))
		p.down = refusalError("you are no member any more")
		n := newNode(t, al, p)
		n.start()
		time.Sleep(time.Minute)
		if m := n.status("a"); m.State != "refused" || m.Problem != "it refuses us: you are no member any more" {
			t.Fatalf("%+v", m)
		}
	})
}

func TestLies(t *testing.T) {
	forged := entry.Entry{Header: entry.Header{Kind: entry.KindClear}, Body: []byte("forged")}
	cases := map[string]struct {
		lie  func(w *author, p *peer, b *Batch) // b is nil where the checkpoint alone lies
		at   string
		want string
	}{
		"root of a batch": {at: "batch", lie: func(w *author, _ *peer, b *Batch) { b.Checkpoint = w.signAt(w.size(), merkle.Hash{1}) }, want: "do not give the signed root"},
		"altered entry":   {at: "batch", lie: func(_ *author, _ *peer, b *Batch) { b.Entries[len(b.Entries)-1] = must(forged.Bytes()) }, want: "do not give the signed root"},
		"entry added":     {at: "batch", lie: func(_ *author, _ *peer, b *Batch) { b.Entries = append(b.Entries, must(forged.Bytes())) }, want: "beyond"},
		"gap":             {at: "batch", lie: func(_ *author, _ *peer, b *Batch) { b.First++ }, want: "do not continue"},
		"far gap":         {at: "batch", lie: func(_ *author, _ *peer, b *Batch) { b.First = 1<<64 - 1 }, want: "do not continue"},
		"head goes back":  {at: "batch", lie: func(w *author, _ *peer, b *Batch) { b.Checkpoint = w.signAt(3, w.rootAt(3)) }, want: "went back"},
		"another's head": {at: "batch", lie: func(_ *author, _ *peer, b *Batch) {
			b.Checkpoint = newAuthor(newAlliance("a"), "a", "log 2").checkpoint()
		}, want: "verif"},
		"no checkpoint": {at: "batch", lie: func(_ *author, _ *peer, b *Batch) { b.Checkpoint = nil }, want: "checkpoint"},
		"nothing new": {at: "batch", lie: func(w *author, _ *peer, b *Batch) {
			*b = Batch{Checkpoint: w.signAt(5, w.rootAt(5)), First: 0, Entries: w.entries[:5]}
		}, want: "repeats"},
		"promises more": {at: "batch", lie: func(w *author, p *peer, b *Batch) {
			p.head = func() []byte { return w.signAt(5, w.rootAt(5)) }
			b.Checkpoint = w.signAt(9, merkle.Hash{9})
		}, want: "promises more"},
		"checkpoint back":   {at: "checkpoint", lie: func(w *author, p *peer, _ *Batch) { p.head = func() []byte { return w.signAt(3, w.rootAt(3)) } }, want: "went back"},
		"checkpoint empty":  {at: "checkpoint", lie: func(w *author, p *peer, _ *Batch) { p.head = func() []byte { return w.signAt(0, merkle.EmptyRoot()) } }, want: "went back"},
		"two heads":         {at: "checkpoint", lie: func(w *author, p *peer, _ *Batch) { p.head = func() []byte { return w.signAt(5, merkle.Hash{4}) } }, want: "another root"},
		"checkpoint forged": {at: "checkpoint", lie: func(w *author, p *peer, _ *Batch) { p.head = func() []byte { return []byte("a log\n4\nAAAA\n") } }, want: "checkpoint"},
		"endless checkpoint": {at: "checkpoint", lie: func(w *author, p *peer, _ *Batch) {
			p.head = func() []byte { return w.signAt(1<<62, merkle.Hash{6}) }
		}, want: "over the limit"},
		"huge checkpoint": {at: "checkpoint", lie: func(w *author, p *peer, _ *Batch) { p.head = func() []byte { return w.signAt(1<<40, merkle.Hash{6}) } }, want: "tile"},
	}
	bubble(t, func(t *testing.T) {
		n, logs, peers := crowd(t, slices.Sorted(maps.Keys(cases)))
		for _, w := range logs {
			w.open(1, "a", "me")
		}
		n.start()
		synctest.Wait() // five entries of each are held
		var lied sync.Map
		for name, c := range cases {
			w, p := logs[name], peers[name]
			if c.at == "checkpoint" {
				lied.Store(name, true)
				p.with(func() { c.lie(w, p, nil) })
				p.drop()
				continue
			}
			p.with(func() {
				p.edit = func(b *Batch) {
					if len(b.Entries) > 0 {
						lied.Store(name, true)
						p.with(func() { c.lie(w, p, b) })
					}
				}
			})
		}
		synctest.Wait()
		for _, w := range logs {
			w.share(1, objects(indicator(w.member, 1)))
		}
		time.Sleep(2 * time.Minute)
		for name, c := range cases {
			w, p := logs[name], peers[name]
			m := n.status(w.member)
			if _, ok := lied.Load(name); !ok || !strings.Contains(m.Problem, c.want) || m.State == "live" {
				t.Errorf("%s: lied %v: %+v", name, ok, m)
			}
			if n.isLive(w.member, 1) || m.Applied != 5 {
				t.Errorf("%s was believed: %+v", name, m)
			}
			n.check(w, 5)
			if tries := p.count("checkpoint"); tries > 30 {
				t.Errorf("%s: %d tries in two minutes", name, tries)
			}
			p.with(func() { p.edit, p.head = nil, nil })
		}
		// Told the truth, it goes on by itself.
		time.Sleep(time.Minute)
		for name := range cases {
			w := logs[name]
			if m := n.status(w.member); m.State != "live" || !n.isLive(w.member, 1) {
				t.Errorf("%s, after the truth: %+v", name, m)
			}
			n.check(w, w.size())
		}
	})
}

// TestGarbageIsPassedOver has a peer publish what is no entry, among what is.
func TestGarbageIsPassedOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a", "b")
		w, other := newAuthor(al, "a", "log 1"), newAuthor(al, "b", "log 1")
		n := newNode(t, al, newPeer(al, w), newPeer(al, other))
		n.start()
		w.open(1, "a", "me")
		const garbage = 1000
		var junk [][]byte
		for i := range garbage {
			junk = append(junk, fmt.Appendf(nil, "garbage %d", i))
		}
		w.append(junk...)
		w.append(nil, make([]byte, merkle.MaxEntry))
		w.share(1, objects(indicator("a", 1)), objects("{}"), objects(`{"type":"indicator"}`, indicator("a", 2)))
		other.append([]byte("no entry either"))
		synctest.Wait()
		if !n.isLive("a", 1) || !n.isLive("a", 2) {
			t.Fatalf("what is among garbage was not read: %v", n.x.Rejected())
		}
		want := map[string]int64{"a: " + badEntry: garbage + 2, "a: object refused: invalid": 2, "b: " + badEntry: 1}
		got := n.x.Rejected()
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s: %d, want %d", k, got[k], v)
			}
		}
		if len(got) != len(want) {
			t.Errorf("reasons %v", got)
		}
		n.check(w, w.size())
		if m := n.status("a"); m.Applied != w.size() {
			t.Errorf("%+v", m)
		}
	})
}

// TestStoreDamageIsNotTheirLie shows that a peer is not accused of what is wrong here.
func TestStoreDamageIsNotTheirLie(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		w.open(1, "a", "me")
		n := newNode(t, al, newPeer(al, w))
		n.start()
		synctest.Wait()
		n.halt()
		fatalIf(t, n.store.Update(t.Context(), func(tx *sqlite.Tx) error { return tx.PutTile(w.id, 0, 0, make([]byte, 5*32)) }))
		n.start()
		time.Sleep(time.Minute)
		if m := n.status("a"); m.State != "unreachable" || !strings.Contains(m.Problem, "inconsistent") {
			t.Fatalf("%+v", m)
		}
	})
}

// TestStoreFails shows that a transaction that fails leaves nothing behind in memory either.
func TestStoreFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		n := newNode(t, al, newPeer(al, w))
		n.start()
		synctest.Wait()
		failed := n.failing(3)
		w.open(1, "a", "me")
		w.share(1, objects(indicator("a", 1)))
		synctest.Wait()
		if m := n.status("a"); failed.Load() == 0 || m.Size != 1 || m.Applied != 1 || n.liveCount() != 0 {
			t.Fatalf("after %d failures: %+v", failed.Load(), m)
		}
		time.Sleep(time.Minute)
		if m := n.status("a"); failed.Load() != 3 || !n.isLive("a", 1) || m.State != "live" {
			t.Fatalf("after %d failures: %+v", failed.Load(), m)
		}
		n.check(w, w.size())
	})
}
