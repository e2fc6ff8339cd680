package node

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shieldwall/internal/control"
	"shieldwall/internal/entry"
	"shieldwall/internal/keys"
	"shieldwall/internal/peer"
	"shieldwall/internal/roster"
	"shieldwall/internal/store/sqlite"
)

// clock is a member's clock, which a test may set off.
type clock struct{ off atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.off.Load())) }

func (c *clock) set(off time.Duration) { c.off.Store(int64(off)) }

// on is an edit: the node has this clock.
func (c *clock) on(o *Options) { o.Now = c.now }

func TestThreeMembers(t *testing.T) {
	t.Parallel()
	alpha, beta, gamma := newAlliance(t)
	for _, m := range []*member{alpha, beta, gamma} {
		a := m.status().Alliance
		if a.Name != "test alliance" || a.ID != alpha.status().Alliance.ID || len(a.Members) != 3 || a.Threshold != 1 || a.Version != 4 {
			t.Errorf("%s sees %+v", m.name, a)
		}
		if got := m.sees("gamma"); !slices.Equal(got.Groups, partners) || got.Self != (m == gamma) {
			t.Errorf("%s sees gamma as %+v", m.name, got)
		}
		if !m.warns("one officer alone") {
			t.Errorf("%s is not warned of k = 1 among three members: %q", m.name, m.status().Warnings)
		}
		m.verify()
	}
	for _, m := range []*member{alpha, beta, gamma} {
		m.restart()
	}
	allLive(t, alpha, beta, gamma)
}

// TestJoinOffline: a command joins where no node runs.
func TestJoinOffline(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	beta := newMember(t, "b")
	beta.open()
	res, err := beta.n.Join(t.Context(), alpha.invite("beta", "states"))
	if err != nil || res.Member != "beta" || res.Members != 2 || res.Alliance != "test alliance" {
		t.Fatalf("%+v, %v", res, err)
	}
	if got := beta.status(); got.Member != "beta" || got.Log.Size != 1 {
		t.Errorf("without a restart it is %s with a log of %d", got.Member, got.Log.Size)
	}
	beta.halt()
	beta.start() // at an address that its card does not name yet
	beta.name = "beta"
	allLive(t, alpha, beta)
}

// TestJoinKeepsOwnIntelligence: what a node published before it joined stays its own: live, and shared with
// nobody.
func TestJoinKeepsOwnIntelligence(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	beta := newMember(t, "beta").start()
	beta.publish("green", nil, rule(1, "mine-alone"))
	old := beta.n.LogID()
	if _, err := beta.n.Join(t.Context(), alpha.invite("beta", "states")); err != nil {
		t.Fatal(err)
	}
	allLive(t, alpha, beta)
	if beta.n.LogID() == old || beta.opened().Alliance != alpha.status().Alliance.ID || beta.opened().Reason != "first" {
		t.Errorf("its log in the alliance is %s, begun with %+v", beta.n.LogID(), beta.opened())
	}
	for range 2 {
		if len(beta.detects(command("mine-alone"))) != 1 {
			t.Error("its own rule is not live any more")
		}
		beta.restart()
	}
	beta.publish("green", nil, rule(2, "shared-now"))
	beta.caughtUp(alpha)
	if alpha.status().Objects != 1 || len(alpha.detects(command("mine-alone"))) != 0 {
		t.Error("what was never shared reached an ally")
	}
}

// begun lets a joiner go as far as the inviter's answer, which it then loses.
func (m *member) begun(word string) {
	m.t.Helper()
	s := m.n.current.Load()
	token, err := roster.ParseToken(word)
	if err != nil {
		m.t.Fatal(err)
	}
	pending, err := s.beginJoin(context.Background(), token)
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := s.askToJoin(context.Background(), token, pending); err != nil {
		m.t.Fatal(err)
	}
}

// TestJoinRetried: a joiner that crashed after it was listed comes back, at another address, with the same
// card and is let in; the roster does not change again.
func TestJoinRetried(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	word := alpha.invite("beta", "states")
	beta := newMember(t, "beta").start()
	beta.begun(word)
	listed := alpha.status().Alliance
	if len(listed.Members) != 2 || beta.status().Alliance.ID == listed.ID {
		t.Fatalf("cut off too early or too late: %+v", listed)
	}
	card := alpha.n.current.Load().roll.Now().CardHash("beta")
	beta.restart(elsewhere)
	res, err := beta.n.Join(t.Context(), word)
	if err != nil || res.Member != "beta" || res.Version != listed.Version {
		t.Fatalf("the second try: %+v, %v", res, err)
	}
	if first := beta.n.current.Load().roll.Now(); first.Card("beta").Sequence == 1 && first.CardHash("beta") != card {
		t.Error("it made another card")
	}
	allLive(t, alpha, beta)
	if alpha.warns("leaked") || alpha.status().Alliance.Version != listed.Version {
		t.Errorf("the inviter saw more than a retry: %q", alpha.status().Warnings)
	}
	_, err = beta.n.Join(t.Context(), word)
	wantErr(t, err, control.Refused, "member of the alliance", "already")
}

// TestInviterRestarts: an invitation outlives its inviter's process.
func TestInviterRestarts(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	word := alpha.invite("beta", "states")
	beta := newMember(t, "beta").start()
	beta.begun(word)
	alpha.halt()
	_, err := beta.n.Join(t.Context(), word)
	wantErr(t, err, control.Unavailable, "cannot be reached", alpha.peer)
	alpha.restart()
	if _, err := beta.n.Join(t.Context(), word); err != nil {
		t.Fatal(err)
	}
	allLive(t, alpha, beta)
}

// TestSecondCard: a token that was used is worth nothing to whoever finds it, and its being tried is shown.
func TestSecondCard(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	word := alpha.invite("beta", "states")
	beta := newMember(t, "beta").start()
	beta.begun(word)
	thief := newMember(t, "thief").start()
	_, err := thief.n.Join(t.Context(), word)
	wantErr(t, err, control.Refused, "another card already", "leaked", "ask for a new one")
	if !alpha.warns("invitation for beta", "second card", "leaked") || !alpha.said.has("join refused", "leaked") {
		t.Errorf("the inviter says %q", alpha.status().Warnings)
	}
	if thief.status().Member != "thief" || len(thief.status().Alliance.Members) != 1 {
		t.Errorf("a refused joiner is %+v", thief.status().Alliance)
	}
	if _, err := beta.n.Join(t.Context(), word); err != nil {
		t.Errorf("the rightful joiner: %v", err)
	}
	allLive(t, alpha, beta)
}

// TestExpiredToken: the inviter's clock decides, and the joiner's own saves it the way.
func TestExpiredToken(t *testing.T) {
	t.Parallel()
	var ours, theirs clock
	alpha := founder(t, "alpha", ours.on)
	inv, err := alpha.n.Invite(t.Context(), control.InviteRequest{Name: "beta", Expires: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	beta := newMember(t, "beta", theirs.on).start()
	theirs.set(2 * time.Hour)
	_, err = beta.n.Join(t.Context(), inv.Token)
	wantErr(t, err, control.Refused, "expired", "ask for a new one")
	ours.set(2 * time.Hour)
	theirs.set(0)
	_, err = beta.n.Join(t.Context(), inv.Token)
	wantErr(t, err, control.Refused, "the inviter refused", "invitation for beta expired", "ask for a new one")
	if !alpha.said.has("join refused", "expired") {
		t.Error("the inviter says nothing of it")
	}
	ours.set(0)
	if _, err = beta.n.Join(t.Context(), inv.Token); err != nil {
		t.Errorf("in time: %v", err)
	}
}

// TestForeignTokens: tokens that are none, or not this inviter's.
func TestForeignTokens(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	word := alpha.invite("beta", "states")
	beta := newMember(t, "beta").start()
	for _, garbage := range []string{"", "swt1.", "hello", word[:len(word)/2], word + "x", strings.ToUpper(word), "swt1." + strings.Repeat("A", 20_000)} {
		_, err := beta.n.Join(t.Context(), garbage)
		if control.KindOf(err) != control.Usage {
			t.Errorf("%.20q: %v", garbage, err)
		}
	}
	for name, c := range map[string]struct {
		change func(*roster.Token)
		kind   control.Kind
		says   string
	}{
		"another secret":    {func(tok *roster.Token) { tok.Secret = make([]byte, roster.SecretSize) }, control.Refused, "not known here"},
		"another key":       {func(tok *roster.Token) { tok.Pins = []string{strings.Repeat("0", 64)} }, control.Unavailable, "not the one"},
		"another alliance":  {func(tok *roster.Token) { tok.Alliance = strings.Repeat("0", 64) }, control.Refused, "another alliance"},
		"another roster":    {func(tok *roster.Token) { tok.Hash = strings.Repeat("0", 64) }, control.Refused, "does not hold"},
		"another name":      {func(tok *roster.Token) { tok.Name = "delta" }, control.Refused, "the invitation is for"},
		"an address of air": {func(tok *roster.Token) { tok.Endpoints = []string{"https://127.0.0.1:1"} }, control.Unavailable, "cannot be reached"},
	} {
		joiner := strings.ReplaceAll(name, " ", "-")
		token, err := roster.ParseToken(alpha.invite(joiner))
		if err != nil {
			t.Fatal(err)
		}
		c.change(&token)
		forged, err := token.Encode()
		if err != nil {
			t.Fatal(err)
		}
		j := newMember(t, joiner)
		_, err = j.open().Join(t.Context(), forged)
		if err == nil || control.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v of kind %v, want %q of kind %v", name, err, control.KindOf(err), c.says, c.kind)
		}
		if got := j.status().Alliance; len(got.Members) != 1 || got.Name != joiner {
			t.Errorf("%s: it joined %+v", name, got)
		}
	}
}

// TestOneAlliance: a node that has allies does not leave them.
func TestOneAlliance(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	other := founder(t, "other")
	_, err := alpha.n.Join(t.Context(), alpha.invite("beta"))
	wantErr(t, err, control.Refused, "member of the alliance", "already")
	beta := alpha.join("beta", states)
	word := other.invite("delta")
	for _, m := range []*member{alpha, beta} {
		_, err := m.n.Join(t.Context(), word)
		wantErr(t, err, control.Refused, "test alliance", "other members", "one alliance")
	}
	if got := other.status().Alliance; len(got.Members) != 1 {
		t.Errorf("the other alliance listed somebody: %+v", got)
	}
}

// TestJoinedMeanwhile: a node that gets a member while it asks to join elsewhere stays with it.
func TestJoinedMeanwhile(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	beta := founder(t, "beta")
	token, err := roster.ParseToken(alpha.invite("beta"))
	if err != nil {
		t.Fatal(err)
	}
	s := beta.n.current.Load()
	pending, err := s.beginJoin(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	joined, err := s.askToJoin(t.Context(), token, pending)
	if err != nil {
		t.Fatal(err)
	}
	gamma := beta.join("gamma", states)
	next, err := verifyJoined(joined, token, beta.n)
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, s.enter(t.Context(), token, pending, joined, next), control.Refused, "got other members", "one alliance")
	allLive(t, beta, gamma)
	beta.restart()
	allLive(t, beta, gamma)
}

// TestLeftAlliance: between the moment a node has left its alliance and the next session nothing more is
// signed in the old one.
func TestLeftAlliance(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	beta := newMember(t, "beta").start()
	word := beta.invite("gamma")
	gamma := newMember(t, "gamma").start()
	s := beta.n.current.Load()
	if _, err := s.joinAlliance(t.Context(), alpha.invite("beta")); err != nil {
		t.Fatal(err)
	}
	if _, err := beta.n.Publish(t.Context(), control.PublishRequest{TLP: "green", Files: []control.File{rule(1, "too late")}}); err == nil || !strings.Contains(err.Error(), "left") {
		t.Errorf("it publishes in the alliance that it left: %v", err)
	}
	_, err := gamma.n.Join(t.Context(), word)
	wantErr(t, err, control.Refused, "cannot take a member just now")
	beta.restart()
	allLive(t, alpha, beta)
}

func TestInvitations(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	beta := alpha.join("beta", states)
	for name, c := range map[string]struct {
		by   *member
		req  control.InviteRequest
		kind control.Kind
		says []string
	}{
		"unknown group":    {alpha, control.InviteRequest{Name: "gamma", Groups: []string{"rail"}}, control.Refused, []string{`no group "rail"`, "partners, states"}},
		"a member":         {alpha, control.InviteRequest{Name: "beta"}, control.Refused, []string{"a member already"}},
		"itself":           {alpha, control.InviteRequest{Name: "alpha"}, control.Refused, []string{"a member already"}},
		"a group's name":   {alpha, control.InviteRequest{Name: "states"}, control.Refused, []string{"is a group"}},
		"an audience":      {alpha, control.InviteRequest{Name: "everyone"}, control.Usage, []string{"taken"}},
		"what is unshared": {alpha, control.InviteRequest{Name: "local"}, control.Usage, []string{"taken"}},
		"no name":          {alpha, control.InviteRequest{}, control.Usage, []string{"1 to 32"}},
		"capitals":         {alpha, control.InviteRequest{Name: "Gamma"}, control.Usage, []string{"lower-case"}},
		"for ever":         {alpha, control.InviteRequest{Name: "gamma", Expires: 365 * 24 * time.Hour}, control.Usage, []string{"30 days"}},
		"in the past":      {alpha, control.InviteRequest{Name: "gamma", Expires: -time.Hour}, control.Usage, []string{"a second"}},
		"no officer":       {beta, control.InviteRequest{Name: "gamma"}, control.Refused, []string{"no officer key", "only an officer"}},
	} {
		if inv, err := c.by.n.Invite(t.Context(), c.req); err == nil {
			t.Errorf("%s: %+v", name, inv)
		} else if control.KindOf(err) != c.kind || !containsAll(err.Error(), c.says...) {
			t.Errorf("%s: %v of kind %v, want %q of kind %v", name, err, control.KindOf(err), c.says, c.kind)
		}
	}
	for name, err := range map[string]error{
		"itself":     removed(alpha, "alpha"),
		"a stranger": removed(alpha, "gamma"),
		"by another": removed(beta, "alpha"),
	} {
		if err == nil {
			t.Errorf("removing %s: no error", name)
		}
	}
}

func removed(by *member, name string) error {
	_, err := by.n.AllianceChange(context.Background(), control.RosterChange{Remove: []string{name}})
	return err
}

// stranger talks to a member with keys that are in no card.
func stranger(t *testing.T, to *member) *peer.Client {
	t.Helper()
	outsider := newMember(t, "outsider")
	outsider.open()
	pins := to.n.current.Load().roll.Now().Pins(to.name)
	c := peer.NewClient(outsider.n.cert, func() []string { return []string{"https://" + to.peer} }, func() []string { return pins }, &peer.Meter{})
	t.Cleanup(c.Close)
	return c
}

// TestStranger: a key that is in no card learns why it gets nothing.
func TestStranger(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	alpha.publish("clear", []string{"everyone"}, rule(1, "clear to everyone"))
	c := stranger(t, alpha)
	for name, ask := range map[string]func() error{
		"checkpoint": func() error { _, err := c.Checkpoint(t.Context(), alpha.n.LogID()); return err },
		"roster":     func() error { _, err := c.Roster(t.Context(), 1); return err },
		"card":       func() error { _, err := c.Card(t.Context(), "alpha"); return err },
		"stream":     func() error { return c.Stream(t.Context(), alpha.n.LogID(), 0, nil) },
		"receipt":    func() error { return c.Applied(t.Context(), []byte("x")) },
		"blob":       func() error { _, err := c.Blob(t.Context(), make([]byte, 32)); return err },
	} {
		err := ask()
		reason, no := peer.IsRefusal(err)
		if refusal, ok := err.(*peer.Refusal); !no || !ok || refusal.Status != http.StatusForbidden || !containsAll(reason, "in no card", "test alliance", "invitation") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.PostCard(t.Context(), []byte("no card")); err == nil {
		t.Error("no card is admitted")
	}
	if !alpha.said.has("peer refused", "in no card") {
		t.Error("the member does not say that it refused somebody")
	}
}

// TestRemovedMember: a member with open streams is taken off the roster. Its streams end with the reason, on
// both sides; what is published afterwards it neither gets nor opens; its old invitation is used up.
func TestRemovedMember(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	beta := alpha.join("beta", states)
	word := alpha.invite("gamma", "states")
	gamma := newMember(t, "gamma").start()
	if _, err := gamma.n.Join(t.Context(), word); err != nil {
		t.Fatal(err)
	}
	allLive(t, alpha, beta, gamma)
	alpha.publish("green", nil, rule(1, "while-a-member"))
	alpha.caughtUp(beta, gamma)
	card := gamma.n.current.Load().roll.Now().CardHash("gamma")

	if err := removed(alpha, "gamma"); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*member{alpha, beta} {
		until(t, m.name+" refuses the removed member, which is told why", func() bool {
			seen := gamma.sees(m.name)
			return seen.State == "refused" && containsAll(seen.Problem, "it refuses us", "gamma is no member any more", "roster version")
		})
		until(t, m.name+" says that it ended the stream", func() bool { return m.said.has("stream closed", "gamma", "no member any more") })
		until(t, m.name+" does not list it", func() bool { return m.sees("gamma").ID == "" })
	}
	res := alpha.publish("green", nil, rule(2, "after-the-removal"))
	alpha.caughtUp(beta)
	at := res.Entries[0]
	if slices.Contains(at.Readers, "gamma") || !beta.matches(command("after-the-removal"), "alpha") {
		t.Errorf("the readers are %q", at.Readers)
	}
	if waiting := alpha.status().Protect.Waiting; waiting != 0 {
		t.Errorf("%d receipts are waited for", waiting)
	}
	if _, err := gamma.n.RawEntry(t.Context(), at.Log, at.Index); err == nil {
		t.Error("it still gets entries")
	}
	// Even with the log's bytes in hand, by whatever way, its keys open nothing of them.
	if opens(t, gamma, alpha, at.Log, at.Index) {
		t.Error("it opens what was published after its removal")
	}
	if !opens(t, beta, alpha, at.Log, at.Index) {
		t.Error("the proof is worth nothing: a reader does not open the entry so either")
	}

	// Its keys, card and token are what they were.
	s := gamma.n.current.Load()
	token, err := roster.ParseToken(word)
	if err != nil {
		t.Fatal(err)
	}
	var note []byte
	if err := gamma.n.store.View(t.Context(), func(tx *sqlite.Tx) (err error) { _, note, err = tx.CardNote("gamma"); return err }); err != nil {
		t.Fatal(err)
	}
	if _, err = s.askToJoin(t.Context(), token, pendingJoin{SecretHash: token.SecretHash(), Card: note}); err == nil {
		t.Fatal("a removed member lets itself in again")
	}
	if got := alpha.status().Alliance; len(got.Members) != 2 || gamma.n.current.Load().roll.Now().CardHash("gamma") != card {
		t.Errorf("%+v", got)
	}
	gamma.restart() // its own life goes on
	if len(gamma.detects(command("while-a-member"))) != 1 {
		t.Error("what it had read does not protect it any more")
	}
}

// opens says whether a member's keys open an entry of another's log, given everything that log holds.
func opens(t *testing.T, reader, publisher *member, log string, index uint64) bool {
	t.Helper()
	raw, err := publisher.n.RawEntry(t.Context(), log, index)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := entry.Parse(raw)
	if err != nil || sealed.Kind != entry.KindSealed {
		t.Fatalf("entry %d is of kind %d: %v", index, sealed.Kind, err)
	}
	s := reader.n.current.Load()
	var opening []byte
	for i := range index {
		raw, err := publisher.n.RawEntry(t.Context(), log, i)
		if err != nil {
			t.Fatal(err)
		}
		e, err := entry.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Kind == entry.KindEpoch && e.Epoch == sealed.Epoch:
			opening = raw
		case e.Kind == entry.KindWrap && e.Epoch == sealed.Epoch:
			if _, ok := (opener{reader.n.keys, s.me.member}).Unwrap(opening, e.Body); ok {
				return true
			}
		}
	}
	return false
}

// TestNameGivenAway: a member that lost everything is removed, and its name given to the node that replaces
// it, whose identity and cards begin anew.
func TestNameGivenAway(t *testing.T) {
	t.Parallel()
	alpha, beta, gamma := newAlliance(t)
	for range 2 { // its cards are beyond those of a new member
		gamma.restart(elsewhere)
		allLive(t, alpha, beta, gamma)
	}
	gamma.publish("green", nil, rule(1, "of-the-first"))
	gamma.caughtUp(alpha, beta)
	gamma.halt() // for good
	if err := removed(alpha, "gamma"); err != nil {
		t.Fatal(err)
	}
	again := alpha.join("gamma", partners)
	allLive(t, alpha, beta, again)
	again.publish("green", nil, rule(2, "of-the-second"))
	again.caughtUp(alpha, beta)
	alpha.publish("green", nil, rule(3, "of-alpha"))
	alpha.caughtUp(again)
	for _, m := range []*member{alpha, beta} {
		if !m.matches(command("of-the-second"), "gamma") {
			t.Errorf("%s is not protected by the new one", m.name)
		}
		m.restart()
	}
	allLive(t, alpha, beta, again)
	// The old one's keys are worth nothing now.
	gamma.restart(elsewhere)
	for _, m := range []*member{alpha, beta} {
		until(t, m.name+" refuses the old one", func() bool { return gamma.sees(m.name).State == "refused" })
	}
	allLive(t, alpha, beta, again)
}

// TestIdentityClaimed: a joiner cannot take another member's STIX identity.
func TestIdentityClaimed(t *testing.T) {
	t.Parallel()
	alpha := founder(t, "alpha")
	theirs := alpha.n.current.Load().me.identity
	beta := newMember(t, "beta")
	claim := func(tx *sqlite.Tx) error { return tx.PutMeta(metaIdentity, []byte(theirs)) }
	if err := beta.open().store.Update(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	beta.halt()
	beta.start()
	if got := beta.n.current.Load().me.identity; got != theirs {
		t.Fatalf("beta claims %s, want %s", got, theirs)
	}
	_, err := beta.n.Join(t.Context(), alpha.invite("beta"))
	wantErr(t, err, control.Refused, "the inviter refused", "claim one identity")
	if got := alpha.status().Alliance; len(got.Members) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestSecretsStayOut: neither the passphrase nor a token gets into what a node says.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	pass := "correct-horse-battery-staple-shieldwall"
	alpha := newMember(t, "alpha", func(o *Options) { o.Passphrase = func() (string, error) { return pass, nil } }).start()
	word := alpha.invite("beta")
	beta := newMember(t, "beta").start()
	if _, err := beta.n.Join(t.Context(), word); err != nil {
		t.Fatal(err)
	}
	if _, err := beta.n.Join(t.Context(), word); err == nil {
		t.Error("it joins twice")
	}
	officer, err := keys.Officer(alpha.opt.Config.OfficerKey)
	if err != nil || len(officer) == 0 {
		t.Fatal(err)
	}
	for _, m := range []*member{alpha, beta} {
		for _, secret := range []string{pass, word, word[6:40]} {
			if m.said.has(secret) {
				t.Errorf("%s logs a secret", m.name)
			}
		}
	}
}
