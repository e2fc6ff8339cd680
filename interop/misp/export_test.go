package misp

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shieldwall/internal/misp"
	"shieldwall/internal/misp/mapping"
	"shieldwall/internal/stix"
)

// sources are a result's objects as a node holds them.
func sources(t *testing.T, r *mapping.Result) []mapping.Source {
	t.Helper()
	var out []mapping.Source
	for _, o := range ours(t, r) {
		out = append(out, mapping.Source{Object: o, Marking: stix.Clear})
	}
	return out
}

// load lets PyMISP read an event of ours, and holds what it writes to what we meant.
func (o *oracle) load(t *testing.T, e *misp.Event) {
	t.Helper()
	raw, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var written, again *misp.Event
	read := func(data []byte, to **misp.Event) {
		if err := misp.Decode(bytes.NewReader(data), misp.Limits{}, func(e *misp.Event) error { *to = e; return nil }); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
	}
	read(raw, &written)
	reply := o.ask(t, request{Load: json.RawMessage(raw)})
	for _, said := range reply.Said {
		t.Errorf("PyMISP says %s\nof %s", said, raw)
	}
	theirs, err := json.Marshal(reply.Event)
	if err != nil {
		t.Fatal(err)
	}
	read(theirs, &again)
	same := func(a, b []misp.Attribute) {
		if len(a) != len(b) {
			t.Errorf("%d attributes, PyMISP has %d of %s", len(a), len(b), raw)
			return
		}
		for i := range a {
			if a[i].UUID != b[i].UUID || a[i].Type != b[i].Type || a[i].Category != b[i].Category || a[i].ToIDs != b[i].ToIDs || a[i].Relation != b[i].Relation ||
				!strings.EqualFold(normal(a[i]), normal(b[i])) || len(a[i].Tags) != len(b[i].Tags) || len(a[i].Sightings) != len(b[i].Sightings) || a[i].Deleted != b[i].Deleted {
				t.Errorf("%+v\nis to PyMISP %+v", a[i], b[i])
			}
		}
	}
	if again.UUID != written.UUID || again.Info != written.Info || len(again.Tags) != len(written.Tags) || len(again.Reports) != len(written.Reports) ||
		len(again.Objects) != len(written.Objects) || again.Orgc != written.Orgc || again.Date != written.Date {
		t.Errorf("%s\nis to PyMISP %s", raw, theirs)
		return
	}
	same(written.Attributes, again.Attributes)
	for i := range written.Objects {
		same(written.Objects[i].Attributes, again.Objects[i].Attributes)
	}
}

// normal is a value without what PyMISP spells in its own way: times, booleans, the letters in front of AS numbers.
func normal(a misp.Attribute) string {
	switch a.Type {
	case "datetime":
		return strings.NewReplacer(" ", "T", ".000Z", "+00:00", "Z", "+00:00").Replace(a.Value)
	case "boolean":
		return strings.NewReplacer("1", "true", "0", "false").Replace(strings.ToLower(a.Value))
	case "AS":
		return strings.TrimPrefix(strings.ToUpper(a.Value), "AS")
	case "domain|ip", "ip-dst|port", "ip-src|port":
		return strings.ReplaceAll(a.Value, "|", ":")
	}
	return strings.TrimSpace(a.Value)
}

// What came from MISP goes back to it: PyMISP reads each exported event without a complaint.
func TestExport(t *testing.T) {
	t.Parallel()
	o := start(t)
	g := &generator{Rand: rand.New(rand.NewPCG(7, 7))}
	all := definitions(t)
	loaded := 0
	for n := range 120 {
		ev := g.event()
		e := ev["Event"].(dict)
		for i := range g.IntN(3) {
			d := all[pick(g, mapped)]
			relations := d.relations()
			g.Shuffle(len(relations), func(i, j int) { relations[i], relations[j] = relations[j], relations[i] })
			e["Object"] = append(asList(e["Object"]), d.object(5000+n*10+i, relations[:1+g.IntN(min(6, len(relations)))], func(string) bool { return g.oneIn(2) }))
		}
		list, _ := mapping.FromSTIX(sources(t, convert(t, ev)), mapping.ExportOptions{})
		for _, e := range list {
			loaded++
			o.load(t, e)
		}
	}
	if loaded < 100 {
		t.Errorf("%d events loaded", loaded)
	}
}

// STIX of others: the examples of OASIS.
func TestExportOfOthers(t *testing.T) {
	t.Parallel()
	root := os.Getenv("SHIELDWALL_CORPUS")
	if root == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	o := start(t)
	files, loaded, attributes := 0, 0, 0
	err := filepath.WalkDir(filepath.Join(root, "stix", "examples"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		list, err := stix.ParseBundle(data, stix.Limits{})
		if err != nil {
			return err
		}
		files++
		var in []mapping.Source
		for _, o := range list {
			in = append(in, mapping.Source{Object: o, Marking: stix.Clear})
		}
		events, _ := mapping.FromSTIX(in, mapping.ExportOptions{Creator: misp.Org{UUID: uuidOf(9999), Name: "CERT"}})
		for _, e := range events {
			loaded++
			attributes += len(e.Attributes)
			for _, m := range e.Objects {
				attributes += len(m.Attributes)
			}
			o.load(t, e)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files != 8 || loaded < 7 || attributes < 90 {
		t.Errorf("%d events with %d attributes of %d files", loaded, attributes, files)
	}
}

// Sigma rules travel as indicators, and to MISP as attributes.
func TestExportOfRules(t *testing.T) {
	t.Parallel()
	root := os.Getenv("SHIELDWALL_CORPUS")
	if root == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	o := start(t)
	paths, err := filepath.Glob(filepath.Join(root, "sigma", "rules", "windows", "process_creation", "*.yml"))
	if err != nil || len(paths) < 500 {
		t.Fatalf("%d rules, %v", len(paths), err)
	}
	var in []mapping.Source
	for i, path := range paths[:500] {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := stix.Indicator{Common: stix.Common{ID: "indicator--" + uuidOf(i), Created: time.Date(2024, 5, 1, i/100, 0, 0, 0, time.UTC), Confidence: 80},
			Name: filepath.Base(path), Pattern: string(data), PatternType: "sigma"}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		ind, err := stix.Parse(raw, stix.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, mapping.Source{Object: ind, Marking: stix.Green})
	}
	events, losses := mapping.FromSTIX(in, mapping.ExportOptions{Creator: misp.Org{UUID: uuidOf(9999), Name: "CERT"}})
	if len(events) != 1 || len(events[0].Attributes) != 500 || len(losses.List) > 0 || events[0].Distribution != misp.Community {
		t.Fatalf("%d events, losses %v", len(events), losses.List)
	}
	o.load(t, events[0])
}
