package evtx

import (
	"encoding/binary"
	"testing"
	"unicode/utf16"

	"shieldwall/internal/event"
)

// What follows writes EVTX, as independently of the decoder as can be: layout from the specification,
// nothing shared but the token and type numbers.

// node is an element; kids are node, string (text), cdata, charRef, entityRef, pi, sub and inline.
type node struct {
	name  string
	dep   int // slot its being there depends on, plus one; 0 is none
	attrs []attr
	kids  []any
}

type attr struct {
	name  string
	value []any
}

type (
	cdata     string
	charRef   uint16
	entityRef string
	pi        struct{ target, data string }
	// sub is a substitution of a value.
	sub struct {
		slot     int
		optional bool
	}
)

// value is one value of an instance: data, or what body writes (binary XML).
type value struct {
	typ  byte
	data []byte
	body func(b *chunkBuilder)
}

func str(s string) value { return value{typ: typeString, data: utf16le(s)} }

func utf16le(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

func u16(v uint16) []byte { return binary.LittleEndian.AppendUint16(nil, v) }
func u32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }
func u64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

// chunkBuilder writes one chunk; offsets in it are chunk offsets.
type chunkBuilder struct {
	b         []byte
	names     map[string]int
	templates map[string]int
	ids       []uint64
	starts    []int // where each record starts
}

func newChunk() *chunkBuilder {
	return &chunkBuilder{b: make([]byte, chunkHeaderSize), names: map[string]int{}, templates: map[string]int{}}
}

func (c *chunkBuilder) put(b ...byte)       { c.b = append(c.b, b...) }
func (c *chunkBuilder) put16(v int)         { c.put(u16(uint16(v))...) }
func (c *chunkBuilder) put32(v int)         { c.put(u32(uint32(v))...) }
func (c *chunkBuilder) set32(at int, v int) { binary.LittleEndian.PutUint32(c.b[at:], uint32(v)) }
func (c *chunkBuilder) text(s string)       { u := utf16le(s); c.put16(len(u) / 2); c.put(u...) }
func (c *chunkBuilder) sized(f func()) int {
	at := len(c.b)
	c.put32(0)
	f()
	n := len(c.b) - at - 4
	c.set32(at, n)
	return n
}
func (c *chunkBuilder) record(id uint64, body func(c *chunkBuilder)) *chunkBuilder {
	start := len(c.b)
	c.put32(recordMagic)
	c.put32(0)
	c.put(u64(id)...)
	c.put(u64(testFileTime)...)
	c.put(tokFragment, 1, 1, 0)
	body(c)
	c.put(tokEOF)
	for (len(c.b)+4-start)%8 != 0 {
		c.put(0)
	}
	size := len(c.b) + 4 - start
	c.put32(size)
	c.set32(start+4, size)
	c.ids, c.starts = append(c.ids, id), append(c.starts, start)
	return c
}

// testFileTime is 2025-11-27T07:40:10.1653240Z.
const testFileTime = 134087028101653240

// name writes a name reference, with the name itself the first time.
func (c *chunkBuilder) name(s string) {
	if at, ok := c.names[s]; ok {
		c.put32(at)
		return
	}
	at := len(c.b) + 4
	c.names[s] = at
	c.put32(at)
	c.put32(0) // next in the hash chain
	c.put16(0x1234)
	c.text(s)
	c.put16(0)
}

// element writes an element, with dependency identifiers in templates.
func (c *chunkBuilder) element(n node, deps bool) {
	if len(n.attrs) > 0 {
		c.put(tokOpen | moreData)
	} else {
		c.put(tokOpen)
	}
	if deps {
		c.put16(n.dep - 1)
	}
	c.sized(func() {
		c.name(n.name)
		if len(n.attrs) > 0 {
			c.sized(func() {
				for i, a := range n.attrs {
					tok := byte(tokAttribute)
					if i < len(n.attrs)-1 {
						tok |= moreData
					}
					c.put(tok)
					c.name(a.name)
					c.content(a.value, deps)
				}
			})
		}
		if len(n.kids) == 0 {
			c.put(tokCloseEmpty)
			return
		}
		c.put(tokCloseStart)
		c.content(n.kids, deps)
		c.put(tokEnd)
	})
}

func (c *chunkBuilder) content(kids []any, deps bool) {
	for _, k := range kids {
		switch k := k.(type) {
		case node:
			c.element(k, deps)
		case string:
			c.put(tokValue, typeString)
			c.text(k)
		case cdata:
			c.put(tokCDATA)
			c.text(string(k))
		case charRef:
			c.put(tokCharRef)
			c.put16(int(k))
		case entityRef:
			c.put(tokEntityRef)
			c.name(string(k))
		case pi:
			c.put(tokPITarget)
			c.name(k.target)
			c.put(tokPIData)
			c.text(k.data)
		case sub:
			tok := byte(tokSubst)
			if k.optional {
				tok = tokOptionalSubst
			}
			c.put(tok)
			c.put16(k.slot)
			c.put(typeString)
		}
	}
}

// instance writes a template instance; the definition stands in the chunk once for each id.
func (c *chunkBuilder) instance(id string, def node, values ...value) {
	c.put(tokTemplate, 1)
	c.put32(7)
	if at, ok := c.templates[id]; ok {
		c.put32(at)
	} else {
		at := len(c.b) + 4
		c.templates[id] = at
		c.put32(at)
		c.put32(0)
		c.put(make([]byte, 16)...)
		c.sized(func() {
			c.put(tokFragment, 1, 1, 0)
			c.element(def, true)
			c.put(tokEOF)
		})
	}
	c.put32(len(values))
	desc := len(c.b)
	c.put(make([]byte, 4*len(values))...)
	for i, v := range values {
		start := len(c.b)
		if c.put(v.data...); v.body != nil {
			v.body(c)
		}
		binary.LittleEndian.PutUint16(c.b[desc+4*i:], uint16(len(c.b)-start))
		c.b[desc+4*i+2] = v.typ
	}
}

// bytes finishes the chunk: header, checksums, free space.
func (c *chunkBuilder) bytes() []byte {
	out := make([]byte, chunkSize)
	copy(out, c.b)
	copy(out, chunkMagic)
	if n := len(c.ids); n > 0 {
		copy(out[24:], u64(c.ids[0]))
		copy(out[32:], u64(c.ids[n-1]))
		copy(out[44:], u32(uint32(c.starts[n-1])))
	}
	copy(out[40:], u32(128))
	copy(out[48:], u32(uint32(len(c.b))))
	seal(out)
	return out
}

// seal sets the checksums of a chunk.
func seal(c []byte) {
	copy(c[52:], u32(crc32(c[chunkHeaderSize:le32(c[48:])])))
	copy(c[124:], u32(headerSum(c)))
}

// file makes an EVTX file of chunks.
func file(chunks ...[]byte) []byte {
	h := make([]byte, defaultHeaderBlock)
	copy(h, fileMagic)
	copy(h[32:], u32(128))
	copy(h[36:], u16(1))
	copy(h[38:], u16(3))
	copy(h[40:], u16(defaultHeaderBlock))
	copy(h[42:], u16(uint16(len(chunks))))
	copy(h[124:], u32(crc32(h[:120])))
	for _, c := range chunks {
		h = append(h, c...)
	}
	return h
}

// systemNode is the System of real records: what is known from the template, what from values.
func systemNode() node {
	slot := func(i int) []any { return []any{sub{slot: i, optional: true}} }
	return node{name: "System", kids: []any{
		node{name: "Provider", attrs: []attr{{"Name", []any{"Microsoft-Windows-Sysmon"}}, {"Guid", slot(0)}}},
		node{name: "EventID", dep: 2, attrs: []attr{{"Qualifiers", slot(2)}}, kids: slot(1)},
		node{name: "Level", kids: slot(3)},
		node{name: "Keywords", kids: slot(4)},
		node{name: "TimeCreated", attrs: []attr{{"SystemTime", slot(5)}}},
		node{name: "Correlation", attrs: []attr{{"ActivityID", slot(6)}}},
		node{name: "Execution", attrs: []attr{{"ProcessID", slot(7)}}},
		node{name: "Channel", kids: []any{"Microsoft-Windows-Sysmon/Operational"}},
		node{name: "Computer", kids: slot(8)},
		node{name: "Security", attrs: []attr{{"UserID", slot(9)}}},
	}}
}

var testGUID = []byte{0x5f, 0x38, 0x70, 0x57, 0x2a, 0xc2, 0xe0, 0x43, 0xbf, 0x4c, 0x06, 0xf5, 0x69, 0x8f, 0xfb, 0xd9}

func systemValues() []value {
	return []value{
		{typ: typeGUID, data: testGUID},
		{typ: typeUint16, data: u16(1)},
		{},
		{typ: typeUint8, data: []byte{4}},
		{typ: typeHex64, data: u64(1 << 63)},
		{typ: typeFileTime, data: u64(testFileTime)},
		{},
		{typ: typeUint32, data: u32(3544)},
		str("host.example"),
		{typ: typeSID, data: []byte{1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0}},
	}
}

// eventNode is an Event whose payload is slot 10, as Windows writes it.
func eventNode() node {
	return node{
		name:  "Event",
		attrs: []attr{{"xmlns", []any{"http://schemas.microsoft.com/win/2004/08/events/event"}}},
		kids:  []any{systemNode(), sub{slot: 10, optional: true}},
	}
}

// eventRecord writes a whole record whose payload is a template instance of its own.
func eventRecord(id string, payload node, values ...value) func(c *chunkBuilder) {
	return func(c *chunkBuilder) {
		c.instance("event", eventNode(), append(systemValues(), value{typ: typeBinXML, body: func(c *chunkBuilder) {
			c.put(tokFragment, 1, 1, 0)
			c.instance(id, payload, values...)
			c.put(tokEOF)
		}})...)
	}
}

// data is a named Data element.
func data(name string, kids ...any) node {
	return node{name: "Data", attrs: []attr{{"Name", []any{name}}}, kids: kids}
}

// sampleRecord is a process creation as Sysmon writes it.
func sampleRecord(cmd string) func(c *chunkBuilder) {
	return eventRecord("sysmon1", node{name: "EventData", kids: []any{
		data("Image", sub{slot: 0}), data("CommandLine", sub{slot: 1}), data("ProcessId", sub{slot: 2}),
	}}, str(`C:\Windows\System32\cmd.exe`), str(cmd), value{typ: typeUint32, data: u32(4460)})
}

type result struct {
	events   []event.Event
	stats    Stats
	problems []Problem
}

func readAll(t testing.TB, data []byte) result {
	t.Helper()
	var r result
	opts := Options{Source: "test", OnProblem: func(p Problem) { r.problems = append(r.problems, p) }}
	st, err := New(bytesReaderAt(data), int64(len(data)), opts).Read(func(e *event.Event) error {
		kept := *e
		kept.Fields = append([]event.Field(nil), e.Fields...)
		r.events = append(r.events, kept)
		return nil
	})
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	r.stats = st
	return r
}

// one reads a file of one chunk that must hold one good record.
func one(t testing.TB, c *chunkBuilder) event.Event {
	t.Helper()
	r := readAll(t, file(c.bytes()))
	if len(r.events) != 1 || len(r.problems) != 0 {
		t.Fatalf("%d events, problems %v", len(r.events), r.problems)
	}
	return r.events[0]
}
