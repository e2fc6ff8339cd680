package sqlite

import (
	"fmt"
	"slices"
	"strings"

	"shieldwall/internal/object"
)

// copyColumns are read by scanCopy, in this order.
const copyColumns = `c.seq, c.publisher, c.id, c.type, c.modified, s.tlp, s.audience, COALESCE(l.id, ''), c.idx, c.revoked, c.withdrawn, c.own, c.admitted, c.raw
	FROM copies c JOIN shelves s ON s.id = c.shelf LEFT JOIN logs l ON l.num = c.log`

func scanCopy(r row) object.Copy {
	return object.Copy{
		Seq: r.int(0), Key: object.Key{Publisher: r.text(1), ID: r.text(2)}, Type: r.text(3), Modified: r.text(4),
		TLP: uint8(r.int(5)), Audience: r.text(6), Place: object.Place{Log: r.text(7), Index: uint64(r.int(8))},
		Revoked: r.bool(9), Withdrawn: r.bool(10), Own: r.bool(11), Admitted: fromMicros(r.int(12)), Raw: r.blob(13),
	}
}

func (t *Tx) copies(query string, args ...any) (copies []object.Copy, err error) {
	err = t.query(query, func(r row) error {
		copies = append(copies, scanCopy(r))
		return nil
	}, args...)
	return copies, err
}

// Copies returns every copy of an object, of all publishers and versions, the newest admitted last.
func (t *Tx) Copies(id string) ([]object.Copy, error) {
	return t.copies("SELECT "+copyColumns+" WHERE c.id = $1 ORDER BY c.seq", id)
}

// PublisherCopies returns one publisher's copies of an object, the newest admitted last. The + keeps SQLite from
// walking all of the publisher's copies to save itself the sort: few share an id.
func (t *Tx) PublisherCopies(publisher, id string) ([]object.Copy, error) {
	key := object.Key{Publisher: publisher, ID: id}
	definition := strings.HasPrefix(id, definitionPrefix) && t.c != nil
	if held, known := t.definitions[key]; definition && known {
		return slices.Clone(held), nil
	}
	copies, err := t.copies("SELECT "+copyColumns+" WHERE c.id = $1 AND +c.publisher = $2 ORDER BY c.seq", id, publisher)
	if err == nil && definition {
		if len(t.definitions) >= maxDefinitions {
			t.definitions = nil
		}
		if t.definitions == nil {
			t.definitions = map[object.Key][]object.Copy{}
		}
		t.definitions[key] = slices.Clone(copies)
	}
	return copies, err
}

const (
	definitionPrefix = "marking-definition--"
	// maxDefinitions bounds the definitions that a transaction remembers.
	maxDefinitions = 64
)

// changed forgets what is remembered of an object.
func (t *Tx) changed(publisher, id string) {
	delete(t.definitions, object.Key{Publisher: publisher, ID: id})
}

// PutCopy stores a copy, files it on its shelf and returns it as it is stored: with its order and time of admission, and
// withdrawn where its withdrawal came before it (it waited for a blob).
func (t *Tx) PutCopy(c object.Copy) (_ object.Copy, err error) {
	if t.c == nil {
		return c, ErrDone
	}
	t.changed(c.Publisher, c.ID)
	log := int64(0)
	if c.Log != "" {
		if log, err = t.needLog(c.Log); err != nil {
			return c, err
		}
	}
	index, err := number("entry", c.Index)
	if err != nil {
		return c, err
	}
	if !c.Withdrawn {
		if c.Withdrawn, err = t.one("SELECT 1 FROM withdrawals WHERE publisher = $1 AND id = $2 AND log = $3 AND idx >= $4", func(row) {}, c.Publisher, c.ID, log, index); err != nil {
			return c, err
		}
	}
	on, err := t.file(shelf{c.TLP, c.Audience}, c.Publisher)
	if err != nil {
		return c, err
	}
	live, standing, err := t.takeOver(c, on)
	if err != nil {
		return c, err
	}
	admitted, err := t.admission(c.Admitted)
	if err != nil {
		return c, err
	}
	c.Seq, err = t.insert(`INSERT INTO copies (publisher, id, type, modified, shelf, standing, log, idx, revoked, withdrawn, live, own, admitted, raw)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		c.Publisher, c.ID, c.Type, c.Modified, on, uint8(standing), log, index, c.Revoked, c.Withdrawn, live, c.Own, admitted, c.Raw)
	c.Admitted = fromMicros(admitted)
	return c, err
}

// shelf is what a shelf holds: one marking for one audience.
type shelf struct {
	tlp      uint8
	audience string
}

// file counts a copy on its shelf and at its publisher, and returns the shelf's number. Plain statements in
// place of upserts: this runs for every copy, and the rows are nearly always there.
func (t *Tx) file(on shelf, publisher string) (num int64, err error) {
	if num, err = t.needShelf(on); err != nil {
		return 0, err
	}
	if _, err := t.exec("UPDATE shelves SET copies = copies + 1 WHERE id = $1", num); err != nil {
		return 0, err
	}
	n, err := t.exec("UPDATE publishers SET copies = copies + 1 WHERE publisher = $1", publisher)
	if err == nil && n == 0 {
		_, err = t.exec("INSERT INTO publishers (publisher, copies) VALUES ($1, 1)", publisher)
	}
	return num, err
}

// needShelf returns a shelf's number and gives it one where it has none.
func (t *Tx) needShelf(on shelf) (num int64, err error) {
	if t.c == nil {
		return 0, ErrDone
	}
	num, ok := t.c.shelves[on]
	if ok {
		return num, nil
	}
	if ok, err = t.one("SELECT id FROM shelves WHERE tlp = $1 AND audience = $2", func(r row) { num = r.int(0) }, on.tlp, on.audience); err != nil {
		return 0, err
	}
	if !ok {
		if num, err = t.insert("INSERT INTO shelves (tlp, audience) VALUES ($1, $2)", on.tlp, on.audience); err != nil {
			return 0, err
		}
	}
	remember(t.c.shelves, on, num)
	return num, nil
}

// newestCopy is the newest version of (id $1, publisher $2) that is not withdrawn.
const newestCopy = "SELECT seq, modified, live FROM copies WHERE id = $1 AND publisher = $2 AND withdrawn = 0 ORDER BY modified DESC, seq DESC LIMIT 1"

// anyCopy is a copy of id $1 that is not gone, of whichever publisher.
const anyCopy = "SELECT seq, standing FROM copies WHERE id = $1 AND withdrawn = 0 LIMIT 1"

// takeOver reports whether a copy about to be stored becomes the one that counts, and its standing on its shelf,
// and changes those of the copies before it. A revoked version counts as the newest too, and leaves none: an older
// one does not live on behind it.
func (t *Tx) takeOver(c object.Copy, on int64) (live bool, standing object.Standing, err error) {
	if c.Withdrawn {
		return false, object.Gone, nil
	}
	var seq int64
	var was object.Standing
	known, err := t.one(anyCopy, func(r row) { seq, was = r.int(0), object.Standing(r.int(1)) }, c.ID)
	if err != nil || !known {
		return !c.Revoked, object.Alone, err
	}
	if was == object.Alone {
		if err := t.stand(seq, object.Newest); err != nil {
			return false, 0, err
		}
	}
	if live, err = t.takeLife(c); err != nil {
		return false, 0, err
	}
	standing, err = t.takePlace(c, on)
	return live, standing, err
}

// takeLife says whether a copy becomes the one that counts of its publisher, and ends the one before.
func (t *Tx) takeLife(c object.Copy) (live bool, err error) {
	var seq int64
	var modified string
	var lives bool
	found, err := t.one(newestCopy, func(r row) { seq, modified, lives = r.int(0), r.text(1), r.bool(2) }, c.ID, c.Publisher)
	if err != nil || found && modified > c.Modified {
		return false, err
	}
	if lives {
		_, err = t.exec("UPDATE copies SET live = 0 WHERE seq = $1", seq)
	}
	return !c.Revoked, err
}

// placeCopy is the newest version of (id $1, publisher $2) on a shelf ($3). The + keeps SQLite from walking the shelf
// instead of the key: it takes both for equally good.
const placeCopy = "SELECT seq, modified FROM copies WHERE id = $1 AND publisher = $2 AND +shelf = $3 AND +standing = $4"

// takePlace is the standing of a copy that is not alone among its publisher's versions on its shelf.
func (t *Tx) takePlace(c object.Copy, on int64) (object.Standing, error) {
	var seq int64
	var modified string
	found, err := t.one(placeCopy,
		func(r row) { seq, modified = r.int(0), r.text(1) }, c.ID, c.Publisher, on, uint8(object.Newest))
	switch {
	case err != nil || !found:
		return object.Newest, err
	case modified > c.Modified:
		return object.Older, nil
	}
	return object.Newest, t.stand(seq, object.Older)
}

// stand changes a copy's standing.
func (t *Tx) stand(seq int64, standing object.Standing) error {
	_, err := t.exec("UPDATE copies SET standing = $2 WHERE seq = $1", seq, uint8(standing))
	return err
}

// Withdraw marks a publisher's copies of an object withdrawn and returns how many were not yet. The
// withdrawal is remembered: a copy from the same log that arrives later, from an entry not after place, is
// withdrawn too.
func (t *Tx) Withdraw(publisher, id string, place object.Place) (n int, err error) {
	t.changed(publisher, id)
	if place.Log != "" {
		log, err := t.needLog(place.Log)
		if err != nil {
			return 0, err
		}
		index, err := number("entry", place.Index)
		if err != nil {
			return 0, err
		}
		if _, err := t.exec(`INSERT INTO withdrawals (publisher, id, log, idx) VALUES ($1, $2, $3, $4)
			ON CONFLICT (publisher, id, log) DO UPDATE SET idx = excluded.idx WHERE excluded.idx > withdrawals.idx`, publisher, id, log, index); err != nil {
			return 0, err
		}
	}
	changed, err := t.exec("UPDATE copies SET withdrawn = 1, live = 0, standing = 0 WHERE id = $1 AND publisher = $2 AND withdrawn = 0", id, publisher)
	return int(changed), err
}

// eachCopy pages through copies that where (with $1 the seq to start after, $2 the page, $3 on args) selects.
func (t *Tx) eachCopy(where string, fn func(object.Copy) error, args ...any) error {
	return pages(t, func(last *object.Copy) ([]object.Copy, error) {
		after := int64(0)
		if last != nil {
			after = last.Seq
		}
		return t.copies("SELECT "+copyColumns+" WHERE "+where+" AND c.seq > $1 ORDER BY c.seq LIMIT $2", append([]any{after, pageRows}, args...)...)
	}, fn)
}

// EachLive calls fn, by order of admission, for the copy that counts of every (publisher, id) of a type, or
// of all types where typ is empty: its newest that is neither withdrawn nor revoked. A revoked newest
// version leaves none.
func (t *Tx) EachLive(typ string, fn func(object.Copy) error) error {
	if typ == "" {
		return t.eachCopy("c.live = 1", fn)
	}
	return t.eachCopy("c.live = 1 AND c.type = $3", fn, typ)
}

// ListCopies returns up to limit copies, newest admitted first, admitted before beforeSeq (0 = from the
// newest), of a type and a publisher where these are not empty.
func (t *Tx) ListCopies(typ, publisher string, beforeSeq int64, limit int) ([]object.Copy, error) {
	query, args := "SELECT "+copyColumns+" WHERE c.seq < $1", []any{int64(1<<63 - 1), limit}
	if beforeSeq > 0 {
		args[0] = beforeSeq
	}
	for _, filter := range [...]struct{ column, value string }{{"c.type", typ}, {"c.publisher", publisher}} {
		if filter.value != "" {
			args = append(args, filter.value)
			query += fmt.Sprintf(" AND %s = $%d", filter.column, len(args))
		}
	}
	return t.copies(query+" ORDER BY c.seq DESC LIMIT $2", args...)
}

// CountCopies counts the copies held, in all and by publisher.
func (t *Tx) CountCopies() (total int64, byPublisher map[string]int64, err error) {
	byPublisher = map[string]int64{}
	err = t.query("SELECT publisher, copies FROM publishers", func(r row) error {
		byPublisher[r.text(0)] = r.int(1)
		total += r.int(1)
		return nil
	})
	return total, byPublisher, err
}

// Relocal makes every copy of a publisher a local one that was never shared: this member leaves the
// alliance in which it published them.
func (t *Tx) Relocal(publisher string) error {
	t.definitions = nil
	if publisher == object.Local {
		return nil
	}
	for _, sql := range []string{
		`INSERT INTO publishers (publisher, copies) SELECT $2, copies FROM publishers WHERE publisher = $1
			ON CONFLICT (publisher) DO UPDATE SET copies = publishers.copies + excluded.copies`,
		"DELETE FROM publishers WHERE publisher = $1 AND publisher <> $2",
		"DELETE FROM withdrawals WHERE publisher = $1 AND publisher <> $2",
		"UPDATE copies SET publisher = $2, log = 0, idx = 0 WHERE publisher = $1",
		// A key that both had is one key now: of two live copies only the newest stays.
		`UPDATE copies SET live = 0 WHERE publisher = $2 AND publisher <> $1 AND live = 1 AND EXISTS (
			SELECT 1 FROM copies o WHERE o.id = copies.id AND o.publisher = copies.publisher AND o.withdrawn = 0 AND (o.modified, o.seq) > (copies.modified, copies.seq))`,
		"UPDATE copies SET standing = 3 WHERE publisher = $2 AND publisher <> $1 AND " + outdone,
	} {
		if _, err := t.exec(sql, publisher, object.Local); err != nil {
			return fmt.Errorf("making the copies of %s local: %w", publisher, err)
		}
	}
	return t.ForgetIndex()
}
