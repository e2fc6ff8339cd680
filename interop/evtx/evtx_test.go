// Package evtx compares the EVTX decoder with the Python package "evtx" (a binding of the Rust crate),
// record by record and field by field, over all EVTX files of the corpus.
package evtx

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"shieldwall/internal/decode/evtx"
	"shieldwall/internal/event"
)

// python gives the interpreter ($PYTHON, else python3) if it has the package.
func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("PYTHON")
	if name == "" {
		name = "python3"
	}
	if err := exec.Command(name, "-c", "import evtx").Run(); err != nil {
		t.Skipf("%s has no package evtx: %v", name, err)
	}
	return name
}

// theirs is one record as records.py prints it.
type theirs struct {
	ID     string
	Fields map[string][]string
}

func TestAgainstPython(t *testing.T) {
	corpus := os.Getenv("SHIELDWALL_CORPUS")
	if corpus == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	interpreter := python(t)
	records, fields := 0, 0
	err := filepath.WalkDir(corpus, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Ext(path) != ".evtx" {
			return err
		}
		want := read(t, interpreter, path)
		i := 0
		decode(t, path, func(e *event.Event) {
			if i < len(want) {
				fields += compare(t, path, e, want[i])
			}
			i++
		})
		if i != len(want) {
			t.Errorf("%s: %d records, Python has %d", path, i, len(want))
		}
		records += i
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d records, %d fields compared", records, fields)
	if records == 0 {
		t.Error("no records")
	}
}

func read(t *testing.T, interpreter, path string) []theirs {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(interpreter, "records.py", path)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", path, err, stderr.String())
	}
	var records []theirs
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, len(out)+1)
	for lines.Scan() {
		var r theirs
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

func decode(t *testing.T, path string, yield func(*event.Event)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	opts := evtx.Options{OnProblem: func(p evtx.Problem) { t.Errorf("%s: %v", path, p) }}
	_, err = evtx.New(f, info.Size(), opts).Read(func(e *event.Event) error {
		yield(e)
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// compare checks every field of a record and tells how many there are.
func compare(t *testing.T, path string, e *event.Event, want theirs) int {
	t.Helper()
	if e.Record != want.ID {
		t.Errorf("%s: record %s, Python has %s", path, e.Record, want.ID)
	}
	for _, f := range e.Fields {
		w, ok := want.Fields[f.Name]
		got := spell(f.Value)
		if same(got, empty) && same(w, null) {
			w = got // text of no characters in a template
		}
		if !ok || !same(got, w) {
			t.Errorf("%s record %s: %s = %q, Python has %q", path, e.Record, f.Name, got, w)
		}
		delete(want.Fields, f.Name)
	}
	for name, w := range want.Fields {
		if same(w, null) {
			continue // an element that depends on a null value (EVTX, "Element start") is not there with us
		}
		t.Errorf("%s record %s: no %s, Python has %q", path, e.Record, name, w)
	}
	return len(e.Fields)
}

var null, empty = []string{"null "}, []string{"string "}

func spell(v event.Value) []string {
	switch v.Kind {
	case event.Null:
		return []string{"null "}
	case event.List:
		var out []string
		for _, item := range v.Items {
			out = append(out, spell(item)...)
		}
		return out
	case event.Number:
		return []string{"number " + v.Text}
	case event.Bool:
		return []string{"bool " + v.Text}
	}
	return []string{"string " + v.Text}
}

func same(got, want []string) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if canonical(got[i]) != canonical(want[i]) {
			return false
		}
	}
	return true
}

var (
	guid = regexp.MustCompile(`^string \{([0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})\}$`)
	time = regexp.MustCompile(`^(string \d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})\dZ$`)
)

// canonical undoes the differences that hold everywhere: Python's package writes GUIDs without
// braces, cuts times to microseconds and drops blanks at the end of text.
func canonical(s string) string {
	s = guid.ReplaceAllString(s, "string $1")
	s = time.ReplaceAllString(s, "${1}Z")
	return strings.TrimRight(s, " \t\r\n")
}
