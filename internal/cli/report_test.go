package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/report"
	"shieldwall/internal/scan"
	"shieldwall/internal/status"
)

func open(t *testing.T, stdout *bytes.Buffer, format, path string, force bool) *reportFile {
	t.Helper()
	r, err := openReport(&program{stdout: stdout, now: time.Now}, format, path, force)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// names are the files of a folder.
func names(t *testing.T, dir string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

// TestReportFile: a report gets its name when it is whole, readable by its owner, and leaves nothing else.
func TestReportFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.csv")
	for _, force := range []bool{false, true} {
		r := open(t, nil, report.CSV, path, force)
		if err := r.Detection(&status.Detection{Title: "t"}); err != nil {
			t.Fatal(err)
		}
		if got := names(t, dir); !force && (len(got) != 1 || got[0] == "report.csv") {
			t.Errorf("before its end there are %q", got)
		}
		if err := r.finish(scan.Stats{}, true); err != nil {
			t.Fatal(err)
		}
		r.discard()
		info, err := os.Stat(path)
		if got := names(t, dir); err != nil || len(got) != 1 || runtime.GOOS != "windows" && info.Mode() != 0o600 {
			t.Errorf("%q, %v, %v", got, info, err)
		}
	}
}

// TestReportFileTaken: a file that came to be meanwhile is left alone, and the report is not lost.
func TestReportFileTaken(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.csv")
	r := open(t, nil, report.CSV, path, false)
	if err := os.WriteFile(path, []byte("another's"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := r.finish(scan.Stats{}, true)
	r.discard()
	if err == nil || !strings.Contains(err.Error(), "the report is in ") {
		t.Fatalf("%v", err)
	}
	_, where, _ := strings.Cut(err.Error(), "the report is in ")
	if kept, err := os.ReadFile(where); err != nil || !bytes.HasPrefix(kept, []byte("Timestamp,")) {
		t.Errorf("%q, %v", kept, err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "another's" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestReportInterrupted: a scan that does not end well leaves no file; lines that went to stdout stay.
func TestReportInterrupted(t *testing.T) {
	for _, format := range report.Formats {
		dir, stdout := t.TempDir(), bytes.Buffer{}
		toFile, toStdout := open(t, nil, format, filepath.Join(dir, "out"), false), open(t, &stdout, format, "", false)
		for _, r := range []*reportFile{toFile, toStdout} {
			if err := errors.Join(r.Detection(&status.Detection{Title: "t"}), r.finish(scan.Stats{}, false)); err != nil {
				t.Fatal(err)
			}
			r.discard()
		}
		if got := names(t, dir); len(got) > 0 {
			t.Errorf("%s: there are %q", format, got)
		}
		if lines := bytes.Count(stdout.Bytes(), []byte{'\n'}); lines == 1 != (format == report.JSONL) {
			t.Errorf("%s: %d lines", format, lines)
		}
	}
}

// TestScratch: a temporary file is gone when the report is.
func TestScratch(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	r := open(t, &bytes.Buffer{}, report.CSV, "-", false)
	s, err := r.newScratch()
	if err != nil {
		t.Fatal(err)
	}
	back := make([]byte, 3)
	if _, err := s.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadAt(back, 0); err != nil || string(back) != "abc" {
		t.Errorf("%q, %v", back, err)
	}
	r.discard()
	if got := names(t, dir); len(got) > 0 {
		t.Errorf("there are %q", got)
	}
}
