package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"
)

// Drill runs an exercise: many members on one machine, an attack replayed, figures.
type Drill interface {
	Drill(ctx context.Context, o DrillOptions) (DrillResult, error)
}

// DrillOptions is what the command line says about an exercise.
type DrillOptions struct {
	// Members is how many; 0 leaves it to the scenario.
	Members int
	// Scenario names one that ships in the binary; empty is the one that Rules and Replay make or, without
	// them, the default.
	Scenario string
	// Rules are folders or files of Sigma rules that member 1 shares, Replay recordings to attack with.
	Rules, Replay []string
	// Rate is how many publications a second.
	Rate float64
	// Talk says how it goes on.
	Talk func(text string)
}

// DrillResult is the exercise's figures (DESIGN.md, "The command line").
type DrillResult struct {
	Members      int `json:"members"`
	Publications int `json:"publications"`
	// Pairs are the (publication, entitled member) pairs that the times are over: those of members that were up.
	Pairs         int64         `json:"pairs"`
	TimeToProtect TimeToProtect `json:"time_to_protect_ms"`
	// CatchUp is the member that was away: its pairs, and how long it took for all of them after its return.
	CatchUp     CatchUp `json:"catch_up"`
	Detections  int64   `json:"detections"`
	Sightings   int64   `json:"sightings"`
	BytesOnWire int64   `json:"bytes_on_wire"`
	// Lost are pairs not applied at the end; AmberLeaks AMBER entries that somebody read who may not.
	Lost       int64 `json:"lost"`
	AmberLeaks int64 `json:"amber_leaks"`
	Restored   int64 `json:"restored"`
	// AmberMirrored are AMBER entries that partners mirror and cannot read.
	AmberMirrored int64   `json:"amber_mirrored"`
	Seconds       float64 `json:"seconds"`
}

// TimeToProtect is in milliseconds.
type TimeToProtect struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// CatchUp is how a member that was away came back.
type CatchUp struct {
	Pairs        int64   `json:"pairs"`
	Milliseconds float64 `json:"ms"`
}

// maxDrillMembers is the design's largest alliance on one machine, and some room.
const maxDrillMembers = 100

func newDrill() *command {
	o := DrillOptions{}
	return &command{
		name:  "drill",
		short: "an exercise: real nodes on this machine, an attack replayed, figures",
		long: `Runs N real nodes in one process over real TLS on loopback, in the groups "states" and "partners". Member 1
shares the given Sigma rules, each as an entry of its own, every fourth AMBER to the states and the others GREEN;
the recordings are replayed at a state and at a partner, sightings come back, one member goes away and catches up.
Without --rules and --replay it plays a small scenario of its own. It needs no data folder and leaves none.

--json ends with one line of figures. Lost are publications that an entitled member did not act on at the end;
AMBER leaks are entries that somebody could read who may not. Both must be 0.`,
		exits: "0 nothing lost, nothing leaked\n1 something was\n2 usage, or it could not run",
		define: func(f *pflag.FlagSet) {
			f.IntVar(&o.Members, "members", 0, "how many members, `N` from 3 to 100 (default: the scenario's)")
			f.StringVar(&o.Scenario, "scenario", "", "a scenario that ships in the binary: `NAME` is wiper")
			f.StringArrayVar(&o.Rules, "rules", nil, "`DIR` of Sigma rules to share (may be repeated)")
			f.StringArrayVar(&o.Replay, "replay", nil, "`PATH` of a recording to replay (may be repeated)")
			f.Float64Var(&o.Rate, "rate", 100, "publications a second")
		},
		run: func(ctx context.Context, p *program, args []string) error { return runDrill(ctx, p, o) },
	}
}

func runDrill(ctx context.Context, p *program, o DrillOptions) error {
	switch {
	case o.Members != 0 && (o.Members < 3 || o.Members > maxDrillMembers):
		return usagef("--members must be from 3 to %d", maxDrillMembers)
	case !(o.Rate > 0 && o.Rate <= 1e6):
		return usagef("--rate must be more than nothing and at most a million")
	case o.Scenario != "" && o.Scenario != "wiper":
		return usagef("--scenario: there is no scenario %q; known: wiper", o.Scenario)
	case o.Scenario != "" && len(o.Rules)+len(o.Replay) > 0:
		return usagef("--scenario brings its own rules and recording; leave out --rules and --replay")
	case (len(o.Rules) == 0) != (len(o.Replay) == 0):
		return usagef("--rules and --replay belong together")
	}
	o.Talk = func(text string) { p.talk("%s", text) }
	r, err := p.drill.Drill(ctx, o)
	if err != nil {
		return err
	}
	if p.json {
		err = p.printJSON(r)
	} else {
		err = p.showDrill(r)
	}
	if err == nil && (r.Lost > 0 || r.AmberLeaks > 0) {
		return &exit{exitFindings, fmt.Sprintf("the drill failed: %d lost, %d AMBER leaks", r.Lost, r.AmberLeaks)}
	}
	return err
}

func (p *program) showDrill(r DrillResult) error {
	t := r.TimeToProtect
	return errors.Join(
		p.printf("members          %d\npublications     %d, %d (publication, member) pairs\n", r.Members, r.Publications, r.Pairs),
		p.printf("time to protect  p50 %s, p95 %s, p99 %s, max %s\n", milliseconds(t.P50), milliseconds(t.P95), milliseconds(t.P99), milliseconds(t.Max)),
		p.printf("catch-up         %d pairs in %s after the return\n", r.CatchUp.Pairs, milliseconds(r.CatchUp.Milliseconds)),
		p.printf("detections       %d\nsightings back   %d\nbytes on wire    %d\n", r.Detections, r.Sightings, r.BytesOnWire),
		p.printf("lost             %d\nAMBER leaks      %d, with %d AMBER entries mirrored unread\nseconds          %.1f\n", r.Lost, r.AmberLeaks, r.AmberMirrored, r.Seconds),
	)
}
