package web

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// mesh is the alliance drawn from here: this node in the middle, every other member around it, a line to
// each. Lines between others are not drawn, for this node does not see them.
type mesh struct {
	Width, Height string
	Box           string // viewBox
	Summary       string // what the drawing shows, for those who do not see it
	Self          meshNode
	Nodes         []meshNode
	Legend        []legendItem
	Dense         bool
}

// meshNode is one member in the drawing; numbers are spelled for SVG.
type meshNode struct {
	State      state
	Name       string
	Full       string // tooltip
	Note       string // second line: what is worth saying
	X, Y       string // of the shape
	Scale      string // of the shape
	LX, LY     string // of the label
	NY         string // of the note, where it stands below the label
	Rotate     string // the label's transform, empty if it is level
	Anchor     string
	X1, Y1     string // the line's ends
	X2, Y2     string
	Horizontal bool
}

type legendItem struct {
	State state
	Count string
}

// ring is the geometry of a number of members. Few members have level labels of two lines; many have
// labels that stand like the hands of a clock, which never collide.
type ring struct {
	radius, side, above float64 // side and above: room for labels
	label               int     // characters
	scale               float64
	level               bool
}

func ringFor(n int) ring {
	switch {
	case n <= 6:
		return ring{radius: 92, side: 190, above: 44, label: 24, scale: 1.15, level: true}
	case n <= 14:
		return ring{radius: 128, side: 170, above: 44, label: 20, scale: 1.1, level: true}
	case n <= 36:
		return ring{radius: 150, side: 130, above: 130, label: 18, scale: 0.95}
	}
	return ring{radius: 190, side: 134, above: 134, label: 16, scale: 0.8}
}

// drawMesh lays the members out: alphabetically, clockwise from the top.
func drawMesh(members []memberRow) mesh {
	var others []memberRow
	m := mesh{Self: meshNode{State: states["self"], Name: "this node"}}
	for _, row := range members {
		if row.Self {
			m.Self.Name, m.Self.Full = clean(row.id, 26), clean(row.id, maxCell)
			continue
		}
		others = append(others, row)
	}
	r := ringFor(len(others))
	m.Dense = !r.level
	tall := r.radius
	if len(others) <= 2 {
		tall = 24 // nobody stands above or below
	}
	cx, cy := r.radius+r.side, tall+r.above
	m.Width, m.Height = num(2*cx), num(2*cy)
	m.Box = "0 0 " + m.Width + " " + m.Height
	m.Self.X, m.Self.Y, m.Self.Scale = num(cx), num(cy), "2"
	m.Self.LX, m.Self.LY = num(cx), num(cy+28)
	for i, row := range others {
		angle := 2*math.Pi*float64(i)/float64(len(others)) - math.Pi/2
		if len(others) <= 2 {
			angle += math.Pi / 2 // side by side reads better than above one another
		}
		m.Nodes = append(m.Nodes, r.place(row, cx, cy, angle))
	}
	m.Legend = legend(members)
	parts := make([]string, len(m.Legend))
	for i, l := range m.Legend {
		parts[i] = l.Count + " " + l.State.Word
	}
	m.Summary = "The alliance as this node sees it: " + strings.Join(parts, ", ") + ". The table of members says the same in words."
	return m
}

// place puts one member on the ring.
func (r ring) place(row memberRow, cx, cy, angle float64) meshNode {
	dx, dy := math.Cos(angle), math.Sin(angle)
	x, y := cx+r.radius*dx, cy+r.radius*dy
	n := meshNode{
		State: row.State, Name: clean(row.id, r.label), Scale: num(r.scale),
		Full: clean(row.id, maxCell) + ": " + row.State.Word, Note: row.note(),
		X: num(x), Y: num(y),
		X1: num(cx + 22*dx), Y1: num(cy + 22*dy), X2: num(x - 10*r.scale*dx), Y2: num(y - 10*r.scale*dy),
		Anchor: "start", Horizontal: r.level,
	}
	if row.Problem != "" {
		n.Full += " (" + row.Problem + ")"
	}
	if !r.level {
		r.turn(&n, cx, cy, angle)
		return n
	}
	gap := 13 * r.scale
	switch {
	case dx > 0.17:
		n.LX, n.LY = num(x+gap), num(y-1)
	case dx < -0.17:
		n.Anchor, n.LX, n.LY = "end", num(x-gap), num(y-1)
	case dy < 0:
		n.Anchor, n.LX, n.LY = "middle", num(x), num(y-gap-14)
	default:
		n.Anchor, n.LX, n.LY = "middle", num(x), num(y+gap+8)
	}
	ly, _ := strconv.ParseFloat(n.LY, 64)
	n.NY = num(ly + 14)
	return n
}

// turn makes the label stand outward, never upside down. Its note follows in the same line.
func (r ring) turn(n *meshNode, cx, cy, angle float64) {
	out := r.radius + 10*r.scale + 2
	lx, ly := cx+out*math.Cos(angle), cy+out*math.Sin(angle)
	degrees := angle * 180 / math.Pi
	if math.Cos(angle) < -1e-9 {
		n.Anchor = "end"
		degrees += 180
	}
	n.LX, n.LY = num(lx), num(ly)
	n.Rotate = "rotate(" + num(degrees) + " " + n.LX + " " + n.LY + ")"
	// What is live says nothing: exceptions speak.
	if n.State.Class == "live" {
		n.Note = ""
	} else {
		n.Note = n.State.Word
	}
	if room := r.label + 4 - utf8.RuneCountInString(n.Name); n.Note != "" && room < utf8.RuneCountInString(n.Note) {
		n.Name = clean(n.Name, max(r.label+4-utf8.RuneCountInString(n.Note), 4))
	}
}

// legend counts members by state, attention first; the own node stands at the end.
func legend(members []memberRow) []legendItem {
	counts := map[state]int{}
	var order []state
	for _, m := range members {
		if counts[m.State] == 0 {
			order = append(order, m.State)
		}
		counts[m.State]++
	}
	var items []legendItem
	for rank := 0; rank <= lastRank; rank++ {
		for _, s := range order {
			if s.rank == rank {
				items = append(items, legendItem{s, count(counts[s])})
			}
		}
	}
	return items
}

// num spells a coordinate: a tenth of a pixel is enough.
func num(f float64) string {
	s := strconv.FormatFloat(f, 'f', 1, 64)
	s = strings.TrimSuffix(s, ".0")
	if s == "-0" {
		return "0"
	}
	return s
}
