package federation

import (
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shieldwall/internal/canon"
	"shieldwall/internal/merkle"
	"shieldwall/internal/roster"
)

var t0 = time.Date(2026, 3, 2, 3, 11, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// seeded derives a key from a word, so that every run has the same ones.
func seeded(word string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte(word))
	return ed25519.NewKeyFromSeed(sum[:])
}

func public(word string) roster.Key {
	return roster.Key{Type: roster.Ed25519, Key: seeded(word).Public().(ed25519.PublicKey)}
}

var sharedHPKE = sync.OnceValue(func() roster.Key {
	key := must(hpke.MLKEM768X25519().GenerateKey())
	return roster.Key{Type: roster.HPKE, Key: key.PublicKey().Bytes()}
})

func pinOf(k roster.Key) (string, error) {
	sum := sha256.Sum256(k.Key)
	return hex.EncodeToString(sum[:]), nil
}

func pin(word string) string { return must(pinOf(public(word))) }

func listedMember(id string) roster.Member {
	return roster.Member{ID: id, Identities: []string{}, Keys: []roster.Key{public("identity " + id)}, Groups: []string{}, Listed: canon.At(t0), Types: []string{}}
}

func firstRoster(members ...string) *roster.Roster {
	r := &roster.Roster{Name: "test", Version: 1, Issued: canon.At(t0), Expires: canon.At(t0.Add(100 * 24 * time.Hour)), Threshold: 1,
		Officers: []roster.Officer{{Name: "x", Key: public("officer x")}}, Groups: []string{}}
	for _, m := range members {
		r.Members = append(r.Members, listedMember(m))
	}
	return r
}

// following makes the next version.
func following(r *roster.Roster, edit func(*roster.Roster)) *roster.Roster {
	next := r.Clone()
	next.Version, next.Previous = r.Version+1, must(r.Hash())
	edit(next)
	return next
}

func same(*roster.Roster) {}

func signed(r *roster.Roster) []byte { return must(r.Sign("x", seeded("officer x"))) }

// cardOf makes a member's card; edit may change what it says before it is signed.
func cardOf(m *Membership, member string, edit func(*roster.Card)) []byte {
	return must(cardBody(m, member, edit).Sign(seeded("delegate " + member)))
}

func delegationOf(identity, delegate string) string {
	d := roster.Delegation{Identity: public(identity), Delegate: public(delegate), Recovery: sharedHPKE(), Expires: canon.At(t0.Add(1000 * time.Hour))}
	return string(must(d.Sign(seeded(identity))))
}

func cardBody(m *Membership, member string, edit func(*roster.Card)) *roster.Card {
	c := &roster.Card{
		Alliance: m.Alliance, Member: member, Sequence: 1, Issued: canon.At(t0), Expires: canon.At(t0.Add(24 * time.Hour)),
		Delegation: delegationOf("identity "+member, "delegate "+member), TLS: public("tls " + member), HPKE: sharedHPKE(),
		Log: public("log " + member), Witness: public("witness " + member), Endpoints: []string{"https://" + member + ":1"},
	}
	if prev := m.Card(member); prev != nil {
		c.Sequence, c.Previous = prev.Sequence+1, m.CardHash(member)
	}
	if edit != nil {
		edit(c)
	}
	return c
}

// founded is an alliance whose members all have a card.
func founded(t *testing.T, denied []string, members ...string) (*Membership, *roster.Roster) {
	t.Helper()
	r := firstRoster(members...)
	m := must(Found(signed(r), denied, pinOf))
	for _, id := range members {
		m = withCard(t, m, cardOf(m, id, nil))
	}
	return m, r
}

func withCard(t *testing.T, m *Membership, note []byte) *Membership {
	t.Helper()
	next, _, err := m.WithCard(note, t0)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestRosters(t *testing.T) {
	m, r1 := founded(t, nil, "a", "b")
	r2 := following(r1, func(r *roster.Roster) { r.Members = append(r.Members, listedMember("c")) })
	m2 := must(m.WithRoster(signed(r2)))
	if m2.Roster.Version != 2 || m2.Hash != must(r2.Hash()) || m2.Alliance != m.Alliance || m2.CardHash("a") != m.CardHash("a") {
		t.Fatalf("%+v", m2)
	}
	if m.Roster.Version != 1 {
		t.Fatal("the membership before was changed")
	}
	cases := map[string]struct {
		note  []byte
		known bool
		want  string
	}{
		"the same":         {signed(r2), true, "known already"},
		"rollback":         {signed(r1), true, "known already"},
		"skip":             {signed(following(following(r2, same), same)), false, "does not follow"},
		"fork":             {signed(following(r1, func(r *roster.Roster) { r.Name = "another" })), false, "another version 2"},
		"off the fork":     {signed(following(following(r1, func(r *roster.Roster) { r.Name = "another" }), same)), false, "does not continue"},
		"another officer":  {must(following(r2, same).Sign("y", seeded("officer y"))), false, "signatures"},
		"another alliance": {signed(following(following(firstRoster("z"), same), same)), false, "does not continue"},
		"garbage":          {[]byte("x"), false, "roster"},
		"nothing":          {nil, false, "roster"},
	}
	for name, c := range cases {
		next, err := m2.WithRoster(c.note)
		if err == nil || next != nil || errors.Is(err, ErrKnown) != c.known || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Found(signed(r2), nil, pinOf); err == nil {
		t.Error("an alliance was founded by roster 2")
	}
	if next, err := m2.WithRoster(signed(following(r2, same))); err != nil || next.Roster.Version != 3 {
		t.Errorf("the next one: %v", err)
	}
}

func TestCards(t *testing.T) {
	m, _ := founded(t, nil, "a", "b")
	if _, known := m.Roster.Member("a"); !known || m.Card("a").Sequence != 1 || m.Card("c") != nil || m.CardHash("c") != "" {
		t.Fatal("cards")
	}
	newer := cardOf(m, "a", func(c *roster.Card) { c.TLS = public("tls a 2") })
	m2 := withCard(t, m, newer)
	if m2.Card("a").Sequence != 2 || m.Card("a").Sequence != 1 || m2.Sequences()["a"] != 2 {
		t.Fatal("the newer card is not in force")
	}
	if id, err := m2.Identify(pin("tls a 2")); err != nil || id != "a" {
		t.Fatalf("the new key: %q, %v", id, err)
	}
	if id, err := m2.Identify(pin("tls a")); err == nil {
		t.Fatalf("the old key still counts as %q", id)
	}
	at := func(sequence uint64, previous string) func(*roster.Card) {
		return func(c *roster.Card) { c.Sequence, c.Previous = sequence, previous }
	}
	any64 := strings.Repeat("0", 64)
	cases := map[string]struct {
		note  []byte
		known bool
		want  string // empty: it is taken
	}{
		"the same":         {newer, true, "known already"},
		"older":            {cardOf(m, "a", at(1, "")), true, "is newer"},
		"another of one":   {cardOf(m, "a", func(c *roster.Card) { c.Endpoints = nil }), false, "two different cards 2"},
		"next":             {cardOf(m2, "a", nil), false, ""},
		"next, other past": {cardOf(m2, "a", at(3, any64)), false, "does not continue"},
		"after a gap":      {cardOf(m2, "a", at(9, any64)), false, ""},
		"expired": {cardOf(m2, "a", func(c *roster.Card) {
			c.Issued, c.Expires = canon.At(t0.Add(-2*time.Hour)), canon.At(t0.Add(-time.Hour))
		}), false, "has expired"},
		"expires now":         {cardOf(m2, "a", func(c *roster.Card) { c.Issued, c.Expires = canon.At(t0.Add(-time.Hour)), canon.At(t0) }), false, "has expired"},
		"of no member":        {cardOf(m2, "z", nil), false, "not in roster"},
		"another's TLS key":   {cardOf(m2, "a", func(c *roster.Card) { c.TLS = public("tls b") }), false, "TLS key of b"},
		"another alliance":    {cardOf(m2, "a", func(c *roster.Card) { c.Alliance = any64 }), false, "another alliance"},
		"another's delegate":  {must(cardBody(m2, "a", nil).Sign(seeded("delegate b"))), false, "not signed"},
		"identity not pinned": {cardOf(m2, "a", func(c *roster.Card) { c.Delegation = delegationOf("identity z", "delegate a") }), false, "not the one that the roster pins"},
		"garbage":             {[]byte("x"), false, "card"},
		"nothing":             {nil, false, "card"},
	}
	for name, c := range cases {
		next, card, err := m2.WithCard(c.note, t0)
		switch {
		case c.want == "" && (err != nil || next.Card("a").Sequence != card.Sequence):
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || next != nil || errors.Is(err, ErrKnown) != c.known || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v", name, err)
		}
	}
	// Read back from a store, an expired card still names its log.
	if next, _, err := m2.WithCard(cardOf(m2, "a", nil), time.Time{}); err != nil || next.Card("a") == nil {
		t.Errorf("without a clock: %v", err)
	}
}

func TestIdentify(t *testing.T) {
	m, r1 := founded(t, []string{"denied", "unlisted"}, "a", "removed", "suspended", "denied")
	m = must(m.WithRoster(signed(following(r1, func(r *roster.Roster) {
		r.Members[2].Suspended = true
		r.Members = slices.Delete(r.Members, 1, 2)
	}))))
	for name, c := range map[string]struct{ tls, id, want string }{
		"member":    {"tls a", "a", ""},
		"stranger":  {"tls z", "", "is in no card of the alliance \"test\""},
		"removed":   {"tls removed", "removed", "is no member any more: roster version 2"},
		"suspended": {"tls suspended", "suspended", "is suspended by roster version 2"},
		"denied":    {"tls denied", "denied", "denied by this node's own configuration"},
	} {
		id, err := m.Identify(pin(c.tls))
		if id != c.id || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v", name, id, err)
		}
		if c.id != "" && m.Deals(c.id) != (c.want == "") {
			t.Errorf("%s: deals %v", name, m.Deals(c.id))
		}
	}
	if _, err := m.Identify(""); err == nil {
		t.Error("no key at all was identified")
	}
	if m.Deals("nobody") || m.Deals("unlisted") {
		t.Error("deals with who is not listed")
	}
}

// TestReplacedIdentity has officers pin another identity key to a name: nothing that the old key vouched for
// counts any more.
func TestReplacedIdentity(t *testing.T) {
	m, r1 := founded(t, nil, "a", "b")
	stolen := cardOf(m, "a", func(c *roster.Card) { c.Sequence, c.Previous = 1000, strings.Repeat("0", 64) })
	m = withCard(t, m, stolen)
	rekeyed := following(r1, func(r *roster.Roster) {
		r.Members[0].Keys = []roster.Key{public("identity a 2")}
	})
	m2 := must(m.WithRoster(signed(rekeyed)))
	if id, err := m2.Identify(pin("tls a")); err == nil || m2.Card("a") != nil || len(m2.Peers("")) != 1 || m2.CardHash("a") != "" {
		t.Fatalf("the stolen key still counts as %q", id)
	}
	if _, _, err := m2.WithCard(stolen, t0); err == nil {
		t.Fatal("the stolen card came back")
	}
	if m.Card("a") == nil || m2.Card("b") == nil {
		t.Fatal("other cards went, too")
	}
	// The true owner begins anew, also with the TLS key it had.
	fresh := cardOf(m2, "a", func(c *roster.Card) { c.Delegation = delegationOf("identity a 2", "delegate a") })
	m3 := withCard(t, m2, fresh)
	if id, err := m3.Identify(pin("tls a")); err != nil || id != "a" {
		t.Fatalf("%q, %v", id, err)
	}
	// A second pinned key beside the old one keeps the card.
	both := must(m.WithRoster(signed(following(r1, func(r *roster.Roster) {
		r.Members[0].Keys = append([]roster.Key{public("identity a 2")}, r.Members[0].Keys...)
	}))))
	if both.Card("a") == nil {
		t.Fatal("a key that is still pinned was dropped")
	}
}

// TestNameGivenToAnother lists a removed member's name again with another organisation's key.
func TestNameGivenToAnother(t *testing.T) {
	m, r1 := founded(t, nil, "a", "b")
	without := following(r1, func(r *roster.Roster) { r.Members = r.Members[1:] })
	m = must(m.WithRoster(signed(without)))
	again := following(without, func(r *roster.Roster) {
		other := listedMember("a")
		other.Keys = []roster.Key{public("identity of another")}
		r.Members = append(r.Members, other)
	})
	m = must(m.WithRoster(signed(again)))
	if id, err := m.Identify(pin("tls a")); err == nil {
		t.Fatalf("the first owner's key counts as %q", id)
	}
	if m.Card("a") != nil || len(m.Endpoints("a")) != 0 || len(m.Pins("a")) != 0 {
		t.Fatal("the first owner's card is in force for the second")
	}
}

func TestPeers(t *testing.T) {
	m, r1 := founded(t, []string{"d"}, "me", "a", "b", "c", "d", "e")
	m = must(m.WithRoster(signed(following(r1, func(r *roster.Roster) {
		r.Members[2].Suspended = true                           // b
		r.Members = append(r.Members[:3:3], r.Members[4:]...)   // without c
		r.Members = append(r.Members, listedMember("cardless")) // has none
	}))))
	got := m.Peers("me")
	if len(got) != 2 || got[0].Member != "a" || got[1].Member != "e" {
		t.Fatalf("%+v", got)
	}
	if want := merkle.LogID("a", public("log a").Key); got[0].Log != want {
		t.Fatalf("log %s, want %s", got[0].Log, want)
	}
	if s := m.Sequences(); len(s) != 5 || s["c"] != 0 {
		t.Fatalf("sequences %v", s)
	}
	if e := m.Endpoints("a"); !slices.Equal(e, []string{"https://a:1"}) || m.Endpoints("cardless") != nil {
		t.Fatalf("endpoints %v", e)
	}
	if p := m.Pins("a"); !slices.Equal(p, []string{pin("tls a")}) || m.Pins("cardless") != nil {
		t.Fatalf("pins %v", p)
	}
}

func TestLogVerifier(t *testing.T) {
	m, _ := founded(t, nil, "a", "b")
	log := m.Peers("b")[0].Log
	v, err := m.LogVerifier("a", log)
	if err != nil {
		t.Fatal(err)
	}
	head := func(size uint64) []byte {
		return must(merkle.SignCheckpoint(merkle.Checkpoint{Origin: log, Size: size, Root: merkle.EmptyRoot()}, must(merkle.NewSigner(log, seeded("log a")))))
	}
	if h, err := v.Head(head(MaxSize)); err != nil || h.Size != MaxSize {
		t.Fatalf("%+v, %v", h, err)
	}
	if _, err := v.Head(head(MaxSize + 1)); err == nil || !strings.Contains(err.Error(), "over the limit") {
		t.Fatalf("a head without end: %v", err)
	}
	for member, log := range map[string]string{"a": "a/00", "b": log, "z": log} {
		if _, err := m.LogVerifier(member, log); err == nil {
			t.Errorf("heads of %s are checked for %s", log, member)
		}
	}
	// A new card's log is the one that counts.
	m = withCard(t, m, cardOf(m, "a", func(c *roster.Card) { c.Log = public("log a 2") }))
	if _, err := m.LogVerifier("a", log); err == nil {
		t.Error("the log of the card before is still followed")
	}
}

func TestWarnings(t *testing.T) {
	officers := func(r *roster.Roster) {
		r.Threshold = 2
		r.Officers = append(r.Officers, roster.Officer{Name: "y", Key: public("officer y")}, roster.Officer{Name: "z", Key: public("officer z")})
	}
	three, suspended := firstRoster("a", "b", "c"), firstRoster("a", "b", "c")
	suspended.Members[0].Suspended = true
	strict := firstRoster("a", "b", "c")
	officers(strict)
	expires := three.Expires.Time
	for name, c := range map[string]struct {
		r    *roster.Roster
		now  time.Time
		want []string
	}{
		"two members":             {firstRoster("a", "b"), t0, nil},
		"three members":           {three, t0, []string{"one officer alone"}},
		"three, one suspended":    {suspended, t0, nil},
		"two of three officers":   {strict, t0, nil},
		"expires in 30 days":      {strict, expires.Add(-30 * 24 * time.Hour), nil},
		"expires in less":         {strict, expires.Add(-30*24*time.Hour + time.Second), []string{"the roster expires on"}},
		"expired now":             {strict, expires, []string{"membership is frozen"}},
		"expired, alone":          {three, expires.Add(time.Hour), []string{"one officer alone", "membership is frozen"}},
		"a clock that is far off": {strict, time.Time{}, nil},
	} {
		m := &Membership{Roster: c.r}
		got := m.Warnings(c.now)
		if len(got) != len(c.want) {
			t.Errorf("%s: %v", name, got)
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], c.want[i]) {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
}
