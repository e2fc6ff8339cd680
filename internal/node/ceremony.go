package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"shieldwall/internal/canon"
	"shieldwall/internal/control"
	"shieldwall/internal/federation"
	"shieldwall/internal/keys"
	"shieldwall/internal/roster"
	"shieldwall/internal/status"
	"shieldwall/internal/store/sqlite"
)

// metaPrepared keeps a draft from before this node's officer signs it until it is a draft like others: a crash
// in between must not leave an officer that signed what nobody holds, and can sign nothing else.
const metaPrepared = "prepared draft"

// officer is the officer whose key this node holds, of the roster in force or, where none is, of next.
func (s *session) officer(next *roster.Roster) (name string, key ed25519.PrivateKey, err error) {
	m := s.roll.Now()
	key, err = keys.Officer(s.node.cfg.OfficerKey)
	if err == nil {
		name = m.Roster.OfficerOf(keys.Public(key))
		if name == "" && next != nil {
			name = next.OfficerOf(keys.Public(key))
		}
	}
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", nil, fmt.Errorf("loading the officer key: %w", err)
	case name == "":
		return "", nil, refusedf("this node holds no officer key of the alliance %q: ask an officer", m.Roster.Name)
	}
	return name, key, nil
}

// propose signs the next roster, as edit makes it. It is in force at once where one officer is enough; else it is
// a draft, which the other officers' nodes learn of.
func (s *session) propose(ctx context.Context, edit func(*roster.Roster) error) (federation.Draft, error) {
	s.proposing.Lock()
	defer s.proposing.Unlock()
	if err := s.settlePrepared(ctx); err != nil {
		return federation.Draft{}, err
	}
	name, key, err := s.officer(nil)
	if err != nil {
		return federation.Draft{}, err
	}
	m := s.roll.Now()
	next := m.Roster.Clone()
	next.Version++
	next.Previous, next.Rejects = m.Hash, nil
	now := s.node.now()
	// A clock that stepped back must not keep officers from signing.
	next.Issued = canon.At(now)
	if now.Before(m.Roster.Issued.Time) {
		next.Issued = m.Roster.Issued
	}
	next.Expires = canon.At(next.Issued.Add(rosterLife))
	if err := edit(next); err != nil {
		return federation.Draft{}, err
	}
	note, err := next.Sign(name, key)
	if err != nil {
		return federation.Draft{}, refusedf("%v", err)
	}
	if len(note) > roster.MaxRoster {
		return federation.Draft{}, refusedf("a roster of %d bytes is over the limit of %d", len(note), roster.MaxRoster)
	}
	if err := s.node.store.UpdateDurable(ctx, func(tx *sqlite.Tx) error { return tx.PutMeta(metaPrepared, note) }); err != nil {
		return federation.Draft{}, err
	}
	return s.release(ctx, note)
}

// release records that the officer key signed a prepared roster, and only then lets it out.
func (s *session) release(ctx context.Context, note []byte) (federation.Draft, error) {
	drop := func(tx *sqlite.Tx) error { return tx.PutMeta(metaPrepared, []byte{}) }
	next, err := roster.ParseRoster(note)
	if err == nil {
		err = s.signOnce(next)
	}
	if err != nil {
		return federation.Draft{}, errors.Join(refusedf("%v", err), s.node.store.UpdateDurable(ctx, drop))
	}
	d, err := s.roll.AdmitDraft(ctx, note, drop)
	var no *judgement
	if errors.As(err, &no) {
		err = errors.Join(refusedf("%v", err), s.node.store.UpdateDurable(ctx, drop))
	}
	return d, err
}

// settlePrepared finishes what a crash cut off.
func (s *session) settlePrepared(ctx context.Context) error {
	var note []byte
	err := s.node.store.View(ctx, func(tx *sqlite.Tx) (err error) {
		note, err = tx.Meta(metaPrepared)
		return err
	})
	if err != nil || len(note) == 0 {
		return err
	}
	if _, err = s.release(ctx, note); err != nil && control.KindOf(err) != control.Refused {
		return fmt.Errorf("finishing the roster that was signed last: %w", err)
	}
	return nil
}

func (s *session) signOnce(next *roster.Roster) error {
	hash, err := next.Hash()
	if err != nil {
		return err
	}
	return keys.SignOnce(s.node.cfg.OfficerKey, keys.Signing{
		Alliance: s.roll.Now().Alliance, Version: next.Version, Previous: next.Previous, Hash: hash,
	})
}

// AllianceSign adds this node's officer's signature to a draft.
func (n *Node) AllianceSign(ctx context.Context, id string) (status.Alliance, error) {
	s := n.current.Load()
	s.proposing.Lock()
	defer s.proposing.Unlock()
	d, found := s.roll.Drafts().Of(id)
	if !found {
		return status.Alliance{}, control.Errorf(control.NotFound, "no draft %q of the next roster is here; alliance show lists them", id)
	}
	name, key, err := s.officer(d.Roster)
	if err != nil {
		return status.Alliance{}, err
	}
	if slices.Contains(d.Signed.Before, name) || slices.Contains(d.Signed.Own, name) {
		return status.Alliance{}, refusedf("officer %s has signed the draft %s already", name, d.ID())
	}
	if err := s.signOnce(d.Roster); err != nil {
		return status.Alliance{}, refusedf("%v", err)
	}
	note, err := roster.Cosign(d.Note, name, key)
	if err != nil {
		return status.Alliance{}, refusedf("%v", err)
	}
	if _, err := s.roll.AdmitDraft(ctx, note); err != nil {
		return status.Alliance{}, err
	}
	return s.alliance(), nil
}

// AllianceDraft is the file of a draft, for an officer who signs elsewhere.
func (n *Node) AllianceDraft(ctx context.Context, id string) ([]byte, error) {
	s := n.current.Load()
	m := s.roll.Now()
	d, found := s.roll.Drafts().Of(id)
	if !found {
		return nil, control.Errorf(control.NotFound, "no draft %q of the next roster is here; alliance show lists them", id)
	}
	file := roster.DraftFile{Alliance: m.Alliance, NextNote: d.Note}
	err := n.store.View(ctx, func(tx *sqlite.Tx) (err error) {
		file.PrevNote, err = tx.RosterNote(m.Roster.Version)
		return err
	})
	return file.Encode(), err
}

// AllianceAdmit takes a draft's file that came back signed.
func (n *Node) AllianceAdmit(ctx context.Context, data []byte) (status.Alliance, error) {
	s := n.current.Load()
	file, err := roster.DecodeDraft(data)
	if err != nil {
		return status.Alliance{}, control.Errorf(control.Usage, "%w", err)
	}
	m := s.roll.Now()
	switch {
	case file.Alliance != m.Alliance:
		return status.Alliance{}, refusedf("the draft is of another alliance than %q", m.Roster.Name)
	case file.Next.Version <= m.Roster.Version:
		return status.Alliance{}, refusedf("the draft is for roster %d; roster %d is in force", file.Next.Version, m.Roster.Version)
	}
	if _, err := s.roll.AdmitDraft(ctx, file.NextNote); err != nil {
		return status.Alliance{}, refusedf("%v", err)
	}
	return s.alliance(), nil
}

// AllianceChange signs a roster with changes: in force at once where one officer is enough, else a draft.
func (n *Node) AllianceChange(ctx context.Context, c control.RosterChange) (status.Alliance, error) {
	s := n.current.Load()
	if slices.Contains(c.Remove, s.me.member) {
		return status.Alliance{}, refusedf("%s is this node itself; another officer must remove it", s.me.member)
	}
	_, err := s.propose(ctx, func(r *roster.Roster) error {
		if f := s.roll.Now().Fork(); c.RejectFork && f == nil {
			return refusedf("no other branch of the roster is known here")
		} else if c.RejectFork {
			r.Rejects = append(r.Rejects, f.Theirs)
		}
		return applyChange(r, c)
	})
	if err != nil {
		return status.Alliance{}, err
	}
	return s.alliance(), nil
}

// applyChange makes the changes; what they do not fit is said with its name.
func applyChange(r *roster.Roster, c control.RosterChange) error {
	if c.Empty() {
		return control.Errorf(control.Usage, "nothing is to be changed")
	}
	if err := changeOfficers(r, c); err != nil {
		return err
	}
	for _, g := range c.AddGroups {
		if r.HasGroup(g) {
			return refusedf("the group %s is there already", g)
		}
		r.Groups = append(r.Groups, g)
	}
	slices.Sort(r.Groups)
	for _, g := range c.RemoveGroups {
		if !r.HasGroup(g) {
			return control.Errorf(control.NotFound, "the alliance has no group %q", g)
		}
		r.Groups = slices.DeleteFunc(r.Groups, func(o string) bool { return o == g })
		for i := range r.Members {
			r.Members[i].Groups = slices.DeleteFunc(r.Members[i].Groups, func(o string) bool { return o == g })
		}
	}
	for _, id := range c.Remove {
		if _, listed := r.Member(id); !listed {
			return noMember(id)
		}
		r.Members = slices.DeleteFunc(r.Members, func(m roster.Member) bool { return m.ID == id })
	}
	for id, m := range c.Members {
		if err := changeMember(r, id, m); err != nil {
			return err
		}
	}
	return nil
}

func noMember(id string) error {
	return control.Errorf(control.NotFound, "%q is no member of the alliance", id)
}

func changeOfficers(r *roster.Roster, c control.RosterChange) error {
	for _, name := range c.RemoveOfficers {
		if _, known := r.Officer(name); !known {
			return control.Errorf(control.NotFound, "the alliance has no officer %q", name)
		}
		r.Officers = slices.DeleteFunc(r.Officers, func(o roster.Officer) bool { return o.Name == name })
	}
	for name, text := range c.Officers {
		key, err := roster.ParseSigningKey(text)
		if err != nil {
			return control.Errorf(control.Usage, "officer %s: %w", name, err)
		}
		if o, known := r.Officer(name); known {
			o.Key = key // another key of the same officer
			continue
		}
		r.Officers = append(r.Officers, roster.Officer{Name: name, Key: key})
	}
	slices.SortFunc(r.Officers, func(a, b roster.Officer) int { return strings.Compare(a.Name, b.Name) })
	if c.Threshold > 0 {
		r.Threshold = c.Threshold
	}
	return nil
}

func changeMember(r *roster.Roster, id string, c control.MemberChange) error {
	m, listed := r.Member(id)
	if !listed {
		return noMember(id)
	}
	if c.Suspended != nil {
		m.Suspended = *c.Suspended
	}
	if c.Groups != nil {
		m.Groups = slices.Clone(*c.Groups)
	}
	if c.Quota != nil {
		m.Quota = *c.Quota
	}
	if c.Types != nil {
		m.Types = slices.Clone(*c.Types)
	}
	if c.Identities != nil {
		m.Identities = slices.Clone(*c.Identities)
	}
	if c.Key != "" {
		key, err := roster.ParseSigningKey(c.Key)
		if err != nil {
			return control.Errorf(control.Usage, "member %s: %w", id, err)
		}
		m.Keys = []roster.Key{key}
	}
	return nil
}

// drafts are shown with what they change.
func (s *session) draftsShown() []status.Draft {
	m := s.roll.Now()
	var out []status.Draft
	for _, d := range s.roll.Drafts() {
		out = append(out, status.Draft{
			ID: d.ID(), Version: d.Roster.Version, Changes: roster.Changes(m.Roster, d.Roster),
			Signed: d.Signed.Before, Needed: d.Signed.BeforeNeeded, SignedNew: d.Signed.Own, NeededNew: d.Signed.OwnNeeded,
		})
	}
	return out
}
