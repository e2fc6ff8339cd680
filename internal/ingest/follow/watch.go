package follow

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	skipping bool      // within a line that is too long
	strayed  time.Time // when it lost its path
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
	w.index = nil
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
	f.findRotated(w, paths, now)
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
		ident, offset, err := f.opt.Offsets.Offset(ctx, path)
		if err != nil {
			return err
		}
		w.loaded[path] = true
		if ident == "" {
			continue
		}
		m, err := parseMark(ident)
		if err != nil || offset < m.Tail.N {
			f.problem(path, errors.Join(err, errors.New("what was read of it is not known any more: it is read again")))
			continue
		}
		w.files[path] = &tracked{mark: m, offset: offset}
	}
	w.primed = true
	return nil
}

// abandon makes a file stray.
func (w *watch) abandon(t *tracked, now time.Time) {
	if t.Kind == kindUnknown || t.Kind == kindIgnored {
		return
	}
	t.strayed = now
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
		if t := w.files[path]; now.After(until) && (t == nil || now.Sub(t.since) > grace) {
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
	before := w.files[path]
	if t, err = w.identify(path, file, info, f.opt.Now()); err != nil {
		return false, err
	}
	if t != before && t.offset > 0 { // moved or copied: noted under its new name, or a restart would read it again
		if err := f.opt.Offsets.PutOffset(ctx, path, t.mark.String(), t.offset); err != nil {
			return false, err
		}
	}
	if t.size != info.Size() || !t.modified.Equal(info.ModTime()) || t.since.IsZero() {
		t.size, t.modified, t.since, t.done = info.Size(), info.ModTime(), f.opt.Now(), false
	}
	switch t.Kind {
	case kindEVTX:
		return false, f.readLog(ctx, w, path, file, t)
	case kindLines:
		return f.readLines(ctx, w, path, file, t)
	}
	t.done = true
	return false, nil
}

// identify says which file this is: the one that had this path at the last look, one known under another
// path, a copy of one, or a new one.
func (w *watch) identify(path string, file *os.File, info fs.FileInfo, now time.Time) (*tracked, error) {
	node := nodeOf(info)
	t := w.files[path]
	if t != nil && (t.Kind == kindUnknown || t.Kind == kindIgnored) {
		t = nil // it may have become something since
	}
	if t != nil {
		same, err := t.is(node, file)
		if err != nil || same {
			return t, err
		}
		w.abandon(t, now)
	}
	delete(w.files, path)
	fresh := &tracked{mark: mark{Node: node}}
	var err error
	if fresh.Kind, err = sniff(file); err != nil {
		return nil, err
	}
	if err := fresh.renew(file, info.Size(), 0); err != nil {
		return nil, err
	}
	found, err := w.known(fresh, file)
	if err != nil {
		return nil, err
	}
	w.files[path] = found
	return found, nil
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
	if t.Kind != kindLines || t.Head.N < printSize {
		return false, nil
	}
	return t.alike(file, t.offset)
}

// known finds a file that is new at its path among those that are known: itself, moved, or else the original
// that it copies, which stays where it is. If there is none, it is the fresh one.
func (w *watch) known(fresh *tracked, file *os.File) (*tracked, error) {
	if fresh.Kind == kindUnknown || fresh.Kind == kindIgnored {
		return fresh, nil
	}
	if fresh.Node != "" {
		for i, t := range w.stray {
			if same, err := t.is(fresh.Node, file); err != nil {
				return nil, err
			} else if same {
				w.stray = slices.Delete(w.stray, i, i+1)
				return t, nil
			}
		}
		path := w.lookUp().nodes[fresh.Node]
		if t := w.files[path]; t != nil {
			if same, err := t.is(fresh.Node, file); err != nil {
				return nil, err
			} else if same {
				delete(w.files, path)
				return t, nil
			}
		}
	}
	for _, t := range w.lookUp().heads[fresh.Head.Sum] {
		if same, err := t.copied(file); err != nil {
			return nil, err
		} else if same {
			twin := &tracked{mark: t.mark, offset: t.offset}
			twin.Node = fresh.Node
			return twin, nil
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
		if t.Kind == kindLines && t.Head.N == printSize {
			w.index.heads[t.Head.Sum] = append(w.index.heads[t.Head.Sum], t)
		}
	}
	for _, t := range w.stray {
		add(t)
	}
	for _, path := range slices.Sorted(maps.Keys(w.files)) {
		if t := w.files[path]; t.Kind == kindLines || t.Kind == kindEVTX {
			w.index.nodes[t.Node] = path
			add(t)
		}
	}
	return w.index
}

// findRotated looks for strays of a single file beside it, and reads those it finds on for a while: their
// writer may not have turned to the new file yet.
func (f *Follower) findRotated(w *watch, paths []string, now time.Time) {
	if len(w.stray) == 0 {
		return
	}
	if info, err := os.Stat(w.source.Path); err == nil && info.IsDir() {
		return // whatever is in the folder is looked at anyway
	}
	dir := filepath.Dir(w.source.Path)
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer d.Close()
	entries, _ := d.ReadDir(maxSiblings) // as far as it can be read; the rest is not found
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !e.Type().IsRegular() || slices.Contains(paths, path) || path == w.source.Path {
			continue
		}
		if w.isStray(path) {
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

// sniff tells what a file is by its first bytes.
func sniff(file *os.File) (kind, error) {
	buf := make([]byte, printSize)
	n, err := file.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return kindUnknown, err
	}
	return kindOf(buf[:n]), nil
}

const (
	evtxMagic = "ElfFile\x00"
	zeekMagic = "#separator "
	bom       = "\xef\xbb\xbf"
)

func kindOf(head []byte) kind {
	text := string(head)
	if strings.HasPrefix(text, evtxMagic) {
		return kindEVTX
	}
	if strings.HasPrefix(text, zeekMagic) {
		return kindLines
	}
	if strings.HasPrefix(evtxMagic, text) || strings.HasPrefix(zeekMagic, text) || strings.HasPrefix(bom, text) {
		return kindUnknown // too short to tell
	}
	text = strings.TrimLeft(strings.TrimPrefix(text, bom), " \t\r\n")
	switch {
	case text == "":
		return kindUnknown
	case text[0] == '{':
		return kindLines
	}
	return kindIgnored
}
