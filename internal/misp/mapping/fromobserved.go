package mapping

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"shieldwall/internal/misp"
	"shieldwall/internal/stix"
)

// kept is what an object of ours keeps of a MISP attribute.
type kept struct {
	Type     string   `json:"type"`
	Relation string   `json:"object_relation"`
	Value    string   `json:"value"`
	Category string   `json:"category"`
	Comment  string   `json:"comment"`
	UUID     string   `json:"uuid"`
	Data     string   `json:"data"`
	ToIDs    bool     `json:"to_ids"`
	Time     int64    `json:"timestamp"`
	First    string   `json:"first_seen"`
	Last     string   `json:"last_seen"`
	Tags     []string `json:"tags"`
}

// latest is the last second of the year 9999.
const latest = 253402300799

// maxKept bounds the attributes of one object.
const maxKept = 10_000

// keptBy gives the attributes of the MISP object that an object of ours was made of.
func keptBy(o *stix.Object) []kept {
	raw, has := o.Property("x_misp_attributes")
	var list []kept
	if !has || json.Unmarshal(raw, &list) != nil || len(list) > maxKept {
		return nil
	}
	return list
}

// keptObject makes the MISP object that x_misp_attributes keeps.
func (x *exporter) keptObject(e *eventInMaking, o *stix.Object) {
	list := keptBy(o)
	if len(list) == 0 {
		e.Losses.Add(o.ID, "x_misp_attributes is no list of attributes")
		return
	}
	m := misp.Object{UUID: uuidIn(o.ID), Name: o.Text("x_misp_name"), MetaCategory: o.Text("x_misp_meta_category"), Comment: o.Text("x_misp_comment"),
		TemplateUUID: o.Text("x_misp_template_uuid"), TemplateVersion: o.Text("x_misp_template_version")}
	m.FirstSeen, _ = stix.ParseTime(o.Text("x_misp_first_seen"))
	m.LastSeen, _ = stix.ParseTime(o.Text("x_misp_last_seen"))
	if m.Name == "" {
		e.Losses.Add(o.ID, "x_misp_name is missing")
		return
	}
	if m.MetaCategory == "" {
		m.MetaCategory = "misc"
	}
	for _, k := range list {
		a := misp.Attribute{UUID: strings.ToLower(k.UUID), Type: k.Type, Relation: k.Relation, Value: k.Value, Category: k.Category, Comment: k.Comment,
			Data: k.Data, ToIDs: k.ToIDs}
		a.FirstSeen, _ = stix.ParseTime(k.First)
		a.LastSeen, _ = stix.ParseTime(k.Last)
		for _, tag := range k.Tags[:min(len(k.Tags), misp.MaxTags)] {
			a.Tags = append(a.Tags, misp.Tag{Name: tag})
		}
		if k.Time > 0 && k.Time < latest {
			a.Timestamp = time.Unix(k.Time, 0).UTC()
		}
		if a.Value == "" && o.Type == "indicator" {
			a.Value = o.Pattern
		}
		if a.UUID == "" {
			a.UUID = derived(o.ID, k.Relation, k.Value)
		}
		if a.Category == "" {
			a.Category = category(k.Type, &stix.Object{})
		}
		if a.Data == "" && (a.Type == "malware-sample" || a.Type == "attachment") {
			a.Data = x.payload(o)
		}
		if a.Type == "" || a.Value == "" || len(a.Value) > longest {
			e.Losses.Add(o.ID, "an attribute "+misp.Shown(k.Relation)+" without type or value, or of a longer one than MISP keeps")
			continue
		}
		m.Attributes = append(m.Attributes, a)
	}
	if len(m.Attributes) > 0 {
		x.addObject(e, o, m)
	}
}

// payload is the artifact among what was observed.
func (x *exporter) payload(o *stix.Object) string {
	for _, ref := range o.Refs {
		if strings.HasPrefix(ref.ID, "artifact--") {
			if artifact := x.allowed(ref.ID); artifact != nil {
				return artifact.Text("payload_bin")
			}
		}
	}
	return ""
}

// keptAttribute makes the attribute that an x-misp-attribute is.
func (x *exporter) keptAttribute(e *eventInMaking, o *stix.Object) {
	toIDs, _ := o.Property("x_misp_to_ids")
	a := misp.Attribute{UUID: uuidIn(o.ID), Type: o.Text("x_misp_type"), Category: o.Text("x_misp_category"), Value: o.Text("x_misp_value"),
		Comment: o.Text("x_misp_comment"), Data: o.Text("x_misp_data"), ToIDs: string(toIDs) == "true"}
	if a.Type == "" || a.Value == "" || len(a.Value) > longest {
		e.Losses.Add(o.ID, "an attribute without type or value, or of a longer value than MISP keeps")
		return
	}
	if a.Category == "" {
		a.Category = category(a.Type, o)
	}
	a.FirstSeen, _ = stix.ParseTime(o.Text("x_misp_first_seen"))
	a.LastSeen, _ = stix.ParseTime(o.Text("x_misp_last_seen"))
	x.add(e, o, a)
}

// named makes the attribute that names a vulnerability or campaign.
func (x *exporter) named(e *eventInMaking, o *stix.Object) {
	if isObject(o) {
		x.keptObject(e, o)
		return
	}
	typ := map[string]string{"vulnerability": "vulnerability", "campaign": "campaign-name"}[o.Type]
	name := o.Name
	for _, ref := range o.External {
		if o.Type == "vulnerability" && strings.EqualFold(ref.Source, "cve") && ref.ID != "" {
			name = ref.ID
		}
	}
	if !takes(typ, name) || slices.ContainsFunc(o.Labels, isGalaxyLabel) {
		x.cluster(e, o)
		return
	}
	x.add(e, o, misp.Attribute{UUID: uuidIn(o.ID), Type: typ, Category: category(typ, o), Value: name, Comment: o.Text("description")})
}

// observedData makes attributes and MISP objects of what was observed.
func (x *exporter) observedData(e *eventInMaking, o *stix.Object) {
	if isObject(o) {
		x.keptObject(e, o)
		return
	}
	var graph []*stix.Object
	raw, _ := o.Property("object_refs")
	var refs []string
	if json.Unmarshal(raw, &refs) != nil {
		e.Losses.Add(o.ID, "observed data in the form of STIX 2.0")
		return
	}
	for _, id := range refs {
		if sco := x.allowed(id); sco != nil && stix.IsObservable(sco.Type) {
			graph = append(graph, sco)
			x.hold(e, id)
		} else {
			e.Losses.Add(o.ID, "it refers to "+id+", which is not among the observables")
		}
	}
	first, _ := stix.ParseTime(o.Text("first_observed"))
	last, _ := stix.ParseTime(o.Text("last_observed"))
	if _, modified := times(o); first.Equal(modified) && last.Equal(modified) {
		first, last = time.Time{}, time.Time{} // MISP said nothing of it
	}
	if n, _ := o.Property("number_observed"); string(n) != "1" {
		e.Losses.Add(o.ID, "it was observed "+string(n)+" times")
	}
	base := misp.Attribute{Comment: o.Text("x_misp_comment"), FirstSeen: first, LastSeen: last}
	roots := x.roots(graph)
	if typ := labelled(o, "type"); typ != "" {
		if text, ok := x.original(typ, graph, o.Markings(), refs); ok {
			a := base
			a.UUID, a.Type, a.Value, a.Category, a.Data = uuidIn(o.ID), typ, text, category(typ, o), x.payload(o)
			x.add(e, o, a)
			return
		}
	}
	if len(roots) == 0 && len(graph) > 0 {
		e.Losses.Add(o.ID, "its observables refer to one another in a circle")
	}
	for _, root := range roots {
		uuid := uuidIn(o.ID)
		if len(roots) > 1 {
			uuid = derived(o.ID, root.ID)
		}
		x.observation(e, o, root, uuid, base)
	}
}

// roots are the observables that no other of the list refers to.
func (x *exporter) roots(graph []*stix.Object) []*stix.Object {
	referred := map[string]bool{}
	for _, o := range graph {
		for _, r := range o.Refs {
			if r.ID != o.ID {
				referred[r.ID] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(graph), func(o *stix.Object) bool { return referred[o.ID] })
}

// original finds the value of an attribute's type that gives exactly these observables.
func (x *exporter) original(typ string, graph []*stix.Object, markings, refs []string) (string, bool) {
	var texts []string
	for _, o := range graph {
		texts = append(texts, leaves(o)...)
	}
	slices.Sort(texts)
	texts = slices.Compact(texts)
	const most = 6 // no type has more parts
	if len(texts) > most {
		return "", false
	}
	candidates := slices.Clone(texts)
	if typ == "AS" {
		slices.Reverse(candidates) // AS64496 before 64496
	}
	for _, a := range texts {
		for _, b := range texts {
			candidates = append(candidates, spellings([]string{a, b})...)
			for _, c := range texts {
				candidates = append(candidates, spellings([]string{a, b, c})...)
			}
		}
	}
	for _, text := range candidates {
		a := &misp.Attribute{Type: typ, Value: text}
		for _, o := range graph {
			if o.Type == "artifact" {
				a.Data = o.Text("payload_bin")
			}
		}
		r, known, err := read(a)
		if !known || err != nil {
			continue
		}
		t := r.seen
		if t == nil {
			t = r.asked
		}
		var ids []string
		_, err = t.observe(&observer{markings: markings, emit: func(id string, _ []byte) { ids = append(ids, id) }, lost: func(string, error) {}})
		if err == nil && slices.Equal(sorted(ids), sorted(refs)) {
			return text, true
		}
	}
	return "", false
}

func sorted(ids []string) []string {
	out := slices.Clone(ids)
	slices.Sort(out)
	return slices.Compact(out)
}

// leaves are the texts and numbers that an observable says.
func leaves(o *stix.Object) []string {
	var all map[string]any
	if o.Type == "artifact" || json.Unmarshal(o.Raw, &all) != nil {
		return nil
	}
	for _, name := range []string{"type", "id", "spec_version", "object_marking_refs", "protocols"} {
		delete(all, name)
	}
	var out []string
	var walk func(name string, v any)
	walk = func(name string, v any) {
		switch v := v.(type) {
		case string:
			if !strings.HasSuffix(name, "_ref") && !strings.HasSuffix(name, "_refs") && name != "content_disposition" && name != "account_type" {
				out = append(out, v)
			}
		case float64:
			out = append(out, strconv.FormatFloat(v, 'f', -1, 64))
			if o.Type == "autonomous-system" {
				out = append(out, "AS"+out[len(out)-1])
			}
		case []any:
			for _, e := range v {
				walk(name, e)
			}
		case map[string]any:
			for n, e := range v {
				walk(n, e)
			}
		}
	}
	walk("", all)
	return out
}
