package match

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"shieldwall/internal/event"
	"shieldwall/internal/indicator"
)

// pieces are what random indicators and events are made of, so that they meet often.
var pieces = []string{
	"evil.example", "www.evil.example", "a.b.c.evil.example", "example.org", "evil.exe", "Evil.EXE", ".hidden.sh", "192.0.2.1",
	"192.0.2.0/24", "192.0.2.77", "2001:db8::1", "2001:db8::/32", "::ffff:192.0.2.1", "fe80::1%3", "a@evil.example", "A@Evil.example",
	"http://evil.example/x", "https://evil.example/x?y=1", "evil.example/x", "HTTP://Evil.example:80/x#f", "ftp://u@evil.example/é",
	"d41d8cd98f00b204e9800998ecf8427e", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", "MD5=d41d8cd98f00b204e9800998ecf8427e",
	"IMPHASH=d41d8cd98f00b204e9800998ecf8427e", `HKLM\Software\Evil`, `HKEY_LOCAL_MACHINE\SOFTWARE\Evil\Run`, `\REGISTRY\MACHINE\Software\Evil`,
	`Global\EvilMutex`, `\Sessions\1\BaseNamedObjects\Global\EvilMutex`, `C:\Windows\evil.exe`, "/", ",", ";", " ", "é", "[", "]", "\"", ":", ".", "=", "-",
}

func randomIndicators(r *rand.Rand) (out []indicator.Indicator) {
	for range 1 + r.IntN(5) {
		text := pieces[r.IntN(len(pieces))]
		if ind, ok, err := indicator.ParseLine(text); ok && err == nil {
			ind.Subdomains = ind.Subdomains && r.IntN(2) == 0
			out = append(out, ind)
		}
		for _, t := range []indicator.Type{indicator.FileName, indicator.Mutex, indicator.RegistryKey} {
			if ind, err := indicator.New(t, text); err == nil && r.IntN(3) == 0 {
				out = append(out, ind)
			}
		}
	}
	return out
}

func randomEvent(r *rand.Rand, names []string) *event.Event {
	ev := &event.Event{}
	for range 1 + r.IntN(4) {
		name := names[r.IntN(len(names))]
		if _, taken := ev.Get(name); taken {
			continue
		}
		var text strings.Builder
		for range 1 + r.IntN(4) {
			text.WriteString(pieces[r.IntN(len(pieces))])
			if r.IntN(2) == 0 {
				text.WriteByte(' ')
			}
		}
		v := event.Str(text.String())
		if r.IntN(5) == 0 {
			v = event.Value{Kind: event.List, Items: []event.Value{v, {}, event.Str(pieces[r.IntN(len(pieces))])}}
		}
		ev.Fields = append(ev.Fields, event.Field{Name: name, Value: v})
	}
	return ev
}

// show spells hits in an order that both ways have.
func show(hits []string) string {
	slices.Sort(hits)
	return strings.Join(slices.Compact(hits), "\n")
}

func showOne(u *unit, ind *indicator.Indicator, fields []event.Field) string {
	names := ""
	for _, f := range fields {
		names += " " + f.Name
	}
	return fmt.Sprint(u.Key.ID, " ", ind.Type, " ", ind.Value, " ", ind.Subdomains, names)
}

// pair is the sets beside the oracle.
type pair struct {
	sets  indicatorSets
	live  []*unit // with their indicators
	inset []*unit // the same, as the sets hold them
	now   time.Time
	next  int
}

// change takes one unit out and puts one in.
func (p *pair) change(r *rand.Rand) {
	out := map[*unit]bool{}
	if n := len(p.live); n > 0 && r.IntN(2) == 0 {
		i := r.IntN(n)
		out[p.inset[i]] = true
		p.live, p.inset = slices.Delete(p.live, i, i+1), slices.Delete(p.inset, i, i+1)
	}
	var in []*unit
	for range r.IntN(3) {
		p.next++
		c := Compiled{Key: Key{ID: fmt.Sprint("u", p.next)}, indicators: randomIndicators(r)}
		if r.IntN(3) == 0 {
			c.Until = p.now.Add(time.Duration(r.IntN(20)) * time.Minute)
		}
		if r.IntN(4) == 0 {
			c.From = p.now.Add(time.Duration(r.IntN(10)) * time.Minute)
		}
		u := &unit{Compiled: c}
		in = append(in, u)
		p.live, p.inset = append(p.live, &unit{Compiled: c}), append(p.inset, u)
	}
	p.sets = p.sets.edit(in, out, p.now)
	p.now = p.now.Add(time.Duration(r.IntN(3)) * time.Minute)
}

// meet holds the two ways to one another on an event.
func (p *pair) meet(t *testing.T, ev *event.Event) int {
	t.Helper()
	var got, want []string
	for _, f := range p.sets.match(ev, p.now, nil) {
		got = append(got, showOne(f.unit, &f.ind, f.fields))
	}
	for _, f := range newPlainSets(p.live).match(ev, p.now, nil) {
		want = append(want, showOne(f.unit, f.ind, f.fields))
	}
	if g, w := show(got), show(want); g != w {
		t.Fatalf("event %+v:\ngot\n%s\nwant\n%s", ev.Fields, g, w)
	}
	return len(got)
}

func runPair(t *testing.T, r *rand.Rand, steps int) (met int) {
	names := make([]string, 0, 100)
	for name := range indicatorFields() {
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare[string])
	p := &pair{now: time.Unix(1_700_000_000, 0)}
	for range steps {
		p.change(r)
		for range 3 {
			met += p.meet(t, randomEvent(r, names))
		}
	}
	return met
}

func TestSetsLikeOracle(t *testing.T) {
	met := 0
	for seed := range uint64(60) {
		met += runPair(t, rand.New(rand.NewPCG(seed, 1)), 30)
	}
	if met < 500 {
		t.Errorf("only %d hits: this tests too little", met)
	}
}

func FuzzSetsLikeOracle(f *testing.F) {
	seeds := [][2]string{
		{"ping evil.example", "CommandLine"}, {"http://evil.example:80/x", "c-uri"}, {"192.0.2.7", "DestinationIp"}, {"2001:db8::7", "SourceIp"},
		{"MD5=0123456789abcdef0123456789abcdef,SHA1=x", "Hashes"}, {"<a@evil.example>", "From"}, {`HKLM\Software\Evil\x`, "TargetObject"}, {`C:\x\evil.exe`, "Image"},
	}
	if len(seeds) != 8 {
		f.Fatalf("%d seeds", len(seeds))
	}
	for i, s := range seeds {
		f.Add(uint64(i), s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, seed uint64, text, field string) {
		r := rand.New(rand.NewPCG(seed, 2))
		p := &pair{now: time.Unix(1_700_000_000, 0)}
		for range 10 {
			p.change(r)
		}
		if text = strings.ToValidUTF8(text, "?"); len(text) < maxTextScanned {
			p.meet(t, &event.Event{Fields: []event.Field{{Name: field, Value: event.Str(text)}}})
		}
	})
}

func sameTokens(t *testing.T, text string) {
	t.Helper()
	var got, want []string
	cutTokens(text, func(kind tokenKind, token string) bool {
		got = append(got, fmt.Sprint(kind, token))
		return true
	})
	for _, tok := range plainTokens(text) {
		want = append(want, fmt.Sprint(tok.kind, tok.text))
	}
	if g, w := show(got), show(want); g != w {
		t.Fatalf("%q:\ngot\n%s\nwant\n%s", text, g, w)
	}
}

// sameByBlocks holds cutTokens to cutPlain with the text at every place of a block and across the ends of what is
// classified at once.
func sameByBlocks(t *testing.T, text string) {
	t.Helper()
	cut := func(by func(string, func(tokenKind, string) bool), text string) (out []string) {
		by(text, func(kind tokenKind, token string) bool {
			out = append(out, fmt.Sprint(kind, token))
			return len(out) < 100
		})
		return out
	}
	for _, front := range []string{"", strings.Repeat("word ", 12), strings.Repeat("0123456789abcde ", 31) + "x", strings.Repeat("a", 500), strings.Repeat(" ", 600)} {
		for pad := range 20 {
			whole := front + strings.Repeat(" ", pad) + text
			if got, want := cut(cutTokens, whole), cut(cutPlain, whole); !slices.Equal(got, want) {
				t.Fatalf("%q:\ngot\n%q\nwant\n%q", whole, got, want)
			}
		}
	}
}

var tokenSeeds = []string{
	"ping evil.example.", "curl http://evil.example/x, then", "a:b@c.d:e", "x=http://a/http://b/c", "::1 2001:db8::1. c:1:2",
	"d41d8cd98f00b204e9800998ecf8427e.", "-.hidden.sh+", "1.2.3.4:80", "@", "a@", "@a.b", "://", "http://", "é.example", "a_b://c.d",
}

func TestTokens(t *testing.T) {
	for _, text := range tokenSeeds {
		sameTokens(t, text)
		sameByBlocks(t, text+" "+strings.Repeat("f", 64)+" "+text)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		ev := randomEvent(r, []string{"x"})
		sameTokens(t, ev.Fields[0].Value.Text)
		sameByBlocks(t, ev.Fields[0].Value.Text)
	}
}

func FuzzTokens(f *testing.F) {
	for _, text := range tokenSeeds {
		f.Add(text)
	}
	if len(tokenSeeds) < 15 {
		f.Fatal("seeds are missing")
	}
	f.Fuzz(func(t *testing.T, text string) {
		if utf8.ValidString(text) {
			sameTokens(t, text)
		}
		sameByBlocks(t, text)
	})
}

// TestSearchAllocatesNothing: an event that meets nothing costs no memory.
func TestSearchAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector a pool forgets what it is given, now and then")
	}
	u := &unit{}
	for _, line := range []string{"other.example", "198.51.100.0/24", "2001:db8::7", "http://other.example/x", "b@other.example",
		"d41d8cd98f00b204e9800998ecf8427f", "da39a3ee5e6b4b0d3255bfef95601890afd80708"} {
		ind, _, err := indicator.ParseLine(line)
		if err != nil {
			t.Fatal(err)
		}
		u.indicators = append(u.indicators, ind)
	}
	for _, typ := range []indicator.Type{indicator.FileName, indicator.Mutex, indicator.RegistryKey} {
		ind, err := indicator.New(typ, "other")
		if err != nil {
			t.Fatal(err)
		}
		u.indicators = append(u.indicators, ind)
	}
	sets := indicatorSets{}.edit([]*unit{u}, nil, time.Now())
	ev := &event.Event{}
	for _, f := range [][2]string{
		{"CommandLine", `"C:\Windows\evil.exe" http://Evil.example/a?b=1 1.2.3.4 2001:db8::1 a@evil.example D41D8CD98F00B204E9800998ECF8427E`},
		{"Hashes", "SHA1=DA39A3EE5E6B4B0D3255BFEF95601890AFD80709,MD5=D41D8CD98F00B204E9800998ECF8427E,IMPHASH=0"},
		{"Image", `C:\Windows\Evil.exe`}, {"QueryName", "WWW.Evil.example"}, {"DestinationIp", "192.0.2.1"}, {"SourceIp", "fe80::1"},
		{"TargetObject", `HKLM\Software\X\Run`}, {"c-uri", "https://evil.example/x"}, {"ObjectName", `\BaseNamedObjects\x`},
	} {
		ev.Fields = append(ev.Fields, event.Field{Name: f[0], Value: event.Str(f[1])})
	}
	now := time.Now()
	if n := testing.AllocsPerRun(200, func() {
		if len(sets.match(ev, now, nil)) != 0 {
			t.Fatal("met something")
		}
	}); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}
