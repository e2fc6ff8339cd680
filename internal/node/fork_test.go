package node

import (
	"errors"
	"slices"
	"testing"

	"shieldwall/internal/control"
	"shieldwall/internal/keys"
	"shieldwall/internal/roster"
	"shieldwall/internal/store/sqlite"
)

// second signs, with alpha's officer key and past every tool, another roster than the newest of the version after
// prev, and gives it to a member.
func second(t *testing.T, alpha *member, prev *roster.Roster, to *member, edit func(*roster.Roster)) *roster.Roster {
	t.Helper()
	key, err := keys.Officer(alpha.opt.Config.OfficerKey)
	if err != nil {
		t.Fatal(err)
	}
	next := prev.Clone()
	next.Version, next.Rejects = next.Version+1, nil
	if next.Previous, err = prev.Hash(); err != nil {
		t.Fatal(err)
	}
	edit(next)
	note, err := next.Sign("alpha", key)
	if err != nil {
		t.Fatal(err)
	}
	if err := to.n.current.Load().roll.AdmitRoster(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	return next
}

// TestFork: officers sign two rosters of one version. Every node sees it, alerts flow on between members that both
// list, and the alliance is one again as soon as officers reject a branch.
func TestFork(t *testing.T) {
	t.Parallel()
	alpha, beta, gamma := newAlliance(t)
	base := alpha.n.current.Load().roll.Now().Roster
	// Nobody tells beta of roster 5 before it has got its own.
	gamma.halt()
	beta.halt()
	alpha.change(control.RosterChange{AddGroups: []string{"ports"}})
	alpha.change(control.RosterChange{AddGroups: []string{"rail"}})
	beta.open()
	other := second(t, alpha, base, beta, func(r *roster.Roster) {
		r.Members = slices.DeleteFunc(r.Members, func(m roster.Member) bool { return m.ID == "gamma" })
	})
	second(t, alpha, other, beta, func(r *roster.Roster) { r.Groups = append(r.Groups, "zeta") })
	beta.halt()
	beta.start()
	gamma.start()
	for _, m := range []*member{alpha, beta} {
		until(t, m.name+" sees the fork", func() bool { return m.warns("two rosters 5") })
	}
	if a, b := alpha.alliance(), beta.alliance(); a.Version != 6 || b.Version != 6 || !slices.Contains(a.Groups, "rail") || !slices.Contains(b.Groups, "zeta") {
		t.Fatalf("a node left its branch: %+v, %+v", a, b)
	}
	// Alerts flow on, to those whom both branches list.
	id := alpha.publish("green", nil, rule(1, "while forked"))
	if r := id.Entries[0].Readers; !slices.Equal(r, []string{"beta"}) {
		t.Errorf("alpha shares with %v", r)
	}
	until(t, "beta acts on it", func() bool { return alpha.sees("beta").TheirApplied > id.Entries[0].Index })
	for _, m := range []*member{alpha, beta} {
		m.restart()
		if !m.warns("two rosters 5") {
			t.Errorf("%s forgot the fork", m.name)
		}
	}
	_, err := gamma.n.AllianceChange(t.Context(), control.RosterChange{RejectFork: true})
	wantErr(t, err, control.Refused)
	alpha.change(control.RosterChange{RejectFork: true})
	until(t, "beta is on alpha's branch", func() bool { b := beta.alliance(); return b.Version == 7 && slices.Contains(b.Groups, "rail") })
	for _, m := range []*member{alpha, beta, gamma} {
		until(t, m.name+" sees no fork", func() bool { return !m.warns("two rosters") && m.alliance().Version == 7 })
	}
	beta.restart()
	allLive(t, alpha, beta, gamma)
	if r := alpha.publish("green", nil, rule(2, "one again")).Entries[0].Readers; !slices.Equal(r, []string{"beta", "gamma"}) {
		t.Errorf("alpha shares with %v", r)
	}
}

// TestJoinForgetsTheOldAlliance: what was under way among the officers of an alliance that is left is no business of the
// next one's.
func TestJoinForgetsTheOldAlliance(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	beta := newMember(t, "beta").start()
	s := beta.n.current.Load()
	err := s.node.store.UpdateDurable(t.Context(), func(tx *sqlite.Tx) error {
		return errors.Join(tx.PutMeta(metaFork, []byte(`{"version":2,"chain":["eA=="]}`)), tx.PutMeta(metaDrafts, []byte(`["eA=="]`)), tx.PutMeta(metaPrepared, []byte("x")))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := beta.n.Join(t.Context(), alpha.invite("beta", "states")); err != nil {
		t.Fatal(err)
	}
	beta.restart()
	allLive(t, alpha, beta)
	for _, key := range []string{metaFork, metaPrepared} {
		err := beta.n.store.View(t.Context(), func(tx *sqlite.Tx) error {
			if left, err := tx.Meta(key); err != nil || len(left) > 0 {
				t.Errorf("%s is still %q (%v)", key, left, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
