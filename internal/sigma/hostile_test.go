package sigma_test

import (
	"fmt"
	"strings"
	"testing"

	"shieldwall/internal/sigma"
)

// rule wraps a detection section into a rule.
func rule(detection string) string {
	indented := strings.ReplaceAll(strings.TrimSpace(detection), "\n", "\n  ")
	return "title: t\nlogsource:\n  product: windows\ndetection:\n  " + indented + "\n"
}

// reject parses and wants one rejected document.
func reject(t *testing.T, data string) *sigma.Error {
	t.Helper()
	return rejectBy(t, data, sigma.Options{})
}

func rejectBy(t *testing.T, data string, opt sigma.Options) *sigma.Error {
	t.Helper()
	got, err := sigma.Parse([]byte(data), opt)
	if err != nil {
		return err.(*sigma.Error)
	}
	if len(got.Rules) != 0 || len(got.Correlations)+len(got.Filters) != 0 || len(got.Rejected) != 1 {
		t.Fatalf("loaded %d rules and %d correlations and rejected %d, want one rejection", len(got.Rules), len(got.Correlations), len(got.Rejected))
	}
	return got.Rejected[0].Err
}

func list(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestHostileRules gives rules that would cost too much. Each must be refused, and quickly: the test's
// own timeout is the only clock.
func TestHostileRules(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 'b'; i < 'k'; i++ {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1)
	}
	tests := []struct {
		name, data string
		reason     sigma.Reason
	}{
		{"file too large", strings.Repeat("#", sigma.MaxFileSize+1), sigma.ReasonLimit},
		{"10,000 conditions", rule("s: {A: b}\ncondition:\n" + list(10_000, "- s #%d\n")), sigma.ReasonLimit},
		{"10,000 terms in one condition", rule("s: {A: b}\ncondition: s" + list(10_000, " or not s%.0d")), sigma.ReasonLimit},
		{"deep brackets", rule("s: {A: b}\ncondition: " + strings.Repeat("(", 5000) + "s" + strings.Repeat(")", 5000)), sigma.ReasonLimit},
		{"deep not", rule("s: {A: b}\ncondition: " + strings.Repeat("not ", 3000) + "s"), sigma.ReasonLimit},
		{"many selections", rule(list(10_000, "s%d: {A: b}\n") + "condition: 1 of s*"), sigma.ReasonLimit},
		{"many references", rule(list(200, "s%d: {A: b}\n") + "condition: " + strings.Repeat("1 of s* or ", 400) + "s1"), sigma.ReasonLimit},
		{"long names", rule(strings.Repeat("s", sigma.MaxName+1) + ": {A: b}\ncondition: 1 of them"), sigma.ReasonLimit},
		{"alias bomb", bomb + rule("s: {A: b}\ncondition: s"), sigma.ReasonLimit},
		{"alias of itself", "title: &t [*t]\n" + strings.TrimPrefix(rule("s: {A: b}\ncondition: s"), "title: t\n"), sigma.ReasonLimit},
		{"deep flow", rule("s: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "\ncondition: s"), sigma.ReasonLimit},
		{"deeper flow than the library reads", strings.Repeat("[", 100_000), sigma.ReasonYAML},
		{"many nodes", rule("s:\n  A: [" + strings.Repeat("1,", 150_000) + "1]\ncondition: s"), sigma.ReasonLimit},
		{"much structure", strings.Repeat("-\n", sigma.MaxFileSize/2), sigma.ReasonLimit},
		{"many values", rule("s:\n  A: [" + strings.Repeat("1,", 30_000) + "1]\ncondition: s"), sigma.ReasonLimit},
		{"long value", rule("s: {A: " + strings.Repeat("b", sigma.MaxValueBytes+1) + "}\ncondition: s"), sigma.ReasonLimit},
		{"much text", rule("s:\n" + list(150, "  A%d|wide|wide: "+strings.Repeat("b", 16_000)+"\n") + "condition: s"), sigma.ReasonLimit},
		{"modifiers multiply", rule("s: {A" + strings.Repeat("|base64offset", 15) + ": abcdefgh}\ncondition: s"), sigma.ReasonLimit},
		{"modifiers lengthen", rule("s: {A" + strings.Repeat("|wide", 16) + ": " + strings.Repeat("a", 60_000) + "}\ncondition: s"), sigma.ReasonLimit},
		{"many modifiers", rule("s: {A" + strings.Repeat("|contains", 17) + ": a}\ncondition: s"), sigma.ReasonLimit},
		{"many dashes before an encoding", rule("s: {A|windash|base64: ' -a -b -c -d'}\ncondition: s"), sigma.ReasonLimit},
		{"regexp repeats too often", rule(`s: {A|re: 'a{1001}'}` + "\ncondition: s"), sigma.ReasonRegexp},
		{"regexp repeats nested", rule(`s: {A|re: '((a{100}){100}){100}'}` + "\ncondition: s"), sigma.ReasonRegexp},
		{"regexp program too large", rule(`s: {A|re: '(abcdefghijklmnopqrstuvwxyz){999}'}` + "\ncondition: s"), sigma.ReasonLimit},
		{"regexp too long", rule("s: {A|re: " + strings.Repeat("a", sigma.MaxRegexpLength+1) + "}\ncondition: s"), sigma.ReasonLimit},
		{"regexp too deep", rule("s: {A|re: '" + strings.Repeat("(", 2000) + strings.Repeat(")", 2000) + "'}\ncondition: s"), sigma.ReasonRegexp},
		{"many large regexps", rule("s:\n" + list(60, "  A%d|re: '(abcdef){999}'\n") + "condition: s"), sigma.ReasonLimit},
		{"many documents", strings.Repeat("---\na: b\n", sigma.MaxDocuments+1), sigma.ReasonLimit},
		{"not UTF-8", "title: \xff", sigma.ReasonYAML},
		{"NUL", "title: \x00", sigma.ReasonYAML},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := reject(t, tt.data)
			if err.Reason != tt.reason {
				t.Errorf("reason %s (%v), want %s", err.Reason, err, tt.reason)
			}
			if n := len(err.Error()); n > 600 {
				t.Errorf("error of %d bytes", n)
			}
		})
	}
}
