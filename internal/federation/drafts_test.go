package federation

import (
	"errors"
	"fmt"
	"testing"

	"shieldwall/internal/roster"
)

// board is an alliance whose rosters two of three officers sign.
func board(t *testing.T) (*Membership, *roster.Roster) {
	t.Helper()
	r := firstRoster("a", "b")
	r.Officers, r.Threshold = nil, 2
	for _, o := range []string{"x", "y", "z"} {
		r.Officers = append(r.Officers, roster.Officer{Name: o, Key: public("officer " + o)})
	}
	return must(Found(must(roster.Cosign(must(r.Sign("x", seeded("officer x"))), "y", seeded("officer y"))), nil, pinOf)), r
}

func TestDrafts(t *testing.T) {
	m, r1 := board(t)
	named := func(name string) *roster.Roster { return following(r1, func(r *roster.Roster) { r.Name = name }) }
	by := func(r *roster.Roster, officer string) []byte {
		return must(r.Sign(officer, seeded("officer "+officer)))
	}

	d, first, err := Drafts(nil).With(m, by(named("one"), "x"))
	if err != nil || len(d) != 1 || first.Signed.Enough() {
		t.Fatalf("%+v, %v", d, err)
	}
	if _, _, err := d.With(m, by(named("one"), "x")); !errors.Is(err, ErrKnown) {
		t.Errorf("the same again: %v", err)
	}
	next, whole, err := d.With(m, by(named("one"), "z"))
	if err != nil || len(next) != 1 || !whole.Signed.Enough() || whole.Hash != first.Hash || whole.NoteHash() == first.NoteHash() {
		t.Fatalf("%+v, %v", next, err)
	}
	if d[0].Signed.Enough() {
		t.Error("the drafts before were changed")
	}
	m2 := must(m.WithRoster(whole.Note))
	if m2.Roster.Name != "one" || len(next.After(m2)) != 0 || len(next.After(m)) != 1 {
		t.Error("the draft that is in force still waits")
	}
	for name, note := range map[string][]byte{
		"a stranger":          by(named("stranger"), "stranger"),
		"only a new officer":  by(following(r1, func(r *roster.Roster) { r.Officers[0] = roster.Officer{Name: "w", Key: public("officer w")} }), "w"),
		"another predecessor": by(following(named("one"), same), "x"),
		"garbage":             []byte("x"),
	} {
		if d, _, err := d.With(m, note); err == nil || d != nil {
			t.Errorf("%s made a draft", name)
		}
	}
	if got, ok := next.Of(whole.ID()); !ok || got.Hash != whole.Hash {
		t.Error("not found by its id")
	}
	for _, id := range []string{"", whole.Hash[:3], whole.Hash + "0", "ffff"} {
		if _, ok := next.Of(id); ok {
			t.Errorf("%q found one", id)
		}
	}
}

// TestDraftsAreBounded: an officer who makes drafts without end keeps nobody from making one.
func TestDraftsAreBounded(t *testing.T) {
	m, r1 := board(t)
	var d Drafts
	refused := 0
	for i := range 10 {
		next := following(r1, func(r *roster.Roster) { r.Name = fmt.Sprint("flood ", i) })
		if more, _, err := d.With(m, must(next.Sign("x", seeded("officer x")))); err == nil {
			d = more
		} else {
			refused++
		}
	}
	if len(d) != maxOwn || refused != 10-maxOwn {
		t.Errorf("%d drafts of one officer, %d refused", len(d), refused)
	}
	other := following(r1, func(r *roster.Roster) { r.Name = "another's" })
	if more, _, err := d.With(m, must(other.Sign("y", seeded("officer y")))); err != nil || len(more) != maxOwn+1 {
		t.Errorf("another officer's draft: %v", err)
	}
}
