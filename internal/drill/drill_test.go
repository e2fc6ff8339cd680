package drill

import (
	"context"
	"io"
	"log/slog"
	"os"
	"testing"

	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/event"
)

// replayed reads JSON lines; the command line reads whatever scan reads.
func replayed(ctx context.Context, paths []string, yield func(*event.Event) error) error {
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		r := jsonl.New(f, jsonl.Options{})
		for {
			ev, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			if err := yield(ev); err != nil {
				return err
			}
		}
	}
	return nil
}

func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func TestScenario(t *testing.T) {
	f, err := Run(t.Context(), Options{Replayed: replayed, Log: testLog(t), Talk: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", f)
	switch {
	case f.Lost != 0 || f.Leaks != 0:
		t.Errorf("%d lost, %d leaks", f.Lost, f.Leaks)
	case f.Publications != 8 || f.Mirrored != 2:
		t.Errorf("%d publications, %d AMBER mirrored", f.Publications, f.Mirrored)
	case f.Detections == 0 || f.Sightings < f.Detections:
		t.Errorf("%d detections, %d sightings", f.Detections, f.Sightings)
	case f.CatchUpPairs == 0 || f.Pairs == 0 || f.Wire == 0:
		t.Errorf("nothing was measured: %+v", f)
	}
}
