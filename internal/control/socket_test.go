package control

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestSocketIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps permissions elsewhere")
	}
	data := t.TempDir()
	os.Mkdir(filepath.Join(data, runFolder), 0o755) // as a careless backup put it back
	l, err := Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if m := mode(t, filepath.Join(data, runFolder)); m.Perm() != 0o700 {
		t.Errorf("the folder is %v", m)
	}
	if m := mode(t, filepath.Join(data, runFolder, socketName)); m.Perm() != 0o600 || m.Type() != fs.ModeSocket {
		t.Errorf("the socket is %v", m)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	data := t.TempDir()
	l, err := Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	// A killed process leaves its socket behind.
	l.(*ownListener).Listener.(*net.UnixListener).SetUnlinkOnClose(false)
	l.(*ownListener).Listener.Close()
	if _, err := Dial(data); !errors.Is(err, ErrNoNode) {
		t.Errorf("a stale socket answered: %v", err)
	}
	next, err := Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Dial(data)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(data, runFolder, socketName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket outlived its listener: %v", err)
	}
}

// A listener closed twice must not take its successor's socket.
func TestSecondCloseTouchesNothing(t *testing.T) {
	data := t.TempDir()
	l, err := Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	next, err := Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close gave %v", err)
	}
	if _, err := Dial(data); err != nil {
		t.Errorf("the successor does not answer: %v", err)
	}
}

func TestSomethingElseInTheWay(t *testing.T) {
	data := t.TempDir()
	path := filepath.Join(data, runFolder, socketName)
	os.Mkdir(filepath.Dir(path), 0o700)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(data); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Error("the file was touched")
	}
}

func TestNoDataFolder(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	if _, err := Listen(none); err == nil {
		t.Error("listened in no folder")
	}
	if _, err := Dial(none); !errors.Is(err, ErrNoNode) {
		t.Errorf("got %v", err)
	}
}

func longFolder(t *testing.T) string {
	data := filepath.Join(t.TempDir(), strings.Repeat("long/", 40))
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestLongPath(t *testing.T) {
	t.Setenv("TMPDIR", shortTemp(t))
	data := longFolder(t)
	l, err := Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Dial(data)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	path, err := recorded(filepath.Join(data, runFolder))
	if err != nil {
		t.Fatal(err)
	}
	if m := mode(t, filepath.Dir(path)); runtime.GOOS != "windows" && m.Perm() != 0o700 {
		t.Errorf("the folder is %v", m)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	for _, left := range []string{filepath.Dir(path), filepath.Join(data, runFolder, pathName)} {
		if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was left: %v", left, err)
		}
	}
	if _, err := Dial(data); !errors.Is(err, ErrNoNode) {
		t.Errorf("got %v", err)
	}
}

func shortTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestLongPathAfterAKill(t *testing.T) {
	t.Setenv("TMPDIR", shortTemp(t))
	data := longFolder(t)
	l, err := Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	l.(*ownListener).Listener.(*net.UnixListener).SetUnlinkOnClose(false)
	l.(*ownListener).Listener.Close()
	old, err := recorded(filepath.Join(data, runFolder))
	if err != nil {
		t.Fatal(err)
	}
	next, err := Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if _, err := os.Lstat(filepath.Dir(old)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the killed process's folder was left: %v", err)
	}
	if _, err := Dial(data); err != nil {
		t.Error(err)
	}
}

func TestEverythingTooLong(t *testing.T) {
	data := longFolder(t)
	t.Setenv("TMPDIR", data)
	if _, err := Listen(data); err == nil || !strings.Contains(err.Error(), "too long for a socket") {
		t.Errorf("got %v", err)
	}
}

// What is recorded is believed only where it is a private folder of the form that Listen makes.
func TestRecordedPathIsChecked(t *testing.T) {
	temp := shortTemp(t)
	open := filepath.Join(temp, tempPrefix+"open")
	os.Mkdir(open, 0o700)
	os.Chmod(open, 0o777)
	private := filepath.Join(temp, tempPrefix+"private")
	os.Mkdir(private, 0o700)
	os.Symlink(private, filepath.Join(temp, tempPrefix+"link"))
	for _, tt := range []struct{ path, want string }{
		{"", "does not name"},
		{"relative/" + socketName, "does not name"},
		{filepath.Join(temp, "other", socketName), "does not name"},
		{filepath.Join(private, "passwd"), "does not name"},
		{filepath.Join(open, socketName), "not a private folder"},
		{filepath.Join(temp, tempPrefix+"link", socketName), "not a private folder"},
		{filepath.Join(temp, tempPrefix+strings.Repeat("x", 200), socketName), "does not name"},
	} {
		if runtime.GOOS == "windows" && strings.Contains(tt.path, "open") {
			continue
		}
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, pathName), []byte(tt.path), 0o600)
		if _, err := recorded(dir); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q gave %v, want %q", tt.path, err, tt.want)
		}
	}
}
