package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"shieldwall/internal/status"
)

// notice is one line on top of the page.
type notice struct {
	Kind string // "bad", "warn" or "ok"
	Text string
}

// rosterSoon is from when on the roster's expiry is a warning.
const rosterSoon = 14 * 24 * time.Hour

// maxNotices bounds the warnings on top; further ones are counted.
const maxNotices = 12

// Notices are what is wrong, the worst first: with this picture, with the roster, with the other members,
// then the node's standing warnings; or one line that says that nothing is.
func (f *frame) Notices() []notice {
	var out []notice
	if f.Trouble != "" {
		out = append(out, notice{"bad", "This picture is incomplete: " + f.Trouble})
	}
	if a := f.node.Alliance; !a.Expires.IsZero() {
		switch left := a.Expires.Sub(f.node.Now); {
		case left <= 0:
			out = append(out, notice{"bad", "The roster has expired: membership is frozen, alerts flow on"})
		case left < rosterSoon:
			out = append(out, notice{"warn", "The roster expires in " + span(left)})
		}
	}
	if n, ok := f.allies(); ok {
		out = append(out, n)
	}
	for i, w := range f.node.Warnings {
		if i == maxNotices {
			return append(out, notice{"warn", count(len(f.node.Warnings)-i) + " more warnings; `shieldwall status` lists them"})
		}
		out = append(out, notice{"warn", clean(w, 2*maxCell)})
	}
	return out
}

// allies sums up the other members in one sentence.
func (f *frame) allies() (notice, bool) {
	var away []string
	total := 0
	for _, m := range f.memberRows() {
		if m.Self {
			continue
		}
		total++
		if m.State.Class != "live" {
			away = append(away, m.Name+" ("+m.State.Word+")")
		}
	}
	switch {
	case total == 0:
		return notice{}, false
	case len(away) == 0 && total == 1:
		return notice{"ok", "The other member is live"}, true
	case len(away) == 0:
		return notice{"ok", "All " + count(total) + " other members are live"}, true
	}
	text := fmt.Sprintf("%s of %s other members are not live: ", count(len(away)), count(total))
	const named = 6
	if len(away) > named {
		return notice{"warn", text + strings.Join(away[:named], ", ") + " and " + count(len(away)-named) + " more"}, true
	}
	return notice{"warn", text + strings.Join(away, ", ")}, true
}

// figure is one number of the strip on top, with the page that is its evidence.
type figure struct {
	Label, Value, Note, Path string
	Warn                     bool
}

// Figures is the strip of numbers.
func (f *frame) Figures() []figure {
	n := f.node
	live, others := 0, 0
	for _, m := range n.Alliance.Members {
		if m.Self {
			continue
		}
		others++
		if m.State == "live" && !m.Suspended {
			live++
		}
	}
	members := figure{"Allies live", count(live) + " / " + count(others), "roster version " + count(n.Alliance.Version), "/alliance", live < others}
	if live < others {
		members.Note = count(others-live) + " not live"
	}
	if others == 0 {
		members = figure{"Allies live", "none yet", "alliance of one", "/alliance", false}
	}
	var rejected int64
	for _, c := range n.Rejected {
		rejected += c
	}
	objects := figure{"Objects held", brief(n.Objects), "none refused", "/objects", false}
	if rejected > 0 {
		objects.Note, objects.Warn = brief(rejected)+" refused", true
	}
	started := f.stamp(n.Started)
	since := strings.TrimSpace("since " + started.Date + " " + started.Clock)
	protect := figure{"Time to protect", "–", "no publication confirmed yet", "/protection", false}
	if n.Protect.Pairs > 0 {
		protect.Value, protect.Note = millis(n.Protect.P50), "p50 · p95 "+millis(n.Protect.P95)
	}
	armed := figure{"Rules live", brief(int64(n.Rules)), "and " + brief(int64(n.Indicators)) + " indicators", "/objects", false}
	if n.NotLive > 0 {
		armed.Note, armed.Warn = brief(int64(n.NotLive))+" objects cannot be matched", true
	}
	if held := n.Engine.RuleBytes + n.Engine.ProgramBytes + n.Engine.IndicatorBytes; held > 0 && !armed.Warn {
		armed.Note += ", " + size(int64(held))
	}
	if f.Deaf() {
		armed.Note, armed.Warn = "nothing to match with", true
	}
	detections := figure{"Detections", brief(n.Detections), since, "/detections", false}
	switch {
	case n.Suppressed > 0:
		detections.Note, detections.Warn = brief(n.Suppressed)+" not written: a rule is too loud", true
	case n.Muted > 0:
		detections.Note = brief(n.Muted) + " muted, " + since
	}
	return []figure{
		members,
		detections,
		{"Events seen", brief(n.Events), "they stay on this node", "/detections", false},
		armed,
		objects,
		protect,
	}
}

// memberRow is one member in the table and in the drawing.
type memberRow struct {
	Key      string
	id       string // raw, for the drawing's own lengths
	Self     bool
	State    state
	Name     string
	Groups   string
	Problem  string
	Log      string
	Head     string
	Lag      string
	Late     bool // there is a lag
	Acts     string
	Theirs   string
	Trailing bool // they have not applied all of ours
	Seen     stamp
	Ago      string
	In, Out  string
	behind   uint64
}

// note is what the drawing says below a name.
func (m memberRow) note() string {
	if m.behind > 0 && (m.State.Class == "live" || m.State.Class == "behind") {
		return m.Lag
	}
	return m.State.Word
}

// memberRows are all members, by id.
func (f *frame) memberRows() []memberRow {
	rows := make([]memberRow, 0, len(f.node.Alliance.Members))
	for _, m := range f.node.Alliance.Members {
		rows = append(rows, f.memberRow(m))
	}
	slices.SortStableFunc(rows, func(a, b memberRow) int { return cmp.Compare(a.id, b.id) })
	return rows
}

func (f *frame) memberRow(m status.Member) memberRow {
	row := memberRow{
		Key: key("m", m.ID), id: m.ID, Self: m.Self, Name: clean(m.ID, maxLabel), State: stateOf(m.State, m.Suspended),
		Groups: clean(strings.Join(m.Groups, ", "), maxCell), Problem: clean(m.Problem, maxCell),
		Log: clean(m.Log, maxCell), Head: count(m.Head), Seen: f.stamp(m.LastSeen), In: size(m.BytesIn), Out: size(m.BytesOut),
	}
	if m.Self {
		row.State = states["self"]
		row.Head = count(f.node.Log.Size)
		return row
	}
	if !m.LastSeen.IsZero() {
		row.Ago = span(f.node.Now.Sub(m.LastSeen))
	}
	row.behind = less(m.Head, m.Applied)
	row.Late = row.behind > 0
	row.Lag = "none"
	if row.Late {
		row.Lag = count(row.behind) + " behind"
	}
	row.Acts = count(m.Applied)
	if unread := less(m.Head, m.Size); unread > 0 {
		row.Acts += ", " + count(unread) + " to fetch"
	}
	row.Theirs, row.Trailing = "all", m.TheirApplied < f.node.Log.Size
	if row.Trailing {
		row.Theirs = count(less(f.node.Log.Size, m.TheirApplied)) + " behind"
	}
	return row
}

// less is a-b, zero where that would be negative.
func less(a, b uint64) uint64 {
	if a < b {
		return 0
	}
	return a - b
}

// Members is the table: what needs attention first, this node last.
func (f *frame) Members() []memberRow {
	terms := f.listTerms()
	rows := slices.DeleteFunc(f.memberRows(), func(m memberRow) bool {
		return !matches(terms, m.id, m.Groups, m.State.Word, m.Problem)
	})
	slices.SortStableFunc(rows, func(a, b memberRow) int { return cmp.Compare(a.State.rank, b.State.rank) })
	return rows
}

// Mesh is the drawing of the alliance.
func (f *frame) Mesh() mesh { return drawMesh(f.memberRows()) }

// Alone says that there is nobody else yet.
func (f *frame) Alone() bool { return len(f.node.Alliance.Members) == 1 }

// fact is a line of a definition list.
type fact struct {
	Name, Value string
	Mono        bool
}

// Roster is what the alliance agreed on, and this node's own log.
func (f *frame) Roster() []fact {
	a := f.node.Alliance
	when := func(t time.Time) string {
		if t.IsZero() {
			return "–"
		}
		return t.UTC().Format("2006-01-02 15:04 UTC")
	}
	expires := when(a.Expires)
	if left := a.Expires.Sub(f.node.Now); !a.Expires.IsZero() && left > 0 {
		expires += ", in " + span(left)
	}
	out := []fact{
		{"Alliance", clean(a.Name, maxCell), false},
		{"Alliance id", clean(a.ID, maxCell), true},
		{"Roster", "version " + count(a.Version) + ", issued " + when(a.Issued), false},
		{"Expires", expires, false},
		{"Officers", fmt.Sprintf("%s (%d must sign)", clean(strings.Join(a.Officers, ", "), maxCell), a.Threshold), false},
		{"Groups", clean(strings.Join(a.Groups, ", "), maxCell), false},
		{"Own log", clean(f.node.Log.ID, maxCell), true},
		{"Own head", count(f.node.Log.Size) + " entries, root " + clean(f.node.Log.Root, maxLabel+8), true},
		{"Peers reach us at", clean(f.node.Peer, maxCell), true},
	}
	return slices.DeleteFunc(out, func(x fact) bool { return x.Value == "" })
}

// objectRow is one shared object.
type objectRow struct {
	Key                           string
	Name, Type, ID, Publisher, To string
	TLP                           marking
	Admitted                      stamp
	Withdrawn                     bool
	Own                           bool
}

// Objects are the newest objects.
func (f *frame) Objects() []objectRow {
	var rows []objectRow
	terms := f.listTerms()
	for _, o := range f.objects {
		if len(rows) == f.listRows() {
			break
		}
		if !matches(terms, o.Name, o.Type, o.ID, o.Publisher, o.Audience, "tlp:"+strings.TrimPrefix(strings.ToLower(o.TLP), "tlp:")) {
			continue
		}
		name := o.Name
		if name == "" {
			name = o.ID
		}
		rows = append(rows, objectRow{
			Key: key("o", strconv.FormatInt(o.Seq, 10)), Name: clean(name, maxCell), Type: clean(o.Type, maxLabel), ID: clean(o.ID, maxCell),
			Publisher: clean(o.Publisher, maxLabel), To: clean(o.Audience, maxCell), TLP: markingOf(o.TLP),
			Admitted: f.stamp(o.Admitted), Withdrawn: o.Withdrawn, Own: o.Publisher == f.node.Member || o.Publisher == "local",
		})
	}
	return rows
}

// Engine is what the matcher is made of.
func (f *frame) Engine() []fact {
	e := f.node.Engine
	return []fact{
		{Name: "rules", Value: count(e.Rules)}, {Name: "rules as read", Value: size(int64(e.RuleBytes))}, {Name: "rules compiled", Value: size(int64(e.ProgramBytes))},
		{Name: "indicators", Value: count(e.Indicators)}, {Name: "indicators' memory", Value: size(int64(e.IndicatorBytes))},
		{Name: "rules not merged yet", Value: count(e.Delta)}, {Name: "merges", Value: count(e.Merges)},
	}
}

// maxReasons bounds the list of reasons for refusing objects.
const maxReasons = 20

// Refused are the reasons for which peers' objects were refused, the commonest first.
func (f *frame) Refused() []fact {
	reasons := slices.SortedFunc(maps.Keys(f.node.Rejected), func(a, b string) int {
		return cmp.Or(cmp.Compare(f.node.Rejected[b], f.node.Rejected[a]), cmp.Compare(a, b))
	})
	var out []fact
	for _, reason := range reasons[:min(len(reasons), maxReasons)] {
		out = append(out, fact{Name: clean(reason, maxCell), Value: count(f.node.Rejected[reason])})
	}
	return out
}

// sightingRow is what members reported about one of this node's objects.
type sightingRow struct {
	Key, Name, ID, Count, Members string
	First, Last                   stamp
}

// Sightings are the newest totals.
func (f *frame) Sightings() []sightingRow {
	var rows []sightingRow
	terms := f.listTerms()
	for _, s := range f.sightings {
		if len(rows) == f.listRows() {
			break
		}
		if !matches(terms, s.Name, s.Object) {
			continue
		}
		name := s.Name
		if name == "" {
			name = s.Object
		}
		rows = append(rows, sightingRow{
			Key: key("s", s.Object), Name: clean(name, maxCell), ID: clean(s.Object, maxCell), Count: count(s.Count), Members: count(s.Members),
			First: f.stamp(s.FirstSeen), Last: f.stamp(s.LastSeen),
		})
	}
	return rows
}

// Protect sums up time to protect.
func (f *frame) Protect() []fact {
	p := f.node.Protect
	figure := func(ms float64) string {
		if p.Pairs == 0 {
			return "–"
		}
		return millis(ms)
	}
	return []fact{
		{Name: "p50", Value: figure(p.P50)}, {Name: "p95", Value: figure(p.P95)},
		{Name: "p99", Value: figure(p.P99)}, {Name: "slowest", Value: figure(p.Max)},
		{Name: "confirmed", Value: count(p.Pairs)}, {Name: "waiting", Value: count(p.Waiting)},
	}
}

// Chart is the drawing of the newest publications, nil where there is none to draw.
func (f *frame) Chart() *chart {
	if c, ok := drawChart(f.publications, f.node.Now, f.zone); ok {
		return &c
	}
	return nil
}

// publicationRow is one entry of this node's log that protects others.
type publicationRow struct {
	Index, What, To, P50, P95 string
	Applied, Readers          string
	Share                     string // width of the bar, of 100
	Complete                  bool
	At                        stamp
}

// Publications are the newest publications.
func (f *frame) Publications() []publicationRow {
	var rows []publicationRow
	terms := f.listTerms()
	for _, p := range f.publications {
		if len(rows) == f.listRows() {
			break
		}
		if !matches(terms, p.What, p.Audience) {
			continue
		}
		row := publicationRow{
			Index: count(p.Index), What: clean(p.What, maxCell), To: clean(p.Audience, maxCell), P50: "–", P95: "–",
			Applied: count(p.Applied), Readers: count(p.Readers), Share: "0", Complete: p.Applied >= p.Readers, At: f.stamp(p.At),
		}
		if p.Applied > 0 {
			row.P50, row.P95 = millis(p.P50), millis(p.P95)
		}
		if p.Readers > 0 {
			row.Share = num(100 * min(1, max(0, float64(p.Applied)/float64(p.Readers))))
		}
		rows = append(rows, row)
	}
	return rows
}
