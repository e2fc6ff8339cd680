package sigma_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"shieldwall/internal/sigma"
)

// corpusRules calls fn with every rule file of the SigmaHQ snapshot.
func corpusRules(t testing.TB, fn func(path string, data []byte)) {
	t.Helper()
	corpus := os.Getenv("SHIELDWALL_CORPUS")
	if corpus == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	root := filepath.Join(corpus, "sigma")
	for _, dir := range []string{"rules", "rules-emerging-threats", "rules-threat-hunting", "rules-placeholder", "rules-compliance"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".yml" {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			fn(filepath.ToSlash(rel), data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// needPlaceholders counts the rules of the snapshot that use the modifier expand: all of
// rules-placeholder and two that came with an emerging threat.
const needPlaceholders = 25

// TestCorpusLoads loads all 3,780 active rules of the snapshot. The only rules that may be rejected
// are those that need placeholders, and each of them says so.
func TestCorpusLoads(t *testing.T) {
	files, loaded := 0, 0
	reasons := map[sigma.Reason]int{}
	corpusRules(t, func(path string, data []byte) {
		files++
		got, err := sigma.Parse(data, sigma.Options{})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		loaded += len(got.Rules)
		for _, r := range got.Rejected {
			reasons[r.Err.Reason]++
			t.Logf("rejected: %s: %s: %v", path, r.Err.Reason, r.Err)
			if r.ID == "" || r.Title == "" || r.Err.Line == 0 || r.Err.Key == "" {
				t.Errorf("%s: rejection %+v does not say which rule and where", path, r)
			}
		}
		if uses := strings.Contains(string(data), "|expand:"); uses != (len(got.Rejected) == 1) {
			t.Errorf("%s: uses placeholders: %t, rejected: %d", path, uses, len(got.Rejected))
		}
	})
	if files != 3780 {
		t.Errorf("found %d rule files, want 3780", files)
	}
	if len(reasons) != 1 || reasons[sigma.ReasonPlaceholder] != needPlaceholders {
		t.Errorf("rejected by reason: %v, want %d for placeholders and nothing else", reasons, needPlaceholders)
	}
	if loaded != files-needPlaceholders {
		t.Errorf("loaded %d of %d", loaded, files)
	}
}

// TestCorpusLoadsWithPlaceholders shows that nothing but the values keeps the rest from loading.
func TestCorpusLoadsWithPlaceholders(t *testing.T) {
	names := regexp.MustCompile(`%([A-Za-z_-]+)%`)
	corpusRules(t, func(path string, data []byte) {
		if !strings.Contains(string(data), "|expand:") {
			return
		}
		opt := sigma.Options{Placeholders: map[string][]string{}}
		for _, name := range names.FindAllStringSubmatch(string(data), -1) {
			opt.Placeholders[name[1]] = []string{"one", "two*"}
		}
		got, err := sigma.Parse(data, opt)
		if err != nil || len(got.Rules) != 1 {
			t.Errorf("%s: %v %+v", path, err, got.Rejected)
		}
	})
}

// BenchmarkParse reads the rule base; MB/s are of rule text.
func BenchmarkParse(b *testing.B) {
	var files [][]byte
	size := 0
	corpusRules(b, func(_ string, data []byte) {
		files, size = append(files, data), size+len(data)
	})
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, data := range files {
			if _, err := sigma.Parse(data, sigma.Options{}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
