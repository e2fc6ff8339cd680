package rsigma

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"shieldwall/internal/sigma"
)

// eventsEach is how many events are made for a rule.
const eventsEach = 16

// place is where a logsource's events are: a channel and, for a category, the fields that tell it.
type place struct {
	channel string
	fields  map[string]any
}

// places reads them from the rule base's map, by category and by service.
func places(t *testing.T, path string) (byCategory, byService map[string][]place) {
	t.Helper()
	var doc struct {
		Logsources map[string]struct {
			Category, Service string
			Conditions        map[string]any
			Rewrite           struct{ Service string }
			Sources           []string
			FieldMappings     map[string]string
		}
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(text, &doc)
	}
	if err != nil {
		t.Fatal(err)
	}
	byCategory, byService = map[string][]place{}, map[string][]place{}
	names := slices.Sorted(maps.Keys(doc.Logsources))
	for _, name := range names {
		for _, source := range doc.Logsources[name].Sources {
			if channel, ok := strings.CutPrefix(source, "WinEventLog:"); ok {
				service := doc.Logsources[name].Service
				byService[service] = append(byService[service], place{channel: channel})
			}
		}
	}
	for _, name := range names {
		l := doc.Logsources[name]
		if l.Category == "" || len(l.FieldMappings) > 0 {
			continue // events under other names are not what is compared here
		}
		for _, p := range byService[l.Rewrite.Service] {
			byCategory[l.Category] = append(byCategory[l.Category], place{p.channel, l.Conditions})
		}
	}
	return byCategory, byService
}

// maker makes events that rules are likely to meet, or nearly.
type maker struct {
	*rand.Rand
	fields map[string]any
	fixed  map[string]any // that make the event what it is
}

func (m *maker) one(in int) bool { return m.IntN(in) == 0 }

// event aims at a rule.
func (m *maker) event(r *sigma.Rule, p place) []byte {
	m.fixed = map[string]any{"Channel": p.channel}
	maps.Copy(m.fixed, p.fields)
	m.fields = map[string]any{"EventID": 1 + m.IntN(5000), "Computer": "host.example"}
	for _, s := range r.Detection.Selections {
		// What is left out of a finding is mostly called a filter.
		if likely := 10; strings.HasPrefix(s.Name, "filter") && !m.one(4) || m.one(likely) {
			continue
		}
		for _, item := range s.Alternatives[m.IntN(len(s.Alternatives))] {
			m.item(&item)
		}
	}
	m.spoil()
	maps.Copy(m.fields, m.fixed)
	text, err := json.Marshal(m.fields)
	if err != nil {
		panic(err) // they are texts and numbers
	}
	return text
}

// item sets a field so that the item holds.
func (m *maker) item(item *sigma.Item) {
	field := item.Field
	if field == "" {
		field = "Message"
	}
	values := []sigma.Value{item.Values[m.IntN(len(item.Values))]}
	if item.All {
		values = item.Values
	}
	for _, v := range values {
		m.value(field, v)
	}
}

func (m *maker) value(field string, v sigma.Value) {
	switch v := v.(type) {
	case sigma.String:
		m.set(field, m.pattern(v.Pattern), isInside(v.Pattern))
	case sigma.Regexp:
		parsed, err := syntax.Parse(v.Source, syntax.Perl)
		if err != nil {
			panic(err) // the rule was read
		}
		m.set(field, m.regexp(parsed), true)
	case sigma.CIDR:
		m.set(field, v.Prefix.Addr().String(), false)
	case sigma.FieldRef:
		m.set(v.Field, "same", false)
		m.set(field, "SAME", false)
	case sigma.AnyOf:
		m.value(field, v.Values[m.IntN(len(v.Values))])
	case sigma.Null:
		if m.one(2) {
			delete(m.fields, field)
		} else {
			m.fields[field] = nil
		}
	}
}

// isInside tells whether other text may stand beside the pattern's.
func isInside(p sigma.Pattern) bool {
	return len(p) > 0 && (p[0].Kind == sigma.AnyRun || p[len(p)-1].Kind == sigma.AnyRun)
}

// set gives a field a text; beside what it has, if that is possible.
func (m *maker) set(field, text string, inside bool) {
	if had, ok := m.fields[field].(string); ok && inside && !m.one(8) {
		text = had + text
		if m.one(2) {
			text = text[len(had):] + had
		}
	}
	if n, err := strconv.Atoi(text); err == nil && strconv.Itoa(n) == text && m.one(2) {
		m.fields[field] = n
		return
	}
	m.fields[field] = text
}

// pattern is a text that a pattern describes, in letters of either case.
func (m *maker) pattern(p sigma.Pattern) string {
	var b strings.Builder
	for _, part := range p {
		switch part.Kind {
		case sigma.Literal:
			b.WriteString(m.letters(part.Text))
		case sigma.AnyRun:
			b.WriteString(m.filler())
		case sigma.AnyChar:
			b.WriteString([]string{"x", "\\", "é", "\n", "?"}[m.IntN(5)])
		case sigma.Dash:
			dashes := []rune(sigma.Dashes)
			b.WriteRune(dashes[m.IntN(len(dashes))])
		}
	}
	return b.String()
}

func (m *maker) filler() string {
	return []string{"", "", "", "x", " ", "\\", "\n", "É", "ſ", "\u212a", "..", "C:\\Windows\\"}[m.IntN(12)]
}

// letters writes a text in some case.
func (m *maker) letters(text string) string {
	switch m.IntN(4) {
	case 0:
		return strings.ToUpper(text)
	case 1:
		return strings.ToLower(text)
	case 2:
		if m.one(10) {
			return strings.NewReplacer("k", "\u212a", "s", "ſ").Replace(text)
		}
	}
	return text
}

// regexp is a text that an expression describes, but for what looks around.
func (m *maker) regexp(re *syntax.Regexp) string {
	var b strings.Builder
	times := func(least, most int) {
		for range least + m.IntN(most-least+1) {
			b.WriteString(m.regexp(re.Sub[0]))
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		if m.one(50) {
			return "é" // mostly none of them
		}
		i := 2 * m.IntN(len(re.Rune)/2)
		b.WriteRune(re.Rune[i] + rune(m.IntN(min(int(re.Rune[i+1]-re.Rune[i])+1, 64))))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteString([]string{"x", " ", "é"}[m.IntN(3)])
	case syntax.OpStar:
		times(0, 2)
	case syntax.OpPlus:
		times(1, 3)
	case syntax.OpQuest:
		times(0, 1)
	case syntax.OpRepeat:
		times(re.Min, min(max(re.Max, re.Min), re.Min+2))
	case syntax.OpAlternate:
		b.WriteString(m.regexp(re.Sub[m.IntN(len(re.Sub))]))
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range re.Sub {
			b.WriteString(m.regexp(sub))
		}
	}
	return b.String()
}

// spoil makes an event that nearly meets its rule, mostly not.
func (m *maker) spoil() {
	names := slices.Sorted(maps.Keys(m.fields))
	name := names[m.IntN(len(names))]
	text, ok := m.fields[name].(string)
	switch m.IntN(10) {
	case 0:
		delete(m.fields, name)
	case 1:
		m.fields[name] = ""
	case 2:
		m.fields[name] = nil
	case 3:
		m.fields[name] = fmt.Sprint(m.fields[name]) + m.filler()
	case 4:
		if ok && len(text) > 1 {
			m.fields[name] = text[:len(text)-1]
		}
	}
}

func TestGenerated(t *testing.T) {
	t.Parallel()
	in := inputs(t)
	rules, _ := load(t, in)
	byCategory, byService := places(t, in.Map)
	m := &maker{Rand: rand.New(rand.NewPCG(1, 2))}
	var made []string
	we, they, events := both(t, in, func(line func([]byte) error) error {
		for _, r := range rules {
			at := byCategory[r.Logsource.Category]
			if r.Logsource.Category == "" {
				at = byService[r.Logsource.Service]
			}
			if r.Logsource.Product != "windows" || len(at) == 0 {
				continue
			}
			for range eventsEach {
				text := m.event(r.Rule, at[m.IntN(len(at))])
				made = append(made, string(text))
				if err := line(text); err != nil {
					return err
				}
			}
		}
		return nil
	})
	same, met := compare(t, generated, we, they, made)
	t.Logf("%d events: %d detections of both, of %d rules", events, same, met)
	if events < 43_000 || same < 36_000 || met < 2650 {
		t.Errorf("%d events, %d detections of both, of %d rules: that compares little", events, same, met)
	}
}

// TestExamples shows that each known difference is what its table says.
func TestExamples(t *testing.T) {
	t.Parallel()
	in := inputs(t)
	in.Rules = []string{t.TempDir()}
	shown := slices.DeleteFunc(slices.Clone(generated), func(d *difference) bool { return d.example[0] == "" })
	id := func(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }
	for i, d := range shown {
		rule := fmt.Sprintf("title: %s\nid: %s\nlogsource: {product: windows, category: process_creation}\ndetection: %s\n", d.name, id(i), d.example[0])
		if err := os.WriteFile(filepath.Join(in.Rules[0], fmt.Sprintf("%02d.yml", i)), []byte(rule), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	we, they, _ := both(t, in, func(line func([]byte) error) error {
		for _, d := range shown {
			event := `{"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1, ` + strings.TrimPrefix(d.example[1], "{")
			if err := line([]byte(event)); err != nil {
				return err
			}
		}
		return nil
	})
	if len(we.rejected)+len(they.rejected) > 0 {
		t.Errorf("rejected: %q, %q", we.rejected, they.rejected)
	}
	for i, d := range shown {
		_, ours := we.hits[detection{i, id(i)}]
		_, theirs := they.hits[detection{i, id(i)}]
		if ours != d.ours || theirs == d.ours {
			t.Errorf("%s: %v, of us %v, of them %v", d.name, d.example, ours, theirs)
		}
	}
}
