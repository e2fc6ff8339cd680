package stixpattern

import (
	"cmp"
	"slices"
)

// flow shares observations out between demands: a maximum flow by augmenting paths.
type flow struct {
	search  *search
	demands []demand
	edges   [][]int32         // of each demand: the observations it may have
	free    map[int32]int64   // of an observation
	held    map[int32][]share // of an observation
	visited []bool            // demands, on this path
}

// share is what a demand has of an observation.
type share struct {
	demand int
	number int64
}

// share tells whether all demands can be met at once, by distinct observations. With keep, the observations
// are kept as what was found.
func (s *search) share(demands []demand, keep bool) bool {
	want := int64(0)
	for _, d := range demands {
		if want += d.times; want > s.total || want < 0 {
			return false
		}
	}
	f := &flow{search: s, demands: demands, free: map[int32]int64{}, held: map[int32][]share{}}
	for _, d := range f.demands {
		f.edges = append(f.edges, s.edges(d, want))
	}
	f.visited = make([]bool, len(f.demands))
	order := make([]int, len(f.demands))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(f.edges[a]), len(f.edges[b])) })
	for _, i := range order {
		for missing := f.demands[i].times; missing > 0; {
			clear(f.visited)
			got := f.push(i, missing)
			if got == 0 || s.spent() {
				return false
			}
			missing -= got
		}
	}
	if keep {
		s.found = f.bound()
	}
	return true
}

// edges lists observations that a demand may have. All demands together take want of them, so that one
// with a choice of want can always be met and needs no more to choose from.
func (s *search) edges(d demand, want int64) []int32 {
	var out []int32
	s.each(&s.times[d.node.id], d.bounds, func(at int32) bool {
		out = append(out, at)
		want -= s.spans[at].number
		return want > 0
	})
	return out
}

// push gives a demand up to want observations, moving others where that helps; it returns how many.
func (f *flow) push(i int, want int64) int64 {
	f.visited[i] = true
	for _, at := range f.edges[i] {
		if f.search.steps++; f.search.spent() {
			return 0
		}
		if n := min(want, f.left(at)); n > 0 {
			f.free[at] -= n
			f.give(at, i, n)
			return n
		}
	}
	for _, at := range f.edges[i] {
		for _, h := range f.held[at] {
			if f.search.steps++; f.search.spent() {
				return 0
			}
			if f.visited[h.demand] {
				continue
			}
			if n := f.push(h.demand, min(want, h.number)); n > 0 {
				f.give(at, h.demand, -n)
				f.give(at, i, n)
				return n
			}
		}
	}
	return 0
}

func (f *flow) left(at int32) int64 {
	if _, known := f.free[at]; !known {
		f.free[at] = f.search.spans[at].number
	}
	return f.free[at]
}

// give changes what a demand has of an observation.
func (f *flow) give(at int32, i int, n int64) {
	list := slices.Clone(f.held[at]) // push may be walking over it
	k := slices.IndexFunc(list, func(h share) bool { return h.demand == i })
	switch {
	case k < 0:
		list = append(list, share{i, n})
	case list[k].number+n == 0:
		list = slices.Delete(list, k, k+1)
	default:
		list[k].number += n
	}
	f.held[at] = list
}

// bound lists the observations that are in use.
func (f *flow) bound() []int {
	out := []int{}
	for at, list := range f.held {
		if len(list) > 0 {
			out = append(out, int(at))
		}
	}
	slices.Sort(out)
	return out
}
