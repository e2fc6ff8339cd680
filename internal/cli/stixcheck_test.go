package cli

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	tool = "{\"type\":\"tool\",\"spec_version\":\"2.1\",\"id\":\"tool--11111111-1111-4111-8111-111111111111\",\n\"created\":\"2024-01-01T00:00:00.000Z\",\"modified\":\"2024-01-01T00:00:00.000Z\",\n\"name\":\"n\"}"
	// badTool has two errors, of which one is what a terminal obeys.
	badTool = "{\"type\":\"tool\",\"spec_version\":\"2.1\",\"id\":\"tool--11111111-1111-4111-8111-111111111111\",\n\"created\":\"2024-01-01T00:00:00.000Z\",\"modified\":\"2024-01-01T00:00:00.000Z\",\n" +
		"\"name\":5,\n\"lang\":\"\\u202exx\"}"
)

func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestStixCheck(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, bad := write("good.json", []byte(tool)), write("bad.json", []byte(badTool))
	packed := write("bad.json.gz", zipped(t, []byte(badTool)))
	cut := write("cut.json", []byte("[\n"+tool+",\n{\"type\":"))
	torn := write("torn.gz", zipped(t, bytes.Repeat([]byte(tool), 1000))[:100])
	bomb := write("bomb.gz", zipped(t, append([]byte(`[{"type":"`), bytes.Repeat([]byte("a"), 40<<20)...)))
	missing := filepath.Join(dir, "missing.json")
	r := newRun(t, &fakeNode{})

	r.want(t, 0, "", "1 object in 1 file: 0 errors\n", "stix", "check", good)
	if r.stdout.Len() > 0 {
		t.Errorf("a good file prints %q", &r.stdout)
	}
	r.want(t, 1, bad+":3: tool--11111111-1111-4111-8111-111111111111: name: must be a string (STIX 2.1, section 4.18.1)\n", "2 errors", "stix", "check", bad)
	if out := r.stdout.String(); !strings.Contains(out, bad+`:4: `) || !strings.Contains(out, `lang: "\u202exx" is no language code`) || strings.Count(out, "\n") != 2 {
		t.Errorf("lines: %q", out)
	}
	r.want(t, 1, packed+":3: ", "2 errors", "stix", "check", packed)
	r.want(t, 0, good+":1: tool--11111111-1111-4111-8111-111111111111: lang: warning: should be there", "0 errors, 1 warning", "stix", "check", "--warnings", good)
	r.want(t, 1, "", "2 objects in 2 files: 2 errors", "stix", "check", good, bad)
	r.want(t, 1, cut+":5: byte 186: the text ends inside a value; nothing behind it can be read\n", "1 object in 1 file: 1 error", "stix", "check", cut)
	r.want(t, 3, "", missing, "stix", "check", missing)
	r.want(t, 3, bad+":3: ", "2 errors", "stix", "check", missing, bad)
	r.want(t, 3, "", "unexpected EOF", "stix", "check", torn)
	r.want(t, 3, "", "object larger than 16777216 bytes", "stix", "check", bomb)
	r.want(t, 3, "", "is a directory", "stix", "check", dir)
	r.want(t, 2, "", "stix check wants FILE...", "stix", "check")
	r.want(t, 2, "", `did you mean "stix check"?`, "stix", "chekc")

	r.stdin = badTool
	r.want(t, 1, "-:3: ", "2 errors", "stix", "check", "-")
}

func TestStixCheckJSON(t *testing.T) {
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "good.json"), filepath.Join(dir, "bad.json"), filepath.Join(dir, "missing.json")}
	for i, text := range []string{tool, badTool} {
		if err := os.WriteFile(files[i], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := newRun(t, &fakeNode{})
	r.want(t, 3, "", "2 errors", append([]string{"stix", "check", "--json"}, files...)...)
	if strings.Contains(r.stdout.String(), "\u202e") {
		t.Error("what a terminal obeys is not escaped")
	}
	type report struct {
		File     string
		Findings []stixFinding
		stixTotals
	}
	var got []report
	for line := range strings.Lines(r.stdout.String()) {
		var one report
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got = append(got, one)
	}
	if len(got) != 3 || got[0].File != files[0] || len(got[0].Findings) != 0 || got[0].Objects != 1 || got[1].Errors != 2 || got[2].Unreadable == "" {
		t.Fatalf("%+v", got)
	}
	want := stixFinding{Line: 3, Object: "tool--11111111-1111-4111-8111-111111111111", Property: "name", Level: "error", Text: "must be a string", Section: "4.18.1"}
	if len(got[1].Findings) != 2 || got[1].Findings[0] != want {
		t.Errorf("%+v", got[1].Findings)
	}
}
