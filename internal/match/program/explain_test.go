package program

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/event"
	"shieldwall/internal/match/literal"
	"shieldwall/internal/sigma"
)

// model knows one common text.
func model() *literal.Model {
	m := new(literal.Model)
	for range 100 {
		m.Add([]byte(`c:\windows\system32\`))
	}
	return m
}

func detection(t testing.TB, text string) *sigma.Detection {
	t.Helper()
	lines := strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ")
	found, err := sigma.Parse([]byte("title: t\nlogsource: {service: test}\ndetection:\n  "+lines+"\n"), sigma.Options{})
	if err != nil || len(found.Rules) != 1 {
		t.Fatalf("%v, %+v\n%s", err, found, text)
	}
	return &found.Rules[0].Detection
}

// TestExplain says of rules when they are looked at, and why.
func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		filed      Filing
		why        string // joined by "; "
	}{
		{"texts", "s: {F|contains: [needle, other], G: x}\ncondition: s", ByText, `is found by a text in F: "other", "needle"`},
		{"many texts", "s: {F|contains: [needle, other, more, again, last]}\ncondition: s", ByText, `is found by a text in F: "more", "last", "other" and 2 more`},
		{"two fields", "s: [{F: needle}, {G: other}]\ncondition: s", ByText, `is found by a text in F: "needle"; is found by a text in G: "other"`},
		{"keywords", "s: [needle, other]\ncondition: s", ByText, `is found by a text in any field: "other", "needle"`},
		{"text of an expression", "s: {F|re: 'a+needle\\d'}\ncondition: s", ByText, `is found by a text in F: "needle"`},
		{"long text", "s: {F: '" + strings.Repeat("ab", 40) + "'}\ncondition: s", ByText, `is found by a text in F: "` + strings.Repeat("ab", 20) + `…"`},
		{"only negations", "s: {F: x}\nf: {G: y}\ncondition: not s and not f", Always, "says only what must not be there"},
		{"double negation", "s: {F: needle}\ncondition: not (not s)", ByText, `is found by a text in F: "needle"`},
		{"negated value", "s: {F|neq: x}\ncondition: s", Always, "says only what must not be there"},
		{"null", "s: {F: null}\nf: {G: x}\ncondition: s and not f", Always, "asks whether F is missing"},
		{"null beside a text", "s: {F: [null, needle]}\ncondition: s", Always, "asks whether F is missing"},
		{"missing", "s: {F|exists: false}\ncondition: s", Always, "asks whether F is missing"},
		{"one alternative", "s: {F: needle}\nu: {G: x}\ncondition: s or not u", Always, "is met by one alternative alone, which says only what must not be there"},
		{"keyword expression", "s: {'|re': '\\d{3}'}\ncondition: s", Always, "has a regular expression for any field without a text that is always in it"},
		{"expression", "s: {F|re: '\\d{3}'}\ncondition: s", ByField, "has a regular expression for F without a text that is always in it"},
		{"expression beside a text", "s: {F|re: ['\\d{3}', 'needle']}\ncondition: s", ByField, "has a regular expression for F without a text that is always in it"},
		{"pattern", "s: {F: '??'}\ncondition: s", ByField, "has a pattern for F without a fixed text"},
		{"any text", "s: {F: '*'}\ncondition: s", ByField, "asks only whether F is there"},
		{"there", "s: {F|exists: true}\ncondition: s", ByField, "asks only whether F is there"},
		{"networks", "s: {F|cidr: 10.0.0.0/8}\ncondition: s", ByField, "looks in F for networks"},
		{"another field", "s: {F|fieldref: G}\ncondition: s", ByField, "compares F with another field"},
		{"number", "s: {F|gt: 5}\ncondition: s", ByField, "compares F with a number"},
		{"time", "s: {F|hour: 5}\ncondition: s", ByField, "asks for a part of the time in F"},
		{"short text", "s: {F|contains: 'a'}\ncondition: s", ByField, `looks in F for a short text: "a"`},
		{"short among long", "s: {F|contains: [needle, 'a']}\ncondition: s", ByField, `looks in F for a short text: "a"`},
		{"any alternative", "s: {F: '*'}\nu: {G: needle}\ncondition: 1 of them", ByField, "is met by one alternative alone, which asks only whether F is there"},
		{"the better of two", "s: {F: '*', G|contains: needle}\ncondition: s", ByText, `is found by a text in G: "needle"`},
		{"more than is said", "a: {A: '*'}\nb: {B: '*'}\nc: {C: '*'}\nd: {D: '*'}\ne: {E: '*'}\ncondition: 1 of them", ByField,
			"is met by one alternative alone, which asks only whether A is there; is met by one alternative alone, which asks only whether B is there; " +
				"is met by one alternative alone, which asks only whether C is there; is met by one alternative alone, which asks only whether D is there; has more such parts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, m := detection(t, tt.text), model()
			p, err := New([]*sigma.Detection{d}, &Shared{Names: new(event.Names), Model: m}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Filing(0); got != tt.filed {
				t.Errorf("filed %d, want %d", got, tt.filed)
			}
			if got := strings.Join(Explain(d, m, p.Filing(0)), "; "); got != tt.why {
				t.Errorf("%q, want %q", got, tt.why)
			}
		})
	}
}

// TestExplainNeighbours: short texts are given up where long ones of others are found faster without.
func TestExplainNeighbours(t *testing.T) {
	m := model()
	rules := []*sigma.Detection{detection(t, "s: {F|contains: 'abc'}\ncondition: s")}
	for range 60 {
		rules = append(rules, detection(t, "s: {F|contains: needleneedleneedle}\ncondition: s"))
	}
	p, err := New(rules, &Shared{Names: new(event.Names), Model: m}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Filing(0) != ByField || p.Filing(1) != ByText {
		t.Fatalf("filed %d and %d", p.Filing(0), p.Filing(1))
	}
	want := `looks anywhere in F for a text that is too short to be worth the search: "abc"`
	if got := Explain(rules[0], m, ByField); len(got) != 1 || got[0] != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestExplainTooMany is a rule with more texts than are looked for.
func TestExplainTooMany(t *testing.T) {
	words := make([]string, maxWitnesses+1)
	for i := range words {
		words[i] = fmt.Sprintf("word%d", i)
	}
	d, m := detection(t, "s: {F|contains: ["+strings.Join(words, ", ")+"]}\ncondition: s"), model()
	p, err := New([]*sigma.Detection{d}, &Shared{Names: new(event.Names), Model: m}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Explain(d, m, p.Filing(0)), "looks in F for more than 4096 texts"; p.Filing(0) != Always || len(got) != 1 || got[0] != want {
		t.Errorf("filed %d: %q, want %q", p.Filing(0), got, want)
	}
}

// TestMeasure: what is measured is what is met without, and looks that take long are repeated.
func TestMeasure(t *testing.T) {
	names := new(event.Names)
	rules := []*sigma.Detection{detection(t, "s: {F|contains: needle}\ncondition: s"), detection(t, "s: {F|contains: needle, G: x}\ncondition: s"),
		detection(t, "s: {F|contains: absent}\ncondition: s"), detection(t, "s: {G: y}\ncondition: not s")}
	p, err := New(rules, &Shared{Names: names, Model: model()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRecord(names)
	var x Run
	for _, profile := range []bool{false, true, true} {
		x.Profile = profile
		r.Load(nil, []event.Field{{Name: "F", Value: event.Str("a needle")}}, nil)
		p.Match(r, &x)
		if !slices.Equal(x.Rules, []uint32{0, 3}) {
			t.Errorf("profile %t: %v hold", profile, x.Rules)
		}
		var looked []uint32
		for _, c := range x.Costs {
			looked = append(looked, c.Rule)
			if c.Held != slices.Contains(x.Rules, c.Rule) || c.Time < 0 {
				t.Errorf("%+v", c)
			}
		}
		if slices.Sort(looked); profile && !slices.Equal(looked, []uint32{0, 1, 3}) || !profile && len(looked) > 0 {
			t.Errorf("profile %t: looked at %v", profile, looked)
		}
	}
	if clockCost() < 0 {
		t.Errorf("a look at the clock costs %v", clockCost())
	}
}
