package pysigma

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// How many rules of each kind are generated, beside one or two of every pair of modifiers.
const (
	manyRules      = 1800
	textRules      = 1000
	shapeRules     = 700
	conditionRules = 1000
	brokenRules    = 500
	damagedRules   = 700
	scalarRules    = 350
	metadataRules  = 200
)

// generator makes rules.
type generator struct{ *rand.Rand }

func (g *generator) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g *generator) one(in int) bool { return g.IntN(in) == 0 }

// sample is a rule and what it is an example of.
type sample struct{ kind, text string }

// modifiers are all of the specification, those that only pySigma knows, and one that nobody does.
var modifiers = []string{
	"all", "startswith", "endswith", "contains", "exists", "cased", "neq", "windash", "re", "i", "m", "s",
	"base64", "base64offset", "utf16le", "utf16be", "utf16", "wide", "lt", "lte", "gt", "gte",
	"minute", "hour", "day", "week", "month", "year", "cidr", "expand", "fieldref",
	"ignorecase", "multiline", "dotall", "near",
}

// placeholders are what the generated rules may ask for; %none% has no values.
var placeholders = map[string][]string{
	"one": {"alpha"}, "two": {"beta", "gamma*"}, "wild": {"srv?\\*", "*"}, "na-me_1": {"x", "y", "z"}, "%": {"percent"},
}

// quoted writes a text for YAML.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// natural writes a value that the first modifiers are made for.
func (g *generator) natural(mods []string) string {
	for _, m := range mods {
		switch m {
		case "re", "i", "m", "s", "ignorecase", "multiline", "dotall":
			return quoted(g.pick("foo", "^foo", "bar$", "^a|b$", ".*x.*", `\d+\.exe`, `[a-z]{2,3}`, "a(b|c)?", `x\\`, "%one%", `100\%`))
		case "cidr":
			return quoted(g.pick("10.0.0.0/8", "192.168.1.1", "10.1.2.3/32", "2001:db8::/32", "::1", "fe80::/10", "::ffff:10.0.0.0/104", "0.0.0.0/0"))
		case "lt", "lte", "gt", "gte":
			return g.pick("0", "5", "-3", "1.5", "1.0", "12", "23")
		case "minute", "hour":
			return g.pick("0", "1", "12", "23")
		case "day", "week", "month":
			return g.pick("1", "2", "12")
		case "year":
			return g.pick("1999", "2024")
		case "exists":
			return g.pick("true", "false")
		case "fieldref":
			return quoted(g.pick("Other", "a.b", "with space", "Ünï"))
		case "windash":
			return quoted(g.pick(" -a", "/all", "cmd /c -x", "-param-name", "a-b", "--x", "–y", "*-f*", `-\*`, "-ä", "x -1/2"))
		case "expand":
			return quoted(g.pick("%one%", "%two%", "a%one%b", "%one%%two%", `\%one%`, "*%wild%", "%na-me_1%", "100%"))
		case "base64", "base64offset", "wide", "utf16", "utf16le", "utf16be":
			return quoted(g.pick("foo", "foobar", " -enc ", "http://", "/bin/sh", "whoami", "MZ", "cmd.exe"))
		}
	}
	return quoted(g.pick("foo", "*foo", "f?o*", `C:\x\*.exe`, `a\\*b`, "", "äöü", "a'b", "1", "true"))
}

// some is a number of members, seldom none.
func (g *generator) some() int {
	if g.one(30) {
		return 0
	}
	return 1 + g.IntN(3)
}

// scalar writes any value.
func (g *generator) scalar() string {
	switch g.IntN(10) {
	case 0:
		return g.pick("null", "~")
	case 1:
		return g.pick("true", "false", "True", "FALSE")
	case 2, 3:
		return g.pick("0", "1", "42", "-7", "1.5", "4096", "65535", "2.50", "0x1F", "007")
	}
	return quoted(g.words())
}

// words writes a text with what has a meaning somewhere.
func (g *generator) words() string {
	var b strings.Builder
	for range g.IntN(7) {
		b.WriteString(g.pick(`\`, `\\`, "*", "?", "a", "b", "foo", "-", "/", " ", "%", "%one%", "%two%", "é", "x1", ".", "'", `"`, "_", "$", "(", "^", "|", ":", "日", "–", `\*`, `\?`, `\%`))
	}
	return b.String()
}

// list writes a flow list of values, or one.
func (g *generator) list(write func() string) string {
	if g.one(2) {
		return write()
	}
	var values []string
	for range g.some() {
		values = append(values, write())
	}
	return "[" + strings.Join(values, ", ") + "]"
}

// rule writes a rule with selections and a condition.
func rule(condition string, selections ...string) string {
	return "title: t\nlogsource: {category: c}\ndetection:\n  " + strings.Join(selections, "\n  ") + "\n  condition: " + condition + "\n"
}

// itemRule is a rule about one field, or about keywords.
func (g *generator) itemRule(field string, mods []string, value string) string {
	key := quoted(strings.Join(append([]string{field}, mods...), "|"))
	return rule("sel", "sel:\n    "+key+": "+value)
}

// pairs are rules with every modifier and every two of them, with values that fit and values that may not.
func (g *generator) pairs() (out []sample) {
	lists := [][]string{{}}
	for _, a := range modifiers {
		lists = append(lists, []string{a})
		for _, b := range modifiers {
			lists = append(lists, []string{a, b})
		}
	}
	for _, mods := range lists {
		fits := g.natural(mods)
		if slices.Contains(mods, "all") {
			fits = "[" + fits + ", " + g.natural(mods) + "]"
		}
		out = append(out, sample{"pair", g.itemRule("F", mods, fits)})
		if g.one(3) {
			out = append(out, sample{"pair", g.itemRule("", mods, fits)}) // keywords
		}
		any := g.list(g.scalar)
		if g.one(2) {
			any = g.list(func() string { return g.natural(mods) })
		}
		out = append(out, sample{"pair", g.itemRule("F", mods, any)})
	}
	return out
}

// chains are modifiers that go together, in an order that is allowed; some of each are left out.
var chains = [][]string{
	{"contains", "expand", "startswith", "neq", "endswith", "all", "cased"},
	{"cased", "startswith", "all", "neq", "endswith"},
	{"windash", "wide", "utf16be", "base64", "endswith", "neq", "all", "cased"},
	{"windash", "utf16be", "wide", "base64offset", "contains", "cased", "neq", "all"},
	{"contains", "windash", "all", "cased", "neq"},
	{"re", "i", "all", "m", "contains", "s", "neq", "expand"},
	{"re", "s", "startswith", "i", "endswith", "all"}, {"re", "m", "s", "i"},
	{"cidr", "neq", "all"},
	{"fieldref", "contains", "neq", "startswith", "all", "endswith"},
	{"minute", "all", "lt", "neq"}, {"hour", "gte", "neq", "all"}, {"day", "gt", "all"}, {"week", "neq", "lte"}, {"month", "all", "gt", "neq"}, {"year", "lte", "all"},
	{"lt", "neq", "all"}, {"all", "gte"}, {"neq", "gt"}, {"lte", "all", "neq"}, {"exists"}, {"exists"},
}

// many is a rule with many modifiers.
func (g *generator) many() string {
	var mods []string
	if g.one(3) {
		for range 3 + g.IntN(2) {
			mods = append(mods, g.pick(modifiers...))
		}
	} else {
		chain := chains[g.IntN(len(chains))]
		for i, m := range chain {
			// What gives the value its kind stays.
			if !g.one(2) || i == 0 && slices.Contains([]string{"re", "cidr", "fieldref", "exists", "minute", "hour", "day", "week", "month", "year"}, m) {
				mods = append(mods, m)
			}
		}
	}
	value := g.list(func() string { return g.natural(mods) })
	if slices.Contains(mods, "all") && !g.one(5) {
		value = "[" + g.natural(mods) + ", " + g.natural(mods) + "]"
	}
	return g.itemRule(g.pick("F", "F", "F", ""), mods, value)
}

// text is a rule about one text, seldom more.
func (g *generator) text() string {
	mods := g.pick("", "", "contains", "startswith", "endswith", "cased", "expand", "expand|contains", "contains|expand", "windash", "contains|windash", "wide", "base64", "base64offset|contains", "wide|base64offset|contains", "fieldref", "re|expand", "neq", "utf16be")
	var list []string
	if mods != "" {
		list = strings.Split(mods, "|")
	}
	value := quoted(g.words())
	if g.one(4) {
		value = "[" + value + ", " + quoted(g.words()) + "]"
	}
	return g.itemRule(g.pick("F", "F", "F", ""), list, value)
}

// plain writes a value that both read in one way.
func (g *generator) plain() string {
	return g.pick("a", "'b*'", "'?c'", "1", "22", "true", "''", `'d\e'`, `'\*'`, "null")
}

// shape writes a selection's body of some form, in flow style.
func (g *generator) shape(depth int) string {
	switch g.IntN(6) {
	case 0:
		return g.pick("a", "'*b'", "5", "true", "''", "null")
	case 1, 2:
		return g.mapping(depth)
	case 3:
		var all []string
		for range g.some() {
			all = append(all, g.pick("kw", "'k*w'", "7", "false"))
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	var all []string
	for range g.some() {
		if depth > 0 {
			all = append(all, g.shape(depth-1))
		} else {
			all = append(all, g.mapping(depth))
		}
	}
	return "[" + strings.Join(all, ", ") + "]"
}

func (g *generator) mapping(depth int) string {
	var items []string
	for i := range g.some() {
		key := fmt.Sprintf("F%d", i)
		value := g.plain()
		switch g.IntN(9) {
		case 0:
			key, value = "'"+key+"|contains'", "[a, b]"
		case 1:
			key, value = "'"+key+"|contains|all'", "[a, b, c]"
		case 2:
			key, value = "'"+key+"|neq'", "[a, 1]"
		case 3:
			key, value = "'"+key+"|windash|all'", "[' -a', '/b']"
		case 4:
			key, value = "'|all'", "[k, l]"
		case 5:
			value = "[" + g.plain() + ", " + g.plain() + "]"
		case 6:
			if depth > 0 && g.one(2) {
				value = g.shape(depth - 1)
			}
		}
		items = append(items, key+": "+value)
	}
	return "{" + strings.Join(items, ", ") + "}"
}

var identifiers = []string{"sel", "selection_1", "selection_2", "filter_main", "_hidden", "_hidden_2", "order", "android", "all_of", "x-y", "1st", "keywords", "notepad"}

// condition writes an expression.
func (g *generator) condition(depth int) string {
	if depth == 0 || g.one(3) {
		return g.operand()
	}
	switch g.IntN(5) {
	case 0:
		return "not " + g.condition(depth-1)
	case 1:
		return "(" + g.condition(depth-1) + ")"
	case 2:
		return "not (" + g.condition(depth-1) + ")"
	}
	out := g.condition(depth - 1)
	for range 1 + g.IntN(3) {
		out += g.pick(" and ", " or ", "  and ", " or\t", " and not ") + g.condition(depth-1)
	}
	return out
}

func (g *generator) operand() string {
	if g.one(3) {
		pattern := g.pick("them", "selection_*", "sel*", "filter_*", "*", "_*", "_hidden*", "*_*", "*1", "sel", "s*_1", "keywords", "*e*e*", "none_*")
		if pattern == "none_*" && !g.one(6) {
			pattern = "them"
		}
		return g.pick("1 of ", "all of ", "any of ", "1  of ") + pattern
	}
	if g.one(80) {
		return "notepad" // begins with an operator
	}
	return g.pick(identifiers[:len(identifiers)-1]...)
}

func (g *generator) selections() []string {
	var out []string
	for i, id := range identifiers {
		body := fmt.Sprintf("{F%d: v%d}", i, i)
		if id == "keywords" {
			body = "[a, b]"
		}
		out = append(out, id+": "+body)
	}
	g.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func (g *generator) conditionRule() string {
	condition := quoted(g.condition(3))
	if g.one(6) {
		condition = "[" + condition + ", " + quoted(g.condition(2)) + "]"
	}
	return rule(condition, g.selections()...)
}

// broken damages a condition.
func (g *generator) broken() string {
	words := strings.Fields(g.condition(2))
	i := g.IntN(len(words))
	switch g.IntN(6) {
	case 0:
		words = slices.Delete(words, i, i+1)
	case 1:
		words = slices.Insert(words, i, words[g.IntN(len(words))])
	case 2:
		words[i] = g.pick("AND", "Or", "NOT", "of", "them", "1", "all", "(", ")", "unknown", "sel | count() > 5", "2 of sel*", "ALL of them", "1 OF them", "sel-*", "1 of x-*", "ä", ",", "sel)")
	case 3:
		words[i] += words[g.IntN(len(words))]
	case 4:
		words[i] = strings.ToUpper(words[i])
	case 5:
		at := g.IntN(len(words[i]))
		words[i] = words[i][:at] + g.pick("*", "(", ")", " ", "-", "|") + words[i][at:]
	}
	return rule(quoted(strings.Join(words, " ")), g.selections()...)
}

// damaged is a rule of the corpus with one thing changed in its detection.
func (g *generator) damaged(text string) string {
	lines := strings.SplitAfter(text, "\n")
	from := slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, "detection:") })
	to := from + 1
	for to < len(lines) && strings.HasPrefix(lines[to], " ") {
		to++
	}
	if from < 0 || to-from < 3 {
		return text
	}
	i := from + 1 + g.IntN(to-from-1)
	line := lines[i]
	switch g.IntN(8) {
	case 0:
		lines = slices.Delete(lines, i, i+1)
	case 1:
		lines = slices.Insert(lines, i, line)
	case 2:
		lines[i] = strings.Replace(line, ":", "|"+g.pick(modifiers...)+":", 1)
	case 3:
		lines[i] = strings.Replace(line, "|", "|"+g.pick(modifiers...)+"|", 1)
	case 4:
		lines[i] = strings.NewReplacer("'", "").Replace(line)
	case 5:
		at := g.IntN(len(line))
		lines[i] = line[:at] + g.pick("*", "?", `\`, "'", ":", "|", " ", "-", "[", "#", "%", "1") + line[at:]
	case 6:
		lines[i] = strings.NewReplacer(" and ", " or ", " not ", " ", "1 of", "all of", "|all", "", "|contains", "|endswith", "|endswith", "|contains").Replace(line)
	case 7:
		j := from + 1 + g.IntN(to-from-1)
		lines[i], lines[j] = lines[j], lines[i]
	}
	return strings.Join(lines, "")
}

// scalarRule is about what YAML takes a plain value for, or about a value at a modifier's limits.
func (g *generator) scalarRule() string {
	plain := []string{"0", "-0", "+5", "007", "010", "08", "0x1F", "0X1F", "0o17", "0b11", "1_000", "1.0", "1.", ".5", "1e3", "1E-2", "-1.50", "1.5e+3", "12:30", "190:20:30",
		"2024-01-01", "2024-01-01T10:00:00Z", "yes", "No", "on", "OFF", "y", "true", "TRUE", "tRue", "null", "Null", "~", "''", ".inf", ".NaN", "18446744073709551615", "9223372036854775808",
		"-9223372036854775808", "123456789012345678901234567890", "0.1", "1e400", "!!str 5", "!!int '5'", "!!binary aGk=", "!!null ''", "!!float '3'", "\"a\\nb\"", "\"\\x41\"", "a b", "-", "=", "1,000"}
	mods := g.pick("", "", "", "lt", "gte", "hour", "day", "week", "month", "minute", "year", "exists", "contains", "cased", "re", "cidr", "neq", "hour|gte", "minute|lt", "day|lte", "week|gt")
	value := g.pick(plain...)
	if slices.Contains([]string{"hour", "minute", "day", "week", "month", "hour|gte", "minute|lt", "day|lte", "week|gt"}, mods) && g.one(2) {
		value = g.pick("0", "-1", "1", "12", "13", "23", "24", "31", "32", "52", "53", "54", "59", "60", "5.0", "5.5")
	}
	if mods == "cidr" {
		value = quoted(g.pick("10.0.0.1/8", "10.0.0.0/255.0.0.0", "10.0.0.0/33", "10.0.0/8", "010.0.0.0/8", "::/0", "::1/64", "fe80::1%eth0", "10.0.0.0/08", "1.2.3.4/", "", "*", "::ffff:1.2.3.4/96", "1.2.3.*", "2001:DB8::/32", " 10.0.0.0/8"))
	}
	if mods == "re" && g.one(2) {
		value = quoted(g.pick("(?=x)", "(?<!a)b", `(a)\1`, "a{1001}", "(?i)x", "x(?i)y", "[[:alpha:]]", `\pL`, `\z`, `\Z`, "(?P<n>a)", "(?<n>a)", "a++", "(", ")", "[", "*a", `\`, "a{2,1}", "a{,3}", `\Qa\E`, "", `\h`, "(?#c)a", "(?s:.)"))
	}
	if mods != "" {
		mods = "|" + mods
	}
	return rule("sel", "sel:\n    F"+mods+": "+value)
}

// metadata is a rule whose attributes are not what the specification wants.
func (g *generator) metadata() string {
	attribute := g.pick("id: x", "id: 929a690e-bef0-4204-a928-ef5e620d6fcc", "id: 929a690ebef04204a928ef5e620d6fcc", "id: 5", "status: test", "status: new", "status: [test]", "level: high", "level: HIGH", "level: urgent", "level: [high]",
		"tags: [attack.t1033]", "tags: attack.t1033", "tags: [attack]", "tags: [5]", "date: 2024-01-01", "date: 2024/01/01", "date: 01.01.2024", "date: 2024-13-01", "modified: yesterday", "author: a", "author: [a, b]", "author: 5",
		"references: [a]", "references: a", "references: 5", "falsepositives: [a]", "falsepositives: Unknown", "fields: [A]", "fields: A", "description: d", "description: [d]", "license: MIT", "license: [MIT]", "name: n", "name: ''", "name: 5",
		"taxonomy: sigma", "taxonomy: ''", "related: [{id: 929a690e-bef0-4204-a928-ef5e620d6fcc, type: derived}]", "related: x", "related: [{id: x, type: derived}]", "scope: [a]", "scope: a", "own: {a: b}", "title: u")
	out := rule("sel", "sel: {F: v}") + attribute + "\n"
	switch g.IntN(8) {
	case 0:
		out = strings.Replace(out, "title: t", g.pick("title: ''", "title: 5", "title: [t]", "title: "+strings.Repeat("t", 257), "name: t", "title:"), 1)
	case 1:
		out = strings.Replace(out, "{category: c}", g.pick("{definition: d}", "{}", "{category: C}", "{product: 5}", "c", "{product: [a]}", "{category: c, own: x}", "{category: ''}", "{service: s, definition: [d]}"), 1)
	case 2:
		out = strings.Replace(out, "  sel: {F: v}\n", g.pick("", "  sel:\n", "  sel: {}\n", "  sel: []\n", "  sel: {F: []}\n", "  sel: {F: {}}\n", "  sel: {F: v}\n  timeframe: 5m\n", "  sel: {F: v}\n  other: []\n", "  sel: {5: v}\n", "  sel: {'': v}\n", "  sel: {'|': v}\n", "  sel: {'F|': v}\n", "  sel: {'F||contains': v}\n", "  sel: {'F|Contains': v}\n", "  sel: {' F ': v}\n"), 1)
	case 3:
		out = strings.Replace(out, "  condition: sel\n", g.pick("", "  condition:\n", "  condition: []\n", "  condition: ''\n", "  condition: [sel, sel]\n", "  condition: [[sel]]\n", "  condition: {a: sel}\n", "  condition: 5\n", "  Condition: sel\n"), 1)
	}
	return out
}

// samples are all generated rules. corpus are the texts that some of them start from.
func samples(corpus []string) (out []sample) {
	g := &generator{rand.New(rand.NewPCG(3, 3))}
	for _, text := range examples {
		out = append(out, sample{"example", text})
	}
	out = append(out, g.pairs()...)
	add := func(n int, kind string, write func() string) {
		for range n {
			out = append(out, sample{kind, write()})
		}
	}
	add(manyRules, "many", g.many)
	add(textRules, "text", g.text)
	add(shapeRules, "shape", func() string {
		return rule(g.pick("sel", "not sel", "sel and other", "1 of them"), "sel: "+g.shape(2), "other: "+g.shape(1))
	})
	add(conditionRules, "condition", g.conditionRule)
	add(brokenRules, "broken condition", g.broken)
	add(scalarRules, "scalar", g.scalarRule)
	add(metadataRules, "metadata", g.metadata)
	add(damagedRules, "damaged", func() string { return g.damaged(corpus[g.IntN(len(corpus))]) })
	return out
}
