package match

import (
	"bytes"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"shieldwall/internal/event"
	"shieldwall/internal/indicator"
	"shieldwall/internal/match/ioc"
)

// maxMet bounds the indicators that one event meets, so that an ally who publishes one value very often
// cannot make an event expensive.
const maxMet = 256

// textsCut counts the events whose text was not looked through to the end, or that met more than maxMet.
var textsCut atomic.Uint64

// search is one event being looked through. It is reused.
type search struct {
	sets   *indicatorSets
	event  *event.Event
	now    time.Time
	field  *event.Field
	found  []found
	tokens int
	cut    bool
	buf    []byte // a folded value
	url    []byte // a URL in its normal form
}

var searches = sync.Pool{New: func() any { return new(search) }}

// match appends every indicator that the event holds, each once, with all fields it was met in.
//
// The rendered message of an event log's record repeats the record's own fields, in a language: it is looked
// through only where none of them is.
func (s *indicatorSets) match(ev *event.Event, now time.Time, out []found) []found {
	if s.count == 0 {
		return out
	}
	look := searches.Get().(*search)
	look.sets, look.event, look.now, look.found = s, ev, now, out
	look.tokens, look.cut = 0, false
	if looked := look.fields(ev.Channel != ""); !looked {
		if ev.Rest != nil && ev.Choice != nil {
			all := *ev
			ev.Rest(&all)
			look.event = &all
		}
		look.fields(false)
	}
	if look.cut {
		textsCut.Add(1)
	}
	out = look.found
	look.sets, look.event, look.field, look.found = nil, nil, nil, nil
	searches.Put(look)
	return out
}

// fields looks at an event's fields, and tells whether it did at any.
func (s *search) fields(rendered bool) (looked bool) {
	for i := range s.event.Fields {
		s.field = &s.event.Fields[i]
		uses := s.sets.uses(s.event, s.field)
		if uses == 0 || rendered && s.field.Name == fieldMessage {
			continue
		}
		looked = true
		s.value(uses, &s.field.Value)
	}
	return looked
}

func (s *search) value(uses use, v *event.Value) {
	switch v.Kind {
	case event.Null:
	case event.List:
		for i := range v.Items {
			if v.Items[i].Kind != event.Null {
				s.text(uses, strings.TrimSpace(v.Items[i].Text))
			}
		}
	default:
		s.text(uses, strings.TrimSpace(v.Text))
	}
}

func (s *search) text(uses use, text string) {
	if text == "" || text == "-" { // "-" is how Windows and W3C logs write nothing
		return
	}
	if uses&asHost != 0 {
		s.host(text)
	}
	if uses&asAddress != 0 {
		s.address(text)
	}
	if uses&asAddresses != 0 {
		for part := range strings.SplitSeq(text, ";") {
			s.host(part[strings.LastIndexByte(part, ' ')+1:])
		}
	}
	if uses&asURL != 0 {
		s.fieldURL(text)
	}
	if uses&asHashes != 0 {
		s.hashes(text)
	}
	if uses&asPath != 0 && s.has(indicator.FileName) {
		s.lookup(indicator.FileName, text[strings.LastIndexAny(text, `\/`)+1:])
	}
	if uses&asEmail != 0 {
		s.lookup(indicator.Email, strings.Trim(text, "<>"))
	}
	if uses&asRegistry != 0 {
		s.registry(text)
	}
	if uses&asMutex != 0 {
		s.mutex(text)
	}
	if uses&asText != 0 {
		s.words(text)
	}
}

// has tells whether anybody looks for values of a type.
func (s *search) has(t indicator.Type) bool { return s.sets.kinds[t] > 0 }

// lookup looks a whole value up, without case.
func (s *search) lookup(t indicator.Type, text string) {
	if s.has(t) && text != "" && len(text) <= indicator.MaxValue {
		s.buf = appendFolded(s.buf[:0], text)
		s.exact(t, s.buf)
	}
}

func (s *search) exact(t indicator.Type, value []byte) {
	for _, c := range s.sets.values.Find(s.sets.values.Key(uint8(t), value)) {
		if f := s.met(c); f != nil {
			f.ind = indicator.Indicator{Type: t, Value: string(value), Line: int(c.Note >> kindBits), Subdomains: uint8(c.Note) == kindDomainBelow}
		}
	}
}

// appendFolded is fold into memory that is there already.
func appendFolded(out []byte, text string) []byte {
	for i := range len(text) {
		c := text[i]
		if c >= utf8.RuneSelf {
			return append(out[:len(out)-i], fold(text)...)
		}
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		out = append(out, c)
	}
	return out
}

// met notes an indicator; one that is not valid now was not met. It returns what is new, to be told
// which value it is.
func (s *search) met(c ioc.Cell) *found {
	u := s.sets.owners.get(c.Owner)
	if u == nil || !u.valid(s.now) {
		return nil
	}
	for i := range s.found {
		f := &s.found[i]
		if f.unit != u || f.id != c.ID() || f.kind != uint8(c.Note) {
			continue
		}
		if f.fields[len(f.fields)-1].Name != s.field.Name {
			f.fields = append(f.fields, event.Field{Name: s.field.Name, Value: s.field.Value})
		}
		return nil
	}
	if len(s.found) >= maxMet {
		s.cut = true
		return nil
	}
	s.found = append(s.found, found{unit: u, id: c.ID(), kind: uint8(c.Note), fields: []event.Field{{Name: s.field.Name, Value: s.field.Value}}})
	return &s.found[len(s.found)-1]
}

// maxHost bounds what is looked up as a host name (RFC 1035, section 2.3.4, with a final dot).
const maxHost = 254

// host looks a name up with every domain above it: a STIX domain matches itself, a listed one also
// what is below it.
func (s *search) host(text string) {
	if text == "" || len(text) > maxHost || likeAddress(text) && s.address(text) {
		return
	}
	s.domain(text)
}

func (s *search) domain(text string) {
	below := s.sets.kinds[kindDomainBelow] > 0
	if len(text) > maxHost || !below && !s.has(indicator.Domain) {
		return
	}
	s.buf = appendFolded(s.buf[:0], strings.TrimSuffix(text, "."))
	s.exact(indicator.Domain, s.buf)
	if !below {
		return
	}
	last := bytes.LastIndexByte(s.buf, '.') // no indicator is a top-level domain
	for dot := 0; dot < last; dot++ {
		if s.buf[dot] != '.' {
			continue
		}
		above := s.buf[dot+1:]
		for _, c := range s.sets.values.Find(s.sets.values.Key(uint8(indicator.Domain), above)) {
			if uint8(c.Note) != kindDomainBelow {
				continue
			}
			if f := s.met(c); f != nil {
				f.ind = indicator.Indicator{Type: indicator.Domain, Value: string(above), Line: int(c.Note >> kindBits), Subdomains: true}
			}
		}
	}
}

// likeAddress tells what may be an address from what is none, such as a time or a version's number,
// without the cost of an error.
func likeAddress(text string) bool {
	dots, colons, double := 0, 0, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '.':
			dots++
		case c == ':':
			colons++
			double = double || i > 0 && text[i-1] == ':'
		case c == '%':
			return double || colons == 7 // a zone may hold anything
		case c == '[', c == ']', c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'f':
		default:
			return false
		}
	}
	return colons == 0 && dots == 3 || double || colons == 7 || colons == 6 && dots == 3
}

// maxAddress is more than the longest address with a zone that a system writes.
const maxAddress = 128

// address looks an address up in the networks; it tells whether the text is one.
func (s *search) address(text string) bool {
	if len(text) > maxAddress || !likeAddress(text) {
		return false
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return false
	}
	addr = addr.WithZone("").Unmap()
	kinds := s.sets.kinds[kindV6+1 : kindV6+1+128]
	if addr.Is4() {
		kinds = s.sets.kinds[kindV4+1 : kindV4+1+32]
	}
	for i, n := range kinds {
		if n == 0 {
			continue
		}
		prefix, err := addr.Prefix(i + 1)
		if err != nil {
			continue
		}
		for _, c := range s.sets.values.Find(s.sets.networkKey(prefix)) {
			if f := s.met(c); f != nil {
				f.ind = indicator.Indicator{Type: indicator.Network, Value: prefix.String(), Prefix: prefix, Line: int(c.Note >> kindBits)}
			}
		}
	}
	return true
}
