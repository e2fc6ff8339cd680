package scan

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/status"
)

// manyFiles are files of very different sizes, with detections, problems and files that are no telemetry.
func manyFiles(t *testing.T) (rules, dir string) {
	t.Helper()
	content := map[string]string{}
	for i := range 40 {
		n := 1 + (i*7919)%300
		if i%13 == 5 {
			n = 6000 // more than its queue holds
		}
		var b strings.Builder
		for j := range n {
			b.WriteString(vssLine(j, fmt.Sprintf("delete shadows %d of %d", j, i)))
		}
		if i%5 == 0 {
			b.WriteString("{\"broken\": \n")
		}
		content[fmt.Sprintf("%02d/%02d.jsonl", i%6, i)] = b.String()
		content[fmt.Sprintf("%02d/%02d.txt", i%6, i)] = "no telemetry"
	}
	return files(t, map[string]string{"vss.yml": vssRule}), files(t, content)
}

// TestOrder: however many files are read at once, the output is the same.
func TestOrder(t *testing.T) {
	rules, dir := manyFiles(t)
	var want result
	for _, jobs := range []int{1, 2, 3, 8, 64} {
		got := run(t, Options{Rules: []string{rules}, Paths: []string{dir, filepath.Join(dir, "missing"), filepath.Join(dir, "01")}, Jobs: jobs})
		got.Seconds, got.CPUSeconds, got.LoadSeconds, got.MaxRSSBytes = 0, 0, 0, 0
		if jobs == 1 {
			want = got
			if want.Detections < 20_000 || want.Errors < 9 || want.Skipped < 40 || want.Duplicates == 0 {
				t.Fatalf("%+v", want.Stats)
			}
			continue
		}
		if got.err != nil || !reflect.DeepEqual(got.Stats, want.Stats) {
			t.Fatalf("%d jobs: %+v, %v, want %+v", jobs, got.Stats, got.err, want.Stats)
		}
		if !slices.EqualFunc(got.detections, want.detections, func(a, b status.Detection) bool {
			return a.Source == b.Source && a.Record == b.Record && a.DuplicateOf == b.DuplicateOf
		}) {
			t.Errorf("%d jobs: the detections differ", jobs)
		}
		if fmt.Sprint(got.problems) != fmt.Sprint(want.problems) || !slices.Equal(got.skipped, want.skipped) {
			t.Errorf("%d jobs: problems or skipped files differ", jobs)
		}
	}
}

// TestSlowReader: whoever takes the detections slowly holds the readers up, not the memory; an error of theirs
// ends the scan.
func TestSlowReader(t *testing.T) {
	rules, dir := manyFiles(t)
	enough := errors.New("enough")
	told := 0
	st, err := Run(t.Context(), Options{Rules: []string{rules}, Paths: []string{dir}, Now: time.Now, Jobs: 4, Each: func(*status.Detection) error {
		if told++; told < 5 {
			time.Sleep(20 * time.Millisecond)
		}
		if told == 50 {
			return enough
		}
		return nil
	}})
	if !errors.Is(err, enough) || told != 50 || st.Detections != 50 {
		t.Errorf("%v after %d of %d", err, told, st.Detections)
	}
}

func TestDuplicates(t *testing.T) {
	rules := files(t, map[string]string{"vss.yml": vssRule, "same.yml": vssRule})
	line := vssLine(1, "delete shadows")
	dir := files(t, map[string]string{"a.jsonl": line, "copy/a.jsonl": line + vssLine(2, "delete shadows"), "z.jsonl": strings.Replace(line, "ws01", "ws02", 1)})
	got := run(t, Options{Rules: []string{rules}, Paths: []string{dir}})
	var marked []string
	for _, d := range got.detections {
		if d.DuplicateOf != "" {
			marked = append(marked, strings.TrimPrefix(d.Source, dir)+" <- "+strings.TrimPrefix(d.DuplicateOf, dir))
		}
	}
	// Two rules of one text, each with four records, of which one is a copy.
	if want := []string{"/copy/a.jsonl <- /a.jsonl 1", "/copy/a.jsonl <- /a.jsonl 1"}; got.Detections != 8 || got.Duplicates != 2 || !slices.Equal(marked, want) {
		t.Errorf("%d detections, %d duplicates, marked %q", got.Detections, got.Duplicates, marked)
	}
	if got := run(t, Options{Rules: []string{rules}, Paths: []string{dir}, Merge: true}); got.Detections != 6 || got.Duplicates != 2 {
		t.Errorf("merged: %d detections, %d duplicates", got.Detections, got.Duplicates)
	}
}

func TestFilter(t *testing.T) {
	rules := files(t, map[string]string{
		"high.yml": vssRule,
		"low.yml":  strings.NewReplacer("level: high", "level: low", "attack.impact", "attack.t1490", "c947b146", "c947b147").Replace(vssRule),
		"none.yml": strings.NewReplacer("level: high\n", "", "attack.impact", "other", "c947b146", "c947b148").Replace(vssRule),
	})
	at := func(day int, host string) string {
		return strings.NewReplacer("2026-03-02", fmt.Sprintf("2026-03-%02d", day), "ws01", host).Replace(vssLine(day, "delete shadows"))
	}
	dir := files(t, map[string]string{"a.jsonl": at(1, "WS01") + at(2, "ws02") + at(3, "dc1") + `{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"CommandLine":"delete shadows","Computer":"ws09.example"}` + "\n"})
	day := func(d int) time.Time { return time.Date(2026, 3, d, 3, 11, 7, 666e6, time.UTC) }
	for name, c := range map[string]struct {
		filter                     Filter
		detections, leftOut, times int64
	}{
		"all":             {Filter{}, 12, 0, 1},
		"since, included": {Filter{Since: day(2)}, 9, 1, 1},
		"until, left out": {Filter{Until: day(2)}, 6, 2, 1},
		"a host":          {Filter{Host: "DC?.*"}, 3, 3, 0},
		"hosts":           {Filter{Host: "ws*"}, 9, 1, 1},
		"a level":         {Filter{Level: "medium"}, 8, 0, 1},
		"tags":            {Filter{Tags: []string{"attack.T1*", "nothing"}}, 4, 0, 1},
		"together":        {Filter{Level: "high", Tags: []string{"attack.*"}, Host: "ws0*", Since: day(1), Until: day(3)}, 3, 1, 1},
	} {
		if err := c.filter.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := run(t, Options{Rules: []string{rules}, Paths: []string{dir}, Filter: c.filter})
		if got.Detections != c.detections || got.LeftOut != c.leftOut || got.Untimed != c.times || got.Events != 4 {
			t.Errorf("%s: %+v", name, got.Stats)
		}
	}
	for name, f := range map[string]Filter{
		"a level of its own": {Level: "terrible"}, "no time at all": {Since: day(2), Until: day(2)}, "no pattern": {Host: "a["}, "no tag pattern": {Tags: []string{"["}},
	} {
		if f.Check() == nil {
			t.Errorf("%s is let pass", name)
		}
	}
}

func TestSpan(t *testing.T) {
	rules, dir := manyFiles(t)
	var b bytes.Buffer
	st, err := Run(t.Context(), Options{Rules: []string{rules}, Paths: []string{dir}, Now: time.Now, Out: &b})
	if want := time.Date(2026, 3, 2, 3, 11, 7, 666e6, time.UTC); err != nil || !st.First.Equal(want) || !st.Last.Equal(want) {
		t.Errorf("%v to %v, %v", st.First, st.Last, err)
	}
}
