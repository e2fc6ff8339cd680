package stixcheck

import (
	"bytes"
	"strings"
	"testing"

	"shieldwall/internal/stix"
)

// seeds are objects of every class, with faults of many kinds.
func seeds() []string {
	return []string{
		"{}", `{"type":5,"id":null}`, sdo("identity", `,"name":"n"`), sdo("identity", `,"name":5,"x_a":[{"b":[null,{}]}],"Own":"\u00e9\ud83d\ude00\"\\\/"`),
		sdo("tool", `,"name":"n","granular_markings":[{"lang":"de","selectors":["name","labels.[0]","granular_markings.[0].lang"]}],"labels":["a"]`),
		sdo("indicator", `,"pattern":"[a:b = 'c']","pattern_type":"stix","valid_from":"2024-01-01T00:00:00Z","valid_until":"2024-01-01T00:00:00Z"`),
		sdo("report", `,"name":"n","published":"2024-01-01T00:00:00Z","object_refs":["bundle--`+uuidA+`","x"],"external_references":[{"source_name":"cve","url":"http://a b","hashes":{"MD5":"x"}}]`),
		sdo("observed-data", `,"first_observed":"2024-01-01T00:00:00Z","last_observed":"2024-01-01T00:00:00Z","number_observed":1,"objects":{"0":{"type":"ipv4-addr","value":"1.2.3.4"},"1":{"type":"network-traffic","protocols":["tcp"],"src_ref":"0"},"2":5}`),
		sdo("relationship", `,"relationship_type":"uses","source_ref":"malware--`+uuidA+`","target_ref":"bundle--`+uuidA+`"`),
		sdo("language-content", `,"object_ref":"tool--`+uuidA+`","contents":{"de":{"name":["a",""]},"xx":5}`),
		sdo("extension-definition", `,"name":"n","schema":"s","version":"1","extension_types":["toplevel-property-extension"],"extension_properties":["a"]`),
		sdo("x-own", `,"own":{},"extensions":{"extension-definition--`+uuidB+`":{"extension_type":"new-sdo","A":1},"x":5,"ntfs-ext":{}}`),
		`{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9","created":"2017-01-20T00:00:00.000Z","definition_type":"tlp","name":"TLP:WHITE","definition":{"tlp":"white"}}`,
		`{"type":"marking-definition","id":"marking-definition--` + uuidA + `","object_marking_refs":["marking-definition--` + uuidA + `"],"extensions":{"` + tlp2Extension + `":{"tlp_2_0":"red"}}}`,
		sco("file", `,"hashes":{"MD5":"00","SHA-256":"x","a b":5},"extensions":{"windows-pebinary-ext":{"pe_type":"exe","optional_header":{},"sections":[{"entropy":"1"}]},"archive-ext":{"contains_refs":[]}}`),
		sco("network-traffic", `,"protocols":["tcp"],"is_active":true,"end":"2024-01-01T00:00:00Z","ipfix":{"a":1.5},"extensions":{"http-request-ext":{"request_header":{"A":"b"}}}`),
		sco("email-message", `,"is_multipart":true,"body":"b","body_multipart":[{"body":"b","body_raw_ref":"url--`+uuidA+`"}]`), sco("windows-registry-key", `,"values":[{}],"key":"HKLM"`),
		sco("x509-certificate", `,"x509_v3_extensions":{"a":1},"hashes":{}`), sco("user-account", ""), sco("software", `,"name":"n","cpe":"cpe:2.3:a","languages":["e"]`),
		sco("domain-name", `,"value":"b\u00fccher.example"`), sco("email-addr", `,"value":"\"a@b"`), sco("url", `,"value":"http://[::1]:8/%41?b#c"`), sco("ipv6-addr", `,"value":"::/0"`),
		`{"type":"ipv4-addr","id":"ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4","value":"198.51.100.3"}`,
		"[" + sdo("identity", `,"name":"n"`) + "," + sdo("identity", `,"name":"m"`) + "]", bundle(sco("url", `,"value":"a"`), "{}"), `{"type":"bundle","objects":[{"objects":[]}]}`,
	}
}

func TestSeeds(t *testing.T) {
	readable, broken := 0, 0
	for _, s := range seeds() {
		if o, err := stix.Parse([]byte(s), stix.Limits{}); err == nil {
			readable++
			if Validate(o) != nil {
				broken++
			}
		}
	}
	if readable < 28 || broken < 20 {
		t.Errorf("%d seeds are objects, %d of them broken", readable, broken)
	}
}

// FuzzObject: no object makes it fail; what is asked for of a level is what there is of it at all; and a document
// of one object has the object's findings.
func FuzzObject(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	limits := stix.Limits{Bundle: 1 << 20, Object: 1 << 16, Depth: 32, Count: 100}
	f.Fuzz(func(t *testing.T, data []byte) {
		var told int
		_, err := Document(bytes.NewReader(data), limits, stix.Advice, func(p stix.Problem) {
			told++
			checkProblem(t, p)
		})
		o, parseErr := stix.Parse(data, limits)
		if parseErr != nil {
			return
		}
		all := Object(o, stix.Advice)
		for level := stix.Unusable; level < stix.Advice; level++ {
			var want []string
			for _, p := range all {
				if p.Level <= level {
					want = append(want, p.Error())
				}
			}
			var got []string
			for _, p := range Object(o, level) {
				got = append(got, p.Error())
			}
			if len(all) < maxProblems && strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Fatalf("level %d: %q, of all %q", level, got, want)
			}
		}
		if len(all) > maxProblems {
			t.Fatalf("%d findings", len(all))
		}
		if _, isBundle := o.Property("objects"); err == nil && o.Type != "bundle" && !isBundle && told < len(all) {
			t.Fatalf("the document has %d findings, the object %q", told, all)
		}
	})
}

func checkProblem(t *testing.T, p stix.Problem) {
	if p.Msg == "" || p.Section == "" || p.Line < 1 || p.Level > stix.Advice || len(p.Property) > 2*maxPath {
		t.Fatalf("finding %+v", p)
	}
}

// FuzzFormats: what strings of forms are is decided without a panic, and in time.
func FuzzFormats(f *testing.F) {
	for _, s := range []string{"", "http://a", "a@b", "de-CH", "a.b", "cpe:2.3:a:b:c:*:*:*:*:*:*:*:*", `"\`, "[::1]", "\xff", "xn--a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		uri, domain := isURI(s), isDomainName(s)
		if uri && (hasWide(s) || !strings.Contains(s, ":")) {
			t.Errorf("%q is taken for a URI", s)
		}
		if domain && strings.ContainsAny(s, " /:@_\x00") {
			t.Errorf("%q is taken for a domain", s)
		}
		if isEmailAddress(s) && !strings.Contains(s, "@") {
			t.Errorf("%q is taken for an address", s)
		}
		if isLanguageTag(s) && (len(s) < 2 || strings.ContainsAny(s, "_ ")) {
			t.Errorf("%q is taken for a language", s)
		}
		_, _ = cpeForm.MatchString(s), hashForms["SSDEEP"](s)
	})
}
