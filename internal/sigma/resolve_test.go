package sigma_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/sigma"
)

// The specification's example of a chain, in which the correlations come before what they refer to.
const chained = `title: Correlation - Multiple Failed Logins Followed by Successful Login
id: b180ead8-d58f-40b2-ae54-c8940995b9b6
correlation:
    type: temporal_ordered
    rules:
        - multiple_failed_login
        - successful_login
    group-by:
        - User
    timespan: 10m
level: high
---
title: Multiple failed logons
id: a8418a5a-5fc4-46b5-b23b-6c73beb19d41
name: multiple_failed_login
correlation:
    type: event_count
    rules:
        - failed_login
    group-by:
        - User
    timespan: 10m
    condition:
        gte: 10
---
title: Single failed login
id: 53ba33fd-3a50-4468-a5ef-c583635cfa92
name: failed_login
logsource: {product: windows, service: security}
detection:
    selection:
        EventID: [529, 4625]
    condition: selection
---
title: Successful login
id: 4d0a2c83-c62c-4ed4-b475-c7e23a9269b8
name: successful_login
logsource: {product: windows, service: security}
detection:
    selection:
        EventID: [528, 4624]
    condition: selection
`

// named writes a rule, or a correlation of some, in one document.
func named(name, id string, refs ...string) string {
	head := fmt.Sprintf("---\ntitle: %s\nname: %s\nid: %s\n", name+id, name, id)
	if refs == nil {
		return head + "logsource: {product: windows}\ndetection:\n  s: {A: b}\n  condition: s\n"
	}
	return head + "correlation: {type: temporal, timespan: 1m, rules: [" + strings.Join(refs, ", ") + "]}\n"
}

func resolve(t *testing.T, data string) (*sigma.Collection, sigma.Resolution, []sigma.Problem) {
	t.Helper()
	c, err := sigma.Parse([]byte(data), correlated)
	if err != nil || len(c.Rejected) > 0 {
		t.Fatalf("%v: %+v", err, c)
	}
	got, problems := sigma.Resolve(c.Rules, c.Correlations)
	return c, got, problems
}

// spell writes a resolution in one line: "correlation=rule,^correlation" with "!" behind the silent ones.
func spell(c *sigma.Collection, got sigma.Resolution) string {
	mark := func(silent bool) string {
		if silent {
			return "!"
		}
		return ""
	}
	var out []string
	for i, r := range c.Rules {
		out = append(out, r.Name+mark(got.Silent[i]))
	}
	for _, x := range got.Correlations {
		var refs []string
		for _, t := range x.Refs {
			if t.Correlation {
				refs = append(refs, "^"+got.Correlations[t.Index].Correlation.Attributes.Name)
			} else {
				refs = append(refs, c.Rules[t.Index].Name)
			}
		}
		out = append(out, x.Correlation.Attributes.Name+mark(x.Silent)+"="+strings.Join(refs, ","))
	}
	return strings.Join(out, " ")
}

func TestResolve(t *testing.T) {
	generate := func(s string) string { return s + "generate: true\n" }
	tests := []struct{ name, data, want string }{
		{"chain", chained, "failed_login! successful_login! multiple_failed_login!=failed_login =^multiple_failed_login,successful_login"},
		{"by id in any case", named("c", "", "0E95725D-7320-415D-80F7-004DA920FC11") + named("a", "0e95725d-7320-415d-80f7-004da920fc11"), "a! c=a"},
		{"an id wins", named("c", "", "x") + named("x", "") + named("a", "x"), "x a! c=a"},
		{"not referred to", named("a", "") + named("b", "") + named("c", "", "a"), "a! b c=a"},
		{"generate", named("a", "") + named("b", "") + generate(named("c", "", "a", "b")) + named("d", "", "b"), "a b c=a,b d=b"},
		{"generate of a chain", named("a", "") + named("c", "", "a") + generate(named("d", "", "c")), "a! c=a d=^c"},
		{"no correlations", named("a", ""), "a"},
		{"shared", named("a", "") + named("d", "", "c", "e") + named("e", "", "c", "a") + named("c", "", "a"), "a! c!=a e!=^c,a d=^c,^e"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, got, problems := resolve(t, tt.data)
			if s := spell(c, got); s != tt.want || problems != nil {
				t.Errorf("got  %s\nwant %s, problems %v", s, tt.want, problems)
			}
			for i, x := range got.Correlations {
				if x.Correlation.Line != c.Correlations[x.Index].Line {
					t.Errorf("correlation %d says that it was number %d", i, x.Index)
				}
				for _, ref := range x.Refs {
					if ref.Correlation && ref.Index >= i {
						t.Errorf("correlation %d comes before what it refers to", i)
					}
				}
			}
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	chain := named("a", "") + named("c0", "", "a")
	for i := range sigma.MaxChain + 1 {
		chain += named(fmt.Sprintf("c%d", i+1), "", fmt.Sprintf("c%d", i))
	}
	long := "" // a cycle too long to be spelled
	for i := range 9 {
		long += named(fmt.Sprintf("c%d", i), "", fmt.Sprintf("c%d", (i+1)%9))
	}
	alias := func(aliases string) string {
		return named("a", "1") + named("b", "2") +
			"---\ntitle: c\ncorrelation: {type: temporal, timespan: 1m, rules: [a, '2'], group-by: [x], aliases: {x: {" + aliases + "}}}\n"
	}
	tests := []struct {
		name, data, want string
		problems         []string
	}{
		{"missing", named("a", "") + named("c", "", "a", "b"), "a",
			[]string{`line 10: correlation.rules: refers to "b": no rule that loads has this id or name`}},
		{"a title is no name", named("a", "1") + named("c", "", "a1"), "a",
			[]string{`line 10: correlation.rules: refers to "a1": no rule that loads has this id or name`}},
		{"name of two", named("a", "1") + named("a", "2") + named("c", "", "a"), "a a",
			[]string{`line 18: correlation.rules: refers to "a": 2 rules have this id or name`}},
		{"id of two", named("a", "1") + named("b", "1") + named("c", "", "1"), "a b",
			[]string{`line 18: correlation.rules: refers to "1": 2 rules have this id or name`}},
		{"name of a rule and a correlation", named("a", "1") + named("a", "", "1") + named("c", "", "a"), "a! a=a",
			[]string{`line 15: correlation.rules: refers to "a": 2 rules have this id or name`}},
		{"itself", named("c", "", "c"), "", []string{`line 2: correlation.rules: refers to itself: "c" > "c"`}},
		{"cycle", named("a", "") + named("c", "", "a", "d") + named("d", "", "e") + named("e", "", "c"), "a", []string{
			`line 10: correlation.rules: refers to "d", which does not load`,
			`line 15: correlation.rules: refers to "e", which does not load`,
			`line 20: correlation.rules: refers to itself: "c" > "d" > "e" > "c"`}},
		{"above a cycle", named("c", "", "d") + named("d", "", "d"), "", []string{
			`line 2: correlation.rules: refers to "d", which does not load`,
			`line 7: correlation.rules: refers to itself: "d" > "d"`}},
		{"both names of one rule", named("a", "1") + named("c", "", "a", "'1'"), "a",
			[]string{`line 10: correlation.rules: "1" is named twice, by its id and its name`}},
		{"alias of another rule", alias("a: f, z: g"), "a b",
			[]string{`line 18: correlation.aliases.x: refers to "z": no rule that loads has this id or name`}},
		{"alias of a rule outside", alias("a: f, d: g") + named("d", ""), "a b d",
			[]string{`line 18: correlation.aliases.x: names the rule "d", which is not among the correlation's rules`}},
		{"alias names a rule twice", alias("a: f, 1: g"), "a b",
			[]string{`line 18: correlation.aliases.x: names the rule "a" twice, by its id and its name`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, got, problems := resolve(t, tt.data)
			if s := spell(c, got); s != tt.want {
				t.Errorf("got %q, want %q", s, tt.want)
			}
			var texts []string
			for i, p := range problems {
				texts = append(texts, p.Err.Error())
				if p.Err.Reason != sigma.ReasonCorrelation || c.Correlations[p.Index].Line != p.Err.Line {
					t.Errorf("problem %d: %+v", i, p)
				}
			}
			if !slices.Equal(texts, tt.problems) {
				t.Errorf("problems\n%q\nwant\n%q", texts, tt.problems)
			}
		})
	}
	t.Run("long chain", func(t *testing.T) {
		_, got, problems := resolve(t, chain)
		if len(got.Correlations) != sigma.MaxChain || len(problems) != 2 || problems[0].Err.Reason != sigma.ReasonLimit ||
			!strings.HasSuffix(problems[1].Err.Error(), `refers to "c8", which does not load`) {
			t.Errorf("%d loaded, problems %v", len(got.Correlations), problems)
		}
	})
	t.Run("long cycle", func(t *testing.T) {
		_, _, problems := resolve(t, long)
		if last := problems[len(problems)-1].Err.Error(); len(problems) != 9 || !strings.HasSuffix(last, `refers to itself: "c0" > "c1" > "c2" > "c3" > 5 more > "c0"`) {
			t.Errorf("%d problems, the last %s", len(problems), last)
		}
	})
	t.Run("many", func(t *testing.T) {
		many := make([]*sigma.Correlation, sigma.MaxCorrelations+1)
		for i := range many { // the last stands on the one before it, and so on
			many[i] = &sigma.Correlation{Attributes: &sigma.Rule{Name: fmt.Sprint(i)}, Rules: []string{fmt.Sprint(i + 1)}}
		}
		got, problems := sigma.Resolve(nil, many)
		if len(got.Correlations) != 0 || len(problems) != len(many) || problems[len(many)-1].Err.Reason != sigma.ReasonLimit {
			t.Errorf("%d loaded, %d problems", len(got.Correlations), len(problems))
		}
	})
}

// TestResolveAliases sees that aliases speak of every rule by the name that the correlation has for it, and
// that what was resolved stays as it was.
func TestResolveAliases(t *testing.T) {
	c, got, problems := resolve(t, named("a", "A1")+named("b", "")+named("d", "")+`---
title: c
correlation: {type: temporal, timespan: 1m, rules: [a1, b, d], group-by: [x], aliases: {x: {a: f, b: g}}}
`)
	want := map[string]map[string]string{"x": {"a1": "f", "b": "g", "d": "x"}}
	if problems != nil || !reflect.DeepEqual(got.Correlations[0].Correlation.Aliases, want) {
		t.Errorf("problems %v, aliases %v", problems, got.Correlations)
	}
	if given := c.Correlations[0].Aliases["x"]; len(given) != 2 || given["a"] != "f" {
		t.Errorf("the given correlation was changed: %v", given)
	}
}
