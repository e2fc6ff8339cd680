package evtx

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"shieldwall/internal/event"
)

// TestRegressionTwins compares every EVTX file of the rule base's regression tests with the JSON that
// its authors made of it with another decoder (evtx_dump).
//
// The systematic differences, in which we follow what Windows shows, are undone here:
//   - GUID values have braces with us ("{5770385F-...}"), as rules expect (SubcategoryGuid);
//   - times have seven fractional digits with us, six there;
//   - blanks at the end of text are kept with us ("cmd.exe /c "), cut there.
func TestRegressionTwins(t *testing.T) {
	files := filesUnder(t, filepath.Join(corpusDir(t), "sigma", "regression_data"), ".evtx")
	if len(files) != 122 {
		t.Errorf("%d files, want 122", len(files))
	}
	records := 0
	for _, path := range files {
		twins := readTwins(t, strings.TrimSuffix(path, ".evtx")+".json")
		i := 0
		readFile(t, path, func(e *event.Event) error {
			if i < len(twins) {
				compare(t, fmt.Sprintf("%s record %s", path, e.Record), e, twins[i])
			}
			i++
			return nil
		})
		if i != len(twins) {
			t.Errorf("%s: %d records, its twin has %d", path, i, len(twins))
		}
		records += i
	}
	if records != 136 {
		t.Errorf("%d records, want 136", records)
	}
}

func readTwins(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []map[string]string
	dec := json.NewDecoder(f)
	dec.UseNumber()
	for {
		var doc struct{ Event map[string]any }
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		fields := map[string]string{}
		flatten(fields, "", doc.Event)
		out = append(out, fields)
	}
}

// flatten names the leaves of evtx_dump's JSON as the decoder does, and writes kind and text.
func flatten(out map[string]string, name string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		out[name] = spell(v)
		return
	}
	if name == "Data" {
		flatten(out, name, m["#text"])
		return
	}
	for k, child := range m {
		switch {
		case k == "#text":
			flatten(out, name, child)
		case k == "#attributes":
			for attr, v := range child.(map[string]any) {
				if field := attributeField(name, attr); field != "" {
					out[field] = spell(v)
				}
			}
		case child == nil && (k == "EventData" || k == "UserData"):
		default:
			flatten(out, strings.ReplaceAll(k, " ", ""), child)
		}
	}
}

func spell(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, spell(item))
		}
		return strings.Join(items, "|")
	case json.Number:
		return "number " + v.String()
	case bool:
		return fmt.Sprintf("bool %t", v)
	}
	return "string " + v.(string)
}

func spellValue(v event.Value) string {
	switch v.Kind {
	case event.Null:
		return "null"
	case event.List:
		var items []string
		for _, item := range v.Items {
			items = append(items, spellValue(item))
		}
		return strings.Join(items, "|")
	case event.Number:
		return "number " + v.Text
	case event.Bool:
		return "bool " + v.Text
	}
	return "string " + v.Text
}

var (
	guidRE = regexp.MustCompile(`^string \{?([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?$`)
	timeRE = regexp.MustCompile(`^(string \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})\d*Z$`)
)

// same undoes the systematic differences.
func same(a, b string) bool {
	for _, re := range []*regexp.Regexp{guidRE, timeRE} {
		x, y := re.FindStringSubmatch(a), re.FindStringSubmatch(b)
		if x != nil && y != nil {
			return x[1] == y[1]
		}
	}
	const blank = " \t\r\n"
	return strings.TrimRight(a, blank) == strings.TrimRight(b, blank)
}

// handEdited are twins that their authors changed by hand: file name and field.
var handEdited = map[string]bool{
	// "Explorer.EXE" in the record.
	"ad691d92-15f2-4181-9aa4-723c74f9ddc3.evtx ParentCommandLine": true,
}

func compare(t *testing.T, where string, e *event.Event, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, f := range e.Fields {
		got[f.Name] = spellValue(f.Value)
		if w, ok := want[f.Name]; !ok {
			t.Errorf("%s: %s = %q is not in the twin", where, f.Name, got[f.Name])
		} else if !same(got[f.Name], w) && !handEdited[filepath.Base(e.Source)+" "+f.Name] {
			t.Errorf("%s: %s = %q, the twin has %q", where, f.Name, got[f.Name], w)
		}
	}
	var missing []string
	for name := range want {
		if _, ok := got[name]; !ok {
			missing = append(missing, name)
		}
	}
	if sort.Strings(missing); len(missing) > 0 {
		t.Errorf("%s: no %s", where, strings.Join(missing, ", "))
	}
}
