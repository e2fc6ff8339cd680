package sqlite

import (
	"fmt"
	"io/fs"
	"time"

	"shieldwall/internal/object"
)

// outdone selects copies that stand as newest beside a newer one of their publisher on their shelf: a key or a
// shelf that two had is one now.
const outdone = `standing = 2 AND EXISTS (
	SELECT 1 FROM copies o WHERE o.id = copies.id AND o.publisher = copies.publisher AND +o.shelf = copies.shelf AND +o.standing = 2
		AND (o.modified, o.seq) > (copies.modified, copies.seq))`

// admission is the time of admission of the copy about to be stored: asked, or a microsecond after the last
// copy's where the clock did not move on or was put back. There is one writer, so that whoever sees a copy sees
// all that were admitted before it.
func (t *Tx) admission(asked time.Time) (int64, error) {
	if t.c.admitted == 0 {
		if _, err := t.one("SELECT admitted FROM copies ORDER BY seq DESC LIMIT 1", func(r row) { t.c.admitted = r.int(0) }); err != nil {
			return 0, err
		}
	}
	t.c.admitted = max(micros(asked), t.c.admitted+1)
	return t.c.admitted, nil
}

type shelfRow struct {
	id       int64
	tlp      uint8
	audience string
	copies   int64
}

// EachShelf calls fn for every (marking, audience) that copies were filed under.
func (t *Tx) EachShelf(fn func(id int64, tlp uint8, audience string, copies int64) error) error {
	return pages(t, func(last *shelfRow) (rows []shelfRow, err error) {
		after := int64(0)
		if last != nil {
			after = last.id
		}
		err = t.query("SELECT id, tlp, audience, copies FROM shelves WHERE id > $1 ORDER BY id LIMIT $2", func(r row) error {
			rows = append(rows, shelfRow{r.int(0), uint8(r.int(1)), r.text(2), r.int(3)})
			return nil
		}, after, pageRows)
		return rows, err
	}, func(s shelfRow) error { return fn(s.id, s.tlp, s.audience, s.copies) })
}

// Shelf finds the shelf of a marking and an audience, and how many copies were filed on it; the error wraps
// fs.ErrNotExist where there is no such shelf.
func (t *Tx) Shelf(tlp uint8, audience string) (id, copies int64, err error) {
	found, err := t.one("SELECT id, copies FROM shelves WHERE tlp = $1 AND audience = $2", func(r row) { id, copies = r.int(0), r.int(1) }, tlp, audience)
	if err == nil && !found {
		err = missing("shelf %d of %q", tlp, audience)
	}
	return id, copies, err
}

// filedColumns are read by scanFiled, in this order; a body is behind them where one is wanted.
const filedColumns = "c.seq, c.publisher, c.id, c.type, c.modified, s.tlp, s.audience, c.shelf, c.standing, c.revoked, c.own, c.admitted"

func scanFiled(r row) object.Filed {
	return object.Filed{
		Copy: object.Copy{
			Seq: r.int(0), Key: object.Key{Publisher: r.text(1), ID: r.text(2)}, Type: r.text(3), Modified: r.text(4),
			TLP: uint8(r.int(5)), Audience: r.text(6), Revoked: r.bool(9), Own: r.bool(10), Admitted: fromMicros(r.int(11)),
		},
		Shelf: r.int(7), Standing: object.Standing(r.int(8)),
	}
}

// Parts of the query of a page.
const (
	shelfCopies = "SELECT " + filedColumns + ", c.raw FROM copies c JOIN shelves s ON s.id = c.shelf WHERE c.shelf = $1 AND c.standing = $2 AND c.admitted > $3"
	shelfOfType = " AND c.type = $5"
	shelfOrder  = " ORDER BY c.admitted LIMIT $4"
)

// ShelfCopies returns the copies of one standing on a shelf, of a type where typ is not empty, that were admitted
// after a time, the oldest first: at most limit, and as many as fit maxBytes but at least one.
func (t *Tx) ShelfCopies(shelf int64, standing object.Standing, typ string, after time.Time, limit, maxBytes int) (copies []object.Filed, err error) {
	query := shelfCopies
	args := []any{shelf, uint8(standing), afterMicros(after), limit}
	if typ != "" {
		query += shelfOfType
		args = append(args, typ)
	}
	total := 0
	err = t.query(query+shelfOrder, func(r row) error {
		f := scanFiled(r)
		f.Raw = r.blob(12)
		if total += len(f.Raw); total > maxBytes && len(copies) > 0 {
			return errEnough
		}
		copies = append(copies, f)
		return nil
	}, args...)
	if err == errEnough {
		err = nil
	}
	return copies, err
}

// afterMicros is the last microsecond that is not after t.
func afterMicros(t time.Time) int64 {
	if t.IsZero() {
		return -1 << 62
	}
	return micros(t)
}

const filedCopies = "SELECT " + filedColumns + " FROM copies c JOIN shelves s ON s.id = c.shelf WHERE c.id = $1 AND c.standing > 0 ORDER BY c.seq"

// FiledCopies returns every copy of an object that is not gone, without its body, in order of admission.
func (t *Tx) FiledCopies(id string) (copies []object.Filed, err error) {
	err = t.query(filedCopies, func(r row) error {
		copies = append(copies, scanFiled(r))
		return nil
	}, id)
	return copies, err
}

// CopyAt returns the copy of an order of admission; the error wraps fs.ErrNotExist where there is none.
func (t *Tx) CopyAt(seq int64) (object.Copy, error) {
	copies, err := t.copies("SELECT "+copyColumns+" WHERE c.seq = $1", seq)
	if err == nil && len(copies) == 0 {
		err = missing("copy %d", seq)
	}
	if err != nil {
		return object.Copy{}, err
	}
	return copies[0], nil
}

// Remove withdraws single copies of a publisher's object. What is left of them counts as if these had never come.
func (t *Tx) Remove(publisher, id string, seqs []int64) error {
	t.changed(publisher, id)
	for _, seq := range seqs {
		n, err := t.exec("UPDATE copies SET withdrawn = 1, live = 0, standing = 0 WHERE seq = $1 AND publisher = $2 AND id = $3", seq, publisher, id)
		if err == nil && n == 0 {
			err = missing("copy %d of %s", seq, id)
		}
		if err != nil {
			return err
		}
	}
	for _, sql := range []string{
		// The newest version lives unless it is revoked.
		`UPDATE copies SET live = 1 WHERE live = 0 AND revoked = 0 AND seq = (
			SELECT seq FROM copies WHERE id = $2 AND publisher = $1 AND withdrawn = 0 ORDER BY modified DESC, seq DESC LIMIT 1)`,
		// What is the newest on its shelf now was an older version before.
		`UPDATE copies SET standing = 2 WHERE id = $2 AND publisher = $1 AND standing = 3 AND NOT EXISTS (
			SELECT 1 FROM copies o WHERE o.id = copies.id AND o.publisher = copies.publisher AND o.shelf = copies.shelf AND o.withdrawn = 0
				AND (o.modified, o.seq) > (copies.modified, copies.seq))`,
	} {
		if _, err := t.exec(sql, publisher, id); err != nil {
			return fmt.Errorf("what is left of %s: %w", id, err)
		}
	}
	return nil
}

// Refile moves everything that is filed for one audience to the same markings of another: this member has a new
// name. Nothing is admitted anew.
func (t *Tx) Refile(from, to string) error {
	t.definitions = nil
	var old []shelfRow
	err := t.query("SELECT id, tlp, audience, copies FROM shelves WHERE audience = $1", func(r row) error {
		old = append(old, shelfRow{r.int(0), uint8(r.int(1)), r.text(2), r.int(3)})
		return nil
	}, from)
	if err != nil || from == to {
		return err
	}
	for _, s := range old {
		num, err := t.needShelf(shelf{s.tlp, to})
		if err != nil {
			return err
		}
		for _, sql := range []string{
			"UPDATE copies SET shelf = $2 WHERE shelf = $1",
			"UPDATE shelves SET copies = copies + (SELECT copies FROM shelves WHERE id = $1) WHERE id = $2",
			"UPDATE copies SET standing = 3 WHERE shelf = $2 AND $1 <> $2 AND " + outdone,
		} {
			if _, err := t.exec(sql, s.id, num); err != nil {
				return fmt.Errorf("filing for %s: %w", to, err)
			}
		}
		if _, err := t.exec("UPDATE shelves SET copies = 0 WHERE id = $1", s.id); err != nil {
			return err
		}
	}
	return t.ForgetIndex()
}

// PutPosting keeps what became of a posting, and forgets what is older than before.
func (t *Tx) PutPosting(id, holder string, at time.Time, body []byte, before time.Time) error {
	if _, err := t.exec("DELETE FROM postings WHERE at < $1", micros(before)); err != nil {
		return err
	}
	_, err := t.exec("INSERT INTO postings (id, holder, at, body) VALUES ($1, $2, $3, $4)", id, holder, micros(at), body)
	return err
}

// Posting returns what became of a posting; the error wraps fs.ErrNotExist where it is not kept, or is another
// holder's.
func (t *Tx) Posting(id, holder string) (body []byte, at time.Time, err error) {
	found, err := t.one("SELECT body, at FROM postings WHERE id = $1 AND holder = $2", func(r row) { body, at = r.blob(0), fromMicros(r.int(1)) }, id, holder)
	if err == nil && !found {
		err = fmt.Errorf("posting %q: %w", id, fs.ErrNotExist)
	}
	return body, at, err
}
