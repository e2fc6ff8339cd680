// Package misp compares our mapping between MISP and STIX with that of misp-stix, MISP's own converter, on generated
// events, and lets PyMISP load what we export.
package misp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"shieldwall/internal/misp"
	"shieldwall/internal/misp/mapping"
	"shieldwall/internal/stix"
)

// The versions that the tables are about (.ci/requirements.txt).
const (
	converterVersion = "2026.10.12"
	pymispVersion    = "2.5.34.4"
)

type dict = map[string]any

// oracle is a running oracle.py.
type oracle struct {
	in  io.WriteCloser
	out *bufio.Reader
}

type request struct {
	Convert any  `json:"convert,omitempty"`
	Load    any  `json:"load,omitempty"`
	Types   bool `json:"types,omitempty"`
}

type answer struct {
	Objects []theirs
	Event   dict
	Said    []string
	Types   []string
	Crash   string
}

// theirs is one of misp-stix's objects.
type theirs struct {
	Type, ID, Name, Pattern string
	PatternType             string   `json:"pattern_type"`
	Markings                []string `json:"object_marking_refs"`
	Refs                    []string `json:"object_refs"`
	Source                  string   `json:"source_ref"`
	Target                  string   `json:"target_ref"`
	How                     string   `json:"relationship_type"`
	Confidence              int
	External                []struct {
		Source string `json:"source_name"`
		ID     string `json:"external_id"`
	} `json:"external_references"`
}

func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("PYTHON")
	if name == "" {
		name = "python3"
	}
	out, err := exec.Command(name, "-c", "import importlib.metadata as m; print(m.version('misp-stix'), m.version('pymisp'))").Output()
	if got := strings.TrimSpace(string(out)); err != nil || got != converterVersion+" "+pymispVersion {
		t.Skipf("%s has no packages misp-stix %s and pymisp %s (%q, %v)", name, converterVersion, pymispVersion, got, err)
	}
	return name
}

func start(t *testing.T) *oracle {
	t.Helper()
	cmd := exec.Command(python(t), "oracle.py")
	cmd.Stderr = io.Discard // PyMISP logs what it also answers
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
	if a.Crash != "" {
		t.Fatalf("the oracle: %s\nasked: %s", a.Crash, line)
	}
	return a
}

// convert is our mapping of the same event.
func convert(t *testing.T, event dict) *mapping.Result {
	t.Helper()
	raw, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	var result *mapping.Result
	err = misp.Decode(bytes.NewReader(raw), misp.Limits{}, func(e *misp.Event) (err error) {
		result, err = mapping.ToSTIX(e, mapping.Options{})
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return result
}

func ours(t *testing.T, r *mapping.Result) map[string]*stix.Object {
	t.Helper()
	out := map[string]*stix.Object{}
	for _, s := range r.Objects {
		o, err := stix.Parse(s.Raw, stix.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		out[o.ID] = o
	}
	return out
}
