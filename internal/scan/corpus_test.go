package scan

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// corpus gives a path in the corpus, or skips the test.
func corpus(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv("SHIELDWALL_CORPUS")
	if root == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	return filepath.Join(append([]string{root}, elem...)...)
}

// corpusFile reads the first log below a folder of the corpus.
func corpusFile(t testing.TB, elem ...string) []byte {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(corpus(t, elem...), "*.evtx"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs: %v", err)
	}
	data, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// regression is one folder of the rule base's regression data.
type regression struct {
	Rules []struct {
		ID string `yaml:"id"`
	} `yaml:"rule_metadata"`
	Tests []struct {
		Type  string `yaml:"type"`
		Path  string `yaml:"path"`
		Count int    `yaml:"match_count"`
	} `yaml:"regression_tests_info"`
}

// TestRegression runs the rule base's own regression tests: each rule fires on its recording as often as it
// should, from the EVTX and from the JSON of the same records.
func TestRegression(t *testing.T) {
	var rules []string
	for _, dir := range []string{"rules", "rules-emerging-threats", "rules-threat-hunting", "rules-placeholder", "rules-compliance"} {
		rules = append(rules, corpus(t, "sigma", dir))
	}
	data := corpus(t, "sigma", "regression_data")
	got := run(t, Options{Rules: rules, Paths: []string{data}})
	if got.err != nil {
		t.Fatal(got.err)
	}
	if got.RulesLoaded+got.RulesRejected != 3780 || got.RulesRejected != 25 {
		t.Errorf("loaded %d, rejected %d; want 3,780 with 25 that need placeholders", got.RulesLoaded, got.RulesRejected)
	}
	for _, r := range got.rejected {
		if r.Reason != "placeholder" || r.Line == 0 || r.ID == "" {
			t.Errorf("rejected: %+v", r)
		}
	}
	fired := map[[2]string]int{}
	for _, d := range got.detections {
		fired[[2]string{d.Source, d.RuleID}]++
	}
	tests := 0
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "info.yml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var info regression
		if err := yaml.Unmarshal(text, &info); err != nil {
			return err
		}
		for _, x := range info.Tests {
			if x.Type != "evtx" {
				continue
			}
			tests++
			log := filepath.Join(filepath.Dir(path), filepath.Base(x.Path))
			for _, source := range []string{log, strings.TrimSuffix(log, ".evtx") + ".json"} {
				if n, want := fired[[2]string{source, info.Rules[0].ID}], max(1, x.Count); n < want {
					t.Errorf("%s: the rule fired %d times, want %d", source, n, want)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if tests != 122 {
		t.Errorf("found %d regression tests, want 122", tests)
	}
	for _, p := range got.problems {
		t.Errorf("problem: %v", p)
	}
}

// TestWholeCorpus scans all recorded attacks: nothing aborts it, every detection names its rule, file and
// record; two scans give the same bytes.
func TestWholeCorpus(t *testing.T) {
	opt := Options{
		Rules: []string{corpus(t, "sigma", "rules"), corpus(t, "sigma", "rules-emerging-threats")},
		Paths: []string{corpus(t, "evtx")},
	}
	got := run(t, opt)
	if got.err != nil || got.Errors != 0 {
		t.Fatalf("%v, problems %v", got.err, got.problems)
	}
	if got.Files != 153 || got.Events != 6639 || got.Skipped != 1 || got.Detections < 500 {
		t.Errorf("stats: %+v", got.Stats)
	}
	for _, d := range got.detections {
		if d.RuleID == "" || d.Title == "" || d.Record == "" || d.Channel == "" || d.Computer == "" || d.Time.IsZero() {
			t.Errorf("a detection without its facts: %+v", d)
		}
		if _, err := os.Stat(d.Source); err != nil {
			t.Errorf("source: %v", err)
		}
	}
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		opt := Options{
			Rules: []string{corpus(t, "sigma", "rules", "windows", "process_creation")},
			Paths: []string{corpus(t, "evtx", "Execution")}, Out: out, Now: time.Now,
		}
		if _, err := Run(t.Context(), opt); err != nil {
			t.Fatal(err)
		}
	}
	if first.Len() == 0 || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("two scans differ: %d and %d bytes", first.Len(), second.Len())
	}
}

// BenchmarkScan scans the recorded attacks with all rules for Windows; bytes are those of the files.
func BenchmarkScan(b *testing.B) {
	opt := Options{
		Rules: []string{corpus(b, "sigma", "rules"), corpus(b, "sigma", "rules-emerging-threats")},
		Paths: []string{corpus(b, "evtx")}, Out: &bytes.Buffer{}, Now: time.Now,
	}
	var events int64
	var seconds float64
	for b.Loop() {
		opt.Out.(*bytes.Buffer).Reset()
		st, err := Run(b.Context(), opt)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(st.Bytes)
		events += st.Events
		seconds += st.Seconds
	}
	b.ReportMetric(float64(events)/seconds, "events/s")
}
