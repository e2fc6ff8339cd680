package match_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/match"
	"shieldwall/internal/sigma"
)

// nasty makes rules and events that are likely to meet: few fields, few letters, and whatever evaluators
// get wrong.
type nasty struct{ *rand.Rand }

func (n nasty) one(list ...string) string { return list[n.IntN(len(list))] }

// text is a value as an event has it.
func (n nasty) text() string {
	var b strings.Builder
	for range n.IntN(6) {
		b.WriteString(n.one("a", "B", "ab", "cmd", `\`, ".exe", " ", "-", "/", "\u2013", "é", "É", "K", "\u212a", "İ", "ß", "\xff", "*", "?", "1",
			"powershell", "POWERSHELL", "\n", "aQBFAFgA", "\u0431", `C:\Windows\System32\`, "", "x=1", "Ⱥ", "ⱥ"))
	}
	return b.String()
}

// pattern is a value as a rule writes it.
func (n nasty) pattern() string {
	var b strings.Builder
	for range 1 + n.IntN(4) {
		b.WriteString(n.one("a", "b", "AB", "cmd", `\\`, ".exe", " ", "-", " -a", "é", "É", "k", "K", "i", "ß", "*", "?", `\*`, `\?`, "1",
			"powershell", "Shell", "aQBF", "\u0431", `C:\Windows\`, "system32", "x", "ⱥ"))
	}
	return b.String()
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (n nasty) list(make func() string) string {
	if n.IntN(2) == 0 {
		return make()
	}
	var out []string
	for range 1 + n.IntN(7) {
		out = append(out, make())
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// item is one line of a selection.
func (n nasty) item(i int) string {
	field := n.one("F", "G", "H", "EventID")
	pattern := func() string { return quote(n.pattern()) }
	number := func() string { return n.one("1", "2", "10", "0", "-5") }
	switch n.IntN(22) {
	case 0:
		return field + ": null"
	case 1:
		return field + ": ''"
	case 2:
		return fmt.Sprintf("%s|exists: %s", field, n.one("true", "false"))
	case 3:
		return fmt.Sprintf("%s|re%s: %s", field, n.one("", "|i", "|s", "|m"), quote(n.one("a", "^a", "b$", "a.*b", "[ab]{2}", "(cmd|exe)", "s.st", "K", "^$", `\d+`, "power(shell)?", "x*", `\bab\b`)))
	case 4:
		return fmt.Sprintf("%s|cidr: %s", field, n.list(func() string { return n.one("10.0.0.0/8", "'::1/128'", "192.168.0.0/16", "0.0.0.0/0") }))
	case 5:
		return fmt.Sprintf("%s|fieldref%s: %s", field, n.one("", "|contains", "|startswith", "|endswith"), n.one("F", "G", "H"))
	case 6:
		return fmt.Sprintf("%s|%s: %s", field, n.one("lt", "lte", "gt", "gte"), number())
	case 7:
		return fmt.Sprintf("%s|windash%s: %s", field, n.one("", "|contains", "|endswith", "|startswith"), n.list(func() string { return quote(n.one(" -a", "-a -b", "a", "- -", "-?", "-a*-b")) }))
	case 8:
		return fmt.Sprintf("%s|base64offset|contains: %s", field, n.list(func() string { return quote(n.one("IEX", "a", "abc", "cmd")) }))
	case 9:
		return fmt.Sprintf("EventID: %s", n.list(number))
	case 10:
		return fmt.Sprintf("%s|neq: %s", field, n.list(pattern))
	case 11:
		return fmt.Sprintf("%s|wide|base64offset|contains: iex", field)
	case 12:
		return fmt.Sprintf("%s|contains|all: [%s, %s]", field, pattern(), pattern())
	case 13:
		return fmt.Sprintf("'|all': [%s, %s]", pattern(), pattern())
	case 14:
		return fmt.Sprintf("%s|%s: %s", field, n.one("hour", "day", "year|gt"), number())
	case 15:
		return fmt.Sprintf("%s|cased%s: %s", field, n.one("", "|contains", "|startswith", "|endswith"), n.list(pattern))
	case 16:
		return fmt.Sprintf("%s|utf16%s|contains: %s", field, n.one("", "le", "be"), pattern())
	}
	return fmt.Sprintf("%s%s: %s", field, n.one("", "|contains", "|startswith", "|endswith", "|contains"), n.list(pattern))
}

// rule is a whole rule; not every one is valid.
func (n nasty) rule(i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "title: t\nid: r%d\nlogsource: {%s}\ndetection:\n", i, n.one("service: test", "service: test", "category: cat", "product: prod"))
	names := []string{"s1", "s2", "f1"}[:1+n.IntN(3)]
	for _, name := range names {
		switch n.IntN(8) {
		case 0:
			fmt.Fprintf(&b, "  %s: [%s, %s]\n", name, quote(n.pattern()), quote(n.pattern()))
		case 1:
			fmt.Fprintf(&b, "  %s:\n    - %s\n    - %s\n", name, n.item(i), n.item(i))
		default:
			fmt.Fprintf(&b, "  %s:\n", name)
			seen := map[string]bool{}
			for range 1 + n.IntN(3) {
				line := n.item(i)
				if key, _, _ := strings.Cut(line, ":"); !seen[key] {
					seen[key] = true
					fmt.Fprintf(&b, "    %s\n", line)
				}
			}
		}
	}
	last := names[len(names)-1]
	fmt.Fprintf(&b, "  condition: %s\n", n.one("s1", "not s1", "1 of s*", "all of s*", "s1 and not "+last, "s1 or "+last, "all of them", "not (s1 and "+last+")",
		"s1 and (not "+last+" or s1)", "1 of s* and not 1 of f*", "s1 and not s1"))
	return b.String()
}

func (n nasty) value(depth int) event.Value {
	switch n.IntN(10) {
	case 0:
		return event.Value{}
	case 1:
		return event.Num(n.one("1", "2", "10", "0", "-5", "1.5"))
	case 2:
		return event.Str(n.one("10.1.2.3", "::1", "192.168.1.1", "::ffff:10.0.0.1", "2024-01-01T10:00:00Z", "-", "0x10", "5a"))
	case 3:
		if depth == 0 {
			v := event.Value{Kind: event.List}
			for range n.IntN(4) {
				v.Items = append(v.Items, n.value(1))
			}
			return v
		}
	}
	return event.Str(n.text())
}

func (n nasty) event() *event.Event {
	ev := &event.Event{Service: "test"}
	if n.IntN(2) == 0 {
		ev.Category, ev.Product = "cat", "prod"
	}
	for range n.IntN(5) {
		name := n.one("F", "G", "H", "EventID", "Other")
		if _, taken := ev.Get(name); taken {
			continue
		}
		v := n.value(0)
		if name == "EventID" && n.IntN(2) == 0 {
			v = event.Num(n.one("1", "2", "10"))
		}
		ev.Fields = append(ev.Fields, event.Field{Name: name, Value: v})
	}
	return ev
}

// differ meets generated rules with generated events in both evaluators. Rules come in parts and some go
// again, so that several segments answer together.
func differ(t *testing.T, seed uint64, ruleCount, eventCount int) (rules, hits int) {
	n := nasty{rand.New(rand.NewPCG(seed, 7))}
	engine := match.New(func() time.Time { return time.Date(2026, 8, 5, 0, 0, 0, 0, time.UTC) })
	var live []*sigma.Rule
	sources := map[string]string{}
	for i := range ruleCount {
		source := n.rule(i)
		got, err := sigma.Parse([]byte(source), sigma.Options{})
		if err != nil || len(got.Rules) == 0 {
			continue
		}
		r := got.Rules[0]
		sources[r.ID] = source
		live = append(live, r)
		engine.Update([]match.Compiled{compile(t, match.Key{ID: r.ID}, r)}, nil)
		if n.IntN(8) == 0 {
			gone := n.IntN(len(live))
			engine.Update(nil, []match.Key{{ID: live[gone].ID}})
			live = slices.Delete(live, gone, gone+1)
		}
	}
	oracle := match.NewOracle(live)
	for i := range eventCount {
		ev := n.event()
		if n.IntN(2) == 0 {
			numbered([]*event.Event{ev}, engine.Names())
		}
		engine.Measure(i % 2) // which must not change anything
		got, want := met(engine, ev), met(oracle, ev)
		hits += len(want)
		if !slices.Equal(got, want) {
			for _, one := range append(got, want...) {
				if slices.Contains(got, one) != slices.Contains(want, one) {
					id, _, _ := strings.Cut(one, " ")
					t.Errorf("seed %d: %s, found %t, on %+v\n%s", seed, one, slices.Contains(got, one), ev.Fields, sources[id])
				}
			}
			t.FailNow()
		}
	}
	for _, c := range engine.Profile(ruleCount).Rules {
		if c.Held > c.Looked || c.Nanoseconds < 0 || len(c.Why) == 0 {
			t.Errorf("seed %d: %+v\n%s", seed, c, sources[c.RuleID])
		}
	}
	return len(live), hits
}

// FuzzAgainstOracle takes a seed for a generator: its rules and events are as good as any bytes.
func FuzzAgainstOracle(f *testing.F) {
	const seeds = 20 // of a generator: any number is one
	for seed := range uint64(seeds) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { differ(t, seed, 60, 60) })
}

// TestAgainstOracle is a longer run of the same, and makes sure that it tests something.
func TestAgainstOracle(t *testing.T) {
	rules, hits := 0, 0
	for seed := range uint64(40) {
		r, h := differ(t, 1000+seed, 120, 150)
		rules, hits = rules+r, hits+h
	}
	if rules < 2000 || hits < 10_000 {
		t.Errorf("%d rules and %d hits were compared", rules, hits)
	}
	t.Logf("%d rules, %d hits", rules, hits)
}
