package stix

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// seeds are documents that reach every branch of the splitter and the scanner.
func seeds() []string {
	return []string{
		"", " ", "null", "[]", "{}", "[{}]", "{}{}", "\ufeff{}",
		bundleJSON(), bundleJSON(identityJSON(uuidA)), bundleJSON(identityJSON(uuidA), identityJSON(uuidB)),
		identityJSON(uuidA) + "\n" + identityJSON(uuidB), "[" + identityJSON(uuidA) + "," + identityJSON(uuidA) + "]",
		`{"objects":[` + identityJSON(uuidA) + `],"type":"bundle","id":"bundle--` + uuidA + `","x":[1,{"a":null}]}`,
		`{"type":"x-a","id":"x-a--` + uuidA + `","objects":[]}`,
		`{"type":"a","id":"b","n":[-0,1.5e+3,1E-2,true,false,null,"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"]}`,
		`{"type":"a","type":"b"}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", `{"a":1e999}`, `{"a":01}`, `{"a":[1,]}`, `{"a":1,}`,
		strings.Repeat("[", 70), strings.Repeat(`{"a":`, 70), `{"a":"`, `{"a\u0000":1}`, `{"type":"bundle","objects":{}}`,
		`{"a_ref":"x","b_refs":["y",{"c_ref":"z"},["w"]]}`, `{"a":"` + strings.Repeat("b", 300) + `"}`,
	}
}

func TestSeeds(t *testing.T) {
	if n := len(seeds()); n < 30 {
		t.Fatalf("%d seeds, want at least 30", n)
	}
}

// FuzzDecode compares with encoding/json: what it refuses is refused; what is accepted has the same objects with
// the same bytes; and a stream in small pieces gives what the whole gives.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	limits := Limits{Bundle: 1 << 20, Object: 1 << 16, Depth: 32, Count: 100}
	f.Fuzz(func(t *testing.T, data []byte) {
		whole, err := ParseBundle(data, limits)
		var streamed []*Object
		streamErr := Decode(iotest.OneByteReader(bytes.NewReader(data)), limits, func(o *Object) error {
			streamed = append(streamed, o)
			return nil
		})
		if (err == nil) != (streamErr == nil) || err != nil && err.Error() != streamErr.Error() {
			t.Fatalf("whole: %v, streamed: %v", err, streamErr)
		}
		want, valid := oracle(data)
		if err != nil {
			return
		}
		if !valid || !utf8.Valid(data) {
			t.Fatal("accepted what encoding/json or UTF-8 refuses")
		}
		have := map[string]bool{}
		for i, o := range whole {
			if !bytes.Equal(o.Raw, streamed[i].Raw) {
				t.Fatal("streamed object differs")
			}
			have[string(o.Raw)] = true
			sameAsJSON(t, o)
		}
		for _, w := range want {
			if !have[w] {
				t.Fatalf("object %q is missing from %q", w, data)
			}
		}
	})
}

// oracle splits with encoding/json.
func oracle(data []byte) (objects []string, valid bool) {
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	for {
		var v json.RawMessage
		err := dec.Decode(&v)
		if errors.Is(err, io.EOF) {
			return objects, true
		}
		if err != nil {
			return nil, false
		}
		var list []json.RawMessage
		var bundle map[string]json.RawMessage // not a struct: its names would match in any case
		switch {
		case v[0] == '[':
			_ = json.Unmarshal(v, &list)
		case json.Unmarshal(v, &bundle) == nil && string(bundle["type"]) == `"bundle"`:
			_ = json.Unmarshal(bundle["objects"], &list)
		default:
			list = []json.RawMessage{v}
		}
		for _, o := range list {
			objects = append(objects, string(o))
		}
	}
}

// sameAsJSON checks the typed view against encoding/json, which agrees once names are unique.
func sameAsJSON(t *testing.T, o *Object) {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(o.Raw, &all); err != nil {
		t.Fatalf("object is not JSON: %v", err)
	}
	for name, want := range all {
		value, ok := o.Property(name)
		if !ok {
			t.Fatalf("property %q is missing", name)
		}
		if s, isText := want.(string); isText && text(value) != s {
			t.Fatalf("property %q: %q, want %q", name, text(value), s)
		}
	}
	_ = o.Markings()
	_ = o.MarkingTLP()
}

// FuzzTimestamp: keys sort as times do.
func FuzzTimestamp(f *testing.F) {
	for _, s := range []string{"2024-01-01T00:00:00Z", "2024-02-29T23:59:60.5Z", "2023-02-29T00:00:00Z", "9999-12-31T23:59:59.999999999999Z", "", "x"} {
		f.Add(s, "2024-01-01T00:00:00.000Z")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		ka, kb := SortKey(a), SortKey(b)
		ta, errA := ParseTime(a)
		tb, errB := ParseTime(b)
		if (errA == nil) != (ka != "") {
			t.Fatalf("%q: key %q, time %v", a, ka, errA)
		}
		if errA != nil || errB != nil {
			return
		}
		if ta.Before(tb) && ka >= kb || tb.Before(ta) && kb >= ka {
			if !strings.Contains(a+b, ":60") { // a leap second and the second after are one instant to package time
				t.Fatalf("%q and %q sort as %q and %q", a, b, ka, kb)
			}
		}
		if SortKey(KeyTime(ka)) != ka {
			t.Fatalf("%q does not survive as %q", ka, KeyTime(ka))
		}
	})
}
