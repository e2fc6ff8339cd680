package node

import (
	"errors"
	"fmt"

	"shieldwall/internal/admit"
	"shieldwall/internal/exchange"
	"shieldwall/internal/keys"
	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/seal"
	"shieldwall/internal/stix"
)

// gate lets exchange ask the one gate and the one policy function.
type gate struct {
	gate *admit.Gate
	roll *roll
	self string
}

func (g gate) Admit(tx exchange.Tx, from exchange.Provenance, raw []byte) ([]object.Change, string, error) {
	return split(g.gate.Admit(tx.(admit.Tx), admit.Provenance{
		Publisher: from.Publisher, Place: from.Place, TLP: stix.TLP(from.TLP), Audience: from.Audience, Via: "peer",
	}, raw))
}

func (g gate) Withdraw(tx exchange.Tx, from exchange.Provenance, of object.Place, id string) ([]object.Change, string, error) {
	return split(g.gate.Withdraw(tx.(admit.Tx), from.Publisher, of, id))
}

// split tells a refusal, which is the publisher's doing, from a failure of this node.
func split(changes []object.Change, err error) ([]object.Change, string, error) {
	var refused *admit.Refused
	if errors.As(err, &refused) {
		return nil, refused.Error(), nil
	}
	return changes, "", err
}

func (g gate) MayRead(tlp uint8, audience string) bool {
	a, err := policy.ParseAudience(audience)
	return err == nil && policy.MayRead(g.roll.Members(), policy.Reader{Kind: policy.Node, Member: g.self}, stix.TLP(tlp), a)
}

// opener holds this member's HPKE key and its node key (exchange.Opener).
type opener struct {
	keys *keys.Keys
	self string
}

func (o opener) Unwrap(epochEntry, wrap []byte) ([]byte, bool) {
	key, err := seal.Unwrap(wrap, epochEntry, seal.Member(o.self), o.keys.HPKE)
	return key, err == nil
}

func (o opener) Protect(key []byte, place string) ([]byte, error) {
	return o.keys.Seal(key, place), nil
}

func (o opener) Reveal(sealed []byte, place string) ([]byte, error) {
	key, err := o.keys.Open(sealed, place)
	if err == nil && len(key) != seal.KeySize {
		err = fmt.Errorf("%s holds %d bytes", place, len(key))
	}
	return key, err
}
