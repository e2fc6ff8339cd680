package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"shieldwall/internal/object"
)

// Tx is a transaction: a unit of Update or the snapshot of View, whose writes fail. It is valid while its
// function runs and is not safe for concurrent use. Methods named Each call back between queries, so the
// callback may use the transaction, and end early with the callback's error.
type Tx struct {
	c   *conn // nil once the function has returned
	ctx context.Context
	now func() time.Time
	// definitions are the copies of marking definitions that were asked for: in an import nearly every object asks for
	// the same one.
	definitions map[object.Key][]object.Copy
}

// pageRows is the number of rows that an Each method holds at a time.
const pageRows = 128

func (t *Tx) exec(query string, args ...any) (int64, error) {
	if t.c == nil {
		return 0, ErrDone
	}
	return t.c.exec(query, args...)
}

func (t *Tx) insert(query string, args ...any) (int64, error) {
	if t.c == nil {
		return 0, ErrDone
	}
	return t.c.insert(query, args...)
}

func (t *Tx) query(query string, each func(row) error, args ...any) error {
	if t.c == nil {
		return ErrDone
	}
	return t.c.query(query, each, args...)
}

func (t *Tx) one(query string, scan func(row), args ...any) (bool, error) {
	if t.c == nil {
		return false, ErrDone
	}
	return t.c.one(query, scan, args...)
}

// pages reads a query page by page: page runs it for the rows after the last one seen and returns how many
// it got. No statement is open while callbacks run, so that they may write to what is being read.
func pages[R any](t *Tx, page func(last *R) ([]R, error), fn func(R) error) error {
	var last *R
	for {
		if err := t.ctx.Err(); err != nil {
			return err
		}
		rows, err := page(last)
		if err != nil {
			return err
		}
		for i := range rows {
			if err := fn(rows[i]); err != nil {
				return err
			}
		}
		if len(rows) < pageRows {
			return nil
		}
		last = &rows[len(rows)-1]
	}
}

// Savepoint runs fn; if it fails, its writes and only those are undone and its error is returned. Where
// that cannot be done the transaction is lost: everything after it fails, and so does the unit.
func (t *Tx) Savepoint(fn func() error) error {
	if t.c == nil {
		return ErrDone
	}
	own, lost := t.c.savepoint(fn)
	if own != nil {
		t.definitions = nil
		return own
	}
	return lost
}

// Meta reads a single value; nil where there is none.
func (t *Tx) Meta(key string) (value []byte, err error) {
	_, err = t.one("SELECT value FROM meta WHERE key = $1", func(r row) { value = r.blob(0) }, key)
	return value, err
}

// PutMeta sets a single value.
func (t *Tx) PutMeta(key string, value []byte) error {
	_, err := t.exec("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
	return err
}

// micros is how times are stored.
func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(v int64) time.Time { return time.UnixMicro(v).UTC() }

// number checks that v fits the database's signed integers.
func number(what string, v uint64) (int64, error) {
	if v > math.MaxInt64 {
		return 0, fmt.Errorf("%s %d is over the limit", what, v)
	}
	return int64(v), nil
}

// list and fromList keep a list of names in one column.
func list(names []string) (string, error) {
	if names == nil {
		names = []string{}
	}
	b, err := json.Marshal(names)
	return string(b), err
}

func fromList(s string) (names []string, err error) {
	err = json.Unmarshal([]byte(s), &names)
	return names, err
}
