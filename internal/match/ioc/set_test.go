package ioc

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

type plain map[string]map[[2]uint32]bool

// check holds a set to a map, for values that it has and has not.
func check(t *testing.T, s *Set, want plain) {
	t.Helper()
	total := 0
	for text, cells := range want {
		total += len(cells)
		got := s.Find(s.Key(1, []byte(text)))
		if len(got) != len(cells) {
			t.Fatalf("%s: %d cells, want %d", text, len(got), len(cells))
		}
		for _, c := range got {
			if !cells[[2]uint32{c.Owner, c.Note}] {
				t.Fatalf("%s: a cell of nobody's: %+v", text, c)
			}
		}
		if len(s.Find(s.Key(2, []byte(text)))) != 0 {
			t.Fatalf("%s: found under another kind", text)
		}
	}
	if s.Len() != total {
		t.Fatalf("%d cells, want %d", s.Len(), total)
	}
	for i := range 1000 {
		if text := fmt.Sprint("absent", i); len(s.Find(s.Key(1, []byte(text)))) != 0 {
			t.Fatalf("%s is there", text)
		}
	}
}

// run does what the bytes say to a set and to a map.
func run(t *testing.T, script []byte) {
	s, want := New(), plain{}
	for ; len(script) >= 4; script = script[4:] {
		owner, from, n := uint32(script[0]%8), int(script[1]), int(script[2])
		if script[3]%3 == 0 { // take an owner out
			for _, cells := range want {
				for c := range cells {
					if c[0] == owner {
						delete(cells, c)
					}
				}
			}
			s = s.Edit(nil, nil, true, func(c Cell) bool { return c.Owner == owner }, nil, nil)
			continue
		}
		var add []Entry
		for i := from; i < from+n; i++ {
			text := fmt.Sprint("v", i)
			note := uint32(script[3] % 2)
			add = append(add, Entry{s.Key(1, []byte(text)), owner, note})
			if want[text] == nil {
				want[text] = map[[2]uint32]bool{}
			}
			want[text][[2]uint32{owner, note}] = true
		}
		s = s.Edit(add, nil, false, nil, nil, nil)
	}
	check(t, s, want)
}

func TestSet(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		script := make([]byte, 4*20)
		for i := 0; i < len(script); i += 8 {
			binary.LittleEndian.PutUint64(script[i:], r.Uint64())
		}
		run(t, script)
	}
}

func FuzzSet(f *testing.F) {
	seeds := [][]byte{{1, 0, 200, 1, 2, 100, 200, 1, 1, 0, 0, 0}, {1, 0, 9, 1, 1, 0, 9, 1, 1, 0, 9, 2}, {}, {1}, {2, 0, 0, 0, 2, 0, 0, 0}}
	if len(seeds) != 5 {
		f.Fatalf("%d seeds", len(seeds))
	}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		run(t, script[:min(len(script), 200)])
	})
}

// TestOldSetStays: who reads a set while the next one is made sees it unchanged.
func TestOldSetStays(t *testing.T) {
	s := New()
	var add []Entry
	for i := range 5000 {
		add = append(add, Entry{s.Key(1, fmt.Append(nil, i)), uint32(i % 2), 0})
	}
	old := s.Edit(add, nil, false, nil, nil, nil)
	gone := 0
	next := old.Edit(nil, nil, true, func(c Cell) bool { return c.Owner == 0 }, func(Cell) { gone++ }, nil)
	if s.Len() != 0 || old.Len() != 5000 || next.Len() != 2500 || gone != 2500 {
		t.Fatalf("%d, %d, %d cells, %d gone", s.Len(), old.Len(), next.Len(), gone)
	}
	for i := range 5000 {
		k := s.Key(1, fmt.Append(nil, i))
		if len(old.Find(k)) != 1 || len(next.Find(k)) != i%2 {
			t.Fatalf("%d: %d cells before, %d after", i, len(old.Find(k)), len(next.Find(k)))
		}
	}
}

// TestOneValueOfMany: a value that very many owners share costs its shard only, and all are found.
func TestOneValueOfMany(t *testing.T) {
	s := New()
	k := s.Key(1, []byte("x"))
	var add []Entry
	for i := range 100_000 {
		add = append(add, Entry{k, uint32(i), 0})
	}
	s = s.Edit(add, nil, false, nil, nil, nil)
	if got := len(s.Find(k)); got != 100_000 {
		t.Fatalf("%d cells", got)
	}
}
