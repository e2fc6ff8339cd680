package lanes

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"shieldwall/internal/decode/evtx"
	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/event"
	"shieldwall/internal/indicator"
	"shieldwall/internal/match"
	"shieldwall/internal/sigma"
)

// corpus gives a path in the corpus, or skips the test.
func corpus(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv("SHIELDWALL_CORPUS")
	if root == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	return filepath.Join(append([]string{root}, elem...)...)
}

// TestDense reads the log back: nothing to complain of, records numbered without a gap.
func TestDense(t *testing.T) {
	const size = 4 << 20
	log, records, err := Dense(corpus(t, "evtx"), size)
	if err != nil || len(log) < size || records < 1000 {
		t.Fatalf("%d bytes, %d records, %v", len(log), records, err)
	}
	st, err := evtx.New(bytes.NewReader(log), int64(len(log)), evtx.Options{OnProblem: func(p evtx.Problem) { t.Error(p) }}).Read(func(*event.Event) error { return nil })
	if err != nil || st.Events != records || st.EmptyChunks != 0 {
		t.Errorf("%+v, %v, want %d events", st, err, records)
	}
}

func TestNothingToBuild(t *testing.T) {
	for name, build := range map[string]func(string) error{
		"recordings": func(dir string) error { _, err := JSON(dir); return err },
		"event logs": func(dir string) error { _, _, err := Dense(dir, 1<<20); return err },
	} {
		if build(t.TempDir()) == nil || build(filepath.Join(t.TempDir(), "nowhere")) == nil {
			t.Errorf("%s are made of nothing", name)
		}
	}
	if _, _, err := Dense(corpus(t, "evtx"), 5<<30); err == nil {
		t.Error("a log of more chunks than its header can count")
	}
}

var built = sync.OnceValues(func() ([]*Lane, error) { return JSON(filepath.Join(os.Getenv("SHIELDWALL_CORPUS"), "otrf")) })

// TestJSON: what the lanes are made of is counted by hand in the corpus's README and the figures.
func TestJSON(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads 900 MB")
	}
	corpus(t)
	lanes, err := built()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{321_805, 30_801, 965} {
		if l := lanes[i]; l.Events != want || bytes.Count(l.Data, []byte{'\n'}) != want {
			t.Errorf("%s: %d events, want %d", l.Name, l.Events, want)
		}
	}
}

// rules are those of rules/windows and of rules-emerging-threats.
func rules(b testing.TB) (out []*sigma.Rule) {
	b.Helper()
	for _, dir := range []string{corpus(b, "sigma", "rules", "windows"), corpus(b, "sigma", "rules-emerging-threats")} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".yml" {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			found, err := sigma.Parse(data, sigma.Options{})
			if err == nil {
				out = append(out, found.Rules...)
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return out
}

// engine is loaded with rules.
func engine(b testing.TB, rules []*sigma.Rule) *match.Engine {
	b.Helper()
	var compiled []match.Compiled
	for i, r := range rules {
		c, err := match.CompileSigma(match.Key{ID: strconv.Itoa(i)}, r)
		if err != nil {
			b.Fatal(err)
		}
		compiled = append(compiled, c)
	}
	e := match.New(time.Now)
	e.Update(compiled, nil)
	return e
}

// manyIndicators are as many as the target speaks of, in lists: domains, addresses, hashes.
const manyIndicators, listSize = 10_000_000, 500_000

func addIndicators(b *testing.B, e *match.Engine) {
	b.Helper()
	for from := 0; from < manyIndicators; from += listSize {
		list := make([]indicator.Indicator, listSize)
		for i := range list {
			list[i] = numbered(from + i)
		}
		c, err := match.CompileIndicators(match.Key{ID: fmt.Sprint("list-", from)}, match.Attribution{}, list...)
		if err != nil {
			b.Fatal(err)
		}
		e.Update([]match.Compiled{c}, nil)
	}
}

// numbered is one indicator of many, none of which any recording has.
func numbered(n int) indicator.Indicator {
	switch n % 4 {
	case 0:
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(11 + n>>24), byte(n >> 16), byte(n >> 8), byte(n)}), 32)
		return indicator.Indicator{Type: indicator.Network, Value: p.String(), Prefix: p}
	case 1:
		return indicator.Indicator{Type: indicator.SHA256, Value: fmt.Sprintf("%064x", n)}
	}
	return indicator.Indicator{Type: indicator.Domain, Value: "host" + strconv.Itoa(n) + ".example", Subdomains: n%8 < 4}
}

// cpuTime is the processor time of this process: on a busy machine it says more than the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestNoGarbage: events that meet nothing cost no memory, one in twenty aside, once an engine and a reader are under
// way.
func TestNoGarbage(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads 900 MB")
	}
	corpus(t)
	lanes, err := built()
	if err != nil {
		t.Fatal(err)
	}
	e := engine(t, rules(t))
	var quiet []byte
	events := 0
	meet(e, lanes[1].Data, func(line []byte, hits int) {
		if hits == 0 {
			quiet = append(append(quiet, line...), '\n')
			events++
		}
	})
	if events < 25_000 {
		t.Fatalf("only %d events meet nothing", events)
	}
	allocations := func(times int) uint64 {
		var before, after runtime.MemStats
		lines := bytes.Repeat(quiet, times)
		runtime.ReadMemStats(&before)
		meet(e, lines, func([]byte, int) {})
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	allocations(1) // what is made once
	// A reader is made anew, and learns the names of fields: that is in both.
	once, twice := allocations(1), allocations(2)
	t.Logf("%d allocations for %d events, %d for twice as many", once, events, twice)
	// Lists have items of their own, and kinds of events may push one another out of the cache of routes.
	if twice > once+uint64(events)/20 {
		t.Errorf("%d allocations for %d events more", twice-once, events)
	}
}

// meet reads lines and tells how often each was hit.
func meet(e *match.Engine, lines []byte, yield func(line []byte, hits int)) {
	in := jsonl.New(bytes.NewReader(lines), jsonl.Options{Names: e.Names(), Sparse: true, Borrow: true})
	for {
		ev, err := in.Next()
		if err != nil {
			return
		}
		line, rest, _ := bytes.Cut(lines, []byte{'\n'})
		hits := 0
		e.Match(ev, func(match.Hit) { hits++ })
		yield(line, hits)
		lines = rest
	}
}

// BenchmarkVerdict is the figure of the engine: JSON bytes in, verdict out, with all rules for Windows and all of
// the emerging threats; with ten times as many, and with ten million indicators beside them. Run it with -cpu 1
// and -benchtime 10s.
func BenchmarkVerdict(b *testing.B) {
	all := rules(b)
	lanes, err := built()
	if err != nil {
		b.Fatal(err)
	}
	for _, with := range []struct {
		name string
		make func() *match.Engine
	}{
		{"rules", func() *match.Engine { return engine(b, all) }},
		{"tenfold", func() *match.Engine { return engine(b, Perturbed(all, 10)) }},
		{"indicators", func() *match.Engine { e := engine(b, all); addIndicators(b, e); return e }},
	} {
		made := sync.OnceValue(with.make)
		for _, l := range lanes {
			b.Run(with.name+"/"+l.Name, func(b *testing.B) { benchmarkVerdict(b, made(), l) })
		}
	}
}

func benchmarkVerdict(b *testing.B, e *match.Engine, l *Lane) {
	b.SetBytes(int64(len(l.Data)))
	b.ReportAllocs()
	events, hits := 0, 0
	start := cpuTime()
	for b.Loop() {
		events, hits = 0, 0
		in := jsonl.New(bytes.NewReader(l.Data), jsonl.Options{Names: e.Names(), Sparse: true, Borrow: true})
		for {
			ev, err := in.Next()
			if err != nil {
				break
			}
			events++
			e.Match(ev, func(match.Hit) { hits++ })
		}
	}
	if events != l.Events {
		b.Fatalf("%d events of %d", events, l.Events)
	}
	b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(events*b.N)/(cpuTime()-start).Seconds(), "events/cpu-s")
	b.ReportMetric(float64(hits), "hits")
}

// BenchmarkBeside is what ten million indicators cost beside the rules: both engines take turns at a lane, so that what
// else the machine does meets both, and the medians are compared. Run it with -cpu 1 and -benchtime 11x.
func BenchmarkBeside(b *testing.B) {
	all := rules(b)
	lanes, err := built()
	if err != nil {
		b.Fatal(err)
	}
	made := sync.OnceValues(func() (alone, beside *match.Engine) {
		alone, beside = engine(b, all), engine(b, all)
		addIndicators(b, beside)
		return alone, beside
	})
	for _, l := range lanes {
		b.Run(l.Name, func(b *testing.B) {
			alone, beside := made()
			turn(b, alone, l)
			turn(b, beside, l)
			var without, with []float64
			for b.Loop() {
				without, with = append(without, turn(b, alone, l)), append(with, turn(b, beside, l))
			}
			slices.Sort(without)
			slices.Sort(with)
			b.ReportMetric(with[len(with)/2]/without[len(without)/2], "x")
		})
	}
}

// turn is the processor time of a lane, in seconds.
func turn(b *testing.B, e *match.Engine, l *Lane) float64 {
	start, events := cpuTime(), 0
	in := jsonl.New(bytes.NewReader(l.Data), jsonl.Options{Names: e.Names(), Sparse: true, Borrow: true})
	for {
		ev, err := in.Next()
		if err != nil {
			break
		}
		events++
		e.Match(ev, func(match.Hit) {})
	}
	if events != l.Events {
		b.Fatalf("%d events of %d", events, l.Events)
	}
	return (cpuTime() - start).Seconds()
}

// BenchmarkEVTX is a whole scan's work on a dense log: MB/s are of file.
func BenchmarkEVTX(b *testing.B) {
	e := engine(b, rules(b))
	log, records, err := Dense(corpus(b, "evtx"), 256<<20)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		each func(*event.Event)
	}{
		{"decode", func(*event.Event) {}},
		{"match", func(ev *event.Event) { e.Match(ev, func(match.Hit) {}) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(log)))
			b.ReportAllocs()
			for b.Loop() {
				st, err := evtx.New(bytes.NewReader(log), int64(len(log)), evtx.Options{Names: e.Names(), Sparse: true, Borrow: true}).Read(func(ev *event.Event) error {
					c.each(ev)
					return nil
				})
				if err != nil || st.Events != records {
					b.Fatal(st, err)
				}
			}
			b.ReportMetric(float64(records*b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
