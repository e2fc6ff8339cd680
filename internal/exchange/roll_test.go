package exchange

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"shieldwall/internal/roster"
	"shieldwall/internal/store/sqlite"
)

// TestRemovedMember ends its follower; listed again, it is followed again, from where it was.
func TestRemovedMember(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a", "b")
		w := newAuthor(al, "a", "log 1")
		p := newPeer(al, w)
		n := newNode(t, al, p, newPeer(al, newAuthor(al, "b", "log 1")))
		n.start()
		w.open(1, "a", "me")
		synctest.Wait()
		member := listed("a", "states")
		al.change(func(r *roster.Roster) {
			r.Members = slices.DeleteFunc(r.Members, func(m roster.Member) bool { return m.ID == "a" })
		})
		n.roll.set(al.membership())
		synctest.Wait()
		before := p.count("checkpoint")
		w.share(1, objects(indicator("a", 1)))
		time.Sleep(time.Hour)
		if n.isLive("a", 1) || p.count("checkpoint") != before || n.status("a").State != "" || n.status("b").State != "live" {
			t.Fatalf("a removed member is followed: %+v", n.status("a"))
		}
		n.check(w, w.size()-1)
		al.change(func(r *roster.Roster) { r.Members = append(r.Members, member) })
		n.roll.set(al.membership())
		synctest.Wait()
		if m := n.status("a"); !n.isLive("a", 1) || m.State != "live" || m.Applied != w.size() {
			t.Fatalf("listed again: %+v", m)
		}
		n.check(w, w.size())
	})
}

// TestSuspendedAndBack takes a member off the roster and on again while a transaction of its follower runs: two
// followers of one log never work at a time.
func TestSuspendedAndBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		n := newNode(t, al, newPeer(al, w))
		update, release := n.update, make(chan struct{})
		n.update = func(ctx context.Context, fn func(*sqlite.Tx) error) error {
			<-release
			return update(ctx, fn)
		}
		n.start()
		synctest.Wait() // the first transaction waits
		for _, out := range []bool{true, false} {
			al.change(func(r *roster.Roster) { r.Members[1].Suspended = out })
			n.roll.set(al.membership())
			synctest.Wait()
		}
		if n.dials["a"] != 1 || n.status("a").State != "connecting" {
			t.Fatalf("%d followers at a time: %+v", n.dials["a"], n.status("a"))
		}
		close(release)
		w.open(1, "a", "me")
		synctest.Wait()
		if m := n.status("a"); n.dials["a"] != 2 || m.State != "live" || m.Problem != "" {
			t.Fatalf("%+v", m)
		}
		n.check(w, w.size())
	})
}

// TestNewCardNewLog follows a member into its new incarnation; what came before stays.
func TestNewCardNewLog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		p := newPeer(al, w)
		n := newNode(t, al, p)
		n.start()
		w.open(1, "a", "me")
		w.share(1, objects(indicator("a", 1)))
		synctest.Wait()
		next := newAuthor(al, "a", "log 2")
		next.open(1, "a", "me") // epoch numbers count anew: the log is another one
		next.share(1, objects(indicator("a", 2)))
		al.card("a", "log 2")
		// The peer tells by news; its stream of the old log ends when it restarts.
		p.with(func() {
			p.told = News{Version: 1, Cards: map[string]uint64{"a": 2}}
			close(p.changed)
			p.changed = make(chan struct{})
			p.log = next
		})
		time.Sleep(time.Minute)
		m := n.status("a")
		if m.Log != next.id || m.State != "live" || m.Size != next.size() || !n.isLive("a", 1) || !n.isLive("a", 2) {
			t.Fatalf("%+v", m)
		}
		n.check(w, w.size())
		n.check(next, next.size())
		if got := n.dials["a"]; got != 2 {
			t.Fatalf("%d dials", got)
		}
		if len(n.x.Rejected()) != 0 {
			t.Fatalf("refused %v", n.x.Rejected())
		}
	})
}

// TestNewCardSameLog makes a new connection: endpoints and TLS key may be others.
func TestNewCardSameLog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		w.open(1, "a", "me")
		p := newPeer(al, w)
		n := newNode(t, al, p)
		n.start()
		synctest.Wait()
		al.card("a", "log 1")
		n.roll.set(al.membership())
		synctest.Wait()
		w.share(1, objects(indicator("a", 1)))
		synctest.Wait()
		if n.dials["a"] != 2 || !n.isLive("a", 1) || n.status("a").State != "live" {
			t.Fatalf("%d dials, %+v", n.dials["a"], n.status("a"))
		}
	})
}

// TestRosterBeforeEntries seals to a group under a roster that the follower does not have yet, and whose news
// it is not told: read under the roster before, the entry would be refused for good.
func TestRosterBeforeEntries(t *testing.T) {
	for _, way := range []string{"live", "catching up"} {
		t.Run(way, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				al := newAlliance("me", "a")
				w := newAuthor(al, "a", "log 1")
				p := newPeer(al, w)
				p.silent = true
				n := newNode(t, al, p)
				if way == "catching up" {
					history(w, 600)
				} else {
					n.start()
					synctest.Wait()
				}
				al.change(func(r *roster.Roster) { r.Members[0].Groups = append(r.Members[0].Groups, "partners") })
				w.append(w.opening(9, 2, "a", "me")...)
				w.share(9, payload(3, "group:partners", indicator("a", 1)))
				if way == "catching up" {
					n.start()
				}
				synctest.Wait()
				if !n.isLive("a", 1) || n.roll.Now().Roster.Version != 2 || len(n.x.Rejected()) != 0 {
					t.Fatalf("roster %d, refused %v", n.roll.Now().Roster.Version, n.x.Rejected())
				}
			})
		})
	}
}

// TestRosterThatIsNone names a roster that nobody has: the log is read without it after a few tries.
func TestRosterThatIsNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		n := newNode(t, al, newPeer(al, w))
		n.start()
		w.append(w.opening(1, 1<<60, "a", "me")...)
		w.share(1, objects(indicator("a", 1)))
		synctest.Wait()
		if n.isLive("a", 1) {
			t.Fatal("read without trying to learn the roster")
		}
		time.Sleep(time.Minute)
		if m := n.status("a"); m.State != "live" || !n.isLive("a", 1) || n.roll.looks() > 20 {
			t.Fatalf("asked %d times: %+v", n.roll.looks(), m)
		}
	})
}

// TestNewsThatFail does not keep the log from being followed, and neither does a flood of them.
func TestNewsThatFail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		p := newPeer(al, w)
		p.told = News{Version: 2}
		n := newNode(t, al, p)
		n.roll.fail = errors.New("no such roster")
		n.start()
		w.open(1, "a", "me")
		const flood = 1000
		for i := range flood {
			p.with(func() {
				close(p.changed)
				p.changed = make(chan struct{})
			})
			if i%100 == 0 {
				w.share(1, objects(indicator("a", i)))
			}
			time.Sleep(time.Millisecond)
		}
		if m := n.status("a"); m.State != "live" || m.Applied != w.size() || p.count("stream") != 1 {
			t.Fatalf("%d streams: %+v", p.count("stream"), m)
		}
		if n.roll.looks() == 0 || n.roll.looks() > flood/50 {
			t.Fatalf("%d looks at %d news", n.roll.looks(), flood)
		}
		// What was promised is learned once it can be, without new news.
		n.roll.mu.Lock()
		n.roll.fail = nil
		n.roll.mu.Unlock()
		al.change(func(*roster.Roster) {})
		time.Sleep(time.Minute)
		if v := n.roll.Now().Roster.Version; v != 2 {
			t.Fatalf("roster %d", v)
		}
	})
}
