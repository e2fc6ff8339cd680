package node

import (
	"context"
	"errors"
	"fmt"

	"shieldwall/internal/control"
	"shieldwall/internal/entry"
	"shieldwall/internal/publish"
	"shieldwall/internal/seal"
	"shieldwall/internal/status"
	"shieldwall/internal/stix"
	"shieldwall/internal/store/sqlite"
)

// Publish shares files.
func (n *Node) Publish(ctx context.Context, req control.PublishRequest) (control.PublishResult, error) {
	s := n.current.Load()
	tlp := stix.None
	if req.TLP != "" {
		var err error
		if tlp, err = stix.ParseTLP(req.TLP); err != nil {
			return control.PublishResult{}, control.Errorf(control.Usage, "%w", err)
		}
	}
	in := publish.Request{TLP: tlp, To: req.To, DryRun: req.DryRun}
	for _, f := range req.Files {
		in.Items = append(in.Items, publish.Item{Name: f.Name, Data: f.Data})
	}
	for _, id := range req.IDs {
		raw, err := s.postedObject(ctx, id)
		if err != nil {
			return control.PublishResult{}, err
		}
		in.Items = append(in.Items, publish.Item{Name: id + ".json", Data: raw})
	}
	res, err := s.publisher.Publish(ctx, in)
	var refused *publish.Refused
	if errors.As(err, &refused) {
		return control.PublishResult{}, refusedf("%v", refused)
	}
	out := control.PublishResult{DryRun: req.DryRun, Entries: []control.PublishedEntry{}, Unchanged: res.Unchanged, Warnings: res.Warnings}
	for _, e := range res.Entries {
		out.Entries = append(out.Entries, entryResult(e))
	}
	return out, err
}

func entryResult(e publish.Entry) control.PublishedEntry {
	out := control.PublishedEntry{
		Log: e.Place.Log, Index: e.Place.Index, TLP: e.TLP.String(), Audience: e.Audience, Readers: e.Readers, Blob: e.Blob, Payload: e.Payload,
	}
	for _, o := range e.Objects {
		out.Objects = append(out.Objects, control.PublishedObject{ID: o.ID, Type: o.Type, Name: o.Name, File: o.File, Raw: o.Raw})
	}
	return out
}

// Withdraw takes back objects that this member published.
func (n *Node) Withdraw(ctx context.Context, ids []string) (control.WithdrawResult, error) {
	res, err := n.current.Load().publisher.Withdraw(ctx, ids)
	var refused *publish.Refused
	if errors.As(err, &refused) {
		return control.WithdrawResult{}, refusedf("%v", refused)
	}
	if err != nil {
		return control.WithdrawResult{}, err
	}
	out := control.WithdrawResult{Withdrawn: res.IDs, Entries: []uint64{}}
	for _, place := range res.Entries {
		out.Entries = append(out.Entries, place.Index)
	}
	return out, nil
}

// LogID is the id of this member's own log.
func (n *Node) LogID() string { return n.current.Load().log.ID() }

// RawEntry is an entry of any log that is kept here, as it was published.
func (n *Node) RawEntry(ctx context.Context, log string, index uint64) (raw []byte, err error) {
	err = n.store.View(ctx, func(tx *sqlite.Tx) error {
		raw, err = tx.Entry(log, index)
		return err
	})
	return raw, err
}

// Holds says whether any copy of an object is held here.
func (n *Node) Holds(ctx context.Context, id string) (held bool, err error) {
	err = n.store.View(ctx, func(tx *sqlite.Tx) error {
		copies, err := tx.Copies(id)
		held = len(copies) > 0
		return err
	})
	return held, err
}

// Opens tries every key that this node has on a sealed entry: the epoch keys it holds of that log, and its
// HPKE key on every wrap of the entry's epoch. An exercise asks it to prove that a member cannot read.
func (n *Node) Opens(ctx context.Context, log string, index uint64) (bool, error) {
	raw, err := n.RawEntry(ctx, log, index)
	if err != nil {
		return false, err
	}
	sealed, err := entry.Parse(raw)
	if err != nil {
		return false, err
	}
	if sealed.Kind != entry.KindSealed {
		return false, fmt.Errorf("entry %d is not sealed", index)
	}
	s := n.current.Load()
	var keys [][]byte
	err = n.store.View(ctx, func(tx *sqlite.Tx) error {
		for e := sealed.Epoch; e > 0; e-- { // the right one and, in case of a mistake, any other
			kept, err := tx.EpochKey(log, e)
			if err != nil {
				return err
			}
			if kept == nil {
				continue
			}
			key, err := n.keys.Open(kept, fmt.Sprintf("epoch/%s/%d", log, e))
			if err != nil {
				return err
			}
			keys = append(keys, key)
		}
		at, opening, err := tx.EpochEntry(log, sealed.Epoch)
		if err != nil {
			return err
		}
		tried, err := wrapsOf(tx, log, at, opening, opener{n.keys, s.me.member})
		keys = append(keys, tried...)
		return err
	})
	if err != nil {
		return false, err
	}
	for _, key := range keys {
		if _, err := seal.OpenEntry(key, sealed, log, index); err == nil {
			return true, nil
		}
	}
	return false, nil
}

// wrapsOf gives the keys that this member's HPKE key finds in the wraps of an epoch.
func wrapsOf(tx *sqlite.Tx, log string, at uint64, opening []byte, o opener) (keys [][]byte, err error) {
	e, err := entry.Parse(opening)
	if err != nil {
		return nil, err
	}
	epoch, err := entry.ParseEpoch(e.Body)
	if err != nil {
		return nil, err
	}
	for i := at + 1; i <= at+uint64(epoch.Wraps); i++ {
		raw, err := tx.Entry(log, i)
		if err != nil {
			return nil, err
		}
		wrap, err := entry.Parse(raw)
		if err != nil {
			return nil, err
		}
		if key, ok := o.Unwrap(opening, wrap.Body); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// Sightings are what members returned for this node's objects.
func (n *Node) Sightings(ctx context.Context, limit int) ([]status.Sightings, error) {
	return n.current.Load().detector.Totals(ctx, limit)
}
