package keys

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const pass = "correct horse battery"

func createIn(data string, random io.Reader) (*Keys, error) {
	return Create(data, filepath.Join(data, OfficerFile), Options{Passphrase: pass, Iterations: 1, Rand: random, Now: now})
}

// names lists what lies in a data folder, to the files' names.
func names(t *testing.T, data string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, err := filepath.Rel(data, path)
			out = append(out, filepath.ToSlash(rel))
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const complete = "keys/delegate.key keys/delegation keys/hpke.key keys/kit.sha256 keys/node.key keys/tls.key keys/witness.key officer.key recovery.kit"

// TestCreateStopsAnywhere lets Create run out of randomness at every point and begins anew.
func TestCreateStopsAnywhere(t *testing.T) {
	random := make([]byte, 8*32)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	stopped := 0
	for n := 0; n < len(random); n += 16 {
		data := t.TempDir()
		_, err := createIn(data, bytes.NewReader(random[:n]))
		if err == nil {
			continue
		}
		stopped++
		if Exists(data) || KitHere(data) {
			t.Fatalf("stopped after %d bytes, with %q in place", n, names(t, data))
		}
		k, err := createIn(data, rand.Reader)
		if err != nil {
			t.Fatalf("after a stop at %d bytes: %v", n, err)
		}
		if got := strings.Join(names(t, data), " "); got != complete {
			t.Fatalf("after a stop at %d bytes: %s", n, got)
		}
		opensTo(t, data, k)
	}
	if stopped < 12 {
		t.Fatalf("stopped %d times only", stopped)
	}
}

// opensTo checks that the kit in the folder is that of the keys.
func opensTo(t *testing.T, data string, k *Keys) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(data, KitFile))
	if err != nil {
		t.Fatal(err)
	}
	seed, err := OpenKit(file, pass)
	if err != nil {
		t.Fatal(err)
	}
	if identity, err := seed.Identity(); err != nil || !Public(identity).Equal(k.Identity) {
		t.Fatalf("the kit is another identity's: %v", err)
	}
}

// TestCrashBetweenKitAndKeys: the kit is in place, the keys are not yet.
func TestCrashBetweenKitAndKeys(t *testing.T) {
	for name, undo := range map[string]func(data, staged string) error{
		"before the rename": func(string, string) error { return nil },
		"before the other name of the kit is removed": func(data, staged string) error {
			return os.Link(filepath.Join(data, KitFile), filepath.Join(staged, KitFile))
		},
		"before the kit was moved": func(data, staged string) error {
			return os.Rename(filepath.Join(data, KitFile), filepath.Join(staged, KitFile))
		},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			k, err := createIn(data, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			staged := filepath.Join(data, stagingFolder)
			if err := os.Rename(filepath.Join(data, Folder), staged); err != nil {
				t.Fatal(err)
			}
			if err := undo(data, staged); err != nil {
				t.Fatal(err)
			}
			again, err := createIn(data, rand.Reader)
			if err != nil || again.Identity.Equal(k.Identity) {
				t.Fatalf("err = %v", err)
			}
			if got := strings.Join(names(t, data), " "); got != complete {
				t.Fatal(got)
			}
			opensTo(t, data, again)
		})
	}
}

// TestNothingOfSomebodysIsRemoved: a kit is somebody's way back, and keys are keys however few are left.
func TestNothingOfSomebodysIsRemoved(t *testing.T) {
	old := t.TempDir()
	if _, err := createIn(old, rand.Reader); err != nil {
		t.Fatal(err)
	}
	kit, err := os.ReadFile(filepath.Join(old, KitFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"a kit": 0o600, "a kit that others can read": 0o644} {
		data := t.TempDir()
		if err := os.WriteFile(filepath.Join(data, KitFile), kit, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := createIn(data, rand.Reader); err == nil || !strings.Contains(err.Error(), "restore") {
			t.Errorf("%s: err = %v", name, err)
		}
		if got, err := os.ReadFile(filepath.Join(data, KitFile)); err != nil || !bytes.Equal(got, kit) {
			t.Errorf("%s is gone: %v", name, err)
		}
	}
	before := names(t, old)
	if err := os.Remove(filepath.Join(old, Folder, delegationFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := createIn(old, rand.Reader); err == nil {
		t.Error("damaged keys were replaced")
	}
	if _, err := Load(old); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), delegationFile) {
		t.Errorf("err = %v", err)
	}
	if got := names(t, old); len(got) != len(before)-1 {
		t.Errorf("%q, before %q", got, before)
	}
}

func TestOfficerKeyMayLieElsewhere(t *testing.T) {
	data, safe := t.TempDir(), filepath.Join(t.TempDir(), "safe", "x.key")
	opt := Options{Passphrase: pass, Iterations: 1, Rand: rand.Reader, Now: now}
	if _, err := Create(data, safe, opt); err != nil {
		t.Fatal(err)
	}
	key, err := Officer(safe)
	if err != nil {
		t.Fatal(err)
	}
	// One that lies there is taken, if it is one.
	if _, err := Create(t.TempDir(), safe, opt); err != nil {
		t.Fatal(err)
	}
	if again, err := Officer(safe); err != nil || !again.Equal(key) {
		t.Fatalf("the officer key was replaced: %v", err)
	}
	if err := os.WriteFile(safe, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if _, err := Create(other, safe, opt); err == nil || len(names(t, other)) != 0 {
		t.Errorf("err = %v, %q", err, names(t, other))
	}
	if _, err := Officer(filepath.Join(other, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("err = %v", err)
	}
}

func TestFilesAreNotOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.key")
	if err := writeNew(path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := writeNew(path, []byte("second")); err == nil || strings.Contains(err.Error(), "second") {
		t.Errorf("err = %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "first" {
		t.Errorf("%q, %v", got, err)
	}
	if got := names(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("left behind: %q", got)
	}
	if _, err := readSecret(filepath.Dir(path), 0); err == nil {
		t.Error("a folder was read as a key")
	}
	if err := os.WriteFile(path, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSecret(path, 0); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("err = %v", err)
	}
}

// TestEveryFileIsGuarded: each secret that others can read is named, and no error tells what is in it.
func TestEveryFileIsGuarded(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are Unix's")
	}
	for _, name := range []string{nodeFile, tlsFile, hpkeFile, witnessFile, delegateFile, delegationFile} {
		data := t.TempDir()
		if _, err := createIn(data, rand.Reader); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(data, Folder, name)
		for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(data); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "chmod 600") {
				t.Errorf("%s with mode %o: %v", name, mode, err)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(data); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	for name, opt := range map[string]Options{
		"a short passphrase": {Passphrase: "short", Iterations: 1, Rand: rand.Reader, Now: now},
		"no iterations":      {Passphrase: pass, Iterations: -1, Rand: rand.Reader, Now: now},
		"too much work":      {Passphrase: pass, Iterations: maxIterations + 1, Rand: rand.Reader, Now: now},
	} {
		data := t.TempDir()
		if _, err := Create(data, filepath.Join(data, OfficerFile), opt); err == nil || strings.Contains(err.Error(), pass) {
			t.Errorf("%s: err = %v", name, err)
		}
		if Exists(data) || KitHere(data) {
			t.Errorf("%s: something was made", name)
		}
	}
}
