package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	sqlite "modernc.org/sqlite"
)

// conn is one connection with its prepared statements. It uses the driver without database/sql in between:
// measured on this workload an insert costs a tenth less and a lookup a quarter less, and which statement
// runs on which connection is ours to say. One goroutine uses it at a time.
type conn struct {
	raw driver.Conn
	// idle holds prepared statements by their text. A statement in use is not in it, so that a query may run
	// inside the loop over another one's rows.
	idle map[string][]driver.Stmt
	args []driver.NamedValue // reused by exec

	// logs and shelves cache numbers; emptied by every rollback, which may have taken the row back.
	logs    map[string]int64
	shelves map[shelf]int64
	// admitted is the newest copy's time of admission, 0 where it has to be looked up.
	admitted int64

	// lost is set by an error after which SQLite may have ended the transaction by itself: what would run
	// after it would run, and stay, outside of any. Nothing does until rollback.
	lost error
}

// dial opens a connection. It runs no statement: what the file is, is checked first.
func dial(path string) (*conn, error) {
	connector, err := sqlite.NewConnector(uri(path))
	if err != nil {
		return nil, wrap(err)
	}
	raw, err := connector.Connect(context.Background())
	if err != nil {
		return nil, wrap(err)
	}
	return &conn{raw: raw, idle: map[string][]driver.Stmt{}, logs: map[string]int64{}, shelves: map[shelf]int64{}}, nil
}

// uri spells a path so that no character of it is taken for a parameter.
func uri(path string) string {
	p := filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" && !strings.HasPrefix(p, "/") {
		p = "/" + p // file:/C:/data
	}
	return "file:" + (&url.URL{Path: p}).EscapedPath()
}

func (c *conn) close() error {
	var errs []error
	for _, stmts := range c.idle {
		for _, s := range stmts {
			errs = append(errs, s.Close())
		}
	}
	return wrap(errors.Join(append(errs, c.raw.Close())...))
}

func (c *conn) take(query string) (driver.Stmt, error) {
	if free := c.idle[query]; len(free) > 0 {
		c.idle[query] = free[:len(free)-1]
		return free[len(free)-1], nil
	}
	s, err := c.raw.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("preparing %.60q: %w", query, wrap(err))
	}
	return s, nil
}

func (c *conn) give(query string, s driver.Stmt) { c.idle[query] = append(c.idle[query], s) }

// failed makes an error testable and notes whether it ended the transaction.
func (c *conn) failed(err error) error {
	err = wrap(err)
	if endsTransaction(err) && c.lost == nil {
		c.lost = fmt.Errorf("transaction ended early: %w", err)
	}
	return err
}

// exec runs a statement and returns the number of rows that it changed.
func (c *conn) exec(query string, args ...any) (int64, error) {
	res, err := c.run(query, args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// insert runs an INSERT of one row and returns its integer key. RETURNING would do too, but SQLite makes a
// trigger and with it a statement journal of it: a third more time for each row.
func (c *conn) insert(query string, args ...any) (int64, error) {
	res, err := c.run(query, args)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

func (c *conn) run(query string, args []any) (driver.Result, error) {
	if c.lost != nil {
		return nil, c.lost
	}
	s, err := c.take(query)
	if err != nil {
		return nil, err
	}
	defer c.give(query, s)
	c.args = bind(c.args[:0], args)
	res, err := s.(driver.StmtExecContext).ExecContext(context.Background(), c.args)
	if err != nil {
		return nil, c.failed(err)
	}
	return res, nil
}

// query calls each for every row until it fails; a row's slices are the caller's to keep.
func (c *conn) query(query string, each func(row) error, args ...any) (err error) {
	if c.lost != nil {
		return c.lost
	}
	s, err := c.take(query)
	if err != nil {
		return err
	}
	defer c.give(query, s)
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), bind(nil, args))
	if err != nil {
		return c.failed(err)
	}
	// Closing resets the statement and repeats the error of its last step, which Next gave already.
	defer func() {
		if cerr := rows.Close(); err == nil && cerr != nil {
			err = c.failed(cerr)
		}
	}()
	r := make(row, len(rows.Columns()))
	for {
		if err := rows.Next(r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return c.failed(err)
		}
		if err := each(r); err != nil {
			return err
		}
	}
}

// one reads the only row of a query; found is false where there is none.
func (c *conn) one(query string, scan func(row), args ...any) (found bool, err error) {
	err = c.query(query, func(r row) error {
		found = true
		scan(r)
		return nil
	}, args...)
	return found, err
}

// rollback undoes the transaction. Where SQLite did so by itself the error says that there is none.
func (c *conn) rollback() error {
	c.lost = nil
	c.forget()
	_, err := c.exec("ROLLBACK")
	return err
}

// forget empties the caches of rows that may be undone.
func (c *conn) forget() {
	clear(c.logs)
	clear(c.shelves)
	c.admitted = 0
}

// remember caches a row's number.
func remember[K comparable](cache map[K]int64, key K, num int64) {
	if len(cache) >= maxRemembered {
		clear(cache)
	}
	cache[key] = num
}

// maxRemembered bounds each cache.
const maxRemembered = 4096

// script runs several statements without arguments. Settings go this way too: many take effect when they
// are prepared, so a cached statement would do nothing the second time.
func (c *conn) script(sql string) error {
	_, err := c.raw.(driver.ExecerContext).ExecContext(context.Background(), sql, nil)
	return wrap(err)
}

// pragma reads a setting that is a number.
func (c *conn) pragma(name string) (v int64, err error) {
	_, err = c.one("PRAGMA "+name, func(r row) { v = r.int(0) })
	return v, err
}

func bind(dst []driver.NamedValue, args []any) []driver.NamedValue {
	for i, a := range args {
		switch v := a.(type) {
		case int:
			a = int64(v)
		case uint8:
			a = int64(v)
		case bool:
			a = int64(0)
			if v {
				a = int64(1)
			}
		case []byte:
			if v == nil {
				a = []byte{} // absent is said by a plain nil, see orNull
			}
		}
		dst = append(dst, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return dst
}

// orNull says "absent" for a nil slice, which bind takes for an empty value.
func orNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// row is a row's values in the order of its columns: int64, string, []byte or nil.
type row []driver.Value

func (r row) int(i int) int64 {
	v, _ := r[i].(int64)
	return v
}

func (r row) text(i int) string {
	v, _ := r[i].(string)
	return v
}

// blob is never nil for a value that is there: the driver says nil for an empty one.
func (r row) blob(i int) []byte {
	v, ok := r[i].([]byte)
	if ok && v == nil {
		return []byte{}
	}
	return v
}

func (r row) bool(i int) bool { return r.int(i) != 0 }
