package telemetry

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
)

// maxAnswerHead is how much of a search's answer may stand before its hits: Elasticsearch writes a few hundred bytes.
const maxAnswerHead = 64 << 10

// answers tells whether a stream starts as a search's answer does: {"took":, {"_scroll_id": or {"pit_id":, or with its
// hits at once; or whether more of it is needed to tell.
func answers(head []byte) (start, whole bool) {
	rest, ok := bytes.CutPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{"))
	rest = bytes.TrimLeft(rest, " \t\r\n")
	for _, key := range [...]string{`"took"`, `"_scroll_id"`, `"pit_id"`, `"hits"`} {
		switch {
		case !ok:
		case bytes.HasPrefix(rest, []byte(key)):
			return true, true
		case bytes.HasPrefix([]byte(key), rest):
			start = true
		}
	}
	return start, false
}

// unwrapAnswer makes the hits of {"took":..,"hits":{..,"hits":[..]}} an array of their own, so that a file of any size
// is read hit by hit. What is taken off becomes blanks, so that lines and positions in messages are those of the
// file. What turns out to be something else passes as it is.
func unwrapAnswer(r io.Reader) io.Reader {
	in := bufio.NewReaderSize(r, maxAnswerHead)
	head, _ := in.Peek(maxAnswerHead) // a shorter stream is all here; its error comes again
	at, found := hitsAt(head)
	if !found {
		return in
	}
	before := append(blanks(head[:at]), '[')
	in.Discard(at + 1)
	return io.MultiReader(bytes.NewReader(before), &hits{in: in, depth: 1})
}

// hitsAt finds the bracket of hits.hits.
func hitsAt(head []byte) (at int, found bool) {
	d := json.NewDecoder(bytes.NewReader(head))
	var keys []string // of the objects that are open
	expectKey := false
	for {
		t, err := d.Token()
		if err != nil {
			return 0, false
		}
		switch v := t.(type) {
		case json.Delim:
			switch v {
			case '{':
				keys, expectKey = append(keys, ""), true
			case '[':
				if len(keys) == 2 && keys[0] == "hits" && keys[1] == "hits" {
					return int(d.InputOffset()) - 1, true
				}
				for d.More() { // another array: its values are of no interest
					var skip json.RawMessage
					if d.Decode(&skip) != nil {
						return 0, false
					}
				}
			default:
				if v == '}' {
					keys = keys[:len(keys)-1]
				}
				if len(keys) == 0 {
					return 0, false
				}
				expectKey = true
			}
			continue
		case string:
			if expectKey && len(keys) > 0 {
				keys[len(keys)-1], expectKey = v, false
				continue
			}
		}
		expectKey = true
	}
}

func blanks(b []byte) []byte {
	out := bytes.Repeat([]byte{' '}, len(b))
	for i, c := range b {
		if c == '\n' {
			out[i] = c
		}
	}
	return out
}

// hits passes an array on up to the bracket that closes it, and blanks what follows of the answer.
type hits struct {
	in      *bufio.Reader
	depth   int // of brackets that are open in the array; 0 behind it
	text    bool
	escaped bool
}

func (h *hits) Read(p []byte) (int, error) {
	n, err := h.in.Read(p)
	for i, c := range p[:n] {
		switch {
		case h.depth == 0:
			if c != '\n' {
				p[i] = ' '
			}
		case h.escaped:
			h.escaped = false
		case h.text:
			h.escaped = c == '\\'
			h.text = c != '"'
		case c == '"':
			h.text = true
		case c == '{' || c == '[':
			h.depth++
		case c == '}' || c == ']':
			h.depth--
		}
	}
	return n, err
}
