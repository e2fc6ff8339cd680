package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func TestPrintable(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""}, {"plain żółw 漢字 🛡", "plain żółw 漢字 🛡"},
		{"\x1b[31mred", `\x1b[31mred`}, {"a\nb\tc\rd", `a\nb\tc\rd`}, {"\x00\x07\x7f", `\x00\x07\x7f`},
		{"\u009b2J", `\u009b2J`}, {"\xff\xfea", `\xff\xfea`}, {"\x9b2J", `\x9b2J`}, {"a\u202eb\u2066\ufeff\u200b", `a\u202eb\u2066\ufeff\u200b`},
		{"�", "�"}, {"\u2028", `\u2028`},
	} {
		if got := printable(tt.in); got != tt.want {
			t.Errorf("printable(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	if got := printableLines("a\x1b\nb\u009b\n"); got != "a\\x1b\nb\\u009b\n" {
		t.Errorf("got %q", got)
	}
}

func TestJSONLine(t *testing.T) {
	for _, s := range []string{"", "<&>", "\x1b[2J", "\u009b2J\u007f", "a\u202eb", "żółw", "\xff", `back\slash "quote"`, "\u2028"} {
		line, err := jsonLine(map[string]string{"k": s})
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsFunc(bytes.TrimSuffix(line, []byte("\n")), obeyed) || bytes.Count(line, []byte("\n")) != 1 {
			t.Errorf("%q gave %q", s, line)
		}
		var back map[string]string
		if err := json.Unmarshal(line, &back); err != nil || back["k"] != strings.ToValidUTF8(s, "\ufffd") {
			t.Errorf("%q came back as %q, %v", s, back["k"], err)
		}
	}
	if _, err := jsonLine(func() {}); err == nil {
		t.Error("a function was encoded")
	}
}

func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"", "a", "\x1b[2J", "\u009b", "\u202e", "\xff\xfe", "\n\r\t", "\ufeff漢", "\\x1b", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := printable(s); strings.ContainsFunc(got, obeyed) || got != strings.ToValidUTF8(got, "?") {
			t.Fatalf("%q came through as %q", s, got)
		}
		line, err := jsonLine(s)
		if err != nil || bytes.ContainsFunc(bytes.TrimSuffix(line, []byte("\n")), obeyed) {
			t.Fatalf("%q came through as %q, %v", s, line, err)
		}
	})
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// Output that is lost is an error: half a list must not look like a whole one.
func TestBrokenStdout(t *testing.T) {
	var stderr bytes.Buffer
	getenv := func(string) string { return "" }
	p := &program{getenv: getenv, stdout: brokenWriter{}, stderr: &stderr, now: time.Now}
	if code := p.main(t.Context(), []string{"version"}); code != 2 || !strings.Contains(stderr.String(), "no space left") {
		t.Errorf("exit %d, %q", code, &stderr)
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	p := &program{getenv: func(string) string { return "" }, stdout: &out}
	if err := p.table([]string{"A", "LONG"}, [][]string{{"żółw", "x"}, {"b\tc\n", "\x1b"}, {"", "y"}}); err != nil {
		t.Fatal(err)
	}
	if want := "A       LONG\nżółw    x\nb\\tc\\n  \\x1b\n        y\n"; out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestNoColourWithoutATerminal(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, out := range []any{null, &bytes.Buffer{}, nil} {
		if isTerminal(out) {
			t.Errorf("%T is a terminal", out)
		}
	}
}

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, tt := range []struct {
		in   string
		want time.Time
	}{
		{"", time.Time{}}, {"15m", now.Add(-15 * time.Minute)}, {"7d", now.AddDate(0, 0, -7)},
		{"2026-02-03T04:05:06Z", time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)}, {"2026-02-03T04:05:06.5+01:00", time.Date(2026, 2, 3, 3, 5, 6, 5e8, time.UTC)},
		{"2026-02-03", time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC)}, {"2026-02-03T04:05", time.Date(2026, 2, 3, 4, 5, 0, 0, time.UTC)},
	} {
		if got, err := parseSince(tt.in, now); err != nil || !got.Equal(tt.want) {
			t.Errorf("%q gave %v, %v; want %v", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{"yesterday", "-1h", "2026-13-01", "24"} {
		if got, err := parseSince(in, now); err == nil {
			t.Errorf("%q was taken as %v", in, got)
		}
	}
}
