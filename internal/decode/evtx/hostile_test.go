package evtx

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"shieldwall/internal/event"
)

// hostileFiles are files that try to make a reader loop, recurse, allocate or crash. Each holds good
// records beside the hostile ones.
func hostileFiles() map[string]*chunkBuilder {
	out := map[string]*chunkBuilder{}
	add := func(name string, body func(c *chunkBuilder)) {
		out[name] = newChunk().record(1, sampleRecord("good")).record(2, body).record(3, sampleRecord("good"))
	}
	nest := func(n int) node {
		deep := node{name: "D", kids: []any{"x"}}
		for range n {
			deep = node{name: "D", kids: []any{deep}}
		}
		return deep
	}
	add("deep elements", func(c *chunkBuilder) { c.element(nest(MaxElementDepth), false) })
	add("deep template", func(c *chunkBuilder) { c.instance("deep", nest(500)) })
	add("deep binary XML", func(c *chunkBuilder) {
		var body func(c *chunkBuilder, n int)
		body = func(c *chunkBuilder, n int) {
			c.instance("wrap", node{name: "W", kids: []any{sub{slot: 0}}},
				value{typ: typeBinXML, body: func(c *chunkBuilder) {
					if n > 0 {
						body(c, n-1)
					}
				}})
		}
		body(c, 3*MaxFragmentDepth)
	})
	// Each level shows the level below sixteen times.
	add("billion laughs", func(c *chunkBuilder) {
		many := node{name: "L"}
		for range 16 {
			many.kids = append(many.kids, sub{slot: 0})
		}
		var body func(c *chunkBuilder, n int)
		body = func(c *chunkBuilder, n int) {
			v := str("ha")
			if n > 0 {
				v = value{typ: typeBinXML, body: func(c *chunkBuilder) { body(c, n-1) }}
			}
			c.instance("laughs", many, v)
		}
		body(c, MaxFragmentDepth-1)
	})
	add("a value shown a thousand times", func(c *chunkBuilder) {
		many := node{name: "EventData"}
		for i := range 1000 {
			many.kids = append(many.kids, data(fmt.Sprint(i), sub{slot: 0}))
		}
		c.instance("thousand", node{name: "Event", kids: []any{many}}, str(strings.Repeat("A", 4000)))
	})
	add("too many fields", func(c *chunkBuilder) {
		many := node{name: "EventData"}
		for i := range MaxFields + 1 {
			many.kids = append(many.kids, data(fmt.Sprint(i)))
		}
		c.element(node{name: "Event", kids: []any{many}}, false)
	})
	add("name offset outside", func(c *chunkBuilder) { c.put(tokOpen); c.put32(0); c.put32(0x7fffffff) })
	add("negative name offset", func(c *chunkBuilder) { c.put(tokOpen); c.put32(0); c.put32(-1) })
	add("long name", func(c *chunkBuilder) { c.element(node{name: strings.Repeat("n", MaxNameChars+1)}, false) })
	add("template offset outside", func(c *chunkBuilder) { c.put(tokTemplate, 1); c.put32(0); c.put32(0x10000); c.put32(0) })
	add("template in the header", func(c *chunkBuilder) { c.put(tokTemplate, 1); c.put32(0); c.put32(8); c.put32(0) })
	add("template that is the record itself", func(c *chunkBuilder) {
		at := len(c.b)
		c.put(tokTemplate, 1)
		c.put32(0)
		c.put32(at - templateHeader)
		c.put32(0)
	})
	add("four billion values", func(c *chunkBuilder) {
		c.instance("v", node{name: "Event"})
		c.set32(len(c.b)-4, -1)
	})
	add("a definition of four gigabytes", func(c *chunkBuilder) {
		c.put(tokTemplate, 1)
		c.put32(0)
		c.put32(len(c.b) + 4)
		c.put(make([]byte, 20)...)
		c.put32(-1)
	})
	add("attribute outside a tag", func(c *chunkBuilder) {
		c.instance("a", node{name: "E", kids: []any{"x"}})
		for i := len(c.b) - 1; ; i-- {
			if c.b[i] == tokEnd {
				c.b[i] = tokAttribute
				break
			}
		}
	})
	add("an end without a start", func(c *chunkBuilder) { c.put(tokEnd) })
	add("unknown token", func(c *chunkBuilder) { c.put(0x1f) })
	add("text of another type", func(c *chunkBuilder) {
		c.element(node{name: "E", kids: []any{"x"}}, false)
		c.b[bytes.LastIndex(c.b, []byte{tokValue, typeString})+1] = typeGUID
	})
	add("nothing", func(c *chunkBuilder) {})
	return out
}

func TestHostile(t *testing.T) {
	for name, c := range hostileFiles() {
		t.Run(name, func(t *testing.T) {
			r := readAll(t, file(c.bytes()))
			if got := strings.Join(ids(r), " "); got != "1 3" || len(r.problems) != 1 {
				t.Fatalf("records %s, problems %v", got, causes(r))
			}
			p := r.problems[0]
			if p.Record != 2 || !errors.Is(p, ErrFormat) && !errors.Is(p, ErrLimit) {
				t.Errorf("problem %v", p)
			}
		})
	}
}

// Small records that share one huge template must not make a chunk cost more than its budget.
func TestChunkBudget(t *testing.T) {
	big := node{name: "EventData"}
	for range 1200 {
		big.kids = append(big.kids, node{name: "Data"})
	}
	c := newChunk()
	for id := uint64(1); len(c.b) < 60000; id++ {
		c.record(id, func(c *chunkBuilder) { c.instance("big", big) })
	}
	items := 0
	st, err := New(bytesReaderAt(file(c.bytes())), defaultHeaderBlock+chunkSize, Options{}).Read(func(e *event.Event) error {
		items += len(e.Fields[0].Value.Items)
		return nil
	})
	if err != nil || st.Problems == 0 || st.Events == 0 {
		t.Errorf("%v, %+v", err, st)
	}
	if items > MaxChunkWork/opWork {
		t.Errorf("%d items from one chunk", items)
	}
}

// The templates kept from chunk to chunk stay bounded when every chunk brings new ones.
func TestTemplateCacheBound(t *testing.T) {
	d := newDecoder(Options{})
	for i := range 400 {
		c := newChunk()
		big := node{name: "EventData"}
		for j := range 1000 {
			big.kids = append(big.kids, node{name: "Data", kids: []any{fmt.Sprint(i, j)}})
		}
		c.record(1, func(c *chunkBuilder) { c.instance("big", big) })
		d.startChunk(c.bytes())
		if _, err := d.record(1, chunkHeaderSize, len(c.b)-4); err != nil {
			t.Fatal(err)
		}
		if d.keptOps > maxCachedOps {
			t.Fatalf("%d operations kept", d.keptOps)
		}
	}
	if len(d.kept) == 0 || len(d.kept) == 400 {
		t.Errorf("%d programs kept", len(d.kept))
	}
}

// seeds of the fuzz test: a good file, each hostile one, damaged headers, odd layouts.
func seeds() [][]byte {
	out := [][]byte{
		file(sample(1, 3).bytes()),
		file(sample(1, 1).bytes(), make([]byte, chunkSize), sample(2, 1).bytes()),
		file(sample(1, 3).bytes())[:defaultHeaderBlock+chunkHeaderSize+700],
		file(newChunk().bytes()),
		file(newChunk().record(1, func(c *chunkBuilder) { c.element(systemNode(), false) }).bytes()),
		file(newChunk().record(1, eventRecord("u", node{name: "UserData", kids: []any{cdata("x"), charRef(65), entityRef("lt"), pi{"t", "d"}}})).bytes()),
	}
	for _, c := range hostileFiles() {
		out = append(out, file(c.bytes()))
	}
	return out
}

func TestSeeds(t *testing.T) {
	if n := len(seeds()); n < 25 {
		t.Errorf("%d seeds, want at least 25", n)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range seeds() {
		f.Add(bytes.TrimRight(s, "\x00"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		text := 0
		_, err := New(bytes.NewReader(b), int64(len(b)), Options{}).Read(func(e *event.Event) error {
			if len(e.Fields) == 0 || len(e.Fields) > MaxFields {
				t.Errorf("%d fields", len(e.Fields))
			}
			seen := map[string]bool{}
			for _, f := range e.Fields {
				if seen[f.Name] {
					t.Errorf("%s twice", f.Name)
				}
				seen[f.Name] = true
				text += len(f.Value.Text)
				for _, v := range f.Value.Items {
					text += len(v.Text)
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, ErrNotEVTX) {
			t.Error(err)
		}
		if chunks := len(b)/chunkSize + 1; text > chunks*3*MaxChunkWork {
			t.Errorf("%d bytes of text from %d", text, len(b))
		}
	})
}
