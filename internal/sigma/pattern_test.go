package sigma

import (
	"reflect"
	"testing"
)

func lit(s string) Part { return Part{Kind: Literal, Text: s} }

var (
	run  = Part{Kind: AnyRun}
	char = Part{Kind: AnyChar}
	dash = Part{Kind: Dash}
)

// TestParsePattern covers every line of the specification's "Escaping".
func TestParsePattern(t *testing.T) {
	tests := []struct {
		in   string
		want Pattern
	}{
		{``, nil},
		{`a`, Pattern{lit(`a`)}},
		{`*`, Pattern{run}},
		{`**`, Pattern{run}},
		{`?*?`, Pattern{char, run, char}},
		{`a*b?c`, Pattern{lit(`a`), run, lit(`b`), char, lit(`c`)}},
		{`C:\Windows\x`, Pattern{lit(`C:\Windows\x`)}},
		{`C:\\Windows`, Pattern{lit(`C:\Windows`)}},
		{`\*`, Pattern{lit(`*`)}},
		{`\?`, Pattern{lit(`?`)}},
		{`\\*`, Pattern{lit(`\`), run}},
		{`\\\*`, Pattern{lit(`\*`)}},
		{`\\\\*`, Pattern{lit(`\\`), run}},
		{`\\\a`, Pattern{lit(`\\a`)}},
		{`\\\\a`, Pattern{lit(`\\a`)}},
		{`a\`, Pattern{lit(`a\`)}},
		{`\`, Pattern{lit(`\`)}},
		{`*\`, Pattern{run, lit(`\`)}},
		{`\"`, Pattern{lit(`\"`)}},
		{`%a%`, Pattern{lit(`%a%`)}},
		{"é*\U0001F600?", Pattern{lit("é"), run, lit("\U0001F600"), char}},
	}
	for _, tt := range tests {
		got := ParsePattern(tt.in)
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("ParsePattern(%q) = %v, want %v", tt.in, got, tt.want)
		}
		if again := ParsePattern(got.String()); !reflect.DeepEqual(again, got) {
			t.Errorf("%q: String gives %q, which reads as %v", tt.in, got, again)
		}
	}
}

func TestParsePatternWithPlaceholders(t *testing.T) {
	hole := func(name string) Part { return Part{Kind: placeholder, Text: name} }
	tests := []struct {
		in   string
		want Pattern
	}{
		{`%name%`, Pattern{hole("name")}},
		{`\%plain%name%`, Pattern{lit(`%plain`), hole("name")}}, // the specification's example
		{`a%b%c%d%*`, Pattern{lit("a"), hole("b"), lit("c"), hole("d"), run}},
		{`\\%a%`, Pattern{lit(`\`), hole("a")}},
		{`100%`, Pattern{lit("100%")}},
		{`%%`, Pattern{lit("%%")}},
		{`%a b%`, Pattern{hole("a b")}}, // no plain percent sign stands here: that is \%
		{`%a*%`, Pattern{lit("%a"), run, lit("%")}},
	}
	for _, tt := range tests {
		if got := parsePattern(tt.in, true); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("parsePattern(%q) = %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestWithDashes(t *testing.T) {
	tests := []struct {
		in   string
		want Pattern
	}{
		{` -param-name`, Pattern{lit(" "), dash, lit("param-name")}},
		{`/c`, Pattern{dash, lit("c")}},
		{`--long`, Pattern{lit("-"), dash, lit("long")}},
		{`a -b /c`, Pattern{lit("a "), dash, lit("b "), dash, lit("c")}},
		{`a/b`, Pattern{lit("a/b")}},
		{` - `, Pattern{lit(" - ")}},
		{`-`, Pattern{lit("-")}},
		{`-_x`, Pattern{dash, lit("_x")}},
		{`-é`, Pattern{dash, lit("é")}},
		{`*-x`, Pattern{run, dash, lit("x")}},
		{`x*-y`, Pattern{lit("x"), run, dash, lit("y")}},
		{`-*`, Pattern{lit("-"), run}},
	}
	for _, tt := range tests {
		if got := withDashes(ParsePattern(tt.in)); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("withDashes(%q) = %v, want %v", tt.in, got, tt.want)
		}
	}
}
