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

	"shieldwall/internal/decode/container"
	"shieldwall/internal/decode/evtx"
	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/event"
	"shieldwall/internal/match"
	"shieldwall/internal/sequence"
	"shieldwall/internal/sigma"
)

const (
	// progressEvents is after how many events, at the latest, Progress is called.
	progressEvents = 1 << 12
	// outBuffer is the buffer before Out.
	outBuffer = 64 << 10
)

// Options say what to scan. Only Out, Now and one of Rules and Indicators are required.
type Options struct {
	// Rules are folders, walked for .yml and .yaml files, and files.
	Rules []string
	// Indicators are files: STIX bundles, or lists of one value a line.
	Indicators []string
	// Paths are files and folders of telemetry; archives are opened.
	Paths []string
	// Out gets one status.Detection a line, as JSON, in the order of the paths, files and records.
	Out io.Writer

	// OnRejected is told each rule and indicator that does not load.
	OnRejected func(Rejected)
	// OnProblem is told what could not be read of the telemetry.
	OnProblem func(Problem)
	// OnSkipped is told each file that is no telemetry.
	OnSkipped func(source string)
	// Progress is called between files and every few thousand events. All callbacks run on Run's goroutine.
	Progress func(Progress)

	// Now is the clock; by it indicators expire.
	Now func() time.Time
	// Sigma is how rules are read; the zero value knows no placeholders.
	Sigma sigma.Options
	// Container bounds what is unpacked; the zero value has defaults.
	Container container.Options
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
	// IndicatorsLoaded are values, IndicatorsRejected lines and objects.
	IndicatorsLoaded   int     `json:"indicators_loaded"`
	IndicatorsRejected int     `json:"indicators_rejected"`
	LoadSeconds        float64 `json:"load_seconds"` // rules and indicators alone
	Files              int64   `json:"files"`        // with telemetry
	Skipped            int64   `json:"skipped"`      // no telemetry
	Events             int64   `json:"events"`
	Bytes              int64   `json:"bytes"` // decoded
	Detections         int64   `json:"detections"`
	Errors             int64   `json:"errors"` // files, chunks, records and values that could not be read
	Seconds            float64 `json:"seconds"`
	CPUSeconds         float64 `json:"cpu_seconds"` // of the scan alone, like Seconds
	MaxRSSBytes        int64   `json:"max_rss_bytes"`
}

// Run loads, scans and writes. The error says that the scan could not be done or finished: a path of rules
// or indicators that cannot be used, an Out that cannot be written, ctx's end. What it did until then is in
// the Stats all the same.
func Run(ctx context.Context, opt Options) (Stats, error) {
	s := &scanner{ctx: ctx, opt: opt, out: bufio.NewWriterSize(opt.Out, outBuffer)}
	s.each = s.match
	s.lines = json.NewEncoder(s.out)
	s.lines.SetEscapeHTML(false)
	start := opt.Now()
	err := s.load()
	s.stats.LoadSeconds = opt.Now().Sub(start).Seconds()
	if err != nil {
		return s.stats, err
	}
	start, cpu := opt.Now(), cpuTime()
	err = s.scan()
	s.stopped()
	if ferr := s.out.Flush(); err == nil && ferr != nil {
		err = fmt.Errorf("writing detections: %w", ferr)
	}
	s.stats.Seconds = opt.Now().Sub(start).Seconds()
	s.stats.CPUSeconds = (cpuTime() - cpu).Seconds()
	s.stats.MaxRSSBytes = maxRSS()
	return s.stats, err
}

// scanner is one run.
type scanner struct {
	ctx    context.Context
	opt    Options
	each   func(*event.Event) error // what happens to an event
	engine *match.Engine
	// patterns confirm the engine's candidates.
	patterns *sequence.Patterns
	out      *bufio.Writer
	lines    *json.Encoder
	stats    Stats
	total    int64
	before   int64 // bytes of the files before this one
}

// load reads rules and indicators and makes them live.
func (s *scanner) load() error {
	rules, err := LoadRules(s.opt.Rules, s.opt.Sigma, s.opt.OnRejected)
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
	compiled, err := rules.compile()
	if err != nil {
		return err
	}
	compiled = append(compiled, intel.compiled...)
	if len(compiled) == 0 {
		return errors.New("nothing to look for: no rule and no indicator was loaded")
	}
	s.engine, s.patterns = match.New(s.opt.Now), intel.patterns
	s.engine.Update(compiled, nil)
	return nil
}

// scan reads all paths.
func (s *scanner) scan() error {
	if s.opt.Progress != nil {
		s.total = sizeOf(s.opt.Paths)
	}
	for _, path := range s.opt.Paths {
		if err := s.path(path); err != nil {
			return err
		}
	}
	return nil
}

// path reads a file, or a folder's files in lexical order. Links below a folder are not followed.
func (s *scanner) path(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		s.problem(path, err)
		return nil
	}
	if info.IsDir() {
		root, err := os.OpenRoot(path) // a folder that is changed meanwhile cannot lead out of it
		if err != nil {
			s.problem(path, err)
			return nil
		}
		defer root.Close()
		return container.Walk(root.FS(), path, s.opt.Container, s.visit)
	}
	f, err := os.Open(path)
	if err != nil {
		s.problem(path, err)
		return nil
	}
	defer f.Close()
	return container.File(path, f, s.opt.Container, s.visit)
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

// visit reads one file, or one member of an archive. Its error ends the scan.
func (s *scanner) visit(item *container.Item) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if item.Err != nil {
		s.problem(item.Source, item.Err)
		return nil
	}
	s.before = s.stats.Bytes
	s.progress(item.Source)
	var err error
	switch item.Kind {
	case container.EVTX:
		s.stats.Files++
		err = s.evtx(item)
	case container.JSON:
		s.stats.Files++
		err = s.json(item)
	default:
		s.stats.Skipped++
		if s.opt.OnSkipped != nil {
			s.opt.OnSkipped(item.Source)
		}
	}
	if stop := (*stopError)(nil); errors.As(err, &stop) {
		return stop.err
	}
	if err != nil {
		s.problem(item.Source, err)
	}
	return nil
}

// stopError ends the scan, as against a fault of one file.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }

func (s *scanner) evtx(item *container.Item) error {
	at, size, err := item.ReaderAt()
	if err != nil {
		return err
	}
	st, err := evtx.New(at, size, evtx.Options{
		Source:    item.Source,
		OnProblem: func(p evtx.Problem) { s.problem(item.Source, p) },
	}).Read(func(ev *event.Event) error {
		return s.event(ev, 0)
	})
	s.stats.Bytes += st.Bytes
	return err
}

func (s *scanner) json(item *container.Item) error {
	in := jsonl.New(item.Reader(), jsonl.Options{Source: item.Source})
	defer func() { s.stats.Bytes = s.before + in.Stats().Bytes }()
	for {
		ev, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if bad := (*jsonl.ValueError)(nil); errors.As(err, &bad) {
			s.problem(item.Source, bad)
			if err := s.ctx.Err(); err != nil {
				return &stopError{err}
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := s.event(ev, in.Stats().Bytes); err != nil {
			return err
		}
	}
}

// event matches one event. read is how much of the file came before, where that is known. Its error ends the
// scan.
func (s *scanner) event(ev *event.Event, read int64) error {
	if s.stats.Events++; s.stats.Events%progressEvents == 0 {
		if err := s.ctx.Err(); err != nil {
			return &stopError{err}
		}
		s.stats.Bytes = s.before + read
		s.progress(ev.Source)
	}
	if err := s.each(ev); err != nil {
		return &stopError{err}
	}
	return nil
}

// match writes a line for each hit.
func (s *scanner) match(ev *event.Event) (err error) {
	glance := s.patterns.Look(ev, ev.Time)
	s.engine.Match(ev, func(h match.Hit) {
		if h.Candidate {
			others, ok := glance.Confirm(h.Key)
			if !ok {
				return
			}
			if len(others) > 0 {
				h.Fields = append(h.Fields, sequence.Others(others))
			}
		}
		if err == nil {
			s.stats.Detections++
			err = s.lines.Encode(detection(ev, h))
		}
	})
	if err != nil {
		return fmt.Errorf("writing detections: %w", err)
	}
	return nil
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

func (s *scanner) problem(source string, err error) {
	s.stats.Errors++
	if s.opt.OnProblem != nil {
		s.opt.OnProblem(Problem{source, err})
	}
}

func (s *scanner) progress(source string) {
	if s.opt.Progress != nil {
		s.opt.Progress(Progress{
			Source: source, Files: s.stats.Files, Events: s.stats.Events, Detections: s.stats.Detections,
			Bytes: s.stats.Bytes, Total: s.total,
		})
	}
}
