package detect

import (
	"fmt"
	"testing"

	"shieldwall/internal/object"
	"shieldwall/internal/sigma"
)

// TestProfile: a detector measures its share of events by itself, whatever becomes live meanwhile.
func TestProfile(t *testing.T) {
	b := newBench(t)
	found, err := sigma.Parse([]byte(vssRule), sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b.SetLocalRules([]LocalRule{{Path: "rules/vss.yml", Rule: found.Rules[0]}})
	chain := b.store.put(indicatorCopy(t, "bravo", uuidNumber(2), "stix", "[process:command_line LIKE '%shadows%'] REPEATS 2 TIMES"))
	b.Apply([]object.Change{chain})
	b.engine.Measure(1) // so that it does not matter which
	for i := range 8 {
		submit(t, b, processEvent("ws01", fmt.Sprint("vssadmin delete shadows ", i)))
	}
	p := b.Profile(10)
	if p.OneIn != 1 || p.Measured != 8 || p.Events != 8 || p.Looked != 2 || len(p.Rules) != 2 || p.Correlations == nil {
		t.Fatalf("%+v", p)
	}
	for _, r := range p.Rules {
		if r.Looked != p.Measured || r.Held != p.Measured || (r.File == "rules/vss.yml:1") == (r.Publisher == "bravo") {
			t.Errorf("%+v", r)
		}
	}
	if len(p.Patterns) != 1 || p.Patterns[0].Asked != 8 || p.Patterns[0].Held != 4 || p.Patterns[0].Publisher != "bravo" || p.Patterns[0].ID != chain.ID {
		t.Errorf("%+v", p.Patterns)
	}
	if p := newBench(t).Profile(10); p.OneIn != measureOneIn || p.Measured != 0 || p.Rules == nil || p.Patterns == nil {
		t.Errorf("at the start: %+v", p)
	}
}
