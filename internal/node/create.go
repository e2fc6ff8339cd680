package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"shieldwall/internal/canon"
	"shieldwall/internal/federation"
	"shieldwall/internal/keys"
	"shieldwall/internal/roster"
	"shieldwall/internal/stix"
	"shieldwall/internal/store/sqlite"
)

// Names of what the store keeps about this node itself.
const (
	metaMember   = "member"   // this member's name
	metaIdentity = "identity" // its STIX identity id
	metaLog      = "log"      // public key of the log it writes
	metaOpening  = "opening"  // of a new incarnation's log: its first entry, and which log it is for
	metaJoin     = "join"     // a join that was begun: see pendingJoin
)

// How long what we sign is good for by default.
const (
	rosterLife = 365 * 24 * time.Hour
	cardLife   = 365 * 24 * time.Hour
)

// self is what the store knows about this node.
type self struct {
	member   string
	identity string
	log      ed25519.PublicKey
}

func loadSelf(ctx context.Context, store *sqlite.Store) (s self, found bool, err error) {
	err = store.View(ctx, func(tx *sqlite.Tx) error {
		for _, f := range []struct {
			key string
			to  *string
		}{{metaMember, &s.member}, {metaIdentity, &s.identity}} {
			v, err := tx.Meta(f.key)
			if err != nil {
				return err
			}
			*f.to = string(v)
		}
		v, err := tx.Meta(metaLog)
		s.log = v
		return err
	})
	if err != nil {
		return self{}, false, fmt.Errorf("reading who this node is: %w", err)
	}
	return s, s.member != "", nil
}

func (s self) save(tx *sqlite.Tx) error {
	return errors.Join(
		tx.PutMeta(metaMember, []byte(s.member)), tx.PutMeta(metaIdentity, []byte(s.identity)),
		tx.PutMeta(metaLog, s.log))
}

// openKeys loads the keys, or makes them on a first start.
func openKeys(opt Options) (k *keys.Keys, created bool, err error) {
	data := opt.Config.Data
	if keys.Exists(data) {
		k, err = keys.Load(data)
		return k, false, err
	}
	if _, err := os.Lstat(filepath.Join(data, storeFile)); err == nil {
		return nil, false, fmt.Errorf("%s holds a store but no keys; put the keys folder back from its copy, or take another data folder", data)
	}
	if opt.Passphrase == nil {
		return nil, false, ErrEmpty
	}
	pass, err := opt.Passphrase()
	if err != nil {
		return nil, false, err
	}
	k, err = keys.Create(data, opt.Config.OfficerKey, keys.Options{Passphrase: pass, Iterations: opt.Iterations, Rand: random, Now: opt.Now()})
	if err != nil {
		return nil, false, fmt.Errorf("making the keys: %w", err)
	}
	return k, true, nil
}

// found makes the alliance of one in which every member begins.
func found(ctx context.Context, opt Options, k *keys.Keys, store *sqlite.Store) error {
	officer, err := keys.Officer(opt.Config.OfficerKey)
	if err != nil {
		return fmt.Errorf("founding an alliance: %w", err)
	}
	logKey, err := k.NewLog(random)
	if err != nil {
		return err
	}
	identity, err := stix.NewID("identity", random)
	if err != nil {
		return err
	}
	now, name := opt.Now(), opt.Config.Member
	first := &roster.Roster{
		Name: name, Version: 1, Issued: canon.At(now), Expires: canon.At(now.Add(rosterLife)), Threshold: 1,
		Officers: []roster.Officer{{Name: name, Key: keys.Public(officer)}},
		Groups:   []string{},
		Members: []roster.Member{{
			ID: name, Identities: []string{identity}, Keys: []roster.Key{k.Identity}, Groups: []string{}, Listed: canon.At(now), Types: []string{},
		}},
	}
	note, err := first.Sign(name, officer)
	if err != nil {
		return fmt.Errorf("founding an alliance: %w", err)
	}
	m, err := federation.Found(note, nil, keys.Pin)
	if err != nil {
		return fmt.Errorf("founding an alliance: %w", err)
	}
	me := self{member: name, identity: identity, log: logKey.Public().(ed25519.PublicKey)}
	card, err := newCard(k, m.Alliance, me, 1, "", nil, now)
	if err != nil {
		return fmt.Errorf("founding an alliance: %w", err)
	}
	return store.UpdateDurable(ctx, func(tx *sqlite.Tx) error {
		return errors.Join(me.save(tx), tx.PutRosterNote(1, m.Hash, note), tx.PutCardNote(name, 1, card))
	})
}

// newCard makes a card of this member; previous is the hash of the card before, empty for the first.
func newCard(k *keys.Keys, alliance string, me self, sequence uint64, previous string, endpoints []string, now time.Time) ([]byte, error) {
	c := &roster.Card{
		Alliance: alliance, Member: me.member, Sequence: sequence, Previous: previous,
		Issued: canon.At(now), Expires: canon.At(now.Add(cardLife)), Delegation: k.Delegation,
		TLS: keys.Public(k.TLS), HPKE: roster.Key{Type: roster.HPKE, Key: k.HPKE.PublicKey().Bytes()},
		Log: roster.Key{Type: roster.Ed25519, Key: me.log}, Witness: keys.Public(k.Witness), Endpoints: endpoints,
	}
	if c.Endpoints == nil {
		c.Endpoints = []string{}
	}
	return c.Sign(k.Delegate)
}
