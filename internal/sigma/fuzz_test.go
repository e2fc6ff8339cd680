package sigma

import (
	"errors"
	"reflect"
	"testing"
)

// Seeds for the fuzzers, and how many there must be: a fuzzer without seeds looks like a passing test.
var (
	ruleSeeds = []string{
		"title: t\nlogsource: {product: windows}\ndetection:\n  s: {A|contains|all: [b, 'c*']}\n  condition: s\n",
		"title: t\nlogsource: {category: c}\ndetection:\n  s:\n    - A|re|i: '^a{2,3}\\d'\n      B|cidr: 10.0.0.0/8\n    - C|base64offset|contains: abc\n  condition: not s\n",
		"title: t\nlogsource: {service: s}\ndetection:\n  k: [a, 1, true]\n  '_f': {A: null, B: ''}\n  condition: [k, 1 of _*]\nlevel: low\ntags: [a.b]\n",
		"title: t\nlogsource: {service: s}\ndetection:\n  k:\n    '|all': [a, b]\n  t: {A|hour|gte: 3, B|exists: false, C|fieldref|neq: D, E|lt: 1.5}\n  condition: all of them\n",
		"title: t\nlogsource: {service: s}\ndetection:\n  a: &x {A|windash|wide|base64: ' -f'}\n  b: {<<: *x, B|expand: '%one%'}\n  condition: a or b\n",
		"---\naction: global\n---\ntitle: t\ncorrelation: {type: event_count}\n---\nfilter: {}\n",
		"title: t\nname: a\nlogsource: {product: p}\ndetection: {s: {A: b}, condition: s}\n---\ntitle: c\nname: c\ncorrelation: {type: event_count, rules: [a], group-by: [x], " +
			"aliases: {x: {a: A}}, timespan: 1h, condition: {gte: 3, lt: 9}, generate: true}\n---\ntitle: d\ncorrelation: {type: temporal_ordered, rules: [c, a], timespan: 2M, condition: c AND not a}\n",
		"title: c\nid: 1\ncorrelation: {type: value_count, rules: ['1', '2'], timespan: 1s, condition: {field: [A, B], neq: 0}}\n---\ntitle: d\nid: 2\n" +
			"correlation: {type: value_percentile, rules: '1', timespan: 1w, condition: {field: A, percentile: 9.5, eq: -1.5}}\ngenerate: false\n",
		"title: c\ncorrelation: {type: temporal, timespan: 10y, condition: (a or b) and not (c or a)}\n---\ntitle: d\ncorrelation: {type: value_median, rules: [a, b], timespan: 1d, condition: {field: A, gt: 1e9}}\n",
		"title: a\nid: 1\nlogsource: {product: p, service: s}\ndetection: {'filter 1: s': {A: b}, condition: 1 of them}\n---\ntitle: f\nlogsource: {product: p}\n" +
			"filter: {rules: any, s: {U|startswith: adm_}, condition: not s}\n---\ntitle: g\nlogsource: {service: s}\nfilter: {rules: ['1', b], s: [x, y], t: {A: b}, condition: all of them or s}\n",
		"action: global\ntitle: g\nlogsource: {product: p}\ndetection: {s: {A: b}, condition: 1 of *}\n---\ndetection: {t: {A: c}}\n---\naction: repeat\nlevel: low\n---\naction: reset\n---\naction: repeat\nid: x\n",
		"title: &t [*t]\n",
		"\xef\xbb\xbftitle: t\r\n",
	}
	conditionSeeds = []string{
		"sel", "not a and (b or c)", "1 of sel_* or all of them", "any of _*", "a | count() > 5", "((((a))))", "not not not a",
		"1 of", ") and (", "a and", "\x00", "ä or ö",
	}
	patternSeeds     = []string{``, `*`, `\`, `\\`, `\*`, `\\*`, `\\\*`, `a*?b`, `%a%`, `\%a%b%`, "\xff*\xfe", `C:\*\x.exe`}
	placeholderSeeds = []string{
		"", "Administrators: [alice, 'adm_*']\nJumpServers: jump01\n", "a: [007, true, ~]\n", "a: &x [b]\nc: *x\n", "<<: {a: b}\n",
		"'%a%': b\n", "a: b\na: c\n", "? [a]\n: b\n", "- a\n", "a: b\n---\nc: d\n", "a: !!binary aGk=\n", "\xff",
	}
)

func TestSeeds(t *testing.T) {
	if len(ruleSeeds) < 13 || len(conditionSeeds) < 12 || len(patternSeeds) < 12 || len(placeholderSeeds) < 12 {
		t.Errorf("%d rule, %d condition, %d pattern and %d placeholder seeds", len(ruleSeeds), len(conditionSeeds), len(patternSeeds), len(placeholderSeeds))
	}
	rules, correlations, filters, resolved := 0, 0, 0, 0
	for _, seed := range ruleSeeds {
		got, err := Parse([]byte(seed), Options{Correlations: true, Filters: true})
		if err != nil {
			continue
		}
		rules, correlations, filters = rules+len(got.Rules), correlations+len(got.Correlations), filters+len(got.Filters)
		found, _ := Resolve(got.Rules, got.Correlations)
		resolved += len(found.Correlations)
	}
	if rules < 8 || correlations < 6 || filters < 2 || resolved < 2 {
		t.Errorf("the seeds hold %d rules, %d correlations, %d of them resolved, and %d filters", rules, correlations, resolved, filters)
	}
}

// FuzzParse checks that any bytes give rules within the limits or a reason, and never a panic.
func FuzzParse(f *testing.F) {
	for _, s := range ruleSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Parse(data, Options{Placeholders: map[string][]string{"one": {"1", "2*"}}, Correlations: true, Filters: true})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Reason == "" || e.Detail == "" {
				t.Fatalf("error %#v has no reason", err)
			}
			return
		}
		for _, r := range got.Rejected {
			if r.Err == nil || r.Err.Reason == "" || r.Err.Detail == "" {
				t.Fatalf("rejection %+v has no reason", r)
			}
		}
		for _, r := range got.Rules {
			checkRule(t, r)
		}
		for _, c := range got.Correlations {
			checkCorrelation(t, c)
		}
		for _, f := range got.Filters {
			checkRule(t, f.Attributes)
		}
		narrowed, problems := Apply(got.Rules, got.Filters)
		for _, r := range narrowed {
			checkRule(t, r)
		}
		checkProblems(t, problems, len(got.Filters))
		resolved, problems := Resolve(narrowed, got.Correlations)
		checkProblems(t, problems, len(got.Correlations))
		checkResolution(t, resolved, len(narrowed))
		if n := len(resolved.Correlations) + len(problems); n != len(got.Correlations) {
			t.Fatalf("%d of %d correlations are loaded or refused", n, len(got.Correlations))
		}
	})
}

func checkProblems(t *testing.T, problems []Problem, docs int) {
	for _, p := range problems {
		if p.Index < 0 || p.Index >= docs || p.Err == nil || p.Err.Reason == "" || p.Err.Detail == "" {
			t.Fatalf("problem %+v has no reason", p)
		}
	}
}

func checkCorrelation(t *testing.T, c *Correlation) {
	temporal := c.Type == Temporal || c.Type == TemporalOrdered
	if c.Attributes.Title == "" || len(c.Rules) == 0 || c.Timespan <= 0 || c.Timespan > MaxTimespan ||
		!temporal && len(c.Bounds) == 0 || c.Sequence != nil && (!temporal || len(c.Bounds) > 0) {
		t.Fatalf("incomplete correlation %+v", c)
	}
	if c.Sequence != nil {
		checkExpr(t, c.Sequence, len(c.Rules))
	}
}

func checkResolution(t *testing.T, r Resolution, rules int) {
	if len(r.Silent) != rules {
		t.Fatalf("%d of %d rules are silent or not", len(r.Silent), rules)
	}
	for i, c := range r.Correlations {
		if len(c.Refs) != len(c.Correlation.Rules) {
			t.Fatalf("%d references, want %d", len(c.Refs), len(c.Correlation.Rules))
		}
		for _, ref := range c.Refs {
			if ref.Index < 0 || ref.Correlation && ref.Index >= i || !ref.Correlation && ref.Index >= rules {
				t.Fatalf("correlation %d refers to %+v", i, ref)
			}
		}
		for alias, fields := range c.Correlation.Aliases {
			if len(fields) != len(c.Correlation.Rules) {
				t.Fatalf("alias %q speaks of %d rules, want %d", alias, len(fields), len(c.Correlation.Rules))
			}
		}
	}
}

func checkRule(t *testing.T, r *Rule) {
	if r.Title == "" || r.Logsource == (Logsource{}) || len(r.Detection.Selections) == 0 || r.Detection.Condition == nil {
		t.Fatalf("incomplete rule %+v", r)
	}
	for _, sel := range r.Detection.Selections {
		if len(sel.Alternatives) == 0 {
			t.Fatalf("selection %q is empty", sel.Name)
		}
		for _, alt := range sel.Alternatives {
			if len(alt) == 0 {
				t.Fatalf("selection %q has an empty alternative", sel.Name)
			}
			for _, it := range alt {
				if len(it.Values) == 0 {
					t.Fatalf("field %q has no values", it.Field)
				}
				for _, v := range it.Values {
					checkValue(t, v)
				}
			}
		}
	}
	checkExpr(t, r.Detection.Condition, len(r.Detection.Selections))
}

func checkValue(t *testing.T, v Value) {
	switch v := v.(type) {
	case AnyOf:
		for _, one := range v.Values {
			checkValue(t, one)
		}
	case String:
		for _, part := range v.Pattern {
			if part.Kind == placeholder {
				t.Fatalf("placeholder %q was left in a value", part.Text)
			}
		}
	case number, boolean, regexpDraft:
		t.Fatalf("value %T was left unfinished", v)
	}
}

func checkExpr(t *testing.T, x Expr, selections int) {
	switch x := x.(type) {
	case Ref:
		if x.Index < 0 || x.Index >= selections {
			t.Fatalf("reference to selection %d of %d", x.Index, selections)
		}
	case Not:
		checkExpr(t, x.X, selections)
	case And:
		for _, y := range x.Xs {
			checkExpr(t, y, selections)
		}
	case Or:
		for _, y := range x.Xs {
			checkExpr(t, y, selections)
		}
	case Of:
		if len(x.Indexes) == 0 {
			t.Fatal("selector of nothing")
		}
	default:
		t.Fatalf("unknown expression %T", x)
	}
}

func FuzzCondition(f *testing.F) {
	for _, s := range conditionSeeds {
		f.Add(s)
	}
	selections := []Selection{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "sel_1"}, {Name: "_hidden"}}
	f.Fuzz(func(t *testing.T, s string) {
		x, reason, err := newConditionParser(selections).parse(s)
		if err != nil {
			if reason == "" {
				t.Fatalf("%q: no reason for %v", s, err)
			}
			return
		}
		checkExpr(t, x, len(selections))
	})
}

// FuzzPattern checks that writing a pattern and reading it again changes nothing.
func FuzzPattern(f *testing.F) {
	for _, s := range patternSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := ParsePattern(s)
		for i, part := range p {
			if part.Kind == Literal && (part.Text == "" || i > 0 && p[i-1].Kind == Literal) {
				t.Fatalf("%q: parts %v are not merged", s, p)
			}
		}
		if again := ParsePattern(p.String()); !reflect.DeepEqual(again, p) {
			t.Fatalf("%q: %v written as %q reads as %v", s, p, p.String(), again)
		}
		parsePattern(s, true)
		withDashes(p)
	})
}

// FuzzReadPlaceholders checks that what is accepted can be asked for by a rule.
func FuzzReadPlaceholders(f *testing.F) {
	for _, s := range placeholderSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ReadPlaceholders(data)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Reason == "" || e.Detail == "" {
				t.Fatalf("error %#v has no reason", err)
			}
			return
		}
		for name, values := range got {
			p := parsePattern("%"+name+"%", true)
			if len(p) != 1 || p[0].Kind != placeholder || p[0].Text != name {
				t.Fatalf("no rule can ask for %q", name)
			}
			for _, v := range values {
				if v == "" {
					t.Fatalf("%q has an empty value", name)
				}
			}
			if len(values) == 0 {
				t.Fatalf("%q has no values", name)
			}
		}
	})
}
