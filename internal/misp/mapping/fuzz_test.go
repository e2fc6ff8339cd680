package mapping

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/misp"
	"shieldwall/internal/policy"
	"shieldwall/internal/stix"
	"shieldwall/internal/stixcheck"
	"shieldwall/internal/stixpattern"
)

// eventSeeds are events as documents: one of each attribute type, objects, what is said of things.
func eventSeeds() []string {
	var out []string
	add := func(over dict) {
		data, err := json.Marshal(mispEvent(over))
		if err != nil {
			panic(err)
		}
		out = append(out, string(data))
	}
	var all []dict
	for i, s := range samples {
		all = append(all, attribute(i, s.typ, s.value, i%2 == 0))
	}
	add(dict{"Attribute": all})
	for _, name := range []string{"file", "email", "process", "registry-key", "ip-port", "http-request", "x509", "domain-ip", "yara", "vulnerability", "unheard-of"} {
		var parts []dict
		n := 0
		for _, relation := range slices.Sorted(maps.Keys(templates[name].rows)) {
			n++
			parts = append(parts, part(100+n, relation, "text", "1", n%2 == 0))
		}
		parts = append(parts, part(1, "yara", "yara", "rule a {}", true), part(2, "id", "vulnerability", "CVE-2021-44228", false))
		add(dict{"Object": []dict{mispObject(99, name, dict{"ObjectReference": []dict{{"uuid": uuidOf(3), "referenced_uuid": uuidOf(4), "relationship_type": "Some Thing"}}}, parts...)},
			"Attribute": []dict{attribute(4, "domain", "evil.example", true)}})
	}
	add(dict{"distribution": "4", "SharingGroup": dict{"uuid": groupUUID, "name": "g", "active": true, "SharingGroupOrg": []dict{{"Organisation": dict{"uuid": memberUUID, "name": "a"}}}},
		"EventReport": []dict{{"uuid": uuidOf(5), "name": "r", "content": "@[attribute](" + uuidOf(6) + ")"}}, "published": false, "publish_timestamp": "0",
		"Attribute": []dict{attribute(6, "url", "x", true, dict{"distribution": "0", "Sighting": []dict{{"uuid": uuidOf(7), "type": "0"}, {"uuid": uuidOf(8), "type": "1"}, {"uuid": uuidOf(9), "type": "2", "date_sighting": "9"}},
			"Galaxy": []dict{{"name": "g", "type": "threat-actor", "GalaxyCluster": []dict{{"uuid": uuidOf(10), "value": "v"}}}}})}})
	return append(out, `{"uuid":"`+eventUUID+`","date":"2024-05-01"}`)
}

func TestSeeds(t *testing.T) {
	attributes, objects := 0, 0
	for _, seed := range eventSeeds() {
		if err := misp.Decode(strings.NewReader(seed), misp.Limits{}, func(e *misp.Event) error {
			attributes += len(e.Attributes)
			objects += len(e.Objects)
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	bundled := 0
	for _, seed := range bundleSeeds() {
		list, err := stix.ParseBundle([]byte(seed), stix.Limits{})
		if err != nil {
			t.Error(err)
		}
		bundled += len(list)
	}
	if len(bundleSeeds()) < 4 || bundled < 14 {
		t.Errorf("%d objects", bundled)
	}
	if n := len(eventSeeds()); n < 14 || attributes < len(samples)+10 || objects < 11 {
		t.Errorf("%d seeds with %d attributes and %d objects", n, attributes, objects)
	}
}

// FuzzToSTIX checks that whatever an event says, its objects are valid STIX that tells nobody of what is not for them,
// that a second reading changes nothing, and that all of it can be an event again.
func FuzzToSTIX(f *testing.F) {
	for _, s := range eventSeeds() {
		f.Add([]byte(s))
	}
	opt := Options{Directory: Directory{Members: map[string]string{memberUUID: "cert-a"}, Groups: map[string]policy.Audience{otherUUID: policy.Alliance()}}}
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = misp.Decode(bytes.NewReader(data), misp.Limits{}, func(e *misp.Event) error {
			r, err := ToSTIX(e, opt)
			if err != nil {
				return nil
			}
			valid(t, r)
			held := map[string][]byte{}
			for _, s := range r.Objects {
				held[s.ID] = s.Raw
			}
			again := opt
			again.Previous = func(id string) []byte { return held[id] }
			second, err := ToSTIX(e, again)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range second.Objects {
				if !bytes.Equal(held[s.ID], s.Raw) && !varies(r, s.ID) {
					t.Fatalf("%s\nbecame %s", held[s.ID], s.Raw)
				}
			}
			exported(t, r)
			return nil
		})
	})
}

// varies says whether an event has one UUID for two things, of which each changes what the other has become.
func varies(r *Result, id string) bool {
	n := 0
	for _, s := range r.Objects {
		if s.ID == id {
			n++
		}
	}
	return n > 1
}

func valid(t *testing.T, r *Result) {
	for _, l := range r.Losses.List {
		// What cannot be built is listed, and there should be no such thing below the limits of STIX objects.
		if strings.HasPrefix(l.Why, "building ") && !strings.Contains(l.Why, "larger than") {
			t.Fatal(l)
		}
	}
	for _, s := range r.Objects {
		o, err := stix.Parse(s.Raw, stix.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", s.Raw, err)
		}
		if err := stixcheck.Validate(o); err != nil {
			t.Fatalf("%s: %v", s.Raw, err)
		}
		if o.PatternType == "stix" {
			if _, err := stixpattern.Parse(o.Pattern); err != nil {
				t.Fatalf("%s: %v", o.Pattern, err)
			}
		}
		if s.Audience.IsNobody() != (s.Why != "") {
			t.Fatalf("%+v", s.Asks)
		}
		if err := policy.CheckPublish(s.Marking, s.Audience); err != nil && !s.Audience.IsNobody() {
			t.Fatalf("%s: %v", s.ID, err)
		}
	}
}

func exported(t *testing.T, r *Result) {
	var in []Source
	for _, s := range r.Objects {
		o, err := stix.Parse(s.Raw, stix.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, Source{o, stix.Clear})
	}
	events, _ := FromSTIX(in, ExportOptions{})
	for _, e := range events {
		raw, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := misp.Decode(bytes.NewReader(raw), misp.Limits{}, func(*misp.Event) error { return nil }); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
	}
}

// bundleSeeds are objects of other tools.
func bundleSeeds() []string {
	var out []string
	for _, list := range [][]dict{
		{indicatorOf(1, "[ipv4-addr:value = '198.51.100.1' OR domain-name:value = 'a.example']", dict{"name": "n"}), indicatorOf(2, "x", dict{"pattern_type": "sigma"}), reportOf(nil, "indicator--"+uuidOf(1))},
		{{"type": "file", "id": "file--" + uuidOf(3), "hashes": dict{"MD5": hexOf(32)}, "parent_directory_ref": "directory--" + uuidOf(4)}, {"type": "directory", "id": "directory--" + uuidOf(4), "path": "/x", "contains_refs": []string{"file--" + uuidOf(3)}},
			{"type": "observed-data", "id": "observed-data--" + uuidOf(5), "object_refs": []string{"file--" + uuidOf(3), "directory--" + uuidOf(4)}, "number_observed": 1, "x_misp_attributes": []dict{{"type": "md5", "value": "v", "object_relation": "md5"}}, "x_misp_name": "file"},
			{"type": "observed-data", "id": "observed-data--" + uuidOf(6), "object_refs": []string{"file--" + uuidOf(3)}, "labels": []string{`misp:type="md5"`}}},
		{{"type": "sighting", "id": "sighting--" + uuidOf(7), "sighting_of_ref": "indicator--" + uuidOf(1)}, {"type": "opinion", "id": "opinion--" + uuidOf(8), "opinion": "disagree", "object_refs": []string{"indicator--" + uuidOf(1)}},
			{"type": "relationship", "id": "relationship--" + uuidOf(9), "source_ref": "indicator--" + uuidOf(1), "target_ref": "x", "relationship_type": "y"}, indicatorOf(1, "[mutex:name = 'm']", nil)},
		{{"type": "indicator", "id": "x"}, {"type": "identity", "id": "identity--1", "name": "n"}, {"type": "x-misp-object", "id": "x-misp-object--" + uuidOf(1), "x_misp_attributes": 7}, {"type": "x-misp-attribute", "id": "x-misp-attribute--" + uuidOf(2), "x_misp_type": "t", "x_misp_value": "v"}},
	} {
		data, err := json.Marshal(list)
		if err != nil {
			panic(err)
		}
		out = append(out, string(data))
	}
	return out
}

// FuzzFromSTIX checks that any objects give events that can be read.
func FuzzFromSTIX(f *testing.F) {
	for _, s := range bundleSeeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := stix.ParseBundle(data, stix.Limits{})
		if err != nil {
			return
		}
		var in []Source
		for i, o := range list {
			in = append(in, Source{o, stix.TLP(i % 6)})
		}
		events, _ := FromSTIX(in, ExportOptions{})
		for _, e := range events {
			raw, err := e.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if err := misp.Decode(bytes.NewReader(raw), misp.Limits{}, func(read *misp.Event) error {
				if len(read.Attributes) != len(e.Attributes) || len(read.Objects) != len(e.Objects) {
					t.Fatalf("%d of %d attributes, %d of %d objects, %v: %s", len(read.Attributes), len(e.Attributes), len(read.Objects), len(e.Objects), read.Losses.List, raw)
				}
				return nil
			}); err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
		}
	})
}

func BenchmarkToSTIX(b *testing.B) {
	var attrs []dict
	for i := range 2000 {
		attrs = append(attrs, attribute(i, "domain", fmt.Sprintf("host%d.evil.example", i), true))
	}
	event := readEvent(b, mispEvent(dict{"Attribute": attrs}))
	data, err := json.Marshal(mispEvent(dict{"Attribute": attrs}))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := ToSTIX(event, Options{})
		if err != nil || len(r.Objects) != 2002 {
			b.Fatal(err)
		}
	}
}

func BenchmarkFromSTIX(b *testing.B) {
	var attrs []dict
	for i := range 2000 {
		attrs = append(attrs, attribute(i, "domain", fmt.Sprintf("host%d.evil.example", i), true))
	}
	r, err := ToSTIX(readEvent(b, mispEvent(dict{"Attribute": attrs})), Options{})
	if err != nil {
		b.Fatal(err)
	}
	in := sources(b, r)
	b.ReportAllocs()
	for b.Loop() {
		events, _ := FromSTIX(in, ExportOptions{})
		if len(events) != 1 || len(events[0].Attributes) != 2000 {
			b.Fatal(len(events))
		}
	}
}
