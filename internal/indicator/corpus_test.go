package indicator_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"shieldwall/internal/indicator"
	"shieldwall/internal/stixpattern"
)

// patternsIn collects the STIX patterns of every indicator inside a JSON value.
func patternsIn(v any, out []string) []string {
	switch v := v.(type) {
	case map[string]any:
		if text, ok := v["pattern"].(string); ok && v["type"] == "indicator" && v["pattern_type"] == "stix" {
			out = append(out, text)
		}
		for _, inner := range v {
			out = patternsIn(inner, out)
		}
	case []any:
		for _, inner := range v {
			out = patternsIn(inner, out)
		}
	}
	return out
}

// TestCorpusPatterns reads the patterns of OASIS's examples and interoperability tests: all of them
// parse, most come down to indicators, and of the rest each says why not.
func TestCorpusPatterns(t *testing.T) {
	corpus := os.Getenv("SHIELDWALL_CORPUS")
	if corpus == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	var all []string
	for _, dir := range []string{"examples", "interop"} {
		err := filepath.WalkDir(filepath.Join(corpus, "stix", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".json" {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			var doc any
			if json.Unmarshal(data, &doc) == nil {
				all = patternsIn(doc, all)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	supported, unsupported, bad := 0, 0, 0
	for _, text := range all {
		pattern, err := stixpattern.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		list, err := indicator.FromSTIX(pattern)
		var no *indicator.UnsupportedError
		switch {
		case errors.As(err, &no):
			unsupported++
			t.Logf("%s: %v", text, err)
		case err != nil:
			bad++
			t.Logf("%s: %v", text, err)
		case len(list) == 0:
			t.Errorf("%s: no indicators", text)
		default:
			supported++
		}
	}
	// The bad one looks for the domain name "domain autuo.xicp.net".
	if supported != 38 || unsupported != 4 || bad != 1 {
		t.Errorf("of %d patterns %d are supported, %d not, %d are bad; want 38, 4 and 1", len(all), supported, unsupported, bad)
	}
}
