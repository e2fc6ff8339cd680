package stixcheck

import (
	"strings"
	"testing"

	"shieldwall/internal/stix"
)

// TestBroken: the MUSTs that a gate lets pass and a publisher does not.
func TestBroken(t *testing.T) {
	identity := func(rest string) string { return sdo("identity", `,"name":"n"`+rest) }
	file := func(rest string) string { return sco("file", `,"name":"n"`+rest) }
	traffic := func(rest string) string {
		return sco("network-traffic", `,"protocols":["tcp"],"src_ref":"ipv4-addr--`+uuidA+`"`+rest)
	}
	marking := func(rest string) string {
		return `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--` + uuidA + `","created":"2024-01-01T00:00:00.000Z"` + rest + `}`
	}
	extended := func(contents string) string {
		return identity(`,"extensions":{"extension-definition--` + uuidB + `":` + contents + `}`)
	}
	observed := func(rest string) string {
		return sdo("observed-data", `,"first_observed":"2024-01-01T00:00:00Z","last_observed":"2024-01-01T00:00:00Z","number_observed":1,`+rest)
	}
	expect(t, []expectation{
		// Names and values of properties that are not in the tables.
		{"custom property", identity(`,"x_own":{"a":[1]}`), ""},
		{"name in capitals", identity(`,"Own":1`), "Own: a name must be 3 to 250 of a-z, 0-9 and underscore (STIX 2.1, section 11.1.1)"},
		{"short name", identity(`,"xy":1`), "xy: a name must be"},
		{"long name", identity(`,"` + strings.Repeat("a", 251) + `":1`), "a name must be"},
		{"no name", identity(`,"":1`), "a name must be"},
		{"digit first", identity(`,"9lives":1`), "9lives: a name must be"},
		{"reserved", identity(`,"severity":"high"`), "severity: the name is reserved and must not be used (STIX 2.1, section 3.8)"},
		{"reserved for courses of action", sdo("course-of-action", `,"name":"n","action":"a"`), "action: the name is reserved"},
		{"name inside", identity(`,"external_references":[{"source_name":"a","description":"b","X":1}]`), "external_references.[0].X: a name must be"},
		{"encoding of nothing", identity(`,"x_path_enc":"utf-8"`), "x_path_enc: must not be there without x_path"},

		// Common properties.
		{"defanged identity", identity(`,"defanged":true`), "defanged: must not be on objects other than observables"},
		{"empty version", `{"type":"identity","spec_version":"","id":"identity--` + uuidA + `",` + times + `,"name":"n"}`, `spec_version: "" is not 2.1`},
		{"language", identity(`,"lang":"english"`), `lang: "english" is no language code of RFC 5646 (STIX 2.1, section 3.2)`},
		{"external URL", identity(`,"external_references":[{"source_name":"a","url":"no url"}]`), "external_references.[0].url: "},
		{"external hash", identity(`,"external_references":[{"source_name":"a","url":"http://a","hashes":{"SHA-224":"00"}}]`), "external_references.[0].hashes.SHA-224: must be one of MD5"},
		{"CVE by another name", sdo("vulnerability", `,"name":"n","external_references":[{"source_name":"nvd","external_id":"CVE-2016-1234"}]`), "source_name: must be cve"},
		{"malformed CVE", sdo("vulnerability", `,"name":"n","external_references":[{"source_name":"cve","external_id":"2016-1234"}]`), "is not of the form CVE-YYYY-NNNN (STIX 2.1, section 4.19.1)"},
		{"malformed CAPEC", sdo("attack-pattern", `,"name":"n","external_references":[{"source_name":"capec","external_id":"163"}]`), "is not of the form CAPEC-NNN (STIX 2.1, section 4.1.1)"},
		{"CVE of a tool", sdo("tool", `,"name":"n","external_references":[{"source_name":"nvd","external_id":"CVE-2016-1234"}]`), ""},
		{"selectors", identity(`,"labels":["a"],"granular_markings":[{"lang":"de","selectors":["name","labels.[0]","labels","id","granular_markings.[0].lang"]}]`), ""},
		{"selector of nothing", identity(`,"granular_markings":[{"lang":"de","selectors":["pattern"]}]`), `granular_markings.[0].selectors.[0]: "pattern" selects nothing of this object (STIX 2.1, section 7.2.3.1)`},
		{"selector beyond a list", identity(`,"labels":["a"],"granular_markings":[{"lang":"de","selectors":["labels.[1]"]}]`), "selects nothing"},
		{"selector into a text", identity(`,"granular_markings":[{"lang":"de","selectors":["name.[0]"]}]`), "selects nothing"},
		{"selector of a name in a list", identity(`,"labels":["a"],"granular_markings":[{"lang":"de","selectors":["labels.name"]}]`), "selects nothing"},
		{"selector of minus one", identity(`,"labels":["a"],"granular_markings":[{"lang":"de","selectors":["labels.[-1]"]}]`), "selects nothing"},

		// Extensions.
		{"extension", extended(`{"extension_type":"property-extension","rank":5}`), ""},
		{"extension without type", extended(`{"rank":5}`), "extension_type: missing (STIX 2.1, section 3.2)"},
		{"extension of a wrong type", extended(`{"extension_type":"new"}`), "extension_type: must be one of new-sdo"},
		{"extension of no object", extended(`"a"`), "must be an object: the contents"},
		{"extension with a wrong name", extended(`{"extension_type":"property-extension","Rank":5}`), "Rank: a name must be 3 to 250 of a-z, 0-9 and underscore (STIX 2.1, section 7.3.2.1)"},
		{"extension's key no id", identity(`,"extensions":{"extension-definition--1":{"extension_type":"property-extension"}}`), "a key must be the id of an extension definition"},
		{"custom extension on an SDO", identity(`,"extensions":{"x-own-ext":{"abc":1}}`), "can only be on cyber-observable objects (STIX 2.1, section 11.3)"},
		{"custom extension", file(`,"extensions":{"x-own-ext":{"abc":1}}`), ""},
		{"custom extension, wrong end", file(`,"extensions":{"x-own":{"abc":1}}`), "a name must end in -ext"},
		{"custom extension in capitals", file(`,"extensions":{"X-ext":{"abc":1}}`), "a name must be 3 to 250 of a-z, 0-9 and hyphen"},
		{"custom extension, empty", file(`,"extensions":{"x-own-ext":{}}`), "extensions.x-own-ext: must not be empty"},

		// Types that are not in the specification.
		{"custom object", sdo("x-own", `,"own":1`), ""},
		{"custom object without modified", `{"type":"x-own","id":"x-own--` + uuidA + `","created":"2024-01-01T00:00:00.000Z","own":1}`, "modified: missing"},
		{"custom SDO without created", `{"type":"own-thing","id":"own-thing--` + uuidA + `","own":1,"extensions":{"extension-definition--` + uuidB + `":{"extension_type":"new-sdo"}}}`, "created: missing"},
		{"custom SCO", `{"type":"own-thing","id":"own-thing--` + uuidA + `","own":1,"extensions":{"extension-definition--` + uuidB + `":{"extension_type":"new-sco"}}}`, ""},
		{"custom object with nothing", `{"type":"x-own","id":"x-own--` + uuidA + `"}`, "must have a property of its own (STIX 2.1, section 11.2.1)"},

		// SDOs and SROs.
		{"pattern", sdo("indicator", `,"pattern":"[a:b =]","pattern_type":"stix","valid_from":"2024-01-01T00:00:00Z"`), "pattern: is no STIX pattern: "},
		{"pattern of another version", sdo("indicator", `,"pattern":"[a:b =]","pattern_type":"stix","pattern_version":"3.0","valid_from":"2024-01-01T00:00:00Z"`), ""},
		{"pattern of another language", sdo("indicator", `,"pattern":"[a:b =]","pattern_type":"yara","valid_from":"2024-01-01T00:00:00Z"`), ""},
		{"reference to a bundle", sdo("report", `,"name":"n","published":"2024-01-01T00:00:00Z","object_refs":["bundle--`+uuidA+`"]`), "object_refs.[0]: must not refer to a bundle (STIX 2.1, section 8.2)"},
		{"analysis of a tool", sdo("malware-analysis", `,"product":"p","analysis_sco_refs":["tool--`+uuidA+`"]`), "analysis_sco_refs.[0]: must be the id of a cyber-observable object (STIX 2.1, section 4.12.1)"},
		{"analysis of something custom", sdo("malware-analysis", `,"product":"p","analysis_sco_refs":["x-own--`+uuidA+`"]`), ""},
		{"sighting of an observable", sdo("sighting", `,"sighting_of_ref":"url--`+uuidA+`"`), "sighting_of_ref: must be the id of a domain object (STIX 2.1, section 5.2.1)"},
		{"relationship to an extension definition", sdo("relationship", `,"relationship_type":"uses","source_ref":"tool--`+uuidA+`","target_ref":"extension-definition--`+uuidA+`"`), "target_ref: must be the id of a domain object"},
		{"observed relationships only", observed(`"object_refs":["relationship--` + uuidA + `"]`), "object_refs: must have at least one cyber-observable object"},
		{"observed tool", observed(`"object_refs":["url--` + uuidA + `","tool--` + uuidA + `"]`), "object_refs.[1]: must be the id of a cyber-observable object or a relationship"},

		// Containers.
		{"container", observed(`"objects":{"0":{"type":"ipv4-addr","value":"1.2.3.4"},"1":{"type":"network-traffic","protocols":["tcp"],"src_ref":"0"}}`), ""},
		{"container without type", observed(`"objects":{"0":{"value":"1.2.3.4"}}`), "objects.0.type: missing"},
		{"container of a tool", observed(`"objects":{"0":{"type":"tool","name":"1.2.3.4"}}`), "objects.0.type: must be the type of a cyber-observable object"},
		{"container of a text", observed(`"objects":{"0":"a"}`), "objects.0: must be a cyber-observable object"},
		{"container, dangling", observed(`"objects":{"0":{"type":"network-traffic","protocols":["tcp"],"src_ref":"7"}}`), `objects.0.src_ref: "7" is the key of no object of the same container (STIX 2.1, section 2.13)`},
		{"container, wrong type", observed(`"objects":{"0":{"type":"network-traffic","protocols":["tcp"],"src_ref":"1"},"1":{"type":"url","value":"http://a"}}`), "objects.0.src_ref: must be an id of type ipv4-addr"},
		{"container, unrelated", observed(`"objects":{"0":{"type":"mutex","name":"a"},"1":{"type":"mutex","name":"b"}}`), "objects: must not hold objects that are not related"},
		{"container, faulty object", observed(`"objects":{"0":{"type":"ipv4-addr","value":"1.2.3"}}`), `objects.0.value: "1.2.3" is no IPv4`},

		// Meta objects.
		{"translation", sdo("language-content", `,"object_ref":"tool--`+uuidA+`","contents":{"de":{"name":"n"}}`), ""},
		{"translation into nothing", sdo("language-content", `,"object_ref":"tool--`+uuidA+`","contents":{"xx":{"name":"n"}}`), "contents.xx: a key must be a language code"},
		{"translation of no property", sdo("language-content", `,"object_ref":"tool--`+uuidA+`","contents":{"de":{"N":"n"}}`), `"N" is no property's name`},
		{"translation that is a text", sdo("language-content", `,"object_ref":"tool--`+uuidA+`","contents":{"de":"n"}`), "contents.de: must be an object"},
		{"top level without the type", sdo("extension-definition", `,"created_by_ref":"identity--`+uuidA+`","name":"n","schema":"s","version":"1","extension_types":["new-sdo"],"extension_properties":["rank"]`), "extension_properties: must not be there without"},
		{"marks itself", marking(`,"definition_type":"statement","definition":{"statement":"s"},"object_marking_refs":["marking-definition--` + uuidA + `"]`), "must not refer to the marking itself (STIX 2.1, section 3.2)"},
		{"TLP under another id", marking(`,"definition_type":"tlp","definition":{"tlp":"red"}`), "id: must be that of one of the four markings of TLP 1"},
		{"TLP 2.0 under another id", marking(`,"extensions":{"` + tlp2Extension + `":{"extension_type":"property-extension","tlp_2_0":"red"}}`), "id: must be that of one of the five markings of TLP 2.0"},

		// Formats of observables.
		{"domain", sco("domain-name", `,"value":"a_b.example"`), `value: "a_b.example" is no domain name of RFC 1034 and RFC 5890 (STIX 2.1, section 6.4.1)`},
		{"email with a name", sco("email-addr", `,"value":"A <a@b.example>"`), "is no addr-spec of RFC 5322 (STIX 2.1, section 6.5.1)"},
		{"IPv4", sco("ipv4-addr", `,"value":"10.0.0.01"`), "is no IPv4 address or network (STIX 2.1, section 6.8.1)"},
		{"IPv6 as IPv4", sco("ipv4-addr", `,"value":"::1"`), "is no IPv4"},
		{"IPv6", sco("ipv6-addr", `,"value":"fe80::1%eth0"`), "is no IPv6 address or network (STIX 2.1, section 6.9.1)"},
		{"MAC", sco("mac-addr", `,"value":"AA:bb:cc:dd:ee:ff"`), "is no MAC address of six octets in lower case"},
		{"URL", sco("url", `,"value":"example.com"`), "is no URI of RFC 3986"},
		{"CPE", sco("software", `,"name":"n","cpe":"cpe:/a:b:c"`), "cpe: "},
		{"language of software", sco("software", `,"name":"n","languages":["german"]`), "languages.[0]: "},
		{"hive", sco("windows-registry-key", `,"key":"HKLM\\a"`), "must have its hive in full"},
		{"character set", sco("directory", `,"path":"p","path_enc":"latin-9000"`), "is not in IANA's registry of character sets (STIX 2.1, section 3.9.1)"},
		{"name_enc without name", sco("file", `,"hashes":{"MD5":"3773a88f65a5e780c8dff9cdc3a056f3"},"name_enc":"UTF-8"`), "name_enc: must not be there without name"},
		{"MD5", file(`,"hashes":{"MD5":"00"}`), `hashes.MD5: "00" is no value of this algorithm (STIX 2.1, section 10.7)`},
		{"hash's name", file(`,"hashes":{"SHA 256":"00"}`), "a name must be of a-z, A-Z, 0-9, hyphen and underscore (STIX 2.1, section 2.7)"},
		{"contained indicator", file(`,"contains_refs":["indicator--` + uuidA + `"]`), "contains_refs.[0]: must be the id of a cyber-observable object"},
		{"encryption", sco("artifact", `,"payload_bin":"AA==","encryption_algorithm":"rot13"`), "encryption_algorithm: must be one of AES-256-GCM"},
		{"base64 with lines", sco("artifact", `,"payload_bin":"AA\n=="`), "payload_bin: must be base64 without line ends"},
		{"active and ended", traffic(`,"is_active":true,"end":"2024-01-01T00:00:00Z"`), "end: must not be there where is_active is true (STIX 2.1, section 6.12.1)"},
		{"ipfix", traffic(`,"ipfix":{"a":1.5}`), "ipfix.a: must be a string or an integer"},
		{"key of a dictionary", traffic(`,"ipfix":{"a b":1}`), "a key must be 1 to 250 of a-z, A-Z, 0-9, hyphen and underscore (STIX 2.1, section 2.3)"},
		{"environment", sco("process", `,"environment_variables":{"A":1}`), "environment_variables.A: must be a string"},
		{"body of many parts", sco("email-message", `,"is_multipart":true,"body":"b"`), "body: must not be there where is_multipart is true"},
		{"parts of one", sco("email-message", `,"is_multipart":false,"body_multipart":[{"body":"b"}]`), "body_multipart: must not be there where is_multipart is false"},
		{"empty part", sco("email-message", `,"is_multipart":true,"body_multipart":[{"content_type":"text/plain"}]`), "one of body, body_raw_ref must be there (STIX 2.1, section 6.6.2)"},
		{"header", sco("email-message", `,"is_multipart":false,"additional_header_fields":{"A":"b"}`), "additional_header_fields.A: must be a list"},
		{"registry value of nothing", sco("windows-registry-key", `,"values":[{"x_own":1}]`), "values.[0]: at least one property of this type must be there (STIX 2.1, section 6.17.2.1)"},
		{"registry type", sco("windows-registry-key", `,"values":[{"data_type":"REG_X"}]`), "values.[0].data_type: must be one of REG_NONE"},
		{"certificate's extension", sco("x509-certificate", `,"x509_v3_extensions":{"key_usage":1}`), "x509_v3_extensions.key_usage: must be a string (STIX 2.1, section 6.18.2.1)"},

		// Predefined extensions.
		{"archive of nothing", file(`,"extensions":{"archive-ext":{"comment":"c"}}`), "extensions.archive-ext.contains_refs: missing (STIX 2.1, section 6.7.2.1)"},
		{"NTFS with nothing", file(`,"extensions":{"ntfs-ext":{"x_own":1}}`), "extensions.ntfs-ext: at least one property of this type must be there"},
		{"stream without name", file(`,"extensions":{"ntfs-ext":{"alternate_data_streams":[{"size":1}]}}`), "alternate_data_streams.[0].name: missing (STIX 2.1, section 6.7.3.2)"},
		{"PDF", file(`,"extensions":{"pdf-ext":{"document_info_dict":{"Title":1}}}`), "document_info_dict.Title: must be a string"},
		{"EXIF", file(`,"extensions":{"raster-image-ext":{"exif_tags":{"Make":1.5}}}`), "exif_tags.Make: must be a string or an integer"},
		{"PE with its type alone", file(`,"extensions":{"windows-pebinary-ext":{"pe_type":"exe"}}`), "extensions.windows-pebinary-ext: at least one property"},
		{"PE time", file(`,"extensions":{"windows-pebinary-ext":{"pe_type":"exe","time_date_stamp":"2024-01-01T00:00:00.0Z"}}`), "time_date_stamp: must be a timestamp YYYY-MM-DDTHH:MM:SSZ, precise to the second"},
		{"PE header", file(`,"extensions":{"windows-pebinary-ext":{"pe_type":"exe","optional_header":{"size_of_code":-1}}}`), "optional_header.size_of_code: must be an integer, not negative (STIX 2.1, section 6.7.6.2)"},
		{"PE section", file(`,"extensions":{"windows-pebinary-ext":{"pe_type":"exe","sections":[{"entropy":"1"}]}}`), "sections.[0].entropy: must be a number"},
		{"HTTP", traffic(`,"extensions":{"http-request-ext":{"request_method":"get"}}`), "request_value: missing (STIX 2.1, section 6.12.2.1)"},
		{"ICMP", traffic(`,"extensions":{"icmp-ext":{"icmp_type_hex":"8","icmp_code_hex":"00"}}`), "icmp_type_hex: must be hexadecimal, of an even number of digits (STIX 2.1, section 2.8)"},
		{"socket", traffic(`,"extensions":{"socket-ext":{"address_family":"AF_INET","options":{"SO_LINGER":"1"}}}`), "options.SO_LINGER: must be an integer"},
		{"TCP", traffic(`,"extensions":{"tcp-ext":{"x_own":1}}`), "extensions.tcp-ext: at least one property"},
		{"process", sco("process", `,"extensions":{"windows-process-ext":{"integrity_level":"none"}}`), "integrity_level: must be one of low, medium, high, system"},
		{"service", sco("process", `,"extensions":{"windows-service-ext":{"start_type":"auto"}}`), "start_type: must be one of SERVICE_AUTO_START"},
		{"account", sco("user-account", `,"extensions":{"unix-account-ext":{"gid":1.5}}`), "gid: must be an integer"},
	}, stix.Broken)
}

// TestTolerated: what much data breaks.
func TestTolerated(t *testing.T) {
	expect(t, []expectation{
		{"empty custom list", sdo("identity", `,"name":"n","x_a":[]`), "x_a: must not be an empty list (STIX 2.1, section 2.12)"},
		{"empty custom dictionary, deep", sdo("identity", `,"name":"n","x_a":[{"b":{}}]`), "x_a.[0].b: must not be empty (STIX 2.1, section 2.3)"},
		{"null", sdo("identity", `,"name":"n","x_a":null`), "x_a: null is no value"},
		{"hexadecimal in capitals", sco("file", `,"name":"n","magic_number_hex":"FF"`), "magic_number_hex: must be hexadecimal in lower case"},
		{"malware without is_family", sdo("malware", `,"name":"n"`), "is_family: missing"},
		{"custom object without spec_version", `{"type":"x-own","id":"x-own--` + uuidA + `",` + times + `,"own":1}`, "spec_version: missing"},
	}, stix.Tolerated)
}

// TestAdvice: the SHOULDs.
func TestAdvice(t *testing.T) {
	traffic := func(rest string) string {
		return sco("network-traffic", `,"src_ref":"ipv4-addr--`+uuidA+`"`+rest)
	}
	relationship := func(typ, from, to string) string {
		return sdo("relationship", `,"relationship_type":"`+typ+`","source_ref":"`+from+`--`+uuidA+`","target_ref":"`+to+`--`+uuidA+`"`)
	}
	expect(t, []expectation{
		{"language", sdo("identity", `,"name":"n"`), "lang: should be there"},
		{"vocabulary", sdo("identity", `,"name":"n","sectors":["energy","gas"]`), `sectors.[1]: "gas" is not in industry-sector-ov (STIX 2.1, section 10.11)`},
		{"word in capitals", sdo("identity", `,"name":"n","sectors":["Oil Gas"]`), "and other words should be in lower case with hyphens"},
		{"errata's words", sdo("identity", `,"name":"n","lang":"en","sectors":["legal"]`), ""},
		{"kill chain", sdo("tool", `,"name":"n","kill_chain_phases":[{"kill_chain_name":"A b","phase_name":"c"}]`), "kill_chain_phases.[0].kill_chain_name: "},
		{"indicator", sdo("indicator", `,"pattern":"p","pattern_type":"sigma","valid_from":"2024-01-01T00:00:00Z"`), "description: should be there (STIX 2.1, section 4.7.1)"},
		{"subtype in labels", sdo("malware", `,"name":"n","is_family":false,"labels":["trojan"]`), `labels: "trojan" belongs into malware_types`},
		{"country", sdo("location", `,"country":"Germany"`), "country: "},
		{"precision", sdo("location", `,"latitude":1,"longitude":2`), "precision: should be there"},
		{"UUID of an SDO", `{"type":"tool","spec_version":"2.1","id":"tool--28bb3599-77cd-5a82-a950-b5bc3caf07c4",` + times + `,"name":"n"}`, "id: should have a UUID of version 4"},
		{"relationship", relationship("uses", "malware", "tool"), ""},
		{"relationship to any observable", relationship("consists-of", "infrastructure", "mutex"), ""},
		{"relationship by another name", relationship("eats", "malware", "tool"), `"eats" is not defined from malware to tool`},
		{"relationship between others", relationship("uses", "tool", "malware"), "is not defined from tool to malware"},
		{"related", relationship("related-to", "tool", "url"), ""},
		{"duplicates", relationship("duplicate-of", "tool", "url"), "should be between two objects of one type"},
		{"custom ends", relationship("eats", "x-own", "url"), ""},
		{"not used on observables", sco("url", `,"value":"http://a","labels":["a"]`), "labels: is not used on objects of this type"},
		{"custom property", sdo("identity", `,"name":"n","rank":1`), "rank: a custom property should be defined by an extension definition"},
		{"top level property", sdo("identity", `,"name":"n","lang":"en","rank":1,"extensions":{"extension-definition--`+uuidB+`":{"extension_type":"toplevel-property-extension"}}`), ""},
		{"custom type", sco("x-own", `,"own":1`), "a new type should be defined by an extension definition"},
		{"hash's name", sco("file", `,"name":"n","hashes":{"SHA-224":"00"}`), "hashes.SHA-224: is not in hash-algorithm-ov"},
		{"hash of little use", sco("file", `,"name":"n","hashes":{"MD5":"3773a88f65a5e780c8dff9cdc3a056f3"}`), "hashes: should have a SHA-256"},
		{"media type", sco("file", `,"name":"n","mime_type":"exe"`), "mime_type: "},
		{"ports", traffic(`,"protocols":["tcp"]`), "src_port: should be there"},
		{"protocols", traffic(`,"protocols":["TCP/IP"]`), "protocols.[0]: "},
		{"protocols and extensions", traffic(`,"protocols":["ipv4"],"extensions":{"tcp-ext":{"src_flags_hex":"00"}}`), "protocols: should have tcp where there is tcp-ext"},
		{"priority", sco("process", `,"extensions":{"windows-process-ext":{"priority":"high"}}`), "priority: "},
		{"extension of another type", sco("process", `,"extensions":{"tcp-ext":{"src_flags_hex":"00"}}`), "is no predefined extension of objects of this type"},
		{"marking of another kind", `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--` + uuidA + `","created":"2024-01-01T00:00:00.000Z","definition_type":"x-pap","definition":{"pap":"red"}}`, "should be statement or tlp"},
		{"extension definition", sdo("extension-definition", `,"created_by_ref":"identity--`+uuidA+`","name":"n","schema":"s","version":"1","extension_types":["toplevel-property-extension"]`), "extension_properties: should be there"},
		{"container", sdo("observed-data", `,"first_observed":"2024-01-01T00:00:00Z","last_observed":"2024-01-01T00:00:00Z","number_observed":1,"objects":{"0":{"type":"mutex","name":"a"}}`), "objects: is deprecated"},
	}, stix.Advice)
}

// Identifiers of observables: those of the specification's examples, and of network traffic that of the library stix2,
// for there the example's is of other values.
func TestIdentifiersOfObservables(t *testing.T) {
	derived := []string{
		`{"type":"ipv4-addr","id":"ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4","value":"198.51.100.3"}`,
		`{"type":"autonomous-system","id":"autonomous-system--3aa27478-50b5-5ab8-9da9-cdc12b657fff","number":15139,"name":"Slime Industries","rir":"ARIN"}`,
		`{"type":"mutex","id":"mutex--f93fe911-e545-5239-b9b0-597840d0c871","name":"__CLEANSWEEP__"}`,
		`{"type":"windows-registry-key","id":"windows-registry-key--1884b770-b679-522a-a9c7-45fadaaec7bb","key":"HKEY_LOCAL_MACHINE\\System\\Foo\\Bar"}`,
		`{"type":"file","id":"file--949eb97a-da1e-5292-8959-03c4249dc9f3","hashes":{"SHA-256":"fe90a7e910cb3a4739bed9180e807e93fa70c90f25a8915476f5e4bfbac681db"},"size":25536,"name":"foo.dll"}`,
		`{"type":"network-traffic","id":"network-traffic--4292dccf-844d-5aa2-a8c2-285ed7a90c02","src_ref":"ipv4-addr--9cf4a8ec-7640-5f40-a006-79942896168b",
			"dst_ref":"ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4","protocols":["tcp"]}`,
	}
	for _, raw := range derived {
		for _, p := range Object(parsed(t, raw), stix.Advice) {
			if p.Property == "id" {
				t.Errorf("%v", p)
			}
		}
	}
	other := strings.Replace(derived[0], "100.3", "100.4", 1)
	expect(t, []expectation{
		{"of another value", other, "id: should be ipv4-addr--"},
		{"of version 4", sco("url", `,"value":"http://a"`), "id: should have a UUID of version 5"},
		{"of unknown hashes", `{"type":"artifact","id":"artifact--28bb3599-77cd-5a82-a950-b5bc3caf07c4","url":"http://a","hashes":{"TLSH":"6FF02BEF718027B0160B4391212923ED7F1A463D563B1549B86CF62973B197AD2731F8","SHA-256":"fe90a7e910cb3a4739bed9180e807e93fa70c90f25a8915476f5e4bfbac681db"}}`, "id: should be artifact--"},
	}, stix.Advice)
	expect(t, []expectation{
		{"process", `{"type":"process","id":"process--28bb3599-77cd-5a82-a950-b5bc3caf07c4","pid":1}`, "id: must have a UUID of version 4: there are no properties to make another of (STIX 2.1, section 2.9)"},
		{"nothing contributes", `{"type":"user-account","id":"user-account--28bb3599-77cd-5a82-a950-b5bc3caf07c4","display_name":"n"}`, "id: must have a UUID of version 4"},
		{"versioned", strings.Replace(derived[0], `"value"`, times+`,"value"`, 1), "id: must not be out of the specification's namespace where there is modified (STIX 2.1, section 3.6)"},
		{"versioned with an id of its own", sco("url", `,`+times+`,"value":"http://a"`), ""},
	}, stix.Broken)
}

func TestTLPIsFixed(t *testing.T) {
	white := `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9","created":"2017-01-20T00:00:00.000Z","definition_type":"tlp","name":"TLP:WHITE","definition":{"tlp":"white"}}`
	strict := `{"type":"marking-definition","spec_version":"2.1","id":"` + stix.AmberStrict.MarkingID() + `","created":"2022-10-01T00:00:00.000Z","name":"TLP:AMBER+STRICT",
		"extensions":{"` + tlp2Extension + `":{"extension_type":"property-extension","tlp_2_0":"amber+strict"}}}`
	tests := []expectation{{"white", white, ""}, {"amber+strict", strict, ""}}
	for _, change := range []struct{ from, to, want string }{
		{`"tlp":"white"`, `"tlp":"red"`, "definition_type: must be that of TLP:WHITE, whose id it has"},
		{`"tlp":"white"`, `"tlp":"white","x_a":1`, "definition_type: must be that of TLP:WHITE"},
		{`TLP:WHITE`, `TLP:CLEAR`, "name: must be TLP:WHITE"},
		{`2017-01-20`, `2017-01-21`, "created: must be 2017-01-20"},
		{`"name":`, `"x_own":1,"name":`, "x_own: must not be there: TLP:WHITE is fixed"},
		{`"definition_type":"tlp"`, `"definition_type":"statement"`, "must be that of TLP:WHITE"},
		{`"tlp_2_0":"amber+strict"`, `"tlp_2_0":"clear"`, "extensions: must be that of TLP:AMBER+STRICT"},
		{`"tlp_2_0"`, `"rank":1,"tlp_2_0"`, "extensions: must be that of TLP:AMBER+STRICT"},
		{`TLP:AMBER+STRICT`, `TLP:AMBER`, "name: must be TLP:AMBER+STRICT"},
	} {
		raw := white
		if !strings.Contains(raw, change.from) {
			raw = strict
		}
		tests = append(tests, expectation{change.to, strings.Replace(raw, change.from, change.to, 1), change.want})
	}
	expect(t, tests, stix.Broken)
	for i, list := range [][]tlp{tlp1, tlp2} {
		for _, marking := range list {
			want, err := stix.ParseTLP(marking.value)
			if got, ok := stix.TLPOf("marking-definition--" + marking.id); err != nil || !ok || got != want {
				t.Errorf("TLP %d: %v is %v", i+1, marking, got)
			}
		}
	}
}
