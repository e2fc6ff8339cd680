package match

import (
	"hash/maphash"
	"maps"
	"net/netip"
	"strings"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/indicator"
)

// entry is one live indicator.
type entry struct {
	unit *unit
	ind  *indicator.Indicator
}

// found is an indicator that an event met.
type found struct {
	*entry
	fields []event.Field
}

func (f found) hit() Hit {
	ind := *f.ind
	return Hit{Key: f.unit.Key, Attribution: f.unit.who, Indicator: &ind, Fields: f.fields}
}

// shardCount cuts the sets into parts, so that adding one indicator copies only one part of them.
const shardCount = 256

// table is an immutable map in shards.
type table[K comparable] struct {
	seed   maphash.Seed
	shards *[shardCount]map[K][]*entry
}

func (t table[K]) get(key K) []*entry {
	if t.shards == nil {
		return nil
	}
	return t.shards[maphash.Comparable(t.seed, key)%shardCount][key]
}

// edit is a table being made from another one; it copies a shard before it first writes to it.
type edit[K comparable] struct {
	table[K]
	owned [shardCount]bool
}

func (t table[K]) edit() *edit[K] {
	e := &edit[K]{table: table[K]{seed: t.seed, shards: new([shardCount]map[K][]*entry)}}
	if t.shards != nil {
		*e.shards = *t.shards
	} else {
		e.seed = maphash.MakeSeed()
	}
	return e
}

func (e *edit[K]) shard(key K) map[K][]*entry {
	i := maphash.Comparable(e.seed, key) % shardCount
	if !e.owned[i] {
		e.owned[i] = true
		if e.shards[i] = maps.Clone(e.shards[i]); e.shards[i] == nil {
			e.shards[i] = map[K][]*entry{}
		}
	}
	return e.shards[i]
}

func (e *edit[K]) add(key K, one *entry) {
	shard := e.shard(key)
	old := shard[key]
	// The old list may be read by someone: never append into it.
	shard[key] = append(old[:len(old):len(old)], one)
}

// remove takes out every entry of the key that belongs to a unit, and returns how many.
func (e *edit[K]) remove(key K, u *unit) int {
	shard := e.shard(key)
	var kept []*entry
	for _, one := range shard[key] {
		if one.unit != u {
			kept = append(kept, one)
		}
	}
	removed := len(shard[key]) - len(kept)
	if shard[key] = kept; len(kept) == 0 {
		delete(shard, key)
	}
	return removed
}

// value is the key of an indicator that is looked up whole.
type value struct {
	kind indicator.Type
	text string
}

// indicatorSets are all live indicators, by type and value. They are immutable.
type indicatorSets struct {
	count    int
	fields   map[string]use
	values   table[value]
	networks table[netip.Prefix]
	// lengths counts the networks by prefix length, v4 and v6 apart: an address is looked up once for
	// each length there is.
	lengths [2][129]int
}

func (s indicatorSets) edit(in []*unit, out map[*unit]bool) indicatorSets {
	touched := false
	for _, u := range in {
		touched = touched || len(u.indicators) > 0
	}
	for u := range out {
		touched = touched || len(u.indicators) > 0
	}
	if !touched {
		return s
	}
	if s.fields == nil {
		s.fields = indicatorFields()
	}
	values, networks := s.values.edit(), s.networks.edit()
	for u := range out {
		for i := range u.indicators {
			ind := &u.indicators[i]
			if ind.Type != indicator.Network {
				s.count -= values.remove(value{ind.Type, ind.Value}, u)
				continue
			}
			n := networks.remove(ind.Prefix, u)
			s.count -= n
			s.lengths[family(ind.Prefix.Addr())][ind.Prefix.Bits()] -= n
		}
	}
	for _, u := range in {
		for i := range u.indicators {
			ind := &u.indicators[i]
			s.count++
			if ind.Type != indicator.Network {
				values.add(value{ind.Type, ind.Value}, &entry{u, ind})
				continue
			}
			networks.add(ind.Prefix, &entry{u, ind})
			s.lengths[family(ind.Prefix.Addr())][ind.Prefix.Bits()]++
		}
	}
	s.values, s.networks = values.table, networks.table
	return s
}

func family(addr netip.Addr) int {
	if addr.Is4() {
		return 0
	}
	return 1
}

// search is one event being looked through.
type search struct {
	sets   *indicatorSets
	record *record
	now    time.Time
	cell   *cell
	found  []found
	seen   map[*entry]int // -> index in found
}

// match appends every indicator that the record holds, each once, with all fields it was met in.
func (s *indicatorSets) match(r *record, now time.Time, out []found) []found {
	look := search{sets: s, record: r, now: now, found: out}
	for i := range r.cells {
		look.cell = &r.cells[i]
		uses := s.fields[look.cell.name]
		if uses == 0 {
			continue
		}
		for _, text := range look.cell.texts {
			look.text(uses, strings.TrimSpace(text))
		}
	}
	return look.found
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
		s.url(text)
	}
	if uses&asHashes != 0 {
		s.hashes(text)
	}
	if uses&asPath != 0 {
		s.lookup(indicator.FileName, fold(text[strings.LastIndexAny(text, `\/`)+1:]))
	}
	if uses&asEmail != 0 {
		s.lookup(indicator.Email, fold(strings.Trim(text, "<>")))
	}
}

// met notes an indicator; one that is not valid now was not met.
func (s *search) met(list []*entry) {
	for _, one := range list {
		if !one.unit.valid(s.now) {
			continue
		}
		i, known := s.seen[one]
		if !known {
			if s.seen == nil {
				s.seen = map[*entry]int{}
			}
			i = len(s.found)
			s.seen[one] = i
			s.found = append(s.found, found{entry: one})
		}
		f := &s.found[i]
		if n := len(f.fields); n == 0 || f.fields[n-1].Name != s.cell.name {
			f.fields = append(f.fields, event.Field{Name: s.cell.name, Value: s.cell.value})
		}
	}
}

func (s *search) lookup(t indicator.Type, text string) {
	s.met(s.sets.values.get(value{t, text}))
}

// maxHost bounds what is looked up as a host name (RFC 1035, section 2.3.4, with a final dot).
const maxHost = 254

// host looks a name up with every domain above it: a STIX domain matches itself, a listed one also
// what is below it.
func (s *search) host(text string) {
	if text == "" || len(text) > maxHost {
		return
	}
	if s.address(text) {
		return
	}
	name := strings.TrimSuffix(fold(text), ".")
	s.lookup(indicator.Domain, name)
	for above := name; ; {
		dot := strings.IndexByte(above, '.')
		if dot < 0 {
			return
		}
		above = above[dot+1:]
		for _, one := range s.sets.values.get(value{indicator.Domain, above}) {
			if one.ind.Subdomains {
				s.met([]*entry{one})
			}
		}
	}
}

// address looks an address up in the networks; it tells whether the text is one.
func (s *search) address(text string) bool {
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return false
	}
	addr = addr.WithZone("").Unmap()
	for bits, n := range s.sets.lengths[family(addr)] {
		if n == 0 {
			continue
		}
		if prefix, err := addr.Prefix(bits); err == nil {
			s.met(s.sets.networks.get(prefix))
		}
	}
	return true
}

// url looks a URL up, and its host. A bare path belongs to the event's host.
func (s *search) url(text string) {
	if strings.HasPrefix(text, "/") {
		c := s.record.find("cs-host")
		if c == nil || len(c.texts) == 0 {
			return
		}
		text = c.texts[0] + text
	}
	if len(text) > indicator.MaxValue {
		text = text[:indicator.MaxValue] // too long for any indicator, but it has a host
	}
	full, err := indicator.NormalURL(text)
	if err != nil {
		return
	}
	s.lookup(indicator.URL, full)
	scheme, rest, ok := strings.Cut(full, "://")
	if ok && (scheme == "http" || scheme == "https") {
		s.lookup(indicator.URL, rest) // indicators without a scheme
	}
	if !ok {
		rest = full
		s.lookup(indicator.URL, "http://"+rest)
		s.lookup(indicator.URL, "https://"+rest)
	}
	host, _, _ := strings.Cut(rest, "/")
	if port := strings.LastIndexByte(host, ':'); port >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:port]
	}
	s.host(host)
}

// hashes splits "ALG=digits,ALG=digits".
func (s *search) hashes(text string) {
	for part := range strings.SplitSeq(text, ",") {
		name, digits, named := strings.Cut(strings.TrimSpace(part), "=")
		if !named {
			digits = name
		}
		t, known := indicator.HashNamed(name)
		if !known {
			if named {
				continue
			}
			t = bareHash(s.cell.name, digits)
		}
		s.lookup(t, fold(digits))
	}
}
