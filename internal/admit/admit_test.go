package admit

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/roster"
	"shieldwall/internal/stix"
	"shieldwall/internal/store/sqlite"
)

const (
	uuid1     = "11111111-1111-4111-8111-111111111111"
	uuid2     = "22222222-2222-4222-8222-222222222222"
	identityA = "identity--aaaaaaaa-1111-4111-8111-111111111111"
	identityB = "identity--bbbbbbbb-1111-4111-8111-111111111111"
	indicator = "indicator--" + uuid1
	statement = "marking-definition--" + uuid2
)

// box is a Box that hides nothing from those who know hexadecimal.
type box struct{}

func (box) Seal(plain []byte, place string) []byte {
	return fmt.Appendf(nil, "%s|%x", place, plain)
}

func (box) Open(sealed []byte, place string) ([]byte, error) {
	rest, ok := bytes.CutPrefix(sealed, []byte(place+"|"))
	if !ok {
		return nil, errors.New("wrong place")
	}
	return hex.DecodeString(string(rest))
}

type bench struct {
	t     *testing.T
	store *sqlite.Store
	gate  *Gate
}

func newBench(t *testing.T) *bench {
	t.Helper()
	store, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "x.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	members := policy.MembersOf(&roster.Roster{Version: 1, Members: []roster.Member{
		{ID: "me"}, {ID: "a", Identities: []string{identityA}}, {ID: "b", Identities: []string{identityB}},
		{ID: "limited", Types: []string{"malware"}}, {ID: "gone", Suspended: true},
	}})
	gate := New(Options{Self: "me", Members: func() *policy.Members { return members }, Box: box{}, Limits: stix.Limits{Object: 100_000},
		Now: func() time.Time { return time.Unix(1000, 0) }})
	return &bench{t, store, gate}
}

func (b *bench) do(fn func(tx *sqlite.Tx) error) error {
	return b.store.Update(context.Background(), fn)
}

func (b *bench) admit(p Provenance, raw string) ([]object.Change, error) {
	b.t.Helper()
	var changes []object.Change
	err := b.do(func(tx *sqlite.Tx) (err error) {
		changes, err = b.gate.Admit(tx, p, []byte(raw))
		return err
	})
	return changes, err
}

func (b *bench) must(p Provenance, raw string) []object.Change {
	b.t.Helper()
	changes, err := b.admit(p, raw)
	if err != nil {
		b.t.Fatal(err)
	}
	return changes
}

func (b *bench) refuses(reason Reason, p Provenance, raw string) {
	b.t.Helper()
	changes, err := b.admit(p, raw)
	var refused *Refused
	if !errors.As(err, &refused) || refused.Reason != reason || changes != nil {
		b.t.Errorf("got %v %v, want a refusal by %s", changes, err, reason)
	}
}

// live is what the store says counts, as publisher=name pairs.
func (b *bench) live() string {
	b.t.Helper()
	var out []string
	err := b.store.View(context.Background(), func(tx *sqlite.Tx) error {
		return tx.EachLive("", func(c object.Copy) error {
			c, err := b.gate.Open(c)
			if err != nil {
				return err
			}
			o, err := stix.Parse(c.Raw, stix.Limits{})
			out = append(out, fmt.Sprintf("%s=%s/%s", c.Publisher, o.Name, stix.TLP(c.TLP)))
			return err
		})
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func from(publisher string, index uint64, tlp stix.TLP, audience string) Provenance {
	return Provenance{Publisher: publisher, Place: object.Place{Log: publisher + "/log", Index: index}, TLP: tlp, Audience: audience, Via: "peer"}
}

func green(publisher string, index uint64) Provenance {
	return from(publisher, index, stix.Green, "alliance")
}

// version is an indicator of a day's version, with further members.
func version(day int, name, more string) string {
	return fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":"%s","created":"2024-01-01T00:00:00.000Z","modified":"2024-01-%02dT00:00:00.000Z",`+
		`"name":"%s","pattern":"p","pattern_type":"stix","valid_from":"2024-01-01T00:00:00Z"%s}`, indicator, day, name, more)
}

func TestNewestVersionWinsPerPublisher(t *testing.T) {
	b := newBench(t)
	got := b.must(green("a", 1), version(2, "two", ""))
	if len(got) != 1 || got[0].Live == nil || got[0].Key != (object.Key{Publisher: "a", ID: indicator}) || got[0].Live.Seq == 0 {
		t.Fatalf("first: %+v", got)
	}
	if string(got[0].Live.Raw) != version(2, "two", "") || got[0].Live.Modified != "2024-01-02T00:00:00" || got[0].Live.Index != 1 {
		t.Fatalf("copy: %+v", got[0].Live)
	}
	if got := b.must(green("a", 2), version(2, "two", "")); got != nil {
		t.Errorf("the same again: %+v", got)
	}
	if got := b.must(green("a", 3), version(1, "one", "")); got != nil {
		t.Errorf("an older version changed what counts: %+v", got)
	}
	if got := b.must(green("b", 1), version(1, "b's", "")); len(got) != 1 || got[0].Publisher != "b" {
		t.Errorf("another publisher's: %+v", got)
	}
	if got := b.must(green("a", 4), version(3, "three", "")); len(got) != 1 || !strings.Contains(string(got[0].Live.Raw), "three") {
		t.Errorf("newer: %+v", got)
	}
	if got, want := b.live(), "b=b's/GREEN a=three/GREEN"; got != want {
		t.Errorf("live: %s, want %s", got, want)
	}
}

func TestConflictIsByJSON(t *testing.T) {
	b := newBench(t)
	b.must(green("a", 1), version(2, "x", `,"confidence":50`))
	if got := b.must(green("a", 2), strings.Replace(version(2, "x", ""), `{"type"`, `{ "confidence" : 50, "type"`, 1)); got != nil {
		t.Errorf("another spelling: %+v", got)
	}
	b.refuses(ReasonConflict, green("a", 3), version(2, "y", ""))
	// Observables have no versions: the newest admitted counts.
	url := func(extra string) string {
		return `{"type":"url","id":"url--` + uuid1 + `","value":"http://a"` + extra + `}`
	}
	b.must(green("a", 4), url(""))
	if got := b.must(green("a", 5), url(`,"x_more":"1"`)); len(got) != 1 {
		t.Errorf("observable: %+v", got)
	}
	// Marking definitions cannot change at all.
	b.must(green("a", 6), marking("one"))
	b.refuses(ReasonConflict, green("a", 7), marking("two"))
}

func marking(text string) string {
	return `{"type":"marking-definition","spec_version":"2.1","id":"` + statement + `","created":"2024-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"` + text + `"}}`
}

func TestRevokedIsPermanent(t *testing.T) {
	b := newBench(t)
	b.must(green("a", 1), version(1, "one", ""))
	if got := b.must(green("a", 2), version(2, "two", `,"revoked":true`)); len(got) != 1 || got[0].Live != nil {
		t.Fatalf("revocation: %+v", got)
	}
	b.refuses(ReasonRevoked, green("a", 3), version(3, "three", ""))
	if got := b.must(green("b", 1), version(3, "b's", "")); len(got) != 1 {
		t.Errorf("another publisher's copy: %+v", got)
	}
	if got, want := b.live(), "b=b's/GREEN"; got != want {
		t.Errorf("live: %s, want %s", got, want)
	}
}

func TestLateRevocation(t *testing.T) {
	b := newBench(t)
	b.must(green("a", 1), version(3, "three", ""))
	if got := b.must(green("a", 2), version(2, "two", `,"revoked":true`)); len(got) != 1 || got[0].Live != nil {
		t.Fatalf("late revocation: %+v", got)
	}
	b.refuses(ReasonRevoked, green("a", 3), version(4, "four", ""))
	if got := b.live(); got != "" {
		t.Errorf("live: %s", got)
	}
}

func TestCreators(t *testing.T) {
	b := newBench(t)
	of := func(identity string) string { return `,"created_by_ref":"` + identity + `"` }
	b.must(green("a", 1), version(1, "own", of(identityA)))
	b.must(green("a", 2), version(2, "unbound", of("identity--"+uuid2)))
	b.refuses(ReasonCreator, green("b", 1), version(1, "forged", of(identityA)))
	b.refuses(ReasonCreator, green("b", 1), version(1, "forged", of("identity--AAAAAAAA-1111-4111-8111-111111111111")))
	b.refuses(ReasonCreator, Provenance{Publisher: object.Local, TLP: stix.Green, Audience: "member:me"}, version(1, "forged", of(identityA)))
	b.refuses(ReasonCreator, green("b", 1), `{"type":"identity","spec_version":"2.1","id":"`+identityA+`","created":"2024-01-01T00:00:00.000Z","modified":"2024-01-01T00:00:00.000Z","name":"not a"}`)
	b.refuses(ReasonType, green("limited", 1), version(1, "x", ""))
	b.refuses(ReasonType, green("gone", 1), version(1, "x", ""))
	b.refuses(ReasonType, green("stranger", 1), version(1, "x", ""))
	if got := b.must(green("b", 2), version(1, "own", of(identityA))); len(got) != 1 {
		t.Errorf("byte-identical from another: %+v", got)
	}
}

func TestReshareIsNotLooserThanTheOriginal(t *testing.T) {
	b := newBench(t)
	raw := version(1, "own", `,"created_by_ref":"`+identityA+`"`)
	b.must(from("a", 1, stix.Amber, "member:b,member:me"), raw)
	got := b.must(green("b", 1), raw)
	if len(got) != 1 || stix.TLP(got[0].Live.TLP) != stix.Amber {
		t.Errorf("re-shared: %+v", got)
	}
}

func TestMarkings(t *testing.T) {
	b := newBench(t)
	marked := func(ids ...string) string { return `,"object_marking_refs":["` + strings.Join(ids, `","`) + `"]` }
	tlpOf := func(changes []object.Change) stix.TLP {
		t.Helper()
		if len(changes) != 1 || changes[0].Live == nil {
			t.Fatalf("changes: %+v", changes)
		}
		return stix.TLP(changes[0].Live.TLP)
	}
	if got := tlpOf(b.must(green("a", 1), version(1, "x", marked(stix.Amber.MarkingID())))); got != stix.Amber {
		t.Errorf("own marking: %v", got)
	}
	if got := tlpOf(b.must(green("a", 2), version(2, "x", marked(statement)))); got != stix.Red {
		t.Errorf("unknown marking: %v", got)
	}
	b.must(green("b", 1), marking("b's"))
	if got := tlpOf(b.must(green("a", 3), version(3, "x", marked(statement)))); got != stix.Red {
		t.Errorf("marking defined by another: %v", got)
	}
	b.must(green("a", 4), marking("a's"))
	if got := tlpOf(b.must(green("a", 5), version(4, "x", marked(statement)))); got != stix.Green {
		t.Errorf("known marking without TLP: %v", got)
	}
	granular := `,"granular_markings":[{"selectors":["name"],"marking_ref":"` + stix.AmberStrict.MarkingID() + `"}]`
	if got := tlpOf(b.must(green("a", 6), version(5, "x", granular))); got != stix.AmberStrict {
		t.Errorf("granular: %v", got)
	}
	b.refuses(ReasonMarking, from("a", 7, stix.None, "alliance"), version(6, "x", ""))
	b.refuses(ReasonMarking, from("a", 7, stix.Green, ""), version(6, "x", ""))
	b.refuses(ReasonMarking, from("a", 7, stix.Green, "member:b,group:a"), version(6, "x", ""))
}

// An older version that comes late is under the newest version's marking at least.
func TestOlderVersionTakesTheNewestMarking(t *testing.T) {
	b := newBench(t)
	b.must(from("a", 1, stix.Amber, "member:me"), version(2, "two", ""))
	b.must(green("a", 2), version(1, "one", ""))
	err := b.store.View(context.Background(), func(tx *sqlite.Tx) error {
		copies, err := tx.PublisherCopies("a", indicator)
		if len(copies) != 2 || stix.TLP(copies[1].TLP) != stix.Amber {
			t.Errorf("copies: %+v", copies)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The same bytes for other readers are another copy: withdrawing one audience's entry must find it.
func TestOtherAudienceIsStored(t *testing.T) {
	b := newBench(t)
	b.must(from("a", 1, stix.Green, "member:me"), version(1, "x", ""))
	got := b.must(green("a", 2), version(1, "x", ""))
	if len(got) != 1 || got[0].Live.Audience != "alliance" || got[0].Live.Index != 2 {
		t.Errorf("wider: %+v", got)
	}
}

func TestStrictBodiesAreSealedInTheStore(t *testing.T) {
	for _, tlp := range []stix.TLP{stix.Amber, stix.AmberStrict, stix.Red} {
		b := newBench(t)
		raw := `{"type":"url","id":"url--` + uuid1 + `","value":"http://secret"}`
		got := b.must(from("a", 1, tlp, "member:me"), raw)
		if string(got[0].Live.Raw) != raw {
			t.Errorf("%v: the change is not in clear: %s", tlp, got[0].Live.Raw)
		}
		err := b.store.View(context.Background(), func(tx *sqlite.Tx) error {
			copies, err := tx.Copies("url--" + uuid1)
			if err != nil {
				return err
			}
			stored := copies[0]
			if clear := bytes.Contains(stored.Raw, []byte("secret")); clear != (tlp == stix.Amber) {
				t.Errorf("%v: in clear %v", tlp, clear)
			}
			open, err := b.gate.Open(stored)
			if string(open.Raw) != raw {
				t.Errorf("%v: opened %s", tlp, open.Raw)
			}
			if tlp != stix.Amber {
				stored.ID = "url--" + uuid2
				if _, err := b.gate.Open(stored); err == nil {
					t.Errorf("%v: a body opened as another object's", tlp)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := b.must(from("a", 2, tlp, "member:me"), raw); got != nil {
			t.Errorf("%v: again: %+v", tlp, got)
		}
	}
}

func TestWithdraw(t *testing.T) {
	b := newBench(t)
	b.must(green("a", 1), version(1, "a's", ""))
	b.must(green("b", 1), version(1, "b's", ""))
	withdraw := func(publisher string, index uint64, id string) (changes []object.Change, err error) {
		err = b.do(func(tx *sqlite.Tx) (err error) {
			changes, err = b.gate.Withdraw(tx, publisher, object.Place{Log: publisher + "/log", Index: index}, id)
			return err
		})
		return changes, err
	}
	got, err := withdraw("a", 1, indicator)
	if err != nil || len(got) != 1 || got[0].Live != nil || got[0].Publisher != "a" {
		t.Fatalf("withdrawal: %+v %v", got, err)
	}
	if got, err = withdraw("a", 1, indicator); err != nil || got != nil {
		t.Errorf("again: %+v %v", got, err)
	}
	if live := b.live(); live != "b=b's/GREEN" {
		t.Errorf("live: %s", live)
	}
	if got := b.must(green("a", 5), version(1, "a's", "")); len(got) != 1 || got[0].Live == nil {
		t.Errorf("shared again: %+v", got)
	}
	var refused *Refused
	if _, err := withdraw("a", 1, "nonsense"); !errors.As(err, &refused) {
		t.Errorf("nonsense: %v", err)
	}
	// Before its object, which may wait for a blob.
	if got, err := withdraw("b", 9, "malware--"+uuid1); err != nil || got != nil {
		t.Errorf("before: %+v %v", got, err)
	}
	late := `{"type":"malware","spec_version":"2.1","id":"malware--` + uuid1 + `","created":"2024-01-01T00:00:00.000Z","modified":"2024-01-01T00:00:00.000Z","name":"late","is_family":false}`
	if got := b.must(green("b", 8), late); got != nil {
		t.Errorf("late object lives: %+v", got)
	}
}

func TestRefusesBadInput(t *testing.T) {
	b := newBench(t)
	for _, raw := range []string{"", "null", "[]", `{"type":"indicator"}`, `{"type":"bundle","id":"bundle--` + uuid1 + `"}`,
		version(1, "x", `,"name":"twice"`), version(1, "\xff", ""), version(1, "x", `,"labels":[]`)} {
		b.refuses(ReasonInvalid, green("a", 1), raw)
	}
	b.refuses(ReasonInvalid, green("a", 1), version(1, strings.Repeat("x", 100_000), ""))
	huge, err := stix.Parse([]byte(version(1, strings.Repeat("x", 100_000), "")), stix.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var refused *Refused
	err = b.do(func(tx *sqlite.Tx) error {
		_, err := b.gate.AdmitObject(tx, green("a", 1), huge)
		return err
	})
	if !errors.As(err, &refused) || refused.Reason != ReasonSize {
		t.Errorf("huge: %v", err)
	}
}

// What others have published is let in although it breaks a MUST that nothing here relies on.
func TestBrokenIsLetIn(t *testing.T) {
	b := newBench(t)
	b.must(green("a", 1), version(1, "n", `,"lang":"english","Custom Name":[],"defanged":true`))
}

// A failure of the store or the box is no refusal.
func TestFailuresAreNotRefusals(t *testing.T) {
	b := newBench(t)
	broken := errors.New("disk")
	_, err := b.gate.Admit(brokenTx{err: broken}, green("a", 1), []byte(version(1, "x", "")))
	var refused *Refused
	if !errors.Is(err, broken) || errors.As(err, &refused) {
		t.Errorf("store: %v", err)
	}
	if _, err := b.gate.Open(object.Copy{Raw: []byte{sealedBody, 1, 2}}); err == nil || errors.As(err, &refused) {
		t.Errorf("box: %v", err)
	}
}

type brokenTx struct{ err error }

func (tx brokenTx) PublisherCopies(string, string) ([]object.Copy, error) { return nil, tx.err }
func (tx brokenTx) PutCopy(c object.Copy) (object.Copy, error)            { return c, tx.err }
func (tx brokenTx) Withdraw(string, string, object.Place) (int, error)    { return 0, tx.err }
func (tx brokenTx) Remove(string, string, []int64) error                  { return tx.err }

// FuzzAdmit: whatever the bytes, the gate answers or refuses, and what it stored is what came.
func FuzzAdmit(f *testing.F) {
	for _, s := range admitSeeds() {
		f.Add([]byte(s))
	}
	store, err := sqlite.Open(context.Background(), filepath.Join(f.TempDir(), "x.db"), sqlite.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { store.Close() })
	members := policy.MembersOf(&roster.Roster{Version: 1, Members: []roster.Member{{ID: "a"}}})
	gate := New(Options{Self: "me", Members: func() *policy.Members { return members }, Box: box{}, Now: func() time.Time { return time.Unix(1, 0) }})
	undo := errors.New("undo")
	f.Fuzz(func(t *testing.T, raw []byte) {
		err := store.Update(context.Background(), func(tx *sqlite.Tx) error {
			changes, err := gate.Admit(tx, green("a", 1), raw)
			var refused *Refused
			if err != nil && !errors.As(err, &refused) {
				t.Errorf("failed: %v", err)
			}
			for _, c := range changes {
				if c.Live != nil && !bytes.Equal(c.Live.Raw, raw) && stix.TLP(c.Live.TLP) < stix.AmberStrict {
					t.Errorf("stored %q of %q", c.Live.Raw, raw)
				}
			}
			return undo
		})
		if !errors.Is(err, undo) {
			t.Fatal(err)
		}
	})
}

func admitSeeds() []string {
	return []string{"", "{}", version(1, "x", ""), version(1, "x", `,"revoked":true`), version(1, "x", `,"created_by_ref":"`+identityA+`"`), marking("x"),
		version(1, "x", `,"object_marking_refs":["`+statement+`"]`), `{"type":"url","id":"url--` + uuid1 + `","value":"x"}`, `{"type":"bundle"}`, "\xff"}
}

func TestAdmitSeeds(t *testing.T) {
	if n := len(admitSeeds()); n < 10 {
		t.Fatalf("%d seeds, want at least 10", n)
	}
}
