package web

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/status"
)

func TestEveryStateLooksDifferent(t *testing.T) {
	t.Parallel()
	looks := map[string]string{}
	for _, word := range []string{"self", "live", "catching up", "connecting", "unreachable", "refused", "no such state"} {
		s := stateOf(word, false)
		// "connecting" is the outline of "live": the class decides which.
		look := s.Shape
		if s.Class == "connecting" {
			look += " outline"
		}
		if other, ok := looks[look]; ok {
			t.Errorf("%q looks like %q", word, other)
		}
		looks[look] = word
		if s.Word == "" || s.Class == "" {
			t.Errorf("%q has no word", word)
		}
	}
	if s := stateOf("live", true); s.Word != "suspended" {
		t.Errorf("a suspended member is %q", s.Word)
	}
	if s := stateOf("\u202e", false); s.Word != "‹U+202E›" {
		t.Errorf("an unknown state is spelled %q", s.Word)
	}
	bars := map[int]string{}
	for _, word := range []string{"critical", "HIGH", "Medium", "low", "informational"} {
		l := levelOf(word)
		if other, ok := bars[l.Bars]; ok {
			t.Errorf("level %q looks like %q", word, other)
		}
		bars[l.Bars] = word
	}
	if l := levelOf("\u202e"); l.Word != "unrated" {
		t.Errorf("an unknown level is %q", l.Word)
	}
	for tlp, want := range map[string]string{"TLP:RED": "TLP:RED", "amber+strict": "TLP:AMBER+STRICT", "white": "TLP:WHITE", "": "no TLP", "PURPLE\u202e": "PURPLE‹U+202E›"} {
		if m := markingOf(tlp); m.Word != want {
			t.Errorf("marking %q is %q", tlp, m.Word)
		}
	}
}

func TestMeshFitsItsBox(t *testing.T) {
	t.Parallel()
	for n := range 120 {
		f := &frame{zone: time.UTC, node: status.Node{Now: testTime, Alliance: status.Alliance{Members: []status.Member{member("self", "self")}}}}
		for i := range n {
			state := []string{"live", "live", "catching up", "unreachable"}[i%4]
			f.node.Alliance.Members = append(f.node.Alliance.Members, member(fmt.Sprintf("member-with-a-long-name-%08d", i), state))
		}
		m := f.Mesh()
		if len(m.Nodes) != n || m.Self.Name != "self" {
			t.Fatalf("%d members: %d drawn, self %q", n, len(m.Nodes), m.Self.Name)
		}
		width, height := parse(t, m.Width), parse(t, m.Height)
		places := map[string]bool{m.Self.X + " " + m.Self.Y: true}
		for _, node := range m.Nodes {
			for _, p := range [][2]string{{node.X, node.Y}, {node.LX, node.LY}, {node.X1, node.Y1}, {node.X2, node.Y2}} {
				if x, y := parse(t, p[0]), parse(t, p[1]); x < 0 || y < 0 || x > width || y > height {
					t.Errorf("%d members: a point at %v,%v is outside %v by %v", n, x, y, width, height)
				}
			}
			if places[node.X+" "+node.Y] {
				t.Errorf("%d members: two at %s,%s", n, node.X, node.Y)
			}
			places[node.X+" "+node.Y] = true
			if !node.Horizontal && node.State.Class != "live" && node.Note == "" {
				t.Errorf("%d members: %s is told by its look alone", n, node.State.Word)
			}
		}
		total := 0
		for _, l := range m.Legend {
			total += int(parse(t, l.Count))
			if !strings.Contains(m.Summary, l.State.Word) {
				t.Errorf("the summary %q does not name %q", m.Summary, l.State.Word)
			}
		}
		if total != n+1 {
			t.Errorf("%d members: the legend counts %d", n, total)
		}
	}
}

func parse(t *testing.T, s string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLabelsOfFewMembersDoNotCollide(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 14; n++ {
		f := &frame{zone: time.UTC, node: status.Node{Now: testTime}}
		for i := range n {
			f.node.Alliance.Members = append(f.node.Alliance.Members, member(fmt.Sprintf("%02d-member-name", i), "live"))
		}
		nodes := f.Mesh().Nodes
		for i, a := range nodes {
			for _, b := range nodes[i+1:] {
				if a.Anchor == b.Anchor && math.Abs(parse(t, a.LX)-parse(t, b.LX)) < 110 && math.Abs(parse(t, a.LY)-parse(t, b.LY)) < 26 {
					t.Errorf("%d members: the labels of %s and %s collide", n, a.Name, b.Name)
				}
			}
		}
	}
}

func TestChart(t *testing.T) {
	t.Parallel()
	if _, ok := drawChart(nil, testTime, time.UTC); ok {
		t.Error("no publications make a chart")
	}
	if _, ok := drawChart([]status.Publication{{Readers: 0, Applied: 0}}, testTime, time.UTC); ok {
		t.Error("a publication without readers is drawn")
	}
	var pubs []status.Publication
	for i, ms := range []float64{0, 0.01, 1, 10, 999, 1e5, 1e300, math.NaN(), math.Inf(1), math.Inf(-1), -5} {
		pubs = append(pubs, status.Publication{Index: uint64(100 - i), At: testTime.Add(-time.Duration(i) * time.Minute), Readers: 3, Applied: 3, P50: ms, P95: ms})
	}
	for range 200 {
		pubs = append(pubs, status.Publication{Readers: 3})
	}
	c, ok := drawChart(pubs, testTime, time.UTC)
	if !ok || len(c.Marks) != chartMarks {
		t.Fatalf("%d marks", len(c.Marks))
	}
	last := chartWidth
	for _, m := range c.Marks {
		x, y50, y95 := parse(t, m.X), parse(t, m.Y50), parse(t, m.Y95)
		if x >= last || x < chartLeft || y50 < chartTop || y50 > chartBase || y95 < chartTop || y95 > chartBase {
			t.Errorf("a mark at %v, %v..%v", x, y50, y95)
		}
		last = x
	}
	if !c.Marks[20].Waiting || c.Marks[1].Waiting {
		t.Error("what waits is not told from what is confirmed")
	}
	small, _ := drawChart(pubs[2:4], testTime, time.UTC)
	if got := small.Lines[len(small.Lines)-1].Label; got != "1 s" {
		t.Errorf("the scale of small values ends at %s", got)
	}
	if parse(t, small.Marks[0].Y50) <= parse(t, small.Marks[1].Y50) {
		t.Error("10 ms is not above 1 ms")
	}
}

func TestNoticesAreBoundedAndOrdered(t *testing.T) {
	t.Parallel()
	f := &frame{zone: time.UTC, node: populated().node}
	for range 100 {
		f.node.Warnings = append(f.node.Warnings, "another")
	}
	f.node.Alliance.Expires = testTime
	f.Trouble = "no answer"
	got := f.Notices()
	if len(got) > maxNotices+4 {
		t.Errorf("%d notices", len(got))
	}
	if got[0].Kind != "bad" || !strings.Contains(got[0].Text, "no answer") {
		t.Errorf("first comes %q", got[0].Text)
	}
	if got[1].Kind != "bad" || !strings.Contains(got[1].Text, "expired") {
		t.Errorf("second comes %q", got[1].Text)
	}
	if last := got[len(got)-1]; !strings.Contains(last.Text, "89 more warnings") {
		t.Errorf("last comes %q", last.Text)
	}
	f.node.Alliance.Members = f.node.Alliance.Members[:2]
	f.node.Warnings, f.Trouble, f.node.Alliance.Expires = nil, "", time.Time{}
	if got := f.Notices(); len(got) != 1 || got[0].Kind != "ok" {
		t.Errorf("when all is well: %+v", got)
	}
}

func TestMemberLagNeverUnderflows(t *testing.T) {
	t.Parallel()
	f := &frame{zone: time.UTC, node: status.Node{Now: testTime, Log: status.Log{Size: 5}}}
	row := f.memberRow(status.Member{ID: "x", State: "live", Head: 10, Size: 20, Applied: 30, TheirApplied: 40, LastSeen: testTime.Add(time.Hour)})
	if row.Late || row.Trailing || row.Lag != "none" || row.Theirs != "all" || row.Ago != "now" {
		t.Errorf("a member ahead of what we know: %+v", row)
	}
}
