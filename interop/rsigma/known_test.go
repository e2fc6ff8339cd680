package rsigma

import (
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/sigma"
)

// difference is a known one between the detections: who has more, where, and why. The first that fits counts.
type difference struct {
	name string
	ours bool // we detect what they do not; else they do
	fits func(*disputed) bool
	why  string
	// count is how many there are.
	count int
	// example is a detection, in YAML, and the fields of a process creation, in JSON; none where it is about logsources.
	example [2]string
}

// disputed is a detection that one engine has.
type disputed struct {
	kind
	rule  *sigma.Rule
	event string // its JSON, where it was made for the test
}

// recorded are the differences on the recordings of the corpus.
var recorded = []*difference{
	{name: "processes of the Security log", ours: true, count: 36,
		fits: of("security", "4688"),
		why:  "4688 is shown to rules for process creations with user, integrity and decimal ids, too; the rule base's map knows the two images alone"},
	{name: "connections of the Security log", ours: true, count: 90,
		fits: of("security", "5156"),
		why:  "5156 is shown to rules for network connections; the rule base's map does not have it"},
	registry(3),
	allKeywords(2),
}

// generated are the differences on events made for the rules.
var generated = []*difference{
	registry(3),
	allKeywords(43),
	{name: "slashes under windash", ours: true, count: 111,
		fits:    func(d *disputed) bool { return d.uses("windash") },
		why:     "windash is for an option's dash or slash, whichever the rule has (appendix modifiers, windash); rsigma varies dashes alone",
		example: [2]string{`{x: {CommandLine|contains|windash: ' /create '}, condition: x}`, `{"CommandLine": "schtasks -create x"}`}},
	{name: "ends of base64offset", ours: true, count: 20,
		fits:    func(d *disputed) bool { return d.uses("base64offset") },
		why:     "the last character depends on the byte behind the text and is left out; rsigma looks for the one of a zero byte",
		example: [2]string{`{x: {CommandLine|base64offset|contains: '::FromBase64String'}, condition: x}`, `{"CommandLine": "eDo6RnJvbUJhc2U2NFN0cmluZyhhKQ=="}`}},
	{name: "wildcards within the end of a text", ours: true, count: 28,
		fits:    func(d *disputed) bool { return d.wildcards("endswith") },
		why:     "endswith puts a wildcard before the value, whatever is in it (appendix modifiers, endswith); rsigma then compares the whole text",
		example: [2]string{`{x: {AccessMask|endswith: 'D?'}, condition: x}`, `{"AccessMask": "0xD0"}`}},
	{name: "wildcards within the end of a text, in a filter", ours: false, count: 8,
		fits:    func(d *disputed) bool { return d.wildcards("endswith") },
		why:     "the same",
		example: [2]string{`{x: {User: a}, filter: {Image|endswith: '\\b*.exe'}, condition: x and not filter}`, `{"User": "a", "Image": "C:\\bc.exe"}`}},
	{name: "wildcards and lines", ours: true, count: 32,
		fits:    func(d *disputed) bool { return strings.Contains(d.event, `\n`) && d.wildcards() },
		why:     "a wildcard is for any character (specification, Escaping), line ends too; rsigma's are not",
		example: [2]string{`{x: {CommandLine|contains: 'a*b'}, condition: x}`, `{"CommandLine": "a\nb"}`}},
	{name: "wildcards and lines, in a filter", ours: false, count: 4,
		fits:    func(d *disputed) bool { return strings.Contains(d.event, `\n`) && d.wildcards() },
		why:     "the same",
		example: [2]string{`{x: {User: a}, filter: {CommandLine: 'a?b'}, condition: x and not filter}`, `{"User": "a", "CommandLine": "a\nb"}`}},
	{name: "long s", ours: false, count: 7,
		fits:    func(d *disputed) bool { return strings.Contains(d.event, "ſ") },
		why:     "letters are the same that have the same lower case; rsigma does so too, but for values with wildcards, where ſ is s",
		example: [2]string{`{x: {CommandLine|contains: 's*x'}, condition: x}`, `{"CommandLine": "ſ1x"}`}},
	{name: "long s, in a filter", ours: true, count: 1,
		fits:    func(d *disputed) bool { return strings.Contains(d.event, "ſ") },
		why:     "the same",
		example: [2]string{`{x: {User: a}, filter: {CommandLine|contains: 's*x'}, condition: x and not filter}`, `{"User": "a", "CommandLine": "ſ1x"}`}},
	{name: "blanks around an address", ours: false, count: 1,
		fits:    func(d *disputed) bool { return d.uses("cidr") },
		why:     "we read addresses and numbers without what is blank around them",
		example: [2]string{`{x: {User: a}, filter: {IpAddress|cidr: 169.254.0.0/16}, condition: x and not filter}`, `{"User": "a", "IpAddress": "169.254.0.1 "}`}},
	{name: "vertical tabs", ours: true, count: 8,
		fits:    func(d *disputed) bool { return d.uses("re") && strings.Contains(d.event, `\u000b`) },
		why:     `Sigma leaves to the library what \S is (appendix modifiers, Regular Expression): RE2's is for vertical tabs too`,
		example: [2]string{`{x: {CommandLine|re: '^a\Sb$'}, condition: x}`, `{"CommandLine": "a\u000bb"}`}},
	{name: "words of other letters", ours: false, count: 0,
		fits:    func(d *disputed) bool { return d.uses("re") && strings.Contains(d.event, "é") },
		why:     `the same for \w: RE2's is for letters of ASCII alone (only the example shows it)`,
		example: [2]string{`{x: {CommandLine|re: '^a\wb$'}, condition: x}`, `{"CommandLine": "aéb"}`}},
}

func of(channel, id string) func(*disputed) bool {
	return func(d *disputed) bool { return d.kind == kind{channel, id} }
}

func registry(count int) *difference {
	return &difference{name: "registry of the Security log", ours: true, count: count,
		fits: of("security", "4657"),
		why:  "4657 is shown to rules for the registry; the rule base's map does not have it"}
}

func allKeywords(count int) *difference {
	return &difference{name: "keywords that must all be there", ours: true, count: count,
		fits: func(d *disputed) bool {
			return d.has(func(i *sigma.Item) bool { return i.Field == "" && i.All })
		},
		why:     "keywords are looked for anywhere in the event, with '|all' too (specification, Keywords); rsigma then compares whole values",
		example: [2]string{`{x: {'|all': [foo, bar]}, condition: x}`, `{"CommandLine": "a foo and a bar"}`}}
}

// has tells whether the rule has such an item.
func (d *disputed) has(such func(*sigma.Item) bool) bool {
	for _, s := range d.rule.Detection.Selections {
		for _, alternative := range s.Alternatives {
			for i := range alternative {
				if such(&alternative[i]) {
					return true
				}
			}
		}
	}
	return false
}

// uses tells whether the rule has a modifier.
func (d *disputed) uses(modifier string) bool {
	return d.has(func(i *sigma.Item) bool { return slices.Contains(i.Modifiers, modifier) })
}

// wildcards tells whether the rule has a value with wildcards between other characters, or a "?" anywhere, under
// some modifiers.
func (d *disputed) wildcards(modifiers ...string) bool {
	return d.has(func(i *sigma.Item) bool {
		for _, m := range modifiers {
			if !slices.Contains(i.Modifiers, m) {
				return false
			}
		}
		return slices.ContainsFunc(i.Values, func(v sigma.Value) bool {
			s, ok := v.(sigma.String)
			return ok && inner(s.Pattern)
		})
	})
}

func inner(p sigma.Pattern) bool {
	for i, part := range p {
		if part.Kind == sigma.AnyChar || part.Kind == sigma.AnyRun && i > 0 && i < len(p)-1 {
			return true
		}
	}
	return false
}

// compare holds every difference against the known ones, and these to their counts. It gives the number of
// detections that both have and of rules in them.
func compare(t *testing.T, known []*difference, we, they verdicts, events []string) (same, met int) {
	t.Helper()
	counts := map[*difference]int{}
	one := func(ours bool, d detection, k kind) {
		x := &disputed{kind: k, rule: we.loaded[d.rule]}
		if events != nil {
			x.event = events[d.event]
		}
		for _, k := range known {
			if x.rule != nil && k.ours == ours && k.fits(x) {
				counts[k]++
				return
			}
		}
		t.Errorf("rule %s on event %d (%v): of us %v, of them %v %s", d.rule, d.event, k, ours, !ours, x.event)
	}
	rules := map[string]bool{}
	for d, k := range we.hits {
		if _, ok := they.hits[d]; ok {
			same++
			rules[d.rule] = true
		} else {
			one(true, d, k)
		}
	}
	for d, k := range they.hits {
		if _, ok := we.hits[d]; !ok {
			one(false, d, k)
		}
	}
	for _, x := range known {
		t.Logf("%s: %d (%s)", x.name, counts[x], x.why)
		if counts[x] != x.count {
			t.Errorf("%s: %d, want %d", x.name, counts[x], x.count)
		}
	}
	return same, len(rules)
}
