// Package scan matches recorded telemetry against rules and indicators: the use case behind `scan` and
// `rules check`. It needs no node and no data folder.
//
// Nothing that cannot be read ends a scan, and nothing is left out in silence: a rule that does not load, a
// broken chunk or value, a file without content is counted and told to a callback.
package scan

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"shieldwall/internal/correlate"
	"shieldwall/internal/decode/container"
	"shieldwall/internal/match"
	"shieldwall/internal/sequence"
	"shieldwall/internal/sigma"
	"shieldwall/internal/status"
)

const (
	// progressEvents is after how many events, at the latest, a scan looks whether it is to end.
	progressEvents = 1 << 12
	// progressEvery is how often Progress is called.
	progressEvery = 200 * time.Millisecond
	// outBuffer is the buffer before Out.
	outBuffer = 64 << 10
)

// Options say what to scan. Only Out or Each, Now and one of Rules and Indicators are required.
type Options struct {
	// Rules are folders, walked for .yml and .yaml files, and files.
	Rules []string
	// Indicators are files: STIX bundles, or lists of one value a line.
	Indicators []string
	// Paths are files and folders of telemetry; archives are opened.
	Paths []string
	// Out gets one status.Detection a line, as JSON, in the order of the paths, files and records; Each gets
	// them instead where it is set. It may keep them.
	Out  io.Writer
	Each func(*status.Detection) error

	// Logsource is that of records that do not say their own.
	Logsource sigma.Logsource

	// Filter says which events and detections count.
	Filter Filter
	// Merge leaves out detections that were told before: of a record that is read twice, from a copy of a log
	// or out of two archives, by the same rule. Otherwise they are told and marked.
	Merge bool
	// Own are files that the caller writes meanwhile: they are not read, though a path may lead to them.
	Own []os.FileInfo
	// Measure makes Stats.Profile of one in so many events, with at most Costliest rules; 0: there is none.
	Measure   int
	Costliest int
	// Jobs is how many files are read at once; 0 means one a processor. The output is the same for any number.
	Jobs int

	// OnRejected is told each rule and indicator that does not load.
	OnRejected func(Rejected)
	// OnProblem is told what could not be read of the telemetry.
	OnProblem func(Problem)
	// OnSkipped is told each file that is no telemetry, or not followed to.
	OnSkipped func(Skipped)
	// OnFile is told what one file of the paths, an archive with all that is in it, came to.
	OnFile func(FileStats)
	// Progress is called between files and every few thousand events. All callbacks run on Run's goroutine.
	Progress func(Progress)

	// Now is the clock; by it indicators expire.
	Now func() time.Time
	// Sigma is how rules are read; the zero value knows no placeholders.
	Sigma sigma.Options
	// Container bounds what is unpacked; the zero value has defaults.
	Container container.Options
}

// Skipped is a file that was not looked through.
type Skipped struct {
	// Source is the path as given, with "!member" for what is in an archive.
	Source string
	// Link says that it is a symbolic link below a folder: those are not followed. Otherwise its content is of no
	// known kind.
	Link bool
}

// Problem is something in the telemetry that could not be read. Reading went on behind it.
type Problem struct {
	// Source is the path as given, with "!member" for what is in an archive.
	Source string
	// Err says where in it and why.
	Err error
}

func (p Problem) Error() string { return p.Source + ": " + p.Err.Error() }

// Unwrap gives the cause.
func (p Problem) Unwrap() error { return p.Err }

// Progress is how far a scan is.
type Progress struct {
	Source     string // being read
	Files      int64
	Events     int64
	Detections int64
	// Bytes were decoded. Total is the size of all files on disk; archives hold more than that.
	Bytes, Total int64
}

// Stats are what a scan did; the JSON is that of `scan --stats`.
type Stats struct {
	RulesLoaded   int `json:"rules_loaded"`
	RulesRejected int `json:"rules_rejected"`
	// Correlations are what the rules that count hits of others did.
	Correlations Correlations `json:"correlations"`
	// RulesLeftOut are rules and correlations that loaded and that the filter does not want told.
	RulesLeftOut int `json:"rules_left_out"`
	// IndicatorsLoaded are values, IndicatorsRejected lines and objects.
	IndicatorsLoaded   int     `json:"indicators_loaded"`
	IndicatorsRejected int     `json:"indicators_rejected"`
	LoadSeconds        float64 `json:"load_seconds"` // rules and indicators alone
	Files              int64   `json:"files"`        // with telemetry
	Skipped            int64   `json:"skipped"`      // no telemetry, and links
	Events             int64   `json:"events"`
	Bytes              int64   `json:"bytes"` // decoded
	// LeftOut were events that the filter does not want; Untimed have no time and were looked at all the same.
	LeftOut int64 `json:"left_out"`
	Untimed int64 `json:"untimed"`
	// Unplaced are events of no known log source: rules that name one, as nearly all do, do not meet them.
	Unplaced int64 `json:"unplaced"`
	// TextsCut are events that were not looked through for indicators to the end: long texts, or too many found.
	TextsCut   int64 `json:"texts_cut"`
	Detections int64 `json:"detections"`
	// Duplicates were detections of records that had been met before; see Options.Merge. Those that were told
	// are among Detections, too.
	Duplicates int64 `json:"duplicates"`
	// Uncompared were detections that later ones were not compared with: there is room for the first 524,288.
	Uncompared int64 `json:"uncompared"`
	// First and Last are the times of the earliest and the latest event that was looked at.
	First       time.Time `json:"first,omitzero"`
	Last        time.Time `json:"last,omitzero"`
	Errors      int64     `json:"errors"` // files, chunks, records and values that could not be read
	Seconds     float64   `json:"seconds"`
	CPUSeconds  float64   `json:"cpu_seconds"` // of the scan alone, like Seconds
	MaxRSSBytes int64     `json:"max_rss_bytes"`
	// Levels are the detections by level; "none" is of those without one. Loudest are the rules with the most, of
	// the first maxTallied that detected anything.
	Levels  map[string]int64 `json:"levels"`
	Loudest []Loud           `json:"loudest"`
	// Profile is there if Options.Measure asks for it.
	Profile *status.Profile `json:"profile,omitempty"`
}

// Run loads, scans and writes. The error says that the scan could not be done or finished: a path of rules
// or indicators that cannot be used, an Out that cannot be written, ctx's end. What it did until then is in
// the Stats all the same.
func Run(ctx context.Context, opt Options) (stats Stats, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &scanner{ctx: ctx, opt: opt, seen: newSeen(), tally: newTally()}
	defer func() { stats.Levels, stats.Loudest = s.tally.levels, s.tally.loudest() }()
	var out *bufio.Writer
	if s.emit = opt.Each; s.emit == nil {
		out = bufio.NewWriterSize(opt.Out, outBuffer)
		lines := json.NewEncoder(out)
		lines.SetEscapeHTML(false)
		s.emit = func(d *status.Detection) error { return lines.Encode(d) }
	}
	start := opt.Now()
	err = s.load()
	s.stats.LoadSeconds = opt.Now().Sub(start).Seconds()
	if err != nil {
		return s.stats, err
	}
	start, cpu, before := opt.Now(), cpuTime(), s.engine.IndicatorStats().Cut
	err = s.readAll(cancel)
	s.stats.Correlations.add(s.correlations.Stats())
	s.profile()
	s.stopped()
	s.stats.TextsCut = int64(s.engine.IndicatorStats().Cut - before)
	s.stats.Uncompared = s.seen.beyond
	if out != nil {
		if ferr := out.Flush(); err == nil && ferr != nil {
			err = fmt.Errorf("writing detections: %w", ferr)
		}
	}
	s.stats.Seconds = opt.Now().Sub(start).Seconds()
	s.stats.CPUSeconds = (cpuTime() - cpu).Seconds()
	s.stats.MaxRSSBytes = maxRSS()
	return s.stats, err
}

// scanner is one run. Readers on other goroutines share it and change nothing in it but far.
type scanner struct {
	ctx    context.Context
	opt    Options
	engine *match.Engine
	// patterns confirm the engine's candidates.
	patterns *sequence.Patterns
	// correlations count hits; counting says that there are any.
	correlations *correlate.Engine
	counting     bool
	emit         func(*status.Detection) error
	far          progress
	total        int64

	// On Run's goroutine alone.
	stats Stats
	seen  *seen
	tally *tally
	file  *tally // of the file being told; nil where nobody asks
}

// load reads rules and indicators and makes them live.
func (s *scanner) load() error {
	opt := s.opt.Sigma
	opt.Correlations, opt.Filters = true, true
	rules, err := LoadRules(s.opt.Rules, opt, s.opt.OnRejected)
	s.stats.RulesLoaded, s.stats.RulesRejected = len(rules.Rules), rules.Rejected
	if err != nil {
		return err
	}
	intel, err := loadIndicators(s.opt.Indicators, s.opt.Sigma, s.opt.OnRejected)
	s.stats.RulesLoaded += intel.rules
	s.stats.IndicatorsLoaded, s.stats.IndicatorsRejected = intel.values, intel.rejected
	if err != nil {
		return err
	}
	if err := s.correlate(rules); err != nil {
		return err
	}
	compiled, err := rules.compile(s.correlations.Asks)
	if err != nil {
		return err
	}
	compiled = append(compiled, intel.compiled...)
	s.stats.RulesLeftOut = rules.leftOut(&s.opt.Filter)
	if n := s.stats.RulesLeftOut; n > 0 && n == len(rules.Rules)+len(rules.Correlations) && len(intel.compiled) == 0 {
		return fmt.Errorf("nothing to look for: not one of %d rules is of that level and has such a tag", n)
	}
	if len(compiled) == 0 {
		return errors.New("nothing to look for: no rule and no indicator was loaded")
	}
	s.engine, s.patterns = match.New(s.opt.Now), intel.patterns
	s.engine.Update(compiled, nil)
	s.engine.Measure(s.opt.Measure)
	return nil
}

// sizeOf adds up the sizes of files, as far as they can be seen: it is for a progress bar.
func sizeOf(paths []string) (total int64) {
	for _, path := range paths {
		_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				if info, err := d.Info(); err == nil {
					total += info.Size()
				}
			}
			return nil
		})
	}
	return total
}

// stopped tells which patterns cost too much to be matched to the end.
func (s *scanner) stopped() {
	for key, why := range s.patterns.Stopped() {
		s.stats.IndicatorsRejected++
		if s.opt.OnRejected != nil {
			file, id, _ := strings.Cut(key.ID, "#")
			s.opt.OnRejected(Rejected{File: file, ID: id, Reason: reasonIndicator, Detail: "stopped before the end: " + why})
		}
	}
}
