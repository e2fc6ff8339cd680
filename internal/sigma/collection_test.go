package sigma_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/sigma"
)

// describe writes a rule in one line: its line, title, level, log source and selections.
func describe(r *sigma.Rule) string {
	var sels []string
	for _, sel := range r.Detection.Selections {
		var items []string
		for _, alt := range sel.Alternatives {
			for _, item := range alt {
				var values []string
				for _, v := range item.Values {
					values = append(values, show(v))
				}
				items = append(items, item.Field+"="+strings.Join(values, ","))
			}
		}
		sels = append(sels, sel.Name+"{"+strings.Join(items, " ")+"}")
	}
	return fmt.Sprintf("%d %s %s %s %s %s", r.Line, r.Title, r.Level, r.Logsource, strings.Join(sels, " "), exprText(&r.Detection, r.Detection.Condition))
}

func TestCollections(t *testing.T) {
	const plain = "---\ntitle: p\nlogsource: {service: s}\ndetection: {k: {Z: z}, condition: k}\n"
	tests := []struct {
		name, data string
		rules      []string
		rejected   []string
	}{
		// The pattern of legacy rules for several log sources, as in the specification 1.0.
		{"global", `action: global
title: g
level: low
detection: {condition: 1 of them}
---
logsource: {product: windows, service: security}
detection: {a: {EventID: 1}}
---
title: own
level: high
logsource: {product: linux}
detection: {a: {A: b}, b: {B: c}}
`, []string{"6 g low windows/*/security a{EventID=\"1\"} false of [a]", "9 g low linux/*/* a{A=\"b\"} b{B=\"c\"} false of [a,b]"}, nil},
		{"globals add up, and the later wins", `action: global
title: one
logsource: {product: windows, service: x}
---
action: global
title: two
logsource: {service: y}
detection: {s: {A: [1, 2]}, condition: s}
---
detection: {s: {A: 3, B: c}}
`, []string{`10 two  windows/*/y s{A="1","2" B="c"} [s]`}, nil},
		{"reset", "action: global\ntitle: g\nlevel: low\n" + plain + "---\naction: reset\n" + plain,
			[]string{`5 g low */*/s k{Z="z"} [k]`, `11 p  */*/s k{Z="z"} [k]`}, nil},
		{"repeat", "---" + strings.TrimPrefix(plain, "---") + `---
action: repeat
title: q
detection: {k: {Y: y}}
---
action: repeat
logsource: {product: w}
detection: {k: [x]}
`, []string{`2 p  */*/s k{Z="z"} [k]`, `6 q  */*/s k{Z="z" Y="y"} [k]`, `10 q  w/*/s k{="<*>x<*>"} [k]`}, nil},
		{"repeat of what a global made", "action: global\nlevel: low\n" + plain + "---\naction: repeat\nlevel: high\n",
			[]string{`4 p low */*/s k{Z="z"} [k]`, `8 p high */*/s k{Z="z"} [k]`}, nil},
		{"repeat behind a global alone", "action: global\nlevel: low\ntitle: g\nlogsource: {service: s}\n---\naction: repeat\ndetection: {k: {A: b}, condition: k}\n",
			[]string{`6 g low */*/s k{A="b"} [k]`}, nil},
		{"merge keys", "action: global\nx: &x {A: b}\ndetection: {k: {<<: *x}, condition: k}\n" + plain, []string{`5 p  */*/s k{Z="z" A="b"} [k]`}, nil},
		{"a rejected rule can be repeated", plain + "---\naction: repeat\nlevel: hihg\n---\naction: repeat\nlevel: low\n",
			[]string{`2 p  */*/s k{Z="z"} [k]`, `9 p low */*/s k{Z="z"} [k]`}, []string{`line 7: level: unknown level "hihg", want one of informational, low, medium, high, critical`}},
		{"nothing to repeat", "action: repeat\ntitle: t\n---\naction: reset\n---\naction: repeat\n", nil, []string{
			"line 1: action: there is no document before it to repeat, or it does not load",
			"line 6: action: there is no document before it to repeat, or it does not load"}},
		{"the one before cannot be read", plain + "---\n- a\n---\naction: repeat\nlevel: low\n" + plain, []string{`2 p  */*/s k{Z="z"} [k]`, `11 p  */*/s k{Z="z"} [k]`}, []string{
			"line 6: want a map, found a list", "line 8: action: there is no document before it to repeat, or it does not load"}},
		{"a global that cannot be read", "action: global\nlevel: low\nlevel: low\n" + plain + "---\naction: repeat\n---\naction: reset\n" + plain, []string{`13 p  */*/s k{Z="z"} [k]`}, []string{
			`line 3: key "level" is given twice`, "line 5: the document with action: global before it does not load",
			"line 9: action: there is no document before it to repeat, or it does not load"}},
		{"unknown action", "action: golbal\ntitle: t\n" + plain, []string{`4 p  */*/s k{Z="z"} [k]`},
			[]string{`line 1: action: want global, reset or repeat, found the value "golbal"`}},
		{"action is a list", "action: [global]\n", nil, []string{"line 1: action: want global, reset or repeat, found a list"}},
		{"no action", "action:\n", nil, []string{"line 1: action: want global, reset or repeat, found nothing"}},
		{"reset with more", "---\naction: reset\ntitle: t\n", nil, []string{"line 2: action: a document with action: reset holds nothing else"}},
		{"global for nobody", "title: t\nlevel: low\naction: global\n---\naction: reset\n" + plain + "---\naction: global\ntitle: u\n", []string{`7 p  */*/s k{Z="z"} [k]`}, []string{
			"line 1: action: no rule follows the document with action: global", "line 11: action: no rule follows the document with action: global"}},
		{"keys in a global that cannot merge", "action: global\ndetection: {k: {A: b, A: c}}\n" + plain, nil, []string{`line 2: key "A" is given twice`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := sigma.Parse([]byte(tt.data), correlated)
			if err != nil {
				t.Fatal(err)
			}
			var rules, rejected []string
			for _, r := range got.Rules {
				rules = append(rules, describe(r))
			}
			for _, r := range got.Rejected {
				rejected = append(rejected, r.Err.Error())
				if r.Line == 0 {
					t.Errorf("rejection without a line: %+v", r)
				}
			}
			if !slices.Equal(rules, tt.rules) || !slices.Equal(rejected, tt.rejected) {
				t.Errorf("got\n%s\nrejected\n%s\nwant\n%s\nrejected\n%s", strings.Join(rules, "\n"), strings.Join(rejected, "\n"),
					strings.Join(tt.rules, "\n"), strings.Join(tt.rejected, "\n"))
			}
		})
	}
}

// TestCollectionBeside reads correlations and filters between the documents of a collection: it leaves them alone.
func TestCollectionBeside(t *testing.T) {
	got, err := sigma.Parse([]byte(`action: global
title: g
logsource: {product: windows}
level: low
---
title: c
correlation: {type: temporal, rules: [a, b], timespan: 1m}
---
name: a
detection: {s: {A: b}, condition: s}
---
`+filter("rules: any\nf: {A: b}\ncondition: f")+`---
action: repeat
name: b
`), correlated)
	if err != nil || len(got.Rejected) > 0 || len(got.Rules) != 2 || len(got.Correlations) != 1 || len(got.Filters) != 1 {
		t.Fatalf("%v: %+v", err, got)
	}
	if c := got.Correlations[0].Attributes; c.Title != "c" || c.Level != "" || c.Logsource != (sigma.Logsource{}) {
		t.Errorf("the correlation: %+v", c)
	}
	if f := got.Filters[0].Attributes; f.Title != "t" || f.Level != "" {
		t.Errorf("the filter: %+v", f)
	}
	resolved, problems := sigma.Resolve(got.Rules, got.Correlations)
	if problems != nil || spell(got, resolved) != "a! b! =a,b" {
		t.Errorf("%s, %v", spell(got, resolved), problems)
	}
}

// TestCollectionLimits gives collections that would grow: each document is small, what they are merged into is
// not.
func TestCollectionLimits(t *testing.T) {
	const plain = "---\ntitle: p\nlogsource: {service: s}\ndetection: {k: {Z: z}, condition: k}\n"
	wide := "detection: {s: {A: [" + strings.Repeat("1,", 10_000) + "1]}}\n"
	text := "x: " + strings.Repeat("a", sigma.MaxFileSize/8) + "\n"
	for name, data := range map[string]string{
		"nodes of a global":  "action: global\n" + wide + strings.Repeat(plain, 900),
		"nodes of a repeat":  plain + "---\naction: repeat\n" + wide + strings.Repeat("---\naction: repeat\n", 900),
		"text of a global":   "action: global\n" + text + strings.Repeat(plain, 900),
		"globals":            "action: global\n" + wide + strings.Repeat("---\naction: global\nlevel: low\n", 900) + plain,
		"growing repeats":    plain + list(900, "---\naction: repeat\nx%[1]d: "+strings.Repeat("b", 4000)+"\n"),
		"aliases, all sound": strings.Repeat("---\nx: &x ["+strings.Repeat("1,", 100)+"1]\ny: ["+strings.Repeat("*x,", 100)+"1]\n", 100),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := sigma.Parse([]byte(data), sigma.Options{})
			if err != nil {
				t.Fatal(err)
			}
			limits := 0
			for _, r := range got.Rejected {
				if r.Err.Reason == sigma.ReasonLimit {
					limits++
				}
			}
			if limits == 0 || len(got.Rules) > 100 && name != "growing repeats" {
				t.Errorf("%d rules, %d of %d rejected for a limit", len(got.Rules), limits, len(got.Rejected))
			}
		})
	}
}
