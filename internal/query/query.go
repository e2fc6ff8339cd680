// Package query reads the one language in which objects are searched: on the command line, over the API and on the
// page (DESIGN.md, "Search").
//
//	type:indicator name:"foo bar" technique:T1059 tlp:amber since:7d -label:old (10.0.0.1 OR evil.example)
//
// Terms stand beside one another and all must hold; OR and parentheses group, - turns round. The package is words
// only: what a term finds is package search's to say.
package query

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"shieldwall/internal/stix"
)

// Limits of a query.
const (
	MaxBytes = 1_024
	MaxTerms = 32
	MaxDepth = 8
	// MaxRanges bounds the terms of created and modified: each is looked for as many days, months and years.
	MaxRanges = 4
)

// Field is what a term asks about.
type Field string

// The fields.
const (
	Text      Field = "text"      // any word of an object; what stands without a field
	Type      Field = "type"      // the STIX type
	ID        Field = "id"        // the STIX id
	Value     Field = "value"     // a whole value: of an observable, or in an indicator's pattern
	Pattern   Field = "pattern"   // words of an indicator's pattern
	Name      Field = "name"      // words of names and aliases
	Label     Field = "label"     // a whole label, or a Sigma tag
	Technique Field = "technique" // an ATT&CK id with what is below it, or a kill chain's phase
	Member    Field = "member"    // who shared it
	TLP       Field = "tlp"       // its marking
	Ref       Field = "ref"       // objects that refer to an id
	Creator   Field = "creator"   // objects that an identity created
	Created   Field = "created"   // days, months or years, UTC
	Modified  Field = "modified"  // the same of this version
	Since     Field = "since"     // admitted at or after a time or a span ago
	Until     Field = "until"     // admitted before it
)

// Fields are all fields, as a message lists them.
var Fields = []Field{Type, ID, Value, Pattern, Name, Label, Technique, Member, TLP, Ref, Creator, Created, Modified, Since, Until, Text}

// Op is what a node does.
type Op uint8

// The operations.
const (
	Term Op = iota
	And     // all Kids hold; none at all hold for everything
	Or      // one of Kids holds
	Not     // the only one of Kids does not hold
)

// Node is a part of a query.
type Node struct {
	Op   Op
	Kids []*Node
	Pos  int // byte offset

	// Of a Term:
	Field  Field
	Value  string // as written, quotes taken off; of TLP its number, of Technique in capitals
	Prefix bool   // a word's beginning, of Text, Name and Pattern
	// From and To are the days of Created and Modified, both included; a zero time is no bound.
	From, To time.Time
	// At or Ago is the time of Since and Until.
	At  time.Time
	Ago time.Duration
}

// Error is what is wrong with a query, and where.
type Error struct {
	Pos int // byte offset
	// Column is Pos in characters, from 1.
	Column int
	Msg    string
}

func (e *Error) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Msg) }

// Parse reads a query; an empty one finds everything. The error is an *Error.
func Parse(text string) (*Node, error) {
	p := &parser{text: text}
	root, err := p.whole()
	if err != nil {
		return nil, err
	}
	return root, nil
}

type parser struct {
	text  string
	pos   int
	terms int
	// ranges counts those of created and modified.
	ranges int
}

func (p *parser) fail(pos int, format string, args ...any) error {
	return &Error{Pos: pos, Column: utf8.RuneCountInString(p.text[:pos]) + 1, Msg: fmt.Sprintf(format, args...)}
}

func (p *parser) whole() (*Node, error) {
	if len(p.text) > MaxBytes {
		return nil, p.fail(0, "a query has at most %d bytes, this one has %d", MaxBytes, len(p.text))
	}
	for i, r := range p.text {
		if r == utf8.RuneError && !strings.HasPrefix(p.text[i:], "\uFFFD") {
			return nil, p.fail(i, "the text is not UTF-8")
		}
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return nil, p.fail(i, "control character %U", r)
		}
	}
	root, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.pos < len(p.text) { // or stops early only at what closes a group
		return nil, p.fail(p.pos, "nothing is open that this ) could close")
	}
	return root, nil
}

func (p *parser) or(depth int) (*Node, error) {
	start := p.pos
	first, err := p.and(depth)
	if err != nil {
		return nil, err
	}
	kids := []*Node{first}
	for p.word("OR") {
		at := p.pos
		if len(kids[len(kids)-1].Kids) == 0 && kids[len(kids)-1].Op == And {
			return nil, p.fail(at, "OR wants a term on each side")
		}
		p.pos += len("OR")
		next, err := p.and(depth)
		if err != nil {
			return nil, err
		}
		if next.Op == And && len(next.Kids) == 0 {
			return nil, p.fail(at, "OR wants a term on each side")
		}
		kids = append(kids, next)
	}
	if len(kids) == 1 {
		return first, nil
	}
	return &Node{Op: Or, Kids: kids, Pos: start}, nil
}

func (p *parser) and(depth int) (*Node, error) {
	n := &Node{Op: And, Pos: p.pos}
	for {
		p.space()
		if p.pos == len(p.text) || p.text[p.pos] == ')' || p.word("OR") {
			break
		}
		if p.word("AND") {
			return nil, p.fail(p.pos, "terms beside one another must all hold; AND is not written")
		}
		kid, err := p.unary(depth)
		if err != nil {
			return nil, err
		}
		n.Kids = append(n.Kids, kid)
	}
	if len(n.Kids) == 1 {
		return n.Kids[0], nil
	}
	return n, nil
}

func (p *parser) unary(depth int) (*Node, error) {
	at := p.pos
	if depth > MaxDepth {
		return nil, p.fail(at, "deeper than %d levels", MaxDepth)
	}
	switch p.text[p.pos] {
	case '-':
		p.pos++
		if p.pos == len(p.text) || unicode.IsSpace(rune(p.text[p.pos])) {
			return nil, p.fail(at, "- wants a term right behind it; quote it to look for it")
		}
		kid, err := p.unary(depth + 1)
		if err != nil {
			return nil, err
		}
		if f := timed(kid); f != nil {
			return nil, p.fail(f.Pos, "%s holds for the whole query: it cannot stand in a group or behind -", f.Field)
		}
		return &Node{Op: Not, Kids: []*Node{kid}, Pos: at}, nil
	case '(':
		p.pos++
		kid, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.pos == len(p.text) {
			return nil, p.fail(at, "this ( is not closed")
		}
		p.pos++
		if kid.Op == And && len(kid.Kids) == 0 {
			return nil, p.fail(at, "an empty group")
		}
		if f := timed(kid); f != nil {
			return nil, p.fail(f.Pos, "%s holds for the whole query: it cannot stand in a group or behind -", f.Field)
		}
		return kid, nil
	}
	return p.term()
}

// timed finds a term that can only stand at the top.
func timed(n *Node) *Node {
	if n.Op == Term && (n.Field == Since || n.Field == Until) {
		return n
	}
	for _, k := range n.Kids {
		if f := timed(k); f != nil {
			return f
		}
	}
	return nil
}

// word says whether a word stands here, alone.
func (p *parser) word(w string) bool {
	rest, ok := strings.CutPrefix(p.text[p.pos:], w)
	return ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\n' || rest[0] == '(' || rest[0] == ')')
}

func (p *parser) space() {
	for p.pos < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.pos:])
		if !unicode.IsSpace(r) {
			return
		}
		p.pos += n
	}
}

func (p *parser) term() (*Node, error) {
	n := &Node{Op: Term, Field: Text, Pos: p.pos}
	if p.terms++; p.terms > MaxTerms {
		return nil, p.fail(p.pos, "more than %d terms", MaxTerms)
	}
	if name := p.field(); name != "" {
		if !slices.Contains(Fields, Field(name)) {
			return nil, p.fail(p.pos, "%q is no field; quote the text to look for it. Fields: %s", name, list())
		}
		n.Field = Field(name)
		p.pos += len(name) + 1
	}
	if n.Field == Created || n.Field == Modified {
		if p.ranges++; p.ranges > MaxRanges {
			return nil, p.fail(n.Pos, "more than %d terms of created and modified", MaxRanges)
		}
	}
	at := p.pos
	quoted, err := p.value(n)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(n.Value) == "" {
		return nil, p.fail(at, "%s: wants a value right behind it", n.Field)
	}
	if why := n.settle(quoted); why != "" {
		return nil, p.fail(at, "%s", why)
	}
	return n, nil
}

func list() string {
	names := make([]string, len(Fields))
	for i, f := range Fields {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

// field is the name before a colon here; none where it goes on as an address does (https://).
func (p *parser) field() string {
	rest := p.text[p.pos:]
	i := strings.IndexFunc(rest, func(r rune) bool { return r < 'a' || r > 'z' })
	if i < 1 || rest[i] != ':' || strings.HasPrefix(rest[i:], "://") {
		return ""
	}
	return rest[:i]
}

func (p *parser) value(n *Node) (quoted bool, err error) {
	if p.pos < len(p.text) && p.text[p.pos] == '"' {
		return true, p.quoted(n)
	}
	start := p.pos
	for p.pos < len(p.text) {
		r, size := utf8.DecodeRuneInString(p.text[p.pos:])
		if unicode.IsSpace(r) || r == '(' || r == ')' {
			break
		}
		if r == '"' {
			return false, p.fail(p.pos, "a quote in the middle of a word; quote the whole value")
		}
		p.pos += size
	}
	n.Value = p.text[start:p.pos]
	return false, nil
}

func (p *parser) quoted(n *Node) error {
	start := p.pos
	var b strings.Builder
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; {
		case c == '"':
			n.Value = b.String()
			p.pos++
			if p.pos < len(p.text) && !strings.ContainsRune(" \t\n\r()*", rune(p.text[p.pos])) {
				return p.fail(p.pos, "a space is wanted behind the quote")
			}
			if p.pos < len(p.text) && p.text[p.pos] == '*' {
				return p.fail(p.pos, "* is for single words, not for quoted text")
			}
			return nil
		case c == '\\' && p.pos+1 < len(p.text) && (p.text[p.pos+1] == '"' || p.text[p.pos+1] == '\\'):
			p.pos++
			b.WriteByte(p.text[p.pos])
		default:
			b.WriteByte(c)
		}
	}
	return p.fail(start, "this quote is not closed")
}

// settle judges a term's value and spells it as it is compared; why says what is wrong with it.
func (n *Node) settle(quoted bool) (why string) {
	switch n.Field {
	case Text, Name, Pattern:
		if word, cut := strings.CutSuffix(n.Value, "*"); cut && !quoted {
			n.Value, n.Prefix = word, true
		}
		words := Words(n.Value)
		if len(words) == 0 {
			return "no letter or digit to look for"
		}
		if n.Prefix && (len(words) != 1 || utf8.RuneCountInString(words[0]) < 2) {
			return "* wants one word of at least two letters before it"
		}
	case TLP:
		t, err := stix.ParseTLP(n.Value)
		if err != nil || !t.Valid() {
			return fmt.Sprintf("%q is no marking: clear, green, amber, amber+strict, red", n.Value)
		}
		n.Value = fmt.Sprint(uint8(t))
	case Technique:
		n.Value = strings.ToUpper(n.Value)
	case Created, Modified:
		return n.days()
	case Since, Until:
		return n.moment()
	}
	return ""
}

// Earliest and latest years of Created and Modified.
const firstYear, lastYear = 1970, 2199

// days reads a day, a month, a year, or a range of them.
func (n *Node) days() (why string) {
	from, to, isRange := strings.Cut(n.Value, "..")
	if !isRange {
		to = from
	}
	if from == "" && to == "" {
		return "a range wants one end at least"
	}
	for _, end := range []string{from, to} {
		if end == "" {
			continue
		}
		first, last, ok := period(end)
		if !ok {
			return fmt.Sprintf("%q is no day, month or year such as 2026-02-03, 2026-02 or 2026, from %d to %d, nor a range of them such as 2026-01..2026-03", end, firstYear, lastYear)
		}
		if end == from {
			n.From = first
		}
		if end == to {
			n.To = last
		}
	}
	if !n.To.IsZero() && n.To.Before(n.From) {
		return "the range ends before it begins"
	}
	return ""
}

func period(s string) (first, last time.Time, ok bool) {
	for _, p := range []struct {
		layout           string
		year, month, day int
	}{{"2006-01-02", 0, 0, 1}, {"2006-01", 0, 1, 0}, {"2006", 1, 0, 0}} {
		if t, err := time.Parse(p.layout, s); err == nil {
			return t, t.AddDate(p.year, p.month, p.day).AddDate(0, 0, -1), t.Year() >= firstYear && t.Year() <= lastYear
		}
	}
	return first, last, false
}

// units are those of a span.
var units = map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}

func (n *Node) moment() (why string) {
	if unit := units[n.Value[len(n.Value)-1]]; unit > 0 && len(n.Value) > 1 && len(n.Value) < 7 {
		count := 0
		for _, c := range n.Value[:len(n.Value)-1] {
			if c < '0' || c > '9' {
				count = -1
				break
			}
			count = count*10 + int(c-'0')
		}
		if span := time.Duration(count) * unit; count > 0 && span/unit == time.Duration(count) {
			n.Ago = span
			return ""
		}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, n.Value); err == nil && t.Year() >= firstYear && t.Year() <= lastYear {
			n.At = t.UTC()
			return ""
		}
	}
	return fmt.Sprintf("%q is neither a span such as 30m, 24h, 7d or 2w nor a time such as 2026-02-03 or 2026-02-03T04:05:06Z", n.Value)
}

// maxWord bounds a word, in bytes: longer ones (encoded blobs) are known by their beginning.
const maxWord = 64

// Words are the words of a text as full text knows them: runs of letters, digits and marks, in lower case.
func Words(text string) (words []string) {
	scan(text, func(word string, _ bool) { words = append(words, word) })
	return words
}

// Pairs are the words of a text that stand right behind one another with no space in between, as those of addresses,
// names of domains and paths do: each with a space now.
func Pairs(text string) (pairs []string) {
	before := ""
	scan(text, func(word string, joined bool) {
		if joined && before != "" {
			pairs = append(pairs, before+" "+word)
		}
		before = word
	})
	return pairs
}

// scan finds words, and whether each is joined to the one before.
func scan(text string, fn func(word string, joined bool)) {
	joined := false
	start := -1
	end := func(at int) {
		if start >= 0 {
			fn(spelled(text[start:at]), joined)
			start, joined = -1, true
		}
	}
	for i, r := range text {
		switch {
		case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r):
			if start < 0 {
				start = i
			}
		default:
			end(i)
			joined = joined && !unicode.IsSpace(r)
		}
	}
	end(len(text))
}

// spelled is a word as words are compared.
func spelled(w string) string {
	w = strings.ToLower(w)
	if len(w) > maxWord {
		cut := maxWord
		for !utf8.RuneStart(w[cut]) {
			cut--
		}
		w = w[:cut]
	}
	return w
}
