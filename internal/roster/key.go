// Package roster is who belongs to the alliance, as signed statements: the roster that officers sign, the
// cards by which members name their keys in use, the delegation that lets a node sign its cards, the
// invitation and the receipt (DESIGN.md, "Formats"). It is pure: times and keys come in as arguments.
package roster

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/fips140"
	"crypto/hpke"
	"crypto/mlkem"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"shieldwall/internal/merkle"
)

// Key types. A type that is not listed is an error, so that others can come without a change of format.
const (
	Ed25519 = "ed25519"        // 32 bytes
	HPKE    = "mlkem768x25519" // HPKE KEM 0x647a, 1,216 bytes
)

var keySizes = map[string]int{Ed25519: ed25519.PublicKeySize, HPKE: 1216}

// Key is a public key with its type.
type Key struct {
	Type string `json:"type"`
	Key  []byte `json:"key"`
}

// Equal compares two keys.
func (k Key) Equal(o Key) bool { return k.Type == o.Type && bytes.Equal(k.Key, o.Key) }

// Text is a key as people pass it on: type:base64.
func (k Key) Text() string { return k.Type + ":" + base64.StdEncoding.EncodeToString(k.Key) }

// ParseSigningKey reads a public key that Text wrote and that can sign.
func ParseSigningKey(text string) (Key, error) {
	typ, data, _ := strings.Cut(strings.TrimSpace(text), ":")
	b, err := base64.StdEncoding.Strict().DecodeString(data)
	if err != nil {
		return Key{}, fmt.Errorf("%.80q is no key: type:base64 is wanted", text)
	}
	k := Key{Type: typ, Key: b}
	return k, k.check(fmt.Sprintf("%.80q", text), Ed25519)
}

// check wants a key of that type and of the type's size.
func (k Key) check(what, typ string) error {
	switch size, known := keySizes[k.Type]; {
	case !known:
		return fmt.Errorf("%s: key type %.40q is not known here", what, k.Type)
	case k.Type != typ:
		return fmt.Errorf("%s: a key of type %s, not %s", what, k.Type, typ)
	case len(k.Key) != size:
		return fmt.Errorf("%s: a key of %d bytes, not %d", what, len(k.Key), size)
	}
	if typ == HPKE {
		if err := checkHPKE(k.Key); err != nil {
			return fmt.Errorf("%s: nothing can be sealed to this key: %w", what, err)
		}
	}
	return nil
}

// checkHPKE wants a key to which can be wrapped: one member's card with another would else fail every epoch
// that is opened for its groups.
func checkHPKE(key []byte) error {
	if _, err := hpke.MLKEM768X25519().NewPublicKey(key); err != nil {
		return err
	}
	// A point of low order gives zero with every scalar (RFC 7748, section 6.1), so any fixed one tells.
	var err error
	fips140.WithoutEnforcement(func() { // as in crypto/hpke: one half of a hybrid with ML-KEM, which is approved
		err = checkPoint(key[mlkem.EncapsulationKeySize768:])
	})
	return err
}

func checkPoint(key []byte) error {
	point, err := ecdh.X25519().NewPublicKey(key)
	if err != nil {
		return err
	}
	scalar, err := ecdh.X25519().NewPrivateKey(make([]byte, 32))
	if err != nil {
		return err
	}
	_, err = scalar.ECDH(point)
	return err
}

// MaxName is the length of the longest name of a member, group or officer.
const MaxName = 32

// reserved are names that mean an audience, or what was never shared.
var reserved = map[string]bool{"alliance": true, "everyone": true, "local": true}

// CheckName says what is wrong with a name of a member, group or officer; nil if nothing is.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("name %.40q: a name has 1 to %d characters", name, MaxName)
	}
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !letter && (c != '-' || i == 0) {
			return fmt.Errorf("name %q: a name has lower-case letters, digits and, not in front, hyphens", name)
		}
	}
	if reserved[name] {
		return fmt.Errorf("name %q is taken: it means something else", name)
	}
	return nil
}

// CheckLogID says what is wrong with a log's id, MEMBER/HASH; nil if nothing is.
func CheckLogID(id string) error {
	member, hash, _ := strings.Cut(id, "/")
	if CheckName(member) != nil || !isHex(hash, 16) {
		return fmt.Errorf("%.80q is no log id", id)
	}
	return nil
}

const hexDigits = "0123456789abcdef"

// isHex says whether s spells n bytes in lower-case hex: a hash must not have two spellings.
func isHex(s string, n int) bool { return len(s) == 2*n && strings.Trim(s, hexDigits) == "" }

// errSignature says that no signature by the right key is there.
var errSignature = errors.New("not signed by the right key")

// sign makes a signed note: the first line, the statement, the signature.
func sign(heading string, statement []byte, name string, key ed25519.PrivateKey) ([]byte, error) {
	s, err := merkle.NewSigner(name, key)
	if err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: heading + "\n" + string(statement) + "\n"}, s)
}

// statement takes a note apart without verifying it: its text and the JSON below the heading.
func statement(what, heading string, msg []byte, max int) (text string, json []byte, err error) {
	if len(msg) > max {
		return "", nil, fmt.Errorf("%s: %d bytes are over the limit of %d", what, len(msg), max)
	}
	var unverified *note.UnverifiedNoteError
	if _, err := note.Open(msg, note.VerifierList()); !errors.As(err, &unverified) {
		return "", nil, fmt.Errorf("%s: %w", what, err)
	}
	text = unverified.Note.Text
	body, ok := strings.CutPrefix(text, heading+"\n")
	if !ok {
		return "", nil, fmt.Errorf("%s: the first line is not %q", what, heading)
	}
	body, ok = strings.CutSuffix(body, "\n")
	if !ok || strings.Contains(body, "\n") {
		return "", nil, fmt.Errorf("%s: not one line of JSON below %q", what, heading)
	}
	return text, []byte(body), nil
}

// signedBy says whether the note carries a valid signature by that name and key.
func signedBy(msg []byte, name string, key Key) error {
	if err := key.check(name, Ed25519); err != nil {
		return err
	}
	v, err := merkle.NewVerifier(name, key.Key)
	if err != nil {
		return err
	}
	if _, err := note.Open(msg, note.VerifierList(v)); err != nil {
		return fmt.Errorf("%w %s", errSignature, name)
	}
	return nil
}

// hashText is the hash by which a statement is referred to: SHA-256 of its text, in hex.
func hashText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
