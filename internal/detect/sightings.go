package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/stix"
)

const (
	// MaxSightingsPerTick bounds the sightings of one tick; the counts of the others wait for the next.
	MaxSightingsPerTick = 1000
	// maxOutgoing bounds the sightings that are published in one unit of work, which others wait for.
	maxOutgoing = 200
)

// Outbox publishes objects of this node in its log. done runs in the transaction that appends them, and may
// run again; it takes back the counts that they tell, so that both are durable when PublishSightings returns
// nil, and otherwise neither.
type Outbox interface {
	PublishSightings(ctx context.Context, objects [][]byte, tlp stix.TLP, audience policy.Audience, done func(Tx) error) error
}

// Sightings says how detections of shared intelligence are told to its publisher.
type Sightings struct {
	// Tick is how often they leave. It is fixed, so that the moment of sending tells nothing.
	Tick time.Duration
	// CreatedBy is the STIX identity that says it: this member's, or only its sector's.
	CreatedBy string
	// To are readers beside the publisher; of those, only they get a sighting who may read the
	// intelligence itself. The zero Audience is nobody.
	To policy.Audience
	// MayRead says whether a member may read what has this marking and audience. It is asked about the
	// members that To names; nil is a no.
	MayRead func(member string, tlp uint8, audience string) bool
	Outbox  Outbox
	// Rand is where the ids of sightings come from.
	Rand io.Reader
}

// tallied is one count that waits to be sent.
type tallied struct {
	object.Key
	count
}

// readers are the marking and the audience of a sighting.
type readers struct {
	tlp      stix.TLP
	audience string
}

// sender turns counts into sightings. One goroutine uses it.
type sender struct {
	Sightings
	self  string
	now   func() time.Time
	view  func(context.Context, func(Tx) error) error
	tally *tally
	after object.Key // the last key of the last tick: the next begins behind it, so that none starves
}

// send publishes what was counted. Counts that cannot be published, because the publisher left for
// example, stay and delay no others; the error names them.
func (s *sender) send(ctx context.Context) (sent int64, err error) {
	s.tally.moving.Lock()
	defer s.tally.moving.Unlock()
	if err := s.tally.move(ctx); err != nil {
		return 0, err
	}
	groups := map[readers][]tallied{}
	var order []readers
	var unreadable error
	err = s.view(ctx, func(tx Tx) error {
		due, err := s.due(tx)
		if err != nil {
			return err
		}
		for _, t := range due {
			to, err := s.readersOf(tx, t.Key)
			if err != nil {
				unreadable = err // of one object; the others are told
				continue
			}
			if groups[to] == nil {
				order = append(order, to)
			}
			groups[to] = append(groups[to], t)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("reading the counts of detected objects: %w", err)
	}
	err = unreadable
	for _, to := range order {
		for batch := range slices.Chunk(groups[to], maxOutgoing) {
			if perr := s.publish(ctx, to, batch); perr != nil {
				err = errors.Join(err, perr)
				break
			}
			sent += int64(len(batch))
		}
	}
	return sent, err
}

// due picks the counts of this tick, in the order of their keys, going round.
func (s *sender) due(tx Tx) ([]tallied, error) {
	var all []tallied
	err := tx.EachTally(func(publisher, id string, n int64, first, last time.Time) error {
		if publisher != s.self && n > 0 { // one's own are counted, and told to nobody
			all = append(all, tallied{object.Key{Publisher: publisher, ID: id}, count{n, first, last}})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b tallied) int { return compareKeys(a.Key, b.Key) })
	start, _ := slices.BinarySearchFunc(all, s.after, func(t tallied, k object.Key) int {
		if compareKeys(t.Key, k) <= 0 {
			return -1
		}
		return 1
	})
	all = slices.Concat(all[start:], all[:start])
	all = all[:min(len(all), MaxSightingsPerTick)]
	if len(all) > 0 {
		s.after = all[len(all)-1].Key
	}
	return all, nil
}

func compareKeys(a, b object.Key) int {
	return cmp.Or(cmp.Compare(a.Publisher, b.Publisher), cmp.Compare(a.ID, b.ID))
}

// readersOf decides for whom a sighting of an object is: its publisher, and of the configured readers those
// whom the object itself was for. The marking is AMBER, or the object's own where that is stricter.
func (s *sender) readersOf(tx Tx, k object.Key) (readers, error) {
	copies, err := tx.PublisherCopies(k.Publisher, k.ID)
	if err != nil {
		return readers{}, fmt.Errorf("the readers of a sighting of %s: %w", k.ID, err)
	}
	members, groups := []string{k.Publisher}, []string(nil)
	tlp := stix.Amber
	if len(copies) > 0 {
		newest := copies[len(copies)-1]
		tlp = tlp.Stricter(stix.TLP(newest.TLP))
		seen, err := policy.ParseAudience(newest.Audience)
		all := err == nil && (seen.IsEveryone() || seen.IsAlliance())
		switch {
		case s.To.IsAlliance() && all:
			return readers{tlp, policy.Alliance().String()}, nil
		case s.To.IsAlliance():
			groups, members = seen.Groups(), append(members, seen.Members()...)
		}
		for _, g := range s.To.Groups() {
			if all || slices.Contains(seen.Groups(), g) {
				groups = append(groups, g)
			}
		}
		for _, m := range s.To.Members() {
			if s.MayRead != nil && s.MayRead(m, newest.TLP, newest.Audience) {
				members = append(members, m)
			}
		}
	}
	a, err := policy.Named(groups, members)
	if err != nil {
		return readers{}, fmt.Errorf("the readers of a sighting of %s: %w", k.ID, err)
	}
	return readers{tlp, a.String()}, nil
}

// publish sends one audience's sightings and takes their counts back in the same transaction. Caller holds
// tally.moving, so nothing was added since the counts were read.
func (s *sender) publish(ctx context.Context, to readers, batch []tallied) error {
	audience, err := policy.ParseAudience(to.audience)
	if err != nil {
		return fmt.Errorf("publishing sightings: %w", err)
	}
	objects, created := make([][]byte, 0, len(batch)), s.now()
	for _, t := range batch {
		raw, err := s.encode(t, to.tlp, created)
		if err != nil {
			return err
		}
		objects = append(objects, raw)
	}
	err = s.Outbox.PublishSightings(ctx, objects, to.tlp, audience, func(tx Tx) error {
		for _, t := range batch {
			if err := tx.DropTally(t.Publisher, t.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("publishing %d sightings to %s: %w", len(batch), to.audience, err)
	}
	return nil
}

// encode makes the sighting: how often and when, to the minute; nothing of the events.
func (s *sender) encode(t tallied, tlp stix.TLP, created time.Time) ([]byte, error) {
	id, err := stix.NewID("sighting", s.Rand)
	if err != nil {
		return nil, err
	}
	return stix.Sighting{
		Common: stix.Common{ID: id, CreatedBy: s.CreatedBy, Created: created, Markings: []string{tlp.MarkingID()}},
		Of:     t.ID, Count: t.n, FirstSeen: t.first, LastSeen: t.last,
		WhereSighted: []string{s.CreatedBy},
	}.Encode()
}

// SectorIdentity is the id of the identity that stands for a whole sector: the same at every member, bound
// to none, so that a sighting made under it names no victim.
func SectorIdentity(sector string) string { return stix.OwnID("identity", "sector", sector) }
