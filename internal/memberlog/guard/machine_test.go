package guard

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMachineID(t *testing.T) {
	random := func() *bytes.Reader { return bytes.NewReader(bytes.Repeat([]byte{7}, 16)) }
	none := filepath.Join(t.TempDir(), "none")
	id, err := machineID("0123456789abcdef0123456789abcdef\n", none, random())
	if err != nil || len(id) != 32 || strings.Contains(id, "0123456789") {
		t.Errorf("system id: %q, %v", id, err)
	}
	if again, _ := machineID(" 0123456789abcdef0123456789abcdef", none, random()); again != id {
		t.Error("white space changes the id")
	}
	if other, _ := machineID("0123456789abcdef0123456789abcdee", none, random()); other == id {
		t.Error("two machines share an id")
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("an id was kept although the system has one")
	}
	for _, system := range []string{"", "\n", "uninitialized\n"} {
		beside := filepath.Join(t.TempDir(), "folder", "machine-id")
		first, err := machineID(system, beside, random())
		if err != nil || len(first) != 32 || first == id {
			t.Errorf("%q: %q, %v", system, first, err)
		}
		// A restart finds the kept one and asks for no randomness.
		if second, err := machineID(system, beside, bytes.NewReader(nil)); err != nil || second != first {
			t.Errorf("%q after a restart: %q, %v", system, second, err)
		}
		if err := os.WriteFile(beside, []byte("something else"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := machineID(system, beside, random()); err == nil {
			t.Errorf("%q: a damaged id gave %q", system, got)
		}
	}
	if _, err := machineID("", filepath.Join(t.TempDir(), "x"), bytes.NewReader(nil)); err == nil {
		t.Error("an id without randomness")
	}
	real1, err1 := MachineID(filepath.Join(t.TempDir(), "m"))
	if err1 != nil || len(real1) != 32 {
		t.Errorf("this machine: %q, %v", real1, err1)
	}
}

func TestSameDisk(t *testing.T) {
	dir := t.TempDir()
	for _, other := range []string{dir, filepath.Join(dir, "not", "there", "yet"), filepath.Dir(dir)} {
		if same, err := SameDisk(filepath.Join(dir, "data"), other); err != nil || !same {
			t.Errorf("%s: %v, %v", other, same, err)
		}
	}
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		if same, err := SameDisk(dir, "/dev/shm"); err != nil {
			t.Error(err)
		} else {
			t.Logf("%s and /dev/shm on one disk: %v", "the test's folder", same)
		}
		if same, err := SameDisk("/proc", "/dev/shm"); err != nil || same {
			t.Errorf("two memory file systems: %v, %v", same, err)
		}
	}
}
