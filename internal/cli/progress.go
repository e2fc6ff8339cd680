package cli

import (
	"fmt"
	"io"
	"time"

	"shieldwall/internal/scan"
)

// barEvery is how often the progress line is drawn.
const barEvery = 200 * time.Millisecond

// bar is a progress line. It is drawn only where somebody looks: stderr is a terminal and stdout, which it
// would mix with, is not. The zero bar draws nothing.
type bar struct {
	w       io.Writer // nil: draw nothing
	now     func() time.Time
	started time.Time
	drawn   time.Time
}

func newBar(p *program) *bar {
	if isTerminal(p.stdout) {
		return &bar{}
	}
	return newLoneBar(p)
}

// newLoneBar is newBar for a command that writes to stdout only once the bar is gone.
func newLoneBar(p *program) *bar {
	if !isTerminal(p.stderr) {
		return &bar{}
	}
	return &bar{w: p.stderr, now: p.now, started: p.now()}
}

// update draws how far a scan is, not too often.
func (b *bar) update(at scan.Progress) {
	if b.w == nil {
		return
	}
	now := b.now()
	if now.Sub(b.drawn) < barEvery {
		return
	}
	b.drawn = now
	fmt.Fprint(b.w, "\r\x1b[K"+barText(at, now.Sub(b.started)))
}

// barText is the line: what was read, at which rate, and how long it will still take. Archives unpack to
// more than the total, so the estimate ends where it has become meaningless.
func barText(at scan.Progress, took time.Duration) string {
	seconds := max(took.Seconds(), 1e-3)
	rate := float64(at.Bytes) / seconds
	text := fmt.Sprintf("%d files  %d events  %d detections  %s  %s/s", at.Files, at.Events, at.Detections, bytesOf(float64(at.Bytes)), bytesOf(rate))
	if at.Bytes > 0 && at.Total > at.Bytes {
		left := time.Duration(float64(at.Total-at.Bytes) / rate * float64(time.Second))
		text += fmt.Sprintf("  %d%%  ETA %s", at.Bytes*100/at.Total, left.Round(time.Second))
	}
	return text
}

// clear takes the line away.
func (b *bar) clear() {
	if b.w != nil && !b.drawn.IsZero() {
		fmt.Fprint(b.w, "\r\x1b[K")
		b.drawn = time.Time{}
	}
}

// bytesOf shows a number of bytes as people read it.
func bytesOf(n float64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", n/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", n/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", n/1e3)
	}
	return fmt.Sprintf("%.0f B", n)
}
