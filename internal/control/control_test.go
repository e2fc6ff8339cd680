package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/status"
)

// fake is a backend that remembers what it was asked and answers from its fields.
type fake struct {
	err  error
	past []status.Detection
	live chan status.Detection

	published PublishRequest
	since     time.Time
	joined    string
	invited   InviteRequest
	named     AllianceRequest
	muting    MuteRequest
	tokened   TokenRequest
	changed   RosterChange
	withdrawn []string
	limit     int
}

func (f *fake) Status(context.Context) (status.Node, error) {
	return status.Node{Member: "a", Warnings: []string{"w"}, Alliance: status.Alliance{Name: "x"}}, f.err
}

func (f *fake) PageLink(context.Context) (string, error) {
	return "http://127.0.0.1:1/open?k=secret", f.err
}

func (f *fake) Publications(_ context.Context, limit int) ([]status.Publication, error) {
	f.limit = limit
	return []status.Publication{{Index: 7, P50: 1.5}}, f.err
}

func (f *fake) Profile(_ context.Context, most int) (status.Profile, error) {
	f.limit = most
	return status.Profile{Measured: 7, Rules: []status.RuleCost{{RuleID: "r", Why: []string{"is"}}}}, f.err
}

func (f *fake) Publish(_ context.Context, req PublishRequest) (PublishResult, error) {
	f.published = req
	return PublishResult{DryRun: req.DryRun, Entries: []PublishedEntry{{Payload: []byte{0, 255, 10}, Readers: []string{"b"}}}}, f.err
}

func (f *fake) Withdraw(_ context.Context, ids []string) (WithdrawResult, error) {
	f.withdrawn = ids
	return WithdrawResult{Withdrawn: ids, Entries: []uint64{3}}, f.err
}

func (f *fake) Alliance(context.Context) (status.Alliance, error) {
	return status.Alliance{Name: "x"}, f.err
}

func (f *fake) AllianceNew(_ context.Context, req AllianceRequest) (status.Alliance, error) {
	f.named = req
	return status.Alliance{Name: req.Name, Groups: req.Groups}, f.err
}

func (f *fake) AllianceChange(_ context.Context, c RosterChange) (status.Alliance, error) {
	f.changed = c
	return status.Alliance{Version: 2}, f.err
}

func (f *fake) AllianceSign(_ context.Context, id string) (status.Alliance, error) {
	return status.Alliance{Drafts: []status.Draft{{ID: id}}}, f.err
}

func (f *fake) AllianceDraft(_ context.Context, id string) ([]byte, error) {
	return []byte("draft " + id + "\xff"), f.err
}

func (f *fake) AllianceAdmit(_ context.Context, file []byte) (status.Alliance, error) {
	return status.Alliance{Name: string(file)}, f.err
}

func (f *fake) Invite(_ context.Context, req InviteRequest) (Invitation, error) {
	f.invited = req
	return Invitation{Token: "swt1.x", Name: req.Name}, f.err
}

func (f *fake) Join(_ context.Context, token string) (JoinResult, error) {
	f.joined = token
	return JoinResult{Member: "b"}, f.err
}

func (f *fake) TokenNew(_ context.Context, req TokenRequest) (Token, error) {
	f.tokened = req
	return Token{Token: "t", Scope: strings.Join(req.Scopes, " ")}, f.err
}

func (f *fake) Tokens(context.Context) ([]Token, error) { return []Token{{Name: "n"}}, f.err }

func (f *fake) TokenRevoke(_ context.Context, name string) (Token, error) {
	return Token{Name: name}, f.err
}

func (f *fake) Mute(_ context.Context, req MuteRequest) (status.Mute, error) {
	f.muting = req
	return status.Mute{ID: "1", Rule: req.Rule}, f.err
}

func (f *fake) Unmute(_ context.Context, id string) (status.Mute, error) {
	return status.Mute{ID: id}, f.err
}

func (f *fake) Search(_ context.Context, r SearchRequest) (status.SearchPage, error) {
	return status.SearchPage{Hits: []status.Hit{{Name: r.Query}}, Next: r.Cursor}, f.err
}

func (f *fake) Mutes(context.Context) ([]status.Mute, error) {
	return []status.Mute{{ID: "1"}, {ID: "2"}}, f.err
}

func (f *fake) DetectionsSince(_ context.Context, since time.Time, yield func(status.Detection) error) error {
	f.since = since
	for _, d := range f.past {
		if err := yield(d); err != nil {
			return err
		}
	}
	return f.err
}

func (f *fake) Follow(ctx context.Context) <-chan status.Detection { return f.live }

// ways are the two ways to a backend; every behaviour is held on both.
func ways(t *testing.T, b Backend, test func(t *testing.T, c *Client)) {
	t.Helper()
	t.Run("in process", func(t *testing.T) { test(t, NewClient(Handler(b))) })
	t.Run("over the socket", func(t *testing.T) {
		data := t.TempDir()
		l, err := Listen(data)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- Serve(ctx, l, b) }()
		c, err := Dial(data)
		if err != nil {
			t.Fatal(err)
		}
		test(t, c)
		c.Close()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := Dial(data); !errors.Is(err, ErrNoNode) {
			t.Errorf("after the end Dial gave %v", err)
		}
	})
}

func TestCalls(t *testing.T) {
	f := &fake{}
	ctx := context.Background()
	ways(t, f, func(t *testing.T, c *Client) {
		if n, err := c.Status(ctx); err != nil || n.Member != "a" || n.Alliance.Name != "x" || n.Warnings[0] != "w" {
			t.Errorf("status: %+v, %v", n, err)
		}
		if p, err := c.Publications(ctx, 5); err != nil || p[0].P50 != 1.5 || f.limit != 5 {
			t.Errorf("publications: %+v, %v", p, err)
		}
		if p, err := c.Profile(ctx, 6); err != nil || p.Measured != 7 || p.Rules[0].Why[0] != "is" || f.limit != 6 {
			t.Errorf("profile: %+v, %v", p, err)
		}
		if _, err := c.Profile(ctx, maxList+1); KindOf(err) != Usage {
			t.Errorf("a profile of too many rules: %v", err)
		}
		if r, err := c.Withdraw(ctx, []string{"x", "y"}); err != nil || r.Entries[0] != 3 || len(f.withdrawn) != 2 {
			t.Errorf("withdraw: %+v, %v", r, err)
		}
		if a, err := c.Alliance(ctx); err != nil || a.Name != "x" {
			t.Errorf("alliance: %+v, %v", a, err)
		}
		if a, err := c.AllianceNew(ctx, AllianceRequest{Name: "n", Groups: []string{"g"}, In: []string{"g"}}); err != nil || a.Groups[0] != "g" || f.named.Name != "n" {
			t.Errorf("alliance new: %+v, %v", a, err)
		}
		yes := true
		asked := RosterChange{Remove: []string{"m"}, Members: map[string]MemberChange{"n": {Suspended: &yes}}}
		if a, err := c.AllianceChange(ctx, asked); err != nil || a.Version != 2 || !reflect.DeepEqual(f.changed, asked) {
			t.Errorf("alliance change: %+v, %v", a, err)
		}
		if a, err := c.AllianceSign(ctx, "d"); err != nil || a.Drafts[0].ID != "d" {
			t.Errorf("alliance sign: %+v, %v", a, err)
		}
		if b, err := c.AllianceDraft(ctx, "d"); err != nil || string(b) != "draft d\xff" {
			t.Errorf("alliance draft: %q, %v", b, err)
		}
		if a, err := c.AllianceAdmit(ctx, []byte("file")); err != nil || a.Name != "file" {
			t.Errorf("alliance admit: %+v, %v", a, err)
		}
		if i, err := c.Invite(ctx, InviteRequest{"n", []string{"g"}, time.Hour}); err != nil || i.Token != "swt1.x" || f.invited.Expires != time.Hour {
			t.Errorf("invite: %+v, %v", i, err)
		}
		if j, err := c.Join(ctx, "tok"); err != nil || j.Member != "b" || f.joined != "tok" {
			t.Errorf("join: %+v, %v", j, err)
		}
		want := MuteRequest{Rule: "r", Publisher: "p", Host: "h", Reason: "why", For: time.Hour}
		if m, err := c.Mute(ctx, want); err != nil || m.Rule != "r" || f.muting != want {
			t.Errorf("mute: %+v, %v, asked %+v", m, err, f.muting)
		}
		if m, err := c.Unmute(ctx, "7"); err != nil || m.ID != "7" {
			t.Errorf("unmute: %+v, %v", m, err)
		}
		if p, err := c.Search(ctx, SearchRequest{Query: "type:indicator", Cursor: "x", Limit: 3}); err != nil || p.Hits[0].Name != "type:indicator" || p.Next != "x" {
			t.Errorf("search: %+v %v", p, err)
		}
		if list, err := c.Mutes(ctx); err != nil || len(list) != 2 {
			t.Errorf("mutes: %+v, %v", list, err)
		}
		if list, err := c.Tokens(ctx); err != nil || len(list) != 1 || list[0].Name != "n" {
			t.Error(list, err)
		}
		if tok, err := c.TokenRevoke(ctx, "gone"); err != nil || tok.Name != "gone" {
			t.Error(tok, err)
		}
		if tok, err := c.TokenNew(ctx, TokenRequest{Name: "n", Scopes: []string{"ingest"}}); err != nil || tok.Scope != "ingest" || f.tokened.Name != "n" {
			t.Errorf("token: %+v, %v", tok, err)
		}
	})
}

// Files arrive as they are, whatever their bytes and names.
func TestPublishKeepsBytesAndNames(t *testing.T) {
	f := &fake{}
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	req := PublishRequest{TLP: "amber", To: []string{"states"}, DryRun: true, Files: []File{
		{"dir/a rule.yml", []byte("title: x\r\n--boundary\r\n")}, {"żółw\n\"\x1b.json", every}, {"empty", []byte{}}, {"", []byte("nameless")},
	}}
	ways(t, f, func(t *testing.T, c *Client) {
		r, err := c.Publish(context.Background(), req)
		if err != nil || !bytes.Equal(r.Entries[0].Payload, []byte{0, 255, 10}) || !r.DryRun {
			t.Errorf("got %+v, %v", r, err)
		}
		if !reflect.DeepEqual(f.published, req) {
			t.Errorf("got %+v, want %+v", f.published, req)
		}
	})
}

func TestErrorsKeepKindAndText(t *testing.T) {
	for _, tt := range []struct {
		err  error
		kind Kind
	}{
		{Errorf(Usage, "no such\ngroup %q", "x"), Usage},
		{fmt.Errorf("publishing: %w", Errorf(Refused, "no marking")), Refused},
		{fmt.Errorf("entry 7: %w", fs.ErrNotExist), NotFound},
		{Errorf(Unavailable, "the disk is full"), Unavailable},
		{errors.New("a bug"), Failed},
		{&Error{Kind: "of tomorrow", err: errors.New("odd")}, Failed},
	} {
		f := &fake{err: tt.err}
		ways(t, f, func(t *testing.T, c *Client) {
			_, err := c.Status(context.Background())
			if err == nil || err.Error() != tt.err.Error() || KindOf(err) != tt.kind {
				t.Errorf("got %q of kind %q, want %q of kind %q", err, KindOf(err), tt.err, tt.kind)
			}
			err = c.Detections(context.Background(), DetectionQuery{Past: true}, func(status.Detection) error { return nil })
			if err == nil || err.Error() != tt.err.Error() || KindOf(err) != tt.kind {
				t.Errorf("stream: got %q of kind %q, want %q of kind %q", err, KindOf(err), tt.err, tt.kind)
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	h := Handler(&fake{})
	multi := func(body string) *http.Request {
		r := httptest.NewRequest("POST", "/v1/publish", strings.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		return r
	}
	for _, tt := range []struct {
		name string
		req  *http.Request
		code int
		want string
	}{
		{"unknown path", httptest.NewRequest("GET", "/v1/tomorrow", nil), 404, "another version"},
		{"wrong method", httptest.NewRequest("DELETE", "/v1/status", nil), 404, "another version"},
		{"no JSON", httptest.NewRequest("POST", "/v1/join", strings.NewReader("x")), 400, "reading the request"},
		{"nothing", httptest.NewRequest("POST", "/v1/join", nil), 400, "reading the request"},
		{"unknown field", httptest.NewRequest("POST", "/v1/token", strings.NewReader(`{"nme":"x"}`)), 400, "nme"},
		{"two values", httptest.NewRequest("POST", "/v1/join", strings.NewReader(`"a" "b"`)), 400, "bytes after"},
		{"too large", httptest.NewRequest("POST", "/v1/join", strings.NewReader(`"`+strings.Repeat("a", maxRequest)+`"`)), 400, "too large"},
		{"limit zero", httptest.NewRequest("GET", "/v1/publications?limit=0", nil), 400, "limit"},
		{"limit huge", httptest.NewRequest("GET", "/v1/publications?limit=99999999", nil), 400, "limit"},
		{"bad since", httptest.NewRequest("GET", "/v1/detections?since=yesterday", nil), 400, "since"},
		{"publish without parts", httptest.NewRequest("POST", "/v1/publish", strings.NewReader("{}")), 400, "reading the request"},
		{"publish of nothing", multi("--b--\r\n"), 400, "reading the request"},
		{"publish cut", multi("--b\r\n\r\n{}\r\n--b\r\n\r\nabc"), 400, "reading the request"},
		{"publish with a nameless file", multi("--b\r\n\r\n{}\r\n--b\r\n\r\nabc\r\n--b--\r\n"), 400, "without a name"},
		{"publish with a typo", multi("--b\r\n\r\n{\"tpl\":1}\r\n--b--\r\n"), 400, "tpl"},
		{"publish with too many files", multi("--b\r\n\r\n{}\r\n" + strings.Repeat("--b\r\nShieldwall-File: \"f\"\r\n\r\n\r\n", maxPublishFiles+1) + "--b--\r\n"), 400, "more than 20000 files"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, tt.req)
			if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("got %d %s, want %d with %q", w.Code, w.Body, tt.code, tt.want)
			}
		})
	}
}

func detection(n int) status.Detection {
	return status.Detection{RuleID: fmt.Sprint(n), Tags: []string{}, Fields: map[string]string{"CommandLine": "a\x1b\nb"}}
}

func TestPastDetections(t *testing.T) {
	f := &fake{past: []status.Detection{detection(1), detection(2), detection(3)}}
	since := time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC)
	ways(t, f, func(t *testing.T, c *Client) {
		var got []status.Detection
		err := c.Detections(context.Background(), DetectionQuery{Past: true, Since: since}, func(d status.Detection) error {
			got = append(got, d)
			return nil
		})
		if err != nil || !reflect.DeepEqual(got, f.past) || !f.since.Equal(since) {
			t.Errorf("got %+v, %v; since %v", got, err, f.since)
		}
		stop := errors.New("enough")
		n := 0
		err = c.Detections(context.Background(), DetectionQuery{Past: true}, func(status.Detection) error {
			n++
			return stop
		})
		if !errors.Is(err, stop) || n != 1 {
			t.Errorf("a reader that had enough got %v after %d", err, n)
		}
		if !f.since.IsZero() {
			t.Errorf("no since gave %v", f.since)
		}
	})
}

// A detection that is kept and announced at the same moment is shown once; one that happens twice is shown twice.
func TestFollowShowsEachOnce(t *testing.T) {
	f := &fake{past: []status.Detection{detection(1), detection(2)}}
	ways(t, f, func(t *testing.T, c *Client) {
		f.live = make(chan status.Detection, 8)
		f.live <- detection(2)
		f.live <- detection(3)
		f.live <- detection(3)
		f.live <- detection(2)
		close(f.live)
		var ids []string
		err := c.Detections(context.Background(), DetectionQuery{Past: true, Follow: true}, func(d status.Detection) error {
			ids = append(ids, d.RuleID)
			return nil
		})
		if want := []string{"1", "2", "3", "3", "2"}; err != nil || !reflect.DeepEqual(ids, want) {
			t.Errorf("got %v, %v; want %v", ids, err, want)
		}
	})
}

func TestFollowIsLiveAndEndsWithItsReader(t *testing.T) {
	f := &fake{}
	ways(t, f, func(t *testing.T, c *Client) {
		f.live = make(chan status.Detection)
		ctx, cancel := context.WithCancel(context.Background())
		go func() { f.live <- detection(1) }()
		err := c.Detections(ctx, DetectionQuery{Follow: true}, func(d status.Detection) error {
			cancel() // after the first, which arrived though the stream had not ended
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// A stream that is cut is an error, never a short list.
func TestCutStream(t *testing.T) {
	for _, body := range []string{"", `{"detection":{"rule_id":"1"}}` + "\n", `{"detection":{"ru`, "\n\n", "{}\n"} {
		err := readFrames(strings.NewReader(body), func(status.Detection) error { return nil })
		if err == nil {
			t.Errorf("%q passed for a whole stream", body)
		}
	}
}

func TestServeEndsWithOpenStreams(t *testing.T) {
	f := &fake{live: make(chan status.Detection)}
	data := t.TempDir()
	l, err := Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, f) }()
	c, err := Dial(data)
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- c.Detections(context.Background(), DetectionQuery{Follow: true}, func(status.Detection) error {
			close(first)
			return nil
		})
	}()
	f.live <- detection(1)
	<-first
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the follower of a node that stops got %v", err)
	}
}

func TestServeReportsABrokenListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := Serve(context.Background(), l, &fake{}); err == nil {
		t.Error("a closed listener served")
	}
}

func TestCancelledCall(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	ways(t, &fake{err: context.Canceled}, func(t *testing.T, c *Client) {
		if _, err := c.Status(ctx); err == nil {
			t.Error("a cancelled call succeeded")
		}
	})
}
