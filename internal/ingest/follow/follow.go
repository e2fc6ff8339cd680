// Package follow reads telemetry from files and folders as it appears: lines and events of XML as they are appended,
// and EVTX files as a whole once they have stopped growing. What a file is, its start says (decode/container),
// or the configuration: JSON lines, Zeek's TSV, auditd's log, syslog, XML.
//
// Files are looked at in turn (polling: it works on every platform and network file system). How far a file was
// read, its mark, is noted only after its events have been matched and made durable, so nothing is lost and, after a
// crash, what was not noted may be seen twice, and nothing else. Where lines wait for others (auditd writes an act as
// several records), the mark stands at the first that waits and says what behind it is done. What waits is given
// out after its time on the wall, for a quiet log has no clock of its own. A last line without a newline waits until
// the file has rested for a minute; a JSON value that is whole, for DefaultSettle.
//
// A file is known by its place on the disk and by what stands at its head and before the mark, not by its
// name; so it survives
//
//   - rotation by renaming, if the rotated file stays in the same folder uncompressed for a few seconds,
//   - rotation by copying and truncating (what the writer adds between the two is lost by that scheme itself),
//   - truncation and replacement: what takes a file's name is read from its start.
//
// What a name stood for is noted under its new name before anything is noted under the old one again, so this holds
// when the node is killed meanwhile. Of what is written and rotated twice while no node runs, the middle is found
// in a followed folder alone.
//
// A file in a followed folder that is renamed while nobody looks, and whose name no other file takes, is read
// again. So is what an audit log had open when its file was copied, if it is truncated a look later.
package follow

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"shieldwall/internal/event"
)

const (
	// DefaultPoll is how often files are looked at.
	DefaultPoll = time.Second / 2
	// DefaultSettle is how long a file has to rest before an EVTX file counts as whole, or a last JSON value
	// without a newline as a line.
	DefaultSettle = 10 * time.Second

	// MaxLine bounds one line, in bytes; a longer one is skipped and reported.
	MaxLine = 4 << 20
	// maxFiles bounds the files of one source.
	maxFiles = 10_000
	// maxDepth bounds the folders below a source.
	maxDepth = 16
	// maxSiblings bounds the files looked at to find one that was rotated away.
	maxSiblings = 1000
	// maxStray bounds the files of one source that are known and have no place.
	maxStray = 1000
	// grace is how long a rotated file is looked for, and read on after the last change, and how long a file has to
	// rest before what stands behind its last newline counts as a line.
	grace = time.Minute
	// noteTime is how long noting how far a file was read may take.
	noteTime = 30 * time.Second
	// maxReports bounds the problems of one file that are logged in one look at it; all are counted.
	maxReports = 5
)

// Sink takes events; *detect.Detector is one. An event that Submit refused comes again.
type Sink interface {
	// Submit returns once the event is matched. The event is not kept.
	Submit(ctx context.Context, ev *event.Event) error
	// Sync returns once everything submitted before is durable.
	Sync(ctx context.Context) error
}

// Offsets keeps how far files were read. ident is opaque to it.
type Offsets interface {
	// Offset gives what was put for a path; an empty ident where nothing was.
	Offset(ctx context.Context, path string) (ident string, offset int64, err error)
	PutOffset(ctx context.Context, path, ident string, offset int64) error
}

// Source is a file or a folder, what its files are taken for, and the Sigma logsource of records that do not say
// theirs.
type Source struct {
	Path                       string
	Format                     Format
	Product, Category, Service string
}

// Options are what a Follower works with.
type Options struct {
	Sources []Source
	Sink    Sink
	Offsets Offsets
	Now     func() time.Time
	Log     *slog.Logger
	// Poll and Settle are DefaultPoll and DefaultSettle where zero.
	Poll, Settle time.Duration
	// Names are the fields that the sink looks at (jsonl.Options.Sparse); nil: all.
	Names func() *event.Names
}

func (f *Follower) names() *event.Names {
	if f.opt.Names == nil {
		return nil
	}
	return f.opt.Names()
}

// Stats counts since the start.
type Stats struct {
	Files   int   // followed now
	Ignored int   // of them, those that are no telemetry
	Events  int64 // taken by the sink
	Bytes   int64
	Errors  int64 // lines, records and chunks that could not be read, and files
	// LastError is the newest of them; empty where there was none.
	LastError string
	// Problem says which sources cannot be followed now, and why; empty where all can.
	Problem string
}

// Follower follows the sources. Run does the work; Stats may be called meanwhile.
type Follower struct {
	opt     Options
	watches []*watch
	buf     []byte // the bytes being looked at; one file at a time

	mu    sync.Mutex // guards stats
	stats Stats
}

// New makes a Follower; it touches no file yet.
func New(opt Options) *Follower {
	if opt.Poll <= 0 {
		opt.Poll = DefaultPoll
	}
	if opt.Settle <= 0 {
		opt.Settle = DefaultSettle
	}
	f := &Follower{opt: opt}
	for _, s := range opt.Sources {
		f.watches = append(f.watches, newWatch(s))
	}
	return f
}

// Run follows until ctx ends. What fails is reported and tried again at the next look.
func (f *Follower) Run(ctx context.Context) error {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		wait := f.opt.Poll
		if f.poll(ctx) {
			wait = 0 // one source must not starve another, so each look is bounded and some had more
		}
		t.Reset(wait)
	}
}

// Stats says what was done since the start.
func (f *Follower) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

// poll looks at every source once; more says that some file had more than one look may take.
func (f *Follower) poll(ctx context.Context) (more bool) {
	files, ignored, problem := 0, 0, ""
	for _, w := range f.watches {
		again, err := f.look(ctx, w)
		if ctx.Err() != nil {
			return false
		}
		failing := ""
		if err != nil {
			again, failing = false, err.Error() // try again at the next look, not at once
			if failing != w.failing {
				f.problem(w.source.Path, err)
			}
			problem = strings.TrimPrefix(fmt.Sprintf("%s; following %s: %s", problem, w.source.Path, failing), "; ")
		}
		w.failing = failing
		more = more || again
		for _, t := range w.files {
			files++
			if t.Kind == kindIgnored {
				ignored++
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Files, f.stats.Ignored, f.stats.Problem = files, ignored, problem
	return more
}

// problem counts, remembers and logs an error.
func (f *Follower) problem(path string, err error) {
	f.opt.Log.Warn("following a file", "path", path, "err", err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Errors++
	f.stats.LastError = fmt.Sprintf("following %s: %v", path, err)
}

// unreadable counts what could not be read of a file, and logs the first ones.
type unreadable struct {
	f    *Follower
	path string
	n    int
}

func (u *unreadable) report(err error) {
	u.n++
	if u.n <= maxReports {
		u.f.opt.Log.Warn("telemetry that cannot be read", "path", u.path, "err", err)
	}
	u.f.mu.Lock()
	defer u.f.mu.Unlock()
	u.f.stats.Errors++
	u.f.stats.LastError = fmt.Sprintf("%s: %v", u.path, err)
}

func (f *Follower) took(events, bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Events += events
	f.stats.Bytes += bytes
}
