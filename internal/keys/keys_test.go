package keys

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 3, 2, 3, 11, 0, 0, time.UTC)

func create(t *testing.T) (string, *Keys) {
	t.Helper()
	data := t.TempDir()
	k, err := Create(data, filepath.Join(data, OfficerFile), Options{Passphrase: "correct horse battery", Iterations: 10, Rand: rand.Reader, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return data, k
}

func TestCreateThenLoad(t *testing.T) {
	data, k := create(t)
	again, err := Load(data)
	if err != nil {
		t.Fatal(err)
	}
	if !again.TLS.Equal(k.TLS) || !again.Witness.Equal(k.Witness) || again.Delegation != k.Delegation || !bytes.Equal(again.HPKE.PublicKey().Bytes(), k.HPKE.PublicKey().Bytes()) {
		t.Fatal("the keys loaded are others")
	}
	if _, err := Create(data, filepath.Join(data, OfficerFile), Options{Passphrase: "correct horse battery", Rand: rand.Reader, Now: now}); err == nil {
		t.Fatal("keys were overwritten")
	}
	err = filepath.WalkDir(data, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !KitHere(data) {
		t.Error("the kit is not seen")
	}
}

func TestKitGivesTheIdentityBack(t *testing.T) {
	data, k := create(t)
	file, err := os.ReadFile(filepath.Join(data, KitFile))
	if err != nil {
		t.Fatal(err)
	}
	seed, err := OpenKit(file, "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	identity, err := seed.Identity()
	if err != nil || !Public(identity).Equal(k.Identity) {
		t.Fatalf("another identity, %v", err)
	}
	if _, err := OpenKit(file, "correct horse batterz"); !errors.Is(err, ErrPassphrase) {
		t.Fatalf("err = %v", err)
	}
	// The seed lies nowhere on the node.
	filepath.WalkDir(data, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, _ := os.ReadFile(path)
			if bytes.Contains(b, seed[:]) || bytes.Contains(b, identity.Seed()) {
				t.Errorf("%s holds the seed", path)
			}
		}
		return err
	})
	for name, bad := range map[string]string{
		"no JSON": "x", "another format": strings.Replace(string(file), " v1", " v9", 1),
		"endless work": strings.Replace(string(file), `"iterations":10`, `"iterations":2000000000`, 1),
	} {
		if _, err := OpenKit([]byte(bad), "correct horse battery"); err == nil || errors.Is(err, ErrPassphrase) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}

// TestKitVector holds the format and the derivations still: a kit written today must open for ever.
func TestKitVector(t *testing.T) {
	var seed Seed
	for i := range seed {
		seed[i] = byte(i)
	}
	identity, err := seed.Identity()
	if err != nil {
		t.Fatal(err)
	}
	recovery, err := seed.Recovery()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(recovery.PublicKey().Bytes())
	got := hex.EncodeToString(identity.Public().(ed25519.PublicKey)) + " " + hex.EncodeToString(sum[:])
	want, err := os.ReadFile("testdata/derivation.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got != strings.TrimSpace(string(want)) {
		t.Fatalf("derived %s", got)
	}
	file, err := os.ReadFile("testdata/vector.kit")
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := OpenKit(bytes.TrimSpace(file), "a passphrase for the test vector"); err != nil || opened != seed {
		t.Fatalf("the vector does not open: %v", err)
	}
}

func TestDamageIsNamed(t *testing.T) {
	data, _ := create(t)
	path := filepath.Join(data, Folder, tlsFile)
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(data); err == nil || !strings.Contains(err.Error(), "tls.key holds 5 bytes") || strings.Contains(err.Error(), "short") {
		t.Fatalf("err = %v", err)
	}
	if err := os.WriteFile(path, make([]byte, 33), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(data); err == nil || !strings.Contains(err.Error(), "tls.key holds 33 bytes") {
		t.Fatalf("err = %v", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(data); err == nil || !strings.Contains(err.Error(), "read by others") {
		t.Fatalf("err = %v", err)
	}
}

func TestBoxIsBoundToItsPlace(t *testing.T) {
	_, k := create(t)
	sealed := k.Seal([]byte("secret"), "a")
	if got, err := k.Open(sealed, "a"); err != nil || string(got) != "secret" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := k.Open(sealed, "b"); err == nil {
		t.Fatal("opened at another place")
	}
}

func TestLogKeysAreFilesOfTheirOwn(t *testing.T) {
	data, k := create(t)
	a, err := k.NewLog(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := k.NewLog(rand.Reader)
	if err != nil || a.Equal(b) {
		t.Fatalf("err = %v", err)
	}
	again, err := Load(data)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Log(a.Public().(ed25519.PublicKey)); err != nil || !got.Equal(a) {
		t.Fatalf("err = %v", err)
	}
}

func TestPassphrase(t *testing.T) {
	p, err := Passphrase(rand.Reader)
	if err != nil || len(strings.ReplaceAll(p, "-", "")) != 26 || checkPassphrase(p) != nil {
		t.Fatalf("%q, %v", p, err)
	}
	if checkPassphrase("too short") == nil {
		t.Fatal("a short passphrase was accepted")
	}
	if _, err := Passphrase(bytes.NewReader(make([]byte, 16))); err == nil {
		t.Fatal("a passphrase was made from too little randomness")
	}
	if p, err := Passphrase(bytes.NewReader(bytes.Repeat([]byte{0xa5}, 17))); err != nil || p != "uws2l-jnfuw-s2ljn-fuws2-ljnfu-w" {
		t.Fatalf("%q, %v", p, err)
	}
}

// TestPassphraseFromPaper: who types it in need not keep case, spaces and hyphens.
func TestPassphraseFromPaper(t *testing.T) {
	p, err := Passphrase(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	bare := strings.ReplaceAll(p, "-", "")
	for made, typed := range map[string][]string{
		p:                            {p, bare, strings.ToUpper(p), strings.ReplaceAll(p, "-", " "), " " + p + "\n"},
		"Correct Horse - a battery!": {"Correct Horse - a battery!"},
		bare:                         {bare}, // somebody's own, which happens to look like ours
	} {
		file, err := sealKit(rand.Reader, Seed{1}, made, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range typed {
			if seed, err := OpenKit(file, s); err != nil || seed != (Seed{1}) {
				t.Errorf("%q does not open what %q sealed: %v", s, made, err)
			}
		}
		for _, s := range []string{"correct horse - a battery!", made + "a", made[1:], ""} {
			if _, err := OpenKit(file, s); !errors.Is(err, ErrPassphrase) {
				t.Errorf("%q opens what %q sealed: %v", s, made, err)
			}
		}
	}
	for _, n := range []int{-1, 0, maxIterations + 1} {
		if _, err := sealKit(rand.Reader, Seed{}, p, n); err == nil {
			t.Errorf("a kit of %d iterations was made", n)
		}
	}
}

func kitSeeds() []string {
	return []string{
		"", "{}", "null", "[]",
		`{"format":"shieldwall recovery kit v1","kdf":"pbkdf2-sha256","iterations":1,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","sealed":""}`,
		`{"format":"shieldwall recovery kit v1","kdf":"pbkdf2-sha256","iterations":0,"salt":"","sealed":null}`,
		`{"format":"shieldwall recovery kit v1","kdf":"pbkdf2-sha256","iterations":1,"iterations":1,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","sealed":"AAAA"}`,
	}
}

// TestSeeds keeps the fuzz target from running on nothing.
func TestSeeds(t *testing.T) {
	if len(kitSeeds()) < 7 {
		t.Fatal("too few seeds")
	}
	for _, s := range kitSeeds() {
		if _, err := OpenKit([]byte(s), "correct horse battery"); err == nil {
			t.Errorf("%s opened", s)
		}
	}
}

func FuzzOpenKit(f *testing.F) {
	kit, err := sealKit(rand.Reader, Seed{}, "correct horse battery", 1)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range append(kitSeeds(), string(kit)) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 512 {
			return // the work that a kit may ask for is bounded, not small
		}
		if bytes.Contains(data, []byte("iterations")) && !bytes.Contains(data, []byte(`"iterations":1,`)) {
			return
		}
		if seed, err := OpenKit(data, "correct horse battery"); err == nil && seed != (Seed{}) {
			t.Fatalf("%q opens to another seed", data)
		}
	})
}
