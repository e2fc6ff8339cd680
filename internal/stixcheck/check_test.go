package stixcheck

import (
	"errors"
	"strings"
	"testing"

	"shieldwall/internal/stix"
)

const (
	uuidA = "11111111-1111-4111-8111-111111111111"
	uuidB = "22222222-2222-4222-8222-222222222222"
)

const times = `"created":"2024-01-01T00:00:00.000Z","modified":"2024-01-01T00:00:00.000Z"`

func sdo(typ, rest string) string {
	return `{"type":"` + typ + `","spec_version":"2.1","id":"` + typ + `--` + uuidA + `",` + times + rest + `}`
}

func sco(typ, rest string) string {
	return `{"type":"` + typ + `","id":"` + typ + `--` + uuidA + `"` + rest + `}`
}

func parsed(t testing.TB, raw string) *stix.Object {
	t.Helper()
	o, err := stix.Parse([]byte(raw), stix.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return o
}

// expectation is an object, and one finding that it has; none is an object without any of the level.
type expectation struct{ name, raw, want string }

func expect(t *testing.T, tests []expectation, level stix.Level) {
	t.Helper()
	for _, tt := range tests {
		var found []string
		for _, p := range Object(parsed(t, tt.raw), stix.Advice) {
			if p.Level == level {
				found = append(found, p.Error())
			}
		}
		switch all := strings.Join(found, "\n"); {
		case tt.want == "" && len(found) > 0:
			t.Errorf("%s: %s", tt.name, all)
		case tt.want != "" && !strings.Contains(all, tt.want):
			t.Errorf("%s: got %q, want %q", tt.name, all, tt.want)
		}
	}
}

// TestGate: what makes an object unusable, here and everywhere.
func TestGate(t *testing.T) {
	indicator := `,"pattern":"[a:b = 1]","pattern_type":"stix","valid_from":"2024-01-01T00:00:00Z"`
	expect(t, []expectation{
		{"identity", sdo("identity", `,"name":"n"`), ""},
		{"custom property survives", sdo("identity", `,"name":"n","x_a":[1]`), ""},
		{"unknown type", `{"type":"x-thing","id":"x-thing--` + uuidA + `","own":1}`, ""},
		{"unknown type, wrong id", `{"type":"x-thing","id":"x-other--` + uuidA + `"}`, "id: must begin with"},
		{"type in capitals", `{"type":"X-Thing","id":"x-thing--` + uuidA + `"}`, "type: "},
		{"no UUID", `{"type":"identity","spec_version":"2.1","id":"identity--1",` + times + `,"name":"n"}`, "is not type--UUID"},
		{"no name", sdo("identity", ""), "name: missing (STIX 2.1, section 4.5.1)"},
		{"name no string", sdo("identity", `,"name":1`), "name: must be a string"},
		{"no spec_version", `{"type":"identity","id":"identity--` + uuidA + `",` + times + `,"name":"n"}`, "spec_version: missing"},
		{"STIX 2.0", strings.Replace(sdo("identity", `,"name":"n"`), `"2.1"`, `"2.0"`, 1), "is not 2.1"},
		{"no created", `{"type":"identity","spec_version":"2.1","id":"identity--` + uuidA + `","name":"n"}`, "created: missing"},
		{"seconds only", strings.ReplaceAll(sdo("identity", `,"name":"n"`), ".000Z", "Z"), "milliseconds"},
		{"more digits", strings.ReplaceAll(sdo("identity", `,"name":"n"`), ".000Z", ".0000001Z"), ""},
		{"no Z", strings.ReplaceAll(sdo("identity", `,"name":"n"`), ".000Z", ".000"), "created: must be a timestamp"},
		{"modified before created", strings.Replace(sdo("identity", `,"name":"n"`), `"modified":"2024`, `"modified":"2023`, 1), "modified: is before created"},
		{"creator no identity", sdo("identity", `,"name":"n","created_by_ref":"malware--`+uuidA+`"`), "created_by_ref: must be an id of type identity"},
		{"marking of a wrong type", sdo("identity", `,"name":"n","object_marking_refs":["identity--`+uuidA+`"]`), "object_marking_refs"},
		{"markings no list", sdo("identity", `,"name":"n","object_marking_refs":"marking-definition--`+uuidA+`"`), "object_marking_refs"},
		{"empty list", sdo("identity", `,"name":"n","labels":[]`), "labels: must not be an empty list"},
		{"confidence", sdo("identity", `,"name":"n","confidence":101`), "confidence"},
		{"revoked no boolean", sdo("identity", `,"name":"n","revoked":"true"`), "revoked: must be true or false"},
		{"granular without selectors", sdo("identity", `,"name":"n","granular_markings":[{"marking_ref":"marking-definition--`+uuidA+`"}]`), "granular_markings"},
		{"granular, both", sdo("identity", `,"name":"n","granular_markings":[{"lang":"de","selectors":["name"],"marking_ref":"marking-definition--`+uuidA+`"}]`), "granular_markings"},
		{"external without anything", sdo("identity", `,"name":"n","external_references":[{"source_name":"x"}]`), "external_references"},
		{"extensions empty", sdo("identity", `,"name":"n","extensions":{}`), "extensions: must not be empty"},
		{"indicator", sdo("indicator", indicator), ""},
		{"indicator without pattern", sdo("indicator", `,"pattern_type":"stix","valid_from":"2024-01-01T00:00:00Z"`), "pattern: missing"},
		{"valid_until = valid_from", sdo("indicator", indicator+`,"valid_until":"2024-01-01T00:00:00.000Z"`), "valid_until: must be later"},
		{"kill chain", sdo("indicator", indicator+`,"kill_chain_phases":[{"kill_chain_name":"a"}]`), "kill_chain_phases"},
		{"malware family without name", sdo("malware", `,"is_family":true`), "name: missing"},
		{"relationship", sdo("relationship", `,"relationship_type":"uses","source_ref":"malware--`+uuidA+`","target_ref":"tool--`+uuidA+`"`), ""},
		{"relationship to a sighting", sdo("relationship", `,"relationship_type":"uses","source_ref":"malware--`+uuidA+`","target_ref":"sighting--`+uuidA+`"`), "target_ref"},
		{"relationship type", sdo("relationship", `,"relationship_type":"Uses it","source_ref":"malware--`+uuidA+`","target_ref":"tool--`+uuidA+`"`), "relationship_type"},
		{"sighting", sdo("sighting", `,"sighting_of_ref":"indicator--`+uuidA+`","count":3`), ""},
		{"sighting, negative", sdo("sighting", `,"sighting_of_ref":"indicator--`+uuidA+`","count":-1`), "count"},
		{"sighting, last before first", sdo("sighting", `,"sighting_of_ref":"indicator--`+uuidA+`","first_seen":"2024-01-02T00:00:00Z","last_seen":"2024-01-01T00:00:00Z"`), "last_seen"},
		{"marking with a version", `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--` + uuidA + `",` + times +
			`,"definition_type":"statement","definition":{"statement":"x"}}`, "modified: must not be there"},
		{"statement without text", `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--` + uuidA +
			`","created":"2024-01-01T00:00:00.000Z","definition_type":"statement","definition":{"x":1}}`, "definition.statement"},
		{"location with half a place", sdo("location", `,"latitude":1`), "longitude: must be there"},
		{"location nowhere", sdo("location", `,"name":"n"`), "region: one of"},
		{"observed nothing", sdo("observed-data", `,"first_observed":"2024-01-01T00:00:00Z","last_observed":"2024-01-01T00:00:00Z","number_observed":1`), "objects: one of"},
		{"observable needs no version", `{"type":"url","id":"url--` + uuidA + `","value":"http://a"}`, ""},
		{"observable without value", `{"type":"url","id":"url--` + uuidA + `"}`, "value: missing"},
		{"file with nothing", `{"type":"file","id":"file--` + uuidA + `"}`, "hashes: one of"},
		{"artifact with both", `{"type":"artifact","id":"artifact--` + uuidA + `","payload_bin":"AA==","url":"u","hashes":{"MD5":"x"}}`, "together"},
		{"bad base64", `{"type":"artifact","id":"artifact--` + uuidA + `","payload_bin":"?"}`, "payload_bin: must be base64"},
		{"port", `{"type":"network-traffic","id":"network-traffic--` + uuidA + `","protocols":["tcp"],"dst_port":65536,"dst_ref":"ipv4-addr--` + uuidA + `"}`, "dst_port"},
		{"bundle", `{"type":"bundle","id":"bundle--` + uuidA + `"}`, "a bundle is not an object"},
		{"nothing", `{}`, "type: missing"},
	}, stix.Unusable)
}

func TestToleratedIsReportedButUsable(t *testing.T) {
	raw := `{"type":"malware","spec_version":"2.1","id":"malware--` + uuidA + `","created":"2024-01-01T00:00:00.000Z","modified":"2024-01-01T00:00:00.000Z","name":"n"}`
	o, err := stix.Parse([]byte(raw), stix.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var problems stix.Problems
	if !errors.As(Validate(o), &problems) || len(problems) != 1 || problems[0].Level != stix.Tolerated {
		t.Errorf("Validate: %v", problems)
	}
	if err := Usable(o); err != nil {
		t.Errorf("Usable: %v", err)
	}
}
