package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"shieldwall/internal/report"
	"shieldwall/internal/scan"
)

// reportFile is a report and where it goes: stdout, or a file that gets its name when it is whole.
type reportFile struct {
	report.Writer
	now     func() time.Time
	streams bool     // what is written is of use before its end
	temp    *os.File // nil: stdout
	path    string
	force   bool
	scratch []*scratch
}

// openReport opens a report, before the work and not after it: an hour's scan should not end in a wrong path.
func openReport(p *program, format, path string, force bool) (*reportFile, error) {
	r := &reportFile{now: p.now, path: path, force: force}
	w := p.stdout
	if path == "" || path == "-" {
		r.streams = format == report.JSONL
	} else {
		if err := free(path, force); err != nil {
			return nil, err
		}
		temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // readable by its owner alone
		if err != nil {
			return nil, fmt.Errorf("writing the output: %w", err)
		}
		r.temp, w = temp, temp
	}
	if format == report.JSONL {
		w = &safeWriter{w: w} // the other formats spell out by themselves what a terminal obeys
	}
	var err error
	if r.Writer, err = report.New(format, w, report.Options{Scratch: r.newScratch}); err != nil {
		r.discard()
		return nil, usagef("--format: %v", err)
	}
	return r, nil
}

// free says whether a report may take a path: nothing is there, or, by force, a file.
func free(path string, force bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("writing the output: %w", err)
	case !info.Mode().IsRegular():
		return usagef("--output: %s is no regular file", path)
	case !force:
		return usagef("--output: %s is there already; --force replaces it", path)
	}
	return nil
}

// finish writes the rest of the report and gives it its name. A scan that did not end well leaves no file; what
// was written to stdout line by line stays.
func (r *reportFile) finish(st scan.Stats, ended bool) error {
	if !ended && !r.streams {
		return nil
	}
	err := r.Close(report.Summary{
		Made: r.now(), RulesLoaded: st.RulesLoaded, RulesRejected: st.RulesRejected,
		IndicatorsLoaded: st.IndicatorsLoaded, IndicatorsRejected: st.IndicatorsRejected,
		Files: st.Files, Skipped: st.Skipped, Events: st.Events, LeftOut: st.LeftOut, Bytes: st.Bytes,
		First: st.First, Last: st.Last, Errors: st.Errors, Seconds: st.Seconds,
	})
	if err != nil || r.temp == nil {
		return err
	}
	return r.publish()
}

// publish gives the file its name. Without force it takes none that another file got meanwhile; the report stays
// under its temporary name then.
func (r *reportFile) publish() error {
	name := r.temp.Name()
	if err := errors.Join(r.temp.Sync(), r.temp.Close()); err != nil {
		return err
	}
	if !r.force {
		err := os.Link(name, r.path) // fails where the name is taken; a rename does not
		if err == nil {
			return os.Remove(name) // the other name stays
		}
		if free(r.path, false) != nil {
			r.temp = nil
			return fmt.Errorf("%s is there by now; the report is in %s", r.path, name)
		}
	}
	if err := os.Rename(name, r.path); err != nil {
		return err
	}
	r.temp = nil
	return nil
}

// discard takes away what is left of the work.
func (r *reportFile) discard() {
	if r.temp != nil {
		r.temp.Close()
		os.Remove(r.temp.Name())
	}
	for _, s := range r.scratch {
		s.Close()
		if !s.gone {
			os.Remove(s.Name())
		}
	}
}

// scratch is a temporary file.
type scratch struct {
	*os.File
	gone bool // has no name any more
}

// newScratch makes a temporary file. Where the system allows it, it has no name: nothing is left, whatever ends the
// process.
func (r *reportFile) newScratch() (report.Scratch, error) {
	f, err := os.CreateTemp("", "shieldwall-*")
	if err != nil {
		return nil, err
	}
	s := &scratch{File: f, gone: os.Remove(f.Name()) == nil}
	r.scratch = append(r.scratch, s)
	return s, nil
}

// regular are those of the writers that are regular files.
func regular(stdout io.Writer, files ...*os.File) (infos []os.FileInfo) {
	if f, ok := stdout.(*os.File); ok {
		files = append(files, f)
	}
	for _, f := range files {
		if f == nil {
			continue
		}
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			infos = append(infos, info)
		}
	}
	return infos
}
