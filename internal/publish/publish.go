// Package publish shares objects: it judges what a member wants to share before anything is written, seals it for
// its readers inside the log's own transaction, admits this node's copy in the same one, and takes back what was
// shared (DESIGN.md, "How data flows" and "Who may read").
//
// A publisher is a reader of what it publishes: where an audience does not include this member, it is added by
// name, so that one rule answers for own copies too.
package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/sigma"
	"shieldwall/internal/stix"
)

// Tx is what publish needs of a store transaction.
type Tx interface {
	Meta(key string) ([]byte, error)
	PutMeta(key string, value []byte) error
	LastRoster() (version uint64, note []byte, err error)
	Entry(log string, index uint64) ([]byte, error)
	EpochKey(log string, epoch uint64) (sealed []byte, err error)
	PutEpochKey(log string, epoch uint64, audience string, sealed []byte) error
	OwnEpoch(audience string) (epoch, rosterVersion uint64, opened time.Time, sealed []byte, err error)
	PutOwnEpoch(log, audience string, epoch, rosterVersion uint64, readers []string, opened time.Time, sealed []byte) error
	LastOwnEpoch(log string) (uint64, error)
	EpochReaders(log string, epoch uint64) ([]string, error)
	Copies(id string) ([]object.Copy, error)
	PutBlob(hash, data []byte) error
	PutPublication(log string, index uint64, at time.Time, readers int, audience, what string) error
}

// Log is this member's own log.
type Log interface {
	// Append runs build in a transaction and appends the entries that it returns, the first at index next. There
	// may be none: then only what build wrote is committed. If build or the append fails, nothing of the
	// transaction stays; build may be run again. Append returns nil once everything is durable.
	Append(ctx context.Context, build func(tx Tx, log string, next uint64) (entries [][]byte, err error)) error
}

// Provenance says where this member published an object, under which marking and for whom.
type Provenance struct {
	Place    object.Place
	TLP      stix.TLP
	Audience string
}

// Gate admits this member's own copies and knows their bodies and markings.
type Gate interface {
	Admit(tx Tx, from Provenance, o *stix.Object) ([]object.Change, error)
	Withdraw(tx Tx, of object.Place, id string) ([]object.Change, error)
	// Definition is what a marking definition held as this member's own or as a local object stands for.
	Definition(tx Tx, id string) (marking stix.TLP, known bool, err error)
	// Open gives a copy from the store with its body in clear.
	Open(c object.Copy) (object.Copy, error)
}

// Box keeps epoch keys sealed in the store.
type Box interface {
	Seal(plain []byte, place string) []byte
	Open(sealed []byte, place string) ([]byte, error)
}

// Options are what a Publisher works with; all are required but Sigma, Withhold and Appending.
type Options struct {
	Self string
	// Identity is this member's STIX identity: the creator of the objects made from files.
	Identity string
	// Members is the membership in force. The store's newest roster may be one step ahead of it for a moment.
	Members func() *policy.Members
	// HPKE is a member's public key for wraps, from its card; Recovery is this member's own recovery key.
	HPKE     func(member string) (public []byte, ok bool)
	Recovery func() (public []byte, err error)
	// Withhold says why a member gets no key although policy would let it read: denied by the configuration, or
	// too new for this marking. Empty is no reason.
	// A new member that the audience names (named) is not too new: naming it is the operator's word.
	Withhold func(member string, marking stix.TLP, named bool) (why string)
	Log      Log
	View     func(ctx context.Context, fn func(Tx) error) error
	Gate     Gate
	Box      Box
	// Live makes changes of own copies count in this node's matcher. It is called after the commit.
	Live func([]object.Change)
	// Appending is told of each entry inside the transaction that appends it, before anybody can see it: time to
	// protect counts from there, and a receipt may be back before Publish returns. If the transaction fails, the
	// index is told again with what takes its place. nil is nobody.
	Appending func(index uint64, at time.Time, readers []string)
	Now       func() time.Time
	Rand      io.Reader
	// Sigma is how rules are read; the zero value knows no placeholders.
	Sigma sigma.Options
}

// Publisher shares objects. It is safe for concurrent use.
type Publisher struct{ opt Options }

// New makes a Publisher.
func New(opt Options) *Publisher {
	if opt.Withhold == nil {
		opt.Withhold = func(string, stix.TLP, bool) string { return "" }
	}
	if opt.Appending == nil {
		opt.Appending = func(uint64, time.Time, []string) {}
	}
	return &Publisher{opt}
}

// Item is a file to share: its name for messages, and its exact bytes.
type Item struct {
	Name string
	Data []byte
}

// Request asks for files to be shared.
type Request struct {
	Items []Item
	// TLP marks the entries; None leaves it to the objects' own markings. The stricter of both counts.
	TLP stix.TLP
	// To are groups, members, "alliance" or "everyone"; empty leaves it to the marking.
	To []string
	// DryRun changes nothing and gives the exact bytes before sealing.
	DryRun bool
	// OneEach gives each object an entry of its own.
	OneEach bool
}

// Result is what was, or would be, appended.
type Result struct {
	Entries   []Entry
	Unchanged []string // ids that this member shares just so already
	Warnings  []string
}

// Entry is one entry of the log.
type Entry struct {
	Place    object.Place // zero for a dry run: the log assigns it
	TLP      stix.TLP
	Audience string
	Readers  []string // members that can open it, this one left out
	Blob     bool     // the objects travel beside the entry
	Objects  []Published
	// Payload is, for a dry run, the exact bytes before packing and sealing.
	Payload []byte
}

// Published is one object of an entry.
type Published struct {
	ID, Type, Name string
	File           string
	Raw            []byte // for a dry run
}

// Publish shares files. Everything is judged before anything is written: a *Refused lists all that is wrong, by
// file, object and property, and nothing was shared. What fits one unit (256 objects, 32 entries) is shared as a
// whole or not at all even if the node fails meanwhile; of more, a failure may leave the first units shared: the
// result then says which, beside the error, and publishing again adds only what is missing.
func (p *Publisher) Publish(ctx context.Context, req Request) (Result, error) {
	members := p.opt.Members()
	to, err := members.ParseTo(req.To)
	if err != nil {
		return Result{}, refusal(Problem{Msg: "to: " + err.Error()})
	}
	if req.TLP != stix.None && !req.TLP.Valid() {
		return Result{}, refusal(Problem{Msg: "tlp: " + policy.ErrNoMarking.Error()})
	}
	j := &judge{p: p, members: members, tlp: req.TLP, to: to}
	err = p.opt.View(ctx, func(tx Tx) error {
		j.tx = tx
		for _, item := range req.Items {
			if err := j.read(item); err != nil {
				return err
			}
		}
		return j.all()
	})
	if err != nil {
		return Result{}, fmt.Errorf("publishing: %w", err)
	}
	return p.share(ctx, j, shareOptions{dryRun: req.DryRun, oneEach: req.OneEach})
}

// PublishObjects shares objects that this node made, in one unit. inTx runs in the transaction that appends them,
// so that both happen or neither does; it may be nil, and may run again.
func (p *Publisher) PublishObjects(ctx context.Context, objects [][]byte, tlp stix.TLP, audience policy.Audience, inTx func(Tx) error) (Result, error) {
	j := &judge{p: p, members: p.opt.Members(), tlp: tlp, to: audience}
	err := p.opt.View(ctx, func(tx Tx) error {
		j.tx = tx
		for _, raw := range objects {
			o, err := stix.Parse(raw, stix.Limits{})
			if err != nil {
				j.problem(&candidate{o: &stix.Object{}}, "", err.Error())
				continue
			}
			j.add(o, "")
		}
		return j.all()
	})
	if err != nil {
		return Result{}, fmt.Errorf("publishing: %w", err)
	}
	return p.share(ctx, j, shareOptions{inTx: inTx, whole: true})
}

type shareOptions struct {
	dryRun  bool
	oneEach bool
	whole   bool // one unit, whatever its size
	inTx    func(Tx) error
}

// share appends what was judged.
func (p *Publisher) share(ctx context.Context, j *judge, opt shareOptions) (Result, error) {
	if err := j.refused(); err != nil {
		return Result{}, err
	}
	batches, err := plan(j.fresh(), opt.oneEach)
	if err != nil {
		return Result{}, fmt.Errorf("publishing: %w", err)
	}
	if err := p.blobs(batches); err != nil {
		return Result{}, err
	}
	result := Result{Unchanged: j.unchanged(), Warnings: append(j.remarks(), p.withheld(j.members, batches)...)}
	if opt.dryRun {
		result.Entries, err = p.preview(j.members, batches)
		return result, err
	}
	units := cut(batches, opt.whole)
	if len(units) == 0 && (opt.inTx != nil || len(result.Unchanged) > 0) {
		// What is shared already may be what an append before could not confirm: an empty one says whether it is.
		units = [][]*batch{nil}
	}
	for _, batches := range units {
		entries, err := p.append(ctx, batches, opt.inTx)
		if err != nil {
			return result, fmt.Errorf("publishing: %w", err)
		}
		result.Entries = append(result.Entries, entries...)
	}
	return result, nil
}

// Bounds of one transaction: the store has one writer, and the mirrors wait for it.
const (
	unitObjects = 256
	unitEntries = 32
)

// cut makes units of work out of batches.
func cut(batches []*batch, whole bool) [][]*batch {
	if whole && len(batches) > 0 {
		return [][]*batch{batches}
	}
	var units [][]*batch
	objects := 0
	for _, b := range batches {
		last := len(units) - 1
		if last < 0 || len(units[last]) >= unitEntries || objects+len(b.objects) > unitObjects {
			units, objects, last = append(units, nil), 0, last+1
		}
		units[last] = append(units[last], b)
		objects += len(b.objects)
	}
	return units
}

// rosterTries and rosterPause bound the wait for the membership in memory to reach the store's.
const (
	rosterTries = 50
	rosterPause = 20 * time.Millisecond
)

// errRoster says that the store's newest roster is not the one in force here yet.
var errRoster = errors.New("the roster is changing")

// append shares one unit and makes it live.
func (p *Publisher) append(ctx context.Context, batches []*batch, inTx func(Tx) error) ([]Entry, error) {
	var s *sealing
	for try := 1; ; try++ {
		err := p.opt.Log.Append(ctx, func(tx Tx, log string, next uint64) ([][]byte, error) {
			s = &sealing{p: p, tx: tx, log: log, next: next, members: p.opt.Members(), open: map[string]*epoch{}}
			if err := s.run(batches); err != nil {
				return nil, err
			}
			if err := s.spend(len(batches), false); err != nil {
				return nil, err
			}
			if inTx != nil {
				if err := inTx(tx); err != nil {
					return nil, err
				}
			}
			return s.entries, nil
		})
		if err == nil {
			break
		}
		if !errors.Is(err, errRoster) || try == rosterTries {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(rosterPause):
		}
	}
	if len(s.changes) > 0 {
		p.opt.Live(s.changes)
	}
	return s.published, nil
}
