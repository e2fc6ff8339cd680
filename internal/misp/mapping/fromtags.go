package mapping

import (
	"slices"
	"strings"

	"shieldwall/internal/misp"
	"shieldwall/internal/stix"
)

// What objects say of themselves, as tags.

// ownLabels are the labels that tell how a MISP event said something; they are no tags.
var ownLabels = []string{"misp:type=", "misp:category=", "misp:name=", "misp:meta-category=", "misp:data-layer=", "misp:galaxy-name=",
	"misp:galaxy-type=", "misp:to_ids=", "misp:context-layer="}

func isOwnLabel(label string) bool {
	return slices.ContainsFunc(ownLabels, func(prefix string) bool { return strings.HasPrefix(label, prefix) })
}

func isGalaxyLabel(label string) bool { return strings.HasPrefix(label, "misp:galaxy-type=") }

// labelled gives what a label misp:NAME="..." says.
func labelled(o *stix.Object, name string) string {
	for _, label := range o.Labels {
		if value, ok := strings.CutPrefix(label, "misp:"+name+`="`); ok {
			return strings.TrimSuffix(value, `"`)
		}
	}
	return ""
}

// levels are MISP's words for confidence.
var levels = []struct {
	score int
	tag   string
}{
	{100, `misp:confidence-level="completely-confident"`}, {75, `misp:confidence-level="usually-confident"`},
	{50, `misp:confidence-level="fairly-confident"`}, {25, `misp:confidence-level="rarely-confident"`},
	{1, `misp:confidence-level="unconfident"`},
}

// tags are an object's labels, its confidence where no label says it, and its techniques.
func (x *exporter) tags(o *stix.Object, e *eventInMaking) []misp.Tag {
	var out []misp.Tag
	there := map[string]bool{}
	add := func(name string) {
		switch {
		case there[name]:
		case len(out) == misp.MaxTags:
			e.Losses.Addf(o.ID, "more than %d labels", misp.MaxTags)
		default:
			there[name] = true
			out = append(out, misp.Tag{Name: name})
		}
	}
	for _, label := range o.Labels {
		if _, isTLP := tlpName(label); !isTLP && !isOwnLabel(label) {
			add(label)
		}
	}
	if o.Confidence > 0 && lowest(out) != o.Confidence && lowest(e.Tags) != o.Confidence {
		best := levels[0]
		for _, l := range levels[1:] {
			if distance(l.score, o.Confidence) < distance(best.score, o.Confidence) {
				best = l
			}
		}
		if best.score != o.Confidence {
			e.Losses.Addf(o.ID, "confidence %d is told as %s", o.Confidence, best.tag)
		}
		add(best.tag)
	}
	told := techniques(nil, out)
	for _, ref := range o.External {
		if ref.Source != attackSource || !strings.HasPrefix(ref.ID, "T") || slices.Contains(told, stix.ExternalRef{Source: attackSource, ID: ref.ID}) {
			continue
		}
		if name := x.names[ref.ID]; name != "" {
			add(clusterTag("mitre-attack-pattern", name+" - "+ref.ID))
		} else {
			e.Losses.Add(o.ID, "the technique "+ref.ID+" is not among the objects: its name, which the tag has, is not known")
		}
	}
	return out
}

func distance(a, b int) int { return max(a-b, b-a) }

// attackOf is ATT&CK's identifier of an object.
func attackOf(o *stix.Object) string {
	for _, ref := range o.External {
		if ref.Source == attackSource && attackID.MatchString(ref.ID) {
			return ref.ID
		}
	}
	return ""
}

// galaxyOf is the galaxy in which MISP looks for an object's name.
var galaxyOf = map[string]string{"threat-actor": "threat-actor", "intrusion-set": "threat-actor", "malware": "malpedia", "tool": "tool",
	"course-of-action": "course-of-action", "vulnerability": "branded-vulnerability", "campaign": "campaign"}

// cluster tags the event with what an object is a cluster of.
func (x *exporter) cluster(e *eventInMaking, o *stix.Object) {
	if x.marking[o.ID] > e.marking {
		e.Losses.Add(o.ID, "it is marked stricter than its event, and a tag has no marking in MISP")
		return
	}
	x.unsaid(e, o)
	if tag := x.clusterTag(o); tag == "" {
		e.Losses.Add(o.ID, "MISP has no galaxy for a "+o.Type)
	} else {
		e.tag(tag)
	}
}

func (x *exporter) clusterTag(o *stix.Object) string {
	for _, label := range o.Labels {
		if strings.HasPrefix(label, "misp-galaxy:") {
			return label
		}
	}
	if id := attackOf(o); id != "" {
		return clusterTag("mitre-"+o.Type, o.Name+" - "+id)
	}
	if galaxy := galaxyOf[o.Type]; galaxy != "" && o.Name != "" {
		return clusterTag(galaxy, o.Name)
	}
	return ""
}
