// Package observed sees telemetry as STIX does: an event as observables, a pattern's tests as tests of an
// event's fields. roles is the map between them; Table prints it for users.
//
// It works in two steps. Candidate makes a Sigma rule that holds on every event which one of the pattern's
// tests can hold on, and on few others: that is what the engine looks for. Objects makes observables of an
// event that was found, and the pattern's own evaluator has the last word, so that there is one meaning of
// a pattern whatever it is matched against.
package observed

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"shieldwall/internal/event"
	"shieldwall/internal/stixpattern"
)

// maxText bounds the text of a field that patterns see, in bytes; Windows' longest command lines are a third of it.
const maxText = 256 << 10

func splitPath(path string) []string { return strings.Split(path, ".") }

// Objects makes observables of an event: those of roles that it says something about.
func Objects(ev *event.Event) stixpattern.Objects {
	list, referred := Lists(ev)
	return stixpattern.NewObjects(list, referred...)
}

// Lists makes the same observables, those that are only referred to apart.
func Lists(ev *event.Event) (list, referred []stixpattern.Object) {
	if ev.Rest != nil { // the fields that only patterns ask for
		all := *ev
		ev.Rest(&all)
		ev = &all
	}
	texts := make(fieldTexts, len(ev.Fields))
	for i := range ev.Fields {
		texts.add(&ev.Fields[i])
	}
	made := map[string][]any{} // ids of what each role became
	objects := make([][]stixpattern.Object, len(roles))
	for i := range roles {
		if objects[i] = roles[i].objects(texts); objects[i] == nil && roles[i].connects(made) {
			objects[i] = []stixpattern.Object{{"type": roles[i].typ, "id": roles[i].id()}}
		}
		for _, o := range objects[i] {
			made[roles[i].id()] = append(made[roles[i].id()], o["id"])
		}
		if roles[i].referred {
			referred = append(referred, objects[i]...)
		} else {
			list = append(list, objects[i]...)
		}
	}
	for i := range roles {
		for _, o := range objects[i] {
			roles[i].refer(o, made)
		}
	}
	return list, referred
}

// fieldTexts are an event's texts by field; a field that is a list has several.
type fieldTexts map[string][]string

// maxItems bounds the items of a list that patterns see.
const maxItems = 64

func (t fieldTexts) add(f *event.Field) {
	items := []event.Value{f.Value}
	if f.Value.Kind == event.List {
		items = f.Value.Items[:min(len(f.Value.Items), maxItems)]
	}
	for _, item := range items {
		if item.Kind != event.Null {
			t[f.Name] = append(t[f.Name], item.Text[:min(len(item.Text), maxText)])
		}
	}
}

// FieldNames lists, sorted, every field that observables are made of: a decoder that leaves out what nobody asks
// for need not be asked again for an event that a pattern has to confirm.
func FieldNames() []string {
	seen := map[string]bool{}
	for _, r := range roles {
		for _, p := range r.properties {
			for _, f := range p.fields {
				for _, name := range slices.Concat([]string{f.name}, f.when, f.unless) {
					seen[name] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func (r *role) id() string { return r.typ + "/" + r.name }

// objects makes the role's observables: none where the event does not speak of it, several where a role of one
// property is a list, such as the recipients of a message.
func (r *role) objects(texts fieldTexts) (out []stixpattern.Object) {
	if len(r.properties) > 1 || len(r.references) > 0 {
		if o := r.object(texts); o != nil {
			out = append(out, o)
		}
		return out
	}
	p := &r.properties[0]
	for i, value := range p.values(texts) {
		o := stixpattern.Object{"type": r.typ, "id": r.id()}
		if i > 0 {
			o["id"] = r.id() + "/" + strconv.Itoa(i)
		}
		put(o, p.path, value)
		out = append(out, o)
	}
	return out
}

// object makes one observable. Hashes alone make no file: they need the file's name, which says whose they are.
func (r *role) object(texts fieldTexts) stixpattern.Object {
	var out stixpattern.Object
	for i, p := range r.properties {
		values := p.values(texts)
		if len(values) == 0 {
			if i == 0 && r.typ == "file" && r.name != "logged" {
				return nil
			}
			continue
		}
		if out == nil {
			out = stixpattern.Object{"type": r.typ, "id": r.id()}
		}
		put(out, p.path, values[0])
	}
	return out
}

// connects tells whether there is network traffic of which the event says no more than an end: that is all that
// STIX asks of it (2.1, section 6.12.1), and an event need have neither ports nor a protocol.
func (r *role) connects(made map[string][]any) bool {
	return r.typ == "network-traffic" && slices.ContainsFunc(r.references, func(ref reference) bool {
		return slices.ContainsFunc(ref.roles, func(id string) bool { return len(made[id]) > 0 })
	})
}

func (r *role) refer(o stixpattern.Object, made map[string][]any) {
	for _, ref := range r.references {
		var ids []any
		for _, id := range ref.roles {
			ids = append(ids, made[id]...)
		}
		switch {
		case len(ids) == 0:
		case strings.HasSuffix(ref.name, "_refs"):
			o[ref.name] = ids
		default:
			o[ref.name] = ids[0]
		}
	}
}

// values reads the first field that has any.
func (p *property) values(texts fieldTexts) (out []any) {
	for _, f := range p.fields {
		if !f.applies(texts) {
			continue
		}
		for _, text := range texts[f.name] {
			if value, ok := f.read.value(text); ok {
				out = append(out, value)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

func (f *field) applies(texts fieldTexts) bool {
	for _, name := range f.when {
		if _, ok := texts[name]; !ok {
			return false
		}
	}
	for _, name := range f.unless {
		if _, ok := texts[name]; ok {
			return false
		}
	}
	return true
}

// put sets a value below keys; "*" is a list of one.
func put(o map[string]any, path []string, value any) {
	key := path[0]
	switch {
	case len(path) == 1:
		o[key] = value
	case path[1] != "*":
		inner, ok := o[key].(map[string]any)
		if !ok {
			inner = map[string]any{}
			o[key] = inner
		}
		put(inner, path[1:], value)
	case len(path) == 2:
		o[key] = []any{value}
	default:
		list, ok := o[key].([]any)
		if !ok {
			list = []any{map[string]any{}}
			o[key] = list
		}
		put(list[0].(map[string]any), path[2:], value)
	}
}
