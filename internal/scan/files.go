package scan

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"shieldwall/internal/decode/container"
	"shieldwall/internal/match"
	"shieldwall/internal/status"
)

// Files are read side by side and told in their order: each has a queue of what came of it, and Run's goroutine
// empties one queue after the other. A reader that is ahead waits once its queue is full.
const (
	// batchSize and batchBytes bound what a reader gathers before it hands it over; bytes are of text.
	batchSize  = 256
	batchBytes = 256 << 10
	// queueDepth is how many batches wait for a file whose turn has not come.
	queueDepth = 16
)

// outcome is one thing that came of a file: a detection, a problem, or that it was not read.
type outcome struct {
	detection *status.Detection
	rule      match.Key // whose it is
	problem   *Problem
	skipped   *Skipped
}

// file is one file to be read, or the reason why it cannot be.
type file struct {
	source string
	root   *os.Root // that name is in; nil: name is a path
	name   string
	err    error

	out   chan []outcome // closed when it has been read
	stats Stats          // complete then
	stop  error          // why the scan must end, if it must
}

// progress is how far all readers are, roughly.
type progress struct{ files, events, bytes atomic.Int64 }

// eachFile calls do with the files of all paths: a folder's in lexical order, links below it not followed.
// Its roots are closed by the function that it returns. The error is do's.
func (s *scanner) eachFile(do func(*file) error) (closeAll func(), err error) {
	var roots []*os.Root
	closeAll = func() {
		for _, r := range roots {
			r.Close()
		}
	}
	for _, path := range s.opt.Paths {
		info, err := os.Stat(path)
		if err != nil || !info.IsDir() {
			if err := do(&file{source: path, name: path, err: err}); err != nil {
				return closeAll, err
			}
			continue
		}
		root, err := os.OpenRoot(path) // a folder that is changed meanwhile cannot lead out of it
		if err != nil {
			if err := do(&file{source: path, err: err}); err != nil {
				return closeAll, err
			}
			continue
		}
		roots = append(roots, root)
		err = container.Files(root.FS(), func(name string, err error) error {
			return do(&file{source: filepath.Join(path, filepath.FromSlash(name)), root: root, name: name, err: err})
		})
		if err != nil {
			return closeAll, err
		}
	}
	return closeAll, nil
}

// open opens the file.
func (f *file) open() (*os.File, error) {
	switch {
	case f.err != nil:
		return nil, f.err
	case f.root != nil:
		return f.root.Open(f.name)
	}
	return os.Open(f.name)
}

// readAll reads all paths with as many readers as there may be.
func (s *scanner) readAll(cancel context.CancelCauseFunc) error {
	if s.opt.Progress != nil {
		s.total = sizeOf(s.opt.Paths)
	}
	jobs := s.opt.Jobs
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	if s.patterns.Several() || s.counting {
		jobs = 1 // what patterns and correlations remember depends on the order of events
	}
	order, work := make(chan *file, jobs), make(chan *file)
	var readers sync.WaitGroup
	for range jobs {
		readers.Go(func() {
			for f := range work {
				s.read(f)
			}
		})
	}
	var closeRoots func()
	dispatched := make(chan struct{})
	go func() {
		defer close(dispatched)
		defer close(work)
		defer close(order)
		// A file is in order before it is in work: so the first one in order is always being read.
		closeRoots, _ = s.eachFile(func(f *file) error {
			f.out = make(chan []outcome, queueDepth)
			for _, to := range []chan *file{order, work} {
				select {
				case to <- f:
				case <-s.ctx.Done():
					return s.ctx.Err()
				}
			}
			return nil
		})
	}()
	err := s.tell(order, cancel)
	readers.Wait()
	<-dispatched
	closeRoots()
	if err == nil {
		err = s.finish()
	}
	return err
}

// tell empties the files' queues, one after the other.
func (s *scanner) tell(order <-chan *file, cancel context.CancelCauseFunc) error {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	var failed error
	fail := func(err error) {
		if failed == nil && err != nil {
			failed = err
			cancel(err)
		}
	}
	for f := range order {
		if s.opt.OnFile != nil {
			s.file = newTally()
		}
		for open := true; open; {
			var batch []outcome
			select {
			case <-s.ctx.Done():
				fail(context.Cause(s.ctx))
				open = false // its reader ends by itself
				continue
			case <-tick.C:
				s.progress(f.source)
				continue
			case batch, open = <-f.out:
			}
			for i := 0; i < len(batch) && failed == nil; i++ {
				fail(s.tellOne(&batch[i]))
			}
			if !open {
				fail(f.stop)
				s.stats.add(&f.stats)
				s.tellFile(f)
				s.progress(f.source)
			}
		}
	}
	if failed == nil {
		failed = context.Cause(s.ctx)
	}
	return failed
}

func (s *scanner) tellOne(o *outcome) error {
	switch {
	case o.problem != nil:
		if s.opt.OnProblem != nil {
			s.opt.OnProblem(*o.problem)
		}
	case o.detection != nil:
		if o.detection.DuplicateOf = s.seen.before(o.rule, o.detection); o.detection.DuplicateOf != "" {
			if s.stats.Duplicates++; s.opt.Merge {
				return nil
			}
		}
		s.stats.Detections++
		s.tally.add(o)
		if s.file != nil {
			s.file.add(o)
		}
		if err := s.emit(o.detection); err != nil {
			return fmt.Errorf("writing detections: %w", err)
		}
	case s.opt.OnSkipped != nil:
		s.opt.OnSkipped(*o.skipped)
	}
	return nil
}

// tellFile tells what a file came to.
func (s *scanner) tellFile(f *file) {
	if s.opt.OnFile != nil {
		s.opt.OnFile(FileStats{
			Source: f.source, Events: f.stats.Events, Bytes: f.stats.Bytes, Errors: f.stats.Errors,
			Levels: s.file.levels, Loudest: s.file.loudest(),
		})
	}
}

func (s *scanner) progress(source string) {
	if s.opt.Progress != nil {
		s.opt.Progress(Progress{
			Source: source, Files: s.far.files.Load(), Events: s.far.events.Load(), Detections: s.stats.Detections,
			Bytes: s.far.bytes.Load(), Total: s.total,
		})
	}
}

// add adds what one file came to.
func (s *Stats) add(f *Stats) {
	s.Files += f.Files
	s.Skipped += f.Skipped
	s.Events += f.Events
	s.LeftOut += f.LeftOut
	s.Untimed += f.Untimed
	s.Unplaced += f.Unplaced
	s.Bytes += f.Bytes
	s.Errors += f.Errors
	s.span(f.First)
	s.span(f.Last)
}

// span widens the time that events cover.
func (s *Stats) span(at time.Time) {
	if at.IsZero() {
		return
	}
	if s.First.IsZero() || at.Before(s.First) {
		s.First = at
	}
	if at.After(s.Last) {
		s.Last = at
	}
}
