package publish

import (
	"fmt"
	"strings"
	"testing"

	"shieldwall/internal/stix"
)

// TestWarningsAreGathered: what deserves one remark a thousand times is told once, and what is not listed is counted.
func TestWarningsAreGathered(t *testing.T) {
	f := newFixture(t)
	var objects []string
	for i := range 2 * maxListed {
		id := fmt.Sprintf("%08d-1111-4111-8111-111111111111", i)
		objects = append(objects, fmt.Sprintf(`{"type":"malware","spec_version":"2.1","id":"malware--%s","created":"2026-01-01T00:00:00.000Z",`+
			`"modified":"2026-01-01T00:00:00.000Z","name":"n"}`, id))
		objects = append(objects, fmt.Sprintf(`{"type":"relationship","spec_version":"2.1","id":"relationship--%s","created":"2026-01-01T00:00:00.000Z",`+
			`"modified":"2026-01-01T00:00:00.000Z","relationship_type":"uses","source_ref":"malware--%s","target_ref":"tool--%s"}`, id, id, id))
	}
	got := f.publish(Request{TLP: stix.Green, Items: []Item{stixFile("x.json", objects...)}}).Warnings
	families := 0
	for _, w := range got {
		if strings.Contains(w, "is_family") {
			families++
			if want := fmt.Sprintf("(and %d more objects of type malware)", 2*maxListed-1); !strings.Contains(w, want) {
				t.Errorf("%q does not say %q", w, want)
			}
		}
	}
	if last := got[len(got)-1]; families != 1 || len(got) != maxListed+1 || last != fmt.Sprintf("%d more warnings", maxListed+1) {
		t.Errorf("%d warnings, %d of families, the last is %q", len(got), families, last)
	}
}
