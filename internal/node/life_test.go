package node

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/config"
	"shieldwall/internal/control"
	"shieldwall/internal/keys"
	"shieldwall/internal/store/sqlite"
)

// TestFirstAndSecondStart: an empty folder becomes a member with keys, a store and an alliance of one; a
// second start finds all of it again, the shared rule live in its matcher.
func TestFirstAndSecondStart(t *testing.T) {
	t.Parallel()
	m := newMember(t, "alpha").start()
	first := m.status()
	if first.Member != "alpha" || first.Alliance.Name != "alpha" || len(first.Alliance.Members) != 1 || first.Log.Size != 1 {
		t.Errorf("a first start gives %+v", first)
	}
	if !m.sees("alpha").Self || m.sees("alpha").State != "self" {
		t.Errorf("it sees itself as %+v", m.sees("alpha"))
	}
	if !m.warns("recovery kit") {
		t.Errorf("nobody is told of the recovery kit: %q", first.Warnings)
	}
	onlyMine(t, m.opt.Config.Data)
	onlyMine(t, filepath.Dir(m.opt.Config.Guard))
	m.publish("green", nil, rule(1, "first-start"))
	if err := os.Remove(filepath.Join(m.opt.Config.Data, keys.KitFile)); err != nil {
		t.Fatal(err)
	}

	m.restart(elsewhere, func(o *Options) { o.Passphrase = nil })
	again := m.status()
	if again.Alliance.ID != first.Alliance.ID || again.Log.ID != first.Log.ID || again.Log.Size < 3 || again.Alliance.Version != first.Alliance.Version {
		t.Errorf("a second start gives %+v %+v", again.Alliance, again.Log)
	}
	if again.Objects != 1 || again.Rules != 1 || len(m.detects(command("a first-start b"))) != 1 {
		t.Errorf("%d objects, %d rules live after a restart", again.Objects, again.Rules)
	}
	if m.warns("recovery kit") || m.warns("incarnation") {
		t.Errorf("warnings after a restart: %q", again.Warnings)
	}
	m.verify()
}

// onlyMine wants every file below a folder to be its owner's alone.
func onlyMine(t *testing.T, dir string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return
	}
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		seen++
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil || seen < 2 {
		t.Errorf("%d files below %s: %v", seen, dir, err)
	}
}

// TestSecondProcess: a data folder has one owner at a time.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	m := newMember(t, "alpha").start()
	if n, err := Open(t.Context(), m.opt); !errors.Is(err, ErrInUse) {
		t.Errorf("a second one opens it too: %v, %v", n, err)
	}
	m.publish("green", nil, rule(1, "still-here")) // the one that has it is not disturbed
	m.halt()
	m.open()
}

// TestEmptyFolder: without somebody to give a passphrase no member is made, and nothing is left behind that a
// later start would take for one.
func TestEmptyFolder(t *testing.T) {
	t.Parallel()
	m := newMember(t, "alpha", func(o *Options) { o.Passphrase = nil })
	for range 2 {
		if _, err := Open(t.Context(), m.opt); !errors.Is(err, ErrEmpty) {
			t.Fatalf("a folder that is not there: %v", err)
		}
		if _, err := os.Stat(m.opt.Config.Data); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("asking made the folder: %v", err)
		}
	}
	if err := os.MkdirAll(m.opt.Config.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Open(t.Context(), m.opt); !errors.Is(err, ErrEmpty) {
			t.Fatalf("an empty folder: %v", err)
		}
	}
	// A passphrase that cannot be had is an error of its own, and leaves no keys.
	broken := errors.New("the terminal went away")
	m.opt.Passphrase = func() (string, error) { return "", broken }
	if _, err := Open(t.Context(), m.opt); !errors.Is(err, broken) || keys.Exists(m.opt.Config.Data) {
		t.Fatalf("without a passphrase: %v", err)
	}
	m.opt.Passphrase = func() (string, error) { return keys.Passphrase(random) }
	m.start()
}

// TestInterruptedFirstStart: a first start that was cut off at any point is begun anew or gone on with.
func TestInterruptedFirstStart(t *testing.T) {
	t.Parallel()
	for name, undo := range map[string]func(t *testing.T, c config.Config){
		"keys but no store": func(t *testing.T, c config.Config) { removeStore(t, c.Data) },
		"an empty store": func(t *testing.T, c config.Config) {
			removeStore(t, c.Data)
			s, err := sqlite.Open(t.Context(), filepath.Join(c.Data, storeFile), sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMember(t, "alpha")
			m.open()
			m.halt()
			undo(t, m.opt.Config)
			m.start()
			if got := m.status(); got.Log.Size != 1 || m.warns("incarnation") {
				t.Errorf("%+v, %q", got.Log, got.Warnings)
			}
			m.verify()
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func removeStore(t *testing.T, data string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, storeFile+"*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, f := range files {
		remove(t, f)
	}
}

// TestKeysGone: a store whose keys are gone is not made over into a new member's.
func TestKeysGone(t *testing.T) {
	t.Parallel()
	m := newMember(t, "alpha").start()
	m.publish("green", nil, rule(1, "keep-me"))
	id := m.status().Alliance.ID
	m.halt()
	folder, aside := filepath.Join(m.opt.Config.Data, keys.Folder), filepath.Join(t.TempDir(), "keys")
	if err := os.Rename(folder, aside); err != nil {
		t.Fatal(err)
	}
	before := hashFolder(t, m.opt.Config.Data)
	for range 2 {
		_, err := Open(t.Context(), m.opt)
		if err == nil || !containsAll(err.Error(), m.opt.Config.Data, "no keys", "put the keys folder back") {
			t.Fatalf("a store without keys: %v", err)
		}
	}
	if after := hashFolder(t, m.opt.Config.Data); after != before {
		t.Error("the refusal changed the data folder")
	}
	if err := os.Rename(aside, folder); err != nil {
		t.Fatal(err)
	}
	m.start()
	if got := m.status(); got.Alliance.ID != id || got.Objects != 1 {
		t.Errorf("with its keys back it is %+v with %d objects", got.Alliance, got.Objects)
	}
}

// TestReadableKey: a key that others can read is refused with what to do.
func TestReadableKey(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing on Windows")
	}
	m := newMember(t, "alpha")
	m.open()
	m.halt()
	if err := os.Chmod(filepath.Join(m.opt.Config.Data, keys.Folder, "node.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), m.opt); err == nil || !containsAll(err.Error(), "node.key", "chmod 600") {
		t.Errorf("a readable key: %v", err)
	}
}

// TestNewerStore: what a newer program left is refused, whole and unchanged.
func TestNewerStore(t *testing.T) {
	t.Parallel()
	m := newMember(t, "alpha")
	m.open()
	m.halt()
	// SQLite keeps the version that a program gave in bytes 60 to 63 of the file (file format, 1.3.15).
	path := filepath.Join(m.opt.Config.Data, storeFile)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0, 0, 0x7f, 0xff}, 60); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	before := hashFolder(t, m.opt.Config.Data)
	if _, err := Open(t.Context(), m.opt); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a database of version 32767: %v", err)
	}
	if after := hashFolder(t, m.opt.Config.Data); after != before {
		t.Error("the refusal changed the data folder")
	}
}

// TestCleanEnd: the end of its context is no error of a node, whatever the context's cause (a signal has one
// of its own), however many allies hold streams open.
func TestCleanEnd(t *testing.T) {
	t.Parallel()
	alpha, beta, gamma := newAlliance(t)
	alpha.publish("green", nil, rule(1, "before the end"))
	alpha.caughtUp(beta, gamma)
	alpha.halt() // fails the test if Run returns an error
	n := alpha.open()
	ctx, cancel := context.WithCancelCause(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- n.Run(ctx, func(Ready) { close(ready) }) }()
	<-ready
	cancel(errors.New("terminated signal received"))
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("a signal ended the node with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the node does not end")
	}
}

// TestEndBeforeItServes: a context that has ended already is no error either.
func TestEndBeforeItServes(t *testing.T) {
	t.Parallel()
	m := newMember(t, "alpha")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.open().Run(ctx, nil); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestPeerAddressTaken: an address that is in use is an error that names it, and the folder is free again.
func TestPeerAddressTaken(t *testing.T) {
	t.Parallel()
	a := newMember(t, "alpha").start()
	b := newMember(t, "beta", func(o *Options) { o.Config.Peer.Listen = a.peer })
	n := b.open()
	if err := n.Run(t.Context(), nil); err == nil || !containsAll(err.Error(), "listening for peers", a.peer) {
		t.Errorf("Run: %v", err)
	}
	b.halt()
	b.restart(elsewhere)
}

// TestAllianceNew: the founder names its alliance and is refused once it has company.
func TestAllianceNew(t *testing.T) {
	t.Parallel()
	m := newMember(t, "alpha").start()
	for name, req := range map[string]control.AllianceRequest{
		"no name":          {Name: ""},
		"a group twice":    {Name: "x", Groups: []string{"states", "states"}},
		"a bad group":      {Name: "x", Groups: []string{"No Group"}},
		"a taken word":     {Name: "x", Groups: []string{"everyone"}},
		"a member's name":  {Name: "x", Groups: []string{"alpha"}},
		"in another group": {Name: "x", Groups: []string{"states"}, In: []string{"rail"}},
	} {
		if a, err := m.n.AllianceNew(t.Context(), req); err == nil {
			t.Errorf("%s is taken: %+v", name, a)
		}
	}
	a, err := m.n.AllianceNew(t.Context(), control.AllianceRequest{Name: "Baltic shield", Groups: []string{"states", "rail"}, In: []string{"rail"}})
	if err != nil || a.Name != "Baltic shield" || strings.Join(a.Groups, " ") != "rail states" || a.Version != 2 || strings.Join(m.sees("alpha").Groups, " ") != "rail" {
		t.Errorf("%+v, %v", a, err)
	}
	m.join("beta", states)
	_, err = m.n.AllianceNew(t.Context(), control.AllianceRequest{Name: "another"})
	wantErr(t, err, control.Refused, "Baltic shield", "other members")
	m.restart()
	if got := m.status().Alliance; got.Name != "Baltic shield" || len(got.Members) != 2 {
		t.Errorf("after a restart: %+v", got)
	}
}
