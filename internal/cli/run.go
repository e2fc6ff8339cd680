package cli

import (
	"context"
	"io"
	"os"
	"runtime"
	"time"

	"shieldwall/internal/config"
)

// Run runs the command line and returns its exit code. ctx ends when the process is told to stop; env reads
// the environment.
func Run(ctx context.Context, args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	name, err := os.Hostname()
	if err != nil {
		name = "" // the member's name is then a word of ours
	}
	p := &program{
		getenv: env, stdin: stdin, stdout: stdout, stderr: stderr, now: time.Now,
		host:  config.Host{Getenv: env, Name: name, OS: runtime.GOOS},
		nodes: wired{stderr}, drill: wired{stderr}, patience: inUsePatience,
	}
	return p.main(ctx, args)
}
