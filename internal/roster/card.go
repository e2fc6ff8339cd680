package roster

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"time"

	"shieldwall/internal/canon"
	"shieldwall/internal/merkle"
)

// MaxCard bounds a card note; it is what a stranger may post.
const MaxCard = 16 << 10

// maxDelegation bounds a delegation note.
const maxDelegation = 8 << 10

// maxEndpoints bounds the addresses of a card.
const maxEndpoints = 8

const (
	cardHeading       = "shieldwall card v1"
	delegationHeading = "shieldwall delegation v1"
	identitySigner    = "identity"
)

// Delegation is the identity key's word that another key may sign this member's cards. The identity key
// itself stays offline.
type Delegation struct {
	Identity Key        `json:"identity"`
	Delegate Key        `json:"delegate"`
	Recovery Key        `json:"recovery"` // to which every epoch key is wrapped too
	Expires  canon.Time `json:"expires"`
}

// Sign makes the signed note.
func (d Delegation) Sign(identity ed25519.PrivateKey) ([]byte, error) {
	b, err := canon.Marshal(d)
	if err != nil {
		return nil, err
	}
	return sign(delegationHeading, b, identitySigner, identity)
}

// ParseDelegation parses a delegation and verifies that the identity key it names signed it.
func ParseDelegation(msg []byte) (Delegation, error) {
	_, body, err := statement("delegation", delegationHeading, msg, maxDelegation)
	if err != nil {
		return Delegation{}, err
	}
	var d Delegation
	if err := canon.Unmarshal(body, &d, maxDelegation); err != nil {
		return Delegation{}, fmt.Errorf("delegation: %w", err)
	}
	if err := errors.Join(d.Delegate.check("delegate", Ed25519), d.Recovery.check("recovery", HPKE)); err != nil {
		return Delegation{}, fmt.Errorf("delegation: %w", err)
	}
	if err := signedBy(msg, identitySigner, d.Identity); err != nil {
		return Delegation{}, fmt.Errorf("delegation: %w", err)
	}
	return d, nil
}

// Card is a member's own signed statement of its keys in use and its endpoints.
type Card struct {
	Alliance   string     `json:"alliance"`
	Member     string     `json:"member"`
	Sequence   uint64     `json:"sequence"`
	Previous   string     `json:"previous"` // hash of the card before; empty in the first
	Issued     canon.Time `json:"issued"`
	Expires    canon.Time `json:"expires"`
	Delegation string     `json:"delegation"` // the whole note
	TLS        Key        `json:"tls"`
	HPKE       Key        `json:"hpke"`
	Log        Key        `json:"log"`
	Witness    Key        `json:"witness"`
	Endpoints  []string   `json:"endpoints"`
}

// Sign makes the signed note with the delegate's key. A card cannot outlive the delegation of the key that
// signs it, so Sign brings c.Expires forward where it must.
func (c *Card) Sign(delegate ed25519.PrivateKey) ([]byte, error) {
	d, err := ParseDelegation([]byte(c.Delegation))
	if err != nil {
		return nil, fmt.Errorf("card: %w", err)
	}
	if !c.Issued.Before(d.Expires.Time) {
		return nil, fmt.Errorf("card: the delegation expired on %s; a new one needs the recovery kit", d.Expires.Format(time.DateOnly))
	}
	if c.Expires.After(d.Expires.Time) {
		c.Expires = d.Expires
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("card: %w", err)
	}
	b, err := canon.Marshal(c)
	if err != nil {
		return nil, err
	}
	msg, err := sign(cardHeading, b, c.Member+"/delegate", delegate)
	if err != nil {
		return nil, err
	}
	if len(msg) > MaxCard {
		return nil, fmt.Errorf("a card of %d bytes is over the limit of %d", len(msg), MaxCard)
	}
	return msg, nil
}

func (c *Card) text() (string, error) {
	b, err := canon.Marshal(c)
	if err != nil {
		return "", err
	}
	return cardHeading + "\n" + string(b) + "\n", nil
}

// Hash is the hash by which the next card refers to this one.
func (c *Card) Hash() (string, error) {
	text, err := c.text()
	if err != nil {
		return "", err
	}
	return hashText(text), nil
}

// LogID is the id of the log that the card's member writes.
func (c *Card) LogID() string { return merkle.LogID(c.Member, c.Log.Key) }

// Recovery is the key to which the member's own epochs are wrapped beside its readers'.
func (c *Card) Recovery() (Key, error) {
	d, err := ParseDelegation([]byte(c.Delegation))
	return d.Recovery, err
}

// ParseCard parses a card and checks its form, not its signatures.
func ParseCard(msg []byte) (*Card, error) {
	_, body, err := statement("card", cardHeading, msg, MaxCard)
	if err != nil {
		return nil, err
	}
	c := &Card{}
	if err := canon.Unmarshal(body, c, MaxCard); err != nil {
		return nil, fmt.Errorf("card: %w", err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("card: %w", err)
	}
	return c, nil
}

func (c *Card) check() error {
	if err := CheckName(c.Member); err != nil {
		return err
	}
	switch {
	case !isHex(c.Alliance, sha256.Size):
		return errors.New("it names no alliance")
	case c.Sequence == 0 || (c.Sequence == 1) != (c.Previous == "") || c.Previous != "" && !isHex(c.Previous, sha256.Size):
		return fmt.Errorf("sequence %d with previous %.20q", c.Sequence, c.Previous)
	case c.Issued.IsZero() || !c.Expires.After(c.Issued.Time):
		return errors.New("it must expire after it was issued")
	}
	if err := checkEndpoints(c.Endpoints); err != nil {
		return err
	}
	return errors.Join(c.TLS.check("tls", Ed25519), c.HPKE.check("hpke", HPKE), c.Log.check("log", Ed25519), c.Witness.check("witness", Ed25519))
}

func checkEndpoints(endpoints []string) error {
	if len(endpoints) > maxEndpoints {
		return fmt.Errorf("%d endpoints are over the limit of %d", len(endpoints), maxEndpoints)
	}
	for _, e := range endpoints {
		if u, err := url.Parse(e); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("endpoint %.100q is no https address", e)
		}
	}
	return nil
}

// Verify checks a card, whose note is msg, by the identity keys that the roster pins for its member: one of
// them signed the card itself, or the delegation of the key that did. A delegate's card must lie within the
// delegation's time at both ends: a stolen delegate key can give any date.
func (c *Card) Verify(msg []byte, alliance string, pinned []Key) error {
	if c.Alliance != alliance {
		return errors.New("card: it is for another alliance")
	}
	text, err := c.text()
	if err != nil {
		return err
	}
	if signed, _, err := statement("card", cardHeading, msg, MaxCard); err != nil {
		return err
	} else if signed != text {
		return fmt.Errorf("card of %s: the note is of another card", c.Member)
	}
	d, err := ParseDelegation([]byte(c.Delegation))
	if err != nil {
		return fmt.Errorf("card of %s: %w", c.Member, err)
	}
	known := false
	for _, k := range pinned {
		known = known || k.Equal(d.Identity)
	}
	if !known {
		return fmt.Errorf("card of %s: its identity key is not the one that the roster pins", c.Member)
	}
	if signedBy(msg, c.Member+"/identity", d.Identity) == nil {
		return nil
	}
	if err := signedBy(msg, c.Member+"/delegate", d.Delegate); err != nil {
		return fmt.Errorf("card of %s: %w", c.Member, err)
	}
	if !c.Issued.Before(d.Expires.Time) {
		return fmt.Errorf("card of %s: the delegation of its key had expired on %s", c.Member, d.Expires.Format(time.DateOnly))
	}
	if c.Expires.After(d.Expires.Time) {
		return fmt.Errorf("card of %s: it outlives the delegation of its key, which ends on %s", c.Member, d.Expires.Format(time.DateOnly))
	}
	return nil
}

// Expired says whether the card has run out.
func (c *Card) Expired(now time.Time) bool { return !now.Before(c.Expires.Time) }
