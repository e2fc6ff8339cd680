// Package shelf shows readers what this node holds: TAXII and whatever else lists objects asks it. Each copy was
// filed on the shelf of its (marking, audience) when it was admitted; the one policy function is asked once a shelf,
// and a page is read from the shelves that it allows, by time of admission (DESIGN.md, "How data flows").
//
// Of one version of an object several members may have a copy. A reader is shown, of all copies of an audience that
// it may see, one for each version: the creator's own, else the one that was admitted first. Which of them is the
// newest is decided among those copies alone, so that nothing that a reader may not see shows through.
package shelf

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/stix"
)

// Tx is what shelf needs of a store's snapshot.
type Tx interface {
	EachShelf(fn func(id int64, tlp uint8, audience string, copies int64) error) error
	Shelf(tlp uint8, audience string) (id, copies int64, err error)
	ShelfCopies(shelf int64, standing object.Standing, typ string, after time.Time, limit, maxBytes int) ([]object.Filed, error)
	FiledCopies(id string) ([]object.Filed, error)
	CopyAt(seq int64) (object.Copy, error)
}

// Limits of one page. A page that meets one is shorter than asked for and says that there is more.
const (
	// MaxPage is the most copies of a page.
	MaxPage = 10_000
	// maxBytes bounds the bodies of a page of more than one copy.
	maxBytes = 4 << 20
	// maxLooked bounds the rows that a page looks at and does not show.
	maxLooked = 20_000
	// MaxWanted is the most ids, types or versions that a query names.
	MaxWanted = 100
)

// ErrNoAudience says that an audience is not known, or that the reader may see nothing of it: which of them, the
// reader does not learn.
var ErrNoAudience = errors.New("nothing for this audience, or not for this reader")

// Options are what Shelves work with; all are required.
type Options struct {
	View    func(ctx context.Context, fn func(Tx) error) error
	Members func() *policy.Members
	// Open gives a copy from the store with its body in clear.
	Open func(object.Copy) (object.Copy, error)
}

// Shelves show what is filed. They are safe for concurrent use.
type Shelves struct {
	opt   Options
	looks int // maxLooked, but in tests
}

// New makes Shelves.
func New(opt Options) *Shelves { return &Shelves{opt, maxLooked} }

// Versions says which versions of each object are wanted; the zero value is the newest alone.
type Versions struct {
	All, First, Last bool
	// Exact are times as stix.SortKey spells them. An object without versions has that of its creation, else of
	// its admission.
	Exact []string
}

// newestOnly says whether nothing but the newest versions can be wanted.
func (v Versions) newestOnly() bool { return !v.All && !v.First && len(v.Exact) == 0 }

// Query asks for copies of one audience. Empty lists are no condition; of a list any member will do.
type Query struct {
	Audience string
	After    time.Time // only what was admitted later
	IDs      []string
	Types    []string
	Versions Versions
	Limit    int
}

// Page is a part of an audience's copies, the first admitted first.
type Page struct {
	Copies []object.Copy // bodies in clear
	// More says that there may be others behind Last.
	More bool
	// Last is the time of admission up to which this page has everything that was asked for.
	Last time.Time
	// Known says, where ids were asked for, whether the reader may see any copy of them.
	Known bool
}

// Audiences lists the audiences of which the reader may see something, sorted.
func (s *Shelves) Audiences(ctx context.Context, who policy.Reader) ([]string, error) {
	members := s.opt.Members()
	seen := map[string]bool{}
	err := s.opt.View(ctx, func(tx Tx) error {
		return tx.EachShelf(func(_ int64, tlp uint8, audience string, copies int64) error {
			if copies > 0 && !seen[audience] && mayRead(members, who, tlp, audience) {
				seen[audience] = true
			}
			return nil
		})
	})
	out := make([]string, 0, len(seen))
	for audience := range seen {
		out = append(out, audience)
	}
	slices.Sort(out)
	return out, err
}

// mayRead asks the policy for a shelf.
func mayRead(members *policy.Members, who policy.Reader, tlp uint8, audience string) bool {
	a, err := policy.ParseAudience(audience)
	return err == nil && policy.MayRead(members, who, stix.TLP(tlp), a)
}

// Sees says whether anything was filed for an audience that the reader may see.
func (s *Shelves) Sees(ctx context.Context, who policy.Reader, audience string) (sees bool, err error) {
	members := s.opt.Members()
	err = s.opt.View(ctx, func(tx Tx) error {
		for tlp := stix.Clear; tlp <= stix.Red && !sees; tlp++ {
			if !mayRead(members, who, uint8(tlp), audience) {
				continue
			}
			_, copies, err := tx.Shelf(uint8(tlp), audience)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			sees = copies > 0
		}
		return nil
	})
	return sees, err
}

// MayRead says whether the reader could see something of an audience, were it filed under the mildest marking. It
// says nothing about what there is.
func (s *Shelves) MayRead(who policy.Reader, audience string) bool {
	members := s.opt.Members()
	for tlp := stix.Clear; tlp <= stix.Red; tlp++ {
		if mayRead(members, who, uint8(tlp), audience) {
			return true
		}
	}
	return false
}

// Page answers a query.
func (s *Shelves) Page(ctx context.Context, who policy.Reader, q Query) (Page, error) {
	if q.Limit < 1 || q.Limit > MaxPage {
		q.Limit = MaxPage
	}
	if !s.MayRead(who, q.Audience) {
		return Page{}, ErrNoAudience
	}
	var page Page
	err := s.opt.View(ctx, func(tx Tx) error {
		r := &reading{s: s, tx: tx, q: q, members: s.opt.Members(), page: &page, chosen: map[string]map[int64]bool{}}
		if err := r.shelves(who); err != nil {
			return err
		}
		if len(q.IDs) > 0 {
			return r.byID()
		}
		return r.walk(ctx)
	})
	return page, err
}

// Copies names, by their order of admission, all copies of the wanted versions of an object that the reader may see:
// not only those that a page shows.
func (s *Shelves) Copies(ctx context.Context, who policy.Reader, audience, id string, v Versions) (seqs []int64, err error) {
	if !s.MayRead(who, audience) {
		return nil, ErrNoAudience
	}
	err = s.opt.View(ctx, func(tx Tx) error {
		r := &reading{s: s, tx: tx, q: Query{Audience: audience, Versions: v}, members: s.opt.Members()}
		if err := r.shelves(who); err != nil {
			return err
		}
		copies, err := r.visible(id)
		if err != nil {
			return err
		}
		shown, err := r.choose(copies)
		if err != nil {
			return err
		}
		versions := map[string]bool{}
		for _, c := range copies {
			versions[c.Modified] = versions[c.Modified] || shown[c.Seq]
		}
		for _, c := range copies {
			if versions[c.Modified] {
				seqs = append(seqs, c.Seq)
			}
		}
		return nil
	})
	return seqs, err
}

// reading is one query being answered.
type reading struct {
	s       *Shelves
	tx      Tx
	q       Query
	members *policy.Members
	page    *Page

	open   []int64 // the shelves that the reader may see
	chosen map[string]map[int64]bool
	looked int
	bytes  int
}

// shelves finds the audience's shelves that the policy allows.
func (r *reading) shelves(who policy.Reader) error {
	for tlp := stix.Clear; tlp <= stix.Red; tlp++ {
		if !mayRead(r.members, who, uint8(tlp), r.q.Audience) {
			continue
		}
		id, _, err := r.tx.Shelf(uint8(tlp), r.q.Audience)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		r.open = append(r.open, id)
	}
	return nil
}

// byID answers for objects by name: there are few, so they are collected and sorted.
func (r *reading) byID() error {
	var found []object.Filed
	ids := slices.Clone(r.q.IDs)
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		copies, err := r.visible(id)
		if err != nil {
			return err
		}
		r.page.Known = r.page.Known || len(copies) > 0
		shown, err := r.choose(copies)
		if err != nil {
			return err
		}
		for _, c := range copies {
			if shown[c.Seq] && c.Admitted.After(r.q.After) && r.wantedType(c.Type) {
				found = append(found, c)
			}
		}
	}
	slices.SortFunc(found, func(a, b object.Filed) int { return a.Admitted.Compare(b.Admitted) })
	for _, f := range found {
		c, err := r.tx.CopyAt(f.Seq)
		if err != nil {
			return err
		}
		if full, err := r.take(c); err != nil || full {
			return err
		}
	}
	return nil
}

func (r *reading) wantedType(typ string) bool {
	return len(r.q.Types) == 0 || slices.Contains(r.q.Types, typ)
}

// take puts a copy on the page, or says that the page is full and that there is more.
func (r *reading) take(c object.Copy) (full bool, err error) {
	if len(r.page.Copies) == r.q.Limit || len(r.page.Copies) > 0 && r.bytes+len(c.Raw) > maxBytes {
		r.page.More = true
		return true, nil
	}
	if c, err = r.s.opt.Open(c); err != nil {
		return false, err
	}
	r.page.Copies = append(r.page.Copies, c)
	r.page.Last = c.Admitted
	r.bytes += len(c.Raw)
	return false, nil
}
