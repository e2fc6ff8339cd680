// Package search finds objects: it keeps an index of what they are found by, behind admission, and answers queries
// of package query for a reader (DESIGN.md, "Search").
//
// What a reader sees is decided as in package shelf: policy is asked once a shelf, and only copies on the shelves
// that it allows are looked for. Of an object's copies that the reader may see, the newest version counts; of its
// copies that match, the creator's own is shown, else the one admitted first. Nothing else of what there is shows
// through: no counts, and no place in the order of what is hidden.
package search

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/query"
	"shieldwall/internal/status"
	"shieldwall/internal/stix"
)

// Tx is what search needs of a store's transaction.
type Tx interface {
	EachShelf(fn func(id int64, tlp uint8, audience string, copies int64) error) error
	FiledCopies(id string) ([]object.Filed, error)
	IndexedTo() (indexed, last int64, err error)
	CopiesAfter(seq int64, limit, maxBytes int) ([]object.Filed, error)
	Index(seq int64, name, text, pattern, keys string) error
	PutIndexedTo(seq int64) error
	Matching(expr string, above, below int64, limit int) ([]int64, error)
	FiledAt(seq int64) (object.Filed, error)
	SeqAt(at time.Time) (int64, error)
}

// Limits of a page.
const (
	// MaxPage is the most hits of a page, DefaultPage where none is named.
	MaxPage, DefaultPage = 200, 50
	// maxLooked bounds the copies that a page looks at.
	maxLooked = 2_000
	// patience bounds the time after which a page that is not full looks at no further block.
	patience = 20 * time.Millisecond
	// relationsPatience bounds the time after which further hits of a page only say that there may be relations.
	relationsPatience = 200 * time.Millisecond
	// maxRelations is the most ties that an object shows, and maxVersions the most versions.
	maxRelations, maxVersions = 100, 100
	// maxBodies bounds the bodies of a page's hits where they are asked for.
	maxBodies = 4 << 20
)

// ErrCursor says that a cursor is none of ours; ErrUnknown, that the reader sees no such object.
var (
	ErrCursor  = errors.New("the cursor is not one that a search gave")
	ErrUnknown = errors.New("no such object, or not for this reader")
)

// Wrong says whether an error is the query's or the cursor's, and so its asker's.
func Wrong(err error) bool {
	var no *query.Error
	return errors.As(err, &no) || errors.Is(err, ErrCursor)
}

// Options are what a Searcher works with; all are required but Log.
type Options struct {
	View    func(ctx context.Context, fn func(Tx) error) error
	Update  func(ctx context.Context, fn func(Tx) error) error
	Members func() *policy.Members
	// Open gives a copy from the store with its body in clear.
	Open func(object.Copy) (object.Copy, error)
	Now  func() time.Time
	// Secret hides in the index what bodies that are sealed in the store are found by. Another one wants a new index.
	Secret []byte
	Log    *slog.Logger
}

// Searcher answers queries. It is safe for concurrent use.
type Searcher struct {
	opt      Options
	spelling *spelling
	mostRare int // maxRare, but in tests
	problem  atomic.Pointer[string]
}

// New makes a Searcher; Run keeps its index.
func New(opt Options) *Searcher {
	return &Searcher{opt: opt, spelling: &spelling{opt.Secret, smallBlock, bigBlock}, mostRare: maxRare}
}

// Request asks for a page.
type Request struct {
	Query  string
	Cursor string // a page's Next
	Limit  int    // 0 is DefaultPage
	// Relations and Objects ask for these of each hit.
	Relations, Objects bool
}

// Search answers a request. A query that is none is a *query.Error.
func (s *Searcher) Search(ctx context.Context, who policy.Reader, req Request) (page status.SearchPage, err error) {
	n, err := query.Parse(req.Query)
	if err != nil {
		return page, err
	}
	if req.Limit <= 0 {
		req.Limit = DefaultPage
	}
	page.Hits = []status.Hit{}
	err = s.opt.View(ctx, func(tx Tx) error {
		r, err := s.reading(tx, who)
		if err != nil {
			return err
		}
		found, err := r.find(ctx, n, req.Cursor, min(req.Limit, MaxPage))
		if err != nil {
			return err
		}
		page.Next, page.Partial = found.next, found.partial
		began := time.Now()
		bodies := 0
		for _, f := range found.copies {
			hit, o, err := r.hit(f)
			if err != nil {
				return err
			}
			if req.Relations && o != nil && time.Since(began) > relationsPatience {
				hit.Relations = &status.Relations{Items: []status.Relation{}, More: true}
			} else if req.Relations && o != nil {
				if hit.Relations, err = r.relations(ctx, o); err != nil {
					return err
				}
			}
			if req.Objects && o != nil {
				if bodies += len(o.Raw); bodies > maxBodies && len(page.Hits) > 0 {
					page.Next, page.Partial = cursor(page.Hits[len(page.Hits)-1].Admitted), true
					break
				}
				hit.Object = o.Raw
			}
			page.Hits = append(page.Hits, hit)
		}
		return nil
	})
	return page, err
}

// reading is one answer being made.
type reading struct {
	*Searcher
	tx   Tx
	open map[int64]bool // the shelves that the reader may see
	all  bool           // there are no others
	expr expression
}

func (s *Searcher) reading(tx Tx, who policy.Reader) (*reading, error) {
	r := &reading{Searcher: s, tx: tx, open: map[int64]bool{}, all: true, expr: expression{spelling: s.spelling}}
	members := s.opt.Members()
	err := tx.EachShelf(func(id int64, tlp uint8, audience string, copies int64) error {
		a, err := policy.ParseAudience(audience)
		if err != nil || !policy.MayRead(members, who, stix.TLP(tlp), a) {
			r.all = r.all && copies == 0
			return nil
		}
		r.open[id] = true
		r.expr.hide = r.expr.hide || sealed(tlp) && copies > 0
		return nil
	})
	if !r.all {
		for id := range r.open {
			r.expr.shelves = append(r.expr.shelves, plain(keyShelf, id))
		}
	}
	return r, err
}

// found is what a page shows.
type found struct {
	copies  []object.Filed
	next    string
	partial bool
}

// cursor goes on with what was admitted before a time: that of a copy, so that it says nothing about others.
func cursor(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 36) }

// bounds are the seqs between which a query looks.
func (r *reading) bounds(n *query.Node, from string) (above, below int64, err error) {
	indexed, _, err := r.tx.IndexedTo()
	if err != nil {
		return 0, 0, err
	}
	below = indexed + 1
	until := func(t time.Time) error {
		seq, err := r.tx.SeqAt(t)
		below = min(below, seq)
		return err
	}
	if from != "" {
		us, err := strconv.ParseInt(from, 36, 64)
		if err != nil || us < 0 || len(from) > 12 {
			return 0, 0, ErrCursor
		}
		if err := until(time.UnixMicro(us)); err != nil {
			return 0, 0, err
		}
	}
	terms := []*query.Node{n}
	if n.Op == query.And {
		terms = n.Kids
	}
	for _, t := range terms {
		at := t.At
		if t.Ago > 0 {
			at = r.opt.Now().Add(-t.Ago)
		}
		switch {
		case t.Op != query.Term:
		case t.Field == query.Until:
			err = until(at)
		case t.Field == query.Since:
			var seq int64
			seq, err = r.tx.SeqAt(at)
			above = max(above, seq-1)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return above, below, nil
}

// find looks for a page: in the newest block, then where a rare term leads, else block by block.
func (r *reading) find(ctx context.Context, n *query.Node, from string, limit int) (out found, err error) {
	above, below, err := r.bounds(n, from)
	if err != nil || len(r.open) == 0 {
		return out, err
	}
	f := &finding{reading: r, n: n, several: several(n), limit: limit, above: above, below: below, began: time.Now()}
	err = f.run(ctx)
	return f.found, err
}

// finding is a page being looked for.
type finding struct {
	*reading
	found
	n *query.Node
	// several says that what the index finds must be looked at.
	several bool
	began   time.Time
	limit   int
	looked  int
	full    bool
	// What is looked for stands between above and below.
	above, below int64
}

func (f *finding) run(ctx context.Context) error {
	if f.below-1 <= f.above {
		return nil
	}
	if err := f.block(f.spelling.small, keyBlock); err != nil || f.full {
		return err
	}
	if candidates, rare, err := f.rare(); err != nil || rare {
		if err == nil {
			f.several = true
			err = f.each(candidates)
		}
		return err
	}
	for f.below-1 > f.above && !f.full {
		if err := ctx.Err(); err != nil {
			return err
		}
		if f.tired() {
			f.partial = true
			var err error
			f.next, err = f.boundary(f.below)
			return err
		}
		if err := f.block(f.spelling.big, keyBigBlock); err != nil {
			return err
		}
	}
	return nil
}

// block looks through what is left of the block that below ends in, as far as maxLooked goes.
func (f *finding) block(size int, sort byte) error {
	block := (f.below - 1) >> size
	floor := max(f.above, block<<size-1)
	for first := true; f.below-1 > floor && !f.full && (first || !f.tired()); first = false {
		f.expr.block = quoted(plain(sort, block))
		seqs, err := f.tx.Matching(f.expr.whole(f.n), floor, f.below, f.limit+1)
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			if err := f.take(seq); err != nil || f.full {
				return err
			}
		}
		if f.below = floor + 1; len(seqs) == f.limit+1 {
			f.below = seqs[f.limit]
		}
	}
	return nil
}

// tired says that the page has cost enough.
func (f *finding) tired() bool { return f.looked >= maxLooked || time.Since(f.began) > patience }

// take puts a copy that matches on the page, if it is the one to show, or finds that the page is full.
func (f *finding) take(seq int64) error {
	f.looked++
	c, shown, err := f.shown(f.n, seq, f.several)
	if err != nil || !shown {
		return err
	}
	if len(f.copies) == f.limit {
		f.full, f.next = true, cursor(f.copies[f.limit-1].Admitted)
		return nil
	}
	f.copies = append(f.copies, c)
	return nil
}

// maxRare is how often a word or key may occur to lead a search.
const maxRare = 100

// rare finds all copies that have a word or key without which the query does not hold, where there are few of them.
func (f *finding) rare() (seqs []int64, rare bool, err error) {
	for _, ways := range f.expr.needed(f.n) {
		seqs = seqs[:0]
		for _, key := range ways {
			some, err := f.tx.Matching(quoted(key), f.above, f.below, f.mostRare+1)
			if err != nil {
				return nil, false, err
			}
			if seqs = append(seqs, some...); len(seqs) > f.mostRare {
				break
			}
		}
		if len(seqs) <= f.mostRare {
			slices.SortFunc(seqs, func(a, b int64) int { return cmp.Compare(b, a) })
			return slices.Compact(seqs), true, nil
		}
	}
	return nil, false, nil
}

// each looks at candidates, the newest first.
func (f *finding) each(candidates []int64) error {
	for _, seq := range candidates {
		if err := f.take(seq); err != nil || f.full {
			return err
		}
	}
	return nil
}

// boundary is a cursor in front of a seq.
func (r *reading) boundary(below int64) (string, error) {
	f, err := r.tx.CopiesAfter(below-1, 1, 1)
	if err != nil || len(f) == 0 {
		return "", err
	}
	return cursor(f[0].Admitted), nil
}

// shown says whether a copy is the one to show of its object; look asks whether it matches at all.
func (r *reading) shown(n *query.Node, seq int64, look bool) (f object.Filed, shown bool, err error) {
	f, err = r.tx.FiledAt(seq)
	if errors.Is(err, fs.ErrNotExist) {
		return f, false, nil
	}
	if err != nil || !r.open[f.Shelf] || f.Standing == object.Gone || f.Standing == object.Older {
		return f, false, err
	}
	if look {
		if match, err := r.matches(n, f); err != nil || !match {
			return f, false, err
		}
	}
	if f.Standing == object.Alone {
		return f, true, nil
	}
	visible, err := r.newest(f.ID)
	for _, c := range visible {
		if err != nil {
			return f, false, err
		}
		if c.Seq == seq {
			return f, true, nil
		}
		// One that goes before it and does not match leaves the place to it.
		if f.Modified != c.Modified {
			return f, false, nil
		}
		other, err := r.tx.FiledAt(c.Seq)
		if err != nil {
			return f, false, err
		}
		if match, err := r.matches(n, other); err != nil || match {
			return f, false, err
		}
	}
	return f, false, err
}

// matches says whether a query holds for a copy as it is filed.
func (r *reading) matches(n *query.Node, f object.Filed) (bool, error) {
	c, err := r.opt.Open(f.Copy)
	if err != nil {
		return false, err
	}
	f.Copy = c
	d := r.spelling.document(f)
	return r.expr.holds(n, &d), nil
}

// newest are the copies of an object's newest version that the reader may see, the one to show first.
func (r *reading) newest(id string) (out []object.Filed, err error) {
	copies, err := r.tx.FiledCopies(id)
	for _, c := range copies {
		if !r.open[c.Shelf] || len(out) > 0 && c.Modified < out[0].Modified {
			continue
		}
		if len(out) > 0 && c.Modified > out[0].Modified {
			out = out[:0]
		}
		// In order of admission; of one publisher the last counts, but of all the creator's own goes first.
		if c.Standing == object.Older {
			continue
		}
		if out = append(out, c); c.Own && !out[0].Own {
			copyWithin(out)
		}
	}
	return out, err
}

// copyWithin moves the last one to the front.
func copyWithin(list []object.Filed) {
	last := list[len(list)-1]
	copy(list[1:], list[:len(list)-1])
	list[0] = last
}

// hit is a copy as a list shows it; the object is nil where its body cannot be read.
func (r *reading) hit(f object.Filed) (status.Hit, *stix.Object, error) {
	h := status.Hit{
		ID: f.ID, Type: f.Type, Member: f.Publisher, TLP: stix.TLP(f.TLP).String(), Audience: f.Audience,
		Modified: stix.KeyTime(f.Modified), Admitted: f.Admitted, Revoked: f.Revoked,
	}
	c, err := r.opt.Open(f.Copy)
	if err != nil {
		return h, nil, err
	}
	o, err := stix.Parse(c.Raw, stix.Limits{})
	if err != nil {
		return h, nil, nil
	}
	h.Name, h.Created = brief(o), o.Created
	if o.Modified != "" {
		h.Modified = o.Modified
	}
	return h, o, nil
}
