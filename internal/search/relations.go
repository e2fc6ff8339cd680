package search

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/query"
	"shieldwall/internal/status"
	"shieldwall/internal/stix"
)

// Object shows an object with its versions and relations. The error is ErrUnknown where the reader sees none.
func (s *Searcher) Object(ctx context.Context, who policy.Reader, id string) (view status.ObjectView, err error) {
	err = s.opt.View(ctx, func(tx Tx) error {
		r, err := s.reading(tx, who)
		if err != nil {
			return err
		}
		copies, err := r.versions(id)
		if err != nil {
			return err
		}
		f, err := tx.FiledAt(copies[0].Seq)
		if err != nil {
			return err
		}
		var o *stix.Object
		if view.Hit, o, err = r.hit(f); err != nil {
			return err
		}
		view.Relations = &status.Relations{Items: []status.Relation{}}
		if o != nil {
			view.Object = o.Raw
			if view.Relations, err = r.relations(ctx, o); err != nil {
				return err
			}
		}
		view.Versions = []status.Version{}
		for _, c := range copies[:min(len(copies), maxVersions)] {
			view.Versions = append(view.Versions, status.Version{
				Modified: stix.KeyTime(c.Modified), Member: c.Publisher, TLP: stix.TLP(c.TLP).String(), Admitted: c.Admitted, Revoked: c.Revoked,
			})
		}
		return nil
	})
	return view, err
}

// Raw is an object's exact bytes: those of the newest version, or of one by its time.
func (s *Searcher) Raw(ctx context.Context, who policy.Reader, id, version string) (raw []byte, err error) {
	err = s.opt.View(ctx, func(tx Tx) error {
		r, err := s.reading(tx, who)
		if err != nil {
			return err
		}
		copies, err := r.versions(id)
		if err != nil {
			return err
		}
		i := 0
		if version != "" {
			key := stix.SortKey(version)
			if i = slices.IndexFunc(copies, func(c object.Filed) bool { return key != "" && c.Modified == key }); i < 0 {
				return ErrUnknown
			}
		}
		f, err := tx.FiledAt(copies[i].Seq)
		if err != nil {
			return err
		}
		c, err := s.opt.Open(f.Copy)
		raw = c.Raw
		return err
	})
	return raw, err
}

// versions are an object's, one copy each, the newest first; ErrUnknown where the reader sees none.
func (r *reading) versions(id string) ([]object.Filed, error) {
	copies, err := r.tx.FiledCopies(id)
	if err != nil {
		return nil, err
	}
	copies = slices.DeleteFunc(copies, func(c object.Filed) bool { return !r.open[c.Shelf] })
	slices.SortStableFunc(copies, func(a, b object.Filed) int {
		if d := strings.Compare(b.Modified, a.Modified); d != 0 {
			return d
		}
		// Of one version the last of a publisher counts (observables have no versions), of these the creator's own.
		return cmp.Or(later(a, b), own(a, b), cmp.Compare(a.Seq, b.Seq))
	})
	copies = slices.CompactFunc(copies, func(a, b object.Filed) bool { return a.Modified == b.Modified })
	if len(copies) == 0 {
		return nil, ErrUnknown
	}
	return copies, nil
}

func later(a, b object.Filed) int { return outdone(a) - outdone(b) }

func outdone(f object.Filed) int {
	if f.Standing == object.Older && f.Modified == "" {
		return 1
	}
	return 0
}

func own(a, b object.Filed) int {
	switch {
	case a.Own == b.Own:
		return 0
	case a.Own:
		return -1
	}
	return 1
}

// relations are what an object is tied to: what it refers to, and what refers to it, over a relationship or not.
func (r *reading) relations(ctx context.Context, o *stix.Object) (*status.Relations, error) {
	out := &status.Relations{Items: []status.Relation{}}
	seen := map[string]bool{o.ID: true}
	add := func(rel status.Relation) (full bool, err error) {
		if len(out.Items) == maxRelations {
			out.More = true
			return true, nil
		}
		if rel.Type, rel.Name, err = r.named(rel.ID); err == nil {
			out.Items = append(out.Items, rel)
		}
		return false, err
	}
	for _, ref := range o.Refs {
		if marks(ref.Property) || seen[ref.ID] {
			continue
		}
		seen[ref.ID] = true
		if full, err := add(status.Relation{Kind: ref.Property, Out: true, ID: ref.ID}); err != nil || full {
			return out, err
		}
	}
	in, err := r.find(ctx, &query.Node{Field: query.Ref, Value: o.ID}, "", maxRelations)
	if err != nil {
		return out, err
	}
	out.More = in.next != ""
	for _, f := range in.copies {
		_, from, err := r.hit(f)
		if err != nil {
			return out, err
		}
		if from == nil {
			continue
		}
		if full, err := add(tie(o.ID, from)); err != nil || full {
			return out, err
		}
	}
	return out, nil
}

// tie is what an object that refers to id says: a relationship leads on to its other end.
func tie(id string, from *stix.Object) status.Relation {
	if from.Type == "relationship" {
		source, target := from.Text("source_ref"), from.Text("target_ref")
		rel := status.Relation{Kind: from.Text("relationship_type"), Via: from.ID, ID: source}
		if source == id {
			rel.Out, rel.ID = true, target
		}
		if source == id || target == id {
			return rel
		}
	}
	rel := status.Relation{ID: from.ID}
	for _, ref := range from.Refs {
		if ref.ID == id {
			rel.Kind = ref.Property
			break
		}
	}
	return rel
}

// named is what a list calls an object, as far as the reader sees one.
func (r *reading) named(id string) (typ, name string, err error) {
	copies, err := r.newest(id)
	if err != nil || len(copies) == 0 {
		return "", "", err
	}
	f, err := r.tx.FiledAt(copies[0].Seq)
	if err != nil {
		return "", "", err
	}
	h, _, err := r.hit(f)
	return h.Type, h.Name, err
}
