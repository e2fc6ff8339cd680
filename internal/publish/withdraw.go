package publish

import (
	"context"
	"fmt"
	"slices"

	"shieldwall/internal/entry"
	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/stix"
)

// maxWithdrawals bounds one entry: ids hardly pack, and 1,000 of them fit.
const maxWithdrawals = 1000

// Withdrawn is what Withdraw did.
type Withdrawn struct {
	IDs     []string // withdrawn now
	Already []string // withdrawn before
	Entries []object.Place
}

// withdrawal is one entry to be: what it takes back was published under one marking, in one epoch.
type withdrawal struct {
	source
	list []entry.Withdrawal
}

// source is where and for whom an object was published.
type source struct {
	epoch    uint64 // 0 = not sealed
	tlp      uint8
	audience string
}

// Withdraw takes back objects that this member published: all versions, for all audiences. Each withdrawal is
// sealed in the epoch of the entry that it names, so exactly those learn of it who could read that entry. A
// *Refused names every id that this member does not share; nothing is withdrawn then.
func (p *Publisher) Withdraw(ctx context.Context, ids []string) (Withdrawn, error) {
	var out Withdrawn
	var changes []object.Change
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	err := p.opt.Log.Append(ctx, func(tx Tx, log string, next uint64) ([][]byte, error) {
		out = Withdrawn{}
		s := &sealing{p: p, tx: tx, log: log, next: next, members: p.opt.Members()}
		todo, err := s.collect(ids, &out)
		if err != nil {
			return nil, err
		}
		for _, w := range todo {
			if err := s.withdraw(w); err != nil {
				return nil, err
			}
			out.Entries = append(out.Entries, object.Place{Log: log, Index: s.index() - 1})
		}
		changes = s.changes
		return s.entries, s.spend(len(todo), true)
	})
	if err != nil {
		return Withdrawn{}, fmt.Errorf("withdrawing: %w", err)
	}
	if len(changes) > 0 {
		p.opt.Live(changes)
	}
	return out, nil
}

// collect sorts what is to be withdrawn by the entries that will say so.
func (s *sealing) collect(ids []string, out *Withdrawn) ([]*withdrawal, error) {
	var refused Refused
	groups := map[source]*withdrawal{}
	var order []*withdrawal
	for _, id := range ids {
		own, msg, err := s.shared(id)
		if err != nil {
			return nil, err
		}
		switch {
		case msg != "":
			refused.Problems = append(refused.Problems, Problem{Object: id, Msg: msg})
			continue
		case len(own) == 0:
			out.Already = append(out.Already, id)
			continue
		}
		out.IDs = append(out.IDs, id)
		for _, c := range own {
			from, err := s.source(c)
			if err != nil {
				return nil, err
			}
			w := groups[from]
			if w == nil || len(w.list) == maxWithdrawals {
				w = &withdrawal{source: from}
				groups[from] = w
				order = append(order, w)
			}
			w.list = append(w.list, entry.Withdrawal{Index: c.Index, ID: id})
		}
	}
	if n := len(refused.Problems); n > maxListed {
		refused.Problems, refused.More = refused.Problems[:maxListed], n-maxListed
	}
	if len(refused.Problems) > 0 {
		return nil, &refused
	}
	return order, nil
}

// shared gives this member's copies of an id that are not withdrawn, or says why there is nothing to withdraw.
func (s *sealing) shared(id string) (own []object.Copy, problem string, err error) {
	copies, err := s.tx.Copies(id)
	if err != nil {
		return nil, "", fmt.Errorf("copies of %s: %w", id, err)
	}
	known := false
	for _, c := range copies {
		if c.Publisher != s.p.opt.Self {
			continue
		}
		known = true
		if c.Withdrawn {
			continue
		}
		if c.Log != s.log {
			return nil, "it was published in an earlier log of this member: share a revoked version of it instead", nil
		}
		own = append(own, c)
	}
	switch {
	case known:
		return own, "", nil
	case len(copies) > 0:
		return nil, "this member did not publish it: only its publisher can withdraw it", nil
	}
	return nil, "nobody here holds it", nil
}

// source reads how the entry that carried a copy was sealed.
func (s *sealing) source(c object.Copy) (source, error) {
	raw, err := s.tx.Entry(c.Log, c.Index)
	if err != nil {
		return source{}, fmt.Errorf("entry %d, which published %s: %w", c.Index, c.ID, err)
	}
	e, err := entry.Parse(raw)
	if err != nil {
		return source{}, fmt.Errorf("entry %d, which published %s: %w", c.Index, c.ID, err)
	}
	if e.Kind == entry.KindClear {
		return source{0, uint8(stix.Clear), policy.Everyone().String()}, nil // nothing else is in clear
	}
	return source{e.Epoch, c.TLP, c.Audience}, nil
}

// withdraw seals one entry and takes this node's own copies back.
func (s *sealing) withdraw(w *withdrawal) error {
	payload := entry.Payload{Type: entry.Withdraw, TLP: w.tlp, Audience: w.audience, Withdrawals: w.list}
	readers := []string{}
	if w.epoch == 0 {
		if err := s.clear(payload); err != nil {
			return err
		}
		if a, err := policy.ParseAudience(w.audience); err == nil {
			readers = s.p.readers(s.members, stix.TLP(w.tlp), a)
		}
	} else {
		e, err := s.past(w.epoch)
		if err != nil {
			return err
		}
		readers = e.readers
		if err := s.sealed(e, payload); err != nil {
			return err
		}
	}
	for _, item := range w.list {
		changes, err := s.p.opt.Gate.Withdraw(s.tx, object.Place{Log: s.log, Index: item.Index}, item.ID)
		if err != nil {
			return fmt.Errorf("withdrawing %s here: %w", item.ID, err)
		}
		s.changes = append(s.changes, changes...)
	}
	what := fmt.Sprintf("withdrawal of %d objects", len(w.list))
	if len(w.list) == 1 {
		what = "withdrawal of " + w.list[0].ID
	}
	return s.note(s.index()-1, readers, w.audience, what)
}

// past opens an earlier epoch of this log again.
func (s *sealing) past(number uint64) (*epoch, error) {
	kept, err := s.tx.EpochKey(s.log, number)
	if err != nil {
		return nil, fmt.Errorf("the key of epoch %d: %w", number, err)
	}
	if kept == nil {
		return nil, fmt.Errorf("the key of epoch %d is not here", number)
	}
	key, err := s.p.opt.Box.Open(kept, keyPlace(s.log, number))
	if err != nil {
		return nil, fmt.Errorf("the key of epoch %d: %w", number, err)
	}
	readers, err := s.tx.EpochReaders(s.log, number)
	if err != nil {
		return nil, fmt.Errorf("readers of epoch %d: %w", number, err)
	}
	return &epoch{number: number, key: key, readers: readers}, nil
}
