// Package report writes the detections of a scan in the forms that people and other tools read: JSON lines, a
// timeline in the columns of Hayabusa, one that Timesketch imports, and one page that opens anywhere.
//
// Recordings are hostile, and so is what they say: every text in a table or on the page has its control
// characters, and those that hide or reorder text, spelled out. JSON lines alone carry values as they are.
package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"shieldwall/internal/status"
)

// The formats.
const (
	JSONL      = "jsonl"
	CSV        = "csv"
	Timesketch = "timesketch"
	HTML       = "html"
)

// Formats are all formats.
var Formats = []string{JSONL, CSV, Timesketch, HTML}

// outBuffer is the buffer before what is written to.
const outBuffer = 64 << 10

// Writer takes the detections of one scan, and what could not be read meanwhile. Its methods are called one at a
// time.
type Writer interface {
	// Detection takes one detection; it keeps none of its memory but texts.
	Detection(*status.Detection) error
	// Problem is told what could not be read of a file.
	Problem(source string, err error)
	// Close writes what has not been written. What w is, and is closed with, is the caller's.
	Close(Summary) error
}

// Scratch is a file for what does not fit into memory: what is written to it, at its end, is read again. Who made
// it takes it away.
type Scratch interface {
	io.Writer
	io.ReaderAt
}

// Options are what a format may need.
type Options struct {
	// Scratch makes a temporary file. It is asked once at most, when a timeline outgrows memory; nil makes that an
	// error.
	Scratch func() (Scratch, error)
}

// Summary is what a scan came to. Formats that only list detections leave it out.
type Summary struct {
	Made                                 time.Time // when the scan ended
	RulesLoaded, RulesRejected           int
	IndicatorsLoaded, IndicatorsRejected int
	Files, Skipped                       int64 // with telemetry; without
	Events, LeftOut, Bytes               int64
	First, Last                          time.Time // of the events
	Errors                               int64
	Seconds                              float64
}

// New makes a writer of a format.
func New(format string, w io.Writer, opt Options) (Writer, error) {
	out := bufio.NewWriterSize(w, outBuffer)
	switch format {
	case JSONL:
		return newLines(out), nil
	case CSV:
		return newTable(out, csvTable, opt.Scratch), nil
	case Timesketch:
		return newTable(out, timesketchTable, opt.Scratch), nil
	case HTML:
		return newPage(out), nil
	}
	return nil, fmt.Errorf("there is no format %q; known: %s", format, strings.Join(Formats, ", "))
}

// lines writes one JSON object a detection, in the order in which they come.
type lines struct {
	out *bufio.Writer
	enc *json.Encoder
}

func newLines(out *bufio.Writer) *lines {
	l := &lines{out, json.NewEncoder(out)}
	l.enc.SetEscapeHTML(false)
	return l
}

func (l *lines) Detection(d *status.Detection) error { return l.enc.Encode(d) }
func (l *lines) Problem(string, error)               {}
func (l *lines) Close(Summary) error                 { return l.out.Flush() }

// levels are the levels of rules, falling (Sigma specification, "Level"); the last one is of what has none, such
// as an indicator.
var levels = [...]level{
	{"critical", "crit"}, {"high", "high"}, {"medium", "med"}, {"low", "low"}, {"informational", "info"}, {"unrated", ""},
}

// level is a level's word and its abbreviation in a timeline.
type level struct{ word, short string }

const unrated = len(levels) - 1

// rankOf is a level's place in levels.
func rankOf(word string) int {
	i := slices.IndexFunc(levels[:unrated], func(l level) bool { return strings.EqualFold(l.word, word) })
	if i < 0 {
		return unrated
	}
	return i
}

// counts are detections by level.
type counts [len(levels)]int64

func (c *counts) sum() (n int64) {
	for _, of := range c {
		n += of
	}
	return n
}

func (c *counts) add(o *counts) {
	for i, n := range o {
		c[i] += n
	}
}
