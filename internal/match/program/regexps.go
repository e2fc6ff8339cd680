package program

import (
	"regexp"
	"sync"
	"weak"

	"shieldwall/internal/event"
	"shieldwall/internal/match/dfa"
	"shieldwall/internal/match/literal"
	"shieldwall/internal/sigma"
)

// Shared is what all programs of one engine have in common.
type Shared struct {
	Names *event.Names
	Model *literal.Model // tells rare literals from common ones; not written to any more

	mu       sync.Mutex
	machines map[string]weak.Pointer[machine]
	limit    int // of machines before those that nobody uses are taken out
}

// machine is a regular expression, ready to be asked. Its table is made when a text first gets past the
// literals that guard it: most expressions never see one.
type machine struct {
	re     *regexp.Regexp
	source string
	once   sync.Once
	table  *dfa.DFA
}

func (m *machine) match(text string) bool {
	m.once.Do(func() { m.table = dfa.New(m.source) })
	if m.table != nil {
		if match, known := m.table.Match(text); known {
			return match
		}
	}
	return m.re.MatchString(text)
}

// machine returns the one for an expression: programs share it, and keep its table when they are merged.
func (s *Shared) machine(v sigma.Regexp) *machine {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.machines[v.Source].Value(); m != nil {
		return m
	}
	if len(s.machines) >= max(s.limit, minMachines) {
		for source, p := range s.machines {
			if p.Value() == nil {
				delete(s.machines, source)
			}
		}
		s.limit = 2 * len(s.machines)
	}
	if s.machines == nil {
		s.machines = map[string]weak.Pointer[machine]{}
	}
	m := &machine{re: v.Compiled, source: v.Source}
	s.machines[v.Source] = weak.Make(m)
	return m
}

const minMachines = 1024
