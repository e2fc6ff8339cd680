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
		alliance string
		version  uint64
		hash     string
		refused  bool
	}{
		{"a", 2, "h2", false}, {"a", 2, "h2", false}, {"a", 2, "other", true}, {"b", 2, "other", false},
		{"a", 3, "h3", false}, {"a", 2, "h2", false}, {"a", 1, "late", false}, {"a", 3, "h", true},
	} {
		if err := SignOnce(path, step.alliance, step.version, step.hash); (err != nil) != step.refused {
			t.Errorf("step %d: %v", i, err)
		}
	}
	data, err := os.ReadFile(record)
	if err != nil || string(data) != "a 2 h2\nb 2 other\na 3 h3\na 1 late\n" {
		t.Fatalf("%q, %v", data, err)
	}
	// A line that a crash cut was not signed by; the one that follows is whole.
	if err := os.WriteFile(record, append(data, "a 4 ha"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := SignOnce(path, "a", 4, "other"); err != nil {
		t.Error(err)
	}
	if data, err = os.ReadFile(record); err != nil || !strings.HasSuffix(string(data), "late\na 4 other\n") {
		t.Fatalf("%q, %v", data, err)
	}
	if err := os.WriteFile(record, make([]byte, maxSigned+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := SignOnce(path, "a", 5, "h"); err == nil {
		t.Error("a record over the limit was taken")
	}
	if err := SignOnce(filepath.Join(path, "nowhere"), "a", 1, "h"); err == nil {
		t.Error("signed without a record")
	}
}
