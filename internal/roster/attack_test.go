package roster

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/canon"
)

// TestCeremony collects the signatures of two sets of officers in either order.
func TestCeremony(t *testing.T) {
	r1 := first(2, "x", "y", "z")
	one := signAll(t, r1, "x", "y")
	if s, err := Signatures(nil, one); err != nil || !s.Enough() || !slices.Equal(s.Own, []string{"x", "y"}) || s.OwnNeeded != 2 || s.BeforeNeeded != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	r2 := next(t, r1)
	r2.Officers = first(2, "v", "w").Officers
	msg, err := r2.Sign("v", key("officer v"))
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		officer  string
		own, old int
	}{{"x", 1, 1}, {"x", 1, 1}, {"w", 2, 1}, {"stranger", 2, 1}, {"z", 2, 2}} {
		if msg, err = Cosign(msg, step.officer, key("officer "+step.officer)); err != nil {
			t.Fatal(err)
		}
		s, err := Signatures(r1, msg)
		if err != nil || len(s.Own) != step.own || len(s.Before) != step.old {
			t.Fatalf("step %d: %+v, %v", i, s, err)
		}
		if _, err := VerifyNext(r1, msg); (err == nil) != s.Enough() {
			t.Fatalf("step %d: %+v, yet %v", i, s, err)
		}
	}
	for name, bad := range map[string][]byte{"no roster": []byte("x\n\n— y AAAA\n"), "empty": nil} {
		if _, err := Cosign(bad, "x", key("officer x")); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
	if _, err := Signatures(r1, one); err == nil {
		t.Error("version 1 was counted as what follows version 1")
	}
	if _, err := Signatures(nil, msg); err == nil {
		t.Error("version 2 was counted as the first")
	}
	if got, err := VerifyNext(r1, signAll(t, r2, "x", "y")); err == nil || got != nil {
		t.Errorf("the new officers did not sign, and %v came back with %v", got, err)
	}
}

// TestUpdateAttacks is the part of The Update Framework's list that a roster alone can show: freezing needs
// a clock and is the follower's.
func TestUpdateAttacks(t *testing.T) {
	r1 := first(2, "x", "y", "z")
	if _, _, err := VerifyFirst(signAll(t, r1, "x", "y")); err != nil {
		t.Fatal(err)
	}
	r2 := next(t, r1)
	r2.Members = r2.Members[:2] // c was removed
	two := signAll(t, r2, "x", "y")
	if _, err := VerifyNext(r1, two); err != nil {
		t.Fatal(err)
	}
	other := first(1, "x")
	other.Name = "another alliance"
	cases := map[string]struct {
		prev    *Roster
		edit    func(*Roster)
		signers []string
	}{
		"rollback":               {r2, func(r *Roster) { *r = *r1.Clone() }, []string{"x", "y"}},
		"the same again":         {r2, func(r *Roster) { *r = *r2.Clone() }, []string{"x", "y"}},
		"fast-forward":           {r1, func(r *Roster) { r.Version = 1 << 63 }, []string{"x", "y"}},
		"mix and match":          {other, func(*Roster) {}, []string{"x", "y"}},
		"too few signatures":     {r1, func(*Roster) {}, []string{"z"}},
		"lowered threshold":      {r1, func(r *Roster) { r.Threshold, r.Officers = 1, r.Officers[:1] }, []string{"x"}},
		"officers replaced":      {r1, func(r *Roster) { r.Officers = first(2, "v", "w").Officers }, []string{"v", "w"}},
		"replaced by one of two": {r1, func(r *Roster) { r.Officers = first(2, "v", "w").Officers }, []string{"x", "v", "w"}},
		"old ones appoint":       {r1, func(r *Roster) { r.Officers = first(2, "v", "w").Officers }, []string{"x", "y", "v"}},
		"clock set back":         {r1, func(r *Roster) { r.Issued = canon.At(t0.Add(-time.Second)) }, []string{"x", "y"}},
	}
	for name, c := range cases {
		r := r2.Clone()
		c.edit(r)
		if got, err := VerifyNext(c.prev, signAll(t, r, c.signers...)); err == nil || got != nil {
			t.Errorf("%s was accepted", name)
		}
	}
	// A key that changed hands keeps no vote under its old name.
	stolen := next(t, r1)
	msg, err := stolen.Sign("x", key("officer y"))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := Signatures(r1, msg); err != nil || len(s.Own)+len(s.Before) != 0 {
		t.Errorf("y's key signed for x: %+v, %v", s, err)
	}
}

// TestNotesAreBounded: a note gives up above 100 signatures and a roster above its size, before any
// signature is looked at.
func TestNotesAreBounded(t *testing.T) {
	r1 := first(1, "x")
	msg := signAll(t, r1, "x")
	line := func(i int) string {
		return fmt.Sprintf("— junk%d %s\n", i, base64.StdEncoding.EncodeToString([]byte{1, 2, 3, byte(i), 5, 6}))
	}
	for _, c := range []struct {
		more int
		ok   bool
	}{{99, true}, {100, false}} {
		many := bytes.Clone(msg)
		for i := range c.more {
			many = append(many, line(i)...)
		}
		if _, _, err := VerifyFirst(many); (err == nil) != c.ok {
			t.Errorf("%d signatures: %v", c.more+1, err)
		}
	}
	if _, _, err := VerifyFirst(append(bytes.Clone(msg), make([]byte, MaxRoster)...)); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("over the limit: %v", err)
	}
	big := first(1, "x")
	for i := range MaxMembers - 3 {
		m := member(fmt.Sprintf("m%d", i))
		m.Types = []string{strings.Repeat("t", maxTypeName), "x" + strings.Repeat("t", maxTypeName-1), "y" + strings.Repeat("t", maxTypeName-1), "z" + strings.Repeat("t", maxTypeName-1)}
		big.Members = append(big.Members, m)
	}
	if _, err := big.Sign("x", key("officer x")); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("an officer signed what nobody would read: %v", err)
	}
	for i := range big.Members {
		big.Members[i].Types = nil
	}
	full, err := big.Sign("x", key("officer x"))
	if err != nil {
		t.Fatalf("%d members: %v", len(big.Members), err)
	}
	if _, _, err := VerifyFirst(full); err != nil {
		t.Fatalf("%d members: %v", len(big.Members), err)
	}
}

// TestFormOfFields has what a roster may not say, one by one.
func TestFormOfFields(t *testing.T) {
	cases := map[string]func(*Roster){
		"escape in the name":     func(r *Roster) { r.Name = "a\x1b[2J" },
		"name too long":          func(r *Roster) { r.Name = strings.Repeat("a", maxAllianceName+1) },
		"version zero":           func(r *Roster) { r.Version = 0 },
		"first with previous":    func(r *Roster) { r.Previous = strings.Repeat("0", 64) },
		"second without":         func(r *Roster) { r.Version = 2 },
		"previous in upper case": func(r *Roster) { r.Version, r.Previous = 2, strings.Repeat("AB", 32) },
		"threshold over all":     func(r *Roster) { r.Threshold = 2 },
		"negative threshold":     func(r *Roster) { r.Threshold = -1 },
		"officer twice":          func(r *Roster) { r.Officers = first(2, "x", "x").Officers; r.Threshold = 2 },
		"officer of a bad name":  func(r *Roster) { r.Officers[0].Name = "x+y" },
		"no officers":            func(r *Roster) { r.Officers = nil },
		"too many groups": func(r *Roster) {
			for i := range MaxGroups {
				r.Groups = append(r.Groups, fmt.Sprintf("g%d", i))
			}
		},
		"group twice":           func(r *Roster) { r.Groups = append(r.Groups, "states") },
		"group taken":           func(r *Roster) { r.Groups = append(r.Groups, "alliance") },
		"too many keys":         func(r *Roster) { r.Members[0].Keys = slices.Repeat(r.Members[0].Keys, maxKeys+1) },
		"one key twice":         func(r *Roster) { r.Members[0].Keys = slices.Repeat(r.Members[0].Keys, 2) },
		"too many identities":   func(r *Roster) { r.Members[0].Identities = make([]string, maxIdentities+1) },
		"no identity":           func(r *Roster) { r.Members[0].Identities = []string{"malware--ca978112-1111-4111-8111-111111111111"} },
		"identity's upper case": func(r *Roster) { r.Members[0].Identities = []string{strings.ToUpper(identity("a"))} },
		"hex in upper case":     func(r *Roster) { r.Members[0].Identities = []string{"identity--CA978112-1111-4111-8111-111111111111"} },
		"identity's hyphens":    func(r *Roster) { r.Members[0].Identities = []string{"identity--ca9781121-111-4111-8111-111111111111"} },
		"identity too long":     func(r *Roster) { r.Members[0].Identities = []string{identity("a") + "0"} },
		"identity twice":        func(r *Roster) { r.Members[0].Identities = []string{identity("a"), identity("a")} },
		"too many types":        func(r *Roster) { r.Members[0].Types = make([]string, maxTypes+1) },
		"type twice":            func(r *Roster) { r.Members[0].Types = []string{"indicator", "indicator"} },
		"no type":               func(r *Roster) { r.Members[0].Types = []string{"Indicator"} },
		"type too long":         func(r *Roster) { r.Members[0].Types = []string{strings.Repeat("a", maxTypeName+1)} },
	}
	for name, edit := range cases {
		r := first(1, "x")
		edit(r)
		if r.check() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestNames(t *testing.T) {
	for _, ok := range []string{"a", "0", "a-b", "a-", strings.Repeat("a", MaxName)} {
		if err := CheckName(ok); err != nil {
			t.Errorf("%v", err)
		}
	}
	for _, bad := range []string{"", "-a", "A", "a_b", "a b", "a/b", "a+b", "a.b", "ä", "a\x00", "alliance", "everyone", strings.Repeat("a", MaxName+1)} {
		if CheckName(bad) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	for _, bad := range []string{"", "b", "b/", "/0f", "b/" + strings.Repeat("0F", 16), "b/" + strings.Repeat("0f", 15), logID + "0", "B" + logID[1:], logID + "\n", "everyone" + logID[1:]} {
		if CheckLogID(bad) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// TestCloneSharesNothing: what an officer does to the next roster leaves the one in force alone.
func TestCloneSharesNothing(t *testing.T) {
	r := first(1, "x")
	r.Members[0].Types = []string{"indicator"}
	before, err := r.Text()
	if err != nil {
		t.Fatal(err)
	}
	c := r.Clone()
	c.Officers[0].Name, c.Groups[0] = "y", "navy"
	m := &c.Members[0]
	m.ID, m.Identities[0], m.Groups[0], m.Types[0], m.Keys[0] = "q", "q", "q", "q", Key{}
	if after, err := r.Text(); err != nil || after != before {
		t.Fatalf("%s became %s", before, after)
	}
}

// TestKeysThatNobodyCanSealTo: one member's broken card must not fail a publication to all.
func TestKeysThatNobodyCanSealTo(t *testing.T) {
	good := sealing("hpke").Key
	edit := func(f func(k []byte)) []byte {
		k := bytes.Clone(good)
		f(k)
		return k
	}
	cases := map[string][]byte{
		"zero point":          edit(func(k []byte) { clear(k[1184:]) }),
		"point of order one":  edit(func(k []byte) { clear(k[1184:]); k[1184] = 1 }),
		"point of order four": edit(func(k []byte) { copy(k[1184:], bytes.Repeat([]byte{0xff}, 31)); k[1184], k[1215] = 0xec, 0x7f }),
		"coefficient over q":  edit(func(k []byte) { k[0], k[1] = 0xff, 0xff }),
		"cut":                 good[:1215],
	}
	if err := (Key{HPKE, good}).check("hpke", HPKE); err != nil {
		t.Fatal(err)
	}
	for name, k := range cases {
		if err := (Key{HPKE, k}).check("hpke", HPKE); err == nil {
			t.Errorf("%s was accepted", name)
		}
		if msg, _ := newCard(t, func(c *Card) { c.HPKE.Key = k }); msg != nil {
			if _, err := ParseCard(msg); err == nil {
				t.Errorf("a card with a key with a %s was accepted", name)
			}
		}
	}
}

// TestDelegateCannotOutliveItsDelegation: a stolen delegate key may give any date of issue.
func TestDelegateCannotOutliveItsDelegation(t *testing.T) {
	pinned := []Key{public(key("a"))}
	msg, c := newCard(t, func(c *Card) { c.Expires = canon.At(t0.Add(100 * time.Hour)) })
	if err := c.Verify(msg, alliance, pinned); err == nil || !strings.Contains(err.Error(), "outlives") {
		t.Errorf("err = %v", err)
	}
	signed, err := c.Sign(key("delegate"))
	if err != nil || !c.Expires.Equal(t0.Add(time.Hour)) {
		t.Fatalf("expires %s, %v", c.Expires, err)
	}
	if err := c.Verify(signed, alliance, pinned); err != nil {
		t.Error(err)
	}
	c.Issued = canon.At(t0.Add(time.Hour))
	if _, err := c.Sign(key("delegate")); err == nil || !strings.Contains(err.Error(), "recovery kit") {
		t.Errorf("signed with a delegation that has run out: %v", err)
	}
	// The identity itself is bound to no delegation's time.
	//lint:ignore SA4006 the first value is what the case begins with
	long, own := newCard(t, func(c *Card) { c.Expires = canon.At(t0.Add(100 * time.Hour)) })
	if long, err = sign(cardHeading, mustMarshal(t, own), "a/identity", key("a")); err != nil {
		t.Fatal(err)
	}
	if err := own.Verify(long, alliance, pinned); err != nil {
		t.Error(err)
	}
}

func TestCardAndNoteBelongTogether(t *testing.T) {
	pinned := []Key{public(key("a"))}
	msg, _ := newCard(t, nil)
	_, other := newCard(t, func(c *Card) { c.Endpoints = []string{"https://evil.example"} })
	if err := other.Verify(msg, alliance, pinned); err == nil || !strings.Contains(err.Error(), "another card") {
		t.Errorf("a card was verified by another one's note: %v", err)
	}
	if err := other.Verify(nil, alliance, pinned); err == nil {
		t.Error("a card was verified by nothing")
	}
}

// TestSignRefusesWhatNobodyReads: a mistake shows where it is made, not at the peers.
func TestSignRefusesWhatNobodyReads(t *testing.T) {
	for name, edit := range map[string]func(*Card){
		"no delegation":      func(c *Card) { c.Delegation = "" },
		"another's heading":  func(c *Card) { c.Delegation = strings.Replace(c.Delegation, "delegation v1", "delegation v2", 1) },
		"changed delegation": func(c *Card) { c.Delegation = strings.Replace(c.Delegation, "2026", "2036", 1) },
		"no alliance":        func(c *Card) { c.Alliance = "00" },
		"bad previous":       func(c *Card) { c.Sequence, c.Previous = 2, "zz" },
		"too large":          func(c *Card) { c.Endpoints = []string{"https://" + strings.Repeat("a", MaxCard)} },
		"reserved name":      func(c *Card) { c.Member = "everyone" },
	} {
		_, c := newCard(t, nil)
		edit(c)
		if _, err := c.Sign(key("delegate")); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
}

func TestDelegationRefuses(t *testing.T) {
	good := Delegation{Identity: public(key("a")), Delegate: public(key("delegate")), Recovery: sealing("recovery"), Expires: canon.At(t0)}
	for name, c := range map[string]struct {
		edit   func(*Delegation)
		signer ed25519.PrivateKey
	}{
		"another's signature": {func(*Delegation) {}, key("b")},
		"no delegate":         {func(d *Delegation) { d.Delegate = Key{} }, key("a")},
		"sealing delegate":    {func(d *Delegation) { d.Delegate = d.Recovery }, key("a")},
		"signing recovery":    {func(d *Delegation) { d.Recovery = d.Delegate }, key("a")},
		"unknown type":        {func(d *Delegation) { d.Identity.Type = "ed25519+mldsa65" }, key("a")},
	} {
		d := good
		c.edit(&d)
		msg, err := d.Sign(c.signer)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseDelegation(msg); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := ParseDelegation(make([]byte, maxDelegation+1)); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("err = %v", err)
	}
}

func TestReceiptRefuses(t *testing.T) {
	w := key("witness")
	for name, c := range map[string]struct {
		log  string
		size uint64
	}{"two lines in a log": {logID + "\n9", 1}, "no log": {"b", 1}, "a size that no log has": {logID, 1 << 63}} {
		if _, err := SignApplied("a", c.log, c.size, w); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
	for name, body := range map[string]string{
		"leading zero": logID + "\n017", "plus": logID + "\n+17", "negative": logID + "\n-1", "over int64": logID + "\n9223372036854775808",
		"a line more": logID + "\n17\nx", "a line less": logID, "no log": "b\n17",
	} {
		msg, err := sign(appliedHeading, []byte(body), "a/witness", w)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := VerifyApplied(msg, "a", public(w)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	msg, err := sign("shieldwall held v1", []byte(logID+"\n17"), "a/witness", w)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := VerifyApplied(msg, "a", public(w)); err == nil {
		t.Error("another statement of the same key was accepted")
	}
	if _, _, err := VerifyApplied(make([]byte, MaxReceipt+1), "a", public(w)); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("err = %v", err)
	}
	if _, _, err := VerifyApplied(nil, "a", Key{HPKE, public(w).Key}); err == nil || !strings.Contains(err.Error(), "type") {
		t.Errorf("err = %v", err)
	}
}

// TestMerge joins signatures that were made apart, and leaves out everything else.
func TestMerge(t *testing.T) {
	r1 := first(2, "x", "y", "z")
	r2 := next(t, r1)
	r2.Officers = first(2, "x", "w", "z").Officers
	by := func(r *Roster, name string) []byte {
		msg, err := r.Sign(name, key("officer "+name))
		if err != nil {
			t.Fatal(err)
		}
		return msg
	}
	spam := by(r2, "y")
	for i := range 20 {
		var err error
		if spam, err = Cosign(spam, fmt.Sprint("stranger-", i), key("stranger")); err != nil {
			t.Fatal(err)
		}
	}
	one, err := Merge(r1, by(r2, "x"), spam)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Merge(r1, spam, by(r2, "x"))
	if err != nil || !bytes.Equal(one, other) || bytes.Contains(one, []byte("stranger")) {
		t.Fatalf("%v: the order counts, or strangers do:\n%s\n%s", err, one, other)
	}
	if s, err := Signatures(r1, one); err != nil || s.Enough() || !slices.Equal(s.Before, []string{"x", "y"}) || !slices.Equal(s.Own, []string{"x"}) {
		t.Fatalf("%+v, %v", s, err)
	}
	if one, err = Merge(r1, one, by(r2, "w")); err != nil {
		t.Fatal(err)
	}
	if got, err := VerifyNext(r1, one); err != nil || got.Version != 2 {
		t.Fatalf("enough signed, and still: %v", err)
	}
	another := next(t, r1)
	another.Name = "another"
	for name, pair := range map[string][2][]byte{
		"two texts": {one, by(another, "x")}, "garbage": {one, []byte("x")}, "garbage first": {nil, one}, "not the next": {signAll(t, r1, "x"), one},
	} {
		if msg, err := Merge(r1, pair[0], pair[1]); err == nil {
			t.Errorf("%s: merged into %q", name, msg)
		}
	}
}

// TestChanges wants every field of a roster to be told: an officer signs what is shown.
func TestChanges(t *testing.T) {
	r1 := first(2, "x", "y", "z")
	r1.Groups = []string{"energy", "rail"}
	m := func(id string) Member {
		return Member{ID: id, Identities: []string{}, Keys: []Key{public(key("identity " + id))}, Groups: []string{}, Listed: r1.Issued, Types: []string{}}
	}
	r1.Members = []Member{m("a"), m("b")}
	uuid := "identity--00000000-0000-4000-8000-000000000001"
	for want, edit := range map[string]func(*Roster){
		`is called "new"`:                         func(r *Roster) { r.Name = "new" },
		"the roster expires on":                   func(r *Roster) { r.Expires = canon.At(r.Expires.Add(48 * time.Hour)) },
		"officer w is new, with the key ed25519:": func(r *Roster) { r.Officers[1] = Officer{"w", public(key("officer w"))} },
		"officer y is removed":                    func(r *Roster) { r.Officers[1] = Officer{"w", public(key("officer w"))} },
		"officer y has another key, ed25519:":     func(r *Roster) { r.Officers[1].Key = public(key("another")) },
		"3 of 3 officers must sign instead of 2":  func(r *Roster) { r.Threshold = 3 },
		"group ports is new":                      func(r *Roster) { r.Groups = append(r.Groups, "ports") },
		"group rail is dissolved":                 func(r *Roster) { r.Groups = r.Groups[:1] },
		"member c joins, in rail, with":           func(r *Roster) { c := m("c"); c.Groups = []string{"rail"}; r.Members = append(r.Members, c) },
		"member b is removed":                     func(r *Roster) { r.Members = r.Members[:1] },
		"member a has another identity key":       func(r *Roster) { r.Members[0].Keys = []Key{public(key("another"))} },
		"member a is suspended":                   func(r *Roster) { r.Members[0].Suspended = true },
		"member a is in rail instead of no group": func(r *Roster) { r.Members[0].Groups = []string{"rail"} },
		"may publish 7 entries a day instead":     func(r *Roster) { r.Members[0].Quota = 7 },
		"may publish indicator instead of all":    func(r *Roster) { r.Members[0].Types = []string{"indicator"} },
		"member a speaks for " + uuid:             func(r *Roster) { r.Members[0].Identities = []string{uuid} },
		"begins with 000000000000, is void":       func(r *Roster) { r.Rejects = []string{strings.Repeat("0", 64)} },
		"member a is listed since 2":              func(r *Roster) { r.Members[0].Listed = canon.At(r.Issued.Add(time.Hour)) },
	} {
		after := next(t, r1)
		before := len(Changes(r1, after))
		edit(after)
		if got := Changes(r1, after); !strings.Contains(strings.Join(got, "\n"), want) || len(got) <= before {
			t.Errorf("%q is not told: %q", want, got)
		}
	}
}

// TestDraftFile reads a draft back, and nothing else.
func TestDraftFile(t *testing.T) {
	r1 := first(1, "x")
	a, b := signAll(t, r1, "x"), signAll(t, next(t, r1), "x")
	file := func(a, b []byte) []byte { return DraftFile{Alliance: alliance, PrevNote: a, NextNote: b}.Encode() }
	data := file(a, b)
	d, err := DecodeDraft(data)
	if err != nil || d.Alliance != alliance || d.Prev.Version != 1 || d.Next.Version != 2 || !bytes.Equal(d.PrevNote, a) || !bytes.Equal(d.NextNote, b) {
		t.Fatalf("%+v, %v", d, err)
	}
	for name, bad := range map[string][]byte{
		"nothing": nil, "cut": data[:len(data)-1], "longer": append(slices.Clone(data), '\n'), "a roster": b,
		"the wrong way round": file(b, a), "twice the same": file(a, a),
		"another spelling": bytes.Replace(data, []byte("v1 "), []byte("v1  "), 1), "large": make([]byte, maxDraft+1),
		"no alliance": bytes.Replace(data, []byte(alliance), []byte("x"), 1),
	} {
		if _, err := DecodeDraft(bad); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}
