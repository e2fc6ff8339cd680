package admit

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/roster"
	"shieldwall/internal/stix"
	"shieldwall/internal/store/sqlite"
)

// postedBy is a posting of a token's holder.
func postedBy(holder string, stranger bool) Provenance {
	return Provenance{Publisher: object.Posted(holder), TLP: stix.AmberStrict, Audience: "member:me", Via: "taxii", Stranger: stranger}
}

func (b *bench) remove(publisher, id string, seqs ...int64) (changes []object.Change, err error) {
	b.t.Helper()
	err = b.do(func(tx *sqlite.Tx) (err error) {
		changes, err = b.gate.Remove(tx, publisher, id, seqs)
		return err
	})
	return changes, err
}

// What holders post is apart from everything else, and at least AMBER+STRICT.
func TestPosted(t *testing.T) {
	b := newBench(t)
	clear := `,"object_marking_refs":["` + stix.Clear.MarkingID() + `"]`
	b.must(postedBy("bank", true), version(1, "bank", clear))
	b.must(postedBy("shop", true), version(1, "shop", ""))
	b.must(postedBy("shop", true), version(2, "shop", `,"revoked":true`))
	b.must(green("a", 1), version(1, "a", ""))
	b.must(postedBy("bank", true), version(3, "bank3", ""))
	if got := b.live(); got != "a=a/GREEN local:bank=bank3/AMBER+STRICT" {
		t.Errorf("live: %s", got)
	}
	b.refuses(ReasonRevoked, postedBy("shop", true), version(3, "shop", ""))
	b.refuses(ReasonConflict, postedBy("bank", true), version(3, "other", ""))
}

// A stranger speaks for no member, this one included; who is of this member speaks for it alone.
func TestWhoSpeaks(t *testing.T) {
	b := newBench(t)
	const mine = "identity--cccccccc-1111-4111-8111-111111111111"
	members := policy.MembersOf(&roster.Roster{Version: 1, Members: []roster.Member{{ID: "me", Identities: []string{mine}}, {ID: "a", Identities: []string{identityA}}}})
	b.gate.opt.Members = func() *policy.Members { return members }
	by := func(identity string) string { return fmt.Sprintf(`,"created_by_ref":%q`, identity) }
	b.must(postedBy("soc", false), version(1, "x", by(mine)))
	b.refuses(ReasonCreator, postedBy("bank", true), version(1, "x2", by(mine)))
	b.refuses(ReasonCreator, postedBy("soc", false), version(2, "x", by(identityA)))
	b.refuses(ReasonCreator, postedBy("bank", true), version(2, "x", by(identityA)))
	b.must(postedBy("bank", true), version(2, "x", by("identity--dddddddd-1111-4111-8111-111111111111")))
	// An ally's very object may be posted back; it is no stricter and no milder for it.
	b.must(green("a", 1), version(3, "theirs", by(identityA)))
	b.must(postedBy("bank", true), version(3, "theirs", by(identityA)))
}

func TestRemove(t *testing.T) {
	b := newBench(t)
	for day := 1; day <= 3; day++ {
		b.must(postedBy("bank", true), version(day, fmt.Sprint("v", day), ""))
	}
	b.must(postedBy("shop", true), version(1, "shop", ""))
	bank := object.Posted("bank")
	changes, err := b.remove(bank, indicator, 3)
	if err != nil || len(changes) != 1 || changes[0].Live == nil || !strings.Contains(string(changes[0].Live.Raw), `"v2"`) {
		t.Errorf("the newest: %+v, %v", changes, err)
	}
	if changes, err := b.remove(bank, indicator, 1); err != nil || len(changes) != 0 {
		t.Errorf("an older one: %+v, %v", changes, err)
	}
	if changes, err := b.remove(bank, indicator, 2); err != nil || len(changes) != 1 || changes[0].Live != nil {
		t.Errorf("the last: %+v, %v", changes, err)
	}
	if got := b.live(); got != "local:shop=shop/AMBER+STRICT" {
		t.Errorf("live: %s", got)
	}
	if _, err := b.remove(bank, indicator, 4); err == nil {
		t.Error("removed another holder's")
	}
	var refused *Refused
	if _, err := b.remove("a", indicator, 1); !errors.As(err, &refused) {
		t.Errorf("removed what was shared: %v", err)
	}
	// It may come again.
	if changes := b.must(postedBy("bank", true), version(2, "v2", "")); len(changes) != 1 || changes[0].Live == nil {
		t.Errorf("posted again: %+v", changes)
	}
}

// Whose copy is its creator's own is known from the roster.
func TestOwn(t *testing.T) {
	b := newBench(t)
	by := func(identity string) string { return fmt.Sprintf(`,"created_by_ref":%q`, identity) }
	theirs := version(1, "a's", by(identityA))
	b.must(green("a", 1), theirs)
	b.must(green("b", 1), theirs)
	b.must(postedBy("bank", true), theirs)
	b.must(green("b", 2), version(2, "nobody's", by("identity--dddddddd-1111-4111-8111-111111111111")))
	identity := fmt.Sprintf(`{"type":"identity","spec_version":"2.1","id":%q,"created":"2024-01-01T00:00:00.000Z","modified":"2024-01-01T00:00:00.000Z","name":"A"}`, identityA)
	b.must(green("a", 2), identity)
	b.must(green("b", 3), identity)
	var got []string
	err := b.store.View(t.Context(), func(tx *sqlite.Tx) error {
		for seq := int64(1); seq <= 6; seq++ {
			c, err := tx.CopyAt(seq)
			if err != nil {
				return err
			}
			got = append(got, fmt.Sprint(c.Publisher, " ", c.Own))
		}
		return nil
	})
	if want := "a true, b false, local:bank false, b false, a true, b false"; err != nil || strings.Join(got, ", ") != want {
		t.Errorf("own: %v, want %s, %v", got, want, err)
	}
}
