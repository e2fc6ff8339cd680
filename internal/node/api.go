package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"time"

	"shieldwall/internal/api"
	"shieldwall/internal/control"
	"shieldwall/internal/policy"
	"shieldwall/internal/search"
	"shieldwall/internal/status"
)

// apiBackend is the node as clients of the API see it (api.Backend): whichever session is current.
type apiBackend struct{ node *Node }

var _ api.Backend = apiBackend{}

// problem makes what a client can do something about an answer of its own; the rest stays the node's.
func problem(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	switch control.KindOf(err) {
	case control.Usage, control.Refused:
		return api.NewProblem(http.StatusUnprocessableEntity, "%v", err)
	case control.NotFound:
		return api.NewProblem(http.StatusNotFound, "%v", err)
	case control.Unavailable:
		return api.NewProblem(http.StatusServiceUnavailable, "%v", err)
	}
	return err
}

func (b apiBackend) Status(ctx context.Context) (out api.Status, err error) {
	n, err := b.node.Status(ctx)
	if err != nil {
		return out, err
	}
	out = api.Status{
		Version: n.Version, Member: n.Member, Alliance: n.Alliance.Name, Started: n.Started, Now: n.Now, Objects: n.Objects, Search: n.Search,
		Rules: n.Rules, Indicators: n.Indicators, Events: n.Events, Detections: n.Detections, Warnings: n.Warnings, Members: []api.Member{},
	}
	if out.Warnings == nil {
		out.Warnings = []string{}
	}
	for _, m := range n.Alliance.Members {
		out.Members = append(out.Members, api.Member{ID: m.ID, State: m.State, Problem: m.Problem})
	}
	return out, nil
}

// client is a token's holder as policy knows it.
func (s *session) client(h api.Holder) policy.Reader {
	return policy.Reader{Kind: h.Kind, Member: s.me.member}
}

func (b apiBackend) Search(ctx context.Context, h api.Holder, req search.Request) (status.SearchPage, error) {
	s := b.node.current.Load()
	return s.search.Search(ctx, s.client(h), req)
}

func (b apiBackend) Object(ctx context.Context, h api.Holder, id string) (status.ObjectView, error) {
	s := b.node.current.Load()
	return s.search.Object(ctx, s.client(h), id)
}

func (b apiBackend) Raw(ctx context.Context, h api.Holder, id, version string) ([]byte, error) {
	s := b.node.current.Load()
	return s.search.Raw(ctx, s.client(h), id, version)
}

// errFull ends a reading of detections.
var errFull = errors.New("the page is full")

func (b apiBackend) Detections(ctx context.Context, since time.Time, limit int) (list []status.Detection, more bool, err error) {
	err = b.node.DetectionsSince(ctx, since, func(d status.Detection) error {
		if len(list) == limit {
			return errFull
		}
		list = append(list, d)
		return nil
	})
	if errors.Is(err, errFull) {
		return list, true, nil
	}
	return list, false, problem(err)
}

func (b apiBackend) Publish(ctx context.Context, req api.Publication) (out api.Published, err error) {
	res, err := b.node.Publish(ctx, control.PublishRequest{Files: []control.File{{Name: "body", Data: req.Data}}, TLP: req.TLP, To: req.To, DryRun: req.DryRun})
	if err != nil {
		return out, problem(err)
	}
	out = api.Published{DryRun: res.DryRun, Shared: []api.Shared{}, Unchanged: res.Unchanged, Warnings: res.Warnings}
	for _, e := range res.Entries {
		for _, o := range e.Objects {
			out.Shared = append(out.Shared, api.Shared{ID: o.ID, Type: o.Type, TLP: e.TLP, Audience: e.Audience})
		}
	}
	for _, list := range []*[]string{&out.Unchanged, &out.Warnings} {
		if *list == nil {
			*list = []string{}
		}
	}
	return out, nil
}

func (b apiBackend) Withdraw(ctx context.Context, ids []string) (api.Withdrawn, error) {
	res, err := b.node.Withdraw(ctx, ids)
	if res.Withdrawn == nil {
		res.Withdrawn = []string{}
	}
	return api.Withdrawn{Withdrawn: res.Withdrawn}, problem(err)
}

func (b apiBackend) Mutes(ctx context.Context) ([]status.Mute, error) { return b.node.Mutes(ctx) }

func (b apiBackend) Mute(ctx context.Context, m api.Muting) (status.Mute, error) {
	out, err := b.node.Mute(ctx, control.MuteRequest{Rule: m.Rule, Publisher: m.Publisher, Host: m.Host, Reason: m.Reason, For: time.Duration(m.Seconds) * time.Second})
	return out, problem(err)
}

func (b apiBackend) Unmute(ctx context.Context, id string) (status.Mute, error) {
	m, err := b.node.Unmute(ctx, id)
	return m, problem(err)
}

// APIHolder says what a token may do by the API (api.Tokens).
func (t tokens) APIHolder(ctx context.Context, hash [sha256.Size]byte) (h api.Holder, ok bool, err error) {
	name, scopes, reader, ok, err := t.find(ctx, hash)
	return api.Holder{
		Name: name, Kind: holderKinds[reader],
		Read: slices.Contains(scopes, scopeAPIRead), Publish: slices.Contains(scopes, scopeAPIPublish), Operate: slices.Contains(scopes, scopeAPIOperate),
	}, ok, err
}

func (n *Node) apiHandler() http.Handler {
	return api.New(api.Options{Backend: apiBackend{n}, Tokens: tokens{n}, Log: n.log, Now: n.now})
}
