package jsonl

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of the tree of paths. When it outgrows them it is planted anew, at the start of an event.
const (
	maxPaths     = 1 << 14
	maxPathBytes = 4 << 20
)

// path is a place in an object: the keys that lead there. There is one for each place that occurred,
// however many objects have it, so that what it is called is worked out once.
type path struct {
	key, full string // full has all keys, joined by dots
	parent    *path
	children  map[string]*path
	// first is the key that an object here started with last time, next the one that followed this:
	// objects of one source have their keys in one order, so the guess saves the look-up.
	first, next successor

	object uint64 // the last object that had this key
	epoch  uint64 // the last event with a leaf here
	leaf   int    // and the place of that leaf

	hint  hint
	names [shapes]naming

	// literal: the key is written in JSON as it is, without escapes, so that bytes can be compared.
	literal bool
	// wanted: in some shape, somebody asks for what stands here; as of the scanner's asked.
	wanted bool
	asked  int
}

// successor is what followed a key last, and what did so before: recordings mix events of a few kinds.
type successor [2]*path

// after gives the guesses for the key behind before, or for an object's first one.
func (p *path) after(before *path) *successor {
	if before != nil {
		return &before.next
	}
	return &p.first
}

// pathTree holds all paths.
type pathTree struct {
	root  path
	count int
	bytes int
	// generation counts how often the tree was planted.
	generation int
}

func (t *pathTree) reset() { *t = pathTree{generation: t.generation + 1} }

// trim forgets all paths if there are too many.
func (t *pathTree) trim() {
	if t.count > maxPaths || t.bytes > maxPathBytes {
		t.reset()
	}
}

// child gives the path of a key under at; before is the path of the key before it in this object.
// The key need not stay valid.
func (t *pathTree) child(at, before *path, key string) (*path, error) {
	guess := at.after(before)
	if p := guess[0]; p != nil && p.key == key {
		return p, nil
	}
	p := at.children[key]
	if p == nil {
		var err error
		if p, err = t.add(at, key); err != nil {
			return nil, err
		}
	}
	if p != guess[0] {
		guess[0], guess[1] = p, guess[0]
	}
	return p, nil
}

func (t *pathTree) add(at *path, key string) (*path, error) {
	if len(at.full)+len(key) >= MaxPathBytes {
		return nil, fmt.Errorf("a name of more than %d bytes: %w", MaxPathBytes, ErrLongName)
	}
	p := &path{key: strings.Clone(key), parent: at}
	if p.full = p.key; at.parent != nil && !at.isDocument() {
		p.full = at.full + "." + p.key
	}
	p.hint = hintOf(p.full)
	p.literal = utf8.ValidString(key) && strings.IndexFunc(key, needsEscape) < 0
	if at.children == nil {
		at.children = map[string]*path{}
	}
	at.children[p.key] = p
	t.count++
	t.bytes += len(p.full)
	return p, nil
}

// documentKey is where Elasticsearch and OpenSearch have a document in what they export ("_source" field).
const documentKey = "_source"

// isDocument tells whether a path is that of an exported document, whose members count as the object's own.
func (p *path) isDocument() bool {
	return p.key == documentKey && p.parent != nil && p.parent.parent == nil
}

// needsEscape tells whether a character of a string may only stand in JSON behind a backslash
// (RFC 8259, section 7).
func needsEscape(r rune) bool { return r == '"' || r == '\\' || r < 0x20 }
