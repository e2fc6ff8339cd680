package sigma_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/sigma"
)

// The specification's example.
const adminFilter = `title: Filter Administrator account
description: The valid administrator account start with adm_
logsource:
    category: process_creation
    product: windows
filter:
    rules:
        - 6f3e2987-db24-4c78-a860-b4f4095a7095 # Data Compressed - rar.exe
        - df0841c0-9846-4e9f-ad8a-7df91571771b # Login on jump host
    selection:
        User|startswith: 'adm_'
    condition: selection
`

// filter wraps a filter section; its first line is line 4.
func filter(section string) string {
	indented := strings.ReplaceAll(strings.TrimSpace(section), "\n", "\n  ")
	return "title: t\nlogsource: {product: windows}\nfilter:\n  " + indented + "\n"
}

func TestParseFilter(t *testing.T) {
	got, err := sigma.Parse([]byte(adminFilter+"---\n"+filter("rules: Any\na: {A: b}\nb: [x, y]\ncondition: not 1 of them")+
		"---\n"+filter("rules: one\na: {A: b}\ncondition: a")), correlated)
	if err != nil || len(got.Filters) != 3 || len(got.Rejected) != 0 {
		t.Fatalf("%v: %+v", err, got)
	}
	f := got.Filters[0]
	if f.Attributes.Title != "Filter Administrator account" || f.Line != 1 ||
		f.Attributes.Logsource != (sigma.Logsource{Product: "windows", Category: "process_creation"}) ||
		!slices.Equal(f.Rules, []string{"6f3e2987-db24-4c78-a860-b4f4095a7095", "df0841c0-9846-4e9f-ad8a-7df91571771b"}) {
		t.Errorf("the specification's filter: %+v of %+v", f.Attributes, f)
	}
	det := f.Attributes.Detection
	if len(det.Selections) != 1 || det.Selections[0].Name != "selection" || !reflect.DeepEqual(det.Condition, sigma.Ref{Name: "selection"}) ||
		show(det.Selections[0].Alternatives[0][0].Values[0]) != `"adm_<*>"` {
		t.Errorf("its detection: %+v", det)
	}
	if got.Filters[1].Rules != nil || !slices.Equal(got.Filters[2].Rules, []string{"one"}) || got.Filters[2].Line <= got.Filters[1].Line {
		t.Errorf("the others: %+v, %+v", got.Filters[1], got.Filters[2])
	}
}

func TestFilterRejects(t *testing.T) {
	long := strings.Repeat("a", sigma.MaxName+1)
	tests := []struct {
		name, data string
		reason     sigma.Reason
		err        string
	}{
		{"no title", "filter: {}", sigma.ReasonStructure, "line 1: title: missing"},
		{"no logsource", "title: t\nfilter: {}", sigma.ReasonStructure, "line 1: logsource: missing"},
		{"also a rule", "title: t\ndetection: {}\nfilter: {}", sigma.ReasonFilter, "line 2: detection: one document is a rule or a filter, not both"},
		{"not a map", "title: t\nlogsource: {product: a}\nfilter: any", sigma.ReasonStructure, `line 3: filter: want a map, found the value "any"`},
		{"no rules", filter("s: {A: b}\ncondition: s"), sigma.ReasonFilter, `line 3: filter.rules: missing: want ids or names of rules, or "any"`},
		{"empty rules", filter("rules: []\ns: {A: b}\ncondition: s"), sigma.ReasonFilter, "line 4: filter.rules: empty"},
		{"null rules", filter("rules:\ns: {A: b}\ncondition: s"), sigma.ReasonFilter, "line 4: filter.rules: empty"},
		{"rule twice", filter("rules: [a, a]\ns: {A: b}\ncondition: s"), sigma.ReasonFilter, `line 4: filter.rules: "a" is named twice`},
		{"rules are a map", filter("rules: {a: b}\ns: {A: b}\ncondition: s"), sigma.ReasonStructure, "line 4: filter.rules: want text, found a map"},
		{"no condition", filter("rules: any\ns: {A: b}"), sigma.ReasonStructure, "line 4: filter.condition: missing"},
		{"no selections", filter("rules: any\ncondition: s"), sigma.ReasonStructure, "line 4: filter: no search identifiers"},
		{"unknown selection", filter("rules: any\ns: {A: b}\ncondition: t"), sigma.ReasonCondition, `line 6: filter.condition: search identifier "t" is not defined`},
		{"unknown modifier", filter("rules: any\ns: {A|x: b}\ncondition: s"), sigma.ReasonModifier, `line 5: filter.s.A|x: unknown modifier "x"`},
		{"timeframe", filter("rules: any\ntimeframe: 1m\ns: {A: b}\ncondition: s"), sigma.ReasonAggregation,
			"line 5: filter.timeframe: timeframe belongs to the legacy aggregation, which is not supported: use a correlation rule"},
		{"many rules", filter("rules: [" + list(sigma.MaxRefs, "r%d, ") + "r]\ns: {A: b}\ncondition: s"), sigma.ReasonLimit,
			"line 4: filter.rules: 101 names, at most 100 are read"},
		{"long rule", filter("rules: " + long + "\ns: {A: b}\ncondition: s"), sigma.ReasonLimit, "line 4: filter.rules: name of more than 512 bytes"},
		{"long selection", filter("rules: any\n? " + long + "\n: {A: b}\ncondition: s"), sigma.ReasonLimit, "line 5: filter: name of more than 512 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := rejectBy(t, tt.data, correlated)
			if err.Reason != tt.reason || err.Error() != tt.err {
				t.Errorf("%s: %v\nwant %s: %s", err.Reason, err, tt.reason, tt.err)
			}
		})
	}
}

// of writes a rule of a log source, with two selections.
func of(name, id, logsource string) string {
	return fmt.Sprintf("---\ntitle: %s\nname: %s\nid: %s\nlogsource: {%s}\ndetection:\n  s: {A: b}\n  t: {B: c}\n  condition: s or t\n", name, name, id, logsource)
}

// exprText writes a condition with the names of its selections, by index.
func exprText(d *sigma.Detection, x sigma.Expr) string {
	join := func(xs []sigma.Expr, op string) string {
		var out []string
		for _, y := range xs {
			out = append(out, exprText(d, y))
		}
		return "(" + strings.Join(out, op) + ")"
	}
	switch x := x.(type) {
	case sigma.Ref:
		if d.Selections[x.Index].Name != x.Name {
			return "?"
		}
		return "[" + x.Name + "]"
	case sigma.Not:
		return "not " + exprText(d, x.X)
	case sigma.And:
		return join(x.Xs, " and ")
	case sigma.Or:
		return join(x.Xs, " or ")
	case sigma.Of:
		var out []string
		for _, i := range x.Indexes {
			out = append(out, d.Selections[i].Name)
		}
		return fmt.Sprintf("%t of [%s]", x.All, strings.Join(out, ","))
	}
	return "?"
}

func TestApply(t *testing.T) {
	section := func(rules, logsource string) string {
		return "---\ntitle: f\nlogsource: {" + logsource + "}\nfilter: {rules: " + rules + ", s: {U: x}, sx: {V: y}, condition: not s and all of s*}\n"
	}
	const windows, creation = "product: windows", "product: windows, category: process_creation"
	const own, f1, f2 = "([s] or [t])", "(not [filter 1: s] and true of [filter 1: s,filter 1: sx])", "(not [filter 2: s] and true of [filter 2: s,filter 2: sx])"
	tests := []struct {
		name, data string
		want       []string // of each rule
		problems   []string
	}{
		{"by id and name", of("a", "1", windows) + of("b", "2", windows) + of("c", "3", windows) + section("['1', c]", windows),
			[]string{"(" + own + " and " + f1 + ")", own, "(" + own + " and " + f1 + ")"}, nil},
		{"any, with a more general log source", of("a", "", creation) + of("b", "", "product: linux") + of("c", "", windows) + section("any", windows),
			[]string{"(" + own + " and " + f1 + ")", own, "(" + own + " and " + f1 + ")"}, nil},
		{"log source without case", of("a", "", "product: Windows") + section("any", "product: WINDOWS"), []string{"(" + own + " and " + f1 + ")"}, nil},
		{"two filters", of("a", "", windows) + section("any", windows) + section("a", windows), []string{"(" + own + " and " + f1 + " and " + f2 + ")"}, nil},
		{"an id wins", of("a", "x", windows) + of("x", "", windows) + section("X", windows), []string{"(" + own + " and " + f1 + ")", own}, nil},
		{"copies of a rule", of("a", "x", windows) + of("a", "x", windows) + section("a", windows), []string{"(" + own + " and " + f1 + ")", "(" + own + " and " + f1 + ")"}, nil},
		{"named twice", of("a", "x", windows) + section("[a, x]", windows), []string{"(" + own + " and " + f1 + ")"}, nil},
		{"no filters", of("a", "", windows), []string{own}, nil},
		{"any without a rule", of("a", "", windows) + section("any", creation), []string{own},
			[]string{"line 11: filter.rules: covers no rule: none that loads has the log source windows/process_creation/*"}},
		{"special log source", of("a", "", windows) + section("a", creation), []string{own},
			[]string{`line 11: filter.rules: covers no rule: "a" has the log source windows/*/*`}},
		{"other log source", of("a", "", windows) + section("a", "product: windows, service: security"), []string{own},
			[]string{`line 11: filter.rules: covers no rule: "a" has the log source windows/*/*`}},
		{"missing rule", of("a", "", windows) + section("[a, b]", windows), []string{"(" + own + " and " + f1 + ")"},
			[]string{`line 11: filter.rules: does not cover all of its rules: no detection rule that loads has the id or name "b"`}},
		{"many missing rules", section("[a, b, c, d, e, f]", windows), nil,
			[]string{`line 2: filter.rules: covers no rule: ` + strings.Repeat("no detection rule that loads has the id or name %s; ", 4) + "and 2 more"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := sigma.Parse([]byte(tt.data), correlated)
			if err != nil || len(c.Rejected) > 0 {
				t.Fatalf("%v: %+v", err, c)
			}
			before := fmt.Sprintf("%+v", deref(c.Rules))
			got, problems := sigma.Apply(c.Rules, c.Filters)
			var texts []string
			for i, r := range got {
				text := exprText(&r.Detection, r.Detection.Condition)
				texts = append(texts, text)
				if (r == c.Rules[i]) != (text == own) {
					t.Errorf("rule %d is no copy, or one without need: %s", i, text)
				}
				if r.Title != c.Rules[i].Title || r.Line != c.Rules[i].Line {
					t.Errorf("rule %d lost its attributes: %+v", i, r)
				}
			}
			if !slices.Equal(texts, tt.want) {
				t.Errorf("got  %q\nwant %q", texts, tt.want)
			}
			if after := fmt.Sprintf("%+v", deref(c.Rules)); after != before {
				t.Errorf("the given rules were changed:\n%s\n%s", before, after)
			}
			texts = nil
			for _, p := range problems {
				texts = append(texts, p.Err.Error())
				if p.Partly != strings.Contains(p.Err.Error(), "does not cover all") {
					t.Errorf("problem %+v", p)
				}
			}
			for i, want := range tt.problems {
				if strings.Contains(want, "%s") {
					tt.problems[i] = fmt.Sprintf(want, `"a"`, `"b"`, `"c"`, `"d"`)
				}
			}
			if !slices.Equal(texts, tt.problems) {
				t.Errorf("problems\n%q\nwant\n%q", texts, tt.problems)
			}
		})
	}
}

func deref(rules []*sigma.Rule) (out []sigma.Rule) {
	for _, r := range rules {
		out = append(out, *r)
	}
	return out
}

// TestApplyTakenName keeps the selections apart where a rule already has the name that a filter's would get.
func TestApplyTakenName(t *testing.T) {
	c, err := sigma.Parse([]byte(rule("'filter 1: s': {A: b}\ns: {B: c}\ncondition: s")+"---\n"+filter("rules: any\ns: {C: d}\ncondition: s")), correlated)
	if err != nil || len(c.Rules) != 1 || len(c.Filters) != 1 {
		t.Fatalf("%v: %+v", err, c)
	}
	got, problems := sigma.Apply(c.Rules, c.Filters)
	det := got[0].Detection
	if text := exprText(&det, det.Condition); text != "([s] and [filter 2: s])" || len(det.Selections) != 3 || problems != nil {
		t.Errorf("got %s, %v", text, problems)
	}
}

// TestApplyLimits bounds what filters add to one rule and to all.
func TestApplyLimits(t *testing.T) {
	parse := func(data string) *sigma.Collection {
		c, err := sigma.Parse([]byte(data), correlated)
		if err != nil || len(c.Rejected) > 0 {
			t.Fatalf("%v: %+v", err, c.Rejected)
		}
		return c
	}
	repeat := func(f *sigma.Filter, n int) []*sigma.Filter { return slices.Repeat([]*sigma.Filter{f}, n) }
	small := parse(of("a", "", "product: windows") + of("b", "", "product: windows") +
		"---\n" + filter("rules: any\n"+list(100, "s%d: {A: b}\n")+"condition: all of them") +
		"---\n" + filter("rules: any\ns: {A: b}\ncondition: "+strings.Repeat("s or ", 3000)+"s") +
		"---\n" + filter("rules: any\ns: {A: ["+strings.Repeat("1,", 15_000)+"1]}\ncondition: s"))

	for name, f := range map[string]*sigma.Filter{"selections": small.Filters[0], "references": small.Filters[1], "values": small.Filters[2]} {
		rules, problems := sigma.Apply(small.Rules, repeat(f, 3))
		if len(problems) == 0 || !strings.Contains(problems[0].Err.Error(), `covers no rule: "a" is too large for it; "b" is too large for it`) {
			t.Errorf("%s: %v", name, problems)
		}
		for _, r := range rules {
			if n := len(r.Detection.Selections); n > sigma.MaxSelections {
				t.Errorf("%s: %d selections", name, n)
			}
		}
	}

	many := make([]*sigma.Rule, 100)
	for i := range many {
		many[i] = small.Rules[0]
	}
	rules, problems := sigma.Apply(many, small.Filters[2:])
	narrowed := 0
	for _, r := range rules {
		if len(r.Detection.Selections) > 2 {
			narrowed++
		}
	}
	if narrowed != 66 || len(problems) != 1 || problems[0].Err.Reason != sigma.ReasonLimit ||
		!strings.Contains(problems[0].Err.Error(), "left out of 34 rules") {
		t.Errorf("%d rules narrowed: %v", narrowed, problems)
	}

	if _, problems := sigma.Apply(nil, repeat(small.Filters[0], sigma.MaxFilters+1)); len(problems) != sigma.MaxFilters+1 ||
		problems[sigma.MaxFilters].Err.Reason != sigma.ReasonLimit {
		t.Errorf("%d problems for %d filters", len(problems), sigma.MaxFilters+1)
	}
}
