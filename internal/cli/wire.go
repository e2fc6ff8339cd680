package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"shieldwall/internal/config"
	"shieldwall/internal/control"
	"shieldwall/internal/drill"
	"shieldwall/internal/event"
	"shieldwall/internal/node"
	"shieldwall/internal/scan"
)

// wired joins the commands to the node and the drill.
type wired struct{ stderr io.Writer }

// OpenNode is Opener's.
func (w wired) OpenNode(ctx context.Context, cfg config.Config, create *Creation) (control.Backend, io.Closer, error) {
	// A single command says what goes wrong by its own error; the node's talk is for the running one.
	opt := node.Options{Config: cfg, Version: version().Version, Log: slog.New(slog.NewTextHandler(w.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if create != nil {
		opt.Passphrase = create.Passphrase
	}
	n, err := node.Open(ctx, opt)
	if err != nil {
		return nil, nil, ownError(err)
	}
	return n, n, nil
}

// RunNode is Nodes'.
func (wired) RunNode(ctx context.Context, cfg config.Config, run Running) error {
	n, err := node.Open(ctx, node.Options{Config: cfg, Passphrase: run.Creation.Passphrase, Version: run.Version, Log: run.Log})
	if err != nil {
		return ownError(err)
	}
	err = n.Run(ctx, func(r node.Ready) {
		run.Ready(Ready{PageLink: r.PageLink, Peer: r.Peer, Member: r.Member, Alliance: r.Alliance, Data: cfg.Data, Created: r.Created})
	})
	return errors.Join(err, n.Close())
}

// ownError keeps the node's two special errors as the command line knows them.
func ownError(err error) error {
	switch {
	case errors.Is(err, node.ErrInUse):
		return ErrInUse
	case errors.Is(err, node.ErrEmpty):
		return ErrEmpty
	}
	return err
}

// Drill is Drill's.
func (w wired) Drill(ctx context.Context, o DrillOptions) (DrillResult, error) {
	f, err := drill.Run(ctx, drill.Options{
		Members: o.Members, Rules: o.Rules, Replay: o.Replay, Rate: o.Rate, Talk: o.Talk,
		Log: slog.New(slog.NewTextHandler(w.stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Replayed: func(ctx context.Context, paths []string, yield func(*event.Event) error) error {
			_, err := scan.Events(ctx, paths, yield)
			return err
		},
	})
	if err != nil {
		return DrillResult{}, fmt.Errorf("drill: %w", err)
	}
	return DrillResult{
		Members: f.Members, Publications: f.Publications, Pairs: f.Pairs,
		TimeToProtect: TimeToProtect{P50: f.P50, P95: f.P95, P99: f.P99, Max: f.Max},
		CatchUp:       CatchUp{Pairs: f.CatchUpPairs, Milliseconds: f.CatchUp},
		Detections:    f.Detections, Sightings: f.Sightings, BytesOnWire: f.Wire, Lost: f.Lost,
		AmberLeaks: f.Leaks, AmberMirrored: f.Mirrored, Seconds: f.Seconds,
	}, nil
}
