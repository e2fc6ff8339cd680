package indicator

import (
	"strings"
	"unicode/utf8"
)

// hive is a root of the registry.
type hive struct{ long, short string }

// hives are the spellings of the registry's roots, in lower case, and the one in which keys are
// compared: STIX wants them in full, Sysmon abbreviates them, the Security log gives the kernel's names.
var hives = []hive{
	{"hkey_local_machine", "hklm"},
	{"\\registry\\machine", "hklm"},
	{"hkey_users", "hku"},
	{"\\registry\\user", "hku"},
	{"hkey_current_user", "hkcu"},
	{"hkey_classes_root", "hkcr"},
	{"hkey_current_config", "hkcc"},
}

// AppendRegistryKey appends a registry key in the form in which keys are compared: lower case, the
// root as Sysmon abbreviates it, no backslash at the end.
func AppendRegistryKey(out []byte, key string) []byte {
	key = strings.TrimRight(key, `\`)
	for _, hive := range hives {
		n := len(hive.long)
		if len(key) >= n && strings.EqualFold(key[:n], hive.long) && (len(key) == n || key[n] == '\\') {
			out, key = append(out, hive.short...), key[n:]
			break
		}
	}
	for i := range len(key) {
		if key[i] >= utf8.RuneSelf {
			return append(out, strings.ToLower(key[i:])...)
		}
		out = append(out, lower(key[i]))
	}
	return out
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// AppendSimpleURL is NormalURL for the URLs that need no thought, without allocating: a name or IPv4
// address as host, no port, user, escape or fragment. ok is false for all others.
func AppendSimpleURL(out []byte, value string) (_ []byte, ok bool) {
	start := len(out)
	rest := value
	if hasSimpleScheme(value) {
		n := strings.Index(value, "://") + len("://")
		for i := range n {
			out = append(out, lower(value[i]))
		}
		rest = value[n:]
	}
	slash := strings.IndexByte(rest, '/')
	host := rest
	if slash >= 0 {
		host = rest[:slash]
	}
	if host == "" || host[len(host)-1] == '.' {
		return out[:start], false
	}
	for i := range len(host) {
		c := lower(host[i])
		if !simple(c) || c == '~' {
			return out[:start], false
		}
		out = append(out, c)
	}
	if slash < 0 {
		return append(out, '/'), true
	}
	query := false
	for i := slash; i < len(rest); i++ {
		c := rest[i]
		switch {
		case simple(c), c == '/', query && (c == '=' || c == '&' || c == '+' || c == '?' || c == ';' || c == ','):
		case c == '?' && i+1 < len(rest):
			query = true
		default:
			return out[:start], false
		}
	}
	return append(out, rest[slash:]...), true
}

// hasSimpleScheme tells whether a URL begins with letters and "://".
func hasSimpleScheme(value string) bool {
	for i := range len(value) {
		if c := lower(value[i]); c < 'a' || c > 'z' {
			return i > 0 && strings.HasPrefix(value[i:], "://")
		}
	}
	return false
}

// simple tells RFC 3986's unreserved characters (section 2.3).
func simple(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
