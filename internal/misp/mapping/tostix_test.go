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
	"shieldwall/internal/stixpattern"
)

// uuidOf makes a UUID of version 4 out of a number.
func uuidOf(n int) string { return fmt.Sprintf("5cfc1a2b-%04d-4000-8000-000000000000", n) }

const (
	eventUUID = "5cfc1a2b-aaaa-4000-8000-000000000001"
	orgUUID   = "5cfc1a2b-bbbb-4000-8000-000000000001"
)

type dict = map[string]any

// mispEvent builds an event with defaults that members may override.
func mispEvent(over dict) dict {
	e := dict{"uuid": eventUUID, "info": "an event", "date": "2024-05-01", "timestamp": "1714567890", "published": true,
		"publish_timestamp": "1714567999", "analysis": "2", "threat_level_id": "1", "distribution": "3",
		"Orgc": dict{"uuid": orgUUID, "name": "CERT"}, "Tag": []dict{{"name": "tlp:green"}}}
	for k, v := range over {
		e[k] = v
	}
	return dict{"Event": e}
}

func attribute(n int, typ, value string, toIDs bool, over ...dict) dict {
	a := dict{"uuid": uuidOf(n), "type": typ, "category": "Network activity", "value": value, "to_ids": toIDs, "timestamp": "1714567800", "distribution": "5"}
	for _, o := range over {
		for k, v := range o {
			a[k] = v
		}
	}
	return a
}

func readEvent(t testing.TB, event dict) *misp.Event {
	t.Helper()
	data, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	var out *misp.Event
	if err := misp.Decode(strings.NewReader(string(data)), misp.Limits{}, func(e *misp.Event) error { out = e; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func toSTIX(t testing.TB, event dict, opt Options) *Result {
	t.Helper()
	r, err := ToSTIX(readEvent(t, event), opt)
	if err != nil {
		t.Fatal(err)
	}
	check(t, r)
	return r
}

// check holds a result to what is always true: valid objects, patterns that parse, references that lead to objects
// of the result that its readers may see too, or to ATT&CK.
func check(t testing.TB, r *Result) {
	t.Helper()
	asks := map[string][]Asks{}
	for _, s := range r.Objects {
		asks[s.ID] = append(asks[s.ID], s.Asks)
	}
	for _, s := range r.Objects {
		o, err := stix.Parse(s.Raw, stix.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", s.Raw, err)
		}
		if err := stixcheck.Validate(o); err != nil || o.ID != s.ID {
			t.Errorf("%s: %v", s.Raw, err)
		}
		if o.PatternType == "stix" {
			if _, err := stixpattern.Parse(o.Pattern); err != nil {
				t.Errorf("%s: %v", o.Pattern, err)
			}
		}
		for _, ref := range o.Refs {
			if strings.HasPrefix(ref.ID, "marking-definition--") || isATTACK(ref.ID) {
				continue
			}
			if !slices.ContainsFunc(asks[ref.ID], s.Asks.same) {
				t.Errorf("%s refers to %s (%s), which its readers do not get", s.ID, ref.ID, ref.Property)
			}
		}
	}
}

// attackUUID begins the clusters of ATT&CK in these tests: what they are referred to by is not written.
const attackUUID = "5cfc1a2b-a77a-4000-8000-"

func isATTACK(id string) bool { return strings.Contains(id, attackUUID) }

func object(t testing.TB, r *Result, id string) *stix.Object {
	t.Helper()
	for _, s := range r.Objects {
		if s.ID == id {
			o, err := stix.Parse(s.Raw, stix.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
	}
	t.Fatalf("there is no %s", id)
	return nil
}

func typesOf(r *Result) string {
	var out []string
	for _, s := range r.Objects {
		out = append(out, stix.TypeOf(s.ID))
	}
	return strings.Join(out, " ")
}

// The whole way: an event with attributes of five types.
func TestEvent(t *testing.T) {
	r := toSTIX(t, mispEvent(dict{"Attribute": []dict{
		attribute(1, "ip-dst", "198.51.100.1", true, dict{"comment": "c2", "Tag": []dict{{"name": "tlp:amber"}, {"name": `kill-chain:Delivery`}}}),
		attribute(2, "domain", "evil.example", true),
		attribute(3, "sha256", strings.Repeat("AB", 32), true),
		attribute(4, "url", "https://evil.example/a?b='c'", false),
		attribute(5, "text", "a remark", false),
	}}), Options{})
	if want := "identity identity indicator indicator indicator url observed-data x-misp-attribute report"; typesOf(r) != want {
		t.Errorf("%s\nwant %s", typesOf(r), want)
	}
	first := object(t, r, "indicator--"+uuidOf(1))
	if first.Pattern != "[ipv4-addr:value = '198.51.100.1']" || first.Text("description") != "c2" || first.Modified != "2024-05-01T12:50:00.000Z" ||
		first.Created != "2024-04-30T10:00:00.000Z" || first.CreatedBy != "identity--"+orgUUID ||
		!slices.Equal(first.Labels, []string{`misp:type="ip-dst"`, `misp:category="Network activity"`, "kill-chain:Delivery"}) ||
		!slices.Equal(first.Markings(), []string{stix.Amber.MarkingID()}) {
		t.Errorf("%s", first.Raw)
	}
	if o := object(t, r, "indicator--"+uuidOf(3)); o.Pattern != "[file:hashes.'SHA-256' = '"+strings.Repeat("ab", 32)+"']" {
		t.Errorf("%s", o.Raw)
	}
	report := object(t, r, "report--"+eventUUID)
	refs, _ := report.Property("object_refs")
	if report.Name != "an event" || strings.Contains(string(refs), uuidOf(1)) || !strings.Contains(string(refs), uuidOf(2)) {
		t.Errorf("%s", report.Raw)
	}
	if len(r.Losses.List) != 1 || r.Losses.List[0].Path != "Event" {
		t.Errorf("%v", r.Losses)
	}
	if r.Event.Audience.String() != "alliance" || r.Event.Marking != stix.Green {
		t.Errorf("%+v", r.Event)
	}
}

// What cannot be read as its type is kept, and nothing looks for it.
func TestNonsense(t *testing.T) {
	for i, a := range []dict{
		attribute(1, "ip-dst", "300.1.1.1", true), attribute(1, "ip-dst", "fe80::1%eth0", true), attribute(1, "ip-dst|port", "198.51.100.1", true), attribute(1, "ip-dst|port", "198.51.100.1|99999", true),
		attribute(1, "domain|ip", "evil.example|x", true), attribute(1, "md5", "xyz", true), attribute(1, "filename|md5", "a.exe", true), attribute(1, "AS", "x", true), attribute(1, "mac-address", "00:11", true),
		attribute(1, "port", "-1", true), attribute(1, "size-in-bytes", "1e9", true), attribute(1, "attachment", "a.png", false, dict{"data": "%%%"}), attribute(1, "stix2-pattern", "[x", true),
		attribute(1, "ja3-fingerprint-md5", hexOf(32), true), attribute(1, "yara", "rule a {}", false), attribute(1, "user-agent", "x", false),
	} {
		r := toSTIX(t, mispEvent(dict{"Attribute": []dict{a}}), Options{})
		kept := object(t, r, "x-misp-attribute--"+uuidOf(1))
		if len(r.Losses.List) != 1 || kept.Text("x_misp_value") != a["value"] {
			t.Errorf("%d: %s, losses %v", i, kept.Raw, r.Losses.List)
		}
	}
	registry := toSTIX(t, mispEvent(dict{"Attribute": []dict{attribute(1, "regkey", `hklm\Run`, true)}}), Options{})
	if o := object(t, registry, "indicator--"+uuidOf(1)); o.Pattern != `[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\Run']` {
		t.Errorf("%s", o.Pattern)
	}
}
