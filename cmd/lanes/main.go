// Command lanes writes the inputs of the detection benchmarks (BENCHMARKS.md) from a corpus of recordings.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"shieldwall/internal/lanes"
)

func main() {
	corpus := flag.String("corpus", os.Getenv("SHIELDWALL_CORPUS"), "folder with otrf and evtx")
	out := flag.String("out", "lanes", "folder to write to")
	size := flag.Int("evtx-bytes", 256<<20, "least size of the dense event log")
	flag.Parse()
	talk := func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	if err := lanes.Write(filepath.Join(*corpus, "otrf"), filepath.Join(*corpus, "evtx"), *out, *size, talk); err != nil {
		talk("lanes: %v", err)
		os.Exit(2)
	}
}
