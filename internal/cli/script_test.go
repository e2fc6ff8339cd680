package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"shieldwall/internal/control"
	"shieldwall/internal/status"
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
const minScripts = 10

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
		Cmds:      map[string]func(*testscript.TestScript, bool, []string){"serving": serving, "sigterm": sigterm, "draft": draft},
		Condition: func(cond string) (bool, error) { return cond == "corpus" && os.Getenv("SHIELDWALL_CORPUS") != "", nil },
	})
}

// serving waits until a node serves on each of the data folders.
func serving(ts *testscript.TestScript, neg bool, dirs []string) {
	for _, dir := range dirs {
		for tries := 0; ; tries++ {
			err := peersServed(ts.MkAbs(dir))
			if err == nil {
				break
			}
			if tries == 1000 {
				ts.Fatalf("%s: %v", dir, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func peersServed(data string) error {
	c, err := control.Dial(data)
	if err != nil {
		return err
	}
	defer c.Close()
	n, err := c.Status(context.Background())
	if err == nil && n.Peer == "" {
		err = errors.New("peers are not served yet")
	}
	return err
}

// draft sets a variable to the id of the one draft in what alliance show --json says.
func draft(ts *testscript.TestScript, neg bool, args []string) {
	var a status.Alliance
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &a))
	if len(a.Drafts) != 1 {
		ts.Fatalf("%d drafts", len(a.Drafts))
	}
	ts.Setenv(args[0], a.Drafts[0].ID)
}

// sigterm tells every background command to stop, as a service manager does.
func sigterm(ts *testscript.TestScript, neg bool, _ []string) {
	for _, c := range ts.BackgroundCmds() {
		ts.Check(c.Process.Signal(syscall.SIGTERM))
	}
}
