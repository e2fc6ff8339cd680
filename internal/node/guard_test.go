package node

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"shieldwall/internal/entry"
	"shieldwall/internal/memberlog"
	"shieldwall/internal/memberlog/guard"
)

// opened is the first entry of a member's own log.
func (m *member) opened() entry.Open {
	m.t.Helper()
	raw, err := m.n.RawEntry(context.Background(), m.n.LogID(), 0)
	if err != nil {
		m.t.Fatal(err)
	}
	e, err := entry.Parse(raw)
	if err != nil {
		m.t.Fatal(err)
	}
	o, err := entry.ParseOpen(e.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return o
}

// TestDoubt: where store and guard do not vouch for each other, the log is not continued and the member does
// not fall silent: it opens a new incarnation, which its ally follows, and nothing that was shared is lost.
func TestDoubt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil  func(t *testing.T, m *member, backup string)
		reason memberlog.Reason
		forgot uint64 // entries that the store does not have any more
		moved  bool   // it comes back at another address
	}{
		"guard deleted": {reason: memberlog.ReasonGuardMissing, spoil: func(t *testing.T, m *member, _ string) {
			remove(t, m.opt.Config.Guard)
		}},
		"guard overwritten": {reason: memberlog.ReasonGuardDamaged, moved: true, spoil: func(t *testing.T, m *member, _ string) {
			if err := os.WriteFile(m.opt.Config.Guard, make([]byte, 8192), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		"backup put back": {reason: memberlog.ReasonGuardAhead, forgot: 1, spoil: func(t *testing.T, m *member, backup string) {
			putBack(t, backup, m.opt.Config.Data)
		}},
		"backup put back elsewhere": {reason: memberlog.ReasonGuardAhead, forgot: 1, moved: true, spoil: func(t *testing.T, m *member, backup string) {
			putBack(t, backup, m.opt.Config.Data)
		}},
		"another machine": {reason: memberlog.ReasonOtherMachine, spoil: func(t *testing.T, m *member, _ string) {
			rewriteGuard(t, m.opt.Config.Guard, func(mark *guard.Mark) { mark.Machine = strings.Repeat("f", 32) })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alpha := founder(t, "alpha")
			beta := alpha.join("beta", states)
			allLive(t, alpha, beta)
			alpha.publish("green", nil, rule(1, "before-the-backup"))
			alpha.caughtUp(beta)
			alpha.halt()
			backup := copyFolder(t, alpha.opt.Config.Data)
			// Back at another address: a card is signed that the backup does not know.
			alpha.restart(elsewhere)
			alpha.publish("green", nil, rule(2, "after-the-backup"))
			alpha.caughtUp(beta)
			log, size, sequence := alpha.n.LogID(), alpha.status().Log.Size, beta.cardOf("alpha")
			alpha.halt()
			c.spoil(t, alpha, backup)
			if c.moved {
				alpha.restart(elsewhere)
			} else {
				alpha.restart()
			}

			if alpha.n.LogID() == log {
				t.Fatal("the doubtful log is continued")
			}
			o := alpha.opened()
			if o.Reason != string(c.reason) || o.Predecessor == nil || o.Predecessor.Log != log || o.Predecessor.Size != size {
				t.Errorf("it begins with %+v %+v, want the reason %q and %s at %d", o, o.Predecessor, c.reason, log, size)
			}
			if !alpha.warns("new incarnation", string(c.reason)) {
				t.Errorf("its warnings are %q", alpha.status().Warnings)
			}
			until(t, "the ally follows the new log", func() bool { return beta.sees("alpha").Log == alpha.n.LogID() })
			if now := beta.cardOf("alpha"); now <= sequence {
				t.Errorf("its card went from %d to %d", sequence, now)
			}
			allLive(t, alpha, beta)
			if !beta.matches(command("before-the-backup"), "alpha") || !beta.matches(command("after-the-backup"), "alpha") {
				t.Error("what was shared before does not match at the ally any more")
			}
			if got, want := alpha.status().Objects, int64(2-c.forgot); got != want {
				t.Errorf("it holds %d objects of its own, want %d", got, want)
			}
			alpha.publish("green", nil, rule(3, "after-the-doubt"))
			beta.publish("green", nil, rule(9, "from-the-ally"))
			alpha.caughtUp(beta)
			beta.caughtUp(alpha)
			if !beta.matches(command("after-the-doubt"), "alpha") || !alpha.matches(command("from-the-ally"), "beta") {
				t.Error("they do not protect each other any more")
			}
			alpha.verify()
			beta.verifyMirror(alpha)

			again := alpha.n.LogID()
			alpha.restart()
			if alpha.n.LogID() != again || alpha.warns("incarnation") {
				t.Errorf("a restart opens yet another log: %q", alpha.status().Warnings)
			}
		})
	}
}

// cardOf is the sequence of a member's card as this one holds it.
func (m *member) cardOf(name string) uint64 {
	card := m.n.current.Load().roll.Now().Card(name)
	if card == nil {
		return 0
	}
	return card.Sequence
}

// rewriteGuard changes what a guard says, as nobody but a test would.
func rewriteGuard(t *testing.T, path string, change func(*guard.Mark)) {
	t.Helper()
	g := guard.New(path)
	mark, err := g.Load()
	if err != nil {
		t.Fatal(err)
	}
	change(&mark)
	if err := g.Store(mark); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCrashBeforeTheGuard: a store that is ahead of a guard which agrees with it was cut off between the two,
// and is no reason for doubt.
func TestCrashBeforeTheGuard(t *testing.T) {
	t.Parallel()
	m := newMember(t, "alpha").start()
	m.publish("green", nil, rule(1, "one"))
	behind, err := os.ReadFile(m.opt.Config.Guard)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		m.publish("green", nil, rule(2+i, fmt.Sprintf("more %d", i)))
	}
	log, size := m.n.LogID(), m.status().Log.Size
	m.halt()
	ahead, err := os.ReadFile(m.opt.Config.Guard)
	if err != nil || bytes.Equal(ahead, behind) {
		t.Fatalf("the guard did not move: %v", err)
	}
	if err := os.WriteFile(m.opt.Config.Guard, behind, 0o600); err != nil {
		t.Fatal(err)
	}
	m.restart()
	if m.n.LogID() != log || m.status().Log.Size != size || m.warns("incarnation") {
		t.Errorf("the log is %s of %d, was %s of %d: %q", m.n.LogID(), m.status().Log.Size, log, size, m.status().Warnings)
	}
	m.publish("green", nil, rule(9, "on it goes"))
	m.verify()
}

// TestCrashInDoubt: a start that is cut off while it opens a new incarnation leads to that one, and what it
// continues is not forgotten.
func TestCrashInDoubt(t *testing.T) {
	t.Parallel()
	m := newMember(t, "alpha").start()
	m.publish("green", nil, rule(1, "one"))
	log, head := m.n.LogID(), m.n.current.Load().log.Head()
	m.halt()
	s := m.open().current.Load()
	doubt := &memberlog.Doubt{Log: log, Reason: memberlog.ReasonOtherTree, Held: memberlog.Extent{Size: head.Size, Root: head.Root}}
	if _, err := s.incarnate(t.Context(), doubt); err != nil {
		t.Fatal(err)
	}
	next := s.me.logID()
	m.halt() // before the new log is made
	m.start()
	o := m.opened()
	if m.n.LogID() != next || o.Reason != string(doubt.Reason) || o.Predecessor == nil || o.Predecessor.Log != log || o.Predecessor.Size != head.Size {
		t.Errorf("log %s begins with %+v %+v, want %s after %s", m.n.LogID(), o, o.Predecessor, next, log)
	}
	m.publish("green", nil, rule(2, "two"))
	m.verify()
}

// TestMovedMembers: two members come back at other addresses at the same time. Each finds the other through
// the third, which finds neither.
func TestMovedMembers(t *testing.T) {
	t.Parallel()
	alpha, beta, gamma := newAlliance(t)
	beta.halt()
	gamma.halt()
	beta.restart(elsewhere)
	gamma.restart(elsewhere)
	allLive(t, alpha, beta, gamma)
	gamma.publish("green", nil, rule(1, "from-afar"))
	gamma.caughtUp(alpha, beta)
	if !beta.matches(command("from-afar"), "gamma") {
		t.Error("beta is not protected by gamma")
	}
}
