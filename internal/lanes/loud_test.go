package lanes

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLoud counts detections of a rule of its own in recordings of its own; a recording's name cannot break a table.
func TestLoud(t *testing.T) {
	dir, rules := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(rules, "a.yml"): "title: All | of it\nid: c947b146-0abc-4c87-9c64-b17e9d7274a2\nlevel: high\nlogsource: {product: windows}\ndetection:\n  s: {A: b}\n  condition: s\n",
		filepath.Join(dir, "1|x.json"): strings.Repeat(`{"Channel":"Security","EventID":1,"Computer":"c","A":"b"}`+"\n", 3) +
			strings.Repeat(`{"Channel":"Security","EventID":1,"Computer":"c","A":"c"}`+"\n", 5),
		filepath.Join(dir, "2.json"):    `{"Channel":"Security","EventID":1,"Computer":"c","A":"c"}` + "\n{broken\n",
		filepath.Join(dir, "notes.txt"): "no telemetry",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	told := 0
	if err := Loud(t.Context(), dir, []string{rules}, &out, func(string, ...any) { told++ }); err != nil {
		t.Fatal(err)
	}
	want := `| recording | events | detections | critical | high | medium | low | informational | none |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
| 1\|x.json | 8 | 3 | - | 375.00 | - | - | - | - |
| 2.json | 1 | 0 | - | - | - | - | - | - |
| all | 9 | 3 | - | 333.33 | - | - | - | - |

Detections of a level in 1,000 events.

| recording | rule | level | detections | in 1,000 events |
|---|---|---|--:|--:|
| 1\|x.json | All \| of it | high | 3 | 375.00 |
| all | All \| of it | high | 3 | 333.33 |
`
	if out.String() != want || told != 1 {
		t.Errorf("%d problems, %s\nwant %s", told, out.String(), want)
	}
	if err := Loud(t.Context(), dir, []string{rules}, full{}, func(string, ...any) {}); !errors.Is(err, errFull) {
		t.Errorf("a lost write gives %v", err)
	}
	if err := Loud(t.Context(), dir, []string{filepath.Join(rules, "none")}, &out, func(string, ...any) {}); err == nil {
		t.Error("rules that are not there are no error")
	}
}

var errFull = errors.New("the disk is full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
