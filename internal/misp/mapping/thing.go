package mapping

import (
	"slices"
	"strings"
	"time"

	"shieldwall/internal/stix"
	"shieldwall/internal/stixpattern"
)

// thing is an observable in the making. What a pattern asks of it and what an object says of it are made of the
// same, so that they cannot differ.
type thing struct {
	typ    string
	fields []*field
}

// field is one property: its value is a string, int64, bool, time.Time, a *thing (a reference), []*thing
// (references), []*field (a dictionary) or [][]*field (a list of dictionaries).
type field struct {
	name  string
	value any
	asked bool // it is what is looked for
}

func newThing(typ string, fields ...*field) *thing { return &thing{typ, fields} }

// ask is a field that is looked for, say one that is only told.
func ask(name string, value any) *field { return &field{name, value, true} }
func say(name string, value any) *field { return &field{name, value, false} }

func (t *thing) get(name string) *field {
	for _, f := range t.fields {
		if f.name == name {
			return f
		}
	}
	return nil
}

// identifying are the hashes that tell a file from every other one, whatever it is called.
var identifying = []string{"MD5", "SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512", "SHA-512_224", "SHA-512_256", "SHA3-224",
	"SHA3-256", "SHA3-384", "SHA3-512"}

// pattern writes what is looked for, "" where nothing is. Hashes of one file or certificate are alternatives: an
// event seldom has all of them. A file with such a hash is looked for by that alone: under another name it is
// the same file.
func (t *thing) pattern() string {
	c := t.comparison()
	if c == nil {
		return ""
	}
	return stixpattern.Format(&stixpattern.Test{Comparison: c})
}

func (t *thing) comparison() stixpattern.Comparison {
	var all []stixpattern.Comparison
	var hashes []stixpattern.Comparison
	collect(t.fields, stixpattern.Path{Type: t.typ}, func(path stixpattern.Path, value stixpattern.Literal) {
		c := &stixpattern.Compare{Path: path, Op: stixpattern.Equal, Values: []stixpattern.Literal{value}}
		if s := path.Steps; len(s) == 2 && s[0].Property == "hashes" && slices.Contains(identifying, s[1].Property) {
			hashes = append(hashes, c)
			return
		}
		all = append(all, c)
	})
	if len(hashes) > 0 {
		return joined(true, hashes)
	}
	return joined(false, all)
}

// identified says whether a hash is looked for that tells the thing by itself.
func (t *thing) identified() bool {
	f := t.get("hashes")
	if f == nil {
		return false
	}
	list, _ := f.value.([]*field)
	return slices.ContainsFunc(list, func(h *field) bool { return h.asked && slices.Contains(identifying, h.name) })
}

func joined(or bool, list []stixpattern.Comparison) stixpattern.Comparison {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return &stixpattern.Logical{Or: or, Operands: list}
}

// collect calls fn for each value that is looked for, with its path.
func collect(fields []*field, path stixpattern.Path, fn func(stixpattern.Path, stixpattern.Literal)) {
	for _, f := range fields {
		here := then(path, stixpattern.Step{Property: f.name})
		switch v := f.value.(type) {
		case *thing:
			collect(v.fields, here, fn)
		case []*thing:
			for _, t := range v {
				collect(t.fields, then(here, anyElement), fn)
			}
		case []*field:
			collect(v, here, fn)
		case [][]*field:
			for _, d := range v {
				collect(d, then(here, anyElement), fn)
			}
		case []string:
			for _, s := range v {
				if f.asked {
					fn(then(here, anyElement), stixpattern.Literal{Kind: stixpattern.String, Text: s})
				}
			}
		default:
			if f.asked {
				fn(here, literal(v))
			}
		}
	}
}

var anyElement = stixpattern.Step{IsIndex: true, Any: true}

func then(p stixpattern.Path, s stixpattern.Step) stixpattern.Path {
	return stixpattern.Path{Type: p.Type, Steps: append(slices.Clone(p.Steps), s)}
}

func literal(value any) stixpattern.Literal {
	switch v := value.(type) {
	case int64:
		return stixpattern.Literal{Kind: stixpattern.Int, Int: v, Float: float64(v)}
	case bool:
		return stixpattern.Literal{Kind: stixpattern.Bool, Bool: v}
	case time.Time:
		return stixpattern.Literal{Kind: stixpattern.Timestamp, Time: v}
	}
	text, _ := value.(string)
	return stixpattern.Literal{Kind: stixpattern.String, Text: text}
}

// observer takes what things become.
type observer struct {
	markings []string
	emit     func(id string, raw []byte)
	lost     func(typ string, err error) // a part of a thing that no object can say
}

// observe writes the thing and those that it refers to, and gives the thing's identifier.
func (t *thing) observe(to *observer) (id string, err error) {
	properties := properties(t.fields, to)
	raw, lost, err := sound(func() (raw []byte, err error) {
		id, raw, err = stix.Observable(t.typ, to.markings, properties...)
		return raw, err
	}, func(path []string) (found bool) {
		properties, found = without(properties, path)
		return found
	})
	if err != nil {
		return "", err
	}
	for _, p := range lost {
		to.lost(t.typ, p)
	}
	to.emit(id, raw)
	return id, nil
}

// listing are the dictionaries whose values are lists: a header may have a field several times (sections 6.6.1 and
// 6.12.2.1).
var listing = []string{"additional_header_fields", "request_header"}

// properties writes fields, without references to what cannot be an object.
func properties(fields []*field, to *observer) []stix.Property {
	var out []stix.Property
	for _, f := range fields {
		p := stix.Property{Name: f.name, Value: f.value}
		switch v := f.value.(type) {
		case *thing:
			id, err := v.observe(to)
			if err != nil {
				to.lost(v.typ, err)
				continue
			}
			p.Value = id
		case []*thing:
			var ids []string
			there := map[string]bool{}
			for _, t := range v {
				id, err := t.observe(to)
				if err != nil {
					to.lost(t.typ, err)
				} else if !there[id] {
					there[id] = true
					ids = append(ids, id)
				}
			}
			if len(ids) == 0 {
				continue
			}
			p.Value = ids
		case []*field:
			d := properties(v, to)
			for i := range d {
				if text, is := d[i].Value.(string); is && slices.Contains(listing, f.name) {
					d[i].Value = []string{text}
				}
			}
			p.Value = stix.Dict(d)
		case [][]*field:
			var list []stix.Dict
			for _, d := range v {
				list = append(list, properties(d, to))
			}
			p.Value = list
		}
		out = append(out, p)
	}
	return out
}

// prune leaves out references to what cannot be an object: an address of which only the displayed name is known.
func (t *thing) prune() {
	t.fields = pruned(t.fields)
}

func pruned(fields []*field) []*field {
	var out []*field
	for _, f := range fields {
		switch v := f.value.(type) {
		case *thing:
			if v.prune(); !v.whole() {
				continue
			}
		case []*thing:
			var list []*thing
			for _, t := range v {
				if t.prune(); t.whole() {
					list = append(list, t)
				}
			}
			if len(list) == 0 {
				continue
			}
			f = &field{f.name, list, f.asked}
		case []*field:
			f = &field{f.name, pruned(v), f.asked}
		case [][]*field:
			var list [][]*field
			for _, d := range v {
				list = append(list, pruned(d))
			}
			f = &field{f.name, list, f.asked}
		}
		out = append(out, f)
	}
	return out
}

// whole says whether the specification lets a thing be an object: it has what its type must have (section 6).
func (t *thing) whole() bool {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return t.get(n) != nil })
	}
	switch t.typ {
	case "file":
		return has("hashes", "name")
	case "network-traffic":
		return has("src_ref", "dst_ref") && has("protocols")
	case "windows-registry-key":
		return has("key", "values")
	case "autonomous-system":
		return has("number")
	case "artifact":
		return has("payload_bin")
	case "directory":
		return has("path")
	case "mutex", "software":
		return has("name")
	case "email-message":
		return has("is_multipart")
	case "process", "user-account", "x509-certificate":
		return slices.ContainsFunc(t.fields, func(f *field) bool { return !strings.HasPrefix(f.name, "x_") })
	}
	return has("value")
}
