// Package container_test puts the decoders together, as a scan does: what the walk finds is decoded by
// its kind, and the same records come out of EVTX and of JSON.
package container_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"shieldwall/internal/decode/container"
	"shieldwall/internal/decode/evtx"
	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/event"
)

func corpusDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SHIELDWALL_CORPUS")
	if dir == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	return dir
}

// totals counts what a walk over a folder met.
type totals struct{ evtx, json, unknown, events, errors int }

// scan decodes everything below a path.
func scan(t *testing.T, path string, yield func(*event.Event)) totals {
	t.Helper()
	var n totals
	err := container.Walk(os.DirFS(path), path, container.Options{}, func(i *container.Item) error {
		if i.Err != nil {
			n.errors++
			t.Logf("%s: %v", i.Source, i.Err)
			return nil
		}
		switch i.Kind {
		case container.EVTX:
			n.evtx++
			n.errors += scanEVTX(t, i, yield, &n.events)
		case container.JSON:
			n.json++
			n.errors += scanJSON(t, i, yield, &n.events)
		default:
			n.unknown++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func scanEVTX(t *testing.T, i *container.Item, yield func(*event.Event), events *int) int {
	t.Helper()
	at, size, err := i.ReaderAt()
	if err != nil {
		t.Error(err)
		return 1
	}
	st, err := evtx.New(at, size, evtx.Options{Source: i.Source}).Read(func(e *event.Event) error {
		yield(e)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	*events += st.Events
	return st.Problems
}

func scanJSON(t *testing.T, i *container.Item, yield func(*event.Event), events *int) int {
	t.Helper()
	bad := 0
	for r := jsonl.New(i.Reader(), jsonl.Options{Source: i.Source}); ; {
		e, err := r.Next()
		var fault *jsonl.ValueError
		switch {
		case err == nil:
			*events++
			yield(e)
		case errors.Is(err, io.EOF):
			return bad
		case errors.As(err, &fault):
			bad++
		default:
			t.Fatalf("%s: %v", i.Source, err)
		}
	}
}

func TestCorpusTotals(t *testing.T) {
	dir := corpusDir(t)
	tests := []struct {
		path   string
		want   totals
		others int
	}{
		{"evtx", totals{evtx: 153, unknown: 1, events: 6639}, 0},
		{"otrf", totals{json: 71, unknown: 4, events: 321805}, 98},
		{"sigma/regression_data", totals{evtx: 122, json: 123, unknown: 124, events: 273}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			windows := 0
			got := scan(t, filepath.Join(dir, tt.path), func(e *event.Event) {
				if e.EventID != "" && e.Computer != "" && !e.Time.IsZero() && e.Record != "" && e.Source != "" {
					windows++
				}
			})
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			// The others are those of Log4Shell.
			if others := got.events - windows; others != tt.others {
				t.Errorf("%d events without routing facts, want %d", others, tt.others)
			}
		})
	}
}

// TestPairs decodes the regression tests' EVTX files and their JSON twins, and compares all of it.
func TestPairs(t *testing.T) {
	dir := filepath.Join(corpusDir(t), "sigma", "regression_data")
	pairs := map[string][2][]event.Event{}
	scan(t, dir, func(e *event.Event) {
		ext := filepath.Ext(e.Source)
		if ext != ".evtx" && ext != ".json" {
			return
		}
		kept := *e
		kept.Fields = append([]event.Field(nil), e.Fields...)
		name := strings.TrimSuffix(e.Source, ext)
		pair := pairs[name]
		if ext == ".evtx" {
			pair[0] = append(pair[0], kept)
		} else {
			pair[1] = append(pair[1], kept)
		}
		pairs[name] = pair
	})
	if len(pairs) != 122 {
		t.Errorf("%d pairs, want 122", len(pairs))
	}
	for name, pair := range pairs {
		if len(pair[0]) != len(pair[1]) {
			t.Errorf("%s: %d records, %d objects", name, len(pair[0]), len(pair[1]))
			continue
		}
		for i := range pair[0] {
			compare(t, name, &pair[0][i], &pair[1][i])
		}
	}
}

// handEdited are twins that their authors changed by hand.
var handEdited = map[string]bool{"ad691d92-15f2-4181-9aa4-723c74f9ddc3 ParentCommandLine": true}

func compare(t *testing.T, name string, log, twin *event.Event) {
	t.Helper()
	if log.Channel != twin.Channel || log.EventID != twin.EventID || log.Provider != twin.Provider || log.Computer != twin.Computer {
		t.Errorf("%s: facts %v and %v", name, log, twin)
	}
	// The twins' times are cut to microseconds.
	if d := log.Time.Sub(twin.Time); d < 0 || d >= 1000 {
		t.Errorf("%s: %v and %v", name, log.Time, twin.Time)
	}
	if len(log.Fields) != len(twin.Fields) {
		t.Errorf("%s: %d fields and %d", name, len(log.Fields), len(twin.Fields))
	}
	for i, f := range log.Fields {
		v, ok := twin.Get(f.Name)
		if !ok || canonical(f.Value) != canonical(v) && !handEdited[filepath.Base(name)+" "+f.Name] {
			t.Errorf("%s: %s = %v, the twin has %v", name, f.Name, f.Value, v)
		}
		if i < len(twin.Fields) && twin.Fields[i].Name != f.Name {
			t.Errorf("%s: field %d is %s and %s", name, i, f.Name, twin.Fields[i].Name)
		}
	}
}

var (
	guid = regexp.MustCompile(`^\{([0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})\}$`)
	when = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})\d*Z$`)
)

// canonical undoes what differs everywhere: the twins have GUIDs without braces, times in microseconds,
// no blanks at the end of text.
func canonical(v event.Value) string {
	text := guid.ReplaceAllString(v.Text, "$1")
	text = when.ReplaceAllString(text, "${1}Z")
	return fmt.Sprint(v.Kind, strings.TrimRight(text, " \t\r\n"), len(v.Items))
}
