package match_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/decode/evtx"
	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/event"
	"shieldwall/internal/match"
	"shieldwall/internal/sigma"
)

type meeter func(*event.Event, func(match.Hit))

// verdicts reads JSON lines and writes what each event meets.
func verdicts(t *testing.T, data []byte, opts jsonl.Options, meet meeter) (out []string) {
	t.Helper()
	in := jsonl.New(bytes.NewReader(data), opts)
	for {
		ev, err := in.Next()
		if err != nil {
			return out
		}
		out = append(out, verdict(ev, meet))
	}
}

func verdict(ev *event.Event, meet meeter) string {
	var met []string
	meet(ev, func(h match.Hit) {
		fields := ""
		for _, f := range h.Fields {
			fields += fmt.Sprintf(" %s=%v", f.Name, f.Value)
		}
		met = append(met, h.RuleID+fields)
	})
	slices.Sort(met)
	return ev.Record + " " + strings.Join(met, "; ")
}

// TestEventLogs: on all event logs, taken apart as far as the rules ask, the engine finds what the plain evaluator
// finds in whole records.
func TestEventLogs(t *testing.T) {
	rules := corpusRules(t, allFolders...)
	e, oracle := loaded(t, rules), match.NewOracle(rules)
	records, hits := 0, 0
	err := filepath.WalkDir(corpus(t, "evtx"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".evtx" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		read := func(opts evtx.Options, meet meeter) (out []string) {
			_, err = evtx.New(bytes.NewReader(data), int64(len(data)), opts).Read(func(ev *event.Event) error {
				out = append(out, verdict(ev, meet))
				return nil
			})
			return out
		}
		want := read(evtx.Options{}, oracle.Match)
		got := read(evtx.Options{Names: e.Names(), Sparse: true, Borrow: true}, e.Match)
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Fatalf("%s, record %d:\n%v\nwant %v", path, i, got[min(i, len(got)-1)], want[i])
			}
			hits += strings.Count(want[i], "-")
		}
		records += len(want)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if records < 6000 || hits < 2000 {
		t.Errorf("only %d records and %d hits were compared", records, hits)
	}
}

// checkVerdicts: the engine over sparse events that borrow their memory finds what the plain evaluator finds over
// whole ones.
func checkVerdicts(t *testing.T, rules []*sigma.Rule, data []byte) (hits int) {
	t.Helper()
	e := match.New(time.Now)
	var all []match.Compiled
	for i, r := range rules {
		c, err := match.CompileSigma(match.Key{ID: fmt.Sprint(i)}, r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	e.Update(all, nil)
	want := verdicts(t, data, jsonl.Options{}, match.NewOracle(rules).Match)
	got := verdicts(t, data, jsonl.Options{Names: e.Names(), Sparse: true, Borrow: true}, e.Match)
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("event %d:\n%v\nwant\n%v", i, got[min(i, len(got)-1)], want[i])
		}
		hits += strings.Count(want[i], "-") // every id has dashes
	}
	return hits
}

const keywordRules = `
title: a word anywhere
id: word-1
logsource: {product: windows}
detection:
  keywords: ['kerberos::golden', '\mimilib.dll', 'say "please"', 'Überfall am Abend']
  condition: keywords
---
title: no such word
id: no-word-2
logsource: {product: windows}
detection:
  selection: {EventID: 7}
  keywords: ['harmless text']
  condition: selection and not keywords
---
title: an expression anywhere
id: expression-3
logsource: {product: windows, service: application}
detection:
  keywords:
    '|re': 'a{3}b'
  condition: keywords
`

// TestKeywords looks for words that stand in fields which nobody names, however JSON spells them.
func TestKeywords(t *testing.T) {
	found, err := sigma.Parse([]byte(keywordRules), sigma.Options{})
	if err != nil || len(found.Rules) != 3 {
		t.Fatal(err, found)
	}
	lines := strings.Join([]string{
		`{"Channel":"System","EventID":1,"x":"run KERBEROS::Golden now"}`,
		`{"Channel":"System","EventID":1,"x":"run \u006berberos::golden now"}`,
		`{"Channel":"System","EventID":1,"x":"run Kerberos::golden"}`,
		`{"Channel":"System","EventID":1,"x":"C:\\a\\MimiLib.dll"}`,
		`{"Channel":"System","EventID":1,"x":"C:/a/mimilib.dll"}`,
		`{"Channel":"System","EventID":1,"x":"he will say \"please\""}`,
		`{"Channel":"System","EventID":1,"x":["one","ÜBERFALL AM ABEND"]}`,
		`{"Channel":"System","EventID":1,"x":"\u00fcberfall am abend"}`,
		`{"Channel":"System","EventID":1,"kerberos::golden":"a name is no value"}`,
		`{"Channel":"System","EventID":1,"x":"kerberos:","y":":golden"}`,
		`{"Channel":"System","EventID":7,"x":"harmless text"}`,
		`{"Channel":"System","EventID":7,"x":"harmful text"}`,
		`{"Channel":"Application","EventID":7,"x":"xaaab"}`,
		`{"Channel":"Application","EventID":7,"x":"xaab harmless text"}`,
	}, "\n")
	if hits := checkVerdicts(t, found.Rules, []byte(lines)); hits < 8 {
		t.Errorf("%d hits", hits)
	}
}

// TestSparseCorpus does so with recorded events and all rules.
func TestSparseCorpus(t *testing.T) {
	var lines []byte
	recorded(t, func(n int, line []byte) bool {
		if n%every() == 0 {
			lines = append(append(lines, line...), '\n')
		}
		return false
	})
	if hits := checkVerdicts(t, corpusRules(t, allFolders...), lines); hits < 50 {
		t.Errorf("only %d hits were compared", hits)
	}
}

// TestAskedLater: an event that was taken apart before a rule came, or for another engine, is looked at whole.
func TestAskedLater(t *testing.T) {
	found, err := sigma.Parse([]byte(`
title: not the usual
id: asked-later
logsource: {product: windows}
detection:
  selection: {EventID: 1}
  filter: {Unasked: usual}
  condition: selection and not filter
`), sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := match.CompileSigma(match.Key{ID: "x"}, found.Rules...)
	if err != nil {
		t.Fatal(err)
	}
	line := []byte(`{"Channel":"System","EventID":1,"Unasked":"usual"}`)
	for _, same := range []bool{true, false} {
		decoder := match.New(time.Now)
		e := decoder
		if !same {
			e = match.New(time.Now)
		}
		in := jsonl.New(bytes.NewReader(line), jsonl.Options{Names: decoder.Names(), Sparse: true, Borrow: true})
		ev, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		if _, there := ev.Get("Unasked"); there {
			t.Fatal("the field is there already")
		}
		e.Update([]match.Compiled{c}, nil)
		e.Match(ev, func(match.Hit) { t.Errorf("same engine %t: it does not see the field", same) })
	}
}
