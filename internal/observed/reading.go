package observed

import (
	"net/netip"
	"strconv"
	"strings"
)

// reading is how a property's value is read from a field's text.
type reading uint8

const (
	text           reading = iota // as it is
	folded                        // in lower case
	base                          // the last part of a path
	folder                        // a path without its last part
	number                        // decimal, or hexadecimal behind 0x
	host                          // a host name in lower case, without final dot; no address
	mailbox                       // an e-mail address in lower case
	v4                            // an IPv4 address
	v6                            // an IPv6 address
	hashList                      // "MD5=...,SHA256=...", in lower case, by STIX's names
	digest                        // a hash in lower case
	login                         // a user without domain
	registry                      // a registry path with its hive's long name
	registryFolder                // the same without its last part
)

// String says in the table how a value is read.
func (r reading) String() string {
	return [...]string{text: "", folded: "lower case", base: "last part of the path", folder: "path without its last part",
		number: "number", host: "host name, lower case", mailbox: "address, lower case", v4: "IPv4", v6: "IPv6",
		hashList: "by algorithm, lower case", digest: "lower case", login: "without domain",
		registry: "HKLM = HKEY_LOCAL_MACHINE ...", registryFolder: "HKLM = HKEY_LOCAL_MACHINE ..., without its last part"}[r]
}

// folds tells whether values are compared without regard to case: that of names and digits which mean the
// same in any case. Everything else is compared as it is: STIX's strings are case-sensitive.
func (r reading) folds() bool {
	switch r {
	case folded, host, mailbox, hashList, digest, v4, v6:
		return true
	}
	return false
}

// value reads a field's text; ok is false where the text is no such thing.
func (r reading) value(s string) (value any, ok bool) {
	if s == "" || s == "-" { // "-" is how Windows and W3C logs write nothing
		return nil, false
	}
	switch r {
	case folded, digest:
		return lower(s), true
	case base:
		s = s[cutAt(s)+1:]
	case folder:
		i := cutAt(s)
		if i < 0 {
			return nil, false
		}
		s = s[:i]
	case number:
		return readNumber(s)
	case host:
		if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
			return nil, false
		}
		s = lower(strings.TrimSuffix(s, "."))
	case mailbox:
		s = lower(strings.Trim(s, "<> "))
		return s, strings.Contains(s, "@")
	case v4, v6:
		addr, err := netip.ParseAddr(strings.TrimSpace(s))
		addr = addr.Unmap().WithZone("")
		return addr.String(), err == nil && addr.Is4() == (r == v4)
	case hashList:
		return readHashes(s)
	case login:
		s = s[strings.LastIndexByte(s, '\\')+1:]
	case registry:
		s = longHive(s)
	case registryFolder:
		i := strings.LastIndexByte(s, '\\')
		if i < 0 {
			return nil, false
		}
		s = longHive(s[:i])
	}
	return s, s != ""
}

// cutAt finds the last separator of a path; -1 where there is none.
func cutAt(path string) int { return strings.LastIndexAny(path, `\/`) }

func readNumber(s string) (any, bool) {
	if digits, hex := strings.CutPrefix(s, "0x"); hex {
		n, err := strconv.ParseInt(digits, 16, 64)
		return n, err == nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// algorithms gives Sysmon's names of hashes their names in STIX (hash-algorithm-ov, section 10.7). An
// import hash is not in the vocabulary and keeps its name.
var algorithms = map[string]string{"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512", "imphash": "IMPHASH"}

// maxHashes bounds the hashes of one file.
const maxHashes = 16

func readHashes(s string) (any, bool) {
	out := map[string]any{}
	for part := range strings.SplitSeq(s, ",") {
		name, digits, ok := strings.Cut(strings.TrimSpace(part), "=")
		if known := algorithms[lower(name)]; ok && known != "" && len(out) < maxHashes {
			out[known] = lower(digits)
		}
	}
	return out, len(out) > 0
}

var hives = [][2]string{{"HKLM", "HKEY_LOCAL_MACHINE"}, {"HKU", "HKEY_USERS"}, {"HKCU", "HKEY_CURRENT_USER"},
	{"HKCR", "HKEY_CLASSES_ROOT"}, {"HKCC", "HKEY_CURRENT_CONFIG"},
	{`\REGISTRY\MACHINE`, "HKEY_LOCAL_MACHINE"}, {`\REGISTRY\USER`, "HKEY_USERS"}}

func longHive(path string) string {
	for _, h := range hives {
		if rest, ok := strings.CutPrefix(path, h[0]); ok && (rest == "" || rest[0] == '\\') {
			return h[1] + rest
		}
	}
	return path
}

// lower changes ASCII letters alone, so that nothing else becomes one.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
