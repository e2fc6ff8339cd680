package publish

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"shieldwall/internal/entry"
	"shieldwall/internal/policy"
	"shieldwall/internal/seal"
	"shieldwall/internal/stix"
)

// maxSealed is how large entries are filled: below the limit of an entry by some margin, so that a bundle of
// entries of bulk publications stays a reasonable answer.
const maxSealed = 60_000

// batch is what one entry will carry: objects of one marking and one audience.
type batch struct {
	tlp      stix.TLP
	audience policy.Audience
	objects  []*candidate
	large    bool // too large for an entry: it travels as a blob

	packed     seal.Packed // of what is not large
	ciphertext []byte      // of the blob
	ref        entry.BlobRef
}

func (b *batch) payload() entry.Payload {
	p := entry.Payload{Type: entry.Objects, TLP: uint8(b.tlp), Audience: b.audience.String()}
	for _, c := range b.objects {
		p.Objects = append(p.Objects, c.o.Raw)
	}
	return p
}

// clear says whether the entry is not sealed.
func (b *batch) clear() bool { return b.tlp == stix.Clear && b.audience.IsEveryone() }

type target struct {
	tlp      stix.TLP
	audience string
}

// plan distributes objects over entries. Readers meet definitions and identities before what refers to them:
// first within an entry, and marking definitions in entries of their own ahead where there are several audiences,
// because an object whose marking is unknown counts as RED. Behind them the order is that in which they came, but in bulk
// that of ids: every store, here and at the readers, adds to few pages of its index then instead of to all of them.
func plan(list []*candidate, oneEach bool) ([]*batch, error) {
	list = slices.Clone(list)
	bulk := !oneEach && len(list) > unitObjects
	slices.SortStableFunc(list, func(a, b *candidate) int {
		if c := rank(a) - rank(b); c != 0 || !bulk {
			return c
		}
		return strings.Compare(a.o.ID, b.o.ID)
	})
	groups := map[target][]*candidate{}
	var order []target
	for _, c := range list {
		t := target{c.tlp, c.audience.String()}
		if groups[t] == nil {
			order = append(order, t)
		}
		groups[t] = append(groups[t], c)
	}
	var first, rest []*batch
	for _, t := range order {
		definitions := 0
		if len(order) > 1 {
			definitions = slices.IndexFunc(groups[t], func(c *candidate) bool { return rank(c) > 0 })
			if definitions < 0 {
				definitions = len(groups[t])
			}
		}
		ahead, err := fill(groups[t][:definitions], oneEach)
		if err != nil {
			return nil, err
		}
		behind, err := fill(groups[t][definitions:], oneEach)
		if err != nil {
			return nil, err
		}
		first, rest = append(first, ahead...), append(rest, behind...)
	}
	return append(first, rest...), nil
}

func rank(c *candidate) int {
	switch c.o.Type {
	case "marking-definition":
		return 0
	case "extension-definition", "identity":
		return 1
	}
	return 2
}

// fill packs objects of one marking and audience into as few entries as a few trials find. How well a batch packs
// is learned from the one before.
func fill(list []*candidate, oneEach bool) ([]*batch, error) {
	var out []*batch
	ratio := 1.0 // bytes of objects that fit one byte of an entry
	for len(list) > 0 {
		n := 1
		if !oneEach {
			n = reach(list, int(ratio*maxSealed))
		}
		size, frame, err := packed(list[:n])
		for err == nil && n > 1 && size > maxSealed {
			n /= 2
			size, frame, err = packed(list[:n])
		}
		if err != nil {
			return nil, err
		}
		for grown := 0; !oneEach && grown < maxGrowth && size < maxSealed*3/4 && n < len(list); grown++ {
			ratio = min(float64(weight(list[:n]))/float64(size), maxRatio)
			more := reach(list, int(ratio*maxSealed*9/10))
			if more <= n {
				break
			}
			bigger, fuller, err := packed(list[:more])
			if err != nil {
				return nil, err
			}
			if bigger > maxSealed {
				break
			}
			n, size, frame = more, bigger, fuller
		}
		b := &batch{packed: frame, tlp: list[0].tlp, audience: list[0].audience, objects: list[:n:n], large: size > maxSealed}
		if !b.large {
			ratio = min(float64(weight(list[:n]))/float64(size)*19/20, maxRatio)
		}
		out, list = append(out, b), list[n:]
	}
	return out, nil
}

const (
	maxGrowth = 3
	// maxRatio keeps what an entry unpacks to well below its limit of 1 MiB.
	maxRatio = 15.0
	// tooLarge is the size of what does not fit an entry at all.
	tooLarge = 1 << 30
)

func weight(list []*candidate) int {
	sum := 0
	for _, c := range list {
		sum += len(c.o.Raw)
	}
	return sum
}

// reach is how many objects of a list have at most so many bytes together; at least one.
func reach(list []*candidate, bytes int) int {
	sum := 0
	for n, c := range list {
		sum += len(c.o.Raw)
		if n > 0 && (sum > bytes || n == entry.MaxObjects) {
			return n
		}
	}
	return len(list)
}

// packed is the size of the entry that objects would make, and what will be sealed in it.
func packed(list []*candidate) (int, seal.Packed, error) {
	b := &batch{tlp: list[0].tlp, audience: list[0].audience, objects: list}
	p, err := seal.Pack(b.payload())
	if errors.Is(err, seal.ErrTooLarge) {
		return tooLarge, p, nil
	}
	return p.Size(), p, err
}

// blobs seals what travels beside its entry. It draws keys, so it runs once, outside the log's transaction.
func (p *Publisher) blobs(batches []*batch) error {
	for _, b := range batches {
		if !b.large {
			continue
		}
		var err error
		b.ciphertext, b.ref, err = seal.Blob(p.opt.Rand, b.payload())
		if errors.Is(err, seal.ErrTooLarge) {
			c := b.objects[0]
			return refusal(Problem{File: c.file, Object: c.o.ID, Msg: err.Error()})
		}
		if err != nil {
			return fmt.Errorf("publishing %s: %w", b.objects[0].o.ID, err)
		}
	}
	return nil
}

// preview is a dry run's result.
func (p *Publisher) preview(members *policy.Members, batches []*batch) ([]Entry, error) {
	var out []Entry
	for _, b := range batches {
		payload, err := b.payload().Bytes()
		if err != nil {
			return nil, fmt.Errorf("publishing: %w", err)
		}
		e := b.entry(p.readers(members, b.tlp, b.audience))
		e.Payload = payload
		for i, c := range b.objects {
			e.Objects[i].Raw = c.o.Raw
		}
		out = append(out, e)
	}
	return out, nil
}

// entry describes a batch.
func (b *batch) entry(readers []string) Entry {
	e := Entry{TLP: b.tlp, Audience: b.audience.String(), Readers: readers, Blob: b.large}
	for _, c := range b.objects {
		e.Objects = append(e.Objects, Published{ID: c.o.ID, Type: c.o.Type, Name: c.o.Name, File: c.file})
	}
	return e
}

// readers are the members that get a key: those whom policy lets read, that have a key in use, and that nothing
// withholds from. This member opens its own epochs anyway.
func (p *Publisher) readers(members *policy.Members, tlp stix.TLP, a policy.Audience) []string {
	return slices.DeleteFunc(policy.Readers(members, tlp, a), func(id string) bool {
		return id == p.opt.Self || p.reasonAgainst(id, tlp, a) != ""
	})
}

func (p *Publisher) reasonAgainst(id string, tlp stix.TLP, a policy.Audience) string {
	if why := p.opt.Withhold(id, tlp, a.Names(id)); why != "" {
		return why
	}
	if _, ok := p.opt.HPKE(id); !ok {
		return "it has no card yet"
	}
	return ""
}

// withheld warns of readers that will not get a key.
func (p *Publisher) withheld(members *policy.Members, batches []*batch) []string {
	var out []string
	for _, b := range batches {
		if b.clear() {
			continue
		}
		for _, id := range policy.Readers(members, b.tlp, b.audience) {
			why := p.reasonAgainst(id, b.tlp, b.audience)
			if text := fmt.Sprintf("%s cannot open TLP:%s to %s: %s", id, b.tlp, b.audience, why); id != p.opt.Self && why != "" &&
				len(out) < maxListed && !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
	}
	return out
}
