package scan

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"shieldwall/internal/match"
	"shieldwall/internal/status"
)

// TestLoudest: detections are counted by level and by rule, over all and file by file.
func TestLoudest(t *testing.T) {
	quiet := strings.NewReplacer("Shadow Copies Deleted", "Asked", "c947b146", "c947b147", "level: high", "level: low", "delete shadows", "whoami").Replace(vssRule)
	rules := files(t, map[string]string{"a.yml": vssRule, "b.yml": quiet})
	list := files(t, map[string]string{"list.txt": "evil.example\nbad.example\n"})
	dns := `{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":22,"Computer":"ws01","QueryName":"%s"}` + "\n"
	dir := files(t, map[string]string{
		"a.jsonl": vssLine(1, "delete shadows") + vssLine(2, "whoami; delete shadows") + vssLine(3, "dir"),
		"b.jsonl": vssLine(4, "whoami") + vssLine(5, "whoami") + fmt.Sprintf(dns, "evil.example") + fmt.Sprintf(dns, "bad.example") + fmt.Sprintf(dns, "bad.example"),
	})
	var each []FileStats
	got := run(t, Options{
		Rules: []string{rules}, Indicators: []string{filepath.Join(list, "list.txt")}, Paths: []string{dir},
		OnFile: func(f FileStats) { each = append(each, f) },
	})
	if want := map[string]int64{"high": 2, "low": 3, unrated: 3}; !maps.Equal(got.Levels, want) {
		t.Errorf("levels %v, want %v", got.Levels, want)
	}
	vss, asked := Loud{"c947b146-0abc-4c87-9c64-b17e9d7274a2", "Shadow Copies Deleted", "high", 2}, Loud{"c947b147-0abc-4c87-9c64-b17e9d7274a2", "Asked", "low", 3}
	if len(got.Loudest) != 4 || got.Loudest[0] != asked || got.Loudest[1].RuleID != "c947b146-0abc-4c87-9c64-b17e9d7274a2" && got.Loudest[1].RuleID != "bad.example" {
		t.Errorf("%+v", got.Loudest)
	}
	asked.Detections = 1
	want := FileStats{Source: filepath.Join(dir, "a.jsonl"), Events: 3, Levels: map[string]int64{"high": 2, "low": 1}, Loudest: []Loud{vss, asked}}
	if len(each) != 2 {
		t.Fatalf("%d files", len(each))
	}
	want.Bytes = each[0].Bytes
	if !reflect.DeepEqual(each[0], want) || each[0].Bytes == 0 || each[1].Events != 5 || each[1].Levels["low"] != 2 {
		t.Errorf("%+v, want %+v", each, want)
	}
}

// TestLoudestIsBounded: rules beyond the limit count by level alone.
func TestLoudestIsBounded(t *testing.T) {
	ta := newTally()
	for i := range maxTallied + 5 {
		ta.add(&outcome{detection: &status.Detection{RuleID: fmt.Sprint(i)}, rule: match.Key{ID: "list"}})
	}
	if len(ta.rules) != maxTallied || ta.levels[unrated] != maxTallied+5 || len(ta.loudest()) != maxLoudest {
		t.Errorf("%d rules, %v, %d loudest", len(ta.rules), ta.levels, len(ta.loudest()))
	}
}

// TestOwnFiles: what the caller writes meanwhile is not read, though a path leads to it.
func TestOwnFiles(t *testing.T) {
	rules := files(t, map[string]string{"a.yml": vssRule})
	dir := files(t, map[string]string{"a.jsonl": vssLine(1, "delete shadows"), "out.jsonl": vssLine(2, "delete shadows")})
	own, err := os.Stat(filepath.Join(dir, "out.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, paths := range [][]string{{dir}, {filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "out.jsonl")}} {
		got := run(t, Options{Rules: []string{rules}, Paths: paths, Own: []os.FileInfo{own}})
		if got.err != nil || got.Detections != 1 || got.Files != 1 || got.Skipped != 0 {
			t.Errorf("%+v, %v", got.Stats, got.err)
		}
	}
}
