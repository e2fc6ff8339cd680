package stixcheck

import (
	"bytes"

	"shieldwall/internal/stix"
)

// node is one value of an object. Nodes lie in one slice, which is used again for the next object.
type node struct {
	kind        byte   // the value's first byte: { [ " t f n, and 0 for a number
	name        string // of a member
	raw         []byte
	at          int   // bytes into the object
	first, next int32 // 0 is none: the root is nobody's child
	count       int   // members or elements
}

func (n *node) isObject() bool { return n.kind == '{' }
func (n *node) isList() bool   { return n.kind == '[' }
func (n *node) isText() bool   { return n.kind == '"' }

// text is the string, "" for other values.
func (n *node) text() string {
	if !n.isText() {
		return ""
	}
	return stix.Unquote(n.raw)
}

// same compares a string with a word without making one.
func (n *node) same(word string) bool {
	if !n.isText() {
		return false
	}
	body := n.raw[1 : len(n.raw)-1]
	if bytes.IndexByte(body, '\\') < 0 {
		return string(body) == word
	}
	return stix.Unquote(n.raw) == word
}

// reader builds the nodes of an object that stix.Parse has accepted, so that its grammar is not asked again.
type reader struct {
	data  []byte
	pos   int
	nodes []node
}

func (r *reader) read(data []byte) {
	r.data, r.pos, r.nodes = data, 0, r.nodes[:0]
	r.value("")
}

func (r *reader) space() {
	for r.data[r.pos] <= ' ' {
		r.pos++
	}
}

// value reads one value; depth is bounded by what stix.Parse accepts.
func (r *reader) value(name string) int32 {
	r.space()
	i := int32(len(r.nodes))
	start := r.pos
	r.nodes = append(r.nodes, node{kind: r.data[start], name: name, at: start})
	switch r.data[start] {
	case '{', '[':
		r.children(i)
	case '"':
		r.literal()
	default:
		for r.pos < len(r.data) && isScalar(r.data[r.pos]) {
			r.pos++
		}
		if c := r.data[start]; c == '-' || c <= '9' {
			r.nodes[i].kind = 0
		}
	}
	r.nodes[i].raw = r.data[start:r.pos]
	return i
}

func isScalar(c byte) bool { return c > ' ' && c != ',' && c != '}' && c != ']' }

func (r *reader) children(parent int32) {
	closing := r.data[r.pos] + 2 // } is { + 2, and ] is [ + 2
	r.pos++
	last := int32(0)
	for {
		r.space()
		switch r.data[r.pos] {
		case closing:
			r.pos++
			return
		case ',':
			r.pos++
			continue
		}
		name := ""
		if closing == '}' {
			name = known(r.literal())
			r.space()
			r.pos++ // the colon
		}
		child := r.value(name)
		if last == 0 {
			r.nodes[parent].first = child
		} else {
			r.nodes[last].next = child
		}
		r.nodes[parent].count++
		last = child
	}
}

// literal passes a string and gives it with its quotes.
func (r *reader) literal() []byte {
	start := r.pos
	r.pos++
	for {
		rest := r.data[r.pos:]
		quote := bytes.IndexByte(rest, '"')
		escape := bytes.IndexByte(rest[:quote], '\\')
		if escape < 0 {
			r.pos += quote + 1
			return r.data[start:r.pos]
		}
		r.pos += escape + 2
	}
}

// names are the names that the tables have; they need no memory of their own.
var names = map[string]string{}

func known(lit []byte) string {
	if name, ok := names[string(lit[1:len(lit)-1])]; ok {
		return name
	}
	return stix.Unquote(lit)
}
