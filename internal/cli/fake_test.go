package cli

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/config"
	"shieldwall/internal/control"
	"shieldwall/internal/status"
)

// fakeNode is a control.Backend, an Opener and a drill for tests: it answers from its fields and remembers what
// it was asked.
type fakeNode struct {
	err     error // of every call
	openErr error

	status    status.Node
	profile   status.Profile
	pubs      []status.Publication
	published control.PublishResult
	withdrawn control.WithdrawResult
	alliance  status.Alliance
	invited   control.Invitation
	joined    control.JoinResult
	token     control.Token
	tokens    []control.Token
	mutes     []status.Mute
	found     status.SearchPage
	past      []status.Detection
	live      chan status.Detection
	drilled   DrillResult
	ready     Ready

	// what was asked
	publish    control.PublishRequest
	most       int
	ids        []string
	named      control.AllianceRequest
	invite     control.InviteRequest
	changed    control.RosterChange
	signed     string
	admitted   []byte
	word       string
	tokened    control.TokenRequest
	muting     control.MuteRequest
	search     control.SearchRequest
	unmuted    []string
	since      time.Time
	drill      DrillOptions
	cfg        config.Config
	create     *Creation
	passphrase string
	closed     int
}

func (n *fakeNode) Status(context.Context) (status.Node, error) { return n.status, n.err }
func (n *fakeNode) PageLink(context.Context) (string, error) {
	return "http://127.0.0.1:1/open?k=secret", n.err
}

func (n *fakeNode) Publications(context.Context, int) ([]status.Publication, error) {
	return n.pubs, n.err
}
func (n *fakeNode) Profile(_ context.Context, most int) (status.Profile, error) {
	n.most = most
	return n.profile, n.err
}
func (n *fakeNode) Publish(_ context.Context, r control.PublishRequest) (control.PublishResult, error) {
	n.publish = r
	return n.published, n.err
}
func (n *fakeNode) Withdraw(_ context.Context, ids []string) (control.WithdrawResult, error) {
	n.ids = ids
	return n.withdrawn, n.err
}
func (n *fakeNode) Search(_ context.Context, r control.SearchRequest) (status.SearchPage, error) {
	n.search = r
	return n.found, n.err
}
func (n *fakeNode) Alliance(context.Context) (status.Alliance, error) { return n.alliance, n.err }
func (n *fakeNode) AllianceNew(_ context.Context, r control.AllianceRequest) (status.Alliance, error) {
	n.named = r
	return n.alliance, n.err
}
func (n *fakeNode) AllianceChange(_ context.Context, c control.RosterChange) (status.Alliance, error) {
	n.changed = c
	return n.alliance, n.err
}
func (n *fakeNode) AllianceSign(_ context.Context, id string) (status.Alliance, error) {
	n.signed = id
	return n.alliance, n.err
}
func (n *fakeNode) AllianceDraft(_ context.Context, id string) ([]byte, error) {
	return []byte("draft " + id), n.err
}
func (n *fakeNode) AllianceAdmit(_ context.Context, file []byte) (status.Alliance, error) {
	n.admitted = file
	return n.alliance, n.err
}
func (n *fakeNode) Invite(_ context.Context, r control.InviteRequest) (control.Invitation, error) {
	n.invite = r
	return n.invited, n.err
}
func (n *fakeNode) Join(_ context.Context, word string) (control.JoinResult, error) {
	n.word = word
	return n.joined, n.err
}
func (n *fakeNode) TokenNew(_ context.Context, r control.TokenRequest) (control.Token, error) {
	n.tokened = r
	return n.token, n.err
}
func (n *fakeNode) Tokens(context.Context) ([]control.Token, error) { return n.tokens, n.err }
func (n *fakeNode) TokenRevoke(_ context.Context, name string) (control.Token, error) {
	return control.Token{Name: name}, n.err
}
func (n *fakeNode) Mute(_ context.Context, r control.MuteRequest) (status.Mute, error) {
	n.muting = r
	return status.Mute{ID: "3", Rule: r.Rule, Publisher: r.Publisher, Host: r.Host, Reason: r.Reason, Until: time.Unix(1e9, 0).UTC()}, n.err
}
func (n *fakeNode) Unmute(_ context.Context, id string) (status.Mute, error) {
	n.unmuted = append(n.unmuted, id)
	return status.Mute{ID: id, Publisher: "bravo"}, n.err
}
func (n *fakeNode) Mutes(context.Context) ([]status.Mute, error) { return n.mutes, n.err }
func (n *fakeNode) DetectionsSince(_ context.Context, since time.Time, yield func(status.Detection) error) error {
	n.since = since
	for _, d := range n.past {
		if err := yield(d); err != nil {
			return err
		}
	}
	return n.err
}
func (n *fakeNode) Follow(context.Context) <-chan status.Detection { return n.live }

func (n *fakeNode) OpenNode(_ context.Context, cfg config.Config, create *Creation) (control.Backend, io.Closer, error) {
	n.cfg, n.create = cfg, create
	if n.openErr == ErrEmpty && create != nil {
		pass, err := create.Passphrase()
		if err != nil {
			return nil, nil, err
		}
		n.passphrase = pass
		return n, n, nil
	}
	if n.openErr != nil {
		return nil, nil, n.openErr
	}
	return n, n, nil
}

func (n *fakeNode) Close() error { n.closed++; return nil }

func (n *fakeNode) RunNode(ctx context.Context, cfg config.Config, run Running) error {
	n.cfg = cfg
	if n.openErr == ErrEmpty {
		pass, err := run.Creation.Passphrase()
		if err != nil {
			return err
		}
		n.passphrase = pass
	} else if n.openErr != nil {
		return n.openErr
	}
	run.Log.Warn("hello", "from", "a\x1b[2Jb")
	run.Ready(n.ready)
	return n.err
}

func (n *fakeNode) Drill(_ context.Context, o DrillOptions) (DrillResult, error) {
	n.drill = o
	o.Talk("going on\x1b[2J")
	return n.drilled, n.err
}

// run runs one command against a node.
type run struct {
	node   *fakeNode
	stdin  string
	env    map[string]string
	ctx    context.Context
	data   string
	stdout bytes.Buffer
	stderr bytes.Buffer
}

func newRun(t *testing.T, n *fakeNode) *run {
	return &run{node: n, ctx: context.Background(), data: t.TempDir(), env: map[string]string{"HOME": t.TempDir()}}
}

var testNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func (r *run) do(args ...string) int {
	r.stdout.Reset()
	r.stderr.Reset()
	getenv := func(k string) string { return r.env[k] }
	p := &program{
		getenv: getenv, stdin: strings.NewReader(r.stdin), stdout: &r.stdout, stderr: &r.stderr,
		now:   func() time.Time { return testNow },
		host:  config.Host{Getenv: getenv, Name: "host", OS: "linux"},
		nodes: r.node, drill: r.node, patience: 50 * time.Millisecond,
	}
	p.flags.Data = r.data
	return p.main(r.ctx, args)
}

// want runs a command and holds its exit code and what it says.
func (r *run) want(t *testing.T, code int, stdout, stderr string, args ...string) {
	t.Helper()
	got := r.do(args...)
	if got != code || !strings.Contains(r.stdout.String(), stdout) || !strings.Contains(r.stderr.String(), stderr) {
		t.Errorf("%q: exit %d, stdout %q, stderr %q; want %d, %q, %q", args, got, &r.stdout, &r.stderr, code, stdout, stderr)
	}
}
