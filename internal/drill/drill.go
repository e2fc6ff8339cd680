// Package drill is an exercise: an alliance of real nodes in one process, over real TLS on loopback. One
// member shares rules, an attack is replayed at two others, sightings come back, one member goes away and
// catches up; the figures say how long protection took, what was lost and what leaked.
package drill

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"shieldwall/internal/control"
	"shieldwall/internal/event"
	"shieldwall/internal/sigma"
)

// minMembers are a publisher, a state and a partner.
const minMembers = 3

// The groups of the exercise.
const (
	states   = "states"
	partners = "partners"
)

// Options say what is exercised.
type Options struct {
	// Members is how many nodes run; 0 means 3, the least.
	Members int
	// Rules are folders or files of Sigma rules, Replay recordings; both empty means the scenario that
	// ships in the binary.
	Rules, Replay []string
	// Rate is how many rules are shared a second; 0 means 100.
	Rate float64
	// Talk says how it goes on.
	Talk func(text string)
	// Log receives what the nodes say; nil discards it.
	Log *slog.Logger
	// Replayed yields the events of recordings.
	Replayed func(ctx context.Context, paths []string, yield func(*event.Event) error) error
}

// Figures are what came of it. Times are milliseconds.
type Figures struct {
	Members      int
	Publications int
	Pairs        int64 // (publication, entitled member) pairs of members that were up: the times are over these
	P50, P95     float64
	P99, Max     float64
	CatchUpPairs int64   // pairs of the member that was away
	CatchUp      float64 // from its return until the last of them was applied
	Detections   int64
	Sightings    int64
	Wire         int64
	Lost         int64 // pairs not applied at the end
	Leaks        int64 // AMBER entries that a partner could read in any way
	Mirrored     int64 // AMBER entries that partners keep without being able to read them
	Seconds      float64
}

// rule is one file to share.
type rule struct {
	id, title string
	file      control.File
	amber     bool
}

// Run plays the exercise.
func Run(ctx context.Context, opt Options) (_ Figures, err error) {
	began := time.Now()
	if opt.Members == 0 {
		opt.Members = minMembers
	}
	if opt.Members < minMembers {
		return Figures{}, fmt.Errorf("%d members: an exercise needs a publisher, a state and a partner", opt.Members)
	}
	if opt.Rate == 0 {
		opt.Rate = 100
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Talk == nil {
		opt.Talk = func(string) {}
	}
	dir, err := os.MkdirTemp("", "shieldwall-drill-")
	if err != nil {
		return Figures{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if len(opt.Rules) == 0 {
		if opt.Rules, opt.Replay, err = unpackScenario(dir); err != nil {
			return Figures{}, err
		}
	}
	rules, err := loadRules(opt.Rules)
	if err != nil {
		return Figures{}, err
	}
	opt.Talk(fmt.Sprintf("starting %d members", opt.Members))
	a, err := found(ctx, dir, opt)
	if err != nil {
		return Figures{}, err
	}
	defer func() { err = errors.Join(err, a.stop()) }()
	f, err := a.play(ctx, rules, opt)
	f.Seconds = time.Since(began).Seconds()
	return f, err
}

// loadRules reads the rules and marks every fourth by sorted id AMBER: SigmaHQ's rules carry no TLP.
func loadRules(paths []string) ([]rule, error) {
	var rules []rule
	seen := map[string]string{}
	for _, root := range paths {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !isYAML(path) {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			found, err := sigma.Parse(data, sigma.Options{})
			if err != nil || len(found.Rules) != 1 || len(found.Rejected) > 0 || found.Rules[0].ID == "" {
				return nil // what does not load cannot be shared; `rules check` says why
			}
			r := found.Rules[0]
			if other := seen[r.ID]; other != "" {
				return fmt.Errorf("%s and %s have one rule id", other, path)
			}
			seen[r.ID] = path
			rules = append(rules, rule{id: r.ID, title: r.Title, file: control.File{Name: path, Data: data}})
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("reading the rules: %w", err)
		}
	}
	slices.SortFunc(rules, func(a, b rule) int { return strings.Compare(a.id, b.id) })
	ambers := 0
	for i := 3; i < len(rules); i += 4 {
		rules[i].amber = true
		ambers++
	}
	if ambers == 0 {
		return nil, fmt.Errorf("%d rules can be shared: every fourth is to be AMBER, so at least four are needed", len(rules))
	}
	return rules, nil
}

func isYAML(path string) bool {
	ext := strings.ToLower(filepath.Ext(path))
	return ext == ".yml" || ext == ".yaml"
}

// publishAll shares rules, paced; a publication that is slow delays no other.
func (a *alliance) publishAll(ctx context.Context, rules []rule, rate float64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pace := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer pace.Stop()
	var wg sync.WaitGroup
	for _, r := range rules {
		select {
		case <-ctx.Done():
		case <-pace.C:
			wg.Go(func() {
				if err := a.publish(ctx, r); err != nil {
					cancel(fmt.Errorf("sharing %s: %w", r.file.Name, err))
				}
			})
		}
	}
	wg.Wait()
	return context.Cause(ctx)
}

// publish shares one rule as an entry of its own and remembers the entry.
func (a *alliance) publish(ctx context.Context, r rule) error {
	req := control.PublishRequest{Files: []control.File{r.file}, TLP: "green"}
	if r.amber {
		req.TLP, req.To = "amber", []string{states}
	}
	res, err := a.nodes[0].Publish(ctx, req)
	if err != nil {
		return err
	}
	if len(res.Entries) != 1 {
		return fmt.Errorf("%d entries for one rule", len(res.Entries))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.published = append(a.published, publication{index: res.Entries[0].Index, readers: res.Entries[0].Readers, rule: r, object: res.Entries[0].Objects[0].ID})
	return nil
}
