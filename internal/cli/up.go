package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"

	"shieldwall/internal/config"
	"shieldwall/internal/control"
)

type upOptions struct {
	kitFile                        string
	member, pageListen, peerListen string
}

func newUp() *command {
	var o upOptions
	return &command{
		name:  "up",
		short: "run the node; a first start creates keys, store and an alliance of one",
		long: `Runs the node until it is told to stop (SIGINT, SIGTERM). The first line of output is the page's
one-time link; with --json it is an object with that link, the peer address, the member, the alliance and the
data folder. Everything else is talk on stderr.

A first start on an empty data folder creates the member: its keys, its recovery kit, its store and an alliance
in which it is alone. The kit's passphrase is shown once on the terminal, or read from --kit-passphrase-file.`,
		exits: "0 stopped as asked\n2 usage, or the node could not run",
		define: func(f *pflag.FlagSet) {
			f.StringVar(&o.kitFile, "kit-passphrase-file", "", kitFlagUsage)
			f.StringVar(&o.member, "member", "", "this member's `NAME`, for a first start (default: the host's)")
			f.StringVar(&o.pageListen, "page-listen", "", "`HOST:PORT` of the page, instead of page.listen")
			f.StringVar(&o.peerListen, "peer-listen", "", "`HOST:PORT` for peers, instead of peer.listen")
		},
		run: func(ctx context.Context, p *program, _ []string) error { return runUp(ctx, p, o) },
	}
}

func runUp(ctx context.Context, p *program, o upOptions) error {
	p.flags.Member, p.flags.PageListen, p.flags.PeerListen = o.member, o.pageListen, o.peerListen
	cfg, err := config.Load(p.flags, p.host)
	if err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		return fmt.Errorf("log.level: %w", err)
	}
	// The text handler quotes what a terminal would obey.
	log := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level}))
	var shown error
	running := Running{
		Creation: *p.creation(o.kitFile),
		Ready:    func(r Ready) { shown = p.ready(r) },
		Log:      log,
		Version:  version().Version,
	}
	err = p.whileInUse(ctx, func() error {
		err := p.nodes.RunNode(ctx, cfg, running)
		if client, derr := control.Dial(cfg.Data); errors.Is(err, ErrInUse) && derr == nil {
			client.Close()
			return fmt.Errorf("a node runs on %s already; shieldwall status asks it", cfg.Data)
		}
		return err
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil // told to stop before it served
	}
	return errors.Join(err, shown)
}

// ready says where the node is: the link is data, the rest is talk.
func (p *program) ready(r Ready) error {
	if p.json {
		return p.printJSON(r)
	}
	if err := p.printf("%s\n", r.PageLink); err != nil {
		return err
	}
	if r.Created {
		p.talk("Created member %s in %s, alone in the alliance %s.", r.Member, r.Data, r.Alliance)
	} else {
		p.talk("Member %s of the alliance %s, from %s.", r.Member, r.Alliance, r.Data)
	}
	p.talk("The page opens once by the link above. Peers are served on %s. Stop with Ctrl-C.", r.Peer)
	return nil
}
