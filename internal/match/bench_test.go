package match_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"shieldwall/internal/event"
	built "shieldwall/internal/lanes"
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

// lanes are the mixes of events that the targets of DESIGN.md speak of, thinned out.
var lanes = []struct {
	name string
	want func(n int, line []byte) bool
}{
	{"recorded", func(n int, _ []byte) bool { return n%16 == 0 }},
	{"balanced", balanced()},
	{"process", func(_ int, line []byte) bool {
		return bytes.Contains(line, []byte(`"EventID":1,`)) && bytes.Contains(line, []byte("Sysmon/Operational"))
	}},
}

// balanced takes at most 100 events of a channel and event id.
func balanced() func(int, []byte) bool {
	seen := map[string]int{}
	return func(_ int, line []byte) bool {
		ev := flat(line)
		if ev == nil {
			return false
		}
		key := ev.Channel + ev.EventID
		seen[key]++
		return seen[key] <= 100
	}
}

// numbered gives events the slots that a decoder would have given them.
func numbered(events []*event.Event, names *event.Names) {
	for _, ev := range events {
		ev.Names = names
		for i := range ev.Fields {
			ev.Fields[i].Slot = names.Slot(ev.Fields[i].Name)
		}
	}
}

// BenchmarkMatch gives events a second, decoded beforehand, on one core: by the compiled engine with all
// rules of rules and rules-emerging-threats, by ten times as many (each rule with nine copies whose texts
// differ), and by the plain evaluator.
func BenchmarkMatch(b *testing.B) {
	rules := corpusRules(b, "rules", "rules-emerging-threats")
	engines := []struct {
		name string
		make func() matcher
	}{
		{"compiled", func() matcher { return loaded(b, rules) }},
		{"tenfold", func() matcher { return loaded(b, built.Perturbed(rules, 10)) }},
		{"naive", func() matcher { return match.NewOracle(rules) }},
	}
	for _, lane := range lanes {
		events, size := recorded(b, lane.want)
		for _, one := range engines {
			b.Run(lane.name+"/"+one.name, func(b *testing.B) {
				m := one.make()
				if e, ok := m.(*match.Engine); ok {
					numbered(events, e.Names())
				}
				benchmarkMatch(b, m, events, size)
			})
		}
	}
}

func benchmarkMatch(b *testing.B, m matcher, events []*event.Event, size int) {
	b.SetBytes(int64(size))
	b.ReportAllocs()
	met := 0
	yield := func(match.Hit) { met++ }
	runtime.GC()
	start := cpuTime()
	for b.Loop() {
		met = 0
		for _, ev := range events {
			m.Match(ev, yield)
		}
	}
	b.ReportMetric(float64(len(events)*b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(len(events)*b.N)/(cpuTime()-start).Seconds(), "events/cpu-s")
	b.ReportMetric(float64(met)/float64(len(events)), "hits/event")
	b.ReportMetric(float64(len(events)), "events")
}

// BenchmarkMeasure is the recorded mix with nothing measured, one event in 1,024, as a running node does, and every
// event.
func BenchmarkMeasure(b *testing.B) {
	events, size := recorded(b, lanes[0].want)
	engine := loaded(b, corpusRules(b, "rules", "rules-emerging-threats"))
	numbered(events, engine.Names())
	for _, oneIn := range []int{0, 1024, 1} {
		b.Run(fmt.Sprintf("one in %d", oneIn), func(b *testing.B) {
			engine.Measure(oneIn)
			benchmarkMatch(b, engine, events, size)
		})
	}
}

// cpuTime is the processor time of this process: on a busy machine it says more than the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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

// BenchmarkMatchIndicators is the recorded mix, decoded beforehand, against no indicators and against ten
// million, without rules: the difference is what indicators add to an event.
func BenchmarkMatchIndicators(b *testing.B) {
	events, _ := recorded(b, func(n int, _ []byte) bool { return n%64 == 0 })
	none, many := match.New(time.Now), match.New(time.Now)
	match.ManyLists(func(c match.Compiled) { many.Update([]match.Compiled{c}, nil) })
	for _, lane := range []struct {
		name   string
		engine *match.Engine
	}{{"none", none}, {"ten million", many}} {
		b.Run(lane.name, func(b *testing.B) {
			b.ReportAllocs()
			met := 0
			for b.Loop() {
				for _, ev := range events {
					lane.engine.Match(ev, func(match.Hit) { met++ })
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
			b.ReportMetric(float64(met)/float64(b.N*len(events)), "hits/event")
		})
	}
}
