package sqlite

import "time"

// EpochKey returns the sealed key of an epoch of a log; nil where there is none.
func (t *Tx) EpochKey(log string, epoch uint64) (sealed []byte, err error) {
	num, e, err := t.epoch(log, epoch, false)
	if err != nil || num == 0 {
		return nil, err
	}
	_, err = t.one("SELECT sealed FROM epoch_keys WHERE log = $1 AND epoch = $2", func(r row) { sealed = r.blob(0) }, num, e)
	return sealed, err
}

// PutEpochKey keeps the sealed key of an epoch.
func (t *Tx) PutEpochKey(log string, epoch uint64, audience string, sealed []byte) error {
	num, e, err := t.epoch(log, epoch, true)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO epoch_keys (log, epoch, audience, sealed) VALUES ($1, $2, $3, $4)
		ON CONFLICT (log, epoch) DO UPDATE SET audience = excluded.audience, sealed = excluded.sealed`, num, e, audience, sealed)
	return err
}

func (t *Tx) epoch(log string, epoch uint64, make bool) (num, e int64, err error) {
	if make {
		num, err = t.needLog(log)
	} else {
		num, err = t.findLog(log)
	}
	if err != nil {
		return 0, 0, err
	}
	e, err = number("epoch", epoch)
	return num, e, err
}

// OwnEpoch returns the newest own epoch of an audience, in whichever own log; epoch 0 where there is none.
func (t *Tx) OwnEpoch(audience string) (epoch, rosterVersion uint64, opened time.Time, sealed []byte, err error) {
	_, err = t.one(`SELECT epoch, roster_version, opened, sealed FROM own_epochs WHERE audience = $1 ORDER BY seq DESC LIMIT 1`, func(r row) {
		epoch, rosterVersion, opened, sealed = uint64(r.int(0)), uint64(r.int(1)), fromMicros(r.int(2)), r.blob(3)
	}, audience)
	return epoch, rosterVersion, opened, sealed, err
}

// PutOwnEpoch keeps an epoch that this node opened, with the members that got its key. An epoch is opened
// once: a second time is an error.
func (t *Tx) PutOwnEpoch(log, audience string, epoch, rosterVersion uint64, readers []string, opened time.Time, sealed []byte) error {
	num, e, err := t.epoch(log, epoch, true)
	if err != nil {
		return err
	}
	version, err := number("roster version", rosterVersion)
	if err != nil {
		return err
	}
	names, err := list(readers)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO own_epochs (log, epoch, audience, roster_version, readers, opened, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		num, e, audience, version, names, micros(opened), sealed)
	return err
}

// LastOwnEpoch returns the highest epoch that this node opened in a log; 0 where there is none.
func (t *Tx) LastOwnEpoch(log string) (epoch uint64, err error) {
	num, err := t.findLog(log)
	if err != nil || num == 0 {
		return 0, err
	}
	_, err = t.one("SELECT max(epoch) FROM own_epochs WHERE log = $1", func(r row) { epoch = uint64(r.int(0)) }, num)
	return epoch, err
}

// EpochReaders returns the members that got the key of an own epoch; nil where the epoch is unknown.
func (t *Tx) EpochReaders(log string, epoch uint64) (readers []string, err error) {
	num, e, err := t.epoch(log, epoch, false)
	if err != nil || num == 0 {
		return nil, err
	}
	names := ""
	found, err := t.one("SELECT readers FROM own_epochs WHERE log = $1 AND epoch = $2", func(r row) { names = r.text(0) }, num, e)
	if err != nil || !found {
		return nil, err
	}
	return fromList(names)
}

// EpochEntry returns where a followed log opened an epoch, and that entry's bytes; nil where it is unknown.
func (t *Tx) EpochEntry(log string, epoch uint64) (index uint64, entry []byte, err error) {
	num, e, err := t.epoch(log, epoch, false)
	if err != nil || num == 0 {
		return 0, nil, err
	}
	_, err = t.one("SELECT idx, entry FROM epoch_entries WHERE log = $1 AND epoch = $2", func(r row) {
		index, entry = uint64(r.int(0)), r.blob(1)
	}, num, e)
	return index, entry, err
}

// PutEpochEntry keeps the entry that opened an epoch. The first counts: a second opening is void and
// changes nothing.
func (t *Tx) PutEpochEntry(log string, epoch, index uint64, entry []byte) error {
	num, e, err := t.epoch(log, epoch, true)
	if err != nil {
		return err
	}
	i, err := number("entry", index)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO epoch_entries (log, epoch, idx, entry) VALUES ($1, $2, $3, $4) ON CONFLICT (log, epoch) DO NOTHING", num, e, i, entry)
	return err
}
