package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

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

// reader opens verified entries, in their order. It works before the transaction that keeps them: unwrapping
// keys and opening texts takes time that the store's one writer must not lose. What a peer published wrongly
// is counted and passed over; only a failure of this node is an error, and ends the reader's use.
type reader struct {
	x           *Exchange
	member, log string
	// last is the highest epoch opened so far.
	last uint64
	// epochs are those used lately.
	epochs map[uint64]*epoch
	// blob returns a blob that is held here, nil where it is not.
	blob func(ctx context.Context, hash []byte) ([]byte, error)
}

// epoch is an epoch that the log opened, and its key if this member is one of its readers.
type epoch struct {
	at      uint64
	raw     []byte
	opening entry.Epoch
	key     []byte
}

// maxEpochs bounds the epochs kept in memory; the others are in the store.
const maxEpochs = 256

func newReader(f *follower, last uint64) *reader {
	return &reader{x: f.x, member: f.member, log: f.log, last: last, epochs: map[uint64]*epoch{}, blob: f.x.blob}
}

// Reasons by which refused entries are counted. They are few and fixed: a peer must not choose them.
const (
	badEntry      = "not an entry of this format"
	badOpen       = "not the opening of this log"
	badEpoch      = "epoch opening that is void"
	badWrap       = "wrap out of place"
	badCommitment = "epoch key that its opening does not commit to"
	badSealed     = "sealed entry that does not open"
	badClear      = "clear entry that does not open, or is not for everyone"
	badAudience   = "sealed to us against its marking or audience"
	badWithdrawal = "withdrawal of what was not published before"
	badBlob       = "blob that is not what its entry says"
)

// refusal is an entry, or an object in it, that was passed over.
type refusal struct {
	index          uint64
	reason, detail string
}

// What one transaction takes, beyond a first entry: some 10 ms of the store's writer.
const (
	unitEntries = 128
	unitBytes   = 64 << 10
	unitSteps   = 128 // objects, withdrawals, openings, keys
)

// unit is what one transaction keeps: some entries, and what they say as steps to be taken in it.
type unit struct {
	entries int
	bytes   int
	steps   []func(Tx) error
	pending uint64 // the first entry whose blob must be fetched; none if there is none

	// Set by run and by the reader, for after the commit.
	changes []object.Change
	refused []refusal
}

func (u *unit) full() bool {
	return u.entries >= unitEntries || u.bytes >= unitBytes || len(u.steps) >= unitSteps
}

func (u *unit) do(step func(Tx) error) { u.steps = append(u.steps, step) }

func (u *unit) refuse(index uint64, reason, detail string) {
	u.refused = append(u.refused, refusal{index, reason, detail})
}

// run takes steps inside a transaction.
func (u *unit) run(tx Tx, steps []func(Tx) error) error {
	for _, step := range steps {
		if err := step(tx); err != nil {
			return err
		}
	}
	return nil
}

// readUnit reads entries, the first at index first, until they are enough for one transaction.
func (r *reader) readUnit(ctx context.Context, first uint64, entries [][]byte) (*unit, error) {
	u := &unit{pending: none}
	for _, raw := range entries {
		if u.full() {
			break
		}
		index := first + uint64(u.entries)
		if err := r.read(ctx, u, index, raw); err != nil {
			return nil, fmt.Errorf("entry %d: %w", index, err)
		}
		u.entries++
		u.bytes += len(raw)
	}
	return u, nil
}

// read takes what one entry says.
func (r *reader) read(ctx context.Context, u *unit, index uint64, raw []byte) error {
	e, err := entry.Parse(raw)
	if err != nil {
		u.refuse(index, badEntry, err.Error())
		return nil
	}
	if (index == 0) != (e.Kind == entry.KindOpen) {
		u.refuse(index, badOpen, "a log is opened by its entry 0, and by that alone")
		return nil
	}
	switch e.Kind {
	case entry.KindOpen:
		r.open(u, e)
		return nil
	case entry.KindEpoch:
		r.openEpoch(u, index, e, raw)
		return nil
	case entry.KindWrap:
		return r.wrap(ctx, u, index, e)
	case entry.KindSealed:
		return r.sealed(ctx, u, index, e)
	}
	payload, err := seal.OpenClear(e)
	if err != nil {
		u.refuse(index, badClear, err.Error())
		return nil
	}
	return r.payload(ctx, u, index, payload)
}

// open checks whose log this says it is.
func (r *reader) open(u *unit, e entry.Entry) {
	o, err := entry.ParseOpen(e.Body)
	switch {
	case err != nil:
		u.refuse(0, badOpen, err.Error())
	case o.Alliance != r.x.opt.Roll.Now().Alliance || o.Member != r.member:
		u.refuse(0, badOpen, fmt.Sprintf("it is for %.64q in the alliance %.64q", o.Member, o.Alliance))
	}
}

// openEpoch keeps an epoch's opening, so that wraps and sealed entries can be checked against it. Epochs only
// rise: an opening that does not is void (reference: DESIGN.md, "Entry"; a second opening would let a publisher
// give two keys for one epoch).
func (r *reader) openEpoch(u *unit, index uint64, e entry.Entry, raw []byte) {
	opening, err := entry.ParseEpoch(e.Body)
	switch {
	case err != nil:
		u.refuse(index, badEpoch, err.Error())
		return
	case e.Epoch <= r.last:
		u.refuse(index, badEpoch, fmt.Sprintf("epoch %d after epoch %d", e.Epoch, r.last))
		return
	case e.Epoch >= maxEpoch:
		u.refuse(index, badEpoch, fmt.Sprintf("epoch %d leaves no next one", e.Epoch))
		return
	case opening.Wraps > maxWraps:
		u.refuse(index, badEpoch, fmt.Sprintf("%d wraps", opening.Wraps))
		return
	}
	r.last = e.Epoch
	// A copy: raw is a small part of what came over the wire, and all of that would stay in memory.
	r.keep(e.Epoch, &epoch{at: index, raw: bytes.Clone(raw), opening: opening})
	u.do(func(tx Tx) error { return tx.PutEpochEntry(r.log, e.Epoch, index, raw) })
}

const (
	// maxEpoch bounds an epoch's number: it fits the signed integers of every store, and others follow.
	maxEpoch = 1 << 62
	// maxWraps bounds the wraps of an epoch: a roster's members (roster.MaxMembers) and the publisher's own
	// recovery key. Each is tried, which takes some 0.1 ms.
	maxWraps = 1001
)

func (r *reader) keep(number uint64, e *epoch) {
	if len(r.epochs) >= maxEpochs {
		clear(r.epochs)
	}
	r.epochs[number] = e
}

// epoch looks an epoch up; nil where the log has not opened it.
func (r *reader) epoch(ctx context.Context, number uint64) (*epoch, error) {
	if number > r.last {
		return nil, nil
	}
	if e, ok := r.epochs[number]; ok {
		return e, nil
	}
	var at uint64
	var raw, sealed []byte
	err := r.x.opt.View(ctx, func(tx Tx) (err error) {
		if at, raw, err = tx.EpochEntry(r.log, number); absent(err) || err == nil && raw == nil {
			return nil
		}
		if err == nil {
			sealed, err = tx.EpochKey(r.log, number)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var e *epoch
	if raw != nil {
		if e, err = r.kept(number, at, raw, sealed); err != nil {
			return nil, fmt.Errorf("epoch %d of %s as kept here: %w", number, r.log, err)
		}
	}
	r.keep(number, e)
	return e, nil
}

// kept rebuilds an epoch from the store.
func (r *reader) kept(number, at uint64, raw, sealed []byte) (*epoch, error) {
	opening, err := entry.Parse(raw)
	if err != nil {
		return nil, err
	}
	e := &epoch{at: at, raw: raw}
	if e.opening, err = entry.ParseEpoch(opening.Body); err != nil || sealed == nil {
		return e, err
	}
	e.key, err = r.x.opt.Opener.Reveal(sealed, epochPlace(r.log, number))
	return e, err
}

// absent says that something is not held.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// wrap tries whether a wrap is this member's and keeps the key it gives, after checking the commitment.
func (r *reader) wrap(ctx context.Context, u *unit, index uint64, e entry.Entry) error {
	in, err := r.epoch(ctx, e.Epoch)
	if err != nil {
		return err
	}
	if in == nil || index <= in.at || index > in.at+uint64(in.opening.Wraps) {
		u.refuse(index, badWrap, fmt.Sprintf("it does not follow the opening of epoch %d", e.Epoch))
		return nil
	}
	if in.key != nil {
		return nil
	}
	key, ok := r.x.opt.Opener.Unwrap(in.raw, e.Body)
	if !ok {
		return nil
	}
	if !seal.Committed(key, r.log, e.Epoch, in.opening.Commitment) {
		u.refuse(index, badCommitment, fmt.Sprintf("epoch %d", e.Epoch))
		return nil
	}
	sealed, err := r.x.opt.Opener.Protect(key, epochPlace(r.log, e.Epoch))
	if err != nil {
		return err
	}
	in.key = key
	u.do(func(tx Tx) error { return tx.PutEpochKey(r.log, e.Epoch, "", sealed) })
	return nil
}

// epochPlace names an epoch key where it is kept.
func epochPlace(log string, epoch uint64) string { return fmt.Sprintf("epoch/%s/%d", log, epoch) }

// sealed opens an entry if its epoch's key was wrapped for this member, and passes over it otherwise.
func (r *reader) sealed(ctx context.Context, u *unit, index uint64, e entry.Entry) error {
	in, err := r.epoch(ctx, e.Epoch)
	if err != nil || in == nil || in.key == nil {
		return err
	}
	payload, err := seal.OpenEntry(in.key, e, r.log, index)
	if err != nil {
		u.refuse(index, badSealed, err.Error())
		return nil
	}
	return r.payload(ctx, u, index, payload)
}

// payload takes what an entry says.
func (r *reader) payload(ctx context.Context, u *unit, index uint64, p entry.Payload) error {
	if !r.x.opt.Gate.MayRead(p.TLP, p.Audience) {
		u.refuse(index, badAudience, fmt.Sprintf("marking %d, to %s", p.TLP, p.Audience))
		return nil
	}
	from := Provenance{Publisher: r.member, Place: object.Place{Log: r.log, Index: index}, TLP: p.TLP, Audience: p.Audience}
	switch p.Type {
	case entry.Objects:
		r.admit(u, from, p.Objects)
	case entry.Withdraw:
		r.withdraw(u, from, p.Withdrawals)
	case entry.Blob:
		return r.blobEntry(ctx, u, from, p)
	default:
		u.refuse(index, badEntry, fmt.Sprintf("payload type %d", p.Type))
	}
	return nil
}

func (r *reader) admit(u *unit, from Provenance, objects [][]byte) {
	for _, raw := range objects {
		u.do(func(tx Tx) error { return u.admitted(from)(r.x.opt.Gate.Admit(tx, from, raw)) })
	}
}

func (r *reader) withdraw(u *unit, from Provenance, list []entry.Withdrawal) {
	for _, w := range list {
		if w.Index >= from.Place.Index {
			u.refuse(from.Place.Index, badWithdrawal, fmt.Sprintf("entry %d", w.Index))
			continue
		}
		of := object.Place{Log: r.log, Index: w.Index}
		u.do(func(tx Tx) error { return u.admitted(from)(r.x.opt.Gate.Withdraw(tx, from, of, w.ID)) })
	}
}

// admitted takes the gate's answer. A refusal begins with its reason, of which the gate has few.
func (u *unit) admitted(from Provenance) func([]object.Change, string, error) error {
	return func(changes []object.Change, refused string, err error) error {
		if refused != "" {
			reason, _, _ := strings.Cut(refused, ": ")
			u.refuse(from.Place.Index, "object refused: "+reason, refused)
		}
		u.changes = append(u.changes, changes...)
		return err
	}
}

// blobEntry admits what a blob holds, or asks for it to be fetched.
func (r *reader) blobEntry(ctx context.Context, u *unit, from Provenance, p entry.Payload) error {
	index := from.Place.Index
	if p.Blob.Size > seal.MaxBlob {
		u.refuse(index, badBlob, fmt.Sprintf("%d bytes", p.Blob.Size))
		return nil
	}
	data, err := r.blob(ctx, p.Blob.Hash[:])
	if err != nil {
		return err
	}
	if data == nil {
		u.pending = min(u.pending, index)
		u.do(func(tx Tx) error { return tx.PutPending(r.log, index, p.Blob.Hash[:]) })
		return nil
	}
	inner, err := seal.OpenBlob(p.Blob, data)
	switch {
	case err != nil:
		u.refuse(index, badBlob, err.Error())
	case inner.TLP != p.TLP || inner.Audience != p.Audience:
		u.refuse(index, badBlob, "another marking or audience")
	default:
		r.admit(u, from, inner.Objects)
	}
	return nil
}
