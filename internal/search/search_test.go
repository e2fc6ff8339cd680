package search

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/query"
	"shieldwall/internal/roster"
	"shieldwall/internal/status"
	"shieldwall/internal/stix"
	"shieldwall/internal/store/sqlite"
)

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// world is a store with a Searcher over it: this member is a, b and c are allies.
type world struct {
	t     testing.TB
	st    *sqlite.Store
	s     *Searcher
	clock time.Time
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, clock: start}
	var err error
	if w.st, err = sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "x.db"), sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.st.Close() })
	members := policy.MembersOf(&roster.Roster{Version: 1, Groups: []string{"states"}, Members: []roster.Member{{ID: "a", Groups: []string{"states"}}, {ID: "b"}, {ID: "c"}}})
	w.s = New(Options{
		View: func(ctx context.Context, fn func(Tx) error) error {
			return w.st.View(ctx, func(tx *sqlite.Tx) error { return fn(tx) })
		},
		Update: func(ctx context.Context, fn func(Tx) error) error {
			return w.st.Update(ctx, func(tx *sqlite.Tx) error { return fn(tx) })
		},
		Members: func() *policy.Members { return members }, Open: unseal, Now: func() time.Time { return w.clock }, Secret: []byte("a secret for the test"),
	})
	return w
}

// unseal takes the place of the node's box: sealed bodies begin with a mark.
func unseal(c object.Copy) (object.Copy, error) {
	c.Raw = []byte(strings.TrimPrefix(string(c.Raw), "sealed"))
	return c, nil
}

func (w *world) update(fn func(tx *sqlite.Tx) error) {
	w.t.Helper()
	if err := w.st.Update(context.Background(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// put admits an object a second after the one before.
func (w *world) put(publisher string, tlp stix.TLP, audience, body string) object.Copy {
	w.t.Helper()
	o, err := stix.Parse([]byte(body), stix.Limits{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.clock = w.clock.Add(time.Second)
	c := object.Copy{Key: object.Key{Publisher: publisher, ID: o.ID}, Type: o.Type, Modified: o.Version(), TLP: uint8(tlp), Audience: audience, Admitted: w.clock, Revoked: o.Revoked, Raw: o.Raw, Own: strings.Contains(body, `"own":"`+publisher)}
	if sealed(c.TLP) {
		c.Raw = append([]byte("sealed"), c.Raw...)
	}
	w.update(func(tx *sqlite.Tx) (err error) {
		stored, err := tx.PutCopy(c)
		c.Seq = stored.Seq
		return err
	})
	return c
}

func (w *world) index() {
	w.t.Helper()
	if err := w.s.CatchUp(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

var (
	staff    = policy.Reader{Kind: policy.Staff, Member: "a"}
	operator = policy.Reader{Kind: policy.NamedUser, Member: "a"}
	stranger = policy.Reader{Kind: policy.Public}
)

func (w *world) search(who policy.Reader, text string) []status.Hit {
	w.t.Helper()
	var all []status.Hit
	req := Request{Query: text, Limit: 3}
	for range 1000 {
		page, err := w.s.Search(context.Background(), who, req)
		if err != nil {
			w.t.Fatalf("%s: %v", text, err)
		}
		if len(page.Hits) > req.Limit {
			w.t.Fatalf("%s: a page of %d", text, len(page.Hits))
		}
		all = append(all, page.Hits...)
		if page.Next == "" {
			return all
		}
		req.Cursor = page.Next
	}
	w.t.Fatalf("%s: no end", text)
	return nil
}

func names(hits []status.Hit) string {
	out := []string{}
	for _, h := range hits {
		out = append(out, h.Name)
	}
	return strings.Join(out, " ")
}

func stixObject(typ string, n int, more string) string {
	return fmt.Sprintf(`{"type":%q,"spec_version":"2.1","id":"%s--%08x-0000-4000-8000-000000000000","created":"2026-01-05T00:00:00.000Z","modified":"2026-02-06T23:59:59.999Z",%s}`, typ, typ, n, more)
}

func TestFields(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{
		stixObject("malware", 1, `"name":"one","aliases":["Foo Bar","Baz"],"description":"Steals the crown jewels; naïve.","labels":["Old"],"is_family":true,"object_marking_refs":["marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"]`),
		stixObject("indicator", 2, `"name":"two","pattern":"[domain-name:value = 'Evil.example' OR file:name = 'it\\'s.exe']","pattern_type":"stix","valid_from":"2026-01-05T00:00:00Z","labels":["attack.t1059.001"],"created_by_ref":"identity--00000009-0000-4000-8000-000000000000"`),
		stixObject("indicator", 3, `"name":"three","pattern":"title: x\ntags:\n  - attack.t1078\n  - car.2016-03-002\ndetection:\n  a: frobnicate","pattern_type":"sigma","valid_from":"2026-01-05T00:00:00Z"`),
		stixObject("attack-pattern", 4, `"name":"four","external_references":[{"source_name":"mitre-attack","external_id":"T1003.006"}],"kill_chain_phases":[{"kill_chain_name":"mitre-attack","phase_name":"credential-access"}]`),
		stixObject("relationship", 5, `"relationship_type":"uses","source_ref":"malware--00000001-0000-4000-8000-000000000000","target_ref":"attack-pattern--00000004-0000-4000-8000-000000000000"`),
		`{"type":"file","spec_version":"2.1","id":"file--00000006-0000-4000-8000-000000000000","name":"six","hashes":{"SHA-256":"ABCDEF"}}`,
	} {
		w.put("b", stix.Clear, "everyone", body)
	}
	w.index()
	for text, want := range map[string]string{
		"":               "six uses four three two one",
		"type:indicator": "three two",
		"id:file--00000006-0000-4000-8000-000000000000": "six",
		"value:evil.EXAMPLE":                            "two",
		`value:it's.exe`:                                "two",
		"value:abcdef":                                  "six",
		"value:evil":                                    "",
		"evil":                                          "two",
		"evil.example":                                  "two",
		"crown.jewels":                                  "",
		"car.2016-03":                                   "three",
		"pattern:frobnicate":                            "three",
		"name:frobnicate":                               "",
		"frob*":                                         "three",
		`name:"foo bar"`:                                "one",
		`name:"bar foo"`:                                "",
		`"crown jewels"`:                                "one",
		"NAÏVE":                                         "one",
		"label:old":                                     "one",
		"label:car.2016-03-002":                         "three",
		"technique:t1059":                               "two",
		"technique:T1059.001":                           "two",
		"technique:T1059.002":                           "",
		"technique:T1078":                               "three",
		"technique:T1003":                               "four",
		"technique:credential-access":                   "four",
		"tlp:clear type:file":                           "six",
		"tlp:green":                                     "",
		"member:b type:file":                            "six",
		"member:a":                                      "",
		"ref:malware--00000001-0000-4000-8000-000000000000":      "uses",
		"creator:identity--00000009-0000-4000-8000-000000000000": "two",
		"created:2026-01-05 type:malware":                        "one",
		"created:2026-01 type:malware":                           "one",
		"created:2025..2026 type:malware":                        "one",
		"created:2026-01-06.. type:malware":                      "",
		"created:1970-01-02..2199-12-30 type:malware":            "one",
		"created:1970-01-02..2199-12-30 modified:1970-01-02..2199-12-30 -(created:1970-01-02..2025-12-30 type:tool) type:malware": "one",
		strings.Repeat("(", 7) + "one" + strings.Repeat(")", 7):                                                                   "one",
		"-(-(-(-six)))":                                         "six",
		strings.Repeat("one ", 32):                              "one",
		strings.Repeat("two OR ", 31) + "one":                   "two one",
		"modified:2026-02-06":                                   "uses four three two one",
		"modified:..2026-02-05":                                 "",
		"since:2026-03-04T05:06:12Z":                            "six uses",
		"until:2026-03-04T05:06:09Z":                            "one",
		"since:2026-03-04T05:06:10Z until:2026-03-04T05:06:11Z": "three",
		"-type:indicator":                                       "six uses four one",
		"type:file OR type:malware":                             "six one",
		"(type:file OR -type:indicator) -six":                   "uses four one",
		"-(type:indicator OR type:file) -one":                   "uses four",
		"-(type:indicator three)":                               "six uses four two one",
	} {
		if got := names(w.search(staff, text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// What a reader may not see leaves no trace, and what is sealed in the store is sealed in the index.
func TestReaders(t *testing.T) {
	w := newWorld(t)
	w.put("b", stix.Clear, "everyone", stixObject("malware", 1, `"name":"open"`))
	w.put("b", stix.Amber, "alliance", stixObject("malware", 2, `"name":"amber"`))
	w.put("b", stix.AmberStrict, "alliance", stixObject("malware", 3, `"name":"strict","labels":["quiet-label"],"description":"sealedword beside"`))
	w.put("b", stix.Red, "member:a", stixObject("malware", 4, `"name":"red"`))
	w.put("b", stix.Amber, "member:c", stixObject("malware", 5, `"name":"theirs"`))
	w.index()
	for _, c := range []struct {
		who        policy.Reader
		text, want string
	}{
		{stranger, "", "open"}, {stranger, "strict", ""}, {stranger, "type:malware", "open"}, {stranger, "-open", ""},
		{policy.Reader{Kind: policy.Constituent, Member: "a"}, "", "amber open"},
		{staff, "", "strict amber open"}, {operator, "", "red strict amber open"},
		{staff, `"sealedword beside"`, "strict"}, {staff, "name:strict", "strict"}, {staff, "label:quiet-label", "strict"}, {staff, "sealed*", ""},
		{staff, "theirs", ""}, {policy.Reader{}, "", ""},
	} {
		if got := names(w.search(c.who, c.text)); got != c.want {
			t.Errorf("%v %q: %q, want %q", c.who, c.text, got, c.want)
		}
	}
	for _, who := range []policy.Reader{stranger, staff} {
		if _, err := w.s.Object(t.Context(), who, "malware--00000005-0000-4000-8000-000000000000"); !errors.Is(err, ErrUnknown) {
			t.Errorf("%v: %v", who, err)
		}
	}
	err := w.st.View(t.Context(), func(tx *sqlite.Tx) error {
		for text, want := range map[string]int{"amber": 1, "strict": 0, "sealedword": 0, `"quiet-label"`: 0} {
			if seqs, err := tx.Matching(text, 0, 1<<60, 10); err != nil || len(seqs) != want {
				t.Errorf("the index has %q %d times: %v", text, len(seqs), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestOneOfAllCopies(t *testing.T) {
	w := newWorld(t)
	v := func(modified, name, more string) string {
		return fmt.Sprintf(`{"type":"malware","id":"malware--00000001-0000-4000-8000-000000000000","created":"2026-01-01T00:00:00.000Z","modified":"%s.000Z","name":%q%s}`, modified, name, more)
	}
	w.put("b", stix.Green, "alliance", v("2026-01-01T00:00:00", "old", ""))
	first := w.put("b", stix.Green, "alliance", v("2026-01-02T00:00:00", "new", `,"own":"c"`))
	own := w.put("c", stix.Green, "alliance", v("2026-01-02T00:00:00", "new", `,"own":"c"`))
	w.put("c", stix.Amber, "member:c", v("2026-01-03T00:00:00", "newest", ""))
	w.index()
	is := func(text, want string) {
		t.Helper()
		var got []string
		for _, h := range w.search(staff, text) {
			got = append(got, h.Member+":"+h.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
	is("", "c:new")
	is("old", "")
	is("member:b", "b:new")
	is("member:c", "c:new")
	view, err := w.s.Object(t.Context(), staff, first.ID)
	if err != nil || len(view.Versions) != 2 || view.Member != "c" || view.Versions[1].Modified != "2026-01-01T00:00:00.000Z" {
		t.Errorf("%+v, %v", view, err)
	}
	raw, err := w.s.Raw(t.Context(), staff, first.ID, "2026-01-01T00:00:00.000Z")
	if err != nil || !strings.Contains(string(raw), `"old"`) {
		t.Errorf("%s, %v", raw, err)
	}
	if _, err := w.s.Raw(t.Context(), staff, first.ID, "2026-01-03T00:00:00.000Z"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	w.update(func(tx *sqlite.Tx) error { return tx.Remove("c", own.ID, []int64{own.Seq}) })
	is("", "b:new")
	w.update(func(tx *sqlite.Tx) error { _, err := tx.Withdraw("b", first.ID, object.Place{}); return err })
	is("", "")
}

func TestRelations(t *testing.T) {
	w := newWorld(t)
	w.put("b", stix.Clear, "everyone", stixObject("malware", 1, `"name":"worm","created_by_ref":"identity--00000009-0000-4000-8000-000000000000"`))
	w.put("b", stix.Clear, "everyone", stixObject("tool", 2, `"name":"tool"`))
	w.put("b", stix.Clear, "everyone", stixObject("relationship", 3, `"relationship_type":"drops","source_ref":"malware--00000001-0000-4000-8000-000000000000","target_ref":"tool--00000002-0000-4000-8000-000000000000"`))
	w.put("b", stix.Clear, "everyone", stixObject("report", 4, `"name":"report","object_refs":["malware--00000001-0000-4000-8000-000000000000"]`))
	w.put("b", stix.Amber, "member:c", stixObject("relationship", 5, `"relationship_type":"hidden","source_ref":"malware--00000001-0000-4000-8000-000000000000","target_ref":"tool--00000002-0000-4000-8000-000000000000"`))
	w.index()
	view, err := w.s.Object(t.Context(), staff, "malware--00000001-0000-4000-8000-000000000000")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range view.Relations.Items {
		got = append(got, fmt.Sprintf("%v %s %s %s", r.Out, r.Kind, r.Type, r.Name))
	}
	want := []string{"true created_by_ref  ", "false object_refs report report", "true drops tool tool"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A search whose terms hardly meet stops, says so, and its cursors lead to what there is.
func TestPartial(t *testing.T) {
	w := newWorld(t)
	w.update(func(tx *sqlite.Tx) error {
		for i := range 4_000 {
			body := stixObject("malware", i, fmt.Sprintf(`"name":"n%d"`, i%2))
			c := object.Copy{Key: object.Key{Publisher: "b", ID: fmt.Sprintf("malware--%08x-0000-4000-8000-000000000000", i)}, Type: "malware", TLP: 1, Audience: "everyone", Admitted: start, Raw: []byte(body)}
			if _, err := tx.PutCopy(c); err != nil {
				return err
			}
			// Older versions by the thousand match and are not shown.
			if i > 0 {
				if _, err := tx.Withdraw("b", c.ID, object.Place{}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	w.update(func(tx *sqlite.Tx) error { // they were indexed before they were withdrawn
		for seq := int64(1); seq <= 4_000; seq++ {
			f, err := tx.FiledAt(seq)
			if err != nil {
				return err
			}
			d := w.s.spelling.document(f)
			if err := tx.Index(seq, d.name, d.text, d.pattern, d.keys); err != nil {
				return err
			}
		}
		return tx.PutIndexedTo(4_000)
	})
	page, err := w.s.Search(t.Context(), staff, Request{Query: "type:malware", Limit: 200})
	if err != nil || len(page.Hits) > 0 || !page.Partial || page.Next == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	if got := names(w.search(staff, "type:malware")); got != "n0" {
		t.Errorf("%q", got)
	}
	for _, c := range []string{"!", "zzzzzzzzzzzzz", "-1"} {
		if _, err := w.s.Search(t.Context(), staff, Request{Cursor: c}); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor %q: %v", c, err)
		}
	}
}

// matches is the plain way to answer a query: it knows what each object was made of.
func matches(n *query.Node, words, labels []string, typ string) bool {
	switch n.Op {
	case query.And:
		return !slices.ContainsFunc(n.Kids, func(k *query.Node) bool { return !matches(k, words, labels, typ) })
	case query.Or:
		return slices.ContainsFunc(n.Kids, func(k *query.Node) bool { return matches(k, words, labels, typ) })
	case query.Not:
		return !matches(n.Kids[0], words, labels, typ)
	}
	switch n.Field {
	case query.Type:
		return n.Value == typ
	case query.Label:
		return slices.Contains(labels, n.Value)
	}
	if a, b, pair := strings.Cut(n.Value, " "); pair {
		return words[0] == a && words[1] == b
	}
	return slices.Contains(words, n.Value)
}

// Random queries over random objects find what the plain way finds.
func TestModel(t *testing.T) {
	w := newWorld(t)
	w.s.spelling.small, w.s.spelling.big, w.s.mostRare = 2, 4, 9
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(list []string) string { return list[rnd.IntN(len(list))] }
	types, all, marks := []string{"malware", "tool"}, []string{"ab", "cd", "ef", "gh"}, []string{"x", "y"}
	type thing struct {
		words, labels []string
		typ, id       string
	}
	var things []thing
	for i := range 120 {
		o := thing{typ: pick(types), words: []string{pick(all), pick(all)}, labels: []string{pick(marks)}}
		c := w.put("b", stix.TLP(1+rnd.IntN(4)), "alliance", stixObject(o.typ, i, fmt.Sprintf(`"name":"%s %s","labels":[%q]`, o.words[0], o.words[1], o.labels[0])))
		o.id = c.ID
		o.words = append(o.words, o.labels[0])
		things = append(things, o)
	}
	w.index()
	var grow func(depth int) string
	grow = func(depth int) string {
		switch k := rnd.IntN(7); {
		case k == 0 && depth < 3:
			return "(" + grow(depth+1) + " OR " + grow(depth+1) + ")"
		case k == 1 && depth < 3:
			return "(" + grow(depth+1) + " " + grow(depth+1) + ")"
		case k == 2 && depth < 3:
			return "-" + grow(depth+1)
		case k == 3:
			return "type:" + pick(types)
		case k == 4:
			return "label:" + pick(marks)
		case k == 5:
			return `"` + pick(all) + " " + pick(all) + `"`
		}
		return pick(all)
	}
	found := 0
	for range 300 {
		text := grow(0)
		n, err := query.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for i := len(things) - 1; i >= 0; i-- {
			if matches(n, things[i].words, things[i].labels, things[i].typ) {
				want = append(want, things[i].id)
			}
		}
		for _, h := range w.search(staff, text) {
			got = append(got, h.ID)
		}
		if found += len(got); !slices.Equal(got, want) {
			t.Fatalf("%s: %d found, %d wanted", text, len(got), len(want))
		}
	}
	if found < 1000 {
		t.Errorf("%d found: the queries ask for nothing", found)
	}
}

// A store that is full does not end the index: it goes on when there is room again.
func TestIndexGoesOn(t *testing.T) {
	w := newWorld(t)
	w.put("b", stix.Clear, "everyone", stixObject("malware", 1, `"name":"late"`))
	var full atomic.Bool
	full.Store(true)
	update := w.s.opt.Update
	w.s.opt.Update = func(ctx context.Context, fn func(Tx) error) error {
		if full.Load() {
			return errors.New("disk full")
		}
		return update(ctx, fn)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.s.Run(ctx) }()
	until := func(what string, so func(status.Search) bool) {
		t.Helper()
		for range 3000 {
			if st, err := w.s.Status(t.Context()); err == nil && so(st) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("it never came about that %s", what)
	}
	until("it says what is wrong", func(s status.Search) bool { return s.Problem == "disk full" && s.Waiting == 1 })
	full.Store(false)
	until("it goes on", func(s status.Search) bool { return s.Problem == "" && s.Waiting == 0 })
	if got := names(w.search(staff, "late")); got != "late" {
		t.Errorf("%q", got)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
