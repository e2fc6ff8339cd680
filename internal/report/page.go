package report

import (
	"bufio"
	"cmp"
	"container/heap"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"shieldwall/internal/status"
)

// What the page shows.
const (
	// maxTable is how many detections the page lists, those of the highest level first; all are counted.
	maxTable = 2000
	// Of these so many are listed; the others are counted.
	maxRules      = 25
	maxComputers  = 12
	maxTechniques = 15
	maxTroubles   = 50
	// Of one detection, in characters. All its fields together have at most maxFieldsText.
	maxField      = 1200
	maxFields     = 24
	maxFieldsText = 6000
	maxPreview    = 160
)

// The page holds its own style and script, and its policy names their hashes: nothing else may run, and nothing may
// be fetched (CSP 3, "hash-source"; in a meta element, "The Content-Security-Policy HTTP-equiv").
var (
	//go:embed page/page.html
	pageText string
	//go:embed page/style.css
	styleText string
	//go:embed page/script.js
	scriptText string

	pageTemplate = template.Must(template.New("page").Parse(pageText))
	policy       = "default-src 'none'; style-src " + hashSource(styleText) + "; script-src " + hashSource(scriptText) + "; base-uri 'none'; form-action 'none'"
)

func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// page gathers what the page will show.
type page struct {
	out   *bufio.Writer
	tally *tally
	top   keptHeap
	seq   int64
}

func newPage(out *bufio.Writer) *page { return &page{out: out, tally: newTally()} }

// Detection counts a detection and keeps it, if it is among those of the highest level; of one level, the earliest
// are.
func (p *page) Detection(d *status.Detection) error {
	p.tally.add(d)
	p.seq++
	k := kept{rank: rankOf(d.Level), key: keyOf(d.Time), seq: p.seq}
	switch {
	case len(p.top) < maxTable:
		k.show = show(d, k.rank)
		heap.Push(&p.top, k)
	case k.compare(p.top[0]) < 0:
		k.show = show(d, k.rank)
		p.top[0] = k
		heap.Fix(&p.top, 0)
	}
	return nil
}

// Problem counts what could not be read.
func (p *page) Problem(source string, err error) { p.tally.problem(source, err) }

// Close writes the page.
func (p *page) Close(s Summary) error {
	if err := pageTemplate.Execute(p.out, p.view(s)); err != nil {
		return err
	}
	return p.out.Flush()
}

// kept is a detection of the table.
type kept struct {
	rank int
	key
	seq  int64
	show *shown
}

// compare puts the highest level first, then the earliest.
func (k kept) compare(o kept) int {
	return cmp.Or(cmp.Compare(k.rank, o.rank), k.key.compare(o.key), cmp.Compare(k.seq, o.seq))
}

// keptHeap has the last one of the table on top.
type keptHeap []kept

func (h keptHeap) Len() int           { return len(h) }
func (h keptHeap) Less(i, j int) bool { return h[i].compare(h[j]) > 0 }
func (h keptHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *keptHeap) Push(x any)        { *h = append(*h, x.(kept)) }
func (h *keptHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// shown is a detection as the page shows it.
type shown struct {
	Level                                  levelView
	Date, Clock, ISO                       string
	Title, RuleID, Author, License         string
	Computer, Channel, EventID             string
	Source, Record, Publisher, Again, Tags string
	Indicator                              string
	Preview                                string
	Fields                                 []field
	More                                   int // fields, or the rest of one, that are not shown
}

type field struct{ Name, Value string }

// levelView is a level as the page shows it: a word, a colour and bars, for nothing is told by colour alone (WCAG
// 2.1, 1.4.1).
type levelView struct {
	Class, Word string
	Rank        int
	Bars        int // of four
}

func viewLevel(rank int) levelView {
	return levelView{Class: levels[rank].word, Word: levels[rank].word, Rank: rank, Bars: max(4-rank, 0)}
}

func show(d *status.Detection, rank int) *shown {
	s := &shown{
		Level: viewLevel(rank), Title: short(d.Title, maxName), RuleID: short(d.RuleID, maxName), Author: short(d.Author, maxName), License: short(d.License, maxName),
		Computer: short(d.Computer, maxName), Channel: short(d.Channel, maxName), EventID: short(d.EventID, maxName),
		Source: short(d.Source, 2*maxName), Record: short(d.Record, maxName), Publisher: short(d.Publisher, maxName), Again: short(d.DuplicateOf, 2*maxName),
	}
	if s.Title == "" {
		s.Title = s.RuleID
	}
	if !d.Time.IsZero() {
		at := d.Time.UTC()
		s.Date, s.Clock, s.ISO = at.Format(time.DateOnly), at.Format("15:04:05.000"), at.Format("2006-01-02T15:04:05.000Z")
	}
	s.Indicator = indicator(d)
	var tags []string
	for _, tag := range d.Tags[:min(len(d.Tags), maxRuleTags)] {
		tags = append(tags, short(tag, maxTag))
	}
	s.Tags = strings.Join(tags, ", ")
	s.addFields(d.Fields)
	return s
}

// indicator says which value was met, and how sure its publisher is of it.
func indicator(d *status.Detection) string {
	if d.Indicator == "" {
		return ""
	}
	said := short(d.Indicator, 2*maxName)
	if c := confidence(d); c != "" {
		said += ", confidence " + c
	}
	if u := until(d); u != "" {
		said += ", valid until " + u
	}
	return said
}

func (s *shown) addFields(fields map[string]string) {
	room := maxFieldsText
	var preview []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if len(s.Fields) == maxFields || room <= 0 {
			s.More++
			continue
		}
		f := field{short(name, maxTag), block(fields[name], min(maxField, room))}
		room -= len(f.Name) + len(f.Value)
		s.Fields = append(s.Fields, f)
		preview = append(preview, f.Name+": "+glance(f.Value))
	}
	s.Preview = short(strings.Join(preview, between), maxPreview)
}

// glance is the start of a value, on one line.
func glance(value string) string {
	return short(strings.Join(strings.Fields(value[:min(len(value), 4*maxPreview)]), " "), maxPreview)
}

// view is all that the template shows.
type view struct {
	Policy string
	Style  template.CSS
	Script template.JS

	Made, From, To string
	Zone           string
	Figures        []figure
	Levels         []levelCount
	Chart          *chart
	Rules          []ruleView
	RulesMore      string
	Computers      []computerView
	ComputersMore  string
	Techniques     []techniqueView
	TechniquesMore string
	Troubles       []troubleView
	TroublesMore   string
	Rows           []*shown
	RowsSaid       string
}

type figure struct{ Label, Value, Note string }

type levelCount struct {
	levelView
	N string
}

// bar is a share, drawn in a box of barBox by 6.
type bar struct{ Width string }

const barBox = 100

func barOf(n, most int64) bar {
	if most <= 0 {
		return bar{"0"}
	}
	return bar{num(max(barBox*float64(n)/float64(most), 1))}
}

type ruleView struct {
	Level                      levelView
	Title, ID, Author, License string
	N                          string
	Bar                        bar
}

type computerView struct {
	Name, Filter string
	N            string
	Parts        []part
	Levels       string
}

// part is a piece of a stacked bar.
type part struct{ Class, X, Width string }

type techniqueView struct {
	ID, Tactics string
	Level       levelView
	N           string
	Rules       int
	Bar         bar
}

type troubleView struct {
	Source, Reason, N string
}

func (p *page) view(s Summary) view {
	t := p.tally
	v := view{
		Policy: policy, Style: template.CSS(styleText), Script: template.JS(scriptText),
		Made: stamp(s.Made), From: stamp(s.First), To: stamp(s.Last), Chart: drawChart(t.times.bars(), t.untimed),
		Figures: figures(s, t.levels.sum()),
	}
	for rank, n := range t.levels {
		if n > 0 || rank < unrated {
			v.Levels = append(v.Levels, levelCount{viewLevel(rank), count(n)})
		}
	}
	v.listRules(t)
	v.listComputers(t)
	v.listTechniques(t)
	v.listTroubles(t, s.Errors)
	slices.SortFunc(p.top, kept.compare)
	for _, k := range p.top {
		v.Rows = append(v.Rows, k.show)
	}
	v.RowsSaid = rowsSaid(p.top, &t.levels)
	return v
}

func figures(s Summary, detections int64) []figure {
	rules := figure{"Rules loaded", count(int64(s.RulesLoaded)), count(int64(s.RulesRejected)) + " rejected"}
	out := []figure{
		{"Detections", count(detections), perThousand(detections, s.Events)},
		{"Events", count(s.Events), size(s.Bytes) + " decoded"},
		{"Files", count(s.Files), count(s.Skipped) + " without telemetry"},
		rules,
	}
	if s.LeftOut > 0 {
		out[1].Note = count(s.LeftOut) + " left out by filters"
	}
	if s.IndicatorsLoaded+s.IndicatorsRejected > 0 {
		out = append(out, figure{"Indicators loaded", count(int64(s.IndicatorsLoaded)), count(int64(s.IndicatorsRejected)) + " rejected"})
	}
	return append(out, figure{"Problems", count(s.Errors), "could not be read"})
}

func perThousand(n, events int64) string {
	if events == 0 {
		return ""
	}
	return strconv.FormatFloat(1000*float64(n)/float64(events), 'f', 1, 64) + " in 1,000 events"
}

func (v *view) listRules(t *tally) {
	top := t.loudest(maxRules)
	for _, r := range top {
		title := r.title
		if title == "" {
			title = r.id
		}
		v.Rules = append(v.Rules, ruleView{viewLevel(r.rank), title, r.id, r.author, r.license, count(r.n), barOf(r.n, top[0].n)})
	}
	v.RulesMore = more(len(t.rules)-len(top), "rule", "rules", t.otherRules)
}

func (v *view) listComputers(t *tally) {
	top, most := t.worst(maxComputers), int64(0)
	for _, c := range top {
		most = max(most, c.n.sum())
	}
	for _, c := range top {
		at := computerView{Name: c.name, Filter: c.name, N: count(c.n.sum()), Levels: levelWords(&c.n)}
		if at.Name == "" {
			at.Name = "(no name)"
		}
		x := 0.0
		for rank, n := range c.n {
			if n > 0 {
				width := barBox * float64(n) / float64(most)
				at.Parts = append(at.Parts, part{levels[rank].word, num(x), num(width)})
				x += width
			}
		}
		v.Computers = append(v.Computers, at)
	}
	v.ComputersMore = more(len(t.computers)-len(top), "computer", "computers", t.otherComputers)
}

func (v *view) listTechniques(t *tally) {
	all := t.techniques()
	for _, at := range all[:min(len(all), maxTechniques)] {
		v.Techniques = append(v.Techniques, techniqueView{
			at.id, strings.Join(at.tactics, ", "), viewLevel(at.rank), count(at.n), at.rules, barOf(at.n, all[0].n),
		})
	}
	v.TechniquesMore = more(len(all)-len(v.Techniques), "technique", "techniques", 0)
}

func (v *view) listTroubles(t *tally, errors int64) {
	told := int64(0)
	for _, at := range t.broken(maxTroubles) {
		v.Troubles = append(v.Troubles, troubleView{at.source, at.reason, count(at.n)})
		told += at.n
	}
	if left := errors - told; left > 0 && len(v.Troubles) > 0 {
		v.TroublesMore = count(left) + " more problems are not listed"
	}
}

// more says what is not listed.
func more(n int, one, many string, others int64) string {
	switch {
	case others > 0:
		return count(int64(n)) + " more " + many + ", and " + count(others) + " detections of further ones"
	case n == 1:
		return "1 more " + one
	case n > 1:
		return count(int64(n)) + " more " + many
	}
	return ""
}

// rowsSaid says how many of the detections the table has, level by level where it has not all.
func rowsSaid(rows []kept, all *counts) string {
	total := all.sum()
	if total == int64(len(rows)) {
		return "all " + count(total) + ", the highest level first"
	}
	var has counts
	for _, r := range rows {
		has[r.rank]++
	}
	var parts []string
	for rank, n := range all {
		if n > 0 {
			parts = append(parts, count(has[rank])+" of "+count(n)+" "+levels[rank].word)
		}
	}
	return count(int64(len(rows))) + " of " + count(total) + ", the highest levels first: " + strings.Join(parts, ", ") + ". The others are counted above; the other formats have them all."
}

func levelWords(c *counts) string {
	var parts []string
	for rank, n := range c {
		if n > 0 {
			parts = append(parts, count(n)+" "+levels[rank].word)
		}
	}
	return strings.Join(parts, ", ")
}

// stamp spells a moment; empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// num spells a coordinate.
func num(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

// count spells a number with its thousands apart.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size spells a number of bytes.
func size(n int64) string {
	for _, u := range []struct {
		of   int64
		name string
	}{{1 << 30, " GiB"}, {1 << 20, " MiB"}, {1 << 10, " KiB"}} {
		if n >= u.of {
			return strconv.FormatFloat(float64(n)/float64(u.of), 'f', 1, 64) + u.name
		}
	}
	return count(n) + " B"
}
