package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"shieldwall/internal/status"
)

// What the page counts over all detections, in bounded memory.
const (
	// maxKeys is how many different rules, computers and files with problems are told apart; what comes beyond is
	// counted together.
	maxKeys = 1 << 15
	// maxName cuts the names that are counted, in characters; maxRuleTags are the tags of a rule.
	maxName     = 200
	maxKey      = 4 * maxName // bytes of a name that tell it from others
	maxRuleTags = 32
	maxTag      = 64
)

// rule is a rule that detected something.
type rule struct {
	id, title, author, license string
	rank                       int
	tags                       []string
	n                          int64
}

// computer is a computer on which something was detected.
type computer struct {
	name string
	n    counts
}

// trouble is a file of which something could not be read.
type trouble struct {
	source, reason string // the first one
	n              int64
}

// tally counts detections and problems.
type tally struct {
	levels    counts
	untimed   int64
	rules     map[[2]string]*rule
	computers map[string]*computer
	troubles  map[string]*trouble
	times     times
	// Beyond maxKeys.
	otherRules, otherComputers, otherTroubles int64
}

func newTally() *tally {
	return &tally{rules: map[[2]string]*rule{}, computers: map[string]*computer{}, troubles: map[string]*trouble{}, times: newTimes()}
}

func (t *tally) add(d *status.Detection) {
	rank := rankOf(d.Level)
	t.levels[rank]++
	if d.Time.IsZero() {
		t.untimed++
	} else {
		t.times.add(d.Time.Unix(), rank)
	}
	if r := known(t.rules, [2]string{clip(d.RuleID), clip(d.Title)}, &t.otherRules, func() *rule { return newRule(d, rank) }); r != nil {
		r.n++
	}
	if c := known(t.computers, clip(d.Computer), &t.otherComputers, func() *computer { return &computer{name: short(d.Computer, maxName)} }); c != nil {
		c.n[rank]++
	}
}

func newRule(d *status.Detection, rank int) *rule {
	r := &rule{id: short(d.RuleID, maxName), title: short(d.Title, maxName), author: short(d.Author, maxName), license: short(d.License, maxName), rank: rank}
	for _, tag := range d.Tags[:min(len(d.Tags), maxRuleTags)] {
		r.tags = append(r.tags, short(strings.ToLower(tag), maxTag))
	}
	return r
}

func (t *tally) problem(source string, err error) {
	at := known(t.troubles, clip(source), &t.otherTroubles, func() *trouble {
		return &trouble{source: short(source, maxName), reason: short(err.Error(), maxName)}
	})
	if at != nil {
		at.n++
	}
}

// clip cuts a key to its first bytes; a hostile name must not be kept whole.
func clip(s string) string {
	if len(s) <= maxKey {
		return s
	}
	return strings.Clone(s[:maxKey])
}

// known is what is counted under a key; nil, and one more among the others, where there are too many.
func known[K comparable, V any](m map[K]*V, key K, others *int64, fresh func() *V) *V {
	if v := m[key]; v != nil {
		return v
	}
	if len(m) == maxKeys {
		*others++
		return nil
	}
	v := fresh()
	m[key] = v
	return v
}

// loudest are the rules with the most detections.
func (t *tally) loudest(most int) []*rule {
	all := slices.SortedFunc(maps.Values(t.rules), func(a, b *rule) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.rank, b.rank), cmp.Compare(a.title, b.title), cmp.Compare(a.id, b.id))
	})
	return all[:min(len(all), most)]
}

// worst are the computers with the most detections of the highest levels; one that has more of a level comes
// before one that has more below it.
func (t *tally) worst(most int) []*computer {
	all := slices.SortedFunc(maps.Values(t.computers), func(a, b *computer) int {
		return cmp.Or(slices.Compare(b.n[:], a.n[:]), cmp.Compare(a.name, b.name))
	})
	return all[:min(len(all), most)]
}

// broken are the files with the most problems.
func (t *tally) broken(most int) []*trouble {
	all := slices.SortedFunc(maps.Values(t.troubles), func(a, b *trouble) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.source, b.source))
	})
	return all[:min(len(all), most)]
}

// technique is a technique of ATT&CK that rules with detections name.
type technique struct {
	id      string   // T1059.001
	tactics []string // of the same rules, in ATT&CK's order
	rank    int      // of the highest level
	rules   int
	n       int64
}

// tactics are ATT&CK's, in the order of an attack, as Sigma's tags spell them; the two that newer versions have in
// the place of defence evasion beside it.
var tactics = []string{
	"reconnaissance", "resource-development", "initial-access", "execution", "persistence", "privilege-escalation", "defense-evasion",
	"stealth", "defense-impairment", "credential-access", "discovery", "lateral-movement", "collection", "command-and-control", "exfiltration", "impact",
}

// techniques are all techniques, those with the most detections first. The tags say which tactics a rule serves, not
// which technique serves which: one gets all of its rules'.
func (t *tally) techniques() []*technique {
	found := map[string]*technique{}
	for _, r := range t.rules {
		ids, goals := attack(r.tags)
		for _, id := range ids {
			at := found[id]
			if at == nil {
				at = &technique{id: id, rank: unrated}
				found[id] = at
			}
			at.n += r.n
			at.rules++
			at.rank = min(at.rank, r.rank)
			for _, goal := range goals {
				if !slices.Contains(at.tactics, goal) {
					at.tactics = append(at.tactics, goal)
				}
			}
		}
	}
	for _, at := range found {
		slices.SortFunc(at.tactics, func(a, b string) int { return cmp.Compare(slices.Index(tactics, a), slices.Index(tactics, b)) })
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *technique) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.id, b.id))
	})
}

// attack reads techniques and tactics out of a rule's tags (Sigma specification, "Tags", namespace attack).
func attack(tags []string) (ids, goals []string) {
	for _, tag := range tags {
		name, ok := strings.CutPrefix(tag, "attack.")
		if !ok {
			continue
		}
		name = strings.ReplaceAll(name, "_", "-") // as older rules spell tactics
		if id := techniqueID(name); id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		if slices.Contains(tactics, name) && !slices.Contains(goals, name) {
			goals = append(goals, name)
		}
	}
	return ids, goals
}

// techniqueID reads t1059 and t1059.001; empty for anything else.
func techniqueID(name string) string {
	number, ok := strings.CutPrefix(name, "t")
	main, sub, isSub := strings.Cut(number, ".")
	if !ok || !digits(main, 4) || isSub && !digits(sub, 3) {
		return ""
	}
	return "T" + number
}

func digits(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789") == ""
}
