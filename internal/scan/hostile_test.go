package scan

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"shieldwall/internal/sigma"
)

func gzipped(t testing.TB, parts ...io.Reader) string {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, io.MultiReader(parts...)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// endless gives one byte for ever.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

// TestHostileJSON scans what is meant to break a scanner: it costs its own value, and the good event behind it
// is still found.
func TestHostileJSON(t *testing.T) {
	good := vssLine(1, "vssadmin delete shadows")
	deep := func(open, shut string) string {
		return `{"a":` + strings.Repeat(open, 100_000) + strings.Repeat(shut, 100_000) + "}\n" + good
	}
	rules := files(t, map[string]string{"vss.yml": vssRule})
	for name, content := range map[string]string{
		"100 MB on one line":    gzipped(t, strings.NewReader(`{"a":"`), io.LimitReader(endless('x'), 100<<20), strings.NewReader("\"}\n"+good)),
		"100 MB and no end":     gzipped(t, strings.NewReader(good+`{"a":"`), io.LimitReader(endless('x'), 100<<20)),
		"deep arrays":           deep("[", "]"),
		"deep objects":          deep(`{"a":`, "1}"),
		"deep and never closed": good + `{"a":` + strings.Repeat("[", 1_000_000),
		"cut off":               good + good[:40],
		"a name of a megabyte":  `{"` + strings.Repeat("n", 1<<20) + "\":1}\n" + good,
		"a million fields":      "{" + strings.Repeat(`"x":[1,2,3],`, 300_000) + "\"y\":1}\n" + good,
		"half a gzip":           gzipped(t, strings.NewReader(strings.Repeat(good, 1)), io.LimitReader(endless(' '), 1<<20))[:900],
	} {
		t.Run(name, func(t *testing.T) {
			dir := files(t, map[string]string{"in.json": content})
			got := run(t, Options{Rules: []string{rules}, Paths: []string{dir}})
			if got.err != nil || len(got.detections) != 1 || len(got.problems) == 0 || len(got.problems) > 2 {
				t.Errorf("%v; %d detections, problems %v", got.err, len(got.detections), got.problems)
			}
			for _, p := range got.problems {
				if len(p.Error()) > 1<<10 {
					t.Errorf("a message of %d bytes", len(p.Error()))
				}
			}
		})
	}
	t.Run("invalid UTF-8", func(t *testing.T) {
		line := strings.Replace(good, "vssadmin", "\xff\xfe\xed\xa0\x80", 1)
		dir := files(t, map[string]string{"in.json": line})
		got := run(t, Options{Rules: []string{rules}, Paths: []string{dir}})
		if len(got.detections) != 1 || !strings.Contains(got.detections[0].Fields["CommandLine"], "\uFFFD") {
			t.Errorf("%+v, %v", got.detections, got.problems)
		}
	})
}

// TestHostileTime has a time in the year 60056, which JSON has no spelling for.
func TestHostileTime(t *testing.T) {
	data := corpusFile(t, "evtx", "Execution")
	rules := files(t, map[string]string{"any.yml": strings.NewReplacer("CommandLine|contains: 'delete shadows'", "EventID|contains: ''",
		", category: process_creation", "").Replace(vssRule)})
	binary.LittleEndian.PutUint64(data[4096+512+16:], 1<<63-1)
	data[4096+120] |= 4 // no checksums
	dir := files(t, map[string]string{"in.evtx": string(data)})
	got := run(t, Options{Rules: []string{rules}, Paths: []string{dir}})
	if got.err != nil || got.Detections == 0 {
		t.Errorf("%v, %d detections", got.err, got.Detections)
	}
}

// TestHostileEVTX cuts and damages a log in many ways; a good file behind it is still read.
func TestHostileEVTX(t *testing.T) {
	data := corpusFile(t, "evtx", "Execution")
	rules := files(t, map[string]string{"vss.yml": vssRule})
	content := map[string]string{"z.jsonl": vssLine(1, "delete shadows")}
	for _, n := range []int{8, 100, 128, 4096, 4097, 4096 + 511, 4096 + 513, 4096 + 20_000, len(data) - 1} {
		content[fmt.Sprintf("cut-%06d.evtx", n)] = string(data[:min(n, len(data))])
	}
	for seed := range 40 {
		damaged := bytes.Clone(data)
		x := uint64(seed)*0x9E3779B97F4A7C15 + 1
		for range 50 {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			damaged[int(x%uint64(len(damaged)-8))+8] = byte(x >> 32)
		}
		damaged[4096+120] |= 4 // so that the damage is not just a wrong checksum
		content[fmt.Sprintf("damaged-%02d.evtx", seed)] = string(damaged)
	}
	got := run(t, Options{Rules: []string{rules}, Paths: []string{files(t, content)}})
	if got.err != nil || got.Files != int64(len(content)) || got.Errors == 0 {
		t.Errorf("%v; %d files of %d, %d errors", got.err, got.Files, len(content), got.Errors)
	}
	if n := len(got.detections); n == 0 || !strings.HasSuffix(got.detections[n-1].Source, "z.jsonl") {
		t.Errorf("the good file behind them was not read: %d detections", n)
	}
	for _, p := range got.problems {
		if !strings.HasSuffix(p.Source, ".evtx") {
			t.Errorf("problem without its file: %v", p)
		}
	}
}

// TestNothingIsLostInSilence: a log without its header is read, of a compressed one that is cut what came before the
// cut, and what is not read has its name in a problem or among what was skipped.
func TestNothingIsLostInSilence(t *testing.T) {
	data := corpusFile(t, "evtx", "Execution")
	headless := append(make([]byte, 4096), data[4096:]...)
	packed := gzipped(t, bytes.NewReader(data))
	whole := run(t, Options{Rules: []string{corpus(t, "sigma", "rules", "windows")}, Paths: []string{files(t, map[string]string{"a.evtx": string(data)})}})
	dir := files(t, map[string]string{
		"cut.gz": packed[:len(packed)/2], "headless": string(headless), "none.evtx": "text", "notes.txt": "text", "x.7z": "7z\xbc\xaf\x27\x1c",
	})
	links := true
	for _, name := range []string{"link.evtx", "folder"} {
		if err := os.Symlink(dir, filepath.Join(dir, name)); err != nil {
			links = false // none here
		}
	}
	got := run(t, Options{Rules: []string{corpus(t, "sigma", "rules", "windows")}, Paths: []string{dir}})
	if got.Events <= whole.Events || got.Events > 2*whole.Events || whole.Events == 0 {
		t.Errorf("%d events; the log has %d, and of a half of it as it was packed some are left", got.Events, whole.Events)
	}
	for source, want := range map[string]string{
		"cut.gz": "unexpected EOF", "headless": "file header", "none.evtx": "neither an event log", "x.7z": "7z: archives of this kind are not opened",
	} {
		if !slices.ContainsFunc(got.problems, func(p Problem) bool {
			return p.Source == filepath.Join(dir, source) && strings.Contains(p.Err.Error(), want)
		}) {
			t.Errorf("no problem of %s says %q: %v", source, want, got.problems)
		}
	}
	want := []Skipped{{Source: filepath.Join(dir, "notes.txt")}}
	if links {
		want = []Skipped{{filepath.Join(dir, "folder"), true}, {filepath.Join(dir, "link.evtx"), true}, want[0]}
	}
	if !slices.Equal(got.skipped, want) {
		t.Errorf("skipped %v, want %v", got.skipped, want)
	}
}

// TestLinkedRulesAreNamed: a link among rules is not followed, and not passed over in silence either.
func TestLinkedRulesAreNamed(t *testing.T) {
	away := files(t, map[string]string{"vss.yml": vssRule})
	dir := files(t, map[string]string{"readme.md": "# rules"})
	for link, to := range map[string]string{"vss.yml": filepath.Join(away, "vss.yml"), "more": away, "note": filepath.Join(away, "none")} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	report, err := CheckRules([]string{dir}, sigma.Options{})
	if err != nil || len(report.Rejected) != 2 || report.Loaded != 0 {
		t.Fatalf("%+v, %v; want two rejections", report, err)
	}
	for i, name := range []string{"more", "vss.yml"} {
		if r := report.Rejected[i]; r.File != filepath.Join(dir, name) || !strings.Contains(r.Detail, "not followed") {
			t.Errorf("%+v", r)
		}
	}
}
