package jsonl

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shieldwall/internal/event"
)

// corpusDir is the folder of real recordings, which the repository does not hold.
func corpusDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SHIELDWALL_CORPUS")
	if dir == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	return dir
}

// startSize is how much of each recording the tests here read, up to a line's end.
const startSize = 1 << 20

// recordings calls yield for the start of every JSON member of the otrf archives.
func recordings(t testing.TB, yield func(name string, data []byte)) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(corpusDir(t), "otrf"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		member := func(name string, r io.Reader) error {
			data, err := io.ReadAll(io.LimitReader(r, startSize))
			data = data[:bytes.LastIndexByte(data, '\n')+1]
			if err == nil && strings.HasSuffix(name, ".json") && !strings.HasPrefix(name, "__MACOSX/") {
				yield(path+"!"+name, data)
			}
			return err
		}
		if strings.HasSuffix(path, ".zip") {
			return eachZip(path, member)
		} else if strings.HasSuffix(path, ".tar.gz") {
			return eachTar(path, member)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func eachZip(path string, yield func(string, io.Reader) error) error {
	z, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return err
		}
		if err := yield(f.Name, r); err != nil {
			return err
		}
	}
	return nil
}

func eachTar(path string, yield func(string, io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	g, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for r := tar.NewReader(g); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := yield(h.Name, r); err != nil {
			return err
		}
	}
}

// TestRecordings decodes the start of each recording; a test of package container counts them whole.
func TestRecordings(t *testing.T) {
	files, events := 0, 0
	recordings(t, func(name string, data []byte) {
		files++
		r := New(bytes.NewReader(data), Options{Source: name})
		for {
			e, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			events++
			if e.Time.IsZero() || e.Record == "" || e.Source != name || e.Computer == "" {
				t.Errorf("%s line %s: no time or computer: %+v", name, e.Record, e)
			}
			if !strings.Contains(name, "Log4Shell") {
				checkWindows(t, e)
			}
		}
		if st := r.Stats(); st.Bytes != int64(len(data)) || st.Errors != 0 || r.line != int64(bytes.Count(data, newline))+1 {
			t.Errorf("%s: %+v, line %d of %d bytes", name, st, r.line, len(data))
		}
	})
	if files != 71 || events == 0 {
		t.Errorf("%d files, %d events", files, events)
	}
}

// checkWindows checks the routing facts; three events of the corpus name no provider.
func checkWindows(t *testing.T, e *event.Event) {
	t.Helper()
	for name, fact := range map[string]string{"Channel": e.Channel, "EventID": e.EventID, "Provider_Name": e.Provider, "Computer": e.Computer} {
		v, ok := e.Get(name)
		if (fact == "" || !ok || v.Text != fact) && !(name == "Provider_Name" && !ok && fact == "") {
			t.Errorf("%s line %s: %s is %q, the field %q", e.Source, e.Record, name, fact, v.Text)
		}
	}
	if year := e.Time.Year(); year < 2018 || year > 2024 {
		t.Errorf("%s line %s: %v", e.Source, e.Record, e.Time)
	}
}
