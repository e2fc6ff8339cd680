package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/control"
	"shieldwall/internal/keys"
	"shieldwall/internal/roster"
	"shieldwall/internal/status"
	"shieldwall/internal/store/sqlite"
)

func (m *member) alliance() status.Alliance {
	m.t.Helper()
	a, err := m.n.Alliance(context.Background())
	if err != nil {
		m.t.Fatal(err)
	}
	return a
}

func (m *member) change(c control.RosterChange) status.Alliance {
	m.t.Helper()
	a, err := m.n.AllianceChange(context.Background(), c)
	if err != nil {
		m.t.Fatalf("%s changes the roster: %v", m.name, err)
	}
	return a
}

// draft waits until a member holds the one draft there is, and returns it.
func (m *member) draft(signed ...string) status.Draft {
	m.t.Helper()
	var d status.Draft
	until(m.t, m.name+" holds the draft signed by "+strings.Join(signed, ", "), func() bool {
		all := m.alliance().Drafts
		if len(all) == 1 {
			d = all[0]
		}
		return len(all) == 1 && slices.Equal(d.Signed, signed)
	})
	return d
}

// newBoard is alpha, beta and gamma, each with an officer, of whom two must sign.
func newBoard(t testing.TB) (alpha, beta, gamma *member) {
	t.Helper()
	alpha, beta, gamma = newAlliance(t)
	a := alpha.change(control.RosterChange{
		Officers:  map[string]string{"beta": beta.alliance().OfficerKey, "gamma": gamma.alliance().OfficerKey},
		Threshold: 2,
	})
	// Of the officers that the new roster names two must sign it, too.
	if len(a.Drafts) != 1 || a.Drafts[0].NeededNew != 2 || !slices.Equal(a.Drafts[0].Signed, []string{"alpha"}) || a.Threshold != 1 {
		t.Fatalf("%+v", a)
	}
	d := beta.draft("alpha")
	if _, err := beta.n.AllianceSign(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*member{alpha, beta, gamma} {
		until(t, m.name+" has the board", func() bool { a := m.alliance(); return a.Threshold == 2 && len(a.Drafts) == 0 })
	}
	return alpha, beta, gamma
}

// TestOfficersSign: a joiner is a member as soon as two officers want it, and not before; all of it online.
func TestOfficersSign(t *testing.T) {
	t.Parallel()
	alpha, beta, gamma := newBoard(t)
	token := alpha.invite("delta", "partners")
	delta := newMember(t, "delta").start()
	for range 2 { // asking again makes no other draft
		res, err := delta.n.Join(t.Context(), token)
		if err != nil || !containsAll(res.Pending, "officers must admit it", "1 of 2") || res.Member != "delta" {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	d := gamma.draft("alpha")
	if !slices.ContainsFunc(d.Changes, func(s string) bool { return strings.HasPrefix(s, "member delta joins, in partners") }) {
		t.Errorf("gamma's officer is shown %q", d.Changes)
	}
	if !gamma.warns("officers are to sign", d.ID) || gamma.sees("delta").ID != "" {
		t.Error("gamma is not told of the draft, or takes it for a roster")
	}
	_, err := alpha.n.AllianceSign(t.Context(), d.ID)
	wantErr(t, err, control.Refused, "alpha has signed")
	_, err = alpha.n.AllianceChange(t.Context(), control.RosterChange{AddGroups: []string{"ports"}})
	wantErr(t, err, control.Refused, "signed another roster", "split")
	_, err = gamma.n.AllianceSign(t.Context(), "0000")
	wantErr(t, err, control.NotFound, "0000")
	for _, m := range []*member{alpha, gamma} {
		m.restart() // drafts are kept
	}
	gamma.draft("alpha")
	if _, err := gamma.n.AllianceSign(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	until(t, "alpha has the new roster", func() bool { return alpha.sees("delta").ID != "" })
	res, err := delta.n.Join(t.Context(), token)
	if err != nil || res.Pending != "" || res.Members != 4 {
		t.Fatalf("%+v, %v", res, err)
	}
	allLive(t, alpha, beta, gamma, delta)
	for _, m := range []*member{alpha, beta, gamma, delta} {
		if got := m.alliance(); len(got.Drafts) != 0 {
			t.Errorf("%s still holds %+v", m.name, got.Drafts)
		}
	}
}

// TestOfficersSignOffline: a draft goes on a stick to a machine that has an officer key and nothing else.
func TestOfficersSignOffline(t *testing.T) {
	t.Parallel()
	alpha, beta, _ := newBoard(t)
	a := beta.change(control.RosterChange{Members: map[string]control.MemberChange{"gamma": {Suspended: new(true), Quota: new(uint64(7))}}})
	data, err := beta.n.AllianceDraft(t.Context(), a.Drafts[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	file, err := roster.DecodeDraft(data)
	if err != nil {
		t.Fatal(err)
	}
	_, err = alpha.n.AllianceAdmit(t.Context(), data[1:])
	wantErr(t, err, control.Usage, "draft")
	key, err := keys.Officer(alpha.opt.Config.OfficerKey)
	if err != nil {
		t.Fatal(err)
	}
	if file.NextNote, err = roster.Cosign(file.NextNote, "alpha", key); err != nil {
		t.Fatal(err)
	}
	other := file
	other.Alliance = strings.Repeat("0", 64)
	_, err = beta.n.AllianceAdmit(t.Context(), other.Encode())
	wantErr(t, err, control.Refused, "another alliance")
	if a, err = beta.n.AllianceAdmit(t.Context(), file.Encode()); err != nil || len(a.Drafts) != 0 {
		t.Fatalf("%+v, %v", a, err)
	}
	until(t, "alpha suspends gamma", func() bool { return alpha.sees("gamma").Suspended })
	_, err = beta.n.AllianceAdmit(t.Context(), file.Encode())
	wantErr(t, err, control.Refused, "is in force")
}

// TestSigningIsCutOff: a crash between an officer's record and the roster leaves an officer that can go on.
func TestSigningIsCutOff(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	s := alpha.n.current.Load()
	next := s.roll.Now().Roster.Clone()
	next.Version, next.Previous, next.Groups = next.Version+1, s.roll.Now().Hash, append(next.Groups, "zeta")
	name, key, err := s.officer(nil)
	if err != nil {
		t.Fatal(err)
	}
	note, err := next.Sign(name, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.signOnce(next), s.node.store.UpdateDurable(t.Context(), func(tx *sqlite.Tx) error { return tx.PutMeta(metaPrepared, note) })); err != nil {
		t.Fatal(err)
	}
	alpha.restart()
	if a := alpha.alliance(); a.Version != next.Version || !slices.Contains(a.Groups, "zeta") {
		t.Fatalf("what was signed is not in force: %+v", a)
	}
	if a := alpha.change(control.RosterChange{RemoveGroups: []string{"zeta"}}); slices.Contains(a.Groups, "zeta") {
		t.Errorf("%+v", a)
	}
	// The other way round: what was prepared and may not be signed any more is forgotten.
	s = alpha.n.current.Load()
	one, two := s.roll.Now().Roster.Clone(), s.roll.Now().Roster.Clone()
	for i, r := range []*roster.Roster{one, two} {
		r.Version, r.Previous, r.Name = r.Version+1, s.roll.Now().Hash, []string{"one", "two"}[i]
	}
	if note, err = two.Sign(name, key); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.signOnce(one), s.node.store.UpdateDurable(t.Context(), func(tx *sqlite.Tx) error { return tx.PutMeta(metaPrepared, note) })); err != nil {
		t.Fatal(err)
	}
	alpha.restart()
	if a := alpha.alliance(); a.Version != two.Version-1 {
		t.Fatalf("a second roster %d was signed: %+v", two.Version, a)
	}
}

// TestChangesThatAreRefused says what does not fit.
func TestChangesThatAreRefused(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	version := alpha.alliance().Version
	for name, c := range map[string]struct {
		change control.RosterChange
		kind   control.Kind
		says   string
	}{
		"nothing":            {control.RosterChange{}, control.Usage, "nothing"},
		"no such officer":    {control.RosterChange{RemoveOfficers: []string{"zeta"}}, control.NotFound, `"zeta"`},
		"no officer left":    {control.RosterChange{RemoveOfficers: []string{"alpha"}}, control.Refused, "0 officers"},
		"no key":             {control.RosterChange{Officers: map[string]string{"b": "x"}}, control.Usage, "not known here"},
		"no such group":      {control.RosterChange{RemoveGroups: []string{"zeta"}}, control.NotFound, `"zeta"`},
		"a group twice":      {control.RosterChange{AddGroups: []string{"states"}}, control.Refused, "there already"},
		"itself":             {control.RosterChange{Remove: []string{"alpha"}}, control.Refused, "itself"},
		"no such member":     {control.RosterChange{Remove: []string{"zeta"}}, control.NotFound, `"zeta"`},
		"nor to be changed":  {control.RosterChange{Members: map[string]control.MemberChange{"zeta": {}}}, control.NotFound, `"zeta"`},
		"an unknown group":   {control.RosterChange{Members: map[string]control.MemberChange{"alpha": {Groups: &[]string{"zeta"}}}}, control.Refused, "zeta"},
		"no STIX type":       {control.RosterChange{Members: map[string]control.MemberChange{"alpha": {Types: &[]string{"X"}}}}, control.Refused, "STIX type"},
		"too many must sign": {control.RosterChange{Threshold: 2}, control.Refused, "threshold of 2"},
	} {
		if _, err := alpha.n.AllianceChange(t.Context(), c.change); err == nil {
			t.Errorf("%s was signed", name)
		} else if control.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v of kind %v", name, err, control.KindOf(err))
		}
	}
	record, err := os.ReadFile(filepath.Join(alpha.opt.Config.Data, keys.OfficerFile+".signed"))
	if err != nil || alpha.alliance().Version != version {
		t.Fatalf("roster %d after %d, %v", alpha.alliance().Version, version, err)
	}
	if n := strings.Count(string(record), "\n"); n != int(version)-1 {
		t.Errorf("%d rosters were signed, version %d is in force:\n%s", n, version, record)
	}
}

// TestExpiredRosterIsRenewed: officers can sign the next roster though nobody joins by the old one.
func TestExpiredRosterIsRenewed(t *testing.T) {
	t.Parallel()
	var c clock
	alpha := founder(t, "alpha", c.on)
	c.set(rosterLife - time.Hour)
	token := alpha.invite("beta", "states")
	c.set(rosterLife + time.Hour)
	if !alpha.warns("the roster expired") {
		t.Fatalf("%q", alpha.status().Warnings)
	}
	beta := newMember(t, "beta").start()
	_, err := beta.n.Join(t.Context(), token)
	wantErr(t, err, control.Refused, "the roster expired", "frozen")
	alpha.change(control.RosterChange{Renew: true})
	if alpha.warns("the roster expired") {
		t.Error("it was not renewed")
	}
}
