package container

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// limited passes on unpacked bytes until a limit is met.
type limited struct {
	r      io.Reader
	member int64 // what this member may still give
	w      *walker
}

func (w *walker) limit(r io.Reader) io.Reader { return &limited{r: r, member: w.opts.MaxMember, w: w} }

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.member -= int64(n)
	l.w.total -= int64(n)
	if l.member < 0 {
		return 0, fmt.Errorf("unpacks to more than %d bytes: %w", l.w.opts.MaxMember, ErrTooLarge)
	}
	if l.w.total < 0 {
		return 0, fmt.Errorf("the file unpacks to more than %d bytes: %w", l.w.opts.MaxTotal, ErrTooLarge)
	}
	return n, err
}

// unpack opens a compressed stream. It keeps its name: a compressed file has one content.
func (w *walker) unpack(c content, f form, depth int) error {
	var r io.Reader
	switch f {
	case gzipForm:
		g, err := gzip.NewReader(c.r)
		if err != nil {
			return w.fail(c.name, fmt.Errorf("gzip: %w", err))
		}
		r = g
	case zstdForm:
		z, err := newZstd(c.r)
		if err != nil {
			return w.fail(c.name, fmt.Errorf("zstd: %w", err))
		}
		defer z.Close()
		r = z
	}
	return w.open(content{name: c.name, r: w.limit(r), size: -1}, depth, true)
}

func newZstd(r io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
}

// member counts a member; too many end the archive.
func (w *walker) member() error {
	if w.members--; w.members < 0 {
		return fmt.Errorf("more than %d members: %w", w.opts.MaxMembers, ErrTooLarge)
	}
	return nil
}

// tail counts the zero bytes that a stream ended with so far.
type tail struct {
	r     io.Reader
	zeros int
}

func (t *tail) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if rest := bytes.TrimRight(p[:n], "\x00"); len(rest) > 0 {
		t.zeros = n - len(rest)
	} else {
		t.zeros += n
	}
	return n, err
}

// tarEnd is what a tar archive ends with: two blocks of zeros (POSIX.1-2017 pax, "ustar Interchange
// Format"). The tar package does not tell their absence, which is all that a cut between members shows.
const tarEnd = 1024

// tar visits the members of a tar archive, in its order.
func (w *walker) tar(c content, depth int) error {
	in := &tail{r: c.r}
	t := tar.NewReader(in)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			if in.zeros < tarEnd {
				return w.fail(c.name, fmt.Errorf("tar without its end: %w", io.ErrUnexpectedEOF))
			}
			return nil
		}
		if err == nil || errors.Is(err, tar.ErrInsecurePath) { // names are only shown
			err = w.member()
		}
		if err != nil {
			return w.fail(c.name, fmt.Errorf("tar: %w", err))
		}
		if h.Typeflag != tar.TypeReg || inLitter(h.Name) {
			continue
		}
		if err := w.open(content{name: c.name + "!" + h.Name, r: w.limit(t), size: h.Size}, depth, false); err != nil {
			return err
		}
	}
}

// zip visits the members of a zip archive, in the order of its directory.
func (w *walker) zip(c content, depth int) error {
	at, size, err := c.random(w.opts.MaxBuffer)
	if err != nil {
		return w.fail(c.name, fmt.Errorf("zip: %w", err))
	}
	directory := &budget{at: at, left: maxDirectory}
	z, err := zip.NewReader(directory, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return w.fail(c.name, fmt.Errorf("zip: %w", err))
	}
	directory.left = -1
	z.RegisterDecompressor(zip.Deflate, flate.NewReader)
	z.RegisterDecompressor(zstd.ZipMethodWinZip, zstd.ZipDecompressor(zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow)))
	for _, f := range z.File {
		if err := w.member(); err != nil {
			return w.fail(c.name, fmt.Errorf("zip: %w", err))
		}
		if !f.Mode().IsRegular() || inLitter(f.Name) {
			continue
		}
		if err := w.zipMember(c.name+"!"+f.Name, f, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) zipMember(source string, f *zip.File, depth int) error {
	const encrypted = 1 // APPNOTE.TXT 4.4.4, general purpose bit 0
	if f.Flags&encrypted != 0 {
		return w.fail(source, ErrEncrypted)
	}
	r, err := f.Open()
	if err != nil {
		return w.fail(source, fmt.Errorf("zip: %w", err))
	}
	defer r.Close()
	return w.open(content{name: source, r: w.limit(r), size: int64(f.UncompressedSize64)}, depth, false)
}

// budget fails reads after so many bytes; a negative budget is none.
type budget struct {
	at   io.ReaderAt
	left int64
}

func (b *budget) ReadAt(p []byte, off int64) (int, error) {
	if b.left >= 0 {
		if b.left -= int64(len(p)); b.left < 0 {
			return 0, fmt.Errorf("a directory of more than %d bytes: %w", maxDirectory, ErrTooLarge)
		}
	}
	return b.at.ReadAt(p, off)
}

// firstGrowth is how much room a member gets on its archive's word for its size.
const firstGrowth = 16 << 20

// inMemory reads a member whose archive claims a size, or -1. With an error it gives what came before.
func inMemory(r io.Reader, limit, claimed int64) ([]byte, error) {
	var b bytes.Buffer
	if claimed > 0 {
		b.Grow(int(min(claimed, firstGrowth)) + bytes.MinRead)
	}
	_, err := b.ReadFrom(io.LimitReader(r, limit))
	if err != nil {
		return b.Bytes(), fmt.Errorf("reading into memory: %w", err)
	}
	if claimed > limit {
		return b.Bytes(), fmt.Errorf("%d bytes do not fit into memory, only the first %d are read: %w", claimed, limit, ErrTooLarge)
	}
	if n, err := io.ReadFull(r, make([]byte, 1)); n > 0 {
		return b.Bytes(), fmt.Errorf("only the first %d bytes are read, for more do not fit into memory: %w", limit, ErrTooLarge)
	} else if !errors.Is(err, io.EOF) {
		return b.Bytes(), fmt.Errorf("reading into memory: %w", err)
	}
	return b.Bytes(), nil
}
