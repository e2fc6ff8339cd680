// Package sqlite keeps a node's state in one SQLite file (modernc.org/sqlite, no cgo): logs, objects,
// membership and everything that must change together with them. One goroutine writes, in groups of units
// that share a commit; a pool of connections reads snapshots.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// Options tune a store; the zero value is good.
type Options struct {
	// Now is the clock; time.Now where nil. It stamps rows and bounds the work of a group.
	Now func() time.Time
	// Readers is the number of snapshots that may be read at a time; 0 means by the number of processors.
	Readers int
}

const (
	// busyTimeout is how long a lock held by another process (a backup tool, a curious operator) is waited
	// for, in milliseconds; our own connections never hold one another up.
	busyTimeout = 5000
	// writerCache and readerCache are page caches in KiB.
	writerCache = 16 << 10
	readerCache = 2 << 10
	minReaders  = 4
)

// Store is a node's state. It is safe for concurrent use. Open starts no goroutine; the first Update starts
// the writer, which Close joins, so that units run during startup as they do later.
type Store struct {
	path string
	now  func() time.Time

	w       *writer
	readers chan *conn // a nil element is a connection not opened yet

	closing   sync.Once
	closeErr  error
	closedAll chan struct{}
}

// Open opens the database at path, makes it where there is none and migrates an older one. The file and
// its companions can be read by its owner alone. One process owns the file: the caller holds a lock.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	s, err := loadSchema(schemaFiles)
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	return open(ctx, path, opts, s)
}

func open(ctx context.Context, path string, opts Options, schema *schema) (_ *Store, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Readers <= 0 {
		opts.Readers = max(minReaders, 2*runtime.GOMAXPROCS(0))
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("making %s: %w", path, err)
	}
	c, err := dial(path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if err := c.script(fmt.Sprintf("PRAGMA busy_timeout = %d", busyTimeout)); err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	if err := schema.prepare(c, path); err != nil {
		return nil, err
	}
	if err := configure(c); err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	st := &Store{path: path, now: opts.Now, readers: make(chan *conn, opts.Readers), closedAll: make(chan struct{})}
	for range opts.Readers {
		st.readers <- nil
	}
	st.w = newWriter(c, opts.Now)
	return st, nil
}

// configure sets the writing connection up.
func configure(c *conn) error {
	var mode string
	if _, err := c.one("PRAGMA journal_mode = wal", func(r row) { mode = r.text(0) }); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the file system does not support a write-ahead log (journal mode stays %q)", mode)
	}
	// temp_store: savepoints keep the pages they may have to put back in memory instead of a temporary file.
	// synchronous: where the writer starts from, see writer.begin.
	// wal_autocheckpoint: the writer decides when, see writer.checkpoint.
	return c.script(fmt.Sprintf("PRAGMA synchronous = NORMAL; PRAGMA temp_store = memory; PRAGMA cache_size = -%d; PRAGMA wal_autocheckpoint = 0", writerCache))
}

// create makes an empty file that only its owner may read; SQLite gives its companions the same mode.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Update runs fn in a write transaction and returns once it is committed, without waiting for the disk:
// after a power cut the last such units may be gone, in order, as if they had never run. If fn fails,
// nothing of it is kept and its error is returned.
//
// fn runs at most once, on the writer's goroutine, in a transaction shared with other units; it should not
// take more than some 10 ms and must not call Update. Where ctx ends before fn has begun, Update gives up;
// afterwards it waits for the outcome.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	return s.w.submit(ctx, fn, false)
}

// UpdateDurable is Update that returns after the fsync: what fn wrote survives a power cut. It goes ahead
// of units queued by Update.
func (s *Store) UpdateDurable(ctx context.Context, fn func(*Tx) error) error {
	return s.w.submit(ctx, fn, true)
}

// View runs fn in a read-only snapshot, at the same time as other readers and the writer. It waits while all
// Readers are taken, so fn must not call View itself.
func (s *Store) View(ctx context.Context, fn func(*Tx) error) error {
	if ctx.Err() != nil {
		return queued(ctx)
	}
	select {
	case <-s.closedAll:
		return ErrClosed
	case <-ctx.Done():
		return queued(ctx)
	case c := <-s.readers:
		if c == nil {
			var err error
			if c, err = s.openReader(); err != nil {
				s.readers <- nil
				return fmt.Errorf("opening %s to read: %w", s.path, err)
			}
		}
		err, sound := c.view(&Tx{c: c, ctx: ctx, now: s.now}, fn)
		if !sound {
			err = errors.Join(err, c.close())
			c = nil // the next reader opens a new one
		}
		s.readers <- c
		return err
	}
}

func (s *Store) openReader() (*conn, error) {
	c, err := dial(s.path)
	if err != nil {
		return nil, err
	}
	if err := c.script(fmt.Sprintf("PRAGMA busy_timeout = %d; PRAGMA query_only = 1; PRAGMA temp_store = memory; PRAGMA cache_size = -%d", busyTimeout, readerCache)); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// view runs fn in a snapshot; sound says that the connection can be used again.
func (c *conn) view(tx *Tx, fn func(*Tx) error) (err error, sound bool) {
	if _, err := c.exec("BEGIN"); err != nil {
		return err, false
	}
	err = fn(tx)
	tx.c = nil
	return err, c.rollback() == nil
}

// Close lets the units that are queued run, refuses new ones, waits for readers and closes the file.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.w.stop()
		close(s.closedAll)
		for range cap(s.readers) {
			if c := <-s.readers; c != nil {
				s.closeErr = errors.Join(s.closeErr, c.close())
			}
		}
		// Last, so that SQLite can fold the write-ahead log into the file and remove it.
		if err := s.w.c.close(); err != nil {
			s.closeErr = errors.Join(s.closeErr, err)
		}
		if s.closeErr != nil {
			s.closeErr = fmt.Errorf("closing %s: %w", s.path, s.closeErr)
		}
	})
	return s.closeErr
}
