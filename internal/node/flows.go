package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"time"

	"shieldwall/internal/admit"
	"shieldwall/internal/config"
	"shieldwall/internal/detect"
	"shieldwall/internal/event"
	"shieldwall/internal/exchange"
	"shieldwall/internal/ingest/follow"
	"shieldwall/internal/ingest/httpjsonl"
	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/publish"
	"shieldwall/internal/roster"
	"shieldwall/internal/scan"
	"shieldwall/internal/sigma"
	"shieldwall/internal/stix"
	"shieldwall/internal/store/sqlite"
)

// work runs a unit of work of a flow that knows the store's transaction by its own interface T.
func work[T any](run func(context.Context, func(*sqlite.Tx) error) error) func(context.Context, func(T) error) error {
	return func(ctx context.Context, fn func(T) error) error {
		return run(ctx, func(tx *sqlite.Tx) error { return fn(any(tx).(T)) })
	}
}

// The store's transaction is what every flow asks for.
var (
	_ admit.Tx    = (*sqlite.Tx)(nil)
	_ publish.Tx  = (*sqlite.Tx)(nil)
	_ exchange.Tx = (*sqlite.Tx)(nil)
	_ detect.Tx   = (*sqlite.Tx)(nil)
)

func (s *session) newPublisher() *publish.Publisher {
	return publish.New(publish.Options{
		Self: s.me.member, Identity: s.me.identity, Members: s.roll.Members,
		HPKE: func(member string) ([]byte, bool) {
			if c := s.roll.Now().Card(member); c != nil {
				return c.HPKE.Key, true
			}
			return nil, false
		},
		Recovery: func() ([]byte, error) {
			d, err := roster.ParseDelegation([]byte(s.node.keys.Delegation))
			return d.Recovery.Key, err
		},
		Sigma: s.sigmaOptions(), Withhold: s.withhold, Log: appender{s}, View: work[publish.Tx](s.node.store.View), Gate: ownGate{s.gate, s.me.member}, Box: s.node.keys,
		Appending: s.protect.published,
		Live:      func(c []object.Change) { s.detector.Apply(c) }, Now: s.node.now, Rand: random,
	})
}

// sigmaOptions are for every rule that this node reads: its own, and those of its allies.
func (s *session) sigmaOptions() sigma.Options {
	return sigma.Options{Placeholders: s.node.cfg.Placeholders}
}

// withhold keeps members that this node denies from reading, and new ones from AMBER and above for a while,
// unless they are named: that is the operator's word, and a sighting for the publisher itself.
func (s *session) withhold(member string, marking stix.TLP, named bool) string {
	m := s.roll.Now()
	if !m.Deals(member) {
		return "this node does not deal with it"
	}
	hold := s.node.cfg.Hold.Std()
	if marking < stix.Amber || hold <= 0 || named || member == s.me.member {
		return ""
	}
	if until := s.roll.Members().Listed(member).Add(hold); s.node.now().Before(until) {
		return fmt.Sprintf("it is new: AMBER and above reach it from %s on", until.UTC().Format(time.RFC3339))
	}
	return ""
}

// ownGate admits what this member publishes itself (publish.Gate).
type ownGate struct {
	*admit.Gate
	self string
}

func (g ownGate) Admit(tx publish.Tx, from publish.Provenance, o *stix.Object) ([]object.Change, error) {
	return g.AdmitObject(any(tx).(admit.Tx), admit.Provenance{Publisher: g.self, Place: from.Place, TLP: from.TLP, Audience: from.Audience, Via: "own"}, o)
}

func (g ownGate) Withdraw(tx publish.Tx, of object.Place, id string) ([]object.Change, error) {
	return g.Gate.Withdraw(any(tx).(admit.Tx), g.self, of, id)
}

func (g ownGate) Definition(tx publish.Tx, id string) (stix.TLP, bool, error) {
	return g.Gate.Definition(any(tx).(admit.Tx), g.self, id)
}

func (s *session) newDetector() (*detect.Detector, error) {
	cfg := s.node.cfg
	to, err := s.sightingReaders()
	if err != nil {
		return nil, err
	}
	return detect.New(detect.Options{
		Self: s.me.member, Dir: cfg.Data, Retention: detect.Retention{MaxAge: cfg.Detections.MaxAge.Std(), MaxSize: int64(cfg.Detections.MaxSize)},
		Sigma: s.sigmaOptions(), Engine: s.engine, Update: s.opened(s.node.store.UpdateDurable), View: s.opened(s.node.store.View),
		Sightings: detect.Sightings{
			Tick: cfg.Sightings.Tick.Std(), CreatedBy: s.sightingCreator(), To: to,
			MayRead: func(member string, tlp uint8, audience string) bool {
				a, err := policy.ParseAudience(audience)
				return err == nil && policy.MayRead(s.roll.Members(), policy.Reader{Kind: policy.Node, Member: member}, stix.TLP(tlp), a)
			},
			Outbox: outbox{s}, Rand: random,
		},
		Now: s.node.now, Log: s.node.log,
	})
}

// openTx is a transaction whose copies have their bodies in clear: those of AMBER+STRICT and RED are sealed
// in the store.
type openTx struct {
	*sqlite.Tx
	gate *admit.Gate
}

func (t openTx) PublisherCopies(publisher, id string) ([]object.Copy, error) {
	copies, err := t.Tx.PublisherCopies(publisher, id)
	for i := 0; i < len(copies) && err == nil; i++ {
		copies[i], err = t.gate.Open(copies[i])
	}
	return copies, err
}

func (t openTx) EachLive(typ string, fn func(object.Copy) error) error {
	return t.Tx.EachLive(typ, func(c object.Copy) error {
		c, err := t.gate.Open(c)
		if err != nil {
			return err
		}
		return fn(c)
	})
}

// opened is work for detection.
func (s *session) opened(run func(context.Context, func(*sqlite.Tx) error) error) func(context.Context, func(detect.Tx) error) error {
	return func(ctx context.Context, fn func(detect.Tx) error) error {
		return run(ctx, func(tx *sqlite.Tx) error { return fn(openTx{tx, s.gate}) })
	}
}

// loadLocalRules makes the rules of the configured folders live. One that does not load is a warning: a
// node must not stay down because of it.
func (s *session) loadLocalRules() error {
	if len(s.node.cfg.Rules) == 0 {
		return nil
	}
	rejected := 0
	opt := s.sigmaOptions()
	opt.Correlations, opt.Filters = true, true
	set, err := scan.LoadRules(s.node.cfg.Rules, opt, func(r scan.Rejected) {
		rejected++
		s.node.log.Warn("local rule rejected", "rule", r.Error())
	})
	if err != nil {
		return fmt.Errorf("loading the local rules: %w", err)
	}
	if rejected > 0 {
		s.warn("rules", fmt.Sprintf("%d local rules do not load; shieldwall rules check says why", rejected))
	}
	local := make([]detect.LocalRule, len(set.Rules))
	for i, r := range set.Rules {
		local[i] = detect.LocalRule{Path: r.Path, Rule: r.Rule}
	}
	counting := make([]detect.LocalCorrelation, len(set.Correlations))
	for i, c := range set.Correlations {
		counting[i] = detect.LocalCorrelation{Path: c.Path, Resolved: c.Resolved}
	}
	s.detector.SetLocalRules(local, counting...)
	return nil
}

// sightingReaders are who gets sightings beside the publisher. A name that this alliance does not know is
// passed over with a warning: the configuration may be older than the roster.
func (s *session) sightingReaders() (policy.Audience, error) {
	if len(s.node.cfg.Sightings.To) == 0 {
		return policy.Audience{}, nil
	}
	to, err := s.roll.Members().ParseTo(s.node.cfg.Sightings.To)
	if err != nil {
		s.warn("sightings.to", fmt.Sprintf("sightings.to: %v; sightings go to the publisher alone", err))
		return policy.Audience{}, nil
	}
	return to, nil
}

// sightingCreator is who a sighting says has seen it: this member, or only its sector.
func (s *session) sightingCreator() string {
	if s.node.cfg.Sightings.As == config.AsSector {
		return detect.SectorIdentity(s.node.cfg.Sightings.Sector)
	}
	return s.me.identity
}

// outbox publishes sightings (detect.Outbox).
type outbox struct{ *session }

func (o outbox) PublishSightings(ctx context.Context, objects [][]byte, tlp stix.TLP, audience policy.Audience, done func(detect.Tx) error) error {
	_, err := o.publisher.PublishObjects(ctx, objects, tlp, audience, func(tx publish.Tx) error { return done(any(tx).(detect.Tx)) })
	return err
}

func (s *session) newExchange() *exchange.Exchange {
	now := s.node.now()
	return exchange.New(exchange.Options{
		Self: s.me.member, Roll: allies{s}, Dial: s.dial,
		Update: work[exchange.Tx](s.node.store.Update), View: work[exchange.Tx](s.node.store.View),
		Mirror: mirror{s.node.store}, Gate: gate{s.gate, s.roll, s.me.member}, Opener: opener{s.node.keys, s.me.member},
		Live: func(c []object.Change) {
			if len(c) > 0 {
				s.detector.Apply(c)
			}
		},
		Receipt: func(log string, size uint64) ([]byte, error) {
			return roster.SignApplied(s.me.member, log, size, s.node.keys.Witness)
		},
		Now: s.node.now, Log: s.node.log, Jitter: rand.New(rand.NewPCG(uint64(now.UnixNano()), uint64(len(s.me.member)))),
	})
}

// loadIntelligence makes everything live that the store holds.
func (s *session) loadIntelligence(ctx context.Context) error {
	if err := s.detector.LoadMutes(ctx); err != nil {
		return err
	}
	return s.detector.LoadAll(func(fn func(object.Copy) error) error {
		return s.opened(s.node.store.View)(ctx, func(tx detect.Tx) error {
			return errors.Join(tx.EachLive("indicator", fn), tx.EachLive("sighting", fn))
		})
	})
}

// operatorMayRead says whether the page may show a copy. Who opens the page by a link from the node's own
// terminal is its operator, who owns the store and the keys: the named user, until there are accounts.
func (s *session) operatorMayRead(tlp uint8, audience, publisher string) bool {
	if object.IsLocal(publisher) {
		return true
	}
	a, err := policy.ParseAudience(audience)
	return err == nil && policy.MayRead(s.roll.Members(), policy.Reader{Kind: policy.NamedUser, Member: s.me.member}, stix.TLP(tlp), a)
}

// sink takes telemetry for whichever session is current (follow.Sink, httpjsonl.Sink).
type sink struct{ node *Node }

func (k sink) Submit(ctx context.Context, ev *event.Event) error {
	return k.node.current.Load().detector.Submit(ctx, ev)
}

// names are the fields that the current session's rules and indicators look at.
func (k sink) names() *event.Names { return k.node.current.Load().engine.Names() }

func (k sink) Sync(ctx context.Context) error { return k.node.current.Load().detector.Sync(ctx) }

// Submit matches one event, as if it had come in by an edge.
func (n *Node) Submit(ctx context.Context, ev *event.Event) error { return sink{n}.Submit(ctx, ev) }

func sources(list []config.Follow) []follow.Source {
	var out []follow.Source
	for _, f := range list {
		out = append(out, follow.Source{Path: f.Path, Format: follow.Format(f.Format), Product: f.Product, Category: f.Category, Service: f.Service})
	}
	return out
}

// offsets keeps how far followed files were read (follow.Offsets).
type offsets struct{ store *sqlite.Store }

func (o offsets) Offset(ctx context.Context, path string) (ident string, offset int64, err error) {
	err = o.store.View(ctx, func(tx *sqlite.Tx) (err error) {
		ident, offset, err = tx.Offset(path)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return "", 0, nil
	}
	return ident, offset, err
}

func (o offsets) PutOffset(ctx context.Context, path, ident string, offset int64) error {
	return o.store.Update(ctx, func(tx *sqlite.Tx) error { return tx.PutOffset(path, ident, offset) })
}

func (n *Node) ingestHandler() http.Handler {
	return httpjsonl.New(httpjsonl.Options{
		Names: sink{n}.names, Now: n.now,
		Sink: sink{n}, Tokens: tokens{n}, Log: n.log,
		Busy: func(err error) bool { return errors.Is(err, detect.ErrBusy) },
	})
}
