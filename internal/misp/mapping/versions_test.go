package mapping

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/stix"
)

// shelf holds the newest version of each object, as a node does.
type shelf map[string][]byte

func (s shelf) get(id string) []byte { return s[id] }

// read reads an event and says which objects are new, and which have a new version.
func (s shelf) read(t *testing.T, event dict) (fresh, changed []string, r *Result) {
	t.Helper()
	r = toSTIX(t, event, Options{Previous: s.get})
	for _, o := range r.Objects {
		switch held := s[o.ID]; {
		case held == nil:
			fresh = append(fresh, o.ID)
		case !bytes.Equal(held, o.Raw):
			changed = append(changed, o.ID)
			a, b := parsed(t, held), parsed(t, o.Raw)
			if a.Created != b.Created || b.Version() <= a.Version() {
				t.Errorf("%s\nis followed by %s", held, o.Raw)
			}
		}
		s[o.ID] = o.Raw
	}
	return fresh, changed, r
}

func parsed(t testing.TB, raw []byte) *stix.Object {
	t.Helper()
	o, err := stix.Parse(raw, stix.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestVersions(t *testing.T) {
	one, two := "indicator--"+uuidOf(1), "indicator--"+uuidOf(2)
	report := "report--" + eventUUID
	base := func(over dict, first ...dict) dict {
		attrs := []dict{attribute(1, "ip-dst", "198.51.100.1", true, first...), attribute(2, "domain", "evil.example", true)}
		e := dict{"Attribute": attrs}
		for k, v := range over {
			e[k] = v
		}
		return mispEvent(e)
	}
	s := shelf{}
	fresh, _, _ := s.read(t, base(nil))
	if want := []string{"identity--" + orgUUID, one, two, report}; !slices.Equal(fresh, want) {
		t.Fatalf("%v", fresh)
	}
	first := base(nil)
	if fresh, changed, _ := s.read(t, first); len(fresh)+len(changed) > 0 {
		t.Errorf("the same event again: %v %v", fresh, changed)
	}
	// The event was touched: only what says something else has a new version.
	if _, changed, _ := s.read(t, base(dict{"timestamp": "1714567900"})); len(changed) > 0 {
		t.Errorf("a later timestamp alone: %v", changed)
	}
	if _, changed, _ := s.read(t, base(dict{"timestamp": "1714568000"}, dict{"comment": "c2", "timestamp": "1714568000"})); !slices.Equal(changed, []string{one}) {
		t.Errorf("a comment: %v", changed)
	}
	// The event's marking is in all of it, and the attributes' own timestamps have not moved.
	marked := dict{"timestamp": "1714568100", "Tag": []dict{{"name": "tlp:amber"}}}
	if _, changed, _ := s.read(t, base(marked, dict{"comment": "c2", "timestamp": "1714568000"})); !slices.Equal(changed, []string{one, two, report}) {
		t.Errorf("a marking: %v", changed)
	}
	if o := parsed(t, s[two]); o.Modified != "2024-05-01T12:55:00.000Z" || o.Markings()[0] != stix.Amber.MarkingID() {
		t.Errorf("%s", o.Raw)
	}
	// Within the same second.
	marked["Tag"] = []dict{{"name": "tlp:red"}}
	if _, changed, _ := s.read(t, base(marked, dict{"comment": "c2", "timestamp": "1714568000"})); !slices.Equal(changed, []string{one, two, report}) {
		t.Errorf("a marking in the same second: %v", changed)
	}
	if o := parsed(t, s[two]); o.Modified != "2024-05-01T12:55:00.001Z" {
		t.Errorf("%s", o.Raw)
	}
	// A copy from before all that, from another feed.
	_, changed, r := s.read(t, first)
	if len(changed) > 0 || !strings.Contains(r.Losses.List[0].Why, "older copy") {
		t.Errorf("an older copy: %v %v", changed, r.Losses)
	}
	// Deleted, for good.
	gone := dict{"timestamp": "1714568200", "Tag": []dict{{"name": "tlp:red"}}}
	if _, changed, _ := s.read(t, base(gone, dict{"comment": "c2", "timestamp": "1714568200", "deleted": true})); !slices.Equal(changed, []string{one}) {
		t.Errorf("deleted: %v", changed)
	}
	if o := parsed(t, s[one]); !o.Revoked {
		t.Errorf("%s", o.Raw)
	}
	gone["timestamp"] = "1714568300"
	if _, changed, r := s.read(t, base(gone, dict{"comment": "c2", "timestamp": "1714568300"})); len(changed) > 0 || !strings.Contains(r.Losses.List[0].Why, "revoked") {
		t.Errorf("undeleted: %v %v", changed, r.Losses)
	}
}

// What the node holds may be anything: it never keeps an event from being read.
func TestVersionsOfOthers(t *testing.T) {
	event := mispEvent(dict{"Attribute": []dict{attribute(1, "domain", "evil.example", true)}})
	for _, held := range []string{"{", "{}", `{"created":"x"}`, `{"created":"2024-05-01T00:00:00.000Z"}`, `{"created":"2024-05-01T00:00:00.000Z","modified":"2024-05-01T00:00:00.123456789Z"}`} {
		r := toSTIX(t, event, Options{Previous: func(string) []byte { return []byte(held) }})
		object(t, r, "indicator--"+uuidOf(1))
	}
}

func TestGroupingBecomesReport(t *testing.T) {
	draft := dict{"published": false, "publish_timestamp": "0", "Attribute": []dict{attribute(1, "domain", "evil.example", true)}}
	s := shelf{}
	fresh, _, _ := s.read(t, mispEvent(draft))
	if !slices.Contains(fresh, "grouping--"+eventUUID) || slices.Contains(fresh, "report--"+eventUUID) {
		t.Fatalf("%v", fresh)
	}
	draft["published"], draft["publish_timestamp"], draft["timestamp"] = true, "1714568000", "1714568000"
	fresh, changed, _ := s.read(t, mispEvent(draft))
	if !slices.Equal(fresh, []string{"report--" + eventUUID}) || !slices.Equal(changed, []string{"grouping--" + eventUUID}) || !parsed(t, s["grouping--"+eventUUID]).Revoked {
		t.Fatalf("%v %v", fresh, changed)
	}
	// Edited again, an event is unpublished until somebody publishes it; it stays a report.
	draft["published"], draft["timestamp"], draft["info"] = false, "1714568100", "better"
	fresh, changed, _ = s.read(t, mispEvent(draft))
	if len(fresh) > 0 || !slices.Equal(changed, []string{"report--" + eventUUID}) {
		t.Fatalf("%v %v", fresh, changed)
	}
}

// Without knowing what is held, one event gives one result.
func TestDeterministic(t *testing.T) {
	event := mispEvent(dict{"Attribute": []dict{attribute(1, "domain|ip", "evil.example|198.51.100.1", false), attribute(2, "filename|md5", "a|"+hexOf(32), false)}})
	a, b := toSTIX(t, event, Options{}), toSTIX(t, event, Options{})
	for i := range a.Objects {
		if !bytes.Equal(a.Objects[i].Raw, b.Objects[i].Raw) {
			t.Errorf("%s\n%s", a.Objects[i].Raw, b.Objects[i].Raw)
		}
	}
}

// created is before whatever happens on the event's day, wherever its date is read.
func TestTimes(t *testing.T) {
	for name, c := range map[string]struct {
		date, event, attribute, created, modified string
	}{
		"usual":          {"2024-05-01", "1714567890", "1714567800", "2024-04-30T10:00:00.000Z", "2024-05-01T12:50:00.000Z"},
		"of tomorrow":    {"2024-05-03", "1714567890", "1714567800", "2024-05-01T12:50:00.000Z", "2024-05-01T12:50:00.000Z"},
		"no own time":    {"2024-05-01", "1714567890", "0", "2024-04-30T10:00:00.000Z", "2024-05-01T12:51:30.000Z"},
		"only published": {"2024-05-01", "0", "0", "2024-04-30T10:00:00.000Z", "2024-05-01T12:53:19.000Z"},
		"no date":        {"", "1714567890", "1714567800", "2024-05-01T12:50:00.000Z", "2024-05-01T12:50:00.000Z"},
		"no such date":   {"2024-13-77", "1714567890", "1714567800", "2024-05-01T12:50:00.000Z", "2024-05-01T12:50:00.000Z"},
	} {
		r := toSTIX(t, mispEvent(dict{"date": c.date, "timestamp": c.event, "Attribute": []dict{attribute(1, "domain", "evil.example", true, dict{"timestamp": c.attribute})}}), Options{})
		if o := object(t, r, "indicator--"+uuidOf(1)); o.Created != c.created || o.Modified != c.modified || o.ValidFrom != c.created {
			t.Errorf("%s: %s", name, o.Raw)
		}
	}
	never := readEvent(t, mispEvent(dict{"date": "", "timestamp": "0", "publish_timestamp": "0"}))
	if _, err := ToSTIX(never, Options{}); err == nil {
		t.Error("an event of no time was read")
	}
}
