package exchange

import (
	"fmt"

	"shieldwall/internal/entry"
	"shieldwall/internal/object"
	"shieldwall/internal/seal"
)

// Opener holds what is needed to read what was sealed to this member.
type Opener interface {
	// Unwrap opens a wrap with this member's HPKE key; ok is false where the wrap is another's.
	Unwrap(epochEntry, wrap []byte) (key []byte, ok bool)
	// Protect and Reveal keep epoch keys sealed in the store; place says which one.
	Protect(key []byte, place string) ([]byte, error)
	Reveal(sealed []byte, place string) ([]byte, error)
}

// reader takes what verified entries say, inside one transaction. What a peer published wrongly is counted
// and passed over; only a failure of this node is an error.
type reader struct {
	x           *Exchange
	tx          Tx
	member, log string
	changes     []object.Change
	pending     bool // a blob must be fetched
}

func (r *reader) read(index uint64, raw []byte) error {
	e, err := entry.Parse(raw)
	if err != nil {
		r.reject(index, err.Error())
		return nil
	}
	switch e.Kind {
	case entry.KindOpen:
		if index != 0 {
			r.reject(index, "a log is opened by its entry 0 only")
		}
		return nil
	case entry.KindEpoch:
		return r.epoch(index, e, raw)
	case entry.KindWrap:
		return r.wrap(index, e)
	case entry.KindSealed:
		return r.sealed(index, e)
	case entry.KindClear:
		payload, err := seal.OpenClear(e)
		if err != nil {
			r.reject(index, err.Error())
			return nil
		}
		if payload.TLP != 1 || payload.Audience != "everyone" {
			r.reject(index, "an unsealed entry is CLEAR to everyone or nothing")
			return nil
		}
		return r.payload(index, payload)
	}
	r.reject(index, fmt.Sprintf("entry kind %d is unknown", e.Kind))
	return nil
}

func (r *reader) reject(index uint64, reason string) { r.x.reject(r.member, index, reason) }

// epoch keeps an epoch's opening, so that wraps and sealed entries can be checked against it. A second
// opening of one epoch is void.
func (r *reader) epoch(index uint64, e entry.Entry, raw []byte) error {
	if _, err := entry.ParseEpoch(e.Body); err != nil {
		r.reject(index, err.Error())
		return nil
	}
	switch at, held, err := r.tx.EpochEntry(r.log, e.Epoch); {
	case err != nil:
		return err
	case held != nil && at != index:
		r.reject(index, fmt.Sprintf("epoch %d was opened before", e.Epoch))
		return nil
	}
	return r.tx.PutEpochEntry(r.log, e.Epoch, index, raw)
}

// wrap tries whether a wrap is this member's and keeps the key it gives, after checking the commitment.
func (r *reader) wrap(index uint64, e entry.Entry) error {
	at, raw, err := r.tx.EpochEntry(r.log, e.Epoch)
	if err != nil {
		return err
	}
	if raw == nil {
		r.reject(index, fmt.Sprintf("a wrap for epoch %d, which was not opened", e.Epoch))
		return nil
	}
	opening, err := entry.Parse(raw)
	if err != nil {
		return fmt.Errorf("epoch %d of %s as kept here: %w", e.Epoch, r.log, err)
	}
	epoch, err := entry.ParseEpoch(opening.Body)
	if err != nil {
		return fmt.Errorf("epoch %d of %s as kept here: %w", e.Epoch, r.log, err)
	}
	if index <= at || index > at+uint64(epoch.Wraps) {
		r.reject(index, fmt.Sprintf("a wrap that does not follow its epoch %d", e.Epoch))
		return nil
	}
	if known, err := r.tx.EpochKey(r.log, e.Epoch); err != nil || known != nil {
		return err
	}
	key, ok := r.x.opt.Opener.Unwrap(raw, e.Body)
	if !ok {
		return nil
	}
	if !seal.Committed(key, r.log, e.Epoch, epoch.Commitment) {
		r.reject(index, fmt.Sprintf("the key of epoch %d is not the one its opening commits to", e.Epoch))
		return nil
	}
	sealed, err := r.x.opt.Opener.Protect(key, epochPlace(r.log, e.Epoch))
	if err != nil {
		return err
	}
	return r.tx.PutEpochKey(r.log, e.Epoch, "", sealed)
}

// epochPlace names an epoch key where it is kept.
func epochPlace(log string, epoch uint64) string { return fmt.Sprintf("epoch/%s/%d", log, epoch) }

// sealed opens an entry if its epoch's key was wrapped for this member, and passes over it otherwise.
func (r *reader) sealed(index uint64, e entry.Entry) error {
	kept, err := r.tx.EpochKey(r.log, e.Epoch)
	if err != nil || kept == nil {
		return err
	}
	key, err := r.x.opt.Opener.Reveal(kept, epochPlace(r.log, e.Epoch))
	if err != nil {
		return fmt.Errorf("the key of epoch %d of %s as kept here: %w", e.Epoch, r.log, err)
	}
	payload, err := seal.OpenEntry(key, e, r.log, index)
	if err != nil {
		r.reject(index, err.Error())
		return nil
	}
	return r.payload(index, payload)
}

// payload acts on what an entry says.
func (r *reader) payload(index uint64, p entry.Payload) error {
	if !r.x.opt.Gate.MayRead(uint8(p.TLP), p.Audience) {
		r.reject(index, "sealed to us, but its marking and audience do not allow us to read it")
		return nil
	}
	from := Provenance{Publisher: r.member, Place: object.Place{Log: r.log, Index: index}, TLP: uint8(p.TLP), Audience: p.Audience}
	switch p.Type {
	case entry.Objects:
		return r.admit(from, p.Objects)
	case entry.Withdraw:
		return r.withdraw(from, p.Withdrawals)
	case entry.Blob:
		return r.blob(from, p)
	}
	r.reject(index, fmt.Sprintf("payload type %d is unknown", p.Type))
	return nil
}

func (r *reader) admit(from Provenance, objects [][]byte) error {
	for _, raw := range objects {
		changes, refused, err := r.x.opt.Gate.Admit(r.tx, from, raw)
		if err != nil {
			return err
		}
		if refused != "" {
			r.reject(from.Place.Index, refused)
		}
		r.changes = append(r.changes, changes...)
	}
	return nil
}

func (r *reader) withdraw(from Provenance, list []entry.Withdrawal) error {
	for _, w := range list {
		changes, refused, err := r.x.opt.Gate.Withdraw(r.tx, from, object.Place{Log: r.log, Index: w.Index}, w.ID)
		if err != nil {
			return err
		}
		if refused != "" {
			r.reject(from.Place.Index, refused)
		}
		r.changes = append(r.changes, changes...)
	}
	return nil
}

// blob admits what a blob holds, or asks for it to be fetched.
func (r *reader) blob(from Provenance, p entry.Payload) error {
	data, err := r.tx.Blob(p.Blob.Hash[:])
	if err != nil {
		return err
	}
	if data == nil {
		r.pending = true
		return r.tx.PutPending(r.log, from.Place.Index, p.Blob.Hash[:])
	}
	inner, err := seal.OpenBlob(p.Blob, data)
	if err != nil {
		r.reject(from.Place.Index, err.Error())
		return nil
	}
	if inner.Type != entry.Objects || inner.TLP != p.TLP || inner.Audience != p.Audience {
		r.reject(from.Place.Index, "a blob that is not what its entry says")
		return nil
	}
	return r.admit(from, inner.Objects)
}
