package shelf

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/roster"
	"shieldwall/internal/stix"
	"shieldwall/internal/store/sqlite"
)

const creatorOf = "identity--%08x-1111-4111-8111-111111111111"

// bench is a store and the shelves over it: this member is a; b and c are allies, each with an identity; d is in no
// group.
type bench struct {
	t       *testing.T
	st      *sqlite.Store
	members *policy.Members
	shelves *Shelves
	clock   time.Time
	opened  int
}

func newBench(t *testing.T) *bench {
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	identity := func(i int) []string { return []string{fmt.Sprintf(creatorOf, i)} }
	b := &bench{t: t, st: st, clock: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), members: policy.MembersOf(&roster.Roster{
		Version: 1, Groups: []string{"states", "rail"}, Members: []roster.Member{
			{ID: "a", Groups: []string{"states"}, Identities: identity(1)}, {ID: "b", Groups: []string{"states"}, Identities: identity(2)},
			{ID: "c", Groups: []string{"rail"}, Identities: identity(3)}, {ID: "d", Identities: identity(4)},
		},
	})}
	view := func(ctx context.Context, fn func(Tx) error) error {
		return st.View(ctx, func(tx *sqlite.Tx) error { return fn(tx) })
	}
	b.shelves = New(Options{View: view, Members: func() *policy.Members { return b.members }, Open: func(c object.Copy) (object.Copy, error) {
		b.opened++
		return c, nil
	}})
	return b
}

// body is an object's bytes; what tells copies of one version apart is in name.
func body(typ, id, modified string, creator int, name string) []byte {
	text := fmt.Sprintf(`{"type":%q,"id":%q,"name":%q`, typ, id, name)
	if creator > 0 {
		text += fmt.Sprintf(`,"created_by_ref":%q`, fmt.Sprintf(creatorOf, creator))
	}
	if modified != "" {
		text += fmt.Sprintf(`,"created":"2026-01-01T00:00:00.000Z","modified":"%s.000Z"`, modified)
	}
	return []byte(text + "}")
}

// put admits a copy of "TYPE--N" and gives it as stored.
func (b *bench) put(publisher, id, modified string, tlp stix.TLP, audience string, raw []byte) object.Copy {
	b.t.Helper()
	typ, _, _ := strings.Cut(id, "--")
	c := object.Copy{Key: object.Key{Publisher: publisher, ID: id}, Type: typ, Modified: modified, TLP: uint8(tlp), Audience: audience, Admitted: b.clock, Raw: raw}
	if o, err := stix.Parse(raw, stix.Limits{}); err == nil && o.CreatedBy != "" {
		c.Own = b.members.Owner(o.CreatedBy) == publisher
	}
	err := b.st.Update(b.t.Context(), func(tx *sqlite.Tx) error {
		stored, err := tx.PutCopy(c)
		if err == nil {
			c, err = tx.CopyAt(stored.Seq)
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bench) withdraw(c object.Copy) {
	b.t.Helper()
	if err := b.st.Update(b.t.Context(), func(tx *sqlite.Tx) error { return tx.Remove(c.Publisher, c.ID, []int64{c.Seq}) }); err != nil {
		b.t.Fatal(err)
	}
}

var staff = policy.Reader{Kind: policy.Staff, Member: "a"}

func (b *bench) page(who policy.Reader, q Query) Page {
	b.t.Helper()
	p, err := b.shelves.Page(b.t.Context(), who, q)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// all pages through a query and gives the orders of admission.
func (b *bench) all(who policy.Reader, q Query) []int64 {
	b.t.Helper()
	out := []int64{}
	for {
		p := b.page(who, q)
		for _, c := range p.Copies {
			out = append(out, c.Seq)
		}
		if !p.More {
			return out
		}
		if !p.Last.After(q.After) {
			b.t.Fatalf("a page that leads nowhere: %+v", p)
		}
		q.After = p.Last
	}
}

func seqsOf(copies ...object.Copy) []int64 {
	out := []int64{}
	for _, c := range copies {
		out = append(out, c.Seq)
	}
	return out
}

func TestWhatAReaderSees(t *testing.T) {
	b := newBench(t)
	id := func(i int) string { return fmt.Sprintf("indicator--%d", i) }
	put := func(i int, publisher string, tlp stix.TLP, audience string) object.Copy {
		return b.put(publisher, id(i), "2026-01-01T00:00:00", tlp, audience, body("indicator", id(i), "2026-01-01T00:00:00", 0, ""))
	}
	public := put(1, "b", stix.Clear, "everyone")
	green := put(2, "b", stix.Green, "alliance")
	amber := put(3, "b", stix.Amber, "alliance")
	strict := put(4, "b", stix.AmberStrict, "alliance")
	red := put(5, "b", stix.Red, "member:a")
	rail := put(6, "c", stix.Green, "group:rail")
	states := put(7, "b", stix.Amber, "group:states")
	posted := put(8, object.Posted("x"), stix.AmberStrict, "member:a")
	gone := put(9, "b", stix.Green, "alliance")
	b.withdraw(gone)
	readers := map[string]policy.Reader{
		"constituent": {Kind: policy.Constituent, Member: "a"}, "machine": {Kind: policy.Machine, Member: "a"}, "staff": staff,
		"public": {Kind: policy.Public}, "nobody": {Member: "a"}, "stranger": {Kind: policy.Staff, Member: "z"},
	}
	for _, tt := range []struct {
		audience string
		who      string
		want     []object.Copy
	}{
		{"everyone", "public", []object.Copy{public}}, {"everyone", "constituent", []object.Copy{public}}, {"everyone", "stranger", []object.Copy{public}},
		{"alliance", "constituent", []object.Copy{green, amber}}, {"alliance", "machine", []object.Copy{green, amber, strict}},
		{"alliance", "staff", []object.Copy{green, amber, strict}}, {"alliance", "public", nil}, {"alliance", "nobody", nil}, {"alliance", "stranger", nil},
		{"group:states", "constituent", []object.Copy{states}}, {"group:rail", "staff", nil}, {"group:none", "staff", nil}, {"nonsense", "staff", nil},
		{"member:a", "staff", []object.Copy{posted}}, {"member:a", "machine", []object.Copy{posted}}, {"member:a", "constituent", []object.Copy{}},
	} {
		who := readers[tt.who]
		p, err := b.shelves.Page(t.Context(), who, Query{Audience: tt.audience})
		if tt.want == nil {
			if !errors.Is(err, ErrNoAudience) || len(p.Copies) > 0 || b.shelves.MayRead(who, tt.audience) {
				t.Errorf("%s, %s: %+v, %v", tt.audience, tt.who, p, err)
			}
			continue
		}
		if got := seqsOf(p.Copies...); err != nil || p.More || !slices.Equal(got, seqsOf(tt.want...)) {
			t.Errorf("%s, %s: %v, want %v, %v", tt.audience, tt.who, got, seqsOf(tt.want...), err)
		}
		for _, c := range []object.Copy{green, amber, strict, red, rail, states, posted, gone} {
			p, err := b.shelves.Page(t.Context(), who, Query{Audience: tt.audience, IDs: []string{c.ID}})
			want := slices.Contains(seqsOf(tt.want...), c.Seq)
			if err != nil || p.Known != want || len(p.Copies) == 1 != want {
				t.Errorf("%s, %s, %s by id: %+v, %v", tt.audience, tt.who, c.ID, p, err)
			}
		}
	}
	for _, tt := range []struct {
		who, audience string
		want          bool
	}{{"staff", "member:a", true}, {"constituent", "member:a", false}, {"constituent", "alliance", true}, {"staff", "group:rail", false}, {"staff", "group:none", false}} {
		if sees, err := b.shelves.Sees(t.Context(), readers[tt.who], tt.audience); sees != tt.want || err != nil {
			t.Errorf("%s sees %s: %v, %v", tt.who, tt.audience, sees, err)
		}
	}
	for who, want := range map[string]string{
		"staff": "alliance everyone group:states member:a", "machine": "alliance everyone group:states member:a",
		"constituent": "alliance everyone group:states", "public": "everyone", "nobody": "", "stranger": "everyone",
	} {
		got, err := b.shelves.Audiences(t.Context(), readers[who])
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s sees %q, want %q, %v", who, got, want, err)
		}
	}
}

// Of all members' copies a reader is shown the newest, then the creator's own, then the one admitted first.
func TestOneCopyOfAVersion(t *testing.T) {
	const v1, v2 = "2026-01-01T00:00:00", "2026-02-01T00:00:00"
	q := Query{Audience: "alliance"}
	for name, tt := range map[string]struct {
		put  func(b *bench, put func(publisher, version string, tlp stix.TLP, creator int, name string) object.Copy) (shown []object.Copy)
		kind policy.Kind
	}{
		"the newest": {put: func(_ *bench, put func(string, string, stix.TLP, int, string) object.Copy) []object.Copy {
			put("b", v1, stix.Green, 0, "")
			newest := put("c", v2, stix.Green, 0, "")
			put("d", v1, stix.Green, 0, "")
			return []object.Copy{newest}
		}},
		"the newest that the reader may see": {kind: policy.Constituent, put: func(_ *bench, put func(string, string, stix.TLP, int, string) object.Copy) []object.Copy {
			mine := put("b", v1, stix.Green, 0, "")
			put("b", v2, stix.AmberStrict, 0, "")
			put("c", v2, stix.AmberStrict, 0, "")
			return []object.Copy{mine}
		}},
		"the creator's own": {put: func(_ *bench, put func(string, string, stix.TLP, int, string) object.Copy) []object.Copy {
			put("b", v1, stix.Green, 3, "twisted")
			own := put("c", v1, stix.Green, 3, "true")
			put("d", v1, stix.Green, 3, "twisted too")
			return []object.Copy{own}
		}},
		"the first of the creator's bytes": {put: func(_ *bench, put func(string, string, stix.TLP, int, string) object.Copy) []object.Copy {
			first := put("b", v1, stix.Green, 3, "same")
			put("c", v1, stix.Green, 3, "same")
			return []object.Copy{first}
		}},
		"the first": {put: func(_ *bench, put func(string, string, stix.TLP, int, string) object.Copy) []object.Copy {
			first := put("d", v1, stix.Green, 9, "one")
			put("c", v1, stix.Green, 9, "two")
			return []object.Copy{first}
		}},
		"once, whatever the markings": {put: func(_ *bench, put func(string, string, stix.TLP, int, string) object.Copy) []object.Copy {
			first := put("b", v1, stix.Green, 0, "")
			put("b", v1, stix.Amber, 0, "")
			put("b", v1, stix.Clear, 0, "")
			return []object.Copy{first}
		}},
		"the older one where the newer is gone": {put: func(b *bench, put func(string, string, stix.TLP, int, string) object.Copy) []object.Copy {
			old := put("b", v1, stix.Green, 0, "")
			b.withdraw(put("b", v2, stix.Green, 0, ""))
			return []object.Copy{old}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			want := tt.put(b, func(publisher, version string, tlp stix.TLP, creator int, name string) object.Copy {
				return b.put(publisher, "indicator--1", version, tlp, "alliance", body("indicator", "indicator--1", version, creator, name))
			})
			who := staff
			if tt.kind != 0 {
				who.Kind = tt.kind
			}
			if got := b.all(who, q); !slices.Equal(got, seqsOf(want...)) {
				t.Errorf("shown %v, want %v", got, seqsOf(want...))
			}
			byID := q
			byID.IDs = []string{"indicator--1", "indicator--1", "indicator--2"}
			if got := b.all(who, byID); !slices.Equal(got, seqsOf(want...)) {
				t.Errorf("by id %v, want %v", got, seqsOf(want...))
			}
		})
	}
}

func TestVersions(t *testing.T) {
	b := newBench(t)
	at := func(month int) string { return fmt.Sprintf("2026-%02d-01T00:00:00", month) }
	put := func(publisher string, month int) object.Copy {
		return b.put(publisher, "indicator--1", at(month), stix.Green, "alliance", body("indicator", "indicator--1", at(month), 0, publisher))
	}
	two, three, one := put("b", 2), put("b", 3), put("c", 1)
	put("c", 3)
	alone := b.put("b", "indicator--2", at(2), stix.Green, "alliance", body("indicator", "indicator--2", at(2), 0, ""))
	dropped := b.put("b", "ipv4-addr--1", "", stix.Green, "alliance", body("ipv4-addr", "ipv4-addr--1", "", 0, "x"))
	address := b.put("b", "ipv4-addr--1", "", stix.Green, "alliance", body("ipv4-addr", "ipv4-addr--1", "", 0, "y"))
	b.put("c", "ipv4-addr--1", "", stix.Green, "alliance", body("ipv4-addr", "ipv4-addr--1", "", 0, "z"))
	marking := b.put("b", "marking-definition--1", "", stix.Green, "alliance", []byte(`{"type":"marking-definition","created":"2017-01-20T00:00:00.000Z"}`))
	_ = dropped // its publisher spoke again
	for _, tt := range []struct {
		v    Versions
		want []object.Copy
	}{
		{Versions{}, []object.Copy{three, alone, address, marking}},
		{Versions{Last: true}, []object.Copy{three, alone, address, marking}},
		{Versions{First: true}, []object.Copy{one, alone, address, marking}},
		{Versions{First: true, Last: true}, []object.Copy{three, one, alone, address, marking}},
		{Versions{All: true}, []object.Copy{two, three, one, alone, address, marking}},
		{Versions{Exact: []string{at(2)}}, []object.Copy{two, alone}},
		{Versions{Exact: []string{at(2), at(9)}, First: true}, []object.Copy{two, one, alone, address, marking}},
		{Versions{Exact: []string{at(9)}}, nil},
		{Versions{Exact: []string{"2017-01-20T00:00:00"}}, []object.Copy{marking}},
		{Versions{Exact: []string{stix.SortKey(address.Admitted.Format(object.AdmittedLayout))}}, []object.Copy{address}},
	} {
		for _, limit := range []int{0, 1, 2} {
			q := Query{Audience: "alliance", Versions: tt.v, Limit: limit}
			if got := b.all(staff, q); !slices.Equal(got, seqsOf(tt.want...)) {
				t.Errorf("%+v by %d: %v, want %v", tt.v, limit, got, seqsOf(tt.want...))
			}
			q.IDs = []string{"indicator--1", "indicator--2", "ipv4-addr--1", "marking-definition--1"}
			if got := b.all(staff, q); !slices.Equal(got, seqsOf(tt.want...)) {
				t.Errorf("%+v by id and %d: %v, want %v", tt.v, limit, got, seqsOf(tt.want...))
			}
		}
	}
	for c, want := range map[int64]string{three.Seq: "2026-03-01T00:00:00.000Z", address.Seq: address.Admitted.Format(object.AdmittedLayout), marking.Seq: "2017-01-20T00:00:00.000Z"} {
		i := slices.Index(seqsOf(three, address, marking), c)
		if got, err := Version([]object.Copy{three, address, marking}[i]); got != want || err != nil {
			t.Errorf("version %q, want %q, %v", got, want, err)
		}
	}
	for v, want := range map[string]int{"all": 4, "last": 2, "exact": 1} {
		versions := map[string]Versions{"all": {All: true}, "last": {Last: true}, "exact": {Exact: []string{at(2)}}}[v]
		if seqs, err := b.shelves.Copies(t.Context(), staff, "alliance", "indicator--1", versions); err != nil || len(seqs) != want {
			t.Errorf("%s: copies %v, want %d, %v", v, seqs, want, err)
		}
	}
	if _, err := b.shelves.Copies(t.Context(), policy.Reader{}, "alliance", "indicator--1", Versions{}); !errors.Is(err, ErrNoAudience) {
		t.Errorf("copies for nobody: %v", err)
	}
}

func TestTypesAndAfter(t *testing.T) {
	b := newBench(t)
	var all []object.Copy
	for i := range 300 {
		b.clock = b.clock.Add(time.Second)
		id := fmt.Sprintf("%s--%d", []string{"indicator", "malware", "tool"}[i%3], i)
		all = append(all, b.put("b", id, "2026-01-01T00:00:00", []stix.TLP{stix.Clear, stix.Green, stix.Amber}[i%4%3], "alliance", body("x", id, "2026-01-01T00:00:00", 0, "")))
	}
	for _, types := range [][]string{nil, {"malware"}, {"tool", "indicator"}, {"none"}} {
		for _, after := range []int{-1, 0, 150, 299} {
			q := Query{Audience: "alliance", Types: types, Limit: 7}
			var want []object.Copy
			for i, c := range all {
				if i > after && (types == nil || slices.Contains(types, c.Type)) {
					want = append(want, c)
				}
			}
			if after >= 0 {
				q.After = all[after].Admitted
			}
			if got := b.all(staff, q); !slices.Equal(got, seqsOf(want...)) {
				t.Errorf("%v after %d: %d copies, want %d", types, after, len(got), len(want))
			}
		}
	}
}

// A page that has to look at more than it shows ends early and says how far it is; nothing is missed.
func TestBoundedLooking(t *testing.T) {
	b := newBench(t)
	const looks = 300
	b.shelves.looks = looks
	err := b.st.Update(t.Context(), func(tx *sqlite.Tx) error {
		for i := range looks + 200 {
			c := object.Copy{Key: object.Key{Publisher: "b", ID: fmt.Sprintf("indicator--%d", i)}, Type: "indicator", Modified: "2026-01-01T00:00:00", TLP: 2, Audience: "alliance", Raw: []byte("{}")}
			if i == looks+100 {
				c.Modified = "2026-02-01T00:00:00"
			}
			if _, err := tx.PutCopy(c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	q := Query{Audience: "alliance", Versions: Versions{Exact: []string{"2026-02-01T00:00:00"}}}
	if p := b.page(staff, q); len(p.Copies) > 0 || !p.More || p.Last.IsZero() {
		t.Errorf("%d copies, more %v", len(p.Copies), p.More)
	}
	if got := b.all(staff, q); !slices.Equal(got, []int64{looks + 101}) {
		t.Errorf("found %v", got)
	}
}

// A page of large bodies is shorter.
func TestBoundedBytes(t *testing.T) {
	b := newBench(t)
	const n = 9
	for i := range n {
		b.put("b", fmt.Sprintf("indicator--%d", i), "2026-01-01T00:00:00", stix.Green, "alliance", []byte(`{"x":"`+strings.Repeat("x", maxBytes/4)+`"}`))
	}
	for _, q := range []Query{{Audience: "alliance"}, {Audience: "alliance", IDs: []string{"indicator--0", "indicator--1", "indicator--2", "indicator--3", "indicator--4", "indicator--5", "indicator--6", "indicator--7", "indicator--8"}}} {
		if p := b.page(staff, q); len(p.Copies) != 3 || !p.More {
			t.Errorf("%d copies, more %v", len(p.Copies), p.More)
		}
		if got := b.all(staff, q); len(got) != n {
			t.Errorf("%d of %d copies", len(got), n)
		}
	}
}

func TestCancelled(t *testing.T) {
	b := newBench(t)
	b.put("b", "indicator--1", "2026-01-01T00:00:00", stix.Green, "alliance", []byte("{}"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.shelves.Page(ctx, staff, Query{Audience: "alliance"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A reader that pages while objects arrive loses none and sees none twice, by cursor and by date alike.
func TestPagingWhileObjectsArrive(t *testing.T) {
	b := newBench(t)
	n := 1500
	if testing.Short() {
		n = 300
	}
	done := make(chan error, 1)
	go func() {
		for i := 0; i < n; {
			err := b.st.Update(context.Background(), func(tx *sqlite.Tx) error {
				for range 1 + i%7 {
					i++
					c := object.Copy{Key: object.Key{Publisher: "b", ID: fmt.Sprintf("indicator--%d", i)}, Type: "indicator", Modified: "2026-01-01T00:00:00", TLP: uint8(1 + i%3), Audience: "alliance", Admitted: time.Now(), Raw: []byte("{}")}
					if _, err := tx.PutCopy(c); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	seen := map[string]bool{}
	q := Query{Audience: "alliance", Limit: 10}
	for ended := false; ; {
		p := b.page(staff, q)
		for _, c := range p.Copies {
			if seen[c.ID] {
				t.Fatalf("%s is seen twice", c.ID)
			}
			seen[c.ID] = true
			q.After = c.Admitted
		}
		if p.More || len(p.Copies) > 0 {
			continue
		}
		if ended {
			break
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			ended = true // one more look
		default:
		}
	}
	if len(seen) < n {
		t.Errorf("%d of %d objects seen", len(seen), n)
	}
}
