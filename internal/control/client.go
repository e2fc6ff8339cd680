package control

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"time"

	"shieldwall/internal/status"
)

// maxAnswer is the largest answer a client reads: a dry run repeats what is to be published, in base64.
const maxAnswer = 2 * maxPublish

// Client calls a backend. It is safe for concurrent use.
type Client struct {
	http *http.Client
}

// NewClient makes a client of a handler in this process.
func NewClient(h http.Handler) *Client {
	return &Client{http: &http.Client{Transport: inProcess{h}}}
}

// newSocketClient makes a client of a socket.
func newSocketClient(path string) *Client {
	var d net.Dialer
	return &Client{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
	}}}
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status is Backend.Status.
func (c *Client) Status(ctx context.Context) (status.Node, error) {
	return get[status.Node](ctx, c, "/v1/status")
}

// PageLink is Backend.PageLink.
func (c *Client) PageLink(ctx context.Context) (string, error) {
	return post[string](ctx, c, "/v1/page-link", struct{}{})
}

// Publications is Backend.Publications.
func (c *Client) Publications(ctx context.Context, limit int) ([]status.Publication, error) {
	return get[[]status.Publication](ctx, c, "/v1/publications?limit="+strconv.Itoa(limit))
}

// Profile is Backend.Profile.
func (c *Client) Profile(ctx context.Context, most int) (status.Profile, error) {
	return get[status.Profile](ctx, c, "/v1/profile?most="+strconv.Itoa(most))
}

// Withdraw is Backend.Withdraw.
func (c *Client) Withdraw(ctx context.Context, ids []string) (WithdrawResult, error) {
	return post[WithdrawResult](ctx, c, "/v1/withdraw", ids)
}

// Search is Backend.Search.
func (c *Client) Search(ctx context.Context, req SearchRequest) (status.SearchPage, error) {
	return post[status.SearchPage](ctx, c, "/v1/search", req)
}

// Alliance is Backend.Alliance.
func (c *Client) Alliance(ctx context.Context) (status.Alliance, error) {
	return get[status.Alliance](ctx, c, "/v1/alliance")
}

// AllianceNew is Backend.AllianceNew.
func (c *Client) AllianceNew(ctx context.Context, req AllianceRequest) (status.Alliance, error) {
	return post[status.Alliance](ctx, c, "/v1/alliance/new", req)
}

// AllianceChange is Backend.AllianceChange.
func (c *Client) AllianceChange(ctx context.Context, req RosterChange) (status.Alliance, error) {
	return post[status.Alliance](ctx, c, "/v1/alliance/change", req)
}

// AllianceSign is Backend.AllianceSign.
func (c *Client) AllianceSign(ctx context.Context, id string) (status.Alliance, error) {
	return post[status.Alliance](ctx, c, "/v1/alliance/sign", id)
}

// AllianceDraft is Backend.AllianceDraft.
func (c *Client) AllianceDraft(ctx context.Context, id string) ([]byte, error) {
	return post[[]byte](ctx, c, "/v1/alliance/draft", id)
}

// AllianceAdmit is Backend.AllianceAdmit.
func (c *Client) AllianceAdmit(ctx context.Context, file []byte) (status.Alliance, error) {
	return post[status.Alliance](ctx, c, "/v1/alliance/admit", file)
}

// Invite is Backend.Invite.
func (c *Client) Invite(ctx context.Context, req InviteRequest) (Invitation, error) {
	return post[Invitation](ctx, c, "/v1/alliance/invite", req)
}

// Join is Backend.Join.
func (c *Client) Join(ctx context.Context, token string) (JoinResult, error) {
	return post[JoinResult](ctx, c, "/v1/join", token)
}

// TokenNew is Backend.TokenNew.
func (c *Client) TokenNew(ctx context.Context, req TokenRequest) (Token, error) {
	return post[Token](ctx, c, "/v1/token", req)
}

// Tokens is Backend.Tokens.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	return get[[]Token](ctx, c, "/v1/tokens")
}

// TokenRevoke is Backend.TokenRevoke.
func (c *Client) TokenRevoke(ctx context.Context, name string) (Token, error) {
	return post[Token](ctx, c, "/v1/token/revoke", name)
}

// Mute is Backend.Mute.
func (c *Client) Mute(ctx context.Context, req MuteRequest) (status.Mute, error) {
	return post[status.Mute](ctx, c, "/v1/mute", req)
}

// Unmute is Backend.Unmute.
func (c *Client) Unmute(ctx context.Context, id string) (status.Mute, error) {
	return post[status.Mute](ctx, c, "/v1/unmute", id)
}

// Mutes is Backend.Mutes.
func (c *Client) Mutes(ctx context.Context) ([]status.Mute, error) {
	return get[[]status.Mute](ctx, c, "/v1/mutes")
}

// Publish is Backend.Publish.
func (c *Client) Publish(ctx context.Context, req PublishRequest) (PublishResult, error) {
	body, contentType, err := encodePublish(req)
	if err != nil {
		return PublishResult{}, fmt.Errorf("encoding the request: %w", err)
	}
	return do[PublishResult](ctx, c, http.MethodPost, "/v1/publish", contentType, body)
}

func encodePublish(req PublishRequest) ([]byte, string, error) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	head, err := w.CreateFormField("request")
	if err != nil {
		return nil, "", err
	}
	if err := json.NewEncoder(head).Encode(req); err != nil {
		return nil, "", err
	}
	for _, f := range req.Files {
		part, err := w.CreatePart(textproto.MIMEHeader{fileNameHeader: {strconv.QuoteToASCII(f.Name)}})
		if err != nil {
			return nil, "", err
		}
		if _, err := part.Write(f.Data); err != nil {
			return nil, "", err
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return body.Bytes(), w.FormDataContentType(), nil
}

// Detections yields detections, kept ones first. It returns nil when the stream ends properly, which with
// Follow is when the node stops, and ctx's error when ctx ends.
func (c *Client) Detections(ctx context.Context, q DetectionQuery, yield func(status.Detection) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v := url.Values{"past": {strconv.FormatBool(q.Past)}, "follow": {strconv.FormatBool(q.Follow)}}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.Format(time.RFC3339Nano))
	}
	resp, err := c.send(ctx, http.MethodGet, "/v1/detections?"+v.Encode(), "", nil)
	if err != nil {
		return err
	}
	defer func() {
		cancel() // first: a yield that failed must end the stream
		resp.Body.Close()
	}()
	err = readFrames(resp.Body, yield)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	return do[T](ctx, c, http.MethodGet, path, "", nil)
}

func post[T any](ctx context.Context, c *Client, path string, req any) (T, error) {
	body, err := json.Marshal(req)
	if err != nil {
		var none T
		return none, fmt.Errorf("encoding the request: %w", err)
	}
	return do[T](ctx, c, http.MethodPost, path, "application/json", body)
}

func do[T any](ctx context.Context, c *Client, method, path, contentType string, body []byte) (T, error) {
	var v T
	resp, err := c.send(ctx, method, path, contentType, body)
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(data) > maxAnswer {
		err = fmt.Errorf("larger than %d bytes", maxAnswer)
	}
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		return v, fmt.Errorf("reading the node's answer: %w", err)
	}
	return v, nil
}

// send sends a request; an answer that is no success becomes its error, kind and text kept.
func (c *Client) send(ctx context.Context, method, path, contentType string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://node"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("asking the node: %w", err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, Errorf(Unavailable, "asking the node: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxRequest))
	var e wireError
	if err != nil || json.Unmarshal(data, &e) != nil {
		return nil, fmt.Errorf("the node answered %s without a reason", resp.Status)
	}
	return nil, e.err()
}
