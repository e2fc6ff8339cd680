package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// row is one engine on one lane.
type row struct {
	lane, engine        string
	events, hits        int
	least, rate, most   float64 // events/s
	cpuRate             float64 // events in a second of processor time
	faster, fasterByCPU float64 // so many times as fast is ours; 0: it is ours
}

// rows are those of a lane; taken are the timings by engine, ours first.
func (c *comparison) rows(lane string, taken [][]timing) []row {
	var out []row
	for i, runs := range taken {
		rates, cpuRates := sorted(runs, timing.rate), sorted(runs, timing.cpuRate)
		r := row{lane: lane, engine: c.engines[i].name, events: runs[0].Events, hits: runs[0].Hits,
			least: rates[0], rate: median(rates), most: rates[len(rates)-1], cpuRate: median(cpuRates)}
		if i > 0 {
			r.faster, r.fasterByCPU = out[0].rate/r.rate, out[0].cpuRate/r.cpuRate
		}
		out = append(out, r)
	}
	return out
}

func sorted(runs []timing, of func(timing) float64) []float64 {
	var out []float64
	for _, t := range runs {
		out = append(out, of(t))
	}
	slices.Sort(out)
	return out
}

// median of sorted values.
func median(values []float64) float64 {
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

func table(out io.Writer, rows []row) error {
	var b strings.Builder
	b.WriteString("| lane | events | engine | detections | events/s, median (range) | by processor time | Shieldwall is faster by |\n")
	b.WriteString("|---|--:|---|--:|--:|--:|--:|\n")
	for _, r := range rows {
		faster := ""
		if r.faster > 0 {
			faster = fmt.Sprintf("%.1f x (%.1f x by processor time)", r.faster, r.fasterByCPU)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s (%s .. %s) | %s | %s |\n", r.lane, grouped(float64(r.events)), r.engine, grouped(float64(r.hits)),
			grouped(r.rate), grouped(r.least), grouped(r.most), grouped(r.cpuRate), faster)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// grouped writes a number with commas.
func grouped(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
