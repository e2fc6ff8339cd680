package evtx

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shieldwall/internal/event"
)

// corpusDir is the folder of real recordings, which the repository does not hold.
func corpusDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SHIELDWALL_CORPUS")
	if dir == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	return dir
}

// filesUnder lists the files below dir with an extension, sorted.
func filesUnder(t testing.TB, dir, ext string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasSuffix(path, ext) {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// readFile decodes a file and fails the test on any problem.
func readFile(t *testing.T, path string, yield func(*event.Event) error) Stats {
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
	st, err := New(f, info.Size(), Options{Source: path, OnProblem: func(p Problem) { t.Errorf("%s: %v", path, p) }}).Read(yield)
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return st
}

func TestCorpusTotals(t *testing.T) {
	files := filesUnder(t, filepath.Join(corpusDir(t), "evtx"), ".evtx")
	if len(files) != 153 {
		t.Errorf("%d files, want 153", len(files))
	}
	events := 0
	for _, path := range files {
		st := readFile(t, path, func(e *event.Event) error {
			if e.EventID == "" || e.Provider == "" || e.Computer == "" || e.Time.IsZero() || e.Record == "" || e.Source != path {
				t.Errorf("%s: record %s lacks a routing fact: %+v", path, e.Record, e)
			}
			seen := map[string]bool{}
			for _, f := range e.Fields {
				if seen[f.Name] {
					t.Errorf("%s: record %s has %s twice", path, e.Record, f.Name)
				}
				seen[f.Name] = true
			}
			return nil
		})
		events += st.Events
	}
	if events != 6639 {
		t.Errorf("%d records, want 6639", events)
	}
}
