// Package merkle holds the formats of a member log: RFC 6962 hashes over golang.org/x/mod/sumdb/tlog, the
// tiles and paths of C2SP tlog-tiles, entry bundles, checkpoints (C2SP tlog-checkpoint) and the signed
// notes that carry them (C2SP signed-note, Ed25519). It is pure: bytes in, bytes out.
package merkle

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"math"

	"golang.org/x/mod/sumdb/tlog"
)

// Limits of a log.
const (
	// MaxEntry is the size of the largest entry in bytes: a bundle gives its length as a u16.
	MaxEntry = math.MaxUint16
	// MaxSize is the largest tree size: tlog counts in int64.
	MaxSize = math.MaxInt64
)

// Hash is a SHA-256 hash of a leaf or of a tree's node.
type Hash = tlog.Hash

// LeafHash is RFC 6962's hash of an entry's bytes (section 2.1).
func LeafHash(entry []byte) Hash { return tlog.RecordHash(entry) }

// EmptyRoot is the root of the tree without leaves (RFC 6962, section 2.1).
func EmptyRoot() Hash { return sha256.Sum256(nil) }

// LogID is the id of a member's log: its checkpoint's origin line and the name of its note key
// (DESIGN.md, "Formats", Log). It is derived from the key so that two logs never share one.
func LogID(member string, key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return member + "/" + hex.EncodeToString(sum[:16])
}
