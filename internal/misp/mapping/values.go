package mapping

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"shieldwall/internal/misp"
)

// reading is what an attribute's value means: what is looked for, and what is told where nothing is. They are the
// same thing unless seen says otherwise.
type reading struct {
	asked *thing
	seen  *thing
	loss  string // what the pattern cannot say of the value
}

// readers are the attribute types that mean an observable.
var readers = map[string]func(a *misp.Attribute) (reading, error){
	"AS":                   of(autonomousSystem),
	"attachment":           attachment,
	"domain":               of(domainName),
	"domain|ip":            pair(domainAndAddress),
	"email":                of(address),
	"email-attachment":     of(emailAttachment),
	"email-body":           message("body"),
	"email-dst":            of(emailTo),
	"email-header":         of(emailHeader),
	"email-message-id":     message("message_id"),
	"email-reply-to":       header("Reply-To"),
	"email-src":            of(emailFrom),
	"email-subject":        message("subject"),
	"email-x-mailer":       header("X-Mailer"),
	"filename":             of(fileName),
	"github-username":      of(gitHubUser),
	"hostname":             of(domainName),
	"hostname|port":        pair(hostAndPort),
	"http-method":          of(httpMethod),
	"ip-dst":               of(ipAddress),
	"ip-dst|port":          pair(addressAndPort("dst")),
	"ip-src":               of(ipAddress),
	"ip-src|port":          pair(addressAndPort("src")),
	"link":                 of(url),
	"mac-address":          of(macAddress),
	"malware-sample":       malwareSample,
	"mutex":                of(mutex),
	"port":                 of(port),
	"regkey":               of(registryKey),
	"regkey|value":         pair(registryValue),
	"size-in-bytes":        of(fileSize),
	"uri":                  of(url),
	"url":                  of(url),
	"user-agent":           of(userAgent),
	"x509-fingerprint-md5": of(certificate("MD5")), "x509-fingerprint-sha1": of(certificate("SHA-1")),
	"x509-fingerprint-sha256": of(certificate("SHA-256")),
}

// hashNames are STIX's names of the hashes that MISP has types for (hash-algorithm-ov, section 10.7, where it has
// one; else the type in capitals). A name in a dictionary has no slash.
var hashNames = map[string]string{
	"md5": "MD5", "sha1": "SHA-1", "sha224": "SHA-224", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512",
	"sha512/224": "SHA-512_224", "sha512/256": "SHA-512_256", "sha3-224": "SHA3-224", "sha3-256": "SHA3-256",
	"sha3-384": "SHA3-384", "sha3-512": "SHA3-512", "ssdeep": "SSDEEP", "tlsh": "TLSH", "imphash": "IMPHASH",
	"authentihash": "AUTHENTIHASH", "vhash": "VHASH", "cdhash": "CDHASH", "impfuzzy": "IMPFUZZY", "pehash": "PEHASH",
	"telfhash": "TELFHASH",
}

// read gives what an attribute's value means; known is false for types that mean no observable.
func read(a *misp.Attribute) (r reading, known bool, err error) {
	if name, is := hashNames[a.Type]; is {
		t, err := fileHash(name, a.Value)
		return reading{asked: t}, true, err
	}
	if algorithm, is := strings.CutPrefix(a.Type, "filename|"); is && hashNames[algorithm] != "" {
		r, err := pair(nameAndHash(hashNames[algorithm]))(a)
		return r, true, err
	}
	reader, known := readers[a.Type]
	if !known {
		return reading{}, false, nil
	}
	r, err = reader(a)
	return r, true, err
}

func of(make func(value string) (*thing, error)) func(*misp.Attribute) (reading, error) {
	return func(a *misp.Attribute) (reading, error) {
		t, err := make(a.Value)
		return reading{asked: t}, err
	}
}

// pair reads the two parts of a composite value.
func pair(make func(first, second string) (reading, error)) func(*misp.Attribute) (reading, error) {
	return func(a *misp.Attribute) (reading, error) {
		first, second, err := parts(a.Value)
		if err != nil {
			return reading{}, err
		}
		return make(first, second)
	}
}

// parts cuts a composite at its last bar: names may have one, hashes, ports and addresses do not.
func parts(value string) (first, second string, err error) {
	i := strings.LastIndexByte(value, '|')
	if i <= 0 || i == len(value)-1 {
		return "", "", errors.New("not two values with a bar between them")
	}
	return value[:i], value[i+1:], nil
}

func ipAddress(value string) (*thing, error) {
	addr, err := netip.ParseAddr(value)
	if err != nil {
		prefix, err := netip.ParsePrefix(value)
		if err != nil {
			return nil, errors.New("no IP address or network")
		}
		addr = prefix.Addr()
	}
	if addr.Zone() != "" {
		return nil, errors.New("an address with a zone is of one host alone")
	}
	if addr.Is4() {
		return newThing("ipv4-addr", ask("value", value)), nil
	}
	return newThing("ipv6-addr", ask("value", value)), nil
}

func number(value string, low, high int64) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("no whole number from %d to %d", low, high)
	}
	return n, nil
}

const (
	maxPort = 65535
	maxASN  = 1<<32 - 1
	maxSize = 1<<53 - 1 // what I-JSON keeps exact
)

func addressAndPort(side string) func(string, string) (reading, error) {
	return func(first, second string) (reading, error) {
		ip, err := ipAddress(first)
		if err != nil {
			return reading{}, err
		}
		p, err := number(second, 0, maxPort)
		if err != nil {
			return reading{}, err
		}
		// The one protocol that is known; section 6.12 wants one.
		return reading{asked: newThing("network-traffic", ask(side+"_ref", ip), ask(side+"_port", p),
			say("protocols", []string{internetProtocol(ip)}))}, nil
	}
}

func internetProtocol(ip *thing) string { return strings.TrimSuffix(ip.typ, "-addr") }

func domainName(value string) (*thing, error) {
	return newThing("domain-name", ask("value", value)), nil
}

func domainAndAddress(first, second string) (reading, error) {
	ip, err := ipAddress(second)
	if err != nil {
		return reading{}, err
	}
	return reading{asked: newThing("domain-name", ask("value", first)),
		seen: newThing("domain-name", say("value", first), say("resolves_to_refs", []*thing{ip})),
		loss: "the address is not in the pattern: what a name resolves to changes"}, nil
}

func hostAndPort(first, second string) (reading, error) {
	p, err := number(second, 0, maxPort)
	if err != nil {
		return reading{}, err
	}
	host := newThing("domain-name", ask("value", first))
	return reading{asked: host, seen: newThing("network-traffic", say("dst_ref", host), say("dst_port", p), say("protocols", []string{"ip"})),
		loss: "the port is not in the pattern: a name is looked up without one"}, nil
}

func url(value string) (*thing, error) { return newThing("url", ask("value", value)), nil }

func address(value string) (*thing, error) { return newThing("email-addr", ask("value", value)), nil }

func emailFrom(value string) (*thing, error) {
	from, err := address(value)
	return newThing("email-message", say("is_multipart", false), ask("from_ref", from)), err
}

func emailTo(value string) (*thing, error) {
	to, err := address(value)
	return newThing("email-message", say("is_multipart", false), ask("to_refs", []*thing{to})), err
}

func message(property string) func(*misp.Attribute) (reading, error) {
	return of(func(value string) (*thing, error) {
		return newThing("email-message", say("is_multipart", false), ask(property, value)), nil
	})
}

// header is one of the fields that STIX has no property for; the keys are the fields' names (section 6.6).
func header(name string) func(*misp.Attribute) (reading, error) {
	return of(func(value string) (*thing, error) {
		return newThing("email-message", say("is_multipart", false), ask("additional_header_fields", []*field{ask(name, value)})), nil
	})
}

func emailHeader(value string) (*thing, error) {
	return newThing("email-message", say("is_multipart", false), ask("received_lines", []string{value})), nil
}

func emailAttachment(value string) (*thing, error) {
	return newThing("email-message", say("is_multipart", true), ask("body_multipart", [][]*field{{
		say("content_disposition", "attachment"), ask("body_raw_ref", newThing("file", ask("name", value)))}})), nil
}

// fileName takes a path apart: a file's name has no folders (section 6.7).
func fileName(value string) (*thing, error) { return file(value, true), nil }

func file(path string, asked bool) *thing {
	folder, name := splitPath(path)
	if folder == "" {
		return newThing("file", &field{"name", name, asked})
	}
	return newThing("file", &field{"name", name, asked},
		say("parent_directory_ref", newThing("directory", &field{"path", folder, asked})))
}

// splitPath cuts a path of Windows or Unix at its last separator; a root keeps its own.
func splitPath(path string) (folder, name string) {
	i := strings.LastIndexAny(path, `/\`)
	switch {
	case i < 0 || i == len(path)-1:
		return "", path
	case i == 0 || path[i-1] == ':':
		return path[:i+1], path[i+1:]
	}
	return path[:i], path[i+1:]
}

func fileHash(name, value string) (*thing, error) {
	value, err := hash(name, value)
	return newThing("file", ask("hashes", []*field{ask(name, value)})), err
}

// hexDigits are the lengths of the hashes that are written in hexadecimal.
var hexDigits = map[string]int{"MD5": 32, "SHA-1": 40, "SHA-224": 56, "SHA-256": 64, "SHA-384": 96, "SHA-512": 128,
	"SHA-512_224": 56, "SHA-512_256": 64, "SHA3-224": 56, "SHA3-256": 64, "SHA3-384": 96, "SHA3-512": 128, "IMPHASH": 32,
	"CDHASH": 40, "PEHASH": 40}

// hash checks a hash's form; hexadecimal is written in lower case, as telemetry is read.
func hash(name, value string) (string, error) {
	digits, hexadecimal := hexDigits[name]
	if !hexadecimal {
		return value, nil
	}
	if len(value) != digits || strings.Trim(value, "0123456789abcdefABCDEF") != "" {
		return "", fmt.Errorf("no %s of %d hexadecimal digits", name, digits)
	}
	return strings.ToLower(value), nil
}

func nameAndHash(name string) func(string, string) (reading, error) {
	return func(first, second string) (reading, error) {
		value, err := hash(name, second)
		if err != nil {
			return reading{}, err
		}
		t := file(first, true)
		t.fields = slices.Insert(t.fields, 1, ask("hashes", []*field{ask(name, value)}))
		r := reading{asked: t}
		if slices.Contains(identifying, name) {
			r.loss = "the file's name is not in the pattern: its hash tells the file under any name"
		}
		return r, nil
	}
}

// attachment is a file with its bytes; what is looked for is its name.
func attachment(a *misp.Attribute) (reading, error) {
	t := file(a.Value, true)
	if a.Data != "" {
		content, err := artifact(a)
		if err != nil {
			return reading{}, err
		}
		t.fields = append(t.fields, say("content_ref", content))
	}
	return reading{asked: t}, nil
}

// malwareSample is a file by name and MD5.
func malwareSample(a *misp.Attribute) (reading, error) {
	r, err := pair(nameAndHash("MD5"))(a)
	if err == nil && a.Data != "" {
		var content *thing
		if content, err = artifact(a); err == nil {
			r.asked.fields = append(r.asked.fields, say("content_ref", content))
		}
	}
	return r, err
}

// artifact holds an attachment's bytes; those of a malware sample are in an archive with MISP's password.
func artifact(a *misp.Attribute) (*thing, error) {
	if _, err := io.Copy(io.Discard, base64.NewDecoder(base64.StdEncoding, strings.NewReader(a.Data))); err != nil || strings.ContainsAny(a.Data, "\r\n") {
		return nil, errors.New("its attachment is not base64")
	}
	if a.Type != "malware-sample" {
		return newThing("artifact", say("payload_bin", a.Data)), nil
	}
	return newThing("artifact", say("mime_type", "application/zip"), say("payload_bin", a.Data),
		say("encryption_algorithm", "mime-type-indicated"), say("decryption_key", "infected")), nil
}

func registryKey(value string) (*thing, error) {
	return newThing("windows-registry-key", ask("key", fullHive(value))), nil
}

func registryValue(first, second string) (reading, error) {
	return reading{asked: newThing("windows-registry-key", ask("key", fullHive(first)), ask("values", [][]*field{{ask("data", second)}}))}, nil
}

var hives = map[string]string{"HKLM": "HKEY_LOCAL_MACHINE", "HKCU": "HKEY_CURRENT_USER", "HKCR": "HKEY_CLASSES_ROOT", "HKU": "HKEY_USERS",
	"HKCC": "HKEY_CURRENT_CONFIG"}

// fullHive spells a key's hive out, as section 6.17 wants it.
func fullHive(key string) string {
	hive, _, _ := strings.Cut(key, `\`)
	if full := hives[strings.ToUpper(hive)]; full != "" {
		return full + strings.TrimPrefix(key, hive)
	}
	return key
}

func mutex(value string) (*thing, error) { return newThing("mutex", ask("name", value)), nil }

func autonomousSystem(value string) (*thing, error) {
	digits := value
	if len(value) > 2 && strings.EqualFold(value[:2], "AS") {
		digits = value[2:]
	}
	n, err := number(digits, 0, maxASN)
	return newThing("autonomous-system", ask("number", n)), err
}

// macAddress writes an address as section 6.10 wants it: lower case, with colons.
func macAddress(value string) (*thing, error) {
	v := strings.ToLower(strings.ReplaceAll(value, "-", ":"))
	if len(v) != 17 || strings.Trim(v, "0123456789abcdef:") != "" || strings.Count(v, ":") != 5 {
		return nil, errors.New("no MAC address")
	}
	return newThing("mac-addr", ask("value", v)), nil
}

func certificate(name string) func(string) (*thing, error) {
	return func(value string) (*thing, error) {
		value, err := hash(name, value)
		return newThing("x509-certificate", ask("hashes", []*field{ask(name, value)})), err
	}
}

func port(value string) (*thing, error) {
	n, err := number(value, 0, maxPort)
	return newThing("network-traffic", ask("dst_port", n)), err
}

func fileSize(value string) (*thing, error) {
	n, err := number(value, 0, maxSize)
	return newThing("file", ask("size", n)), err
}

func userAgent(value string) (*thing, error) {
	return httpRequest(ask("request_header", []*field{ask("User-Agent", value)})), nil
}

func httpMethod(value string) (*thing, error) {
	return httpRequest(ask("request_method", value)), nil
}

func httpRequest(fields ...*field) *thing {
	return newThing("network-traffic", ask("extensions", []*field{ask("http-request-ext", fields)}))
}

func gitHubUser(value string) (*thing, error) {
	return newThing("user-account", ask("account_type", "github"), ask("account_login", value)), nil
}
