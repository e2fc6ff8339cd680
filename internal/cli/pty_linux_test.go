package cli

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"shieldwall/internal/config"
	"shieldwall/internal/control"
	"shieldwall/internal/scan"
	"shieldwall/internal/status"
)

// terminal opens a pseudo-terminal: what is written to the second file is shown by shown.
func terminal(t *testing.T) (tty *os.File, shown func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	tty, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	var text bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(&text, master) // ends with an error when the last user of tty closes it
	}()
	return tty, func() string {
		tty.Close()
		<-done
		return text.String()
	}
}

func onTerminal(t *testing.T, n *fakeNode, env map[string]string, stdout io.Writer, tty *os.File) *program {
	getenv := func(k string) string { return env[k] }
	p := &program{
		getenv: getenv, stdin: tty, stdout: stdout, stderr: tty, now: func() time.Time { return testNow },
		host:  config.Host{Getenv: func(string) string { return "/none" }, Name: "host", OS: "linux"},
		nodes: n, drill: n, patience: time.Millisecond,
	}
	p.flags.Data = t.TempDir()
	return p
}

// On a terminal the passphrase is made and shown once, and only there.
func TestPassphraseOnATerminal(t *testing.T) {
	tty, shown := terminal(t)
	n := &fakeNode{openErr: ErrEmpty, ready: Ready{PageLink: "http://x"}}
	var stdout bytes.Buffer
	if code := onTerminal(t, n, nil, &stdout, tty).main(t.Context(), []string{"up"}); code != 0 {
		t.Errorf("exit %d", code)
	}
	text := shown()
	if len(n.passphrase) < 26 || strings.Count(text, n.passphrase) != 1 || strings.Contains(stdout.String(), n.passphrase) {
		t.Errorf("passphrase %q; terminal %q, stdout %q", n.passphrase, text, &stdout)
	}
}

func TestColour(t *testing.T) {
	for _, tt := range []struct {
		env  map[string]string
		want bool
	}{{nil, true}, {map[string]string{"NO_COLOR": "1"}, false}, {map[string]string{"TERM": "dumb"}, false}} {
		tty, shown := terminal(t)
		n := &fakeNode{past: []status.Detection{{Level: "critical", Title: "evil\x1b[2J"}, {Level: "medium"}, {Level: "high"}, {Level: "low"}}}
		p := onTerminal(t, n, tt.env, tty, tty)
		p.main(t.Context(), []string{"detections"})
		p.main(t.Context(), []string{"alliance", "show"})
		text := shown()
		if strings.Contains(text, "\x1b[1;31mcritical") != tt.want || strings.Contains(text, "\x1b[1mMEMBER") != tt.want {
			t.Errorf("environment %v shows %q", tt.env, text)
		}
		if strings.Contains(text, "\x1b[2J") || !tt.want && strings.Contains(text, "\x1b") {
			t.Errorf("environment %v obeys a title: %q", tt.env, text)
		}
	}
}

// The exact bytes of a dry run are spelled out where a terminal would obey them.
func TestDryRunOnATerminal(t *testing.T) {
	tty, shown := terminal(t)
	n := &fakeNode{}
	n.published.DryRun = true
	n.published.Entries = []control.PublishedEntry{{Objects: []control.PublishedObject{{Raw: []byte("{\"a\":\"\u009b2J\"}")}}}}
	p := onTerminal(t, n, nil, tty, tty)
	p.main(t.Context(), []string{"publish", "--dry-run", "pty_linux_test.go"})
	if text := shown(); !strings.Contains(text, `{"a":"\u009b2J"}`) {
		t.Errorf("shows %q", text)
	}
}

func TestProgressOnATerminal(t *testing.T) {
	tty, shown := terminal(t)
	p := onTerminal(t, &fakeNode{}, nil, &bytes.Buffer{}, tty)
	b := newBar(p)
	b.update(scan.Progress{Events: 7})
	b.clear()
	if text := shown(); !strings.Contains(text, "7 events") {
		t.Errorf("shows %q", text)
	}
	tty, shown = terminal(t)
	newBar(onTerminal(t, &fakeNode{}, nil, tty, tty)).update(scan.Progress{Events: 7})
	if text := shown(); text != "" {
		t.Errorf("mixed with the data: %q", text)
	}
}
