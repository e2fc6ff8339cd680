package mapping

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/misp"
	"shieldwall/internal/stix"
	"shieldwall/internal/stixcheck"
)

// native makes sources of objects of other tools.
func native(t testing.TB, marking stix.TLP, list ...dict) []Source {
	t.Helper()
	var out []Source
	for _, d := range list {
		if _, has := d["spec_version"]; !has {
			d["spec_version"] = "2.1"
		}
		if _, has := d["created"]; !has && !stix.IsObservable(d["type"].(string)) {
			d["created"], d["modified"] = "2024-05-01T10:00:00.000Z", "2024-05-02T10:00:00.000Z"
		}
		raw, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		o := parsed(t, raw)
		if err := stixcheck.Validate(o); err != nil {
			t.Fatal(err)
		}
		out = append(out, Source{o, marking})
	}
	return out
}

func indicatorOf(n int, pattern string, over dict) dict {
	d := dict{"type": "indicator", "id": "indicator--" + uuidOf(n), "pattern": pattern, "pattern_type": "stix", "valid_from": "2024-05-01T10:00:00.000Z"}
	for k, v := range over {
		d[k] = v
	}
	return d
}

// What patterns of other tools become.
func TestPatterns(t *testing.T) {
	for pattern, want := range map[string]string{
		"[ipv4-addr:value = '198.51.100.1']":                                                           "ip-dst 198.51.100.1",
		"[ipv4-addr:value ISSUBSET '198.51.100.0/24']":                                                 "ip-dst 198.51.100.0/24",
		"[ipv4-addr:value IN ('198.51.100.1', '198.51.100.2')]":                                        "ip-dst 198.51.100.1, ip-dst 198.51.100.2",
		"[domain-name:value = 'a.example' OR url:value = 'https://a.example/']":                        "domain a.example, url https://a.example/",
		"[domain-name:value = 'a.example'] OR [email-addr:value = 'a@b.example']":                      "domain a.example, email a@b.example",
		"[file:hashes.MD5 = '" + hexOf(32) + "' OR file:hashes.'SHA-256' = '" + hexOf(64) + "']":       "md5 " + hexOf(32) + ", sha256 " + hexOf(64),
		"[file:hashes.SHA256 = '" + hexOf(64) + "']":                                                   "sha256 " + hexOf(64),
		"[file:hashes.'SHA-256' = 'short']":                                                            "stix2-pattern",
		"[network-traffic:dst_ref.value = '198.51.100.1' AND network-traffic:dst_port = 443]":          "ip-dst|port 198.51.100.1|443",
		"[file:name = 'a.exe' AND file:parent_directory_ref.path = '/tmp']":                            "filename /tmp/a.exe",
		"[file:name = 'a.exe' AND file:size = 7]":                                                      "stix2-pattern",
		"[file:name = 'a.exe'] FOLLOWEDBY [file:name = 'b.exe']":                                       "stix2-pattern",
		"[file:name = 'a.exe'] REPEATS 5 TIMES":                                                        "stix2-pattern",
		"[file:name LIKE 'a%']":                                                                        "stix2-pattern",
		"[file:name != 'a']":                                                                           "stix2-pattern",
		"[file:name NOT = 'a']":                                                                        "stix2-pattern",
		"[domain-name:value = 'not a domain']":                                                         "stix2-pattern",
		"[x-custom:value = 'a']":                                                                       "stix2-pattern",
		"[process:command_line = 'evil']":                                                              "stix2-pattern",
		"[autonomous-system:number = 64496]":                                                           "AS AS64496",
		"[windows-registry-key:key = 'HKEY_USERS\\\\x' AND windows-registry-key:values[*].data = 'v']": `regkey|value HKEY_USERS\x|v`,
	} {
		events, losses := FromSTIX(native(t, stix.Green, indicatorOf(1, pattern, nil)), ExportOptions{})
		if len(events) != 1 || len(losses.List) > 0 {
			t.Fatalf("%s: %d events, %v", pattern, len(events), losses.List)
		}
		var got []string
		uuids := map[string]bool{}
		for _, a := range events[0].Attributes {
			uuids[a.UUID] = true
			text := a.Type + " " + a.Value
			if a.Type == "stix2-pattern" && a.Value == pattern {
				text = a.Type
			}
			got = append(got, text)
			if !a.ToIDs {
				t.Errorf("%s: %+v", pattern, a)
			}
		}
		if strings.Join(got, ", ") != want || len(uuids) != len(got) || len(got) == 1 && !uuids[uuidOf(1)] {
			t.Errorf("%s: %q\nwant %s", pattern, got, want)
		}
	}
}

// What is no pattern is no attribute, and that is told.
func TestNoPattern(t *testing.T) {
	raw, err := json.Marshal(dict{"type": "indicator", "spec_version": "2.1", "id": "indicator--" + uuidOf(1), "created": "2024-05-01T10:00:00.000Z",
		"modified": "2024-05-01T10:00:00.000Z", "pattern": "[not a pattern", "pattern_type": "stix", "valid_from": "2024-05-01T10:00:00.000Z"})
	if err != nil {
		t.Fatal(err)
	}
	events, losses := FromSTIX([]Source{{parsed(t, raw), stix.Green}}, ExportOptions{})
	told := losses.List
	for _, e := range events {
		told = append(told, e.Losses.List...)
		if len(e.Attributes) > 0 {
			t.Errorf("%+v", e.Attributes)
		}
	}
	if !slices.ContainsFunc(told, func(l misp.Loss) bool {
		return l.Path == "indicator--"+uuidOf(1) && strings.Contains(l.Why, "its pattern is none")
	}) {
		t.Errorf("losses %v", told)
	}
}

const reportUUID = "5cfc1a2b-eeee-4000-8000-000000000001"

func reportOf(over dict, refs ...string) dict {
	d := dict{"type": "report", "id": "report--" + reportUUID, "name": "a campaign", "published": "2024-05-02T09:00:00Z", "object_refs": refs, "created_by_ref": "identity--" + orgUUID}
	for k, v := range over {
		d[k] = v
	}
	return d
}

func TestReportOfOthers(t *testing.T) {
	ref := func(typ string, n int) string { return typ + "--" + uuidOf(n) }
	in := native(t, stix.Green,
		dict{"type": "identity", "id": "identity--" + orgUUID, "name": "CERT", "identity_class": "organization"},
		dict{"type": "identity", "id": ref("identity", 50), "name": "Other"},
		dict{"type": "attack-pattern", "id": ref("attack-pattern", 10), "name": "Phishing", "external_references": []dict{{"source_name": "mitre-attack", "external_id": "T1566"}}},
		dict{"type": "intrusion-set", "id": ref("intrusion-set", 11), "name": "Sandworm Team", "external_references": []dict{{"source_name": "mitre-attack", "external_id": "G0034"}}},
		dict{"type": "malware", "id": ref("malware", 12), "name": "x", "is_family": true},
		dict{"type": "location", "id": ref("location", 13), "country": "de"},
		dict{"type": "vulnerability", "id": ref("vulnerability", 14), "name": "CVE-2021-44228"},
		dict{"type": "vulnerability", "id": ref("vulnerability", 15), "name": "Heartbleed"},
		indicatorOf(1, "[ipv4-addr:value = '198.51.100.1']", dict{"name": "c2", "confidence": 80, "labels": []string{"mine", "tlp:clear"}, "valid_until": "2024-06-01T00:00:00Z", "created_by_ref": "identity--" + orgUUID,
			"external_references": []dict{{"source_name": "mitre-attack", "external_id": "T1566"}, {"source_name": "mitre-attack", "external_id": "T9999"}}}),
		indicatorOf(2, "title: t", dict{"pattern_type": "sigma", "revoked": true, "created_by_ref": ref("identity", 50)}),
		indicatorOf(3, "^a$", dict{"pattern_type": "pcre"}),
		indicatorOf(4, "[domain-name:value = 'amber.example']", dict{"object_marking_refs": []string{stix.Amber.MarkingID()}}),
		indicatorOf(5, "[domain-name:value = 'red.example']", dict{"object_marking_refs": []string{stix.Red.MarkingID()}}),
		indicatorOf(6, "[domain-name:value = 'unknown.example']", dict{"object_marking_refs": []string{ref("marking-definition", 99)}}),
		dict{"type": "file", "id": ref("file", 20), "hashes": dict{"MD5": hexOf(32), "SHA-256": hexOf(64)}, "size": 7, "name": "a.exe", "magic_number_hex": "4d5a"},
		dict{"type": "ipv4-addr", "id": ref("ipv4-addr", 21), "value": "198.51.100.9"},
		dict{"type": "domain-name", "id": ref("domain-name", 22), "value": "evil.example", "resolves_to_refs": []string{ref("ipv4-addr", 21)}},
		dict{"type": "mutex", "id": ref("mutex", 23), "name": "m"},
		dict{"type": "observed-data", "id": ref("observed-data", 24), "first_observed": "2024-05-01T10:00:00Z", "last_observed": "2024-05-01T11:00:00Z", "number_observed": 3,
			"object_refs": []string{ref("domain-name", 22), ref("ipv4-addr", 21), ref("file", 20)}},
		reportOf(dict{"description": "What happened.", "labels": []string{"campaign"}}, ref("attack-pattern", 10), ref("intrusion-set", 11), ref("malware", 12), ref("location", 13), ref("vulnerability", 14),
			ref("vulnerability", 15), ref("indicator", 1), ref("indicator", 2), ref("indicator", 3), ref("indicator", 4), ref("indicator", 5), ref("indicator", 6), ref("observed-data", 24), ref("mutex", 23), ref("tool", 98)),
		dict{"type": "relationship", "id": ref("relationship", 30), "relationship_type": "indicates", "source_ref": ref("indicator", 1), "target_ref": ref("malware", 12)},
		dict{"type": "relationship", "id": ref("relationship", 31), "relationship_type": "related-to", "source_ref": ref("observed-data", 24), "target_ref": ref("indicator", 1)},
		dict{"type": "relationship", "id": ref("relationship", 32), "relationship_type": "related-to", "source_ref": ref("indicator", 1), "target_ref": ref("observed-data", 24)},
		dict{"type": "relationship", "id": ref("relationship", 33), "relationship_type": "uses", "source_ref": ref("intrusion-set", 11), "target_ref": ref("malware", 12)},
		dict{"type": "sighting", "id": ref("sighting", 40), "sighting_of_ref": ref("indicator", 1), "count": 5, "last_seen": "2024-05-02T10:00:00Z", "where_sighted_refs": []string{ref("identity", 50)}},
		dict{"type": "sighting", "id": ref("sighting", 41), "sighting_of_ref": ref("indicator", 1), "object_marking_refs": []string{stix.Amber.MarkingID()}},
		dict{"type": "sighting", "id": ref("sighting", 42), "sighting_of_ref": ref("indicator", 77)},
		dict{"type": "opinion", "id": ref("opinion", 43), "opinion": "disagree", "object_refs": []string{ref("indicator", 1)}},
		dict{"type": "opinion", "id": ref("opinion", 44), "opinion": "agree", "object_refs": []string{ref("indicator", 1)}},
		dict{"type": "note", "id": ref("note", 45), "content": "more", "abstract": "a note", "object_refs": []string{ref("indicator", 4)}, "object_marking_refs": []string{stix.AmberStrict.MarkingID()}},
		dict{"type": "note", "id": ref("note", 46), "content": "about the report", "object_refs": []string{"report--" + reportUUID}},
	)
	events, losses := FromSTIX(in, ExportOptions{})
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	e := events[0]
	if e.UUID != reportUUID || e.Info != "a campaign" || e.Orgc.Name != "CERT" || e.Distribution != misp.Community || !e.Published || e.Date != "2024-05-01" || e.Timestamp.Format("02 15") != "02 10" {
		t.Errorf("%+v", e)
	}
	wantTags := tags("tlp:green", "campaign", `misp-galaxy:mitre-attack-pattern="Phishing - T1566"`, `misp-galaxy:mitre-intrusion-set="Sandworm Team - G0034"`, `misp-galaxy:malpedia="x"`, `misp-galaxy:branded-vulnerability="Heartbleed"`)
	if !slices.Equal(e.Tags, wantTags) {
		t.Errorf("%v", e.Tags)
	}
	var got []string
	for _, a := range e.Attributes {
		got = append(got, fmt.Sprintf("%s %s %t %d", a.Type, a.Value, a.ToIDs, a.Distribution))
	}
	if want := []string{"vulnerability CVE-2021-44228 false 5", "ip-dst 198.51.100.1 true 5", "sigma title: t true 5", "domain amber.example true 1", "mutex m false 5"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	c2 := e.Attributes[1]
	if c2.Comment != "c2" || !slices.Equal(c2.Tags, tags("mine", `misp:confidence-level="usually-confident"`, `misp-galaxy:mitre-attack-pattern="Phishing - T1566"`, `misp-galaxy:malpedia="x"`)) {
		t.Errorf("%+v", c2)
	}
	if s := c2.Sightings; len(s) != 3 || s[0].Type != misp.Expired || s[1].Type != misp.Seen || s[1].Org.Name != "Other" || s[2].Type != misp.FalsePositive {
		t.Errorf("%+v", s)
	}
	if !e.Attributes[2].Deleted || !slices.Contains(e.Attributes[3].Tags, misp.Tag{Name: "tlp:amber"}) {
		t.Errorf("%+v", e.Attributes)
	}
	var objects []string
	for _, o := range e.Objects {
		text := o.Name
		for _, a := range o.Attributes {
			text += " " + a.Relation + "=" + a.Value
		}
		objects = append(objects, text)
	}
	if want := []string{"domain-ip domain=evil.example ip=198.51.100.9", "file filename=a.exe md5=" + hexOf(32) + " sha256=" + hexOf(64) + " size-in-bytes=7"}; !slices.Equal(objects, want) {
		t.Errorf("%q", objects)
	}
	if r := e.Objects[0].References; len(r) != 1 || r[0].Referenced != uuidOf(1) {
		t.Errorf("%+v", r)
	}
	if len(e.Reports) != 3 || e.Reports[0].Content != "What happened." || e.Reports[1].Distribution != misp.Organisation || e.Reports[2].Content != "about the report" {
		t.Errorf("%+v", e.Reports)
	}
	wantLosses(t, whys(e.Losses), ref("location", 13)+": MISP has nothing for a location", "T9999 is not among the objects", "by \"Other\": attributes have their event's creator",
		"no type for patterns of \"pcre\"", ref("tool", 98)+": it is not among the objects", "it was observed 3 times", "magic_number_hex has no place in a MISP object file",
		"it comes from an attribute: only objects of MISP have references", "it counts 5", ref("sighting", 41)+": it is marked stricter than its event", "confidence 80 is told as")
	wantLosses(t, whys(losses), ref("indicator", 5)+": TLP:RED is not exported", ref("indicator", 6)+": TLP:RED is not exported", ref("sighting", 42)+": what was sighted is in no event", "the opinion \"agree\"",
		ref("relationship", 33)+": what it comes from is in no event")
	raw, err := e.Encode()
	if err != nil || strings.Contains(string(raw), "red.example") || strings.Contains(string(raw), "unknown.example") {
		t.Errorf("%s %v", raw, err)
	}
}

func wantLosses(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%s\nlacks %s", got, w)
		}
	}
	if n := strings.Count(got, "\n") + 1; n != len(want) {
		t.Errorf("%d losses, want %d:\n%s", n, len(want), got)
	}
}

// What no report names is in an event of its creator, day and marking, and stays in it.
func TestLooseObjects(t *testing.T) {
	day := func(n int, at string, over dict) dict {
		d := indicatorOf(n, fmt.Sprintf("[domain-name:value = 'host%d.example']", n), over)
		d["created"], d["modified"] = at, at
		return d
	}
	identity := dict{"type": "identity", "id": "identity--" + orgUUID, "name": "CERT", "identity_class": "organization"}
	in := native(t, stix.Green, identity, day(1, "2024-05-01T10:00:00.000Z", dict{"created_by_ref": "identity--" + orgUUID}), day(2, "2024-05-01T23:00:00.000Z", dict{"created_by_ref": "identity--" + orgUUID}),
		day(3, "2024-05-02T00:00:00.000Z", dict{"created_by_ref": "identity--" + orgUUID}), day(4, "2024-05-01T10:00:00.000Z", nil),
		day(5, "2024-05-01T10:00:00.000Z", dict{"created_by_ref": "identity--" + orgUUID, "object_marking_refs": []string{stix.Amber.MarkingID()}}),
		dict{"type": "mutex", "id": "mutex--" + uuidOf(6), "name": "m"}, dict{"type": "malware", "id": "malware--" + uuidOf(7), "name": "x", "is_family": true})
	in = append(in, native(t, stix.None, day(8, "2024-05-01T10:00:00.000Z", nil))...)
	events, losses := FromSTIX(in, ExportOptions{Creator: misp.Org{UUID: memberUUID, Name: "us"}})
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprintf("%s %s %d %s %d", e.Orgc.Name, e.Date, len(e.Attributes), e.Tags[0].Name, e.Distribution))
	}
	want := []string{"CERT 2024-05-01 2 tlp:green 1", "CERT 2024-05-02 1 tlp:green 1", "us 2024-05-01 1 tlp:green 1", "CERT 2024-05-01 1 tlp:amber 1"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if events[0].Timestamp.Hour() != 23 {
		t.Errorf("%v", events[0].Timestamp)
	}
	wantLosses(t, whys(losses), "mutex--"+uuidOf(6)+": no report names it", "malware--"+uuidOf(7)+": no report names it", "indicator--"+uuidOf(8)+": no marking")
	again, _ := FromSTIX(in[:2], ExportOptions{})
	if again[0].UUID != events[0].UUID {
		t.Error("an object has moved to another event")
	}
}

func TestDistributionOfMarkings(t *testing.T) {
	for marking, want := range map[stix.TLP]misp.Distribution{stix.None: 0, stix.Clear: 3, stix.Green: 1, stix.Amber: 1, stix.AmberStrict: 0, stix.Red: 0, 77: 0} {
		if got := Distribution(marking); got != want {
			t.Errorf("TLP:%s: %d", marking, got)
		}
	}
}

// Nothing that MISP has no place for is lost in silence.
func TestUnsaid(t *testing.T) {
	phase := []dict{{"kill_chain_name": "k", "phase_name": "p"}}
	in := native(t, stix.Green,
		indicatorOf(1, "[domain-name:value = 'evil.example']", dict{"kill_chain_phases": phase, "indicator_types": []string{"malicious-activity"}, "lang": "en", "x_other": 1,
			"external_references": []dict{{"source_name": "blog", "url": "https://blog.example"}, {"source_name": "sigma", "external_id": "x"}}}),
		dict{"type": "malware", "id": "malware--" + uuidOf(2), "name": "x", "is_family": true, "description": "bad", "kill_chain_phases": phase},
		dict{"type": "file", "id": "file--" + uuidOf(3), "name": "a.exe", "size": 3, "parent_directory_ref": "directory--" + uuidOf(4), "contains_refs": []string{"file--" + uuidOf(5)}},
		dict{"type": "directory", "id": "directory--" + uuidOf(4), "path": `C:\x`, "path_enc": "windows-1252"},
		dict{"type": "observed-data", "id": "observed-data--" + uuidOf(6), "first_observed": "2024-05-01T10:00:00Z", "last_observed": "2024-05-01T10:00:00Z", "number_observed": 1, "object_refs": []string{"file--" + uuidOf(3), "directory--" + uuidOf(4)}},
		dict{"type": "sighting", "id": "sighting--" + uuidOf(7), "sighting_of_ref": "indicator--" + uuidOf(1), "summary": true},
		dict{"type": "opinion", "id": "opinion--" + uuidOf(8), "opinion": "strongly-disagree", "explanation": "ours", "object_refs": []string{"indicator--" + uuidOf(1)}},
		dict{"type": "note", "id": "note--" + uuidOf(9), "content": "x", "authors": []string{"a"}, "object_refs": []string{"report--" + reportUUID}},
		reportOf(dict{"created_by_ref": "identity--" + orgUUID, "report_types": []string{"indicator"}}, "indicator--"+uuidOf(1), "malware--"+uuidOf(2), "observed-data--"+uuidOf(6)))
	events, losses := FromSTIX(in, ExportOptions{})
	if len(events) != 1 || len(losses.List) > 0 {
		t.Fatalf("%d events, %v", len(events), losses.List)
	}
	wantLosses(t, whys(events[0].Losses), "indicator--"+uuidOf(1)+": MISP has no place for indicator_types, kill_chain_phases, lang, x_other", `its reference to "blog https://blog.example"`,
		"malware--"+uuidOf(2)+": MISP has no place for description, kill_chain_phases", "file--"+uuidOf(3)+": contains_refs has no place in a MISP object file",
		"directory--"+uuidOf(4)+": path_enc has no place in a MISP object file", "sighting--"+uuidOf(7)+": MISP has no place for summary", "opinion--"+uuidOf(8)+": MISP has no place for explanation",
		"note--"+uuidOf(9)+": MISP has no place for authors", "report--"+reportUUID+": MISP has no place for report_types")
}

// Nothing is told in an event that is marked less strictly.
func TestExportKeepsMarkings(t *testing.T) {
	amber := dict{"object_marking_refs": []string{stix.Amber.MarkingID()}}
	with := func(d dict) dict {
		for k, v := range amber {
			d[k] = v
		}
		return d
	}
	in := native(t, stix.Green,
		with(dict{"type": "identity", "id": "identity--" + orgUUID, "name": "Secret org"}),
		with(dict{"type": "threat-actor", "id": "threat-actor--" + uuidOf(1), "name": "Secret actor"}),
		with(dict{"type": "directory", "id": "directory--" + uuidOf(2), "path": "/secret"}),
		dict{"type": "file", "id": "file--" + uuidOf(3), "name": "a.exe", "parent_directory_ref": "directory--" + uuidOf(2)},
		dict{"type": "observed-data", "id": "observed-data--" + uuidOf(4), "first_observed": "2024-05-01T10:00:00Z", "last_observed": "2024-05-01T10:00:00Z", "number_observed": 1, "object_refs": []string{"file--" + uuidOf(3), "directory--" + uuidOf(2)}},
		indicatorOf(5, "[domain-name:value = 'evil.example']", dict{"created_by_ref": "identity--" + orgUUID}),
		dict{"type": "relationship", "id": "relationship--" + uuidOf(6), "relationship_type": "indicates", "source_ref": "indicator--" + uuidOf(5), "target_ref": "threat-actor--" + uuidOf(1)},
		reportOf(nil, "threat-actor--"+uuidOf(1), "observed-data--"+uuidOf(4), "indicator--"+uuidOf(5)))
	events, _ := FromSTIX(in, ExportOptions{Creator: misp.Org{UUID: memberUUID, Name: "us"}})
	if len(events) != 1 || events[0].Orgc.Name != "us" || len(events[0].Objects) != 1 {
		t.Fatalf("%d events", len(events))
	}
	o := &events[0].Objects[0]
	if o.Distribution != misp.Community || !slices.Contains(o.Attributes[0].Tags, misp.Tag{Name: "tlp:amber"}) {
		t.Errorf("%+v", o)
	}
	events[0].Objects = nil
	if raw, err := events[0].Encode(); err != nil || strings.Contains(string(raw), "ecret") {
		t.Errorf("%s %v", raw, err)
	}
}
