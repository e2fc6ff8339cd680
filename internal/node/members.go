package node

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"time"

	"shieldwall/internal/canon"
	"shieldwall/internal/federation"
	"shieldwall/internal/peer"
	"shieldwall/internal/roster"
	"shieldwall/internal/store/sqlite"
)

// join admits a request for membership (DESIGN.md, "Invite token").
func (s *session) join(ctx context.Context, req peer.JoinRequest, exporter []byte) (peer.Joined, error) {
	s.joining.Lock()
	defer s.joining.Unlock()
	invite, err := s.checkInvite(ctx, req, exporter)
	if err != nil {
		return peer.Joined{}, err
	}
	var pinned []roster.Key
	if err := json.Unmarshal(req.Keys, &pinned); err != nil || len(pinned) == 0 {
		return peer.Joined{}, deny("the request names no identity key")
	}
	if err := s.checkJoiner(req, invite, pinned); err != nil {
		return peer.Joined{}, err
	}
	sum := sha256.Sum256(req.Card)
	draft, err := s.list(ctx, invite, req, sum[:], pinned)
	if err != nil {
		return peer.Joined{}, err
	}
	if draft != nil {
		return peer.Joined{Pending: waitsFor(draft)}, nil
	}
	if err := s.roll.AdmitCard(ctx, req.Card); err != nil && !errors.Is(err, federation.ErrKnown) {
		return peer.Joined{}, fmt.Errorf("admitting the joiner's card: %w", err)
	}
	s.node.log.Info("member joined", "member", invite.name, "groups", invite.groups)
	return s.joined(ctx)
}

type invite struct {
	name   string
	groups []string
	used   bool // its joiner has been listed
}

// deny is an answer to a stranger: its text is meant for it.
func deny(format string, args ...any) error {
	return &peer.Refusal{Status: http.StatusForbidden, Reason: fmt.Sprintf(format, args...)}
}

// checkInvite finds the invitation by the hash of its secret and checks the proof. What is wrong with a
// proof or an unknown secret is not told apart.
func (s *session) checkInvite(ctx context.Context, req peer.JoinRequest, exporter []byte) (invite, error) {
	const unknown = "this invitation is not known here"
	if len(req.SecretHash) != sha256.Size || !roster.ProofHolds(req.Proof, req.SecretHash, exporter, req.Card) {
		return invite{}, deny(unknown)
	}
	var inv invite
	var expires time.Time
	var bound []byte
	err := s.node.store.View(ctx, func(tx *sqlite.Tx) (err error) {
		inv.name, inv.groups, expires, bound, inv.used, err = tx.Invite(req.SecretHash)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return invite{}, deny(unknown)
	}
	if err != nil {
		return invite{}, fmt.Errorf("looking the invitation up: %w", err)
	}
	if !s.node.now().Before(expires) {
		return invite{}, deny("this invitation for %s expired on %s: ask for a new one", inv.name, expires.UTC().Format(time.RFC3339))
	}
	sum := sha256.Sum256(req.Card)
	if bound != nil && !slices.Equal(bound, sum[:]) {
		s.warn("leak/"+inv.name, fmt.Sprintf("the invitation for %s was tried with a second card: it may have leaked", inv.name))
		return invite{}, deny("this invitation for %s was used with another card already: it may have leaked; ask for a new one", inv.name)
	}
	return inv, nil
}

// checkJoiner checks the card by the identity keys that the joiner wants pinned.
func (s *session) checkJoiner(req peer.JoinRequest, inv invite, pinned []roster.Key) error {
	card, err := roster.ParseCard(req.Card)
	if err != nil {
		return deny("%v", err)
	}
	if card.Member != inv.name {
		return deny("the invitation is for %s, the card for %s", inv.name, card.Member)
	}
	if err := card.Verify(req.Card, s.roll.Now().Alliance, pinned); err != nil {
		return deny("%v", err)
	}
	if listed, ok := s.roll.Now().Roster.Member(inv.name); ok && listed.Suspended {
		return deny("%s is suspended", inv.name)
	} else if ok && !slices.EqualFunc(listed.Keys, pinned, roster.Key.Equal) {
		return deny("%s is a member already, with another identity", inv.name)
	}
	return nil
}

// list puts the joiner into the roster, unless a join that was cut off has done so already. The invitation is
// bound before that, so that no other card can use it, and used up with it: who was removed since needs another.
// A draft comes back where other officers must sign first; the joiner asks again.
func (s *session) list(ctx context.Context, inv invite, req peer.JoinRequest, card []byte, pinned []roster.Key) (*federation.Draft, error) {
	m := s.roll.Now()
	if _, listed := m.Roster.Member(inv.name); listed {
		return nil, s.node.store.UpdateDurable(ctx, func(tx *sqlite.Tx) error { return tx.BindInvite(req.SecretHash, card, true) })
	}
	if inv.used {
		return nil, deny("this invitation was used, and %s is no member any more: ask for a new one", inv.name)
	}
	if m.Roster.Expired(s.node.now()) {
		return nil, deny("the roster expired on %s: membership is frozen until officers sign the next one", m.Roster.Expires.Format(time.DateOnly))
	}
	if err := s.node.store.UpdateDurable(ctx, func(tx *sqlite.Tx) error { return tx.BindInvite(req.SecretHash, card, false) }); err != nil {
		return nil, err
	}
	for _, d := range s.roll.Drafts() {
		if asked, in := d.Roster.Member(inv.name); in && slices.EqualFunc(asked.Keys, pinned, roster.Key.Equal) {
			return &d, nil
		}
	}
	d, err := s.propose(ctx, func(r *roster.Roster) error {
		r.Members = append(r.Members, roster.Member{
			ID: inv.name, Identities: req.Identities, Keys: pinned, Groups: inv.groups, Listed: canon.At(s.node.now()), Types: []string{},
		})
		return nil
	})
	if err != nil || !d.Signed.Enough() {
		return &d, err
	}
	return nil, s.node.store.UpdateDurable(ctx, func(tx *sqlite.Tx) error { return tx.BindInvite(req.SecretHash, card, true) })
}

// waitsFor is what a joiner is told.
func waitsFor(d *federation.Draft) string {
	return fmt.Sprintf("officers must admit it: %d of %d have signed roster %d", len(d.Signed.Before), d.Signed.BeforeNeeded, d.Roster.Version)
}

// joined is the whole roster chain and all cards.
func (s *session) joined(ctx context.Context) (peer.Joined, error) {
	var out peer.Joined
	m := s.roll.Now()
	err := s.node.store.View(ctx, func(tx *sqlite.Tx) error {
		for v := uint64(1); v <= m.Roster.Version; v++ {
			note, err := tx.RosterNote(v)
			if err != nil {
				return err
			}
			out.Rosters = append(out.Rosters, note)
		}
		return tx.EachCard(func(member string, _ uint64, note []byte) error {
			if _, listed := m.Roster.Member(member); listed {
				out.Cards = append(out.Cards, slices.Clone(note))
			}
			return nil
		})
	})
	return out, err
}
