package shelf

import (
	"bytes"
	"fmt"
	"slices"

	"shieldwall/internal/object"
	"shieldwall/internal/stix"
)

// visible are the copies of an object on the shelves that the reader may see, in order of admission.
func (r *reading) visible(id string) ([]object.Filed, error) {
	copies, err := r.tx.FiledCopies(id)
	return slices.DeleteFunc(copies, func(f object.Filed) bool { return !slices.Contains(r.open, f.Shelf) }), err
}

// choose picks the copies to show of one object: one for each version that is wanted.
func (r *reading) choose(copies []object.Filed) (map[int64]bool, error) {
	versions := map[string][]object.Filed{}
	var order []string
	for _, c := range current(copies) {
		if versions[c.Modified] == nil {
			order = append(order, c.Modified)
		}
		versions[c.Modified] = append(versions[c.Modified], c)
	}
	slices.Sort(order)
	shown := map[int64]bool{}
	for i, version := range order {
		if !r.wantedPlace(i, len(order)) && len(r.q.Versions.Exact) == 0 {
			continue
		}
		c, err := r.representative(versions[version])
		if err != nil {
			return nil, err
		}
		wanted := r.wantedPlace(i, len(order))
		if !wanted {
			if wanted, err = r.exact(c.Copy); err != nil {
				return nil, err
			}
		}
		shown[c.Seq] = wanted
	}
	return shown, nil
}

// wantedPlace says whether the i-th of n versions is wanted for its place.
func (r *reading) wantedPlace(i, n int) bool {
	v := r.q.Versions
	return v.All || v.First && i == 0 || (v.Last || v.newestOnly()) && i == n-1
}

// place is where one publisher's copies of one version can be; of an object without versions it has one in all.
type place struct {
	publisher, version string
	shelf              int64
}

// current leaves out copies that a later one of their publisher took the place of.
func current(copies []object.Filed) []object.Filed {
	at := func(c object.Filed) place {
		if c.Modified == "" {
			return place{publisher: c.Publisher}
		}
		return place{c.Publisher, c.Modified, c.Shelf}
	}
	last := map[place]int64{}
	for _, c := range copies {
		last[at(c)] = c.Seq
	}
	return slices.DeleteFunc(slices.Clone(copies), func(c object.Filed) bool { return last[at(c)] != c.Seq })
}

// representative is the copy to show of those of one version, given in order of admission: the creator's own, else
// the first. Where an earlier copy has the creator's very bytes it stands for it: whoever has seen it is not shown
// the same again.
func (r *reading) representative(copies []object.Filed) (object.Filed, error) {
	own := slices.IndexFunc(copies, func(c object.Filed) bool { return c.Own })
	if own <= 0 {
		return copies[0], nil
	}
	body, err := r.body(copies[own])
	if err != nil {
		return object.Filed{}, err
	}
	for _, c := range copies[:own] {
		earlier, err := r.body(c)
		if err != nil {
			return object.Filed{}, err
		}
		if bytes.Equal(earlier, body) {
			return c, nil
		}
	}
	return copies[own], nil
}

// body is a copy's, in clear.
func (r *reading) body(f object.Filed) ([]byte, error) {
	c, err := r.tx.CopyAt(f.Seq)
	if err == nil {
		c, err = r.s.opt.Open(c)
	}
	return c.Raw, err
}

// exact says whether a copy's version is one of those named.
func (r *reading) exact(c object.Copy) (bool, error) {
	key := c.Modified
	if key == "" {
		var err error
		if c.Raw == nil {
			c, err = r.tx.CopyAt(c.Seq)
		}
		if err == nil {
			c, err = r.s.opt.Open(c)
		}
		if err != nil {
			return false, err
		}
		version, err := Version(c)
		if err != nil {
			return false, err
		}
		key = stix.SortKey(version)
	}
	return slices.Contains(r.q.Versions.Exact, key), nil
}

// Version is a copy's version as TAXII 2.1, section 3.4.1, has it: when it was modified, else created, both as the
// object spells it, else when it was admitted here. The copy's body is in clear.
func Version(c object.Copy) (string, error) {
	if c.Modified == "" && stix.IsObservable(c.Type) {
		return c.Admitted.Format(object.AdmittedLayout), nil
	}
	o, err := stix.Parse(c.Raw, stix.Limits{})
	switch {
	case err != nil:
		return "", fmt.Errorf("%s as kept here: %w", c.ID, err)
	case c.Modified != "":
		return o.Modified, nil
	case stix.SortKey(o.Created) != "":
		return o.Created, nil
	}
	return c.Admitted.Format(object.AdmittedLayout), nil
}
