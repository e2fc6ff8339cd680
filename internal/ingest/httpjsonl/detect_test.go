package httpjsonl

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"shieldwall/internal/detect"
	"shieldwall/internal/match"
	"shieldwall/internal/sigma"
	"shieldwall/internal/status"
)

const rule = `title: Shadow Copies Deleted
id: c947b146-0abc-4c87-9c64-b17e9d7274a2
author: A. Writer
logsource: {product: linux, category: process_creation}
detection:
    selection:
        CommandLine|contains: 'delete shadows'
    condition: selection
`

// TestDetection posts to a real detector: what was acknowledged is in its journal.
func TestDetection(t *testing.T) {
	found, err := sigma.Parse([]byte(rule), sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	nothing := func(context.Context, func(detect.Tx) error) error { return nil } // local rules need no store
	dir, log := t.TempDir(), slog.New(slog.NewTextHandler(io.Discard, nil))
	d, err := detect.New(detect.Options{
		Self: "alpha", Dir: dir, Retention: detect.Retention{MaxAge: time.Hour, MaxSize: 1 << 20}, Engine: match.New(time.Now),
		Update: nothing, View: nothing, Sightings: detect.Sightings{Tick: time.Hour}, Now: time.Now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	d.SetLocalRules([]detect.LocalRule{{Path: "a.yml", Rule: found.Rules[0]}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	h := New(Options{Sink: d, Tokens: tokens{}, Log: log, Busy: func(err error) bool { return errors.Is(err, detect.ErrBusy) }})
	body := []byte("{\"CommandLine\":\"ls\"}\n{\"CommandLine\":\"vssadmin delete shadows\"}\n")
	resp, a := post(h, "?product=linux&category=process_creation", "zstd", zipped(t, "zstd", body))
	if resp.StatusCode != http.StatusOK || a.Accepted != 2 {
		t.Fatalf("status %d: %+v", resp.StatusCode, a)
	}
	var got []status.Detection
	if err := detect.ReadJournal(t.Context(), dir, time.Time{}, func(x status.Detection) error { got = append(got, x); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Source != "ingest:sensor-1" || got[0].Record != "2" || got[0].Author != "A. Writer" {
		t.Errorf("journal: %+v", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if resp, a := post(h, "", "", body); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("after the end: status %d, %+v", resp.StatusCode, a)
	}
}
