package node

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/config"
	"shieldwall/internal/control"
)

// auditRule finds a listener that is started, as auditd tells it: fields of its own and of the act's other records.
var auditRule = control.File{Name: "audit.yml", Data: []byte(`title: Netcat Listener
id: 00000000-0000-4000-8000-0000000000a1
author: A. Author
date: 2026-01-02
logsource:
    product: linux
    service: auditd
detection:
    selection:
        type: EXECVE
        a0: nc
        a1|contains: l
        Image|endswith: /nc.traditional
    condition: selection
level: high
`)}

// sshdRule finds what sshd says of a login.
var sshdRule = control.File{Name: "sshd.yml", Data: []byte(`title: Root Logs In With A Password
id: 00000000-0000-4000-8000-0000000000a2
author: A. Author
date: 2026-01-02
logsource:
    product: linux
    service: sshd
detection:
    keywords:
        - 'Accepted password for root'
    condition: keywords
level: high
`)}

// auditAct is what auditd writes when a program starts.
func auditAct(at time.Time, serial int, exe, command string, args string) string {
	stamp := fmt.Sprintf("msg=audit(%d.%03d:%d):", at.Unix(), at.Nanosecond()/1e6, serial)
	return "type=SYSCALL " + stamp + ` arch=c000003e syscall=59 success=yes exit=0 ppid=100 pid=200 auid=1000 uid=0 comm="` + command + `" exe="` + exe + `" key="exec"` + "\n" +
		"type=EXECVE " + stamp + " " + args + "\n" +
		"type=CWD " + stamp + ` cwd="/tmp"` + "\n"
}

func appendTo(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFollowedLogs: rules that an ally shares find attacks in the logs of Linux as they are written, told by their
// content, after a restart too; what was found is not found again.
func TestFollowedLogs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	audit, auth := filepath.Join(dir, "audit.log"), filepath.Join(dir, "auth.log")
	alpha := founder(t, "alpha")
	beta := alpha.join("beta", states, func(o *Options) { o.Config.Ingest.Follow = []config.Follow{{Path: dir}} })
	allLive(t, alpha, beta)
	alpha.publish("green", nil, auditRule, sshdRule)
	alpha.caughtUp(beta)

	now := time.Now().UTC()
	quiet := auditAct(now, 1, "/usr/bin/cat", "cat", `argc=2 a0="cat" a1="-l"`) + "type=EOE " + fmt.Sprintf("msg=audit(%d.%03d:1):", now.Unix(), now.Nanosecond()/1e6) + "\n"
	appendTo(t, audit, quiet)
	appendTo(t, auth, now.Format(time.Stamp)+" gate sshd[12]: Accepted publickey for root from 192.0.2.7 port 50222 ssh2\n")

	found := func(what string, rules ...string) {
		t.Helper()
		until(t, what, func() bool { return len(beta.detections()) >= len(rules) })
		for i, d := range beta.detections() {
			if i >= len(rules) || d.RuleID != "00000000-0000-4000-8000-0000000000"+rules[i] || d.Publisher != "alpha" {
				t.Fatalf("detection %d is %+v; want those of %q", i, d, rules)
			}
		}
	}
	appendTo(t, auth, now.Format(time.Stamp)+" gate sshd[12]: Accepted password for root from 192.0.2.7 port 50222 ssh2\n")
	found("the login is detected", "a2")
	// An act that says its end, and one of which nothing more comes.
	appendTo(t, audit, auditAct(now, 2, "/usr/bin/nc.traditional", "nc", `argc=3 a0="nc" a1="-lvp" a2="4444"`)+
		fmt.Sprintf("type=PROCTITLE msg=audit(%d.%03d:2): proctitle=6E63\n", now.Unix(), now.Nanosecond()/1e6))
	found("the listener is detected", "a2", "a1")
	if d := beta.detections()[1]; d.Fields["Image"] != "/usr/bin/nc.traditional" || d.Record != "6" {
		t.Errorf("%+v", d)
	}
	beta.restart()
	appendTo(t, audit, auditAct(now.Add(time.Minute), 3, "/usr/bin/nc.traditional", "nc", `argc=2 a0="nc" a1="-lke"`))
	found("the second listener is detected", "a2", "a1", "a1")
	beta.restart()
	appendTo(t, auth, now.Format(time.Stamp)+" gate sshd[13]: Accepted password for root from 192.0.2.8 port 50223 ssh2\n")
	found("the second login is detected", "a2", "a1", "a1", "a2")
}

// envFollowDir is where the child of TestFollowKilled finds its node.
const envFollowDir = "SHIELDWALL_TEST_FOLLOW_DIR"

// followKills is how often TestFollowKilled kills.
const followKills = 6

// followingIn is a node in a folder that follows another there, with a rule of its own.
func followingIn(t testing.TB, dir string) *member {
	return newMemberIn(t, dir, "alpha", func(o *Options) {
		o.Config.Rules = []string{filepath.Join(dir, "rules")}
		o.Config.Ingest.Follow = []config.Follow{{Path: filepath.Join(dir, "logs")}}
	})
}

// TestFollowKilled kills a node with SIGKILL while it follows an audit log that is written and rotated: every attack
// that was written is detected, whole.
func TestFollowKilled(t *testing.T) {
	if dir := os.Getenv(envFollowDir); dir != "" {
		followingIn(t, dir).start()
		tell("@ready")
		select {} // until it is killed
	}
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"rules", "logs"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "rules", auditRule.Name), auditRule.Data, 0o600); err != nil {
		t.Fatal(err)
	}
	m := followingIn(t, dir)
	m.start().halt() // keys and an alliance of one
	log := filepath.Join(dir, "logs", "audit.log")
	rng := rand.New(rand.NewPCG(1, 9))
	attacks := 0
	write := func() {
		attacks++
		act := auditAct(time.Now(), attacks, "/usr/bin/nc.traditional", "nc", `argc=3 a0="nc" a1="-lvp" a2="4444"`)
		if attacks%2 == 0 {
			act += fmt.Sprintf("type=EOE msg=audit(%s:%d):\n", strings.SplitN(act[strings.Index(act, "(")+1:], ":", 2)[0], attacks)
		}
		for line := range strings.Lines(act) { // each by itself, as auditd does
			appendTo(t, log, fmt.Sprintf("node=h%d %s", attacks, line))
			time.Sleep(time.Millisecond)
		}
	}
	for round := range followKills {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFollowKilled$", "-test.timeout=5m")
		cmd.Env = append(os.Environ(), envFollowDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		write() // before it looks
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "@ready\n" {
			t.Fatalf("the child said %q, %v", line, err)
		}
		rotate := rng.IntN(40)
		for i := range 40 + rng.IntN(100) {
			if write(); i == rotate {
				if err := os.Rename(log, fmt.Sprintf("%s.%d", log, round+1)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
			t.Fatalf("the child ended by itself: %v", err)
		}
	}
	m.restart()
	found := map[string]int{}
	until(t, "every attack is detected", func() bool {
		clear(found)
		for _, d := range m.detections() {
			found[d.Computer]++
		}
		return len(found) == attacks
	})
	repeated := -attacks
	for _, n := range found {
		repeated += n
	}
	t.Logf("%d attacks, %d kills, %d detected twice", attacks, followKills, repeated)
	if repeated > attacks/2 {
		t.Errorf("%d of %d attacks were detected twice", repeated, attacks)
	}
}
