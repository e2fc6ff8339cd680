package search

import (
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
			not = append(not, e.part(k.Kids[0]))
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

// words spells words that stand beside one another; those that are joined must be joined where they are found, too. A word's beginning is not found where words are hidden.
func (e *expression) words(column string, n *query.Node) string {
	words := query.Words(n.Value)
	out := column + quoted(strings.Join(words, " "))
	if n.Prefix {
		return out + " *"
	}
	if e.hide {
		out = "(" + out + " OR " + column + quoted(e.spelling.words(words, true)) + ")"
	}
	pairs := query.Pairs(n.Value)
	if len(pairs) == 0 {
		return out
	}
	all := []string{e.block}
	for _, p := range pairs {
		all = append(all, quoted(e.spelling.hidden(keyPair, p)))
	}
	return "(" + strings.Join(append(all, out), " AND ") + ")"
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
