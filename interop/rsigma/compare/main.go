// Command compare times our engine and rsigma one after the other on the same lanes, on one core: JSON bytes in,
// verdict out. It prints a table in Markdown.
//
//	cd interop && go run ./rsigma/compare
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"

	"shieldwall/internal/lanes"
	"shieldwall/interop/rsigma"
)

// engineVariable, if it is set, makes this process our engine on one lane: each run is a process of its own.
const engineVariable = "SHIELDWALL_COMPARE_ENGINE"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "compare: %v\n", err)
		os.Exit(2)
	}
}

func run(ctx context.Context) error {
	corpus := flag.String("corpus", os.Getenv("SHIELDWALL_CORPUS"), "folder with otrf and sigma")
	folder := flag.String("rsigma", "rsigma", "folder of rsigma's Cargo.toml")
	runs := flag.Int("runs", 3, "runs of each engine on each lane")
	seconds := flag.Float64("seconds", 10, "how long a run goes over its lane")
	core := flag.Int("core", 0, "the core that both run on, if there is a taskset")
	flag.Parse()
	if os.Getenv(engineVariable) != "" {
		return engine(rsigma.InputsOf(*corpus), flag.Arg(0), *seconds)
	}
	if *corpus == "" || *runs < 1 {
		return errors.New("-corpus and at least one run are needed")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program, err := rsigma.Build(ctx, *folder)
	if err != nil {
		return err
	}
	c := comparison{in: rsigma.InputsOf(*corpus), runs: *runs, seconds: *seconds, pin: pin(*core)}
	c.engines = engines(c.in, self, program, *corpus)
	return c.run(ctx, os.Stdout)
}

// pin is the command that keeps another on one core; empty where there is none.
func pin(core int) []string {
	if path, err := exec.LookPath("taskset"); err == nil {
		return []string{path, "--cpu-list", strconv.Itoa(core)}
	}
	talk("there is no taskset: each engine runs on one core at a time, not always on the same")
	return nil
}

func talk(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// comparison is all that is timed.
type comparison struct {
	in      rsigma.Inputs
	engines []contender
	runs    int
	seconds float64
	pin     []string
}

// contender is an engine with its options.
type contender struct {
	name string
	// args are the command that times it on a lane.
	args func(lane string, seconds float64) []string
}

// engines are ours, first, and rsigma as it is and with each of its options for speed.
func engines(in rsigma.Inputs, self, program, corpus string) []contender {
	theirs := func(option ...string) func(string, float64) []string {
		return func(lane string, seconds float64) []string {
			args := append([]string{program, "time", lane, number(seconds)}, option...)
			return append(append(args, in.Map), in.Rules...)
		}
	}
	return []contender{
		{"Shieldwall", func(lane string, seconds float64) []string {
			return []string{self, "-corpus", corpus, "-seconds", number(seconds), lane}
		}},
		{"rsigma " + rsigma.Version, theirs()},
		{"the same with bloom filters", theirs("--bloom")},
		{"the same with its automaton over all rules", theirs("--cross-rule-ac")},
	}
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// run builds the lanes, times everyone, in turn, and writes the table.
func (c *comparison) run(ctx context.Context, out io.Writer) error {
	folder, err := os.MkdirTemp("", "lanes")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	names, err := c.write(folder)
	if err != nil {
		return err
	}
	var rows []row
	for _, name := range names {
		taken := make([][]timing, len(c.engines))
		for n := range c.runs {
			for i, e := range c.engines {
				t, err := c.time(ctx, e, filepath.Join(folder, name))
				if err != nil {
					return err
				}
				talk("%s, run %d, %s: %.0f events/s, %.0f by processor time", name, n+1, e.name, t.rate(), t.cpuRate())
				taken[i] = append(taken[i], t)
			}
		}
		rows = append(rows, c.rows(name, taken)...)
	}
	return table(out, rows)
}

// write writes the lanes to a folder and gives their names. They are gone from memory when it returns.
func (c *comparison) write(folder string) (names []string, err error) {
	built, err := lanes.JSON(c.in.Recordings)
	if err != nil {
		return nil, err
	}
	for _, l := range built {
		if err := os.WriteFile(filepath.Join(folder, l.Name), l.Data, 0o600); err != nil {
			return nil, err
		}
		names = append(names, l.Name)
	}
	return names, nil
}

// time runs one engine once on a lane.
func (c *comparison) time(ctx context.Context, e contender, lane string) (t timing, err error) {
	args := append(append([]string{}, c.pin...), e.args(lane, c.seconds)...)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", engineVariable+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &t)
	}
	if err == nil && (t.Events == 0 || t.Seconds <= 0 || t.CPU <= 0) {
		err = fmt.Errorf("it printed %q", out)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", e.name, err)
	}
	return t, err
}
