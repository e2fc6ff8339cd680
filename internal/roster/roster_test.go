package roster

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"shieldwall/internal/canon"
)

var t0 = time.Date(2026, 3, 2, 3, 11, 0, 0, time.UTC)

// key derives a key from a word, so that statements are the same in every run.
func key(word string) ed25519.PrivateKey {
	seed := make([]byte, 32)
	copy(seed, word)
	return ed25519.NewKeyFromSeed(seed)
}

func public(k ed25519.PrivateKey) Key { return Key{Ed25519, k.Public().(ed25519.PublicKey)} }

// sealing derives an HPKE key from a word.
func sealing(word string) Key {
	k, err := hpke.MLKEM768X25519().NewPrivateKey(key(word).Seed())
	if err != nil {
		panic(err) // a seed of 32 bytes is always a key
	}
	return Key{HPKE, k.PublicKey().Bytes()}
}

// identity derives a STIX identity's id from a member's.
func identity(id string) string {
	return fmt.Sprintf("identity--%x", sha256.Sum256([]byte(id)))[:18] + "-1111-4111-8111-111111111111"
}

func member(id string, groups ...string) Member {
	return Member{ID: id, Identities: []string{identity(id)}, Keys: []Key{public(key(id))}, Groups: append([]string{}, groups...), Listed: canon.At(t0), Types: []string{}}
}

func first(threshold int, officers ...string) *Roster {
	r := &Roster{Name: "test", Version: 1, Issued: canon.At(t0), Expires: canon.At(t0.Add(time.Hour)), Threshold: threshold, Groups: []string{"partners", "states"},
		Members: []Member{member("a", "states"), member("b", "partners"), member("c")}}
	for _, o := range officers {
		r.Officers = append(r.Officers, Officer{o, public(key("officer " + o))})
	}
	return r
}

func next(t *testing.T, r *Roster) *Roster {
	t.Helper()
	hash, err := r.Hash()
	if err != nil {
		t.Fatal(err)
	}
	n := r.Clone()
	n.Version, n.Previous = r.Version+1, hash
	return n
}

// signAll signs by several officers in one note.
func signAll(t *testing.T, r *Roster, officers ...string) []byte {
	t.Helper()
	text, err := r.Text()
	if err != nil {
		t.Fatal(err)
	}
	out := []byte(text + "\n")
	for _, o := range officers {
		n, err := r.Sign(o, key("officer "+o))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n[len(text)+1:]...)
	}
	return out
}

func TestChain(t *testing.T) {
	r1 := first(2, "x", "y", "z")
	got, id, err := VerifyFirst(signAll(t, r1, "x", "z"))
	if err != nil || len(id) != 64 {
		t.Fatalf("%v", err)
	}
	r2 := next(t, got)
	r2.Members = r2.Members[:2]
	if _, err := VerifyNext(got, signAll(t, r2, "y", "z")); err != nil {
		t.Fatal(err)
	}
	// New officers count only together with the old ones.
	r2.Officers = []Officer{{"x", public(key("officer x"))}, {"v", public(key("officer v"))}, {"w", public(key("officer w"))}}
	if _, err := VerifyNext(got, signAll(t, r2, "v", "w")); err == nil {
		t.Fatal("a roster without the old officers' signatures was accepted")
	}
	if _, err := VerifyNext(got, signAll(t, r2, "x", "v", "w")); err == nil {
		t.Fatal("one of the old officers is not enough")
	}
	both := first(2, "x", "y", "z").Officers
	r2.Officers = append(both[:2:2], Officer{"v", public(key("officer v"))})
	if _, err := VerifyNext(got, signAll(t, r2, "x", "y")); err != nil {
		t.Fatalf("x and y are enough of both: %v", err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	r1 := first(1, "x")
	if _, _, err := VerifyFirst(signAll(t, r1, "x")); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		edit    func(*Roster)
		signers []string
	}{
		"no signature":      {func(*Roster) {}, nil},
		"skipped version":   {func(r *Roster) { r.Version = 3 }, []string{"x"}},
		"replayed version":  {func(r *Roster) { r.Version = 1; r.Previous = "" }, []string{"x"}},
		"another past":      {func(r *Roster) { r.Previous = strings.Repeat("0", 64) }, []string{"x"}},
		"issued before":     {func(r *Roster) { r.Issued = canon.At(t0.Add(-time.Hour)) }, []string{"x"}},
		"another's signing": {func(r *Roster) {}, []string{"y"}},
	}
	for name, c := range cases {
		r := next(t, r1)
		c.edit(r)
		if len(c.signers) == 0 {
			text, _ := r.Text()
			other, err := note.Sign(&note.Note{Text: text}, mustSigner(t, "nobody"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := VerifyNext(r1, other); err == nil {
				t.Errorf("%s was accepted", name)
			}
			continue
		}
		if _, err := VerifyNext(r1, signAll(t, r, c.signers...)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	// One officer's signature given twice is one signature.
	two := first(2, "x", "y")
	twice := signAll(t, two, "x", "x")
	if _, _, err := VerifyFirst(twice); err == nil {
		t.Error("one officer counted twice")
	}
	// A changed text is not signed.
	msg := signAll(t, r1, "x")
	if _, _, err := VerifyFirst(bytes.Replace(msg, []byte(`"name":"test"`), []byte(`"name":"best"`), 1)); err == nil {
		t.Error("a changed roster was accepted")
	}
}

func mustSigner(t *testing.T, name string) note.Signer {
	t.Helper()
	skey, _, err := note.GenerateKey(nil, name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFormIsChecked(t *testing.T) {
	cases := map[string]func(*Roster){
		"threshold zero":       func(r *Roster) { r.Threshold = 0 },
		"half of the officers": func(r *Roster) { r.Officers = first(1, "x", "y").Officers; r.Threshold = 1 },
		"too many officers": func(r *Roster) {
			r.Officers, r.Threshold = nil, 9
			for i := range MaxOfficers + 1 {
				r.Officers = append(r.Officers, first(1, fmt.Sprintf("o%d", i)).Officers...)
			}
		},
		"officers of one key": func(r *Roster) {
			r.Officers = append(r.Officers, Officer{"y", r.Officers[0].Key})
			r.Threshold = 2
		},
		"unknown key type":   func(r *Roster) { r.Officers[0].Key.Type = "ed448" },
		"short key":          func(r *Roster) { r.Officers[0].Key.Key = []byte{1} },
		"expires at once":    func(r *Roster) { r.Expires = r.Issued },
		"no issue":           func(r *Roster) { r.Issued = canon.Time{} },
		"member as group":    func(r *Roster) { r.Groups = append(r.Groups, "a") },
		"member twice":       func(r *Roster) { r.Members = append(r.Members, r.Members[0]) },
		"group unknown":      func(r *Roster) { r.Members[0].Groups = []string{"navy"} },
		"group twice":        func(r *Roster) { r.Members[0].Groups = []string{"states", "states"} },
		"reserved name":      func(r *Roster) { r.Members[0].ID = "everyone" },
		"bad name":           func(r *Roster) { r.Members[0].ID = "A b" },
		"name with newline":  func(r *Roster) { r.Members[0].ID = "a\n" },
		"shared identity":    func(r *Roster) { r.Members[1].Identities = r.Members[0].Identities },
		"shared key":         func(r *Roster) { r.Members[1].Keys = r.Members[0].Keys },
		"no identity key":    func(r *Roster) { r.Members[0].Keys = nil },
		"HPKE as identity":   func(r *Roster) { r.Members[0].Keys = []Key{{HPKE, make([]byte, 1216)}} },
		"never listed":       func(r *Roster) { r.Members[0].Listed = canon.Time{} },
		"no alliance's name": func(r *Roster) { r.Name = "" },
		"too many members": func(r *Roster) {
			for i := range MaxMembers {
				r.Members = append(r.Members, member(fmt.Sprintf("m%d", i)))
			}
		},
	}
	for name, edit := range cases {
		r := first(1, "x")
		edit(r)
		if r.check() == nil {
			t.Errorf("%s was accepted", name)
		}
		if _, err := r.Sign("x", key("officer x")); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
}

func TestLookups(t *testing.T) {
	r := first(1, "x")
	r.Members[0].Suspended = true
	if len(r.InGroup("states")) != 0 || len(r.InGroup("partners")) != 1 || r.InGroup("navy") != nil || r.InGroup("") != nil {
		t.Error("groups")
	}
	if len(r.Active()) != 2 || r.Owner(identity("a")) != "a" || r.Owner("identity--q") != "" {
		t.Error("members")
	}
	if r.Expired(t0) || !r.Expired(t0.Add(time.Hour)) {
		t.Error("expiry")
	}
}

var alliance = strings.Repeat("a1", 32)

func newCard(t testing.TB, edit func(*Card)) ([]byte, *Card) {
	t.Helper()
	identity, delegate := key("a"), key("delegate")
	d, err := Delegation{Identity: public(identity), Delegate: public(delegate), Recovery: sealing("recovery"), Expires: canon.At(t0.Add(time.Hour))}.Sign(identity)
	if err != nil {
		t.Fatal(err)
	}
	c := &Card{Alliance: alliance, Member: "a", Sequence: 1, Issued: canon.At(t0), Expires: canon.At(t0.Add(time.Hour)), Delegation: string(d),
		TLS: public(key("tls")), HPKE: sealing("hpke"), Log: public(key("log")), Witness: public(key("witness")), Endpoints: []string{"https://127.0.0.1:1"}}
	if edit != nil {
		edit(c)
	}
	// Not by Sign, which refuses what these tests are about.
	msg, err := sign(cardHeading, mustMarshal(t, c), c.Member+"/delegate", delegate)
	if err != nil {
		t.Fatal(err)
	}
	return msg, c
}

func TestCard(t *testing.T) {
	pinned := []Key{public(key("a"))}
	msg, _ := newCard(t, nil)
	c, err := ParseCard(msg)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Verify(msg, alliance, pinned); err != nil {
		t.Fatal(err)
	}
	if err := c.Verify(msg, "11", pinned); err == nil {
		t.Error("accepted in another alliance")
	}
	if err := c.Verify(msg, alliance, []Key{public(key("b"))}); err == nil {
		t.Error("accepted for another identity")
	}
	if k, err := c.Recovery(); err != nil || k.Type != HPKE {
		t.Errorf("recovery: %v", err)
	}
	late, cl := newCard(t, func(c *Card) { c.Issued = canon.At(t0.Add(time.Hour)); c.Expires = canon.At(t0.Add(2 * time.Hour)) })
	if err := cl.Verify(late, alliance, pinned); err == nil || !strings.Contains(err.Error(), "delegation") {
		t.Errorf("a delegate signed after its time: %v", err)
	}
	body := msg[:bytes.Index(msg, []byte("\n\n"))+2]
	stranger, err := c.Sign(key("stranger"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Verify(append(bytes.Clone(body), stranger[len(body):]...), alliance, pinned); !errors.Is(err, errSignature) {
		t.Errorf("a stranger's signature: %v", err)
	}
	b := &Card{}
	*b = *c
	own, err := sign(cardHeading, mustMarshal(t, b), "a/identity", key("a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Verify(own, alliance, pinned); err != nil {
		t.Errorf("the identity itself may sign: %v", err)
	}
}

func mustMarshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := canon.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCardForm(t *testing.T) {
	cases := map[string]func(*Card){
		"sequence zero":      func(c *Card) { c.Sequence = 0 },
		"second without":     func(c *Card) { c.Sequence = 2 },
		"first with":         func(c *Card) { c.Previous = "00" },
		"http":               func(c *Card) { c.Endpoints = []string{"http://x"} },
		"query":              func(c *Card) { c.Endpoints = []string{"https://x?y"} },
		"password":           func(c *Card) { c.Endpoints = []string{"https://u:p@x"} },
		"too many endpoints": func(c *Card) { c.Endpoints = make([]string, maxEndpoints+1) },
		"HPKE as log":        func(c *Card) { c.Log = c.HPKE },
		"short HPKE":         func(c *Card) { c.HPKE.Key = c.HPKE.Key[1:] },
		"never expires":      func(c *Card) { c.Expires = canon.Time{} },
	}
	for name, edit := range cases {
		msg, _ := newCard(t, edit)
		if _, err := ParseCard(msg); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := ParseCard(make([]byte, MaxCard+1)); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("err = %v", err)
	}
}

func token() Token {
	return Token{Alliance: strings.Repeat("ab", 32), Version: 3, Hash: strings.Repeat("cd", 32), Endpoints: []string{"https://127.0.0.1:1"}, Pins: []string{strings.Repeat("ef", 32)},
		Name: "b", Groups: []string{"states"}, Expires: canon.At(t0), Secret: []byte("0123456789abcdef")}
}

func TestToken(t *testing.T) {
	word, err := token().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseToken(" " + word + "\n")
	if err != nil || got.Name != "b" || !got.Expired(t0) || got.Expired(t0.Add(-time.Second)) {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "swt1.", word[1:], word[:len(word)-1], word + "A", "swt1." + strings.Repeat("A", maxToken)} {
		if _, err := ParseToken(bad); err == nil || strings.Contains(err.Error(), "0123456789abcdef") {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	for name, edit := range map[string]func(*Token){
		"short secret": func(t *Token) { t.Secret = t.Secret[1:] }, "no pin": func(t *Token) { t.Pins = nil },
		"bad pin": func(t *Token) { t.Pins = []string{"zz"} }, "upper-case pin": func(t *Token) { t.Pins = []string{strings.Repeat("EF", 32)} },
		"bad group": func(t *Token) { t.Groups = []string{"a b"} }, "no https": func(t *Token) { t.Endpoints = []string{"http://x"} }, "no version": func(t *Token) { t.Version = 0 },
		"too many endpoints": func(t *Token) { t.Endpoints = slices.Repeat(t.Endpoints, maxEndpoints+1) }, "too long": func(t *Token) { t.Pins = slices.Repeat(t.Pins, 200) },
		"bad name": func(t *Token) { t.Name = "B" }, "no endpoint": func(t *Token) { t.Endpoints = nil },
	} {
		tk := token()
		edit(&tk)
		word, err := tk.Encode()
		if err == nil {
			t.Errorf("%s was made: %s", name, word)
		}
		if _, err := ParseToken(tokenPrefix + base64.RawURLEncoding.EncodeToString(mustMarshal(t, tk))); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	h := token().SecretHash()
	p := Proof(h, []byte("exporter"), []byte("card"))
	if !ProofHolds(p, h, []byte("exporter"), []byte("card")) || ProofHolds(p, h, []byte("exportes"), []byte("card")) || ProofHolds(p, h, []byte("exporter"), []byte("cars")) || ProofHolds(nil, h, nil, nil) {
		t.Error("proof")
	}
}

var logID = "b/" + strings.Repeat("0f", 16)

func TestReceipt(t *testing.T) {
	msg, err := SignApplied("a", logID, 17, key("witness"))
	if err != nil {
		t.Fatal(err)
	}
	if log, size, err := VerifyApplied(msg, "a", public(key("witness"))); err != nil || log != logID || size != 17 {
		t.Fatalf("%s %d %v", log, size, err)
	}
	if _, _, err := VerifyApplied(msg, "a", public(key("other"))); err == nil {
		t.Error("another key's receipt was accepted")
	}
	if _, _, err := VerifyApplied(msg, "b", public(key("witness"))); err == nil {
		t.Error("another member's receipt was accepted")
	}
	if _, _, err := VerifyApplied(bytes.Replace(msg, []byte("17"), []byte("18"), 1), "a", public(key("witness"))); err == nil {
		t.Error("a changed receipt was accepted")
	}
}

func statements(t testing.TB) [][]byte {
	msg, _ := newCard(t, nil)
	r, err := first(1, "x").Sign("x", key("officer x"))
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := SignApplied("a", logID, 1, key("witness"))
	if err != nil {
		t.Fatal(err)
	}
	word, err := token().Encode()
	if err != nil {
		t.Fatal(err)
	}
	one, two := chain(t)
	_, c := newCard(t, nil)
	return [][]byte{msg, r, receipt, []byte(word), []byte(c.Delegation), one, two, DraftFile{Alliance: alliance, PrevNote: one, NextNote: two}.Encode(), []byte("shieldwall roster v1\n{}\n\n— x AAAA\n"), nil}
}

func TestSeeds(t *testing.T) {
	if n := len(statements(t)); n < 10 {
		t.Fatalf("%d seeds", n)
	}
}

func FuzzStatements(f *testing.F) {
	for _, s := range statements(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := ParseRoster(data); err == nil {
			text, err := r.Text()
			if err != nil || !bytes.HasPrefix(data, []byte(text+"\n")) {
				t.Fatalf("a roster has two spellings: %q (%v)", data, err)
			}
		}
		if c, err := ParseCard(data); err == nil {
			c.Verify(data, alliance, nil)
		}
		if d, err := ParseDelegation(data); err == nil {
			if b := mustMarshal(t, d); !bytes.HasPrefix(data, []byte(delegationHeading+"\n"+string(b)+"\n\n")) {
				t.Fatalf("a delegation has two spellings: %q", data)
			}
		}
		if _, _, err := VerifyFirst(data); err == nil {
			if s, err := Signatures(nil, data); err != nil || !s.Enough() {
				t.Fatalf("verified with %+v, %v", s, err)
			}
		}
		if d, err := DecodeDraft(data); err == nil && !bytes.Equal(d.Encode(), data) {
			t.Fatalf("a draft has two spellings: %q", data)
		}
		VerifyApplied(data, "a", public(key("witness")))
		if tk, err := ParseToken(string(data)); err == nil {
			if word, err := tk.Encode(); err != nil || word != strings.TrimSpace(string(data)) {
				t.Fatalf("a token has two spellings: %q (%v)", data, err)
			}
		}
	})
}
