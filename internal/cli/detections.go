package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"shieldwall/internal/config"
	"shieldwall/internal/control"
	"shieldwall/internal/status"
)

type detectionsOptions struct {
	follow bool
	since  string
}

func newDetections() *command {
	var o detectionsOptions
	return &command{
		name:  "detections",
		short: "what the node's rules and indicators matched",
		long: `Shows the detections that the node keeps, oldest first; --json writes one object a line with the fields of
scan. --follow waits for new ones (with --since after the kept ones, else only new ones) and wants a node that runs.`,
		exits: "0 shown, whether there were any or not\n2 usage, or could not run",
		define: func(f *pflag.FlagSet) {
			f.BoolVarP(&o.follow, "follow", "f", false, "go on with new ones as they happen")
			f.StringVar(&o.since, "since", "", "only those seen since `TIME`: 15m, 24h, 7d ago, or a time such as 2026-02-03T04:05:06Z")
		},
		run: func(ctx context.Context, p *program, _ []string) error { return runDetections(ctx, p, o) },
	}
}

func runDetections(ctx context.Context, p *program, o detectionsOptions) error {
	since, err := parseSince(o.since, p.now())
	if err != nil {
		return err
	}
	q := control.DetectionQuery{Past: !o.follow || o.since != "", Since: since, Follow: o.follow}
	err = p.withNode(ctx, nil, func(s *session) error {
		if o.follow && !s.running {
			return errors.New("no node runs here, so there is nothing to follow; shieldwall up runs one")
		}
		return s.Detections(ctx, q, p.showDetection)
	})
	if o.follow && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // the way to stop following
	}
	return err
}

// parseSince reads a time, or a span before now.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	var ago config.Duration
	if err := ago.UnmarshalText([]byte(text)); err == nil {
		return now.Add(-ago.Std()), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("--since: %q is neither a span such as 24h nor a time such as 2026-02-03T04:05:06Z", text)
}

func (p *program) showDetection(d status.Detection) error {
	if p.json {
		return p.printJSON(d)
	}
	at := d.Time
	if at.IsZero() {
		at = d.Seen
	}
	from := "local rule"
	if d.Publisher != "" {
		from = "from " + d.Publisher
	}
	if d.Author != "" {
		from += ", by " + d.Author
	}
	level := fmt.Sprintf("%-13s", orDash(d.Level))
	if p.colour() {
		level = levelColour(d.Level) + printable(level) + "\x1b[0m"
	} else {
		level = printable(level)
	}
	where := strings.Join([]string{orDash(d.Computer), orDash(d.Channel), orDash(d.EventID)}, "  ")
	return p.print(when(at) + "  " + level + "  " + printable(d.Title) + "  [" + printable(where) + "]  " + printable(d.RuleID) + " (" + printable(from) + ")\n")
}

// levelColour stands beside the level's word, never instead of it.
func levelColour(level string) string {
	switch level {
	case "critical":
		return "\x1b[1;31m"
	case "high":
		return "\x1b[31m"
	case "medium":
		return "\x1b[33m"
	}
	return "\x1b[2m"
}
