package literal

import "fmt"

func (s *Set) Dump() string {
	out := fmt.Sprintf("tail %d head %d", len(s.tail.entries), len(s.head.entries))
	for _, p := range s.passes {
		out += fmt.Sprintf(" pass(%d/%d: %d)", p.size, p.stride, len(p.entries))
	}
	return out
}
