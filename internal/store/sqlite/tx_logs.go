package sqlite

import (
	"fmt"
)

// indexBits is the width of an entry's index within a place.
const indexBits = 40

// maxLogs bounds the log numbers that fit beside an index in 63 bits.
const maxLogs = 1<<(63-indexBits) - 1

// findLog returns a log's number, 0 where the log is unknown.
func (t *Tx) findLog(log string) (num int64, err error) {
	if t.c == nil {
		return 0, ErrDone
	}
	if num, ok := t.c.logs[log]; ok {
		return num, nil
	}
	found, err := t.one("SELECT num FROM logs WHERE id = $1", func(r row) { num = r.int(0) }, log)
	if found && err == nil {
		remember(t.c.logs, log, num)
	}
	return num, err
}

// needLog returns a log's number and gives it one where it has none.
func (t *Tx) needLog(log string) (num int64, err error) {
	if num, err = t.findLog(log); num != 0 || err != nil {
		return num, err
	}
	if log == "" {
		return 0, fmt.Errorf("a log without an id")
	}
	if num, err = t.insert("INSERT INTO logs (id) VALUES ($1)", log); err != nil {
		return 0, err
	}
	if num > maxLogs {
		return 0, fmt.Errorf("more than %d logs", maxLogs)
	}
	remember(t.c.logs, log, num)
	return num, nil
}

// place is an entry's rowid.
func place(num int64, index uint64) (int64, error) {
	if index >= 1<<indexBits {
		return 0, fmt.Errorf("entry %d is over the limit of a log", index)
	}
	return num<<indexBits | int64(index), nil
}

// LogHead returns a log's newest signed checkpoint and how many entries it covers; 0 and nil where there is
// none.
func (t *Tx) LogHead(log string) (size uint64, checkpoint []byte, err error) {
	_, err = t.one("SELECT size, checkpoint FROM logs WHERE id = $1", func(r row) {
		size, checkpoint = uint64(r.int(0)), r.blob(1)
	}, log)
	return size, checkpoint, err
}

// PutLogHead sets a log's size and checkpoint.
func (t *Tx) PutLogHead(log, member string, size uint64, checkpoint []byte) error {
	num, err := t.needLog(log)
	if err != nil {
		return err
	}
	n, err := number("log size", size)
	if err != nil {
		return err
	}
	_, err = t.exec("UPDATE logs SET member = $2, size = $3, checkpoint = $4 WHERE num = $1", num, member, n, orNull(checkpoint))
	return err
}

type logRow struct {
	num        int64
	id, member string
	size       uint64
	checkpoint []byte
}

// EachLog calls fn for every log that has a head, in the order in which they came.
func (t *Tx) EachLog(fn func(log, member string, size uint64, checkpoint []byte) error) error {
	return pages(t, func(last *logRow) (rows []logRow, err error) {
		after := int64(0)
		if last != nil {
			after = last.num
		}
		err = t.query("SELECT num, id, member, size, checkpoint FROM logs WHERE num > $1 AND checkpoint IS NOT NULL ORDER BY num LIMIT $2", func(r row) error {
			rows = append(rows, logRow{r.int(0), r.text(1), r.text(2), uint64(r.int(3)), r.blob(4)})
			return nil
		}, after, pageRows)
		return rows, err
	}, func(l logRow) error { return fn(l.id, l.member, l.size, l.checkpoint) })
}

// Entry returns an entry's bytes; the error wraps fs.ErrNotExist where it is not held.
func (t *Tx) Entry(log string, index uint64) (data []byte, err error) {
	num, err := t.findLog(log)
	if err != nil {
		return nil, err
	}
	if num == 0 || index >= 1<<indexBits {
		return nil, missing("entry %d of %s", index, log)
	}
	found, err := t.one("SELECT data FROM entries WHERE place = $1", func(r row) { data = r.blob(0) }, num<<indexBits|int64(index))
	if err == nil && !found {
		err = missing("entry %d of %s", index, log)
	}
	return data, err
}

// errEnough ends a query early.
var errEnough = fmt.Errorf("enough")

// Entries returns consecutive entries from index from on, before index to, as many as fit maxBytes but at
// least one. It ends at the first entry that is not held; without a single one the error wraps
// fs.ErrNotExist.
func (t *Tx) Entries(log string, from, to uint64, maxBytes int) (entries [][]byte, err error) {
	num, err := t.findLog(log)
	if err != nil {
		return nil, err
	}
	to = min(to, 1<<indexBits)
	if num == 0 || from >= to {
		return nil, missing("entries %d to %d of %s", from, to, log)
	}
	next, total := num<<indexBits|int64(from), 0
	err = t.query("SELECT place, data FROM entries WHERE place >= $1 AND place < $2 ORDER BY place", func(r row) error {
		data := r.blob(1)
		if total += len(data); r.int(0) != next || total > maxBytes && len(entries) > 0 {
			return errEnough
		}
		entries = append(entries, data)
		next++
		return nil
	}, next, num<<indexBits+int64(to))
	if err == errEnough {
		err = nil
	}
	if err == nil && len(entries) == 0 {
		err = missing("entry %d of %s", from, log)
	}
	return entries, err
}

// PutEntries writes consecutive entries; one that is there already is an error, for entries never change.
func (t *Tx) PutEntries(log string, first uint64, entries [][]byte) error {
	num, err := t.needLog(log)
	if err != nil {
		return err
	}
	for i, data := range entries {
		p, err := place(num, first+uint64(i))
		if err != nil {
			return err
		}
		if _, err := t.exec("INSERT INTO entries (place, data) VALUES ($1, $2)", p, data); err != nil {
			return fmt.Errorf("writing entry %d of %s: %w", first+uint64(i), log, err)
		}
	}
	return nil
}

// Tile returns a tile's hashes; nil where it is not held.
func (t *Tx) Tile(log string, level int, n uint64) (hashes []byte, err error) {
	num, err := t.findLog(log)
	if err != nil || num == 0 {
		return nil, err
	}
	at, err := number("tile", n)
	if err != nil {
		return nil, err
	}
	_, err = t.one("SELECT hashes FROM tiles WHERE log = $1 AND level = $2 AND n = $3", func(r row) { hashes = r.blob(0) }, num, level, at)
	return hashes, err
}

// PutTile writes a tile, in place of a narrower one.
func (t *Tx) PutTile(log string, level int, n uint64, hashes []byte) error {
	num, err := t.needLog(log)
	if err != nil {
		return err
	}
	at, err := number("tile", n)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO tiles (log, level, n, hashes) VALUES ($1, $2, $3, $4)
		ON CONFLICT (log, level, n) DO UPDATE SET hashes = excluded.hashes`, num, level, at, hashes)
	return err
}

// PutPending notes that an entry's blob is still to be fetched.
func (t *Tx) PutPending(log string, index uint64, hash []byte) error {
	num, err := t.needLog(log)
	if err != nil {
		return err
	}
	i, err := number("entry", index)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO pending (log, idx, hash) VALUES ($1, $2, $3) ON CONFLICT (log, idx) DO UPDATE SET hash = excluded.hash", num, i, hash)
	return err
}

type pendingRow struct {
	index int64
	hash  []byte
}

// EachPending calls fn for every entry of a log whose blob is still to be fetched, by index.
func (t *Tx) EachPending(log string, fn func(index uint64, hash []byte) error) error {
	num, err := t.findLog(log)
	if err != nil || num == 0 {
		return err
	}
	return pages(t, func(last *pendingRow) (rows []pendingRow, err error) {
		after := int64(-1)
		if last != nil {
			after = last.index
		}
		err = t.query("SELECT idx, hash FROM pending WHERE log = $1 AND idx > $2 ORDER BY idx LIMIT $3", func(r row) error {
			rows = append(rows, pendingRow{r.int(0), r.blob(1)})
			return nil
		}, num, after, pageRows)
		return rows, err
	}, func(p pendingRow) error { return fn(uint64(p.index), p.hash) })
}

// DropPending forgets a blob to be fetched.
func (t *Tx) DropPending(log string, index uint64) error {
	num, err := t.findLog(log)
	if err != nil || num == 0 {
		return err
	}
	i, err := number("entry", index)
	if err != nil {
		return err
	}
	_, err = t.exec("DELETE FROM pending WHERE log = $1 AND idx = $2", num, i)
	return err
}

// Blob returns a blob's ciphertext; the error wraps fs.ErrNotExist where it is not held.
func (t *Tx) Blob(hash []byte) (data []byte, err error) {
	found, err := t.one("SELECT data FROM blobs WHERE hash = $1", func(r row) { data = r.blob(0) }, hash)
	if err == nil && !found {
		err = missing("blob %x", hash)
	}
	return data, err
}

// PutBlob keeps a blob's ciphertext.
func (t *Tx) PutBlob(hash, data []byte) error {
	_, err := t.exec("INSERT INTO blobs (hash, data) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING", hash, data)
	return err
}
