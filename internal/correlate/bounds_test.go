package correlate

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/event"
)

// hit adds an event with one field to an engine.
func hit(e *Engine, rule string, at float64, value string) []Alert {
	ev := &event.Event{Record: fmt.Sprint(at, value), Fields: []event.Field{{Name: "u", Value: event.Str(value)}}}
	return e.Add(ev, second(at), Hit{Key: Key{ID: rule}})
}

// TestManyGroups: a correlation with a million groups holds no more than its share, forgets what was longest without
// an event, and costs its neighbour nothing.
func TestManyGroups(t *testing.T) {
	text := "type: event_count\nrules: %s\ngroup-by: [u]\ntimespan: 1h\ncondition: {gte: 3}"
	e := engine(t, Options{}, section(t, "flood", fmt.Sprintf(text, "a")), section(t, "calm", fmt.Sprintf(text, "b")))
	hit(e, "b", 0, "x")
	hit(e, "b", 1, "x")
	const keys = 1_000_000
	for i := range keys {
		if i%10_000 == 0 {
			hit(e, "a", float64(i)/1000, "returns") // never the longest without an event
		}
		hit(e, "a", float64(i)/1000, fmt.Sprint("key", i))
	}
	flood, _ := e.StatsOf(Key{ID: "flood"})
	if flood.Groups > MaxGroups || flood.Groups < MaxGroups*9/10 || flood.Bytes > MaxBytes || flood.EvictedGroups != int64(keys+1-flood.Groups) || flood.Told != 1 {
		t.Errorf("%+v", flood)
	}
	calm, _ := e.StatsOf(Key{ID: "calm"})
	if got := hit(e, "b", 2, "X"); len(got) != 1 || calm.Groups != 1 || calm.EvictedGroups != 0 {
		t.Errorf("the neighbour tells %d: %+v", len(got), calm)
	}
	checkHeld(t, e)
}

// TestTotal: where all correlations together hold too much, the largest pays.
func TestTotal(t *testing.T) {
	e := New(Options{})
	e.limits = limits{events: 100, groups: 1000, bytes: 1 << 20, total: 256 << 10}
	var rules []Rule
	for i := range 4 {
		rules = append(rules, section(t, fmt.Sprint("r", i), fmt.Sprintf("type: event_count\nrules: a%d\ngroup-by: [u]\ntimespan: 1h\ncondition: {gte: 3}", i)))
	}
	if err := e.Update(rules, nil); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		hit(e, "a0", 0, fmt.Sprint(i))
	}
	for i := range 900 {
		hit(e, "a1", 1, fmt.Sprint(i))
		hit(e, "a2", 1, fmt.Sprint(i))
		if e.bytes > e.limits.total {
			t.Fatalf("%d bytes are held, %d may be", e.bytes, e.limits.total)
		}
	}
	small, _ := e.StatsOf(Key{ID: "r0"})
	one, _ := e.StatsOf(Key{ID: "r1"})
	two, _ := e.StatsOf(Key{ID: "r2"})
	if small.EvictedGroups != 0 || one.EvictedGroups < 100 || two.EvictedGroups < 100 || one.Groups < 50 || two.Groups < 50 {
		t.Errorf("small %+v\none %+v\ntwo %+v", small, one, two)
	}
	checkHeld(t, e)
}

// TestFullGroup: the earliest of too many events is forgotten; where windows that are over can be judged, they are.
func TestFullGroup(t *testing.T) {
	small := func(text string) *Engine {
		e := New(Options{Lateness: Unordered})
		e.limits.events = 10
		if err := e.Update([]Rule{section(t, "r", text)}, nil); err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := small("type: event_count\nrules: a\ntimespan: 100s\ncondition: {gte: 8}")
	for i := range 100 {
		if got := hit(e, "a", float64(20*i), "x"); got != nil {
			t.Fatal("one each 20 seconds is not eight in 100")
		}
	}
	if st := e.Stats(); st.Events != 10 || st.EvictedEvents != 90 {
		t.Errorf("%+v", st)
	}
	for i := range 3 {
		if got := hit(e, "a", 1980+float64(i+1), "x"); len(got) != i/2 {
			t.Errorf("event %d more: %v", i, got)
		}
	}
	e = small("type: event_count\nrules: a\ntimespan: 100s\ncondition: {gte: 2, lt: 5}")
	told := 0
	for i := range 100 {
		told += len(hit(e, "a", float64(1000*(i/(2+i%5))+i%7), fmt.Sprint(i)))
	}
	told += len(e.Finish())
	st := e.Stats()
	if told == 0 || int64(told) != st.Told || st.Events != 0 {
		t.Errorf("%d told, %+v", told, st)
	}
	// In the order of time nothing is lost by a full group.
	e = small("type: event_count\nrules: a\ntimespan: 100s\ncondition: {gte: 2, lt: 5}")
	told = 0
	for i := range 300 { // three each 1000 seconds
		told += len(hit(e, "a", float64(1000*(i/3)+i%3), "x"))
	}
	told += len(e.Finish())
	if st := e.Stats(); told != 100 || st.EvictedEvents != 0 {
		t.Errorf("%d told, want 100; %+v", told, st)
	}
}

// TestBytes: long texts count, and what is held is what is booked, within a factor.
func TestBytes(t *testing.T) {
	e := engine(t, Options{}, section(t, "r", "type: value_count\nrules: a\ngroup-by: [g]\ntimespan: 1h\ncondition: {field: u, gte: 9000}"))
	long := strings.Repeat("x", 2_000)
	for i := range 20_000 {
		ev := &event.Event{
			Record: fmt.Sprint(i, long), Source: long, Computer: fmt.Sprint(i) + long,
			Fields: []event.Field{{Name: "g", Value: event.Str(fmt.Sprint(i%4) + long)}, {Name: "u", Value: event.Str(fmt.Sprint(i) + long)}},
		}
		e.Add(ev, second(float64(i)/100), Hit{Key: Key{ID: "a"}})
	}
	st := e.Stats()
	if st.Bytes > MaxBytes || st.Bytes < MaxBytes/2 || st.EvictedGroups+st.EvictedEvents == 0 {
		t.Errorf("%+v", st)
	}
	checkHeld(t, e)
	if got := short(long); len(got) > maxText || got == short(long+"y") || !slices.Equal([]string{short("a")}, []string{"a"}) {
		t.Errorf("%q", got)
	}
}

// TestBooked compares the bytes that are booked with those of the process.
func TestBooked(t *testing.T) {
	for _, section := range []Rule{
		section(t, "r", "type: event_count\nrules: a\ngroup-by: [u]\ntimespan: 1h\ncondition: {gte: 3}"),
		section(t, "r", "type: value_count\nrules: a\ntimespan: 1h\ncondition: {field: u, gte: 9999}"),
		section(t, "r", "type: temporal_ordered\nrules: [a, b]\ngroup-by: [u]\ntimespan: 1h"),
	} {
		before := inUse()
		e := engine(t, Options{}, section)
		for i := range 9000 {
			hit(e, "a", float64(i), fmt.Sprint("value", i))
		}
		used, booked := int(inUse()-before), e.Stats().Bytes
		runtime.KeepAlive(e)
		if t.Logf("%s: %d bytes used, %d booked", section.Type, used, booked); used > 2*booked {
			t.Errorf("%s: %d bytes are used, %d booked", section.Type, used, booked)
		}
	}
}

func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
