package federation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"shieldwall/internal/roster"
)

// Membership is who belongs to the alliance and which keys they use, as far as one node knows: the newest
// roster whose every step from the first verifies, and each member's newest card. It is immutable; what
// arrives gives a new one.
type Membership struct {
	Alliance string // hash of roster 1
	Roster   *roster.Roster
	Hash     string   // of Roster
	hashes   []string // of the rosters from version 1 on
	void     []string // hashes with which branches begin that a roster rejected
	fork     *Fork    // another branch; nil if none is known
	cards    map[string]card
	held     map[string]uint64 // sequences of the cards of those listed
	denied   map[string]bool
	pins     map[string]string // TLS pin -> member, of every card held
	pin      PinFunc
}

type card struct {
	*roster.Card
	hash     string
	identity roster.Key // which vouches for it
}

// PinFunc gives the pin of a TLS key.
type PinFunc func(roster.Key) (string, error)

// Found starts a membership from roster 1. denied are members that this node has no dealings with,
// whatever the roster says.
func Found(note []byte, denied []string, pin PinFunc) (*Membership, error) {
	r, id, err := roster.VerifyFirst(note)
	if err != nil {
		return nil, err
	}
	m := &Membership{Alliance: id, Roster: r, Hash: id, hashes: []string{id}, void: r.Rejects, cards: map[string]card{}, denied: map[string]bool{}, pins: map[string]string{}, pin: pin}
	for _, d := range denied {
		m.denied[d] = true
	}
	m.count()
	return m, nil
}

func (m *Membership) clone() *Membership {
	c := *m
	c.cards, c.pins = maps.Clone(m.cards), maps.Clone(m.pins)
	return &c
}

// ErrKnown says that a statement brings nothing new.
var ErrKnown = errors.New("known already")

// WithRoster takes the next roster.
func (m *Membership) WithRoster(note []byte) (*Membership, error) {
	peek, err := roster.ParseRoster(note)
	if err != nil {
		return nil, err
	}
	hash, err := peek.Hash()
	if err != nil {
		return nil, err
	}
	switch {
	case peek.Version == m.Roster.Version && hash != m.Hash:
		return nil, fmt.Errorf("roster: another version %d than the one held here, signed by %d of its officers", peek.Version, len(m.Roster.Signers(note)))
	case peek.Version <= m.Roster.Version:
		return nil, fmt.Errorf("roster version %d: %w", peek.Version, ErrKnown)
	}
	r, err := roster.VerifyNext(m.Roster, note)
	if err != nil {
		return nil, err
	}
	c := m.clone()
	c.Roster, c.Hash = r, hash
	c.hashes = append(slices.Clip(m.hashes), hash)
	c.void = slices.Concat(m.void, r.Rejects)
	if c.fork != nil && slices.Contains(c.void, c.fork.Theirs) {
		c.fork = nil
	}
	c.dropUnpinned()
	c.count()
	return c, nil
}

// dropUnpinned forgets the cards that no identity key of the roster vouches for any more: officers replaced
// a stolen key, or gave a name to somebody else. The keys on such a card must not be spoken to, nor anything
// be sealed to them. Cards of members that are not listed stay, so that they can be told why.
func (m *Membership) dropUnpinned() {
	for id, c := range m.cards {
		member, listed := m.Roster.Member(id)
		if !listed || slices.ContainsFunc(member.Keys, c.identity.Equal) {
			continue
		}
		delete(m.cards, id)
		maps.DeleteFunc(m.pins, func(_, owner string) bool { return owner == id })
	}
}

// WithCard takes a member's next card. A card of a sequence that is held already is known if it is the
// same, and misconduct if it is another; neither changes anything.
func (m *Membership) WithCard(note []byte, now time.Time) (*Membership, *roster.Card, error) {
	next, err := roster.ParseCard(note)
	if err != nil {
		return nil, nil, err
	}
	member, listed := m.Roster.Member(next.Member)
	if !listed {
		return nil, nil, fmt.Errorf("card: %s is not in roster version %d", next.Member, m.Roster.Version)
	}
	if err := next.Verify(note, m.Alliance, member.Keys); err != nil {
		return nil, nil, err
	}
	hash, err := next.Hash()
	if err != nil {
		return nil, nil, err
	}
	held, have := m.cards[next.Member]
	switch {
	case have && hash == held.hash:
		return nil, nil, fmt.Errorf("card %d of %s: %w", next.Sequence, next.Member, ErrKnown)
	case have && next.Sequence == held.Sequence:
		return nil, nil, fmt.Errorf("card: %s signed two different cards %d; the first one stays in force", next.Member, next.Sequence)
	case have && next.Sequence < held.Sequence:
		return nil, nil, fmt.Errorf("card %d of %s: %w, %d is newer", next.Sequence, next.Member, ErrKnown, held.Sequence)
	case have && next.Sequence == held.Sequence+1 && next.Previous != held.hash:
		return nil, nil, fmt.Errorf("card: %d of %s does not continue the one held here", next.Sequence, next.Member)
	case next.Expired(now):
		return nil, nil, fmt.Errorf("card: %d of %s has expired", next.Sequence, next.Member)
	}
	pin, err := m.pin(next.TLS)
	if err != nil {
		return nil, nil, err
	}
	delegation, err := roster.ParseDelegation([]byte(next.Delegation))
	if err != nil {
		return nil, nil, err
	}
	if other, taken := m.pins[pin]; taken && other != next.Member {
		return nil, nil, fmt.Errorf("card: %s shows the TLS key of %s", next.Member, other)
	}
	c := m.clone()
	maps.DeleteFunc(c.pins, func(_, owner string) bool { return owner == next.Member })
	c.cards[next.Member], c.pins[pin] = card{next, hash, delegation.Identity}, next.Member
	c.count()
	return c, next, nil
}

// Card is a member's newest card; nil if none is held.
func (m *Membership) Card(member string) *roster.Card { return m.cards[member].Card }

// CardHash is the hash of a member's newest card; empty if none is held.
func (m *Membership) CardHash(member string) string { return m.cards[member].hash }

// Denied lists the members that this node has no dealings with by its own configuration.
func (m *Membership) Denied() []string { return slices.Sorted(maps.Keys(m.denied)) }

// WithCardsOf takes over the cards of another membership, as far as this one's roster pins who made them.
func (m *Membership) WithCardsOf(o *Membership) *Membership {
	c := m.clone()
	c.cards, c.pins = maps.Clone(o.cards), maps.Clone(o.pins)
	c.dropUnpinned()
	c.count()
	return c
}

// Sequences lists the newest card's sequence of every member that is listed. It belongs to the membership:
// whoever asks must not change it.
func (m *Membership) Sequences() map[string]uint64 { return m.held }

// count makes what Sequences gives.
func (m *Membership) count() {
	m.held = make(map[string]uint64, len(m.cards))
	for _, member := range m.Roster.Members {
		if c, has := m.cards[member.ID]; has {
			m.held[member.ID] = c.Sequence
		}
	}
}

// Excluded says why this node has no dealings with a member; nil if it has.
func (m *Membership) Excluded(id string) error {
	member, listed := m.Roster.Member(id)
	switch {
	case m.denied[id]:
		return fmt.Errorf("%s is denied by this node's own configuration", id)
	case !listed:
		return fmt.Errorf("%s is no member any more: roster version %d does not list it", id, m.Roster.Version)
	case member.Suspended:
		return fmt.Errorf("%s is suspended by roster version %d", id, m.Roster.Version)
	}
	return nil
}

// Identify names the member that holds a TLS key, or says why this node does not deal with it.
func (m *Membership) Identify(pin string) (string, error) {
	id, known := m.pins[pin]
	if !known {
		return "", fmt.Errorf("the key %.16s... is in no card of the alliance %q: join with an invitation first", pin, m.Roster.Name)
	}
	return id, m.Excluded(id)
}

// Deals says whether this node deals with a member: it is listed, not suspended and not denied.
func (m *Membership) Deals(id string) bool { return m.Excluded(id) == nil }

// Peer is a member to follow.
type Peer struct {
	Member string
	Log    string
}

// Peers lists the members to follow, by name.
func (m *Membership) Peers(self string) []Peer {
	var out []Peer
	for _, id := range slices.Sorted(maps.Keys(m.cards)) {
		if id != self && m.Excluded(id) == nil {
			out = append(out, Peer{id, m.cards[id].LogID()})
		}
	}
	return out
}

// Endpoints and Pins are where a member is reached and by which key it is known.
func (m *Membership) Endpoints(member string) []string {
	if c := m.cards[member].Card; c != nil {
		return c.Endpoints
	}
	return nil
}

// Pins are the pins of a member's TLS key.
func (m *Membership) Pins(member string) []string {
	c := m.cards[member].Card
	if c == nil {
		return nil
	}
	pin, err := m.pin(c.TLS)
	if err != nil {
		return nil
	}
	return []string{pin}
}

// LogVerifier checks heads of a member's log by its newest card.
func (m *Membership) LogVerifier(member, log string) (*Verifier, error) {
	c := m.cards[member].Card
	if c == nil || c.LogID() != log {
		return nil, fmt.Errorf("the card of %s names another log than %s", member, log)
	}
	return NewVerifier(log, c.Log.Key)
}

// Warnings are standing remarks on the roster that operators should see.
func (m *Membership) Warnings(now time.Time) []string {
	var out []string
	if f := m.fork; f != nil {
		out = append(out, fmt.Sprintf("officers signed two rosters %d (%.12s here, %.12s elsewhere): somebody's keys are stolen, or an officer lies; nothing is shared with members that only one branch lists, until officers sign a roster that rejects the other (alliance change --reject-fork)", f.Version, f.Ours, f.Theirs))
	}
	if len(m.Roster.Active()) >= 3 && m.Roster.Threshold < 2 {
		out = append(out, "one officer alone can change this alliance's roster; from three members on two should have to sign")
	}
	switch left := m.Roster.Expires.Sub(now); {
	case left <= 0:
		out = append(out, fmt.Sprintf("the roster expired on %s: membership is frozen, alerts flow on", m.Roster.Expires.Format(time.DateOnly)))
	case left < 30*24*time.Hour:
		out = append(out, fmt.Sprintf("the roster expires on %s", m.Roster.Expires.Format(time.DateOnly)))
	}
	return out
}
