package sqlite

import (
	"math"
	"time"
)

// PutPublication notes an own entry that protects others: when it was appended, how many entitled readers
// it has besides this member, for whom and what it is.
func (t *Tx) PutPublication(log string, index uint64, at time.Time, readers int, audience string, what string) error {
	num, i, err := t.entryKey(log, index)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO publications (log, idx, at, readers, audience, what) VALUES ($1, $2, $3, $4, $5, $6)", num, i, micros(at), readers, audience, what)
	return err
}

func (t *Tx) entryKey(log string, index uint64) (num, i int64, err error) {
	if num, err = t.needLog(log); err != nil {
		return 0, 0, err
	}
	i, err = number("entry", index)
	return num, i, err
}

// PutApplied notes a follower's watermark. It never goes back: a smaller one changes nothing.
func (t *Tx) PutApplied(log, follower string, size uint64) error {
	num, n, err := t.entryKey(log, size)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO applied (log, follower, size) VALUES ($1, $2, $3)
		ON CONFLICT (log, follower) DO UPDATE SET size = excluded.size WHERE excluded.size > applied.size`, num, follower, n)
	return err
}

// Applied returns the watermarks of a log's followers.
func (t *Tx) Applied(log string) (map[string]uint64, error) {
	sizes := map[string]uint64{}
	num, err := t.findLog(log)
	if err != nil || num == 0 {
		return sizes, err
	}
	err = t.query("SELECT follower, size FROM applied WHERE log = $1", func(r row) error {
		sizes[r.text(0)] = uint64(r.int(1))
		return nil
	}, num)
	return sizes, err
}

// PutProtect notes how long it took until a follower acted on an entry. The first confirmation counts.
func (t *Tx) PutProtect(log string, index uint64, follower string, took time.Duration) error {
	num, i, err := t.entryKey(log, index)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO protects (log, idx, follower, took) VALUES ($1, $2, $3, $4) ON CONFLICT (log, idx, follower) DO NOTHING", num, i, follower, took.Microseconds())
	return err
}

type publicationRow struct {
	index          uint64
	at             time.Time
	readers        int
	audience, what string
	took           map[string]time.Duration
}

// EachPublication calls fn for up to limit publications of a log, from index from on going down
// (math.MaxUint64 = the newest), each with the times of the followers that confirmed it.
func (t *Tx) EachPublication(log string, from uint64, limit int, fn func(index uint64, at time.Time, readers int, audience, what string, took map[string]time.Duration) error) error {
	num, err := t.findLog(log)
	if err != nil || num == 0 || limit <= 0 {
		return err
	}
	top, left := int64(min(from, math.MaxInt64)), limit
	return pages(t, func(last *publicationRow) (rows []publicationRow, err error) {
		if last != nil {
			if last.index == 0 {
				return nil, nil
			}
			top = int64(last.index) - 1
		}
		err = t.query("SELECT idx, at, readers, audience, what FROM publications WHERE log = $1 AND idx <= $2 ORDER BY idx DESC LIMIT $3", func(r row) error {
			rows = append(rows, publicationRow{uint64(r.int(0)), fromMicros(r.int(1)), int(r.int(2)), r.text(3), r.text(4), map[string]time.Duration{}})
			return nil
		}, num, top, min(left, pageRows))
		left -= len(rows)
		if err != nil || len(rows) == 0 {
			return nil, err
		}
		return rows, t.took(num, rows)
	}, func(p publicationRow) error { return fn(p.index, p.at, p.readers, p.audience, p.what, p.took) })
}

// took fills in the confirmations of a page of publications, which goes down from its first row.
func (t *Tx) took(num int64, rows []publicationRow) error {
	byIndex := make(map[uint64]map[string]time.Duration, len(rows))
	for _, p := range rows {
		byIndex[p.index] = p.took
	}
	return t.query("SELECT idx, follower, took FROM protects WHERE log = $1 AND idx BETWEEN $2 AND $3", func(r row) error {
		if took := byIndex[uint64(r.int(0))]; took != nil {
			took[r.text(1)] = time.Duration(r.int(2)) * time.Microsecond
		}
		return nil
	}, num, int64(rows[len(rows)-1].index), int64(rows[0].index))
}

// AddTally adds detections of a shared object to those that wait to be sent as a sighting.
func (t *Tx) AddTally(publisher, id string, n int64, first, last time.Time) error {
	_, err := t.exec(`INSERT INTO tally (publisher, id, n, first_seen, last_seen) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (publisher, id) DO UPDATE SET n = tally.n + excluded.n,
			first_seen = CASE WHEN excluded.first_seen < tally.first_seen THEN excluded.first_seen ELSE tally.first_seen END,
			last_seen = CASE WHEN excluded.last_seen > tally.last_seen THEN excluded.last_seen ELSE tally.last_seen END`,
		publisher, id, n, micros(first), micros(last))
	return err
}

type tallyRow struct {
	publisher, id string
	n             int64
	first, last   time.Time
}

// EachTally calls fn for every object with detections to be sent, by publisher and id.
func (t *Tx) EachTally(fn func(publisher, id string, n int64, first, last time.Time) error) error {
	return pages(t, func(last *tallyRow) (rows []tallyRow, err error) {
		publisher, id := "", ""
		if last != nil {
			publisher, id = last.publisher, last.id
		}
		err = t.query(`SELECT publisher, id, n, first_seen, last_seen FROM tally WHERE (publisher, id) > ($1, $2) ORDER BY publisher, id LIMIT $3`, func(r row) error {
			rows = append(rows, tallyRow{r.text(0), r.text(1), r.int(2), fromMicros(r.int(3)), fromMicros(r.int(4))})
			return nil
		}, publisher, id, pageRows)
		return rows, err
	}, func(a tallyRow) error { return fn(a.publisher, a.id, a.n, a.first, a.last) })
}

// DropTally forgets an object's detections: they were sent.
func (t *Tx) DropTally(publisher, id string) error {
	_, err := t.exec("DELETE FROM tally WHERE publisher = $1 AND id = $2", publisher, id)
	return err
}

// Offset returns how far a followed file was read; empty and 0 where it is new.
func (t *Tx) Offset(path string) (ident string, offset int64, err error) {
	_, err = t.one("SELECT ident, pos FROM offsets WHERE path = $1", func(r row) { ident, offset = r.text(0), r.int(1) }, path)
	return ident, offset, err
}

// PutOffset notes how far a followed file was read; ident tells it from the file that takes its name later.
func (t *Tx) PutOffset(path, ident string, offset int64) error {
	_, err := t.exec("INSERT INTO offsets (path, ident, pos) VALUES ($1, $2, $3) ON CONFLICT (path) DO UPDATE SET ident = excluded.ident, pos = excluded.pos", path, ident, offset)
	return err
}
