package search

import (
	"slices"
	"strings"

	"shieldwall/internal/query"
)

// Blocks of seqs: a search looks at one after the other, so that what it costs is bounded whatever it asks.
const (
	smallBlock = 14
	bigBlock   = 16
)

// expression spells a query for the index of full text. Each group that wants several terms wants the block first,
// so that a search through a block ends with it.
type expression struct {
	spelling *spelling
	// block is the key of a block, shelves the keys of those that the reader may see, any of which will do; none
	// where it may see all there are.
	block   string
	shelves []string
	// hide says that the reader may see bodies that are sealed.
	hide bool
}

func (e *expression) whole(n *query.Node) string {
	all := []string{e.block}
	if len(e.shelves) > 0 {
		all = append(all, either(e.shelves))
	}
	return e.and(all, []*query.Node{n})
}

// and spells kids that must all hold beside what all has.
func (e *expression) and(all []string, kids []*query.Node) string {
	var not []string
	for len(kids) > 0 {
		k := kids[0]
		kids = kids[1:]
		switch {
		case k.Op == query.And:
			kids = append(k.Kids[:len(k.Kids):len(k.Kids)], kids...)
		case k.Op == query.Not:
			if !several(k) { // else it would leave out too much
				not = append(not, e.part(k.Kids[0]))
			}
		case k.Op == query.Term && (k.Field == query.Since || k.Field == query.Until):
		default:
			all = append(all, e.part(k))
		}
	}
	out := "(" + strings.Join(all, " AND ") + ")"
	if len(not) > 0 {
		out = "(" + out + " NOT (" + strings.Join(not, " OR ") + "))"
	}
	return out
}

func (e *expression) part(n *query.Node) string {
	switch n.Op {
	case query.Term:
		return e.term(n)
	case query.Or:
		parts := make([]string, len(n.Kids))
		for i, k := range n.Kids {
			parts[i] = e.part(k)
		}
		return "(" + strings.Join(parts, " OR ") + ")"
	}
	return e.and([]string{e.block}, []*query.Node{n})
}

func quoted(key string) string { return `"` + key + `"` }

func either(keys []string) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = quoted(k)
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

func (e *expression) term(n *query.Node) string {
	s := e.spelling
	switch n.Field {
	case query.Type:
		return quoted(s.hidden(keyType, strings.ToLower(n.Value)))
	case query.ID:
		return quoted(s.hidden(keyID, strings.ToLower(n.Value)))
	case query.Value:
		return quoted(s.hidden(keyValue, strings.ToLower(n.Value)))
	case query.Label:
		return quoted(s.hidden(keyLabel, strings.ToLower(n.Value)))
	case query.Technique:
		return quoted(s.hidden(keyTechnique, n.Value))
	case query.Member:
		return quoted(s.hidden(keyMember, strings.ToLower(n.Value)))
	case query.TLP:
		return quoted(plain(keyTLP, n.Value))
	case query.Ref:
		return quoted(s.hidden(keyRef, strings.ToLower(n.Value)))
	case query.Creator:
		return quoted(s.hidden(keyCreator, strings.ToLower(n.Value)))
	case query.Created:
		return either(periods(keyCreated, n.From, n.To))
	case query.Modified:
		return either(periods(keyModified, n.From, n.To))
	case query.Name:
		return e.words("name : ", n)
	case query.Pattern:
		return e.words("pattern : ", n)
	}
	return e.words("", n)
}

// words spells words that must all be there; that they stand beside one another is seen in the copy (holds). A word's
// beginning is not found where words are hidden.
func (e *expression) words(column string, n *query.Node) string {
	words := query.Words(n.Value)
	if n.Prefix {
		return column + quoted(words[0]) + " *"
	}
	var all []string
	for _, p := range query.Pairs(n.Value) {
		all = append(all, quoted(e.spelling.hidden(keyPair, p)))
	}
	for _, w := range words {
		one := column + quoted(w)
		if e.hide {
			one = "(" + one + " OR " + column + quoted(e.spelling.hidden(keyWord, w)) + ")"
		}
		all = append(all, one)
	}
	if len(all) == 1 {
		return all[0]
	}
	return "(" + e.block + " AND " + strings.Join(all, " AND ") + ")"
}

// several says whether a query has words that must stand beside one another: the index finds too much then.
func several(n *query.Node) bool {
	if n.Op == query.Term {
		return (n.Field == query.Text || n.Field == query.Name || n.Field == query.Pattern) && len(query.Words(n.Value)) > 1
	}
	return slices.ContainsFunc(n.Kids, several)
}

// holds says whether a query holds for what a copy is found by. Times of admission are not its to judge.
func (e *expression) holds(n *query.Node, d *document) bool {
	switch n.Op {
	case query.And:
		return !slices.ContainsFunc(n.Kids, func(k *query.Node) bool { return !e.holds(k, d) })
	case query.Or:
		return slices.ContainsFunc(n.Kids, func(k *query.Node) bool { return e.holds(k, d) })
	case query.Not:
		return !e.holds(n.Kids[0], d)
	}
	switch n.Field {
	case query.Since, query.Until:
		return true
	case query.Created:
		return slices.ContainsFunc(periods(keyCreated, n.From, n.To), d.has)
	case query.Modified:
		return slices.ContainsFunc(periods(keyModified, n.From, n.To), d.has)
	case query.Name:
		return e.says(n, d, d.name)
	case query.Pattern:
		return e.says(n, d, d.pattern)
	case query.Text:
		return e.says(n, d, d.name, d.text, d.pattern)
	}
	return d.has(strings.Trim(e.term(n), `"`))
}

// has says whether a document has a key.
func (d *document) has(key string) bool { return within(d.keys, key) }

// within says whether words stand beside one another in a text.
func within(text, words string) bool { return strings.Contains(" "+text+" ", " "+words+" ") }

// says says whether one of a document's texts has a term's words beside one another.
func (e *expression) says(n *query.Node, d *document, texts ...string) bool {
	words := query.Words(n.Value)
	if n.Prefix {
		return !d.hide && slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(" "+t, " "+words[0]) })
	}
	for _, p := range query.Pairs(n.Value) {
		if !d.has(e.spelling.hidden(keyPair, p)) {
			return false
		}
	}
	want := e.spelling.words(words, d.hide)
	return slices.ContainsFunc(texts, func(t string) bool { return within(t, want) })
}

// needed are words and keys without which a query does not hold, each with the ways in which it is spelled.
func (e *expression) needed(n *query.Node) (all [][]string) {
	switch {
	case n.Op == query.And:
		for _, k := range n.Kids {
			all = append(all, e.needed(k)...)
		}
	case n.Op != query.Term || n.Prefix:
	default:
		switch n.Field {
		case query.Since, query.Until, query.Created, query.Modified:
		case query.Text, query.Name, query.Pattern:
			for _, p := range query.Pairs(n.Value) {
				all = append(all, []string{e.spelling.hidden(keyPair, p)})
			}
			for _, w := range query.Words(n.Value) {
				ways := []string{w}
				if e.hide {
					ways = append(ways, e.spelling.hidden(keyWord, w))
				}
				all = append(all, ways)
			}
		default:
			all = append(all, []string{strings.Trim(e.term(n), `"`)})
		}
	}
	return all
}
