// Package node puts a member together: it owns the data folder, opens keys and store, wires the flows to one
// another and to the edges, and runs them until it is told to stop. Crash and clean stop lead to the same
// next start.
package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"shieldwall/internal/api"
	"shieldwall/internal/config"
	"shieldwall/internal/control"
	"shieldwall/internal/keys"
	"shieldwall/internal/peer"
	"shieldwall/internal/store/sqlite"
	"shieldwall/internal/taxii"
	"shieldwall/internal/web"
)

// Files of the data folder that the node itself names.
const (
	lockFile  = "lock"
	storeFile = "shieldwall.db"
)

var (
	// ErrInUse says that another process owns the data folder.
	ErrInUse = errors.New("another process owns the data folder")
	// ErrEmpty says that no node lives in the data folder.
	ErrEmpty = errors.New("no node lives in the data folder")
)

// Options are what a node is opened with.
type Options struct {
	Config config.Config
	// Passphrase is asked once, on a first start, for the recovery kit's; nil refuses an empty folder.
	Passphrase func() (string, error)
	// Iterations is the work of the kit's key derivation; 0 = the default. An exercise takes less.
	Iterations int
	Version    string
	Log        *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// NoPage leaves out the page, its listener and the control socket: a node of an exercise has neither.
	NoPage bool
}

// Ready is where a running node is to be found.
type Ready struct {
	PageLink string // opens the page once: it carries a secret
	Peer     string
	Member   string
	Alliance string
	Created  bool // this start made the member
}

// Node is one member's node.
type Node struct {
	cfg     config.Config
	log     *slog.Logger
	now     func() time.Time
	version string
	noPage  bool
	created bool
	started time.Time

	lock  *flock.Flock
	store *sqlite.Store
	keys  *keys.Keys
	cert  tls.Certificate

	current atomic.Pointer[session]
	restart chan chan error // Join asks the running node for a new session
	page    *web.Page
	pageURL string
	// taxiiURL is where TAXII clients begin; empty where none are served.
	taxiiURL string

	meters meters

	mu      sync.Mutex    // guards the fields below
	peerOn  string        // the address on which peers are served
	running chan struct{} // closed when Run returns; nil while it does not run
	closed  bool
}

// Open takes the data folder's lock and opens what is in it; an empty folder is filled first. Nothing runs
// yet but the own log's sequencer, so that a single command can publish.
func Open(ctx context.Context, opt Options) (_ *Node, err error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	data := opt.Config.Data
	if _, err := os.Stat(data); errors.Is(err, os.ErrNotExist) && opt.Passphrase == nil {
		return nil, ErrEmpty
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	n := &Node{
		cfg: opt.Config, log: opt.Log, now: opt.Now, version: opt.Version, noPage: opt.NoPage,
		started: opt.Now(), restart: make(chan chan error), lock: flock.New(filepath.Join(data, lockFile), flock.SetPermissions(0o600)),
	}
	if locked, err := n.lock.TryLock(); err != nil {
		return nil, fmt.Errorf("locking the data folder: %w", err)
	} else if !locked {
		return nil, ErrInUse
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if n.keys, n.created, err = openKeys(opt); err != nil {
		return nil, err
	}
	if n.cert, err = n.keys.Certificate(); err != nil {
		return nil, err
	}
	if n.store, err = sqlite.Open(ctx, filepath.Join(data, storeFile), sqlite.Options{Now: opt.Now}); err != nil {
		return nil, err
	}
	if _, known, err := loadSelf(ctx, n.store); err != nil {
		return nil, err
	} else if !known {
		if err := found(ctx, opt, n.keys, n.store); err != nil {
			return nil, err
		}
	}
	s, err := openSession(ctx, n)
	if err != nil {
		return nil, err
	}
	n.current.Store(s)
	return n, nil
}

// Close gives the data folder back. Run must have ended.
func (n *Node) Close() error {
	n.mu.Lock()
	closed := n.closed
	n.closed = true
	n.mu.Unlock()
	if closed {
		return nil
	}
	var errs []error
	if s := n.current.Load(); s != nil {
		errs = append(errs, s.close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	return errors.Join(append(errs, n.lock.Unlock())...)
}

// Run serves until ctx ends, which is no error. ready is called once, when everything serves.
func (n *Node) Run(ctx context.Context, ready func(Ready)) error {
	defer n.begin()()
	asked := ctx // its end is what was asked for, whatever its cause says: a signal's is an error
	ctx, fail := context.WithCancelCause(ctx)
	var edges sync.WaitGroup
	defer edges.Wait()
	defer fail(nil)
	if !n.noPage {
		if err := errors.Join(n.serveLocal(ctx, &edges, fail), n.serveTAXII(ctx, &edges, fail)); err != nil {
			return err
		}
	}
	for first := true; ; first = false {
		again, err := n.runSession(ctx, first, ready)
		if again == nil {
			if err == nil && asked.Err() == nil {
				err = context.Cause(ctx)
			}
			return err
		}
		err = n.reopen(ctx, err)
		again <- err
		if asked.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// begin notes that Run runs; what it returns notes the end.
func (n *Node) begin() (end func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	running := make(chan struct{})
	n.running = running
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.running = nil
		close(running)
	}
}

// runSession runs the current session until ctx ends or a join asks for another; the channel that it
// returns then waits for the outcome.
func (n *Node) runSession(ctx context.Context, first bool, ready func(Ready)) (again chan error, err error) {
	s := n.current.Load()
	sctx, stop := context.WithCancel(ctx)
	defer stop()
	serving := make(chan struct{})
	done := make(chan error, 1)
	go func() { done <- s.run(sctx, func() { close(serving) }) }()
	go func() {
		select {
		case <-serving:
			if first && ready != nil {
				ready(n.ready(s))
			}
		case <-sctx.Done():
		}
	}()
	select {
	case err := <-done:
		return nil, err
	case again = <-n.restart:
		stop()
		return again, <-done
	}
}

// reopen closes the session that ended and opens the next. Where it fails there is none: the node has to be
// closed.
func (n *Node) reopen(ctx context.Context, ended error) error {
	old := n.current.Load()
	if err := errors.Join(ended, old.close()); err != nil {
		return fmt.Errorf("leaving the old alliance: %w", err)
	}
	s, err := openSession(ctx, n)
	if err != nil {
		return fmt.Errorf("entering the new alliance: %w", err)
	}
	n.current.Store(s)
	return nil
}

func (n *Node) ready(s *session) Ready {
	r := Ready{Peer: n.peerAddr(), Member: s.me.member, Alliance: s.roll.Now().Roster.Name, Created: n.created}
	if n.page != nil {
		r.PageLink = n.page.NewLink()
	}
	return r
}

// peerAddr is the address on which peers are served; empty before.
func (n *Node) peerAddr() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.peerOn
}

// relisten is how long a node waits for the address that it had a moment ago: a connection of somebody else may
// have been given its port meanwhile.
const relisten = 10 * time.Second

// listenPeers listens for peers, on the same address as before after a restart of the session.
func (n *Node) listenPeers(ctx context.Context) (net.Listener, error) {
	addr, patience := n.peerAddr(), relisten
	if addr == "" {
		addr, patience = n.cfg.Peer.Listen, 0
	}
	l, err := net.Listen("tcp", addr)
	for until := time.Now().Add(patience); err != nil && time.Now().Before(until) && ctx.Err() == nil; {
		time.Sleep(20 * time.Millisecond)
		l, err = net.Listen("tcp", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("listening for peers: %w", err)
	}
	n.mu.Lock()
	n.peerOn = l.Addr().String()
	n.mu.Unlock()
	return l, nil
}

// serveLocal starts the page and the control socket: both are for this machine's own people.
func (n *Node) serveLocal(ctx context.Context, wg *sync.WaitGroup, fail context.CancelCauseFunc) error {
	page, err := net.Listen("tcp", n.cfg.Page.Listen)
	if err != nil {
		return fmt.Errorf("listening for the page: %w", err)
	}
	n.pageURL = "http://" + page.Addr().String()
	n.page = web.Handler(source{n}, web.Options{Base: n.pageURL, Hosts: n.cfg.Page.Hosts, LinkCommand: "shieldwall status --link", Now: n.now, Log: n.log})
	socket, err := control.Listen(n.cfg.Data)
	if err != nil {
		return errors.Join(err, page.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("/", n.page)
	if n.cfg.Ingest.JSONL.Enabled {
		mux.Handle("/ingest/jsonl", n.ingestHandler())
	}
	// Elsewhere tokens would cross the network in clear: there TAXII wants an address of its own, with TLS.
	if n.cfg.TAXII.Enabled && n.cfg.TAXII.Listen == "" {
		if at, tcp := page.Addr().(*net.TCPAddr); tcp && at.IP.IsLoopback() {
			mux.Handle(taxii.Path, n.taxiiHandler())
			mux.Handle(api.Path, n.apiHandler())
			n.taxiiURL = n.pageURL + taxii.Path
		} else {
			n.log.Warn("TAXII and the API are not served: the page's address is not loopback; give TAXII one of its own with TLS (taxii.listen)")
		}
	}
	for l, h := range map[net.Listener]http.Handler{page: mux, socket: control.Handler(n)} {
		wg.Go(func() {
			if err := serveHTTP(ctx, l, h, n.log); err != nil {
				fail(fmt.Errorf("serving %s: %w", l.Addr(), err))
			}
		})
	}
	return nil
}

// serveHTTP serves until ctx ends, then lets requests at work finish for a moment.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if srv.Shutdown(stop) != nil {
			srv.Close()
		}
	}()
	err := srv.Serve(l)
	if ctx.Err() == nil {
		return err
	}
	<-stopped
	return nil
}

// meters counts the bytes on the wire of all connections with peers.
type meters struct {
	mu      sync.Mutex // guards the fields below
	live    map[*peer.Meter]bool
	in, out int64 // of those that were settled
}

func (m *meters) add(x *peer.Meter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live == nil {
		m.live = map[*peer.Meter]bool{}
	}
	m.live[x] = true
}

// settle takes over what a meter counted that counts no more: members come with new cards time and again.
func (m *meters) settle(x *peer.Meter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live[x] {
		delete(m.live, x)
		in, out := x.Totals()
		m.in, m.out = m.in+in, m.out+out
	}
}

func (m *meters) totals() (in, out int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	in, out = m.in, m.out
	for x := range m.live {
		i, o := x.Totals()
		in, out = in+i, out+o
	}
	return in, out
}

// Traffic is what crossed the wire between this node and its peers, in bytes, since it was opened.
func (n *Node) Traffic() (in, out int64) { return n.meters.totals() }
