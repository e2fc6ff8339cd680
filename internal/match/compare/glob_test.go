package compare

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"shieldwall/internal/sigma"
)

// asRegexp writes a pattern as a regular expression: the oracle for the matcher's own globs.
func asRegexp(p sigma.Pattern) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`\A(?s)`)
	for _, part := range p {
		switch part.Kind {
		case sigma.AnyRun:
			b.WriteString(`.*`)
		case sigma.AnyChar:
			b.WriteString(`.`)
		case sigma.Dash:
			b.WriteString("[" + regexp.QuoteMeta(sigma.Dashes) + "]")
		default:
			b.WriteString(regexp.QuoteMeta(part.Text))
		}
	}
	return regexp.MustCompile(b.String() + `\z`)
}

// globSeeds are pattern and text; "#" in a pattern stands for a windash.
var globSeeds = [][2]string{
	{"", ""}, {"*", "abc"}, {"a*b*c", "axxbyyc"}, {"a*b*c", "acb"}, {"?", "é"}, {"*?", ""}, {"?*a?*", "xay"},
	{"*ab*ab", "abab"}, {"*ab*ab", "ab"}, {"a#b", "a\u2014b"}, {"*#x?*", "  /xy"}, {"*aab*", "aaab"}, {"**a**", "a"},
	{"a?*?b", "axb"}, {"a?*?b", "axyb"}, {"*é?", "xéé"}, {"#*#", "-"}, {"#*#", "-/"},
}

func TestGlobSeeds(t *testing.T) {
	if len(globSeeds) < 18 {
		t.Errorf("%d seeds", len(globSeeds))
	}
}

func globPattern(s string) sigma.Pattern {
	var out sigma.Pattern
	for i, piece := range strings.Split(s, "#") {
		if i > 0 {
			out = append(out, sigma.Part{Kind: sigma.Dash})
		}
		out = append(out, sigma.ParsePattern(piece)...)
	}
	return out
}

// FuzzGlob compares a glob with a regular expression.
func FuzzGlob(f *testing.F) {
	for _, s := range globSeeds {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(text) || len(pattern) > 200 || len(text) > 1000 {
			return // a regular expression sees invalid bytes as U+FFFD
		}
		p := globPattern(pattern)
		want := asRegexp(p).MatchString(text)
		if got := NewGlob(p).Match(text); got != want {
			t.Fatalf("glob %q on %q: %t, regexp says %t", pattern, text, got, want)
		}
	})
}

func TestFold(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""}, {"abc", "abc"}, {"ABC", "abc"}, {"ÄÖÜ", "äöü"}, {"Σ", "σ"}, {"Я", "я"}, {"a\xffB", "a\xffb"}, {"\u212a", "k"},
		{"日本", "日本"}, {"\x00A", "\x00a"}, {"İ", "i"},
	}
	for _, tt := range tests {
		if got := Fold(tt.in); got != tt.want {
			t.Errorf("fold(%q) = %q, want %q", tt.in, got, tt.want)
		}
		if got := Fold(Fold(tt.in)); got != tt.want {
			t.Errorf("folding %q twice gives %q", tt.in, got)
		}
	}
}

// FuzzAppendFold compares the matcher's fold with the plain one.
func FuzzAppendFold(f *testing.F) {
	seeds := []string{"", "A", "ABCDEFGH", "abcdefgHé", "ABCDEFGHIJKLMNOPÄÖ", "\xffABCDEFGHI", "@[`{AZaz09", "ÀBCDEFGH\u212a"}
	if len(seeds) != 8 {
		f.Fatalf("%d seeds", len(seeds))
	}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := AppendFold([]byte("Kept"), s); string(got) != "Kept"+Fold(s) {
			t.Fatalf("%q gives %q, want %q", s, got[4:], Fold(s))
		}
	})
}
