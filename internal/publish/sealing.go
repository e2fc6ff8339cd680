package publish

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"shieldwall/internal/entry"
	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/seal"
	"shieldwall/internal/stix"
)

// Epochs (reference: DESIGN.md, "Formats"; epoch-open, then a wrap for each reader by id, then one for this
// member's recovery key).
const (
	// epochLife is how long an epoch is used at most.
	epochLife = 30 * 24 * time.Hour
	// epochsPerDay bounds the epochs of one audience within any 24 hours.
	epochsPerDay = 24
)

// ErrEpochs says that an audience lost readers so often that no new epoch may be opened for it today. Sealing in
// the old one would let those read who were removed.
var ErrEpochs = errors.New("too many epochs today")

// epoch is an open epoch of one audience.
type epoch struct {
	number  uint64
	key     []byte
	readers []string
}

// sealing builds the entries of one unit inside the log's transaction.
type sealing struct {
	p       *Publisher
	tx      Tx
	log     string
	next    uint64 // index of the first entry
	members *policy.Members
	open    map[string]*epoch

	entries   [][]byte
	published []Entry
	changes   []object.Change
}

// index is where the next entry will be.
func (s *sealing) index() uint64 { return s.next + uint64(len(s.entries)) }

func (s *sealing) run(batches []*batch) error {
	version, _, err := s.tx.LastRoster()
	if err != nil {
		return fmt.Errorf("the newest roster: %w", err)
	}
	if version != s.members.Version() {
		return errRoster
	}
	for _, b := range batches {
		if err := s.batch(b); err != nil {
			return err
		}
	}
	return nil
}

// batch seals one entry, admits this node's own copies and notes the publication.
func (s *sealing) batch(b *batch) error {
	payload, packed := b.payload(), b.packed
	if b.large {
		if err := s.tx.PutBlob(b.ref.Hash[:], b.ciphertext); err != nil {
			return fmt.Errorf("keeping a blob: %w", err)
		}
		payload = entry.Payload{Type: entry.Blob, TLP: payload.TLP, Audience: payload.Audience, Blob: b.ref}
		var err error
		if packed, err = seal.Pack(payload); err != nil {
			return fmt.Errorf("packing an entry: %w", err)
		}
	}
	var readers []string
	if b.clear() {
		readers = s.p.readers(s.members, b.tlp, b.audience)
		if err := s.clear(payload); err != nil {
			return err
		}
	} else {
		e, err := s.epoch(b.tlp, b.audience)
		if err != nil {
			return err
		}
		readers = e.readers
		if err := s.sealed(e, packed); err != nil {
			return err
		}
	}
	described := b.entry(readers)
	described.Place = object.Place{Log: s.log, Index: s.index() - 1}
	s.published = append(s.published, described)
	from := Provenance{Place: described.Place, TLP: b.tlp, Audience: described.Audience}
	for _, c := range b.objects {
		changes, err := s.p.opt.Gate.Admit(s.tx, from, c.o)
		if err != nil {
			return fmt.Errorf("admitting %s here: %w", c.o.ID, err)
		}
		s.changes = append(s.changes, changes...)
	}
	return s.note(described.Place.Index, readers, described.Audience, describe(b))
}

func (s *sealing) note(index uint64, readers []string, audience, what string) error {
	now := s.p.opt.Now()
	if err := s.tx.PutPublication(s.log, index, now.UTC(), len(readers), audience, what); err != nil {
		return fmt.Errorf("noting the publication: %w", err)
	}
	s.p.opt.Appending(index, now, readers)
	return nil
}

// describe says in a line what an entry carries. Names of what is marked strictly stay out: the line lies in the
// store in clear.
func describe(b *batch) string {
	const most = 120
	if len(b.objects) > 1 {
		return fmt.Sprintf("%d objects", len(b.objects))
	}
	o := b.objects[0].o
	if b.tlp >= stix.AmberStrict || o.Name == "" {
		return o.Type
	}
	return o.Type + " " + limited(o.Name, most)
}

func (s *sealing) clear(p entry.Payload) error {
	raw, err := seal.Clear(p)
	if err != nil {
		return fmt.Errorf("packing an entry: %w", err)
	}
	s.entries = append(s.entries, raw)
	return nil
}

func (s *sealing) sealed(e *epoch, p seal.Packed) error {
	raw, err := p.Entry(e.key, s.log, e.number, s.index())
	if err != nil {
		return fmt.Errorf("sealing an entry: %w", err)
	}
	s.entries = append(s.entries, raw)
	return nil
}

// epochName is the audience under which an epoch is kept. AMBER and above have epochs of their own: new members
// wait for them, so the readers differ, and alternating markings would open an epoch each time.
func epochName(tlp stix.TLP, a policy.Audience) string {
	if tlp <= stix.Green {
		return a.String()
	}
	return "amber " + a.String()
}

// epoch finds the audience's open epoch or opens one: lazily, where there is none, it is 30 days old, or the
// readers are not those that have its key. Readers who came get a new epoch too instead of a late wrap: wraps
// follow their epoch's opening directly, and what came before was not for them.
func (s *sealing) epoch(tlp stix.TLP, a policy.Audience) (*epoch, error) {
	name := epochName(tlp, a)
	if e := s.open[name]; e != nil {
		return e, nil
	}
	readers := s.p.readers(s.members, tlp, a)
	e, err := s.current(name, readers)
	if err != nil {
		return nil, err
	}
	if e == nil {
		if e, err = s.openEpoch(name, readers); err != nil {
			return nil, fmt.Errorf("opening an epoch for %s: %w", a, err)
		}
	}
	s.open[name] = e
	return e, nil
}

// current gives the epoch in use if it still serves; nil asks for a new one.
func (s *sealing) current(name string, readers []string) (*epoch, error) {
	number, _, opened, sealed, err := s.tx.OwnEpoch(name)
	if err != nil || number == 0 {
		return nil, err
	}
	// The newest epoch of the name may be an earlier log's: its key does not open under this log's name.
	key, err := s.p.opt.Box.Open(sealed, keyPlace(s.log, number))
	if err != nil {
		return nil, nil
	}
	had, err := s.tx.EpochReaders(s.log, number)
	if err != nil {
		return nil, fmt.Errorf("readers of epoch %d: %w", number, err)
	}
	e := &epoch{number: number, key: key, readers: had}
	if slices.Equal(had, readers) && s.p.opt.Now().Sub(opened) < epochLife {
		return e, nil
	}
	today, err := s.openedToday(name)
	if err != nil || len(today) < epochsPerDay {
		return nil, err
	}
	for _, id := range had {
		if !slices.Contains(readers, id) {
			return nil, fmt.Errorf("%w for %s, and %s must not read on", ErrEpochs, name, id)
		}
	}
	return e, nil // only newcomers: they wait
}

// keyPlace names an epoch key where it is kept.
func keyPlace(log string, epoch uint64) string { return fmt.Sprintf("epoch/%s/%d", log, epoch) }

func (s *sealing) openEpoch(name string, readers []string) (*epoch, error) {
	last, err := s.tx.LastOwnEpoch(s.log)
	if err != nil {
		return nil, err
	}
	e := &epoch{number: last + 1, readers: readers}
	if e.key, err = seal.NewKey(s.p.opt.Rand); err != nil {
		return nil, err
	}
	opening := entry.Epoch{Roster: s.members.Version(), Wraps: uint16(len(readers) + 1)}
	if _, err := io.ReadFull(s.p.opt.Rand, opening.Tag[:]); err != nil {
		return nil, fmt.Errorf("drawing an audience tag: %w", err)
	}
	if opening.Commitment, err = seal.Commitment(e.key, s.log, e.number); err != nil {
		return nil, err
	}
	raw, err := entry.Entry{Header: entry.Header{Kind: entry.KindEpoch, Epoch: e.number}, Body: opening.Bytes()}.Bytes()
	if err != nil {
		return nil, err
	}
	s.entries = append(s.entries, raw)
	if err := s.wraps(e, raw); err != nil {
		return nil, err
	}
	now := s.p.opt.Now().UTC()
	sealed := s.p.opt.Box.Seal(e.key, keyPlace(s.log, e.number))
	if err := s.tx.PutOwnEpoch(s.log, name, e.number, s.members.Version(), readers, now, sealed); err != nil {
		return nil, err
	}
	// Also where keys are looked up by log and epoch: a withdrawal is sealed in the epoch of what it takes back.
	if err := s.tx.PutEpochKey(s.log, e.number, name, sealed); err != nil {
		return nil, err
	}
	return e, s.countOpening(name, now)
}

func (s *sealing) wraps(e *epoch, opening []byte) error {
	one := func(reader string, public []byte) error {
		body, err := seal.Wrap(e.key, opening, reader, public)
		if err != nil {
			return err
		}
		raw, err := entry.Entry{Header: entry.Header{Kind: entry.KindWrap, Epoch: e.number}, Body: body}.Bytes()
		s.entries = append(s.entries, raw)
		return err
	}
	for _, id := range e.readers {
		public, ok := s.p.opt.HPKE(id)
		if !ok {
			return fmt.Errorf("the card of %s is gone", id)
		}
		if err := one(seal.Member(id), public); err != nil {
			return err
		}
	}
	public, err := s.p.opt.Recovery()
	if err != nil {
		return fmt.Errorf("the recovery key: %w", err)
	}
	return one(seal.Recovery(s.p.opt.Self), public)
}

// openingsKey is where the times of an audience's openings are kept: 8 bytes of seconds each, oldest first.
func openingsKey(name string) string { return "publish/epochs/" + name }

// openedToday lists the openings of the last 24 hours.
func (s *sealing) openedToday(name string) ([]int64, error) {
	raw, err := s.tx.Meta(openingsKey(name))
	if err != nil {
		return nil, fmt.Errorf("epochs opened today: %w", err)
	}
	since := s.p.opt.Now().Add(-24 * time.Hour).Unix()
	var out []int64
	for ; len(raw) >= 8; raw = raw[8:] {
		if at := int64(binary.BigEndian.Uint64(raw)); at > since {
			out = append(out, at)
		}
	}
	return out, nil
}

func (s *sealing) countOpening(name string, now time.Time) error {
	times, err := s.openedToday(name)
	if err != nil {
		return err
	}
	times = append(times, now.Unix())
	var raw []byte
	for _, at := range times[max(0, len(times)-epochsPerDay):] {
		raw = binary.BigEndian.AppendUint64(raw, uint64(at))
	}
	return s.tx.PutMeta(openingsKey(name), raw)
}
