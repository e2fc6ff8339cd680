package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"shieldwall/internal/config"
	"shieldwall/internal/report"
	"shieldwall/internal/scan"
	"shieldwall/internal/sigma"
)

// maxProblemLines bounds what is said of a recording that is broken in a million places.
const maxProblemLines = 200

// maxNamed bounds what is said by name of rules and indicators that do not load, and of files that are skipped.
const maxNamed = 20

type scanOptions struct {
	rules, indicators []string
	placeholders      string
	logsource         string
	format, stats     string
	output            string
	force             bool
	since, until      string
	filter            scan.Filter
	merge             bool
	jobs              int
}

func newScan() *command {
	var o scanOptions
	return &command{
		name: "scan", args: "PATH...", minArgs: 1, maxArgs: -1,
		short: "search recordings for what rules and indicators describe",
		long: `Reads recordings (files, folders, and zip, tar, gzip and zstd archives; told by content: EVTX, JSON of many sorts,
Zeek, auditd, syslog, XML) and writes what they detect. It needs no node. A file that is no telemetry, and a link
below a folder, is counted, named and skipped; what is broken in one that is telemetry costs itself, is named on
stderr and makes the exit code 3, as do archives of other kinds.

--rules takes folders or files of Sigma rules, --indicators STIX bundles or lists of one value a line (addresses,
networks, domains, URLs, e-mail addresses, hashes, registry keys, evil.exe, FILE=name, MUTEX=name); at least one of
the two is wanted. --placeholders is a file such as "Administrators: [alice, bob]" with the values of %name%
in rules that say expand; a rule that needs a name which is not there does not load. --logsource says what records are
that do not say it themselves, such as okta/*/okta for an export of that log. --stats writes a JSON object with counts,
times and memory.

--format says how: jsonl, one JSON object a line, in the order of the files; csv, a timeline in the columns of
Hayabusa's standard profile, then the rule's author and licence; timesketch, a timeline to import there; html, one
page that opens anywhere, with a drawing over time, the loudest rules and a table to filter. Timelines are sorted by
time: what outgrows memory goes to the system's folder for temporary files (TMPDIR). In them and on the page
characters that are not seen as themselves are spelled out, and a cell that a spreadsheet could take for a formula
starts with an apostrophe. --output writes to a file, which appears when it is whole, readable by its owner; one
that exists is left alone without --force.

--since and --until take a time (2026-03-02T03:11:07Z), a day (2026-03-02, UTC) or a span back from now (7d); a
record without a time is looked at all the same. --host and --tags are patterns such as dc* and attack.t1059*,
without case. Files are read side by side; the output has the same order however many at once. What was
detected before, in a copy of the same record, is marked, or left out with --merge.`,
		exits: "0 nothing found\n1 something found\n2 usage, or could not run\n3 some input could not be read, something found or not",
		define: func(f *pflag.FlagSet) {
			f.StringArrayVar(&o.rules, "rules", nil, "`DIR` or file of Sigma rules (may be repeated)")
			f.StringArrayVar(&o.indicators, "indicators", nil, "`FILE` of indicators (may be repeated)")
			definePlaceholders(f, &o.placeholders)
			f.StringVar(&o.logsource, "logsource", "", "`PRODUCT/CATEGORY/SERVICE` of records that do not say theirs, * where free")
			f.StringVar(&o.format, "format", report.JSONL, "`FORMAT` of the output: "+strings.Join(report.Formats, ", "))
			f.StringVar(&o.output, "output", "", "write to `FILE` (default: stdout)")
			f.BoolVar(&o.force, "force", false, "replace the --output file")
			f.StringVar(&o.since, "since", "", "only records at or after this `TIME`")
			f.StringVar(&o.until, "until", "", "only records before this `TIME`")
			f.StringVar(&o.filter.Host, "host", "", "only records of computers whose name fits this `PATTERN`")
			f.StringVar(&o.filter.Level, "level", "", "only rules of this `LEVEL` and above: "+strings.Join(scan.Levels, ", "))
			f.StringArrayVar(&o.filter.Tags, "tags", nil, "only rules with a tag that fits this `PATTERN` (may be repeated)")
			f.BoolVar(&o.merge, "merge", false, "leave out what was detected before, in a copy of the same record")
			f.IntVar(&o.jobs, "jobs", min(maxJobs, runtime.GOMAXPROCS(0)), "read `N` files at once; by itself one a processor")
			f.StringVar(&o.stats, "stats", "", "write statistics to `FILE`")
		},
		run: func(ctx context.Context, p *program, args []string) error { return runScan(ctx, p, o, args) },
	}
}

func runScan(ctx context.Context, p *program, o scanOptions, paths []string) (err error) {
	if !slices.Contains(report.Formats, o.format) {
		return usagef("--format: there is no format %q; known: %s", o.format, strings.Join(report.Formats, ", "))
	}
	if len(o.rules)+len(o.indicators) == 0 {
		return usagef("scan wants --rules or --indicators: something to look for")
	}
	if err := o.times(p.now()); err != nil {
		return usagef("%v", err)
	}
	if err := o.filter.Check(); err != nil {
		return usagef("%v", err)
	}
	if o.jobs < 1 || o.jobs > maxJobs {
		return usagef("--jobs must be from 1 to %d", maxJobs)
	}
	opt, err := sigmaOptions(o.placeholders)
	if err != nil {
		return err
	}
	var logsource sigma.Logsource
	if o.logsource != "" {
		if logsource, err = sigma.ParseLogsource(o.logsource); err != nil {
			return usagef("--logsource: %v", err)
		}
	}
	if o.stats == "-" {
		return usagef("--stats wants a file: stdout carries the detections")
	}
	out, err := openReport(p, o.format, o.output, o.force)
	if err != nil {
		return err
	}
	defer out.discard()
	var stats *os.File
	if o.stats != "" {
		// Before the work, not after it: an hour's scan should not end in a wrong path.
		if stats, err = createStats(o.stats); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stats.Close()) }()
	}
	talk := &scanTalk{p: p, bar: newBar(p), report: out}
	st, err := scan.Run(ctx, scan.Options{
		Sigma: opt, Logsource: logsource, Rules: o.rules, Indicators: o.indicators, Paths: paths, Each: out.Detection, Now: p.now,
		Filter: o.filter, Merge: o.merge, Jobs: o.jobs, Own: regular(p.stdout, out.temp, stats),
		OnRejected: talk.rejected, OnProblem: talk.problem, OnSkipped: talk.skip, Progress: talk.bar.update,
	})
	talk.bar.clear()
	if ferr := out.finish(st, err == nil); err == nil && ferr != nil {
		err = fmt.Errorf("writing the output: %w", ferr)
	}
	if stats != nil {
		err = errors.Join(err, json.NewEncoder(stats).Encode(st))
	}
	if err != nil {
		return err
	}
	talk.summary(st)
	return outcomeOf(st)
}

// outcomeOf is a scan's exit code.
func outcomeOf(st scan.Stats) error {
	switch {
	case st.Errors > 0:
		return &exit{code: exitPartial}
	case st.Detections > 0:
		return &exit{code: exitFindings}
	}
	return nil
}

// createStats empties a file for statistics. It takes the place of earlier ones alone: whoever mistypes a command
// should not lose a piece of evidence.
func createStats(path string) (*os.File, error) {
	if have, err := os.Open(path); err == nil {
		head := make([]byte, len(statsStart))
		n, _ := io.ReadFull(have, head)
		info, err := have.Stat()
		have.Close()
		if err == nil && info.Mode().IsRegular() && n > 0 && string(head[:n]) != statsStart {
			return nil, usagef("--stats: %s is there already and holds no statistics", path)
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("writing the statistics: %w", err)
	}
	return f, nil
}

// statsStart is what statistics start with (scan.Stats).
const statsStart = `{"rules_loaded":`

// maxJobs bounds the files that are read at once: each costs memory.
const maxJobs = 256

// times reads the ends of the time that counts.
func (o *scanOptions) times(now time.Time) (err error) {
	if o.filter.Since, err = moment(o.since, now); err != nil {
		return fmt.Errorf("--since: %w", err)
	}
	if o.filter.Until, err = moment(o.until, now); err != nil {
		return fmt.Errorf("--until: %w", err)
	}
	return nil
}

// moment reads a time, a day, or a span back from now; zero for nothing.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	var back config.Duration
	if err := back.UnmarshalText([]byte(text)); err != nil || back <= 0 {
		return time.Time{}, fmt.Errorf("%q is no time (2026-03-02T03:11:07Z), day (2026-03-02) or span back from now (7d)", text)
	}
	return now.Add(-back.Std()), nil
}

// scanTalk says on stderr what a scan has to say beside its detections.
type scanTalk struct {
	p         *program
	bar       *bar
	report    report.Writer // nil: none
	problems  int
	rejection int
	skipped   []scan.Skipped // the first of them
}

// rejected names what does not load: of an indicator no other command says why.
func (t *scanTalk) rejected(r scan.Rejected) {
	if t.rejection++; t.rejection <= maxNamed {
		t.bar.clear()
		t.p.talk("shieldwall: %v: not loaded", r)
	}
}

func (t *scanTalk) skip(s scan.Skipped) {
	if len(t.skipped) < maxNamed {
		t.skipped = append(t.skipped, s)
	}
}

func (t *scanTalk) problem(pr scan.Problem) {
	if t.report != nil {
		t.report.Problem(pr.Source, pr.Err)
	}
	t.problems++
	if t.problems > maxProblemLines {
		return
	}
	t.bar.clear()
	t.p.talk("shieldwall: %s: %v", pr.Source, pr.Err)
	if t.problems == maxProblemLines {
		t.p.talk("shieldwall: further problems are counted, not listed")
	}
}

func (t *scanTalk) summary(st scan.Stats) {
	t.loaded(st)
	for _, s := range t.skipped {
		if s.Link {
			t.p.talk("skipped: %s: a link, not followed", s.Source)
		} else {
			t.p.talk("skipped: %s: no telemetry", s.Source)
		}
	}
	if n := st.Skipped - int64(len(t.skipped)); n > 0 {
		t.p.talk("skipped: %s", plural(n, "further file", "further files"))
	}
	if st.Duplicates > 0 {
		t.p.talk("%s of a record met before", plural(st.Duplicates, "detection is", "detections are"))
	}
	if st.Uncompared > 0 {
		t.p.talk("%s not remembered: what repeats them is told again", plural(st.Uncompared, "detection is", "detections are"))
	}
	if c := st.Correlations; c.EvictedEvents > 0 {
		t.p.talk("%s of correlations forgotten for want of room: files in the order of time need less", plural(c.EvictedEvents, "event", "events"))
	}
	if st.LeftOut > 0 {
		t.p.talk("%s left out by the filters", plural(st.LeftOut, "event", "events"))
	}
	if st.Unplaced > 0 {
		t.p.talk("%s of no known log source: rules that name one do not meet them", plural(st.Unplaced, "event is", "events are"))
	}
	if st.TextsCut > 0 {
		t.p.talk("%s not looked through for indicators to the end: too long, or too many found", plural(st.TextsCut, "event was", "events were"))
	}
	t.p.talk("%s in %s from %s, %d skipped, %s; %.1f s, %s/s",
		plural(st.Detections, "detection", "detections"), plural(st.Events, "event", "events"), plural(st.Files, "file", "files"),
		st.Skipped, plural(st.Errors, "problem", "problems"), st.Seconds, bytesOf(float64(st.Bytes)/max(st.Seconds, 1e-3)))
}

// loaded says which rules and indicators were not looked for.
func (t *scanTalk) loaded(st scan.Stats) {
	if n := st.RulesRejected; n > 0 {
		t.p.talk("%s did not load; shieldwall rules check lists them", plural(n, "rule", "rules"))
	}
	if n := st.IndicatorsRejected; n > 0 {
		t.p.talk("%s did not load", plural(n, "indicator", "indicators"))
	}
	if n := st.RulesLeftOut; n > 0 {
		t.p.talk("%s left out by --level and --tags", plural(n, "rule", "rules"))
	}
}

// safeWriter escapes, in a stream of JSON, the characters that a terminal obeys and JSON leaves alone. They
// can only stand inside strings, where the escape means the same.
type safeWriter struct {
	w    io.Writer
	rest []byte // the start of a character whose end has not come yet
}

// Write is io.Writer's.
func (s *safeWriter) Write(p []byte) (int, error) {
	text := append(s.rest, p...)
	keep := len(text)
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if b := text[len(text)-i]; utf8.RuneStart(b) {
			if !utf8.FullRune(text[len(text)-i:]) {
				keep = len(text) - i
			}
			break
		}
	}
	_, err := s.w.Write(escapeJSON(text[:keep]))
	s.rest = append([]byte(nil), text[keep:]...)
	if err != nil {
		return 0, err
	}
	return len(p), nil
}
