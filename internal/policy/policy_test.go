package policy

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/canon"
	"shieldwall/internal/roster"
	"shieldwall/internal/stix"
)

// roll is an alliance with states a and b, partner c (also energy), suspended state d, and e in no group.
func roll() *Members {
	return MembersOf(&roster.Roster{Version: 7, Groups: []string{"states", "partners", "energy", "rail"}, Members: []roster.Member{
		{ID: "e", Groups: []string{"unlisted"}},
		{ID: "a", Groups: []string{"states"}, Identities: []string{"identity--AAAAAAAA-1111-4111-8111-111111111111"}, Types: []string{"indicator"}},
		{ID: "b", Groups: []string{"states"}, Listed: canon.At(time.Unix(5, 0))}, {ID: "c", Groups: []string{"partners", "energy"}},
		{ID: "d", Groups: []string{"states", "rail"}, Suspended: true, Identities: []string{"identity--dddddddd-1111-4111-8111-111111111111"}},
	}})
}

func TestMembers(t *testing.T) {
	m := roll()
	if m.Version() != 7 || m.Owner("identity--aaaaaaaa-1111-4111-8111-111111111111") != "a" ||
		m.Owner("identity--DDDDDDDD-1111-4111-8111-111111111111") != "d" || m.Owner("identity--x") != "" {
		t.Error("version or owners")
	}
	if !m.Authorised("a", "indicator") || m.Authorised("a", "malware") || !m.Authorised("b", "malware") || m.Authorised("d", "malware") || m.Authorised("zzz", "x") {
		t.Error("authorised types")
	}
	if m.Listed("b").Unix() != 5 || !m.Listed("zzz").IsZero() {
		t.Error("listed")
	}
	var none *Members
	if none.Version() != 0 || none.Owner("x") != "" || none.Authorised("a", "x") || !none.Listed("a").IsZero() || none.Active() != nil {
		t.Error("the nil roster has somebody")
	}
}

func named(t testing.TB, groups, members string) Audience {
	t.Helper()
	split := func(s string) []string { return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }) }
	a, err := Named(split(groups), split(members))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestReaders(t *testing.T) {
	tests := []struct {
		marking stix.TLP
		a       Audience
		want    string
	}{
		{stix.Clear, Everyone(), "a b c e"},
		{stix.Clear, Alliance(), "a b c e"},
		{stix.Green, Alliance(), "a b c e"},
		{stix.Green, Everyone(), "a b c e"},
		{stix.Green, named(t, "states", ""), "a b"},
		{stix.Amber, named(t, "states energy", ""), "a b c"},
		{stix.Amber, named(t, "partners", "e d zzz"), "c e"},
		{stix.Amber, named(t, "rail", ""), ""},
		{stix.Amber, named(t, "unlisted", ""), ""},
		{stix.AmberStrict, Alliance(), "a b c e"},
		{stix.Red, Alliance(), ""},
		{stix.Red, named(t, "states", ""), ""},
		{stix.Red, named(t, "states", "c"), "c"},
		{stix.None, Alliance(), ""},
		{stix.TLP(6), Everyone(), ""},
		{stix.Green, Audience{}, ""},
	}
	for _, tt := range tests {
		if got := strings.Join(Readers(roll(), tt.marking, tt.a), " "); got != tt.want {
			t.Errorf("%v to %q: %q, want %q", tt.marking, tt.a, got, tt.want)
		}
	}
	if got := Readers(nil, stix.Green, Alliance()); len(got) != 0 {
		t.Errorf("no roster: %v", got)
	}
}

func TestMayReadByKind(t *testing.T) {
	kinds := []Kind{0, Node, Machine, Staff, NamedUser, Constituent, Public, Public + 1}
	tests := []struct {
		name    string
		marking stix.TLP
		a       Audience
		want    string // one digit a kind
	}{
		{"clear everyone", stix.Clear, Everyone(), "01111110"},
		{"clear alliance", stix.Clear, Alliance(), "01111100"},
		{"green everyone", stix.Green, Everyone(), "01111100"},
		{"green alliance", stix.Green, Alliance(), "01111100"},
		{"amber group", stix.Amber, named(t, "states", ""), "01111100"},
		{"strict group", stix.AmberStrict, named(t, "states", ""), "01111000"},
		{"red named", stix.Red, named(t, "", "a"), "01001000"},
		{"red group", stix.Red, named(t, "states", ""), "00000000"},
		{"not for a", stix.Green, named(t, "partners", ""), "00000000"},
		{"unmarked", stix.None, Everyone(), "00000000"},
	}
	for _, tt := range tests {
		got := ""
		for _, k := range kinds {
			bit := "0"
			if MayRead(roll(), Reader{k, "a"}, tt.marking, tt.a) {
				bit = "1"
			}
			got += bit
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if MayRead(roll(), Reader{Staff, "nobody"}, stix.Clear, Alliance()) {
		t.Error("a stranger's staff reads")
	}
	if MayRead(roll(), Reader{Node, "d"}, stix.Green, Alliance()) {
		t.Error("a suspended member reads")
	}
	if !MayRead(nil, Reader{Public, ""}, stix.Clear, Everyone()) {
		t.Error("CLEAR to everyone needs a roster")
	}
}

func TestCheckPublishAndDefault(t *testing.T) {
	tests := []struct {
		marking stix.TLP
		a       Audience
		want    error
	}{
		{stix.Clear, Everyone(), nil}, {stix.Clear, Alliance(), nil}, {stix.Green, Alliance(), nil},
		{stix.Green, Everyone(), ErrTooWide}, {stix.Amber, Everyone(), ErrTooWide}, {stix.Amber, Alliance(), nil},
		{stix.Amber, named(t, "states", ""), nil}, {stix.AmberStrict, named(t, "states", ""), nil},
		{stix.Red, named(t, "states", ""), ErrTooWide}, {stix.Red, Alliance(), ErrTooWide}, {stix.Red, named(t, "states", "c"), ErrTooWide},
		{stix.Red, named(t, "", "c"), nil}, {stix.None, Alliance(), ErrNoMarking}, {stix.TLP(7), Alliance(), ErrNoMarking},
		{stix.Green, Audience{}, ErrNoAudience}, {stix.Amber, Audience{}, ErrNoAudience},
	}
	for _, tt := range tests {
		if err := CheckPublish(tt.marking, tt.a); !errors.Is(err, tt.want) {
			t.Errorf("%v to %q: %v, want %v", tt.marking, tt.a, err, tt.want)
		}
	}
	for marking, want := range map[stix.TLP]error{stix.None: ErrNoMarking, stix.Clear: nil, stix.Green: nil, stix.Amber: ErrNoAudience,
		stix.AmberStrict: ErrNoAudience, stix.Red: ErrNoAudience} {
		if a, err := Default(marking); !errors.Is(err, want) || err == nil && !a.alliance {
			t.Errorf("default of %v: %q %v", marking, a, err)
		}
	}
}

func TestParseTo(t *testing.T) {
	tests := []struct{ in, want, fault string }{
		{"", "", ""}, {"everyone", "everyone", ""}, {"alliance", "alliance", ""},
		{"states", "group:states", ""}, {"c states b", "group:states,member:b,member:c", ""},
		{"group:states member:c states", "group:states,member:c", ""},
		{"everyone states", "", "cannot be combined"}, {"states alliance", "", "cannot be combined"},
		{"nobody", "", `"nobody" is neither`}, {"d", "", `"d" is neither`}, {"rail", "", "has no active member"},
		{"member:states", "", "is neither"}, {"group:a", "", "is neither"}, {"x y", "", `"y" is neither`},
	}
	for _, tt := range tests {
		a, err := roll().ParseTo(strings.Fields(tt.in))
		if tt.fault != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("%q: %v, want %q", tt.in, err, tt.fault)
			}
			continue
		}
		if err != nil || a.String() != tt.want {
			t.Errorf("%q: %q %v, want %q", tt.in, a, err, tt.want)
		}
	}
	var none *Members
	if _, err := none.ParseTo([]string{"a"}); err == nil {
		t.Error("a name without a roster was accepted")
	}
}

func TestInsideAndWith(t *testing.T) {
	m := roll()
	tests := []struct {
		inner, outer Audience
		want         bool
	}{
		{Alliance(), Everyone(), true}, {Everyone(), Alliance(), false}, {Alliance(), Alliance(), true},
		{Alliance(), named(t, "states partners", "e"), false}, {named(t, "states", ""), Alliance(), true},
		{named(t, "states", ""), named(t, "states energy", ""), true}, {named(t, "states energy", ""), named(t, "states", ""), false},
		{named(t, "", "a"), named(t, "states", ""), true}, {named(t, "", "c"), named(t, "states", ""), false},
		{named(t, "energy", ""), named(t, "partners", ""), false}, // the same member today, not tomorrow
		{named(t, "states", ""), named(t, "", "a b"), false},
	}
	for _, tt := range tests {
		if got := m.Inside(tt.inner, tt.outer); got != tt.want {
			t.Errorf("%q inside %q: %v", tt.inner, tt.outer, got)
		}
	}
	for in, want := range map[string]string{"group:states": "group:states", "group:partners": "group:partners,member:a", "member:c": "member:a,member:c",
		"alliance": "alliance", "everyone": "everyone"} {
		a, err := ParseAudience(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.With(a, "a").String(); got != want {
			t.Errorf("%q with a: %q, want %q", in, got, want)
		}
		if a.String() != in {
			t.Error("With changed its argument")
		}
	}
}

func TestEffective(t *testing.T) {
	const own = "marking-definition--11111111-1111-4111-8111-111111111111"
	const unknown = "marking-definition--22222222-2222-4222-8222-222222222222"
	lookup := func(id string) (stix.TLP, bool) { return stix.None, id == own }
	tests := []struct {
		entry    stix.TLP
		markings []string
		want     stix.TLP
		fault    error
	}{
		{stix.Green, nil, stix.Green, nil},
		{stix.Green, []string{own}, stix.Green, nil},
		{stix.Green, []string{stix.Amber.MarkingID()}, stix.Amber, nil},
		{stix.Amber, []string{stix.Clear.MarkingID()}, stix.Amber, nil},
		{stix.None, []string{stix.Green.MarkingID(), stix.AmberStrict.MarkingID(), own}, stix.AmberStrict, nil},
		{stix.Clear, []string{unknown}, stix.Red, nil},
		{stix.Clear, []string{""}, stix.Red, nil},
		{stix.None, nil, stix.None, ErrNoMarking},
		{stix.None, []string{own}, stix.None, ErrNoMarking},
		{stix.TLP(9), nil, stix.None, ErrNoMarking},
	}
	for _, tt := range tests {
		got, err := Effective(tt.entry, tt.markings, lookup)
		if got != tt.want || !errors.Is(err, tt.fault) {
			t.Errorf("%v %v: %v %v, want %v %v", tt.entry, tt.markings, got, err, tt.want, tt.fault)
		}
	}
	if got, _ := Effective(stix.Clear, []string{own}, nil); got != stix.Red {
		t.Errorf("without lookup: %v", got)
	}
}

func TestParseAudience(t *testing.T) {
	for _, s := range []string{"everyone", "alliance", "group:a", "member:a", "group:a,group:b,member:a", "group:a-1,member:0"} {
		if a, err := ParseAudience(s); err != nil || a.String() != s {
			t.Errorf("%q: %q %v", s, a, err)
		}
	}
	for _, s := range []string{"", ",", "a", "group:", "group:a,", "group:b,group:a", "group:a,group:a", "member:a,group:a", "everyone,group:a",
		"group:everyone", "member:alliance", "group:A", "group:-a", "group: a", "member:" + strings.Repeat("a", 33), "Everyone",
		strings.Repeat("member:a,", 8000)} {
		if a, err := ParseAudience(s); err == nil {
			t.Errorf("%q accepted as %q", s, a)
		}
	}
	many := make([]string, maxNames+1)
	for i := range many {
		many[i] = "a"
	}
	if _, err := Named(nil, many); err == nil {
		t.Error("too many names accepted")
	}
}

// Properties over random alliances: a stricter marking or a narrower audience never adds a reader of any kind,
// and what may be published has readers only inside its audience.
func TestMonotonic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		m, a, b := randomAlliance(rng), randomAudience(rng), randomAudience(rng)
		for marking := stix.None; marking <= stix.Red+1; marking++ {
			for kind := Kind(0); kind <= Public+1; kind++ {
				for _, id := range []string{"", "m0", "m1", "m2", "m3", "m4", "x"} {
					who := Reader{kind, id}
					reads := MayRead(m, who, marking, a)
					if reads && marking > stix.Clear && !MayRead(m, who, marking-1, a) {
						t.Fatalf("%v reads %v but not %v of %q", who, marking, marking-1, a)
					}
					if reads && marking != stix.Red && m.Inside(a, b) && !MayRead(m, who, marking, b) && m.has(id) {
						t.Fatalf("%v reads %q, but not the wider %q at %v", who, a, b, marking)
					}
					if reads && !m.has(id) && (marking != stix.Clear || !a.everyone) {
						t.Fatalf("%v, not in the roster, reads %v to %q", who, marking, a)
					}
				}
			}
		}
	}
}

func randomAlliance(rng *rand.Rand) *Members {
	groups := []string{"g0", "g1", "g2"}
	var list []roster.Member
	for _, id := range []string{"m0", "m1", "m2", "m3", "m4"} {
		if rng.IntN(5) == 0 {
			continue
		}
		list = append(list, roster.Member{ID: id, Suspended: rng.IntN(6) == 0, Groups: slices.DeleteFunc(slices.Clone(groups),
			func(string) bool { return rng.IntN(2) == 0 })})
	}
	return MembersOf(&roster.Roster{Groups: groups[:rng.IntN(4)], Members: list})
}

func randomAudience(rng *rand.Rand) Audience {
	switch rng.IntN(8) {
	case 0:
		return Everyone()
	case 1:
		return Alliance()
	case 2:
		return Audience{}
	}
	pick := func(names ...string) []string {
		return slices.DeleteFunc(names, func(string) bool { return rng.IntN(2) == 0 })
	}
	a, _ := Named(pick("g0", "g1", "g2"), pick("m0", "m1", "m2", "m3", "m4"))
	return a
}

func audienceSeeds() []string {
	return []string{"", "everyone", "alliance", "group:a", "member:a", "group:a,member:b", "group:b,group:a", ",", "group:", "\x00", "member:é"}
}

func FuzzParseAudience(f *testing.F) {
	for _, s := range audienceSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAudience(s)
		if err != nil {
			return
		}
		if a.String() != s {
			t.Fatalf("%q reads back as %q", s, a)
		}
		if a.everyone != (s == everyone) || a.alliance != (s == alliance) {
			t.Fatalf("%q is wider than it says", s)
		}
	})
}

func TestAudienceSeeds(t *testing.T) {
	if n := len(audienceSeeds()); n < 10 {
		t.Fatalf("%d seeds, want at least 10", n)
	}
}
