package stixpattern

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// show writes a tree in a short form for tables.
func show(o Observation) string {
	switch o := o.(type) {
	case *Test:
		return "[" + showComparison(o.Comparison) + "]"
	case *Combined:
		var all []string
		for _, x := range o.Operands {
			all = append(all, show(x))
		}
		return "(" + strings.Join(all, " "+o.Op.String()+" ") + ")"
	case *Qualified:
		q := ""
		switch x := o.Qualifier.(type) {
		case StartStop:
			q = "from " + x.Start.Format("2006-01-02T15:04:05.999Z") + " to " + x.Stop.Format("2006-01-02T15:04:05.999Z")
		case Within:
			q = fmt.Sprintf("within %g", x.Seconds)
		case Repeats:
			q = fmt.Sprintf("repeats %d", x.Times)
		}
		return "{" + show(o.Observation) + " " + q + "}"
	}
	return fmt.Sprintf("%T", o)
}

func showComparison(c Comparison) string {
	not := map[bool]string{true: "!"}
	switch c := c.(type) {
	case *Logical:
		var all []string
		for _, x := range c.Operands {
			all = append(all, showComparison(x))
		}
		return "(" + strings.Join(all, map[bool]string{true: " | ", false: " & "}[c.Or]) + ")"
	case *Exists:
		return not[c.Negated] + "exists " + c.Path.String()
	case *Compare:
		var all []string
		for _, v := range c.Values {
			all = append(all, showLiteral(v))
		}
		return not[c.Negated] + c.Path.String() + " " + c.Op.String() + " " + strings.Join(all, ",")
	}
	return fmt.Sprintf("%T", c)
}

func showLiteral(v Literal) string {
	switch v.Kind {
	case String:
		return fmt.Sprintf("%q", v.Text)
	case Int:
		return fmt.Sprint(v.Int)
	case Float:
		return fmt.Sprintf("%gf", v.Float)
	case Bool:
		return fmt.Sprint(v.Bool)
	case Timestamp:
		return v.Time.Format("t2006-01-02T15:04:05.999Z")
	}
	return fmt.Sprintf("bytes%x", v.Bytes)
}

var good = []struct{ in, want string }{
	{`[domain-name:value = 'a.example']`, `[domain-name:value = "a.example"]`},
	{`[a:b='x']`, `[a:b = "x"]`},
	{`[ a:b == 'it\'s \\ here' ]`, `[a:b = "it's \\ here"]`},
	{`[file:hashes.'SHA-256' = 'x']`, `[file:hashes.'SHA-256' = "x"]`},
	{`[file:hashes.SHA-256 = 'x']`, `[file:hashes.'SHA-256' = "x"]`},
	{`[file:hashes.MD5 = 'x']`, `[file:hashes.MD5 = "x"]`},
	{`[a:'strange name'.b[0].c[*][-1] = 1]`, `[a:'strange name'.b[0].c[*][-1] = 1]`},
	{`[x-own-type:'AND' = 1]`, `[x-own-type:'AND' = 1]`},
	{`[a:b != 1 OR a:b <> -2]`, `[(a:b != 1 | a:b != -2)]`},
	{`[a:b < 1.5 AND a:b <= +2 AND a:b > .5 AND a:b >= -.5]`, `[(a:b < 1.5f & a:b <= 2 & a:b > 0.5f & a:b >= -0.5f)]`},
	{`[a:b = 1 OR a:b = 2 AND a:b = 3]`, `[(a:b = 1 | (a:b = 2 & a:b = 3))]`},
	{`[(a:b = 1 OR a:b = 2) AND a:b = 3]`, `[((a:b = 1 | a:b = 2) & a:b = 3)]`},
	{`[a:b IN ('x', 1, true, h'ff00', b'AAE=', t'2020-01-02T03:04:05.5Z')]`, `[a:b IN "x",1,true,bytesff00,bytes0001,t2020-01-02T03:04:05.5Z]`},
	{`[a:b IN ()]`, `[a:b IN ]`},
	{`[a:b NOT = 1 AND a:b NOT IN (2)]`, `[(!a:b = 1 & !a:b IN 2)]`},
	{`[a:b LIKE 'x%' OR a:b MATCHES '^x' OR a:b ISSUBSET '10.0.0.0/8' OR a:b ISSUPERSET '10.0.0.1/32']`,
		`[(a:b LIKE "x%" | a:b MATCHES "^x" | a:b ISSUBSET "10.0.0.0/8" | a:b ISSUPERSET "10.0.0.1/32")]`},
	{`[EXISTS a:b AND NOT EXISTS a:c.d]`, `[(exists a:b & !exists a:c.d)]`},
	{`[a:b = 1] AND [a:b = 2] OR [a:b = 3] FOLLOWEDBY [a:b = 4]`, `((([a:b = 1] AND [a:b = 2]) OR [a:b = 3]) FOLLOWEDBY [a:b = 4])`},
	{`[a:b = 1] FOLLOWEDBY [a:b = 2] OR [a:b = 3]`, `([a:b = 1] FOLLOWEDBY ([a:b = 2] OR [a:b = 3]))`},
	{`([a:b = 1] FOLLOWEDBY [a:b = 2]) AND [a:b = 3]`, `(([a:b = 1] FOLLOWEDBY [a:b = 2]) AND [a:b = 3])`},
	{`[a:b = 1] AND [a:b = 2] WITHIN 5 SECONDS`, `([a:b = 1] AND {[a:b = 2] within 5})`},
	{`([a:b = 1] AND [a:b = 2]) WITHIN 1.5 SECONDS REPEATS 3 TIMES`, `{{([a:b = 1] AND [a:b = 2]) within 1.5} repeats 3}`},
	{`[a:b = 1] START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00.25Z'`, `{[a:b = 1] from 2020-01-01T00:00:00Z to 2021-01-01T00:00:00.25Z}`},
	{`[a:b = t'2016-12-31T23:59:60Z']`, `[a:b = t2017-01-01T00:00:00Z]`},
	{"[a:b = 1 /* a [comment] */ OR // another\n a:b = 2]", `[(a:b = 1 | a:b = 2)]`},
	{"\u3000[a:b\u00a0=\t'日本']", `[a:b = "日本"]`},
}

var bad = []struct {
	in  string
	pos int
	err string
}{
	{``, 0, `found the end, want "[" or "("`},
	{`[]`, 1, `found "]", want an object path`},
	{`[a:b = 'x'`, 10, `found the end, want "]"`},
	{`[a:b = 'x']]`, 11, `found "]", want an observation operator`},
	{`[a:b = 'x'] [a:b = 'y']`, 12, `found "[", want an observation operator`},
	{`[a:b = 'x'] AND`, 15, `found the end, want "[" or "("`},
	{`[a:b = "x"]`, 7, `'"' has no place`},
	{`[a:b = 'x]`, 7, `string without end`},
	{`[a:b = 'a\x']`, 9, `backslash in a string`},
	{`[a = 'x']`, 3, `found "=", want ":"`},
	{`[a:b]`, 4, `found "]", want a comparison operator`},
	{`[a:b 'x']`, 5, `found the string "x", want a comparison operator`},
	{`[a:b = x]`, 7, `found "x", want a value`},
	{`[a:b = 007]`, 7, `has leading zeros`},
	{`[a:b = -]`, 7, `is no number`},
	{`[a:b = 99999999999999999999]`, 7, `out of range`},
	{`[a:b.5 = 1]`, 4, `found ".5", want a comparison operator`},
	{`[a:AND = 1]`, 3, `found "AND", want a property name`},
	{`[a:b[x] = 1]`, 5, `want an index or *`},
	{`[a:b LIKE 5]`, 10, `LIKE needs a string`},
	{`[a:b > true]`, 7, `> cannot compare true or false`},
	{`[a:b IN ('x' 'y')]`, 13, `found the string "y", want ","`},
	{`[a:b IN ('x',)]`, 13, `want a value`},
	{`[a:b = h'f']`, 7, `hexadecimal value`},
	{`[a:b = b'AA']`, 7, `base64 value`},
	{`[a:b = t'2020-13-01T00:00:00Z']`, 7, `timestamp`},
	{`[a:b = t'2020-01-01T00:00:00+01:00']`, 7, `timestamp`},
	{`[a:b = 1] WITHIN 0 SECONDS`, 17, `WITHIN needs more than 0 seconds`},
	{`[a:b = 1] REPEATS 0 TIMES`, 18, `REPEATS needs at least 1`},
	{`[a:b = 1] REPEATS 1.5 TIMES`, 18, `wrong kind of value behind REPEATS`},
	{`[a:b = 1] START 't' STOP 't'`, 16, `wrong kind of value behind START`},
	{`[a:b = 1] WITHIN 5`, 18, `found the end, want "SECONDS"`},
	{`[a:b = 1 /* x]`, 9, `comment without end`},
	{"[a:b = '\xff']", 0, `not UTF-8`},
	{strings.Repeat("(", 100) + `[a:b = 1]`, MaxDepth + 1, `nested deeper than`},
	{`[` + strings.Repeat("(", 100) + `a:b = 1]`, MaxDepth + 1, `nested deeper than`},
	{`[a:b = 1] REPEATS 2 TIMES WITHIN 5 SECONDS REPEATS 2 TIMES`, 43, `second REPEATS`},
	{`[a:b = t'2020-01-02T3:04:05Z']`, 7, `timestamp`},
	{`[a:b = t'2020-01-02T03:04:05,5Z']`, 7, `timestamp`},
	{`[a:b = t'2020-01-02T03:04:05.Z']`, 7, `timestamp`},
	{`[a:b = t'2020-02-30T03:04:05Z']`, 7, `timestamp`},
	{strings.Repeat(" ", MaxLength+1), 0, `at most`},
	{`[a:b = 1` + strings.Repeat(" OR a:b = 1", MaxTests) + `]`, -1, `more than 10000 comparisons`},
	{`[a:b IN (1` + strings.Repeat(",1", MaxLiterals) + `)]`, -1, `more than 50000 values`},
}

func TestParse(t *testing.T) {
	for _, tt := range good {
		got, err := Parse(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if s := show(got); s != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.in, s, tt.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range bad {
		short := tt.in[:min(len(tt.in), 60)]
		_, err := Parse(tt.in)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: error %v", short, err)
			continue
		}
		if !strings.Contains(e.Detail, tt.err) || tt.pos >= 0 && e.Pos != tt.pos {
			t.Errorf("%s: at %d: %s\nwant at %d: %s", short, e.Pos, e.Detail, tt.pos, tt.err)
		}
		if n := len(e.Error()); n > 300 {
			t.Errorf("%s: error of %d bytes", short, n)
		}
	}
}

func TestSeeds(t *testing.T) {
	if len(good)+len(bad) < 60 || len(rules) < 60 {
		t.Errorf("%d seeds, %d rules", len(good)+len(bad), len(rules))
	}
}

// FuzzParse checks that errors have a place inside the input and that the tree is complete.
func FuzzParse(f *testing.F) {
	for _, tt := range good {
		f.Add(tt.in)
	}
	for _, tt := range bad {
		if len(tt.in) < 1000 {
			f.Add(tt.in)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Parse(s)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Pos < 0 || e.Pos > len(s) || e.Detail == "" {
				t.Fatalf("%q: error %#v", s, err)
			}
			return
		}
		if text := show(got); strings.Contains(text, "<nil>") || strings.Contains(text, "*stix") {
			t.Fatalf("%q: incomplete tree %s", s, text)
		}
		if len(Format(got)) <= MaxLength { // a float may be written with more digits than it was
			checkFormat(t, got)
		}
		if p, err := Compile(got); err == nil {
			p.Look(NewObjects([]Object{{"type": "a", "id": "a--1", "b": int64(1), "c_ref": "a--1", "d": []any{"x", 1.5}}}))
			if seen, err := p.Bind(make([]Seen, 3), steps(MaxSteps)); seen != nil || err != nil {
				t.Fatalf("%q matches %v, %v without a test that holds", s, seen, err)
			}
		}
	})
}
