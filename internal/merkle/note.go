package merkle

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// algEd25519 is the signature type byte of C2SP signed-note.
const algEd25519 = 0x01

// KeyHash is signed-note's id of a named Ed25519 key: the first four bytes of
// SHA-256(name, newline, 0x01, key).
func KeyHash(name string, key ed25519.PublicKey) uint32 {
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write([]byte{algEd25519})
	h.Write(key)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// NewSigner returns a note signer for a key held in memory; package note wants it as a printable string.
func NewSigner(name string, key ed25519.PrivateKey) (note.Signer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("not an Ed25519 private key")
	}
	return &signer{name, KeyHash(name, key.Public().(ed25519.PublicKey)), key}, nil
}

// NewVerifier returns the verifier of a named Ed25519 key.
func NewVerifier(name string, key ed25519.PublicKey) (note.Verifier, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if len(key) != ed25519.PublicKeySize {
		return nil, errors.New("not an Ed25519 public key")
	}
	return &verifier{name, KeyHash(name, key), key}, nil
}

// checkName applies signed-note's rule for key names.
func checkName(name string) error {
	if name == "" || !utf8.ValidString(name) || strings.Contains(name, "+") || strings.IndexFunc(name, unicode.IsSpace) >= 0 {
		return fmt.Errorf("%.100q cannot name a key", name)
	}
	return nil
}

type signer struct {
	name string
	hash uint32
	key  ed25519.PrivateKey
}

func (s *signer) Name() string                    { return s.name }
func (s *signer) KeyHash() uint32                 { return s.hash }
func (s *signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

type verifier struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (v *verifier) Name() string                { return v.name }
func (v *verifier) KeyHash() uint32             { return v.hash }
func (v *verifier) Verify(msg, sig []byte) bool { return ed25519.Verify(v.key, msg, sig) }
