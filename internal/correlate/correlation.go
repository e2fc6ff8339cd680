package correlate

import (
	"container/heap"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"shieldwall/internal/event"
	"shieldwall/internal/match/compare"
	"shieldwall/internal/sigma"
)

// correlation is a running correlation and what it holds.
type correlation struct {
	*plan
	engine *Engine

	groups         map[string]*group
	oldest, newest *group // by when they were touched
	events, bytes  int
	stats          Stats
	cost           Cost    // what is counted of it here
	last           *origin // of the last entry: most come from where the one before came from

	parts []part // of the occurrence at hand
	key   []byte
}

// occurrence is an event, or an alert, with what it is a hit of.
type occurrence struct {
	at   int64
	hits []sighting
	// Where it stands: event's origin and record, or those of an alert's last event.
	event  *event.Event
	origin *origin
	record string
}

// sighting is one hit and the fields that it was seen with.
type sighting struct {
	key    Key
	fields []event.Field
	event  *event.Event // nil for an alert
}

func (s *sighting) field(name string) (event.Value, bool) {
	for i := range s.fields {
		if s.fields[i].Name == name {
			return s.fields[i].Value, true
		}
	}
	if s.event != nil {
		return s.event.Get(name)
	}
	return event.Value{}, false
}

// part is what an occurrence is for one group: it counts once, whatever number of rules met it.
type part struct {
	group  string
	shown  []string
	value  string
	number float64
	rules  ruleSet
	from   *sighting
}

func newCorrelation(e *Engine, p *plan) *correlation {
	return &correlation{plan: p, engine: e, groups: map[string]*group{}}
}

// takes is by how much the correlation's alerts may come after newer events.
func (c *correlation) takes() int64 {
	if c.mode == atOnce || c.late == forever {
		return c.late
	}
	return addLate(c.late, c.span, 0)
}

// carries is told what other correlations ask of its events, beside what it groups by. What it holds has only
// what was asked for then.
func (c *correlation) carries(names []string) {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(c.GroupBy, name) })
	slices.Sort(names)
	names = slices.Compact(names)
	if !slices.Equal(names, c.carry) {
		c.carry = names
		c.forget()
	}
}

// forget lets go of all that is held.
func (c *correlation) forget() {
	for c.oldest != nil {
		c.drop(c.oldest)
	}
}

// take adds an occurrence to the groups that it belongs to.
func (c *correlation) take(o *occurrence) {
	c.parts = c.parts[:0]
	for i := range o.hits {
		for index, key := range c.Refs {
			if key == o.hits[i].key {
				c.part(&o.hits[i], index)
			}
		}
	}
	for i := range c.parts {
		c.add(o, &c.parts[i])
	}
	clear(c.parts)
}

// part reads what a hit of the index-th reference is for the correlation.
func (c *correlation) part(s *sighting, index int) {
	p := part{from: s}
	p.rules.add(index)
	ref := &c.refs[index]
	c.key = c.key[:0]
	for _, name := range ref.group {
		text, ok := s.text(name)
		if !ok {
			c.stats.Ungrouped++
			return
		}
		p.shown = append(p.shown, text)
		c.key = appendText(c.key, compare.Fold(text))
	}
	p.group = string(c.key)
	if !c.reads(s, ref, &p) {
		c.stats.Unvalued++
		return
	}
	for i := range c.parts {
		if q := &c.parts[i]; q.group == p.group && q.value == p.value && q.number == p.number {
			q.rules.join(p.rules)
			return
		}
	}
	c.parts = append(c.parts, p)
}

// reads takes the values that count out of a hit.
func (c *correlation) reads(s *sighting, ref *ref, p *part) bool {
	c.key = c.key[:0]
	for _, name := range ref.values {
		text, ok := s.text(name)
		if !ok {
			return false
		}
		if c.Type == sigma.ValueCount {
			c.key = appendText(c.key, compare.Fold(text))
		} else if p.number, ok = number(text); !ok {
			return false
		}
	}
	p.value = string(c.key)
	return true
}

// appendText writes a text so that several behind one another can only be read in one way.
func appendText(dst []byte, text string) []byte {
	dst = strconv.AppendInt(dst, int64(len(text)), 10)
	dst = append(dst, ':')
	return append(dst, text...)
}

// text spells a field; one that is null is not there.
func (s *sighting) text(name string) (string, bool) {
	v, ok := s.field(name)
	switch {
	case !ok || v.Kind == event.Null:
		return "", false
	case v.Kind != event.List:
		return short(v.Text), true
	}
	texts := make([]string, len(v.Items))
	for i, item := range v.Items {
		texts[i] = item.Text
	}
	return short(strings.Join(texts, ", ")), true
}

// short keeps texts apart in few bytes, however long they are.
func short(text string) string {
	if len(text) <= maxText {
		return text
	}
	hash := sha256.Sum256([]byte(text))
	const note = " ... sha256:"
	return strings.ToValidUTF8(text[:maxText-len(note)-2*len(hash)], "") + note + hex.EncodeToString(hash[:])
}

// add puts a part of an occurrence into its group, and looks what comes of it.
func (c *correlation) add(o *occurrence, p *part) {
	g := c.groups[p.group]
	if g == nil {
		g = c.open(p, o.at)
	}
	c.touch(g)
	if len(g.entries) >= c.engine.limits.events {
		c.relieve(g)
	}
	if o.at > g.newest {
		g.newest, g.touched = o.at, c.engine.clock
	}
	mark := g.mark(c.engine.clock)
	if o.at < mark {
		c.stats.Late++
	}
	switch {
	case mark != never && o.at <= mark-c.span:
		c.stats.Dropped++
		return
	case g.usedUp(o.at):
		c.stats.UsedUp++
	case g.repeats(o, p):
		c.stats.Repeated++
	default:
		at := g.insert(c.entry(g, o, p))
		c.events++
		if c.mode == atOnce {
			g.completed(at)
		}
	}
	g.settle(mark)
	g.expire(mark)
	c.engine.schedule(g)
	c.fit(g)
}

// repeats tells whether a record is held already: a copy of a log is read, or a source sends again what it was not told
// has arrived. Everything but the file's name has to be the same.
func (g *group) repeats(o *occurrence, p *part) bool {
	if o.event == nil || o.event.Record == "" {
		return false
	}
	ev := o.event
	end := g.first(o.at + 1)
	for i := end - 1; i >= max(0, end-maxSame) && g.entries[i].time == o.at; i-- {
		e := &g.entries[i]
		if e.record == ev.Record && e.rules == p.rules && e.number == p.number && (e.value == nil || e.value.text == p.value) &&
			e.origin.computer == ev.Computer && e.origin.channel == ev.Channel && e.origin.eventID == ev.EventID {
			return true
		}
	}
	return false
}

// entry copies what is kept of an occurrence.
func (c *correlation) entry(g *group, o *occurrence, p *part) entry {
	e := entry{place: place{o.at, c.engine.arrived}, rules: p.rules, number: p.number}
	e.origin, e.record = c.origin(o), c.record(o)
	if c.Type == sigma.ValueCount {
		e.value = g.value(p.value)
		e.value.held++
	}
	for _, name := range c.carry {
		text, ok := p.from.text(name)
		e.carry = append(e.carry, carried{strings.Clone(text), ok})
		e.bytes += 24 + len(text)
	}
	e.bytes += entryBytes + len(e.record) + e.origin.size()
	c.pay(g, e.bytes)
	return e
}

func (o *origin) size() int {
	return 64 + len(o.source) + len(o.computer) + len(o.channel) + len(o.eventID)
}

func (c *correlation) origin(o *occurrence) *origin {
	if o.event == nil {
		return o.origin
	}
	ev := o.event
	if l := c.last; l == nil || l.source != ev.Source || l.computer != short(ev.Computer) || l.channel != short(ev.Channel) || l.eventID != short(ev.EventID) {
		c.last = &origin{cutFront(ev.Source), strings.Clone(short(ev.Computer)), strings.Clone(short(ev.Channel)), strings.Clone(short(ev.EventID))}
	}
	return c.last
}

// maxSource bounds the name of a source that is shown: of a longer one its end is kept.
const maxSource = 1024

func cutFront(source string) string {
	return strings.Clone(source[max(0, len(source)-maxSource):])
}

func (c *correlation) record(o *occurrence) string {
	if o.event == nil {
		return o.record
	}
	return strings.Clone(short(o.event.Record))
}

// value knows a value of the group again.
func (g *group) value(text string) *value {
	v := g.values[text]
	if v == nil {
		v = &value{text: text}
		g.values[text] = v
		g.of.pay(g, valueBytes+len(text))
	}
	return v
}

// open makes a group.
func (c *correlation) open(p *part, at int64) *group {
	for len(c.groups) >= c.engine.limits.groups {
		c.evict(c.oldest)
	}
	g := &group{of: c, key: p.group, newest: at, touched: c.engine.clock, passed: never, slot: -1, measure: newMeasure(c.Correlation)}
	for _, text := range p.shown {
		g.shown = append(g.shown, strings.Clone(text))
	}
	switch c.Type {
	case sigma.ValueCount:
		g.values = map[string]*value{}
	case sigma.Temporal, sigma.TemporalOrdered:
		g.rules = make([]places, len(c.Rules))
	}
	c.groups[g.key] = g
	c.pay(g, groupBytes+2*len(g.key)+24*len(g.rules))
	c.push(g)
	return g
}

// touch makes a group the last to be forgotten.
func (c *correlation) touch(g *group) {
	if c.newest != g {
		c.unlink(g)
		c.push(g)
	}
}

func (c *correlation) push(g *group) {
	g.older, g.younger = c.newest, nil
	if c.newest != nil {
		c.newest.younger = g
	} else {
		c.oldest = g
	}
	c.newest = g
}

func (c *correlation) unlink(g *group) {
	if g.older != nil {
		g.older.younger = g.younger
	} else {
		c.oldest = g.younger
	}
	if g.younger != nil {
		g.younger.older = g.older
	} else {
		c.newest = g.older
	}
}

// drop forgets a group.
func (c *correlation) drop(g *group) {
	c.unlink(g)
	delete(c.groups, g.key)
	if g.slot >= 0 {
		heap.Remove(&c.engine.wakes, g.slot)
	}
	c.events -= len(g.entries)
	c.pay(g, -g.bytes)
}

// evict forgets a group for want of room.
func (c *correlation) evict(g *group) {
	c.stats.EvictedGroups++
	c.stats.EvictedEvents += int64(len(g.entries))
	c.drop(g)
}

// pay books bytes.
func (c *correlation) pay(g *group, bytes int) {
	g.bytes += bytes
	c.bytes += bytes
	c.cost.Peak = max(c.cost.Peak, c.bytes)
	c.engine.bytes += bytes
}

// relieve makes room for one more event in a group: by judging what can be judged, else by forgetting the earliest.
func (c *correlation) relieve(g *group) {
	if end := g.entries[0].time + c.span; c.mode != atOnce && end <= g.newest {
		mark := max(g.mark(c.engine.clock), end)
		g.settle(mark)
		g.expire(mark)
	}
	if len(g.entries) >= c.engine.limits.events {
		g.remove(0, 1)
		c.stats.EvictedEvents++
	}
}

// fit forgets what is too much: the groups that were longest without an event, the one at hand last of all.
func (c *correlation) fit(g *group) {
	for c.bytes > c.engine.limits.bytes {
		c.shrink(g)
	}
	for c.engine.bytes > c.engine.limits.total {
		c.engine.largest().shrink(g)
	}
}

func (c *correlation) shrink(keep *group) {
	switch {
	case c.oldest != keep:
		c.evict(c.oldest)
	case len(keep.entries) > 0:
		keep.remove(0, 1)
		c.stats.EvictedEvents++
	default:
		c.evict(keep)
	}
}

func (e *Engine) largest() (out *correlation) {
	for _, level := range e.levels {
		for _, c := range level {
			if out == nil || c.bytes > out.bytes {
				out = c
			}
		}
	}
	return out
}
