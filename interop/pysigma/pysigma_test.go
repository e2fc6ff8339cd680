// Package pysigma compares our reading of Sigma rules with that of pySigma, the project's own library: which rules
// are accepted and what they look for, on the rules of the corpus and on generated and damaged ones.
package pysigma

import (
	"bufio"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/sigma"
)

// oracle is a running oracle.py.
type oracle struct {
	in  io.WriteCloser
	out *bufio.Reader
}

type request struct {
	Rule         string              `json:"rule"`
	Placeholders map[string][]string `json:"placeholders"`
}

type answer struct {
	Accepted bool
	Error    string
	Crash    bool
	YAML11   bool
	Tree     *tree
}

// version is the one that the table of disagreements is about (.ci/requirements.txt).
const version = "1.5.1"

func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("PYTHON")
	if name == "" {
		name = "python3"
	}
	out, err := exec.Command(name, "-c", "import importlib.metadata as m; print(m.version('pysigma'))").Output()
	if got := strings.TrimSpace(string(out)); err != nil || got != version {
		t.Skipf("%s has no package pysigma %s (%q, %v)", name, version, got, err)
	}
	return name
}

func start(t *testing.T) *oracle {
	t.Helper()
	cmd := exec.Command(python(t), "oracle.py")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &oracle{in, bufio.NewReaderSize(out, 1<<20)}
}

func (o *oracle) ask(t *testing.T, r request) (a answer) {
	t.Helper()
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	reply, err := o.out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(reply, &a); err != nil {
		t.Fatalf("%s: %v", reply, err)
	}
	return a
}

// reading is one rule, read by both.
type reading struct {
	text   string
	ours   *sigma.Rule  // nil: refused
	reason *sigma.Error // why we refuse it
	theirs answer
}

func (o *oracle) read(t *testing.T, text string, placeholders map[string][]string) *reading {
	t.Helper()
	r := &reading{text: text, theirs: o.ask(t, request{text, placeholders})}
	r.ours, r.reason = parse(t, text, placeholders)
	return r
}

// parse reads a text that holds one rule.
func parse(t *testing.T, text string, placeholders map[string][]string) (*sigma.Rule, *sigma.Error) {
	t.Helper()
	file, err := sigma.Parse([]byte(text), sigma.Options{Placeholders: placeholders})
	switch {
	case err != nil:
		return nil, err.(*sigma.Error)
	case len(file.Rejected) > 0:
		return nil, file.Rejected[0].Err
	case len(file.Rules) != 1:
		return nil, &sigma.Error{Reason: "none", Detail: "no rule"}
	}
	return file.Rules[0], nil
}

// corpusRules are the rules of the corpus by their paths.
func corpusRules(t *testing.T) map[string]string {
	t.Helper()
	corpus := os.Getenv("SHIELDWALL_CORPUS")
	if corpus == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	folders, err := filepath.Glob(filepath.Join(corpus, "sigma", "rules*"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".yml" {
				return err
			}
			data, err := os.ReadFile(path)
			out[path] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

var placeholderName = regexp.MustCompile(`%([A-Za-z_-]+)%`)

// placeholdersOf gives every name in the rules some values.
func placeholdersOf(rules map[string]string) map[string][]string {
	out := map[string][]string{}
	for _, text := range rules {
		for _, m := range placeholderName.FindAllStringSubmatch(text, -1) {
			out[m[1]] = []string{m[1] + "1", "x*" + m[1]}
		}
	}
	return out
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	rules := corpusRules(t)
	placeholders := placeholdersOf(rules)
	o := start(t)
	c := newTally()
	for _, path := range slices.Sorted(maps.Keys(rules)) {
		c.add(t, "corpus", path, o.read(t, rules[path], placeholders))
	}
	t.Log(c)
	if c.same < 3700 || len(placeholders) < 20 {
		t.Errorf("%d rules read alike, %d placeholders: that compares little", c.same, len(placeholders))
	}
	c.check(t, 1, func(d *disagreement) int { return d.corpus })
}

// least says of how many generated rules of each kind both must read the same: a generator of rules that nobody
// accepts would compare little.
var least = map[string]int{
	"pair": 350, "many": 700, "text": 700, "shape": 400, "condition": 850, "broken condition": 30, "damaged": 350, "scalar": 100, "metadata": 40,
}

// unread are modifiers that pySigma does not know, or never reads as we do.
var unread = []string{"utf16", "utf16le", "ignorecase", "multiline", "dotall", "near"}

func TestGenerated(t *testing.T) {
	t.Parallel()
	rules := corpusRules(t)
	names := placeholdersOf(rules)
	maps.Copy(names, placeholders)
	var corpus []string
	for _, path := range slices.Sorted(maps.Keys(rules)) {
		corpus = append(corpus, rules[path])
	}
	o := start(t)
	c := newTally()
	for _, s := range samples(corpus) {
		if d := c.add(t, s.kind, "", o.read(t, s.text, names)); d == nil && s.kind == "example" {
			t.Errorf("%s\nis no example of a disagreement", s.text)
		}
	}
	t.Log(c)
	for kind, n := range least {
		if c.kinds[kind] < n {
			t.Errorf("%s: %d rules read alike, want at least %d", kind, c.kinds[kind], n)
		}
	}
	for _, m := range modifiers {
		if n := c.modifiers[m]; n < 20 && !slices.Contains(unread, m) {
			t.Errorf("modifier %s: in %d rules read alike", m, n)
		}
	}
	c.check(t, 87, func(d *disagreement) int { return d.generated })
}
