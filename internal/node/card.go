package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"shieldwall/internal/exchange"
	"shieldwall/internal/federation"
	"shieldwall/internal/store/sqlite"
)

// This member's own card: signed anew where it does not say what is true, and shown to allies that lack it.

const (
	// renewAhead is how long before its end a card is replaced.
	renewAhead = 30 * 24 * time.Hour
	// renewLook is how often a running node looks whether it is time.
	renewLook = time.Hour
	// renewPause is the least time between two cards of a running node. Two nodes that run with the keys of
	// one member would answer each other's cards for ever.
	renewPause = 10 * time.Second
)

// doubtStep is by how much the sequence rises where the store may have forgotten cards that were signed: two
// cards of one sequence would freeze this member's keys (DESIGN.md, "Card").
const doubtStep = 1000

// renewCard signs the next card where the one in force does not say what is true: other addresses, another
// log, an end that is near.
func (s *session) renewCard(ctx context.Context) error {
	m := s.roll.Now()
	card := m.Card(s.me.member)
	_, listed := m.Roster.Member(s.me.member)
	switch {
	case !listed:
		s.warn("card", fmt.Sprintf("this node is no member of the alliance %q any more: roster version %d does not list %s", m.Roster.Name, m.Roster.Version, s.me.member))
		return nil
	case card == nil:
		s.warn("card", fmt.Sprintf("roster version %d pins another identity key for %s than this node's: allies do not deal with it", m.Roster.Version, s.me.member))
		return nil
	case slices.Equal(card.Endpoints, s.endpoints()) && card.Expires.Sub(s.node.now()) > renewAhead && card.LogID() == s.me.logID():
		return nil
	}
	if card.LogID() != s.me.logID() {
		s.warn("foreign card", fmt.Sprintf("an ally held the card %d of %s, which this node does not know: its data went back, or another node runs with its keys", card.Sequence, s.me.member))
	}
	if err := s.signCard(ctx, s.endpoints(), 1); err != nil {
		return fmt.Errorf("renewing the card: %w", err)
	}
	return nil
}

// signCard puts the next card in force, and writes with it what also says, if anything.
func (s *session) signCard(ctx context.Context, endpoints []string, step uint64, also ...func(*sqlite.Tx) error) error {
	m := s.roll.Now()
	prev := m.Card(s.me.member)
	if prev == nil {
		return errors.New("this member's own card is missing")
	}
	note, err := newCard(s.node.keys, m.Alliance, s.me, prev.Sequence+step, m.CardHash(s.me.member), endpoints, s.node.now())
	if err != nil {
		return err
	}
	return s.roll.AdmitCard(ctx, note, also...)
}

// tend follows the membership: it keeps the own card true, and waits for no receipts of members that left.
func (s *session) tend(ctx context.Context) error {
	look := time.NewTicker(renewLook)
	defer look.Stop()
	known := map[string]bool{}
	for {
		changed := s.roll.Changed()
		before := s.roll.Now().CardHash(s.me.member)
		if err := s.renewCard(ctx); err != nil && ctx.Err() == nil {
			s.warn("renewing", err.Error()) // the card in force serves on; the next look tries again
		}
		m := s.roll.Now()
		for _, member := range m.Roster.Members {
			known[member.ID] = true
		}
		for member := range known {
			if !m.Deals(member) {
				s.protect.forget(member)
				delete(known, member)
			}
		}
		if s.roll.Now().CardHash(s.me.member) != before {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(renewPause):
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-look.C:
		}
	}
}

// allies is the membership as exchange learns it from a peer, which in return is shown this member's own card
// where it lacks it: a peer that cannot reach this node at its old address learns the new one so.
type allies struct{ *session }

func (a allies) Now() *federation.Membership { return a.roll.Now() }

func (a allies) Changed() <-chan struct{} { return a.roll.Changed() }

func (a allies) Learn(ctx context.Context, from exchange.Peer, news exchange.News) error {
	if err := a.roll.Learn(ctx, from, news); err != nil {
		return err
	}
	card := a.roll.Now().Card(a.me.member)
	if news.Cards == nil || card == nil || news.Cards[a.me.member] >= card.Sequence {
		return nil
	}
	to, ok := from.(interface {
		PostCard(ctx context.Context, note []byte) error
	})
	if !ok {
		return nil
	}
	var note []byte
	err := a.node.store.View(ctx, func(tx *sqlite.Tx) (err error) {
		_, note, err = tx.CardNote(a.me.member)
		return err
	})
	if err != nil {
		return fmt.Errorf("reading the own card: %w", err)
	}
	err = to.PostCard(ctx, note)
	if reason, no := from.Refusal(err); no { // asking again would not change its mind
		a.node.log.Warn("own card refused by a peer", "reason", reason)
		return nil
	}
	if err != nil {
		return fmt.Errorf("showing the own card: %w", err)
	}
	return nil
}
