package search

import (
	"strings"
	"testing"

	"shieldwall/internal/object"
	"shieldwall/internal/query"
	"shieldwall/internal/stix"
)

// Whatever a query says, the index understands how it is put, and what is found holds.
func FuzzSearch(f *testing.F) {
	seeds := []string{"", `a "b c" -d`, `(type:malware OR name:pow*) 10.0.0.1`, "created:2026..", `value:"x\"y"`, "-(a -b)", "label:'x", "NEAR OR NOT AND", "é*", "^a + b", `pattern:"=" x=y`}
	for _, s := range seeds {
		f.Add(s)
	}
	if len(seeds) != 11 {
		f.Fatalf("%d seeds", len(seeds))
	}
	w := newWorld(f)
	for i, tlp := range []stix.TLP{stix.Clear, stix.AmberStrict, stix.Amber} {
		w.put("b", tlp, "alliance", stixObject("malware", i, `"name":"a b c d","labels":["x"],"description":"near 10.0.0.1 not powder"`))
	}
	w.index()
	f.Fuzz(func(t *testing.T, text string) {
		n, perr := query.Parse(text)
		page, err := w.s.Search(t.Context(), staff, Request{Query: text, Relations: true})
		if err != nil && !Wrong(err) || (perr == nil) != (err == nil) {
			t.Fatalf("%q: %v", text, err)
		}
		if perr != nil || strings.Contains(text, "since:") || strings.Contains(text, "until:") {
			return
		}
		// The plain way: look at each copy.
		found := 0
		expr := expression{spelling: w.s.spelling, hide: true}
		err = w.s.opt.View(t.Context(), func(tx Tx) error {
			copies, err := tx.CopiesAfter(0, 9, 1<<20)
			for _, c := range copies {
				c.Copy, _ = unseal(c.Copy)
				if d := w.s.spelling.document(c); expr.holds(n, &d) {
					found++
				}
			}
			return err
		})
		if err != nil || found != len(page.Hits) {
			t.Fatalf("%q: %d found, %d hold, %v", text, len(page.Hits), found, err)
		}
	})
}

// Whatever an object says, it can be taken apart, within the limits.
func FuzzDocument(f *testing.F) {
	seeds := []string{
		stixObject("malware", 1, `"name":"x","aliases":["y"],"labels":["attack.t1059.001"]`), stixObject("indicator", 2, `"pattern":"[a:b = 'c\\'d']","pattern_type":"stix"`),
		`{"type":"file","id":"file--1","hashes":{"MD5":"A"},"extensions":{"x":{"hashes":{"a":1}}}}`, `{"kill_chain_phases":[{"phase_name":"x"},1]}`, `[]`, ``, `{"a":{"b":["c",null,{"created":"2026-01-01T00:00:00Z"}]}}`,
	}
	for _, s := range seeds {
		f.Add(s)
	}
	if len(seeds) != 7 {
		f.Fatalf("%d seeds", len(seeds))
	}
	s := &spelling{[]byte("x"), smallBlock, bigBlock}
	f.Fuzz(func(t *testing.T, raw string) {
		d := s.document(object.Filed{Copy: object.Copy{Seq: 1, TLP: 1, Raw: []byte(raw)}})
		const most = 20 * (maxValues + 2*maxLabels + maxRefs + maxPairs + 20)
		if len(d.name) > 2*maxName || len(d.text) > 2*maxText || len(d.pattern) > 2*maxPattern || len(d.keys) > most || strings.Contains(d.name+d.text+d.pattern, "=") {
			t.Fatalf("%q: %+v", raw, d)
		}
	})
}
