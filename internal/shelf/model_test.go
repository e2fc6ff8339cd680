package shelf

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"shieldwall/internal/object"
	"shieldwall/internal/policy"
	"shieldwall/internal/stix"
)

// TestModel compares pages with a plain model over random copies, readers and queries.
func TestModel(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 7))
		b := newBench(t)
		pick := func(list ...string) string { return list[rng.IntN(len(list))] }
		var all []object.Copy
		gone := map[int64]bool{}
		for range 250 {
			if len(all) > 0 && rng.IntN(10) == 0 {
				c := all[rng.IntN(len(all))]
				if !gone[c.Seq] {
					b.withdraw(c)
					gone[c.Seq] = true
				}
				continue
			}
			typ := pick("indicator", "malware", "ipv4-addr")
			id := fmt.Sprintf("%s--%d", typ, rng.IntN(8))
			if rng.IntN(2) == 0 {
				id = fmt.Sprintf("%s--%d", typ, 100+rng.IntN(100))
			}
			modified, creator := "", 0
			if typ != "ipv4-addr" {
				modified, creator = pick("2026-01-01T00:00:00", "2026-02-01T00:00:00", "2026-03-01T00:00:00"), 1+int(id[len(id)-1])%4
			}
			all = append(all, b.put(pick("a", "b", "c", object.Posted("x")), id, modified, stix.Clear+stix.TLP(rng.IntN(5)), pick("alliance", "group:states", "everyone"),
				body(typ, id, modified, creator, pick("one", "two"))))
		}
		left := slices.DeleteFunc(slices.Clone(all), func(c object.Copy) bool { return gone[c.Seq] })
		for range 120 {
			who := policy.Reader{Kind: []policy.Kind{policy.Constituent, policy.Machine, policy.Staff}[rng.IntN(3)], Member: pick("a", "c")}
			q := Query{Audience: pick("alliance", "group:states", "everyone"), Limit: 1 + rng.IntN(20), Versions: []Versions{
				{}, {All: true}, {First: true}, {First: true, Last: true}, {Exact: []string{"2026-02-01T00:00:00"}}, {Last: true, Exact: []string{"2026-01-01T00:00:00"}},
			}[rng.IntN(6)]}
			if rng.IntN(3) == 0 {
				q.Types = []string{"malware", "indicator"}[rng.IntN(2):]
			}
			if rng.IntN(3) == 0 {
				q.IDs = []string{all[rng.IntN(len(all))].ID, all[rng.IntN(len(all))].ID}
			}
			if rng.IntN(3) == 0 {
				q.After = all[rng.IntN(len(all))].Admitted
			}
			if !b.shelves.MayRead(who, q.Audience) {
				continue
			}
			want := b.model(left, who, q)
			if got := b.all(who, q); !slices.Equal(got, want) {
				t.Fatalf("seed %d, %+v, %+v: %v, want %v", seed, who, q, got, want)
			}
		}
	}
}

// model says what a reader sees, the plain way.
func (b *bench) model(left []object.Copy, who policy.Reader, q Query) []int64 {
	a, err := policy.ParseAudience(q.Audience)
	if err != nil {
		b.t.Fatal(err)
	}
	byID := map[string][]object.Copy{}
	for _, c := range left {
		if c.Audience == q.Audience && policy.MayRead(b.members, who, stix.TLP(c.TLP), a) {
			byID[c.ID] = append(byID[c.ID], c)
		}
	}
	out := []int64{}
	for id, copies := range byID {
		if len(q.IDs) > 0 && !slices.Contains(q.IDs, id) || len(q.Types) > 0 && !slices.Contains(q.Types, copies[0].Type) {
			continue
		}
		shown := map[string]object.Copy{}
		var versions []string
		for _, c := range copies {
			if tookPlace(copies, c) {
				continue
			}
			best, held := shown[c.Modified]
			if !held {
				versions = append(versions, c.Modified)
			}
			if !held || b.own(c) && !b.own(best) && string(c.Raw) != string(best.Raw) {
				shown[c.Modified] = c
			}
		}
		slices.Sort(versions)
		for i, v := range versions {
			c := shown[v]
			if b.own(c) { // the first of the same bytes
				for _, o := range copies {
					if o.Modified == v && string(o.Raw) == string(c.Raw) && !tookPlace(copies, o) {
						c = o
						break
					}
				}
			}
			key := v
			if key == "" {
				key = stix.SortKey(c.Admitted.Format(object.AdmittedLayout))
			}
			w := q.Versions
			last := w.Last || !w.All && !w.First && len(w.Exact) == 0
			if (w.All || w.First && i == 0 || last && i == len(versions)-1 || slices.Contains(w.Exact, key)) && c.Admitted.After(q.After) {
				out = append(out, c.Seq)
			}
		}
	}
	slices.Sort(out)
	return out
}

// tookPlace says whether a later copy of the same publisher took a copy's place.
func tookPlace(copies []object.Copy, c object.Copy) bool {
	return slices.ContainsFunc(copies, func(o object.Copy) bool {
		return o.Publisher == c.Publisher && o.Modified == c.Modified && o.Seq > c.Seq && (o.TLP == c.TLP || c.Modified == "")
	})
}

// own says whether a copy is its creator's.
func (b *bench) own(c object.Copy) bool {
	o, err := stix.Parse(c.Raw, stix.Limits{})
	if err != nil {
		b.t.Fatal(err)
	}
	return o.CreatedBy != "" && b.members.Owner(o.CreatedBy) == c.Publisher
}
