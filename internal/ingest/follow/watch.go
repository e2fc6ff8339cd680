package follow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// tracked is a file that is known: followed under a path, or stray, waiting to be found under another.
type tracked struct {
	mark
	offset int64

	// What the last look saw.
	size     int64
	modified time.Time
	since    time.Time // when size and modified were first seen as they are
	done     bool      // nothing to do until they change

	reading *reading // of a format that holds lines back; nil: from the mark
	former  decoder  // of the log before this one, or of this one before it was read again

	path    string    // where it was last
	strayed time.Time // when it lost that
	lost    int64     // in which look
	unnoted bool      // its mark has to be stored for its path
	after   *tracked  // had the path before, and may not be stored elsewhere yet
	waited  int       // looks, for that
}

// maxWaits bounds the looks that a file waits for the one that had its path: names may go round in a circle.
const maxWaits = 5

// missing says whether the file lost its path, and may be found under another still: that takes one look more.
func (t *tracked) missing(turn int64) bool { return t.lost > 0 && turn-t.lost <= 1 }

// waits says whether the file that had this one's path might still be found under another, and has to be noted
// there before it is forgotten here.
func (t *tracked) waits(turn int64) bool {
	if t.after != nil && t.waited < maxWaits && (t.after.missing(turn) || t.after.unnoted) {
		t.waited++
		return true
	}
	t.after = nil
	return false
}

// watch is one source and the files that it is known to have.
type watch struct {
	source  Source
	files   map[string]*tracked
	stray   []*tracked
	loaded  map[string]bool      // paths of which the stored mark was asked for
	rotated map[string]time.Time // beside the source's own: read on until then
	primed  bool                 // the mark of the source's own path was asked for
	index   *index               // made anew in each look that needs it
	moved   map[string]*tracked  // in this look, to another path
	turn    int64                // of the look
	failing string
}

// index finds known files by their place and by their head.
type index struct {
	nodes map[string]string     // place -> path
	heads map[string][]*tracked // sum of a whole fingerprint -> files, strays first, then by path
}

func newWatch(s Source) *watch {
	return &watch{source: s, files: map[string]*tracked{}, loaded: map[string]bool{}, rotated: map[string]time.Time{}}
}

// look visits every file of a source once.
func (f *Follower) look(ctx context.Context, w *watch) (more bool, err error) {
	now := f.opt.Now()
	w.index, w.moved = nil, map[string]*tracked{}
	w.turn++
	for _, t := range w.stray {
		if err := f.release(ctx, w, t); err != nil {
			return false, err
		}
	}
	if !w.primed {
		if err := f.prime(ctx, w); err != nil {
			return false, err
		}
	}
	paths, err := w.list()
	if err := f.load(ctx, w, paths); err != nil {
		return false, err
	}
	w.lose(paths, now)
	for _, path := range paths {
		again, verr := f.visit(ctx, w, path)
		if ctx.Err() != nil {
			return false, nil
		}
		if verr != nil && !errors.Is(verr, fs.ErrNotExist) { // one file must not stop the others
			err = errors.Join(err, fmt.Errorf("%s: %w", path, verr))
		}
		more = more || again
	}
	w.findRotated(paths, now)
	w.forget(f.opt.Now())
	return more, err
}

// list names the files of the source that exist, sorted: the path itself, or what is below it, and what
// was rotated away. Beside an error it names what it could find.
func (w *watch) list() (out []string, err error) {
	info, err := os.Stat(w.source.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err != nil:
	case info.IsDir():
		out, err = listFolder(w.source.Path, maxFiles)
	default:
		out = append(out, w.source.Path)
	}
	for path := range w.rotated {
		out = append(out, path)
	}
	slices.Sort(out)
	return slices.Compact(out), err
}

// listFolder names the plain files below a folder; hidden ones, which are half-written as a rule, and
// links are left out. Beside an error it names what it could find, at most as many as that.
func listFolder(root string, most int) (out []string, problem error) {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone meanwhile
		}
		if err != nil {
			problem = err // the rest is still followed
			return nil
		}
		hidden := path != root && strings.HasPrefix(d.Name(), ".")
		switch {
		case d.IsDir():
			rel, err := filepath.Rel(root, path)
			if hidden || err != nil {
				return fs.SkipDir
			}
			if strings.Count(rel, string(filepath.Separator)) >= maxDepth {
				problem = fmt.Errorf("%s is more than %d folders deep and is not followed", path, maxDepth)
				return fs.SkipDir
			}
		case !hidden && d.Type().IsRegular():
			if len(out) == most {
				problem = fmt.Errorf("more than %d files in %s: the others are not followed", most, root)
				return fs.SkipAll
			}
			out = append(out, path)
		}
		return nil
	})
	return out, errors.Join(problem, err)
}

// load reads the stored marks of paths that are new. What now has the path need not be the file that had it;
// identify finds out. The source's own path is asked for once even if nothing has it: its file may have been
// rotated away.
func (f *Follower) load(ctx context.Context, w *watch, paths []string) error {
	if !w.primed {
		paths = append([]string{w.source.Path}, paths...)
	}
	for _, path := range paths {
		if w.loaded[path] {
			continue
		}
		t, err := f.stored(ctx, path)
		if err != nil {
			return err
		}
		w.loaded[path] = true
		if t != nil {
			w.files[path] = t
		}
	}
	w.primed = true
	return nil
}

// stored makes a file from the mark that was stored for a path; nil where there was none.
func (f *Follower) stored(ctx context.Context, path string) (*tracked, error) {
	ident, offset, err := f.opt.Offsets.Offset(ctx, path)
	if err != nil || ident == "" {
		return nil, err
	}
	m, err := parseMark(ident)
	if err != nil || offset < 0 || m.Kind != kindEVTX && offset+m.Ahead < m.Tail.N {
		f.problem(path, errors.Join(err, errors.New("what was read of it is not known any more: it is read again")))
		return nil, nil
	}
	return &tracked{mark: m, offset: offset, path: path}, nil
}

// prime finds what was rotated away from a single file and not read to its end before a restart.
func (f *Follower) prime(ctx context.Context, w *watch) error {
	var found []*tracked
	for _, path := range w.siblings() {
		t, err := f.stored(ctx, path)
		if err != nil {
			return err
		}
		if t != nil && t.Of == w.source.Path {
			found = append(found, t)
		}
	}
	for _, t := range found {
		switch here, size := t.at(t.path); {
		case !here:
			w.abandon(t, f.opt.Now()) // rotated on: it may be found
		case len(t.Open) > 0 || t.offset < size:
			w.files[t.path], w.loaded[t.path], w.rotated[t.path] = t, true, f.opt.Now().Add(grace)
		}
	}
	return nil
}

// at says whether the file is at a path, and its size.
func (t *tracked) at(path string) (here bool, size int64) {
	file, err := os.Open(path)
	if err != nil {
		return false, 0
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false, 0
	}
	here, err = t.is(nodeOf(info), file)
	return here && err == nil, info.Size()
}

// siblings names the files beside a single one, as far as they can be read.
func (w *watch) siblings() (out []string) {
	if info, err := os.Stat(w.source.Path); err == nil && info.IsDir() {
		return nil // whatever is in the folder is looked at anyway
	}
	dir := filepath.Dir(w.source.Path)
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	entries, _ := d.ReadDir(maxSiblings)
	for _, e := range entries {
		if path := filepath.Join(dir, e.Name()); e.Type().IsRegular() && path != w.source.Path {
			out = append(out, path)
		}
	}
	return out
}

// abandon makes a file stray.
func (w *watch) abandon(t *tracked, now time.Time) {
	if !t.Kind.followed() {
		return
	}
	t.strayed, t.lost = now, w.turn
	if w.stray = append(w.stray, t); len(w.stray) > maxStray {
		w.stray = w.stray[1:]
	}
}

// lose makes the files stray whose path is gone.
func (w *watch) lose(paths []string, now time.Time) {
	for path, t := range w.files {
		if _, there := slices.BinarySearch(paths, path); !there {
			delete(w.files, path)
			delete(w.loaded, path)
			w.abandon(t, now)
		}
	}
}

// forget drops strays that were not found, and rotated files that have come to rest.
func (w *watch) forget(now time.Time) {
	w.stray = slices.DeleteFunc(w.stray, func(t *tracked) bool { return now.Sub(t.strayed) > grace })
	for path, until := range w.rotated {
		if t := w.files[path]; now.After(until) && (t == nil || t.done && now.Sub(t.since) > grace) {
			delete(w.rotated, path)
			delete(w.files, path)
			delete(w.loaded, path)
		}
	}
}

// visit looks at one file and reads on in it.
func (f *Follower) visit(ctx context.Context, w *watch, path string) (more bool, err error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	t := w.files[path]
	if t != nil && t.done && t.Node == nodeOf(info) && t.size == info.Size() && t.modified.Equal(info.ModTime()) {
		return false, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return false, err
	}
	if t, err = w.identify(path, file, info, f.opt.Now()); err != nil {
		return false, err
	}
	if t.waits(w.turn) {
		return true, nil
	}
	if t.unnoted { // or a restart would not find it if it is rotated away, or read it again under its new name
		if err := f.opt.Offsets.PutOffset(ctx, path, t.mark.String(), t.offset); err != nil {
			return false, err
		}
		t.unnoted = false
	}
	if t.size != info.Size() || !t.modified.Equal(info.ModTime()) || t.since.IsZero() {
		t.size, t.modified, t.since, t.done = info.Size(), info.ModTime(), f.opt.Now(), false
	}
	switch t.Kind {
	case kindEVTX:
		return false, f.readLog(ctx, w, path, file, t)
	case kindLines:
		return f.readLines(ctx, w, path, file, t)
	case kindXML:
		return f.readXML(ctx, w, path, file, t)
	case kindAudit, kindSyslog:
		return f.readText(ctx, w, path, file, t)
	}
	t.done = true
	return false, nil
}

// identify says which file this is: the one that had this path at the last look, one known under another
// path, a copy of one, or a new one.
func (w *watch) identify(path string, file *os.File, info fs.FileInfo, now time.Time) (*tracked, error) {
	node := nodeOf(info)
	before := w.files[path]
	if before != nil && before.Kind.followed() { // anything else may have become something since
		same, err := before.is(node, file)
		if err != nil || same {
			return before, err
		}
		w.abandon(before, now)
	}
	delete(w.files, path)
	fresh, err := w.fresh(node, file, info, before)
	if err != nil {
		return nil, err
	}
	found, err := w.known(fresh, file)
	if err != nil {
		return nil, err
	}
	if before == nil {
		before = w.moved[path]
	}
	if before != nil && before.Kind.followed() {
		found.after, found.waited = before, 0
	}
	found.unnoted = found.Kind.followed()
	found.path, found.Of = path, ""
	if _, rotated := w.rotated[path]; rotated {
		found.Of = w.source.Path
	}
	w.files[path] = found
	return found, nil
}

// fresh makes the file that is new at a path which another had before.
func (w *watch) fresh(node string, file *os.File, info fs.FileInfo, before *tracked) (*tracked, error) {
	t := &tracked{mark: mark{Node: node}}
	head, err := sniff(file)
	if err != nil {
		return nil, err
	}
	t.Kind = w.source.tell(head)
	if before != nil {
		if t.former = before.former; before.reading != nil {
			t.former = before.reading.dec
		}
		if !t.Kind.followed() {
			t.Header = before.Header // until there is a line that shows what it is
		}
		if t.Kind == kindIgnored && continues(t.Header, head) {
			t.Kind = kindLines
		}
	}
	return t, t.renew(file, info.Size(), 0)
}

// is says whether a file is the tracked one: the same place and the same content.
func (t *tracked) is(node string, file *os.File) (bool, error) {
	if t.Node != node {
		return false, nil
	}
	return t.alike(file, t.offset)
}

// copied says whether a file is a copy of the tracked one. Only a whole fingerprint counts: shorter files may
// be alike by chance.
func (t *tracked) copied(file *os.File) (bool, error) {
	if !t.Kind.text() || t.Head.N < printSize {
		return false, nil
	}
	return t.alike(file, t.offset)
}

// twin makes the file that a copy is. What is held back of a file whose content is gone is the copy's from now on;
// a file that is still there gives it out itself, and so does the copy, for it may be truncated next and then only
// the copy has it.
func (t *tracked) twin(node string) *tracked {
	c := &tracked{mark: t.mark, offset: t.offset, former: t.former}
	c.Node = node
	if t.strayed.IsZero() {
		return c
	}
	c.reading, t.reading = t.reading, nil
	t.offset += t.Ahead
	t.Ahead, t.Open = 0, nil
	return c
}

// known finds a file that is new at its path among those that are known: itself, moved, or else the original
// that it copies, which stays where it is. If there is none, it is the fresh one.
func (w *watch) known(fresh *tracked, file *os.File) (*tracked, error) {
	if !fresh.Kind.followed() {
		return fresh, nil
	}
	if fresh.Node != "" {
		for i, t := range w.stray {
			if same, err := t.is(fresh.Node, file); err != nil {
				return nil, err
			} else if same {
				w.stray = slices.Delete(w.stray, i, i+1)
				t.strayed, t.lost = time.Time{}, 0
				return t, nil
			}
		}
		path := w.lookUp().nodes[fresh.Node]
		if t := w.files[path]; t != nil {
			if same, err := t.is(fresh.Node, file); err != nil {
				return nil, err
			} else if same {
				delete(w.files, path)
				w.moved[path] = t
				return t, nil
			}
		}
	}
	for _, t := range w.lookUp().heads[fresh.Head.Sum] {
		if same, err := t.copied(file); err != nil {
			return nil, err
		} else if same {
			return t.twin(fresh.Node), nil
		}
	}
	return fresh, nil
}

// lookUp gives the index as it was when this look first needed it. What changed since is not in it: a file
// that moved twice within one look is found at the next.
func (w *watch) lookUp() *index {
	if w.index != nil {
		return w.index
	}
	w.index = &index{nodes: map[string]string{}, heads: map[string][]*tracked{}}
	add := func(t *tracked) {
		if t.Kind.text() && t.Head.N == printSize {
			w.index.heads[t.Head.Sum] = append(w.index.heads[t.Head.Sum], t)
		}
	}
	for _, t := range w.stray {
		add(t)
	}
	for _, path := range slices.Sorted(maps.Keys(w.files)) {
		if t := w.files[path]; t.Kind.followed() {
			w.index.nodes[t.Node] = path
			add(t)
		}
	}
	return w.index
}

// findRotated looks for strays of a single file beside it, and reads those it finds on for a while: their
// writer may not have turned to the new file yet.
func (w *watch) findRotated(paths []string, now time.Time) {
	if len(w.stray) == 0 {
		return
	}
	for _, path := range w.siblings() {
		if !slices.Contains(paths, path) && w.isStray(path) {
			w.rotated[path] = now.Add(grace)
		}
	}
}

// isStray says whether a file is, or is a copy of, one that lost its path.
func (w *watch) isStray(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false
	}
	for _, t := range w.stray {
		if nodeOf(info) != "" {
			if same, err := t.is(nodeOf(info), file); err == nil && same {
				return true
			}
		}
		if same, err := t.copied(file); err == nil && same {
			return true
		}
	}
	return false
}
