package mapping

import (
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/misp"
	"shieldwall/internal/stix"
)

// part is an attribute of an object.
func part(n int, relation, typ, value string, toIDs bool, over ...dict) dict {
	return attribute(n, typ, value, toIDs, append(over, dict{"object_relation": relation})...)
}

func mispObject(n int, name string, over dict, parts ...dict) dict {
	o := dict{"uuid": uuidOf(n), "name": name, "meta-category": "misc", "timestamp": "1714567810", "distribution": "5", "Attribute": parts}
	for k, v := range over {
		o[k] = v
	}
	return o
}

func whys(l misp.Losses) string {
	var out []string
	for _, loss := range l.List {
		out = append(out, loss.String())
	}
	return strings.Join(out, "\n")
}

// What objects become: the pattern of what is meant for detection, "" for none, and the types of the STIX objects.
func TestObjects(t *testing.T) {
	for name, c := range map[string]struct {
		object  dict
		pattern string
		types   string
		loss    string
	}{
		"hashes are alternatives": {mispObject(1, "file", nil, part(2, "filename", "filename", `C:\x\a.exe`, true), part(3, "md5", "md5", hexOf(32), true),
			part(4, "sha256", "sha256", hexOf(64), true), part(5, "size-in-bytes", "size-in-bytes", "7", false)),
			"[file:hashes.MD5 = '" + hexOf(32) + "' OR file:hashes.'SHA-256' = '" + hexOf(64) + "']", "directory file observed-data indicator relationship",
			"Event.Object[0].Attribute[0]: not in the pattern: a hash tells the file by itself"},
		"only what is for detection": {mispObject(1, "file", nil, part(2, "filename", "filename", "a.exe", true), part(3, "size-in-bytes", "size-in-bytes", "7", false)),
			"[file:name = 'a.exe']", "file observed-data indicator relationship", ""},
		"nothing for detection": {mispObject(1, "file", nil, part(2, "md5", "md5", hexOf(32), false)), "", "file observed-data", ""},
		"a broken hash":         {mispObject(1, "file", nil, part(2, "md5", "md5", "nonsense", true)), "", "x-misp-object", "no MD5 of 32 hexadecimal digits: kept as it is, nothing looks for it"},
		"connection": {mispObject(1, "ip-port", nil, part(2, "ip", "ip-dst", "198.51.100.1", true), part(3, "dst-port", "port", "443", true), part(4, "text", "text", "x", false)),
			"[network-traffic:dst_ref.value = '198.51.100.1' AND network-traffic:dst_port = 443]", "ipv4-addr network-traffic observed-data indicator relationship", ""},
		"a second address": {mispObject(1, "ip-port", nil, part(2, "ip", "ip-dst", "198.51.100.1", true), part(3, "ip", "ip-dst", "198.51.100.2", true)),
			"[network-traffic:dst_ref.value = '198.51.100.1']", "ipv4-addr network-traffic observed-data indicator relationship indicator relationship", ""},
		"names and addresses": {mispObject(1, "domain-ip", nil, part(2, "domain", "domain", "evil.example", true), part(3, "ip", "ip-dst", "198.51.100.1", true)),
			"[domain-name:value = 'evil.example']", "ipv4-addr domain-name observed-data indicator relationship indicator relationship", ""},
		"mail": {mispObject(1, "email", nil, part(2, "from", "email-src", "a@b.example", true), part(3, "to", "email-dst", "c@b.example", false), part(4, "subject", "email-subject", "hi", true)),
			"[email-message:from_ref.value = 'a@b.example' AND email-message:subject = 'hi']", "email-addr email-addr email-message observed-data indicator relationship", ""},
		"a name without an address": {mispObject(1, "email", nil, part(2, "from-display-name", "email-src-display-name", "Bob", true), part(3, "subject", "email-subject", "hi", false)),
			"[email-message:from_ref.display_name = 'Bob']", "email-message observed-data indicator relationship", ""},
		"process": {mispObject(1, "process", nil, part(2, "command-line", "text", "evil /x", true), part(3, "pid", "text", "7", false), part(4, "image", "filename", `C:\a.exe`, false),
			part(5, "parent-image", "filename", "b.exe", true)),
			"[process:command_line = 'evil /x' AND process:parent_ref.image_ref.name = 'b.exe']", "directory file file process process observed-data indicator relationship", ""},
		"registry": {mispObject(1, "registry-key", nil, part(2, "key", "regkey", `HKLM\x`, true), part(3, "data", "text", "evil", true), part(4, "data-type", "text", "REG_NONSENSE", false)),
			`[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\x' AND windows-registry-key:values[*].data = 'evil']`, "windows-registry-key observed-data indicator relationship", "no type of a value of the registry"},
		"a request without a target": {mispObject(1, "http-request", nil, part(2, "ip-dst", "ip-dst", "198.51.100.1", false), part(3, "method", "http-method", "POST", true)),
			"[network-traffic:extensions.'http-request-ext'.request_method = 'POST']", "ipv4-addr network-traffic observed-data indicator relationship", ""},
		"an end before its start": {mispObject(1, "network-connection", nil, part(2, "ip-dst", "ip-dst", "198.51.100.1", false), part(3, "first-packet-seen", "datetime", "2024-05-02T00:00:00Z", false),
			part(4, "last-packet-seen", "datetime", "2024-05-01", false)), "", "ipv4-addr network-traffic observed-data", ""},
		"certificate": {mispObject(1, "x509", nil, part(2, "x509-fingerprint-sha1", "x509-fingerprint-sha1", hexOf(40), true), part(3, "issuer", "text", "CN=x", true)),
			"[x509-certificate:hashes.'SHA-1' = '" + hexOf(40) + "']", "x509-certificate observed-data indicator relationship", "Attribute[1]: not in the pattern: a hash tells the x509 by itself"},
		"a template without mapping": {mispObject(1, "phishing", nil, part(2, "url", "url", "https://evil.example", true), part(3, "hostname", "text", "x", true), part(4, "x", "text", "y", false)),
			"", "x-misp-object indicator relationship", "Event.Object[0].Attribute[1]: for detection, and there is no pattern for a text"},
		"a rule":                   {mispObject(1, "sigma", nil, part(2, "sigma", "sigma", "title: t", true), part(3, "sigma-rule-name", "text", "t", false)), "title: t", "indicator", ""},
		"a rule not for detection": {mispObject(1, "yara", nil, part(2, "yara", "yara", "rule a {}", false)), "", "x-misp-object", ""},
		"two rules":                {mispObject(1, "suricata", nil, part(2, "suricata", "suricata", "alert a", true), part(3, "suricata", "suricata", "alert b", true)), "", "x-misp-object indicator relationship indicator relationship", ""},
		"a pattern that is none":   {mispObject(1, "stix2-pattern", nil, part(2, "stix2-pattern", "stix2-pattern", "[x", true)), "", "x-misp-object x-misp-attribute relationship", "kept as it is, nothing looks for it"},
		"a vulnerability": {mispObject(1, "vulnerability", nil, part(2, "id", "vulnerability", "CVE-2021-44228", false), part(3, "summary", "text", "s", false), part(4, "references", "link", "https://x.example", false)),
			"", "vulnerability", ""},
		"deleted": {mispObject(1, "url", dict{"deleted": true}, part(2, "url", "url", "https://evil.example", true, dict{"deleted": true})),
			"[url:value = 'https://evil.example']", "url observed-data indicator relationship", ""},
		"an attribute deleted": {mispObject(1, "file", nil, part(2, "md5", "md5", hexOf(32), true, dict{"deleted": true}), part(3, "filename", "filename", "a", true)),
			"[file:name = 'a']", "file observed-data indicator relationship", ""},
		"all attributes deleted": {mispObject(1, "file", nil, part(2, "md5", "md5", hexOf(32), true, dict{"deleted": true})), "", "", "all of whose attributes are deleted"},
	} {
		r := toSTIX(t, mispEvent(dict{"Object": []dict{c.object}}), Options{})
		types := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(typesOf(r), "identity"), " "), "report")
		if types = strings.TrimSpace(types); types != c.types {
			t.Errorf("%s: %s\nwant %s", name, types, c.types)
		}
		pattern := ""
		for _, s := range r.Objects {
			if s.ID == "indicator--"+uuidOf(1) {
				pattern = parsed(t, s.Raw).Pattern
			}
		}
		if pattern != c.pattern {
			t.Errorf("%s: %s\nwant %s", name, pattern, c.pattern)
		}
		if got := whys(r.Losses); !strings.Contains(got, c.loss) || c.loss == "" && got != "" {
			t.Errorf("%s: losses %s\nwant %s", name, got, c.loss)
		}
		for _, s := range r.Objects {
			if o := parsed(t, s.Raw); name == "deleted" && (o.Type == "indicator" || o.Type == "observed-data") && !o.Revoked {
				t.Errorf("%s", s.Raw)
			}
		}
	}
}

// What is for fewer readers than what is around it stands for itself, and nothing that more may read names it.
func TestNarrowerParts(t *testing.T) {
	event := mispEvent(dict{
		"Object": []dict{mispObject(1, "file", nil, part(2, "filename", "filename", "a.exe", true), part(3, "md5", "md5", hexOf(32), true, dict{"distribution": "0"}),
			part(4, "sha1", "sha1", hexOf(40), true, dict{"Tag": []dict{{"name": "tlp:red"}}}))},
		"Attribute":   []dict{attribute(5, "domain", "secret.example", true, dict{"distribution": "0"}), attribute(6, "domain", "evil.example", true)},
		"EventReport": []dict{{"uuid": uuidOf(7), "name": "r", "content": "@[attribute](" + uuidOf(5) + ") and @[attribute](" + uuidOf(6) + ")", "distribution": "5"}, {"uuid": uuidOf(8), "name": "s", "content": "x", "distribution": "0"}},
	})
	r := toSTIX(t, event, Options{})
	for _, s := range r.Objects {
		raw := string(s.Raw)
		if s.Audience.IsNobody() {
			continue
		}
		for _, secret := range []string{"secret.example", hexOf(32), hexOf(40), uuidOf(3), uuidOf(4), uuidOf(5)} {
			// The text of the report says its mention: that is its author's word to the report's readers.
			if strings.Contains(raw, secret) && !strings.HasPrefix(s.ID, "note--") {
				t.Errorf("%s tells the alliance of %s", raw, secret)
			}
		}
	}
	for _, id := range []string{"indicator--" + uuidOf(3), "indicator--" + uuidOf(4), "indicator--" + uuidOf(5)} {
		object(t, r, id)
	}
	losses := whys(r.Losses)
	for _, want := range []string{"Event.Object[0].Attribute[1]: it has other readers than its object", "Event: 3 objects are for fewer than the event",
		"Event.EventReport[0]: it mentions what other readers may see", "Event.EventReport[1]: a report about nothing that its readers may see"} {
		if !strings.Contains(losses, want) {
			t.Errorf("%s\nlacks %s", losses, want)
		}
	}
	note := object(t, r, "note--"+uuidOf(7))
	if !slices.ContainsFunc(note.Refs, func(ref stix.Ref) bool { return ref.ID == "indicator--"+uuidOf(6) }) {
		t.Errorf("%s", note.Raw)
	}
}

func TestGalaxies(t *testing.T) {
	cluster := func(n, kind, value string, meta dict) dict {
		return dict{"name": kind, "type": kind, "GalaxyCluster": []dict{{"uuid": attackUUID + n, "type": kind, "value": value, "meta": meta, "description": "d"}}}
	}
	event := mispEvent(dict{
		"Tag": []dict{{"name": "tlp:green"}, {"name": `misp-galaxy:mitre-attack-pattern="Data Destruction - T1485"`}, {"name": "mine", "local": true}, {"name": `admiralty-scale:information-credibility="2"`}},
		"Galaxy": []dict{cluster("000000000001", "mitre-attack-pattern", "Phishing - T1566", dict{"external_id": "T1566"}), cluster("000000000002", "threat-actor", "Sandworm", nil),
			cluster("000000000003", "mitre-attack-pattern", "No identifier", nil), cluster("000000000004", "mitre-data-source", "x - DS0001", nil)},
		"Attribute": []dict{attribute(1, "domain", "evil.example", true, dict{"Galaxy": []dict{cluster("000000000005", "mitre-enterprise-attack-attack-pattern", "Spearphishing - T1566.001", nil),
			cluster("000000000006", "sector", "Energy", nil)}, "Tag": []dict{{"name": `estimative-language:likelihood-probability="very-likely"`}, {"name": `estimative-language:confidence-in-analytic-judgment="moderate"`}}})},
	})
	r := toSTIX(t, event, Options{})
	ind, report := object(t, r, "indicator--"+uuidOf(1)), object(t, r, "report--"+eventUUID)
	if !slices.Equal(ind.External, []stix.ExternalRef{{Source: "mitre-attack", ID: "T1566.001"}}) || ind.Confidence != 50 {
		t.Errorf("%s", ind.Raw)
	}
	if !slices.Equal(report.External, []stix.ExternalRef{{Source: "mitre-attack", ID: "T1566"}, {Source: "mitre-attack", ID: "T1485"}}) || report.Confidence != 70 || slices.Contains(report.Labels, "mine") {
		t.Errorf("%s", report.Raw)
	}
	var refs []string
	for _, ref := range report.Refs {
		refs = append(refs, ref.ID)
	}
	for _, want := range []string{"attack-pattern--" + attackUUID + "000000000001", "threat-actor--" + attackUUID + "000000000002", "attack-pattern--" + attackUUID + "000000000005", "identity--" + attackUUID + "000000000006"} {
		if !slices.Contains(refs, want) {
			t.Errorf("the report does not name %s: %v", want, refs)
		}
	}
	ties := 0
	for _, s := range r.Objects {
		if o := parsed(t, s.Raw); o.Type == "relationship" && o.Text("source_ref") == ind.ID {
			if want := map[bool]string{true: "indicates", false: "related-to"}[strings.HasPrefix(o.Text("target_ref"), "attack-pattern")]; o.Text("relationship_type") == want {
				ties++
			}
		}
		if strings.HasPrefix(s.ID, "attack-pattern--") {
			t.Errorf("ATT&CK's %s was written", s.Raw)
		}
	}
	if ties != 2 {
		t.Errorf("%d ties", ties)
	}
	if actor := object(t, r, "threat-actor--"+attackUUID+"000000000002"); actor.Modified != "1970-01-01T00:00:00.000Z" || actor.Name != "Sandworm" {
		t.Errorf("%s", actor.Raw)
	}
	losses := whys(r.Losses)
	for _, want := range []string{"the tag \"mine\" is local", "cluster \"No identifier\" of mitre-attack-pattern has no identifier", "mitre-data-source has no identifier of ATT&CK", "what the galaxy says of the cluster \"Energy\""} {
		if !strings.Contains(losses, want) {
			t.Errorf("%s\nlacks %s", losses, want)
		}
	}
}

func TestSightings(t *testing.T) {
	sighting := func(n int, typ, at string, over dict) dict {
		s := dict{"uuid": uuidOf(n), "type": typ, "date_sighting": at, "Organisation": dict{"uuid": uuidOf(50), "name": "Other"}}
		for k, v := range over {
			s[k] = v
		}
		return s
	}
	event := mispEvent(dict{"Attribute": []dict{
		attribute(1, "domain", "evil.example", true, dict{"Sighting": []dict{sighting(10, "0", "1714567860", dict{"source": "sensor"}), sighting(11, "1", "1714567870", nil),
			sighting(12, "2", "1717000000", nil), sighting(13, "2", "1716000000", nil), sighting(14, "2", "1000000000", nil)}}),
		attribute(2, "text", "x", false, dict{"Sighting": []dict{sighting(15, "2", "1717000000", nil), sighting(16, "0", "0", dict{"Organisation": nil})}}),
	}})
	r := toSTIX(t, event, Options{})
	if ind := object(t, r, "indicator--"+uuidOf(1)); ind.ValidUntil != "2024-05-18T02:40:00.000Z" {
		t.Errorf("%s", ind.Raw)
	}
	seen := object(t, r, "sighting--"+uuidOf(10))
	if seen.Text("sighting_of_ref") != "indicator--"+uuidOf(1) || seen.Text("last_seen") != "2024-05-01T12:51:00.000Z" || seen.CreatedBy != "identity--"+uuidOf(50) || seen.Text("description") != "sensor" {
		t.Errorf("%s", seen.Raw)
	}
	if o := object(t, r, "opinion--"+uuidOf(11)); o.Text("opinion") != "strongly-disagree" {
		t.Errorf("%s", o.Raw)
	}
	object(t, r, "sighting--"+uuidOf(16))
	if losses := whys(r.Losses); !strings.Contains(losses, "that it has expired: only an indicator has an end") {
		t.Error(losses)
	}
}
