package mapping

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/misp"
	"shieldwall/internal/stix"
)

// Each type's value becomes its pattern or its observables, and those become the attribute again.
func TestAttributeTypes(t *testing.T) {
	for i, s := range samples {
		for _, toIDs := range []bool{true, false} {
			name := fmt.Sprintf("%s %s %t", s.typ, s.value, toIDs)
			r := toSTIX(t, mispEvent(dict{"Attribute": []dict{attribute(i, s.typ, s.value, toIDs, dict{"comment": "why", "Tag": []dict{{"name": "a:b=\"c\""}}})}}), Options{})
			if toIDs {
				if o := object(t, r, "indicator--"+uuidOf(i)); o.Pattern != s.pattern {
					t.Errorf("%s: %s\nwant %s", name, o.Pattern, s.pattern)
				}
			}
			a := backAgain(t, r).Attributes[0]
			if a.UUID != uuidOf(i) || a.Type != s.typ || a.Value != s.value || a.ToIDs != toIDs || a.Category != "Network activity" || a.Comment != "why" ||
				a.Timestamp.Unix() != 1714567800 || !slices.Equal(a.Tags, []misp.Tag{{Name: `a:b="c"`}}) {
				t.Errorf("%s came back as %+v", name, a)
			}
		}
	}
}

// sources are a result's objects for the way back, as they are held: by their own markings.
func sources(t testing.TB, r *Result) []Source {
	t.Helper()
	var out []Source
	seen := map[string]bool{}
	for _, s := range r.Objects {
		o, err := stix.Parse(s.Raw, stix.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if !seen[s.ID] {
			seen[s.ID] = true
			out = append(out, Source{o, s.Marking})
		}
	}
	return out
}

func backAgain(t testing.TB, r *Result) *misp.Event {
	t.Helper()
	events, losses := FromSTIX(sources(t, r), ExportOptions{})
	if len(events) != 1 || len(losses.List) > 0 {
		t.Fatalf("%d events, losses %v", len(events), losses.List)
	}
	return events[0]
}

// A whole event there, back and there again gives the same objects.
func TestRoundTrip(t *testing.T) {
	event := mispEvent(dict{
		"Tag": []dict{{"name": "tlp:green"}, {"name": `misp:confidence-level="usually-confident"`}, {"name": `misp-galaxy:mitre-attack-pattern="Phishing - T1566"`}},
		"Galaxy": []dict{{"name": "Attack Pattern", "type": "mitre-attack-pattern", "GalaxyCluster": []dict{{"uuid": attackUUID + "000000000001", "type": "mitre-attack-pattern",
			"value": "Phishing - T1566", "tag_name": `misp-galaxy:mitre-attack-pattern="Phishing - T1566"`, "meta": dict{"external_id": []string{"T1566"}}}}}},
		"Attribute": []dict{
			attribute(1, "ip-dst", "198.51.100.1", true, dict{"first_seen": "2024-05-01T10:00:00+00:00", "Sighting": []dict{
				{"uuid": uuidOf(71), "type": "0", "date_sighting": "1714567860", "source": "sensor", "Organisation": dict{"uuid": uuidOf(80), "name": "Other"}},
				{"uuid": uuidOf(72), "type": "1", "date_sighting": "1714567870", "Organisation": dict{"uuid": uuidOf(80), "name": "Other"}}}}),
			attribute(2, "sha256", hexOf(64), true, dict{"deleted": true}),
			attribute(3, "sigma", "title: t\n", true), attribute(4, "yara", "rule a { condition: true }", true),
			attribute(5, "ja3-fingerprint-md5", hexOf(32), true), attribute(6, "vulnerability", "CVE-2021-44228", false), attribute(7, "campaign-name", "c", false),
			attribute(8, "stix2-pattern", "[ipv4-addr:value = '1.2.3.4'] FOLLOWEDBY [file:name = 'x']", true),
			attribute(9, "attachment", "a.png", false, dict{"data": "aGFsbG8="}),
		},
		"Object": []dict{
			{"uuid": uuidOf(10), "name": "file", "meta-category": "file", "template_uuid": uuidOf(90), "template_version": "25", "comment": "dropped", "timestamp": "1714567810", "distribution": "5",
				"Attribute": []dict{attribute(11, "filename", "a.exe", true, dict{"object_relation": "filename"}), attribute(12, "md5", hexOf(32), true, dict{"object_relation": "md5"}),
					attribute(13, "text", "packed", false, dict{"object_relation": "state"}), attribute(14, "malware-sample", "a.exe|"+hexOf(32), false, dict{"object_relation": "malware-sample", "data": "UEsDBA=="})},
				"ObjectReference": []dict{{"uuid": uuidOf(15), "referenced_uuid": uuidOf(1), "relationship_type": "connects-to"}}},
			{"uuid": uuidOf(20), "name": "phishing", "meta-category": "network", "timestamp": "1714567810", "distribution": "5", "Attribute": []dict{
				attribute(21, "url", "https://phish.example", true, dict{"object_relation": "url"}), attribute(22, "text", "x", false, dict{"object_relation": "remark"})}},
			{"uuid": uuidOf(30), "name": "yara", "meta-category": "misc", "timestamp": "1714567810", "distribution": "5", "Attribute": []dict{
				attribute(31, "yara", "rule b { condition: false }", true, dict{"object_relation": "yara"}), attribute(32, "text", "b", false, dict{"object_relation": "yara-rule-name"})}},
		},
		"EventReport": []dict{{"uuid": uuidOf(40), "name": "what happened", "content": "See @[attribute](" + uuidOf(1) + ").", "timestamp": "1714567820", "distribution": "5"},
			{"uuid": uuidOf(41), "name": "summary", "content": "All.", "timestamp": "1714567820", "distribution": "5"}},
	})
	first := toSTIX(t, event, Options{})
	back := backAgain(t, first)
	raw, err := back.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var read *misp.Event
	if err := misp.Decode(bytes.NewReader(raw), misp.Limits{}, func(e *misp.Event) error { read = e; return nil }); err != nil {
		t.Fatal(err)
	}
	read.Distribution = misp.All // GREEN stops at the instance that it is exported to
	second, err := ToSTIX(read, Options{})
	if err != nil {
		t.Fatal(err)
	}
	check(t, second)
	for _, s := range first.Objects {
		i := slices.IndexFunc(second.Objects, func(o Shared) bool { return o.ID == s.ID })
		switch {
		case i < 0:
			t.Errorf("%s did not come back:\n%s", s.ID, s.Raw)
		case !bytes.Equal(second.Objects[i].Raw, s.Raw) && !excused(s.ID):
			t.Errorf("%s came back as\n%s", s.Raw, second.Objects[i].Raw)
		}
	}
	for _, s := range second.Objects {
		if !slices.ContainsFunc(first.Objects, func(o Shared) bool { return o.ID == s.ID }) {
			t.Errorf("%s is new", s.Raw)
		}
	}
	for _, l := range back.Losses.List {
		t.Log(l)
	}
}

// excused are objects that are not quite the same: the report does not name ATT&CK's technique once that is a tag alone.
func excused(id string) bool { return strings.HasPrefix(id, "report--") }
