package mapping

import (
	"strings"
	"testing"

	"shieldwall/internal/misp"
	"shieldwall/internal/policy"
	"shieldwall/internal/stix"
)

const (
	groupUUID  = "5cfc1a2b-cccc-4000-8000-000000000001"
	memberUUID = "5cfc1a2b-dddd-4000-8000-000000000001"
	otherUUID  = "5cfc1a2b-dddd-4000-8000-000000000002"
)

func named(t *testing.T, groups, members []string) policy.Audience {
	t.Helper()
	a, err := policy.Named(groups, members)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func tags(names ...string) []misp.Tag {
	var out []misp.Tag
	for _, n := range names {
		out = append(out, misp.Tag{Name: n})
	}
	return out
}

func group(active bool, orgs ...string) *misp.SharingGroup {
	g := &misp.SharingGroup{UUID: groupUUID, Name: "g", Active: active}
	for _, o := range orgs {
		g.Orgs = append(g.Orgs, misp.Org{UUID: o})
	}
	return g
}

// Who may read an event: what is unclear is for nobody.
func TestAsks(t *testing.T) {
	d := Directory{Members: map[string]string{memberUUID: "cert-a"}}
	mapped := d
	mapped.Groups = map[string]policy.Audience{groupUUID: named(t, []string{"energy"}, nil)}
	everybody := d
	everybody.Groups = map[string]policy.Audience{groupUUID: policy.Alliance()}
	nobody := d
	nobody.Groups = map[string]policy.Audience{groupUUID: {}}
	feed := d
	feed.Marking = stix.Green
	for name, c := range map[string]struct {
		d        Directory
		dist     misp.Distribution
		group    *misp.SharingGroup
		tags     []misp.Tag
		marking  stix.TLP
		audience string
		why      string
	}{
		"own organisation":         {d, 0, nil, tags("tlp:clear"), stix.Clear, "", "own organisation"},
		"community":                {d, 1, nil, tags("tlp:clear"), stix.Clear, "", "own instance"},
		"connected":                {d, 2, nil, tags("tlp:green"), stix.Green, "alliance", ""},
		"all":                      {d, 3, nil, tags("tlp:white"), stix.Clear, "alliance", ""},
		"TLP in capitals":          {d, 3, nil, tags("TLP:GREEN"), stix.Green, "alliance", ""},
		"the strictest":            {d, 3, nil, tags("tlp:clear", "tlp:red", "tlp:green"), stix.Red, "", "named"},
		"amber names nobody":       {d, 3, nil, tags("tlp:amber"), stix.Amber, "", "readers must be named"},
		"no marking":               {d, 3, nil, nil, stix.None, "", "no marking"},
		"a marking from around":    {feed, 3, nil, nil, stix.Green, "alliance", ""},
		"stricter than around":     {feed, 3, nil, tags("tlp:red"), stix.Red, "", "named"},
		"laxer than around":        {feed, 3, nil, tags("tlp:clear"), stix.Green, "alliance", ""},
		"unknown TLP":              {d, 3, nil, tags("tlp:purple"), stix.Red, "", "no TLP marking"},
		"Chatham House":            {d, 3, nil, tags("tlp:green", "tlp:ex:chr"), stix.Red, "", "no TLP marking"},
		"inherit from nothing":     {d, 5, nil, tags("tlp:green"), stix.Green, "", "not one that an event can have"},
		"unknown distribution":     {d, misp.Unknown, nil, tags("tlp:green"), stix.Green, "", "not one that"},
		"beyond":                   {d, 7, nil, tags("tlp:green"), stix.Green, "", "not one that"},
		"group not described":      {d, 4, nil, tags("tlp:green"), stix.Green, "", "not described"},
		"group inactive":           {mapped, 4, group(false, memberUUID), tags("tlp:green"), stix.Green, "", "not active"},
		"group empty":              {d, 4, group(true), tags("tlp:green"), stix.Green, "", "no member"},
		"group of strangers":       {d, 4, group(true, otherUUID), tags("tlp:green"), stix.Green, "", "no member"},
		"group by its members":     {d, 4, group(true, otherUUID, memberUUID), tags("tlp:red"), stix.Red, "member:cert-a", ""},
		"group by the directory":   {mapped, 4, group(true, memberUUID), tags("tlp:amber"), stix.Amber, "group:energy", ""},
		"group too wide for RED":   {mapped, 4, group(true, memberUUID), tags("tlp:red"), stix.Red, "", "named one by one"},
		"group is the alliance":    {everybody, 4, group(true), tags("tlp:amber"), stix.Amber, "alliance", ""},
		"group is nobody":          {nobody, 4, group(true, memberUUID), tags("tlp:green"), stix.Green, "", "for nobody here"},
		"no marking in a group":    {mapped, 4, group(true), nil, stix.None, "", "no marking"},
		"a tag of the instance":    {d, 3, nil, []misp.Tag{{Name: "tlp:red", Local: true}, {Name: "tlp:clear"}}, stix.Red, "", "named"},
		"tlp without a colon":      {d, 3, nil, tags("tlp", "tlp:green"), stix.Green, "alliance", ""},
		"strict by its other name": {mapped, 4, group(true), tags("tlp:amber+strict"), stix.AmberStrict, "group:energy", ""},
	} {
		got := c.d.Asks(&misp.Event{Sharing: misp.Sharing{Distribution: c.dist, Group: c.group}, Tags: c.tags})
		if got.Marking != c.marking || got.Audience.String() != c.audience || (got.Why == "") != (c.why == "") || !strings.Contains(got.Why, c.why) {
			t.Errorf("%s: TLP:%s to %q because %q; want TLP:%s to %q because %q", name, got.Marking, got.Audience, got.Why, c.marking, c.audience, c.why)
		}
	}
}

// A part may narrow what its event asks for, never widen it.
func TestWithin(t *testing.T) {
	d := Directory{Groups: map[string]policy.Audience{groupUUID: named(t, []string{"energy", "rail"}, []string{"cert-a"})}}
	alliance := Asks{Marking: stix.Green, Audience: policy.Alliance()}
	energy := Asks{Marking: stix.Amber, Audience: named(t, []string{"energy", "states"}, []string{"cert-b"})}
	stay := Asks{Marking: stix.Green, Why: "distribution 0"}
	for name, c := range map[string]struct {
		outer    Asks
		dist     misp.Distribution
		tags     []misp.Tag
		marking  stix.TLP
		audience string
	}{
		"inherits":                     {alliance, 5, nil, stix.Green, "alliance"},
		"stricter marking, no names":   {alliance, 5, tags("tlp:amber"), stix.Amber, ""},
		"laxer marking":                {alliance, 5, tags("tlp:clear"), stix.Green, "alliance"},
		"unknown marking":              {alliance, 5, tags("tlp:purple"), stix.Red, ""},
		"own organisation":             {alliance, 0, nil, stix.Green, ""},
		"wider than its event":         {energy, 3, nil, stix.Amber, ""},
		"wider in a closed event":      {stay, 3, nil, stix.Green, ""},
		"a group in the alliance":      {alliance, 4, nil, stix.Green, "group:energy,group:rail,member:cert-a"},
		"who is in both":               {energy, 4, nil, stix.Amber, "group:energy"},
		"marked stricter in named":     {energy, 5, tags("tlp:amber+strict"), stix.AmberStrict, "group:energy,group:states,member:cert-b"},
		"RED in groups":                {energy, 5, tags("tlp:red"), stix.Red, ""},
		"nonsense":                     {alliance, misp.Unknown, nil, stix.Green, ""},
		"a stricter mark in the group": {alliance, 4, tags("tlp:amber"), stix.Amber, "group:energy,group:rail,member:cert-a"},
	} {
		got := d.Within(c.outer, misp.Sharing{Distribution: c.dist, Group: group(true)}, c.tags)
		if got.Marking != c.marking || got.Audience.String() != c.audience || (got.Why == "") != (c.audience != "") {
			t.Errorf("%s: TLP:%s to %q because %q; want TLP:%s to %q", name, got.Marking, got.Audience, got.Why, c.marking, c.audience)
		}
	}
	apart := named(t, nil, []string{"cert-z"})
	if got := d.Within(Asks{Marking: stix.Green, Audience: apart}, misp.Sharing{Distribution: 4, Group: group(true)}, nil); !got.Audience.IsNobody() || got.Why == "" {
		t.Errorf("%+v", got)
	}
	if a := narrower(policy.Everyone(), apart); a.String() != apart.String() {
		t.Errorf("%s", a)
	}
	if a := narrower(apart, policy.Everyone()); a.String() != apart.String() {
		t.Errorf("%s", a)
	}
}

// What the directory adds marks the entry: the bytes do not change with a configuration.
func TestMarkingOfTheFeed(t *testing.T) {
	event := mispEvent(dict{"Tag": []dict{{"name": "tlp:clear"}}, "Attribute": []dict{attribute(1, "domain", "evil.example", true)}})
	a := toSTIX(t, event, Options{})
	b := toSTIX(t, event, Options{Directory: Directory{Marking: stix.Green}})
	for i := range a.Objects {
		if string(a.Objects[i].Raw) != string(b.Objects[i].Raw) {
			t.Errorf("%s\n%s", a.Objects[i].Raw, b.Objects[i].Raw)
		}
		if a.Objects[i].Marking != stix.Clear || b.Objects[i].Marking != stix.Green {
			t.Errorf("TLP:%s and TLP:%s", a.Objects[i].Marking, b.Objects[i].Marking)
		}
	}
}
