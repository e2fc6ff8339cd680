package node

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"shieldwall/internal/control"
	"shieldwall/internal/federation"
	"shieldwall/internal/keys"
	"shieldwall/internal/peer"
	"shieldwall/internal/roster"
	"shieldwall/internal/store/sqlite"
)

// pendingJoin is a join that was begun: it is written before the first request, so that a joiner which
// crashes half-way comes back with the very card to which the invitation was bound.
type pendingJoin struct {
	SecretHash []byte `json:"secret_hash"`
	Card       []byte `json:"card"`
	Log        []byte `json:"log"` // public key of the log it names
}

// joinAlliance leaves the alliance of one and becomes a member of the token's. The session is over then:
// the caller starts another.
func (s *session) joinAlliance(ctx context.Context, word string) (control.JoinResult, error) {
	token, err := roster.ParseToken(word)
	if err != nil {
		return control.JoinResult{}, control.Errorf(control.Usage, "%w", err)
	}
	m := s.roll.Now()
	switch {
	case token.Alliance == m.Alliance:
		return control.JoinResult{}, refusedf("this node is a member of the alliance %q already", m.Roster.Name)
	case len(m.Roster.Members) > 1:
		return control.JoinResult{}, refusedf("this node's alliance %q has other members; a node is in one alliance", m.Roster.Name)
	case token.Expired(s.node.now()):
		return control.JoinResult{}, refusedf("this invitation expired on %s: ask for a new one", token.Expires)
	}
	pending, err := s.beginJoin(ctx, token)
	if err != nil {
		return control.JoinResult{}, err
	}
	joined, err := s.askToJoin(ctx, token, pending)
	if err != nil {
		return control.JoinResult{}, err
	}
	if joined.Pending != "" {
		return control.JoinResult{Member: token.Name, Pending: joined.Pending}, nil
	}
	next, err := verifyJoined(joined, token, s.node)
	if err != nil {
		return control.JoinResult{}, refusedf("the inviter's answer does not hold: %v", err)
	}
	if err := s.enter(ctx, token, pending, joined, next); err != nil {
		return control.JoinResult{}, fmt.Errorf("entering the alliance: %w", err)
	}
	return control.JoinResult{Alliance: next.Roster.Name, ID: next.Alliance, Member: token.Name, Version: next.Roster.Version, Members: len(next.Roster.Members)}, nil
}

// beginJoin makes the card for the new alliance, with a log key of its own, or finds the one made before.
func (s *session) beginJoin(ctx context.Context, token roster.Token) (pendingJoin, error) {
	var p pendingJoin
	err := s.node.store.View(ctx, func(tx *sqlite.Tx) error {
		v, err := tx.Meta(metaJoin)
		if err != nil || v == nil {
			return err
		}
		return json.Unmarshal(v, &p)
	})
	if err != nil {
		return p, fmt.Errorf("reading a join that was begun: %w", err)
	}
	if p.begunFor(token) {
		p.SecretHash = token.SecretHash()
		return p, s.keepJoin(ctx, p)
	}
	logKey, err := s.node.keys.NewLog(random)
	if err != nil {
		return p, err
	}
	me := self{member: token.Name, log: logKey.Public().(ed25519.PublicKey)}
	card, err := newCard(s.node.keys, token.Alliance, me, 1, "", s.endpoints(), s.node.now())
	if err != nil {
		return p, err
	}
	p = pendingJoin{SecretHash: token.SecretHash(), Card: card, Log: me.log}
	return p, s.keepJoin(ctx, p)
}

func (s *session) keepJoin(ctx context.Context, p pendingJoin) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return s.node.store.UpdateDurable(ctx, func(tx *sqlite.Tx) error { return tx.PutMeta(metaJoin, raw) })
}

// begunFor says whether the card made before is for the token's place. A new invitation to the same place uses
// it again: the alliance may have admitted it already, and a second first card would be misconduct.
func (p pendingJoin) begunFor(token roster.Token) bool {
	card, err := roster.ParseCard(p.Card)
	return err == nil && card.Alliance == token.Alliance && card.Member == token.Name
}

// askToJoin tries the inviter's endpoints in turn.
func (s *session) askToJoin(ctx context.Context, token roster.Token, p pendingJoin) (peer.Joined, error) {
	pinned, err := json.Marshal([]roster.Key{s.node.keys.Identity})
	if err != nil {
		return peer.Joined{}, err
	}
	req := peer.JoinRequest{SecretHash: p.SecretHash, Card: p.Card, Keys: pinned, Identities: []string{s.me.identity}}
	prove := func(exporter []byte) ([]byte, error) { return roster.Proof(p.SecretHash, exporter, p.Card), nil }
	var errs []error
	for _, endpoint := range token.Endpoints {
		joined, err := peer.Join(ctx, endpoint, s.node.cert, token.Pins, req, prove)
		if err == nil {
			return joined, nil
		}
		var refused *peer.Refusal
		if errors.As(err, &refused) { // an answer of the inviter itself: another address of it says the same
			return peer.Joined{}, refusedf("the inviter refused: %s", refused.Reason)
		}
		errs = append(errs, fmt.Errorf("%s: %w", endpoint, err))
	}
	return peer.Joined{}, control.Errorf(control.Unavailable, "the inviter cannot be reached: %w", errors.Join(errs...))
}

// verifyJoined checks the roster chain against the token, and that we are in it.
func verifyJoined(j peer.Joined, token roster.Token, n *Node) (*federation.Membership, error) {
	if len(j.Rosters) == 0 {
		return nil, errors.New("it holds no roster")
	}
	m, err := federation.Found(j.Rosters[0], n.cfg.Deny, keys.Pin)
	if err != nil {
		return nil, err
	}
	if m.Alliance != token.Alliance {
		return nil, errors.New("it is of another alliance than the invitation")
	}
	met := m.Roster.Version == token.Version && m.Hash == token.Hash
	for _, note := range j.Rosters[1:] {
		if m, err = m.WithRoster(note); err != nil {
			return nil, err
		}
		met = met || m.Roster.Version == token.Version && m.Hash == token.Hash
	}
	if !met {
		return nil, fmt.Errorf("it does not contain roster version %d as the invitation knows it", token.Version)
	}
	me, listed := m.Roster.Member(token.Name)
	if !listed || len(me.Keys) != 1 || !me.Keys[0].Equal(n.keys.Identity) {
		return nil, errors.New("we are not in the roster with our own identity key")
	}
	for _, note := range j.Cards {
		next, _, err := m.WithCard(note, n.now())
		if err != nil {
			n.log.Warn("card refused", "reason", err.Error())
			continue
		}
		m = next
	}
	return m, nil
}

// enter replaces the alliance in one transaction. What was published in the alliance of one stays as this
// node's own, unshared intelligence.
func (s *session) enter(ctx context.Context, token roster.Token, p pendingJoin, j peer.Joined, m *federation.Membership) error {
	me := self{member: token.Name, identity: s.me.identity, log: p.Log}
	return s.roll.leave(ctx, func(tx *sqlite.Tx) error {
		errs := []error{tx.DropRosters(), tx.DropCards(), tx.Relocal(s.me.member), refile(tx, s.me.member, token.Name), dropTallies(tx), me.save(tx), tx.PutMeta(metaJoin, nil),
			putFork(tx, nil), tx.PutMeta(metaDrafts, []byte("null")), tx.PutMeta(metaPrepared, []byte{})}
		for i, note := range j.Rosters {
			r, err := roster.ParseRoster(note)
			if err != nil {
				return err
			}
			hash, err := r.Hash()
			if err != nil {
				return err
			}
			errs = append(errs, tx.PutRosterNote(uint64(i+1), hash, note))
		}
		for _, note := range j.Cards {
			c, err := roster.ParseCard(note)
			if err != nil {
				continue // refused before, and logged
			}
			if held := m.Card(c.Member); held != nil && held.Sequence == c.Sequence {
				errs = append(errs, tx.PutCardNote(c.Member, c.Sequence, note))
			}
		}
		errs = append(errs, tx.PutCardNote(token.Name, 1, p.Card))
		return errors.Join(errs...)
	})
}

// refile keeps what was for this member alone for it under its new name.
func refile(tx *sqlite.Tx, from, to string) error {
	return tx.Refile("member:"+from, "member:"+to)
}

// endpoints are the addresses for this member's card.
func (s *session) endpoints() []string {
	if adv := s.node.cfg.Peer.Advertise; len(adv) > 0 {
		return adv
	}
	if addr := s.node.peerAddr(); addr != "" {
		return []string{"https://" + addr}
	}
	return []string{"https://" + strings.TrimPrefix(s.node.cfg.Peer.Listen, "https://")}
}

// dropTallies forgets counts of the alliance that is left: their publishers are names of that one.
func dropTallies(tx *sqlite.Tx) error {
	type key struct{ publisher, id string }
	var all []key
	err := tx.EachTally(func(publisher, id string, _ int64, _, _ time.Time) error {
		all = append(all, key{publisher, id})
		return nil
	})
	for i := 0; i < len(all) && err == nil; i++ {
		err = tx.DropTally(all[i].publisher, all[i].id)
	}
	return err
}
