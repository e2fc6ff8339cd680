package cli

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/report"
	"shieldwall/internal/scan"
)

// However a stream is cut, what comes out is escaped as a whole.
func TestSafeWriter(t *testing.T) {
	text := []byte(`{"a":"ż` + "\u009b" + `2J` + "\u202e\x7f" + `漢"}` + "\n" + `{"b":"` + "\u2028" + `"}` + "\n")
	want := `{"a":"ż\u009b2J\u202e\u007f漢"}` + "\n" + `{"b":"\u2028"}` + "\n"
	for size := 1; size <= len(text); size++ {
		var out bytes.Buffer
		w := &safeWriter{w: &out}
		for at := 0; at < len(text); at += size {
			piece := text[at:min(at+size, len(text))]
			if n, err := w.Write(piece); n != len(piece) || err != nil {
				t.Fatalf("Write gave %d, %v", n, err)
			}
		}
		if out.String() != want {
			t.Fatalf("in pieces of %d: %q, want %q", size, &out, want)
		}
	}
	if _, err := (&safeWriter{w: brokenWriter{}}).Write([]byte("x")); err == nil {
		t.Error("a lost write was no error")
	}
}

func TestBarText(t *testing.T) {
	at := scan.Progress{Files: 3, Events: 500, Detections: 2, Bytes: 25e6, Total: 100e6}
	if got, want := barText(at, 5*time.Second), "3 files  500 events  2 detections  25.0 MB  5.0 MB/s  25%  ETA 15s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, odd := range []scan.Progress{{}, {Bytes: 5, Total: 1}, {Total: 10}} {
		if got := barText(odd, 0); strings.Contains(got, "ETA") {
			t.Errorf("%+v has an estimate: %q", odd, got)
		}
	}
}

func TestBarIsDrawnSeldomAndCleared(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	b := &bar{w: &out, now: func() time.Time { return now }, started: now}
	b.clear()
	if out.Len() > 0 {
		t.Error("a line that was not drawn was cleared")
	}
	for range 10 {
		now = now.Add(barEvery / 2)
		b.update(scan.Progress{})
	}
	if n := strings.Count(out.String(), "\r"); n != 5 {
		t.Errorf("drawn %d times in five intervals", n)
	}
	b.clear()
	if !strings.HasSuffix(out.String(), "\r\x1b[K") {
		t.Errorf("not cleared: %q", &out)
	}
	newBar(&program{stderr: &out, stdout: &out}).update(scan.Progress{})
}

func TestProblemsAreListedUpToALimit(t *testing.T) {
	var out bytes.Buffer
	rep, err := report.New(report.JSONL, io.Discard, report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	talk := &scanTalk{p: &program{stderr: &out}, bar: &bar{}, report: rep}
	for range maxProblemLines + 50 {
		talk.problem(scan.Problem{Source: "a\x1b", Err: errors.New("broken")})
	}
	if n := strings.Count(out.String(), "broken"); n != maxProblemLines || !strings.Contains(out.String(), "counted, not listed") || strings.Contains(out.String(), "\x1b") {
		t.Errorf("%d lines: %q", n, out.String()[:200])
	}
	out.Reset()
	for range maxNamed + 5 {
		talk.rejected(scan.Rejected{File: "l.txt", Line: 3, Detail: "no\x1bthing"})
		talk.skip(scan.Skipped{Source: "a\x1b"})
	}
	if n := strings.Count(out.String(), "shieldwall: l.txt: line 3: no"); n != maxNamed || strings.Contains(out.String(), "\x1b") {
		t.Errorf("%d lines: %q", n, &out)
	}
	out.Reset()
	talk.summary(scan.Stats{Skipped: maxNamed + 5})
	if n := strings.Count(out.String(), ": no telemetry\n"); n != maxNamed || !strings.Contains(out.String(), "skipped: 5 further files\n") || strings.Contains(out.String(), "\x1b") {
		t.Errorf("%d lines: %q", n, &out)
	}
	out.Reset()
	talk.skipped = []scan.Skipped{{Source: "l", Link: true}}
	talk.summary(scan.Stats{Skipped: 1, RulesRejected: 2, RulesLeftOut: 1, IndicatorsRejected: 3, Events: 1, Files: 1, Bytes: 5e9, Seconds: 2})
	if want := "2 rules did not load; shieldwall rules check lists them\n3 indicators did not load\n1 rule left out by --level and --tags\nskipped: l: a link, not followed\n0 detections in 1 event from 1 file, 1 skipped, 0 problems; 2.0 s, 2.5 GB/s\n"; out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}
