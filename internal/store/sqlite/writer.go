package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	driver "modernc.org/sqlite"
)

// Limits of the writer.
const (
	// queueLen bounds the units that wait, of each kind; a caller beyond it waits to get in.
	queueLen = 256
	// groupUnits and groupWork bound the units of one commit, so that the first of them is not held up by
	// the last. A unit that has begun is finished.
	groupUnits = 256
	groupWork  = 10 * time.Millisecond
	// idlePages and maxPages bound the write-ahead log, in pages of 4 KiB: from idlePages on it is folded into
	// the file when nothing waits, from maxPages on at once. Some 16 MiB keeps the pauses of a busy node to
	// one in several hundred commits.
	idlePages = 4 << 10
	maxPages  = 16 << 10
)

// unit is one call of Update.
type unit struct {
	fn    func(*Tx) error
	state atomic.Int32 // waiting, then taken by the writer or given up by its caller
	done  chan error   // buffered: the writer never waits for a caller
	err   error        // set by the writer
}

const (
	waiting int32 = iota
	taken
	givenUp
)

func (u *unit) take() bool { return u.state.CompareAndSwap(waiting, taken) }

// writer owns the writing connection. Its goroutine takes units from two queues and commits them in groups.
type writer struct {
	c   *conn
	now func() time.Time

	durable, plain chan *unit
	start          sync.Once
	closing        chan struct{} // closed: no more units
	stopped        chan struct{} // closed: the goroutine has ended
	stopOnce       sync.Once

	// The rest belongs to the goroutine.
	synced bool  // synchronous = FULL
	pages  int   // pages written since the last complete checkpoint
	broken error // a failed sync; nothing is accepted any more
}

func newWriter(c *conn, now func() time.Time) *writer {
	return &writer{
		c: c, now: now, durable: make(chan *unit, queueLen), plain: make(chan *unit, queueLen),
		closing: make(chan struct{}), stopped: make(chan struct{}),
	}
}

// submit queues a unit and waits for its outcome.
func (w *writer) submit(ctx context.Context, fn func(*Tx) error, durable bool) error {
	if ctx.Err() != nil {
		return queued(ctx)
	}
	w.start.Do(func() { go w.run() })
	u := &unit{fn: fn, done: make(chan error, 1)}
	queue := w.plain
	if durable {
		queue = w.durable
	}
	select {
	case <-w.closing:
		return ErrClosed
	default:
	}
	select {
	case queue <- u:
	case <-ctx.Done():
		return queued(ctx)
	case <-w.closing:
		return ErrClosed
	}
	select {
	case err := <-u.done:
		return err
	case <-ctx.Done():
		if u.state.CompareAndSwap(waiting, givenUp) {
			return queued(ctx)
		}
		return <-u.done
	case <-w.stopped:
		// It got in while the writer left.
		if u.state.CompareAndSwap(waiting, givenUp) {
			return ErrClosed
		}
		return <-u.done
	}
}

// stop lets the queued units run and joins the goroutine.
func (w *writer) stop() {
	w.stopOnce.Do(func() { close(w.closing) })
	w.start.Do(func() { close(w.stopped) }) // it never ran
	<-w.stopped
}

// run is the writer's goroutine. Durable units go first; between two groups of them one plain unit may
// run, so that neither kind starves.
func (w *writer) run() {
	defer close(w.stopped)
	for {
		if u := poll(w.durable); u != nil {
			w.group(u, w.durable, func() bool { return false })
		}
		if u := poll(w.plain); u != nil {
			w.group(u, w.plain, func() bool { return len(w.durable) > 0 })
		}
		if len(w.durable)+len(w.plain) > 0 {
			if w.pages >= maxPages {
				w.checkpoint()
			}
			continue
		}
		if w.pages >= idlePages {
			w.checkpoint()
		}
		select {
		case u := <-w.durable:
			w.group(u, w.durable, func() bool { return false })
		case u := <-w.plain:
			w.group(u, w.plain, func() bool { return len(w.durable) > 0 })
		case <-w.closing:
			if len(w.durable)+len(w.plain) == 0 {
				return
			}
		}
	}
}

func poll(queue chan *unit) *unit {
	select {
	case u := <-queue:
		return u
	default:
		return nil
	}
}

// group runs first and what waits behind it as one SQL transaction, within the limits and until enough
// says so, and tells each caller.
func (w *writer) group(first *unit, queue chan *unit, enough func() bool) {
	var units []*unit
	err := w.broken
	if err == nil {
		err = w.begin(queue == w.durable)
	}
	began := w.now()
	for u := first; u != nil; u = poll(queue) {
		if !u.take() {
			continue // its caller gave up
		}
		units = append(units, u)
		if err == nil {
			err = w.unit(u, len(units) == 1)
		}
		if len(units) >= groupUnits || w.now().Sub(began) >= groupWork || enough() {
			break
		}
	}
	if err == nil {
		_, err = w.c.exec("COMMIT")
	}
	if err != nil {
		err = w.abort(err)
	}
	w.count()
	for _, u := range units {
		if u.err == nil {
			u.err = err
		}
		u.done <- u.err
	}
}

// begin opens the transaction. Whether its commit waits for the disk cannot change once it is open.
func (w *writer) begin(durable bool) error {
	if durable != w.synced {
		level := "NORMAL"
		if durable {
			level = "FULL"
		}
		if err := w.c.script("PRAGMA synchronous = " + level); err != nil {
			return fmt.Errorf("setting synchronous: %w", err)
		}
		w.synced = durable
	}
	if _, err := w.c.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	return nil
}

// unit runs one unit and keeps its own error in it. The error returned is one that ends the whole group.
// The first unit needs no savepoint, which for a large one saves the copies of the pages that it changes:
// if it fails, the transaction begins anew.
func (w *writer) unit(u *unit, first bool) (lost error) {
	tx := &Tx{c: w.c, ctx: context.Background(), now: w.now}
	defer func() { tx.c = nil }()
	if !first {
		u.err, lost = w.c.savepoint(func() error { return u.fn(tx) })
		return lost
	}
	if u.err = u.fn(tx); u.err == nil {
		return w.c.lost // an error that the unit did not pass on
	}
	_ = w.c.rollback() // if it could not be undone, nothing new begins
	_, err := w.c.exec("BEGIN IMMEDIATE")
	return err
}

// abort ends a group that failed as a whole.
func (w *writer) abort(err error) error {
	// Its own error is that SQLite was first, or the next group's BEGIN fails and says why.
	_ = w.c.rollback()
	if errors.Is(err, ErrBroken) && w.broken == nil {
		w.broken = err
	}
	return fmt.Errorf("committing: %w", err)
}

// savepoint runs fn and undoes its writes where it fails, which own says. lost says that the transaction
// cannot be kept: a full disk, for one, may end it, and then there is no savepoint to go back to.
func (c *conn) savepoint(fn func() error) (own, lost error) {
	if _, err := c.exec("SAVEPOINT unit"); err != nil {
		return nil, fmt.Errorf("opening a savepoint: %w", err)
	}
	if own = fn(); own != nil {
		c.forget()
		if _, err := c.exec("ROLLBACK TO unit"); err != nil {
			return own, fmt.Errorf("going back to a savepoint: %w", err)
		}
	}
	if _, err := c.exec("RELEASE unit"); err != nil {
		return own, fmt.Errorf("releasing a savepoint: %w", err)
	}
	return own, nil
}

// count adds up the pages that commits wrote.
func (w *writer) count() {
	if n, _, err := w.c.raw.(driver.DBStatus).Status(driver.DBStatusCacheWrite, true); err == nil {
		w.pages += n
	}
}

// checkpoint folds the write-ahead log into the file as far as readers allow. A failure is no loss: the log
// stays and the next attempt has more to do.
func (w *writer) checkpoint() {
	w.pages = 0
	_ = w.c.query("PRAGMA wal_checkpoint(PASSIVE)", func(row) error { return nil })
	w.count()
}
