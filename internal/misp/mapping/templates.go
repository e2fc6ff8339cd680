package mapping

import (
	"errors"
	"slices"
	"strings"
	"time"

	"shieldwall/internal/misp"
)

// template says what a MISP object of some name is: which observable, and which of its attributes is which property.
type template struct {
	typ  string
	rows map[string]row
	say  []*field // what every such object says
}

// row is where an attribute's value goes.
type row struct {
	path path
	read func(string) (any, error)
	// alone: what is looked for is the value by itself, not the object by this property.
	alone bool
	// file: the value is a file's path, of which the property is the last part.
	file bool
}

// put reads an attribute and puts its value into a thing.
func (r row) put(root *thing, a *misp.Attribute) error {
	value, err := r.read(a.Value)
	if err != nil {
		return err
	}
	folder := ""
	if r.file {
		folder, value = splitPath(a.Value)
	}
	asked := a.ToIDs && !r.alone
	root.fields, err = place(root.fields, r.path, value, asked)
	if err != nil || folder == "" {
		return err
	}
	dir := append(slices.Clone(r.path[:len(r.path)-1]), pathStep{name: "parent_directory_ref", typ: "directory"}, pathStep{name: "path"})
	root.fields, err = place(root.fields, dir, folder, asked)
	return err
}

// identifies says whether the value tells a file or certificate by itself.
func (r row) identifies() bool {
	return len(r.path) == 2 && r.path[0].name == "hashes" && slices.Contains(identifying, r.path[1].name)
}

// path leads to a property: from_ref>email-addr.value goes through a reference, to_refs*>email-addr.value through one
// of several, values[].data through the one element of a list of dictionaries; protocols[] is a list of texts.
type path []pathStep

type pathStep struct {
	name  string
	typ   string // of what is referred to; "ip" by the value
	many  bool   // several references
	items bool   // a list
}

func at(spec string, read func(string) (any, error)) row {
	var p path
	for _, part := range strings.Split(spec, ".") {
		s := pathStep{}
		part, s.items = strings.CutSuffix(part, "[]")
		s.name, s.typ, _ = strings.Cut(part, ">")
		s.name, s.many = strings.CutSuffix(s.name, "*")
		p = append(p, s)
	}
	return row{path: p, read: read}
}

func fileAt(spec string) row {
	r := at(spec, text)
	r.file = true
	return r
}

// alone is a row whose value is looked for by itself.
func alone(r row) row {
	r.alone = true
	return r
}

// errTaken is a property that has a value already.
var errTaken = errors.New("the property has another value already")

// place puts a value where the path leads.
func place(fields []*field, p path, value any, asked bool) ([]*field, error) {
	s := p[0]
	i := slices.IndexFunc(fields, func(f *field) bool { return f.name == s.name })
	var have *field
	if i >= 0 {
		have = fields[i]
	}
	if have == nil {
		have = &field{name: s.name}
	}
	err := have.place(s, p[1:], value, asked)
	if err == nil && i < 0 {
		fields = append(fields, have)
	}
	return fields, err
}

func (f *field) place(s pathStep, rest path, value any, asked bool) error {
	switch {
	case s.many:
		list, _ := f.value.([]*thing)
		t, err := referred(s.typ, value)
		if err == nil {
			t.fields, err = place(t.fields, rest, value, asked)
		}
		if err == nil {
			f.value = append(list, t)
		}
		return err
	case s.typ != "":
		t, _ := f.value.(*thing)
		made, err := referred(s.typ, value)
		switch {
		case err != nil:
			return err
		case t == nil:
			t = made
		case t.typ != made.typ:
			return errTaken
		}
		if t.fields, err = place(t.fields, rest, value, asked); err == nil {
			f.value = t
		}
		return err
	case s.items && len(rest) == 0:
		list, _ := f.value.([]string)
		text, _ := value.(string)
		f.value, f.asked = append(list, text), f.asked || asked
		return nil
	case s.items:
		list, _ := f.value.([][]*field)
		if list == nil {
			list = [][]*field{nil}
		}
		item, err := place(list[0], rest, value, asked)
		list[0] = item
		if err == nil {
			f.value = list
		}
		return err
	case len(rest) > 0:
		dict, _ := f.value.([]*field)
		dict, err := place(dict, rest, value, asked)
		if err == nil {
			f.value = dict
		}
		return err
	case f.value != nil:
		return errTaken
	}
	f.value, f.asked = value, asked
	return nil
}

func referred(typ string, value any) (*thing, error) {
	if typ != "ip" {
		return newThing(typ), nil
	}
	text, _ := value.(string)
	ip, err := ipAddress(text)
	if err != nil {
		return nil, err
	}
	return newThing(ip.typ), nil
}

// How values are read.

func text(v string) (any, error) { return v, nil }

func lower(v string) (any, error) { return strings.ToLower(v), nil }

func whole(low, high int64) func(string) (any, error) {
	return func(v string) (any, error) {
		n, err := number(v, low, high)
		if err != nil {
			return nil, err
		}
		return n, nil
	}
}

func truth(v string) (any, error) {
	switch strings.ToLower(v) {
	case "1", "true", "yes":
		return true, nil
	case "0", "false", "no":
		return false, nil
	}
	return nil, errors.New("neither true nor false")
}

// moment reads what instances write as a time; one without a zone is UTC.
func moment(v string) (any, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999Z07:00",
		"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, v); err == nil && t.UTC().Year() >= 1 && t.UTC().Year() <= 9999 {
			return t.UTC(), nil
		}
	}
	return nil, errors.New("no time")
}

func hashed(name string) row {
	return at("hashes."+name, func(v string) (any, error) {
		v, err := hash(name, v)
		if err != nil {
			return nil, err
		}
		return v, nil
	})
}

// registryTypes are the types of a value of the registry (section 6.17.2).
var registryTypes = []string{"REG_NONE", "REG_SZ", "REG_EXPAND_SZ", "REG_BINARY", "REG_DWORD", "REG_DWORD_BIG_ENDIAN",
	"REG_DWORD_LITTLE_ENDIAN", "REG_LINK", "REG_MULTI_SZ", "REG_RESOURCE_LIST", "REG_FULL_RESOURCE_DESCRIPTION",
	"REG_RESOURCE_REQUIREMENTS_LIST", "REG_QWORD", "REG_INVALID_TYPE"}

func registryType(v string) (any, error) {
	if !slices.Contains(registryTypes, v) {
		return nil, errors.New("no type of a value of the registry")
	}
	return v, nil
}

func hive(v string) (any, error) { return fullHive(v), nil }

func platform(v string) (any, error) {
	if !strings.HasPrefix(v, "cpe:2.3:") {
		return nil, errors.New("no name of CPE 2.3")
	}
	return v, nil
}

func system(v string) (any, error) {
	t, err := autonomousSystem(v)
	if err != nil {
		return nil, err
	}
	return t.fields[0].value, nil
}

const countless = 1<<53 - 1

// templates are the objects that are observables, by their name.
var templates = map[string]template{
	"file": {typ: "file", rows: merged(fileHashes(), map[string]row{
		"filename": fileAt("name"), "path": at("parent_directory_ref>directory.path", text),
		"size-in-bytes": at("size", whole(0, maxSize)), "mimetype": at("mime_type", text), "file-encoding": at("name_enc", text),
		"access-time": at("atime", moment), "creation-time": at("ctime", moment), "modification-time": at("mtime", moment)})},
	"url":       {typ: "url", rows: map[string]row{"url": at("value", text)}},
	"mutex":     {typ: "mutex", rows: map[string]row{"name": at("name", text)}},
	"asn":       {typ: "autonomous-system", rows: map[string]row{"asn": at("number", system), "description": at("name", text)}},
	"directory": {typ: "directory", rows: map[string]row{"path": at("path", text), "access-time": at("atime", moment), "creation-time": at("ctime", moment), "modification-time": at("mtime", moment)}},
	"software": {typ: "software", rows: map[string]row{"name": at("name", text), "cpe": at("cpe", platform), "swid": at("swid", text),
		"vendor": at("vendor", text), "version": at("version", text), "language": at("languages[]", text)}},
	"domain-ip": {typ: "domain-name", rows: map[string]row{"domain": at("value", text), "hostname": at("value", text),
		"ip": alone(at("resolves_to_refs*>ip.value", text))}},
	"ip-port": {typ: "network-traffic", rows: merged(traffic("first-seen", "last-seen"), map[string]row{
		"ip": at("dst_ref>ip.value", text), "domain": at("dst_ref>domain-name.value", text), "hostname": at("dst_ref>domain-name.value", text)})},
	"network-connection": {typ: "network-traffic", rows: merged(traffic("first-packet-seen", "last-packet-seen"), map[string]row{
		"layer3-protocol": at("protocols[]", lower), "layer4-protocol": at("protocols[]", lower), "layer7-protocol": at("protocols[]", lower)})},
	"network-socket": {typ: "network-traffic", rows: traffic("first-packet-seen", "last-packet-seen")},
	"netflow":        {typ: "network-traffic", rows: traffic("first-packet-seen", "last-packet-seen")},
	"http-request": {typ: "network-traffic", rows: map[string]row{
		"ip-src": at("src_ref>ip.value", text), "ip-dst": at("dst_ref>ip.value", text), "host": at("dst_ref>domain-name.value", text),
		"method": request("request_method"), "uri": request("request_value"), "url": request("request_value"),
		"user-agent": request("request_header.User-Agent"), "content-type": request("request_header.Content-Type"),
		"cookie": request("request_header.Cookie"), "referer": request("request_header.Referer")}},
	"email": {typ: "email-message", say: []*field{say("is_multipart", false)}, rows: map[string]row{
		"from": at("from_ref>email-addr.value", text), "from-display-name": at("from_ref>email-addr.display_name", text),
		"to": at("to_refs*>email-addr.value", text), "cc": at("cc_refs*>email-addr.value", text), "bcc": at("bcc_refs*>email-addr.value", text),
		"subject": at("subject", text), "message-id": at("message_id", text), "email-body": at("body", text), "send-date": at("date", moment),
		"reply-to": at("additional_header_fields.Reply-To", text), "x-mailer": at("additional_header_fields.X-Mailer", text),
		"header": at("received_lines[]", text)}},
	"process": {typ: "process", rows: map[string]row{
		"command-line": at("command_line", text), "pid": at("pid", whole(0, countless)), "current-directory": at("cwd", text),
		"hidden": at("is_hidden", truth), "creation-time": at("created_time", moment), "image": fileAt("image_ref>file.name"),
		"parent-command-line": at("parent_ref>process.command_line", text), "parent-pid": at("parent_ref>process.pid", whole(0, countless)),
		"parent-image": fileAt("parent_ref>process.image_ref>file.name"), "child-pid": at("child_refs*>process.pid", whole(0, countless))}},
	"registry-key": {typ: "windows-registry-key", rows: map[string]row{
		"key": at("key", hive), "name": at("values[].name", text), "data": at("values[].data", text),
		"data-type": at("values[].data_type", registryType), "last-modified": at("modified_time", moment)}},
	"x509": {typ: "x509-certificate", rows: map[string]row{
		"x509-fingerprint-md5": hashed("MD5"), "x509-fingerprint-sha1": hashed("SHA-1"), "x509-fingerprint-sha256": hashed("SHA-256"),
		"serial-number": at("serial_number", text), "issuer": at("issuer", text), "subject": at("subject", text), "version": at("version", text),
		"signature_algorithm": at("signature_algorithm", text), "self_signed": at("is_self_signed", truth),
		"validity-not-before": at("validity_not_before", moment), "validity-not-after": at("validity_not_after", moment),
		"pubkey-info-algorithm": at("subject_public_key_algorithm", text), "pubkey-info-modulus": at("subject_public_key_modulus", text),
		"pubkey-info-exponent": at("subject_public_key_exponent", whole(0, countless))}},
	"user-account": {typ: "user-account", rows: map[string]row{
		"username": at("account_login", text), "user-id": at("user_id", text), "display-name": at("display_name", text),
		"account-type": at("account_type", text), "password": at("credential", text), "privileged": at("is_privileged", truth),
		"can_escalate_privs": at("can_escalate_privs", truth), "disabled": at("is_disabled", truth),
		"is_service_account": at("is_service_account", truth), "created": at("account_created", moment), "expires": at("account_expires", moment),
		"first_login": at("account_first_login", moment), "last_login": at("account_last_login", moment),
		"password_last_changed": at("credential_last_changed", moment)}},
	"credential": {typ: "user-account", rows: map[string]row{"username": at("user_id", text), "password": at("credential", text)}},
}

func fileHashes() map[string]row {
	rows := map[string]row{}
	for relation, name := range hashNames {
		rows[relation] = hashed(name)
	}
	return rows
}

// traffic are the rows of all objects that are connections.
func traffic(first, last string) map[string]row {
	return map[string]row{
		"ip-src": at("src_ref>ip.value", text), "ip-dst": at("dst_ref>ip.value", text),
		"hostname-src": at("src_ref>domain-name.value", text), "hostname-dst": at("dst_ref>domain-name.value", text),
		"src-port": at("src_port", whole(0, maxPort)), "dst-port": at("dst_port", whole(0, maxPort)),
		"protocol": at("protocols[]", lower), first: at("start", moment), last: at("end", moment),
		"src-bytes-count": at("src_byte_count", whole(0, countless)), "dst-bytes-count": at("dst_byte_count", whole(0, countless)),
		"src-packets-count": at("src_packets", whole(0, countless)), "dst-packets-count": at("dst_packets", whole(0, countless)),
	}
}

func request(property string) row { return at("extensions.http-request-ext."+property, text) }

func merged(a, b map[string]row) map[string]row {
	for k, v := range b {
		a[k] = v
	}
	return a
}

// complete adds what a type must have and MISP does not say, and leaves out what is not all there.
func (t *thing) complete() {
	if t.typ != "network-traffic" {
		return
	}
	t.fields = slices.DeleteFunc(t.fields, func(f *field) bool {
		switch f.name {
		case "extensions": // a request has a method and a target (section 6.12.3)
			extensions, _ := f.value.([]*field)
			return !slices.ContainsFunc(extensions, func(e *field) bool {
				request := &thing{}
				request.fields, _ = e.value.([]*field)
				return request.get("request_method") != nil && request.get("request_value") != nil
			})
		case "end": // it is not before the start (section 6.12)
			end, _ := f.value.(time.Time)
			if start := t.get("start"); start != nil {
				from, _ := start.value.(time.Time)
				return end.Before(from)
			}
		}
		return false
	})
	if t.get("protocols") != nil {
		return
	}
	protocol := "ip"
	for _, side := range []string{"dst_ref", "src_ref"} {
		if f := t.get(side); f != nil {
			if ip, is := f.value.(*thing); is && strings.HasPrefix(ip.typ, "ipv") {
				protocol = internetProtocol(ip)
			}
		}
	}
	t.fields = append(t.fields, say("protocols", []string{protocol}))
}
