package misp

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/stix"
	"shieldwall/internal/stixpattern"
)

func uuidOf(n int) string { return fmt.Sprintf("5cfc1a2b-%04d-4000-8000-%012d", n%10000, n) }

func event(n int, over dict) dict {
	e := dict{"uuid": uuidOf(n), "info": "an event", "date": "2024-05-01", "timestamp": "1714567890", "published": true,
		"publish_timestamp": "1714567999", "analysis": "2", "threat_level_id": "1", "distribution": "3", "Orgc": dict{"uuid": uuidOf(9999), "name": "CERT"}}
	for k, v := range over {
		e[k] = v
	}
	return dict{"Event": e}
}

func attribute(n int, typ, value string, toIDs bool) dict {
	return dict{"uuid": uuidOf(n), "type": typ, "value": value, "to_ids": toIDs, "timestamp": "1714567800", "distribution": "5"}
}

// Every attribute type that PyMISP knows, for detection and not.
func TestAttributes(t *testing.T) {
	t.Parallel()
	o := start(t)
	n, indicators := 0, 0
	var refused []string
	book := newLedger(attributeTypes, attributePatterns)
	for _, typ := range o.ask(t, request{Types: true}).Types {
		for i := range max(1, len(valueOf[typ])) {
			for _, toIDs := range []bool{true, false} {
				n++
				ev := event(n, dict{"Attribute": []dict{attribute(n, typ, someValue(typ, i), toIDs)}})
				reply := o.ask(t, request{Convert: ev})
				if slices.ContainsFunc(reply.Said, func(s string) bool { return strings.Contains(s, "Failed validation") }) {
					refused = append(refused, typ)
					continue
				}
				indicators += book.compare(t, fmt.Sprintf("%s %t", typ, toIDs), reply.Objects, ours(t, convert(t, ev)))
			}
		}
	}
	book.close(t)
	if got := strings.Join(slices.Compact(refused), " "); got != refusedTypes {
		t.Errorf("PyMISP refuses the values of %q", got)
	}
	if n != attributes || indicators != attributeIndicators {
		t.Errorf("%d attributes, %d indicators of both compared", n, indicators)
	}
}

// compare books what one of both says and the other does not: types of objects, and what indicators look for. It
// gives the number of indicators that both have.
func (l *ledger) compare(t *testing.T, what string, theirs []theirs, ours map[string]*stix.Object) (indicators int) {
	t.Helper()
	their, our := map[string]int{}, map[string]int{}
	for _, o := range theirs {
		their[o.Type]++
	}
	for _, o := range ours {
		our[o.Type]++
	}
	for _, typ := range slices.Sorted(maps.Keys(their)) {
		if their[typ] > our[typ] {
			l.book(t, what+": theirs "+typ)
		}
	}
	for _, typ := range slices.Sorted(maps.Keys(our)) {
		if our[typ] > their[typ] {
			l.book(t, what+": ours "+typ)
		}
	}
	for _, o := range theirs {
		if mine := ours[o.ID]; o.Type == "indicator" && mine != nil {
			indicators++
			l.pattern(t, what, o, mine)
		}
	}
	return indicators
}

// pattern holds their pattern, rewritten where a rule says that ours is another, to ours.
func (l *ledger) pattern(t *testing.T, what string, o theirs, mine *stix.Object) {
	t.Helper()
	switch {
	case o.PatternType != mine.PatternType:
		t.Errorf("%s: in %s, ours in %s", what, o.PatternType, mine.PatternType)
		return
	case o.Pattern == mine.Pattern:
		return
	case o.PatternType != "stix":
		if o.Pattern == "["+mine.Pattern+"]" {
			l.book(t, what+": rule in brackets")
		} else {
			t.Errorf("%s: %q, ours %q", what, o.Pattern, mine.Pattern)
		}
		return
	}
	a, b := comparisons(o.Pattern), comparisons(mine.Pattern)
	different := false
	for _, c := range a {
		if !take(&b, c) {
			different = true
			if !l.rewrite(what+" "+c, &b) {
				t.Errorf("%s: theirs asks %s, ours does not: %s", what, c, mine.Pattern)
			}
		}
	}
	for _, c := range b {
		t.Errorf("%s: ours asks %s, theirs does not: %s", what, c, o.Pattern)
	}
	if !different {
		l.book(t, what+": joined otherwise")
	}
}

func take(list *[]string, s string) bool {
	i := slices.Index(*list, s)
	if i >= 0 {
		*list = slices.Delete(*list, i, i+1)
	}
	return i >= 0
}

// rewrite finds the rule by which a comparison of theirs is one of ours, or is none.
func (l *ledger) rewrite(text string, ours *[]string) bool {
	for i, r := range l.patterns {
		m := r.from.FindStringSubmatchIndex(text)
		if m == nil {
			continue
		}
		rest, all := slices.Clone(*ours), true
		for to := range strings.SplitSeq(string(r.from.ExpandString(nil, r.to, text, m)), and) {
			all = all && (to == "" || take(&rest, to))
		}
		if all {
			*ours = rest
			l.rewritten[i]++
			return true
		}
	}
	return false
}

// comparisons are the single ones of a pattern.
func comparisons(pattern string) []string {
	parsed, err := stixpattern.Parse(pattern)
	if err != nil {
		return []string{"not a pattern: " + err.Error()}
	}
	var out []string
	var walk func(c stixpattern.Comparison)
	walk = func(c stixpattern.Comparison) {
		switch c := c.(type) {
		case *stixpattern.Logical:
			for _, operand := range c.Operands {
				walk(operand)
			}
		default:
			text := stixpattern.Format(&stixpattern.Test{Comparison: c})
			out = append(out, strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
		}
	}
	if test, ok := parsed.(*stixpattern.Test); ok {
		walk(test.Comparison)
	}
	return out
}

// difference is a known one: how it is known, what settles it, and how many there are.
type difference struct {
	fits  *regexp.Regexp
	why   string
	count int
}

// and is between several comparisons that one is rewritten to.
const and = " AND "

// rewriting is a comparison that is known to be another in our patterns, or not to be there (to is empty).
type rewriting struct {
	from  *regexp.Regexp // of what it is of, and the comparison
	to    string
	why   string
	count int
}

// ledger counts differences.
type ledger struct {
	known     []difference
	found     []int
	patterns  []rewriting
	rewritten []int
}

func newLedger(known []difference, patterns []rewriting) *ledger {
	return &ledger{known, make([]int, len(known)), patterns, make([]int, len(patterns))}
}

func (l *ledger) book(t *testing.T, text string) {
	t.Helper()
	for i, k := range l.known {
		if k.fits.MatchString(text) {
			l.found[i]++
			return
		}
	}
	t.Errorf("not known: %s", text)
}

func (l *ledger) close(t *testing.T) {
	t.Helper()
	for i, k := range l.known {
		if l.found[i] != k.count {
			t.Errorf("%d differences, want %d: %s (%s)", l.found[i], k.count, k.fits, k.why)
		}
	}
	for i, k := range l.patterns {
		if l.rewritten[i] != k.count {
			t.Errorf("%d comparisons, want %d: %s (%s)", l.rewritten[i], k.count, k.from, k.why)
		}
	}
}

func re(expression string) *regexp.Regexp { return regexp.MustCompile(expression) }
