package stixcheck

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/stix"
)

// schema is as much of a JSON schema as names properties.
type schema struct {
	Properties map[string]schema
	Required   []string
	AllOf      []schema
	Enum       []string
}

func (s schema) collect(properties, required map[string]bool) {
	for name := range s.Properties {
		properties[name] = true
	}
	for _, name := range s.Required {
		required[name] = true
	}
	for _, part := range s.AllOf {
		part.collect(properties, required)
	}
}

// TestTables reads the tables beside the JSON schemas of OASIS: they have the same properties, and want the same ones.
func TestTables(t *testing.T) {
	root := filepath.Join(corpus(t), "stix", "schemas")
	files := map[string]string{"language-content": "common", "marking-definition": "common", "extension-definition": "common"}
	for folder, list := range map[string]map[string]*entry{"sdos": domainObjects, "sros": relationObjects, "observables": observableObjects} {
		have, err := filepath.Glob(filepath.Join(root, folder, "*.json"))
		if err != nil || len(have) != len(list) {
			t.Errorf("%s: %d schemas, %d tables: %v", folder, len(have), len(list), err)
		}
		for typ := range list {
			files[typ] = folder
		}
	}
	// The schemas leave out what stands in the tables all the same.
	known := map[string]bool{
		"x509-certificate extensions": true, "email-message is_multipart": true, "email-message body": true, "email-message body_multipart": true, "network-traffic is_active": true, // in alternatives
		"malware is_family": true, "marking-definition definition": true, "marking-definition definition_type": true,
	}
	for typ, folder := range files {
		data, err := os.ReadFile(filepath.Join(root, folder, typ+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var s schema
		if err := json.Unmarshal(data, &s); err != nil {
			t.Fatal(err)
		}
		properties, needed := map[string]bool{}, map[string]bool{}
		s.collect(properties, needed)
		e := objects[typ]
		for name := range properties {
			if e.find(name) == nil && common.find(name) == nil {
				t.Errorf("%s: %s is in the schema alone", typ, name)
			}
		}
		for _, p := range e.properties {
			if !properties[p.name] && !known[typ+" "+p.name] && p.name != "extensions" {
				t.Errorf("%s: %s is in the table alone", typ, p.name)
			}
			if needed[p.name] != (p.need == required) && !known[typ+" "+p.name] && p.need != ought {
				t.Errorf("%s: %s: required in the schema: %v", typ, p.name, needed[p.name])
			}
		}
	}
}

// TestEnumerations: the closed vocabularies are those of the schemas.
func TestEnumerations(t *testing.T) {
	root := filepath.Join(corpus(t), "stix", "schemas")
	text := map[string]string{}
	for _, name := range []string{"observables/process", "observables/network-traffic", "observables/windows-registry-key", "observables/artifact", "sdos/opinion", "common/extension-definition"} {
		data, err := os.ReadFile(filepath.Join(root, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		text[name] = strings.Join(strings.Fields(string(data)), "")
	}
	for _, tt := range []struct {
		file string
		v    *vocabulary
	}{
		{"observables/process", windowsIntegrityLevel}, {"observables/process", windowsServiceStartType}, {"observables/process", windowsServiceType}, {"observables/process", windowsServiceStatus},
		{"observables/network-traffic", socketAddressFamily}, {"observables/network-traffic", socketType}, {"observables/windows-registry-key", registryDatatype},
		{"observables/artifact", encryptionAlgorithm}, {"sdos/opinion", opinion}, {"common/extension-definition", extensionType},
	} {
		if list := `["` + strings.Join(tt.v.words, `","`) + `"]`; !strings.Contains(text[tt.file], list) {
			t.Errorf("%s: %s is not in the schema", tt.v.name, list)
		}
	}
}

// TestSections: every row and every rule can be looked up.
func TestSections(t *testing.T) {
	for typ, e := range objects {
		if e.class == custom || e.section == "" {
			t.Errorf("%s: class %d, section %q", typ, e.class, e.section)
		}
		for _, p := range e.properties {
			if p.section == "" || p.kind == nil {
				t.Errorf("%s: %s has no section or kind", typ, p.name)
			}
		}
		for _, name := range e.extensions {
			if predefinedExtensions[name] == nil {
				t.Errorf("%s: no table of %s", typ, name)
			}
		}
		for _, name := range e.contributing {
			if e.find(name) == nil && common.find(name) == nil {
				t.Errorf("%s: %s contributes to the id and is no property", typ, name)
			}
		}
		if (e.class == observable) != stix.IsObservable(typ) {
			t.Errorf("%s: package stix has it otherwise", typ)
		}
	}
	if len(objects) != 19+2+18+3 {
		t.Errorf("%d types", len(objects))
	}
	for from, types := range relationships {
		for typ, targets := range types {
			for _, to := range append(slices.Clone(targets), from) {
				if to != anyObservable && objects[to] == nil {
					t.Errorf("%s %s %s: no such type", from, typ, to)
				}
			}
		}
	}
}

func TestFormats(t *testing.T) {
	for _, tt := range []struct {
		name     string
		is       func(string) bool
		yes, not []string
	}{
		{"URI", isURI, []string{"http://example.com", "https://u:p@[::1]:443/a;b?c=d/?#e", "urn:a:b", "mailto:a@b.example", "a:", "HTTP://a%20b/", "http://[v1.a:b]/", "file:///etc", "http://a:/"},
			[]string{"", "example.com", "http://a b", "http://é/", "http://[::1", "http://a:b/", "1a:b", "http://a/%zz", "http://a/#b#c", "http://a/[b]", "://a", "http://[fe80::1%25eth0]/", "http://a@b@c/"}},
		{"domain", isDomainName, []string{"example.com", "EXAMPLE.com.", "xn--bcher-kva.example", "bücher.example", "a", "1.example", "例え.テスト", strings.Repeat("a", 63) + ".example"},
			[]string{"", ".", "a..b", "-a.b", "a-.b", "a_b.c", "*.a", "a b", "ab--c.d", "Bücher.example", "☃.example", strings.Repeat("a", 64) + ".b", strings.Repeat("a.", 127) + "a", "http://a"}},
		{"email", isEmailAddress, []string{"a@b", "jane.smith@example.com", `"a b"@c`, `"a\"b"@c`, "jörg@bücher.example", "a@[192.0.2.1]", "a+b=c@d"},
			[]string{"", "a", "@b", "a@", "a b@c", "A <a@b>", "a@b@c d", "a..b@c", ".a@b", `"a"b@c`, `"a@c`, `"\"@c`, "a@[b", "a@b c"}},
		{"language", isLanguageTag, []string{"de", "DE", "de-CH", "zh-Hant-TW", "sl-rozaj-biske-1994", "en-u-ca-gregory", "x-own", "i-klingon", "kok", "es-419", "de-x-own", "zh-cmn-Hans-CN", "en-a-bbb-x-a-ccc"},
			[]string{"", "d", "english", "xx", "de_CH", "de-", "de--CH", "de-a", "de-1996-1996", "en-a-bb-a-cc", "germ", "de-x", "i-other"}},
		{"CPE", cpeForm.MatchString, []string{"cpe:2.3:a:microsoft:word:2000:*:*:*:*:*:*:*", `cpe:2.3:o:a\!b:-:1.0:?1:*:en-us:*:*:*:*`, "cpe:2.3:*:*:*:*:*:*:*:*:*:*:*"},
			[]string{"", "cpe:/a:b:c", "cpe:2.3:a:b", "cpe:2.3:x:b:c:*:*:*:*:*:*:*:*", "cpe:2.3:a:b!c:d:*:*:*:*:*:*:*:*", "cpe:2.3:a:microsoft:word:2000:*:*:*:*:*:*"}},
		{"SSDEEP", hashForms["SSDEEP"], []string{"96:s4Ud1Lj96tH:sF1LjEtH", "3::"}, []string{"", "96", "96:a", "a:b:c", "96:a:b,c"}},
		{"subdivision", isSubdivision, []string{"TH-63", "us-ny", "GB-ENG"}, []string{"", "63", "TH", "TH-", "XX-1", "TH-1234"}},
	} {
		for _, s := range tt.yes {
			if !tt.is(s) {
				t.Errorf("%s: %q refused", tt.name, s)
			}
		}
		for _, s := range tt.not {
			if tt.is(s) {
				t.Errorf("%s: %q accepted", tt.name, s)
			}
		}
	}
}
