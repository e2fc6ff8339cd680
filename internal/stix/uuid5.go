package stix

import (
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
)

// The one place that uses SHA-1. UUIDv5 is defined by it (RFC 4122, section 4.3), and so are the ids of STIX
// cyber-observable objects; it protects nothing here. Under GODEBUG=fips140=only crypto/sha1 panics, so a build
// that must run there replaces this file alone. (google/uuid's NewSHA1 would hide the same call.)

const (
	// scoNamespace is 00abedb4-aa42-466c-9c01-fed23315a9b7 (section 2.9).
	scoNamespace = "\x00\xab\xed\xb4\xaa\x42\x46\x6c\x9c\x01\xfe\xd2\x33\x15\xa9\xb7"
	// ownNamespace is 23b9de0e-1b8c-4a42-b7bf-d144313dfe51, drawn at random once and for all: the namespace of
	// the ids that Shieldwall derives.
	ownNamespace = "\x23\xb9\xde\x0e\x1b\x8c\x4a\x42\xb7\xbf\xd1\x44\x31\x3d\xfe\x51"
)

// ObservableID makes the deterministic identifier of a cyber-observable object out of the RFC 8785 canonical
// JSON object of its contributing properties (section 2.9).
func ObservableID(typ string, contributing []byte) string {
	return derive(typ, scoNamespace, contributing)
}

// OwnID derives an identifier from parts: the same parts give the same id on every node, different parts
// different ones, wherever one part ends and the next begins.
func OwnID(typ string, parts ...string) string {
	var name []byte
	for _, p := range parts {
		name = binary.BigEndian.AppendUint64(name, uint64(len(p)))
		name = append(name, p...)
	}
	return derive(typ, ownNamespace, name)
}

func derive(typ, namespace string, name []byte) string {
	h := sha1.New()
	h.Write([]byte(namespace))
	h.Write(name)
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	out := make([]byte, 0, len(typ)+2+uuidLen)
	out = append(out, typ...)
	out = append(out, "--"...)
	for i, group := range [][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			out = append(out, '-')
		}
		out = hex.AppendEncode(out, group)
	}
	return string(out)
}
