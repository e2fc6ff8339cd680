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
	texts := make(map[string]string, len(ev.Fields))
	for i := range ev.Fields {
		f := &ev.Fields[i]
		if value, ok := scalar(f.Value); ok {
			texts[f.Name] = value[:min(len(value), maxText)]
		}
	}
	made := map[string]bool{}
	objects := make([]stixpattern.Object, len(roles))
	for i := range roles {
		if objects[i] = roles[i].object(texts); objects[i] != nil {
			made[roles[i].id()] = true
			if roles[i].referred {
				referred = append(referred, objects[i])
			} else {
				list = append(list, objects[i])
			}
		}
	}
	for i := range roles {
		if objects[i] != nil {
			roles[i].refer(objects[i], made)
		}
	}
	return list, referred
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

// scalar gives a field's text; of a list, the first.
func scalar(v event.Value) (string, bool) {
	if v.Kind == event.List {
		for _, item := range v.Items {
			if item.Kind != event.Null {
				return item.Text, true
			}
		}
		return "", false
	}
	return v.Text, v.Kind != event.Null
}

func (r *role) id() string { return r.typ + "/" + r.name }

// object makes the role's observable; nil where the event does not speak of it. Hashes alone make no file:
// they need the file's name, which says whose they are.
func (r *role) object(texts map[string]string) stixpattern.Object {
	var out stixpattern.Object
	for i, p := range r.properties {
		value, ok := p.value(texts)
		if !ok {
			if i == 0 && r.typ == "file" && r.name != "logged" {
				return nil
			}
			continue
		}
		if out == nil {
			out = stixpattern.Object{"type": r.typ, "id": r.id()}
		}
		put(out, p.path, value)
	}
	return out
}

func (r *role) refer(o stixpattern.Object, made map[string]bool) {
	for _, ref := range r.references {
		var ids []any
		for _, id := range ref.roles {
			if made[id] {
				ids = append(ids, id)
			}
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

func (p *property) value(texts map[string]string) (any, bool) {
	for _, f := range p.fields {
		s, ok := texts[f.name]
		if !ok || !f.applies(texts) {
			continue
		}
		if value, ok := f.read.value(s); ok {
			return value, true
		}
	}
	return nil, false
}

func (f *field) applies(texts map[string]string) bool {
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
