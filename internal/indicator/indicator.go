// Package indicator is the vocabulary of simple indicators of compromise: one typed value that an
// event can contain. STIX patterns of one comparison and plain lists both come down to it.
package indicator

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Type is what an indicator's value is.
type Type uint8

// The types.
const (
	// Domain is a DNS name: lower case, no final dot.
	Domain Type = iota + 1
	// Network is an IP address or network, as a CIDR prefix without host bits.
	Network
	// URL is a URL in the form of NormalURL.
	URL
	// Email is an e-mail address, lower case.
	Email
	// MD5, SHA1, SHA256, SHA512 and Imphash are hashes in lower-case hexadecimal.
	MD5
	SHA1
	SHA256
	SHA512
	Imphash
	// FileName is a file's name without folders, lower case.
	FileName
	// Mutex is a mutex's name, lower case.
	Mutex
	// RegistryKey is a key of the Windows registry in the form of AppendRegistryKey.
	RegistryKey
)

// String is the type's name in reports.
func (t Type) String() string {
	names := [...]string{Domain: "domain", Network: "network", URL: "url", Email: "email", MD5: "md5", SHA1: "sha1",
		SHA256: "sha256", SHA512: "sha512", Imphash: "imphash", FileName: "file-name",
		Mutex: "mutex", RegistryKey: "registry-key"}
	if int(t) < len(names) && names[t] != "" {
		return names[t]
	}
	return fmt.Sprintf("type-%d", t)
}

// MaxValue bounds an indicator's value, in bytes; the longest URLs that browsers send are shorter.
const MaxValue = 8192

// Indicator is one value to look for. New makes the forms that compare equal.
type Indicator struct {
	Type  Type
	Value string
	// Prefix is the value of a Network.
	Prefix netip.Prefix
	// Subdomains lets a Domain stand for the names below it too. STIX "=" is exact; a name in a
	// plain list means the whole domain.
	Subdomains bool
	// Line is the line of the list that it stands in, from 1; 0 where it is of no list.
	Line int
}

// New checks a value and brings it into the form in which its type is compared.
func New(t Type, value string) (Indicator, error) {
	out := Indicator{Type: t}
	if value == "" || len(value) > MaxValue {
		return out, fmt.Errorf("%s of %d bytes: want 1 to %d", t, len(value), MaxValue)
	}
	if !utf8.ValidString(value) {
		return out, fmt.Errorf("%s is not UTF-8", t)
	}
	var err error
	switch t {
	case Domain:
		out.Value, err = domain(value)
	case Network:
		out.Prefix, err = network(value)
		out.Value = out.Prefix.String()
	case URL:
		out.Value, err = NormalURL(value)
	case Email:
		out.Value, err = email(value)
	case MD5, SHA1, SHA256, SHA512, Imphash:
		out.Value, err = hash(t, value)
	case FileName:
		out.Value = strings.ToLower(value)
		if strings.ContainsAny(value, `/\`) {
			err = fmt.Errorf("file name %s has folders", show(value))
		}
	case Mutex:
		out.Value = strings.ToLower(value)
	case RegistryKey:
		if out.Value = string(AppendRegistryKey(nil, value)); out.Value == "" {
			err = fmt.Errorf("%s is no registry key", show(value))
		}
	default:
		err = fmt.Errorf("unknown indicator %s", t)
	}
	return out, err
}

// Check tells whether an indicator is one that New could have made.
func (i Indicator) Check() error {
	made, err := New(i.Type, i.Value)
	made.Subdomains, made.Line = i.Subdomains, i.Line
	if err == nil && made != i {
		err = fmt.Errorf("%s %s is not in its normal form", i.Type, show(i.Value))
	}
	return err
}

// String spells an indicator in reports: its type, its value and the line of its list.
func (i Indicator) String() string {
	if i.Line > 0 {
		return fmt.Sprintf("%s %s (line %d)", i.Type, i.Value, i.Line)
	}
	return i.Type.String() + " " + i.Value
}

// show quotes a value in an error, cut.
func show(value string) string {
	const most = 80
	if len(value) > most {
		value = strings.ToValidUTF8(value[:most], "") + "..."
	}
	return fmt.Sprintf("%q", value)
}

// maxDomain and maxLabel are DNS's limits (RFC 1035, section 2.3.4), in bytes.
const (
	maxDomain = 253
	maxLabel  = 63
)

// domain checks a name's shape. Internationalised names are compared as they are spelled, so that a
// feed must give the form (Unicode or xn--) that telemetry has.
func domain(value string) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(value, "."))
	labels := strings.Split(name, ".")
	if len(name) > maxDomain || len(labels) < 2 {
		return "", fmt.Errorf("%s is not a domain name", show(value))
	}
	for _, label := range labels {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' || strings.IndexFunc(label, notInLabel) >= 0 {
			return "", fmt.Errorf("%s is not a domain name", show(value))
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return "", fmt.Errorf("%s is not a domain name: it ends in a number", show(value))
	}
	return name, nil
}

func notInLabel(r rune) bool {
	return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && r < 0x80
}

// network reads an address or a network; host bits are cut off, as feeds often leave them in.
func network(value string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(value); err == nil {
		if addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("address %s has a zone, which means nothing elsewhere", show(value))
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(value)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%s is not an IP address or network", show(value))
	}
	if prefix.Bits() == 0 {
		return netip.Prefix{}, fmt.Errorf("network %s is every address", show(value))
	}
	if a := prefix.Addr(); a.Is4In6() {
		if prefix.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("network %s is no IPv4 network", show(value))
		}
		prefix = netip.PrefixFrom(a.Unmap(), prefix.Bits()-96)
		if prefix.Bits() == 0 {
			return netip.Prefix{}, fmt.Errorf("network %s is every address", show(value))
		}
	}
	return prefix.Masked(), nil
}

func email(value string) (string, error) {
	local, host, ok := strings.Cut(value, "@")
	if !ok || local == "" || strings.ContainsAny(local, " \t\"<>(),;:\\") {
		return "", fmt.Errorf("%s is not an e-mail address", show(value))
	}
	host, err := domain(host)
	if err != nil {
		return "", fmt.Errorf("%s is not an e-mail address", show(value))
	}
	return strings.ToLower(local) + "@" + host, nil
}

// hashLength gives the hexadecimal digits of a hash.
func hashLength(t Type) int {
	switch t {
	case MD5, Imphash:
		return 32
	case SHA1:
		return 40
	case SHA256:
		return 64
	}
	return 128
}

func hash(t Type, value string) (string, error) {
	out := strings.ToLower(value)
	if len(out) != hashLength(t) || strings.Trim(out, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%s is no %s hash: want %d hexadecimal digits", show(value), t, hashLength(t))
	}
	return out, nil
}

// hasScheme tells whether a URL starts with a scheme (RFC 3986, section 3.1).
func hasScheme(value string) bool {
	scheme, _, ok := strings.Cut(value, "://")
	return ok && scheme != "" && strings.IndexFunc(scheme, func(r rune) bool {
		return r != '+' && r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}

// NormalURL brings a URL into the form in which URLs are compared: scheme and host in lower case, no
// default port, no fragment, no user, "/" for an empty path. Path and query keep their case. A URL
// without scheme stays without one and stands for http and https.
func NormalURL(value string) (string, error) {
	text, schemeless := value, !hasScheme(value)
	if schemeless {
		text = "any://" + value
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("%s is not a URL", show(value))
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() && addr.Zone() == "" {
		host = "[" + addr.String() + "]"
	} else if host == "" || strings.IndexFunc(host, func(r rune) bool { return r != '.' && notInLabel(r) }) >= 0 {
		return "", fmt.Errorf("%s is not a URL: its host is no name or address", show(value))
	}
	switch port := u.Port(); {
	case port == "", scheme == "http" && port == "80", scheme == "https" && port == "443", scheme == "ftp" && port == "21":
	default:
		host += ":" + port
	}
	out := host + u.EscapedPath()
	if u.EscapedPath() == "" {
		out += "/"
	}
	if u.RawQuery != "" {
		out += "?" + u.RawQuery
	}
	if !schemeless {
		out = scheme + "://" + out
	}
	return out, nil
}
