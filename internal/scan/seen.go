package scan

import (
	"hash/maphash"
	"maps"
	"slices"

	"shieldwall/internal/match"
	"shieldwall/internal/status"
)

// maxSeen bounds the detections that later ones are compared with; beyond, duplicates are told as they come, and counted.
const maxSeen = 1 << 19

// seen knows detections again, by two hashes. Everything but the file's name has to be the same.
type seen struct {
	seeds [2]maphash.Seed
	first map[[2]uint64]origin
	// most is maxSeen, but in tests; beyond counts what there was no room for.
	most   int
	beyond int64
}

// origin is where a detection was first told of.
type origin struct{ source, record string }

func newSeen() *seen {
	return &seen{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, first: map[[2]uint64]origin{}, most: maxSeen}
}

// before tells where the same was told of before, and remembers what was not.
func (s *seen) before(rule match.Key, d *status.Detection) string {
	if d.Time.IsZero() {
		return "" // without a time, two records that look the same may be two
	}
	key := s.key(rule, d)
	if first, again := s.first[key]; again {
		return first.source + " " + first.record
	}
	if len(s.first) >= s.most {
		s.beyond++
		return ""
	}
	s.first[key] = origin{d.Source, d.Record}
	return ""
}

func (s *seen) key(rule match.Key, d *status.Detection) (key [2]uint64) {
	names := slices.Sorted(maps.Keys(d.Fields))
	for i, seed := range s.seeds {
		var h maphash.Hash
		h.SetSeed(seed)
		write := func(texts ...string) {
			for _, text := range texts {
				h.WriteString(text)
				h.WriteByte(0)
			}
		}
		write(rule.Publisher, rule.ID, d.RuleID, d.Computer, d.Channel, d.EventID, d.Record, d.Time.String())
		for _, name := range names {
			write(name, d.Fields[name])
		}
		key[i] = h.Sum64()
	}
	return key
}
