package drill

import (
	"context"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
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

func TestRefusedWithoutAmberOrPartner(t *testing.T) {
	if _, err := Run(t.Context(), Options{Members: 2}); err == nil || !strings.Contains(err.Error(), "partner") {
		t.Errorf("two members: %v", err)
	}
	rules, err := filepath.Glob("scenario/rules/[a-c]*.yml")
	if err != nil || len(rules) != 2 {
		t.Fatalf("%v, %v", rules, err)
	}
	if _, err := loadRules(rules); err == nil || !strings.Contains(err.Error(), "AMBER") {
		t.Errorf("two rules: %v", err)
	}
}

// TestChecksCanFail shows that a loss and a leak would be seen: an object that a member does not hold, a
// watermark that does not reach, a byte of an AMBER rule in a partner's folder.
func TestChecksCanFail(t *testing.T) {
	a, err := found(t.Context(), t.TempDir(), Options{Members: 3, Log: testLog(t), Talk: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.stop(); err != nil {
			t.Error(err)
		}
	})
	rules, err := loadRules([]string{"scenario/rules"})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.publishAll(t.Context(), rules, 1000); err != nil {
		t.Fatal(err)
	}
	if err := a.until(t.Context(), "all act", a.allApplied); err != nil {
		t.Fatal(err)
	}
	if lost, err := a.lostAt(t.Context(), 1, math.MaxUint64); lost != 0 || err != nil {
		t.Fatalf("%d lost, %v", lost, err)
	}
	if lost, _ := a.lostAt(t.Context(), 1, 0); lost != int64(len(rules)) {
		t.Errorf("a watermark of 0 loses %d", lost)
	}
	a.published = append(a.published, publication{object: "indicator--00000000-0000-4000-8000-000000000000"})
	if lost, _ := a.lostAt(t.Context(), 2, math.MaxUint64); lost != 1 {
		t.Errorf("an object that nobody holds loses %d", lost)
	}
	a.published = a.published[:len(rules)]
	var f Figures
	if err := a.leaks(t.Context(), &f); err != nil || f.Leaks != 0 || f.Mirrored != 2 {
		t.Fatalf("%+v, %v", f, err)
	}
	for _, p := range a.published {
		if p.rule.amber {
			if err := os.WriteFile(filepath.Join(a.cfgs[2].Data, "stray"), []byte("x"+p.object+"y"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := a.leaks(t.Context(), &f); err != nil || f.Leaks == 0 {
		t.Errorf("a leaked id is not seen: %+v, %v", f, err)
	}
}
