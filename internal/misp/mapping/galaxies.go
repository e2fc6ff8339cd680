package mapping

import (
	"regexp"
	"slices"
	"strings"

	"shieldwall/internal/misp"
	"shieldwall/internal/stix"
)

// Galaxies and what tags say of confidence.

// clusterTypes are the STIX types of MISP's galaxies, by the galaxy's type.
var clusterTypes = map[string]string{
	"android": "malware", "backdoor": "malware", "banker": "malware", "botnet": "malware", "cryptominers": "malware",
	"malpedia": "malware", "ransomware": "malware", "rat": "malware", "stealer": "malware", "wiper": "malware",
	"exploit-kit": "tool", "tool": "tool", "tds": "tool", "rmm-software": "tool",
	"threat-actor": "threat-actor", "microsoft-activity-group": "threat-actor", "360net-threat-actor": "threat-actor",
	"intelligence-agency":   "threat-actor",
	"branded-vulnerability": "vulnerability", "sector": "identity", "target-information": "",
	"preventive-measure": "course-of-action", "course-of-action": "course-of-action",
	"cert-eu-govsector": "identity",
}

// mitreTypes are the STIX types of MITRE's galaxies, by what their type ends in: mitre-attack-pattern,
// mitre-enterprise-attack-intrusion-set, mitre-mobile-attack-tool.
var mitreTypes = []struct{ end, typ string }{
	{"attack-pattern", "attack-pattern"}, {"techniques", "attack-pattern"}, {"course-of-action", "course-of-action"},
	{"intrusion-set", "intrusion-set"}, {"groups", "intrusion-set"}, {"malware", "malware"}, {"tool", "tool"},
	{"campaign", "campaign"}, {"campaigns", "campaign"},
}

func isMITRE(typ string) bool { return strings.HasPrefix(typ, "mitre-") }

// clusterType is the STIX type of a cluster, "" where there is none for it.
func clusterType(typ string) string {
	if !isMITRE(typ) {
		return clusterTypes[typ]
	}
	for _, m := range mitreTypes {
		if strings.HasSuffix(typ, "-"+m.end) {
			return m.typ
		}
	}
	return ""
}

// attackID is ATT&CK's form of identifiers: techniques, groups, software, mitigations, campaigns.
var attackID = regexp.MustCompile(`^(T[0-9]{4}(\.[0-9]{3})?|[GSMC][0-9]{4})$`)

// externalID is ATT&CK's identifier of a cluster: of its meta, or behind its name ("Phishing - T1566").
func externalID(c *misp.Cluster) string {
	for _, id := range append(slices.Clone(c.Values("external_id")), c.Values("Technique ID")...) {
		if attackID.MatchString(id) {
			return id
		}
	}
	if i := strings.LastIndex(c.Value, " - "); i >= 0 && attackID.MatchString(c.Value[i+3:]) {
		return c.Value[i+3:]
	}
	return ""
}

// attackSource is the name under which ATT&CK's identifiers stand in external references.
const attackSource = "mitre-attack"

// techniques are the external references of ATT&CK's techniques among galaxies and tags: feeds have only the tags.
func techniques(galaxies []misp.Galaxy, tags []misp.Tag) []stix.ExternalRef {
	var out []stix.ExternalRef
	add := func(kind string, c *misp.Cluster) {
		ref := stix.ExternalRef{Source: attackSource, ID: externalID(c)}
		if isMITRE(kind) && strings.HasPrefix(ref.ID, "T") && !slices.Contains(out, ref) {
			out = append(out, ref)
		}
	}
	for _, g := range galaxies {
		for i := range g.Clusters {
			add(kindOf(&g, &g.Clusters[i]), &g.Clusters[i])
		}
	}
	for _, tag := range tags {
		if namespace, kind, value := tag.Triple(); namespace == "misp-galaxy" && !tag.Local {
			add(kind, &misp.Cluster{Value: value})
		}
	}
	return out
}

func kindOf(g *misp.Galaxy, c *misp.Cluster) string {
	if c.Type != "" {
		return c.Type
	}
	return g.Type
}

// isCluster says whether a tag is a cluster's that the galaxies tell of and that becomes an object of its own, which has
// the tag: ATT&CK's do not.
func isCluster(tag string, galaxies []misp.Galaxy) bool {
	for _, g := range galaxies {
		for i := range g.Clusters {
			if c := &g.Clusters[i]; !isMITRE(kindOf(&g, c)) && (c.TagName == tag || tag == clusterTag(kindOf(&g, c), c.Value)) {
				return true
			}
		}
	}
	return false
}

func clusterTag(typ, value string) string { return `misp-galaxy:` + typ + `="` + value + `"` }

func (c *converter) eventGalaxies() {
	c.techs = techniques(c.e.Galaxies, c.e.Tags)
	c.clusters("", c.e.Galaxies, "Event", c.asks)
}

// clusters gives each cluster its object and ties the tagged object to it. ATT&CK's are referred to and not written:
// their identifiers are MITRE's, and a copy with an event's time would be newer than the original and stand before it.
func (c *converter) clusters(of string, galaxies []misp.Galaxy, path string, asks Asks) {
	for _, g := range galaxies {
		for i := range g.Clusters {
			cluster := &g.Clusters[i]
			id := c.cluster(&g, cluster, path, asks)
			switch {
			case id == "":
			case of == "":
				c.name(id, asks)
			default:
				c.name(id, asks)
				c.relate(of, tie(of, id), id, asks)
			}
		}
	}
}

func (c *converter) cluster(g *misp.Galaxy, cluster *misp.Cluster, path string, asks Asks) string {
	kind := kindOf(g, cluster)
	typ := clusterType(kind)
	if isMITRE(kind) {
		if typ == "" || externalID(cluster) == "" {
			c.lose(path+".Galaxy", "the cluster "+misp.Shown(cluster.Value)+" of "+kind+" has no identifier of ATT&CK that is known here")
			return ""
		}
		return c.id(typ, cluster.UUID)
	}
	if typ == "" {
		typ = "x-misp-galaxy-cluster"
	}
	if cluster.Description != "" || len(cluster.Meta) > 0 {
		c.lose(path+".Galaxy", "what the galaxy says of the cluster "+misp.Shown(cluster.Value)+" beyond its name")
	}
	d := c.timeless(typ, cluster.UUID, asks)
	tag := cluster.TagName
	if tag == "" {
		tag = clusterTag(kind, cluster.Value)
	}
	d.Labels = []string{`misp:galaxy-name="` + g.Name + `"`, `misp:galaxy-type="` + kind + `"`, tag}
	switch typ {
	case "identity":
		d.properties = []stix.Property{{Name: "name", Value: cluster.Value}, {Name: "identity_class", Value: "class"}}
	case "malware":
		d.properties = []stix.Property{{Name: "name", Value: cluster.Value}, {Name: "is_family", Value: true}}
	case "x-misp-galaxy-cluster":
		d.properties = []stix.Property{{Name: "x_misp_name", Value: g.Name}, {Name: "x_misp_type", Value: kind},
			{Name: "x_misp_value", Value: cluster.Value}}
	default:
		d.properties = []stix.Property{{Name: "name", Value: cluster.Value}}
	}
	if !c.write(d) {
		return ""
	}
	return d.ID
}

// indicated are the types of what an indicator can indicate (section 4.7).
var indicated = []string{"attack-pattern", "campaign", "infrastructure", "intrusion-set", "malware", "threat-actor", "tool"}

// tie is how an object is related to the cluster that it is tagged with.
func tie(from, to string) string {
	if stix.TypeOf(from) == "indicator" && slices.Contains(indicated, stix.TypeOf(to)) {
		return "indicates"
	}
	return "related-to"
}

// relationID is the identifier of a relationship that events tell of.
func relationID(source, how, target string) string {
	return stix.OwnID("relationship", "misp", source, how, target)
}

// relate writes a relationship, once.
func (c *converter) relate(source, how, target string, asks Asks) {
	key := source + " " + how + " " + target
	if c.links[key] || source == target {
		return
	}
	c.links[key] = true
	d := c.draft("relationship", "", c.e.Timestamp, asks)
	d.ID = relationID(source, how, target)
	d.properties = []stix.Property{{Name: "relationship_type", Value: how}, {Name: "source_ref", Value: source}, {Name: "target_ref", Value: target}}
	c.emit(d)
}

// confidences are what taxonomies say of confidence on STIX's scale: MISP's own as misp-stix reads it; the
// Admiralty's credibility and the words of estimation by appendix A of the specification (its scale of the DNI, and
// low, medium and high). "Cannot be judged" is no confidence.
var confidences = map[string]int{
	`misp:confidence-level="completely-confident"`: 100, `misp:confidence-level="usually-confident"`: 75,
	`misp:confidence-level="fairly-confident"`: 50, `misp:confidence-level="rarely-confident"`: 25,
	`misp:confidence-level="unconfident"`:         1, // 0 is "none" (appendix A) and not written by us
	`admiralty-scale:information-credibility="1"`: 90, `admiralty-scale:information-credibility="2"`: 70,
	`admiralty-scale:information-credibility="3"`: 50, `admiralty-scale:information-credibility="4"`: 30,
	`admiralty-scale:information-credibility="5"`:                      10,
	`estimative-language:likelihood-probability="almost-no-chance"`:    5,
	`estimative-language:likelihood-probability="very-unlikely"`:       15,
	`estimative-language:likelihood-probability="unlikely"`:            30,
	`estimative-language:likelihood-probability="roughly-even-chance"`: 50,
	`estimative-language:likelihood-probability="likely"`:              70,
	`estimative-language:likelihood-probability="very-likely"`:         85,
	`estimative-language:likelihood-probability="almost-certain"`:      95,
	`estimative-language:confidence-in-analytic-judgment="low"`:        15,
	`estimative-language:confidence-in-analytic-judgment="moderate"`:   50,
	`estimative-language:confidence-in-analytic-judgment="high"`:       85,
}

// confidence is the lowest that the tags say; of something without such tags it is its event's. 0 is none.
func (c *converter) confidence(tags []misp.Tag) int {
	if n := lowest(tags); n > 0 {
		return n
	}
	return lowest(c.e.Tags)
}

func lowest(tags []misp.Tag) int {
	low := 0
	for _, tag := range tags {
		if n := confidences[strings.ToLower(tag.Name)]; n > 0 && (low == 0 || n < low) {
			low = n
		}
	}
	return low
}
