package match_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/indicator"
	"shieldwall/internal/match"
	"shieldwall/internal/sigma"
)

func compile(t testing.TB, key match.Key, r *sigma.Rule) match.Compiled {
	t.Helper()
	c, err := match.CompileSigma(key, r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func domains(t testing.TB, key match.Key, names ...string) match.Compiled {
	t.Helper()
	var list []indicator.Indicator
	for _, name := range names {
		ind, err := indicator.New(indicator.Domain, name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, ind)
	}
	c, err := match.CompileIndicators(key, match.Attribution{Title: "bad domain"}, list...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestUpdate(t *testing.T) {
	key := func(id string) match.Key { return match.Key{Publisher: "p", ID: id} }
	ruleFor := func(value string) *sigma.Rule { return parse(t, "s: {F: "+value+"}\ncondition: s") }
	e := match.New(time.Now)
	check := func(step string, rules, indicators int, want ...string) {
		t.Helper()
		if r, i := e.Len(); r != rules || i != indicators {
			t.Errorf("%s: %d rules and %d indicators are live, want %d and %d", step, r, i, rules, indicators)
		}
		got := ""
		for _, h := range hits(e, fields("F", "a", "QueryName", "x.example")) {
			got += h.Key.ID + " "
		}
		wanted := ""
		for _, w := range want {
			wanted += w + " "
		}
		if got != wanted {
			t.Errorf("%s: hits %q, want %q", step, got, wanted)
		}
	}
	check("empty", 0, 0)
	e.Update([]match.Compiled{compile(t, key("r1"), ruleFor("a")), compile(t, key("r2"), ruleFor("b"))}, nil)
	check("two rules", 2, 0, "r1")
	e.Update([]match.Compiled{compile(t, key("r3"), ruleFor("a")), domains(t, key("d1"), "x.example", "y.example")}, nil)
	check("more", 3, 2, "r1", "r3", "d1")
	e.Update([]match.Compiled{compile(t, key("r2"), ruleFor("a"))}, nil)
	check("replaced", 3, 2, "r1", "r3", "r2", "d1")
	e.Update([]match.Compiled{domains(t, key("d1"), "z.example")}, []match.Key{key("r1"), key("unknown")})
	check("removed and replaced", 2, 1, "r3", "r2")
	e.Update([]match.Compiled{compile(t, key("r3"), ruleFor("b"))}, []match.Key{key("r3")})
	check("removed and added at once", 2, 1, "r2")
	e.Update([]match.Compiled{compile(t, key("r4"), ruleFor("b")), compile(t, key("r4"), ruleFor("a"))}, nil)
	check("the same key twice: the later counts", 3, 1, "r2", "r4")
	if !e.Has(key("r4")) || e.Has(key("r1")) {
		t.Error("Has is wrong")
	}
	// Two publishers may use the same id.
	e.Update([]match.Compiled{compile(t, match.Key{Publisher: "q", ID: "r4"}, ruleFor("a"))}, nil)
	check("another publisher", 4, 1, "r2", "r4", "r4")
	e.Update(nil, []match.Key{key("r2"), key("r3"), key("r4"), key("d1"), {Publisher: "q", ID: "r4"}})
	check("empty again", 0, 0)
}

// TestValidity checks that nothing matches before its time or after it, rules and indicators alike.
func TestValidity(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2026, 1, d, 0, 0, 0, 0, time.UTC) }
	now := day(1)
	e := match.New(func() time.Time { return now })
	a := compile(t, match.Key{ID: "a"}, parse(t, "s: {F: a}\ncondition: s"))
	a.From, a.Until = day(2), day(4)
	b := domains(t, match.Key{ID: "b"}, "x.example")
	b.Until = day(3)
	e.Update([]match.Compiled{a, b}, nil)
	for _, tt := range []struct {
		at   time.Time
		want int
	}{{day(1), 1}, {day(2), 2}, {day(3).Add(-1), 2}, {day(3), 1}, {day(4).Add(-1), 1}, {day(4), 0}} {
		now = tt.at
		if got := len(hits(e, fields("F", "a", "QueryName", "x.example"))); got != tt.want {
			t.Errorf("at %s: %d hits, want %d", tt.at, got, tt.want)
		}
	}
}

// TestReadersAndWriters lets many readers match while rules and indicators come and go. Rule "pair"
// has two keys that always change together: a reader must never see one without the other.
func TestReadersAndWriters(t *testing.T) {
	e := match.New(time.Now)
	r := parse(t, "s: {F: a}\ncondition: s")
	ev := fields("F", "a", "QueryName", "x.example")
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				pair := 0
				for _, h := range hits(e, ev) {
					if h.Key.Publisher == "pair" {
						pair++
					}
				}
				if pair != 0 && pair != 2 {
					t.Errorf("saw %d of a pair", pair)
					return
				}
			}
		})
	}
	left, right := match.Key{Publisher: "pair", ID: "l"}, match.Key{Publisher: "pair", ID: "r"}
	for i := range 300 {
		one := match.Key{ID: fmt.Sprint(i)}
		e.Update([]match.Compiled{compile(t, left, r), domains(t, right, "x.example"), compile(t, one, r)}, nil)
		e.Update(nil, []match.Key{left, right, one})
	}
	close(stop)
	readers.Wait()
}

// TestMatchLeavesTheEvent checks that rules in several buckets see the same event, and that a hit's
// fields survive the next event.
func TestMatchLeavesTheEvent(t *testing.T) {
	e := loaded(t, []*sigma.Rule{parse(t, "s: {F|contains: a}\ncondition: s")})
	first := hits(e, fields("F", "aaa"))
	second := hits(e, fields("F", "bab", "G", "x"))
	if first[0].Fields[0].Value.Text != "aaa" || second[0].Fields[0].Value.Text != "bab" {
		t.Errorf("hits %v %v", first, second)
	}
}

// TestBuiltinEventsMeetSysmonRules runs a process rule on Security 4688.
func TestBuiltinEventsMeetSysmonRules(t *testing.T) {
	got, err := sigma.Parse([]byte(`title: t
id: whoami
logsource: {product: windows, category: process_creation}
detection:
  s:
    Image|endswith: '\whoami.exe'
    ParentProcessId: 16
  filter: {ParentCommandLine|contains: legit}
  condition: s and not filter
`), sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e := loaded(t, got.Rules)
	ev := &event.Event{Channel: "Security", EventID: "4688", Fields: fields(
		"NewProcessName", `C:\Windows\System32\whoami.exe`, "ProcessId", "0x10").Fields}
	h := hits(e, ev)
	if len(h) != 1 || len(h[0].Fields) != 2 || h[0].Fields[1].Value.Text != "16" {
		t.Errorf("hits %+v", h)
	}
	ev.Channel = "Application"
	if h := hits(e, ev); len(h) != 0 {
		t.Errorf("hits %+v on another channel", h)
	}
}

// TestHostileEvents feeds events that a decoder would bound, unbounded.
func TestHostileEvents(t *testing.T) {
	e := loaded(t, []*sigma.Rule{parse(t, "s: {F|contains|windash: ' -x*y'}\nk: [zzz]\ncondition: s or k")})
	e.Update([]match.Compiled{domains(t, match.Key{ID: "d"}, "x.example")}, nil)
	many := &event.Event{Service: "test"}
	for i := range 20_000 {
		many.Fields = append(many.Fields, event.Field{Name: fmt.Sprint("f", i), Value: event.Str("v")})
	}
	long := make([]byte, 1<<20)
	for i := range long {
		long[i] = " -x."[i%4]
	}
	for name, ev := range map[string]*event.Event{
		"many fields": many, "long value": fields("F", string(long), "QueryName", string(long), "c-uri", "http://"+string(long),
			"Hashes", string(long), "QueryResults", string(long), "Image", string(long)),
		"invalid UTF-8": fields("F", "\xff -x\xfe", "QueryName", "\xff.example"), "no fields": fields(), "twice": fields("F", "zzz", "F", "a"),
	} {
		t.Run(name, func(t *testing.T) { hits(e, ev) })
	}
	if got := len(hits(e, fields("F", "q /X.Y"))); got != 1 {
		t.Errorf("%d hits after hostile events", got)
	}
}
