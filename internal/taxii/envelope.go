package taxii

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// body reads a posting, bounded as it is sent and once it is decompressed.
func (r *request) body() ([]byte, error) {
	_ = http.NewResponseController(r.w).SetReadDeadline(time.Now().Add(readTimeout))
	defer func() { _ = http.NewResponseController(r.w).SetReadDeadline(time.Time{}) }()
	sent := http.MaxBytesReader(r.w, r.Body, MaxBody)
	var in io.Reader = sent
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(sent)
		if err != nil {
			return nil, r.bodyFault(err)
		}
		defer z.Close()
		in = z
	default:
		return nil, problem(http.StatusUnsupportedMediaType, "Unsupported media type", "Content-Encoding %s is not known: want gzip or none", readable(encoding))
	}
	body, err := io.ReadAll(io.LimitReader(in, MaxBody+1))
	switch {
	case err != nil:
		return nil, r.bodyFault(err)
	case len(body) > MaxBody:
		return nil, tooLarge()
	}
	return body, nil
}

func tooLarge() *Error {
	return problem(http.StatusRequestEntityTooLarge, "Too large", "a body has at most %d bytes, decompressed too", MaxBody)
}

func (r *request) bodyFault(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return tooLarge()
	}
	return badRequest("the body cannot be read: %v", err)
}

// splitEnvelope finds the objects of an envelope (section 3.7) and gives the exact bytes of each, which are slices of
// the body. What they are is judged later, each for itself; an envelope that is none is refused as a whole.
func splitEnvelope(body []byte) ([][]byte, error) {
	s := splitter{body: body, dec: json.NewDecoder(bytes.NewReader(body))}
	err := s.envelope()
	var e *Error
	if err == nil || errors.As(err, &e) {
		return s.objects, err
	}
	return nil, problem(http.StatusUnprocessableEntity, "Unprocessable", "the body is no TAXII envelope: byte %d: %v", s.dec.InputOffset(), err)
}

type splitter struct {
	body    []byte
	dec     *json.Decoder
	objects [][]byte
	scratch json.RawMessage
}

func (s *splitter) envelope() error {
	if err := s.delim('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for s.dec.More() {
		t, err := s.dec.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if seen[name] || len(seen) == maxMembers {
			return fmt.Errorf("%s: given twice, or too many members", readable(name))
		}
		seen[name] = true
		if name == "objects" {
			err = s.list()
		} else {
			_, err = s.value()
		}
		if err != nil {
			return err
		}
	}
	if err := s.delim('}'); err != nil {
		return err
	}
	if _, err := s.dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text after the envelope")
	}
	if len(s.objects) == 0 {
		return errors.New("it has no objects")
	}
	return nil
}

// maxMembers bounds an envelope's members: it has three, and custom ones.
const maxMembers = 100

func (s *splitter) list() error {
	if err := s.delim('['); err != nil {
		return err
	}
	for s.dec.More() {
		if len(s.objects) == maxObjects {
			return problem(http.StatusUnprocessableEntity, "Unprocessable", "more than %d objects: post them in parts", maxObjects)
		}
		raw, err := s.value()
		if err != nil {
			return err
		}
		s.objects = append(s.objects, raw)
	}
	return s.delim(']')
}

// value passes one value and gives its bytes.
func (s *splitter) value() ([]byte, error) {
	s.scratch = s.scratch[:0]
	if err := s.dec.Decode(&s.scratch); err != nil {
		return nil, err
	}
	end := s.dec.InputOffset()
	return s.body[end-int64(len(s.scratch)) : end : end], nil
}

func (s *splitter) delim(want json.Delim) error {
	t, err := s.dec.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && t != want {
		err = fmt.Errorf("want %s", want)
	}
	return err
}
