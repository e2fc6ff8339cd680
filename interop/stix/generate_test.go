package stix

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
)

// generator makes objects out of templates, most of them with a fault.
type generator struct {
	*rand.Rand
	templates []object
}

func (g *generator) one(in int) bool { return g.IntN(in) == 0 }

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

// odd are values that fit in few places.
func (g *generator) odd() any {
	return pick[any](g, nil, "", "x", "X_Y z", 0, 1, -1, 1.5, 1e10, 4611686018427387904.0, true, false, []any{}, object{}, []any{"x"}, []any{1}, object{"x": "y"}, object{"abc": 1},
		"2016-01-01T00:00:00Z", "2016-01-01T00:00:00.000Z", "2016-01-01", "2016-02-30T00:00:00.000Z", "2030-01-01T00:00:00.000Z", "2016-01-01T00:00:00.000+01:00", "2016-12-31T23:59:60.000Z",
		"2016-01-01T24:00:00.000Z", "2016-01-01t00:00:00z", "identity--"+u4, "marking-definition--"+v4, "file--"+u5, "software--"+u5, "bundle--"+u4, "sighting--"+u4, "x-thing--"+u4, "language-content--"+u4,
		"indicator--"+u4, "extension-definition--"+v4, "identity--1", "Identity--"+u4, "indicator--00000000-0000-0000-0000-000000000000", "2.0", "2.1", "en", "de-CH", "zh-Hant-TW", "english", "en_US", "SO",
		"http://example.com", "http://exa mple.com", "example.com/a", "https://[::1]:8/", "http://example.com/\u00e9", "a@b", "a b@c.d", "A <a@b.c>", "b\u00fccher.example", "xn--bcher-kva.example", "-a.example", "a_b.example",
		"10.0.0.1", "10.0.0.1/33", "010.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", "2001:db8::g", "00:00:ab:cd:ef:0", "AA:00:ab:cd:ef:01", "deadbeef", "DEADBEEF", "abc", "AAAA", "AAA", "A===", "HKLM\\x", "HKLMX",
		"windows-1252", "latin1", "us-ascii", "image/png", "foo/bar", "foo", "cpe:/a:b:c", "CVE-2016-1234", "CAPEC-1", "cve", "capec", "statement", "tlp", "stix", "sigma", "[a:b = 1]", "[file:size = 5] AND [file:size = 6] WITHIN 5 SECONDS", "[file:name",
		"name", "labels.[0]", "labels.[7]", "name.[0]", "id", "external_references", "extensions", "external_references.[0].hashes.SHA-256", "new-sdo", "property-extension", "toplevel-property-extension", "exe", "low",
		"3773a88f65a5e780c8dff9cdc3a056f3", "3773A88F65A5E780C8DFF9CDC3A056F3", "multipart/mixed")
}

// special are values of properties of a name, near to what they may be.
var special = map[string][]any{
	"MD5":   {"3773a88f65a5e780c8dff9cdc3a056f3", "3773A88F65A5E780C8DFF9CDC3A056F3", "3773a88f65a5e780c8dff9cdc3a056f", "x773a88f65a5e780c8dff9cdc3a056f3"},
	"SHA-1": {"5374e08903744ceeaedd8f5e1bfc06b2c4688e7", "5374e08903744ceeaedd8f5e1bfc06b2c4688e766"}, "SHA-256": {"abc", "6db12788c37247f2316052e142f42f4b259d6561751e5f401a1ae2a6df9c674b "},
	"SSDEEP": {"96:a:b", "96:a", ":a:b", "x", "96:a:b,c"}, "TLSH": {"T16FF02BEF718027B0160B4391212923ED7F1A463D563B1549B86CF62973B197AD2731F8", "6FF0", "zFF02BEF718027B0160B4391212923ED7F1A463D563B1549B86CF62973B197AD2731F8"},
	"hashes": {object{"sha256": "x"}, object{"MD5": "x"}, object{"SHA-224": "0a"}, object{"ab": "x"}, object{"a b c": "x"}, object{}},
	"value": {"example.com.", "EXAMPLE.com", "ex ample.com", "*.example.com", "_dmarc.example.com", "b\u00fccher.example", "B\u00fccher.example", "a..b", "-a.example", "a-.example", "aa--b.example", "xn--bcher-kva.example",
		"xn--zzzzzz--.example", "localhost", "1.2.3.4", "\u2603.example", "a@b.example", "\"a b\"@example.com", "a b@example.com", "John <a@example.com>", "@example.com", "a@", "a@@b", "10.0.0.256", "10.0.0", "10.0.0.1/32", "10.0.0.1/00",
		"10.0.0.1/", "::", "::1/128", "::1/129", "1::2::3", "2001:db8::1.2.3.4", "fe80::1%1", "d2:fb:49:24:37:18", "d2-fb-49-24-37-18", "D2:fb:49:24:37:18", "https://example.com:80a/", "https://[::1]/", "https://a/%zz", "https://a/[b]",
		"mailto:a@b", "urn:x:y", "//example.com", "http://\u00fc.example/", "http:", "HTTP://EXAMPLE.COM/ ", "a:b#c#d"},
	"url":      {"https://example.com:80a/", "https://[::1]/", "https://a/%zz", "https://a/[b]", "mailto:a@b", "//example.com", "http://\u00fc.example/", "http:", "a:b#c#d", "ftp://u:p@h/"},
	"cpe":      {"cpe:2.3:a:microsoft:word:2000:*:*:*:*:*:*", "cpe:2.3:x:microsoft:word:2000:*:*:*:*:*:*:*", "cpe:2.3:a:b\\!c:-:*:*:*:en-us:*:*:*:*", "cpe:2.3:a:b!c:d:*:*:*:*:*:*:*:*", "cpe:2.3:a:b:c:d:e:f:en:g:h:i:j x", "cpe:2.3:a:B:*c*:??d:*:*:*:*:*:*:*"},
	"path_enc": {"UTF-8", "utf-8", "latin1", "ISO-8859-1", "x"}, "name_enc": {"UTF-8", "Windows-1252", "cp1252", "IBM437"},
	"lang": {"de", "DE", "de-CH", "xx", "kok", "zh-Hant", "en-u-ca-gregory", "de-1996", "x-private", "i-klingon", "en-", "e", "deu", "english"}, "languages": {[]any{"en", "xx"}, []any{"eng"}, []any{"zh-Hant-TW"}, []any{"english"}},
	"contents":  {object{"xx": object{"name": "n"}}, object{"de": object{"a": "n"}}, object{"de": "n"}, object{"de-AT": object{"name": "n"}}, object{"pt-x-own": object{"name": []any{"n"}}}},
	"selectors": {[]any{"type"}, []any{"id"}, []any{"nothing"}, []any{"labels.[0]", "labels.[1]"}, []any{"labels.0"}, []any{"external_references.[0].hashes.SHA-256"}, []any{"external_references.[0].source_name"}, []any{"external_references.[-1]"}, []any{"labels."}, []any{".labels"}, []any{"labels.[00]"}, []any{}},
	"granular_markings": {[]any{object{"lang": "de", "selectors": []any{"type"}}}, []any{object{"lang": "de", "marking_ref": "marking-definition--" + v4, "selectors": []any{"type"}}}, []any{object{"selectors": []any{"type"}}},
		[]any{object{"marking_ref": "identity--" + u4, "selectors": []any{"type"}}}},
	"external_references": {[]any{object{"source_name": "cve", "external_id": "CVE-2016-1"}}, []any{object{"source_name": "nvd", "external_id": "CVE-2016-1234"}}, []any{object{"source_name": "cve", "url": "http://a"}},
		[]any{object{"source_name": "capec", "external_id": "163"}}, []any{object{"source_name": "mitre", "external_id": "CAPEC-163"}}, []any{object{"source_name": "a"}}, []any{object{"description": "d"}},
		[]any{object{"source_name": "a", "url": "http://a", "hashes": object{"SHA-224": "00"}}}},
	"object_marking_refs": {[]any{"identity--" + u4}, []any{"marking-definition--" + u4}, []any{"marking-definition--" + v4, "marking-definition--" + v4}},
	"extensions": {object{"foo": object{"a": 1}}, object{"x-foo-ext": object{"abc": 1}}, object{"x-foo-ext": object{}}, object{"extension-definition--" + v4: object{"extension_type": "new-sdo"}}, object{"extension-definition--" + v4: object{"abc": 1}},
		object{"extension-definition--" + v4: object{"extension_type": "x"}}, object{"ntfs-ext": object{"sid": "1"}}, object{"ntfs-ext": object{"foo": "1"}}, object{"archive-ext": object{"comment": "1"}}, object{"X-ext": object{"abc": 1}},
		object{"windows-pebinary-ext": object{"pe_type": "exe"}}, object{"unix-account-ext": object{"gid": 1.5}}, object{"tcp-ext": object{"src_flags_hex": "0"}}, object{"icmp-ext": object{"icmp_type_hex": "08"}}, object{"socket-ext": object{"address_family": "X"}},
		object{"http-request-ext": object{"request_method": "get", "request_value": "/", "request_header": object{"A": "b"}}}, object{"windows-process-ext": object{"windows_title": "t"}}, object{"windows-process-ext": object{"startup_info": object{"cb": nil}}},
		object{"windows-service-ext": object{"start_type": "auto"}}, object{"raster-image-ext": object{"exif_tags": object{"make": 1.5}}}, object{"pdf-ext": object{"document_info_dict": object{"Title": 1}}}},
	"definition": {object{"tlp": "white"}, object{"statement": 5}, object{"x": "y"}, object{}}, "definition_type": {"tlp", "statement", "x-own"},
	"id":  {"process--" + u5, "file--" + u4, "artifact--" + u4, "bundle--" + u4, "identity--" + u4, "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", "marking-definition--" + v4},
	"key": {"HKLM\\Software", "hklm\\x", "HKEY_LOCAL_MACHINE\\HKCU\\x", "HKU", ""}, "data_type": {"REG_SZ", "reg_sz", "REG_X"}, "values": {[]any{object{}}, []any{object{"other": "x"}}, []any{object{"name": ""}}, []any{}},
	"pattern": {"[ipv4-addr:value = '1.2.3.4']", "[file:name = 'a' OR file:size > 5] FOLLOWEDBY [url:value LIKE '%']", "[file:name = a]", "file:name = 'a'", "", "[x-own:prop = 1]", "[file:hashes.SHA-256 = 'a']"}, "pattern_type": {"stix", "sigma", "other"},
	"pattern_version": {"2.0", "2.1", "3.0"}, "valid_until": {"2016-01-01T00:00:00Z", "2016-01-01T00:00:00.000Z", "2016-01-01T00:00:00.0001Z"}, "modified": {"2016-05-12T08:17:27Z", "2016-05-12T08:17:27.000Z", "2016-05-12T08:17:26.999Z", "2016-05-12T08:17:27.0000000001Z"},
	"created": {"2016-05-12T08:17:27Z", "2018-05-12T08:17:27.000Z"}, "last_seen": {"2015-12-31T23:59:59.999Z", "2016-01-01T00:00:00Z"}, "stop_time": {"2016-01-01T00:00:00Z", "2016-01-01T00:00:00.000001Z"}, "last_observed": {"2015-12-31T23:59:59.999Z"},
	"end": {"2015-12-31T23:59:59.999Z"}, "is_active": {true}, "is_multipart": {true, false}, "number_observed": {0, 1000000000, 999999999}, "count": {-1, 0, 1000000000}, "src_port": {65535, 65536, -1, 80.5}, "size": {-1, 0, 9007199254740991.0, 9007199254740992.0},
	"latitude": {90, 90.1, -90, "48"}, "longitude": {180, -180.5}, "confidence": {0, 100, 101, 55.0}, "number": {-1, 4294967296.0}, "source_ref": {"sighting--" + u4, "extension-definition--" + u4, "file--" + u5, "x-own--" + u4, "malware--x"},
	"sighting_of_ref": {"file--" + u5, "indicator--" + u4, "x-own--" + u4, "relationship--" + u4}, "object_refs": {[]any{"indicator--" + u4}, []any{"relationship--" + u4}, []any{"x-own--" + u4}, []any{"bundle--" + u4}, []any{"file--" + u5, "identity--" + u4}, []any{}},
	"objects": {object{"0": object{"type": "ipv4-addr", "value": "1.2.3.4"}}, object{"0": object{"type": "file", "id": "file--" + u5, "name": "n"}}, object{"0": object{"type": "file", "id": "file--" + u5}}, object{"0": object{"name": "n"}}, object{},
		object{"0": object{"type": "network-traffic", "id": "network-traffic--" + u5, "protocols": []any{"tcp"}, "src_ref": "1"}, "1": object{"type": "ipv4-addr", "id": "ipv4-addr--" + u5, "value": "1.2.3.4"}},
		object{"0": object{"type": "network-traffic", "id": "network-traffic--" + u5, "protocols": []any{"tcp"}, "src_ref": "2"}}, object{"0": object{"type": "network-traffic", "id": "network-traffic--" + u5, "protocols": []any{"tcp"}, "src_ref": "1"}, "1": object{"type": "mutex", "id": "mutex--" + u5, "name": "n"}}},
	"analysis_sco_refs": {[]any{"malware--" + u4}, []any{"x-own--" + u4}}, "contains_refs": {[]any{"indicator--" + u4}, []any{"x-own--" + u5}, []any{"0"}}, "type": {"x-own", "X-Own", "ab", "bundle", "x--y", "file", "indicator", "x-", "9a-b", "x_y_z"},
	"spec_version": {"2.0", "2.1", "3.0", ""}, "extension_types": {[]any{"new-sdo"}, []any{"x"}, []any{}}, "extension_properties": {[]any{"ab"}, []any{"rank"}, []any{"Rank"}}, "relationship_type": {"Uses", "uses it", "", "own-type", "a_b"},
	"opinion": {"yes", "Agree"}, "encryption_algorithm": {"AES-256-GCM", "aes"}, "payload_bin": {"AAAA", "AA==", "A", "", "AA\n==", "AAA"}, "mime_type": {"image/png", "foo/bar", "application/x-own", "image"}, "magic_number_hex": {"504B0304", "5", "", "zz"},
	"additional_header_fields": {object{"A": "b"}, object{"A": []any{"b"}}, object{"A": []any{"b", "c"}}, object{"A": []any{}}, object{"Subject": []any{"b", "c"}}, object{"a b": []any{"b", "c"}}}, "environment_variables": {object{"PATH": 1}, object{"P(x)": "y"}, object{"a": "b"}},
	"body_multipart": {[]any{object{"body": "b", "body_raw_ref": "artifact--" + u5}}, []any{object{"content_type": "text/plain"}}, []any{object{"body_raw_ref": "url--" + u5}}, []any{}}, "ipfix": {object{"a": 1.5}, object{"a": true}},
	"x509_v3_extensions": {object{"other": "x"}, object{"key_usage": 5}, object{"private_key_usage_period_not_after": "2016"}}, "kill_chain_phases": {[]any{object{"kill_chain_name": "a"}}, []any{object{"kill_chain_name": "a", "phase_name": 5}}, []any{}},
	"created_by_ref": {"malware--" + u4, "identity--" + u5, "identity--x"}, "time_date_stamp": {"2016-01-22T12:31:12.0Z"}, "is_family": {true, false, "true"}, "region": {"x"}, "country": {"USA", "US"}, "revoked": {true, "true"}, "labels": {[]any{}, []any{1}, "a"},
}

// names are those that properties are renamed to, or that are added.
func (g *generator) name() string {
	return pick(g, "x_new", "xy", "Upper", "with space", "9lives", "severity", "action", "username", "phone_number", "phone_numbers", "name_enc", "path_enc", "defanged", "revoked", "modified", "created",
		"labels", "lang", "confidence", "x_own_hex", "x_own_bin", "x_own_ref", "x-dash", "name", "description", "end", "is_active", "body", "url", "object_refs", "marking_ref", "lang", "extension_type", "SHA-256", "MD5", "sha256",
		"x_hash", "foo-ext", "extension-definition--"+u4, "extension-definition--x", "x-bar", "Reply-To", "a.b", "\u00fc", "")
}

func (g *generator) object() string {
	o := clone(g.templates[g.IntN(len(g.templates))]).(object)
	g.thin(o)
	for more := !g.one(8); more; more = g.one(4) {
		g.mutate(o)
	}
	return encoded(o)
}

func encoded(o object) string {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err) // cannot happen: it was made of JSON
	}
	return string(text)
}

// systematic takes each property of each template away once, and gives it each of the values that are near to what it
// may be.
func (g *generator) systematic() (objects []string) {
	for _, template := range g.templates {
		o := clone(template).(object)
		for _, at := range append([]object{o}, within(o)...) {
			for _, k := range slices.Sorted(maps.Keys(at)) {
				value := at[k]
				delete(at, k)
				objects = append(objects, encoded(o))
				for _, near := range special[k] {
					at[k] = near
					objects = append(objects, encoded(o))
				}
				at[k] = value
			}
		}
	}
	return objects
}

// within gives the objects inside of an object, at any depth.
func within(o object) (all []object) {
	for _, k := range slices.Sorted(maps.Keys(o)) {
		for _, inner := range objectsIn(o[k]) {
			all = append(all, inner)
			all = append(all, within(inner)...)
		}
	}
	return all
}

func clone(v any) any {
	switch v := v.(type) {
	case object:
		out := object{}
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	}
	return v
}

// thin takes properties away that most types need not have.
func (g *generator) thin(o object) {
	keep := []string{"type", "id", "spec_version", "created", "modified", "name", "is_multipart", "protocols", "value"}
	for _, k := range slices.Sorted(maps.Keys(o)) {
		if g.one(3) && !slices.Contains(keep, k) {
			delete(o, k)
		}
	}
}

// mutate changes one place, as likely deep as at the top.
func (g *generator) mutate(o object) {
	at := o
	for {
		var inner []object
		for _, k := range slices.Sorted(maps.Keys(at)) {
			inner = append(inner, objectsIn(at[k])...)
		}
		if len(inner) == 0 || !g.one(3) {
			break
		}
		at = inner[g.IntN(len(inner))]
	}
	keys := slices.Sorted(maps.Keys(at))
	if len(keys) == 0 {
		at[g.name()] = g.odd()
		return
	}
	k := keys[g.IntN(len(keys))]
	if near := special[k]; len(near) > 0 && g.one(2) {
		at[k] = clone(near[g.IntN(len(near))])
		return
	}
	switch g.IntN(8) {
	case 0:
		delete(at, k)
	case 1:
		at[g.name()] = at[k]
		delete(at, k)
	case 2:
		at[g.name()] = g.odd()
	case 3, 4:
		all := slices.Sorted(maps.Keys(special))
		k := all[g.IntN(len(all))]
		at[k] = clone(special[k][g.IntN(len(special[k]))])
	default:
		list, isList := at[k].([]any)
		if isList && len(list) > 0 && !g.one(4) {
			list[g.IntN(len(list))] = g.odd()
			return
		}
		at[k] = g.odd()
	}
}

func objectsIn(v any) []object {
	switch v := v.(type) {
	case object:
		return []object{v}
	case []any:
		var all []object
		for _, e := range v {
			all = append(all, objectsIn(e)...)
		}
		return all
	}
	return nil
}
