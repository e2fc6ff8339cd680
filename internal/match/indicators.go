package match

import (
	"net/netip"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/indicator"
	"shieldwall/internal/match/ioc"
)

// found is an indicator that an event met.
type found struct {
	unit   *unit
	id     uint64 // of its cell
	kind   uint8
	ind    indicator.Indicator
	fields []event.Field
}

func (f found) hit() Hit {
	return Hit{Key: f.unit.Key, Attribution: f.unit.who, Indicator: &f.ind, Fields: f.fields,
		Confidence: f.unit.Confidence, Until: f.unit.Until}
}

// holding is what a unit has in the sets.
type holding struct {
	live  bool
	owner uint32
	// shards are those that its cells lie in; nil where they are too many to be kept, so that all
	// have to be looked through.
	shards []uint16
}

// maxShardsKept bounds a holding's list of shards.
const maxShardsKept = 64

// A cell's note is the indicator's number in its list and its kind. The kind is the type for most
// indicators; domains with what is below them have their own, and networks one for each length, so that
// an address is looked up in the lengths that there are and a value of a type that nobody looks for is
// not looked up at all.
const (
	kindDomainBelow = 63
	kindV4          = kindDomainBelow      // + prefix length, 1 to 32
	kindV6          = kindDomainBelow + 32 // + prefix length, 1 to 128
	kindBits        = 8
	maxNumber       = 1<<(32-kindBits) - 1
)

func kindOf(ind *indicator.Indicator) uint8 {
	switch {
	case ind.Type == indicator.Network && ind.Prefix.Addr().Is4():
		return kindV4 + uint8(ind.Prefix.Bits())
	case ind.Type == indicator.Network:
		return kindV6 + uint8(ind.Prefix.Bits())
	case ind.Subdomains:
		return kindDomainBelow
	}
	return uint8(ind.Type)
}

// indicatorSets are all live indicators, by type and value. They are immutable.
type indicatorSets struct {
	count  int
	values *ioc.Set
	owners owners
	kinds  [256]int // live cells of each kind
	fields map[string]use
	names  *event.Names // whose slots the next one is by; may be nil
	slots  []use
	choice event.Choice // those that are looked at in every event
}

// bound returns the sets for events whose fields have slots of that register; it asks for the names of
// all fields that indicators are looked for in.
func (s indicatorSets) bound(names *event.Names) indicatorSets {
	if s.fields == nil {
		s.fields = indicatorFields()
	}
	list := make([]string, 0, len(s.fields))
	for name := range s.fields {
		list = append(list, name)
	}
	s.names, s.slots, s.choice = names, nil, event.Choice{}
	for i, slot := range names.Want(list...) {
		for int(slot) >= len(s.slots) {
			s.slots = append(s.slots, 0)
		}
		s.slots[slot] = s.fields[list[i]]
		if list[i] != fieldMessage {
			s.choice.Add(slot)
		}
	}
	return s
}

// uses says how a field is read.
func (s *indicatorSets) uses(ev *event.Event, f *event.Field) use {
	if s.names == nil || ev.Names != s.names {
		return s.fields[f.Name]
	}
	if int(f.Slot) < len(s.slots) {
		return s.slots[f.Slot]
	}
	return 0
}

// edit returns the sets without some units and with others. It takes the indicators out of the units
// that come in, for the sets hold all that is needed of them, and drops what has expired from the parts
// that it makes anew.
func (s indicatorSets) edit(in []*unit, out map[*unit]bool, now time.Time) indicatorSets {
	gone := map[uint32]bool{}
	var named []uint16
	all := false
	for u := range out {
		if u.held.live {
			gone[u.held.owner] = true
			named = append(named, u.held.shards...)
			all = all || u.held.shards == nil
		}
	}
	coming := 0
	for _, u := range in {
		coming += len(u.indicators)
	}
	if len(gone) == 0 && coming == 0 {
		return s
	}
	if s.values == nil {
		s.values = ioc.New()
	}
	if s.fields == nil {
		s.fields = indicatorFields()
	}
	before := s.owners
	drop := func(c ioc.Cell) bool {
		u := before.get(c.Owner)
		return gone[c.Owner] || u != nil && u.expired(now)
	}
	add := make([]ioc.Entry, 0, coming)
	edit := s.owners.edit()
	for _, u := range in {
		if len(u.indicators) > 0 {
			add = s.hold(u, edit, add)
		}
	}
	s.values = s.values.Edit(add, named, all, drop,
		func(c ioc.Cell) { s.kinds[uint8(c.Note)]-- }, func(c ioc.Cell) { s.kinds[uint8(c.Note)]++ })
	for owner := range gone {
		edit.drop(owner) // only now: no cell may meet the wrong owner
	}
	s.owners = edit.owners
	s.count = s.values.Len()
	return s
}

// hold gives a unit an owner's number and appends its values.
func (s *indicatorSets) hold(u *unit, edit *ownersEdit, add []ioc.Entry) []ioc.Entry {
	u.held = holding{live: true, owner: edit.add(u)}
	for i := range u.indicators {
		ind := &u.indicators[i]
		number := ind.Line
		if number == 0 {
			number = i + 1
		}
		if number > maxNumber {
			number = 0 // unknown
		}
		e := ioc.Entry{Key: s.key(ind), Owner: u.held.owner, Note: uint32(number)<<kindBits | uint32(kindOf(ind))}
		add = append(add, e)
		if len(u.indicators) <= maxShardsKept {
			u.held.shards = append(u.held.shards, e.Shard())
		}
	}
	u.indicators = nil
	return add
}

func (s *indicatorSets) key(ind *indicator.Indicator) ioc.Key {
	if ind.Type == indicator.Network {
		return s.networkKey(ind.Prefix)
	}
	return s.values.Key(uint8(ind.Type), []byte(ind.Value))
}

func (s *indicatorSets) networkKey(p netip.Prefix) ioc.Key {
	var b [17]byte
	addr := p.Addr().As16()
	copy(b[:], addr[:])
	b[16] = byte(p.Bits())
	if p.Addr().Is4() {
		b[16] += 96
	}
	return s.values.Key(uint8(indicator.Network), b[:])
}

// IndicatorStats says what indicators cost.
type IndicatorStats struct {
	Values int // live ones; one that two keys hold counts twice
	Owners int // keys that hold them
	Bytes  int // memory of the sets, without their owners
	// Cut counts the events since the start that were not looked through to the end (maxTextScanned,
	// maxTokens) or that met more than maxMet.
	Cut uint64
}

// IndicatorStats says what the live indicators cost.
func (e *Engine) IndicatorStats() IndicatorStats { return e.live.Load().indicators.stats() }

func (s *indicatorSets) stats() IndicatorStats {
	out := IndicatorStats{Values: s.count, Owners: s.owners.live, Cut: textsCut.Load()}
	if s.values != nil {
		out.Bytes = s.values.Bytes()
	}
	return out
}
