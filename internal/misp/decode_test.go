package misp

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

const whole = `{"Event": {"id":"7","uuid":"5CFC1A2B-0001-4000-8000-000000000001","info":"a \u00e9 \ud83d\ude00","date":"2024-05-01","timestamp":"1714567890",
"published":true,"publish_timestamp":1714567999,"analysis":"2","threat_level_id":"1","distribution":"4","sharing_group_id":"3",
"Orgc":{"id":"1","uuid":"5cfc1a2b-0002-4000-8000-000000000001","name":"CERT"},"Org":[],
"SharingGroup":{"uuid":"5cfc1a2b-0003-4000-8000-000000000001","name":"g","active":true,"SharingGroupOrg":[{"org_id":"1","Organisation":{"uuid":"5cfc1a2b-0002-4000-8000-000000000001","name":"CERT"}}]},
"Tag":[{"name":"tlp:amber","colour":"#FFC000","local":"0"},{"name":"mine","local":1}],
"Galaxy":[{"name":"Attack Pattern","type":"mitre-attack-pattern","GalaxyCluster":[{"uuid":"5cfc1a2b-0004-4000-8000-000000000001","value":"Phishing - T1566","type":"mitre-attack-pattern","tag_name":"misp-galaxy:mitre-attack-pattern=\"Phishing - T1566\"","meta":{"external_id":["T1566"],"x":"y","deep":[{"a":1}]}},{"value":"no uuid"}]}],
"Attribute":[{"uuid":"5cfc1a2b-0005-4000-8000-000000000001","type":"ip-dst","category":"Network activity","value":"198.51.100.1","to_ids":"1","timestamp":"1714567800","distribution":"5","deleted":false,"comment":"c2","first_seen":"2024-05-01T10:00:00.123456+0200","last_seen":"soon","Sighting":[{"uuid":"5cfc1a2b-0006-4000-8000-000000000001","type":"1","date_sighting":"1714567810","source":"s","Organisation":{"uuid":"5cfc1a2b-0002-4000-8000-000000000001","name":"CERT"}}],"ShadowAttribute":[]},
{"uuid":"nope","type":"md5","value":"x"},{"uuid":"5cfc1a2b-0005-4000-8000-000000000002","type":"md5","value":""}],
"Object":[{"uuid":"5cfc1a2b-0007-4000-8000-000000000001","name":"file","meta-category":"file","template_version":"24","Attribute":[{"uuid":"5cfc1a2b-0005-4000-8000-000000000003","type":"filename","object_relation":"filename","value":"a.exe","distribution":"9"}],"ObjectReference":[{"uuid":"5cfc1a2b-0008-4000-8000-000000000001","referenced_uuid":"5cfc1a2b-0005-4000-8000-000000000001","relationship_type":"connects-to"}]}],
"EventReport":[{"uuid":"5cfc1a2b-0009-4000-8000-000000000001","name":"r","content":"# r","timestamp":"1714567890","distribution":"5"}],
"ShadowAttribute":[{"x":1}],"RelatedEvent":[],"Novelty":"x"}}`

func decode(t *testing.T, text string) []*Event {
	t.Helper()
	var out []*Event
	err := Decode(iotest.HalfReader(strings.NewReader(text)), Limits{}, func(e *Event) error {
		out = append(out, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDecode(t *testing.T) {
	events := decode(t, whole)
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	e := events[0]
	if e.UUID != "5cfc1a2b-0001-4000-8000-000000000001" || e.Info != "a é 😀" || !e.Published || e.PublishTime.Unix() != 1714567999 ||
		e.Analysis != 2 || e.ThreatLevel != 1 || e.Distribution != InSharingGroup || e.Orgc.Name != "CERT" || e.Org.UUID != "" {
		t.Errorf("event: %+v", e)
	}
	if g := e.Group; g == nil || !g.Active || len(g.Orgs) != 1 || g.Orgs[0].UUID != e.Orgc.UUID {
		t.Errorf("sharing group: %+v", g)
	}
	if len(e.Tags) != 2 || e.Tags[0].Local || !e.Tags[1].Local {
		t.Errorf("tags: %+v", e.Tags)
	}
	c := e.Galaxies[0].Clusters
	if len(c) != 1 || c[0].Values("external_id")[0] != "T1566" || c[0].Values("x")[0] != "y" || c[0].Values("deep") != nil {
		t.Errorf("clusters: %+v", c)
	}
	a := e.Attributes
	if len(a) != 1 || !a[0].ToIDs || a[0].Path != "Event.Attribute[0]" || a[0].Distribution != Inherit ||
		!a[0].FirstSeen.Equal(time.Date(2024, 5, 1, 8, 0, 0, 123456000, time.UTC)) || !a[0].LastSeen.IsZero() {
		t.Errorf("attributes: %+v", a)
	}
	if s := a[0].Sightings; len(s) != 1 || s[0].Type != FalsePositive || s[0].Org.Name != "CERT" {
		t.Errorf("sightings: %+v", s)
	}
	o := e.Objects[0]
	if o.Name != "file" || o.Attributes[0].Relation != "filename" || o.Attributes[0].Distribution != Unknown || o.References[0].Relationship != "connects-to" {
		t.Errorf("object: %+v", o)
	}
	if e.Reports[0].Content != "# r" || e.Reports[0].Distribution != Inherit {
		t.Errorf("reports: %+v", e.Reports)
	}
	want := []string{
		`Event.Galaxy[0].GalaxyCluster[0].meta.deep[0]: nested meta`,
		`Event.Galaxy[0].GalaxyCluster[1]: a cluster without a UUID`,
		`Event.Attribute[0].last_seen: "soon" is no time`,
		`Event.Attribute[1]: an attribute whose uuid "nope" is none`,
		`Event.Attribute[2]: an attribute without a value`,
		`Event.Object[0].Attribute[0].distribution: "9" is no distribution: for nobody`,
		`Event.ShadowAttribute: proposals are no part of an event until its owner accepts them`,
		`Event.Novelty: not a member that is known here`,
	}
	if len(e.Losses.List) != len(want) {
		t.Fatalf("losses: %v", e.Losses.List)
	}
	for i, l := range e.Losses.List {
		if l.String() != want[i] {
			t.Errorf("loss %d: %s\nwant %s", i, l, want[i])
		}
	}
}

const tiny = `{"uuid":"5cfc1a2b-0001-4000-8000-00000000000%","info":"i"}`

func event(n string) string { return strings.Replace(tiny, "%", n, 1) }

func TestWrappings(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"alone":         {event("1"), 1},
		"wrapped":       {`{"Event":` + event("1") + `}`, 1},
		"after a word":  {`{"errors":[],"Event":` + event("1") + `,"name":"x"}`, 1},
		"list":          {`[` + event("1") + `,{"Event":` + event("2") + `}]`, 2},
		"response":      {`{"response":[{"Event":` + event("1") + `},{"Event":` + event("2") + `}]}`, 2},
		"one response":  {`{"response":{"Event":` + event("1") + `}}`, 1},
		"mark in front": {"\ufeff" + event("1"), 1},
	} {
		if got := decode(t, c.text); len(got) != c.want {
			t.Errorf("%s: %d events, want %d", name, len(got), c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for text, want := range map[string]string{
		``:                          "byte 0: the text ends where an event should be",
		`[]`:                        "byte 2: no event here",
		`{"response":[]}`:           "byte 15: no event here",
		`7`:                         "neither an event nor a list of events",
		`[[]]`:                      "[0] (byte 1): neither an event nor a list of events",
		`{"Event":{"info":"x"}}`:    `uuid "" is no UUID`,
		`{"uuid":"x","uuid":"y"}`:   `the name "uuid" appears twice in one object`,
		`{"info":"` + "\xff" + `"}`: "info (byte 11): invalid UTF-8",
		`{"info":"\ud800x"}`:        "info (byte 16): lone surrogate in a string",
		`{"info":"a` + "\n" + `"}`:  "control character in a string",
		`{"info":"\x"}`:             "unknown escape",
		`{"timestamp":"-1"}`:        `timestamp (byte 17): "-1" is no time in seconds since 1970`,
		`{"timestamp":01}`:          "malformed number",
		`{"timestamp":1e999999999999999999999999999999999999999999999999999999999999999}`: "a number of more than 64 characters",
		`{"analysis":"99999999999"}`: "is no whole number",
		`{"published":"maybe"}`:      `"maybe" is neither true nor false`,
		`{"published":truf}`:         "not a JSON value",
		`{"info":["x"]}`:             "a list or an object where a single value should be",
		`{"Attribute":{"a":1}}`:      "Attribute.a (byte 18): an object where a list should be",
		`{"Attribute":["x"]}`:        "Attribute[0] (byte 14): not an object",
		`{"Novelty":` + deep + `}`:   "nested deeper than 32",
		event("1") + `x`:             "text after the document",
		event("1")[:20]:              "the text ends inside a string",
		`{"uuid" 1}`:                 "no colon after the name",
		`{"uuid":1 "x":2}`:           "no comma or closing brace",
		`{"Tag":[1 2]}`:              "Tag[0] (byte 8): not an object",
		`{"Tag":[{} {}]}`:            "no comma or closing bracket",
		`{"Tag":[{},]}`:              "not an object",
	} {
		err := Decode(strings.NewReader(text), Limits{}, func(*Event) error { return nil })
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v\nwant %s", text, err, want)
		}
	}
}

func TestLimits(t *testing.T) {
	long := `{"uuid":"5cfc1a2b-0001-4000-8000-000000000001","info":"` + strings.Repeat("x", 300) + `"}`
	list := `[` + event("1") + `,` + event("2") + `,` + event("3") + `]`
	for _, c := range []struct {
		text   string
		limits Limits
		want   string // "" for none
		events int
	}{
		{long, Limits{Document: int64(len(long))}, "", 1},
		{long, Limits{Document: int64(len(long)) - 1}, "the document is larger than it may be", 0},
		{long, Limits{Event: 200}, "the event is larger than it may be", 0},
		{list, Limits{Event: 100}, "", 3},
		{list, Limits{Events: 2}, "more than 2 elements", 2},
		{`{"uuid":"5cfc1a2b-0001-4000-8000-000000000001","info":"` + strings.Repeat("x", MaxText+1) + `"}`, Limits{}, "a text of more than", 0},
		{`{"uuid":"5cfc1a2b-0001-4000-8000-000000000001","Tag":[` + strings.Repeat(`{"name":"x"},`, MaxTags) + `{}]}`, Limits{}, "Tag (byte", 0},
	} {
		events := 0
		err := Decode(strings.NewReader(c.text), c.limits, func(*Event) error { events++; return nil })
		if events != c.events || c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%.40q %+v: %d events, %v; want %d, %q", c.text, c.limits, events, err, c.events, c.want)
		}
	}
}

// A long attachment costs itself, not its event, whatever its bytes; one that is no text costs the document.
func TestLongData(t *testing.T) {
	attribute := func(data string) string {
		return `{"uuid":"5cfc1a2b-0001-4000-8000-000000000001","Attribute":[{"uuid":"5cfc1a2b-0005-4000-8000-000000000001","type":"attachment","value":"a.png","data":"` + data + `"}]}`
	}
	e := decode(t, attribute(strings.Repeat("ö", MaxData/2+1)))[0]
	if len(e.Attributes) != 1 || e.Attributes[0].Data != "" || len(e.Losses.List) != 1 || e.Losses.List[0].Path != "Attribute[0].data" {
		t.Errorf("%d attributes, losses %v", len(e.Attributes), e.Losses.List)
	}
	if e := decode(t, attribute(strings.Repeat("A", MaxData)))[0]; len(e.Attributes[0].Data) != MaxData {
		t.Errorf("%d bytes of data", len(e.Attributes[0].Data))
	}
	err := Decode(strings.NewReader(attribute(strings.Repeat("A", MaxData+1)+"\xff"+strings.Repeat("A", 100))), Limits{}, func(*Event) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "invalid UTF-8") {
		t.Error(err)
	}
}

func TestYieldEnds(t *testing.T) {
	stop := errors.New("stop")
	err := Decode(strings.NewReader(`[`+event("1")+`,`+event("2")+`]`), Limits{}, func(*Event) error { return stop })
	if !errors.Is(err, stop) {
		t.Error(err)
	}
}

func TestLossesAreBounded(t *testing.T) {
	var l Losses
	for range MaxLosses + 5 {
		l.Add("a", "b")
	}
	if len(l.List) != MaxLosses || l.More != 5 {
		t.Errorf("%d and %d more", len(l.List), l.More)
	}
	var both Losses
	both.Join(l)
	both.Join(l)
	if len(both.List) != MaxLosses || both.More != MaxLosses+10 {
		t.Errorf("%d and %d more", len(both.List), both.More)
	}
}

func TestTriple(t *testing.T) {
	for name, want := range map[string][3]string{
		`tlp:amber`:       {"tlp", "amber", ""},
		`a:b="c"`:         {"a", "b", "c"},
		`a:b="c:d=\"e\""`: {"a", "b", `c:d=\"e\"`},
		`plain`:           {"plain", "", ""},
		`a:b=c`:           {"a", "b", "c"},
		`a:b="`:           {"a", "b", `"`},
	} {
		if n, p, v := (Tag{Name: name}).Triple(); [3]string{n, p, v} != want {
			t.Errorf("%s: %q %q %q", name, n, p, v)
		}
	}
}
