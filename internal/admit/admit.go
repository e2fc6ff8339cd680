// Package admit is the one gate for every object, whatever its way in: peer, file, TAXII, MISP, page. It judges
// size, validity, provenance, marking and duplicates, and keeps each publisher's copies apart: nobody can
// replace, revoke or re-mark another member's (DESIGN.md, "How data flows" and "Who may read").
package admit

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/stix"
	"shieldwall/internal/stixcheck"
)

// Tx is what the gate needs of a store transaction.
type Tx interface {
	PublisherCopies(publisher, id string) ([]object.Copy, error)
	PutCopy(c object.Copy) (stored object.Copy, err error)
	Withdraw(publisher, id string, place object.Place) (n int, err error)
	Remove(publisher, id string, seqs []int64) error
}

// Provenance says who published an object, where, under which marking and for whom.
type Provenance struct {
	Publisher string       // a member, or object.Local or object.Posted for what was never shared
	Place     object.Place // zero for local objects
	TLP       stix.TLP     // the entry's or feed's marking; None leaves it to the object
	Audience  string       // text form; of a local object "member:SELF"
	Via       string       // the way in, for reports: "peer", "own", "file", ...
	// Stranger says that a posting's holder may not speak for this member.
	Stranger bool
	// Judged says that stixcheck has found nothing in the object that would keep it out.
	Judged bool
}

// Reason groups refusals; reports count by it.
type Reason string

// The reasons.
const (
	ReasonInvalid    Reason = "invalid"    // not JSON or not STIX 2.1
	ReasonSize       Reason = "size"       // larger than an object may be
	ReasonMarking    Reason = "marking"    // no marking at all, or no audience
	ReasonCreator    Reason = "creator"    // speaks for another member
	ReasonType       Reason = "type"       // a type that the roster does not let the member publish
	ReasonConflict   Reason = "conflict"   // a second, different object of one id and version
	ReasonRevoked    Reason = "revoked"    // a new version of what its publisher revoked
	ReasonWithdrawal Reason = "withdrawal" // a withdrawal that names nothing
)

// Refused is an object that the gate does not let in. Any other error is a failure of this node.
type Refused struct {
	Reason Reason
	ID     string // as far as it could be read
	Via    string // the way in
	Detail string
}

func (r *Refused) Error() string {
	if r.ID == "" {
		return string(r.Reason) + ": " + r.Detail
	}
	return string(r.Reason) + ": " + r.ID + ": " + r.Detail
}

// Box seals what must not lie in the store in clear, with the node's key; place says what it is.
type Box interface {
	Seal(plain []byte, place string) []byte
	Open(sealed []byte, place string) ([]byte, error)
}

// Options are what a Gate works with; all but Limits are required.
type Options struct {
	Self    string // this member
	Members func() *policy.Members
	Box     Box
	Now     func() time.Time
	Limits  stix.Limits
}

// Gate admits objects. It is safe for concurrent use; a transaction is not.
//
// Bodies marked AMBER+STRICT and RED are stored sealed: what Admit writes to the store as Copy.Raw is a
// ciphertext then. Callers of Admit pass and get objects in clear; whoever reads copies from the store sends them
// through Open first.
type Gate struct{ opt Options }

// New makes a Gate.
func New(opt Options) *Gate { return &Gate{opt} }

// Admit judges one object and stores it. The changes tell what now counts for its key; there are none where
// the same bytes are held already under the same marking and audience. A *Refused stores nothing.
func (g *Gate) Admit(tx Tx, p Provenance, raw []byte) ([]object.Change, error) {
	o, err := stix.Parse(raw, g.opt.Limits)
	if err != nil {
		return nil, &Refused{Reason: ReasonInvalid, Via: p.Via, Detail: err.Error()}
	}
	return g.AdmitObject(tx, p, o)
}

// AdmitObject is Admit for an object that stix.Parse has read.
func (g *Gate) AdmitObject(tx Tx, p Provenance, o *stix.Object) ([]object.Change, error) {
	if err := g.usable(p, o); err != nil {
		return nil, err
	}
	a := admission{gate: g, tx: tx, from: p, o: o, key: object.Key{Publisher: p.Publisher, ID: o.ID}}
	for _, step := range []func() error{a.load, a.checkCreator, a.mark, a.checkVersions} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if a.known {
		return nil, nil
	}
	return a.store()
}

func (g *Gate) usable(p Provenance, o *stix.Object) error {
	limit := g.opt.Limits.Object
	if limit <= 0 {
		limit = stix.MaxObject
	}
	if len(o.Raw) > limit {
		return &Refused{Reason: ReasonSize, ID: o.ID, Via: p.Via, Detail: fmt.Sprintf("%d bytes are over the limit of %d", len(o.Raw), limit)}
	}
	if p.Judged {
		return nil
	}
	var problems stix.Problems
	if err := stixcheck.Usable(o); errors.As(err, &problems) {
		first := problems[0]
		first.Object = "" // the refusal names it
		return &Refused{Reason: ReasonInvalid, ID: o.ID, Via: p.Via, Detail: first.Error()}
	}
	return nil
}

// admission is one object on its way through the gate.
type admission struct {
	gate *Gate
	tx   Tx
	from Provenance
	o    *stix.Object
	key  object.Key

	held     []object.Copy // the publisher's, bodies in clear
	marking  stix.TLP
	original stix.TLP // of the creator's own copy, if this is a re-shared one
	own      bool     // the publisher is its creator
	known    bool     // nothing to do
}

func (a *admission) refuse(reason Reason, format string, args ...any) error {
	return &Refused{Reason: reason, ID: a.o.ID, Via: a.from.Via, Detail: fmt.Sprintf(format, args...)}
}

func (a *admission) load() error {
	held, err := a.tx.PublisherCopies(a.key.Publisher, a.key.ID)
	if err != nil {
		return fmt.Errorf("copies of %s: %w", a.key.ID, err)
	}
	a.held, err = a.gate.openAll(held)
	return err
}

// checkCreator refuses what speaks for another member: an object created by, or itself, an identity that the
// roster binds to that member, unless it is the very object held from that member.
func (a *admission) checkCreator() error {
	members := a.gate.opt.Members()
	publisher := a.key.Publisher
	if object.IsLocal(publisher) {
		if publisher = a.gate.opt.Self; a.from.Stranger {
			publisher = "" // nobody's name
		}
	} else if !members.Authorised(publisher, a.o.Type) {
		return a.refuse(ReasonType, "%s is not authorised to publish objects of type %s", publisher, a.o.Type)
	}
	identities := []string{a.o.CreatedBy}
	if a.o.Type == "identity" {
		identities = append(identities, a.o.ID)
	}
	for _, identity := range identities {
		owner := members.Owner(identity)
		if owner == "" || owner == publisher {
			a.own = a.own || owner != "" && !object.IsLocal(a.key.Publisher)
			continue
		}
		same, err := a.gate.sameFrom(a.tx, owner, a.o)
		if err != nil {
			return err
		}
		if !same.Valid() {
			return a.refuse(ReasonCreator, "it speaks for %s, and is not the object held from there", owner)
		}
		a.original = a.original.Stricter(same)
	}
	return nil
}

// sameFrom finds the mildest marking under which a member's byte-identical copy is held; None where none is.
func (g *Gate) sameFrom(tx Tx, member string, o *stix.Object) (stix.TLP, error) {
	copies, err := tx.PublisherCopies(member, o.ID)
	if err != nil {
		return stix.None, fmt.Errorf("copies of %s by %s: %w", o.ID, member, err)
	}
	if copies, err = g.openAll(copies); err != nil {
		return stix.None, err
	}
	mildest := stix.None
	for _, c := range copies {
		if bytes.Equal(c.Raw, o.Raw) && (mildest == stix.None || stix.TLP(c.TLP) < mildest) {
			mildest = stix.TLP(c.TLP)
		}
	}
	return mildest, nil
}

// mark finds the effective marking: the strictest of the entry's, the object's own and those of its parts; not
// below the creator's where it is re-shared; not below that of the publisher's newest version.
func (a *admission) mark() error {
	if _, err := policy.ParseAudience(a.from.Audience); err != nil {
		return a.refuse(ReasonMarking, "%v", err)
	}
	marking, err := a.gate.Effective(a.tx, a.key.Publisher, a.from.TLP, a.o)
	if errors.Is(err, policy.ErrNoMarking) {
		return a.refuse(ReasonMarking, "%v", err)
	}
	if err != nil {
		return err
	}
	a.marking = marking.Stricter(a.original)
	if newest := newestOf(a.held); newest != nil && newest.Modified > a.o.Version() {
		a.marking = a.marking.Stricter(stix.TLP(newest.TLP))
	}
	return nil
}

// checkVersions compares with what is held of the publisher: the same is nothing new, a different object of the
// same version is refused for good, and so is any version after a revocation (STIX 2.1, section 3.6).
func (a *admission) checkVersions() error {
	version := a.o.Version()
	for _, c := range a.held {
		if c.Revoked && version > c.Modified {
			return a.refuse(ReasonRevoked, "it was revoked by its version of %s", stix.KeyTime(c.Modified))
		}
		if c.Modified != version {
			continue
		}
		if bytes.Equal(c.Raw, a.o.Raw) {
			again := !c.Withdrawn && c.TLP == uint8(a.marking) && c.Audience == a.from.Audience
			// An entry that is read again brings nothing back; whoever posts what it took back does.
			a.known = a.known || again || c.Withdrawn && c.Log != "" && c.Place == a.from.Place
			continue
		}
		// Observables and custom objects without versions: the last one admitted counts.
		if version == "" && a.o.Type != "marking-definition" {
			continue
		}
		same, err := sameJSON(c.Raw, a.o.Raw)
		if err != nil {
			return fmt.Errorf("the copy of %s as kept here: %w", a.key.ID, err)
		}
		if !same {
			return a.refuse(ReasonConflict, "another object of this id and version is held from %s", a.key.Publisher)
		}
		a.known = true // other white space: the first spelling stays
	}
	return nil
}

func sameJSON(a, b []byte) (bool, error) {
	x, err := stix.Canonical(a)
	if err != nil {
		return false, err
	}
	y, err := stix.Canonical(b)
	return err == nil && bytes.Equal(x, y), err
}

func (a *admission) store() ([]object.Change, error) {
	version := a.o.Version()
	c := object.Copy{Key: a.key, Type: a.o.Type, Modified: version, TLP: uint8(a.marking), Audience: a.from.Audience,
		Place: a.from.Place, Revoked: a.o.Revoked && version != "", Own: a.own, Admitted: a.gate.opt.Now().UTC()}
	c.Raw = a.gate.seal(c, a.o.Raw)
	before := liveOf(a.held)
	// The store may know of a withdrawal that came before its object.
	stored, err := a.tx.PutCopy(c)
	if err != nil {
		return nil, fmt.Errorf("storing %s: %w", a.key.ID, err)
	}
	stored.Raw = a.o.Raw
	if newest := newestOf(a.held); c.Revoked && newest != nil && newest.Modified > version {
		// A revocation that comes late, after a version that should never have followed it.
		if _, err := a.tx.Withdraw(a.key.Publisher, a.key.ID, object.Place{}); err != nil {
			return nil, fmt.Errorf("withdrawing %s: %w", a.key.ID, err)
		}
		if err := a.load(); err != nil {
			return nil, err
		}
		return changes(a.key, before, liveOf(a.held)), nil
	}
	return changes(a.key, before, liveOf(append(a.held, stored))), nil
}

// Withdraw takes back a publisher's copies of an object that its entry at of published. A withdrawal that comes
// before its object, which may wait for a blob, is remembered by the store.
func (g *Gate) Withdraw(tx Tx, publisher string, of object.Place, id string) ([]object.Change, error) {
	if !stix.IsID(id) {
		return nil, &Refused{Reason: ReasonWithdrawal, Detail: "it names no STIX id"}
	}
	held, err := tx.PublisherCopies(publisher, id)
	if err != nil {
		return nil, fmt.Errorf("copies of %s: %w", id, err)
	}
	if held, err = g.openAll(held); err != nil {
		return nil, err
	}
	if _, err := tx.Withdraw(publisher, id, of); err != nil {
		return nil, fmt.Errorf("withdrawing %s: %w", id, err)
	}
	return changes(object.Key{Publisher: publisher, ID: id}, liveOf(held), nil), nil
}

// Remove takes back single copies of what was never shared; what is left of the object counts as if they had never
// come.
func (g *Gate) Remove(tx Tx, publisher, id string, seqs []int64) ([]object.Change, error) {
	if !object.IsLocal(publisher) {
		return nil, &Refused{Reason: ReasonWithdrawal, ID: id, Detail: "what was shared can be withdrawn, not removed"}
	}
	before, err := g.live(tx, publisher, id)
	if err != nil {
		return nil, err
	}
	if err := tx.Remove(publisher, id, seqs); err != nil {
		return nil, fmt.Errorf("removing %s: %w", id, err)
	}
	after, err := g.live(tx, publisher, id)
	if err != nil {
		return nil, err
	}
	return changes(object.Key{Publisher: publisher, ID: id}, before, after), nil
}

// live is the copy of a publisher's object that counts, its body in clear.
func (g *Gate) live(tx Tx, publisher, id string) (*object.Copy, error) {
	held, err := tx.PublisherCopies(publisher, id)
	if err != nil {
		return nil, fmt.Errorf("copies of %s: %w", id, err)
	}
	if held, err = g.openAll(held); err != nil {
		return nil, err
	}
	return liveOf(held), nil
}

// changes tells what happened to a key, if anything did.
func changes(key object.Key, before, after *object.Copy) []object.Change {
	if before == nil && after == nil {
		return nil
	}
	if before != nil && after != nil && bytes.Equal(before.Raw, after.Raw) && before.TLP == after.TLP && before.Audience == after.Audience {
		return nil
	}
	return []object.Change{{Key: key, Live: after}}
}

// newestOf is the newest copy that is not withdrawn: by version, then by admission.
func newestOf(copies []object.Copy) *object.Copy {
	var newest *object.Copy
	for i := range copies {
		c := &copies[i]
		if c.Withdrawn {
			continue
		}
		if newest == nil || c.Modified > newest.Modified || c.Modified == newest.Modified && c.Seq > newest.Seq {
			newest = c
		}
	}
	return newest
}

// liveOf is the copy that counts; an older version does not live on behind a revoked one.
func liveOf(copies []object.Copy) *object.Copy {
	newest := newestOf(copies)
	if newest == nil || newest.Revoked {
		return nil
	}
	return newest
}
