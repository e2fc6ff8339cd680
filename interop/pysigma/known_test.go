package pysigma

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shieldwall/internal/sigma"
)

// verdict is what we do where we and pySigma disagree.
type verdict string

const (
	accept verdict = "accept" // what pySigma refuses
	refuse verdict = "refuse" // what pySigma accepts
	read   verdict = "read"   // it otherwise than pySigma
)

// disagreement is a known one: what we do, how it is known, and what settles it. Every difference must be one of
// these, and of each there must be as many as are said here.
type disagreement struct {
	name string
	we   verdict
	// section is that of the Sigma rules specification, or of its appendix on modifiers, which settles it.
	section string
	why     string
	// said fits what the one who refuses says of it.
	said *regexp.Regexp
	// in fits the rule's text; nil fits every.
	in *regexp.Regexp
	// rewrite takes from a tree what is read otherwise: then both are the same.
	rewrite func(*tree) *tree
	// How many there are among the rules of the corpus and among the generated ones.
	corpus, generated int
}

func re(expression string) *regexp.Regexp { return regexp.MustCompile(expression) }

const encodings = `(?:windash|wide|utf16le|utf16be|utf16|base64offset|base64)`

var disagreements = []*disagreement{
	// What we accept.
	{name: "utf16le", we: accept, section: "modifiers, Encoding",
		why:       "utf16le is the name, wide its alias; pySigma knows wide alone",
		said:      re(`Unknown modifier 'utf16le'`),
		generated: 65},
	{name: "generic modifiers", we: accept, section: "modifiers, Generic Modifiers",
		why:    "they can be applied on all types, so a number or a boolean counts as its text; a field reference can be cased",
		said:   re(`Modifier Sigma(Contains|Startswith|Endswith|CaseSensitive)Modifier incompatible`),
		corpus: 1, generated: 29},
	{name: "wide text", we: accept, section: "modifiers, Encoding",
		why:       "UTF-16 encodes every text; pySigma cannot hold bytes that are no UTF-8",
		said:      re(`only allowed for (ascii|valid Unicode) strings`),
		generated: 50},
	{name: "names that begin with not", we: accept, section: "Condition",
		why:       "operators are words; pySigma reads notepad as not epad",
		said:      re(`Detection '\w*' not defined in detections`),
		generated: 26},
	{name: "hyphen in a pattern", we: accept, section: "Condition",
		why:       "patterns are search identifiers with wildcards, and identifiers have hyphens",
		said:      re(`Expected end of text, found '-'`),
		generated: 4},
	{name: "percent sign behind a backslash", we: accept, section: "Placeholders",
		why:  `\% is a plain percent sign and \\ a plain backslash, wherever they stand; pySigma takes \% for the end of a name, and % behind \\ for a plain one`,
		said: re(`Placeholder replacement variable '.*' doesn't exist`), in: re(`\\%|%[^%]*\\`),
		generated: 4},
	{name: "regular expressions of RE2", we: accept, section: "modifiers, Regular Expression",
		why:       "only the listed metacharacters are Sigma's; what goes beyond depends on the library",
		said:      re(`SigmaRegularExpressionError`),
		generated: 6},
	{name: "attributes", we: accept, section: "Title, Identification, Name, Taxonomy, Status, Description, License, Author, References, Date, Modified, LogSource, Fields, FalsePositives, Tags, Scope",
		why: "what a rule says about itself changes nothing that it finds: it is shown as it is written",
		said: re(`^Sigma(Title|Identifier|Name|Taxonomy|Related|Status|Description|License|Author|References|Date|Modified|Logsource|Fields|FalsePositives|Tag|Scope)Error` +
			`|^SigmaTypeError: Sigma rule name|^SigmaValueError: Sigma tag|'int' object has no attribute 'replace'`),
		generated: 71},
	{name: "numbers beyond all floats", we: accept, section: "General",
		why:  "all values are treated as strings",
		said: re(`Invalid number`), in: re(`1e400`),
		generated: 2},
	{name: "numbers as names of fields", we: accept, section: "Maps",
		why:       "the key is a field, whatever YAML takes it for; pySigma fails on it with an AttributeError",
		said:      re(`^AttributeError: '(int|float|bool)' object has no attribute 'split'`),
		generated: 1},

	// What we refuse.
	{name: "empty list", we: refuse, section: "Special Field Values",
		why:       "a null value is written null; a list of nothing says nothing",
		said:      re(`empty list`),
		generated: 62},
	{name: "keywords that are no text", we: refuse, section: "Lists",
		why:       "lists hold strings that are applied to the full log message; null, presence, comparisons and references need a field",
		said:      re(`this kind of value needs a field`),
		generated: 229},
	{name: "all of one value", we: refuse, section: "modifiers, Generic Modifiers",
		why:       "single item values are not allowed to have an all modifier",
		said:      re(`modifier all needs a list of at least two values`),
		generated: 93},
	{name: "nothing certain in base64", we: refuse, section: "modifiers, Encoding",
		why:       "base64offset is what is static whatever stands beside; of one byte that is nothing at one offset, and nothing is found everywhere",
		said:      re(`text too short for modifier base64offset`),
		generated: 32},
	{name: "parts of dates", we: refuse, section: "modifiers, Time Modifiers",
		why:       "the ranges are given, the numbers are whole, and a part of a date is no date",
		said:      re(`needs a whole number|is from \d+ to \d+, not`),
		generated: 146},
	{name: "reference to no field", we: refuse, section: "modifiers, Specific Modifiers",
		why:       "a reference names a field",
		said:      re(`modifier fieldref needs the name of a field`),
		generated: 16},
	{name: "other names of flags", we: refuse, section: "modifiers, Regular Expression",
		why:       "the sub-modifiers are i, m and s",
		said:      re(`unknown modifier "(ignorecase|multiline|dotall)"`),
		generated: 11},
	{name: "selector of nothing", we: refuse, section: "Condition",
		why:       "one or all of the identifiers that fit; pySigma drops a selector that none fits, and finds more or less without a word",
		said:      re(`no search identifier fits`),
		generated: 23},
	{name: "operators without a space", we: refuse, section: "Condition",
		why:       "operators are words; pySigma reads notnot as not not",
		said:      re(`search identifier "not\w*" is not defined|found "\w+", want an operator or the end`),
		generated: 7},
	{name: "networks with a mask or a zone", we: refuse, section: "modifiers, IP (Internet Protocol) Modifiers",
		why:       "the notation is CIDR's",
		said:      re(`is not a network such as`),
		generated: 3},
	{name: "presence with other modifiers or in lists", we: refuse, section: "Field Existence",
		why:       "a boolean value says whether the field exists",
		said:      re(`modifier exists (stands alone|needs true or false)`),
		generated: 45},
	{name: "placeholder behind a plain backslash", we: refuse, section: "Escaping",
		why:  `\\ is a plain backslash, which escapes nothing behind it; pySigma takes the percent sign behind it for a plain one`,
		said: re(`needs values for the placeholder`), in: re(`\\\\%`),
		generated: 3},
	{name: "encoding before expansion", we: refuse, section: "Value Modifiers",
		why:       "modifiers are applied in the given order: pySigma encodes the placeholder's name, or escapes",
		said:      re(`cannot encode wildcards or placeholders|cannot encode placeholders`),
		generated: 2},
	{name: "regular expressions of Python", we: refuse, section: "modifiers, Regular Expression",
		why:       "lookaround, back references and possessive repeats are unsupported and can not be used",
		said:      re(`regular expression: `),
		generated: 5},
	{name: "level in capitals", we: refuse, section: "Level",
		why:       "the level is one of five values",
		said:      re(`unknown level "HIGH"`),
		generated: 4},
	{name: "logsource of empty texts", we: refuse, section: "LogSource",
		why:       "an empty category is none",
		said:      re(`logsource: needs a product, category or service`),
		generated: 1},
	{name: "empty title", we: refuse, section: "Title",
		why:       "the title is mandatory",
		said:      re(`title: missing`),
		generated: 2},
	{name: "timeframe", we: refuse, section: "Rule Correlation",
		why:       "it belongs to the aggregation that correlations replace; pySigma takes it for keywords",
		said:      re(`timeframe belongs to the legacy aggregation`),
		generated: 2},

	// What we read otherwise.
	{name: "spelling of numbers", we: read, section: "General",
		why:       "all values are treated as strings: 007 is looked for as it is written",
		rewrite:   withTexts(plainNumber),
		generated: 33},
	{name: "byte order mark", we: read, section: "modifiers, Encoding",
		why: "utf16 puts FF FE before the text; pySigma the character, which is EF BB BF in UTF-8",
		in:  re(`\|utf16\b`), rewrite: markAsCharacter,
		generated: 47},
	{name: "case lost", we: read, section: "modifiers, Generic Modifiers",
		why: "cased holds for what the value becomes; pySigma forgets it when it makes a new value",
		in:  re(`\|cased\|.*` + encodings + `|\|cased\|.*(fieldref|expand)|\|expand\|.*cased`), rewrite: uncased,
		generated: 27},
	{name: "escapes in a field's name", we: read, section: "Escaping",
		why: `\* is a plain star; pySigma keeps the backslash`,
		in:  re(`\|fieldref.*\\[*?]`), rewrite: withRefs(unescaped),
		generated: 6},
	{name: "placeholders in regular expressions", we: read, section: "Placeholders",
		why: "their values are texts or patterns, not expressions",
		in:  re(`\|re\|.*expand`), rewrite: withExpressions(asPattern),
		generated: 2},
	{name: "backslash before a placeholder", we: read, section: "Escaping",
		why: `\\ is a plain backslash, which escapes nothing behind it`,
		in:  re(`\|expand.*\\\\%`), rewrite: masked,
		generated: 6},
	{name: "all with several values for a placeholder", we: read, section: "Placeholders",
		why: "the values of one placeholder are linked with OR",
		in:  re(`\|all\|(\w+\|)*expand|\|expand\|(\w+\|)*all\b`), rewrite: leavesAlone,
		generated: 10},
	{name: "expansion before other modifiers", we: read, section: "Value Modifiers",
		why: "modifiers are applied in the given order; pySigma expands last of all, or not at all behind windash",
		in:  re(`\|expand\|.*(fieldref|` + encodings + `)|` + encodings + `\|.*expand`), rewrite: masked,
		generated: 16},
	{name: "expansion of what was escaped", we: read, section: "Placeholders",
		why: `\% is a plain percent sign, also behind a second expand`,
		in:  re(`expand\|(\w+\|)*expand`), rewrite: masked,
		generated: 2},
	{name: "escapes in base64", we: read, section: "Escaping",
		why: `\* is a plain star; pySigma encodes the backslash too`,
		in:  re(`base64.*\\[*?]`), rewrite: masked,
		generated: 28},
	{name: "base64 of more than ASCII", we: read, section: "modifiers, Encoding",
		why: "what is static depends on the bytes that are encoded; pySigma counts characters, and encodes another byte order mark",
		in:  re(`(windash|utf16).*base64|base64offset.*[^\x00-\x7f]`), rewrite: masked,
		generated: 21},
}

// withLeaves rewrites comparisons.
func withLeaves(change func(value) value) func(*tree) *tree {
	var all func(t *tree) *tree
	list := func(ts []*tree) []*tree {
		var out []*tree
		for _, t := range ts {
			out = append(out, all(t))
		}
		return out
	}
	all = func(t *tree) *tree {
		switch {
		case t == nil:
			return nil
		case t.Not != nil:
			return &tree{Not: all(t.Not)}
		case t.Value == nil:
			return &tree{And: list(t.And), Or: list(t.Or)}
		}
		v := change(*t.Value)
		return &tree{Field: t.Field, Value: &v}
	}
	return all
}

// withTexts rewrites the parts of texts.
func withTexts(change func([]part) []part) func(*tree) *tree {
	return withLeaves(func(v value) value {
		if v.Text != nil {
			v.Text = change(v.Text)
		}
		return v
	})
}

func withExpressions(change func(string) string) func(*tree) *tree {
	return withLeaves(func(v value) value {
		if v.Re != nil {
			re := change(*v.Re)
			v.Re = &re
		}
		return v
	})
}

func withRefs(change func(string) string) func(*tree) *tree {
	return withLeaves(func(v value) value {
		if v.Ref != nil {
			name := change(*v.Ref)
			v.Ref = &name
		}
		return v
	})
}

// plainNumber writes a text that is a number as pySigma does.
func plainNumber(text []part) []part {
	out := []part{}
	for _, p := range text {
		if p[0] == "literal" {
			p = part{"literal", canonicalNumber(integer(p[1]))}
		}
		out = append(out, p)
	}
	return out
}

// integer writes an integer of YAML 1.2 in decimal; other texts stay.
func integer(text string) string {
	base, digits := 10, text
	if strings.HasPrefix(text, "0x") {
		base, digits = 16, text[2:]
	} else if strings.HasPrefix(text, "0o") {
		base, digits = 8, text[2:]
	}
	if i, err := strconv.ParseInt(digits, base, 64); err == nil {
		return strconv.FormatInt(i, 10)
	}
	return text
}

// markAsCharacter writes the byte order mark as pySigma does.
var markAsCharacter = withLeaves(func(v value) value {
	character := func(bytes string) part {
		rest, ok := strings.CutPrefix(bytes, "fffe")
		data, err := hex.DecodeString(rest)
		if !ok || err != nil {
			return nil
		}
		return literal("\ufeff" + string(data))
	}
	if v.Ref != nil {
		if p := character(*v.Ref); p != nil {
			v.Ref = &p[1]
		}
	}
	text := slices.Clone(v.Text)
	for i, p := range text {
		if p[0] == "bytes" {
			if marked := character(p[1]); marked != nil {
				text[i] = marked
			}
		}
	}
	v.Text = text
	return v
})

var uncased = withLeaves(func(v value) value {
	v.Cased = false
	return v
})

// unescaped takes all backslashes away.
func unescaped(name string) string { return strings.ReplaceAll(name, `\`, "") }

// asPattern writes the expressions of wildcards as the wildcards.
func asPattern(re string) string {
	return strings.NewReplacer("(?s:.*)", "*", "(?s:.)", "?").Replace(re)
}

// masked leaves of texts, references and expressions only that there is something.
var masked = withLeaves(func(v value) value {
	if v.Text != nil || v.Ref != nil || v.Re != nil {
		return value{Text: []part{{"masked"}}}
	}
	return v
})

// leavesAlone drops how comparisons are linked.
func leavesAlone(t *tree) *tree {
	out := &tree{}
	var collect func(t *tree)
	collect = func(t *tree) {
		switch {
		case t == nil:
		case t.Value != nil:
			out.Or = append(out.Or, t)
		default:
			collect(t.Not)
			for _, x := range append(slices.Clone(t.And), t.Or...) {
				collect(x)
			}
		}
	}
	collect(t)
	return out
}

// tally counts how rules were read.
type tally struct {
	same, refused int
	// yaml11 are those in which pySigma's YAML loader, which follows YAML 1.1, reads other values than YAML 1.2 has
	// (specification, "Yaml File"). They are compared as the latter has them.
	yaml11    int
	known     map[string]int
	unknown   int
	kinds     map[string]int // read alike, by what they are examples of
	modifiers map[string]int // in rules read alike
}

func newTally() *tally {
	return &tally{known: map[string]int{}, kinds: map[string]int{}, modifiers: map[string]int{}}
}

func (c *tally) String() string {
	return fmt.Sprintf("%d read alike %v, %d refused by both, known differences %v, %d others; modifiers %v; YAML 1.1 has other values in %d",
		c.same, c.kinds, c.refused, c.known, c.unknown, c.modifiers, c.yaml11)
}

// add counts a rule and gives the known disagreement that it is, or nil.
func (c *tally) add(t *testing.T, kind, name string, r *reading) *disagreement {
	t.Helper()
	if r.theirs.YAML11 {
		c.yaml11++
	}
	switch {
	case r.ours == nil && !r.theirs.Accepted:
		c.refused++
		return nil
	case r.ours != nil && r.theirs.Accepted && treeOf(r.ours).canonical() == r.theirs.Tree.canonical():
		c.same++
		c.kinds[kind]++
		for _, m := range modifiersOf(r.ours) {
			c.modifiers[m]++
		}
		return nil
	}
	if d := known(r); d != nil {
		c.known[d.name]++
		return d
	}
	if c.unknown++; c.unknown > maxShown {
		return nil
	}
	ours, theirs := "refused", "refused"
	if r.ours != nil {
		ours = treeOf(r.ours).canonical()
	}
	if r.theirs.Accepted {
		theirs = r.theirs.Tree.canonical()
	}
	t.Errorf("%s %s\n%.900s\nours   %.1500s %v\ntheirs %.1500s %s", kind, name, r.text, ours, r.reason, theirs, r.theirs.Error)
	return nil
}

// maxShown bounds the differences that a test shows.
const maxShown = 20

func modifiersOf(r *sigma.Rule) (out []string) {
	for _, s := range r.Detection.Selections {
		for _, alt := range s.Alternatives {
			for _, it := range alt {
				out = append(out, it.Modifiers...)
			}
		}
	}
	return out
}

// known finds the disagreement that a difference is; where both accept, perhaps the last of some.
func known(r *reading) *disagreement {
	we, said := read, ""
	switch {
	case r.ours == nil:
		we, said = refuse, r.reason.Error()
	case !r.theirs.Accepted:
		we, said = accept, r.theirs.Error
	}
	var ours, theirs *tree
	if we == read {
		ours, theirs = treeOf(r.ours).flat(), r.theirs.Tree.flat()
	}
	for _, d := range disagreements {
		if d.we != we || d.said != nil && !d.said.MatchString(said) || d.in != nil && !d.in.MatchString(r.text) {
			continue
		}
		if we != read {
			return d
		}
		ours, theirs = d.rewrite(ours).flat(), d.rewrite(theirs).flat()
		if ours.text() == theirs.text() {
			return d
		}
	}
	return nil
}

// check holds the counts to those of the table, and to how many rules YAML 1.1 reads otherwise.
func (c *tally) check(t *testing.T, yaml11 int, want func(*disagreement) int) {
	t.Helper()
	if c.yaml11 != yaml11 {
		t.Errorf("YAML 1.1 has other values in %d rules, not in %d", c.yaml11, yaml11)
	}
	for _, d := range disagreements {
		if got := c.known[d.name]; got != want(d) {
			t.Errorf("%s: %d rules, the table says %d", d.name, got, want(d))
		}
	}
}
