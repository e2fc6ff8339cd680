package follow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestMark(t *testing.T) {
	good := mark{Kind: kindLines, Node: "1:2", Line: 3}
	sum, err := printOf(bytes.NewReader([]byte("abc")), 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	good.Head, good.Tail = sum, sum
	if got, err := parseMark(good.String()); err != nil || got.String() != good.String() {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := printOf(bytes.NewReader([]byte("abc")), 2, 2); !errors.Is(err, io.EOF) {
		t.Errorf("a fingerprint of what is not there: %v", err)
	}
	for name, change := range map[string]func(*mark){
		"kind":       func(m *mark) { m.Kind = kindIgnored },
		"sum":        func(m *mark) { m.Head.Sum = "00" },
		"size":       func(m *mark) { m.Tail.N = printSize + 1 },
		"line":       func(m *mark) { m.Line = -1 },
		"long":       func(m *mark) { m.Node = strings.Repeat("x", maxIdent) },
		"other node": func(m *mark) { m.Node = "\x00" },
	} {
		m := good
		change(&m)
		if _, err := parseMark(m.String()); (err == nil) != (name == "other node") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What was stored before marks knew of lines that wait.
	const before = `{"v":1,"kind":"lines","node":"1:2","head":{"n":2,"sum":"%[1]s"},"tail":{"n":2,"sum":"%[1]s"},"line":3,"record":0,"modified":0}`
	if _, err := parseMark(fmt.Sprintf(before, good.Head.Sum)); err != nil {
		t.Error(err)
	}
	waits := good
	waits.Kind, waits.Ahead, waits.Open, waits.Of = kindAudit, 100, []open{{At: 0}, {At: 50, Given: 2}}, "/var/log/a"
	if got, err := parseMark(waits.String()); err != nil || got.String() != waits.String() {
		t.Errorf("%v, %v", got, err)
	}
	for name, change := range map[string]func(*mark){
		"ahead of nothing":        func(m *mark) { m.Open = nil },
		"not ahead":               func(m *mark) { m.Ahead = 0 },
		"behind what was read":    func(m *mark) { m.Ahead = 50 },
		"the first is not first":  func(m *mark) { m.Open = m.Open[1:] },
		"out of order":            func(m *mark) { m.Open = []open{{At: 0}, {At: 60}, {At: 50}} },
		"twice":                   func(m *mark) { m.Open = []open{{At: 0}, {At: 0}} },
		"given less than nothing": func(m *mark) { m.Open = []open{{Given: -1}} },
		"a format without acts":   func(m *mark) { m.Kind = kindLines },
		"a long header":           func(m *mark) { m.Header = strings.Repeat("x", maxHeader+1) },
		"too many": func(m *mark) {
			m.Ahead, m.Open = maxOpen+2, nil
			for i := range maxOpen + 1 {
				m.Open = append(m.Open, open{At: int64(i)})
			}
		},
	} {
		m := waits
		change(&m)
		if _, err := parseMark(m.String()); err == nil {
			t.Errorf("%s: is read", name)
		}
	}
	for _, s := range []string{"", "{}", good.String() + " ", strings.Replace(good.String(), `"v":1`, `"v":2`, 1), strings.Replace(good.String(), "{", `{"x":1,`, 1)} {
		if _, err := parseMark(s); err == nil {
			t.Errorf("%q is read", s)
		}
	}
}

func TestKindOf(t *testing.T) {
	for head, want := range map[string]kind{
		"": kindUnknown, " \n": kindUnknown, "{": kindLines, "\n {\"a\"": kindLines, bom + "{": kindLines, bom[:2]: kindUnknown,
		"Elf": kindUnknown, "#sep": kindUnknown, zeekMagic + `\x09`: kindLines, "# a": kindIgnored, evtxMagic + "x": kindEVTX, "ElfX": kindIgnored, "[": kindIgnored, "\x1f\x8b": kindIgnored, "abc": kindIgnored,
	} {
		if got := kindOf([]byte(head)); got != want {
			t.Errorf("%q is %q, want %q", head, got, want)
		}
	}
}

func FuzzMark(f *testing.F) {
	seeds := []string{"", "{}", "null", `{"v":1}`, mark{Kind: kindLines}.String(), mark{Kind: kindEVTX, Node: "a:b", Record: 1 << 63, Modified: -1}.String(),
		`{"v":1,"kind":"lines","node":"","head":{"n":0,"sum":""},"tail":{"n":0,"sum":""},"line":0,"record":0,"modified":0}`,
		mark{Kind: kindAudit, Ahead: 9, Open: []open{{}, {At: 3, Given: 1}}, Of: "/a"}.String(), mark{Kind: kindLines, Header: "#separator \\x09\n", Skipping: true}.String(),
		mark{Kind: kindLines, Head: fingerprint{3, strings.Repeat("ab", 32)}, Tail: fingerprint{0, strings.Repeat("00", 32)}}.String()}
	for _, s := range seeds {
		f.Add(s)
	}
	if len(seeds) < 10 {
		f.Fatal("too few seeds")
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parseMark(s)
		if err == nil && m.String() != s {
			t.Fatalf("%q reads as %q", s, m)
		}
	})
}
