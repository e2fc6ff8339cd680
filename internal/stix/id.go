package stix

import (
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
)

const uuidLen = 36

// IsID says whether s is an identifier: type--UUID, with an RFC 4122 UUID (section 2.9).
func IsID(s string) bool {
	typ := TypeOf(s)
	return typ != "" && IsType(typ) && isUUID(s[len(typ)+2:])
}

// UUIDVersion is the version of an identifier's UUID: 1 to 5, or 0 where id is no identifier.
func UUIDVersion(id string) int {
	if !IsID(id) {
		return 0
	}
	return int(id[len(id)-uuidLen+14] - '0')
}

// TypeOf gives the type part of an identifier, or "" where s is too short or misses the two dashes.
func TypeOf(s string) string {
	cut := len(s) - uuidLen - 2
	if cut < 1 || s[cut:cut+2] != "--" {
		return ""
	}
	return s[:cut]
}

// IsType is the form of a type's name: 3 to 250 of a-z, 0-9 and single dashes, a letter first (section 3.1).
func IsType(s string) bool {
	if len(s) < 3 || len(s) > 250 || s[0] < 'a' || s[0] > 'z' || strings.Contains(s, "--") {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// isUUID wants the 8-4-4-4-12 form, version 1 to 5 and RFC 4122's variant. Hex digits of either case: they must
// be accepted as input (RFC 4122, section 3).
func isUUID(s string) bool {
	if len(s) != uuidLen {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isHex(c) {
				return false
			}
		}
	}
	return '1' <= s[14] && s[14] <= '5' && strings.IndexByte("89abAB", s[19]) >= 0
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// observables are the types of cyber-observable objects (section 6).
var observables = map[string]bool{
	"artifact": true, "autonomous-system": true, "directory": true, "domain-name": true, "email-addr": true,
	"email-message": true, "file": true, "ipv4-addr": true, "ipv6-addr": true, "mac-addr": true, "mutex": true,
	"network-traffic": true, "process": true, "software": true, "url": true, "user-account": true,
	"windows-registry-key": true, "x509-certificate": true,
}

// IsObservable says whether a type is a cyber-observable object's: its ids are made of its values, unsalted, so
// that naming one discloses what it is about (section 2.9).
func IsObservable(typ string) bool { return observables[typ] }

// NewID makes an identifier with a version 4 UUID out of rand.
func NewID(typ string, rand io.Reader) (string, error) {
	u, err := uuid.NewRandomFromReader(rand)
	if err != nil {
		return "", fmt.Errorf("making a %s id: %w", typ, err)
	}
	return typ + "--" + u.String(), nil
}
