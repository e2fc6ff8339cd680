package mapping

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"shieldwall/internal/misp"
	"shieldwall/internal/stix"
)

// shape is how a type of observable is told as a MISP object: the template's name and, in its order, the relations
// with their attribute types. Where each is in the observable is in the template's rows.
type shape struct {
	name, meta, uuid, version string
	relations                 []value // typ is the relation, text the attribute's type
}

var shapes = map[string]shape{
	"file": {"file", "file", "688c46fb-5edb-40a3-8273-1af7923e2215", "25", []value{{"filename", "filename"}, {"path", "text"},
		{"md5", "md5"}, {"sha1", "sha1"}, {"sha224", "sha224"}, {"sha256", "sha256"}, {"sha384", "sha384"}, {"sha512", "sha512"},
		{"sha3-256", "sha3-256"}, {"sha3-512", "sha3-512"}, {"ssdeep", "ssdeep"}, {"tlsh", "tlsh"}, {"imphash", "imphash"}, {"authentihash", "authentihash"},
		{"vhash", "vhash"}, {"telfhash", "telfhash"},
		{"size-in-bytes", "size-in-bytes"}, {"mimetype", "mime-type"}, {"creation-time", "datetime"}, {"modification-time", "datetime"}, {"access-time", "datetime"}}},
	"domain-name": {"domain-ip", "network", "43b3b146-77eb-4931-b4cc-b66c60f28734", "11", []value{{"domain", "domain"}, {"ip", "ip-dst"}}},
	"network-traffic": {"network-connection", "network", "af16764b-f8e5-4603-9de1-de34d272f80b", "7", []value{{"ip-src", "ip-src"}, {"ip-dst", "ip-dst"},
		{"hostname-src", "hostname"}, {"hostname-dst", "hostname"}, {"src-port", "port"}, {"dst-port", "port"}, {"layer7-protocol", "text"},
		{"first-packet-seen", "datetime"}, {"last-packet-seen", "datetime"}, {"src-bytes-count", "size-in-bytes"}, {"dst-bytes-count", "size-in-bytes"},
		{"src-packets-count", "counter"}, {"dst-packets-count", "counter"}}},
	"email-message": {"email", "network", "a0c666e0-fc65-4be8-b48f-3423d788b552", "19", []value{{"from", "email-src"}, {"from-display-name", "email-src-display-name"},
		{"to", "email-dst"}, {"cc", "email-dst"}, {"bcc", "email-dst"}, {"subject", "email-subject"}, {"message-id", "email-message-id"},
		{"email-body", "email-body"}, {"send-date", "datetime"}, {"reply-to", "email-reply-to"}, {"x-mailer", "email-x-mailer"}, {"header", "email-header"}}},
	"process": {"process", "misc", "02aeef94-ac23-455c-addb-731757ceafb5", "10", []value{{"command-line", "text"}, {"pid", "text"}, {"current-directory", "text"},
		{"hidden", "boolean"}, {"creation-time", "datetime"}, {"image", "filename"}, {"parent-command-line", "text"}, {"parent-pid", "text"}, {"parent-image", "filename"},
		{"child-pid", "text"}}},
	"windows-registry-key": {"registry-key", "file", "8b3228ad-6d82-4fe6-b2ae-05426308f1d5", "5", []value{{"key", "regkey"}, {"name", "text"}, {"data", "text"},
		{"data-type", "text"}, {"last-modified", "datetime"}}},
	"x509-certificate": {"x509", "network", "d1ab756a-26b5-4349-9f43-765630f0911c", "14", []value{{"x509-fingerprint-md5", "x509-fingerprint-md5"},
		{"x509-fingerprint-sha1", "x509-fingerprint-sha1"}, {"x509-fingerprint-sha256", "x509-fingerprint-sha256"}, {"serial-number", "text"}, {"issuer", "text"},
		{"subject", "text"}, {"version", "text"}, {"signature_algorithm", "text"}, {"self_signed", "boolean"}, {"validity-not-before", "datetime"},
		{"validity-not-after", "datetime"}, {"pubkey-info-algorithm", "text"}, {"pubkey-info-modulus", "text"}, {"pubkey-info-exponent", "text"}}},
	"user-account": {"user-account", "misc", "49606b06-22f0-4ac8-8eee-2f12ad46f3d3", "6", []value{{"username", "text"}, {"user-id", "text"}, {"display-name", "text"},
		{"account-type", "text"}, {"password", "text"}, {"privileged", "boolean"}, {"can_escalate_privs", "boolean"}, {"disabled", "boolean"},
		{"is_service_account", "boolean"}, {"created", "datetime"}, {"expires", "datetime"}, {"first_login", "datetime"}, {"last_login", "datetime"},
		{"password_last_changed", "datetime"}}},
	"software":          {"software", "misc", "b1b5dc0e-73fe-443c-8d9d-0e208de3951e", "1", []value{{"name", "text"}, {"cpe", "cpe"}, {"swid", "text"}, {"vendor", "text"}, {"version", "text"}, {"language", "text"}}},
	"directory":         {"directory", "file", "23ac6a02-1017-4ea6-a4df-148ed563988d", "1", []value{{"path", "text"}, {"access-time", "datetime"}, {"creation-time", "datetime"}, {"modification-time", "datetime"}}},
	"autonomous-system": {"asn", "network", "4ec55cc6-9e49-4c64-b794-03c25c1a6587", "6", []value{{"asn", "AS"}, {"description", "text"}}},
}

// observable tells an observable that an event names by itself.
func (x *exporter) observable(e *eventInMaking, o *stix.Object) {
	x.observation(e, o, o, uuidIn(o.ID), misp.Attribute{})
}

// observation tells one observable, with what it refers to, as an attribute where one value is all that it says,
// else as an object.
func (x *exporter) observation(e *eventInMaking, o, root *stix.Object, uuid string, base misp.Attribute) {
	if v, ok := single(root); ok {
		base.UUID, base.Type, base.Value, base.Category = uuid, v.typ, v.text, category(v.typ, o)
		x.add(e, o, base)
		return
	}
	form, known := shapes[root.Type]
	if !known {
		e.Losses.Add(root.ID, "MISP has nothing for this "+root.Type)
		return
	}
	m := misp.Object{UUID: uuid, Name: form.name, MetaCategory: form.meta, TemplateUUID: form.uuid, TemplateVersion: form.version, Comment: base.Comment,
		FirstSeen: base.FirstSeen, LastSeen: base.LastSeen}
	told := told{}
	for _, r := range form.relations {
		p := templates[form.name].rows[r.typ].path
		for _, text := range x.at(root, p, told) {
			if r.typ == "asn" {
				text = "AS" + text
			}
			if !takes(r.text, text) {
				e.Losses.Add(root.ID, misp.Shown(text)+" is none of MISP's "+r.text+", or longer than it keeps")
				continue
			}
			m.Attributes = append(m.Attributes, misp.Attribute{UUID: derived(uuid, r.typ, text), Relation: r.typ, Type: r.text, Value: text,
				Category: category(r.text, &stix.Object{})})
		}
	}
	x.untold(e, root, form.name, told)
	if len(m.Attributes) > 0 {
		x.addObject(e, o, m)
	}
}

// told are the properties of observables that a MISP object tells, by the observable's identifier.
type told map[string]map[string]bool

// untold lists what observables say and a MISP object does not tell.
func (x *exporter) untold(e *eventInMaking, root *stix.Object, template string, t told) {
	if t[root.ID] == nil {
		t[root.ID] = map[string]bool{}
	}
	for _, id := range slices.Sorted(maps.Keys(t)) {
		for _, name := range x.byID[id].Names() {
			switch name {
			case "type", "id", "spec_version", "object_marking_refs", "is_multipart", "defanged":
			default:
				if !t[id][name] {
					e.Losses.Add(id, name+" has no place in a MISP object "+template)
				}
			}
		}
	}
}

// single is the attribute of an observable that says one value.
func single(o *stix.Object) (value, bool) {
	var all map[string]any
	if json.Unmarshal(o.Raw, &all) != nil {
		return value{}, false
	}
	for _, name := range []string{"type", "id", "spec_version", "object_marking_refs", "defanged"} {
		delete(all, name)
	}
	if len(all) != 1 {
		return value{}, false
	}
	text := o.Text("value")
	v := value{text: text}
	switch o.Type {
	case "ipv4-addr", "ipv6-addr":
		v.typ = "ip-dst"
	case "domain-name":
		v.typ = "domain"
	case "url":
		v.typ = "url"
	case "email-addr":
		v.typ = "email"
	case "mac-addr":
		v.typ = "mac-address"
	case "mutex":
		v = value{"mutex", o.Name}
	case "windows-registry-key":
		v = value{"regkey", o.Text("key")}
	case "file":
		return oneOfFile(o, all)
	case "autonomous-system":
		n, ok := all["number"].(float64)
		return value{"AS", "AS" + strconv.FormatFloat(n, 'f', -1, 64)}, ok
	default:
		return value{}, false
	}
	return v, takes(v.typ, v.text)
}

func oneOfFile(o *stix.Object, all map[string]any) (value, bool) {
	if name, is := all["name"].(string); is {
		return value{"filename", name}, takes("filename", name)
	}
	hashes, _ := all["hashes"].(map[string]any)
	if len(hashes) != 1 {
		return value{}, false
	}
	for name, v := range hashes {
		text, _ := v.(string)
		typ := hashTypes[strings.ToLower(name)]
		_, _, err := read(&misp.Attribute{Type: typ, Value: text})
		return value{typ, text}, typ != "" && err == nil
	}
	return value{}, false
}

// at gives the texts to which a path leads from an observable.
func (x *exporter) at(o *stix.Object, p path, t told) []string {
	var all map[string]any
	if len(p) == 0 || json.Unmarshal(o.Raw, &all) != nil {
		return nil
	}
	out := x.follow(all, p, t)
	if len(out) > 0 {
		if t[o.ID] == nil {
			t[o.ID] = map[string]bool{}
		}
		t[o.ID][p[0].name] = true
	}
	return out
}

func (x *exporter) follow(v any, p path, t told) []string {
	if len(p) == 0 {
		return scalarTexts(v)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	s := p[0]
	next, has := m[s.name]
	if !has {
		return nil
	}
	var out []string
	list, isList := next.([]any)
	if !isList {
		list = []any{next}
	}
	for _, e := range list {
		if s.typ == "" {
			out = append(out, x.follow(e, p[1:], t)...)
			continue
		}
		id, _ := e.(string)
		to := x.allowed(id)
		if to == nil || s.typ != "ip" && to.Type != s.typ || s.typ == "ip" && !strings.HasPrefix(to.Type, "ipv") {
			continue
		}
		out = append(out, x.at(to, p[1:], t)...)
	}
	return out
}

func scalarTexts(v any) []string {
	switch v := v.(type) {
	case string:
		if v != "" {
			return []string{v}
		}
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}
	case bool:
		return []string{map[bool]string{true: "1", false: "0"}[v]}
	}
	return nil
}
