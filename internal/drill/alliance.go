package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"shieldwall/internal/config"
	"shieldwall/internal/control"
	"shieldwall/internal/keys"
	"shieldwall/internal/node"
)

// sightingTick is how often members return sightings in an exercise.
const sightingTick = 200 * time.Millisecond

// errPatience says that a state was not reached in time.
var errPatience = errors.New("it took too long")

// patience is how long the alliance may take to reach a state before the exercise fails.
const patience = 60 * time.Second

// kitIterations is little work for the kit's passphrase: an exercise's keys protect nothing.
const kitIterations = 1000

// alliance is the members that play.
type alliance struct {
	opt   Options
	dir   string
	nodes []*node.Node
	cfgs  []config.Config
	runs  []*running // nil: stopped

	wire int64 // bytes sent by nodes that were stopped

	mu        sync.Mutex // guards published
	published []publication
}

// publication is one entry of member 1's log.
type publication struct {
	index   uint64
	readers []string
	rule    rule
	object  string
}

// running is a node at work.
type running struct {
	cancel context.CancelFunc
	done   chan error
}

func memberName(i int) string { return fmt.Sprintf("member-%d", i+1) }

// isPartner puts every third member among the partners; the first two are states.
func isPartner(i int) bool { return i%3 == 2 }

// found starts all nodes; member 1 makes the alliance, the others join it.
func found(ctx context.Context, dir string, opt Options) (_ *alliance, err error) {
	a := &alliance{opt: opt, dir: dir, nodes: make([]*node.Node, opt.Members), cfgs: make([]config.Config, opt.Members), runs: make([]*running, opt.Members)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.stop())
		}
	}()
	for i := range opt.Members {
		if err := a.start(ctx, i); err != nil {
			return nil, fmt.Errorf("starting %s: %w", memberName(i), err)
		}
	}
	if _, err := a.nodes[0].AllianceNew(ctx, control.AllianceRequest{Name: "exercise", Groups: []string{partners, states}, In: []string{states}}); err != nil {
		return nil, err
	}
	for i := 1; i < opt.Members; i++ {
		group := states
		if isPartner(i) {
			group = partners
		}
		inv, err := a.nodes[0].Invite(ctx, control.InviteRequest{Name: memberName(i), Groups: []string{group}})
		if err != nil {
			return nil, err
		}
		if _, err := a.nodes[i].Join(ctx, inv.Token); err != nil {
			return nil, fmt.Errorf("%s joins: %w", memberName(i), err)
		}
	}
	return a, a.until(ctx, "every member follows every other", a.allLive)
}

// start opens and runs member i.
func (a *alliance) start(ctx context.Context, i int) error {
	data := filepath.Join(a.dir, memberName(i))
	cfg := config.Default()
	cfg.Data, cfg.Member = data, memberName(i)
	cfg.Guard = filepath.Join(a.dir, "guards", memberName(i))
	cfg.OfficerKey = filepath.Join(data, keys.OfficerFile)
	cfg.Peer.Listen = "127.0.0.1:0"
	if old := a.cfgs[i]; old.Peer.Listen != "" {
		cfg.Peer.Listen = old.Peer.Listen
	}
	cfg.Hold = 0
	cfg.Sightings.Tick = config.Duration(sightingTick)
	n, err := node.Open(ctx, node.Options{
		Config: cfg, Iterations: kitIterations, Log: a.opt.Log.With("member", memberName(i)), NoPage: true,
		Passphrase: func() (string, error) { return keys.Passphrase(random) },
	})
	if err != nil {
		return err
	}
	run := &running{done: make(chan error, 1)}
	rctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	run.cancel = cancel
	ready := make(chan node.Ready, 1)
	go func() { run.done <- n.Run(rctx, func(r node.Ready) { ready <- r }) }()
	a.nodes[i], a.runs[i] = n, run
	select {
	case r := <-ready:
		cfg.Peer.Listen = r.Peer // a member that comes back is found where it was
		a.cfgs[i] = cfg
		return nil
	case err := <-run.done:
		a.runs[i] = nil
		return errors.Join(err, n.Close())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// halt stops member i cleanly.
func (a *alliance) halt(i int) error {
	if a.runs[i] == nil {
		return nil
	}
	a.runs[i].cancel()
	err := <-a.runs[i].done
	a.runs[i] = nil
	_, out := a.nodes[i].Traffic()
	a.wire += out
	return errors.Join(err, a.nodes[i].Close())
}

func (a *alliance) stop() error {
	var errs []error
	for i := range a.nodes {
		errs = append(errs, a.halt(i))
	}
	return errors.Join(errs...)
}

// until waits for a state of the alliance.
func (a *alliance) until(ctx context.Context, what string, reached func(context.Context) (bool, error)) error {
	asked := ctx
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		ok, err := reached(ctx)
		if ok || err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, cmp.Or(asked.Err(), errPatience))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// allLive says whether every running member follows every other live.
func (a *alliance) allLive(ctx context.Context) (bool, error) {
	for i, n := range a.nodes {
		if a.runs[i] == nil {
			continue
		}
		roll, err := n.Alliance(ctx)
		if err != nil {
			return false, err
		}
		if len(roll.Members) != len(a.nodes) {
			return false, nil
		}
		for _, m := range roll.Members {
			at := slices.IndexFunc(a.cfgs, func(c config.Config) bool { return c.Member == m.ID })
			if !m.Self && m.State != "live" && at >= 0 && a.runs[at] != nil {
				return false, nil
			}
		}
	}
	return true, nil
}
