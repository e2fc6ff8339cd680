package keys

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSignOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "officer.key")
	record := path + signedSuffix
	for i, step := range []struct {
		Signing
		refused bool
	}{
		{Signing{"a", 2, "a1", "a2"}, false}, {Signing{"a", 2, "a1", "a2"}, false}, {Signing{"a", 2, "a1", "other"}, true},
		{Signing{"b", 2, "a1", "other"}, true}, {Signing{"b", 2, "b1", "b2"}, false}, {Signing{"a", 3, "a2", "a3"}, false},
		{Signing{"a", 2, "a1", "a2"}, false}, {Signing{"a", 3, "elsewhere", "h"}, true},
	} {
		if err := SignOnce(path, step.Signing); (err != nil) != step.refused {
			t.Errorf("step %d: %v", i, err)
		}
	}
	data, err := os.ReadFile(record)
	if err != nil || string(data) != "a 2 a1 a2\nb 2 b1 b2\na 3 a2 a3\n" {
		t.Fatalf("%q, %v", data, err)
	}
	// A line that a crash cut was not signed by; the one that follows is whole.
	if err := os.WriteFile(record, append(data, "a 4 a3 ha"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := SignOnce(path, Signing{"a", 4, "a3", "other"}); err != nil {
		t.Error(err)
	}
	if data, err = os.ReadFile(record); err != nil || !strings.HasSuffix(string(data), "a3\na 4 a3 other\n") {
		t.Fatalf("%q, %v", data, err)
	}
	if err := os.WriteFile(record, make([]byte, maxSigned+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := SignOnce(path, Signing{"a", 5, "a4", "h"}); err == nil {
		t.Error("a record over the limit was taken")
	}
	if err := SignOnce(filepath.Join(path, "nowhere"), Signing{"a", 1, "", "h"}); err == nil {
		t.Error("signed without a record")
	}
}
