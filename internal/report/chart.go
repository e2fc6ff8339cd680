package report

import (
	"strings"
	"time"
)

// chart is severity over time: a stacked bar a bucket, the highest level at the foot, where lengths are easiest to
// compare.
type chart struct {
	Box                string
	Left, Right, Base  string
	Bars               []chartBar
	Lines              []chartLine
	Ticks              []chartTick
	Title, Description string
	Width              string   // of a bar, in words
	Beside             []string // what is not drawn
}

// chartBar is one bucket's bar.
type chartBar struct {
	Parts []chartPart
	Title string
}

type chartPart struct{ Class, X, Y, Width, Height string }

// chartLine is a line of the grid with its number of detections.
type chartLine struct{ Y, Label string }

// chartTick is a moment on the axis.
type chartTick struct{ X, Date, Clock, Anchor string }

const (
	chartWidth  = 1200.0
	chartHeight = 208.0
	chartLeft   = 58.0
	chartRight  = chartWidth - 8
	chartTop    = 12.0
	chartBase   = chartHeight - chartFoot
	// chartFoot is below the axis: two lines of text, or one for dates alone.
	chartFoot, chartOneLine = 40.0, 16.0
	// chartLeast is the height of what is not nothing: one critical detection beside a thousand low ones is seen.
	chartLeast = 2.5
	// chartTicks are the moments on the axis, at most.
	chartTicks = 6
)

// drawChart draws; nil where nothing has a time.
func drawChart(b *bars, untimed int64) *chart {
	if b == nil {
		return nil
	}
	most, all := int64(0), counts{}
	for i := range b.n {
		most = max(most, b.n[i].sum())
		all.add(&b.n[i])
	}
	top := ceiling(most)
	c := &chart{
		Box: box(chartHeight), Left: num(chartLeft), Right: num(chartRight), Base: num(chartBase),
		Title: "Detections over time, by level", Width: spanWord(b.width),
	}
	for _, at := range []int64{top / 2, top} {
		if at*2 == top || at == top {
			c.Lines = append(c.Lines, chartLine{num(chartBase - (chartBase-chartTop)*float64(at)/float64(top)), count(at)})
		}
	}
	step := (chartRight - chartLeft) / float64(len(b.n))
	for i := range b.n {
		if b.n[i].sum() > 0 {
			c.Bars = append(c.Bars, drawBar(&b.n[i], chartLeft+step*float64(i), step, top, b.first+int64(i)*b.width, b.width))
		}
	}
	c.tick(b, step)
	if b.width >= day {
		c.Box = box(chartHeight - chartOneLine)
	}
	from, to := moment(b.first, b.width), moment(b.first+int64(len(b.n))*b.width, b.width)
	c.Description = count(all.sum()) + " detections from " + from + " to " + to + " UTC, a bar for each " + c.Width + ": " + levelWords(&all) + ". The tallest bar has " + count(most) + "."
	c.Beside = beside(b, untimed)
	return c
}

func box(height float64) string { return "0 0 " + num(chartWidth) + " " + num(height) }

// drawBar stacks one bucket's levels.
func drawBar(n *counts, x, step float64, top, at, width int64) chartBar {
	bar := chartBar{Title: moment(at, width) + " UTC: " + levelWords(n)}
	wide := min(max(step-1, step*0.8), 48)
	y := chartBase
	for rank, of := range n {
		if of == 0 {
			continue
		}
		height := max((chartBase-chartTop)*float64(of)/float64(top), chartLeast)
		y -= height
		bar.Parts = append(bar.Parts, chartPart{levels[rank].word, num(x + (step-wide)/2), num(y), num(wide), num(height)})
	}
	return bar
}

// tick writes moments under bars.
func (c *chart) tick(b *bars, step float64) {
	every := max((len(b.n)+chartTicks-1)/chartTicks, 1)
	date := ""
	for i := 0; i < len(b.n); i += every {
		at := chartTick{X: num(chartLeft + step*(float64(i)+0.5)), Anchor: "middle"}
		var clock string
		at.Date, clock, _ = strings.Cut(moment(b.first+int64(i)*b.width, b.width), " ")
		at.Clock = clock
		if i == 0 && step < chartLeft { // the text would stand across the axis
			at.Anchor = "start"
			at.X = num(chartLeft)
		}
		if at.Date == date && clock != "" {
			at.Date = "" // said under an earlier bar
		} else {
			date = at.Date
		}
		c.Ticks = append(c.Ticks, at)
	}
}

// beside says what is not drawn.
func beside(b *bars, untimed int64) (said []string) {
	if b.before.n > 0 {
		said = append(said, count(b.before.n)+" earlier, the first of "+dayOf(b.before.at))
	}
	if b.after.n > 0 {
		said = append(said, count(b.after.n)+" later, the last of "+dayOf(b.after.at))
	}
	if untimed > 0 {
		said = append(said, count(untimed)+" without a time")
	}
	return said
}

func dayOf(at int64) string { return time.Unix(at, 0).UTC().Format(time.DateOnly) }
