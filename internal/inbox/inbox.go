// Package inbox takes what the holders of tokens post, and takes it back at their word. A posting enters through the
// gate like everything else. It stays here: it is filed for this member alone, as AMBER+STRICT at least, until
// somebody publishes it or a rule of the configuration does.
package inbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/stix"
)

// Tx is what inbox needs of a store transaction.
type Tx interface {
	Savepoint(fn func() error) error
	FiledCopies(id string) ([]object.Filed, error)
	PutPosting(id, holder string, at time.Time, body []byte, before time.Time) error
	Posting(id, holder string) (body []byte, at time.Time, err error)
}

// Holder is who holds a token.
type Holder struct {
	Name string
	// Own says that the holder is this member's own staff or machine and may speak for it.
	Own bool
}

// Gate admits postings. A refusal is the poster's doing and says why; an error is a failure of this node.
type Gate interface {
	Admit(tx Tx, who Holder, o *stix.Object) (changes []object.Change, refusal string, err error)
	Remove(tx Tx, publisher, id string, seqs []int64) ([]object.Change, error)
}

// Options are what an Inbox works with; all but Limits and Publish are required.
type Options struct {
	// Update runs a unit that need not wait for the disk: large postings must not hold up what this member appends
	// itself. Durable waits, and makes everything before it durable too.
	Update  func(ctx context.Context, fn func(Tx) error) error
	Durable func(ctx context.Context, fn func(Tx) error) error
	View    func(ctx context.Context, fn func(Tx) error) error
	Gate    Gate
	// Live makes changes count in this node's matcher. It is called after the commit.
	Live func([]object.Change)
	// Publish shares what was posted, by a rule of the configuration; nil where there is none. What it refuses, by
	// the objects' ids, stays here.
	Publish func(ctx context.Context, objects []*stix.Object) (refusals map[string]string, err error)
	Now     func() time.Time
	Limits  stix.Limits
}

// Inbox takes postings. It is safe for concurrent use.
type Inbox struct{ opt Options }

// New makes an Inbox.
func New(opt Options) *Inbox { return &Inbox{opt} }

// unitObjects bounds the objects of one transaction: the store has one writer, and a unit should not take long.
const unitObjects = 64

// Kept is how long one can ask what became of a posting (TAXII 2.1, section 4.3).
const Kept = 24 * time.Hour

// ErrOthers says that an object is somebody else's to take back.
var ErrOthers = errors.New("not posted by this holder")

// ErrUnknown says that there is no such object or posting.
var ErrUnknown = errors.New("unknown")

// Result is what became of one object.
type Result struct {
	ID      string
	Version string // modified, else created, else when it was admitted
	// Refusal says why it was not taken; empty where it was.
	Refusal string
	// Note is what else the poster should know of an object that was taken.
	Note string
}

// Post takes objects, each for itself: what one of them lacks does not keep the others out. What is taken is durable
// once the caller has noted what became of it (Note).
func (b *Inbox) Post(ctx context.Context, who Holder, objects [][]byte) ([]Result, error) {
	p := posting{b: b, who: who, results: make([]Result, len(objects))}
	p.read(objects)
	for len(p.order) > 0 {
		n := min(unitObjects, len(p.order))
		if err := p.admit(ctx, p.order[:n]); err != nil {
			return nil, err
		}
		p.order = p.order[n:]
	}
	return p.results, p.share(ctx)
}

// posting is one Post.
type posting struct {
	b       *Inbox
	who     Holder
	results []Result
	parsed  []*stix.Object // by place; nil where it cannot be read
	order   []int          // places still to admit
	taken   []int
}

// read parses. Marking definitions go first, for an object whose marking is unknown counts as RED.
func (p *posting) read(objects [][]byte) {
	p.parsed = make([]*stix.Object, len(objects))
	for i, raw := range objects {
		o, err := stix.Parse(raw, p.b.opt.Limits)
		if err != nil {
			p.results[i].Refusal = "not a STIX object: " + err.Error()
			continue
		}
		p.parsed[i] = o
		p.results[i] = Result{ID: o.ID, Version: versionOf(o)}
		p.order = append(p.order, i)
	}
	slices.SortStableFunc(p.order, func(a, b int) int { return rank(p.parsed[a]) - rank(p.parsed[b]) })
}

func rank(o *stix.Object) int {
	if o.Type == "marking-definition" {
		return 0
	}
	return 1
}

func versionOf(o *stix.Object) string {
	if o.Modified != "" {
		return o.Modified
	}
	return o.Created
}

// admit takes one unit.
func (p *posting) admit(ctx context.Context, unit []int) error {
	var changes []object.Change
	var taken []int
	err := p.b.opt.Update(ctx, func(tx Tx) error {
		for _, i := range unit {
			var made []object.Change
			var refusal string
			err := tx.Savepoint(func() (err error) {
				made, refusal, err = p.b.opt.Gate.Admit(tx, p.who, p.parsed[i])
				return err
			})
			if err != nil {
				return err
			}
			p.results[i].Refusal = refusal
			if refusal == "" {
				taken = append(taken, i)
				err = p.dateVersion(tx, i)
			}
			if err != nil {
				return err
			}
			changes = append(changes, made...)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("taking a posting of %s: %w", p.who.Name, err)
	}
	p.taken = append(p.taken, taken...)
	if len(changes) > 0 {
		p.b.opt.Live(changes)
	}
	return nil
}

// dateVersion gives an object that says no version of its own the time of its admission for one.
func (p *posting) dateVersion(tx Tx, i int) error {
	if p.results[i].Version != "" {
		return nil
	}
	copies, err := tx.FiledCopies(p.parsed[i].ID)
	for _, c := range copies {
		if c.Publisher == object.Posted(p.who.Name) {
			p.results[i].Version = c.Admitted.Format(object.AdmittedLayout)
		}
	}
	return err
}

// share publishes what was taken, where a rule says so.
func (p *posting) share(ctx context.Context) error {
	if p.b.opt.Publish == nil || len(p.taken) == 0 {
		return nil
	}
	objects := make([]*stix.Object, len(p.taken))
	for i, at := range p.taken {
		objects[i] = p.parsed[at]
	}
	refusals, err := p.b.opt.Publish(ctx, objects)
	if err != nil {
		return fmt.Errorf("publishing a posting of %s: %w", p.who.Name, err)
	}
	for _, at := range p.taken {
		if why := refusals[p.parsed[at].ID]; why != "" {
			p.results[at].Note = "kept here, not published: " + why
		}
	}
	return nil
}

// Remove takes back copies that the holder posted: those of an object that wanted names by their order of admission.
func (b *Inbox) Remove(ctx context.Context, who Holder, id string, wanted []int64) error {
	publisher := object.Posted(who.Name)
	var changes []object.Change
	err := b.opt.Durable(ctx, func(tx Tx) error {
		changes = nil
		copies, err := tx.FiledCopies(id)
		if err != nil {
			return err
		}
		var own []int64
		for _, c := range copies {
			if !slices.Contains(wanted, c.Seq) {
				continue
			}
			if c.Publisher != publisher {
				return ErrOthers
			}
			own = append(own, c.Seq)
		}
		if len(own) == 0 {
			return ErrUnknown
		}
		changes, err = b.opt.Gate.Remove(tx, publisher, id, own)
		return err
	})
	if err == nil && len(changes) > 0 {
		b.opt.Live(changes)
	}
	return err
}

// Note keeps what became of a posting, in whatever form the way in gives it. When it returns, all of it is durable.
func (b *Inbox) Note(ctx context.Context, id, holder string, body []byte) error {
	now := b.opt.Now()
	return b.opt.Durable(ctx, func(tx Tx) error { return tx.PutPosting(id, holder, now, body, now.Add(-Kept)) })
}

// Noted is what Note kept, for its holder alone; the error wraps fs.ErrNotExist where there is none.
func (b *Inbox) Noted(ctx context.Context, id, holder string) (body []byte, err error) {
	err = b.opt.View(ctx, func(tx Tx) error {
		var at time.Time
		body, at, err = tx.Posting(id, holder)
		if err == nil && b.opt.Now().Sub(at) > Kept {
			err = ErrUnknown
		}
		return err
	})
	return body, err
}
