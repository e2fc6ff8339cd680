package control

import (
	"io"
	"net/http"
	"sync"
)

// inProcess carries requests to a handler without a network. The answer streams: the handler runs beside its
// reader, and ends when the request's context does or the reader closes the body. A caller is never left
// with a handler that still runs: RoundTrip returns with the answer's header and Close with its end.
type inProcess struct{ handler http.Handler }

// RoundTrip is http.RoundTripper.
func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	r, w := io.Pipe()
	rw := &pipeWriter{pipe: w, header: http.Header{}, ready: make(chan struct{})}
	// The handler owns its request: net/http's server hands over one of its own, too.
	inner := req.Clone(req.Context())
	inner.RequestURI = req.URL.RequestURI()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if req.Body != nil {
			defer req.Body.Close() // as http.RoundTripper asks
		}
		defer w.Close()
		defer rw.WriteHeader(http.StatusOK)
		t.handler.ServeHTTP(rw, inner)
	}()
	<-rw.ready // a handler ends when its context does
	return &http.Response{
		Status:     http.StatusText(rw.code),
		StatusCode: rw.code,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        rw.sent,
		Body:          &pipeBody{r, done},
		ContentLength: -1,
		Request:       req,
	}, nil
}

// pipeBody is the answer's body.
type pipeBody struct {
	*io.PipeReader
	done <-chan struct{}
}

// Close makes the handler's next write fail and waits for its end.
func (b *pipeBody) Close() error {
	b.PipeReader.Close()
	<-b.done
	return nil
}

// pipeWriter is the ResponseWriter of a request in this process.
type pipeWriter struct {
	pipe   *io.PipeWriter
	header http.Header // the handler's

	once  sync.Once
	ready chan struct{} // closed when code and sent are set
	code  int
	sent  http.Header
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(code int) {
	w.once.Do(func() {
		w.code, w.sent = code, w.header.Clone()
		close(w.ready)
	})
}

func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.pipe.Write(p)
}

// Flush sends the header; a pipe holds nothing back.
func (w *pipeWriter) Flush() { w.WriteHeader(http.StatusOK) }
