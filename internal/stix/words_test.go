package stix

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestSortKey(t *testing.T) {
	tests := []struct{ in, want string }{
		{"2024-01-02T03:04:05Z", "2024-01-02T03:04:05"},
		{"2024-01-02T03:04:05.000Z", "2024-01-02T03:04:05"},
		{"2024-01-02T03:04:05.120Z", "2024-01-02T03:04:05.12"},
		{"2024-01-02T03:04:05.123456789012345678901234567890Z", "2024-01-02T03:04:05.12345678901234567890123456789"},
		{"2016-12-31T23:59:60.5Z", "2016-12-31T23:59:60.5"},
		{"2000-02-29T00:00:00.001Z", "2000-02-29T00:00:00.001"},
		{"1900-02-29T00:00:00.001Z", ""},
		{"2024-01-02T03:04:60Z", ""},
		{"2024-01-02T24:00:00Z", ""},
		{"2024-04-31T00:00:00Z", ""},
		{"2024-00-01T00:00:00Z", ""},
		{"2024-01-02t03:04:05z", ""},
		{"2024-01-02 03:04:05Z", ""},
		{"2024-01-02T03:04:05+00:00", ""},
		{"2024-01-02T03:04:05.Z", ""},
		{"2024-01-02T03:04:05.1 Z", ""},
		{"2024-01-02T03:04:05", ""},
		{"2024-01-02T03:04:05." + strings.Repeat("1", 65) + "Z", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if got := SortKey(tt.in); got != tt.want {
			t.Errorf("SortKey(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	if a, b := SortKey("2024-01-02T03:04:05.1Z"), SortKey("2024-01-02T03:04:05.09999999999Z"); a <= b {
		t.Error("digits of different length sort wrongly")
	}
	leap, err := ParseTime("2016-12-31T23:59:60.5Z")
	if want := time.Date(2017, 1, 1, 0, 0, 0, 5e8, time.UTC); err != nil || !leap.Equal(want) {
		t.Errorf("leap second: %v %v", leap, err)
	}
}

func TestIDs(t *testing.T) {
	good := []string{"indicator--" + uuidA, "x-a-b--" + uuidA, "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4",
		"url--AAAAAAAA-1111-4111-B111-111111111111"}
	for _, id := range good {
		if !IsID(id) {
			t.Errorf("%q refused", id)
		}
	}
	bad := []string{"", "indicator", "indicator--", "--" + uuidA, "in--" + uuidA, "Indicator--" + uuidA, "a--b--" + uuidA,
		"indicator-" + uuidA, "indicator--11111111-1111-6111-8111-111111111111", "indicator--11111111-1111-4111-c111-111111111111",
		"indicator--1111111111111-4111-8111-111111111111", "indicator--g1111111-1111-4111-8111-111111111111", "9ab--" + uuidA,
		strings.Repeat("a", 251) + "--" + uuidA}
	for _, id := range bad {
		if IsID(id) {
			t.Errorf("%q accepted", id)
		}
	}
	id, err := NewID("sighting", bytes.NewReader(make([]byte, 16)))
	if err != nil || !IsID(id) || TypeOf(id) != "sighting" {
		t.Errorf("NewID: %q %v", id, err)
	}
	if _, err := NewID("sighting", bytes.NewReader(nil)); err == nil {
		t.Error("NewID without randomness gave an id")
	}
}

func TestDerivedIDs(t *testing.T) {
	got := ObservableID("ipv4-addr", []byte(`{"value":"198.51.100.3"}`))
	if want := "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4"; got != want {
		t.Errorf("got %s, want the specification's %s", got, want)
	}
	if OwnID("indicator", "a", "bc") == OwnID("indicator", "ab", "c") {
		t.Error("parts run into one another")
	}
	if id := OwnID("indicator", "cert-a", "rule"); !IsID(id) || id != OwnID("indicator", "cert-a", "rule") {
		t.Errorf("unstable or malformed: %s", id)
	}
}

func TestTLP(t *testing.T) {
	for name, want := range map[string]TLP{"clear": Clear, "TLP:CLEAR": Clear, "white": Clear, "Green": Green, "tlp:amber": Amber,
		"AMBER+STRICT": AmberStrict, "amber-strict": AmberStrict, "red": Red} {
		if got, err := ParseTLP(name); err != nil || got != want {
			t.Errorf("%q: %v %v", name, got, err)
		}
	}
	for _, name := range []string{"", "none", "TLP:", "amber strict", "pink"} {
		if got, err := ParseTLP(name); err == nil {
			t.Errorf("%q accepted as %v", name, got)
		}
	}
	for m := Clear; m <= Red; m++ {
		if got, ok := TLPOf(m.MarkingID()); !ok || got != m || !IsID(m.MarkingID()) {
			t.Errorf("%v: %v %v", m, got, ok)
		}
		if back, err := ParseTLP(m.String()); err != nil || back != m {
			t.Errorf("%v does not survive its name", m)
		}
	}
	for id, want := range map[string]TLP{"613f2e26-407d-48c7-9eca-b8e91df99dc9": Clear, "34098fce-860f-48ae-8e50-ebd3cc5e41da": Green,
		"f88d31f6-486f-44da-b317-01333bde0b82": Amber, "5E57C739-391A-4EB3-B6BE-7D15CA92D5ED": Red} {
		if got, ok := TLPOf("marking-definition--" + id); !ok || got != want {
			t.Errorf("%s: %v %v", id, got, ok)
		}
	}
	if None.Valid() || TLP(6).Valid() || Amber.Stricter(Red) != Red || TLP(9).String() != "TLP(9)" || None.MarkingID() != "" {
		t.Error("edges")
	}
}

func TestMarkingTLP(t *testing.T) {
	own := `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--` + uuidA + `","created":"2024-01-01T00:00:00.000Z",`
	tests := []struct {
		name, raw string
		want      TLP
	}{
		{"statement", own + `"definition_type":"statement","definition":{"statement":"Copyright"}}`, None},
		{"another kind", own + `"definition_type":"x-pap","definition":{"pap":"red"}}`, None},
		{"TLP 1 in disguise", own + `"definition_type":"tlp","definition":{"tlp":"white"}}`, Red},
		{"TLP 2 in disguise", own + `"extensions":{"` + tlpExtension + `":{"extension_type":"property-extension","tlp_2_0":"clear"}}}`, Red},
		{"TLP 2.0 amber", strings.Replace(own, "marking-definition--"+uuidA, Amber.MarkingID(), 1) + `"name":"TLP:AMBER","extensions":{"` + tlpExtension +
			`":{"extension_type":"property-extension","tlp_2_0":"amber"}}}`, Amber},
	}
	for _, tt := range tests {
		o, err := Parse([]byte(tt.raw), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := o.MarkingTLP(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestProblemsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("[")
	for range 5000 {
		b.WriteString("{},")
	}
	_, err := ParseBundle([]byte(b.String()+"{}]"), Limits{})
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != maxProblems {
		t.Fatalf("%d problems", len(problems))
	}
}

func TestBuilders(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8_900_000, time.FixedZone("x", 3600))
	c := Common{ID: "identity--" + uuidA, Created: at}
	got, err := Identity{Common: c, Name: "CERT <A> & \u2028\"\\\x01", Class: "organization", Sectors: []string{"energy"}}.Encode()
	want := `{"type":"identity","spec_version":"2.1","id":"identity--` + uuidA + `","created":"2026-03-04T04:06:07.008Z","modified":"2026-03-04T04:06:07.008Z",` +
		`"name":"CERT <A> & ` + "\u2028" + `\"\\\u0001","identity_class":"organization","sectors":["energy"]}`
	if err != nil || string(got) != want {
		t.Errorf("identity: %v\n%s\n%s", err, got, want)
	}
	c.ID, c.CreatedBy, c.External = "indicator--"+uuidA, "identity--"+uuidA, []ExternalRef{{Source: "sigma", ID: "r"}}
	pattern := "title: x\r\n\tcafé: '*\\a'\n"
	got, err = Indicator{Common: c, Name: "n", Pattern: pattern, PatternType: "sigma", Author: "Some One"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	o, err := Parse(got, Limits{})
	if err != nil || o.Pattern != pattern || o.Text("x_shieldwall_author") != "Some One" || o.ValidFrom != "2026-03-04T04:06:07.008Z" {
		t.Errorf("indicator: %v %s", err, got)
	}
	c.ID = "sighting--" + uuidA
	got, err = Sighting{Common: c, Of: "indicator--" + uuidB, Count: 5e9, FirstSeen: at, LastSeen: at.Add(time.Minute), WhereSighted: []string{"identity--" + uuidA}}.Encode()
	if err != nil || !strings.Contains(string(got), `"first_seen":"2026-03-04T04:06:00.000Z","last_seen":"2026-03-04T04:07:00.000Z","count":999999999,`) {
		t.Errorf("sighting: %v %s", err, got)
	}
	if _, err := (Identity{Common: c, Name: "n"}).Encode(); err == nil {
		t.Error("an identity with a sighting's id was built")
	}
	c.ID = "identity--" + uuidA
	if _, err := (Identity{Common: c, Name: "\xff"}).Encode(); err == nil {
		t.Error("invalid UTF-8 was built")
	}
}

func TestValuePattern(t *testing.T) {
	tests := []struct {
		kind        ValueKind
		value, want string
	}{
		{DomainName, "evil.example", `[domain-name:value = 'evil.example']`},
		{URL, `http://a/'\`, `[url:value = 'http://a/\'\\']`},
		{MD5, "00", `[file:hashes.MD5 = '00']`},
		{SHA256, "00", `[file:hashes.'SHA-256' = '00']`},
	}
	for _, tt := range tests {
		if got, err := ValuePattern(tt.kind, tt.value); err != nil || got != tt.want {
			t.Errorf("%s %v, want %s", got, err, tt.want)
		}
	}
	for _, v := range []string{"", "\xff"} {
		if _, err := ValuePattern(URL, v); err == nil {
			t.Errorf("%q accepted", v)
		}
	}
	if _, err := ValuePattern("mutex", "x"); err == nil {
		t.Error("unknown kind accepted")
	}
}
