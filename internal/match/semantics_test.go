package match_test

import (
	"strings"
	"testing"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/match"
	"shieldwall/internal/sigma"
)

// parse makes a rule of a detection section, for events of service "test".
func parse(t testing.TB, detection string) *sigma.Rule {
	t.Helper()
	indented := strings.ReplaceAll(strings.TrimSpace(detection), "\n", "\n  ")
	got, err := sigma.Parse([]byte("title: t\nid: r\nlogsource: {service: test}\ndetection:\n  "+indented+"\n"), sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Rejected) > 0 {
		t.Fatal(got.Rejected[0].Err)
	}
	return got.Rules[0]
}

// fields makes an event of service "test". A Go nil is null, a slice a list.
func fields(pairs ...any) *event.Event {
	ev := &event.Event{Service: "test"}
	for i := 0; i < len(pairs); i += 2 {
		ev.Fields = append(ev.Fields, event.Field{Name: pairs[i].(string), Value: toValue(pairs[i+1])})
	}
	return ev
}

func toValue(v any) event.Value {
	switch v := v.(type) {
	case nil:
		return event.Value{}
	case string:
		return event.Str(v)
	case bool:
		return event.Value{Kind: event.Bool, Text: map[bool]string{true: "true", false: "false"}[v]}
	case number:
		return event.Num(string(v))
	case []any:
		out := event.Value{Kind: event.List}
		for _, one := range v {
			out.Items = append(out.Items, toValue(one))
		}
		return out
	}
	panic("no such value")
}

type number string

func hits(e *match.Engine, ev *event.Event) []match.Hit {
	var out []match.Hit
	e.Match(ev, func(h match.Hit) { out = append(out, h) })
	return out
}

// TestSemantics decides small rules on small events. Every line is a case of the specification or of
// reference tables of engines that got it wrong.
func TestSemantics(t *testing.T) {
	ev := func(pairs ...any) *event.Event { return fields(pairs...) }
	tests := []struct {
		detection string // "key: value" of one selection, or a whole detection
		ev        *event.Event
		want      bool
	}{
		// Text: whole, without case, wildcards over newlines, stringified.
		{`F: abc`, ev("F", "aBC"), true},
		{`F: abc`, ev("F", "abcd"), false},
		{`F: ÄÖ`, ev("F", "äö"), true},
		{`F|cased: abc`, ev("F", "Abc"), false},
		{`F|cased: Abc`, ev("F", "Abc"), true},
		{`F|contains|cased: B`, ev("F", "abc"), false},
		{`f: abc`, ev("F", "abc"), false}, // names have case
		{`F: 'a*c'`, ev("F", "a\nb\r\nc"), true},
		{`F: 'a?c'`, ev("F", "a\nc"), true},
		{`F: 'a?c'`, ev("F", "ac"), false},
		{`F: 'a?c'`, ev("F", "aéc"), true},
		{`F: 'a??c'`, ev("F", "aéc"), false},
		{`F: 'a\*c'`, ev("F", "a*c"), true},
		{`F: 'a\*c'`, ev("F", "abc"), false},
		{`F: 'a\\*c'`, ev("F", `a\bc`), true},
		{`F: '*\cmd.exe'`, ev("F", `C:\x\CMD.EXE`), true},
		{`F: '*a*b*'`, ev("F", "xaxbx"), true},
		{`F: '*a*b*'`, ev("F", "xbxax"), false},
		{`F: 'ab*ba'`, ev("F", "aba"), false},
		{`F: 1`, ev("F", number("1")), true},
		{`F: 1`, ev("F", "1"), true},
		{`F: '1'`, ev("F", number("1")), true},
		{`F: 1`, ev("F", number("1.0")), false},
		{`F: 'true'`, ev("F", true), true},
		{`F: true`, ev("F", "True"), true},
		{`F: '1*'`, ev("F", number("123")), true},
		{`F|contains: a`, ev("F", []any{"x", "bab"}), true},
		{`F: [a, b]`, ev("F", "b"), true},
		{`F: [a, b]`, ev("F", "c"), false},
		{`F|contains|all: [a, b]`, ev("F", "xbxa"), true},
		{`F|contains|all: [a, b]`, ev("F", "xa"), false},
		{`F|contains|all: [a, b]`, ev("F", []any{"a", "b"}), true},
		{`F|startswith: ab`, ev("F", "ABC"), true},
		{`F|endswith: bc`, ev("F", "ABC"), true},
		{`F|startswith: 'a*c'`, ev("F", "abcd"), true},
		{`F|endswith: ''`, ev("F", "x"), true},

		// Empty, null, missing.
		{`F: ''`, ev("F", ""), true},
		{`F: ''`, ev("F", nil), false},
		{`F: ''`, ev("G", ""), false},
		{`F: ['', x]`, ev("F", ""), true},
		{`F: null`, ev("F", nil), true},
		{`F: null`, ev("G", "x"), true},
		{`F: null`, ev("F", ""), false},
		{`F: null`, ev("F", []any{"x", nil}), true},
		{`F: 'null'`, ev("F", nil), false},
		{`F: '*'`, ev("F", ""), true},
		{`F: '*'`, ev("F", nil), false},
		{`F: '*'`, ev("G", "x"), false},
		{`F: '?*'`, ev("F", ""), false},
		{"s: {F: null}\ncondition: not s", ev("F", "x"), true},
		{"s: {F: null}\ncondition: not s", ev("G", "x"), false},

		// NOT over a missing field is true.
		{"s: {G: x}\nflt: {F: y}\ncondition: s and not flt", ev("G", "x"), true},
		{"s: {G: x}\nflt: {F: y}\ncondition: s and not flt", ev("G", "x", "F", "y"), false},
		{"s: {G: x}\nflt: {F|contains: y}\ncondition: s and not flt", ev("G", "x"), true},
		{"s: {G: x}\nflt: {F|re: y}\ncondition: s and not flt", ev("G", "x"), true},
		{"s: {G: x}\nflt: {F|cidr: 10.0.0.0/8}\ncondition: s and not 1 of flt*", ev("G", "x"), true},
		{`F|neq: a`, ev("G", "x"), true},
		{`F|neq: a`, ev("F", "A"), false},
		{`F|neq: a`, ev("F", "b"), true},
		{`F|neq: [a, b]`, ev("F", "b"), false},
		{`F|contains|all|neq: [a, b]`, ev("F", "a"), true},
		{`F|neq: a`, ev("F", nil), true},

		// exists heeds presence only.
		{`F|exists: true`, ev("F", nil), true},
		{`F|exists: true`, ev("F", ""), true},
		{`F|exists: true`, ev("G", "x"), false},
		{`F|exists: false`, ev("G", "x"), true},
		{`F|exists: false`, ev("F", ""), false},

		// Regular expressions: case counts, search, flags.
		{`F|re: b.d`, ev("F", "abcde"), true},
		{`F|re: ^b`, ev("F", "ab"), false},
		{`F|re: B`, ev("F", "b"), false},
		{`F|re|i: B`, ev("F", "b"), true},
		{`F|re: '(?i)B'`, ev("F", "b"), true},
		{`F|re: a.c`, ev("F", "a\nc"), false},
		{`F|re|s: a.c`, ev("F", "a\nc"), true},
		{`F|re: ^b$`, ev("F", "a\nb\nc"), false},
		{`F|re|m: ^b$`, ev("F", "a\nb\nc"), true},
		{`F|re|startswith: b|c`, ev("F", "ab"), false},
		{`F|re|startswith: b|c`, ev("F", "ca"), true},
		{`F|re|endswith: b|c`, ev("F", "ba"), false},
		{`F|re|contains: b|c`, ev("F", "aba"), true},
		{`F|re: ^\d+$`, ev("F", number("42")), true},
		{`F|re: '^$'`, ev("F", ""), true},
		{`F|re: '.*'`, ev("F", nil), false},

		// Networks.
		{`F|cidr: 10.0.0.0/8`, ev("F", "10.255.0.1"), true},
		{`F|cidr: 10.0.0.0/8`, ev("F", "11.0.0.1"), false},
		{`F|cidr: 10.0.0.0/8`, ev("F", "::ffff:10.0.0.1"), true},
		{`F|cidr: '::ffff:0:0/96'`, ev("F", "::ffff:10.0.0.1"), true},
		{`F|cidr: 'fe80::/10'`, ev("F", "fe80::1%eth0"), true},
		{`F|cidr: 'FE80::/10'`, ev("F", "FE80:0:0::1"), true},
		{`F|cidr: '::1/128'`, ev("F", "0:0:0:0:0:0:0:1"), true},
		{`F|cidr: 10.0.0.0/8`, ev("F", "10.0.0.1:80"), false},
		{`F|cidr: 0.0.0.0/0`, ev("F", "-"), false},

		// Encodings.
		{`F|base64offset|contains: foobar`, ev("F", "xxeGZvb2Jhcgyy"), true},
		{`F|wide|base64offset|contains: IEX`, ev("F", "powershell -enc aQBJAEUAWAA="), true},
		{`F|wide: ab`, ev("F", "A\x00b\x00"), true},
		{`F|utf16: a`, ev("F", "\xff\xfea\x00"), true},
		{`F|windash|contains: ' -f '`, ev("F", "x /f y"), true},
		{`F|windash|contains: ' -f '`, ev("F", "x \u2014F y"), true},
		{`F|windash|contains: ' -f '`, ev("F", "x +f y"), false},
		{`F|windash|contains: ' -f -g '`, ev("F", "x /f \u2015g y"), true},
		{`F|windash: '-a'`, ev("F", "\u2013a"), true},
		{`F|windash: 'x?-a'`, ev("F", "xy/a"), true},
		{`F|windash|endswith: ' -a'`, ev("F", "q \u2013a"), true},

		// Numbers.
		{`F|gt: 5`, ev("F", "6"), true},
		{`F|gt: 5`, ev("F", number("5")), false},
		{`F|gte: 5`, ev("F", "5"), true},
		{`F|lt: 5`, ev("F", "-10"), true},
		{`F|lte: 1.5`, ev("F", "1.5"), true},
		{`F|lt: 10`, ev("F", "9"), true}, // not as text
		{`F|gt: 15`, ev("F", "0x10"), true},
		{`F|gt: 9007199254740992`, ev("F", "9007199254740993"), true}, // beyond a float's precision
		{`F|gt: 5`, ev("F", "1e3"), true},
		{`F|gt: 5`, ev("F", "six"), false},
		{`F|gt: 5`, ev("F", "Inf"), false},
		{`F|lt: 5`, ev("F", ""), false},
		{`F|gt: 5`, ev("F", "1_000"), false},
		{`F|gt: 5`, ev("G", "6"), false},
		{`F|gt: 5`, ev("F", " 6 "), true},

		// Dates, as they are written.
		{`F|hour: 22`, ev("F", "2024-05-06T22:10:11.123Z"), true},
		{`F|hour|gte: 22`, ev("F", "2024-05-06 23:10:11.123"), true},
		{`F|hour: 22`, ev("F", "2024-05-06T22:10:11+05:00"), true},
		{`F|minute: 10`, ev("F", "2024/05/06 22:10:11"), true},
		{`F|day: 6`, ev("F", "2024-05-06"), true},
		{`F|hour: 0`, ev("F", "2024-05-06"), false},
		{`F|week: 1`, ev("F", "2024-12-30"), true},
		{`F|month|lt: 6`, ev("F", "2024-05-06"), true},
		{`F|year: 2024`, ev("F", "2024-05-06T22:10Z"), true},
		{`F|year: 2024`, ev("F", "1714990000"), false},
		{`F|day: 31`, ev("F", "2024-02-31"), false},

		// Field references.
		{`F|fieldref: G`, ev("F", "A", "G", "a"), true},
		{`F|fieldref: G`, ev("F", "a", "G", "b"), false},
		{`F|cased|fieldref: G`, ev("F", "A", "G", "a"), false},
		{`F|fieldref: G`, ev("F", "a"), false},
		{`F|fieldref: G`, ev("G", "a"), false},
		{`F|fieldref: G`, ev("F", nil, "G", nil), false},
		{`F|fieldref: G`, ev("F", "*", "G", "x"), false},
		{`F|fieldref: G`, ev("F", number("1"), "G", "1"), true},
		{`F|fieldref|neq: G`, ev("F", "a"), true},
		{`F|fieldref|neq: G`, ev("F", "a", "G", "b"), true},
		{`F|fieldref|contains: G`, ev("F", "xay", "G", "a"), true},
		{`F|fieldref|startswith: G`, ev("F", "xay", "G", "x"), true},
		{`F|fieldref|endswith: G`, ev("F", "xay", "G", "x"), false},

		// Keywords: any value of the event, anywhere in it.
		{"k: [abc, xyz]\ncondition: k", ev("A", "1", "B", "--ABC--"), true},
		{"k: [abc]\ncondition: k", ev("abc", "1"), false},
		{"k: {'|all': [abc, xyz]}\ncondition: k", ev("A", "abc", "B", "xyz"), true},
		{"k: {'|all': [abc, xyz]}\ncondition: k", ev("A", "abc"), false},
		{"k: ['a*c']\ncondition: k", ev("A", "xxabbcxx"), true},
		{"k: [4624]\ncondition: k", ev("EventID", number("4624")), true},
		{"k: {'|re': '^a'}\ncondition: k", ev("A", "ba", "B", "ab"), true},
		{"k: [abc]\ncondition: k", ev("A", []any{"x", "abc"}), true},
		{"k: [abc]\ncondition: not k", ev("A", nil), true},

		// Structure and conditions.
		{"s: {F: a, G: b}\ncondition: s", ev("F", "a", "G", "c"), false},
		{"s: [{F: a}, {G: b}]\ncondition: s", ev("F", "x", "G", "b"), true},
		{"s: [{F: a, H: c}, {G: b}]\ncondition: s", ev("F", "a", "G", "x"), false},
		{"s1: {F: a}\ns2: {G: b}\ncondition: 1 of s*", ev("G", "b"), true},
		{"s1: {F: a}\ns2: {G: b}\ncondition: all of s*", ev("G", "b"), false},
		{"s1: {F: a}\n_s2: {G: b}\ncondition: all of them", ev("F", "a"), true},
		{"s1: {F: a}\ns2: {G: b}\ncondition: [s1, s2]", ev("G", "b"), true},
		{"s1: {F: a}\ns2: {G: b}\ns3: {H: c}\ncondition: s1 or s2 and s3", ev("F", "a"), true},
		{"s1: {F: a}\ns2: {G: b}\ncondition: not s1 and not s2", ev(), true},
		{"s1: {F: a}\ncondition: not (s1 or not s1)", ev(), false},
		{"a: {F: a}\nb: {F: b}\ncondition: a and not 1 of b or not all of them", ev("F", "b"), true},
	}
	for _, tt := range tests {
		detection := tt.detection
		if !strings.Contains(detection, "condition:") {
			detection = "s:\n  " + detection + "\ncondition: s"
		}
		engine := loaded(t, []*sigma.Rule{parse(t, detection)})
		if got := len(hits(engine, tt.ev)) == 1; got != tt.want {
			t.Errorf("%s\non %v: %t, want %t", detection, tt.ev.Fields, got, tt.want)
		}
	}
}

// TestHit checks what a detection carries.
func TestHit(t *testing.T) {
	r := parse(t, "s:\n  B: b\n  A|fieldref: C\n  Missing: null\nk: [zzz, b]\ncondition: all of them")
	r.Title, r.Level, r.Author, r.License, r.Tags = "T", "high", "A. Uthor", "DRL-1.1", []string{"attack.t1"}
	r.Fields = []string{"D", "B"}
	c, err := match.CompileSigma(match.Key{Publisher: "p", ID: "o"}, r)
	if err != nil {
		t.Fatal(err)
	}
	e := match.New(time.Now)
	e.Update([]match.Compiled{c}, nil)
	got := hits(e, fields("C", "x", "A", "X", "B", "b", "D", nil, "E", "e"))
	if len(got) != 1 {
		t.Fatalf("%d hits", len(got))
	}
	h := got[0]
	if h.Key != (match.Key{Publisher: "p", ID: "o"}) || h.RuleID != "r" || h.Title != "T" || h.Level != "high" ||
		h.Author != "A. Uthor" || h.License != "DRL-1.1" || len(h.Tags) != 1 || h.Indicator != nil {
		t.Errorf("hit %+v", h)
	}
	names := ""
	for _, f := range h.Fields {
		names += f.Name + " "
	}
	if names != "B A C D " {
		t.Errorf("fields %s", names)
	}
}
