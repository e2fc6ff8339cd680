package web

import (
	"math"
	"time"

	"shieldwall/internal/status"
)

// chart shows time to protect of the newest publications, oldest left: a bar from p50 (dot) to p95 (tick)
// each, on a logarithmic scale, for what matters is milliseconds against seconds against minutes.
type chart struct {
	Box     string
	Left    string
	Right   string
	Marks   []chartMark
	Lines   []chartLine
	From    stamp
	To      stamp
	Base    string // y of the axis
	Summary string
}

type chartMark struct {
	X, Y50, Y95  string
	Tick1, Tick2 string // ends of the p95 tick
	Waiting      bool   // nobody confirmed it yet
	Title        string
}

type chartLine struct{ Y, Label string }

const (
	chartWidth  = 560.0
	chartHeight = 150.0
	chartLeft   = 52.0
	chartTop    = 12.0
	chartBase   = chartHeight - 22
	chartMarks  = 80
)

// drawChart draws the newest of pubs (newest first); ok is false where there is nothing to draw.
func drawChart(pubs []status.Publication, now time.Time, zone *time.Location) (c chart, ok bool) {
	var shown []status.Publication
	for _, p := range pubs {
		if p.Readers > 0 && len(shown) < chartMarks {
			shown = append(shown, p)
		}
	}
	if len(shown) == 0 {
		return chart{}, false
	}
	lowest, highest := decades(shown)
	y := func(ms float64) float64 {
		f := (math.Log10(min(max(finite(ms), math.Pow10(lowest)), math.Pow10(highest))) - float64(lowest)) / float64(highest-lowest)
		return chartBase - f*(chartBase-chartTop)
	}
	c = chart{Box: "0 0 " + num(chartWidth) + " " + num(chartHeight), Left: num(chartLeft), Right: num(chartWidth), Base: num(chartBase)}
	for d := lowest; d <= highest; d++ {
		c.Lines = append(c.Lines, chartLine{num(y(math.Pow10(d))), decadeName(d)})
	}
	step := min((chartWidth-chartLeft-16)/float64(len(shown)), 24)
	for i, p := range shown {
		x := chartWidth - 8 - step/2 - float64(i)*step
		c.Marks = append(c.Marks, chartMark{
			X: num(x), Tick1: num(x - 2.5), Tick2: num(x + 2.5), Y50: num(y(p.P50)), Y95: num(y(p.P95)),
			Waiting: p.Applied == 0, Title: publicationTitle(p),
		})
	}
	c.From, c.To = stampOf(shown[len(shown)-1].At, now, zone), stampOf(shown[0].At, now, zone)
	c.Summary = "Time to protect of the newest " + count(len(shown)) + " publications; the table of publications has the figures."
	return c, true
}

// decades are the powers of ten that hold all values, at least 1 ms to 1 s.
func decades(pubs []status.Publication) (lowest, highest int) {
	lowest, highest = 0, 3
	for _, p := range pubs {
		if p.Applied > 0 {
			highest = max(highest, int(math.Ceil(math.Log10(finite(p.P95)))))
		}
	}
	return lowest, min(highest, 9)
}

// finite keeps nonsense from the logarithm.
func finite(ms float64) float64 {
	if math.IsNaN(ms) || ms < 1 {
		return 1
	}
	return min(ms, 1e9)
}

func decadeName(d int) string {
	if d < 3 {
		return count(int(math.Pow10(d))) + " ms"
	}
	return count(int(math.Pow10(d-3))) + " s"
}

func publicationTitle(p status.Publication) string {
	s := "entry " + count(p.Index) + ", " + clean(p.What, maxCell) + ": "
	if p.Applied == 0 {
		return s + "not confirmed yet by any of " + count(p.Readers)
	}
	return s + "p50 " + millis(p.P50) + ", p95 " + millis(p.P95) + ", confirmed by " + count(p.Applied) + " of " + count(p.Readers)
}
