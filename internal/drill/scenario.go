package drill

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
)

// scenario is a small attack of our own: precursors of a wiper, as rules and as a synthetic recording.
//
//go:embed scenario
var scenario embed.FS

// unpackScenario writes the scenario below dir, so that it goes the same way as anybody's files.
func unpackScenario(dir string) (rules, replay []string, err error) {
	if err := os.CopyFS(dir, mustSub(scenario)); err != nil {
		return nil, nil, err
	}
	return []string{filepath.Join(dir, "rules")}, []string{filepath.Join(dir, "recording.jsonl")}, nil
}

// mustSub cannot fail: the folder is embedded by name.
func mustSub(f embed.FS) fs.FS {
	sub, err := fs.Sub(f, "scenario")
	if err != nil {
		panic(err)
	}
	return sub
}
