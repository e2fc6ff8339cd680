package node

import (
	"context"
	"errors"
	"io/fs"
	"net/http"

	"shieldwall/internal/control"
	"shieldwall/internal/federation"
	"shieldwall/internal/merkle"
	"shieldwall/internal/peer"
	"shieldwall/internal/roster"
	"shieldwall/internal/store/sqlite"
)

// peers is the node as its peers see it (peer.Backend).
type peers struct{ *session }

var _ peer.Backend = peers{}

// Identify names the member that holds a TLS key.
func (p peers) Identify(pin string) (string, error) {
	member, err := p.roll.Now().Identify(pin)
	if err != nil {
		return "", &peer.Refusal{Status: http.StatusForbidden, Reason: err.Error()}
	}
	p.exchange.Knock(member)
	return member, nil
}

// Resource is a file of any log that is kept here, this member's own or a mirror.
func (p peers) Resource(ctx context.Context, log, path string) (body []byte, contentType string, err error) {
	body, contentType, err = p.reader.Resource(ctx, log, path)
	if errors.Is(err, merkle.ErrPath) {
		err = &peer.Refusal{Status: http.StatusNotFound, Reason: err.Error()}
	}
	return body, contentType, err
}

// Next waits until a log has entries from an index on.
func (p peers) Next(ctx context.Context, log string, from uint64, maxBytes int) (peer.Batch, error) {
	if log != p.log.ID() {
		return peer.Batch{}, &peer.Refusal{Status: http.StatusNotFound, Reason: "only this member's own log streams from here; read the mirror by its tiles"}
	}
	head, err := p.log.Wait(ctx, from)
	if err != nil {
		return peer.Batch{}, err
	}
	entries, err := p.log.Read(ctx, from, maxBytes)
	if err != nil {
		return peer.Batch{}, err
	}
	// The log may have grown in between: what the head does not cover goes with the next one.
	entries = entries[:min(uint64(len(entries)), head.Size-from)]
	return peer.Batch{Checkpoint: head.Checkpoint, First: from, Entries: entries}, nil
}

// News is what this node holds of roster and cards.
func (p peers) News() (peer.News, <-chan struct{}) {
	changed := p.roll.Changed()
	m := p.roll.Now()
	return peer.News{Alliance: m.Alliance, Version: m.Roster.Version, Hash: m.Hash, Cards: m.Sequences(), Drafts: p.roll.draftHashes()}, changed
}

// Draft is a draft of the next roster by the hash of its note.
func (p peers) Draft(_ context.Context, hash string) ([]byte, error) {
	for _, d := range p.roll.Drafts() {
		if d.NoteHash() == hash {
			return d.Note, nil
		}
	}
	return nil, fs.ErrNotExist
}

// Roster is a roster note by version.
func (p peers) Roster(ctx context.Context, version uint64) (note []byte, err error) {
	err = p.node.store.View(ctx, func(tx *sqlite.Tx) error {
		note, err = tx.RosterNote(version)
		return err
	})
	return note, err
}

// Card is a listed member's newest card note.
func (p peers) Card(ctx context.Context, member string) (note []byte, err error) {
	if p.roll.Now().Card(member) == nil {
		return nil, fs.ErrNotExist
	}
	err = p.node.store.View(ctx, func(tx *sqlite.Tx) error {
		_, note, err = tx.CardNote(member)
		return err
	})
	return note, err
}

// AdmitCard takes a card that somebody presents; one that is known already is fine.
func (p peers) AdmitCard(ctx context.Context, note []byte) error {
	if card, err := roster.ParseCard(note); err != nil {
		return deny("%v", err)
	} else if err := p.roll.Now().Excluded(card.Member); err != nil {
		return deny("%v", err)
	}
	err := p.roll.AdmitCard(ctx, note)
	var no *judgement
	switch {
	case errors.Is(err, federation.ErrKnown):
		return nil
	case errors.As(err, &no):
		return deny("%v", err)
	}
	return err
}

// Join admits a request for membership.
func (p peers) Join(ctx context.Context, req peer.JoinRequest, exporter []byte) (peer.Joined, error) {
	joined, err := p.session.join(ctx, req, exporter)
	var refused *peer.Refusal
	if err == nil || errors.As(err, &refused) {
		return joined, err
	}
	p.node.log.Error("join failed", "error", err)
	reason := "the alliance cannot take a member just now"
	var why *control.Error
	if errors.As(err, &why) { // meant to be read; any other error's text stays inside
		reason += ": " + why.Error()
	}
	return joined, &peer.Refusal{Status: http.StatusServiceUnavailable, Reason: reason}
}

// Applied takes a member's receipt for this node's own log.
func (p peers) Applied(ctx context.Context, member string, note []byte) error {
	card := p.roll.Now().Card(member)
	if card == nil {
		return deny("no card of %s is held here", member)
	}
	log, size, err := roster.VerifyApplied(note, member, card.Witness)
	if err != nil {
		return deny("%v", err)
	}
	if log != p.log.ID() {
		return deny("the receipt is for the log %s, this is %s", log, p.log.ID())
	}
	if held := p.log.Head().Size; size > held {
		return deny("the receipt covers %d entries of %d", size, held)
	}
	return p.protect.applied(ctx, member, size)
}

// Blob is a blob's ciphertext by its hash.
func (p peers) Blob(ctx context.Context, hash []byte) (data []byte, err error) {
	err = p.node.store.View(ctx, func(tx *sqlite.Tx) error {
		data, err = tx.Blob(hash)
		return err
	})
	if err == nil && data == nil {
		err = fs.ErrNotExist
	}
	return data, err
}

// logID is the id of the log that this member writes.
func (s self) logID() string { return merkle.LogID(s.member, s.log) }
