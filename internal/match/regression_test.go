package match_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"shieldwall/internal/event"
	"shieldwall/internal/match"
	"shieldwall/internal/sigma"
)

// corpus returns a path inside the corpus, or skips the test.
func corpus(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv("SHIELDWALL_CORPUS")
	if root == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	return filepath.Join(append([]string{root}, elem...)...)
}

// corpusRules loads the rules of some folders of the SigmaHQ snapshot, leaving out those that need
// placeholders.
func corpusRules(t testing.TB, dirs ...string) []*sigma.Rule {
	t.Helper()
	var rules []*sigma.Rule
	for _, dir := range dirs {
		err := filepath.WalkDir(corpus(t, "sigma", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".yml" {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			got, err := sigma.Parse(data, sigma.Options{})
			if err != nil {
				return err
			}
			rules = append(rules, got.Rules...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return rules
}

var allFolders = []string{"rules", "rules-emerging-threats", "rules-threat-hunting", "rules-placeholder", "rules-compliance"}

// loaded returns an engine with rules, each under its own key.
func loaded(t testing.TB, rules []*sigma.Rule) *match.Engine {
	t.Helper()
	add := make([]match.Compiled, 0, len(rules))
	for _, r := range rules {
		c, err := match.CompileSigma(match.Key{ID: r.ID}, r)
		if err != nil {
			t.Fatal(err)
		}
		add = append(add, c)
	}
	e := match.New(func() time.Time { return time.Date(2026, 8, 5, 0, 0, 0, 0, time.UTC) })
	e.Update(add, nil)
	return e
}

// records reads the JSON twins of the regression data: Event.System and Event.EventData or UserData
// with #attributes. It is as small as the data allows; the product's decoder has its own tests.
func records(t testing.TB, path string) []*event.Event {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var out []*event.Event
	dec := json.NewDecoder(file)
	dec.UseNumber()
	for {
		var doc any
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		list, ok := doc.([]any)
		if !ok {
			list = []any{doc}
		}
		for _, one := range list {
			out = append(out, record(one.(map[string]any)["Event"].(map[string]any)))
		}
	}
}

func record(doc map[string]any) *event.Event {
	b := &builder{ev: &event.Event{}}
	b.add("", doc["System"].(map[string]any))
	for _, part := range []string{"EventData", "UserData"} {
		if data, ok := doc[part].(map[string]any); ok {
			b.data(data)
		}
	}
	get := func(name string) string { v, _ := b.ev.Get(name); return v.Text }
	b.ev.Channel, b.ev.EventID, b.ev.Provider = get("Channel"), get("EventID"), get("Provider_Name")
	return b.ev
}

type builder struct{ ev *event.Event }

func (b *builder) set(name string, v event.Value) {
	name = strings.ReplaceAll(name, " ", "")
	if _, taken := b.ev.Get(name); !taken {
		b.ev.Fields = append(b.ev.Fields, event.Field{Name: name, Value: v})
	}
}

// add flattens System: attributes are named Element_Attribute, an element's text like the element.
func (b *builder) add(prefix string, doc map[string]any) {
	for _, name := range keys(doc) {
		switch v := doc[name].(type) {
		case map[string]any:
			if name == "#attributes" {
				b.add(prefix, v)
			} else {
				b.add(name+"_", v)
			}
		default:
			if name == "#text" {
				b.set(strings.TrimSuffix(prefix, "_"), value(v))
			} else {
				b.set(prefix+name, value(v))
			}
		}
	}
}

func (b *builder) data(doc map[string]any) {
	for _, name := range keys(doc) {
		if v, ok := doc[name].(map[string]any); ok {
			b.data(v) // UserData's own element
			continue
		}
		b.set(name, value(doc[name]))
	}
}

func keys(doc map[string]any) []string {
	out := make([]string, 0, len(doc))
	for k := range doc {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

func value(v any) event.Value {
	switch v := v.(type) {
	case nil:
		return event.Value{}
	case json.Number:
		return event.Num(v.String())
	case bool:
		return event.Value{Kind: event.Bool, Text: fmt.Sprint(v)}
	case []any:
		out := event.Value{Kind: event.List}
		for _, one := range v {
			out.Items = append(out.Items, value(one))
		}
		return out
	case string:
		return event.Str(v)
	}
	return event.Str(fmt.Sprint(v))
}

// info is a regression test's info.yml.
type info struct {
	Rules []struct{ ID string } `yaml:"rule_metadata"`
	Tests []struct {
		Type  string
		Path  string
		Count int `yaml:"match_count"`
	} `yaml:"regression_tests_info"`
}

// TestRegressionData runs the SigmaHQ regression tests on the JSON form of their records: each rule
// fires on its own file at least as often as upstream says, with every other rule loaded beside it.
func TestRegressionData(t *testing.T) {
	engine := loaded(t, corpusRules(t, allFolders...))
	ran := 0
	err := filepath.WalkDir(corpus(t, "sigma", "regression_data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "info.yml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var test info
		if err := yaml.Unmarshal(data, &test); err != nil {
			return err
		}
		for _, one := range test.Tests {
			ran++
			want := max(one.Count, 1)
			file := corpus(t, "sigma", strings.TrimSuffix(one.Path, ".evtx")+".json")
			got := 0
			for _, ev := range records(t, file) {
				engine.Match(ev, func(h match.Hit) {
					if h.RuleID == test.Rules[0].ID {
						got++
					}
				})
			}
			if got < want {
				t.Errorf("%s: rule %s fired %d times, want %d", one.Path, test.Rules[0].ID, got, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if ran != 122 {
		t.Errorf("ran %d regression tests, want 122", ran)
	}
}
