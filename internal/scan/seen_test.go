package scan

import (
	"fmt"
	"testing"
	"time"

	"shieldwall/internal/match"
	"shieldwall/internal/status"
)

// TestSeenIsBounded: what there is no room for is told again, and counted.
func TestSeenIsBounded(t *testing.T) {
	s := newSeen()
	s.most = 2
	told := 0
	for range 2 {
		for i := range 3 {
			d := &status.Detection{RuleID: fmt.Sprint(i), Time: time.Unix(1, 0), Source: "a", Record: "1"}
			if s.before(match.Key{}, d) == "" {
				told++
			}
		}
	}
	if told != 4 || s.beyond != 2 || len(s.first) != 2 {
		t.Errorf("%d told, %d not remembered, %d held", told, s.beyond, len(s.first))
	}
}
