package match_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/match"
)

// recorded decodes the wanted lines of every zip archive of otrf beforehand: flat JSON, one object a
// line. size is the wanted lines' length.
func recorded(b testing.TB, want func(n int, line []byte) bool) (events []*event.Event, size int) {
	b.Helper()
	n := 0
	err := filepath.WalkDir(corpus(b, "otrf"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".zip" {
			return err
		}
		archive, err := zip.OpenReader(path)
		if err != nil {
			return err
		}
		defer archive.Close()
		for _, member := range archive.File {
			if strings.HasPrefix(member.Name, "__MACOSX") || !strings.HasSuffix(member.Name, ".json") {
				continue
			}
			r, err := member.Open()
			if err != nil {
				return err
			}
			lines := bufio.NewScanner(r)
			lines.Buffer(nil, 16<<20)
			for lines.Scan() {
				if n++; !want(n, lines.Bytes()) {
					continue
				}
				if ev := flat(lines.Bytes()); ev != nil {
					events, size = append(events, ev), size+len(lines.Bytes())
				}
			}
			if err := lines.Err(); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			r.Close()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return events, size
}

func flat(line []byte) *event.Event {
	var doc map[string]any
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if dec.Decode(&doc) != nil {
		return nil
	}
	ev := &event.Event{}
	for _, name := range keys(doc) {
		ev.Fields = append(ev.Fields, event.Field{Name: name, Value: value(doc[name])})
	}
	get := func(name string) string { v, _ := ev.Get(name); return v.Text }
	ev.Channel, ev.EventID, ev.Provider = get("Channel"), get("EventID"), get("SourceName")
	return ev
}

// BenchmarkMatch is the figure that a compiled engine has to beat: events a second, decoded
// beforehand, on one core, against all rules of rules and rules-emerging-threats.
func BenchmarkMatch(b *testing.B) {
	lanes := []struct {
		name string
		want func(n int, line []byte) bool
	}{
		{"recorded mix", func(n int, _ []byte) bool { return n%16 == 0 }},
		{"process creation", func(_ int, line []byte) bool {
			return bytes.Contains(line, []byte(`"EventID":1,`)) && bytes.Contains(line, []byte("Sysmon/Operational"))
		}},
	}
	rules := corpusRules(b, "rules", "rules-emerging-threats")
	engine := loaded(b, rules)
	for _, lane := range lanes {
		b.Run(lane.name, func(b *testing.B) {
			events, size := recorded(b, lane.want)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			met := 0
			for b.Loop() {
				met = 0
				for _, ev := range events {
					engine.Match(ev, func(match.Hit) { met++ })
				}
			}
			b.ReportMetric(float64(len(events)*b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(met)/float64(len(events)), "hits/event")
			b.ReportMetric(float64(len(events)), "events")
		})
	}
}

// BenchmarkUpdate adds one rule to the whole rule base and takes it out again.
func BenchmarkUpdate(b *testing.B) {
	rules := corpusRules(b, "rules", "rules-emerging-threats")
	engine := loaded(b, rules)
	one := compile(b, match.Key{Publisher: "new", ID: "one"}, rules[len(rules)/2])
	b.ReportAllocs()
	for b.Loop() {
		engine.Update([]match.Compiled{one}, nil)
		engine.Update(nil, []match.Key{one.Key})
	}
}

// BenchmarkUpdateIndicator adds one domain to 100,000 others and takes it out again.
func BenchmarkUpdateIndicator(b *testing.B) {
	engine := match.New(time.Now)
	names := make([]string, 100_000)
	for i := range names {
		names[i] = fmt.Sprintf("d%d.example", i)
	}
	engine.Update([]match.Compiled{domains(b, match.Key{ID: "all"}, names...)}, nil)
	one := domains(b, match.Key{ID: "one"}, "one.example")
	b.ReportAllocs()
	for b.Loop() {
		engine.Update([]match.Compiled{one}, nil)
		engine.Update(nil, []match.Key{one.Key})
	}
}
