package cli

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets scripts run the real command line as a process of its own: the same call as cmd/shieldwall.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"shieldwall": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			context.AfterFunc(ctx, stop)
			os.Exit(Run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

// minScripts is held so that a wrong pattern cannot pass for success.
const minScripts = 2

func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(scripts) < minScripts {
		t.Fatalf("%d scripts, want at least %d (%v)", len(scripts), minScripts, err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			// A machine of its own: nothing of the user's state is read or written.
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_STATE_HOME", "")
			env.Setenv("XDG_CONFIG_HOME", "")
			env.Setenv("SHIELDWALL_CORPUS", os.Getenv("SHIELDWALL_CORPUS"))
			return nil
		},
		Condition: func(cond string) (bool, error) { return cond == "corpus" && os.Getenv("SHIELDWALL_CORPUS") != "", nil },
	})
}
