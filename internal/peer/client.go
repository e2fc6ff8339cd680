package peer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Client talks to one peer: the first of its endpoints that answers with one of its pinned keys, beginning
// with the one that answered last.
type Client struct {
	http      *http.Client
	endpoints func() []string
	pins      func() []string
	first     atomic.Int64 // number of the endpoint to begin with
}

// NewClient makes a client for a peer. endpoints and pins are asked anew for each connection, so that a
// new card takes effect at once.
func NewClient(cert tls.Certificate, endpoints, pins func() []string, meter *Meter) *Client {
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &Client{
		endpoints: endpoints, pins: pins,
		http: &http.Client{
			Transport: &http.Transport{
				TLSClientConfig: ClientTLS(cert, pins),
				DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
					c, err := dialer.DialContext(ctx, network, addr)
					if err != nil {
						return nil, err
					}
					return &meteredConn{c, meter}, nil
				},
				TLSHandshakeTimeout:    handshakeTimeout,
				ResponseHeaderTimeout:  answerTimeout,
				ForceAttemptHTTP2:      true,
				HTTP2:                  &http.HTTP2Config{SendPingTimeout: healthAfter},
				MaxConnsPerHost:        4,
				IdleConnTimeout:        time.Minute,
				MaxResponseHeaderBytes: 16 << 10,
			},
			// A redirect would lead away from the pinned peer's own paths.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Checkpoint fetches a log's newest signed checkpoint.
func (c *Client) Checkpoint(ctx context.Context, log string) ([]byte, error) {
	return c.get(ctx, "/log/"+log+"/checkpoint", maxCheckpoint)
}

// Resource fetches a tile or an entry bundle by its C2SP path.
func (c *Client) Resource(ctx context.Context, log, path string, max int64) ([]byte, error) {
	return c.get(ctx, "/log/"+log+"/"+path, max)
}

// Roster fetches a roster note by version.
func (c *Client) Roster(ctx context.Context, version uint64) ([]byte, error) {
	return c.get(ctx, "/roster/"+strconv.FormatUint(version, 10), MaxNote)
}

// Card fetches a member's newest card.
func (c *Client) Card(ctx context.Context, member string) ([]byte, error) {
	return c.get(ctx, "/card/"+url.PathEscape(member), MaxPost)
}

// Draft fetches a draft of the next roster.
func (c *Client) Draft(ctx context.Context, hash string) ([]byte, error) {
	return c.get(ctx, "/draft/"+url.PathEscape(hash), MaxNote)
}

// Blob fetches a blob's ciphertext and checks its hash.
func (c *Client) Blob(ctx context.Context, hash []byte) ([]byte, error) {
	data, err := c.get(ctx, "/blob/"+hex.EncodeToString(hash), MaxBlob)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); !bytes.Equal(sum[:], hash) {
		return nil, fmt.Errorf("the peer sent other bytes than blob %x", hash[:8])
	}
	return data, nil
}

// Applied sends a receipt for the peer's own log.
func (c *Client) Applied(ctx context.Context, note []byte) error {
	return c.post(ctx, "/applied", note)
}

// PostCard presents a card.
func (c *Client) PostCard(ctx context.Context, note []byte) error {
	return c.post(ctx, "/card", note)
}

// Handler receives a stream's events, one at a time; an error ends the stream.
type Handler interface {
	Batch(Batch) error
	News(News) error
}

// Stream follows a log from an index on until ctx ends, the peer ends it or it falls silent.
func (c *Client) Stream(ctx context.Context, log string, from uint64, h Handler) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	resp, err := c.do(ctx, http.MethodGet, "/log/"+log+"/stream?from="+strconv.FormatUint(from, 10), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	err = readEvents(listen(resp.Body, cancel), h)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// listener reads what a peer sends and ends the request when it falls silent. The clock runs only while
// something is waited for: the time that this node takes to handle what came is not the peer's.
type listener struct {
	body  io.Reader
	quiet *time.Timer
}

func listen(body io.Reader, cancel context.CancelCauseFunc) *listener {
	quiet := time.AfterFunc(silence, func() { cancel(fmt.Errorf("the peer said nothing for %s", silence)) })
	quiet.Stop()
	return &listener{body, quiet}
}

func (l *listener) Read(p []byte) (int, error) {
	l.quiet.Reset(silence)
	defer l.quiet.Stop()
	return l.body.Read(p)
}

// readEvents parses server-sent events (WHATWG HTML, section 9.2.6), of which this protocol uses one data
// line each.
func readEvents(r io.Reader, h Handler) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4<<10), maxEvent+64)
	event := ""
	for lines.Scan() {
		line := lines.Bytes()
		switch {
		case len(line) == 0:
			event = ""
		case bytes.HasPrefix(line, []byte("event: ")):
			event = string(line[len("event: "):])
		case bytes.HasPrefix(line, []byte("data: ")):
			if err := dispatch(event, line[len("data: "):], h); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the peer's stream: %w", err)
	}
	return errors.New("the peer ended the stream")
}

func dispatch(event string, data []byte, h Handler) error {
	switch event {
	case eventBatch:
		raw := make([]byte, base64.StdEncoding.DecodedLen(len(data)))
		n, err := base64.StdEncoding.Decode(raw, data)
		if err != nil {
			return fmt.Errorf("stream event: %w", err)
		}
		b, err := ParseBatch(raw[:n])
		if err != nil {
			return err
		}
		return h.Batch(b)
	case eventNews:
		var n News
		if err := json.Unmarshal(data, &n); err != nil {
			return fmt.Errorf("stream event: %w", err)
		}
		return h.News(n)
	case eventRefused:
		var msg struct{ Error string }
		if json.Unmarshal(data, &msg) != nil || msg.Error == "" {
			msg.Error = "the peer ended the stream"
		}
		return &Refusal{Status: http.StatusForbidden, Reason: readable(msg.Error)}
	}
	return nil // an event of a later version
}

// get fetches at most max bytes.
func (c *Client) get(ctx context.Context, path string, max int64) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, patience(max))
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(listen(resp.Body, cancel), max+1))
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if int64(len(body)) > max {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, max)
	}
	return body, nil
}

func (c *Client) post(ctx context.Context, path string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := c.do(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, MaxReceipt))
	return err
}

// do sends a request to the first endpoint that can be reached. An answer that is no success is a Refusal.
func (c *Client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	endpoints := c.endpoints()
	if len(endpoints) == 0 {
		return nil, errors.New("the peer's card names no endpoint")
	}
	first := c.first.Load()
	errs := []error{}
	for i := range int64(len(endpoints)) {
		n := (first + i) % int64(len(endpoints))
		resp, err := c.try(ctx, method, strings.TrimSuffix(endpoints[n], "/")+path, body)
		if err == nil {
			c.first.Store(n)
			if resp.StatusCode >= 300 {
				err := refusalOf(resp)
				resp.Body.Close()
				return nil, err
			}
			return resp, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		// Begin elsewhere: an endpoint that eats up the time of a whole request must not hide the others.
		c.first.Store((first + 1) % int64(len(endpoints)))
	}
	return nil, errors.Join(errs...)
}

// try sends a request to one endpoint. A connection may be older than the card in force, so its key is
// compared again.
func (c *Client) try(ctx context.Context, method, url string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	err = errors.New("the answer did not come over TLS")
	if resp.TLS != nil {
		err = checkPin(*resp.TLS, c.pins())
	}
	if err != nil {
		resp.Body.Close()
		c.http.CloseIdleConnections()
		return nil, err
	}
	return resp, nil
}

// Prover makes the proof for a connection's exporter (DESIGN.md, "Invite token").
type Prover func(exporter []byte) ([]byte, error)

// Join asks for membership over a connection of its own, to which the proof is bound.
func Join(ctx context.Context, endpoint string, cert tls.Certificate, pins []string, req JoinRequest, prove Prover) (Joined, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return Joined{}, fmt.Errorf("endpoint %q is no https address", endpoint)
	}
	cfg := ClientTLS(cert, func() []string { return pins })
	cfg.NextProtos = []string{"http/1.1"}
	conn, err := (&tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout + handshakeTimeout}, Config: cfg}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return Joined{}, err
	}
	defer conn.Close()
	cs := conn.(*tls.Conn).ConnectionState()
	exporter, err := cs.ExportKeyingMaterial(ExporterLabel, nil, exporterSize)
	if err != nil {
		return Joined{}, err
	}
	if req.Proof, err = prove(exporter); err != nil {
		return Joined{}, err
	}
	return postJoin(ctx, conn, u, req)
}

func postJoin(ctx context.Context, conn net.Conn, u *url.URL, req JoinRequest) (Joined, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return Joined{}, err
	}
	used := false
	client := &http.Client{Timeout: requestTimeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			if used {
				return nil, errors.New("the connection that the proof is bound to has ended")
			}
			used = true
			return conn, nil
		},
	}}
	hr, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath("/join").String(), bytes.NewReader(body))
	if err != nil {
		return Joined{}, err
	}
	resp, err := client.Do(hr)
	if err != nil {
		return Joined{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Joined{}, refusalOf(resp)
	}
	var joined Joined
	if err := json.NewDecoder(io.LimitReader(resp.Body, MaxJoined)).Decode(&joined); err != nil {
		return Joined{}, fmt.Errorf("reading the answer to the join: %w", err)
	}
	return joined, nil
}
