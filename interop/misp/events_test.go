package misp

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shieldwall/internal/misp/mapping"
	"shieldwall/internal/stix"
)

// generator makes whole events.
type generator struct {
	*rand.Rand
	n int
}

func (g *generator) uuid() string { g.n++; return uuidOf(g.n) }

func pick[T any](g *generator, list []T) T { return list[g.IntN(len(list))] }

func (g *generator) oneIn(n int) bool { return g.IntN(n) == 0 }

var (
	tlpTags        = []string{"tlp:white", "tlp:clear", "tlp:green", "tlp:amber", "tlp:amber+strict", "tlp:red"}
	confidenceTags = []string{`misp:confidence-level="completely-confident"`, `misp:confidence-level="usually-confident"`, `misp:confidence-level="fairly-confident"`,
		`misp:confidence-level="rarely-confident"`}
	otherTags = []string{`admiralty-scale:source-reliability="b"`, "osint:source-type=\"blog-post\"", "PAP:GREEN", "my tag"}
	someTypes = []string{"ip-dst", "domain", "url", "sha256", "md5", "filename", "email-src", "mutex", "regkey", "text", "yara", "vulnerability", "ja3-fingerprint-md5", "domain|ip", "AS"}
	clusters  = []struct{ kind, value, id string }{
		{"mitre-attack-pattern", "Phishing - T1566", "T1566"}, {"mitre-attack-pattern", "Spearphishing Attachment - T1566.001", "T1566.001"},
		{"mitre-enterprise-attack-attack-pattern", "Data Destruction - T1485", "T1485"}, {"mitre-intrusion-set", "Sandworm Team - G0034", "G0034"},
		{"mitre-malware", "Industroyer - S0604", "S0604"}, {"mitre-tool", "PsExec - S0029", "S0029"}, {"mitre-course-of-action", "User Training - M1017", "M1017"},
		{"threat-actor", "Sandworm", ""}, {"ransomware", "NotPetya", ""}, {"sector", "Energy", ""}, {"tool", "Mimikatz", ""}, {"branded-vulnerability", "Heartbleed", ""}, {"backdoor", "x", ""},
		{"surveillance-vendor", "y", ""},
	}
)

func (g *generator) tags() []dict {
	var out []dict
	add := func(list []string) { out = append(out, dict{"name": pick(g, list)}) }
	if g.oneIn(2) {
		add(tlpTags)
	}
	if g.oneIn(4) {
		add(confidenceTags)
	}
	if g.oneIn(3) {
		add(otherTags)
	}
	return out
}

func (g *generator) galaxies() []dict {
	var out []dict
	for range g.IntN(3) {
		c := pick(g, clusters)
		meta := dict{}
		if c.id != "" {
			meta["external_id"] = []string{c.id}
		}
		out = append(out, dict{"uuid": uuidOf(9000), "name": c.kind, "type": c.kind, "description": "", "GalaxyCluster": []dict{{
			"uuid": fmt.Sprintf("5cfc1a2b-c000-4000-8000-%012x", len(c.value)*1000+int(c.value[0])), "type": c.kind, "value": c.value, "description": "d",
			"tag_name": `misp-galaxy:` + c.kind + `="` + c.value + `"`, "meta": meta}}})
	}
	return out
}

func (g *generator) attribute() dict {
	typ := pick(g, someTypes)
	a := attribute(0, typ, someValue(typ, g.IntN(5)), g.oneIn(2))
	a["uuid"] = g.uuid()
	a["Tag"], a["Galaxy"] = g.tags(), g.galaxies()
	for range g.IntN(3) {
		s := dict{"uuid": g.uuid(), "type": fmt.Sprint(g.IntN(2)), "date_sighting": "1714567860", "source": "s"}
		if g.oneIn(2) {
			s["Organisation"] = dict{"uuid": uuidOf(9998), "name": "Other", "id": "2"}
		}
		a["Sighting"] = append(asList(a["Sighting"]), s)
	}
	return a
}

func asList(v any) []dict {
	list, _ := v.([]dict)
	return list
}

func (g *generator) event() dict {
	ev := event(0, dict{"uuid": g.uuid(), "Tag": g.tags(), "Galaxy": g.galaxies()})
	e := ev["Event"].(dict)
	var mentioned string
	for range g.IntN(6) {
		a := g.attribute()
		mentioned = a["uuid"].(string)
		e["Attribute"] = append(asList(e["Attribute"]), a)
	}
	if g.oneIn(3) {
		e["published"], e["publish_timestamp"] = false, "0"
	}
	if g.oneIn(3) {
		content := "All."
		if mentioned != "" {
			content = "See @[attribute](" + mentioned + ")."
		}
		e["EventReport"] = []dict{{"uuid": g.uuid(), "name": "r", "content": content, "timestamp": "1714567820", "distribution": "5"}}
	}
	return ev
}

// Whole events: markings, techniques, confidence, what objects are tied to, sightings, reports.
func TestEvents(t *testing.T) {
	t.Parallel()
	o := start(t)
	g := &generator{Rand: rand.New(rand.NewPCG(5, 5))}
	book := newLedger(eventDifferences, nil)
	compared := 0
	for range events {
		ev := g.event()
		reply := o.ask(t, request{Convert: ev})
		result := convert(t, ev)
		mine := ours(t, result)
		compared += compareEvent(t, book, reply.Objects, mine, result)
	}
	book.close(t)
	if compared != comparedObjects {
		t.Errorf("%d objects of both compared", compared)
	}
}

// told are the types that are compared object by object; observables are, with the attributes, elsewhere.
var told = []string{"report", "grouping", "indicator", "observed-data", "x-misp-attribute", "vulnerability", "sighting", "opinion", "note", "attack-pattern", "intrusion-set",
	"malware", "tool", "threat-actor", "course-of-action", "identity", "x-misp-galaxy-cluster"}

func compareEvent(t *testing.T, book *ledger, list []theirs, mine map[string]*stix.Object, result *mapping.Result) (compared int) {
	t.Helper()
	var report theirs
	indicators := map[string]bool{}
	for _, o := range list {
		switch o.Type {
		case "report", "grouping":
			report = o
		case "indicator":
			indicators[o.ID] = true
		}
	}
	for i, o := range list {
		// What is tied to the observed data of an indicator is tied to our indicator, which is all that there is.
		if id := "indicator" + strings.TrimPrefix(o.Source, "observed-data"); o.Type == "relationship" && o.How != "based-on" && indicators[id] {
			list[i].Source, list[i].How = id, tie(o.Target)
		}
	}
	referred := map[string]bool{}
	for _, o := range mine {
		for _, r := range o.Refs {
			referred[r.ID] = true
		}
	}
	found := map[string]bool{}
	for _, o := range list {
		found[o.ID] = true
		if !slices.Contains(told, o.Type) {
			continue
		}
		our := mine[o.ID]
		if our == nil {
			if isATTACK(o) && referred[o.ID] {
				book.book(t, "ATT&CK's object referred to")
			} else {
				book.book(t, "theirs alone: "+o.Type)
			}
			continue
		}
		compared++
		compareObject(t, book, o, our, report)
	}
	for id, o := range mine {
		if !found[id] && slices.Contains(told, o.Type) {
			book.book(t, "ours alone: "+o.Type)
		}
	}
	compareTies(t, book, list, mine)
	return compared
}

// tie is the relationship that the specification has for an indicator (section 4.7).
func tie(target string) string {
	if slices.Contains([]string{"attack-pattern", "intrusion-set", "malware", "threat-actor", "tool"}, stix.TypeOf(target)) {
		return "indicates"
	}
	return "related-to"
}

func isATTACK(o theirs) bool {
	for _, e := range o.External {
		if len(e.ID) > 4 && strings.ContainsAny(e.ID[:1], "TGSMC") {
			return true
		}
	}
	return false
}

func strictest(markings []string) stix.TLP {
	out := stix.None
	for _, id := range markings {
		tlp, known := stix.TLPOf(id)
		if !known {
			tlp = stix.Red
		}
		out = out.Stricter(tlp)
	}
	return out
}

// compareObject compares one object of both. report is their report.
func compareObject(t *testing.T, book *ledger, o theirs, our *stix.Object, report theirs) {
	t.Helper()
	a, b, around := strictest(o.Markings), strictest(our.Markings()), strictest(report.Markings)
	switch {
	case a == b:
	case a.Stricter(around) == b:
		book.book(t, "the event's marking on "+o.Type)
	case a == stix.None && (o.Type == "sighting" || o.Type == "opinion" || o.Type == "note"):
		book.book(t, "its subject's marking on "+o.Type)
	default:
		t.Errorf("%s: theirs is TLP:%s in an event of TLP:%s, ours TLP:%s", o.ID, a, around, b)
	}
	if slices.Contains([]string{"indicator", "observed-data", "x-misp-attribute", "report", "grouping"}, o.Type) && o.Confidence != max(our.Confidence, 0) {
		if o.Confidence == 0 && our.Confidence == report.Confidence {
			book.book(t, "the event's confidence on "+o.Type)
		} else {
			t.Errorf("%s: confidence %d, ours %d", o.ID, o.Confidence, our.Confidence)
		}
	}
}

// compareTies compares what is tied to what: techniques by their identifiers, and the clusters of objects.
func compareTies(t *testing.T, book *ledger, list []theirs, mine map[string]*stix.Object) {
	t.Helper()
	techniques := map[string]string{}
	for _, o := range list {
		for _, e := range o.External {
			if o.Type == "attack-pattern" && e.Source == "mitre-attack" {
				techniques[o.ID] = e.ID
			}
		}
	}
	ties := map[string]bool{}
	for _, o := range mine {
		if o.Type == "relationship" {
			ties[o.Text("source_ref")+" "+o.Text("relationship_type")+" "+o.Text("target_ref")] = true
		}
	}
	for _, o := range list {
		switch {
		case o.Type == "relationship" && o.How != "based-on":
			if id := techniques[o.Target]; id != "" && mine[o.Source] != nil && !hasTechnique(mine[o.Source], id) {
				t.Errorf("%s is not tagged with %s", o.Source, id)
			}
			tie := o.Source + " " + o.How + " " + o.Target // theirs has one twice where a tag is there twice
			if _, there := ties[tie]; there {
				ties[tie] = false
			} else {
				book.book(t, "theirs ties "+stix.TypeOf(o.Source)+" "+o.How+" "+stix.TypeOf(o.Target))
			}
		case o.Type == "report" || o.Type == "grouping":
			for _, ref := range o.Refs {
				if id := techniques[ref]; id != "" && !tiedElsewhere(list, ref) && !hasTechnique(mine[o.ID], id) {
					t.Errorf("%s is not tagged with %s", o.ID, id)
				}
			}
		}
	}
	for tie, alone := range ties {
		if !alone {
			continue
		}
		part := strings.Fields(tie)
		book.book(t, "ours ties "+stix.TypeOf(part[0])+" "+part[1]+" "+stix.TypeOf(part[2]))
	}
}

func tiedElsewhere(list []theirs, id string) bool {
	return slices.ContainsFunc(list, func(o theirs) bool { return o.Type == "relationship" && o.Target == id })
}

func hasTechnique(o *stix.Object, id string) bool {
	return slices.ContainsFunc(o.External, func(e stix.ExternalRef) bool { return e.Source == "mitre-attack" && e.ID == id })
}
