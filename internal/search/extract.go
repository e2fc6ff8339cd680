package search

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/query"
	"shieldwall/internal/stix"
)

// What of an object is found by: the first so many bytes of words, and the first so many keys of a sort.
const (
	maxName    = 4 << 10
	maxText    = 16 << 10
	maxPattern = 16 << 10
	maxValues  = 256
	maxLabels  = 64
	maxRefs    = 1_024
	maxPairs   = 1_024
)

// Sorts of keys. A key is its sort, = and a value; no word has a =.
const (
	keyShelf     = 's'
	keyType      = 't'
	keyID        = 'i'
	keyValue     = 'v'
	keyLabel     = 'l'
	keyTechnique = 'k'
	keyMember    = 'm'
	keyTLP       = 'p'
	keyRef       = 'r'
	keyCreator   = 'c'
	keyCreated   = 'd' // a day, a month and a year
	keyModified  = 'u'
	keyBlock     = 'b' // blocks of seqs, see span
	keyBigBlock  = 'g'
	keyPair      = 'n' // two words with no space in between
	keyWord      = 'w' // a word of a body that is kept sealed
)

var short = base32.HexEncoding.WithPadding(base32.NoPadding)

// plain spells a key whose value is in the clear in the store anyway and is made of letters and digits.
func plain(sort byte, value any) string { return fmt.Sprintf("%c=%v", sort, value) }

// hidden spells a key so that the index tells its value only to who has the secret: bodies of AMBER+STRICT and RED
// are sealed in the store, and what they are found by must not undo that.
func (s *spelling) hidden(sort byte, value string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte{sort})
	mac.Write([]byte(value))
	return string(sort) + "=" + strings.ToLower(short.EncodeToString(mac.Sum(nil)[:8]))
}

// spelling is how keys are spelled: with a secret, and by blocks of seqs of two sizes, as powers of two.
type spelling struct {
	key        []byte
	small, big int
}

// words spells words for the index, as they are or hidden.
func (s *spelling) words(list []string, hide bool) string {
	if hide {
		for i, w := range list {
			list[i] = s.hidden(keyWord, w)
		}
	}
	return strings.Join(list, " ")
}

// document is what a copy is found by.
type document struct {
	name, text, pattern, keys string
	hide                      bool // its words are hidden
}

// document reads a copy whose body is in clear. One that cannot be read is found by what the store knows of it.
func (s *spelling) document(f object.Filed) document {
	keys := []string{
		plain(keyShelf, f.Shelf), plain(keyBlock, f.Seq>>s.small), plain(keyBigBlock, f.Seq>>s.big), plain(keyTLP, f.TLP),
		s.hidden(keyType, f.Type), s.hidden(keyID, strings.ToLower(f.ID)), s.hidden(keyMember, f.Publisher),
	}
	o, err := stix.Parse(f.Raw, stix.Limits{})
	if err != nil {
		return document{keys: strings.Join(keys, " ")}
	}
	e := &extraction{o: o}
	e.read()
	keys = append(keys, days(keyCreated, o.Created)...)
	keys = append(keys, days(keyModified, o.Modified)...)
	for _, k := range []struct {
		sort   byte
		values []string
		most   int
	}{{keyValue, e.values, maxValues}, {keyLabel, e.labels, maxLabels}, {keyTechnique, e.techniques, maxLabels}, {keyRef, e.refs, maxRefs}} {
		for _, v := range unique(k.values, k.most) {
			keys = append(keys, s.hidden(k.sort, v))
		}
	}
	if o.CreatedBy != "" {
		keys = append(keys, s.hidden(keyCreator, strings.ToLower(o.CreatedBy)))
	}
	name, text, pattern := cut(e.name.String(), maxName), cut(e.text.String(), maxText), cut(o.Pattern, maxPattern)
	for _, p := range unique(slices.Concat(query.Pairs(name), query.Pairs(pattern), query.Pairs(text)), maxPairs) {
		keys = append(keys, s.hidden(keyPair, p))
	}
	hide := sealed(f.TLP)
	return document{
		name: s.words(query.Words(name), hide), text: s.words(query.Words(text), hide),
		pattern: s.words(query.Words(pattern), hide), keys: strings.Join(keys, " "), hide: hide,
	}
}

// sealed says whether bodies of a marking are sealed in the store (admit.Gate).
func sealed(tlp uint8) bool { return stix.TLP(tlp) >= stix.AmberStrict }

func unique(values []string, most int) []string {
	seen := map[string]bool{}
	out := values[:0]
	for _, v := range values {
		if v != "" && !seen[v] && len(out) < most {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

func cut(s string, most int) string {
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// days are the day, the month and the year of a time.
func days(sort byte, text string) []string {
	t, err := stix.ParseTime(text)
	if err != nil {
		return nil
	}
	t = t.UTC()
	return []string{plain(sort, t.Format("20060102")), plain(sort, t.Format("200601")), plain(sort, t.Format("2006"))}
}

// extraction collects what an object says.
type extraction struct {
	o                                *stix.Object
	name, text                       strings.Builder
	values, labels, techniques, refs []string
}

var (
	techniqueID = regexp.MustCompile(`\bTA?\d{4}(?:\.\d{3})?\b`)
	sigmaTag    = regexp.MustCompile(`(?m)^\s*-\s*['"]?([a-z0-9_-]+\.[a-z0-9._-]+)['"]?\s*$`)
)

func (e *extraction) read() {
	for _, l := range e.o.Labels {
		e.label(l)
	}
	if e.o.PatternType == "sigma" {
		for _, m := range sigmaTag.FindAllStringSubmatch(cut(e.o.Pattern, maxPattern), maxLabels) {
			e.label(m[1])
		}
	}
	for _, x := range e.o.External {
		if strings.HasPrefix(x.Source, "mitre") {
			e.technique(x.ID)
		}
	}
	for _, r := range e.o.Refs {
		if !marks(r.Property) && r.Property != "created_by_ref" {
			e.refs = append(e.refs, strings.ToLower(r.ID))
		}
	}
	if e.o.PatternType == "stix" {
		e.values = literals(e.o.Pattern)
	}
	for _, name := range e.o.Names() {
		raw, _ := e.o.Property(name)
		e.property(name, raw)
	}
}

// marks says whether a property refers to a marking.
func marks(property string) bool {
	return strings.HasPrefix(property, "object_marking_refs") || strings.HasPrefix(property, "granular_markings")
}

func (e *extraction) label(l string) {
	e.labels = append(e.labels, strings.ToLower(l))
	for _, id := range techniqueID.FindAllString(strings.ToUpper(l), 4) {
		e.technique(id)
	}
}

// technique takes an ATT&CK id, and the technique that it is a part of.
func (e *extraction) technique(id string) {
	id = strings.ToUpper(id)
	if techniqueID.FindString(id) != id {
		return
	}
	e.techniques = append(e.techniques, id)
	if whole, _, part := strings.Cut(id, "."); part {
		e.techniques = append(e.techniques, whole)
	}
}

func (e *extraction) property(name string, raw []byte) {
	switch name {
	case "id", "type", "spec_version", "created", "modified", "granular_markings", "pattern", "pattern_type", "payload_bin", "lang":
		return
	}
	var v any
	if bytes.IndexByte(raw, '"') < 0 || json.Unmarshal(raw, &v) != nil {
		return
	}
	if text, ok := v.(string); ok && stix.IsObservable(e.o.Type) && !strings.HasSuffix(name, "_ref") {
		e.values = append(e.values, strings.ToLower(text))
	}
	if name == "kill_chain_phases" {
		e.phases(v)
	}
	into := &e.text
	if name == "name" || strings.HasSuffix(name, "aliases") {
		into = &e.name
	}
	e.walk(name, v, into)
}

func (e *extraction) phases(v any) {
	list, _ := v.([]any)
	for _, p := range list {
		if m, ok := p.(map[string]any); ok {
			if phase, ok := m["phase_name"].(string); ok {
				e.techniques = append(e.techniques, strings.ToUpper(phase))
			}
		}
	}
}

// walk collects the texts below a property; references and times are found by other means.
func (e *extraction) walk(name string, v any, into *strings.Builder) {
	switch v := v.(type) {
	case string:
		if strings.HasSuffix(name, "_ref") || strings.HasSuffix(name, "_refs") || into.Len() > maxText {
			return
		}
		if len(v) >= 20 && len(v) <= 30 && v[4] == '-' && v[10] == 'T' && v[len(v)-1] == 'Z' {
			return
		}
		into.WriteString(v)
		into.WriteByte('\n')
	case []any:
		for _, x := range v {
			e.walk(name, x, into)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if h, ok := v[k].(string); ok && name == "hashes" {
				e.values = append(e.values, strings.ToLower(h))
			}
			e.walk(k, v[k], into)
		}
	}
}

// literals are the texts in the quotes of a STIX pattern, in lower case.
func literals(pattern string) (out []string) {
	var b strings.Builder
	inside := false
	for i := 0; i < len(pattern) && len(out) < maxValues; i++ {
		switch c := pattern[i]; {
		case c == '\'' && inside:
			out = append(out, strings.ToLower(b.String()))
			b.Reset()
			inside = false
		case c == '\'':
			inside = true
		case inside && c == '\\' && i+1 < len(pattern):
			i++
			b.WriteByte(pattern[i])
		case inside:
			b.WriteByte(c)
		}
	}
	return out
}

// brief is what a list calls an object.
func brief(o *stix.Object) string {
	switch {
	case o.Name != "":
		return o.Name
	case o.Type == "relationship":
		return o.Text("relationship_type")
	}
	for _, p := range []string{"value", "key", "path", "command_line", "subject", "abstract", "opinion", "definition_type", "description"} {
		if v := o.Text(p); v != "" {
			return cut(v, 200)
		}
	}
	return ""
}

// periods are the keys of the days from one to another.
func periods(sort byte, from, to time.Time) (keys []string) {
	if from.IsZero() {
		from = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if to.IsZero() {
		to = time.Date(2199, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	for end := to.AddDate(0, 0, 1); from.Before(end); {
		for _, p := range []struct {
			starts bool
			next   time.Time
			layout string
		}{
			{from.YearDay() == 1, from.AddDate(1, 0, 0), "2006"}, {from.Day() == 1, from.AddDate(0, 1, 0), "200601"}, {true, from.AddDate(0, 0, 1), "20060102"},
		} {
			if p.starts && !p.next.After(end) {
				keys = append(keys, plain(sort, from.Format(p.layout)))
				from = p.next
				break
			}
		}
	}
	return keys
}
