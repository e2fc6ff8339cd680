package stix

import (
	"strings"
	"testing"
	"time"
)

func TestObservable(t *testing.T) {
	for _, c := range []struct {
		typ      string
		markings []string
		props    []Property
		id       string // "" for one of version 4
	}{
		{"ipv4-addr", nil, []Property{{"value", "198.51.100.3"}}, "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4"},
		{"ipv4-addr", []string{Amber.MarkingID()}, []Property{{"value", "198.51.100.3"}}, ""},
		{"file", nil, []Property{{"hashes", Dict{{"SHA-256", "aa"}}}, {"name", "a"}}, ObservableID("file", []byte(`{"hashes":{"SHA-256":"aa"},"name":"a"}`))},
		{"file", nil, []Property{{"hashes", Dict{{"MD5", "bb"}, {"SHA-256", "aa"}}}}, ""},
		{"file", nil, []Property{{"hashes", Dict{{"IMPHASH", "aa"}}}}, ""},
		{"file", nil, []Property{{"name", "a"}, {"size", int64(3)}}, ""},
		{"process", nil, []Property{{"pid", int64(3)}}, ""},
	} {
		id, raw, err := Observable(c.typ, c.markings, c.props...)
		if err != nil {
			t.Fatal(err)
		}
		o, err := Parse(raw, Limits{})
		if err != nil || o.ID != id {
			t.Fatalf("%s: %v", raw, err)
		}
		if c.id != "" && id != c.id || c.id == "" && id[len(id)-uuidLen+14] != '4' {
			t.Errorf("%s: want id %q", raw, c.id)
		}
		if again, _, _ := Observable(c.typ, c.markings, c.props...); again != id {
			t.Errorf("%s and %s for the same", id, again)
		}
	}
	a, _, _ := Observable("process", nil, Property{"pid", int64(3)})
	b, _, _ := Observable("process", nil, Property{"pid", int64(4)})
	if a == b {
		t.Error("one id for two processes")
	}
	if _, _, err := Observable("indicator", nil, Property{"name", "x"}); err == nil {
		t.Error("an indicator is an observable")
	}
}

func TestProperties(t *testing.T) {
	when := time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)
	raw, err := Common{ID: "note--" + uuidA, Created: when}.Object("note", Property{"content", "c"}, Property{"object_refs", []string{"note--" + uuidA}},
		Property{"empty", ""}, Property{"none", Dict{}}, Property{"no_list", []Dict{}}, Property{"x_n", int64(-4)}, Property{"x_f", 0.5},
		Property{"x_b", false}, Property{"x_t", when}, Property{"x_zero", time.Time{}}, Property{"x_d", Dict{{"a", []Dict{{{"b", "c"}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if want := `"x_n":-4,"x_f":0.5,"x_b":false,"x_t":"2024-05-01T10:00:00.000Z","x_d":{"a":[{"b":"c"}]}}`; !strings.HasSuffix(string(raw), want) {
		t.Errorf("%s\nwant at its end %s", raw, want)
	}
	for _, bad := range []Property{{"x_y", 3}, {"x_y", Dict{{"z", nil}}}, {"x_y", "\xff"}} {
		if _, err := (Common{ID: "note--" + uuidA, Created: when}).Object("note", Property{"content", "c"},
			Property{"object_refs", []string{"note--" + uuidA}}, bad); err == nil {
			t.Errorf("%v was written", bad)
		}
	}
}
