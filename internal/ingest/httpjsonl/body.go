package httpjsonl

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds the memory that a zstd body may ask for, in bytes.
const maxWindow = 8 << 20

var (
	// errContent says that a body is over the limit once it is decompressed.
	errContent = errors.New("decompressed body over the limit")
	// errCut says that a compressed body ends early. It is no io.ErrUnexpectedEOF, which readers of text take
	// for an ordinary end where little was read.
	errCut = errors.New("compressed body cut off")
)

// body opens a request's body: bounded as it is sent, decompressed, bounded again.
func (h *Handler) body(w http.ResponseWriter, r *http.Request) (io.ReadCloser, error) {
	sent := http.MaxBytesReader(w, r.Body, h.opt.MaxBody)
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return sent, nil
	case "gzip", "x-gzip":
		return &content{open: func() (io.ReadCloser, error) { return gzip.NewReader(sent) }, left: h.opt.MaxContent}, nil
	case "zstd":
		return &content{open: func() (io.ReadCloser, error) {
			d, err := zstd.NewReader(sent, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
			if err != nil {
				return nil, err
			}
			return d.IOReadCloser(), nil
		}, left: h.opt.MaxContent}, nil
	default:
		return nil, fmt.Errorf("Content-Encoding %q is not known: want gzip, zstd or none", encoding[:min(len(encoding), 40)])
	}
}

// content decompresses. It opens at the first Read, because reading the header of a compressed body reads
// from the network.
type content struct {
	open func() (io.ReadCloser, error)
	in   io.ReadCloser
	left int64
}

func (c *content) Read(p []byte) (int, error) {
	if c.in == nil {
		in, err := c.open()
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errCut
			}
			return 0, err
		}
		c.in = in
	}
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.in.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, errContent
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errCut
	}
	return n, err
}

func (c *content) Close() error {
	if c.in == nil {
		return nil
	}
	return c.in.Close()
}
