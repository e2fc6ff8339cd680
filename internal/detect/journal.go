package detect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"shieldwall/internal/status"
)

// The journal is a folder's detections as JSON lines: JournalName is written to, full parts are set
// aside under names that carry the time of their last line, so that they sort by age.
const (
	// JournalName is the part that is being written.
	JournalName = "detections.jsonl"

	partPrefix = "detections-"
	partSuffix = ".jsonl"
	partTime   = "20060102T150405.000000000Z"

	// partsKept is how many parts share the size and the age that are kept: what is dropped is
	// dropped by the part.
	partsKept = 8
	// minPart keeps a tiny limit from making a file of every line.
	minPart = 4 << 10
	// maxPartAge ends a part after a day, however long detections are kept.
	maxPartAge = 24 * time.Hour
	// maxLine bounds one line, in bytes; cutFields keeps detections below it.
	maxLine = 1 << 20
	// tailBytes is how much of the newest part is read at the start to fill the ring.
	tailBytes = 1 << 20
)

// Retention says what is kept of a node's detections. Whole parts are dropped, so a line may live an
// eighth longer than MaxAge.
type Retention struct {
	MaxAge  time.Duration
	MaxSize int64 // bytes, all parts together
}

// JournalStats shows what is kept, its limits, and what was dropped since the start.
type JournalStats struct {
	Retention
	Bytes        int64
	Parts        int
	Oldest       time.Time // of the oldest part's last line; zero with one part
	DroppedLines int64
	DroppedBytes int64
	// Repaired is how many bytes of a torn last line were cut off at the start.
	Repaired int64
}

// journal appends detections to the parts in dir. Its methods are safe for concurrent use.
type journal struct {
	dir  string
	keep Retention
	now  func() time.Time

	mu     sync.Mutex // guards the fields below
	file   *os.File   // nil after it could not be opened again; the next append tries
	size   int64      // bytes of whole lines in file
	began  time.Time  // when the first line of file was written; zero while it is empty
	last   time.Time  // when the last one was
	parts  []part     // set aside, oldest first
	seq    int64      // lines appended
	synced int64      // lines known to be on disk
	stats  JournalStats
}

// part is a file that is no longer written to.
type part struct {
	path string
	last time.Time
	size int64
}

// openJournal opens the journal in dir, repairs a torn last line and applies the limits.
func openJournal(dir string, keep Retention, now func() time.Time) (*journal, error) {
	j := &journal{dir: dir, keep: keep, now: now, stats: JournalStats{Retention: keep}}
	var err error
	if j.parts, err = listParts(dir); err != nil {
		return nil, fmt.Errorf("opening the detections: %w", err)
	}
	if err := j.open(); err != nil {
		return nil, fmt.Errorf("opening the detections: %w", err)
	}
	if err := j.repair(); err != nil {
		return nil, errors.Join(fmt.Errorf("repairing the detections: %w", err), j.file.Close())
	}
	if err := j.tend(); err != nil {
		return nil, errors.Join(err, j.file.Close())
	}
	return j, nil
}

// open opens the part that is written to. Without O_APPEND, because a failed write is cut off again and
// the next must land there.
func (j *journal) open() error {
	j.file = nil
	f, err := os.OpenFile(filepath.Join(j.dir, JournalName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	j.file, j.size, j.began, j.last = f, info.Size(), time.Time{}, time.Time{}
	if j.size > 0 {
		j.last = info.ModTime().UTC()
		j.began = j.firstSeen()
	}
	return nil
}

// firstSeen is when the first line of the part was written, by its own word.
func (j *journal) firstSeen() time.Time {
	var d status.Detection
	buf := make([]byte, min(j.size, maxLine))
	n, _ := j.file.ReadAt(buf, 0)
	line, _, _ := bytes.Cut(buf[:n], []byte{'\n'})
	if json.Unmarshal(line, &d) != nil || d.Seen.IsZero() || d.Seen.After(j.last) {
		return j.last
	}
	return d.Seen
}

// repair deals with a line that a crash tore: it was never acknowledged, so its event comes again, and
// it is cut off. If only the newline is missing, that is added.
func (j *journal) repair() error {
	tail, err := j.tail(maxLine + 1)
	if err != nil || len(tail) == 0 || tail[len(tail)-1] == '\n' {
		return err
	}
	torn := tail[bytes.LastIndexByte(tail, '\n')+1:]
	if len(torn) <= maxLine && json.Valid(torn) {
		if _, err := j.file.WriteAt([]byte{'\n'}, j.size); err != nil {
			return err
		}
		j.size++
		return nil
	}
	j.size -= int64(len(torn))
	j.stats.Repaired += int64(len(torn))
	return j.file.Truncate(j.size)
}

// tail reads the last n bytes of the part.
func (j *journal) tail(n int64) ([]byte, error) {
	n = min(n, j.size)
	buf := make([]byte, n)
	got, err := j.file.ReadAt(buf, j.size-n)
	if int64(got) == n {
		return buf, nil
	}
	return nil, fmt.Errorf("reading the last %d bytes: %w", n, err)
}

// newest decodes up to n of the last detections, oldest first.
func (j *journal) newest(n int) ([]status.Detection, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	tail, err := j.tail(tailBytes)
	if err != nil {
		return nil, err
	}
	if int64(len(tail)) < j.size { // starts within a line
		tail = tail[bytes.IndexByte(tail, '\n')+1:]
	}
	var out []status.Detection
	for line := range bytes.Lines(tail) {
		var d status.Detection
		if json.Unmarshal(line, &d) == nil {
			out = append(out, d)
		}
	}
	return out[max(0, len(out)-n):], nil
}

// append writes one line with its newline. It is in the file, not yet on the disk, when append returns.
func (j *journal) append(line []byte) error {
	if len(line) > maxLine {
		return fmt.Errorf("a detection of %d bytes, at most %d are kept", len(line), maxLine)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		if err := j.open(); err != nil {
			return fmt.Errorf("writing a detection: %w", err)
		}
	}
	now := j.now().UTC()
	if err := j.makeRoom(now, int64(len(line))); err != nil {
		return err
	}
	if _, err := j.file.WriteAt(line, j.size); err != nil {
		// Half a line, where the disk is full, must not stand before the next one.
		return errors.Join(fmt.Errorf("writing a detection: %w", err), j.file.Truncate(j.size))
	}
	if j.began.IsZero() {
		j.began = now
	}
	j.size += int64(len(line))
	j.last = now
	j.seq++
	return nil
}

// makeRoom sets the part aside if a line of n bytes does not fit it any more or it covers time enough,
// and drops what the limits no longer allow. Caller holds mu.
func (j *journal) makeRoom(now time.Time, n int64) error {
	full := j.size+n > max(minPart, j.keep.MaxSize/partsKept)
	old := now.Sub(j.began) >= min(maxPartAge, j.keep.MaxAge/partsKept)
	if j.size > 0 && (full || old) {
		if err := j.setAside(); err != nil {
			return fmt.Errorf("starting a new part of the detections: %w", err)
		}
	}
	return j.prune(now, n)
}

// setAside renames the part and opens the next. Caller holds mu.
func (j *journal) setAside() error {
	last := j.last
	if k := len(j.parts); k > 0 && !last.After(j.parts[k-1].last) {
		last = j.parts[k-1].last.Add(1) // the clock went back; the order of the parts may not
	}
	if err := errors.Join(j.file.Sync(), j.file.Close()); err != nil {
		return errors.Join(err, j.open())
	}
	p := part{path: filepath.Join(j.dir, partPrefix+last.Format(partTime)+partSuffix), last: last, size: j.size}
	if err := os.Rename(filepath.Join(j.dir, JournalName), p.path); err != nil {
		return errors.Join(err, j.open())
	}
	j.parts = append(j.parts, p)
	j.synced = j.seq
	if err := j.open(); err != nil {
		return err
	}
	return syncDir(j.dir)
}

// prune drops the oldest parts that the limits do not allow. Caller holds mu.
func (j *journal) prune(now time.Time, room int64) error {
	total := j.size + room
	for _, p := range j.parts {
		total += p.size
	}
	for len(j.parts) > 0 {
		p := j.parts[0]
		if total <= j.keep.MaxSize && now.Sub(p.last) < j.keep.MaxAge {
			return nil
		}
		lines, err := countLines(p.path)
		if err == nil {
			err = os.Remove(p.path)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("dropping old detections: %w", err)
		}
		j.parts = j.parts[1:]
		j.stats.DroppedLines += lines
		j.stats.DroppedBytes += p.size
		total -= p.size
	}
	return nil
}

// tend applies the limits while nothing is written.
func (j *journal) tend() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	return j.makeRoom(j.now().UTC(), 0)
}

// sync returns once every line appended before the call is on the disk.
func (j *journal) sync() error {
	j.mu.Lock()
	f, upTo := j.file, j.seq
	done := j.synced >= upTo || f == nil
	j.mu.Unlock()
	if done {
		return nil
	}
	err := f.Sync() // outside the lock: appends need not wait for the disk
	if err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("syncing the detections: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err == nil { // a closed file was set aside meanwhile, which synced it
		j.synced = max(j.synced, upTo)
	}
	return nil
}

func (j *journal) close() error {
	err := j.sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return err
	}
	return errors.Join(err, j.file.Close())
}

func (j *journal) statistics() JournalStats {
	j.mu.Lock()
	defer j.mu.Unlock()
	st := j.stats
	st.Bytes, st.Parts = j.size, len(j.parts)+1
	for _, p := range j.parts {
		st.Bytes += p.size
	}
	if len(j.parts) > 0 {
		st.Oldest = j.parts[0].last
	}
	return st
}
