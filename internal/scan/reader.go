package scan

import (
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"shieldwall/internal/correlate"
	"shieldwall/internal/decode/container"
	"shieldwall/internal/decode/evtx"
	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/decode/telemetry"
	"shieldwall/internal/event"
	"shieldwall/internal/match"
	"shieldwall/internal/sequence"
	"shieldwall/internal/sigma"
	"shieldwall/internal/status"
)

// reader reads one file and all that is in it, on one goroutine.
type reader struct {
	*scanner
	file   *file
	each   func(*event.Event) error // what happens to an event
	stats  Stats                    // of this file
	before int64                    // bytes of the members before this one
	told   Stats                    // what of stats is in far

	batch []outcome
	size  int // of the batch's text, in bytes
}

// read reads a file for Run.
func (s *scanner) read(f *file) {
	defer close(f.out)
	r := &reader{scanner: s, file: f}
	r.each = r.match
	f.stop = r.open()
	r.flush()
	r.tally()
	f.stats = r.stats
}

// open reads the file; the error ends the scan.
func (r *reader) open() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	in, err := r.file.open()
	if errors.Is(err, container.ErrLink) {
		r.skip(r.file.source, Skipped{Link: true})
		return nil
	}
	if err != nil {
		r.problem(r.file.source, err)
		return nil
	}
	defer in.Close()
	if r.own(in) {
		return nil
	}
	return container.File(r.file.source, in, r.opt.Container, r.visit)
}

// own says whether a file is one that the scan itself writes.
func (r *reader) own(in *os.File) bool {
	if len(r.opt.Own) == 0 {
		return false
	}
	info, err := in.Stat()
	return err == nil && slices.ContainsFunc(r.opt.Own, func(own os.FileInfo) bool { return os.SameFile(own, info) })
}

// visit reads one file, or one member of an archive. Its error ends the scan.
func (r *reader) visit(item *container.Item) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if item.Err != nil {
		r.problem(item.Source, item.Err)
		return nil
	}
	r.before = r.stats.Bytes
	r.tally()
	var err error
	switch item.Kind {
	case container.EVTX:
		r.stats.Files++
		err = r.evtx(item)
	case container.JSON, container.Zeek:
		r.stats.Files++
		err = r.json(item)
	case container.Audit:
		r.stats.Files++
		err = r.audit(item)
	case container.Syslog:
		r.stats.Files++
		err = r.syslog(item)
	case container.XML:
		r.stats.Files++
		err = r.xml(item)
	default:
		if strings.EqualFold(path.Ext(item.Source), ".evtx") {
			err = errNoLog
			break
		}
		r.skip(item.Source, Skipped{})
	}
	if stop := (*stopError)(nil); errors.As(err, &stop) {
		return stop.err
	}
	if err != nil {
		r.problem(item.Source, err)
	}
	return nil
}

// errNoLog is a file that is not what its name says. Any other name promises nothing.
var errNoLog = errors.New("named .evtx, and neither an event log nor anything else that is read")

func (r *reader) skip(source string, s Skipped) {
	r.stats.Skipped++
	s.Source = source
	r.put(outcome{skipped: &s}, len(source))
}

// stopError ends the scan, as against a fault of one file.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }

func (r *reader) evtx(item *container.Item) error {
	at, size, cut := item.ReaderAt()
	if at == nil || size == 0 && cut != nil {
		return cut
	}
	st, err := evtx.New(at, size, evtx.Options{
		Source:    item.Source,
		OnProblem: func(p evtx.Problem) { r.problem(item.Source, p) },
		Names:     r.names(), Sparse: true, Borrow: r.engine != nil,
	}).Read(func(ev *event.Event) error {
		return r.event(ev, 0)
	})
	r.stats.Bytes += st.Bytes
	if err == nil {
		err = cut // what came before it has been read
	}
	return err
}

// names are the fields that are looked at; nil, which is all of them, where nothing is matched.
func (r *reader) names() *event.Names {
	if r.engine == nil {
		return nil
	}
	return r.engine.Names()
}

func (r *reader) json(item *container.Item) error {
	in := telemetry.New(item.Reader(), jsonl.Options{Source: item.Source, Names: r.names(), Sparse: true, Borrow: r.engine != nil})
	defer func() { r.stats.Bytes = r.before + in.Stats().Bytes }()
	for {
		ev, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if bad := (*jsonl.ValueError)(nil); errors.As(err, &bad) {
			r.problem(item.Source, bad)
			if err := r.ctx.Err(); err != nil {
				return &stopError{err}
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := r.event(ev, in.Stats().Bytes); err != nil {
			return err
		}
	}
}

// event looks at one event. read is how much of the file came before, where that is known. Its error ends the
// scan.
func (r *reader) event(ev *event.Event, read int64) error {
	if r.stats.Events++; r.stats.Events%progressEvents == 0 {
		if err := r.ctx.Err(); err != nil {
			return &stopError{err}
		}
		r.stats.Bytes = r.before + read
		r.tally()
		r.flush()
	}
	if !r.opt.Filter.wants(ev) {
		r.stats.LeftOut++
		return nil
	}
	if ev.Time.IsZero() {
		r.stats.Untimed++
	}
	if ev.Channel == "" && ev.Product == "" && ev.Category == "" && ev.Service == "" {
		ev.Product, ev.Category, ev.Service = r.opt.Logsource.Product, r.opt.Logsource.Category, r.opt.Logsource.Service
		if r.opt.Logsource == (sigma.Logsource{}) {
			r.stats.Unplaced++
		}
	}
	r.stats.span(plausible(ev.Time))
	if err := r.each(ev); err != nil {
		return &stopError{err}
	}
	return nil
}

// match hands over a detection for each hit.
func (r *reader) match(ev *event.Event) error {
	glance := r.patterns.Look(ev, ev.Time)
	var counted []correlate.Hit
	r.engine.Match(ev, func(h match.Hit) {
		if h.Candidate {
			others, ok := glance.Confirm(h.Key)
			if !ok {
				return
			}
			if len(others) > 0 {
				h.Fields = append(h.Fields, sequence.Others(others))
			}
		}
		counts, silent := r.counts(h.Key)
		if counts {
			counted = append(counted, correlate.Hit{Key: h.Key, Fields: h.Fields})
		}
		if !silent && r.opt.Filter.tells(h.Level, h.Tags) {
			d := detection(ev, h)
			r.put(outcome{detection: &d, rule: h.Key}, textOf(&d))
		}
	})
	if len(counted) > 0 {
		r.correlate(ev, counted)
	}
	return nil
}

// textOf is the size of a detection's text, in bytes, roughly.
func textOf(d *status.Detection) int {
	n := len(d.Title) + len(d.Source)
	for name, text := range d.Fields {
		n += len(name) + len(text)
	}
	return n
}

func (r *reader) problem(source string, err error) {
	r.stats.Errors++
	r.put(outcome{problem: &Problem{source, err}}, len(source))
}

// put gathers outcomes, in their order.
func (r *reader) put(o outcome, size int) {
	r.batch = append(r.batch, o)
	if r.size += size; r.size >= batchBytes || len(r.batch) >= batchSize {
		r.flush()
	}
}

// flush hands over what was gathered, and waits where the file's turn has not come and much waits already.
func (r *reader) flush() {
	if len(r.batch) == 0 || r.file.out == nil {
		r.batch = nil
		return
	}
	select {
	case r.file.out <- r.batch:
	case <-r.ctx.Done():
	}
	r.batch, r.size = nil, 0
}

// tally adds to what all readers have done what came since the last time.
func (r *reader) tally() {
	now := r.stats
	r.far.files.Add(now.Files - r.told.Files)
	r.far.events.Add(now.Events - r.told.Events)
	r.far.bytes.Add(now.Bytes - r.told.Bytes)
	r.told = now
}
