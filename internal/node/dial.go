package node

import (
	"context"

	"shieldwall/internal/exchange"
	"shieldwall/internal/peer"
)

// remote is another member's node (exchange.Peer).
type remote struct {
	*peer.Client
	meter  *peer.Meter
	settle func()
}

// Close drops idle connections. Nothing is asked any more.
func (r *remote) Close() {
	r.Client.Close()
	r.settle()
}

// dial makes a client for a member; its card is looked up at each connection.
func (s *session) dial(member string) exchange.Peer {
	meter := &peer.Meter{}
	client := peer.NewClient(s.node.cert,
		func() []string { return s.roll.Now().Endpoints(member) },
		func() []string { return s.roll.Now().Pins(member) }, meter)
	s.node.meters.add(meter)
	return &remote{client, meter, func() { s.node.meters.settle(meter) }}
}

// Stream follows a log.
func (r *remote) Stream(ctx context.Context, log string, from uint64, batch func(exchange.Batch) error, news func(exchange.News) error) error {
	return r.Client.Stream(ctx, log, from, handler{batch, news})
}

type handler struct {
	batch func(exchange.Batch) error
	news  func(exchange.News) error
}

func (h handler) Batch(b peer.Batch) error { return h.batch(exchange.Batch(b)) }

func (h handler) News(n peer.News) error {
	return h.news(exchange.News{Version: n.Version, Hash: n.Hash, Cards: n.Cards, Drafts: n.Drafts})
}

// Refusal says whether an error is the peer's own no.
func (r *remote) Refusal(err error) (string, bool) { return peer.IsRefusal(err) }

// Traffic is what crossed the wire in both directions.
func (r *remote) Traffic() (in, out int64) { return r.meter.Totals() }
