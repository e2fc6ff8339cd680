package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"shieldwall/internal/decode/jsonl"
	"shieldwall/internal/match"
	"shieldwall/interop/rsigma"
)

// timing is what a run prints; rsigma's program prints the same.
type timing struct {
	Rules   int     `json:"rules"`
	Events  int     `json:"events"` // of one pass
	Hits    int     `json:"hits"`
	Passes  int     `json:"passes"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds"`
}

func (t timing) rate() float64    { return float64(t.Events*t.Passes) / t.Seconds }
func (t timing) cpuRate() float64 { return float64(t.Events*t.Passes) / t.CPU }

// engine times ours: a pass over the lane to warm up, then passes for so many seconds.
func engine(in rsigma.Inputs, lane string, seconds float64) error {
	rules, err := rsigma.Load(in.Rules, nil)
	if err != nil {
		return err
	}
	e, err := rsigma.Engine(rules)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(lane)
	if err != nil {
		return err
	}
	var t timing
	t.Rules, _ = e.Len()
	if t.Events, t.Hits, err = pass(e, data); err != nil {
		return err
	}
	start, cpu := time.Now(), cpuSeconds()
	for t.Passes == 0 || t.Seconds < seconds {
		events, hits, err := pass(e, data)
		if err != nil || events != t.Events || hits != t.Hits {
			return fmt.Errorf("%d events and %d detections, then %d and %d: %v", t.Events, t.Hits, events, hits, err)
		}
		t.Passes++
		t.Seconds = time.Since(start).Seconds()
	}
	t.CPU = cpuSeconds() - cpu
	return json.NewEncoder(os.Stdout).Encode(t)
}

func pass(e *match.Engine, data []byte) (events, hits int, err error) {
	in := jsonl.New(bytes.NewReader(data), jsonl.Options{Names: e.Names(), Sparse: true, Borrow: true})
	for {
		ev, err := in.Next()
		if err == io.EOF {
			return events, hits, nil
		}
		if err != nil {
			return events, hits, err
		}
		events++
		e.Match(ev, func(match.Hit) { hits++ })
	}
}

// cpuSeconds is what this process had of the processors, garbage collection included.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
