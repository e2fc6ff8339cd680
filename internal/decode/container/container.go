// Package container finds telemetry: it walks file systems, opens archives without unpacking them to disk,
// and tells by content what each file is. It knows formats by their first bytes only; what decodes
// them is the caller's choice.
//
// Archives are zip and tar, compression is gzip and zstd; they nest, at most MaxNesting deep. What is
// inside is named "archive!member". A problem is the item's own (Item.Err) and never ends a walk.
package container

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
)

// Default limits, all against archives that are small and unpack to much.
const (
	// MaxNesting is how many archives may be inside one another; a compressed tar is one, a compressed
	// file too.
	MaxNesting = 2
	// DefaultMaxBuffer is how much of a member is held in memory for readers that need random access.
	DefaultMaxBuffer = 512 << 20
	// DefaultMaxMember is how much one member may unpack to.
	DefaultMaxMember = 16 << 30
	// DefaultMaxTotal is how much one file may unpack to, all its members and levels together.
	DefaultMaxTotal = 64 << 30
	// DefaultMaxMembers is how many members one file may have, all levels together.
	DefaultMaxMembers = 1 << 20
	// maxDirectory is how much of a zip archive is read for its table of contents, and about a tenth of
	// what the table takes in memory.
	maxDirectory = 16 << 20
	// maxZstdWindow is the memory a zstd stream may ask for.
	maxZstdWindow = 128 << 20
)

// Errors that Item.Err, or a read of its content, may wrap.
var (
	// ErrNested says that archives nest too deep.
	ErrNested = errors.New("archives nest too deep")
	// ErrTooLarge says that content exceeds a limit.
	ErrTooLarge = errors.New("over a limit")
	// ErrForeign says that an archive is of a kind that is not opened.
	ErrForeign = errors.New("archives of this kind are not opened")
	// ErrLink says that a file is a link, which is not followed.
	ErrLink = errors.New("a symbolic link, not followed")
	// ErrEncrypted says that a member needs a password.
	ErrEncrypted = errors.New("encrypted")
)

// Kind is what an item is.
type Kind uint8

const (
	// Unknown is no telemetry: text, rules, pictures, nothing at all.
	Unknown Kind = iota
	// EVTX is a Windows event log.
	EVTX
	// JSON is a stream of JSON values, in UTF-8 or with a byte order mark in UTF-16.
	JSON
	// Zeek is a log of Zeek's in tab-separated values.
	Zeek
	// Audit is the log of the Linux audit daemon.
	Audit
	// Syslog is lines of RFC 3164 or RFC 5424, or as rsyslog writes them to files.
	Syslog
	// XML is events of Windows or Sysmon as XML.
	XML
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case EVTX:
		return "EVTX"
	case JSON:
		return "JSON"
	case Zeek:
		return "Zeek TSV"
	case Audit:
		return "audit"
	case Syslog:
		return "syslog"
	case XML:
		return "XML"
	}
	return "unknown"
}

// Options say how to walk. Limits that are 0 have their default, in bytes.
type Options struct {
	MaxBuffer, MaxMember, MaxTotal int64
	MaxMembers                     int
}

// Item is one file or member. It is valid until the visit returns.
type Item struct {
	// Source is the path as it was given, with "!member" for what is in an archive.
	Source string
	Kind   Kind
	// Size of the content in bytes, as the archive claims; -1 where that is not known.
	Size int64
	// Err says why there is no content. For an archive it says why the rest of it was left out.
	Err error

	c         content
	maxBuffer int64
}

// content is read in order, or anywhere if at is set.
type content struct {
	name string
	r    io.Reader
	at   io.ReaderAt
	size int64 // -1: not known
}

// Reader gives the content from its start. Call it, or ReaderAt, once.
func (i *Item) Reader() io.Reader {
	if i.Err != nil {
		return failing{i.Err}
	}
	return i.c.r
}

// ReaderAt gives the content for random access, and its size. A member of an archive is read into
// memory for it, up to Options.MaxBuffer. Where that ends early, what was read is given beside the error.
func (i *Item) ReaderAt() (io.ReaderAt, int64, error) {
	if i.Err != nil {
		return nil, 0, i.Err
	}
	return i.c.random(i.maxBuffer)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Visit takes one item. An error ends the walk.
type Visit func(*Item) error

// Walk visits the files of a file system in lexical order; sources are prefix and path. Symbolic links are told
// with ErrLink and special files left out, so that nothing outside is reached and nothing is read twice: a folder
// of the operating system that others may write to is best given as os.Root.FS. The error is the visit's.
func Walk(fsys fs.FS, prefix string, opts Options, visit Visit) error {
	return Files(fsys, func(name string, err error) error {
		source := path.Join(prefix, name)
		if err != nil {
			return visit(&Item{Source: source, Size: -1, Err: err})
		}
		f, err := fsys.Open(name)
		if err != nil {
			return visit(&Item{Source: source, Size: -1, Err: err})
		}
		defer f.Close()
		return File(source, f, opts, visit)
	})
}

// Files names the files that Walk would visit, with the reason links (ErrLink) and folders that cannot be read: of
// those, what could be read follows. The error is each's.
func Files(fsys fs.FS, each func(name string, err error) error) error {
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return each(name, err)
		case d.IsDir() && d.Name() == litterFolder:
			return fs.SkipDir
		case d.Type()&fs.ModeSymlink != 0:
			return each(name, ErrLink)
		case !d.Type().IsRegular():
			return nil
		}
		return each(name, nil)
	})
}

// File visits an open file: itself, or the members of an archive. The caller closes it.
func File(source string, f fs.File, opts Options, visit Visit) error {
	info, err := f.Stat()
	if err != nil {
		return visit(&Item{Source: source, Size: -1, Err: err})
	}
	c := content{name: source, r: f, size: -1}
	if info.Mode().IsRegular() {
		c.size = info.Size()
		if at, ok := f.(io.ReaderAt); ok {
			c.at, c.r = at, io.NewSectionReader(at, 0, c.size)
		}
	}
	return newWalker(opts, visit).open(c, 0, false)
}

// Stream visits what comes from a reader: itself, or the members of an archive.
func Stream(source string, r io.Reader, opts Options, visit Visit) error {
	return newWalker(opts, visit).open(content{name: source, r: r, size: -1}, 0, false)
}

// walker goes through one file and what is in it.
type walker struct {
	opts    Options
	visit   Visit
	total   int64 // how much may still be unpacked
	members int   // how many members may still come
}

func newWalker(opts Options, visit Visit) *walker {
	if opts.MaxBuffer <= 0 {
		opts.MaxBuffer = DefaultMaxBuffer
	}
	if opts.MaxMember <= 0 {
		opts.MaxMember = DefaultMaxMember
	}
	if opts.MaxTotal <= 0 {
		opts.MaxTotal = DefaultMaxTotal
	}
	if opts.MaxMembers <= 0 {
		opts.MaxMembers = DefaultMaxMembers
	}
	return &walker{opts: opts, visit: visit, total: opts.MaxTotal, members: opts.MaxMembers}
}

func (w *walker) fail(source string, err error) error {
	return w.visit(&Item{Source: source, Size: -1, Err: err})
}

// open looks at content and visits it, or what is in it. depth counts the archives around it;
// compressed tells that the innermost is a compression, in which a tar does not count again.
func (w *walker) open(c content, depth int, compressed bool) error {
	buffered := bufio.NewReaderSize(c.r, readSize)
	head, err := buffered.Peek(SniffSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return w.fail(c.name, fmt.Errorf("reading: %w", err))
	}
	c.r = buffered
	form := formOf(head)
	if form == plain {
		if isLitter(c.name, head) {
			return nil
		}
		if name := foreignForm(head); name != "" {
			return w.fail(c.name, fmt.Errorf("%s: %w", name, ErrForeign))
		}
		return w.visit(&Item{Source: c.name, Kind: KindOf(head), Size: c.size, c: c, maxBuffer: w.opts.MaxBuffer})
	}
	if form == tarForm && compressed {
		return w.tar(c, depth)
	}
	if depth >= MaxNesting {
		return w.fail(c.name, fmt.Errorf("%s, %d levels: %w", form, depth+1, ErrNested))
	}
	switch form {
	case zipForm:
		return w.zip(c, depth+1)
	case tarForm:
		return w.tar(c, depth+1)
	}
	return w.unpack(c, form, depth+1)
}

// readSize is the buffer before each decoder.
const readSize = 64 << 10

// random gives the content for random access.
func (c content) random(limit int64) (io.ReaderAt, int64, error) {
	if c.at != nil {
		return c.at, c.size, nil
	}
	b, err := inMemory(c.r, limit, c.size)
	return bytes.NewReader(b), int64(len(b)), err
}
