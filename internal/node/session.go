package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"shieldwall/internal/admit"
	"shieldwall/internal/config"
	"shieldwall/internal/detect"
	"shieldwall/internal/entry"
	"shieldwall/internal/exchange"
	"shieldwall/internal/federation"
	"shieldwall/internal/inbox"
	"shieldwall/internal/ingest/follow"
	"shieldwall/internal/match"
	"shieldwall/internal/memberlog"
	"shieldwall/internal/memberlog/guard"
	"shieldwall/internal/merkle"
	"shieldwall/internal/peer"
	"shieldwall/internal/publish"
	"shieldwall/internal/search"
	"shieldwall/internal/shelf"
	"shieldwall/internal/store/sqlite"
)

// session is a node's life in one alliance: joining another one ends it and begins the next.
type session struct {
	node    *Node
	me      self
	roll    *roll
	log     *memberlog.Log[*sqlite.Tx]
	reader  *memberlog.Reader[*sqlite.Tx]
	gate    *admit.Gate
	protect *protection

	publisher *publish.Publisher
	engine    *match.Engine
	detector  *detect.Detector
	exchange  *exchange.Exchange
	follow    *follow.Follower
	shelves   *shelf.Shelves
	inbox     *inbox.Inbox
	search    *search.Searcher

	joining   sync.Mutex // one join request at a time
	proposing sync.Mutex // one signature of an officer at a time

	stopLog func() error    // ends the log's sequencer; may be called again
	logDone <-chan struct{} // closed when the sequencer has ended

	mu       sync.Mutex // guards warnings
	warnings map[string]string
}

// maxWarnings bounds the standing warnings that events leave.
const maxWarnings = 50

// warn keeps a remark for the status until the session ends.
func (s *session) warn(key, text string) {
	s.node.log.Warn(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.warnings[key]; known || len(s.warnings) < maxWarnings {
		s.warnings[key] = text
	}
}

// openSession loads who we are and wires the flows.
func openSession(ctx context.Context, n *Node) (_ *session, err error) {
	me, _, err := loadSelf(ctx, n.store)
	if err != nil {
		return nil, err
	}
	m, err := loadMembership(ctx, n.store, n.cfg.Deny, n.now())
	if err != nil {
		return nil, err
	}
	s := &session{node: n, me: me, roll: newRoll(n.store, n.log, n.now, m), warnings: map[string]string{}}
	if err := s.roll.loadDrafts(ctx); err != nil {
		return nil, err
	}
	if err := s.settlePrepared(ctx); err != nil {
		return nil, err
	}
	if err := s.openLog(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			if s.detector != nil {
				err = errors.Join(err, s.detector.Close())
			}
			err = errors.Join(err, s.stopLog())
		}
	}()
	s.gate = admit.New(admit.Options{Self: me.member, Members: s.roll.Members, Box: n.keys, Now: n.now})
	s.protect = newProtection(n.store, me.member, s.log.ID(), n.now)
	if err := s.protect.load(ctx, s.roll.Now()); err != nil {
		return nil, fmt.Errorf("loading the times to protect: %w", err)
	}
	s.publisher = s.newPublisher()
	s.engine = match.New(n.now)
	if s.detector, err = s.newDetector(); err != nil {
		return nil, err
	}
	if err := s.loadIntelligence(ctx); err != nil {
		return nil, err
	}
	if err := s.loadLocalRules(); err != nil {
		return nil, err
	}
	s.exchange = s.newExchange()
	s.shelves, s.inbox = s.newShelves(), s.newInbox()
	if s.search, err = s.newSearch(ctx); err != nil {
		return nil, err
	}
	s.follow = follow.New(follow.Options{Sources: sources(n.cfg.Ingest.Follow), Sink: sink{n}, Offsets: offsets{n.store}, Now: n.now, Log: n.log, Names: sink{n}.names})
	return s, nil
}

// openLog opens the own log, or, in doubt whether another copy of it went on elsewhere, the next
// incarnation: a node never signs with a doubtful key, and never falls silent either.
func (s *session) openLog(ctx context.Context) error {
	open, err := s.opening(ctx)
	if err != nil {
		return err
	}
	err = s.tryLog(ctx, open)
	var doubt *memberlog.Doubt
	if !errors.As(err, &doubt) {
		return err
	}
	s.node.log.Warn("opening a new incarnation of the log", "log", doubt.Log, "reason", doubt.Error())
	if open, err = s.incarnate(ctx, doubt); err != nil {
		return fmt.Errorf("opening a new incarnation: %w", err)
	}
	s.warn("incarnation", fmt.Sprintf("this log is a new incarnation: %s", doubt))
	return s.tryLog(ctx, open)
}

// kept is how an incarnation's opening is kept until its log is there.
type kept struct {
	Log  string     `json:"log"`
	Open entry.Open `json:"open"`
}

// opening is the first entry for the own log, should it have to be made.
func (s *session) opening(ctx context.Context) (entry.Open, error) {
	open := entry.Open{Alliance: s.roll.Now().Alliance, Member: s.me.member, Reason: "first"}
	err := s.node.store.View(ctx, func(tx *sqlite.Tx) error {
		raw, err := tx.Meta(metaOpening)
		if err != nil || raw == nil {
			return err
		}
		var k kept
		if err := json.Unmarshal(raw, &k); err != nil {
			return err
		}
		if k.Log == s.me.logID() {
			open = k.Open
		}
		return nil
	})
	if err != nil {
		return open, fmt.Errorf("reading how the log begins: %w", err)
	}
	return open, nil
}

// incarnate changes over to a new log's key: the store, the card and the opening in one transaction, so that
// a crash at any point leads to one incarnation and not to two.
func (s *session) incarnate(ctx context.Context, doubt *memberlog.Doubt) (entry.Open, error) {
	key, err := s.node.keys.NewLog(random)
	if err != nil {
		return entry.Open{}, err
	}
	s.me.log = key.Public().(ed25519.PublicKey)
	m, last := s.roll.Now(), doubt.Last()
	open := entry.Open{
		Alliance: m.Alliance, Member: s.me.member, Reason: string(doubt.Reason),
		Predecessor: &entry.Predecessor{Log: doubt.Log, Size: last.Size, Root: hex.EncodeToString(last.Root[:])},
	}
	raw, err := json.Marshal(kept{s.me.logID(), open})
	if err != nil {
		return open, err
	}
	write := func(tx *sqlite.Tx) error { return errors.Join(s.me.save(tx), tx.PutMeta(metaOpening, raw)) }
	if m.Card(s.me.member) == nil { // no ally deals with this node; its own life goes on
		return open, s.node.store.UpdateDurable(ctx, write)
	}
	return open, s.signCard(ctx, m.Card(s.me.member).Endpoints, doubtStep, write)
}

// tryLog opens the log that our card names, or creates it with its opening entry, and starts its sequencer.
func (s *session) tryLog(ctx context.Context, open entry.Open) error {
	key, err := s.node.keys.Log(s.me.log)
	if err != nil {
		return fmt.Errorf("loading the log's key: %w", err)
	}
	machine, err := guard.MachineID(s.node.cfg.Guard + ".machine")
	if err != nil {
		return fmt.Errorf("telling this machine from others: %w", err)
	}
	mark := guard.New(s.node.cfg.Guard)
	cfg := memberlog.Config[*sqlite.Tx]{
		Log: s.me.logID(), Member: s.me.member, Guard: mark, Machine: machine,
		Update: s.node.store.UpdateDurable, View: s.node.store.View,
	}
	if cfg.Signer, err = merkle.NewSigner(cfg.Log, key); err != nil {
		return err
	}
	if cfg.Verifier, err = merkle.NewVerifier(cfg.Log, s.me.log); err != nil {
		return err
	}
	if s.log, err = s.openOrCreate(ctx, cfg, open); err != nil {
		return errors.Join(err, mark.Close())
	}
	s.reader = &memberlog.Reader[*sqlite.Tx]{View: s.node.store.View, Own: func(log string) (memberlog.Head, bool) { return s.log.Head(), log == s.log.ID() }}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	var failure error
	go func() {
		defer close(ended)
		failure = s.log.Run(running)
	}()
	s.logDone = ended
	s.stopLog = sync.OnceValue(func() error {
		stop()
		<-ended
		return errors.Join(failure, mark.Close())
	})
	return nil
}

// openOrCreate creates a log of which neither the store nor the guard knows anything.
func (s *session) openOrCreate(ctx context.Context, cfg memberlog.Config[*sqlite.Tx], open entry.Open) (*memberlog.Log[*sqlite.Tx], error) {
	var size uint64
	err := s.node.store.View(ctx, func(tx *sqlite.Tx) (err error) {
		size, _, err = tx.LogHead(cfg.Log)
		return err
	})
	if err != nil {
		return nil, err
	}
	if size > 0 {
		return memberlog.Open(ctx, cfg)
	}
	first, err := open.Bytes()
	if err != nil {
		return nil, err
	}
	log, _, err := memberlog.Create(ctx, cfg, func(_ *sqlite.Tx, b *memberlog.Batch) error {
		_, err := b.Append(first)
		return err
	})
	return log, err
}

// close ends what openSession started. run must have ended.
func (s *session) close() error {
	return errors.Join(s.detector.Close(), s.stopLog())
}

// run serves peers and runs the flows until ctx ends. It closes ingress first, then lets the flows drain; the
// log's sequencer ends after them, with close.
func (s *session) run(ctx context.Context, serving func()) error {
	listener, err := s.node.listenPeers(ctx)
	if err != nil {
		return err
	}
	if err := s.renewCard(ctx); err != nil {
		return errors.Join(unlessEnded(ctx, err), listener.Close())
	}
	meter := &peer.Meter{}
	s.node.meters.add(meter)
	defer s.node.meters.settle(meter)
	server := peer.NewServer(peers{s}, meter, s.node.log)

	flows, endFlows := context.WithCancel(context.WithoutCancel(ctx))
	defer endFlows()
	ingress, endIngress := context.WithCancel(ctx)
	defer endIngress()
	var in, out sync.WaitGroup
	failures := make(chan error, 1) // the first one counts
	start := func(wg *sync.WaitGroup, ctx context.Context, what string, run func(context.Context) error) {
		wg.Go(func() {
			if err := unlessEnded(ctx, run(ctx)); err != nil {
				select {
				case failures <- fmt.Errorf("%s: %w", what, err):
				default:
				}
				endIngress()
			}
		})
	}
	start(&out, flows, "detection", s.detector.Run)
	start(&in, ingress, "serving peers", func(ctx context.Context) error { return server.Serve(ctx, listener, s.node.cert) })
	start(&in, ingress, "merging rules", s.engine.Run)
	start(&in, ingress, "following peers", s.exchange.Run)
	start(&in, ingress, "following files", s.follow.Run)
	start(&in, ingress, "keeping the membership", s.tend)
	start(&in, ingress, "indexing objects", s.search.Run)
	start(&in, ingress, "appending to the own log", s.watchLog)
	serving()
	<-ingress.Done()
	in.Wait()
	endFlows()
	out.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return nil
	}
}

// unlessEnded is err, but for what the end of ctx itself brings about.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))) {
		return nil
	}
	return err
}

// watchLog fails when the sequencer stops by itself: it may not sign any more, or cannot tell whether it may.
// The next start finds out, and opens a new incarnation in doubt; going on without would be falling silent.
func (s *session) watchLog(ctx context.Context) error {
	select {
	case <-s.logDone:
		return s.stopLog()
	case <-ctx.Done():
		return nil
	}
}

// guardWarnings says when the guard cannot do its work.
func guardWarnings(cfg config.Config) []string {
	same, err := guard.SameDisk(cfg.Data, cfg.Guard)
	if err != nil || !same {
		return nil
	}
	return []string{"the guard is on the same disk as the data folder: a restored image would take it along; set guard to another place in the configuration"}
}

// appender appends what publish builds (publish.Log).
type appender struct{ *session }

func (a appender) Append(ctx context.Context, build func(tx publish.Tx, log string, next uint64) ([][]byte, error)) error {
	_, err := a.log.Append(ctx, func(tx *sqlite.Tx, b *memberlog.Batch) error {
		// What is acknowledged in an alliance that was just left would be shared with nobody.
		if own, err := tx.Meta(metaLog); err != nil || !bytes.Equal(own, a.me.log) {
			return errors.Join(err, errLeft)
		}
		entries, err := build(tx, b.Log(), b.Next())
		if err != nil {
			return err
		}
		for _, e := range entries {
			if _, err := b.Append(e); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// mirror keeps other members' logs (exchange.Mirror).
type mirror struct{ store *sqlite.Store }

func (m mirror) Load(ctx context.Context, log string, size uint64) (f *merkle.Frontier, err error) {
	err = m.store.View(ctx, func(tx *sqlite.Tx) error {
		f, err = merkle.LoadFrontier(size, func(t merkle.Tile) ([]byte, error) { return tx.Tile(log, t.Level, t.N) })
		return err
	})
	return f, err
}

func (m mirror) Store(tx exchange.Tx, log, member string, before *merkle.Frontier, first uint64, entries [][]byte, head *federation.Head) error {
	t := any(tx).(*sqlite.Tx)
	next := before.Clone()
	leaves := make([]merkle.Hash, len(entries))
	for i, e := range entries {
		leaves[i] = merkle.LeafHash(e)
	}
	if len(entries) > 0 {
		if err := t.PutEntries(log, first, entries); err != nil {
			return err
		}
	}
	for _, tile := range next.Extend(leaves) {
		if err := t.PutTile(log, tile.Level, tile.N, tile.Hashes); err != nil {
			return err
		}
	}
	if head == nil {
		return nil
	}
	return t.PutLogHead(log, member, head.Size, head.Note)
}
