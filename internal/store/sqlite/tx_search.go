package sqlite

import (
	"encoding/binary"
	"fmt"
	"time"

	"shieldwall/internal/object"
)

// metaSearch keeps how far the index of search is: the seq of the last copy that it has, eight bytes.
const metaSearch = "search"

// IndexedTo is the seq of the last copy that the index has, and of the last that there is.
func (t *Tx) IndexedTo() (indexed, last int64, err error) {
	raw, err := t.Meta(metaSearch)
	if err != nil {
		return 0, 0, err
	}
	if len(raw) == 8 {
		indexed = int64(binary.BigEndian.Uint64(raw))
	}
	_, err = t.one("SELECT seq FROM copies ORDER BY seq DESC LIMIT 1", func(r row) { last = r.int(0) })
	return indexed, last, err
}

// CopiesAfter returns the copies behind a seq in their order, at most limit, and as many as fit maxBytes but at
// least one.
func (t *Tx) CopiesAfter(seq int64, limit, maxBytes int) (copies []object.Filed, err error) {
	total := 0
	err = t.query("SELECT "+filedColumns+", c.raw FROM copies c JOIN shelves s ON s.id = c.shelf WHERE c.seq > $1 ORDER BY c.seq LIMIT $2", func(r row) error {
		f := scanFiled(r)
		f.Raw = r.blob(12)
		if total += len(f.Raw); total > maxBytes && len(copies) > 0 {
			return errEnough
		}
		copies = append(copies, f)
		return nil
	}, seq, limit)
	if err == errEnough {
		err = nil
	}
	return copies, err
}

// Index adds a copy to the index of search: words where they stand, and keys.
func (t *Tx) Index(seq int64, name, text, pattern, keys string) error {
	_, err := t.exec("INSERT INTO search (rowid, name, text, pattern, keys) VALUES ($1, $2, $3, $4, $5)", seq, name, text, pattern, keys)
	return err
}

// PutIndexedTo says how far the index is; it does not go back but by ForgetIndex.
func (t *Tx) PutIndexedTo(seq int64) error {
	return t.PutMeta(metaSearch, binary.BigEndian.AppendUint64(nil, uint64(seq)))
}

// ForgetIndex empties the index of search, which is made again from the first copy on: copies stand on other
// shelves or are somebody else's now.
func (t *Tx) ForgetIndex() error {
	if _, err := t.exec("INSERT INTO search (search) VALUES ('delete-all')"); err != nil {
		return fmt.Errorf("emptying the index of search: %w", err)
	}
	return t.PutIndexedTo(0)
}

// Matching returns the seqs above and below which an expression of FTS5 finds, the newest first, at most limit.
func (t *Tx) Matching(expr string, above, below int64, limit int) (seqs []int64, err error) {
	err = t.query("SELECT rowid FROM search WHERE search MATCH $1 AND rowid > $2 AND rowid < $3 ORDER BY rowid DESC LIMIT $4", func(r row) error {
		seqs = append(seqs, r.int(0))
		return nil
	}, expr, above, below, limit)
	return seqs, err
}

// FiledAt returns a copy as it is filed, with its body; the error wraps fs.ErrNotExist where there is none.
func (t *Tx) FiledAt(seq int64) (f object.Filed, err error) {
	found, err := t.one("SELECT "+filedColumns+", c.raw FROM copies c JOIN shelves s ON s.id = c.shelf WHERE c.seq = $1", func(r row) {
		f = scanFiled(r)
		f.Raw = r.blob(12)
	}, seq)
	if err == nil && !found {
		err = missing("copy %d", seq)
	}
	return f, err
}

// SeqAt is the first seq that was admitted at or after a time; times rise with seqs.
func (t *Tx) SeqAt(at time.Time) (int64, error) {
	_, last, err := t.IndexedTo()
	if err != nil {
		return 0, err
	}
	lo, hi := int64(1), last+1 // lo is not after the one looked for
	for want := micros(at); lo < hi; {
		mid := lo + (hi-lo)/2
		admitted, seq := int64(0), int64(0)
		found, err := t.one("SELECT seq, admitted FROM copies WHERE seq >= $1 ORDER BY seq LIMIT 1", func(r row) { seq, admitted = r.int(0), r.int(1) }, mid)
		switch {
		case err != nil:
			return 0, err
		case !found || admitted >= want:
			hi = mid
		default:
			lo = seq + 1
		}
	}
	return lo, nil
}
