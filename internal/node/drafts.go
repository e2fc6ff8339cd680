package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"shieldwall/internal/exchange"
	"shieldwall/internal/federation"
	"shieldwall/internal/store/sqlite"
)

// metaDrafts keeps the drafts of the next roster.
const metaDrafts = "drafts"

// Drafts are the rosters that officers are signing.
func (r *roll) Drafts() federation.Drafts { return *r.drafts.Load() }

func (r *roll) draftHashes() []string {
	var out []string
	for _, d := range r.Drafts() {
		out = append(out, d.NoteHash())
	}
	return out
}

func putDrafts(tx *sqlite.Tx, drafts federation.Drafts) error {
	notes := [][]byte{}
	for _, d := range drafts {
		notes = append(notes, d.Note)
	}
	raw, err := json.Marshal(notes)
	if err != nil {
		return err
	}
	return tx.PutMeta(metaDrafts, raw)
}

// loadDrafts takes up the drafts that were held. One that does not follow the roster any more is forgotten.
func (r *roll) loadDrafts(ctx context.Context) error {
	var notes [][]byte
	err := r.store.View(ctx, func(tx *sqlite.Tx) error {
		raw, err := tx.Meta(metaDrafts)
		if err != nil || raw == nil {
			return err
		}
		return json.Unmarshal(raw, &notes)
	})
	if err != nil {
		return fmt.Errorf("loading the roster drafts: %w", err)
	}
	var drafts federation.Drafts
	for _, note := range notes {
		if next, _, err := drafts.With(r.Now(), note); err == nil {
			drafts = next
		}
	}
	r.drafts.Store(&drafts)
	return nil
}

// AdmitDraft takes a draft, or signatures of one, and puts the roster in force once enough officers signed. It
// writes with it what also says, if anything.
func (r *roll) AdmitDraft(ctx context.Context, note []byte, also ...func(*sqlite.Tx) error) (federation.Draft, error) {
	d, err := r.takeDraft(ctx, note, also)
	if err != nil || !d.Signed.Enough() {
		return d, err
	}
	err = r.AdmitRoster(ctx, d.Note, also...)
	if errors.Is(err, federation.ErrKnown) { // another way was faster
		err = nil
	}
	return d, err
}

// takeDraft keeps a draft that is not complete.
func (r *roll) takeDraft(ctx context.Context, note []byte, also []func(*sqlite.Tx) error) (federation.Draft, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left {
		return federation.Draft{}, errLeft
	}
	drafts, d, err := r.Drafts().With(r.Now(), note)
	if errors.Is(err, federation.ErrKnown) {
		return d, nil
	}
	if err != nil {
		return d, &judgement{err}
	}
	if d.Signed.Enough() {
		return d, nil
	}
	err = r.store.UpdateDurable(ctx, func(tx *sqlite.Tx) error {
		errs := []error{putDrafts(tx, drafts)}
		for _, write := range also {
			errs = append(errs, write(tx))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return d, err
	}
	r.drafts.Store(&drafts)
	r.tell()
	r.log.Info("roster draft", "id", d.ID(), "version", d.Roster.Version, "signed", d.Signed.Before)
	return d, nil
}

// newDrafts are those that news tell of and this node does not hold so.
func (r *roll) newDrafts(news exchange.News) []string {
	if news.Version != r.Now().Roster.Version {
		return nil
	}
	held := r.draftHashes()
	return slices.DeleteFunc(slices.Clone(news.Drafts), func(h string) bool { return slices.Contains(held, h) })
}

// maxDraftsAsked bounds the drafts that are fetched from one peer at one time.
const maxDraftsAsked = 32

// learnDrafts fetches drafts. A peer that has signatures which this node lacks may lack some itself, and keeps
// telling of its own; what brings nothing new is passed over.
func (r *roll) learnDrafts(ctx context.Context, from exchange.Peer, news exchange.News) error {
	for i, hash := range r.newDrafts(news) {
		if i >= maxDraftsAsked {
			return nil
		}
		note, err := from.Draft(ctx, hash)
		if reason, no := from.Refusal(err); no { // it has got more signatures meanwhile: other news follow
			r.log.Debug("roster draft not there", "reason", reason)
			continue
		}
		if err != nil {
			return fmt.Errorf("fetching a roster draft: %w", err)
		}
		var no *judgement
		if _, err := r.AdmitDraft(ctx, note); err != nil && !errors.As(err, &no) && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keeping a roster draft: %w", err)
		}
	}
	return nil
}
