package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shieldwall/internal/config"
	"shieldwall/internal/control"
	"shieldwall/internal/event"
	"shieldwall/internal/keys"
	"shieldwall/internal/memberlog"
	"shieldwall/internal/merkle"
	"shieldwall/internal/status"
	"shieldwall/internal/store/sqlite"
)

// patience is how long a state may take to come about. It is no expectation: a machine that is busy with
// other things must not fail a test.
const patience = 90 * time.Second

// kitIterations is little work for a kit that protects nothing.
const kitIterations = 1000

// member is a member's node under test, and what it is opened with.
type member struct {
	t    testing.TB
	name string
	opt  Options
	said *talk

	n    *Node
	peer string       // where peers were served last
	stop func() error // nil while it does not run
}

// newMember makes a member with a data folder and a guard of its own; nothing is opened yet.
func newMember(t testing.TB, name string, edit ...func(*Options)) *member {
	t.Helper()
	return newMemberIn(t, t.TempDir(), name, edit...)
}

// newMemberIn is newMember with data and guard below a given folder.
func newMemberIn(t testing.TB, dir, name string, edit ...func(*Options)) *member {
	t.Helper()
	m := &member{t: t, name: name, said: &talk{}}
	m.opt = Options{Config: config.Default(), Iterations: kitIterations, Version: "test", NoPage: true}
	m.opt.Log = slog.New(slog.NewTextHandler(io.MultiWriter(m.said, t.Output()), nil)).With("at", name)
	m.opt.Passphrase = func() (string, error) { return keys.Passphrase(random) }
	c := &m.opt.Config
	c.Data, c.Member = filepath.Join(dir, "data"), name
	c.Guard = filepath.Join(dir, "guard", name)
	c.OfficerKey = filepath.Join(c.Data, keys.OfficerFile)
	c.Peer.Listen = freeAddress(t)
	c.Hold = 0
	c.Sightings.Tick = config.Duration(time.Hour)
	for _, e := range edit {
		e(&m.opt)
	}
	t.Cleanup(m.halt)
	return m
}

// freeAddress is an address that nobody listens on, with a port that no system gives to outgoing connections: a
// node that starts again wants the one that it had.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 12_000+mathrand.IntN(20_000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// open opens the node without running it.
func (m *member) open() *Node {
	m.t.Helper()
	n, err := Open(context.Background(), m.opt)
	if err != nil {
		m.t.Fatalf("opening %s: %v", m.name, err)
	}
	m.n = n
	return n
}

// start opens and runs the node, and returns once it serves.
func (m *member) start() *member {
	m.t.Helper()
	n := m.open()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan Ready, 1), make(chan error, 1)
	go func() { done <- n.Run(ctx, func(r Ready) { ready <- r }) }()
	m.stop = func() error {
		cancel()
		return errors.Join(<-done, n.Close())
	}
	select {
	case r := <-ready:
		m.peer = r.Peer
	case err := <-done:
		m.stop = nil
		m.t.Fatalf("starting %s: %v", m.name, errors.Join(err, n.Close()))
	case <-time.After(patience):
		m.t.Fatalf("%s does not start", m.name)
	}
	return m
}

// halt ends the node, running or only opened.
func (m *member) halt() {
	m.t.Helper()
	n, stop := m.n, m.stop
	m.n, m.stop = nil, nil
	var err error
	switch {
	case stop != nil:
		err = stop()
	case n != nil:
		err = n.Close()
	}
	if err != nil {
		m.t.Errorf("stopping %s: %v", m.name, err)
	}
}

// restart starts the node again, with changed options. Unless they say otherwise it is found where it was.
func (m *member) restart(edit ...func(*Options)) *member {
	m.t.Helper()
	m.halt()
	if m.peer != "" {
		m.opt.Config.Peer.Listen = m.peer
	}
	for _, e := range edit {
		e(&m.opt)
	}
	return m.start()
}

// quickSightings is an edit: sightings leave soon.
func quickSightings(o *Options) { o.Config.Sightings.Tick = config.Duration(50 * time.Millisecond) }

// elsewhere is an edit for restart: the node listens on another address.
func elsewhere(o *Options) { o.Config.Peer.Listen = "127.0.0.1:0" } // as the system has it

// talk keeps what a node says.
type talk struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *talk) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *talk) has(all ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if containsAll(line, all...) {
			return true
		}
	}
	return false
}

func containsAll(s string, all ...string) bool {
	for _, part := range all {
		if !strings.Contains(s, part) {
			return false
		}
	}
	return true
}

// until waits for a state.
func until(t testing.TB, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !reached(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came about that %s", what)
		}
	}
}

// wantErr holds an error to a kind and to what its text must tell.
func wantErr(t testing.TB, err error, kind control.Kind, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", parts)
	}
	if got := control.KindOf(err); got != kind {
		t.Errorf("an error of kind %v, want %v: %v", got, kind, err)
	}
	if !containsAll(err.Error(), parts...) {
		t.Errorf("the error %q does not say %q", err, parts)
	}
}

// founder starts a member that names an alliance with groups.
func founder(t testing.TB, name string, edit ...func(*Options)) *member {
	t.Helper()
	return newMember(t, name, edit...).start().found()
}

// found names the alliance of one and its groups.
func (m *member) found() *member {
	m.t.Helper()
	_, err := m.n.AllianceNew(context.Background(), control.AllianceRequest{Name: "test alliance", Groups: []string{"partners", "states"}, In: []string{"states"}})
	if err != nil {
		m.t.Fatal(err)
	}
	return m
}

// invite makes a token for a joiner.
func (m *member) invite(name string, groups ...string) string {
	m.t.Helper()
	inv, err := m.n.Invite(context.Background(), control.InviteRequest{Name: name, Groups: groups})
	if err != nil {
		m.t.Fatalf("inviting %s: %v", name, err)
	}
	return inv.Token
}

// join starts another member and lets it join.
func (m *member) join(name string, groups []string, edit ...func(*Options)) *member {
	m.t.Helper()
	j := newMember(m.t, name, edit...).start()
	if _, err := j.n.Join(context.Background(), m.invite(name, groups...)); err != nil {
		m.t.Fatalf("%s joins: %v", name, err)
	}
	return j
}

var states, partners = []string{"states"}, []string{"partners"}

// newAlliance is alpha and beta, states, and gamma, a partner; all follow one another.
func newAlliance(t testing.TB) (alpha, beta, gamma *member) {
	t.Helper()
	alpha = founder(t, "alpha")
	beta = alpha.join("beta", states)
	gamma = alpha.join("gamma", partners)
	allLive(t, alpha, beta, gamma)
	return alpha, beta, gamma
}

// allLive waits until every one of these members follows every other.
func allLive(t testing.TB, members ...*member) {
	t.Helper()
	for _, m := range members {
		for _, other := range members {
			if m != other {
				until(t, fmt.Sprintf("%s follows %s", m.name, other.name), func() bool { return m.sees(other.name).State == "live" })
			}
		}
	}
}

// sees is another member as this one sees it; zero where it is not in the roster.
func (m *member) sees(name string) status.Member {
	m.t.Helper()
	a, err := m.n.Alliance(context.Background())
	if err != nil {
		m.t.Fatal(err)
	}
	for _, other := range a.Members {
		if other.ID == name {
			return other
		}
	}
	return status.Member{}
}

func (m *member) status() status.Node {
	m.t.Helper()
	s, err := m.n.Status(context.Background())
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

// warns says whether a standing warning tells all of this.
func (m *member) warns(parts ...string) bool {
	m.t.Helper()
	for _, w := range m.status().Warnings {
		if containsAll(w, parts...) {
			return true
		}
	}
	return false
}

// rule is a Sigma rule that finds one command line.
func rule(n int, needle string) control.File {
	return control.File{Name: fmt.Sprintf("rule-%d.yml", n), Data: fmt.Appendf(nil, `title: Rule %d
id: 00000000-0000-4000-8000-%012d
author: A. Author
date: 2026-01-02
logsource:
    product: windows
    category: process_creation
detection:
    selection:
        CommandLine|contains: '%s'
    condition: selection
level: high
`, n, n, needle)}
}

func ruleID(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// bundle is a STIX bundle with an indicator of a domain, marked by its creator.
func bundle(n int, domain, marking string) control.File {
	return control.File{Name: fmt.Sprintf("bundle-%d.json", n), Data: fmt.Appendf(nil, `{"type":"bundle","id":"bundle--00000000-0000-4000-9000-%012d","objects":[
 {"type":"indicator","spec_version":"2.1","id":%q,"created":"2026-01-02T00:00:00.000Z","modified":"2026-01-02T00:00:00.000Z",
  "name":"Domain %d","pattern":"[domain-name:value = '%s']","pattern_type":"stix","valid_from":"2026-01-02T00:00:00Z","object_marking_refs":[%q]}]}`,
		n, indicatorID(n), n, domain, marking)}
}

func indicatorID(n int) string { return fmt.Sprintf("indicator--00000000-0000-4000-a000-%012d", n) }

// TLP 2.0's own marking definitions (STIX 2.1 TLP extension).
const markGreen = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"

// publish shares files.
func (m *member) publish(tlp string, to []string, files ...control.File) control.PublishResult {
	m.t.Helper()
	res, err := m.n.Publish(context.Background(), control.PublishRequest{Files: files, TLP: tlp, To: to})
	if err != nil {
		m.t.Fatalf("%s publishes: %v", m.name, err)
	}
	return res
}

// hosts numbers the computers of events, so that what one rule finds again and again is told each time.
var hosts atomic.Int64

func host() string { return fmt.Sprintf("ws%d", hosts.Add(1)) }

// command is a process that was started with a command line.
func command(line string) *event.Event {
	return &event.Event{
		Time: time.Now().UTC(), Source: "test", Record: "1", Computer: host(), Product: "windows", Category: "process_creation",
		Fields: []event.Field{{Name: "CommandLine", Value: event.Str(line)}, {Name: "Image", Value: event.Str(`C:\Windows\cmd.exe`)}},
	}
}

// query is a name that was asked for.
func query(domain string) *event.Event {
	return &event.Event{
		Time: time.Now().UTC(), Source: "test", Record: "1", Computer: host(), Product: "windows", Category: "dns_query",
		Fields: []event.Field{{Name: "QueryName", Value: event.Str(domain)}},
	}
}

// detects submits an event and says which detections it made.
func (m *member) detects(ev *event.Event) []status.Detection {
	m.t.Helper()
	before := m.detections()
	if err := m.n.Submit(context.Background(), ev); err != nil {
		m.t.Fatalf("%s takes an event: %v", m.name, err)
	}
	return m.detections()[len(before):]
}

func (m *member) detections() []status.Detection {
	m.t.Helper()
	var out []status.Detection
	err := m.n.DetectionsSince(context.Background(), time.Time{}, func(d status.Detection) error {
		out = append(out, d)
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

// matches says whether an event is detected by what a publisher shared.
func (m *member) matches(ev *event.Event, publisher string) bool {
	m.t.Helper()
	for _, d := range m.detects(ev) {
		if d.Publisher == publisher {
			return true
		}
	}
	return false
}

// caughtUp waits until members act on all that m published so far.
func (m *member) caughtUp(members ...*member) {
	m.t.Helper()
	size := m.status().Log.Size
	for _, other := range members {
		until(m.t, fmt.Sprintf("%s acts on all %d entries of %s", other.name, size, m.name), func() bool { return m.sees(other.name).TheirApplied >= size })
	}
}

// verify checks the member's own log whole.
func (m *member) verify() memberlog.Report {
	m.t.Helper()
	r, err := m.n.current.Load().log.Check(context.Background())
	if err != nil {
		m.t.Error(err)
	}
	return r
}

// verifyMirror checks the copy that m keeps of another member's log.
func (m *member) verifyMirror(of *member) {
	m.t.Helper()
	card := m.n.current.Load().roll.Now().Card(of.name)
	v, err := merkle.NewVerifier(card.LogID(), card.Log.Key)
	if err != nil {
		m.t.Fatal(err)
	}
	want := of.status().Log.Size
	until(m.t, fmt.Sprintf("%s keeps %d entries of %s", m.name, want, of.name), func() bool { return m.sees(of.name).Size >= want })
	r, err := memberlog.Check[*sqlite.Tx](context.Background(), m.n.store.View, card.LogID(), v)
	if err != nil || r.Size < want {
		m.t.Errorf("%s keeps %d of the %d entries of %s: %v", m.name, r.Size, want, of.name, err)
	}
}

// copyFolder copies a data folder as a backup would.
func copyFolder(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	keepModes(t, from, to)
	return to
}

// keepModes gives copied files the modes of their originals, which os.CopyFS widens by the umask's leave.
func keepModes(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return os.Chmod(filepath.Join(to, rel), info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// putBack replaces a folder by a copy of it.
func putBack(t testing.TB, backup, folder string) {
	t.Helper()
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(folder, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	keepModes(t, backup, folder)
}

// hashFolder is one hash over the names, modes and contents of a folder's files, the lock left out.
func hashFolder(t testing.TB, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == lockFile {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %v %d\n%s\n", path, info.Mode(), len(data), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}
