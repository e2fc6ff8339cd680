package roster

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"shieldwall/internal/canon"
)

// SecretSize is the length of an invitation's secret in bytes.
const SecretSize = 16

// maxToken bounds an invitation as text.
const maxToken = 8 << 10

const tokenPrefix = "swt1."

// Token is an invitation: where to join, how to recognise the inviter and the alliance, and the secret that
// shows that one was invited.
type Token struct {
	Alliance  string     `json:"alliance"`
	Version   uint64     `json:"version"` // roster at the time of inviting
	Hash      string     `json:"hash"`    // of that roster
	Endpoints []string   `json:"endpoints"`
	Pins      []string   `json:"pins"` // SHA-256 of the inviter's SubjectPublicKeyInfo, hex
	Name      string     `json:"name"` // the joiner's
	Groups    []string   `json:"groups"`
	Expires   canon.Time `json:"expires"`
	Secret    []byte     `json:"secret"`
}

// Encode is the token as one word.
func (t Token) Encode() (string, error) {
	if err := t.check(); err != nil {
		return "", err
	}
	b, err := canon.Marshal(t)
	if err != nil {
		return "", err
	}
	word := tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
	if len(word) > maxToken {
		return "", fmt.Errorf("an invitation of %d characters is over the limit of %d", len(word), maxToken)
	}
	return word, nil
}

// ParseToken reads an invitation. Errors never repeat it: it holds a secret.
func ParseToken(s string) (Token, error) {
	s = strings.TrimSpace(s)
	body, ok := strings.CutPrefix(s, tokenPrefix)
	if !ok {
		//lint:ignore ST1005 the dot is the end of the prefix that it quotes
		return Token{}, errors.New("this is no invitation: it does not begin with " + tokenPrefix)
	}
	if len(s) > maxToken {
		return Token{}, fmt.Errorf("this is no invitation: it is longer than %d characters", maxToken)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil {
		return Token{}, errors.New("this invitation is damaged: copy the whole line")
	}
	var t Token
	if err := canon.Unmarshal(b, &t, maxToken); err != nil {
		return Token{}, errors.New("this invitation is damaged: copy the whole line")
	}
	if err := t.check(); err != nil {
		return Token{}, err
	}
	return t, nil
}

func (t Token) check() error {
	if err := CheckName(t.Name); err != nil {
		return fmt.Errorf("invitation: %w", err)
	}
	for _, h := range append([]string{t.Alliance, t.Hash}, t.Pins...) {
		if !isHex(h, sha256.Size) {
			return errors.New("invitation: a hash in it is none")
		}
	}
	for _, g := range t.Groups {
		if err := CheckName(g); err != nil {
			return fmt.Errorf("invitation: group: %w", err)
		}
	}
	if len(t.Secret) != SecretSize || len(t.Endpoints) == 0 || len(t.Pins) == 0 || t.Version == 0 {
		return errors.New("invitation: it is incomplete")
	}
	if err := checkEndpoints(t.Endpoints); err != nil {
		return fmt.Errorf("invitation: %w", err)
	}
	return nil
}

// Expired says whether the invitation has run out.
func (t Token) Expired(now time.Time) bool { return !now.Before(t.Expires.Time) }

// SecretHash is what the inviter keeps of the secret.
func (t Token) SecretHash() []byte {
	sum := sha256.Sum256(t.Secret)
	return sum[:]
}

// Proof shows knowledge of the secret on one TLS connection, for one card.
//
// The inviter keeps the secret's hash alone, so the key is that hash: who stole the inviter's store could
// make proofs, but could sign rosters there too.
func Proof(secretHash, exporter, card []byte) []byte {
	m := hmac.New(sha256.New, secretHash)
	m.Write([]byte("shieldwall/join/v1"))
	m.Write(exporter)
	sum := sha256.Sum256(card)
	m.Write(sum[:])
	return m.Sum(nil)
}

// ProofHolds compares a proof in constant time.
func ProofHolds(proof, secretHash, exporter, card []byte) bool {
	return hmac.Equal(proof, Proof(secretHash, exporter, card))
}
