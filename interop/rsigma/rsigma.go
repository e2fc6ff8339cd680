// Package rsigma compares our engine with rsigma-eval, an engine for Sigma rules in Rust (crates.io): what both detect
// in the recordings of the corpus, and, by the command in compare, how fast.
package rsigma

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"shieldwall/internal/match"
	"shieldwall/internal/scan"
	"shieldwall/internal/sigma"
)

// Version is that of the crate (Cargo.toml).
const Version = "0.23.0"

// Inputs are what both engines read of the corpus.
type Inputs struct {
	Recordings string
	Rules      []string
	// Map says which logsource an event of Windows has; rsigma knows no channels.
	Map string
}

// InputsOf are the recordings, the rules for Windows and those of the emerging threats.
func InputsOf(corpus string) Inputs {
	rules := filepath.Join(corpus, "sigma")
	return Inputs{
		Recordings: filepath.Join(corpus, "otrf"),
		Rules:      []string{filepath.Join(rules, "rules", "windows"), filepath.Join(rules, "rules-emerging-threats")},
		Map:        filepath.Join(rules, "tests", "thor.yml"),
	}
}

// Cargo is the command that builds rsigma: $CARGO, else what there is.
func Cargo() (string, error) {
	name := os.Getenv("CARGO")
	if name == "" {
		name = "cargo"
	}
	return exec.LookPath(name)
}

// Build compiles the program that runs rsigma and gives its path; folder is that of Cargo.toml. The crates and what is
// made of them are kept where cargo keeps them: CARGO_TARGET_DIR, or "target" in the folder.
func Build(ctx context.Context, folder string) (string, error) {
	name, err := Cargo()
	if err != nil {
		return "", err
	}
	cargo := exec.CommandContext(ctx, name, "build", "--release", "--locked", "--quiet")
	cargo.Dir, cargo.Stderr = folder, os.Stderr
	if err := cargo.Run(); err != nil {
		return "", fmt.Errorf("cargo build in %s: %w", folder, err)
	}
	target := os.Getenv("CARGO_TARGET_DIR")
	if target == "" {
		target = "target"
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(folder, target)
	}
	return filepath.Abs(filepath.Join(target, "release", "rsigma-lane"))
}

// Load reads the rules of folders; what does not load is told to rejected.
func Load(folders []string, rejected func(scan.Rejected)) ([]scan.Rule, error) {
	set, err := scan.LoadRules(folders, sigma.Options{}, rejected)
	return set.Rules, err
}

// Engine is ours with some rules; a hit's key is the rule's id.
func Engine(rules []scan.Rule) (*match.Engine, error) {
	var compiled []match.Compiled
	for _, r := range rules {
		c, err := match.CompileSigma(match.Key{ID: r.ID}, r.Rule)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Path, err)
		}
		compiled = append(compiled, c)
	}
	e := match.New(time.Now)
	e.Update(compiled, nil)
	return e, nil
}
