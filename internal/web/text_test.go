package web

import (
	"math"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"shieldwall/internal/status"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                "plain",
		"Zażółć gęślą jaźń":    "Zażółć gęślą jaźń",
		"Ελλάδα עברית العربية": "Ελλάδα עברית العربية",
		"日本語 🛡️":               "日本語 🛡\ufe0f",
		"photo_\u202egnp.exe":  "photo_‹U+202E›gnp.exe",
		"a\u2066b\u2069c":      "a‹U+2066›b‹U+2069›c",
		"zero\u200bwidth":      "zero‹U+200B›width",
		"soft\u00adhyphen":     "soft‹U+00AD›hyphen",
		"bom\ufeff":            "bom‹U+FEFF›",
		"filler\u3164x\u2800":  "filler‹U+3164›x‹U+2800›",
		"tag\U000e0041":        "tag‹U+E0041›",
		"line\nbreak\r\ttab":   "line␊break␍␉tab",
		"nul\x00esc\x1b[31m":   "nul␀esc␛[31m",
		"del\x7fc1\u0085":      "del␡c1‹U+0085›",
		"nbsp\u00a0\u3000wide": "nbsp  wide",
		"ls\u2028ps\u2029":     "ls‹U+2028›ps‹U+2029›",
		"private\ue000":        "private‹U+E000›",
		"bad\xff\xfeutf8":      "bad\ufffd\ufffdutf8",
		"<b>&amp;":             "<b>&amp;",
	} {
		if got := clean(in, 100); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := clean(strings.Repeat("ab", 100), 5); got != "ababa…" {
		t.Errorf("long text: %q", got)
	}
	if got := clean("e"+strings.Repeat("\u0301", 500), 100); utf8.RuneCountInString(got) != 1+maxMarks {
		t.Errorf("piled marks: %d characters", utf8.RuneCountInString(got))
	}
	if got := cleanBlock("one\r\n\ttwo\x00\n\n", 100); got != "one\n\ttwo␀" {
		t.Errorf("block: %q", got)
	}
}

// cleanSeeds are the fuzz target's corpus.
var cleanSeeds = []string{"", "plain", "\u202e", "a\u0301\u0301\u0301\u0301\u0301\u0301", "\xff\xc0\x80", "\x00\x1b\x7f", "🛡️\u200d", "\U000e0041", "line\r\nline", strings.Repeat("x", 500), "\u3164\u2800\ufeff", "{{.}}<script>"}

func FuzzClean(f *testing.F) {
	for _, s := range cleanSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{clean(s, 50), cleanBlock(s, 50)} {
			checkHarmless(t, strings.NewReplacer("\n", "", "\t", "").Replace(got))
			if !utf8.ValidString(got) || utf8.RuneCountInString(got) > 50*9+1 {
				t.Errorf("clean(%q) = %q", s, got)
			}
		}
	})
}

func TestFuzzSeeds(t *testing.T) {
	t.Parallel()
	if len(cleanSeeds) < 12 {
		t.Errorf("only %d seeds", len(cleanSeeds))
	}
}

// checkHarmless fails where text holds a character that hides or reorders.
func checkHarmless(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || invisible(r) {
			t.Fatalf("the text holds U+%04X", r)
		}
	}
}

const hostile = "\u202e</text></title><script>alert(1)</script><img src=x onerror=alert(2)>\" onload='alert(3)' {{.}} \u200b\x00\n"

// fill sets every string in v to hostile text, each its own, and every number to something odd.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostile + strconv.Itoa(*n))
	case reflect.Float64:
		v.SetFloat(math.NaN())
	case reflect.Int, reflect.Int64:
		v.SetInt(math.MinInt64 + int64(*n))
	case reflect.Uint64:
		v.SetUint(math.MaxUint64 - uint64(*n))
	case reflect.Bool:
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	}
}

func hostileSource() *fake {
	f := &fake{feed: make(chan status.Detection, 10)}
	n := 0
	for _, v := range []any{&f.node, &f.publications, &f.objects, &f.sightings, &f.detections} {
		fill(reflect.ValueOf(v).Elem(), &n)
	}
	for i := range f.publications { // so that they are drawn
		f.publications[i].Readers, f.publications[i].Applied = 3, i
	}
	f.node.Alliance.Members[0].Self = true
	return f
}

// checkEscaped fails where hostile text became markup or code, or kept what deceives the eye.
func checkEscaped(t *testing.T, name, got string) {
	t.Helper()
	for _, bad := range []string{"<script>", "<img", "</text></title>", "NaN", "Inf"} {
		if strings.Contains(got, bad) {
			t.Errorf("%s contains %q", name, bad)
		}
	}
	if !strings.Contains(got, "&lt;script&gt;") {
		t.Errorf("%s does not show the hostile text at all", name)
	}
	checkHarmless(t, strings.NewReplacer("\n", "", "\t", "").Replace(got))
}

func TestHostileText(t *testing.T) {
	t.Parallel()
	src := hostileSource()
	v := guest(t, Handler(src, Options{Zone: time.FixedZone("X", 3600)}))
	for _, view := range views {
		for _, query := range []string{"", "?q=" + "alert", "?q=%3Cscript%3E%22%27%3E"} {
			got := v.body(view.Path + query)
			checkEscaped(t, view.Path+query, got)
			checkMarkup(t, view.Path+query, got)
		}
	}
	got := v.body("/")
	if !strings.Contains(got, `<text class="name`) || !regexp.MustCompile(`<text class="name"[^>]*>‹U&#43;202E›&lt;/text`).MatchString(got) {
		t.Error("the drawing does not show the hostile name as text")
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		count(0): "0", count(999): "999", count(1000): "1,000", count(int64(-1234567)): "-1,234,567", count(uint64(math.MaxUint64)): "18,446,744,073,709,551,615",
		count(int64(math.MinInt64)): "-9,223,372,036,854,775,808",
		brief(99_999):               "99,999", brief(321_805): "321k", brief(1_204_331): "1.2M", brief(2e9): "2G", brief(4e6): "4M", size(12): "12 B", size(2048): "2 KiB", size(3 << 20): "3 MiB", size(5 << 30): "5 GiB",
		millis(0.44): "0.4 ms", millis(11.4): "11 ms", millis(2300): "2.3 s", millis(150_000): "2.5 min", millis(7.2e6): "2 h", millis(math.NaN()): "–", millis(math.Inf(1)): "–", millis(-1): "–",
		span(-time.Hour): "now", span(9 * time.Second): "now", span(47 * time.Second): "40 s", span(47 * time.Minute): "47 min", span(47 * time.Hour): "47 h", span(72 * time.Hour): "3 d",
		num(-0.01): "0", num(1.25): "1.2", num(3): "3",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestStamp(t *testing.T) {
	t.Parallel()
	tokyo := time.FixedZone("JST", 9*3600)
	for _, tc := range []struct {
		at                 time.Time
		zone               *time.Location
		date, clock, local string
	}{
		{testTime, time.UTC, "", "22:40:02", ""},
		{testTime, tokyo, "", "22:40:02", "07:40"},
		{testTime.Add(-24 * time.Hour), tokyo, "11-22", "22:40:02", "07:40"},
		{testTime.Add(-365 * 24 * time.Hour), time.UTC, "2025-11-23", "22:40:02", ""},
		{time.Time{}, tokyo, "", "", ""},
	} {
		s := stampOf(tc.at, testTime, tc.zone)
		if s.Date != tc.date || s.Clock != tc.clock || s.Local != tc.local {
			t.Errorf("%v in %v: %+v", tc.at, tc.zone, s)
		}
	}
	if s := stampOf(testTime, testTime, tokyo); s.Full != "2026-11-23 22:40:02.000 UTC, 2026-11-24 07:40:02 JST" || s.ISO != "2026-11-23T22:40:02.000Z" {
		t.Errorf("in full: %+v", s)
	}
}

// TestContrast computes WCAG 2.1 contrast of the stylesheet's colours: 4.5 for text (1.4.3), 3 for shapes
// and lines that carry meaning (1.4.11).
func TestContrast(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	pairs := regexp.MustCompile(`--([a-z]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\)`).FindAllStringSubmatch(string(css), -1)
	if len(pairs) < 15 {
		t.Fatalf("only %d colours found", len(pairs))
	}
	for theme, column := range map[string]int{"light": 2, "dark": 3} {
		colour := map[string]float64{}
		for _, p := range pairs {
			colour[p[1]] = luminance(t, p[column])
		}
		for _, fore := range []string{"text", "dim", "accent", "ok", "warn", "bad", "odd", "critical", "high", "medium", "low"} {
			for _, back := range []string{"bg", "panel", "raised"} {
				if c := contrast(colour[fore], colour[back]); c < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f", theme, fore, back, c)
				}
			}
		}
		if c := contrast(colour["edge"], colour["panel"]); c < 3 {
			t.Errorf("%s: edge on panel has a contrast of %.2f", theme, c)
		}
	}
	for _, chip := range regexp.MustCompile(`\.tlp-[a-z]+ \{ color: #([0-9a-f]{3,6});`).FindAllStringSubmatch(string(css), -1) {
		hex := chip[1]
		if len(hex) == 3 {
			hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
		}
		if c := contrast(luminance(t, hex), 0); c < 4.5 {
			t.Errorf("%s on black has a contrast of %.2f", chip[0], c)
		}
	}
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(c uint64) float64 {
		f := float64(c&0xff) / 255
		if f <= 0.04045 {
			return f / 12.92
		}
		return math.Pow((f+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }
