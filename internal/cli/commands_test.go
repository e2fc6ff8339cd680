package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/control"
	"shieldwall/internal/status"
)

func TestUsage(t *testing.T) {
	r := newRun(t, &fakeNode{})
	r.want(t, 2, "", "no command given")
	if !strings.Contains(r.stderr.String(), "usage: shieldwall COMMAND") || r.stdout.Len() > 0 {
		t.Errorf("no command: stdout %q, stderr %q", &r.stdout, &r.stderr)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"stauts"}, `unknown command "stauts"; did you mean "status"?`},
		{[]string{"hlep"}, `did you mean "help"?`},
		{[]string{"zzzzzz"}, `unknown command "zzzzzz"`},
		{[]string{"alliance"}, "alliance wants one of: new, show, invite, remove"},
		{[]string{"alliance", "--json"}, "alliance wants one of:"},
		{[]string{"alliance", "shwo"}, `unknown command "alliance shwo"; did you mean "alliance show"?`},
		{[]string{"config", "chekc"}, `did you mean "config check"?`},
		{[]string{"status", "--jsno"}, `unknown flag --jsno; did you mean "--json"?`},
		{[]string{"--dta", "x", "status"}, `unknown flag --dta; did you mean "--data"?`},
		{[]string{"status", "-x"}, "unknown shorthand flag"},
		{[]string{"status", "--data"}, "flag needs an argument: --data"},
		{[]string{"status", "--publications", "many"}, `invalid argument "many"`},
		{[]string{"status", "--publications", "0"}, "--publications must be from 1"},
		{[]string{"status", "extra"}, `status: unexpected argument "extra"`},
		{[]string{"join"}, "join wants TOKEN"},
		{[]string{"alliance", "new"}, "alliance new wants NAME"},
		{[]string{"help", "stauts"}, `did you mean "status"?`},
		{[]string{"help", "status", "join"}, "help wants one command"},
		{[]string{"token", "new"}, "wants --name"},
		{[]string{"token", "new", "--name", "a", "--scope", "all"}, `no scope "all"`},
		{[]string{"token", "new", "--name", "a", "--expires", "soon"}, "--expires"},
		{[]string{"token", "new", "--name", "a", "--expires", "0s"}, "--expires"},
		{[]string{"alliance", "invite", "b", "--expires", "-1h"}, "--expires"},
		{[]string{"detections", "--since", "yesterday"}, "--since"},
		{[]string{"drill", "--members", "2"}, "--members must be from 3"},
		{[]string{"drill", "--members", "101"}, "--members must be from 3"},
		{[]string{"drill", "--rate", "0"}, "--rate"},
		{[]string{"drill", "--rules", "x"}, "belong together"},
		{[]string{"drill", "--scenario", "wipe"}, `no scenario "wipe"`},
		{[]string{"drill", "--scenario", "wiper", "--rules", "x", "--replay", "y"}, "brings its own"},
		{[]string{"join", "-"}, "no token on stdin"},
		{[]string{"rules", "profile", "--top", "0"}, "--top must be from 1"},
		{[]string{"rules", "profile", "x.evtx"}, "wants --rules or --indicators"},
		{[]string{"rules", "profile", "--rules", "x"}, "wants PATH"},
		{[]string{"rules", "profile", "--placeholders", "x"}, "wants PATH"},
	} {
		r.want(t, 2, "", tt.want, tt.args...)
		if !strings.Contains(r.stderr.String(), "see: shieldwall help") || r.stdout.Len() > 0 {
			t.Errorf("%q: stdout %q, stderr %q; a wrong use points to the help and prints no data", tt.args, &r.stdout, &r.stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	r := newRun(t, &fakeNode{})
	for _, args := range [][]string{{"help"}, {"--help"}, {"-h"}} {
		r.want(t, 0, "usage: shieldwall COMMAND", "", args...)
		for _, c := range commands() {
			if !strings.Contains(r.stdout.String(), c.name) {
				t.Errorf("%q does not name %s", args, c.name)
			}
		}
	}
	for _, c := range commands() {
		words := strings.Fields(c.name)
		r.want(t, 0, "exit codes:\n  0 ", "", append([]string{"help"}, words...)...)
		asked := r.stdout.String()
		r.want(t, 0, "usage: shieldwall "+c.name, "", append(words, "--help")...)
		if r.stdout.String() != asked {
			t.Errorf("help %s and %s --help differ", c.name, c.name)
		}
		if !strings.Contains(asked, "  2 ") || !strings.Contains(asked, "--data DIR") || len(c.short) > 72 {
			t.Errorf("the help of %s is not whole:\n%s", c.name, asked)
		}
		for _, line := range strings.Split(asked, "\n") {
			if len(line) > 130 {
				t.Errorf("the help of %s has a line of %d: %s", c.name, len(line), line)
			}
		}
	}
	r.want(t, 0, "alliance remove", "", "help", "alliance")
}

func TestGlobalFlagsAnywhere(t *testing.T) {
	n := &fakeNode{}
	r := newRun(t, n)
	other := t.TempDir()
	for _, args := range [][]string{{"--data", other, "--json", "status"}, {"status", "--json", "--data", other}, {"--json", "status", "--data=" + other}} {
		r.want(t, 0, `"running":false`, "", args...)
		if n.cfg.Data != other {
			t.Errorf("%q opened %s", args, n.cfg.Data)
		}
	}
	r.want(t, 0, "shieldwall ", "", "--version")
}

func TestErrorsOfTheNode(t *testing.T) {
	n := &fakeNode{}
	r := newRun(t, n)
	for _, kind := range []control.Kind{control.Usage, control.Refused, control.NotFound, control.Unavailable, control.Failed} {
		n.err = control.Errorf(kind, "because\nof this\x1b[2J")
		r.want(t, 2, "", "shieldwall: because\nof this\\x1b[2J\n", "status")
		if r.stdout.Len() > 0 || n.closed == 0 {
			t.Errorf("kind %s: stdout %q, closed %d times", kind, &r.stdout, n.closed)
		}
	}
}

func TestOpening(t *testing.T) {
	r := newRun(t, &fakeNode{openErr: ErrEmpty})
	r.want(t, 2, "", "holds no node; shieldwall up starts one", "status")
	r.node.openErr = errors.New("the disk is gone")
	r.want(t, 2, "", "the disk is gone", "status")
	r.node.openErr = ErrInUse
	r.want(t, 2, "", "another process owns the data folder and does not answer on its control socket", "status")
	r.want(t, 2, "", "no-such.yaml", "status", "--config", "no-such.yaml")
}

// Where a node runs on the folder, a command asks that node.
func TestRunningNode(t *testing.T) {
	r := newRun(t, &fakeNode{openErr: ErrInUse})
	running := &fakeNode{status: status.Node{Member: "m"}, live: make(chan status.Detection, 1), past: []status.Detection{{RuleID: "old"}}}
	l, err := control.Listen(r.data)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- control.Serve(ctx, l, running) }()
	r.want(t, 0, `"running":true`, "", "status", "--json")

	running.profile = status.Profile{Measured: 3, Rules: []status.RuleCost{{RuleID: "r", Publisher: "ally", Object: "indicator--1", Looked: 2, Nanoseconds: 3000}}}
	r.want(t, 0, "ally indicator--1", "", "rules", "profile", "--top", "7")
	if running.most != 7 {
		t.Errorf("asked for %d rules", running.most)
	}

	r.want(t, 2, "", "a node runs on "+r.data+" already", "up")

	running.live <- status.Detection{RuleID: "new"}
	followed, interrupt := context.WithCancel(context.Background())
	r.ctx = followed
	code := make(chan int, 1)
	go func() { code <- r.do("detections", "--follow", "--json") }()
	for len(running.live) > 0 {
		time.Sleep(time.Millisecond)
	}
	interrupt() // as Ctrl-C does
	if got := <-code; got != 0 || r.stderr.Len() > 0 || strings.Contains(r.stdout.String(), "old") {
		t.Errorf("an interrupted follow: exit %d, stdout %q, stderr %q", got, &r.stdout, &r.stderr)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestUp(t *testing.T) {
	n := &fakeNode{ready: Ready{PageLink: "http://127.0.0.1:8470/?k=1", Peer: "127.0.0.1:8471", Member: "m\x1b", Alliance: "a", Data: "d"}}
	r := newRun(t, n)
	r.want(t, 0, "http://127.0.0.1:8470/?k=1\n", "Member m\\x1b of the alliance a", "up", "--member", "mm", "--page-listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0")
	if n.cfg.Member != "mm" || n.cfg.Page.Listen != "127.0.0.1:0" || n.cfg.Peer.Listen != "127.0.0.1:0" {
		t.Errorf("the flags did not win: %+v", n.cfg)
	}
	if strings.Contains(r.stderr.String(), "\x1b") || !strings.Contains(r.stderr.String(), "hello") {
		t.Errorf("the log is %q", &r.stderr)
	}
	r.want(t, 0, `{"page":"http://127.0.0.1:8470/?k=1"`, "", "up", "--json")
	n.ready.Created = true
	r.want(t, 0, "", "Created member", "up")
	n.openErr = ErrInUse
	r.want(t, 2, "", "another process owns the data folder", "up")
	n.openErr = nil
	r.want(t, 2, "", "page.listen: 0.0.0.0:1 is not loopback", "up", "--page-listen", "0.0.0.0:1")
}

func TestKitPassphrase(t *testing.T) {
	n := &fakeNode{openErr: ErrEmpty}
	r := newRun(t, n)
	for _, args := range [][]string{{"up"}, {"join", "tok"}, {"alliance", "new", "a"}} {
		r.want(t, 2, "", "--kit-passphrase-file FILE", args...)
		if n.passphrase != "" {
			t.Errorf("%q made a passphrase that nobody saw", args)
		}
	}
	file := filepath.Join(t.TempDir(), "pass")
	for _, tt := range []struct{ text, want string }{{"correct horse\n", "correct horse"}, {"a b \r\nmore", "a b "}, {"x", "x"}} {
		os.WriteFile(file, []byte(tt.text), 0o600)
		for _, args := range [][]string{{"up"}, {"join", "tok"}, {"alliance", "new", "a"}} {
			n.passphrase = ""
			r.want(t, 0, "", "", append(args, "--kit-passphrase-file", file)...)
			if n.passphrase != tt.want || strings.Contains(r.stdout.String()+r.stderr.String(), tt.want) && tt.want != "x" {
				t.Errorf("%q: passphrase %q, want %q, and never shown: %q %q", args, n.passphrase, tt.want, &r.stdout, &r.stderr)
			}
		}
	}
	for _, text := range []string{"", "\nsecond"} {
		os.WriteFile(file, []byte(text), 0o600)
		r.want(t, 2, "", "no passphrase on its first line", "up", "--kit-passphrase-file", file)
	}
	os.WriteFile(file, []byte(strings.Repeat("a", maxPassphraseFile+1)), 0o600)
	r.want(t, 2, "", "longer than", "up", "--kit-passphrase-file", file)
	r.want(t, 2, "", "reading the passphrase", "up", "--kit-passphrase-file", file+"x")
}

func TestAlliance(t *testing.T) {
	n := &fakeNode{
		alliance: status.Alliance{Name: "east", Version: 3, Threshold: 1, Officers: []string{"o"}, Groups: []string{"states"},
			Members: []status.Member{{ID: "b", State: "live", Size: 5, Head: 7}, {ID: "c", State: "refused", Problem: "gone\x1b[2J", Suspended: true}}},
		invited: control.Invitation{Token: "swt1.abc", Name: "b"},
	}
	r := newRun(t, n)
	r.want(t, 0, "alliance east, roster 3, 2 members", "", "alliance", "show")
	r.want(t, 0, "5 (-2)", "", "alliance", "show")
	r.want(t, 0, "refused, suspended: gone\\x1b[2J", "", "alliance", "show")
	r.want(t, 0, `"name":"east"`, "", "alliance", "show", "--json")
	r.want(t, 0, "alliance east", "", "alliance", "new", "east", "--groups", "states, partners,")
	if want := (control.AllianceRequest{Name: "east", Groups: []string{"states", "partners"}, In: []string{}}); !reflect.DeepEqual(n.named, want) {
		t.Errorf("asked %+v, want %+v", n.named, want)
	}
	r.want(t, 0, "swt1.abc\n", "", "alliance", "invite", "b", "--groups", "states", "--expires", "2h")
	if r.stdout.String() != "swt1.abc\n" {
		t.Errorf("data is %q, want the token alone", &r.stdout)
	}
	if n.invite.Expires != 2*time.Hour || n.invite.Groups[0] != "states" {
		t.Errorf("asked %+v", n.invite)
	}
	r.want(t, 0, `"token":"swt1.abc"`, "", "alliance", "invite", "b", "--json")
	r.want(t, 0, "alliance east", "", "alliance", "remove", "c")
	if !slices.Equal(n.changed.Remove, []string{"c"}) {
		t.Errorf("removed %q", n.changed.Remove)
	}
}

func TestJoin(t *testing.T) {
	n := &fakeNode{joined: control.JoinResult{Alliance: "east", Member: "b", Version: 2, Members: 2}}
	r := newRun(t, n)
	r.want(t, 0, "b is now a member of east: roster 2, 2 members", "", "join", "swt1.x")
	r.stdin = "  swt1.y \nnot this"
	r.want(t, 0, `"alliance":"east"`, "", "join", "-", "--json")
	if n.word != "swt1.y" {
		t.Errorf("joined with %q", n.word)
	}
}

func TestPublish(t *testing.T) {
	n := &fakeNode{published: control.PublishResult{Warnings: []string{"odd\x1b"}, Unchanged: []string{"indicator--2"}, Entries: []control.PublishedEntry{{
		Index: 4, TLP: "amber", Audience: "group:states", Readers: []string{"b", "c"}, Payload: []byte("12345"),
		Objects: []control.PublishedObject{{ID: "indicator--1", Name: "n\x1b[2J", Raw: []byte("{\"a\":\"\xc2\x9b\"}")}},
	}}}}
	r := newRun(t, n)
	dir := t.TempDir()
	for name, text := range map[string]string{"b.yml": "b", "a.YAML": "a", "c.json": "c", "skip.txt": "s"} {
		os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)
	}
	lone := filepath.Join(dir, "skip.txt")
	r.want(t, 0, "indicator--1  n\\x1b[2J", "warning: odd\\x1b\n1 object shared already", "publish", dir, lone, "--tlp", "AMBER", "--to", "states,b")
	var names []string
	for _, f := range n.publish.Files {
		names = append(names, filepath.Base(f.Name)+"="+string(f.Data))
	}
	if want := "a.YAML=a b.yml=b c.json=c skip.txt=s"; strings.Join(names, " ") != want || n.publish.TLP != "amber" || len(n.publish.To) != 2 {
		t.Errorf("asked %q, %+v; want %q", names, n.publish, want)
	}
	r.want(t, 0, `"id":"indicator--1"`, "", "publish", lone, "--json")
	const id = "indicator--11111111-1111-4111-8111-111111111111"
	r.want(t, 0, "", "", "publish", id, lone, "--tlp", "green")
	if len(n.publish.IDs) != 1 || n.publish.IDs[0] != id || len(n.publish.Files) != 1 {
		t.Errorf("asked %+v", n.publish)
	}

	n.published.DryRun = true
	r.want(t, 0, "{\"a\":\"\xc2\x9b\"}\n", "AMBER to group:states, 5 bytes before sealing, readable by: b, c", "publish", lone, "--dry-run")
	if r.stdout.String() != "{\"a\":\"\xc2\x9b\"}\n" {
		t.Errorf("the exact bytes are %q", &r.stdout)
	}
	if !n.publish.DryRun {
		t.Error("the node was not told that it is a dry run")
	}

	r.want(t, 2, "", "no such file", "publish", filepath.Join(dir, "none"))
	r.want(t, 2, "", "holds no .json", "publish", t.TempDir())
	large := filepath.Join(dir, "large.json")
	f, err := os.Create(large)
	if err != nil {
		t.Fatal(err)
	}
	f.Truncate(maxPublishFile + 1)
	f.Close()
	r.want(t, 2, "", "is larger than", "publish", large)
}

func TestWithdraw(t *testing.T) {
	n := &fakeNode{withdrawn: control.WithdrawResult{Withdrawn: []string{"a", "b"}, Entries: []uint64{1}}}
	r := newRun(t, n)
	r.want(t, 0, "withdrawn a\nwithdrawn b\n", "", "withdraw", "a", "b")
	r.want(t, 0, `{"withdrawn":["a","b"],"entries":[1]}`, "", "withdraw", "a", "--json")
	if len(n.ids) != 1 {
		t.Errorf("withdrew %q", n.ids)
	}
}

func TestStatus(t *testing.T) {
	n := &fakeNode{status: status.Node{
		Member: "m", Warnings: []string{"the kit is still here"}, Alliance: status.Alliance{Name: "a"}, Log: status.Log{ID: "m/00", Size: 1},
		Rejected: map[string]int64{"too large": 2}, Engine: status.Engine{RuleBytes: 8e6, ProgramBytes: 6e6, Indicators: 1000, IndicatorBytes: 2.5e6, Segments: 5, Delta: 3, Merges: 1}, Protect: status.Protect{Pairs: 3, P50: 12.34, P99: 20000},
	}, pubs: []status.Publication{{Index: 9, What: "1 indicator", Readers: 2, Applied: 1, P50: 150}, {Index: 8, Readers: 2}}}
	r := newRun(t, n)
	r.want(t, 0, "log      m/00, 1 entry\n", "warning: the kit is still here", "status")
	for _, want := range []string{"not running", "refused  2 objects of peers: too large", "engine   14.0 MB for rules, 2.5 MB for indicators; 5 segments, 3 rules not merged yet; 1 merge so far", "p50 12.3 ms", "p99 20.0 s", "1/2", "150 ms"} {
		if !strings.Contains(r.stdout.String(), want) {
			t.Errorf("status does not say %q:\n%s", want, &r.stdout)
		}
	}
	r.want(t, 0, `"publications":[{"index":9`, "", "status", "--json")
	var report statusReport
	if err := json.Unmarshal(r.stdout.Bytes(), &report); err != nil || report.Member != "m" || report.Running {
		t.Errorf("got %+v, %v", report, err)
	}
}

func TestDetections(t *testing.T) {
	n := &fakeNode{past: []status.Detection{
		{RuleID: "r1", Title: "T", Level: "high", Author: "A", Publisher: "ally", Time: testNow, Computer: "c", Channel: "Security", EventID: "1"},
		{RuleID: "r2", Title: "evil\x1b]0;x\x07\u202e\n", Tags: []string{}, Fields: map[string]string{"CommandLine": "\u009b31m"}},
	}}
	r := newRun(t, n)
	r.want(t, 0, "2026-03-04 05:06:07Z  high           T  [c  Security  1]  r1 (from ally, by A)\n", "", "detections")
	if !n.since.IsZero() {
		t.Errorf("asked since %v", n.since)
	}
	r.want(t, 0, `\x1b]0;x\x07\u202e\n`, "", "detections", "--since", "24h")
	if want := testNow.Add(-24 * time.Hour); !n.since.Equal(want) {
		t.Errorf("asked since %v, want %v", n.since, want)
	}
	r.want(t, 0, `"CommandLine":"\u009b31m"`, "", "detections", "--json")
	for _, line := range strings.Split(strings.TrimSpace(r.stdout.String()), "\n") {
		var d status.Detection
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
	r.want(t, 2, "", "no node runs here", "detections", "--follow")
}

func TestTokenNew(t *testing.T) {
	n := &fakeNode{token: control.Token{Token: "secret"}}
	r := newRun(t, n)
	r.want(t, 0, "secret\n", "", "token", "new", "--name", "beats", "--expires", "30d")
	if want := (control.TokenRequest{Name: "beats", Scopes: []string{"ingest"}, Expires: 30 * 24 * time.Hour}); !reflect.DeepEqual(n.tokened, want) {
		t.Errorf("asked %+v, want %+v", n.tokened, want)
	}
	r.want(t, 0, "secret\n", "", "token", "new", "--name", "soc", "--scope", "taxii:read", "--scope", "taxii:write", "--as", "staff")
	if want := (control.TokenRequest{Name: "soc", Scopes: []string{"taxii:read", "taxii:write"}, As: "staff"}); !reflect.DeepEqual(n.tokened, want) {
		t.Errorf("asked %+v, want %+v", n.tokened, want)
	}
	r.want(t, 0, `"token":"secret"`, "", "token", "new", "--name", "beats", "--json")

	pem := filepath.Join(t.TempDir(), "client.pem")
	if err := os.WriteFile(pem, []byte("a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.token.Token = ""
	r.want(t, 0, "let in by its certificate's key", "", "token", "new", "--name", "siem", "--scope", "taxii:read", "--certificate", pem)
	if string(n.tokened.Certificate) != "a certificate" {
		t.Errorf("asked %+v", n.tokened)
	}
	r.want(t, 2, "", "reading the certificate", "token", "new", "--name", "siem", "--certificate", pem+"x")
}

func TestTokenListAndRevoke(t *testing.T) {
	n := &fakeNode{}
	r := newRun(t, n)
	r.want(t, 0, "", "there are no tokens", "token", "list")
	n.tokens = []control.Token{
		{Name: "beats", Scope: "ingest", Created: time.Unix(1e9, 0), Expires: time.Unix(1, 0)},
		{Name: "soc", Scope: "taxii:read taxii:write", As: "staff", Created: time.Unix(1e9, 0)},
	}
	r.want(t, 0, "expired 1970-01-01", "", "token", "list")
	r.want(t, 0, "taxii:read taxii:write  staff", "", "token", "list")
	r.want(t, 0, `"scope":"ingest"`, "", "token", "list", "--json")
	r.want(t, 0, "token soc is revoked", "", "token", "revoke", "soc")
	r.want(t, 2, "", "wants NAME", "token", "revoke")
}

func TestMute(t *testing.T) {
	n := &fakeNode{}
	r := newRun(t, n)
	r.want(t, 0, "mute 3: rule-1 of bravo on WS01 until 2001-09-09", "", "mute", "add", "rule-1", "--ally", "bravo", "--host", "WS01", "--reason", "their test", "--for", "12h")
	if want := (control.MuteRequest{Rule: "rule-1", Publisher: "bravo", Host: "WS01", Reason: "their test", For: 12 * time.Hour}); n.muting != want {
		t.Errorf("asked %+v, want %+v", n.muting, want)
	}
	r.want(t, 0, "everything of bravo", "", "mute", "add", "--ally", "bravo", "--reason", "noise")
	if n.muting.For != 30*24*time.Hour {
		t.Errorf("by default for %v", n.muting.For)
	}
	r.want(t, 2, "", "a rule's id, or --ally", "mute", "add", "--reason", "x")
	r.want(t, 2, "", "wants --reason", "mute", "add", "rule-1")
	r.want(t, 2, "", "no time span", "mute", "add", "rule-1", "--reason", "x", "--for", "soon")
	r.want(t, 0, "", "nothing is muted", "mute", "list")
	n.mutes = []status.Mute{{ID: "3", Rule: "rule-1", Reason: "their\x1b[2J test", Count: 12, Until: time.Unix(1e9, 0).UTC()}}
	r.want(t, 0, "12", "", "mute", "list")
	if out := r.stdout.String(); strings.Contains(out, "\x1b") {
		t.Errorf("a reason reaches the terminal as it is: %q", out)
	}
	r.want(t, 0, `"count":12`, "", "mute", "list", "--json")
	r.want(t, 0, "mute 7 taken back: everything of bravo", "", "mute", "remove", "7", "8")
	if !reflect.DeepEqual(n.unmuted, []string{"7", "8"}) {
		t.Errorf("took back %q", n.unmuted)
	}
	n.err = control.Errorf(control.NotFound, "there is no such mute")
	r.want(t, 2, "", "no such mute", "mute", "remove", "9")
}

func TestDrill(t *testing.T) {
	n := &fakeNode{drilled: DrillResult{Members: 3, Publications: 8}}
	r := newRun(t, n)
	r.want(t, 0, "publications     8", "going on\\x1b[2J", "drill")
	r.want(t, 0, `"members":3`, "", "drill", "--members", "3", "--rules", "a", "--rules", "b,c", "--replay", "p", "--rate", "50", "--json")
	if n.drill.Rate != 50 || !reflect.DeepEqual(n.drill.Rules, []string{"a", "b,c"}) {
		t.Errorf("asked %+v", n.drill)
	}
	for _, key := range []string{"members", "publications", "time_to_protect_ms", "detections", "sightings", "bytes_on_wire", "lost", "amber_leaks", "restored"} {
		if !strings.Contains(r.stdout.String(), `"`+key+`":`) {
			t.Errorf("the figures have no %s: %s", key, &r.stdout)
		}
	}
	n.drilled.Lost = 1
	r.want(t, 1, `"lost":1`, "the drill failed: 1 lost, 0 AMBER leaks", "drill", "--json")
	n.drilled = DrillResult{AmberLeaks: 2}
	r.want(t, 1, "AMBER leaks      2", "2 AMBER leaks", "drill")
	n.err = errors.New("no port")
	r.want(t, 2, "", "no port", "drill")
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := newRun(t, &fakeNode{err: context.Canceled})
	r.ctx = ctx
	r.want(t, 0, "", "", "up") // told to stop before it served
	r.want(t, 2, "", "shieldwall: interrupted", "drill")
}

func TestConfigCommands(t *testing.T) {
	r := newRun(t, &fakeNode{})
	r.want(t, 0, "listen: 127.0.0.1:8470", "the defaults", "config", "check")
	r.want(t, 0, `"hold":"24h"`, "", "config", "check", "--json")
	r.want(t, 0, "# Shieldwall's configuration.", "", "config", "example")
	file := filepath.Join(r.data, "config.yaml")
	os.WriteFile(file, r.stdout.Bytes(), 0o600)
	r.want(t, 0, "", file, "config", "check")
	os.WriteFile(file, []byte("page:\n  lisen: x\n"), 0o600)
	r.want(t, 1, "", file+":2: page.lisen: unknown key; did you mean page.listen?", "config", "check")
	r.want(t, 2, "", "page.lisen", "status")
	os.WriteFile(file, []byte("page: {listen: '0.0.0.0:1'}\n"), 0o600)
	r.want(t, 1, "", "page.listen: 0.0.0.0:1 is not loopback", "config", "check")
	r.want(t, 2, "", "no such file", "config", "check", "--config", file+"x")
}

func TestVersion(t *testing.T) {
	r := newRun(t, &fakeNode{})
	r.want(t, 0, "shieldwall ", "", "version")
	r.want(t, 0, `"platform":"`, "", "version", "--json")
}
