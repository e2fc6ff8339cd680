package dfa

import (
	"regexp"
	"strings"
	"testing"
)

var seeds = [][2]string{
	{"", ""}, {"", "x"}, {"a", "bab"}, {"^a", "ba"}, {"^a", "a"}, {"a$", "ab"}, {"(?m)^b$", "a\nb\nc"}, {"(?m)^b$", "a\nbc"},
	{`\bfoo\b`, "a foo b"}, {`\bfoo\b`, "afoo"}, {`\Bo`, "foo"}, {"(?i)ABC", "xaBc"}, {"(?s)a.c", "a\nc"}, {"a.c", "a\nc"},
	{`[0-9a-f]{8}\s`, "x deadbeef "}, {"(a|b)*c", "ababc"}, {"a{2,3}b", "aab"}, {"x*", ""}, {`\z`, "abc"}, {`\Aabc\z`, "abc"},
	{"(?i)k", "\u212a"}, {"é", "é"}, {"a|^b|c$", "xc"}, {`^\s*$`, "  "}, {"(?:a?){10}a{10}", "aaaaaaaaaa"},
}

func TestSeeds(t *testing.T) {
	if len(seeds) < 25 {
		t.Errorf("%d seeds", len(seeds))
	}
}

// FuzzMatch compares tables with package regexp.
func FuzzMatch(f *testing.F) {
	for _, s := range seeds {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, source, text string) {
		if len(source) > 200 || len(text) > 1000 {
			return
		}
		re, err := regexp.Compile(source)
		if err != nil {
			return
		}
		d := New(source)
		if d == nil {
			return
		}
		ascii := strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 }) < 0
		got, known := d.Match(text)
		if ascii && !known {
			t.Fatalf("%q on %q: not known", source, text)
		}
		if known && got != re.MatchString(text) {
			t.Fatalf("%q on %q: %t", source, text, got)
		}
	})
}

// TestTooLarge checks that expressions whose tables explode are left alone, soon.
func TestTooLarge(t *testing.T) {
	for _, source := range []string{"(a|b)*a(a|b){14}", "[ab]{700}", "(?i)(a{0,100}b{0,100}){5}c"} {
		if d := New(source); d != nil {
			t.Errorf("%s: %d bytes", source, d.Bytes())
		}
	}
}
