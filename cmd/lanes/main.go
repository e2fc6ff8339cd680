// Command lanes writes the inputs of the detection benchmarks (BENCHMARKS.md) from a corpus of recordings; `lanes
// loud` writes which rules are loud in them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"shieldwall/internal/lanes"
)

func main() {
	run := build
	if len(os.Args) > 1 && os.Args[1] == "loud" {
		run = loud
		os.Args = append(os.Args[:1], os.Args[2:]...)
	}
	if err := run(); err != nil {
		talk("lanes: %v", err)
		os.Exit(2)
	}
}

func talk(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// build writes the lanes.
func build() error {
	corpus := flag.String("corpus", os.Getenv("SHIELDWALL_CORPUS"), "folder with otrf and evtx")
	out := flag.String("out", "lanes", "folder to write to")
	size := flag.Int("evtx-bytes", 256<<20, "least size of the dense event log")
	flag.Parse()
	return lanes.Write(filepath.Join(*corpus, "otrf"), filepath.Join(*corpus, "evtx"), *out, *size, talk)
}

// loud writes tables in Markdown to stdout.
func loud() error {
	corpus := flag.String("corpus", os.Getenv("SHIELDWALL_CORPUS"), "folder with otrf and sigma")
	rules := flag.String("rules", "", "folder of rules (default: sigma/rules in the corpus)")
	flag.Parse()
	if *rules == "" {
		*rules = filepath.Join(*corpus, "sigma", "rules")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return lanes.Loud(ctx, filepath.Join(*corpus, "otrf"), []string{*rules}, os.Stdout, talk)
}
