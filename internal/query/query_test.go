package query

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// spell writes a tree as a prefix form.
func spell(n *Node) string {
	if n.Op == Term {
		v := n.Value
		if n.Prefix {
			v += "*"
		}
		return fmt.Sprintf("%s:%q", n.Field, v)
	}
	parts := []string{[]string{"", "and", "or", "not"}[n.Op]}
	for _, k := range n.Kids {
		parts = append(parts, spell(k))
	}
	return "(" + strings.Join(parts, " ") + ")"
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 `(and)`,
		" \t":                              `(and)`,
		"word":                             `text:"word"`,
		"two words":                        `(and text:"two" text:"words")`,
		`type:indicator name:"foo bar"`:    `(and type:"indicator" name:"foo bar")`,
		`a OR b c`:                         `(or text:"a" (and text:"b" text:"c"))`,
		`(a OR b) c`:                       `(and (or text:"a" text:"b") text:"c")`,
		`-label:x y`:                       `(and (not label:"x") text:"y")`,
		`-(a b)`:                           `(not (and text:"a" text:"b"))`,
		`https://evil.example/a?b=c`:       `text:"https://evil.example/a?b=c"`,
		`value:https://evil.example/a?b=c`: `value:"https://evil.example/a?b=c"`,
		`value:"a \"b\" \\ \n"`:            `value:"a \"b\" \\ \\n"`,
		`2001:db8::1`:                      `text:"2001:db8::1"`,
		`pow*`:                             `text:"pow*"`,
		`"pow*"`:                           `text:"pow*"`,
		`technique:t1059.001`:              `technique:"T1059.001"`,
		`tlp:amber+strict tlp:TLP:GREEN`:   `(and tlp:"4" tlp:"2")`,
		`ORACLE or`:                        `(and text:"ORACLE" text:"or")`,
		`naïve-word`:                       `text:"naïve-word"`,
	} {
		n, err := Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := spell(n); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	deep := strings.Repeat("(", MaxDepth+2) + "a" + strings.Repeat(")", MaxDepth+2)
	for text, want := range map[string]string{
		`titel:x`:                          `column 1: "titel" is no field`,
		`é titel:x`:                        `column 3: "titel" is no field`,
		`a )`:                              `column 3: nothing is open`,
		`(a`:                               `column 1: this ( is not closed`,
		`()`:                               `column 1: an empty group`,
		`a OR`:                             `column 3: OR wants a term`,
		`OR a`:                             `column 1: OR wants a term`,
		`a AND b`:                          `column 3: terms beside one another`,
		`- a`:                              `column 1: - wants a term`,
		`name:`:                            `column 6: name: wants a value`,
		`name:""`:                          `column 6: name: wants a value`,
		`name:"a`:                          `column 6: this quote is not closed`,
		`a"b`:                              `column 2: a quote in the middle`,
		`"a"b`:                             `column 4: a space is wanted`,
		`"a"*`:                             `column 4: * is for single words`,
		`...`:                              `column 1: no letter or digit`,
		`a*`:                               `column 1: * wants one word`,
		`a.bc*`:                            `column 1: * wants one word`,
		`tlp:pink`:                         `column 5: "pink" is no marking`,
		`created:yesterday`:                `column 9: "yesterday" is no day`,
		`created:..`:                       `column 9: a range wants`,
		`created:2026-02..2026-01`:         `column 9: the range ends`,
		`since:soon`:                       `column 7: "soon" is neither`,
		`since:0d`:                         `column 7: "0d" is neither`,
		`-since:1d`:                        `column 2: since holds for the whole`,
		`(since:1d a)`:                     `column 2: since holds for the whole`,
		"a\x00":                            `column 2: control character`,
		"a\xff":                            `column 2: the text is not UTF-8`,
		deep:                               `deeper than 8 levels`,
		strings.Repeat("created:2026 ", 5): `column 53: more than 4 terms of created`,
		strings.Repeat("a ", 33):           `column 65: more than 32 terms`,
		strings.Repeat("a", MaxBytes+1):    `at most 1024 bytes`,
	} {
		n, err := Parse(text)
		var e *Error
		if !errors.As(err, &e) || n != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %s", text, err, want)
		}
	}
}

func TestTimes(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse("2006-01-02", s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for text, want := range map[string][2]time.Time{
		"created:2026":             {day("2026-01-01"), day("2026-12-31")},
		"created:2024-02":          {day("2024-02-01"), day("2024-02-29")},
		"modified:2026-02-03":      {day("2026-02-03"), day("2026-02-03")},
		"created:2026-02..":        {day("2026-02-01"), {}},
		"created:..2026-02":        {{}, day("2026-02-28")},
		"created:2025..2026-01-02": {day("2025-01-01"), day("2026-01-02")},
	} {
		n, err := Parse(text)
		if err != nil || n.From != want[0] || n.To != want[1] {
			t.Errorf("%s: %v, %v", text, n, err)
		}
	}
	n, err := Parse("since:7d until:2026-02-03T04:05:06+01:00")
	if err != nil || n.Kids[0].Ago != 7*24*time.Hour || !n.Kids[1].At.Equal(time.Date(2026, 2, 3, 3, 5, 6, 0, time.UTC)) {
		t.Errorf("%v, %v", n, err)
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string][2]string{
		"":                             {"", ""},
		"One two":                      {"one two", ""},
		" '10.1.2.3' ":                 {"10 1 2 3", "10 1|1 2|2 3"},
		`C:\\Windows\x y`:              {"c windows x y", "c windows|windows x"},
		"a - b":                        {"a b", ""},
		"x\ny.z":                       {"x y z", "y z"},
		strings.Repeat("é", 40) + ".b": {strings.Repeat("é", 32) + " b", strings.Repeat("é", 32) + " b"},
	} {
		if got := [2]string{strings.Join(Words(text), " "), strings.Join(Pairs(text), "|")}; got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	seeds := []string{"", "a b", `type:indicator name:"foo bar" -label:x`, "(a OR b) c", "created:2026-01..", "since:7d", "tlp:amber", "-(a", `"\"`, "pow*", "é OR"}
	for _, s := range seeds {
		f.Add(s)
	}
	if len(seeds) != 11 {
		f.Fatalf("%d seeds", len(seeds))
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := Parse(text)
		var e *Error
		switch {
		case err == nil:
			spell(n)
			if w := Words(text); len(Pairs(text)) > len(w) {
				t.Fatalf("%q: more pairs than words", text)
			}
		case !errors.As(err, &e) || e.Pos < 0 || e.Pos > len(text) || e.Column < 1 || e.Column > len(text)+1:
			t.Fatalf("%q: %v", text, err)
		}
	})
}
